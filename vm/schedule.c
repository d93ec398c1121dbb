/* Tasks: cooperative, share-nothing, scheduled so that the interleaving is a function of the program alone.
 *
 * The schedule is a sequence of rounds. In a round every task that existed when it began gets one turn, in order of its
 * number: it runs until it has used the quantum of fuel, gives the rest up (`yield`, `spawn`), has to wait, or ends. What a
 * task sends, and that it has ended, becomes visible to others when the round is over. So the turns of one round do not
 * depend on each other, but for what they do to the machine: fuel, the stream, the device, numbers of tasks and channels.
 *
 * Where machine->run_ahead is set (ahead.c), turns may already have run up to the first such thing when their place in the
 * round comes (task->ahead), several of them at the same time, and turns of rounds to come as well. Here they are gone
 * through in order all the same, and what is left of each is run, so that nobody can tell.
 */
#include "vm/machine.h"

#include <stdio.h>

/* ---- Growing arrays on the host's memory ---- */

static bool grow(adead_machine *machine, void **array, uint64_t *capacity, size_t element)
{
    uint64_t wider = *capacity ? *capacity * 2 : 16;
    void    *fresh = machine->host.allocate(machine->host.context, (size_t)wider * element);
    if (!fresh) return false;
    if (*array) {
        memcpy(fresh, *array, (size_t)*capacity * element);
        machine->host.release(machine->host.context, *array, (size_t)*capacity * element);
    }
    *array = fresh;
    *capacity = wider;
    return true;
}

static void release(adead_machine *machine, void *array, uint64_t capacity, size_t element)
{
    if (array) machine->host.release(machine->host.context, array, (size_t)capacity * element);
}

static bool queue_push(adead_machine *machine, adead_queue *queue, uint64_t value)
{
    if (queue->head == queue->count) queue->head = queue->count = 0;
    if (queue->count == queue->capacity && queue->head > queue->capacity / 2) {
        memmove(queue->values, queue->values + queue->head, (size_t)(queue->count - queue->head) * sizeof *queue->values);
        queue->count -= queue->head;
        queue->head = 0;
    }
    void *values = queue->values;
    if (queue->count == queue->capacity && !grow(machine, &values, &queue->capacity, sizeof *queue->values)) return false;
    queue->values = values;
    queue->values[queue->count++] = value;
    return true;
}

void adead_channels_release(adead_machine *machine)
{
    for (uint32_t i = 0; i < machine->channel_count; i++)
        release(machine, machine->channels[i].ready.values, machine->channels[i].ready.capacity, sizeof(uint64_t));
    release(machine, machine->channels, machine->channel_capacity, sizeof *machine->channels);
    machine->channels = NULL;
    machine->channel_count = 0;
    machine->channel_capacity = machine->waiting = 0;
}

/* ---- Instructions. A turn that runs early may read what turns do not change before their place has come. ---- */

static adead_exit fail(adead_task *task, adead_status code, const char *what, uint64_t value)
{
    adead_fail(&task->failure, code, ADEAD_NO_OFFSET, what, (unsigned long long)value);
    return adead_task_trap(task, code);
}

adead_exit adead_do_spawn(adead_task *task)
{
    if (task->early) return ADEAD_EXIT_LATER;
    adead_machine    *machine = task->machine;
    adead_instruction in = adead_task_instruction(task);
    uint32_t          function = adead_find_function(task->analysis, adead_word(&in, 1)), base = adead_word(&in, 2);
    if (machine->task_count >= machine->limits.tasks)
        return fail(task, ADEAD_TASK_LIMIT, "this run is limited to %llu tasks", machine->limits.tasks);
    adead_task  *child;
    adead_status status = adead_task_open(machine, function, &child, &task->failure);
    if (status) return adead_task_trap(task, status);
    memcpy(child->r, task->r + base, task->analysis->functions[function].params * sizeof *child->r);
    task->r[adead_word(&in, 0)] = child->number;
    task->pc++;
    return ADEAD_EXIT_YIELD;
}

