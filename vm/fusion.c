/* Fusion: tensor instructions that follow each other run together, with the bits, fuel and traps of one after the other.
 *
 * An instruction is checked and paid for when it is executed, as ever. If another tensor instruction follows, and before it
 * nothing that looks at memory, can trap, or leads elsewhere (`silent` below), nobody can tell whether its operation has
 * run: it waits. The last one of such a group gives all of them to the device at once. When one of them traps, those
 * before it run first; when one fails as it runs, the task is put back to where it was. Somebody who watches a run sees
 * every operation by itself.
 *
 * A group that begins at the same instruction again, with the same numbers in the registers that its instructions read, and
 * while no buffer has changed, is known: its operations are the same, and so is what was found when they were checked. They
 * are paid for, and run.
 *
 * A product, a bias and an activation that work in place become one operation here, for every backend; what else can be
 * gained is the backend's affair (run_many in backend.h).
 */
#include "vm/machine.h"
#include "vm/tensor.h"

/* Silent instructions that may lie between two operations; groups that a task keeps; registers that an instruction reads. */
enum { SILENT_MAX = 32, GROUPS = 8, REGISTERS_MAX = ADEAD_TENSOR_OPERANDS + ADEAD_TENSOR_DIMS };

/* An instruction of a group, and its operation. */
typedef struct member {
    const adead_step *pc;
    int64_t           fuel; /* when it was paid for */
    uint64_t          work;
    uint32_t          register_count;
    bool              waits; /* another one follows */
    uint16_t          registers[REGISTERS_MAX];
    uint64_t          values[REGISTERS_MAX]; /* that were in them */
    adead_tensor_op   op;
} member;

typedef struct group {
    uint64_t          changes; /* task->buffer_changes of which `known` members hold */
    uint32_t          known, count; /* count: those that wait */
    adead_tensor_plan plan;
    member            members[ADEAD_RUN_MAX];
} group;

/* Groups by their first instruction; what was met once has no room of its own yet. */
struct adead_pending {
    group   *current, *once; /* current: in which operations wait, or NULL */
    uint32_t next;           /* slot that is given up next */
    struct {
        const adead_step *pc;
        group            *group;
    } slots[GROUPS];
};

/* Work with registers and nothing else, whatever is in them. */
enum {
    SILENT_CONTROL, SILENT_MEMORY, SILENT_DEVICE, SILENT_IO, SILENT_TASK, SILENT_TENSOR, SILENT_VULKAN,
    SILENT_INTEGER, SILENT_FLOAT, SILENT_CONVERT, SILENT_MOVE, SILENT_FIRST = SILENT_INTEGER
};
static const bool silent[ADEAD_OP_COUNT] = {
#define OP(value, name, mnemonic, operands, flags, class, tensor, effect) \
    (flags) == OPF_NONE && SILENT_##class >= SILENT_FIRST,
#include "opcodes/opcodes.def"
#undef OP
};

/* ---- Product, bias, activation ---- */

static bool same_place(const adead_slice *a, const adead_slice *b)
{
    return a->memory == b->memory && a->offset == b->offset && a->bytes == b->bytes;
}

/* The activation that an operation is as part of a product, or NONE. */
static adead_activation activation_of(adead_tensor_kind kind)
{
    switch (kind) {
    case ADEAD_TENSOR_RELU: return ADEAD_ACTIVATION_RELU;
    case ADEAD_TENSOR_SIGMOID: return ADEAD_ACTIVATION_SIGMOID;
    case ADEAD_TENSOR_TANH: return ADEAD_ACTIVATION_TANH;
    case ADEAD_TENSOR_GELU: return ADEAD_ACTIVATION_GELU;
    case ADEAD_TENSOR_GELU_TANH: return ADEAD_ACTIVATION_GELU_TANH;
    case ADEAD_TENSOR_SILU: return ADEAD_ACTIVATION_SILU;
    default: return ADEAD_ACTIVATION_NONE;
    }
}

/* Makes `next` part of the product before it, where it works on the product's result in place: an activation, or, where the
 * result is one row, the addition of a bias. False: it is something else. */
