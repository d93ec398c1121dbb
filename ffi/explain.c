/* What automatic choice decided: adead_instance_set_explain and the rows it leaves. */
#include "internal.h"

#include "vm/tensor.h"

_Static_assert((int)ADEAD_DECISION_BACKENDS == (int)ADEAD_DECISION_CANDIDATES &&
                   (int)ADEAD_DECISION_DIMS == (int)ADEAD_TENSOR_DIMS,
               "the public row has room for every decision");

static const adead_backend *backend_of(const adead_instance *instance) { return instance->program->runtime->backend; }

int adead_instance_set_explain(adead_instance *instance, int on)
{
    if (!instance) return adead_error_null("adead_instance_set_explain", "instance");
    const adead_backend *backend = backend_of(instance);
    ADEAD_FAILURE_NONE(failure);
    if (!backend->explain) {
        if (!on) return ADEAD_OK;
        adead_fail(&failure, ADEAD_BACKEND_UNSUPPORTED, ADEAD_NO_OFFSET,
                   "there is nothing to explain: everything runs on %s", backend->name);
        adead_hint(&failure, "a runtime of the backend \"auto:cpu\" chooses between all there are");
        return adead_error_publish(ADEAD_BACKEND_UNSUPPORTED, &failure);
    }
    adead_status status = backend->explain(instance->device, on != 0, &failure);
    return status == ADEAD_OK ? ADEAD_OK : adead_error_publish(status, &failure);
}

int adead_instance_decision(adead_instance *instance, uint32_t index, adead_decision_row *row)
{
    if (!instance) return adead_error_null("adead_instance_decision", "instance");
    if (!row) return adead_error_null("adead_instance_decision", "row");
    uint32_t room = adead_struct_room(row, sizeof *row, sizeof(adead_decision_row));
    if (!room) return adead_error_make(ADEAD_INVALID_ARGUMENT, "adead_decision_row.size is not sizeof(adead_decision_row)");
    const adead_backend  *backend = backend_of(instance);
    const adead_decision *decision = backend->decision ? backend->decision(instance->device, index) : NULL;
    if (!decision) return adead_error_make(ADEAD_INVALID_ARGUMENT, "there is no decision %u", (unsigned)index);
    adead_decision_row full = {.size = row->size, .operation = adead_tensor_name(decision->kind),
                               .dim_names = adead_tensor_row_of(decision->kind)->dims, .backend = decision->chosen,
                               .reason = decision->why, .count = decision->count, .nanoseconds = decision->nanoseconds};
    memcpy(full.dims, decision->dims, sizeof full.dims);
    for (int i = 0; i < ADEAD_DECISION_CANDIDATES; i++) {
        full.candidates[i] = decision->candidates[i].backend;
        full.predicted[i] = decision->candidates[i].nanoseconds;
    }
    memcpy(row, &full, room);
    return ADEAD_OK;
}
