// The loop of calls.zig in C++: Runtime::matmul on views.
#include "ffi/include/adead.hpp"

extern "C" void *calls_cpp_runtime() { return new adead::Runtime; }

extern "C" int calls_cpp(void *runtime, const float *a, const float *b, float *c, std::uint32_t count)
{
    const adead::Runtime &r = *static_cast<adead::Runtime *>(runtime);
    for (std::uint32_t i = 0; i < count; i++)
        r.matmul(adead::View<const float>(a, 16), adead::View<const float>(b, 16), adead::View<float>(c, 16), 4, 4, 4);
    return 0;
}
