/* `adead bench` and `adead selftest`: how fast, and whether with the right bits. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

/* ---- bench ---- */

/* Each program runs about this long, repeated runs included. */
#define BENCH_SECONDS 0.5

/* `%llu` is replaced by the repetitions. Fuel used says how many instructions were executed. */
static const char loop_source[] =
    "main:   .func regs=4\n"
    "        i64.const r0, %llu\n"
    "        i64.const r1, 0\n"
    "        i64.const r2, 1\n"
    "        i64.const r3, 0x9E3779B97F4A7C15\n"
    "loop:   i64.mul r1, r1, r3\n"
    "        i64.add r1, r1, r0\n"
    "        i64.sub r0, r0, r2\n"
    "        jump.i64.ne_imm r0, 0, loop\n"
    "        halt\n";

static const char fib_source[] =
    "main:   .func regs=8\n"
    "        i64.const r0, %llu\n"
    "        call fib, r0\n"
    "        halt\n"
    "fib:    .func params=1 results=1 regs=8\n"
    "        jump.i64.lt_s_imm r0, 2, done\n"
    "        i64.add_imm r2, r0, -1\n"
    "        call fib, r2\n"
    "        i64.add_imm r3, r0, -2\n"
    "        call fib, r3\n"
    "        i64.add r0, r2, r3\n"
    "done:   return\n";

/* Three square matrices; the contents are zeros, which take as long as any numbers. */
static const char matmul_source[] =
    ".const N %llu\n"
    "main:   .func regs=1\n"
    "        gpu.alloc N * N * 4, b0\n"
    "        gpu.alloc N * N * 4, b1\n"
    "        gpu.alloc N * N * 4, b2\n"
    "        gpu.matmul b0, b1, b2, N, N, N\n"
    "        gpu.sync\n"
    "        halt\n";

typedef struct measurement {
    double   seconds;
    uint64_t fuel;
} measurement;

/* Seconds a profiled run spent in its tensor operations. */
static double tensor_seconds(adead_instance *instance)
{
    adead_profile_row row = {.size = sizeof row};
    uint64_t          nanoseconds = 0;
    for (uint32_t i = 0; adead_instance_profile(instance, i, &row) == ADEAD_OK; i++)
        if (row.flops) nanoseconds += row.nanoseconds;
    return (double)nanoseconds * 1e-9;
}

/* The best of several runs, after one that does not count. With `tensors` only the tensor operations are timed: not the
 * allocation, and the system's zeroing, of their buffers. */
static int measure(cli *c, adead_runtime *runtime, const char *source, uint64_t parameter, bool tensors, measurement *out)
{
    char            text[1024];
    adead_program  *program = NULL;
    adead_instance *instance = NULL;
    snprintf(text, sizeof text, source, (unsigned long long)parameter);
    int status = adead_program_assemble(runtime, text, strlen(text), &program);
    if (status == ADEAD_OK) status = adead_instance_create(program, NULL, &instance);
    if (status == ADEAD_OK && tensors) status = adead_instance_set_profile(instance, 1);
    double total = 0;
    for (int i = 0; status == ADEAD_OK && (i < 2 || total < BENCH_SECONDS); i++) {
        double started = cli_seconds();
        status = adead_instance_run(instance);
        double seconds = cli_seconds() - started;
        total += seconds;
        if (tensors) seconds = tensor_seconds(instance);
        if (i == 1 || (i > 1 && seconds < out->seconds)) out->seconds = seconds;
        out->fuel = adead_instance_fuel_used(instance);
        if (status == ADEAD_OK) status = adead_instance_reset(instance);
    }
    if (status != ADEAD_OK) cli_fail_library(c, NULL);
    adead_instance_destroy(instance);
    adead_program_destroy(program);
    return status;
}

