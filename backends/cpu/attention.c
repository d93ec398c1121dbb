/* Attention on the backend `cpu`, for one head or many.
 *
 * The keys and values of a head are packed once, for all rows of queries and all threads. A part of the work is then a
 * block of rows of one head, whose scores (rows x seq) fit the second-level cache:
 *
 *   1. Scores, keys down and queries across: products of packed keys and packed queries, kept as the packed slivers that the
 *      second product wants. Tiles of the products lie with their columns, and so their vectors, across queries.
 *   2. Softmax down the columns (attention/attention.h): maxima as the scores come, exp and the canonical sums in blocks of
 *      256 keys, and multiplication by 1 / sum just before the second product reads a block.
 *   3. Result, channels down and queries across: packed values times packed weights, a block of 256 keys at a time in
 *      ascending order, which is the canonical contraction; then it goes to its rows.
 *
 * Causal. The mask is a term: +0 for a key up to the query's own, -infinity for one after it. The +0 only makes +0 of a
 * score of -0, and exp(x - m) does not depend on the sign of a zero, so it is left out. -infinity makes -infinity of a
 * finite score, whose weight is +0, and NaN of a NaN or +infinity. Adding it before the scaling instead of after gives the
 * same three cases. A sliver's keys after its last query are not computed at all when the largest magnitudes of its queries
 * and of all keys show that no score can overflow, and all values are finite: then each weight there is +0, adds nothing
 * to the sum, and times a value is +0 or -0, which changes nothing but a sum of -0; see finish_zeros.
 */
#include "device.h"

#include "attention/attention.h"

#include <math.h>

/* The scores and results of a block of rows take at most this many floats, if it has more than one sliver of queries. */
enum { BLOCK_FLOATS = 9 << 15, BLOCK_QUERIES = 64 };
/* Heads are packed together up to this many floats, so that the second-level cache still has them when they are used; but at
 * least one, and so many that there are some parts for each thread. */
enum { GROUP_FLOATS = 1 << 17, PARTS_A_THREAD = 4 };
/* After so many tiles their maxima are taken, before they leave the first-level cache. */
enum { TILES_TOGETHER = 4 };
enum { KC = ADEAD_GEMM_KC };

typedef struct attention {
    const adead_gemm_kernels      *gemm;
    const adead_attention_kernels *kernels;
    void (*transpose)(const adead_cpu_f32 *src, uint64_t src_row, adead_cpu_f32 *dst, uint64_t dst_row, uint64_t rows,
                      uint64_t columns);
    const adead_tensor_op         *op;
    uint64_t seq, row, dim; /* row: floats from one token to the next, the dims of all heads */
    uint64_t mr, nr;
    float    scale;
    bool     causal;
    uint64_t key_height, channel_height;           /* rows of the products' tiles: at most mr, and as even as they can be */
    uint64_t key_tiles, channel_tiles, key_blocks; /* of a head; key_blocks of 256 */
    uint64_t key_floats, value_floats, query_floats; /* a head's packed keys and values, a sliver of packed queries */
    uint64_t slivers, blocks; /* slivers of queries in a block of rows; blocks of rows of a head */
    uint64_t first_head;      /* of the group at work */
    float   *packed;          /* keys, then values of each head of the group */
    float   *magnitudes;      /* of each head: each part's of keys, then each part's of values */
    char    *work;            /* work_bytes for each thread: queries, scores, results, then maxima and sums */
    uint64_t work_bytes;
} attention;

/* Floats of a sliver of `width` rows or columns; they start at multiples of 64 bytes. */
static uint64_t sliver_floats(uint64_t width, uint64_t depth) { return adead_divide_up(width * depth, 16) * 16; }

/* Floats of `count` slivers of each block of the contraction over `depth` steps, block by block. */
static uint64_t packed_floats(uint64_t width, uint64_t count, uint64_t depth)
{
    return count * (depth / KC * sliver_floats(width, KC) + sliver_floats(width, depth % KC));
}

/* Sliver `i` of the block that begins at step `from`, of the same. */
static float *sliver_at(float *packed, uint64_t width, uint64_t count, uint64_t depth, uint64_t from, uint64_t i)
{
    uint64_t here = sliver_floats(width, adead_min_u64(KC, depth - from));
    return packed + count * (from / KC) * sliver_floats(width, KC) + i * here;
}

