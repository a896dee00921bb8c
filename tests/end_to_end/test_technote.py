"""The Rubin technote on cell-based coadds, word for word.

Every piece of code on it, fenced or in a sentence, is taken from the page and run in its order, on
a simulated survey. `SUBSTITUTIONS` is all that may differ. A piece for which there is no step fails
the test, as does a step without its piece.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hpgeom
import numpy as np
import pytest
import yaml
from lsst.daf.butler import Butler

from cellcoadd import Index2D, any_of, compute_weight, tabulate_cells
from cellcoadd.coming_from_afw import as_afw
from cellcoadd.kernels.clipped_mean import clipped_mean
from cellcoadd.products.cell_coadd.inputs import RefusalReason
from cellcoadd.testing.page_reader import PageReader, Steps, Substitution
from cellcoadd.testing.technote import Piece, pieces_of

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "coming-from-afw.md"

USER = "someone"
OUTPUT = f"u/{USER}/cell_coadds"
ON_PATCH: dict[str, Any] = {"skymap": "hsc_rings_cells_v1", "tract": 9813, "patch": 61}
VISITS = {1230, 30482}
FRACTION = "deepCoadd_directWarp_maskedFraction"


_OPEN = "the technote leaves it open"
_USED = "used, imported nowhere on the page"

SUBSTITUTIONS = [
    Substitution(kind=kind, written=written, here=here, why=why)
    for kind, written, here, why in (
        ("repository", "/sdf/data/rubin/repo/main", "{repo}", "a repository of ours"),
        ("repository", "/repo/main", "{copy}", "a copy of it: most of its commands remove"),
        ("repository", "/sdf/group/rubin/repo/main", "{copy}", "the same copy"),
        (
            "path",
            "/sdf/group/rubin/user/mgorsuch/cell-coadd/pipeline.yaml",
            "{folder}/pipeline.yaml",
            "the technote's YAML block as it stands, in a file",
        ),
        ("collection", "<path to collection>", "{run}", _OPEN),
        ("collection", "<collection name>", "cell_coadds", _OPEN),
        ("collection", "<run name>", "{time}", _OPEN),
        ("name", "<dataType name>", FRACTION, f"{_OPEN}; the block before looks for this one"),
        ("name", "<mask letter name>", "SAT", _OPEN),
        ("name", "<task name>:<config name>=<value>", "makeDirectWarp:border=200", _OPEN),
        (
            "import",
            "from lsst.daf.butler import Butler",
            "from cellcoadd.coming_from_afw import Butler",
            "its `get` returns the views",
        ),
        ("import", "", "from cellcoadd.coming_from_afw import afwImage, afwMath", _USED),
        (
            "import",
            "",
            "from cellcoadd.coming_from_afw import AssembleCellCoaddTask, Index2D",
            _USED,
        ),
        ("import", "", "from lsst.sphgeom import Box, HealpixPixelization", _USED),
        ("import", "", "import numpy, numpy as np", _USED),
        (
            "name",
            "",
            "pixelization = HealpixPixelization(13)",
            "used, made nowhere; the order of `nside_sparse` 8192",
        ),
        ("name", "", "registry = butler.registry", "used before the block that makes it"),
    )
]
"""All that is not as in the technote."""

NOT_RUN = {
    "source /sdf/group/rubin/sw/w_latest/loadLSST.bash": "sets up the stack, which is not needed",
    "source /sdf/group/rubin/sw/tag/d_2024_08_27/loadLSST.bash": "the same",
    "setup lsst_distrib": "the same; here it is `pip install`",
    "eups list -s | grep ${USER}": "the same",
    "pipetask run": "the name of the command, no command",
}
"""Code in sentences that there is nothing to run of, and why."""

PARTS = ("description: A simple pipeline", "butler remove-dataset-type", None)
"""Pieces that end a part of the page, so that each part has the time of one test."""

STEPS: Steps[Reader] = Steps()
step = STEPS.begins


class Reader(PageReader):
    """Somebody with the technote and a simulated survey."""

    def __init__(self, page: str, repo: Path, folder: Path) -> None:
        empty = folder / "empty"
        empty.mkdir()
        known = functools.partial(getattr, self)
        super().__init__(
            SUBSTITUTIONS, known, folder=empty, environment={**os.environ, "USER": USER}
        )
        self.pieces = [piece for piece in pieces_of(page) if piece.text not in NOT_RUN]
        self.done: list[Piece] = []
        self.opened = contextlib.ExitStack()
        self.folder = folder
        self.repo = repo
        (pipeline,) = (piece.text for piece in self.pieces if piece.language == "yaml")
        (folder / "pipeline.yaml").write_text(pipeline, encoding="utf-8")
        for entry in SUBSTITUTIONS:
            if not entry.written and "butler" not in entry.here:
                exec(entry.here, self.session)

    def read_up_to(self, end: str | None) -> None:
        """Run what comes next, up to the piece that begins so, or to the end of the page."""
        while self.pieces:
            piece = self.pieces[0]
            STEPS.of(piece)(self, piece)
            self.done.append(self.pieces.pop(0))
            if end is not None and piece.text.startswith(end):
                return
        assert end is None

    def runs(self, root: Path) -> list[str]:
        """The runs of the output collection, oldest first."""
        with Butler.from_config(root) as butler:
            return sorted(butler.collections.query(f"{OUTPUT}/*"))

    @functools.cached_property
    def run(self) -> str:
        return self.runs(self.repo)[0]

    @property
    def time(self) -> str:
        return self.run.rpartition("/")[2]

    @functools.cached_property
    def copy(self) -> Path:
        return Path(shutil.copytree(self.repo, self.folder / "copy"))


@step("pipetask run -j 4")
def _the_run(reader: Reader, piece: Piece) -> None:
    printed = reader.shell(reader.said(piece.text))
    assert "Executed 12 quanta successfully, 0 failed and 0 remain out of total 12" in printed
    with Butler.from_config(reader.repo, collections=OUTPUT) as butler:
        for name in ("deepCoadd_directWarp", FRACTION):
            refs = butler.query_datasets(name, where="patch = 61")
            assert {ref.dataId["visit"] for ref in refs} == VISITS
        refs = butler.query_datasets("deepCoaddCell")
    assert sorted(ref.dataId["patch"] for ref in refs) == [49, 50, 60, 61]


@step("description: A simple pipeline")
def _its_pipeline(reader: Reader, piece: Piece) -> None:
    tasks = yaml.safe_load(piece.text)["tasks"]
    assert {task["class"].partition(".")[0] for task in tasks.values()} == {"lsst"}
    with Butler.from_config(reader.repo, collections=OUTPUT) as butler:
        for name, value in tasks["makeDirectWarp"]["config"].items():
            assert getattr(butler.get("makeDirectWarp_config"), name) is value
        fraction = butler.get(FRACTION, instrument="HSC", visit=30482, **ON_PATCH).array
    assert np.any((fraction > 0) & (fraction < 1)), "interpolation is on: not 0 and NaN alone"


@step("-c <task name>:<config name>=<value>")
def _override_in_general(reader: Reader, piece: Piece) -> None:
    command = f"pipetask build -p {reader.folder}/pipeline.yaml {reader.said(piece.text)}"
    assert "config.border=200" in reader.shell(f"{command} --show dump-config=makeDirectWarp")


@step("-c assembleCellCoadd:calc_error_from_input_variance=False")
def _override(reader: Reader, piece: Piece) -> None:
    (command,) = (each.text for each in reader.done if each.text.startswith("pipetask run"))
    first = reader.run
    reader.shell(f"{reader.said(command).rstrip()} \\\n{piece.text}")
    runs = reader.runs(reader.repo)
    assert [len(runs), runs[0]] == [2, first]
    coadds = []
    for run, from_inputs in zip(runs, (True, False), strict=True):
        with Butler.from_config(reader.repo, collections=run) as butler:
            config = butler.get("assembleCellCoadd_config")
            assert config.calc_error_from_input_variance is from_inputs
            coadds.append(butler.get("deepCoaddCell", band="i", **ON_PATCH))
    before, after = coadds
    np.testing.assert_array_equal(before.stack.image, after.stack.image)
    assert not np.array_equal(before.stack.variance, after.stack.variance)


@step("butler query-collections")
def _query_collections(reader: Reader, piece: Piece) -> None:
    printed = reader.shell(reader.said(piece.text))
    assert all(name in printed for name in (OUTPUT, *reader.runs(reader.repo)))
    _, _, *lines = printed.splitlines()  # members of a collection are below it, indented
    assert {line.partition(" ")[0] for line in lines} - {""} == {OUTPUT, *reader.runs(reader.repo)}


@step("butler remove-collections")
def _remove_collections(reader: Reader, piece: Piece) -> None:
    reader.shell(reader.said(piece.text), answer="y\n")
    with Butler.from_config(reader.copy) as butler:
        assert OUTPUT not in butler.collections.query("*")
    assert reader.runs(reader.copy) == reader.runs(reader.repo)


@step("butler remove-runs")
def _remove_runs(reader: Reader, piece: Piece) -> None:
    reader.shell(reader.said(piece.text), answer="y\n")
    assert reader.runs(reader.copy) == []
    assert not list((reader.copy / OUTPUT).rglob("*.fits")), "folders stay, though empty"


@step("collections = registry.queryCollections()")
def _runs_with_a_dataset(reader: Reader, piece: Piece) -> None:
    butler = reader.opened.enter_context(Butler.from_config(reader.repo))
    reader.session["registry"] = butler.registry
    assert reader.python(piece) == f"{np.unique(reader.runs(reader.repo))}\n"


@step("butler remove-dataset-type")
def _remove_dataset_type(reader: Reader, piece: Piece) -> None:
    reader.shell(reader.said(piece.text))
    with Butler.from_config(reader.copy) as butler:
        assert not butler.registry.queryDatasetTypes(FRACTION)


@step("REPO = ")
def _open_the_butler(reader: Reader, piece: Piece) -> None:
    reader.python(piece)
    reader.opened.enter_context(reader.session["butler"])
    assert reader.run in reader.session["registry"].queryCollections()
    assert reader.session["collection"] == reader.run


@step("u/$USER/cell_coadds/<run name>")
def _name_of_the_run(reader: Reader, piece: Piece) -> None:
    assert reader.said(piece.text).replace("$USER", USER) == reader.run
    assert re.fullmatch(r"\d{8}T\d{6}Z", reader.time)


@step("coadd = butler.get('deepCoaddCell'")
def _get(reader: Reader, piece: Piece) -> None:
    reader.python(piece)
    with Butler.from_config(reader.repo, collections=reader.run) as butler:
        assert reader.session["coadd"].ours == butler.get("deepCoaddCell", band="i", **ON_PATCH)
    warp = reader.session["warp"]
    assert (warp.visit, warp.identifiers.patch, warp.band) == (30482, 61, "i")


@step("list(coadd.cells.keys())")
def _filled_cells(reader: Reader, piece: Piece) -> None:
    filled = eval(piece.text, reader.session)
    assert filled == [(0, 0), (1, 0), (0, 1), (1, 1)]
    assert all(isinstance(index, Index2D) for index in filled)


@step("coadd.cells[Index2D]")
def _one_cell(reader: Reader, piece: Piece) -> None:
    for index in reader.session["coadd"].cells:
        assert eval(piece.text, {**reader.session, "Index2D": index}).index == index


@step("cell_list_filled = list(coadd.cells.keys())")
def _all_cells(reader: Reader, piece: Piece) -> None:
    reader.python(piece)
    coadd, cells = reader.session["coadd"], reader.session["cell_list"]
    assert len(cells) == 484
    assert cells == list(coadd.grid)
    filled = np.flatnonzero(reader.session["cells_filled"])
    assert [cells[number] for number in filled] == list(coadd.cells)


@step("for each patch:\n\tget the cell-based coadd")
def _all_patches(reader: Reader, piece: Piece) -> None:
    """Our counterpart of the pseudo-code, and the same values from the table of cells."""
    butler, run = reader.session["butler"], reader.run
    values = {}
    refs = butler.query_datasets("deepCoaddCell", run)
    for ref in refs:
        coadd = butler.get(ref)
        for index in coadd.cells:
            variance = coadd.cells[index].inner.variance.array
            values[ref.dataId["patch"], index] = np.median(variance[np.isfinite(variance)])
    tables = {ref.dataId["patch"]: tabulate_cells(butler.ours.get(ref)) for ref in refs}
    assert len(values) == sum(map(len, tables.values()))
    for patch, table in tables.items():
        for x, y, expected in table["cell_x", "cell_y", "variance_median"].iterrows():
            assert values[patch, Index2D(x=x, y=y)] == pytest.approx(expected, rel=1e-6)


@step("wcs = coadd.wcs")
def _wcs(reader: Reader, piece: Piece) -> None:
    reader.python(piece)
    wcs, warp = reader.session["wcs"], reader.session["warp"]
    assert wcs == warp.wcs == reader.session["coadd"].cells[Index2D(x=0, y=0)].wcs


@step("def get_cell_pixels(cell, wcs):")
def _pixels_of_a_cell(reader: Reader, piece: Piece) -> None:
    """All HEALPix pixels with their centre in the cell are among them, and few others."""
    reader.python(piece)
    wcs = reader.session["wcs"]
    for cell in reader.session["coadd"].cells.values():
        found = reader.session["get_cell_pixels"](cell, wcs)
        box = cell.inner.bbox
        x, y = [box.minX, box.maxX], [box.minY, box.maxY]
        ra, dec = wcs.pixelToSkyArray([*x, *x[::-1]], np.repeat(y, 2), degrees=True)
        assert set(hpgeom.query_polygon(8192, ra, dec)) <= set(found)
        assert hpgeom.angle_to_pixel(8192, ra.mean(), dec.mean()) in found
        assert 4 <= len(found) <= 16  # 25.2" in pixels of 25.8", and what their borders touch


@step("for each patch:\n\n\tget the coadd")
def _all_visits(reader: Reader, piece: Piece) -> None:
    """Our counterpart of the pseudo-code, and the same fractions from the coadd's own record."""
    butler, run = reader.session["butler"], reader.run
    n_found = 0
    for ref in butler.query_datasets("deepCoaddCell", run):
        coadd, patch = butler.get(ref), {**ON_PATCH, "patch": ref.dataId["patch"]}
        rows = coadd.contributions[coadd.contributions["reason"] == RefusalReason.ACCEPTED]
        for visit in (visits := [entry.observation.visit for entry in coadd.inputs]):
            plane = butler.get(FRACTION, collections=run, instrument="HSC", visit=visit, **patch)
            for index, cell in coadd.cells.items():
                if visit not in {entry.visit for entry in cell.inputs}:
                    continue
                fraction = plane[cell.outer.bbox].array.mean(dtype=np.float64)
                here = (rows["cell_x"] == index.x) & (rows["cell_y"] == index.y)
                (row,) = (each for each in rows[here] if visits[each["input"]] == visit)
                assert fraction == pytest.approx(row["masked_fraction"], rel=1e-5)
                n_found += 1
    assert n_found > 10


