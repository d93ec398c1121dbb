/* Writing and replaying the log of a run's foreign calls; see record.h. */
#include "record.h"

#include <string.h>

/* Kinds of events. */
enum { EVENT_CALL = 1, EVENT_CALLBACK, EVENT_CALLBACK_END, EVENT_ENDED, EVENT_RETURN, EVENT_FAIL, EVENT_RUN_END };

enum { LOG_VERSION = 1, HEADER_SIZE = 48, DIGEST_SIZE = 32, NEAR = 16 /* equal bytes between two writes that are one */ };
static const char log_magic[8] = {'A', 'D', 'E', 'A', 'D', 'L', 'O', 'G'};

static bool is_range(uint8_t kind)
{
    return kind == ADEAD_ARG_PTR || kind == ADEAD_ARG_REF || kind == ADEAD_ARG_BUF;
}

/* Of the arguments of a call, as the log has it. */
static void digest_arguments(const adead_foreign_call *call, uint8_t digest[32])
{
    adead_sha256 hash;
    adead_sha256_init(&hash);
    adead_sha256_update(&hash, &call->import, sizeof call->import);
    for (uint32_t p = 0; p < call->signature->count; p++) {
        const adead_foreign_argument *argument = &call->arguments[p];
        adead_sha256_update(&hash, &argument->bits, sizeof argument->bits);
        if (!is_range(call->signature->params[p])) continue;
        adead_sha256_update(&hash, &argument->bytes, sizeof argument->bytes);
        if (argument->bytes) adead_sha256_update(&hash, argument->data, (size_t)argument->bytes);
    }
    adead_sha256_final(&hash, digest);
}

/* ---- Writing ---- */

static void put(adead_recorder *r, const void *bytes, uint64_t size)
{
    if (r->failed || size == 0) return;
    adead_sha256_update(&r->hash, bytes, (size_t)size);
    if (r->write(r->context, bytes, (size_t)size) != 0) r->failed = true;
}

static void put_u8(adead_recorder *r, uint32_t value)
{
    uint8_t byte = (uint8_t)value;
    put(r, &byte, 1);
}
static void put_u32(adead_recorder *r, uint32_t value) { put(r, &value, sizeof value); }
static void put_u64(adead_recorder *r, uint64_t value) { put(r, &value, sizeof value); }

/* The next stretch of [from, size) that differs, together with near ones; false when there is none. */
static bool next_difference(const uint8_t *a, const uint8_t *b, uint64_t size, uint64_t *from, uint64_t *length)
{
    uint64_t at = *from, end;
    while (at + 64 <= size && memcmp(a + at, b + at, 64) == 0) at += 64;
    while (at < size && a[at] == b[at]) at++;
    if (at == size) return false;
    end = at + 1;
    for (uint64_t i = end; i < size && i - end < NEAR; i++)
        if (a[i] != b[i]) end = i + 1;
    *from = at;
    *length = end - at;
    return true;
}

/* What the ranges of a call hold now, compared with the snapshot: count, then each. */
static void put_writes(adead_recorder *r, const adead_foreign_call *call, const adead_snapshot *snapshot)
{
    uint32_t count = 0;
    for (int write = 0; write < 2; write++) {
        const uint8_t *old = snapshot->bytes;
        if (write) put_u32(r, count);
        for (uint32_t p = 0; p < call->signature->count; p++) {
            const adead_foreign_argument *argument = &call->arguments[p];
            const uint8_t                *now = argument->data;
            if (!is_range(call->signature->params[p])) continue;
            for (uint64_t at = 0, length; next_difference(old, now, argument->bytes, &at, &length); at += length) {
                count += !write;
                if (!write) continue;
                put_u32(r, p);
                put_u64(r, at);
                put_u64(r, length);
                put(r, now + at, length);
            }
            if (argument->bytes) old += argument->bytes;
        }
    }
}

static void refresh(const adead_foreign_call *call, adead_snapshot *snapshot)
{
    uint8_t *to = snapshot->bytes;
    for (uint32_t p = 0; p < call->signature->count; p++) {
        const adead_foreign_argument *argument = &call->arguments[p];
        if (!is_range(call->signature->params[p]) || !argument->bytes) continue;
        memcpy(to, argument->data, (size_t)argument->bytes);
        to += argument->bytes;
    }
}

