"""The data of a report out of tables, maps and a coadd of a tract that somebody has read."""

from __future__ import annotations

__all__ = ["fullest_first", "gather_tract_data", "stack_tables"]

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import astropy.table
import astropy.units as u
import numpy as np
from astropy.table import Table
from lsst.images import Image

from ..analysis.tract_cells import places_in_tract
from ..analysis.visit_properties import DEFAULT_VISIT_MAPS
from ..products.cell_coadd import MultipleCellCoadd
from ..report.tract_data import Provenance, TractData
from ..skymap import Tract
from .threshold_functions import threshold_functions

if TYPE_CHECKING:
    from healsparse import HealSparseMap


def gather_tract_data(
    tract: Tract,
    band: str,
    *,
    provenance: Provenance,
    cells: Table | None = None,
    inputs: Table | None = None,
    maps: Mapping[str, HealSparseMap] | None = None,
    coadded: Collection[int] = (),
    example: MultipleCellCoadd | None = None,
    example_warp_variance: Image | None = None,
    coadd_name: str = "deepCoaddCell",
    empty_patches: Sequence[str] = (),
) -> TractData:
    """Return what a report on a tract in a band shows.

    Parameters
    ----------
    tract, band
        Which.
    provenance
        What is known of where it came from.
    cells, inputs
        The tables of all patches, each as `stack_tables` returns them.
    maps
        HealSparse maps by quantity, or name of a map of visits; those without a pixel are left out.
    coadded
        Ids of the patches of which there is a coadd; they are outlined, with those of the table.
    example
        The coadd of one patch: the first of `fullest_first` that can be read.
    example_warp_variance
        Of its cell with the most inputs, see `TractData`.
    coadd_name
        Dataset type of the coadd.
    empty_patches
        Why patches that images touch have no coadd.
    """
    grid = tract.patch(0).grid
    side = tract.settings.cell_inner_size * tract.settings.pixel_scale_arcsec / 60.0
    shown = {*coadded, *(np.unique(cells["patch"]).tolist() if cells is not None else ())}
    functions = threshold_functions(inputs)
    return TractData(
        skymap=tract.skymap,
        tract=tract.id,
        band=band,
        grid_shape=grid.shape,
        outer_width=grid.outer_cell_shape.x,
        cell_area_arcmin2=side**2,
        provenance=provenance,
        cells=cells,
        inputs=inputs,
        maps={name: made for name, made in (maps or {}).items() if made.valid_pixels.size},
        visit_maps=DEFAULT_VISIT_MAPS,
        outlines={number: tract.patch(number).inner_region for number in sorted(shown)},
        example=example,
        example_warp_variance=example_warp_variance,
        thresholds=functions.planes,
        patch_thresholds=functions.patches,
        coadd_name=coadd_name,
        empty_patches=empty_patches,
    )


def stack_tables(tables: Iterable[Table], tract: Tract) -> Table | None:
    """Return the tables of all patches, one below the other; None if there is no row.

    First come the rows of cells that belong to their patch, then those that it shares; by patch. So
    the first row of a cell is the one that maps of the tract take too. Tables of older versions do
    not have the places of cells in their tract: they get them.

    Parameters
    ----------
    tables
        Tables of cells, or of inputs, of patches of one tract.
    tract
        The tract.

    Raises
    ------
    ValueError
        If a column is in one unit in one table and in another in another.
    """
    filled = [table for table in tables if len(table)]
    if not filled:
        return None
    _check_units(filled)
    table = astropy.table.vstack(filled, metadata_conflicts="silent")
    patch = np.asarray(table["patch"], np.int64)
    places, owned = places_in_tract(
        tract, patch=patch, cell_x=table["cell_x"], cell_y=table["cell_y"]
    )
    if "tract_cell_x" not in table.colnames:
        table["tract_cell_x"], table["tract_cell_y"] = places.x, places.y
    return table[np.lexsort((patch, ~owned))]


def _check_units(tables: Sequence[Table]) -> None:
    """Refuse tables of coadds of which some are in nJy and some in counts."""
    stated: dict[str, tuple[int, u.UnitBase]] = {}
    for table in tables:
        for name in table.colnames:
            unit, patch = table[name].unit, int(table["patch"][0])
            if unit is None:
                continue
            first, other = stated.setdefault(name, (patch, unit))
            if unit != other:
                raise ValueError(
                    f"{name} is in {other} in the table of patch {first}, in {unit} in that of "
                    f"patch {patch}: report on coadds of one unit."
                )


def fullest_first(patches: Iterable[int], cells: Table | None) -> list[int]:
    """Return ids of patches, that with the most filled cells first.

    Parameters
    ----------
    patches
        Their ids; equally full ones stay in this order.
    cells
        Table of the cells of all patches; None leaves the order as it is.
    """
    counts: dict[int, int] = {}
    if cells is not None:
        found, numbers = np.unique(np.asarray(cells["patch"], np.int64), return_counts=True)
        counts = dict(zip(found.tolist(), numbers.tolist(), strict=True))
    return sorted(patches, key=lambda patch: -counts.get(patch, 0))
