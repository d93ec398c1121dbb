/* AHYB version 1, the 24-byte header of the published file: x86-64 bytes (kept, never run), a whole AGPU program, data
 * that goes to linear memory from address 0, and symbols (kept; nobody ever wrote what their addresses mean). */
#include "formats.h"

static adead_status check_symbol(const uint8_t *symbol, uint64_t offset, adead_failure *failure)
{
    bool ended = false;
    for (uint32_t i = 0; i < 32; i++) {
        bool printable = symbol[i] > ' ' && symbol[i] <= '~';
        if (symbol[i] == 0 ? i == 0 : ended || !printable)
            return adead_fail(failure, ADEAD_BAD_FIELD, offset + i, "byte %u of a symbol's name is 0x%02X", i, symbol[i]);
        ended = ended || symbol[i] == 0;
    }
    return ADEAD_OK;
}

static adead_status read_symbols(adead_image *image, const uint8_t *bytes, uint64_t offset, uint32_t count,
                                 adead_failure *failure)
{
    image->symbols = adead_arena_array(&image->arena, count, sizeof *image->symbols, 16);
    if (!image->symbols) return adead_no_memory(failure);
    for (uint32_t i = 0; i < count; i++, offset += 36) {
        ADEAD_TRY(check_symbol(bytes + offset, offset, failure));
        memcpy(image->symbols[i].name, bytes + offset, 32);
        image->symbols[i].address = adead_load_u32(bytes + offset + 32);
    }
    image->symbol_count = count;
    return ADEAD_OK;
}

adead_status adead_read_ahyb(adead_image *image, const uint8_t *bytes, uint64_t size, adead_failure *failure)
{
    static const char *const lengths[] = {"cpu_len", "gpu_len", "data_len", "n_symbols"};
    if (size < ADEAD_AHYB_HEADER)
        return adead_fail(failure, ADEAD_TRUNCATED, size, "the AHYB header has 24 bytes; the content ends after %u",
                          (unsigned)size);
    unsigned version = adead_load_u16(bytes + 4), flags = adead_load_u16(bytes + 6);
    if (version != 1) return adead_fail(failure, ADEAD_BAD_VERSION, 4, "the AHYB version is %u; 1 is known", version);
    if (flags != 0) return adead_fail(failure, ADEAD_BAD_FIELD, 6, "the AHYB field flags is 0x%04X; 0 is known", flags);

    uint64_t starts[5] = {ADEAD_AHYB_HEADER};
    for (unsigned i = 0; i < 4; i++) {
        uint64_t length = adead_load_u32(bytes + 8 + 4 * i) * (uint64_t)(i == 3 ? 36 : 1);
        starts[i + 1] = starts[i] + length;
        if (starts[i + 1] <= size) continue;
        adead_fail(failure, ADEAD_TRUNCATED, 8 + 4 * i, "the AHYB field %s asks for %llu bytes; %llu are left", lengths[i],
                   (unsigned long long)length, (unsigned long long)(size - starts[i]));
        adead_hint(failure, "only the 24-byte AHYB header is read; documents describe others of which no file exists");
        return ADEAD_TRUNCATED;
    }
    if (starts[4] < size)
        return adead_fail(failure, ADEAD_TRAILING_BYTES, starts[4], "%llu bytes follow the last symbol",
                          (unsigned long long)(size - starts[4]));
    if (starts[3] - starts[2] > ADEAD_LEGACY_MEMORY)
        return adead_fail(failure, ADEAD_TOO_LARGE, 16, "the data does not fit the 256 MiB of linear memory");
    ADEAD_TRY(adead_read_agpu_at(image, bytes + starts[1], starts[2] - starts[1], starts[1], failure));
    ADEAD_TRY(read_symbols(image, bytes, starts[3], adead_load_u32(bytes + 20), failure));

    uint64_t native_size = starts[1] - starts[0], data_size = starts[3] - starts[2];
    uint8_t *native = adead_arena_alloc(&image->arena, native_size, 16),
            *data = adead_arena_alloc(&image->arena, data_size, 16);
    image->segments = adead_arena_alloc(&image->arena, sizeof *image->segments, 16);
    if (!native || !data || !image->segments) return adead_no_memory(failure);
    memcpy(native, bytes + starts[0], (size_t)native_size);
    memcpy(data, bytes + starts[2], (size_t)data_size);
    image->native = native;
    image->native_size = native_size;
    image->segments[0] = (adead_segment){0, data_size, data};
    image->segment_count = data_size > 0;
    return ADEAD_OK;
}

adead_status adead_write_ahyb(const adead_image *image, adead_out *out, adead_failure *failure)
{
    ADEAD_TRY(adead_check_legacy(image, true, failure));
    uint64_t count, data_size = image->segment_count ? image->segments[0].size : 0;
    uint8_t  header[ADEAD_AHYB_HEADER] = {'A', 'H', 'Y', 'B', 1};
    ADEAD_TRY(adead_count_agpu(image, &count, failure));
    if (data_size > UINT32_MAX)
        return adead_fail(failure, ADEAD_WOULD_LOSE, ADEAD_NO_OFFSET, "AHYB holds less than 4 GiB of data");
    adead_store_u32(header + 8, (uint32_t)image->native_size);
    adead_store_u32(header + 12, (uint32_t)(ADEAD_AGPU_HEADER + image->code_size));
    adead_store_u32(header + 16, (uint32_t)data_size);
    adead_store_u32(header + 20, image->symbol_count);
    adead_out_bytes(out, header, sizeof header);
    adead_out_bytes(out, image->native, image->native_size);
    adead_write_program(image, count, out);
    if (data_size) adead_out_bytes(out, image->segments[0].bytes, data_size);
    for (uint32_t i = 0; i < image->symbol_count; i++) {
        uint8_t address[4];
        adead_store_u32(address, image->symbols[i].address);
        adead_out_bytes(out, image->symbols[i].name, 32);
        adead_out_bytes(out, address, 4);
    }
    return ADEAD_OK;
}
