"""Engines and stores of a team: Parsl, PostgreSQL and S3 give the bits of one process and files."""

from __future__ import annotations

import gc
import os
import shutil
import sysconfig
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from lsst.daf.butler import Butler, DatasetRef

from cellcoadd.butler.ingest import ingest_images
from cellcoadd.butler.registry_errors import explain_registry_error
from cellcoadd.testing.commands import Outcome, run_command, run_program
from cellcoadd.testing.postgres_server import PostgresServer, missing_server, postgres_server
from cellcoadd.testing.run_products import Arrays, arrays_in, assert_same_bits
from cellcoadd.testing.s3_server import s3_bucket

INPUT = "HSC/runs/RC2_subset/d_2024_08_27"
PIPELINE = (
    "resource://cellcoadd/pipelines/full.yaml"
    "#makeDirectWarp,findArtifacts,assembleCellCoadd,stitchCellCoadd,tabulateCells,mapCells,mapVisits"
)
"""All but the report, which has no bits to compare and takes longer than all the rest."""
TASKS_OF_PATCHES = PIPELINE.removesuffix(",mapCells,mapVisits")


@pytest.fixture(scope="module")
def expected(
    single_repository: Path, where: str, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Arrays]:
    """What ``pipetask run`` makes of two visits of one detector, in files and SQLite."""
    root = Path(shutil.copytree(single_repository, tmp_path_factory.mktemp("plain") / "repo"))
    done = run_command(
        "pipetask", "run", "--register-dataset-types", "-b", root, "-i", INPUT, "-o", "u/plain",
        "-p", PIPELINE, "-d", where,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    return arrays_in(root, "u/plain")


def test_parsl_makes_the_same_bits(
    expected: Mapping[str, Arrays],
    single: Path,
    where: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``bps submit`` with the file for workstations: each job is a process of its own.

    The eight quanta of a patch and a tract are two jobs.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", str(tmp_path))  # where bps writes to; a shell would set it
    monkeypatch.setenv("PATH", os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]))
    Path("mine.yaml").write_text(
        "includeConfigs: resource://cellcoadd/bps/workstation.yaml\n"
        f"pipelineYaml: {PIPELINE}\n"
        "site: {workstation: {cores: 2, mem_per_worker: 0.1}}\n"
    )
    done = run_program(
        "bps", "submit", "mine.yaml", "-b", single, "-i", INPUT, "-o", "u/parsl", "-d", where
    )
    assert done.exit_code == 0, done.output
    jobs = sorted(path.stem for path in Path("submit").rglob("*.stdout"))
    assert jobs == ["finalJob", "patch_9813_61_i", "pipetaskInit", "tract_9813_i"]
    assert_same_bits(expected, arrays_in(single, "u/parsl"))
    status = run_command("cellcoadd", "status", single, "u/parsl", "-d", where)
    assert status.exit_code == 0, status.output


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL server that asks for a password, which it gets."""
    if (reason := missing_server()) is not None:
        pytest.skip(reason)
    with postgres_server() as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGPASSFILE", str(running.password_file))
        yield running


@pytest.fixture
def open_connections() -> Iterator[None]:
    """Collect the connections that a Butler leaves open when it cannot be made."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


def seed(folder: Path, **config: Mapping[str, str]) -> Path:
    """Write what ``make-cell-repo`` is to make otherwise."""
    path = folder / "seed.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def of_patches(arrays: Mapping[str, Arrays]) -> Mapping[str, Arrays]:
    """Leave out the maps of tracts."""
    return {name: found for name, found in arrays.items() if "_map" not in name}


def images_of(repository: Path) -> list[Path]:
    return sorted((repository / INPUT / "images").rglob("*.fits"))


