/* From an image to assembly text that assembles to the same bytes.
 *
 * A debug name becomes a label, a data label or a buffer's name if it can: it is unique, and what it stands for can
 * carry a label. All others are kept by `.name` lines. A jump target without a name gets one that is left out again
 * when the text is assembled:
 * `.L0012` inside its function, `..L0012` if it is used from elsewhere.
 */
#include "declare.h"
#include "number.h"
#include "operands.h"

#include <stdio.h>

/* What is known of each byte of the code. */
enum { AT_START = 1, AT_FUNCTION = 2, AT_LOCAL = 4, AT_GLOBAL = 8 };

enum { LABEL_TEXT = 32, LEAST_ZEROS = 16, LEAST_TEXT = 4, FILL_LIMIT = 64 << 20 };

typedef struct disassembler {
    const adead_image *image;
    adead_out         *out;
    adead_arena       *arena;
    uint8_t           *at;    /* code_size + 1 flags */
    adead_name        *names; /* those that become labels, in order of kind and value */
    uint32_t           name_count;
    bool              *spare; /* for each name of the image: it is kept by .name */
    uint64_t           fill;  /* zeros that .zero may still make */
} disassembler;

/* ---- Names ---- */

static bool same_space(const adead_name *a, const adead_name *b)
{
    return (a->kind == ADEAD_NAME_BUFFER) == (b->kind == ADEAD_NAME_BUFFER);
}

static int compare_text(const void *left, const void *right)
{
    const adead_name *a = *(const adead_name *const *)left, *b = *(const adead_name *const *)right;
    if (!same_space(a, b)) return a->kind == ADEAD_NAME_BUFFER ? 1 : -1;
    return strcmp(a->name, b->name);
}

/* Whether the name can be written where it belongs, apart from being unique. */
static bool placeable(const disassembler *d, const adead_name *name)
{
    adead_token token = {ADEAD_TOKEN_NAME, (uint32_t)strlen(name->name), 0, name->name};
    uint64_t    number;
    if (name->kind == ADEAD_NAME_BUFFER) return !adead_token_numbered(&token, 'b', &number);
    if (name->kind == ADEAD_NAME_DATA) return true;
    return name->value == d->image->code_size || (d->at[name->value] & AT_START);
}

/* Parts the image's names into those that become labels and spare ones. */
static adead_status sort_names(disassembler *d, adead_failure *failure)
{
    const adead_image *image = d->image;
    uint32_t           count = image->name_count;
    const adead_name **order = adead_arena_array(d->arena, count, sizeof *order, 16);
    d->names = adead_arena_array(d->arena, count, sizeof *d->names, 16);
    d->spare = adead_arena_array(d->arena, count, sizeof *d->spare, 16);
    if (!order || !d->names || !d->spare) return adead_no_memory(failure);
    for (uint32_t i = 0; i < count; i++) {
        order[i] = &image->names[i];
        d->spare[i] = !placeable(d, order[i]);
    }
    adead_sort(order, count, sizeof *order, compare_text);
    for (uint32_t i = 1; i < count; i++)
        if (compare_text(&order[i - 1], &order[i]) == 0)
            d->spare[order[i - 1] - image->names] = d->spare[order[i] - image->names] = true;
    for (uint32_t i = 0; i < count; i++)
        if (!d->spare[i]) d->names[d->name_count++] = image->names[i];
    return ADEAD_OK;
}

/* Index of the first label of at least this kind and value. */
static uint32_t first_name(const disassembler *d, adead_name_kind kind, uint64_t value)
{
    uint32_t low = 0, high = d->name_count;
    while (low < high) {
        uint32_t          middle = low + (high - low) / 2;
        const adead_name *name = &d->names[middle];
        if (name->kind < kind || (name->kind == kind && name->value < value)) low = middle + 1;
        else high = middle;
    }
    return low;
}

static const char *name_of(const disassembler *d, adead_name_kind kind, uint64_t value)
{
    uint32_t i = first_name(d, kind, value);
    return i < d->name_count && d->names[i].kind == kind && d->names[i].value == value ? d->names[i].name : NULL;
}

