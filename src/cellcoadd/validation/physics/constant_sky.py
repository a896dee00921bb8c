"""A constant sky in coadds: it stays constant, but for the solid angle that a pixel sees."""

from __future__ import annotations

__all__ = ["LEVEL", "measure", "relative_sky"]

import logging
import math

import numpy as np
import numpy.typing as npt
from lsst.images import Image

from ...recipes import coadd_images
from ...simulate import Camera, VisitPlan
from .check import Check
from .sources import ARCSEC_PER_PIXEL, images_of, physics_patch, physics_plan

_LOG = logging.getLogger(__name__)

LEVEL = 1000.0
"""Level of the sky in nJy per pixel of 0.168 arcsec."""

_TANGENT_POINT = 16499.0  # tract pixel, in x and in y: crpix0 of tract 9813 in the Rubin pipelines

# Where a camera distorts by k r^3, areas change by 8 k r a radian: with k = 1000 at r = 4e-4 by
# 1.3e-5 over half of the 10 pixels between exact positions, within which areas are nearly constant.
_CASES = (("TAN", 0.0, 1e-6), ("TAN-SIP", 1000.0, 2e-5))


def measure(*, short: bool) -> list[Check]:
    """Return the largest relative deviation of a pixel from the sky, with and without distortion.

    Parameters
    ----------
    short
        Two visits, not four.
    """
    checks = []
    rotations = (0.0, 37.0) if short else (0.0, 90.0, 10.0, 37.0)
    for name, distortion, limit in _CASES:
        _LOG.info("constant sky, %s", name)
        visits = tuple(
            VisitPlan(
                visit=number, sequence=number, rotation=rotation, sky_sigma=20.0 + number,
                dither_east=3.1 * number, dither_north=-2.3 * number,
            )
            for number, rotation in enumerate(rotations, start=1)
        )  # fmt: skip
        camera = Camera(columns=2, rows=1, width=480, height=440, distortion=distortion)
        coadd = coadd_images(
            images_of(physics_plan(visits, camera=camera, sky_level=LEVEL)), physics_patch()
        )
        assert coadd is not None, "the detectors are larger than the cells"
        errors = np.array([relative_sky(cell.outer.image) for cell in coadd.cells.values()])
        checks.append(
            Check(
                case=f"constant sky, {name}", quantity="worst pixel of a cell (relative)",
                deviation=float(np.abs(errors).max()), wanted=limit, count=errors.size,
            )
        )  # fmt: skip
    return checks


def relative_sky(image: Image) -> npt.NDArray[np.float64]:
    """Return by how much the pixels of a tract deviate from the sky of `LEVEL`.

    Notes
    -----
    At r radians from the tangent point a pixel sees ``(1 + r^2)^(-3/2)`` of the sky that it sees
    there: the gnomonic projection's area, which no code of ours computes like this.
    """
    y, x = np.mgrid[image.bbox.y.start : image.bbox.y.stop, image.bbox.x.start : image.bbox.x.stop]
    radians = math.radians(ARCSEC_PER_PIXEL / 3600.0)
    r2 = ((x - _TANGENT_POINT) ** 2 + (y - _TANGENT_POINT) ** 2) * radians**2
    relative: npt.NDArray[np.float64] = image.array / (LEVEL * (1.0 + r2) ** -1.5) - 1.0
    return relative
