/* The pool of threads. See pool.h.
 *
 * One mutex protects everything but the part counter, which is atomic. A job is open from the moment it is announced until
 * the caller, having run out of parts, closes it; workers that wake up later find it closed and go back to sleep. The caller
 * then waits for those that are still running a part.
 *
 * To put a thread to sleep and wake it again takes longer than a product of 128 x 128, so a worker that has finished a job
 * looks out for the next one for SPIN_NS before it sleeps, and a caller for the last part of a worker; but only where every
 * thread has a core to itself.
 */
#include "pool.h"

#include "vm/base/base.h"
#include "vm/base/clock.h"
#include "vm/base/cpu.h"
#include "vm/base/fpenv.h"

#include <stdatomic.h>

/* How long a thread waits awake; looks between two readings of the clock; attempts to get the mutex before sleeping. */
enum { SPIN_NS = 100000, SPIN_LOOKS = 32, SPIN_ATTEMPTS = 100 };

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

typedef SRWLOCK            mutex;
typedef CONDITION_VARIABLE condition;
typedef HANDLE             thread;
#define THREAD_RESULT DWORD WINAPI
#define MUTEX_INIT SRWLOCK_INIT
#define CONDITION_INIT CONDITION_VARIABLE_INIT
static void lock(mutex *m) { AcquireSRWLockExclusive(m); }
static void unlock(mutex *m) { ReleaseSRWLockExclusive(m); }
static void wait_for(condition *c, mutex *m) { SleepConditionVariableSRW(c, m, INFINITE, 0); }
static void wake(condition *c) { WakeAllConditionVariable(c); }
static bool start(thread *t, LPTHREAD_START_ROUTINE body)
{
    *t = CreateThread(NULL, 0, body, NULL, 0, NULL);
    return *t != NULL;
}
static void join(thread t)
{
    WaitForSingleObject(t, INFINITE);
    CloseHandle(t);
}
#else
#include <pthread.h>

typedef pthread_mutex_t mutex;
typedef pthread_cond_t  condition;
typedef pthread_t       thread;
#define THREAD_RESULT void *
#define MUTEX_INIT PTHREAD_MUTEX_INITIALIZER
#define CONDITION_INIT PTHREAD_COND_INITIALIZER
static void lock(mutex *m) /* it is held for some instructions only */
{
    for (int i = 0; i < SPIN_ATTEMPTS; i++, relax())
        if (pthread_mutex_trylock(m) == 0) return;
    pthread_mutex_lock(m);
}
static void unlock(mutex *m) { pthread_mutex_unlock(m); }
static void wait_for(condition *c, mutex *m) { pthread_cond_wait(c, m); }
static void wake(condition *c) { pthread_cond_broadcast(c); }
static bool start(thread *t, void *(*body)(void *)) { return pthread_create(t, NULL, body, NULL) == 0; }
static void join(thread t) { pthread_join(t, NULL); }
#endif

static struct {
    mutex     mutex;
    condition work, done;
    uint32_t  holders; /* devices */
    uint32_t  workers; /* threads started */
    thread    threads[ADEAD_POOL_THREADS_MAX];
    bool      taken, stopping;
    _Atomic bool spins; /* there is a core for every thread */
    /* The job: */
    adead_pool_part *part;
    void            *context;
    uint64_t         count;
    uint32_t         places;  /* workers that may still join; 0 when the job is closed */
    uint32_t         joined;  /* workers that did */
    _Atomic uint64_t running; /* of those, not yet finished */
    _Atomic uint64_t jobs;    /* announced so far */
    _Atomic uint64_t next;
} pool = {.mutex = MUTEX_INIT, .work = CONDITION_INIT, .done = CONDITION_INIT};

#if !defined(_WIN32)
/* The child of a fork has one thread and no pool, whatever the parent was doing. Devices it inherited still hold it. */
static void forget_threads(void)
{
    pthread_mutex_init(&pool.mutex, NULL);
    pthread_cond_init(&pool.work, NULL);
    pthread_cond_init(&pool.done, NULL);
    pool.workers = pool.places = pool.joined = 0;
    pool.running = 0;
    pool.taken = pool.stopping = false;
}

/* When the library is loaded, not with the first job: a child forked in between would inherit a mutex that nobody opens. */
__attribute__((constructor)) static void register_fork_handler(void) { pthread_atfork(NULL, NULL, forget_threads); }
#endif

