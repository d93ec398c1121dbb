/* Tasks: the interleaving is part of the result, so it is written down here line by line; what a task sends and that it
 * ended is seen in the next round; nothing is shared; and the limits hold.
 *
 * A task shows itself by `write`: the letter it was given, or digits of what it received.
 */
#include "tests/harness/machine.h"

static stream s;

static void begin(uint32_t registers)
{
    s = (stream){0};
    FUNCTION(&s, 0, 0, registers, 0);
    CONST64(&s, 15, 1); /* by convention here r15 is 1 and r14 is 0 in every function */
}

static uint32_t function(uint32_t params, uint32_t results)
{
    uint32_t at = FUNCTION(&s, params, results, 16, 0);
    CONST64(&s, 15, 1);
    return at;
}

/* Writes the low byte of a register; uses address 0. */
static void show(uint32_t reg)
{
    EMIT(&s, STORE8, reg, 14, 0);
    EMIT(&s, WRITE, 14, 15);
}

static void show_letter(char letter)
{
    CONST64(&s, 13, letter);
    show(13);
}

static char     shown[4096];
static uint64_t fuel_used;

static outcome run_tasks(const adead_machine_limits *limits)
{
    bench       b;
    adead_image image = image_of(&s);
    image.memory_initial = 8192;
    image.memory_maximum = 16384;
    outcome o = run_both(&image, limits, &b);
    memset(shown, 0, sizeof shown);
    if (b.stream_size && b.stream_size < sizeof shown) memcpy(shown, b.stream, b.stream_size);
    fuel_used = o.fuel;
    bench_close(&b);
    return o;
}

#define CHECK_SHOWN(text)               \
    do {                                \
        CHECK_DONE(run_tasks(NULL));    \
        CHECK_STR(shown, text);         \
    } while (0)

/* main starts three tasks that show their letter three times, yielding between, and itself shows M; spawn gives the turn up.
 */
static void interleaving(void)
{
    begin(16);
    uint32_t spawns[3];
    for (uint32_t i = 0; i < 3; i++) {
        show_letter('M');
        CONST64(&s, 0, 'a' + i);
        spawns[i] = EMIT(&s, SPAWN, 1 + i, 0, 0);
    }
    for (int i = 0; i < 2; i++) {
        show_letter('m');
        EMIT(&s, YIELD);
    }
    for (uint32_t i = 0; i < 3; i++) EMIT(&s, JOIN, 4, 1 + i);
    show_letter('!');
    EMIT(&s, HALT);
    uint32_t worker = function(1, 0);
    for (uint32_t i = 0; i < 3; i++) {
        show(0);
        EMIT(&s, YIELD);
    }
    EMIT(&s, RETURN);
    for (int i = 0; i < 3; i++) stream_patch(&s, spawns[i], 1, worker);
    /* round 1: M. 2: M a. 3: M a b. 4: m a b c. 5: m a ends, b c. 6: main joins a, waits for b; b ends; c. 7: c ends. 8: !
     */
    CHECK_SHOWN("M" "Ma" "Mab" "mabc" "mbc" "c" "!");
}

/* A task spawned in a round has its first turn in the next one; task numbers are in order of spawning. */
static void numbers_of_tasks(void)
{
    begin(16);
    uint32_t first = EMIT(&s, SPAWN, 0, 0, 0), second = EMIT(&s, SPAWN, 1, 0, 0);
    EMIT(&s, I64_ADD_IMM, 0, 0, '0');
    EMIT(&s, I64_ADD_IMM, 1, 1, '0');
    show(0);
    show(1);
    EMIT(&s, HALT);
    uint32_t nested = function(0, 0);
    uint32_t inner = EMIT(&s, SPAWN, 0, 0, 0);
    EMIT(&s, RETURN);
    uint32_t idle = function(0, 0);
    EMIT(&s, RETURN);
    stream_patch(&s, first, 1, nested);
    stream_patch(&s, second, 1, idle);
    stream_patch(&s, inner, 1, idle);
    CHECK_SHOWN("12"); /* main spawns again in round 2, before task 1 does */
}

