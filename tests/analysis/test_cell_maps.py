"""Maps of a tract: each pixel has the mean of its cells, each cell once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import healsparse
import numpy as np
import pytest
from astropy.table import Table, vstack

from cellcoadd.analysis.cell_maps import CellMapSettings, map_cells
from cellcoadd.analysis.cell_pixels import PixelAssignment, pixels_of_cells
from cellcoadd.analysis.map_quantities import MAP_QUANTITIES
from cellcoadd.cell_grid import Index2D
from cellcoadd.skymap import SkyMap, Tract, named_sky_map
from cellcoadd.testing.cell_tables import invent_cell_table

SKY_MAP = SkyMap.from_definition(
    {
        "kind": "discrete",
        "pixel_scale_arcsec": 0.5,
        "rotation": 20.0,
        "cell_inner_size": 24,
        "cell_border": 4,
        "patch_inner_cells": 3,
        "tracts": [
            {"ra": 359.9995, "dec": -62.0, "radius": 0.012},
            {"ra": 120.0, "dec": 89.9985, "radius": 0.012},
        ],
    },
    name="small",
)
"""Cells of 12 arcsec: a tract across the meridian of right ascension 0, and one with a pole."""

NSIDE = 2**15
"""Pixels of 6.4 arcsec, half as wide as a cell."""

FIELD = named_sky_map("hsc_rings_cells_v1")[9813]

WAYS = pytest.mark.parametrize("assignment", list(PixelAssignment))
TRACTS = pytest.mark.parametrize("tract", [SKY_MAP[0], SKY_MAP[1]], ids=["ra-0", "pole"])


def tables_of(tract: Tract, *, count: int = 4) -> list[Table]:
    """Tables of the first patches, with copies of cells that agree."""
    width = tract.patch_shape.x
    return [invent_cell_table(tract.patch(n)) for n in (0, 1, width, width + 1)[:count]]


def made_of(tables: list[Table], tract: Tract, **settings: Any) -> dict[str, Any]:
    maps = map_cells(
        tables,
        tract,
        settings=CellMapSettings(**{"nside_sparse": NSIDE, "nside_coverage": 512, **settings}),
    )
    assert maps is not None
    return maps


def cells_by_place(tables: list[Table], tract: Tract) -> dict[tuple[int, int], dict[str, float]]:
    """Rows by the place of their cell, told by its box in pixels; copies agree."""
    size = tract.settings.cell_inner_size
    found = {}
    for row in vstack(tables):
        grid = tract.patch(int(row["patch"])).grid
        box = grid.inner_bbox_of(Index2D(x=int(row["cell_x"]), y=int(row["cell_y"])))
        found[box.y.start // size, box.x.start // size] = dict(row)
    return dict(sorted(found.items()))


@WAYS
@TRACTS
def test_a_pixel_has_the_mean_of_its_cells(tract: Tract, assignment: PixelAssignment) -> None:
    """Added up cell by cell in plain Python; all that can be mapped, wherever the tract is."""
    tables = tables_of(tract)
    maps = made_of(tables, tract, assignment=assignment)
    assert list(maps) == list(MAP_QUANTITIES)
    rows = cells_by_place(tables, tract)
    assert len(rows) == 64
    pixels, cells = pixels_of_cells(
        tract,
        x=np.array([x for _, x in rows]),
        y=np.array([y for y, _ in rows]),
        nside=NSIDE,
        assignment=assignment,
    )
    listed: dict[int, list[dict[str, float]]] = {}
    for pixel, cell in zip(pixels.tolist(), cells.tolist(), strict=True):
        listed.setdefault(pixel, []).append(list(rows.values())[cell])
    assert (max(map(len, listed.values())) > 1) == (assignment is PixelAssignment.BOX)
    for name, quantity in MAP_QUANTITIES.items():
        made = maps[name]
        np.testing.assert_array_equal(made.valid_pixels, sorted(listed))
        expected = [np.mean([row[quantity.column] for row in listed[p]]) for p in sorted(listed)]
        np.testing.assert_allclose(made.get_values_pix(made.valid_pixels), expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("tract", "assignment"),
    [
        (SKY_MAP[0], PixelAssignment.BOX),
        (SKY_MAP[0], PixelAssignment.CENTRE),
        (SKY_MAP[1], PixelAssignment.CENTRE),
    ],
    ids=["ra-0-box", "ra-0-centre", "pole-centre"],
)
def test_the_map_at_the_middle_of_a_cell_is_the_cell(
    tract: Tract, assignment: PixelAssignment
) -> None:
    """Pixels of 0.8 arcsec are well inside of a cell of 12: what the table says is found there.

    The box of a cell turned by 45 degrees reaches the middles of its neighbours, so that by boxes
    this does not hold around a pole.
    """
    tables = tables_of(tract)
    maps = made_of(tables, tract, nside_sparse=2**18, assignment=assignment)
    for row in vstack(tables):
        patch = tract.patch(int(row["patch"]))
        middle = patch.grid.middles_of(x=row["cell_x"], y=row["cell_y"])
        at = tract.sky_projection.pixel_to_sky(x=middle.x, y=middle.y)
        for name, quantity in MAP_QUANTITIES.items():
            value = maps[name].get_values_pos(at.ra.deg, at.dec.deg)
            assert value == pytest.approx(row[quantity.column], rel=1e-14), (name, row)


@WAYS
def test_a_shared_cell_counts_once(assignment: PixelAssignment) -> None:
    """One copy of a shared cell says 999; the patch that owns the cell says what is true.

    Were both counted, pixels would have their mean; were the last one taken, the order would
    matter. In pixels that the cell has in common with one that is not shared, its weight is one
    half, not two thirds.
    """
    tract = FIELD
    left, right = (tract.patch(number) for number in (50, 51))
    # Column 20 of the left patch, its own, is column 0 of the right one; 19 is not shared.
    owned, other = Index2D(x=20, y=7), Index2D(x=19, y=7)
    copy = Index2D(x=0, y=7)
    assert left.grid.inner_bbox_of(owned) == right.grid.inner_bbox_of(copy)
    tables = [
        invent_cell_table(left, cells=[other, owned], columns={"depth": [25.0, 27.0]}),
        invent_cell_table(right, cells=[copy], columns={"depth": 999.0}),
    ]
    settings = {"quantities": ("depth",), "assignment": assignment, "nside_sparse": NSIDE}
    values = set()
    for order in ((0, 1), (1, 0)):
        made = made_of([tables[number] for number in order], tract, **settings)["depth"]
        assert made.metadata["NCELLS"] == 2
        values |= set(made.get_values_pix(made.valid_pixels).tolist())
    middle = {26.0} if assignment is PixelAssignment.BOX else set()
    assert values == {25.0, 27.0} | middle

    # The copies do differ where they are all there is, so that this test can fail.
    alone = made_of(tables[1:], tract, **settings)["depth"]
    assert set(alone.get_values_pix(alone.valid_pixels).tolist()) == {999.0}


def test_the_order_of_the_tables_does_not_matter() -> None:
    """To the bit: sums of numbers that are not whole would depend on it."""
    tables = tables_of(SKY_MAP[0])
    rng = np.random.default_rng(4)
    for table in tables:
        table["depth"] = rng.uniform(1.0, 2.0, len(table))
    first, *others = (
        made_of([tables[number] for number in order], SKY_MAP[0], quantities=("depth",))["depth"]
        for order in list(itertools.permutations(range(4)))[::5]
    )
    for made in others:
        np.testing.assert_array_equal(made.valid_pixels, first.valid_pixels)
        assert np.array_equal(
            made.get_values_pix(first.valid_pixels), first.get_values_pix(first.valid_pixels)
        )


def test_tables_are_asked_for_one_at_a_time() -> None:
    """A generator will do, as a tract's tables need not all be in memory."""

    def one_by_one() -> Iterator[Table]:
        yield from tables_of(SKY_MAP[0])

    made = map_cells(one_by_one(), SKY_MAP[0], settings=CellMapSettings(nside_sparse=NSIDE))
    assert made is not None
    assert made["depth"].metadata["NCELLS"] == 64


