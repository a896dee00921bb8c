"""Covariance of resampled noise, and the factor that follows from it."""

from __future__ import annotations

__all__ = ["draw_noise"]

import numpy as np
import numpy.typing as npt
from lsst.images import Box, Image
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cellcoadd.analysis.noise_factor import measured_noise_factor, noise_factor
from cellcoadd.cell_grid import Index2D
from cellcoadd.conventions import FWHM_PER_SIGMA
from cellcoadd.kernels.moments import adaptive_moments
from cellcoadd.kernels.noise_covariance import resampled_noise_covariance
from cellcoadd.kernels.warping_kernel import warping_kernel
from cellcoadd.report.style import new_figure
from cellcoadd.warping.direct import DirectWarp

from .example import example_coadd, example_warps
from .style import BLUE, GREEN, ORANGE, RED, SKY, extent_of

type _Floats = npt.NDArray[np.float64]

_CELL = Index2D(x=5, y=8)  # of all three visits
_LAGS = np.arange(8)
_CELL_SIZE = 150
_KERNEL = warping_kernel()
_REACH = 2 * _KERNEL.half_width


def draw_noise() -> Figure:
    """Draw the covariance, predicted and realized, of a visit and a coadd; and the factor."""
    figure = new_figure(width=10.5, height=3.6)
    lags, plane, factor = figure.subplots(1, 3)
    shifted, _, turned = example_warps()
    for made, colour, marker, name in (
        (shifted, BLUE, "o", "visit not turned"),
        (turned, ORANGE, "s", "visit turned by 10 deg"),
    ):
        lags.plot(_LAGS, _predicted(made), color=colour, label=name)
        lags.plot(_LAGS, _realized(made), marker, color=colour)
    lags.plot([], [], "o", color="0.4", label="in realizations")
    lags.axhline(0.0, color="0.7", linewidth=0.8)
    lags.set_xlabel("offset in x (tract px)")
    lags.set_ylabel("covariance / variance")
    lags.set_title("Two pixels of one visit")
    lags.legend(fontsize=8)

    covariance = example_coadd().cells[_CELL].noise_covariance
    around = Box.factory[-_REACH : _REACH + 1, -_REACH : _REACH + 1]
    shown = plane.imshow(
        covariance[around].array / covariance.array.max(), extent=extent_of(around),
        origin="lower", cmap="PuOr", vmin=-0.25, vmax=0.25,
    )  # fmt: skip
    figure.colorbar(shown, ax=plane, extend="max", shrink=0.9).set_label("covariance / variance")
    plane.set_xticks(range(-6, 7, 3))
    plane.set_yticks(range(-6, 7, 3))
    plane.set_title("Two pixels of the coadd")
    plane.set_xlabel("offset in x (tract px)")
    plane.set_ylabel("offset in y (tract px)")

    _draw_factor(factor)
    return figure


def _predicted(made: DirectWarp) -> _Floats:
    """Covariance by offset in x from the kernel, over the variance."""
    rows = made.warp.cell_inputs
    here = (rows["cell_x"] == _CELL.x) & (rows["cell_y"] == _CELL.y) & (rows["stamp"] >= 0)
    covariance = made.warp.noise_covariances[rows["stamp"][here].item()]
    middle = covariance.shape[0] // 2
    line = np.zeros(_LAGS.size)
    kept = covariance[middle, middle : middle + _LAGS.size]
    line[: kept.size] = kept
    relative: _Floats = line / line[0]
    return relative


def _realized(made: DirectWarp) -> _Floats:
    """The same of the noise realizations in the inner region, without interpolated pixels."""
    box = example_coadd().grid.inner_bbox_of(_CELL)
    good = ~made.warp[box].mask.get("INTRP")
    line = np.zeros(_LAGS.size)
    for realization in made.noise:
        noise = np.where(good, realization[box].image.array, 0.0).astype(np.float64)
        for lag in _LAGS:
            left, right = slice(0, _CELL_SIZE - lag), slice(lag, _CELL_SIZE)
            pairs = np.count_nonzero(good[:, left] & good[:, right])
            line[lag] += (noise[:, left] * noise[:, right]).sum() / pairs
    relative: _Floats = line / line[0]
    return relative


def _draw_factor(axes: Axes) -> None:
    """The factor by seeing, for sizes and phases of pixels, and that of the coadd's cells."""
    sizes = np.linspace(2.0, 8.0, 25)
    for ratio, colour in ((1.6, RED), (1.25, ORANGE), (1.0, BLUE), (0.8, SKY)):
        covariance = _covariance(ratio=ratio, angle=10.0)
        values = [noise_factor(_gaussian(size), covariance) for size in sizes]
        axes.plot(sizes, values, color=colour, label=f"detector px / tract px = {ratio:g}")
    covariance = _covariance(ratio=1.0, angle=0.0, phase=0.5)
    values = [noise_factor(_gaussian(size), covariance) for size in sizes]
    axes.plot(sizes, values, "--", color=GREEN, label="1, shifted by (0.5, 0.5) px")
    cells = example_coadd().cells.values()
    widths = [FWHM_PER_SIGMA * np.sqrt(adaptive_moments(c.psf_image.array)[0]) for c in cells]
    predicted = [noise_factor(cell.psf_image, cell.noise_covariance) for cell in cells]
    measured = [measured_noise_factor(cell) for cell in cells]
    axes.plot(np.mean(widths), np.mean(predicted), "kD", fillstyle="none", label="coadd: predicted")
    axes.errorbar(
        np.mean(widths), np.mean(measured), np.std(measured) / np.sqrt(len(measured)),
        color="black", marker="+", markersize=9, linestyle="", label="coadd: in realizations",
    )  # fmt: skip
    axes.set_xlabel("FWHM of the PSF (tract px)")
    axes.set_ylabel("factor F")
    axes.set_ylim(0.0, 6.0)
    axes.set_title("Correlated-noise factor")
    axes.legend(fontsize=7, loc="upper right")


def _covariance(*, ratio: float, angle: float, phase: float = 0.0) -> Image:
    """Covariance in a cell for a size of pixels, a rotation in degrees and a shift in pixels."""
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    jacobian = np.array([[[cosine, -sine], [sine, cosine]]]) / ratio
    radius = int(2 * _REACH * ratio)
    # The middle of an even number of pixels lies between two of them.
    middle = np.array([0.5 + phase])
    covariance = resampled_noise_covariance(
        middle, middle, jacobian, height=_CELL_SIZE, width=_CELL_SIZE, kernel=_KERNEL, radius=radius
    )
    return Image(covariance[0], bbox=Box.factory[-radius : radius + 1, -radius : radius + 1])


def _gaussian(fwhm: float) -> Image:
    line = np.exp(-0.5 * (np.arange(-25.0, 26.0) * FWHM_PER_SIGMA / fwhm) ** 2)
    return Image(np.outer(line, line) / line.sum() ** 2, bbox=Box.factory[-25:26, -25:26])
