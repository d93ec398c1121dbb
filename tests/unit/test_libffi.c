/* Calls into real libraries: through libffi, which is opened while the test runs, into tests/foreign/library.c (named by the
 * environment variable ADEAD_FOREIGN_LIBRARY) and the C library. And what is declared of libffi's binary interface, where
 * its header is installed.
 */
#include "ffi/internal.h"

#include "ffi/libffi.h"
#include "tests/harness/test.h"

#if defined(__has_include)
#if __has_include(<ffi.h>)
#define HAS_FFI_H 1
#include <ffi.h>
#endif
#endif

static void declarations_fit_the_header(void)
{
#ifdef HAS_FFI_H
    CHECK_EQ(ADEAD_FFI_ABI, FFI_DEFAULT_ABI);
    CHECK_EQ(ADEAD_FFI_OK, FFI_OK);
    CHECK_EQ(offsetof(adead_ffi_cif, abi), offsetof(ffi_cif, abi));
    CHECK_EQ(offsetof(adead_ffi_cif, nargs), offsetof(ffi_cif, nargs));
    CHECK_EQ(offsetof(adead_ffi_cif, arg_types), offsetof(ffi_cif, arg_types));
    CHECK_EQ(offsetof(adead_ffi_cif, rtype), offsetof(ffi_cif, rtype));
    CHECK_EQ(offsetof(adead_ffi_cif, bytes), offsetof(ffi_cif, bytes));
    CHECK_EQ(offsetof(adead_ffi_cif, flags), offsetof(ffi_cif, flags));
    CHECK(sizeof(ffi_cif) <= sizeof(adead_ffi_cif), "%d bytes", (int)sizeof(ffi_cif));
    CHECK(sizeof(ffi_closure) <= ADEAD_FFI_CLOSURE_SIZE, "%d bytes", (int)sizeof(ffi_closure));
    CHECK_EQ(sizeof(ffi_arg), 8);
    CHECK_EQ(sizeof(((ffi_cif *)0)->abi), sizeof(((adead_ffi_cif *)0)->abi));
#else
    SKIP("cannot run: ffi.h is not installed (Debian: apt-get install libffi-dev)");
#endif
}

/* ---- Programs that call ---- */

static adead_runtime  *runtime;
static adead_program  *program;
static adead_instance *instance;

static const char *library(void) { return getenv("ADEAD_FOREIGN_LIBRARY"); }

static void close_all(void)
{
    adead_instance_destroy(instance);
    adead_program_destroy(program);
    adead_runtime_destroy(runtime);
    instance = NULL;
    program = NULL;
    runtime = NULL;
}

/* Assembles and grants all of "test" by path and of "c" by name; says in the test what fails. */
static bool open_program(const char *source, bool libc)
{
    adead_runtime_options options = {.size = sizeof options, .backend = "ref"};
    bool good = adead_runtime_create(&options, &runtime) == ADEAD_OK &&
                adead_program_assemble(runtime, source, strlen(source), &program) == ADEAD_OK &&
                adead_instance_create(program, NULL, &instance) == ADEAD_OK &&
                adead_instance_allow_foreign(instance, libc ? "c!*" : "test!*", libc ? NULL : library()) == ADEAD_OK;
    if (!good) test_report(__FILE__, __LINE__, "%s", adead_last_error()->message);
    return good;
}

static int64_t memory_i64(uint64_t address)
{
    int64_t value = -1;
    adead_instance_read_memory(instance, address, &value, sizeof value);
    return value;
}

#define NEEDS_LIBRARY()                                                                                                  \
    adead_libffi *check_ffi = NULL;                                                                                      \
    adead_failure check_failure;                                                                                         \
    if (!library()) SKIP("the environment variable ADEAD_FOREIGN_LIBRARY does not name what was built");                 \
    if (adead_libffi_open(&adead_host_default, &check_ffi, &check_failure)) SKIP("cannot run: %s", check_failure.message); \
    adead_libffi_close(check_ffi)

#define RUNS(source, libc)                                                                                      \
    do {                                                                                                        \
        if (open_program(source, libc) && adead_instance_run(instance) != ADEAD_OK)                              \
            test_report(__FILE__, __LINE__, "%s: %s", adead_status_name(adead_last_error()->code),              \
                        adead_last_error()->message);                                                           \
        if (test_state.bad) return close_all();                                                                 \
    } while (0)
