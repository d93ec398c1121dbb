/* How good the choices of the backend `auto` are where an accelerator is faster, or is not: in virtual time, which passes
 * when a stand-in for the processor or for an accelerator computes or copies, and never else. Costs are measured by
 * adead_tune's own way, on the same clock; then programs of all sizes run at one place alone and where they should, on
 * accelerators of all speeds. A program that is run again and again must take at most 1.05 times as long as at the faster of
 * its places alone, and the first time, when nothing is known of what comes, at most 2.2 times.
 */
#include "backends/auto/auto.h"
#include "tests/harness/test.h"
#include "vm/base/base.h"
#include "vm/base/clock.h"

/* ---- Time ---- */

enum { PROCESSOR, ACCELERATOR, MACHINES };

/* Nanoseconds to start an operation, for a multiplication and addition, a function's element and a plain one; to start a
 * copy, and for each of its bytes. */
typedef struct machine { double start, product, function, array, copy, byte; } machine;

static struct { double now; machine machines[MACHINES]; } world;

/* In place of the host's: nothing of the library is told another time. */
uint64_t adead_clock_ns(void) { return (uint64_t)world.now; }

static double duration(const machine *m, const adead_tensor_op *op)
{
    double a = (double)op->dims[0], b = (double)op->dims[1], c = (double)op->dims[2];
    switch (op->kind) {
    case ADEAD_TENSOR_MATMUL: return m->product * a * b * c;
    case ADEAD_TENSOR_MATMUL_I8: return m->product * a * b * c / 4;
    case ADEAD_TENSOR_MULTIHEAD: return m->product * 2 * a * a * b;
    case ADEAD_TENSOR_GELU: return m->function * a;
    case ADEAD_TENSOR_LAYERNORM:
    case ADEAD_TENSOR_SOFTMAX: return m->function * a * b;
    default: return m->array * a;
    }
}

/* ---- Two machines ---- */

static const adead_backend *processor_backend(void) { return adead_backend_find("cpu", 3); }

/* Memory that nobody looks into, but for what comes out at the end: of the accelerator's there is none. */
static adead_status make(uint64_t bytes, bool host, adead_memory **out)
{
    adead_memory *memory = calloc(1, sizeof *memory);
    memory->bytes = bytes;
    memory->host = host ? calloc(1, (size_t)bytes) : NULL;
    *out = memory;
    return ADEAD_OK;
}

static adead_status alloc_here(adead_device *device, uint64_t bytes, adead_memory **out, adead_failure *failure)
{
    (void)device, (void)failure;
    return make(bytes, true, out);
}

static adead_status alloc_there(adead_device *device, uint64_t bytes, adead_memory **out, adead_failure *failure)
{
    (void)device, (void)failure;
    return make(bytes, false, out);
}

static void give_back(adead_device *device, adead_memory *memory)
{
    (void)device;
    free(memory->host);
    free(memory);
}

static adead_status run_here(adead_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    const machine *m = &world.machines[PROCESSOR];
    (void)device, (void)failure;
    world.now += m->start + duration(m, op);
    return ADEAD_OK;
}

static adead_status run_there(adead_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    const machine *m = &world.machines[ACCELERATOR];
    (void)device, (void)failure;
    world.now += m->start + duration(m, op);
    return ADEAD_OK;
}

static adead_status copy(uint64_t bytes)
{
    world.now += world.machines[ACCELERATOR].copy + world.machines[ACCELERATOR].byte * (double)bytes;
    return ADEAD_OK;
}

static adead_status upload(adead_device *device, adead_memory *memory, uint64_t offset, const void *data, uint64_t bytes,
                           adead_failure *failure)
{
    (void)device, (void)memory, (void)offset, (void)data, (void)failure;
    return copy(bytes);
}

static adead_status download(adead_device *device, adead_memory *memory, uint64_t offset, void *data, uint64_t bytes,
                             adead_failure *failure)
{
    (void)device, (void)memory, (void)offset, (void)data, (void)failure;
    return copy(bytes);
}

static const adead_backend *chooser(void) { return adead_backend_find("auto", 4); }

/* A device of `auto` whose places are the two; the accelerator is called "ref" in rules. */
static adead_device *open_auto(const char *rules)
{
    static adead_backend here, there;
    adead_device_options options = {.host = adead_host_default, .threads = 1, .variant = rules};
    adead_device        *device = NULL;
    if (chooser()->open(&options, &device, NULL) != ADEAD_OK) abort();
    here = *processor_backend();
    here.alloc = alloc_here, here.free = give_back, here.run = run_here, here.supports = NULL;
    there = *adead_backends[0];
    there.alloc = alloc_there, there.free = give_back, there.run = run_there;
    there.upload = upload, there.download = download;
    ((adead_auto *)device)->places[0].backend = &here;
    ((adead_auto *)device)->places[1].backend = &there;
    return device;
}

