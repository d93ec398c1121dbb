/* Instances: one run of a program at a time, with its inputs, limits, outputs, digest, trace and profile.
 * Each instance opens a device of its own, so several threads can run instances of one program side by side.
 */
#include "internal.h"

#include "backends/cpu/pool.h"
#include "opcodes/opcodes.h"
#include "vm/base/cpu.h"
#include "vm/base/sha256.h"

#include <stdio.h>

/* ---- Making and freeing ---- */

static int take_limits(const adead_limits *limits, adead_machine_limits *out)
{
    adead_limits given;
    *out = adead_machine_limits_default;
    if (!limits) return ADEAD_OK;
    if (!adead_struct_take(&given, sizeof given, sizeof(adead_limits), limits))
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "adead_limits.size is not sizeof(adead_limits)");
    if (given.buffers > ADEAD_BUFFERS_MAX)
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "adead_limits.buffers is above %d", ADEAD_BUFFERS_MAX);
    if (given.fuel) out->fuel = given.fuel;
    if (given.memory) out->memory = given.memory;
    if (given.buffers) out->buffers = given.buffers;
    if (given.call_depth) out->call_depth = given.call_depth;
    if (given.tasks) out->tasks = given.tasks;
    return ADEAD_OK;
}

/* Tasks run on the pool of the backend cpu, whichever backend computes; but not on more threads than there are cores: to
 * wake one that sleeps takes longer than a turn. */
static void enable_ahead(adead_instance *instance)
{
    uint32_t cores = adead_cpu_cores(), threads = instance->program->runtime->threads;
    if (threads == 0 || threads > cores) threads = cores;
    if (threads < 2) return;
    adead_machine_enable_ahead(instance->machine, adead_pool_run, threads);
    adead_pool_retain();
    instance->pooled = true;
}

static adead_status open_machine(adead_instance *instance, const adead_code *code, const adead_machine_limits *limits,
                                 adead_failure *failure)
{
    adead_runtime   *runtime = instance->program->runtime;
    adead_code_facts facts;
    adead_code_get_facts(code, &facts);
    adead_status status = adead_runtime_open(runtime, 0, facts.uses_vulkan, &instance->device, &instance->reference_device,
                                             failure);
    if (status != ADEAD_OK) return status;
    status = adead_machine_create(code, limits, runtime->backend, instance->device, runtime->reference,
                                  instance->reference_device, &runtime->host, &instance->machine, failure);
    if (status != ADEAD_OK) return status;
    adead_machine_enable_shaders(instance->machine);
    adead_machine_set_fusion(instance->machine, true);
    if (facts.uses_tasks) enable_ahead(instance);
    return ADEAD_OK;
}

int adead_instance_create(adead_program *program, const adead_limits *limits, adead_instance **out)
{
    if (!out) return adead_error_null("adead_instance_create", "instance");
    *out = NULL;
    if (!program) return adead_error_null("adead_instance_create", "program");
    adead_machine_limits machine_limits;
    int                  refused = take_limits(limits, &machine_limits);
    if (refused) return refused;

    ADEAD_FAILURE_NONE(failure);
    const adead_verdict *verdict = adead_program_verdict(program, &failure);
    if (!verdict) return adead_error_publish(ADEAD_NO_MEMORY, &failure);
    if (verdict->status != ADEAD_OK) {
        failure = verdict->failure;
        return adead_error_publish(verdict->status, &failure);
    }
    const adead_host *host = &program->runtime->host;
    adead_instance   *instance = host->allocate(host->context, sizeof *instance);
    if (!instance) return adead_error_make(ADEAD_NO_MEMORY, "no memory for an instance");
    instance->program = program;
    adead_program_retain(program);

    adead_fpenv  fpenv = adead_fpenv_enter();
    adead_status status = open_machine(instance, verdict->code, &machine_limits, &failure);
    adead_fpenv_leave(fpenv);
    if (status != ADEAD_OK) {
        instance->machine = NULL;
        adead_instance_destroy(instance);
        return adead_error_publish(status, &failure);
    }
    *out = instance;
    return ADEAD_OK;
}

void adead_instance_destroy(adead_instance *instance)
{
    if (!instance) return;
    adead_program *program = instance->program;
    adead_watch_destroy(instance);
    adead_profile_destroy(instance);
    if (instance->machine) adead_machine_destroy(instance->machine);
    if (instance->pooled) adead_pool_release();
    adead_foreign_destroy(instance);
    adead_runtime_close(program->runtime, instance->device, instance->reference_device);
    program->runtime->host.release(program->runtime->host.context, instance, sizeof *instance);
    adead_program_release(program);
}

