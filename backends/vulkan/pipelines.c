/* Pipelines: a shader with its specialisation constants, made when first dispatched and kept; what the driver compiled is
 * kept on disk between runs (cache.c).
 *
 * To every module are added the execution modes that ask the device for subnormals, rounding to nearest and signed zeros,
 * infinities and NaNs, as far as it has them: a module that names one it lacks would not be valid.
 */
#include "cache.h"
#include "commands.h"
#include "spirv.h"

#include "vm/base/base.h"

#include <stdio.h>

/* ---- Modules ---- */

enum {
    OP_EXTENSION = 10, OP_ENTRY_POINT = 15, OP_EXECUTION_MODE = 16, OP_CAPABILITY = 17, CAPABILITY_FLOAT64 = 10,
    HEADER_WORDS = 5, MODES_MAX = 6
};

typedef struct mode { uint32_t capability, mode, width; } mode;

/* The float controls that this device has: capability and execution mode have the numbers of the specification. */
static uint32_t float_modes(const adead_vk *device, bool float64, mode modes[MODES_MAX])
{
    const VkPhysicalDeviceFloatControlsProperties *c = &device->controls;
    uint32_t count = 0;
    if (c->shaderDenormPreserveFloat32) modes[count++] = (mode){4464, 4459, 32};
    if (c->shaderRoundingModeRTEFloat32) modes[count++] = (mode){4467, 4462, 32};
    if (c->shaderSignedZeroInfNanPreserveFloat32) modes[count++] = (mode){4466, 4461, 32};
    if (!float64) return count;
    if (c->shaderDenormPreserveFloat64) modes[count++] = (mode){4464, 4459, 64};
    if (c->shaderRoundingModeRTEFloat64) modes[count++] = (mode){4467, 4462, 64};
    if (c->shaderSignedZeroInfNanPreserveFloat64) modes[count++] = (mode){4466, 4461, 64};
    return count;
}

static uint32_t put_instruction(uint32_t *to, uint32_t opcode, const uint32_t *words, uint32_t count)
{
    to[0] = (count + 1) << 16 | opcode;
    memcpy(to + 1, words, 4 * count);
    return count + 1;
}

/* The words of a module with the modes; `to` has room for 16 words for each more than `from` has. */
static uint32_t add_modes(uint32_t *to, const uint32_t *from, uint32_t words, const mode *modes, uint32_t count)
{
    static const char extension[24] = "SPV_KHR_float_controls";
    uint32_t          text[6], used = HEADER_WORDS;
    bool              asked = false;
    memcpy(text, extension, sizeof text);
    memcpy(to, from, 4 * HEADER_WORDS);
    for (uint32_t at = HEADER_WORDS, length; at < words; at += length) {
        uint32_t opcode = from[at] & 0xFFFF;
        length = from[at] >> 16;
        if (!asked && opcode != OP_CAPABILITY) {
            asked = true;
            for (uint32_t i = 0; i < count; i++) used += put_instruction(to + used, OP_CAPABILITY, &modes[i].capability, 1);
            if (count) used += put_instruction(to + used, OP_EXTENSION, text, 6);
        }
        memcpy(to + used, from + at, 4 * length);
        used += length;
        if (opcode != OP_ENTRY_POINT) continue;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t operands[] = {from[at + 2], modes[i].mode, modes[i].width};
            used += put_instruction(to + used, OP_EXECUTION_MODE, operands, 3);
        }
    }
    return used;
}

static bool computes_in_f64(const uint32_t *words)
{
    for (uint32_t at = HEADER_WORDS; (words[at] & 0xFFFF) == OP_CAPABILITY; at += 2)
        if (words[at + 1] == CAPABILITY_FLOAT64) return true;
    return false;
}

/* The words of a module as this device takes it: `count` in `size` bytes of the host's memory. NULL: it has no more. */
static uint32_t *module_words(adead_vk *device, uint32_t number, uint32_t *count, size_t *size)
{
    adead_host host = device->host;
    mode       modes[MODES_MAX];
    uint32_t   words = adead_vk_spirv_words(number);
    size_t     room = 4 * (size_t)words + adead_vk_spirv_room();
    *size = 4 * ((size_t)words + 16 * MODES_MAX);
    uint32_t  *from = host.allocate(host.context, room), *to = from ? host.allocate(host.context, *size) : NULL;
    if (to) {
        words = adead_vk_spirv_get(number, (uint8_t *)(from + words), from);
        *count = add_modes(to, from, words, modes, float_modes(device, computes_in_f64(from), modes));
    }
    if (from) host.release(host.context, from, room);
    return to;
}

