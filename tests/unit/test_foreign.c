/* Foreign calls in the machine, without any library: signatures, arguments, results, memory, callbacks, fuel. The foreign
 * functions are those of this file; each program runs in both dispatch loops, which must agree.
 */
#include "tests/harness/machine.h"

static stream s;

/* ---- Signatures ---- */

static void signatures(void)
{
    static const struct { const char *text; uint8_t result, count, registers, callbacks; } good[] = {
        {"void()", ADEAD_ARG_VOID, 0, 0, 0},
        {"f64(f64)", ADEAD_ARG_F64, 1, 1, 0},
        {"i32(ptr,i64)", ADEAD_ARG_I32, 2, 3, 0},
        {"i64(i32,i64,f32,f64,ptr,ref,buf,fn:void())", ADEAD_ARG_I64, 8, 10, 1},
        {"void(ref,i64,i64,fn:i32(ref,ref))", ADEAD_ARG_VOID, 4, 5, 1},
        {"f32(fn:f32(i32,i64,f32,f64,ref,i32,i32,i32),fn:f64(),fn:i64(i64),fn:i32())", ADEAD_ARG_F32, 4, 4, 4},
        {"void(ptr,ptr,ptr,ptr,ptr,ptr,ptr,ptr,ptr,ptr,ptr,ptr,ptr,ptr,ptr,ptr)", ADEAD_ARG_VOID, 16, 32, 0},
    };
    static const struct { const char *text; size_t wrong; } bad[] = {
        {"", 0},           {"i33()", 0},      {"void", 4},       {"void(", 5},          {"void()x", 6},
        {"void( i32)", 5},
        {"void(i32,)", 9}, {"void(void)", 5}, {"ptr()", 0},      {"void(fn)", 5},       {"void(fn:)", 8},
        {"void(fn:i32)", 11},
        {"void(fn:i32(ptr))", 12},          {"void(fn:i32(fn:void()))", 12},          {"void(i32", 8},   {"void(i32i32)", 8},
        {"i32(i32)(", 8}, {"void(buf,fn:ref())", 12},
        {"void(fn:void(),fn:void(),fn:void(),fn:void(),fn:void())", 48},
        {"void(i32,i32,i32,i32,i32,i32,i32,i32,i32,i32,i32,i32,i32,i32,i32,i32,i32)", 69},
        {"void(fn:void(i32,i32,i32,i32,i32,i32,i32,i32,i32))", 45},
    };
    adead_signature sig;
    size_t          wrong;
    for (size_t i = 0; i < ADEAD_COUNT(good); i++) {
        CHECK(adead_signature_parse(good[i].text, &sig, &wrong), "%s: character %d", good[i].text, (int)wrong);
        CHECK(sig.result == good[i].result && sig.count == good[i].count && sig.registers == good[i].registers &&
                  sig.callback_count == good[i].callbacks,
              "%s: %d %d %d", good[i].text, sig.result, sig.count, sig.registers);
    }
    for (size_t i = 0; i < ADEAD_COUNT(bad); i++) {
        CHECK(!adead_signature_parse(bad[i].text, &sig, &wrong), "%s", bad[i].text);
        CHECK(wrong == bad[i].wrong, "%s: character %d, not %d", bad[i].text, (int)wrong, (int)bad[i].wrong);
    }
    CHECK(adead_signature_parse("void(ref,fn:i32(ref,f32))", &sig, &wrong));
    CHECK(sig.callback_of[1] == 0 && sig.callbacks[0].result == ADEAD_ARG_I32 && sig.callbacks[0].count == 2 &&
          sig.callbacks[0].params[0] == ADEAD_ARG_REF && sig.callbacks[0].params[1] == ADEAD_ARG_F32);
    CHECK(adead_import_name_valid("m!cos") && adead_import_name_valid("libz.so.1!a b"));
    CHECK(!adead_import_name_valid("cos") && !adead_import_name_valid("!cos") && !adead_import_name_valid("m!") &&
          !adead_import_name_valid("m!a!b") && !adead_import_name_valid(""));
}

