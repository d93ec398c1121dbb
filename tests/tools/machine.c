/* The machine alone, for measuring its size: layers 0 to 3 linked into a program that reads a file in any format, verifies
 * it and runs it. No backend, so tensor instructions and buffers fail; no assembler, no writers of other formats.
 *
 *   machine FILE       exit code 0, or the failure's class
 */
#include "vm/vm.h"

#include <stdio.h>

enum { LARGEST = 16 << 20 };

static adead_status no_memory(adead_device *device, uint64_t bytes, adead_memory **memory, adead_failure *failure)
{
    (void)device, (void)bytes, (void)memory;
    return adead_fail(failure, ADEAD_BACKEND_UNAVAILABLE, ADEAD_NO_OFFSET, "there is no backend");
}

static adead_status no_operation(adead_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    (void)device, (void)op;
    return adead_fail(failure, ADEAD_BACKEND_UNAVAILABLE, ADEAD_NO_OFFSET, "there is no backend");
}

static const adead_backend none = {
    .interface = ADEAD_BACKEND_INTERFACE, .size = sizeof none, .name = "none", .alloc = no_memory, .run = no_operation};

static bool print(void *context, const void *bytes, uint64_t size) { return fwrite(bytes, 1, size, context) == size; }

static adead_status run(const adead_image *image, adead_failure *failure)
{
    adead_code    *code = NULL;
    adead_machine *machine = NULL;
    adead_status   status = adead_code_create(image, &adead_host_default, &code, failure);
    if (!status)
        status = adead_machine_create(code, &adead_machine_limits_default, &none, NULL, &none, NULL, &adead_host_default,
                                      &machine, failure);
    if (!status) {
        adead_machine_set_stream(machine, print, stdout);
        status = adead_machine_run(machine, failure);
    }
    adead_machine_destroy(machine);
    adead_code_destroy(code);
    return status;
}

int main(int argc, char **argv)
{
    static char   bytes[LARGEST];
    adead_image   image;
    adead_failure failure = {0};
    FILE         *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!file) return 5;
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    adead_status status = adead_image_read(&image, bytes, size, &adead_host_default, &failure);
    if (!status) {
        status = run(&image, &failure);
        adead_image_close(&image);
    }
    if (status) fprintf(stderr, "%s\n", failure.message);
    return (int)status / 100;
}
