/* The smallest test harness that can say what failed: include it in one C file per suite.
 *
 * A suite prints one line per test, "PASS suite.test", "FAIL suite.test: file:line: message" or "SKIP suite.test: reason",
 * then "suite: N passed, N failed, N skipped", and exits 1 if anything failed. tests/runner.zig adds the suites up. Floats
 * are compared by bits only; there is deliberately no tolerance here.
 */
#ifndef ADEAD_TEST_H
#define ADEAD_TEST_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TEST_UNDER_TSAN 1
#endif
#endif
#ifndef TEST_UNDER_TSAN
#define TEST_UNDER_TSAN 0
#endif

/* The allocator of AddressSanitizer, and all of ThreadSanitizer, may not be used in a child that was forked while other
 * threads were inside: there a test forks when they are gone. */
#if defined(__SANITIZE_ADDRESS__)
#define TEST_FORKS_ALONE 1
#else
#define TEST_FORKS_ALONE TEST_UNDER_TSAN
#endif

static struct { const char *suite, *test, *only; int passed, failed, skipped; bool bad, skip; } test_state;

static void test_report(const char *file, int line, const char *format, ...)
{
    if (!test_state.bad) {
        va_list args;
        printf("FAIL %s.%s: %s:%d: ", test_state.suite, test_state.test, file, line);
        va_start(args, format);
        vprintf(format, args);
        va_end(args);
        printf("\n");
        fflush(stdout);
    }
    test_state.bad = true;
}

static void test_run(const char *name, void (*body)(void))
{
    if (test_state.only && strcmp(test_state.only, name) != 0) return;
    test_state.test = name;
    test_state.bad = test_state.skip = false;
    body();
    if (test_state.bad) test_state.failed++;
    else if (test_state.skip) test_state.skipped++;
    else { test_state.passed++; printf("PASS %s.%s\n", test_state.suite, name); }
    fflush(stdout);
}

/* TEST_MAIN("suite", T(first) T(second)): the suite's main; an argument names the one test to run. */
#define T(function) test_run(#function, function);
#define TEST_MAIN(name, tests)                                                                                      \
    int main(int argc, char **argv)                                                                                 \
    {                                                                                                               \
        test_state.suite = name;                                                                                    \
        test_state.only = argc > 1 ? argv[1] : NULL;                                                                \
        tests                                                                                                       \
        printf("%s: %d passed, %d failed, %d skipped\n", name, test_state.passed, test_state.failed, test_state.skipped); \
        return test_state.failed != 0 || test_state.passed + test_state.skipped == 0;                               \
    }

/* Each returns from the test (or helper returning void) on failure. */
#define CHECK(condition, ...)                                                                 \
    do {                                                                                      \
        if (!(condition)) {                                                                   \
            test_report(__FILE__, __LINE__, "" #condition " is false" __VA_OPT__(": ") __VA_ARGS__); \
            return;                                                                           \
        }                                                                                     \
    } while (0)
#define CHECK_EQ(actual, expected)                                                                                     \
    do {                                                                                                               \
        uint64_t check_a = (uint64_t)(actual), check_b = (uint64_t)(expected);                                         \
        if (check_a != check_b) {                                                                                      \
            test_report(__FILE__, __LINE__,                                                                            \
                        #actual " is %" PRIu64 " (0x%" PRIX64 "), expected %" PRIu64 " (0x%" PRIX64 ")",               \
                        check_a, check_a, check_b, check_b);                                                           \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)
#define CHECK_STR(actual, expected)                                                                                    \
    do {                                                                                                               \
        const char *check_a = (actual), *check_b = (expected);                                                         \
        if (strcmp(check_a, check_b) != 0) {                                                                           \
            test_report(__FILE__, __LINE__, #actual " is \"%s\", expected \"%s\"", check_a, check_b);                  \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)
/* Where ADEAD_TEST_SAMPLE=N is set (under an emulator or a sanitizer) every N-th of many cases will do; else 1. */
static inline uint64_t test_sample(void)
{
    const char *text = getenv("ADEAD_TEST_SAMPLE");
    uint64_t    every = text ? strtoull(text, NULL, 10) : 1;
    return every ? every : 1;
}

#define SKIP(...)                                                   \
    do {                                                            \
        printf("SKIP %s.%s: ", test_state.suite, test_state.test);  \
        printf(__VA_ARGS__);                                        \
        printf("\n");                                               \
        test_state.skip = true;                                     \
        return;                                                     \
    } while (0)

/* SplitMix64: the one source of randomness in tests; every suite prints nothing but its seed's consequences. */
static inline uint64_t test_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

#endif
