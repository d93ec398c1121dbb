/* Buffers and the instructions that use the device: the C0DA family, tensor operations, and what the 56 family says of
 * buffers (shaders.c has the rest).
 *
 * A buffer is memory of the device under a number of the task. All of a task's buffers together may take limits.memory
 * bytes, each counted in whole blocks, so that what fits does not depend on the backend. An input's buffer is the host's own
 * array where the device can work on it, until the program writes there.
 */
#include "vm/machine.h"
#include "vm/tensor.h"

/* The buffer of that number, not allocated, with `bytes` taken from the limit. */
static adead_status claim(adead_task *task, uint32_t number, uint64_t bytes, adead_buffer **out, adead_failure *failure)
{
    adead_machine *machine = task->machine;
    if (number >= machine->limits.buffers)
        return adead_fail(failure, ADEAD_BUFFER_STATE, ADEAD_NO_OFFSET, "buffer %u: this run is limited to buffers 0 to %u",
                          number, machine->limits.buffers - 1);
    if (!task->buffers) {
        task->buffers = machine->host.allocate(machine->host.context, machine->limits.buffers * sizeof *task->buffers);
        if (!task->buffers)
            return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "the host has no memory left for buffers");
    }
    adead_buffer *buffer = &task->buffers[number];
    if (buffer->memory)
        return adead_fail(failure, ADEAD_BUFFER_STATE, ADEAD_NO_OFFSET, "buffer %u is allocated again without being freed",
                          number);
    uint64_t left = machine->limits.memory - task->buffer_bytes;
    if (bytes > left || adead_whole_blocks(bytes) > left) {
        adead_fail(failure, ADEAD_OUT_OF_MEMORY, ADEAD_NO_OFFSET,
                   "a buffer of %llu bytes is above the %llu bytes left for buffers", (unsigned long long)bytes,
                   (unsigned long long)left);
        adead_hint(failure, "raise the memory limit (--memory)");
        return ADEAD_OUT_OF_MEMORY;
    }
    *out = buffer;
    return ADEAD_OK;
}

static void settle(adead_task *task, adead_buffer *buffer, uint64_t bytes)
{
    buffer->bytes = bytes;
    task->buffer_bytes += adead_whole_blocks(bytes);
    task->buffer_changes++;
}

adead_status adead_buffer_make(adead_task *task, uint32_t number, uint64_t bytes, adead_failure *failure)
{
    adead_machine *machine = task->machine;
    adead_buffer  *buffer;
    adead_status   status = claim(task, number, bytes, &buffer, failure);
    if (!status) status = machine->backend->alloc(machine->device, bytes ? bytes : 1, &buffer->memory, failure);
    if (!status) settle(task, buffer, bytes);
    return status;
}

adead_status adead_buffer_lend(adead_task *task, uint32_t number, const void *data, uint64_t bytes, adead_failure *failure)
{
    const adead_backend *backend = task->machine->backend;
    adead_buffer        *buffer;
    adead_status         status;
    if (bytes == 0 || (backend->upload && !backend->lend)) { /* a device with memory of its own */
        status = adead_buffer_make(task, number, bytes, failure);
        return status ? status : adead_buffer_upload(task, &task->buffers[number], 0, data, bytes, failure);
    }
    status = claim(task, number, bytes, &buffer, failure);
    if (!status && backend->lend) {
        status = backend->lend(task->machine->device, data, bytes, &buffer->memory, failure);
    } else if (!status) {
        buffer->lent = (adead_memory){.bytes = bytes, .host = (void *)(uintptr_t)data}; /* until adead_buffer_make_own */
        buffer->memory = &buffer->lent;
    }
    if (!status) settle(task, buffer, bytes);
    return status;
}

