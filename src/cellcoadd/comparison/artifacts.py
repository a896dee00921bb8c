"""What was found: the pixels of each visit that are to be left out."""

from __future__ import annotations

__all__ = ["Artifacts"]

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from lsst.images import Box, Mask, MaskPlane

from ..cell_grid import shared_box
from ..masks.planes import STANDARD_PLANES, PlaneSchema


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Artifacts:
    """The artifacts of a patch.

    Parameters
    ----------
    bbox
        The pixels of the patch.
    pixels
        For each visit that was compared, by instrument and number: flat indices in that box, in
        order.
    counts
        Number of footprints of each visit.
    """

    bbox: Box
    pixels: Mapping[tuple[str, int], npt.NDArray[np.int64]]
    counts: Mapping[tuple[str, int], int]

    def mask_of(self, instrument: str, visit: int, bbox: Box | None = None) -> Mask:
        """Return a mask whose plane CLIPPED marks the artifacts of a visit.

        Parameters
        ----------
        instrument, visit
            The visit; one without artifacts has a mask without any.
        bbox
            The pixels of the mask; None: all of the patch.
        """
        bbox = bbox or self.bbox
        mask = Mask(0, schema=_SCHEMA, bbox=bbox)
        pixels = self.pixels.get((instrument, visit))
        shared = shared_box(bbox, self.bbox)
        if pixels is not None and shared is not None:
            y, x = np.divmod(pixels, self.bbox.x.size)
            y += self.bbox.y.start - bbox.y.start
            x += self.bbox.x.start - bbox.x.start
            inside = (y >= 0) & (y < bbox.y.size) & (x >= 0) & (x < bbox.x.size)
            mask.array[y[inside], x[inside]] |= _SCHEMA.bitmask("CLIPPED")
        return mask


_SCHEMA = PlaneSchema([MaskPlane("CLIPPED", STANDARD_PLANES["CLIPPED"])], dtype=np.uint8)
