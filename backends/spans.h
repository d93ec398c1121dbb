/* Parts of a block of a device's memory, given out first fit: the lists of backends whose devices have memory of their own.
 * A block is a list of spans without gaps, of which no two free ones are neighbours. Records that are given back are kept
 * and used again, so that a program in its stride allocates nothing.
 */
#ifndef ADEAD_BACKENDS_SPANS_H
#define ADEAD_BACKENDS_SPANS_H

#include "alloc/host.h"

#include <stdbool.h>

/* ---- Records of one size ---- */

typedef struct adead_records { void *spare; size_t size; } adead_records;

void *adead_record_new(const adead_host *host, adead_records *records); /* zeroed; NULL: no memory */
void  adead_record_free(adead_records *records, void *record);
/* Gives the spare ones back to the host. */
void  adead_records_close(const adead_host *host, adead_records *records);

/* ---- Spans: records of sizeof(adead_span) ---- */

typedef struct adead_span {
    struct adead_span *previous, *next;
    uint64_t           offset, bytes;
    bool               used;
} adead_span;

/* The first free span of at least `bytes`; NULL if there is none. */
adead_span *adead_span_find(adead_span *first, uint64_t bytes);
/* Takes `bytes` of a free span; the rest, if any, becomes a span of its own. False: no memory for that. */
bool adead_span_take(const adead_host *host, adead_records *records, adead_span *span, uint64_t bytes);
/* Gives a span back; returns the one that it is part of now. */
adead_span *adead_span_give(adead_records *records, adead_span *span);

#endif
