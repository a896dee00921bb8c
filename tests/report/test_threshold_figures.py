"""Threshold functions: curves as they were given, and the line of a bad column."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes

from cellcoadd.report.threshold_figures import (
    Curve,
    draw_threshold_function,
    draw_threshold_grid,
    draw_threshold_patches,
)

THRESHOLDS = [0.001, 0.01, 0.016, 0.02, 0.1]


def curve(start: float) -> Curve:
    return THRESHOLDS, np.linspace(start, 1.0, 5)


def drawn(axes: Axes) -> dict[str, list[list[float]]]:
    """The curves by label; the vertical line has none."""
    return {
        str(line.get_label()): np.asarray(line.get_xydata()).tolist()
        for line in axes.lines
        if not str(line.get_label()).startswith("_")
    }


def expected(start: float) -> list[list[float]]:
    points: list[list[float]] = np.column_stack(curve(start)).tolist()
    return points


def step_of(axes: Axes) -> float:
    """Where the vertical line is."""
    (line,) = [line for line in axes.lines if str(line.get_label()).startswith("_")]
    return float(np.asarray(line.get_xdata())[0])


def test_every_plane_of_a_tract_is_a_curve() -> None:
    """Thresholds on x, fractions on y, and the planes in the legend."""
    (axes,) = draw_threshold_function({"all": curve(0.4), "BAD": curve(0.8)}).axes
    assert drawn(axes) == {"all": expected(0.4), "BAD": expected(0.8)}
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["all", "BAD"]
    assert axes.get_xlabel() == "threshold of the masked fraction of an input"
    assert axes.get_ylabel() == "mean fraction of inputs below it"
    assert axes.get_ylim() == (0.0, 1.05)


@pytest.mark.parametrize(("width", "step"), [(250, "0.016"), (150, "0.027")])
def test_the_line_is_four_pixels_over_the_width_of_a_cell(width: int, step: str) -> None:
    """With outer regions the step of HSC's bad columns is at 0.016, with inner ones at 0.027."""
    (axes,) = draw_threshold_function({"BAD": curve(0.8)}, cell_width=width).axes
    assert step_of(axes) == pytest.approx(4 / width)
    (text,) = axes.texts
    assert text.get_text() == (
        f"{step} = 4/{width}: bad columns,\n4 px wide through a cell of {width} px"
    )


def test_grid_has_a_row_a_tract_and_a_column_a_plane() -> None:
    """A plane that a tract lacks leaves its place empty and moves nothing."""
    figure = draw_threshold_grid(
        {9813: {"all": curve(0.4), "BAD": curve(0.8)}, 9615: {"BAD": curve(0.7)}},
        descriptions={9813: "33 patches"},
    )
    panels = np.array(figure.axes).reshape(2, 2)
    assert [[list(drawn(axes).values()) for axes in row] for row in panels] == [
        [[expected(0.4)], [expected(0.8)]],
        [[], [expected(0.7)]],
    ]
    assert [axes.get_title() for axes in panels[0]] == ["masked by all", "masked by BAD"]
    assert [row[0].get_ylabel() for row in panels] == ["tract 9813\n33 patches", "tract 9615"]
    assert all(step_of(axes) == 0.016 for axes in figure.axes)


def test_every_patch_has_a_panel_with_the_percentage_of_its_filled_cells() -> None:
    """Five patches in 2 x 3 panels; the empty one has no axes."""
    patches = {number: curve(0.1 * number) for number in range(5)}
    figure = draw_threshold_patches(patches, {n: 0.2 * n for n in range(5)}, title="Tract 1")
    assert len(figure.axes) == 6
    assert not figure.axes[-1].axison
    for number, axes in enumerate(figure.axes[:5]):
        label = f"patch {number}\n{20.0 * number:.1f} % of cells filled"
        assert drawn(axes) == {label: expected(0.1 * number)}
    assert figure.get_suptitle() == "Tract 1"