#define TRAPS(source, status, text)                                                                             \
    do {                                                                                                        \
        if (!open_program(source, false)) return close_all();                                                   \
        int check_status = adead_instance_run(instance);                                                        \
        if (check_status != ADEAD_##status || !strstr(adead_last_error()->message, text))                       \
            test_report(__FILE__, __LINE__, "%s: %s", adead_status_name(check_status), adead_last_error()->message); \
        close_all();                                                                                            \
        if (test_state.bad) return;                                                                             \
    } while (0)

static void scalars(void)
{
    NEEDS_LIBRARY();
    RUNS(".memory 64KiB\n"
         ".import \"test!negate_i32\" \"i32(i32)\"\n.import \"test!negate_i64\" \"i64(i64)\"\n"
         ".import \"test!half_f32\" \"f32(f32)\"\n.import \"test!half_f64\" \"f64(f64)\"\n"
         ".import \"test!not_a_number\" \"f32()\"\n"
         "main: .func\n  i64.const r1, 0x1234567800000005\n  call.foreign \"test!negate_i32\", r1\n  store64 r1, r0, 0\n"
         "  i64.const r1, -5000000000\n  call.foreign \"test!negate_i64\", r1\n  store64 r1, r0, 8\n"
         "  f32.const r1, 3\n  call.foreign \"test!half_f32\", r1\n  store64 r1, r0, 16\n"
         "  f64.const r1, -5\n  call.foreign \"test!half_f64\", r1\n  store64 r1, r0, 24\n"
         "  i64.const r1, -1\n  call.foreign \"test!not_a_number\", r1\n  store64 r1, r0, 32\n  halt\n", false);
    int64_t values[5];
    for (uint64_t i = 0; i < 5; i++) values[i] = memory_i64(8 * i);
    close_all();
    CHECK_EQ(values[0], 0xFFFFFFFB);
    CHECK_EQ(values[1], 5000000000);
    CHECK_EQ(values[2], 0x3FC00000);
    CHECK_EQ(values[3], 0xC004000000000000u);
    CHECK_EQ(values[4], 0x7FC00000);
}

static void more_arguments_than_registers(void)
{
    NEEDS_LIBRARY();
    RUNS(".memory 64KiB\n.data 100\n.u8 1, 2, 3, 4\n"
         ".import \"test!all_kinds\" \"f64(i32,i64,f32,f64,ptr,ref,i32,i64,f32,f64,f64,f64,f64,f64,f64,i32)\"\n"
         "main: .func regs=40\n  i32.const r1, 1\n  i64.const r2, 2\n  f32.const r3, 3\n  f64.const r4, 4\n"
         "  i64.const r5, 100\n  i64.const r6, 4\n  i64.const r7, 101\n  i64.const r8, 1\n"
         "  i32.const r9, -5\n  i64.const r10, 6\n  f32.const r11, 7\n  f64.const r12, 8\n  f64.const r13, 9\n"
         "  f64.const r14, 10\n  f64.const r15, 11\n  f64.const r16, 12\n  f64.const r17, 13\n  i32.const r18, 14\n"
         "  call.foreign 0, r1\n  i64.trunc_f64_s r1, r1\n  store64 r1, r0, 0\n  halt\n", false);
    int64_t value = memory_i64(0);
    close_all();
    CHECK_EQ(value, 1 + 4 + 12 + 32 + 64 + 64 - 320 + 768 + 1792 + 4096 + 9216 + 20480 + 45056 + 98304 + 212992 + 458752);
}

static void memory_and_buffers(void)
{
    NEEDS_LIBRARY();
    RUNS(".memory 64KiB\n.data 100\n.u8 1, 2, 3, 4\n"
         ".import \"test!sum_bytes\" \"i64(ptr)\"\n.import \"test!fill_bytes\" \"void(ptr,i32)\"\n"
         ".import \"test!double_floats\" \"void(buf)\"\n"
         "main: .func\n  i64.const r1, 100\n  i64.const r2, 4\n  call.foreign 0, r1\n  store64 r1, r0, 0\n"
         "  i64.const r1, 200\n  i64.const r2, 5\n  i32.const r3, 0x77\n  call.foreign 1, r1\n"
         "  i64.const r1, 65536\n  i64.const r2, 0\n  call.foreign 1, r1\n" /* a range of nothing */
         "  gpu.alloc 8, b1\n  f32.const r4, 1.5\n  store32 r4, r0, 300\n  store32 r4, r0, 304\n"
         "  gpu.copy_h2d 300, b1, 8\n  i64.const r1, 1\n  call.foreign 2, r1\n  gpu.copy_d2h b1, 300, 8\n  halt\n", false);
    int64_t sum = memory_i64(0), filled = memory_i64(200), floats = memory_i64(300);
    close_all();
    CHECK_EQ(sum, 10);
    CHECK_EQ(filled, 0x0000007777777777);
    CHECK_EQ(floats, 0x4040000040400000);
}

static void callbacks(void)
{
    NEEDS_LIBRARY();
    RUNS(".memory 64KiB\n.table square, mix, minus\n.import \"test!sum_of\" \"i64(i64,fn:i64(i64))\"\n"
         ".import \"test!mixed\" \"f64(fn:f32(i32,i64,f32,f64,ref),ref)\"\n"
         ".import \"test!call_i32\" \"i32(fn:i32(i32),i32)\"\n"
         "main: .func\n  i64.const r1, 5\n  i64.const r2, 0\n  call.foreign 0, r1\n  store64 r1, r0, 0\n"
         "  i64.const r1, 1\n  i64.const r2, 1000\n  i64.const r3, 4\n  call.foreign 1, r1\n  store64 r1, r0, 8\n"
         "  i64.const r1, 2\n  i32.const r2, 9\n  call.foreign 2, r1\n  store64 r1, r0, 16\n  halt\n"
         "square: .func params=1 results=1\n  i64.mul r0, r0, r0\n  return\n"
         "mix: .func params=5 results=1\n  i64.const r6, 24\n"
         "  store64 r0, r6, 0\n  store64 r1, r6, 8\n  store64 r2, r6, 16\n"
         "  store64 r3, r6, 24\n  store64 r4, r6, 32\n  f32.const r0, 0.5\n  return\n"
         "minus: .func params=1 results=1\n  i32.const r1, -1\n  i32.mul r0, r0, r1\n  return\n", false);
    int64_t values[8];
    for (uint64_t i = 0; i < 8; i++) values[i] = memory_i64(8 * i);
    close_all();
    CHECK_EQ(values[0], 30);
    CHECK_EQ(values[1], 0x3FF8000000000000);
    CHECK_EQ(values[2], 0xFFFFFFF7);
    CHECK_EQ(values[3], 0xFFFFFFFB);
    CHECK_EQ(values[4], (int64_t)1 << 40);
    CHECK_EQ(values[5], 0x3FC00000);
    CHECK_EQ(values[6], 0x4002000000000000);
    CHECK_EQ(values[7], 1003);
}

static const char sorting[] =
    ".memory 64KiB\n.data 1000\nvalues: .i32 5, -3, 99, 0, 7, -100, 42, 1\n.table compare\n.output sorted i32[8] at values\n"
    ".import \"c!qsort\" \"void(ref,i64,i64,fn:i32(ref,ref))\"\n"
    "main: .func\n  i64.const r1, values\n  i64.const r2, 32\n  i64.const r3, 8\n  i64.const r4, 4\n  i64.const r5, 0\n"
    "  call.foreign \"c!qsort\", r1\n  halt\n"
    "compare: .func params=2 results=1\n  load32_u r2, r0, 0\n  load32_u r3, r1, 0\n  i32.lt_s r0, r3, r2\n"
    "  i32.lt_s r1, r2, r3\n  i32.sub r0, r0, r1\n  return\n";

static void the_c_library_sorts(void)
{
    static const int32_t expected[8] = {-100, -3, 0, 1, 5, 7, 42, 99};
    adead_tensor         value;
    NEEDS_LIBRARY();
    RUNS(sorting, true);
    bool good = adead_instance_get_output(instance, "sorted", &value) == ADEAD_OK &&
                memcmp(value.data, expected, sizeof expected) == 0;
    close_all();
    CHECK(good, "not in order");
}

#define CALLS_BACK(name, signature, registers, callback)                                                                \
    ".memory 64KiB\n.table f\n.import \"test!" name "\" \"" signature "\"\nmain: .func\n" registers                       \
    "  call.foreign 0, r1\n  halt\nf: .func params=1 " callback

static void what_goes_wrong_in_callbacks(void)
{
    NEEDS_LIBRARY();
    TRAPS(CALLS_BACK("call_with_wild_pointer", "void(fn:void(ref),ref)", "  i64.const r2, 16\n  i64.const r3, 8\n",
                     "results=0\n  return\n"),
          FOREIGN_FAILED, "outside of the ranges it was passed");
    TRAPS(CALLS_BACK("call_from_a_thread", "i64(fn:i64(i64))", "", "results=1\n  return\n"), FOREIGN_FAILED,
          "from another thread");
    TRAPS(CALLS_BACK("sum_of", "i64(i64,fn:i64(i64))", "  i64.const r1, 5\n",
                     "results=1\n  i32.div_s r1, r0, r2\n  return\n"),
          DIVISION_BY_ZERO, "i32.div_s");
}

/* The environment that a foreign function leaves behind does not reach the program, nor its host. */
static void the_environment_is_restored(void)
{
    NEEDS_LIBRARY();
    RUNS(".memory 64KiB\n.import \"test!spoil_the_environment\" \"void()\"\nmain: .func\n  call.foreign 0, r0\n"
         "  f64.const r1, 1\n  f64.const r2, 0x1.8p-53\n  f64.add r1, r1, r2\n  store64 r1, r0, 0\n"
         "  f32.const r1, 0x1p-126\n  f32.const r2, 0.5\n  f32.mul r1, r1, r2\n  store64 r1, r0, 8\n  halt\n", false);
    int64_t rounded = memory_i64(0), subnormal = memory_i64(8);
    close_all();
    CHECK_EQ(rounded, 0x3FF0000000000001);
    CHECK_EQ(subnormal, 0x00400000);
}

/* ---- What cannot be granted ---- */

static void refuses(const char *name, const char *path, int status, const char *text)
{
    CHECK_EQ(adead_instance_allow_foreign(instance, name, path), status);
    CHECK(strstr(adead_last_error()->message, text), "%s: %s", name, adead_last_error()->message);
}

static void what_is_not_there(void)
{
    NEEDS_LIBRARY();
    static const char source[] =
        ".import \"nowhere!f\" \"void()\"\n.import \"test!no_such\" \"void()\"\n.import \"./here!f\" \"void()\"\n  halt\n";
    adead_runtime_options options = {.size = sizeof options, .backend = "ref"};
    CHECK(adead_runtime_create(&options, &runtime) == ADEAD_OK &&
          adead_program_assemble(runtime, source, sizeof source - 1, &program) == ADEAD_OK &&
          adead_instance_create(program, NULL, &instance) == ADEAD_OK, "%s", adead_last_error()->message);
    refuses("nowhere!f", NULL, ADEAD_FOREIGN_UNAVAILABLE, "library 'nowhere' cannot be opened");
    refuses("nowhere!f", "/no/such/file", ADEAD_FOREIGN_UNAVAILABLE, "/no/such/file");
    refuses("test!no_such", library(), ADEAD_FOREIGN_UNAVAILABLE, "library 'test' has no 'no_such'");
    refuses("./here!*", NULL, ADEAD_FOREIGN_UNAVAILABLE, "a path, which only the host may give");
    refuses("test!other", library(), ADEAD_NAME_NOT_FOUND, "imports no \"test!other\"");
    refuses("tes!*", library(), ADEAD_NAME_NOT_FOUND, "imports no \"tes!*\"");
    refuses("*", library(), ADEAD_NAME_NOT_FOUND, "imports no \"*\"");
    CHECK_STR(adead_last_error()->hint, "its imports: nowhere!f, test!no_such, ./here!f");
    CHECK_EQ(adead_instance_allow_foreign(NULL, "a!b", NULL), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_instance_allow_foreign(instance, NULL, NULL), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_instance_run(instance), ADEAD_IMPORT_MISSING);
    close_all();
}

static void without_libffi(void)
{
#if defined(_WIN32)
    SKIP("cannot run: the environment is set by setenv");
#else
    NEEDS_LIBRARY();
    static const char source[] = ".import \"test!counter\" \"i64()\"\n  call.foreign 0, r0\n  halt\n";
    adead_runtime_options options = {.size = sizeof options, .backend = "ref"};
    CHECK(adead_runtime_create(&options, &runtime) == ADEAD_OK &&
          adead_program_assemble(runtime, source, sizeof source - 1, &program) == ADEAD_OK &&
          adead_instance_create(program, NULL, &instance) == ADEAD_OK, "%s", adead_last_error()->message);
    setenv("ADEAD_LIBFFI", "/no/such/libffi.so", 1);
    refuses("test!*", library(), ADEAD_FOREIGN_UNAVAILABLE,
            "foreign calls are unavailable: libffi cannot be opened: /no/such");
    setenv("ADEAD_LIBFFI", library(), 1);
    refuses("test!*", library(), ADEAD_FOREIGN_UNAVAILABLE, "this libffi has no ffi_prep_cif");
    unsetenv("ADEAD_LIBFFI");
    CHECK_EQ(adead_instance_allow_foreign(instance, "test!*", library()), ADEAD_OK);
    CHECK_EQ(adead_instance_allow_foreign(instance, "test!counter", library()), ADEAD_OK); /* again is no harm */
    CHECK_EQ(adead_instance_run(instance), ADEAD_OK);
    close_all();
#endif
}

TEST_MAIN("libffi", T(declarations_fit_the_header) T(scalars) T(more_arguments_than_registers) T(memory_and_buffers)
                        T(callbacks) T(the_c_library_sorts) T(what_goes_wrong_in_callbacks) T(the_environment_is_restored)
                            T(what_is_not_there) T(without_libffi))
