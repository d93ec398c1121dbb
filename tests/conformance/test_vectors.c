/* The published vectors, tests/vectors/adn1.json: small cases whose bits were checked with exact rational arithmetic.
 * Each runs on ref and on every backend that takes the operation. The file is read by a strict reader of the JSON it
 * needs: objects, one array, strings without escapes, and unsigned integers.
 */
#include "conformance.h"

enum { FIELDS = 16, PATH_ROOM = 1 << 16 };

typedef struct field { const char *name, *text; uint64_t name_length, text_length, number; bool is_number; } field;
typedef struct record { field fields[FIELDS]; unsigned count; } record;
typedef struct reader { const char *at, *end; bool bad; } reader;

static void blanks(reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r')) r->at++;
}

/* Takes the character `c` if it comes next. */
static bool take(reader *r, char c)
{
    blanks(r);
    if (r->at == r->end || *r->at != c) return false;
    r->at++;
    return true;
}

static void need(reader *r, char c) { r->bad |= !take(r, c); }

static void read_string(reader *r, const char **text, uint64_t *length)
{
    need(r, '"');
    *text = r->at;
    while (r->at < r->end && *r->at != '"' && *r->at != '\\' && (unsigned char)*r->at >= 0x20) r->at++;
    *length = (uint64_t)(r->at - *text);
    need(r, '"');
}

static void read_value(reader *r, field *f)
{
    blanks(r);
    if (r->at < r->end && *r->at == '"') {
        read_string(r, &f->text, &f->text_length);
        return;
    }
    f->is_number = true;
    r->bad |= r->at == r->end || *r->at < '0' || *r->at > '9';
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9') f->number = f->number * 10 + (uint64_t)(*r->at++ - '0');
}

/* One flat object. */
static void read_record(reader *r, record *out)
{
    memset(out, 0, sizeof *out);
    need(r, '{');
    do {
        if (out->count == FIELDS) r->bad = true;
        if (r->bad) return;
        field *f = &out->fields[out->count++];
        read_string(r, &f->name, &f->name_length);
        need(r, ':');
        read_value(r, f);
    } while (take(r, ','));
    need(r, '}');
}

static const field *find(const record *rec, const char *name)
{
    for (unsigned i = 0; i < rec->count; i++)
        if (rec->fields[i].name_length == strlen(name) && memcmp(rec->fields[i].name, name, strlen(name)) == 0)
            return &rec->fields[i];
    return NULL;
}

static uint64_t number(const record *rec, const char *name, uint64_t otherwise)
{
    const field *f = find(rec, name);
    return f && f->is_number ? f->number : otherwise;
}

/* The bytes of a hexadecimal field, which must be exactly `size` many; NULL if it is not there or malformed. Caller
 * frees. */
static uint8_t *hex(const record *rec, const char *name, uint64_t size)
{
    const field *f = find(rec, name);
    if (!f || f->is_number || f->text_length != 2 * size) return NULL;
    uint8_t *bytes = calloc(1, size + 1);
    for (uint64_t i = 0; bytes && i < 2 * size; i++) {
        char        c = f->text[i];
        const char *digits = "0123456789abcdef", *d = c ? strchr(digits, c) : NULL;
        if (!d) {
            free(bytes);
            return NULL;
        }
        bytes[i / 2] = (uint8_t)(bytes[i / 2] << 4 | (uint8_t)(d - digits));
    }
    return bytes;
}

/* Turns a record into an operation and the bytes it must give. False if it is none this suite knows. */
static bool to_case(const record *rec, test_case *test, const char **result_name)
{
    static const struct { const char *op; adead_tensor_kind kind; const char *operands[5]; const char *dims[3]; } kinds[] = {
        {"matmul", ADEAD_TENSOR_MATMUL, {"a", "b", "c"}, {"m", "n", "k"}},
        {"matmul_i8", ADEAD_TENSOR_MATMUL_I8, {"a", "b", "c"}, {"m", "n", "k"}},
        {"sum", ADEAD_TENSOR_SUM, {"x", "sum"}, {"rows", "n"}},
        {"relu", ADEAD_TENSOR_RELU, {"x", "y"}, {"n"}},
        {"layernorm", ADEAD_TENSOR_LAYERNORM, {"x", "gamma", "beta", "y"}, {"rows", "n"}},
    };
    const field *op = find(rec, "op");
    for (unsigned i = 0; op && i < ADEAD_COUNT(kinds); i++) {
        if (op->text_length != strlen(kinds[i].op) || memcmp(op->text, kinds[i].op, op->text_length) != 0) continue;
        *test = (test_case){.op.kind = kinds[i].kind};
        for (int d = 0; d < 3 && kinds[i].dims[d]; d++) test->op.dims[d] = number(rec, kinds[i].dims[d], 1);
        for (int o = 0; o < 5 && kinds[i].operands[o]; o++) {
            test->bytes[o] = hex(rec, kinds[i].operands[o], operand_bytes(&shapes[kinds[i].kind], o, &test->op));
            if (!test->bytes[o]) return false;
            *result_name = kinds[i].operands[o];
        }
        uint8_t *eps = find(rec, "eps") ? hex(rec, "eps", 4) : NULL;
        if (eps) test->op.scalar = adead_load_u32(eps);
        free(eps);
        return true;
    }
    return false;
}