/* ---- Running programs with the functions of a test ---- */

typedef adead_status (*function)(adead_foreign_call *call, adead_failure *failure);

static function      functions[4]; /* by import */
static adead_import  imports[4];
static uint32_t      import_count;
static uint32_t      table[4], table_count;
static uint64_t      calls;
static adead_machine *running;

static adead_status dispatch(void *context, adead_foreign_call *call, adead_failure *failure)
{
    calls++;
    return context == functions ? functions[call->import](call, failure) : ADEAD_FOREIGN_FAILED;
}

static void begin(uint32_t registers)
{
    s = (stream){0};
    import_count = table_count = 0;
    FUNCTION(&s, 0, 0, registers, 0);
}

static void import(const char *signature, function f)
{
    imports[import_count] = (adead_import){"host!function", signature};
    functions[import_count++] = f;
}

static void callee(uint32_t params, uint32_t results) { table[table_count++] = FUNCTION(&s, params, results, 8, 0); }

/* Runs in both loops and compares; the first run's machine is kept for a look at memory. */
static outcome run(bench *keep, const adead_machine_limits *limits)
{
    adead_image image = image_of(&s);
    outcome     outcomes[2];
    image.imports = imports;
    image.import_count = import_count;
    image.table = table;
    image.table_count = table_count;
    for (int plain = 0; plain < 2; plain++) {
        bench b;
        memset(&outcomes[plain], 0, sizeof outcomes[plain]);
        outcomes[plain].status = bench_open(&b, &image, limits);
        outcomes[plain].failure = b.failure;
        if (!outcomes[plain].status) {
            running = b.machine;
            adead_machine_set_foreign(b.machine, dispatch, functions);
            bench_set_plain(&b, plain);
            outcomes[plain] = bench_run(&b);
        }
        if (plain == 0 && keep) *keep = b;
        else bench_close(&b);
    }
    if (keep && keep->machine) adead_machine_set_stream(keep->machine, NULL, NULL);
    if (!same_outcome(&outcomes[0], &outcomes[1]))
        test_report(__FILE__, __LINE__, "the loops differ: %d, fuel %" PRIu64 ", '%s'; %d, fuel %" PRIu64 ", '%s'",
                    outcomes[0].status, outcomes[0].fuel, outcomes[0].failure.message, outcomes[1].status, outcomes[1].fuel,
                    outcomes[1].failure.message);
    return outcomes[0];
}

/* ---- Arguments and results ---- */

static adead_status everything(adead_foreign_call *call, adead_failure *failure)
{
    const adead_foreign_argument *a = call->arguments;
    (void)failure;
    bool good = a[0].bits == 0xFFFFFFFF && a[1].bits == UINT64_MAX - 1 && a[2].bits == 0x3FC00000 &&
                a[3].bits == 0x4004000000000000u && a[4].bytes == 3 && memcmp(a[4].data, "\5\6\7", 3) == 0 &&
                a[5].bytes == 0 && a[5].data != NULL && a[6].bytes == 8 && ((uint8_t *)a[6].data)[7] == 9;
    ((uint8_t *)a[4].data)[1] = 0x66;
    ((uint8_t *)a[6].data)[0] = 0x77;
    call->result = good ? 0xABCDEF0012345678u : 0;
    return ADEAD_OK;
}

