"""Maps of a patch's cells and the histogram of inputs show the numbers of the table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from astropy.table import Table
from matplotlib.figure import Figure

from cellcoadd.cell_grid import Index2D
from cellcoadd.report.cell_maps import cells_on_grid
from cellcoadd.report.depth_figures import draw_depth_map
from cellcoadd.report.input_figures import draw_input_histogram, draw_input_map
from cellcoadd.report.variance_figures import draw_variance_map

SHAPE = Index2D(x=3, y=2)


def table(**changes: object) -> Table:
    """Three cells of a patch of 3 x 2, in no order: (2, 1), (0, 0) and (1, 0)."""
    columns: dict[str, object] = {
        "cell_x": [2, 0, 1],
        "cell_y": [1, 0, 0],
        "visit_count": [3, 1, 1],
        "variance_mean": [110.0, 330.0, 360.0],
        "variance_median": [100.0, 300.0, np.nan],
        "depth": [25.0, 24.4, 24.3],
    }
    return Table(columns | changes)


def shown(figure: Figure, panel: int = 0) -> list[list[float | None]]:
    """The numbers of a panel's squares, None for white ones."""
    rows: list[list[float | None]] = np.ma.asarray(
        figure.axes[panel].images[0].get_array(), np.float64
    ).tolist()
    return rows


def test_rows_find_their_places_in_the_patch() -> None:
    """By index, whatever their order; a cell without row is not known."""
    expected = [[1.0, 1.0, np.nan], [np.nan, np.nan, 3.0]]
    np.testing.assert_array_equal(cells_on_grid(table(), "visit_count", SHAPE), expected)
    masked = table(visit_count=np.ma.array([3, 1, 1], mask=[True, False, False]))
    assert np.isnan(cells_on_grid(masked, "visit_count", SHAPE)[1, 2])


def test_a_table_of_several_patches_or_of_larger_ones_is_refused() -> None:
    """The last row of a cell would win, and nobody would see it."""
    with pytest.raises(ValueError, match="one patch, choose its rows"):
        cells_on_grid(table(cell_x=[2, 0, 0]), "visit_count", SHAPE)
    with pytest.raises(ValueError, match="3 x 2 cells; the table has cells up to x=5, y=1"):
        cells_on_grid(table(cell_x=[2, 0, 5]), "visit_count", SHAPE)


def test_map_of_inputs_has_a_square_a_cell_the_right_side_up() -> None:
    """Row 0 is the lowest; squares are centred on the indices, and outlined, empty ones too."""
    figure = draw_input_map(table(), SHAPE, title="Patch 7")
    axes, bar = figure.axes
    assert shown(figure) == [[1.0, 1.0, None], [None, None, 3.0]]
    assert axes.get_title() == "Patch 7"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x (cells)", "y (cells)")
    assert list(axes.images[0].get_extent()) == [-0.5, 2.5, -0.5, 1.5]
    assert axes.get_ylim()[0] < axes.get_ylim()[1]
    lines = [collection.get_segments() for collection in axes.collections]  # type: ignore[attr-defined]
    assert [len(segments) for segments in lines] == [4, 3]
    assert bar.get_ylabel() == "number of visits"
    ticks = np.asarray(bar.get_yticks())
    np.testing.assert_array_equal(ticks, np.round(ticks))
    colours = {tuple(colour) for colour in axes.images[0].to_rgba(np.array([1, 2, 3]))}
    assert len(colours) == 3


def test_mean_and_median_variance_are_two_pictures_on_one_scale() -> None:
    """The technote shows the mean twice; different scales would hide how they differ."""
    figure = draw_variance_map(table(), SHAPE)
    assert shown(figure, 0) == [[330.0, 360.0, None], [None, None, 110.0]]
    assert shown(figure, 1) == [[300.0, None, None], [None, None, 100.0]]
    assert [axes.images[0].get_clim() for axes in figure.axes[:2]] == [(100.0, 360.0)] * 2
    labels = [axes.get_ylabel() for axes in figure.axes[2:]]
    assert labels == ["mean variance (nJy$^2$)", "median variance (nJy$^2$)"]


def test_map_of_depth_is_in_magnitudes() -> None:
    """Numbers as in the table, with their unit on the bar."""
    figure = draw_depth_map(table(), SHAPE)
    assert shown(figure) == [[24.4, 24.3, None], [None, None, 25.0]]
    assert figure.axes[1].get_ylabel() == "depth, 5 sigma PSF (AB mag)"


def test_maps_without_any_known_value_can_be_drawn() -> None:
    """A patch whose PSFs are all unknown has no depth; its report still comes out."""
    unknown = table(depth=[np.nan] * 3, variance_mean=[np.nan] * 3, variance_median=[np.nan] * 3)
    for figure in (draw_depth_map(unknown, SHAPE), draw_variance_map(unknown, SHAPE)):
        figure.canvas.draw()
        assert shown(figure) == [[None] * 3] * 2


def test_histogram_counts_the_cells_on_bars_centred_on_whole_numbers() -> None:
    """Two cells with one visit, none with two, one with three."""
    figure = draw_input_histogram(table())
    (axes,) = figure.axes
    bars: list[Any] = list(axes.patches)
    assert [bar.get_height() for bar in bars] == [2, 0, 1]
    assert [bar.get_x() + 0.5 * bar.get_width() for bar in bars] == pytest.approx([1, 2, 3])
    assert axes.get_xlabel() == "number of visits in a cell"
    assert axes.get_ylabel() == "number of cells"
    assert {"2", "1"} <= {text.get_text() for text in axes.texts}


def test_histogram_of_hundreds_of_visits_has_numbers_that_do_not_touch() -> None:
    """Survey coadds of ten years have them."""
    figure = draw_input_histogram(Table({"visit_count": np.arange(1, 301)}))
    (axes,) = figure.axes
    assert len(axes.patches) == 300
    assert not axes.texts
    assert len(axes.get_xticks()) < 20
