"""The table of a coadd's inputs."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from lsst.images import Box

from cellcoadd.analysis.cell_table import tabulate_cells
from cellcoadd.analysis.columns import PlaneColumn, TableColumn
from cellcoadd.analysis.input_table import INPUT_COLUMNS, tabulate_inputs
from cellcoadd.masks.planes import ALL_PLANES
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.products.cell_coadd.inputs import RefusalReason
from cellcoadd.testing.images import make_coadd, make_warp, small_patch

PATCH = small_patch()


def two_visits() -> MultipleCellCoadd:
    """One visit everywhere; one of two detectors, which covers the left part of the patch only.

    Detector 1 of visit 2 begins at pixel 56, in the middle of cell 2, and ends at pixel 80.
    """
    start = PATCH.outer_bbox.start
    bbox = Box.from_shape((112, 80), start=(start.y, start.x))
    owner = np.zeros((112, 80), np.uint8)
    owner[:, 56:] = 1
    return make_coadd(
        make_warp(PATCH, visit=1, mask_fractions={ALL_PLANES: 0.25, "SAT": 0.125}),
        make_warp(
            PATCH, visit=2, bbox=bbox, owner=owner, mean_variances=[2.0, 4.0],
            mask_fractions={ALL_PLANES: 0.5, "SAT": 0.0},
        ),
    )  # fmt: skip


def test_every_column_says_what_it_is() -> None:
    """In the table and in the list, from which the documentation is written."""
    table = tabulate_inputs(two_visits())
    stated: list[TableColumn] = []
    for column in INPUT_COLUMNS:
        stated.append(column if isinstance(column, TableColumn) else column.of("SAT"))
    assert table.colnames == [column.name for column in stated]
    for one in stated:
        assert table[one.name].unit == one.unit
        assert table[one.name].description == one.meaning
        assert one.meaning.endswith(".")


def test_a_column_of_planes_has_a_place_for_the_plane() -> None:
    """Else all planes would have columns of one name."""
    with pytest.raises(ValueError, match=r"holds \{plane\}, got 'masked'"):
        PlaneColumn(name="masked", meaning="", measure=lambda *_: np.zeros(0))


def test_each_detector_has_a_row_in_each_cell_that_it_touches() -> None:
    """Cells are 20 px wide with borders of 6: cell x reaches from pixel 20 x to 20 x + 32."""
    coadd = two_visits()
    table = tabulate_inputs(coadd)
    assert len(table) == len(coadd.contributions)
    row = table[table["cell_y"] == 3]
    found = list(zip(row["cell_x"], row["visit"], row["detector"], row["reason"], strict=True))
    assert found == [
        (0, 1, 0, "accepted"), (0, 2, 0, "accepted"),
        (1, 1, 0, "accepted"), (1, 2, 0, "accepted"),
        (2, 1, 0, "accepted"), (2, 2, 0, "overlap"), (2, 2, 1, "overlap"),
        (3, 1, 0, "accepted"), (3, 2, 1, "overlap"),
        (4, 1, 0, "accepted"),
    ]  # fmt: skip
    np.testing.assert_array_equal(table["accepted"], table["reason"] == "accepted")
    # Visit 2 ends at pixel 80, where cell 4 begins; of cell 3 it covers 20 of 32.
    assert row["overlap_fraction"].tolist()[-2] == 20 / 32
    assert row["overlaps_center"].tolist()[5:7] == [False, True]


def test_what_is_known_of_the_inputs_is_in_their_rows() -> None:
    """A table of many patches can be read without the coadds."""
    table = tabulate_inputs(two_visits())
    assert set(table["instrument"]) == {"Cam"}
    assert set(table["physical_filter"]) == {"Cam-i"}
    assert set(table["day_obs"]) == {20250101}
    assert set(table["skymap"]) == {"small"}
    assert (set(table["patch"]), set(table["band"])) == ({PATCH.id}, {"i"})
    weights = {(1, 0): 1.0, (2, 0): 0.5, (2, 1): 0.25}
    fractions = {1: (0.25, 0.125), 2: (0.5, 0.0)}
    for row in table:
        assert row["weight"] == weights[row["visit"], row["detector"]]
        assert (row["masked_fraction"], row["masked_fraction_SAT"]) == fractions[row["visit"]]
        # A cell may be touched in its border only: then there is no inner region to speak of.
        inner = (row["masked_fraction_inner"], row["masked_fraction_SAT_inner"])
        assert inner == fractions[row["visit"]] or np.isnan(inner).all()
        if row["accepted"]:
            assert row["psf_shape_xx"] == pytest.approx(1.5**2, rel=0.1)
            assert not row["psf_shape_flag"]
    assert table["weight"].unit == u.nJy**-2


def test_rows_of_a_cell_are_placed_as_the_cell_is() -> None:
    """The two tables can be joined by any of these columns."""
    coadd = two_visits()
    cells, inputs = tabulate_cells(coadd), tabulate_inputs(coadd)
    for cell in cells:
        mine = inputs[(inputs["cell_x"] == cell["cell_x"]) & (inputs["cell_y"] == cell["cell_y"])]
        assert mine["accepted"].sum() == cell["input_count"]
        for name in ("skymap", "tract", "patch", "band", "tract_cell_x", "tract_cell_y", "ra"):
            assert set(mine[name]) == {cell[name]}
        assert mine["weight"][mine["accepted"]].sum() == cell["weight_sum"]


def test_cells_that_stayed_empty_are_in_it() -> None:
    """Why a cell is empty is what a person asks of it."""
    start = PATCH.outer_bbox.start
    bbox = Box.from_shape((112, 50), start=(start.y, start.x))
    coadd = make_coadd(make_warp(PATCH, bbox=bbox))
    table = tabulate_inputs(coadd)
    assert set(table["cell_x"][table["accepted"]]) == {0}
    assert set(table["cell_x"][~table["accepted"]]) == {1, 2}
    assert np.isfinite(table["ra"]).all()
    assert len(np.unique(table["tract_cell_x"])) == 3


def test_every_reason_has_a_name_that_the_column_explains() -> None:
    """Whoever adds a reason adds a word about it."""
    (column,) = (column for column in INPUT_COLUMNS if column.name == "reason")
    for reason in RefusalReason:
        assert f"`{reason.name.lower()}`" in column.meaning
