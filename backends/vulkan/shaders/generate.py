#!/usr/bin/env python3
"""Makes ../spirv.inc of the shaders: each compiled by glslangValidator for devices with f64 and for those without, stripped,
every floating-point operation marked NoContraction, validated, and all together compressed.

    generate.py           writes spirv.inc
    generate.py --check   says whether spirv.inc is what the shaders give (with the tools' versions that its head names)
    generate.py --keep DIR   leaves the modules in a folder: NAME.spv, NAME.f64.spv
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


def compiled(name, folder, float64):
    source, macro = VARIANTS.get(name, (name, None))
    raw, small = os.path.join(folder, "raw.spv"), os.path.join(folder, name + (".f64" if float64 else "") + ".spv")
    command = ["glslangValidator", "-V", "--target-env", "vulkan1.1", "-S", "comp", "-I" + folder, "-I" + HERE, "-o", raw]
    command += ["-D" + macro] if macro else []
    command += ["-DFLOAT64"] if float64 else []
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


def modules(folder):
    open(os.path.join(folder, "adn1.glsl"), "w").write(constants())
    return [(name, float64, compiled(name, folder, float64)) for name in shader_names() for float64 in (False, True)]


# ---- Packing: spirv.c takes it apart ----

# The forms of instructions, by opcode, as form_of in spirv.c has them. Ids are written as distances from the last result.
RAW, RESULT, USES, LABEL = range(4)


def form_of(op):
    if op == 248:
        return LABEL
    if op in (62, 71, 246, 247, 249, 250, 254):
        return USES
    return RESULT if op in (12, 57, 59, 61, 65) or 44 <= op <= 52 or 77 <= op <= 82 or 124 <= op <= 215 or op == 245 else RAW


def varint(value):
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return out + bytes([value])


def distance(value):
    value = (value + (1 << 31)) % (1 << 32) - (1 << 31)
    return varint((value << 1 ^ value >> 31) & 0xFFFFFFFF)


def flattened(data):
    """A module as bytes: most of its numbers in one, and the same for the same code in another place."""
    words = struct.unpack(f"<{len(data) // 4}I", data)
    out, last = bytearray(varint(words[3])), 0
    for i in instructions(words):
        op, rest = i[0] & 0xFFFF, list(i[1:])
        out += varint(op) + varint(i[0] >> 16)
        form = form_of(op)
        if form == RESULT:
            out += varint(rest.pop(0))
        if form in (RESULT, LABEL):
            out += distance(rest[0] - last)
            last = rest.pop(0)
        for value in rest:
            out += varint(value) if form == RAW else distance(last - value)
    return bytes(out)


LEAST, MOST, CHAIN = 4, 4 + 255, 256


def squeezed(data):
    """Eight items after a byte of flags: a byte, or a length less LEAST and a varint of how far back the same bytes are."""
    places, out, items, flags, at = {}, bytearray(), bytearray(), [], 0

    def best_at(at):
        best = (0, 0)
        for p in reversed(places.get(data[at:at + LEAST], [])[-CHAIN:]):
            length = LEAST
            while length < MOST and at + length < len(data) and data[p + length] == data[at + length]:
                length += 1
            if length - len(varint(at - p)) > best[0] - len(varint(best[1])):
                best = (length, at - p)
        return best

    def remember(begin, end):
        for p in range(begin, end):
            places.setdefault(data[p:p + LEAST], []).append(p)

    while at < len(data):
        length, back = best_at(at)
        if length >= LEAST and length - len(varint(back)) > 1:
            remember(at, at + 1)
            later = best_at(at + 1)[0]
            if later > length + 1:
                length = 0
            else:
                remember(at + 1, at + length)
        else:
            length = 0
            remember(at, at + 1)
        flags.append(length > 0)
        items += bytes([length - LEAST]) + varint(back) if length else data[at:at + 1]
        at += max(length, 1)
        if len(flags) == 8 or at >= len(data):
            out += bytes([sum(f << n for n, f in enumerate(flags))]) + items
            items, flags = bytearray(), []
    return bytes(out)


def text_of(made):
    flat = [flattened(data) for _, _, data in made]
    packed = squeezed(b"".join(flat))
    version = run("glslangValidator", "--version").splitlines()[0].split("Version:")[-1].strip()
    lines = ["/* Generated from shaders/ by shaders/generate.py with glslangValidator " + version + ": do not edit. */", "",
             "/* Words of each module, without f64 and with it, and where its bytes end. */",
             "static const uint32_t module_words[][2] = {"]
    rows, ends, end = [], [], 0
    for (name, float64, data), f in zip(made, flat):
        end += len(f)
        rows.append(len(data) // 4)
        ends.append(end)
    for table in (rows, ends):
        lines += [f"    {{{table[i]}, {table[i + 1]}}}," for i in range(0, len(table), 2)]
        lines += ["};", "", "static const uint32_t module_ends[][2] = {"] if table is rows else ["};", ""]
    digest = hashlib.sha256(b"".join(data for _, _, data in made)).hexdigest()
    lines += [f"/* {sum(4 * r for r in rows)} bytes of SPIR-V with the SHA-256 {digest}. */",
              "static const uint64_t packed[] = {"]
    padded = packed + bytes(-len(packed) % 8)
    numbers = [f"0x{n:016x}," for n in struct.unpack(f"<{len(padded) // 8}Q", padded)]
    lines += ["    " + " ".join(numbers[i:i + 6]) for i in range(0, len(numbers), 6)] + ["};"]
    return "\n".join(lines) + "\n"


def main():
    if "--keep" in sys.argv:
        folder = sys.argv[sys.argv.index("--keep") + 1]
        os.makedirs(folder, exist_ok=True)
        for name, float64, data in modules(folder):
            print(name, "f64" if float64 else "", len(data))
        return
    with tempfile.TemporaryDirectory() as folder:
        text = text_of(modules(folder))
    if "--check" not in sys.argv:
        open(TARGET, "w").write(text)
    elif open(TARGET).read() != text:
        sys.exit("backends/vulkan/spirv.inc is not what its shaders give: run backends/vulkan/shaders/generate.py")


main()
