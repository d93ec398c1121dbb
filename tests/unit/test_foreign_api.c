/* Foreign functions that the host registers through the public header, and the record of a run and its replay: what calls
 * give, what logs hold, and every way in which a log can be wrong.
 */
#include "ffi/include/adead.h"
#include "tests/harness/test.h"

static adead_runtime  *runtime;
static adead_program  *program;
static adead_instance *instance;

static void close_all(void)
{
    adead_instance_destroy(instance);
    adead_program_destroy(program);
    adead_runtime_destroy(runtime);
    instance = NULL;
    program = NULL;
    runtime = NULL;
}

static void open_program(const char *source)
{
    adead_runtime_options options = {.size = sizeof options, .backend = "ref"};
    close_all();
    if (adead_runtime_create(&options, &runtime) != ADEAD_OK ||
        adead_program_assemble(runtime, source, strlen(source), &program) != ADEAD_OK ||
        adead_instance_create(program, NULL, &instance) != ADEAD_OK)
        test_report(__FILE__, __LINE__, "%s", adead_last_error()->message);
}

static int64_t memory_i64(uint64_t address)
{
    int64_t value = -1;
    adead_instance_read_memory(instance, address, &value, sizeof value);
    return value;
}

#define REFUSED(call, status, text)                                                                                      \
    do {                                                                                                                 \
        int check_status = (call);                                                                                       \
        CHECK(check_status == (status) && strstr(adead_last_error()->message, text), "%s: %s",                           \
              adead_status_name(check_status), adead_last_error()->message);                                             \
    } while (0)
#define GOOD(call)                                                                                     \
    CHECK((call) == ADEAD_OK, "%s: %s", adead_status_name(adead_last_error()->code), adead_last_error()->message)

/* ---- The programs and functions of these tests ---- */

static const char everything_asm[] =
    ".memory 64KiB\n.data 100\n.u8 1, 2, 3, 4\n.table back\n"
    ".import \"host!everything\" \"f64(i32,i64,f32,f64,ptr,ref,buf,fn:i64(i32,i64,f32,f64,ref))\"\n"
    "main: .func regs=32\n  gpu.alloc 8, b2\n  gpu.memset b2, 7, 8\n"
    "  i32.const r1, -3\n  i64.const r2, -4\n  f32.const r3, 1.5\n  f64.const r4, 2.5\n  i64.const r5, 100\n"
    "  i64.const r6, 4\n  i64.const r7, 200\n  i64.const r8, 8\n  i64.const r9, 2\n  i64.const r10, 0\n"
    "  call.foreign 0, r1\n  store64 r1, r0, 0\n  gpu.copy_d2h b2, 8, 8\n  halt\n"
    "back: .func params=5 results=1\n  store64 r0, r6, 300\n  store64 r1, r6, 308\n  store64 r2, r6, 316\n"
    "  store64 r3, r6, 324\n  store64 r4, r6, 332\n  i64.const r0, 77\n  return\n";

static int mistakes;

