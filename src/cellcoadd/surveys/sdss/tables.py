"""What the tables of an SDSS field say of a frame: sky, gain, PSF and photometric calibration.

Files that belong to a frame come in; one `FrameCalibration` goes out, after it has been made sure
that the files are of this frame: their headers say of which run, column, field and reduction.
"""

from __future__ import annotations

__all__ = ["FrameCalibration", "read_calibration", "same_reduction"]

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from astropy.io import fits
from lsst.images import Box

from ...conventions import FWHM_PER_SIGMA
from ...errors import UnusableInputError
from ...psfs.models import PsfexPointSpreadFunction
from ..fits_files import open_fits
from .files import SdssFiles
from .psf import psf_of_eigenimages

_PSF_FAILURES = {
    -1: "unknown",
    3: "no PSF, a default in its place",
    4: "aborted",
    5: "missing",
    6: "the level of the electronics changed within it",
}
"""Of the survey's `status` of a field in a band; 0 is fine, 1 and 2 are PSFs that vary less."""

_FIELD_HDU = 6
_SAME_TIME_S = 5.0  # neighbouring fields are 36 s apart
_SECONDS_A_DAY = 86_400.0


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FrameCalibration:
    """What turns a frame into a calibrated image.

    Parameters
    ----------
    sky
        Its level in DN, above the softbias.
    gain
        Electrons a DN.
    dark_variance
        Of the detector without light, in DN^2.
    psf
        Positions are those of the frame's pixels.
    psf_sigma_arcsec, n_psf_star
        The PSF's size by its effective width, in arcsec, and the number of its stars; None: no say.
    counts_per_second_zero_point
        AB magnitude of one DN a second, at the frame's airmass.
    airmass
        Of the frame.
    """

    sky: float
    gain: float
    dark_variance: float
    psf: PsfexPointSpreadFunction
    psf_sigma_arcsec: float | None
    n_psf_star: int | None
    counts_per_second_zero_point: float
    airmass: float


def read_calibration(files: SdssFiles, header: fits.Header, *, bounds: Box) -> FrameCalibration:
    """Read what belongs to a frame.

    Parameters
    ----------
    files
        The frame's files.
    header
        Of the frame.
    bounds
        Its pixels.

    Raises
    ------
    UnusableInputError
        If a file is broken or of another frame, lacks the band, says that the survey's reduction
        failed, or holds a value that cannot be true.
    """
    with open_fits(files.psf) as hdus:
        _check_identity(files, files.psf, hdus[0].header, "FIELD")
        same_reduction(files, files.psf, header, hdus[0].header, ("PS_ID",))
        row = _BandOfField(files, files.psf, hdus, _FIELD_HDU)
        status = int(row["status"])
        if status in _PSF_FAILURES:
            raise UnusableInputError(
                str(files.psf),
                f"the survey could not make sky and PSF of the band {files.name.band}: status "
                f"{status}, {_PSF_FAILURES[status]}. Leave the frame out.",
            )
        number = row.place + 1
        psf = psf_of_eigenimages(hdus[number], bounds=bounds, source=f"{files.psf}, HDU {number}")
        sky = row.number("sky", least=0.0)
        gain = row.number("gain", above=0.0)
        dark_variance = row.number("dark_variance", least=0.0)
        width, n_star = float(row["psf_width"]), int(row["psf_nstar"])
    with open_fits(files.calibration) as hdus:
        _check_identity(files, files.calibration, hdus[0].header, "FIELD0")
        row = _BandOfField(files, files.calibration, hdus, 1)
        _check_calibrated(files, row)
        _check_time(files, row, header)
        airmass = row.number("airmass", least=1.0)
        zero_point = -(
            row.number("aa", above=-40.0, below=-10.0)
            + row.number("kk", least=0.0, below=3.0) * airmass
        )
    return FrameCalibration(
        sky=sky,
        gain=gain,
        dark_variance=dark_variance,
        psf=psf,
        psf_sigma_arcsec=width / FWHM_PER_SIGMA if math.isfinite(width) and width > 0 else None,
        n_psf_star=n_star if n_star >= 0 else None,
        counts_per_second_zero_point=zero_point,
        airmass=airmass,
    )


