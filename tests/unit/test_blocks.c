/* The block allocator: its golden addresses, a naive model beside it, every error, zeroing, and failing hosts. */
#if defined(__linux__) && !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE /* mincore */
#endif

#include "alloc/block.h"
#include "alloc/poison.h"
#include "tests/harness/test.h"
#include "vm/base/base.h"

static adead_blocks open_small(uint64_t block_size, uint64_t count)
{
    adead_blocks blocks;
    if (adead_blocks_open(&blocks, &adead_host_default, block_size, count, true, NULL) != ADEAD_OK) abort();
    return blocks;
}

/* A call and what it gave once: these numbers may never change, programs have seen them. */
static void golden_addresses(void)
{
    enum { ALLOC, FREE, EXTEND, RESET };
    static const struct { int call; uint64_t a, b; int status; uint64_t address; } calls[] = {
        {ALLOC, 0, 0, ADEAD_OK, 0x0},
        {ALLOC, 1, 0, ADEAD_OK, 0x1000},
        {ALLOC, 4096, 0, ADEAD_OK, 0x2000},
        {ALLOC, 4097, 0, ADEAD_OK, 0x3000},
        {ALLOC, 70 * 4096, 0, ADEAD_OK, 0x5000},
        {ALLOC, 8192, 0, ADEAD_OK, 0x4B000},
        {FREE, 0x1000, 0, ADEAD_OK, 0},
        {FREE, 0x3000, 0, ADEAD_OK, 0},
        {ALLOC, 8192, 0, ADEAD_OK, 0x3000},
        {ALLOC, 8192, 0, ADEAD_OK, 0x4D000},
        {ALLOC, 100, 0, ADEAD_OK, 0x1000},
        {FREE, 0x5000, 0, ADEAD_OK, 0},
        {EXTEND, 0x3000, 3, ADEAD_OK, 0},
        {ALLOC, 67 * 4096, 0, ADEAD_OK, 0x8000},
        {EXTEND, 0x3000, 1, ADEAD_BLOCKS_EXHAUSTED, 0},
        {ALLOC, 4096, 0, ADEAD_OK, 0x4F000},
        {FREE, 0x0, 0, ADEAD_OK, 0},
        {ALLOC, 200 * 4096, 0, ADEAD_BLOCKS_EXHAUSTED, 0},
        {ALLOC, 120 * 4096, 0, ADEAD_OK, 0x50000},
        {ALLOC, 1, 0, ADEAD_OK, 0x0},
        {FREE, 0x50000, 0, ADEAD_OK, 0},
        {ALLOC, 64 * 4096, 0, ADEAD_OK, 0x50000},
        {RESET, 0, 0, ADEAD_OK, 0},
        {ALLOC, 200 * 4096, 0, ADEAD_OK, 0x0},
        {ALLOC, 1, 0, ADEAD_BLOCKS_EXHAUSTED, 0},
    };
    adead_blocks blocks = open_small(4096, 200);
    for (size_t i = 0; i < ADEAD_COUNT(calls); i++) {
        uint64_t     address = 0;
        adead_status status = ADEAD_OK;
        if (calls[i].call == ALLOC) status = adead_blocks_alloc(&blocks, calls[i].a, &address);
        else if (calls[i].call == FREE) status = adead_blocks_free(&blocks, calls[i].a);
        else if (calls[i].call == EXTEND) status = adead_blocks_extend(&blocks, calls[i].a, calls[i].b);
        else adead_blocks_reset(&blocks);
        CHECK(status == (adead_status)calls[i].status, "call %zu gave %s", i, adead_status_name(status));
        CHECK(address == calls[i].address, "call %zu gave address 0x%" PRIX64, i, address);
    }
    adead_blocks_close(&blocks);
}

/* The model: one byte a block, 0 free, 1 inside a run, 2 start of a run. Quadratic and obviously right. */
typedef struct model { uint8_t state[400]; uint64_t count; } model;

