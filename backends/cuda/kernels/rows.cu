/* Rows: maxima and plain sums in the canonical order, and what is made of them.
 *
 * A block of 256 terms is four threads' work: each has four of the 16 lanes, so that it reads 16 bytes at a time, 16 times,
 * four of them under way at once. A team of threads has 64 numbers each of a row; if that is the whole row, it is read
 * once and kept in shared memory (32 KB a thread block, where each thread reads what it wrote: 16 bytes a thread side by
 * side, no bank twice); longer rows are read again for each sweep.
 */
#include "functions.h"

enum { THREADS = 128, STEPS = 16, AT_ONCE = 4 };

SHARED vector kept_numbers[STEPS][THREADS];
SHARED u32  shared_words[THREADS], shared_places[THREADS];

typedef struct team {
    u64  from, to, columns, limit; /* of a team without a row the limit is 0 */
    u32  size, leader, quad, steps;
    bool aligned, kept;
} team;

INLINE u64 row_of(const adead_cu_rows *g) { return (u64)GROUP_X * (THREADS / g->team) + THREAD / g->team; }

INLINE team team_of(const adead_cu_rows *g)
{
    u64  row = row_of(g);
    bool inside = row < g->rows;
    team t;
    t.columns = g->columns;
    t.limit = inside ? t.columns : 0;
    t.from = g->from + (inside ? 4 * row * t.columns : 0);
    t.to = g->to + 4 * row * t.columns;
    t.size = g->team;
    t.leader = THREAD & ~(t.size - 1);
    t.quad = (THREAD - t.leader) / 4;
    t.steps = (u32)least((t.columns + LANES - 1) / LANES, STEPS);
    t.aligned = g->from % 16 == 0 && t.columns % 4 == 0;
    t.kept = t.columns <= 64 * (u64)t.size;
    return t;
}

/* The thread's first place in the blocks from `start` on; step r is at 16 r from there. */
INLINE u64 first_place(const team *t, u64 start) { return start + BLOCK * t->quad + 4 * (THREAD % 4); }

/* How many numbers there are from `first` on: exact where it matters, from 0 to 256. */
INLINE i32 rest_from(const team *t, u64 first) { return first < t->limit ? (i32)least(t->limit - first, BLOCK) : 0; }

/* Of them, those of the four at step r. */
INLINE u32 count_at(i32 rest, u32 r)
{
    i32 count = rest - LANES * (i32)r;
    return count < 0 ? 0 : count > 4 ? 4 : (u32)count;
}

/* Steps r to r + 3. What lies outside the row is any number. */
INLINE void fetch(const team *t, bool again, u64 first, i32 rest, u32 r, four v[AT_ONCE])
{
    u64 from = t->from + 4 * (first + LANES * r);
    if (again && t->kept) {
        UNROLL for (u32 j = 0; j < AT_ONCE; j++) v[j] = floats_of(words_of(kept_numbers[r + j][THREAD]));
    } else if (t->aligned) {
        UNROLL for (u32 j = 0; j < AT_ONCE; j++)
            v[j] = floats_of(load_whole(LANES * (i32)(r + j) < rest ? from + 4 * LANES * j : t->from));
    } else {
        UNROLL for (u32 j = 0; j < AT_ONCE; j++)
            UNROLL for (u32 e = 0; e < 4; e++) {
                bool inside = LANES * (i32)(r + j) + (i32)e < rest;
                v[j].at[e] = float_of(load_if(inside, from + 4 * (LANES * j + e), 0));
            }
    }
}

INLINE void keep(const team *t, u32 r, const four v[AT_ONCE])
{
    if (!t->kept) return;
    UNROLL for (u32 j = 0; j < AT_ONCE; j++) kept_numbers[r + j][THREAD] = vector_of(bits_of_four(v[j]));
}

INLINE void put(const team *t, u64 first, i32 rest, u32 r, four v)
{
    u32 count = count_at(rest, r);
    if (count) store_four(t->to + 4 * (first + LANES * r), count, v);
}

/* ---- Plain sums ---- */