static adead_status not_taken(adead_failure *failure)
{
    return adead_fail(failure, ADEAD_CANNOT_WRITE, ADEAD_NO_OFFSET, "the log of the run was not taken");
}

void adead_record_begin(adead_recorder *r, const uint8_t program[32])
{
    adead_sha256_init(&r->hash);
    r->calls = 0;
    r->failed = false;
    put(r, log_magic, sizeof log_magic);
    put_u32(r, LOG_VERSION);
    put_u32(r, 0);
    put(r, program, 32);
}

adead_status adead_record_call(adead_recorder *r, const adead_foreign_call *call, adead_snapshot *snapshot,
                               adead_failure *failure)
{
    uint8_t digest[32];
    if (!r->write) return ADEAD_OK;
    if (r->failed) return not_taken(failure);
    for (uint32_t p = 0; p < call->signature->count; p++)
        if (is_range(call->signature->params[p])) snapshot->size += call->arguments[p].bytes; /* each is memory we have */
    snapshot->bytes = r->host->allocate(r->host->context, (size_t)snapshot->size + 1);
    if (!snapshot->bytes)
        return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "the host has no memory left to record a foreign call");
    refresh(call, snapshot);
    digest_arguments(call, digest);
    put_u8(r, EVENT_CALL);
    put_u32(r, call->import);
    put(r, digest, sizeof digest);
    r->calls++;
    return ADEAD_OK;
}

adead_status adead_record_return(adead_recorder *r, const adead_foreign_call *call, adead_snapshot *snapshot,
                                 adead_status status, const char *sentence, adead_failure *failure)
{
    if (!r->write) return status;
    size_t length = strlen(sentence) < 255 ? strlen(sentence) : 255;
    while (length < strlen(sentence) && length > 0 && ((uint8_t)sentence[length] & 0xC0) == 0x80) length--;
    put_u8(r, status ? EVENT_FAIL : EVENT_RETURN);
    put_writes(r, call, snapshot);
    if (status) {
        put_u8(r, (uint32_t)length);
        put(r, sentence, length);
    } else put_u64(r, adead_foreign_bits((adead_foreign_kind)call->signature->result, call->result));
    r->host->release(r->host->context, snapshot->bytes, (size_t)snapshot->size + 1);
    *snapshot = (adead_snapshot){0};
    return r->failed && !status ? not_taken(failure) : status;
}

void adead_record_callback(adead_recorder *r, const adead_foreign_call *call, adead_snapshot *snapshot, uint32_t param,
                           const uint64_t *values)
{
    if (!r->write) return;
    const adead_callback_type *type = &call->signature->callbacks[call->signature->callback_of[param]];
    put_u8(r, EVENT_CALLBACK);
    put_u32(r, param);
    put_writes(r, call, snapshot);
    for (uint32_t i = 0; i < type->count; i++)
        put_u64(r, adead_foreign_bits((adead_foreign_kind)type->params[i], values[i]));
}

void adead_record_callback_end(adead_recorder *r, const adead_foreign_call *call, adead_snapshot *snapshot, bool returned,
                               uint64_t result)
{
    if (!r->write) return;
    refresh(call, snapshot);
    put_u8(r, returned ? EVENT_CALLBACK_END : EVENT_ENDED);
    if (returned) put_u64(r, result);
}

adead_status adead_record_end(adead_recorder *r, adead_status status, uint64_t fuel, adead_failure *failure)
{
    uint8_t digest[32];
    if (!r->write) return status;
    put_u8(r, EVENT_RUN_END);
    put_u32(r, (uint32_t)status);
    put_u64(r, fuel);
    put_u64(r, r->calls);
    adead_sha256_final(&r->hash, digest);
    if (!r->failed && r->write(r->context, digest, sizeof digest) != 0) r->failed = true;
    return r->failed && !status ? not_taken(failure) : status;
}

/* ---- Checking ---- */

/* Reads a log from `at` on; the first mistake ends reading. */
typedef struct reader {
    const uint8_t *bytes;
    uint64_t       size, at; /* without the digest at the end */
    adead_status   status;
    adead_failure *failure;
} reader;

