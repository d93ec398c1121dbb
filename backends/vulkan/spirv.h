/* The shaders as SPIR-V, as they are in the library (spirv.inc, made from shaders/). */
#ifndef ADEAD_BACKENDS_VULKAN_SPIRV_H
#define ADEAD_BACKENDS_VULKAN_SPIRV_H

#include "shaders.h"

#include <stdbool.h>

/* How many words a shader has, compiled for devices with f64 or for those without. */
uint32_t adead_vk_spirv_words(adead_vk_shader shader, bool float64);
/* Bytes of room that adead_vk_spirv_get needs to work in. */
uint32_t adead_vk_spirv_room(void);
void     adead_vk_spirv_get(adead_vk_shader shader, bool float64, uint8_t *room, uint32_t *words);

#endif
