"""Bad pixels before and after interpolation, and how far from the truth."""

from __future__ import annotations

__all__ = ["draw_interpolation"]

import dataclasses

import numpy as np
from astropy.table import Table
from lsst.images import Box
from matplotlib import colormaps
from matplotlib.figure import Figure

from cellcoadd.masks.planes import bits_of
from cellcoadd.report.style import new_figure
from cellcoadd.simulate import (
    ArtifactSettings,
    Camera,
    SurveyPlan,
    VisitPlan,
    simulate_visit_detector,
)
from cellcoadd.simulate.artifacts import bad_columns
from cellcoadd.simulate.sky import TRUTH_COLUMNS
from cellcoadd.surveys.rubin import calibrated_image_from_visit_image
from cellcoadd.warping.prepare import prepare_image
from cellcoadd.warping.settings import WarpSettings

from .style import GREYS, extent_of, label_pixels

_ROW = 70  # of the star under the bad columns
_HALF = 30  # of what is shown
_REACH = 4.0  # standard deviations


def draw_interpolation() -> Figure:
    """Draw a star under bad columns, and cosmic rays: before, after, and less the truth."""
    plan, column = _plan()
    image = calibrated_image_from_visit_image(simulate_visit_detector(plan, visit=1, detector=0))
    prepared = prepare_image(image, settings=WarpSettings(do_pre_warp_interpolation=True))
    perfect = dataclasses.replace(plan, noise=False, artifacts=None)
    truth = simulate_visit_detector(perfect, visit=1, detector=0).image.array
    replaced = (prepared.mask & bits_of(image.masked_image.mask.schema, ["INTRP"])) != 0
    sigma = np.sqrt(prepared.variances[0])
    error = np.where(replaced, (prepared.values[0] - truth) / sigma, np.nan)

    window = (slice(_ROW - _HALF, _ROW + _HALF), slice(column - _HALF, column + _HALF))
    extent = extent_of(Box.factory[window])
    figure = new_figure(width=10.5, height=3.4)
    panels = figure.subplots(1, 3, sharex=True, sharey=True)
    for axes, pixels, title in (
        (panels[0], image.masked_image.image.array, "Detector"),
        (panels[1], prepared.values[0], "After interpolation"),
    ):
        scaled = np.arcsinh(pixels[window] / plan.visits[0].sky_sigma)
        shown = axes.imshow(scaled, extent=extent, origin="lower", cmap=GREYS, vmin=-2.0, vmax=5.5)
        axes.set_title(title)
    figure.colorbar(shown, ax=panels[1]).set_label("asinh(image / sky noise)")
    colours = colormaps["PuOr"].resampled(32)
    shown = panels[2].imshow(
        error[window], extent=extent, origin="lower", vmin=-_REACH, vmax=_REACH, cmap=colours
    )
    figure.colorbar(shown, ax=panels[2], extend="both").set_label("error / noise of the pixel")
    panels[2].set_title("Replaced pixels less the truth")
    for axes in panels:
        label_pixels(axes, "detector", inner=False)
    return figure


def _plan() -> tuple[SurveyPlan, int]:
    """An exposure of three stars, the first under the bad columns, and where these are."""
    artifacts = ArtifactSettings(cosmic_rays_per_megapixel=1500.0, cosmic_ray_length=6.0)
    camera = Camera(columns=1, rows=1, width=140, height=140)
    plan = SurveyPlan(
        visits=(VisitPlan(visit=1, seeing=0.7),), camera=camera, seed=16, artifacts=artifacts
    )
    bad, _ = bad_columns(artifacts, width=camera.width, seed=plan.seed, detector=0)
    column = float(np.flatnonzero(bad).mean())
    x, y = [column, column - 19.0, column + 17.0], [_ROW, _ROW - 12.0, _ROW + 16.0]
    ra, dec = plan.pointing(1, 0).to_sky(x=x, y=y)
    sources = Table(
        {
            "id": [1, 2, 3], "type": ["star"] * 3, "ra": ra, "dec": dec,
            "flux_njy": [30000.0, 12000.0, 8000.0],
            **dict.fromkeys(("sersic_index", "half_light_radius", "g1", "g2"), np.zeros(3)),
        }
    )  # fmt: skip
    return dataclasses.replace(plan, sources=sources[list(TRUTH_COLUMNS)]), round(column)
