/* The block allocator: three bitmaps (handed out, start of a run, dirty) and a first-fit search over 64-bit words.
 *
 * The bitmaps lie outside the region in one piece of host memory. A search looks at each word once and finds a short run
 * inside it by shifts, so even the worst fragmentation of 65,536 blocks costs a few microseconds, and a hostile program
 * gains nothing by producing it.
 */
#include "block.h"
#include "poison.h"
#include "vm/base/base.h"

#include <inttypes.h>

enum { REGION_ALIGN = 4096, SMALLEST_BLOCK = 64 };

static bool get_bit(const uint64_t *map, uint64_t i) { return map[i >> 6] >> (i & 63) & 1; }

/* The first bit in [from, to) that is set (or clear), or `to`. */
static uint64_t next_bit(const uint64_t *map, uint64_t from, uint64_t to, bool set)
{
    uint64_t flip = set ? 0 : UINT64_MAX;
    if (from >= to) return to;
    uint64_t word = from >> 6, last = (to - 1) >> 6;
    uint64_t bits = (map[word] ^ flip) & UINT64_MAX << (from & 63);
    while (bits == 0) {
        if (word == last) return to;
        bits = map[++word] ^ flip;
    }
    return adead_min_u64(word * 64 + (uint64_t)__builtin_ctzll(bits), to);
}

static void set_range(uint64_t *map, uint64_t from, uint64_t to, bool set)
{
    while (from < to) {
        uint64_t bits = adead_min_u64(64 - (from & 63), to - from);
        uint64_t mask = UINT64_MAX >> (64 - bits) << (from & 63);
        if (set) map[from >> 6] |= mask;
        else map[from >> 6] &= ~mask;
        from += bits;
    }
}

/* Bits of `free` where a run of `length` set bits (1..63) begins. */
static uint64_t runs_in_word(uint64_t free, uint64_t length)
{
    uint64_t have = 1;
    while (have < length && free != 0) {
        uint64_t step = adead_min_u64(have, length - have);
        free &= free >> step;
        have += step;
    }
    return free;
}

/* The lowest run of `length` free blocks, or UINT64_MAX. */
static uint64_t find_run(const adead_blocks *blocks, uint64_t length)
{
    uint64_t words = (blocks->count + 63) >> 6;
    uint64_t open = 0; /* free blocks just below the word under the eye */
    for (uint64_t word = blocks->first_free >> 6; word < words; word++) {
        uint64_t taken = blocks->bits[word];
        if (taken == 0) {
            open += 64;
            if (open >= length) return word * 64 + 64 - open;
            continue;
        }
        if (open + (uint64_t)__builtin_ctzll(taken) >= length) return word * 64 - open;
        if (length < 64 && taken != UINT64_MAX) {
            uint64_t fits = runs_in_word(~taken, length);
            if (fits != 0) return word * 64 + (uint64_t)__builtin_ctzll(fits);
        }
        open = (uint64_t)__builtin_clzll(taken);
    }
    return UINT64_MAX;
}

/* Marks [from, to) as handed out and zeroes what was in use before; the rest is still as the host gave it. */
static void take(adead_blocks *blocks, uint64_t from, uint64_t to)
{
    set_range(blocks->bits, from, to, true);
    blocks->used += to - from;
    if (blocks->first_free >= from && blocks->first_free < to) blocks->first_free = to;
    if (blocks->poison) adead_unpoison(blocks->base + (from << blocks->shift), (to - from) << blocks->shift);
    for (uint64_t i = next_bit(blocks->dirty, from, to, true), end; i < to; i = next_bit(blocks->dirty, end, to, true)) {
        end = next_bit(blocks->dirty, i, to, false);
        memset(blocks->base + (i << blocks->shift), 0, (end - i) << blocks->shift);
    }
    set_range(blocks->dirty, from, to, true);
}

static uint64_t run_end(const adead_blocks *blocks, uint64_t first)
{
    uint64_t end = next_bit(blocks->bits, first + 1, blocks->count, false);
    return next_bit(blocks->starts, first + 1, end, true);
}

/* The block at `address` if a run starts there, else UINT64_MAX. */
static uint64_t run_at(const adead_blocks *blocks, uint64_t address)
{
    uint64_t block = address >> blocks->shift;
    if (block >= blocks->count || block << blocks->shift != address || !get_bit(blocks->starts, block)) return UINT64_MAX;
    return block;
}