static void mistake(reader *r, adead_status status, uint64_t at, const char *what)
{
    if (r->status) return;
    r->status = adead_fail(r->failure, status, at, "log: %s", what);
}

static const uint8_t *take(reader *r, uint64_t size)
{
    static const uint8_t zeros[32];
    if (r->status || size > r->size - r->at) {
        mistake(r, ADEAD_TRUNCATED, r->at, "it ends in the middle of an event");
        return zeros;
    }
    const uint8_t *at = r->bytes + r->at;
    r->at += size;
    return at;
}

static uint32_t take_u32(reader *r) { return adead_load_u32(take(r, 4)); }
static uint64_t take_u64(reader *r) { return adead_load_u64(take(r, 8)); }

static void check_writes(reader *r, const adead_signature *s)
{
    for (uint32_t count = take_u32(r); count > 0 && !r->status; count--) {
        uint64_t at = r->at;
        uint32_t param = take_u32(r);
        take_u64(r);
        uint64_t length = take_u64(r);
        if (r->status) return;
        if (param >= s->count || !is_range(s->params[param]))
            mistake(r, ADEAD_BAD_FIELD, at, "something is written to a parameter that is no memory");
        else if (length == 0) mistake(r, ADEAD_BAD_FIELD, at, "nothing is written");
        else if (length > r->size - r->at) mistake(r, ADEAD_TRUNCATED, at, "it ends in what is written");
        else r->at += length;
    }
}

/* Every event in its place: a stack of the calls that run, and whether a callback of each does. */
static void check_events(reader *r, const adead_signature *signatures, uint32_t imports)
{
    struct { uint32_t import; bool in_callback; } stack[ADEAD_FOREIGN_DEPTH];
    uint32_t depth = 0;
    uint64_t calls = 0;
    bool     ended = false; /* in a callback: only the ends of calls follow */
    while (!r->status) {
        uint64_t               at = r->at;
        uint8_t                kind = *take(r, 1);
        bool                   inside = depth > 0 && !stack[depth - 1].in_callback; /* foreign code runs */
        const adead_signature *s = depth ? &signatures[stack[depth - 1].import] : NULL;
        if (r->status) return;
        switch (kind) {
        case EVENT_CALL: {
            uint32_t import = take_u32(r);
            take(r, DIGEST_SIZE);
            if (r->status) return;
            if (inside || ended) return mistake(r, ADEAD_BAD_FIELD, at, "a call begins where the program does not run");
            if (import >= imports) return mistake(r, ADEAD_BAD_FIELD, at, "the program has no such import");
            if (depth == ADEAD_FOREIGN_DEPTH) return mistake(r, ADEAD_BAD_FIELD, at, "calls are nested too deep");
            stack[depth].import = import;
            stack[depth++].in_callback = false;
            calls++;
            break;
        }
        case EVENT_CALLBACK: {
            uint32_t param = take_u32(r);
            if (r->status) return;
            if (!inside || ended) return mistake(r, ADEAD_BAD_FIELD, at, "a callback begins where no foreign function runs");
            if (param >= s->count || s->params[param] != ADEAD_ARG_FN)
                return mistake(r, ADEAD_BAD_FIELD, at, "a parameter that is no function is called back");
            check_writes(r, s);
            take(r, 8 * (uint64_t)s->callbacks[s->callback_of[param]].count);
            stack[depth - 1].in_callback = true;
            break;
        }
        case EVENT_CALLBACK_END:
        case EVENT_ENDED:
            if (inside || !depth || (ended && kind == EVENT_CALLBACK_END))
                return mistake(r, ADEAD_BAD_FIELD, at, "a callback ends that has not begun");
            if (kind == EVENT_CALLBACK_END) take_u64(r);
            else ended = true;
            stack[depth - 1].in_callback = false;
            break;
        case EVENT_RETURN:
        case EVENT_FAIL:
            if (!inside) return mistake(r, ADEAD_BAD_FIELD, at, "a call ends that has not begun");
            check_writes(r, s);
            if (kind == EVENT_RETURN) take_u64(r);
            else {
                take(r, *take(r, 1));
                ended = true;
            }
            depth--;
            break;
        case EVENT_RUN_END:
            take(r, 12);
            if (take_u64(r) != calls || depth) mistake(r, ADEAD_BAD_FIELD, at, "the run ends with calls that are not there");
            if (!r->status && r->at != r->size) mistake(r, ADEAD_TRAILING_BYTES, r->at, "bytes follow the end of the run");
            return;
        default: return mistake(r, ADEAD_BAD_FIELD, at, "no event has this kind");
        }
    }
}

