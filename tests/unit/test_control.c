/* Control flow, calls, fused steps, fuel and traps of the machine, each run in both dispatch loops and compared.
 *
 * Fuel is checked against a model made from the run's own trace: instructions are paid for run by run, so with any limit the
 * machine stops where the model says, having done exactly the stores of that prefix.
 */
#include "tests/harness/machine.h"

static stream s;

static void begin(uint32_t registers)
{
    s = (stream){0};
    FUNCTION(&s, 0, 0, registers, 0);
}

/* Runs `s` in both loops and gives the u64 at address 0, where the programs here leave their answer. */
static uint64_t answer(void)
{
    bench       b;
    adead_image image = image_of(&s);
    outcome     o = run_both(&image, NULL, &b);
    if (o.status) test_report(__FILE__, __LINE__, "%s: %s", adead_status_name(o.status), o.failure.message);
    uint64_t v = o.status ? 0 : bench_u64(&b, 0);
    bench_close(&b);
    return v;
}

/* ---- Jumps -------------------------------------------------------------------------------------------------------------
 */

static void jumps(void)
{
    begin(4);
    EMIT(&s, NOP);
    EMIT(&s, GPU_NOP);
    uint32_t forward = EMIT(&s, JUMP, 0), back = s.size;
    EMIT(&s, I64_ADD_IMM, 1, 1, 100);
    KEEP(&s, 1, 0, 0);
    EMIT(&s, HALT);
    stream_patch(&s, forward, 0, s.size);
    EMIT(&s, I64_ADD_IMM, 1, 1, 10);
    EMIT(&s, JUMP, back);
    CHECK_EQ(answer(), 110);
}

/* 10 + 9 + ... + 1, the jump leading to itself's beginning. */
static void loops(void)
{
    begin(4);
    EMIT(&s, I32_CONST, 1, 10);
    uint32_t top = EMIT(&s, I64_ADD, 2, 2, 1);
    EMIT(&s, I32_ADD_IMM, 1, 1, LOW(-1));
    EMIT(&s, JUMP_IF, 1, top);
    KEEP(&s, 2, 0, 0);
    EMIT(&s, GPU_END);
    CHECK_EQ(answer(), 55);
}

static uint64_t table_answer(uint64_t index, uint32_t targets)
{
    uint32_t words[255];
    begin(4);
    CONST64(&s, 1, index);
    words[0] = 1;
    uint32_t table = s.size;
    stream_words(&s, adead_ops[ADEAD_OP_JUMP_TABLE].value, words, targets + 1);
    for (uint32_t i = 0; i < targets; i++) {
        stream_patch(&s, table, i + 1, s.size);
        EMIT(&s, I32_CONST, 2, 1000 + i);
        KEEP(&s, 2, 0, 0);
        EMIT(&s, HALT);
    }
    return answer();
}

static void jump_tables(void)
{
    const uint32_t sizes[] = {1, 2, 5, 254};
    for (int i = 0; i < 4; i++) {
        uint32_t n = sizes[i];
        for (uint64_t index = 0; index < n + 3; index += n > 9 && index < n - 3 ? 23 : 1) {
            CHECK_EQ(table_answer(index, n), 1000 + (index < n - 1 ? index : n - 1));
            CHECK_EQ(table_answer(index | 0xABCD00000000u, n),
                     1000 + (index < n - 1 ? index : n - 1)); /* the upper half does not count */
        }
        CHECK_EQ(table_answer(0x7FFFFFFF, n), 1000 + n - 1);
        CHECK_EQ(table_answer(0x80000000, n), 1000 + n - 1);
        CHECK_EQ(table_answer(UINT64_MAX, n), 1000 + n - 1);
    }
}

static void return_from_the_entry_ends(void)
{
    begin(2);
    EMIT(&s, I32_CONST, 1, 7);
    KEEP(&s, 1, 0, 0);
    EMIT(&s, RETURN);
    CHECK_EQ(answer(), 7);
    CHECK_EQ(run_stream(&s).fuel, 3);
}

/* ---- Calls -------------------------------------------------------------------------------------------------------------
 */

