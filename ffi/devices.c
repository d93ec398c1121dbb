/* Devices that several threads share: a device serves one thread at a time, so there are slots of them, each behind a spin
 * lock that is held for one operation. The first device has all the runtime's threads; a caller that finds it busy moves on
 * to another slot, opens a single-threaded device there if nobody did yet, and stays with it. Nothing is allocated after
 * that.
 */
#include "internal.h"

#include "vm/tensor.h"

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <sched.h>
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

adead_slot *adead_slot_take(adead_slots *slots)
{
    unsigned at = home;
    while (!try_lock(&slots->slots[at].busy)) {
        at = (at + 1) % ADEAD_SLOTS;
        if (at == home) give_up_turn();
    }
    home = at;
    return &slots->slots[at];
}

static adead_status open_device(adead_runtime *runtime, uint32_t threads, adead_slot *s, adead_failure *failure)
{
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
    if (ADEAD_UNLIKELY(!s->device))
        status = open_device(runtime, s == slots->slots ? 0 : 1, s, failure);
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