adead_status adead_replay_open(adead_replayer *replayer, const adead_signature *signatures, uint32_t imports,
                               const uint8_t program[32], const void *bytes, uint64_t size, adead_failure *failure)
{
    reader  r = {.bytes = bytes, .failure = failure};
    uint8_t digest[32];
    if (size < sizeof log_magic || memcmp(bytes, log_magic, sizeof log_magic) != 0)
        return adead_fail(failure, ADEAD_BAD_MAGIC, 0, "this is no log of foreign calls: it does not begin with ADEADLOG");
    if (size < HEADER_SIZE + DIGEST_SIZE) return adead_fail(failure, ADEAD_TRUNCATED, size, "log: it ends in its header");
    r.size = size - DIGEST_SIZE;
    r.at = sizeof log_magic;
    uint32_t version = take_u32(&r), reserved = take_u32(&r);
    if (version != LOG_VERSION)
        return adead_fail(failure, ADEAD_BAD_VERSION, sizeof log_magic, "log: its version is %u, not %d", version,
                          LOG_VERSION);
    if (reserved != 0) return adead_fail(failure, ADEAD_BAD_FIELD, sizeof log_magic + 4, "log: a reserved field is not 0");
    if (memcmp(take(&r, 32), program, 32) != 0) {
        adead_fail(failure, ADEAD_BAD_FIELD, HEADER_SIZE - 32, "log: it was recorded with another program");
        return ADEAD_BAD_FIELD;
    }
    check_events(&r, signatures, imports);
    if (r.status) return r.status;
    adead_sha256_digest(bytes, (size_t)r.size, digest);
    if (memcmp(digest, r.bytes + r.size, sizeof digest) != 0)
        return adead_fail(failure, ADEAD_BAD_DIGEST, r.size, "log: its content does not match the SHA-256 at its end");
    uint8_t *copy = replayer->host->allocate(replayer->host->context, (size_t)size);
    if (!copy) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "the host has no memory left for the log");
    memcpy(copy, bytes, (size_t)size);
    replayer->bytes = copy;
    replayer->size = size;
    return ADEAD_OK;
}

void adead_replay_close(adead_replayer *replayer)
{
    if (replayer->bytes) replayer->host->release(replayer->host->context, replayer->bytes, (size_t)replayer->size);
    replayer->bytes = NULL;
}

/* ---- Replaying ---- */

void adead_replay_begin(adead_replayer *replayer)
{
    replayer->at = HEADER_SIZE;
    replayer->calls = 0;
}

static const uint8_t *replay_take(adead_replayer *replayer, uint64_t size)
{
    const uint8_t *at = replayer->bytes + replayer->at; /* the log was checked */
    replayer->at += size;
    return at;
}

static adead_status mismatch(const adead_replayer *replayer, const char *name, const char *what, adead_failure *failure)
{
    return adead_fail(failure, ADEAD_REPLAY_MISMATCH, ADEAD_NO_OFFSET, "call %llu ('%s') is not as recorded: %s",
                      (unsigned long long)replayer->calls, name, what);
}

/* False when something would be written outside of a range. */
static bool apply_writes(adead_replayer *replayer, const adead_foreign_call *call)
{
    for (uint32_t count = adead_load_u32(replay_take(replayer, 4)); count > 0; count--) {
        uint32_t       param = adead_load_u32(replay_take(replayer, 4));
        uint64_t       offset = adead_load_u64(replay_take(replayer, 8)), length = adead_load_u64(replay_take(replayer, 8));
        const uint8_t *bytes = replay_take(replayer, length);
        const adead_foreign_argument *argument = &call->arguments[param];
        if (offset > argument->bytes || length > argument->bytes - offset) return false;
        memcpy((uint8_t *)argument->data + offset, bytes, (size_t)length);
    }
    return true;
}