static uint64_t model_run(const model *m, uint64_t first)
{
    if (first >= m->count || m->state[first] != 2) return 0;
    uint64_t length = 1;
    while (first + length < m->count && m->state[first + length] == 1) length++;
    return length;
}

static bool model_fits(const model *m, uint64_t first, uint64_t length)
{
    if (first + length > m->count) return false;
    for (uint64_t i = 0; i < length; i++) {
        if (m->state[first + i] != 0) return false;
    }
    return true;
}

static uint64_t model_alloc(model *m, uint64_t length)
{
    for (uint64_t first = 0; first < m->count; first++) {
        if (!model_fits(m, first, length)) continue;
        memset(m->state + first, 1, length);
        m->state[first] = 2;
        return first;
    }
    return UINT64_MAX;
}

static bool is_zero(const uint8_t *p, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++) {
        if (p[i] != 0) return false;
    }
    return true;
}

enum { BS = 64 };

static void random_alloc(adead_blocks *blocks, model *m, uint64_t *seed)
{
    static const uint16_t shapes[] = {1, 2, 3, 5, 9, 31, 63, 64, 65, 130};
    uint64_t length = shapes[test_random(seed) % (test_random(seed) % 4 ? 5 : ADEAD_COUNT(shapes))];
    uint64_t bytes = length * BS - test_random(seed) % BS, address = 12345;
    uint64_t     first = model_alloc(m, length);
    adead_status status = adead_blocks_alloc(blocks, bytes, &address);
    if (first == UINT64_MAX) {
        CHECK(status == ADEAD_BLOCKS_EXHAUSTED && address == 12345);
        return;
    }
    CHECK(status == ADEAD_OK);
    CHECK_EQ(address, first * BS);
    CHECK(is_zero(blocks->base + address, length * BS), "run at block %" PRIu64 " is not zeroed", first);
    memset(blocks->base + address, 0xEE, length * BS);
}

static void random_free(adead_blocks *blocks, model *m, uint64_t *seed)
{
    uint64_t     block = test_random(seed) % (m->count + 2), address = block * BS;
    bool         inside = test_random(seed) % 16 == 0;
    uint64_t     length = model_run(m, block);
    adead_status expected = length ? ADEAD_OK
                            : block >= m->count || m->state[block] == 1 ? ADEAD_FOREIGN_POINTER : ADEAD_DOUBLE_FREE;
    if (inside) {
        CHECK_EQ(adead_blocks_free(blocks, address + 1 + test_random(seed) % (BS - 1)), ADEAD_FOREIGN_POINTER);
        return;
    }
    CHECK_EQ(adead_blocks_size(blocks, address), length * BS);
    CHECK_EQ(adead_blocks_free(blocks, address), expected);
    if (length) memset(m->state + block, 0, length);
}

static void random_extend(adead_blocks *blocks, model *m, uint64_t *seed)
{
    uint64_t block = test_random(seed) % (m->count + 2), more = test_random(seed) % 5;
    if (test_random(seed) % 32 == 0) more = UINT64_MAX - test_random(seed) % 3;
    uint64_t     length = model_run(m, block), end = block + length;
    bool         fits = length && more < m->count && model_fits(m, end, more);
    adead_status expected = !length ? ADEAD_FOREIGN_POINTER : fits ? ADEAD_OK : ADEAD_BLOCKS_EXHAUSTED;
    CHECK_EQ(adead_blocks_extend(blocks, block * BS, more), expected);
    if (expected != ADEAD_OK) return;
    memset(m->state + end, 1, more);
    CHECK(is_zero(blocks->base + end * BS, more * BS), "extension at block %" PRIu64 " is not zeroed", end);
    memset(blocks->base + end * BS, 0xDD, more * BS);
}

