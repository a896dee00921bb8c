"""Every cell of a tract once, out of tables that have some of them up to four times."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from astropy.table import Table, vstack
from lsst.images import Box

from cellcoadd.analysis.tract_cells import gather_cells, places_in_tract
from cellcoadd.cell_grid import Index2D
from cellcoadd.skymap import SkyMap, named_sky_map
from cellcoadd.testing.cell_tables import invent_cell_table

SKY_MAP = SkyMap.from_definition(
    {
        "kind": "discrete",
        "pixel_scale_arcsec": 0.5,
        "cell_inner_size": 24,
        "cell_border": 4,
        "patch_inner_cells": 3,
        "tracts": [{"ra": 30.0, "dec": 10.0, "radius": 0.012}],
    },
    name="small",
)
"""A patch has 5 x 5 cells and shares two rows or columns of them with each neighbour."""

TRACT = SKY_MAP[0]
FOUR = (0, 1, TRACT.patch_shape.x, TRACT.patch_shape.x + 1)
"""Ids of patches that meet in a corner. Cells x = 3 and 4 of patch 0 are 0 and 1 of patch 1."""


def test_equal_places_are_the_same_pixels() -> None:
    """Also in the sky map that is used most: its patches share two rows or columns of cells."""
    for tract in (TRACT, named_sky_map("hsc_rings_cells_v1")[9813]):
        size, width = tract.settings.cell_inner_size, tract.patch_shape.x
        for number in (0, 1, width, width + 1):
            patch = tract.patch(number)
            cells = list(patch.grid)
            places, owned = places_in_tract(
                tract,
                patch=number,
                cell_x=[cell.x for cell in cells],
                cell_y=[cell.y for cell in cells],
            )
            for cell, x, y, own in zip(cells, places.x, places.y, owned, strict=True):
                box = patch.grid.inner_bbox_of(cell)
                assert (box.x.start, box.y.start) == (size * x, size * y)
                assert own == patch.inner_bbox.contains(box)


def test_neighbours_share_two_columns() -> None:
    """The numbers of the sky map of the Rubin pipelines: 22 columns, of which 20 are new."""
    tract = named_sky_map("hsc_rings_cells_v1")[9813]
    places, _ = places_in_tract(tract, patch=[[50], [51]], cell_x=np.arange(22), cell_y=0)
    shared = set(places.x[0]) & set(places.x[1])
    assert shared == {139, 140}
    assert places.x[0, 20] == places.x[1, 0] == 139


@pytest.mark.parametrize(
    ("patch", "cell_x", "cell_y", "message"),
    [
        (TRACT.patch_shape.x * TRACT.patch_shape.y, 0, 0, "patch must be in"),
        (-1, 0, 0, r"patch must be in .* got -1"),
        (0, 5, 0, r"cell_x must be in 0\.\.4 in tract 0 of sky map 'small', got 5"),
        (0, 0, [4, 7], r"cell_y must be in 0\.\.4 .* got 7"),
    ],
)
def test_cells_that_do_not_exist_are_refused(
    patch: int, cell_x: int, cell_y: int, message: str
) -> None:
    """A wrong number would be another cell's place."""
    with pytest.raises(ValueError, match=message):
        places_in_tract(TRACT, patch=patch, cell_x=cell_x, cell_y=cell_y)


def test_every_cell_comes_once() -> None:
    """Four patches of 5 x 5 cells have 100 rows, but only 8 x 8 cells."""
    tables = [invent_cell_table(TRACT.patch(number)) for number in FOUR]
    cells = gather_cells(tables, TRACT, columns=["depth", "visit_count"])
    assert sum(map(len, tables)) == 100
    assert len(cells) == 64
    assert list(zip(cells.y, cells.x, strict=True)) == [
        (y, x) for y in range(-1, 7) for x in range(-1, 7)
    ]
    for table in tables:
        places, _ = places_in_tract(
            TRACT, patch=table["patch"], cell_x=table["cell_x"], cell_y=table["cell_y"]
        )
        row = 8 * (places.y + 1) + places.x + 1
        np.testing.assert_array_equal(cells.values[0, row], table["depth"])
        np.testing.assert_array_equal(cells.values[1, row], table["visit_count"])


def test_counting_shared_cells_twice_would_be_wrong() -> None:
    """A depth of 25 in shared cells, 27 elsewhere: a mean over rows leans to the shared ones."""
    tables = []
    for number in FOUR[:2]:
        patch = TRACT.patch(number)
        shared = [index.x >= 3 if number == 0 else index.x < 2 for index in patch.grid]
        tables.append(invent_cell_table(patch, columns={"depth": np.where(shared, 25.0, 27.0)}))
    cells = gather_cells(tables, TRACT, columns=["depth"])
    # 8 columns, of which 2 are shared; in rows it is 4 columns of 10.
    assert cells.values.mean() == pytest.approx((2 * 25 + 6 * 27) / 8)
    assert vstack(tables)["depth"].mean() == pytest.approx((4 * 25 + 6 * 27) / 10)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::5])
