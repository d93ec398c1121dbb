/* How far the functions of ADN-1 are from the truth, and whether all implementations of them agree: shared by the exhaustive
 * program and by the sampled suite. The truth here is the C library in double precision, whose own error is below 1e-6 ulp
 * of a float for each of these expressions; this is the one place where a tolerance makes sense.
 */
#ifndef ADEAD_MEASURE_H
#define ADEAD_MEASURE_H

#include "backends/cpu/cpu.h"
#include "backends/ref/ref_functions.h"
#include "vm/base/cpu.h"

#include <math.h>
#include <stdio.h>

static inline double exact_exp(double x) { return exp(x); }
static inline double exact_log(double x) { return log(x); }
static inline double exact_sin(double x) { return sin(x); }
static inline double exact_cos(double x) { return cos(x); }
static inline double exact_erf(double x) { return erf(x); }
static inline double exact_tanh(double x) { return tanh(x); }
static inline double exact_sigmoid(double x) { return 1 / (1 + exp(-x)); }
static inline double exact_silu(double x) { return x < -800 ? -0.0 : x / (1 + exp(-x)); }
static inline double exact_gelu(double x) { return x < -100 ? -0.0 : x * 0.5 * erfc(-x * 0x1.6a09e667f3bcdp-1); }
static inline double exact_gelu_tanh(double x)
{
    return x < -100 ? -0.0 : x / (1 + exp(-0x1.9884533d43651p+0 * (x + 0.044715 * x * x * x)));
}

typedef struct measured_function {
    const char *name;
    float (*scalar)(float);
    double (*exact)(double);
    adead_map  *vector[8]; /* the versions of the instruction sets that this processor has, NULL after the last */
    const char *variant[8];
    double      limit;     /* ulp that the numerics promise */
    const char *digest;    /* SHA-256 over all 2^32 results */
    const char *sampled;   /* and over those whose input is a multiple of SAMPLE_STRIDE */
} measured_function;

enum { SAMPLE_STRIDE = 4099 };

static inline adead_map *version_of(const adead_cpu_kernels *kernels, const char *name)
{
#define FUNCTION(f) if (strcmp(name, #f) == 0) return kernels->f;
    ADN1_FUNCTIONS(FUNCTION)
#undef FUNCTION
    return NULL;
}

static inline unsigned measured_functions(const measured_function **list)
{
    static measured_function table[] = {
#define PUBLISHED(name, ulp, digest, sampled) {#name, adead_ref_##name, exact_##name, {0}, {0}, ulp, digest, sampled},
#include "functions.def"
#undef PUBLISHED
    };
    static const char *const variants[] = {"avx512", "avx2", "sse2", "neon", "scalar"};
    for (unsigned i = 0; i < ADEAD_COUNT(table); i++) {
        unsigned count = 0;
        for (unsigned v = 0; v < ADEAD_COUNT(variants); v++) {
            const adead_cpu_kernels *kernels = adead_cpu_find_kernels(variants[v]);
            if (!kernels) continue;
            table[i].vector[count] = version_of(kernels, table[i].name);
            table[i].variant[count++] = variants[v];
        }
    }
    *list = table;
    return ADEAD_COUNT(table);
}

/* Distance of y from the true value in units of the last place that a float of the true value's size has. 1e9 stands
 * for a wrong NaN, a wrong infinity, or a NaN that is not the canonical one. */
static inline double ulp_error(float y, double truth)
{
    if (truth != truth) return adead_f32_bits(y) == ADN1_NAN_BITS ? 0 : 1e9;
    float rounded = (float)truth;
    if (y != y) return 1e9;
    if (isinf(y) || isinf(rounded)) return y == rounded ? 0 : 1e9;
    double unit = 0x1p-149;
    if (fabs(truth) >= 0x1p-126) {
        int exponent;
        frexp(truth, &exponent);
        unit = ldexp(1.0, exponent - 24);
    }
    return fabs((double)y - truth) / unit;
}

typedef struct measurement {
    double   worst;      /* ulp */
    uint32_t worst_at;   /* bits of the input */
    uint64_t inputs, differences; /* differences: where a vector version has other bits than the scalar one */
    uint32_t difference_at;
    const char *difference_in; /* the vector version */
} measurement;

enum { MEASURE_CHUNK = 1024 };

/* Measures `count` inputs (at most MEASURE_CHUNK); the results' bits go to `results`. */
static inline void measure_chunk(const measured_function *f, const uint32_t *inputs, unsigned count, uint32_t *results,
                                 measurement *m)
{
    float x[MEASURE_CHUNK], v[MEASURE_CHUNK];
    memcpy(x, inputs, count * 4);
    for (unsigned i = 0; i < count; i++) {
        float y = f->scalar(x[i]);
        results[i] = adead_f32_bits(y);
        double error = ulp_error(y, f->exact(x[i]));
        if (error > m->worst) {
            m->worst = error;
            m->worst_at = inputs[i];
        }
    }
    for (unsigned version = 0; f->vector[version]; version++) {
        f->vector[version](x, v, count);
        for (unsigned i = 0; i < count; i++) {
            if (adead_f32_bits(v[i]) == results[i] || m->differences++ != 0) continue;
            m->difference_at = inputs[i];
            m->difference_in = f->variant[version];
        }
    }
    m->inputs += count;
}

static inline void digest_text(const uint8_t digest[32], char text[65])
{
    for (int i = 0; i < 32; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

#endif
