/* The reduction of large arguments of sin and cos, shared by all instruction sets: see vm/base/adn1.h. */
#ifndef ADEAD_CPU_VECTOR_REDUCE_H
#define ADEAD_CPU_VECTOR_REDUCE_H

#include <stdint.h>

/* The remainder of a, finite and above ADN1_REDUCE_LIMIT, modulo pi/2; *n is the quotient modulo 4. */
float adead_cpu_reduce_large(float a, int32_t *n);

#endif