/* In one round main sends and looks; the receiver, later in the same round, must not see it yet. */
static void messages_are_seen_in_the_next_round(void)
{
    begin(16);
    EMIT(&s, CHANNEL, 0);
    EMIT(&s, CHANNEL, 1);
    uint32_t spawn = EMIT(&s, SPAWN, 2, 0, 0); /* gets both channels */
    show_letter('s');
    CONST64(&s, 3, 'x');
    EMIT(&s, SEND, 0, 3);
    CONST64(&s, 3, 'y');
    EMIT(&s, SEND, 0, 3);
    for (int i = 0; i < 3; i++) {
        EMIT(&s, YIELD);
        show_letter('.');
    }
    EMIT(&s, RECEIVE, 4, 1);
    show(4);
    EMIT(&s, HALT);
    uint32_t worker = function(2, 0);
    show_letter('w');
    EMIT(&s, RECEIVE, 2, 0); /* waits in round 2, goes on in round 3 */
    show(2);
    EMIT(&s, RECEIVE, 2, 0); /* there already */
    show(2);
    EMIT(&s, I64_ADD_IMM, 2, 2, 1);
    EMIT(&s, SEND, 1, 2);
    EMIT(&s, RETURN);
    stream_patch(&s, spawn, 1, worker);
    CHECK_SHOWN("sw" ".xy" "." "." "z");
}

/* What a task sends itself waits for the end of the round like everything else; order within a channel is that of sending.
 */
static void a_task_sends_to_itself(void)
{
    begin(16);
    EMIT(&s, CHANNEL, 0);
    for (int i = 0; i < 5; i++) {
        CONST64(&s, 1, 'a' + i);
        EMIT(&s, SEND, 0, 1);
    }
    for (int i = 0; i < 5; i++) {
        EMIT(&s, RECEIVE, 2, 0);
        show(2);
        if (i == 2) {
            CONST64(&s, 1, 'Z');
            EMIT(&s, SEND, 0, 1);
        }
    }
    EMIT(&s, RECEIVE, 2, 0);
    show(2);
    EMIT(&s, HALT);
    CHECK_SHOWN("abcdeZ");
}

/* Several senders of one round: in order of their numbers. */
static void senders_in_order(void)
{
    begin(16);
    uint32_t spawns[4];
    EMIT(&s, CHANNEL, 0);
    for (uint32_t i = 0; i < 4; i++) {
        CONST64(&s, 1, 'a' + i);
        spawns[i] = EMIT(&s, SPAWN, 2, 0, 0);
    }
    for (int i = 0; i < 8; i++) {
        EMIT(&s, RECEIVE, 3, 0);
        show(3);
    }
    EMIT(&s, HALT);
    uint32_t worker = function(2, 0);
    EMIT(&s, SEND, 0, 1);
    EMIT(&s, YIELD);
    EMIT(&s, I64_ADD_IMM, 1, 1, LOW(-32));
    EMIT(&s, SEND, 0, 1);
    EMIT(&s, RETURN);
    for (int i = 0; i < 4; i++) stream_patch(&s, spawns[i], 1, worker);
    CHECK_SHOWN("aAbBcCdD"); /* each task is started a round after the one before it, and sends A when the next sends b */
}

/* The result of a join: the first result of a function that returned; 0 after halt, or without results. */
static void results_of_joins(void)
{
    begin(16);
    uint32_t spawns[3];
    CONST64(&s, 1, 40);
    for (uint32_t i = 0; i < 3; i++) spawns[i] = EMIT(&s, SPAWN, 4 + i, 0, 1);
    for (uint32_t i = 0; i < 3; i++) {
        CONST64(&s, 7, 99);
        EMIT(&s, JOIN, 7, 4 + i);
        EMIT(&s, I64_ADD_IMM, 7, 7, '0');
        show(7);
        EMIT(&s, JOIN, 7, 4 + i); /* joining again gives the same */
        EMIT(&s, I64_ADD_IMM, 7, 7, '0');
        show(7);
    }
    EMIT(&s, HALT);
    stream_patch(&s, spawns[0], 1, function(1, 2));
    EMIT(&s, I64_ADD_IMM, 0, 0, LOW(-35));
    EMIT(&s, RETURN);
    stream_patch(&s, spawns[1], 1, function(1, 1));
    EMIT(&s, HALT);
    stream_patch(&s, spawns[2], 1, function(1, 0));
    EMIT(&s, RETURN);
    CHECK_SHOWN("550000");
}

