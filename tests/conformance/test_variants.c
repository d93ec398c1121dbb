/* The choice among the variants of the backend `cpu`: one test a variant, which is skipped with the reason where this
 * processor or system does not offer it; a name that is none is refused; "cpu" is the best of those there are.
 * ADEAD_EXPECT_VARIANT=NAME says which that must be, for runs on a processor that is known.
 */
#include "conformance.h"

static const char *tested;

/* The facts of a variant (NULL: the one chosen without asking). */
static adead_status open_and_describe(const char *variant, adead_backend_facts *facts, adead_failure *failure)
{
    const adead_backend *backend = adead_backend_find("cpu", 3);
    adead_device_options options = {.host = adead_host_default, .threads = 1, .variant = variant};
    adead_device        *device = NULL;
    memset(facts, 0, sizeof *facts);
    adead_status status = backend->open(&options, &device, failure);
    if (status != ADEAD_OK) return status;
    backend->describe(device, facts);
    backend->close(device);
    return status;
}

/* What a processor lacks is said once: not again by the sanitized suite, nor of a processor that was chosen for it. */
static bool said_elsewhere(void)
{
#if defined(__SANITIZE_ADDRESS__)
    return true;
#else
    return getenv("ADEAD_EXPECT_VARIANT") != NULL;
#endif
}

static void one_variant(void)
{
    adead_backend_facts facts, probed = {0};
    adead_failure       failure = {0}, unused = {0};
    adead_status        status = open_and_describe(tested, &facts, &failure);
    adead_status        probe = adead_backend_find("cpu", 3)->probe(tested, &probed, &unused);
    CHECK_EQ(probe, status);
    CHECK(probed.available == (status == ADEAD_OK));
    if (status == ADEAD_BACKEND_UNAVAILABLE) {
        CHECK(strlen(probed.reason) > 10 && strcmp(probed.reason, failure.message) == 0);
        if (said_elsewhere()) return;
        SKIP("cannot run: %s", failure.message);
    }
    CHECK_EQ(status, ADEAD_OK);
    CHECK(facts.available && facts.attested && facts.device[0]);
}

static void a_name_that_is_none(void)
{
    static const char *const names[] = {"", "avx", "AVX2", "avx2 ", "avx512x", "0123456789012345678901234567890123456789"};
    for (unsigned i = 0; i < ADEAD_COUNT(names); i++) {
        adead_backend_facts facts;
        adead_failure       failure = {0};
        CHECK(open_and_describe(names[i], &facts, &failure) == ADEAD_BACKEND_UNAVAILABLE, "\"%s\"", names[i]);
        CHECK(strstr(failure.message, "scalar"), "the message does not say which there are: %s", failure.message);
    }
}

/* The first of the list that opens: the list is in order of preference. */
static void the_best_is_chosen(void)
{
    const char         *expected = getenv("ADEAD_EXPECT_VARIANT");
    adead_backend_facts chosen, best = {0};
    adead_failure       failure;
    CHECK_EQ(open_and_describe(NULL, &chosen, &failure), ADEAD_OK);
    for (unsigned i = 0; i < ADEAD_COUNT(subjects) && !best.available; i++) {
        const char *name = subjects[i] + 4;
        if (strncmp(subjects[i], "cpu:", 4) != 0 || open_and_describe(name, &best, &failure) != ADEAD_OK) continue;
        CHECK(!expected || strcmp(expected, name) == 0, "%s is the best here, expected %s", name, expected);
    }
    CHECK_STR(chosen.device, best.device);
    printf("cpu is %s\n", chosen.device);
}

/* Those for other processors are not in this program; its build for them is tested under an emulator. */
static void each_variant(void)
{
    static const struct { const char *name, *processor; } variants[] = {
#define KERNELS(name, text, processor, needs) {#name, #processor},
#include "backends/cpu/kernels.def"
#undef KERNELS
    };
#if defined(__x86_64__)
    const char *here = "X86_64";
#elif defined(__aarch64__)
    const char *here = "AARCH64";
#else
    const char *here = "";
#endif
    for (unsigned i = 0; i < ADEAD_COUNT(variants); i++) {
        if (strcmp(variants[i].processor, here) != 0 && strcmp(variants[i].processor, "ANY") != 0) continue;
        tested = variants[i].name;
        test_run(tested, one_variant);
    }
}

TEST_MAIN("variants", each_variant(); T(a_name_that_is_none) T(the_best_is_chosen))
