"""Put the resampled detectors of one visit together."""

from __future__ import annotations

__all__ = ["MergedPlanes"]

from typing import Any

import numpy as np
import numpy.typing as npt
from lsst.images import Box, MaskSchema

from ..cell_grid import shared_box
from ..kernels.merge import merge_planes
from ..masks.planes import bit_changes, bits_of, mask_schema, translated_bits
from ..products.warp import NO_OWNER
from .project import ProjectedImage
from .workspace import Workspace


class MergedPlanes:
    """Planes of one visit on the tract's pixels, over the hull of its detectors.

    Detectors are added in their order; where two overlap the later one's good pixels count.
    ``values``, ``variances``, ``mask`` (in the bits of ``schema``) and ``fractions`` are as in
    `ProjectedImage`; ``owner`` is the number of the detector that covers a pixel, `NO_OWNER` where
    none does.

    Parameters
    ----------
    first
        The first detector, which is not added yet: all others have its number of planes.
    expected
        A box that is likely to hold all detectors. Planes that must grow are copied.
    memory
        For the planes.
    """

    def __init__(self, first: ProjectedImage, *, expected: Box, memory: Workspace) -> None:
        self._memory = memory
        self._n_values, self._n_variances = len(first.values), len(first.variances)
        self._n_fractions = len(first.fractions)
        self.schema = mask_schema(first.schema.descriptions)
        self._hull: Box | None = None
        self._take(_hull(first.bbox, expected))
        for plane, empty in zip(self._planes(), self._empty(), strict=True):
            plane.fill(empty)

    def _take(self, bbox: Box) -> None:
        """Take the planes of a box, with whatever is in their memory."""
        shape = (bbox.y.size, bbox.x.size)
        self.bbox = bbox
        array = self._memory.array
        self.values = array("values", (self._n_values, *shape), np.float32)
        self.variances = array("variances", (self._n_variances, *shape), np.float32)
        self.mask = array("mask", shape, np.int32)
        self.fractions = array("fractions", (self._n_fractions, *shape), np.float32)
        self.owner = array("owner", shape, np.uint8)

    def _empty(self) -> list[float]:
        """Return what each of the planes holds where there are no data."""
        return [np.nan, np.inf, bits_of(self.schema, ["NO_DATA"]), np.nan, NO_OWNER]

    def _planes(self) -> list[npt.NDArray[Any]]:
        return [self.values, self.variances, self.mask, self.fractions, self.owner]

    def _grow(self, bbox: Box) -> None:
        """Change the box to a larger one."""
        old, planes = self.bbox, self._planes()
        self._take(bbox)
        place = old.slice_within(bbox)
        # The memory is the same if another visit's planes were as large.
        for mine, theirs, empty in zip(self._planes(), planes, self._empty(), strict=True):
            kept = theirs.copy()
            mine.fill(empty)
            mine[..., place.y, place.x] = kept

    def crop(self) -> None:
        """Reduce the box to the hull of the detectors that were added."""
        if self._hull is None or self._hull == self.bbox:
            return
        old, planes = self.bbox, self._planes()
        # In the same memory: no pixel moves to where a later one, or one of a later plane, still
        # is to be fetched. Numpy copies a plane where it overlaps itself.
        self._take(self._hull)
        place = self._hull.slice_within(old)
        for mine, theirs in zip(self._planes(), planes, strict=True):
            for index in np.ndindex(mine.shape[:-2]):
                mine[index] = theirs[index][place.y, place.x]

    def owner_at(self, *, x: int, y: int) -> int:
        """Return the number of the detector at a tract pixel; `NO_OWNER` outside of the box."""
        if not self.bbox.contains(x=x, y=y):
            return NO_OWNER
        return int(self.owner[y - self.bbox.y.start, x - self.bbox.x.start])

    def reach(self, box: Box) -> bool:
        """Return whether any detector covers a pixel of a box."""
        shared = shared_box(box, self.bbox)
        if shared is None:
            return False
        place = shared.slice_within(self.bbox)
        return bool((self.owner[place.y, place.x] != NO_OWNER).any())

    def add(self, number: int, image: ProjectedImage) -> None:
        """Add a detector, which has a number among those of the visit."""
        self._hull = image.bbox if self._hull is None else _hull(self._hull, image.bbox)
        if not self.bbox.contains(image.bbox):
            self._grow(_hull(self.bbox, image.bbox))
        self._extend_schema(image.schema)
        place = image.bbox.slice_within(self.bbox)
        window = (place.y, place.x)
        kept, changed, new = bit_changes(image.schema, self.schema)
        # The fraction's kernel is smaller, so it reaches a little farther than the image's; but
        # where another detector has an image, the fraction is also that detector's.
        merge_planes(
            image.values, image.variances, image.mask, image.fractions, image.coverage,
            bits_of(image.schema, ["NO_DATA"]), kept, changed, new, number, NO_OWNER,
            self.values[:, *window], self.variances[:, *window], self.mask[window],
            self.fractions[:, *window], self.owner[window],
        )  # fmt: skip

    def _extend_schema(self, schema: MaskSchema) -> None:
        """Take in the planes of a detector; a survey's own ones may change their bits."""
        union = mask_schema({**self.schema.descriptions, **schema.descriptions})
        if union != self.schema:
            self.mask = translated_bits(self.mask, self.schema, union)
            self.schema = union


def _hull(one: Box, other: Box) -> Box:
    return Box.factory[
        min(one.y.start, other.y.start) : max(one.y.stop, other.y.stop),
        min(one.x.start, other.x.start) : max(one.x.stop, other.x.stop),
    ]