/* ---- Pipelines ---- */

VkResult adead_vk_make_layouts(adead_vk *device, uint32_t bindings, uint32_t push_bytes, VkDescriptorSetLayout *set_layout,
                               VkPipelineLayout *layout)
{
    VkDescriptorSetLayoutBinding list[32];
    uint32_t                     count = 0;
    for (uint32_t i = 0; i < ADEAD_COUNT(list); i++)
        if (bindings >> i & 1)
            list[count++] = (VkDescriptorSetLayoutBinding){.binding = i, .descriptorCount = 1,
                                                           .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                                           .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
    VkDescriptorSetLayoutCreateInfo set = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
                                           .bindingCount = count, .pBindings = list};
    VkPushConstantRange        push = {VK_SHADER_STAGE_COMPUTE_BIT, 0, push_bytes};
    VkPipelineLayoutCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, .setLayoutCount = 1,
                                       .pSetLayouts = set_layout, .pushConstantRangeCount = push_bytes ? 1 : 0,
                                       .pPushConstantRanges = &push};
    VkResult result = device->call.vkCreateDescriptorSetLayout(device->device, &set, NULL, set_layout);
    return result == VK_SUCCESS ? device->call.vkCreatePipelineLayout(device->device, &info, NULL, layout) : result;
}

VkResult adead_vk_make_sets(adead_vk *device, VkDescriptorSetLayout set_layout, uint32_t bindings, uint32_t count,
                            VkDescriptorPool *pool, VkDescriptorSet *sets)
{
    VkDescriptorSetLayout      layouts[ADEAD_VK_SETS_MAX];
    VkDescriptorPoolSize       size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, count * bindings};
    VkDescriptorPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO, .maxSets = count,
                                       .poolSizeCount = 1, .pPoolSizes = &size};
    for (uint32_t i = 0; i < count; i++) layouts[i] = set_layout;
    VkResult result = device->call.vkCreateDescriptorPool(device->device, &info, NULL, pool);
    if (result != VK_SUCCESS) return result;
    VkDescriptorSetAllocateInfo all = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO, .descriptorPool = *pool,
                                       .descriptorSetCount = count, .pSetLayouts = layouts};
    return device->call.vkAllocateDescriptorSets(device->device, &all, sets);
}

VkResult adead_vk_make_pipeline(adead_vk *device, VkPipelineLayout layout, const uint32_t *words, size_t bytes,
                                const char *entry, const VkSpecializationInfo *constants, VkPipeline *pipeline)
{
    VkShaderModule           module;
    VkShaderModuleCreateInfo code = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = bytes,
                                     .pCode = words};
    VkResult                 result = device->call.vkCreateShaderModule(device->device, &code, NULL, &module);
    if (result != VK_SUCCESS) return result;
    VkComputePipelineCreateInfo info = {.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO, .layout = layout};
    info.stage = (VkPipelineShaderStageCreateInfo){.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                                                   .stage = VK_SHADER_STAGE_COMPUTE_BIT, .module = module, .pName = entry,
                                                   .pSpecializationInfo = constants};
    result = device->call.vkCreateComputePipelines(device->device, device->cache, 1, &info, NULL, pipeline);
    device->call.vkDestroyShaderModule(device->device, module, NULL);
    if (result != VK_SUCCESS) *pipeline = VK_NULL_HANDLE;
    return result;
}

