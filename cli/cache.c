/* `adead cache`: the files that are kept between runs, as a table or as JSON; or none of them any more. */
#include "cli.h"

#include <stdio.h>
#include <time.h>

typedef struct listing { cli *c; uint64_t files, bytes; } listing;

static void report(void *context, const adead_cache_row *row)
{
    listing *l = context;
    buffer  *b = &l->c->document;
    l->files++;
    l->bytes += row->bytes;
    json_open(b, NULL, '{');
    json_string(b, "name", row->name);
    json_u64(b, "bytes", row->bytes);
    json_u64(b, "modified", row->modified > 0 ? (uint64_t)row->modified : 0);
    json_close(b, '}');
    if (l->c->json) return;
    time_t     when = (time_t)row->modified;
    struct tm *day = gmtime(&when);
    char       text[32] = "";
    if (day) strftime(text, sizeof text, "%Y-%m-%d %H:%M", day);
    cli_print(l->c, "%12llu  %-16s  %s\n", (unsigned long long)row->bytes, text, row->name);
}

int command_cache(cli *c)
{
    listing  l = {.c = c};
    char     folder[1024];
    uint32_t removed = 0;
    bool     clear = argument(&c->args, OPTION_CLEAR) != NULL;
    int      status = clear ? adead_cache_clear(&removed) : ADEAD_OK;
    if (status != ADEAD_OK) cli_fail_library(c, NULL);
    json_open(&c->document, NULL, '{');
    json_string(&c->document, "command", "cache");
    json_open(&c->document, "files", '[');
    adead_cache_files(report, &l, folder, sizeof folder);
    json_close(&c->document, ']');
    json_string(&c->document, "folder", folder);
    json_u64(&c->document, "bytes", l.bytes);
    json_u64(&c->document, "removed", removed);
    if (c->json) return status;
    if (!folder[0]) cli_print(c, "nothing is kept: ADEAD_CACHE_DIR is empty, or there is no folder for it\n");
    else if (clear) cli_print(c, "%u files removed from %s\n", (unsigned)removed, folder);
    else cli_print(c, "%llu bytes in %llu files in %s\n", (unsigned long long)l.bytes, (unsigned long long)l.files, folder);
    return status;
}
