/* adead_matmul against the sgemm of other libraries, in turn: gemm LIBRARY[,LIBRARY...] ROUNDS SHAPE [SHAPE ...]
 *
 * A shape is N, or MxNxK, with "ta", "tb" or "tatb" after it for transposed operands. Prints a line per shape and round: the
 * shape, nanoseconds of one adead_matmul, nanoseconds of one sgemm of each library, in time that passes. A timing
 * repeats the call until about 10 ms are full; each contestant has had one call before that is not counted. The results must
 * agree to 1e-4 of the largest element: the order of sums differs, an error would be larger. Threads come from
 * ADEAD_THREADS, OPENBLAS_NUM_THREADS, MKL_NUM_THREADS and OMP_NUM_THREADS. LIBRARY may be "-": then only adead is measured.
 */

#include "vm/backend.h"

#include "adead.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef void cblas_function(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a,
                            int lda, const float *b, int ldb, float beta, float *c, int ldc);
/* oneDNN's, row-major, 64-bit sizes. */
typedef int dnnl_function(char transpose_a, char transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                          int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc);
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112, PEERS_MAX = 8 };

typedef struct shape {
    uint32_t m, n, k;
    bool     ta, tb;
} shape;

typedef struct peer {
    cblas_function *cblas;
    dnnl_function  *dnnl;
} peer;

static adead_device *device; /* for transposed operands, which the simple call does not have */

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "gemm: %s: %s\n", what, why);
    exit(1);
}

static float *matrix(uint64_t elements, uint32_t seed)
{
    void *memory = NULL;
    if (posix_memalign(&memory, 64, (elements + 1) * sizeof(float))) fail("memory", "there is none left");
    float *m = memory;
    for (size_t i = 0; i < elements; i++) {
        seed = seed * 1664525u + 1013904223u;
        m[i] = (float)(seed >> 8) / (1u << 23) - 1.0f;
    }
    return m;
}

static peer open_peer(const char *path)
{
    peer  found = {0};
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) fail(path, dlerror());
    void *symbol = dlsym(library, "scipy_cblas_sgemm"), *dnnl = dlsym(library, "dnnl_sgemm");
    if (!symbol) symbol = dlsym(library, "cblas_sgemm");
    if (!symbol && !dnnl) fail(path, "has no cblas_sgemm and no dnnl_sgemm");
    if (symbol) memcpy(&found.cblas, &symbol, sizeof symbol);
    else memcpy(&found.dnnl, &dnnl, sizeof dnnl);
    return found;
}

static void by_adead(shape s, const float *a, const float *b, float *c)
{
    if (!s.ta && !s.tb) {
        if (adead_matmul(a, b, c, s.m, s.n, s.k) != ADEAD_OK) fail("adead_matmul", adead_last_error()->message);
        return;
    }
    adead_memory    memory[3] = {{4ull * s.m * s.k, (void *)(uintptr_t)a}, {4ull * s.k * s.n, (void *)(uintptr_t)b},
                                 {4ull * s.m * s.n, c}};
    adead_tensor_op op = {.kind = ADEAD_TENSOR_MATMUL_EX,
                          .flags = (s.ta ? ADEAD_TRANSPOSE_A : 0) | (s.tb ? ADEAD_TRANSPOSE_B : 0),
                          .dims = {s.m, s.n, s.k}};
    static const int place[3] = {0, 1, 3};
    for (int i = 0; i < 3; i++) op.operands[place[i]] = (adead_slice){&memory[i], 0, memory[i].bytes};
    adead_failure failure;
    if (adead_backends[1]->run(device, &op, &failure) != ADEAD_OK) fail("matmul", failure.message);
}