static void random_against_model(void)
{
    static const uint64_t counts[] = {1, 2, 63, 64, 65, 127, 128, 129, 200, 400};
    uint64_t              seed = 3;
    for (size_t c = 0; c < ADEAD_COUNT(counts); c++) {
        adead_blocks blocks = open_small(BS, counts[c]);
        model        m = {.count = counts[c]};
        for (int step = 0; step < 12000 && !test_state.bad; step++) {
            uint64_t choice = test_random(&seed) % 100, used = 0;
            uint64_t lean = step / 500 % 2 ? 60 : 40; /* fill up for a while, then drain */
            if (choice == 99 && test_random(&seed) % 8 == 0) {
                adead_blocks_reset(&blocks);
                memset(m.state, 0, sizeof m.state);
            } else if (choice < lean) random_alloc(&blocks, &m, &seed);
            else if (choice < 90) random_free(&blocks, &m, &seed);
            else random_extend(&blocks, &m, &seed);
            for (uint64_t i = 0; i < m.count; i++) used += m.state[i] != 0;
            CHECK_EQ(adead_blocks_used(&blocks), used * BS);
            CHECK_EQ(adead_blocks_available(&blocks), (m.count - used) * BS);
        }
        adead_blocks_close(&blocks);
    }
}

static void exhaustion_changes_nothing(void)
{
    adead_blocks blocks = open_small(4096, 65);
    uint64_t     address = 77;
    CHECK_EQ(adead_blocks_alloc(&blocks, 65 * 4096 + 1, &address), ADEAD_BLOCKS_EXHAUSTED);
    CHECK_EQ(adead_blocks_alloc(&blocks, UINT64_MAX, &address), ADEAD_BLOCKS_EXHAUSTED);
    CHECK_EQ(address, 77);
    for (uint64_t i = 0; i < 65; i++) {
        CHECK_EQ(adead_blocks_alloc(&blocks, 4096, &address), ADEAD_OK);
        CHECK_EQ(address, i * 4096);
    }
    CHECK_EQ(adead_blocks_alloc(&blocks, 0, &address), ADEAD_BLOCKS_EXHAUSTED);
    CHECK_EQ(adead_blocks_available(&blocks), 0);
    CHECK_EQ(adead_blocks_free(&blocks, 64 * 4096), ADEAD_OK);
    CHECK_EQ(adead_blocks_alloc(&blocks, 1, &address), ADEAD_OK);
    CHECK_EQ(address, 64 * 4096);
    adead_blocks_close(&blocks);
}

static void free_errors(void)
{
    adead_blocks blocks = open_small(4096, 10);
    uint64_t     a, b;
    CHECK_EQ(adead_blocks_alloc(&blocks, 3 * 4096, &a), ADEAD_OK);
    CHECK_EQ(adead_blocks_alloc(&blocks, 4096, &b), ADEAD_OK);
    CHECK_EQ(adead_blocks_free(&blocks, a + 4096), ADEAD_FOREIGN_POINTER);
    CHECK_EQ(adead_blocks_free(&blocks, a + 1), ADEAD_FOREIGN_POINTER);
    CHECK_EQ(adead_blocks_free(&blocks, 10 * 4096), ADEAD_FOREIGN_POINTER);
    CHECK_EQ(adead_blocks_free(&blocks, UINT64_MAX), ADEAD_FOREIGN_POINTER);
    CHECK_EQ(adead_blocks_free(&blocks, UINT64_MAX << 12), ADEAD_FOREIGN_POINTER);
    CHECK_EQ(adead_blocks_free(&blocks, 9 * 4096), ADEAD_DOUBLE_FREE);
    CHECK_EQ(adead_blocks_free(&blocks, a), ADEAD_OK);
    CHECK_EQ(adead_blocks_free(&blocks, a), ADEAD_DOUBLE_FREE);
    CHECK_EQ(adead_blocks_free(&blocks, a + 4096), ADEAD_DOUBLE_FREE);
    CHECK_EQ(adead_blocks_extend(&blocks, a, 1), ADEAD_FOREIGN_POINTER);
    CHECK_EQ(adead_blocks_size(&blocks, a), 0);
    CHECK_EQ(adead_blocks_size(&blocks, b), 4096);
    CHECK_EQ(adead_blocks_size(&blocks, UINT64_MAX), 0);
    CHECK_EQ(adead_blocks_used(&blocks), 4096);
    adead_blocks_close(&blocks);
}

