"""Explode a cell-based coadd: outer regions side by side, so that a person sees all of them.

Where neighbouring cells overlap, the sky is shown twice. The pixels of the exploded coadd lie in no
sky plane; the boxes of its cells say what is where.
"""

from __future__ import annotations

__all__ = ["ExplodedCoadd", "explode_cells"]

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
import numpy.typing as npt
from lsst.images import Box, Image, Mask
from lsst.images.describe import DescribableMixin, DescribeOptions, Report

from ..cell_grid import BorderedCellGrid, Index2D
from .mask_planes import bits_of
from .single_cell import report_fields

if TYPE_CHECKING:
    from .cell_coadd import MultipleCellCoadd


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ExplodedCoadd(DescribableMixin):
    """All cells of a coadd's grid side by side, each with its outer region.

    Pixel (0, 0) is the first one of cell (0, 0). Empty cells have image NaN, variance +inf, mask
    NO_DATA and masked fraction NaN.

    Parameters
    ----------
    grid
        The cells.
    image, variance, mask
        In nJy, nJy^2 and our mask planes.
    mask_fractions
        Masked fraction by plane.
    noise_realizations
        Noise realizations in nJy.
    psf_image
        The PSF of each cell, in the middle of the cell's region and 0 around it; NaN in empty ones.
    """

    grid: BorderedCellGrid
    image: Image
    variance: Image
    mask: Mask
    mask_fractions: Mapping[str, Image]
    noise_realizations: Sequence[Image]
    psf_image: Image

    @property
    def bbox(self) -> Box:
        """All pixels."""
        return self.image.bbox

    def bbox_of(self, index: Index2D) -> Box:
        """Return the pixels of a cell.

        Raises
        ------
        MissingCellError
            If the cell is not in the grid.
        """
        return _exploded_box(self.grid, index)

    def _describe(self, options: DescribeOptions = DescribeOptions(), /) -> Report:  # noqa: ARG002, B008
        cell, shape = self.grid.outer_cell_shape, self.grid.shape
        cells = f"{shape.x} x {shape.y} of {cell.x} x {cell.y} px"
        return Report(
            type_name="ExplodedCoadd",
            summary=f"ExplodedCoadd({cells})",
            fields=report_fields(
                {
                    "cells": cells,
                    "mask fractions": ", ".join(self.mask_fractions) or "none",
                    "noise realizations": len(self.noise_realizations),
                }
            ),
        )


def explode_cells(coadd: MultipleCellCoadd) -> ExplodedCoadd:
    """Return the outer regions of a coadd's cells side by side.

    Raises
    ------
    ValueError
        If the PSF images are larger than the cells.
    """
    stack, grid = coadd.stack, coadd.grid
    shape = grid.outer_cell_shape
    size = stack.psf.shape[1]
    if size > min(shape):
        raise ValueError(f"PSF images of {size} px do not fit into cells of {tuple(shape)} px.")
    no_data = bits_of(stack.schema, ["NO_DATA"])
    mask = _side_by_side(coadd, stack.mask, empty=no_data)
    margin_y, margin_x = (shape.y - size) // 2, (shape.x - size) // 2
    psf = np.pad(
        stack.psf,
        (
            (0, 0),
            (margin_y, shape.y - size - margin_y),
            (margin_x, shape.x - size - margin_x),
        ),
    )
    return ExplodedCoadd(
        grid=grid,
        image=Image(_side_by_side(coadd, stack.image, empty=np.nan), unit=u.nJy),
        variance=Image(_side_by_side(coadd, stack.variance, empty=np.inf), unit=u.nJy**2),
        mask=Mask(mask[:, :, np.newaxis], schema=stack.schema),
        mask_fractions={
            name: Image(_side_by_side(coadd, plane, empty=np.nan))
            for name, plane in stack.mask_fractions.items()
        },
        noise_realizations=[
            Image(_side_by_side(coadd, plane, empty=np.nan), unit=u.nJy) for plane in stack.noise
        ],
        psf_image=Image(_side_by_side(coadd, psf, empty=np.nan)),
    )


def _exploded_box(grid: BorderedCellGrid, index: Index2D) -> Box:
    grid.sequential_id(index)  # raises for a foreign index
    shape = grid.outer_cell_shape
    return Box.from_shape(shape, start=(index.y * shape.y, index.x * shape.x))


def _side_by_side[T: np.generic](
    coadd: MultipleCellCoadd, plane: npt.NDArray[T], *, empty: float
) -> npt.NDArray[T]:
    grid = coadd.grid
    shape = grid.outer_cell_shape
    result = np.full((grid.shape.y * shape.y, grid.shape.x * shape.x), empty, dtype=plane.dtype)
    for row, index in enumerate(coadd.stack.indices):
        box = _exploded_box(grid, index)
        result[box.y.start : box.y.stop, box.x.start : box.x.stop] = plane[row]
    return result
