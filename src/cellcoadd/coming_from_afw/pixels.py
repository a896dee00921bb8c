"""Boxes, images, masks and exposures as lsst.geom and lsst.afw.image name them."""

from __future__ import annotations

__all__ = ["Box2I", "Exposure", "Image", "Mask", "MaskedImage", "our_box"]

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Concatenate

import lsst.images as ours
import numpy as np
import numpy.typing as npt

from ..masks.planes import STANDARD_PLANES, bits_of, mask_schema, plane_array
from ..products.warp import Warp
from .sky import SkyWcs
from .views import View

_STANDARD = mask_schema()


class Box2I(View[ours.Box]):
    """A box of pixels: ``begin`` and ``min`` are its first, ``max`` its last, ``end`` one more."""

    __slots__ = ()

    ELSEWHERE: ClassVar[Mapping[str, str]] = {
        "getCorners": "`box.ours.boundary()`",
        "clippedTo": "`box.ours.intersection(other.ours)`",
        "getMin": "`box.ours.min`, which is (y, x)",
        "getMax": "`box.ours.max`, which is (y, x)",
        "getBegin": "`box.ours.start`, which is (y, x)",
        "getEnd": "`box.ours.stop`, which is (y, x)",
        "getDimensions": "`box.ours.shape`, which is (y, x)",
        "dilatedBy": "`box.ours.dilated_by(pixels)`",
        "erodedBy": "`box.ours.dilated_by(-pixels)`",
    }

    @property
    def beginX(self) -> int:
        """First column."""
        return self.ours.x.start

    @property
    def beginY(self) -> int:
        """First row."""
        return self.ours.y.start

    @property
    def endX(self) -> int:
        """One more than the last column."""
        return self.ours.x.stop

    @property
    def endY(self) -> int:
        """One more than the last row."""
        return self.ours.y.stop

    @property
    def minX(self) -> int:
        """First column."""
        return self.ours.x.min

    @property
    def minY(self) -> int:
        """First row."""
        return self.ours.y.min

    @property
    def maxX(self) -> int:
        """Last column."""
        return self.ours.x.max

    @property
    def maxY(self) -> int:
        """Last row."""
        return self.ours.y.max

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.ours.x.size

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.ours.y.size


def our_box(box: Box2I | ours.Box) -> ours.Box:
    """Return a box, or that behind a view, as lsst.images has it."""
    return box.ours if isinstance(box, Box2I) else box


class _Plane[T: ours.Image | ours.Mask | ours.MaskedImage | Warp](View[T]):
    """What has pixels in a box."""

    __slots__ = ()

    @property
    def bbox(self) -> Box2I:
        """The pixels that there are."""
        return Box2I(self.ours.bbox)

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.bbox.width

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.bbox.height


_OF_PLANES = {
    "getDimensions": "`view.ours.bbox.shape`, which is (y, x)",
    "getXY0": "`view.ours.bbox.start`, which is (y, x)",
    "getX0": "`view.bbox.beginX`",
    "getY0": "`view.bbox.beginY`",
    "clone": "`view.ours.copy()`",
    "writeFits": "`view.ours.write(path)`",
    "readFits": "`cellcoadd.read(path)`",
    "subset": "`view[bbox]`",
    "Factory": "`type(view.ours)`",
}


class Image(_Plane[ours.Image]):
    """An image or a variance: its pixels are ``image.array``, which is [y, x]."""

    __slots__ = ()

    ELSEWHERE: ClassVar[Mapping[str, str]] = _OF_PLANES

    @property
    def array(self) -> npt.NDArray[Any]:
        """The pixels, not a copy."""
        return self.ours.array

    def __getitem__(self, bbox: Box2I | ours.Box) -> Image:
        return Image(self.ours[our_box(bbox)])


class _OnClassToo[**P, R]:
    """A method that the class has as well, of the masks that this package makes."""

    def __init__(self, function: Callable[Concatenate[ours.MaskSchema, P], R]) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    def __get__(self, mask: Mask | None, _owner: type[Mask]) -> Callable[P, R]:
        schema = _STANDARD if mask is None else mask.ours.schema
        return functools.partial(self._function, schema)


def _plane_bit_mask(schema: ours.MaskSchema, planes: str | Iterable[str]) -> int:
    """Return the OR of the bits of a plane or of several."""
    names = [planes] if isinstance(planes, str) else planes
    return functools.reduce(int.__or__, (int(schema.bit(name).mask) for name in names), 0)


def _mask_plane(schema: ours.MaskSchema, plane: str) -> int:
    """Return the number of the bit of a plane, counted from 0."""
    return _plane_bit_mask(schema, plane).bit_length() - 1