@step("bbox = coadd.cells[Index2D(x=0,y=0)].outer.bbox")
def _cut_out(reader: Reader, piece: Piece) -> None:
    reader.python(piece)
    warp, cut_out = reader.session["warp"], reader.session["masked_warp"]
    assert (cut_out.getWidth(), cut_out.getHeight()) == (250, 250)
    for plane in ("image", "mask", "variance"):
        pixels = getattr(cut_out, plane).array
        assert np.isfinite(pixels).all()
        assert np.shares_memory(pixels, getattr(warp, plane).array)


@step("statsCtrl = afwMath.StatisticsControl()")
def _weight(reader: Reader, piece: Piece) -> None:
    reader.python(piece)
    warp, weight = reader.session["warp"].ours, reader.session["weight"]
    assert weight == compute_weight(warp.masked_image)
    good = warp.variance.array[~any_of(warp.mask, ["BAD", "NO_DATA", "SAT"])]
    assert weight == pytest.approx(1 / clipped_mean(good))
    assert 1.2 < weight / warp.inputs[0].weight < 1.4, "resampled noise: the rest is covariance"


@step('getMaskPlane("<mask letter name>")')
def _number_of_a_plane(reader: Reader, piece: Piece) -> None:
    for mask in (reader.session["warp"].mask, as_afw(reader.session["coadd"].ours.mask)):
        number = eval(f"mask.{reader.said(piece.text)}", {"mask": mask})
        assert 1 << number == mask.getPlaneBitMask("SAT")


