/* Tensor instructions that run together, against the same instructions one after the other (docs/fusion.md):
 *
 *   fusion BACKEND THREADS ROUNDS [NAME]
 *
 * BACKEND is "cpu", "cpu:avx2" or "vulkan", NAME the beginning of what is to be measured. Prints a line a case: the median
 * time of a pass in microseconds, fused and one after the other, and how many times as long the latter takes. A program
 * goes through its instructions n times and 2 n times; a pass is the difference, divided by n. All alternate, in one run.
 * Made by hand: cc -O2 -I. tests/bench/fusion.c zig-out/lib/libadead.a -lm -lpthread -ldl
 */
#include "tests/harness/machine.h"

#include <time.h>

enum { ROUNDS_MAX = 99, PASS = 2, TOTAL = 3, BUFFERS = 8 };

static const adead_backend *backend;
static adead_device        *device, *reference_device;
static int                  rounds;
static uint32_t             bytes[BUFFERS];

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

static double median(double *times)
{
    qsort(times, (size_t)rounds, sizeof *times, by_size);
    return times[rounds / 2];
}

/* ---- Programs ---- */

static float next_number(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (float)(*seed >> 8) / (1u << 23) - 1.0f;
}

/* The instructions of a pass; what they use are buffers 0 to 7, and `bytes` of each. */
typedef void body(stream *s, const uint64_t *dims);

/* x in b0, weights in b1 and b2, what is between in b3, the result in b4; gamma and beta in b5 and b6. */
static void feed_forward(stream *s, const uint64_t *d)
{
    uint32_t rows = (uint32_t)d[0], dim = (uint32_t)d[1], hidden = (uint32_t)d[2];
    bytes[0] = bytes[4] = 4 * rows * dim;
    bytes[1] = bytes[2] = 4 * dim * hidden;
    bytes[3] = 4 * rows * hidden;
    bytes[5] = bytes[6] = 4 * dim;
    EMIT(s, GPU_MATMUL, 0, 1, 3, rows, hidden, dim);
    EMIT(s, GPU_GELU, 3, 3, bytes[3]);
    EMIT(s, GPU_MATMUL, 3, 2, 4, rows, dim, hidden);
    EMIT(s, GPU_RELU, 4, 4, bytes[4]);
    EMIT(s, GPU_ADD, 4, 0, 4, bytes[4]);
}

/* d[0] operations on d[1] bytes each: of x in b0, b1 and b2, in place in b3 from the second on. */
static void elements(stream *s, const uint64_t *d)
{
    uint32_t n = (uint32_t)d[1];
    for (int i = 0; i < 4; i++) bytes[i] = n;
    for (uint32_t i = 0; i < d[0]; i++) {
        uint32_t x = i == 0 ? 0 : 3;
        switch (i % 4) {
        case 0: EMIT(s, GPU_MUL, x, 1, 3, n); break;
        case 1: EMIT(s, GPU_ADD, x, 2, 3, n); break;
        case 2: EMIT(s, GPU_RELU, x, 3, n); break;
        default: EMIT(s, GPU_SUB, x, 1, 3, n); break;
        }
    }
}

static void softmax(stream *s, const uint64_t *d)
{
    uint32_t rows = (uint32_t)d[0], columns = (uint32_t)d[1], n = 4 * rows * columns;
    bytes[0] = bytes[1] = bytes[2] = bytes[3] = n;
    EMIT(s, GPU_MUL, 0, 1, 3, n);
    EMIT(s, GPU_ADD, 3, 2, 3, n);
    EMIT(s, GPU_SOFTMAX, 3, 3, rows, columns);
}

static void layernorm(stream *s, const uint64_t *d)
{
    uint32_t rows = (uint32_t)d[0], columns = (uint32_t)d[1], n = 4 * rows * columns;
    bytes[0] = bytes[1] = bytes[2] = bytes[3] = n;
    bytes[5] = bytes[6] = 4 * columns;
    EMIT(s, GPU_ADD, 0, 1, 3, n);
    CONST64(s, 8, (uint64_t)4 << 40);
    CONST64(s, 9, (uint64_t)6 << 40);
    CONST64(s, 10, (uint64_t)7 << 40);
    CONST64(s, 11, d[0]);
    CONST64(s, 12, d[1]);
    EMIT(s, F32_CONST, 13, 0x3727C5AC);
    EMIT(s, TENSOR_LAYERNORM, 8, 9, 10, 8, 11, 12, 13);
    EMIT(s, GPU_GELU, 3, 3, n);
}

