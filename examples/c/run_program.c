/* Loads a program, gives it an input, runs it within limits, and reads an output and its digest.
 *
 *   cc run_program.c $(pkg-config --cflags --libs adead) -o run_program && ./run_program hex/programs/digits.hex
 */
#include <adead.h>
#include <stdio.h>

static int fail(const char *what)
{
    const adead_error *error = adead_last_error();
    fprintf(stderr, "%s: %s (%s)\n", what, error->message, adead_status_name(error->code));
    return 1;
}

int main(int argc, char **argv)
{
    adead_runtime  *runtime = NULL;
    adead_program  *program = NULL;
    adead_instance *instance = NULL;
    adead_limits    limits = {.size = sizeof limits, .fuel = 100000000};
    adead_tensor    logits;
    uint8_t         digest[32];
    float           image[64] = {0}; /* one blank picture of 8 x 8 */
    const uint64_t  shape[2] = {1, 64};
    int             status = 1;

    if (argc != 2) {
        fprintf(stderr, "usage: %s hex/programs/digits.hex\n", argv[0]);
        return 2;
    }
    if (adead_runtime_create(NULL, &runtime)) return fail("runtime");
    if (adead_program_load_file(runtime, argv[1], &program) || adead_instance_create(program, &limits, &instance)) {
        status = fail(argv[1]);
    } else if (adead_instance_set_input(instance, "images", ADEAD_F32, 2, shape, image) || adead_instance_run(instance) ||
               adead_instance_get_output(instance, "logits", &logits) || adead_instance_digest(instance, "logits", digest)) {
        status = fail("run");
    } else {
        const float *value = logits.data;
        printf("%s: %llu x %llu, first value %a\nsha256 ", logits.name, (unsigned long long)logits.dims[0],
               (unsigned long long)logits.dims[1], value[0]);
        for (int i = 0; i < 32; i++) printf("%02x", digest[i]);
        printf("\n");
        status = 0;
    }
    adead_instance_destroy(instance);
    adead_program_destroy(program);
    adead_runtime_destroy(runtime);
    return status;
}
