/* Writing and reading the state of a stopped run. See snapshot.h. */
#include "vm/snapshot.h"

#include "hex/out.h"
#include "vm/base/sha256.h"

enum { VERSION = 1, DIGEST_SIZE = 32, HEADER_SIZE = 16, LIMITS_SIZE = 32, PIECE = 4096 };

static const uint8_t magic[6] = {'A', 'D', 'S', 'N', 'A', 'P'};

/* ---- Places in the program ---- */

static uint32_t instruction_of(const adead_task *task, const adead_step *step)
{
    return task->translation->instructions[step - task->translation->steps];
}

static const adead_step *step_of(const adead_task *task, uint32_t function, uint32_t instruction)
{
    const adead_translation *t = task->translation;
    return t->steps + t->entries[function] + (instruction - task->analysis->functions[function].first);
}

/* ---- Writing ---- */

typedef struct writer {
    adead_out    out;
    adead_sha256 hash;
} writer;

static bool put_bytes(void *context, const void *bytes, uint64_t size)
{
    writer *w = context;
    adead_out_bytes(&w->out, bytes, size);
    if (size) adead_sha256_update(&w->hash, bytes, (size_t)size);
    return true;
}

/* The low `size` bytes of a number. */
static void put(writer *w, uint32_t size, uint64_t value)
{
    uint8_t bytes[8];
    for (uint32_t i = 0; i < size; i++) bytes[i] = (uint8_t)(value >> 8 * i);
    put_bytes(w, bytes, size);
}

static void put_words(writer *w, const uint64_t *words, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) put(w, 8, words[i]);
}

static bool all_zero(const uint8_t *bytes, uint64_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, (size_t)size - 1) == 0);
}

/* The pieces that are not all zero: first, count, bytes of each row of them; the end is a row of none. */
static void put_pieces(writer *w, const uint8_t *bytes, uint64_t size)
{
    uint64_t count = size / PIECE + (size % PIECE != 0);
    for (uint64_t i = 0, first; i < count; i++) {
        for (first = i; i < count && !all_zero(bytes + i * PIECE, adead_min_u64(PIECE, size - i * PIECE)); i++) {}
        if (i == first) continue;
        put(w, 8, first);
        put(w, 8, i - first);
        put_bytes(w, bytes + first * PIECE, adead_min_u64(i * PIECE, size) - first * PIECE);
    }
    put(w, 8, 0);
    put(w, 8, 0);
}

static bool count_bytes(void *context, const void *bytes, uint64_t size)
{
    (void)bytes;
    *(uint64_t *)context += size;
    return true;
}

/* In its own format, because the version-1 ones leave the size of memory to the limits; only text becomes binary. */
static adead_status put_program(writer *w, const adead_machine *machine, adead_failure *failure)
{
    const adead_image *image = machine->code->analysis.image;
    adead_format       format = image->format == ADEAD_FORMAT_ADEAD2_TEXT ? ADEAD_FORMAT_ADEAD2 : image->format;
    uint64_t           size = 0;
    adead_status status = adead_image_write(image, format, &machine->host, count_bytes, &size, failure);
    if (status) return status;
    put(w, 8, size);
    return adead_image_write(image, format, &machine->host, put_bytes, w, failure);
}

static void put_limits(writer *w, const adead_machine_limits *limits)
{
    put(w, 8, limits->fuel);
    put(w, 8, limits->memory);
    put(w, 4, limits->buffers);
    put(w, 4, limits->call_depth);
    put(w, 4, limits->tasks);
    put(w, 4, 0);
}

static void put_queues(writer *w, const adead_machine *machine)
{
    put(w, 4, machine->channel_count);
    for (uint32_t i = 0; i < machine->channel_count; i++) {
        const adead_queue *queue = &machine->channels[i].ready;
        put(w, 4, machine->channels[i].receiver);
        put(w, 4, queue->count - queue->head);
        put_words(w, queue->values + (queue->values ? queue->head : 0), queue->count - queue->head);
    }
    uint64_t sent = 0;
    for (uint32_t i = 0; i < machine->task_count; i++) sent += machine->tasks[i]->sent_count;
    put(w, 4, sent);
    for (uint32_t i = 0; i < machine->task_count; i++) {
        for (uint64_t m = 0; m < machine->tasks[i]->sent_count; m++) {
            put(w, 4, machine->tasks[i]->sent[m].channel);
            put(w, 8, machine->tasks[i]->sent[m].value);
        }
    }
}

