/* Runs the blocks of a grid, and does what is too rare or too long for the loops of exec_lanes.h: checked accesses one by
 * one, races in shared memory, conversions, matrices, atomics, copies in flight.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "tests/cuda/exec.h"
#include "tests/cuda/exec_numbers.h"

#include <fenv.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <emmintrin.h>
#endif

/* Sanitized by gcc, functions of this size take minutes to compile otherwise. */
#if defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
#pragma GCC optimize("O1")
#endif

#define BRANCH_LIMIT UINT64_C(4000000000)
#ifdef __clang__
#define VECTOR _Pragma("clang loop vectorize(assume_safety) interleave(disable)")
#pragma clang diagnostic ignored "-Wpass-failed"
#else
#define VECTOR _Pragma("GCC ivdep")
#endif

/* ---- Saying what is wrong ---- */

void exec_fail(worker *k, const warp *w, const insn *in, int lane, int code, const char *format, ...)
{
    if (k->code) return;
    const uint32_t *n = k->launch->block;
    uint32_t        t = w->first + (uint32_t)lane;
    char            text[400];
    va_list         args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    k->code = code;
    k->failed_block = k->block_number;
    snprintf(k->message, sizeof k->message, "kernel %s, PTX line %u, block (%u,%u,%u), thread (%u,%u,%u): %s",
             k->kernel->name, in->line, k->block[0], k->block[1], k->block[2], t % n[0], t / n[0] % n[1], t / n[0] / n[1],
             text);
}

static const char *verb(bool write) { return write ? "writes" : "reads"; }

/* ---- Shared memory ---- */

/* Several of a warp, or those of a warp before its last bar.warp.sync, where a thread's number + 1 stands otherwise. */
ALWAYS uint32_t several_of(uint32_t thread) { return STATE_SEVERAL + thread / LANES; }
ALWAYS uint32_t synced_of(uint32_t thread) { return STATE_SYNCED + thread / LANES; }

/* A thread's access (its number + 1) to one byte, or to a word that is in one piece; false on a race. */
ALWAYS bool touch(uint32_t *state, uint32_t epoch, uint32_t me, bool write)
{
    uint32_t s = *state, synced = synced_of(me - 1);
    if ((s & STATE_EPOCH) != epoch) s = (s & (STATE_WRITTEN | STATE_SPLIT)) | epoch;
    uint32_t writer = s >> STATE_WRITER & STATE_WHO, reader = s & STATE_WHO;
    if (writer && writer != me && writer != synced) return false;
    if (write) {
        if (reader && reader != me && reader != synced) return false;
        s = (s & ~((uint32_t)STATE_WHO << STATE_WRITER)) | STATE_WRITTEN | me << STATE_WRITER;
    } else {
        bool same_warp = (reader <= MAX_THREADS && (reader - 1) / LANES == (me - 1) / LANES) || reader == several_of(me - 1);
        s = (s & ~(uint32_t)STATE_WHO) | (!reader || reader == me || reader == synced ? me
                                          : same_warp                               ? several_of(me - 1)
                                                                                    : (uint32_t)STATE_MANY);
    }
    *state = s;
    return true;
}

/* All threads of a warp have met: what they did is before what they do now. */
static void sync_states(worker *k, uint32_t first)
{
    const uint32_t epoch = k->epoch << 24, low = first + 1, synced = synced_of(first), several = several_of(first);
    bool           split = false;
    uint32_t      *words = k->words, count = k->shared_bytes / 4 + 1;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < count; i++) {
            uint32_t s = words[i], writer = s >> STATE_WRITER & STATE_WHO, reader = s & STATE_WHO;
            uint32_t new_writer = writer - low < LANES ? synced : writer;
            uint32_t new_reader = reader - low < LANES || reader == several ? synced : reader;
            uint32_t changed = (s & (STATE_EPOCH | STATE_WRITTEN | STATE_SPLIT)) | new_writer << STATE_WRITER | new_reader;
            split |= (s & STATE_SPLIT) != 0;
            words[i] = (s & STATE_EPOCH) == epoch ? changed : s;
        }
        if (!split) return;
        words = k->bytes;
        count = k->shared_bytes / 4 * 4 + 4;
    }
}

static uint32_t who(const worker *k, const warp *w, int lane)
{
    return k->launch->check_races ? w->first + (uint32_t)lane + 1 : 1;
}

static bool is_pending(const worker *k, uint32_t at)
{
    for (uint32_t i = 0; i < k->warp_count; i++)
        for (uint32_t j = 0; j < k->warps[i].pending_count; j++) {
            const pending *p = &k->warps[i].pending[j];
            if (at - p->offset < p->size) return true;
        }
    return false;
}