/* ---- Instruction starts, functions, jump targets ---- */

static void mark_starts(disassembler *d)
{
    adead_instruction in;
    for (uint64_t offset = 0; adead_decode(d->image->code, d->image->code_size, offset, &in) == ADEAD_DECODE_OK;
         offset += in.size) {
        d->at[offset] = AT_START;
        if (in.op == ADEAD_OP_FUNC && adead_instruction_assembles(&in)) d->at[offset] |= AT_FUNCTION;
    }
}

static void mark_target(disassembler *d, uint64_t target, uint64_t function, uint64_t function_end)
{
    if (target >= d->image->code_size || !(d->at[target] & AT_START)) return;
    d->at[target] |= target >= function && target < function_end ? AT_LOCAL : AT_GLOBAL;
}

static void mark_targets(disassembler *d)
{
    const adead_image *image = d->image;
    adead_instruction  in;
    uint64_t           function = 0, end = 0;
    for (uint64_t offset = 0; adead_decode(image->code, image->code_size, offset, &in) == ADEAD_DECODE_OK;
         offset += in.size) {
        if (offset == end) {
            function = offset;
            for (end = offset + 1; end < image->code_size && !(d->at[end] & AT_FUNCTION); end++) {}
        }
        if (!adead_instruction_assembles(&in)) continue;
        uint32_t word = 0;
        for (const char *kind = adead_ops[in.op].operands; *kind; kind++) {
            adead_syntax syntax = adead_operand_syntax(*kind);
            bool         label = syntax == ADEAD_SYNTAX_LABEL || syntax == ADEAD_SYNTAX_LABELS;
            do {
                if (label) mark_target(d, adead_word(&in, word), function, end);
                word += adead_syntax_words(syntax);
            } while (syntax == ADEAD_SYNTAX_LABELS && word < in.count);
        }
    }
    if (image->entry) mark_target(d, image->entry, 1, 0);
    for (uint32_t i = 0; i < image->table_count; i++) mark_target(d, image->table[i], 1, 0);
}

/* How an offset in the code is written: a name, an invented label, or the number. */
static const char *code_text(const disassembler *d, uint64_t offset, char text[LABEL_TEXT])
{
    const char *name = name_of(d, ADEAD_NAME_CODE, offset);
    if (name) return name;
    uint8_t flags = offset < d->image->code_size ? d->at[offset] : 0;
    const char *format = flags & AT_GLOBAL ? "..L%04llX" : flags & AT_LOCAL ? ".L%04llX" : "0x%04llX";
    snprintf(text, LABEL_TEXT, format, (unsigned long long)offset);
    return text;
}

static const char *buffer_text(const disassembler *d, uint64_t number, char text[LABEL_TEXT])
{
    const char *name = name_of(d, ADEAD_NAME_BUFFER, number);
    if (name) return name;
    snprintf(text, LABEL_TEXT, "b%llu", (unsigned long long)number);
    return text;
}

/* ---- Bytes and values ---- */

static uint64_t zero_run(const uint8_t *bytes, uint64_t size)
{
    uint64_t n = 0;
    while (n < size && bytes[n] == 0) n++;
    return n;
}

static uint64_t text_run(const uint8_t *bytes, uint64_t size, uint64_t most)
{
    uint64_t n = 0;
    while (n < size && n < most && ((bytes[n] >= ' ' && bytes[n] <= '~') || bytes[n] == '\n' || bytes[n] == '\t')) n++;
    return n;
}

