/* int8 products against oneDNN and MKL, in turn: int8 SET THREADS ONEDNN MKL ROUNDS N [N ...]
 *
 * SET is a set of kernels (scalar, sse2, avx2, avx-vnni, avx512, avx512-vnni, amx) or "best". ONEDNN and MKL are paths
 * of libdnnl.so and libmkl_rt.so, or "-". Multiplies n x n matrices of signed bytes into i32, row-major, nothing
 * packed before. Prints a line for each n: GOP/s of adead, of oneDNN's dnnl_gemm_s8s8s32 and matmul primitive, of
 * MKL's cblas_gemm_s8u8s32 (whose B is unsigned: less work), each the median of its rounds, and the median over the
 * rounds of adead's speed divided by that of the fastest peer. Results are compared with oneDNN's. Set the number of
 * the peers' threads by OMP_NUM_THREADS, and MKL_THREADING_LAYER=SEQUENTIAL or GNU.
 */
#include "backends/cpu/int8/int8.h"

#include "backends/cpu/pool.h"
#include "vm/base/cpu.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef int  dnnl_gemm(char ta, char tb, char offset, int64_t m, int64_t n, int64_t k, float alpha, const int8_t *a,
                       int64_t lda, int8_t ao, const int8_t *b, int64_t ldb, int8_t bo, float beta, int32_t *c, int64_t ldc,
                       const int32_t *co);
typedef void mkl_gemm(int layout, int ta, int tb, int offset, int m, int n, int k, float alpha, const void *a, int lda,
                      int8_t ao, const void *b, int ldb, int8_t bo, float beta, int32_t *c, int ldc, const int32_t *co);
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, FIX_OFFSET = 173 };

enum { ADEAD, GEMM, MATMUL, MKL, CONTESTANTS, ROUNDS_MAX = 99 };
static const char *const names[] = {"adead", "oneDNN gemm", "oneDNN matmul", "MKL"};

static struct {
    const adead_int8_kernels *kernels;
    uint32_t                  threads;
    void                     *scratch, *onednn;
    dnnl_gemm                *gemm;
    mkl_gemm                 *mkl;
    void                     *engine, *stream, *primitive;
} bench;

typedef struct dnnl_argument { int which; void *memory; } dnnl_argument;
static struct { int8_t *a, *b; int32_t *c; int64_t n; dnnl_argument arguments[3]; } data;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "int8: %s: %s\n", what, why);
    exit(1);
}

static void *library(const char *path)
{
    if (strcmp(path, "-") == 0) return NULL;
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) fail(path, dlerror());
    return handle;
}