/* The calls from the first function on, where the last one stands, and all registers up to the end of its frame. */
static void put_frames(writer *w, const adead_task *task)
{
    const adead_analysis *an = task->analysis;
    uint32_t              here = instruction_of(task, task->pc), depth = (uint32_t)(task->sp - task->stack_base) - 1;
    uint32_t              function = adead_function_of(an, here);
    put(w, 4, depth);
    for (uint32_t i = 0; i < depth; i++) {
        uint32_t call = instruction_of(task, task->stack_base[i + 1]);
        uint32_t next = i + 1 < depth ? adead_function_of(an, instruction_of(task, task->stack_base[i + 2])) : function;
        put(w, 4, an->offsets[call]);
        put(w, 4, an->functions[next].offset);
    }
    put(w, 4, an->offsets[here]);
    uint64_t registers = (uint64_t)(task->r - task->register_base) + an->functions[function].registers;
    put(w, 4, registers);
    put_words(w, task->register_base, registers);
}

static void put_globals(writer *w, const adead_task *task)
{
    for (uint32_t g = 0; g < ADEAD_GLOBALS; g += 8) {
        uint32_t used = 0;
        for (uint32_t i = 0; i < 8; i++) used |= (uint32_t)(task->globals[g + i] != 0) << i;
        put(w, 1, used);
    }
    for (uint32_t g = 0; g < ADEAD_GLOBALS; g++)
        if (task->globals[g]) put(w, 8, task->globals[g]);
}

static void put_memory(writer *w, const adead_task *task)
{
    uint64_t runs = 0, end = task->linear.bytes;
    put(w, 8, end);
    for (int writing = 0; writing < 2; writing++) {
        if (writing) put(w, 8, runs);
        for (uint64_t at = 0, bytes; task->memory_open && at < end; at += bytes) {
            bytes = adead_blocks_size(&task->memory, at);
            if (bytes && !writing) runs++;
            if (bytes && writing) {
                put(w, 8, at / ADEAD_BLOCK_SIZE);
                put(w, 8, bytes / ADEAD_BLOCK_SIZE);
            }
            if (!bytes) bytes = ADEAD_BLOCK_SIZE; /* a free block */
        }
    }
    put_pieces(w, task->linear.host, end);
}

static adead_status put_buffer(writer *w, adead_task *task, const adead_buffer *buffer, adead_failure *failure)
{
    adead_machine *machine = task->machine;
    uint8_t       *copy = NULL;
    put(w, 8, buffer->bytes);
    if (buffer->bytes && machine->backend->download) {
        copy = machine->host.allocate(machine->host.context, (size_t)buffer->bytes);
        if (!copy)
            return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "the host has no memory left to save a buffer");
        adead_status status = adead_buffer_download(task, buffer, 0, copy, buffer->bytes, failure);
        if (status) {
            machine->host.release(machine->host.context, copy, (size_t)buffer->bytes);
            return status;
        }
    }
    put_pieces(w, copy ? copy : buffer->memory->host, buffer->bytes);
    if (copy) machine->host.release(machine->host.context, copy, (size_t)buffer->bytes);
    return ADEAD_OK;
}

static adead_status put_buffers(writer *w, adead_task *task, adead_failure *failure)
{
    uint32_t     count = 0, limit = task->buffers ? task->machine->limits.buffers : 0;
    adead_status status = ADEAD_OK;
    for (uint32_t i = 0; i < limit; i++) count += task->buffers[i].memory || task->buffers[i].freed;
    put(w, 4, count);
    for (uint32_t i = 0; i < limit && !status; i++) {
        const adead_buffer *buffer = &task->buffers[i];
        if (!buffer->memory && !buffer->freed) continue;
        put(w, 4, i);
        put(w, 4, buffer->memory != NULL);
        if (buffer->memory) status = put_buffer(w, task, buffer, failure);
    }
    return status;
}

/* By name, because the numbers of loaded shaders follow from the order in which the host loads them. */
static void put_bindings(writer *w, const adead_task *task)
{
    static const adead_bindings none;
    const adead_bindings       *b = &task->bindings;
    bool                        any = memcmp(b, &none, sizeof none) != 0;
    put(w, 1, any);
    if (!any) return;
    for (uint32_t i = 0; i < ADEAD_SHADERS_MAX; i++) {
        const char *name = b->shaders[i] ? task->machine->shaders[b->shaders[i] - 1].name : "";
        uint32_t    length = (uint32_t)strlen(name);
        put(w, 1, length);
        put_bytes(w, name, length);
    }
    for (uint32_t i = 0; i < ADEAD_SHADER_BINDINGS; i++) put(w, 2, b->buffers[i]);
    put(w, 1, b->push_bytes);
    put_bytes(w, b->push, b->push_bytes);
}

static adead_status put_task(writer *w, adead_task *task, adead_failure *failure)
{
    put(w, 1, task->state);
    put(w, 4, task->analysis->functions[task->function].offset);
    if (task->state == ADEAD_TASK_ENDED) {
        put(w, 8, task->ended_round);
        put(w, 8, task->result);
        return ADEAD_OK;
    }
    put(w, 8, task->state == ADEAD_TASK_READY ? 0 : task->waits_for);
    put_frames(w, task);
    put_globals(w, task);
    put_memory(w, task);
    put_bindings(w, task);
    return put_buffers(w, task, failure);
}

