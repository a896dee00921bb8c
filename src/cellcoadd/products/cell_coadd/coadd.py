"""MultipleCellCoadd: the cell-based coadd of a patch, with the overlapping borders of its cells.

Coaddition makes it; people and the analysis use it. Pixels are kept as stacks with one entry a
filled cell, so that a cell is one contiguous piece of memory (and one tile of a file) and an empty
cell costs nothing.
"""

from __future__ import annotations

__all__ = ["MultipleCellCoadd"]

from collections.abc import Collection, Sequence
from typing import IO, TYPE_CHECKING, Any, Self

import astropy.units as u
import numpy as np
import numpy.typing as npt
from lsst.images import Box, Image, Mask, SkyProjection, TractFrame
from lsst.images.cells import CellCoadd, CellIJ, CoaddProvenance, PatchDefinition
from lsst.images.describe import (
    DescribableMixin,
    DescribeOptions,
    Report,
)
from lsst.images.serialization import open_archive
from lsst.resources import ResourcePathExpression

from ...cell_grid import BorderedCellGrid, Index2D
from ...files.entry_archive import read_product
from ...files.reading import errors_named
from ...files.writing import write_product
from ...psfs.cell_psf import CellPsf
from ..equality import same_array
from ..identifiers import PatchIdentifiers
from .cell import FilledCells, report_fields
from .choice import check_choice, choose_filled, hull_of_cells
from .compression import CompressedCoadd, PixelCompression, compression_options
from .exploding import ExplodedCoadd
from .inputs import CoaddInput, renumbered, rows_of_cells, to_coadd_provenance
from .stack import CellStack
from .stitching import stitch_cells, stitch_image, stitch_mask

if TYPE_CHECKING:
    from lsst.images.serialization import OutputArchive

    from .stored import CellCoaddModel


class MultipleCellCoadd(DescribableMixin):
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
        """Unit of the image: nJy."""
        return u.nJy

    @property
    def stack(self) -> CellStack:
        """The pixels, one entry a filled cell."""
        return self._stack

    @property
    def cells(self) -> FilledCells:
        """The filled cells by `Index2D`, row by row."""
        return FilledCells(self)

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
                with open_archive(path, cls) as reader:
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

    def __getitem__(self, bbox: Box) -> MultipleCellCoadd:
        """Return the cells whose inner region shares a pixel with a box.

        Raises
        ------
        MissingCellError
            If none of them is filled.
        TypeError
            If it is no box. Single cells are in ``cells``.
        """
        return self.subset(choose_filled(self._grid, self._stack.indices, bbox=bbox))

    def without_idle_inputs(self) -> MultipleCellCoadd:
        """Return the coadd with the inputs that its record speaks of, and no others."""
        used = np.unique(self._contributions["input"])
        numbers = np.zeros(len(self._inputs), np.int64)
        numbers[used] = np.arange(len(used))
        return self.replaced(
            inputs=[self._inputs[number] for number in used],
            contributions=renumbered(self._contributions, numbers),
        )

    def subset(self, cells: Collection[Index2D | CellIJ]) -> MultipleCellCoadd:
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
    ) -> MultipleCellCoadd:
        """Return a coadd of the same patch and band in which some parts are others.

        Raises
        ------
        ValueError
            If the cells have another size, or there are none.
        """
        return MultipleCellCoadd(
            identifiers=self._identifiers,
            band=self._band,
            patch=self._patch,
            cell_border=self._grid.border,
            sky_projection=self._sky_projection,
            stack=self._stack if stack is None else stack,
            inputs=self._inputs if inputs is None else inputs,
            contributions=self._contributions if contributions is None else contributions,
        )

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        """Whether all is the same to the bit: pixels, PSFs, geometry and record of the inputs."""
        if not isinstance(other, MultipleCellCoadd):
            return NotImplemented
        return (
            self._identifiers == other._identifiers
            and self._band == other._band
            and self._patch == other._patch
            and self._grid == other._grid
            and self._sky_projection == other._sky_projection
            and self._inputs == other._inputs
            and same_array(self._contributions, other._contributions)
            and self._stack == other._stack
        )

    def _stitched(self, name: str) -> Image:
        plane: npt.NDArray[np.float32] = getattr(self._stack, name)
        return stitch_image(self._grid, self._stack.indices, plane, self.bbox, name=name)

    def _describe(self, options: DescribeOptions = DescribeOptions(), /) -> Report:  # noqa: B008
        filled, total = len(self._stack.indices), len(self._grid)
        summary = f"MultipleCellCoadd({self._identifiers}, {self._band}, {filled} cells)"
        visits = {entry.observation.visit for entry in self._inputs}
        fractions = ", ".join(self._stack.mask_fractions) or "none"
        outer = self._grid.outer_cell_shape
        entries: dict[str, Any] = {
            "patch": str(self._identifiers),
            "band": self._band,
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
