/* A program with everything a run of it is given: inputs, memory, grants, shaders, a log. `adead run` gives it to one
 * instance, `adead diff` to many: files are read once.
 */
#ifndef ADEAD_CLI_SUBJECT_H
#define ADEAD_CLI_SUBJECT_H

#include "cli.h"

enum { NAME_MAX_BYTES = 255 };

/* NAME=FILE */
typedef struct named_file {
    char        name[NAME_MAX_BYTES + 1];
    const char *file;
} named_file;

/* ADDR=FILE or ADDR:LEN=FILE */
typedef struct memory_file {
    uint64_t    address, length;
    const char *file;
} memory_file;

int parse_named(cli *c, option_id id, const char *text, named_file *out);
int parse_memory(cli *c, option_id id, const char *text, memory_file *out);
/* An address the user gave that is not there is bad usage, not a trap of the program. */
int memory_failure(cli *c, option_id id, const char *file);

static inline const void *bytes_of(const buffer *b) { return b->size ? (const void *)b->data : ""; }

typedef struct subject {
    cli        *c;
    const char *file;    /* the program's, for messages */
    buffer      program; /* its bytes */
    bool        once;    /* it is given to one instance only: nothing is kept */
    buffer     *contents; /* of the file of each option of the call, once it was read */
    bool       *read;
    adead_limits limits;  /* of --fuel and --memory */
} subject;

/* Looks at every option once before anything is read, so that a mistake in the last one costs nothing. */
int  subject_open(subject *s, cli *c, bool once);
void subject_close(subject *s);
int  subject_load(subject *s, adead_runtime *runtime, adead_program **program);
/* Everything that the options give a run. Without `foreign` no function is granted and no log is replayed. */
int subject_give(subject *s, adead_instance *instance, bool foreign);
/* SHA-256 of what was given: inputs, memory and shaders, in the order of the options. */
void subject_digest(const subject *s, uint8_t digest[32]);

#endif
