/* The model of costs of the backend `auto`: what an operation takes at a place is a time for starting anything there, a time
 * for each step of its work (tensor.def), by class of operation, and a time for each byte that must be copied. The numbers
 * are measured by adead_auto_tune, and kept on disk for this processor and these devices. They decide where something
 * runs, never what comes out.
 */
#include "auto.h"

#include "backends/device_cache.h"
#include "backends/operands.h"

#include "vm/base/base.h"
#include "vm/base/clock.h"
#include "vm/base/cpu.h"
#include "vm/base/sha256.h"

#include <math.h> /* sqrt alone, which is exact */
#include <stdio.h>

/* ---- The model ---- */

static adead_auto_class class_of(adead_tensor_kind kind)
{
    switch (kind) {
    case ADEAD_TENSOR_MATMUL:
    case ADEAD_TENSOR_MATMUL_EX:
    case ADEAD_TENSOR_MATMUL_STRIDED:
    case ADEAD_TENSOR_MATMUL_F16:
    case ADEAD_TENSOR_MATMUL_BF16:
    case ADEAD_TENSOR_ATTENTION:
    case ADEAD_TENSOR_MULTIHEAD:
    case ADEAD_TENSOR_FFN: return ADEAD_AUTO_PRODUCTS;
    case ADEAD_TENSOR_MATMUL_I8:
    case ADEAD_TENSOR_MATMUL_I8_EX: return ADEAD_AUTO_PRODUCTS_I8;
    case ADEAD_TENSOR_SIGMOID:
    case ADEAD_TENSOR_TANH:
    case ADEAD_TENSOR_GELU:
    case ADEAD_TENSOR_GELU_TANH:
    case ADEAD_TENSOR_SILU:
    case ADEAD_TENSOR_EXP:
    case ADEAD_TENSOR_LOG:
    case ADEAD_TENSOR_SIN:
    case ADEAD_TENSOR_COS:
    case ADEAD_TENSOR_ERF:
    case ADEAD_TENSOR_SOFTMAX:
    case ADEAD_TENSOR_LAYERNORM: return ADEAD_AUTO_FUNCTIONS;
    default: return ADEAD_AUTO_ARRAYS;
    }
}

/* Two products are a step of what counts 4 operations for one. */
#define STEPS(flops) ((flops) == 4 ? 2 : 1)

static double work_of(const adead_tensor_op *op)
{
#define P1(a) (double)op->dims[a]
#define P2(a, b) P1(a) * P1(b)
#define P3(a, b, c) P2(a, b) * P1(c)
#define P4(a, b, c, d) P3(a, b, c) * P1(d)
    switch (op->kind) {
#define TENSOR(name, dims, scalars, work, flops, formula, operands) case ADEAD_TENSOR_##name: return (work) * STEPS(flops);
#include "vm/tensor.def"
#undef TENSOR
    default: return 0;
    }
#undef P1
#undef P2
#undef P3
#undef P4
}

double adead_auto_predict_copy(const adead_auto *device, uint32_t valid, uint32_t place, uint64_t bytes)
{
    const adead_auto_costs *to = &device->costs[place], *from;
    double                  time = 0;
    if (valid & 1u << place) return 0;
    from = &device->costs[adead_auto_home_of(valid)];
    if (!(valid & 1u << ADEAD_AUTO_PROCESSOR)) time = from->download_start + (double)bytes * from->download;
    return place == ADEAD_AUTO_PROCESSOR ? time : time + to->upload_start + (double)bytes * to->upload;
}

double adead_auto_predict(const adead_auto *device, uint32_t place, const adead_tensor_op *op, uint32_t plan)
{
    uint32_t                operands = adead_operands_of(op->kind);
    const adead_auto_costs *costs = &device->costs[place];
    if (!costs->known) return -1;
    double time = costs->start + costs->step[class_of(op->kind)] * work_of(op);
    for (uint32_t i = 0; i < operands; i++) {
        const adead_slice *slice = &op->operands[i];
        if (!slice->memory) continue;
        const adead_auto_memory *memory = adead_auto_memory_of(device, slice->memory);
        bool                     last = i + 1 == operands;
        if (memory) {
            uint32_t valid = plan == ADEAD_AUTO_NOW ? memory->where.valid : memory->where.planned[plan];
            if (!adead_auto_seen_before(op, i) && adead_auto_needs_value(op, i))
                time += adead_auto_predict_copy(device, valid, place, memory->memory.bytes);
        } else if (place != ADEAD_AUTO_PROCESSOR) { /* the host's: there and back */
            time += last ? costs->download_start + (double)slice->bytes * costs->download
                         : costs->upload_start + (double)slice->bytes * costs->upload;
        }
    }
    return time;
}