static void arguments_and_results(void)
{
    bench b;
    begin(32);
    import("i32(i32,i64,f32,f64,ptr,ref,buf)", everything);
    EMIT(&s, I32_CONST, 20, 7 << 16 | 6 << 8 | 5);
    CONST64(&s, 21, 100);
    EMIT(&s, STORE, 20, 21, 0);
    EMIT(&s, GPU_ALLOC, 8, 3);
    EMIT(&s, GPU_MEMSET, 3, 9, 8);
    CONST64(&s, 2, -1); /* the upper half of an i32 does not count */
    CONST64(&s, 3, -2);
    CONST64(&s, 4, 0xFFFFFFFF3FC00000u);
    CONST64(&s, 5, 0x4004000000000000u);
    EMIT(&s, MOVE, 6, 21);
    CONST64(&s, 7, 3);
    CONST64(&s, 8, 65536);
    CONST64(&s, 9, 0);
    CONST64(&s, 10, 3);
    EMIT(&s, CALL_FOREIGN, 0, 2);
    KEEP(&s, 2, 0, 0);
    KEEP(&s, 3, 0, 8); /* not touched */
    EMIT(&s, GPU_COPY_D2H, 3, 16, 8);
    EMIT(&s, HALT);
    CHECK_DONE(run(&b, NULL));
    CHECK_EQ(bench_u64(&b, 0), 0x12345678);
    CHECK_EQ(bench_u64(&b, 8), (uint64_t)-2);
    CHECK_EQ(bench_u64(&b, 16), 0x0909090909090977u);
    CHECK_EQ(bench_u64(&b, 100), 7 << 16 | 0x6605);
    bench_close(&b);
}

static adead_status signalling(adead_foreign_call *call, adead_failure *failure)
{
    (void)failure;
    call->result = call->signature->result == ADEAD_ARG_F32 ? 0xFFFFFFFFFF800001u : 0xFFF4000000000000u;
    return ADEAD_OK;
}

static void results_are_canonical(void)
{
    bench b;
    begin(8);
    import("f32()", signalling);
    import("f64()", signalling);
    import("void()", signalling);
    CONST64(&s, 3, 77);
    EMIT(&s, CALL_FOREIGN, 0, 1);
    EMIT(&s, CALL_FOREIGN, 1, 2);
    EMIT(&s, CALL_FOREIGN, 2, 3);
    for (uint32_t i = 0; i < 3; i++) KEEP(&s, 1 + i, 0, 8 * i);
    EMIT(&s, HALT);
    outcome o = run(&b, NULL);
    CHECK_DONE(o);
    CHECK_EQ(o.fuel, 8);
    CHECK_EQ(bench_u64(&b, 0), 0x7FC00000);
    CHECK_EQ(bench_u64(&b, 8), 0x7FF8000000000000u);
    CHECK_EQ(bench_u64(&b, 16), 77);
    bench_close(&b);
}

/* A call with the registers r1, r2 as given, that must trap before anything is called. */
static void trapping(const char *signature, uint64_t first, uint64_t second, adead_status expected, const char *text)
{
    begin(8);
    import(signature, everything);
    CONST64(&s, 1, first);
    CONST64(&s, 2, second);
    uint32_t at = EMIT(&s, CALL_FOREIGN, 0, 1);
    EMIT(&s, HALT);
    callee(1, 1);
    EMIT(&s, RETURN);
    calls = 0;
    outcome o = run(NULL, NULL);
    CHECK(o.status == expected, "%s: %s", adead_status_name(o.status), o.failure.message);
    CHECK(o.failure.offset == at && strstr(o.failure.message, text), "0x%" PRIX64 ": %s", o.failure.offset,
          o.failure.message);
    CHECK(o.fuel == 3 && calls == 0, "fuel %d, %d calls", (int)o.fuel, (int)calls);
}

