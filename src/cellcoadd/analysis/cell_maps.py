"""Maps of a tract on the sky: what was measured of its cells, as HealSparse maps.

Tables of cells come in, patch by patch, and the tract. A map for each quantity goes out, which can
be read without knowledge of tracts, patches and cells.
"""

from __future__ import annotations

__all__ = [
    "NSIDE_COVERAGE",
    "NSIDE_SPARSE",
    "CellMapSettings",
    "SkyMapSettings",
    "map_cells",
    "map_columns",
]

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import healsparse
import numpy as np
import numpy.typing as npt
from astropy.table import Table

from ..skymap import Tract
from ..skymap.healsparse_maps import check_resolutions, empty_map
from .cell_pixels import PixelAssignment, pixels_of_cells
from .map_quantities import MAP_QUANTITIES, MapQuantity
from .pixel_means import PixelMeans
from .tract_cells import TractCells, gather_cells

NSIDE_SPARSE = 8192
"""Default resolution of a map: pixels of 26 arcsec, as large as a cell of 150 x 0.168 arcsec."""

NSIDE_COVERAGE = 256
"""Default resolution of a map's index: a tract reaches some 60 of its pixels."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SkyMapSettings:
    """How cells become maps.

    Parameters
    ----------
    nside_sparse, nside_coverage
        HEALPix resolutions of the maps and of their indices, powers of two.
    assignment
        Which pixels a cell has; see `cellcoadd.analysis.cell_pixels`.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    nside_sparse: int = NSIDE_SPARSE
    nside_coverage: int = NSIDE_COVERAGE
    assignment: PixelAssignment = PixelAssignment.BOX

    def __post_init__(self) -> None:
        check_resolutions(nside_sparse=self.nside_sparse, nside_coverage=self.nside_coverage)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CellMapSettings(SkyMapSettings):
    """What of cells becomes maps, and how.

    Parameters
    ----------
    quantities
        Names of what is mapped, out of `MAP_QUANTITIES`.
    nside_sparse, nside_coverage, assignment
        As for `SkyMapSettings`.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    quantities: tuple[str, ...] = tuple(MAP_QUANTITIES)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.quantities or len(set(self.quantities)) < len(self.quantities):
            raise ValueError(f"quantities must be some, each once, got {list(self.quantities)}.")
        for name in self.quantities:
            if name not in MAP_QUANTITIES:
                raise ValueError(f"quantities must be of {[*MAP_QUANTITIES]}, got {name!r}.")


def map_cells(
    tables: Iterable[Table], tract: Tract, *, settings: CellMapSettings
) -> dict[str, healsparse.HealSparseMap] | None:
    """Map what was measured of the cells of a tract.

    Parameters
    ----------
    tables
        Tables of cells of the tract's patches, in any order. They are asked for one at a time and
        let go of. A cell that several patches have is counted once (see
        `cellcoadd.analysis.tract_cells.gather_cells`).
    tract
        The tract.
    settings
        What is mapped, and how.

    Returns
    -------
    maps
        A map for each quantity, by name; None if the tables have no cell. Maps are in nested order,
        ICRS, and of the type float64, that of ``inputs`` too: a pixel that several cells share has
        the mean of them, each with the same weight, be it 3.5 visits. Cells whose value is not
        finite are left out; a pixel that has no other cell is not in the map. The metadata say what
        a map is:

        ``QUANTITY``, ``MEANING``, ``UNIT``
            its name, in words, and its unit, empty for pure numbers,
        ``COLUMN``, ``NCELLS``
            where it is in the table of cells, and how many cells have a value,
        ``SKYMAP``, ``TRACT``, ``BAND``
            of what it is,
        ``ASSIGN``
            which pixels a cell has.

    Raises
    ------
    ValueError
        If a table lacks a column, or does not belong to the tract and the other tables.

    Notes
    -----
    The result does not depend on the order of the tables, to the bit: cells are summed in the order
    of their places in the tract.
    """
    quantities = [MAP_QUANTITIES[name] for name in settings.quantities]
    return map_columns(tables, tract, quantities, settings)


def map_columns(
    tables: Iterable[Table],
    tract: Tract,
    quantities: Sequence[MapQuantity],
    settings: SkyMapSettings,
) -> dict[str, healsparse.HealSparseMap] | None:
    """Map columns of tables of cells, as `map_cells` does those that are always there.

    Parameters
    ----------
    tables, tract
        As for `map_cells`.
    quantities
        Columns, and what they are called.
    settings
        How they are mapped.
    """
    cells = gather_cells(tables, tract, columns=[each.column for each in quantities])
    if len(cells) == 0:
        return None
    means = PixelMeans(len(quantities))
    for portion in _by_rows_of_patches(tract, cells):
        pixels, which = pixels_of_cells(
            tract,
            x=cells.x[portion],
            y=cells.y[portion],
            nside=settings.nside_sparse,
            assignment=settings.assignment,
        )
        means.add(pixels, cells.values[:, portion][:, which])
    return {
        quantity.name: _to_map(
            *means.mean(number), settings, _metadata(tract, cells, quantity, number, settings)
        )
        for number, quantity in enumerate(quantities)
    }


def _by_rows_of_patches(tract: Tract, cells: TractCells) -> Iterator[slice]:
    """Portions of cells that are few enough for their pixels to be held at once."""
    row = cells.y // tract.settings.patch_inner_cells  # ascending, as the cells are row by row
    edges = [0, *(np.nonzero(np.diff(row))[0] + 1), len(cells)]
    return (slice(start, stop) for start, stop in itertools.pairwise(edges))


def _metadata(
    tract: Tract,
    cells: TractCells,
    quantity: MapQuantity,
    number: int,
    settings: SkyMapSettings,
) -> dict[str, Any]:
    return {
        "QUANTITY": quantity.name,
        "MEANING": quantity.meaning,
        "UNIT": cells.units[number],
        "COLUMN": quantity.column,
        "SKYMAP": tract.skymap,
        "TRACT": tract.id,
        "BAND": cells.band,
        "ASSIGN": str(settings.assignment),
        "NCELLS": int(np.isfinite(cells.values[number]).sum()),
    }


def _to_map(
    pixels: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
    settings: SkyMapSettings,
    metadata: dict[str, Any],
) -> healsparse.HealSparseMap:
    result = empty_map(
        nside_sparse=settings.nside_sparse,
        nside_coverage=settings.nside_coverage,
        dtype=np.float64,
        metadata=metadata,
    )
    # Each pixel comes once. "replace" would check that with an array as long as the range of their
    # numbers, which is half the sky where a tract lies on the seam of two base pixels.
    result.update_values_pix(pixels, values, operation="add")
    return result
