"""Kernels of afw archives as point-spread functions: fixed images and sums of images.

A sum whose weights are polynomials of the position is what PSFEx makes as well, in other words:
each power of the position has an image, the sum of the kernels' with that power's coefficients.
"""

from __future__ import annotations

__all__ = ["kernel_psf"]

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from lsst.images import Box
from lsst.images.psfs import PointSpreadFunction

from ...errors import UnusableInputError
from ...psfs.models import ImagePointSpreadFunction, PsfexPointSpreadFunction, psfex_term_count
from ..checks import LARGEST_STAMP_PX
from .archive import Archive, Rows, Stored

type _Floats = npt.NDArray[np.float64]

_MOST_PARTS = 1000
_DEEPEST = 4


def kernel_psf(archive: Archive, kernel: Stored, *, bounds: Box) -> PointSpreadFunction:
    """Return the PSF of a kernel.

    Parameters
    ----------
    archive
        Where its parts are.
    kernel
        The kernel.
    bounds
        The pixels where the PSF is valid.

    Raises
    ------
    UnusableInputError
        If it is of a kind that cannot be read.
    ValueError
        If it is broken.
    """
    if kernel.name == "LinearCombinationKernel" and kernel.table().has("spatialfunctions"):
        return _varying(archive, kernel, bounds)
    return ImagePointSpreadFunction(_image(archive, kernel, 0), bounds=bounds)


def _image(archive: Archive, kernel: Stored, depth: int) -> _Floats:
    """Return the image of a kernel that is the same everywhere, centred on its middle pixel."""
    rows = kernel.table()
    match kernel.name:
        case "FixedKernel":
            width, height = _size(rows)
            return _centred(rows.array("image").reshape(height, width), rows)
        case "DeltaFunctionKernel":
            width, height = _size(rows)
            x, y = (int(value) for value in rows.point("pixel"))
            pixels = np.zeros((height, width))
            pixels[y, x] = 1.0
            return _centred(pixels, rows)
        case "AnalyticKernel":
            return _analytic(archive, rows)
        case "LinearCombinationKernel" if depth < _DEEPEST and rows.has("amplitudes"):
            weights = rows.array("amplitudes")
            parts = _parts(archive, rows, depth)
            return np.tensordot(weights, np.stack(parts), axes=1)
    raise UnusableInputError(
        kernel.source, f"its PSF has a {kernel.name} that cannot be read: {_KNOWN}."
    )


_KNOWN = "fixed images, Gaussians, and sums of them by polynomials of the position can be"


def _varying(archive: Archive, kernel: Stored, bounds: Box) -> PointSpreadFunction:
    rows = kernel.table()
    images = np.stack(_parts(archive, rows, 0))
    functions = [archive.get(int(number)) for number in rows.array("spatialfunctions")]
    if len(functions) != len(images):
        raise ValueError(f"{len(images)} kernels have {len(functions)} functions")
    zero, scale = _normalisation(functions[0])
    if any(_normalisation(function) != (zero, scale) for function in functions):
        raise ValueError("its functions are of different boxes")
    polynomials = [_powers(function) for function in functions]
    degree = max(len(powers) - 1 for powers in polynomials)
    weights = np.zeros((len(images), psfex_term_count(degree)))
    for weight, powers in zip(weights, polynomials, strict=True):
        # One image a term, in the order 1, X, X^2, ..., Y, XY, ....
        weight[:] = [
            powers[i, j] if max(i, j) < len(powers) else 0.0
            for j in range(degree + 1)
            for i in range(degree + 1 - j)
        ]
    return PsfexPointSpreadFunction(
        np.tensordot(weights.T, images, axes=1),
        degree=degree,
        x_zero=zero[0],
        y_zero=zero[1],
        x_scale=scale[0],
        y_scale=scale[1],
        sampling=1.0,
        bounds=bounds,
    )


def _parts(archive: Archive, rows: Rows, depth: int) -> list[_Floats]:
    numbers = [int(number) for number in rows.array("components")]
    if not 0 < len(numbers) <= _MOST_PARTS:
        raise ValueError(f"a sum of {len(numbers)} kernels")
    parts = [_image(archive, archive.get(number), depth + 1) for number in numbers]
    height, width = (max(part.shape[axis] for part in parts) for axis in (0, 1))
    return [_padded(part, height, width) for part in parts]


