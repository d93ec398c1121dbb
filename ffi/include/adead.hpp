// adead for C++17: the interface of adead.h with objects that clean up after themselves, views instead of pointers and
// sizes, and failures that cannot be overlooked. Header only; link with libadead.
//
//   adead::Runtime runtime;                                      // the best backend of this machine, all cores
//   std::vector<float> a(6), b(6), c(4);
//   runtime.matmul(a, b, c, 2, 2, 3);                            // c[2,2] = a[2,3] b[3,2]
//
//   auto program  = runtime.load_file("attention.hex");
//   auto instance = program.instance();
//   instance.set_input<float>("x", {4, 8}, x);
//   instance.run();
//   adead::View<const float> y = instance.output<float>("y");    // no copy: it belongs to the instance
//
// Failures: functions throw adead::Error. With ADEAD_USE_EXPECTED defined before the header is included, or where exceptions
// are off, they return adead::Expected<T> instead, and a Runtime is made by Runtime::create. Both kinds may be linked into
// one program.
//
// Ownership: objects own what they wrap, can be moved, not copied; children keep what they need of their parents. Threads:
// Runtime and Program may be shared, an Instance, a Shader or a Pipeline belongs to one thread at a time. Shapes, units and
// errors of each function are those of the function of the same name in adead.h.
#ifndef ADEAD_HPP
#define ADEAD_HPP

#include "adead.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#if !defined(ADEAD_USE_EXPECTED) && !defined(__cpp_exceptions) && !defined(_CPPUNWIND)
#define ADEAD_USE_EXPECTED
#endif

namespace adead {

// ---- Values that both kinds share -------------------------------------------------------------------------------------

// What went wrong: the fields of adead_error, copied.
class Error : public std::runtime_error {
public:
    Error(int status, const std::string &message, std::string advice = "", std::uint64_t at = ADEAD_NO_OFFSET,
          std::uint32_t at_line = 0, std::uint32_t at_column = 0)
        : std::runtime_error(message), code(status), line(at_line), column(at_column), offset(at), hint(std::move(advice))
    {
    }
    // The calling thread's last failure.
    static Error last()
    {
        const adead_error *e = adead_last_error();
        return Error(e->code, e->message, e->hint, e->offset, e->line, e->column);
    }
    const char *name() const noexcept { return adead_status_name(code); } // "OUT_OF_FUEL"

