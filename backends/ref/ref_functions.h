/* The functions of vm/base/adn1.h in plain C, one number at a time: the oracle every vector version is tested against. */
#ifndef ADEAD_REF_FUNCTIONS_H
#define ADEAD_REF_FUNCTIONS_H

#include "opcodes/opcodes.h"
#include "vm/base/adn1.h"

#define FUNCTION(name) float adead_ref_##name(float x);
ADN1_FUNCTIONS(FUNCTION)
#undef FUNCTION

/* x > 0 ? x : +0, and the canonical NaN for a NaN. */
float adead_ref_relu(float x);
/* The activation applied to one rounded sum. NONE gives the value itself. */
float adead_ref_activate(adead_activation activation, float x);

#endif