/* Task 1 ends in the very round in which task 2, later, wants to join it: that is seen in the next round only. */
static void ends_are_seen_in_the_next_round(void)
{
    begin(16);
    CONST64(&s, 0, 1);
    uint32_t first = EMIT(&s, SPAWN, 1, 0, 0), second = EMIT(&s, SPAWN, 2, 0, 0);
    for (int i = 0; i < 4; i++) {
        show_letter('.');
        EMIT(&s, YIELD);
    }
    EMIT(&s, HALT);
    stream_patch(&s, first, 1, function(0, 0));
    EMIT(&s, YIELD);
    show_letter('e');
    EMIT(&s, RETURN);
    stream_patch(&s, second, 1, function(1, 0));
    show_letter('w');
    EMIT(&s, JOIN, 1, 0);
    show_letter('j');
    EMIT(&s, RETURN);
    CHECK_SHOWN(".ew" ".j" "." "."); /* e and w in round 3 */
}

/* A task overdraws its turn's fuel by work and then ends: at once, whether by return or by halt. */
static void overdrawn_ends(void)
{
    char by_return[8] = {0};
    for (int halts = 0; halts < 2; halts++) {
        begin(16);
        uint32_t tick = EMIT(&s, SPAWN, 1, 0, 0), spawn = EMIT(&s, SPAWN, 1, 0, 0);
        EMIT(&s, YIELD);
        show_letter('.');
        EMIT(&s, JOIN, 2, 1);
        show_letter('j');
        EMIT(&s, HALT);
        stream_patch(&s, tick, 1, function(0, 0));
        uint32_t top = s.size;
        show_letter('t');
        EMIT(&s, YIELD);
        EMIT(&s, JUMP, top);
        stream_patch(&s, spawn, 1, function(0, 1));
        CONST64(&s, 0, 8192);
        for (int i = 0; i < 600; i++) EMIT(&s, MEMORY_FILL, 14, 14, 0); /* 32 each, of 16,384 */
        show_letter('w');
        if (halts) EMIT(&s, HALT);
        else EMIT(&s, RETURN);
        CHECK_DONE(run_tasks(NULL));
        if (halts) CHECK_STR(shown, by_return);
        else snprintf(by_return, sizeof by_return, "%.7s", shown);
    }
    CHECK_STR(by_return, "ttw.j"); /* and not .tj: the join need not wait */
}

/* Everything ends with the main task, whatever the others do. */
static void the_end_of_main_is_the_end(void)
{
    begin(16);
    uint32_t spawn = EMIT(&s, SPAWN, 0, 0, 0);
    EMIT(&s, YIELD);
    show_letter('e');
    EMIT(&s, RETURN);
    stream_patch(&s, spawn, 1, function(0, 0));
    uint32_t top = s.size;
    show_letter('w');
    EMIT(&s, YIELD);
    EMIT(&s, JUMP, top);
    CHECK_SHOWN("we"); /* round 1: spawn. 2: main yields, w. 3: main ends, and w has no more turn */
}

/* Each task has the program's data as it was at the start, its own buffers and globals. */
static void tasks_share_nothing(void)
{
    bench               b;
    const adead_segment data = {4096, 1, (const uint8_t *)"d"};
    begin(16);
    CONST64(&s, 0, 'X');
    EMIT(&s, STORE8, 0, 14, 4096);
    EMIT(&s, GLOBAL_SET, 3, 0);
    EMIT(&s, GPU_ALLOC, 4, 5);
    EMIT(&s, MEMORY_GROW, 1, 15);
    uint32_t spawn = EMIT(&s, SPAWN, 2, 0, 0);
    EMIT(&s, JOIN, 3, 2);
    EMIT(&s, LOAD8_U, 4, 14, 4096);
    show(4);
    EMIT(&s, GLOBAL_GET, 4, 3);
    show(4);
    EMIT(&s, MEMORY_SIZE, 4);
    EMIT(&s, I64_ADD_IMM, 4, 4, '0');
    show(4);
    EMIT(&s, HALT);
    stream_patch(&s, spawn, 1, function(0, 0));
    EMIT(&s, LOAD8_U, 0, 14, 4096);
    show(0);
    EMIT(&s, GLOBAL_GET, 0, 3);
    EMIT(&s, I64_ADD_IMM, 0, 0, '0');
    show(0);
    EMIT(&s, MEMORY_SIZE, 0);
    EMIT(&s, I64_ADD_IMM, 0, 0, '0');
    show(0);
    EMIT(&s, GPU_ALLOC, 1, 5); /* its own buffer 5 */
    CONST64(&s, 0, 'Y');
    EMIT(&s, STORE8, 0, 14, 4096);
    EMIT(&s, GLOBAL_SET, 3, 0);
    EMIT(&s, RETURN);
    adead_image image = image_of(&s);
    image.memory_initial = 8192;
    image.memory_maximum = 16384;
    image.segments = (adead_segment *)&data;
    image.segment_count = 1;
    CHECK_DONE(run_both(&image, NULL, &b));
    CHECK(b.stream_size == 6 && memcmp(b.stream, "d02XX3", 6) == 0, "%.6s", b.stream);
    bench_close(&b);
}