static void arguments_are_checked(void)
{
    trapping("void(ptr)", 65535, 2, ADEAD_OUT_OF_BOUNDS, "2 bytes at address 0xFFFF lie outside");
    trapping("void(ref)", UINT64_MAX, 1, ADEAD_OUT_OF_BOUNDS, "1 bytes at address 0xFFFFFFFFFFFFFFFF");
    trapping("void(ptr)", 65537, 0, ADEAD_OUT_OF_BOUNDS, "0 bytes at address 0x10001");
    trapping("void(ptr)", 1, UINT64_MAX, ADEAD_OUT_OF_BOUNDS, "lie outside");
    trapping("void(buf)", 5, 0, ADEAD_BUFFER_STATE, "buffer 5 was never allocated");
    trapping("void(buf)", (uint64_t)1 << 32, 0, ADEAD_BUFFER_STATE, "was never allocated");
    trapping("void(fn:i32(i32))", 1, 0, ADEAD_INDIRECT_CALL, "the table has no function 1");
    trapping("void(fn:i32())", 0, 0, ADEAD_INDIRECT_CALL, "1 parameters and 1 results, the callback 0 and 1");
    trapping("void(fn:void(i32))", 0, 0, ADEAD_INDIRECT_CALL, "1 parameters and 1 results, the callback 1 and 0");
}

static adead_status failing(adead_foreign_call *call, adead_failure *failure)
{
    (void)call;
    return adead_fail(failure, ADEAD_FOREIGN_FAILED, ADEAD_NO_OFFSET, "the printer is on fire");
}

static adead_status meddling(adead_foreign_call *call, adead_failure *failure)
{
    uint64_t      byte = 0;
    adead_failure other;
    bool          refused = adead_machine_reset(running, &other) == ADEAD_INVALID_STATE &&
                   adead_machine_run(running, &other) == ADEAD_INVALID_STATE &&
                   adead_machine_write_memory(running, 0, &byte, 1, &other) == ADEAD_INVALID_STATE;
    (void)failure;
    call->result = refused;
    return ADEAD_OK;
}

static void errors(void)
{
    bench b;
    begin(4);
    import("void()", failing);
    uint32_t at = EMIT(&s, CALL_FOREIGN, 0, 4);
    EMIT(&s, HALT);
    CHECK_OUTCOME(run(NULL, NULL), FOREIGN_FAILED, at, "call.foreign 0, r4: the printer is on fire");
    begin(4);
    import("i32()", meddling);
    EMIT(&s, CALL_FOREIGN, 0, 1);
    KEEP(&s, 1, 0, 0);
    EMIT(&s, HALT);
    CHECK_DONE(run(&b, NULL));
    CHECK_EQ(bench_u64(&b, 0), 1);
    bench_close(&b);
    /* Without a hook nothing is executed, and the machine is as before. */
    adead_image image = image_of(&s);
    image.imports = imports;
    image.import_count = import_count;
    CHECK(bench_open(&b, &image, NULL) == ADEAD_OK, "%s", b.failure.message);
    CHECK_EQ(adead_machine_run(b.machine, &b.failure), ADEAD_IMPORT_MISSING);
    CHECK(strstr(b.failure.message, "'host!function'"), "%s", b.failure.message);
    running = b.machine;
    adead_machine_set_foreign(b.machine, dispatch, functions);
    CHECK_EQ(adead_machine_run(b.machine, &b.failure), ADEAD_OK);
    bench_close(&b);
}

/* ---- Callbacks ---- */

/* i64(i64 n, fn:i64(i64)): the sum of fn(0) to fn(n - 1). */
static adead_status sum(adead_foreign_call *call, adead_failure *failure)
{
    (void)failure;
    for (uint64_t i = 0, value; i < call->arguments[0].bits; i++) {
        if (!adead_foreign_callback(call, 1, &i, &value)) break;
        call->result += value;
    }
    return ADEAD_OK;
}

/* r1 = sum(r1, function 0 of the table), kept at 0; then the function's beginning. */
static uint32_t summing(uint64_t n)
{
    begin(16);
    import("i64(i64,fn:i64(i64))", sum);
    CONST64(&s, 1, n);
    CONST64(&s, 2, 0);
    uint32_t at = EMIT(&s, CALL_FOREIGN, 0, 1);
    KEEP(&s, 1, 3, 0);
    EMIT(&s, HALT);
    callee(1, 1);
    return at;
}

