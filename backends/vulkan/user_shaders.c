/* Users' own shaders: a pipeline each, with a ring of descriptor sets that their dispatches take in turn. Their commands are
 * recorded among those of operations, with the same barriers.
 */
#include "user_shaders.h"

#include "reflect.h"

#include "vm/base/base.h"

enum { SETS = 64 };

struct adead_device_shader {
    adead_shader_facts    facts;
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout      layout;
    VkPipeline            pipeline;
    VkDescriptorPool      pool;
    VkDescriptorSet       sets[SETS];
    uint64_t              used[SETS]; /* the submission that last used the set; 0: none */
    uint32_t              next;
};

/* ---- What a device offers ---- */

static const struct { VkSubgroupFeatureFlags flag; uint32_t need; } subgroups[] = {
    {VK_SUBGROUP_FEATURE_BASIC_BIT, ADEAD_SPIRV_SUBGROUP_BASIC},
    {VK_SUBGROUP_FEATURE_VOTE_BIT, ADEAD_SPIRV_SUBGROUP_VOTE},
    {VK_SUBGROUP_FEATURE_ARITHMETIC_BIT, ADEAD_SPIRV_SUBGROUP_ARITHMETIC},
    {VK_SUBGROUP_FEATURE_BALLOT_BIT, ADEAD_SPIRV_SUBGROUP_BALLOT},
    {VK_SUBGROUP_FEATURE_SHUFFLE_BIT, ADEAD_SPIRV_SUBGROUP_SHUFFLE},
    {VK_SUBGROUP_FEATURE_SHUFFLE_RELATIVE_BIT, ADEAD_SPIRV_SUBGROUP_SHUFFLE_RELATIVE},
    {VK_SUBGROUP_FEATURE_CLUSTERED_BIT, ADEAD_SPIRV_SUBGROUP_CLUSTERED},
    {VK_SUBGROUP_FEATURE_QUAD_BIT, ADEAD_SPIRV_SUBGROUP_QUAD}};

static uint32_t subgroup_needs(const adead_vk *device)
{
    VkPhysicalDeviceSubgroupProperties group = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES};
    VkPhysicalDeviceProperties2 all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &group};
    uint32_t                    needs = 0;
    device->driver->vkGetPhysicalDeviceProperties2(device->physical->handle, &all);
    if (!(group.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT)) return 0;
    for (uint32_t i = 0; i < ADEAD_COUNT(subgroups); i++)
        if (group.supportedOperations & subgroups[i].flag) needs |= subgroups[i].need;
    return needs;
}

void adead_vk_user_features_add(adead_vk *device, VkPhysicalDeviceFeatures2 *use, adead_vk_user_features *room)
{
    VkPhysicalDeviceFeatures2 has = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &room->storage16};
    *room = (adead_vk_user_features){
        .storage16 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES},
        .storage8 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES, .pNext = &room->numbers},
        .numbers = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES}};
    if (device->physical->api >= VK_API_VERSION_1_2) room->storage16.pNext = &room->storage8; /* part of the core since */
    device->driver->vkGetPhysicalDeviceFeatures2(device->physical->handle, &has);
    room->storage16.storageInputOutput16 = VK_FALSE;
    use->features.shaderInt64 = has.features.shaderInt64;
    use->features.shaderInt16 = has.features.shaderInt16;
    void *last = use->pNext;
    use->pNext = &room->storage16;
    if (room->storage16.pNext) room->numbers.pNext = last;
    else room->storage16.pNext = last;
    const struct { VkBool32 there; uint32_t need; } offers[] = {
        {has.features.shaderFloat64, ADEAD_SPIRV_FLOAT64},
        {has.features.shaderInt64, ADEAD_SPIRV_INT64},
        {has.features.shaderInt16, ADEAD_SPIRV_INT16},
        {room->numbers.shaderFloat16, ADEAD_SPIRV_FLOAT16},
        {room->numbers.shaderInt8, ADEAD_SPIRV_INT8},
        {room->storage16.storageBuffer16BitAccess, ADEAD_SPIRV_STORAGE_16},
        {room->storage16.uniformAndStorageBuffer16BitAccess, ADEAD_SPIRV_UNIFORM_16},
        {room->storage16.storagePushConstant16, ADEAD_SPIRV_PUSH_16},
        {room->storage8.storageBuffer8BitAccess, ADEAD_SPIRV_STORAGE_8},
        {room->storage8.uniformAndStorageBuffer8BitAccess, ADEAD_SPIRV_UNIFORM_8},
        {room->storage8.storagePushConstant8, ADEAD_SPIRV_PUSH_8}};
    device->user_needs = subgroup_needs(device);
    for (uint32_t i = 0; i < ADEAD_COUNT(offers); i++)
        if (offers[i].there) device->user_needs |= offers[i].need;
}