static float *packed_keys(const attention *at, uint64_t head) /* of the group */
{
    return at->packed + head * (at->key_floats + at->value_floats);
}

static float *packed_values(const attention *at, uint64_t head) { return packed_keys(at, head) + at->key_floats; }

/* ---- Packing: parts of at most 256 keys ---- */

static uint64_t tiles_of_part(const attention *at) { return adead_max_u64(KC / at->key_height, 1); }
static uint64_t key_parts(const attention *at) { return adead_divide_up(at->key_tiles, tiles_of_part(at)); }
static uint64_t pack_parts(const attention *at) { return key_parts(at) + at->key_blocks; }

static void pack_keys(const attention *at, uint64_t head, uint64_t part, float *largest)
{
    const adead_cpu_f32 *keys = adead_cpu_floats(at->op, 1) + (at->first_head + head) * at->dim;
    uint64_t             t = part * tiles_of_part(at), end = adead_min_u64(t + tiles_of_part(at), at->key_tiles);
    if (at->causal) {
        uint64_t from = t * at->key_height, count = adead_min_u64(end * at->key_height, at->seq) - from;
        *largest = at->kernels->magnitude(keys + from * at->row, count, at->row, at->dim);
    }
    for (; t < end; t++)
        for (uint64_t d = 0; d < at->dim; d += KC)
            at->gemm->pack_a(keys + t * at->key_height * at->row + d, at->row, 1,
                             adead_min_u64(at->key_height, at->seq - t * at->key_height), adead_min_u64(KC, at->dim - d),
                             sliver_at(packed_keys(at, head), at->mr, at->key_tiles, at->dim, d, t));
}

static void pack_values(const attention *at, uint64_t head, uint64_t part, float *largest)
{
    uint64_t             j = part * KC, depth = adead_min_u64(KC, at->seq - j);
    const adead_cpu_f32 *values = adead_cpu_floats(at->op, 2) + (at->first_head + head) * at->dim + j * at->row;
    if (at->causal) *largest = at->kernels->magnitude(values, depth, at->row, at->dim);
    for (uint64_t t = 0; t < at->channel_tiles; t++)
        at->gemm->pack_a(values + t * at->channel_height, 1, at->row,
                         adead_min_u64(at->channel_height, at->dim - t * at->channel_height), depth,
                         sliver_at(packed_values(at, head), at->mr, at->channel_tiles, at->seq, j, t));
}

static void run_pack_part(void *context, uint64_t number, uint32_t thread)
{
    const attention *at = context;
    uint64_t         parts = pack_parts(at), head = number / parts, part = number % parts;
    (void)thread;
    if (part < key_parts(at)) pack_keys(at, head, part, at->magnitudes + number);
    else pack_values(at, head, part - key_parts(at), at->magnitudes + number);
}

/* ---- A block of rows ---- */

/* A block at work: its queries are first .. first + count - 1, in slivers of nr. */
typedef struct block {
    const attention *at;
    uint64_t         head, first, count, slivers;
    float           *queries, *scores, *results; /* of sliver s at s times query_floats, seq * nr, dim * nr */
    float           *high, *sums;                /* nr for each sliver */
    bool             all;                        /* masked scores are computed too */
} block;

static float *scores_of(const block *b, uint64_t s) { return b->scores + s * b->at->seq * b->at->nr; }
static float *results_of(const block *b, uint64_t s) { return b->results + s * b->at->dim * b->at->nr; }

/* The columns of a sliver that have queries, and those that fill up their last vector. */
static uint64_t columns_of(const block *b, uint64_t s)
{
    uint64_t lanes = b->at->kernels->lanes;
    return adead_min_u64(b->at->nr, adead_divide_up(b->count - s * b->at->nr, lanes) * lanes);
}

/* How many keys a sliver needs: those up to its last query if masked ones can be left out. */
static uint64_t keys_of(const block *b, uint64_t s)
{
    uint64_t end = b->first + (s + 1) * b->at->nr;
    return b->all ? b->at->seq : adead_min_u64(b->at->seq, end);
}

