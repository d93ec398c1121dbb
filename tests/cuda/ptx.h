/* The software CUDA driver's inside: PTX as it is after decoding, device memory, and what runs a grid.
 *
 * ptx_text.c reads declarations and structure, ptx_decode.c turns instructions into `insn`, memory.c holds a device's memory
 * with its shadow, exec.c runs blocks (exec_lanes.h: one warp), driver.c has the driver's calls. All of it is a test tool:
 * what real hardware lets pass in silence is an error here.
 */
#ifndef TESTS_CUDA_PTX_H
#define TESTS_CUDA_PTX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LANES = 32, MAX_THREADS = 1024, MAX_WARPS = MAX_THREADS / LANES };

/* Where an address points. Addresses of shared, local and parameter space are offsets; a generic address has a window. */
typedef enum space { SPACE_GENERIC, SPACE_GLOBAL, SPACE_SHARED, SPACE_LOCAL, SPACE_PARAM, SPACE_CONST } space;
#define SHARED_WINDOW UINT64_C(0x00007A0000000000)
#define LOCAL_WINDOW  UINT64_C(0x00007B0000000000)
#define PARAM_WINDOW  UINT64_C(0x00007C0000000000)
#define WINDOW_MASK   UINT64_C(0xFFFFFF0000000000)

/* A family of operations is eight codes, one a type. */
typedef enum type { U16, S16, U32, S32, U64, S64, F32, F64 } type;
#define PTX_FAMILIES(F)                                                                                                \
    F(ADD) F(SUB) F(MUL) F(MULHI) F(MULWIDE) F(MAD) F(MADHI) F(MADWIDE) F(DIV) F(REM) F(MIN) F(MAX) F(ABS) F(NEG)      \
    F(AND) F(OR) F(XOR) F(NOT) F(CNOT) F(SHL) F(SHR) F(BFE) F(BFI) F(POPC) F(CLZ) F(BREV) F(BFIND) F(SAD)              \
    F(EQ) F(NE) F(LT) F(LE) F(GT) F(GE) F(EQU) F(NEU) F(LTU) F(LEU) F(GTU) F(GEU) F(NUM) F(NAN)                        \
    F(FMA) F(FMALIE) F(SQRT) F(RCP) F(MINNAN) F(MAXNAN) F(COPYSIGN) F(SLCT) F(ADDCC) F(ADDC) F(SUBCC) F(SUBC)          \
    F(ATOM)
#define PTX_SINGLES(S)                                                                                                 \
    S(NOP) S(BRA) S(BRX) S(EXIT) S(TRAP) S(BAR) S(WARPSYNC) S(FENCE) S(MOV32) S(MOV64) S(MOVP)                         \
    S(PACK) S(UNPACK) S(SELP32) S(SELP64) S(ANDP) S(ORP) S(XORP) S(NOTP) S(CVT) S(TESTP) S(SETVALUE)                   \
    S(PRMT) S(LOP3) S(SHFL) S(SHFR) S(LD) S(ST) S(CVTA) S(DP4A) S(DP2A) S(VOTE) S(SHUFFLE) S(ACTIVEMASK)               \
    S(CLOCK) S(CPASYNC) S(CPCOMMIT) S(CPWAIT) S(MMA) S(LDMATRIX)
enum {
#define F(name) name##_U16, name##_S16, name##_U32, name##_S32, name##_U64, name##_S64, name##_F32, name##_F64,
    PTX_FAMILIES(F)
#undef F
#define S(name) OP_##name,
    PTX_SINGLES(S)
#undef S
    OP_COUNT
};

/* One instruction. Registers are offsets into a warp's frame: 32 lanes of 4 bytes (of 8 for 64-bit ones). */
typedef struct insn {
    uint16_t op;
    uint8_t  guard_kind; /* 0: none, 1: if set, 2: if clear */
    uint8_t  count;      /* of a vector's elements */
    uint8_t  size;       /* of an element in memory, bytes */
    uint8_t  space;
    uint8_t  mode;       /* of the operation: comparison, rounding, sign, ... */
    uint8_t  mode2;
    uint32_t guard;
    uint32_t d, a, b, c, e;
    uint32_t list; /* index of more operands in `operands` */
    int64_t  imm;
    uint32_t target;
    uint32_t line;
} insn;

/* A conversion's types, packed into insn.imm. */
typedef enum kind { KIND_B, KIND_U, KIND_S, KIND_F, KIND_BF, KIND_PRED } kind;
typedef enum rounding { ROUND_NONE, RN, RZ, RM, RP, RNI, RZI, RMI, RPI } rounding;
enum { CMP_AND = 1, CMP_OR, CMP_XOR };
/* Conversions that are a loop of their own (insn.count). */
enum {
    CVT_OTHER, CVT_U32_F32, CVT_S32_F32, CVT_U32_U64, CVT_S32_S64, CVT_64_32, CVT_S8_S32, CVT_U8_U32, CVT_S16_S32,
    CVT_U16_U32
};

