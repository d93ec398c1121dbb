"""How what is generated for a backend (shaders, kernels) is packed for the library; backends/unpack.c takes it apart."""
import struct


def varint(value):
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


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


def lines_of(packed):
    """The lines of an array of uint64_t."""
    padded = packed + bytes(-len(packed) % 8)
    numbers = [f"0x{n:016x}," for n in struct.unpack(f"<{len(padded) // 8}Q", padded)]
    return ["    " + " ".join(numbers[i:i + 6]) for i in range(0, len(numbers), 6)]
