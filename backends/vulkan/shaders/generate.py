#!/usr/bin/env python3
"""Makes ../spirv.inc of the shaders: each compiled by glslangValidator for devices with f64 and for those without, stripped,
every floating-point operation marked NoContraction, validated, and all together compressed.

    generate.py           writes spirv.inc
    generate.py --check   says whether spirv.inc is what the shaders give (with the tools' versions that its head names)
    generate.py --keep DIR [--inexact]   leaves the modules in a folder: NAME.spv, NAME.f64.spv
"""
import hashlib, os, re, struct, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", "..", ".."))
TARGET = os.path.join(HERE, "..", "spirv.inc")
# Shaders that are another's source with a macro.
VARIANTS = {"matmul_i8": ("matmul", "INT8")}
OPTIMIZE = ["--eliminate-dead-functions", "--eliminate-dead-variables", "--eliminate-dead-const", "--strip-debug",
            "--compact-ids"]


def shader_names():
    text = open(os.path.join(HERE, "..", "shaders.h")).read()
    return re.findall(r"SHADER\((\w+)\)", re.search(r"define ADEAD_VK_SHADERS\(SHADER\)((?:.|\\\n)*?)\n\n", text).group(1))


def glsl_number(text):
    if text.endswith("f"):
        value = float.fromhex(text[:-1]) if "x" in text else float(text[:-1])
        assert struct.unpack("f", struct.pack("f", value))[0] == value, text
        return repr(value)
    return text


def constants():
    """The constants of vm/base/adn1.h in GLSL."""
    text = open(os.path.join(ROOT, "vm", "base", "adn1.h")).read().replace("\\\n", " ")
    lines = ["// Constants of vm/base/adn1.h."]
    for name, value in re.findall(r"^#define (ADN1_\w+) +(\S.*)$", text, re.M):
        items = [glsl_number(item) for item in re.findall(r"-?[0-9][0-9A-Za-z.+-]*", value.strip("{}"))]
        if value.startswith("{"):
            kind = "vec4" if len(items) == 4 else "uint[]"
            lines.append(f"#define {name} {kind}({', '.join(items)})")
        else:
            lines.append(f"#define {name} {items[0] if not items[0].startswith('-') else '(' + items[0] + ')'}")
    return "\n".join(lines) + "\n"


# ---- SPIR-V ----

DECORATE, NO_CONTRACTION = 71, 42
ARITHMETIC = {127, 129, 131, 133, 136, 140, 141, 142, 143, 144, 145, 146, 147, 148}  # FNegate ... Dot
TYPES_BEGIN = set(range(19, 40))


def instructions(words):
    at = 5
    while at < len(words):
        count = words[at] >> 16
        yield words[at:at + count]
        at += count


def marked(words):
    """The module with NoContraction on each result of floating-point arithmetic, before the types."""
    results, done = [], set()
    for i in instructions(words):
        if i[0] & 0xFFFF in ARITHMETIC:
            results.append(i[2])
        if i[0] & 0xFFFF == DECORATE and i[2] == NO_CONTRACTION:
            done.add(i[1])
    out, placed = list(words[:5]), False
    for i in instructions(words):
        if not placed and i[0] & 0xFFFF in TYPES_BEGIN:
            placed = True
            for result in results:
                if result not in done:
                    out += [3 << 16 | DECORATE, result, NO_CONTRACTION]
        out += i
    return out


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(" ".join(command) + "\n" + done.stdout)
    return done.stdout


def compiled(name, folder, float64, inexact):
    source, macro = VARIANTS.get(name, (name, None))
    raw, small = os.path.join(folder, "raw.spv"), os.path.join(folder, name + (".f64" if float64 else "") + ".spv")
    command = ["glslangValidator", "-V", "--target-env", "vulkan1.1", "-S", "comp", "-I" + folder, "-I" + HERE, "-o", raw]
    command += ["-D" + macro] if macro else []
    command += ["-DFLOAT64"] if float64 else []
    command += ["-DINEXACT"] if inexact else []
    run(*command, os.path.join(HERE, source + ".comp"))
    run("spirv-opt", "--target-env=vulkan1.1", *OPTIMIZE, raw, "-o", small)
    data = open(small, "rb").read()
    words = marked(list(struct.unpack(f"<{len(data) // 4}I", data)))
    words[2] = 0  # the generator's number
    data = struct.pack(f"<{len(words)}I", *words)
    open(small, "wb").write(data)
    run("spirv-val", "--target-env", "vulkan1.1", small)
    os.remove(raw)
    return data


def modules(folder, inexact=False):
    open(os.path.join(folder, "adn1.glsl"), "w").write(constants())
    return [(name, float64, compiled(name, folder, float64, inexact)) for name in shader_names() for float64 in (False, True)]


def main():
    if "--keep" in sys.argv:
        folder = sys.argv[sys.argv.index("--keep") + 1]
        os.makedirs(folder, exist_ok=True)
        for name, float64, data in modules(folder, "--inexact" in sys.argv):
            print(name, "f64" if float64 else "", len(data))
        return
    with tempfile.TemporaryDirectory() as folder:
        made = modules(folder)
    import zlib, lzma
    whole = b"".join(d for _, _, d in made)
    print(len(whole), len(zlib.compress(whole, 9)), len(lzma.compress(whole)))


main()