/* A busy task gives way after its quantum of 16,384; the other one counts how often it had a turn meanwhile. */
static void turns_are_fair(void)
{
    begin(16);
    uint32_t spawn = EMIT(&s, SPAWN, 0, 0, 0);
    CONST64(&s, 1, 0);
    uint32_t busy = EMIT(&s, I64_ADD_IMM, 1, 1, 1);
    EMIT(&s, JUMP_I64_LT_S_IMM, 1, 81920, busy); /* 163,840 instructions: 10 quanta */
    show_letter('m');
    EMIT(&s, HALT);
    stream_patch(&s, spawn, 1, function(0, 0));
    uint32_t top = s.size;
    show_letter('t');
    EMIT(&s, YIELD);
    EMIT(&s, JUMP, top);
    CHECK_SHOWN("ttttttttttm");
}

/* Two equal loops that never yield take turns of 16,384 each. */
static void quantum(void)
{
    begin(16);
    uint32_t spawn = EMIT(&s, SPAWN, 0, 0, 0);
    for (uint32_t who = 0; who < 2; who++) {
        if (who == 1) stream_patch(&s, spawn, 1, function(0, 0));
        CONST64(&s, 4, 3);
        uint32_t outer = s.size;
        show_letter(who ? 'b' : 'a');
        CONST64(&s, 1, 0);
        uint32_t inner = EMIT(&s, I64_ADD_IMM, 1, 1, 1);
        EMIT(&s, JUMP_I64_LT_S_IMM, 1, 8192, inner);
        EMIT(&s, I64_ADD_IMM, 4, 4, LOW(-1));
        EMIT(&s, JUMP_I64_NE_IMM, 4, 0, outer);
        if (who == 0) EMIT(&s, JOIN, 5, 0);
        EMIT(&s, RETURN);
    }
    stream_patch(&s, spawn, 0, 7); /* the loop uses r0 for nothing, join wants the number */
    for (uint32_t i = 0; i < s.count; i++) {
        adead_instruction in;
        adead_decode(s.bytes, s.size, s.offsets[i], &in);
        if (in.op == ADEAD_OP_JOIN) stream_patch(&s, s.offsets[i], 1, 7);
    }
    CHECK_SHOWN("ababab");
}

static void deadlocks(void)
{
    begin(16);
    EMIT(&s, CHANNEL, 0);
    uint32_t spawn = EMIT(&s, SPAWN, 1, 0, 0), at = EMIT(&s, JOIN, 2, 1);
    EMIT(&s, HALT);
    stream_patch(&s, spawn, 1, function(1, 0));
    EMIT(&s, RECEIVE, 1, 0);
    EMIT(&s, RETURN);
    CHECK_OUTCOME(run_tasks(NULL), DEADLOCK, at, "the end of task 1");
    begin(16); /* two tasks that wait for each other, main for one of them */
    CONST64(&s, 4, 2);
    CONST64(&s, 5, 1);
    uint32_t one = EMIT(&s, SPAWN, 0, 0, 4), two = EMIT(&s, SPAWN, 0, 0, 5);
    at = EMIT(&s, JOIN, 3, 5);
    EMIT(&s, HALT);
    uint32_t waiter = function(1, 0);
    EMIT(&s, JOIN, 2, 0);
    EMIT(&s, RETURN);
    stream_patch(&s, one, 1, waiter);
    stream_patch(&s, two, 1, waiter);
    CHECK_OUTCOME(run_tasks(NULL), DEADLOCK, at, "the end of task 1");
}

