"""The stored form of a Warp: an `lsst.images` archive that opens like any masked image.

Read and written by `lsst.images.serialization.read_archive` and `write_archive`, and so by the
Butler.
"""

from __future__ import annotations

__all__ = ["CompressedWarp", "WarpModel", "serialize_warp"]

import functools
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pydantic
from lsst.images import (
    Box,
    Image,
    ImageSerializationModel,
    MaskedImage,
    MaskSerializationModel,
    Polygon,
    RegionSerializationModel,
    SkyProjection,
    SkyProjectionSerializationModel,
)
from lsst.images.cells import PatchDefinition
from lsst.images.serialization import (
    ArrayReferenceModel,
    InlineArrayModel,
    InputArchive,
    InvalidParameterError,
    OutputArchive,
    TableModel,
)

from ...cell_grid import BorderedCellGrid, Index2D, shared_box
from ...errors import MissingCellError
from ...files.archive_schema import ProductTree
from ...files.columns import read_columns, write_columns
from ...files.fits_wcs import check_round_trip
from ...masks.planes import plane_array
from ...masks.stored import IntegerMaskModel, serialize_integer_mask
from ...psfs.stored import StoredPsf, write_psf
from ..identifiers import ObservationIdentifiers, PatchIdentifiers
from ..noise_covariance import unknown_noise_covariance
from ..observing_conditions import UNKNOWN_CONDITIONS, ObservingConditions
from .compression import precompressed, tiles_of
from .inputs import WarpInput, WarpKernel
from .warp import Warp


class WarpInputModel[P: pydantic.BaseModel](pydantic.BaseModel):
    """The stored form of a `WarpInput`."""

    observation: ObservationIdentifiers
    bbox: Box
    sky_projection: SkyProjectionSerializationModel[P]
    footprint: RegionSerializationModel
    mean_variance_njy2: float
    psf: StoredPsf = pydantic.Field(union_mode="left_to_right")
    # Files of version 1.2 lack what follows, and so do those that have nothing to say of it.
    conditions: ObservingConditions | None = pydantic.Field(
        default=None, exclude_if=lambda value: value is None
    )

    def deserialize(self, archive: InputArchive[Any]) -> WarpInput:
        """Read the input."""
        footprint = self.footprint.deserialize()
        assert isinstance(footprint, Polygon), "written from one"
        return WarpInput(
            observation=self.observation,
            bbox=self.bbox,
            sky_projection=self.sky_projection.deserialize(archive),
            footprint=footprint,
            mean_variance_njy2=self.mean_variance_njy2,
            psf=self.psf.deserialize(archive),
            conditions=self.conditions or UNKNOWN_CONDITIONS,
        )


