/* Devices that several threads share: a device serves one thread at a time, so there are slots of them, each behind a spin
 * lock that is held for one operation. The first device has all the runtime's threads; a caller that finds it busy moves on
 * to another slot, opens a single-threaded device there if nobody did yet, and stays with it. Nothing is allocated after
 * that.
 *
 * A fork copies the slots as they are, and no thread but the one that forked: each process has a number, so that its threads
 * see that nobody is left to give a slot back.
 */
#include "internal.h"

#include "vm/tensor.h"

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <pthread.h>
#include <sched.h>
#endif

/* The number of this process: one more in each child. */
static atomic_uint process = 1;

#if !defined(_WIN32)
static void next_process(void) { atomic_fetch_add_explicit(&process, 1, memory_order_relaxed); }
__attribute__((constructor)) static void register_fork_handler(void) { pthread_atfork(NULL, NULL, next_process); }
#endif

/* The slot this thread used last. */
static _Thread_local unsigned home;

static void give_up_turn(void)
{
#if defined(_WIN32)
    SwitchToThread();
#else
    sched_yield();
#endif
}

static bool try_lock(atomic_bool *lock)
{
    return !atomic_exchange_explicit(lock, true, memory_order_acquire);
}

void adead_lock_take(atomic_bool *lock)
{
    while (!try_lock(lock)) give_up_turn();
}

void adead_lock_drop(atomic_bool *lock)
{
    atomic_store_explicit(lock, false, memory_order_release);
}

static bool try_slot(adead_slot *s)
{
    unsigned mine = atomic_load_explicit(&process, memory_order_relaxed), holder = 0;
    if (ADEAD_LIKELY(atomic_compare_exchange_strong_explicit(&s->busy, &holder, mine, memory_order_acquire,
                                                             memory_order_relaxed)))
        return true;
    if (holder == mine || holder == 0 ||
        !atomic_compare_exchange_strong_explicit(&s->busy, &holder, mine, memory_order_acquire, memory_order_relaxed))
        return false;
    s->device = s->reference_device = NULL; /* in the middle of something that nobody ends: a new one is opened */
    return true;
}

void adead_slot_lock(adead_slot *slot)
{
    while (!try_slot(slot)) give_up_turn();
}

void adead_slot_drop(adead_slot *slot)
{
    atomic_store_explicit(&slot->busy, 0, memory_order_release);
}

adead_slot *adead_slot_take(adead_slots *slots)
{
    unsigned at = home;
    while (!try_slot(&slots->slots[at])) {
        at = (at + 1) % ADEAD_SLOTS;
        if (at == home) give_up_turn();
    }
    home = at;
    return &slots->slots[at];
}

adead_status adead_slot_open(adead_slots *slots, adead_slot *s, adead_runtime *runtime, adead_failure *failure)
{
    uint32_t threads = s == slots->slots ? 0 : 1;
    if (s->device) return ADEAD_OK;
    adead_status status = adead_runtime_open(runtime, threads, &s->device, &s->reference_device, failure);
    if (status == ADEAD_OK && runtime->backend->small_product)
        atomic_store(&runtime->small_product, runtime->backend->small_product(s->device));
    return status;
}

adead_status adead_slot_execute(adead_slots *slots, adead_slot *s, adead_runtime *runtime, const adead_tensor_op *op,
                                adead_failure *failure)
{
    adead_fpenv  fpenv = adead_fpenv_enter();
    adead_status status = ADEAD_OK;
    if (ADEAD_UNLIKELY(!s->device)) status = adead_slot_open(slots, s, runtime, failure);
    if (ADEAD_LIKELY(status == ADEAD_OK))
        status = adead_tensor_execute(runtime->backend, s->device, runtime->reference, s->reference_device, op, failure);
    adead_fpenv_leave(fpenv);
    return status;
}

void adead_slot_close(adead_slot *s, adead_runtime *runtime)
{
    adead_runtime_close(runtime, s->device, s->reference_device);
    s->device = s->reference_device = NULL;
}
