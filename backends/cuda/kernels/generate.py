#!/usr/bin/env python3
"""Makes ../ptx.inc of the kernels: each text of kernels.h compiled by the pinned Zig to PTX, with the size of the thread
blocks of kernels.h, and all together packed.

    generate.py           writes ptx.inc
    generate.py --check   says whether ptx.inc is what the kernels give, and whether every instruction is one that the
                          canonical numerics allow, in the tests' protocol
    generate.py --keep DIR   leaves the texts in a folder, NAME.ptx, and lists their sizes
    generate.py --assemble [all]   assembles the texts in ptx.inc by NVIDIA's ptxas (ADEAD_PTXAS=PATH, or fetched), for some
                          or all architectures, and says what each kernel takes, in the tests' protocol
"""
import concurrent.futures, hashlib, os, re, shutil, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", "..", ".."))
TARGET = os.path.join(HERE, "..", "ptx.inc")
sys.path.insert(0, os.path.join(ROOT, "backends"))
from pack import bytes_in, expanded, lines_of, squeezed, varint

FLAGS = ["-x", "c", "-std=gnu23", "-target", "nvptx64-cuda-none", "-O3", "-ffp-contract=off", "-fno-math-errno", "-Wall",
         "-Wextra", "-Werror", "-Wno-unused-command-line-argument", "-Xclang", "-fcuda-short-ptr", "-mllvm",
         "-nvptx-short-ptr", "-I" + ROOT]
ELEMENTS = {"f32": 0, "half": 1}
# Thread blocks that a multiprocessor is to have room for: what limits the registers of a thread.
RESIDENT = {"product_f32_128": 2, "product_f32_64": 4, "product_i8": 2,
            "thin_f32_1": 3, "thin_half_1": 3, "thin_f32_4": 2}


def texts():
    """(name, capability) as kernels.h lists them."""
    text = open(os.path.join(HERE, "kernels.h")).read()
    listed = re.search(r"define ADEAD_CU_TEXTS\(TEXT\)((?:.|\\\n)*?)\n\n", text).group(1)
    return [(name, int(capability)) for name, capability in re.findall(r"TEXT\((\w+), (\d+)\)", listed)]


def kernels():
    """The threads of each kernel's blocks."""
    text = open(os.path.join(HERE, "kernels.h")).read()
    return {name: int(threads) for name, threads in re.findall(r"KERNEL\((\w+), \w+, (\d+)\)", text)}


def source_of(name):
    """The source of a text and the macros it is compiled with."""
    found = re.fullmatch(r"(product|thin)_(f32|half)(?:_(128|64))?(_80)?", name)
    if not found:
        return name.removesuffix("_80"), ["-DASYNC"] if name.endswith("_80") else []
    macros = [f"-DELEMENT={ELEMENTS[found[2]]}"]
    macros += [f"-DTILE={found[3]}"] if found[3] else []
    return found[1], macros + (["-DASYNC"] if found[4] else [])


def zig():
    """The pinned compiler, where it is installed."""
    for command in (shutil.which("zig"), os.path.join(ROOT, ".zig", "ziglang", "zig")):
        if command and os.path.exists(command):
            done = subprocess.run([command, "version"], stdout=subprocess.PIPE, text=True)
            if done.stdout.strip() == pinned():
                return command
    return None


def pinned():
    return re.search(r"^version=(\S+)", open(os.path.join(ROOT, "zigw")).read(), re.M).group(1)


def compiled(compiler, name, capability, folder):
    """The text of PTX, without what says nothing, registers in the order in which they are first seen."""
    source, macros = source_of(name)
    target = os.path.join(folder, name + ".ptx")
    command = [compiler, "cc", *FLAGS, f"-mcpu=sm_{capability}", *macros, "-S",
               os.path.join(HERE, source + ".cu"), "-o", target]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder)
    if done.returncode != 0:
        sys.exit(" ".join(command) + "\n" + done.stdout)
    lines = []
    for line in open(target).read().split("\n"):
        line = re.sub(r"\s+", " ", line.split("//")[0]).strip()
        if line:
            lines.append(line)
    text = "\n".join(lines) + "\n"
    text = re.sub(r"\.visible \.entry (\w+)\([^)]*\)", lambda m: m.group(0) + bounds_of(m.group(1)), text)
    os.remove(target)
    return renumbered(text)


