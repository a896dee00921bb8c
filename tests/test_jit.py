"""The cache of compiled kernels, and what the decorator promises."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellcoadd import _jit

COMPILED = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled"
)


@pytest.fixture(autouse=True)
def _forget_the_folder() -> Any:
    """The folder is worked out once a process; tests of it start and leave clean."""
    _jit.cache_folder.cache_clear()
    yield
    _jit.cache_folder.cache_clear()


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of kernels of our own, and a cache beside it."""
    folder = tmp_path / "kernels"
    folder.mkdir()
    (folder / "one.py").write_text("A = 1\n")
    monkeypatch.setattr(_jit, "_KERNELS", folder)
    monkeypatch.setenv("CELLCOADD_CACHE_DIR", str(tmp_path / "cache"))
    return folder


def _folder() -> Path:
    _jit.cache_folder.cache_clear()
    folder = _jit.cache_folder()
    assert folder is not None
    return folder


def test_an_edit_of_any_kernel_is_another_folder(sources: Path) -> None:
    """Numba itself looks at the file of the function alone, not at those it calls."""
    before = _folder()
    assert before.is_dir()
    assert _folder() == before
    (sources / "two.py").write_text("B = 2\n")
    with_two = _folder()
    (sources / "two.py").write_text("B = 3\n")
    assert len({before, with_two, _folder()}) == 3


@pytest.mark.parametrize("mode", ["BOUNDSCHECK", "OPT"])
def test_another_mode_is_another_folder(
    mode: str, sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a warm cache of unchecked code, numba ignores NUMBA_BOUNDSCHECK=1 in silence."""
    before = _folder()
    monkeypatch.setattr(_jit.config, mode, 1)
    assert _folder() != before


@pytest.mark.parametrize(
    ("variable", "expected"), [("CELLCOADD_CACHE_DIR", "chosen"), ("XDG_CACHE_HOME", "cellcoadd")]
)
def test_folder_is_where_the_environment_says(
    variable: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own variable first, then the desktop's."""
    monkeypatch.delenv("CELLCOADD_CACHE_DIR", raising=False)
    root = tmp_path / "chosen" if expected == "chosen" else tmp_path
    monkeypatch.setenv(variable, str(root))
    assert _folder().parent == tmp_path / expected


def test_without_a_writable_folder_there_is_no_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch node's home may be read-only: kernels are then compiled in each process."""
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("CELLCOADD_CACHE_DIR", str(tmp_path / "file"))
    assert _jit.cache_folder() is None


@COMPILED
def test_every_run_is_told_where_there_is_no_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the folder, and the way to another one."""
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("CELLCOADD_CACHE_DIR", str(tmp_path / "file"))
    note = _jit.compiling_note()
    assert note is not None
    assert str(tmp_path / "file") in note
    assert "CELLCOADD_CACHE_DIR names another" in note


@COMPILED
def test_the_first_run_is_told_that_it_compiles(sources: Path) -> None:
    """And no other: the folder has compiled code then."""
    assert _jit.compiling_note() == "Compiling kernels, once, about half a minute"
    (_folder() / "function.nbc").write_bytes(b"code")
    assert _jit.compiling_note() is None


def test_folders_unused_for_a_month_are_removed(sources: Path) -> None:
    """Others stay: another version may be in use beside this one."""
    root = sources.parent / "cache"
    for name, days in (("kernels-old", 40), ("kernels-recent", 20), ("other-old", 40)):
        (root / name).mkdir(parents=True)
        (root / name / "file").write_text("")
        then = time.time() - days * 86400
        os.utime(root / name, (then, then))
    kept = _folder().name
    assert {path.name for path in root.iterdir()} == {kept, "kernels-recent", "other-old"}


def test_signatures_compiled_at_once_do_not_mix(tmp_path: Path) -> None:
    """Two processes, each with the index as it was before the other wrote its own signature."""
    one, two = (_jit._FilesBySignature(tmp_path, "function") for _ in range(2))
    assert one.load("int") is None
    assert two.load("float") is None
    one.save("int", "code for int")
    two.save("float", "code for float")
    for files in (one, two):
        assert files.load("int") == "code for int"
        assert files.load("float") == "code for float"


def test_damaged_files_count_as_absent(tmp_path: Path) -> None:
    """A crash or a full disk must not break every later run."""
    files = _jit._FilesBySignature(tmp_path, "function")
    files.save("int", "code")
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:5])
    assert files.load("int") is None
    files.save("int", "code again")
    assert files.load("int") == "code again"


@COMPILED
def test_second_process_finds_the_compiled_code(tmp_path: Path) -> None:
    """Otherwise every worker of a pipeline would spend seconds to compile."""
    code = (
        "import numpy as np\n"
        "from cellcoadd.kernels.moments import effective_area as f\n"
        "assert f(np.ones((2, 2))) == 4.0\n"
        "print(sum(f.stats.cache_hits.values()), sum(f.stats.cache_misses.values()))\n"
    )
    environment = {**os.environ, "CELLCOADD_CACHE_DIR": str(tmp_path)}
    counts = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
        for _ in range(2)
    ]
    assert counts == [["0", "1"], ["1", "0"]]


def test_importing_the_package_does_not_import_numba() -> None:
    """Numba takes half a second, which command line help and the Butler's look-ups do not need."""
    code = "import sys, cellcoadd; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("half_width", [1, 2, 3, 4, 5])
def test_operations_on_eight_are_those_of_their_python_twins(half_width: int) -> None:
    """To the bit: the same products and sums in the same order."""
    rng = np.random.default_rng(8)
    plane, table = rng.normal(size=300).astype(np.float32), rng.normal(size=128).astype(np.float32)
    weights_x, weights_y = rng.normal(size=(2, 32)).astype(np.float32)

    @_jit.kernel
    def run(half_width: int, out: Any) -> None:
        _jit_cubic(table, 64, 16, np.float32(0.37), out, 8)
        out[0] = _jit_sum(plane, 13, 21, half_width, weights_x, weights_y, 16)

    out, expected = np.zeros(16, np.float32), np.zeros(16, np.float32)
    run(half_width, out)
    _jit._cubic_weights_python(table, 64, 16, np.float32(0.37), expected, 8)
    expected[0] = _jit._weighted_sum_python(plane, 13, 21, half_width, weights_x, weights_y, 16)
    np.testing.assert_array_equal(out, expected)


_jit_cubic, _jit_sum = _jit.cubic_weights, _jit.weighted_sum
