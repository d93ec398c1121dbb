/* int8 products on the backend `cpu`: the loops around the kernels, and the threads.
 *
 * A product is cut into chunks. The work on a chunk is a row of tickets: first the pieces of B to pack, then the parts of C.
 * Threads draw them in order, so that the packed B serves all threads; who draws a part of C before the last piece is packed
 * waits for the threads that are at it, some microseconds at most. A's rows are packed by the thread that needs them,
 * block by block into the same memory, which its second-level cache keeps.
 *
 * Where A has few rows, B is used only once or twice, and each thread packs a piece of it just before it uses it. Where B is
 * small, each thread packs the columns of its own part and no others: to fetch lines that another core has just written
 * takes longer than the products.
 */
#include "int8.h"

#include "backends/cpu/device.h"
#include "vm/base/cpu.h"

#include <stdatomic.h>

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
static void give_way(void) { SwitchToThread(); }
#else
#include <sched.h>
static void give_way(void) { sched_yield(); }
#endif

enum {
    CHUNK = 4096,        /* of m, n and k; a multiple of every kc */
    PACK_DEPTH = 64,     /* of B, where it is row-major: one ticket */
    PACK_COLUMNS = 128,  /* of a transposed B: one ticket */
    PART_ROWS = 512,     /* of a part of C, at most: a block of A that the second-level cache holds */
    PART_LEAST = 32,     /* rows or columns */
    PART_SHARE = 8,      /* a part has at least so many times fewer rows than columns: each has its A to pack */
    APART_BYTES = 1 << 20, /* of B, at most, for each thread to pack its own columns */
    STREAM_ROWS = 32,    /* of A, at most, for B to be packed while it is used */
    STREAM_DEPTH = 64,
    STREAM_DEPTH_TRANSPOSED = 256,
    STREAM_BYTES = 16384, /* STREAM_DEPTH_TRANSPOSED times a sliver of 32 columns of 2 bytes */
    SLIVER_GAP = 128      /* between slivers, so that they do not all begin in one set of the cache */
};

static uint64_t round_up(uint64_t a, uint64_t b) { return adead_divide_up(a, b) * b; }

/* A chunk of a product, its packed operands, and how the work on it is divided. */
typedef struct chunk {
    const adead_int8_kernels *kernels;
    adead_int8_product        p;
    bool                      streams, apart;
    bool                      add;       /* to C: not the first chunk along k */
    uint8_t                  *b, *own;      /* packed B; each thread's packed A, and then what its rows start with */
    uint64_t                  own_bytes;    /* of a thread */
    uint64_t                  a_row;        /* bytes from a packed row to the next */
    uint64_t                  sliver, b_block; /* bytes from a sliver to the next, from a block of k to the next */
    uint64_t                  unit_depth, unit_columns, units_n; /* a ticket's piece of B */
    uint64_t                  rows, columns, parts_n;            /* a ticket's part of C */
    uint64_t                  pack_tickets, tickets;
    _Atomic uint64_t          next, packed;
} chunk;

static bool streams(const adead_int8_product *p) { return p->m <= STREAM_ROWS; }

static uint64_t blocks(const chunk *c) { return adead_divide_up(c->p.k, c->kernels->kc); }

/* The sizes of a chunk's packed operands; gives the bytes of all of them. */
static uint64_t measure(chunk *c, uint32_t threads)
{
    const adead_int8_kernels *kernels = c->kernels;
    uint64_t                  depth = adead_min_u64(kernels->kc, round_up(c->p.k, kernels->step));
    /* With room for a tile's rows that are read and not there. */
    uint64_t                  most = round_up(PART_ROWS, kernels->mr);
    uint64_t                  rows = c->streams ? c->p.m * blocks(c) : adead_min_u64(most, c->p.m);
    /* An odd number of cache lines, so that the rows of a tile do not all meet in one set of the cache. */
    c->a_row = round_up(depth * kernels->wide, 64) | 64;
    c->own_bytes = round_up((rows + kernels->mr) * (c->a_row + sizeof(int32_t)), 4096);
    c->sliver = depth * kernels->nr * kernels->wide + SLIVER_GAP;
    c->b_block = c->streams ? 0 : adead_divide_up(c->p.n, kernels->nr) * c->sliver;
    return threads * c->own_bytes + blocks(c) * c->b_block;
}