/* One callback, whose event's kind is read. */
static adead_status replay_callback(adead_replayer *replayer, adead_foreign_call *call, const char *name, bool *ended,
                                    adead_failure *failure)
{
    static const char outside[] = "what it wrote lies outside of its arguments";
    uint32_t          param = adead_load_u32(replay_take(replayer, 4));
    uint64_t          values[ADEAD_CALLBACK_PARAMS], result;
    uint32_t          count = call->signature->callbacks[call->signature->callback_of[param]].count;
    if (!apply_writes(replayer, call)) return mismatch(replayer, name, outside, failure);
    memcpy(values, replay_take(replayer, 8 * (uint64_t)count), 8 * (size_t)count);
    uint64_t number = replayer->calls;
    *ended = !adead_foreign_callback(call, param, values, &result);
    if (*ended) return ADEAD_OK; /* whether it ended as recorded, the end of the run tells */
    bool same = *replay_take(replayer, 1) == EVENT_CALLBACK_END && adead_load_u64(replay_take(replayer, 8)) == result;
    replayer->calls = same ? replayer->calls : number;
    return same ? ADEAD_OK : mismatch(replayer, name, "its callback did something else", failure);
}

adead_status adead_replay_call(adead_replayer *replayer, adead_foreign_call *call, const char *name, adead_failure *failure)
{
    uint8_t  digest[32];
    uint64_t number = ++replayer->calls;
    if (*replay_take(replayer, 1) != EVENT_CALL) return mismatch(replayer, name, "there was no such call", failure);
    uint32_t import = adead_load_u32(replay_take(replayer, 4));
    digest_arguments(call, digest);
    bool same = memcmp(digest, replay_take(replayer, 32), 32) == 0;
    if (import != call->import) return mismatch(replayer, name, "another function was called", failure);
    if (!same) return mismatch(replayer, name, "its arguments differ", failure);
    for (;;) {
        uint8_t      kind = *replay_take(replayer, 1);
        bool         ended = false;
        adead_status status = ADEAD_OK;
        if (kind == EVENT_CALLBACK) {
            status = replay_callback(replayer, call, name, &ended, failure);
            if (status || ended) return status;
            continue;
        }
        if (!apply_writes(replayer, call)) {
            replayer->calls = number;
            return mismatch(replayer, name, "what it wrote lies outside of its arguments", failure);
        }
        if (kind == EVENT_RETURN) {
            call->result = adead_load_u64(replay_take(replayer, 8));
            return ADEAD_OK;
        }
        uint8_t length = *replay_take(replayer, 1);
        return adead_fail(failure, ADEAD_FOREIGN_FAILED, ADEAD_NO_OFFSET, "%.*s", (int)length,
                          (const char *)replay_take(replayer, length));
    }
}

adead_status adead_replay_end(adead_replayer *replayer, adead_status status, uint64_t fuel, adead_failure *failure)
{
    if (status) return status; /* says more */
    const uint8_t *end = replayer->bytes + replayer->size - DIGEST_SIZE - 21;
    uint32_t       recorded = adead_load_u32(end + 1);
    uint64_t       calls = adead_load_u64(end + 13);
    if (recorded != ADEAD_OK)
        return adead_fail(failure, ADEAD_REPLAY_MISMATCH, ADEAD_NO_OFFSET, "the recorded run ended with %s, this one well",
                          adead_status_name((int)recorded));
    if (calls != replayer->calls)
        return adead_fail(failure, ADEAD_REPLAY_MISMATCH, ADEAD_NO_OFFSET,
                          "the recorded run made %llu foreign calls, this %llu", (unsigned long long)calls,
                          (unsigned long long)replayer->calls);
    if (adead_load_u64(end + 5) != fuel)
        return adead_fail(failure, ADEAD_REPLAY_MISMATCH, ADEAD_NO_OFFSET,
                          "the recorded run used %llu units of fuel, this %llu",
                          (unsigned long long)adead_load_u64(end + 5), (unsigned long long)fuel);
    return ADEAD_OK;
}
