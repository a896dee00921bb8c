"""Pixels of a DECam image: the image itself, its variance and its mask, of three files.

Image, weight map (``oow``) and data quality (``ood``) come in; float arrays and a mask with our
planes go out. What data quality means depends on the version of the Community Pipeline.
"""

from __future__ import annotations

__all__ = ["QUALITY_BITS", "QUALITY_CODES", "DecamPlanes", "quality_is_bits", "read_planes"]

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from astropy.io import fits
from lsst.images import Box, Mask

from ...errors import UnusableInputError
from ...masks.planes import bits_of, mask_schema, plane_array
from ..fits_files import open_fits, read_pixels
from ..processing import Processing, pipeline_version
from ..weight_maps import rounding_steps, variance_of_weights
from .files import DecamFiles

QUALITY_CODES: Mapping[int, tuple[str, ...]] = {
    1: ("BAD",),  # bad pixel of the detector
    2: ("NO_DATA",),  # no value
    3: ("SAT",),  # saturated
    4: ("SAT",),  # bleed trail
    5: ("CR",),  # cosmic ray
    6: ("BAD",),  # low weight
    7: ("BAD", "SUSPECT"),  # differs from the other exposures of the field
    8: ("BAD", "STREAK"),  # satellite
}
"""Our mask planes for the codes of data quality (codes, not bits: one a pixel).

Each has at least one plane that keeps the pixel out of a coadd, since the pipeline gives all of
them no weight. A code that is not listed becomes BAD.
"""

QUALITY_BITS: Mapping[int, tuple[str, ...]] = {
    1: ("BAD",),  # bad pixel of the detector
    2: ("SAT",),  # saturated
    4: ("BAD", "INTRP"),  # interpolated by a pipeline of which nobody knows how
    16: ("CR",),  # cosmic ray
    64: ("SAT",),  # bleed trail
    128: ("BAD", "SUSPECT"),  # differs from the other exposures of the field
}
"""Our mask planes for the bits of data quality before version 3.5.0 of the pipeline.

Each has at least one plane that keeps the pixel out of a coadd. A bit that is not listed becomes
BAD.
"""

_FIRST_WITH_CODES = (3, 5, 0)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DecamPlanes:
    """The pixels of one CCD.

    Parameters
    ----------
    image : float64 (rows, columns)
        In counts of the whole exposure, with the sky.
    variance : float64 (rows, columns)
        Infinite where there is no weight.
    mask
        With our planes; a pixel without weight has at least one that keeps it out of a coadd.
    """

    image: npt.NDArray[np.float64]
    variance: npt.NDArray[np.float64]
    mask: Mask

    @property
    def good(self) -> npt.NDArray[np.bool_]:
        """Pixels with a variance and without any plane."""
        good: npt.NDArray[np.bool_] = (plane_array(self.mask) == 0) & np.isfinite(self.variance)
        return good


def read_planes(files: DecamFiles, box: Box, processing: Processing) -> DecamPlanes:
    """Read the pixels of a CCD.

    Parameters
    ----------
    files
        The files of the image.
    box
        Its pixels.
    processing
        What the image says of how it was made; weights and quality must say the same.

    Raises
    ------
    UnusableInputError
        If a file is missing or broken, is of another size or processing, or no pixel has a weight.
    """
    shape = box.y.size, box.x.size
    image, _, _ = _read_plane(files.image, shape, processing)
    weights, header, extension = _read_plane(files.weight, shape, processing)
    quality, _, _ = _read_plane(files.quality, shape, processing)
    variance = variance_of_weights(
        weights.astype(np.float64),
        steps=rounding_steps(files.weight, extension),
        header=header,
        source=str(files.weight),
    )
    mask = _mask_of_quality(
        quality.astype(np.int64), box, are_bits=quality_is_bits(processing, files.quality)
    )
    bits = plane_array(mask)
    bits[~np.isfinite(variance) & (bits == 0)] = bits_of(mask.schema, ["BAD"])
    return DecamPlanes(image=image.astype(np.float64), variance=variance, mask=mask)


def quality_is_bits(processing: Processing, path: Path) -> bool:
    """Whether data quality is bits, as before version 3.5.0 of the pipeline, not codes.

    Raises
    ------
    UnusableInputError
        If the version is not known.
    """
    stated = processing.values.get("PLVER", "")
    version = pipeline_version(stated)
    if version is None:
        raise UnusableInputError(
            str(path),
            f"the version PLVER of its pipeline is {stated!r}: data quality is bits before "
            "V3.5.0 and codes from then on, so PLVER must be a version such as 'V4.8.2'.",
        )
    return version < _FIRST_WITH_CODES


def _read_plane(
    path: Path, shape: tuple[int, int], processing: Processing
) -> tuple[npt.NDArray[np.generic], fits.Header, int]:
    """Return the pixels of a file, their header, and the number of their extension."""
    with open_fits(path) as hdus:
        extension = next((i for i, hdu in enumerate(hdus) if len(hdu.shape) == 2), 0)
        header = hdus[extension].header
        processing.check(hdus[0].header, path)
        processing.check(header, path)
        return read_pixels(hdus, extension, path, shape=shape), header.copy(), extension


def _mask_of_quality(quality: npt.NDArray[np.int64], box: Box, *, are_bits: bool) -> Mask:
    mask = Mask(0, schema=mask_schema(), bbox=box)
    bits = plane_array(mask)
    for value in np.unique(quality):
        if value != 0:
            planes = _planes_of_bits(int(value)) if are_bits else _planes_of_code(int(value))
            bits[quality == value] = bits_of(mask.schema, planes)
    return mask


def _planes_of_code(code: int) -> Sequence[str]:
    return QUALITY_CODES.get(code, ("BAD",))


def _planes_of_bits(value: int) -> Sequence[str]:
    if value < 0:
        return ("BAD",)
    return [
        plane
        for place in range(value.bit_length())
        if value >> place & 1
        for plane in QUALITY_BITS.get(1 << place, ("BAD",))
    ]
