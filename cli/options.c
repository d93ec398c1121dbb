/* Parsing the command line by the tables. See options.h. */
#include "options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const command commands[COMMAND_COUNT] = {
#define COMMAND(id, name, operands, fewest, most, summary, details) {#name, operands, fewest, most, summary, details},
#include "commands.def"
#undef COMMAND
};

enum { ONCE = 0, REPEAT = 1 };
#define IN(id) 1u << COMMAND_##id
#define IN_ALL ~0u

const option options[OPTION_COUNT] = {
#define OPTION(id, name, letter, value, commands, repeat, completion, help) \
    {name, letter, value, commands, repeat, COMPLETE_##completion, help},
#include "options.def"
#undef OPTION
};

typedef struct parser {
    arguments *args;
    char     **argv;
    int        argc, at;
    char      *message, *hint;
    size_t     message_size, hint_size;
} parser;

static bool refuse(parser *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(p->message, p->message_size, format, args);
    va_end(args);
    return false;
}

/* Edits (insert, delete, replace, swap neighbours count one each) between two short words; large when one is long. */
static unsigned distance(const char *a, size_t n, const char *b, size_t m)
{
    enum { LONGEST = 24 };
    unsigned char row[3][LONGEST + 1];
    if (n > LONGEST || m > LONGEST) return 99;
    for (size_t i = 0; i <= n; i++) {
        unsigned char *now = row[i % 3], *before = row[(i + 2) % 3], *earlier = row[(i + 1) % 3];
        for (size_t j = 0; j <= m; j++) {
            unsigned best = i ? before[j] + 1u : (unsigned)j;
            if (j && now[j - 1] + 1u < best) best = now[j - 1] + 1u;
            if (i && j && before[j - 1] + (unsigned)(a[i - 1] != b[j - 1]) < best)
                best = before[j - 1] + (unsigned)(a[i - 1] != b[j - 1]);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && earlier[j - 2] + 1u < best)
                best = earlier[j - 2] + 1u;
            now[j] = (unsigned char)best;
        }
    }
    return row[n % 3][m];
}

static bool unknown_command(parser *p, const char *word)
{
    unsigned nearest = 3;
    int      found = -1;
    for (int i = 0; i < COMMAND_COUNT; i++) {
        unsigned d = distance(word, strlen(word), commands[i].name, strlen(commands[i].name));
        if (d < nearest) nearest = d, found = i;
    }
    if (found >= 0) snprintf(p->hint, p->hint_size, "did you mean `adead %s`?", commands[found].name);
    else snprintf(p->hint, p->hint_size, "`adead help` lists the commands");
    return refuse(p, "there is no command \"%.80s\"", word);
}

static bool unknown_option(parser *p, const char *word, size_t length)
{
    unsigned nearest = 3;
    int      found = -1;
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (!(options[i].commands & 1u << p->args->command)) continue;
        unsigned d = distance(word, length, options[i].name, strlen(options[i].name));
        if (d < nearest) nearest = d, found = i;
    }
    const char *name = commands[p->args->command].name;
    if (found >= 0) snprintf(p->hint, p->hint_size, "did you mean %s?", options[found].name);
    else snprintf(p->hint, p->hint_size, "`adead help %s` lists its options", name);
    return refuse(p, "`adead %s` has no option %.*s", name, (int)(length < 80 ? length : 80), word);
}

/* One option at p->at; steps over it and its value. */
static bool parse_option(parser *p)
{
    const char *word = p->argv[p->at++], *equals = strchr(word, '=');
    size_t      length = equals ? (size_t)(equals - word) : strlen(word);
    int         id = 0;
    while (id < OPTION_COUNT && !((options[id].commands & 1u << p->args->command) &&
                                  ((strncmp(options[id].name, word, length) == 0 && options[id].name[length] == '\0') ||
                                   (options[id].letter[0] && strcmp(options[id].letter, word) == 0))))
        id++;
    if (id == OPTION_COUNT) return unknown_option(p, word, length);
    const char *value = "";
    if (options[id].value[0]) {
        if (equals) value = equals + 1;
        else if (options[id].value[0] == '[') value = "";
        else if (p->at < p->argc && strncmp(p->argv[p->at], "--", 2) != 0) value = p->argv[p->at++];
        else return refuse(p, "%s needs a value: %s %s", options[id].name, options[id].name, options[id].value);
    } else if (equals) {
        return refuse(p, "%s takes no value", options[id].name);
    }
    if (!options[id].repeat && argument(p->args, (option_id)id)) return refuse(p, "%s is given twice", options[id].name);
    p->args->given[p->args->given_count].id = (option_id)id;
    p->args->given[p->args->given_count++].value = value;
    if (id == OPTION_HELP) p->args->help = true;
    return true;
}

static bool parse_command(parser *p)
{
    const char *word = p->argv[p->at++];
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        p->args->version = true;
        return p->at == p->argc || refuse(p, "--version stands alone");
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        p->args->command = COMMAND_HELP;
        return true;
    }
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(word, commands[i].name) != 0) continue;
        p->args->command = (command_id)i;
        return true;
    }
    return unknown_command(p, word);
}

static bool parse(parser *p)
{
    arguments *args = p->args;
    bool       only_operands = false;
    if (p->argc < 2) {
        args->empty = args->help = true;
        return true;
    }
    if (!parse_command(p)) return false;
    while (p->at < p->argc) {
        const char *word = p->argv[p->at];
        if (!only_operands && strcmp(word, "--") == 0) {
            only_operands = true;
            p->at++;
        } else if (!only_operands && word[0] == '-' && word[1] != '\0') {
            if (!parse_option(p)) return false;
        } else {
            args->operands[args->operand_count++] = p->argv[p->at++];
        }
    }
    const command *command = &commands[args->command];
    if (args->help || args->version) return true;
    snprintf(p->hint, p->hint_size, "usage: adead %s %s", command->name, command->operands);
    if (args->operand_count < command->fewest) return refuse(p, "`adead %s` needs %s", command->name, command->operands);
    if (args->operand_count > command->most)
        return refuse(p, "\"%.80s\" is too much for `adead %s`", args->operands[command->most], command->name);
    p->hint[0] = '\0';
    return true;
}

bool arguments_parse(arguments *args, int argc, char **argv, char *message, size_t message_size, char *hint,
                     size_t hint_size)
{
    memset(args, 0, sizeof *args);
    message[0] = hint[0] = '\0';
    size_t room = argc > 0 ? (size_t)argc : 1;
    args->operands = calloc(room, sizeof *args->operands);
    args->given = calloc(room, sizeof *args->given);
    parser p = {args, argv, argc, 1, message, hint, message_size, hint_size};
    if (!args->operands || !args->given) return refuse(&p, "no memory for the command line");
    return parse(&p);
}

void arguments_free(arguments *args)
{
    free(args->operands);
    free(args->given);
}

const char *argument_at(const arguments *args, option_id id, int n)
{
    for (int i = 0; i < args->given_count; i++)
        if (args->given[i].id == id && n-- == 0) return args->given[i].value;
    return NULL;
}

const char *argument(const arguments *args, option_id id)
{
    return argument_at(args, id, 0);
}