/* d[0] operations on d[1] bytes of linear memory, which a device with memory of its own has to fetch. */
static void chain(stream *s, const uint64_t *d)
{
    CONST64(s, 8, 4096);
    CONST64(s, 9, 4096 + d[1]);
    CONST64(s, 10, d[1] / 4);
    for (uint32_t i = 0; i < d[0]; i++) {
        if (i % 2) EMIT(s, TENSOR_ADD, 9, 8, 9, 10);
        else EMIT(s, TENSOR_TANH, 9, 9, 10);
    }
}

/* The same in buffers. */
static void chain_in_buffers(stream *s, const uint64_t *d)
{
    uint32_t n = (uint32_t)d[1];
    bytes[0] = bytes[1] = n;
    for (uint32_t i = 0; i < d[0]; i++) {
        if (i % 2) EMIT(s, GPU_ADD, 1, 0, 1, n);
        else EMIT(s, GPU_TANH, 1, 1, n);
    }
}

static void make_program(stream *s, body *function, const uint64_t *dims, uint64_t passes)
{
    uint32_t seed = 1;
    s->size = s->count = 0;
    memset(bytes, 0, sizeof bytes);
    function(s, dims); /* for the sizes */
    s->size = s->count = 0;
    for (uint32_t i = 0; i < BUFFERS; i++)
        if (bytes[i]) EMIT(s, GPU_ALLOC, bytes[i], i);
    for (uint32_t i = 0; i < 64; i++) {
        EMIT(s, I32_CONST, 4, adead_f32_bits(next_number(&seed)));
        EMIT(s, I64_CONST, 5, 4 * i, 0);
        EMIT(s, STORE32, 4, 5, 0);
    }
    for (uint32_t i = 0; i < BUFFERS; i++)
        if (bytes[i]) EMIT(s, GPU_COPY_H2D, 0, i, bytes[i] < 256 ? bytes[i] : 256);
    CONST64(s, TOTAL, passes);
    uint32_t begin = s->size;
    function(s, dims);
    EMIT(s, I64_ADD_IMM, PASS, PASS, 1);
    EMIT(s, JUMP_I64_LT_S, PASS, TOTAL, begin);
    EMIT(s, GPU_SYNC);
    EMIT(s, HALT);
}

static double time_of(adead_machine *machine)
{
    adead_failure failure = {0};
    double        begin = now();
    if (adead_machine_run(machine, &failure)) {
        fprintf(stderr, "fusion: %s\n", failure.message);
        exit(1);
    }
    double time = now() - begin;
    if (adead_machine_reset(machine, &failure)) exit(1);
    return time;
}

/* ---- Measurement ---- */

static void measure(const char *name, body *function, const uint64_t *dims, uint64_t passes)
{
    static stream              streams[2];
    static double              times[2][ROUNDS_MAX];
    const adead_machine_limits limits = {.fuel = UINT64_MAX, .memory = (uint64_t)2 << 30, .buffers = BUFFERS,
                                         .call_depth = 10, .tasks = 1};
    adead_code                *code[2];
    adead_machine             *machine[2][2]; /* [fused][twice] */
    adead_image                images[2];
    adead_failure              failure = {0};
    for (int twice = 0; twice < 2; twice++) {
        make_program(&streams[twice], function, dims, passes << twice);
        images[twice] = image_of(&streams[twice]);
        images[twice].memory_initial = images[twice].memory_maximum = 1 << 20;
        if (adead_code_create(&images[twice], &adead_host_default, &code[twice], &failure)) break;
        for (int fused = 0; fused < 2; fused++) {
            if (adead_machine_create(code[twice], &limits, backend, device, &adead_backend_ref, reference_device,
                                     &adead_host_default, &machine[fused][twice], &failure))
                break;
            adead_machine_set_fusion(machine[fused][twice], fused);
            time_of(machine[fused][twice]);
        }
    }
    if (failure.code) {
        fprintf(stderr, "fusion: %s: %s\n", name, failure.message);
        exit(1);
    }
    for (int r = 0; r < rounds; r++)
        for (int fused = 0; fused < 2; fused++) {
            double once = time_of(machine[fused][0]), twice = time_of(machine[fused][1]);
            times[fused][r] = (twice - once) / (double)passes;
        }
    double one = 1e6 * median(times[0]), together = 1e6 * median(times[1]);
    printf("%-28s %10.2f %10.2f   %5.2f\n", name, together, one, one / together);
    fflush(stdout);
    for (int i = 0; i < 4; i++) adead_machine_destroy(machine[i / 2][i % 2]);
    for (int i = 0; i < 2; i++) adead_code_destroy(code[i]);
}

