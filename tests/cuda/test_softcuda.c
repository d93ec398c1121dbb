/* The software CUDA driver: every instruction it takes against C, every check it makes shown to fire, its calls, its faults.
 *
 * Instructions: a text of PTX is made of each line of a table, run over edge values and some hundred random ones, and what
 * comes out compared with what C says, bit for bit: instructions.h.
 */
#if !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE /* setenv */
#endif
#include "tests/cuda/instructions.h"
#include "tests/cuda/softcuda.h"
#include "tests/harness/test.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Around the calls ---- */

typedef struct setup { cu_handle context, stream; } setup;

static bool open_with(setup *s, const char *capability, int device)
{
    setenv("ADEAD_SOFTCUDA_CC", capability, 1);
    setenv("ADEAD_SOFTCUDA_QUIET", "1", 1);
    *s = (setup){0};
    return cuInit(0) == 0 && cuDevicePrimaryCtxRetain(&s->context, device) == 0 && cuCtxPushCurrent_v2(s->context) == 0 &&
           cuStreamCreate(&s->stream, 1) == 0;
}

static void close_setup(setup *s, int device)
{
    cuStreamDestroy_v2(s->stream);
    cuCtxPopCurrent_v2(NULL);
    cuDevicePrimaryCtxRelease_v2(device);
}

#define OPEN(capability) \
    setup s;             \
    CHECK(open_with(&s, capability, 0))
#define CLOSE() close_setup(&s, 0)
#define GOOD(call)                                                                              \
    do {                                                                                        \
        int good = (call);                                                                      \
        CHECK(good == 0, "%s: %d (%s)", #call, good, adead_softcuda_complaint());               \
    } while (0)
#define HEAD(version, target) ".version " version "\n.target sm_" target "\n.address_size 64\n"

/* ---- Instructions ---- */

enum { THREADS = 256 };

static const uint64_t edges[] = {
    0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 33, 63, 64, 100, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF,
    0x80000000, 0x80000001, 0xFFFFFFFF, 0xFFFFFF80, UINT64_C(0x100000000), INT64_MAX, (uint64_t)INT64_MIN, UINT64_MAX,
    0x12345678,
    /* binary32: 1, -1, 1/2, 1.5, 2.5, 2^24+1, most, least normal, subnormals, infinities, NaNs, 127.5, 65519.996, 65520 */
    0x3F800000, 0xBF800000, 0x3F000000, 0x3FC00000, 0x40200000, 0xC0200000, 0x4B800001, 0x7F7FFFFF, 0x00800000,
    0x007FFFFF, 0x80000003, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001, 0xFFC12345, 0x42FF0000, 0x477FEFFF, 0x477FF000,
    0x33000000, 0x33000001, 0x387FE000, 0x4F000000, 0xCF000000, 0x4F7FFFFF, 0x5F000000, 0x3F7FFFFF, 0x3F800001,
    /* binary64 */
    UINT64_C(0x3FF0000000000000), UINT64_C(0xBFF0000000000000), UINT64_C(0x3FE0000000000000), UINT64_C(0x4004000000000000),
    UINT64_C(0x7FEFFFFFFFFFFFFF), UINT64_C(0x0010000000000000), UINT64_C(0x000FFFFFFFFFFFFF), UINT64_C(0x8000000000000001),
    UINT64_C(0x7FF0000000000000), UINT64_C(0xFFF0000000000000), UINT64_C(0x7FF8000000000000), UINT64_C(0x7FF0000000000001),
    UINT64_C(0x41DFFFFFFFE00000), UINT64_C(0x47EFFFFFF0000000), UINT64_C(0x36A0000000000000), UINT64_C(0x3810000010000000),
    UINT64_C(0x40F0000000000000), UINT64_C(0x40EFFDFFFFFFFFFF), UINT64_C(0x43E0000000000000), UINT64_C(0x3FF0000000000001),
    /* binary16, bfloat16 */
    0x3C00, 0x7BFF, 0x0400, 0x03FF, 0x7C00, 0x7C01, 0xFE00, 0x3F80, 0x7F80, 0x7FC1,
};
enum { EDGES = sizeof edges / sizeof edges[0] };

/* An edge value, or bits that look like a number near 1 of some format, or any bits. */
static uint64_t any_value(uint64_t *seed)
{
    uint64_t r = test_random(seed), v = test_random(seed);
    switch (r % 8) {
    case 0: case 1: case 2: case 3: return edges[(r >> 8) % EDGES];
    case 4: return (v & 0x007FFFFFu) | (uint64_t)(120 + (r >> 8) % 16) << 23 | (v & 0x80000000u);
    case 5: return (v & UINT64_C(0x800FFFFFFFFFFFFF)) | (uint64_t)(1015 + (r >> 8) % 16) << 52;
    case 6: return (v & 0x007FFFFFu) | (uint64_t)((r >> 8) % 40) << 23; /* small: products are subnormal */
    default: return v;
    }
}

static uint64_t cut(uint64_t v, unsigned bits) { return bits == 64 ? v : v & ((UINT64_C(1) << bits) - 1); }

static bool is_divisor(const rule *r, uint64_t a, uint64_t b)
{
    uint64_t top = UINT64_C(1) << (r->a - 1);
    return b != 0 && !(a == top && b == cut(UINT64_MAX, r->b));
}

/* The kernel of a rule: one thread a case. Operands and results are 64-bit places. */
static void text_of(const rule *r, char *text, size_t room)
{
    char        part[4][400];
    const char *names = "abcd";
    uint8_t     widths[4] = {r->a, r->b, r->c, r->d};
    for (unsigned i = 0; i < 4; i++) {
        unsigned w = widths[i] > 1 ? widths[i] : 32;
        char     n = names[i];
        if (!widths[i]) part[i][0] = 0;
        else if (i == 3 && w == widths[i])
            snprintf(part[i], sizeof part[i], "mov.b64 %%v, 0;\nst.global.b64 [%%at+98304], %%v;\n"
                     "st.global.b%u [%%at+98304], %%d;\n", w);
        else if (i == 3)
            snprintf(part[i], sizeof part[i], "selp.b64 %%v, 1, 0, %%d;\nst.global.b64 [%%at+98304], %%v;\n");
        else if (w == widths[i]) snprintf(part[i], sizeof part[i], "ld.global.b%u %%%c, [%%at+%u];\n", w, n, i * 32768);
        else
            snprintf(part[i], sizeof part[i], "ld.global.b32 %%w, [%%at+%u];\nand.b32 %%w, %%w, 1;\n"
                     "setp.ne.b32 %%%c, %%w, 0;\n", i * 32768, n);
    }
    int n = snprintf(text, room, "%s", r->target && r->target[0] == '9' ? HEAD("7.8", "90")
                                       : r->target                      ? HEAD("7.0", "80") : HEAD("6.3", "75"));
    n += snprintf(text + n, room - (size_t)n,
                  ".visible .entry k(.param .u64 p)\n{\n.reg .b64 %%at, %%v, %%x;\n.reg .b32 %%w, %%i, %%j;\n");
    for (unsigned i = 0; i < 4; i++)
        if (widths[i] == 1) n += snprintf(text + n, room - (size_t)n, ".reg .pred %%%c;\n", names[i]);
        else if (widths[i]) n += snprintf(text + n, room - (size_t)n, ".reg .b%u %%%c;\n", widths[i], names[i]);
    snprintf(text + n, room - (size_t)n,
             "ld.param.u64 %%at, [p];\nmov.u32 %%i, %%ctaid.x;\nmov.u32 %%j, %%ntid.x;\nmov.u32 %%w, %%tid.x;\n"
             "mad.lo.u32 %%i, %%i, %%j, %%w;\nmul.wide.u32 %%x, %%i, 8;\nadd.u64 %%at, %%at, %%x;\n%s%s%s%s\n%sret;\n}\n",
             part[0], part[1], part[2], r->text, part[3]);
}

static void instructions_give_the_bits_of_c(void)
{
    enum { N = 4096 }; /* 32768 bytes an operand */
    static uint64_t values[4][N];
    OPEN("90");
    uint64_t memory, seed = 1;
    GOOD(cuMemAlloc_v2(&memory, sizeof values));
    for (unsigned n = 0; n < sizeof rules / sizeof rules[0]; n++) {
        const rule *r = &rules[n];
        char        text[4096];
        cu_handle   module, function;
        uint8_t     widths[3] = {r->a, r->b, r->c};
        for (unsigned i = 0; i < N; i++) {
            for (unsigned j = 0; j < 3; j++) values[j][i] = any_value(&seed);
            if (!r->b && i < EDGES) values[0][i] = edges[i];
            while (r->values == DIVISOR && !is_divisor(r, cut(values[0][i], r->a), cut(values[1][i], r->b)))
                values[1][i] = any_value(&seed);
            values[3][i] = 0;
        }
        text_of(r, text, sizeof text);
        int code = cuModuleLoadDataEx(&module, text, 0, NULL, NULL);
        CHECK(code == 0, "%s: %d, %s", r->text, code, adead_softcuda_complaint());
        GOOD(cuModuleGetFunction(&function, module, "k"));
        GOOD(cuMemcpyHtoDAsync_v2(memory, values, sizeof values, s.stream));
        GOOD(cuLaunchKernel(function, N / THREADS, 1, 1, THREADS, 1, 1, 0, s.stream, (void *[]){&memory}, NULL));
        GOOD(cuMemcpyDtoHAsync_v2(values[3], memory + 3 * sizeof values[0], sizeof values[3], s.stream));
        GOOD(cuModuleUnload(module));
        for (unsigned i = 0; i < N; i++) {
            uint64_t v[3];
            for (unsigned j = 0; j < 3; j++) v[j] = widths[j] ? cut(values[j][i], widths[j]) : 0;
            uint64_t expected = cut(r->expect(v[0], v[1], v[2]), r->d);
            CHECK(values[3][i] == expected, "%s of %" PRIx64 ", %" PRIx64 ", %" PRIx64 " is %" PRIx64 ", expected %" PRIx64,
                  r->text, v[0], v[1], v[2], values[3][i], expected);
        }
    }
    GOOD(cuMemFree_v2(memory));
    CLOSE();
}

/* ---- Kernels ---- */

/* One kernel `k` with the parameter `p`, the address of 4096 bytes. */
#define KERNEL(version, target, shared, body)                                                                       \
    HEAD(version, target) shared ".visible .entry k(.param .u64 p)\n{\n.reg .b64 %at, %x, %y, %z;\n.reg .pred %p, %q;\n"  \
    ".reg .b32 %r<40>;\n.reg .b16 %h<4>;\nld.param.u64 %at, [p];\nmov.u32 %r0, %tid.x;\n" body "\nret;\n}\n"
#define K75(body) KERNEL("6.5", "75", "", body)
#define K80(body) KERNEL("7.0", "80", "", body)
#define SHARED75(body) KERNEL("6.5", "75", ".shared .align 16 .b8 s[1024];\n", body)
#define SHARED80(body) KERNEL("7.0", "80", ".shared .align 16 .b8 s[1024];\n", body)
/* %x = address of the thread's own word in global memory, %y in shared memory. */
#define MINE "mul.wide.u32 %x, %r0, 4;\nmov.u64 %y, s;\nadd.u64 %y, %y, %x;\nadd.u64 %x, %x, %at;\n"

enum { ROOM = 4096 };

/* Runs it with one block of `threads`, the 4096 bytes being `in` before and `out` after. The CUresult of what failed. */
static int run_one(const char *capability, const char *text, unsigned threads, unsigned blocks, const void *in, void *out)
{
    setup     s;
    cu_handle module, function;
    uint64_t  memory;
    int       code;
    if (!open_with(&s, capability, 0)) return -1;
    code = cuModuleLoadDataEx(&module, text, 0, NULL, NULL);
    if (!code) {
        code = cuModuleGetFunction(&function, module, "k");
        if (!code) code = cuMemAlloc_v2(&memory, ROOM);
        if (!code && in) code = cuMemcpyHtoDAsync_v2(memory, in, ROOM, s.stream);
        if (!code) code = cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, 0, s.stream, (void *[]){&memory}, NULL);
        if (!code) code = cuStreamSynchronize(s.stream);
        if (!code && out) code = cuMemcpyDtoHAsync_v2(out, memory, ROOM, s.stream);
        cuMemFree_v2(memory);
        cuModuleUnload(module);
    }
    CLOSE();
    return code;
}
#define RUN_KERNEL(capability, text, threads, in, out)                                     \
    do {                                                                                   \
        int ran = run_one(capability, text, threads, 1, in, out);                          \
        CHECK(ran == 0, "%d: %s", ran, adead_softcuda_complaint());                        \
    } while (0)

