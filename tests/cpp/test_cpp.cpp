// adead.hpp from the outside: everything it offers once, and what goes wrong. expected.cpp is the same header's other kind,
// without exceptions, linked into this program. Prints the lines of tests/harness/test.h itself, as a user's program would.
#include "ffi/include/adead.hpp"

#include <cstdio>
#include <cstring>

int run_expected_checks(void (*check)(bool good, const char *name));

static int passed, failed;

static void check(bool good, const char *name)
{
    std::printf("%s cpp.%s\n", good ? "PASS" : "FAIL", name);
    (good ? passed : failed)++;
}

template <class Body> static void refused(int code, const char *name, Body body)
{
    try {
        body();
        check(false, name);
    } catch (const adead::Error &e) {
        if (e.code != code) std::printf("  %s: %s\n", e.name(), e.what());
        check(e.code == code && e.what()[0] != 0, name);
    }
}

static const char program_text[] = ".memory 4KiB\n"
                                   ".input x f32[4] at 0\n"
                                   ".output y f32[4] at 64\n"
                                   "  i64.const r0, 0\n  i64.const r1, 64\n  i64.const r2, 4\n"
                                   "  tensor.relu r0, r1, r2\n"
                                   "  i64.const r3, 16\n  write r1, r3\n"
                                   "  halt\n";

static void operations(const adead::Runtime &runtime)
{
    const float        a[6] = {1, 2, 3, 4, 5, 6};
    std::vector<float> b{7, 8, 9, 10, 11, 12}, c(4), bias{-100, 1};
    runtime.matmul(a, b, c, 2, 2, 3);
    check(c == std::vector<float>{58, 64, 139, 154}, "matmul");
    adead::MatmulOptions options;
    options.transpose_b = true;
    options.bias = bias;
    options.activation = adead::Activation::relu;
    runtime.matmul(a, b, c, 2, 2, 3, options); // b as [2,3]
    check(c == std::vector<float>{0, 69, 22, 168}, "matmul_options");
    std::array<float, 4> row{5, 5, 5, 5};
    runtime.softmax(row, row, 1, 4);
    check(row[0] == 0.25f && row[3] == 0.25f, "softmax_in_place");
    std::vector<std::int8_t>  x{1, -2, 3, -128}, y{4, 5, 6, -128};
    std::vector<std::int32_t> sums(1);
    runtime.matmul_i8(x, y, sums, 1, 1, 4);
    check(sums[0] == 4 - 10 + 18 + 16384, "matmul_i8");
    std::vector<float> ones(4, 1.0f), zeros(4), out(4);
    runtime.layernorm(std::vector<float>{1, 1, 3, 3}, ones, zeros, out, 1, 4, 0.0f);
    check(out == std::vector<float>{-1, -1, 1, 1}, "layernorm");
    runtime.attention(ones, ones, ones, out, 2, 2);
    check(out == ones, "attention");
    runtime.multihead_attention(ones, ones, ones, out, 2, 2, 2, true);
    check(out == ones, "multihead_attention");
    runtime.transpose(a, b, 2, 3);
    check(b == std::vector<float>{1, 4, 2, 5, 3, 6}, "transpose");
    runtime.relu(std::vector<float>{-1, 2, -0.0f, 4}, out);
    check(out == std::vector<float>{0, 2, 0, 4}, "relu");
    runtime.add(ones, ones, out);
    runtime.mul(out, out, out);
    runtime.sub(out, ones, out);
    runtime.div(out, out, out);
    check(out == ones, "arithmetic");
    runtime.exp(zeros, out);
    runtime.log(out, out);
    check(out == zeros, "exp_log");
    refused(ADEAD_OUT_OF_BOUNDS, "short_operand", [&] { runtime.matmul(a, b, c, 2, 2, 4); });
    refused(ADEAD_OUT_OF_BOUNDS, "short_result", [&] { runtime.relu(b, c); });
    refused(ADEAD_OVERLAP, "overlap", [&] { runtime.transpose(b, b, 2, 3); });
    adead_operation nothing = {};
    refused(ADEAD_INVALID_ARGUMENT, "no_operation", [&] { runtime.compute(nothing); });
    runtime.selftest();
    check(true, "selftest");
}