/* A run that grows block by block over old data is zero in its new part, keeps its old part, and is one run. */
static void extend_keeps_and_zeroes(void)
{
    adead_blocks blocks = open_small(64, 100);
    uint64_t     all, run;
    CHECK_EQ(adead_blocks_alloc(&blocks, 6400, &all), ADEAD_OK);
    memset(blocks.base, 0xAA, 6400);
    CHECK_EQ(adead_blocks_free(&blocks, all), ADEAD_OK);
    CHECK_EQ(adead_blocks_alloc(&blocks, 1, &run), ADEAD_OK);
    memset(blocks.base + run, 0x55, 64);
    for (uint64_t size = 1; size < 100; size++) {
        CHECK_EQ(adead_blocks_extend(&blocks, run, 1), ADEAD_OK);
        CHECK_EQ(adead_blocks_size(&blocks, run), (size + 1) * 64);
        CHECK(is_zero(blocks.base + size * 64, 64));
    }
    for (int i = 0; i < 64; i++) CHECK_EQ(blocks.base[i], 0x55);
    CHECK_EQ(adead_blocks_extend(&blocks, run, 0), ADEAD_OK);
    CHECK_EQ(adead_blocks_extend(&blocks, run, 1), ADEAD_BLOCKS_EXHAUSTED);
    CHECK_EQ(adead_blocks_extend(&blocks, run, UINT64_MAX), ADEAD_BLOCKS_EXHAUSTED);
    CHECK_EQ(adead_blocks_free(&blocks, run), ADEAD_OK);
    CHECK_EQ(adead_blocks_used(&blocks), 0);
    adead_blocks_close(&blocks);
}

static void reset_starts_over(void)
{
    adead_blocks blocks = open_small(4096, 130);
    uint64_t     first[20], again;
    for (int round = 0; round < 3; round++) {
        uint64_t seed = 9;
        for (int i = 0; i < 20; i++) {
            CHECK_EQ(adead_blocks_alloc(&blocks, 1 + test_random(&seed) % 20000, &again), ADEAD_OK);
            if (round == 0) first[i] = again;
            CHECK_EQ(again, first[i]);
            CHECK(is_zero(blocks.base + again, adead_blocks_size(&blocks, again)));
            memset(blocks.base + again, 1, adead_blocks_size(&blocks, again));
        }
        adead_blocks_reset(&blocks);
        CHECK_EQ(adead_blocks_used(&blocks), 0);
        CHECK_EQ(adead_blocks_available(&blocks), 130 * 4096);
        CHECK_EQ(adead_blocks_size(&blocks, first[0]), 0);
        CHECK_EQ(adead_blocks_free(&blocks, first[1]), ADEAD_DOUBLE_FREE);
    }
    adead_blocks_close(&blocks);
}

static void open_refuses_bad_sizes(void)
{
    static const struct { uint64_t size, count; } bad[] = {
        {0, 1}, {32, 1}, {63, 1}, {65, 1}, {4095, 1}, {4096, 0}, {UINT64_MAX, 1}, {4096, UINT64_MAX}, {UINT64_C(1) << 63, 2},
        {UINT64_C(1) << 63, 1}, {4096, UINT64_C(1) << 51}, {UINT64_C(1) << 32, UINT64_C(1) << 32}};
    adead_counting_host counting;
    adead_host          host = adead_counting_host_init(&counting, 0);
    for (size_t i = 0; i < ADEAD_COUNT(bad); i++) {
        adead_blocks  blocks;
        adead_failure failure;
        uint64_t      address;
        CHECK_EQ(adead_blocks_open(&blocks, &host, bad[i].size, bad[i].count, true, &failure), ADEAD_INVALID_ARGUMENT);
        CHECK_EQ(failure.code, ADEAD_INVALID_ARGUMENT);
        CHECK(failure.message[0] != '\0');
        CHECK_EQ(adead_blocks_alloc(&blocks, 0, &address), ADEAD_BLOCKS_EXHAUSTED);
        CHECK_EQ(adead_blocks_free(&blocks, 0), ADEAD_FOREIGN_POINTER);
        adead_blocks_close(&blocks);
    }
    CHECK_EQ(counting.calls, 0);
}

