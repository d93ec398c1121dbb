/* The arena: alignment, zeroing after reuse, marks, growth, overflow, failing hosts; and the counting host itself. */
#include "alloc/arena.h"
#include "alloc/poison.h"
#include "tests/harness/test.h"
#include "vm/base/base.h"

static bool is_zero(const uint8_t *p, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++) {
        if (p[i] != 0) return false;
    }
    return true;
}

/* Random pieces are aligned, zero, writable and disjoint: each is filled with its number and all are checked at the end. */
static void random_pieces(void)
{
    enum { PIECES = 3000 };
    static struct { uint8_t *memory; uint64_t size; } pieces[PIECES];
    adead_counting_host counting;
    adead_host          host = adead_counting_host_init(&counting, 0);
    adead_arena         arena;
    uint64_t            seed = 5, calls_once = 0;
    adead_arena_open(&arena, &host);
    for (int round = 0; round < 3; round++) {
        seed = 5;
        for (int i = 0; i < PIECES; i++) {
            uint64_t align = UINT64_C(1) << test_random(&seed) % 13, size = test_random(&seed) % 200;
            if (i % 100 == 99) size = test_random(&seed) % 300000;
            pieces[i].memory = adead_arena_alloc(&arena, size, align);
            pieces[i].size = size;
            CHECK(pieces[i].memory && (uintptr_t)pieces[i].memory % align == 0);
            CHECK(is_zero(pieces[i].memory, size), "piece %d of round %d", i, round);
            if (size > 0) memset(pieces[i].memory, 1 + i % 255, size);
        }
        for (int i = 0; i < PIECES; i++) {
            for (uint64_t j = 0; j < pieces[i].size; j += 7) CHECK_EQ(pieces[i].memory[j], 1 + i % 255);
        }
        if (round == 0) calls_once = counting.calls;
        CHECK(counting.calls == calls_once, "a reset arena asked the host again");
        CHECK(calls_once > 5 && calls_once < 100);
        adead_arena_reset(&arena);
        CHECK_EQ(arena.used, 0);
    }
    adead_arena_close(&arena);
    CHECK_EQ(counting.live_bytes, 0);
    CHECK_EQ(counting.live_count, 0);
}

static void bad_requests(void)
{
    adead_counting_host counting;
    adead_host          host = adead_counting_host_init(&counting, 0);
    adead_arena         arena;
    adead_arena_open(&arena, &host);
    CHECK(!adead_arena_alloc(&arena, 8, 0));
    CHECK(!adead_arena_alloc(&arena, 8, 3));
    CHECK(!adead_arena_alloc(&arena, 8, 8192));
    CHECK(!adead_arena_alloc(&arena, UINT64_MAX, 1));
    CHECK(!adead_arena_alloc(&arena, UINT64_MAX - 4095, 4096));
    CHECK(!adead_arena_array(&arena, UINT64_MAX / 2, 3, 8));
    CHECK(!adead_arena_array(&arena, UINT64_C(1) << 32, UINT64_C(1) << 32, 8));
    CHECK(!adead_arena_string(&arena, "x", UINT64_MAX));
    CHECK_EQ(counting.calls, 0);
    CHECK_EQ(arena.used, 0);
    adead_arena_close(&arena);
}

static void sizes_of_zero_are_unique(void)
{
    adead_arena arena;
    adead_arena_open(&arena, &adead_host_default);
    char *a = adead_arena_alloc(&arena, 0, 1), *b = adead_arena_alloc(&arena, 0, 1);
    char *c = adead_arena_array(&arena, 0, 16, 1);
    CHECK(a && b && c && a != b && b != c && a != c);
    adead_arena_close(&arena);
}

static void strings(void)
{
    adead_arena arena;
    adead_arena_open(&arena, &adead_host_default);
    CHECK_STR(adead_arena_string(&arena, "matmul of nothing", 6), "matmul");
    CHECK_STR(adead_arena_string(&arena, "", 0), "");
    CHECK_STR(adead_arena_string(&arena, NULL, 0), "");
    adead_arena_close(&arena);
}

/* Back to a mark: what came before stays, what comes after is zero again, also across chunks and from an empty arena. */
static void marks(void)
{
    adead_arena arena;
    adead_arena_open(&arena, &adead_host_default);
    adead_arena_mark empty = adead_arena_get_mark(&arena);
    char            *kept = adead_arena_string(&arena, "kept", 4);
    adead_arena_mark mark = adead_arena_get_mark(&arena);
    uint64_t         used = arena.used;
    uint8_t         *first = NULL;
    for (int round = 0; round < 3; round++) {
        uint8_t *near_piece = adead_arena_alloc(&arena, 100, 8);
        if (round == 0) first = near_piece;
        CHECK(near_piece == first);
        CHECK(is_zero(near_piece, 100));
        memset(near_piece, 0xFF, 100);
        uint8_t *far_piece = adead_arena_alloc(&arena, 100000, 8);
        CHECK(far_piece && is_zero(far_piece, 100000));
        memset(far_piece, 0xFF, 100000);
        adead_arena_to_mark(&arena, mark);
        CHECK_EQ(arena.used, used);
        CHECK_STR(kept, "kept");
    }
    adead_arena_to_mark(&arena, empty);
    CHECK_EQ(arena.used, 0);
    char *again = adead_arena_alloc(&arena, 5, 1);
    CHECK(again == kept);
    CHECK(is_zero((uint8_t *)again, 5));
    adead_arena_close(&arena);
}

