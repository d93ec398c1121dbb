/* What automatic choice adds to an operation that stays on the processor: the backend `auto` and the backend `cpu` run the
 * same one of one element, in turn: decision ROUNDS. Prints a line for each round: nanoseconds a call on cpu, and by auto.
 */
#include "vm/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CALLS = 200000 };

typedef struct contestant {
    const adead_backend *backend;
    adead_device        *device;
    adead_tensor_op      op;
} contestant;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void *host_allocate(void *context, size_t bytes)
{
    (void)context;
    return calloc(1, bytes);
}

static void host_release(void *context, void *memory, size_t bytes)
{
    (void)context;
    (void)bytes;
    free(memory);
}

static contestant open_contestant(const char *name, const char *variant)
{
    contestant           c = {.backend = adead_backend_find(name, strlen(name))};
    adead_device_options options = {.host = {host_allocate, host_release, NULL}, .threads = 1, .variant = variant};
    adead_failure        failure = {0};
    adead_memory        *memory[3];
    adead_status         status = c.backend->open(&options, &c.device, &failure);
    c.op = (adead_tensor_op){.kind = ADEAD_TENSOR_ADD, .dims = {1}};
    for (int i = 0; i < 3 && !status; i++) {
        status = c.backend->alloc(c.device, 4096, &memory[i], &failure);
        c.op.operands[i] = (adead_slice){memory[i], 0, 4};
    }
    if (status == ADEAD_OK) return c;
    fprintf(stderr, "decision: %s: %s\n", name, failure.message);
    exit(1);
}

static double timed(const contestant *c)
{
    double since = now();
    for (int i = 0; i < CALLS; i++)
        if (c->backend->run(c->device, &c->op, NULL) != ADEAD_OK) exit(1);
    return (now() - since) / CALLS;
}

int main(int argc, char **argv)
{
    contestant alone = open_contestant("cpu", NULL), chosen = open_contestant("auto", "cpu");
    int        rounds = argc > 1 ? atoi(argv[1]) : 0;
    timed(&alone);
    timed(&chosen);
    for (int i = 0; i < rounds; i++) {
        double first = timed(i % 2 ? &chosen : &alone), second = timed(i % 2 ? &alone : &chosen);
        printf("%.3f %.3f\n", i % 2 ? second : first, i % 2 ? first : second);
    }
    return 0;
}
