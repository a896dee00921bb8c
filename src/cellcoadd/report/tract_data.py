"""What a report on a tract is made of: tables, maps, one coadd, and where all of it came from.

Whoever reads a repository fills this in; what is not there is None or empty, and the report says
so. Nothing here knows of repositories.
"""

from __future__ import annotations

__all__ = ["Provenance", "TaskSetting", "TractData", "each_cell_once"]

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.table import Table
from lsst.images import Image
from lsst.sphgeom import ConvexPolygon

from ..cell_grid import Index2D
from ..products.cell_coadd import MultipleCellCoadd
from .threshold_figures import Curve
from .units import variance_label, variance_unit

if TYPE_CHECKING:
    from healsparse import HealSparseMap


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskSetting:
    """One setting of a task, with the value that it has if nobody says otherwise."""

    task: str
    name: str
    value: str
    default: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where the data of a report are, and how they were made.

    Parameters
    ----------
    repository
        Folder or address; empty if it is not known.
    collections
        Name and kind of each collection that was searched, in that order.
    settings
        Of all tasks.
    packages
        Versions by package.
    packages_of
        Where these versions were found.
    files
        Dataset type, data ID and file of each dataset that the report is about.
    runs
        Dataset type, data ID and run of each, for who does not know files.
    code
        Python that gets them.
    left_out
        What is not known, and who knows it, a sentence each.
    """

    repository: str = ""
    collections: Sequence[tuple[str, str]] = ()
    settings: Sequence[TaskSetting] = ()
    packages: Mapping[str, str] = dataclasses.field(default_factory=dict)
    packages_of: str = "the run of the coadds"
    files: Sequence[tuple[str, str, str]] = ()
    runs: Sequence[tuple[str, str, str]] = ()
    code: str = ""
    left_out: Sequence[str] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class TractData:
    """A tract in a band.

    Parameters
    ----------
    skymap, tract, band
        Which.
    grid_shape
        Number of cells of a patch in x and y.
    outer_width
        Pixels of a cell's outer region.
    cell_area_arcmin2
        Area of a cell's inner region.
    provenance
        Where it came from.
    cells
        The tables of cells of all patches, one below the other.
    inputs
        The tables of inputs likewise.
    maps
        HealSparse maps by quantity, such as ``depth``; those of visits by the ends of their names,
        such as ``epoch_map_mean``.
    visit_maps
        The maps of visits that the report shows, if they are there, in their order.
    outlines
        The regions of the patches by their ids.
    example
        The coadd of one patch.
    example_warp_variance
        Of the example's cell with the most inputs: see `cell_variance_figure.draw_cell_variance`.
    thresholds
        Threshold function of the tract for each mask plane.
    patch_thresholds
        Threshold function of each patch, all planes together.
    coadd_name
        Dataset type of the coadd; the names of the others begin with it.
    empty_patches
        Of patches that images touch and no cell of which is filled: why, and what would help.
    """

    skymap: str
    tract: int
    band: str
    grid_shape: Index2D
    outer_width: int
    cell_area_arcmin2: float
    provenance: Provenance
    cells: Table | None = None
    inputs: Table | None = None
    maps: Mapping[str, HealSparseMap] = dataclasses.field(default_factory=dict)
    visit_maps: Sequence[str] = ()
    outlines: Mapping[int, ConvexPolygon] = dataclasses.field(default_factory=dict)
    example: MultipleCellCoadd | None = None
    example_warp_variance: Image | None = None
    thresholds: Mapping[str, Curve] = dataclasses.field(default_factory=dict)
    patch_thresholds: Mapping[int, Curve] = dataclasses.field(default_factory=dict)
    coadd_name: str = "deepCoaddCell"
    empty_patches: Sequence[str] = ()

    @property
    def title(self) -> str:
        """Name for people: ``tract 9813, i band``."""
        return f"tract {self.tract}, {self.band} band"

    @property
    def cells_once(self) -> Table:
        """The cells, each once; ask `lacks_columns` first."""
        return each_cell_once(self._known_cells())

    @property
    def example_patch(self) -> int | None:
        """The patch that is shown: that of the coadd, else the one with the most cells."""
        if self.example is not None:
            return self.example.identifiers.patch
        if self.cells is None:
            return None
        patches, counts = np.unique(np.asarray(self.cells["patch"]), return_counts=True)
        return int(patches[np.argmax(counts)])

    @property
    def example_title(self) -> str:
        """Name of the example's patch for people."""
        patch = self.example_patch
        where = "a patch" if patch is None else f"patch {patch}"
        return f"tract {self.tract}, {where}, {self.band} band"

    @property
    def example_cells(self) -> Table:
        """Rows of the example's patch; ask `lacks_columns` first."""
        cells = self._known_cells()
        return cells[np.asarray(cells["patch"]) == self.example_patch]

    @property
    def filled_fractions(self) -> dict[int, float]:
        """Fraction of the cells of each patch that are filled; ask `lacks_columns` first."""
        patches, counts = np.unique(
            np.asarray(self._known_cells()["patch"], np.int64), return_counts=True
        )
        fractions = counts / self.cells_in_patch
        return dict(zip(patches.tolist(), fractions.tolist(), strict=True))

    @property
    def cells_in_patch(self) -> int:
        """Number of cells of a patch, the empty ones included."""
        return self.grid_shape.x * self.grid_shape.y

    def lacks_columns(self, *columns: str) -> str:
        """Return a sentence on what is missing of the table of cells, empty if nothing is."""
        table = f"{self.coadd_name}_table"
        if self.cells is None:
            return f"There is no {table}."
        missing = [name for name in columns if name not in self.cells.colnames]
        return f"{table} has no {', '.join(missing)}." if missing else ""

    def lacks_patch(self, *columns: str) -> str:
        """Return a sentence on what is missing of the table of the example's patch."""
        missing = self.lacks_columns(*columns)
        if missing or len(self.example_cells):
            return missing
        return f"{self.coadd_name}_table has no cell of patch {self.example_patch}."

    def lacks_example_rows(self, *columns: str) -> str:
        """Return a sentence on what is missing if table and coadd of a patch are wanted."""
        missing = self.lacks_example() or self.lacks_patch(*columns)
        if missing or self.example is None:
            return missing
        rows = self.example_cells
        named = {(int(row["cell_x"]), int(row["cell_y"])) for row in rows}
        if len(rows) == len(named) and named == {(i.x, i.y) for i in self.example.cells}:
            return ""
        return (
            f"The rows of patch {self.example_patch} in {self.coadd_name}_table are not those of "
            f"its {self.coadd_name}: make the table anew."
        )

    def lacks_zero_point(self) -> str:
        """Return a sentence that says so if the coadds are not in nJy, else nothing."""
        unit = variance_unit(self.cells)
        if unit == u.nJy**2:
            return ""
        return (
            "No zero point is known: the coadds are in counts, their variances in "
            f"{variance_label(unit)}."
        )

    def lacks_example(self) -> str:
        """Return a sentence that says so if there is no coadd, else nothing."""
        return "" if self.example is not None else f"There is no {self.coadd_name}."

    def _known_cells(self) -> Table:
        if self.cells is None:
            raise ValueError(self.lacks_columns())
        return self.cells


def each_cell_once(cells: Table) -> Table:
    """Return the rows of a table of cells, each cell once.

    Neighbouring patches share two rows or columns of cells. Of equal cells the first row stays.

    Parameters
    ----------
    cells
        Cells of one tract; needs ``tract_cell_x`` and ``tract_cell_y``, their places in it.
    """
    places = np.stack([np.asarray(cells["tract_cell_y"]), np.asarray(cells["tract_cell_x"])])
    _, first = np.unique(places, axis=1, return_index=True)
    return cells[np.sort(first)]