/* In an earlier round than this one. */
static bool has_ended(const adead_task *task) { return task->ended_round && task->ended_round < task->machine->round; }

adead_exit adead_do_join(adead_task *task)
{
    adead_machine    *machine = task->machine;
    adead_instruction in = adead_task_instruction(task);
    uint64_t          number = task->r[adead_word(&in, 1)];
    if (task->early && (task->early == ADEAD_EARLY_ROUND || number >= machine->task_count)) return ADEAD_EXIT_LATER;
    if (number >= machine->task_count) return fail(task, ADEAD_BAD_HANDLE, "there is no task %llu", number);
    if (number == task->number) return fail(task, ADEAD_BAD_HANDLE, "task %llu waits for itself", number);
    const adead_task *other = machine->tasks[number];
    if (has_ended(other)) {
        task->r[adead_word(&in, 0)] = other->result;
        return ADEAD_EXIT_NONE;
    }
    task->state = ADEAD_TASK_JOINING;
    task->waits_for = number;
    return ADEAD_EXIT_BLOCKED;
}

adead_exit adead_do_channel(adead_task *task)
{
    if (task->early) return ADEAD_EXIT_LATER;
    adead_machine    *machine = task->machine;
    adead_instruction in = adead_task_instruction(task);
    if (machine->channel_count >= machine->limits.tasks)
        return fail(task, ADEAD_TASK_LIMIT, "this run is limited to %llu channels", machine->limits.tasks);
    void *channels = machine->channels;
    if (machine->channel_count == machine->channel_capacity &&
        !grow(machine, &channels, &machine->channel_capacity, sizeof *machine->channels))
        return fail(task, ADEAD_NO_MEMORY, "the host has no memory left for channel %llu", machine->channel_count);
    machine->channels = channels;
    machine->channels[machine->channel_count] = (adead_channel){.receiver = UINT32_MAX};
    task->r[adead_word(&in, 0)] = machine->channel_count++;
    return ADEAD_EXIT_NONE;
}

adead_exit adead_do_send(adead_task *task)
{
    adead_machine    *machine = task->machine;
    adead_instruction in = adead_task_instruction(task);
    uint64_t          channel = task->r[adead_word(&in, 0)];
    bool              full = task->sent_count == task->sent_capacity;
    if (task->early && (task->early == ADEAD_EARLY_ROUND || channel >= machine->channel_count || full))
        return ADEAD_EXIT_LATER;
    if (channel >= machine->channel_count) return fail(task, ADEAD_BAD_HANDLE, "there is no channel %llu", channel);
    if (machine->waiting + (uint64_t)task->unread >= ADEAD_MESSAGE_LIMIT)
        return fail(task, ADEAD_TASK_LIMIT, "more than %llu sent values wait to be received", ADEAD_MESSAGE_LIMIT);
    void *sent = task->sent;
    if (full && !grow(machine, &sent, &task->sent_capacity, sizeof *task->sent))
        return fail(task, ADEAD_NO_MEMORY, "the host has no memory left for messages of channel %llu", channel);
    task->sent = sent;
    task->sent[task->sent_count++] = (adead_message){(uint32_t)channel, task->r[adead_word(&in, 1)]};
    task->unread++;
    return ADEAD_EXIT_NONE;
}

adead_exit adead_do_receive(adead_task *task)
{
    adead_machine    *machine = task->machine;
    adead_instruction in = adead_task_instruction(task);
    uint64_t          number = task->r[adead_word(&in, 1)];
    adead_channel    *channel = number < machine->channel_count ? &machine->channels[number] : NULL;
    if (task->early && (task->early == ADEAD_EARLY_ROUND || !channel || channel->receiver == UINT32_MAX))
        return ADEAD_EXIT_LATER;
    if (!channel) return fail(task, ADEAD_BAD_HANDLE, "there is no channel %llu", number);
    if (channel->receiver != UINT32_MAX && channel->receiver != task->number)
        return fail(task, ADEAD_BAD_HANDLE, "task %llu already receives from this channel", channel->receiver);
    if (!task->early) channel->receiver = task->number;
    if (channel->ready.head == channel->ready.count) {
        task->state = ADEAD_TASK_RECEIVING;
        task->waits_for = number;
        return ADEAD_EXIT_BLOCKED;
    }
    task->r[adead_word(&in, 0)] = channel->ready.values[channel->ready.head++];
    task->unread--;
    return ADEAD_EXIT_NONE;
}

