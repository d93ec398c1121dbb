/* What automatic choice decided, and measuring what it decides by: adead_instance_set_explain, adead_tune. */
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
    adead_machine_set_fusion(instance->machine, !on); /* each operation has a decision of its own */
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

/* ---- Measuring ---- */

typedef struct listener { void (*report)(void *context, const adead_tune_row *row); void *context; } listener;

static void pass_on(void *context, const adead_tune_line *line)
{
    const listener *to = context;
    adead_tune_row  row = {.size = sizeof row, .backend = line->backend, .start = line->start, .product = line->product,
                           .product_i8 = line->product_i8, .function = line->function, .array = line->array,
                           .upload = line->upload, .download = line->download};
    if (to->report) to->report(to->context, &row);
}

int adead_tune(adead_runtime *runtime, void (*report)(void *context, const adead_tune_row *row), void *context)
{
    if (!runtime) return adead_error_null("adead_tune", "runtime");
    ADEAD_FAILURE_NONE(failure);
    if (!runtime->backend->tune) {
        adead_fail(&failure, ADEAD_BACKEND_UNSUPPORTED, ADEAD_NO_OFFSET, "there is nothing to choose: everything runs on %s",
                   runtime->backend->name);
        adead_hint(&failure, "a runtime of the backend \"auto:cpu\" chooses between all there are");
        return adead_error_publish(ADEAD_BACKEND_UNSUPPORTED, &failure);
    }
    listener      to = {report, context};
    adead_device *device, *reference_device;
    adead_fpenv   fpenv = adead_fpenv_enter();
    adead_status  status = adead_runtime_open(runtime, 0, false, &device, &reference_device, &failure);
    if (status == ADEAD_OK) {
        status = runtime->backend->tune(device, pass_on, &to, &failure);
        adead_runtime_close(runtime, device, reference_device);
    }
    adead_fpenv_leave(fpenv);
    return status == ADEAD_OK ? ADEAD_OK : adead_error_publish(status, &failure);
}