static bool touch_bytes(worker *k, warp *w, const insn *in, int lane, uint32_t offset, uint32_t size, bool write,
                        bool arriving)
{
    uint32_t epoch = k->epoch << 24, me = who(k, w, lane);
    for (uint32_t at = offset; at < offset + size; at++) {
        uint32_t *word = &k->words[at / 4], *bytes = &k->bytes[at / 4 * 4];
        if (!(*word & STATE_SPLIT)) {
            bytes[0] = bytes[1] = bytes[2] = bytes[3] = *word;
            *word = STATE_SPLIT | (*word & STATE_EPOCH);
        }
        uint32_t *state = &bytes[at % 4], before = *state;
        if (!write && !(before & STATE_WRITTEN)) {
            exec_fail(k, w, in, lane, 719, "reads shared memory at 0x%x, which %s", at,
                      is_pending(k, at) ? "a cp.async that nobody waited for will write" : "nobody wrote");
            return false;
        }
        if (!touch(state, epoch, me, write)) {
            uint32_t writer = before >> STATE_WRITER & STATE_WHO, reader = before & STATE_WHO;
            bool     wrote = writer && writer != me && writer != synced_of(me - 1);
            uint32_t other = wrote ? writer : reader;
            if (other > MAX_THREADS)
                exec_fail(k, w, in, lane, 719,
                          "%s shared memory at 0x%x, which other threads %s since the last barrier: a race", verb(write), at,
                          wrote ? "wrote" : "read");
            else
                exec_fail(k, w, in, lane, 719, "%s shared memory at 0x%x, which thread %u %s since the last barrier: a race",
                          verb(write), at, other - 1, wrote ? "wrote" : "read");
            return false;
        }
        if (arriving) *state &= ~(uint32_t)STATE_WRITTEN;
        if (at % 4 == 3 && bytes[0] == bytes[1] && bytes[1] == bytes[2] && bytes[2] == bytes[3]) *word = bytes[0];
    }
    return true;
}

bool exec_shared_slow(worker *k, warp *w, const insn *in, int lane, uint32_t offset, uint32_t size, bool write)
{
    return touch_bytes(k, w, in, lane, offset, size, write, false);
}

/* Bounds and alignment of an access to shared memory. */
static bool shared_fits(worker *k, warp *w, const insn *in, int lane, uint64_t address, uint32_t size, bool write)
{
    if (address >= k->shared_bytes || size > k->shared_bytes - address) {
        exec_fail(k, w, in, lane, 700, "%s %u bytes of shared memory at 0x%llx, the block has %u bytes", verb(write), size,
                  (unsigned long long)address, k->shared_bytes);
        return false;
    }
    if (address % size) {
        exec_fail(k, w, in, lane, 716, "%s %u bytes of shared memory at 0x%llx: misaligned", verb(write), size,
                  (unsigned long long)address);
        return false;
    }
    return true;
}

/* The words of an access, its place being checked. */
ALWAYS bool shared_touch(worker *k, warp *w, const insn *in, int lane, uint32_t offset, uint32_t size, bool write)
{
    if (size < 4) return exec_shared_slow(k, w, in, lane, offset, size, write);
    const uint32_t epoch = k->epoch << 24, me = k->launch->check_races ? w->first + (uint32_t)lane + 1 : 1;
    for (uint32_t j = 0; j < size / 4; j++) {
        uint32_t *state = &k->words[offset / 4 + j], s = *state;
        bool      plain = !(s & STATE_SPLIT) && (write || (s & STATE_WRITTEN));
        if (__builtin_expect(plain, 1) && __builtin_expect(touch(state, epoch, me, write), 1)) continue;
        if (!exec_shared_slow(k, w, in, lane, offset + 4 * j, 4, write)) return false;
    }
    return true;
}

/* ---- Races in global memory ----
 *
 * If they are looked for, a grid runs block after block, and each interval between barriers of a block has a number, its
 * segment. Of each byte is kept who wrote it last and who read it last: segment and thread; or that several threads of the
 * segment read it; or, with the segment of the launch itself, several blocks.
 */
enum { SEGMENT = 11, SEVERAL_THREADS = 2047 };

static bool touch_global(worker *k, warp *w, const insn *in, int lane, uint64_t address, uint32_t size, bool write)
{
    memory  *m = k->launch->memory;
    uint32_t thread = w->first + (uint32_t)lane, me = k->segment << SEGMENT | thread;
    for (uint64_t at = address - m->base; at < address - m->base + size; at++) {
        uint32_t writer = m->writers[at], reader = m->readers[at];
        for (int reading = 0; reading < 1 + write; reading++) { /* a write is after writes and reads, a read after writes */
            uint32_t other = reading ? reader : writer, segment = other >> SEGMENT;
            bool     this_launch = segment >= k->launch_segment, this_block = segment >= k->block_segment;
            if (!this_launch || other == me || (this_block && segment != k->segment)) continue;
            exec_fail(k, w, in, lane, 719, "%s global memory at 0x%llx, which %s %s in the same launch: a race", verb(write),
                      (unsigned long long)(m->base + at), this_block ? "another thread of the block" : "another block",
                      reading ? "reads" : "writes");
            return false;
        }
        if (write) {
            m->writers[at] = me;
            continue;
        }
        uint32_t segment = reader >> SEGMENT;
        if (segment < k->launch_segment || reader == me || (segment >= k->block_segment && segment < k->segment))
            m->readers[at] = me;
        else if (segment == k->segment) m->readers[at] = k->segment << SEGMENT | SEVERAL_THREADS;
        else m->readers[at] = k->launch_segment << SEGMENT;
    }
    return true;
}

/* ---- One access ---- */

