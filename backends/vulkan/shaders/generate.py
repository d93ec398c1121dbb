#!/usr/bin/env python3
"""Makes ../spirv.inc of the shaders: each compiled by glslangValidator for every operation that it can be and every path of
fma, stripped, every floating-point operation marked NoContraction, validated, and all together packed.

    generate.py           writes spirv.inc
    generate.py --check   says whether spirv.inc is what the shaders give, in the tests' protocol; needs the compiler that
                          its head names
    generate.py --keep DIR   leaves the modules in a folder, NAME.WHAT.PATH.spv, and lists their sizes
"""
import hashlib, os, re, shutil, struct, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", "..", ".."))
TARGET = os.path.join(HERE, "..", "spirv.inc")
sys.path.insert(0, os.path.join(ROOT, "backends"))
from pack import bytes_in, expanded, lines_of, squeezed, varint
# Shaders that are another's source with a macro.
VARIANTS = {"matmul_i8": ("matmul", "INT8")}
OPTIMIZE = ["--ccp", "--eliminate-dead-branches", "--merge-blocks", "--eliminate-dead-functions",
            "--eliminate-dead-variables", "--eliminate-dead-const"]


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


PATHS = ("NATIVE", "WIDE", "INTEGERS")  # as adead_vk_path
ANY = 255  # the module has no fma


def whats(name):
    """What a shader may be: the numbers of numbers.h that it takes as WHAT."""
    text = open(os.path.join(HERE, "numbers.h")).read()
    prefixes = {"map": "(?:FUNCTION|MAP)", "rows": "ROWS", "matmul": "ELEMENT", "dot": "ELEMENT", "move": "MOVE",
                "probe": "PROBES"}
    if name == "matmul_i8":
        return [3]  # ELEMENT_I8
    found = re.findall(rf"^#define {prefixes[name]}_(\w+) (\d+)", text, re.M)
    return [int(number) for word, number in found if word not in ("NONE", "TILE", "I8")]


def compiled(name, folder, what, path):
    source, macro = VARIANTS.get(name, (name, None))
    raw, small = os.path.join(folder, "raw.spv"), os.path.join(folder, f"{name}.{what}.{path}.spv")
    command = ["glslangValidator", "-V", "--target-env", "vulkan1.1", "-S", "comp", "-I" + folder, "-I" + HERE, "-o", raw]
    command += [f"-DWHAT={what}", f"-DPATH_FMA={PATHS.index(path)}"] + (["-D" + macro] if macro else [])
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


EXTENDED, FMA = 12, 50


def has_fma(data):
    words = struct.unpack(f"<{len(data) // 4}I", data)
    return any(i[0] & 0xFFFF == EXTENDED and i[4] == FMA for i in instructions(words))


def modules(folder):
    """(shader, what, path of fma, module), where the path is ANY if the shader has no fma."""
    open(os.path.join(folder, "adn1.glsl"), "w").write(constants())
    made = []
    for number, name in enumerate(shader_names()):
        for what in whats(name):
            native = compiled(name, folder, what, "NATIVE")
            if not has_fma(native):
                made.append((number, what, ANY, native))
                continue
            made += [(number, what, 0, native)]
            made += [(number, what, path, compiled(name, folder, what, PATHS[path])) for path in (1, 2)]
    return made


# ---- Packing: spirv.c takes it apart ----
#
# The modules are cut into chunks, which they share: each instruction before the functions is one, and each function.
# What is global (types, constants, variables, functions) has one id in all modules; ids inside functions are counted from
# where the function begins.

# Operands by opcode: R result, I id, i ids to the end, L number, l numbers to the end, S switch (number, label).
OPERANDS = {
    17: "L", 10: "l", 11: "Rl", 14: "LL", 16: "Il", 71: "Il", 72: "ILl", 19: "R", 20: "R", 21: "RLL", 22: "RL", 23: "RIL",
    28: "RII", 29: "RI", 30: "Ri", 32: "RLI", 33: "Ri", 41: "IR", 42: "IR", 43: "IRl", 44: "IRi", 48: "IR", 49: "IR",
    50: "IRl", 51: "IRi", 52: "IRLi", 1: "IR", 59: "IRLi", 54: "IRLI", 55: "IR", 56: "", 57: "IRi", 61: "IRIl", 62: "IIl",
    65: "IRi", 12: "IRILi", 79: "IRIIl", 80: "IRi", 81: "IRIl", 82: "IRIIl", 224: "III", 245: "IRi", 246: "IIl", 247: "IL",
    248: "R", 249: "I", 250: "IIIl", 251: "IIS", 253: "", 254: "I", 255: "",
}
DEBUG = {3, 4, 5, 6, 7, 8, 317}  # Source ... Line, NoLine
NAME, FUNCTION, ENTRY_POINT, MEMBER_DECORATE, BLOCK_TYPES, SPEC_OP, EXTRACT = 5, 54, 15, 72, (30, 59), 52, 81