static int everything(void *context, adead_foreign_call *call, const adead_foreign_value *a, uint32_t count,
                      adead_foreign_value *result)
{
    adead_foreign_value values[5] = {{.kind = ADEAD_FOREIGN_I32, .i32 = -1},
                                     {.kind = ADEAD_FOREIGN_I64, .i64 = -2},
                                     {.kind = ADEAD_FOREIGN_F32, .f32 = 0.5f},
                                     {.kind = ADEAD_FOREIGN_F64, .f64 = 0.25},
                                     {.kind = ADEAD_FOREIGN_REF, .data = (uint8_t *)a[5].data + 5}};
    adead_foreign_value got;
    bool good = context == &mistakes && count == 8 && a[0].kind == ADEAD_FOREIGN_I32 && a[0].i32 == -3 &&
                a[1].kind == ADEAD_FOREIGN_I64 && a[1].i64 == -4 && a[2].kind == ADEAD_FOREIGN_F32 &&
                a[2].f32 == 1.5f && a[3].kind == ADEAD_FOREIGN_F64 && a[3].f64 == 2.5 &&
                a[4].kind == ADEAD_FOREIGN_PTR && a[4].bytes == 4 &&
                memcmp(a[4].data, "\1\2\3\4", 4) == 0 && a[5].kind == ADEAD_FOREIGN_REF && a[5].bytes == 8 &&
                a[6].kind == ADEAD_FOREIGN_BUF && a[6].bytes == 8 && ((uint8_t *)a[6].data)[7] == 7 &&
                a[7].kind == ADEAD_FOREIGN_FN && a[7].i64 == 0 && result->kind == ADEAD_FOREIGN_F64;
    mistakes += !good;
    mistakes += adead_foreign_call_back(call, 7, values, 5, &got) != ADEAD_OK;
    mistakes += got.kind != ADEAD_FOREIGN_I64 || got.i64 != 77;
    mistakes += adead_foreign_call_back(call, 7, values, 5, NULL) != ADEAD_OK;
    mistakes += adead_foreign_call_back(NULL, 7, values, 5, NULL) != ADEAD_INVALID_ARGUMENT;
    mistakes += adead_foreign_call_back(call, 6, values, 5, NULL) != ADEAD_INVALID_ARGUMENT;
    mistakes += adead_foreign_call_back(call, 8, values, 5, NULL) != ADEAD_INVALID_ARGUMENT;
    mistakes += adead_foreign_call_back(call, 7, values, 4, NULL) != ADEAD_INVALID_ARGUMENT;
    mistakes += adead_foreign_call_back(call, 7, NULL, 5, NULL) != ADEAD_INVALID_ARGUMENT;
    values[0].kind = ADEAD_FOREIGN_I64;
    mistakes += adead_foreign_call_back(call, 7, values, 5, NULL) != ADEAD_INVALID_ARGUMENT;
    values[0].kind = ADEAD_FOREIGN_I32;
    values[4].data = values;
    mistakes += adead_foreign_call_back(call, 7, values, 5, NULL) != ADEAD_INVALID_ARGUMENT;
    mistakes += adead_instance_set_foreign(instance, "host!everything", everything, NULL) != ADEAD_INVALID_STATE;
    mistakes += adead_instance_record(instance, NULL, NULL) != ADEAD_INVALID_STATE;
    mistakes += adead_instance_replay(instance, NULL, 0) != ADEAD_INVALID_STATE;
    mistakes += adead_instance_reset(instance) != ADEAD_INVALID_STATE;
    ((uint8_t *)a[6].data)[0] = 9;
    result->f64 = -0.5;
    return ADEAD_OK;
}

static void registered_functions(void)
{
    mistakes = 0;
    open_program(everything_asm);
    CHECK_STR(adead_program_import_signature(program, 0), "f64(i32,i64,f32,f64,ptr,ref,buf,fn:i64(i32,i64,f32,f64,ref))");
    CHECK(!adead_program_import_signature(program, 1) && !adead_program_import_signature(NULL, 0));
    REFUSED(adead_instance_run(instance), ADEAD_IMPORT_MISSING, "'host!everything'");
    REFUSED(adead_instance_set_foreign(instance, "host!other", everything, NULL), ADEAD_NAME_NOT_FOUND, "\"host!other\"");
    CHECK_STR(adead_last_error()->hint, "its imports: host!everything");
    REFUSED(adead_instance_set_foreign(NULL, "host!everything", everything, NULL), ADEAD_INVALID_ARGUMENT, "instance");
    REFUSED(adead_instance_set_foreign(instance, NULL, everything, NULL), ADEAD_INVALID_ARGUMENT, "name");
    GOOD(adead_instance_set_foreign(instance, "host!everything", everything, &mistakes));
    GOOD(adead_instance_set_foreign(instance, "host!everything", NULL, NULL));
    REFUSED(adead_instance_run(instance), ADEAD_IMPORT_MISSING, "'host!everything', which is not granted");
    GOOD(adead_instance_set_foreign(instance, "host!everything", everything, &mistakes));
    for (int run = 0; run < 2; run++) {
        GOOD(adead_instance_run(instance));
        CHECK(mistakes == 0, "%d", mistakes);
        CHECK_EQ(memory_i64(0), 0xBFE0000000000000u);
        CHECK_EQ(memory_i64(8), 0x0707070707070709);
        CHECK_EQ(memory_i64(300), 0xFFFFFFFF);
        CHECK_EQ(memory_i64(308), (uint64_t)-2);
        CHECK_EQ(memory_i64(316), 0x3F000000);
        CHECK_EQ(memory_i64(324), 0x3FD0000000000000);
        CHECK_EQ(memory_i64(332), 205);
        GOOD(adead_instance_reset(instance));
    }
    close_all();
}

