/* Generated instruction streams: nearly every one passes the verifier, which mutated bytes hardly ever do. Each is run with
 * small limits in the fast and in the plain dispatch loop, the latter observed and in parts of turns: they must agree on
 * status, place, sentence, fuel, stream and memory, and positions must go up.
 *
 * The input's bytes are the choices, taken in order, so that mutation of the input is mutation of the program; when they are
 * used up, choices go on as a function of the input's hash. Now and then an operand is anything at all, for the verifier.
 */
#include "tests/harness/fuzz.h"
#include "vm/base/base.h"
#include "vm/machine.h"

extern const adead_backend adead_backend_ref;

enum { CODE_ROOM = 1 << 14, INSTRUCTIONS_MAX = 400, FUNCTIONS = 3, REGISTERS = 10, BUFFERS = 4, PATCHES_MAX = 2000 };

/* ---- Choices -------------------------------------------------------------------------------------------------------------
 */

static struct { const uint8_t *data; size_t size, at; uint64_t random; } input;

static void choose_from(const uint8_t *data, size_t size)
{
    input.data = data;
    input.size = size;
    input.at = 0;
    input.random = 0xCBF29CE484222325u;
    for (size_t i = 0; i < size; i++) input.random = (input.random ^ data[i]) * 0x100000001B3u;
}

static uint32_t choose(uint32_t count)
{
    if (input.at < input.size && count <= 256) return input.data[input.at++] % count;
    return (uint32_t)(fuzz_random(&input.random) % count);
}

/* ---- Programs
 * -------------------------------------------------------------------------------------------------------------- */

typedef struct patch {
    uint32_t at, function;
    bool     call;
} patch; /* a word to be the offset of some instruction, or function */

static struct {
    uint8_t  code[CODE_ROOM + 2048];
    uint32_t size, count;
    uint32_t offsets[INSTRUCTIONS_MAX + 64];            /* of instructions that a jump may lead to */
    uint32_t first[FUNCTIONS + 1], starts[FUNCTIONS];   /* index of a function's first instruction; offset of its FUNC */
    patch    patches[PATCHES_MAX];
    uint32_t patch_count;
} program;

static const uint32_t numbers[] = {0,          1,          2,          3,          4,          7,          8,
                                   31,         32,         64,         255,        256,        4095,       4096,
                                   8192,       65535,      65536,      0x7FFFFFFF, 0x80000000, 0x3F800000, 0x40490FDB,
                                   0x7FC00000, 0xFF800000, 0xFFFFFFFE, 0xFFFFFFFF};

static uint32_t any_number(void) { return numbers[choose(sizeof numbers / sizeof numbers[0])]; }

static void later(uint32_t word_offset, uint32_t function, bool call)
{
    if (program.patch_count < PATCHES_MAX) program.patches[program.patch_count++] = (patch){word_offset, function, call};
}

/* A word for an operand of that kind, most of the time one that the verifier accepts. `at` is where it will lie. */
static uint32_t operand(adead_op op, char kind, uint32_t at, uint32_t function)
{
    if (choose(200) == 0) return any_number();
    switch (kind) {
    case 'd': case 's': case 't': case 'u': case 'k': case 'q': return choose(REGISTERS);
    case 'r': return choose(REGISTERS - 3);
    case 'j': case 'J': later(at, function, false); return 0;
    case 'c': later(at, choose(FUNCTIONS), true); return 0;
    case 'b': case 'w': case 'a': case 'x': return choose(BUFFERS);
    case 'o': case 'p': return choose(4) ? 8 * choose(64) : any_number();
    case 'z': return 4 * choose(64);
    case 'm': return choose(6);
    case 'B': return choose(256);
    case 'h': return choose(ADEAD_ACTIVATION_COUNT);
    case 'e': return op == ADEAD_OP_TENSOR_MATMUL_EX || op == ADEAD_OP_GPU_MATMUL_EX ? choose(8) : 8 * choose(2);
    case 'n': return op == ADEAD_OP_CALL_INDIRECT ? 0 : choose(256);
    case 'I': case 'O': return 0;
    default: return choose(2) ? choose(256) : any_number();
    }
}

static void emit(adead_op op, uint32_t function)
{
    uint32_t words[16], n = 0;
    for (const char *k = adead_ops[op].operands; *k; k++) {
        uint32_t count = adead_operand_words(*k) ? adead_operand_words(*k) : 1 + choose(4);
        while (count-- > 0) {
            words[n] = operand(op, *k, program.size + 5 + 4 * n, function);
            n++;
        }
    }
    if (op == ADEAD_OP_INPUT_DIM || op == ADEAD_OP_OUTPUT_DIM) words[op == ADEAD_OP_INPUT_DIM ? 2 : 1] = 0;
    program.offsets[program.count++] = program.size;
    program.size += (uint32_t)adead_encode(adead_ops[op].value, words, n, program.code + program.size);
}

