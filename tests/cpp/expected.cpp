// The kind of adead.hpp that returns adead::Expected instead of throwing, compiled without exceptions and linked with the
// kind that throws.
#define ADEAD_USE_EXPECTED
#include "ffi/include/adead.hpp"

int run_expected_checks(void (*check)(bool good, const char *name))
{
    auto runtime = adead::Runtime::create("ref");
    check(static_cast<bool>(runtime), "expected_runtime");
    auto none = adead::Runtime::create("nothing");
    check(!none && none.error().code == ADEAD_BACKEND_UNKNOWN && none.error().hint[0] != 0, "expected_error");
    const float a[4] = {1, 2, 3, 4};
    float       c[4] = {};
    auto        product = runtime->matmul(a, a, c, 2, 2, 2);
    check(product && c[0] == 7 && c[3] == 22, "expected_matmul");
    auto wrong = runtime->matmul(a, a, c, 2, 2, 3);
    check(!wrong && wrong.error().code == ADEAD_OUT_OF_BOUNDS, "expected_refusal");
    auto program = runtime->assemble(".output o i64[] at 8\n  i64.const r0, 42\n  store64 r0, r1, 8\n  halt\n");
    auto instance = program->instance();
    check(instance && instance->run(), "expected_run");
    auto value = instance->output<std::int64_t>("o");
    check(value && value->size() == 1 && (*value)[0] == 42, "expected_output");
    auto few = instance->set_input<float>("x", {3}, a);
    check(!few && few.error().code == ADEAD_SHAPE_MISMATCH, "expected_shape");

    const float two[4] = {1, -2, 3, 1};
    auto        chain = runtime->pipeline(2);
    check(chain && chain->matmul(two, 2).relu().steps() && chain->run(a, c), "expected_pipeline");
    check(c[0] == 7 && c[1] == 0 && c[2] == 15 && c[3] == 0, "expected_pipeline_values");
    check(static_cast<bool>(chain->run(a, c)), "expected_pipeline_again");
    chain->matmul(two, 3).matmul(two, 0).relu();
    auto no_step = chain->run(a, c);
    check(!no_step && no_step.error().code == ADEAD_SHAPE_MISMATCH && !chain->steps(), "expected_pipeline_refusal");
    auto no_library_step = runtime->pipeline(2);
    no_library_step->matmul({two, 0}, 0).relu();
    check(no_library_step->steps().error().code == ADEAD_INVALID_ARGUMENT, "expected_pipeline_step");
    auto no_rows = runtime->pipeline(2)->run({a, 3}, c);
    check(!no_rows && no_rows.error().code == ADEAD_SHAPE_MISMATCH, "expected_pipeline_rows");
    auto no_columns = runtime->pipeline(0);
    check(!no_columns && no_columns.error().code == ADEAD_INVALID_ARGUMENT, "expected_pipeline_columns");
    auto no_choice = instance->set_explain(true);
    check(!no_choice && no_choice.error().code == ADEAD_BACKEND_UNSUPPORTED, "expected_explain");
    check(instance->decisions()->empty(), "expected_decisions");
    auto no_costs = runtime->tune();
    check(!no_costs && no_costs.error().code == ADEAD_BACKEND_UNSUPPORTED, "expected_tune");
    check(!instance->profile_report(ADEAD_REPORT_TEXT) && instance->profile()->empty(), "expected_profile");
    check(adead::cache_files() && adead::cache_folder(), "expected_cache");
    return 0;
}