static adead_status put_state(writer *w, adead_machine *machine, adead_failure *failure)
{
    const adead_image *image = machine->code->analysis.image;
    adead_status       status = ADEAD_OK;
    put(w, 8, machine->fuel_left);
    put(w, 8, (uint64_t)machine->tasks[machine->turn]->fuel);
    put(w, 8, machine->round);
    put(w, 4, machine->turn);
    put(w, 4, machine->round_tasks);
    put(w, 8, machine->stream_bytes);
    for (uint32_t i = 0; i < image->input_count; i++) put_words(w, machine->inputs[i].dims, image->inputs[i].rank);
    for (uint32_t i = 0; i < image->output_count; i++) put_words(w, machine->outputs[i].dims, image->outputs[i].rank);
    put_queues(w, machine);
    put(w, 4, machine->task_count);
    for (uint32_t i = 0; i < machine->task_count && !status; i++) status = put_task(w, machine->tasks[i], failure);
    return status;
}

adead_status adead_machine_save(adead_machine *machine, adead_sink sink, void *context, adead_failure *failure)
{
    writer  w;
    uint8_t digest[DIGEST_SIZE];
    if (machine->state != ADEAD_MACHINE_STOPPED) {
        adead_fail(failure, ADEAD_INVALID_STATE, ADEAD_NO_OFFSET, "the instance %s, and only a stopped run can be saved",
                   machine->state == ADEAD_MACHINE_RUNNING ? "is running" : "is not stopped within a run");
        adead_hint(failure, "stop it first: adead_instance_set_stop");
        return ADEAD_INVALID_STATE;
    }
    adead_out_open(&w.out, sink, context);
    adead_sha256_init(&w.hash);
    put_bytes(&w, magic, sizeof magic);
    put(&w, 2, VERSION);
    put(&w, 8, 0);
    put_limits(&w, &machine->limits);
    adead_status status = put_program(&w, machine, failure);
    if (!status) status = put_state(&w, machine, failure);
    if (status) return status;
    adead_sha256_final(&w.hash, digest);
    adead_out_bytes(&w.out, digest, sizeof digest);
    return adead_out_close(&w.out, failure);
}

/* ---- Reading ---- */

/* After the first failure everything reads as zeros, and `status` says which one it was. */
typedef struct reader {
    adead_machine *machine;
    const uint8_t *bytes;
    uint64_t       at, size; /* without the digest */
    adead_status   status;
    adead_failure *failure;
    uint8_t       *in_table; /* by function: an entry of the table leads there */
} reader;

