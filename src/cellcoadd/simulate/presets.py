"""Surveys that are ready to run, by name: small ones for tests, larger ones to look at."""

from __future__ import annotations

__all__ = ["SURVEY_PLANS", "survey_plan"]

from collections.abc import Callable
from typing import Any

from .artifacts import ArtifactSettings
from .camera import Camera
from .hsc_presets import hsc_patch, hsc_tests, hsc_tract
from .plan import SurveyPlan, VisitPlan
from .sky import SkySettings


def survey_plan(name: str, **changes: Any) -> SurveyPlan:
    """Return one of the plans that are ready to run.

    Parameters
    ----------
    name
        ``tests``: three visits of four small detectors, in seconds; 16 cells have two or three
        inputs. ``demo``: six visits of four detectors, with gaps, dithers and rotations; 75 cells
        have one to five inputs. ``hsc-tests``, ``hsc-patch``, ``hsc-tract``: surveys like Hyper
        Suprime-Cam's, see `hsc_presets`; 24 images of 640 x 900 pixels in seconds, 48 and 64 of
        2048 x 4176 in three and four minutes of one core.
    **changes
        Values of `SurveyPlan` that replace the plan's, such as ``ra=...``, ``noise=False``.

    Raises
    ------
    ValueError
        If no plan has this name.

    Notes
    -----
    The fields lie in patch 61 of tract 9813 of the sky map ``hsc_rings_cells_v1``; those of
    ``tests``, ``demo`` and ``hsc-tests`` beside the overlap with its neighbours, so that one patch
    holds all.
    """
    try:
        make = SURVEY_PLANS[name]
    except KeyError:
        raise ValueError(
            f"No survey plan is called {name!r}; there are {sorted(SURVEY_PLANS)}."
        ) from None
    return make(**changes)


def _tests(**changes: Any) -> SurveyPlan:
    values: dict[str, Any] = {
        # Pixel (18950, 15950) of the tract.
        "ra": 150.133469,
        "dec": 2.205781,
        "field_name": "tests",
        "seed": 20240827,
        # As small as the outer regions of the cells, 250 pixels, allow.
        "camera": Camera(columns=2, rows=2, width=480, height=440, gap_x=16, gap_y=24),
        "sky": SkySettings(stars_per_arcmin2=8.0, galaxies_per_arcmin2=8.0),
        "visits": (
            VisitPlan(
                visit=1228, sequence=1, seeing=0.60, sky_sigma=22.0,
                dither_east=-2.0, dither_north=3.0,
            ),
            VisitPlan(
                visit=1230, sequence=2, seeing=0.70, sky_sigma=26.0, rotation=90.0,
                dither_east=-4.0, dither_north=4.0, psf="moffat", psf_g1=0.02, psf_g2=-0.01,
            ),
            VisitPlan(
                visit=19658, day_obs=20240829, seeing=0.55, sky_sigma=31.0, rotation=10.0,
                dither_east=6.0, dither_north=-10.0,
            ),
        ),
    }  # fmt: skip
    return SurveyPlan(**(values | changes))


def _demo(**changes: Any) -> SurveyPlan:
    values: dict[str, Any] = {
        # Pixel (19700, 16700) of the tract.
        "ra": 150.09844,
        "dec": 2.240777,
        "field_name": "demo",
        "seed": 9813,
        "camera": Camera(
            columns=2, rows=2, width=760, height=560, gap_x=24, gap_y=40, distortion=1000.0
        ),
        # Of defects and bright stars enough for some cells to lose inputs at 5 and at 10 per cent.
        "artifacts": ArtifactSettings(
            wide_bands=0.6, wide_band_width=(8, 27), saturation=10000.0, halo_radius=16.0,
            cosmic_rays_per_megapixel=39.0, cosmic_ray_length=18.0,
        ),
        "sky": SkySettings(
            stars_per_arcmin2=6.0, star_magnitudes=(12.5, 23.5),
            galaxies_per_arcmin2=14.0, galaxy_magnitudes=(19.0, 24.5),
        ),
        "visits": (
            VisitPlan(
                visit=1228, sequence=1, seeing=0.58, sky_sigma=24.0,
                dither_east=-4.0, dither_north=11.0,
            ),
            VisitPlan(
                visit=1230, sequence=2, seeing=0.64, sky_sigma=22.0,
                dither_east=-21.0, dither_north=-7.0, psf="moffat", psf_slope=0.03,
            ),
            VisitPlan(
                visit=19658, day_obs=20240829, sequence=4, seeing=0.70, sky_sigma=29.0,
                rotation=90.0, dither_east=-29.0, dither_north=-25.0,
                psf="moffat", psf_g1=0.02,
            ),
            VisitPlan(
                visit=19660, day_obs=20240829, sequence=5, seeing=0.55, sky_sigma=26.0,
                rotation=180.0, dither_east=-17.0, dither_north=-5.0,
            ),
            VisitPlan(
                visit=30482, day_obs=20240902, sequence=11, seeing=0.82, sky_sigma=33.0,
                rotation=30.0, dither_east=-2.0, dither_north=23.0,
            ),
            VisitPlan(
                visit=30490, day_obs=20240902, sequence=15, seeing=0.61, sky_sigma=21.0,
                rotation=135.0, dither_east=-11.0, dither_north=-29.0, psf="moffat", psf_beta=4.0,
            ),
        ),
    }  # fmt: skip
    return SurveyPlan(**(values | changes))


SURVEY_PLANS: dict[str, Callable[..., SurveyPlan]] = {
    "tests": _tests,
    "demo": _demo,
    "hsc-tests": hsc_tests,
    "hsc-patch": hsc_patch,
    "hsc-tract": hsc_tract,
}
"""The plans by name."""
