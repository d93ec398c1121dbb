/* The public interface: what every function says to bad arguments, statuses, lifetimes, threads on one program, the simple
 * calls, the floating-point environment, and an allocation that fails at every place it can.
 */
#include "tests/harness/test.h"

#include "alloc/host.h"
#include "ffi/internal.h"

#include <fenv.h>
#include <pthread.h>

/* Scales a[n, 4] by s into o, tells n, and greets: buffers, linear memory, a tensor operation, defaults, the stream. */
static const char scale_source[] =
    ".memory 64KiB\n"
    ".input  a f32[?, 4] in b0\n"
    ".default a [1, 4]\n"
    "        .f32 1, 2, 3, 4\n"
    ".input  s f32[] at 0x100\n"
    ".default s []\n"
    "        .f32 2\n"
    ".output o f32[?, 4] in b1\n"
    ".output n i64[] at 0x200\n"
    ".data 0x300\n"
    "hello:  .ascii \"hi\\n\"\n"
    ".entry main\n"
    "main:   .func regs=12\n"
    "        input.dim r0, 0, 0\n"
    "        i64.mul_imm r1, r0, 4\n"
    "        i64.mul_imm r2, r1, 4\n"
    "        buffer.alloc b1, r2\n"
    "        buffer.address r3, b0\n"
    "        buffer.address r4, b1\n"
    "        load32_u r5, r11, 0x100\n"
    "        tensor.scale r3, r4, r1, r5\n"
    "        output.dim 0, 0, r0\n"
    "        store64 r0, r11, 0x200\n"
    "        i64.const r6, hello\n"
    "        i64.const r7, 3\n"
    "        write r6, r7\n"
    "        halt\n";

static adead_runtime *open_runtime(void)
{
    adead_runtime *runtime = NULL;
    if (adead_runtime_create(NULL, &runtime) != ADEAD_OK) printf("adead_runtime_create: %s\n", adead_last_error()->message);
    return runtime;
}

static adead_program *assemble(adead_runtime *runtime, const char *source)
{
    adead_program *program = NULL;
    if (adead_program_assemble(runtime, source, strlen(source), &program) != ADEAD_OK)
        printf("adead_program_assemble: %u:%u: %s\n", adead_last_error()->line, adead_last_error()->column,
               adead_last_error()->message);
    return program;
}

/* A program of one source, ready to run: for tests that look at one failure. */
typedef struct bench { adead_runtime *runtime; adead_program *program; adead_instance *instance; } bench;

static bool bench_open(bench *b, const char *source, const adead_limits *limits)
{
    memset(b, 0, sizeof *b);
    b->runtime = open_runtime();
    b->program = b->runtime ? assemble(b->runtime, source) : NULL;
    return b->program && adead_instance_create(b->program, limits, &b->instance) == ADEAD_OK;
}

static void bench_close(bench *b)
{
    adead_instance_destroy(b->instance);
    adead_program_destroy(b->program);
    adead_runtime_destroy(b->runtime);
}

typedef struct collected { uint8_t bytes[65536]; size_t size, limit; } collected;

static int collect(void *context, const void *bytes, size_t size)
{
    collected *c = context;
    if (size > sizeof c->bytes - c->size || c->size + size > c->limit) return 1;
    memcpy(c->bytes + c->size, bytes, size);
    c->size += size;
    return 0;
}

#define REFUSED(call, status)                                         \
    do {                                                              \
        CHECK_EQ(call, status);                                       \
        CHECK_EQ(adead_last_error()->code, status);                   \
        CHECK(adead_last_error()->message[0] != 0, "no message");     \
    } while (0)

/* ---- Without a runtime ---- */

static void names(void)
{
    CHECK_STR(adead_status_name(405), "OUT_OF_FUEL");
    CHECK_STR(adead_status_name(-1), "UNKNOWN");
    CHECK_STR(adead_status_name(99999), "UNKNOWN");
    CHECK(strlen(adead_status_text(405)) > 10, "a sentence");
    CHECK_STR(adead_version(), ADEAD_VERSION);
    CHECK_EQ(adead_version_number(), ADEAD_VERSION_MAJOR << 16 | ADEAD_VERSION_MINOR << 8 | ADEAD_VERSION_PATCH);
    CHECK_STR(adead_type_name(ADEAD_I64), "i64");
    CHECK_EQ(adead_type_size(ADEAD_I64), 8);
    CHECK_STR(adead_type_name(77), "?");
    CHECK_EQ(adead_type_size(77), 0);
    CHECK(adead_cpu_text()[0] != 0, "the processor has a text");
    uint8_t digest[32];
    adead_sha256_digest("abc", 3, digest);
    CHECK_EQ(digest[0], 0xBA);
    CHECK_EQ(digest[31], 0xAD);
    adead_sha256_digest(NULL, 0, digest);
    CHECK_EQ(digest[0], 0xE3);
}

static void backends(void)
{
    uint32_t count = adead_backend_count();
    bool     ref = false;
    CHECK(count >= 2, "ref and null are always there");
    for (uint32_t i = 0; i < count; i++) {
        adead_backend_info info = {.size = sizeof info};
        CHECK_EQ(adead_backend_get(i, &info), ADEAD_OK);
        CHECK_EQ(info.size, sizeof info);
        CHECK_STR(adead_backend_name(i), info.name);
        CHECK(info.name[0] && info.summary[0], "backend %u has a name and a summary", i);
        CHECK(info.available || info.reason[0], "%s says why it is not available", info.name);
        ref |= strcmp(info.name, "ref") == 0 && info.available && info.attested;
    }
    CHECK(ref, "ref is available and attested");
    adead_backend_info info = {.size = sizeof info};
    REFUSED(adead_backend_get(count, &info), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_backend_get(0, NULL), ADEAD_INVALID_ARGUMENT);
    info.size = 12;
    REFUSED(adead_backend_get(0, &info), ADEAD_INVALID_ARGUMENT);
    CHECK(adead_backend_name(count) == NULL && adead_backend_name(UINT32_MAX) == NULL);
    adead_backend_info first = {.memory_budget = 7, .memory_used = 7}; /* of a caller before memory_budget */
    first.size = offsetof(adead_backend_info, memory_budget);
    CHECK_EQ(adead_backend_get(0, &first), ADEAD_OK);
    CHECK(first.memory_budget == 7 && first.memory_used == 7, "what the caller does not have is not written");
}

/* ---- Runtimes ---- */

static int create_named(const char *backend)
{
    adead_runtime_options options = {.size = sizeof options, .backend = backend};
    adead_runtime        *runtime = (adead_runtime *)1;
    int                   status = adead_runtime_create(&options, &runtime);
    if (status != ADEAD_OK) return runtime == NULL ? status : -1;
    adead_backend_info info = {.size = sizeof info};
    int                told = adead_runtime_backend(runtime, &info);
    bool               same = strcmp(backend, "auto") == 0 || strcmp(info.name, backend) == 0;
    adead_runtime_destroy(runtime);
    return told == ADEAD_OK && same ? ADEAD_OK : -2;
}

