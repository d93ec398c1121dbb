/* Marking memory as forbidden under AddressSanitizer; nothing at all in other builds. */
#ifndef ADEAD_ALLOC_POISON_H
#define ADEAD_ALLOC_POISON_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define ADEAD_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADEAD_ASAN 1
#endif
#endif
#ifndef ADEAD_ASAN
#define ADEAD_ASAN 0
#endif

#if ADEAD_ASAN
/* Declared here because sanitizer/asan_interface.h is not installed with every compiler. */
void __asan_poison_memory_region(void const volatile *address, size_t size);
void __asan_unpoison_memory_region(void const volatile *address, size_t size);

static inline void adead_poison(const void *memory, size_t size) { __asan_poison_memory_region(memory, size); }
static inline void adead_unpoison(const void *memory, size_t size) { __asan_unpoison_memory_region(memory, size); }
#else
static inline void adead_poison(const void *memory, size_t size) { (void)memory, (void)size; }
static inline void adead_unpoison(const void *memory, size_t size) { (void)memory, (void)size; }
#endif

#endif
