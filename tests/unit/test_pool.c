/* The pool of threads: every part once, no two parts at once in one thread's working memory, callers side by side, fork,
 * the floating-point environment of workers, threads that sleep when idle and end with the last device.
 */
#include "backends/cpu/pool.h"
#include "tests/harness/test.h"
#include "vm/base/base.h"

#include <stdatomic.h>

#if !defined(_WIN32)
#include <dirent.h>
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#endif

enum { PARTS = 5000, THREADS = 7, FIRST_JOBS = 300 };

typedef struct job {
    _Atomic uint32_t runs[PARTS];
    _Atomic uint32_t inside[THREADS];
    _Atomic uint32_t clashes, strangers;
} job;

static void count_part(void *context, uint64_t part, uint32_t thread)
{
    job *j = context;
    if (thread >= THREADS) {
        j->strangers++;
        return;
    }
    if (j->inside[thread]++) j->clashes++;
    j->runs[part]++;
    for (volatile int i = 0; i < 50; i++) {}
    j->inside[thread]--;
}

/* One job; returns what is wrong with it, or NULL. */
static const char *run_job(uint32_t threads, uint64_t count)
{
    job *j = calloc(1, sizeof *j);
    adead_pool_run(threads, count, count_part, j);
    const char *wrong = j->clashes     ? "two parts at once with one thread's number"
                        : j->strangers ? "a thread number too high"
                                       : NULL;
    for (uint64_t i = 0; i < PARTS && !wrong; i++)
        if (j->runs[i] != (i < count)) wrong = "a part that was not run once";
    free(j);
    return wrong;
}

static void every_part_once(void)
{
    adead_pool_retain();
    static const uint64_t counts[] = {0, 1, 2, 3, 6, 7, 8, 100, PARTS};
    for (uint32_t threads = 1; threads <= THREADS; threads++)
        for (unsigned i = 0; i < ADEAD_COUNT(counts); i++) {
            const char *wrong = run_job(threads, counts[i]);
            CHECK(!wrong, "%s: %u threads, %u parts", wrong, (unsigned)threads, (unsigned)counts[i]);
        }
    for (int i = 0; i < 2000; i++) {
        const char *wrong = run_job(1 + (uint32_t)i % THREADS, 1 + (uint64_t)i % 9);
        CHECK(!wrong, "%s: short job %d", wrong, i);
    }
    adead_pool_release();
}

static void subnormal_part(void *context, uint64_t part, uint32_t thread)
{
    (void)thread;
    volatile float tiny = 0x1p-126f;
    ((float *)context)[part] = tiny * 0.5f;
}

static void workers_keep_subnormals(void)
{
    float results[64] = {0};
    adead_pool_retain();
    adead_pool_run(THREADS, ADEAD_COUNT(results), subnormal_part, results);
    adead_pool_release();
    for (unsigned i = 0; i < ADEAD_COUNT(results); i++) CHECK_EQ(adead_f32_bits(results[i]), 0x00400000);
}

#if !defined(_WIN32)
static void *call_often(void *context)
{
    adead_pool_retain();
    for (int i = 0; i < 200 && !*(const char **)context; i++) *(const char **)context = run_job(3, 1 + (uint64_t)i % 50);
    adead_pool_release();
    return NULL;
}

static void callers_side_by_side(void)
{
    pthread_t   threads[4];
    const char *wrong[4] = {0};
    for (int i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, call_often, &wrong[i]) == 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++) CHECK(!wrong[i], "%s", wrong[i]);
}

static void a_child_starts_its_own(void)
{
    adead_pool_retain();
    CHECK(run_job(3, 100) == NULL);
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) _exit(run_job(3, 100) ? 1 : 0);
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %d", status);
    CHECK(run_job(3, 100) == NULL);
    adead_pool_release();
}

static void *first_job(void *started)
{
    atomic_store((atomic_bool *)started, true);
    adead_pool_retain();
    const char *wrong = run_job(3, 10);
    adead_pool_release();
    return (void *)(uintptr_t)(wrong != NULL);
}

/* A process whose second thread begins its very first job while the first thread forks; false if either goes wrong. */
static bool fork_during_first_job(int delay)
{
    atomic_bool started = false;
    pthread_t   thread;
    void       *wrong = NULL;
    int         status = 0;
    if (pthread_create(&thread, NULL, first_job, &started) != 0) return false;
    while (!started) {}
    for (volatile int i = 0; i < delay; i++) {}
    pid_t child = fork();
    if (child == 0) {
        alarm(20); /* ends a child that waits for a thread it does not have */
        adead_pool_retain();
        _exit(run_job(3, 10) ? 1 : 0);
    }
    bool ran = waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    pthread_join(thread, &wrong);
    return ran && !wrong;
}

/* Must be the first test: the processes it forks have never used the pool. */
static void forks_meet_the_first_job(void)
{
    if (TEST_FORKS_ALONE) SKIP("cannot run: a sanitized process may not fork while other threads are inside");
    fflush(stdout);
    for (int i = 0; i < FIRST_JOBS; i++) {
        int   status = 0;
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) _exit(fork_during_first_job(i % 64 * 10) ? 0 : 1);
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "process %d ended with %d", i, status);
    }
}

/* Threads of this process, 0 where the system does not say. */
static int thread_count(void)
{
    int  count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *e; tasks && (e = readdir(tasks));) count += e->d_name[0] != '.';
    if (tasks) closedir(tasks);
    return count;
}

/* The same when nothing changes any more: the system still lists a thread for a moment after it was joined. */
static int settled_thread_count(int expected)
{
    int count = thread_count();
    for (int i = 0; i < 500 && count != expected; i++) {
        usleep(10000);
        count = thread_count();
    }
    return count;
}

static void threads_end_with_the_last_holder(void)
{
    usleep(50000); /* those of the tests before */
    int before = thread_count();
    if (before == 0) SKIP("cannot run: this system does not list a process's threads");
    adead_pool_retain();
    adead_pool_retain();
    CHECK(run_job(5, 100) == NULL);
    CHECK_EQ(thread_count(), before + 4);
    adead_pool_release();
    CHECK_EQ(thread_count(), before + 4);
    adead_pool_release();
    CHECK_EQ(settled_thread_count(before), before);
}

/* What threads that have nothing to do take of the processors: a moment each, and then nothing. */
static void idle_threads_sleep(void)
{
    adead_pool_retain();
    CHECK(run_job(2, 100) == NULL); /* as many threads as most machines have cores: these wait awake at first */
    clock_t before = clock();
    usleep(400000);
    double seconds = (double)(clock() - before) / CLOCKS_PER_SEC;
    CHECK(seconds < 0.1, "%.3f s of processor time in 0.4 s", seconds);
    adead_pool_release();
}

#define FIRST_TESTS T(forks_meet_the_first_job)
#define POSIX_TESTS T(callers_side_by_side) T(a_child_starts_its_own) T(threads_end_with_the_last_holder) \
    T(idle_threads_sleep)
#else
#define FIRST_TESTS
#define POSIX_TESTS
#endif

TEST_MAIN("pool", FIRST_TESTS T(every_part_once) T(workers_keep_subnormals) POSIX_TESTS)
