/* adead_matmul against sgemm of an OpenBLAS, in turn and one thread each: gemm LIBRARY ROUNDS N [N ...]
 *
 * Multiplies square matrices of n x n f32. Prints a line per round: n, nanoseconds of one adead_matmul, nanoseconds of one
 * sgemm, both in processor time of this thread. A timing repeats the call until about 10 ms are full; each contestant has
 * had one call before that is not counted. The two results must agree to 1e-4 of the largest element: the order of sums
 * differs, an error would be larger. Set ADEAD_THREADS=1 and OPENBLAS_NUM_THREADS=1. LIBRARY may be "-": then only adead is
 * measured.
 */
#include "adead.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef void sgemm_function(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a,
                            int lda, const float *b, int ldb, float beta, float *c, int ldc);
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111 };

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "gemm: %s: %s\n", what, why);
    exit(1);
}

static float *matrix(uint32_t n, uint32_t seed)
{
    void *memory = NULL;
    if (posix_memalign(&memory, 64, (size_t)n * n * sizeof(float))) fail("memory", "there is none left");
    float *m = memory;
    for (size_t i = 0; i < (size_t)n * n; i++) {
        seed = seed * 1664525u + 1013904223u;
        m[i] = (float)(seed >> 8) / (1u << 23) - 1.0f;
    }
    return m;
}

static sgemm_function *open_sgemm(const char *path)
{
    if (strcmp(path, "-") == 0) return NULL;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) fail(path, dlerror());
    void *symbol = dlsym(library, "scipy_cblas_sgemm");
    if (!symbol) symbol = dlsym(library, "cblas_sgemm");
    if (!symbol) fail(path, "has no cblas_sgemm");
    sgemm_function *sgemm;
    memcpy(&sgemm, &symbol, sizeof sgemm);
    return sgemm;
}

static void by_adead(const float *a, const float *b, float *c, uint32_t n)
{
    if (adead_matmul(a, b, c, n, n, n) != ADEAD_OK) fail("adead_matmul", adead_last_error()->message);
}

static void by_blas(sgemm_function *sgemm, const float *a, const float *b, float *c, uint32_t n)
{
    int i = (int)n;
    sgemm(ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, i, i, i, 1.0f, a, i, b, i, 0.0f, c, i);
}

static void compare(const float *x, const float *y, uint32_t n)
{
    float most = 0, largest = 0;
    for (size_t i = 0; i < (size_t)n * n; i++) {
        float difference = x[i] > y[i] ? x[i] - y[i] : y[i] - x[i], size = x[i] > 0 ? x[i] : -x[i];
        if (!(difference <= most)) most = difference;
        if (size > largest) largest = size;
    }
    if (!(most <= 1e-4f * largest)) fail("adead_matmul and sgemm", "the results differ by more than rounding");
}

static void measure(sgemm_function *sgemm, uint32_t n, long rounds)
{
    float   *a = matrix(n, 1), *b = matrix(n, 2), *c = matrix(n, 3), *d = matrix(n, 4);
    double   flops = 2.0 * n * n * n;
    uint64_t calls = (uint64_t)(1e9 / flops) + 1; /* 10 ms at 100 GFLOP/s */
    by_adead(a, b, c, n);
    if (sgemm) {
        by_blas(sgemm, a, b, d, n);
        compare(c, d, n);
    }
    for (long round = 0; round < rounds; round++) {
        uint64_t taken[2] = {0, 0};
        for (int k = 0; k < 2; k++) {
            int which = (k + (int)(round & 1)) & 1;
            if (which == 1 && !sgemm) continue;
            uint64_t begin = now();
            for (uint64_t i = 0; i < calls; i++) which ? by_blas(sgemm, a, b, d, n) : by_adead(a, b, c, n);
            taken[which] = (now() - begin) / calls;
        }
        printf("%u %llu %llu\n", n, (unsigned long long)taken[0], (unsigned long long)taken[1]);
    }
    free(a);
    free(b);
    free(c);
    free(d);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: gemm LIBRARY ROUNDS N [N ...]\n");
        return 2;
    }
    sgemm_function *sgemm = open_sgemm(argv[1]);
    long            rounds = strtol(argv[2], NULL, 10);
    if (adead_init(ADEAD_CPU) != ADEAD_OK) fail("adead_init", adead_last_error()->message);
    for (int i = 3; i < argc; i++) measure(sgemm, (uint32_t)strtoul(argv[i], NULL, 10), rounds);
    adead_shutdown();
    return 0;
}