/* From how many bytes of its largest operand on an operation may take longer on the processor than merely starting one
 * elsewhere does: below it nothing else is looked at. */
static void set_small(adead_auto *device)
{
    const adead_auto_costs *processor = &device->costs[ADEAD_AUTO_PROCESSOR];
    double                  start = -1;
    for (uint32_t p = 1; p < device->place_count; p++)
        if (device->costs[p].known && (start < 0 || device->costs[p].start < start)) start = device->costs[p].start;
    if (!processor->known || start < 0) return;
    for (unsigned kind = 0; kind < ADEAD_TENSOR_COUNT; kind++) {
        adead_auto_class class = class_of((adead_tensor_kind)kind);
        double           steps = start / processor->step[class], elements = steps;
        if (class == ADEAD_AUTO_PRODUCTS || class == ADEAD_AUTO_PRODUCTS_I8) { /* at most elements^1.5 steps */
            double low = 1, high = 1e12;
            for (int i = 0; i < 60; i++) {
                double middle = sqrt(low * high);
                if (middle * sqrt(middle) < steps) low = middle;
                else high = middle;
            }
            elements = low;
        }
        double bytes = elements * (class == ADEAD_AUTO_PRODUCTS_I8 ? 1 : 4);
        device->small[kind] = bytes < 1e18 ? (uint64_t)bytes + 1 : UINT64_MAX;
    }
}

/* ---- Keeping ---- */

enum { MAGIC = 0x32545541, NAME_ROOM = 64 };

/* What is kept of a place. */
typedef struct kept_place {
    char             backend[16];
    char             device[128]; /* as it describes itself */
    adead_auto_costs costs;
} kept_place;
typedef struct kept { uint32_t magic, places; kept_place place[ADEAD_AUTO_PLACES]; } kept;

/* The file for this processor and so many threads. */
static void file_name(const adead_auto *device, char name[NAME_ROOM])
{
    char         text[384];
    uint8_t      digest[32];
    adead_sha256 sha;
    adead_cpu_describe(text, sizeof text - 32);
    snprintf(text + strlen(text), 32, " %u", (unsigned)device->threads);
    adead_sha256_init(&sha);
    adead_sha256_update(&sha, text, strlen(text));
    adead_sha256_final(&sha, digest);
    snprintf(name, NAME_ROOM, "tune-%s-%02x%02x%02x%02x%02x%02x", ADEAD_VERSION, digest[0], digest[1], digest[2], digest[3],
             digest[4], digest[5]);
}

static void identify(const adead_auto *device, uint32_t place, kept_place *out)
{
    const adead_auto_place *p = &device->places[place];
    adead_backend_facts     facts;
    memset(out, 0, sizeof *out);
    p->backend->describe(p->device, &facts);
    snprintf(out->backend, sizeof out->backend, "%s", p->backend->name);
    snprintf(out->device, sizeof out->device, "%s", facts.device);
}

static bool is_same(const kept_place *a, const kept_place *b)
{
    return memcmp(a->backend, b->backend, sizeof a->backend) == 0 && memcmp(a->device, b->device, sizeof a->device) == 0;
}

static bool plausible(const adead_auto_costs *costs)
{
    const double *all[] = {&costs->start, &costs->upload, &costs->download, &costs->upload_start, &costs->download_start};
    bool          good = costs->known == 1;
    for (unsigned i = 0; i < ADEAD_COUNT(all); i++) good = good && *all[i] >= 0 && *all[i] < 1e9;
    for (unsigned i = 0; i < ADEAD_AUTO_CLASSES; i++) good = good && costs->step[i] > 0 && costs->step[i] < 1e9;
    return good;
}

/* A file that is whole is believed if its numbers can be times. */
static bool load(const adead_auto *device, const char *name, kept *file)
{
    bool good = adead_cache_load(&device->host, name, file, sizeof *file) && file->magic == MAGIC &&
                file->places <= ADEAD_AUTO_PLACES;
    for (uint32_t i = 0; good && i < file->places; i++) good = plausible(&file->place[i].costs);
    return good;
}