/* Bytes of data: text as strings, long runs of zeros as such, the rest as numbers. */
static void write_bytes(disassembler *d, const uint8_t *bytes, uint64_t size)
{
    while (size > 0) {
        uint64_t n = zero_run(bytes, adead_min_u64(size, d->fill));
        if (n >= LEAST_ZEROS) {
            adead_out_format(d->out, "        .zero %llu\n", (unsigned long long)n);
            d->fill -= n;
        } else if ((n = text_run(bytes, size, 72)) >= LEAST_TEXT) {
            const uint8_t *newline = memchr(bytes, '\n', (size_t)n);
            if (newline && (uint64_t)(newline - bytes) + 1 >= LEAST_TEXT) n = (uint64_t)(newline - bytes) + 1;
            adead_out_text(d->out, "        .ascii ");
            adead_out_quoted(d->out, (const char *)bytes, n);
            adead_out_text(d->out, "\n");
        } else {
            adead_out_text(d->out, "        .u8 ");
            for (n = 0; n < 16 && n < size; n++) {
                bool zeros =
                    d->fill >= LEAST_ZEROS && zero_run(bytes + n, adead_min_u64(size - n, LEAST_ZEROS)) == LEAST_ZEROS;
                if (n > 0 && (zeros || text_run(bytes + n, size - n, LEAST_TEXT) == LEAST_TEXT)) break;
                adead_out_format(d->out, n ? ", %u" : "%u", bytes[n]);
            }
            adead_out_text(d->out, "\n");
        }
        bytes += n;
        size -= n;
    }
}

static void write_value(disassembler *d, const uint8_t *bytes, uint32_t dtype)
{
    char text[ADEAD_FLOAT_TEXT];
    switch ((adead_dtype)dtype) {
    case ADEAD_DTYPE_F32: adead_float_print(adead_load_u32(bytes), &adead_float_f32, text); break;
    case ADEAD_DTYPE_F64: adead_float_print(adead_load_u64(bytes), &adead_float_f64, text); break;
    case ADEAD_DTYPE_F16: adead_float_print(adead_load_u16(bytes), &adead_float_f16, text); break;
    case ADEAD_DTYPE_BF16: adead_float_print(adead_load_u16(bytes), &adead_float_bf16, text); break;
    case ADEAD_DTYPE_I32: snprintf(text, sizeof text, "%d", (int32_t)adead_load_u32(bytes)); break;
    case ADEAD_DTYPE_I64: snprintf(text, sizeof text, "%lld", (long long)adead_load_u64(bytes)); break;
    case ADEAD_DTYPE_I8: snprintf(text, sizeof text, "%d", (int8_t)*bytes); break;
    case ADEAD_DTYPE_U8:
    case ADEAD_DTYPE_COUNT: snprintf(text, sizeof text, "%u", *bytes); break;
    }
    adead_out_text(d->out, text);
}

/* An input's default, as values of its type, about 32 bytes a line. */
static void write_default(disassembler *d, const adead_port *port)
{
    uint64_t       width = adead_dtype_size(port->dtype), size = port->default_size;
    const uint8_t *bytes = port->default_bytes;
    adead_out_format(d->out, ".default %s ", port->name);
    adead_out_dims(d->out, port->default_dims, port->rank, false);
    adead_out_text(d->out, "\n");
    while (size > 0) {
        uint64_t zeros = zero_run(bytes, adead_min_u64(size, d->fill)) / width * width, n = 0;
        if (zeros >= 4 * LEAST_ZEROS) {
            adead_out_format(d->out, "        .zero %llu\n", (unsigned long long)zeros);
            d->fill -= zeros;
            n = zeros;
        } else {
            adead_out_format(d->out, "        .%s ", adead_dtype_name(port->dtype));
            for (; n < size && n < (width == 1 ? 16 : 32); n += width) {
                if (n) adead_out_text(d->out, ", ");
                write_value(d, bytes + n, port->dtype);
            }
            adead_out_text(d->out, "\n");
        }
        bytes += n;
        size -= n;
    }
}

/* ---- Parts of the text ---- */

static void write_port(disassembler *d, const adead_port *port, bool input)
{
    char text[LABEL_TEXT];
    adead_out_port(d->out, port, input);
    if (port->place == ADEAD_PLACE_MEMORY) adead_out_format(d->out, " at 0x%llX\n", (unsigned long long)port->where);
    else adead_out_format(d->out, " in %s\n", buffer_text(d, port->where, text));
    if (port->has_default) write_default(d, port);
}

