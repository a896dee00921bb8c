"""Point-spread functions of afw archives, by the class that they were stored as.

An object of an archive comes in; a PSF that can be stored in our products goes out. Positions are
0-based pixels of the detector, as ours are.
"""

from __future__ import annotations

__all__ = ["read_psf"]

from collections.abc import Callable

import numpy as np
from lsst.images import Box
from lsst.images.psfs import GaussianPointSpreadFunction, PointSpreadFunction

from ...errors import UnusableInputError
from ...psfs.models import (
    ImagePointSpreadFunction,
    PsfexPointSpreadFunction,
    psfex_term_count,
)
from ..checks import LARGEST_STAMP_PX
from .archive import Archive, Rows, Stored
from .kernels import kernel_psf
from .piff_psf import piff_psf

_HIGHEST = 20  # degree
_REFUSED = {
    "CoaddPsf": "it is that of a coadd; give the images that the coadd was made of",
    "WarpedPsf": "it is that of a resampled image; give the image that it was made of",
}


def read_psf(archive: Archive, stored: Stored, *, bounds: Box) -> PointSpreadFunction:
    """Read a PSF.

    Parameters
    ----------
    archive
        Where it is, with its parts.
    stored
        The PSF.
    bounds
        The pixels where it is valid: those of the detector.

    Raises
    ------
    UnusableInputError
        If it is of a kind that cannot be read, or broken; the message says what can be done.
    """
    read = _KINDS.get(stored.name)
    if read is None:
        why = _REFUSED.get(
            stored.name,
            f"these can: {', '.join(_KINDS)}. Give the image with another one, in Python",
        )
        raise UnusableInputError(
            stored.source, f"its PSF is a {stored.name}, which cannot be read: {why}."
        )
    try:
        return read(archive, stored, bounds)
    except (TypeError, ValueError, IndexError) as error:
        raise UnusableInputError(
            stored.source, f"its PSF, a {stored.name}, is broken ({error})."
        ) from error


def _psfex(archive: Archive, stored: Stored, bounds: Box) -> PointSpreadFunction:  # noqa: ARG001
    head, body = stored.table(0), stored.table(1)
    if head.integer("ndim") != 2:
        raise ValueError(f"its model depends on {head.integer('ndim')} coordinates, not on 2")
    degree = body.integer("degree")
    width, height, terms = (int(size) for size in body.array("_size"))
    if not (
        0 <= degree <= _HIGHEST
        and 0 < width <= LARGEST_STAMP_PX
        and 0 < height <= LARGEST_STAMP_PX
        and terms == psfex_term_count(degree)
    ):
        raise ValueError(f"{terms} images of {width} x {height} pixels, degree {degree}")
    # Single precision, as it is stored.
    pixels = np.asarray(body.value("_comp"), dtype=np.float32).reshape(terms, height, width)
    (x_zero, y_zero), (x_scale, y_scale) = (
        body.array(name) for name in ("_context_first", "_context_second")
    )
    return PsfexPointSpreadFunction(
        pixels,
        degree=degree,
        x_zero=float(x_zero),
        y_zero=float(y_zero),
        x_scale=float(x_scale),
        y_scale=float(y_scale),
        sampling=head.number("_pixstep"),
        bounds=bounds,
    )


def _size(rows: Rows) -> tuple[int, int]:
    """Return odd numbers of rows and columns; a pixel more where they are even."""
    columns, lines = (int(size) for size in rows.point("dimensions"))
    if not (0 < lines <= LARGEST_STAMP_PX and 0 < columns <= LARGEST_STAMP_PX):
        raise ValueError(f"its images have {columns} x {lines} pixels")
    return lines | 1, columns | 1


def _gaussian(archive: Archive, stored: Stored, bounds: Box) -> PointSpreadFunction:  # noqa: ARG001
    rows = stored.table()
    return GaussianPointSpreadFunction(
        sigma=rows.number("sigma"), bounds=bounds, stamp_size=max(_size(rows))
    )


def _double_gaussian(
    archive: Archive,  # noqa: ARG001
    stored: Stored,
    bounds: Box,
) -> PointSpreadFunction:
    rows = stored.table()
    narrow, wide, part = (rows.number(name) for name in ("sigma1", "sigma2", "b"))
    if not (narrow > 0 and wide > 0):
        raise ValueError(f"its widths are {narrow} and {wide}")
    height, width = _size(rows)
    y, x = np.mgrid[-(height // 2) : height // 2 + 1, -(width // 2) : width // 2 + 1]
    r2 = x**2 + y**2
    kernel = np.exp(-0.5 * r2 / narrow**2) + part * np.exp(-0.5 * r2 / wide**2)
    return ImagePointSpreadFunction(kernel, bounds=bounds)


def _kernel(archive: Archive, stored: Stored, bounds: Box) -> PointSpreadFunction:
    return kernel_psf(archive, archive.get(stored.table().integer("kernel")), bounds=bounds)


def _piff(archive: Archive, stored: Stored, bounds: Box) -> PointSpreadFunction:  # noqa: ARG001
    return piff_psf(stored.table().data("bytes"), bounds=bounds, source=stored.source)


_KINDS: dict[str, Callable[[Archive, Stored, Box], PointSpreadFunction]] = {
    "PsfexPsf": _psfex,
    "PiffPsf": _piff,
    "GaussianPsf": _gaussian,
    "SingleGaussianPsf": _gaussian,
    "DoubleGaussianPsf": _double_gaussian,
    "KernelPsf": _kernel,
    "PcaPsf": _kernel,
}
