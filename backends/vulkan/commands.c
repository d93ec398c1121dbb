/* Records commands and submits them. Two frames take turns: while one runs, the other is recorded. A frame is submitted
 * when it is full or somebody waits.
 *
 * Every command is a step. A memory knows the steps that last wrote and read it; a command whose memories were written (or,
 * where it writes, read) since the last barrier needs a barrier first. Others run side by side.
 */
#include "commands.h"

#include "vm/base/base.h"

#include <stdio.h>

static const VkPipelineStageFlags device_stages = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
static const VkAccessFlags        device_writes = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;

adead_status adead_vk_check(adead_vk *device, VkResult result, const char *doing, adead_failure *failure)
{
    char said[320];
    if (device->driver->validated && adead_vk_validation_said(said, sizeof said))
        return adead_fail(failure, ADEAD_BACKEND_FAILED, ADEAD_NO_OFFSET, "Vulkan's validation: %s", said);
    if (result == VK_SUCCESS) return ADEAD_OK;
    if (result == VK_ERROR_DEVICE_LOST) device->lost = true;
    bool memory = result == VK_ERROR_OUT_OF_HOST_MEMORY || result == VK_ERROR_OUT_OF_DEVICE_MEMORY;
    return adead_fail(failure, memory ? ADEAD_NO_MEMORY : ADEAD_BACKEND_FAILED, ADEAD_NO_OFFSET,
                      "Vulkan cannot %s on %.80s: %s", doing, device->physical->name, adead_vk_result_name(result));
}

static adead_status refuse_lost(const adead_vk *device, adead_failure *failure)
{
    adead_fail(failure, ADEAD_BACKEND_FAILED, ADEAD_NO_OFFSET, "the Vulkan device %.80s was lost before",
               device->physical->name);
    adead_hint(failure, "the driver gave it up; open it again");
    return ADEAD_BACKEND_FAILED;
}

/* ---- Frames ---- */

static adead_status finish(adead_vk *device, adead_vk_frame *frame, adead_failure *failure)
{
    if (frame->submission <= device->done) return ADEAD_OK;
    VkResult result = device->call.vkWaitForFences(device->device, 1, &frame->fence, VK_TRUE, UINT64_MAX);
    if (result != VK_SUCCESS) return adead_vk_check(device, result, "wait", failure);
    device->done = frame->submission;
    adead_vk_clock_collect(device, frame);
    adead_vk_memory_collect(device);
    return ADEAD_OK;
}

static adead_status begin(adead_vk *device, adead_failure *failure)
{
    if (device->lost) return refuse_lost(device, failure);
    if (device->frame) return ADEAD_OK;
    adead_vk_frame *frame = &device->frames[device->recording % ADEAD_VK_FRAMES];
    adead_status    status = finish(device, frame, failure);
    if (status) return status;
    VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                     .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    VkResult result = device->call.vkBeginCommandBuffer(frame->commands, &info);
    if (result != VK_SUCCESS) return adead_vk_check(device, result, "record", failure);
    adead_vk_clock_begin(device, frame);
    frame->sets_used = 0;
    device->staged = 0;
    device->frame = frame;
    device->bound = VK_NULL_HANDLE;
    return ADEAD_OK;
}

static void barrier(adead_vk *device, VkPipelineStageFlags to, VkAccessFlags access)
{
    VkMemoryBarrier all = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER, .srcAccessMask = device_writes,
                           .dstAccessMask = access};
    device->call.vkCmdPipelineBarrier(device->frame->commands, device_stages, to, 0, 1, &all, 0, NULL, 0, NULL);
    device->barriers++;
}

adead_status adead_vk_submit(adead_vk *device, adead_failure *failure)
{
    adead_vk_frame *frame = device->frame;
    if (device->lost) return refuse_lost(device, failure);
    if (!frame) return ADEAD_OK;
    barrier(device, VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    adead_vk_clock_end(device, frame);
    device->frame = NULL;
    VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1,
                         .pCommandBuffers = &frame->commands};
    VkResult result = device->call.vkEndCommandBuffer(frame->commands);
    if (result == VK_SUCCESS) result = device->call.vkResetFences(device->device, 1, &frame->fence);
    if (result == VK_SUCCESS) result = device->call.vkQueueSubmit(device->queue, 1, &info, frame->fence);
    if (result != VK_SUCCESS) {
        device->lost = true; /* what was recorded is gone, and later work would miss it */
        return adead_vk_check(device, result, "submit", failure);
    }
    frame->submission = device->recording++;
    device->submissions++;
    return ADEAD_OK;
}