static void write_declarations(disassembler *d)
{
    const adead_image *image = d->image;
    adead_out         *out = d->out;
    char               text[LABEL_TEXT];
    if (image->native_size)
        adead_out_format(out, "; %llu bytes of x86-64 code are left out\n", (unsigned long long)image->native_size);
    for (uint32_t i = 0; i < image->symbol_count; i++)
        adead_out_format(out, "; symbol %.32s 0x%X is left out\n", image->symbols[i].name, image->symbols[i].address);
    adead_out_memory(out, image);
    for (uint32_t i = 0; i < image->import_count; i++) adead_out_import(out, &image->imports[i]);
    for (uint32_t i = 0; i < d->name_count; i++)
        if (d->names[i].kind == ADEAD_NAME_BUFFER)
            adead_out_format(out, ".buffer %s %llu\n", d->names[i].name, (unsigned long long)d->names[i].value);
    for (uint32_t i = 0; i < image->input_count; i++) write_port(d, &image->inputs[i], true);
    for (uint32_t i = 0; i < image->output_count; i++) write_port(d, &image->outputs[i], false);
    const char *entry = code_text(d, image->entry, text);
    if (image->code_size && (image->entry || entry != text)) adead_out_format(out, ".entry %s\n", entry);
    for (uint32_t i = 0; i < image->table_count; i++)
        adead_out_format(out, ".table %s\n", code_text(d, image->table[i], text));
    for (uint32_t i = 0; i < image->name_count; i++) {
        const adead_name *name = &image->names[i];
        if (d->spare[i])
            adead_out_format(out, ".name %s 0x%llX %s\n", adead_name_kinds[name->kind], (unsigned long long)name->value,
                             name->name);
    }
}

/* Is this import to be written by its name: one of the first, so that looking costs little, and none before it has it? */
static bool first_of_name(const adead_image *image, uint32_t import)
{
    if (import >= 64) return false;
    for (uint32_t i = 0; i < import; i++)
        if (strcmp(image->imports[i].name, image->imports[import].name) == 0) return false;
    return true;
}

static void write_operand(disassembler *d, adead_syntax syntax, const adead_instruction *in, uint32_t word)
{
    const adead_image *image = d->image;
    uint32_t           value = adead_word(in, word);
    const char        *name = NULL;
    char               text[ADEAD_OPERAND_TEXT], label[LABEL_TEXT];
    if (syntax == ADEAD_SYNTAX_IMPORT && value < image->import_count && first_of_name(image, value)) {
        adead_out_quoted(d->out, image->imports[value].name, strlen(image->imports[value].name));
        return;
    }
    adead_operand_text(syntax, in, word, text);
    if (syntax == ADEAD_SYNTAX_LABEL || syntax == ADEAD_SYNTAX_LABELS) name = code_text(d, value, label);
    else if (syntax == ADEAD_SYNTAX_BUFFER) name = buffer_text(d, value, label);
    else if (syntax == ADEAD_SYNTAX_ADDRESS) name = name_of(d, ADEAD_NAME_DATA, value);
    else if (syntax == ADEAD_SYNTAX_INPUT && value < image->input_count) name = image->inputs[value].name;
    else if (syntax == ADEAD_SYNTAX_OUTPUT && value < image->output_count) name = image->outputs[value].name;
    adead_out_text(d->out, name ? name : text);
}

static void write_instruction(disassembler *d, const adead_instruction *in)
{
    adead_out *out = d->out;
    if (!adead_instruction_assembles(in)) {
        char text[128];
        adead_out_text(out, "        .bytes ");
        adead_out_hex(out, d->image->code + in->offset, in->size);
        adead_out_format(out, " ; %s\n", adead_instruction_text(in, text, sizeof text));
        return;
    }
    if (in->op == ADEAD_OP_FUNC) {
        adead_out_format(out, "        .func params=%u results=%u regs=%u", adead_word(in, 0), adead_word(in, 1),
                         adead_word(in, 2));
        if (adead_word(in, 3)) adead_out_format(out, " type=%u", adead_word(in, 3));
        adead_out_text(out, "\n");
        return;
    }
    uint32_t word = 0;
    adead_out_format(out, "        %s", adead_ops[in->op].mnemonic);
    for (const char *kind = adead_ops[in->op].operands; *kind; kind++) {
        adead_syntax syntax = adead_operand_syntax(*kind);
        do {
            adead_out_text(out, word ? ", " : " ");
            write_operand(d, syntax, in, word);
            word += adead_syntax_words(syntax);
        } while (syntax == ADEAD_SYNTAX_LABELS && word < in->count);
    }
    adead_out_text(out, "\n");
}

