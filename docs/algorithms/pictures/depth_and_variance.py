"""Variance and depth against inputs and weights, and what a flux's error really is."""

from __future__ import annotations

__all__ = ["draw_depth_and_variance"]

import itertools
import math

import numpy as np
import numpy.typing as npt
from astropy.table import Table, vstack
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.signal import fftconvolve

from cellcoadd.analysis.cell_table import tabulate_cells
from cellcoadd.analysis.depth import line_of_depth, line_of_variance, variance_of_weights
from cellcoadd.coaddition.assemble import VisitOnPatch, assemble_cell_coadd
from cellcoadd.coaddition.settings import CoaddSettings
from cellcoadd.report.style import new_figure

from .example import example_coadd, example_patch, example_warps
from .style import BLUE, GREEN, ORANGE, RED

type _Floats = npt.NDArray[np.float64]

_COLOURS = {1: BLUE, 2: GREEN, 3: ORANGE}


def draw_depth_and_variance() -> Figure:
    """Draw coadds of one, two and three of the visits, and fluxes of pure noise."""
    cells = _cells_of_all_choices()
    single = cells[cells["visit_count"] == 1]
    counts = np.linspace(1.0, 3.0, 50)
    figure = new_figure(width=12.0, height=3.4)
    variance, weights, depths, fluxes = figure.subplots(1, 4)

    _draw_columns(variance, cells, "variance_median")
    typical = float(np.median(single["variance_median"]))
    variance.plot(counts, line_of_variance(counts, of_one=typical), "k--", label="1/N")
    variance.set_ylabel("variance of a cell (nJy$^2$)")
    variance.set_ylim(0.0, None)
    variance.set_title("Variance and number")
    variance.legend(fontsize=8)

    for count, colour in _COLOURS.items():
        one = cells[cells["visit_count"] == count]
        weights.plot(
            1e3 * one["weight_sum"], one["variance_median"], "o", color=colour, markersize=5,
            label=f"N = {count}",
        )  # fmt: skip
    gain = float(np.median(cells["variance_median"] * cells["weight_sum"]))
    sums = np.geomspace(cells["weight_sum"].min(), cells["weight_sum"].max(), 50)
    weights.plot(
        1e3 * sums, variance_of_weights(sums, resampling=gain), "k-", linewidth=1,
        label=f"{gain:.2f} / sum of weights",
    )  # fmt: skip
    weights.set_xlabel("sum of weights (10$^{-3}$ nJy$^{-2}$)")
    weights.set_ylim(0.0, None)
    weights.set_title("Variance and weights")
    weights.legend(fontsize=8)

    _draw_columns(depths, cells, "depth")
    typical = float(np.median(single["depth"]))
    depths.plot(counts, line_of_depth(counts, of_one=typical), "k--", label="+ 1.25 log$_{10}$ N")
    depths.set_ylabel("depth (AB mag)")
    depths.set_title("Depth and number")
    depths.legend(fontsize=8, loc="lower right")

    _draw_fluxes(fluxes)
    return figure


def _cells_of_all_choices() -> Table:
    """The table of cells of the coadds of every choice of visits."""
    tables = []
    warps = [made.warp for made in example_warps()]
    for number in range(1, len(warps) + 1):
        for chosen in itertools.combinations(warps, number):
            coadd = assemble_cell_coadd(
                [VisitOnPatch(warp=warp) for warp in chosen], example_patch(),
                settings=CoaddSettings(),
            )  # fmt: skip
            assert coadd is not None, "every visit covers cells"
            tables.append(tabulate_cells(coadd))
    return vstack(tables, metadata_conflicts="silent")


def _draw_columns(axes: Axes, cells: Table, name: str) -> None:
    """A column of points for each number of visits, beside one another so that all are seen."""
    for count, colour in _COLOURS.items():
        values = cells[name][cells["visit_count"] == count]
        aside = np.linspace(-0.15, 0.15, len(values))
        axes.plot(count + aside, values, "o", color=colour, markersize=5)
    axes.set_xticks(list(_COLOURS))
    axes.set_xlabel("number of visits N")


def _draw_fluxes(axes: Axes) -> None:
    """PSF-weighted fluxes of noise realizations over the error that the variance plane gives."""
    table = tabulate_cells(example_coadd())
    ratios = []
    for row, cell in zip(table, example_coadd().cells.values(), strict=True):
        psf = cell.psf_image.array.astype(np.float64)
        error = math.sqrt(row["psf_area"] * row["variance_median"])
        for realization in cell.outer.noise_realizations:
            noise = realization.array.astype(np.float64)
            found = fftconvolve(noise, psf[::-1, ::-1], mode="valid") / (psf**2).sum()
            ratios.append(found[::4, ::4].ravel() / error)
    edges = np.linspace(-5.0, 5.0, 41)
    axes.hist(np.concatenate(ratios), edges, density=True, color="0.55", label="in realizations")
    factor = float(np.median(table["noise_factor"]))
    at = np.linspace(-5.0, 5.0, 200)
    axes.plot(at, _normal(at, 1.0), "--", color=RED, label="stated: 1")
    axes.plot(
        at,
        _normal(at, math.sqrt(factor)),
        color=BLUE,
        label=rf"$\sqrt{{F}}$ = {math.sqrt(factor):.2f}",
    )
    axes.set_xlabel("flux of noise / sqrt(A v)")
    axes.set_ylabel("density")
    axes.set_ylim(0.0, 0.53)
    axes.set_title("What the error really is")
    axes.legend(fontsize=8, loc="upper right")


def _normal(at: _Floats, sigma: float) -> _Floats:
    density: _Floats = np.exp(-0.5 * (at / sigma) ** 2) / (sigma * math.sqrt(2.0 * math.pi))
    return density