static bool global_wrong(worker *k, warp *w, const insn *in, int lane, uint64_t address, uint32_t size, bool write)
{
    char        room[200];
    const char *what =
        address % size ? "is misaligned" : memory_check(k->launch->memory, address, size, !write, room, sizeof room);
    exec_fail(k, w, in, lane, address % size ? 716 : 700, "%s %u bytes at 0x%llx: %s", verb(write), size,
              (unsigned long long)address, what ? what : "not allowed");
    return false;
}

unsigned char *exec_access(worker *k, warp *w, const insn *in, int lane, space where, uint64_t address, uint32_t size,
                           bool write)
{
    const launch *l = k->launch;
    if (where == SPACE_GENERIC) {
        uint64_t window = address & WINDOW_MASK;
        where = SPACE_GLOBAL;
        if (window == SHARED_WINDOW) where = SPACE_SHARED, address -= window;
        else if (window == LOCAL_WINDOW) where = SPACE_LOCAL, address -= window;
        else if (window == PARAM_WINDOW) where = SPACE_PARAM, address -= window;
    }
    if (where == SPACE_SHARED) {
        if (!shared_fits(k, w, in, lane, address, size, write)) return NULL;
        return shared_touch(k, w, in, lane, (uint32_t)address, size, write) ? k->shared + address : NULL;
    }
    if (where == SPACE_LOCAL) {
        uint32_t room = k->kernel->local_bytes;
        if (address >= room || size > room - address || address % size) {
            exec_fail(k, w, in, lane, 700, "%s %u bytes of local memory at 0x%llx; the thread has %u bytes", verb(write),
                      size, (unsigned long long)address, room);
            return NULL;
        }
        uint64_t at = (uint64_t)(w->first + (uint32_t)lane) * room + address;
        if (write) memset(k->local_written + at, 1, size);
        else if (memchr(k->local_written + at, 0, size)) {
            exec_fail(k, w, in, lane, 719, "reads local memory at 0x%llx, which was never written",
                      (unsigned long long)address);
            return NULL;
        }
        return k->local + at;
    }
    if (where == SPACE_PARAM) {
        if (write || address >= k->kernel->param_bytes || size > k->kernel->param_bytes - address || address % size) {
            exec_fail(k, w, in, lane, 700, "%s %u bytes of the parameters at %llu, of which there are %u", verb(write), size,
                      (unsigned long long)address, k->kernel->param_bytes);
            return NULL;
        }
        return k->const_params + address;
    }
    if (where == SPACE_CONST) { /* offsets in the module's variables */
        const module *m = k->kernel->module;
        if (write || address >= m->static_size || size > m->static_size - address) {
            exec_fail(k, w, in, lane, 700, "%s %u bytes of constants at 0x%llx", verb(write), size,
                      (unsigned long long)address);
            return NULL;
        }
        address += m->static_address;
    }
    char room[200];
    if (address % size || memory_check(l->memory, address, size, !write, room, sizeof room)) {
        global_wrong(k, w, in, lane, address, size, write);
        return NULL;
    }
    if (l->memory->writers && where != SPACE_CONST && !touch_global(k, w, in, lane, address, size, write)) return NULL;
    if (write) memory_mark(l->memory, address, size);
    return memory_at(l->memory, address);
}

/* ---- Elements between memory and registers ---- */

ALWAYS uint64_t fetch(const unsigned char *p, unsigned size, bool is_signed)
{
    uint64_t x = 0;
    switch (size) {
    case 1: return is_signed ? (uint64_t)(int64_t)(int8_t)*p : *p;
    case 2: { uint16_t v; memcpy(&v, p, 2); return is_signed ? (uint64_t)(int64_t)(int16_t)v : v; }
    case 4: { uint32_t v; memcpy(&v, p, 4); return is_signed ? (uint64_t)(int64_t)(int32_t)v : v; }
    default: memcpy(&x, p, 8); return x;
    }
}

ALWAYS void load_elements(unsigned char *f, const kernel *kernel, const insn *in, int lane, const unsigned char *p,
                          unsigned size, unsigned count)
{
    const uint32_t *list = &kernel->operands[in->list];
    for (unsigned j = 0; j < count; j++) {
        uint64_t x = fetch(p + j * size, size, in->mode);
        if (in->mode2 >> j & 1) ((uint64_t *)(void *)(f + list[j]))[lane] = x;
        else ((uint32_t *)(void *)(f + list[j]))[lane] = (uint32_t)x;
    }
}

ALWAYS void store_elements(const unsigned char *f, const kernel *kernel, const insn *in, int lane, unsigned char *p,
                           unsigned size, unsigned count)
{
    const uint32_t *list = &kernel->operands[in->list];
    for (unsigned j = 0; j < count; j++) {
        uint64_t x = in->mode2 >> j & 1 ? ((const uint64_t *)(const void *)(f + list[j]))[lane]
                                        : ((const uint32_t *)(const void *)(f + list[j]))[lane];
        memcpy(p + j * size, &x, size); /* little-endian */
    }
}

