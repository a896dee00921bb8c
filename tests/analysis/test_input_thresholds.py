"""The threshold function, by hand and by laws."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from astropy.table import Table, vstack
from hypothesis import given
from hypothesis import strategies as st

from cellcoadd.analysis.input_thresholds import (
    DEFAULT_THRESHOLDS,
    remaining_fractions,
    remaining_input_fraction,
)


def inputs(*rows: Mapping[str, Any], **common: Any) -> Table:
    """A table of inputs, of which only what matters here is given."""
    defaults = {
        "skymap": "small", "band": "i", "tract": 0, "patch": 0, "cell_x": 0, "cell_y": 0,
        "accepted": True, "masked_fraction": 0.0,
    }  # fmt: skip
    full = []
    for row in rows:
        one = defaults | common | dict(row)
        one.setdefault("tract_cell_x", one["cell_x"])
        one.setdefault("tract_cell_y", one["cell_y"])
        full.append(one)
    return Table(rows=full)


def of_cell(x: int, *fractions: float, **more: Any) -> list[dict[str, Any]]:
    """Inputs of one cell."""
    return [{"cell_x": x, "masked_fraction": fraction, **more} for fraction in fractions]


# By hand


def test_a_cell_by_hand() -> None:
    """Of four inputs one is below 0.01, three are below 0.03; the one at 0.01 is not below it."""
    found = remaining_input_fraction(
        inputs(*of_cell(0, 0.001, 0.01, 0.02, 0.5)), thresholds=[0.001, 0.01, 0.03, 0.6]
    )
    assert found.fractions.tolist() == [[0.0, 0.25, 0.75, 1.0]]
    assert found.cells["input_count"].tolist() == [4]


def test_the_mean_is_over_cells_not_over_inputs() -> None:
    """Cell 0 keeps its only input, cell 1 one of four: (1 + 1/4) / 2, not 2/5."""
    found = remaining_input_fraction(
        inputs(*of_cell(0, 0.0), *of_cell(1, 0.0, 0.2, 0.2, 0.2)), thresholds=[0.1]
    )
    assert found.fractions.tolist() == [[1.0], [0.25]]
    assert found.mean().tolist() == [0.625]


def test_refused_inputs_do_not_count() -> None:
    """They are in the table with their reasons, not in the cell; and an empty cell is no cell."""
    rows = [*of_cell(0, 0.0), *of_cell(0, 0.9, accepted=False), *of_cell(1, 0.9, accepted=False)]
    found = remaining_input_fraction(inputs(*rows), thresholds=[0.5])
    assert found.fractions.tolist() == [[1.0]]
    assert found.cell_count == 1


def test_a_cell_of_two_patches_counts_once() -> None:
    """Patches 0 and 1 share the cell at column 3: the mean over the tract is (1 + 0 + 1) / 3.

    Counted twice it would be 2/4; the mean of the patches' means is 1/2 as well.
    """
    rows = [
        *of_cell(2, 0.0, patch=0, tract_cell_x=2),
        *of_cell(3, 0.9, patch=0, tract_cell_x=3),
        *of_cell(0, 0.9, patch=1, tract_cell_x=3),
        *of_cell(1, 0.0, patch=1, tract_cell_x=4),
    ]
    found = remaining_input_fraction(inputs(*rows), thresholds=[0.5])
    assert len(found.cells) == 4
    assert found.first.tolist() == [True, True, False, True]
    assert found.cell_count == 3
    assert found.mean() == pytest.approx([2 / 3])
    assert {patch: curve.tolist() for patch, curve in found.by_patch().items()} == {
        (0, 0): [0.5],
        (0, 1): [0.5],
    }


def test_cells_of_different_tracts_are_different() -> None:
    """The numbers of their cells begin anew; the mean over both weighs each by its cells."""
    rows = [
        *of_cell(0, 0.0, tract=5),
        *of_cell(1, 0.9, tract=5),
        *of_cell(0, 0.0, tract=7),
    ]
    found = remaining_input_fraction(inputs(*rows), thresholds=[0.5])
    assert {tract: curve.tolist() for tract, curve in found.by_tract().items()} == {
        5: [0.5],
        7: [1.0],
    }
    assert found.mean() == pytest.approx([2 / 3])


def test_the_order_of_the_rows_does_not_matter() -> None:
    """Tables are put together in any order."""
    rows = [*of_cell(3, 0.0, 0.1, patch=2), *of_cell(1, 0.9, patch=1), *of_cell(0, 0.2, patch=2)]
    table = inputs(*rows)
    one = remaining_input_fraction(table)
    other = remaining_input_fraction(table[::-1])
    np.testing.assert_array_equal(one.fractions, other.fractions)
    assert one.cells["patch"].tolist() == other.cells["patch"].tolist() == [1, 2, 2]
    np.testing.assert_array_equal(one.mean(), other.mean())


def test_a_cell_of_which_an_input_is_unknown_does_not_count() -> None:
    """Without a warped fraction nobody knows whether the input would remain."""
    rows = [*of_cell(0, 0.0, math.nan), *of_cell(1, 0.0, 0.9)]
    found = remaining_input_fraction(inputs(*rows), thresholds=[0.1, 0.5])
    assert np.isnan(found.fractions[0]).all()
    assert found.mean().tolist() == [0.5, 0.5]
    unknown = remaining_input_fraction(inputs(*of_cell(0, math.nan)), thresholds=[0.1])
    assert np.isnan(unknown.mean()).all()
    assert np.isnan(unknown.by_patch()[0, 0]).all()


def test_a_plane_that_only_some_patches_have_is_unknown_in_the_others() -> None:
    """Tables put together are masked there; a masked number is not a fraction of 0."""
    with_plane = inputs(*of_cell(0, 0.3, masked_fraction_BAD=0.2))
    table = vstack([with_plane, inputs(*of_cell(1, 0.3))])
    assert table["masked_fraction_BAD"].mask.tolist() == [False, True]
    found = remaining_input_fraction(table, thresholds=[0.1, 0.25], plane="BAD")
    np.testing.assert_array_equal(found.fractions, [[0.0, 1.0], [np.nan, np.nan]])
    assert found.mean().tolist() == [0.0, 1.0]


def test_a_plane_and_a_region_have_columns_of_their_own() -> None:
    """All planes together is not the sum of them."""
    row = {
        "masked_fraction": 0.1, "masked_fraction_inner": 0.2,
        "masked_fraction_BAD": 0.3, "masked_fraction_BAD_inner": 0.4,
    }  # fmt: skip
    table = inputs(row)
    thresholds = [0.1, 0.2, 0.3, 0.4, 0.5]
    for plane, region, below in (
        ("all", "outer", 1), ("all", "inner", 2), ("BAD", "outer", 3), ("BAD", "inner", 4),
    ):  # fmt: skip
        found = remaining_input_fraction(
            table, thresholds=thresholds, plane=plane, region=region  # type: ignore[arg-type]
        )  # fmt: skip
        assert found.fractions[0].tolist() == [0.0] * below + [1.0] * (5 - below)


def test_a_table_of_refused_inputs_has_no_cells() -> None:
    """Of a patch that no image covers whole; nothing is the mean of nothing."""
    found = remaining_input_fraction(inputs(*of_cell(0, 0.0, accepted=False)))
    assert found.fractions.shape == (0, 32)
    assert found.cell_count == 0
    assert np.isnan(found.mean()).all()
    assert (found.by_tract(), found.by_patch()) == ({}, {})


def test_wrong_tables_and_arguments_are_refused() -> None:
    """With what is there, and what to do."""
    table = inputs(*of_cell(0, 0.0))
    table["masked_fraction_SAT"] = table["masked_fraction_SAT_inner"] = 0.0
    with pytest.raises(ValueError, match=r"no column masked_fraction_BAD.*are \['SAT'\]"):
        remaining_input_fraction(table, plane="BAD")
    with pytest.raises(ValueError, match="'outer' or 'inner', got 'middle'"):
        remaining_input_fraction(table, region="middle")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"finite and grow, got \[0.2, 0.1\]"):
        remaining_input_fraction(table, thresholds=[0.2, 0.1])
    with pytest.raises(ValueError, match=r"no columns \['accepted', 'tract_cell_x'\]"):
        remaining_input_fraction(Table({n: table[n] for n in table.colnames
                                        if n not in ("accepted", "tract_cell_x")}))  # fmt: skip
    two = vstack([table, inputs(*of_cell(0, 0.0, band="r"))])
    with pytest.raises(ValueError, match=r"several values of band, \['i', 'r'\]"):
        remaining_input_fraction(two)


# Laws


@given(
    fractions=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20),
    thresholds=st.lists(st.floats(0.0, 2.0), min_size=1, max_size=10, unique=True),
)
def test_the_function_grows_from_0_to_1(fractions: list[float], thresholds: list[float]) -> None:
    """A milder cut keeps no fewer; none is below the least, all are below more than the most."""
    limits = sorted([*thresholds, 0.0, 3.0] if 0.0 not in thresholds else [*thresholds, 3.0])
    found = remaining_input_fraction(inputs(*of_cell(0, *fractions)), thresholds=limits).mean()
    assert (np.diff(found) >= 0).all()
    assert (found[0], found[-1]) == (0.0, 1.0)
    assert found.tolist() == [
        sum(fraction < limit for fraction in fractions) / len(fractions) for limit in limits
    ]


@given(data=st.data())
def test_groups_are_counted_as_one_would(data: st.DataObject) -> None:
    """Groups without members, values that are NaN, values that are equal to a threshold."""
    values = st.one_of(st.sampled_from([0.0, 0.1, 0.2, math.nan]), st.floats(0.0, 0.5))
    members = data.draw(st.lists(st.tuples(st.integers(0, 3), values), max_size=15))
    thresholds = [0.1, 0.2, 0.3]
    found = remaining_fractions(
        np.array([value for _, value in members], np.float64),
        groups=np.array([group for group, _ in members], np.int64),
        count=4,
        thresholds=thresholds,
    )
    for group in range(4):
        mine = [value for number, value in members if number == group]
        if not mine or any(math.isnan(value) for value in mine):
            assert np.isnan(found[group]).all()
        else:
            expected = [sum(v < t for v in mine) / len(mine) for t in thresholds]
            assert found[group].tolist() == expected


def test_the_default_thresholds_are_those_of_the_technote() -> None:
    """0.001 to 0.019 by 0.001, then 0.02 to 0.14 by 0.01."""
    assert len(DEFAULT_THRESHOLDS) == 32
    expected = np.append(np.arange(0.001, 0.02, 0.001), np.arange(0.02, 0.15, 0.01))
    np.testing.assert_allclose(DEFAULT_THRESHOLDS, expected, rtol=1e-12)
    # Each is the number that one writes: 4 px of 250 are not below 0.016.
    assert DEFAULT_THRESHOLDS[15] == 4 / 250 == 0.016
