"""One cell of a coadd, as a person holds it: its pixels, its PSF, its inputs.

Cells are made by `coadd.MultipleCellCoadd.cells` when they are asked for; they own nothing.
"""

from __future__ import annotations

__all__ = ["CellPlanes", "FilledCells", "SingleCellCoadd", "report_fields"]

from collections.abc import Iterator, Mapping, Sequence
from types import EllipsisType

import numpy as np
import numpy.typing as npt
from lsst.images import Box, Image, Mask, MaskedImage, SkyProjection, TractFrame
from lsst.images.cells import CellIJ
from lsst.images.describe import (
    DescribableMixin,
    DescribeOptions,
    FieldRole,
    Report,
    ReportField,
)

from ...cell_grid import Index2D, to_index2d
from ...errors import MissingCellError
from ..flux_units import unit_label
from ..identifiers import ObservationIdentifiers
from .content import CellCoaddContent
from .inputs import RefusalReason, rows_of_cells


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
        """Masked fraction by plane; `masks.planes.ALL_PLANES` for all planes together."""
        return self._mask_fractions

    @property
    def noise_realizations(self) -> Sequence[Image]:
        """Noise realizations, in the unit of the image."""
        return self._noise_realizations

    def copy(self) -> CellPlanes:
        """Return planes of their own, which can be changed without changing the coadd."""
        projection = self.sky_projection
        assert projection is not None, "given when built"
        return CellPlanes(
            self.image.copy(),
            mask=self.mask.copy(),
            variance=self.variance.copy(),
            sky_projection=projection,
            mask_fractions={name: image.copy() for name, image in self._mask_fractions.items()},
            noise_realizations=[image.copy() for image in self._noise_realizations],
        )

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


class SingleCellCoadd(DescribableMixin):
    """One cell of a coadd. Made by `MultipleCellCoadd.cells`; its pixels are views."""

    def __init__(self, parent: CellCoaddContent, index: Index2D, row: int) -> None:
        self._parent = parent
        self._row = row
        self.index = index

    @property
    def outer(self) -> CellPlanes:
        """All pixels of the cell, border included."""
        stack, bbox = self._parent.stack, self._parent.grid.outer_bbox_of(self.index)
        row, unit = self._row, self._parent.unit
        return CellPlanes(
            Image(stack.image[row], bbox=bbox, unit=unit),
            mask=Mask(stack.mask[row][:, :, np.newaxis], schema=stack.schema, bbox=bbox),
            variance=Image(stack.variance[row], bbox=bbox, unit=unit**2),
            sky_projection=self._parent.sky_projection,
            mask_fractions={
                name: Image(plane, bbox=bbox) for name, plane in stack.fractions_of(row).items()
            },
            noise_realizations=[Image(plane[row], bbox=bbox, unit=unit) for plane in stack.noise],
        )

    @property
    def inner(self) -> CellPlanes:
        """The pixels that belong to this cell alone."""
        return self.outer[self._parent.grid.inner_bbox_of(self.index)]

    @property
    def sky_projection(self) -> SkyProjection[TractFrame]:
        """Tract pixels to sky and back: that of the coadd."""
        return self._parent.sky_projection

    wcs = sky_projection

    @property
    def psf_image(self) -> Image:
        """The point-spread function, centred on (0, 0)."""
        return self._parent.psf[self.index]

    @property
    def noise_covariance(self) -> Image:
        """Covariance of the sky noise of two pixels by their offset; (0, 0): variance.

        In the square of the coadd's unit. What the variance plane leaves out: see
        `CellStack.noise_covariance`.
        """
        plane = self._parent.stack.noise_covariance[self._row]
        half = plane.shape[0] // 2
        box = Box.factory[-half : half + 1, -half : half + 1]
        return Image(plane.astype(np.float64), bbox=box, unit=self._parent.unit**2)

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
        return rows_of_cells(self._parent.contributions, [self.index])

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

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        """Whether it is the same cell of the same coadd, or of one that is equal in this cell."""
        if not isinstance(other, SingleCellCoadd):
            return NotImplemented
        return self.index == other.index and self._alone() == other._alone()

    def _alone(self) -> CellCoaddContent:
        return self._parent.subset([self.index]).without_idle_inputs()

    def _describe(self, options: DescribeOptions = DescribeOptions(), /) -> Report:  # noqa: B008
        parent, grid, index = self._parent, self._parent.grid, self.index
        summary = f"SingleCellCoadd(x={index.x}, y={index.y}, {self.visit_count} visits)"
        centre = grid.centre_of(index)
        sky = parent.sky_projection.pixel_to_sky(x=float(centre.x), y=float(centre.y))
        entries: dict[str, object] = {
            "patch": str(parent.identifiers),
            "band": parent.band,
            "unit": unit_label(parent.unit),
            "inner": str(grid.inner_bbox_of(index)),
            "outer": str(grid.outer_bbox_of(index)),
            "centre": f"RA {sky.ra.deg:.6f}, Dec {sky.dec.deg:+.6f} deg",
        }
        if not options.brief:
            entries["inputs"] = ", ".join(
                f"visit {entry.visit} detector {entry.detector}" for entry in self.inputs
            )
            refused = len(self.contributions) - len(self.inputs)
            entries["refused inputs"] = refused
        return Report(type_name="SingleCellCoadd", summary=summary, fields=report_fields(entries))


def report_fields(entries: Mapping[str, object]) -> list[ReportField]:
    """Return the lines of a description, in their order."""
    return [
        ReportField(label=label, value=value, role=FieldRole.DERIVED)
        for label, value in entries.items()
    ]


class FilledCells(Mapping[Index2D, SingleCellCoadd]):
    """The filled cells by index; a `CellIJ` of lsst.images finds them as well."""

    def __init__(self, parent: CellCoaddContent) -> None:
        self._parent = parent
        self._rows = {index: row for row, index in enumerate(parent.stack.indices)}

    def __getitem__(self, index: Index2D | CellIJ) -> SingleCellCoadd:
        ours = to_index2d(index)
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
        return to_index2d(index) in self._rows

    def __iter__(self) -> Iterator[Index2D]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        shape = self._parent.grid.shape
        return f"<{len(self)} filled cells of {shape.x} x {shape.y}, by Index2D>"
