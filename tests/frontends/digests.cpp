// The sample programs from C++: see digests.c.
#include "ffi/include/adead.hpp"

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

static void show(const adead::Digest &digest, const std::string &program, const std::string &output)
{
    std::printf("%s  %s/%s\n", adead::hex(digest).c_str(), program.c_str(), output.c_str());
}

static void run(adead::Runtime &runtime, const std::string &name, const std::vector<float> *images)
{
    auto        program = runtime.load_file("hex/programs/" + name + ".hex");
    auto        instance = program.instance();
    std::string stream;
    instance.on_write([&](adead::View<const std::uint8_t> bytes) {
        stream.append(bytes.begin(), bytes.end());
        return true;
    });
    if (images) instance.set_input<float>("images", {images->size() / 64, 64}, *images);
    instance.run();
    for (std::uint32_t i = 0; i < program.info().outputs; i++) {
        const char *output = program.output(i).name;
        show(instance.digest(output), images ? "heldout" : name, output);
    }
    adead::Digest digest;
    adead_sha256_digest(stream.data(), stream.size(), digest.data());
    if (!images) show(digest, name, "stream");
}

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    try {
        adead::Runtime    runtime(argv[1]);
        std::ifstream     file(argv[2], std::ios::binary);
        std::string       text{std::istreambuf_iterator<char>(file), {}};
        std::size_t       start = 10 + static_cast<unsigned char>(text.at(8)) + 256 * static_cast<unsigned char>(text.at(9));
        std::vector<float> images((text.size() - start) / sizeof(float));
        text.copy(reinterpret_cast<char *>(images.data()), images.size() * sizeof(float), start);
        for (int i = 3; i < argc; i++) run(runtime, argv[i], nullptr);
        run(runtime, "digits", &images);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
