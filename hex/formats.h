/* What the files of this folder share: the readers and writers behind image.c, growing lists, and checks of single items.
 *
 * A reader gets an image whose arena is open and whose format is set; on failure its caller closes the image. Checks fill
 * the failure's code and sentence; the caller, who knows where the item stood, adds the position.
 */
#ifndef ADEAD_HEX_FORMATS_H
#define ADEAD_HEX_FORMATS_H

#include "image.h"
#include "out.h"

#include "opcodes/opcodes.h"
#include "vm/base/base.h"

/* Passes a failure up. */
#define ADEAD_TRY(call)                                 \
    do {                                                \
        adead_status try_status = (call);               \
        if (try_status != ADEAD_OK) return try_status;  \
    } while (0)

#define ADEAD_MAX_ADDRESS (UINT64_C(1) << 40) /* linear memory ends here at the latest; above it lie the buffers */
#define ADEAD_LEGACY_MEMORY (UINT64_C(256) << 20) /* what a legacy program has when it becomes a version-2 program */

enum {
    ADEAD_MAX_BUFFERS = 1024, /* buffer numbers are below this */
    ADEAD_AGPU_HEADER = 8,
    ADEAD_AHYB_HEADER = 24,
    ADEAD_TEXT_COLUMN = 40 /* instruction bytes of a text line are padded to this */
};

/* ---- Readers and writers (one file each) ---- */

adead_status adead_read_agpu(adead_image *image, const uint8_t *bytes, uint64_t size, adead_failure *failure);
adead_status adead_read_text1(adead_image *image, const uint8_t *bytes, uint64_t size, adead_failure *failure);
adead_status adead_read_ahyb(adead_image *image, const uint8_t *bytes, uint64_t size, adead_failure *failure);
adead_status adead_read_container(adead_image *image, const uint8_t *bytes, uint64_t size, adead_failure *failure);
adead_status adead_read_container_text(adead_image *image, const uint8_t *bytes, uint64_t size, adead_failure *failure);

adead_status adead_write_agpu(const adead_image *image, adead_out *out, adead_failure *failure);
adead_status adead_write_text1(const adead_image *image, adead_out *out, adead_failure *failure);
adead_status adead_write_ahyb(const adead_image *image, adead_out *out, adead_failure *failure);
adead_status adead_write_container(const adead_image *image, adead_out *out, adead_failure *failure);
adead_status adead_write_container_text(const adead_image *image, adead_out *out, adead_failure *failure);

/* The AGPU program at `bytes`, which lies `base` bytes into its file: the code goes to the image. */
adead_status adead_read_agpu_at(adead_image *image, const uint8_t *bytes, uint64_t size, uint64_t base,
                                adead_failure *failure);
/* The number of instructions, if an AGPU program can hold them; and the program, header and code. */
adead_status adead_count_agpu(const adead_image *image, uint64_t *count, adead_failure *failure);
void         adead_write_program(const adead_image *image, uint64_t count, adead_out *out);
/* The number of instructions that the code is made of. Errors: WOULD_LOSE when it is not whole instructions. */
adead_status adead_count_instructions(const adead_image *image, uint64_t *count, adead_failure *failure);
/* Whether a format that carries code alone can hold the image; AHYB holds data at address 0 as well. */
adead_status adead_check_legacy(const adead_image *image, bool data_too, adead_failure *failure);

/* The memory a version-2 container of this image declares. */
static inline uint64_t adead_declared_initial(const adead_image *image)
{
    return adead_image_is_legacy(image) ? ADEAD_LEGACY_MEMORY : image->memory_initial;
}
static inline uint64_t adead_declared_maximum(const adead_image *image)
{
    return adead_image_is_legacy(image) ? ADEAD_LEGACY_MEMORY : image->memory_maximum;
}

/* ---- Growing lists ---- */

adead_status adead_no_memory(adead_failure *failure);
/* Room for one more item behind `count` items of `size` bytes: the list, moved if it was full, or NULL. The capacity follows
 * from the count (powers of two from 8), so nothing remembers it; the arena keeps at most the list's size in old copies. */
void *adead_list_room(adead_arena *arena, void *items, uint32_t count, size_t size);

/* Bytes that grow. */
typedef struct adead_bytes { adead_arena *arena; uint8_t *data; uint64_t size, capacity; } adead_bytes;
/* Room for `more` bytes, which the caller fills, counted as part of the size; or NULL. */
uint8_t *adead_bytes_room(adead_bytes *bytes, uint64_t more);

/* Sorts in place in n log n steps at worst, whatever the input; not stable. */
typedef int (*adead_order)(const void *a, const void *b);
void adead_sort(void *items, uint32_t count, size_t size, adead_order order);

/* ---- Checks of single items (check.c) ---- */

bool         adead_name_valid(const char *name, uint64_t length);
adead_status adead_check_name(const char *name, uint64_t length, const char *what, adead_failure *failure);
adead_status adead_check_memory(uint64_t initial, uint64_t maximum, adead_failure *failure);
/* `previous` is the segment before, or NULL. */
adead_status adead_check_segment(const adead_segment *segment, const adead_segment *previous, adead_failure *failure);
adead_status adead_check_port(const adead_port *port, const adead_port *earlier, uint32_t count, adead_failure *failure);
/* The default's dims against the declared ones; its size in bytes goes to *size. */
adead_status adead_check_default(const adead_port *port, uint64_t *size, adead_failure *failure);
adead_status adead_check_import(const char *text, uint64_t length, const char *what, adead_failure *failure);
adead_status adead_check_debug_name(const adead_name *name, const adead_name *previous, adead_failure *failure);
/* By kind, value, name. */
int adead_compare_names(const void *a, const void *b);
/* Gives a failure that a check has made its place. */
adead_status adead_locate(adead_failure *failure, adead_status status, uint64_t offset, uint32_t line, uint32_t column);

/* A name for messages: at most 60 bytes of it, quoted where it is used. */
#define ADEAD_SHOW(name, length) (int)((length) < 60 ? (length) : 60), (name)

#endif