/* Loops of different lengths, branches in branches, an indexed branch: the result of each thread is its own. */
static void divergent_code(void)
{
    static const char text[] = K75(
        "mul.wide.u32 %x, %r0, 4;\nadd.u64 %x, %x, %at;\nmov.u32 %r1, 0;\nmov.u32 %r2, %r0;\n"
        "L0:\nsetp.eq.u32 %p, %r2, 0;\n@%p bra L3;\nand.b32 %r3, %r2, 1;\nsetp.ne.u32 %q, %r3, 0;\n@%q bra L1;\n"
        "add.u32 %r1, %r1, 10;\nbra L2;\nL1:\nadd.u32 %r1, %r1, 1;\n@!%p bra.uni L2;\nL2:\nsub.u32 %r2, %r2, 1;\n"
        "bra.uni L0;\n"
        "L3:\nand.b32 %r4, %r0, 3;\nT: .branchtargets A, B, C, D;\nbrx.idx %r4, T;\n"
        "A:\nadd.u32 %r1, %r1, 1000;\nbra E;\nB:\nadd.u32 %r1, %r1, 2000;\nbra E;\nC:\nret;\nD:\nadd.u32 %r1, %r1, 4000;\n"
        "E:\nst.global.u32 [%x], %r1;\n");
    static uint32_t in[ROOM / 4], out[ROOM / 4];
    memset(in, 0xEE, sizeof in);
    RUN_KERNEL("75", text, 200, in, out);
    for (unsigned t = 0; t < 200; t++) {
        uint32_t expected = t / 2 * 10 + (t + 1) / 2 + (t % 4 == 0 ? 1000 : t % 4 == 1 ? 2000 : 4000);
        CHECK_EQ(out[t], t % 4 == 2 ? 0xEEEEEEEE : expected);
    }
}

/* Shared memory, static in a function, with 32-bit addresses and vectors; local memory; a called function; constants. */
static void memory_of_every_kind(void)
{
    static const char text[] =
        HEAD("6.5", "75") ".const .align 4 .u32 c[4] = {5, 6, 7, 8};\n.global .align 4 .b8 g[8] = {1, 2, 3, 4, 0xff, 6};\n"
        ".func (.param .b32 r) twice(.param .b32 a, .param .align 4 .b8 b[8])\n{\n.reg .b32 %r<4>;\nld.param.b32 %r0, [a];\n"
        "ld.param.b32 %r1, [b+4];\nadd.u32 %r2, %r0, %r0;\nsetp_not:\nadd.u32 %r2, %r2, %r1;\nst.param.b32 [r], %r2;\n"
        "ret;\n}\n"
        ".visible .entry k(.param .u64 p)\n{\n.local .align 8 .b8 depot[32];\n.shared .align 16 .b8 t[4096];\n"
        ".reg .b64 %at, %x, %l;\n.reg .b32 %r<20>;\n.reg .b16 %h;\n.reg .pred %p;\n"
        "ld.param.u64 %at, [p];\nmov.u32 %r0, %tid.x;\nmov.u32 %r1, t;\nshl.b32 %r2, %r0, 4;\nadd.u32 %r1, %r1, %r2;\n"
        "st.shared.v2.b32 [%r1], {%r0, 7};\nst.shared.b64 [%r1+8], %at;\nbar.sync 0;\n"
        "ld.shared.v4.b32 {%r3, %r4, _, %r5}, [%r1];\n"
        "mov.u64 %l, depot;\ncvta.local.u64 %l, %l;\nst.b32 [%l+4], %r3;\nst.local.b16 [depot+10], 0xfffe;\n"
        "ld.b32 %r6, [%l+4];\n"
        "ld.local.s16 %r7, [depot+10];\n"
        "{ .param .b32 q; .param .align 4 .b8 w[8]; .param .b32 v; st.param.b32 [q], %r6; st.param.b32 [w+4], %r4;\n"
        "call.uni (v), twice, (q, w); ld.param.b32 %r8, [v]; }\n"
        "and.b32 %r9, %r0, 3;\nshl.b32 %r9, %r9, 2;\nmov.u32 %r10, c;\nadd.u32 %r10, %r10, %r9;\n"
        "ld.const.u32 %r11, [%r10];\n"
        "ld.global.s8 %r12, [g+4];\nld.global.nc.u8 %h, [g+1];\ncvt.u32.u16 %r13, %h;\n"
        "add.u32 %r8, %r8, %r7;\nadd.u32 %r8, %r8, %r11;\nmad.lo.u32 %r8, %r12, 1000, %r8;\n"
        "mad.lo.u32 %r8, %r13, 10000, %r8;\n"
        "mul.wide.u32 %x, %r0, 4;\nadd.u64 %x, %x, %at;\n"
        "{ .reg .pred in; setp.lt.u32 in, %r0, 100; @in st.b32 [%x], %r8; }\nret;\n}\n";
    static uint32_t in[ROOM / 4], out[ROOM / 4];
    RUN_KERNEL("75", text, 128, in, out);
    for (unsigned t = 0; t < 128; t++)
        CHECK_EQ(out[t], t < 100 ? 2 * t + 7 - 2 + 5 + t % 4 - 1000 + 20000 : 0);
}