/* The same for what an operation writes: its last operand, and others that are in the same buffer. */
static adead_status make_result_own(adead_task *task, adead_tensor_op *op, adead_failure *failure)
{
    uint32_t      count = adead_tensor_row_of(op->kind)->operand_count;
    adead_memory *memory = op->operands[count - 1].memory;
    uintptr_t     at = (uintptr_t)memory, first = (uintptr_t)task->buffers; /* what is lent is inside a buffer's record */
    if (at < first || at >= first + task->machine->limits.buffers * sizeof *task->buffers || !task->buffers) return ADEAD_OK;
    adead_buffer *buffer = &task->buffers[(at - first) / sizeof *task->buffers];
    adead_status  status = adead_buffer_make_own(task, buffer, failure);
    for (uint32_t o = 0; o < count && !status; o++)
        if (op->operands[o].memory == memory) op->operands[o].memory = buffer->memory;
    return status;
}

static void release(adead_task *task, adead_buffer *buffer)
{
    if (!buffer->memory) return;
    if (buffer->memory != &buffer->lent) task->machine->backend->free(task->machine->device, buffer->memory);
    task->buffer_bytes -= adead_whole_blocks(buffer->bytes);
    task->buffer_changes++;
    *buffer = (adead_buffer){.freed = true};
}

void adead_buffers_release(adead_task *task)
{
    if (!task->buffers) return;
    for (uint32_t i = 0; i < task->machine->limits.buffers; i++) release(task, &task->buffers[i]);
    task->machine->host.release(task->machine->host.context, task->buffers,
                                task->machine->limits.buffers * sizeof *task->buffers);
    task->buffers = NULL;
}

adead_status adead_buffer_make_own(adead_task *task, adead_buffer *buffer, adead_failure *failure)
{
    adead_machine *machine = task->machine;
    adead_memory  *own = NULL;
    if (buffer->memory != &buffer->lent) return ADEAD_OK;
    adead_status status = machine->backend->alloc(machine->device, buffer->bytes, &own, failure);
    if (status) return status;
    memcpy(own->host, buffer->lent.host, (size_t)buffer->bytes);
    buffer->memory = own;
    task->buffer_changes++;
    return ADEAD_OK;
}

adead_status adead_buffer_upload(adead_task *task, adead_buffer *buffer, uint64_t offset, const void *data, uint64_t bytes,
                                 adead_failure *failure)
{
    adead_machine *machine = task->machine;
    if (bytes == 0) return ADEAD_OK;
    adead_status status = adead_buffer_make_own(task, buffer, failure);
    if (status) return status;
    return adead_memory_put(machine->backend, machine->device, buffer->memory, offset, data, bytes, failure);
}

adead_status adead_buffer_download(adead_task *task, const adead_buffer *buffer, uint64_t offset, void *data, uint64_t bytes,
                                   adead_failure *failure)
{
    adead_machine *machine = task->machine;
    if (bytes == 0) return ADEAD_OK;
    return adead_memory_get(machine->backend, machine->device, buffer->memory, offset, data, bytes, failure);
}

adead_buffer *adead_buffer_find(adead_task *task, uint32_t number, adead_failure *failure)
{
    adead_buffer *buffer = task->buffers && number < task->machine->limits.buffers ? &task->buffers[number] : NULL;
    if (buffer && buffer->memory) return buffer;
    adead_fail(failure, ADEAD_BUFFER_STATE, ADEAD_NO_OFFSET, "buffer %u %s", number,
               buffer && buffer->freed ? "was freed before" : "was never allocated");
    return NULL;
}

/* Same, where `bytes` are to be used: OUT_OF_BOUNDS if it is shorter. */
static adead_buffer *find_with(adead_task *task, uint32_t number, uint64_t bytes, adead_failure *failure)
{
    adead_buffer *buffer = adead_buffer_find(task, number, failure);
    if (!buffer || bytes <= buffer->bytes) return buffer;
    adead_fail(failure, ADEAD_OUT_OF_BOUNDS, ADEAD_NO_OFFSET, "buffer %u has %llu bytes, not %llu", number,
               (unsigned long long)buffer->bytes, (unsigned long long)bytes);
    return NULL;
}

static adead_status slice_of_buffer(void *context, uint32_t number, adead_slice *slice, adead_failure *failure)
{
    adead_buffer *buffer = adead_buffer_find(context, number, failure);
    if (!buffer) return ADEAD_BUFFER_STATE;
    *slice = (adead_slice){buffer->memory, 0, buffer->bytes};
    return ADEAD_OK;
}

