/* int8 products by every set of kernels, called directly, against one sum at a time modulo 2^32: those that the
 * processor's best would hide too, and AMX through an emulator where the processor lacks it.
 */
#define _GNU_SOURCE 1 /* ucontext.h names the registers only then */

#include "backends/cpu/int8/int8.h"

#include "vm/base/cpu.h"
#include "tests/harness/test.h"
#include "tests/tools/amx_emulator.h"

/* Every set of kernels that this processor, or the emulator, can run. */
typedef struct set { const char *name; const adead_int8_kernels *kernels; bool usable; } set;

static unsigned all_sets(set *sets)
{
    const adead_cpu *cpu = adead_cpu_get();
    unsigned         count = 0;
    (void)cpu;
    sets[count++] = (set){"scalar", &adead_int8_scalar, true};
#if defined(__x86_64__)
    sets[count++] = (set){"sse2", &adead_int8_sse2, true};
    sets[count++] = (set){"avx2", &adead_int8_avx2, cpu->avx2};
    sets[count++] = (set){"avx-vnni", &adead_int8_avx_vnni, cpu->avx_vnni};
    sets[count++] = (set){"avx512", &adead_int8_avx512, cpu->avx512f && cpu->avx512bw};
    sets[count++] = (set){"avx512-vnni", &adead_int8_avx512_vnni, cpu->avx512f && cpu->avx512bw && cpu->avx512vnni};
    bool native = adead_int8_amx_usable();
    sets[count++] = (set){native ? "amx" : "amx by the emulator", &adead_int8_amx,
                          native || (cpu->avx2 && amx_emulator_install())};
#elif defined(__aarch64__)
    sets[count++] = (set){"neon", &adead_int8_neon, true};
    sets[count++] = (set){"neon-dot", &adead_int8_neon_dot, cpu->dotprod};
#endif
    return count;
}

enum { SETS = 8, ROOM = 1 << 22 };

static struct {
    int8_t  *a, *b;
    uint8_t *c, *scratch;
    uint64_t scratch_bytes, cases;
} bench;

static void open_bench(void)
{
    bench.a = malloc(ROOM);
    bench.b = malloc(ROOM);
    bench.c = malloc(ROOM);
    bench.scratch = NULL;
    bench.scratch_bytes = bench.cases = 0;
}

static void close_bench(void)
{
    free(bench.a);
    free(bench.b);
    free(bench.c);
    free(bench.scratch);
}

static void *scratch_of(uint64_t bytes)
{
    if (bytes + 64 > bench.scratch_bytes) {
        free(bench.scratch);
        bench.scratch_bytes = bytes + 64;
        bench.scratch = malloc((size_t)bench.scratch_bytes);
    }
    memset(bench.scratch, 0x5A, (size_t)bench.scratch_bytes);
    return bench.scratch + (64 - (uintptr_t)bench.scratch % 64) % 64;
}

typedef enum filling { RANDOM, LEAST, EXTREMES } filling;

static void fill(int8_t *to, uint64_t count, filling how, uint64_t *seed)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t z = test_random(seed);
        to[i] = (int8_t)(how == LEAST ? -128 : how == EXTREMES ? (z & 256 ? 127 : -128) : (int)(z & 255) - 128);
    }
}

static int32_t expected(const adead_int8_product *p, uint64_t i, uint64_t j)
{
    uint32_t sum = 0;
    for (uint64_t l = 0; l < p->k; l++)
        sum += (uint32_t)((int32_t)p->a[i * p->a_row + l * p->a_step] * p->b[l * p->b_step + j * p->b_column]);
    return (int32_t)sum;
}

/* One product; flags bit 0: A is transposed, bit 1: B. False after a report. */
static bool try_product(const set *s, unsigned flags, uint64_t m, uint64_t n, uint64_t k, filling how, uint32_t threads)
{
    enum { BORDER = 64, MARK = 0xA5 };
    uint64_t seed = 1 + bench.cases++, offset = seed % 3, gap = seed % 5 == 0 ? 3 : 0, c_row = n + gap;
    uint64_t c_bytes = m ? 4 * ((m - 1) * c_row + n) : 0;
    if (m * k + 64 > ROOM || n * k + 64 > ROOM || c_bytes + 2 * BORDER + 64 > ROOM) exit(2);
    adead_int8_product p = {.a = bench.a + offset, .b = bench.b + 1 + offset, .c = (void *)(bench.c + BORDER + offset),
                            .m = m, .n = n, .k = k, .a_row = flags & 1 ? 1 : k, .a_step = flags & 1 ? m : 1,
                            .b_step = flags & 2 ? 1 : n, .b_column = flags & 2 ? k : 1, .c_row = c_row};
    fill(bench.a, m * k + 64, how, &seed);
    fill(bench.b, n * k + 64, how, &seed);
    memset(bench.c, MARK, (size_t)c_bytes + 2 * BORDER + 64);
    adead_int8_run(s->kernels, &p, scratch_of(adead_int8_scratch_bytes(s->kernels, &p, threads)), threads);
    for (uint64_t i = 0; i < m; i++) {
        for (uint64_t j = 0; j < c_row && (j < n || i + 1 < m); j++) {
            int32_t want = j < n ? expected(&p, i, j) : (int32_t)0xA5A5A5A5u;
            if (p.c[i * c_row + j] == want) continue;
            test_report(__FILE__, __LINE__, "%s, flags %u, %llu x %llu x %llu, data %d, %u threads: (%llu, %llu) is %ld, "
                        "not %ld",
                        s->name, flags, (unsigned long long)m, (unsigned long long)n, (unsigned long long)k, (int)how,
                        (unsigned)threads, (unsigned long long)i, (unsigned long long)j, (long)p.c[i * c_row + j],
                        (long)want);
            return false;
        }
    }
    for (uint64_t i = 0; i < BORDER; i++) {
        if (bench.c[offset + i] == MARK && bench.c[BORDER + offset + c_bytes + i] == MARK) continue;
        test_report(__FILE__, __LINE__, "%s wrote outside of C", s->name);
        return false;
    }
    return true;
}

