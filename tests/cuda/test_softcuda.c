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

/* ---- Around the calls ---- */

typedef struct setup { cu_handle context, stream; } setup;

static bool open_with(setup *s, const char *capability, int device)
{
    setenv("ADEAD_SOFTCUDA_CC", capability, 1);
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

enum { THREADS = 256, CASES = 8192 };

static const uint64_t edges[] = {
    0,
    1,
    2,
    3,
    7,
    8,
    15,
    16,
    31,
    32,
    33,
    63,
    64,
    100,
    127,
    128,
    255,
    256,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x10000,
    0x7FFFFFFF,
    0x80000000,
    0x80000001,
    0xFFFFFFFF,
    0xFFFFFF80,
    UINT64_C(0x100000000),
    INT64_MAX,
    (uint64_t)INT64_MIN,
    UINT64_MAX,
    0x12345678,
    /* binary32: 1, -1, 1/2, 1.5, 2.5, 2^24+1, most, least normal, subnormals, infinities, NaNs, 127.5, 65519.996, 65520 */
    0x3F800000,
    0xBF800000,
    0x3F000000,
    0x3FC00000,
    0x40200000,
    0xC0200000,
    0x4B800001,
    0x7F7FFFFF,
    0x00800000,
    0x007FFFFF,
    0x80000003,
    0x7F800000,
    0xFF800000,
    0x7FC00000,
    0x7F800001,
    0xFFC12345,
    0x42FF0000,
    0x477FEFFF,
    0x477FF000,
    0x33000000,
    0x33000001,
    0x387FE000,
    0x4F000000,
    0xCF000000,
    0x4F7FFFFF,
    0x5F000000,
    0x3F7FFFFF,
    0x3F800001,
    /* binary64 */
    UINT64_C(0x3FF0000000000000),
    UINT64_C(0xBFF0000000000000),
    UINT64_C(0x3FE0000000000000),
    UINT64_C(0x4004000000000000),
    UINT64_C(0x7FEFFFFFFFFFFFFF),
    UINT64_C(0x0010000000000000),
    UINT64_C(0x000FFFFFFFFFFFFF),
    UINT64_C(0x8000000000000001),
    UINT64_C(0x7FF0000000000000),
    UINT64_C(0xFFF0000000000000),
    UINT64_C(0x7FF8000000000000),
    UINT64_C(0x7FF0000000000001),
    UINT64_C(0x41DFFFFFFFE00000),
    UINT64_C(0x47EFFFFFF0000000),
    UINT64_C(0x36A0000000000000),
    UINT64_C(0x3810000010000000),
    UINT64_C(0x40F0000000000000),
    UINT64_C(0x40EFFDFFFFFFFFFF),
    UINT64_C(0x43E0000000000000),
    UINT64_C(0x3FF0000000000001),
    /* binary16, bfloat16 */
    0x3C00,
    0x7BFF,
    0x0400,
    0x03FF,
    0x7C00,
    0x7C01,
    0xFE00,
    0x3F80,
    0x7F80,
    0x7FC1,
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
            snprintf(part[i], sizeof part[i],
                     "mov.b64 %%v, 0;\nst.global.b64 [%%at+98304], %%v;\nst.global.b%u [%%at+98304], %%d;\n", w);
        else if (i == 3)
            snprintf(part[i], sizeof part[i], "selp.b64 %%v, 1, 0, %%d;\nst.global.b64 [%%at+98304], %%v;\n");
        else if (w == widths[i]) snprintf(part[i], sizeof part[i], "ld.global.b%u %%%c, [%%at+%u];\n", w, n, i * 32768);
        else
            snprintf(part[i], sizeof part[i],
                     "ld.global.b32 %%w, [%%at+%u];\nand.b32 %%w, %%w, 1;\nsetp.ne.b32 %%%c, %%w, 0;\n", i * 32768, n);
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

TEST_MAIN("softcuda", T(instructions_give_the_bits_of_c))
