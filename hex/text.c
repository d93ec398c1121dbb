/* The published text form (.hex): comments, and one line `OFFSET: HEXBYTES ; comment` an instruction.
 *
 * The writer reproduces the published files byte for byte, their comments included: for the instructions that the published
 * generator knew the comments are its own, for all others the instruction in assembly.
 */
#include "formats.h"
#include "lexer.h"

#include <stdio.h>

static const char title_prefix[] = "; ADead-BIB GPU Program: ";

/* The program's name from the first line, if that is the published comment. */
static adead_status read_title(adead_image *image, const uint8_t *bytes, uint64_t size, adead_failure *failure)
{
    uint64_t start = sizeof title_prefix - 1, end = start;
    if (size < start || memcmp(bytes, title_prefix, (size_t)start) != 0) return ADEAD_OK;
    while (end < size && bytes[end] >= ' ' && bytes[end] != 0x7F) end++;
    bool whole_line = end == size || bytes[end] == '\n' || bytes[end] == '\r';
    if (!whole_line || end == start || end - start > ADEAD_MAX_NAME) return ADEAD_OK;
    image->title = adead_arena_string(&image->arena, (const char *)bytes + start, end - start);
    return image->title ? ADEAD_OK : adead_no_memory(failure);
}

adead_status adead_read_text1(adead_image *image, const uint8_t *bytes, uint64_t size, adead_failure *failure)
{
    adead_lexer lexer;
    adead_bytes code = {.arena = &image->arena};
    bool        more;
    ADEAD_TRY(read_title(image, bytes, size, failure));
    ADEAD_TRY(adead_lexer_open(&lexer, (const char *)bytes, size, ADEAD_BAD_TEXT, failure));
    for (;;) {
        ADEAD_TRY(adead_lexer_line(&lexer, &more));
        if (!more) break;
        if (lexer.token.kind == ADEAD_TOKEN_END) continue;
        uint64_t          offset = code.size;
        adead_token       start = lexer.token;
        adead_instruction in;
        ADEAD_TRY(adead_lexer_hex_line(&lexer, offset, &code));
        if (adead_decode(code.data, code.size, offset, &in) != ADEAD_DECODE_OK || in.size != code.size - offset) {
            unsigned length = (unsigned)(code.size - offset), count = length < 5 ? 0 : code.data[offset + 4];
            adead_lexer_fail_token(&lexer, &start, "the %u bytes of this line are not one instruction", length);
            if (length < 5) adead_hint(failure, "an instruction has at least 5 bytes");
            else adead_hint(failure, "with %u operands (the fifth byte) an instruction has %u bytes", count, 5 + 4 * count);
            return ADEAD_BAD_TEXT;
        }
        if (code.size > ADEAD_MAX_CODE)
            return adead_fail(failure, ADEAD_TOO_LARGE, offset, "a program has at most 64 MiB of code");
    }
    image->code = code.data;
    image->code_size = code.size;
    return ADEAD_OK;
}

/* The published comment, for instructions with the published operands; false for all others. */
static bool published_comment(const adead_instruction *in, char *text, size_t size)
{
    uint32_t w[6] = {0};
    for (uint32_t i = 0; i < in->count && i < 6; i++) w[i] = adead_word(in, i);
    const char *fixed = NULL;
    switch (in->op) {
    case ADEAD_OP_GPU_INIT: fixed = "Inicializar contexto CUDA"; break;
    case ADEAD_OP_GPU_COPY_H2D: fixed = "Copiar a GPU"; break;
    case ADEAD_OP_GPU_COPY_D2H: fixed = "Copiar de GPU"; break;
    case ADEAD_OP_GPU_RELU: fixed = "ReLU"; break;
    case ADEAD_OP_GPU_SOFTMAX: fixed = "Softmax"; break;
    case ADEAD_OP_GPU_ATTENTION: fixed = "Attention"; break;
    case ADEAD_OP_GPU_FFN: fixed = "FFN"; break;
    case ADEAD_OP_GPU_SYNC: fixed = "Sincronizar"; break;
    case ADEAD_OP_GPU_END: fixed = "Fin del programa"; break;
    case ADEAD_OP_GPU_ALLOC: snprintf(text, size, "Reservar %u bytes en reg%u", w[0], w[1]); return in->count == 2;
    case ADEAD_OP_GPU_FREE: snprintf(text, size, "Liberar reg%u", w[0]); return in->count == 1;
    case ADEAD_OP_GPU_MATMUL: snprintf(text, size, "MatMul %ux%u @ %ux%u", w[3], w[5], w[5], w[4]); return in->count == 6;
    default: return false;
    }
    int has_list;
    snprintf(text, size, "%s", fixed);
    return in->count == adead_op_words(in->op, &has_list);
}

adead_status adead_write_text1(const adead_image *image, adead_out *out, adead_failure *failure)
{
    static const char rule[] = "; ============================================================\n";
    adead_instruction in;
    uint64_t          count;
    char              comment[256];
    ADEAD_TRY(adead_check_legacy(image, false, failure));
    ADEAD_TRY(adead_count_instructions(image, &count, failure));
    adead_out_text(out, title_prefix);
    adead_out_text(out, image->title ? image->title : "program");
    adead_out_format(out, "\n; Instructions: %llu\n%s\n", (unsigned long long)count, rule);
    for (uint64_t offset = 0; adead_decode(image->code, image->code_size, offset, &in) == ADEAD_DECODE_OK;
         offset += in.size) {
        adead_out_format(out, "%04llX: ", (unsigned long long)offset);
        uint64_t column = out->written - out->line_start + ADEAD_TEXT_COLUMN;
        adead_out_hex(out, image->code + offset, in.size);
        adead_out_pad(out, column);
        if (!published_comment(&in, comment, sizeof comment)) adead_instruction_text(&in, comment, sizeof comment);
        adead_out_text(out, " ; ");
        adead_out_text(out, comment);
        adead_out_text(out, "\n");
    }
    adead_out_format(out, "\n%s; Total size: %llu bytes", rule, (unsigned long long)image->code_size);
    return ADEAD_OK;
}
