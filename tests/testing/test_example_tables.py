"""The made-up tables hang together as those of a coadd do."""

from __future__ import annotations

import numpy as np

from cellcoadd.report.tract_data import each_cell_once
from cellcoadd.testing.example_tables import example_cells, example_inputs, example_map
from cellcoadd.testing.images import small_tract

INPUTS = example_inputs(small_tract(), (23, 24))
CELLS = example_cells(INPUTS)


def test_a_cell_of_two_patches_is_the_same_in_both() -> None:
    """But for its names in the patch: reports rely on it when they count cells once."""
    names = [name for name in CELLS.colnames if name not in ("patch", "cell_x", "cell_y")]
    by_place: dict[tuple[int, int], list[tuple[object, ...]]] = {}
    for row in CELLS:
        place = (int(row["tract_cell_x"]), int(row["tract_cell_y"]))
        values = [row[name] for name in names if name != "noise_factor_measured"]
        by_place.setdefault(place, []).append(tuple(values))
    assert any(len(rows) == 2 for rows in by_place.values())
    assert all(len(set(rows)) == 1 for rows in by_place.values())
    assert len(each_cell_once(CELLS)) == len(by_place)


def test_a_cell_is_what_its_accepted_inputs_make_of_it() -> None:
    """Number of visits, sum of the weights, and depth by the formula of the specification."""
    accepted = INPUTS[INPUTS["accepted"]]
    assert set(INPUTS["reason"][~INPUTS["accepted"]]) <= {"overlap", "center", "masked"}
    for row in CELLS:
        here = accepted[
            (accepted["patch"] == row["patch"])
            & (accepted["cell_x"] == row["cell_x"])
            & (accepted["cell_y"] == row["cell_y"])
        ]
        assert row["visit_count"] == len(here)
        np.testing.assert_allclose(row["weight_sum"], here["weight"].sum())
        noise = 5.0 * np.sqrt(row["psf_area"] * row["variance_median"])
        np.testing.assert_allclose(row["depth"], 31.4 - 2.5 * np.log10(noise))


def test_a_map_has_each_cells_value_at_its_middle() -> None:
    """With pixels much smaller than the cells, which are 4 arcsec wide."""
    values = example_map(CELLS, "depth", nside=2**18, half_width_arcsec=1.5)
    found = values.get_values_pos(np.asarray(CELLS["ra"]), np.asarray(CELLS["dec"]))
    np.testing.assert_array_equal(found, CELLS["depth"])