static adead_int8_product largest_chunk(const adead_int8_product *p)
{
    adead_int8_product chunk = *p;
    chunk.m = adead_min_u64(p->m, CHUNK);
    chunk.n = streams(p) ? p->n : adead_min_u64(p->n, CHUNK);
    chunk.k = adead_min_u64(p->k, CHUNK);
    return chunk;
}

/* With one column, C transposed is C, and the vector is the small matrix. */
static adead_int8_product without_columns(const adead_int8_product *p)
{
    if (p->n != 1 || p->c_row != 1) return *p;
    return (adead_int8_product){.a = p->b, .b = p->a, .c = p->c, .m = 1, .n = p->m, .k = p->k, .a_row = p->b_column,
                                .a_step = p->b_step, .b_step = p->a_step, .b_column = p->a_row, .c_row = p->m};
}

uint64_t adead_int8_scratch_bytes(const adead_int8_kernels *kernels, const adead_int8_product *whole, uint32_t threads)
{
    adead_int8_product p = without_columns(whole);
    chunk              c = {.kernels = kernels, .p = largest_chunk(&p), .streams = streams(&p)};
    return measure(&c, threads);
}

/* ---- The tickets ---- */

/* Where the sliver of column j begins, and there the step p of k. */
static uint8_t *sliver_of(const chunk *c, uint64_t j, uint64_t p)
{
    const adead_int8_kernels *kernels = c->kernels;
    return c->b + p / kernels->kc * c->b_block + j / kernels->nr * c->sliver + p % kernels->kc * kernels->nr * kernels->wide;
}

static void pack_unit_of_b(chunk *c, uint64_t ticket)
{
    const adead_int8_kernels *kernels = c->kernels;
    uint64_t p = ticket / c->units_n * c->unit_depth, j = ticket % c->units_n * c->unit_columns;
    kernels->pack_b(kernels, c->p.b + p * c->p.b_step + j * c->p.b_column, c->p.b_step, c->p.b_column,
                    adead_min_u64(c->unit_depth, c->p.k - p), adead_min_u64(c->unit_columns, c->p.n - j),
                    sliver_of(c, j, p), c->sliver);
}

/* A's rows [i, i + rows) of the block of k from p on. `start` is reduced by what is due for the block. */
static void pack_rows_of_a(const chunk *c, uint64_t i, uint64_t rows, uint64_t p, uint8_t *out, int32_t *start)
{
    const adead_int8_kernels *kernels = c->kernels;
    kernels->pack_a(kernels, c->p.a + i * c->p.a_row + p * c->p.a_step, c->p.a_row, c->p.a_step, rows,
                    adead_min_u64(kernels->kc, c->p.k - p), out, c->a_row, start);
}

/* C's rows from i on and columns from j on, as far as a part goes. */
static void multiply_part(const chunk *c, uint64_t i, uint64_t j, uint8_t *own)
{
    const adead_int8_kernels *kernels = c->kernels;
    uint64_t rows = adead_min_u64(c->rows, c->p.m - i), right = adead_min_u64(c->p.n, j + c->columns);
    int32_t *start = (int32_t *)(void *)(own + rows * c->a_row);
    for (uint64_t p = 0; p < c->p.k; p += kernels->kc) {
        uint64_t depth = round_up(adead_min_u64(kernels->kc, c->p.k - p), kernels->step);
        memset(start, 0, (size_t)rows * sizeof *start);
        pack_rows_of_a(c, i, rows, p, own, start);
        for (uint64_t jr = j; jr < right; jr += kernels->nr) {
            adead_int8_tile t = {.b = sliver_of(c, jr, p), .a_row = c->a_row, .c_row = c->p.c_row,
                                 .groups = depth * kernels->wide / 4, .columns = adead_min_u64(kernels->nr, right - jr),
                                 .add = c->add || p != 0};
            for (uint64_t ir = 0; ir < rows; ir += kernels->mr) {
                t.a = own + ir * c->a_row;
                t.start = start + ir;
                t.c = c->p.c + (i + ir) * c->p.c_row + jr;
                kernels->tile(&t, adead_min_u64(kernels->mr, rows - ir));
            }
        }
    }
}

