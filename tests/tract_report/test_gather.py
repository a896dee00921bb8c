"""The data of a report out of tables, maps and coadds that were read somehow."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table

from cellcoadd.analysis.tract_cells import places_in_tract
from cellcoadd.report.tract_data import Provenance, each_cell_once
from cellcoadd.testing.example_tables import example_cells, example_inputs, example_map
from cellcoadd.testing.images import small_tract
from cellcoadd.tract_report.gather import fullest_first, gather_tract_data, stack_tables

NOWHERE = Provenance()


@pytest.fixture(scope="module")
def inputs() -> Table:
    """Of two patches that are neighbours."""
    return example_inputs(small_tract(), (16, 17))


@pytest.fixture(scope="module")
def cells(inputs: Table) -> Table:
    """Of the same patches."""
    return example_cells(inputs)


def test_numbers_of_the_grid_are_those_of_the_sky_map() -> None:
    """Cells of 20 + 2 x 6 pixels of 0.2 arcsec, 5 x 5 a patch."""
    data = gather_tract_data(small_tract(), "i", provenance=NOWHERE, coadded=[24])
    assert (data.skymap, data.tract, data.band) == ("small", 0, "i")
    assert (data.grid_shape.x, data.grid_shape.y, data.outer_width) == (5, 5, 32)
    assert data.cell_area_arcmin2 == pytest.approx((20 * 0.2 / 60) ** 2)
    assert data.outlines == {24: small_tract().patch(24).inner_region}
    assert (data.cells, data.inputs, data.maps, data.thresholds) == (None, None, {}, {})


def test_patches_are_outlined_that_have_a_coadd_or_a_table(cells: Table, inputs: Table) -> None:
    """And threshold functions come from the table of inputs."""
    data = gather_tract_data(
        small_tract(), "i", provenance=NOWHERE, cells=cells, inputs=inputs, coadded=[24, 17]
    )
    assert list(data.outlines) == [16, 17, 24]
    assert set(data.patch_thresholds) == {16, 17}
    assert "BAD" in data.thresholds


def test_a_map_without_a_pixel_is_no_map(cells: Table) -> None:
    """A figure of it would be empty; the page says instead that there is none."""
    depth = example_map(cells, "depth", nside=2**18, half_width_arcsec=2.0)
    none = cells.copy()
    none["variance_median"] = np.nan
    empty = example_map(none[:0], "variance_median", nside=2**18, half_width_arcsec=2.0)
    data = gather_tract_data(
        small_tract(), "i", provenance=NOWHERE, maps={"depth": depth, "variance": empty}
    )
    assert list(data.maps) == ["depth"]


def test_tables_are_stacked_with_the_places_of_cells(cells: Table) -> None:
    """Also those of older versions that have no places; empty ones are nothing.

    Of a cell that two patches have, the row of the one that it belongs to comes first.
    """
    parts = [cells[cells["patch"] == patch] for patch in (16, 17)]
    old = [part.copy() for part in parts]
    for part in old:
        part.remove_columns(["tract_cell_x", "tract_cell_y"])
    for given in (parts, old):
        stacked = stack_tables([*given, cells[:0]], small_tract())
        assert stacked is not None
        names = ["patch", "tract_cell_x", "tract_cell_y"]
        whole = [tuple(row) for part in parts for row in part[names]]
        assert sorted(tuple(row) for row in stacked[names]) == sorted(whole)
        firsts = each_cell_once(stacked)
        inside = (firsts["cell_x"] >= 1) & (firsts["cell_x"] <= 3)
        inside &= (firsts["cell_y"] >= 1) & (firsts["cell_y"] <= 3)
        owned = {(row["tract_cell_x"], row["tract_cell_y"]) for row in firsts[inside]}
        places, own = places_in_tract(
            small_tract(), patch=stacked["patch"], cell_x=stacked["cell_x"],
            cell_y=stacked["cell_y"],
        )  # fmt: skip
        assert owned == set(zip(places.x[own].tolist(), places.y[own].tolist(), strict=True))
    assert stack_tables([cells[:0]], small_tract()) is None
    assert stack_tables([], small_tract()) is None


def test_the_fullest_patch_comes_first() -> None:
    """Patches without a row come last, in the order in which they were given."""
    cells = Table({"patch": [5, 7, 7, 6, 7, 6]})
    assert fullest_first([4, 5, 6, 7, 3], cells) == [7, 6, 5, 4, 3]
    assert fullest_first([6, 5], None) == [6, 5]


def test_tables_of_two_units_are_not_stacked(cells: Table) -> None:
    """A column of nJy^2 and counts^2 would be of neither."""
    first, second = (cells[cells["patch"] == number] for number in (16, 17))
    second["variance_median"].unit = u.count**2
    with pytest.raises(ValueError, match=r"variance_median is in nJy2 in the table of patch 16"):
        stack_tables([first, second], small_tract())