/* Whether the shadow allows it: all bytes written, or for a store all allocated. */
ALWAYS bool shadow_allows(const unsigned char *s, unsigned size, bool write)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), written = UINT64_C(0x0303030303030303),
                   want = write ? ones : written;
    switch (size) {
    case 1: return (*s & want & 0xFF) == (want & 0xFF);
    case 2: { uint16_t v; memcpy(&v, s, 2); return (v & (uint16_t)want) == (uint16_t)want; }
    case 4: { uint32_t v; memcpy(&v, s, 4); return (v & (uint32_t)want) == (uint32_t)want; }
    case 8: { uint64_t v; memcpy(&v, s, 8); return (v & want) == want; }
    default: {
        uint64_t v, u;
        memcpy(&v, s, 8);
        memcpy(&u, s + 8, 8);
        return (v & u & want) == want;
    }
    }
}

ALWAYS bool move_global(worker *k, warp *w, const insn *in, uint32_t m, unsigned char *f, unsigned char *host,
                        unsigned char *shadow, uint64_t base, uint64_t span, unsigned size, unsigned count, bool write)
{
    const unsigned        total = size * count;
    const uint64_t       *address = (const uint64_t *)(const void *)(f + in->b);
    const uint64_t        more = (uint64_t)in->imm;
    const bool            races = k->launch->memory->writers != NULL;
    for (int i = 0; i < LANES; i++) {
        if (!(m >> i & 1)) continue;
        uint64_t at = address[i] + more, offset = at - base;
        if (__builtin_expect(offset >= span || (at & (total - 1)) || !shadow_allows(shadow + offset, total, write), 0))
            return global_wrong(k, w, in, i, at, total, write);
        if (__builtin_expect(races, 0) && !touch_global(k, w, in, i, at, total, write)) return false;
        if (write) {
            memset(shadow + offset, SHADOW_WRITTEN, total);
            store_elements(f, k->kernel, in, i, host + offset, size, count);
        } else load_elements(f, k->kernel, in, i, host + offset, size, count);
    }
    return true;
}

ALWAYS bool move_shared(worker *k, warp *w, const insn *in, uint32_t m, unsigned char *f, unsigned size, unsigned count,
                        bool write)
{
    const unsigned total = size * count;
    for (int i = 0; i < LANES; i++) {
        if (!(m >> i & 1)) continue;
        uint64_t at = lane_address(w, in, in->b, i);
        if (__builtin_expect(at >= k->shared_bytes || total > k->shared_bytes - at || (at & (total - 1)), 0))
            return shared_fits(k, w, in, i, at, total, write);
        if (__builtin_expect(!shared_touch(k, w, in, i, (uint32_t)at, total, write), 0)) return false;
        if (write) store_elements(f, k->kernel, in, i, k->shared + at, size, count);
        else load_elements(f, k->kernel, in, i, k->shared + at, size, count);
    }
    return true;
}
#define LOAD_GLOBAL(size, count)  move_global(k, w, in, m, f, host, shadow, base, span, size, count, false)
#define STORE_GLOBAL(size, count) move_global(k, w, in, m, f, host, shadow, base, span, size, count, true)
#define LOAD_SHARED(size, count)  move_shared(k, w, in, m, f, size, count, false)
#define STORE_SHARED(size, count) move_shared(k, w, in, m, f, size, count, true)

/* ---- Warps together ---- */

bool exec_reschedule(worker *k, warp *w)
{
    uint32_t ready = w->live & ~w->waiting, group = 0, least = UINT32_MAX;
    w->forced = !ready;
    if (!ready) { /* all wait: those that need fewest others first */
        for (int i = 0; i < LANES; i++)
            if ((w->live >> i & 1) && w->lane_pc[i] < least && k->kernel->code[w->lane_pc[i]].op != OP_BAR)
                least = w->lane_pc[i];
        ready = w->live;
    }
    if (least == UINT32_MAX)
        for (int i = 0; i < LANES; i++)
            if ((ready >> i & 1) && w->lane_pc[i] < least) least = w->lane_pc[i];
    w->other = UINT32_MAX;
    for (int i = 0; i < LANES; i++) {
        if (!(ready >> i & 1)) continue;
        if (w->lane_pc[i] == least) group |= 1u << i;
        else if (!(w->waiting >> i & 1) && w->lane_pc[i] < w->other) w->other = w->lane_pc[i];
    }
    w->waiting &= ~group;
    w->mask = group;
    w->pc = least;
    return true;
}

bool exec_warp(worker *k, warp *w, const insn *in, uint32_t m)
{
    if (in->op == OP_WARPSYNC) {
        if (m == w->live) sync_states(k, w->first);
        return true;
    }
    uint32_t *d = r32(w, in->d);
    if (in->op == OP_VOTE) {
        const uint32_t *a = r32(w, in->a);
        uint32_t        needed = r32(w, in->b)[__builtin_ctz(m)], set = 0;
        for (int i = 0; i < LANES; i++) set |= ((a[i] ^ (in->mode2 ? UINT32_MAX : 0)) & 1) << i;
        set &= needed;
        uint32_t value = in->mode == 3   ? set
                         : in->mode == 0 ? set == needed
                         : in->mode == 1 ? set != 0
                                         : set == 0 || set == needed;
        for (int i = 0; i < LANES; i++)
            if (m >> i & 1) d[i] = in->mode == 3 ? value : 0 - value;
        return true;
    }
    const uint32_t *b = r32(w, in->b), *c = r32(w, in->c);
    uint32_t       *p = r32(w, in->list), a[LANES];
    memcpy(a, r32(w, in->a), sizeof a);
    for (int i = 0; i < LANES; i++) {
        if (!(m >> i & 1)) continue;
        int segment = (int)(c[i] >> 8 & 31), clamp = (int)(c[i] & 31), by = (int)(b[i] & 31);
        int most = (i & segment) | (clamp & ~segment), least = i & segment, j;
        bool valid;
        switch (in->mode) {
        case 0: j = i - by; valid = j >= most; break;
        case 1: j = i + by; valid = j <= most; break;
        case 2: j = i ^ by; valid = j <= most; break;
        default: j = least | (by & ~segment); valid = j <= most;
        }
        if (!valid) j = i;
        if (!(m >> j & 1)) {
            exec_fail(k, w, in, i, 719, "shfl.sync takes from lane %d, which does not take part", j);
            return false;
        }
        d[i] = a[j];
        p[i] = valid ? UINT32_MAX : 0;
    }
    return true;
}