static void runtime_options(void)
{
    adead_runtime        *runtime = NULL;
    adead_runtime_options options = {.size = sizeof options};
    REFUSED(adead_runtime_create(NULL, NULL), ADEAD_INVALID_ARGUMENT);
    options.size = 0;
    REFUSED(adead_runtime_create(&options, &runtime), ADEAD_INVALID_ARGUMENT);
    options.size = sizeof options;
    options.threads = 100000;
    REFUSED(adead_runtime_create(&options, &runtime), ADEAD_INVALID_ARGUMENT);
    options.threads = 3;
    options.allocate = adead_host_default.allocate;
    REFUSED(adead_runtime_create(&options, &runtime), ADEAD_INVALID_ARGUMENT);
    options.release = adead_host_default.release;
    CHECK_EQ(adead_runtime_create(&options, &runtime), ADEAD_OK);
    REFUSED(adead_runtime_backend(NULL, NULL), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_runtime_backend(runtime, NULL), ADEAD_INVALID_ARGUMENT);
    adead_runtime_destroy(runtime);
    adead_runtime_destroy(NULL);

    CHECK_EQ(create_named("ref"), ADEAD_OK);
    CHECK_EQ(create_named("null"), ADEAD_OK);
    CHECK_EQ(create_named("auto"), ADEAD_OK);
    CHECK_EQ(create_named("cuda"), ADEAD_BACKEND_UNAVAILABLE);
    CHECK(strstr(adead_last_error()->message, "there is no CUDA driver"), "%s", adead_last_error()->message);
    CHECK_EQ(create_named("vulkan:no such device"), ADEAD_BACKEND_UNAVAILABLE);
    CHECK_EQ(create_named("cudax"), ADEAD_BACKEND_UNKNOWN);
    CHECK(strstr(adead_last_error()->hint, "ref") != NULL, "the hint lists what there is: %s", adead_last_error()->hint);
    CHECK_EQ(create_named(""), ADEAD_BACKEND_UNKNOWN);
    CHECK_EQ(create_named("ref:"), ADEAD_BACKEND_UNKNOWN);
    CHECK(create_named("cpu:no-such-variant") >= 500, "an unknown variant is refused");
    CHECK(create_named("cpu:abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz") >= 500, "a long variant is refused");
}

/* Options and structs of a later version of the header, whose new fields are zero, are taken; set ones are not. */
static void later_structs(void)
{
    struct { adead_runtime_options known; uint64_t later; } options = {.known = {.size = sizeof options}};
    adead_runtime *runtime = NULL;
    CHECK_EQ(adead_runtime_create(&options.known, &runtime), ADEAD_OK);
    adead_runtime_destroy(runtime);
    options.later = 1;
    REFUSED(adead_runtime_create(&options.known, &runtime), ADEAD_INVALID_ARGUMENT);

    struct { adead_backend_info known; uint64_t later; } info = {.known = {.size = sizeof info}, .later = 7};
    CHECK_EQ(adead_backend_get(0, &info.known), ADEAD_OK);
    CHECK_EQ(info.known.size, sizeof info);
    CHECK_EQ(info.later, 7);
}