static void callbacks_compute(void)
{
    bench b;
    summing(5);
    EMIT(&s, I64_MUL, 0, 0, 0);
    EMIT(&s, RETURN);
    outcome o = run(&b, NULL);
    CHECK_DONE(o);
    CHECK_EQ(bench_u64(&b, 0), 0 + 1 + 4 + 9 + 16);
    CHECK_EQ(o.fuel, 5 + 2 * 5);
    bench_close(&b);
}

/* A callback that grows memory and writes behind its old end: what comes after the call sees both. */
static void memory_grows_in_a_callback(void)
{
    bench b;
    begin(16);
    import("i64(i64,fn:i64(i64))", sum);
    CONST64(&s, 1, 1);
    CONST64(&s, 2, 0);
    EMIT(&s, CALL_FOREIGN, 0, 1);
    CONST64(&s, 4, 65536);
    EMIT(&s, LOAD, 5, 4, 8);
    KEEP(&s, 5, 3, 0);
    EMIT(&s, HALT);
    callee(1, 1);
    EMIT(&s, I32_CONST, 1, 1);
    EMIT(&s, MEMORY_GROW, 2, 1);
    CONST64(&s, 3, 65536);
    CONST64(&s, 4, 0x1122334455667788u);
    EMIT(&s, STORE, 4, 3, 8);
    EMIT(&s, RETURN);
    CHECK_DONE(run(&b, NULL));
    CHECK_EQ(bench_u64(&b, 0), 0x1122334455667788u);
    bench_close(&b);
}

/* Callbacks longer than a turn; and the end of the fuel at each possible place. */
static void fuel_in_callbacks(void)
{
    summing(3);
    uint32_t top = s.size + 9 + 4; /* i32.const has two operands: 13 bytes */
    EMIT(&s, I32_CONST, 1, 0);
    EMIT(&s, I32_ADD_IMM, 1, 1, 1);
    EMIT(&s, JUMP_I32_LT_S_IMM, 1, 10000, top);
    EMIT(&s, RETURN);
    outcome o = run(NULL, NULL);
    CHECK_DONE(o);
    CHECK_EQ(o.fuel, 5 + 3 * (1 + 2 * 10000 + 1));
    summing(3);
    uint32_t callee_at = s.size;
    EMIT(&s, NOP);
    EMIT(&s, NOP);
    EMIT(&s, JUMP, s.size + 9);
    uint32_t last = EMIT(&s, RETURN);
    adead_machine_limits limits = test_limits;
    for (limits.fuel = 0; limits.fuel < 17; limits.fuel++) {
        /* Runs: 3, then three times 3 and 1, then 2. */
        static const uint8_t used[17] = {0, 0, 0, 3, 3, 3, 6, 7, 7, 7, 10, 11, 11, 11, 14, 15, 15};
        o = run(NULL, &limits);
        CHECK(o.status == ADEAD_OUT_OF_FUEL && o.fuel == used[limits.fuel], "%d: %s, %d used", (int)limits.fuel,
              adead_status_name(o.status), (int)o.fuel);
        if (used[limits.fuel] == 3 || used[limits.fuel] == 7) CHECK_EQ(o.failure.offset, callee_at);
        if (used[limits.fuel] == 6) CHECK_EQ(o.failure.offset, last);
    }
    o = run(NULL, &limits);
    CHECK_DONE(o);
    CHECK_EQ(o.fuel, 17);
}