static adead_status make_own_pipeline(adead_vk *device, adead_vk_pipeline *p, adead_failure *failure)
{
    VkSpecializationMapEntry entries[ADEAD_COUNT(p->constants)];
    VkSpecializationInfo     constants = {ADEAD_COUNT(entries), entries, sizeof p->constants, p->constants};
    for (uint32_t i = 0; i < ADEAD_COUNT(entries); i++) entries[i] = (VkSpecializationMapEntry){i, 4 * i, 4};
    uint32_t what = p->constants[ADEAD_VK_FIRST_CONSTANT + 1], count = 0;
    uint32_t number = adead_vk_spirv_find((adead_vk_shader)p->shader, what, (adead_vk_path)p->constants[0]);
    if (number == UINT32_MAX)
        return adead_fail(failure, ADEAD_BACKEND_FAILED, ADEAD_NO_OFFSET,
                          "the Vulkan backend has no shader %u for operation %u", (unsigned)p->shader, (unsigned)what);
    size_t    size;
    uint32_t *words = module_words(device, number, &count, &size);
    if (!words) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for a shader");
    VkResult result = adead_vk_make_pipeline(device, device->layout, words, 4 * (size_t)count, "main", &constants,
                                             &p->pipeline);
    device->host.release(device->host.context, words, size);
    return result == VK_SUCCESS ? ADEAD_OK : adead_vk_check(device, result, "compile a shader", failure);
}

static void drop_pipelines(adead_vk *device)
{
    for (uint32_t i = 0; i < ADEAD_VK_PIPELINE_SLOTS; i++)
        if (device->pipelines[i].pipeline)
            device->call.vkDestroyPipeline(device->device, device->pipelines[i].pipeline, NULL);
    memset(device->pipelines, 0, ADEAD_VK_PIPELINE_SLOTS * sizeof *device->pipelines);
    device->pipeline_count = 0;
    device->bound = VK_NULL_HANDLE;
}

adead_status adead_vk_pipeline_get(adead_vk *device, adead_vk_shader shader, const uint32_t own[ADEAD_VK_CONSTANTS],
                                   VkPipeline *pipeline, adead_failure *failure)
{
    adead_vk_pipeline wanted = {.shader = shader, .constants = {device->facts.fma, device->facts.div, device->facts.sqrt}};
    uint32_t          hash = shader + 1;
    memcpy(wanted.constants + ADEAD_VK_FIRST_CONSTANT, own, ADEAD_VK_CONSTANTS * sizeof *own);
    for (uint32_t i = 0; i < ADEAD_COUNT(wanted.constants); i++) hash = (hash ^ wanted.constants[i]) * 0x9E3779B1u;
    if (device->pipeline_count == ADEAD_VK_PIPELINE_SLOTS / 2) { /* nobody needs that many: begin again */
        adead_status status = adead_vk_wait(device, failure);
        if (status) return status;
        drop_pipelines(device);
    }
    for (hash ^= hash >> 16;; hash++) {
        adead_vk_pipeline *p = &device->pipelines[hash % ADEAD_VK_PIPELINE_SLOTS];
        if (!p->pipeline) {
            *p = wanted;
            adead_status status = make_own_pipeline(device, p, failure);
            if (status) return status;
            device->pipeline_count++;
        } else if (p->shader != shader || memcmp(p->constants, wanted.constants, sizeof p->constants) != 0) {
            continue;
        }
        *pipeline = p->pipeline;
        return ADEAD_OK;
    }
}

/* ---- Opening and closing ---- */

adead_status adead_vk_pipelines_open(adead_vk *device, adead_failure *failure)
{
    size_t table = ADEAD_VK_PIPELINE_SLOTS * sizeof *device->pipelines;
    device->pipelines = device->host.allocate(device->host.context, table);
    if (!device->pipelines) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for pipelines");
    VkResult result = adead_vk_make_layouts(device, (1 << ADEAD_VK_BINDINGS) - 1, sizeof(adead_vk_push), &device->set_layout,
                                            &device->layout);
    if (result == VK_SUCCESS) result = adead_vk_cache_open(device);
    return result == VK_SUCCESS ? ADEAD_OK : adead_vk_check(device, result, "prepare pipelines", failure);
}

void adead_vk_pipelines_close(adead_vk *device)
{
    if (device->pipelines) {
        if (device->pipeline_count) adead_vk_cache_keep(device);
        drop_pipelines(device);
        device->host.release(device->host.context, device->pipelines, ADEAD_VK_PIPELINE_SLOTS * sizeof *device->pipelines);
    }
    if (device->cache) device->call.vkDestroyPipelineCache(device->device, device->cache, NULL);
    if (device->layout) device->call.vkDestroyPipelineLayout(device->device, device->layout, NULL);
    if (device->set_layout) device->call.vkDestroyDescriptorSetLayout(device->device, device->set_layout, NULL);
}
