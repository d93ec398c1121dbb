/* What backends need of the system to keep one record for the whole process: a mutex that needs no making, and the
 * process's number, which tells a forked child that it is not the one that made the record.
 */
#ifndef ADEAD_BACKENDS_MUTEX_H
#define ADEAD_BACKENDS_MUTEX_H

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
typedef SRWLOCK adead_mutex;
#define ADEAD_MUTEX_INIT SRWLOCK_INIT
static inline void adead_mutex_take(adead_mutex *m) { AcquireSRWLockExclusive(m); }
static inline void adead_mutex_drop(adead_mutex *m) { ReleaseSRWLockExclusive(m); }
static inline long adead_process_number(void) { return 0; } /* no fork */
#else
#include <pthread.h>
#include <unistd.h>
typedef pthread_mutex_t adead_mutex;
#define ADEAD_MUTEX_INIT PTHREAD_MUTEX_INITIALIZER
static inline void adead_mutex_take(adead_mutex *m) { pthread_mutex_lock(m); }
static inline void adead_mutex_drop(adead_mutex *m) { pthread_mutex_unlock(m); }
static inline long adead_process_number(void) { return (long)getpid(); }
#endif

#endif
