/* int8 products on the backend `cpu`: the loops around the kernels, and the threads.
 *
 * A product is cut into chunks that are packed as a whole. The work on a chunk is a row of tickets: first the pieces to
 * pack, then the parts of C. Threads draw them in order, so that all that is packed serves all threads; who draws a part of
 * C before the last piece is packed waits for the threads that are at it, some microseconds at most.
 *
 * Where A has few rows, B is used only once or twice, and each thread packs a piece of a sliver just before it uses it.
 */
#include "int8.h"

#include "backends/cpu/pool.h"
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
    PACK_ROWS = 64,      /* of A or, where it is row-major, of B: one ticket */
    PACK_COLUMNS = 128,  /* of a transposed B: one ticket */
    PART_ROWS = 512,     /* at most, of a part of C: a block of A that the second-level cache holds */
    PART_COLUMNS = 1024, /* at most */
    PART_LEAST = 64,     /* rows or columns */
    STREAM_ROWS = 32,    /* of A, at most, for B to be packed while it is used */
    STREAM_DEPTH = 64,
    STREAM_DEPTH_TRANSPOSED = 256,
    STREAM_BYTES = 16384 /* STREAM_DEPTH_TRANSPOSED times 4 times 16, or times 2 times 32 */
};

static uint64_t divide_up(uint64_t a, uint64_t b) { return a / b + (a % b != 0); }
static uint64_t round_up(uint64_t a, uint64_t b) { return divide_up(a, b) * b; }

/* A chunk of a product, its packed operands, and how the work on it is divided. */
typedef struct chunk {
    const adead_int8_kernels *kernels;
    adead_int8_product        p;
    bool                      streams, add; /* add to C: not the first chunk along k */
    int32_t                  *start;        /* of each row */
    uint8_t                  *a, *b;
    uint64_t                  a_row;            /* bytes from a packed row to the next */
    uint64_t                  a_block, b_block; /* bytes from a block of k to the next */
    uint64_t                  unit_depth, unit_columns, units_n; /* a ticket's piece of B */
    uint64_t                  rows, columns, parts_n;            /* a ticket's part of C */
    uint64_t                  a_tickets, pack_tickets, tickets;
    _Atomic uint64_t          next, packed;
} chunk;

static bool streams(const adead_int8_product *p) { return p->m <= STREAM_ROWS; }

