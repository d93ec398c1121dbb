/* Linear memory: opening, growing, `alloc` and `free`, bulk copy and fill, and the output stream that reads from it.
 *
 * Memory is a region of blocks. The accessible part is [0, linear.bytes): declared at the start, raised by `memory.grow`,
 * and by `alloc` when the lowest free run lies above it. It never shrinks, so a freed run stays readable until it is handed
 * out again, zeroed.
 */
#include "vm/machine.h"

adead_status adead_memory_open(adead_task *task, adead_failure *failure)
{
    const adead_image *image = task->analysis->image;
    adead_machine     *machine = task->machine;
    uint64_t           limit = machine->limits.memory / ADEAD_BLOCK_SIZE * ADEAD_BLOCK_SIZE;
    bool               legacy = adead_image_is_legacy(image);
    uint64_t           initial = legacy ? limit : image->memory_initial;
    uint64_t           maximum = legacy ? limit : adead_min_u64(image->memory_maximum, limit);
    if (initial > limit) {
        adead_fail(failure, ADEAD_OUT_OF_MEMORY, ADEAD_NO_OFFSET,
                   "the program starts with %llu bytes of memory, but the limit is %llu", (unsigned long long)initial,
                   (unsigned long long)machine->limits.memory);
        adead_hint(failure, "raise the memory limit (--memory)");
        return ADEAD_OUT_OF_MEMORY;
    }
    task->linear.host = task; /* without memory: no byte can be reached, but adding 0 to the address is defined */
    if (maximum != 0) {
        adead_status status =
            adead_blocks_open(&task->memory, &machine->host, ADEAD_BLOCK_SIZE, maximum / ADEAD_BLOCK_SIZE, false, failure);
        if (status) return status;
        task->memory_open = true;
        task->linear.host = task->memory.base;
    }
    uint64_t at;
    if (initial != 0)
        adead_blocks_alloc(&task->memory, initial, &at); /* the first run of an empty region: at 0, and it fits */
    task->linear.bytes = initial;
    task->static_bytes = initial;
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const adead_segment *segment = &image->segments[i];
        if (!adead_in_memory(task, segment->address, segment->size))
            return adead_fail(failure, ADEAD_OUT_OF_MEMORY, ADEAD_NO_OFFSET,
                              "the program's data at 0x%llX does not fit into %llu bytes of memory",
                              (unsigned long long)segment->address, (unsigned long long)initial);
        memcpy((uint8_t *)task->linear.host + segment->address, segment->bytes, segment->size);
    }
    return ADEAD_OK;
}

bool adead_memory_reach(adead_task *task, uint64_t end)
{
    if (end <= task->linear.bytes) return true;
    if (!task->memory_open || end > task->memory.count * ADEAD_BLOCK_SIZE) return false;
    uint64_t more = adead_whole_blocks(end - task->linear.bytes);
    if (adead_blocks_alloc_at(&task->memory, task->linear.bytes, more)) return false;
    task->linear.bytes += more;
    return true;
}

adead_exit adead_do_memory_grow(adead_task *task)
{
    adead_instruction in = adead_task_instruction(task);
    uint64_t          blocks = task->r[adead_word(&in, 1)], old = task->linear.bytes, more, end;
    bool              grown =
        adead_mul_u64(blocks, ADEAD_BLOCK_SIZE, &more) && adead_add_u64(old, more, &end) && adead_memory_reach(task, end);
    task->r[adead_word(&in, 0)] = grown ? old / ADEAD_BLOCK_SIZE : UINT64_MAX;
    return ADEAD_EXIT_NONE;
}

adead_exit adead_do_alloc(adead_task *task)
{
    adead_instruction in = adead_task_instruction(task);
    uint64_t          bytes = task->r[adead_word(&in, 1)], address = UINT64_MAX;
    if (task->memory_open && adead_blocks_alloc(&task->memory, bytes, &address) == ADEAD_OK) {
        uint64_t run = adead_blocks_size(&task->memory, address);
        task->linear.bytes = adead_max_u64(task->linear.bytes, address + run);
        if (!adead_task_charge(task, run)) return ADEAD_EXIT_TRAP; /* for the zeroing */
    } else address = UINT64_MAX;
    task->r[adead_word(&in, 0)] = address;
    return ADEAD_EXIT_NONE;
}

adead_exit adead_do_free(adead_task *task)
{
    adead_instruction in = adead_task_instruction(task);
    uint64_t          address = task->r[adead_word(&in, 0)];
    if (task->memory_open && address >= task->static_bytes && adead_blocks_free(&task->memory, address) == ADEAD_OK)
        return ADEAD_EXIT_NONE;
    adead_fail(&task->failure, ADEAD_BAD_HANDLE, ADEAD_NO_OFFSET, "no allocated run starts at address 0x%llX",
               (unsigned long long)address);
    return adead_task_trap(task, ADEAD_BAD_HANDLE);
}

adead_status adead_memory_check(const adead_task *task, uint64_t address, uint64_t bytes, adead_failure *failure)
{
    if (adead_in_memory(task, address, bytes)) return ADEAD_OK;
    return adead_fail(failure, ADEAD_OUT_OF_BOUNDS, ADEAD_NO_OFFSET,
                      "%llu bytes at address 0x%llX lie outside the %llu bytes of memory", (unsigned long long)bytes,
                      (unsigned long long)address, (unsigned long long)task->linear.bytes);
}

/* Traps unless [address, address + bytes) is in memory. */
static bool check_range(adead_task *task, uint64_t address, uint64_t bytes)
{
    adead_status status = adead_memory_check(task, address, bytes, &task->failure);
    if (status) adead_task_trap(task, status);
    return !status;
}

adead_exit adead_do_memory_copy(adead_task *task)
{
    adead_instruction in = adead_task_instruction(task);
    uint64_t to = task->r[adead_word(&in, 0)], from = task->r[adead_word(&in, 1)], bytes = task->r[adead_word(&in, 2)];
    if (!check_range(task, to, bytes) || !check_range(task, from, bytes) || !adead_task_charge(task, bytes))
        return ADEAD_EXIT_TRAP;
    uint8_t *memory = task->linear.host;
    if (bytes) memmove(memory + to, memory + from, bytes);
    return ADEAD_EXIT_NONE;
}

adead_exit adead_do_memory_fill(adead_task *task)
{
    adead_instruction in = adead_task_instruction(task);
    uint64_t to = task->r[adead_word(&in, 0)], value = task->r[adead_word(&in, 1)], bytes = task->r[adead_word(&in, 2)];
    if (!check_range(task, to, bytes) || !adead_task_charge(task, bytes)) return ADEAD_EXIT_TRAP;
    uint8_t *memory = task->linear.host;
    if (bytes) memset(memory + to, (uint8_t)value, bytes);
    return ADEAD_EXIT_NONE;
}

adead_exit adead_do_write(adead_task *task)
{
    if (task->early) return ADEAD_EXIT_LATER;
    adead_instruction in = adead_task_instruction(task);
    adead_machine    *machine = task->machine;
    uint64_t          from = task->r[adead_word(&in, 0)], bytes = task->r[adead_word(&in, 1)];
    if (!check_range(task, from, bytes) || !adead_task_charge(task, bytes)) return ADEAD_EXIT_TRAP;
    if (bytes == 0 || !machine->sink) return ADEAD_EXIT_NONE;
    if (machine->sink(machine->sink_context, (const uint8_t *)task->linear.host + from, bytes)) return ADEAD_EXIT_NONE;
    return adead_task_trap(task, ADEAD_OUTPUT_REFUSED);
}