def _size(rows: Rows) -> tuple[int, int]:
    width, height = (int(size) for size in rows.point("dimensions"))
    if not (0 < width <= LARGEST_STAMP_PX and 0 < height <= LARGEST_STAMP_PX):
        raise ValueError(f"a kernel of {width} x {height} pixels")
    return width, height


def _centred(pixels: _Floats, rows: Rows) -> _Floats:
    """Pad an image with zeros so that its stated centre is its middle pixel."""
    height, width = pixels.shape
    x, y = (int(value) for value in rows.point("center"))
    if not (0 <= x < width and 0 <= y < height):
        raise ValueError(f"a kernel of {width} x {height} pixels has its centre at {x}, {y}")
    half_x, half_y = max(x, width - 1 - x), max(y, height - 1 - y)
    result = np.zeros((2 * half_y + 1, 2 * half_x + 1))
    result[half_y - y : half_y - y + height, half_x - x : half_x - x + width] = pixels
    return result


def _padded(pixels: _Floats, height: int, width: int) -> _Floats:
    rows, columns = (height - pixels.shape[0]) // 2, (width - pixels.shape[1]) // 2
    return np.pad(pixels, ((rows, rows), (columns, columns)))


def _analytic(archive: Archive, rows: Rows) -> _Floats:
    width, height = _size(rows)
    function = archive.get(rows.integer("kernelfunction"))
    y, x = np.mgrid[-(height // 2) : height // 2 + 1, -(width // 2) : width // 2 + 1]
    if function.name.rstrip("DF") != "GaussianFunction2":
        raise UnusableInputError(
            function.source, f"its PSF is a function {function.name}, not a Gaussian: {_KNOWN}."
        )
    values = function.table()
    along, across = values.number("sigma1"), values.number("sigma2")
    angle = values.number("angle")
    if not (along > 0 and across > 0):
        raise ValueError(f"its widths are {along} and {across}")
    u = x * np.cos(angle) + y * np.sin(angle)
    v = y * np.cos(angle) - x * np.sin(angle)
    result: _Floats = np.exp(-0.5 * ((u / along) ** 2 + (v / across) ** 2))
    return result


def _normalisation(function: Stored) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return zero and scale of the positions that a function is one of."""
    rows = function.table()
    if not function.name.startswith("Chebyshev1Function2"):
        return (0.0, 0.0), (1.0, 1.0)
    (x0, y0), (x1, y1) = rows.point("min"), rows.point("max")
    if not (x1 > x0 and y1 > y0):
        raise ValueError(f"a polynomial from {x0}, {y0} to {x1}, {y1}")
    return (0.5 * (x0 + x1), 0.5 * (y0 + y1)), (0.5 * (x1 - x0), 0.5 * (y1 - y0))


def _powers(function: Stored) -> _Floats:
    """Return the coefficients of X^i Y^j, as (degree + 1, degree + 1)."""
    terms = function.table().array("coefficients")
    degree = next((d for d in range(21) if psfex_term_count(d) == terms.size), None)
    if degree is None:
        raise ValueError(f"a polynomial of {terms.size} coefficients")
    pairs = [(total - j, j) for total in range(degree + 1) for j in range(total + 1)]
    result = np.zeros((degree + 1, degree + 1))
    if function.name.startswith("PolynomialFunction2"):
        for (i, j), value in zip(pairs, terms, strict=True):
            result[i, j] = value
        return result
    if function.name.startswith("Chebyshev1Function2"):
        single = _chebyshev_powers(degree)
        for (i, j), value in zip(pairs, terms, strict=True):
            result += value * np.outer(single[i], single[j])
        return result
    raise UnusableInputError(
        function.source, f"weights of its PSF are a {function.name}: {_KNOWN}."
    )


def _chebyshev_powers(degree: int) -> Sequence[_Floats]:
    """Return the powers of each Chebyshev polynomial."""
    result: list[_Floats] = []
    for order in range(degree + 1):
        powers = np.zeros(degree + 1)
        powers[: order + 1] = np.polynomial.chebyshev.cheb2poly([0.0] * order + [1.0])
        result.append(powers)
    return result
