/* Help texts, docs/cli.md and shell completions: everything from the tables of commands and options. */
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { OPTION_COLUMN = 26 };

static void add(buffer *out, const char *format, ...) CLI_PRINTF(2, 3);
static void add(buffer *out, const char *format, ...)
{
    char    text[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buffer_text(out, text);
}

/* The lines of `text`, each after `indent`. */
static void add_lines(buffer *out, const char *indent, const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        if (length) add(out, "%s%.*s", indent, (int)length, text);
        add(out, "\n");
        text += length + (text[length] == '\n');
    }
}

static const char exit_codes[] =
    "0  done\n"
    "1  the program trapped; or the two runs of `adead diff` do not agree\n"
    "2  bad usage\n"
    "3  the program was refused (its format, or the verifier)\n"
    "4  the backend asked for is not available\n"
    "5  a file could not be read or written\n";

static const char conventions[] =
    "The format of a file is told from its content, never from its name. `-` is standard input, or standard output.\n"
    "Numbers are decimal or 0x. The environment variables ADEAD_BACKEND and ADEAD_THREADS stand in for --backend and\n"
    "--threads where those are not given.\n";

/* "-o, --output FILE" */
static void option_heading(const option *o, char *out, size_t size)
{
    const char *separator = o->letter[0] ? ", " : "", *blank = o->value[0] && o->value[0] != '[' ? " " : "";
    snprintf(out, size, "%s%s%s%s%s", o->letter, separator, o->name, blank, o->value);
}

static void add_usage(buffer *out, const char *before, const command *c)
{
    add(out, "%sadead %s [OPTIONS]%s%s\n", before, c->name, c->operands[0] ? " " : "", c->operands);
}

static bool belongs(int option, command_id id)
{
    return (options[option].commands & 1u << id) != 0;
}

/* ---- Help ---- */

void help_overview(buffer *out)
{
    add(out, "adead %s: runs programs whose results are the same bits everywhere\n\n", adead_version());
    add(out, "usage: adead COMMAND [OPTIONS] ...\n\n");
    for (int i = 0; i < COMMAND_COUNT; i++) add(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
    add(out, "\n  adead help COMMAND    its options        adead --version    the version\n\n");
    add(out, "exit codes\n");
    add_lines(out, "  ", exit_codes);
}

void help_command(buffer *out, command_id id)
{
    const command *c = &commands[id];
    char           heading[64];
    add_usage(out, "usage: ", c);
    add(out, "\n%s\n\noptions\n", c->summary);
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (!belongs(i, id)) continue;
        const char *text = options[i].help;
        option_heading(&options[i], heading, sizeof heading);
        for (bool first = true; *text || first; first = false) {
            size_t length = strcspn(text, "\n");
            add(out, "  %-*s %.*s\n", OPTION_COLUMN - 3, first ? heading : "", (int)length, text);
            text += length + (text[length] == '\n');
        }
    }
    add(out, "\n");
    add_lines(out, "", c->details);
}

