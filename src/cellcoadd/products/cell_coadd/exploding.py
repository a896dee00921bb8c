"""Explode a cell-based coadd: outer regions side by side, so that a person sees all of them.

Where neighbouring cells overlap, the sky is shown twice. The pixels of the exploded coadd lie in no
sky plane; the boxes of its cells say what is where.
"""

from __future__ import annotations

__all__ = ["ExplodedCoadd"]

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from lsst.images import Box, Image, Mask
from lsst.images.describe import DescribableMixin, DescribeOptions, Report

from ...cell_grid import BorderedCellGrid, Index2D
from ...masks.planes import bits_of
from .cell import report_fields
from .content import CellCoaddContent


class ExplodedCoadd(DescribableMixin):
    """All cells of a coadd's grid side by side, each with its outer region.

    Pixel (0, 0) is the first one of cell (0, 0). Empty cells have image NaN, variance +inf, mask
    NO_DATA and masked fraction NaN.

    Parameters
    ----------
    coadd
        The coadd.

    Notes
    -----
    A plane of 22 x 22 cells of 250 pixels takes 120 MB. Each is made when it is first asked for.
    """

    def __init__(self, coadd: CellCoaddContent) -> None:
        self._coadd = coadd

    @property
    def grid(self) -> BorderedCellGrid:
        """The cells."""
        return self._coadd.grid

    @property
    def bbox(self) -> Box:
        """All pixels."""
        cells, shape = self.grid.shape, self.grid.outer_cell_shape
        return Box.from_shape((cells.y * shape.y, cells.x * shape.x))

    def bbox_of(self, index: Index2D) -> Box:
        """Return the pixels of a cell.

        Raises
        ------
        MissingCellError
            If the cell is not in the grid.
        """
        self.grid.sequential_id(index)  # raises for a foreign index
        shape = self.grid.outer_cell_shape
        return Box.from_shape(shape, start=(index.y * shape.y, index.x * shape.x))

    def _describe(self, options: DescribeOptions = DescribeOptions(), /) -> Report:  # noqa: ARG002, B008
        cell, shape = self.grid.outer_cell_shape, self.grid.shape
        cells = f"{shape.x} x {shape.y} of {cell.x} x {cell.y} px"
        return Report(
            type_name="ExplodedCoadd",
            summary=f"ExplodedCoadd({cells})",
            fields=report_fields(
                {
                    "cells": cells,
                    "mask fractions": ", ".join(self._coadd.stack.mask_fractions) or "none",
                    "noise realizations": len(self._coadd.stack.noise),
                }
            ),
        )

    @functools.cached_property
    def image(self) -> Image:
        """The image, in the coadd's unit."""
        return Image(
            self._side_by_side(self._coadd.stack.image, empty=np.nan), unit=self._coadd.unit
        )

    @functools.cached_property
    def variance(self) -> Image:
        """The variance, in the square of the coadd's unit."""
        plane = self._side_by_side(self._coadd.stack.variance, empty=np.inf)
        return Image(plane, unit=self._coadd.unit**2)

    @functools.cached_property
    def mask(self) -> Mask:
        """The mask, in our planes."""
        stack = self._coadd.stack
        bits = self._side_by_side(stack.mask, empty=bits_of(stack.schema, ["NO_DATA"]))
        return Mask(bits[:, :, np.newaxis], schema=stack.schema)

    @functools.cached_property
    def mask_fractions(self) -> Mapping[str, Image]:
        """Masked fraction by plane."""
        return {
            name: Image(self._side_by_side(plane, empty=np.nan))
            for name, plane in self._coadd.stack.mask_fractions.items()
        }

    @functools.cached_property
    def noise_realizations(self) -> Sequence[Image]:
        """Noise realizations, in the coadd's unit."""
        return [
            Image(self._side_by_side(plane, empty=np.nan), unit=self._coadd.unit)
            for plane in self._coadd.stack.noise
        ]

    @functools.cached_property
    def psf_image(self) -> Image:
        """The PSF of each cell, in the middle of its region and 0 around it; NaN in empty ones.

        Raises
        ------
        ValueError
            If the PSF images are larger than the cells.
        """
        psf, shape = self._coadd.stack.psf, self.grid.outer_cell_shape
        size = psf.shape[1]
        if size > min(shape):
            raise ValueError(
                f"PSF images of {size} px do not fit into cells of {tuple(shape)} px; "
                "take them from coadd.psf[index]."
            )
        margins = [((side - size) // 2, side - size - (side - size) // 2) for side in shape]
        return Image(self._side_by_side(np.pad(psf, [(0, 0), *margins]), empty=np.nan))

    def _side_by_side[T: np.generic](
        self, plane: npt.NDArray[T], *, empty: float
    ) -> npt.NDArray[T]:
        result = np.full(tuple(self.bbox.shape), empty, dtype=plane.dtype)
        for row, index in enumerate(self._coadd.stack.indices):
            place = self.bbox_of(index)
            result[place.y.start : place.y.stop, place.x.start : place.x.stop] = plane[row]
        return result
