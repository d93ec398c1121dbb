/* What a user's compute shader says about itself: reads a SPIR-V module of untrusted bytes, without any driver.
 *
 * Taken are modules of version 1.0 to 1.3 for Vulkan 1.1 that compute on storage buffers of set 0 and push constants, and
 * use nothing else of the outside. Everything around the functions is checked, in the order that the format prescribes; the
 * instructions inside of functions are not: those are between the compiler that made the module and the driver.
 */
#ifndef ADEAD_BACKENDS_VULKAN_REFLECT_H
#define ADEAD_BACKENDS_VULKAN_REFLECT_H

#include "vm/backend.h"

enum { ADEAD_SPIRV_BYTES_MAX = 1 << 20, ADEAD_SPIRV_IDS_MAX = 1 << 18 };

/* CAPABILITY(value, name, need): the capabilities a module may declare, and what the device must have for them. */
#define ADEAD_SPIRV_CAPABILITIES(CAPABILITY)                      \
    CAPABILITY(0, Matrix, NOTHING)                                \
    CAPABILITY(1, Shader, NOTHING)                                \
    CAPABILITY(9, Float16, FLOAT16)                               \
    CAPABILITY(10, Float64, FLOAT64)                              \
    CAPABILITY(11, Int64, INT64)                                  \
    CAPABILITY(22, Int16, INT16)                                  \
    CAPABILITY(39, Int8, INT8)                                    \
    CAPABILITY(61, GroupNonUniform, SUBGROUP_BASIC)               \
    CAPABILITY(62, GroupNonUniformVote, SUBGROUP_VOTE)            \
    CAPABILITY(63, GroupNonUniformArithmetic, SUBGROUP_ARITHMETIC) \
    CAPABILITY(64, GroupNonUniformBallot, SUBGROUP_BALLOT)        \
    CAPABILITY(65, GroupNonUniformShuffle, SUBGROUP_SHUFFLE)      \
    CAPABILITY(66, GroupNonUniformShuffleRelative, SUBGROUP_SHUFFLE_RELATIVE) \
    CAPABILITY(67, GroupNonUniformClustered, SUBGROUP_CLUSTERED)  \
    CAPABILITY(68, GroupNonUniformQuad, SUBGROUP_QUAD)            \
    CAPABILITY(4433, StorageBuffer16BitAccess, STORAGE_16)        \
    CAPABILITY(4434, UniformAndStorageBuffer16BitAccess, UNIFORM_16) \
    CAPABILITY(4435, StoragePushConstant16, PUSH_16)              \
    CAPABILITY(4448, StorageBuffer8BitAccess, STORAGE_8)          \
    CAPABILITY(4449, UniformAndStorageBuffer8BitAccess, UNIFORM_8) \
    CAPABILITY(4450, StoragePushConstant8, PUSH_8)

/* Bits of `needs`. */
enum {
    ADEAD_SPIRV_NOTHING = 0,
    ADEAD_SPIRV_FLOAT16 = 1 << 0,
    ADEAD_SPIRV_FLOAT64 = 1 << 1,
    ADEAD_SPIRV_INT64 = 1 << 2,
    ADEAD_SPIRV_INT16 = 1 << 3,
    ADEAD_SPIRV_INT8 = 1 << 4,
    ADEAD_SPIRV_SUBGROUP_BASIC = 1 << 5, /* in the order of VkSubgroupFeatureFlagBits */
    ADEAD_SPIRV_SUBGROUP_VOTE = 1 << 6,
    ADEAD_SPIRV_SUBGROUP_ARITHMETIC = 1 << 7,
    ADEAD_SPIRV_SUBGROUP_BALLOT = 1 << 8,
    ADEAD_SPIRV_SUBGROUP_SHUFFLE = 1 << 9,
    ADEAD_SPIRV_SUBGROUP_SHUFFLE_RELATIVE = 1 << 10,
    ADEAD_SPIRV_SUBGROUP_CLUSTERED = 1 << 11,
    ADEAD_SPIRV_SUBGROUP_QUAD = 1 << 12,
    ADEAD_SPIRV_STORAGE_16 = 1 << 13,
    ADEAD_SPIRV_UNIFORM_16 = 1 << 14,
    ADEAD_SPIRV_PUSH_16 = 1 << 15,
    ADEAD_SPIRV_STORAGE_8 = 1 << 16,
    ADEAD_SPIRV_UNIFORM_8 = 1 << 17,
    ADEAD_SPIRV_PUSH_8 = 1 << 18
};

typedef struct adead_reflection {
    adead_shader_facts facts;        /* but groups_max and bytes_max, which are the device's */
    uint32_t           needs;        /* ADEAD_SPIRV_... */
    uint64_t           shared_bytes; /* of a workgroup, at least */
} adead_reflection;

/* Errors: BAD_SHADER with the byte offset of the instruction, TOO_LARGE, NO_MEMORY. */
adead_status adead_spirv_reflect(const void *spirv, uint64_t size, const char *entry, const adead_host *host,
                                 adead_reflection *reflection, adead_failure *failure);
/* "Float64", the name of the first capability that needs one of these bits. */
const char *adead_spirv_need_name(uint32_t needs);

#endif