bool exec_matrix(worker *k, warp *w, const insn *in)
{
    if (w->live != UINT32_MAX) {
        exec_fail(k, w, in, 0, 719, "mma needs all 32 threads of the warp");
        return false;
    }
    const uint32_t *o = k->kernel->operands;
    unsigned        rows = in->mode ? 16 : 8, depth = in->mode == 2 ? 32 : 16, halves = in->mode ? 2 : 1;
    int32_t  a[16][32], b[32][8];
    uint32_t c[16][8];
    for (unsigned lane = 0; lane < LANES; lane++) {
        unsigned group = lane / 4, in_group = lane % 4;
        for (unsigned j = 0; j < depth / 16 * halves; j++) { /* registers of A: rows first, then columns */
            uint32_t x = r32(w, o[in->a + j])[lane];
            for (unsigned e = 0; e < 4; e++)
                a[group + 8 * (j % halves)][in_group * 4 + e + 16 * (j / halves)] = byte_of(x, e, in->mode2 & 1);
        }
        for (unsigned j = 0; j < depth / 16; j++) {
            uint32_t x = r32(w, o[in->b + j])[lane];
            for (unsigned e = 0; e < 4; e++) b[in_group * 4 + e + 16 * j][group] = byte_of(x, e, in->mode2 >> 1 & 1);
        }
        for (unsigned j = 0; j < 2 * halves; j++) c[group + 8 * (j / 2)][in_group * 2 + j % 2] = r32(w, o[in->c + j])[lane];
    }
    for (unsigned i = 0; i < rows; i++)
        for (unsigned p = 0; p < depth; p++)
            for (unsigned j = 0; j < 8; j++) c[i][j] += (uint32_t)(a[i][p] * b[p][j]);
    for (unsigned lane = 0; lane < LANES; lane++)
        for (unsigned j = 0; j < 2 * halves; j++)
            r32(w, o[in->d + j])[lane] = c[lane / 4 + 8 * (j / 2)][lane % 4 * 2 + j % 2];
    return true;
}

bool exec_load_matrix(worker *k, warp *w, const insn *in)
{
    if (w->live != UINT32_MAX) {
        exec_fail(k, w, in, 0, 719, "ldmatrix needs all 32 threads of the warp");
        return false;
    }
    uint16_t rows[8][8];
    for (unsigned j = 0; j < in->count; j++) {
        for (unsigned i = 0; i < 8; i++) {
            int      lane = (int)(8 * j + i);
            uint64_t at = lane_address(w, in, in->b, lane);
            if (!shared_fits(k, w, in, lane, at, 16, false)) return false;
            /* The thread that gives the address reads for others: only reads, so whose they are does not matter. */
            if (!shared_touch(k, w, in, lane, (uint32_t)at, 16, false)) return false;
            memcpy(rows[i], k->shared + at, 16);
        }
        uint32_t *d = r32(w, k->kernel->operands[in->list + j]);
        for (unsigned lane = 0; lane < LANES; lane++) {
            unsigned r = lane / 4, c = lane % 4 * 2;
            d[lane] = in->mode ? rows[c][r] | (uint32_t)rows[c + 1][r] << 16 : rows[r][c] | (uint32_t)rows[r][c + 1] << 16;
        }
    }
    return true;
}

/* ---- Atomics and copies in flight ---- */

static uint64_t combine(unsigned mode, bool is_signed, bool wide, uint64_t old, uint64_t c, uint64_t a)
{
    int64_t so = wide ? (int64_t)old : (int32_t)old, sc = wide ? (int64_t)c : (int32_t)c;
    switch (mode) {
    case 0: return old + c;
    case 1: return old & c;
    case 2: return old | c;
    case 3: return old ^ c;
    case 4: return is_signed ? (so < sc ? old : c) : old < c ? old : c;
    case 5: return is_signed ? (so > sc ? old : c) : old > c ? old : c;
    case 6: return old >= c ? 0 : old + 1;
    case 7: return old == 0 || old > c ? c : old - 1;
    case 8: return c;
    default: return old == c ? a : old;
    }
}