/* 2 arguments, 3 results; the callee sees zeros in its other registers even where an earlier call left something. */
static void arguments_and_results(void)
{
    begin(12);
    uint32_t dirty = EMIT(&s, CALL, 0, 12);
    EMIT(&s, I32_CONST, 5, 40);
    EMIT(&s, I32_CONST, 6, 2);
    EMIT(&s, I32_CONST, 8, 77);
    EMIT(&s, I32_CONST, 4, 88);
    uint32_t call = EMIT(&s, CALL, 0, 5);
    for (uint32_t i = 0; i < 8; i++) KEEP(&s, 3 + i, 0, 8 * i);
    EMIT(&s, HALT);
    uint32_t callee = FUNCTION(&s, 2, 3, 20, 0);
    EMIT(&s, I64_ADD, 2, 0, 1);
    EMIT(&s, I64_SUB, 0, 0, 1);
    for (uint32_t i = 3; i < 20; i++) EMIT(&s, I64_OR, 1, 1, i); /* r1 stays 2 */
    EMIT(&s, RETURN);
    uint32_t spoil = FUNCTION(&s, 0, 0, 300, 0);
    for (uint32_t i = 0; i < 300; i++) CONST64(&s, i, UINT64_MAX);
    EMIT(&s, RETURN);
    stream_patch(&s, dirty, 0, spoil);
    stream_patch(&s, call, 0, callee);
    bench       b;
    adead_image image = image_of(&s);
    CHECK_DONE(run_both(&image, NULL, &b));
    const uint64_t expected[] = {0, 88, 38, 2, 42, 77, 0, 0}; /* r3 .. r10: r5..r7 are results, r8 is untouched */
    for (uint32_t i = 0; i < 8; i++) CHECK_EQ(bench_u64(&b, 8 * i), expected[i]);
    bench_close(&b);
}

/* count(n) = n == 0 ? 0 : 1 + count(n - 1), nested n + 1 calls deep; its frame has `registers` registers. */
static outcome deep(uint64_t n, uint32_t main_registers, uint32_t registers, uint32_t depth, uint64_t *result)
{
    bench                b = {0};
    adead_machine_limits limits = test_limits;
    limits.call_depth = depth;
    begin(main_registers);
    CONST64(&s, 1, n);
    uint32_t outer = EMIT(&s, CALL, 0, 1);
    KEEP(&s, 1, 0, 0);
    EMIT(&s, HALT);
    uint32_t count = FUNCTION(&s, 1, 1, registers, 0);
    uint32_t test = EMIT(&s, JUMP_I64_EQ_IMM, 0, 0, 0);
    EMIT(&s, I64_ADD_IMM, 1, 0, LOW(-1));
    EMIT(&s, CALL, count, 1);
    EMIT(&s, I64_ADD_IMM, 0, 1, 1);
    stream_patch(&s, test, 2, s.size);
    EMIT(&s, RETURN);
    stream_patch(&s, outer, 0, count);
    adead_image image = image_of(&s);
    outcome     o = run_both(&image, &limits, &b);
    *result = o.status ? 0 : bench_u64(&b, 0);
    bench_close(&b);
    return o;
}

static void recursion_has_a_limit(void)
{
    uint64_t result;
    CHECK_DONE(deep(999, 2, 2, 1000, &result));
    CHECK_EQ(result, 999);
    CHECK_OUTCOME(deep(1000, 2, 2, 1000, &result), STACK_OVERFLOW, s.offsets[8], "call");
    CHECK_OUTCOME(deep(0, 2, 2, 0, &result), STACK_OVERFLOW, s.offsets[2], "call"); /* no call at all */
    CHECK_DONE(deep(0, 2, 2, 1, &result));
    CHECK_DONE(deep(65535, 2, 2, 65536, &result));
    CHECK_EQ(result, 65535);
}

/* The register stack holds 2^20: main's 16 and 16 frames of 65,535 fill it to the last one. */
static void registers_have_a_limit(void)
{
    uint64_t result;
    CHECK_EQ(ADEAD_REGISTER_LIMIT, 16 + 16 * 65535);
    CHECK_DONE(deep(15, 16, 65535, 1000, &result));
    CHECK_EQ(result, 15);
    CHECK_OUTCOME(deep(16, 16, 65535, 1000, &result), STACK_OVERFLOW, s.offsets[8], "call");
    CHECK_OUTCOME(deep(15, 17, 65535, 1000, &result), STACK_OVERFLOW, s.offsets[8], "call");
}

/* Without FUNC the stream is a function at 0, which may call itself. */
static void the_implicit_function_calls_itself(void)
{
    s = (stream){0};
    EMIT(&s, MEMORY_SIZE, 255);
    EMIT(&s, CALL, 0, 256); /* a window of nothing at the end of the frame */
    EMIT(&s, HALT);
    CHECK_OUTCOME(run_stream(&s), STACK_OVERFLOW, s.offsets[1], "call");
}

/* Four entries: types 7, 7, 9, 7 that add 1, 2, 3 and 4 to their argument. */
static outcome indirect(uint64_t index, uint32_t type, uint64_t *result)
{
    uint32_t table[4];
    bench    b = {0};
    begin(8);
    CONST64(&s, 1, index);
    EMIT(&s, I32_CONST, 3, 100);
    EMIT(&s, CALL_INDIRECT, 1, 3, type);
    KEEP(&s, 3, 0, 0);
    EMIT(&s, HALT);
    for (uint32_t i = 0; i < 4; i++) {
        table[i] = FUNCTION(&s, 1, 1, 1 + i, i == 2 ? 9 : 7);
        EMIT(&s, I64_ADD_IMM, 0, 0, i + 1);
        EMIT(&s, RETURN);
    }
    adead_image image = image_of(&s);
    image.table = table;
    image.table_count = 4;
    outcome o = run_both(&image, NULL, &b);
    *result = o.status ? 0 : bench_u64(&b, 0);
    bench_close(&b);
    return o;
}

