"""PEP 517 build backend: one `zig build-lib` makes the extension module, the rest is zip and tar.

Zig is the only compiler needed, and pip brings it (the package `ziglang`). ADEAD_ZIG=/path/to/zig uses another one of the
same version; nothing is fetched then. What the C files are compiled with is said once, in build.zig, and read from there.
The C sources are those of the checkout around this folder, or the copy in `csrc/` that an sdist carries.
"""

import base64
import gzip
import hashlib
import io
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path

import adead_cdef

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE / "csrc" if (HERE / "csrc").is_dir() else HERE.parent.parent
ZIG_VERSION = "0.16.0"
GLIBC = "2.17"
# What of the project an sdist needs; tests, documents and programs stay behind.
C_FOLDERS = ["opcodes", "vm", "alloc", "hex", "backends", "ffi", "cli"]
C_FILES = ["build.zig", "build.zig.zon", "LICENSE"]
OWN_FOLDERS = ["adead", "backend", "native", "tests"]
OWN_FILES = ["pyproject.toml", "README.md", "test.py"]


# ---- What is built --------------------------------------------------------------------------------------------------


def _read(path):
    return path.read_text(encoding="utf-8")


def _zig_list(name):
    """The strings of a `const NAME = [_]...{ ... };` of build.zig."""
    match = re.search(rf"^const {name} = \[_\][^{{]*\{{(.*?)^\}};", _read(ROOT / "build.zig"), re.S | re.M)
    if not match:
        raise RuntimeError(f"build.zig has no list {name}")
    return re.findall(r'"([^"]*)"', re.sub(r"//.*", "", match[1]))


def version():
    return re.search(r'\.version = "([^"]+)"', _read(ROOT / "build.zig.zon"))[1]


def _project():
    return tomllib.loads(_read(HERE / "pyproject.toml"))["project"]


def _musl():
    return "musl" in (sysconfig.get_config_var("HOST_GNU_TYPE") or "")


def _platform():
    """(Zig's target, the wheel's platform tag) of the Python that runs this."""
    system = sys.platform
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    if system == "linux" and _musl():
        return f"{machine}-linux-musl", f"musllinux_1_2_{machine}"
    if system == "linux":
        return f"{machine}-linux-gnu.{GLIBC}", f"manylinux_{GLIBC.replace('.', '_')}_{machine}"
    if system == "darwin":
        name = "arm64" if machine == "aarch64" else machine
        return f"{machine}-macos.11.0", f"macosx_11_0_{name}"
    if system == "win32":
        return f"{machine}-windows-gnu", "win_arm64" if machine == "aarch64" else "win_amd64"
    raise RuntimeError(f"adead does not know the system {system}")


def _tag():
    return f"cp311-abi3-{_platform()[1]}"


def _check_python():
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise RuntimeError("adead's extension module needs CPython's stable ABI, which this Python does not have")


# ---- Compiling ------------------------------------------------------------------------------------------------------


def _zig():
    """The command line that starts Zig."""
    given = os.environ.get("ADEAD_ZIG")
    command = [given] if given else [sys.executable, "-m", "ziglang"]
    answer = subprocess.run([*command, "version"], capture_output=True, text=True, check=True).stdout.strip()
    if answer != ZIG_VERSION:
        raise RuntimeError(f"Zig {ZIG_VERSION} is needed, {' '.join(command)} is {answer}")
    return command


def _sources():
    """The C files of the library and of the command, as build.zig finds them: (files for size, files for speed)."""
    hot = set(_zig_list("hot_files"))
    machine = [p for p in _zig_list("machine_folders")]
    small, fast = [], []
    for folder in machine:
        for file in sorted((ROOT / folder).glob("*.c")):
            (fast if f"{folder}/{file.name}" in hot else small).append(file)
    fast += sorted((ROOT / "backends").rglob("*.c")) + sorted((ROOT / "ffi").glob("*.c"))
    small += sorted(f for f in (ROOT / "cli").glob("*.c") if f.name != "main.c")
    return small, fast


def _link_options(work):
    """What it takes to leave Python's own symbols to the process that loads the module."""
    if sys.platform == "darwin":
        return ["-fallow-shlib-undefined"]
    if sys.platform == "win32":
        return [f"-L{Path(sys.base_prefix) / 'libs'}", "-lpython3"]
    script = work / "exports.map"
    script.write_text("{ global: PyInit__adead; PyInit__fast; local: *; };\n")
    return ["-fallow-shlib-undefined", "--version-script", str(script)]