/* Half of what is emitted comes from here: what makes values, memory and control meet. */
static const adead_op frequent[] = {
    ADEAD_OP_I32_CONST,     ADEAD_OP_I64_ADD_IMM, ADEAD_OP_I32_ADD_IMM, ADEAD_OP_MOVE,           ADEAD_OP_LOAD,
    ADEAD_OP_STORE,         ADEAD_OP_LOAD32_U,    ADEAD_OP_STORE32,     ADEAD_OP_F64_MUL,        ADEAD_OP_F64_ADD,
    ADEAD_OP_F64_SUB,       ADEAD_OP_I32_XOR,     ADEAD_OP_I32_ROTR,    ADEAD_OP_CALL,           ADEAD_OP_JUMP_I32_LT_S_IMM,
    ADEAD_OP_JUMP_I64_LT_S, ADEAD_OP_JUMP_IF,     ADEAD_OP_SPAWN,       ADEAD_OP_YIELD,          ADEAD_OP_CHANNEL,
    ADEAD_OP_SEND,          ADEAD_OP_WRITE,       ADEAD_OP_ALLOC,       ADEAD_OP_BUFFER_ADDRESS, ADEAD_OP_I64_CONST,
};

static adead_op any_op(void)
{
    if (choose(2)) return frequent[choose(sizeof frequent / sizeof frequent[0])];
    uint32_t op = choose(256) * 256u + choose(256);
    op %= ADEAD_OP_COUNT;
    bool ends = op == ADEAD_OP_TRAP || op == ADEAD_OP_HALT, refused = op == ADEAD_OP_GPU_FFN || op == ADEAD_OP_CALL_FOREIGN;
    return op == ADEAD_OP_FUNC || ends || refused ? ADEAD_OP_NOP : (adead_op)op;
}

static void build_function(uint32_t function)
{
    static const adead_op ends[] = {ADEAD_OP_RETURN, ADEAD_OP_HALT, ADEAD_OP_JUMP, ADEAD_OP_JUMP_TABLE};
    const uint32_t        header[] = {function ? choose(4) : 0, choose(4), REGISTERS, choose(8) ? 0 : 1};
    program.starts[function] = program.size;
    program.size += (uint32_t)adead_encode(adead_ops[ADEAD_OP_FUNC].value, header, 4, program.code + program.size);
    program.first[function] = program.count;
    if (function == 0)
        for (uint32_t b = 0; b < BUFFERS; b++) {
            const uint32_t words[] = {16 * choose(20), b};
            program.offsets[program.count++] = program.size;
            program.size +=
                (uint32_t)adead_encode(adead_ops[ADEAD_OP_GPU_ALLOC].value, words, 2, program.code + program.size);
        }
    for (uint32_t left = 1 + choose(100); left > 0 && program.count < INSTRUCTIONS_MAX; left--) emit(any_op(), function);
    emit(ends[choose(4)], function);
    program.first[function + 1] = program.count;
}

static void build(void)
{
    program.size = program.count = program.patch_count = 0;
    for (uint32_t f = 0; f < FUNCTIONS; f++) build_function(f);
    for (uint32_t i = 0; i < program.patch_count; i++) {
        const patch *p = &program.patches[i];
        uint32_t     first = program.first[p->function], count = program.first[p->function + 1] - first;
        adead_store_u32(program.code + p->at,
                        p->call ? program.starts[p->function] : program.offsets[first + choose(count)]);
    }
}

/* ---- Runs
 * -------------------------------------------------------------------------------------------------------------------- */

typedef struct outcome { adead_status status; uint64_t fuel, offset, stream, memory; char message[320]; } outcome;

static outcome outcomes[2];

static bool hash(void *context, const void *bytes, uint64_t size)
{
    uint64_t *h = context;
    for (uint64_t i = 0; i < size; i++) *h = (*h ^ ((const uint8_t *)bytes)[i]) * 0x100000001B3u;
    return true;
}

static void ignore(void *context, uint64_t offset, uint32_t task, const char *text)
{
    (void)context, (void)offset, (void)task, (void)text;
}

static uint64_t last_position;

static bool see_step(adead_observer *observer, adead_task *task)
{
    uint64_t position = adead_task_position(task);
    (void)observer;
    if (position < last_position) {
        fprintf(stderr, "position %" PRIu64 " after %" PRIu64 "\n", position, last_position);
        abort();
    }
    last_position = position;
    return true;
}