def _mask_plane_dict(schema: ours.MaskSchema) -> dict[str, int]:
    """Return the numbers of the bits by the names of their planes."""
    return {plane.name: _mask_plane(schema, plane.name) for plane in schema if plane is not None}


class Mask(_Plane[ours.Mask]):
    """A mask: an integer a pixel in ``mask.array``, [y, x], with one bit a plane.

    Parameters
    ----------
    mask
        Of our making: one integer a pixel, the standard planes at their usual bits.
    """

    __slots__ = ()

    ELSEWHERE: ClassVar[Mapping[str, str]] = _OF_PLANES | {
        "addMaskPlane": "`mask.ours.add_plane(name, description)`, which makes another mask",
        "removeMaskPlane": "planes without pixels do no harm",
        "clearMaskPlane": "`mask.ours.clear(name)`",
        "getAsString": "`mask.ours.get(name)` for each name of `mask.ours.schema.names`",
        "interpret": "`mask.ours.get(name)` for each name of `mask.ours.schema.names`",
    }

    getPlaneBitMask = _OnClassToo(_plane_bit_mask)
    getMaskPlane = _OnClassToo(_mask_plane)
    getMaskPlaneDict = _OnClassToo(_mask_plane_dict)

    def __init__(self, mask: ours.Mask) -> None:
        names = [plane.name for plane in mask.schema if plane and plane.name in STANDARD_PLANES]
        if any(bits_of(mask.schema, [name]) != bits_of(_STANDARD, [name]) for name in names):
            raise ValueError(
                "The planes of this mask have other bits than afwImage.Mask says; "
                "cellcoadd.masks.planes.to_standard_planes(mask) makes one that has these."
            )
        super().__init__(mask)

    @property
    def array(self) -> npt.NDArray[np.int32]:
        """The bits, not a copy."""
        return plane_array(self.ours)

    def __getitem__(self, bbox: Box2I | ours.Box) -> Mask:
        return Mask(self.ours[our_box(bbox)])


class MaskedImage(_Plane[ours.MaskedImage]):
    """Image, mask and variance."""

    __slots__ = ()

    ELSEWHERE: ClassVar[Mapping[str, str]] = _OF_PLANES | {
        "getArrays": "`view.image.array`, `view.mask.array`, `view.variance.array`",
    }

    @property
    def image(self) -> Image:
        """The image."""
        return Image(self.ours.image)

    @property
    def mask(self) -> Mask:
        """The mask."""
        return Mask(self.ours.mask)

    @property
    def variance(self) -> Image:
        """The variance."""
        return Image(self.ours.variance)

    def __getitem__(self, bbox: Box2I | ours.Box) -> MaskedImage:
        return MaskedImage(self.ours[our_box(bbox)])


class Exposure[T: ours.MaskedImage | Warp](_Plane[T]):
    """Image, mask and variance with a projection: a warp, or a cut-out of one."""

    __slots__ = ()

    ELSEWHERE: ClassVar[Mapping[str, str]] = _OF_PLANES | {
        "getPsf": "`warp.ours.psf`: `.compute_stellar_image(x=, y=)`, `psf[Index2D]`",
        "getInfo": "`warp.ours.inputs`, `.band`, `.visit`, `.identifiers`",
        "info": "`warp.ours.inputs`, `.band`, `.visit`, `.identifiers`",
        "getPhotoCalib": "pixels are in `warp.ours.unit`: nJy, or counts without a zero point",
        "getFilter": "`warp.ours.band`",
        "getVisitInfo": "`warp.ours.visit`, `.instrument` and `.inputs`",
        "visitInfo": "`warp.ours.visit`, `.instrument` and `.inputs`",
        "getDetector": "`warp.ours.inputs`, and `.owner` for the detector of each pixel",
        "detector": "`warp.ours.inputs`, and `.owner` for the detector of each pixel",
        "getApCorrMap": "`warp.ours.aperture_corrections`",
        "getCutout": "`warp[bbox]`",
    }

    @property
    def maskedImage(self) -> MaskedImage:
        """Image, mask and variance."""
        whole = self.ours
        return MaskedImage(whole.masked_image if isinstance(whole, Warp) else whole)

    @property
    def image(self) -> Image:
        """The image."""
        return Image(self.ours.image)

    @property
    def mask(self) -> Mask:
        """The mask."""
        return Mask(self.ours.mask)

    @property
    def variance(self) -> Image:
        """The variance."""
        return Image(self.ours.variance)

    @property
    def wcs(self) -> SkyWcs:
        """Pixels to sky and back."""
        projection = self.ours.sky_projection
        if projection is None:
            raise ValueError("This image has no sky projection.")
        return SkyWcs(projection)

    def __getitem__(self, bbox: Box2I | ours.Box) -> Exposure[ours.MaskedImage]:
        return Exposure(self.ours[our_box(bbox)])
