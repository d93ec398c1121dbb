/* The sample programs from C; the same program stands beside this file in the other languages.
 *
 *   digests BACKEND IMAGES.npy PROGRAM...      in the root of the checkout; PROGRAM is NAME of hex/programs/NAME.hex
 *
 * Prints `DIGEST  PROGRAM/OUTPUT` for each output and for what the program writes ("stream"), then the digits of IMAGES.
 */
#include "ffi/include/adead.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct bytes { unsigned char *data; size_t size; } bytes;

static int append(void *context, const void *data, size_t size)
{
    bytes         *to = context;
    unsigned char *grown = realloc(to->data, to->size + size + 1);
    if (!grown) return 1;
    to->data = grown;
    if (size) memcpy(grown + to->size, data, size);
    to->size += size;
    return 0;
}

static void show(const unsigned char digest[32], const char *program, const char *output)
{
    for (int i = 0; i < 32; i++) printf("%02x", digest[i]);
    printf("  %s/%s\n", program, output);
}

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, adead_last_error()->message);
    return 1;
}

/* One program; with images, those are the input of that name, and only the output "logits" is shown. */
static int run(adead_runtime *runtime, const char *name, const bytes *images)
{
    char               path[512];
    bytes              stream = {0};
    unsigned char      digest[32];
    adead_program     *program = NULL;
    adead_instance    *instance = NULL;
    adead_program_info info = {.size = sizeof info};
    snprintf(path, sizeof path, "hex/programs/%s.hex", name);
    if (adead_program_load_file(runtime, path, &program)) return fail(name);
    if (adead_instance_create(program, NULL, &instance)) return fail(name);
    if (images) {
        const unsigned char *start = images->data + 10 + images->data[8] + 256 * images->data[9];
        uint64_t dims[2] = {(uint64_t)(images->data + images->size - start) / 256, 64};
        if (adead_instance_set_input(instance, "images", ADEAD_F32, 2, dims, start)) return fail(name);
    }
    if (adead_instance_set_stream(instance, append, &stream) || adead_instance_run(instance)) return fail(name);
    if (adead_program_get_info(program, &info)) return fail(name);
    for (uint32_t i = 0; i < info.outputs; i++) {
        adead_tensor output;
        if (adead_program_output(program, i, &output)) return fail(name);
        if (adead_instance_digest(instance, output.name, digest)) return fail(name);
        show(digest, images ? "heldout" : name, output.name);
    }
    adead_sha256_digest(stream.data, stream.size, digest);
    if (!images) show(digest, name, "stream");
    free(stream.data);
    adead_instance_destroy(instance);
    adead_program_destroy(program);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    adead_runtime_options options = {.size = sizeof options, .backend = argv[1]};
    adead_runtime        *runtime = NULL;
    bytes                 images = {0};
    unsigned char         part[4096];
    FILE                 *file = fopen(argv[2], "rb");
    if (!file) return 1;
    for (size_t n; (n = fread(part, 1, sizeof part, file)) > 0;) append(&images, part, n);
    fclose(file);
    if (images.size < 10 || adead_runtime_create(&options, &runtime)) return fail(argv[1]);
    for (int i = 3; i < argc; i++)
        if (run(runtime, argv[i], NULL)) return 1;
    if (run(runtime, "digits", &images)) return 1;
    free(images.data);
    adead_runtime_destroy(runtime);
    return 0;
}