/* All rows of a part whose columns nobody else needs. */
static void multiply_apart(const chunk *c, uint64_t j, uint8_t *own)
{
    const adead_int8_kernels *kernels = c->kernels;
    for (uint64_t p = 0; p < c->p.k; p += c->unit_depth)
        kernels->pack_b(kernels, c->p.b + p * c->p.b_step + j * c->p.b_column, c->p.b_step, c->p.b_column,
                        adead_min_u64(c->unit_depth, c->p.k - p), adead_min_u64(c->columns, c->p.n - j),
                        sliver_of(c, j, p), c->sliver);
    for (uint64_t i = 0; i < c->p.m; i += c->rows) multiply_part(c, i, j, own);
}

/* The same for all rows, with B packed piece by piece on the way: row after row where it is row-major, sliver after
 * sliver where it is transposed, so that memory is read in long runs. */
static void stream_part(const chunk *c, uint64_t from, uint8_t *own)
{
    const adead_int8_kernels *kernels = c->kernels;
    _Alignas(64) uint8_t      sliver[STREAM_BYTES];
    uint64_t a_block = c->p.m * c->a_row, m = c->p.m;
    int32_t *start = (int32_t *)(void *)(own + blocks(c) * a_block);
    bool     transposed = c->p.b_column != 1;
    uint64_t step = transposed ? STREAM_DEPTH_TRANSPOSED : STREAM_DEPTH, pieces = adead_divide_up(c->p.k, step);
    uint64_t right = adead_min_u64(c->p.n, from + c->columns), slivers = adead_divide_up(right - from, kernels->nr);
    memset(start, 0, (size_t)m * sizeof *start);
    for (uint64_t p = 0; p < c->p.k; p += kernels->kc) pack_rows_of_a(c, 0, m, p, own + p / kernels->kc * a_block, start);
    for (uint64_t piece = 0; piece < pieces * slivers; piece++) {
        uint64_t p = (transposed ? piece % pieces : piece / slivers) * step;
        uint64_t j = from + (transposed ? piece / pieces : piece % slivers) * kernels->nr;
        uint64_t depth = adead_min_u64(step, c->p.k - p), columns = adead_min_u64(kernels->nr, right - j);
        kernels->pack_b(kernels, c->p.b + p * c->p.b_step + j * c->p.b_column, c->p.b_step, c->p.b_column, depth, columns,
                        sliver, 0);
        adead_int8_tile t = {.b = sliver, .a_row = c->a_row, .c_row = c->p.c_row, .columns = columns,
                             .groups = round_up(depth, kernels->step) * kernels->wide / 4, .add = c->add || p != 0};
        for (uint64_t i = 0; i < m; i += kernels->mr) {
            t.a = own + p / kernels->kc * a_block + i * c->a_row + p % kernels->kc * kernels->wide;
            t.start = p == 0 ? start + i : NULL;
            t.c = c->p.c + i * c->p.c_row + j;
            kernels->tile(&t, adead_min_u64(kernels->mr, m - i));
        }
    }
}

static void wait_for_packing(chunk *c)
{
    for (uint32_t turns = 0; atomic_load_explicit(&c->packed, memory_order_acquire) < c->pack_tickets; turns++)
        if (turns >= 64) give_way();
}

/* One thread's work: ticket after ticket while there are any. Pieces to pack come before parts of C and are drawn in
 * order, so a thread never waits for a piece that nobody has begun. */
static void work(void *context, uint64_t unused, uint32_t thread)
{
    chunk                    *c = context;
    const adead_int8_kernels *kernels = c->kernels;
    uint8_t                  *own = c->own + thread * c->own_bytes;
    bool                      begun = false;
    (void)unused;
    for (;;) {
        uint64_t ticket = atomic_fetch_add_explicit(&c->next, 1, memory_order_relaxed);
        if (ticket >= c->tickets) break;
        if (ticket < c->pack_tickets) {
            pack_unit_of_b(c, ticket);
            atomic_fetch_add_explicit(&c->packed, 1, memory_order_release);
            continue;
        }
        if (!begun && kernels->begin) kernels->begin();
        begun = true;
        wait_for_packing(c);
        uint64_t part = ticket - c->pack_tickets;
        if (c->streams) stream_part(c, part * c->columns, own);
        else if (c->apart) multiply_apart(c, part * c->columns, own);
        else multiply_part(c, part / c->parts_n * c->rows, part % c->parts_n * c->columns, own);
    }
    if (begun && kernels->end) kernels->end();
}

/* ---- The division into tickets ---- */

static uint64_t parts(const chunk *c) { return adead_divide_up(c->p.m, c->rows) * adead_divide_up(c->p.n, c->columns); }