static adead_status slice_of_address(void *context, uint64_t address, adead_slice *slice, adead_failure *failure)
{
    adead_task *task = context;
    uint64_t    space = address >> 40, offset = address & (((uint64_t)1 << 40) - 1);
    *slice = (adead_slice){&task->linear, 0, task->linear.bytes};
    if (space > ADEAD_BUFFERS_MAX)
        return adead_fail(failure, ADEAD_OUT_OF_BOUNDS, ADEAD_NO_OFFSET, "0x%llX is no tensor address",
                          (unsigned long long)address);
    if (space != 0) {
        adead_status status = slice_of_buffer(task, (uint32_t)(space - 1), slice, failure);
        if (status) return status;
    }
    if (offset > slice->bytes)
        return adead_fail(failure, ADEAD_OUT_OF_BOUNDS, ADEAD_NO_OFFSET,
                          "tensor address 0x%llX lies behind the %llu bytes that are there", (unsigned long long)address,
                          (unsigned long long)slice->bytes);
    slice->offset = offset;
    slice->bytes -= offset;
    return ADEAD_OK;
}

adead_status adead_tensor_prepare(adead_task *task, adead_tensor_op *op)
{
    adead_failure            *failure = &task->failure;
    adead_instruction         in = adead_task_instruction(task);
    const adead_tensor_source source = {task, slice_of_buffer, slice_of_address};
    adead_status              status = adead_tensor_collect(&in, task->r, &source, op, failure);
    if (!status) status = adead_tensor_check(op, failure);
    if (!status && !adead_task_charge(task, adead_tensor_work(op))) return ADEAD_OUT_OF_FUEL;
    return status ? status : make_result_own(task, op, failure);
}

adead_exit adead_tensor_one(adead_task *task)
{
    adead_machine  *machine = task->machine;
    adead_tensor_op op;
    adead_status    status = adead_tensor_prepare(task, &op);
    if (status) return adead_task_trap(task, status);
    if (machine->observer && machine->observer->wants_op) machine->observer->op = op;
    status = adead_tensor_run_checked(machine->backend, machine->device, machine->reference, machine->reference_device, &op,
                                      &task->failure);
    return status ? adead_task_trap(task, status) : ADEAD_EXIT_NONE;
}

adead_exit adead_do_tensor(adead_task *task)
{
    if (task->early) return ADEAD_EXIT_LATER;
    return task->machine->run_tensor ? task->machine->run_tensor(task) : adead_tensor_one(task);
}

static adead_status pay(adead_task *task, uint64_t work)
{
    return adead_task_charge(task, work) ? ADEAD_OK : ADEAD_OUT_OF_FUEL;
}

/* A new buffer by instruction; its zeroing is work. */
static adead_status new_buffer(adead_task *task, uint32_t number, uint64_t bytes, adead_failure *failure)
{
    adead_status status = adead_buffer_make(task, number, bytes, failure);
    return status ? status : pay(task, bytes);
}

adead_exit adead_do_buffer_alloc(adead_task *task)
{
    if (task->early) return ADEAD_EXIT_LATER;
    adead_instruction in = adead_task_instruction(task);
    adead_status      status = new_buffer(task, adead_word(&in, 0), task->r[adead_word(&in, 1)], &task->failure);
    return status ? adead_task_trap(task, status) : ADEAD_EXIT_NONE;
}

adead_exit adead_do_buffer_size(adead_task *task)
{
    adead_instruction in = adead_task_instruction(task);
    adead_buffer     *buffer = adead_buffer_find(task, adead_word(&in, 1), &task->failure);
    if (!buffer) return adead_task_trap(task, ADEAD_BUFFER_STATE);
    task->r[adead_word(&in, 0)] = buffer->bytes;
    return ADEAD_EXIT_NONE;
}