/* Calls a function of oneDNN that takes pointers and integers, by name. */
#define DNNL(name, types, ...)                                          \
    do {                                                                \
        int(*function) types;                                           \
        void *symbol = dlsym(bench.onednn, #name);                      \
        if (!symbol) fail(#name, "is not there");                       \
        memcpy(&function, &symbol, sizeof function);                    \
        if (function(__VA_ARGS__) != 0) fail(#name, "does not succeed"); \
    } while (0)

static void make_primitive(void)
{
    enum { S32 = 4, S8 = 5, SOURCE = 1, WEIGHTS = 33, DESTINATION = 17 };
    typedef const int64_t dims[12];
    dims  shape = {data.n, data.n}, strides = {data.n, 1};
    void *bytes, *words, *description;
    DNNL(dnnl_memory_desc_create_with_strides, (void **, int, dims, int, dims), &bytes, 2, shape, S8, strides);
    DNNL(dnnl_memory_desc_create_with_strides, (void **, int, dims, int, dims), &words, 2, shape, S32, strides);
    DNNL(dnnl_matmul_primitive_desc_create, (void **, void *, void *, void *, void *, void *, void *), &description,
         bench.engine, bytes, bytes, NULL, words, NULL);
    DNNL(dnnl_primitive_create, (void **, void *), &bench.primitive, description);
    data.arguments[0].which = SOURCE;
    data.arguments[1].which = WEIGHTS;
    data.arguments[2].which = DESTINATION;
    DNNL(dnnl_memory_create, (void **, void *, void *, void *), &data.arguments[0].memory, bytes, bench.engine, data.a);
    DNNL(dnnl_memory_create, (void **, void *, void *, void *), &data.arguments[1].memory, bytes, bench.engine, data.b);
    DNNL(dnnl_memory_create, (void **, void *, void *, void *), &data.arguments[2].memory, words, bench.engine, data.c);
}

static void run(int which)
{
    static const int32_t none[1] = {0};
    int64_t              n = data.n;
    uint64_t             size = (uint64_t)n;
    adead_int8_product   p = {.a = data.a, .b = data.b, .c = data.c, .m = size, .n = size, .k = size, .a_row = size,
                              .a_step = 1, .b_step = size, .b_column = 1, .c_row = size};
    switch (which) {
    case ADEAD: adead_int8_run(bench.kernels, &p, bench.scratch, bench.threads); break;
    case GEMM: bench.gemm('N', 'N', 'F', n, n, n, 1, data.a, n, 0, data.b, n, 0, 0, data.c, n, none); break;
    case MATMUL:
        DNNL(dnnl_primitive_execute, (void *, void *, int, const dnnl_argument *), bench.primitive, bench.stream, 3,
             data.arguments);
        DNNL(dnnl_stream_wait, (void *), bench.stream);
        break;
    default:
        bench.mkl(ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, FIX_OFFSET, (int)n, (int)n, (int)n, 1, data.a, (int)n, 0, data.b,
                  (int)n, 0, 0, data.c, (int)n, none);
    }
}

static int ascending(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, ascending);
    return values[count / 2];
}

static bool there(int which) { return which == ADEAD || (which == MKL ? bench.mkl != NULL : bench.onednn != NULL); }

static void measure(int rounds)
{
    double operations = 2.0 * (double)data.n * (double)data.n * (double)data.n, speed[CONTESTANTS][ROUNDS_MAX];
    double ratios[ROUNDS_MAX];
    int    calls = (int)(4e9 / operations) + 1;
    for (int round = -1; round < rounds; round++) { /* one that does not count */
        double best = 0;
        for (int k = 0; k < CONTESTANTS; k++) {
            int which = (k + round + 1) % CONTESTANTS;
            if (!there(which)) continue;
            double begin = now();
            for (int i = 0; i < calls; i++) run(which);
            double rate = operations * calls / (now() - begin) / 1e9;
            if (round < 0) continue;
            speed[which][round] = rate;
            if (which != ADEAD && rate > best) best = rate;
        }
        if (round >= 0) ratios[round] = speed[ADEAD][round] / best;
    }
    printf("n %lld:", (long long)data.n);
    for (int k = 0; k < CONTESTANTS; k++)
        if (there(k)) printf(" %s %.1f,", names[k], median(speed[k], rounds));
    printf(" ratio %.3f\n", median(ratios, rounds));
    fflush(stdout);
}

static void *memory(size_t bytes)
{
    void *m = NULL;
    if (posix_memalign(&m, 64, bytes)) fail("memory", "there is none left");
    return m;
}

static void with_size(int64_t n, int rounds)
{
    size_t count = (size_t)n * (size_t)n;
    data.n = n;
    data.a = memory(count);
    data.b = memory(count);
    data.c = memory(4 * count);
    for (size_t i = 0; i < count; i++) {
        data.a[i] = (int8_t)(i * 7 + i / 1000);
        data.b[i] = (int8_t)(i * 13 + i / 777);
    }
    adead_int8_product p = {.m = (uint64_t)n, .n = (uint64_t)n, .k = (uint64_t)n, .b_step = (uint64_t)n, .b_column = 1};
    bench.scratch = memory(adead_int8_scratch_bytes(bench.kernels, &p, bench.threads));
    if (bench.onednn) {
        make_primitive();
        int32_t *theirs = memory(4 * count);
        run(GEMM);
        memcpy(theirs, data.c, 4 * count);
        run(ADEAD);
        if (memcmp(theirs, data.c, 4 * count) != 0) fail("adead and oneDNN", "the results differ");
        free(theirs);
    }
    measure(rounds);
    free(data.a);
    free(data.b);
    free(data.c);
    free(bench.scratch);
}

static const adead_int8_kernels *kernels_of(const char *name)
{
    const adead_int8_kernels *level = &adead_int8_scalar;
#if defined(__x86_64__)
    const adead_cpu *cpu = adead_cpu_get();
    static const struct { const char *name; const adead_int8_kernels *kernels; } sets[] = {
        {"sse2", &adead_int8_sse2},     {"avx2", &adead_int8_avx2},
        {"avx-vnni", &adead_int8_avx_vnni}, {"avx512", &adead_int8_avx512},
        {"avx512-vnni", &adead_int8_avx512_vnni}, {"amx", &adead_int8_amx}};
    for (unsigned i = 0; i < sizeof sets / sizeof sets[0]; i++)
        if (strcmp(sets[i].name, name) == 0) return sets[i].kernels;
    level = cpu->avx512f && cpu->avx512bw ? &adead_int8_avx512 : cpu->avx2 ? &adead_int8_avx2 : &adead_int8_sse2;
    if (strcmp(name, "best") == 0 && adead_int8_amx_usable()) return &adead_int8_amx;
#elif defined(__aarch64__)
    level = &adead_int8_neon;
#endif
    return strcmp(name, "best") == 0 ? adead_int8_best(level) : &adead_int8_scalar;
}

int main(int argc, char **argv)
{
    if (argc < 7) {
        fprintf(stderr, "usage: int8 SET THREADS ONEDNN MKL ROUNDS N [N ...]\n");
        return 2;
    }
    bench.kernels = kernels_of(argv[1]);
    bench.threads = (uint32_t)strtoul(argv[2], NULL, 10);
    bench.onednn = library(argv[3]);
    void *mkl = library(argv[4]), *symbol;
    int   rounds = atoi(argv[5]);
    if (rounds < 1 || rounds > ROUNDS_MAX) fail("ROUNDS", "is from 1 to 99");
    adead_pool_retain();
    if (bench.onednn) {
        symbol = dlsym(bench.onednn, "dnnl_gemm_s8s8s32");
        memcpy(&bench.gemm, &symbol, sizeof bench.gemm);
        DNNL(dnnl_engine_create, (void **, int, size_t), &bench.engine, 1, 0);
        DNNL(dnnl_stream_create, (void **, void *, unsigned), &bench.stream, bench.engine, 1);
    }
    if (mkl) {
        symbol = dlsym(mkl, "cblas_gemm_s8u8s32");
        memcpy(&bench.mkl, &symbol, sizeof bench.mkl);
    }
    for (int i = 6; i < argc; i++) with_size(atoll(argv[i]), rounds);
    adead_pool_release();
    return 0;
}