/* A chunk passed over because a piece did not fit is used by later pieces, not lost. */
static void small_chunks_stay_useful(void)
{
    adead_counting_host counting;
    adead_host          host = adead_counting_host_init(&counting, 0);
    adead_arena         arena;
    adead_arena_open(&arena, &host);
    static const uint64_t sizes[2][3] = {{6000, 12000, 500000}, /* the first chunk, the second, and one of its own */
                                         {500000, 12000, 6000}};
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++) {
            uint8_t *piece = adead_arena_alloc(&arena, sizes[round][i], 1);
            CHECK(piece && is_zero(piece, sizes[round][i]));
            memset(piece, 0xFF, sizes[round][i]);
        }
        CHECK_EQ(arena.used, 518000);
        CHECK_EQ(counting.calls, 3);
        adead_arena_reset(&arena);
    }
    adead_arena_close(&arena);
    CHECK_EQ(counting.live_bytes, 0);
}

static void used_counts_alignment(void)
{
    adead_arena arena;
    adead_arena_open(&arena, &adead_host_default);
    CHECK(adead_arena_alloc(&arena, 16, 16));
    CHECK_EQ(arena.used, 16);
    CHECK(adead_arena_alloc(&arena, 1, 1));
    CHECK_EQ(arena.used, 17);
    CHECK(adead_arena_alloc(&arena, 4, 16));
    CHECK_EQ(arena.used, 36);
    CHECK(adead_arena_alloc(&arena, 4, 4));
    CHECK_EQ(arena.used, 40);
    adead_arena_close(&arena);
    CHECK_EQ(arena.used, 0);
    CHECK(adead_arena_alloc(&arena, 1, 1));
    adead_arena_close(&arena);
}

/* When the host refuses, the arena says NULL, keeps what it has, and works again afterwards. */
static void host_failure_at_each_call(void)
{
    uint64_t needed = 0;
    for (uint64_t fail_at = 1; needed == 0 || fail_at <= needed; fail_at++) {
        adead_counting_host counting;
        adead_host          host = adead_counting_host_init(&counting, fail_at);
        adead_arena         arena;
        int                 failures = 0;
        uint8_t            *first = NULL;
        adead_arena_open(&arena, &host);
        for (int i = 0; i < 40; i++) {
            uint64_t used = arena.used;
            uint8_t *piece = adead_arena_alloc(&arena, 3000, 8);
            if (!piece) {
                failures++;
                CHECK_EQ(arena.used, used);
                piece = adead_arena_alloc(&arena, 3000, 8);
            }
            CHECK(piece && is_zero(piece, 3000));
            if (!first) first = piece;
            piece[0] = 1;
        }
        CHECK_EQ(failures, 1);
        CHECK_EQ(first[0], 1);
        needed = counting.calls - 1;
        CHECK(needed > 2);
        adead_arena_close(&arena);
        CHECK_EQ(counting.live_bytes, 0);
    }
}

static void counting_host_counts(void)
{
    adead_counting_host counting;
    adead_host          host = adead_counting_host_init(&counting, 2);
    uint8_t            *a = host.allocate(host.context, 100);
    CHECK(a && (uintptr_t)a % 16 == 0 && is_zero(a, 100));
    CHECK(!host.allocate(host.context, 50));
    CHECK_EQ(counting.live_bytes, 100);
    void *b = host.allocate(host.context, 7);
    CHECK(b != NULL);
    CHECK_EQ(counting.calls, 3);
    CHECK_EQ(counting.live_bytes, 107);
    CHECK_EQ(counting.live_count, 2);
    host.release(host.context, a, 100);
    host.release(host.context, b, 7);
    CHECK_EQ(counting.live_bytes, 0);
    CHECK_EQ(counting.live_count, 0);
}

#if ADEAD_ASAN
int __asan_address_is_poisoned(void const volatile *address);

static void unused_parts_are_poisoned(void)
{
    adead_arena arena;
    adead_arena_open(&arena, &adead_host_default);
    uint8_t         *a = adead_arena_alloc(&arena, 13, 1);
    adead_arena_mark mark = adead_arena_get_mark(&arena);
    uint8_t         *b = adead_arena_alloc(&arena, 32, 8);
    CHECK(!__asan_address_is_poisoned(a + 12) && __asan_address_is_poisoned(a + 13));
    CHECK(!__asan_address_is_poisoned(b + 31) && __asan_address_is_poisoned(b + 32));
    adead_arena_to_mark(&arena, mark);
    CHECK(!__asan_address_is_poisoned(a) && __asan_address_is_poisoned(b));
    adead_arena_reset(&arena);
    CHECK(__asan_address_is_poisoned(a));
    adead_arena_close(&arena);
}
#define POISON_TESTS T(unused_parts_are_poisoned)
#else
#define POISON_TESTS /* without AddressSanitizer there is nothing to see */
#endif

TEST_MAIN("arena", T(random_pieces) T(bad_requests) T(sizes_of_zero_are_unique) T(strings) T(marks)
          T(small_chunks_stay_useful) T(used_counts_alignment) T(host_failure_at_each_call) T(counting_host_counts)
          POISON_TESTS)