/* The sizes of a chunk's packed operands; gives the bytes of both and of the start. */
static uint64_t measure(chunk *c)
{
    const adead_int8_kernels *kernels = c->kernels;
    uint64_t depth = adead_min_u64(kernels->kc, round_up(c->p.k, kernels->step)), blocks = divide_up(c->p.k, kernels->kc);
    /* An odd number of cache lines, so that the rows of a tile do not all meet in one set of the cache. */
    c->a_row = round_up(depth * kernels->wide, 64) | 64;
    c->a_block = c->p.m * c->a_row;
    c->b_block = c->streams ? 0 : round_up(c->p.n, kernels->nr) * depth * kernels->wide;
    return round_up(4 * c->p.m, 64) + blocks * (c->a_block + c->b_block);
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

uint64_t adead_int8_scratch_bytes(const adead_int8_kernels *kernels, const adead_int8_product *whole)
{
    adead_int8_product p = without_columns(whole);
    chunk              c = {.kernels = kernels, .p = largest_chunk(&p), .streams = streams(&p)};
    return measure(&c);
}

/* ---- The tickets ---- */

static void pack_rows_of_a(chunk *c, uint64_t ticket)
{
    const adead_int8_kernels *kernels = c->kernels;
    uint64_t                  i = ticket * PACK_ROWS, rows = adead_min_u64(PACK_ROWS, c->p.m - i);
    memset(c->start + i, 0, (size_t)rows * sizeof *c->start);
    for (uint64_t p = 0, block = 0; p < c->p.k; p += kernels->kc, block++)
        kernels->pack_a(kernels, c->p.a + i * c->p.a_row + p * c->p.a_step, c->p.a_row, c->p.a_step, rows,
                        adead_min_u64(kernels->kc, c->p.k - p), c->a + block * c->a_block + i * c->a_row, c->a_row,
                        c->start + i);
}

/* Where a sliver begins, and there the step p of k. */
static uint8_t *sliver_of(const chunk *c, uint64_t j, uint64_t p)
{
    const adead_int8_kernels *kernels = c->kernels;
    uint64_t                  block = p / kernels->kc, depth = adead_min_u64(kernels->kc, c->p.k - block * kernels->kc);
    return c->b + block * c->b_block + (j * round_up(depth, kernels->step) + p % kernels->kc * kernels->nr) * kernels->wide;
}

static void pack_unit_of_b(chunk *c, uint64_t ticket)
{
    const adead_int8_kernels *kernels = c->kernels;
    uint64_t p = ticket / c->units_n * c->unit_depth, from = ticket % c->units_n * c->unit_columns;
    uint64_t depth = adead_min_u64(c->unit_depth, c->p.k - p), to = adead_min_u64(c->p.n, from + c->unit_columns);
    for (uint64_t j = from; j < to; j += kernels->nr)
        kernels->pack_b(kernels, c->p.b + p * c->p.b_step + j * c->p.b_column, c->p.b_step, c->p.b_column, depth,
                        adead_min_u64(kernels->nr, to - j), sliver_of(c, j, p));
}

/* C's rows from i on and columns from j on, as far as a part goes. */
static void multiply_part(const chunk *c, uint64_t i, uint64_t j)
{
    const adead_int8_kernels *kernels = c->kernels;
    uint64_t below = adead_min_u64(c->p.m, i + c->rows), right = adead_min_u64(c->p.n, j + c->columns);
    for (uint64_t p = 0, block = 0; p < c->p.k; p += kernels->kc, block++) {
        uint64_t depth = round_up(adead_min_u64(kernels->kc, c->p.k - p), kernels->step);
        for (uint64_t jr = j; jr < right; jr += kernels->nr) {
            adead_int8_tile t = {.b = sliver_of(c, jr, p), .a_row = c->a_row, .c_row = c->p.c_row,
                                 .groups = depth * kernels->wide / 4, .columns = adead_min_u64(kernels->nr, right - jr),
                                 .add = c->add || p != 0};
            for (uint64_t ir = i; ir < below; ir += kernels->mr) {
                t.a = c->a + block * c->a_block + ir * c->a_row;
                t.start = p == 0 ? c->start + ir : NULL;
                t.c = c->p.c + ir * c->p.c_row + jr;
                kernels->tile(&t, adead_min_u64(kernels->mr, below - ir));
            }
        }
    }
}

/* The same for all rows, with B packed piece by piece on the way: row after row where it is row-major, sliver after sliver where
 * it is transposed, so that memory is read in long runs. */
static void stream_part(const chunk *c, uint64_t from)
{
    const adead_int8_kernels *kernels = c->kernels;
    _Alignas(64) uint8_t      sliver[STREAM_BYTES];
    bool     transposed = c->p.b_column != 1;
    uint64_t step = transposed ? STREAM_DEPTH_TRANSPOSED : STREAM_DEPTH, pieces = divide_up(c->p.k, step);
    uint64_t right = adead_min_u64(c->p.n, from + c->columns), slivers = divide_up(right - from, kernels->nr);
    for (uint64_t piece = 0; piece < pieces * slivers; piece++) {
        uint64_t p = (transposed ? piece % pieces : piece / slivers) * step;
        uint64_t j = from + (transposed ? piece / pieces : piece % slivers) * kernels->nr;
        uint64_t depth = adead_min_u64(step, c->p.k - p), columns = adead_min_u64(kernels->nr, right - j);
        kernels->pack_b(kernels, c->p.b + p * c->p.b_step + j * c->p.b_column, c->p.b_step, c->p.b_column, depth, columns,
                        sliver);
        adead_int8_tile t = {.b = sliver, .a_row = c->a_row, .c_row = c->p.c_row, .columns = columns,
                             .groups = round_up(depth, kernels->step) * kernels->wide / 4, .add = c->add || p != 0};
        for (uint64_t i = 0; i < c->p.m; i += kernels->mr) {
            t.a = c->a + p / kernels->kc * c->a_block + i * c->a_row + p % kernels->kc * kernels->wide;
            t.start = p == 0 ? c->start + i : NULL;
            t.c = c->p.c + i * c->p.c_row + j;
            kernels->tile(&t, adead_min_u64(kernels->mr, c->p.m - i));
        }
    }
}

static void wait_for_packing(chunk *c)
{
    for (uint32_t turns = 0; atomic_load_explicit(&c->packed, memory_order_acquire) < c->pack_tickets; turns++)
        if (turns >= 64) give_way();
}

/* One thread's work: ticket after ticket while there are any. Pieces to pack come before parts of C and are drawn in order, so
 * a thread never waits for a piece that nobody has begun. */
static void work(void *context, uint64_t unused_part, uint32_t unused_thread)
{
    chunk                    *c = context;
    const adead_int8_kernels *kernels = c->kernels;
    bool                      begun = false;
    (void)unused_part;
    (void)unused_thread;
    for (;;) {
        uint64_t ticket = atomic_fetch_add_explicit(&c->next, 1, memory_order_relaxed);
        if (ticket >= c->tickets) break;
        if (ticket < c->pack_tickets) {
            if (ticket < c->a_tickets) pack_rows_of_a(c, ticket);
            else pack_unit_of_b(c, ticket - c->a_tickets);
            atomic_fetch_add_explicit(&c->packed, 1, memory_order_release);
            continue;
        }
        if (!begun && kernels->begin) kernels->begin();
        begun = true;
        wait_for_packing(c);
        uint64_t part = ticket - c->pack_tickets;
        if (c->streams) stream_part(c, part * c->columns);
        else multiply_part(c, part / c->parts_n * c->rows, part % c->parts_n * c->columns);
    }
    if (begun && kernels->end) kernels->end();
}

/* ---- The division into tickets ---- */

static uint64_t parts(const chunk *c) { return divide_up(c->p.m, c->rows) * divide_up(c->p.n, c->columns); }

/* Parts as large as the caches like, or so small that threads which are held up do not keep the others waiting for long. */
static void divide(chunk *c, uint32_t threads)
{
    const adead_int8_kernels *kernels = c->kernels;
    c->a_tickets = divide_up(c->p.m, PACK_ROWS);
    if (c->streams) {
        c->rows = c->p.m;
        c->columns = round_up(divide_up(c->p.n, threads == 1 ? 1 : 2 * (uint64_t)threads), kernels->nr);
        c->pack_tickets = c->a_tickets;
    } else {
        bool transposed = c->p.b_column != 1;
        c->unit_depth = transposed ? kernels->kc : PACK_ROWS;
        c->unit_columns = transposed ? PACK_COLUMNS : round_up(c->p.n, kernels->nr);
        c->units_n = divide_up(c->p.n, c->unit_columns);
        c->pack_tickets = c->a_tickets + divide_up(c->p.k, c->unit_depth) * c->units_n;
        c->rows = PART_ROWS;
        c->columns = PART_COLUMNS;
        while (threads > 1 && parts(c) < 4 * (uint64_t)threads && c->rows + c->columns > 2 * PART_LEAST) {
            if (c->columns > c->rows) c->columns /= 2;
            else c->rows /= 2;
        }
    }
    c->rows = round_up(c->rows, kernels->mr);
    c->parts_n = divide_up(c->p.n, c->columns);
    c->tickets = c->pack_tickets + parts(c);
}

static void run_chunk(chunk *c, uint8_t *scratch, uint32_t threads)
{
    measure(c);
    divide(c, threads);
    c->start = (int32_t *)(void *)scratch;
    c->a = scratch + round_up(4 * c->p.m, 64);
    c->b = c->a + divide_up(c->p.k, c->kernels->kc) * c->a_block;
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