static int failing(void *context, adead_foreign_call *call, const adead_foreign_value *a, uint32_t count,
                   adead_foreign_value *result)
{
    (void)a, (void)count;
    if (!context) return 12345;
    if (*(const char *)context) return adead_foreign_fail(call, context);
    result->kind = ADEAD_FOREIGN_I32;
    return ADEAD_OK;
}

static void failures(void)
{
    open_program(".import \"host!f\" \"f64()\"\n  nop\n  call.foreign 0, r0\n  halt\n");
    GOOD(adead_instance_set_foreign(instance, "host!f", failing, NULL));
    REFUSED(adead_instance_run(instance), ADEAD_FOREIGN_FAILED, "'host!f' failed with 12345");
    CHECK_EQ(adead_last_error()->offset, 5);
    GOOD(adead_instance_reset(instance));
    GOOD(adead_instance_set_foreign(instance, "host!f", failing, "there is no paper"));
    REFUSED(adead_instance_run(instance), ADEAD_FOREIGN_FAILED, "call.foreign 0, r0: there is no paper");
    GOOD(adead_instance_reset(instance));
    GOOD(adead_instance_set_foreign(instance, "host!f", failing, ""));
    REFUSED(adead_instance_run(instance), ADEAD_FOREIGN_FAILED, "'host!f' gave a result of another type");
    CHECK_EQ(adead_foreign_fail(NULL, "x"), ADEAD_FOREIGN_FAILED);
    close_all();
}

static int scribble(void *context, adead_foreign_call *call, const adead_foreign_value *a, uint32_t count,
                    adead_foreign_value *result)
{
    (void)count, (void)result;
    memset(a[0].data, 1, a[0].bytes);
    memset(a[1].data, 2, a[1].bytes); /* the same buffer */
    (void)call;
    return adead_instance_clear(context) == ADEAD_INVALID_STATE ? ADEAD_OK : 1;
}

/* A function of the host gets a buffer to write into; the caller's array that was lent for it stays as it is. */
static void a_lent_input_is_not_written(void)
{
    const uint64_t eight = 8;
    char           lent[] = "unwritten";
    adead_tensor   value;
    open_program(".import \"host!scribble\" \"void(buf,buf)\"\n.input x u8[8] in b0\n.output y u8[8] in b0\n"
                 "main: .func\n  call.foreign \"host!scribble\", r0\n  halt\n");
    GOOD(adead_instance_set_foreign(instance, "host!scribble", scribble, instance));
    GOOD(adead_instance_lend_input(instance, "x", ADEAD_U8, 1, &eight, lent));
    GOOD(adead_instance_run(instance));
    CHECK(strcmp(lent, "unwritten") == 0, "the caller's array");
    GOOD(adead_instance_get_output(instance, "y", &value));
    CHECK_EQ(((const uint8_t *)value.data)[7], 2);
    close_all();
}

/* ---- Recording ---- */