static void indirect_calls(void)
{
    uint64_t result;
    for (uint64_t i = 0; i < 4; i++) {
        if (i == 2) continue;
        CHECK_DONE(indirect(i, 7, &result));
        CHECK_EQ(result, 101 + i);
        CHECK_DONE(indirect(i | 0xFFFF00000000u, 7, &result));
        CHECK_EQ(result, 101 + i);
        CHECK_OUTCOME(indirect(i, 9, &result), INDIRECT_CALL, s.offsets[3], "call.indirect");
    }
    CHECK_DONE(indirect(2, 9, &result));
    CHECK_EQ(result, 103);
    CHECK_OUTCOME(indirect(2, 7, &result), INDIRECT_CALL, s.offsets[3], "call.indirect");
    CHECK_OUTCOME(indirect(4, 7, &result), INDIRECT_CALL, s.offsets[3], "call.indirect");
    CHECK_OUTCOME(indirect(UINT64_MAX, 7, &result), INDIRECT_CALL, s.offsets[3], "call.indirect");
    CHECK_OUTCOME(indirect(0, 0, &result), INDIRECT_CALL, s.offsets[3], "call.indirect");
}

static void indirect_recursion_has_a_limit(void)
{
    begin(4);
    EMIT(&s, CALL_INDIRECT, 0, 1, 0);
    EMIT(&s, HALT);
    uint32_t    table[1] = {FUNCTION(&s, 0, 0, 65535, 0)}, again = EMIT(&s, CALL_INDIRECT, 0, 0, 0);
    EMIT(&s, RETURN);
    adead_image image = image_of(&s);
    image.table = table;
    image.table_count = 1;
    CHECK_OUTCOME(run_both(&image, NULL, NULL), STACK_OVERFLOW, again, "call.indirect");
    adead_machine_limits limits = test_limits;
    limits.call_depth = 3;
    CHECK_OUTCOME(run_both(&image, &limits, NULL), STACK_OVERFLOW, again, "call.indirect");
}

/* ---- Fused steps: two instructions that the fast loop executes in one
 * ------------------------------------------------------- */

static const struct { adead_op first, then; uint32_t step; } pairs[] = {
#define FUSED(first, then, slot) {ADEAD_OP_##first, ADEAD_OP_##then, ADEAD_STEP_##first##_##then},
    ADEAD_FUSED_STEPS(FUSED)
#undef FUSED
};
enum { PAIRS = sizeof pairs / sizeof pairs[0], VARIANTS = 8, PROGRAMS = 40 };

static const uint64_t pair_values[] = {0,
                                       1,
                                       2,
                                       7,
                                       31,
                                       32,
                                       0x7FFFFFFF,
                                       0x80000000,
                                       0xFFFFFFFF,
                                       UINT64_MAX,
                                       0x7FFFFFFFFFFFFFFFu,
                                       0x8000000000000000u,
                                       0x3FF0000000000000u,
                                       0xBFF0000000000001u,
                                       0x7FF0000000000000u,
                                       0xFFF0000000000000u,
                                       0x7FF8000000001234u,
                                       0x7FEFFFFFFFFFFFFFu,
                                       0x3CA0000000000000u,
                                       0x3FF0000000000001u,
                                       0xAAAAAAAA7FFFFFFEu,
                                       0x000FFFFFFFFFFFFFu};
static const uint32_t pair_immediates[] = {0,     1,       2,           31,          32,         33,        32767,
                                           32768, LOW(-1), LOW(-32768), LOW(-32769), 0x7FFFFFFF, 0x80000000};

static uint32_t one_of(uint64_t *seed, uint32_t count) { return (uint32_t)(test_random(seed) % count); }

/* Emits the instruction with registers 1 to 4 (often r1, so that results are used) and gives its jump operand's word, or
 * UINT32_MAX. */
static uint32_t emit_random(adead_op op, uint64_t *seed, uint32_t callee)
{
    uint32_t words[4], n = 0, jump = UINT32_MAX;
    for (const char *k = adead_ops[op].operands; *k; k++) {
        switch (*k) {
        case 'd': case 's': words[n++] = one_of(seed, 2) ? 1 : 1 + one_of(seed, 4); break;
        case 'i': words[n++] = pair_immediates[one_of(seed, 13)]; break;
        case 'o': words[n++] = one_of(seed, 16) ? 4 * one_of(seed, 9) : 0x7FFFFFFF; break;
        case 'c': words[n++] = callee; break;
        case 'r': words[n++] = 1 + one_of(seed, 3); break;
        default: jump = n; words[n++] = 0; break;
        }
    }
    stream_words(&s, adead_ops[op].value, words, n);
    return jump;
}

