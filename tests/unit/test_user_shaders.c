/* Users' shaders on a Vulkan device, from outside: programs that dispatch them, dispatches on arrays, the simple calls. What
 * does not fit is refused before the device hears of it.
 */
#include "alloc/host.h"
#include "ffi/include/adead.h"
#include "opcodes/opcodes.h"
#include "tests/harness/test.h"

enum { COUNT = 16 };

/* The push constants of saxpy. */
typedef struct push { float a; uint32_t n; } push;

static const float zeros[COUNT];
static uint8_t     saxpy[4096], other[8192];
static size_t      saxpy_size;

static size_t read_module(const char *name, uint8_t *to, size_t room)
{
    char path[80];
    snprintf(path, sizeof path, "tests/vulkan/%s.spv", name);
    FILE  *file = fopen(path, "rb");
    size_t size = file ? fread(to, 1, room, file) : 0;
    if (file) fclose(file);
    return size;
}

/* A runtime on Vulkan; NULL with the error where there is none. */
static adead_runtime *open_runtime(void)
{
    adead_runtime        *runtime = NULL;
    adead_runtime_options options = {.size = sizeof options, .backend = "vulkan"};
    saxpy_size = read_module("saxpy", saxpy, sizeof saxpy);
    adead_runtime_create(&options, &runtime);
    return runtime;
}

#define OPEN(runtime)                                                                                         \
    adead_runtime *runtime = open_runtime();                                                                  \
    if (!runtime && adead_last_error()->code == ADEAD_BACKEND_UNAVAILABLE)                                    \
        SKIP("there is no Vulkan device here (Debian: apt-get install mesa-vulkan-drivers): %s",              \
             adead_last_error()->message);                                                                    \
    CHECK(runtime && saxpy_size, "%s", adead_last_error()->message)