/* The program asks an oracle thrice; each answer comes with bytes written before and behind a callback, in which the program
 * asks another one. The stream shows all of it. */
static const char asking_asm[] =
    ".memory 64KiB\n.table back\n.import \"host!oracle\" \"i64(ptr,buf,fn:i64(i64,ref))\"\n"
    ".import \"host!random\" \"f64(i32)\"\n"
    ".input seed i64[] at 512\n.default seed []\n  .i64 5\n"
    "main: .func\n  gpu.alloc 32, b0\n  i32.const r9, 3\n"
    "again:\n  i64.const r1, 1000\n  i64.const r2, 100\n  i64.const r3, 0\n  i64.const r4, 0\n"
    "  load64 r5, r0, 512\n  store64 r5, r0, 1000\n  call.foreign \"host!oracle\", r1\n  store64 r1, r0, 0\n"
    "  i64.const r6, 8\n  write r0, r6\n  i64.const r1, 1000\n  i64.const r6, 100\n  write r1, r6\n"
    "  gpu.copy_d2h b0, 2000, 32\n  i64.const r1, 2000\n  i64.const r6, 32\n  write r1, r6\n"
    "  i32.add_imm r9, r9, -1\n  jump.if r9, again\n  halt\n"
    "back: .func params=2 results=1\n  store64 r0, r1, 0\n  i32.const r2, 7\n  call.foreign \"host!random\", r2\n"
    "  store64 r2, r3, 16\n  i64.const r4, 16\n  i64.const r5, 8\n  write r4, r5\n  i64.add r0, r0, r2\n  return\n";

static uint64_t world; /* what the foreign functions draw from: never the same twice */

static int oracle(void *context, adead_foreign_call *call, const adead_foreign_value *a, uint32_t count,
                  adead_foreign_value *result)
{
    adead_foreign_value values[2] = {{.kind = ADEAD_FOREIGN_I64}, {.kind = ADEAD_FOREIGN_REF}}, got;
    uint8_t            *bytes = a[0].data, *buffer = a[1].data;
    (void)context, (void)count;
    for (int i = 0; i < 3; i++) {
        bytes[20 + 30 * i] = (uint8_t)test_random(&world);
        bytes[21 + 30 * i] ^= 0xFF;
        buffer[i] = (uint8_t)test_random(&world);
        values[0].i64 = (int64_t)test_random(&world);
        values[1].data = bytes + 8 * i;
        if (adead_foreign_call_back(call, 2, values, 2, &got) != ADEAD_OK) return 1;
        result->i64 ^= got.i64;
    }
    memcpy(buffer + 24, &result->i64, 8);
    bytes[99] = (uint8_t)result->i64;
    return ADEAD_OK;
}

static int random_f64(void *context, adead_foreign_call *call, const adead_foreign_value *a, uint32_t count,
                      adead_foreign_value *result)
{
    (void)context, (void)call, (void)count;
    result->f64 = a[0].i32 + (double)(test_random(&world) >> 11) * 0x1p-53;
    return ADEAD_OK;
}

typedef struct bytes { uint8_t data[1 << 16]; size_t size; bool full; } bytes;

static int collect(void *context, const void *data, size_t size)
{
    bytes *b = context;
    if (b->full || size > sizeof b->data - b->size) return 1;
    memcpy(b->data + b->size, data, size);
    b->size += size;
    return 0;
}

static bytes log_bytes, stream, again;

static void provide(void)
{
    GOOD(adead_instance_set_foreign(instance, "host!oracle", oracle, NULL));
    GOOD(adead_instance_set_foreign(instance, "host!random", random_f64, NULL));
}

/* A recorded run of the asking program; its log and its stream are kept. */
static void record_asking(void)
{
    open_program(asking_asm);
    provide();
    log_bytes.size = stream.size = 0;
    GOOD(adead_instance_record(instance, collect, &log_bytes));
    adead_instance_set_stream(instance, collect, &stream);
    GOOD(adead_instance_run(instance));
    CHECK_EQ(stream.size, 3 * (3 * 8 + 8 + 100 + 32));
}