/* ---- Programs ---- */

enum { MEMORIES = 64 };

typedef struct program {
    adead_device *device;
    adead_memory *memories[MEMORIES];
    int           count;
} program;

static adead_memory *keep(program *p, adead_memory *memory)
{
    if (p->count == MEMORIES) abort();
    return p->memories[p->count++] = memory;
}

/* An input: floats that are lent. */
static adead_memory *input(program *p, uint64_t floats)
{
    static float  none[1 << 20];
    adead_memory *memory = NULL;
    if (4 * floats > sizeof none || chooser()->lend(p->device, none, 4 * floats, &memory, NULL) != ADEAD_OK) abort();
    return keep(p, memory);
}

static adead_memory *buffer(program *p, uint64_t floats)
{
    adead_memory *memory = NULL;
    if (chooser()->alloc(p->device, 4 * floats, &memory, NULL) != ADEAD_OK) abort();
    return keep(p, memory);
}

static void run(program *p, adead_tensor_op op, adead_memory *const *memories, int count)
{
    for (int i = 0; i < count; i++) op.operands[i] = (adead_slice){memories[i], 0, memories[i]->bytes};
    if (chooser()->run(p->device, &op, NULL) != ADEAD_OK) abort();
}
#define RUN(p, name, dims_, ...)                                                                            \
    run(p, (adead_tensor_op){.kind = ADEAD_TENSOR_##name, .dims = dims_}, (adead_memory *const[]){__VA_ARGS__}, \
        (int)(sizeof((adead_memory *const[]){__VA_ARGS__}) / sizeof(adead_memory *)))
#define D(...) {__VA_ARGS__}

/* The host looks at a result. */
static void look(program *p, adead_memory *result)
{
    if (result->host) return;
    void *bytes = malloc((size_t)result->bytes);
    if (chooser()->download(p->device, result, 0, bytes, result->bytes, NULL) != ADEAD_OK) abort();
    free(bytes);
}

static void end(program *p, adead_memory *result)
{
    look(p, result);
    for (int i = 0; i < p->count; i++) chooser()->free(p->device, p->memories[i]);
    p->count = 0;
}

/* Two blocks of a transformer of d columns on 64 rows. */
static void transformer(adead_device *device, uint64_t d)
{
    program       p = {.device = device};
    uint64_t      rows = 64, all = rows * d;
    adead_memory *x = input(&p, all), *gamma = input(&p, d), *beta = input(&p, d), *normal = buffer(&p, all);
    adead_memory *q = buffer(&p, all), *k = buffer(&p, all), *v = buffer(&p, all), *seen = buffer(&p, all);
    adead_memory *inner = buffer(&p, 4 * all), *y = buffer(&p, all);
    for (int block = 0; block < 2; block++) {
        adead_memory *wq = input(&p, d * d), *wk = input(&p, d * d), *wv = input(&p, d * d), *wo = input(&p, d * d);
        adead_memory *up = input(&p, 4 * d * d), *down = input(&p, 4 * d * d);
        RUN(&p, LAYERNORM, D(rows, d), x, gamma, beta, normal);
        RUN(&p, MATMUL, D(rows, d, d), normal, wq, q);
        RUN(&p, MATMUL, D(rows, d, d), normal, wk, k);
        RUN(&p, MATMUL, D(rows, d, d), normal, wv, v);
        RUN(&p, MULTIHEAD, D(rows, d, 4), q, k, v, seen);
        RUN(&p, MATMUL, D(rows, d, d), seen, wo, normal);
        RUN(&p, ADD, D(all), x, normal, y);
        RUN(&p, LAYERNORM, D(rows, d), y, gamma, beta, normal);
        RUN(&p, MATMUL, D(rows, 4 * d, d), normal, up, inner);
        RUN(&p, GELU, D(4 * all), inner, inner);
        RUN(&p, MATMUL, D(rows, d, 4 * d), inner, down, normal);
        RUN(&p, ADD, D(all), y, normal, y);
        x = y;
    }
    end(&p, y);
}

/* A network of one hidden layer on so many rows, as in hex/programs/digits.asm. */
static void digits(adead_device *device, uint64_t rows)
{
    program       p = {.device = device};
    adead_memory *x = input(&p, rows * 64), *w1 = input(&p, 64 * 48), *w2 = input(&p, 48 * 10);
    adead_memory *hidden = buffer(&p, rows * 48), *y = buffer(&p, rows * 10);
    RUN(&p, MATMUL, D(rows, 48, 64), x, w1, hidden);
    RUN(&p, RELU, D(rows * 48), hidden, hidden);
    RUN(&p, MATMUL, D(rows, 10, 48), hidden, w2, y);
    RUN(&p, SOFTMAX, D(rows, 10), y, y);
    end(&p, y);
}

/* Thirty operations on one array, one after the other, and half of them functions. */
static void chain(adead_device *device, uint64_t floats)
{
    program       p = {.device = device};
    adead_memory *x = input(&p, floats), *y = buffer(&p, floats);
    for (int i = 0; i < 30; i++) {
        adead_memory *from = i ? y : x;
        if (i % 2) RUN(&p, GELU, D(floats), from, y);
        else RUN(&p, RELU, D(floats), from, y);
    }
    end(&p, y);
}

/* Operations that have nothing to do with one another: what one learns from them is nothing. */
static void apart(adead_device *device, uint64_t d)
{
    program       p = {.device = device};
    adead_memory *a = input(&p, d * d), *b = input(&p, d * d), *c = buffer(&p, d * d);
    RUN(&p, MATMUL, D(d, d, d), a, b, c);
    adead_memory *sum = buffer(&p, d * d);
    RUN(&p, ADD, D(d * d), a, b, sum);
    look(&p, c);
    end(&p, sum);
}

static const struct { const char *name; void (*run)(adead_device *device, uint64_t size); uint64_t sizes[4]; } programs[] = {
    {"transformer", transformer, {16, 64, 256, 512}},
    {"digits", digits, {1, 64, 1024, 16384}},
    {"chain", chain, {64, 4096, 65536, 1 << 20}},
    {"apart", apart, {16, 64, 256, 1024}},
};

/* ---- Times ---- */

/* Of the accelerators a slow build takes one in so many. */
#if defined(__SANITIZE_ADDRESS__)
enum { STEP = 5 };
#else
enum { STEP = 1 };
#endif
enum { SETTLING = 9, AGAIN = 4 };

/* Of so many runs, each. */
static double timed(adead_device *device, unsigned program, uint64_t size, int runs)
{
    double since = world.now;
    for (int i = 0; i < runs; i++) programs[program].run(device, size);
    return (world.now - since) / runs;
}

static void the_best_place_alone_is_hardly_better(void)
{
    static const double speeds[] = {0.1, 0.5, 1, 2, 10, 100}, starts[] = {2e3, 20e3, 100e3}, bytes[] = {1, 0.1, 0.02};
    double              worst = 0, worst_first = 0;
    int                 cases = 0, there = 0;
    CHECK_EQ(setenv("ADEAD_CACHE_DIR", "", 1), 0);
    for (unsigned variant = 0; variant < 6 * 3 * 3; variant += STEP) {
        double speed = speeds[variant % 6], start = starts[variant / 6 % 3], byte = bytes[variant / 18];
        world.machines[PROCESSOR] = (machine){40, 0.012, 0.4, 0.1, 0, 0};
        world.machines[ACCELERATOR] = (machine){start, 0.012 / speed, 0.4 / speed, 0.1 / speed, start, byte};
        adead_device *forced[MACHINES] = {open_auto("*=cpu,ref"), open_auto("*=ref")}, *measured = open_auto("ref");
        CHECK_EQ(chooser()->tune(measured, NULL, NULL, NULL), ADEAD_OK);
        for (unsigned p = 0; p < ADEAD_COUNT(programs); p++)
            for (unsigned s = 0; s < 4; s++) {
                uint64_t      size = programs[p].sizes[s];
                adead_device *device = open_auto("ref");
                double        alone[MACHINES], first, later;
                memcpy(((adead_auto *)device)->costs, ((adead_auto *)measured)->costs, sizeof((adead_auto *)device)->costs);
                memcpy(((adead_auto *)device)->small, ((adead_auto *)measured)->small, sizeof((adead_auto *)device)->small);
                for (int m = 0; m < MACHINES; m++) alone[m] = timed(forced[m], p, size, 1);
                first = timed(device, p, size, 1);
                timed(device, p, size, SETTLING);
                later = timed(device, p, size, AGAIN);
                double best = alone[ACCELERATOR] < alone[PROCESSOR] ? alone[ACCELERATOR] : alone[PROCESSOR];
                CHECK(later <= 1.05 * best && first <= 2.2 * best,
                      "%s %d, %gx as fast, %g ns to start, %g ns a byte: %.0f ns on the processor, %.0f there, %.0f at "
                      "first, %.0f later", programs[p].name, (int)size, speed, start, byte, alone[PROCESSOR],
                      alone[ACCELERATOR], first, later);
                if (later / best > worst) worst = later / best;
                if (first / best > worst_first) worst_first = first / best;
                cases++;
                there += alone[ACCELERATOR] < alone[PROCESSOR];
                chooser()->close(device);
            }
        for (int m = 0; m < MACHINES; m++) chooser()->close(forced[m]);
        chooser()->close(measured);
    }
    printf("%d cases, %d of them faster on the accelerator: at most %.3f times the faster place alone, %.3f at first\n",
           cases, there, worst, worst_first);
    CHECK(there > 10 && there < cases - 100);
}

TEST_MAIN("plans", T(the_best_place_alone_is_hardly_better))
