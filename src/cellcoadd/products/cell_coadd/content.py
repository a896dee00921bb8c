"""What a cell-based coadd holds: which patch and band, the cells' pixels and PSFs, the inputs.

`coadd.MultipleCellCoadd` is this and what can be done with it. Single cells, stitched and exploded
coadds are made of what stands here, and know no more than that.
"""

from __future__ import annotations

__all__ = ["CellCoaddContent"]

from collections.abc import Collection, Sequence
from typing import Self

import astropy.units as u
import numpy as np
import numpy.typing as npt
from lsst.images import Box, SkyProjection, TractFrame
from lsst.images.cells import CellIJ, CoaddProvenance, PatchDefinition

from ...cell_grid import BorderedCellGrid, Index2D
from ...psfs.cell_psf import CellPsf
from ..equality import same_array
from ..flux_units import flux_unit_of
from ..identifiers import PatchIdentifiers
from .choice import choose_filled, hull_of_cells
from .inputs import CoaddInput, renumbered, rows_of_cells, to_coadd_provenance
from .stack import CellStack


class CellCoaddContent:
    """The content of a cell-based coadd of a patch in one band.

    Parameters
    ----------
    identifiers
        Sky map, tract and patch.
    band
        Short name of the band.
    patch
        Geometry of the patch.
    cell_border
        Pixels by which an outer region exceeds the inner one on every side.
    sky_projection
        Tract pixels to sky and back.
    stack
        Pixels and PSFs of the filled cells.
    inputs
        All detectors that reach the patch, sorted.
    contributions
        What each of them gave to which cell, or why not: see `inputs.contribution_dtype`.
    unit
        Unit of the image: nJy, or counts where no zero point is known.
    """

    def __init__(
        self,
        *,
        identifiers: PatchIdentifiers,
        band: str,
        patch: PatchDefinition,
        cell_border: int,
        sky_projection: SkyProjection[TractFrame],
        stack: CellStack,
        inputs: Sequence[CoaddInput],
        contributions: npt.NDArray[np.void],
        unit: u.UnitBase = u.nJy,
    ) -> None:
        if not stack.indices:
            raise ValueError(f"{identifiers}: a coadd needs at least one filled cell.")
        self._identifiers = identifiers
        self._band = band
        self._patch = patch
        self._grid = BorderedCellGrid(inner=patch.cells, border=cell_border)
        self._sky_projection = sky_projection
        self._stack = stack
        self._inputs = tuple(inputs)
        self._contributions = contributions
        self._unit = flux_unit_of(unit)
        outer = self._grid.outer_cell_shape
        if stack.image.shape[1:] != (outer.y, outer.x):
            raise ValueError(
                f"Cells of {stack.image.shape[1:]} px do not fit regions of {tuple(outer)} px."
            )

    @property
    def identifiers(self) -> PatchIdentifiers:
        """Sky map, tract and patch."""
        return self._identifiers

    @property
    def band(self) -> str:
        """Short name of the band."""
        return self._band

    @property
    def patch(self) -> PatchDefinition:
        """Geometry of the patch."""
        return self._patch

    @property
    def grid(self) -> BorderedCellGrid:
        """All cells of the patch, the empty ones included."""
        return self._grid

    @property
    def sky_projection(self) -> SkyProjection[TractFrame]:
        """Tract pixels to sky and back."""
        return self._sky_projection

    wcs = sky_projection

    @property
    def unit(self) -> u.UnitBase:
        """Unit of the image: nJy, or counts where no zero point is known."""
        return self._unit

    @property
    def stack(self) -> CellStack:
        """The pixels, one entry a filled cell."""
        return self._stack

    @property
    def inputs(self) -> tuple[CoaddInput, ...]:
        """All detectors that reach the patch, sorted."""
        return self._inputs

    @property
    def contributions(self) -> npt.NDArray[np.void]:
        """What each input gave to which cell, or why not."""
        return self._contributions

    @property
    def provenance(self) -> CoaddProvenance:
        """What was accepted, as lsst.images' pair of tables."""
        return to_coadd_provenance(self._inputs, self._contributions)

    @property
    def psf(self) -> CellPsf:
        """The point-spread function, exact in every cell."""
        return CellPsf(self._grid, self._stack.indices, self._stack.psf)

    @property
    def bbox(self) -> Box:
        """Hull of the inner regions of the filled cells."""
        return hull_of_cells(self._grid, self._stack.indices)

    def __getitem__(self, bbox: Box) -> Self:
        """Return the cells whose inner region shares a pixel with a box.

        Raises
        ------
        MissingCellError
            If none of them is filled.
        TypeError
            If it is no box. Single cells are in ``cells``.
        """
        return self.subset(choose_filled(self._grid, self._stack.indices, bbox=bbox))

    def without_idle_inputs(self) -> Self:
        """Return the coadd with the inputs that its record speaks of, and no others."""
        used = np.unique(self._contributions["input"])
        numbers = np.zeros(len(self._inputs), np.int64)
        numbers[used] = np.arange(len(used))
        return self.replaced(
            inputs=[self._inputs[number] for number in used],
            contributions=renumbered(self._contributions, numbers),
        )

    def subset(self, cells: Collection[Index2D | CellIJ]) -> Self:
        """Return a coadd of some of the filled cells, in the same grid.

        Raises
        ------
        MissingCellError
            If one of them is not filled, or none is named.
        """
        chosen = choose_filled(self._grid, self._stack.indices, cells=cells)
        rows = [self._stack.indices.index(index) for index in chosen]
        return self.replaced(
            stack=self._stack.subset(rows),
            contributions=rows_of_cells(self._contributions, chosen),
        )

    def replaced(
        self,
        *,
        stack: CellStack | None = None,
        inputs: Sequence[CoaddInput] | None = None,
        contributions: npt.NDArray[np.void] | None = None,
    ) -> Self:
        """Return a coadd of the same patch, band and unit in which some parts are others.

        Raises
        ------
        ValueError
            If the cells have another size, or there are none.
        """
        return type(self)(
            identifiers=self._identifiers,
            band=self._band,
            patch=self._patch,
            cell_border=self._grid.border,
            sky_projection=self._sky_projection,
            stack=self._stack if stack is None else stack,
            inputs=self._inputs if inputs is None else inputs,
            contributions=self._contributions if contributions is None else contributions,
            unit=self._unit,
        )

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        """Whether all is the same to the bit: pixels, PSFs, geometry and record of the inputs."""
        if not isinstance(other, CellCoaddContent):
            return NotImplemented
        return (
            self._identifiers == other._identifiers
            and self._band == other._band
            and self._unit == other._unit
            and self._patch == other._patch
            and self._grid == other._grid
            and self._sky_projection == other._sky_projection
            and self._inputs == other._inputs
            and same_array(self._contributions, other._contributions)
            and self._stack == other._stack
        )
