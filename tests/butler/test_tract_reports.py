"""Reports on tracts of which a repository holds tables and maps, and no coadd."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from click.testing import CliRunner, Result
from lsst.daf.butler import Butler, DatasetType

from cellcoadd.butler.coadd_provenance import read_provenance
from cellcoadd.butler.tract_datasets import TractName, find_datasets, find_tracts, read_tract
from cellcoadd.butler.tract_reports import write_reports
from cellcoadd.cli import main
from cellcoadd.errors import RepositoryError
from cellcoadd.report.tract_data import Provenance, each_cell_once
from cellcoadd.skymap import named_sky_map
from cellcoadd.testing.example_tables import example_cells, example_inputs, example_map
from cellcoadd.testing.repositories import template_repository
from cellcoadd.tract_report.threshold_functions import threshold_functions

SKYMAP = "hsc_rings_cells_v1"
TRACTS = {9813: (60, 61), 9697: (60,)}
RUN = "u/me/tables"
PLACES = ("tract_cell_x", "tract_cell_y")


@pytest.fixture(scope="module")
def tables() -> dict[tuple[int, int], tuple[Table, Table]]:
    """Tables of cells and of inputs by tract and patch."""
    made: dict[tuple[int, int], tuple[Table, Table]] = {}
    for number, patches in TRACTS.items():
        inputs = example_inputs(named_sky_map(SKYMAP)[number], patches, seed=number)
        cells = example_cells(inputs)
        for patch in patches:
            made[number, patch] = cells[cells["patch"] == patch], inputs[inputs["patch"] == patch]
    return made


@pytest.fixture(scope="module")
def filled(
    tables: dict[tuple[int, int], tuple[Table, Table]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A repository with these tables and a map of the depth of tract 9813. Do not change it."""
    root = template_repository(tmp_path_factory.mktemp("tables") / "repo", tracts=TRACTS)
    with Butler.from_config(root, writeable=True, run=RUN) as butler:
        patch = butler.dimensions.conform(["patch", "band"])
        tract = butler.dimensions.conform(["tract", "band"])
        kinds = [
            DatasetType("deepCoaddCell_table", patch, "ArrowAstropy"),
            DatasetType("deepCoaddCell_inputTable", patch, "ArrowAstropy"),
            DatasetType("deepCoaddCell_depth_map", tract, "HealSparseMap"),
        ]
        # A band is known through a filter.
        band = {"instrument": "HSC", "name": "HSC-I", "band": "i"}
        butler.registry.insertDimensionData("instrument", {"name": "HSC"})
        butler.registry.insertDimensionData("physical_filter", band)
        for kind in kinds:
            butler.registry.registerDatasetType(kind)
        for (number, of), (cells, inputs) in tables.items():
            where = {"skymap": SKYMAP, "tract": number, "patch": of, "band": "i"}
            butler.put(cells, kinds[0], where)
            butler.put(inputs, kinds[1], where)
        depth = example_map(tables[9813, 61][0], "depth")
        butler.put(depth, kinds[2], skymap=SKYMAP, tract=9813, band="i")
    return root


@pytest.fixture
def reader(filled: Path) -> Iterator[Butler]:
    """The repository, to be read."""
    with Butler.from_config(filled, collections=RUN) as butler:
        yield butler


def report(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["report", *map(str, arguments)])


NAME = TractName(skymap=SKYMAP, tract=9813, band="i")
NOWHERE = Provenance(repository="REPO")


def test_tracts_are_found_by_their_tables_too(reader: Butler) -> None:
    """A tract whose coadds were removed to save room still has its report."""
    assert find_tracts(reader) == [dataclasses.replace(NAME, tract=9697), NAME]
    assert find_datasets(reader, "deepCoaddCell") == []
    patches = [ref.dataId["patch"] for ref in find_datasets(reader, "deepCoaddCell_table")]
    assert patches == [60, 60, 61]


