"""Visit summaries: what the Rubin pipelines found out of a visit after its images were written.

A table of afw (``ExposureCatalog``) with a row for each detector and an archive of their parts. The
WCS, PSF, calibration and aperture corrections in it are later and better than the images' own.
"""

from __future__ import annotations

__all__ = [
    "SummaryRow",
    "VisitSummary",
    "find_visit_summary",
    "is_visit_summary",
    "open_visit_summary",
    "visit_summary_from_catalog",
]

import contextlib
import dataclasses
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from ...errors import UnusableInputError
from ..fits_files import open_fits
from ..mosaic_files import as_it_lies
from .archive import Archive, Stored

_COLUMNS = {"SKYWCS": "wcs", "PSF": "psf", "PHOTOCALIB": "photoCalib", "AP_CORR_MAP": "apCorrMap"}
"""What is taken from a summary, as cards of images call it, and its column."""

_NAME = re.compile(r"^(?:final)?visit_?Summary[\w.-]*?\.fits(?:\.gz|\.fz)?$", re.IGNORECASE)


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


_STEMS = ("finalVisitSummary", "visitSummary", "visit_summary")


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


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class VisitSummary:
    """All of a visit summary; what it says of a detector is looked at when it is asked for.

    Parameters
    ----------
    source
        The file that it was read from.
    visit
        Of which visit it is; None if it does not say.
    instrument
        Of which instrument, as its visit information calls it; empty if it does not say.
    detectors
        Of which detectors it has a row.
    content
        The file's bytes.
    """

    source: str
    visit: int | None
    instrument: str
    detectors: frozenset[int]
    content: bytes = dataclasses.field(repr=False)

    @classmethod
    def read(cls, path: Path) -> VisitSummary:
        """Read the file of a visit summary.

        Raises
        ------
        UnusableInputError
            If it is missing, broken, or no visit summary of one visit.
        """
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise UnusableInputError(str(path), "there is no such file.") from error
        with open_fits(path, content=content) as hdus:
            table = _table(hdus, str(path))
            names = table.columns.names
            visits = {int(visit) for visit in table["visit"]} if "visit" in names else set()
            if len(visits) > 1 or len(table) == 0:
                raise UnusableInputError(
                    str(path),
                    f"a visit summary must have rows, of one visit; it has {len(table)}, of visits "
                    f"{sorted(visits)}.",
                )
            return cls(
                source=str(path),
                visit=visits.pop() if visits else None,
                instrument=_instrument(table, Archive(hdus, 2, str(path))),
                detectors=frozenset(int(number) for number in table["id"]),
                content=content,
            )

    @contextlib.contextmanager
    def row(self, *, visit: int, detector: int) -> Iterator[SummaryRow]:
        """Find a detector; as `open_visit_summary`."""
        with open_fits(Path(self.source), content=self.content) as hdus:
            yield _row(hdus, self.source, visit=visit, detector=detector)


def visit_summary_from_catalog(catalog: Any) -> VisitSummary:
    """Convert an ``lsst.afw.table.ExposureCatalog`` where the Rubin pipelines are installed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "visit_summary.fits"
        catalog.writeFits(str(path))
        return VisitSummary.read(path)


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


def _table(hdus: fits.HDUList, source: str) -> fits.FITS_rec:
    has_table = len(hdus) > 2 and isinstance(hdus[1], fits.BinTableHDU)
    table = hdus[1].data if has_table else None
    if table is None or not {"id", *_COLUMNS.values()} <= set(table.columns.names):
        raise UnusableInputError(
            source, "it is no visit summary: a table with id, wcs, psf, photoCalib, apCorrMap."
        )
    return table


def _instrument(table: fits.FITS_rec, archive: Archive) -> str:
    """Return the instrument of the first row that says it."""
    numbers = table["visitInfo"] if "visitInfo" in table.columns.names else []
    for number in numbers:
        rows = archive.get(int(number)).table() if number else None
        if rows is not None and rows.has("instrumentlabel") and rows.text("instrumentlabel"):
            return rows.text("instrumentlabel")
    return ""


def _row(hdus: fits.HDUList, source: str, *, visit: int, detector: int) -> SummaryRow:
    table = _table(hdus, source)
    names = table.columns.names
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
