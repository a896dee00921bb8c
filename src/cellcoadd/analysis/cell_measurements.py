"""What several columns of the tables of a coadd have in common, worked out once.

A coadd comes in; arrays come out, one entry a filled cell in the order of the cells, unless they
say otherwise. Each is made when it is asked for first.
"""

from __future__ import annotations

__all__ = ["CellMeasurements"]

import functools

import astropy.units as u
import numpy as np
import numpy.typing as npt
from lsst.images import XY

from ..kernels.moments import effective_area
from ..masks.planes import bits_of
from ..products.cell_coadd import MultipleCellCoadd
from ..products.cell_coadd.inputs import RefusalReason
from .cell_positions import CellPositions, locate_cells
from .depth import depth
from .mask_fractions import planes_of, weighted_means
from .psf_shapes import PsfShapes, measure_psf_shapes

type _Floats = npt.NDArray[np.float64]


class CellMeasurements:
    """The filled cells of a coadd, measured.

    Parameters
    ----------
    coadd
        Any coadd, also one whose cells have no border.
    """

    def __init__(self, coadd: MultipleCellCoadd) -> None:
        self.coadd = coadd

    @functools.cached_property
    def positions(self) -> CellPositions:
        """Where the cells are in the patch, in the tract and on the sky."""
        indices = self.coadd.stack.indices
        index = XY(
            x=np.array([index.x for index in indices], np.int64),
            y=np.array([index.y for index in indices], np.int64),
        )
        return locate_cells(self.coadd.grid, self.coadd.sky_projection, index)

    @functools.cached_property
    def input_positions(self) -> CellPositions:
        """The same of the cell of each row of the contributions, which may be empty."""
        rows = self.coadd.contributions
        index = XY(x=rows["cell_x"].astype(np.int64), y=rows["cell_y"].astype(np.int64))
        return locate_cells(self.coadd.grid, self.coadd.sky_projection, index)

    @functools.cached_property
    def accepted(self) -> npt.NDArray[np.void]:
        """Rows of the contributions that were added up."""
        rows = self.coadd.contributions
        accepted: npt.NDArray[np.void] = rows[rows["reason"] == RefusalReason.ACCEPTED]
        return accepted

    @functools.cached_property
    def accepted_cells(self) -> npt.NDArray[np.int64]:
        """Which of the filled cells each accepted contribution is of."""
        shape, index = self.coadd.grid.shape, self.positions.index
        row_of = np.zeros((shape.y, shape.x), np.int64)
        row_of[index.y, index.x] = np.arange(len(self))
        rows: npt.NDArray[np.int64] = row_of[self.accepted["cell_y"], self.accepted["cell_x"]]
        return rows

    @property
    def fraction_planes(self) -> tuple[str, ...]:
        """Mask planes whose fraction of each input is known on its own."""
        return planes_of(self.coadd.contributions.dtype.names or ())

    def __len__(self) -> int:
        return len(self.coadd.stack.indices)

    @property
    def input_counts(self) -> npt.NDArray[np.int64]:
        """Number of detectors that were added up."""
        return np.bincount(self.accepted_cells, minlength=len(self))

    @property
    def visit_counts(self) -> npt.NDArray[np.int64]:
        """Number of different visits among them."""
        visits = [
            (entry.observation.instrument, entry.observation.visit) for entry in self.coadd.inputs
        ]
        number_of = {visit: number for number, visit in enumerate(dict.fromkeys(visits))}
        numbers = np.array([number_of[visit] for visit in visits], np.int64)
        pairs = np.stack([self.accepted_cells, numbers[self.accepted["input"]]])
        return np.bincount(np.unique(pairs, axis=1)[0], minlength=len(self))

    @property
    def weight_sums(self) -> _Floats:
        """Sum of the weights that were added up, nJy^-2 or in the coadd's own unit."""
        weights = self.accepted["weight"]
        sums: _Floats = np.bincount(self.accepted_cells, weights, minlength=len(self))
        return sums

    def masked_fractions(self, name: str) -> _Floats:
        """Return the weighted mean of a column of the contributions over the accepted inputs."""
        return weighted_means(
            self.accepted[name],
            weights=self.accepted["weight"],
            groups=self.accepted_cells,
            count=len(self),
        )

    @functools.cached_property
    def inner_variances(self) -> list[_Floats]:
        """The finite variances of each inner region; NaN where there are none."""
        planes = self._inner(self.coadd.stack.variance)
        finite = (plane[np.isfinite(plane)].astype(np.float64) for plane in planes)
        return [values if values.size else np.array([np.nan]) for values in finite]

    @functools.cached_property
    def median_variances(self) -> _Floats:
        """Their medians."""
        return np.array([np.median(values) for values in self.inner_variances], np.float64)

    @property
    def depths(self) -> _Floats:
        """Depths in AB magnitudes; NaN where no zero point is known."""
        if self.coadd.unit != u.nJy:
            return np.full(len(self), np.nan)
        return depth(self.psf_areas, self.median_variances)

    def flagged_fractions(self, plane: str) -> _Floats:
        """Return the part of the pixels of the inner region that a mask plane flags."""
        stack = self.coadd.stack
        bits = np.int32(bits_of(stack.schema, [plane]))
        fractions: _Floats = (self._inner(stack.mask) & bits != 0).mean(axis=(1, 2))
        return fractions

    @functools.cached_property
    def psf_areas(self) -> _Floats:
        """Effective areas of the point-spread functions, px^2."""
        return np.array([effective_area(stamp) for stamp in self.coadd.stack.psf], np.float64)

    @functools.cached_property
    def psf_shapes(self) -> PsfShapes:
        """Shapes of the point-spread functions."""
        return measure_psf_shapes(self.coadd.stack.psf)

    def _inner[T: np.generic](self, planes: npt.NDArray[T]) -> npt.NDArray[T]:
        """The inner regions of planes (cells, height, width), as a view."""
        border, inner = self.coadd.grid.border, self.coadd.grid.inner_cell_shape
        return planes[:, border : border + inner.y, border : border + inner.x]