static bool touches_memory(adead_op op) { return strchr(adead_ops[op].operands, 'o') != NULL; }

/* Random values; perhaps a jump between the two; the two; a mark that a jump of the second leaves out; all registers stored.
 */
static void emit_pair(int pair, uint64_t *seed, uint32_t callee, uint32_t address)
{
    bool memory = touches_memory(pairs[pair].first) || touches_memory(pairs[pair].then);
    for (uint32_t i = 1; i < 5; i++) {
        uint64_t value = one_of(seed, 4) ? pair_values[one_of(seed, 22)] : test_random(seed);
        CONST64(&s, i, memory && one_of(seed, 8) ? value % 65000 : value);
    }
    EMIT(&s, I32_CONST, 6, one_of(seed, 2));
    uint32_t jump = EMIT(&s, JUMP_IF, 6, s.offsets[1]);
    emit_random(pairs[pair].first, seed, callee);
    stream_patch(&s, jump, 1,
                 one_of(seed, 3) ? s.size : s.offsets[s.count - 1]); /* to the second or, not unlike a fall, the first */
    uint32_t then = s.size, word = emit_random(pairs[pair].then, seed, callee);
    EMIT(&s, I64_ADD_IMM, 5, 5, 1);
    if (word != UINT32_MAX) stream_patch(&s, then, word, s.size);
    for (uint32_t i = 1; i < 6; i++) KEEP(&s, i, 0, address + 8 * i);
}

/* All pairs of the table, with any registers, entered at the first instruction and at the second, against the plain loop. */
static void fused_pairs(void)
{
    for (int pair = 0; pair < PAIRS; pair++) {
        int fused = 0, done = 0;
        for (uint64_t program = 0; program < PROGRAMS; program++) {
            uint64_t seed = (uint64_t)pair << 32 | program;
            bench    b;
            s = (stream){0};
            uint32_t callee = FUNCTION(&s, 2, 2, 5, 0);
            EMIT(&s, I64_SUB, 0, 1, 0);
            EMIT(&s, RETURN);
            uint32_t entry = FUNCTION(&s, 0, 0, 8, 0);
            for (uint32_t i = 0; i < VARIANTS; i++) emit_pair(pair, &seed, callee, 48 * i);
            EMIT(&s, HALT);
            adead_image image = image_of(&s);
            image.entry = entry;
            outcome o = run_both(&image, NULL, &b);
            for (uint32_t i = 0; b.code && i < b.code->fast.step_count; i++)
                fused += b.code->fast.steps[i].handler == adead_step_handler(pairs[pair].step, ADEAD_FLAVOUR_FAST);
            done += o.status == ADEAD_OK;
            bench_close(&b);
            CHECK(!test_state.bad, "pair %s, %s, program %d", adead_ops[pairs[pair].first].mnemonic,
                  adead_ops[pairs[pair].then].mnemonic, (int)program);
            CHECK(o.status == ADEAD_OK || o.status == ADEAD_OUT_OF_BOUNDS, "%s", o.failure.message);
        }
        CHECK(fused > 20 && done > 3, "%s, %s: %d fused, %d programs done", adead_ops[pairs[pair].first].mnemonic,
              adead_ops[pairs[pair].then].mnemonic, fused, done);
    }
}

/* The store's own place and fuel, although the addition before it runs it. */
static void fused_pairs_trap_at_the_second(void)
{
    begin(8);
    CONST64(&s, 1, 65529);
    EMIT(&s, F64_ADD, 2, 2, 2);
    uint32_t at = EMIT(&s, STORE, 2, 1, 0);
    for (int i = 0; i < 5; i++) EMIT(&s, NOP);
    EMIT(&s, HALT);
    outcome o = run_stream(&s);
    CHECK_OUTCOME(o, OUT_OF_BOUNDS, at, "address 0xFFF9 + 0 lies outside");
    CHECK_EQ(o.fuel, 3);
    begin(8); /* and the load's, although the addition is part of its step */
    CONST64(&s, 1, 65529);
    at = EMIT(&s, LOAD, 2, 1, 0);
    EMIT(&s, F64_ADD, 3, 3, 2);
    EMIT(&s, HALT);
    o = run_stream(&s);
    CHECK_OUTCOME(o, OUT_OF_BOUNDS, at, "load64 r2, r1, 0");
    CHECK_EQ(o.fuel, 2);
}

/* ---- Fuel --------------------------------------------------------------------------------------------------------------
 */

static uint64_t fuel_of(void)
{
    outcome o = run_stream(&s);
    if (o.status) test_report(__FILE__, __LINE__, "%s", o.failure.message);
    return o.fuel;
}