static void environment(void)
{
#if defined(_WIN32)
    SKIP("cannot run: setenv is not there");
#else
    setenv("ADEAD_BACKEND", "nonsense", 1);
    adead_runtime *runtime = NULL;
    int            status = adead_runtime_create(NULL, &runtime);
    bool           hint = strstr(adead_last_error()->hint, "ADEAD_BACKEND") != NULL;
    int            explicit_status = create_named("ref");
    int            auto_status = create_named("auto");
    setenv("ADEAD_BACKEND", "ref", 1);
    adead_backend_info info = {.size = sizeof info};
    int                second = adead_runtime_create(NULL, &runtime);
    if (second == ADEAD_OK) adead_runtime_backend(runtime, &info);
    adead_runtime_destroy(runtime);
    unsetenv("ADEAD_BACKEND");
    setenv("ADEAD_THREADS", "2x", 1);
    int third = adead_runtime_create(NULL, &runtime);
    setenv("ADEAD_THREADS", "99999999999999999999", 1);
    int fourth = adead_runtime_create(NULL, &runtime);
    setenv("ADEAD_THREADS", "2", 1);
    int      fifth = adead_runtime_create(NULL, &runtime);
    uint32_t threads = fifth == ADEAD_OK ? runtime->threads : 0;
    adead_runtime_destroy(runtime);
    unsetenv("ADEAD_THREADS");
    CHECK_EQ(status, ADEAD_BACKEND_UNKNOWN);
    CHECK(hint, "the hint names the variable");
    CHECK_EQ(explicit_status, ADEAD_OK);
    CHECK_EQ(auto_status, ADEAD_OK);
    CHECK_EQ(second, ADEAD_OK);
    CHECK_STR(info.name, "ref");
    CHECK_EQ(third, ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(fourth, ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(fifth, ADEAD_OK);
    CHECK_EQ(threads, 2);
#endif
}

/* ---- Programs ---- */

static void program_arguments(void)
{
    adead_runtime *runtime = open_runtime();
    adead_program *program = (adead_program *)1;
    adead_tensor   tensor;
    REFUSED(adead_program_load(runtime, "x", 1, NULL), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_program_load(NULL, "x", 1, &program), ADEAD_INVALID_ARGUMENT);
    CHECK(program == NULL, "the handle is NULL after a failure");
    REFUSED(adead_program_load(runtime, NULL, 1, &program), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_program_assemble(runtime, NULL, 1, &program), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_program_load_file(runtime, NULL, &program), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_program_load_file(NULL, "x", &program), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_program_load_file(runtime, "x", NULL), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_program_load(runtime, NULL, 0, &program), ADEAD_BAD_MAGIC);
    REFUSED(adead_program_load(runtime, "nonsense", 8, &program), ADEAD_BAD_MAGIC);
    REFUSED(adead_program_load(runtime, "AGPU\2\0\0\0", 8, &program), ADEAD_BAD_VERSION);
    CHECK_EQ(adead_last_error()->offset, 4);
    REFUSED(adead_program_assemble(runtime, "  nop\n  frob r1\n", 16, &program), ADEAD_SYNTAX);
    CHECK_EQ(adead_last_error()->line, 2);
    CHECK_EQ(adead_last_error()->column, 3);

    program = assemble(runtime, scale_source);
    CHECK(program, "the sample assembles");
    adead_program_info info = {.size = sizeof info};
    REFUSED(adead_program_get_info(NULL, &info), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_program_get_info(program, NULL), ADEAD_INVALID_ARGUMENT);
    info.size = 1;
    REFUSED(adead_program_get_info(program, &info), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_program_verify(NULL), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_program_input(program, 2, &tensor), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_program_input(program, 0, NULL), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_program_input(NULL, 0, &tensor), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_program_input_default(program, 2, &tensor), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_program_input_default(program, 0, NULL), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_program_input_default(NULL, 0, &tensor), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_program_output(program, 2, &tensor), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_program_output(program, 0, NULL), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_program_output(NULL, 0, &tensor), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_program_write(NULL, ADEAD_PROGRAM_TEXT, collect, NULL), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_program_write(program, ADEAD_PROGRAM_TEXT, NULL, NULL), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_program_write(program, 0, collect, NULL), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_program_write(program, 6, collect, NULL), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_program_disassemble(NULL, collect, NULL), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_program_disassemble(program, NULL, NULL), ADEAD_INVALID_ARGUMENT);
    CHECK(adead_program_import(program, 0) == NULL && adead_program_import(NULL, 0) == NULL, "no imports");
    adead_program_destroy(program);
    adead_program_destroy(NULL);
    adead_runtime_destroy(runtime);
}

static void program_files(void)
{
    adead_runtime *runtime = open_runtime();
    adead_program *program = NULL;
    REFUSED(adead_program_load_file(runtime, "no/such/file", &program), ADEAD_CANNOT_READ);
    REFUSED(adead_program_load_file(runtime, ".", &program), ADEAD_CANNOT_READ);
    CHECK(strstr(adead_last_error()->message, ". cannot be"), "%s", adead_last_error()->message);
    char path[] = "/tmp/adead_ffi_XXXXXX";
    int  descriptor = mkstemp(path);
    CHECK(descriptor >= 0, "a file");
    FILE *file = fdopen(descriptor, "wb");
    CHECK(file, "a stream");
    static const uint8_t end[] = {'A', 'G', 'P', 'U', 1, 0, 1, 0, 0xFF, 0xFF, 0xDA, 0xC0, 0};
    fwrite(end, 1, sizeof end, file);
    fclose(file);
    int status = adead_program_load_file(runtime, path, &program);
    remove(path);
    CHECK_EQ(status, ADEAD_OK);
    CHECK_EQ(adead_program_verify(program), ADEAD_OK);
    adead_program_destroy(program);
    adead_runtime_destroy(runtime);
}

static void program_facts(void)
{
    adead_runtime     *runtime = open_runtime();
    adead_program     *program = assemble(runtime, scale_source);
    adead_program_info info = {.size = sizeof info};
    adead_tensor       tensor;
    CHECK_EQ(adead_program_get_info(program, &info), ADEAD_OK);
    CHECK_EQ(info.format, ADEAD_PROGRAM_BINARY);
    CHECK_EQ(info.instructions, 15);
    CHECK_EQ(info.functions, 1);
    CHECK_EQ(info.tensor_instructions, 1);
    CHECK_EQ(info.data_bytes, 3);
    CHECK_EQ(info.memory_initial, 65536);
    CHECK_EQ(info.inputs, 2);
    CHECK_EQ(info.outputs, 2);
    CHECK_EQ(info.imports, 0);
    CHECK_EQ(adead_program_input(program, 0, &tensor), ADEAD_OK);
    CHECK_STR(tensor.name, "a");
    CHECK_EQ(tensor.rank, 2);
    CHECK_EQ(tensor.dims[0], 0);
    CHECK(tensor.data == NULL, "a declaration has no data");
    CHECK_EQ(adead_program_input_default(program, 0, &tensor), ADEAD_OK);
    CHECK_STR(tensor.name, "a");
    CHECK_EQ(tensor.rank, 2);
    CHECK_EQ(tensor.dims[0], 1);
    CHECK_EQ(tensor.bytes, 16);
    CHECK(tensor.data && ((const float *)tensor.data)[3] == 4.0f, "the default's data");
    CHECK_EQ(adead_program_output(program, 0, &tensor), ADEAD_OK);
    CHECK_STR(tensor.name, "o");
    CHECK_EQ(tensor.dims[0], 0);
    CHECK_EQ(tensor.dims[1], 4);
    CHECK(tensor.data == NULL, "a declaration has no data");

    /* The digest is of the content: the same program read back from either form has the same. */
    static collected c;
    for (int format = ADEAD_PROGRAM_BINARY; format <= ADEAD_PROGRAM_TEXT; format++) {
        adead_program     *again = NULL;
        adead_program_info other = {.size = sizeof other};
        c.size = 0;
        c.limit = sizeof c.bytes;
        CHECK_EQ(adead_program_write(program, format, collect, &c), ADEAD_OK);
        CHECK_EQ(adead_program_load(runtime, c.bytes, c.size, &again), ADEAD_OK);
        CHECK_EQ(adead_program_get_info(again, &other), ADEAD_OK);
        CHECK_EQ(other.format, format);
        CHECK(memcmp(info.digest, other.digest, 32) == 0, "the digest depends on the format");
        adead_program_destroy(again);
        c.size = 0;
        c.limit = 10;
        REFUSED(adead_program_write(program, format, collect, &c), ADEAD_CANNOT_WRITE);
    }
    REFUSED(adead_program_write(program, ADEAD_PROGRAM_AGPU, collect, &c), ADEAD_WOULD_LOSE);
    c.size = 0;
    c.limit = sizeof c.bytes;
    CHECK_EQ(adead_program_disassemble(program, collect, &c), ADEAD_OK);
    c.bytes[c.size] = 0;
    CHECK(strstr((const char *)c.bytes, "tensor.scale"), "the disassembly has the instruction");
    adead_program_destroy(program);
    adead_runtime_destroy(runtime);
}

static void refused_program(void)
{
    adead_runtime     *runtime = open_runtime();
    adead_program     *program = assemble(runtime, "  nop\n");
    adead_instance    *instance = (adead_instance *)1;
    adead_program_info info = {.size = sizeof info};
    for (int i = 0; i < 2; i++) {
        REFUSED(adead_program_verify(program), ADEAD_MISSING_END);
        CHECK(adead_last_error()->offset != ADEAD_NO_OFFSET, "an offset");
    }
    REFUSED(adead_instance_create(program, NULL, &instance), ADEAD_MISSING_END);
    CHECK(instance == NULL, "the handle is NULL after a failure");
    CHECK_EQ(adead_program_get_info(program, &info), ADEAD_OK);
    CHECK_EQ(info.code_bytes, 5);
    adead_program_destroy(program);

    program = assemble(runtime, ".import \"libc!puts\" \"i32(i32)\"\n  halt\n");
    CHECK(program, "an import assembles");
    CHECK_STR(adead_program_import(program, 0), "libc!puts");
    CHECK(adead_program_import(program, 1) == NULL, "one import");
    CHECK_EQ(adead_instance_create(program, NULL, &instance), ADEAD_OK);
    REFUSED(adead_instance_run(instance), ADEAD_IMPORT_MISSING);
    adead_instance_destroy(instance);
    adead_program_destroy(program);
    adead_runtime_destroy(runtime);
}

/* ---- Instances ---- */

static void instance_arguments(void)
{
    bench b;
    CHECK(bench_open(&b, scale_source, NULL), "%s", adead_last_error()->message);
    adead_instance   *other = NULL;
    adead_tensor      value;
    uint8_t           digest[32], byte = 0;
    adead_profile_row row = {.size = sizeof row};
    uint64_t          dims[9] = {2, 4, 1, 1, 1, 1, 1, 1, 1};
    float             data[8] = {0};
    REFUSED(adead_instance_create(NULL, NULL, &other), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_instance_create(b.program, NULL, NULL), ADEAD_INVALID_ARGUMENT);
    adead_limits limits = {.size = 3};
    REFUSED(adead_instance_create(b.program, &limits, &other), ADEAD_INVALID_ARGUMENT);
    limits = (adead_limits){.size = sizeof limits, .buffers = 1025};
    REFUSED(adead_instance_create(b.program, &limits, &other), ADEAD_INVALID_ARGUMENT);
    limits = (adead_limits){.size = sizeof limits, .memory = 4096};
    REFUSED(adead_instance_create(b.program, &limits, &other), ADEAD_OUT_OF_MEMORY);

    REFUSED(adead_instance_set_input(NULL, "a", ADEAD_F32, 2, dims, data), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_instance_set_input(b.instance, NULL, ADEAD_F32, 2, dims, data), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_instance_set_input(b.instance, "a", 9, 2, dims, data), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_instance_set_input(b.instance, "a", ADEAD_F32, 9, dims, data), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_instance_set_input(b.instance, "a", ADEAD_F32, 2, NULL, data), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_instance_set_input(b.instance, "a", ADEAD_F32, 2, dims, NULL), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_instance_set_input(b.instance, "z", ADEAD_F32, 2, dims, data), ADEAD_NAME_NOT_FOUND);
    CHECK_STR(adead_last_error()->hint, "its inputs: a, s");
    REFUSED(adead_instance_set_input(b.instance, "a", ADEAD_I32, 2, dims, data), ADEAD_TYPE_MISMATCH);
    REFUSED(adead_instance_set_input(b.instance, "a", ADEAD_F32, 1, dims, data), ADEAD_SHAPE_MISMATCH);
    dims[1] = 3;
    REFUSED(adead_instance_set_input(b.instance, "a", ADEAD_F32, 2, dims, data), ADEAD_SHAPE_MISMATCH);
    dims[0] = UINT64_MAX / 4;
    dims[1] = 4;
    REFUSED(adead_instance_set_input(b.instance, "a", ADEAD_F32, 2, dims, data), ADEAD_INVALID_ARGUMENT);
    dims[0] = (uint64_t)1 << 40;
    REFUSED(adead_instance_set_input(b.instance, "a", ADEAD_F32, 2, dims, data), ADEAD_OUT_OF_MEMORY);

    REFUSED(adead_instance_write_memory(NULL, 0, &byte, 1), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_instance_write_memory(b.instance, 0, NULL, 1), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_instance_write_memory(b.instance, 65536, &byte, 1), ADEAD_OUT_OF_BOUNDS);
    REFUSED(adead_instance_write_memory(b.instance, UINT64_MAX, &byte, 2), ADEAD_OUT_OF_BOUNDS);
    CHECK_EQ(adead_instance_write_memory(b.instance, 65536, NULL, 0), ADEAD_OK);
    CHECK_EQ(adead_instance_write_memory(b.instance, 65535, &byte, 1), ADEAD_OK);
    REFUSED(adead_instance_read_memory(NULL, 0, &byte, 1), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_instance_read_memory(b.instance, 0, NULL, 1), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_instance_read_memory(b.instance, 65535, data, 2), ADEAD_OUT_OF_BOUNDS);

    REFUSED(adead_instance_run(NULL), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_instance_reset(NULL), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_instance_get_output(NULL, "o", &value), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_instance_get_output(b.instance, NULL, &value), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_instance_get_output(b.instance, "o", NULL), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_instance_get_output(b.instance, "x", &value), ADEAD_NAME_NOT_FOUND);
    REFUSED(adead_instance_get_output(b.instance, "o", &value), ADEAD_INVALID_STATE);
    REFUSED(adead_instance_digest(NULL, NULL, digest), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_instance_digest(b.instance, NULL, NULL), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_instance_digest(b.instance, NULL, digest), ADEAD_INVALID_STATE);
    REFUSED(adead_instance_set_stream(NULL, NULL, NULL), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_instance_set_trace(NULL, NULL, NULL), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_instance_set_profile(NULL, 1), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_instance_profile(NULL, 0, &row), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_instance_profile(b.instance, 0, NULL), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_instance_profile(b.instance, 0, &row), ADEAD_INVALID_ARGUMENT);
    row.size = 2;
    REFUSED(adead_instance_profile(b.instance, 0, &row), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_instance_fuel_used(NULL), 0);
    adead_instance_destroy(NULL);
    REFUSED(adead_selftest(NULL, NULL, NULL), ADEAD_INVALID_ARGUMENT);
    bench_close(&b);
}

static void run_and_outputs(void)
{
    static collected stream;
    bench            b;
    adead_tensor     value;
    uint8_t          one[64], all[32], expected[32];
    CHECK(bench_open(&b, scale_source, NULL), "%s", adead_last_error()->message);
    stream.size = 0;
    stream.limit = sizeof stream.bytes;
    CHECK_EQ(adead_instance_set_stream(b.instance, collect, &stream), ADEAD_OK);
    CHECK_EQ(adead_instance_run(b.instance), ADEAD_OK);
    CHECK(stream.size == 3 && memcmp(stream.bytes, "hi\n", 3) == 0, "the stream");
    CHECK_EQ(adead_instance_get_output(b.instance, "o", &value), ADEAD_OK);
    CHECK_EQ(value.dims[0], 1);
    CHECK_EQ(value.bytes, 16);
    CHECK(((const float *)value.data)[3] == 8.0f, "the default, times two");
    CHECK_EQ(adead_instance_fuel_used(b.instance), 14);
    REFUSED(adead_instance_run(b.instance), ADEAD_INVALID_STATE);
    uint64_t    dims[2] = {2, 4};
    const float data[8] = {1, 2, 3, 4, 5, 6, 7, 8}, scale = 0.5f;
    REFUSED(adead_instance_set_input(b.instance, "a", ADEAD_F32, 2, dims, data), ADEAD_INVALID_STATE);

    CHECK_EQ(adead_instance_reset(b.instance), ADEAD_OK);
    CHECK_EQ(adead_instance_set_input(b.instance, "a", ADEAD_F32, 2, dims, data), ADEAD_OK);
    CHECK_EQ(adead_instance_set_input(b.instance, "s", ADEAD_F32, 0, NULL, &scale), ADEAD_OK);
    for (int round = 0; round < 2; round++) { /* inputs stay set over a reset */
        CHECK_EQ(adead_instance_run(b.instance), ADEAD_OK);
        CHECK_EQ(adead_instance_get_output(b.instance, "o", &value), ADEAD_OK);
        CHECK_EQ(value.dims[0], 2);
        CHECK(((const float *)value.data)[7] == 4.0f, "the input, halved");
        int64_t rows = 0;
        CHECK_EQ(adead_instance_read_memory(b.instance, 0x200, &rows, 8), ADEAD_OK);
        CHECK_EQ(rows, 2);
        CHECK_EQ(adead_instance_digest(b.instance, "o", one), ADEAD_OK);
        adead_sha256_digest(value.data, (size_t)value.bytes, expected);
        CHECK(memcmp(one, expected, 32) == 0, "digest of an output is that of its bytes");
        CHECK_EQ(adead_instance_digest(b.instance, "n", one + 32), ADEAD_OK);
        CHECK_EQ(adead_instance_digest(b.instance, NULL, all), ADEAD_OK);
        adead_sha256_digest(one, 64, expected);
        CHECK(memcmp(all, expected, 32) == 0, "digest of all is that of the digests");
        REFUSED(adead_instance_digest(b.instance, "nobody", one), ADEAD_NAME_NOT_FOUND);
        CHECK_EQ(adead_instance_reset(b.instance), ADEAD_OK);
    }
    stream.limit = 0;
    REFUSED(adead_instance_run(b.instance), ADEAD_OUTPUT_REFUSED);
    bench_close(&b);
}

static void traps(void)
{
    static const struct { const char *source; int status; } cases[] = {
        {"  trap 7\n", ADEAD_TRAP},
        {"loop: jump loop\n", ADEAD_OUT_OF_FUEL},
        {"  i64.div_s r0, r1, r2\n  halt\n", ADEAD_DIVISION_BY_ZERO},
        {".memory 4KiB\n  i64.const r0, 4096\n  load64 r1, r0, 0\n  halt\n", ADEAD_OUT_OF_BOUNDS},
        {"main: .func regs=1\n  call main, r0\n  return\n", ADEAD_STACK_OVERFLOW},
        {".memory 4KiB\n.input x f32[1] at 0\n  halt\n", ADEAD_MISSING_INPUT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        adead_limits limits = {.size = sizeof limits, .fuel = 100000, .call_depth = 100};
        bench        b;
        CHECK(bench_open(&b, cases[i].source, &limits), "case %zu: %s", i, adead_last_error()->message);
        int status = adead_instance_run(b.instance);
        CHECK(status == cases[i].status, "case %zu: %s, expected %s: %s", i, adead_status_name(status),
              adead_status_name(cases[i].status), adead_last_error()->message);
        CHECK(status == ADEAD_MISSING_INPUT || adead_last_error()->offset != ADEAD_NO_OFFSET, "case %zu has an offset", i);
        CHECK(adead_instance_fuel_used(b.instance) <= 100000, "fuel");
        bench_close(&b);
    }
}

typedef struct traced { unsigned lines; char first[64]; } traced;

static void trace_line(void *context, uint64_t offset, uint32_t task, const char *text)
{
    traced *t = context;
    if (t->lines++ == 0) snprintf(t->first, sizeof t->first, "%u %u %s", (unsigned)task, (unsigned)offset, text);
}

static void trace_and_profile(void)
{
    bench  b;
    traced t = {0, ""};
    static const char source[] = "  i64.const r0, 5\nloop: i64.add_imm r0, r0, -1\n  jump.i64.ne_imm r0, 0, loop\n  halt\n";
    CHECK(bench_open(&b, source, NULL), "%s", adead_last_error()->message);
    CHECK_EQ(adead_instance_set_trace(b.instance, trace_line, &t), ADEAD_OK);
    CHECK_EQ(adead_instance_set_profile(b.instance, 1), ADEAD_OK);
    CHECK_EQ(adead_instance_run(b.instance), ADEAD_OK);
    CHECK_EQ(t.lines, 12);
    CHECK_STR(t.first, "0 0 i64.const r0, 5");
    adead_profile_row row = {.size = sizeof row};
    uint64_t          total = 0, last = UINT64_MAX;
    uint32_t          rows = 0;
    for (; adead_instance_profile(b.instance, rows, &row) == ADEAD_OK; rows++) {
        total += row.count;
        CHECK(row.nanoseconds <= last, "descending by time");
        last = row.nanoseconds;
        CHECK(row.mnemonic && row.mnemonic[0], "a mnemonic");
    }
    CHECK_EQ(rows, 4);
    CHECK_EQ(total, 12);
    CHECK_EQ(adead_last_error()->code, ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_instance_reset(b.instance), ADEAD_OK);
    CHECK_EQ(adead_instance_set_trace(b.instance, NULL, NULL), ADEAD_OK);
    CHECK_EQ(adead_instance_set_profile(b.instance, 0), ADEAD_OK);
    CHECK_EQ(adead_instance_run(b.instance), ADEAD_OK);
    CHECK_EQ(t.lines, 12);
    bench_close(&b);
}

/* ---- Lifetimes, memory, threads ---- */

static void children_keep_parents(void)
{
    adead_counting_host   counting;
    adead_host            host = adead_counting_host_init(&counting, 0);
    adead_runtime_options options = {.size = sizeof options, .allocate = host.allocate, .release = host.release,
                                     .context = host.context};
    adead_runtime  *runtime = NULL;
    adead_instance *instance = NULL;
    CHECK_EQ(adead_runtime_create(&options, &runtime), ADEAD_OK);
    adead_program *program = assemble(runtime, scale_source);
    adead_runtime_destroy(runtime);
    CHECK_EQ(adead_instance_create(program, NULL, &instance), ADEAD_OK);
    adead_program_destroy(program);
    CHECK_EQ(adead_instance_run(instance), ADEAD_OK);
    CHECK(counting.live_count > 0, "the memory comes from the given host");
    adead_instance_destroy(instance);
    CHECK_EQ(counting.live_count, 0);
    CHECK_EQ(counting.live_bytes, 0);
}

/* Everything between create and destroy; the status of the first step that failed. */
static int whole_life(const adead_runtime_options *options, const void *bytes, size_t size)
{
    adead_runtime  *runtime = NULL;
    adead_program  *program = NULL;
    adead_instance *instance = NULL;
    adead_tensor    value;
    uint8_t         digest[32];
    static const uint64_t dims[2] = {2, 4};
    static const float    data[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    adead_program_info    info = {.size = sizeof info};
    int                   status = adead_runtime_create(options, &runtime);
    if (!status) status = adead_program_load(runtime, bytes, size, &program);
    if (!status) status = adead_program_verify(program);
    if (!status) status = adead_program_get_info(program, &info);
    if (!status) status = adead_instance_create(program, NULL, &instance);
    if (!status) status = adead_instance_set_input(instance, "a", ADEAD_F32, 2, dims, data);
    if (!status) status = adead_instance_set_profile(instance, 1);
    if (!status) status = adead_instance_run(instance);
    if (!status) status = adead_instance_get_output(instance, "o", &value);
    if (!status) status = adead_instance_digest(instance, NULL, digest);
    if (!status) status = adead_instance_reset(instance);
    if (!status) status = adead_instance_run(instance);
    adead_instance_destroy(instance);
    adead_program_destroy(program);
    adead_runtime_destroy(runtime);
    return status;
}

static void allocation_failures(void)
{
    static collected file;
    adead_runtime   *runtime = open_runtime();
    adead_program   *program = assemble(runtime, scale_source);
    int              formats[] = {ADEAD_PROGRAM_BINARY, ADEAD_PROGRAM_TEXT};
    for (size_t f = 0; f < 2; f++) { /* the first format on the fast backend, the second on the reference */
        file.size = 0;
        file.limit = sizeof file.bytes;
        CHECK_EQ(adead_program_write(program, formats[f], collect, &file), ADEAD_OK);
        for (uint64_t fail_at = 1;; fail_at++) {
            adead_counting_host   counting;
            adead_host            host = adead_counting_host_init(&counting, fail_at);
            adead_runtime_options options = {.size = sizeof options, .backend = f ? "ref" : "cpu", .threads = 1,
                                             .allocate = host.allocate, .release = host.release, .context = host.context};
            int                   status = whole_life(&options, file.bytes, file.size);
            CHECK(counting.live_count == 0 && counting.live_bytes == 0, "allocation %d leaves %d pieces", (int)fail_at,
                  (int)counting.live_count);
            if (counting.calls < fail_at) {
                CHECK_EQ(status, ADEAD_OK);
                CHECK(fail_at > 10, "only %d allocations were made", (int)fail_at);
                break;
            }
            CHECK(status == ADEAD_NO_MEMORY || status == ADEAD_OUT_OF_MEMORY, "allocation %d: %s", (int)fail_at,
                  adead_status_name(status));
            CHECK_EQ(adead_last_error()->code, status);
        }
    }
    adead_program_destroy(program);
    adead_runtime_destroy(runtime);
}

enum { THREADS = 6, ROUNDS = 30 };

typedef struct worker {
    pthread_t      thread;
    adead_program *program;
    unsigned       number;
    bool           good;
} worker;

/* Each thread verifies, then runs instances of the one program with inputs of its own, and keeps an error of its own. */
static void *work(void *context)
{
    worker *w = context;
    adead_instance *instance = NULL;
    float           scale = (float)w->number;
    w->good = adead_program_verify(w->program) == ADEAD_OK && adead_instance_create(w->program, NULL, &instance) == ADEAD_OK;
    for (int i = 0; i < ROUNDS && w->good; i++) {
        adead_tensor value = {0};
        char         name[16];
        w->good = adead_instance_set_input(instance, "s", ADEAD_F32, 0, NULL, &scale) == ADEAD_OK &&
                  adead_instance_run(instance) == ADEAD_OK && adead_instance_get_output(instance, "o", &value) == ADEAD_OK &&
                  ((const float *)value.data)[2] == 3.0f * scale && adead_instance_reset(instance) == ADEAD_OK;
        snprintf(name, sizeof name, "thread%u", w->number);
        w->good = w->good && adead_instance_get_output(instance, name, &value) == ADEAD_NAME_NOT_FOUND &&
                  strstr(adead_last_error()->message, name) != NULL;
    }
    adead_instance_destroy(instance);
    return NULL;
}

static void threads_share_a_program(void)
{
    adead_runtime *runtime = open_runtime();
    adead_program *program = assemble(runtime, scale_source);
    worker         workers[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (worker){.program = program, .number = i + 1};
        CHECK_EQ(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) pthread_join(workers[i].thread, NULL);
    adead_program_destroy(program);
    adead_runtime_destroy(runtime);
    for (unsigned i = 0; i < THREADS; i++) CHECK(workers[i].good, "thread %u", i);
}

/* ---- The floating-point environment ---- */

static void floating_point_environment(void)
{
    /* 1 / 3 rounds differently upward; the caller's mode must not reach the program, and must be there again afterwards. */
    static const char source[] = ".output o f64[] at 0\n.memory 4KiB\n  f64.const r0, 1\n  f64.const r1, 3\n"
                                 "  f64.div r2, r0, r1\n  store64 r2, r3, 0\n  halt\n";
    bench        b;
    adead_tensor value = {0};
    CHECK(bench_open(&b, source, NULL), "%s", adead_last_error()->message);
    fesetround(FE_UPWARD);
    int status = adead_instance_run(b.instance);
    int mode = fegetround();
    fesetround(FE_TONEAREST);
    CHECK_EQ(status, ADEAD_OK);
    CHECK_EQ(mode, FE_UPWARD);
    CHECK_EQ(adead_instance_get_output(b.instance, "o", &value), ADEAD_OK);
    CHECK_EQ(adead_load_u64(value.data), UINT64_C(0x3FD5555555555555));
    bench_close(&b);
}

/* ---- Simple calls ---- */

#define ARRAY(x) {(void *)(x), sizeof(x)}

static void simple_states(void)
{
    float one[4] = {1, 2, 3, 4}, two[4];
    REFUSED(adead_matmul(one, one, two, 2, 2, 2), ADEAD_INVALID_STATE);
    REFUSED(adead_softmax(one, two, 2, 2), ADEAD_INVALID_STATE);
    REFUSED(adead_relu(one, two, 4), ADEAD_INVALID_STATE);
    REFUSED(adead_shutdown(), ADEAD_INVALID_STATE);
    REFUSED(adead_free(one), ADEAD_INVALID_STATE);
    uint32_t shader;
    REFUSED(adead_vulkan_init(), ADEAD_INVALID_STATE);
    REFUSED(adead_vulkan_load_shader(one, sizeof one, NULL, &shader), ADEAD_INVALID_STATE);
    REFUSED(adead_vulkan_bind(0, 0, one, sizeof one), ADEAD_INVALID_STATE);
    REFUSED(adead_vulkan_bind(0, ADEAD_DISPATCH_BINDINGS, one, sizeof one), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_vulkan_push(0, one, sizeof one), ADEAD_INVALID_STATE);
    REFUSED(adead_vulkan_push(0, NULL, 4), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_vulkan_push(0, one, ADEAD_DISPATCH_PUSH_BYTES + 1), ADEAD_SHADER_MISMATCH);
    REFUSED(adead_vulkan_compute(0, 1, 1, 1), ADEAD_INVALID_STATE);
    CHECK(adead_alloc(1) == NULL, "no allocator yet");
    CHECK_EQ(adead_last_error()->code, ADEAD_INVALID_STATE);
    REFUSED(adead_init(3), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_init(-1), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_init(ADEAD_CUDA), ADEAD_BACKEND_UNAVAILABLE);
    CHECK(strstr(adead_last_error()->message, "there is no CUDA driver"), "%s", adead_last_error()->message);
    if (adead_init(ADEAD_VULKAN) == ADEAD_OK) CHECK_EQ(adead_shutdown(), ADEAD_OK);
    else CHECK_EQ(adead_last_error()->code, ADEAD_BACKEND_UNAVAILABLE);
    CHECK_EQ(adead_init(ADEAD_AUTO), ADEAD_OK);
    REFUSED(adead_init(ADEAD_CPU), ADEAD_INVALID_STATE);
    if (adead_vulkan_init() == ADEAD_OK) REFUSED(adead_vulkan_init(), ADEAD_INVALID_STATE);
    else CHECK_EQ(adead_last_error()->code, ADEAD_BACKEND_UNAVAILABLE);
    CHECK_EQ(adead_shutdown(), ADEAD_OK);
    CHECK_EQ(adead_init(ADEAD_CPU), ADEAD_OK);
    CHECK_EQ(adead_shutdown(), ADEAD_OK);
}

static void simple_operations(void)
{
    CHECK_EQ(adead_init(ADEAD_AUTO), ADEAD_OK);
    const float a[6] = {1, 2, 3, 4, 5, 6}, b[6] = {7, 8, 9, 10, 11, 12};
    float       c[4], row[3] = {-1, 0, 2};
    CHECK_EQ(adead_matmul(a, b, c, 2, 2, 3), ADEAD_OK);
    CHECK(c[0] == 58 && c[1] == 64 && c[2] == 139 && c[3] == 154, "%g %g %g %g", c[0], c[1], c[2], c[3]);
    CHECK_EQ(adead_relu(row, row, 3), ADEAD_OK);
    CHECK(row[0] == 0 && row[2] == 2, "relu in place");
    row[0] = row[1] = row[2] = 5;
    CHECK_EQ(adead_softmax(row, row, 3, 1), ADEAD_OK);
    CHECK(row[0] == 1 && row[1] == 1 && row[2] == 1, "softmax of single elements");
    CHECK_EQ(adead_relu(NULL, NULL, 0), ADEAD_OK);
    CHECK_EQ(adead_matmul(a, b, c, 2, 2, 0), ADEAD_OK);
    CHECK(c[3] == 0, "a contraction of nothing");

    float buffer[16] = {0};
    REFUSED(adead_matmul(NULL, b, c, 2, 2, 3), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_matmul(a, NULL, c, 2, 2, 3), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_matmul(a, b, NULL, 2, 2, 3), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_matmul(a, b, c, UINT32_MAX, 2, UINT32_MAX), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_matmul(buffer, buffer + 4, buffer + 3, 2, 2, 2), ADEAD_OVERLAP);
    REFUSED(adead_matmul(buffer, buffer + 4, buffer + 7, 2, 2, 2), ADEAD_OVERLAP);
    CHECK_EQ(adead_matmul(buffer, buffer + 4, buffer + 8, 2, 2, 2), ADEAD_OK);
    REFUSED(adead_relu(buffer, buffer + 1, 2), ADEAD_OVERLAP);
    CHECK_EQ(adead_relu(buffer, buffer + 2, 2), ADEAD_OK);
    REFUSED(adead_relu(NULL, buffer, 2), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_softmax(buffer, NULL, 1, 2), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_softmax(buffer, buffer + 1, 1, 2), ADEAD_OVERLAP);
    CHECK_EQ(adead_shutdown(), ADEAD_OK);
}

/* The short way of small products, which no machine takes, against ref: shapes of every kernel behind it, with a NaN and an
 * infinity, while the caller rounds upward; neither that nor its exception flags may change. */
static void simple_products(void)
{
    static const uint32_t shapes[][3] = {{1, 1, 1},   {4, 4, 4},    {5, 3, 7},    {16, 16, 16}, {15, 47, 64}, {64, 64, 64},
                                         {1, 31, 64}, {65, 64, 63}, {100, 70, 7}, {90, 7, 70},  {7, 100, 300}, {33, 65, 129},
                                         {127, 1, 99}, {3, 600, 90}, {90, 99, 120}};
    static float          a[1 << 15], b[1 << 16], c[1 << 14], expected[1 << 14];
    adead_runtime_options options = {.size = sizeof options, .backend = "ref"};
    adead_runtime        *reference = NULL, *runtime = open_runtime();
    CHECK_EQ(adead_runtime_create(&options, &reference), ADEAD_OK);
    CHECK_EQ(adead_init(ADEAD_AUTO), ADEAD_OK);
    for (unsigned i = 0; i < ADEAD_COUNT(shapes); i++) {
        const uint32_t  m = shapes[i][0], n = shapes[i][1], k = shapes[i][2];
        uint64_t        seed = i;
        adead_operation op = {.size = sizeof op, .opcode = ADEAD_COMPUTE_MATMUL, .dims = {m, n, k},
                              .arrays = {ARRAY(a), ARRAY(b), ARRAY(expected)}};
        for (unsigned j = 0; j < m * k; j++) a[j] = (float)(test_random(&seed) % 2001) / 1000 - 1;
        for (unsigned j = 0; j < k * n; j++) b[j] = (float)(test_random(&seed) % 2001) / 1000 - 1;
        if (i % 2) a[m * k / 2] = adead_bits_f32(0x7F800000);
        if (i % 3 == 1) b[k * n - 1] = adead_bits_f32(0xFFC12345);
        CHECK_EQ(adead_compute(reference, &op), ADEAD_OK);
        feclearexcept(FE_ALL_EXCEPT);
        fesetround(FE_UPWARD);
        int status = adead_matmul(a, b, c, m, n, k), mode = fegetround(), flags = fetestexcept(FE_ALL_EXCEPT);
        fesetround(FE_TONEAREST);
        CHECK_EQ(status, ADEAD_OK);
        CHECK_EQ(mode, FE_UPWARD);
        CHECK_EQ(flags, 0);
        CHECK(memcmp(c, expected, m * n * sizeof *c) == 0, "%u x %u x %u", (unsigned)m, (unsigned)n, (unsigned)k);
        memset(c, 0, sizeof c);
        op.arrays[2] = (adead_array){c, 4 * m * n};
        fesetround(FE_UPWARD);
        status = adead_compute(runtime, &op);
        fesetround(FE_TONEAREST);
        CHECK_EQ(status, ADEAD_OK);
        CHECK(memcmp(c, expected, m * n * sizeof *c) == 0, "%u x %u x %u", (unsigned)m, (unsigned)n, (unsigned)k);
        /* What is wrong is still refused when the short way is open. */
        op.arrays[2].bytes--;
        REFUSED(adead_compute(runtime, &op), ADEAD_OUT_OF_BOUNDS);
        op.arrays[2] = (adead_array){a + m * k - 1, 4 * m * n};
        REFUSED(adead_compute(runtime, &op), ADEAD_OVERLAP);
        op.arrays[2] = (adead_array){(char *)b - 4 * m * n + 1, 4 * m * n};
        REFUSED(adead_compute(runtime, &op), ADEAD_OVERLAP);
        op.arrays[2] = (adead_array){NULL, 4 * m * n};
        REFUSED(adead_compute(runtime, &op), ADEAD_INVALID_ARGUMENT);
        op.arrays[2] = (adead_array){c, UINT64_MAX};
        REFUSED(adead_compute(runtime, &op), ADEAD_INVALID_ARGUMENT);
    }
    CHECK_EQ(adead_shutdown(), ADEAD_OK);
    adead_runtime_destroy(reference);
    adead_runtime_destroy(runtime);
}

static void simple_memory(void)
{
    CHECK_EQ(adead_init(ADEAD_AUTO), ADEAD_OK);
    uint8_t *first = adead_alloc(5000), *second = adead_alloc(0), *third = adead_alloc(1);
    CHECK(first && second && third, "three runs");
    CHECK_EQ((uintptr_t)first % 4096, 0);
    CHECK_EQ(second - first, 8192);
    CHECK_EQ(third - second, 4096);
    CHECK(first[0] == 0 && first[4999] == 0, "zeroed");
    memset(first, 1, 5000);
    CHECK_EQ(adead_free(NULL), ADEAD_OK);
    REFUSED(adead_free(first + 1), ADEAD_FOREIGN_POINTER);
    REFUSED(adead_free(first - 4096), ADEAD_FOREIGN_POINTER);
    REFUSED(adead_free(&first), ADEAD_FOREIGN_POINTER);
    CHECK_EQ(adead_free(first), ADEAD_OK);
    REFUSED(adead_free(first), ADEAD_DOUBLE_FREE);
    uint8_t *again = adead_alloc(4096);
    CHECK(again == first && again[0] == 0, "the lowest run, zeroed again");
    CHECK(adead_alloc((size_t)65536 * 4096) == NULL, "more than there is");
    CHECK_EQ(adead_last_error()->code, ADEAD_BLOCKS_EXHAUSTED);
    CHECK(adead_alloc(SIZE_MAX) == NULL, "more than there can be");
    CHECK_EQ(adead_shutdown(), ADEAD_OK);
}

static void *simple_work(void *context)
{
    worker *w = context;
    float   a[16], b[16], c[16];
    w->good = true;
    for (int round = 0; round < 2000 && w->good; round++) {
        for (int i = 0; i < 16; i++) {
            a[i] = (float)(i % 5 == 0);
            b[i] = (float)((int)w->number * round + i);
        }
        w->good = adead_matmul(a, b, c, 4, 4, 4) == ADEAD_OK && memcmp(b, c, sizeof b) == 0;
        if (round % 100 == 0) {
            void *memory = adead_alloc(10000);
            w->good = w->good && memory && adead_free(memory) == ADEAD_OK;
        }
    }
    return NULL;
}

static void simple_threads(void)
{
    CHECK_EQ(adead_init(ADEAD_AUTO), ADEAD_OK);
    worker workers[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (worker){.number = i + 1};
        CHECK_EQ(pthread_create(&workers[i].thread, NULL, simple_work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) pthread_join(workers[i].thread, NULL);
    CHECK_EQ(adead_shutdown(), ADEAD_OK);
    for (unsigned i = 0; i < THREADS; i++) CHECK(workers[i].good, "thread %u", i);
}

/* ---- Operations on arrays ---- */

static void compute_operations(void)
{
    adead_runtime *runtime = open_runtime();
    /* A product of quantised numbers: 2 x 3 times the transpose of 2 x 3, by hand. */
    const float   a[6] = {1, -2, 127, 0.5f, 0.25f, -0.125f}, b[6] = {127, 1, 0, -127, 127, 63.5f}, bias[2] = {0.5f, -40000};
    float         scale_a[2], scale_b[2], y[4];
    int8_t        qa[6], qb[6];
    int32_t       sums[4];
    const int8_t  expected_a[6] = {1, -2, 127, 127, 64, -32}, expected_b[6] = {127, 1, 0, -127, 127, 64};
    adead_operation op = {.size = sizeof op, .opcode = ADEAD_COMPUTE_QUANTIZE_SCALE, .dims = {2, 3},
                          .arrays = {ARRAY(a), ARRAY(scale_a)}};
    CHECK_EQ(adead_compute(runtime, &op), ADEAD_OK);
    CHECK(scale_a[0] == 1.0f && scale_a[1] == 0.5f / 127.0f, "%g %g", scale_a[0], scale_a[1]);
    op.arrays[0] = (adead_array)ARRAY(b), op.arrays[1] = (adead_array)ARRAY(scale_b);
    CHECK_EQ(adead_compute(runtime, &op), ADEAD_OK);
    CHECK(scale_b[0] == 1.0f && scale_b[1] == 1.0f, "%g %g", scale_b[0], scale_b[1]);
    op = (adead_operation){.size = sizeof op, .opcode = ADEAD_COMPUTE_QUANTIZE, .dims = {2, 3},
                           .arrays = {ARRAY(a), ARRAY(scale_a), ARRAY(qa)}};
    CHECK_EQ(adead_compute(runtime, &op), ADEAD_OK);
    CHECK(memcmp(qa, expected_a, 6) == 0, "%d %d %d %d %d %d", qa[0], qa[1], qa[2], qa[3], qa[4], qa[5]);
    op = (adead_operation){.size = sizeof op, .opcode = ADEAD_COMPUTE_QUANTIZE, .dims = {2, 3},
                           .arrays = {ARRAY(b), ARRAY(scale_b), ARRAY(qb)}};
    CHECK_EQ(adead_compute(runtime, &op), ADEAD_OK);
    CHECK(memcmp(qb, expected_b, 6) == 0, "%d %d %d %d %d %d", qb[0], qb[1], qb[2], qb[3], qb[4], qb[5]);
    op = (adead_operation){.size = sizeof op, .opcode = ADEAD_COMPUTE_MATMUL_I8_EX, .flags = ADEAD_FLAG_TRANSPOSE_B,
                           .dims = {2, 2, 3}, .arrays = {ARRAY(qa), ARRAY(qb), ARRAY(sums)}};
    CHECK_EQ(adead_compute(runtime, &op), ADEAD_OK);
    CHECK(sums[0] == 125 && sums[1] == 7747 && sums[2] == 16193 && sums[3] == -10049, "%d %d %d %d", sums[0], sums[1],
          sums[2], sums[3]);
    op = (adead_operation){.size = sizeof op, .opcode = ADEAD_COMPUTE_DEQUANTIZE, .flags = ADEAD_FLAG_BIAS,
                           .activation = ADEAD_ACT_RELU, .dims = {2, 2},
                           .arrays = {ARRAY(sums), ARRAY(scale_a), ARRAY(scale_b), ARRAY(bias), ARRAY(y)}};
    CHECK_EQ(adead_compute(runtime, &op), ADEAD_OK);
    CHECK(y[0] == 125.5f && y[1] == 0 && y[2] == 16193 * (0.5f / 127.0f) + 0.5f && y[3] == 0, "%g %g %g %g", y[0], y[1],
          y[2], y[3]);

    /* Two products of a matrix's halves, side by side in one result; the column between them stays. */
    const float whole[8] = {1, 2, 3, 4, 5, 6, 7, 8}, unit[4] = {1, 0, 0, 1};
    float       c[10] = {9, 9, 9, 9, 9, 9, 9, 9, 9, 9};
    op = (adead_operation){.size = sizeof op, .opcode = ADEAD_COMPUTE_MATMUL_STRIDED, .dims = {2, 2, 2, 2, 4, 2, 5, 2, 0, 3},
                           .arrays = {ARRAY(whole), ARRAY(unit), {NULL, 0}, ARRAY(c)}};
    REFUSED(adead_compute(runtime, &op), ADEAD_OVERLAP); /* the second matrix begins between rows of the first */
    op.dims[6] = 2, op.dims[9] = 5;
    CHECK_EQ(adead_compute(runtime, &op), ADEAD_OK);
    CHECK(c[0] == 1 && c[1] == 2 && c[2] == 5 && c[3] == 6 && c[4] == 9 && c[5] == 3 && c[8] == 8 && c[9] == 9, "strides");

    const uint16_t halves[2] = {0x3C00, 0x8001}; /* 1, and the smallest below zero */
    float          wide[2];
    op = (adead_operation){.size = sizeof op, .opcode = ADEAD_COMPUTE_WIDEN_F16, .dims = {2},
                           .arrays = {ARRAY(halves), ARRAY(wide)}};
    CHECK_EQ(adead_compute(runtime, &op), ADEAD_OK);
    CHECK(wide[0] == 1.0f && wide[1] == -0x1p-24f, "%g %g", wide[0], wide[1]);
    uint8_t bytes[3] = {0};
    op = (adead_operation){
        .size = sizeof op, .opcode = ADEAD_COMPUTE_FILL, .dims = {2}, .scalar = 7, .arrays = {ARRAY(bytes)}};
    CHECK_EQ(adead_compute(runtime, &op), ADEAD_OK);
    CHECK(bytes[1] == 7 && bytes[2] == 0, "fill");
    adead_runtime_destroy(runtime);
}

static void compute_refuses(void)
{
    adead_runtime  *runtime = open_runtime();
    float           x[8] = {0}, y[8] = {0};
    adead_operation good = {.size = sizeof good, .opcode = ADEAD_COMPUTE_RELU, .dims = {4}, .arrays = {ARRAY(x), ARRAY(y)}},
                    op;
    REFUSED(adead_compute(NULL, &good), ADEAD_INVALID_ARGUMENT);
    REFUSED(adead_compute(runtime, NULL), ADEAD_INVALID_ARGUMENT);
#define BAD(change, code) op = good, change; REFUSED(adead_compute(runtime, &op), code)
    BAD(op.size = 8, ADEAD_INVALID_ARGUMENT);
    BAD(op.opcode = 0xC0DA0030, ADEAD_INVALID_ARGUMENT); /* relu, but on buffers */
    BAD(op.opcode = 0x20000000, ADEAD_INVALID_ARGUMENT);
    BAD(op.opcode = ADEAD_COMPUTE_NONE, ADEAD_INVALID_ARGUMENT);
    BAD(op.flags = ADEAD_FLAG_BIAS, ADEAD_INVALID_ARGUMENT);
    BAD(op.activation = ADEAD_ACT_RELU, ADEAD_INVALID_ARGUMENT);
    BAD((op.opcode = ADEAD_COMPUTE_MATMUL_EX, op.activation = 7), ADEAD_INVALID_ARGUMENT);
    BAD(op.dims[0] = 9, ADEAD_OUT_OF_BOUNDS);
    BAD(op.dims[0] = UINT64_MAX, ADEAD_SHAPE_TRAP);
    BAD(op.arrays[0].data = NULL, ADEAD_INVALID_ARGUMENT);
    BAD(op.arrays[1].bytes = UINT64_MAX, ADEAD_INVALID_ARGUMENT);
    BAD(op.arrays[1].data = x + 1, ADEAD_OVERLAP);
    BAD((op.arrays[0].data = x + 1, op.arrays[0].bytes = 16, op.arrays[1].data = (char *)x + 3), ADEAD_OVERLAP);
    op = good;
    op.arrays[1] = op.arrays[0]; /* in place */
    CHECK_EQ(adead_compute(runtime, &op), ADEAD_OK);
    op = (adead_operation){.size = sizeof op, .opcode = ADEAD_COMPUTE_RELU}; /* nothing at all */
    CHECK_EQ(adead_compute(runtime, &op), ADEAD_OK);
    adead_runtime_destroy(runtime);
}

typedef struct compute_worker { pthread_t thread; adead_runtime *runtime; float seed; bool good; } compute_worker;

static void *compute_work(void *context)
{
    compute_worker *w = context;
    float           a[64], c[64];
    w->good = true;
    for (int i = 0; i < 64; i++) a[i] = i % 9 == 0 ? w->seed : 0.0f; /* a multiple of the unit matrix */
    for (int i = 0; i < 200; i++) {
        adead_operation op = {.size = sizeof op, .opcode = ADEAD_COMPUTE_MATMUL, .dims = {8, 8, 8},
                              .arrays = {ARRAY(a), ARRAY(a), ARRAY(c)}};
        w->good = adead_compute(w->runtime, &op) == ADEAD_OK && c[63] == w->seed * w->seed && c[62] == 0 && w->good;
    }
    return NULL;
}

static void compute_threads(void)
{
    adead_runtime *runtime = open_runtime();
    compute_worker workers[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (compute_worker){.runtime = runtime, .seed = (float)(i + 1)};
        CHECK_EQ(pthread_create(&workers[i].thread, NULL, compute_work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) pthread_join(workers[i].thread, NULL);
    for (unsigned i = 0; i < THREADS; i++) CHECK(workers[i].good, "thread %u", i);
    adead_runtime_destroy(runtime);
}

/* ---- Self-test ---- */

static void count_report(void *context, const char *operation, uint64_t cases, uint64_t mismatches)
{
    uint64_t *sums = context;
    sums[0] += operation[0] != 0;
    sums[1] += cases;
    sums[2] += mismatches;
}

static void selftest(void)
{
    adead_runtime *runtime = open_runtime();
    uint64_t       digests[ADEAD_TENSOR_COUNT], sums[3] = {0, 0, 0};
    static const char *const names[] = {
#define DIGEST(name, value) #name,
#include "ffi/selftest.def"
#undef DIGEST
    };
    adead_selftest_digests(runtime, digests);
    for (unsigned i = 0; i < ADEAD_TENSOR_COUNT; i++) {
        if (digests[i] == adead_selftest_recorded[i]) continue;
        printf("DIGEST(%s, 0x%016" PRIX64 ")\n", i < sizeof names / sizeof names[0] ? names[i] : "?", digests[i]);
    }
    CHECK_EQ(adead_selftest(runtime, count_report, sums), ADEAD_OK);
    CHECK_EQ(sums[0], ADEAD_TENSOR_COUNT);
    CHECK(sums[1] > 100000, "results");
    CHECK_EQ(sums[2], 0);
    adead_runtime_destroy(runtime);
}

TEST_MAIN("ffi", T(names) T(backends) T(runtime_options) T(later_structs) T(environment) T(program_arguments)
          T(program_files) T(program_facts) T(refused_program) T(instance_arguments) T(run_and_outputs) T(traps)
          T(trace_and_profile) T(children_keep_parents) T(allocation_failures) T(threads_share_a_program)
          T(floating_point_environment) T(simple_states) T(simple_operations) T(simple_products) T(simple_memory)
          T(simple_threads) T(compute_operations) T(compute_refuses) T(compute_threads) T(selftest))