/* The labels at an offset, named or invented. */
static void write_labels(disassembler *d, uint64_t offset)
{
    char     text[LABEL_TEXT];
    uint32_t i = first_name(d, ADEAD_NAME_CODE, offset);
    bool     named = i < d->name_count && d->names[i].kind == ADEAD_NAME_CODE && d->names[i].value == offset;
    for (; i < d->name_count && d->names[i].kind == ADEAD_NAME_CODE && d->names[i].value == offset; i++)
        adead_out_format(d->out, "%s:\n", d->names[i].name);
    if (!named && (d->at[offset] & (AT_LOCAL | AT_GLOBAL))) adead_out_format(d->out, "%s:\n", code_text(d, offset, text));
}

static void write_code(disassembler *d)
{
    const adead_image *image = d->image;
    adead_instruction  in;
    uint64_t           offset = 0;
    for (; adead_decode(image->code, image->code_size, offset, &in) == ADEAD_DECODE_OK; offset += in.size) {
        if (offset == 0 || (d->at[offset] & AT_FUNCTION)) adead_out_text(d->out, "\n");
        write_labels(d, offset);
        write_instruction(d, &in);
    }
    for (; offset < image->code_size; offset += 16) {
        adead_out_text(d->out, "        .bytes ");
        adead_out_hex(d->out, image->code + offset, adead_min_u64(16, image->code_size - offset));
        adead_out_text(d->out, " ; no whole instruction\n");
    }
    write_labels(d, image->code_size);
}

/* Segments, and data labels inside, between and behind them. */
static void write_data(disassembler *d)
{
    const adead_image *image = d->image;
    uint32_t           i = first_name(d, ADEAD_NAME_DATA, 0);
    for (uint32_t s = 0; s <= image->segment_count; s++) {
        const adead_segment *segment = s < image->segment_count ? &image->segments[s] : NULL;
        for (; i < d->name_count && (!segment || d->names[i].value < segment->address); i++)
            adead_out_format(d->out, "\n.data 0x%llX\n%s:\n", (unsigned long long)d->names[i].value, d->names[i].name);
        if (!segment) break;
        uint64_t at = segment->address, end = at + segment->size;
        adead_out_format(d->out, "\n.data 0x%llX\n", (unsigned long long)at);
        for (;;) {
            for (; i < d->name_count && d->names[i].value == at; i++) adead_out_format(d->out, "%s:\n", d->names[i].name);
            if (at == end) break;
            uint64_t next = i < d->name_count ? adead_min_u64(end, d->names[i].value) : end;
            write_bytes(d, segment->bytes + (at - segment->address), next - at);
            at = next;
        }
    }
}

static adead_status disassemble(disassembler *d, adead_failure *failure)
{
    d->at = adead_arena_alloc(d->arena, d->image->code_size + 1, 16);
    if (!d->at) return adead_no_memory(failure);
    mark_starts(d);
    ADEAD_TRY(sort_names(d, failure));
    mark_targets(d);
    write_declarations(d);
    write_code(d);
    write_data(d);
    return adead_out_close(d->out, failure);
}

adead_status adead_disassemble(const adead_image *image, const adead_host *host, adead_sink sink, void *context,
                               adead_failure *failure)
{
    adead_out    out;
    adead_arena  arena;
    disassembler d = {.image = image, .out = &out, .arena = &arena, .fill = FILL_LIMIT};
    adead_out_open(&out, sink, context);
    adead_arena_open(&arena, host);
    adead_status status = disassemble(&d, failure);
    adead_arena_close(&arena);
    return status;
}
