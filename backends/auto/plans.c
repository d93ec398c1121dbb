/* Plans of the backend `auto`: all operations at one place, one plan for each, and ADEAD_AUTO_NEAREST, each operation where
 * it takes the least time as values lie. Nearest alone never sends a program to an accelerator whose first copy costs more
 * than its first operation gains, though a hundred operations follow. What comes is not known, but what came is: for each
 * plan, where values would be had it been followed, and the time it would have taken. The plan with the least time until now
 * is followed, which costs at most about twice what the best would have, and in a program that is run again nothing.
 */
#include "auto.h"

#include "backends/operands.h"

/* Of the time spent so much is kept from one operation to the next, so that the latest thousand count most. A plan is left
 * for another that took so much less, by half of what a single operation takes at most, copies included: less comes and goes
 * within every program, as one plan copies at its beginning what another does without later. */
#define KEPT 0.999
#define LESS 0.98
#define SWING 0.5

static bool is_possible(const adead_auto *device, uint32_t plan)
{
    return plan == ADEAD_AUTO_NEAREST || (plan < device->place_count && !device->places[plan].lost);
}

/* The place with the least predicted time, as values lie in a plan. */
static uint32_t cheapest(const adead_auto *device, const adead_tensor_op *op, uint32_t plan)
{
    double   least = 0;
    uint32_t place = ADEAD_AUTO_PROCESSOR;
    for (uint32_t p = 0; p < device->place_count; p++) {
        double time = device->places[p].lost ? -1 : adead_auto_predict(device, p, op, plan);
        if (time >= 0 && (p == ADEAD_AUTO_PROCESSOR || time < least)) least = time, place = p;
    }
    return place;
}

/* The time until the host has what a plan left elsewhere. */
static double way_home(const adead_auto *device, const adead_auto_memory *memory, uint32_t plan)
{
    return adead_auto_predict_copy(device, memory->where.planned[plan], ADEAD_AUTO_PROCESSOR, memory->memory.bytes);
}

/* Values are where a plan's operation leaves them. Its result may be the program's, so that the way home is counted at once,
 * until another operation makes use of it. */
static void follow(adead_auto *device, const adead_tensor_op *op, uint32_t plan, uint32_t place)
{
    uint32_t count = adead_operands_of(op->kind);
    for (uint32_t i = 0; i < count; i++) {
        adead_auto_memory *m = op->operands[i].memory ? adead_auto_memory_of(device, op->operands[i].memory) : NULL;
        if (!m) continue;
        uint8_t *valid = &m->where.planned[plan];
        if (m->where.unread && !adead_auto_seen_before(op, i)) device->spent[plan] -= way_home(device, m, plan);
        if (i + 1 == count) {
            *valid = (uint8_t)(1u << place);
            device->spent[plan] += way_home(device, m, plan);
        } else if (!(*valid & 1u << place)) {
            *valid |= (uint8_t)(1u << place | 1u << ADEAD_AUTO_PROCESSOR);
        }
    }
}

/* What it wrote has been read by no operation yet. */
static void note_unread(const adead_auto *device, const adead_tensor_op *op)
{
    uint32_t count = adead_operands_of(op->kind);
    for (uint32_t i = 0; i < count; i++) {
        adead_auto_memory *m = op->operands[i].memory ? adead_auto_memory_of(device, op->operands[i].memory) : NULL;
        if (m) m->where.unread = i + 1 == count;
    }
}

static void change_plan(adead_auto *device)
{
    uint32_t best = ADEAD_AUTO_NEAREST;
    if (!is_possible(device, device->plan)) device->plan = ADEAD_AUTO_NEAREST;
    for (uint32_t plan = 0; plan < device->place_count; plan++)
        if (is_possible(device, plan) && device->spent[plan] < device->spent[best]) best = plan;
    if (device->spent[best] + SWING * device->swing < LESS * device->spent[device->plan]) device->plan = best;
}

bool adead_auto_plan(adead_auto *device, const adead_tensor_op *op, uint32_t fixed, uint32_t *place, const char **why)
{
    for (uint32_t p = 0; p < device->place_count; p++)
        if (!device->costs[p].known && !device->places[p].lost) return false;
    if (device->place_count == 1) return false;
    uint32_t now = cheapest(device, op, ADEAD_AUTO_NOW);
    device->swing *= KEPT;
    for (uint32_t plan = 0; plan < ADEAD_AUTO_PLANS; plan++) {
        if (!is_possible(device, plan)) continue;
        uint32_t at = fixed != ADEAD_AUTO_ANYWHERE ? fixed
                      : plan == ADEAD_AUTO_NEAREST ? cheapest(device, op, plan) : plan;
        double   time = adead_auto_predict(device, at, op, plan);
        if (time < 0) continue;
        if (time > device->swing) device->swing = time;
        device->spent[plan] = device->spent[plan] * KEPT + time;
        follow(device, op, plan, at);
    }
    note_unread(device, op);
    change_plan(device);
    *place = device->plan == ADEAD_AUTO_NEAREST ? now : device->plan;
    *why = device->plan == ADEAD_AUTO_NEAREST ? "it takes the least time" : "all together take the least time there";
    return true;
}

void adead_auto_plan_read(adead_auto *device, adead_auto_memory *memory)
{
    for (uint32_t plan = 0; plan < ADEAD_AUTO_PLANS; plan++) {
        if (!memory->where.unread) device->spent[plan] += way_home(device, memory, plan);
        memory->where.planned[plan] |= 1u << ADEAD_AUTO_PROCESSOR;
    }
    memory->where.unread = false;
}

void adead_auto_plan_write(adead_auto_memory *memory, bool whole)
{
    for (uint32_t plan = 0; plan < ADEAD_AUTO_PLANS; plan++) {
        uint32_t home = whole ? ADEAD_AUTO_PROCESSOR : adead_auto_home_of(memory->where.planned[plan]);
        memory->where.planned[plan] = (uint8_t)(1u << home);
    }
    memory->where.unread = false;
}