static void warps_vote_and_shuffle(void)
{
    static const char text[] = K75(
        "mul.wide.u32 %x, %r0, 32;\nadd.u64 %x, %x, %at;\nmul.lo.u32 %r1, %r0, 3;\n"
        "shfl.sync.down.b32 %r2, %r1, 1, 31, -1;\nst.global.u32 [%x], %r2;\n"
        "shfl.sync.bfly.b32 %r2|%p, %r1, 5, 31, -1;\nst.global.u32 [%x+4], %r2;\n"
        "shfl.sync.up.b32 %r2|%p, %r1, 2, 0, -1;\nselp.u32 %r3, 1, 0, %p;\nmad.lo.u32 %r2, %r3, 1000, %r2;\n"
        "st.global.u32 [%x+8], %r2;\n"
        "shfl.sync.idx.b32 %r2, %r1, 9, 0x181f, -1;\nst.global.u32 [%x+12], %r2;\n"
        "setp.gt.u32 %p, %r0, 20;\nvote.sync.ballot.b32 %r2, %p, -1;\nst.global.u32 [%x+16], %r2;\n"
        "vote.sync.any.pred %q, %p, -1;\nselp.u32 %r2, 1, 0, %q;\nvote.sync.all.pred %q, !%p, -1;\nselp.u32 %r3, 2, 0, %q;\n"
        "or.b32 %r2, %r2, %r3;\nst.global.u32 [%x+20], %r2;\nactivemask.b32 %r2;\n@%p activemask.b32 %r2;\n"
        "st.global.u32 [%x+24], %r2;\n"
        "mov.u32 %r2, %lanemask_lt;\nst.global.u32 [%x+28], %r2;\n");
    static uint32_t in[ROOM / 4], out[ROOM / 4];
    RUN_KERNEL("75", text, 32, in, out);
    for (unsigned t = 0; t < 32; t++) {
        const uint32_t *o = &out[8 * t];
        CHECK_EQ(o[0], 3 * (t < 31 ? t + 1 : t));
        CHECK_EQ(o[1], 3 * (t ^ 5));
        CHECK_EQ(o[2], t >= 2 ? 1000 + 3 * (t - 2) : 3 * t);
        CHECK_EQ(o[3], 3 * (t / 8 * 8 + 1)); /* groups of 8 */
        CHECK_EQ(o[4], 0xFFE00000);
        CHECK_EQ(o[5], 1);
        CHECK_EQ(o[6], t > 20 ? 0xFFE00000 : 0xFFFFFFFF);
        CHECK_EQ(o[7], (1u << t) - 1);
    }
}

/* The matrices of mma: 64 bytes a thread are A, B and C, what comes out goes where C was. */
#define MATRICES "shl.b32 %r1, %r0, 6;\ncvt.u64.u32 %x, %r1;\nadd.u64 %x, %x, %at;\n" \
                 "ld.global.v4.b32 {%r2, %r3, %r4, %r5}, [%x];\n" \
                 "ld.global.v2.b32 {%r6, %r7}, [%x+16];\nld.global.v4.b32 {%r8, %r9, %r10, %r11}, [%x+32];\n"
#define SUMS     "st.global.v4.b32 [%x+32], {%r8, %r9, %r10, %r11};"
#define FOUR     "{%r8, %r9, %r10, %r11}"
static void matrices_of_bytes(void)
{
    static const struct { const char *text, *capability; unsigned m, k; bool a_signed, b_signed; } shapes[] = {
        {K75(MATRICES "mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%r8, %r9}, {%r2}, {%r6}, {%r8, %r9};\n" SUMS), "75",
         8, 16, true, true},
        {K80(MATRICES "mma.sync.aligned.m16n8k16.row.col.s32.u8.s8.s32 " FOUR ", {%r2, %r3}, {%r6}, " FOUR ";\n" SUMS), "80",
         16, 16, false, true},
        {K80(MATRICES "mma.sync.aligned.m16n8k32.row.col.s32.s8.u8.s32 " FOUR ", {%r2, %r3, %r4, %r5}, {%r6, %r7}, "
             FOUR ";\n" SUMS), "80", 16, 32, true, false},
    };
    static uint8_t in[ROOM], out[ROOM];
    uint64_t       seed = 3;
    for (unsigned n = 0; n < 3; n++) {
        for (unsigned i = 0; i < ROOM; i++) in[i] = (uint8_t)test_random(&seed);
        RUN_KERNEL(shapes[n].capability, shapes[n].text, 32, in, out);
        unsigned m = shapes[n].m, k = shapes[n].k;
        for (unsigned i = 0; i < m; i++)
            for (unsigned j = 0; j < 8; j++) {
                /* where the manual puts element (i, j) of C, (i, l) of A and (l, j) of B */
                unsigned c_lane = i % 8 * 4 + j / 2, c_at = j % 2 + (i / 8) * 2;
                uint32_t sum, got;
                memcpy(&sum, &in[64 * c_lane + 32 + 4 * c_at], 4);
                memcpy(&got, &out[64 * c_lane + 32 + 4 * c_at], 4);
                for (unsigned l = 0; l < k; l++) {
                    unsigned a_lane = i % 8 * 4 + l % 16 / 4, a_at = l % 4 + 4 * (i / 8) + (m == 16 ? 8 : 4) * (l / 16);
                    unsigned b_lane = j * 4 + l % 16 / 4, b_at = l % 4 + 4 * (l / 16);
                    uint8_t  a = in[64 * a_lane + a_at], b = in[64 * b_lane + 16 + b_at];
                    sum += (uint32_t)((shapes[n].a_signed ? (int8_t)a : a) * (shapes[n].b_signed ? (int8_t)b : b));
                }
                CHECK(got == sum, "shape %u, element %u, %u", n, i, j);
            }
    }
}

static void matrices_out_of_shared_memory(void)
{
    static const char text[] = SHARED75(
        "shl.b32 %r1, %r0, 4;\nmov.u32 %r2, s;\nadd.u32 %r2, %r2, %r1;\ncvt.u64.u32 %x, %r1;\nadd.u64 %x, %x, %at;\n"
        "ld.global.v4.b32 {%r4, %r5, %r6, %r7}, [%x];\nst.shared.v4.b32 [%r2], {%r4, %r5, %r6, %r7};\nbar.sync 0;\n"
        "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r4, %r5, %r6, %r7}, [%r2];\n"
        "st.global.v4.b32 [%x+512], {%r4, %r5, %r6, %r7};\n"
        "ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%r4, %r5}, [%r2];\nst.global.v2.b32 [%x+1024], {%r4, %r5};\n"
        "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r4}, [%r2];\nst.global.b32 [%x+1536], %r4;\n");
    static uint16_t in[ROOM / 2], out[ROOM / 2];
    for (unsigned i = 0; i < ROOM / 2; i++) in[i] = (uint16_t)(i * 7);
    RUN_KERNEL("75", text, 32, in, out);
    for (unsigned t = 0; t < 32; t++)
        for (unsigned half = 0; half < 2; half++) {
            unsigned r = t / 4, c = t % 4 * 2 + half;
            for (unsigned j = 0; j < 4; j++) CHECK_EQ(out[256 + 8 * t + 2 * j + half], in[64 * j + 8 * r + c]);
            for (unsigned j = 0; j < 2; j++) CHECK_EQ(out[512 + 8 * t + 2 * j + half], in[64 * j + 8 * c + r]);
            CHECK_EQ(out[768 + 8 * t + half], in[8 * r + c]);
        }
}