bool exec_atomic(worker *k, warp *w, const insn *in, uint32_t m)
{
    static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
    bool                   wide = in->size == 8, is_signed = in->op % 2;
    for (int i = 0; i < LANES; i++) {
        if (!(m >> i & 1)) continue;
        uint64_t address = lane_address(w, in, in->b, i);
        bool shared = in->space == SPACE_SHARED || (in->space == SPACE_GENERIC && (address & WINDOW_MASK) == SHARED_WINDOW);
        uint64_t old = 0, c = wide ? r64(w, in->c)[i] : r32(w, in->c)[i], a = wide ? r64(w, in->a)[i] : r32(w, in->a)[i];
        pthread_mutex_lock(&one);
        unsigned char *p;
        if (shared) { /* atomic operations do not race with each other: only that it is written is checked */
            uint64_t at = in->space == SPACE_SHARED ? address : address - SHARED_WINDOW;
            p = shared_fits(k, w, in, i, at, in->size, true) ? k->shared + at : NULL;
            for (uint32_t j = 0; p && j < in->size / 4u; j++) {
                uint32_t s = k->words[at / 4 + j];
                if ((s & STATE_SPLIT) || (s & STATE_WRITTEN)) continue;
                exec_fail(k, w, in, i, 719, "atom of shared memory at 0x%llx, which nobody wrote", (unsigned long long)at);
                p = NULL;
            }
        } else {
            char room[200]; /* these are no races either */
            bool bad = address % in->size || memory_check(k->launch->memory, address, in->size, true, room, sizeof room);
            if (bad) global_wrong(k, w, in, i, address, in->size, false);
            p = bad ? NULL : memory_at(k->launch->memory, address);
        }
        if (p) {
            memcpy(&old, p, in->size);
            uint64_t new = combine(in->mode, is_signed, wide, old, c, a);
            memcpy(p, &new, in->size);
        }
        pthread_mutex_unlock(&one);
        if (!p) return false;
        if (wide) r64(w, in->d)[i] = old;
        else r32(w, in->d)[i] = (uint32_t)old;
    }
    return true;
}

bool exec_copy_async(worker *k, warp *w, const insn *in, uint32_t m)
{
    const int32_t   from_offset = (int32_t)k->kernel->operands[in->list];
    const uint32_t *bytes = r32(w, in->c);
    for (int i = 0; i < LANES; i++) {
        if (!(m >> i & 1)) continue;
        uint64_t to = lane_address(w, in, in->a, i), from = r64(w, in->b)[i] + (uint64_t)(int64_t)from_offset;
        if (!shared_fits(k, w, in, i, to, in->size, true)) return false;
        if (bytes[i] > in->size) {
            exec_fail(k, w, in, i, 719, "cp.async of %u bytes out of %u", in->size, bytes[i]);
            return false;
        }
        if (from % in->size) return global_wrong(k, w, in, i, from, in->size, false);
        pending p = {.lane = (uint32_t)i, .offset = (uint32_t)to, .size = in->size, .group = w->groups[i]};
        char    room[200];
        if (bytes[i] && memory_check(k->launch->memory, from, bytes[i], true, room, sizeof room)) {
            exec_fail(k, w, in, i, 700, "cp.async reads %u bytes at 0x%llx: %s", bytes[i], (unsigned long long)from, room);
            return false;
        }
        if (k->launch->memory->writers && !touch_global(k, w, in, i, from, bytes[i], false)) return false;
        if (bytes[i]) memcpy(p.bytes, memory_at(k->launch->memory, from), bytes[i]);
        if (!touch_bytes(k, w, in, i, p.offset, p.size, true, true)) return false;
        if (w->pending_count == w->pending_room) {
            w->pending_room = w->pending_room ? 2 * w->pending_room : 256;
            pending *more = realloc(w->pending, w->pending_room * sizeof *more);
            if (!more) abort();
            w->pending = more;
        }
        w->pending[w->pending_count++] = p;
    }
    return true;
}

bool exec_copy_wait(worker *k, warp *w, const insn *in, uint32_t m)
{
    uint32_t kept = 0;
    bool     fine = true;
    for (uint32_t j = 0; j < w->pending_count; j++) {
        pending p = w->pending[j];
        bool    arrives = (m >> p.lane & 1) && (in->mode || (int64_t)p.group < (int64_t)w->groups[p.lane] - in->imm);
        if (!arrives) {
            w->pending[kept++] = p;
            continue;
        }
        fine = fine && touch_bytes(k, w, in, (int)p.lane, p.offset, p.size, true, false);
        memcpy(k->shared + p.offset, p.bytes, p.size);
    }
    w->pending_count = kept;
    return fine;
}

/* ---- The warp, for each instruction set ---- */

ALWAYS uint32_t pack(const uint32_t *p)
{
    uint32_t m = 0;
#if defined(__x86_64__)
    for (int i = 0; i < LANES; i += 4) m |= (uint32_t)_mm_movemask_ps(_mm_loadu_ps((const f32 *)(const void *)(p + i))) << i;
#else
    for (int i = 0; i < LANES; i++) m |= p[i] >> 31 << i;
#endif
    return m;
}

#define RUN_WARP run_warp_plain
#include "tests/cuda/exec_lanes.h"
#undef RUN_WARP

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#define HAVE_AVX2_WARP 1
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma,popcnt,lzcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,popcnt,lzcnt")
#endif
#define RUN_WARP run_warp_avx2
#include "tests/cuda/exec_lanes.h"
#undef RUN_WARP
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

