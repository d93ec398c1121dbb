/* AGPU version 1: an eight-byte header (magic, version, number of instructions) and the instructions. */
#include "formats.h"

adead_status adead_read_agpu_at(adead_image *image, const uint8_t *bytes, uint64_t size, uint64_t base,
                                adead_failure *failure)
{
    if (size < 4 || memcmp(bytes, "AGPU", 4) != 0)
        return adead_fail(failure, ADEAD_BAD_MAGIC, base, "an AGPU program starts with the bytes 'AGPU'");
    if (size < ADEAD_AGPU_HEADER)
        return adead_fail(failure, ADEAD_TRUNCATED, base + size,
                          "the AGPU header has 8 bytes; the content ends after %u", (unsigned)size);
    unsigned version = adead_load_u16(bytes + 4), count = adead_load_u16(bytes + 6);
    if (version != 1) return adead_fail(failure, ADEAD_BAD_VERSION, base + 4, "the AGPU version is %u; 1 is known", version);

    const uint8_t *code = bytes + ADEAD_AGPU_HEADER;
    uint64_t       length = size - ADEAD_AGPU_HEADER, offset = 0;
    for (unsigned i = 0; i < count; i++) {
        adead_instruction in;
        if (adead_decode(code, length, offset, &in) != ADEAD_DECODE_OK)
            return adead_fail(failure, ADEAD_TRUNCATED, base + size, "the content ends inside instruction %u of %u",
                              i + 1, count);
        offset += in.size;
    }
    if (offset != length) {
        adead_fail(failure, ADEAD_TRAILING_BYTES, base + ADEAD_AGPU_HEADER + offset,
                   "%llu bytes follow the last of %u instructions", (unsigned long long)(length - offset), count);
        adead_hint(failure, "the number of instructions stands at offset 6");
        return ADEAD_TRAILING_BYTES;
    }
    if (length > ADEAD_MAX_CODE) return adead_fail(failure, ADEAD_TOO_LARGE, base, "a program has at most 64 MiB of code");
    uint8_t *copy = adead_arena_alloc(&image->arena, length, 16);
    if (!copy) return adead_no_memory(failure);
    memcpy(copy, code, (size_t)length);
    image->code = copy;
    image->code_size = length;
    return ADEAD_OK;
}

adead_status adead_read_agpu(adead_image *image, const uint8_t *bytes, uint64_t size, adead_failure *failure)
{
    return adead_read_agpu_at(image, bytes, size, 0, failure);
}

adead_status adead_count_agpu(const adead_image *image, uint64_t *count, adead_failure *failure)
{
    ADEAD_TRY(adead_count_instructions(image, count, failure));
    if (*count <= UINT16_MAX) return ADEAD_OK;
    return adead_fail(failure, ADEAD_WOULD_LOSE, ADEAD_NO_OFFSET,
                      "AGPU counts up to 65535 instructions; the program has %llu", (unsigned long long)*count);
}

void adead_write_program(const adead_image *image, uint64_t count, adead_out *out)
{
    uint8_t header[ADEAD_AGPU_HEADER] = {'A', 'G', 'P', 'U'};
    adead_store_u16(header + 4, 1);
    adead_store_u16(header + 6, (uint16_t)count);
    adead_out_bytes(out, header, sizeof header);
    adead_out_bytes(out, image->code, image->code_size);
}

adead_status adead_write_agpu(const adead_image *image, adead_out *out, adead_failure *failure)
{
    uint64_t count;
    ADEAD_TRY(adead_check_legacy(image, false, failure));
    ADEAD_TRY(adead_count_agpu(image, &count, failure));
    adead_write_program(image, count, out);
    return ADEAD_OK;
}
