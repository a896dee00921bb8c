"""All kernels in three modes: compiled, bounds-checked, and as plain Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellcoadd.testing.kernel_exercise import exercise

_EXACT = ("turned_", "whole_", "cell_")


def _run(out: Path, mode: str) -> dict[str, Any]:
    """Do the exercise in a process of its own; the mode has its own folder of compiled code.

    Without optimization, which saves half of the time to compile and may not change a bit either.
    """
    subprocess.run(
        [sys.executable, "-m", "cellcoadd.testing.kernel_exercise", str(out)],
        env={**os.environ, "NUMBA_OPT": "0", mode: "1"},
        check=True,
    )
    return dict(np.load(out))


@pytest.mark.parametrize("mode", ["NUMBA_BOUNDSCHECK", "NUMBA_DISABLE_JIT"])
def test_all_modes_give_the_same_answers(mode: str, tmp_path: Path) -> None:
    """Out-of-bounds reads are errors in both, and arithmetic in the order written has one result.

    Sums are the same to the bit. The exponential of the interpreter and of the compiler may differ
    in the last one, and the median of two values is taken in different precisions.
    """
    if os.environ.get("NUMBA_DISABLE_JIT") == "1":
        pytest.skip("nothing to compare with: NUMBA_DISABLE_JIT is set for the tests themselves")
    result = _run(tmp_path / "out.npz", mode)
    for name, expected in exercise().items():
        if name.startswith(_EXACT):
            np.testing.assert_array_equal(result[name], expected, err_msg=name)
        else:
            np.testing.assert_allclose(result[name], expected, rtol=1e-6, err_msg=name)
    # Without this, a mode that is not switched on would pass.
    assert list(result["noticed"]) == [
        "a node grid that is too small",
        "taps beyond the end of a plane",
    ]
