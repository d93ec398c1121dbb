/* What an open device holds, for the files that make it work: device.c, memory.c, pipelines.c and commands.c. Others see
 * device.h alone.
 *
 * Time is counted in submissions: `recording` is the number of the one that is being recorded, `done` the last one known to
 * have run. What a submission uses is kept until it has run: memory that is freed meanwhile is given back then.
 */
#ifndef ADEAD_BACKENDS_VULKAN_COMMANDS_H
#define ADEAD_BACKENDS_VULKAN_COMMANDS_H

#include "attest.h"
#include "backends/spans.h"
#include "device.h"
#include "loader.h"

enum {
    ADEAD_VK_FRAMES = 2,         /* one is recorded while the other runs */
    ADEAD_VK_FRAME_SETS = 256,   /* dispatches of one submission */
    ADEAD_VK_SETS_MAX = ADEAD_VK_FRAMES * ADEAD_VK_FRAME_SETS, /* that adead_vk_make_sets makes at once */
    ADEAD_VK_PIPELINE_SLOTS = 1024,
    ADEAD_VK_STAGING = 4 << 20   /* bytes of a frame that go to or from memory which the host cannot see */
};

/* ---- Memory ---- */

/* One allocation of the driver with one VkBuffer over it. */
typedef struct adead_vk_block {
    struct adead_vk_block *next;
    VkDeviceMemory         memory;
    VkBuffer               buffer;
    uint64_t               bytes;
    uint8_t               *mapped; /* NULL: the host cannot see it */
    adead_span            *spans;
} adead_vk_block;

typedef struct adead_vk_memory {
    adead_memory            memory; /* first: what the machine sees; `host` is NULL */
    adead_vk_block         *block;
    adead_span             *span;
    uint64_t                last_use;       /* the submission that last used it */
    uint64_t                written, read;  /* the last step (commands.c) that did */
    struct adead_vk_memory *next;           /* in the list of those that wait to be given back, or of scratch */
} adead_vk_memory;

/* ---- Commands ---- */

typedef struct adead_vk_frame {
    VkCommandBuffer  commands;
    VkFence          fence;
    VkDescriptorSet *sets; /* ADEAD_VK_FRAME_SETS */
    uint32_t         sets_used;
    uint64_t         submission; /* that it was last used for; 0: none */
} adead_vk_frame;

typedef struct adead_vk_pipeline {
    uint32_t   shader, constants[ADEAD_VK_FIRST_CONSTANT + ADEAD_VK_CONSTANTS]; /* the paths, then the shader's own */
    VkPipeline pipeline; /* VK_NULL_HANDLE: the slot is free */
} adead_vk_pipeline;

struct adead_vk {
    adead_host               host;
    const adead_vk_driver   *driver;
    const adead_vk_physical *physical;
    adead_vk_device_calls    call;
    VkDevice                 device;
    VkQueue                  queue;
    adead_vk_facts           facts;
    adead_vk_report          report;        /* of the probe */
    bool                     wide;          /* shaders may compute in f64 and i64 */
    uint32_t                 user_needs;    /* what users' shaders may have: bits of reflect.h */
    bool                     lost;          /* the device is of no use any more */
    VkPhysicalDeviceFloatControlsProperties controls; /* all false where the device does not say */

    /* memory.c */
    adead_vk_block  *blocks;
    uint32_t         memory_type, staging_type;
    uint64_t         alignment;  /* of what is bound */
    adead_vk_memory *freed;      /* used by submissions that have not run yet */
    adead_vk_memory *scratch;    /* of the operation that is recorded */
    adead_vk_block  *staging;    /* NULL where memory is seen by the host */
    uint64_t         staged;     /* bytes of the frame's part in use */
    adead_records    span_records, memory_records;
    adead_vk_memory *dummy;      /* bound where a shader has a binding that it does not use */

    /* pipelines.c */
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout      layout;
    VkPipelineCache       cache;
    adead_vk_pipeline    *pipelines; /* ADEAD_VK_PIPELINE_SLOTS, hashed */
    uint32_t              pipeline_count;

