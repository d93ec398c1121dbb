/* Files of digests: what is known of a run on another machine, or by another version. Text, a line for each fact; the last
 * line is the SHA-256 of all before it. docs/formats.md has the form.
 */
#ifndef ADEAD_CLI_DIGESTS_H
#define ADEAD_CLI_DIGESTS_H

#include "bisect.h"
#include "json.h"

enum { DIGESTS_SETTINGS_MAX = 200 };

typedef struct digests_file {
    uint8_t program[32]; /* SHA-256 of the program */
    uint8_t inputs[32];  /* of its inputs */
    char    settings[DIGESTS_SETTINGS_MAX + 1];
    char    version[32];
    steps   steps;
} digests_file;

void digests_write(const digests_file *file, buffer *out);

typedef struct digests_failure {
    int      code; /* 2xx or NO_MEMORY */
    uint32_t line;
    char     message[160];
} digests_failure;

/* Reads and checks all of it. Free `file->steps` when it succeeded. */
bool digests_read(const uint8_t *bytes, size_t size, digests_file *file, digests_failure *failure);

#endif