#define REFUSE(r, code, where, ...) \
    ((r)->status ? (r)->status : ((r)->status = adead_fail((r)->failure, ADEAD_##code, where, __VA_ARGS__)))

/* TRUNCATED unless so many bytes follow: asked before memory is taken for them. */
static bool has(reader *r, uint64_t size)
{
    if (!r->status && size > r->size - r->at)
        REFUSE(r, TRUNCATED, r->at, "%llu bytes are needed, and %llu are left before the digest", (unsigned long long)size,
               (unsigned long long)(r->size - r->at));
    return !r->status;
}

static const uint8_t *take(reader *r, uint64_t size)
{
    if (!has(r, size)) return NULL;
    r->at += size;
    return r->bytes + r->at - size;
}

static uint64_t get(reader *r, uint32_t size)
{
    const uint8_t *p = take(r, size);
    uint64_t       value = 0;
    for (uint32_t i = 0; p && i < size; i++) value |= (uint64_t)p[i] << 8 * i;
    return value;
}

/* A number of `size` bytes from `least` to `most`. */
static uint64_t get_between(reader *r, uint32_t size, uint64_t least, uint64_t most, const char *what)
{
    uint64_t at = r->at, value = get(r, size);
    if (!r->status && (value < least || value > most))
        REFUSE(r, BAD_FIELD, at, "%s is %llu; %llu to %llu can be", what, (unsigned long long)value,
               (unsigned long long)least, (unsigned long long)most);
    return r->status ? 0 : value;
}

static void get_words(reader *r, uint64_t *words, uint64_t count)
{
    const uint8_t *p = take(r, count * 8); /* there are at most 2^20 */
    for (uint64_t i = 0; p && i < count; i++) words[i] = adead_load_u64(p + 8 * i);
}

static void *allocate(reader *r, uint64_t size)
{
    adead_host *host = &r->machine->host;
    void       *memory = r->status ? NULL : host->allocate(host->context, (size_t)size);
    if (!memory && !r->status)
        r->status = adead_fail(r->failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "the host has no memory left for a saved run");
    return memory;
}

/* What a call of another part of the machine says; a trap's code needs the place in the file. */
static void merge(reader *r, adead_status status, uint64_t at)
{
    if (r->status || !status) return;
    r->status = status;
    if (r->failure) r->failure->offset = at;
}

/* The next row of pieces of something of `size` bytes, of which those before `end` are read; false at the end. */
static bool get_row(reader *r, uint64_t *end, uint64_t size, const uint8_t **bytes, uint64_t *start, uint64_t *length)
{
    uint64_t at = r->at, first = get(r, 8), count = get(r, 8), pieces = size / PIECE + (size % PIECE != 0);
    if (r->status || (count == 0 && first == 0)) return false;
    bool apart = *end == 0 || first > *end; /* else it belonged to the row before */
    if (count == 0 || !apart || first >= pieces || count > pieces - first) {
        REFUSE(r, BAD_FIELD, at, "%llu pieces from number %llu on cannot follow here: there are %llu",
               (unsigned long long)count, (unsigned long long)first, (unsigned long long)pieces);
        return false;
    }
    *end = first + count;
    *start = first * PIECE;
    *length = adead_min_u64(*end * PIECE, size) - *start;
    at = r->at;
    *bytes = take(r, *length);
    for (uint64_t i = 0; *bytes && i < *length; i += PIECE)
        if (all_zero(*bytes + i, adead_min_u64(PIECE, *length - i)))
            REFUSE(r, BAD_FIELD, at + i, "a piece of zeros is written out");
    return !r->status;
}

static void read_limits(reader *r, adead_machine_limits *limits)
{
    limits->fuel = get_between(r, 8, 1, ADEAD_UNLIMITED_FUEL, "the limit on fuel");
    limits->memory = get_between(r, 8, 1, UINT64_MAX, "the limit on memory");
    limits->buffers = (uint32_t)get_between(r, 4, 1, ADEAD_BUFFERS_MAX, "the limit on buffers");
    limits->call_depth = (uint32_t)get_between(r, 4, 1, UINT32_MAX, "the limit on the depth of calls");
    limits->tasks = (uint32_t)get_between(r, 4, 1, UINT32_MAX, "the limit on tasks");
    get_between(r, 4, 0, 0, "a reserved field");
}

adead_status adead_snapshot_open(adead_snapshot_parts *parts, const void *bytes, uint64_t size, adead_failure *failure)
{
    const uint8_t *p = bytes;
    uint8_t        digest[DIGEST_SIZE];
    if (size < sizeof magic || memcmp(p, magic, sizeof magic) != 0)
        return adead_fail(failure, ADEAD_BAD_MAGIC, 0, "a snapshot starts with the bytes 'ADSNAP'");
    if (size < HEADER_SIZE + LIMITS_SIZE + 8 + DIGEST_SIZE)
        return adead_fail(failure, ADEAD_TRUNCATED, size, "the content ends after %u bytes, before the program",
                          (unsigned)size);
    unsigned version = adead_load_u16(p + 6);
    if (version != VERSION)
        return adead_fail(failure, ADEAD_BAD_VERSION, 6, "the snapshot's version is %u; %d is known", version, VERSION);
    adead_sha256 hash;
    adead_sha256_init(&hash);
    adead_sha256_update(&hash, p, (size_t)(size - DIGEST_SIZE));
    adead_sha256_final(&hash, digest);
    if (memcmp(digest, p + size - DIGEST_SIZE, DIGEST_SIZE) != 0)
        return adead_fail(failure, ADEAD_BAD_DIGEST, size - DIGEST_SIZE,
                          "the content does not match the SHA-256 at its end: the file was damaged, changed or cut off");
    reader r = {.bytes = p, .at = 8, .size = size - DIGEST_SIZE, .failure = failure};
    *parts = (adead_snapshot_parts){.bytes = p, .size = size - DIGEST_SIZE};
    get_between(&r, 8, 0, 0, "a reserved field");
    read_limits(&r, &parts->limits);
    parts->program_size = get_between(&r, 8, 0, r.size - r.at - 8, "the size of the program");
    parts->program = take(&r, parts->program_size);
    parts->state_at = r.at;
    return r.status;
}

static void read_dims(reader *r, const adead_port *ports, uint32_t count, bool input)
{
    for (uint32_t i = 0; i < count && !r->status; i++) {
        uint64_t *dims = input ? r->machine->inputs[i].dims : r->machine->outputs[i].dims;
        for (uint32_t d = 0; d < ports[i].rank; d++) {
            uint64_t declared = ports[i].dims[d], most = declared ? declared : UINT64_MAX;
            dims[d] = get_between(r, 8, declared, most, "a dimension");
        }
    }
}

static void read_queues(reader *r)
{
    adead_machine *machine = r->machine;
    uint32_t       count = (uint32_t)get_between(r, 4, 0, machine->limits.tasks, "the number of channels");
    if (has(r, count * (uint64_t)8) && count) machine->channels = allocate(r, count * sizeof *machine->channels);
    if (r->status) return;
    machine->channel_capacity = machine->channel_count = count;
    for (uint32_t i = 0; i < count && !r->status; i++) {
        adead_channel *channel = &machine->channels[i];
        channel->receiver = (uint32_t)get(r, 4); /* checked when the tasks are there */
        uint64_t values = get_between(r, 4, 0, ADEAD_MESSAGE_LIMIT - machine->waiting, "the number of waiting values");
        if (has(r, values * 8) && values) channel->ready.values = allocate(r, values * sizeof *channel->ready.values);
        if (r->status || !values) continue;
        channel->ready.capacity = channel->ready.count = values;
        get_words(r, channel->ready.values, values);
        machine->waiting += values;
    }
    /* Values sent in this round: which task did does not matter, as long as their order is kept. */
    adead_task *task = machine->tasks[0];
    uint64_t    sent = get_between(r, 4, 0, count ? ADEAD_MESSAGE_LIMIT - machine->waiting : 0, "the number of sent values");
    if (has(r, sent * 12) && sent) task->sent = allocate(r, sent * sizeof *task->sent);
    if (r->status || !sent) return;
    task->sent_capacity = task->sent_count = sent;
    machine->waiting += sent;
    for (uint64_t i = 0; i < sent; i++) {
        task->sent[i].channel = (uint32_t)get_between(r, 4, 0, count - 1, "a channel");
        task->sent[i].value = get(r, 8);
    }
}

/* The instruction that starts at the next offset, inside that function, or UINT32_MAX. */
static uint32_t read_place(reader *r, const adead_function *fn, const char *what)
{
    const adead_analysis *an = &r->machine->code->analysis;
    uint64_t              at = r->at, offset = get(r, 4);
    uint32_t              index = adead_find_instruction(an, fn->first, fn->end, offset);
    if (index == UINT32_MAX)
        REFUSE(r, BAD_FIELD, at, "%s is at 0x%llX, where no instruction of the function at 0x%X starts", what,
               (unsigned long long)offset, fn->offset);
    return r->status ? UINT32_MAX : index;
}

/* The function that a call was in when the run stopped; UINT32_MAX if that call does not lead there. */
static uint32_t read_callee(reader *r, uint32_t call)
{
    const adead_analysis *an = &r->machine->code->analysis;
    uint64_t              at = r->at, offset = get(r, 4);
    if (r->status) return UINT32_MAX;
    adead_instruction in = adead_instruction_at(an, call);
    uint32_t          callee = adead_find_function(an, offset);
    bool              leads = callee != UINT32_MAX;
    if (in.op == ADEAD_OP_CALL) leads = leads && adead_word(&in, 0) == offset;
    else leads = leads && in.op == ADEAD_OP_CALL_INDIRECT && r->in_table[callee] &&
                 an->functions[callee].type == adead_word(&in, 2);
    if (leads) return callee;
    REFUSE(r, BAD_FIELD, at, "the instruction at 0x%X does not call a function at 0x%llX", an->offsets[call],
           (unsigned long long)offset);
    return UINT32_MAX;
}

static void read_frames(reader *r, adead_task *task)
{
    const adead_analysis *an = task->analysis;
    uint32_t              function = task->function;
    uint64_t              registers = 0;
    uint32_t              depth = (uint32_t)get_between(r, 4, 0, r->machine->limits.call_depth, "the depth of calls");
    for (uint32_t i = 0; i < depth && !r->status; i++) {
        const adead_function *fn = &an->functions[function];
        uint32_t              call = read_place(r, fn, "a call"), callee = read_callee(r, call);
        if (r->status) return;
        *task->sp++ = step_of(task, function, call);
        registers += fn->registers;
        function = callee;
        if (registers + an->functions[callee].registers > ADEAD_REGISTER_LIMIT)
            REFUSE(r, BAD_FIELD, r->at - 8, "the calls have more than %d registers", ADEAD_REGISTER_LIMIT);
    }
    uint32_t here = read_place(r, &an->functions[function], "the instruction");
    if (r->status) return;
    task->pc = step_of(task, function, here);
    task->r = task->register_base + registers;
    registers += an->functions[function].registers;
    get_between(r, 4, registers, registers, "the number of registers");
    if (!r->status) get_words(r, task->register_base, registers);
}

static void read_globals(reader *r, adead_task *task)
{
    const uint8_t *used = take(r, ADEAD_GLOBALS / 8);
    for (uint32_t g = 0; used && g < ADEAD_GLOBALS; g++)
        if (used[g / 8] >> g % 8 & 1) task->globals[g] = get_between(r, 8, 1, UINT64_MAX, "a global that is not 0");
}

/* Blocks that are free now may have been written to: they have to be cleared before they are handed out again. */
static void used_before(adead_blocks *blocks, uint64_t from, uint64_t to)
{
    if (from == to || adead_blocks_alloc_at(blocks, from * ADEAD_BLOCK_SIZE, (to - from) * ADEAD_BLOCK_SIZE)) return;
    adead_blocks_free(blocks, from * ADEAD_BLOCK_SIZE);
}

static void read_runs(reader *r, adead_task *task, uint64_t blocks)
{
    uint64_t end = 0, least = task->static_bytes / ADEAD_BLOCK_SIZE;
    uint64_t runs = get_between(r, 8, least != 0, blocks, "the number of runs of memory");
    for (uint64_t i = 0; i < runs && !r->status; i++) {
        uint64_t first = get_between(r, 8, end, i == 0 && least ? 0 : blocks, "the first block of a run of memory");
        uint64_t count = get_between(r, 8, i == 0 && least ? least : 1, i == 0 && least ? least : blocks - first,
                                     "the number of blocks of a run of memory");
        if (r->status) return;
        used_before(&task->memory, end, first);
        adead_blocks_alloc_at(&task->memory, first * ADEAD_BLOCK_SIZE, count * ADEAD_BLOCK_SIZE); /* they are free */
        end = first + count;
    }
    if (!r->status) used_before(&task->memory, end, blocks);
}

static void read_memory(reader *r, adead_task *task)
{
    uint64_t       at = r->at, limit = task->memory_open ? task->memory.count : 0, end = 0, start, length;
    uint64_t       size = get_between(r, 8, task->static_bytes, limit * ADEAD_BLOCK_SIZE, "the size of memory");
    const uint8_t *bytes;
    if (size % ADEAD_BLOCK_SIZE) REFUSE(r, BAD_FIELD, at, "the size of memory is no whole number of blocks");
    if (r->status) return;
    if (task->memory_open) { /* a new one, in which nothing is handed out */
        adead_blocks_close(&task->memory);
        task->memory_open = false;
        merge(r, adead_blocks_open(&task->memory, &r->machine->host, ADEAD_BLOCK_SIZE, limit, false, r->failure), at);
        task->memory_open = !r->status;
        if (r->status) return;
        task->linear.host = task->memory.base;
    }
    task->linear.bytes = size;
    read_runs(r, task, size / ADEAD_BLOCK_SIZE);
    while (get_row(r, &end, size, &bytes, &start, &length))
        memcpy((uint8_t *)task->linear.host + start, bytes, (size_t)length);
}

/* A shader of that name is needed: the host has to load one before the run goes on. */
static uint16_t name_shader(reader *r, const char *name, uint64_t length)
{
    adead_machine *machine = r->machine;
    uint32_t       i = 0;
    if (!machine->shaders) machine->shaders = allocate(r, ADEAD_SHADERS_MAX * sizeof *machine->shaders);
    if (!machine->shaders) return 0;
    while (i < machine->shader_count &&
           (strlen(machine->shaders[i].name) != length || memcmp(machine->shaders[i].name, name, (size_t)length) != 0))
        i++;
    if (i == ADEAD_SHADERS_MAX) return (uint16_t)REFUSE(r, BAD_FIELD, r->at, "more than %d shaders", ADEAD_SHADERS_MAX);
    if (i == machine->shader_count) {
        machine->shader_count++;
        memcpy(machine->shaders[i].name, name, (size_t)length);
    }
    return (uint16_t)(i + 1);
}

static void read_bindings(reader *r, adead_task *task)
{
    adead_machine  *machine = r->machine;
    adead_bindings *b = &task->bindings;
    uint64_t        at = r->at;
    if (!get_between(r, 1, 0, 1, "whether shaders are bound") || r->status) return;
    adead_machine_enable_shaders(machine);
    if (!machine->run_shaders) {
        REFUSE(r, BACKEND_UNSUPPORTED, at, "the run uses shaders, which the backend %s does not run",
               machine->backend->name);
        adead_hint(r->failure, "choose another one: --backend vulkan");
        return;
    }
    for (uint32_t i = 0; i < ADEAD_SHADERS_MAX; i++) {
        uint64_t    length = get_between(r, 1, 0, ADEAD_SHADER_NAME_MAX, "the length of a shader's name");
        const char *name = (const char *)take(r, length);
        if (name && memchr(name, 0, (size_t)length)) REFUSE(r, BAD_FIELD, at, "a shader's name has a zero in it");
        if (length && !r->status) b->shaders[i] = name_shader(r, name, length);
    }
    for (uint32_t i = 0; i < ADEAD_SHADER_BINDINGS; i++)
        b->buffers[i] = (uint16_t)get_between(r, 2, 0, machine->limits.buffers, "a bound buffer");
    b->push_bytes = (uint32_t)get_between(r, 1, 0, ADEAD_SHADER_PUSH_BYTES, "the size of push constants");
    if (b->push_bytes % 4) REFUSE(r, BAD_FIELD, r->at - 1, "push constants of %u bytes", b->push_bytes);
    const uint8_t *push = take(r, b->push_bytes);
    if (push) memcpy(b->push, push, b->push_bytes);
}

static void read_buffer(reader *r, adead_task *task, uint32_t number)
{
    uint64_t       at = r->at, bytes = get(r, 8), end = 0, start, length;
    const uint8_t *piece;
    if (r->status) return;
    merge(r, adead_buffer_make(task, number, bytes, r->failure), at);
    while (get_row(r, &end, bytes, &piece, &start, &length))
        merge(r, adead_buffer_upload(task, &task->buffers[number], start, piece, length, r->failure), at);
}

static void read_buffers(reader *r, adead_task *task)
{
    uint32_t limit = r->machine->limits.buffers, count = (uint32_t)get_between(r, 4, 0, limit, "the number of buffers");
    uint64_t least = 0;
    if (count && !r->status) task->buffers = allocate(r, limit * sizeof *task->buffers);
    for (uint32_t i = 0; i < count && !r->status; i++) {
        uint32_t number = (uint32_t)get_between(r, 4, least, limit - 1, "the number of a buffer");
        bool     there = get_between(r, 4, 0, 1, "the state of a buffer") != 0;
        if (r->status) return;
        if (there) read_buffer(r, task, number);
        else task->buffers[number].freed = true;
        least = number + 1u;
    }
}

/* A task that waits stands at the instruction that does. */
static void check_waiting(reader *r, const adead_task *task, uint64_t at)
{
    const adead_machine *machine = r->machine;
    if (r->status || task->state == ADEAD_TASK_READY) return;
    adead_instruction in = adead_task_instruction(task);
    bool              joins = task->state == ADEAD_TASK_JOINING;
    bool good = in.op == (joins ? ADEAD_OP_JOIN : ADEAD_OP_RECEIVE) && task->r[adead_word(&in, 1)] == task->waits_for;
    if (good && joins) good = task->waits_for != task->number; /* that the other one exists is checked at the end */
    else if (good) good = task->waits_for < machine->channel_count &&
                          machine->channels[task->waits_for].receiver == task->number;
    if (!good) REFUSE(r, BAD_FIELD, at, "task %u waits for something that its instruction does not", task->number);
}

static void read_ended(reader *r, uint32_t function)
{
    adead_machine *machine = r->machine;
    adead_task    *task = allocate(r, sizeof *task);
    if (!task) return;
    *task = (adead_task){.machine = machine, .analysis = &machine->code->analysis, .number = machine->task_count,
                         .function = function, .state = ADEAD_TASK_ENDED};
    task->ended_round = get_between(r, 8, 1, machine->round, "the round in which a task ended");
    task->result = get(r, 8);
    machine->tasks[machine->task_count++] = task;
}

static void read_task(reader *r, uint32_t number)
{
    adead_machine   *machine = r->machine;
    adead_task      *task = machine->tasks[0]; /* it is there already; the others are made */
    adead_task_state most = number ? ADEAD_TASK_ENDED : ADEAD_TASK_RECEIVING;
    adead_task_state state = (adead_task_state)get_between(r, 1, 0, most, "the state of a task");
    uint64_t         at = r->at;
    uint32_t         function = adead_find_function(&machine->code->analysis, get(r, 4));
    if (function == UINT32_MAX || (number == 0 && function != task->function))
        REFUSE(r, BAD_FIELD, at, "task %u cannot have started there", number);
    if (!r->status && state == ADEAD_TASK_ENDED) read_ended(r, function);
    if (r->status || state == ADEAD_TASK_ENDED) return;
    if (number) merge(r, adead_task_open(machine, function, &task, r->failure), at);
    if (r->status) return;
    task->state = state;
    at = r->at;
    task->waits_for = get(r, 8);
    if (state == ADEAD_TASK_READY && task->waits_for) REFUSE(r, BAD_FIELD, at, "a task that is ready waits for something");
    read_frames(r, task);
    read_globals(r, task);
    if (!r->status) read_memory(r, task);
    if (!r->status) read_bindings(r, task);
    if (!r->status) read_buffers(r, task);
    check_waiting(r, task, at);
}

/* What can be said only when all tasks are there. */
static void check_whole(reader *r, uint64_t turn_left)
{
    adead_machine *machine = r->machine;
    uint64_t       at = r->at, count = machine->task_count;
    if (r->status) return;
    for (uint32_t i = 0; i < machine->channel_count; i++)
        if (machine->channels[i].receiver != UINT32_MAX && machine->channels[i].receiver >= count)
            REFUSE(r, BAD_FIELD, at, "task %u, which receives from channel %u, does not exist",
                   machine->channels[i].receiver, i);
    for (uint32_t i = 0; i < count; i++)
        if (machine->tasks[i]->state == ADEAD_TASK_JOINING && machine->tasks[i]->waits_for >= count)
            REFUSE(r, BAD_FIELD, at, "task %u waits for one that does not exist", i);
    if (machine->round_tasks > count || machine->tasks[machine->turn]->state != ADEAD_TASK_READY)
        REFUSE(r, BAD_FIELD, at, "task %u cannot have been interrupted", machine->turn);
    if (r->at != r->size)
        REFUSE(r, TRAILING_BYTES, at, "%llu bytes follow the last task", (unsigned long long)(r->size - at));
    if (r->status) return;
    /* What is left of the turn may be less than nothing, by work that was done; what the machine has beside it is not. */
    adead_task *task = machine->tasks[machine->turn];
    uint64_t    beside = machine->fuel_left - turn_left;
    if (machine->fuel_left < task->pc->run || beside > machine->limits.fuel)
        REFUSE(r, BAD_FIELD, at, "the fuel that is left cannot be so much in all and so much of the turn");
    task->fuel = (int64_t)turn_left;
}

static void read_state(reader *r)
{
    adead_machine     *machine = r->machine;
    const adead_image *image = machine->code->analysis.image;
    uint32_t           tasks = machine->limits.tasks;
    machine->fuel_left = get_between(r, 8, 0, machine->limits.fuel, "the fuel left");
    uint64_t turn_left = get(r, 8);
    machine->round = get_between(r, 8, 1, (uint64_t)1 << 62, "the round");
    machine->turn = (uint32_t)get_between(r, 4, 0, tasks - 1, "the task whose turn it is");
    machine->round_tasks =
        (uint32_t)get_between(r, 4, machine->turn + (uint64_t)1, tasks, "the number of tasks of the round");
    machine->stream_bytes = get(r, 8);
    read_dims(r, image->inputs, image->input_count, true);
    read_dims(r, image->outputs, image->output_count, false);
    read_queues(r);
    uint32_t count = (uint32_t)get_between(r, 4, 1, tasks, "the number of tasks");
    for (uint32_t i = 0; i < count && !r->status; i++) read_task(r, i);
    check_whole(r, turn_left);
}

adead_status adead_machine_restore(adead_machine *machine, const adead_snapshot_parts *parts, adead_failure *failure)
{
    const adead_analysis *an = &machine->code->analysis;
    reader r = {.machine = machine, .bytes = parts->bytes, .at = parts->state_at, .size = parts->size, .failure = failure};
    if (machine->state != ADEAD_MACHINE_READY)
        return adead_fail(failure, ADEAD_INVALID_STATE, ADEAD_NO_OFFSET, "a saved run begins in a fresh instance");
    r.in_table = allocate(&r, an->function_count);
    if (!r.in_table) return r.status;
    for (uint32_t i = 0; i < an->image->table_count; i++) r.in_table[an->table[i]] = 1;
    machine->state = ADEAD_MACHINE_FAILED; /* until it is whole */
    read_state(&r);
    machine->host.release(machine->host.context, r.in_table, an->function_count);
    if (r.status) return r.status;
    machine->fuel_used = machine->limits.fuel - machine->fuel_left;
    machine->state = ADEAD_MACHINE_STOPPED;
    return ADEAD_OK;
}

/* ---- Going on ---- */

adead_status adead_machine_resume(adead_machine *machine, adead_failure *failure)
{
    if (machine->state != ADEAD_MACHINE_STOPPED)
        return adead_fail(failure, ADEAD_INVALID_STATE, ADEAD_NO_OFFSET, "the instance is not stopped within a run");
    adead_status status = adead_machine_check_imports(machine, failure);
    if (status) return status;
    for (uint32_t i = 0; i < machine->shader_count; i++) {
        if (machine->shaders[i].shader) continue;
        adead_fail(failure, ADEAD_SHADER_MISSING, ADEAD_NO_OFFSET, "the saved run uses a shader '%s', which is not loaded",
                   machine->shaders[i].name);
        adead_hint(failure, "load it: --shader '%s=FILE'", machine->shaders[i].name);
        return ADEAD_SHADER_MISSING;
    }
    adead_task *task = machine->tasks[machine->turn];
    task->failure = (adead_failure){0};
    task->spent = (uint64_t)task->fuel; /* it goes on as a turn does that ran ahead up to here */
    task->fuel -= task->pc->run;
    task->ahead = ADEAD_EXIT_LATER;
    machine->state = ADEAD_MACHINE_RUNNING;
    return adead_machine_go(machine, failure);
}
