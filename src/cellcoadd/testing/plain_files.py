"""Small images in plain FITS, with companions and a camera, of which every number is known."""

from __future__ import annotations

__all__ = ["write_camera", "write_plain_image", "write_planes", "write_star_image"]

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml
from astropy.io import fits

from .star_fields import StarField, Truth, make_star_field

_CAMERA: Mapping[str, Any] = {
    "name": {"keyword": "INSTRUME"},
    "check_noise": False,
    "unit": "count",
    "noise": {"constant": {"rms": 2.0}},
    "psf": {"gaussian": {"fwhm": {"keyword": "SEEING"}, "unit": "arcsec"}},
    "filter": {"keyword": "FILTER"},
    "time": {"date_obs": {"keyword": "DATE-OBS"}},
    "exposure_time": {"keyword": "EXPTIME"},
    "zero_point": {"magnitude": {"keyword": "MAGZERO"}, "system": "AB", "per": "exposure"},
}
_HEADER: Mapping[str, Any] = {
    "CTYPE1": "RA---TAN",
    "CTYPE2": "DEC--TAN",
    "CRVAL1": 150.0,
    "CRVAL2": 2.0,
    "CD1_1": -0.2 / 3600.0,
    "CD1_2": 0.0,
    "CD2_1": 0.0,
    "CD2_2": 0.2 / 3600.0,
    "INSTRUME": "TestCam",
    "FILTER": "r.01",
    "DATE-OBS": "2020-02-03T04:05:06",
    "EXPTIME": 30.0,
    "MAGZERO": 27.0,
    "SEEING": 0.8,
    "EXPNUM": 7,
}


def write_camera(path: Path | str, **changes: Any) -> Path:
    """Write the definition of the camera of `write_plain_image`, and return its path.

    Parameters
    ----------
    path
        The file.
    **changes
        Keys in place of, or beside, those that are written anyway; None: left out.
    """
    content = {key: value for key, value in {**_CAMERA, **changes}.items() if value is not None}
    target = Path(path)
    target.write_text(yaml.safe_dump(content), encoding="utf-8")
    return target


def write_planes(path: Path | str, *planes: npt.ArrayLike, **cards: Any) -> Path:
    """Write a file of images, the first without a name, and return its path.

    Parameters
    ----------
    path
        The file; its folder is made.
    *planes
        The images.
    **cards
        The header of the first one.
    """
    hdus = fits.HDUList()
    for number, plane in enumerate(planes):
        pixels = np.asarray(plane)
        hdus.append(fits.ImageHDU(pixels) if number else fits.PrimaryHDU(pixels))
    hdus[0].header.update(cards)
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    hdus.writeto(target, overwrite=True)
    return target


def write_plain_image(
    path: Path | str,
    *,
    side: int = 60,
    flux: float = 0.0,
    sky: float = 0.0,
    seed: int = 1,
    weight_suffix: str | None = ".weight.fits",
    cards: Mapping[str, Any] | None = None,
) -> Path:
    """Write an image of a star in its middle, with noise of unit variance, and return its path.

    Parameters
    ----------
    path
        The file, which ends in ``.fits``; its folder is made.
    side
        Rows and columns; pixels are 0.2 arcsec wide.
    flux, sky
        Counts of the star, a Gaussian 4 pixels wide at half maximum, and of the sky in each pixel.
    seed
        Of the noise.
    weight_suffix
        The inverse variance is written beside it, with this in place of ``.fits``; None: not.
    cards
        Keywords in place of, or beside, those that are written anyway.
    """
    offsets = np.arange(side) - side // 2
    star = 0.5 ** ((offsets[:, np.newaxis] ** 2 + offsets**2) / 4.0)
    noise = np.random.default_rng(seed).normal(size=(side, side))
    image = (sky + flux * star / star.sum() + noise).astype(np.float32)
    middle = {"CRPIX1": side // 2 + 1.0, "CRPIX2": side // 2 + 1.0}
    target = write_planes(path, image, **{**_HEADER, **middle, **(cards or {})})
    if weight_suffix is not None:
        weight = np.ones((side, side), np.float32)
        write_planes(target.with_name(target.stem + weight_suffix), weight)
    return target


def write_star_image(
    path: Path | str,
    *,
    fwhm: float,
    sky: float = 0.0,
    noise: float = 3.0,
    cards: Mapping[str, Any] | None = None,
) -> StarField:
    """Write an image of 36 single stars over a sloping sky, and return what is in it but the sky.

    Parameters
    ----------
    path
        The file, which ends in ``.fits``; its folder is made.
    fwhm
        Of the stars, which are Gaussians, in pixels.
    sky
        Counts of the sky in the first column; in the last there is a fifth more.
    noise
        Standard deviation of a pixel; the stars have a signal of 100 to 400 times the noise.
    cards
        Keywords in place of, or beside, those that are written anyway.
    """
    field = make_star_field(Truth(fwhm=fwhm), noise=noise, signal_to_noise=(100.0, 400.0))
    side = field.planes.bbox.x.size
    slope = sky * (1.0 + 0.2 * np.arange(side) / (side - 1))
    middle = {"CRPIX1": side // 2 + 1.0, "CRPIX2": side // 2 + 1.0}
    pixels = (field.planes.image.array + slope).astype(np.float32)
    write_planes(path, pixels, **{**_HEADER, **middle, **(cards or {})})
    return field