static bool take_in(adead_tensor_op *product, const adead_tensor_op *next)
{
    bool plain = product->kind == ADEAD_TENSOR_MATMUL;
    if (!plain && (product->kind != ADEAD_TENSOR_MATMUL_EX || product->activation)) return false;
    adead_slice      out = product->operands[plain ? 2 : 3], bias = plain ? (adead_slice){0} : product->operands[2];
    adead_activation activation = activation_of(next->kind);
    if (activation) {
        if (!same_place(&next->operands[0], &out) || !same_place(&next->operands[1], &out)) return false;
    } else {
        if (next->kind != ADEAD_TENSOR_ADD || product->dims[0] != 1 || bias.memory) return false;
        bool second = same_place(&next->operands[0], &out); /* the bias is the second operand */
        bias = next->operands[second];
        if (!same_place(&next->operands[!second], &out) || !same_place(&next->operands[2], &out) || same_place(&bias, &out))
            return false;
    }
    product->kind = ADEAD_TENSOR_MATMUL_EX;
    product->activation = activation;
    product->operands[2] = bias;
    product->operands[3] = out;
    if (bias.memory) product->flags |= ADEAD_BIAS;
    return true;
}

void adead_tensor_plan_add(adead_tensor_plan *plan, const adead_backend *backend, const adead_tensor_op *op)
{
    uint32_t added = plan->added++;
    if (op->operands[adead_tensor_row_of(op->kind)->operand_count - 1].bytes == 0) return;
    /* What a backend supports may not be what comes of it. */
    if (!backend->supports && plan->count && take_in(&plan->ops[plan->count - 1], op)) return;
    plan->ops[plan->count] = *op;
    plan->origin[plan->count++] = (uint8_t)added;
}

/* ---- Running a plan ---- */

/* The backends and devices that a plan runs on. */
typedef struct where {
    const adead_backend *backend, *reference;
    adead_device        *device, *reference_device;
} where;

/* *i: the operation that failed, or `count`. */
static adead_status run_ops(const where *w, const adead_tensor_op *ops, uint32_t count, uint32_t *i, adead_failure *failure)
{
    adead_status status = ADEAD_OK;
    *i = 0;
    if (w->backend->run_many && count > 1 && !w->backend->supports)
        return w->backend->run_many(w->device, ops, count, i, failure);
    for (; *i < count; ++*i) {
        status = adead_tensor_run_checked(w->backend, w->device, w->reference, w->reference_device, &ops[*i], failure);
        if (status) break;
    }
    return status;
}

/* Bytes of the host's memory that operations of a plan use, no two of which overlap, and memory of the device for them. */
typedef struct region {
    adead_memory *host, *there;
    uint64_t      from, to;
    bool          written;
} region;

enum { REGIONS_MAX = 16 };

/* Is the operand in memory of the host's, while the device has its own? */
static bool is_foreign(const adead_slice *slice) { return slice->memory && slice->memory->host && !slice->memory->owner; }

/* Adds an operand to the regions; false: there is no room for another. */
static bool add_region(region *regions, uint32_t *count, const adead_slice *slice, bool written)
{
    region r = {slice->memory, NULL, slice->offset, slice->offset + slice->bytes, written};
    for (uint32_t i = 0; i < *count;) {
        const region *other = &regions[i];
        if (other->host != r.host || other->to <= r.from || r.to <= other->from) {
            i++;
            continue;
        }
        r.from = adead_min_u64(r.from, other->from);
        r.to = adead_max_u64(r.to, other->to);
        r.written |= other->written;
        regions[i] = regions[--*count];
    }
    if (*count == REGIONS_MAX) return false;
    regions[(*count)++] = r;
    return true;
}

/* What a plan uses of the host's memory; 0: nothing, or too much in pieces. */
static uint32_t find_regions(const adead_tensor_plan *plan, region *regions)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->count; i++) {
        uint32_t operands = adead_tensor_row_of(plan->ops[i].kind)->operand_count;
        for (uint32_t o = 0; o < operands; o++) {
            const adead_slice *slice = &plan->ops[i].operands[o];
            if (is_foreign(slice) && slice->bytes && !add_region(regions, &count, slice, o + 1 == operands)) return 0;
        }
    }
    return count;
}

static adead_status bring_regions(const where *w, region *regions, uint32_t count)
{
    adead_status status = ADEAD_OK;
    for (uint32_t i = 0; i < count && !status; i++) {
        region  *r = &regions[i];
        uint64_t bytes = r->to - r->from;
        status = w->backend->alloc(w->device, bytes, &r->there, NULL);
        if (!status) status = w->backend->upload(w->device, r->there, 0, (char *)r->host->host + r->from, bytes, NULL);
    }
    return status;
}