static const adead_cpu_f32 *queries_of(const block *b)
{
    const attention *at = b->at;
    return adead_cpu_floats(at->op, 0) + b->first * at->row + (at->first_head + b->head) * at->dim;
}

static void pack_queries(const block *b)
{
    const attention     *at = b->at;
    const adead_cpu_f32 *queries = queries_of(b);
    for (uint64_t s = 0; s < b->slivers; s++)
        for (uint64_t d = 0; d < at->dim; d += KC)
            at->gemm->pack_b(queries + s * at->nr * at->row + d, 1, at->row, adead_min_u64(KC, at->dim - d),
                             adead_min_u64(at->nr, b->count - s * at->nr),
                             sliver_at(b->queries + s * at->query_floats, at->nr, 1, at->dim, d, 0));
}

/* Are all scores of the block's queries finite, and all values? No sum or partial sum of `dim` products is above twice the
 * product of the magnitudes times dim: 2 dim roundings, each by 1 + 2^-24 at most, give less than a factor 2 up to 2^22. */
static bool masked_are_harmless(const block *b)
{
    const attention *at = b->at;
    const float     *largest = at->magnitudes + b->head * pack_parts(at);
    float            key = 0.0f, value = 0.0f;
    for (uint64_t p = 0; p < key_parts(at); p++) key = largest[p] > key ? largest[p] : key;
    for (uint64_t p = key_parts(at); p < pack_parts(at); p++) value = largest[p] > value ? largest[p] : value;
    float query = at->kernels->magnitude(queries_of(b), b->count, at->row, at->dim);
    return value < INFINITY && at->dim <= 1u << 22 && 2.0 * (double)at->dim * (double)key * (double)query < 0x1p127;
}

/* Scores of the keys in tiles from .. end - 1 for one sliver of queries, masked and not yet scaled; and their maxima. */
static void score(const block *b, uint64_t s, uint64_t from, uint64_t end)
{
    const attention *at = b->at;
    uint64_t         height = at->key_height, j = from * height, stop = adead_min_u64(end * height, keys_of(b, s));
    uint64_t         columns = columns_of(b, s);
    if (j >= stop) return;
    for (uint64_t t = from; t * height < stop; t++) {
        float *c = scores_of(b, s) + t * height * at->nr;
        for (uint64_t d = 0; d < at->dim; d += KC)
            at->gemm->tile(sliver_at(packed_keys(at, b->head), at->mr, at->key_tiles, at->dim, d, t),
                           sliver_at(b->queries + s * at->query_floats, at->nr, 1, at->dim, d, 0),
                           adead_min_u64(KC, at->dim - d), c, at->nr, adead_min_u64(height, stop - t * height), columns,
                           d == 0 ? ADEAD_GEMM_FIRST : 0);
    }
    if (at->causal) {
        uint64_t query = b->first + s * at->nr;
        for (uint64_t k = adead_max_u64(j, query + 1); k < stop; k++) {
            float *row = scores_of(b, s) + k * at->nr;
            for (uint64_t c = 0; c < adead_min_u64(columns, k - query); c++) row[c] = row[c] - INFINITY;
        }
    }
    at->kernels->raise(scores_of(b, s) + j * at->nr, stop - j, at->nr, columns, b->high + s * at->nr);
}

/* exp of all scores, and 1 / sum of each column. */
static void weigh(const block *b, uint64_t s)
{
    const attention *at = b->at;
    uint64_t         keys = keys_of(b, s), columns = columns_of(b, s);
    float           *high = b->high + s * at->nr, *sums = b->sums + s * at->nr;
    for (uint64_t j = 0; j < keys; j += KC)
        at->kernels->weigh(scores_of(b, s) + j * at->nr, adead_min_u64(KC, keys - j), at->nr, columns, at->scale, high,
                           sums);
    for (uint64_t c = 0; c < columns; c++) sums[c] = 1.0f / sums[c];
}