static void atomics_of_integers(void)
{
    static const char text[] = SHARED75(
        "mov.u64 %y, s;\nsetp.eq.u32 %p, %r0, 0;\n@%p st.shared.u32 [%y], 0;\nbar.sync 0;\n"
        "atom.shared.add.u32 %r1, [%y], 1;\n"
        "bar.sync 0;\nld.shared.u32 %r2, [%y];\n@%p st.global.u32 [%at+4], %r2;\nred.global.add.u32 [%at], %r0;\n"
        "red.global.max.s32 [%at+8], %r0;\natom.global.min.u32 %r3, [%at+12], %r0;\nred.global.xor.b32 [%at+16], %r0;\n"
        "atom.global.cas.b32 %r3, [%at+20], 77, 78;\natom.global.exch.b64 %z, [%at+24], %at;\n"
        "red.global.inc.u32 [%at+32], 9;\n");
    static uint32_t in[ROOM / 4], out[ROOM / 4];
    in[2] = 0x80000000u, in[3] = UINT32_MAX, in[5] = 77;
    int ran = run_one("75", text, 100, 4, in, out);
    CHECK(ran == 0, "%d: %s", ran, adead_softcuda_complaint());
    CHECK_EQ(out[0], 4 * 4950);
    CHECK_EQ(out[1], 100);
    CHECK_EQ(out[2], 99);
    CHECK_EQ(out[3], 0);
    CHECK_EQ(out[4], 0);
    CHECK_EQ(out[5], 78);
    CHECK_EQ(out[8], 400 % 10);
}

/* cp.async in two groups, one of them shorter than its place: the rest is zeros. */
static void copies_in_flight(void)
{
    static const char text[] = SHARED80(
        "shl.b32 %r1, %r0, 4;\nmov.u32 %r2, s;\nadd.u32 %r2, %r2, %r1;\ncvt.u64.u32 %x, %r1;\nadd.u64 %x, %x, %at;\n"
        "cp.async.cg.shared.global [%r2], [%x], 16;\ncp.async.commit_group;\n"
        "cp.async.ca.shared.global [%r2+512], [%x+512], 8, 3;\ncp.async.commit_group;\n"
        "cp.async.wait_group 1;\nbar.sync 0;\nxor.b32 %r3, %r2, 16;\nld.shared.v4.b32 {%r4, %r5, %r6, %r7}, [%r3];\n"
        "st.global.v4.b32 [%x+1024], {%r4, %r5, %r6, %r7};\n"
        "cp.async.wait_all;\nbar.sync 0;\nld.shared.v2.b32 {%r4, %r5}, [%r2+512];\n"
        "st.global.v2.b32 [%x+1536], {%r4, %r5};\n");
    static uint32_t in[ROOM / 4], out[ROOM / 4];
    for (unsigned i = 0; i < ROOM / 4; i++) in[i] = 0x01010101u * (i + 1);
    RUN_KERNEL("80", text, 32, in, out);
    for (unsigned t = 0; t < 32; t++) {
        for (unsigned j = 0; j < 4; j++) CHECK_EQ(out[256 + 4 * t + j], in[4 * (t ^ 1) + j]);
        CHECK_EQ(out[384 + 4 * t], in[128 + 4 * t] & 0xFFFFFF);
        CHECK_EQ(out[384 + 4 * t + 1], 0);
    }
}

/* ---- What the driver must refuse or find ---- */