static void replayed_bit_for_bit(void)
{
    record_asking();
    if (test_state.bad) return close_all();
    uint64_t fuel = adead_instance_fuel_used(instance);
    static uint8_t first[4096], other[4096];
    CHECK(adead_instance_read_memory(instance, 0, first, sizeof first) == ADEAD_OK);

    GOOD(adead_instance_reset(instance)); /* the world gives something else now, and another log */
    again.size = 0;
    adead_instance_set_stream(instance, collect, &again);
    size_t one = log_bytes.size;
    GOOD(adead_instance_run(instance));
    CHECK(again.size == stream.size && memcmp(again.data, stream.data, stream.size) != 0, "the world stands still");
    CHECK(log_bytes.size >= 2 * one - 100 && memcmp(log_bytes.data + one, "ADEADLOG", 8) == 0, "%d", (int)log_bytes.size);

    open_program(asking_asm); /* without anything granted */
    GOOD(adead_instance_replay(instance, log_bytes.data, one));
    for (int run = 0; run < 2; run++) {
        again.size = 0;
        adead_instance_set_stream(instance, collect, &again);
        GOOD(adead_instance_run(instance));
        CHECK(again.size == stream.size && memcmp(again.data, stream.data, stream.size) == 0, "the stream differs");
        CHECK_EQ(adead_instance_fuel_used(instance), fuel);
        CHECK(adead_instance_read_memory(instance, 0, other, sizeof other) == ADEAD_OK);
        CHECK(memcmp(first, other, sizeof first) == 0, "memory differs");
        GOOD(adead_instance_reset(instance));
    }
    REFUSED(adead_instance_record(instance, collect, &log_bytes), ADEAD_INVALID_STATE, "cannot be recorded");
    GOOD(adead_instance_replay(instance, NULL, 0));
    REFUSED(adead_instance_run(instance), ADEAD_IMPORT_MISSING, "host!oracle");
    GOOD(adead_instance_record(instance, collect, &log_bytes));
    REFUSED(adead_instance_replay(instance, log_bytes.data, one), ADEAD_INVALID_STATE, "cannot replay");
    REFUSED(adead_instance_replay(NULL, log_bytes.data, one), ADEAD_INVALID_ARGUMENT, "instance");
    REFUSED(adead_instance_record(NULL, NULL, NULL), ADEAD_INVALID_ARGUMENT, "instance");
    close_all();
}

static void other_inputs_are_noticed(void)
{
    int64_t seed = 6;
    record_asking();
    if (test_state.bad) return close_all();
    open_program(asking_asm);
    GOOD(adead_instance_replay(instance, log_bytes.data, log_bytes.size));
    GOOD(adead_instance_set_input(instance, "seed", ADEAD_I64, 0, NULL, &seed));
    REFUSED(adead_instance_run(instance), ADEAD_REPLAY_MISMATCH, "call 1 ('host!oracle') is not as recorded: its arguments");
    close_all();
}

