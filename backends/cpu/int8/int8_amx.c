/* int8 products with AMX-INT8: TDPBSSD multiplies signed bytes and adds in i32 modulo 2^32, which is exactly what is wanted.
 *
 * A tile of C is 32 x 32: four tile registers of 16 x 16, two of A (16 rows of 64 numbers) and two of B (64 numbers of 16
 * columns, four by four). A step of k is 64 numbers: four loads of a kilobyte and four products of 16 cycles each.
 */
#if defined(__x86_64__)

#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* syscall */
#endif

#include "int8_pack.h"

#include "vm/base/cpu.h"

#include <immintrin.h>
#include <stdatomic.h>

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#define AMX __attribute__((target("amx-tile,amx-int8")))

enum { SIDE = 16, MR = 2 * SIDE, NR = 2 * SIDE, STEP = 64 };

/* What LDTILECFG reads. Which tile has which role: 0 to 3 sums (row of tiles times 2 plus column), 4 and 5 A, 6 and 7 B. */
typedef struct tile_shapes {
    uint8_t  palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t  rows[16];
} tile_shapes;

static AMX void begin(void)
{
    tile_shapes shapes = {.palette = 1};
    for (int t = 0; t < 8; t++) {
        shapes.row_bytes[t] = 64;
        shapes.rows[t] = SIDE;
    }
    _tile_loadconfig(&shapes);
}

static AMX void end(void) { _tile_release(); }

/* The steps of k for one or two tiles of rows; sums stay in the tile registers. Columns beyond the matrix are zeros in the
 * packed B, and computed. */
static inline __attribute__((always_inline)) AMX void multiply(const adead_int8_tile *t, const bool second)
{
    const uint8_t *a = t->a, *b = t->b;
    uint64_t       a_row = t->a_row;
    for (uint64_t g = 0; g < t->groups; g += STEP / 4, a += STEP, b += STEP * NR) {
        _tile_loadd(6, b, 4 * NR);
        _tile_loadd(4, a, a_row);
        _tile_dpbssd(0, 4, 6);
        _tile_loadd(7, b + 4 * SIDE, 4 * NR);
        _tile_dpbssd(1, 4, 7);
        if (!second) continue;
        _tile_loadd(5, a + SIDE * a_row, a_row);
        _tile_dpbssd(2, 5, 6);
        _tile_dpbssd(3, 5, 7);
    }
}

/* A whole tile of 32 x 32 goes to C and comes from it directly. */
static AMX void whole_tile(const adead_int8_tile *t)
{
    adead_cpu_i32 *c = t->c, *below = t->c + SIDE * t->c_row;
    uint64_t       bytes = 4 * t->c_row;
    if (t->add) {
        _tile_loadd(0, (const void *)c, bytes);
        _tile_loadd(1, (const void *)(c + SIDE), bytes);
        _tile_loadd(2, (const void *)below, bytes);
        _tile_loadd(3, (const void *)(below + SIDE), bytes);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    multiply(t, true);
    _tile_stored(0, (void *)c, bytes);
    _tile_stored(1, (void *)(c + SIDE), bytes);
    _tile_stored(2, (void *)below, bytes);
    _tile_stored(3, (void *)(below + SIDE), bytes);
}

static AMX void tile(const adead_int8_tile *t, uint64_t rows)
{
    if (rows == MR && t->columns == NR) {
        whole_tile(t);
        return;
    }
    _Alignas(64) int32_t sums[MR][NR];
    _tile_zero(0);
    _tile_zero(1);
    if (rows > SIDE) {
        _tile_zero(2);
        _tile_zero(3);
        multiply(t, true);
        _tile_stored(2, sums[SIDE], sizeof sums[0]);
        _tile_stored(3, sums[SIDE] + SIDE, sizeof sums[0]);
    } else {
        multiply(t, false);
    }
    _tile_stored(0, sums[0], sizeof sums[0]);
    _tile_stored(1, sums[0] + SIDE, sizeof sums[0]);
    adead_int8_put(t, sums[0], NR, rows);
}

const adead_int8_kernels adead_int8_amx = {
    .mr = MR,
    .nr = NR,
    .kc = 1024,
    .step = STEP,
    .wide = 1,
    .pack_a = adead_int8_pack_a_bytes,
    .pack_b = adead_int8_pack_b_bytes_avx2,
    .tile = tile,
    .begin = begin,
    .end = end,
};

bool adead_int8_amx_usable(void)
{
#if defined(__linux__)
    enum { UNKNOWN, NO, YES, ARCH_REQ_XCOMP_PERM = 0x1023, TILE_DATA = 18 };
    static atomic_int answer; /* two threads that ask at once ask the kernel twice, which does no harm */
    int               known = atomic_load_explicit(&answer, memory_order_relaxed);
    if (known == UNKNOWN) {
        known = adead_cpu_get()->amx_int8 && syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0 ? YES : NO;
        atomic_store_explicit(&answer, known, memory_order_relaxed);
    }
    return known == YES;
#else
    return false; /* elsewhere the system is not asked for the tile registers */
#endif
}

#else
typedef int adead_int8_amx_is_for_x86_64; /* a translation unit may not be empty */
#endif