static void fuel_counts_instructions(void)
{
    begin(4);
    EMIT(&s, HALT);
    CHECK_EQ(fuel_of(), 1);
    begin(4);
    for (int i = 0; i < 1000; i++) EMIT(&s, NOP);
    EMIT(&s, HALT);
    CHECK_EQ(fuel_of(), 1001);
    begin(4); /* 1 + 100 * 2 + 1, in fused steps */
    EMIT(&s, I32_CONST, 1, 0);
    uint32_t top = EMIT(&s, I32_ADD_IMM, 1, 1, 1);
    EMIT(&s, JUMP_I32_LT_S_IMM, 1, 100, top);
    EMIT(&s, HALT);
    CHECK_EQ(fuel_of(), 202);
    begin(4); /* call, return and halt count like any other; func does not */
    uint32_t call = EMIT(&s, CALL, 0, 0);
    EMIT(&s, HALT);
    stream_patch(&s, call, 0, FUNCTION(&s, 0, 0, 0, 0));
    EMIT(&s, RETURN);
    CHECK_EQ(fuel_of(), 3);
}

/* An instruction with work costs 1 + work / 256. */
static void work_costs_more(void)
{
    static const uint32_t bytes[] = {0, 1, 255, 256, 257, 511, 512, 65536};
    for (int i = 0; i < 8; i++) {
        for (int which = 0; which < 3; which++) {
            begin(4);
            CONST64(&s, 1, bytes[i]);
            if (which == 0) EMIT(&s, MEMORY_FILL, 0, 0, 1);
            if (which == 1) EMIT(&s, MEMORY_COPY, 0, 0, 1);
            if (which == 2) EMIT(&s, WRITE, 0, 1);
            EMIT(&s, HALT);
            CHECK_EQ(fuel_of(), 3 + bytes[i] / 256);
        }
        begin(4); /* a run of whole blocks is zeroed */
        CONST64(&s, 1, bytes[i]);
        EMIT(&s, ALLOC, 2, 1);
        EMIT(&s, HALT);
        CHECK_EQ(fuel_of(), 3 + 16 * (bytes[i] ? (bytes[i] + 4095) / 4096 : 1));
        begin(4);
        CONST64(&s, 1, bytes[i]);
        EMIT(&s, BUFFER_ALLOC, 0, 1);
        EMIT(&s, GPU_ALLOC, bytes[i], 1);
        EMIT(&s, GPU_MEMSET, 0, 0, bytes[i]);
        EMIT(&s, GPU_COPY_H2D, 0, 0, bytes[i]);
        EMIT(&s, GPU_COPY_D2H, 0, 0, bytes[i]);
        EMIT(&s, HALT);
        CHECK_EQ(fuel_of(), 7 + 5 * (bytes[i] / 256));
    }
    begin(4); /* what is not to be had costs nothing more */
    CONST64(&s, 1, UINT64_MAX);
    EMIT(&s, ALLOC, 2, 1);
    EMIT(&s, MEMORY_GROW, 2, 1);
    EMIT(&s, HALT);
    CHECK_EQ(fuel_of(), 4);
}

/* Work is paid from the fuel that is left, and may be the end. The instruction itself was paid with its run. */
static void work_may_be_the_end(void)
{
    adead_machine_limits limits = test_limits;
    begin(4);
    CONST64(&s, 1, 2560);
    EMIT(&s, MEMORY_FILL, 0, 1, 1); /* 10 more */
    EMIT(&s, NOP);
    EMIT(&s, HALT);
    adead_image image = image_of(&s);
    for (limits.fuel = 0; limits.fuel < 20; limits.fuel++) {
        outcome o = run_both(&image, &limits, NULL);
        if (limits.fuel < 4) {
            CHECK_OUTCOME(o, OUT_OF_FUEL, s.offsets[1], "i64.const");
            CHECK_EQ(o.fuel, 0);
        } else if (limits.fuel < 14) {
            CHECK_OUTCOME(o, OUT_OF_FUEL, s.offsets[2], "memory.fill");
            CHECK_EQ(o.fuel, 2);
        } else {
            CHECK_DONE(o);
            CHECK_EQ(o.fuel, 14);
        }
    }
}

static void traps_pay_up_to_the_instruction(void)
{
    for (uint32_t before = 0; before < 5; before++) {
        begin(4);
        for (uint32_t i = 0; i < before; i++) EMIT(&s, NOP);
        uint32_t trap = EMIT(&s, I32_DIV_U, 1, 1, 1);
        for (uint32_t i = 0; i < 7; i++) EMIT(&s, NOP);
        EMIT(&s, HALT);
        outcome o = run_stream(&s);
        CHECK_OUTCOME(o, DIVISION_BY_ZERO, trap, "i32.div_u r1, r1, r1");
        CHECK_EQ(o.fuel, before + 1);
    }
}