@step("numpy.bitwise_and()")
@step("numpy.where()")
def _functions_of_numpy(reader: Reader, piece: Piece) -> None:
    assert callable(eval(piece.text.removesuffix("()"), reader.session))


@step("import numpy.ma as ma")
def _masked_pixels(reader: Reader, piece: Piece) -> None:
    reader.python(piece)
    cell, masked = reader.session["cell"].ours, reader.session["var_add_masks"]
    for name, plane in (("mask_intrp", "INTRP"), ("mask_sat", "SAT")):
        np.testing.assert_array_equal(reader.session[name], cell.outer.mask.get(plane))
        assert reader.session[name].any()
    np.testing.assert_array_equal(masked.mask, any_of(cell.outer.mask, ["INTRP", "SAT"]))
    np.testing.assert_array_equal(masked.data, cell.outer.variance.array)


@pytest.fixture(scope="module")
def technote(shared: Path) -> str:
    page = shared / "reference" / "technote" / "TECHNOTE.md"
    if not page.is_file():
        pytest.skip(f"the technote is not here: {page} does not exist")
    return page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def reader(
    technote: str, corner_repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("technote")
    reader = Reader(technote, Path(shutil.copytree(corner_repository, folder / "repo")), folder)
    with reader.opened:
        yield reader


@pytest.mark.parametrize("end", PARTS, ids=["run", "commands", "python"])
def test_every_piece_of_the_technote_runs_as_it_stands(reader: Reader, end: str | None) -> None:
    """Whoever has learnt cell-based coadds there does here what is written there."""
    reader.read_up_to(end)


def test_every_step_and_every_substitution_has_its_place(technote: str) -> None:
    """What is not used any more would hide that the technote has changed."""
    pieces = pieces_of(technote)
    assert STEPS.unused(piece for piece in pieces if piece.text not in NOT_RUN) == []
    text = "\n".join(piece.text for piece in pieces)
    assert [entry.written for entry in SUBSTITUTIONS if entry.written not in text] == []
    assert [command for command in NOT_RUN if command not in text] == []


def test_a_piece_that_nobody_knows_is_noticed() -> None:
    """Else a new block of the technote would be passed over in silence."""
    (piece,) = pieces_of("```{code-block} python\nnew_block()\n```\n")
    with pytest.raises(LookupError, match=r"new_block\(\).* of line 2"):
        STEPS.of(piece)


def test_the_page_shows_what_differs() -> None:
    """Line by line, with the reasons: nothing differs in secret."""
    page = PAGE.read_text(encoding="utf-8")
    rows = [entry.row() for entry in SUBSTITUTIONS]
    for text, why in NOT_RUN.items():
        rows.append(Substitution(kind="not run", written=text, here="", why=why).row())
    assert [row for row in rows if row not in page] == []
