"""How the pixels of a warp are compressed in a file: quickly, and to the bit.

Nothing of a warp may be rounded: what is made of it would depend on whether it was stored. Noise
shrinks by a tenth when it is compressed without loss, and is left as it is; the other planes
compress well, and are compressed by `deflated_planes`.
"""

from __future__ import annotations

__all__ = ["TILE_ROWS", "WARP_COMPRESSION", "CompressedWarp"]

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
from lsst.images.fits import (
    FitsCompressionAlgorithm,
    FitsCompressionOptions,
    FitsOpaqueMetadata,
)

from .deflated_planes import deflated

if TYPE_CHECKING:
    from lsst.images.serialization import OutputArchive

    from .warp import Warp
    from .warp_storage import WarpModel

TILE_ROWS = 64
"""Rows of a compressed plane that make a tile; one row, the default, takes longer and is larger."""

WARP_COMPRESSION: Mapping[str, FitsCompressionOptions | None] = {
    "image": None,
    "mask": FitsCompressionOptions(algorithm=FitsCompressionAlgorithm.RICE_1),
    "stamps": None,
    "noise_covariances": None,
}
"""Options by the name of a plane, as `lsst.images` archives take them, for a `CompressedWarp`."""


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
            "variance": warp.variance.array,
            "owner": warp.owner,
            **{f"mask_fractions/{name}": p.array for name, p in warp.mask_fractions.items()},
        }
        # Writers of lsst.images look for an attribute of this name.
        self._opaque_metadata = FitsOpaqueMetadata(
            precompressed={
                name.upper(): deflated(
                    plane, shuffled=name == "variance", entries_per_tile=TILE_ROWS
                )
                for name, plane in planes.items()
            }
        )

    def serialize(self, archive: OutputArchive[Any]) -> WarpModel[Any]:
        """Write to an lsst.images archive."""
        return self._warp.serialize(archive)
