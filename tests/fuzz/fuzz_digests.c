/* Reading hostile files of digests: whatever the input, a file is refused with a status and a sentence, or taken; and what
 * is taken is written again as the same steps. Three of four inputs are changes of a true file, with a right SHA-256.
 */
#include "ffi/include/adead.h"

#include "cli/bisect.c"
#include "cli/digests.c"
#include "cli/json.c"
#include "tests/harness/fuzz.h"

static const char genuine[] =
    "adead digests 1\nversion 0.1.0\nsettings backend=cpu,threads=2\n"
    "program f4901d6096450262bc52a49e2ca2c59632886d5ca6e83502e5ed4dc6e4e9e340\n"
    "inputs e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
    "watch operations\nsteps 3 4 1 1 9d6a38e9e1316bfe\n"
    "end 0 18446744073709551615 8471\n"
    "outputs 4eb0a98cd23b0f960c3b64b76dcb0239968f18f5db257f0065c81a0ef23778b2\n"
    "point 0 34 282 196644 9d6a38e9e1316bfe\nresult 3 2 0 0 34\n"
    "bytes 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\nbytes 2021\n";

static void demand(bool condition, const char *what)
{
    if (condition) return;
    fprintf(stderr, "%s\n", what);
    abort();
}

static void seal(buffer *b)
{
    uint8_t digest[32];
    adead_sha256_digest(b->data, b->size, digest);
    hex_line(b, "sha256", digest, 32);
}

/* By the first byte: the input itself, the input sealed, the true file with bytes of the input in it, or with its lines. */
static void make_file(const uint8_t *data, size_t size, buffer *out)
{
    size_t length = sizeof genuine - 1;
    if (size < 4 || data[0] % 4 == 0) {
        buffer_append(out, data, size);
        return;
    }
    if (data[0] % 4 == 1) {
        buffer_append(out, data + 1, size - 1);
    } else if (data[0] % 4 == 2) {
        buffer_append(out, genuine, length);
        for (size_t i = 3; i + 1 < size && i < 12; i += 2)
            out->data[(data[1] | (size_t)data[2] << 8) * i % length] = data[i] % 96 + 31;
    } else {
        size_t keep = (data[1] | (size_t)data[2] << 8) % (length + 1), from = data[3] * length / 256;
        buffer_append(out, genuine, keep);
        buffer_append(out, genuine + from, length - from);
    }
    seal(out);
}

static void target(const uint8_t *data, size_t size)
{
    buffer          bytes = {0}, written = {0};
    digests_file    file, again;
    digests_failure wrong;
    make_file(data, size, &bytes);
    if (digests_read(bytes.data, bytes.size, &file, &wrong)) {
        digests_write(&file, &written);
        demand(digests_read(written.data, written.size, &again, &wrong), "what was written cannot be read");
        demand(file.steps.point_count == again.steps.point_count && file.steps.digest == again.steps.digest &&
                   file.steps.only.known == again.steps.only.known && file.steps.whole == again.steps.whole,
               "what was written is something else");
        uint64_t from, to;
        demand(steps_compare(&file.steps, &again.steps, &from, &to) == STEPS_AGREE, "a file differs from itself");
        steps_free(&file.steps);
        steps_free(&again.steps);
    } else {
        demand(wrong.code != ADEAD_OK && wrong.message[0], "no sentence");
    }
    buffer_free(&bytes);
    buffer_free(&written);
}

FUZZ_MAIN("digests", target)
