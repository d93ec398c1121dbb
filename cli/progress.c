/* The watcher thread behind progress.h. What it shares with the main thread is set before it starts, atomic or locked. */
#include "progress.h"

#include "cli.h"

#include <stdatomic.h>
#include <stdio.h>

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <errno.h>
#include <pthread.h>
#include <time.h>
#endif

enum { FIRST_SECOND = 2 };

static struct {
    bool        running;
    atomic_bool quiet, shown;
    const char *what;
#if defined(_WIN32)
    HANDLE thread, stop;
#else
    pthread_t       thread;
    pthread_mutex_t lock;
    pthread_cond_t  wake;
    bool            stop; /* protected by `lock` */
#endif
} watcher;

/* Shows the line, or takes it away again. One write each, so that it does not mix with other output. */
static void show(unsigned seconds)
{
    atomic_store(&watcher.shown, true);
    char line[300];
    int  length = snprintf(line, sizeof line, "adead: %.200s, %u s", watcher.what, seconds);
    for (int i = 0; i < length; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7F) line[i] = '?';
    fprintf(stderr, "\r\033[K%s", line);
    fflush(stderr);
}

static void erase(void)
{
    if (!atomic_exchange(&watcher.shown, false)) return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
}

/* One second passed. */
static void tick(unsigned seconds)
{
    if (!atomic_load(&watcher.quiet) && seconds >= FIRST_SECOND) show(seconds);
}

#if defined(_WIN32)

static DWORD WINAPI watch(void *unused)
{
    (void)unused;
    for (unsigned seconds = 1; WaitForSingleObject(watcher.stop, 1000) == WAIT_TIMEOUT; seconds++) tick(seconds);
    return 0;
}

static bool start_thread(void)
{
    watcher.stop = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!watcher.stop) return false;
    watcher.thread = CreateThread(NULL, 0, watch, NULL, 0, NULL);
    if (!watcher.thread) CloseHandle(watcher.stop);
    return watcher.thread != NULL;
}

static void stop_thread(void)
{
    SetEvent(watcher.stop);
    WaitForSingleObject(watcher.thread, INFINITE);
    CloseHandle(watcher.thread);
    CloseHandle(watcher.stop);
}

#else

static void *watch(void *unused)
{
    unsigned        seconds = 1;
    struct timespec until;
    (void)unused;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    pthread_mutex_lock(&watcher.lock);
    while (!watcher.stop) {
        if (pthread_cond_timedwait(&watcher.wake, &watcher.lock, &until) != ETIMEDOUT) continue;
        tick(seconds++);
        until.tv_sec++;
    }
    pthread_mutex_unlock(&watcher.lock);
    return NULL;
}

static bool start_thread(void)
{
    pthread_mutex_init(&watcher.lock, NULL);
    pthread_cond_init(&watcher.wake, NULL);
    watcher.stop = false;
    return pthread_create(&watcher.thread, NULL, watch, NULL) == 0;
}

static void stop_thread(void)
{
    pthread_mutex_lock(&watcher.lock);
    watcher.stop = true;
    pthread_cond_signal(&watcher.wake);
    pthread_mutex_unlock(&watcher.lock);
    pthread_join(watcher.thread, NULL);
}

#endif

void progress_start(const char *what)
{
    if (watcher.running || !cli_is_terminal(2)) return;
    watcher.what = what;
    atomic_store(&watcher.quiet, false);
    watcher.running = start_thread();
}

void progress_quiet(void)
{
    if (!watcher.running || atomic_exchange(&watcher.quiet, true)) return;
    erase();
}

void progress_clear(void)
{
    if (watcher.running) erase();
}

void progress_stop(void)
{
    if (!watcher.running) return;
    stop_thread();
    erase();
    watcher.running = false;
}