static void on_sets(bool (*body)(const set *))
{
    set      sets[SETS];
    unsigned count = all_sets(sets);
    open_bench();
    for (unsigned i = 0; i < count && !test_state.bad; i++) {
        uint64_t before = bench.cases;
        if (!sets[i].usable) printf("%s: %s is not offered by this processor\n", test_state.test, sets[i].name);
        else if (body(&sets[i]))
            printf("%s: %llu products on %s\n", test_state.test, (unsigned long long)(bench.cases - before), sets[i].name);
    }
    close_bench();
}

/* Around every length of a vector, tile, group and block, small ones in all combinations. */
static bool all_shapes(const set *s)
{
    static const uint64_t some[] = {0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 95, 129};
    static const uint64_t more[][3] = {{33, 70, 511},  {34, 40, 513},  {7, 100, 1023},  {40, 33, 1025}, {65, 31, 2050},
                                       {1, 1000, 300}, {1, 513, 1500}, {1000, 1, 300},  {513, 1, 1500}, {130, 300, 70},
                                       {300, 130, 40}, {32, 257, 129}, {33, 257, 129},  {600, 5, 33},   {5, 1100, 33},
                                       {31, 64, 65},   {64, 96, 4160}, {2, 3, 5000},    {35, 2, 8200}};
    for (unsigned i = 0; i < 20; i++)
        for (unsigned j = 0; j < 20; j++)
            if (!try_product(s, (i + j) & 3, some[i], some[j], some[(7 * i + 3 * j) % 20], RANDOM, 1)) return false;
    for (unsigned i = 0; i < sizeof more / sizeof more[0]; i++)
        for (unsigned flags = 0; flags < 4; flags++)
            if (!try_product(s, flags, more[i][0], more[i][1], more[i][2], i % 3 ? RANDOM : EXTREMES, 1)) return false;
    return true;
}

/* Chunks are 4096 long in each direction. */
static bool all_chunks(const set *s)
{
    for (unsigned flags = 0; flags < 4; flags++)
        if (!try_product(s, flags, 4099, 40, 5, RANDOM, 1) || !try_product(s, flags, 40, 4099, 5, RANDOM, 1)) return false;
    return true;
}

/* -128 * -128, added up 131072 times and more, is 2^31 and more. */
static bool all_extremes(const set *s)
{
    static const uint64_t depths[] = {1, 63, 64, 300, 1024};
    for (unsigned i = 0; i < 5; i++)
        for (unsigned flags = 0; flags < 4; flags++)
            if (!try_product(s, flags, 35, 34, depths[i], LEAST, 1)) return false;
    return try_product(s, 0, 3, 5, 131072, LEAST, 1) && try_product(s, 2, 1, 2, 300000, LEAST, 1) &&
           try_product(s, 3, 34, 3, 100000, LEAST, 1) && try_product(s, 0, 2, 2, 270001, EXTREMES, 1);
}

static bool all_threads(const set *s)
{
    static const uint32_t counts[] = {2, 3, 7, 64};
    static const uint64_t dims[][3] = {{130, 257, 300}, {1, 2099, 300}, {2099, 1, 300}, {70, 5, 2001}, {33, 700, 1100}};
    for (unsigned t = 0; t < 4; t++)
        for (unsigned i = 0; i < 5; i++)
            if (!try_product(s, (t + i) & 3, dims[i][0], dims[i][1], dims[i][2], RANDOM, counts[t])) return false;
    return true;
}

static void shapes(void) { on_sets(all_shapes); }
static void chunks(void) { on_sets(all_chunks); }
static void extremes(void) { on_sets(all_extremes); }
static void threads(void) { on_sets(all_threads); }

TEST_MAIN("int8", T(shapes) T(chunks) T(extremes) T(threads))
