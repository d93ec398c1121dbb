/* The public header alone, as a program of strict C99 sees it: it includes nothing else of this project, not even the test
 * harness (which is newer C), and prints the harness's lines itself. Compiles with -std=c99 -pedantic, and as C++.
 */
#include "ffi/include/adead.h"

#include <stdio.h>
#include <string.h>

static int passed, failed;

static void check(int good, const char *name)
{
    printf("%s header.%s\n", good ? "PASS" : "FAIL", name);
    if (good) passed++;
    else failed++;
}

static int count_bytes(void *context, const void *bytes, size_t size)
{
    (void)bytes;
    *(size_t *)context += size;
    return 0;
}

/* Every struct can be declared, zeroed and given its size. */
static int structs(void)
{
    adead_runtime_options runtime_options;
    adead_backend_info    backend_info;
    adead_program_info    program_info;
    adead_limits          limits;
    adead_profile_row     row;
    adead_tensor          tensor;
    memset(&runtime_options, 0, sizeof runtime_options);
    memset(&backend_info, 0, sizeof backend_info);
    memset(&program_info, 0, sizeof program_info);
    memset(&limits, 0, sizeof limits);
    memset(&row, 0, sizeof row);
    memset(&tensor, 0, sizeof tensor);
    runtime_options.size = (uint32_t)sizeof runtime_options;
    backend_info.size = (uint32_t)sizeof backend_info;
    program_info.size = (uint32_t)sizeof program_info;
    limits.size = (uint32_t)sizeof limits;
    row.size = (uint32_t)sizeof row;
    return runtime_options.size && backend_info.size && program_info.size && limits.size && row.size &&
           sizeof tensor.dims / sizeof tensor.dims[0] == ADEAD_RANK_MAX;
}

/* From text to answer with what the header offers. */
static int whole_path(void)
{
    static const char source[] = ".memory 4KiB\n.output o i64[] at 8\n  i64.const r0, 42\n  store64 r0, r1, 8\n  halt\n";
    adead_runtime    *runtime = NULL;
    adead_program    *program = NULL;
    adead_instance   *instance = NULL;
    adead_tensor      value;
    uint8_t           digest[32];
    size_t            written = 0;
    int               good;
    int64_t           answer = 0;
    good = adead_runtime_create(NULL, &runtime) == ADEAD_OK;
    good = good && adead_program_assemble(runtime, source, sizeof source - 1, &program) == ADEAD_OK;
    good = good && adead_program_write(program, ADEAD_PROGRAM_BINARY, count_bytes, &written) == ADEAD_OK && written > 0;
    good = good && adead_instance_create(program, NULL, &instance) == ADEAD_OK;
    good = good && adead_instance_run(instance) == ADEAD_OK;
    good = good && adead_instance_get_output(instance, "o", &value) == ADEAD_OK && value.bytes == sizeof answer;
    good = good && adead_instance_digest(instance, NULL, digest) == ADEAD_OK;
    if (good) memcpy(&answer, value.data, sizeof answer);
    adead_runtime_destroy(runtime);
    adead_program_destroy(program);
    adead_instance_destroy(instance);
    return good && answer == 42;
}

/* The simple calls, in the order of their documentation. */
static int simple_calls(void)
{
    const float a[4] = {1, 2, 3, 4}, b[4] = {1, 0, 0, 1};
    float       c[4];
    int         good = adead_init(ADEAD_AUTO) == ADEAD_OK;
    void       *memory = adead_alloc(100);
    good = good && memory && adead_free(memory) == ADEAD_OK;
    good = good && adead_matmul(a, b, c, 2, 2, 2) == ADEAD_OK && memcmp(a, c, sizeof a) == 0;
    good = good && adead_softmax(a, c, 2, 2) == ADEAD_OK && adead_relu(c, c, 4) == ADEAD_OK;
    const int init = adead_vulkan_init(); /* there may be a device */
    good = good && (init == ADEAD_BACKEND_UNAVAILABLE || init == ADEAD_OK);
    uint32_t shader = 0;
    good = good && adead_vulkan_load_shader(a, sizeof a, NULL, &shader) == (init ? ADEAD_INVALID_STATE : ADEAD_BAD_SHADER);
    const int without = init ? ADEAD_INVALID_STATE : ADEAD_INVALID_ARGUMENT;
    good = good && adead_vulkan_bind(shader, 0, c, sizeof c) == without && adead_vulkan_push(shader, a, 4) == without;
    good = good && adead_vulkan_compute(shader, 1, 1, 1) == without;
    return adead_shutdown() == ADEAD_OK && good;
}

static int constants(void)
{
    return ADEAD_OK == 0 && ADEAD_CANNOT_WRITE == 601 && ADEAD_F32 == 0 && ADEAD_U8 == 4 && ADEAD_CPU == 0 &&
           ADEAD_CUDA == 1 && ADEAD_VULKAN == 2 && ADEAD_AUTO == 255 && ADEAD_PROGRAM_AGPU == 1 && ADEAD_PROGRAM_TEXT == 5 &&
           ADEAD_NO_OFFSET == UINT64_MAX && strcmp(adead_version(), ADEAD_VERSION) == 0;
}

int main(void)
{
    check(structs(), "structs");
    check(constants(), "constants");
    check(whole_path(), "whole_path");
    check(simple_calls(), "simple_calls");
    printf("header: %d passed, %d failed, 0 skipped\n", passed, failed);
    return failed != 0;
}