void adead_auto_load_costs(adead_auto *device)
{
    char name[NAME_ROOM];
    kept file;
    file_name(device, name);
    if (!load(device, name, &file)) return;
    for (uint32_t p = 0; p < device->place_count; p++) {
        kept_place now;
        identify(device, p, &now);
        for (uint32_t i = 0; i < file.places; i++)
            if (is_same(&file.place[i], &now)) device->costs[p] = file.place[i].costs;
    }
    set_small(device);
}

/* ---- Measuring ---- */

#define TUNE_LONG_NS 10000000.0 /* long enough to be measured once it is warm */

typedef struct trial {
    const adead_auto_place *place;
    adead_memory           *memory[3];
    adead_failure          *failure;
} trial;

static adead_status make_memory(trial *t, uint64_t bytes)
{
    adead_status status = ADEAD_OK;
    for (int i = 0; i < 3 && !status; i++)
        status = t->place->backend->alloc(t->place->device, bytes, &t->memory[i], t->failure);
    return status;
}

static void free_memory(trial *t)
{
    for (int i = 0; i < 3; i++)
        if (t->memory[i]) t->place->backend->free(t->place->device, t->memory[i]);
    memset(t->memory, 0, sizeof t->memory);
}

static adead_status run_once(const trial *t, const adead_tensor_op *op, double *nanoseconds)
{
    const adead_backend *backend = t->place->backend;
    uint64_t             since = adead_clock_ns();
    adead_status         status = backend->run(t->place->device, op, t->failure);
    if (!status && backend->sync) status = backend->sync(t->place->device, t->failure);
    *nanoseconds = (double)(adead_clock_ns() - since);
    return status;
}

/* The least of several runs, after one that may have had things to make ready. */
static adead_status time_of(const trial *t, const adead_tensor_op *op, int runs, double *least)
{
    adead_status status = run_once(t, op, least);
    *least = 1e18;
    for (int i = 0; i < runs && !status; i++) {
        double now;
        status = run_once(t, op, &now);
        if (!status && now < *least) *least = now;
    }
    return status;
}

/* A square product of matrices, or an operation on arrays, of `size` elements a side. */
static adead_tensor_op example(const trial *t, adead_auto_class class, uint64_t size)
{
    static const adead_tensor_kind kinds[ADEAD_AUTO_CLASSES] = {ADEAD_TENSOR_MATMUL, ADEAD_TENSOR_MATMUL_I8,
                                                                ADEAD_TENSOR_GELU, ADEAD_TENSOR_ADD};
    adead_tensor_op op = {.kind = kinds[class], .dims = {size, size, size}};
    bool            product = class == ADEAD_AUTO_PRODUCTS || class == ADEAD_AUTO_PRODUCTS_I8;
    uint64_t        elements = product ? size * size : size;
    for (int i = 0; i < (class == ADEAD_AUTO_FUNCTIONS ? 2 : 3); i++)
        op.operands[i] = (adead_slice){t->memory[i], 0, 4 * elements};
    if (class == ADEAD_AUTO_PRODUCTS_I8) op.operands[0].bytes = op.operands[1].bytes = elements;
    return op;
}

/* Doubles the size until it takes long enough. */
static adead_status measure_class(trial *t, adead_auto_class class, adead_auto_costs *costs)
{
    bool         product = class == ADEAD_AUTO_PRODUCTS || class == ADEAD_AUTO_PRODUCTS_I8;
    uint64_t     size = product ? 128 : 1 << 16, most = product ? 4096 : 1 << 24;
    double       time = 0, work = 1;
    adead_status status = ADEAD_OK;
    for (; !status && size <= most && time < TUNE_LONG_NS; size *= 2) {
        status = make_memory(t, 4 * (product ? size * size : size));
        if (!status) {
            adead_tensor_op op = example(t, class, size);
            work = work_of(&op);
            status = time_of(t, &op, time < TUNE_LONG_NS / 100 ? 3 : 2, &time);
        }
        free_memory(t);
    }
    costs->step[class] = (time > costs->start ? time - costs->start : time) / work;
    return status;
}