/* ---- Inputs and memory ---- */

/* The port's number, or `count`. On failure the hint lists what there is. */
static uint32_t find_port(const adead_port *ports, uint32_t count, const char *name)
{
    uint32_t i = 0;
    while (i < count && strcmp(ports[i].name, name) != 0) i++;
    return i;
}

static int no_such_port(const adead_port *ports, uint32_t count, const char *kind, const char *name)
{
    ADEAD_FAILURE_NONE(failure);
    adead_fail(&failure, ADEAD_NAME_NOT_FOUND, ADEAD_NO_OFFSET, "the program has no %s \"%.80s\"", kind, name);
    char   list[160] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < count; i++) {
        int more = snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", ports[i].name);
        if (more < 0 || (size_t)more >= sizeof list - used) break;
        used += (size_t)more;
    }
    list[used] = '\0';
    if (count) adead_hint(&failure, "its %ss: %s", kind, list);
    else adead_hint(&failure, "it declares no %ss", kind);
    return adead_error_publish(ADEAD_NAME_NOT_FOUND, &failure);
}

static int give_input(const char *function, adead_instance *instance, const char *name, uint32_t dtype, uint32_t rank,
                      const uint64_t *dims, const void *data, bool lent)
{
    if (!instance) return adead_error_null(function, "instance");
    if (!name) return adead_error_null(function, "name");
    if (adead_dtype_size(dtype) == 0)
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "%u is no element type", (unsigned)dtype);
    if (rank > ADEAD_RANK_MAX)
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "rank %u is above %d", (unsigned)rank, ADEAD_RANK_MAX);
    if (rank && !dims) return adead_error_null(function, "dims");
    uint64_t bytes = adead_dtype_size(dtype);
    bool     empty = false;
    for (uint32_t i = 0; i < rank; i++) empty |= dims[i] == 0;
    for (uint32_t i = 0; i < rank && !empty; i++)
        if (!adead_mul_u64(bytes, dims[i], &bytes))
            return adead_error_make(ADEAD_INVALID_ARGUMENT, "the shape's size overflows");
    if (!data && !empty) return adead_error_null(function, "data");

    const adead_image *image = &instance->program->image;
    uint32_t           input = find_port(image->inputs, image->input_count, name);
    if (input == image->input_count) return no_such_port(image->inputs, image->input_count, "input", name);
    static const uint64_t no_dims[1] = {0};
    ADEAD_FAILURE_NONE(failure);
    if (!dims) dims = no_dims;
    if (!data) data = "";
    adead_status status = adead_machine_set_input(instance->machine, input, dtype, rank, dims, data, lent, &failure);
    return status == ADEAD_OK ? ADEAD_OK : adead_error_publish(status, &failure);
}

int adead_instance_set_input(adead_instance *instance, const char *name, uint32_t dtype, uint32_t rank, const uint64_t *dims,
                             const void *data)
{
    return give_input("adead_instance_set_input", instance, name, dtype, rank, dims, data, false);
}

int adead_instance_lend_input(adead_instance *instance, const char *name, uint32_t dtype, uint32_t rank,
                              const uint64_t *dims, const void *data)
{
    return give_input("adead_instance_lend_input", instance, name, dtype, rank, dims, data, true);
}

int adead_instance_write_memory(adead_instance *instance, uint64_t address, const void *data, uint64_t bytes)
{
    if (!instance) return adead_error_null("adead_instance_write_memory", "instance");
    if (!data && bytes) return adead_error_null("adead_instance_write_memory", "data");
    ADEAD_FAILURE_NONE(failure);
    adead_status status = adead_machine_write_memory(instance->machine, address, data ? data : "", bytes, &failure);
    return status == ADEAD_OK ? ADEAD_OK : adead_error_publish(status, &failure);
}

int adead_instance_read_memory(adead_instance *instance, uint64_t address, void *data, uint64_t bytes)
{
    if (!instance) return adead_error_null("adead_instance_read_memory", "instance");
    if (!data && bytes) return adead_error_null("adead_instance_read_memory", "data");
    ADEAD_FAILURE_NONE(failure);
    uint8_t      nothing = 0;
    adead_status status = adead_machine_read_memory(instance->machine, address, data ? data : &nothing, bytes, &failure);
    return status == ADEAD_OK ? ADEAD_OK : adead_error_publish(status, &failure);
}

/* ---- Running ---- */

