"""Pixels of an image in a file, which are read when they are asked for, and only those."""

from __future__ import annotations

__all__ = ["DeferredPixels"]

import functools
from collections.abc import Callable
from types import EllipsisType
from typing import Any

from lsst.images import Box, Image, Mask, MaskedImage, SkyProjection

from ...files.guard import file_guard


class DeferredPixels:
    """What can be asked of a `lsst.images.MaskedImage` by those who need a part of it.

    Parameters
    ----------
    read
        Reads the pixels in a box.
    bbox
        All pixels.
    sky_projection
        Pixels to sky and back.
    """

    def __init__(
        self, read: Callable[[Box], MaskedImage], *, bbox: Box, sky_projection: SkyProjection[Any]
    ) -> None:
        self._read = read
        self._bbox = bbox
        self._sky_projection = sky_projection
        self._kept: MaskedImage | None = None

    @property
    def bbox(self) -> Box:
        """All pixels."""
        return self._bbox

    @property
    def sky_projection(self) -> SkyProjection[Any]:
        """Pixels to sky and back."""
        return self._sky_projection

    def __getitem__(self, bbox: Box | EllipsisType) -> MaskedImage:
        """Return the pixels in a box, or all; those that were read whole are not read again."""
        if bbox is ... or bbox == self._bbox:
            return self._whole
        return self._read(bbox) if self._kept is None else self._kept[bbox]

    def read(self, bbox: Box) -> MaskedImage:
        """Read the pixels in a box into arrays that are the caller's, to be changed."""
        return self._read(bbox)

    def of_file(self, source: str) -> DeferredPixels:
        """Return the same pixels; whatever happens when they are read refuses a file, by name."""
        read = functools.partial(_guarded_read, self._read, source)
        result = DeferredPixels(read, bbox=self._bbox, sky_projection=self._sky_projection)
        result._kept = self._kept
        return result

    def forget(self) -> None:
        """Let go of pixels that were read whole; they are read again when they are asked for."""
        self._kept = None

    @property
    def _whole(self) -> MaskedImage:
        if self._kept is None:
            self._kept = self._read(self._bbox)
        return self._kept

    @property
    def image(self) -> Image:
        """The image, read whole."""
        return self._whole.image

    @property
    def mask(self) -> Mask:
        """The mask, read whole."""
        return self._whole.mask

    @property
    def variance(self) -> Image:
        """The variance, read whole."""
        return self._whole.variance

    @property
    def metadata(self) -> Any:
        """Metadata of the image, which is read whole."""
        return self._whole.metadata


def _guarded_read(read: Callable[[Box], MaskedImage], source: str, bbox: Box) -> MaskedImage:
    with file_guard(source):
        return read(bbox)