/* Adds to one sliver's results what the keys from j on, 256 at most, give. */
static void contract(const block *b, uint64_t s, uint64_t j)
{
    const attention *at = b->at;
    uint64_t         keys = keys_of(b, s), depth = adead_min_u64(KC, keys - j), height = at->channel_height;
    uint64_t         columns = columns_of(b, s);
    float           *weights = scores_of(b, s) + j * at->nr;
    uint32_t         stage = (j == 0 ? ADEAD_GEMM_FIRST : 0u) | (j + depth == keys ? ADEAD_GEMM_LAST : 0u);
    at->kernels->share(weights, depth, at->nr, columns, b->sums + s * at->nr);
    for (uint64_t t = 0; t < at->channel_tiles; t++)
        at->gemm->tile(sliver_at(packed_values(at, b->head), at->mr, at->channel_tiles, at->seq, j, t), weights, depth,
                       results_of(b, s) + t * height * at->nr, at->nr, adead_min_u64(height, at->dim - t * height), columns,
                       stage);
}

/* Does a value of this channel, of a key from `key` on, have its sign clear? */
static bool any_positive(const attention *at, uint64_t head, uint64_t channel, uint64_t key)
{
    const adead_cpu_f32 *values = adead_cpu_floats(at->op, 2) + (at->first_head + head) * at->dim + channel;
    for (; key < at->seq; key++)
        if (adead_f32_bits(values[key * at->row]) >> 31 == 0) return true;
    return false;
}

/* What the keys that were left out would have done: their products are zeros with the signs of the values, because the
 * weights are +0. Within the block of 256 that has computed keys too, a sum of -0 becomes +0 if one of them is +0. A block
 * without computed keys has the sum +0, and the addition of that makes +0 of -0. In both cases a result is -0 only when the
 * sums of all its blocks are, so that it is enough to look at the result. */
static void finish_zeros(const block *b, uint64_t s)
{
    const attention *at = b->at;
    uint64_t         keys = keys_of(b, s);
    float           *results = results_of(b, s);
    bool             blocks_left = adead_divide_up(keys, KC) < at->key_blocks;
    if (keys == at->seq) return;
    for (uint64_t d = 0; d < at->dim; d++) {
        float   *row = results + d * at->nr;
        uint32_t zeros = 0;
        for (uint64_t c = 0; c < columns_of(b, s); c++) zeros |= adead_f32_bits(row[c]) == 0x80000000u;
        if (!zeros || !(blocks_left || any_positive(at, b->head, d, keys))) continue;
        for (uint64_t c = 0; c < columns_of(b, s); c++) row[c] = row[c] + 0.0f;
    }
}

/* The results of one sliver go to the rows of its queries. */
static void store(const block *b, uint64_t s)
{
    const attention *at = b->at;
    uint64_t         query = b->first + s * at->nr, count = adead_min_u64(at->nr, b->count - s * at->nr);
    adead_cpu_f32   *out = adead_cpu_floats(at->op, 3) + query * at->row + (at->first_head + b->head) * at->dim;
    at->transpose((adead_cpu_f32 *)results_of(b, s), at->nr, out, at->row, at->dim, count);
}

static void run_block(void *context, uint64_t part, uint32_t thread)
{
    const attention *at = context;
    uint64_t         rows = at->slivers * at->nr, which = at->blocks - 1 - part % at->blocks; /* the longest first */
    block            b = {.at = at, .head = part / at->blocks, .first = which * rows};
    b.count = adead_min_u64(rows, at->seq - b.first);
    b.slivers = adead_divide_up(b.count, at->nr);
    b.queries = (float *)(at->work + thread * at->work_bytes);
    b.scores = b.queries + at->slivers * at->query_floats;
    b.results = b.scores + at->slivers * at->seq * at->nr;
    b.high = b.results + at->slivers * at->dim * at->nr;
    b.sums = b.high + rows;
    b.all = !at->causal || !masked_are_harmless(&b);
    for (uint64_t c = 0; c < rows; c++) b.high[c] = -INFINITY, b.sums[c] = 0.0f;
    pack_queries(&b);
    for (uint64_t t = 0; t < at->key_tiles; t += TILES_TOGETHER)
        for (uint64_t s = 0; s < b.slivers; s++) score(&b, s, t, t + TILES_TOGETHER);
    for (uint64_t s = 0; s < b.slivers; s++) weigh(&b, s);
    for (uint64_t j = 0; j < at->seq; j += KC)
        for (uint64_t s = 0; s < b.slivers; s++)
            if (j < keys_of(&b, s)) contract(&b, s, j);
    for (uint64_t s = 0; s < b.slivers; s++) {
        finish_zeros(&b, s);
        store(&b, s);
    }
}