static void host_failure_at_each_call(void)
{
    adead_counting_host counting;
    adead_blocks        blocks;
    uint64_t            fail_at = 1;
    for (;; fail_at++) {
        adead_host    host = adead_counting_host_init(&counting, fail_at);
        adead_failure failure;
        adead_status  status = adead_blocks_open(&blocks, &host, 4096, 100, true, &failure);
        if (status == ADEAD_OK) break;
        CHECK_EQ(status, ADEAD_NO_MEMORY);
        CHECK_EQ(failure.code, ADEAD_NO_MEMORY);
        CHECK_EQ(counting.live_bytes, 0);
        CHECK_EQ(counting.live_count, 0);
        adead_blocks_close(&blocks);
        CHECK_EQ(counting.live_bytes, 0);
    }
    CHECK_EQ(fail_at, 3);
    adead_blocks_close(&blocks);
    adead_blocks_close(&blocks);
    CHECK_EQ(counting.live_bytes, 0);
    CHECK_EQ(counting.live_count, 0);
}

/* Opening, using and closing again and again holds nothing, and alloc, free, extend and reset never ask the host. */
static void reopen_leaks_nothing(void)
{
    adead_counting_host counting;
    adead_host          host = adead_counting_host_init(&counting, 0);
    for (uint64_t round = 1; round <= 50; round++) {
        adead_blocks blocks;
        uint64_t     address;
        CHECK_EQ(adead_blocks_open(&blocks, &host, ADEAD_BLOCK_SIZE, ADEAD_BLOCK_COUNT, false, NULL), ADEAD_OK);
        CHECK_EQ((uintptr_t)blocks.base % 4096, 0);
        CHECK_EQ(adead_blocks_available(&blocks), 256 << 20);
        CHECK_EQ(adead_blocks_alloc(&blocks, 10000, &address), ADEAD_OK);
        CHECK(is_zero(blocks.base, 12288));
        memset(blocks.base, 0xFF, 12288);
        CHECK_EQ(adead_blocks_extend(&blocks, address, 2), ADEAD_OK);
        CHECK_EQ(adead_blocks_free(&blocks, address), ADEAD_OK);
        CHECK_EQ(adead_blocks_alloc(&blocks, 256 << 20, &address), ADEAD_OK);
        CHECK_EQ(address, 0);
        adead_blocks_reset(&blocks);
        CHECK_EQ(counting.calls, 2 * round);
        adead_blocks_close(&blocks);
        CHECK_EQ(counting.live_bytes, 0);
        CHECK_EQ(counting.live_count, 0);
    }
}

/* The worst case of the search: every second block taken, asked for two, in a full-size region. */
static void fragmented_region(void)
{
    adead_blocks blocks = open_small(64, 65536);
    uint64_t     address = 0;
    for (uint64_t i = 0; i < 65536; i++) CHECK_EQ(adead_blocks_alloc(&blocks, 1, &address), ADEAD_OK);
    for (uint64_t i = 0; i < 65536; i += 2) CHECK_EQ(adead_blocks_free(&blocks, i * 64), ADEAD_OK);
    CHECK_EQ(adead_blocks_available(&blocks), 32768 * 64);
    for (int i = 0; i < 1000; i++) CHECK_EQ(adead_blocks_alloc(&blocks, 65, &address), ADEAD_BLOCKS_EXHAUSTED);
    CHECK_EQ(adead_blocks_free(&blocks, 65535 * 64), ADEAD_OK);
    CHECK_EQ(adead_blocks_alloc(&blocks, 65, &address), ADEAD_OK);
    CHECK_EQ(address, 65534 * 64);
    CHECK_EQ(adead_blocks_alloc(&blocks, 1, &address), ADEAD_OK);
    CHECK_EQ(address, 0);
    adead_blocks_close(&blocks);
}