/* What a run executes: for the model of fuel. */
typedef struct history { uint64_t offsets[20000]; uint32_t count; } history;

static void remember(void *context, uint64_t offset, uint32_t task, const char *text)
{
    history *h = context;
    (void)task, (void)text;
    if (h->count < 20000) h->offsets[h->count++] = offset;
}

/* Loops, calls and fused steps, storing a counter at each turn. */
static void build_busy(void)
{
    begin(8);
    uint32_t top = EMIT(&s, I64_ADD_IMM, 1, 1, 1);
    KEEP(&s, 1, 0, 0);
    EMIT(&s, MOVE, 2, 1);
    uint32_t call = EMIT(&s, CALL, 0, 2);
    EMIT(&s, I64_ADD, 3, 3, 2);
    uint32_t inner = EMIT(&s, F64_MUL, 5, 5, 5);
    EMIT(&s, F64_ADD, 6, 5, 6);
    EMIT(&s, I32_ADD_IMM, 4, 4, 1);
    EMIT(&s, JUMP_I32_LT_S_IMM, 4, 3, inner);
    EMIT(&s, I32_CONST, 4, 0);
    KEEP(&s, 3, 0, 8);
    EMIT(&s, JUMP_I64_LT_S_IMM, 1, 12, top);
    EMIT(&s, HALT);
    stream_patch(&s, call, 0, FUNCTION(&s, 1, 1, 3, 0));
    EMIT(&s, I64_MUL, 0, 0, 0);
    uint32_t odd = EMIT(&s, JUMP_IF, 1, 0);
    EMIT(&s, I64_ADD_IMM, 0, 0, 5);
    stream_patch(&s, odd, 1, s.size);
    EMIT(&s, RETURN);
}

static uint32_t flags_at(uint64_t offset)
{
    adead_instruction in;
    return adead_decode(s.bytes, s.size, offset, &in) == ADEAD_DECODE_OK ? adead_ops[in.op].flags : 0;
}

/* How many instructions of the history are executed with that limit: whole runs only. */
static uint32_t model_of_fuel(const history *h, uint64_t limit)
{
    uint32_t done = 0;
    for (uint32_t i = 0; i < h->count && i < limit; i++)
        if (flags_at(h->offsets[i]) & OPF_CONTROL) done = i + 1;
    return done;
}

static void every_limit_stops_at_a_run(void)
{
    static history h;
    bench          b;
    build_busy();
    adead_image image = image_of(&s);
    CHECK(bench_open(&b, &image, NULL) == ADEAD_OK, "%s", b.failure.message);
    h.count = 0;
    adead_machine_set_trace(b.machine, remember, &h);
    outcome full = bench_run(&b);
    bench_close(&b);
    CHECK_DONE(full);
    CHECK_EQ(full.fuel, h.count);
    adead_machine_limits limits = test_limits;
    for (limits.fuel = 0; limits.fuel <= h.count + 1u; limits.fuel++) {
        outcome  o = run_both(&image, &limits, &b);
        uint32_t done = model_of_fuel(&h, limits.fuel);
        uint64_t first = 0, second = 0;
        for (uint32_t i = 0; i < done; i++) {
            first += h.offsets[i] == s.offsets[2];
            second += h.offsets[i] == s.offsets[11];
        }
        uint64_t stored = bench_u64(&b, 0), summed = bench_u64(&b, 8), expected = 0;
        for (uint64_t i = 1; i <= second; i++) expected += i * i + 5;
        bench_close(&b);
        CHECK_EQ(o.fuel, done);
        CHECK_EQ(stored, first);
        CHECK_EQ(summed, expected);
        if (done == h.count) CHECK_DONE(o);
        else CHECK_OUTCOME(o, OUT_OF_FUEL, h.offsets[done], "");
    }
}

/* More instructions than a turn's fuel, in one run and in a loop: a lone task does not notice. */
static void turns_do_not_show(void)
{
    begin(4);
    EMIT(&s, I32_CONST, 1, 0);
    uint32_t top = s.size;
    for (int i = 0; i < 2000; i++) EMIT(&s, NOP);
    EMIT(&s, I32_ADD_IMM, 1, 1, 1);
    EMIT(&s, JUMP_I32_LT_S_IMM, 1, 50, top);
    EMIT(&s, HALT);
    CHECK_EQ(fuel_of(), 1 + 50 * 2002 + 1);
    s = (stream){0}; /* a single run longer than the quantum: 3 functions cannot hold it, so it is built by hand */
    static uint8_t code[5 * 20001];
    for (uint32_t i = 0; i < 20000; i++) adead_encode(adead_ops[ADEAD_OP_NOP].value, NULL, 0, code + 5 * i);
    adead_encode(adead_ops[ADEAD_OP_HALT].value, NULL, 0, code + 5 * 20000);
    adead_image          image = {.format = ADEAD_FORMAT_ADEAD2, .code = code, .code_size = sizeof code};
    adead_machine_limits limits = test_limits;
    for (limits.fuel = 19999; limits.fuel < 20003; limits.fuel++) {
        outcome o = run_both(&image, &limits, NULL);
        CHECK_EQ(o.status, limits.fuel < 20001 ? ADEAD_OUT_OF_FUEL : ADEAD_OK);
        CHECK_EQ(o.fuel, limits.fuel < 20001 ? 0 : 20001);
    }
}

