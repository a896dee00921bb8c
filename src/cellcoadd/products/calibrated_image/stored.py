"""The stored form of a CalibratedImage: an `lsst.images` archive with an image, mask and variance.

The first three extensions of the FITS file are those of an ordinary masked image, so that any
viewer shows it. Read and written by `lsst.images.serialization.read_archive` and `write_archive`.
"""

from __future__ import annotations

__all__ = ["CalibratedImageModel", "serialize_calibrated_image"]

import functools
from typing import Any, ClassVar

import numpy as np
import pydantic
from lsst.images import (
    BackgroundMapSerializationModel,
    Box,
    ImageSerializationModel,
    MaskedImage,
    MaskSerializationModel,
    SkyProjectionSerializationModel,
)
from lsst.images.aperture_corrections import ApertureCorrectionMapSerializationModel
from lsst.images.serialization import InputArchive, InvalidParameterError, OutputArchive

from ...files.archive_schema import ProductTree
from ...psfs.stored import StoredPsf, write_psf
from ..flux_units import flux_unit_of, stored_unit
from ..identifiers import ObservationIdentifiers
from ..observing_conditions import UNKNOWN_CONDITIONS, ObservingConditions
from .image import CalibratedImage, ImageQuality

_WITH_BBOX = frozenset({"image", "mask", "variance", "masked_image"})


class CalibratedImageModel[P: pydantic.BaseModel](ProductTree):
    """The stored form of a `CalibratedImage`."""

    SCHEMA_NAME: ClassVar[str] = "cellcoadd_calibrated_image"
    SCHEMA_VERSION: ClassVar[str] = "1.3.0"
    MIN_READ_VERSION: ClassVar[int] = 1
    PUBLIC_TYPE: ClassVar[type] = CalibratedImage

    image: ImageSerializationModel[P] = pydantic.Field(description="Sky-subtracted image.")
    mask: MaskSerializationModel[P] = pydantic.Field(description="Mask of the image.")
    variance: ImageSerializationModel[P] = pydantic.Field(description="Variance of the image.")
    sky_projection: SkyProjectionSerializationModel[P] = pydantic.Field(
        description="Pixels to sky."
    )
    psf: StoredPsf = pydantic.Field(
        union_mode="left_to_right", description="Point-spread function."
    )
    observation: ObservationIdentifiers = pydantic.Field(
        description="Which detector of which visit."
    )
    nanojansky_per_count: float = pydantic.Field(description="Flux of one count in nJy.")
    mean_variance: float | None = pydantic.Field(
        default=None, description="Mean variance of the detector in counts^2, where one was stated."
    )
    quality: ImageQuality = pydantic.Field(description="Statistics for the selection of inputs.")
    # Files of version 1.0 lack what follows.
    aperture_corrections: ApertureCorrectionMapSerializationModel = pydantic.Field(
        default_factory=ApertureCorrectionMapSerializationModel,
        description="Aperture corrections by algorithm.",
    )
    backgrounds: BackgroundMapSerializationModel = pydantic.Field(
        default_factory=BackgroundMapSerializationModel,
        description="Models of the background in counts.",
    )
    # Files of version 1.1 lack what follows, and so do those that have nothing to say of it.
    flux_unit: str | None = pydantic.Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="Unit of what is made of the image, where no flux of a count is known; else "
        "nJy.",
    )
    noise_correlation: list[list[float]] | None = pydantic.Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="Correlation of the noise of two pixels by their offset in y and x, offset 0 "
        "in the middle; None: noise of each pixel is its own.",
    )
    # Files of version 1.2 lack what follows, and so do those that have nothing to say of it.
    conditions: ObservingConditions | None = pydantic.Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="What is known of the exposure beside its pixels.",
    )

    @property
    def bbox(self) -> Box:
        """The pixels that the file holds."""
        return self.image.bbox

    def deserialize(
        self, archive: InputArchive[Any], *, bbox: Box | None = None, **kwargs: Any
    ) -> CalibratedImage:
        """Read the image, or of its pixels only those in a box.

        Raises
        ------
        lsst.images.serialization.InvalidParameterError
            If there is a parameter other than ``bbox``.
        """
        return CalibratedImage(
            observation=self.observation,
            masked_image=self._read_masked_image(archive, bbox=bbox, **kwargs),
            psf=self.psf.deserialize(archive),
            nanojansky_per_count=self.nanojansky_per_count,
            mean_variance=self.mean_variance,
            quality=self.quality,
            aperture_corrections=self.aperture_corrections.deserialize(archive),
            backgrounds=self.backgrounds.deserialize(archive),
            flux_unit=flux_unit_of(self.flux_unit),
            noise_correlation=(
                None
                if self.noise_correlation is None
                else np.array(self.noise_correlation, np.float64)
            ),
            conditions=self.conditions or UNKNOWN_CONDITIONS,
        )

    def deserialize_component(
        self, component: str, archive: InputArchive[Any], **kwargs: Any
    ) -> Any:
        """Read one field of the image, or its ``image``, ``mask``, ``variance`` or ``bbox``.

        Raises
        ------
        lsst.images.serialization.InvalidComponentError
            If there is no such part.
        lsst.images.serialization.InvalidParameterError
            If the part has no pixels to select with ``bbox``, or for any other parameter.
        """
        if kwargs and component not in _WITH_BBOX:
            raise InvalidParameterError(f"{component} is read whole, without {sorted(kwargs)}.")
        if component == "masked_image":
            return self._read_masked_image(archive, **kwargs)
        return super().deserialize_component(component, archive, **kwargs)

    def _read_masked_image(
        self, archive: InputArchive[Any], *, bbox: Box | None = None, **kwargs: Any
    ) -> MaskedImage:
        if kwargs:
            raise InvalidParameterError(
                f"A calibrated image is read whole or by bbox, not by {sorted(kwargs)}."
            )
        result = MaskedImage(
            self.image.deserialize(archive, bbox=bbox),
            mask=self.mask.deserialize(archive, bbox=bbox),
            variance=self.variance.deserialize(archive, bbox=bbox),
            sky_projection=self.sky_projection.deserialize(archive),
        )
        result.metadata = self.metadata
        return result


def serialize_calibrated_image(
    image: CalibratedImage, archive: OutputArchive[Any]
) -> CalibratedImageModel[Any]:
    """Write a calibrated image to an archive.

    Raises
    ------
    TypeError
        If its point-spread function is of a kind that cannot be stored.
    """
    planes = image.masked_image
    write = archive.serialize_direct
    bare = functools.partial
    return CalibratedImageModel[Any].model_construct(
        image=write("image", bare(planes.image.serialize, save_projection=False)),
        mask=write("mask", bare(planes.mask.serialize, save_projection=False)),
        variance=write("variance", bare(planes.variance.serialize, save_projection=False)),
        sky_projection=write("sky_projection", image.sky_projection.serialize),
        psf=write_psf(image.psf, archive, name="psf", owner=str(image.observation)),
        observation=image.observation,
        nanojansky_per_count=image.nanojansky_per_count,
        mean_variance=image.mean_variance,
        quality=image.quality,
        aperture_corrections=write(
            "aperture_corrections",
            bare(
                ApertureCorrectionMapSerializationModel.serialize, dict(image.aperture_corrections)
            ),
        ),
        backgrounds=write("backgrounds", image.backgrounds.serialize),
        flux_unit=stored_unit(image.flux_unit),
        noise_correlation=(
            None if image.noise_correlation is None else image.noise_correlation.tolist()
        ),
        conditions=image.conditions if image.conditions.is_known else None,
        metadata=dict(planes.metadata.native),
    )
