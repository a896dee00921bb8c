"""MultipleCellCoadd: the cell-based coadd of a patch, with the overlapping borders of its cells.

Coaddition makes it; people and the analysis use it. Pixels are kept as stacks with one entry a
filled cell, so that a cell is one contiguous piece of memory (and one tile of a file) and an empty
cell costs nothing.
"""

from __future__ import annotations

__all__ = ["MultipleCellCoadd"]

from collections.abc import Collection
from typing import IO, TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from lsst.images import Box, Image, Mask
from lsst.images.cells import CellCoadd, CellIJ
from lsst.images.describe import (
    DescribableMixin,
    DescribeOptions,
    Report,
)
from lsst.images.serialization import open_archive
from lsst.resources import ResourcePathExpression

from ...cell_grid import Index2D
from ...files.entry_archive import read_product
from ...files.reading import errors_named, sound_file
from ...files.writing import write_product
from ..flux_units import unit_label
from .cell import FilledCells, report_fields
from .choice import check_choice
from .compression import PixelCompression, compression_options
from .content import CellCoaddContent
from .exploding import ExplodedCoadd
from .stitching import stitch_cells, stitch_image, stitch_mask

if TYPE_CHECKING:
    from lsst.images.serialization import OutputArchive

    from .stored import CellCoaddModel


class MultipleCellCoadd(CellCoaddContent, DescribableMixin):
    """The cell-based coadd of a patch in one band.

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

    @property
    def cells(self) -> FilledCells:
        """The filled cells by `Index2D`, row by row."""
        return FilledCells(self)

    @property
    def image(self) -> Image:
        """Inner regions of the image put together, NaN in empty cells; made when asked for."""
        return self._stitched("image")

    @property
    def variance(self) -> Image:
        """Inner regions of the variance put together, +inf in empty cells; made when asked for."""
        return self._stitched("variance")

    @property
    def mask(self) -> Mask:
        """Inner regions of the mask put together, NO_DATA in empty cells; made when asked for."""
        stack = self._stack
        return stitch_mask(self._grid, stack.indices, stack.mask, self.bbox, schema=stack.schema)

    def stitch(self) -> CellCoadd:
        """Put the inner regions together into one image with PSF, Rubin's public type."""
        return stitch_cells(self)

    def explode(self) -> ExplodedCoadd:
        """Put the outer regions side by side, so that each cell is seen whole."""
        return ExplodedCoadd(self)

    @classmethod
    def read(
        cls,
        path: ResourcePathExpression | IO[bytes],
        *,
        bbox: Box | None = None,
        cells: Collection[Index2D | CellIJ] | None = None,
    ) -> Self:
        """Read a coadd that `write` or the Butler wrote, whole or in part.

        Parameters
        ----------
        path
            The file, or one that is open.
        bbox
            Only cells whose inner region shares a pixel with this box.
        cells
            Only these cells.

        Raises
        ------
        MissingCellError
            If no cell that is asked for is filled.
        UnusableInputError
            If the file is broken or holds something else.
        """
        check_choice(bbox=bbox, cells=cells)
        with errors_named(path, cls):
            if bbox is None and cells is None:
                with sound_file(path) as whole, open_archive(whole, cls) as reader:
                    return reader.read()
            return read_product(path, cls, bbox=bbox, cells=cells)

    def write(
        self,
        path: ResourcePathExpression,
        *,
        compression: str = PixelCompression.ROUNDED.value,
        overwrite: bool = False,
    ) -> None:
        """Write the coadd to a FITS file.

        Parameters
        ----------
        path
            The file, on a disk of this computer, whose name ends in ``.fits``; it appears when it
            is complete.
        compression
            What is done with images, variances and noise: ``rounded``, ``lossless`` or
            ``uncompressed``; see `compression.PixelCompression`.
        overwrite
            Replace a file that is there.

        Raises
        ------
        FileExistsError
            If there is such a file and it is not to be replaced.
        ValueError
            If the name or the choice is none of these.
        """
        from .stored import CompressedCoadd

        choice = PixelCompression(compression)
        write_product(
            CompressedCoadd(self, choice),
            path,
            overwrite=overwrite,
            compression_options=compression_options(choice),
        )

    def serialize(self, archive: OutputArchive[Any]) -> CellCoaddModel[Any]:
        """Write to an lsst.images archive; the Butler and `write_archive` call this."""
        from .stored import serialize_cell_coadd

        return serialize_cell_coadd(self, archive)

    @staticmethod
    def _get_archive_tree_type(pointer_type: type[Any]) -> type[CellCoaddModel[Any]]:
        from .stored import CellCoaddModel

        return CellCoaddModel[pointer_type]  # type: ignore[valid-type]

    def _stitched(self, name: str) -> Image:
        plane: npt.NDArray[np.float32] = getattr(self._stack, name)
        return stitch_image(
            self._grid, self._stack.indices, plane, self.bbox, name=name, unit=self._unit
        )

    def _describe(self, options: DescribeOptions = DescribeOptions(), /) -> Report:  # noqa: B008
        filled, total = len(self._stack.indices), len(self._grid)
        summary = f"MultipleCellCoadd({self._identifiers}, {self._band}, {filled} cells)"
        visits = {entry.observation.visit for entry in self._inputs}
        fractions = ", ".join(self._stack.mask_fractions) or "none"
        outer = self._grid.outer_cell_shape
        entries: dict[str, Any] = {
            "patch": str(self._identifiers),
            "band": self._band,
            "unit": unit_label(self._unit),
            "cells": f"{filled} of {total} filled",
            "outer cell": f"{outer.x} x {outer.y} px, border {self._grid.border} px",
            "inputs": f"{len(self._inputs)} detectors of {len(visits)} visits",
            "mask fractions": fractions,
            "noise realizations": len(self._stack.noise),
        }
        children = {} if options.brief else {"psf": self.psf._describe(options.for_child())}
        return Report(
            type_name="MultipleCellCoadd",
            summary=summary,
            fields=report_fields(entries),
            children=children,
        )
