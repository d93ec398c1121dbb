/* Verified code inside the machine: what the verifier finds out (`adead_analysis`) and the dense form that runs.
 *
 * The dense form has one 24-byte step per instruction. Jumps are byte distances between steps; registers are indices into
 * the frame. `run` is the fuel that entering at this step costs: the number of instructions from here to the next CONTROL
 * instruction, both included.
 */
#ifndef ADEAD_VM_CODE_H
#define ADEAD_VM_CODE_H

#include "vm/foreign.h"
#include "vm/vm.h"

typedef struct adead_function {
    uint32_t offset;      /* of the FUNC instruction; of the first instruction for the implicit function */
    uint32_t first, end;  /* instructions [first, end) of the stream, without FUNC */
    uint32_t type;
    uint16_t params, results, registers;
} adead_function;

/* How many registers a call through an entry of the table may read or write: the more of parameters and results. */
typedef struct adead_table_width { uint32_t type, width, entry; } adead_table_width;

/* What one pass over a correct stream learns. */
typedef struct adead_analysis {
    const adead_image *image;
    adead_arena        arena;
    uint32_t           instruction_count;
    uint32_t          *offsets;  /* of each instruction, ascending */
    uint16_t          *ops;      /* adead_op of each */
    uint32_t           function_count;
    adead_function    *functions; /* ascending by offset */
    uint32_t           entry;     /* index of the entry function */
    uint32_t          *table;     /* function index of each entry of the image's table */
    adead_table_width *widths;    /* of each entry, sorted by type, the widest of a type first */
    adead_signature   *signatures; /* of each import */
    adead_code_facts   facts;
} adead_analysis;

/* Verifies; on success the caller closes the analysis (its arena). */
adead_status adead_analyse(adead_analysis *analysis, const adead_image *image, const adead_host *host,
                           adead_failure *failure);

/* Index of the instruction that starts at `offset` within [first, end), or UINT32_MAX. */
uint32_t adead_find_instruction(const adead_analysis *analysis, uint32_t first, uint32_t end, uint64_t offset);
/* Index of the function whose FUNC instruction (or implicit start) is at `offset`, or UINT32_MAX. */
uint32_t adead_find_function(const adead_analysis *analysis, uint64_t offset);
/* Index of the function in which an instruction is. */
static inline uint32_t adead_function_of(const adead_analysis *analysis, uint32_t instruction)
{
    uint32_t low = 0, high = analysis->function_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (analysis->functions[middle].first <= instruction) low = middle;
        else high = middle;
    }
    return low;
}
/* The instruction of that index, decoded again from the stream. */
adead_instruction adead_instruction_at(const adead_analysis *analysis, uint32_t index);

/* Two instructions that one step executes: FUSED(FIRST, THEN, SLOT). The step of FIRST is that step; THEN keeps its own
 * behind it, for jumps that arrive there. SLOT is the operand of THEN which must be the result of FIRST, and which the fused
 * step has in hand: a, c, e (either of b and c, whose order does not matter) or n (none). It saves a dispatch and, what
 * counts for more, the wait for a register that was just written. A group of them is here because it makes a sample program
 * faster by 3 % or more. */
#define ADEAD_FUSED_STEPS(FUSED)                                                                                      \
    FUSED(F64_ADD, F64_ADD, e) FUSED(F64_SUB, F64_ADD, e) FUSED(F64_MUL, F64_ADD, e) FUSED(F64_MUL, F64_SUB, c)        \
    FUSED(F64_ADD, F64_MUL, e) FUSED(F64_SUB, F64_MUL, e) FUSED(F64_MUL, F64_MUL, e)                                   \
    FUSED(LOAD, F64_ADD, e) FUSED(LOAD, F64_SUB, c) FUSED(LOAD, F64_MUL, e) FUSED(F64_ADD, STORE, a)                   \
    FUSED(I32_ROTR, I32_XOR, e) FUSED(I32_SHR_U_IMM, I32_XOR, e) FUSED(I32_AND, I32_XOR, e) FUSED(I32_XOR, I32_XOR, e) \
    FUSED(I32_XOR, I32_AND, e) FUSED(I32_XOR, I32_ADD, e) FUSED(LOAD32_U, I32_ADD, e)                                  \
    FUSED(I32_ADD_IMM, CALL, n) FUSED(I64_ADD_IMM, CALL, n)                                                            \
    FUSED(I32_ADD_IMM, JUMP_I32_LT_S, a) FUSED(I32_ADD_IMM, JUMP_I32_LT_S_IMM, a)                                      \
    FUSED(I64_ADD_IMM, JUMP_I64_LT_S, a) FUSED(I64_ADD_IMM, JUMP_I64_LT_S_IMM, a)

enum {
    ADEAD_STEP_FIRST_FUSED = ADEAD_OP_COUNT - 1,
#define FUSED(first, then, slot) ADEAD_STEP_##first##_##then,
    ADEAD_FUSED_STEPS(FUSED)
#undef FUSED
    ADEAD_STEP_COUNT
};

typedef struct adead_step {
    const void *handler; /* threaded: the handler's address; switched: the step's number */
    int32_t     imm;     /* immediate, offset, or distance of a jump in bytes */
    uint32_t    run;
    uint16_t    a, b, c, d;
} adead_step;

_Static_assert(sizeof(adead_step) <= 24, "a step is three words");

/* How a translation is to be executed. PLAIN steps match instructions one to one, for tracing and profiling. */
typedef enum adead_flavour { ADEAD_FLAVOUR_FAST, ADEAD_FLAVOUR_PLAIN } adead_flavour;

typedef struct adead_translation {
    adead_step *steps;
    uint32_t   *instructions; /* instruction index of each step */
    uint32_t   *entries;      /* first step of each function */
    int32_t    *jumps;        /* distances of jump tables, one table after the other */
    uint32_t    step_count;
    adead_flavour flavour;
    adead_arena arena;
} adead_translation;

adead_status adead_translate(adead_translation *translation, const adead_analysis *analysis, adead_flavour flavour,
                             const adead_host *host, adead_failure *failure);

struct adead_code {
    adead_host        host;
    adead_analysis    analysis;
    adead_translation fast;
};

#endif
