"""A satellite and an asteroid in one of ten visits, their difference, and what is clipped."""

from __future__ import annotations

__all__ = ["draw_artifacts"]

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from cellcoadd.comparison.find import find_artifacts
from cellcoadd.comparison.settings import ComparisonSettings
from cellcoadd.comparison.tiles import TileGrid
from cellcoadd.comparison.visit_planes import matched_planes
from cellcoadd.kernels.static_sky import clipped_sky
from cellcoadd.products.warp import Warp
from cellcoadd.report.style import new_figure
from cellcoadd.testing.static_fields import StaticField

from .style import GREYS

_FIELD = StaticField(seed=7).stars_at_random(40, brightest=3e3)
_SEEINGS = (4.0, 2.5, 2.9, 3.2, 3.6, 3.9, 4.4, 4.8, 5.2, 5.5)
_SHOWN = (slice(30, 190), slice(30, 190))


def draw_artifacts() -> Figure:
    """Draw the visit, its difference from the static sky, and the pixels that are left out."""
    warps = _visits()
    settings = ComparisonSettings()
    found = find_artifacts(lambda _: warps, _FIELD.patch, n_visits=10, settings=settings)
    clipped = found.mask_of("Cam", 1).get("CLIPPED")
    figure = new_figure(width=10.5, height=3.7)
    axes = figure.subplots(1, 3)
    for panel, plane, title, low, high in (
        (axes[0], warps[0].image.array, "One visit (sigma)", 1.5, 7.5),
        (axes[1], _difference(warps), "Less the static sky (sigma)", 2.0, 18.0),
        (axes[2], clipped, "Clipped", 0.0, 1.0),
    ):
        shown = panel.imshow(plane[_SHOWN], origin="lower", cmap=GREYS, vmin=low, vmax=high)
        panel.set_title(title)
        panel.set_xlabel("x (px)")
        if panel is not axes[2]:
            figure.colorbar(shown, ax=panel, shrink=0.85)
    axes[0].set_ylabel("y (px)")
    return figure


def _visits() -> list[Warp]:
    y, x = np.indices(_FIELD.shape)
    off = (0.4 * (x - 100.0) - 0.9 * (y - 110.0)) / np.hypot(0.4, 0.9)
    more = 4.0 * np.exp(-0.5 * (2.3548 * off / _SEEINGS[0]) ** 2)
    more += _FIELD.draw([(70.0, 150.0, 150.0)], _SEEINGS[0])
    return [
        _FIELD.visit(n, fwhm, more=more if n == 1 else 0.0) for n, fwhm in enumerate(_SEEINGS, 1)
    ]


def _difference(warps: list[Warp]) -> npt.NDArray[np.float32]:
    """Of the first visit, in units of its noise."""
    tiles = TileGrid(grid=_FIELD.patch.grid)
    planes = [
        matched_planes(
            warp, tiles, list(tiles.grid), bbox=tiles.bbox, fwhm=7.7, doubtful=["NO_DATA"]
        )
        for warp in warps
    ]
    images = np.stack([one.image for one in planes])
    variances = np.stack([one.variance for one in planes])
    sky, variance = np.empty(_FIELD.shape, np.float32), np.empty(_FIELD.shape, np.float32)
    counts = np.empty(_FIELD.shape, np.uint16)
    clipped_sky(images, variances, np.ones(len(warps)), 2.5, 3, sky, variance, counts)
    difference: npt.NDArray[np.float32] = (images[0] - sky) / np.sqrt(variances[0] + variance)
    return difference
