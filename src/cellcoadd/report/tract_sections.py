"""The sections of a report on a tract: which figure needs what, what it shows, and what is missing.

Each function makes one section of `TractData`. A figure whose table, column, map or coadd is not
there becomes a sentence that names it.
"""

from __future__ import annotations

__all__ = ["draw_sections"]

import dataclasses

from ..products.cell_coadd import MultipleCellCoadd
from .cell_variance_figure import BLANKED_PLANES, draw_cell_variance
from .coadd_figures import draw_coadd_and_inputs
from .depth_figures import draw_depth_against_inputs, draw_depth_map
from .drawings import Drawing, capital, make_section, sky_drawing
from .input_figures import draw_input_histogram, draw_input_map
from .mask_fraction_figures import draw_mask_fractions
from .page_parts import PageSection
from .threshold_figures import draw_threshold_function, draw_threshold_patches
from .tract_data import TractData
from .units import variance_label, variance_unit
from .variance_figures import draw_variance_against_inputs, draw_variance_map
from .visit_figures import draw_visit_maps

_COLUMNS = (
    "Each grey point is a cell, at a random place in its column; cells that patches share count "
    "once."
)


def draw_sections(data: TractData) -> list[PageSection]:
    """Return the sections with figures, in the order of the page."""
    return [
        make_section("coadd", "The coadd", _coadd_drawings(data)),
        make_section("inputs", "Inputs of the cells", _input_drawings(data)),
        make_section("variance", "Variance", _variance_drawings(data)),
        make_section("depth", "Depth", _depth_drawings(data)),
        make_section("psf", "Point-spread function", _psf_drawings(data)),
        make_section("masks", "Masked pixels", _mask_drawings(data)),
        make_section("visits", "Conditions of the visits", _visit_drawings(data)),
    ]


def _coadd_drawings(data: TractData) -> list[Drawing]:
    where = data.example_title
    blank = ", ".join(BLANKED_PLANES)
    return [
        Drawing(
            name="coadd",
            alt=f"Image of {where} beside the number of visits in each of its cells.",
            caption="Left, the inner regions of all cells put together, in units of the noise and "
            "with bright ends softened; red lines are the edges of cells. Right, how many visits "
            "each cell adds up.",
            draw=lambda: draw_coadd_and_inputs(_given(data.example)),
            missing=data.lacks_example(),
        ),
        Drawing(
            name="cell-variance",
            alt=f"Variance of the cell with the most inputs of {where}, masked pixels blank.",
            caption="The variance plane over the outer region of the cell with the most inputs. "
            f"Pixels with {blank} are left white. Where an input was left out of a pixel, the "
            "variance is larger; around bright sources too, by their own noise. "
            + (
                "Right, the sum of the variances of its inputs, each times its weight, over their "
                "number: 1 for the mean variance of the detectors; resampling lowers it, sources "
                "raise it."
                if data.example_warp_variance is not None
                else ""
            ),
            draw=lambda: draw_cell_variance(
                max(_given(data.example).cells.values(), key=lambda cell: len(cell.inputs)),
                warp_variance=data.example_warp_variance,
            ),
            missing=data.lacks_example(),
        ),
    ]


def _input_drawings(data: TractData) -> list[Drawing]:
    return [
        Drawing(
            name="input-histogram",
            alt=f"Histogram of the number of visits in the cells of {data.title}.",
            caption="How many filled cells add up how many visits. Cells that patches share count "
            "once.",
            draw=lambda: draw_input_histogram(data.cells_once, title=capital(data.title)),
            missing=data.lacks_columns("visit_count"),
        ),
        Drawing(
            name="input-map",
            alt=f"Number of visits in each cell of {data.example_title}.",
            caption="Each square is the inner region of a cell; cells without input are white. A "
            "cell takes an input only if it covers all of the cell, so that gaps between detectors "
            "show as lines of cells with fewer inputs.",
            draw=lambda: draw_input_map(
                data.example_cells, data.grid_shape, title=capital(data.example_title)
            ),
            missing=data.lacks_patch("visit_count"),
        ),
        sky_drawing(data, "inputs", "number of visits", "Number of visits that the cells add up"),
    ]


def _variance_drawings(data: TractData) -> list[Drawing]:
    return [
        Drawing(
            name="variance-map",
            alt=f"Mean and median variance of each cell of {data.example_title}.",
            caption="Mean and median over the finite pixels of the variance plane in the inner "
            "region, on one scale: bright sources raise the mean.",
            draw=lambda: draw_variance_map(
                data.example_cells, data.grid_shape, title=capital(data.example_title)
            ),
            missing=data.lacks_patch("variance_mean", "variance_median"),
        ),
        Drawing(
            name="variance-inputs",
            alt=f"Mean variance of the cells of {data.title} against their number of visits.",
            caption=f"{_COLUMNS} The red line is the variance that equal inputs would give, the "
            "median of the cells with the fewest visits as 1/N. It fails where nights differ: "
            "cells with few visits then fall into separate groups, and their median describes "
            "none of them.",
            draw=lambda: draw_variance_against_inputs({data.tract: data.cells_once}),
            missing=data.lacks_columns("visit_count", "variance_mean"),
        ),
        sky_drawing(
            data,
            "variance",
            f"median variance ({variance_label(variance_unit(data.cells), mathtext=True)})",
            "Variance of the cells",
        ),
    ]


