"""Point-spread functions on their way from the detectors to a cell."""

from __future__ import annotations

__all__ = ["draw_psf"]

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from cellcoadd.cell_grid import Index2D
from cellcoadd.conventions import FWHM_PER_SIGMA, round_half_up
from cellcoadd.kernels.moments import adaptive_moments
from cellcoadd.products.cell_coadd.inputs import RefusalReason
from cellcoadd.psfs.stamp_shift import shift_stamp, translate_stamp
from cellcoadd.report.style import new_figure

from .example import example_coadd, example_patch, example_warps
from .style import BLUE, CIVIDIS, ORANGE

type _Floats = npt.NDArray[np.float64]

_CELL = Index2D(x=5, y=8)  # of all three visits
_FAINTEST = 1e-4  # of the peak
_HALF = 12  # of the stamps that are shown


def draw_psf() -> Figure:
    """Draw the functions of three detectors, resampled, averaged; and the cost of moving one."""
    coadd, patch = example_coadd(), example_patch()
    cell, centre = coadd.cells[_CELL], coadd.grid.centre_of(_CELL)
    sky = patch.sky_projection.pixel_to_sky(x=float(centre.x), y=float(centre.y))
    rows = cell.contributions
    weights = rows["weight"][rows["reason"] == RefusalReason.ACCEPTED]
    figure = new_figure(width=10.5, height=5.4)
    panels = figure.subplots(2, 4)
    for column, (made, weight) in enumerate(zip(example_warps(), weights, strict=True)):
        warp = made.warp
        start = warp.bbox.start
        entry = warp.inputs[int(warp.owner[centre.y - start.y, centre.x - start.x])]
        at = entry.sky_projection.sky_to_pixel(sky)
        x, y = float(at.x), float(at.y)
        star = entry.psf.compute_stellar_image(x=x, y=y)
        middle = round_half_up(y) - star.bbox.y.start, round_half_up(x) - star.bbox.x.start
        title = f"Visit {warp.visit}: detector px"
        _show_stamp(panels[0, column], star.array, title, middle=middle)
        title = f"tract px, weight {weight / weights.sum():.2f}"
        _show_stamp(panels[1, column], warp.psf[_CELL].array, title)
    shown = _show_stamp(panels[1, 3], cell.psf_image.array, "The cell: weighted mean")
    figure.colorbar(shown, ax=panels[1, 3]).set_label("P / peak")
    _draw_moves(panels[0, 3])
    return figure


def _show_stamp(
    axes: Axes, stamp: _Floats, title: str, *, middle: tuple[int, int] | None = None
) -> AxesImage:
    row, column = middle or (stamp.shape[0] // 2, stamp.shape[1] // 2)
    cut = stamp[row - _HALF : row + _HALF + 1, column - _HALF : column + _HALF + 1]
    edges = (-_HALF - 0.5, _HALF + 0.5)
    shown = axes.imshow(
        np.maximum(cut / cut.max(), _FAINTEST), origin="lower", cmap=CIVIDIS,
        norm=LogNorm(_FAINTEST, 1.0), extent=(*edges, *edges),
    )  # fmt: skip
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("x (px)")
    axes.set_ylabel("y (px)")
    axes.label_outer()
    return shown


def _draw_moves(axes: Axes) -> None:
    """What two ways to move a stamp do to its width."""
    sizes = np.linspace(0.85, 2.5, 23)
    for move, colour, name in (
        (shift_stamp, ORANGE, "Lanczos-5"),
        (translate_stamp, BLUE, "sinc (cells' PSFs)"),
    ):
        change = [_change_of_sigma(move, sigma) for sigma in sizes]
        axes.semilogy(FWHM_PER_SIGMA * sizes, np.maximum(change, 1e-7), color=colour, label=name)
    axes.set_title("Moved by half a pixel", fontsize=10)
    axes.set_xlabel("FWHM of a Gaussian (px)")
    axes.set_ylabel("change of sigma (px)")
    axes.set_ylim(5e-8, 1.0)
    axes.legend(fontsize=8, loc="upper right")


def _change_of_sigma(move: Callable[..., _Floats], sigma: float) -> float:
    """Half of what a Gaussian's adaptive sigma changes when it is moved away and back."""
    line = np.exp(-0.5 * (np.arange(-20.0, 21.0) / sigma) ** 2)
    stamp = np.outer(line, line) / line.sum() ** 2
    moved = move(move(stamp, dx=0.5, dy=0.5), dx=-0.5, dy=-0.5)
    before, after = (adaptive_moments(pixels)[0] for pixels in (stamp, moved))
    return 0.5 * abs(float(np.sqrt(after) - np.sqrt(before)))
