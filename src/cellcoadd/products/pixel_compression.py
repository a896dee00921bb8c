"""How the pixels of a coadd are compressed in a file: one decision for the Butler and for `write`.

Masks, point-spread functions, masked fractions, covariances and tables are always kept to the bit.
Images, variances and noise are noise themselves, which does not compress without loss: by default
they are rounded, far below the noise.
"""

from __future__ import annotations

__all__ = ["PixelCompression", "compression_options"]

import enum

from lsst.images.fits import (
    FitsCompressionAlgorithm,
    FitsCompressionOptions,
    FitsDitherAlgorithm,
    FitsQuantizationOptions,
)

from ..conventions import MAX_NOISE_REALIZATIONS

_STEPS = 1024.0  # in the standard deviation that FITS measures between neighbouring pixels

_ROUNDED = FitsCompressionOptions(
    algorithm=FitsCompressionAlgorithm.RICE_1,
    # Without dither equal pixels stay equal, wherever in a file their cell is.
    quantization=FitsQuantizationOptions(
        dither=FitsDitherAlgorithm.NO_DITHER, level=_STEPS, seed=1
    ),
)
_INTEGERS = FitsCompressionOptions(algorithm=FitsCompressionAlgorithm.RICE_1)


class PixelCompression(enum.StrEnum):
    """What happens to images, variances and noise when a coadd is written."""

    ROUNDED = "rounded"
    """Each cell's pixels are rounded to 1/1024 of the standard deviation from pixel to pixel in
    that cell, so that no value is off by more than 1/2048 of it, and compressed (RICE). A third of
    the size, and quicker than lossless compression. Cells with infinite values, and those that are
    constant, are kept to the bit."""
    LOSSLESS = "lossless"
    """To the bit, compressed (GZIP): two thirds of the size, and slow."""
    UNCOMPRESSED = "uncompressed"
    """To the bit, as they are: quickest to write."""


def compression_options(choice: PixelCompression) -> dict[str, FitsCompressionOptions | None]:
    """Return options by the name of a plane, as `lsst.images` archives take them.

    Notes
    -----
    Rounding is that of the FITS standard's tile compression (Pence et al. 2010, PASP 122, 1065),
    which every FITS library undoes.
    """
    noisy = ("image", "variance", *(f"noise/{n}" for n in range(MAX_NOISE_REALIZATIONS)))
    match choice:
        case PixelCompression.ROUNDED:
            pixels: FitsCompressionOptions | None = _ROUNDED
        case PixelCompression.LOSSLESS:
            pixels = FitsCompressionOptions()
        case PixelCompression.UNCOMPRESSED:
            pixels = None
    return {**dict.fromkeys(noisy, pixels), "mask": _INTEGERS}
