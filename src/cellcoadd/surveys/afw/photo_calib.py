"""From counts to nanojanskys: the photometric calibration of an afw exposure.

The three layouts of it come in; the flux of one count goes out or, where that varies over the
image, what each pixel is to be multiplied by.
"""

from __future__ import annotations

__all__ = ["Calibration", "calibration_of", "read_calibration"]

import dataclasses
import math

import astropy.units as u
import numpy as np
import numpy.typing as npt
from lsst.images import Box

from ...errors import UnusableInputError
from .archive import Archive, Stored
from .bounded_fields import render_scale
from .exposure_file import ExposureFile

_AB_NJY = 3.6307805477e12
"""Flux of AB magnitude 0 in nJy, 10^(-48.6/2.5 + 32): so lsst.afw has it, and not 3631e9."""
_WAY_OUT = "calibrate it first, or give a visit summary that has its calibration."


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """How pixels become fluxes.

    Parameters
    ----------
    nanojansky_per_count
        Flux of one count; 1 if there is a field.
    field : float32 (rows, columns) or None
        What pixels are to be multiplied by to be nJy, if it varies.
    typical
        The flux of a count of the file, in nJy, of the whole image.
    """

    nanojansky_per_count: float
    field: npt.NDArray[np.float32] | None = None
    typical: float


def read_calibration(exposure: ExposureFile) -> Calibration:
    """Return the calibration of an exposure.

    Raises
    ------
    UnusableInputError
        If there is none, it is broken or not positive, or the unit of the pixels contradicts it.

    Notes
    -----
    Pixels that are fluxes already (``BUNIT`` nJy, as DP1's) stay what they are, whatever a visit
    summary says, which is of the counts that they were made of.
    """
    flux = _stated_flux(exposure)
    if flux is not None:
        own = exposure.own("PHOTOCALIB")
        if own is not None and exposure.archive is not None:
            _check_is_one(exposure.archive, own)
        return Calibration(nanojansky_per_count=flux, typical=flux)
    part = exposure.part("PHOTOCALIB")
    if part is not None:
        return calibration_of(*part, bbox=exposure.bbox)
    if exposure.version > 0 or "FLUXMAG0" not in exposure.header:
        raise UnusableInputError(
            exposure.source, f"it has no photometric calibration (PhotoCalib): {_WAY_OUT}"
        )
    zero = float(exposure.header["FLUXMAG0"])
    if not (math.isfinite(zero) and zero > 0):
        raise UnusableInputError(
            exposure.source, f"its FLUXMAG0 must be positive, it is {zero}: {_WAY_OUT}"
        )
    return Calibration(nanojansky_per_count=_AB_NJY / zero, typical=_AB_NJY / zero)


def _stated_flux(exposure: ExposureFile) -> float | None:
    """Return the nJy of what pixels are in, if that is a flux."""
    for header in (exposure.planes["IMAGE"].header, exposure.header):
        text = str(header.get("BUNIT", "")).strip()
        if text:
            try:
                unit = u.Unit(text)
            except ValueError:
                return None
            return float(unit.to(u.nJy)) if unit.is_equivalent(u.nJy) else None
    return None


def _check_is_one(archive: Archive, stored: Stored) -> None:
    rows = stored.table()
    mean = rows.number("calibrationMean")
    if not (rows.flag("isConstant") and mean == 1.0):
        raise UnusableInputError(
            archive.source,
            f"its pixels are in a unit of flux (BUNIT), but its PhotoCalib says that a count is "
            f"{mean:.6g} nJy: one of the two is wrong. Correct BUNIT or the calibration.",
        )


def calibration_of(archive: Archive, stored: Stored, *, bbox: Box) -> Calibration:
    """Return the calibration that a part of an archive is.

    Parameters
    ----------
    archive
        Where it is, with its fields.
    stored
        The part.
    bbox
        The pixels that are to be multiplied by it, if it varies.

    Raises
    ------
    UnusableInputError
        If it is of a kind that is not known, broken or not positive.
    """
    if stored.name == "Calib":
        return _of_old_table(archive, stored)
    rows = stored.table()
    if stored.name != "PhotoCalib" or not rows.has("version"):
        raise UnusableInputError(
            archive.source,
            f"its calibration is a {stored.name} of before 2019, in maggies, which is not read.",
        )
    mean = rows.number("calibrationMean")
    if not (math.isfinite(mean) and mean > 0):
        raise UnusableInputError(
            archive.source, f"its calibrationMean must be positive, it is {mean}: {_WAY_OUT}"
        )
    if rows.flag("isConstant"):
        return Calibration(nanojansky_per_count=mean, typical=mean)
    field = render_scale(archive, rows.integer("field"), bbox)
    if not (np.isfinite(field).all() and (field > 0).all()):
        raise UnusableInputError(
            archive.source, "its photometric calibration is not positive everywhere."
        )
    return Calibration(nanojansky_per_count=1.0, field=field.astype(np.float32), typical=mean)


def _of_old_table(archive: Archive, stored: Stored) -> Calibration:
    zero = stored.table().number("fluxmag0")
    if not (math.isfinite(zero) and zero > 0):
        raise UnusableInputError(
            archive.source, f"its fluxmag0 must be positive, it is {zero}: {_WAY_OUT}"
        )
    return Calibration(nanojansky_per_count=_AB_NJY / zero, typical=_AB_NJY / zero)
