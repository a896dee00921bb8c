"""Put the resampled detectors of one visit together."""

from __future__ import annotations

__all__ = ["MergedPlanes"]

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from lsst.images import Box, MaskSchema

from ..cell_grid import shared_box
from ..products.mask_planes import bits_of, mask_schema, translated_bits
from ..products.warp import NO_OWNER
from .project import ProjectedImage


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class MergedPlanes:
    """Planes of one visit on the tract's pixels, over the hull of its detectors.

    Detectors come in their order; where two overlap the later one's good pixels count.
    ``owner`` is the number of the detector that covers a pixel, `NO_OWNER` where none does.
    """

    bbox: Box
    schema: MaskSchema
    values: npt.NDArray[np.float32]
    variances: npt.NDArray[np.float32]
    mask: npt.NDArray[np.int32]
    fractions: npt.NDArray[np.float32]
    owner: npt.NDArray[np.uint8]

    @classmethod
    def from_detectors(cls, projected: Sequence[ProjectedImage]) -> MergedPlanes:
        """Merge detectors, which must have the same numbers of planes."""
        first = projected[0]
        bbox = _hull([image.bbox for image in projected])
        shape = (bbox.y.size, bbox.x.size)
        schema = _common_schema(projected)
        no_data = bits_of(schema, ["NO_DATA"])
        result = cls(
            bbox=bbox,
            schema=schema,
            values=np.full((len(first.values), *shape), np.nan, np.float32),
            variances=np.full((len(first.variances), *shape), np.inf, np.float32),
            mask=np.full(shape, no_data, np.int32),
            fractions=np.full((len(first.fractions), *shape), np.nan, np.float32),
            owner=np.full(shape, NO_OWNER, np.uint8),
        )
        for number, image in enumerate(projected):
            result._add(number, image)
        return result

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

    def _add(self, number: int, image: ProjectedImage) -> None:
        place = image.bbox.slice_within(self.bbox)
        window = (place.y, place.x)
        mask = _translated(image, self.schema)
        no_data = bits_of(self.schema, ["NO_DATA"])
        good = (mask & no_data) == 0
        for mine, theirs in (
            (self.values, image.values),
            (self.variances, image.variances),
        ):
            np.copyto(mine[:, *window], theirs, where=good)
        np.copyto(self.mask[window], mask, where=good)
        owner = self.owner[window]
        unclaimed = image.coverage & (owner == NO_OWNER)
        # The fraction's kernel is smaller, so it reaches a little farther than the image's; but
        # where another detector has an image, the fraction is also that detector's.
        free = good | (owner == NO_OWNER)
        known = np.isfinite(image.fractions)
        np.copyto(self.fractions[:, *window], image.fractions, where=known & free)
        owner[good | unclaimed] = number


def _hull(boxes: Sequence[Box]) -> Box:
    return Box.factory[
        min(box.y.start for box in boxes) : max(box.y.stop for box in boxes),
        min(box.x.start for box in boxes) : max(box.x.stop for box in boxes),
    ]


def _common_schema(projected: Sequence[ProjectedImage]) -> MaskSchema:
    planes: dict[str, str] = {}
    for image in projected:
        schema = image.prepared.source.masked_image.mask.schema
        planes |= {plane.name: plane.description for plane in schema if plane is not None}
    return mask_schema(planes)


def _translated(image: ProjectedImage, schema: MaskSchema) -> npt.NDArray[np.int32]:
    """The detector's mask in the bits of another schema."""
    own = image.prepared.source.masked_image.mask.schema
    return translated_bits(image.mask, own, schema)
