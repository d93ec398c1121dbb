#!/usr/bin/env python3
"""Trains the digits classifier and writes hex/programs/digits.asm and its held-out test set.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install numpy scikit-learn
    /tmp/venv/bin/python tools/train_digits.py                  # from the repository root; a few seconds

Data: the 1797 handwritten digits of 8x8 pixels that scikit-learn carries (UCI optdigits). Split: of each class, in the order
of the data set, every fourth image (index mod 4 = 3) is held out and used for nothing but the final score; 1352 images
train, 445 are held out. Pixels 0..16 are divided by 16, which is exact.

Model: 64 -> 128 relu -> 10, trained with Adam on cross-entropy, with pixel noise, one-pixel shifts of every tenth image and
dropout. These settings were chosen by five-fold cross-validation inside the training part. The random numbers are
numpy's PCG64 with the seed below; matrix products may still differ in their last bits between numpy builds, so a new
training can give other weights. The committed program is the artefact: its weights have four decimals, and their f32
values are exactly what the assembler reads.
"""
import pathlib
import sys

import numpy as np
from sklearn.datasets import load_digits

SEED = 1
HIDDEN = 128
EPOCHS = 150
BATCH = 64
LEARNING_RATE = 3e-3
DECAY = 0.01
NOISE = 0.1
SHIFTED = 0.1
DROPOUT = 0.3
DECIMALS = 4
SHOWN = 8  # held-out images that the program carries as its default input

ROOT = pathlib.Path(__file__).resolve().parent.parent


def split(labels):
    """True for every fourth image of each class."""
    held_out = np.zeros(len(labels), dtype=bool)
    for digit in range(10):
        held_out[np.flatnonzero(labels == digit)[3::4]] = True
    return held_out


def disturb(pixels, random):
    """Shifts some images by one pixel in each direction and adds noise to all."""
    images = pixels.reshape(-1, 8, 8)
    for axis in (1, 2):
        for step in (-1, 1):
            moved = np.roll(images, step, axis)
            edge = [slice(None)] * 3
            edge[axis] = 0 if step > 0 else -1
            moved[tuple(edge)] = 0
            chosen = random.random(len(images)) < SHIFTED / 2
            images = np.where(chosen[:, None, None], moved, images)
    return images.reshape(-1, 64) + random.normal(0, NOISE, pixels.shape)


def train(pixels, labels):
    """Adam with a cosine learning rate; returns [w1, b1, w2, b2]."""
    random = np.random.default_rng(SEED)
    weights = [random.normal(0, np.sqrt(2 / 64), (64, HIDDEN)), np.zeros(HIDDEN),
               random.normal(0, np.sqrt(1 / HIDDEN), (HIDDEN, 10)), np.zeros(10)]
    mean = [np.zeros_like(w) for w in weights]
    square = [np.zeros_like(w) for w in weights]
    wanted = np.eye(10)[labels]
    steps = EPOCHS * -(-len(pixels) // BATCH)
    step = 0
    for _ in range(EPOCHS):
        order = random.permutation(len(pixels))
        for start in range(0, len(order), BATCH):
            chosen = order[start:start + BATCH]
            x = disturb(pixels[chosen], random)
            hidden = np.maximum(x @ weights[0] + weights[1], 0)
            keep = (random.random(hidden.shape) >= DROPOUT) / (1 - DROPOUT)
            hidden = hidden * keep
            logits = hidden @ weights[2] + weights[3]
            odds = np.exp(logits - logits.max(1, keepdims=True))
            d_logits = (odds / odds.sum(1, keepdims=True) - wanted[chosen]) / len(x)
            d_hidden = (d_logits @ weights[2].T) * (hidden > 0) * keep
            gradients = [x.T @ d_hidden, d_hidden.sum(0), hidden.T @ d_logits, d_logits.sum(0)]
            step += 1
            rate = LEARNING_RATE * 0.5 * (1 + np.cos(np.pi * step / steps))
            for i, g in enumerate(gradients):
                mean[i] = 0.9 * mean[i] + 0.1 * g
                square[i] = 0.999 * square[i] + 0.001 * g * g
                update = (mean[i] / (1 - 0.9 ** step)) / (np.sqrt(square[i] / (1 - 0.999 ** step)) + 1e-8)
                weights[i] -= rate * (update + (DECAY * weights[i] if i % 2 == 0 else 0))
    return [np.round(w, DECIMALS) for w in weights]


def accuracy(weights, pixels, labels):
    hidden = np.maximum(pixels @ weights[0] + weights[1], 0)
    return float((np.argmax(hidden @ weights[2] + weights[3], 1) == labels).mean())


def f32_lines(values, per_line):
    """`.f32` statements with the shortest decimals that give exactly these values."""
    texts = [np.format_float_positional(v, trim="-") for v in np.asarray(values, dtype=np.float32).ravel()]
    texts = ["0" if t == "-0" else t for t in texts]
    return "\n".join("        .f32 " + ", ".join(texts[i:i + per_line]) for i in range(0, len(texts), per_line))


def main():
    data = load_digits()
    pixels, labels = data.data / 16.0, data.target
    held_out = split(labels)
    weights = train(pixels[~held_out], labels[~held_out])
    score = accuracy(weights, pixels[held_out], labels[held_out])
    print(f"training part: {accuracy(weights, pixels[~held_out], labels[~held_out]):.4f}")
    print(f"held-out part: {score:.4f} of {held_out.sum()} images")
    if score < 0.975:
        sys.exit("the held-out score is below 97.5 %: nothing was written")

    images = pixels[held_out].astype(np.float32)
    template = (ROOT / "tools" / "digits.asm.in").read_text()
    fields = {
        "HIDDEN": str(HIDDEN), "SHOWN": str(SHOWN), "SCORE": f"{100 * score:.1f} %", "COUNT": str(held_out.sum()),
        "W1": f32_lines(weights[0], 16), "B1": f32_lines(weights[1], 16),
        "W2": f32_lines(weights[2], 10), "B2": f32_lines(weights[3], 10), "IMAGES": f32_lines(images[:SHOWN], 8),
    }
    for name, text in fields.items():
        template = template.replace("@" + name + "@", text)
    (ROOT / "hex" / "programs" / "digits.asm").write_text(template)
    np.save(ROOT / "tests" / "golden" / "digits_heldout.npy", images)
    np.save(ROOT / "tests" / "golden" / "digits_heldout_labels.npy", labels[held_out].astype(np.uint8))


if __name__ == "__main__":
    main()
