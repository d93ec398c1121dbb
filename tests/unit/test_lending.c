/* Inputs that are lent: used where they lie, copied when the program writes there, and given back. */
#include "ffi/include/adead.h"
#include "tests/harness/test.h"

/* Every way in which a program can write into the buffer of an input, and one that it leaves alone. */
static const char writing_source[] =
    ".input a f32[8] in b0\n"
    ".input b f32[8] in b1\n"
    ".input c f32[8] in b2\n"
    ".input d f32[8] in b3\n"
    ".input e f32[8] in b4\n"
    ".input f f32[8] in b5\n"
    ".output oa f32[8] in b0\n"
    ".output ob f32[8] in b1\n"
    ".output oc f32[8] in b2\n"
    ".output od f32[8] in b3\n"
    ".output oe f32[8] in b4\n"
    ".data 0x40\n"
    "words:  .f32 7, 8, 9\n"
    ".entry main\n"
    "main:   .func regs=8\n"
    "        gpu.relu b0, b0, 32\n"
    "        gpu.memset b1, 255, 12\n"
    "        gpu.copy_h2d words, b2, 12\n"
    "        gpu.add b3, b0, b4, 32\n"
    "        gpu.free b5\n"
    "        gpu.alloc 32, b5\n"
    "        gpu.relu b3, b5, 32\n"
    "        halt\n";

static void lent_inputs(void)
{
    static const char *const backends[] = {"ref", "cpu", "auto:cpu", "auto:ref,random=4"};
    static const char        names[] = "abcdef";
    const uint64_t           eight = 8;
    for (unsigned at = 0; at < sizeof backends / sizeof *backends; at++) {
        adead_runtime_options options = {.size = sizeof options, .backend = backends[at]};
        adead_runtime        *runtime = NULL;
        CHECK_EQ(adead_runtime_create(&options, &runtime), ADEAD_OK);
        adead_program *program = NULL;
        CHECK_EQ(adead_program_assemble(runtime, writing_source, strlen(writing_source), &program), ADEAD_OK);
        adead_instance *copying = NULL, *lending = NULL;
        CHECK_EQ(adead_instance_create(program, NULL, &copying), ADEAD_OK);
        CHECK_EQ(adead_instance_create(program, NULL, &lending), ADEAD_OK);
        uint8_t bytes[6 * 32 + 1], before[sizeof bytes], *lent = bytes + 1; /* at no float's alignment */
        for (unsigned i = 0; i < 48; i++) {
            float value = (float)(int)(i * 37 % 19) - 9.0f;
            memcpy(lent + 4 * i, &value, 4);
        }
        memcpy(before, bytes, sizeof bytes);
        for (unsigned i = 0; i < 6; i++) {
            char name[2] = {names[i]};
            CHECK_EQ(adead_instance_set_input(copying, name, ADEAD_F32, 1, &eight, lent + 32 * i), ADEAD_OK);
            CHECK_EQ(adead_instance_lend_input(lending, name, ADEAD_F32, 1, &eight, lent + 32 * i), ADEAD_OK);
        }
        uint8_t expected[32], digest[32];
        for (int round = 0; round < 2; round++) { /* what was written is not in the input of the second run */
            CHECK_EQ(adead_instance_run(copying), ADEAD_OK);
            CHECK_EQ(adead_instance_run(lending), ADEAD_OK);
            CHECK_EQ(adead_instance_digest(copying, NULL, expected), ADEAD_OK);
            CHECK_EQ(adead_instance_digest(lending, NULL, digest), ADEAD_OK);
            CHECK(memcmp(digest, expected, 32) == 0, "%s, run %d: the same outputs", backends[at], round);
            CHECK(memcmp(bytes, before, sizeof bytes) == 0, "%s, run %d: the caller's arrays", backends[at], round);
            adead_tensor od, oa;
            CHECK_EQ(adead_instance_get_output(lending, "od", &od), ADEAD_OK);
            CHECK_EQ(adead_instance_get_output(lending, "oa", &oa), ADEAD_OK);
            CHECK(od.data == lent + 32 * 3, "what is only read is not copied");
            CHECK(oa.data != lent, "what is written is");
            CHECK_EQ(adead_instance_reset(copying), ADEAD_OK);
            CHECK_EQ(adead_instance_reset(lending), ADEAD_OK);
        }
        CHECK_EQ(adead_instance_run(lending), ADEAD_OK);
        CHECK_EQ(adead_instance_clear(lending), ADEAD_OK);
        memset(bytes, 0xFF, sizeof bytes); /* the caller's again */
        CHECK_EQ(adead_instance_run(lending), ADEAD_MISSING_INPUT);
        CHECK_EQ(adead_instance_clear(lending), ADEAD_OK);
        CHECK_EQ(adead_instance_clear(NULL), ADEAD_INVALID_ARGUMENT);
        CHECK_EQ(adead_instance_lend_input(NULL, "a", ADEAD_F32, 1, &eight, lent), ADEAD_INVALID_ARGUMENT);
        CHECK_EQ(adead_instance_lend_input(lending, "a", ADEAD_F32, 1, &eight, NULL), ADEAD_INVALID_ARGUMENT);
        CHECK_EQ(adead_instance_lend_input(lending, "a", ADEAD_F64, 1, &eight, lent), ADEAD_TYPE_MISMATCH);
        adead_instance_destroy(copying);
        adead_instance_destroy(lending);
        adead_program_destroy(program);
        adead_runtime_destroy(runtime);
    }
}

TEST_MAIN("lending", T(lent_inputs))
