"""A made DECam exposure of one CCD, with all files that belong to it, to read and to break.

Values come in, a folder laid out like the DECam Legacy Survey goes out: image, weight map, data
quality, PSFEx model, spline sky and table of CCDs. Nothing in it is an observation.
"""

from __future__ import annotations

__all__ = ["DecamExposure"]

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits

ROWS, COLUMNS = 96, 100
SKY, SIGMA = 150.0, 5.0  # counts
_NIGHT = "CP20170101"
_NAME = "c4d_170102_030405"


def _noise() -> npt.NDArray[np.float32]:
    noise = np.random.default_rng(12).normal(SKY, SIGMA, (ROWS, COLUMNS))
    return noise.astype(np.float32)


def _weights() -> npt.NDArray[np.float32]:
    return np.full((ROWS, COLUMNS), 1.0 / SIGMA**2, np.float32)


def _basis() -> npt.NDArray[np.float32]:
    y, x = np.mgrid[-12:13, -12:13]
    basis: npt.NDArray[np.float32] = np.exp(-0.125 * (x**2 + y**2)).astype(np.float32)
    return basis[np.newaxis]


@dataclasses.dataclass(kw_only=True)
class DecamExposure:
    """What is written; each part can be another one.

    Parameters
    ----------
    image, weights : (rows, columns)
        Pixels with a sky of 150 counts, and their inverse variances.
    quality : int32 (rows, columns)
        Data quality.
    compress
        Whether weights are rounded and compressed, as archives do: RICE, level 4, dithered.
    physical_filter, version
        ``FILTER`` and ``PLVER``.
    cards
        Further keywords of each file, by ``image``, ``weight``, ``quality``, ``psf``, ``sky``; None
        takes one away.
    ccd
        Further columns of the table of CCDs.
    psf, sky
        Columns of the calibration files; None takes one away.
    """

    image: npt.NDArray[Any] = dataclasses.field(default_factory=_noise)
    weights: npt.NDArray[Any] = dataclasses.field(default_factory=_weights)
    quality: npt.NDArray[Any] = dataclasses.field(
        default_factory=lambda: np.zeros((ROWS, COLUMNS), np.int32)
    )
    compress: bool = False
    physical_filter: str = "r DECam SDSS c0002 6415.0 1480.0"
    version: str | None = "V4.8.2"
    cards: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    ccd: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    psf: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    sky: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def write(self, root: Path) -> Path:
        """Write all files below a folder.

        Returns
        -------
        Path
            The image.
        """
        band = self.physical_filter.split()[0]
        stem = f"{_NAME}_ooi_{band}_v1"
        images = root / "images" / "decam" / "CP" / _NIGHT
        calib = root / "calib" / "decam" / "CP" / _NIGHT / stem
        for folder in (images, calib):
            folder.mkdir(parents=True)
        for kind, letter, pixels in (
            ("image", "i", np.asarray(self.image, np.float32)),
            ("weight", "w", np.asarray(self.weights, np.float32)),
            ("quality", "d", np.asarray(self.quality, np.int32)),
        ):
            self._write_plane(images / f"{_NAME}_oo{letter}_{band}_v1.N4.fits", kind, pixels)
        psf = {"psf_mask": _basis(), "psf_samp": 1.0, "psfaxis1": 25, "psfaxis2": 25, "poldeg1": 0}
        sky = {
            "gridw": 2,
            "gridh": 2,
            "xgrid": np.array([0, COLUMNS - 1]),
            "ygrid": np.array([0, ROWS - 1]),
            "gridvals": np.full((2, 2), SKY),
            "order": 3,
            "x0": 0,
            "y0": 0,
        }
        for kind, name, columns in (
            ("psf", "psfex", psf | dict(self.psf)),
            ("sky", "splinesky", sky | dict(self.sky)),
        ):
            _write_table(
                calib / f"{stem}-N4-{name}.fits",
                columns,
                self._cards(kind, {"PLVER": self.version, "PLPROCID": "9500001"}),
            )
        _write_table(root / "survey-ccds-decam.fits.gz", self._ccd(band), {})
        return images / f"{stem}.N4.fits"

    def _ccd(self, band: str) -> dict[str, Any]:
        stated = {
            "camera": "decam",
            "expnum": 610001,
            "ccdname": "N4",
            "filter": band,
            "exptime": 90.0,
            "fwhm": 4.7,
            "ccdzpt": 25.0,
            "ccdraoff": 0.0,
            "ccddecoff": 0.0,
            "ccd_cuts": 0,
            "plprocid": "9500001",
        }
        return stated | dict(self.ccd)

    def _cards(self, kind: str, stated: Mapping[str, Any]) -> dict[str, Any]:
        cards = dict(stated) | {"EXPNUM": 610001} | dict(self.cards.get(kind, {}))
        return {key: value for key, value in cards.items() if value is not None}

    def _write_plane(self, path: Path, kind: str, pixels: npt.NDArray[Any]) -> None:
        cards = self._cards(
            kind,
            {
                "DATE-OBS": "2017-01-02T03:04:05.6",
                "FILTER": self.physical_filter,
                "OBSTYPE": "object",
                "PLVER": self.version,
                "PLPROCID": "9500001",
                "WCSCAL": "Successful",
                "SCAMPFLG": 0,
                "CCDNUM": 35,
                "DETPOS": "N4",
                "CTYPE1": "RA---TAN",
                "CTYPE2": "DEC--TAN",
                "CRVAL1": 150.0,
                "CRVAL2": 2.0,
                "CRPIX1": 50.0,
                "CRPIX2": 48.0,
                "CD1_1": 0.0,
                "CD1_2": 7.28e-5,
                "CD2_1": -7.28e-5,
                "CD2_2": 0.0,
            },
        )
        hdu: Any = fits.ImageHDU(pixels, name="N4")
        if self.compress and kind == "weight":
            hdu = fits.CompImageHDU(
                pixels,
                name="N4",
                compression_type="RICE_1",
                quantize_level=4.0,
                quantize_method=1,
                dither_seed=1,
            )
        hdu.header.update(cards)
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)


def _write_table(path: Path, columns: Mapping[str, Any], cards: Mapping[str, Any]) -> None:
    """Write a table of one row, arrays as fixed columns."""
    made = []
    for name, value in columns.items():
        if value is None:
            continue
        array = np.asarray(value)
        if array.dtype.kind == "U":
            made.append(fits.Column(name=name, format=f"{array.itemsize // 4}A", array=[value]))
            continue
        letter = {"i": "K", "f": "D"}[array.dtype.kind]
        dim = str(tuple(reversed(array.shape))) if array.ndim > 1 else None
        made.append(
            fits.Column(name=name, format=f"{array.size}{letter}", dim=dim, array=array[np.newaxis])
        )
    primary = fits.PrimaryHDU()
    primary.header.update(cards)
    fits.HDUList([primary, fits.BinTableHDU.from_columns(made)]).writeto(path)