def kinds_of(i):
    """A letter for each word after the first: R, I or L."""
    op, count = i[0] & 0xFFFF, len(i) - 1
    if op == ENTRY_POINT:
        name = next(n for n in range(2, count) if i[n + 1] >> 24 == 0) - 1  # the word that ends the name
        return "LI" + "L" * name + "I" * (count - 2 - name)
    pattern = "IRLIl" if op == SPEC_OP and i[3] == EXTRACT else OPERANDS.get(op)
    if pattern is None:
        assert 77 <= op <= 205, op
        pattern = "IRi"
    if pattern.endswith("S"):
        return "II" + "LI" * ((count - 2) // 2)
    if pattern and pattern[-1] in "il":
        pattern = pattern[:-1] + pattern[-1].upper() * (count - len(pattern) + 1)
    assert len(pattern) == count, (op, pattern, i)
    return pattern


SECTIONS = {17: 0, 10: 1, 11: 2, 14: 3, ENTRY_POINT: 4, 16: 5, DECORATE: 6, MEMBER_DECORATE: 6}  # then types, functions


class Library:
    """The chunks of all modules, in the order in which any of them may be put together."""

    def __init__(self):
        self.globals = {}   # what an id is -> the id
        self.chunks = {}    # (section, order, bytes) -> how many modules have it

    def number_of(self, key):
        return self.globals.setdefault(key, len(self.globals) + 1)

    def add(self, data):
        """The keys of the module's chunks."""
        words = struct.unpack(f"<{len(data) // 4}I", data)
        before, functions, names, decorations = [], [], {}, {}
        for i in instructions(words):
            op = i[0] & 0xFFFF
            if op == FUNCTION:
                functions.append([])
            if op == NAME:
                names[i[1]] = struct.pack(f"<{len(i) - 2}I", *i[2:]).split(b"\0")[0].decode()
            elif op == DECORATE and i[2] == NO_CONTRACTION or op in DEBUG:
                continue  # spirv.c decorates all arithmetic
            elif functions:
                functions[-1].append(i)
            else:
                before.append(i)
                if op in (DECORATE, MEMBER_DECORATE):
                    decorations.setdefault(i[1], []).append(i[2:])
        ids = {}
        for i in before:
            kinds = kinds_of(i)
            if "R" in kinds:
                at = kinds.index("R") + 1
                content = tuple(ids[v] if k == "I" else v for k, v in zip(kinds, i[1:]) if k != "R")
                named = i[0] & 0xFFFF in BLOCK_TYPES or 48 <= i[0] & 0xFFFF <= 50
                key = (i[0], content, names.get(i[at]) if named else None, tuple(sorted(decorations.get(i[at], []))))
                ids[i[at]] = self.number_of(key)
        for f in functions:
            ids[f[0][2]] = self.number_of(("function", names[f[0][2]]))
        keys = set()
        for i in before:
            section = SECTIONS.get(i[0] & 0xFFFF, 7)
            kinds = kinds_of(i)
            order = ids[i[kinds.index("R") + 1]] if section == 7 else 0
            keys.add((section, order, coded(i, kinds, ids, {}, 0)))
        for f in functions:
            local, text, last = {}, b"", 0
            for i in f[1:]:
                kinds = kinds_of(i)
                if "R" in kinds:
                    local[i[kinds.index("R") + 1]] = len(local) + 1
            for i in f:
                kinds = kinds_of(i)
                text += coded(i, kinds, ids, local, last)
                last += "R" in kinds and i is not f[0]
            keys.add((8, ids[f[0][2]], text))
        for key in keys:
            self.chunks[key] = self.chunks.get(key, 0) + 1
        return keys


# The two lowest bits of a varint: what it is.
NUMBER, GLOBAL, BACK, ON = range(4)


def coded(i, kinds, ids, local, last):
    """An instruction; `last` is the local result before it. Of ON, 0 is the next result, and otherwise how far it is."""
    out = varint(i[0] & 0xFFFF) + varint(len(i))
    for kind, value in zip(kinds, i[1:]):
        if kind == "L":
            out += varint(value << 2 | NUMBER)
        elif value in ids:
            out += varint(ids[value] << 2 | GLOBAL)
        elif kind == "R":
            assert local[value] == last + 1
            out += varint(ON)
        else:
            here = last + ("R" in kinds)
            away = local[value] - here
            out += varint(away << 2 | ON) if away > 0 else varint(-away << 2 | BACK)
    return bytes(out)


def head_of(made):
    """spirv.inc up to what is packed, and that."""
    library = Library()
    modules = [library.add(data) for _, _, _, data in made]
    order = sorted(library.chunks)
    stream, places = bytearray(), []
    for _, _, text in order:
        stream += varint(len(text)) + text
    for keys in modules:
        places.append(len(stream))
        last = -1
        for number, key in enumerate(order):
            if key in keys:
                stream += varint(number - last)
                last = number
        stream += varint(0)
    version = tools()
    lines = ["/* Generated from shaders/ by shaders/generate.py with glslangValidator " + version + ": do not edit. */", "",
             "/* Shader, what it is, path of fma, words, and where the list of its chunks begins. */",
             "static const module modules[] = {"]
    for (number, what, path, data), place in zip(made, places):
        lines.append(f"    {{{number}, {what}, {path}, {words_of(data)}, {place}}},")
    lines += ["};", "", f"enum {{ GLOBALS = {len(library.globals)}, STREAM = {len(stream)} }};", ""]
    digest = hashlib.sha256(b"".join(data for _, _, _, data in made)).hexdigest()
    lines += [f"/* {sum(4 * words_of(data) for _, _, _, data in made)} bytes of SPIR-V, from modules with the SHA-256",
              f" * {digest}. */", "static const uint64_t packed[] = {"]
    return "\n".join(lines) + "\n", bytes(stream)


def words_of(data):
    """Words without what is for debugging, at most: equal instructions become one."""
    words = struct.unpack(f"<{len(data) // 4}I", data)
    return 5 + sum(len(i) for i in instructions(words) if i[0] & 0xFFFF not in DEBUG)


def tools():
    """The compiler's version, as the head of spirv.inc has it; None where a tool is missing."""
    if not all(shutil.which(tool) for tool in ("glslangValidator", "spirv-opt", "spirv-val")):
        return None
    return run("glslangValidator", "--version").splitlines()[0].split("Version:")[-1].strip()


def check():
    """One line in the tests' protocol, and the counts."""
    here, committed = tools(), open(TARGET).read()
    made_with = re.search(r"with glslangValidator (\S+):", committed).group(1)
    if here is None:
        outcome = "SKIP", ": there are no shader compilers here (Debian: apt-get install glslang-tools spirv-tools)"
    elif here != made_with:
        outcome = "SKIP", f": cannot run: spirv.inc was made with glslangValidator {made_with}, and here is {here}"
    else:
        with tempfile.TemporaryDirectory() as folder:
            head, stream = head_of(modules(folder))
            same = committed.startswith(head) and expanded(bytes_in(committed)) == stream
        outcome = ("PASS", "") if same else ("FAIL", ": spirv.inc is not what its shaders give: run shaders/generate.py")
    print(f"{outcome[0]} spirv.modules{outcome[1]}")
    counts = [(outcome[0] == "PASS", "passed"), (outcome[0] == "FAIL", "failed"), (outcome[0] == "SKIP", "skipped")]
    print("spirv:", ", ".join(f"{int(count)} {word}" for count, word in counts))
    sys.exit(outcome[0] == "FAIL")


def main():
    if "--check" in sys.argv:
        check()
    if "--keep" in sys.argv:
        folder = sys.argv[sys.argv.index("--keep") + 1]
        os.makedirs(folder, exist_ok=True)
        names = shader_names()
        for number, what, path, data in modules(folder):
            print(names[number], what, path, len(data))
        return
    with tempfile.TemporaryDirectory() as folder:
        head, stream = head_of(modules(folder))
    open(TARGET, "w").write(head + "\n".join(lines_of(squeezed(stream)) + ["};"]) + "\n")


main()
