"""The benchmarks still run."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from lsst.daf.butler import Butler

SKYMAP = "hsc_rings_cells_v1"
FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.parametrize(
    "name",
    [
        "bench_cell_maps.py",
        "bench_kernels.py",
        "bench_locate.py",
        "bench_psfs.py",
        "bench_tables.py",
    ],
)
def test_a_smoke_run_reports_every_case(name: str) -> None:
    """Nobody runs them every day: what they call must not move away under them."""
    lines = smoke_run(name)
    assert len(lines) >= 4
    for line in lines:
        speed, unit, *case = line.split()
        assert float(speed) >= 0.0
        assert unit in {"s", "Mpix/s", "MB"}
        assert case


def test_every_part_of_a_coadd_is_read_and_the_older_format_whole() -> None:
    """Time and bytes of each; a part reads less than the file."""
    header, sizes, *rows = smoke_run("bench_reads.py")
    assert header.split() == ["cellcoadd", "lsst.cell_coadds"]
    whole = float(sizes.split()[1])
    found = {line[:12].strip(): line[12:].split() for line in rows}
    assert list(found) == ["whole", "one cell", "PSF", "WCS", "mask"]
    assert len(found["whole"]) == 8
    for name in ("one cell", "PSF", "WCS", "mask"):
        _, milliseconds, megabytes, _ = found[name]
        assert milliseconds == "ms"
        assert float(megabytes) < whole


def test_the_standard_work_is_measured(tmp_path: Path) -> None:
    """By each route; the peers only where they are installed."""
    smoke_run("standard.py", str(tmp_path), "--visits", "1", "2", "--full")
    results = json.loads((tmp_path / "standard.json").read_text())
    for name in (
        "files, 1 visits", "files, 2 visits", "files, 2 visits, full", "compressed files",
        "pipetask", "pipetask, full",
    ):  # fmt: skip
        assert results[name]["cpu_s"] > 0.0
        assert results[name]["start_up_s"] > 0.0
    stages = results["files, 2 visits"]["stages_s"]
    assert set(stages) == {
        "read", "prepare", "resample", "merge", "cells and PSFs of a warp", "choose and add",
        "finish", "write",
    }  # fmt: skip
    assert sum(stages.values()) <= results["files, 2 visits"]["cpu_s"]
    assert (tmp_path / "standard.png").stat().st_size > 10_000


def test_a_coadd_of_sdss_is_swarps(shared: Path) -> None:
    """Two programs, the same pixels: what separates them is far below the noise."""
    if shutil.which("SWarp") is None:
        pytest.skip("SWarp is not installed")
    run = subprocess.run(
        [sys.executable, str(FOLDER / "swarp_agreement.py"), str(shared / "data/sdss_s82/input")],
        check=True,
        capture_output=True,
        text=True,
    )
    lines = run.stdout.splitlines()
    found = {line.split(" differ ")[0].strip(): line.split()[-2] for line in lines}
    assert float(found["half of them"]) < 1e-6
    assert float(found["all of them"]) < 0.01


def test_a_load_is_made_of_few_visits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies of a warp are visits of their own; planning finds the detectors of a tract."""
    monkeypatch.syspath_prepend(FOLDER)
    load_patch, load_tract, standard = map(
        importlib.import_module, ("load_patch", "load_tract", "standard")
    )
    with standard.task_repository(tmp_path, 1, small=True) as repository:
        images = sorted((tmp_path / "small").rglob("*.fits"))
        numbers, covered = load_patch.put_short_visits(
            repository, images, windows=(1, 1), distinct=2, like=1001, number=3, run="short"
        )
        with Butler.from_config(str(repository), collections="short") as butler:
            refs = sorted(butler.query_datasets("deepCoadd_directWarp"))
            warps = [butler.get(ref) for ref in refs]
    assert [warp.visit for warp in warps] == list(numbers)
    assert 0.0 < covered < 0.1
    assert warps[0] != warps[2]
    np.testing.assert_array_equal(warps[0].image.array, warps[2].image.array)
    with (
        load_tract.tract_repository(tmp_path, visits=2, columns=3, rows=1) as repository,
        Butler.from_config(str(repository), collections="calibrated") as butler,
    ):
        assert len(butler.query_datasets("calexp", where="tract = 9813", skymap=SKYMAP)) == 6


def test_what_follows_for_many_tracts_is_multiplied_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one second, one megabyte and one visit more a second: sums in the head."""
    monkeypatch.syspath_prepend(FOLDER)
    bench_load = importlib.import_module("bench_load")
    one = {"cpu_s": 3600.0, "start_up_s": 3600.0, "stored_mb": 1.0}
    coadd = {**one, "output": "coadds/whole", "visits": 1}
    rows = bench_load.survey_rows(
        {
            "warp of a visit": one,
            "stitched, table of cells": one,
            "coadd of 1 visits": coadd,
            "coadd of 3 visits": {**coadd, "visits": 3, "cpu_s": 3 * 3600.0},
        },
        [{"warps": 121, "cpu_s": 3600.0, "graph_mb": 1.0}],
        visits=[10],
    )
    patches = 18_938 * 121
    assert rows["core hours: warps"] == [10 * patches]
    assert rows["core hours: coadds"] == [pytest.approx(10 * patches)]
    assert rows["core hours: plans, one a tract"] == [pytest.approx(10 * 18_938)]
    assert rows["core hours: all"] == [pytest.approx(patches * (10 + 10 + 1 + 1) + 10 * 18_938)]
    assert rows["TB of warps"] == [pytest.approx(10 * patches / 1e6)]
    assert rows["TB of coadds, stitched, tables"] == [pytest.approx(2 * patches / 1e6)]


def smoke_run(name: str, *arguments: str) -> list[str]:
    """Run a benchmark at its smallest; return the lines that it prints."""
    run = subprocess.run(
        [sys.executable, "-W", "error", str(FOLDER / name), *arguments, "--small"],
        check=True,
        capture_output=True,
        text=True,
    )
    return run.stdout.splitlines()
