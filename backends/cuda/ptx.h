/* The kernels as PTX, as they are in the library (ptx.inc, made of kernels/). */
#ifndef ADEAD_BACKENDS_CUDA_PTX_H
#define ADEAD_BACKENDS_CUDA_PTX_H

#include "kernels/kernels.h"

#include <stddef.h>

/* The text to take for a kernel (its name as in kernels.h) on a device of compute capability `capability` (86 is 8.6);
 * UINT32_MAX if there is none. Texts are numbered as ADEAD_CU_TEXTS lists them. */
uint32_t    adead_cu_ptx_find(const char *kernel, uint32_t capability);
const char *adead_cu_ptx_name(uint32_t text);
/* How many bytes the text has with its ending zero, and how many of room, aligned for uint32_t, adead_cu_ptx_get needs to
 * work in. */
size_t adead_cu_ptx_bytes(uint32_t text);
size_t adead_cu_ptx_room(void);
void   adead_cu_ptx_get(uint32_t text, uint8_t *room, char *to);
/* A number that changes with the texts. */
uint64_t adead_cu_ptx_fingerprint(void);

#endif