def _depth_drawings(data: TractData) -> list[Drawing]:
    formula = (
        "Depth is the magnitude of a star with five times the noise of its PSF flux: "
        "31.4 - 2.5 log10(5 sqrt(A v)), with the effective area A = (sum P)^2 / sum P^2 of the PSF "
        "and the median variance v of the inner region in nJy^2."
    )
    on_sky = sky_drawing(data, "depth", "depth, 5 sigma PSF (AB mag)", "Depth of the cells")
    return [
        Drawing(
            name="depth-map",
            alt=f"Depth of each cell of {data.example_title}.",
            caption=formula,
            draw=lambda: draw_depth_map(
                data.example_cells, data.grid_shape, title=capital(data.example_title)
            ),
            missing=data.lacks_zero_point() or data.lacks_patch("depth"),
        ),
        Drawing(
            name="depth-inputs",
            alt=f"Depth of the cells of {data.title} against their number of visits.",
            caption=f"{_COLUMNS} The red line is the depth that equal inputs would give: 1.25 "
            "log10 N more than the median of the cells with the fewest visits.",
            draw=lambda: draw_depth_against_inputs({data.tract: data.cells_once}),
            missing=data.lacks_zero_point() or data.lacks_columns("visit_count", "depth"),
        ),
        dataclasses.replace(on_sky, missing=data.lacks_zero_point() or on_sky.missing),
    ]


def _psf_drawings(data: TractData) -> list[Drawing]:
    return [
        sky_drawing(
            data, "psf_fwhm", "FWHM (arcsec)", "Full width at half maximum of the cells' PSFs"
        ),
        sky_drawing(
            data, "psf_ellipticity", "ellipticity (pure number)", "Ellipticity of the cells' PSFs"
        ),
        sky_drawing(
            data,
            "psf_fidelity",
            "fidelity (mean square over square)",
            "What a star's place between the pixels changes in its image",
        ),
        sky_drawing(
            data,
            "psf_size_spread",
            "spread over mean (pure number)",
            "Scatter of the sizes of the inputs' PSFs",
        ),
        sky_drawing(
            data,
            "psf_size_change",
            "change over width (pure number)",
            "Largest change of the PSF's width over a cell",
        ),
    ]


def _mask_drawings(data: TractData) -> list[Drawing]:
    width = data.outer_width
    five = ("visit_count", "masked_fraction", "input_fraction_0.1", "input_fraction_0.05")
    no_thresholds = (
        ""
        if data.thresholds
        else f"There is no {data.coadd_name}_inputTable with masked fractions of the inputs."
    )
    return [
        Drawing(
            name="mask-fractions",
            alt=f"Image, inputs, masked fraction and remaining inputs of {data.example_title}.",
            caption="The masked fraction of an input is the mean over a cell's outer region of the "
            "resampled fraction of bad pixels; that of the coadd is the mean over the inputs with "
            "their weights. The two last panels show which part of a cell's inputs is masked by "
            "less than 10 % and less than 5 %.",
            draw=lambda: draw_mask_fractions(_given(data.example), data.example_cells),
            missing=data.lacks_example_rows(*five),
        ),
        Drawing(
            name="thresholds",
            alt=f"Fraction of the inputs of {data.title} that remain, against the threshold.",
            caption="If a cell took only inputs whose masked fraction is below the threshold, this "
            "part of its inputs would remain, as a mean over the cells, each once; for all planes "
            "together and for each alone. The red line is the masked fraction of an input that a "
            f"band of four bad columns crosses: 4/{width} = {4 / width:.3f}. Where detectors have "
            "such bands and lie along the cells, the curves step up there.",
            draw=lambda: draw_threshold_function(
                data.thresholds, title=capital(data.title), cell_width=width
            ),
            missing=no_thresholds,
        ),
        Drawing(
            name="patch-thresholds",
            alt=f"Fraction of the inputs that remain in each patch of {data.title}.",
            caption="The same for each patch on its own, all planes together. Patches with few "
            "filled cells have few inputs, and coarse curves.",
            draw=lambda: draw_threshold_patches(
                {
                    patch: curve
                    for patch, curve in data.patch_thresholds.items()
                    if patch in data.filled_fractions
                },
                data.filled_fractions,
                title=capital(data.title),
                cell_width=width,
            ),
            missing=no_thresholds or data.lacks_columns(),
        ),
        sky_drawing(
            data,
            "masked_fraction",
            "masked fraction (pure number)",
            "Weighted mean masked fraction of the cells' inputs",
        ),
        *(
            sky_drawing(
                data,
                f"input_fraction_{percent:03d}",
                f"fraction of inputs, < {percent} % masked",
                f"Part of the cells' inputs that is masked by less than {percent} %",
                limits=(0.0, 1.0),
            )
            for percent in (10, 5)
        ),
    ]


def _visit_drawings(data: TractData) -> list[Drawing]:
    maps = {name: data.maps[name] for name in data.visit_maps if name in data.maps}
    missing = [f"{data.coadd_name}_{name}" for name in data.visit_maps if name not in maps]
    legend = "; ".join(f"{name}: {made.metadata['MEANING']}" for name, made in maps.items())
    lacking = f"There is no {', '.join(missing)}." if missing else ""
    return [
        Drawing(
            name="visits",
            alt=f"Maps of the sky: conditions of the visits of {data.title}.",
            caption="Under what the visits were taken that the cells add up; means have the "
            "weights of the cells. North is up, east to the left. z is the distance from the "
            f"zenith, q the parallactic angle. {legend}. {lacking}",
            draw=lambda: draw_visit_maps(maps, title=capital(data.title)),
            missing="" if maps else lacking or "There is no map of visits.",
        )
    ]


def _given(coadd: MultipleCellCoadd | None) -> MultipleCellCoadd:
    assert coadd is not None, "asked before the figure is drawn"
    return coadd
