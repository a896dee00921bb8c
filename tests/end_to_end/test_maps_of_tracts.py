"""Maps and the report of a tract: from made-up tables, and from images by the whole pipeline."""

from __future__ import annotations

import contextlib
import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import healsparse
import numpy as np
import pytest
from astropy.table import Table
from lsst.daf.butler import Butler, DatasetType

from cellcoadd.analysis.cell_table import CELL_COLUMNS
from cellcoadd.analysis.map_quantities import MAP_QUANTITIES
from cellcoadd.analysis.visit_maps import tabulate_visits
from cellcoadd.analysis.visit_properties import DEFAULT_VISIT_MAPS, VisitMap
from cellcoadd.cell_grid import Index2D
from cellcoadd.skymap import named_sky_map
from cellcoadd.testing.cell_tables import invent_cell_table
from cellcoadd.testing.commands import Outcome, run_command
from cellcoadd.testing.repositories import copy_repository, template_repository
from cellcoadd.testing.run_products import dataset_types_in

INPUT = "HSC/runs/RC2_subset/d_2024_08_27"
PIPELINE = "resource://cellcoadd/pipelines/full.yaml"
WHERE = "skymap='hsc_rings_cells_v1' AND tract=9813 AND band='i'"
TRACT = {"skymap": "hsc_rings_cells_v1", "tract": 9813, "band": "i"}
MAPS = {f"deepCoaddCell_{name}_map" for name in MAP_QUANTITIES}

OWNED, COPY = Index2D(x=20, y=7), Index2D(x=0, y=7)
"""The same cell in the patches 50, which owns it, and 51."""

