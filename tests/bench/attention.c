/* Attention on the backend `cpu` alone, for work on its kernels: attention VARIANT THREADS ROUNDS SEQ,DIM,HEADS,CAUSAL [...]
 *
 * VARIANT is one of backends/cpu/kernels.def or "best", DIM the columns of one head. Prints a line a shape: the median and
 * the shortest time of a call in microseconds, and GFLOP/s by the median, counting 4 seq^2 dim heads whether masked or not.
 * A round repeats the call until about a millisecond is full. The comparison with ONNX Runtime is in tests/bench/cpu.
 * Made by hand: cc -O2 -I. tests/bench/attention.c zig-out/lib/libadead.a -lm -lpthread
 */
#include "vm/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS_MAX = 999 };

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "attention: %s: %s\n", what, why);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void call(const adead_backend *backend, adead_device *device, const adead_tensor_op *op)
{
    adead_failure failure = {0};
    if (backend->run(device, op, &failure) != ADEAD_OK) fail("run", failure.message);
}

static void measure(const adead_backend *backend, adead_device *device, const char *shape, int rounds)
{
    static double      times[ROUNDS_MAX];
    unsigned long long seq, dim, heads;
    unsigned           causal;
    adead_failure      failure = {0};
    if (sscanf(shape, "%llu,%llu,%llu,%u", &seq, &dim, &heads, &causal) != 4) fail(shape, "is not SEQ,DIM,HEADS,CAUSAL");
    adead_tensor_op op = {
        .kind = ADEAD_TENSOR_MULTIHEAD, .flags = causal ? ADEAD_CAUSAL : 0, .dims = {seq, dim * heads, heads}};
    uint32_t seed = 1;
    for (int i = 0; i < 4; i++) {
        op.operands[i].bytes = 4 * seq * dim * heads;
        if (backend->alloc(device, op.operands[i].bytes, &op.operands[i].memory, &failure) != ADEAD_OK)
            fail("memory", failure.message);
        float *x = adead_slice_host(&op.operands[i]);
        for (uint64_t j = 0; j < seq * dim * heads; j++) {
            seed = seed * 1664525u + 1013904223u;
            x[j] = (float)(seed >> 8) / (1u << 23) - 1.0f;
        }
    }
    call(backend, device, &op);
    double flops = 4.0 * (double)seq * (double)seq * (double)(dim * heads);
    int    calls = (int)(1e8 / (flops + 1e6)) + 1;
    for (int r = 0; r < rounds; r++) {
        double begin = now();
        for (int i = 0; i < calls; i++) call(backend, device, &op);
        times[r] = (now() - begin) / calls;
    }
    qsort(times, (size_t)rounds, sizeof *times, by_size);
    printf("%s: %.2f us, shortest %.2f, %.1f GFLOP/s\n", shape, 1e6 * times[rounds / 2], 1e6 * times[0],
           1e-9 * flops / times[rounds / 2]);
    for (int i = 0; i < 4; i++) backend->free(device, op.operands[i].memory);
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: attention VARIANT THREADS ROUNDS SEQ,DIM,HEADS,CAUSAL [...]\n");
        return 2;
    }
    const adead_backend *backend = adead_backend_find("cpu", 3);
    adead_device        *device;
    adead_failure        failure = {0};
    adead_device_options options = {.host = adead_host_default,
                                    .threads = (uint32_t)strtoul(argv[2], NULL, 10),
                                    .variant = strcmp(argv[1], "best") == 0 ? NULL : argv[1]};
    int rounds = atoi(argv[3]);
    if (rounds < 1 || rounds > ROUNDS_MAX) fail(argv[3], "is not a number of rounds");
    if (backend->open(&options, &device, &failure) != ADEAD_OK) fail(argv[1], failure.message);
    for (int i = 4; i < argc; i++) measure(backend, device, argv[i], rounds);
    backend->close(device);
    return 0;
}
