"""The report on a tract: all figures, tables and the provenance, as one page."""

from __future__ import annotations

__all__ = ["make_tract_page"]

import importlib.metadata

import numpy as np

from ..files.column_values import known_values
from .cell_summaries import summary_by_inputs, summary_by_patch
from .drawings import capital
from .input_summaries import refusals_by_detector, refusals_by_reason, summary_by_visit
from .page_parts import PageColumn, PageSection, PageTable, ReportPage
from .tract_data import Provenance, TractData
from .tract_sections import draw_sections

_NO_RECORD = "Left out: settings and versions. The collections hold no record of them."


def make_tract_page(data: TractData) -> ReportPage:
    """Return the page of a tract in a band."""
    return ReportPage(
        title=f"{capital(data.title)}: cell-based coadds",
        summary=f"Sky map {data.skymap}. What its cells are made of, how deep they are, and what "
        "masks cost.",
        key_numbers=_key_numbers(data),
        sections=[
            *_empty_patches(data),
            *draw_sections(data),
            _numbers(data),
            _refusals(data),
            *_provenance(data.provenance),
        ],
        footer=f"Made by cellcoadd {importlib.metadata.version('cellcoadd')}.",
    )


def _key_numbers(data: TractData) -> list[tuple[str, str]]:
    numbers: list[tuple[str, str]] = []
    if data.cells is not None:
        cells = data.cells_once
        counts = np.asarray(cells["visit_count"])
        numbers = [
            ("Patches", f"{len(np.unique(data.cells['patch'])):,}"),
            ("Filled cells, each once", f"{len(cells):,}"),
            ("Area", f"{len(cells) * data.cell_area_arcmin2:,.1f} arcmin²"),
            ("Visits in a cell", f"{counts.min()} to {counts.max()}, mean {counts.mean():.1f}"),
        ]
        for column, name, unit, digits in (
            ("variance_median", "Median variance", "nJy²", 1),
            ("depth", "Median depth, 5 sigma", "AB mag", 2),
            ("psf_fwhm", "Median PSF FWHM", "arcsec", 2),
        ):
            known = known_values(cells, column) if column in cells.colnames else np.empty(0)
            if known.size:
                numbers.append((name, f"{np.median(known):,.{digits}f} {unit}"))
    if data.inputs is not None:
        used = data.inputs[np.asarray(data.inputs["accepted"], np.bool_)]
        numbers.append(("Visits used", f"{len(np.unique(used['visit'])):,}"))
    return numbers


def _empty_patches(data: TractData) -> list[PageSection]:
    """Say first what somebody expected to see and will not find."""
    if not data.empty_patches:
        return []
    return [PageSection(name="empty", heading="Patches without a cell", texts=data.empty_patches)]


def _numbers(data: TractData) -> PageSection:
    name, heading = "numbers", "Numbers"
    if data.cells is None:
        return PageSection(
            name=name,
            heading=heading,
            left_out=[f"Left out: the cells in numbers. There is no {data.coadd_name}_table."],
        )
    return PageSection(
        name=name,
        heading=heading,
        texts=["A click on the head of a column sorts the rows by it."],
        tables=[
            summary_by_inputs(data.cells_once),
            summary_by_patch(data.cells, cells_in_patch=data.cells_in_patch),
        ],
    )


def _refusals(data: TractData) -> PageSection:
    name, heading = "refused", "Refused inputs"
    if data.inputs is None:
        return PageSection(
            name=name,
            heading=heading,
            left_out=[
                "Left out: visits, and refused inputs with their reasons. There is no "
                f"{data.coadd_name}_inputTable."
            ],
        )
    return PageSection(
        name=name,
        heading=heading,
        texts=[
            "A cell refuses an input for the first of these reasons that holds. Images that "
            "were refused before warping are named in the logs of makeDirectWarp."
        ],
        tables=[
            refusals_by_reason(data.inputs),
            summary_by_visit(data.inputs),
            refusals_by_detector(data.inputs),
        ],
    )


def _provenance(provenance: Provenance) -> list[PageSection]:
    collections = PageTable(
        name="collections",
        caption=f"Collections of {provenance.repository}, in the order in which they were "
        "searched.",
        columns=[PageColumn(name="collection"), PageColumn(name="kind")],
        rows=provenance.collections,
    )
    files = PageTable(
        name="files",
        caption=f"Files, relative to {provenance.repository}.",
        columns=[
            PageColumn(name="dataset type"),
            PageColumn(name="data ID"),
            PageColumn(name="file"),
        ],
        rows=provenance.files,
        folded=True,
    )
    runs = PageTable(
        name="runs",
        caption="Datasets, and the runs that hold them.",
        columns=[
            PageColumn(name="dataset type"),
            PageColumn(name="data ID"),
            PageColumn(name="run"),
        ],
        rows=provenance.runs,
        folded=True,
    )
    changed = [entry for entry in provenance.settings if entry.value != entry.default]
    heads = [PageColumn(name=name) for name in ("task", "setting", "value", "value if not set")]
    settings = [
        PageTable(
            name=name,
            caption=caption,
            columns=heads,
            rows=[(entry.task, entry.name, entry.value, entry.default) for entry in entries],
            folded=folded,
        )
        for name, caption, entries, folded in (
            ("changed-settings", "Settings that are not the tasks' own.", changed, False),
            ("settings", "All settings of the tasks.", provenance.settings, True),
        )
        if entries
    ]
    packages = PageTable(
        name="packages",
        caption=f"Versions of the {len(provenance.packages)} packages in {provenance.packages_of}.",
        columns=[PageColumn(name="package"), PageColumn(name="version")],
        rows=list(provenance.packages.items()),
        folded=True,
    )
    made = [*settings, *([packages] if provenance.packages else [])]
    return [
        PageSection(
            name="data",
            heading="The data",
            texts=["To get at what this page shows:"] if provenance.code else (),
            code=provenance.code,
            tables=[
                *([collections] if provenance.collections else []),
                *([files] if provenance.files else []),
                *([runs] if provenance.runs else []),
            ],
        ),
        PageSection(
            name="provenance",
            heading="How it was made",
            tables=made,
            left_out=[
                *provenance.left_out,
                *([] if made or provenance.left_out else [_NO_RECORD]),
            ],
        ),
    ]
