/* A program that calls its host: the host registers a function under a name that the program imports, gets typed values, and
 * calls a function of the program back. Without the registration the program does not start.
 */
#include <adead.h>

#include <stdio.h>
#include <string.h>

static const char source[] =
    ".memory 4KiB\n"
    ".import \"host!sum\" \"f64(ptr,fn:f64(f64))\"\n"
    ".table  square\n"
    ".output result f64[] at 0\n"
    ".data   0x100\n"
    "values: .f64 1, 2, 3, 4\n"
    "main:   .func\n"
    "        i64.const r1, values\n"
    "        i64.const r2, 32\n"
    "        i64.const r3, 0\n"
    "        call.foreign \"host!sum\", r1\n"
    "        store64 r1, r0, 0\n"
    "        halt\n"
    "square: .func params=1 results=1\n"
    "        f64.mul r0, r0, r0\n"
    "        return\n";

/* The sum of what the program's function makes of each value. */
static int sum(void *context, adead_foreign_call *call, const adead_foreign_value *arguments, uint32_t count,
               adead_foreign_value *result)
{
    const double       *values = arguments[0].data;
    adead_foreign_value value = {0}, made;
    (void)context;
    (void)count;
    if (arguments[0].bytes % sizeof *values != 0) return adead_foreign_fail(call, "these are no whole numbers of f64");
    value.kind = ADEAD_FOREIGN_F64;
    for (uint64_t i = 0; i < arguments[0].bytes / sizeof *values; i++) {
        value.f64 = values[i];
        int status = adead_foreign_call_back(call, 1, &value, 1, &made);
        if (status != ADEAD_OK) return status;
        result->f64 += made.f64;
    }
    return ADEAD_OK;
}

static int fail(void)
{
    fprintf(stderr, "%s: %s\n", adead_status_name(adead_last_error()->code), adead_last_error()->message);
    return 1;
}

int main(void)
{
    adead_runtime  *runtime = NULL;
    adead_program  *program = NULL;
    adead_instance *instance = NULL;
    adead_tensor    value;
    double          result;
    if (adead_runtime_create(NULL, &runtime) != ADEAD_OK) return fail();
    if (adead_program_assemble(runtime, source, sizeof source - 1, &program) != ADEAD_OK) return fail();
    if (adead_instance_create(program, NULL, &instance) != ADEAD_OK) return fail();
    printf("%s %s\n", adead_program_import(program, 0), adead_program_import_signature(program, 0));
    if (adead_instance_run(instance) != ADEAD_IMPORT_MISSING) return 1; /* nothing is granted yet */
    if (adead_instance_set_foreign(instance, "host!sum", sum, NULL) != ADEAD_OK) return fail();
    if (adead_instance_run(instance) != ADEAD_OK) return fail();
    if (adead_instance_get_output(instance, "result", &value) != ADEAD_OK) return fail();
    memcpy(&result, value.data, sizeof result);
    printf("%g\n", result);
    adead_instance_destroy(instance);
    adead_program_destroy(program);
    adead_runtime_destroy(runtime);
    return 0;
}
