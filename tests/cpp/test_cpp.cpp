// adead.hpp from the outside: everything it offers once, and what goes wrong. expected.cpp is the same header's other kind,
// without exceptions, linked into this program. Prints the lines of tests/harness/test.h itself, as a user's program would.
#include "ffi/include/adead.hpp"

#include <cstdio>
#include <cstdlib>
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

static std::vector<float> numbers(std::size_t count, unsigned seed)
{
    std::vector<float> all(count);
    for (float &x : all) x = static_cast<float>((seed = seed * 1664525 + 1013904223) >> 20) / 512 - 4;
    return all;
}

static bool same(const std::vector<float> &a, const std::vector<float> &b)
{
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// The bits of the same operations one after the other on the reference.
static void pipelines()
{
    enum : std::size_t { in = 11, wide = 19, out = 5, rows_max = 40 };
    const adead::Runtime     reference("ref");
    const std::vector<float> w1 = numbers(in * wide, 1), b1 = numbers(wide, 2), w2 = numbers(wide * out, 3);
    const std::vector<float> gamma = numbers(wide, 4), beta = numbers(wide, 5);
    adead::MatmulOptions     with_bias, turned, wrong;
    with_bias.bias = b1;
    turned.transpose_b = true;
    wrong.activation = adead::Activation::relu;
    std::vector<float> expected;
    for (const char *name : {"cpu", "ref", "auto:ref,random=3"})
        for (bool separate : {false, true}) {
            adead::Pipeline chain = adead::Runtime(name, 2).pipeline(in, separate); // which keeps its runtime
            chain.matmul(w1, wide, with_bias).gelu().layernorm(gamma, beta, 1e-6f).scale(0.5f).matmul(w2, out, turned);
            chain.silu().softmax();
            bool good = chain.columns() == out;
            for (std::size_t rows : {std::size_t{7}, std::size_t{rows_max}, std::size_t{1}}) {
                const std::vector<float> x = numbers(rows * in, static_cast<unsigned>(rows));
                std::vector<float>       h(rows * wide), y(rows * out);
                expected.assign(rows * out, 0);
                reference.matmul(x, w1, h, rows, wide, in, with_bias);
                reference.gelu(h, h);
                reference.layernorm(h, gamma, beta, h, rows, wide, 1e-6f);
                adead_operation half = {};
                half.opcode = ADEAD_COMPUTE_SCALE;
                half.dims[0] = h.size();
                half.arrays[0] = half.arrays[1] = {h.data(), h.size() * sizeof(float)};
                half.scalar = 0.5f;
                reference.compute(half);
                reference.matmul(h, w2, expected, rows, out, wide, turned);
                reference.silu(expected, expected);
                reference.softmax(expected, expected, rows, out);
                chain.run(x, y);
                good = good && same(y, expected);
            }
            check(good, "pipeline");
        }
    using Step = adead::Pipeline &(adead::Pipeline::*)();
    using Map = adead::Result<void> (adead::Runtime::*)(adead::View<const float>, adead::View<float>) const;
    static const struct { Step step; Map map; } maps[] = {
        {&adead::Pipeline::relu, &adead::Runtime::relu},           {&adead::Pipeline::sigmoid, &adead::Runtime::sigmoid},
        {&adead::Pipeline::tanh, &adead::Runtime::tanh},           {&adead::Pipeline::gelu, &adead::Runtime::gelu},
        {&adead::Pipeline::gelu_tanh, &adead::Runtime::gelu_tanh}, {&adead::Pipeline::silu, &adead::Runtime::silu},
        {&adead::Pipeline::exp, &adead::Runtime::exp},             {&adead::Pipeline::log, &adead::Runtime::log},
        {&adead::Pipeline::sin, &adead::Runtime::sin},             {&adead::Pipeline::cos, &adead::Runtime::cos},
        {&adead::Pipeline::erf, &adead::Runtime::erf},
    };
    const std::vector<float> x = numbers(4 * in, 9);
    std::vector<float>       y(x.size()), z(x.size());
    bool                     good = true;
    for (const auto &one : maps) {
        adead::Pipeline chain = reference.pipeline(in);
        (chain.*one.step)().run(x, y);
        (reference.*one.map)(x, z);
        good = good && same(y, z);
    }
    check(good, "pipeline_maps");
    adead::MatmulOptions no_bias;
    no_bias.bias = {b1.data(), 0}; // which is none, wherever it points
    adead::Pipeline first = reference.pipeline(in), chain = std::move(first.matmul(w1, wide, no_bias));
    check(chain.columns() == wide, "pipeline_moved");
    refused(ADEAD_INVALID_ARGUMENT, "pipeline_without_columns", [&] { reference.pipeline(0); });
    refused(ADEAD_SHAPE_MISMATCH, "pipeline_weights", [&] { chain.matmul(w1, wide); });
    refused(ADEAD_SHAPE_MISMATCH, "pipeline_bias", [&] { chain.matmul(numbers(wide * 3, 1), 3, with_bias); });
    refused(ADEAD_SHAPE_MISMATCH, "pipeline_gamma", [&] { chain.layernorm(x, beta, 0); });
    refused(ADEAD_SHAPE_MISMATCH, "pipeline_beta", [&] { chain.layernorm(gamma, x, 0); });
    refused(ADEAD_INVALID_ARGUMENT, "pipeline_activation", [&] { chain.matmul(w2, out, wrong); });
    refused(ADEAD_INVALID_ARGUMENT, "pipeline_empty_weights", [&] { chain.matmul({}, 0); });
    check(chain.columns() == wide, "pipeline_as_it_was");
    std::vector<float> all(4 * wide);
    refused(ADEAD_SHAPE_MISMATCH, "pipeline_rows", [&] { chain.run({x.data(), x.size() - 1}, all); });
    refused(ADEAD_SHAPE_MISMATCH, "pipeline_result", [&] { chain.run(x, {all.data(), all.size() - wide}); });
    refused(ADEAD_OVERLAP, "pipeline_in_place", [&] { reference.pipeline(in).relu().run(z, z); });
    refused(ADEAD_INVALID_ARGUMENT, "pipeline_gone", [&] { first.relu(); });
    chain.run({}, {});
    chain.run(x, all);
    z.resize(all.size());
    reference.matmul(x, w1, z, 4, wide, in);
    check(same(all, z), "pipeline_after_refusals");
}

// Counts what the library has of an allocator's.
static int live;

static void *allocate(void *, std::size_t size)
{
    live++;
    return std::calloc(1, size);
}

static void release(void *, void *memory, std::size_t)
{
    live--;
    std::free(memory);
}

static void pipelines_leave_nothing()
{
    adead_runtime_options options = {};
    options.size = sizeof options;
    options.threads = 1;
    options.allocate = allocate;
    options.release = release;
    adead_runtime *raw = nullptr;
    check(adead_runtime_create(&options, &raw) == ADEAD_OK, "counted_runtime");
    int most = 0;
    {
        adead::Pipeline chain = adead::Runtime(raw).pipeline(3);
        chain.matmul(numbers(3 * 5, 1), 5).gelu();
        refused(ADEAD_SHAPE_MISMATCH, "counted_refusal", [&] { chain.layernorm(numbers(4, 1), numbers(5, 1), 0); });
        adead::Pipeline    moved = std::move(chain);
        std::vector<float> y(2 * 5);
        moved.softmax().run(numbers(2 * 3, 1), y);
        most = live;
    }
    check(most > 3 && live == 0, "pipelines_leave_nothing");
}

static void decisions()
{
    const adead::Runtime runtime("auto:ref,matmul*=ref", 1), named("cpu");
    adead::Instance      instance = runtime.load_file("hex/programs/digits.hex").instance();
    instance.run();
    check(instance.decisions().empty(), "no_decisions");
    instance.set_explain(true);
    instance.reset();
    instance.run();
    std::vector<adead_decision_row> rows = instance.decisions();
    int                             products = 0;
    for (const adead_decision_row &row : rows)
        if (std::strcmp(row.operation, "MATMUL_EX") == 0 && std::strcmp(row.backend, "ref") == 0 && row.nanoseconds)
            products += row.count == 1 && row.dims[0] == 8;
    check(products == 2, "decisions");
    adead::Instance plain = named.load_file("hex/programs/digits.hex").instance();
    plain.run();
    check(plain.digest() == instance.digest(), "decisions_change_nothing");
    refused(ADEAD_BACKEND_UNSUPPORTED, "nothing_to_explain", [&] { plain.set_explain(true); });
    refused(ADEAD_BACKEND_UNSUPPORTED, "nothing_to_tune", [&] { named.tune(); });
    std::vector<adead_tune_row> costs = adead::Runtime("auto:cpu", 1).tune();
    check(costs.size() == 1 && std::strcmp(costs[0].backend, "cpu") == 0 && costs[0].start > 0 && costs[0].array > 0 &&
              costs[0].upload == 0,
          "tune");
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

    adead::Instance halfway = program.instance();
    halfway.set_input<float>("x", {4}, x);
    check(!halfway.run_until(2) && halfway.info().state == ADEAD_STATE_STOPPED && halfway.info().position == 2, "run_until");
    adead::Instance restored = runtime.restore(halfway.save());
    check(restored.run_until() && restored.digest() == instance.digest() && restored.fuel_used() == instance.fuel_used(),
          "restore");
    refused(ADEAD_INVALID_STATE, "save", [&] { restored.save(); });
    refused(ADEAD_BAD_MAGIC, "restore_nothing", [&] { runtime.restore(adead::View<const std::uint8_t>()); });
    restored.stop();

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

// What instructions wrote, and where the time went.
static void watching(const adead::Runtime &runtime)
{
    const float        x[4] = {-1, 2, -3, 4};
    adead::Instance    instance = runtime.assemble(program_text).instance();
    unsigned           operations = 0, all = 0;
    std::vector<float> written;
    instance.on_result(ADEAD_WATCH_OPERATIONS, [&](const adead_result &result) {
        operations++;
        if (result.dtype == ADEAD_F32 && result.bytes == 16) {
            written.resize(4);
            std::memcpy(written.data(), result.data, 16);
        }
        return true;
    });
    instance.set_input<float>("x", {4}, x);
    instance.run();
    check(operations == 2 && written == std::vector<float>{0, 2, 0, 4}, "on_result");
    instance.reset();
    instance.on_result(ADEAD_WATCH_EVERYTHING, [&](const adead_result &) { return ++all < 4; });
    refused(ADEAD_STOPPED, "on_result_stops", [&] { instance.run(); });
    check(all == 4, "on_result_everything");
    refused(ADEAD_INVALID_STATE, "watched_or_profiled", [&] { instance.set_profile(ADEAD_PROFILE_EXACT); });
    refused(ADEAD_INVALID_ARGUMENT, "watch_what", [&] { instance.on_result(7, [](const adead_result &) { return true; }); });
    instance.on_result(ADEAD_WATCH_EVERYTHING, nullptr);
    refused(ADEAD_INVALID_STATE, "no_profile", [&] { instance.profile_report(ADEAD_REPORT_TEXT); });
    check(instance.profile().empty(), "no_profile_rows");
    instance.set_profile(ADEAD_PROFILE_EXACT);
    instance.reset();
    instance.run();
    unsigned long long count = 0;
    for (const adead_profile_row &row : instance.profile()) count += row.count;
    check(count == 7 && all == 4, "profile"); // seven instructions, and nobody watches any more
    check(instance.profile_report(ADEAD_REPORT_JSON).front() == '{', "profile_report");
}

// The files that `tune` leaves, in a folder of this test's.
static void cache()
{
    const char *folder = ".zig-cache/adead-cpp";
    setenv("ADEAD_CACHE_DIR", folder, 1);
    adead::cache_clear();
    adead::Runtime("auto:cpu", 1).tune();
    const std::vector<adead::CacheFile> files = adead::cache_files();
    check(files.size() == 1 && files[0].name.rfind("tune-", 0) == 0 && files[0].bytes > 32 && files[0].modified > 1700000000,
          "cache_files");
    check(adead::cache_folder() == folder && adead::cache_clear() == 1 && adead::cache_files().empty(), "cache_clear");
    setenv("ADEAD_CACHE_DIR", "", 1);
    check(adead::cache_folder().empty(), "no_cache");
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
        check(runtime.probe().size() >= 22, "probe");
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
    check(runtime.backend().available == 1 && runtime.probe().empty(), "backend");
    operations(runtime);
    pipelines();
    pipelines_leave_nothing();
    programs(runtime);
    decisions();
    watching(runtime);
    mistakes(runtime);
    shaders();
    cache();
    run_expected_checks(check);
    std::printf("cpp: %d passed, %d failed, 0 skipped\n", passed, failed);
    return failed != 0;
}