/* A run that ends in a callback, by a trap and by halt, or with a failing call, is replayed to the same end. */
static void ends_are_replayed(void)
{
    static const struct { const char *ending, *text; int status; } cases[] = {
        {"  trap 9\n", "gave up with number 9", ADEAD_TRAP},
        {"  halt\n", "", ADEAD_OK},
        {"  call.foreign \"host!fail\", r5\n  return\n", "out of ink, \xC3\xA4h", ADEAD_FOREIGN_FAILED},
    };
    for (int i = 0; i < 3; i++) {
        char          source[1024];
        adead_error   error = {0};
        char          message[400] = "";
        uint64_t      fuel = 0;
        snprintf(source, sizeof source,
                 ".memory 64KiB\n.table back\n.import \"host!oracle\" \"i64(ptr,buf,fn:i64(i64,ref))\"\n"
                 ".import \"host!fail\" \"void()\"\n"
                 "main: .func\n  gpu.alloc 32, b0\n  i64.const r1, 1000\n  i64.const r2, 100\n"
                 "  call.foreign 0, r1\n  halt\nback: .func params=2 results=1\n  i64.const r2, 10\n  write r3, r2\n%s",
                 cases[i].ending);
        for (int replay = 0; replay < 2; replay++) {
            bytes *out = replay ? &again : &stream;
            open_program(source);
            out->size = 0;
            adead_instance_set_stream(instance, collect, out);
            if (replay) {
                GOOD(adead_instance_replay(instance, log_bytes.data, log_bytes.size));
            } else {
                log_bytes.size = 0;
                GOOD(adead_instance_set_foreign(instance, "host!oracle", oracle, NULL));
                GOOD(adead_instance_set_foreign(instance, "host!fail", failing, "out of ink, \xC3\xA4h"));
                GOOD(adead_instance_record(instance, collect, &log_bytes));
            }
            CHECK_EQ(adead_instance_run(instance), cases[i].status);
            if (cases[i].status) {
                CHECK(strstr(adead_last_error()->message, cases[i].text) != NULL, "%s", adead_last_error()->message);
                CHECK(!replay || strcmp(message, adead_last_error()->message) == 0, "%s", adead_last_error()->message);
                CHECK(!replay || error.offset == adead_last_error()->offset, "another offset");
                error = *adead_last_error();
                snprintf(message, sizeof message, "%s", error.message);
            }
            CHECK(!replay || fuel == adead_instance_fuel_used(instance), "other fuel");
            fuel = adead_instance_fuel_used(instance);
        }
        CHECK(stream.size == again.size && memcmp(stream.data, again.data, stream.size) == 0, "the streams differ");
    }
    close_all();
}

static void pure_programs_have_logs_too(void)
{
    static const char source[] = "  nop\n  halt\n";
    open_program(source);
    log_bytes.size = 0;
    GOOD(adead_instance_record(instance, collect, &log_bytes));
    GOOD(adead_instance_run(instance));
    CHECK_EQ(log_bytes.size, 48 + 21 + 32);
    open_program(source);
    GOOD(adead_instance_replay(instance, log_bytes.data, log_bytes.size));
    GOOD(adead_instance_run(instance));
    open_program("  nop\n  nop\n  halt\n");
    REFUSED(adead_instance_replay(instance, log_bytes.data, log_bytes.size), ADEAD_BAD_FIELD, "with another program");
    close_all();
}

static void a_log_that_is_not_taken(void)
{
    open_program(asking_asm);
    provide();
    log_bytes.size = 0;
    log_bytes.full = true;
    GOOD(adead_instance_record(instance, collect, &log_bytes));
    int status = adead_instance_run(instance);
    log_bytes.full = false;
    CHECK(status == ADEAD_CANNOT_WRITE && strstr(adead_last_error()->message, "the log of the run was not taken"),
          "%s", adead_last_error()->message);
    open_program("  halt\n");
    log_bytes.full = true;
    GOOD(adead_instance_record(instance, collect, &log_bytes));
    status = adead_instance_run(instance);
    log_bytes.full = false;
    CHECK_EQ(status, ADEAD_CANNOT_WRITE);
    close_all();
}

/* ---- Memory that runs out ---- */

typedef struct limited { uint64_t calls, fail, live; } limited;

static void *limited_allocate(void *context, size_t size)
{
    limited *l = context;
    void    *memory = ++l->calls == l->fail ? NULL : calloc(1, size);
    l->live += memory != NULL;
    return memory;
}

static void limited_release(void *context, void *memory, size_t size)
{
    (void)size;
    ((limited *)context)->live--;
    free(memory);
}