void help_markdown(buffer *out)
{
    char heading[64];
    add(out, "# The command\n\n<!-- Written by `adead help --markdown` from the tables in cli/. -->\n\n");
    add(out, "    adead COMMAND [OPTIONS] ...\n\n%s\n", conventions);
    add(out, "## Exit codes and errors\n\n");
    add_lines(out, "    ", exit_codes);
    add(out, "\nAn error is one line on stderr, and a hint where there is one:\n\n"
             "    adead: FILE: offset 0x0010: what is wrong (CODE)    in a binary file, or in the instruction stream\n"
             "    adead: FILE:LINE:COLUMN: what is wrong (CODE)       in a text\n"
             "    adead: what is wrong (CODE)                         where there is no place to name\n"
             "    hint: what to do about it\n\n"
             "CODE is one of errors.md. The class of the code decides the exit code.\n\n");
    add(out, "With `--json` a command writes exactly one JSON object to stdout, on one line, whether it succeeds or fails:\n"
             "the keys listed with the command, then `ok` (true or false), `exit` (the exit code) and, if it failed,\n"
             "`error` with the keys `code`, `number`, `file`, `offset` or `line` and `column`, `message`, `hint`. Keys\n"
             "keep their names; new ones may be added. A failed command may lack its own keys, all but `command`.\n\n");
    add(out, "Anything that takes longer than two seconds shows one line of progress on stderr if that is a terminal.\n");
    for (int i = 0; i < COMMAND_COUNT; i++) {
        const command *c = &commands[i];
        add(out, "\n## adead %s\n\n", c->name);
        add_usage(out, "    ", c);
        add(out, "\n%s.\n\n", c->summary);
        add(out, "| option | |\n|---|---|\n");
        for (int o = 0; o < OPTION_COUNT; o++) {
            if (!belongs(o, (command_id)i)) continue;
            option_heading(&options[o], heading, sizeof heading);
            add(out, "| `%s` | ", heading);
            for (const char *p = options[o].help; *p; p++) add(out, "%s%c", *p == '|' ? "\\" : "", *p == '\n' ? ' ' : *p);
            add(out, " |\n");
        }
        add(out, "\n");
        add_lines(out, i == COMMAND_COMPLETIONS ? "    " : "", c->details);
    }
}

int command_help(cli *c)
{
    buffer text = {0};
    int    status = ADEAD_OK, id = -1;
    if (argument(&c->args, OPTION_MARKDOWN)) {
        help_markdown(&text);
    } else if (c->args.operand_count == 0) {
        help_overview(&text);
        add(&text, "\n%s", conventions);
    } else {
        for (int i = 0; i < COMMAND_COUNT; i++)
            if (strcmp(commands[i].name, c->args.operands[0]) == 0) id = i;
        if (id >= 0) {
            help_command(&text, (command_id)id);
        } else {
            status = cli_usage(c, "there is no command \"%.80s\"", c->args.operands[0]);
            cli_hint(c, "`adead help` lists the commands");
        }
    }
    cli_stdout(c, text.data, text.size);
    buffer_free(&text);
    return status;
}

/* ---- Completions ---- */

static const char format_words[] = "text binary hex agpu ahyb";

static void add_options(buffer *out, command_id id)
{
    for (int o = 0; o < OPTION_COUNT; o++)
        if (belongs(o, id)) add(out, "%s%s%s ", options[o].letter, options[o].letter[0] ? " " : "", options[o].name);
}

static void add_command_names(buffer *out)
{
    for (int i = 0; i < COMMAND_COUNT; i++) add(out, "%s%s", i ? " " : "", commands[i].name);
}

void completions_bash(buffer *out, const char *backends)
{
    add(out, "# bash completion for adead, written by `adead completions bash`\n"
             "_adead() {\n"
             "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} words=\n"
             "    COMPREPLY=()\n"
             "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
             "        COMPREPLY=($(compgen -W \"");
    add_command_names(out);
    add(out, " --help --version\" -- \"$current\"))\n        return\n    fi\n    case $previous in\n");
    for (int o = 0; o < OPTION_COUNT; o++) {
        const char *words = options[o].complete == COMPLETE_BACKEND ? backends : format_words;
        if (options[o].complete != COMPLETE_BACKEND && options[o].complete != COMPLETE_FORMAT) continue;
        add(out, "        %s) COMPREPLY=($(compgen -W \"%s\" -- \"$current\")); return ;;\n", options[o].name, words);
    }
    add(out, "    esac\n    case ${COMP_WORDS[1]} in\n");
    for (int i = 0; i < COMMAND_COUNT; i++) {
        add(out, "        %s) words=\"", commands[i].name);
        add_options(out, (command_id)i);
        if (i == COMMAND_HELP) add_command_names(out);
        if (i == COMMAND_COMPLETIONS) add(out, "bash zsh");
        add(out, "\" ;;\n");
    }
    add(out, "    esac\n"
             "    case ${COMP_WORDS[1]},$current in\n"
             "        help,*|completions,*|*,-*) COMPREPLY=($(compgen -W \"$words\" -- \"$current\")) ;;\n"
             "        *) COMPREPLY=($(compgen -f -- \"${current#*=}\")) ;;\n"
             "    esac\n"
             "}\n"
             "complete -o filenames -o bashdefault -F _adead adead\n");
}