/* With a copy of what is the host's on the device: there and back once, not for each operation. */
static adead_status run_brought(const where *w, const adead_tensor_plan *plan, region *regions, uint32_t count, uint32_t *i,
                                adead_failure *failure)
{
    adead_tensor_op ops[ADEAD_RUN_MAX];
    memcpy(ops, plan->ops, plan->count * sizeof *ops);
    for (uint32_t o = 0; o < plan->count * ADEAD_TENSOR_OPERANDS; o++) {
        adead_slice *slice = &ops[o / ADEAD_TENSOR_OPERANDS].operands[o % ADEAD_TENSOR_OPERANDS];
        for (const region *r = regions; r < regions + count && is_foreign(slice); r++) {
            if (r->host != slice->memory || slice->offset < r->from || slice->offset >= r->to) continue;
            slice->memory = r->there;
            slice->offset -= r->from;
            break;
        }
    }
    adead_status status = run_ops(w, ops, plan->count, i, failure);
    for (const region *r = regions; r < regions + count; r++) {
        adead_status back = ADEAD_OK;
        if (r->written)
            back = w->backend->download(w->device, r->there, 0, (char *)r->host->host + r->from, r->to - r->from,
                                        status ? NULL : failure);
        if (!back || status) continue;
        status = back;
        *i = 0;
    }
    return status;
}

/* On a device with memory of its own. Where that has no room for copies, each operation brings its own. */
static adead_status run_on_device(const where *w, const adead_tensor_plan *plan, uint32_t *i, adead_failure *failure)
{
    region       regions[REGIONS_MAX] = {0};
    uint32_t     count = find_regions(plan, regions);
    bool         brought = count && bring_regions(w, regions, count) == ADEAD_OK;
    adead_status status = brought ? run_brought(w, plan, regions, count, i, failure)
                                  : run_ops(w, plan->ops, plan->count, i, failure);
    for (uint32_t r = 0; r < count; r++)
        if (regions[r].there) w->backend->free(w->device, regions[r].there);
    return status;
}

adead_status adead_tensor_plan_run(const adead_tensor_plan *plan, const adead_backend *backend, adead_device *device,
                                   const adead_backend *reference, adead_device *reference_device, uint32_t *done,
                                   adead_failure *failure)
{
    const where  w = {backend, reference, device, reference_device};
    uint32_t     i;
    adead_status status;
    if (plan->count < 2 || !backend->upload || backend->explain) /* who chooses places brings what is needed there */
        status = run_ops(&w, plan->ops, plan->count, &i, failure);
    else status = run_on_device(&w, plan, &i, failure);
    *done = status ? plan->origin[i] : plan->added;
    return status;
}

/* ---- Groups ---- */

/* Is the instruction at which the task stands followed by another tensor instruction, and by nothing before that which could
 * tell whether its operation has run? A function's last instruction is not silent. */
static bool another_follows(const adead_task *task)
{
    const adead_translation *t = task->translation;
    const uint16_t          *op = &task->analysis->ops[t->instructions[task->pc - t->steps]];
    for (uint32_t i = 0; i <= SILENT_MAX; i++) {
        if (adead_tensor_of((adead_op) * ++op) != ADEAD_TENSOR_NONE) return true;
        if (!silent[*op]) return false;
    }
    return false;
}

static group *new_group(const adead_machine *machine)
{
    group *g = machine->host.allocate(machine->host.context, sizeof *g);
    if (g) g->known = g->count = g->plan.added = g->plan.count = 0;
    return g;
}

/* The group that begins where the task stands; NULL: the operation is one by itself. Where the host has no memory left, all
 * are. */
static group *begin_group(adead_task *task)
{
    adead_machine        *machine = task->machine;
    struct adead_pending *p = task->pending;
    group                *g = NULL;
    if (!p) {
        p = task->pending = machine->host.allocate(machine->host.context, sizeof *p);
        if (!p) return NULL;
        *p = (struct adead_pending){0};
    }
    uint32_t slot = 0;
    while (slot < GROUPS && p->slots[slot].pc != task->pc) slot++;
    if (slot < GROUPS) { /* not the first time */
        if (!p->slots[slot].group) p->slots[slot].group = new_group(machine);
        g = p->slots[slot].group;
    } else {
        slot = p->next++ % GROUPS;
        p->slots[slot].pc = task->pc;
        g = p->slots[slot].group;
        if (!g && another_follows(task)) g = p->once = p->once ? p->once : new_group(machine);
    }
    if (g && g->changes != task->buffer_changes) g->known = 0;
    if (g) g->changes = task->buffer_changes;
    return g;
}