/* ---- Traps: every code, with its place and a sentence that has the particulars
 * --------------------------------------------- */

static bool seen[1000];

static bool refuse(void *context, const void *bytes, uint64_t size)
{
    (void)context, (void)bytes, (void)size;
    return false;
}

static outcome trap_outcome(void)
{
    outcome o = run_stream(&s);
    if (o.status >= 0 && o.status < 1000) seen[o.status] = true;
    return o;
}

#define TRAPS(expected, text, ...)                                                                  \
    do {                                                                                            \
        begin(16);                                                                                  \
        uint32_t at = 0;                                                                            \
        __VA_ARGS__                                                                                 \
        EMIT(&s, HALT);                                                                             \
        CHECK_OUTCOME(trap_outcome(), expected, at, text);                                          \
    } while (0)

static void traps_of_arithmetic(void)
{
    TRAPS(TRAP, "number -7", at = EMIT(&s, TRAP, LOW(-7)););
    TRAPS(DIVISION_BY_ZERO, "i64.rem_s r1, r1, r1", at = EMIT(&s, I64_REM_S, 1, 1, 1););
    TRAPS(INTEGER_OVERFLOW, "i64.div_s r3, r1, r2", CONST64(&s, 1, (uint64_t)1 << 63); CONST64(&s, 2, -1);
          at = EMIT(&s, I64_DIV_S, 3, 1, 2););
    TRAPS(INTEGER_OVERFLOW, "i32.trunc_f64_s r1, r1", CONST64(&s, 1, 0x41E0000000000000u);
          at = EMIT(&s, I32_TRUNC_F64_S, 1, 1););
    TRAPS(BAD_CONVERSION, "i32.trunc_f32_u r1, r1", EMIT(&s, F32_CONST, 1, 0x7FC00000);
          at = EMIT(&s, I32_TRUNC_F32_U, 1, 1););
}

static void traps_of_memory(void)
{
    TRAPS(OUT_OF_BOUNDS, "0x10000 + 8 lies outside the 65536 bytes", CONST64(&s, 1, 65536); at = EMIT(&s, LOAD, 2, 1, 8););
    TRAPS(OUT_OF_BOUNDS, "0xFFFFFFFFFFFFFFFF + 1 lies", CONST64(&s, 1, -1); at = EMIT(&s, STORE8, 2, 1, 1););
    TRAPS(OUT_OF_BOUNDS, "16 bytes at address 0xFFF8", CONST64(&s, 1, 65528); CONST64(&s, 2, 16);
          at = EMIT(&s, MEMORY_FILL, 1, 0, 2););
    TRAPS(OUT_OF_BOUNDS, "2 bytes at address 0xFFFF", CONST64(&s, 1, 65535); CONST64(&s, 2, 2);
          at = EMIT(&s, MEMORY_COPY, 0, 1, 2););
    TRAPS(OUT_OF_BOUNDS, "2 bytes at address 0xFFFF", CONST64(&s, 1, 65535); CONST64(&s, 2, 2);
          at = EMIT(&s, MEMORY_COPY, 1, 0, 2););
    TRAPS(OUT_OF_BOUNDS, "0 bytes at address 0x10001", CONST64(&s, 1, 65537); at = EMIT(&s, WRITE, 1, 0););
    TRAPS(OUT_OF_BOUNDS, "buffer 3 has 8 bytes, not 9", EMIT(&s, GPU_ALLOC, 8, 3); at = EMIT(&s, GPU_MEMSET, 3, 1, 9););
    TRAPS(OUT_OF_BOUNDS, "9 bytes at address 0xFFF8", EMIT(&s, GPU_ALLOC, 9, 3); at = EMIT(&s, GPU_COPY_H2D, 65528, 3, 9););
    TRAPS(OUT_OF_MEMORY, "a buffer of 1048577 bytes is above the 1048576", at = EMIT(&s, GPU_ALLOC, 1048577, 3););
    TRAPS(OUT_OF_MEMORY, "above the 0 bytes left", EMIT(&s, GPU_ALLOC, 1048576, 3); at = EMIT(&s, GPU_ALLOC, 1, 4););
    TRAPS(BAD_HANDLE, "no allocated run starts at address 0x1000", CONST64(&s, 1, 4096); at = EMIT(&s, FREE, 1););
    TRAPS(BUFFER_STATE, "buffer 5 was never allocated", EMIT(&s, JUMP, s.size + 9); at = EMIT(&s, BUFFER_SIZE, 1, 5););
    TRAPS(BUFFER_STATE, "buffer 5 was freed before", EMIT(&s, GPU_ALLOC, 4, 5); EMIT(&s, GPU_FREE, 5);
          EMIT(&s, JUMP, s.size + 9); at = EMIT(&s, GPU_FREE, 5););
    TRAPS(BUFFER_STATE, "buffer 5 is allocated again", EMIT(&s, GPU_ALLOC, 4, 5); EMIT(&s, JUMP, s.size + 9);
          at = EMIT(&s, GPU_ALLOC, 4, 5););
    TRAPS(BUFFER_STATE, "limited to buffers 0 to 63", at = EMIT(&s, GPU_ALLOC, 4, 64););
    TRAPS(BUFFER_STATE, "buffer 64 was never allocated", EMIT(&s, JUMP, s.size + 9); at = EMIT(&s, BUFFER_ADDRESS, 1, 64););
}