#define WORKS(call) CHECK((call) == ADEAD_OK, "%s", adead_last_error()->message)
#define REFUSED(call, expected, sentence)                                                       \
    do {                                                                                        \
        CHECK_EQ(call, ADEAD_##expected);                                                       \
        CHECK_EQ(adead_last_error()->code, ADEAD_##expected);                                   \
        CHECK(strstr(adead_last_error()->message, sentence), "%s", adead_last_error()->message); \
    } while (0)

/* ---- Programs ---- */

/* b1 = a b0 + b1 for 16 numbers: %s are the instructions from the dispatch on. */
static const char program_text[] =
    ".memory 64KiB\n.input x f32[16] in b0\n.input y f32[16] in b1\n.output z f32[16] in b1\n"
    ".data 0x100\nname: .ascii \"saxpy\"\n.align 4\npush: .f32 0.5\n      .i32 16\n.code\n"
    "  vk.init\n  vk.shader 3, name, 5\n  vk.bind 0, b0\n  vk.bind 1, b1\n  vk.push push, 8\n%s\n  vk.sync\n  halt\n";

static adead_instance *make_instance(adead_runtime *runtime, const char *rest)
{
    char            text[2048];
    adead_program  *program = NULL;
    adead_instance *instance = NULL;
    uint64_t        dims[1] = {COUNT};
    float           x[COUNT], y[COUNT];
    for (int i = 0; i < COUNT; i++) x[i] = (float)i, y[i] = 100;
    int length = snprintf(text, sizeof text, program_text, rest);
    if (adead_program_assemble(runtime, text, (size_t)length, &program) != ADEAD_OK) return NULL;
    int status = adead_instance_create(program, NULL, &instance);
    adead_program_destroy(program);
    if (status == ADEAD_OK) status = adead_instance_set_input(instance, "x", ADEAD_F32, 1, dims, x);
    if (status == ADEAD_OK) status = adead_instance_set_input(instance, "y", ADEAD_F32, 1, dims, y);
    return status == ADEAD_OK ? instance : NULL;
}

/* Every element of z is 100 + factor x. */
static bool is_sum(adead_instance *instance, float factor)
{
    adead_tensor z;
    if (adead_instance_get_output(instance, "z", &z) != ADEAD_OK) return false;
    for (int i = 0; i < COUNT; i++)
        if (((const float *)z.data)[i] != 100 + factor * (float)i) return false;
    return true;
}

/* What a runtime's first device told is kept: asking opens no other. */
static void backend_of_a_runtime(void)
{
    adead_counting_host   counting;
    adead_host            host = adead_counting_host_init(&counting, 0);
    adead_runtime_options options = {.size = sizeof options, .allocate = host.allocate, .release = host.release,
                                     .context = host.context, .backend = "cpu"};
    adead_runtime     *runtime = NULL;
    adead_program     *program = NULL;
    adead_instance    *instance = NULL;
    adead_backend_info info = {.size = sizeof info};
    adead_probe_row    row = {.size = sizeof row};
    CHECK_EQ(adead_runtime_create(&options, &runtime), ADEAD_OK);
    CHECK_EQ(adead_program_assemble(runtime, "  halt\n", 7, &program), ADEAD_OK);
    CHECK_EQ(adead_instance_create(program, NULL, &instance), ADEAD_OK);
    uint64_t calls = counting.calls;
    CHECK_EQ(adead_runtime_backend(runtime, &info), ADEAD_OK);
    CHECK(strcmp(info.name, "cpu") == 0 && info.available && info.attested && info.memory_budget == 0);
    CHECK_EQ(adead_runtime_probe(runtime, 0, &row), ADEAD_INVALID_ARGUMENT);
    CHECK_STR(adead_last_error()->message, "there is no row 0: the probe of the backend cpu has 0");
    CHECK_EQ(counting.calls, calls);
    adead_instance_destroy(instance);
    adead_program_destroy(program);
    adead_runtime_destroy(runtime);
    CHECK_EQ(counting.live_count, 0);
    CHECK_EQ(adead_runtime_create(&options, &runtime), ADEAD_OK); /* and when nothing was opened yet, one is */
    CHECK_EQ(adead_runtime_backend(runtime, &info), ADEAD_OK);
    calls = counting.calls;
    CHECK_EQ(adead_runtime_backend(runtime, &info), ADEAD_OK);
    CHECK_EQ(counting.calls, calls);
    CHECK_EQ(adead_runtime_probe(NULL, 0, &row), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_runtime_probe(runtime, 0, NULL), ADEAD_INVALID_ARGUMENT);
    row.size = 8;
    CHECK_EQ(adead_runtime_probe(runtime, 0, &row), ADEAD_INVALID_ARGUMENT);
    adead_runtime_destroy(runtime);
    CHECK_EQ(counting.live_count, 0);
}

static void the_probe_of_a_runtime(void)
{
    OPEN(runtime);
    adead_backend_info info = {.size = sizeof info};
    uint32_t           rows = 0, taken = 0;
    for (adead_probe_row row = {.size = sizeof row}; adead_runtime_probe(runtime, rows, &row) == ADEAD_OK; rows++) {
        CHECK(row.operation[0] && row.path[0] && row.cases == 8192 && row.mismatches <= row.cases && row.reserved == 0);
        CHECK_EQ(row.taken, row.mismatches == 0);
        taken += row.taken;
    }
    CHECK(rows >= taken && taken == 22, "%u of %u", taken, rows);
    WORKS(adead_runtime_backend(runtime, &info));
    CHECK(info.attested && info.memory_used > 0 && info.memory_used <= info.memory_budget);
    adead_runtime_destroy(runtime);
}

static void a_program(void)
{
    OPEN(runtime);
    adead_instance *instance = make_instance(runtime, "  vk.compute 3, 1, 1, 1\n  vk.submit");
    CHECK(instance, "%s", adead_last_error()->message);
    REFUSED(adead_instance_run(instance), SHADER_MISSING, "no shader was loaded under the name 'saxpy'");
    WORKS(adead_instance_reset(instance));
    for (int i = 0; i < 3; i++) {
        WORKS(adead_instance_load_shader(instance, "saxpy", saxpy, saxpy_size, i ? "main" : NULL)); /* again: in its place */
        WORKS(adead_instance_run(instance));
        CHECK(is_sum(instance, 0.5f), "run %d", i);
        WORKS(adead_instance_reset(instance));
    }
    REFUSED(adead_instance_load_shader(instance, "saxpy", saxpy, saxpy_size, "other"), BAD_SHADER,
            "no entry point \"other\"");
    REFUSED(adead_instance_load_shader(instance, "saxpy", saxpy, saxpy_size - 4, NULL), BAD_SHADER, "");
    CHECK(adead_last_error()->offset < saxpy_size);
    REFUSED(adead_instance_load_shader(instance, "", saxpy, saxpy_size, NULL), INVALID_ARGUMENT, "1 to 64 bytes");
    WORKS(adead_instance_run(instance)); /* the one that was loaded is still there */
    CHECK(is_sum(instance, 0.5f));
    adead_instance_destroy(instance);
    adead_runtime_destroy(runtime);
}

/* More dispatches than there are descriptor sets, each of which reads what the last one wrote; and operations among them. */
static void many_dispatches(void)
{
    OPEN(runtime);
    adead_instance *instance = make_instance(
        runtime, "  i32.const r1, 200\nagain:\n  vk.compute 3, 1, 1, 1\n  i32.add_imm r1, r1, -1\n  jump.if r1, again");
    CHECK(instance, "%s", adead_last_error()->message);
    WORKS(adead_instance_load_shader(instance, "saxpy", saxpy, saxpy_size, NULL));
    WORKS(adead_instance_run(instance));
    CHECK(is_sum(instance, 100));
    adead_instance_destroy(instance);
    instance = make_instance(runtime, "  gpu.add b0, b0, b0, 64\n  vk.compute 3, 1, 1, 1\n  gpu.add b0, b0, b0, 64\n"
                                      "  vk.submit\n  vk.compute 3, 1, 1, 1");
    CHECK(instance, "%s", adead_last_error()->message);
    WORKS(adead_instance_load_shader(instance, "saxpy", saxpy, saxpy_size, NULL));
    WORKS(adead_instance_run(instance));
    CHECK(is_sum(instance, 1 + 2)); /* half of 2 x, and half of 4 x */
    adead_instance_destroy(instance);
    adead_runtime_destroy(runtime);
}

/* Instructions, what comes of them, and of which sentence. */
static void what_does_not_fit(void)
{
    const struct { const char *rest; int status; const char *sentence; } cases[] = {
        {"  vk.compute 3, 1, 1, 1", ADEAD_OK, ""},
        {"  vk.compute 3, 1, 0, 1", ADEAD_OK, ""},
        {"  vk.compute 4, 1, 1, 1", ADEAD_SHADER_MISSING, "under the name '4'"},
        {"  vk.push push, 4\n  vk.compute 3, 1, 1, 1", ADEAD_SHADER_MISMATCH, "has 8 bytes of push constants, 4 were given"},
        {"  vk.compute 3, 1, 4294967295, 1", ADEAD_SHADER_MISMATCH, "groups in direction y"},
        {"  vk.free b1\n  vk.compute 3, 1, 1, 1", ADEAD_BUFFER_STATE, "buffer 1 was freed"},
        {"  vk.compute 0, 1, 1, 1", ADEAD_SHADER_MISMATCH, "has 0 bytes of push constants, 8 were given"},
        {"  vk.push 0, 0\n  vk.compute 0, 1, 1, 1", ADEAD_SHADER_MISMATCH, "binding 2, to which no buffer is bound"},
        {"  vk.alloc 19, b9\n  vk.bind 2, b9\n  vk.push 0, 0\n  vk.compute 0, 1, 1, 1", ADEAD_SHADER_MISMATCH,
         "binding 2 needs at least 20 bytes, its buffer has 19"},
        {"  vk.alloc 20, b9\n  vk.bind 2, b9\n  vk.push 0, 0\n  vk.compute 0, 1, 1, 1", ADEAD_OK, ""},
    };
    OPEN(runtime);
    size_t size = read_module("group", other, sizeof other);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        adead_instance *instance = make_instance(runtime, cases[i].rest);
        CHECK(instance, "case %d: %s", (int)i, adead_last_error()->message);
        WORKS(adead_instance_load_shader(instance, "saxpy", saxpy, saxpy_size, NULL));
        WORKS(adead_instance_load_shader(instance, "0", other, size, NULL));
        int status = adead_instance_run(instance);
        CHECK(status == cases[i].status, "case %d: %d %s", (int)i, status, adead_last_error()->message);
        if (status)
            CHECK(strstr(adead_last_error()->message, cases[i].sentence), "case %d: %s", (int)i,
                  adead_last_error()->message);
        adead_instance_destroy(instance);
    }
    adead_runtime_destroy(runtime);
}

/* A program of the published binary form has no names: the number is the name. */
static void a_published_program(void)
{
    static const struct { adead_op op; uint32_t count, words[4]; } code[] = {
        {ADEAD_OP_VK_INIT, 0, {0}},
        {ADEAD_OP_VK_ALLOC, 2, {64, 0}},
        {ADEAD_OP_VK_ALLOC, 2, {64, 1}},
        {ADEAD_OP_GPU_COPY_H2D, 3, {0x1000, 0, 64}},
        {ADEAD_OP_VK_BIND, 2, {0, 0}},
        {ADEAD_OP_VK_BIND, 2, {1, 1}},
        {ADEAD_OP_VK_PUSH, 2, {0x2000, 8}},
        {ADEAD_OP_VK_COMPUTE, 4, {0, 1, 1, 1}},
        {ADEAD_OP_VK_SUBMIT, 0, {0}},
        {ADEAD_OP_VK_SYNC, 0, {0}},
        {ADEAD_OP_GPU_COPY_D2H, 3, {1, 0x3000, 64}},
        {ADEAD_OP_VK_FREE, 1, {0}},
        {ADEAD_OP_VK_FREE, 1, {1}},
        {ADEAD_OP_HALT, 0, {0}}};
    enum { INSTRUCTIONS = sizeof code / sizeof code[0] };
    uint8_t         agpu[512] = {'A', 'G', 'P', 'U', 1, 0, INSTRUCTIONS, 0};
    size_t          size = 8;
    const push      p = {3, COUNT};
    float           x[COUNT], y[COUNT];
    adead_program  *program = NULL;
    adead_instance *instance = NULL;
    OPEN(runtime);
    for (int i = 0; i < INSTRUCTIONS; i++)
        size += adead_encode(adead_ops[code[i].op].value, code[i].words, code[i].count, agpu + size);
    for (int i = 0; i < COUNT; i++) x[i] = (float)i;
    WORKS(adead_program_load(runtime, agpu, size, &program));
    WORKS(adead_instance_create(program, NULL, &instance));
    WORKS(adead_instance_load_shader(instance, "0", saxpy, saxpy_size, NULL));
    WORKS(adead_instance_write_memory(instance, 0x1000, x, sizeof x));
    WORKS(adead_instance_write_memory(instance, 0x2000, &p, sizeof p));
    WORKS(adead_instance_run(instance));
    WORKS(adead_instance_read_memory(instance, 0x3000, y, sizeof y));
    for (int i = 0; i < COUNT; i++) CHECK(y[i] == 3 * x[i], "%d: %g", i, y[i]);
    adead_instance_destroy(instance);
    adead_program_destroy(program);
    adead_runtime_destroy(runtime);
}

/* ---- Dispatches on arrays ---- */

static void dispatches_on_arrays(void)
{
    OPEN(runtime);
    adead_shader     *shader = NULL;
    adead_shader_info info = {.size = sizeof info};
    float             x[COUNT], y[COUNT + 1];
    push              p = {2, COUNT - 1};
    WORKS(adead_shader_load(runtime, saxpy, saxpy_size, NULL, &shader));
    WORKS(adead_shader_get_info(shader, &info));
    CHECK(info.used == 3 && info.written == 2 && info.push_bytes == 8 && info.group[0] == 64 && info.bytes[0] == 0);
    CHECK(info.groups_max[0] >= 65535 && info.bytes_max >= 1 << 27);
    for (int i = 0; i < COUNT; i++) x[i] = (float)i;
    for (int i = 0; i <= COUNT; i++) y[i] = 7;
    adead_dispatch d = {.size = sizeof d, .groups = {1, 1, 1}, .push = &p, .push_bytes = sizeof p};
    d.bindings[0] = (adead_array){x, sizeof x};
    d.bindings[1] = (adead_array){y, COUNT * sizeof y[0]};
    d.bindings[9] = (adead_array){y, 4}; /* the shader has no such binding */
    for (int run = 1; run <= 3; run++) {
        WORKS(adead_dispatch_compute(shader, &d));
        for (int i = 0; i <= COUNT; i++) CHECK(y[i] == 7 + (i < COUNT - 1 ? 2.0f * (float)(i * run) : 0), "%d: %g", i, y[i]);
        for (int i = 0; i < COUNT; i++) CHECK(x[i] == (float)i);
    }
    /* From here on nothing runs. */
    adead_dispatch bad = d;
    bad.groups[1] = 0;
    WORKS(adead_dispatch_compute(shader, &bad));
    bad = d, bad.size = 8;
    REFUSED(adead_dispatch_compute(shader, &bad), INVALID_ARGUMENT, "adead_dispatch.size");
    bad = d, bad.push_bytes = 4;
    REFUSED(adead_dispatch_compute(shader, &bad), SHADER_MISMATCH, "has 8 bytes of push constants, 4 were given");
    bad = d, bad.push_bytes = 132;
    REFUSED(adead_dispatch_compute(shader, &bad), SHADER_MISMATCH, "132 bytes of push constants");
    bad = d, bad.push = NULL;
    REFUSED(adead_dispatch_compute(shader, &bad), INVALID_ARGUMENT, "push");
    bad = d, bad.bindings[0].data = NULL;
    REFUSED(adead_dispatch_compute(shader, &bad), SHADER_MISMATCH, "binding 0, to which no buffer is bound");
    bad = d, bad.bindings[1].bytes = info.bytes_max + 1;
    REFUSED(adead_dispatch_compute(shader, &bad), SHADER_MISMATCH, "this device binds at most");
    bad = d, bad.bindings[1].data = &x[COUNT - 1];
    REFUSED(adead_dispatch_compute(shader, &bad), OVERLAP, "binding 1, which the shader may write, overlaps");
    bad = d, bad.groups[2] = info.groups_max[2] + 1;
    REFUSED(adead_dispatch_compute(shader, &bad), SHADER_MISMATCH, "groups in direction z");
    CHECK(y[1] == 7 + 6);
    adead_runtime_destroy(runtime); /* the shader keeps it */
    WORKS(adead_dispatch_compute(shader, &d));
    CHECK(y[1] == 7 + 8);
    adead_shader_destroy(shader);
}

/* Offsets as the driver sees them are those that reflection saw: the last byte of each fixed block is written. */
static void every_layout(void)
{
    OPEN(runtime);
    adead_shader     *shader = NULL;
    adead_shader_info info = {.size = sizeof info};
    size_t            size = read_module("layouts", other, sizeof other);
    int               status = adead_shader_load(runtime, other, size, NULL, &shader);
    if (status == ADEAD_BACKEND_UNSUPPORTED) SKIP("cannot run: %s", adead_last_error()->message);
    CHECK(status == ADEAD_OK, "%s", adead_last_error()->message);
    WORKS(adead_shader_get_info(shader, &info));
    static uint32_t memory[16][64];
    uint8_t         constants[28] = {0};
    adead_dispatch  d = {.size = sizeof d, .groups = {1, 1, 1}, .push = constants, .push_bytes = sizeof constants};
    for (uint32_t i = 0; i < 16; i++) d.bindings[i] = (adead_array){memory[i], info.bytes[i] + (i == 1 ? 48 : 0)};
    memory[0][0] = 40; /* b0.count + b1.count + b15.a to b15.b */
    memory[1][0] = 1;
    memory[15][0] = 1;
    memory[15][2] = 0xABABABAB;
    WORKS(adead_dispatch_compute(shader, &d));
    CHECK_EQ(memory[15][1], 42);
    CHECK_EQ(memory[15][2], 0xABABABAB);
    d.bindings[5].bytes--;
    REFUSED(adead_dispatch_compute(shader, &d), SHADER_MISMATCH, "binding 5 needs at least 176 bytes, its buffer has 175");
    adead_shader_destroy(shader);
    adead_runtime_destroy(runtime);
}

/* A sound module that asks for more than there is. */
static void what_no_device_has(void)
{
    OPEN(runtime);
    adead_shader *shader = NULL;
    uint32_t      words[1024];
    size_t        size = read_module("group", (uint8_t *)words, sizeof words);
    for (size_t at = 5; at < size / 4; at += words[at] >> 16)
        if ((words[at] & 0xFFFF) == 50 && words[at + 3] == 1) words[at + 3] = 1 << 30; /* local_size_x */
    REFUSED(adead_shader_load(runtime, words, size, NULL, &shader), BACKEND_UNSUPPORTED,
            "a workgroup of 1073741824 x 3 x 1");
    CHECK(!shader);
    adead_runtime_destroy(runtime);
}

static void arguments(void)
{
    OPEN(runtime);
    adead_shader     *shader = NULL;
    adead_shader_info info = {.size = sizeof info};
    adead_dispatch    d = {.size = sizeof d};
    REFUSED(adead_shader_load(NULL, saxpy, saxpy_size, NULL, &shader), INVALID_ARGUMENT, "runtime");
    REFUSED(adead_shader_load(runtime, NULL, saxpy_size, NULL, &shader), INVALID_ARGUMENT, "spirv");
    REFUSED(adead_shader_load(runtime, saxpy, saxpy_size, NULL, NULL), INVALID_ARGUMENT, "shader");
    REFUSED(adead_shader_load(runtime, saxpy, 0, NULL, &shader), BAD_SHADER, "0 bytes");
    REFUSED(adead_shader_get_info(NULL, &info), INVALID_ARGUMENT, "shader");
    REFUSED(adead_dispatch_compute(NULL, &d), INVALID_ARGUMENT, "shader");
    WORKS(adead_shader_load(runtime, saxpy, saxpy_size, "main", &shader));
    REFUSED(adead_shader_get_info(shader, NULL), INVALID_ARGUMENT, "info");
    info.size = 8;
    REFUSED(adead_shader_get_info(shader, &info), INVALID_ARGUMENT, "adead_shader_info.size");
    REFUSED(adead_dispatch_compute(shader, NULL), INVALID_ARGUMENT, "dispatch");
    REFUSED(adead_instance_load_shader(NULL, "x", saxpy, saxpy_size, NULL), INVALID_ARGUMENT, "instance");
    adead_instance *instance = make_instance(runtime, "");
    REFUSED(adead_instance_load_shader(instance, NULL, saxpy, saxpy_size, NULL), INVALID_ARGUMENT, "name");
    REFUSED(adead_instance_load_shader(instance, "x", NULL, saxpy_size, NULL), INVALID_ARGUMENT, "spirv");
    adead_instance_destroy(instance);
    adead_shader_destroy(shader);
    adead_shader_destroy(NULL);
    adead_runtime_destroy(runtime);
}

/* Where there is no Vulkan. */
static void other_backends(void)
{
    adead_runtime        *runtime = NULL;
    adead_shader         *shader = NULL;
    adead_runtime_options options = {.size = sizeof options, .backend = "ref"};
    saxpy_size = read_module("saxpy", saxpy, sizeof saxpy);
    WORKS(adead_runtime_create(&options, &runtime));
    REFUSED(adead_shader_load(runtime, saxpy, saxpy_size, NULL, &shader), BACKEND_UNSUPPORTED,
            "the backend ref does not run shaders");
    CHECK(!shader);
    adead_instance *instance = make_instance(runtime, "  vk.compute 3, 1, 1, 1");
    CHECK(instance, "%s", adead_last_error()->message);
    REFUSED(adead_instance_load_shader(instance, "saxpy", saxpy, saxpy_size, NULL), BACKEND_UNSUPPORTED,
            "does not run shaders");
    REFUSED(adead_instance_run(instance), BACKEND_UNAVAILABLE, "vk.init: the backend ref does not run shaders");
    adead_instance_destroy(instance);
    adead_runtime_destroy(runtime);
}

/* Every allocation of the host fails once: an error each time, and nothing is kept. */
static void host_memory_runs_out(void)
{
    OPEN(runtime);
    adead_runtime_destroy(runtime);
    bool done = false;
    for (uint64_t at = 1; !done; at++) {
        adead_counting_host   counting;
        adead_host            host = adead_counting_host_init(&counting, at);
        adead_shader         *shader = NULL;
        float                 x[COUNT] = {0}, y[COUNT] = {0};
        push                  p = {1, COUNT};
        adead_dispatch        d = {.size = sizeof d, .groups = {1, 1, 1}, .push = &p, .push_bytes = sizeof p};
        adead_runtime_options options = {.size = sizeof options, .backend = "vulkan", .allocate = host.allocate,
                                         .release = host.release, .context = host.context};
        d.bindings[0] = (adead_array){x, sizeof x};
        d.bindings[1] = (adead_array){y, sizeof y};
        runtime = NULL;
        int status = adead_runtime_create(&options, &runtime);
        if (!status) status = adead_shader_load(runtime, saxpy, saxpy_size, NULL, &shader);
        if (!status) status = adead_dispatch_compute(shader, &d);
        adead_shader_destroy(shader);
        adead_runtime_destroy(runtime);
        CHECK(status == ADEAD_OK || status == ADEAD_NO_MEMORY, "allocation %d: %d %s", (int)at, status,
              adead_last_error()->message);
        CHECK_EQ(counting.live_count, 0);
        done = counting.calls < at;
        CHECK(at < 300);
    }
}

/* ---- The simple calls ---- */

static void simple_calls(void)
{
    OPEN(runtime);
    adead_runtime_destroy(runtime);
    float    x[COUNT], y[COUNT] = {0};
    push     p = {4, COUNT};
    uint32_t first = 99, second = 99;
    for (int i = 0; i < COUNT; i++) x[i] = (float)i;
    WORKS(adead_init(ADEAD_CPU));
    REFUSED(adead_vulkan_load_shader(saxpy, saxpy_size, NULL, &first), INVALID_STATE, "adead_vulkan_init was not called");
    for (int round = 0; round < 2; round++) {
        memcpy(y, zeros, sizeof y);
        WORKS(adead_vulkan_init());
        REFUSED(adead_vulkan_init(), INVALID_STATE, "called before");
        REFUSED(adead_vulkan_load_shader(saxpy, saxpy_size, NULL, NULL), INVALID_ARGUMENT, "shader");
        REFUSED(adead_vulkan_load_shader(saxpy, 100, NULL, &first), BAD_SHADER, "");
        WORKS(adead_vulkan_load_shader(saxpy, saxpy_size, NULL, &first));
        WORKS(adead_vulkan_load_shader(saxpy, saxpy_size, "main", &second));
        CHECK(first == 0 && second == 1);
        WORKS(adead_vulkan_bind(second, 0, x, sizeof x));
        WORKS(adead_vulkan_bind(second, 1, y, sizeof y));
        REFUSED(adead_vulkan_compute(second, 1, 1, 1), SHADER_MISMATCH, "0 were given");
        WORKS(adead_vulkan_push(second, &p, sizeof p));
        REFUSED(adead_vulkan_compute(first, 1, 1, 1), SHADER_MISMATCH, "");
        REFUSED(adead_vulkan_compute(2, 1, 1, 1), INVALID_ARGUMENT, "there is no shader 2; 2 were loaded");
        WORKS(adead_vulkan_compute(second, 1, 1, 1));
        for (int i = 0; i < COUNT; i++) CHECK(y[i] == 4 * x[i], "%d: %g", i, y[i]);
        WORKS(adead_vulkan_bind(second, 1, NULL, 0));
        REFUSED(adead_vulkan_compute(second, 1, 1, 1), SHADER_MISMATCH, "binding 1");
        WORKS(adead_shutdown());
        REFUSED(adead_vulkan_compute(second, 1, 1, 1), INVALID_STATE, "adead_init");
        if (round == 0) WORKS(adead_init(ADEAD_AUTO));
    }
}

TEST_MAIN("user_shaders", T(backend_of_a_runtime) T(the_probe_of_a_runtime)
          T(a_program) T(many_dispatches) T(what_does_not_fit) T(a_published_program)
                              T(dispatches_on_arrays) T(every_layout) T(what_no_device_has) T(arguments) T(other_backends)
                                  T(host_memory_runs_out) T(simple_calls))
