/* What the instruction table says for people: names, classes and effects. For the generator of documentation and for
 * tests; the library itself does without.
 */
#ifndef ADEAD_OPCODES_DOCS_H
#define ADEAD_OPCODES_DOCS_H

#include "opcodes/opcodes.h"

typedef struct adead_op_doc {
    const char *name;   /* "GPU_MATMUL" */
    const char *group;  /* class name */
    const char *effect; /* in the notation of opcodes.def */
} adead_op_doc;

static const adead_op_doc adead_op_docs[ADEAD_OP_COUNT] = {
#define OP(value, name, mnemonic, operands, flags, class, tensor, effect) {#name, #class, effect},
#include "opcodes/opcodes.def"
#undef OP
};

#endif
