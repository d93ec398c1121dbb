/* The cases that devices are probed with: hard inputs for each primitive operation and each function, and what this
 * processor computes of them, or the digest that the reference's results have. How a device computes them is its backend's
 * affair.
 */
#ifndef ADEAD_BACKENDS_PROBE_CASES_H
#define ADEAD_BACKENDS_PROBE_CASES_H

#include <stdint.h>

/* What is probed. Functions are below the first primitive; the inputs depend on the number. */
typedef enum adead_probe {
    ADEAD_PROBE_SIGMOID = 2,
    ADEAD_PROBE_TANH,
    ADEAD_PROBE_GELU,
    ADEAD_PROBE_GELU_TANH,
    ADEAD_PROBE_SILU,
    ADEAD_PROBE_EXP,
    ADEAD_PROBE_LOG,
    ADEAD_PROBE_SIN,
    ADEAD_PROBE_COS,
    ADEAD_PROBE_ERF,
    ADEAD_PROBE_FMA = 32,
    ADEAD_PROBE_ADD,
    ADEAD_PROBE_SUB,
    ADEAD_PROBE_MUL,
    ADEAD_PROBE_DIV,
    ADEAD_PROBE_SQRT,
    ADEAD_PROBE_LESS,    /* a < b, as 1 or 0 */
    ADEAD_PROBE_EQUAL,   /* a == b */
    ADEAD_PROBE_GREATER, /* a > b */
    ADEAD_PROBE_LARGER,  /* the maximum of the canonical numerics */
    ADEAD_PROBE_FROM_INT = 43, /* f32 of an i32 */
    ADEAD_PROBE_TO_INT   /* i32 of an f32 in range */
} adead_probe;

typedef struct adead_probe_subject {
    uint32_t    what;
    const char *name;
    uint64_t    digest; /* the first 8 bytes of the SHA-256 of a function's results, those of ref: unit/test_backends.c */
} adead_probe_subject;

enum { ADEAD_PROBE_SUBJECTS = 22, ADEAD_PROBE_CASES = 8192 };

/* In an order in which what comes later is computed with what comes before. */
extern const adead_probe_subject adead_probe_subjects[ADEAD_PROBE_SUBJECTS];
/* NULL if there is none of that number. */
const adead_probe_subject *adead_probe_subject_of(uint32_t what);
const char                *adead_probe_name(uint32_t what); /* "fma" */

/* ADEAD_PROBE_CASES words each. */
void adead_probe_inputs(uint32_t what, uint32_t *a, uint32_t *b, uint32_t *c);
/* How many results are not as expected; `inputs` are the three arrays, one after the other. Of a function, whose results
 * are compared as a whole, all or none. */
uint32_t adead_probe_mismatches(const adead_probe_subject *subject, const uint32_t *inputs, const uint32_t *results);
/* The first 8 bytes of the SHA-256 of words, little-endian. */
uint64_t adead_probe_digest(const uint32_t *words, uint32_t count);

#endif