/* Does the device have what the shader needs? Fills the facts that are the device's. */
static adead_status check_device(const adead_vk *device, adead_reflection *r, adead_failure *failure)
{
    const VkPhysicalDeviceLimits *limits = &device->physical->limits;
    adead_shader_facts           *f = &r->facts;
    const char                   *name = device->physical->name;
    uint32_t                      lacking = r->needs & ~device->user_needs, bindings = 0;
    uint64_t                      threads = 1;
    for (uint32_t i = 0; i < 3; i++) {
        f->groups_max[i] = limits->maxComputeWorkGroupCount[i];
        if (f->group[i] > limits->maxComputeWorkGroupSize[i]) threads = UINT64_MAX;
        else if (!adead_mul_u64(threads, f->group[i], &threads)) threads = UINT64_MAX;
    }
    for (uint32_t i = 0; i < ADEAD_SHADER_BINDINGS; i++) bindings += f->used >> i & 1;
    f->bytes_max = limits->maxStorageBufferRange;
    if (lacking)
        return adead_fail(failure, ADEAD_BACKEND_UNSUPPORTED, ADEAD_NO_OFFSET,
                          "the shader needs the capability %s, which %.80s does not have", adead_spirv_need_name(lacking),
                          name);
    if (threads > limits->maxComputeWorkGroupInvocations)
        return adead_fail(failure, ADEAD_BACKEND_UNSUPPORTED, ADEAD_NO_OFFSET,
                          "a workgroup of %u x %u x %u threads is too large for %.80s, which takes %u", f->group[0],
                          f->group[1], f->group[2], name, limits->maxComputeWorkGroupInvocations);
    if (r->shared_bytes > limits->maxComputeSharedMemorySize)
        return adead_fail(failure, ADEAD_BACKEND_UNSUPPORTED, ADEAD_NO_OFFSET,
                          "%llu bytes of shared memory are more than the %u of %.80s", (unsigned long long)r->shared_bytes,
                          limits->maxComputeSharedMemorySize, name);
    if (bindings > limits->maxPerStageDescriptorStorageBuffers)
        return adead_fail(failure, ADEAD_BACKEND_UNSUPPORTED, ADEAD_NO_OFFSET,
                          "%u bindings are more than the %u of %.80s", bindings,
                          limits->maxPerStageDescriptorStorageBuffers, name);
    return ADEAD_OK;
}

/* ---- Pipelines ---- */

/* The driver wants words, and what the user gave may begin anywhere. */
static adead_status make(adead_vk *device, adead_device_shader *shader, const void *spirv, uint64_t size, const char *entry,
                         adead_failure *failure)
{
    uint32_t *words = device->host.allocate(device->host.context, (size_t)size);
    if (!words) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for a shader");
    memcpy(words, spirv, (size_t)size);
    VkResult result = adead_vk_make_layouts(device, shader->facts.used, shader->facts.push_bytes, &shader->set_layout,
                                            &shader->layout);
    if (result == VK_SUCCESS)
        result = adead_vk_make_sets(device, shader->set_layout, ADEAD_SHADER_BINDINGS, SETS, &shader->pool, shader->sets);
    if (result == VK_SUCCESS)
        result = adead_vk_make_pipeline(device, shader->layout, words, (size_t)size, entry, NULL, &shader->pipeline);
    device->host.release(device->host.context, words, (size_t)size);
    return adead_vk_check(device, result, "take the shader", failure);
}

