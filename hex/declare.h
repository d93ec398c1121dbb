/* Declarations that assembly and text container write alike: memory, ports, imports, debug names.
 *
 * The two grammars differ in what a number may be (an expression, or one literal) and a buffer (also a name, or only
 * `bN`), so those are callbacks. Each function starts at the token behind the directive's word and ends at the end of
 * the line; it parses and fills, the checks of check.h are the caller's.
 */
#ifndef ADEAD_HEX_DECLARE_H
#define ADEAD_HEX_DECLARE_H

#include "lexer.h"

typedef struct adead_declarer {
    adead_lexer *lexer;
    adead_arena *arena;   /* where strings go */
    void        *context; /* of the callbacks */
    /* Reads a number of at most `limit` (`what` names it in errors) and leaves the lexer behind it. */
    adead_status (*number)(void *context, const char *what, uint64_t limit, uint64_t *value);
    adead_status (*buffer)(void *context, uint64_t *value);
} adead_declarer;

/* SIZE [max SIZE] */
adead_status adead_declare_memory(adead_declarer *d, uint64_t *initial, uint64_t *maximum);
/* NAME DTYPE[D, ...] at ADDRESS | in BUFFER */
adead_status adead_declare_port(adead_declarer *d, adead_port *port);
/* [D, ...]; `?` (0) only if `open`. Ends behind the bracket. */
adead_status adead_declare_dims(adead_declarer *d, bool open, uint64_t dims[ADEAD_MAX_RANK], uint32_t *rank);
/* "library!symbol" "signature" */
adead_status adead_declare_import(adead_declarer *d, adead_import *import);
/* code|buffer|data VALUE NAME */
adead_status adead_declare_name(adead_declarer *d, adead_name *name);
/* NAME, copied to the arena; ends behind it. */
adead_status adead_declare_identifier(adead_declarer *d, const char *what, const char **name);

/* A token of the form `bN` or `rN` (`letter` says which) is number N. False for everything else, and above 2^32-1. */
bool adead_token_numbered(const adead_token *token, char letter, uint64_t *number);

extern const char *const adead_name_kinds[ADEAD_NAME_KIND_COUNT]; /* "code", "buffer", "data" */

/* Writes what adead_declare_memory and adead_declare_port read. */
void adead_out_size(adead_out *out, uint64_t size);
void adead_out_memory(adead_out *out, const adead_image *image);
void adead_out_dims(adead_out *out, const uint64_t *dims, uint32_t rank, bool open);
/* Without the place. */
void adead_out_port(adead_out *out, const adead_port *port, bool input);
void adead_out_import(adead_out *out, const adead_import *import);

#endif