/* A kernel, the result it must have, and what must be said. With 0 it must run. */
static const struct { const char *what, *capability, *text; unsigned threads; int code; const char *said;
} wrongs[] = {
    {"outside", "75", K75("ld.global.u32 %r1, [%at+4096];"), 1, 700, "PTX line 12, block (0,0,0), thread (0,0,0)"},
    {"before", "75", K75("ld.global.u32 %r1, [%at+-4];"), 1, 700, "outside"},
    {"across the end", "75",
     K75("add.u64 %x, %at, 4094;\nst.global.u16 [%x], 1;\n"
         "st.global.u32 [%at+4096], 1;"),
     1, 700, "4096 bytes"},
    {"a pointer of the host", "75", K75("mov.u64 %x, 0x7fffdeadbeef;\nst.global.u8 [%x], 1;"), 1, 700, "in no allocation"},
    {"the null pointer", "75", K75("mov.u64 %x, 0;\nld.u8 %r1, [%x];"), 1, 700, "in no allocation"},
    {"misaligned", "75", K75("ld.global.u32 %r1, [%at+2];"), 1, 716, "misaligned"},
    {"misaligned vector", "75", K75("ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%at+8];"), 1, 716, "misaligned"},
    {"not written", "75", K75("st.global.u32 [%at], 1;\nld.global.u64 %x, [%at];"), 1, 700, "nobody wrote"},
    {"one thread of many", "75",
     K75("setp.eq.u32 %p, %r0, 37;\n"
         "@%p st.global.u32 [%at+8192], 1;"),
     64, 700, "thread (37,0,0)"},
    {"shared outside", "75", SHARED75("mov.u32 %r1, s;\nst.shared.u32 [%r1+1024], 1;"), 1, 700, "the block has 1024 bytes"},
    {"shared misaligned", "75", SHARED75("mov.u32 %r1, s;\nst.shared.u64 [%r1+4], 1;"), 1, 716, "misaligned"},
    {"shared not written", "75",
     SHARED75("mov.u32 %r1, s;\nst.shared.u16 [%r1], 1;\n"
              "ld.shared.u32 %r2, [%r1];"),
     1, 719, "nobody wrote"},
    {"write after write", "75", SHARED75("st.shared.u32 [s], %r0;"), 2, 719, "thread 0 wrote"},
    {"read after write", "75",
     SHARED75(MINE "st.shared.u32 [%y], 1;\nsetp.gt.u32 %p, %r0, 31;\n"
                   "@%p ld.shared.u32 %r2, [s];"),
     64, 719, "thread 0 wrote"},
    {"the same with a barrier", "75",
     SHARED75(MINE "st.shared.u32 [%y], 1;\nbar.sync 0;\nxor.b32 %r1, %r0, 32;\n"
                   "mul.wide.u32 %x, %r1, 4;\nmov.u64 %y, s;\nadd.u64 %y, %y, %x;\nld.shared.u32 %r2, [%y];"),
     64, 0, NULL},
    {"write after read", "75",
     SHARED75(MINE "st.shared.u32 [%y], 1;\nbar.sync 0;\nld.shared.u32 %r1, [s];\n"
                   "st.shared.u32 [%y], 2;"),
     64, 719, "read since the last barrier"},
    {"a warp without bar.warp.sync", "75",
     SHARED75(MINE "st.shared.u32 [%y], 1;\nxor.b32 %r1, %r0, 1;\n"
                   "mul.wide.u32 %x, %r1, 4;\n"
                   "mov.u64 %y, s;\nadd.u64 %y, %y, %x;\nld.shared.u32 %r2, [%y];"),
     32, 719, "a race"},
    {"a warp with it", "75",
     SHARED75(MINE "st.shared.u32 [%y], 1;\nbar.warp.sync -1;\nxor.b32 %r1, %r0, 1;\n"
                   "mul.wide.u32 %x, %r1, 4;\n"
                   "mov.u64 %y, s;\nadd.u64 %y, %y, %x;\nld.shared.u32 %r2, [%y];\nbar.warp.sync -1;\n"
                   "st.shared.u32 [%y], 3;"),
     32, 0, NULL},
    {"two warps with it", "75",
     SHARED75(MINE "st.shared.u32 [%y], 1;\nbar.warp.sync -1;\nsetp.gt.u32 %p, %r0, 31;\n"
                   "@%p ld.shared.u32 %r2, [s];"),
     64, 719, "a race"},
    {"bytes of one word are each its own", "75",
     SHARED75("cvt.u64.u32 %x, %r0;\nmov.u64 %y, s;\nadd.u64 %y, %y, %x;\n"
              "st.shared.u8 [%y], %r0;\nld.shared.u8 %r1, [%y];\nbar.sync 0;\nld.shared.u32 %r2, [s+4];"),
     64, 0, NULL},
    {"a race of bytes", "75",
     SHARED75("cvt.u64.u32 %x, %r0;\nmov.u64 %y, s;\nadd.u64 %y, %y, %x;\nst.shared.u8 [%y], %r0;\n"
              "ld.shared.u8 %r1, [s+1];"),
     64, 719, "a race"},
    {"a barrier for some", "75", K75("setp.lt.u32 %p, %r0, 5;\n@%p bar.sync 0;"), 32, 720, "ended"},
    {"a barrier in a branch", "75",
     K75("setp.lt.u32 %p, %r0, 5;\n@%p bra L;\nbar.sync 0;\nbra M;\nL:\nbar.sync 0;\n"
         "M:"),
     32, 720, "divergent"},
    {"warps at two barriers", "75",
     K75("setp.lt.u32 %p, %r0, 32;\n@%p bra L;\nbar.sync 0;\nbra M;\nL:\nbar.sync 0;\n"
         "M:"),
     64, 720, "while"},
    {"a barrier others never reach", "75", K75("setp.lt.u32 %p, %r0, 32;\n@%p ret;\nbar.sync 0;"), 64, 720, "ended"},
    {"a barrier whose branch comes back", "75",
     K75("setp.lt.u32 %p, %r0, 5;\n@%p bra L;\nK:\nbar.sync 0;\nret;\nL:\n"
         "add.u32 %r1, %r0, 1;\n"
         "bra K;"),
     64, 0, NULL},
    {"a shuffle of half a warp", "75",
     K75("setp.lt.u32 %p, %r0, 16;\n"
         "@%p shfl.sync.idx.b32 %r1, %r0, 0, 31, -1;"),
     32, 719, "divergent"},
    {"division by zero", "75", K75("mov.u32 %r1, 0;\ndiv.u32 %r2, %r0, %r1;"), 1, 719, "divides by zero"},
    {"the least by -1", "75", K75("mov.s32 %r1, -1;\ndiv.s32 %r2, -2147483648, %r1;"), 1, 719, "divides"},
    {"the parameters' end", "75", K75("mov.u64 %x, p;\nld.param.u32 %r1, [%x+8];"), 1, 700, "parameters"},
    {"local not written", "75", K75("{ .local .align 4 .b8 l[8]; ld.local.u32 %r1, [l]; }"), 1, 719, "never written"},
    {"an index too large", "75",
     K75("T: .branchtargets A, A;\nmov.u32 %r1, 2;\nbrx.idx %r1, T;\n"
         "A:"),
     1, 718, "index 2 of 2"},
    {"a trap", "75", K75("trap;"), 1, 719, "trap"},
    {"a copy nobody waited for", "80",
     SHARED80("cp.async.ca.shared.global [s], [%at], 4;\ncp.async.commit_group;\n"
              "ld.shared.u32 %r1, [s];"),
     1, 719, "cp.async that nobody waited for"},
    {"a copy without commit", "80",
     SHARED80("cp.async.ca.shared.global [s], [%at], 4;\ncp.async.wait_group 0;\n"
              "ld.shared.u32 %r1, [s];"),
     1, 719, "cp.async that nobody waited for"},
    {"a copy others do not see yet", "80",
     SHARED80(MINE "cvt.u32.u64 %r3, %y;\n"
                   "cp.async.ca.shared.global [%r3], [%x], 4;\ncp.async.wait_all;\n"
                   "xor.b32 %r3, %r3, 4;\nld.shared.u32 %r1, [%r3];"),
     32, 719, "a race"},
    {"a copy left in flight", "80",
     SHARED80("cp.async.ca.shared.global [s], [%at], 4;\n"
              "cp.async.commit_group;"),
     1, 719, "ends with"},
    {"a copy into what is read", "80",
     SHARED80(MINE "st.shared.u32 [%y], 1;\nbar.sync 0;\nld.shared.u32 %r2, [s];\n"
                   "cvt.u32.u64 %r3, %y;\n"
                   "cp.async.ca.shared.global [%r3], [%x], 4;\ncp.async.wait_all;"),
     32, 719, "read since the last barrier"},
    {"mma of less than a warp", "75",
     K75("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%r1, %r2}, {%r3}, {%r4}, {%r1, %r2};"), 31, 719, "all 32 threads"},
    {"an endless loop that ends", "75",
     K75("mov.u32 %r1, 0;\nL:\nadd.u32 %r1, %r1, 1;\nsetp.lt.u32 %p, %r1, 1000;\n"
         "@%p bra L;"),
     32, 0, NULL},
    /* texts that are refused */
    {"no rounding said", "75", K75("add.f32 %r1, %r2, %r3;"), 1, 218, "PTX line 12"},
    {"mul without .rn", "75", K75("mul.f32 %r1, %r2, %r3;"), 1, 218, ".rn"},
    {"flush to zero", "75", K75("add.rn.ftz.f32 %r1, %r2, %r3;"), 1, 218, "'ftz'"},
    {"ftz without rounding", "75", K75("abs.ftz.f32 %r1, %r2;"), 1, 218, "ftz"},
    {"other rounding", "75", K75("fma.rz.f32 %r1, %r2, %r3, %r4;"), 1, 218, "fma"},
    {"approximate division", "75", K75("div.approx.f32 %r1, %r2, %r3;"), 1, 218, "div"},
    {"full-range division", "75", K75("div.full.f32 %r1, %r2, %r3;"), 1, 218, "div"},
    {"approximate root", "75", K75("sqrt.approx.f32 %r1, %r2;"), 1, 218, "sqrt"},
    {"ex2", "75", K75("ex2.approx.f32 %r1, %r2;"), 1, 218, "ex2"},
    {"saturated sum", "75", K75("add.rn.sat.f32 %r1, %r2, %r3;"), 1, 218, "sat"},
    {"conversion without rounding", "75", K75("cvt.f32.s32 %r1, %r2;"), 1, 218, "cvt"},
    {"a conversion that truncates", "75", K75("cvt.rz.f32.f64 %r1, %x;"), 1, 218, "cvt"},
    {"float atomics", "75", K75("red.global.add.f32 [%at], %r1;"), 1, 218, "no fixed order"},
    {"a register of another width", "75", K75("add.u32 %r1, %x, %r2;"), 1, 218, "64 bits"},
    {"an unknown register", "75", K75("add.u32 %r1, %r2, %r99;"), 1, 218, "%r99"},
    {"a label that is nowhere", "75", K75("bra L;"), 1, 218, "nowhere"},
    {"a label twice", "75", K75("L:\nL:"), 1, 218, "twice"},
    {"an unknown instruction", "75", K75("frobnicate.u32 %r1, %r2;"), 1, 218, "frobnicate"},
    {"a float constant of few digits", "75", K75("mov.f32 %r1, 0f3F80;"), 1, 218, "digits"},
    {"cp.async below sm_80", "75", SHARED75("cp.async.ca.shared.global [s], [%at], 4;"), 1, 218, "needs .version 7.0"},
    {"mma of sm_80", "75",
     K75("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%r8, %r9, %r10, %r11}, {%r2, %r3, %r4, %r5}, {%r6, %r7},\n"
         "{%r8, %r9, %r10, %r11};"),
     1, 218, "needs"},
    {"ldmatrix below PTX 6.5", "75",
     KERNEL("6.3", "75", ".shared .align 16 .b8 s[1024];\n", "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r4}, [s];"), 1, 218,
     "needs .version 6.5"},
    {"a text for a newer device", "75", K80(""), 1, 209, "made for sm_80"},
    {"a text for a newer driver", "75", KERNEL("9.9", "75", "", ""), 1, 222, "newer than this driver"},
    {"recursion", "75",
     HEAD("6.5", "75") ".func f()\n{\ncall.uni f;\nret;\n}\n.visible .entry k()\n{\ncall.uni f;\n"
                       "ret;\n}\n",
     1, 218, "calls itself"},
    {"too many threads for .maxntid", "75",
     HEAD("6.5", "75") ".visible .entry k(.param .u64 p) .maxntid 32, 1, 1\n{\n"
                       "ret;\n}\n",
     33, 1, ""},
    {"other than .reqntid", "75", HEAD("6.5", "75") ".visible .entry k(.param .u64 p) .reqntid 32, 1, 1\n{\nret;\n}\n", 16,
     1, ""},
    {"too much static shared memory", "75",
     HEAD("6.5", "75") ".shared .b8 s[50000];\n.visible .entry k(.param .u64 p)\n{\n"
                       ".reg .b32 %r;\nmov.u32 %r, s;\nret;\n}\n",
     1, 218, "50000"},
};