adead_status adead_vk_load_shader(adead_device *opaque, const void *spirv, uint64_t size, const char *entry,
                                  adead_device_shader **out, adead_shader_facts *facts, adead_failure *failure)
{
    adead_vk        *device = (adead_vk *)opaque;
    adead_reflection r;
    adead_status     status = adead_spirv_reflect(spirv, size, entry, &device->host, &r, failure);
    if (!status) status = check_device(device, &r, failure);
    if (status) return status;
    adead_device_shader *shader = device->host.allocate(device->host.context, sizeof *shader);
    if (!shader) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for a shader");
    shader->facts = r.facts;
    status = make(device, shader, spirv, size, entry, failure);
    if (status) {
        adead_vk_free_shader(opaque, shader);
        return status;
    }
    *facts = r.facts;
    *out = shader;
    return ADEAD_OK;
}

void adead_vk_free_shader(adead_device *opaque, adead_device_shader *shader)
{
    adead_vk *device = (adead_vk *)opaque;
    uint64_t  last = 0;
    for (uint32_t i = 0; i < SETS; i++) last = adead_max_u64(last, shader->used[i]);
    if (last > device->done) adead_vk_wait(device, NULL);
    if (device->bound == shader->pipeline) device->bound = VK_NULL_HANDLE;
    if (shader->pipeline) device->call.vkDestroyPipeline(device->device, shader->pipeline, NULL);
    if (shader->pool) device->call.vkDestroyDescriptorPool(device->device, shader->pool, NULL);
    if (shader->layout) device->call.vkDestroyPipelineLayout(device->device, shader->layout, NULL);
    if (shader->set_layout) device->call.vkDestroyDescriptorSetLayout(device->device, shader->set_layout, NULL);
    device->host.release(device->host.context, shader, sizeof *shader);
}

/* ---- Dispatches ---- */

static void fill_set(adead_vk *device, const adead_device_shader *shader, VkDescriptorSet set,
                     const adead_shader_dispatch *dispatch)
{
    VkDescriptorBufferInfo infos[ADEAD_SHADER_BINDINGS];
    VkWriteDescriptorSet   writes[ADEAD_SHADER_BINDINGS];
    uint32_t               count = 0;
    for (uint32_t i = 0; i < ADEAD_SHADER_BINDINGS; i++) {
        if (!(shader->facts.used >> i & 1)) continue;
        const adead_vk_memory *memory = (const adead_vk_memory *)dispatch->bindings[i].memory;
        uint64_t               bytes = adead_max_u64(dispatch->bindings[i].bytes, 4); /* a range of none is not allowed */
        infos[count] = (VkDescriptorBufferInfo){memory->block->buffer, memory->span->offset, bytes};
        writes[count] = (VkWriteDescriptorSet){.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET, .dstSet = set,
                                               .dstBinding = i, .descriptorCount = 1,
                                               .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                               .pBufferInfo = &infos[count]};
        count++;
    }
    if (count) device->call.vkUpdateDescriptorSets(device->device, count, writes, 0, NULL);
}

adead_status adead_vk_dispatch_compute(adead_device *opaque, adead_device_shader *shader,
                                       const adead_shader_dispatch *dispatch, adead_failure *failure)
{
    adead_vk                 *device = (adead_vk *)opaque;
    const adead_shader_facts *f = &shader->facts;
    adead_vk_memory          *uses[ADEAD_SHADER_BINDINGS];
    bool                      writes[ADEAD_SHADER_BINDINGS];
    uint32_t                  count = 0;
    for (uint32_t i = 0; i < ADEAD_SHADER_BINDINGS; i++) {
        if (!(f->used >> i & 1)) continue;
        uses[count] = (adead_vk_memory *)dispatch->bindings[i].memory;
        writes[count++] = f->written >> i & 1;
    }
    adead_status status = ADEAD_OK;
    if (shader->used[shader->next] > device->done) status = adead_vk_wait(device, failure);
    if (!status) status = adead_vk_prepare(device, uses, writes, count, failure);
    if (status) return status;
    VkDescriptorSet set = shader->sets[shader->next];
    shader->used[shader->next] = device->recording;
    shader->next = (shader->next + 1) % SETS;
    fill_set(device, shader, set, dispatch);
    adead_vk_record(device, shader->pipeline, shader->layout, set, dispatch->push, f->push_bytes, dispatch->groups);
    return ADEAD_OK;
}

adead_status adead_vk_submit_recorded(adead_device *device, adead_failure *failure)
{
    return adead_vk_submit((adead_vk *)device, failure);
}
