/* `adead run --explain`: where automatic choice let each operation run, and why; as text on stderr or in the document. And
 * `adead tune`: measuring what it chooses by.
 */
#include "cli.h"
#include "progress.h"

#include <stdio.h>
#include <string.h>

static bool next_row(adead_instance *instance, uint32_t index, adead_decision_row *row)
{
    *row = (adead_decision_row){.size = sizeof *row};
    return adead_instance_decision(instance, index, row) == ADEAD_OK;
}

/* "m=64 n=10 k=128" */
static void dims_text(const adead_decision_row *row, char *text, size_t size)
{
    const char *name = row->dim_names;
    size_t      used = 0;
    text[0] = '\0';
    for (int i = 0; i < ADEAD_DECISION_DIMS && *name && used < size; i++) {
        int length = (int)strcspn(name, " ");
        used += (size_t)snprintf(text + used, size - used, "%s%.*s=%llu", i ? " " : "", length, name,
                                 (unsigned long long)row->dims[i]);
        name += length + (name[length] == ' ');
    }
}

static void explain_text(adead_instance *instance)
{
    adead_decision_row row;
    fprintf(stderr, "%-8s %10s %12s  %-44s %s\n", "where", "times", "us each", "operation",
            "why; what it would take elsewhere");
    for (uint32_t i = 0; next_row(instance, i, &row); i++) {
        char operation[160], dims[128];
        dims_text(&row, dims, sizeof dims);
        snprintf(operation, sizeof operation, "%s %s", row.operation, dims);
        fprintf(stderr, "%-8s %10llu %12.2f  %-44s %s", row.backend, (unsigned long long)row.count,
                row.count ? (double)row.nanoseconds / (double)row.count * 1e-3 : 0.0, operation, row.reason);
        for (int k = 0; k < ADEAD_DECISION_BACKENDS && row.candidates[k]; k++) {
            if (row.predicted[k] >= 0) fprintf(stderr, "; %s %.2f us", row.candidates[k], row.predicted[k] * 1e-3);
            else if (strcmp(row.candidates[k], row.backend) != 0) fprintf(stderr, "; %s: not measured", row.candidates[k]);
        }
        fprintf(stderr, "\n");
    }
}

static void explain_json(cli *c, adead_instance *instance)
{
    buffer            *b = &c->document;
    adead_decision_row row;
    json_open(b, "decisions", '[');
    for (uint32_t i = 0; next_row(instance, i, &row); i++) {
        const char *name = row.dim_names;
        json_open(b, NULL, '{');
        json_string(b, "operation", row.operation);
        json_open(b, "dims", '{');
        for (int d = 0; d < ADEAD_DECISION_DIMS && *name; d++) {
            char   key[16];
            size_t length = strcspn(name, " ");
            snprintf(key, sizeof key, "%.*s", (int)length, name);
            json_u64(b, key, row.dims[d]);
            name += length + (name[length] == ' ');
        }
        json_close(b, '}');
        json_string(b, "backend", row.backend);
        json_string(b, "reason", row.reason);
        json_u64(b, "count", row.count);
        json_u64(b, "nanoseconds", row.nanoseconds);
        json_open(b, "candidates", '[');
        for (int k = 0; k < ADEAD_DECISION_BACKENDS && row.candidates[k]; k++) {
            json_open(b, NULL, '{');
            json_string(b, "backend", row.candidates[k]);
            if (row.predicted[k] >= 0) json_number(b, "predicted_nanoseconds", row.predicted[k]);
            json_close(b, '}');
        }
        json_close(b, ']');
        json_close(b, '}');
    }
    json_close(b, ']');
}

void cli_explain(cli *c, adead_instance *instance)
{
    if (c->json) explain_json(c, instance);
    else explain_text(instance);
}

/* ---- tune ---- */

static void report(void *context, const adead_tune_row *row)
{
    cli    *c = context;
    buffer *b = &c->document;
    json_open(b, NULL, '{');
    json_string(b, "backend", row->backend);
    json_number(b, "start_nanoseconds", row->start);
    json_number(b, "product_gflops", row->product);
    json_number(b, "product_i8_gops", row->product_i8);
    json_number(b, "function_gelements", row->function);
    json_number(b, "array_gelements", row->array);
    if (row->upload > 0) json_number(b, "upload_gbytes", row->upload);
    if (row->download > 0) json_number(b, "download_gbytes", row->download);
    json_close(b, '}');
    if (c->json) return;
    progress_clear();
    cli_print(c, "%-8s %10.2f %12.1f %12.1f %12.2f %12.2f", row->backend, row->start * 1e-3, row->product, row->product_i8,
              row->function, row->array);
    if (row->upload > 0) cli_print(c, " %10.2f %10.2f", row->upload, row->download);
    cli_print(c, "\n");
    cli_flush_stdout(c);
}

int command_tune(cli *c)
{
    adead_runtime *runtime;
    int            status = cli_open_runtime(c, &runtime);
    if (status != ADEAD_OK) return status;
    json_open(&c->document, NULL, '{');
    json_string(&c->document, "command", "tune");
    json_open(&c->document, "backends", '[');
    if (!c->json)
        cli_print(c, "%-8s %10s %12s %12s %12s %12s %10s %10s\n%-8s %10s %12s %12s %12s %12s %10s %10s\n", "", "start",
                  "matmul", "matmul_i8", "gelu", "add", "upload", "download", "backend", "us", "GFLOP/s", "Gop/s",
                  "Gelement/s", "Gelement/s", "GB/s", "GB/s");
    cli_flush_stdout(c);
    status = adead_tune(runtime, report, c);
    if (status != ADEAD_OK) cli_fail_library(c, NULL);
    json_close(&c->document, ']');
    adead_runtime_destroy(runtime);
    return status;
}
