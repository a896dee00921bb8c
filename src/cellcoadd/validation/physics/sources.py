"""Sources of known truth on chosen pixels of a tract, and the images that a survey takes of them.

All that is measured lies around the middle of one cell of patch 61 of tract 9813 of the sky map
``hsc_rings_cells_v1``: pixels of 0.168 arcsec, cells of 150 pixels with borders of 50.
"""

from __future__ import annotations

__all__ = [
    "ARCSEC_PER_PIXEL",
    "MIDDLE",
    "galaxies_at",
    "images_of",
    "near_grid",
    "physics_patch",
    "physics_plan",
    "stars_at",
]

import functools
from typing import Any

import astropy.units as u
import numpy as np
import numpy.typing as npt
from astropy.table import Table
from lsst.images import XY

from ...products.calibrated_image import CalibratedImage
from ...simulate import SurveyPlan, VisitPlan, simulate_survey
from ...skymap import Patch, named_sky_map
from ...surveys.rubin import calibrated_image_from_visit_image

type _Floats = npt.NDArray[np.float64]

ARCSEC_PER_PIXEL = 0.168
"""Pixel scale of the tract at its tangent point; 0.1 per cent less at its corners."""

MIDDLE = XY(x=18974.5, y=15974.5)
"""Tract pixel that is the middle of a cell, and of all that is simulated."""


@functools.cache
def physics_patch() -> Patch:
    """Return the patch that everything is coadded on."""
    return named_sky_map("hsc_rings_cells_v1")[9813].patch(61)


def physics_plan(visits: tuple[VisitPlan, ...], **changes: Any) -> SurveyPlan:
    """Return a survey without noise and defects of the sky around `MIDDLE`.

    Parameters
    ----------
    visits
        The exposures.
    **changes
        Values of `SurveyPlan`: camera, sources, ...
    """
    centre = physics_patch().sky_projection.pixel_to_sky(x=MIDDLE.x, y=MIDDLE.y)
    values: dict[str, Any] = {
        "ra": float(centre.ra.deg),
        "dec": float(centre.dec.deg),
        "sky": None,
        "artifacts": None,
        "noise": False,
        # A detector's weight follows from the sky alone, whatever stars are on it.
        "photon_noise": False,
    }
    return SurveyPlan(visits=visits, **(values | changes))


def images_of(plan: SurveyPlan) -> list[CalibratedImage]:
    """Return all images of a survey, read as the survey reader would read their files."""
    return [calibrated_image_from_visit_image(image) for image in simulate_survey(plan)]


def near_grid(
    rng: np.random.Generator, *, half_count: int, spacing: float, jitter: float, shift: float = 0.0
) -> XY[_Floats]:
    """Return positions around `MIDDLE`, random but apart from each other.

    Parameters
    ----------
    rng
        Draws the sub-pixel (and the larger) offsets.
    half_count
        ``2 * half_count + 1`` positions in each direction.
    spacing
        Distance of the points of the grid in pixels.
    jitter
        Largest offset of a position from its point, in x and in y, in pixels.
    shift
        Largest offset of the grid as a whole, so that positions fall anywhere in their cells.
    """
    steps = spacing * np.arange(-half_count, half_count + 1)
    columns = MIDDLE.x + steps + rng.uniform(-shift, shift)
    rows = MIDDLE.y + steps + rng.uniform(-shift, shift)
    x, y = (grid.ravel() for grid in np.meshgrid(columns, rows))
    return XY(
        x=x + rng.uniform(-jitter, jitter, x.size), y=y + rng.uniform(-jitter, jitter, y.size)
    )


def stars_at(position: XY[_Floats], *, flux: float = 1e5) -> Table:
    """Return the truth of stars of one flux (nJy) at tract pixels, for `SurveyPlan.sources`."""
    return _sources(position, "star", flux=flux)


def galaxies_at(
    position: XY[_Floats], *, sersic_index: _Floats, half_light_radius: _Floats,
    g1: _Floats, g2: _Floats, flux: float = 1e5,
) -> Table:  # fmt: skip
    """Return the truth of galaxies of one flux (nJy) at tract pixels; radii in arcsec."""
    return _sources(
        position, "galaxy", flux=flux,
        sersic_index=sersic_index, half_light_radius=half_light_radius, g1=g1, g2=g2,
    )  # fmt: skip


def _sources(position: XY[_Floats], kind: str, *, flux: float, **shape: _Floats) -> Table:
    sky = physics_patch().sky_projection.pixel_to_sky(x=position.x, y=position.y)
    number = position.x.size
    none = np.zeros(number)
    return Table(
        {
            "id": np.arange(1, number + 1),
            "type": np.full(number, kind),
            "ra": sky.ra.deg * u.deg,
            "dec": sky.dec.deg * u.deg,
            "flux_njy": np.full(number, flux) * u.nJy,
            "sersic_index": shape.get("sersic_index", none),
            "half_light_radius": shape.get("half_light_radius", none) * u.arcsec,
            "g1": shape.get("g1", none),
            "g2": shape.get("g2", none),
        }
    )