def test_a_shared_cell_is_that_of_the_patch_that_owns_it(order: tuple[int, ...]) -> None:
    """Each patch says its own id: the one in whose inner box a cell lies prevails, in any order.

    Cells outside of all inner boxes are those of the lowest id. Tables may be joined before.
    """
    patches = [TRACT.patch(number) for number in FOUR]
    tables = [invent_cell_table(patch, columns={"depth": float(patch.id)}) for patch in patches]
    ordered = [tables[number] for number in order]
    cells = gather_cells(ordered, TRACT, columns=["depth"])
    for x, y, depth in zip(cells.x, cells.y, cells.values[0], strict=True):
        box = Box.from_shape((24, 24), start=(24 * int(y), 24 * int(x)))
        owners = [patch.id for patch in patches if patch.inner_bbox.contains(box)]
        holders = [patch.id for patch in patches if patch.grid.bbox.contains(box)]
        assert depth == (owners or holders)[0]
    joined = gather_cells([vstack(ordered)], TRACT, columns=["depth"])
    np.testing.assert_array_equal(joined.values, cells.values)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_cell_that_its_own_patch_lacks_is_that_of_the_lowest_id(order: tuple[int, int]) -> None:
    """It is data all the same. Place (2, 3) is that of the third patch, which does not fill it.

    The first patch has it in its upper border, the second in its upper left corner.
    """
    third = TRACT.patch(FOUR[2])
    tables = [
        invent_cell_table(TRACT.patch(number), columns={"depth": 10.0 + number})
        for number in FOUR[:2]
    ]
    others = [index for index in third.grid if index != Index2D(x=3, y=1)]
    last = invent_cell_table(third, cells=others, columns={"depth": 20.0})
    cells = gather_cells([last, *(tables[number] for number in order)], TRACT, columns=["depth"])
    depth = {(x, y): d for x, y, d in zip(cells.x, cells.y, cells.values[0], strict=True)}
    assert depth[2, 3] == 10.0
    assert depth[1, 3] == 20.0
    assert depth[3, 3] == 10.0  # of the fourth patch, which is not here at all


def test_what_is_not_known_stays_unknown() -> None:
    """A filled cell without a value is a cell; tables without rows say nothing."""
    patch = TRACT.patch(4)
    some = [Index2D(x=1, y=1), Index2D(x=3, y=2)]
    table = invent_cell_table(patch, cells=some, columns={"depth": [np.nan, 26.0]})
    masked = Table(table, masked=True)
    masked["depth"].mask = [False, True]
    for given, expected in ((table, [[np.nan, 26.0]]), (masked, [[np.nan, np.nan]])):
        cells = gather_cells([table[:0], given], TRACT, columns=["depth"])
        np.testing.assert_array_equal(cells.values, expected)
    assert cells.band == "i"
    nothing = gather_cells([table[:0]], TRACT, columns=["depth"])
    assert len(nothing) == 0
    assert nothing.values.shape == (1, 0)


def test_units_come_along() -> None:
    """The table states them; a pure number has none."""
    table = invent_cell_table(TRACT.patch(0))
    table["psf_fwhm"].unit = "arcsec"
    cells = gather_cells([table], TRACT, columns=["psf_fwhm", "visit_count"])
    assert cells.units == ("arcsec", "")


def _without_depth(table: Table) -> None:
    table.remove_column("depth")


def _of_another_tract(table: Table) -> None:
    table["tract"][3] = 7


def _of_another_sky_map(table: Table) -> None:
    table["skymap"] = "large"


def _of_another_band(table: Table) -> None:
    table["band"] = "r"


def _in_another_unit(table: Table) -> None:
    table["depth"].unit = "arcsec"


def _with_a_repeated_row(table: Table) -> None:
    table.add_row(table[7])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_without_depth, r"patch 1 has no column \['depth'\]; make it again with tabulateCells"),
        (_of_another_tract, "patch 1 has cells of tract 7; all must be of 0"),
        (_of_another_sky_map, "patch 1 has cells of skymap large; all must be of small"),
        (_of_another_band, "patch 1 has cells of band r; all must be of i"),
        (_in_another_unit, "patch 1 has depth in 'arcsec', those of other patches in ''"),
        (_with_a_repeated_row, "Cell x=2, y=1 of patch 1 of tract 0 comes twice"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(spoil: Callable[[Table], None], message: str) -> None:
    """It would spoil the others silently."""
    good, bad = (invent_cell_table(TRACT.patch(number)) for number in (0, 1))
    spoil(bad)
    with pytest.raises(ValueError, match=message):
        gather_cells([good, bad], TRACT, columns=["depth"])


def test_a_table_that_is_given_twice_is_refused() -> None:
    """Whether its cells are its own or shared."""
    table = invent_cell_table(TRACT.patch(0))
    for part in (table, table[:1]):
        with pytest.raises(ValueError, match=r"patch 0 of tract 0 comes twice; give each table"):
            gather_cells([part, part], TRACT, columns=["depth"])