enum { ITSELF, EXPONENTIAL, SQUARE };

/* What is added up: x, exp(x - offset), which is kept in its place, or (x - offset)^2. */
INLINE f32 term_of(int kind, f32 x, f32 offset)
{
    if (kind == ITSELF) return x;
    f32 d = x - offset;
    return kind == SQUARE ? d * d : adn1_exp(d);
}

INLINE f32 from_thread(f32 x, u32 distance)
{
    return float_of((u32)__nvvm_shfl_sync_down_i32(EVERY_LANE, (i32)bits_of(x), (i32)distance, 31));
}

/* Every thread of the team gets the sum. */
INLINE f32 plain_sum(const team *t, int kind, f32 offset, bool again)
{
    f32 total = 0.0f;
    ROLLED for (u64 start = 0; start < t->columns; start += 64 * (u64)t->size) {
        u64  first = first_place(t, start);
        i32  rest = rest_from(t, first);
        four s = {{0.0f, 0.0f, 0.0f, 0.0f}};
        ROLLED for (u32 r = 0; r < t->steps; r += AT_ONCE) {
            four v[AT_ONCE];
            fetch(t, again, first, rest, r, v);
            if (!again) keep(t, r, v);
            UNROLL for (u32 j = 0; j < AT_ONCE; j++) {
                i32 count = rest - LANES * (i32)(r + j);
                UNROLL for (u32 e = 0; e < 4; e++) {
                    f32 term = term_of(kind, v[j].at[e], offset);
                    if (kind == EXPONENTIAL) v[j].at[e] = term;
                    s.at[e] = s.at[e] + ((i32)e < count ? term : 0.0f);
                }
            }
            if (kind == EXPONENTIAL) keep(t, r, v);
        }
        UNROLL for (int e = 0; e < 4; e++) s.at[e] = s.at[e] + from_thread(s.at[e], 2);
        UNROLL for (int e = 0; e < 4; e++) s.at[e] = s.at[e] + from_thread(s.at[e], 1);
        f32 sum = (s.at[0] + s.at[2]) + (s.at[1] + s.at[3]);
        BARRIER();
        if (THREAD % 4 == 0) shared_words[THREAD / 4] = bits_of(sum);
        BARRIER();
        ROLLED for (u32 b = 0; b < t->size / 4 && start + BLOCK * b < t->columns; b++)
            total = total + float_of(shared_words[t->leader / 4 + b]);
    }
    return total;
}

/* ---- Maxima ---- */

typedef struct best { i32 key; u32 place; } best;

/* The greater key; of equal ones the first place. */
INLINE best better(best a, i32 key, u32 place)
{
    bool other = key > a.key || (key == a.key && place < a.place);
    return other ? (best){key, place} : a;
}

/* The greatest key, at least `lowest`, and the first place where it is, for every thread of the team. */
INLINE best greatest(const team *t, i32 lowest, bool sizes, bool places)
{
    best b = {lowest, 0xFFFFFFFFu};
    ROLLED for (u64 start = 0; start < t->columns; start += 64 * (u64)t->size) {
        u64 first = first_place(t, start);
        i32 rest = rest_from(t, first);
        ROLLED for (u32 r = 0; r < t->steps; r += AT_ONCE) {
            four v[AT_ONCE];
            fetch(t, false, first, rest, r, v);
            keep(t, r, v);
            UNROLL for (u32 j = 0; j < AT_ONCE; j++) {
                i32 count = rest - LANES * (i32)(r + j);
                UNROLL for (u32 e = 0; e < 4; e++) {
                    i32 key = key_of(sizes ? absolute(v[j].at[e]) : v[j].at[e]);
                    u32 place = places ? (u32)first + LANES * (r + j) + e : 0;
                    if ((i32)e < count && key > b.key) b = (best){key, place};
                }
            }
        }
    }
    BARRIER();
    shared_words[THREAD] = (u32)b.key;
    shared_places[THREAD] = b.place;
    ROLLED for (u32 h = t->size / 2; h > 0; h /= 2) {
        BARRIER();
        if (THREAD - t->leader < h) {
            b = better(b, (i32)shared_words[THREAD + h], shared_places[THREAD + h]);
            shared_words[THREAD] = (u32)b.key;
            shared_places[THREAD] = b.place;
        }
    }
    BARRIER();
    return (best){(i32)shared_words[t->leader], shared_places[t->leader]};
}

