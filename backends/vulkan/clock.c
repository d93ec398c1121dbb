/* The device's own clock: while it is asked for, each submission has a timestamp before its first command and one behind its
 * last. A device whose queues have no timestamps has no clock, and profiles take the host's.
 */
#include "commands.h"

#include "vm/base/base.h"

static uint32_t first_query(const adead_vk *device, const adead_vk_frame *frame)
{
    return 2 * (uint32_t)(frame - device->frames);
}

void adead_vk_clock_begin(adead_vk *device, adead_vk_frame *frame)
{
    frame->timed = device->timed;
    if (!frame->timed) return;
    device->call.vkCmdResetQueryPool(frame->commands, device->queries, first_query(device, frame), 2);
    device->call.vkCmdWriteTimestamp(frame->commands, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, device->queries,
                                     first_query(device, frame));
}

void adead_vk_clock_end(adead_vk *device, adead_vk_frame *frame)
{
    if (!frame->timed) return;
    device->call.vkCmdWriteTimestamp(frame->commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, device->queries,
                                     first_query(device, frame) + 1);
}

/* Where a submission began before the last one had ended, that time is counted once. */
void adead_vk_clock_collect(adead_vk *device, adead_vk_frame *frame)
{
    uint64_t at[2], bits = device->physical->timestamp_bits, mask = bits < 64 ? ((uint64_t)1 << bits) - 1 : UINT64_MAX;
    if (!frame->timed) return;
    frame->timed = false;
    if (device->call.vkGetQueryPoolResults(device->device, device->queries, first_query(device, frame), 2, sizeof at, at,
                                           sizeof at[0], VK_QUERY_RESULT_64_BIT) != VK_SUCCESS)
        return;
    uint64_t passed = (at[1] - at[0]) & mask, since_last = (at[1] - device->last_tick) & mask;
    device->ticks += adead_min_u64(passed, since_last);
    device->last_tick = at[1];
}

void adead_vk_clock_close(adead_vk *device)
{
    if (device->queries) device->call.vkDestroyQueryPool(device->device, device->queries, NULL);
}

bool adead_vk_set_timed(adead_device *opaque, bool on)
{
    adead_vk             *device = (adead_vk *)opaque;
    VkQueryPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO, .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                  .queryCount = 2 * ADEAD_VK_FRAMES};
    device->timed = false;
    if (!on) return true;
    if (!device->physical->timestamp_bits || adead_vk_wait(device, NULL)) return false;
    if (!device->queries && device->call.vkCreateQueryPool(device->device, &info, NULL, &device->queries) != VK_SUCCESS) {
        device->queries = VK_NULL_HANDLE;
        return false;
    }
    device->ticks = device->last_tick = 0;
    device->timed = true;
    return true;
}

uint64_t adead_vk_last_duration(adead_device *opaque)
{
    adead_vk *device = (adead_vk *)opaque;
    double    nanoseconds = (double)device->ticks * (double)device->physical->limits.timestampPeriod;
    device->ticks = 0;
    return (uint64_t)nanoseconds;
}