/* Parts as large as the caches like, or so small that threads which are held up do not keep the others waiting for long. */
static void divide(chunk *c, uint32_t threads)
{
    const adead_int8_kernels *kernels = c->kernels;
    uint64_t                  wanted = threads == 1 ? 1 : 4 * (uint64_t)threads;
    if (c->streams) {
        c->rows = c->p.m;
        c->columns = round_up(adead_divide_up(c->p.n, wanted), kernels->nr);
        c->pack_tickets = 0;
    } else {
        bool transposed = c->p.b_column != 1;
        c->unit_depth = transposed ? kernels->kc : PACK_DEPTH;
        c->unit_columns = transposed ? PACK_COLUMNS : round_up(c->p.n, kernels->nr);
        c->units_n = adead_divide_up(c->p.n, c->unit_columns);
        c->pack_tickets = adead_divide_up(c->p.k, c->unit_depth) * c->units_n;
        c->rows = PART_ROWS;
        c->columns = round_up(c->p.n, kernels->nr);
        c->apart = threads > 1 && c->p.n >= threads * kernels->nr && c->p.n * c->p.k <= APART_BYTES;
        if (c->apart) {
            c->columns = round_up(adead_divide_up(c->p.n, threads), kernels->nr);
            c->pack_tickets = 0;
        }
        while (!c->apart && parts(c) < wanted && c->rows + c->columns > 2 * PART_LEAST) {
            if (c->columns > PART_SHARE * c->rows || c->rows <= PART_LEAST)
                c->columns = round_up(c->columns / 2, kernels->nr);
            else c->rows /= 2;
        }
        c->rows = round_up(c->rows, kernels->mr);
    }
    c->parts_n = adead_divide_up(c->p.n, c->columns);
    c->tickets = c->pack_tickets + (c->apart ? c->parts_n : parts(c));
}

static void run_chunk(chunk *c, uint8_t *scratch, uint32_t threads)
{
    measure(c, threads);
    divide(c, threads);
    c->own = scratch;
    c->b = scratch + threads * c->own_bytes;
    adead_pool_run(threads, threads, work, c);
}

void adead_int8_run(const adead_int8_kernels *kernels, const adead_int8_product *whole, void *scratch, uint32_t threads)
{
    adead_int8_product p = without_columns(whole), large = largest_chunk(&p);
    if (p.m == 0 || p.n == 0) return;
    for (uint64_t i = 0; p.k == 0 && i < p.m; i++) memset(p.c + i * p.c_row, 0, (size_t)p.n * sizeof *p.c);
    for (uint64_t i = 0; i < p.m; i += large.m) {
        for (uint64_t j = 0; j < p.n; j += large.n) {
            for (uint64_t l = 0; l < p.k; l += large.k) {
                chunk c = {.kernels = kernels, .p = p, .streams = streams(&p), .add = l != 0};
                c.p.m = adead_min_u64(large.m, p.m - i);
                c.p.n = adead_min_u64(large.n, p.n - j);
                c.p.k = adead_min_u64(large.k, p.k - l);
                c.p.a += i * p.a_row + l * p.a_step;
                c.p.b += j * p.b_column + l * p.b_step;
                c.p.c += i * p.c_row + j;
                run_chunk(&c, scratch, threads);
            }
        }
    }
}

/* ---- Operations ---- */

/* Fewer products than this (some 20 us at a hundred a nanosecond) stay on the caller's thread. */
enum { PARALLEL_PRODUCTS = 1 << 21 };

static adead_status run_product(adead_cpu_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    const adead_int8_kernels *amx = device->kernels->int8_product;
    const adead_int8_kernels *kernels = amx ? amx : adead_int8_best(device->kernels->int8);
    uint64_t                  m = op->dims[0], n = op->dims[1], k = op->dims[2];
    uint32_t                  flags = op->kind == ADEAD_TENSOR_MATMUL_I8_EX ? op->flags : 0;
    bool                      ta = flags & ADEAD_TRANSPOSE_A, tb = flags & ADEAD_TRANSPOSE_B;
    adead_int8_product        p = {.a = adead_slice_host(&op->operands[0]), .b = adead_slice_host(&op->operands[1]),
                                   .c = adead_slice_host(&op->operands[2]), .m = m, .n = n, .k = k, .c_row = n,
                                   .a_row = ta ? 1 : k, .a_step = ta ? m : 1, .b_step = tb ? 1 : n, .b_column = tb ? k : 1};
    uint32_t threads = (double)m * (double)n * (double)k < PARALLEL_PRODUCTS ? 1 : device->threads;
    uint64_t bytes = adead_int8_scratch_bytes(kernels, &p, threads);
    void    *scratch = adead_scratch_get(&device->scratch, &device->host, bytes, failure);
    if (!scratch) return ADEAD_NO_MEMORY;
    adead_int8_run(kernels, &p, scratch, threads);
    return ADEAD_OK;
}