adead_status adead_vk_wait(adead_vk *device, adead_failure *failure)
{
    adead_status status = adead_vk_submit(device, failure);
    for (uint64_t back = ADEAD_VK_FRAMES; back > 0 && !status; back--) /* the older one first */
        if (device->recording >= back)
            status = finish(device, &device->frames[(device->recording - back) % ADEAD_VK_FRAMES], failure);
    return status ? status : adead_vk_check(device, VK_SUCCESS, "", failure);
}

adead_status adead_vk_prepare(adead_vk *device, adead_vk_memory *const *uses, const bool *writes, uint32_t count,
                              adead_failure *failure)
{
    adead_status status = begin(device, failure);
    if (status) return status;
    bool hazard = false;
    for (uint32_t i = 0; i < count; i++)
        hazard |= uses[i]->written > device->barrier || (writes[i] && uses[i]->read > device->barrier);
    if (hazard) {
        barrier(device, device_stages,
                VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_READ_BIT |
                    VK_ACCESS_TRANSFER_WRITE_BIT);
        device->barrier = device->step;
    }
    device->step++;
    for (uint32_t i = 0; i < count; i++) {
        uses[i]->last_use = device->recording;
        if (writes[i]) uses[i]->written = device->step;
        else uses[i]->read = device->step;
    }
    return ADEAD_OK;
}

static adead_vk_memory *memory_of(adead_vk_range range) { return (adead_vk_memory *)range.memory; }

static uint64_t offset_of(adead_vk_range range) { return memory_of(range)->span->offset + range.offset; }

/* ---- Dispatches ---- */

/* Writes a set's bindings, and in `push` where each range begins. A binding begins at the last aligned byte before it. */
static void fill_set(adead_vk *device, VkDescriptorSet set, const adead_vk_dispatch *d, adead_vk_push *push)
{
    VkDescriptorBufferInfo infos[ADEAD_VK_BINDINGS];
    VkWriteDescriptorSet   writes[ADEAD_VK_BINDINGS];
    for (uint32_t i = 0; i < ADEAD_VK_BINDINGS; i++) {
        adead_vk_range range = d->ranges[i];
        if (!range.memory || range.bytes == 0) range = (adead_vk_range){&device->dummy->memory, 0, 16};
        uint64_t at = offset_of(range), before = at % device->alignment;
        push->base[i] = (uint32_t)(before / 4);
        uint64_t bytes = (before + range.bytes + 3) / 4 * 4;
        infos[i] = (VkDescriptorBufferInfo){memory_of(range)->block->buffer, at - before, bytes};
        writes[i] = (VkWriteDescriptorSet){.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET, .dstSet = set, .dstBinding = i,
                                           .descriptorCount = 1, .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                           .pBufferInfo = &infos[i]};
    }
    device->call.vkUpdateDescriptorSets(device->device, ADEAD_VK_BINDINGS, writes, 0, NULL);
}

void adead_vk_record(adead_vk *device, VkPipeline pipeline, VkPipelineLayout layout, VkDescriptorSet set, const void *push,
                     uint32_t push_bytes, const uint32_t groups[3])
{
    VkCommandBuffer commands = device->frame->commands;
    if (pipeline != device->bound) device->call.vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    device->bound = pipeline;
    device->call.vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, layout, 0, 1, &set, 0, NULL);
    if (push_bytes)
        device->call.vkCmdPushConstants(commands, layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, push_bytes, push);
    device->call.vkCmdDispatch(commands, groups[0], groups[1], groups[2]);
    device->dispatches++;
}

