/* Processor detection: CPUID and XGETBV on x86-64, the baseline on AArch64 (NEON and fma are part of it), and the number
 * of cores from the operating system. Needs no thread library: the first caller fills the record, others wait for it.
 */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* sched_getaffinity */
#endif

#include "cpu.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <unistd.h>
#endif
#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#if defined(__x86_64__)

typedef struct leaf { uint32_t a, b, c, d; } leaf;

static leaf cpuid(uint32_t function, uint32_t index)
{
    leaf l;
    __cpuid_count(function, index, l.a, l.b, l.c, l.d);
    return l;
}

static bool bit(uint32_t word, int position) { return word >> position & 1; }

/* Register state the operating system saves (XCR0); may be asked only where CPUID says OSXSAVE. */
static uint64_t saved_state(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* Intel's leaf 4 and AMD's 0x8000001D have the same layout: one index a cache, type 0 ends the list. */
adead_cpu_caches adead_cpu_get_caches(void)
{
    adead_cpu_caches caches = {0, 0, 0};
    leaf             vendor = cpuid(0, 0);
    bool             amd = vendor.b == 0x68747541 || vendor.b == 0x6F677948; /* "Auth"enticAMD, "Hygo"nGenuine */
    uint32_t         function = amd ? 0x8000001D : 4;
    if ((amd ? cpuid(0x80000000, 0).a : vendor.a) < function) return caches;
    for (uint32_t index = 0; index < 8; index++) {
        leaf     l = cpuid(function, index);
        uint32_t type = l.a & 31, level = l.a >> 5 & 7;
        if (type == 0) break;
        uint64_t bytes = ((uint64_t)(l.b >> 22) + 1) * ((l.b >> 12 & 1023) + 1) * ((l.b & 4095) + 1) * ((uint64_t)l.c + 1);
        uint32_t size = bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
        if (level == 1 && type == 1) caches.l1d = size;
        if (level == 2 && type != 2) caches.l2 = size;
        if (level == 3 && type != 2) caches.l3 = size;
    }
    return caches;
}

static void detect_wide(adead_cpu *cpu, uint64_t saved, uint32_t highest)
{
    leaf l = highest >= 7 ? cpuid(7, 0) : (leaf){0, 0, 0, 0};
    cpu->sha = cpu->sse41 && bit(l.b, 29);
    if (!cpu->avx) return;
    cpu->avx2 = bit(l.b, 5);
    cpu->avx_vnni = cpu->avx2 && l.a >= 1 && bit(cpuid(7, 1).a, 4);
    if ((saved & 0xE6) == 0xE6 && bit(l.b, 16)) { /* masks, upper halves, upper sixteen registers */
        cpu->avx512f = true;
        cpu->avx512dq = bit(l.b, 17);
        cpu->avx512bw = bit(l.b, 30);
        cpu->avx512vl = bit(l.b, 31);
        cpu->avx512vnni = bit(l.c, 11);
    }
    cpu->amx_int8 = (saved & 0x60000) == 0x60000 && bit(l.d, 24) && bit(l.d, 25);
}

static void detect(adead_cpu *cpu)
{
    leaf     l = cpuid(1, 0);
    uint64_t saved = bit(l.c, 27) ? saved_state() : 0;
    cpu->sse41 = bit(l.c, 19);
    if ((saved & 6) == 6 && bit(l.c, 28)) {
        cpu->avx = true;
        cpu->fma = bit(l.c, 12);
        cpu->f16c = bit(l.c, 29);
    }
    detect_wide(cpu, saved, cpuid(0, 0).a);
}

static void model_name(char name[49])
{
    name[0] = name[48] = '\0';
    if (cpuid(0x80000000, 0).a < 0x80000004) return;
    for (uint32_t i = 0; i < 3; i++) {
        leaf l = cpuid(0x80000002 + i, 0);
        memcpy(name + 16 * i, &l, 16);
    }
    size_t blanks = strspn(name, " "), length = strlen(name);
    memmove(name, name + blanks, length - blanks + 1);
}

#elif defined(__aarch64__)

/* SDOT and UDOT, which are optional: the system says. */
static bool has_dot_product(void)
{
#if defined(__linux__)
    return getauxval(AT_HWCAP) >> 20 & 1; /* HWCAP_ASIMDDP */
#elif defined(__APPLE__)
    int    yes = 0;
    size_t size = sizeof yes;
    return sysctlbyname("hw.optional.arm.FEAT_DotProd", &yes, &size, NULL, 0) == 0 && yes;
#elif defined(_WIN32)
    return IsProcessorFeaturePresent(43); /* PF_ARM_V82_DP_INSTRUCTIONS_AVAILABLE */
#else
    return false;
#endif
}

static void detect(adead_cpu *cpu)
{
    cpu->neon = cpu->fma = true;
    cpu->dotprod = has_dot_product();
}

adead_cpu_caches adead_cpu_get_caches(void) { return (adead_cpu_caches){0, 0, 0}; }

static void model_name(char name[49]) { strcpy(name, "AArch64"); }

#else
#error "adead runs on x86-64 and AArch64"
#endif

const adead_cpu *adead_cpu_get(void)
{
    enum { UNKNOWN, BUSY, READY };
    static atomic_int state;
    static adead_cpu  known;
    if (atomic_load_explicit(&state, memory_order_acquire) == READY) return &known;
    int expected = UNKNOWN;
    if (atomic_compare_exchange_strong(&state, &expected, BUSY)) {
        detect(&known);
        atomic_store_explicit(&state, READY, memory_order_release);
    }
    while (atomic_load_explicit(&state, memory_order_acquire) != READY) { } /* microseconds at most, and only at the start */
    return &known;
}

uint32_t adead_cpu_cores(void)
{
#if defined(_WIN32)
    DWORD count = GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
    return count > 0 ? (uint32_t)count : 1;
#else
#if defined(__linux__)
    cpu_set_t allowed; /* holds 1024 cores; on larger machines the call fails and all cores count */
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_COUNT(&allowed) > 0) return (uint32_t)CPU_COUNT(&allowed);
#endif
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (uint32_t)count : 1;
#endif
}

void adead_cpu_describe(char *text, size_t size)
{
    const adead_cpu *cpu = adead_cpu_get();
    char             name[49], features[160] = "";
    model_name(name);
#define FEATURE(member, label) if (cpu->member) strcat(features, " " label);
    ADEAD_CPU_FEATURES(FEATURE)
#undef FEATURE
    char             cache_text[80] = "";
    adead_cpu_caches caches = adead_cpu_get_caches();
    if (caches.l1d) {
        snprintf(cache_text, sizeof cache_text, "; L1d %u KiB, L2 %u KiB, L3 %u KiB", (unsigned)(caches.l1d >> 10),
                 (unsigned)(caches.l2 >> 10), (unsigned)(caches.l3 >> 10));
    }
    unsigned cores = (unsigned)adead_cpu_cores();
    snprintf(text, size, "%s;%s%s; %u core%s", name[0] ? name : "unnamed processor",
             features[0] ? features : " no extensions", cache_text, cores, cores == 1 ? "" : "s");
}