static void traps_in_callbacks(void)
{
    bench b;
    summing(5);
    EMIT(&s, I32_CONST, 1, 7);
    EMIT(&s, NOP);
    uint32_t at = EMIT(&s, I32_DIV_S, 0, 1, 0);
    EMIT(&s, RETURN);
    calls = 0;
    outcome o = run(NULL, NULL);
    CHECK_OUTCOME(o, DIVISION_BY_ZERO, at, "i32.div_s");
    CHECK_EQ(o.fuel, 3 + 3);
    CHECK_EQ(calls, 2); /* one in each loop */

    summing(5); /* halt ends the program well; what stands behind the call is not executed */
    EMIT(&s, I64_ADD_IMM, 0, 0, 1);
    KEEP(&s, 0, 1, 64);
    EMIT(&s, HALT);
    o = run(&b, NULL);
    CHECK_DONE(o);
    CHECK_EQ(bench_u64(&b, 0), 0);
    CHECK_EQ(bench_u64(&b, 64), 1);
    CHECK_EQ(o.fuel, 3 + 3);
    bench_close(&b);

    adead_machine_limits limits = test_limits;
    limits.call_depth = 0;
    at = summing(1);
    EMIT(&s, RETURN);
    CHECK_OUTCOME(run(NULL, &limits), STACK_OVERFLOW, at, "call.foreign");
    limits.call_depth = 1;
    CHECK_DONE(run(NULL, &limits));

    summing(1);
    EMIT(&s, CHANNEL, 1);
    at = EMIT(&s, RECEIVE, 2, 1);
    EMIT(&s, RETURN);
    CHECK_OUTCOME(run(NULL, NULL), DEADLOCK, at, "a callback of a foreign function cannot wait");
}

static void tasks_in_callbacks(void)
{
    bench b;
    summing(2);
    EMIT(&s, YIELD);
    uint32_t spawn = EMIT(&s, SPAWN, 1, 0, 2);
    EMIT(&s, MOVE, 0, 1);
    EMIT(&s, RETURN);
    stream_patch(&s, spawn, 1, FUNCTION(&s, 0, 0, 1, 0));
    EMIT(&s, HALT);
    outcome o = run(&b, NULL);
    CHECK_DONE(o);
    CHECK_EQ(bench_u64(&b, 0), 1 + 2); /* the numbers of the new tasks */
    CHECK_EQ(o.fuel, 5 + 2 * 4);       /* which had no turn: the main task ended first */
    bench_close(&b);
}

static adead_status address_of_middle(adead_foreign_call *call, adead_failure *failure)
{
    const adead_foreign_argument *range = &call->arguments[0];
    uint64_t                      address = 0, other;
    const uint8_t                *data = range->data;
    (void)failure;
    bool good = adead_foreign_address(call, data + 4, &address) && address == range->bits + 4 &&
                adead_foreign_address(call, data + range->bytes, &other) && other == range->bits + range->bytes &&
                !adead_foreign_address(call, data - 1, &other) &&
                !adead_foreign_address(call, data + range->bytes + 1, &other) &&
                !adead_foreign_address(call, &other, &other) && !adead_foreign_address(call, NULL, &other);
    if (!good) adead_foreign_stop(call, "addresses are wrong");
    else adead_foreign_callback(call, 1, &address, &call->result);
    return ADEAD_OK;
}

static void pointers_in_callbacks(void)
{
    bench b;
    begin(16);
    import("i64(ref,fn:i64(ref))", address_of_middle);
    CONST64(&s, 1, 1000);
    CONST64(&s, 2, 24);
    EMIT(&s, CALL_FOREIGN, 0, 1);
    KEEP(&s, 1, 4, 0);
    EMIT(&s, HALT);
    callee(1, 1);
    EMIT(&s, RETURN);
    CHECK_DONE(run(&b, NULL));
    CHECK_EQ(bench_u64(&b, 0), 1004);
    bench_close(&b);
}

static adead_status call_back(adead_foreign_call *call, adead_failure *failure)
{
    uint64_t result;
    (void)failure;
    for (uint32_t p = 0; p < call->signature->count; p++)
        if (call->signature->params[p] == ADEAD_ARG_FN) adead_foreign_callback(call, p, NULL, &result);
    return ADEAD_OK;
}

static adead_status call_back_the_outer(adead_foreign_call *call, adead_failure *failure)
{
    uint64_t result;
    (void)failure;
    adead_foreign_callback(call->outer, 0, NULL, &result);
    return ADEAD_OK;
}

