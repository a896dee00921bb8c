"""The figure of a coadd beside its inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lsst.images import Box
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from PIL import Image as PillowImage

from cellcoadd.cell_grid import Index2D
from cellcoadd.coaddition.assemble import VisitOnPatch, assemble_cell_coadd
from cellcoadd.coaddition.settings import CoaddSettings
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.products.warp import NO_OWNER
from cellcoadd.report.coadd_figures import draw_coadd_and_inputs, input_counts
from cellcoadd.report.style import write_figure
from cellcoadd.testing.images import make_warp, small_patch

PATCH = small_patch()
SHAPE = tuple(PATCH.outer_bbox.shape)


@pytest.fixture(scope="module")
def coadd() -> MultipleCellCoadd:
    """Visit 1 on the left; visit 2 on the left as well, but for the two lowest rows of cells."""
    rng = np.random.default_rng(3)
    first = np.full(SHAPE, NO_OWNER)
    first[:, :92] = 0
    second = first.copy()
    second[:26] = NO_OWNER
    warps = [
        make_warp(PATCH, visit=1, owner=first, pixels=rng.normal(size=SHAPE)),
        make_warp(PATCH, visit=2, owner=second, pixels=rng.normal(size=SHAPE)),
    ]
    made = assemble_cell_coadd(
        [VisitOnPatch(warp=warp) for warp in warps], PATCH, settings=CoaddSettings()
    )
    assert made is not None
    return made


EXPECTED = [
    [1, 1, 1, 1, 0],
    [1, 1, 1, 1, 0],
    [2, 2, 2, 2, 0],
    [2, 2, 2, 2, 0],
    [2, 2, 2, 2, 0],
]
"""Columns 0..91 hold the outer regions of 4 cells; rows 26.. those from the third on (row 40)."""


def test_counts_are_the_visits_of_each_cell(coadd: MultipleCellCoadd) -> None:
    """Row by row from the lowest, with 0 where there is no cell."""
    assert input_counts(coadd).tolist() == EXPECTED


def panels(figure: Figure) -> list[Any]:
    return [axes for axes in figure.axes if axes.get_title()]


def test_both_panels_show_the_filled_cells_the_right_side_up(coadd: MultipleCellCoadd) -> None:
    """Pixel (x, y) of the tract is drawn at (x, y), with y upwards."""
    figure = draw_coadd_and_inputs(coadd)
    left, right = panels(figure)
    assert "tract 0, patch 24, i band" in left.get_title()
    box = coadd.bbox
    assert box == Box.factory[160:260, 160:240]
    for axes in (left, right):
        (image,) = [child for child in axes.get_children() if isinstance(child, AxesImage)]
        assert list(image.get_extent()) == [159.5, 239.5, 159.5, 259.5]
        assert axes.get_ylim()[0] < axes.get_ylim()[1]
    drawn = next(child for child in right.get_children() if isinstance(child, AxesImage))
    np.testing.assert_array_equal(drawn.get_array(), np.array(EXPECTED)[:, :4])
    texts = {text.get_position(): text.get_text() for text in right.texts}
    for y, row in enumerate(EXPECTED):
        for x, count in enumerate(row[:4]):
            centre = coadd.grid.centre_of(Index2D(x=x, y=y))
            assert texts[centre.x, centre.y] == str(count)


def test_image_is_shown_in_units_of_its_noise(coadd: MultipleCellCoadd) -> None:
    """The same picture for an image a thousand times as bright."""
    left, _ = panels(draw_coadd_and_inputs(coadd))
    (image,) = [child for child in left.get_children() if isinstance(child, AxesImage)]
    shown = np.asarray(image.get_array())
    assert abs(np.median(shown)) < 0.01
    assert np.percentile(shown, 84) == pytest.approx(np.arcsinh(1.0), abs=0.1)
    assert shown.min() >= np.arcsinh(-3.0) - 1e-6


def test_figure_is_written_whole_or_not_at_all(
    coadd: MultipleCellCoadd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A PNG that an image program opens; nothing is left of one that failed."""
    figure = draw_coadd_and_inputs(coadd)
    path = write_figure(figure, tmp_path / "coadd.png")
    with PillowImage.open(path) as picture:
        assert picture.format == "PNG"
        width, height = picture.size
        assert width > 1000
        assert height > 500
        assert len(picture.convert("RGB").getcolors(maxcolors=10**6) or []) > 50

    def fail(*arguments: Any, **options: Any) -> None:
        (tmp_path / ".other.png.partial").write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        write_figure(figure, tmp_path / "other.png")
    assert [entry.name for entry in tmp_path.iterdir()] == ["coadd.png"]


def test_more_visits_than_colours_are_drawn(
    coadd: MultipleCellCoadd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten years of Rubin put hundreds into a cell; empty cells stay blank."""
    monkeypatch.setattr(
        "cellcoadd.report.coadd_figures.input_counts", lambda coadd: 300 * input_counts(coadd)
    )
    figure = draw_coadd_and_inputs(coadd)
    figure.canvas.draw()
    right = next(axes for axes in figure.axes if axes.get_title() == "Inputs of each cell")
    assert {text.get_text() for text in right.texts} == {"300", "600"}
    bar = next(axes for axes in figure.axes if axes.get_ylabel() == "number of visits")
    assert 2 <= len(bar.get_yticks()) <= 12
