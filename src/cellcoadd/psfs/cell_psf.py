"""CellPsf: one point-spread function a cell, drawn at any position without lsst.afw.

Warps and coadds carry it, and it is made of what stitched coadds and Rubin's DP2 files carry.
Within a cell the function is exact and constant; a position is served by the cell whose inner
region contains it.
"""

from __future__ import annotations

__all__ = ["CellPsf"]

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from lsst.images import Box, Image
from lsst.images.cells import CellGridBounds, CellIJ, CellPointSpreadFunction
from lsst.images.describe import DescribeOptions, Report, ReportField
from lsst.images.psfs import PointSpreadFunction

from ..cell_grid import BorderedCellGrid, Index2D, to_index2d
from ..conventions import round_half_up
from ..errors import MissingCellError
from .stamp_shift import shift_stamp, stellar_box, translate_stamp

_SHIFTS = {"sinc": translate_stamp, "lanczos5": shift_stamp}


class CellPsf(PointSpreadFunction):
    """Point-spread functions of the cells of a patch.

    Parameters
    ----------
    grid
        The cells of the patch.
    indices
        The cells that have a function.
    stamps : float (len(indices), size, size)
        Their images, centred on the middle pixel; size is odd.
    interpolate
        Whether to be continuous from cell to cell; see `interpolated`.
    """

    def __init__(
        self,
        grid: BorderedCellGrid,
        indices: Sequence[Index2D],
        stamps: npt.NDArray[np.floating],
        *,
        interpolate: bool = False,
    ) -> None:
        if stamps.ndim != 3 or stamps.shape[0] != len(indices):
            raise ValueError(
                f"{len(indices)} cells need as many stamps, got an array of shape {stamps.shape}."
            )
        if stamps.shape[1] != stamps.shape[2] or stamps.shape[1] % 2 == 0:
            raise ValueError(f"Stamps must be square with an odd side, got {stamps.shape[1:]}.")
        self._grid = grid
        self._stamps = stamps
        self._interpolate = interpolate
        self._rows: Mapping[Index2D, int] = {index: row for row, index in enumerate(indices)}

    @classmethod
    def from_cell_point_spread_function(cls, psf: CellPointSpreadFunction) -> CellPsf:
        """Return the same functions as those of a stitched coadd.

        Parameters
        ----------
        psf
            ``psf`` of a `lsst.images.cells.CellCoadd`, of ours or of a file of Rubin's DP2, or of a
            cut-out of one. It is not asked to draw stars, for which it would need lsst.afw.

        Returns
        -------
        CellPsf
            Its grid has no border. Cells have a function if the bounds do not say that they are
            missing and all their pixels are finite.
        """
        indices, stamps = [], []
        for cell in psf.bounds.cell_indices():
            stamp = psf[cell].array
            if np.isfinite(stamp).all():
                indices.append(Index2D.from_cell_ij(cell))
                stamps.append(stamp)
        size = psf.kernel_bbox.shape
        array = np.array(stamps).reshape(len(stamps), size.y, size.x)
        return cls(BorderedCellGrid(inner=psf.grid, border=0), indices, array)

    @property
    def grid(self) -> BorderedCellGrid:
        """The cells of the patch."""
        return self._grid

    @property
    def cells(self) -> list[Index2D]:
        """The cells that have a function, row by row."""
        return sorted(self._rows)

    @property
    def bounds(self) -> CellGridBounds:
        """Where the function is known: the inner regions of the filled cells."""
        missing = frozenset(index.to_cell_ij() for index in self._grid if index not in self._rows)
        return CellGridBounds(grid=self._grid.inner, bbox=self._grid.bbox, missing=missing)

    @property
    def kernel_bbox(self) -> Box:
        """Box of all kernel images, centred on (0, 0)."""
        radius = self._stamps.shape[1] // 2
        return Box.factory[-radius : radius + 1, -radius : radius + 1]

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        """Whether it is the same function in the same cells, to the bit."""
        if not isinstance(other, CellPsf):
            return NotImplemented
        return (
            self._grid == other._grid
            and self.cells == other.cells
            and self._interpolate == other._interpolate
            and all(self[index] == other[index] for index in self.cells)
        )

    def __getitem__(self, index: Index2D | CellIJ) -> Image:
        """Return the kernel image of a cell.

        Raises
        ------
        MissingCellError
            If the cell has none.
        """
        ours = to_index2d(index)
        if ours is None or ours not in self._grid:
            raise MissingCellError(
                f"{index!r} is no cell of a grid of {self._grid.shape.x} x {self._grid.shape.y}; "
                "cells are named by Index2D(x=..., y=...) or CellIJ(i=row, j=column)."
            )
        if ours not in self._rows:
            raise MissingCellError(f"{index} has no PSF: no input covers that cell.")
        return Image(self._stamps[self._rows[ours]].astype(np.float64), bbox=self.kernel_bbox)

    def interpolated(self) -> CellPsf:
        """Return the same functions, joined to one that is continuous from cell to cell.

        Between the centres of cells it is bilinear in the images of the four around a position, as
        far as there are such cells. It is no longer the exact function of any star: a cell's pixels
        are the sums of the cell's own inputs, whose function is the cell's, constant but for what
        the inputs' own functions change. Take it where a step from cell to cell does more harm than
        that: for models of objects across a border, or to draw maps.
        """
        indices = self.cells
        stamps = self._stamps[[self._rows[index] for index in indices]]
        return CellPsf(self._grid, indices, stamps, interpolate=True)

    @property
    def is_interpolated(self) -> bool:
        """Whether the function is continuous from cell to cell."""
        return self._interpolate

    def compute_kernel_image(self, *, x: float, y: float) -> Image:
        """Return the function at a position, centred on the middle pixel, in a box around (0, 0).

        Raises
        ------
        MissingCellError
            If no filled cell contains the position.
        """
        index = self._grid.index_of(x=round_half_up(x), y=round_half_up(y))
        here = self[index]
        return self._between(here, index, x=x, y=y) if self._interpolate else here

    def _between(self, here: Image, index: Index2D, *, x: float, y: float) -> Image:
        """Return the mean of the functions of up to four cells, by how near their centres are."""
        box, shape = self._grid.inner_bbox_of(index), self._grid.inner_cell_shape
        right = (x - 0.5 * (box.x.min + box.x.max)) / shape.x
        up = (y - 0.5 * (box.y.min + box.y.max)) / shape.y
        total, weights = np.zeros_like(here.array), 0.0
        for step_y, weight_y in ((0, 1.0 - abs(up)), (1 if up > 0.0 else -1, abs(up))):
            for step_x, weight_x in ((0, 1.0 - abs(right)), (1 if right > 0.0 else -1, abs(right))):
                row = self._rows.get(Index2D(x=index.x + step_x, y=index.y + step_y))
                if row is not None:
                    total += weight_x * weight_y * self._stamps[row]
                    weights += weight_x * weight_y
        return Image(total / weights, bbox=here.bbox)

    def compute_stellar_image(
        self, *, x: float, y: float, resampling: Literal["sinc", "lanczos5"] = "sinc"
    ) -> Image:
        """Return the image of a star of unit flux at a position, sub-pixel shift included.

        Parameters
        ----------
        x, y
            Where the star is.
        resampling
            How the cell's image is moved by a fraction of a pixel: ``"sinc"`` is exact for an image
            that is well sampled; ``"lanczos5"`` is what the Rubin pipelines draw, to 1e-15 of the
            peak. It differs from the exact image by up to 2e-3 of the peak and makes stars of sigma
            1.5 pixels that are fitted with it 0.2 per cent too faint: take it to compare with their
            results, not to measure.

        Raises
        ------
        MissingCellError
            If no filled cell contains the position.
        ValueError
            If ``resampling`` is another word.
        """
        if resampling not in _SHIFTS:
            raise ValueError(f"resampling must be one of {list(_SHIFTS)}, got {resampling!r}.")
        kernel = self.compute_kernel_image(x=x, y=y)
        column, row = round_half_up(x), round_half_up(y)
        shifted = _SHIFTS[resampling](kernel.array, dx=x - column, dy=y - row)
        return Image(shifted, bbox=stellar_box(kernel.bbox, x=x, y=y))

    def compute_stellar_bbox(self, *, x: float, y: float) -> Box:
        """Return the box of `compute_stellar_image`."""
        return stellar_box(self.kernel_bbox, x=x, y=y)

    def _describe(self, options: DescribeOptions = DescribeOptions(), /) -> Report:  # noqa: ARG002, B008
        size = self._stamps.shape[1]
        return Report(
            type_name="CellPsf",
            summary=f"CellPsf({len(self._rows)} of {len(self._grid)} cells, {size} x {size} px)",
            fields=[
                ReportField(label="cells", value=f"{len(self._rows)} of {len(self._grid)}"),
                ReportField(label="stamp", value=f"{size} x {size} px"),
            ],
        )