/* ---- The operation ---- */

/* The sizes of everything; `threads` that there should be work for. */
static attention plan(const adead_cpu_device *device, const adead_tensor_op *op, uint64_t heads, uint32_t threads)
{
    attention at = {.gemm = device->kernels->attention->gemm,
                    .kernels = device->kernels->attention,
                    .transpose = device->kernels->transpose,
                    .op = op};
    at.seq = op->dims[0];
    at.row = op->dims[1];
    at.dim = at.row / heads;
    at.mr = at.gemm->mr;
    at.nr = at.gemm->nr;
    at.scale = 1.0f / sqrtf((float)at.dim);
    at.causal = op->flags & ADEAD_CAUSAL;
    at.key_height = adead_divide_up(at.seq, adead_divide_up(at.seq, at.mr));
    at.channel_height = adead_divide_up(at.dim, adead_divide_up(at.dim, at.mr));
    at.key_tiles = adead_divide_up(at.seq, at.key_height);
    at.channel_tiles = adead_divide_up(at.dim, at.channel_height);
    at.key_blocks = adead_divide_up(at.seq, KC);
    at.key_floats = packed_floats(at.mr, at.key_tiles, at.dim);
    at.value_floats = packed_floats(at.mr, at.channel_tiles, at.seq);
    at.query_floats = packed_floats(at.nr, 1, at.dim);
    uint64_t all_slivers = adead_divide_up(at.seq, at.nr);
    at.slivers = adead_min_u64(BLOCK_FLOATS / ((at.seq + 2 * at.dim) * at.nr + 1), BLOCK_QUERIES / at.nr);
    at.slivers = adead_min_u64(at.slivers, heads * all_slivers / threads);
    at.slivers = adead_max_u64(adead_min_u64(at.slivers, all_slivers), 1);
    at.blocks = adead_divide_up(all_slivers, at.slivers);
    uint64_t floats = at.query_floats + (at.seq + at.dim + 2) * at.nr;
    at.work_bytes = adead_divide_up(4 * at.slivers * floats, 64) * 64;
    return at;
}

adead_status adead_cpu_run_attention(adead_cpu_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    uint64_t heads = op->kind == ADEAD_TENSOR_MULTIHEAD ? op->dims[2] : 1;
    if (op->dims[0] == 0 || op->dims[1] == 0) return ADEAD_OK;
    uint32_t  threads = adead_cpu_product_threads(device, op->dims[0], op->dims[0], op->dims[1]);
    attention at = plan(device, op, heads, threads);
    uint64_t  head_floats = at.key_floats + at.value_floats;
    uint64_t  least = adead_divide_up(threads > 1 ? (uint64_t)PARTS_A_THREAD * threads : 1, at.blocks);
    uint64_t  group = adead_min_u64(heads, adead_max_u64(GROUP_FLOATS / head_floats, least));
    uint64_t  magnitude_bytes = adead_divide_up(4 * group * pack_parts(&at), 64) * 64;
    threads = (uint32_t)adead_min_u64(threads, group * adead_max_u64(at.blocks, pack_parts(&at)));
    at.work = adead_scratch_get(&device->scratch, &device->host,
                                threads * at.work_bytes + magnitude_bytes + 4 * group * head_floats, failure);
    if (!at.work) return ADEAD_NO_MEMORY;
    at.magnitudes = (float *)(at.work + threads * at.work_bytes);
    at.packed = at.magnitudes + magnitude_bytes / 4;
    for (; at.first_head < heads; at.first_head += group) {
        group = adead_min_u64(group, heads - at.first_head);
        adead_pool_run(threads, group * pack_parts(&at), run_pack_part, &at);
        adead_pool_run(threads, group * at.blocks, run_block, &at);
    }
    return ADEAD_OK;
}