def compile_extension(output):
    """Compiles library, command and both modules into the file `output`."""
    _check_python()
    target = _platform()[0]
    header = _read(ROOT / "ffi/include/adead.h")
    number = version()
    major, minor, patch = number.split(".")[:3]
    flags = [*_zig_list("c_flags"), f"-fmacro-prefix-map={ROOT}/="]
    limited = "-DPy_LIMITED_API=0x030B0000"
    small, fast = _sources()
    with tempfile.TemporaryDirectory(prefix="adead-") as folder:
        work = Path(folder)
        adead_cdef.write_module(header, work / "_adead.c")
        command = [*_zig(), "build-lib", "-dynamic", "--name", "_adead", f"-femit-bin={output}"]
        command += ["-target", target, "-mcpu=baseline", "-OReleaseFast", "-fstrip", "-fPIC", "-fomit-frame-pointer"]
        command += ["-fno-unwind-tables", "-fno-sanitize-c", "-lc", f"-I{ROOT}", f"-I{ROOT / 'ffi/include'}"]
        command += [f'-DADEAD_VERSION="{number}"', f"-DADEAD_VERSION_MAJOR={major}"]
        command += [f"-DADEAD_VERSION_MINOR={minor}", f"-DADEAD_VERSION_PATCH={patch}"]
        command += _link_options(work)
        groups = [
            (["-Os"], small),
            ([], fast),
            # The command's main becomes a function of the module.
            (["-Os", "-Dmain=adead_main"], [ROOT / "cli/main.c"]),
            ([limited, f"-I{sysconfig.get_paths()['include']}"], sorted((HERE / "native").glob("*.c"))),
            (["-Os", "-w", limited, f"-I{sysconfig.get_paths()['include']}"], [work / "_adead.c"]),
        ]
        for more, files in groups:
            command += ["-cflags", *flags, *more, "--", *map(str, files)]
        environment = dict(os.environ)
        home = environment.get("HOME", "")
        if "ZIG_GLOBAL_CACHE_DIR" not in environment and not (home and os.access(home, os.W_OK)):
            environment["ZIG_GLOBAL_CACHE_DIR"] = str(work / "cache")
        environment.setdefault("ZIG_LOCAL_CACHE_DIR", str(work / "local"))
        if subprocess.run(command, env=environment, cwd=work).returncode:
            raise RuntimeError("Zig could not compile the C sources; what it said stands above")


# ---- Metadata and archives ------------------------------------------------------------------------------------------


def _metadata():
    project = _project()
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {project['name']}",
        f"Version: {version()}",
        f"Summary: {project['description']}",
        f"Keywords: {','.join(project['keywords'])}",
        f"License-Expression: {project['license']}",
        "License-File: LICENSE",
        f"Requires-Python: {project['requires-python']}",
    ]
    lines += [f"Classifier: {c}" for c in project["classifiers"]]
    lines += [f"Requires-Dist: {d}" for d in project["dependencies"]]
    for extra, needs in project["optional-dependencies"].items():
        lines += [f"Provides-Extra: {extra}"] + [f"Requires-Dist: {d}; extra == '{extra}'" for d in needs]
    lines += ["Description-Content-Type: text/markdown", "", _read(HERE / "README.md")]
    return "\n".join(lines)


def _dist_info():
    """The files of the .dist-info folder but RECORD, as {name: bytes}."""
    scripts = "".join(f"{name} = {target}\n" for name, target in _project()["scripts"].items())
    wheel = f"Wheel-Version: 1.0\nGenerator: adead_build\nRoot-Is-Purelib: false\nTag: {_tag()}\n"
    texts = {"METADATA": _metadata(), "WHEEL": wheel, "entry_points.txt": f"[console_scripts]\n{scripts}"}
    files = {name: text.encode() for name, text in texts.items()}
    files["licenses/LICENSE"] = (ROOT / "LICENSE").read_bytes()
    return files


def _package_files():
    wanted = {".py", ".pyi", ".typed"}
    return [f for f in sorted((HERE / "adead").iterdir()) if f.suffix in wanted or f.name == "py.typed"]


def _hash(data):
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _write_wheel(path, files):
    """The same files make the same wheel: order and times are fixed."""
    info = f"adead-{version()}.dist-info"
    record = "".join(f"{name},{_hash(data)},{len(data)}\n" for name, data in files) + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as wheel:
        for name, data in [*files, (f"{info}/RECORD", record.encode())]:
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            wheel.writestr(entry, data)


def _extension_name():
    return "_adead.pyd" if sys.platform == "win32" else "_adead.abi3.so"


# ---- The hooks of PEP 517 -------------------------------------------------------------------------------------------


def get_requires_for_build_wheel(config_settings=None):
    return [] if os.environ.get("ADEAD_ZIG") else [f"ziglang=={ZIG_VERSION}"]


def get_requires_for_build_sdist(config_settings=None):
    return []


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    name = f"adead-{version()}.dist-info"
    for file, data in _dist_info().items():
        path = Path(metadata_directory) / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return name


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = f"adead-{version()}-{_tag()}.whl"
    with tempfile.TemporaryDirectory(prefix="adead-") as folder:
        extension = Path(folder) / _extension_name()
        compile_extension(extension)
        files = [(f"adead/{f.name}", f.read_bytes()) for f in _package_files()]
        files.append((f"adead/{extension.name}", extension.read_bytes()))
    files += [(f"adead-{version()}.dist-info/{n}", data) for n, data in _dist_info().items()]
    _write_wheel(Path(wheel_directory) / name, files)
    return name


def build_sdist(sdist_directory, config_settings=None):
    base = f"adead-{version()}"
    members = [(f"{base}/PKG-INFO", _metadata().encode())]
    members += [(f"{base}/{f}", (HERE / f).read_bytes()) for f in OWN_FILES]
    members += [(f"{base}/csrc/{f}", (ROOT / f).read_bytes()) for f in C_FILES]
    for root, prefix, folders in ((HERE, base, OWN_FOLDERS), (ROOT, f"{base}/csrc", C_FOLDERS)):
        for folder in folders:
            for file in sorted((root / folder).rglob("*")):
                suffixes = {".py", ".pyi", ".typed", ".c", ".h", ".def", ".inc", ".lock"}
                if file.is_file() and (file.suffix in suffixes or file.name == "py.typed"):
                    members.append((f"{prefix}/{file.relative_to(root).as_posix()}", file.read_bytes()))
    path = Path(sdist_directory) / f"{base}.tar.gz"
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for name, data in members:
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    return path.name


def main():
    """`python adead_build.py FOLDER`: makes a wheel there, without pip."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    print(folder / build_wheel(folder))


if __name__ == "__main__":
    main()
