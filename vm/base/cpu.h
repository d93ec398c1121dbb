/* What this processor can do, found out once and then only read.
 *
 * A feature is true only when the processor has it AND the operating system saves its registers (CPUID and XGETBV on
 * x86-64). No result may depend on what stands here: it selects among kernels that give the same bits.
 */
#ifndef ADEAD_BASE_CPU_H
#define ADEAD_BASE_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* FEATURE(member, "name for people"). amx_int8: on Linux a process must still ask the kernel for the tile registers
 * (arch_prctl ARCH_REQ_XCOMP_PERM) before it uses them. */
#define ADEAD_CPU_FEATURES(FEATURE)       \
    FEATURE(sse41, "sse4.1")              \
    FEATURE(avx, "avx")                   \
    FEATURE(f16c, "f16c")                 \
    FEATURE(fma, "fma")                   \
    FEATURE(avx2, "avx2")                 \
    FEATURE(avx_vnni, "avx-vnni")         \
    FEATURE(avx512f, "avx512f")           \
    FEATURE(avx512bw, "avx512bw")         \
    FEATURE(avx512dq, "avx512dq")         \
    FEATURE(avx512vl, "avx512vl")         \
    FEATURE(avx512vnni, "avx512vnni")     \
    FEATURE(amx_int8, "amx-int8")         \
    FEATURE(sha, "sha-ni")                \
    FEATURE(neon, "neon")                 \
    FEATURE(dotprod, "dotprod")

typedef struct adead_cpu {
#define FEATURE(member, text) bool member;
    ADEAD_CPU_FEATURES(FEATURE)
#undef FEATURE
} adead_cpu;

/* Bytes of the caches one core uses; 0 where not known (outside x86-64). */
typedef struct adead_cpu_caches { uint32_t l1d, l2, l3; } adead_cpu_caches;

/* Never NULL, never fails, valid for ever; callable from any thread. The first call runs CPUID four times (nothing on bare
 * metal, up to 10 us each inside a virtual machine), later ones cost a nanosecond. */
const adead_cpu *adead_cpu_get(void);
/* Asks the processor at every call, with about six CPUID more: ask once and keep the answer. */
adead_cpu_caches adead_cpu_get_caches(void);
/* Cores this process may run on now, at least 1. Asks the system at every call. */
uint32_t adead_cpu_cores(void);
/* "MODEL; sse4.1 avx ...; L1d 48 KiB, L2 2048 KiB, L3 ...; 2 cores", cut to `size` bytes with the NUL. 320 are enough. */
void adead_cpu_describe(char *text, size_t size);

#endif
