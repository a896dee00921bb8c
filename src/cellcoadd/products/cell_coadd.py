"""MultipleCellCoadd: the cell-based coadd of a patch, with the overlapping borders of its cells.

Coaddition makes it; people and the analysis use it. Pixels are kept as stacks with one entry a
filled cell, so that a cell is one contiguous piece of memory (and one tile of a file) and an empty
cell costs nothing.
"""

from __future__ import annotations

__all__ = ["CellPlanes", "FilledCells", "MultipleCellCoadd", "SingleCellCoadd"]

from collections.abc import Iterator, Mapping, Sequence
from types import EllipsisType
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
import numpy.typing as npt
from lsst.images import Box, Image, Mask, MaskedImage, SkyProjection, TractFrame
from lsst.images.cells import CellCoadd, CellIJ, CoaddProvenance, PatchDefinition
from lsst.images.describe import (
    DescribableMixin,
    DescribeOptions,
    FieldRole,
    Report,
    ReportField,
)

from ..cell_grid import BorderedCellGrid, Index2D, shared_box
from ..errors import MissingCellError
from .cell_inputs import CoaddInput, RefusalReason, to_coadd_provenance
from .cell_psf import CellPsf
from .cell_stack import CellStack
from .identifiers import ObservationIdentifiers, PatchIdentifiers

if TYPE_CHECKING:
    from lsst.images.serialization import OutputArchive

    from .cell_coadd_storage import CellCoaddModel


class CellPlanes(MaskedImage):
    """Image, mask, variance, masked fractions and noise of one region of a cell, as views."""

    def __init__(
        self,
        image: Image,
        *,
        mask: Mask,
        variance: Image,
        sky_projection: SkyProjection[TractFrame],
        mask_fractions: Mapping[str, Image],
        noise_realizations: Sequence[Image],
    ) -> None:
        super().__init__(image, mask=mask, variance=variance, sky_projection=sky_projection)
        self._mask_fractions = dict(mask_fractions)
        self._noise_realizations = tuple(noise_realizations)

    @property
    def mask_fractions(self) -> Mapping[str, Image]:
        """Masked fraction by plane; `mask_planes.ALL_PLANES` for all planes together."""
        return self._mask_fractions

    @property
    def noise_realizations(self) -> Sequence[Image]:
        """Noise realizations in nJy."""
        return self._noise_realizations

    def __getitem__(self, bbox: Box | EllipsisType) -> CellPlanes:
        """Return the views of a smaller box."""
        bbox, _ = self._handle_getitem_args(bbox)
        projection = self.sky_projection
        assert projection is not None, "given when built"
        return CellPlanes(
            self.image[bbox],
            mask=self.mask[bbox],
            variance=self.variance[bbox],
            sky_projection=projection,
            mask_fractions={name: image[bbox] for name, image in self._mask_fractions.items()},
            noise_realizations=[image[bbox] for image in self._noise_realizations],
        )


class SingleCellCoadd:
    """One cell of a coadd. Made by `MultipleCellCoadd.cells`; its pixels are views."""

    def __init__(self, parent: MultipleCellCoadd, index: Index2D, row: int) -> None:
        self._parent = parent
        self._row = row
        self.index = index

    @property
    def outer(self) -> CellPlanes:
        """All pixels of the cell, border included."""
        stack, bbox = self._parent.stack, self._parent.grid.outer_bbox_of(self.index)
        row = self._row
        return CellPlanes(
            Image(stack.image[row], bbox=bbox, unit=u.nJy),
            mask=Mask(stack.mask[row][:, :, np.newaxis], schema=stack.schema, bbox=bbox),
            variance=Image(stack.variance[row], bbox=bbox, unit=u.nJy**2),
            sky_projection=self._parent.sky_projection,
            mask_fractions={
                name: Image(plane[row], bbox=bbox) for name, plane in stack.mask_fractions.items()
            },
            noise_realizations=[Image(plane[row], bbox=bbox, unit=u.nJy) for plane in stack.noise],
        )

    @property
    def inner(self) -> CellPlanes:
        """The pixels that belong to this cell alone."""
        return self.outer[self._parent.grid.inner_bbox_of(self.index)]

    @property
    def psf_image(self) -> Image:
        """The point-spread function, centred on (0, 0)."""
        return self._parent.psf[self.index]

    @property
    def noise_covariance(self) -> Image:
        """Covariance in nJy^2 of the sky noise of two pixels by their offset; (0, 0): variance.

        What the variance plane leaves out: see `CellStack.noise_covariance`.
        """
        plane = self._parent.stack.noise_covariance[self._row]
        half = plane.shape[0] // 2
        box = Box.factory[-half : half + 1, -half : half + 1]
        return Image(plane.astype(np.float64), bbox=box, unit=u.nJy**2)

    @property
    def aperture_corrections(self) -> Mapping[str, float]:
        """Aperture corrections by algorithm; those that an input lacks are left out."""
        values = {
            k: float(v[self._row]) for k, v in self._parent.stack.aperture_corrections.items()
        }
        return {name: value for name, value in values.items() if np.isfinite(value)}

    @property
    def contributions(self) -> npt.NDArray[np.void]:
        """Rows of `MultipleCellCoadd.contributions` of this cell, refused inputs included."""
        rows = self._parent.contributions
        mine = (rows["cell_x"] == self.index.x) & (rows["cell_y"] == self.index.y)
        return np.compress(mine, rows)

    @property
    def inputs(self) -> tuple[ObservationIdentifiers, ...]:
        """The (visit, detector) pairs that the cell adds up."""
        rows = self.contributions
        accepted = rows["input"][rows["reason"] == RefusalReason.ACCEPTED]
        return tuple(self._parent.inputs[number].observation for number in accepted)

    @property
    def visit_count(self) -> int:
        """Number of different visits among the inputs."""
        return len({(entry.instrument, entry.visit) for entry in self.inputs})

    def __repr__(self) -> str:
        return f"SingleCellCoadd({self.index}, {self.visit_count} visits, {self.outer.bbox})"


