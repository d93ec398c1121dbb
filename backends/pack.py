"""How what is generated for a backend (shaders, kernels) is packed for the library; backends/unpack.c takes it apart."""
import lzma, re, struct

FILTERS = [{"id": lzma.FILTER_LZMA1, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "lp": 0, "pb": 0, "dict_size": 1 << 20}]


def varint(value):
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def squeezed(data):
    return lzma.compress(data, format=lzma.FORMAT_RAW, filters=FILTERS)


def expanded(packed):
    return lzma.LZMADecompressor(format=lzma.FORMAT_RAW, filters=FILTERS).decompress(packed)


def lines_of(packed):
    """The lines of an array of uint64_t."""
    padded = packed + bytes(-len(packed) % 8)
    numbers = [f"0x{n:016x}," for n in struct.unpack(f"<{len(padded) // 8}Q", padded)]
    return ["    " + " ".join(numbers[i:i + 6]) for i in range(0, len(numbers), 6)]


def bytes_in(text):
    """The opposite of lines_of: what a file with such an array holds."""
    numbers = [int(n, 16) for n in re.findall(r"0x([0-9a-f]{16}),", text)]
    return struct.pack(f"<{len(numbers)}Q", *numbers)