/* Traps of tasks name the task. */
static void traps_name_the_task(void)
{
    static const struct { adead_op op; adead_status status; const char *text; } cases[] = {
        {ADEAD_OP_I32_DIV_U, ADEAD_DIVISION_BY_ZERO, "task 1: i32.div_u r0, r0, r0"},
        {ADEAD_OP_JOIN, ADEAD_BAD_HANDLE, "there is no task 77"},
        {ADEAD_OP_RECEIVE, ADEAD_BAD_HANDLE, "there is no channel 77"},
        {ADEAD_OP_SEND, ADEAD_BAD_HANDLE, "there is no channel 77"},
        {ADEAD_OP_LOAD, ADEAD_OUT_OF_BOUNDS, "task 1: load64"},
    };
    for (int i = 0; i < 5; i++) {
        begin(16);
        uint32_t spawn = EMIT(&s, SPAWN, 0, 0, 0);
        EMIT(&s, JOIN, 1, 0);
        EMIT(&s, HALT);
        stream_patch(&s, spawn, 1, function(0, 0));
        CONST64(&s, 3, 77);
        uint32_t words[3] = {0, 0, 0}, count = 3;
        if (cases[i].op == ADEAD_OP_SEND) words[0] = 3, count = 2;
        else if (cases[i].op == ADEAD_OP_JOIN || cases[i].op == ADEAD_OP_RECEIVE) words[1] = 3, count = 2;
        else if (cases[i].op == ADEAD_OP_LOAD) words[1] = 3, words[2] = 0x7FFFFFFF;
        uint32_t at = stream_words(&s, adead_ops[cases[i].op].value, words, count);
        EMIT(&s, RETURN);
        outcome o = run_tasks(NULL);
        CHECK(o.status == cases[i].status && o.failure.offset == at && strstr(o.failure.message, cases[i].text), "%s",
              o.failure.message);
    }
}

static void only_main_has_outputs(void)
{
    adead_port out = {.name = "y", .rank = 1, .dims = {0}, .place = ADEAD_PLACE_MEMORY};
    begin(16);
    uint32_t spawn = EMIT(&s, SPAWN, 0, 0, 0);
    EMIT(&s, JOIN, 1, 0);
    EMIT(&s, HALT);
    stream_patch(&s, spawn, 1, function(0, 0));
    uint32_t at = EMIT(&s, OUTPUT_DIM, 0, 0, 0);
    EMIT(&s, RETURN);
    adead_image image = image_of(&s);
    image.outputs = &out;
    image.output_count = 1;
    CHECK_OUTCOME(run_both(&image, NULL, NULL), BAD_HANDLE, at, "only the main task has outputs");
}

static void a_channel_has_one_receiver(void)
{
    begin(16);
    EMIT(&s, CHANNEL, 0);
    EMIT(&s, SEND, 0, 15);
    uint32_t spawn = EMIT(&s, SPAWN, 1, 0, 0);
    EMIT(&s, RECEIVE, 2, 0); /* main is the first */
    EMIT(&s, JOIN, 3, 1);
    EMIT(&s, HALT);
    stream_patch(&s, spawn, 1, function(1, 0));
    EMIT(&s, SEND, 0, 15);
    uint32_t at = EMIT(&s, RECEIVE, 2, 0);
    EMIT(&s, RETURN);
    CHECK_OUTCOME(run_tasks(NULL), BAD_HANDLE, at, "task 0 already receives");
}

static void limits_of_tasks(void)
{
    adead_machine_limits limits = test_limits;
    limits.tasks = 5; /* the main task is one of them, and those that ended count */
    begin(16);
    uint32_t top = EMIT(&s, SPAWN, 0, 0, 0);
    EMIT(&s, JOIN, 1, 0);
    show_letter('j');
    EMIT(&s, JUMP, top);
    stream_patch(&s, top, 1, function(0, 0));
    EMIT(&s, RETURN);
    CHECK_OUTCOME(run_tasks(&limits), TASK_LIMIT, top, "limited to 5 tasks");
    CHECK_STR(shown, "jjjj");
    begin(16);
    top = EMIT(&s, CHANNEL, 0);
    show_letter('c');
    EMIT(&s, JUMP, top);
    CHECK_OUTCOME(run_tasks(&limits), TASK_LIMIT, top, "limited to 5 channels");
    CHECK_STR(shown, "ccccc");
    begin(16);
    EMIT(&s, CHANNEL, 0);
    top = EMIT(&s, SEND, 0, 0);
    EMIT(&s, JUMP, top);
    limits.fuel = 4000000;
    CHECK_OUTCOME(run_tasks(&limits), TASK_LIMIT, top, "more than 1048576 sent values");
    CHECK_EQ(fuel_used, 2 + 2 * 1048576 + 1);
    limits.fuel = test_limits.fuel;
    limits.tasks = 0; /* counts as 1 */
    begin(16);
    top = EMIT(&s, SPAWN, 0, 0, 0);
    EMIT(&s, HALT);
    CHECK_OUTCOME(run_tasks(&limits), TASK_LIMIT, top, "limited to 1 tasks");
}

