"""The benchmarks still run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.parametrize(
    "name",
    [
        "bench_cell_maps.py",
        "bench_kernels.py",
        "bench_locate.py",
        "bench_reads.py",
        "bench_tables.py",
    ],
)
def test_a_smoke_run_reports_every_case(name: str) -> None:
    """Nobody runs them every day: what they call must not move away under them."""
    run = subprocess.run(
        [sys.executable, "-W", "error", str(FOLDER / name), "--small"],
        check=True,
        capture_output=True,
        text=True,
    )
    lines = run.stdout.splitlines()
    assert len(lines) >= 4
    for line in lines:
        speed, unit, *case = line.split()
        assert float(speed) >= 0.0
        assert unit in {"s", "Mpix/s", "MB"}
        assert case