/* ---- The operations ---- */

#define MINUS_INFINITY float_of(0xFF800000u)

KERNEL rows_softmax(adead_cu_rows g)
{
    team t = team_of(&g);
    f32  m = float_of_key(greatest(&t, key_of(MINUS_INFINITY), false, false).key);
    f32  inverse = 1.0f / plain_sum(&t, EXPONENTIAL, m, true);
    ROLLED for (u64 start = 0; start < t.columns; start += 64 * (u64)t.size) {
        u64 first = first_place(&t, start);
        i32 rest = rest_from(&t, first);
        ROLLED for (u32 r = 0; r < t.steps; r += AT_ONCE) {
            four v[AT_ONCE];
            fetch(&t, true, first, rest, r, v);
            if (!t.kept)
                UNROLL for (u32 j = 0; j < AT_ONCE; j++)
                    UNROLL for (u32 e = 0; e < 4; e++) v[j].at[e] = adn1_exp(v[j].at[e] - m);
            UNROLL for (u32 j = 0; j < AT_ONCE; j++) {
                UNROLL for (u32 e = 0; e < 4; e++) v[j].at[e] = canonical(v[j].at[e] * inverse);
                put(&t, first, rest, r + j, v[j]);
            }
        }
    }
}

KERNEL rows_layernorm(adead_cu_rows g)
{
    team t = team_of(&g);
    f32  part = float_of(g.part);
    f32  mean = plain_sum(&t, ITSELF, 0.0f, false) * part;
    f32  variance = plain_sum(&t, SQUARE, mean, true) * part;
    f32  inverse = 1.0f / __builtin_sqrtf(variance + float_of(g.epsilon));
    ROLLED for (u64 start = 0; start < t.columns; start += 64 * (u64)t.size) {
        u64 first = first_place(&t, start);
        i32 rest = rest_from(&t, first);
        ROLLED for (u32 r = 0; r < t.steps; r += AT_ONCE) {
            four v[AT_ONCE];
            fetch(&t, true, first, rest, r, v);
            UNROLL for (u32 j = 0; j < AT_ONCE; j++) {
                u64  i = first + LANES * (r + j);
                u32  count = count_at(rest, r + j);
                four gamma = load_four(g.gamma + 4 * i, count), beta = load_four(g.beta + 4 * i, count);
                UNROLL for (u32 e = 0; e < 4; e++)
                    v[j].at[e] = canonical(fma((v[j].at[e] - mean) * inverse, gamma.at[e], beta.at[e]));
                put(&t, first, rest, r + j, v[j]);
            }
        }
    }
}

/* One word a row, by the team's first thread. */
INLINE void give(const adead_cu_rows *g, const team *t, u32 word)
{
    u64 row = row_of(g);
    if (row < g->rows && THREAD == t->leader) AT(u32, g->to + 4 * row) = word;
}

KERNEL rows_sum(adead_cu_rows g)
{
    team t = team_of(&g);
    t.kept = false;
    give(&g, &t, bits_of(canonical(plain_sum(&t, ITSELF, 0.0f, false))));
}

KERNEL rows_max(adead_cu_rows g)
{
    team t = team_of(&g);
    t.kept = false;
    give(&g, &t, bits_of(float_of_key(greatest(&t, key_of(MINUS_INFINITY), false, false).key)));
}

KERNEL rows_argmax(adead_cu_rows g)
{
    team t = team_of(&g);
    t.kept = false;
    give(&g, &t, greatest(&t, (i32)0x80000000u, false, true).place);
}

KERNEL rows_quantize_scale(adead_cu_rows g)
{
    team t = team_of(&g);
    t.kept = false;
    give(&g, &t, bits_of(canonical(float_of_key(greatest(&t, 0, true, false).key) / 127.0f)));
}