typedef struct constant { uint32_t slot; uint8_t wide; bool dynamic; uint64_t value; } constant;

/* Read-only frame slots that the executor fills for each warp. */
enum special {
    SR_TIDX, SR_TIDY, SR_TIDZ, SR_NTIDX, SR_NTIDY, SR_NTIDZ, SR_CTAX, SR_CTAY, SR_CTAZ, SR_NCTAX, SR_NCTAY, SR_NCTAZ,
    SR_LANE, SR_WARP, SR_NWARP, SR_LT, SR_LE, SR_EQ, SR_GE, SR_GT, SR_SMID, SR_NSMID, SR_DYNAMIC, SR_CC, SR_SINK,
    SR_SINKHI, SR_COUNT
};
#define SLOT32 128u
#define SPECIAL_SLOT(which) ((uint32_t)(which) * SLOT32)

typedef struct kernel {
    struct module *module;
    char          *name;
    insn          *code;
    uint32_t       code_count, code_room;
    uint32_t      *operands;
    uint32_t       operand_count, operand_room;
    constant      *constants;
    uint32_t       constant_count, constant_room;
    uint32_t       frame_bytes; /* of one warp */
    uint32_t       param_bytes, param_align;
    uint32_t       param_count;
    struct { uint32_t offset, size; } params[64];
    uint32_t       shared_bytes, local_bytes;
    bool           uses_dynamic;
    uint32_t       dynamic_align;
    uint32_t       max_threads[3], required_threads[3];
    uint32_t       register_count;
    uint32_t       max_dynamic; /* set by cuFuncSetAttribute */
} kernel;

typedef struct module {
    struct device *device;
    struct block  *blocks; /* what is freed with the module */
    kernel       **kernels;
    uint32_t       kernel_count;
    uint64_t       static_address, static_size; /* device memory of its variables */
    uint32_t       target, version;
} module;

/* What a text is decoded for, and where complaints go. */
typedef struct ptx_request {
    struct device *device;
    const char    *text;
    size_t         size;
    unsigned       capability, max_version;
    unsigned       lies;
    char          *log;
    size_t         log_room;
    int            code; /* CUresult of a failure; -1: load again with image_room bytes of image */
    uint64_t       image_address; /* where the variables will be in device memory */
    unsigned char *image;         /* their first contents */
    uint64_t       image_room, image_used;
} ptx_request;
enum { LIE_FMA = 1, LIE_FTZ = 2, LIE_DIV = 4, LIE_SQRT = 8 };

module *ptx_load(ptx_request *request);
void    ptx_unload(module *m);

/* ---- Device memory ---- */

/* One shadow byte for each byte: */
enum { SHADOW_NONE = 0, SHADOW_ALLOCATED = 1, SHADOW_WRITTEN = 3 };
typedef struct allocation { uint64_t address, size; bool is_static; } allocation;
typedef struct memory {
    unsigned char *host, *shadow;
    uint32_t      *writers, *readers; /* of each byte, if races in it are looked for: exec.c */
    uint32_t       segment;           /* the newest in them */
    uint64_t       base, span, limit, used, next;
    allocation    *live;
    uint32_t       live_count, live_room;
    allocation     freed[256];
    uint32_t       freed_count;
} memory;
bool     memory_open(memory *m, unsigned device, uint64_t limit, bool races);
void     memory_forget_races(memory *m);
void     memory_close(memory *m);
uint64_t memory_allocate(memory *m, uint64_t size, bool is_static);
bool     memory_free(memory *m, uint64_t address);
/* What is wrong with these bytes, in words; NULL if nothing is. */
const char                  *memory_check(const memory *m, uint64_t address, uint64_t size, bool must_be_written, char *room,
                                          size_t room_size);
void        memory_mark(memory *m, uint64_t address, uint64_t size);
static inline unsigned char *memory_at(const memory *m, uint64_t address) { return m->host + (address - m->base); }

/* ---- Running ---- */

typedef struct launch {
    kernel              *kernel;
    memory              *memory;
    const unsigned char *params;
    uint32_t             grid[3], block[3], dynamic_bytes;
    bool                 check_races, reversed;
    unsigned             workers;
} launch;
/* 0, or the CUresult; the message says what and where. */
int      run_grid(const launch *l, char *message, size_t room);
uint64_t run_thread_instructions(void); /* executed so far by all, for measurements */

#endif