/* 256 MiB are reserved, and not one page of them is in memory until a program writes to it; neither after an alloc. */
#if defined(__linux__)
#include <sys/mman.h>

static uint64_t resident_pages(const adead_blocks *blocks)
{
    static unsigned char pages[ADEAD_BLOCK_COUNT];
    uint64_t             resident = 0;
    if (mincore(blocks->base, blocks->count * blocks->block_size, pages) != 0) return UINT64_MAX;
    for (uint64_t i = 0; i < blocks->count; i++) resident += pages[i] & 1;
    return resident;
}

static void untouched_pages_cost_nothing(void)
{
    adead_blocks blocks;
    uint64_t     address;
    CHECK_EQ(adead_blocks_open(&blocks, &adead_host_default, ADEAD_BLOCK_SIZE, ADEAD_BLOCK_COUNT, false, NULL), ADEAD_OK);
    CHECK_EQ(resident_pages(&blocks), 0);
    CHECK_EQ(adead_blocks_alloc(&blocks, 256 << 20, &address), ADEAD_OK);
    CHECK_EQ(resident_pages(&blocks), 0);
    blocks.base[128 << 20] = 1;
    CHECK(resident_pages(&blocks) > 0);
    adead_blocks_close(&blocks);
}
#else
static void untouched_pages_cost_nothing(void) { SKIP("cannot run: this system has no mincore"); }
#endif

#if ADEAD_ASAN
int __asan_address_is_poisoned(void const volatile *address);

static void free_blocks_are_poisoned(void)
{
    adead_blocks blocks = open_small(4096, 4);
    uint64_t     address;
    CHECK(__asan_address_is_poisoned(blocks.base) && __asan_address_is_poisoned(blocks.base + 4 * 4096 - 1));
    CHECK_EQ(adead_blocks_alloc(&blocks, 1, &address), ADEAD_OK);
    CHECK(!__asan_address_is_poisoned(blocks.base + 4095) && __asan_address_is_poisoned(blocks.base + 4096));
    CHECK_EQ(adead_blocks_extend(&blocks, address, 1), ADEAD_OK);
    CHECK(!__asan_address_is_poisoned(blocks.base + 8191) && __asan_address_is_poisoned(blocks.base + 8192));
    CHECK_EQ(adead_blocks_free(&blocks, address), ADEAD_OK);
    CHECK(__asan_address_is_poisoned(blocks.base) && __asan_address_is_poisoned(blocks.base + 8191));
    adead_blocks_close(&blocks);
    CHECK_EQ(adead_blocks_open(&blocks, &adead_host_default, 4096, 4, false, NULL), ADEAD_OK);
    CHECK(!__asan_address_is_poisoned(blocks.base), "without `poison` the whole region stays readable");
    adead_blocks_close(&blocks);
}
#define POISON_TESTS T(free_blocks_are_poisoned)
#else
#define POISON_TESTS /* without AddressSanitizer there is nothing to see */
#endif

TEST_MAIN("blocks", T(golden_addresses) T(random_against_model) T(exhaustion_changes_nothing) T(free_errors)
          T(extend_keeps_and_zeroes) T(reset_starts_over) T(open_refuses_bad_sizes) T(host_failure_at_each_call)
          T(reopen_leaks_nothing) T(fragmented_region) T(untouched_pages_cost_nothing)
          POISON_TESTS)