static void by_peer(peer p, shape s, const float *a, const float *b, float *c)
{
    int m = (int)s.m, n = (int)s.n, k = (int)s.k, lda = s.ta ? m : k, ldb = s.tb ? k : n;
    if (p.cblas)
        p.cblas(ROW_MAJOR, s.ta ? TRANSPOSE : NO_TRANSPOSE, s.tb ? TRANSPOSE : NO_TRANSPOSE, m, n, k, 1.0f, a, lda, b, ldb,
                0.0f, c, n);
    else p.dnnl(s.ta ? 'T' : 'N', s.tb ? 'T' : 'N', m, n, k, 1.0f, a, lda, b, ldb, 0.0f, c, n);
}

static void compare(const float *x, const float *y, uint64_t elements)
{
    float most = 0, largest = 0;
    for (size_t i = 0; i < elements; i++) {
        float difference = x[i] > y[i] ? x[i] - y[i] : y[i] - x[i], size = x[i] > 0 ? x[i] : -x[i];
        if (!(difference <= most)) most = difference;
        if (size > largest) largest = size;
    }
    if (!(most <= 1e-4f * largest)) fail("adead_matmul and sgemm", "the results differ by more than rounding");
}

static void measure(const peer *peers, int count, const char *name, shape s, long rounds)
{
    float   *a = matrix((uint64_t)s.m * s.k, 1), *b = matrix((uint64_t)s.k * s.n, 2);
    float   *c = matrix((uint64_t)s.m * s.n, 3), *d = matrix((uint64_t)s.m * s.n, 4);
    double   flops = 2.0 * s.m * s.n * s.k;
    uint64_t calls = (uint64_t)(1e7 / (flops / 100 + 50)) + 1; /* 10 ms at 100 GFLOP/s and 50 ns a call */
    by_adead(s, a, b, c);
    for (int p = 0; p < count; p++) {
        by_peer(peers[p], s, a, b, d);
        compare(c, d, (uint64_t)s.m * s.n);
    }
    for (long round = 0; round < rounds; round++) {
        uint64_t taken[PEERS_MAX + 1] = {0};
        for (int i = 0; i <= count; i++) {
            int      which = (int)((i + round) % (count + 1));
            uint64_t begin = now();
            for (uint64_t call = 0; call < calls; call++)
                if (which == 0) by_adead(s, a, b, c);
                else by_peer(peers[which - 1], s, a, b, d);
            taken[which] = (now() - begin) / calls;
        }
        printf("%s", name);
        for (int i = 0; i <= count || i < 2; i++) printf(" %llu", (unsigned long long)taken[i]);
        printf("\n");
    }
    free(a);
    free(b);
    free(c);
    free(d);
}

static shape read_shape(const char *text)
{
    shape s = {.ta = strstr(text, "ta") != NULL, .tb = strstr(text, "tb") != NULL};
    if (sscanf(text, "%ux%ux%u", &s.m, &s.n, &s.k) != 3) s.m = s.n = s.k = (uint32_t)strtoul(text, NULL, 10);
    return s;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: gemm LIBRARY[,LIBRARY...] ROUNDS SHAPE [SHAPE ...]\n");
        return 2;
    }
    peer          peers[PEERS_MAX];
    int           count = 0;
    adead_failure failure;
    for (char *path = strtok(argv[1], ","); path && count < PEERS_MAX; path = strtok(NULL, ","))
        if (strcmp(path, "-") != 0) peers[count++] = open_peer(path);
    if (adead_init(ADEAD_CPU) != ADEAD_OK) fail("adead_init", adead_last_error()->message);
    const char          *threads = getenv("ADEAD_THREADS");
    adead_device_options options = {.host = adead_host_default};
    if (threads) options.threads = (uint32_t)strtoul(threads, NULL, 10);
    if (adead_backends[1]->open(&options, &device, &failure) != ADEAD_OK) fail("device", failure.message);
    for (int i = 3; i < argc; i++) measure(peers, count, argv[i], read_shape(argv[i]), strtol(argv[2], NULL, 10));
    adead_backends[1]->close(device);
    adead_shutdown();
    return 0;
}
