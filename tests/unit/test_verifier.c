/* The verifier: every status of its class provoked with the place it must name, from single words turned wrong to whole
 * streams cut at every byte. The machine relies on what is refused here, so what passes is also run.
 */
#include "tests/harness/machine.h"
#include "vm/tensor.h"

static stream        s;
static adead_image   image;
static adead_failure failure;

/* Verifies `s` as it stands in `image`; whether it is accepted by the translation too. */
static adead_status verify(void)
{
    failure = (adead_failure){0};
    image.code = s.bytes;
    image.code_size = s.size;
    adead_code  *code = NULL;
    adead_status status = adead_verify(&image, &adead_host_default, NULL, &failure);
    adead_status again = adead_code_create(&image, &adead_host_default, &code, NULL);
    if (status != again) test_report(__FILE__, __LINE__, "verify says %d, code_create %d", status, again);
    adead_code_destroy(code);
    return status;
}

static void begin(uint32_t registers)
{
    s = (stream){0};
    image = image_of(&s);
    FUNCTION(&s, 0, 0, registers, 0);
}

static bool seen[1000];

#define CHECK_REFUSED(expected, at, text)                                                                              \
    do {                                                                                                               \
        adead_status check_status = verify();                                                                          \
        uint64_t     check_at = (uint64_t)(at);                                                                        \
        seen[check_status] = true;                                                                                     \
        CHECK(check_status == ADEAD_##expected, "%s: %s", adead_status_name(check_status), failure.message);           \
        CHECK(failure.code == check_status && failure.offset == check_at,                                              \
              "0x%" PRIX64 " instead of 0x%" PRIX64 ": %s", failure.offset, check_at, failure.message); \
        CHECK(strstr(failure.message, text) != NULL, "\"%s\" does not say \"%s\"", failure.message, text);             \
    } while (0)
#define CHECK_ACCEPTED()                                                                                    \
    do {                                                                                                    \
        adead_status check_status = verify();                                                               \
        CHECK(check_status == ADEAD_OK, "%s at 0x%" PRIX64 ": %s", adead_status_name(check_status), failure.offset, \
              failure.message);                                                                             \
    } while (0)

/* ---- An instance of every instruction
 * ---------------------------------------------------------------------------------------- */

enum { CALLEE_REGISTERS = 6 };

/* Where things of the frame program lie. */
static uint32_t first_instruction, callee;

/* A valid operand of each kind in a function with 16 registers; jumps lead to the first instruction. */
static uint32_t valid_words(adead_op op, uint32_t words[64])
{
    uint32_t n = 0;
    for (const char *k = adead_ops[op].operands; *k; k++) {
        switch (*k) {
        case 'j': case 'J': words[n++] = first_instruction; break;
        case 'c': words[n++] = callee; break;
        case 'l': case 'g': words[n++] = 1; words[n++] = 2; break;
        case 'z': words[n++] = 64; break;
        case 'm': words[n++] = 4; break;
        case 'r': case 'y': case 'i': case 'f': case 'e': case 'I': case 'O': words[n++] = 0; break;
        default: words[n++] = 1; break;
        }
    }
    if (op == ADEAD_OP_FUNC) memcpy(words, (const uint32_t[]){0, 0, 4, 0}, 16), n = 4;
    if (op == ADEAD_OP_INPUT_DIM || op == ADEAD_OP_OUTPUT_DIM) words[op == ADEAD_OP_INPUT_DIM ? 2 : 1] = 0;
    return n;
}

static adead_port ports[2] = {{.name = "x", .rank = 1, .place = ADEAD_PLACE_MEMORY},
                              {.name = "y", .rank = 1, .place = ADEAD_PLACE_MEMORY}};

static adead_import an_import = {"host!add", "i64(i64,i64)"};

/* entry: `trap`, a control instruction, so that buffers' lifetimes are not followed; the instruction; halt. Then a function
 * to call. */
static uint32_t frame_program(adead_op op, const uint32_t *words, uint32_t count)
{
    begin(16);
    image.inputs = &ports[0];
    image.outputs = &ports[1];
    image.input_count = image.output_count = image.import_count = 1;
    image.imports = &an_import;
    EMIT(&s, TRAP, 0);
    uint32_t at = stream_words(&s, adead_ops[op].value, words, count);
    EMIT(&s, HALT);
    uint32_t after = FUNCTION(&s, 2, 1, CALLEE_REGISTERS, 0);
    EMIT(&s, RETURN);
    callee = after;
    return at;
}

/* Offsets do not depend on the instruction's operands but on its length, so a program is made twice. */
static uint32_t program_with(adead_op op, uint32_t words[64], uint32_t *count)
{
    first_instruction = 21;
    callee = 0;
    *count = valid_words(op, words);
    frame_program(op, words, *count);
    *count = valid_words(op, words);
    return frame_program(op, words, *count);
}

static void every_instruction_in_its_valid_form(void)
{
    for (int op = 0; op < ADEAD_OP_COUNT; op++) {
        uint32_t words[64], count;
        program_with((adead_op)op, words, &count);
        if (adead_ops[op].flags & OPF_REJECTED) continue;
        CHECK(verify() == ADEAD_OK, "%s: %s", adead_ops[op].mnemonic, failure.message);
    }
}

static void every_wrong_operand_count(void)
{
    for (int op = 0; op < ADEAD_OP_COUNT; op++) {
        uint32_t words[64], count, has_list = strchr(adead_ops[op].operands, 'J') != NULL;
        if (adead_ops[op].flags & OPF_REJECTED) continue;
        for (int wrong = -1; wrong <= 1; wrong += 2) {
            uint32_t at = program_with((adead_op)op, words, &count);
            if ((wrong < 0 && count == 0) || (wrong > 0 && has_list)) continue;
            words[count] = 0;
            at = frame_program((adead_op)op, words, count + (uint32_t)wrong);
            CHECK_REFUSED(WRONG_OPERAND_COUNT, at, adead_ops[op].mnemonic);
        }
    }
}

/* What a word of each kind may not be; 0 values end a list. */
static adead_status wrong_word(adead_op op, char kind, uint32_t wrong[6])
{
    memset(wrong, 0, 6 * sizeof *wrong);
    switch (kind) {
    case 'd': case 's': case 't': case 'u': case 'k': case 'q':
        memcpy(wrong, (const uint32_t[]){16, 255, 65535, 65536 + 1, UINT32_MAX}, 20);
        return ADEAD_REGISTER_RANGE;
    case 'r': /* call.indirect goes through an empty table here: nothing to fit */
        if (op == ADEAD_OP_CALL_INDIRECT) return ADEAD_OK;
        memcpy(wrong, (const uint32_t[]){15, 16, 17, 65536, UINT32_MAX}, 20);
        return ADEAD_REGISTER_RANGE;
    case 'j': case 'J':
        memcpy(wrong, (const uint32_t[]){1, 22, callee, callee + 21, UINT32_MAX}, 20);
        return ADEAD_JUMP_TARGET;
    case 'c': memcpy(wrong, (const uint32_t[]){1, 21, callee + 1, callee + 21, UINT32_MAX}, 20); return ADEAD_CALL_TARGET;
    case 'b':
    case 'w':
    case 'a':
    case 'x': memcpy(wrong, (const uint32_t[]){1024, 65536, UINT32_MAX}, 12); return ADEAD_BUFFER_RANGE;
    case 'y': memcpy(wrong, (const uint32_t[]){1, 2, UINT32_MAX}, 12); return ADEAD_BAD_OPERAND;
    case 'B': memcpy(wrong, (const uint32_t[]){256, UINT32_MAX}, 8); return ADEAD_BAD_OPERAND;
    case 'h': memcpy(wrong, (const uint32_t[]){ADEAD_ACTIVATION_COUNT, 255, UINT32_MAX}, 12); return ADEAD_BAD_OPERAND;
    case 'e':
        wrong[0] = 16;
        wrong[1] = UINT32_MAX;
        wrong[2] = ~adead_tensor_flags(adead_tensor_of(op)) & 15;
        return ADEAD_BAD_OPERAND;
    case 'I': case 'O': memcpy(wrong, (const uint32_t[]){1, 256, UINT32_MAX}, 12); return ADEAD_BAD_OPERAND;
    case 'n':
        if (op == ADEAD_OP_GLOBAL_GET || op == ADEAD_OP_GLOBAL_SET) memcpy(wrong, (const uint32_t[]){256, UINT32_MAX}, 8);
        else if (op == ADEAD_OP_INPUT_DIM || op == ADEAD_OP_OUTPUT_DIM) memcpy(wrong, (const uint32_t[]){1, UINT32_MAX}, 8);
        else return ADEAD_OK;
        return ADEAD_BAD_OPERAND;
    case 'z':
        if (adead_tensor_of(op) == ADEAD_TENSOR_NONE) return ADEAD_OK;
        memcpy(wrong, (const uint32_t[]){1, 2, 3, 65, UINT32_MAX}, 20);
        return ADEAD_BAD_OPERAND;
    default: return ADEAD_OK;
    }
}

static void every_operand_out_of_its_range(void)
{
    int tried = 0;
    for (int op = 0; op < ADEAD_OP_COUNT; op++) {
        uint32_t words[64], count, word = 0;
        if (op == ADEAD_OP_FUNC || (adead_ops[op].flags & OPF_REJECTED)) continue;
        for (const char *k = adead_ops[op].operands; *k; word += adead_operand_words(*k), k++) {
            uint32_t     wrong[6], at = program_with((adead_op)op, words, &count);
            adead_status expected = wrong_word((adead_op)op, *k, wrong);
            for (int i = 0; i < 6 && wrong[i]; i++, tried++) {
                program_with((adead_op)op, words, &count);
                stream_patch(&s, at, word, wrong[i]);
                adead_status status = verify();
                seen[status] = true;
                CHECK(status == expected && failure.offset == at, "%s, word %u = %u: %s at 0x%" PRIX64 ": %s",
                      adead_ops[op].mnemonic, word, wrong[i], adead_status_name(status), failure.offset, failure.message);
            }
        }
    }
    CHECK(tried > 2000, "%d", tried);
}

/* ---- Streams -------------------------------------------------------------------------------------------------------------
 */

static void streams_cut_anywhere(void)
{
    uint32_t words[64], count;
    program_with(ADEAD_OP_GPU_MATMUL_EX, words, &count);
    uint32_t whole = s.size, last_function = s.offsets[s.count - 2];
    for (uint32_t size = 0; size < whole; size++) {
        uint32_t start = 0, kept = 0;
        for (uint32_t i = 0; i < s.count && s.offsets[i] <= size; i++) start = s.offsets[i], kept = i;
        s.size = size;
        if (size == 0) CHECK_REFUSED(EMPTY_PROGRAM, 0, "no instructions");
        else if (size != start) CHECK_REFUSED(TRAILING_BYTES, start, "not a whole instruction");
        else if (size == last_function || size == s.offsets[2]) CHECK_ACCEPTED(); /* behind the halt, or behind the trap */
        else
            CHECK_REFUSED(MISSING_END, kept == s.count - 1 ? last_function : s.offsets[kept - 1],
                          "run past the last instruction");
        s.size = whole;
    }
    CHECK_ACCEPTED();
}

static void unknown_opcodes(void)
{
    static const uint32_t unknown[] = {2,          0xF,        0x23,       0x100FF,    0xC0DA0043 + 0x100,
                                       0xC0DAFFFE, 0xC0DB0000, 0x55000001, 0x56000002, UINT32_MAX};
    for (int i = 0; i < 10; i++) {
        begin(4);
        EMIT(&s, NOP);
        uint32_t at = stream_words(&s, unknown[i], NULL, 0);
        EMIT(&s, HALT);
        CHECK_REFUSED(UNKNOWN_OPCODE, at, "0x");
        CHECK(failure.hint[0] != 0);
    }
    begin(4);
    uint32_t at = EMIT(&s, GPU_FFN, 0, 1, 2, 3, 4, 5);
    EMIT(&s, HALT);
    CHECK_REFUSED(FFN_WITHOUT_WEIGHTS, at, "names no weights");
    CHECK(strstr(failure.hint, "gpu.ffn_weights") != NULL, "%s", failure.hint);
}

/* Only these may end a function; the table must agree that they end a run too. */
static void ends_of_functions(void)
{
    for (int op = 0; op < ADEAD_OP_COUNT; op++) {
        uint32_t words[64], count;
        CHECK(!(adead_ops[op].flags & OPF_END) || (adead_ops[op].flags & OPF_CONTROL), "%s", adead_ops[op].mnemonic);
        if (op == ADEAD_OP_FUNC || (adead_ops[op].flags & OPF_REJECTED)) continue;
        uint32_t at = program_with((adead_op)op, words, &count), next = at + 5 + 4 * count;
        memmove(s.bytes + next, s.bytes + next + 5, s.size - next - 5); /* without the halt behind it */
        s.size -= 5;
        for (uint32_t i = 0; i < count; i++)
            if (words[i] == callee) stream_patch(&s, at, i, callee - 5);
        if (adead_ops[op].flags & OPF_END) CHECK_ACCEPTED();
        else CHECK_REFUSED(MISSING_END, at, "function at 0x0");
    }
    begin(4);
    CHECK_REFUSED(MISSING_END, 0, "function at 0x0");
    EMIT(&s, HALT);
    uint32_t empty = FUNCTION(&s, 0, 0, 0, 0);
    FUNCTION(&s, 0, 0, 0, 0);
    EMIT(&s, HALT);
    CHECK_REFUSED(MISSING_END, empty, "function at 0x1A");
}

static void function_headers(void)
{
    static const struct { uint32_t params, results, registers; bool right; } headers[] = {
        {0, 0, 0, true}, {65535, 65535, 65535, true}, {0, 0, 65536, false}, {0, 0, UINT32_MAX, false}, {5, 0, 4, false},
        {0, 5, 4, false}, {UINT32_MAX, 0, 65535, false}, {65536, 0, 65535, false}, {0, UINT32_MAX, 65535, false},
    };
    for (int i = 0; i < 9; i++) {
        begin(4);
        EMIT(&s, HALT);
        uint32_t at = FUNCTION(&s, headers[i].params, headers[i].results, headers[i].registers, UINT32_MAX);
        EMIT(&s, RETURN);
        if (headers[i].right) CHECK_ACCEPTED();
        else CHECK_REFUSED(BAD_FUNCTION, at, "");
    }
}

/* Windows of calls: the larger of parameters and results must fit from the base on; a spawned function's results need no
 * room. */
static void windows(void)
{
    static const struct { uint32_t params, results, base; bool call, spawn;
    } cases[] = {
        {0, 0, 8, true, true},   {0, 0, 9, false, false}, {3, 1, 5, true, true},
        {3, 1, 6, false, false}, {1, 3, 5, true, true},   {1, 3, 6, false, true},
        {8, 8, 0, true, true},   {9, 0, 0, false, false}, {1, 9, 7, false, true},
    };
    for (int i = 0; i < 9; i++) {
        for (int which = 0; which < 3; which++) {
            begin(8);
            uint32_t at = which == 0   ? EMIT(&s, CALL, 0, cases[i].base)
                          : which == 1 ? EMIT(&s, CALL_INDIRECT, 0, cases[i].base, 77)
                                       : EMIT(&s, SPAWN, 0, 0, cases[i].base);
            EMIT(&s, HALT);
            uint32_t narrow = FUNCTION(&s, 0, 0, 0, 77);
            EMIT(&s, RETURN);
            uint32_t wide = FUNCTION(&s, cases[i].params, cases[i].results, 20, 77);
            EMIT(&s, RETURN);
            uint32_t other = FUNCTION(&s, 20, 20, 20, 78);
            EMIT(&s, RETURN);
            uint32_t table[] = {other, narrow, narrow, wide, narrow, other};
            if (which != 1) stream_patch(&s, at, which == 0 ? 0 : 1, wide);
            image.table = table;
            image.table_count = 6;
            bool right = which == 2 ? cases[i].spawn : cases[i].call;
            if (right) CHECK_ACCEPTED();
            else CHECK_REFUSED(REGISTER_RANGE, at, which == 1 && i != 1 ? "table entry 3" : "");
        }
    }
}

/* A large table and many indirect calls of many types must not take quadratic time: this ran for minutes once. */
static void many_indirect_calls(void)
{
    enum { CALLS = 200000, ENTRIES = 65536 };
    static uint8_t  code[26 + CALLS * 17 + 5];
    static uint32_t table[ENTRIES];
    uint64_t        at = 21;
    adead_encode(adead_ops[ADEAD_OP_FUNC].value, (const uint32_t[]){0, 0, 4, 5}, 4, code);
    for (uint32_t i = 0; i < CALLS; i++)
        at += adead_encode(adead_ops[ADEAD_OP_CALL_INDIRECT].value, (const uint32_t[]){0, 0, i * 2654435761u}, 3, code + at);
    at += adead_encode(adead_ops[ADEAD_OP_HALT].value, NULL, 0, code + at);
    adead_image big = {.format = ADEAD_FORMAT_ADEAD2, .code = code, .code_size = at, .table = table, .table_count = ENTRIES};
    CHECK(adead_verify(&big, &adead_host_default, NULL, &failure) == ADEAD_OK, "%s", failure.message);
}

/* ---- Declarations --------------------------------------------------------------------------------------------------------
 */

static void entries_and_tables(void)
{
    begin(4);
    uint32_t halt = EMIT(&s, HALT), two = FUNCTION(&s, 1, 0, 4, 0);
    EMIT(&s, RETURN);
    static const uint64_t wrong[] = {1, 21, 0x1000, (uint64_t)1 << 32, UINT64_MAX - 1};
    for (int i = 0; i < 5; i++) {
        image.entry = wrong[i];
        CHECK_REFUSED(BAD_DECLARATION, wrong[i], "entry");
    }
    image.entry = two;
    CHECK_REFUSED(BAD_DECLARATION, two, "1 parameters");
    image.entry = 0;
    uint32_t table[] = {0, two, halt};
    image.table = table;
    image.table_count = 2;
    CHECK_ACCEPTED();
    image.table_count = 3;
    CHECK_REFUSED(BAD_DECLARATION, halt, "table entry 2");
}

static void declared_ports(void)
{
    adead_port in[2] = {{.name = "a", .rank = 1, .dims = {4}, .place = ADEAD_PLACE_BUFFER, .where = 1023},
                        {.name = "b", .rank = 1, .dims = {4}, .place = ADEAD_PLACE_BUFFER, .where = 5}};
    adead_port out = {.name = "c", .rank = 2, .dims = {4, 0}, .place = ADEAD_PLACE_MEMORY, .where = (1 << 20) - 16};
    begin(4);
    EMIT(&s, INPUT_DIM, 1, 1, 0);
    uint32_t at = EMIT(&s, OUTPUT_DIM, 0, 1, 1);
    EMIT(&s, HALT);
    image.inputs = in;
    image.outputs = &out;
    image.input_count = 2;
    image.output_count = 1;
    CHECK_ACCEPTED();
    stream_patch(&s, at, 1, 0); /* a declared size cannot be set */
    CHECK_REFUSED(BAD_OPERAND, at, "declared size");
    stream_patch(&s, at, 1, 1);
    in[0].where = 5;
    CHECK_REFUSED(BAD_DECLARATION, ADEAD_NO_OFFSET, "inputs 'a' and 'b' are in the same buffer 5");
    in[0].where = 1024;
    CHECK_REFUSED(BAD_DECLARATION, ADEAD_NO_OFFSET, "input 'a' is in buffer 1024");
    in[0] = (adead_port){.name = "a", .rank = 1, .dims = {4}, .place = ADEAD_PLACE_MEMORY, .where = (1 << 20) - 15};
    CHECK_REFUSED(BAD_DECLARATION, ADEAD_NO_OFFSET, "input 'a' lies at");
    in[0].where = UINT64_MAX - 3;
    CHECK_REFUSED(BAD_DECLARATION, ADEAD_NO_OFFSET, "input 'a' lies at");
    in[0].where = 0;
    in[0].dims[0] = UINT64_MAX;
    CHECK_REFUSED(BAD_DECLARATION, ADEAD_NO_OFFSET, "input 'a' lies at");
    in[0].dims[0] = 4;
    out.where = (1 << 20) + 1;
    CHECK_REFUSED(BAD_DECLARATION, ADEAD_NO_OFFSET, "output 'c' lies at");
}

static void declared_imports(void)
{
    adead_import import = {"libc!puts", "i32(ref)"};
    begin(4);
    uint32_t at = EMIT(&s, CALL_FOREIGN, 0, 2);
    EMIT(&s, HALT);
    image.imports = &import;
    image.import_count = 1;
    CHECK_ACCEPTED();
    import.signature = "i32(i32,ref)";
    CHECK_REFUSED(REGISTER_RANGE, at, "'libc!puts' from r2 on do not fit into the function's 4 registers");
    import.signature = "i32()"; /* the result needs a place, too */
    stream_patch(&s, at, 1, 3);
    CHECK_ACCEPTED();
    stream_patch(&s, at, 1, 4);
    CHECK_REFUSED(REGISTER_RANGE, at, "'libc!puts' from r4 on");
    import.signature = "void()";
    CHECK_ACCEPTED();
    import.signature = "i32(p)";
    CHECK_REFUSED(BAD_SIGNATURE, ADEAD_NO_OFFSET, "its signature 'i32(p)' cannot be understood from character 5 on");
    import.name = "puts";
    CHECK_REFUSED(BAD_SIGNATURE, ADEAD_NO_OFFSET, "import 0: 'puts' is not a name library!symbol");
    seen[ADEAD_IMPORT_MISSING] = true; /* when a program is run: test_foreign */
}

/* ---- The published program: each instruction left out, and each doubled
 * ------------------------------------------------------ */

enum { PUBLISHED = 13, BYTES = 0x400000 };

static void published(int without, int twice)
{
    static const struct { adead_op op; uint32_t count, words[6]; } program[PUBLISHED] = {
        {ADEAD_OP_GPU_INIT, 0, {0}},
        {ADEAD_OP_GPU_ALLOC, 2, {BYTES, 0}},
        {ADEAD_OP_GPU_ALLOC, 2, {BYTES, 1}},
        {ADEAD_OP_GPU_ALLOC, 2, {BYTES, 2}},
        {ADEAD_OP_GPU_COPY_H2D, 3, {0x1000, 0, BYTES}},
        {ADEAD_OP_GPU_COPY_H2D, 3, {0x2000, 1, BYTES}},
        {ADEAD_OP_GPU_MATMUL, 6, {0, 1, 2, 1024, 1024, 1024}},
        {ADEAD_OP_GPU_SYNC, 0, {0}},
        {ADEAD_OP_GPU_COPY_D2H, 3, {2, 0x3000, BYTES}},
        {ADEAD_OP_GPU_FREE, 1, {0}},
        {ADEAD_OP_GPU_FREE, 1, {1}},
        {ADEAD_OP_GPU_FREE, 1, {2}},
        {ADEAD_OP_GPU_END, 0, {0}},
    };
    s = (stream){0};
    image = (adead_image){.format = ADEAD_FORMAT_TEXT1};
    for (int i = 0; i < PUBLISHED; i++)
        for (int n = (i != without) + (i == twice); n > 0; n--)
            stream_words(&s, adead_ops[program[i].op].value, program[i].words, program[i].count);
}

static void lifetimes_of_buffers(void)
{
    /* Left out: what is refused, and by the number of the instruction in the shortened stream. */
    static const struct { adead_status status; int at; } without[PUBLISHED] = {
        {0, 0}, {ADEAD_BUFFER_NOT_ALLOCATED, 3}, {ADEAD_BUFFER_NOT_ALLOCATED, 4}, {ADEAD_BUFFER_NOT_ALLOCATED, 5},
        {0, 0}, {0, 0}, {0, 0}, {0, 0}, {0, 0}, {0, 0}, {0, 0}, {0, 0}, {ADEAD_MISSING_END, 11},
    };
    static const struct { adead_status status; int at;
    } twice[PUBLISHED] = {
        {0, 0},
        {ADEAD_BUFFER_IN_USE, 2},
        {ADEAD_BUFFER_IN_USE, 3},
        {ADEAD_BUFFER_IN_USE, 4},
        {0, 0},
        {0, 0},
        {0, 0},
        {0, 0},
        {0, 0},
        {ADEAD_BUFFER_DOUBLE_FREE, 10},
        {ADEAD_BUFFER_DOUBLE_FREE, 11},
        {ADEAD_BUFFER_DOUBLE_FREE, 12},
        {0, 0},
    };
    published(-1, -1);
    CHECK_EQ(s.size, 161);
    CHECK_ACCEPTED();
    for (int i = 0; i < PUBLISHED; i++) {
        published(i, -1);
        adead_status status = verify();
        seen[status] = true;
        CHECK(status == without[i].status && (!status || failure.offset == s.offsets[without[i].at]), "without %d: %d %s", i,
              status, failure.message);
        published(-1, i);
        status = verify();
        seen[status] = true;
        CHECK(status == twice[i].status && (!status || failure.offset == s.offsets[twice[i].at]), "twice %d: %d %s", i,
              status, failure.message);
    }
    begin(4);
    EMIT(&s, GPU_ALLOC, 16, 7);
    EMIT(&s, GPU_FREE, 7);
    uint32_t at = EMIT(&s, GPU_MEMSET, 7, 0, 16);
    EMIT(&s, HALT);
    CHECK_REFUSED(BUFFER_FREED, at, "buffer 7");
    begin(4);
    EMIT(&s, GPU_ALLOC, 16, 7);
    EMIT(&s, GPU_SHUTDOWN);
    at = EMIT(&s, GPU_FREE, 7);
    EMIT(&s, HALT);
    CHECK_REFUSED(BUFFER_DOUBLE_FREE, at, "buffer 7");
    begin(4); /* an absent bias names no buffer that must exist */
    for (uint32_t b = 0; b < 3; b++) EMIT(&s, GPU_ALLOC, 16, b);
    at = EMIT(&s, GPU_MATMUL_EX, 0, 1, 9, 2, 2, 2, 2, 0, 0);
    EMIT(&s, HALT);
    CHECK_ACCEPTED();
    stream_patch(&s, at, 7, ADEAD_BIAS);
    CHECK_REFUSED(BUFFER_NOT_ALLOCATED, at, "buffer 9");
}

static void static_shapes(void)
{
    begin(4);
    for (uint32_t b = 0; b < 4; b++) EMIT(&s, GPU_ALLOC, 1024, b);
    uint32_t at = EMIT(&s, GPU_MULTIHEAD_ATTN, 0, 1, 2, 3, 4, 6, 3, 0);
    EMIT(&s, HALT);
    CHECK_ACCEPTED();
    stream_patch(&s, at, 6, 4);
    CHECK_REFUSED(BAD_OPERAND, at, "6 columns cannot be divided among 4 heads");
    stream_patch(&s, at, 6, 0);
    CHECK_REFUSED(BAD_OPERAND, at, "among 0 heads");
}

static void facts(void)
{
    adead_code_facts f;
    uint32_t         words[64], count;
    program_with(ADEAD_OP_TENSOR_MATMUL, words, &count);
    CHECK_ACCEPTED();
    CHECK_EQ(adead_verify(&image, &adead_host_default, &f, NULL), ADEAD_OK);
    CHECK_EQ(f.instructions, 6);
    CHECK_EQ(f.functions, 2);
    CHECK_EQ(f.tensor_instructions, 1);
    CHECK(!f.uses_device && !f.uses_vulkan && !f.uses_tasks);
    const adead_op family[] = {ADEAD_OP_GPU_SYNC, ADEAD_OP_VK_SYNC, ADEAD_OP_YIELD};
    for (int i = 0; i < 3; i++) {
        program_with(family[i], words, &count);
        CHECK_ACCEPTED();
        CHECK_EQ(adead_verify(&image, &adead_host_default, &f, NULL), ADEAD_OK);
        CHECK(f.uses_device == (i == 0) && f.uses_vulkan == (i == 1) && f.uses_tasks == (i == 2), "%d", i);
    }
}

static void allocation_may_fail_anywhere(void)
{
    uint32_t words[64], count;
    program_with(ADEAD_OP_JUMP_TABLE, words, &count);
    for (uint64_t fail = 1;; fail++) {
        adead_counting_host counting;
        adead_host          host = adead_counting_host_init(&counting, fail);
        adead_code         *code = NULL;
        image.code = s.bytes;
        image.code_size = s.size;
        adead_status status = adead_code_create(&image, &host, &code, &failure);
        adead_code_destroy(code);
        CHECK_EQ(counting.live_bytes, 0);
        if (status == ADEAD_OK) {
            CHECK(fail > 4, "%d calls", (int)fail);
            break;
        }
        CHECK_EQ(status, ADEAD_NO_MEMORY);
        CHECK_EQ(failure.code, ADEAD_NO_MEMORY);
    }
}

static void every_status_was_provoked(void)
{
#define STATUS(number, name, text) CHECK(number / 100 != 3 || seen[number], "nothing provokes %s", #name);
#include "vm/base/status.def"
#undef STATUS
}

TEST_MAIN("verifier", T(every_instruction_in_its_valid_form) T(every_wrong_operand_count) T(every_operand_out_of_its_range)
                          T(streams_cut_anywhere) T(unknown_opcodes) T(ends_of_functions) T(function_headers) T(windows)
                              T(many_indirect_calls) T(entries_and_tables) T(declared_ports)
                                  T(declared_imports) T(lifetimes_of_buffers) T(static_shapes)
                                      T(facts) T(allocation_may_fail_anywhere) T(every_status_was_provoked))