MEASURED = [
    name
    for name, quantity in MAP_QUANTITIES.items()
    if quantity.column in {column.name for column in CELL_COLUMNS}
]


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a tract and a band, and nothing in it."""
    root = tmp_path_factory.mktemp("registered") / "repo"
    return template_repository(root, tracts=[9813])


@pytest.fixture
def tabulated(registered: Path, tmp_path: Path) -> Path:
    """Tables of two patches that are neighbours and disagree about a cell that they share."""
    tract = named_sky_map("hsc_rings_cells_v1")[9813]
    with copy_repository(registered, tmp_path / "repo") as butler:
        butler.registry.insertDimensionData(
            "instrument", {"name": "HSC", "class_name": "cellcoadd.butler.instruments.of.HSC"}
        )
        butler.registry.insertDimensionData(
            "physical_filter", {"instrument": "HSC", "name": "HSC-I", "band": "i"}
        )
        kind = DatasetType(
            "deepCoaddCell_table",
            ("tract", "patch", "band", "skymap"),
            "ArrowAstropy",
            universe=butler.dimensions,
        )
        butler.registry.registerDatasetType(kind)
        for name in ("tables", "unmasked", "old"):
            butler.collections.register(name)
        for number, cell, depth in ((51, COPY, 999.0), (50, OWNED, 26.5)):
            table = invent_cell_table(tract.patch(number))
            same = (table["cell_x"] == cell.x) & (table["cell_y"] == cell.y)
            table["depth"][same] = depth
            table["depth"].unit = "mag"
            butler.put(table, kind, {**TRACT, "patch": number}, run="tables")
    return tmp_path / "repo"


def map_tables(root: Path, inputs: str, output: str, *settings: str) -> Outcome:
    options = [word for setting in settings for word in ("-c", f"mapCells:{setting}")]
    return run_command(
        "pipetask", "run", "-b", root, "-i", f"{inputs},skymaps", "-o", output, "-p",
        f"{PIPELINE}#mapCells", "-d", WHERE, "--register-dataset-types", *options,
    )  # fmt: skip


def position_of(cell: Index2D, patch: int) -> tuple[float, float]:
    grid = named_sky_map("hsc_rings_cells_v1")[9813].patch(patch).grid
    middle = grid.middles_of(x=cell.x, y=cell.y)
    at = named_sky_map("hsc_rings_cells_v1")[9813].sky_projection.pixel_to_sky(
        x=middle.x, y=middle.y
    )
    return float(at.ra.deg), float(at.dec.deg)


def test_a_tract_has_a_map_of_every_quantity(tabulated: Path) -> None:
    """Patches join in one map; what they share is counted once, as the one that owns it says."""
    done = map_tables(tabulated, "tables", "u/fine", "nside_sparse=32768", "nside_coverage=512")
    assert done.exit_code == 0, done.output
    assert "WARNING" not in done.output
    with Butler.from_config(tabulated, collections=["u/fine", "tables"]) as butler:
        assert dataset_types_in(butler, "u/fine") == {"deepCoaddCell_table", *MAPS}
        tables: dict[int, Table] = {
            patch: butler.get("deepCoaddCell_table", {**TRACT, "patch": patch})
            for patch in (50, 51)
        }
        made = {name: butler.get(f"deepCoaddCell_{name}_map", TRACT) for name in MAP_QUANTITIES}
        path = butler.getURI("deepCoaddCell_depth_map", TRACT).ospath
    for name, quantity in MAP_QUANTITIES.items():
        for patch, cell in ((50, Index2D(x=5, y=5)), (51, Index2D(x=12, y=3))):
            row = 22 * cell.y + cell.x
            value = made[name].get_values_pos(*position_of(cell, patch))
            assert value == pytest.approx(tables[patch][quantity.column][row], rel=1e-12)
    depth = healsparse.HealSparseMap.read(path)
    assert depth.get_values_pos(*position_of(OWNED, 50)) == pytest.approx(26.5, rel=1e-12)
    assert depth.metadata["UNIT"] == "mag"
    # 22 + 22 columns less the two that are shared.
    assert depth.metadata["NCELLS"] == 22 * (22 + 20)
    assert (depth.nside_sparse, depth.nside_coverage) == (32768, 512)


def test_only_what_is_asked_for_is_made(tabulated: Path) -> None:
    """By centres, at a resolution that leaves some cells out; other maps are not even declared."""
    done = map_tables(tabulated, "tables", "u/depth", "quantities=[depth]", "assignment=centre")
    assert done.exit_code == 0, done.output
    with Butler.from_config(tabulated, collections="u/depth") as butler:
        assert dataset_types_in(butler, "u/depth") == {
            "deepCoaddCell_table", "deepCoaddCell_depth_map",
        }  # fmt: skip
        made = butler.get("deepCoaddCell_depth_map", TRACT)
    assert made.metadata["ASSIGN"] == "centre"
    assert 0.94 < made.n_valid / (22 * 42) < 0.98


def test_a_quantity_that_no_cell_has_is_spoken_of(tabulated: Path) -> None:
    """An empty map is no failure, but a user who looks at it must be able to find out why."""
    with Butler.from_config(tabulated, writeable=True) as butler:
        refs = butler.query_datasets("deepCoaddCell_table", "tables")
        tables: list[tuple[dict[str, Any], Table]] = [
            (dict(ref.dataId.required), butler.get(ref)) for ref in refs
        ]
        for data_id, table in tables:
            table["masked_fraction"] = np.nan
            butler.put(table, "deepCoaddCell_table", data_id, run="unmasked")
    done = map_tables(tabulated, "unmasked", "u/empty")
    assert done.exit_code == 0, done.output
    assert "The map of masked_fraction is empty: no cell of tract 9813 has it." in done.output
    with Butler.from_config(tabulated, collections="u/empty") as butler:
        assert butler.get("deepCoaddCell_masked_fraction_map", TRACT).n_valid == 0
        assert butler.get("deepCoaddCell_depth_map", TRACT).n_valid > 0


def test_a_table_without_the_column_is_refused_by_name(tabulated: Path) -> None:
    """Tables of an earlier version lack some; the message says which, and what to do."""
    with Butler.from_config(tabulated, writeable=True) as butler:
        table = butler.get("deepCoaddCell_table", {**TRACT, "patch": 50}, collections="tables")
        table.remove_column("depth")
        butler.put(table, "deepCoaddCell_table", {**TRACT, "patch": 50}, run="old")
    done = map_tables(tabulated, "old,tables", "u/old")
    assert done.exit_code != 0
    assert "patch 50 has no column ['depth']; make it again with tabulateCells" in done.output


def test_the_whole_pipeline_goes_from_images_to_the_report(single: Path) -> None:
    """What the table says of a cell is found on the map at its position, and on the page."""
    done = run_command(
        "pipetask", "run", "-b", single, "-i", INPUT, "-o", "u/full", "-p", PIPELINE,
        "-d", f"instrument='HSC' AND {WHERE}", "--register-dataset-types",
        "-c", f"mapCells:quantities={MEASURED}",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    with Butler.from_config(single, collections="u/full") as butler:
        made_types = dataset_types_in(butler, "u/full")
        assert {
            "deepCoadd_directWarp", "deepCoadd_directWarp_maskedFraction", "deepCoaddCell",
            "deepCoaddCell_stitched", "deepCoaddCell_table",
        } <= made_types  # fmt: skip
        assert {name for name in made_types if name.endswith("_map")} == {
            f"deepCoaddCell_{name}_map" for name in MEASURED
        }
        (ref,) = butler.query_datasets("deepCoaddCell_table")
        table = butler.get(ref)
        for name in MEASURED:
            made = butler.get(f"deepCoaddCell_{name}_map", TRACT)
            column = MAP_QUANTITIES[name].column
            assert len(table) == 1
            value = made.get_values_pos(table["ra"][0], table["dec"][0])
            assert value == table[column][0]
            assert made.metadata["UNIT"] == str(table[column].unit or "")
            assert made.metadata["BAND"] == "i"
        inputs = butler.get("deepCoaddCell_inputTable", dict(ref.dataId.required))
        inputs = inputs[inputs["accepted"]]
        for name in DEFAULT_VISIT_MAPS:
            made = butler.get(f"deepCoaddCell_{name}", TRACT)
            value = made.get_values_pos(table["ra"][0], table["dec"][0])
            assert value == tabulate_visits(inputs, [VisitMap.named(name)])[name][0]
        assert made.metadata["BAND"] == "i"
        page = butler.get("deepCoaddCell_report", TRACT)
        (made_in,) = {
            row.run for kind in made_types for row in butler.query_datasets(kind, limit=None)
        }
        file = Path(butler.getURI("deepCoaddCell_report", TRACT).ospath)
    assert file.suffix == ".html"
    assert file.read_text(encoding="utf-8") == page
    assert headings_of(page) >= {"The coadd", "Depth", "Masked pixels", "Refused inputs", "Numbers"}
    assert f"<dd>{table['depth'][0]:.2f} AB mag</dd>" in page
    assert f"<dd>{table['psf_fwhm'][0]:.2f} arcsec</dd>" in page
    assert 'id="coadd"' in page
    assert 'id="sky-depth"' in page
    assert 'id="visits"' in page
    with code_on(page, single) as names:
        assert names["coadd"].identifiers.patch == table["patch"][0]
        assert list(names["depth_map"].valid_pixels)
    assert f"cellcoadd report REPO --collection {made_in} -o FOLDER" in page


def test_a_page_of_tables_alone_names_what_is_missing(tabulated: Path, tmp_path: Path) -> None:
    """Coadds that were removed, maps and tables of inputs that were never made.

    The page can be copied out of the repository as it is.
    """
    done = run_command(
        "pipetask", "run", "-b", tabulated, "-i", "tables,skymaps", "-o", "u/page",
        "-p", f"{PIPELINE}#reportCells", "-d", WHERE, "--register-dataset-types",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    with Butler.from_config(tabulated, collections=["u/page"]) as butler:
        page = butler.get("deepCoaddCell_report", TRACT)
    assert {"Depth", "Numbers"} <= headings_of(page)
    assert "There is no deepCoaddCell." in page
    assert "There is no deepCoaddCell_inputTable." in page
    for quantity in MAP_QUANTITIES:
        assert f"There is no deepCoaddCell_{quantity}_map." in page
    assert "There is no deepCoaddCell_exposure_time_map_sum, deepCoaddCell_n_exp" in page
    with code_on(page, tabulated) as names:
        assert isinstance(names["table"], Table)
    copied = run_command(
        "butler", "retrieve-artifacts", tabulated, f"{tmp_path}/pages/",
        "-d", "deepCoaddCell_report", "--collections", "u/page",
    )  # fmt: skip
    assert copied.exit_code == 0, copied.output
    (file,) = (tmp_path / "pages").rglob("*.html")
    assert file.read_text(encoding="utf-8") == page


def headings_of(page: str) -> set[str]:
    return set(re.findall("<h2>(.*?)</h2>", page))


@contextlib.contextmanager
def code_on(page: str, root: Path) -> Iterator[dict[str, Any]]:
    """Run the Python on a page, in the repository, and give its names."""
    (code,) = re.findall("<pre.*?><code>(.*?)</code></pre>", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(html.unescape(code).replace("'REPO'", repr(str(root))), names)
    with names["butler"]:
        yield names