static bool want(adead_observer *observer, adead_task *task)
{
    (void)observer, (void)task;
    return true;
}

static void see_begin(adead_observer *observer, adead_seen_call *call)
{
    (void)observer;
    if (call->position != last_position) abort();
}

static bool see_end(adead_observer *observer, adead_seen_call *call)
{
    (void)observer, (void)call;
    return true;
}

static void see_part(adead_observer *observer, adead_task *task, adead_exit why)
{
    (void)task, (void)why;
    observer->part_fuel = observer->part_fuel * 5 % 61 + 1;
}

static void run(const adead_code *code, bool plain, outcome *o)
{
    static adead_device       *device;
    const adead_device_options options = {.host = adead_host_default, .threads = 1};
    const adead_machine_limits limits = {.fuel = 5000, .memory = 1 << 16, .buffers = BUFFERS, .call_depth = 40, .tasks = 4};
    adead_machine             *machine = NULL;
    adead_failure              failure = {0};
    memset(o, 0, sizeof *o);
    if (!device && adead_backend_ref.open(&options, &device, NULL)) abort();
    o->status = adead_machine_create(code, &limits, &adead_backend_ref, device, &adead_backend_ref, device,
                                     &adead_host_default, &machine, &failure);
    if (o->status) abort();
    adead_machine_set_stream(machine, hash, &o->stream);
    adead_observer observer = {.every = true, .step = see_step, .wants = want, .begin = see_begin, .end = see_end,
                               .part = see_part, .part_fuel = 7};
    last_position = 0;
    if (plain) {
        adead_machine_set_trace(machine, ignore, NULL);
        machine->observer = &observer;
    }
    o->status = adead_machine_run(machine, &failure);
    machine->observer = NULL;
    o->fuel = adead_machine_fuel_used(machine);
    o->offset = failure.offset;
    snprintf(o->message, sizeof o->message, "%s", failure.message);
    for (uint32_t i = 0; i < machine->task_count; i++)
        hash(&o->memory, machine->tasks[i]->linear.host, machine->tasks[i]->linear.bytes);
    hash(&o->memory, machine->tasks[0]->globals, sizeof machine->tasks[0]->globals);
    hash(&o->memory, machine->tasks[0]->register_base, REGISTERS * sizeof(uint64_t));
    adead_machine_destroy(machine);
    if (o->fuel > limits.fuel || (o->status && o->status / 100 != 4 && o->status / 100 != 5)) {
        fprintf(stderr, "status %d, fuel %" PRIu64 ", %s\n", o->status, o->fuel, o->message);
        abort();
    }
}

static void target(const uint8_t *data, size_t size)
{
    static adead_port     in = {.name = "x",
                                .dtype = ADEAD_DTYPE_U8,
                                .rank = 1,
                                .place = ADEAD_PLACE_MEMORY,
                                .where = 64,
                                .has_default = true,
                                .default_dims = {8},
                                .default_bytes = (const uint8_t *)"\1\2\3\4\5\6\7\10",
                                .default_size = 8};
    static adead_port     out = {.name = "y", .dtype = ADEAD_DTYPE_U8, .rank = 1, .place = ADEAD_PLACE_MEMORY};
    static const uint64_t memory = 16384;
    uint32_t              table[2 * FUNCTIONS];
    adead_code           *code = NULL;
    choose_from(data, size);
    build();
    for (int i = 0; i < 2 * FUNCTIONS; i++) table[i] = program.starts[i % FUNCTIONS];
    const adead_image image = {.format = ADEAD_FORMAT_ADEAD2,
                               .code = program.code,
                               .code_size = program.size,
                               .memory_initial = memory,
                               .memory_maximum = 3 * memory,
                               .table = table,
                               .table_count = 2 * FUNCTIONS,
                               .inputs = &in,
                               .input_count = 1,
                               .outputs = &out,
                               .output_count = 1};
    if (adead_code_create(&image, &adead_host_default, &code, NULL)) return;
    for (int plain = 0; plain < 2; plain++) run(code, plain, &outcomes[plain]);
    adead_code_destroy(code);
    if (memcmp(&outcomes[0], &outcomes[1], sizeof(outcome)) == 0) return;
    for (int i = 0; i < 2; i++)
        fprintf(stderr,
                "%s: status %d at 0x%" PRIX64 ", fuel %" PRIu64 ", stream %016" PRIX64 ", memory %016" PRIX64 ", %s\n",
                i ? "plain" : "fast", outcomes[i].status, outcomes[i].offset, outcomes[i].fuel, outcomes[i].stream,
                outcomes[i].memory, outcomes[i].message);
    abort();
}

FUZZ_MAIN("streams", target)
