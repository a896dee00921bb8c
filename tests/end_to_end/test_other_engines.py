"""Engines and stores of a team: Parsl on a cluster gives the bits of ``pipetask run``."""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import pytest

from cellcoadd.testing.commands import run_command, run_program
from cellcoadd.testing.run_products import Arrays, arrays_in, assert_same_bits

INPUT = "HSC/runs/RC2_subset/d_2024_08_27"
PIPELINE = (
    "resource://cellcoadd/pipelines/full.yaml"
    "#makeDirectWarp,assembleCellCoadd,stitchCellCoadd,tabulateCells,mapCells,mapVisits"
)
"""All but the report, which has no bits to compare and takes longer than all the rest."""


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

    The seven quanta of a patch and a tract are two jobs.
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
