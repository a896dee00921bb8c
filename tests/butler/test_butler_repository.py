"""A repository of ours: its configuration, and what is put into it and read back elsewhere."""

from __future__ import annotations

import contextlib
import pickletools
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import healsparse
import numpy as np
import pytest
from lsst.daf.butler import Butler, Config, DatasetType
from sqlalchemy.exc import OperationalError

from cellcoadd.butler.repository import REPOSITORY_CONFIG, make_repository, open_repository
from cellcoadd.errors import RepositoryError
from cellcoadd.skymap import named_sky_map
from cellcoadd.surveys import reader_for
from cellcoadd.testing.repositories import copy_repository, files_of

OURS = {
    "CellSkyMap",
    "BorderedCellGrid",
    "CalibratedImage",
    "CellPatch",
    "CellPsf",
    "CellCoaddInputs",
    "CellCoaddContributions",
    "CellCoaddWarp",
    "BorderedCellCoadd",
    "CellReport",
    "CellVisitSummary",
}


def run_python(program: str, *arguments: str) -> str:
    """Run a program in a new process."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def put_map(butler: Butler) -> healsparse.HealSparseMap:
    """Put a map of three coverage pixels."""
    kind = DatasetType("some_map", ("tract", "skymap"), "HealSparseMap", universe=butler.dimensions)
    butler.registry.registerDatasetType(kind)
    butler.collections.register("maps")
    sparse = healsparse.HealSparseMap.make_empty(32, 512, np.float32)
    sparse[np.arange(1000)] = np.linspace(-1.0, 1.0, 1000, dtype=np.float32)
    butler.put(sparse, kind, skymap="hsc_rings_cells_v1", tract=9813, run="maps")
    return sparse


def test_all_our_types_are_copied_into_the_configuration(tmp_path: Path) -> None:
    """The repository must stay readable when our defaults change, so it holds its own copy."""
    with make_repository(tmp_path / "repo"):
        pass
    written = Config(str(tmp_path / "repo" / "butler.yaml"))
    ours = Config(REPOSITORY_CONFIG)
    assert set(ours["storageClasses"]) == OURS
    assert written["storageClasses"].toDict() == ours["storageClasses"].toDict()
    assert written["datastore", "formatters"].toDict() == ours["datastore", "formatters"].toDict()


def test_every_class_that_the_configuration_names_can_be_imported(butler: Butler) -> None:
    """A misspelt class would show only when the first dataset of its type is written."""
    for name in OURS:
        storage_class = butler.storageClasses.getStorageClass(name)
        assert storage_class.pytype is not None
        assert len(storage_class._get_converters_by_type()) == len(storage_class.converters)


def test_an_existing_repository_is_refused_and_left_alone(butler: Butler, root: Path) -> None:
    """Making it anew would lose what is in there."""
    before = files_of(root)
    with pytest.raises(RepositoryError, match="includeConfigs"):
        make_repository(root)
    assert files_of(root) == before


def test_a_new_process_reads_back_what_was_put(
    root: Path, ingested: Path, images: tuple[Path, ...]
) -> None:
    """Nothing but the repository connects the two processes."""
    image = reader_for(images[0]).read(images[0]).calibrated_image
    with copy_repository(ingested, root) as filled:
        kind = DatasetType(
            "own",
            ("instrument", "visit", "detector"),
            "CalibratedImage",
            universe=filled.dimensions,
        )
        filled.registry.registerDatasetType(kind)
        filled.collections.register("owns")
        filled.put(image, kind, instrument="HSC", visit=1228, detector=0, run="owns")
    printed = run_python(
        "import sys; from lsst.daf.butler import Butler\n"
        "with Butler.from_config(sys.argv[1]) as butler:\n"
        "    skymap = butler.get('skyMap', skymap='hsc_rings_cells_v1', collections='skymaps')\n"
        "    print(skymap.name, skymap.sha1)\n"
        "    (ref,) = butler.query_datasets('own', 'owns')\n"
        "    image = butler.get(ref)\n"
        "    print(image.observation)\n"
        "    print(image.masked_image.image.array[10, 20].item())\n"
        "    print(image.psf.compute_kernel_image(x=50, y=40).array.max().item())",
        str(root),
    ).splitlines()
    assert printed[0] == f"hsc_rings_cells_v1 {named_sky_map('hsc_rings_cells_v1').sha1}"
    assert printed[1] == str(image.observation)
    assert float(printed[2]) == image.masked_image.image.array[10, 20].item()
    peak = image.psf.compute_kernel_image(x=50, y=40).array.max().item()
    assert float(printed[3]) == pytest.approx(peak, rel=1e-6)


def test_a_sky_map_is_stored_as_text_and_not_pickled(butler: Butler, root: Path) -> None:
    """Pickles break with the next version of the code, and run what they are told to."""
    (stored,) = (content for name, content in files_of(root).items() if "skyMap" in name)
    assert b"kind: rings" in stored
    with pytest.raises(ValueError, match="opcode"):
        list(pickletools.genops(stored))


def test_a_healsparse_map_comes_back_as_it_was(butler: Butler) -> None:
    """Values and coverage are copied bit by bit."""
    put = put_map(butler)
    got = butler.get("some_map", skymap="hsc_rings_cells_v1", tract=9813, collections="maps")
    np.testing.assert_array_equal(got.valid_pixels, put.valid_pixels)
    np.testing.assert_array_equal(got[got.valid_pixels], put[put.valid_pixels])


def test_parts_of_a_healsparse_map_are_read_on_their_own(butler: Butler) -> None:
    """The storage class promises the parameters and the component, so they must work."""
    put = put_map(butler)
    where: dict[str, Any] = {"skymap": "hsc_rings_cells_v1", "tract": 9813, "collections": "maps"}
    covered = np.flatnonzero(put.coverage_mask)
    one = butler.get("some_map", parameters={"pixels": [covered[0]]}, **where)
    assert np.flatnonzero(one.coverage_mask).tolist() == [covered[0]]
    coarse = butler.get("some_map", parameters={"degrade_nside": 256}, **where)
    assert coarse.nside_sparse == 256
    np.testing.assert_allclose(coarse[0], put[np.arange(4)].mean(), rtol=1e-6)
    coverage = butler.get("some_map.coverage", **where)
    np.testing.assert_array_equal(coverage.coverage_mask, put.coverage_mask)


def test_a_write_that_fails_leaves_no_file(
    butler: Butler, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files get their names when they are complete: a reader never sees half a map."""
    before = files_of(root)

    def break_off(self: healsparse.HealSparseMap, path: str, **options: object) -> None:
        Path(path).write_bytes(b"half of it")
        raise OSError("disk full")

    monkeypatch.setattr(healsparse.HealSparseMap, "write", break_off)
    with pytest.raises(RuntimeError, match="Failed to serialize"):
        put_map(butler)
    assert files_of(root) == before


def test_a_change_that_was_killed_is_undone_when_somebody_looks(
    template: Path, tmp_path: Path
) -> None:
    """Its journal makes the database "readonly" for readers, and ``pipetask`` reads first."""
    root = tmp_path / "killed"
    copy_repository(template, tmp_path / "changing").close()
    database = tmp_path / "changing" / "gen3.sqlite3"
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as changing:
        changing.execute("PRAGMA cache_size = 1")
        changing.execute("BEGIN IMMEDIATE")
        changing.execute("CREATE TABLE halfway (text)")
        changing.executemany("INSERT INTO halfway VALUES (?)", [("x" * 900,)] * 200)
        shutil.copytree(tmp_path / "changing", root)
        changing.execute("ROLLBACK")
    assert (root / "gen3.sqlite3-journal").exists()
    with pytest.raises(OperationalError, match="readonly"):
        Butler.from_config(root)
    with open_repository(str(root), writeable=False) as butler:
        assert [*butler.collections.query("skymaps")] == ["skymaps"]
    assert not (root / "gen3.sqlite3-journal").exists()
    Butler.from_config(root).close()