def test_several_processes_on_postgresql_make_the_same_bits(
    expected: Mapping[str, Arrays],
    server: PostgresServer,
    single_repository: Path,
    where: str,
    tmp_path: Path,
) -> None:
    """Two people ingest one folder at the same moment; two processes warp, a visit each.

    The one who is second is told so, and that nothing is lost.
    """
    root, images = tmp_path / "team", images_of(single_repository)
    config = seed(tmp_path, registry={"db": server.make_database("team")})
    for arguments in (
        ("make-cell-repo", root, "--seed-config", config),
        ("register-skymap", root, "hsc_rings_cells_v1", "--tracts", "9813"),
    ):
        done = run_command("butler", *arguments)
        assert done.exit_code == 0, done.output
    assert not list(root.rglob("*.sqlite3"))
    together = threading.Barrier(2)

    def ingest() -> str | None:
        with Butler.from_config(root, writeable=True) as butler:
            together.wait(60)
            try:
                ingest_images(butler, images, run=f"{INPUT}/images", transfer="copy", check=False)
            except Exception as error:
                return explain_registry_error(error)
            return "done"

    with ThreadPoolExecutor(2) as people:
        futures = [people.submit(ingest) for _ in range(2)]
    outcomes = [future.result() or "no sentence" for future in futures]
    assert "done" in outcomes
    for outcome in outcomes:
        assert outcome == "done" or "nothing is lost: run the command again" in outcome
    again = run_command("butler", "ingest-calibrated", root, *images, "-o", INPUT, "--no-check")
    assert again.exit_code == 0, again.output
    with Butler.from_config(root) as butler:
        refs = butler.query_datasets("calexp", f"{INPUT}/images")
        assert len(refs) == len(images) == 2
        assert all(butler.stored_many(refs).values())

    def warp(run: Callable[..., Outcome], visit: int) -> Outcome:
        return run(
            "pipetask", "run", "--register-dataset-types", "-b", root, "-i", INPUT,
            "-o", f"u/{visit}", "-p", f"{PIPELINE.partition('#')[0]}#makeDirectWarp",
            "-d", f"{where} AND visit={visit}",
        )  # fmt: skip

    with ThreadPoolExecutor(1) as other_machine:
        elsewhere = other_machine.submit(warp, run_program, 1228)
        for done in (warp(run_command, 1230), elsewhere.result()):
            assert done.exit_code == 0, done.output
    done = run_command(
        "pipetask", "run", "--register-dataset-types", "-b", root, "-i", "u/1228,u/1230",
        "-o", "u/team", "-p", TASKS_OF_PATCHES.replace("#makeDirectWarp,", "#"), "-d", where,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert_same_bits(of_patches(expected), arrays_in(root, "u/team"))


@pytest.mark.usefixtures("open_connections")
def test_a_database_that_cannot_be_used_is_explained(
    server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong, what to do, and nothing left behind that the next attempt stumbles over."""
    url = server.make_database("other")
    server.execute("CREATE DATABASE bare TEMPLATE template0")

    def make(place: Path, registry: Mapping[str, str]) -> Outcome:
        config = seed(tmp_path, registry=registry)
        return run_command("butler", "make-cell-repo", place, "--seed-config", config)

    def attempt(registry: Mapping[str, str]) -> str:
        done = make(tmp_path / "failed", registry)
        assert done.exit_code == 1, done.output
        assert not done.has_traceback
        assert not (tmp_path / "failed" / "butler.yaml").exists()
        return done.output

    assert "cannot be reached" in attempt({"db": url.replace(str(server.port), "1")})
    assert "lacks what the configuration names" in attempt({"db": server.url_of("nowhere")})
    assert "CREATE EXTENSION btree_gist" in attempt({"db": server.url_of("bare")})
    assert "It belongs into ~/.lsst/db-auth.yaml" in attempt({"db": url.replace("@", ":x@")})
    assert "is not installed" in attempt({"db": url.replace("psycopg", "nonsense")})
    with monkeypatch.context() as patch:
        patch.delenv("PGPASSFILE")
        assert "does not let you in" in attempt({"db": url})
    assert "does not let you in" in attempt({"db": server.url_of("other", user="stranger")})

    assert make(tmp_path / "first", {"db": url}).exit_code == 0
    assert "another registry.namespace in this one" in attempt({"db": url})
    assert make(tmp_path / "second", {"db": url, "namespace": "second"}).exit_code == 0


@pytest.mark.usefixtures("open_connections")
def test_who_may_only_read_a_database_is_told_so(server: PostgresServer, tmp_path: Path) -> None:
    """Looking into the repository works, changing it does not."""
    url = server.make_database("shared")
    root = tmp_path / "repo"
    config = seed(tmp_path, registry={"db": url})
    assert run_command("butler", "make-cell-repo", root, "--seed-config", config).exit_code == 0
    server.make_reader("reader", database="shared")
    file = root / "butler.yaml"
    file.write_text(file.read_text().replace(url, server.url_of("shared", user="reader")))
    refused = run_command("butler", "register-skymap", root, "lsst_cells_v1", "--tracts", "1")
    assert refused.exit_code == 1
    assert "The repository cannot be changed by you (permission denied" in refused.output
    assert not refused.has_traceback
    listed = run_command("butler", "query-collections", root)
    assert listed.exit_code == 0, listed.output


def test_a_bucket_holds_the_same_bits_and_gives_them_in_parts(
    expected: Mapping[str, Arrays],
    single_repository: Path,
    where: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who wants one cell, or what has no pixels, does not fetch the whole file.

    Files of real coadds are a thousand pages long, these but two; so pages are smaller here.
    """
    monkeypatch.setattr("cellcoadd.files.remote_parts._PAGE_BYTES", 2880)
    monkeypatch.setenv("DAF_BUTLER_CACHE_EXPIRATION_MODE", "disabled")  # whole files would stay
    root = tmp_path / "repo"
    with s3_bucket() as bucket:
        config = seed(tmp_path, datastore={"root": bucket.uri})
        commands: tuple[tuple[str | Path, ...], ...] = (
            ("butler", "make-cell-repo", root, "--seed-config", config),
            ("butler", "register-skymap", root, "hsc_rings_cells_v1", "--tracts", "9813"),
            ("butler", "ingest-calibrated", root, *images_of(single_repository), "-o", INPUT,
             "--no-check", "-t", "copy"),
            ("pipetask", "run", "--register-dataset-types", "-b", root, "-i", INPUT, "-o", "u/s3",
             "-p", TASKS_OF_PATCHES, "-d", where),
            ("cellcoadd", "status", root, "u/s3", "-d", where),
        )  # fmt: skip
        for program, *arguments in commands:
            done = run_command(str(program), *arguments)
            assert done.exit_code == 0, done.output
        assert not list(root.rglob("*.fits"))
        assert_same_bits(of_patches(expected), arrays_in(root, "u/s3"))

        with Butler.from_config(root, collections="u/s3") as butler:
            (coadd,) = butler.query_datasets("deepCoaddCell")
            warp = butler.query_datasets("deepCoadd_directWarp")[0]

            def fetched(ref: DatasetRef, **parameters: object) -> tuple[Any, int]:
                bucket.fetched_bytes = 0
                part = butler.get(ref, parameters=parameters or None)
                return part, bucket.fetched_bytes

            whole, size = fetched(coadd)
            assert size == butler.getURI(coadd).size()
            grid, small = fetched(coadd.makeComponentRef("grid"))
            assert grid == whole.grid
            assert small < 0.5 * size
            (index,) = whole.cells
            cells, _ = fetched(coadd, cells=[index])
            assert cells == whole
            _, size = fetched(warp)
            box = grid.inner_bbox_of(index)
            image, small = fetched(warp.makeComponentRef("image"), bbox=box)
            assert image.bbox == box
            assert small < 0.3 * size
