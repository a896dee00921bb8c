"""The cells and inputs of a tract in numbers, as the page shows them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from astropy.table import Table, vstack

from cellcoadd.files.column_values import column_values, known_values
from cellcoadd.products.cell_coadd.inputs import RefusalReason
from cellcoadd.report.cell_summaries import summary_by_inputs, summary_by_patch
from cellcoadd.report.input_summaries import (
    REFUSALS,
    refusals_by_detector,
    refusals_by_reason,
    summary_by_visit,
)
from cellcoadd.report.page_parts import PageTable
from cellcoadd.report.tract_data import each_cell_once


def column(table: PageTable, name: str) -> list[Any]:
    """The values below the head that has this name."""
    number = [entry.name for entry in table.columns].index(name)
    return [row[number] for row in table.rows]


@pytest.fixture
def four_cells() -> Table:
    """Two patches; the depth of one cell is not known."""
    return Table(
        {
            "patch": [3, 3, 3, 7],
            "visit_count": [1, 1, 2, 4],
            "variance_mean": [310.0, 330.0, 160.0, 80.0],
            "variance_median": [300.0, 320.0, 150.0, 75.0],
            "depth": [24.0, np.nan, 24.5, 25.0],
        }
    )


def test_patches_are_counted_and_described(four_cells: Table) -> None:
    """Three of ten cells are 30 per cent; unknown values are left out of a median."""
    table = summary_by_patch(four_cells, cells_in_patch=10)
    assert column(table, "patch") == [3, 7]
    assert column(table, "filled cells") == [3, 1]
    assert column(table, "filled") == [30.0, 10.0]
    assert column(table, "visits, mean") == pytest.approx([4 / 3, 4.0])
    assert column(table, "most visits") == [2.0, 4.0]
    assert column(table, "variance, median") == [300.0, 75.0]
    assert column(table, "depth, median") == [24.25, 25.0]
    assert "PSF FWHM, median" not in [entry.name for entry in table.columns]


def test_a_statistic_of_nothing_is_not_a_number(four_cells: Table) -> None:
    """A patch whose depths are all unknown has a dash."""
    four_cells["depth"] = np.nan
    assert column(summary_by_patch(four_cells, cells_in_patch=10), "depth, median") == [None, None]
    assert column(summary_by_inputs(four_cells), "depth, mean") == [None] * 3


def test_cells_are_described_by_their_number_of_visits(four_cells: Table) -> None:
    """N times the variance is 320 for all of them, as if inputs were equal."""
    table = summary_by_inputs(four_cells)
    assert column(table, "visits, N") == [1, 2, 4]
    assert column(table, "cells") == [2, 1, 1]
    assert column(table, "variance, mean") == [320.0, 160.0, 80.0]
    assert column(table, "N · variance, median") == [320.0] * 3
    assert column(table, "depth, median") == [24.0, 24.5, 25.0]


@pytest.fixture
def five_inputs() -> Table:
    """Two visits, one of two detectors; three inputs were refused."""
    return Table(
        {
            "instrument": ["HSC"] * 5,
            "visit": [1230, 1228, 1228, 1230, 1230],
            "detector": [4, 7, 7, 5, 5],
            "day_obs": [20240829, 20240827, 20240827, 20240829, 20240829],
            "physical_filter": ["HSC-I"] * 5,
            "accepted": [True, True, False, False, False],
            "reason": ["accepted", "accepted", "overlap", "masked", "masked"],
        }
    )


def test_visits_count_what_became_of_them(five_inputs: Table) -> None:
    """Accepted and refused add up to how often a detector touches a cell."""
    table = summary_by_visit(five_inputs)
    assert [list(row) for row in table.rows] == [
        [1228, "20240827", "HSC-I", 1, 1, 1],
        [1230, "20240829", "HSC-I", 2, 1, 2],
    ]


def test_every_reason_is_counted_also_those_that_never_held(five_inputs: Table) -> None:
    """That none was refused for its weight is worth knowing."""
    table = refusals_by_reason(five_inputs)
    assert dict(zip(column(table, "reason"), column(table, "refused"), strict=True)) == {
        "overlap": 1, "center": 0, "weight": 0, "masked": 2, "psf": 0,
    }  # fmt: skip
    assert column(table, "of all") == [20.0, 0.0, 0.0, 40.0, 0.0]
    assert "5 times a detector touches a cell" in table.caption
    assert "2 times it was accepted" in table.caption


def test_the_reasons_are_those_of_the_coadds() -> None:
    """A new reason there needs its words here."""
    assert [reason.name.lower() for reason in RefusalReason] == ["accepted", *REFUSALS]


def test_refused_detectors_come_with_their_reasons_the_most_refused_first(
    five_inputs: Table,
) -> None:
    """Only reasons that held have a column; the accepted detector is not there."""
    table = refusals_by_detector(five_inputs)
    heads = [entry.name for entry in table.columns]
    assert heads == ["visit", "detector", "refused by cells", "overlap", "masked"]
    assert [list(row) for row in table.rows] == [[1230, 5, 2, 0, 2], [1228, 7, 1, 1, 0]]
    nothing = refusals_by_detector(five_inputs[:2])
    assert list(nothing.rows) == []


def test_a_table_of_thousands_of_refused_detectors_is_cut_and_says_so(five_inputs: Table) -> None:
    """A survey has hundreds of thousands; the page is to load quickly."""
    many = vstack([five_inputs[2:3]] * 1000)
    many["detector"] = np.arange(1000)
    table = refusals_by_detector(many)
    assert len(table.rows) == 400
    assert table.caption.endswith("The 400 most refused of 1,000.")


def test_a_masked_column_is_not_known_where_it_is_masked() -> None:
    """Tables of patches whose mask planes differ are masked when they are put together."""
    table = vstack([Table({"a": [1.0], "b": [2.0]}), Table({"a": [3.0]})])
    np.testing.assert_array_equal(column_values(table, "b"), [2.0, np.nan])
    np.testing.assert_array_equal(known_values(table, "b"), [2.0])
    np.testing.assert_array_equal(column_values(table, "a"), [1.0, 3.0])


def test_cells_that_patches_share_count_once(cells: Table) -> None:
    """Of equal places the first row stays; the order stays as well."""
    once = each_cell_once(cells)
    places = list(zip(cells["tract_cell_x"], cells["tract_cell_y"], strict=True))
    kept = list(zip(once["tract_cell_x"], once["tract_cell_y"], strict=True))
    assert kept == list(dict.fromkeys(places))
    assert len(kept) < len(places)


def test_visits_of_two_cameras_are_two(five_inputs: Table) -> None:
    """Nobody keeps cameras from counting alike; with one camera there is no column for it."""
    other = five_inputs.copy()
    other["instrument"] = ["LSSTCam"] * len(other)
    table = summary_by_visit(vstack([five_inputs, other]))
    assert column(table, "camera") == ["HSC", "HSC", "LSSTCam", "LSSTCam"]
    assert column(table, "visit") == [1228, 1230, 1228, 1230]
    assert column(table, "accepted by cells") == 2 * column(
        summary_by_visit(five_inputs), "accepted by cells"
    )
    refused = refusals_by_detector(vstack([five_inputs, other]))
    assert set(column(refused, "camera")) == {"HSC", "LSSTCam"}


def test_a_table_of_many_visits_is_cut_and_says_so(five_inputs: Table) -> None:
    """The rows are sorted by number, so the newest ones are not there."""
    many = vstack([five_inputs] * 100)
    many["visit"] = np.arange(len(many))
    table = summary_by_visit(many)
    assert len(table.rows) == 400
    assert table.caption.endswith("The first 400 of 500.")