adead_exit adead_do_buffer_address(adead_task *task)
{
    adead_instruction in = adead_task_instruction(task);
    uint32_t          number = adead_word(&in, 1);
    if (!adead_buffer_find(task, number, &task->failure)) return adead_task_trap(task, ADEAD_BUFFER_STATE);
    task->r[adead_word(&in, 0)] = ((uint64_t)number + 1) << 40;
    return ADEAD_EXIT_NONE;
}

/* Both ends of a copy between memory and a buffer are checked, then its work is paid for. */
static adead_status begin_copy(adead_task *task, uint64_t address, uint32_t number, uint64_t bytes, adead_buffer **buffer,
                               adead_failure *failure)
{
    *buffer = find_with(task, number, bytes, failure);
    if (!*buffer) return failure->code;
    adead_status status = adead_memory_check(task, address, bytes, failure);
    return status ? status : pay(task, bytes);
}

static adead_status copy_to_device(adead_task *task, uint64_t address, uint32_t number, uint64_t bytes,
                                   adead_failure *failure)
{
    adead_buffer *buffer;
    adead_status  status = begin_copy(task, address, number, bytes, &buffer, failure);
    return status ? status
                  : adead_buffer_upload(task, buffer, 0, (const uint8_t *)task->linear.host + address, bytes, failure);
}

static adead_status copy_from_device(adead_task *task, uint32_t number, uint64_t address, uint64_t bytes,
                                     adead_failure *failure)
{
    adead_buffer *buffer;
    adead_status  status = begin_copy(task, address, number, bytes, &buffer, failure);
    return status ? status : adead_buffer_download(task, buffer, 0, (uint8_t *)task->linear.host + address, bytes, failure);
}

static adead_status fill(adead_task *task, uint32_t number, uint32_t byte, uint64_t bytes, adead_failure *failure)
{
    adead_machine *machine = task->machine;
    adead_buffer  *buffer = find_with(task, number, bytes, failure);
    if (!buffer) return failure->code;
    adead_status status = pay(task, bytes);
    if (!status) status = adead_buffer_make_own(task, buffer, failure);
    adead_tensor_op op = {
        .kind = ADEAD_TENSOR_FILL, .scalar = byte, .dims = {bytes}, .operands = {{buffer->memory, 0, bytes}}};
    return status ? status
                  : adead_tensor_run_checked(machine->backend, machine->device, machine->reference,
                                             machine->reference_device, &op, failure);
}

static adead_status free_buffer(adead_task *task, uint32_t number, adead_failure *failure)
{
    adead_buffer *buffer = adead_buffer_find(task, number, failure);
    if (!buffer) return failure->code;
    release(task, buffer);
    return ADEAD_OK;
}

adead_exit adead_do_device(adead_task *task)
{
    if (task->early) return ADEAD_EXIT_LATER;
    adead_machine    *machine = task->machine;
    adead_failure    *failure = &task->failure;
    adead_instruction in = adead_task_instruction(task);
    uint32_t          w[3] = {0};
    for (uint32_t i = 0; i < in.count && i < 3; i++) w[i] = adead_word(&in, i);
    adead_status status = ADEAD_OK;
    switch (in.op) {
    case ADEAD_OP_GPU_ALLOC:
    case ADEAD_OP_VK_ALLOC: status = new_buffer(task, w[1], w[0], failure); break;
    case ADEAD_OP_GPU_FREE:
    case ADEAD_OP_VK_FREE: status = free_buffer(task, w[0], failure); break;
    case ADEAD_OP_GPU_COPY_H2D: status = copy_to_device(task, w[0], w[1], w[2], failure); break;
    case ADEAD_OP_GPU_COPY_D2H: status = copy_from_device(task, w[0], w[1], w[2], failure); break;
    case ADEAD_OP_GPU_MEMSET: status = fill(task, w[0], w[1], w[2], failure); break;
    case ADEAD_OP_GPU_SHUTDOWN:
        for (uint32_t i = 0; task->buffers && i < machine->limits.buffers; i++) release(task, &task->buffers[i]);
        break;
    default: /* SYNC and BARRIER */
        if (machine->backend->sync) status = machine->backend->sync(machine->device, failure);
        break;
    }
    return status ? adead_task_trap(task, status) : ADEAD_EXIT_NONE;
}
