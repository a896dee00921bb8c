"""What stands for the modules of lsst.afw and lsst.geom under the names that scripts give them."""

from __future__ import annotations

__all__ = ["afwGeom", "afwImage", "afwMath", "geom"]

from collections.abc import Mapping
from typing import Any

from .pixels import Box2I, Exposure, Image, Mask, MaskedImage
from .sky import Angle, SkyWcs, SpherePoint
from .statistics import StatisticsControl
from .views import missing_name


class _Module:
    """Some names of a module; the others raise an error that says what to use."""

    def __init__(self, name: str, elsewhere: Mapping[str, str], **members: Any) -> None:
        self.__name__ = name
        self.ELSEWHERE = elsewhere
        self.__dict__.update(members)

    def __getattr__(self, name: str) -> Any:
        raise missing_name(self.__dict__["__name__"], name, self.__dict__["ELSEWHERE"])

    def __repr__(self) -> str:
        return f"<the names of lsst.afw as {self.__name__} of cellcoadd.coming_from_afw>"


_OF_TYPES = {
    f"{name}{letter}": f"`{name}`, of any type of pixels"
    for name in ("Image", "MaskedImage", "Exposure")
    for letter in "FDIL"
}

afwImage = _Module(
    "afwImage",
    {
        **_OF_TYPES,
        "MaskX": "`Mask`",
        "PhotoCalib": "pixels are in `unit` of a warp or a coadd, nJy where there is a zero point",
        "abMagErrFromFluxErr": "`astropy.units`: `(flux * u.nJy).to(u.ABmag)`",
        "FilterLabel": "`warp.band`, `coadd.band`",
        "VisitInfo": "`cellcoadd.products.calibrated_image.observation_details`",
    },
    Image=Image,
    Mask=Mask,
    MaskedImage=MaskedImage,
    Exposure=Exposure,
)
"""What scripts know as ``lsst.afw.image``."""

afwMath = _Module(
    "afwMath",
    {
        "makeStatistics": "numpy on `image.array`; `cellcoadd.compute_weight` for weights",
        "MEANCLIP": "`cellcoadd.compute_weight`, one over the clipped mean",
        "MEDIAN": "`numpy.nanmedian(image.array)`",
        "statisticsStack": "`cellcoadd.coadd_images`",
        "Warper": "`cellcoadd.WarpSettings` and `cellcoadd.coadd_images`",
        "warpExposure": "`cellcoadd.WarpSettings` and `cellcoadd.coadd_images`",
    },
    StatisticsControl=StatisticsControl,
)
"""What scripts know as ``lsst.afw.math``."""

afwGeom = _Module(
    "afwGeom",
    {
        "Polygon": "`lsst.images.Polygon`",
        "makeSkyWcs": "`lsst.images.SkyProjection.from_fits_wcs`",
        "SpanSet": "masks of numpy",
    },
    SkyWcs=SkyWcs,
)
"""What scripts know as ``lsst.afw.geom``."""

geom = _Module(
    "geom",
    {
        "Box2D": "`lsst.images.Box`",
        "Point2I": "(x, y)",
        "Point2D": "(x, y)",
        "Extent2I": "(x, y)",
        "degrees": "`astropy.units.deg`",
        "radians": "`astropy.units.rad`",
        "arcseconds": "`astropy.units.arcsec`",
    },
    Angle=Angle,
    Box2I=Box2I,
    SpherePoint=SpherePoint,
)
"""What scripts know as ``lsst.geom``."""