class WarpModel[P: pydantic.BaseModel](ProductTree):
    """The stored form of a `Warp`."""

    SCHEMA_NAME: ClassVar[str] = "cellcoadd_warp"
    SCHEMA_VERSION: ClassVar[str] = "1.3.0"
    MIN_READ_VERSION: ClassVar[int] = 1
    PUBLIC_TYPE: ClassVar[type] = Warp

    image: ImageSerializationModel[P] = pydantic.Field(
        description="Image, in nJy if its unit is no other."
    )
    mask: MaskSerializationModel[P] = pydantic.Field(description="Mask.")
    variance: ImageSerializationModel[P] = pydantic.Field(
        description="Variance, in the square of the unit."
    )
    sky_projection: SkyProjectionSerializationModel[P] = pydantic.Field(
        description="Tract pixels to sky."
    )
    identifiers: PatchIdentifiers = pydantic.Field(description="The patch.")
    patch: PatchDefinition = pydantic.Field(description="Geometry of the patch.")
    cell_border: int = pydantic.Field(description="Border of a cell in pixels.")
    inputs: list[WarpInputModel[P]] = pydantic.Field(description="The detectors.")
    owner: ArrayReferenceModel | InlineArrayModel = pydantic.Field(
        description="Row of inputs that each pixel came from, 255 for none."
    )
    cell_inputs: TableModel = pydantic.Field(description="What each detector covers of each cell.")
    stamps: ArrayReferenceModel | InlineArrayModel | None = pydantic.Field(
        description="Point-spread functions at the centres of cells, where any is covered."
    )
    mask_fractions: dict[str, ImageSerializationModel[P]] = pydantic.Field(
        description="Warped fraction of bad pixels, by plane."
    )
    # Files of version 1.0 may lack what follows.
    noise_covariances: ArrayReferenceModel | InlineArrayModel | None = pydantic.Field(
        default=None,
        description="Covariances by offset of resampled noise of variance 1, in the order of "
        "stamps; None: unknown.",
    )
    aperture_corrections: TableModel | None = pydantic.Field(
        default=None,
        description="Aperture corrections by algorithm, in the order of stamps; None without any.",
    )
    # Files of version 1.2 lack what follows.
    kernel: WarpKernel = pydantic.Field(
        default=WarpKernel(), description="What the images were resampled with."
    )
    phase_errors: ArrayReferenceModel | InlineArrayModel | None = pydantic.Field(
        default=None,
        description="Change of the stamps with the sub-pixel position of a star, mean square over "
        "square, in the order of stamps; None: unknown.",
    )

    @property
    def bbox(self) -> Box:
        """The warp's pixels."""
        return self.image.bbox

    @property
    def grid(self) -> BorderedCellGrid:
        """The patch's cells."""
        return BorderedCellGrid(inner=self.patch.cells, border=self.cell_border)

    def deserialize(
        self, archive: InputArchive[Any], *, bbox: Box | None = None, **kwargs: Any
    ) -> Warp:
        """Read the warp, or of it the pixels in a box and the cells that have all theirs there.

        Raises
        ------
        MissingCellError
            If the warp has no pixel in the box.
        lsst.images.serialization.InvalidParameterError
            If there is a parameter other than ``bbox``.
        """
        if kwargs:
            raise InvalidParameterError(
                f"A warp is read whole or by bbox, not by {sorted(kwargs)}."
            )
        box = self.bbox if bbox is None else self._shared_with(bbox)
        fractions: dict[str, Image] = {
            name: model.deserialize(archive, bbox=box)
            for name, model in self.mask_fractions.items()
        }
        place = box.slice_within(self.bbox)
        rows = archive.get_structured_array(self.cell_inputs)
        stamps = (
            np.zeros((0, 1, 1), np.float32)
            if self.stamps is None
            else archive.get_array(self.stamps)
        )
        return Warp(
            self._read_pixels(archive, bbox=box),
            identifiers=self.identifiers,
            patch=self.patch,
            cell_border=self.cell_border,
            inputs=[model.deserialize(archive) for model in self.inputs],
            owner=archive.get_array(self.owner, slices=(place.y, place.x)),
            cell_inputs=rows if box == self.bbox else rows[self._whole_cells(rows, box)],
            stamps=stamps,
            kernel=self.kernel,
            phase_errors=(
                None if self.phase_errors is None else archive.get_array(self.phase_errors)
            ),
            noise_covariances=(
                unknown_noise_covariance(len(stamps))
                if self.noise_covariances is None
                else archive.get_array(self.noise_covariances)
            ),
            aperture_corrections=read_columns(archive, self.aperture_corrections),
            mask_fractions=fractions,
        )

    def deserialize_component(
        self, component: str, archive: InputArchive[Any], **kwargs: Any
    ) -> Any:
        """Read one part: ``masked_image``, ``image``, ``sky_projection``, ``grid``, ``patch`` ...

        Raises
        ------
        lsst.images.serialization.InvalidComponentError
            If there is no such part.
        lsst.images.serialization.InvalidParameterError
            If a part that is not an image is given parameters, or an image others than ``bbox``.
        """
        if kwargs and component not in ("image", "mask", "variance", "masked_image"):
            raise InvalidParameterError(f"{component} is read whole, without {sorted(kwargs)}.")
        if component == "masked_image":
            if others := sorted(set(kwargs) - {"bbox"}):
                raise InvalidParameterError(f"{component} is read by bbox, not by {others}.")
            return self._read_pixels(archive, **kwargs)
        return super().deserialize_component(component, archive, **kwargs)

    def _shared_with(self, bbox: Box) -> Box:
        shared = shared_box(self.bbox, bbox)
        if shared is None:
            raise MissingCellError(f"The warp has no pixel in {bbox}; it covers {self.bbox}.")
        return shared

    def _whole_cells(self, rows: npt.NDArray[np.void], box: Box) -> npt.NDArray[np.bool_]:
        """Whether all pixels of the cell that a row is about are in a box."""
        grid = self.grid
        whole = np.zeros(len(rows), np.bool_)
        for number, row in enumerate(rows):
            outer = grid.outer_bbox_of(Index2D(x=int(row["cell_x"]), y=int(row["cell_y"])))
            reached = shared_box(outer, self.bbox)
            whole[number] = reached is not None and box.contains(reached)
        return whole

    def _read_projection(self, archive: InputArchive[Any]) -> SkyProjection[Any]:
        projection = self.sky_projection.deserialize(archive)
        check_round_trip(projection, self.bbox)
        return projection

    def _read_pixels(self, archive: InputArchive[Any], *, bbox: Box | None = None) -> MaskedImage:
        mask = IntegerMaskModel.of(self.mask) or self.mask
        return MaskedImage(
            self.image.deserialize(archive, bbox=bbox),
            mask=mask.deserialize(archive, bbox=bbox),
            variance=self.variance.deserialize(archive, bbox=bbox),
            sky_projection=self._read_projection(archive),
        )