/* Everything from the runtime to the replayed run; the first status that is not OK. */
static int whole_story(limited *l)
{
    adead_runtime_options options = {.size = sizeof options, .backend = "ref", .allocate = limited_allocate,
                                     .release = limited_release, .context = l};
    log_bytes.size = 0;
    int status = adead_runtime_create(&options, &runtime);
    if (!status) status = adead_program_assemble(runtime, asking_asm, sizeof asking_asm - 1, &program);
    for (int replay = 0; replay < 2 && !status; replay++) {
        status = adead_instance_create(program, NULL, &instance);
        if (!status && replay) status = adead_instance_replay(instance, log_bytes.data, log_bytes.size);
        if (!status && !replay) status = adead_instance_set_foreign(instance, "host!oracle", oracle, NULL);
        if (!status && !replay) status = adead_instance_set_foreign(instance, "host!random", random_f64, NULL);
        if (!status && !replay) status = adead_instance_record(instance, collect, &log_bytes);
        if (!status) status = adead_instance_run(instance);
        adead_instance_destroy(instance);
        instance = NULL;
    }
    close_all();
    return status;
}

static void allocation_may_fail_anywhere(void)
{
    close_all();
    for (uint64_t fail = 1;; fail++) {
        limited l = {.fail = fail};
        int     status = whole_story(&l);
        CHECK(l.live == 0, "allocation %d fails: %d are left", (int)fail, (int)l.live);
        if (status == ADEAD_OK) {
            CHECK(fail > 20, "%d allocations", (int)fail);
            break;
        }
        CHECK(status == ADEAD_NO_MEMORY, "allocation %d: %s", (int)fail,
              adead_status_name(status));
    }
}

/* ---- Hostile logs ---- */

static void cut_and_changed_logs(void)
{
    record_asking();
    if (test_state.bad) return close_all();
    static uint8_t changed[sizeof log_bytes.data];
    int            refused[1000] = {0};
    for (size_t size = 0; size < log_bytes.size; size++) {
        int status = adead_instance_replay(instance, NULL, 0);
        status = adead_instance_record(instance, NULL, NULL);
        memcpy(changed, log_bytes.data, size);
        status = adead_instance_replay(instance, changed, size);
        CHECK(status != ADEAD_OK && strlen(adead_last_error()->message) > 10, "%d bytes are taken", (int)size);
        refused[status]++;
    }
    CHECK(refused[ADEAD_TRUNCATED] > 100 && refused[ADEAD_BAD_MAGIC] == 8, "%d, %d", refused[ADEAD_TRUNCATED],
          refused[ADEAD_BAD_MAGIC]);
    for (size_t at = 0; at < log_bytes.size; at++) {
        memcpy(changed, log_bytes.data, log_bytes.size);
        changed[at] ^= (uint8_t)(1 + at % 255);
        int status = adead_instance_replay(instance, changed, log_bytes.size);
        CHECK(status != ADEAD_OK, "a change at %d is not noticed", (int)at);
        refused[status]++;
    }
    CHECK(refused[ADEAD_BAD_VERSION] && refused[ADEAD_BAD_FIELD] && refused[ADEAD_BAD_DIGEST]);
    memcpy(changed, log_bytes.data, log_bytes.size);
    changed[log_bytes.size] = 0;
    REFUSED(adead_instance_replay(instance, changed, log_bytes.size + 1), ADEAD_TRAILING_BYTES, "follow the end");
    close_all();
}

