/* What the shaders (shaders/) and those who dispatch them agree on: their numbers, specialisation constants and push
 * constants. shaders/common.glsl says the same in GLSL.
 */
#ifndef ADEAD_BACKENDS_VULKAN_SHADERS_H
#define ADEAD_BACKENDS_VULKAN_SHADERS_H

#include <stdint.h>

/* SHADER(name): one a file, shaders/name.comp; what its constants and dims are is said at its beginning. */
#define ADEAD_VK_SHADERS(SHADER) \
    SHADER(map) SHADER(rows) SHADER(matmul) SHADER(matmul_i8) SHADER(dot) SHADER(move) SHADER(probe)

typedef enum adead_vk_shader {
#define SHADER(name) ADEAD_VK_SHADER_##name,
    ADEAD_VK_SHADERS(SHADER)
#undef SHADER
    ADEAD_VK_SHADER_COUNT
} adead_vk_shader;

/* How a primitive operation is computed: by the device's own instruction, or exactly by others. */
typedef enum adead_vk_path {
    ADEAD_VK_NATIVE,
    ADEAD_VK_WIDE,    /* fma alone: product and sum in f64, rounded to odd; shaders compiled with f64 */
    ADEAD_VK_INTEGERS /* in integers of 32 bits */
} adead_vk_path;

/* A pipeline is made for the paths of fma, div and sqrt, numbered 0 to 2, and for the shader's own constants, from 3 on. The
 * path of fma, and constant 4 (what the shader is), choose the module; the others are its specialisation constants. */
enum { ADEAD_VK_CONSTANTS = 8, ADEAD_VK_FIRST_CONSTANT = 3 };

/* Storage buffers: set 0, bindings 0 to 5. */
enum { ADEAD_VK_BINDINGS = 6, ADEAD_VK_DIMS = 24 };

/* Push constants: 128 bytes. */
typedef struct adead_vk_push {
    uint32_t base[ADEAD_VK_BINDINGS]; /* where each range begins, in words of 4 bytes */
    uint32_t scalar;                  /* f32 bits, or what the shader says */
    uint32_t flags;
    uint32_t dims[ADEAD_VK_DIMS];
} adead_vk_push;

#endif
