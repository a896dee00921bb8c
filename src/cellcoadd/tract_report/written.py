"""Pages of reports as files: one HTML file, and its figures beside it."""

from __future__ import annotations

__all__ = ["WrittenReport", "page_stem", "summarize", "write_page"]

import dataclasses
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..report.index_page import TractSummary
from ..report.page import render_page
from ..report.page_parts import ReportPage
from ..report.tract_data import TractData


@dataclasses.dataclass(frozen=True, kw_only=True)
class WrittenReport:
    """A page that was written.

    Parameters
    ----------
    page
        The file.
    figures
        Files of its figures.
    left_out
        Sentences on what it does not show, and why.
    """

    page: Path
    figures: Sequence[Path]
    left_out: Sequence[str]


def page_stem(*, skymap: str, tract: int, band: str) -> str:
    """Return what the names of a page's files begin with, without what addresses cannot have."""
    return re.sub(r"[^\w.-]", "-", f"{skymap}_{tract}_{band}")


def summarize(data: TractData, page: str) -> TractSummary:
    """Return the line of a tract on the page that compares several."""
    known = data.cells is not None
    return TractSummary(
        skymap=data.skymap,
        tract=data.tract,
        band=data.band,
        page=page,
        cells=data.cells_once if known else None,
        patches=len(np.unique(data.cells["patch"])) if data.cells is not None else 0,
        thresholds=data.thresholds,
        outer_width=data.outer_width,
    )


def write_page(page: ReportPage, folder: Path, stem: str) -> WrittenReport:
    """Write the figures, then the page: when it is there, all is.

    Parameters
    ----------
    page
        The page.
    folder
        Where it goes; files of the same names are replaced.
    stem
        What the names of its files begin with.
    """
    figures = [
        _write_whole(folder / f"{stem}_{figure.name}.png", figure.png)
        for section in page.sections
        for figure in section.figures
    ]
    path = _write_whole(folder / f"{stem}.html", render_page(page).encode())
    left_out = [text for section in page.sections for text in section.left_out]
    return WrittenReport(page=path, figures=figures, left_out=left_out)


def _write_whole(path: Path, content: bytes) -> Path:
    """Write a file; one that was begun and not finished does not stay."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path
