"""One cell: its image, what was left out of it, its error."""

from __future__ import annotations

__all__ = ["draw_stacking"]

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
from lsst.images import Box
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from cellcoadd.cell_grid import Index2D
from cellcoadd.masks.planes import ALL_PLANES
from cellcoadd.report.style import new_figure

from .example import example_coadd
from .style import CIVIDIS, GREYS, ORANGE, RED, SKY, draw_box, extent_of, label_pixels

_CELL = Index2D(x=6, y=8)  # of two visits, with saturated stars and bad columns of both


def draw_stacking() -> Figure:
    """Draw one cell of two visits: image, mask planes, error, masked fraction."""
    cell = example_coadd().cells[_CELL]
    outer = cell.outer
    variance = outer.variance.array
    error = np.sqrt(np.where(np.isfinite(variance), variance, np.nan))
    noise = float(np.nanmedian(error))
    flags = [outer.mask.get(plane) for plane in ("NO_DATA", "SAT", "INEXACT_PSF")]
    causes = np.select(flags, [3, 2, 1], 0)

    figure = new_figure(width=11.0, height=3.9)
    panels = figure.subplots(1, 4, sharex=True, sharey=True)
    draw = functools.partial(_draw_plane, figure, box=outer.bbox, inner=cell.inner.bbox)
    scaled = np.arcsinh(outer.image.array / noise)
    draw(panels[0], scaled, "Image", "asinh(image / noise)", cmap=GREYS, vmin=-2.0, vmax=5.0)
    bar = draw(
        panels[1], causes, "Inputs left out", "mask planes",
        cmap=ListedColormap(["white", SKY, ORANGE, "black"]), vmin=-0.5, vmax=3.5,
    )  # fmt: skip
    bar.set_ticks([0, 1, 2, 3], labels=["none", "INEXACT\n_PSF", "and\nSAT", "and NO\n_DATA"])
    bar.ax.tick_params(labelsize=8, length=0)
    draw(
        panels[2], error, "Error (white: infinite)", "sqrt(variance) (nJy)",
        cmap=CIVIDIS, vmin=0.9 * noise, vmax=1.7 * noise,
    )  # fmt: skip
    fraction = outer.mask_fractions[ALL_PLANES].array
    purples = colormaps["Purples"].resampled(16)
    draw(panels[3], fraction, "Masked fraction", "fraction", cmap=purples, vmin=0.0, vmax=1.0)
    return figure


def _draw_plane(
    figure: Figure,
    axes: Axes,
    pixels: npt.NDArray[Any],
    title: str,
    label: str,
    *,
    box: Box,
    inner: Box,
    **style: Any,
) -> Colorbar:
    shown = axes.imshow(
        pixels, extent=extent_of(box), origin="lower", interpolation="nearest", **style
    )
    axes.set_title(title)
    draw_box(axes, inner, fill=False, edgecolor=RED, linestyle="--")
    label_pixels(axes, inner=False)
    axes.set_xticks([inner.x.start, inner.x.stop])
    bar = figure.colorbar(shown, ax=axes, location="bottom")
    bar.set_label(label)
    return bar
