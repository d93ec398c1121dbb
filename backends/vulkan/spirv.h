/* The shaders as SPIR-V, as they are in the library (spirv.inc, made from shaders/). */
#ifndef ADEAD_BACKENDS_VULKAN_SPIRV_H
#define ADEAD_BACKENDS_VULKAN_SPIRV_H

#include "shaders.h"

/* The module of a shader being that (`what`, constant 4) with that path of fma; UINT32_MAX if there is none. */
uint32_t adead_vk_spirv_find(adead_vk_shader shader, uint32_t what, adead_vk_path fma);
/* How many words it has at most, and how many bytes of room adead_vk_spirv_get needs to work in. */
uint32_t adead_vk_spirv_words(uint32_t module);
uint32_t adead_vk_spirv_room(void);
/* Gives the module's words, and how many they are. */
uint32_t adead_vk_spirv_get(uint32_t module, uint8_t *room, uint32_t *words);
/* A number that changes with the modules. */
uint64_t adead_vk_spirv_fingerprint(void);

#endif