static bool stream_write(void *context, const void *bytes, uint64_t size)
{
    adead_instance *instance = context;
    return size == 0 || instance->write(instance->write_context, bytes, (size_t)size) == 0;
}

int adead_instance_set_stream(adead_instance *instance, adead_write_fn write, void *context)
{
    if (!instance) return adead_error_null("adead_instance_set_stream", "instance");
    instance->write = write;
    instance->write_context = context;
    adead_machine_set_stream(instance->machine, write ? stream_write : NULL, instance);
    return ADEAD_OK;
}

int adead_instance_run(adead_instance *instance)
{
    if (!instance) return adead_error_null("adead_instance_run", "instance");
    ADEAD_FAILURE_NONE(failure);
    adead_fpenv  fpenv = adead_fpenv_enter();
    adead_status status = adead_foreign_begin(instance, &failure);
    if (status == ADEAD_OK) {
        adead_watch_begin(instance);
        adead_profile_begin(instance);
        status = adead_machine_run(instance->machine, &failure);
        adead_profile_end(instance);
        status = adead_foreign_end(instance, status, &failure);
    }
    adead_fpenv_leave(fpenv);
    return status == ADEAD_OK ? ADEAD_OK : adead_error_publish(status, &failure);
}

int adead_instance_reset(adead_instance *instance)
{
    if (!instance) return adead_error_null("adead_instance_reset", "instance");
    ADEAD_FAILURE_NONE(failure);
    adead_status status = adead_machine_reset(instance->machine, &failure);
    return status == ADEAD_OK ? ADEAD_OK : adead_error_publish(status, &failure);
}

int adead_instance_clear(adead_instance *instance)
{
    if (!instance) return adead_error_null("adead_instance_clear", "instance");
    ADEAD_FAILURE_NONE(failure);
    adead_status status = adead_machine_clear(instance->machine, &failure);
    return status == ADEAD_OK ? ADEAD_OK : adead_error_publish(status, &failure);
}

uint64_t adead_instance_fuel_used(adead_instance *instance)
{
    return instance ? adead_machine_fuel_used(instance->machine) : 0;
}

/* ---- Outputs ---- */

static adead_status output_value(adead_instance *instance, uint32_t output, adead_tensor *value, adead_failure *failure)
{
    const adead_port *port = &instance->program->image.outputs[output];
    memset(value, 0, sizeof *value);
    value->name = port->name;
    value->dtype = port->dtype;
    value->rank = port->rank;
    return adead_machine_get_output(instance->machine, output, value->dims, &value->data, &value->bytes, failure);
}

int adead_instance_get_output(adead_instance *instance, const char *name, adead_tensor *value)
{
    if (!instance) return adead_error_null("adead_instance_get_output", "instance");
    if (!name) return adead_error_null("adead_instance_get_output", "name");
    if (!value) return adead_error_null("adead_instance_get_output", "value");
    const adead_image *image = &instance->program->image;
    uint32_t           output = find_port(image->outputs, image->output_count, name);
    if (output == image->output_count) return no_such_port(image->outputs, image->output_count, "output", name);
    ADEAD_FAILURE_NONE(failure);
    adead_status status = output_value(instance, output, value, &failure);
    return status == ADEAD_OK ? ADEAD_OK : adead_error_publish(status, &failure);
}

int adead_instance_digest(adead_instance *instance, const char *name, uint8_t digest[32])
{
    if (!instance) return adead_error_null("adead_instance_digest", "instance");
    if (!digest) return adead_error_null("adead_instance_digest", "digest");
    adead_tensor value;
    if (name) {
        int status = adead_instance_get_output(instance, name, &value);
        if (status == ADEAD_OK) adead_sha256_digest(value.data, (size_t)value.bytes, digest);
        return status;
    }
    ADEAD_FAILURE_NONE(failure);
    adead_sha256 all;
    adead_sha256_init(&all);
    for (uint32_t i = 0; i < instance->program->image.output_count; i++) {
        uint8_t      one[32];
        adead_status status = output_value(instance, i, &value, &failure);
        if (status != ADEAD_OK) return adead_error_publish(status, &failure);
        adead_sha256_digest(value.data, (size_t)value.bytes, one);
        adead_sha256_update(&all, one, sizeof one);
    }
    adead_sha256_final(&all, digest);
    return ADEAD_OK;
}

/* ---- Looking inside ---- */

int adead_instance_set_trace(adead_instance *instance, adead_trace_fn trace, void *context)
{
    if (!instance) return adead_error_null("adead_instance_set_trace", "instance");
    adead_machine_set_trace(instance->machine, trace, context);
    return ADEAD_OK;
}