/* An operation on rows, divided into groups of them or, if there are few, into parts of each. */
typedef struct pieces {
    const adead_cpu_kernels *kernels;
    const adead_tensor_op   *op;
    uint64_t                 rows, columns, parts_n; /* of a piece; pieces in a row */
} pieces;

static void run_piece(void *context, uint64_t part, uint32_t thread)
{
    const pieces             *p = context;
    const adead_tensor_op    *op = p->op;
    const adead_int8_kernels *kernels = p->kernels->int8;
    uint64_t n = op->dims[1], from = part / p->parts_n * p->rows, to = adead_min_u64(op->dims[0], from + p->rows);
    uint64_t j = part % p->parts_n * p->columns, count = adead_min_u64(p->columns, n - j);
    (void)thread;
    for (uint64_t i = from; i < to; i++) {
        if (op->kind == ADEAD_TENSOR_QUANTIZE_SCALE) {
            float scale = kernels->largest(adead_cpu_floats(op, 0) + i * n, n) / 127.0f;
            adead_cpu_floats(op, 1)[i] = scale; /* a NaN stays the canonical one */
        } else if (op->kind == ADEAD_TENSOR_QUANTIZE) {
            int8_t *y = adead_slice_host(&op->operands[2]);
            kernels->quantize(adead_cpu_floats(op, 0) + i * n + j, adead_cpu_floats(op, 1)[i], y + i * n + j, count);
        } else {
            const adead_cpu_i32 *x = adead_slice_host(&op->operands[0]);
            const adead_cpu_f32 *bias = adead_cpu_floats(op, 3);
            adead_cpu_f32       *y = adead_cpu_floats(op, 4) + i * n + j;
            kernels->dequantize(x + i * n + j, adead_cpu_floats(op, 1)[i], adead_cpu_floats(op, 2) + j, y, count);
            if (bias || op->activation != ADEAD_ACTIVATION_NONE)
                p->kernels->finish_row(y, bias ? bias + j : NULL, count, op->activation);
        }
    }
}

static void run_rows(const adead_cpu_device *device, const adead_tensor_op *op)
{
    uint64_t m = op->dims[0], n = op->dims[1], least = ADEAD_CPU_PARALLEL_ELEMENTS, threads = device->threads;
    pieces   p = {.kernels = device->kernels, .op = op, .columns = n, .parts_n = 1};
    if (m == 0 || (n == 0 && op->kind != ADEAD_TENSOR_QUANTIZE_SCALE)) return;
    p.rows = adead_max_u64(adead_divide_up(m, threads), adead_divide_up(least, n + 1));
    if (m < threads && op->kind != ADEAD_TENSOR_QUANTIZE_SCALE) {
        p.rows = 1;
        p.columns = round_up(adead_max_u64(adead_divide_up(n, threads), least), 16);
        p.parts_n = adead_divide_up(n, p.columns);
    }
    adead_pool_run(device->threads, adead_divide_up(m, p.rows) * p.parts_n, run_piece, &p);
}

adead_status adead_cpu_run_int8(adead_cpu_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    if (op->kind == ADEAD_TENSOR_MATMUL_I8 || op->kind == ADEAD_TENSOR_MATMUL_I8_EX) return run_product(device, op, failure);
    run_rows(device, op);
    return ADEAD_OK;
}

const adead_int8_kernels *adead_int8_best(const adead_int8_kernels *level)
{
    const adead_cpu *cpu = adead_cpu_get();
    (void)cpu;
#if defined(__x86_64__)
    if (level == &adead_int8_avx2 && cpu->avx_vnni) return &adead_int8_avx_vnni;
    if (level == &adead_int8_avx512 && cpu->avx512vnni) return &adead_int8_avx512_vnni;
#elif defined(__aarch64__)
    if (level == &adead_int8_neon && cpu->dotprod) return &adead_int8_neon_dot;
#endif
    return level;
}