def test_numbers_of_inputs_are_averaged_too() -> None:
    """Of 3 visits and 4 in cells side by side a pixel on the line has 3.5, as a whole number none.

    Hence the type of the map.
    """
    patch = FIELD.patch(50)
    table = invent_cell_table(
        patch,
        cells=[Index2D(x=5, y=7), Index2D(x=6, y=7)],
        columns={"visit_count": np.array([3, 4], np.int32)},
    )
    made = made_of([table], FIELD, quantities=("inputs",))["inputs"]
    assert made.dtype == np.float64
    assert set(made.get_values_pix(made.valid_pixels).tolist()) == {3.0, 3.5, 4.0}


def test_values_that_are_not_known_are_left_out() -> None:
    """Of a variance that is not known no zero is averaged in, and other quantities are mapped."""
    patch = FIELD.patch(50)
    three = [Index2D(x=x, y=7) for x in (5, 6, 7)]
    table = invent_cell_table(
        patch,
        cells=three,
        columns={"variance_median": [100.0, np.nan, np.inf], "visit_count": [1, 2, 2]},
    )
    maps = made_of([table], FIELD, quantities=("variance", "inputs"))
    variance, inputs = maps["variance"], maps["inputs"]
    assert set(variance.get_values_pix(variance.valid_pixels).tolist()) == {100.0}
    assert variance.metadata["NCELLS"] == 1
    assert inputs.metadata["NCELLS"] == 3
    assert set(variance.valid_pixels) < set(inputs.valid_pixels)
    alone = invent_cell_table(patch, cells=three[:1])
    known = made_of([alone], FIELD, quantities=("variance",))["variance"]
    np.testing.assert_array_equal(variance.valid_pixels, known.valid_pixels)


