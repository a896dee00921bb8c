"""Surveys like Hyper Suprime-Cam's RC2 field in tract 9813: its detectors, dithers and defects.

What a coadd of them shows was measured in the real data first (technote SITCOMTN-137):

* Cells have none to eight of the eight visits. Detectors have gaps of 12" and 53", and a cell that
  is not wholly on one detector does not take it in. The dithers were searched for, at random, until
  the numbers of inputs in patch 61 were nearly those of the real one, and no cell of it within five
  pixels of being on a detector or off it.
* With one to three inputs the variance is bimodal. Four visits are twice as deep as the other four,
  and where few visits meet, they are mostly of one kind.
* The masked fraction by BAD alone is 0 or a little more than 4/250 in most cells: each detector has
  a band of bad columns, four pixels wide, and the cell and its border 250. Over the cell without
  its border it is 4/150. This needs columns along the sides of the cells. Where they cross a cell
  at an angle t, the fraction is spread out between 0 and 4/250/cos(t); so the camera turns by right
  angles only. Gaps along rows and columns of cells say that it did in the real data.
* The part of the inputs that are masked by less than a threshold, from 0.001 to 0.14, by BAD, SAT,
  CR and all of them, is that of the real data to 0.03. Widths of bands, full well, halos and cosmic
  rays were fitted to it, and the seed was searched, since one patch has few bright stars.
"""

from __future__ import annotations

__all__ = ["hsc_patch", "hsc_tests", "hsc_tract"]

import dataclasses
from typing import Any

from .artifacts import ArtifactSettings
from .camera import Camera
from .plan import SurveyPlan, VisitPlan
from .sky import SkySettings

_CAMERA = Camera(
    columns=14,
    rows=7,
    width=2048,
    height=4176,
    gap_x=72,
    gap_y=315,
    # Half of the bands of four columns are below 4/250 of a cell then, as in the real data.
    pixel_scale=0.1679,
    # Pixels 40' off the axis are 1.4 (tangentially) and 4.1 per cent (radially) larger.
    distortion=100.0,
)

_ARTIFACTS = ArtifactSettings(
    bad_column_bands=1,
    bad_column_width=4,
    wide_bands=0.45,
    saturation=10000.0,
    halo_radius=16.0,
    cosmic_rays_per_megapixel=39.0,
    cosmic_ray_length=18.0,
    edge_width=8,
    amplifiers=4,
    amplifier_noise_step=0.03,
)

_SKY = SkySettings(
    stars_per_arcmin2=6.0,
    star_magnitudes=(12.5, 23.5),
    galaxies_per_arcmin2=20.0,
    galaxy_magnitudes=(19.0, 25.0),
)

_CENTRE = {"ra": 150.107805, "dec": 2.231422}
"""The middle of patch 61 of tract 9813 of ``hsc_rings_cells_v1``, in degrees."""

# Of visits with twice the noise variance there are four, of two nights.
_VISITS = (
    VisitPlan(
        visit=1242, sequence=1, seeing=0.70, sky_sigma=37.5, rotation=180.0,
        dither_east=90.0, dither_north=220.1, psf="moffat", psf_g1=0.01, psf_slope=0.02,
    ),
    VisitPlan(
        visit=1248, sequence=4, seeing=0.74, sky_sigma=38.5, rotation=270.0,
        dither_east=354.7, dither_north=244.5, psf="moffat", psf_g2=0.015, psf_slope=0.02,
    ),
    VisitPlan(
        visit=19680, day_obs=20240829, sequence=10, seeing=0.58, sky_sigma=25.0,
        dither_east=167.1, dither_north=320.4, psf="moffat", psf_slope=0.03,
    ),
    VisitPlan(
        visit=19684, day_obs=20240829, sequence=12, seeing=0.57, sky_sigma=25.4,
        dither_east=-213.9, dither_north=-401.9, psf="moffat", psf_g1=-0.01, psf_slope=0.03,
    ),
    VisitPlan(
        visit=19694, day_obs=20240829, sequence=17, seeing=0.61, sky_sigma=26.0,
        dither_east=91.5, dither_north=-369.6, psf="moffat", psf_beta=4.0, psf_slope=0.02,
    ),
    VisitPlan(
        visit=19696, day_obs=20240829, sequence=18, seeing=0.64, sky_sigma=26.5, rotation=180.0,
        dither_east=-106.2, dither_north=326.5, psf="moffat", psf_beta=4.0, psf_slope=0.02,
    ),
    VisitPlan(
        visit=30482, day_obs=20240902, sequence=11, seeing=0.82, sky_sigma=38.0, rotation=180.0,
        dither_east=112.6, dither_north=231.3, psf="moffat", psf_g1=0.02, psf_slope=0.02,
    ),
    VisitPlan(
        visit=30490, day_obs=20240902, sequence=15, seeing=0.78, sky_sigma=39.0, rotation=270.0,
        dither_east=-309.6, dither_north=244.5, psf="moffat", psf_g2=-0.02, psf_slope=0.02,
    ),
)  # fmt: skip


def hsc_patch(**changes: Any) -> SurveyPlan:
    """Return the survey of the whole patch 61: the detectors that touch it, of eight visits."""
    # The patch is 3400 pixels wide: 9.52'.
    return _survey("HSC patch", {"area_arcmin": (9.6, 9.6)} | changes)


def hsc_tract(**changes: Any) -> SurveyPlan:
    """Return the survey of an area around patch 61 that reaches into its eight neighbours.

    An image that ``hsc_patch`` has as well is the same here. At the edge of the area there are
    fewer detectors, and cells of the outer patches have fewer inputs, down to none.
    """
    return _survey("HSC tract", {"area_arcmin": (18.0, 18.0)} | changes)


def hsc_tests(**changes: Any) -> SurveyPlan:
    """Return a survey of six visits of four detectors, a fourteenth as large, with all of it."""
    camera = dataclasses.replace(
        _CAMERA, columns=2, rows=2, width=640, height=900, gap_x=24, gap_y=72,
        # A camera this small would not notice a distortion as mild as the large one's.
        distortion=1000.0,
    )  # fmt: skip
    dithers = {
        1242: (180.0, -29.7, 36.7), 1248: (0.0, -26.0, -0.5), 30482: (180.0, -31.4, 31.6),
        19680: (270.0, 3.5, 45.8), 19684: (270.0, 0.2, 24.4), 19694: (90.0, 9.6, 21.8),
    }  # fmt: skip
    visits = tuple(
        dataclasses.replace(
            visit, rotation=dithers[visit.visit][0],
            dither_east=dithers[visit.visit][1], dither_north=dithers[visit.visit][2],
        )
        for visit in _VISITS
        if visit.visit in dithers
    )  # fmt: skip
    # A wide band would be in every fourth cell, and the step at 4/250 not stand alone.
    artifacts = dataclasses.replace(_ARTIFACTS, wide_bands=0.0)
    return _survey(
        "HSC tests", {"camera": camera, "visits": visits, "artifacts": artifacts} | changes
    )


def _survey(field_name: str, changes: dict[str, Any]) -> SurveyPlan:
    values: dict[str, Any] = {
        "field_name": field_name,
        "seed": 302,
        "camera": _CAMERA,
        "artifacts": _ARTIFACTS,
        "sky": _SKY,
        "visits": _VISITS,
    }
    return SurveyPlan(**(_CENTRE | values | changes))
