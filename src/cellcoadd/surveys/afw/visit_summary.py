"""Visit summaries: what the Rubin pipelines found out of a visit after its images were written.

A table of afw (``ExposureCatalog``) with a row for each detector and an archive of their parts. The
WCS, PSF, calibration and aperture corrections in it are later and better than the images' own.
"""

from __future__ import annotations

__all__ = ["SummaryRow", "find_visit_summary", "is_visit_summary", "open_visit_summary"]

import contextlib
import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from astropy.io import fits

from ...errors import UnusableInputError
from ..fits_files import open_fits
from ..mosaic_files import as_it_lies
from .archive import Archive, Stored

_COLUMNS = {"SKYWCS": "wcs", "PSF": "psf", "PHOTOCALIB": "photoCalib", "AP_CORR_MAP": "apCorrMap"}
"""What is taken from a summary, as cards of images call it, and its column."""

_NAME = re.compile(r"^(?:final)?visitSummary[\w.-]*?\.fits(?:\.gz|\.fz)?$", re.IGNORECASE)


def is_visit_summary(path: Path) -> bool:
    """Return whether a file is named like a visit summary: it is no image."""
    return _NAME.match(path.name) is not None


def find_visit_summary(image: Path, visit: int) -> Path | None:
    """Return the visit summary beside an image, ``visitSummary-<visit>.fits``; None without one."""
    for name in (f"{stem}{mark}{visit}.fits" for stem in _STEMS for mark in "-_"):
        path = as_it_lies(image.with_name(name))
        if path.is_file():
            return path
    return None


_STEMS = ("finalVisitSummary", "visitSummary")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SummaryRow:
    """What a summary says of one detector.

    Parameters
    ----------
    archive
        The archive of the summary.
    numbers
        Numbers of the parts there, by what cards of images call them; 0: this detector has none.
        A part that the summary has of no detector is left out.
    statistics
        The numbers in the row.
    source
        The file.
    detector
        Which detector.
    """

    archive: Archive
    numbers: Mapping[str, int]
    statistics: Mapping[str, float]
    source: str
    detector: int

    def part(self, key: str) -> Stored | None:
        """Return a part; None if the summary has it of no detector.

        Raises
        ------
        UnusableInputError
            If the summary has it of other detectors, but not of this one.
        """
        number = self.numbers.get(key)
        if number is None:
            return None
        if number == 0:
            raise UnusableInputError(
                self.source,
                f"it has no {_COLUMNS[key]} of detector {self.detector}, but of others: its "
                "calibration has failed. Leave the image out, or read it without the summary.",
            )
        return self.archive.get(number)


@contextlib.contextmanager
def open_visit_summary(path: Path, *, visit: int, detector: int) -> Iterator[SummaryRow]:
    """Open a visit summary and find a detector in it.

    Parameters
    ----------
    path
        The file.
    visit, detector
        Which image's row.

    Yields
    ------
    row
        Its parts are read when they are asked for.

    Raises
    ------
    UnusableInputError
        If the file is broken, of another visit, or does not have the detector.
    """
    with open_fits(path) as hdus:
        yield _row(hdus, str(path), visit=visit, detector=detector)


def _row(hdus: fits.HDUList, source: str, *, visit: int, detector: int) -> SummaryRow:
    has_table = len(hdus) > 2 and isinstance(hdus[1], fits.BinTableHDU)
    table = hdus[1].data if has_table else None
    names = [] if table is None else table.columns.names
    if table is None or not {"id", *_COLUMNS.values()} <= set(names):
        raise UnusableInputError(
            source, "it is no visit summary: a table with id, wcs, psf, photoCalib, apCorrMap."
        )
    found = np.flatnonzero(table["id"] == detector)
    if found.size != 1:
        raise UnusableInputError(
            source,
            f"it must have one row of detector {detector}, it has {found.size}: the image was not "
            "calibrated. Leave the image out, or read it without the summary.",
        )
    row = table[int(found[0])]
    if "visit" in names and int(row["visit"]) != visit:
        raise UnusableInputError(
            source, f"it is of visit {int(row['visit'])}, the image is of visit {visit}."
        )
    return SummaryRow(
        archive=Archive(hdus, 2, source),
        numbers={key: int(row[name]) for key, name in _COLUMNS.items() if np.any(table[name])},
        statistics={
            name: float(row[name])
            for name in names
            if np.ndim(row[name]) == 0 and isinstance(row[name], np.number)
        },
        source=source,
        detector=detector,
    )