/* AVX2, FMA and the registers' upper halves being saved by the system. */
static bool has_avx2(void)
{
    unsigned a, b, c, d, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (~c & (1u << 12 | 1u << 23 | 1u << 27 | 1u << 28))) return false;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low & 6) != 6 || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & 1u << 5)) return false;
    return __get_cpuid(0x80000001, &a, &b, &c, &d) && (c & 1u << 5);
}
#endif

/* ---- Blocks ---- */

static void next_interval(worker *k)
{
    k->segment++;
    if (++k->epoch < 256) return;
    k->epoch = 1; /* interval numbers start again: forget who accessed what */
    for (uint32_t i = 0; i < k->shared_bytes / 4 + 1; i++) {
        k->words[i] &= STATE_WRITTEN | STATE_SPLIT;
        for (uint32_t j = 0; j < 4; j++) k->bytes[4 * i + j] &= STATE_WRITTEN;
    }
}

static void broadcast(const warp *w, unsigned which, uint32_t value)
{
    uint32_t *r = r32(w, SPECIAL_SLOT(which));
    for (int i = 0; i < LANES; i++) r[i] = value;
}

/* What stays the same from block to block. */
static void prepare(worker *k)
{
    const launch *l = k->launch;
    for (uint32_t n = 0; n < k->warp_count; n++) {
        warp *w = &k->warps[n];
        w->frame = k->frames + (size_t)n * k->kernel->frame_bytes;
        w->first = n * LANES;
        for (uint32_t i = 0; i < k->kernel->constant_count; i++) {
            const constant *c = &k->kernel->constants[i];
            for (int j = 0; j < LANES; j++)
                if (c->wide) r64(w, c->slot)[j] = c->value;
                else r32(w, c->slot)[j] = (uint32_t)c->value;
        }
        for (uint32_t i = 0; i < LANES; i++) {
            uint32_t t = w->first + i;
            r32(w, SPECIAL_SLOT(SR_TIDX))[i] = t % l->block[0];
            r32(w, SPECIAL_SLOT(SR_TIDY))[i] = t / l->block[0] % l->block[1];
            r32(w, SPECIAL_SLOT(SR_TIDZ))[i] = t / l->block[0] / l->block[1];
            r32(w, SPECIAL_SLOT(SR_LANE))[i] = i;
            r32(w, SPECIAL_SLOT(SR_EQ))[i] = 1u << i;
            r32(w, SPECIAL_SLOT(SR_LT))[i] = (1u << i) - 1;
            r32(w, SPECIAL_SLOT(SR_LE))[i] = (1u << i) * 2 - 1;
            r32(w, SPECIAL_SLOT(SR_GE))[i] = 0 - (1u << i);
            r32(w, SPECIAL_SLOT(SR_GT))[i] = 0 - (1u << i) * 2;
        }
        for (unsigned d = 0; d < 3; d++) {
            broadcast(w, SR_NTIDX + d, l->block[d]);
            broadcast(w, SR_NCTAX + d, l->grid[d]);
        }
        broadcast(w, SR_WARP, n);
        broadcast(w, SR_NWARP, k->warp_count);
        broadcast(w, SR_DYNAMIC, l->dynamic_bytes);
        broadcast(w, SR_SMID, 0);
        broadcast(w, SR_NSMID, 1);
    }
}

static void run_block(worker *k, void (*run_warp)(worker *, warp *))
{
    const kernel *kernel = k->kernel;
    memset(k->shared, 0xCD, k->shared_bytes);
    memset(k->words, 0, (k->shared_bytes / 4 + 1) * sizeof *k->words);
    if (kernel->local_bytes) memset(k->local_written, 0, (size_t)k->threads * kernel->local_bytes);
    k->epoch = 1;
    k->block_segment = ++k->segment;
    k->branches = 0;
    for (uint32_t n = 0; n < k->warp_count; n++) {
        warp    *w = &k->warps[n];
        uint32_t left = k->threads - w->first;
        w->live = w->mask = left >= LANES ? UINT32_MAX : (1u << left) - 1;
        w->waiting = w->pc = w->pending_count = 0;
        w->other = UINT32_MAX;
        w->forced = false;
        w->status = WARP_READY;
        memset(w->groups, 0, sizeof w->groups);
        for (unsigned d = 0; d < 3; d++) broadcast(w, SR_CTAX + d, k->block[d]);
    }
    for (;;) {
        uint32_t waiting = 0, ended = 0;
        for (uint32_t n = 0; n < k->warp_count; n++) {
            warp *w = &k->warps[n];
            if (w->status != WARP_DONE) run_warp(k, w);
            if (w->status == WARP_FAILED) return;
            if (w->status == WARP_DONE && w->pending_count) {
                exec_fail(k, w, &kernel->code[kernel->code_count - 1], (int)w->pending[0].lane, 719,
                          "ends with a cp.async that it has not waited for");
                return;
            }
            if (w->status == WARP_BARRIER) waiting++;
            else ended++;
        }
        if (!waiting) return;
        const warp *first = NULL;
        for (uint32_t n = 0; n < k->warp_count; n++) {
            const warp *w = &k->warps[n];
            if (w->status != WARP_BARRIER) continue;
            if (!first) first = w;
            const insn *in = &kernel->code[w->pc - 1], *other = &kernel->code[first->pc - 1];
            int         lane = __builtin_ctz(w->live);
            uint32_t    threads = k->threads - w->first;
            bool        whole = w->live == (threads >= LANES ? UINT32_MAX : (1u << threads) - 1);
            if (ended || !whole)
                exec_fail(k, w, in, lane, 720, "waits at a barrier that threads of the block never reach, since they ended");
            else if (w->pc != first->pc)
                exec_fail(k, w, in, lane, 720, "waits at this barrier while thread %u waits at the one of line %u",
                          first->first, other->line);
            else if (r32(w, in->a)[lane] != r32(first, other->a)[__builtin_ctz(first->live)] || r32(w, in->a)[lane] > 15)
                exec_fail(k, w, in, lane, 720, "waits at barrier %u", r32(w, in->a)[lane]);
            if (k->code) return;
        }
        next_interval(k);
    }
}

