"""Panels of pixels and of cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lsst.images import Box, Image
from matplotlib.axes import Axes

from cellcoadd.cell_grid import Index2D
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.report.panels import (
    draw_cells,
    draw_flux,
    draw_plane,
    extent_of,
    label_pixels,
    outline_cells,
    values_on_grid,
)
from cellcoadd.report.style import new_figure
from cellcoadd.testing.images import make_coadd, make_warp, small_patch

BOX = Box.factory[160:164, 200:206]


@pytest.fixture
def axes() -> Axes:
    return new_figure(width=4.0, height=3.0).subplots()


@pytest.fixture(scope="module")
def coadd() -> MultipleCellCoadd:
    """Four cells: the corners of a square in the patch."""
    whole = make_coadd(make_warp(small_patch()))
    return whole.subset([Index2D(x=x, y=y) for y in (1, 3) for x in (0, 2)])


def drawn(axes: Axes) -> Any:
    (image,) = axes.get_images()
    return image


def bar_label(axes: Axes) -> str:
    figure = axes.get_figure()
    assert figure is not None
    (bar,) = [other for other in figure.axes if other is not axes]
    return str(bar.get_ylabel())


def test_a_plane_is_drawn_as_it_is_at_the_pixels_of_the_tract(axes: Axes) -> None:
    """Lowest row below; pixels without a value stay white; the bar says what colours mean."""
    values = np.arange(24.0).reshape(4, 6)
    values[1, 2], values[3, 0] = np.inf, np.nan
    draw_plane(axes, Image(values, bbox=BOX), label="variance (nJy$^2$)")
    assert drawn(axes).origin == "lower"
    assert drawn(axes).get_extent() == list(extent_of(BOX)) == [199.5, 205.5, 159.5, 163.5]
    shown = drawn(axes).get_array()
    np.testing.assert_array_equal(shown.mask, ~np.isfinite(values))
    np.testing.assert_array_equal(shown.compressed(), values[np.isfinite(values)])
    assert drawn(axes).get_clim() == (0.0, 23.0)
    assert bar_label(axes) == "variance (nJy$^2$)"


def test_limits_of_the_colours_can_be_given(axes: Axes) -> None:
    """Two panels are compared by eye only if they have the same colours."""
    draw_plane(axes, Image(np.zeros((4, 6)), bbox=BOX), label="", limits=(-3.0, 3.0))
    assert drawn(axes).get_clim() == (-3.0, 3.0)


def test_flux_is_drawn_in_units_of_its_noise(axes: Axes) -> None:
    """Bright ends are softened, pixels without data stay NaN."""
    pixels = np.random.default_rng(1).normal(100.0, 7.0, (60, 60))
    pixels[0, 0], pixels[1, 1] = 1e9, np.nan
    draw_flux(axes, Image(pixels))
    shown = np.asarray(drawn(axes).get_array())
    # The median of 3600 values is known to 2 per cent of sigma, a percentile to 3.
    assert abs(np.nanmedian(shown)) < 0.08
    assert np.nanpercentile(shown, 84.13) == pytest.approx(np.arcsinh(1.0), abs=0.1)
    assert shown[0, 0] == np.arcsinh(225.0)
    assert np.isnan(shown[1, 1])


def test_each_cell_is_drawn_in_its_place(axes: Axes, coadd: MultipleCellCoadd) -> None:
    """The hull of the filled cells is shown; the cells between them are empty."""
    draw_cells(axes, coadd, [1.0, 2.0, 3.0, np.nan], label="number")
    shown = drawn(axes).get_array()
    assert np.ma.filled(shown, -1.0).tolist() == [[1, -1, 2], [-1, -1, -1], [3, -1, -1]]
    assert drawn(axes).get_extent() == list(extent_of(coadd.bbox))
    assert bar_label(axes) == "number"


def test_a_bar_of_whole_numbers_has_no_fractions(axes: Axes, coadd: MultipleCellCoadd) -> None:
    """No cell has two and a half visits."""
    draw_cells(axes, coadd, [1, 2, 3, 2], label="visits")
    figure = axes.get_figure()
    assert figure is not None
    (bar,) = [other for other in figure.axes if other is not axes]
    ticks = [tick for tick in bar.get_yticks() if 1 <= tick <= 3]
    assert ticks == [1, 2, 3]


def test_values_are_put_on_the_grid_row_by_row(coadd: MultipleCellCoadd) -> None:
    """[y, x] like every array; a masked value is none."""
    on_grid = values_on_grid(coadd, np.ma.masked_equal([7.0, 8.0, 9.0, -1.0], -1.0))
    assert on_grid.shape == (5, 5)
    assert (on_grid[1, 0], on_grid[1, 2], on_grid[3, 0]) == (7.0, 8.0, 9.0)
    assert np.isfinite(on_grid).sum() == 3


def test_a_value_too_few_is_refused(coadd: MultipleCellCoadd) -> None:
    """It would be drawn in a wrong cell."""
    with pytest.raises(ValueError, match=r"each of the 4 filled cells .* shape \(3,\)"):
        values_on_grid(coadd, [1.0, 2.0, 3.0])


def test_outlines_are_the_edges_of_inner_regions(axes: Axes, coadd: MultipleCellCoadd) -> None:
    """Inside of the box that is drawn, also where an outer region is drawn."""
    index = Index2D(x=2, y=1)
    inner, outer = coadd.grid.inner_bbox_of(index), coadd.grid.outer_bbox_of(index)
    outline_cells(axes, coadd, outer)
    lines = [np.asarray(line.get_data()).tolist() for line in axes.get_lines()]
    upright = {xs[0] for xs, ys in lines if ys == [0, 1]}
    level = {ys[0] for xs, ys in lines if xs == [0, 1]}
    assert upright == {inner.x.start - 0.5, inner.x.stop - 0.5}
    assert level == {inner.y.start - 0.5, inner.y.stop - 0.5}


def test_pixels_are_labelled_with_whole_numbers(axes: Axes) -> None:
    """Five digits a label: few of them, and no offset to be added in one's head."""
    axes.set(xlim=(18599.5, 18749.5), ylim=(15599.5, 15749.5))
    label_pixels(axes)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x (tract pixels)", "y (tract pixels)")
    ticks = axes.get_xticks()
    assert len(ticks) <= 8
    np.testing.assert_array_equal(ticks, np.round(ticks))
    assert [text.get_text() for text in axes.get_xticklabels()] == [f"{tick:.0f}" for tick in ticks]