static int bench_interpreter(cli *c, adead_runtime *runtime, const char *name, const char *source, uint64_t parameter)
{
    measurement best = {0, 0};
    int         status = measure(c, runtime, source, parameter, false, &best);
    if (status != ADEAD_OK) return status;
    double rate = best.seconds > 0 ? (double)best.fuel / best.seconds : 0;
    if (!c->json) cli_print(c, "%-16s %9.3f ms  %8.1f million instructions/s\n", name, best.seconds * 1e3, rate * 1e-6);
    json_open(&c->document, NULL, '{');
    json_string(&c->document, "name", name);
    json_number(&c->document, "seconds", best.seconds);
    json_u64(&c->document, "instructions", best.fuel);
    json_number(&c->document, "per_second", rate);
    json_close(&c->document, '}');
    return ADEAD_OK;
}

static int bench_matmul(cli *c, adead_runtime *runtime, uint64_t n, double *seconds)
{
    measurement best = {0, 0};
    int         status = measure(c, runtime, matmul_source, n, true, &best);
    if (status != ADEAD_OK) return status;
    *seconds = best.seconds;
    double rate = best.seconds > 0 ? 2e-9 * (double)n * (double)n * (double)n / best.seconds : 0;
    char   name[32];
    snprintf(name, sizeof name, "matmul %llu", (unsigned long long)n);
    if (!c->json) cli_print(c, "%-16s %9.3f ms  %8.2f GFLOP/s\n", name, best.seconds * 1e3, rate);
    json_open(&c->document, NULL, '{');
    json_string(&c->document, "name", "matmul");
    json_number(&c->document, "seconds", best.seconds);
    json_u64(&c->document, "n", n);
    json_number(&c->document, "gflops", rate);
    json_close(&c->document, '}');
    return ADEAD_OK;
}

/* Opens the runtime and begins the document; the text's first line goes out when it is a text. */
static int begin(cli *c, adead_runtime **runtime)
{
    adead_backend_info backend = {.size = sizeof backend};
    int                status = cli_open_runtime(c, runtime);
    if (status != ADEAD_OK) return status;
    if (adead_runtime_backend(*runtime, &backend) != ADEAD_OK) return cli_fail_library(c, NULL);
    json_open(&c->document, NULL, '{');
    json_string(&c->document, "command", commands[c->args.command].name);
    json_string(&c->document, "backend", backend.name);
    if (!c->json) cli_print(c, "backend %s: %s\n", backend.name, backend.device);
    return ADEAD_OK;
}

int command_bench(cli *c)
{
    adead_runtime *runtime;
    int            status = begin(c, &runtime);
    if (status == ADEAD_OK) {
        json_open(&c->document, "results", '[');
        status = bench_interpreter(c, runtime, "loop", loop_source, 20000000);
        if (status == ADEAD_OK) status = bench_interpreter(c, runtime, "fib 27", fib_source, 27);
        double seconds = 0; /* of the last product; eight times as long for the next is not worth the wait */
        for (uint64_t n = 256; n <= 1024 && seconds < BENCH_SECONDS / 2 && status == ADEAD_OK; n *= 2)
            status = bench_matmul(c, runtime, n, &seconds);
        json_close(&c->document, ']');
    }
    adead_runtime_destroy(runtime);
    return status;
}

/* ---- selftest ---- */

static void report(void *context, const char *operation, uint64_t cases, uint64_t mismatches)
{
    cli *c = context;
    json_open(&c->document, NULL, '{');
    json_string(&c->document, "name", operation);
    json_u64(&c->document, "cases", cases);
    json_u64(&c->document, "mismatches", mismatches);
    json_close(&c->document, '}');
    if (c->json) return;
    cli_print(c, "%-12s %10llu results, ", operation, (unsigned long long)cases);
    if (mismatches) cli_print(c, "%llu differ\n", (unsigned long long)mismatches);
    else cli_print(c, "all equal\n");
}

int command_selftest(cli *c)
{
    adead_runtime *runtime;
    int            status = begin(c, &runtime);
    if (status == ADEAD_OK) {
        cli_probe(c, runtime, "");
        json_open(&c->document, "operations", '[');
        status = adead_selftest(runtime, report, c);
        if (status != ADEAD_OK) cli_fail_library(c, NULL);
        json_close(&c->document, ']');
    }
    adead_runtime_destroy(runtime);
    return status;
}