static void programs(const adead::Runtime &runtime)
{
    adead::Program program = runtime.assemble(program_text);
    program.verify();
    check(program.info().inputs == 1 && program.info().tensor_instructions == 1, "info");
    check(std::strcmp(program.input(0).name, "x") == 0 && program.output(0).dims[0] == 4, "ports");
    check(runtime.assemble(program.disassemble()).write() == program.write(), "disassemble");

    adead::Instance          instance = program.instance();
    const std::vector<float> x{1, -2, 3, -4};
    std::size_t              written = 0;
    instance.on_write([&](adead::View<const std::uint8_t> bytes) { return (written += bytes.size()) != 0; });
    instance.set_input<float>("x", {4}, x);
    instance.run();
    adead::View<const float> y = instance.output<float>("y");
    check(y.size() == 4 && y[0] == 1 && y[1] == 0 && y[2] == 3 && y[3] == 0, "run");
    check(instance.tensor("y").data == y.data(), "output_without_copy");
    check(written == 16, "stream");
    check(instance.fuel_used() > 0, "fuel");
    adead::Digest digest;
    adead_sha256_digest(y.data(), y.size() * sizeof(float), digest.data());
    check(instance.digest("y") == digest && adead::hex(digest).size() == 64, "digest");
    float last = 0;
    instance.read_memory(64, {reinterpret_cast<std::uint8_t *>(&last), sizeof last});
    check(last == 1, "read_memory");

    static const char           calling[] = ".import \"host!seven\" \"i64()\"\n  call.foreign 0, r1\n  halt\n";
    adead::Program              caller = runtime.assemble(calling);
    adead::Instance             recorded = caller.instance(), replayed = caller.instance();
    std::vector<std::uint8_t>   log;
    int                         called = 0;
    const adead_foreign_fn      seven = [](void *context, adead_foreign_call *, const adead_foreign_value *, std::uint32_t,
                                           adead_foreign_value *result) {
        ++*static_cast<int *>(context);
        result->i64 = 7;
        return static_cast<int>(ADEAD_OK);
    };
    refused(ADEAD_IMPORT_MISSING, "import_missing", [&] { recorded.run(); });
    refused(ADEAD_NAME_NOT_FOUND, "allow_foreign", [&] { recorded.allow_foreign("host!eight"); });
    recorded.set_foreign("host!seven", seven, &called);
    recorded.record(log);
    recorded.run();
    replayed.replay(log);
    replayed.run();
    check(called == 1 && recorded.fuel_used() == replayed.fuel_used(), "record_and_replay");

    adead::Instance moved = std::move(instance);
    moved.reset();
    moved.on_write([](adead::View<const std::uint8_t>) { return false; });
    refused(ADEAD_OUTPUT_REFUSED, "stream_refuses", [&] { moved.run(); });
    refused(ADEAD_INVALID_STATE, "output_of_a_failed_run", [&] { moved.output<float>("y"); });
    moved.reset();
    refused(ADEAD_NAME_NOT_FOUND, "no_such_input", [&] { moved.set_input<float>("z", {4}, x); });
    refused(ADEAD_SHAPE_MISMATCH, "wrong_shape", [&] { moved.set_input<float>("x", {2, 2}, x); });
    refused(ADEAD_SHAPE_MISMATCH, "too_few_lent", [&] { moved.lend_input<float>("x", {5}, x); });
    refused(ADEAD_SHAPE_MISMATCH, "too_few_elements", [&] { moved.set_input<float>("x", {5}, x); });
    refused(ADEAD_TYPE_MISMATCH, "wrong_type", [&] { moved.set_input<double>("x", {1}, std::vector<double>{1}); });
    moved.on_write(nullptr);
    moved.run();
    refused(ADEAD_TYPE_MISMATCH, "wrong_output_type", [&] { moved.output<std::int32_t>("y"); });
    refused(ADEAD_OUT_OF_BOUNDS, "memory_end", [&] { moved.write_memory(4096, std::vector<std::uint8_t>(1)); });
    adead_limits limits = {};
    limits.fuel = 2;
    adead::Instance poor = program.instance(limits);
    poor.lend_input<float>("x", {4}, x);
    refused(ADEAD_OUT_OF_FUEL, "fuel_limit", [&] { poor.run(); });
    refused(ADEAD_MISSING_INPUT, "missing_input", [&] { program.instance().run(); });
}