adead_status adead_vk_run(adead_vk *device, const adead_vk_dispatch *d, adead_failure *failure)
{
    adead_vk_memory *uses[ADEAD_VK_BINDINGS];
    bool             writes[ADEAD_VK_BINDINGS];
    uint32_t         count = 0;
    VkPipeline       pipeline;
    for (uint32_t i = 0; i < ADEAD_VK_BINDINGS; i++) {
        if (!d->ranges[i].memory) continue;
        if (d->ranges[i].bytes > device->facts.max_range)
            return adead_fail(failure, ADEAD_BACKEND_UNSUPPORTED, ADEAD_NO_OFFSET,
                              "%.80s works on at most %llu bytes of an operand, and here are %llu", device->physical->name,
                              (unsigned long long)device->facts.max_range, (unsigned long long)d->ranges[i].bytes);
        uses[count] = memory_of(d->ranges[i]);
        writes[count++] = d->written >> i & 1;
    }
    adead_status status = adead_vk_pipeline_get(device, d->shader, d->constants, &pipeline, failure);
    bool full = device->frame && device->frame->sets_used == ADEAD_VK_FRAME_SETS;
    if (!status && full) status = adead_vk_submit(device, failure);
    if (!status) status = adead_vk_prepare(device, uses, writes, count, failure);
    if (status) return status;
    VkDescriptorSet set = device->frame->sets[device->frame->sets_used++];
    adead_vk_push   push = d->push;
    fill_set(device, set, d, &push);
    adead_vk_record(device, pipeline, device->layout, set, &push, sizeof push, d->groups);
    return ADEAD_OK;
}

/* ---- Bytes ---- */

adead_status adead_vk_copy(adead_vk *device, adead_vk_range to, adead_vk_range from, adead_failure *failure)
{
    adead_vk_memory *const uses[] = {memory_of(to), memory_of(from)};
    const bool             writes[] = {true, false};
    if (to.bytes == 0) return ADEAD_OK;
    adead_status status = adead_vk_prepare(device, uses, writes, 2, failure);
    if (status) return status;
    VkBufferCopy region = {offset_of(from), offset_of(to), to.bytes};
    device->call.vkCmdCopyBuffer(device->frame->commands, uses[1]->block->buffer, uses[0]->block->buffer, 1, &region);
    return ADEAD_OK;
}

adead_status adead_vk_fill(adead_vk *device, adead_vk_range to, uint32_t word, adead_failure *failure)
{
    adead_vk_memory *const uses[] = {memory_of(to)};
    const bool             writes[] = {true};
    if (to.bytes == 0) return ADEAD_OK;
    adead_status status = adead_vk_prepare(device, uses, writes, 1, failure);
    if (!status)
        device->call.vkCmdFillBuffer(device->frame->commands, uses[0]->block->buffer, offset_of(to), to.bytes, word);
    return status;
}

/* Where the host sees the range, when what uses its memory has run; NULL where it never does. */
static adead_status reach(adead_vk *device, adead_vk_range range, bool writing, uint8_t **at, adead_failure *failure)
{
    adead_vk_memory *memory = memory_of(range);
    *at = NULL;
    if (!memory->block->mapped) return ADEAD_OK;
    bool         busy = writing ? !adead_vk_idle(device, memory) : memory->written && !adead_vk_idle(device, memory);
    adead_status status = device->lost ? refuse_lost(device, failure) : busy ? adead_vk_wait(device, failure) : ADEAD_OK;
    if (!status) *at = memory->block->mapped + offset_of(range);
    return status;
}

/* A piece between the frame's part of the staging block, at device->staged, and the device. */
static adead_status stage(adead_vk *device, adead_vk_range piece, bool writing, uint8_t **at, adead_failure *failure)
{
    adead_vk_memory *const uses[] = {memory_of(piece)};
    const bool             writes[] = {writing};
    adead_status           status = adead_vk_prepare(device, uses, writes, 1, failure);
    if (status) return status;
    VkBuffer     block = uses[0]->block->buffer, staging = device->staging->buffer;
    uint64_t     place = device->recording % ADEAD_VK_FRAMES * ADEAD_VK_STAGING + device->staged;
    VkBufferCopy region = {writing ? place : offset_of(piece), writing ? offset_of(piece) : place, piece.bytes};
    device->call.vkCmdCopyBuffer(device->frame->commands, writing ? staging : block, writing ? block : staging, 1, &region);
    *at = device->staging->mapped + place;
    device->staged += piece.bytes;
    return ADEAD_OK;
}