def bounds_of(kernel):
    resident = f"\n.minnctapersm {RESIDENT[kernel]}" if kernel in RESIDENT else ""
    return f"\n.maxntid {kernels()[kernel]}, 1, 1{resident}"


# ---- Packing: ptx.c takes it apart ----
#
# A text is a list of lines, each the number of a shape and what its places hold. Shapes are lines whose registers, numbers
# and hexadecimal digits of floats are bytes above 127. A register is 0 if it is the next one of its class that was not seen
# yet, or else 1 and how far back it is from the newest; a number is doubled, and 1 less twice its size if it is negative.

CLASSES = ["%p", "%rs", "%r", "%rd", "%f", "%fd", "%h"]
REGISTER = re.compile(r"(%(?:p|rs|rd|r|fd|f|h))([0-9]+)\b")
PLACE = re.compile(REGISTER.pattern + r"|\b0f([0-9A-F]{8})\b|(?<![\w.$%])(-?[0-9]+)\b|(?<=\$L__BB)([0-9]+)|(?<=_)([0-9]+)\b")
NUMBER, FLOAT = 0x88, 0x89


def renumbered(text):
    """Registers of each function numbered from 1 on in the order of the text; its argument is called `args`."""
    out = []
    for part in re.split(r"(?=\.visible \.entry)", text):
        seen = {}

        def number(found):
            names = seen.setdefault(found[1], {})
            return found[1] + str(names.setdefault(found[2], len(names) + 1))
        out.append(REGISTER.sub(number, re.sub(r"\b\w+_param_0\b", "args", part)))
    return "".join(out)


def shape_of(line, newest):
    """A line's shape and the numbers in its places."""
    shape, values, at = "", [], 0
    for found in PLACE.finditer(line):
        shape += line[at:found.start()]
        at = found.end()
        if found[1]:
            kind, number = CLASSES.index(found[1]), int(found[2])
            last = newest.get(kind, 0)
            assert number <= last + 1
            values.append(last - number + 1)
            newest[kind] = max(last, number)
            shape += chr(0x80 + kind)
        elif found[3]:
            values.append(int(found[3], 16))
            shape += "0f" + chr(FLOAT)
        else:
            number = int(found[4] or found[5] or found[6])
            values.append(2 * number if number >= 0 else -2 * number - 1)
            shape += chr(NUMBER)
    return shape + line[at:], values


def stream_of(made):
    """The shapes, each ending with a zero, and another zero; then the lines of all texts, each ending with a shape of 0; and
    where each text begins."""
    lines = []
    for _, _, text in made:
        newest, listed = {}, []
        for line in text.split("\n")[:-1]:
            if line.startswith(".v"):
                newest.clear()
            listed.append(shape_of(line, newest))
        lines.append(listed)
    counts = {}
    for shape in (shape for listed in lines for shape, _ in listed):
        counts[shape] = counts.get(shape, 0) + 1
    shapes = sorted(counts, key=lambda shape: (counts[shape] < 16, shape if counts[shape] < 16 else "", -counts[shape], shape))
    numbers = {shape: number for number, shape in enumerate(shapes, 1)}
    stream, places = bytearray(b"".join(shape.encode("latin-1") + b"\0" for shape in shapes) + b"\0"), []
    for listed in lines:
        places.append(len(stream))
        for shape, values in listed:
            stream += varint(numbers[shape]) + b"".join(varint(value) for value in values)
        stream.append(0)
    return bytes(stream), places, len(shapes)


def made_texts(compiler):
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        os.mkdir(os.path.join(folder, "cache"))
        jobs = [(name, capability, pool.submit(compiled, compiler, name, capability, folder)) for name, capability in texts()]
        return [(name, capability, job.result()) for name, capability, job in jobs]