class FilledCells(Mapping[Index2D, SingleCellCoadd]):
    """The filled cells by index; a `CellIJ` of lsst.images finds them as well."""

    def __init__(self, parent: MultipleCellCoadd) -> None:
        self._parent = parent
        self._rows = {index: row for row, index in enumerate(parent.stack.indices)}

    def __getitem__(self, index: Index2D | CellIJ) -> SingleCellCoadd:
        ours = _to_index(index)
        if ours is None:
            raise MissingCellError(
                f"A cell is named by Index2D(x=..., y=...) or by CellIJ(i=row, j=column), "
                f"got {index!r}."
            )
        if ours not in self._rows:
            state = "has no input" if ours in self._parent.grid else "is outside of the grid"
            shape = self._parent.grid.shape
            raise MissingCellError(
                f"Cell {index} {state}: the grid has {shape.x} x {shape.y} cells, "
                f"{len(self._rows)} of them filled."
            )
        return SingleCellCoadd(self._parent, ours, self._rows[ours])

    def __contains__(self, index: object) -> bool:
        return _to_index(index) in self._rows

    def __iter__(self) -> Iterator[Index2D]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        shape = self._parent.grid.shape
        return f"<{len(self)} filled cells of {shape.x} x {shape.y}, by Index2D>"


def _to_index(index: object) -> Index2D | None:
    if isinstance(index, CellIJ):
        return Index2D.from_cell_ij(index)
    return index if isinstance(index, Index2D) else None


def hull_of_cells(grid: BorderedCellGrid, indices: Sequence[Index2D]) -> Box:
    """Return the smallest box that holds the inner regions of some cells."""
    xs, ys = [index.x for index in indices], [index.y for index in indices]
    first = grid.inner_bbox_of(Index2D(x=min(xs), y=min(ys)))
    last = grid.inner_bbox_of(Index2D(x=max(xs), y=max(ys)))
    return Box.factory[first.y.start : last.y.stop, first.x.start : last.x.stop]


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
        What each of them gave to which cell, or why not: see `cell_inputs.contribution_dtype`.
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

    def stitch(self) -> CellCoadd:
        """Put the inner regions together into one image, Rubin's public type."""
        from .stitching import stitch_cells

        return stitch_cells(self)

    def serialize(self, archive: OutputArchive[Any]) -> CellCoaddModel[Any]:
        """Write to an lsst.images archive; the Butler and `write_archive` call this."""
        from .cell_coadd_storage import serialize_cell_coadd

        return serialize_cell_coadd(self, archive)

    @staticmethod
    def _get_archive_tree_type(pointer_type: type[Any]) -> type[CellCoaddModel[Any]]:
        from .cell_coadd_storage import CellCoaddModel

        return CellCoaddModel[pointer_type]  # type: ignore[valid-type]

    def __getitem__(self, bbox: Box) -> MultipleCellCoadd:
        """Return the cells whose inner region shares a pixel with a box.

        Raises
        ------
        MissingCellError
            If none of them is filled.
        """
        rows = [
            row
            for row, index in enumerate(self._stack.indices)
            if shared_box(self._grid.inner_bbox_of(index), bbox) is not None
        ]
        if not rows:
            raise MissingCellError(f"No filled cell has a pixel in {bbox}; they cover {self.bbox}.")
        chosen = {self._stack.indices[row] for row in rows}
        keep = [
            Index2D(x=int(row["cell_x"]), y=int(row["cell_y"])) in chosen
            for row in self._contributions
        ]
        return MultipleCellCoadd(
            identifiers=self._identifiers,
            band=self._band,
            patch=self._patch,
            cell_border=self._grid.border,
            sky_projection=self._sky_projection,
            stack=self._stack.subset(rows),
            inputs=self._inputs,
            contributions=self._contributions[np.array(keep, dtype=bool)],
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
            "cells": f"{filled} of {total} filled",
            "outer cell": f"{outer.x} x {outer.y} px, border {self._grid.border} px",
            "inputs": f"{len(self._inputs)} detectors of {len(visits)} visits",
            "mask fractions": fractions,
            "noise realizations": len(self._stack.noise),
        }
        fields = [
            ReportField(label=label, value=value, role=FieldRole.DERIVED)
            for label, value in entries.items()
        ]
        children = {} if options.brief else {"psf": self.psf._describe(options.for_child())}
        return Report(
            type_name="MultipleCellCoadd", summary=summary, fields=fields, children=children
        )