adead_status adead_vk_read(adead_vk *device, adead_vk_range from, void *to, adead_failure *failure)
{
    uint8_t     *at, *out = to;
    adead_status status = reach(device, from, false, &at, failure);
    if (status) return status;
    if (at) {
        memcpy(to, at, (size_t)from.bytes);
        return ADEAD_OK;
    }
    for (uint64_t done = 0, bytes; done < from.bytes && !status; done += bytes) {
        if (device->staged == ADEAD_VK_STAGING) status = adead_vk_submit(device, failure);
        bytes = adead_min_u64(from.bytes - done, ADEAD_VK_STAGING - (device->frame ? device->staged : 0));
        if (!status) status = stage(device, (adead_vk_range){from.memory, from.offset + done, bytes}, false, &at, failure);
        if (!status) status = adead_vk_wait(device, failure);
        if (!status) memcpy(out + done, at, (size_t)bytes);
    }
    return status;
}

adead_status adead_vk_write(adead_vk *device, adead_vk_range to, const void *from, adead_failure *failure)
{
    const uint8_t *in = from;
    uint8_t       *at;
    adead_status   status = reach(device, to, true, &at, failure);
    if (status) return status;
    if (at) {
        memcpy(at, from, (size_t)to.bytes);
        return ADEAD_OK;
    }
    for (uint64_t done = 0, bytes; done < to.bytes && !status; done += bytes) {
        if (device->staged == ADEAD_VK_STAGING) status = adead_vk_submit(device, failure);
        bytes = adead_min_u64(to.bytes - done, ADEAD_VK_STAGING - (device->frame ? device->staged : 0));
        if (!status) status = stage(device, (adead_vk_range){to.memory, to.offset + done, bytes}, true, &at, failure);
        if (!status) memcpy(at, in + done, (size_t)bytes); /* before it is submitted */
    }
    return status;
}

/* ---- Opening and closing ---- */

static VkResult open_frames(adead_vk *device)
{
    VkCommandBuffer             commands[ADEAD_VK_FRAMES];
    VkCommandBufferAllocateInfo buffers = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                           .commandPool = device->command_pool, .commandBufferCount = ADEAD_VK_FRAMES};
    VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkResult          result = device->call.vkAllocateCommandBuffers(device->device, &buffers, commands);
    for (uint32_t i = 0; i < ADEAD_VK_FRAMES && result == VK_SUCCESS; i++) {
        adead_vk_frame *frame = &device->frames[i];
        frame->commands = commands[i];
        frame->sets = device->frames[0].sets + i * ADEAD_VK_FRAME_SETS;
        result = device->call.vkCreateFence(device->device, &fence, NULL, &frame->fence);
    }
    return result;
}

adead_status adead_vk_commands_open(adead_vk *device, adead_failure *failure)
{
    VkCommandPoolCreateInfo commands = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                        .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                        .queueFamilyIndex = device->physical->family};
    size_t sets = ADEAD_VK_SETS_MAX * sizeof(VkDescriptorSet);
    device->frames[0].sets = device->host.allocate(device->host.context, sets);
    if (!device->frames[0].sets) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for commands");
    device->recording = 1;
    VkResult result = device->call.vkCreateCommandPool(device->device, &commands, NULL, &device->command_pool);
    if (result == VK_SUCCESS)
        result = adead_vk_make_sets(device, device->set_layout, ADEAD_VK_BINDINGS, ADEAD_VK_SETS_MAX, &device->set_pool,
                                    device->frames[0].sets);
    if (result == VK_SUCCESS) result = open_frames(device);
    return result == VK_SUCCESS ? ADEAD_OK : adead_vk_check(device, result, "prepare commands", failure);
}

void adead_vk_commands_close(adead_vk *device)
{
    size_t sets = ADEAD_VK_SETS_MAX * sizeof(VkDescriptorSet);
    for (uint32_t i = 0; i < ADEAD_VK_FRAMES; i++)
        if (device->frames[i].fence) device->call.vkDestroyFence(device->device, device->frames[i].fence, NULL);
    adead_vk_clock_close(device);
    if (device->set_pool) device->call.vkDestroyDescriptorPool(device->device, device->set_pool, NULL);
    if (device->command_pool) device->call.vkDestroyCommandPool(device->device, device->command_pool, NULL);
    if (device->frames[0].sets) device->host.release(device->host.context, device->frames[0].sets, sets);
}
