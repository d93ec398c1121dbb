#!/usr/bin/env python3
"""Fits the polynomials of vm/base/adn1.h: minimax for the relative error of the function, coefficients rounded to f32.

Needs mpmath and numpy. Prints each polynomial as hexadecimal floats, lowest power first, with the largest weighted error
before and after rounding (the roundings of the evaluation come on top). Run: fit_functions.py [name ...]

The minimax fit is Lawson's iteratively reweighted least squares on a dense Chebyshev grid. Coefficients are rounded one
after the other, lowest power first, and the rest fitted again, so that later coefficients make up for earlier roundings.
"""
import sys

import numpy as np
from mpmath import cos, erf, erfc, exp, expm1, log, log1p, mp, mpf, pi, sin, sqrt, tanh

mp.prec = 160
GRID = 1200
ITERATIONS = 300


def minimax(values, weights, columns):
    """Coefficients c that make max |weights * (values - columns c)| small, and that maximum."""
    scale = np.abs(columns).max(axis=0)
    a = columns / scale * weights[:, None]
    b = values * weights
    lawson = np.ones(len(values))
    best, best_error = None, np.inf
    for _ in range(ITERATIONS):
        root = np.sqrt(lawson)
        c = np.linalg.lstsq(a * root[:, None], b * root, rcond=None)[0]
        error = np.abs(b - a @ c)
        if error.max() < best_error:
            best, best_error = c / scale, error.max()
        if error.max() == 0:
            break
        lawson *= error / error.max()
        lawson /= lawson.mean()
        lawson = np.maximum(lawson, 1e-12)
    return best, best_error


def fit(name, degree, low, high, f, weight):
    low, high = mpf(low), mpf(high)
    points = [low + (high - low) * (1 - cos(pi * (i + mpf(1) / 2) / GRID)) / 2 for i in range(GRID)]
    values = np.array([float(f(x)) for x in points])
    weights = np.array([float(abs(weight(x))) for x in points])
    columns = np.array([[float(x**p) for p in range(degree + 1)] for x in points])
    _, ideal = minimax(values, weights, columns)
    rounded = []
    for p in range(degree + 1):
        rest = values - columns[:, :p] @ np.array(rounded) if rounded else values
        c, _ = minimax(rest, weights, columns[:, p:])
        rounded.append(float(np.float32(c[0])))
    error = np.abs((values - columns @ np.array(rounded)) * weights).max()
    print(f"{name}: 2^{np.log2(ideal):.2f} before rounding, 2^{np.log2(error):.2f} after")
    for p, c in enumerate(rounded):
        print(f"    x^{p}: {c.hex().replace('0000000p', 'p')}f")
    sys.stdout.flush()


def mills(t):
    """exp(t^2 / 2) Phi(-t): the normal distribution's tail without its exponential."""
    return exp(t * t / 2) * erfc(t / sqrt(mpf(2))) / 2


def mills_around(c):
    return lambda z: mills(z + mpf(c)), lambda z: 1 / mills(z + mpf(c))


# name: degree, interval, function, weight. s is x squared; the weight turns the error into that of the whole function.
FITS = {
    # exp r = 1 + r + r^2 P(r)
    "exp": (4, "-0.3467", "0.3467", lambda r: (expm1(r) - r) / r**2, lambda r: r * r / exp(r)),
    # tanh x = x + x s P(s)
    "tanh": (4, 0, "0.36", lambda s: (tanh(sqrt(s)) / sqrt(s) - 1) / s, lambda s: s * sqrt(s) / tanh(sqrt(s))),
    # erf x = x + x P(s)
    "erf": (6, 0, "0.85", lambda s: erf(sqrt(s)) / sqrt(s) - 1, lambda s: sqrt(s) / erf(sqrt(s))),
    # erf t = 1 - exp(-t - t P(t))
    "erfc": (6, "0.92", "3.95", lambda t: -log(erfc(t)) / t - 1, lambda t: t * erfc(t) / erf(t)),
    # log(1 + f) = f + f^2 P(f)
    "log": (9, "-0.33334", "0.33334", lambda f: (log1p(f) - f) / f**2, lambda f: f * f / log1p(f)),
    # sin x = x + x s P(s)
    "sin": (3, 0, "0.6174", lambda s: (sin(sqrt(s)) / sqrt(s) - 1) / s, lambda s: s * sqrt(s) / sin(sqrt(s))),
    # cos x = 1 + s (-1/2 + s P(s))
    "cos": (2, 0, "0.6174", lambda s: (cos(sqrt(s)) - 1 + s / 2) / s**2, lambda s: s * s / cos(sqrt(s))),
    # mills(t) = P(t), P(t - 1.25), P(t - 2.5), and P(1 / t^2) / t
    "gelu0": (7, 0, "0.8125", mills, lambda t: 1 / mills(t)),
    "gelu1": (7, "-0.4375", "0.5625", *mills_around("1.25")),
    "gelu2": (7, "-0.6875", "0.75", *mills_around("2.5")),
    "gelu3": (7, mpf(1) / 225, 1 / mpf("3.25") ** 2, lambda w: mills(1 / sqrt(w)) / sqrt(w),
              lambda w: sqrt(w) / mills(1 / sqrt(w))),
}

if __name__ == "__main__":
    for name in sys.argv[1:] or FITS:
        fit(name, *FITS[name])