def test_the_tables_of_a_tract_are_put_together(
    reader: Butler, tables: dict[tuple[int, int], tuple[Table, Table]]
) -> None:
    """All rows of its patches, and none of another tract's."""
    data = read_tract(reader, NAME, NOWHERE)
    assert data.cells is not None
    assert data.inputs is not None
    assert len(data.cells) == len(tables[9813, 60][0]) + len(tables[9813, 61][0])
    assert len(data.inputs) == len(tables[9813, 60][1]) + len(tables[9813, 61][1])
    assert sorted(data.outlines) == [60, 61]
    assert list(data.maps) == ["depth"]
    assert (data.grid_shape.x, data.grid_shape.y, data.outer_width) == (22, 22, 250)
    assert data.cell_area_arcmin2 == pytest.approx((150 * 0.168 / 60) ** 2)
    assert data.example is None
    assert data.lacks_example() == "There is no deepCoaddCell."


def test_tables_without_places_in_the_tract_get_them(
    reader: Butler, filled: Path, tables: dict[tuple[int, int], tuple[Table, Table]], tmp_path: Path
) -> None:
    """Patches 60 and 61 share two columns: column 20 of the one is column 0 of the other.

    From right to left, as x grows to the west and patches are counted along x.
    """
    root = Path(shutil.copytree(filled, tmp_path / "repo"))
    with Butler.from_config(root, writeable=True, run="u/me/old") as butler:
        for patch in (60, 61):
            cells = tables[9813, patch][0].copy()
            cells.remove_columns(PLACES)
            where = {"skymap": SKYMAP, "tract": 9813, "patch": patch, "band": "i"}
            butler.put(cells, "deepCoaddCell_table", where)
        old = read_tract(butler.clone(collections="u/me/old"), NAME, NOWHERE)
    new = read_tract(reader, NAME, NOWHERE)
    assert old.cells is not None
    assert new.cells is not None
    for name in PLACES:
        np.testing.assert_array_equal(old.cells[name], new.cells[name])
    assert len(each_cell_once(old.cells)) < len(old.cells)


@pytest.mark.parametrize("damage", ["gone", "cut off"])
def test_a_file_that_cannot_be_read_is_left_out(
    filled: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    """The other patch's table is read; the log says what is missing."""
    root = Path(shutil.copytree(filled, tmp_path / "repo"))
    with Butler.from_config(root, collections=RUN) as butler:
        (gone,) = butler.query_datasets("deepCoaddCell_table", where="tract=9813 AND patch=60")
        path = Path(butler.getURI(gone).ospath)
        if damage == "gone":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:500])
        data = read_tract(butler, NAME, NOWHERE)
    assert data.cells is not None
    assert set(data.cells["patch"]) == {61}
    assert "deepCoaddCell_table" in caplog.text
    assert "cannot be read" in caplog.text


def test_provenance_names_collections_and_files(reader: Butler, filled: Path) -> None:
    """Files by their paths in the repository; the code gets what it promises."""
    provenance = read_provenance(reader, str(filled), [RUN], NAME)
    assert provenance.collections == [(RUN, "run")]
    assert [(kind, name) for kind, name, _ in provenance.files] == [
        ("deepCoaddCell_table", "tract 9813, patch 60, band i"),
        ("deepCoaddCell_table", "tract 9813, patch 61, band i"),
        ("deepCoaddCell_inputTable", "tract 9813, patch 60, band i"),
        ("deepCoaddCell_inputTable", "tract 9813, patch 61, band i"),
        ("deepCoaddCell_depth_map", "tract 9813, band i"),
    ]
    assert all((filled / file).is_file() for _, _, file in provenance.files)
    assert (provenance.settings, provenance.packages) == ([], {})
    names: dict[str, object] = {}
    exec(provenance.code, names)  # what a reader is told to type
    assert isinstance(names["table"], Table)
    assert type(names["depth_map"]).__name__ == "HealSparseMap"
    butler = names["butler"]
    assert isinstance(butler, Butler)
    butler.close()