adead_status adead_blocks_open(adead_blocks *blocks, const adead_host *host, uint64_t block_size, uint64_t count,
                               bool poison, adead_failure *failure)
{
    memset(blocks, 0, sizeof *blocks);
    if (block_size < SMALLEST_BLOCK || (block_size & (block_size - 1)) != 0) {
        return adead_fail(failure, ADEAD_INVALID_ARGUMENT, ADEAD_NO_OFFSET,
                          "a block size of %" PRIu64 " bytes is not a power of two of at least %d", block_size,
                          SMALLEST_BLOCK);
    }
    uint64_t bytes;
    if (count == 0 || !adead_mul_u64(block_size, count, &bytes) || bytes > PTRDIFF_MAX - REGION_ALIGN) {
        return adead_fail(failure, ADEAD_INVALID_ARGUMENT, ADEAD_NO_OFFSET,
                          "a region of %" PRIu64 " blocks of %" PRIu64 " bytes cannot be addressed", count, block_size);
    }
    uint64_t words = (count + 63) >> 6;
    size_t   region_size = (size_t)bytes + REGION_ALIGN - 1;
    void    *region = host->allocate(host->context, region_size);
    uint64_t *maps = region ? host->allocate(host->context, (size_t)(3 * words * sizeof *maps)) : NULL;
    if (!maps) {
        if (region) host->release(host->context, region, region_size);
        return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET,
                          "the host has no memory for %" PRIu64 " blocks of %" PRIu64 " bytes", count, block_size);
    }
    *blocks = (adead_blocks){
        .host = *host,
        .base = (uint8_t *)(((uintptr_t)region + REGION_ALIGN - 1) & ~(uintptr_t)(REGION_ALIGN - 1)),
        .block_size = block_size,
        .shift = (uint32_t)__builtin_ctzll(block_size),
        .count = count,
        .poison = poison,
        .region = region,
        .region_size = region_size,
        .bits = maps,
        .starts = maps + words,
        .dirty = maps + 2 * words,
    };
    set_range(blocks->bits, count, words * 64, true);
    if (poison) adead_poison(blocks->base, (size_t)bytes);
    return ADEAD_OK;
}

void adead_blocks_close(adead_blocks *blocks)
{
    if (blocks->region) {
        uint64_t words = (blocks->count + 63) >> 6;
        if (blocks->poison) adead_unpoison(blocks->base, blocks->count << blocks->shift);
        blocks->host.release(blocks->host.context, blocks->bits, (size_t)(3 * words * sizeof *blocks->bits));
        blocks->host.release(blocks->host.context, blocks->region, blocks->region_size);
    }
    memset(blocks, 0, sizeof *blocks);
}

adead_status adead_blocks_alloc(adead_blocks *blocks, uint64_t bytes, uint64_t *address)
{
    if (bytes == 0) bytes = 1;
    if (bytes > adead_blocks_available(blocks)) return ADEAD_BLOCKS_EXHAUSTED;
    uint64_t length = ((bytes - 1) >> blocks->shift) + 1;
    uint64_t first = find_run(blocks, length);
    if (first == UINT64_MAX) return ADEAD_BLOCKS_EXHAUSTED;
    set_range(blocks->starts, first, first + 1, true);
    take(blocks, first, first + length);
    *address = first << blocks->shift;
    return ADEAD_OK;
}

adead_status adead_blocks_alloc_at(adead_blocks *blocks, uint64_t address, uint64_t bytes)
{
    if (bytes == 0) bytes = 1;
    uint64_t first = address >> blocks->shift, length = ((bytes - 1) >> blocks->shift) + 1;
    if (first << blocks->shift != address || first > blocks->count) return ADEAD_INVALID_ARGUMENT;
    if (length > blocks->count - first || next_bit(blocks->bits, first, first + length, true) != first + length)
        return ADEAD_BLOCKS_EXHAUSTED;
    set_range(blocks->starts, first, first + 1, true);
    take(blocks, first, first + length);
    return ADEAD_OK;
}

adead_status adead_blocks_free(adead_blocks *blocks, uint64_t address)
{
    uint64_t first = run_at(blocks, address);
    if (first == UINT64_MAX) {
        uint64_t block = address >> blocks->shift;
        bool     boundary = block < blocks->count && block << blocks->shift == address;
        return boundary && !get_bit(blocks->bits, block) ? ADEAD_DOUBLE_FREE : ADEAD_FOREIGN_POINTER;
    }
    uint64_t end = run_end(blocks, first);
    set_range(blocks->starts, first, first + 1, false);
    set_range(blocks->bits, first, end, false);
    blocks->used -= end - first;
    blocks->first_free = adead_min_u64(blocks->first_free, first);
    if (blocks->poison) adead_poison(blocks->base + address, (end - first) << blocks->shift);
    return ADEAD_OK;
}

adead_status adead_blocks_extend(adead_blocks *blocks, uint64_t address, uint64_t more)
{
    uint64_t first = run_at(blocks, address);
    if (first == UINT64_MAX) return ADEAD_FOREIGN_POINTER;
    uint64_t end = run_end(blocks, first);
    if (more > blocks->count - end) return ADEAD_BLOCKS_EXHAUSTED;
    if (next_bit(blocks->bits, end, end + more, true) != end + more) return ADEAD_BLOCKS_EXHAUSTED;
    take(blocks, end, end + more);
    return ADEAD_OK;
}

void adead_blocks_reset(adead_blocks *blocks)
{
    set_range(blocks->bits, 0, blocks->count, false);
    set_range(blocks->starts, 0, blocks->count, false);
    blocks->used = 0;
    blocks->first_free = 0;
    if (blocks->poison) adead_poison(blocks->base, blocks->count << blocks->shift);
}

uint64_t adead_blocks_size(const adead_blocks *blocks, uint64_t address)
{
    uint64_t first = run_at(blocks, address);
    return first == UINT64_MAX ? 0 : (run_end(blocks, first) - first) << blocks->shift;
}

uint64_t adead_blocks_used(const adead_blocks *blocks) { return blocks->used << blocks->shift; }

uint64_t adead_blocks_available(const adead_blocks *blocks) { return (blocks->count - blocks->used) << blocks->shift; }
