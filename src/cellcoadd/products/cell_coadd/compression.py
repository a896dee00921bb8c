"""How the pixels of a coadd are compressed in a file: one decision for the Butler and for `write`.

Masks, point-spread functions, masked fractions, covariances and tables are always kept to the bit.
Images, variances and noise are noise themselves, which does not compress without loss: by default
they are rounded, far below the noise.
"""

from __future__ import annotations

__all__ = ["PixelCompression", "compressed_planes", "compression_options"]

import enum

import numpy as np
import numpy.typing as npt
from lsst.images.fits import FitsCompressionOptions, PrecompressedImage

from ...conventions import MAX_NOISE_REALIZATIONS
from ...files.deflated_planes import deflated, table_of_deflated_tiles
from ...files.rounded_planes import rounded
from .stack import CellStack


class PixelCompression(enum.StrEnum):
    """What happens to images, variances and noise when a coadd is written."""

    ROUNDED = "rounded"
    """Each cell's pixels are rounded to 1/1024 of the standard deviation from pixel to pixel in
    that cell, so that no value is off by more than 1/2048 of it, and compressed (RICE). Two fifths
    of the size. Cells with infinite values, and those without noise, are kept to the bit."""
    LOSSLESS = "lossless"
    """To the bit, compressed (GZIP): four fifths of the size."""
    UNCOMPRESSED = "uncompressed"
    """To the bit, as they are: quickest to write."""


def compression_options(choice: PixelCompression) -> dict[str, FitsCompressionOptions | None]:
    """Return options by the name of a plane, as `lsst.images` archives take them.

    Planes of `compressed_planes` are not among them.
    """
    # Stamps take a few MB; a single one is found more quickly when it is not compressed.
    options: dict[str, FitsCompressionOptions | None] = {"psf": None, "noise_covariance": None}
    if choice is PixelCompression.UNCOMPRESSED:
        noisy = ("image", "variance", *(f"noise/{n}" for n in range(MAX_NOISE_REALIZATIONS)))
        options |= dict.fromkeys(noisy)
    return options


def compressed_planes(stack: CellStack, choice: PixelCompression) -> dict[str, PrecompressedImage]:
    """Return the planes of a coadd that are compressed here, by their names in an archive.

    Parameters
    ----------
    stack
        The planes.
    choice
        What happens to images, variances and noise.
    """
    noisy: dict[str, npt.NDArray[np.float32]] = {
        "image": stack.image,
        "variance": stack.variance,
        **{f"noise/{number}": plane for number, plane in enumerate(stack.noise)},
    }
    compressed = {"mask": deflated(stack.mask, shuffled=False)}
    fractions = stack.packed_fractions()
    for name in fractions:
        compressed[f"mask_fractions/{name}"] = table_of_deflated_tiles(
            fractions.tiles(name), shape=fractions.shape, dtype=np.float32, shuffled=False
        )
    if choice is PixelCompression.LOSSLESS:
        compressed |= {name: deflated(plane, shuffled=True) for name, plane in noisy.items()}
    elif choice is PixelCompression.ROUNDED:
        compressed |= {name: rounded(plane) for name, plane in noisy.items()}
    return compressed