def test_no_cell_makes_no_map() -> None:
    """The task has nothing to do then."""
    empty = invent_cell_table(SKY_MAP[0].patch(0))[:0]
    for tables in ([], [empty]):
        assert map_cells(tables, SKY_MAP[0], settings=CellMapSettings()) is None


def test_a_file_says_what_the_map_is(tmp_path: Path) -> None:
    """Whoever opens it with healsparse alone finds values, unit, meaning and where it is from."""
    table = invent_cell_table(FIELD.patch(50))
    table["psf_fwhm"].unit = "arcsec"
    maps = map_cells([table], FIELD, settings=CellMapSettings())
    assert maps is not None
    for name, made in maps.items():
        path = tmp_path / f"{name}.hsp"
        made.write(str(path))
        read = healsparse.HealSparseMap.read(str(path))
        assert (read.nside_sparse, read.nside_coverage) == (8192, 256)
        np.testing.assert_array_equal(read.valid_pixels, made.valid_pixels)
        assert np.array_equal(
            read.get_values_pix(read.valid_pixels), made.get_values_pix(made.valid_pixels)
        )
        quantity = MAP_QUANTITIES[name]
        assert {key: read.metadata[key] for key in made.metadata} == {
            "QUANTITY": name,
            "MEANING": quantity.meaning,
            "UNIT": "arcsec" if name == "psf_fwhm" else "",
            "COLUMN": quantity.column,
            "SKYMAP": "hsc_rings_cells_v1",
            "TRACT": 9813,
            "BAND": "i",
            "ASSIGN": "box",
            "NCELLS": 484,
        }


def test_the_defaults_are_those_of_the_technote() -> None:
    """Boxes, on pixels of 26 arcsec, and everything that there is."""
    settings = CellMapSettings()
    assert settings.nside_sparse == 8192
    assert settings.nside_coverage == 256
    assert settings.assignment is PixelAssignment.BOX
    assert settings.quantities == tuple(MAP_QUANTITIES)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"nside_sparse": 8000}, "nside_sparse must be a power of two"),
        ({"nside_coverage": 16384}, "nside_sparse = 8192 must not be less"),
        ({"quantities": ()}, r"quantities must be some, each once, got \[\]"),
        ({"quantities": ("depth", "depth")}, "quantities must be some, each once"),
        ({"quantities": ("deepness",)}, r"must be of \['inputs', .* got 'deepness'"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    """When they are made, before any table is read."""
    with pytest.raises(ValueError, match=message):
        CellMapSettings(**settings)


def test_quantities_are_those_that_others_rely_on() -> None:
    """Names of datasets and columns: a change breaks what reads them."""
    assert {name: quantity.column for name, quantity in MAP_QUANTITIES.items()} == {
        "inputs": "visit_count",
        "variance": "variance_median",
        "depth": "depth",
        "psf_fwhm": "psf_fwhm",
        "psf_ellipticity": "psf_ellipticity",
        "psf_fidelity": "psf_fidelity",
        "psf_size_spread": "psf_size_spread",
        "psf_size_change": "psf_size_change",
        "masked_fraction": "masked_fraction",
        "input_fraction_005": "input_fraction_0.05",
        "input_fraction_010": "input_fraction_0.1",
    }
    for name, quantity in MAP_QUANTITIES.items():
        assert quantity.name == name
        assert len(quantity.meaning) < 60  # one card of a FITS header
