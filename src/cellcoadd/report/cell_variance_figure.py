"""One cell closely: its variance with masked pixels blanked, beside that of its inputs."""

from __future__ import annotations

__all__ = ["BLANKED_PLANES", "draw_cell_variance"]

import astropy.units as u
import numpy as np
import numpy.typing as npt
from lsst.images import Image
from matplotlib.figure import Figure

from ..products.cell_coadd.cell import SingleCellCoadd
from .panels import draw_plane
from .style import new_figure, styled
from .units import variance_label

BLANKED_PLANES = ("CR", "SAT", "STREAK", "INTRP")
"""Mask planes whose pixels are left white."""

_SHOWN = 99.5  # per cent of the pixels have a colour of their own
_FAR = 2.0  # times that value: what is beyond takes the last colour


@styled
def draw_cell_variance(cell: SingleCellCoadd, *, warp_variance: Image | None = None) -> Figure:
    """Return the variance of a cell's outer region, with masked pixels left white.

    Parameters
    ----------
    cell
        The cell; pixels with one of `BLANKED_PLANES`, and those that are not finite, are blanked.
    warp_variance
        sum_i w_i v_i / N of its N inputs, a pure number: 1 where each pixel of each warp has the
        mean variance of its detector. Drawn beside the cell if given.

    Notes
    -----
    The technote's cell finds out where INTRP is set, and then shows these pixels.
    """
    planes = cell.outer
    blank = np.any([planes.mask.get(plane) for plane in _known(cell)], axis=0)
    variance = Image(
        np.where(blank, np.nan, planes.variance.array), bbox=planes.bbox, unit=planes.variance.unit
    )
    unit = variance_label(planes.variance.unit or u.nJy**2, mathtext=True)
    n_panels = 1 if warp_variance is None else 2
    figure = new_figure(width=6.0 * n_panels, height=4.8)
    panels = figure.subplots(1, n_panels, squeeze=False)[0]
    draw_plane(panels[0], variance, label=f"variance ({unit})", limits=_limits(variance.array))
    panels[0].set_title(f"Cell ({cell.index.x}, {cell.index.y}), {', '.join(_known(cell))} blank")
    if warp_variance is not None:
        draw_plane(panels[1], warp_variance, label="weighted variance of the warps (pure number)")
        panels[1].set_title(f"Its inputs, N = {len(cell.inputs)}: sum of w v / N")
    return figure


def _limits(variance: npt.NDArray[np.floating]) -> tuple[float, float] | None:
    """Return where colours end if the core of a star would make all else one colour."""
    known = variance[np.isfinite(variance)]
    if not known.size:
        return None
    bright = float(np.percentile(known, _SHOWN))
    return (float(known.min()), bright) if known.max() > _FAR * bright else None


def _known(cell: SingleCellCoadd) -> list[str]:
    """Return those of the planes that the cell's mask has."""
    return [plane for plane in BLANKED_PLANES if plane in cell.outer.mask.schema]