/* Runs one case on one backend and compares with the published bits. */
static void check_case(const subject *s, const test_case *test, int index, int *ran)
{
    static uint8_t result[PATH_ROOM];
    if (s->backend->supports && !s->backend->supports(s->device, &test->op)) return;
    int written = 0;
    while (shapes[test->op.kind].operands[written].role != 'w') written++;
    uint64_t bytes = operand_bytes(&shapes[test->op.kind], written, &test->op);
    CHECK_EQ(run_case(s, test, result, sizeof result), ADEAD_OK);
    CHECK(memcmp(result + 64, test->bytes[written], (size_t)bytes) == 0, "case %d (%s) on %s", index,
          shapes[test->op.kind].name, s->name);
    ++*ran;
}

static char *read_file(const char *path, uint64_t *size)
{
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    long  end = ftell(f);
    char *text = end > 0 ? malloc((size_t)end) : NULL;
    rewind(f);
    if (text && fread(text, 1, (size_t)end, f) != (size_t)end) {
        free(text);
        text = NULL;
    }
    fclose(f);
    *size = text ? (uint64_t)end : 0;
    return text;
}

/* All cases on one backend; how many there are in the file and how many of them the backend ran. */
static void run_vectors(const subject *s, int *cases, int *ran)
{
    uint64_t size;
    char    *text = read_file("tests/vectors/adn1.json", &size);
    CHECK(text, "tests/vectors/adn1.json cannot be read: run from the repository's root");
    reader r = {text, text + size, false};
    field  about;
    record rec;
    memset(&about, 0, sizeof about);
    need(&r, '{');
    read_string(&r, &about.name, &about.name_length);
    need(&r, ':');
    read_value(&r, &about);
    need(&r, ',');
    read_string(&r, &about.name, &about.name_length);
    need(&r, ':');
    need(&r, '[');
    *cases = *ran = 0;
    do {
        read_record(&r, &rec);
        test_case   test;
        const char *result_name = NULL;
        if (r.bad || !to_case(&rec, &test, &result_name)) {
            r.bad = true;
            break;
        }
        check_case(s, &test, *cases, ran);
        for (int i = 0; i < ADEAD_TENSOR_OPERANDS; i++) free(test.bytes[i]);
        ++*cases;
    } while (take(&r, ','));
    need(&r, ']');
    need(&r, '}');
    blanks(&r);
    uint64_t at = (uint64_t)(r.at - text);
    bool     whole = r.at == r.end && !r.bad;
    free(text);
    CHECK(whole, "tests/vectors/adn1.json is malformed near byte %llu", (unsigned long long)at);
}

static void vectors_on_ref(void)
{
    subject ref;
    int     cases = 0, ran = 0;
    CHECK(open_subject("ref", &ref));
    run_vectors(&ref, &cases, &ran);
    close_subject(&ref);
    CHECK_EQ(cases, 57);
    CHECK_EQ(ran, 57);
}

static void vectors_on_backends(void)
{
    int opened = 0;
    for (unsigned i = 0; i < ADEAD_COUNT(subjects); i++) {
        subject s;
        int     cases = 0, ran = 0;
        if (!open_subject(subjects[i], &s)) {
            if (is_wanted(subjects[i])) printf("%s is not available here\n", subjects[i]);
            continue;
        }
        opened++;
        run_vectors(&s, &cases, &ran);
        close_subject(&s);
        CHECK_EQ(cases, 57);
        printf("%s ran %d of %d vectors\n", subjects[i], ran, cases);
    }
    SKIP_ABSENT(opened);
}

TEST_MAIN("vectors", T(vectors_on_ref) T(vectors_on_backends))
