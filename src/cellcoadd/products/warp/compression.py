"""How the pixels of warps are compressed in files: quickly, and to the bit.

Nothing of a warp may be rounded: what is made of it would depend on whether it was stored. Images
and variances are left as they are: without loss noise shrinks by a tenth, and the variance by half
in three times as long as everything else takes. The other planes compress well, and quickly, by
`deflated_planes`.
"""

from __future__ import annotations

__all__ = ["WARP_COMPRESSION", "CompressedPlanes", "precompressed", "tiles_of"]

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from lsst.images import Box, Image, MaskedImage, MaskedImageSerializationModel
from lsst.images.fits import FitsCompressionOptions, FitsOpaqueMetadata

from ...files.deflated_planes import deflated
from ...masks.planes import plane_array
from ...masks.stored import serialize_integer_mask

if TYPE_CHECKING:
    from lsst.images.serialization import OutputArchive

TILE_ROWS = 64
"""Rows of a compressed plane that make a tile; one row, the default, takes longer and is larger."""

WARP_COMPRESSION: Mapping[str, FitsCompressionOptions | None] = {
    "image": None,
    "variance": None,
    "stamps": None,
    "noise_covariances": None,
}
"""Options by the name of a plane, as `lsst.images` archives take them."""


class CompressedPlanes:
    """An image or a masked image that goes with a warp, to be written likewise.

    Parameters
    ----------
    planes
        A masked image, of which the variance is nearly constant and compresses well; or an image of
        masked fractions.

    Raises
    ------
    ValueError
        If they are not as warping makes them: in single precision, with a mask of ours.
    """

    def __init__(self, planes: MaskedImage | Image) -> None:
        images = [planes] if isinstance(planes, Image) else [planes.image, planes.variance]
        if any(image.array.dtype != np.float32 for image in images):
            raise ValueError("The planes that go with a warp are in single precision.")
        self._planes = planes
        self._archive_default_name = getattr(planes, "_archive_default_name", None)
        if isinstance(planes, Image):
            self._opaque_metadata = precompressed({"image": planes.array})
        else:
            self._opaque_metadata = precompressed(
                {"mask": plane_array(planes.mask), "variance": planes.variance.array}
            )

    def serialize(self, archive: OutputArchive[Any]) -> Any:
        """Write to an lsst.images archive."""
        planes = self._planes
        if isinstance(planes, Image):
            return planes.serialize(archive, tile_shape=tiles_of(planes.bbox))
        write, bare = archive.serialize_direct, functools.partial
        planar: dict[str, Any] = {"save_projection": False, "tile_shape": tiles_of(planes.bbox)}
        projection = planes.sky_projection
        return MaskedImageSerializationModel[Any].model_construct(
            image=write("image", bare(planes.image.serialize, **planar)),
            mask=write(
                "mask", bare(serialize_integer_mask, planes.mask, tile_shape=tiles_of(planes.bbox))
            ),
            variance=write("variance", bare(planes.variance.serialize, **planar)),
            sky_projection=(
                None if projection is None else write("sky_projection", projection.serialize)
            ),
            metadata=dict(planes.metadata.native),
        )


def tiles_of(bbox: Box) -> tuple[int, int]:
    """Return height and width of the tiles of a plane."""
    return min(TILE_ROWS, bbox.y.size), bbox.x.size


def precompressed(planes: Mapping[str, npt.NDArray[Any]]) -> FitsOpaqueMetadata:
    """Return compressed planes where writers of lsst.images look for them."""
    return FitsOpaqueMetadata(
        precompressed={
            name.upper(): deflated(plane, shuffled=False, entries_per_tile=TILE_ROWS)
            for name, plane in planes.items()
        }
    )
