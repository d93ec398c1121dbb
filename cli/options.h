/* The command line: commands and options as tables (commands.def, options.def), and what a call says by them. */
#ifndef ADEAD_CLI_OPTIONS_H
#define ADEAD_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum command_id {
#define COMMAND(id, name, operands, fewest, most, summary, details) COMMAND_##id,
#include "commands.def"
#undef COMMAND
    COMMAND_COUNT
} command_id;

typedef enum option_id {
#define OPTION(id, name, letter, value, commands, repeat, completion, help) OPTION_##id,
#include "options.def"
#undef OPTION
    OPTION_COUNT
} option_id;

typedef enum completion { COMPLETE_NOTHING, COMPLETE_FILE, COMPLETE_BACKEND, COMPLETE_FORMAT } completion;

typedef struct command {
    const char *name, *operands;
    int         fewest, most;
    const char *summary, *details;
} command;

typedef struct option {
    const char *name, *letter, *value;
    unsigned    commands; /* bit set by command_id */
    bool        repeat;
    completion  complete;
    const char *help;
} option;

extern const command commands[COMMAND_COUNT];
extern const option  options[OPTION_COUNT];

typedef struct arguments {
    command_id command;
    bool       version; /* --version in place of a command */
    bool       help;    /* --help, or nothing at all: then `empty` is set, too */
    bool       empty;
    const char **operands;
    int          operand_count;
    struct { option_id id; const char *value; } *given;
    int          given_count;
} arguments;

/* Reads the command line. On failure returns false with one sentence in `message` and perhaps a hint. The strings stay
 * argv's; `arguments_free` frees the rest. */
bool arguments_parse(arguments *args, int argc, char **argv, char *message, size_t message_size, char *hint,
                     size_t hint_size);
void arguments_free(arguments *args);
/* The value of an option ("" for a flag), NULL when it was not given. For repeated ones: the n-th from 0. */
const char *argument(const arguments *args, option_id id);
const char *argument_at(const arguments *args, option_id id, int n);

/* ---- help.c ---- */

struct buffer;
void help_overview(struct buffer *out);
void help_command(struct buffer *out, command_id id);
void help_markdown(struct buffer *out);
void completions_bash(struct buffer *out, const char *backends);
void completions_zsh(struct buffer *out, const char *backends);

#endif