/* Which registers an instruction of a group reads, and what is in them. */
static void note_registers(member *m, const adead_task *task)
{
    adead_instruction in = adead_task_instruction(task);
    uint32_t          word = 0;
    m->register_count = 0;
    for (const char *kind = adead_ops[in.op].operands; *kind; kind++) {
        if (*kind == ADEAD_KIND_TENSOR_READ || *kind == ADEAD_KIND_TENSOR_WRITE || *kind == ADEAD_KIND_DIM_REG ||
            *kind == ADEAD_KIND_SCALAR_REG) {
            m->registers[m->register_count] = (uint16_t)adead_word(&in, word);
            m->values[m->register_count++] = task->r[adead_word(&in, word)];
        }
        word += adead_operand_words(*kind);
    }
}

static bool is_known(const group *g, const member *m, const adead_task *task)
{
    if (g->count >= g->known || m->pc != task->pc) return false;
    for (uint32_t i = 0; i < m->register_count; i++)
        if (task->r[m->registers[i]] != m->values[i]) return false;
    return true;
}

/* The next instruction of a group: checked, or known, and paid for. */
static adead_status add_member(group *g, adead_task *task)
{
    member *m = &g->members[g->count];
    if (is_known(g, m, task)) {
        if (!adead_task_charge(task, m->work)) return ADEAD_OUT_OF_FUEL;
    } else {
        g->known = g->count;
        g->plan.added = g->plan.count = 0; /* it was of others */
        adead_status status = adead_tensor_prepare(task, &m->op);
        if (status) return status;
        m->pc = task->pc;
        m->work = adead_tensor_work(&m->op);
        m->waits = another_follows(task);
        note_registers(m, task);
        g->known++;
    }
    m->fuel = task->fuel;
    g->count++;
    return ADEAD_OK;
}

/* Runs what waits. */
static adead_exit flush(adead_task *task, group *g)
{
    adead_machine *machine = task->machine;
    uint32_t       count = g->count, done;
    g->count = 0;
    task->pending->current = NULL;
    if (g->plan.added != count) {
        g->plan.added = g->plan.count = 0;
        for (uint32_t i = 0; i < count; i++) adead_tensor_plan_add(&g->plan, machine->backend, &g->members[i].op);
    }
    adead_status status = adead_tensor_plan_run(&g->plan, machine->backend, machine->device, machine->reference,
                                                machine->reference_device, &done, &task->failure);
    if (!status) return ADEAD_EXIT_NONE;
    task->pc = g->members[done].pc;
    task->fuel = g->members[done].fuel;
    return adead_task_trap(task, status);
}

static adead_exit run_tensor(adead_task *task)
{
    adead_machine *machine = task->machine;
    if (machine->observer || machine->trace) return adead_tensor_one(task);
    group *g = task->pending ? task->pending->current : NULL;
    if (!g) g = begin_group(task);
    if (!g) return adead_tensor_one(task);
    adead_status status = add_member(g, task);
    if (status) { /* after those before it */
        adead_failure failure = task->failure;
        task->failure = (adead_failure){0};
        if (flush(task, g) == ADEAD_EXIT_TRAP) return ADEAD_EXIT_TRAP;
        task->failure = failure;
        return adead_task_trap(task, status);
    }
    if (!g->members[g->count - 1].waits || g->count == ADEAD_RUN_MAX) return flush(task, g);
    task->pending->current = g;
    return ADEAD_EXIT_NONE;
}

static void release_pending(adead_task *task)
{
    const adead_host     *host = &task->machine->host;
    struct adead_pending *p = task->pending;
    for (uint32_t i = 0; i < GROUPS; i++)
        if (p->slots[i].group) host->release(host->context, p->slots[i].group, sizeof(group));
    if (p->once) host->release(host->context, p->once, sizeof(group));
    host->release(host->context, p, sizeof *p);
    task->pending = NULL;
}

void adead_machine_set_fusion(adead_machine *machine, bool on)
{
    machine->run_tensor = on ? run_tensor : NULL;
    machine->release_pending = release_pending;
}