/* Copies of so many bytes each way: the least of several times. */
static adead_status time_copies(trial *t, void *data, uint64_t bytes, int runs, double *up, double *down)
{
    const adead_backend *backend = t->place->backend;
    adead_status         status = ADEAD_OK;
    for (int i = 0; i < runs && !status; i++) {
        uint64_t since = adead_clock_ns(), between, end;
        status = backend->upload(t->place->device, t->memory[0], 0, data, bytes, t->failure);
        if (!status && backend->sync) status = backend->sync(t->place->device, t->failure);
        between = adead_clock_ns();
        if (!status) status = backend->download(t->place->device, t->memory[0], 0, data, bytes, t->failure);
        end = adead_clock_ns();
        if (i == 0 || (double)(between - since) < *up) *up = (double)(between - since);
        if (i == 0 || (double)(end - between) < *down) *down = (double)(end - between);
    }
    return status;
}

static adead_status measure_copies(trial *t, const adead_host *host, adead_auto_costs *costs)
{
    enum { BYTES = 16 << 20, FEW = 64 };
    double up = 0, down = 0;
    if (!t->place->backend->upload) return ADEAD_OK;
    void        *data = host->allocate(host->context, BYTES);
    adead_status status = data ? make_memory(t, BYTES)
                               : adead_fail(t->failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory to measure copies");
    if (!status) status = time_copies(t, data, FEW, 10, &costs->upload_start, &costs->download_start);
    if (!status) status = time_copies(t, data, BYTES, 3, &up, &down);
    costs->upload = (up > costs->upload_start ? up - costs->upload_start : up) / BYTES;
    costs->download = (down > costs->download_start ? down - costs->download_start : down) / BYTES;
    free_memory(t);
    if (data) host->release(host->context, data, BYTES);
    return status;
}

static adead_status measure(adead_auto *device, uint32_t place, adead_auto_costs *costs, adead_failure *failure)
{
    trial        t = {.place = &device->places[place], .failure = failure};
    adead_status status = make_memory(&t, 256);
    *costs = (adead_auto_costs){.known = 1};
    if (!status) {
        adead_tensor_op op = example(&t, ADEAD_AUTO_ARRAYS, 64);
        status = time_of(&t, &op, 20, &costs->start);
    }
    free_memory(&t);
    for (unsigned class = 0; class < ADEAD_AUTO_CLASSES && !status; class++)
        status = measure_class(&t, (adead_auto_class)class, costs);
    return status ? status : measure_copies(&t, &device->host, costs);
}

/* What is known of others than those that were measured now stays. */
static void add_kept(const adead_auto *device, const char *name, kept *file)
{
    kept before;
    if (!load(device, name, &before)) return;
    for (uint32_t i = 0; i < before.places && file->places < ADEAD_AUTO_PLACES; i++) {
        bool measured = false;
        for (uint32_t k = 0; k < file->places; k++) measured = measured || is_same(&file->place[k], &before.place[i]);
        if (!measured) file->place[file->places++] = before.place[i];
    }
}

adead_status adead_auto_tune(adead_auto *device, adead_tune_report *report, void *context, adead_failure *failure)
{
    char         name[NAME_ROOM];
    kept         file = {.magic = MAGIC, .places = device->place_count};
    adead_status status = ADEAD_OK;
    for (uint32_t p = 0; p < device->place_count && !status; p++) {
        adead_tune_line line = {.backend = device->places[p].backend->name};
        identify(device, p, &file.place[p]);
        status = measure(device, p, &device->costs[p], failure);
        if (status) continue;
        const adead_auto_costs *costs = &device->costs[p];
        file.place[p].costs = *costs;
        line.start = costs->start;
        line.product = 2 / costs->step[ADEAD_AUTO_PRODUCTS];
        line.product_i8 = 2 / costs->step[ADEAD_AUTO_PRODUCTS_I8];
        line.function = 1 / costs->step[ADEAD_AUTO_FUNCTIONS];
        line.array = 1 / costs->step[ADEAD_AUTO_ARRAYS];
        line.upload = costs->upload > 0 ? 1 / costs->upload : 0;
        line.download = costs->download > 0 ? 1 / costs->download : 0;
        if (report) report(context, &line);
    }
    if (status) return status;
    set_small(device);
    file_name(device, name);
    add_kept(device, name, &file);
    adead_cache_store(name, &file, sizeof file);
    return ADEAD_OK;
}
