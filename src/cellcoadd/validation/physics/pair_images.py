"""Pairs of galaxies cut out of a coadd or of an exposure, and their shears.

What differs between the two is where the point-spread function and the geometry come from: a coadd
brings its own, those of a simulated exposure are the truth.
"""

from __future__ import annotations

__all__ = ["measure_coadd", "measure_exposure"]

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from lsst.images import XY, Box, Image, SkyProjection, TractFrame, VisitImage

from ...cell_grid import Index2D
from ...conventions import round_half_up
from ...products.cell_coadd import MultipleCellCoadd
from ...simulate import SurveyPlan
from .galaxy_pairs import STAMP_SIZE, GalaxyPair
from .metacalibration import PairShear, Reconvolved, measure_pair

type _Floats = npt.NDArray[np.float64]

_ARCSEC_PER_RADIAN = math.degrees(1.0) * 3600.0


def measure_coadd(
    coadd: MultipleCellCoadd,
    pairs: Sequence[GalaxyPair],
    *,
    psf_of: Callable[[Index2D], Image] | None = None,
) -> list[PairShear]:
    """Measure pairs of galaxies in a coadd.

    Parameters
    ----------
    coadd
        The coadd.
    pairs
        The galaxies.
    psf_of
        Returns the point-spread function of a cell; by default the one that the coadd states.

    Raises
    ------
    MissingCellError
        If the coadd lacks the cell of a pair.
    """
    psf = psf_of or coadd.psf.__getitem__

    def galaxy(cell: Index2D, place: XY[float]) -> Reconvolved:
        stamp = _stamp(coadd.cells[cell].outer.image, place)
        return Reconvolved(stamp, psf(cell).array, _jacobian(coadd.sky_projection, place))

    return [
        measure_pair(galaxy(pair.cell, pair.places[0]), galaxy(pair.cell, pair.places[1]))
        for pair in pairs
    ]


def measure_exposure(image: VisitImage, plan: SurveyPlan, *, visit: int) -> list[PairShear]:
    """Measure pairs of galaxies in an exposure as it was simulated.

    Parameters
    ----------
    image
        What detector 0 saw in the exposure.
    plan
        Its sources are the galaxies of pairs, first and second in turn.
    visit
        Which of its exposures it is.
    """
    pointing, point_spread = plan.pointing(visit, 0), plan.point_spread(visit, 0)
    at = pointing.to_pixels(ra=plan.truth["ra"], dec=plan.truth["dec"])
    galaxies = []
    for x, y in zip(at.x.tolist(), at.y.tolist(), strict=True):
        psf, _ = point_spread.draw(x=float(round_half_up(x)), y=float(round_half_up(y)))
        stamp = _stamp(image.image, XY(x=x, y=y))
        galaxies.append(Reconvolved(stamp, psf, pointing.jacobian(x=x, y=y)))
    return [
        measure_pair(first, second)
        for first, second in zip(galaxies[::2], galaxies[1::2], strict=True)
    ]


def _stamp(image: Image, place: XY[float]) -> _Floats:
    """Return the pixels around a place."""
    column, row, half = round_half_up(place.x), round_half_up(place.y), STAMP_SIZE // 2
    box = Box.factory[row - half : row + half + 1, column - half : column + half + 1]
    return image[box].array.astype(np.float64)


def _jacobian(projection: SkyProjection[TractFrame], place: XY[float]) -> _Floats:
    """Return d(west, north)/d(x, y) of a projection at a place in arcseconds per pixel."""
    sky = projection.pixel_to_sky(
        x=place.x + np.array([0.5, -0.5, 0.0, 0.0]), y=place.y + np.array([0.0, 0.0, 0.5, -0.5])
    )
    ra, dec = sky.ra.rad, sky.dec.rad
    west = np.angle(np.exp(1j * (ra[1::2] - ra[::2]))) * math.cos(dec.mean())
    jacobian: _Floats = np.array([west, dec[::2] - dec[1::2]]) * _ARCSEC_PER_RADIAN
    return jacobian
