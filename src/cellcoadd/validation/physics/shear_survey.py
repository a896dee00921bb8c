"""The exposures that see the sheared galaxies, without noise, and the cells that hold them.

Noise would only add scatter: warps and coadds are linear in the pixels, so that it does not touch
what makes a coadd's point-spread function right or wrong.
"""

from __future__ import annotations

__all__ = ["EXPOSURES", "cells_in_the_middle", "shear_plan"]

from collections.abc import Sequence

from ...cell_grid import Index2D
from ...simulate import Camera, SurveyPlan, VisitPlan
from ...skymap import Patch
from .galaxy_pairs import GalaxyPair, sheared_sources
from .sources import ARCSEC_PER_PIXEL

EXPOSURES = (
    VisitPlan(
        visit=1, sequence=1, seeing=0.75, rotation=37.0, dither_east=-7.9, dither_north=-6.1,
        sky_sigma=21.0,
    ),
    VisitPlan(
        visit=2, sequence=2, seeing=0.70, rotation=90.0, dither_east=-4.2, dither_north=3.7,
        sky_sigma=22.0, psf="moffat", psf_g1=0.03, psf_g2=-0.02,
    ),
    VisitPlan(
        visit=3, sequence=3, seeing=0.65, rotation=0.0, dither_east=1.1, dither_north=-2.3,
        sky_sigma=23.0,
    ),
    VisitPlan(
        visit=4, sequence=4, seeing=0.60, rotation=10.0, dither_east=6.3, dither_north=5.2,
        sky_sigma=24.0, psf="moffat", psf_beta=3.0, psf_g1=0.05,
    ),
    VisitPlan(
        visit=5, sequence=5, seeing=0.58, rotation=182.5, dither_east=2.7, dither_north=8.4,
        sky_sigma=25.0, psf="moffat", psf_g1=-0.02, psf_g2=0.04, psf_slope=0.03,
    ),
    VisitPlan(
        visit=6, sequence=6, seeing=0.68, rotation=281.0, dither_east=9.6, dither_north=-1.8,
        sky_sigma=26.0, psf="moffat", psf_beta=4.0, psf_g1=0.02, psf_g2=0.03,
    ),
)  # fmt: skip
"""Dithered and turned, of round Gaussian and elliptical Moffat point-spread functions."""

_DISTORTION = 1000.0  # of the camera: stretches by 0.5 % 1.3e-3 radians (1600 pixels) off the axis
_TURNED = 1.45  # side of a square that holds another one in every orientation, and dithers


def cells_in_the_middle(patch: Patch, side: int) -> tuple[Index2D, ...]:
    """Return a square of cells in the middle of a patch.

    Parameters
    ----------
    patch
        The patch.
    side
        Number of cells in x and in y.
    """
    shape = patch.grid.shape
    x, y = (shape.x - side) // 2, (shape.y - side) // 2
    return tuple(
        Index2D(x=column, y=row) for row in range(y, y + side) for column in range(x, x + side)
    )


def shear_plan(
    patch: Patch,
    pairs: Sequence[GalaxyPair],
    *,
    shear: complex,
    visits: tuple[VisitPlan, ...] = EXPOSURES,
) -> SurveyPlan:
    """Return the survey of a patch's sheared galaxies by one large detector, without noise.

    Parameters
    ----------
    patch
        The patch in whose tract the pairs are placed.
    pairs
        The galaxies.
    shear
        Reduced shear g1 + i g2 of all of them, in the frame of west and north.
    visits
        The exposures. The detector is so large that each of them covers the cells of all pairs.
    """
    boxes = [patch.grid.outer_bbox_of(pair.cell) for pair in pairs]
    x = [edge for box in boxes for edge in (box.x.start, box.x.stop)]
    y = [edge for box in boxes for edge in (box.y.start, box.y.stop)]
    centre = patch.sky_projection.pixel_to_sky(x=0.5 * (min(x) + max(x)), y=0.5 * (min(y) + max(y)))
    dithers = [max(abs(visit.dither_east), abs(visit.dither_north)) for visit in visits]
    side = _TURNED * max(max(x) - min(x), max(y) - min(y)) + 3.0 * max(dithers) / ARCSEC_PER_PIXEL
    return SurveyPlan(
        visits=visits,
        camera=Camera(
            columns=1, rows=1, width=round(side), height=round(side),
            pixel_scale=ARCSEC_PER_PIXEL, distortion=_DISTORTION,
        ),
        ra=float(centre.ra.deg),
        dec=float(centre.dec.deg),
        sources=sheared_sources(pairs, shear=shear),
        artifacts=None,
        noise=False,
        photon_noise=False,
    )  # fmt: skip