def serialize_warp(warp: Warp, archive: OutputArchive[Any]) -> WarpModel[Any]:
    """Write a warp to an archive."""
    write = archive.serialize_direct
    tiles = tiles_of(warp.bbox)
    bare = functools.partial
    planar: dict[str, Any] = {"save_projection": False, "tile_shape": tiles}

    def write_input(number: int, entry: WarpInput) -> WarpInputModel[Any]:
        place = f"inputs/{number}"
        return WarpInputModel[Any].model_construct(
            observation=entry.observation,
            bbox=entry.bbox,
            sky_projection=write(f"{place}/sky_projection", entry.sky_projection.serialize),
            footprint=entry.footprint.serialize(),
            mean_variance_njy2=entry.mean_variance_njy2,
            psf=write_psf(entry.psf, archive, name=f"{place}/psf", owner=str(entry.observation)),
            conditions=entry.conditions if entry.conditions.is_known else None,
        )

    return WarpModel[Any].model_construct(
        image=write("image", bare(warp.image.serialize, **planar)),
        mask=write("mask", bare(serialize_integer_mask, warp.mask, tile_shape=tiles)),
        variance=write("variance", bare(warp.variance.serialize, **planar)),
        sky_projection=write("sky_projection", warp.sky_projection.serialize),
        identifiers=warp.identifiers,
        patch=warp.patch,
        cell_border=warp.grid.border,
        inputs=[write_input(number, entry) for number, entry in enumerate(warp.inputs)],
        owner=archive.add_array(warp.owner, name="owner", tile_shape=tiles),
        cell_inputs=archive.add_structured_array(warp.cell_inputs, name="cell_inputs"),
        stamps=archive.add_array(warp.stamps, name="stamps") if len(warp.stamps) else None,
        noise_covariances=(
            archive.add_array(warp.noise_covariances, name="noise_covariances")
            if len(warp.stamps)
            else None
        ),
        kernel=warp.kernel,
        phase_errors=(
            archive.add_array(warp.phase_errors, name="phase_errors") if len(warp.stamps) else None
        ),
        aperture_corrections=write_columns(
            archive,
            warp.aperture_corrections if len(warp.stamps) else {},
            name="aperture_corrections",
        ),
        mask_fractions={
            name: write(f"mask_fractions/{name}", bare(image.serialize, **planar))
            for name, image in warp.mask_fractions.items()
        },
    )


class CompressedWarp:
    """A warp to be written, with planes that are compressed already.

    Parameters
    ----------
    warp
        The warp.
    """

    def __init__(self, warp: Warp) -> None:
        self._warp = warp
        planes: dict[str, npt.NDArray[Any]] = {
            "mask": plane_array(warp.mask),
            "owner": warp.owner,
            **{f"mask_fractions/{name}": p.array for name, p in warp.mask_fractions.items()},
        }
        self._opaque_metadata = precompressed(planes)

    def serialize(self, archive: OutputArchive[Any]) -> WarpModel[Any]:
        """Write to an lsst.images archive."""
        return serialize_warp(self._warp, archive)
