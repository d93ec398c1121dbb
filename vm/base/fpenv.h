/* The floating-point environment at the library's border: whatever the host process has set (flush-to-zero, another
 * rounding, unmasked exceptions), inside it is round-to-nearest-even with subnormals and no exceptions, and on the way out
 * the host finds its own settings and its own sticky exception flags again.
 *
 *     adead_fpenv host = adead_fpenv_enter();
 *     ... calls into functions that compute ...
 *     adead_fpenv_leave(host);
 *
 * Per thread: a worker thread enters on its own. The control register is read always and written only when it differs,
 * so a clean host pays a few nanoseconds. The compiler does not know that arithmetic depends on this register: compute in
 * functions that are called between the two (not inlined beside them), or on values loaded from memory between the two.
 */
#ifndef ADEAD_BASE_FPENV_H
#define ADEAD_BASE_FPENV_H

#include <stdint.h>

#if defined(__x86_64__)
#include <xmmintrin.h>

typedef struct adead_fpenv { uint32_t mxcsr; } adead_fpenv;

enum { ADEAD_FPENV_MXCSR = 0x1F80, ADEAD_FPENV_STICKY = 0x3F }; /* the power-on value: all masked, nearest, no FTZ, no DAZ */

static inline adead_fpenv adead_fpenv_enter(void)
{
    adead_fpenv host = {_mm_getcsr()};
    if ((host.mxcsr & ~(uint32_t)ADEAD_FPENV_STICKY) != ADEAD_FPENV_MXCSR) _mm_setcsr(ADEAD_FPENV_MXCSR);
    __asm__ volatile("" ::: "memory");
    return host;
}

static inline void adead_fpenv_leave(adead_fpenv host)
{
    __asm__ volatile("" ::: "memory");
    if (_mm_getcsr() != host.mxcsr) _mm_setcsr(host.mxcsr);
}

#elif defined(__aarch64__)

/* FPCR controls (0 is what is wanted: nearest, no flush, no default-NaN, no traps), FPSR holds the sticky flags. */
typedef struct adead_fpenv { uint64_t fpcr, fpsr; } adead_fpenv;

static inline adead_fpenv adead_fpenv_enter(void)
{
    adead_fpenv host;
    __asm__ volatile("mrs %0, fpcr\n\tmrs %1, fpsr" : "=r"(host.fpcr), "=r"(host.fpsr));
    if (host.fpcr != 0) __asm__ volatile("msr fpcr, xzr");
    __asm__ volatile("" ::: "memory");
    return host;
}

static inline void adead_fpenv_leave(adead_fpenv host)
{
    uint64_t fpsr;
    __asm__ volatile("mrs %0, fpsr" : "=r"(fpsr)::"memory");
    if (host.fpcr != 0) __asm__ volatile("msr fpcr, %0" ::"r"(host.fpcr));
    if (fpsr != host.fpsr) __asm__ volatile("msr fpsr, %0" ::"r"(host.fpsr));
}

#else
#error "adead runs on x86-64 and AArch64"
#endif

#endif