/* ---- Turns and rounds ---- */

/* The sentence of a trap that the loop reported by its number alone. */
static adead_status describe(adead_task *task, adead_failure *failure)
{
    adead_instruction in = adead_task_instruction(task);
    char              text[160], detail[sizeof failure->message];
    adead_instruction_text(&in, text, sizeof text);
    if (task->failure.code) {
        snprintf(detail, sizeof detail, "%s", task->failure.message);
    } else if (task->trap == ADEAD_OUT_OF_BOUNDS) {
        uint64_t address = task->r[adead_word(&in, 1)];
        snprintf(detail, sizeof detail, "address 0x%llX + %u lies outside the %llu bytes of memory",
                 (unsigned long long)address, adead_word(&in, 2), (unsigned long long)task->linear.bytes);
    } else if (task->trap == ADEAD_TRAP) {
        snprintf(detail, sizeof detail, "the program gave up with number %d", (int)adead_word(&in, 0));
    } else {
        snprintf(detail, sizeof detail, "%s", adead_status_text(task->trap));
    }
    char who[32] = "";
    if (task->number) snprintf(who, sizeof who, "task %u: ", task->number);
    adead_fail(failure, task->trap, in.offset, "%s%s: %s", who, text, detail);
    if (task->trap == ADEAD_OUT_OF_FUEL) adead_hint(failure, "raise the limit on instructions (--fuel)");
    else if (task->failure.hint[0]) adead_hint(failure, "%s", task->failure.hint);
    return task->trap;
}

bool adead_turn_begin(adead_task *task)
{
    uint64_t cost = task->pc->run, left = task->machine->fuel_left;
    task->trap = ADEAD_OUT_OF_FUEL;
    task->state = ADEAD_TASK_READY;
    if (left < cost) return false;
    task->spent = adead_min_u64(adead_max_u64(ADEAD_QUANTUM, cost), left);
    task->fuel = (int64_t)(task->spent - cost);
    return true;
}

static void end_task(adead_task *task)
{
    adead_machine *machine = task->machine;
    bool           returned = task->sp == task->stack_base;
    bool           has_result = task->analysis->functions[task->function].results > 0;
    task->state = ADEAD_TASK_ENDED;
    task->ended_round = machine->round;
    task->result = returned && has_result ? task->register_base[0] : 0;
    if (task->number != 0) adead_task_close(task);
}

/* Runs a turn that is paid for; where somebody looks, in parts that nothing but the observer notices: what a part does not
 * get of the turn's fuel is meanwhile the machine's. A callback of a foreign function may take fuel from there, so that
 * programs that import something run in whole turns. */
static adead_exit run_parts(adead_task *task)
{
    adead_machine  *machine = task->machine;
    adead_observer *observer = machine->observer;
    for (;;) {
        int64_t kept = 0;
        if (observer && !task->analysis->image->import_count && task->fuel > 0 && observer->part_fuel < (uint64_t)task->fuel)
            kept = task->fuel - (int64_t)observer->part_fuel;
        task->fuel -= kept;
        machine->fuel_left += (uint64_t)kept;
        adead_exit why = adead_interpret(task);
        task->fuel += kept;
        machine->fuel_left -= (uint64_t)kept;
        if (!observer) return why;
        observer->part(observer, task, why);
        if (why != ADEAD_EXIT_TURN || task->pc->run == 0 || task->fuel < (int64_t)task->pc->run) return why;
        task->fuel -= task->pc->run;
    }
}