static void what_is_wrong_is_found(void)
{
    static uint32_t in[ROOM / 4];
    for (unsigned n = 0; n < sizeof wrongs / sizeof wrongs[0]; n++) {
        bool unwritten = strstr(wrongs[n].what, "not written") != NULL;
        int  code = run_one(wrongs[n].capability, wrongs[n].text, wrongs[n].threads, 1, unwritten ? NULL : in, NULL);
        CHECK(code == wrongs[n].code, "%s: %d, expected %d (%s)", wrongs[n].what, code, wrongs[n].code,
             adead_softcuda_complaint());
        CHECK(!wrongs[n].said || strstr(adead_softcuda_complaint(), wrongs[n].said), "%s: says %s", wrongs[n].what,
              adead_softcuda_complaint());
    }
}

/* With ADEAD_SOFTCUDA_RACES=2: between blocks, and between threads of a block without a barrier. */
static void races_in_global_memory(void)
{
    static const struct { const char *what, *text; unsigned threads, blocks; int code; const char *said; } cases[] = {
        {"each its own word", K75("mov.u32 %r1, %ctaid.x;\nmad.lo.u32 %r2, %r1, 64, %r0;\nmul.wide.u32 %x, %r2, 4;\n"
         "add.u64 %x, %x, %at;\n"
         "ld.global.u32 %r3, [%x];\nst.global.u32 [%x], %r3;\nld.global.u32 %r4, [%x];"), 64, 3, 0, NULL},
        {"each its own byte", K75("cvt.u64.u32 %x, %r0;\nadd.u64 %x, %x, %at;\nst.global.u8 [%x], 1;"), 64, 1, 0, NULL},
        {"all read", K75("ld.global.u64 %x, [%at];"), 64, 3, 0, NULL},
        {"all write", K75("st.global.u32 [%at], %r0;"), 2, 1, 719, "another thread of the block writes"},
        {"blocks write", K75("st.global.u32 [%at], %r0;"), 1, 2, 719, "another block writes"},
        {"a block reads what another writes", K75("mov.u32 %r1, %ctaid.x;\nsetp.eq.u32 %p, %r1, 0;\n"
         "@%p st.global.u32 [%at], %r0;\n"
         "@!%p ld.global.u8 %r2, [%at+3];"), 1, 2, 719, "another block writes"},
        {"a block writes what others read", K75("mov.u32 %r1, %ctaid.x;\nsetp.eq.u32 %p, %r1, 2;\n"
         "@!%p ld.global.u32 %r2, [%at];\n"
         "@%p st.global.u32 [%at], %r0;"), 1, 3, 719, "another block reads"},
        {"through a barrier", K75("mul.wide.u32 %x, %r0, 4;\nadd.u64 %y, %x, %at;\nst.global.u32 [%y], %r0;\nbar.sync 0;\n"
         "xor.b32 %r1, %r0, 1;\nmul.wide.u32 %x, %r1, 4;\nadd.u64 %z, %x, %at;\nld.global.u32 %r2, [%z];\nbar.sync 0;\n"
         "st.global.u32 [%y], %r2;"), 64, 1, 0, NULL},
        {"without it", K75("mul.wide.u32 %x, %r0, 4;\nadd.u64 %y, %x, %at;\nst.global.u32 [%y], %r0;\nxor.b32 %r1, %r0, 1;\n"
         "mul.wide.u32 %x, %r1, 4;\nadd.u64 %z, %x, %at;\n"
         "ld.global.u32 %r2, [%z];"), 64, 1, 719, "another thread of the block writes"},
        {"atomically", K75("red.global.add.u32 [%at], 1;"), 64, 3, 0, NULL},
    };
    static uint32_t in[ROOM / 4];
    setenv("ADEAD_SOFTCUDA_RACES", "2", 1);
    for (unsigned n = 0; n < sizeof cases / sizeof cases[0]; n++) {
        int code = run_one("75", cases[n].text, cases[n].threads, cases[n].blocks, in, NULL);
        CHECK(code == cases[n].code, "%s: %d (%s)", cases[n].what, code, adead_softcuda_complaint());
        CHECK(!cases[n].said || strstr(adead_softcuda_complaint(), cases[n].said), "%s: says %s", cases[n].what,
              adead_softcuda_complaint());
    }
    unsetenv("ADEAD_SOFTCUDA_RACES");
}

/* Blocks run the other way round where that is asked for: nothing may depend on their order. */
static void order_of_blocks(void)
{
    static const char text[] = K75("mov.u32 %r1, %ctaid.x;\nst.global.u32 [%at], %r1;\n");
    static uint32_t   in[ROOM / 4], out[ROOM / 4];
    setenv("ADEAD_SOFTCUDA_WORKERS", "1", 1);
    for (unsigned reversed = 0; reversed < 2; reversed++) {
        setenv("ADEAD_SOFTCUDA_ORDER", reversed ? "reversed" : "", 1);
        int code = run_one("75", text, 1, 5, in, out);
        CHECK(code == 0, "%d: %s", code, adead_softcuda_complaint());
        CHECK_EQ(out[0], reversed ? 0 : 4);
    }
    unsetenv("ADEAD_SOFTCUDA_ORDER");
    unsetenv("ADEAD_SOFTCUDA_WORKERS");
}

/* Texts cut short, with bytes changed or parts moved, must be refused or taken, and nothing else. */
static void hostile_texts(void)
{
    static char text[16384];
    uint64_t    seed = 7;
    OPEN("80");
    for (unsigned n = 0; n < 6000; n++) {
        const char *from = wrongs[test_random(&seed) % (sizeof wrongs / sizeof wrongs[0])].text;
        size_t      size = strlen(from);
        memcpy(text, from, size + 1);
        for (unsigned changes = 1 + test_random(&seed) % 3; changes--;) {
            uint64_t r = test_random(&seed);
            size_t   head = r >> 56 ? 80 : 0; /* mostly behind what every text begins with */
            size_t   at = head + (r >> 8) % (size - head), other = head + (r >> 24) % (size - head);
            size_t   length = 1 + (r >> 40) % 24;
            switch (r % 5) {
            case 0: text[at] = (char)(1 + (r >> 32) % 255); break;
            case 1: text[at] = "{}()[];,.@%<>+-0123456789 \n"[(r >> 32) % 27]; break;
            case 2: text[at] = 0; break;
            default:
                if (at + length <= size && other + length <= size) memmove(text + other, text + at, length);
            }
        }
        cu_handle module = 0;
        int       code = cuModuleLoadDataEx(&module, text, 0, NULL, NULL);
        CHECK(code == 0 || code == 218 || code == 209 || code == 222 || code == 2, "%d", code);
        if (!code) GOOD(cuModuleUnload(module));
    }
    CLOSE();
}

/* ---- The calls ---- */

/* p[0] = 1000000 * b + a, with two parameters in a struct. */
static const char struct_kernel[] =
    HEAD("6.3", "75") ".visible .entry add(.param .align 8 .b8 args[16])\n{\n.reg .b64 %a;\n.reg .b32 %r<4>;\n"
     "ld.param.u64 %a, [args];\n"
    "ld.param.u32 %r1, [args+8];\nld.global.u32 %r2, [%a];\nadd.u32 %r1, %r1, %r2;\nst.global.u32 [%a], %r1;\nret;\n}\n";
typedef struct add_args { uint64_t address; uint32_t more, unused; } add_args;

