/* The deterministic block allocator: a region of equal blocks (4096 bytes, 65,536 of them by default), handed out in
 * contiguous runs, always the lowest address that fits (first fit). The same calls give the same addresses relative to
 * the region's base, on every machine, for ever: programs see these addresses, so the policy is part of the format.
 *
 * The allocator never touches the region itself except to zero a run when it is handed out again: bookkeeping lies outside,
 * so a program that writes over its own memory cannot corrupt it. Under AddressSanitizer free blocks are poisoned
 * when `poison` is set (not for linear memory, which programs may read anywhere).
 *
 * Not thread-safe: one owner. Addresses are byte offsets from the base.
 */
#ifndef ADEAD_ALLOC_BLOCK_H
#define ADEAD_ALLOC_BLOCK_H

#include "host.h"
#include "vm/base/status.h"

#include <stdbool.h>

enum { ADEAD_BLOCK_SIZE = 4096, ADEAD_BLOCK_COUNT = 65536 };

typedef struct adead_blocks {
    adead_host host;
    uint8_t   *base;        /* the region, aligned to 4096 bytes */
    uint64_t   block_size;  /* a power of two, at least 64 */
    uint32_t   shift;       /* its logarithm */
    uint64_t   count;       /* blocks in the region */
    uint64_t   used;        /* blocks handed out */
    bool       poison;
    void      *region;      /* what the host gave, and its size */
    size_t     region_size;
    uint64_t  *bits;        /* one bit a block: handed out. Bits after the last block are set, so no run reaches them */
    uint64_t  *starts;      /* first block of a run; a run ends at the next start or free block */
    uint64_t  *dirty;       /* handed out before: must be zeroed when handed out again */
    uint64_t   first_free;  /* no free block lies below this one */
} adead_blocks;

/* Reserves `count` blocks of `block_size` bytes from the host. The region is not touched; the bookkeeping is three bits a
 * block (24 KiB for 65,536). On failure nothing is held and `blocks` may be closed.
 * Errors: INVALID_ARGUMENT, NO_MEMORY. */
adead_status adead_blocks_open(adead_blocks *blocks, const adead_host *host, uint64_t block_size, uint64_t count,
                               bool poison, adead_failure *failure);
/* Gives everything back to the host; closing twice, or what never opened (all zero), is allowed. */
void adead_blocks_close(adead_blocks *blocks);

/* Hands out the lowest run that holds `bytes` (0 counts as 1), zeroed; its offset goes to *address. Time: at most one step
 * for each 64 blocks of the region, plus the zeroing of blocks that were in use before.
 * Errors: BLOCKS_EXHAUSTED (the state is unchanged). */
adead_status adead_blocks_alloc(adead_blocks *blocks, uint64_t bytes, uint64_t *address);
/* Hands out the run that starts at `address`, zeroed. Errors: INVALID_ARGUMENT (no block boundary of the region),
 * BLOCKS_EXHAUSTED (not all of it is free; the state is unchanged). */
adead_status adead_blocks_alloc_at(adead_blocks *blocks, uint64_t address, uint64_t bytes);
/* Takes a run back. Errors: DOUBLE_FREE (a block boundary that is not handed out), FOREIGN_POINTER (anything else). */
adead_status adead_blocks_free(adead_blocks *blocks, uint64_t address);
/* Lengthens a run in place by `more` blocks if the blocks behind it are free. Errors: BLOCKS_EXHAUSTED, FOREIGN_POINTER. */
adead_status adead_blocks_extend(adead_blocks *blocks, uint64_t address, uint64_t more);
/* Takes every run back. */
void adead_blocks_reset(adead_blocks *blocks);
/* Bytes of the run that starts at `address`, 0 if none does. */
uint64_t adead_blocks_size(const adead_blocks *blocks, uint64_t address);
/* In bytes. */
uint64_t adead_blocks_used(const adead_blocks *blocks);
uint64_t adead_blocks_available(const adead_blocks *blocks);

#endif
