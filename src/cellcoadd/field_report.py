"""A page on coadds that were made of files: tables and one coadd are read again, figures drawn.

The coadds of `field_coadds` come in; a page for each tract and band goes out, the same as of a
repository, but for what only a repository knows.
"""

from __future__ import annotations

__all__ = ["write_field_reports"]

import importlib.metadata
from collections.abc import Iterator, Sequence
from pathlib import Path

from .analysis.cell_maps import CellMapSettings, map_cells
from .analysis.visit_maps import VisitMapSettings, map_visits
from .any_file import read
from .errors import UnusableInputError
from .field_coadds import FieldCoadd
from .files.parquet_tables import read_parquet_table
from .products.cell_coadd import MultipleCellCoadd
from .report.index_page import make_index_page
from .report.tract_data import Provenance, TractData
from .report.tract_page import make_tract_page
from .tract_report.gather import fullest_first, gather_tract_data, stack_tables
from .tract_report.written import WrittenReport, page_stem, summarize, write_page

_PACKAGES = ("astropy", "cellcoadd", "lsst-images", "numba", "numpy", "scipy")


def write_field_reports(made: Sequence[FieldCoadd], folder: Path) -> Iterator[WrittenReport]:
    """Write a page for each tract and band, and one that compares them if there are several.

    Parameters
    ----------
    made
        What became of each patch; tables were written along.
    folder
        Where the pages go; made if it does not exist. Files of the same names are replaced.

    Yields
    ------
    written
        Each page, when it is there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    groups: dict[tuple[str, int], list[FieldCoadd]] = {}
    for one in made:
        groups.setdefault((one.job.band, one.job.tract), []).append(one)
    summaries = []
    for (band, tract), patches in sorted(groups.items()):
        filled = [one for one in patches if one.n_cells]
        if not filled:
            continue
        data = _tract_data(filled, [one.empty for one in patches if one.empty])
        stem = page_stem(skymap=data.skymap, tract=tract, band=band)
        yield write_page(make_tract_page(data), folder, stem)
        summaries.append(summarize(data, f"{stem}.html"))
    if len(summaries) > 1:
        yield write_page(make_index_page(summaries), folder, "index")


def _tract_data(filled: Sequence[FieldCoadd], empty: Sequence[str]) -> TractData:
    first = filled[0].job
    tract = first.sky_map[first.tract]
    tables = {one.job.patch_id: read_parquet_table(one.job.table_paths["cells"]) for one in filled}
    cells = stack_tables(tables.values(), tract)
    inputs = [read_parquet_table(one.job.table_paths["inputs"]) for one in filled]
    visits = map_visits(inputs, tract, settings=VisitMapSettings())
    assert visits is not None, "cells are filled by inputs"
    files = {one.job.patch_id: one.job.target for one in filled}
    shown = files[fullest_first(files, cells)[0]]
    try:
        example = read(shown)
    except UnusableInputError:
        example = None
    return gather_tract_data(
        tract,
        first.band,
        provenance=_provenance(filled, shown, is_whole=isinstance(example, MultipleCellCoadd)),
        cells=cells,
        inputs=stack_tables(inputs, tract),
        maps={
            **(map_cells(tables.values(), tract, settings=CellMapSettings()) or {}),
            **visits.maps,
        },
        coadded=files,
        example=example if isinstance(example, MultipleCellCoadd) else None,
        coadd_name="coadd",
        empty_patches=empty,
    )


def _provenance(filled: Sequence[FieldCoadd], shown: Path, *, is_whole: bool) -> Provenance:
    """Say which files there are, and how the one that is shown is read."""
    files = [
        (kind, f"tract {one.job.tract}, patch {one.job.patch_id}, band {one.job.band}", str(path))
        for one in filled
        for kind, path in (("coadd", one.job.target), *one.job.table_paths.items())
    ]
    table = filled[0].job.table_paths["cells"]
    return Provenance(
        packages={name: importlib.metadata.version(name) for name in _PACKAGES},
        packages_of="the process that made this page",
        files=files,
        code="import cellcoadd\n\n"
        f"coadd = cellcoadd.read({str(shown)!r})\ncells = cellcoadd.read({str(table)!r})",
        left_out=["Left out: settings and warps, which coadds of files do not keep."]
        + (
            []
            if is_whole
            else [
                "Left out: the coadd itself, which 'cellcoadd coadd --format cells' writes so that "
                "it can be shown."
            ]
        ),
    )
