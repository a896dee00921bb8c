"""Columns of cells by their number of inputs: points, mean, median, and what equal inputs give."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from astropy.table import Table
from matplotlib.axes import Axes

from cellcoadd.report.by_inputs import group_by_inputs
from cellcoadd.report.depth_figures import draw_depth_against_inputs
from cellcoadd.report.style import png_of
from cellcoadd.report.variance_figures import draw_variance_against_inputs


def table(first: int = 1) -> Table:
    """Equal inputs but for a scatter: the variance is near 600 / N."""
    rng = np.random.default_rng(5)
    counts = np.repeat(np.arange(first, first + 4), [40, 30, 20, 10])
    variance = 600.0 / counts * rng.lognormal(0.0, 0.05, counts.size)
    return Table(
        {
            "visit_count": counts,
            "variance_mean": variance,
            "depth": 24.0 - 1.25 * np.log10(variance / 600.0),
        }
    )


def line(axes: Axes, start: str) -> npt.NDArray[np.float64]:
    """The points of the line whose label starts so."""
    (found,) = [entry for entry in axes.lines if str(entry.get_label()).startswith(start)]
    return np.asarray(found.get_xydata())


def points(axes: Axes) -> npt.NDArray[np.float64]:
    (scatter,) = axes.collections
    return np.asarray(scatter.get_offsets())


def test_columns_are_grouped_and_unknown_values_left_out() -> None:
    """A cell without input, or with an infinite variance, has no place in a mean."""
    columns = group_by_inputs([1, 1, 3, 0, 3, 1], [2.0, 4.0, 7.0, 9.0, np.inf, np.nan])
    assert columns.inputs.tolist() == [1, 3]
    assert [column.tolist() for column in columns.values] == [[2.0, 4.0], [7.0]]
    assert columns.mean.tolist() == columns.median.tolist() == [3.0, 7.0]


@pytest.mark.parametrize(
    ("draw", "column", "label"),
    [
        (draw_variance_against_inputs, "variance_mean", "mean variance of a cell (nJy$^2$)"),
        (draw_depth_against_inputs, "depth", "depth of a cell, 5 sigma PSF (AB mag)"),
    ],
)
def test_every_cell_is_a_point_in_its_column(draw: Any, column: str, label: str) -> None:
    """Across a column points are spread so that they can be seen; their heights are the values."""
    cells = table()
    axes = draw({9813: cells}).axes[0]
    x, y = points(axes).T
    np.testing.assert_array_equal(y, cells[column])
    np.testing.assert_array_equal(np.round(x), cells["visit_count"])
    assert 0.1 < np.abs(x - np.round(x)).max() <= 0.3
    assert axes.get_ylabel() == label
    assert axes.get_xlabel() == "number of visits in a cell"
    assert axes.get_title() == "Tract 9813: 100 cells"
    for name, statistic in (("mean", np.mean), ("median", np.median)):
        drawn = line(axes, name)
        expected = [statistic(cells[column][cells["visit_count"] == n]) for n in range(1, 5)]
        np.testing.assert_allclose(drawn, np.column_stack([np.arange(1, 5), expected]))


@pytest.mark.parametrize("first", [1, 3])
def test_lines_of_equal_inputs_begin_at_the_median_of_the_fewest(first: int) -> None:
    """1/N and +1.25 log10 N; where no cell has one visit they begin at what there is."""
    cells = table(first)
    start = cells["visit_count"] == first
    inputs = np.arange(first, first + 4)
    drawn = line(draw_variance_against_inputs({1: cells}).axes[0], "1/N from the median")
    expected = np.median(cells["variance_mean"][start]) * first / inputs
    np.testing.assert_allclose(drawn, np.column_stack([inputs, expected]))
    drawn = line(draw_depth_against_inputs({1: cells}).axes[0], "+1.25 log")
    expected = np.median(cells["depth"][start]) + 1.25 * np.log10(inputs / first)
    np.testing.assert_allclose(drawn, np.column_stack([inputs, expected]))


def test_columns_of_two_groups_are_named() -> None:
    """With one visit half of the cells have twice the variance; with two, all are alike."""
    cells = table()
    cells["variance_mean"][:20] *= 2.0
    axes = draw_variance_against_inputs({1: cells}).axes[0]
    assert [text.get_text() for text in axes.texts] == [
        "cells in separate groups (bimodal) at N = 1"
    ]
    assert not draw_variance_against_inputs({1: table()}).axes[0].texts


@pytest.mark.parametrize("draw", [draw_variance_against_inputs, draw_depth_against_inputs])
def test_tracts_stand_side_by_side_on_one_scale(draw: Any) -> None:
    """So that they can be compared by eye."""
    figure = draw({9813: table(), 9615: table(first=2)[:50]})
    left, right = figure.axes
    assert left.get_title() == "Tract 9813: 100 cells"
    assert right.get_title() == "Tract 9615: 50 cells"
    assert left.get_ylim() == right.get_ylim()
    assert len(points(right)) == 50


def test_a_figure_drawn_twice_is_the_same_twice_and_the_seed_moves_points() -> None:
    """The places across a column are random, with a stated seed."""
    first, second = (png_of(draw_depth_against_inputs({1: table()})) for _ in range(2))
    assert first == second
    assert png_of(draw_depth_against_inputs({1: table()}, seed=1)) != first


@pytest.mark.parametrize("draw", [draw_variance_against_inputs, draw_depth_against_inputs])
def test_a_tract_without_known_values_has_an_empty_panel(draw: Any) -> None:
    """It is a picture all the same."""
    cells = table()
    cells["variance_mean"], cells["depth"] = np.nan, np.nan
    figure = draw({1: cells})
    figure.canvas.draw()
    assert len(points(figure.axes[0])) == 0