static void work_is_done_when_waited_for(void)
{
    OPEN("75");
    cu_handle module, function, other, event;
    uint64_t  memory;
    uint32_t *pinned, plain;
    GOOD(cuModuleLoadDataEx(&module, struct_kernel, 0, NULL, NULL));
    GOOD(cuModuleGetFunction(&function, module, "add"));
    GOOD(cuStreamCreate(&other, 1));
    GOOD(cuEventCreate(&event, 0));
    GOOD(cuMemAlloc_v2(&memory, 64));
    GOOD(cuMemHostAlloc((void **)&pinned, 64, 0));
    add_args args = {.address = memory, .more = 5};
    /* read when the copy is done, not when it is asked for; written when it is waited for */
    pinned[0] = 1;
    GOOD(cuMemcpyHtoDAsync_v2(memory, pinned, 4, s.stream));
    pinned[0] = 100;
    GOOD(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, s.stream, (void *[]){&args}, NULL));
    args.more = 1000; /* parameters are read at once */
    GOOD(cuMemcpyDtoHAsync_v2(pinned + 1, memory, 4, s.stream));
    CHECK_EQ(pinned[1], 0xA5A5A5A5);
    CHECK_EQ(cuStreamQuery(s.stream), 600);
    CHECK_EQ(pinned[1], 0xA5A5A5A5);
    GOOD(cuStreamQuery(s.stream));
    CHECK_EQ(pinned[1], 105);
    /* a stream waits for another one's event; without, it goes first */
    GOOD(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, s.stream, (void *[]){&args}, NULL));
    GOOD(cuEventRecord(event, s.stream));
    GOOD(cuMemcpyDtoHAsync_v2(pinned + 2, memory, 4, other));
    GOOD(cuStreamWaitEvent(other, event, 0));
    GOOD(cuMemcpyDtoHAsync_v2(pinned + 3, memory, 4, other));
    GOOD(cuStreamSynchronize(other));
    CHECK_EQ(pinned[2], 105);
    CHECK_EQ(pinned[3], 1105);
    CHECK_EQ(cuEventQuery(event), 0);
    /* pageable memory: from it at once, into it synchronously */
    plain = 7;
    GOOD(cuMemcpyHtoDAsync_v2(memory, &plain, 4, s.stream));
    plain = 8;
    GOOD(cuMemcpyDtoHAsync_v2(&plain, memory, 4, s.stream));
    CHECK_EQ(plain, 7);
    GOOD(cuMemsetD32Async(memory, 0x01020304, 16, s.stream));
    GOOD(cuMemsetD8Async(memory + 1, 9, 2, s.stream));
    GOOD(cuMemcpyDtoDAsync_v2(memory + 32, memory, 32, s.stream));
    GOOD(cuMemcpyDtoHAsync_v2(&plain, memory + 32, 4, s.stream));
    CHECK_EQ(plain, 0x01090904);
    CHECK_EQ(cuMemcpyDtoDAsync_v2(memory + 8, memory, 32, s.stream), 1); /* they overlap */
    CHECK_EQ(cuMemcpyHtoDAsync_v2(memory + 60, &plain, 8, s.stream), 1);
    CHECK_EQ(cuMemcpyDtoHAsync_v2(&plain, memory + 64, 1, s.stream), 1);
    /* page-locked memory given back while a copy needs it */
    GOOD(cuMemcpyDtoHAsync_v2(pinned, memory, 4, s.stream));
    CHECK_EQ(cuMemFreeHost(pinned), 1);
    GOOD(cuStreamSynchronize(s.stream));
    GOOD(cuMemFreeHost(pinned));
    GOOD(cuMemFree_v2(memory));
    CHECK_EQ(cuMemFree_v2(memory), 1);
    GOOD(cuEventDestroy_v2(event));
    CHECK_EQ(cuEventQuery(event), 400);
    GOOD(cuStreamDestroy_v2(other));
    CHECK_EQ(cuStreamSynchronize(other), 400);
    CHECK_EQ(cuStreamSynchronize(event), 400);
    GOOD(cuModuleUnload(module));
    CHECK_EQ(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, s.stream, (void *[]){&args}, NULL), 400);
    CLOSE();
}

static void events_measure_time(void)
{
    OPEN("75");
    cu_handle first, second;
    float     ms;
    GOOD(cuEventCreate(&first, 0));
    GOOD(cuEventCreate(&second, 0));
    GOOD(cuEventRecord(first, s.stream));
    GOOD(cuEventRecord(second, s.stream));
    CHECK_EQ(cuEventElapsedTime(&ms, first, second), 600);
    CHECK_EQ(cuEventQuery(second), 600);
    GOOD(cuEventSynchronize(second));
    GOOD(cuEventElapsedTime(&ms, first, second));
    CHECK(ms >= 0);
    GOOD(cuEventDestroy_v2(first));
    GOOD(cuEventDestroy_v2(second));
    CLOSE();
}

static void parameters_and_limits_of_a_launch(void)
{
    OPEN("75");
    cu_handle module, function;
    uint64_t  memory;
    int       value;
    GOOD(cuModuleLoadDataEx(&module, struct_kernel, 0, NULL, NULL));
    GOOD(cuModuleGetFunction(&function, module, "add"));
    CHECK_EQ(cuModuleGetFunction(&function, module, "nothing"), 500);
    GOOD(cuMemAlloc_v2(&memory, 4));
    add_args args = {.address = memory, .more = 1};
    size_t   size = sizeof args;
    void    *extra[] = {(void *)1, &args, (void *)2, &size, NULL};
    GOOD(cuMemsetD32Async(memory, 0, 1, s.stream));
    GOOD(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, s.stream, NULL, extra));
    size = 12;
    CHECK_EQ(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, s.stream, NULL, extra), 1);
    CHECK(strstr(adead_softcuda_complaint(), "takes 16 bytes of parameters, was given 12"));
    size = 16;
    static const unsigned limits[][6] = {{0, 1, 1, 1, 1, 1}, {1, 65536, 1, 1, 1, 1}, {1, 1, 65536, 1, 1, 1}, {1, 1, 1, 1025,
         1, 1},
                                         {1, 1, 1, 1, 1, 65}, {1, 1, 1, 64, 32, 1}, {1, 1, 1, 1, 0, 1}};
    for (unsigned i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        const unsigned *l = limits[i];
        CHECK_EQ(cuLaunchKernel(function, l[0], l[1], l[2], l[3], l[4], l[5], 0, s.stream, NULL, extra), 1);
    }
    CHECK_EQ(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 49153, s.stream, NULL, extra), 1);
    CHECK_EQ(cuFuncSetAttribute(function, 8, 65537), 1);
    GOOD(cuFuncSetAttribute(function, 8, 65536));
    GOOD(cuFuncGetAttribute(&value, 8, function));
    CHECK_EQ(value, 65536);
    GOOD(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 65536, s.stream, NULL, extra));
    GOOD(cuStreamSynchronize(s.stream));
    GOOD(cuMemFree_v2(memory));
    GOOD(cuModuleUnload(module));
    CLOSE();
}

static void a_broken_context_stays_broken(void)
{
    OPEN("75");
    static const char text[] = K75("trap;");
    cu_handle         module, function;
    uint64_t          memory;
    GOOD(cuMemAlloc_v2(&memory, 16));
    GOOD(cuModuleLoadDataEx(&module, text, 0, NULL, NULL));
    GOOD(cuModuleGetFunction(&function, module, "k"));
    GOOD(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, s.stream, (void *[]){&memory}, NULL));
    GOOD(cuMemsetD8Async(memory, 0, 16, s.stream)); /* nobody knows yet */
    CHECK_EQ(cuStreamSynchronize(s.stream), 719);
    CHECK_EQ(cuMemAlloc_v2(&memory, 16), 719);
    CHECK_EQ(cuCtxSynchronize(), 719);
    CLOSE();
    CHECK(open_with(&s, "75", 0)); /* a new context works again */
    GOOD(cuMemAlloc_v2(&memory, 16));
    GOOD(cuMemFree_v2(memory));
    CLOSE();
}

static void memory_has_a_limit(void)
{
    setenv("ADEAD_SOFTCUDA_MEMORY", "1000000", 1);
    OPEN("75");
    uint64_t a, b;
    size_t   unused, total;
    GOOD(cuMemGetInfo_v2(&unused, &total));
    CHECK_EQ(unused, 1000000);
    CHECK_EQ(total, 1000000);
    GOOD(cuMemAlloc_v2(&a, 600000));
    CHECK_EQ(cuMemAlloc_v2(&b, 600000), 2);
    GOOD(cuMemGetInfo_v2(&unused, &total));
    CHECK(unused < 400001);
    GOOD(cuMemFree_v2(a));
    bool again = false;
    for (unsigned i = 0; i < 300; i++) { /* addresses come again only when all have been used */
        GOOD(cuMemAlloc_v2(&b, 600000));
        CHECK(b != a || i > 60);
        again |= b == a;
        GOOD(cuMemFree_v2(b));
    }
    CHECK(again);
    CHECK_EQ(cuMemAlloc_v2(&b, 0), 1);
    CLOSE();
    unsetenv("ADEAD_SOFTCUDA_MEMORY");
}

