"""Colours, and what several pictures have in common."""

from __future__ import annotations

__all__ = [
    "BLUE", "CIVIDIS", "GREEN", "GREYS", "ORANGE", "PURPLE", "RED", "SKY",
    "draw_box", "extent_of", "label_pixels",
]  # fmt: skip

from typing import Any

from lsst.images import Box
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

# Okabe and Ito's colours, which the colour-blind can tell apart.
BLUE, SKY, GREEN = "#0072B2", "#56B4E9", "#009E73"
ORANGE, RED, PURPLE = "#E69F00", "#D55E00", "#CC79A7"

# Few shades make small files.
GREYS, CIVIDIS = colormaps["gray_r"].resampled(16), colormaps["cividis"].resampled(32)


def extent_of(box: Box) -> tuple[float, float, float, float]:
    """Return the edges of a box as matplotlib wants them."""
    return (box.x.start - 0.5, box.x.stop - 0.5, box.y.start - 0.5, box.y.stop - 0.5)


def draw_box(axes: Axes, box: Box, **style: Any) -> None:
    """Draw the outline of a box, or fill it."""
    low = (box.x.start - 0.5, box.y.start - 0.5)
    axes.add_patch(Rectangle(low, box.x.size, box.y.size, **style))


def label_pixels(axes: Axes, of: str = "tract", *, inner: bool = True) -> None:
    """Label the axes; on a tract numbers are long, and few of them are enough.

    Parameters
    ----------
    axes
        What to label.
    of
        Whose pixels they are.
    inner
        Whether to label axes inside of a row of panels as well.
    """
    axes.set_xlabel(f"x ({of} px)")
    axes.set_ylabel(f"y ({of} px)")
    axes.ticklabel_format(useOffset=False, style="plain")
    axes.locator_params(nbins=4)
    if not inner:
        axes.label_outer()