    /* commands.c */
    VkCommandPool    command_pool;
    VkDescriptorPool set_pool;
    adead_vk_frame   frames[ADEAD_VK_FRAMES];
    adead_vk_frame  *frame;             /* being recorded; NULL: nothing is */
    uint64_t         recording, done;   /* submissions */
    uint64_t         step, barrier;     /* commands recorded so far; the step of the last barrier */
    VkPipeline       bound;
    uint64_t         submissions, dispatches, barriers; /* counted for tests and --profile */
};

/* An error of the driver as BACKEND_FAILED or NO_MEMORY; `doing` completes "Vulkan cannot ...". */
adead_status adead_vk_check(adead_vk *device, VkResult result, const char *doing, adead_failure *failure);

/* device.c */
adead_status adead_vk_open(const adead_device_options *options, adead_vk **device, adead_failure *failure);
void         adead_vk_close(adead_vk *device);

/* memory.c */
adead_status adead_vk_memory_open(adead_vk *device, adead_failure *failure);
void         adead_vk_memory_close(adead_vk *device);
/* `bytes` > 0 bytes with whatever is in them; given back when what was recorded with it has run. */
adead_status adead_vk_memory_new(adead_vk *device, uint64_t bytes, adead_vk_memory **memory, adead_failure *failure);
void         adead_vk_memory_free(adead_vk *device, adead_vk_memory *memory);
/* Gives back what waited for submissions up to `done`. */
void         adead_vk_memory_collect(adead_vk *device);
static inline bool adead_vk_idle(const adead_vk *device, const adead_vk_memory *memory)
{
    return memory->last_use <= device->done;
}

/* pipelines.c. What own and users' pipelines have in common: layouts for the storage buffers of the bits of `bindings` in
 * set 0 and for so many bytes of push constants; `count` sets of such a layout out of a pool of their own; a pipeline. What
 * was made before a failure is the caller's to destroy. */
VkResult adead_vk_make_layouts(adead_vk *device, uint32_t bindings, uint32_t push_bytes, VkDescriptorSetLayout *set_layout,
                               VkPipelineLayout *layout);
VkResult adead_vk_make_sets(adead_vk *device, VkDescriptorSetLayout set_layout, uint32_t bindings, uint32_t count,
                            VkDescriptorPool *pool, VkDescriptorSet *sets);
VkResult adead_vk_make_pipeline(adead_vk *device, VkPipelineLayout layout, const uint32_t *words, size_t bytes,
                                const char *entry, const VkSpecializationInfo *constants, VkPipeline *pipeline);
adead_status adead_vk_pipelines_open(adead_vk *device, adead_failure *failure);
void         adead_vk_pipelines_close(adead_vk *device);
adead_status adead_vk_pipeline_get(adead_vk *device, adead_vk_shader shader, const uint32_t constants[ADEAD_VK_CONSTANTS],
                                   VkPipeline *pipeline, adead_failure *failure);

/* commands.c */
adead_status adead_vk_commands_open(adead_vk *device, adead_failure *failure);
void         adead_vk_commands_close(adead_vk *device);
/* Submits what was recorded. */
adead_status adead_vk_submit(adead_vk *device, adead_failure *failure);
/* The same, and waits until all of it has run. */
adead_status adead_vk_wait(adead_vk *device, adead_failure *failure);
/* Records a dispatch that was prepared; `push_bytes` may be 0. */
void         adead_vk_record(adead_vk *device, VkPipeline pipeline, VkPipelineLayout layout, VkDescriptorSet set,
                             const void *push, uint32_t push_bytes, const uint32_t groups[3]);
/* Makes what is recorded next see what was written, where it has to; `uses` are all memories that it reads or writes. */
adead_status adead_vk_prepare(adead_vk *device, adead_vk_memory *const *uses, const bool *writes, uint32_t count,
                              adead_failure *failure);

#endif
