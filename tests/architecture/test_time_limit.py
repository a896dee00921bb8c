"""A test that never ends is ended: without a limit it would hold up all the others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SLEEPS = "import time\ndef test_sleeps(): time.sleep(60)\n"
WAITS = "import subprocess\ndef test_waits(): subprocess.run(['sleep', '60'])\n"
# The sum holds the interpreter's lock and looks at no signal, as a compiled kernel does.
SPINS = "import itertools\ndef test_spins(): sum(itertools.repeat(0))\n"
PASSES = "def test_passes(): pass\n"


def run_tests(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    """Run a file of tests by the settings of this project, but with limits of 1 s and 3 s."""
    file = folder / "test_example.py"
    file.write_text(program + PASSES, encoding="utf-8")
    return subprocess.run(
        [
            sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"),
            "--rootdir", str(folder), "-p", "no:cacheprovider",
            "-o", "timeout=1", "-o", "faulthandler_timeout=3", str(file),
        ],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )  # fmt: skip


@pytest.mark.parametrize("program", [SLEEPS, WAITS], ids=["sleeps", "waits for a process"])
def test_a_test_that_waits_is_ended_alone(tmp_path: Path, program: str) -> None:
    """It fails with the place where it hung, and the next test has its turn."""
    done = run_tests(tmp_path, program)
    assert "Timeout (>1.0s) from pytest-timeout" in done.stdout
    assert "1 failed, 1 passed" in done.stdout


def test_a_test_that_does_not_come_back_to_python_is_ended_with_its_process(
    tmp_path: Path,
) -> None:
    """The first limit cannot reach it; the second says where it was."""
    done = run_tests(tmp_path, SPINS)
    assert done.returncode == 1
    assert "test_example.py" in done.stderr
    assert "in test_spins" in done.stderr


def test_the_limits_are_set(pytestconfig: pytest.Config) -> None:
    """Without numbers, the tests above would hold and yet nothing be limited."""
    first = float(pytestconfig.getini("timeout"))
    second = float(pytestconfig.getini("faulthandler_timeout"))
    assert 0.0 < first < second < 600.0
