/* Spans of blocks; see spans.h. */
#include "spans.h"

#include "vm/base/base.h"

void *adead_record_new(const adead_host *host, adead_records *records)
{
    void *record = records->spare;
    if (!record) return host->allocate(host->context, records->size);
    memcpy(&records->spare, record, sizeof records->spare); /* a spare one begins with the address of the next */
    return memset(record, 0, records->size);
}

void adead_record_free(adead_records *records, void *record)
{
    memcpy(record, &records->spare, sizeof records->spare);
    records->spare = record;
}

void adead_records_close(const adead_host *host, adead_records *records)
{
    while (records->spare) {
        void *record = records->spare;
        memcpy(&records->spare, record, sizeof records->spare);
        host->release(host->context, record, records->size);
    }
}

adead_span *adead_span_find(adead_span *first, uint64_t bytes)
{
    adead_span *span = first;
    while (span && (span->used || span->bytes < bytes)) span = span->next;
    return span;
}

bool adead_span_take(const adead_host *host, adead_records *records, adead_span *span, uint64_t bytes)
{
    if (span->bytes > bytes) {
        adead_span *rest = adead_record_new(host, records);
        if (!rest) return false;
        *rest = (adead_span){.previous = span, .next = span->next, .offset = span->offset + bytes,
                             .bytes = span->bytes - bytes};
        if (rest->next) rest->next->previous = rest;
        span->next = rest;
        span->bytes = bytes;
    }
    span->used = true;
    return true;
}

/* Adds the next span to this one; both are free. */
static void join(adead_records *records, adead_span *span)
{
    adead_span *next = span->next;
    span->bytes += next->bytes;
    span->next = next->next;
    if (span->next) span->next->previous = span;
    adead_record_free(records, next);
}

adead_span *adead_span_give(adead_records *records, adead_span *span)
{
    span->used = false;
    if (span->next && !span->next->used) join(records, span);
    if (span->previous && !span->previous->used) {
        span = span->previous;
        join(records, span);
    }
    return span;
}