static void traps_of_the_rest(void)
{
    TRAPS(INDIRECT_CALL, "call.indirect", at = EMIT(&s, CALL_INDIRECT, 0, 0, 0););
    TRAPS(STACK_OVERFLOW, "call", EMIT(&s, JUMP, s.size + 9); at = EMIT(&s, CALL, 0, 0););
    TRAPS(OUT_OF_FUEL, "jump", EMIT(&s, JUMP, s.size + 9); at = EMIT(&s, JUMP, s.size););
    TRAPS(SHAPE_TRAP, "more than 2^40", CONST64(&s, 1, ((uint64_t)1 << 40) + 1); at = EMIT(&s, TENSOR_RELU, 0, 0, 1););
    TRAPS(OVERLAP, "overlaps operand 1", CONST64(&s, 1, 4); CONST64(&s, 2, 2); at = EMIT(&s, TENSOR_RELU, 0, 1, 2););
    TRAPS(BAD_HANDLE, "there is no task 99", CONST64(&s, 1, 99); at = EMIT(&s, JOIN, 2, 1););
    TRAPS(BAD_HANDLE, "waits for itself", at = EMIT(&s, JOIN, 2, 0););
    TRAPS(DEADLOCK, "a value of channel 0", EMIT(&s, CHANNEL, 1); at = EMIT(&s, RECEIVE, 2, 1););
    TRAPS(TASK_LIMIT, "16 channels", for (int i = 0; i < 17; i++) at = EMIT(&s, CHANNEL, 1););
    TRAPS(BACKEND_UNAVAILABLE, "does not run shaders", at = EMIT(&s, VK_INIT););
    bench       b;
    begin(4);
    EMIT(&s, I64_CONST, 1, 5, 0);
    uint32_t    at = EMIT(&s, WRITE, 0, 1);
    EMIT(&s, HALT);
    adead_image image = image_of(&s);
    CHECK(bench_open(&b, &image, NULL) == ADEAD_OK, "%s", b.failure.message);
    adead_machine_set_stream(b.machine, refuse, NULL);
    outcome o = bench_run(&b);
    bench_close(&b);
    CHECK_OUTCOME(o, OUTPUT_REFUSED, at, "write r0, r1");
    seen[ADEAD_OUTPUT_REFUSED] = seen[ADEAD_MISSING_INPUT] = true; /* the latter: test_machine */
    seen[ADEAD_SHADER_MISSING] = seen[ADEAD_SHADER_MISMATCH] = true; /* test_shaders */
    seen[ADEAD_STOPPED] = seen[ADEAD_RESULTS_DIFFER] = true; /* test_diff, test_cli */
    seen[ADEAD_FOREIGN_FAILED] = seen[ADEAD_REPLAY_MISMATCH] = true; /* test_foreign, test_foreign_api */
#define STATUS(number, name, text) CHECK(number / 100 != 4 || seen[number], "nothing provokes %s", #name);
#include "vm/base/status.def"
#undef STATUS
}

TEST_MAIN("control", T(jumps) T(loops) T(jump_tables) T(return_from_the_entry_ends) T(arguments_and_results)
                         T(recursion_has_a_limit) T(registers_have_a_limit) T(the_implicit_function_calls_itself)
                             T(indirect_calls) T(indirect_recursion_has_a_limit) T(fused_pairs)
                                 T(fused_pairs_trap_at_the_second) T(fuel_counts_instructions) T(work_costs_more)
                                     T(work_may_be_the_end) T(traps_pay_up_to_the_instruction) T(every_limit_stops_at_a_run)
                                         T(turns_do_not_show) T(traps_of_arithmetic) T(traps_of_memory) T(traps_of_the_rest))