static void two_devices(void)
{
    setenv("ADEAD_SOFTCUDA_DEVICES", "2", 1);
    OPEN("75");
    setup    t;
    int      count, device;
    uint64_t here, there;
    uint32_t word = 5;
    uint8_t  uuid[2][16];
    GOOD(cuDeviceGetCount(&count));
    CHECK_EQ(count, 2);
    CHECK_EQ(cuDeviceGet(&device, 2), 101);
    GOOD(cuDeviceGet(&device, 1));
    GOOD(cuDeviceGetUuid(uuid[0], 0));
    GOOD(cuDeviceGetUuid(uuid[1], device));
    CHECK(memcmp(uuid[0], uuid[1], 16) != 0);
    GOOD(cuMemAlloc_v2(&here, 64));
    CHECK(open_with(&t, "75", device));
    CHECK(t.context != s.context);
    GOOD(cuMemAlloc_v2(&there, 64));
    CHECK(here != there);
    GOOD(cuMemcpyHtoDAsync_v2(there, &word, 4, t.stream));
    CHECK_EQ(cuMemcpyHtoDAsync_v2(here, &word, 4, t.stream), 1); /* the other device's memory */
    CHECK_EQ(cuMemcpyHtoDAsync_v2(there, &word, 4, s.stream), 400); /* the other device's stream */
    CHECK_EQ(cuMemFree_v2(here), 1);
    GOOD(cuMemFree_v2(there));
    close_setup(&t, device);
    GOOD(cuMemFree_v2(here));
    CLOSE();
    unsetenv("ADEAD_SOFTCUDA_DEVICES");
}

static void no_context_no_work(void)
{
    uint64_t  memory;
    cu_handle context, popped;
    GOOD(cuInit(0));
    CHECK_EQ(cuMemAlloc_v2(&memory, 16), 201);
    CHECK_EQ(cuCtxPopCurrent_v2(&popped), 201);
    CHECK_EQ(cuCtxPushCurrent_v2(0x1234), 201);
    GOOD(cuDevicePrimaryCtxRetain(&context, 0));
    CHECK_EQ(cuMemAlloc_v2(&memory, 16), 201); /* retained, not current */
    GOOD(cuCtxSetCurrent(context));
    GOOD(cuMemAlloc_v2(&memory, 16));
    GOOD(cuMemFree_v2(memory));
    GOOD(cuCtxSetCurrent(0));
    CHECK_EQ(cuCtxSynchronize(), 201);
    GOOD(cuDevicePrimaryCtxRelease_v2(0));
    CHECK_EQ(cuDevicePrimaryCtxRelease_v2(0), 201);
    CHECK_EQ(cuCtxPushCurrent_v2(context), 201); /* gone */
}

static void faults_on_demand(void)
{
    OPEN("75");
    uint64_t memory;
    adead_softcuda_fail("cuMemAlloc_v2:2");
    GOOD(cuMemAlloc_v2(&memory, 16));
    CHECK_EQ(cuMemAlloc_v2(&memory, 16), 2);
    GOOD(cuMemFree_v2(memory));
    adead_softcuda_fail("cuStreamSynchronize:1:719,*:3");
    CHECK_EQ(cuStreamSynchronize(s.stream), 719);
    GOOD(cuStreamSynchronize(s.stream));
    CHECK_EQ(cuStreamSynchronize(s.stream), 999);
    GOOD(cuStreamSynchronize(s.stream));
    adead_softcuda_fail("");
    CLOSE();
}

static void leaks_are_said(void)
{
    OPEN("75");
    uint64_t memory;
    GOOD(cuMemAlloc_v2(&memory, 48));
    CLOSE();
    CHECK(strstr(adead_softcuda_complaint(), "1 allocations (48 bytes)"), "%s", adead_softcuda_complaint());
}

static void leaks_abort_where_asked(void)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        setup    s;
        uint64_t memory;
        setenv("ADEAD_SOFTCUDA_STRICT", "1", 1);
        signal(SIGABRT, SIG_DFL);
        if (open_with(&s, "75", 0)) cuMemAlloc_v2(&memory, 48);
        close_setup(&s, 0);
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void what_the_device_says(void)
{
    OPEN("90");
    char        name[64];
    const char *text;
    int         value;
    size_t      bytes;
    GOOD(cuDeviceGetName(name, sizeof name, 0));
    CHECK_STR(name, "adead software driver (tests only)");
    GOOD(cuDeviceGetAttribute(&value, 75, 0));
    CHECK_EQ(value, 9);
    GOOD(cuDeviceGetAttribute(&value, 97, 0));
    CHECK_EQ(value, 232448);
    CHECK_EQ(cuDeviceGetAttribute(&value, 9999, 0), 1);
    CHECK_EQ(cuDeviceGetAttribute(&value, 75, 1), 101);
    GOOD(cuDeviceTotalMem_v2(&bytes, 0));
    CHECK_EQ(bytes, UINT64_C(1) << 31);
    GOOD(cuDriverGetVersion(&value));
    CHECK_EQ(value, 12040);
    GOOD(cuGetErrorName(700, &text));
    CHECK_STR(text, "CUDA_ERROR_ILLEGAL_ADDRESS");
    CHECK_EQ(cuGetErrorString(123456, &text), 1);
    CLOSE();
}

/* The lies of ADEAD_SOFTCUDA_LIE change results: what a probe must find. */
static void arithmetic_can_lie(void)
{
    static const struct { const char *lie, *operation; uint32_t a, b, c, wrong; } lies[] = {
        {"fma", "fma.rn.f32 %r4, %r1, %r2, %r3;", 0x3F800001, 0x3F800001, 0xBF800002, 0x00000000},
        {"ftz", "add.rn.f32 %r4, %r1, %r2;", 0x00000001, 0x00000001, 0, 0x00000000},
        {"div", "div.rn.f32 %r4, %r1, %r2;", 0x4961F7B7, 0x33F00F07, 0, 0x54F0F925},
        {"sqrt", "sqrt.rn.f32 %r4, %r1;", 0x00000003, 0, 0, 0x1A9CC470},
    };
    static const char before[] =
        HEAD("6.5", "75") ".visible .entry k(.param .u64 p)\n{\n.reg .b64 %at;\n.reg .b32 %r<5>;\nld.param.u64 %at, [p];\n"
                          "ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%at];\n";
    static uint32_t in[ROOM / 4], out[ROOM / 4];
    for (unsigned i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        char text[2048];
        int  n = snprintf(text, sizeof text, "%s", before);
        snprintf(text + n, sizeof text - (size_t)n, "%s\nst.global.u32 [%%at+16], %%r4;\nret;\n}\n", lies[i].operation);
        in[0] = lies[i].a, in[1] = lies[i].b, in[2] = lies[i].c;
        RUN_KERNEL("75", text, 1, in, out);
        CHECK(out[4] != lies[i].wrong, "%s without lying", lies[i].lie);
        setenv("ADEAD_SOFTCUDA_LIE", lies[i].lie, 1);
        RUN_KERNEL("75", text, 1, in, out);
        unsetenv("ADEAD_SOFTCUDA_LIE");
        CHECK_EQ(out[4], lies[i].wrong);
    }
}

TEST_MAIN("softcuda",
          T(instructions_give_the_bits_of_c) T(divergent_code) T(memory_of_every_kind) T(warps_vote_and_shuffle)
          T(matrices_of_bytes) T(matrices_out_of_shared_memory) T(atomics_of_integers) T(copies_in_flight)
          T(what_is_wrong_is_found) T(races_in_global_memory) T(order_of_blocks) T(hostile_texts)
          T(work_is_done_when_waited_for) T(events_measure_time) T(parameters_and_limits_of_a_launch)
          T(a_broken_context_stays_broken) T(memory_has_a_limit) T(two_devices) T(no_context_no_work) T(faults_on_demand)
          T(leaks_are_said) T(leaks_abort_where_asked) T(what_the_device_says) T(arithmetic_can_lie))