/* One turn, or what is left of it. OK, or the trap. */
static adead_status run_turn(adead_task *task, adead_failure *failure)
{
    adead_machine *machine = task->machine;
    adead_exit     why = task->ahead;
    if (task->turns) {
        machine->fuel_left -= task->used[0];
        memmove(task->used, task->used + 1, --task->turns * sizeof *task->used);
        machine->waiting += (uint64_t)task->unread;
        task->unread = 0;
        return ADEAD_OK;
    }
    task->ahead = ADEAD_EXIT_NONE;
    if (!why && !adead_turn_begin(task)) {
        why = ADEAD_EXIT_TRAP;
    } else {
        machine->fuel_left -= task->spent;
        if (!why || why == ADEAD_EXIT_LATER) why = run_parts(task);
        if (why == ADEAD_EXIT_TURN && task->pc->run == 0)
            why = ADEAD_EXIT_ENDED; /* returned, with the turn's fuel overdrawn by work */
        if (why == ADEAD_EXIT_BLOCKED) task->fuel += task->pc->run;
        if (why == ADEAD_EXIT_TRAP) task->fuel += task->pc->run - 1;
        machine->fuel_left += (uint64_t)task->fuel;
        task->spent -= (uint64_t)task->fuel;
        machine->waiting += (uint64_t)task->unread;
        task->unread = 0;
        if (why == ADEAD_EXIT_TURN && machine->fuel_left < task->pc->run) {
            why = ADEAD_EXIT_TRAP;
            task->trap = ADEAD_OUT_OF_FUEL;
        }
    }
    if (why == ADEAD_EXIT_TRAP) return describe(task, failure);
    if (why == ADEAD_EXIT_ENDED) end_task(task);
    return ADEAD_OK;
}

bool adead_turn_due(const adead_task *task)
{
    const adead_machine *machine = task->machine;
    switch (task->state) {
    case ADEAD_TASK_READY: return true;
    case ADEAD_TASK_ENDED: return false;
    case ADEAD_TASK_JOINING: return has_ended(machine->tasks[task->waits_for]);
    case ADEAD_TASK_RECEIVING: {
        const adead_queue *ready = &machine->channels[task->waits_for].ready;
        return ready->head != ready->count;
    }
    }
    return false;
}

static adead_status deliver(adead_task *task, adead_failure *failure)
{
    for (uint64_t i = 0; i < task->sent_count; i++) {
        adead_message *message = &task->sent[i];
        if (!queue_push(task->machine, &task->machine->channels[message->channel].ready, message->value))
            return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "the host has no memory left for messages");
    }
    task->sent_count = 0;
    return ADEAD_OK;
}

static adead_status deadlock(adead_machine *machine, adead_failure *failure)
{
    adead_task *task = machine->tasks[0];
    task->failure = (adead_failure){0};
    adead_fail(&task->failure, ADEAD_DEADLOCK, ADEAD_NO_OFFSET, "every task waits; this one for %s %llu",
               task->state == ADEAD_TASK_JOINING ? "the end of task" : "a value of channel",
               (unsigned long long)task->waits_for);
    task->trap = ADEAD_DEADLOCK;
    return describe(task, failure);
}

adead_status adead_schedule(adead_machine *machine, adead_failure *failure)
{
    for (machine->round = 1; machine->tasks[0]->state != ADEAD_TASK_ENDED; machine->round++) {
        uint32_t     tasks = machine->task_count, ahead = 0;
        bool         moved = false;
        adead_status status = ADEAD_OK;
        for (uint32_t i = 0; i < tasks && machine->tasks[0]->state != ADEAD_TASK_ENDED; i++) {
            adead_task *task = machine->tasks[i];
            if (machine->run_ahead && i >= ahead) ahead = machine->run_ahead(machine, i, tasks);
            if (!task->ahead && !adead_turn_due(task)) continue;
            moved = true;
            status = run_turn(task, failure);
            if (status) return status;
        }
        for (uint32_t i = 0; i < tasks && !status; i++) status = deliver(machine->tasks[i], failure);
        if (status) return status;
        if (!moved) return deadlock(machine, failure);
    }
    return ADEAD_OK;
}