typedef struct shared_run {
    const launch    *launch;
    pthread_mutex_t  lock;
    uint64_t         next, total;
    int              code;
    uint64_t         failed_block;
    char            *message;
    size_t           room;
} shared_run;

static uint64_t executed;
uint64_t run_thread_instructions(void) { return __atomic_load_n(&executed, __ATOMIC_RELAXED); }

static void *work(void *argument)
{
    shared_run   *run = argument;
    const launch *l = run->launch;
    const kernel *kernel = l->kernel;
    worker       *k = calloc(1, sizeof *k);
    fenv_t        environment;
    if (!k) abort();
    fegetenv(&environment);
    fesetenv(FE_DFL_ENV);
    k->launch = l;
    k->kernel = kernel;
    k->threads = l->block[0] * l->block[1] * l->block[2];
    k->warp_count = (k->threads + LANES - 1) / LANES;
    k->shared_bytes = kernel->shared_bytes + l->dynamic_bytes;
    k->frames = aligned_alloc(128, (size_t)k->warp_count * kernel->frame_bytes);
    k->shared = malloc(k->shared_bytes + 16);
    k->words = calloc(k->shared_bytes / 4 + 2, sizeof *k->words);
    k->bytes = calloc(k->shared_bytes / 4 * 4 + 8, sizeof *k->bytes);
    k->local = malloc((size_t)k->threads * kernel->local_bytes + 1);
    k->local_written = malloc((size_t)k->threads * kernel->local_bytes + 1);
    k->const_params = malloc(kernel->param_bytes + 16);
    if (!k->frames || !k->shared || !k->words || !k->bytes || !k->local || !k->local_written || !k->const_params) abort();
    memset(k->frames, 0xCB, (size_t)k->warp_count * kernel->frame_bytes);
    if (kernel->param_bytes) memcpy(k->const_params, l->params, kernel->param_bytes);
    void (*run_warp)(worker *, warp *) = run_warp_plain;
#ifdef HAVE_AVX2_WARP
    if (has_avx2()) run_warp = run_warp_avx2;
#endif
    prepare(k);
    k->launch_segment = k->segment = l->memory->segment + 1;
    for (;;) {
        pthread_mutex_lock(&run->lock);
        uint64_t n = run->code ? run->total : run->next++;
        pthread_mutex_unlock(&run->lock);
        if (n >= run->total) break;
        uint64_t b = l->reversed ? run->total - 1 - n : n;
        k->block_number = n;
        k->block[0] = (uint32_t)(b % l->grid[0]);
        k->block[1] = (uint32_t)(b / l->grid[0] % l->grid[1]);
        k->block[2] = (uint32_t)(b / l->grid[0] / l->grid[1]);
        run_block(k, run_warp);
        if (!k->code) continue;
        pthread_mutex_lock(&run->lock);
        if (!run->code || k->failed_block < run->failed_block) {
            run->code = k->code;
            run->failed_block = k->failed_block;
            snprintf(run->message, run->room, "%s", k->message);
        }
        pthread_mutex_unlock(&run->lock);
        break;
    }
    if (l->memory->writers) l->memory->segment = k->segment;
    __atomic_fetch_add(&executed, k->instructions, __ATOMIC_RELAXED);
    for (uint32_t n = 0; n < MAX_WARPS; n++) free(k->warps[n].pending);
    free(k->frames), free(k->shared), free(k->words), free(k->bytes), free(k->local), free(k->local_written),
        free(k->const_params);
    free(k);
    fesetenv(&environment);
    return NULL;
}

int run_grid(const launch *l, char *message, size_t room)
{
    shared_run run = {.launch = l, .lock = PTHREAD_MUTEX_INITIALIZER, .message = message, .room = room};
    run.total = (uint64_t)l->grid[0] * l->grid[1] * l->grid[2];
    pthread_t threads[16];
    unsigned  wanted = l->workers > 16 ? 16 : l->workers, started = 0;
    if (l->memory->writers) {
        wanted = 1;
        if (l->memory->segment > 1u << 20) memory_forget_races(l->memory);
    }
    if (run.total < wanted) wanted = (unsigned)run.total;
    while (started + 1 < wanted && pthread_create(&threads[started], NULL, work, &run) == 0) started++;
    work(&run);
    for (unsigned i = 0; i < started; i++) pthread_join(threads[i], NULL);
    return run.code;
}