static void run_parts(adead_pool_part *part, void *context, uint64_t count, uint32_t number)
{
    for (;;) {
        uint64_t i = atomic_fetch_add_explicit(&pool.next, 1, memory_order_relaxed);
        if (i >= count) return;
        part(context, i, number);
    }
}

/* Waits awake, for a while, until the number is `value` or is not, whichever is wanted. */
static void spin(_Atomic uint64_t *number, uint64_t value, bool equal)
{
    if (!atomic_load_explicit(&pool.spins, memory_order_relaxed)) return;
    uint64_t until = adead_clock_ns() + SPIN_NS;
    do {
        for (int i = 0; i < SPIN_LOOKS; i++, relax())
            if ((atomic_load_explicit(number, memory_order_relaxed) == value) == equal) return;
    } while (adead_clock_ns() < until);
}

static THREAD_RESULT work(void *unused)
{
    (void)unused;
    adead_fpenv_enter(); /* for the thread's whole life */
    uint64_t seen = 0;
    lock(&pool.mutex);
    for (;;) {
        while (!pool.stopping && (pool.jobs == seen || pool.places == 0)) wait_for(&pool.work, &pool.mutex);
        if (pool.stopping) break;
        seen = pool.jobs;
        pool.places--;
        pool.running++;
        uint32_t         number = ++pool.joined;
        adead_pool_part *part = pool.part;
        void            *context = pool.context;
        uint64_t         count = pool.count;
        unlock(&pool.mutex);
        run_parts(part, context, count, number);
        lock(&pool.mutex);
        if (--pool.running == 0) wake(&pool.done);
        unlock(&pool.mutex);
        spin(&pool.jobs, seen, false);
        lock(&pool.mutex);
    }
    unlock(&pool.mutex);
    return 0;
}

void adead_pool_retain(void)
{
    lock(&pool.mutex);
    pool.holders++;
    unlock(&pool.mutex);
}

void adead_pool_release(void)
{
    thread   ending[ADEAD_POOL_THREADS_MAX];
    uint32_t count = 0;
    lock(&pool.mutex);
    if (--pool.holders == 0 && pool.workers != 0) {
        pool.taken = pool.stopping = true; /* nobody starts a job until the threads are gone */
        count = pool.workers;
        memcpy(ending, pool.threads, count * sizeof *ending);
        pool.workers = 0;
        pool.jobs++; /* ends the waiting of those that are awake */
        wake(&pool.work);
    }
    unlock(&pool.mutex);
    if (count == 0) return;
    for (uint32_t i = 0; i < count; i++) join(ending[i]);
    lock(&pool.mutex);
    pool.taken = pool.stopping = false;
    unlock(&pool.mutex);
}

/* Makes the pool the caller's, with the job announced to as many workers as there are; false if it is somebody else's. */
static bool announce(uint32_t threads, uint64_t count, adead_pool_part *part, void *context)
{
    lock(&pool.mutex);
    if (pool.taken) {
        unlock(&pool.mutex);
        return false;
    }
    pool.taken = true;
    while (pool.workers + 1 < threads && start(&pool.threads[pool.workers], work)) {
        pool.workers++;
        pool.spins = pool.workers < adead_cpu_cores();
    }
    pool.part = part;
    pool.context = context;
    pool.count = count;
    pool.places = (uint32_t)adead_min_u64(threads, pool.workers + 1u) - 1;
    pool.joined = 0;
    pool.running = 0;
    pool.jobs++;
    atomic_store_explicit(&pool.next, 0, memory_order_relaxed);
    if (pool.places) wake(&pool.work);
    unlock(&pool.mutex);
    return true;
}

void adead_pool_run(uint32_t threads, uint64_t count, adead_pool_part *part, void *context)
{
    threads = (uint32_t)adead_min_u64(adead_min_u64(threads, count), ADEAD_POOL_THREADS_MAX);
    if (threads <= 1 || !announce(threads, count, part, context)) {
        for (uint64_t i = 0; i < count; i++) part(context, i, 0);
        return;
    }
    run_parts(part, context, count, 0);
    lock(&pool.mutex);
    pool.places = 0;
    if (pool.running != 0) {
        unlock(&pool.mutex);
        spin(&pool.running, 0, true);
        lock(&pool.mutex);
    }
    while (pool.running != 0) wait_for(&pool.done, &pool.mutex);
    pool.taken = false;
    unlock(&pool.mutex);
}
