"""The point-spread function of an image by the definition of its camera."""

from __future__ import annotations

__all__ = ["centred_image", "profile_image", "read_psf"]

import math

import numpy as np
import numpy.typing as npt
from lsst.images import Box
from lsst.images.psfs import PointSpreadFunction

from ...conventions import FWHM_PER_SIGMA
from ...errors import UnusableInputError
from ...psfs.models import ImagePointSpreadFunction
from ..psf_files import read_psfex
from .definition import Psf
from .noise import read_plane_pixels
from .values import Headers

_WIDEST = 50.0  # pixels of FWHM: beyond, a keyword means something else
_NARROWEST = 0.5
_GAUSSIAN_REACH, _MOFFAT_REACH = 2.5, 5.0  # in FWHM; at least 0.99 of the light for beta = 2.5
_MOST_OFFSET = 1.0  # pixel


def read_psf(
    psf: Psf, headers: Headers, *, bounds: Box, pixel_scale_arcsec: float
) -> tuple[PointSpreadFunction, float | None]:
    """Return the PSF and, where a width is stated, the sigma of a Gaussian of it in pixels.

    Parameters
    ----------
    psf
        Where it comes from.
    headers
        Those of the image.
    bounds
        The pixels of the image.
    pixel_scale_arcsec
        Of the image.

    Raises
    ------
    UnusableInputError
        If a file or keyword is missing or broken, or a width cannot be one.
    """
    assert psf.kind != "measured", "by its own stars, not by what a file says"
    if psf.kind == "psfex":
        assert psf.plane is not None, "checked when read"
        return read_psfex(psf.plane.file_of(headers.path), bounds=bounds), None
    if psf.kind == "image":
        return _from_image(psf, headers, bounds), None
    assert psf.fwhm is not None, "checked when read"
    fwhm = psf.fwhm.positive_of(headers) / (pixel_scale_arcsec if psf.in_arcsec else 1.0)
    if not _NARROWEST <= fwhm <= _WIDEST:
        raise UnusableInputError(
            str(headers.path),
            f"its PSF must be {_NARROWEST} to {_WIDEST} pixels wide, {psf.fwhm.keyword or 'fwhm'} "
            f"says {fwhm:.4g}; look at psf.{psf.kind}.unit of the camera's definition.",
        )
    kernel = profile_image(fwhm=fwhm, beta=psf.beta)
    return ImagePointSpreadFunction(kernel, bounds=bounds), fwhm / FWHM_PER_SIGMA


def profile_image(*, fwhm: float, beta: float | None) -> npt.NDArray[np.float64]:
    """Return the image of a Gaussian, or of a Moffat profile, at the centres of pixels.

    Parameters
    ----------
    fwhm
        Full width at half maximum in pixels, of stars as they are in the image.
    beta
        Of the Moffat profile (1969, A&A 3, 455); None: a Gaussian.

    Returns
    -------
    (side, side)
        The side is odd.
    """
    half = math.ceil((_GAUSSIAN_REACH if beta is None else _MOFFAT_REACH) * fwhm)
    offsets = np.arange(-half, half + 1, dtype=np.float64)
    square = (offsets[:, np.newaxis] ** 2 + offsets**2) * (2.0 / fwhm) ** 2
    image: npt.NDArray[np.float64]
    if beta is None:
        image = 0.5**square
    else:
        image = (1.0 + (2.0 ** (1.0 / beta) - 1.0) * square) ** -beta
    return image


def _from_image(psf: Psf, headers: Headers, bounds: Box) -> ImagePointSpreadFunction:
    assert psf.plane is not None, "checked when read"
    source = str(psf.plane.file_of(headers.path))
    pixels = read_plane_pixels(psf.plane, headers).astype(np.float64)
    return centred_image(pixels, bounds=bounds, source=source)


def centred_image(
    pixels: npt.NDArray[np.float64], *, bounds: Box, source: str
) -> ImagePointSpreadFunction:
    """Return the PSF that an image of it is.

    Parameters
    ----------
    pixels : (rows, columns)
        Both odd.
    bounds
        The pixels where it is valid.
    source
        What the user knows it as, for messages.

    Raises
    ------
    UnusableInputError
        If it is no PSF, or its light is not centred on the middle pixel.
    """
    try:
        made = ImagePointSpreadFunction(pixels, bounds=bounds)
    except ValueError as error:
        raise UnusableInputError(source, f"it is no PSF: {error}") from error
    kernel = made.compute_kernel_image(x=0.0, y=0.0).array
    rows, columns = (np.arange(n) - n // 2 for n in kernel.shape)
    x, y = float(kernel.sum(axis=0) @ columns), float(kernel.sum(axis=1) @ rows)
    if not math.hypot(x, y) <= _MOST_OFFSET:
        raise UnusableInputError(
            source,
            f"the light of its PSF must be centred within {_MOST_OFFSET} pixel of the middle, it "
            f"is at x = {x:+.2f}, y = {y:+.2f} from there.",
        )
    return made
