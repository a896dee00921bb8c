"""The threshold function on the curves of SITCOMTN-137, which the Rubin pipelines' data gave."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from astropy.table import Table

from cellcoadd.analysis.input_thresholds import (
    DEFAULT_THRESHOLDS,
    RemainingInputs,
    remaining_input_fraction,
)

type Floats = npt.NDArray[np.float64]

PATCHES = (*range(37, 42), *range(44, 53), *range(55, 64), *range(67, 75), *range(83, 85))
CELLS_OF_PATCH = 484
INPUTS_OF_CELL = 4


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    folder = shared / "reference" / "technote" / "mean_input_frac_lists"
    if not folder.is_dir():
        pytest.skip(f"the technote's curves are not here: {folder} does not exist")
    return folder


@pytest.fixture(scope="module")
def curves(folder: Path) -> Floats:
    """Mean fraction of the remaining inputs, a row a patch."""
    return np.loadtxt(folder / "tract_9813_33_patches.txt", delimiter=",")


@pytest.fixture(scope="module")
def cell_counts(folder: Path) -> npt.NDArray[np.int64]:
    filled = np.loadtxt(folder / "tract_9813_33_patches_cells_filled.txt")
    return np.rint(CELLS_OF_PATCH * filled).astype(np.int64)


def with_curve(patch: int, curve: Floats, n_cells: int) -> Table:
    """Inputs whose mean function is a curve, to half an input of the patch.

    All cells have the same number of inputs, so the mean over cells is that over inputs: these
    have the quantiles of the curve, dealt to the cells as cards are.
    """
    count = INPUTS_OF_CELL * n_cells
    # Input k is below the first threshold where the curve passes (k + 1/2) / count.
    step = np.searchsorted(curve, (np.arange(count) + 0.5) / count)
    below = np.array([0.0, *DEFAULT_THRESHOLDS, 1.0])
    cell = np.arange(count) % n_cells
    return Table(
        {
            "skymap": np.full(count, "hsc_rings_cells_v1"),
            "band": np.full(count, "i"),
            "tract": np.full(count, 9813),
            "patch": np.full(count, patch),
            "cell_x": cell % 22,
            "cell_y": cell // 22,
            # The curves were averaged before shared cells were dropped: all cells are different.
            "tract_cell_x": cell % 22 + 22 * patch,
            "tract_cell_y": cell // 22,
            "accepted": np.full(count, True),
            "masked_fraction": 0.5 * (below[step] + below[step + 1]),
        }
    )


@pytest.fixture(scope="module")
def found(curves: Floats, cell_counts: npt.NDArray[np.int64]) -> RemainingInputs:
    """The function of a table of the whole tract."""
    tables = [
        with_curve(patch, curve, int(n_cells))
        for patch, curve, n_cells in zip(PATCHES, curves, cell_counts, strict=True)
    ]
    columns = {name: np.concatenate([t[name] for t in tables]) for name in tables[0].colnames}
    return remaining_input_fraction(Table(columns))


def test_thresholds_are_those_of_the_files(folder: Path) -> None:
    """Every curve of a tract begins with them."""
    files = sorted(folder.glob("*/*.txt"))
    assert len(files) == 24
    for path in files:
        np.testing.assert_allclose(np.loadtxt(path, delimiter=",")[0], DEFAULT_THRESHOLDS, 1e-12)


def test_every_patch_has_its_curve(
    found: RemainingInputs, curves: Floats, cell_counts: npt.NDArray[np.int64]
) -> None:
    """To half an input, of which a patch has 16 to 1936."""
    by_patch = found.by_patch()
    assert list(by_patch) == [(9813, patch) for patch in PATCHES]
    assert found.cell_count == cell_counts.sum() == 7657
    for mine, curve, n_cells in zip(by_patch.values(), curves, cell_counts, strict=True):
        assert np.abs(mine - curve).max() <= 0.5 / (INPUTS_OF_CELL * n_cells) + 1e-12


def test_the_tract_is_the_mean_over_cells_not_over_patches(
    found: RemainingInputs, folder: Path, curves: Floats
) -> None:
    """The patches' curves, weighed by their cells, are within -0.002 and +0.006 of the tract's.

    The rest is that the tract's file lacks some cells by mistake, and counts shared ones once. Half
    an input a patch is 33 / 2 of 4 x 7657 inputs: 0.0005. The mean over patches, with 4 cells or
    484, is off by 0.02.
    """
    tract = np.loadtxt(folder / "w_2024_34_outer" / "9813_all.txt", delimiter=",")[1]
    difference = found.mean() - tract
    assert -0.0025 < difference.min() < -0.001
    assert 0.005 < difference.max() < 0.007
    np.testing.assert_array_equal(found.by_tract()[9813], found.mean())
    assert np.abs(curves.mean(axis=0) - tract).max() > 0.02
