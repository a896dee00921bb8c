"""Galaxies in coadds: the sum of their pixels beside the flux that was drawn."""

from __future__ import annotations

__all__ = ["measure"]

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
from astropy.coordinates import SkyCoord
from lsst.images import Box

from ...conventions import round_half_up
from ...products.cell_coadd import MultipleCellCoadd
from ...products.cell_coadd.cell import SingleCellCoadd
from ...products.cell_coadd.inputs import RefusalReason
from ...recipes import coadd_images
from ...simulate import Camera, SurveyPlan, VisitPlan, draw_sources
from .check import Check
from .sources import (
    ARCSEC_PER_PIXEL,
    galaxies_at,
    images_of,
    near_grid,
    physics_patch,
    physics_plan,
)

_LOG = logging.getLogger(__name__)

_FIELDS = 6  # of the full form
_WIDTH = 900  # tract pixels: nine cells in any orientation
_APERTURE = 62  # half a side in tract pixels: what is drawn ends within 55, the next begins at 70
_LIMIT = 1e-3
_RADII = (0.25, 0.8)  # arcsec
_SERSIC_INDICES = (0.5, 1.0, 2.5, 4.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Case:
    name: str
    seeing: float
    ratio: float = 1.0
    psf: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    distortion: float = 0.0
    in_short: bool = False

    def plan(self, rng: np.random.Generator) -> SurveyPlan:
        """Return a survey of nine galaxies, one a cell, by four visits in odd orientations."""
        visits = tuple(
            VisitPlan(
                visit=number, sequence=number, rotation=rng.uniform(0.0, 360.0),
                seeing=self.seeing * rng.uniform(0.85, 1.15), sky_sigma=20.0 + 3.0 * number,
                dither_east=rng.uniform(-3.0, 3.0), dither_north=rng.uniform(-3.0, 3.0),
                **self.psf,
            )
            for number in range(1, 5)
        )  # fmt: skip
        position = near_grid(rng, half_count=1, spacing=150.0, jitter=10.0)
        number = position.x.size
        galaxies = galaxies_at(
            position,
            sersic_index=rng.choice(_SERSIC_INDICES, number),
            half_light_radius=rng.uniform(*_RADII, number),
            g1=rng.uniform(-0.3, 0.3, number),
            g2=rng.uniform(-0.3, 0.3, number),
        )
        width = round(_WIDTH / self.ratio)
        camera = Camera(
            columns=1, rows=1, width=width, height=width,
            pixel_scale=self.ratio * ARCSEC_PER_PIXEL, distortion=self.distortion,
        )  # fmt: skip
        return physics_plan(visits, camera=camera, sources=galaxies)


_CASES = (
    _Case(name='Sersic galaxies, Gaussians of 0.7"', seeing=0.7),
    _Case(
        name='Sersic galaxies, ratio 0.6, TAN-SIP, Moffats of 0.6"', seeing=0.6, ratio=0.6,
        psf={"psf": "moffat"}, distortion=1e4, in_short=True,
    ),
    _Case(
        name='Sersic galaxies, ratio 1.6, TAN-SIP, Moffats of 0.9"', seeing=0.9, ratio=1.6,
        psf={"psf": "moffat"}, distortion=1e4,
    ),
)  # fmt: skip


def measure(*, short: bool) -> list[Check]:
    """Return the largest relative error of a galaxy's total flux in each survey.

    Parameters
    ----------
    short
        Only nine galaxies of one survey.
    """
    checks = []
    for case in _CASES:
        if short and not case.in_short:
            continue
        _LOG.info("galaxies, %s", case.name)
        fields = 1 if short else _FIELDS
        errors = np.concatenate(
            [
                _observe(case, np.random.default_rng((crc32(case.name.encode()), n)))
                for n in range(fields)
            ]
        )
        checks.append(
            Check(
                case=case.name, quantity="total flux (relative)", wanted=_LIMIT,
                deviation=float(np.abs(errors).max()), count=errors.size,
                note=f"rms {np.sqrt((errors**2).mean()):.1e}, mean {errors.mean():.1e}",
            )
        )  # fmt: skip
    return checks


def _observe(case: _Case, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return summed flux over drawn flux, less 1, of every galaxy."""
    plan = case.plan(rng)
    coadd = coadd_images(images_of(plan), physics_patch())
    assert coadd is not None, "the detector is larger than the cells"
    errors = []
    at = coadd.wcs.sky_to_pixel(SkyCoord(plan.truth["ra"], plan.truth["dec"]))
    for number in range(len(plan.truth)):
        x, y = round_half_up(float(at.x[number])), round_half_up(float(at.y[number]))
        cell = coadd.cells[coadd.grid.index_of(x=x, y=y)]
        box = Box.factory[y - _APERTURE : y + _APERTURE + 1, x - _APERTURE : x + _APERTURE + 1]
        total = float(cell.outer.image[box].array.sum(dtype=np.float64))
        errors.append(total / _drawn_flux(plan, number, coadd, cell) - 1.0)
    return np.array(errors)


def _drawn_flux(
    plan: SurveyPlan, number: int, coadd: MultipleCellCoadd, cell: SingleCellCoadd
) -> float:
    """Return the flux that the stamps of a galaxy hold, in the mean over the cell's inputs.

    A stamp ends at six half-light radii, so the visits hold a little less than the whole.
    """
    rows = cell.contributions
    rows = rows[rows["reason"] == RefusalReason.ACCEPTED]
    fluxes = []
    for row in rows:
        seen = coadd.inputs[int(row["input"])].observation
        drawn = draw_sources(
            plan.truth[number : number + 1],
            plan.pointing(seen.visit, seen.detector),
            plan.point_spread(seen.visit, seen.detector),
        )
        fluxes.append(float(drawn.sum()))
    return float(np.average(fluxes, weights=rows["weight"]))
