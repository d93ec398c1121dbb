"""Reads handwritten digits: runs a hex program on images of our own, without copying what comes out.

pip install ./bindings/python numpy && python examples/python/run_digits.py
"""

from pathlib import Path

import adead
import numpy as np

root = Path(__file__).resolve().parents[2]
program = adead.Program(root / "hex/programs/digits.hex")
print(program)

# The eight images that the program carries.
run = program.run()
print("predicted:", *run["logits"].numpy().argmax(axis=1))
print("digest:   ", run.digest("logits"))

# 445 images that training never saw.
images = np.load(root / "tests/golden/digits_heldout.npy")
labels = np.load(root / "tests/golden/digits_heldout_labels.npy")
logits = program.run({"images": images})["logits"].numpy()
right = int((logits.argmax(axis=1) == labels).sum())
print(f"right:     {right} of {len(labels)}")