static void mistakes(const adead::Runtime &runtime)
{
    refused(ADEAD_BACKEND_UNKNOWN, "unknown_backend", [] { adead::Runtime("nothing"); });
    refused(ADEAD_CANNOT_READ, "no_file", [&] { runtime.load_file("/nowhere/program.hex"); });
    refused(ADEAD_INVALID_ARGUMENT, "no_such_port", [&] { runtime.assemble("  halt\n").input(0); });
    const std::vector<std::uint8_t> junk{1, 2, 3};
    try {
        runtime.load(junk);
        check(false, "junk");
    } catch (const std::exception &e) {
        check(e.what()[0] != 0, "junk");
    }
    try {
        runtime.assemble("  halt\n  nonsense r0\n");
        check(false, "syntax");
    } catch (const adead::Error &e) {
        check(e.code == ADEAD_SYNTAX && e.line == 2 && e.column == 3, "syntax");
    }
    adead::Program  orphan = adead::Runtime("ref").assemble("  halt\n"); // the runtime is gone before its program runs
    adead::Instance instance = orphan.instance();
    instance.run();
    check(true, "children_keep_parents");
}

// On a Vulkan device, if there is one.
static void shaders()
{
    std::vector<std::uint8_t> spirv(4096);
    std::FILE                *file = std::fopen("tests/vulkan/saxpy.spv", "rb");
    spirv.resize(file ? std::fread(spirv.data(), 1, spirv.size(), file) : 0);
    if (file) std::fclose(file);
    refused(ADEAD_BACKEND_UNSUPPORTED, "shaders_elsewhere", [&] { adead::Runtime("ref").load_shader(spirv); });
    adead::Runtime  reference("ref");
    adead::Instance instance = reference.assemble("  halt\n").instance();
    refused(ADEAD_BACKEND_UNSUPPORTED, "programs_elsewhere", [&] { instance.load_shader("saxpy", spirv); });
    try {
        const struct { float a; std::uint32_t n; } push = {2, 3};
        std::vector<std::uint8_t> bytes(sizeof push);
        std::memcpy(bytes.data(), &push, sizeof push);
        std::vector<float> x{1, 2, 3}, y{10, 20, 30};
        adead::Runtime     runtime("vulkan");
        adead::Shader      shader = runtime.load_shader(spirv);
        shader.dispatch_compute({1, 1, 1}, {{0, adead::View<float>(x)}, {1, adead::View<float>(y)}}, bytes);
        check(shader.info().used == 3 && y[0] == 12 && y[1] == 24 && y[2] == 36, "shader");
        refused(ADEAD_SHADER_MISMATCH, "shader_mismatch", [&] { shader.dispatch_compute({1, 1, 1}, {}, bytes); });
    } catch (const adead::Error &e) {
        check(e.code == ADEAD_BACKEND_UNAVAILABLE, "shader");
    }
}

int main()
{
    adead::Runtime runtime;
    check(runtime.backend().available == 1, "backend");
    operations(runtime);
    programs(runtime);
    mistakes(runtime);
    shaders();
    run_expected_checks(check);
    std::printf("cpp: %d passed, %d failed, 0 skipped\n", passed, failed);
    return failed != 0;
}