/* 255 tasks in a chain: each starts the next, waits for it, and adds one to what it hands back. */
static void many_tasks(void)
{
    adead_machine_limits limits = test_limits;
    limits.tasks = 256;
    begin(16);
    CONST64(&s, 1, 254);
    uint32_t first = EMIT(&s, SPAWN, 2, 0, 1);
    EMIT(&s, JOIN, 3, 2);
    show(3);
    EMIT(&s, HALT);
    uint32_t chain = function(1, 1);
    uint32_t last = EMIT(&s, JUMP_I64_EQ_IMM, 0, 0, 0);
    EMIT(&s, I64_ADD_IMM, 1, 0, LOW(-1));
    EMIT(&s, SPAWN, 2, chain, 1);
    EMIT(&s, JOIN, 0, 2);
    stream_patch(&s, last, 2, s.size);
    EMIT(&s, I64_ADD_IMM, 0, 0, 1);
    EMIT(&s, RETURN);
    stream_patch(&s, first, 1, chain);
    CHECK_DONE(run_tasks(&limits));
    CHECK_EQ((uint8_t)shown[0], 255);
}

/* Waiting costs nothing: the instruction that waits is paid for once. */
static void fuel_of_waiting(void)
{
    begin(16);
    EMIT(&s, CHANNEL, 0);
    uint32_t spawn = EMIT(&s, SPAWN, 1, 0, 0);
    EMIT(&s, RECEIVE, 2, 0);
    EMIT(&s, HALT);
    stream_patch(&s, spawn, 1, function(1, 0));
    for (int i = 0; i < 10; i++) EMIT(&s, YIELD);
    EMIT(&s, SEND, 0, 15);
    EMIT(&s, RETURN);
    CHECK_DONE(run_tasks(NULL));
    CHECK_EQ(fuel_used, 5 + 13);
}

/* With any limit on fuel the run stops in the same place in both loops, and with more fuel never does less. */
static void every_limit_of_fuel(void)
{
    adead_machine_limits limits = test_limits;
    size_t               before = 0;
    uint64_t             used = 0;
    begin(16);
    uint32_t spawns[2];
    EMIT(&s, CHANNEL, 0);
    for (int i = 0; i < 2; i++) spawns[i] = EMIT(&s, SPAWN, 1, 0, 0);
    for (int i = 0; i < 4; i++) {
        EMIT(&s, RECEIVE, 3, 0);
        show(3);
    }
    EMIT(&s, HALT);
    uint32_t worker = function(1, 0);
    for (int i = 0; i < 2; i++) {
        show_letter('w');
        EMIT(&s, SEND, 0, 13);
        EMIT(&s, YIELD);
    }
    EMIT(&s, RETURN);
    for (int i = 0; i < 2; i++) stream_patch(&s, spawns[i], 1, worker);
    CHECK_DONE(run_tasks(NULL));
    for (uint64_t full = fuel_used, fuel = 0; fuel <= full; fuel++) {
        limits.fuel = fuel;
        outcome o = run_tasks(&limits);
        CHECK(o.status == (fuel < full ? ADEAD_OUT_OF_FUEL : ADEAD_OK), "%s", o.failure.message);
        CHECK(fuel_used <= fuel && fuel_used >= used && strlen(shown) >= before);
        before = strlen(shown);
        used = fuel_used;
    }
}

TEST_MAIN("tasks", T(interleaving) T(numbers_of_tasks) T(messages_are_seen_in_the_next_round) T(a_task_sends_to_itself)
                       T(senders_in_order) T(results_of_joins) T(ends_are_seen_in_the_next_round) T(overdrawn_ends)
                           T(the_end_of_main_is_the_end) T(tasks_share_nothing) T(turns_are_fair) T(quantum) T(deadlocks)
                               T(traps_name_the_task) T(only_main_has_outputs) T(a_channel_has_one_receiver)
                                   T(limits_of_tasks) T(many_tasks) T(fuel_of_waiting) T(every_limit_of_fuel))