    int           code;         // an adead_status
    std::uint32_t line, column; // 1-based position in a text, or 0
    std::uint64_t offset;       // byte offset in the file or instruction stream, or ADEAD_NO_OFFSET
    std::string   hint;
};

namespace detail {
template <class T> [[noreturn]] T *absent() noexcept { std::terminate(); }
} // namespace detail

// A value or an Error; T may be void. Reading a value that is not there ends the program.
template <class T> class Expected {
public:
    Expected(T value) : value_(std::make_unique<T>(std::move(value))) {}
    Expected(Error error) : error_(std::make_unique<Error>(std::move(error))) {}
    explicit     operator bool() const noexcept { return value_ != nullptr; }
    const Error &error() const noexcept { return *(error_ ? error_.get() : detail::absent<Error>()); }
    T           &value() & noexcept { return *(value_ ? value_.get() : detail::absent<T>()); }
    T          &&value() && noexcept { return std::move(value()); }
    T           &operator*() & noexcept { return value(); }
    T           *operator->() noexcept { return &value(); }

private:
    std::unique_ptr<T>     value_;
    std::unique_ptr<Error> error_;
};

template <> class Expected<void> {
public:
    Expected() = default;
    Expected(Error error) : error_(std::make_unique<Error>(std::move(error))) {}
    explicit     operator bool() const noexcept { return !error_; }
    const Error &error() const noexcept { return *(error_ ? error_.get() : detail::absent<Error>()); }
    void         value() const noexcept { return error_ ? std::terminate() : void(); }

private:
    std::unique_ptr<Error> error_;
};

// Elements that lie one after another in somebody else's memory: a pointer and a count, made from any container that has
// data() and size(), or from an array. T is const where the elements are only read.
template <class T> class View {
public:
    View() noexcept = default;
    View(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
    template <std::size_t N> View(T (&array)[N]) noexcept : data_(array), size_(N) {}
    template <class Container, class Element = std::remove_pointer_t<decltype(std::declval<Container &>().data())>,
              class = std::enable_if_t<std::is_convertible_v<Element (*)[], T (*)[]>>>
    View(Container &&container) noexcept : data_(container.data()), size_(container.size())
    {
    }
    T          *data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    bool        empty() const noexcept { return size_ == 0; }
    T          *begin() const noexcept { return data_; }
    T          *end() const noexcept { return data_ + size_; }
    T          &operator[](std::size_t i) const noexcept { return data_[i]; }

private:
    T          *data_ = nullptr;
    std::size_t size_ = 0;
};

// The bits of the two 16-bit types, which C++17 has no numbers for.
enum class f16 : std::uint16_t {};
enum class bf16 : std::uint16_t {};

// The number of an element type in adead.h.
template <class T> inline constexpr std::uint32_t dtype_of = ~std::uint32_t{0};
template <> inline constexpr std::uint32_t dtype_of<float> = ADEAD_F32;
template <> inline constexpr std::uint32_t dtype_of<double> = ADEAD_F64;
template <> inline constexpr std::uint32_t dtype_of<std::int32_t> = ADEAD_I32;
template <> inline constexpr std::uint32_t dtype_of<std::int64_t> = ADEAD_I64;
template <> inline constexpr std::uint32_t dtype_of<std::uint8_t> = ADEAD_U8;
template <> inline constexpr std::uint32_t dtype_of<std::int8_t> = ADEAD_I8;
template <> inline constexpr std::uint32_t dtype_of<f16> = ADEAD_F16;
template <> inline constexpr std::uint32_t dtype_of<bf16> = ADEAD_BF16;

using Digest = std::array<std::uint8_t, 32>; // a SHA-256
using Dims = std::initializer_list<std::uint64_t>;

inline std::string hex(const Digest &digest)
{
    std::string text;
    for (std::uint8_t byte : digest) (text += "0123456789abcdef"[byte >> 4]) += "0123456789abcdef"[byte & 15];
    return text;
}

enum class Activation : std::uint32_t {
    none = ADEAD_ACT_NONE,
    relu = ADEAD_ACT_RELU,
    sigmoid = ADEAD_ACT_SIGMOID,
    tanh = ADEAD_ACT_TANH,
    gelu = ADEAD_ACT_GELU,
    gelu_tanh = ADEAD_ACT_GELU_TANH,
    silu = ADEAD_ACT_SILU
};

// What a product may have besides its matrices.
struct MatmulOptions {
    bool              transpose_a = false, transpose_b = false; // a is given as [k,m], b as [n,k]
    View<const float> bias;                                     // n elements, or empty: none
    Activation        activation = Activation::none;
};

// The exceptions of the one kind are not the return values of the other, so each has its own classes under one name.
#ifdef ADEAD_USE_EXPECTED
inline namespace expecting {
template <class T> using Result = Expected<T>;
template <class T> Result<T> failure() { return Error::last(); }
template <class T> Result<T> wrong(int code, const std::string &message) { return Error(code, message); }
inline Result<void> done(int status) { return status == ADEAD_OK ? Result<void>() : Result<void>(Error::last()); }
#else
inline namespace throwing {
template <class T> using Result = T;
template <class T> [[noreturn]] Result<T> failure() { throw Error::last(); }
template <class T> [[noreturn]] Result<T> wrong(int code, const std::string &message) { throw Error(code, message); }
inline void done(int status)
{
    if (status != ADEAD_OK) throw Error::last();
}
#endif

namespace detail {
template <class T, void (*destroy)(T *)> struct Deleter {
    void operator()(T *object) const noexcept { destroy(object); }
};
template <class T, void (*destroy)(T *)> using Handle = std::unique_ptr<T, Deleter<T, destroy>>;

template <class Container> int append(void *context, const void *bytes, std::size_t size)
{
    auto *to = static_cast<Container *>(context);
    auto *from = static_cast<const typename Container::value_type *>(bytes);
    to->insert(to->end(), from, from + size);
    return 0;
}

template <class T> adead_array array(View<T> view)
{
    return {const_cast<std::remove_const_t<T> *>(view.data()), view.size() * sizeof(T)};
}
} // namespace detail

// ---- Instance: a program with its state -------------------------------------------------------------------------------

class Instance {
public:
    explicit Instance(adead_instance *raw) noexcept : raw_(raw) {}
    adead_instance *get() const noexcept { return raw_.get(); }

    // Copies `data` into the input; its elements are those of `dims`.
    template <class T> Result<void> set_input(const char *name, Dims dims, View<const T> data)
    {
        return give_input(adead_instance_set_input, name, dims, data);
    }
    // Without a copy: `data` must stay as it is until the input has another value or the instance is cleared or ends.
    template <class T> Result<void> lend_input(const char *name, Dims dims, View<const T> data)
    {
        return give_input(adead_instance_lend_input, name, dims, data);
    }
    Result<void> run() { return done(adead_instance_run(get())); }
    // Snapshots (docs/snapshots.md). Runs, or goes on, up to a position, or where stop() asks; false: it was stopped there,
    // and can be saved or gone on with.
    Result<bool> run_until(std::uint64_t position = ADEAD_STOP_ON_REQUEST)
    {
        if (adead_instance_set_stop(get(), position) != ADEAD_OK) return failure<bool>();
        int status = adead_instance_run(get());
        if (status == ADEAD_STOPPED) return false;
        if (status != ADEAD_OK) return failure<bool>();
        return true;
    }
    // From any thread.
    void stop() const noexcept { adead_instance_stop(get()); }
    Result<std::vector<std::uint8_t>> save()
    {
        using Bytes = std::vector<std::uint8_t>;
        Bytes bytes;
        if (adead_instance_save(get(), detail::append<Bytes>, &bytes) != ADEAD_OK) return failure<Bytes>();
        return bytes;
    }
    Result<adead_instance_info> info() const
    {
        adead_instance_info info = {};
        info.size = sizeof info;
        if (adead_instance_get_info(get(), &info) != ADEAD_OK) return failure<adead_instance_info>();
        return info;
    }
    Result<void> reset() { return done(adead_instance_reset(get())); }
    Result<void> clear() { return done(adead_instance_clear(get())); }
    // An output after a run; it belongs to the instance until its next call.
    Result<adead_tensor> tensor(const char *name)
    {
        adead_tensor value;
        if (adead_instance_get_output(get(), name, &value) != ADEAD_OK) return failure<adead_tensor>();
        return value;
    }
    // The same as elements of T, which must be its type.
    template <class T> Result<View<const T>> output(const char *name)
    {
        adead_tensor value;
        if (adead_instance_get_output(get(), name, &value) != ADEAD_OK) return failure<View<const T>>();
        if (value.dtype != dtype_of<T>)
            return wrong<View<const T>>(ADEAD_TYPE_MISMATCH, std::string("the output has elements of type ") +
                                                                 adead_type_name(value.dtype));
        return View<const T>(static_cast<const T *>(value.data), static_cast<std::size_t>(value.bytes / sizeof(T)));
    }
    // Of one output's bytes, or of all outputs (name NULL).
    Result<Digest> digest(const char *name = nullptr)
    {
        Digest digest;
        if (adead_instance_digest(get(), name, digest.data()) != ADEAD_OK) return failure<Digest>();
        return digest;
    }
    Result<void> write_memory(std::uint64_t address, View<const std::uint8_t> bytes)
    {
        return done(adead_instance_write_memory(get(), address, bytes.data(), bytes.size()));
    }
    Result<void> read_memory(std::uint64_t address, View<std::uint8_t> bytes)
    {
        return done(adead_instance_read_memory(get(), address, bytes.data(), bytes.size()));
    }
    // Where the program's output stream goes; false makes it trap. The function must not throw.
    Result<void> on_write(std::function<bool(View<const std::uint8_t>)> sink)
    {
        sink_ = std::make_unique<std::function<bool(View<const std::uint8_t>)>>(std::move(sink));
        adead_write_fn call = [](void *context, const void *bytes, std::size_t size) noexcept {
            auto &f = *static_cast<std::function<bool(View<const std::uint8_t>)> *>(context);
            return f({static_cast<const std::uint8_t *>(bytes), size}) ? 0 : 1;
        };
        return done(adead_instance_set_stream(get(), *sink_ ? call : nullptr, sink_.get()));
    }
    // Foreign functions (docs/foreign.md): a function of the host's, which must not throw, for the imports of that name; a
    // function of a library, or `library!*` for all; the log of later runs, appended to `log`, which must outlive them; runs
    // from such a log.
    Result<void> set_foreign(const char *name, adead_foreign_fn function, void *context = nullptr)
    {
        return done(adead_instance_set_foreign(get(), name, function, context));
    }
    Result<void> allow_foreign(const char *name, const char *path = nullptr)
    {
        return done(adead_instance_allow_foreign(get(), name, path));
    }
    Result<void> record(std::vector<std::uint8_t> &log)
    {
        return done(adead_instance_record(get(), detail::append<std::vector<std::uint8_t>>, &log));
    }
    Result<void> replay(View<const std::uint8_t> log) { return done(adead_instance_replay(get(), log.data(), log.size())); }
    // A compute shader for the program's vk.compute, as SPIR-V; on the backend vulkan (docs/vulkan.md).
    Result<void> load_shader(const char *name, View<const std::uint8_t> spirv, const char *entry = nullptr)
    {
        return done(adead_instance_load_shader(get(), name, spirv.data(), spirv.size(), entry));
    }
    std::uint64_t fuel_used() const noexcept { return adead_instance_fuel_used(get()); }
    // What instructions of later runs wrote, told while they run; `what` is one of ADEAD_WATCH_.... False ends the run,
    // which then fails with STOPPED. The function must not throw, nor use the instance; an empty one: nobody watches any
    // more.
    Result<void> on_result(int what, std::function<bool(const adead_result &)> watch)
    {
        if (!watch) what = ADEAD_WATCH_NOTHING;
        auto           fresh = std::make_unique<std::function<bool(const adead_result &)>>(std::move(watch));
        adead_watch_fn call = [](void *context, const adead_result *result) noexcept {
            return (*static_cast<std::function<bool(const adead_result &)> *>(context))(*result) ? 0 : 1;
        };
        int status = adead_instance_set_watch(get(), what, what ? call : nullptr, fresh.get());
        if (status == ADEAD_OK) watch_ = std::move(fresh);
        return done(status);
    }
    // Profiles of later runs (docs/profile.md): `how` is one of ADEAD_PROFILE_..., `report` one of ADEAD_REPORT_....
    Result<void> set_profile(int how) { return done(adead_instance_set_profile(get(), how)); }
    Result<std::vector<adead_profile_row>> profile()
    {
        std::vector<adead_profile_row> rows;
        adead_profile_row              row = {};
        std::uint32_t                  index = 0;
        row.size = sizeof row;
        while (adead_instance_profile(get(), index++, &row) == ADEAD_OK) rows.push_back(row);
        return rows;
    }
    Result<std::string> profile_report(int report)
    {
        std::string text;
        if (adead_instance_profile_report(get(), report, detail::append<std::string>, &text) != ADEAD_OK)
            return failure<std::string>();
        return text;
    }
    // What the backend `auto` decides in later runs, and why (docs/placement.md); they wait for each operation then.
    Result<void> set_explain(bool on) { return done(adead_instance_set_explain(get(), on)); }
    Result<std::vector<adead_decision_row>> decisions()
    {
        std::vector<adead_decision_row> rows;
        adead_decision_row              row = {};
        std::uint32_t                   index = 0;
        row.size = sizeof row;
        while (adead_instance_decision(get(), index++, &row) == ADEAD_OK) rows.push_back(row);
        return rows;
    }

private:
    using give = int (*)(adead_instance *, const char *, std::uint32_t, std::uint32_t, const std::uint64_t *, const void *);
    template <class T> Result<void> give_input(give call, const char *name, Dims dims, View<const T> data)
    {
        std::uint64_t count = 1;
        for (std::uint64_t dim : dims) count = dim && count > UINT64_MAX / dim ? UINT64_MAX : count * dim;
        static_assert(dtype_of<T> != ~std::uint32_t{0}, "no tensor has elements of this type");
        if (count != data.size()) return short_of(count, data.size());
        return done(call(get(), name, dtype_of<T>, static_cast<std::uint32_t>(dims.size()), dims.begin(), data.data()));
    }
    static Result<void> short_of(std::uint64_t wanted, std::uint64_t given)
    {
        return wrong<void>(ADEAD_SHAPE_MISMATCH, "the dimensions make " + std::to_string(wanted) + " elements, but " +
                                                     std::to_string(given) + " are given");
    }
    std::unique_ptr<std::function<bool(View<const std::uint8_t>)>> sink_; // these outlive raw_
    std::unique_ptr<std::function<bool(const adead_result &)>>     watch_;
    detail::Handle<adead_instance, adead_instance_destroy>         raw_;
};

// ---- Program ----------------------------------------------------------------------------------------------------------

class Program {
public:
    explicit Program(adead_program *raw) noexcept : raw_(raw) {}
    adead_program *get() const noexcept { return raw_.get(); }

    Result<void>     verify() const { return done(adead_program_verify(get())); }
    Result<Instance> instance(adead_limits limits = {}) const
    {
        adead_instance *raw = nullptr;
        limits.size = sizeof limits;
        if (adead_instance_create(get(), &limits, &raw) != ADEAD_OK) return failure<Instance>();
        return Instance(raw);
    }
    Result<adead_program_info> info() const
    {
        adead_program_info info = {};
        info.size = sizeof info;
        if (adead_program_get_info(get(), &info) != ADEAD_OK) return failure<adead_program_info>();
        return info;
    }
    Result<adead_tensor> input(std::uint32_t index) const { return port(adead_program_input, index); }
    Result<adead_tensor> output(std::uint32_t index) const { return port(adead_program_output, index); }
    Result<std::string>  disassemble() const
    {
        std::string text;
        if (adead_program_disassemble(get(), detail::append<std::string>, &text) != ADEAD_OK) return failure<std::string>();
        return text;
    }
    // In one of the formats ADEAD_PROGRAM_...
    Result<std::vector<std::uint8_t>> write(int format = ADEAD_PROGRAM_BINARY) const
    {
        using Bytes = std::vector<std::uint8_t>;
        Bytes bytes;
        if (adead_program_write(get(), format, detail::append<Bytes>, &bytes) != ADEAD_OK) return failure<Bytes>();
        return bytes;
    }

private:
    Result<adead_tensor> port(int (*ask)(adead_program *, std::uint32_t, adead_tensor *), std::uint32_t index) const
    {
        adead_tensor declaration;
        if (ask(get(), index, &declaration) != ADEAD_OK) return failure<adead_tensor>();
        return declaration;
    }
    detail::Handle<adead_program, adead_program_destroy> raw_;
};

// ---- Shader: a compute shader of one's own, on the backend vulkan ------------------------------------------------------

class Shader {
public:
    explicit Shader(adead_shader *raw) noexcept : raw_(raw) {}
    adead_shader *get() const noexcept { return raw_.get(); }

    Result<adead_shader_info> info() const
    {
        adead_shader_info info = {};
        info.size = sizeof info;
        if (adead_shader_get_info(get(), &info) != ADEAD_OK) return failure<adead_shader_info>();
        return info;
    }
    // An array for a binding; the shader's new values are in it when dispatch_compute returns.
    struct Binding {
        template <class T> Binding(std::uint32_t number, View<T> view) : number(number), array(detail::array(view)) {}
        std::uint32_t number;
        adead_array   array;
    };
    Result<void> dispatch_compute(std::array<std::uint32_t, 3> groups, std::initializer_list<Binding> bindings,
                                  View<const std::uint8_t> push = {})
    {
        adead_dispatch dispatch = {};
        dispatch.size = sizeof dispatch;
        for (std::size_t i = 0; i < 3; i++) dispatch.groups[i] = groups[i];
        dispatch.push = push.data();
        dispatch.push_bytes = push.size();
        for (const Binding &one : bindings)
            if (one.number < ADEAD_DISPATCH_BINDINGS) dispatch.bindings[one.number] = one.array;
        return done(adead_dispatch_compute(get(), &dispatch));
    }

private:
    detail::Handle<adead_shader, adead_shader_destroy> raw_;
};

// ---- Pipeline: a chain of operations on the rows of a matrix -----------------------------------------------------------

// Built once with its weights, which are copied, then run on any number of rows:
//
//   runtime.pipeline(64).matmul(w1, 128, options).relu().matmul(w2, 10).run(x, y);   // x[rows,64], y[rows,10]
//
// The bits are those of the steps one after the other. Where functions return Expected, a step that cannot be added is kept:
// steps() says so, no others are added, and run() fails with it.
class Pipeline {
public:
    // `first`: how many numbers a row has that goes in.
    Pipeline(adead_pipeline *raw, std::uint64_t first) noexcept : first_(first), raw_(raw) {}
    adead_pipeline *get() const noexcept { return raw_.get(); }
    // How many numbers a row of the result has, with the steps there are.
    std::uint64_t columns() const noexcept { return adead_pipeline_columns(get()); }

    // weights[now,columns], or [columns,now] with transpose_b, and bias[columns]: no more elements, and no fewer. Of the
    // options these two; an activation is a step of its own.
    Pipeline &matmul(View<const float> weights, std::uint64_t columns, const MatmulOptions &options = {})
    {
        const std::uint64_t now = this->columns();
        if (options.transpose_a || options.activation != Activation::none)
            return refused(ADEAD_INVALID_ARGUMENT, "a product of a pipeline has transpose_b and a bias, no other options");
        if (!is_matrix(weights.size(), now, columns))
            return refused(ADEAD_SHAPE_MISMATCH, "weights of " + std::to_string(now) + " x " + std::to_string(columns) +
                                                     " are given as " + std::to_string(weights.size()) + " elements");
        if (!options.bias.empty() && options.bias.size() != columns) return row_refused("the bias", columns, options.bias);
        const std::uint32_t flags = options.transpose_b ? ADEAD_FLAG_TRANSPOSE_B : 0;
        const float        *bias = options.bias.empty() ? nullptr : options.bias.data();
        return step([&] { return adead_pipeline_matmul(get(), weights.data(), columns, bias, flags); });
    }
    Pipeline &layernorm(View<const float> gamma, View<const float> beta, float eps)
    {
        const std::uint64_t now = columns();
        if (gamma.size() != now) return row_refused("gamma", now, gamma);
        if (beta.size() != now) return row_refused("beta", now, beta);
        return step([&] { return adead_pipeline_layernorm(get(), gamma.data(), beta.data(), eps); });
    }
    Pipeline &softmax() { return map(ADEAD_COMPUTE_SOFTMAX); }
    Pipeline &relu() { return map(ADEAD_COMPUTE_RELU); }
    Pipeline &sigmoid() { return map(ADEAD_COMPUTE_SIGMOID); }
    Pipeline &tanh() { return map(ADEAD_COMPUTE_TANH); }
    Pipeline &gelu() { return map(ADEAD_COMPUTE_GELU); }
    Pipeline &gelu_tanh() { return map(ADEAD_COMPUTE_GELU_TANH); }
    Pipeline &silu() { return map(ADEAD_COMPUTE_SILU); }
    Pipeline &exp() { return map(ADEAD_COMPUTE_EXP); }
    Pipeline &log() { return map(ADEAD_COMPUTE_LOG); }
    Pipeline &sin() { return map(ADEAD_COMPUTE_SIN); }
    Pipeline &cos() { return map(ADEAD_COMPUTE_COS); }
    Pipeline &erf() { return map(ADEAD_COMPUTE_ERF); }
    Pipeline &scale(float factor) { return map(ADEAD_COMPUTE_SCALE, factor); }

    // y[rows,columns()] of x[rows,columns of what goes in], as many rows as x has; they may not overlap.
    Result<void> run(View<const float> x, View<float> y)
    {
#ifdef ADEAD_USE_EXPECTED
        if (failed_) return *failed_;
#endif
        const std::uint64_t rows = x.size() / first_;
        if (x.size() % first_ != 0 || !is_matrix(y.size(), rows, columns()))
            return wrong<void>(ADEAD_SHAPE_MISMATCH, std::to_string(x.size()) + " and " + std::to_string(y.size()) +
                                                         " elements are no rows of " + std::to_string(first_) + " and " +
                                                         std::to_string(columns()));
        return done(adead_pipeline_run(get(), x.data(), rows, y.data()));
    }
#ifdef ADEAD_USE_EXPECTED
    // The first step that could not be added, if there was one.
    Result<void> steps() const { return failed_ ? Result<void>(*failed_) : Result<void>(); }
#endif

private:
    static bool is_matrix(std::uint64_t elements, std::uint64_t rows, std::uint64_t columns) noexcept
    {
        return columns == 0 ? elements == 0 : elements % columns == 0 && elements / columns == rows;
    }
    Pipeline &row_refused(const char *what, std::uint64_t wanted, View<const float> given)
    {
        return refused(ADEAD_SHAPE_MISMATCH, std::string(what) + " has " + std::to_string(given.size()) +
                                                 " elements, and a row " + std::to_string(wanted));
    }
    Pipeline &map(std::uint32_t opcode, float scalar = 0)
    {
        return step([&] { return adead_pipeline_map(get(), opcode, scalar); });
    }
#ifdef ADEAD_USE_EXPECTED
    Pipeline &refused(int code, const std::string &message)
    {
        if (!failed_) failed_ = std::make_unique<Error>(code, message);
        return *this;
    }
    template <class Add> Pipeline &step(Add add)
    {
        if (!failed_ && add() != ADEAD_OK) failed_ = std::make_unique<Error>(Error::last());
        return *this;
    }
    std::unique_ptr<Error> failed_;
#else
    [[noreturn]] Pipeline &refused(int code, const std::string &message) { throw Error(code, message); }
    template <class Add> Pipeline &step(Add add)
    {
        done(add());
        return *this;
    }
#endif
    std::uint64_t                                          first_;
    detail::Handle<adead_pipeline, adead_pipeline_destroy> raw_;
};

// ---- Runtime ----------------------------------------------------------------------------------------------------------

class Runtime {
public:
    // "cpu", "cpu:avx2", "ref", "auto:RULES", or nullptr for the best there is; 0 threads: one per core.
    static Result<Runtime> create(const char *backend = nullptr, std::uint32_t threads = 0)
    {
        adead_runtime_options options = {};
        options.size = sizeof options;
        options.backend = backend;
        options.threads = threads;
        adead_runtime *raw = nullptr;
        if (adead_runtime_create(&options, &raw) != ADEAD_OK) return failure<Runtime>();
        return Runtime(raw);
    }
    explicit Runtime(adead_runtime *raw) noexcept : raw_(raw) {}
#ifndef ADEAD_USE_EXPECTED
    explicit Runtime(const char *backend = nullptr, std::uint32_t threads = 0) : Runtime(create(backend, threads)) {}
#endif
    adead_runtime *get() const noexcept { return raw_.get(); }

    // A run that was saved, to go on with; `most`: what it may have been allowed.
    Result<Instance> restore(View<const std::uint8_t> snapshot, adead_limits most = {}) const
    {
        adead_instance *raw = nullptr;
        most.size = sizeof most;
        if (adead_instance_restore(get(), snapshot.data(), snapshot.size(), &most, nullptr, &raw) != ADEAD_OK)
            return failure<Instance>();
        return Instance(raw);
    }
    Result<adead_backend_info> backend() const
    {
        adead_backend_info info = {};
        info.size = sizeof info;
        if (adead_runtime_backend(get(), &info) != ADEAD_OK) return failure<adead_backend_info>();
        return info;
    }
    // What the probe compared when the device was opened, also of one that was refused.
    Result<std::vector<adead_probe_row>> probe() const
    {
        std::vector<adead_probe_row> rows;
        for (;;) {
            adead_probe_row row = {};
            row.size = sizeof row;
            int status = adead_runtime_probe(get(), static_cast<std::uint32_t>(rows.size()), &row);
            if (status == ADEAD_INVALID_ARGUMENT) return rows;
            if (status != ADEAD_OK) return failure<std::vector<adead_probe_row>>();
            rows.push_back(row);
        }
    }
    Result<void>    selftest() const { return done(adead_selftest(get(), nullptr, nullptr)); }
    // What operations cost on each backend that the runtime chooses between, measured for some seconds and kept.
    Result<std::vector<adead_tune_row>> tune() const
    {
        using Rows = std::vector<adead_tune_row>;
        Rows rows;
        auto keep = [](void *context, const adead_tune_row *row) noexcept {
            adead_tune_row copy = {};
            std::memcpy(&copy, row, row->size < sizeof copy ? row->size : sizeof copy);
            static_cast<Rows *>(context)->push_back(copy);
        };
        if (adead_tune(get(), keep, &rows) != ADEAD_OK) return failure<Rows>();
        return rows;
    }
    Result<Program> load(View<const std::uint8_t> bytes) const
    {
        adead_program *raw = nullptr;
        adead_program_load(get(), bytes.data(), bytes.size(), &raw);
        return program(raw);
    }
    Result<Program> load_file(const std::string &path) const
    {
        adead_program *raw = nullptr;
        adead_program_load_file(get(), path.c_str(), &raw);
        return program(raw);
    }
    Result<Program> assemble(std::string_view text) const
    {
        adead_program *raw = nullptr;
        adead_program_assemble(get(), text.data(), text.size(), &raw);
        return program(raw);
    }

    Result<Shader> load_shader(View<const std::uint8_t> spirv, const char *entry = nullptr) const
    {
        adead_shader *raw = nullptr;
        if (adead_shader_load(get(), spirv.data(), spirv.size(), entry, &raw) != ADEAD_OK) return failure<Shader>();
        return Shader(raw);
    }

    // A chain of operations on rows of so many numbers; `separate`: every step by itself, for comparisons.
    Result<Pipeline> pipeline(std::uint64_t columns, bool separate = false) const
    {
        adead_pipeline     *raw = nullptr;
        const std::uint32_t flags = separate ? ADEAD_PIPELINE_SEPARATE : 0;
        if (adead_pipeline_create(get(), columns, flags, &raw) != ADEAD_OK) return failure<Pipeline>();
        return Pipeline(raw, columns);
    }

    // ---- Operations on arrays. Views must have the elements that the shapes say, or more; results may not overlap operands
    // unless said. ----

    // Any operation of ADEAD_COMPUTE_...; `size` is filled in.
    Result<void> compute(adead_operation operation) const
    {
        operation.size = sizeof operation;
        return done(adead_compute(get(), &operation));
    }
    // c[m,n] = act(op(a)[m,k] op(b)[k,n] + bias).
    Result<void> matmul(View<const float> a, View<const float> b, View<float> c, std::uint64_t m, std::uint64_t n,
                        std::uint64_t k, const MatmulOptions &options = {}) const
    {
        adead_operation op = operation(ADEAD_COMPUTE_MATMUL_EX, {m, n, k});
        op.flags = transposed(options.transpose_a, options.transpose_b);
        if (!options.bias.empty()) op.flags |= ADEAD_FLAG_BIAS;
        op.activation = static_cast<std::uint32_t>(options.activation);
        if (!op.flags && !op.activation) { // The plain product has the same bits, and a shorter way when it is small.
            op.opcode = ADEAD_COMPUTE_MATMUL;
            return run(op, a, b, c);
        }
        return run(op, a, b, options.bias, c);
    }
    // c[m,n] = a[m,k] b[k,n], exact modulo 2^32.
    Result<void> matmul_i8(View<const std::int8_t> a, View<const std::int8_t> b, View<std::int32_t> c, std::uint64_t m,
                           std::uint64_t n, std::uint64_t k, bool transpose_a = false, bool transpose_b = false) const
    {
        adead_operation op = operation(ADEAD_COMPUTE_MATMUL_I8_EX, {m, n, k});
        op.flags = transposed(transpose_a, transpose_b);
        return run(op, a, b, c);
    }
    // Each row of [rows,cols]; y may be x.
    Result<void> softmax(View<const float> x, View<float> y, std::uint64_t rows, std::uint64_t cols) const
    {
        return run(operation(ADEAD_COMPUTE_SOFTMAX, {rows, cols}), x, y);
    }
    // Each row of [rows,cols], with gamma[cols] and beta[cols]; y may be x.
    Result<void> layernorm(View<const float> x, View<const float> gamma, View<const float> beta, View<float> y,
                           std::uint64_t rows, std::uint64_t cols, float eps) const
    {
        adead_operation op = operation(ADEAD_COMPUTE_LAYERNORM, {rows, cols});
        op.scalar = eps;
        return run(op, x, gamma, beta, y);
    }
    // q, k, v and y are [seq,dim], each of `heads` heads having dim / heads columns.
    Result<void> multihead_attention(View<const float> q, View<const float> k, View<const float> v, View<float> y,
                                     std::uint64_t seq, std::uint64_t dim, std::uint64_t heads, bool causal = false) const
    {
        adead_operation op = operation(ADEAD_COMPUTE_MULTIHEAD, {seq, dim, heads});
        if (causal) op.flags = ADEAD_FLAG_CAUSAL;
        return run(op, q, k, v, y);
    }
    Result<void> attention(View<const float> q, View<const float> k, View<const float> v, View<float> y, std::uint64_t seq,
                           std::uint64_t dim) const
    {
        return run(operation(ADEAD_COMPUTE_ATTENTION, {seq, dim}), q, k, v, y);
    }
    // y[cols,rows] = x[rows,cols] transposed.
    Result<void> transpose(View<const float> x, View<float> y, std::uint64_t rows, std::uint64_t cols) const
    {
        return run(operation(ADEAD_COMPUTE_TRANSPOSE, {rows, cols}), x, y);
    }
    // Each element; y may be x, or an operand.
    Result<void> relu(View<const float> x, View<float> y) const { return map(ADEAD_COMPUTE_RELU, x, y); }
    Result<void> sigmoid(View<const float> x, View<float> y) const { return map(ADEAD_COMPUTE_SIGMOID, x, y); }
    Result<void> tanh(View<const float> x, View<float> y) const { return map(ADEAD_COMPUTE_TANH, x, y); }
    Result<void> gelu(View<const float> x, View<float> y) const { return map(ADEAD_COMPUTE_GELU, x, y); }
    Result<void> gelu_tanh(View<const float> x, View<float> y) const { return map(ADEAD_COMPUTE_GELU_TANH, x, y); }
    Result<void> silu(View<const float> x, View<float> y) const { return map(ADEAD_COMPUTE_SILU, x, y); }
    Result<void> exp(View<const float> x, View<float> y) const { return map(ADEAD_COMPUTE_EXP, x, y); }
    Result<void> log(View<const float> x, View<float> y) const { return map(ADEAD_COMPUTE_LOG, x, y); }
    Result<void> sin(View<const float> x, View<float> y) const { return map(ADEAD_COMPUTE_SIN, x, y); }
    Result<void> cos(View<const float> x, View<float> y) const { return map(ADEAD_COMPUTE_COS, x, y); }
    Result<void> erf(View<const float> x, View<float> y) const { return map(ADEAD_COMPUTE_ERF, x, y); }
    Result<void> add(View<const float> a, View<const float> b, View<float> y) const
    {
        return pairs(ADEAD_COMPUTE_ADD, a, b, y);
    }
    Result<void> sub(View<const float> a, View<const float> b, View<float> y) const
    {
        return pairs(ADEAD_COMPUTE_SUB, a, b, y);
    }
    Result<void> mul(View<const float> a, View<const float> b, View<float> y) const
    {
        return pairs(ADEAD_COMPUTE_MUL, a, b, y);
    }
    Result<void> div(View<const float> a, View<const float> b, View<float> y) const
    {
        return pairs(ADEAD_COMPUTE_DIV, a, b, y);
    }

private:
    static Result<Program> program(adead_program *raw) // which stays NULL on failure
    {
        if (!raw) return failure<Program>();
        return Program(raw);
    }
    static adead_operation operation(std::uint32_t opcode, Dims dims) noexcept
    {
        adead_operation op = {};
        std::size_t     at = 0;
        op.opcode = opcode;
        for (std::uint64_t dim : dims) op.dims[at++] = dim;
        return op;
    }
    static std::uint32_t transposed(bool a, bool b) noexcept
    {
        std::uint32_t flags = 0;
        if (a) flags |= ADEAD_FLAG_TRANSPOSE_A;
        if (b) flags |= ADEAD_FLAG_TRANSPOSE_B;
        return flags;
    }
    template <class... Views> Result<void> run(adead_operation op, Views... views) const
    {
        std::size_t at = 0;
        ((op.arrays[at++] = detail::array(views)), ...);
        return compute(op);
    }
    Result<void> map(std::uint32_t opcode, View<const float> x, View<float> y) const
    {
        return run(operation(opcode, {x.size()}), x, y);
    }
    Result<void> pairs(std::uint32_t opcode, View<const float> a, View<const float> b, View<float> y) const
    {
        return run(operation(opcode, {a.size()}), a, b, y);
    }
    detail::Handle<adead_runtime, adead_runtime_destroy> raw_;
};

// ---- What is kept between runs (docs/vulkan.md) -----------------------------------------------------------------------

// A file in the folder where backends keep what need not be found out again; `modified` is in seconds since 1970.
struct CacheFile {
    std::string   name;
    std::uint64_t bytes;
    std::int64_t  modified;
};

// The files, in no order.
inline Result<std::vector<CacheFile>> cache_files()
{
    using Files = std::vector<CacheFile>;
    Files files;
    auto keep = [](void *context, const adead_cache_row *row) noexcept {
        static_cast<Files *>(context)->push_back({row->name, row->bytes, row->modified});
    };
    if (adead_cache_files(keep, &files, nullptr, 0) != ADEAD_OK) return failure<Files>();
    return files;
}
// The path of that folder; empty: nothing is kept.
inline Result<std::string> cache_folder()
{
    char path[4096];
    if (adead_cache_files(nullptr, nullptr, path, sizeof path) != ADEAD_OK) return failure<std::string>();
    return std::string(path);
}
// Removes the files, and says how many.
inline Result<std::uint32_t> cache_clear()
{
    std::uint32_t removed = 0;
    if (adead_cache_clear(&removed) != ADEAD_OK) return failure<std::uint32_t>();
    return removed;
}

} // namespace throwing or expecting
} // namespace adead

#endif
