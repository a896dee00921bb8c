"""The five panels of masked fractions, and one cell's variance."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import Table
from lsst.images import Image

from cellcoadd.cell_grid import Index2D
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.products.warp import NO_OWNER
from cellcoadd.report.cell_variance_figure import draw_cell_variance
from cellcoadd.report.mask_fraction_figures import draw_mask_fractions
from cellcoadd.testing.images import make_coadd, make_warp, small_patch

PATCH = small_patch()
SHAPE = tuple(PATCH.outer_bbox.shape)
NAMES = ("visit_count", "masked_fraction", "input_fraction_0.1", "input_fraction_0.05")


@pytest.fixture(scope="module")
def coadd() -> MultipleCellCoadd:
    """20 cells of 5 x 5: the right column is empty. Rows 40 to 43 are INTRP, 50 to 51 CR."""
    rng = np.random.default_rng(3)
    owner = np.zeros(SHAPE)
    owner[:, 92:] = NO_OWNER
    flags = {plane: np.zeros(SHAPE, np.bool_) for plane in ("INTRP", "CR", "DETECTED")}
    flags["INTRP"][40:44] = True
    flags["CR"][50:52] = True
    flags["DETECTED"][60:62] = True
    return make_coadd(make_warp(PATCH, owner=owner, pixels=rng.normal(size=SHAPE), flags=flags))


@pytest.fixture
def cells(coadd: MultipleCellCoadd) -> Table:
    """A row a cell, the last first, with numbers that say which cell they are of."""
    indices = list(coadd.cells)[::-1]
    place = np.array([index.x + 5 * index.y for index in indices])
    table = Table({"cell_x": [i.x for i in indices], "cell_y": [i.y for i in indices]})
    table["visit_count"] = 1 + place
    for number, name in enumerate(NAMES[1:]):
        table[name] = 0.01 * place + 0.2 * number
    return table


@pytest.mark.parametrize("kept", ["column", "row", "cell"])
def test_a_small_coadd_has_panels_that_can_be_seen(
    coadd: MultipleCellCoadd, cells: Table, kept: str
) -> None:
    """Cells in a line, or one of one visit: where matplotlib finds no room for axes it warns."""
    wanted = {
        "column": [index for index in coadd.cells if index.x == 2],
        "row": [index for index in coadd.cells if index.y == 2],
        "cell": [Index2D(x=2, y=2)],
    }[kept]
    names = {(index.x, index.y) for index in wanted}
    rows = cells[np.array([(row["cell_x"], row["cell_y"]) in names for row in cells])]
    rows["visit_count"] = 1
    figure = draw_mask_fractions(coadd.subset(wanted), rows)
    figure.canvas.draw()
    for axes in figure.axes:
        assert min(axes.get_position().size) > 0.0


def test_five_panels_show_image_and_four_columns_cell_by_cell(
    coadd: MultipleCellCoadd, cells: Table
) -> None:
    """By index: the rows of the table are in another order than the cells of the coadd."""
    figure = draw_mask_fractions(coadd, cells)
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == [
        "Tract 0, patch 24, i band",
        "Inputs of each cell",
        "Masked fraction of the coadd",
        "Inputs masked by less than 10 %",
        "Inputs masked by less than 5 %",
    ]
    place = np.add.outer(5 * np.arange(5), np.arange(4))
    expected = [1 + place, 0.01 * place, 0.01 * place + 0.2, 0.01 * place + 0.4]
    for axes, values in zip(panels[1:], expected, strict=True):
        np.testing.assert_allclose(np.ma.asarray(axes.images[0].get_array()), values)
    assert [axes.images[0].get_clim() for axes in panels[3:]] == [(0.0, 1.0)] * 2
    bars = {axes.get_ylabel() for axes in figure.axes if not axes.get_title()}
    assert bars >= {"number of visits", "weighted mean masked fraction", "fraction of the inputs"}
    image = np.ma.asarray(panels[0].images[0].get_array())
    assert image.shape == coadd.image.array.shape


def test_the_table_of_another_patch_is_refused(coadd: MultipleCellCoadd, cells: Table) -> None:
    """The numbers would stand on the wrong cells."""
    with pytest.raises(ValueError, match=r"19 rows of 19 cells; .* has 20 filled cells"):
        draw_mask_fractions(coadd, cells[1:])


def test_masked_pixels_of_a_cell_are_blank(coadd: MultipleCellCoadd) -> None:
    """INTRP and CR are white, a detected source is not; the numbers are the variance plane's."""
    cell = coadd.cells[Index2D(x=1, y=1)]
    axes, bar = draw_cell_variance(cell).axes
    drawn = np.ma.asarray(axes.images[0].get_array())
    rows = np.arange(cell.outer.bbox.y.start, cell.outer.bbox.y.stop) - PATCH.outer_bbox.y.start
    blank = ((rows >= 40) & (rows < 44)) | ((rows >= 50) & (rows < 52))
    assert blank.sum() > 0
    np.testing.assert_array_equal(
        np.ma.getmaskarray(drawn), np.broadcast_to(blank[:, np.newaxis], drawn.shape)
    )
    np.testing.assert_array_equal(drawn[~blank], cell.outer.variance.array[~blank])
    assert axes.get_title() == "Cell (1, 1), CR, SAT, STREAK, INTRP blank"
    assert bar.get_ylabel() == "variance (nJy$^2$)"


def test_the_core_of_a_star_does_not_take_all_the_colours(coadd: MultipleCellCoadd) -> None:
    """Colours end where all but the brightest half per cent of the pixels are."""
    cell = coadd.cells[Index2D(x=1, y=1)]
    variance = cell.outer.variance.array
    kept = variance.copy()
    variance[5, 5] = 1e4 * kept.max()
    try:
        axes, bar = draw_cell_variance(cell).axes
    finally:
        variance[:] = kept
    assert axes.images[0].get_clim()[1] < 2 * kept.max()
    assert len(bar.patches) > 0, "an arrow says that there are larger values"


def test_variance_of_the_warps_stands_beside_it(coadd: MultipleCellCoadd) -> None:
    """With a scale of its own, as it is a pure number."""
    cell = coadd.cells[Index2D(x=0, y=0)]
    weighted = Image(np.linspace(0.9, 1.1, 32 * 32).reshape(32, 32), bbox=cell.outer.bbox)
    figure = draw_cell_variance(cell, warp_variance=weighted)
    right = figure.axes[1]
    np.testing.assert_array_equal(np.asarray(right.images[0].get_array()), weighted.array)
    assert right.get_title() == "Its inputs, N = 1: sum of w v / N"
    assert figure.axes[3].get_ylabel() == "weighted variance of the warps (pure number)"