static void nesting(void)
{
    bench b;
    begin(4); /* the callback calls itself through a foreign function, until memory says enough */
    import("void(fn:void())", call_back);
    EMIT(&s, CALL_FOREIGN, 0, 1);
    EMIT(&s, HALT);
    callee(0, 0);
    EMIT(&s, LOAD, 1, 0, 0);
    EMIT(&s, I64_ADD_IMM, 1, 1, 1);
    KEEP(&s, 1, 0, 0);
    uint32_t more = EMIT(&s, JUMP_I64_GE_S_IMM, 1, 64, 0);
    uint32_t at = EMIT(&s, CALL_FOREIGN, 0, 2);
    stream_patch(&s, more, 2, EMIT(&s, RETURN));
    CHECK_DONE(run(&b, NULL));
    CHECK_EQ(bench_u64(&b, 0), 64);
    bench_close(&b);
    stream_patch(&s, more, 1, 65);
    CHECK_OUTCOME(run(NULL, NULL), STACK_OVERFLOW, at, "nested more than 64 deep");

    begin(4);
    import("void(fn:void())", call_back);
    import("void()", call_back_the_outer);
    EMIT(&s, CALL_FOREIGN, 0, 1);
    EMIT(&s, HALT);
    callee(0, 0);
    at = EMIT(&s, CALL_FOREIGN, 1, 2);
    EMIT(&s, RETURN);
    CHECK_OUTCOME(run(NULL, NULL), FOREIGN_FAILED, at, "called back what was given to another call");
}

static void buffers_that_a_callback_frees(void)
{
    for (int again = 0; again < 2; again++) {
        begin(4);
        import("void(buf,fn:void())", call_back);
        EMIT(&s, JUMP, s.size + 9);
        EMIT(&s, GPU_ALLOC, 16, 0);
        uint32_t at = EMIT(&s, CALL_FOREIGN, 0, 1);
        EMIT(&s, HALT);
        callee(0, 0);
        EMIT(&s, GPU_FREE, 0);
        if (again) EMIT(&s, GPU_ALLOC, 8, 0);
        EMIT(&s, RETURN);
        CHECK_OUTCOME(run(NULL, NULL), BUFFER_STATE, at, again ? "replaced while" : "freed before");
    }
}

/* Foreign calls of two tasks, whose turns follow each other as always. */
static void any_task_may_call(void)
{
    bench b;
    begin(16);
    import("i64(i64,fn:i64(i64))", sum);
    uint32_t spawn = EMIT(&s, SPAWN, 5, 0, 6);
    CONST64(&s, 1, 4);
    CONST64(&s, 2, 0);
    EMIT(&s, CALL_FOREIGN, 0, 1);
    EMIT(&s, JOIN, 6, 5);
    EMIT(&s, I64_ADD, 1, 1, 6);
    KEEP(&s, 1, 3, 0);
    EMIT(&s, HALT);
    stream_patch(&s, spawn, 1, FUNCTION(&s, 0, 1, 8, 0));
    CONST64(&s, 0, 10);
    CONST64(&s, 1, 0);
    EMIT(&s, CALL_FOREIGN, 0, 0);
    EMIT(&s, RETURN);
    callee(1, 1);
    EMIT(&s, RETURN);
    CHECK_DONE(run(&b, NULL));
    CHECK_EQ(bench_u64(&b, 0), 6 + 45);
    bench_close(&b);
}

TEST_MAIN("foreign", T(signatures) T(arguments_and_results) T(results_are_canonical) T(arguments_are_checked) T(errors)
                         T(callbacks_compute) T(memory_grows_in_a_callback) T(fuel_in_callbacks) T(traps_in_callbacks)
                             T(tasks_in_callbacks) T(pointers_in_callbacks) T(nesting) T(buffers_that_a_callback_frees)
                                 T(any_task_may_call))