int main(int argc, char **argv)
{
    static const struct { const char *name; body *function; uint64_t dims[3], passes; } cases[] = {
        {"ffn 1x32x128", feed_forward, {1, 32, 128}, 4000},   {"ffn 1x64x256", feed_forward, {1, 64, 256}, 2000},
        {"ffn 8x64x256", feed_forward, {8, 64, 256}, 1000},    {"ffn 64x64x256", feed_forward, {64, 64, 256}, 300},
        {"ffn 64x256x1024", feed_forward, {64, 256, 1024}, 40}, {"ffn 512x512x2048", feed_forward, {512, 512, 2048}, 3},
        {"elements 2 x 4 KiB", elements, {2, 4 << 10}, 20000},   {"elements 4 x 4 KiB", elements, {4, 4 << 10}, 10000},
        {"elements 8 x 4 KiB", elements, {8, 4 << 10}, 5000},    {"elements 16 x 4 KiB", elements, {16, 4 << 10}, 3000},
        {"elements 2 x 64 KiB", elements, {2, 64 << 10}, 2000},  {"elements 8 x 64 KiB", elements, {8, 64 << 10}, 500},
        {"elements 16 x 64 KiB", elements, {16, 64 << 10}, 300}, {"elements 2 x 1 MiB", elements, {2, 1 << 20}, 200},
        {"elements 4 x 1 MiB", elements, {4, 1 << 20}, 100},      {"elements 16 x 1 MiB", elements, {16, 1 << 20}, 30},
        {"elements 2 x 8 MiB", elements, {2, 8 << 20}, 20},       {"elements 16 x 8 MiB", elements, {16, 8 << 20}, 6},
        {"elements 2 x 64 MiB", elements, {2, 64 << 20}, 4},     {"elements 4 x 64 MiB", elements, {4, 64 << 20}, 3},
        {"elements 16 x 64 MiB", elements, {16, 64 << 20}, 2},   {"softmax 16 x 64", softmax, {16, 64}, 3000},
        {"softmax 256 x 256", softmax, {256, 256}, 50},          {"softmax 1024 x 1024", softmax, {1024, 1024}, 30},
        {"softmax 4096 x 4096", softmax, {4096, 4096}, 4},       {"layernorm 16 x 64", layernorm, {16, 64}, 2000},
        {"layernorm 256 x 256", layernorm, {256, 256}, 50},      {"layernorm 1024 x 1024", layernorm, {1024, 1024}, 20},
        {"chain 100 x 4 KiB", chain, {100, 4 << 10}, 20},        {"chain 100 x 64 KiB", chain, {100, 64 << 10}, 10},
        {"chain 100 x 256 KiB", chain, {100, 256 << 10}, 3},
        {"chain 100 x 4 KiB, buffers", chain_in_buffers, {100, 4 << 10}, 30},
        {"chain 100 x 64 KiB, buffers", chain_in_buffers, {100, 64 << 10}, 10},
    };
    if (argc < 4) {
        fprintf(stderr, "usage: fusion BACKEND THREADS ROUNDS [NAME]\n");
        return 2;
    }
    (void)test_run; /* what the harness has beside its streams */
    const char          *colon = strchr(argv[1], ':');
    adead_failure        failure = {0};
    adead_device_options options = {.host = adead_host_default, .threads = (uint32_t)strtoul(argv[2], NULL, 10),
                                    .variant = colon ? colon + 1 : NULL};
    rounds = atoi(argv[3]);
    backend = adead_backend_find(argv[1], colon ? (uint64_t)(colon - argv[1]) : strlen(argv[1]));
    if (!backend || rounds < 1 || rounds > ROUNDS_MAX) return 2;
    if (backend->open(&options, &device, &failure) || adead_backend_ref.open(&options, &reference_device, &failure)) {
        fprintf(stderr, "fusion: %s\n", failure.message);
        return 1;
    }
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        if (argc < 5 || strncmp(cases[i].name, argv[4], strlen(argv[4])) == 0)
            measure(cases[i].name, cases[i].function, cases[i].dims, cases[i].passes);
    backend->close(device);
    adead_backend_ref.close(reference_device);
    return 0;
}