def test_pages_of_two_tracts_come_with_one_that_compares_them(filled: Path, tmp_path: Path) -> None:
    """With the figures beside them; what is not there is said on the screen and on the page."""
    folder = tmp_path / "new" / "pages"
    result = report(filled, "--collection", RUN, "-o", folder)
    assert result.exit_code == 0, result.output
    pages = [f"{SKYMAP}_9697_i.html", f"{SKYMAP}_9813_i.html", "index.html"]
    assert sorted(path.name for path in folder.glob("*.html")) == sorted(pages)
    for name in pages:
        assert f"{folder / name}: " in result.output
    assert "There is no deepCoaddCell." in result.output
    text = (folder / pages[1]).read_text(encoding="utf-8")
    assert "There is no deepCoaddCell." in text
    assert text.count("<img ") == len(list(folder.glob(f"{SKYMAP}_9813_i_*.png")))
    index = (folder / "index.html").read_text(encoding="utf-8")
    assert f'href="{pages[0]}"' in index
    assert (folder / f"index_{SKYMAP}-i-depth.png").exists()
    assert not list(folder.glob(".*"))


def test_one_tract_can_be_asked_for(filled: Path, tmp_path: Path) -> None:
    """It needs no index."""
    (written,) = write_reports(str(filled), [RUN], tmp_path, tracts=[9697], bands=["i"])
    assert written.page == tmp_path / f"{SKYMAP}_9697_i.html"
    assert all(path.exists() for path in written.figures)
    assert not (tmp_path / "index.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--collection", RUN, "--tract", "1", "--band", "r"], "of tract 1, r band in u/me/tables"),
        (
            ["--collection", RUN, "--tract", "9697", "--tract", "1", "--band", "i"],
            "1: there is no such tract or band in u/me/tables",
        ),
        (["--collection", "skymaps"], "No deepCoaddCell or deepCoaddCell_table in skymaps"),
        (["--collection", "u/nobody"], "No collection with name 'u/nobody' found. 'butler"),
    ],
)
def test_nothing_to_report_is_an_error_that_says_where_it_looked(
    filled: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    """And no folder is made."""
    result = report(filled, *arguments, "-o", tmp_path / "pages")
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert message in result.output
    assert not (tmp_path / "pages").exists()


def test_a_folder_that_is_no_repository_is_named(tmp_path: Path) -> None:
    """A traceback is no answer to a wrong path."""
    result = report(tmp_path, "--collection", RUN, "-o", tmp_path / "pages")
    assert result.exit_code == 1
    assert "is not a Butler repository" in result.output


def test_coadds_whose_sky_map_is_nowhere_are_an_error(filled: Path, tmp_path: Path) -> None:
    """No patch can be outlined, no cell found in its tract; the command that helps is named."""
    root = Path(shutil.copytree(filled, tmp_path / "repo"))
    with Butler.from_config(root, writeable=True) as butler:
        butler.removeRuns(["skymaps"])
    with pytest.raises(RepositoryError, match="'butler register-skymap' adds it"):
        list(write_reports(str(root), [RUN], tmp_path / "pages"))


def test_threshold_functions_need_masked_fractions(
    tables: dict[tuple[int, int], tuple[Table, Table]],
) -> None:
    """Warps that were made without them give tables without them."""
    inputs = tables[9813, 61][1].copy()
    inputs.remove_columns([name for name in inputs.colnames if name.startswith("masked_fraction")])
    for nothing in (None, inputs):
        functions = threshold_functions(nothing)
        assert (functions.planes, functions.patches) == ({}, {})


def test_threshold_functions_are_those_of_the_inputs(
    tables: dict[tuple[int, int], tuple[Table, Table]],
) -> None:
    """For a patch: the mean over its cells of the part of the inputs below the threshold."""
    inputs = tables[9697, 60][1]
    functions = threshold_functions(inputs)
    assert list(functions.planes) == ["all planes", "BAD", "SAT", "CR"]
    assert list(functions.patches) == [60]
    used = inputs[inputs["accepted"]].group_by(["cell_y", "cell_x"])
    for name, (thresholds, fractions) in functions.planes.items():
        column = "masked_fraction" + ("" if name == "all planes" else f"_{name}")
        below = [np.less(used[column], limit) for limit in np.asarray(thresholds)]
        expected = [
            np.mean([part.mean() for part in np.split(row, used.groups.indices[1:-1])])
            for row in below
        ]
        np.testing.assert_allclose(np.asarray(fractions, np.float64), expected, rtol=1e-12)
