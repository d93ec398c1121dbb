#!/usr/bin/env python3
"""Computes the digits classifier's logits with numpy alone and compares their digest with tests/golden/digests.txt.

    python3 tools/check_digits.py             # from the repository root; needs numpy

Independent of the machine: it reads weights and images from hex/programs/digits.asm and does the contraction as
docs/numerics.md defines it (both have at most 256 terms, so one ascending chain of fused multiply-adds), with each fma
rounded to odd in f64 first, which makes the rounding to f32 exact.
"""
import hashlib
import pathlib
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent


def read_source():
    """The `.f32` values behind each label, and behind `.default images` under that name."""
    values, name = {}, None
    for line in (ROOT / "hex" / "programs" / "digits.asm").read_text().splitlines():
        code = line.split(";")[0].strip()
        if code.startswith(".default"):
            name = code.split()[1]
        elif code.endswith(":"):
            name = code[:-1]
        elif code.startswith(".f32"):
            values.setdefault(name, []).extend(np.float32(v) for v in code[4:].split(","))
    return {k: np.array(v, dtype=np.float32) for k, v in values.items()}


def fma(a, b, c):
    """f32(a * b + c), rounded once. The product is exact in f64; the sum is rounded to odd there, then to f32."""
    p, c = a.astype(np.float64) * b.astype(np.float64), c.astype(np.float64)
    s = p + c
    t = s - p
    error = (p - (s - t)) + (c - t)
    bits = s.view(np.int64)
    even = (bits & 1) == 0
    toward = np.where((error > 0) == (s > 0), 1, -1)
    odd = np.where((error != 0) & even, bits + toward, bits)
    return odd.view(np.float64).astype(np.float32)


def product(x, w, bias):
    total = np.zeros((len(x), w.shape[1]), dtype=np.float32)
    for k in range(w.shape[0]):
        total = fma(np.broadcast_to(x[:, k:k + 1], total.shape), np.broadcast_to(w[k:k + 1], total.shape), total)
    return total + bias


def logits(source, images):
    hidden = product(images, source["w1"].reshape(64, -1), source["bias1"])
    hidden = np.where(hidden > 0, hidden, np.float32(0))
    return product(hidden, source["w2"].reshape(-1, 10), source["bias2"])


def main():
    source = read_source()
    images = np.load(ROOT / "tests" / "golden" / "digits_heldout.npy")
    labels = np.load(ROOT / "tests" / "golden" / "digits_heldout_labels.npy")
    right = int((logits(source, images).argmax(1) == labels).sum())
    print(f"held out: {right} of {len(labels)} right")

    digest = hashlib.sha256(logits(source, source["images"].reshape(-1, 64)).tobytes()).hexdigest()
    golden = dict(reversed(line.split()) for line in (ROOT / "tests" / "golden" / "digests.txt").read_text().splitlines())
    print(f"{digest}  digits/logits")
    if golden.get("digits/logits") != digest:
        sys.exit(f"digests.txt has {golden.get('digits/logits')}")
    print("the same as in digests.txt")


if __name__ == "__main__":
    main()
