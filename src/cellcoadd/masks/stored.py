"""Masks of one 32-bit integer a pixel, stored and read as what they are.

The stored form is that of lsst.images, which anything reads. lsst.images itself goes plane by
plane, ten times through all pixels for ten planes.
"""

from __future__ import annotations

__all__ = ["IntegerMaskModel", "serialize_integer_mask"]

from typing import Any

import numpy as np
from astropy.io import fits
from lsst.images import Box, Mask, MaskSchema, MaskSerializationModel
from lsst.images.fits import add_offset_wcs
from lsst.images.serialization import InputArchive, NumberType, OutputArchive

from .planes import PlaneSchema, plane_array


class IntegerMaskModel(MaskSerializationModel[Any]):
    """The stored form of such a mask."""

    @classmethod
    def of(cls, model: MaskSerializationModel[Any]) -> IntegerMaskModel | None:
        """Return the same stored form for quick reading; None if there is more to a pixel."""
        if len(model.data) != 1 or len(model.data[0].shape) != 2:
            return None
        return cls.model_construct(**dict(model))

    @property
    def schema_of_integers(self) -> MaskSchema:
        """The planes, in the bits that are stored: without gaps."""
        planes = [plane for plane in self.planes if plane is not None]
        return PlaneSchema(planes, dtype=np.int32)

    def deserialize(self, archive: InputArchive[Any], *, bbox: Box | None = None, **_: Any) -> Mask:
        """Read the mask, or the part of it in a box."""
        box = self.bbox if bbox is None else bbox
        array = archive.get_array(self.data[0], slices=box.slice_within(self.bbox))
        return Mask(array[:, :, np.newaxis], schema=self.schema_of_integers, bbox=box)


def serialize_integer_mask(
    mask: Mask, archive: OutputArchive[Any], *, tile_shape: tuple[int, int]
) -> MaskSerializationModel[Any]:
    """Write such a mask to an archive, without the projection.

    Raises
    ------
    ValueError
        If it is not one, or there are gaps between its planes.
    """
    if None in list(mask.schema):
        raise ValueError("A mask with unnamed planes is stored by lsst.images.")

    def update_header(header: fits.Header) -> None:
        mask.schema.update_header(header)
        if mask.sky_projection is not None and mask.fits_wcs:
            header.update(mask.fits_wcs.to_header(relax=True))
        add_offset_wcs(header, x=mask.bbox.x.start, y=mask.bbox.y.start, key="A")

    array = archive.add_array(plane_array(mask), update_header=update_header, tile_shape=tile_shape)
    return MaskSerializationModel.model_construct(
        data=[array],
        yx0=list(mask.bbox.start),
        planes=list(mask.schema),
        dtype=NumberType.int32,
        sky_projection=None,
        metadata=dict(mask.metadata.native),
    )
