/* Loader, verifier and assembler on hostile bytes: whatever the input, each call gives a status with a sentence; and what
 * can be read can be written and read again without loss.
 */
#include "ffi/include/adead.h"
#include "tests/harness/fuzz.h"

typedef struct bytes { uint8_t *data; size_t size, room; } bytes;

static adead_runtime *runtime;

/* Says what is wrong and dies, so that the input is kept. */
static void demand(bool condition, const char *what)
{
    if (condition) return;
    fprintf(stderr, "%s; last error: %s\n", what, adead_last_error()->message);
    abort();
}

static int collect(void *context, const void *data, size_t size)
{
    bytes *to = context;
    if (size > to->room - to->size) {
        to->room = (to->size + size) * 2;
        to->data = realloc(to->data, to->room);
        if (!to->data) return 1;
    }
    if (size) memcpy(to->data + to->size, data, size);
    to->size += size;
    return 0;
}

/* A failure leaves a record that says what happened. */
static bool succeeded(int status)
{
    if (status == ADEAD_OK) return true;
    demand(adead_last_error()->code == status, "the error record has another code than the call returned");
    demand(adead_last_error()->message[0] != 0, "an error without a sentence");
    return false;
}

/* Gives the digest; says whether the program has x86-64 code, which no other format and no disassembly holds. */
static bool program_digest(adead_program *program, uint8_t digest[32])
{
    adead_program_info info = {.size = sizeof info};
    demand(adead_program_get_info(program, &info) == ADEAD_OK, "no information about a program that was read");
    memcpy(digest, info.digest, 32);
    return info.native_bytes != 0;
}

/* Reads the bytes and compares the program with the one that was written. */
static void read_back(const bytes *written, const uint8_t digest[32], bool assembly, const char *what)
{
    adead_program *again = NULL;
    uint8_t        other[32];
    int status = assembly ? adead_program_assemble(runtime, (const char *)written->data, written->size, &again)
                          : adead_program_load(runtime, written->data, written->size, &again);
    demand(status == ADEAD_OK, what);
    program_digest(again, other);
    demand(memcmp(digest, other, 32) == 0, what);
    adead_program_destroy(again);
}

static void write_and_read(adead_program *program)
{
    uint8_t digest[32];
    bytes   out = {0};
    bool has_native = program_digest(program, digest);
    if (succeeded(adead_program_write(program, ADEAD_PROGRAM_BINARY, collect, &out)))
        read_back(&out, digest, false, "what was written as a container reads back as something else");
    out.size = 0;
    if (succeeded(adead_program_write(program, ADEAD_PROGRAM_TEXT, collect, &out)))
        read_back(&out, digest, false, "what was written as text reads back as something else");
    out.size = 0;
    if (!has_native && succeeded(adead_program_verify(program)) &&
        succeeded(adead_program_disassemble(program, collect, &out)))
        read_back(&out, digest, true, "the disassembly of a verified program assembles to something else");
    free(out.data);
}

static void target(const uint8_t *data, size_t size)
{
    adead_program        *program = NULL;
    adead_runtime_options options = {.size = sizeof options, .backend = "ref"};
    if (!runtime) demand(adead_runtime_create(&options, &runtime) == ADEAD_OK, "no runtime");
    if (succeeded(adead_program_load(runtime, data, size, &program))) {
        write_and_read(program);
        adead_program_destroy(program);
    } else if (succeeded(adead_program_assemble(runtime, (const char *)data, size, &program))) {
        write_and_read(program);
        adead_program_destroy(program);
    }
}

FUZZ_MAIN("loader", target)
