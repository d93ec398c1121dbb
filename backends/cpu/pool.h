/* The threads of the backend `cpu`: one pool a process, shared by all devices and by the tasks of programs, started when the
 * first job needs it.
 *
 * A job is a number of parts that do not depend on each other; which thread runs which part, and in what order, is not
 * defined, so it must not matter: parts are tiles of an output, never pieces of a sum, or turns of tasks (vm/ahead.c). Idle
 * threads sleep, after a tenth of a millisecond in which they look out for more. One job runs at a time; who finds the pool
 * taken runs its job on its own thread, so nobody waits for anybody else's work.
 *
 * After fork the child has no threads but its own, and starts new ones when it needs them.
 */
#ifndef ADEAD_BACKENDS_CPU_POOL_H
#define ADEAD_BACKENDS_CPU_POOL_H

#include <stdint.h>

enum { ADEAD_POOL_THREADS_MAX = 64 };

/* Runs one part. `thread` is below the number of threads given to run, and no two parts run at once with the same one:
 * it names a piece of working memory. Threads compute in the library's floating-point environment. */
typedef void adead_pool_part(void *context, uint64_t part, uint32_t thread);

/* A device that may use the pool holds it; when nobody does any more, its threads end. */
void adead_pool_retain(void);
void adead_pool_release(void);

/* Runs parts 0 .. count - 1 on up to `threads` threads, the calling one included, and returns when all are done. Threads
 * that cannot be started are done without. */
void adead_pool_run(uint32_t threads, uint64_t count, adead_pool_part *part, void *context);

#endif