/* Text inside single quotes and inside the brackets of _arguments. */
static void add_zsh_text(buffer *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'') add(out, "'\\''");
        else if (*text == '[' || *text == ']' || *text == ':' || *text == '\\') add(out, "\\%c", *text);
        else add(out, "%c", *text == '\n' ? ' ' : *text);
    }
}

static void add_zsh_option(buffer *out, const option *o, const char *backends)
{
    const char *names[2] = {o->name, o->letter};
    for (int i = 0; i < 2 && names[i][0]; i++) {
        add(out, "                '%s%s%s[", o->repeat ? "*" : "", names[i], o->value[0] && i == 0 ? "=" : "");
        add_zsh_text(out, o->help);
        add(out, "]");
        if (o->value[0]) {
            add(out, ":");
            add_zsh_text(out, o->value);
            add(out, ":");
        }
        if (o->complete == COMPLETE_FILE) add(out, "_files");
        if (o->complete == COMPLETE_BACKEND) add(out, "(%s)", backends);
        if (o->complete == COMPLETE_FORMAT) add(out, "(%s)", format_words);
        add(out, "' \\\n");
    }
}

void completions_zsh(buffer *out, const char *backends)
{
    add(out, "#compdef adead\n# zsh completion for adead, written by `adead completions zsh`\n_adead() {\n"
             "    local -a commands\n    commands=(\n");
    for (int i = 0; i < COMMAND_COUNT; i++) {
        add(out, "        '%s:", commands[i].name);
        add_zsh_text(out, commands[i].summary);
        add(out, "'\n");
    }
    add(out, "    )\n"
             "    if (( CURRENT == 2 )); then\n"
             "        _describe 'command' commands\n"
             "        return\n"
             "    fi\n"
             "    local command=$words[2]\n"
             "    shift words\n"
             "    (( CURRENT-- ))\n"
             "    case $command in\n");
    for (int i = 0; i < COMMAND_COUNT; i++) {
        const char *operand = commands[i].operands[0] ? "'*:file:_files'" : "";
        add(out, "        %s)\n            _arguments \\\n", commands[i].name);
        for (int o = 0; o < OPTION_COUNT; o++)
            if (belongs(o, (command_id)i)) add_zsh_option(out, &options[o], backends);
        if (i == COMMAND_COMPLETIONS) operand = "'1:shell:(bash zsh)'";
        if (i == COMMAND_HELP) {
            add(out, "                '1:command:(");
            add_command_names(out);
            add(out, ")'");
            operand = "";
        }
        add(out, "%s%s\n            ;;\n", operand[0] ? "                " : "", operand);
    }
    add(out, "    esac\n}\n_adead \"$@\"\n");
}

int command_completions(cli *c)
{
    const char *shell = c->args.operands[0];
    buffer      text = {0}, backends = {0};
    buffer_text(&backends, "auto");
    for (uint32_t i = 0; i < adead_backend_count(); i++) add(&backends, " %s", adead_backend_name(i));
    buffer_append(&backends, "", 1);
    int status = ADEAD_OK;
    if (backends.failed) status = cli_fail(c, ADEAD_NO_MEMORY, NULL, "there is no memory for the completions");
    else if (strcmp(shell, "bash") == 0) completions_bash(&text, (const char *)backends.data);
    else if (strcmp(shell, "zsh") == 0) completions_zsh(&text, (const char *)backends.data);
    else status = cli_usage(c, "there are completions for bash and for zsh, not for \"%.40s\"", shell);
    cli_stdout(c, text.data, text.size);
    buffer_free(&text);
    buffer_free(&backends);
    return status;
}
