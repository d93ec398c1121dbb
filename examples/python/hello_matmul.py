"""Multiplies two small matrices; the same bits on every machine.

pip install ./bindings/python && python examples/python/hello_matmul.py
"""

from array import array

import adead

# Anything with a buffer will do; with numpy this would be np.array(..., np.float32).
a = adead.Tensor(array("f", [1, 2, 3, 4, 5, 6]), shape=(2, 3))
b = adead.Tensor(array("f", [7, 8, 9, 10, 11, 12]), shape=(3, 2))
c = adead.matmul(a, b)
print(c.tolist())
print(adead.sha256(c))