def same_reduction(
    files: SdssFiles, path: Path, frame: fits.Header, other: fits.Header, keys: tuple[str, ...]
) -> None:
    """Refuse a file of another reduction than the frame's; what neither says is not compared.

    Raises
    ------
    UnusableInputError
        If a keyword differs.
    """
    for key in keys:
        ours, theirs = frame.get(key), other.get(key)
        if None not in (ours, theirs) and ours != theirs:
            raise UnusableInputError(
                str(files.image),
                f"{path} is of another reduction: its {key} is {theirs!r}, that of the frame "
                f"{ours!r}. Take both from one rerun.",
            )


def _check_identity(files: SdssFiles, path: Path, header: fits.Header, field_key: str) -> None:
    """Refuse a file that another run, column, field or rerun is in than its name says."""
    name = files.name
    expected: dict[str, int] = {"RUN": name.run, "CAMCOL": name.camcol, field_key: name.field}
    if path == files.calibration:
        # The name has the rerun as its fourth part.
        expected["RERUN"] = files.rerun or int(path.name.split("-")[3])
    check_keywords(str(files.image), str(path), header, expected)


def check_keywords(
    frame: str, source: str, header: fits.Header, expected: Mapping[str, Any]
) -> None:
    """Refuse a file whose header contradicts the name of the frame.

    Raises
    ------
    UnusableInputError
        If a keyword is missing or has another value.
    """
    for key, value in expected.items():
        found = header.get(key)
        if isinstance(found, str):
            found = found.strip()
        if found != value:
            raise UnusableInputError(
                frame,
                f"{source} must be of {key} {value}, its header says {found}: it has another "
                "file's name, or is none of SDSS. Fetch it anew.",
            )


class _BandOfField:
    """The row of a table that is of a field, and of its columns the entries of a band."""

    def __init__(self, files: SdssFiles, path: Path, hdus: fits.HDUList, hdu: int) -> None:
        filters = str(hdus[0].header.get("FILTERS", "u g r i z")).split()
        band = files.name.band
        if band not in filters:
            raise UnusableInputError(
                str(files.image), f"{path} is of the bands {' '.join(filters)}, not of {band}."
            )
        if len(hdus) <= hdu or getattr(hdus[hdu], "columns", None) is None:
            raise UnusableInputError(
                str(path), f"it has no table in HDU {hdu}: it is cut off; fetch it anew."
            )
        self.place = filters.index(band)
        self._path = path
        self._n_bands = len(filters)
        rows = [row for row in hdus[hdu].data if int(row["field"]) == files.name.field]
        if len(rows) != 1:
            raise UnusableInputError(
                str(files.image),
                f"{path} has {len(rows)} rows of field {files.name.field}, it must have one.",
            )
        self._row = rows[0]

    def __getitem__(self, column: str) -> Any:
        """Return the band's entry, or that of all bands."""
        try:
            value = self._row[column]
        except KeyError as error:
            raise UnusableInputError(
                str(self._path), f"its table lacks the column {column}."
            ) from error
        return value[self.place] if getattr(value, "shape", None) == (self._n_bands,) else value

    def number(
        self,
        column: str,
        *,
        least: float = -math.inf,
        above: float = -math.inf,
        below: float = math.inf,
    ) -> float:
        """Return a finite number; the survey writes -9999 or 0 where it has none."""
        value = float(self[column])
        if not (math.isfinite(value) and value >= least and above < value < below):
            rule = " and ".join(
                f"{word} {bound:g}"
                for word, bound in (("at least", least), ("above", above), ("below", below))
                if math.isfinite(bound)
            )
            raise UnusableInputError(
                str(self._path),
                f"{column} of the band must be {rule}, it is {value:g}: the survey has no such "
                "value for this field. Leave the frame out.",
            )
        return value


def _check_calibrated(files: SdssFiles, row: _BandOfField) -> None:
    for column, meaning in (("frames_status", "reduced"), ("culled", "calibrated well enough")):
        value = int(row[column])
        if value != 0:
            raise UnusableInputError(
                str(files.calibration),
                f"the survey says that the field was not {meaning}: {column} is {value}, it must "
                "be 0. Leave the frame out.",
            )


def _check_time(files: SdssFiles, row: _BandOfField, header: fits.Header) -> None:
    seconds = header.get("TAI")
    if isinstance(seconds, int | float):
        apart = abs(float(seconds) - float(row["mjd"]) * _SECONDS_A_DAY)
        if not apart < _SAME_TIME_S:
            raise UnusableInputError(
                str(files.image),
                f"its first row was read {apart:.0f} s before or after that of the field that "
                f"{files.calibration} calibrates: one of them is of another field.",
            )