/* Logs with a right digest and wrong events: text in hexadecimal, appended to the header. */
static void events_out_of_place(void)
{
    static const struct { const char *hex; int status; const char *text; } cases[] = {
#define Z4 "00000000"
#define Z8 Z4 Z4
#define Z32 Z8 Z8 Z8 Z8
#define CALL0 "01" Z4 Z32
#define BACK "02" "02000000" Z4 Z8 Z8
        {"", ADEAD_TRUNCATED, "middle of an event"},
        {"00", ADEAD_BAD_FIELD, "no event has this kind"},
        {"08", ADEAD_BAD_FIELD, "no event has this kind"},
        {"01" "02000000" Z32, ADEAD_BAD_FIELD, "no such import"},
        {CALL0 CALL0, ADEAD_BAD_FIELD, "begins where the program does not run"},
        {CALL0, ADEAD_TRUNCATED, "middle of an event"},
        {BACK, ADEAD_BAD_FIELD, "where no foreign function runs"},
        {CALL0 "02" Z4, ADEAD_BAD_FIELD, "that is no function is called back"},
        {CALL0 "02" "FFFFFFFF", ADEAD_BAD_FIELD, "that is no function is called back"},
        {CALL0 BACK BACK, ADEAD_BAD_FIELD, "where no foreign function runs"},
        {CALL0 "03" Z8, ADEAD_BAD_FIELD, "a callback ends that has not begun"},
        {"04", ADEAD_BAD_FIELD, "a callback ends that has not begun"},
        {"05" Z4 Z8, ADEAD_BAD_FIELD, "a call ends that has not begun"},
        {CALL0 BACK "05" Z4 Z8, ADEAD_BAD_FIELD, "a call ends that has not begun"},
        {CALL0 BACK "04" BACK, ADEAD_BAD_FIELD, "where no foreign function runs"},
        {CALL0 "05" "01000000" "02000000" Z8 "01" Z4 "000000" "55", ADEAD_BAD_FIELD, "a parameter that is no memory"},
        {CALL0 "05" "01000000" Z4 Z8 Z8, ADEAD_BAD_FIELD, "nothing is written"},
        {CALL0 "05" "01000000" Z4 Z8 "FFFFFFFFFFFFFFFF", ADEAD_TRUNCATED, "what is written"},
        {CALL0 "05" "FFFFFFFF", ADEAD_TRUNCATED, "middle of an event"},
        {CALL0 "06" Z4 "05" "4142", ADEAD_TRUNCATED, "middle of an event"},
        {CALL0 "07" Z4 Z8 "01" "00000000000000", ADEAD_BAD_FIELD, "calls that are not there"},
        {"07" Z4 Z8 "01" "00000000000000", ADEAD_BAD_FIELD, "calls that are not there"},
        {"07" Z4 Z8 Z8 "00", ADEAD_TRAILING_BYTES, "follow the end"},
        {"07" Z4 Z8 Z8, ADEAD_OK, ""},
        {CALL0 BACK "03" Z8 "05" Z4 Z8 "07" Z4 Z8 "0100000000000000", ADEAD_OK, ""},
    };
    record_asking();
    if (test_state.bad) return close_all();
    open_program(asking_asm);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t log[1024];
        size_t  size = 48;
        memcpy(log, log_bytes.data, size);
        for (const char *hex = cases[i].hex; *hex; hex += 2) {
            unsigned byte = 0;
            sscanf(hex, "%2x", &byte);
            log[size++] = (uint8_t)byte;
        }
        adead_sha256_digest(log, size, log + size);
        int status = adead_instance_replay(instance, log, size + 32);
        CHECK(status == cases[i].status, "%d: %s, %s", (int)i, adead_status_name(status), adead_last_error()->message);
        CHECK(status == ADEAD_OK || strstr(adead_last_error()->message, cases[i].text), "%d: %s", (int)i,
              adead_last_error()->message);
        if (status == ADEAD_OK) {
            CHECK_EQ(adead_instance_run(instance), ADEAD_REPLAY_MISMATCH);
            GOOD(adead_instance_reset(instance));
        }
    }
    close_all();
}

TEST_MAIN("foreign_api", T(registered_functions) T(failures) T(a_lent_input_is_not_written) T(replayed_bit_for_bit)
                             T(other_inputs_are_noticed) T(ends_are_replayed) T(pure_programs_have_logs_too)
                                 T(a_log_that_is_not_taken) T(allocation_may_fail_anywhere) T(cut_and_changed_logs)
                                     T(events_out_of_place))