def head_of(made):
    """ptx.inc up to what is packed, and that."""
    stream, places, shapes = stream_of(made)
    lines = [f"/* Generated from kernels/ by kernels/generate.py with Zig {pinned()}: do not edit. */", "",
             "/* Bytes of each text with its ending zero, and where it begins. */", "static const text texts[] = {"]
    lines += [f"    {{{len(text) + 1}, {place}}}, /* {name} */" for (name, _, text), place in zip(made, places)]
    lines += ["};", "", "/* The texts that have each kernel. */", "static const kernel kernels[] = {"]
    for kernel in kernels():
        has = [number for number, (_, _, text) in enumerate(made) if f".entry {kernel}(" in text]
        assert has, kernel + " is in no text"
        lines.append(f'    {{"{kernel}", {{{", ".join(str(n) for n in (has + has)[:2])}}}}},')
    lines += ["};", "", f"enum {{ STREAM = {len(stream)}, SHAPES = {shapes} }};", ""]
    digest = hashlib.sha256(stream).hexdigest()
    lines += [f"/* {sum(len(text) for _, _, text in made)} bytes of PTX, from a stream with the SHA-256", f" * {digest}. */",
              "static const uint64_t packed[] = {"]
    return lines, stream


def kept():
    """What ptx.inc has packed."""
    return expanded(bytes_in(open(TARGET).read()))


# ---- The rules ----

EXACT = re.compile(r"(?:add|sub|mul|fma|div|sqrt|rcp)\.rn\.f32|(?:neg|abs|copysign|min|max|selp|mov)\.f32|setp\.\w+\.f32|"
                   r"cvt\.rn\.f32\.[su]32|cvt\.rzi\.s32\.f32|cvt\.f32\.f16|cvt\.rn\.f16\.f32")
FLOATING = re.compile(r"\.f(?:16|32|64)|\.bf16|\.tf32|\.f16x2")
FORBIDDEN = re.compile(r"\.(?:ftz|approx|full|sat|tf32|rz\b|rm\b|rp\b)|\bred\.|\batom\.|\bwmma|\bmad\.f")


def offences(text):
    """The instructions of a text that round in another way than the canonical numerics, or that may."""
    found = []
    for line in text.split("\n"):
        instruction = re.sub(r"^(?:@!?%p\d+ )?", "", line.strip().lstrip("{ ")).split(" ")[0]
        if instruction.startswith(".") or instruction.startswith("ld.") or instruction.startswith("st."):
            continue
        if FORBIDDEN.search(instruction) or (FLOATING.search(instruction) and not EXACT.fullmatch(instruction.rstrip(";"))):
            found.append(line)
        if instruction.startswith("mma.") and instruction != "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32":
            found.append(line)
    return found


def report(suite, outcomes):
    """Lines in the tests' protocol, and the counts."""
    for word, name, why in outcomes:
        print(f"{word} {suite}.{name}{': ' + why if why else ''}")
    counts = [(sum(word == kind for word, _, _ in outcomes), text)
              for kind, text in (("PASS", "passed"), ("FAIL", "failed"), ("SKIP", "skipped"))]
    print(f"{suite}:", ", ".join(f"{count} {text}" for count, text in counts))
    sys.exit(any(word == "FAIL" for word, _, _ in outcomes))


def check():
    compiler = zig()
    if compiler is None:
        report("ptx", [("SKIP", name, f"cannot run: there is no Zig {pinned()} here") for name in ("texts", "instructions")])
    made = made_texts(compiler)
    head, stream = head_of(made)
    same = open(TARGET).read().startswith("\n".join(head) + "\n") and kept() == stream
    wrong = [f"{name}: {line}" for name, _, text in made for line in offences(text)]
    report("ptx", [("PASS", "texts", "") if same else
                   ("FAIL", "texts", "ptx.inc is not what its kernels give: run backends/cuda/kernels/generate.py"),
                   ("PASS", "instructions", "") if not wrong else ("FAIL", "instructions", "; ".join(wrong[:4]))])


def main():
    if "--check" in sys.argv:
        check()
    compiler = zig()
    if compiler is None:
        sys.exit(f"there is no Zig {pinned()}: run ./zigw version")
    made = made_texts(compiler)
    if "--keep" in sys.argv:
        folder = sys.argv[sys.argv.index("--keep") + 1]
        os.makedirs(folder, exist_ok=True)
        for name, _, text in made:
            open(os.path.join(folder, name + ".ptx"), "w").write(text)
            print(name, len(text))
        return
    head, stream = head_of(made)
    packed = squeezed(stream)
    print(f"{len(stream)} bytes packed to {len(packed)}")
    open(TARGET, "w").write("\n".join(head + lines_of(packed) + ["};"]) + "\n")


main()
