"""Counts and means over detectors' pixels in cells, and the merging of detectors: slow twins."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cellcoadd.kernels.cell_pixels import (
    count_owners,
    count_pixels,
    find_rejected,
    mean_of_pixels,
    sky_variances,
)
from cellcoadd.kernels.merge import merge_planes

HEIGHT, WIDTH = 9, 11
# Inside, and over three edges of the planes.
Y, X = np.array([4, -3, 22, 10]), np.array([5, 3, -2, 30])
NUMBERS = np.array([0, 1, 0, 1])
NO_OWNER = 255


@pytest.fixture
def planes() -> dict[str, npt.NDArray[Any]]:
    rng = np.random.default_rng(66)
    shape = (28, 37)
    plane = rng.gamma(2.0, size=shape).astype(np.float32)
    plane[rng.random(shape) < 0.1] = np.nan
    plane[rng.random(shape) < 0.3] = 0.0
    return {
        "owner": rng.choice([0, 1, NO_OWNER], shape, p=[0.5, 0.4, 0.1]).astype(np.uint8),
        "plane": plane,
        "mask": rng.choice([0, 1, 6], shape).astype(np.int32),
    }


def box(plane: npt.NDArray[Any], number: int) -> npt.NDArray[Any]:
    y, x = int(Y[number]), int(X[number])
    return plane[max(y, 0) : max(y + HEIGHT, 0), max(x, 0) : max(x + WIDTH, 0)]


def test_owners_are_counted(planes: dict[str, npt.NDArray[Any]]) -> None:
    """Of each box the pixels of each detector; pixels of none do not count."""
    counts = np.empty((len(Y), 2), np.int64)
    count_owners(planes["owner"], Y, X, HEIGHT, WIDTH, counts)
    expected = [[np.sum(box(planes["owner"], n) == k) for k in (0, 1)] for n in range(len(Y))]
    np.testing.assert_array_equal(counts, expected)


def test_pixels_are_counted_and_averaged(planes: dict[str, npt.NDArray[Any]]) -> None:
    """A detector's pixels, those that are not rejected, and the mean of the finite ones."""
    rejected = np.empty(planes["mask"].shape, np.bool_)
    find_rejected(planes["plane"], planes["plane"], planes["mask"], 4, rejected)
    np.testing.assert_array_equal(rejected, (planes["mask"] == 6) | ~np.isfinite(planes["plane"]))
    n_own, n_good, means = np.empty(4, np.int64), np.empty(4, np.int64), np.empty(4)
    where = NUMBERS, Y, X, HEIGHT, WIDTH
    count_pixels(planes["owner"], rejected, *where, n_own, n_good)
    mean_of_pixels(planes["owner"], planes["plane"], *where, means)
    for n, number in enumerate(NUMBERS):
        mine = box(planes["owner"], n) == number
        assert n_own[n] == mine.sum()
        assert n_good[n] == (mine & ~box(rejected, n)).sum()
        values = box(planes["plane"], n)[mine].astype(float)
        np.testing.assert_allclose(means[n], np.nanmean(values), rtol=1e-14)
    assert np.isnan(_mean_of_nothing())


def _mean_of_nothing() -> float:
    means = np.empty(1)
    owner, plane = np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.float32)
    mean_of_pixels(owner, plane, np.array([3]), np.array([0]), np.array([0]), 4, 4, means)
    return float(means[0])


@pytest.mark.parametrize("good", ["some", "none", "no variance"])
def test_variance_of_the_sky(planes: dict[str, npt.NDArray[Any]], good: str) -> None:
    """Pixels of at most twice the median count; if none is good all whose variance is known do."""
    variance = planes["plane"] + np.float32(1.0)
    if good == "no variance":
        variance[:] = np.inf
    rejected = np.ones(variance.shape, np.bool_) if good == "none" else planes["mask"] == 6
    result = np.empty(4)
    sky_variances(planes["owner"], variance, rejected, NUMBERS, Y, X, HEIGHT, WIDTH, 1, 2.0, result)
    for n, number in enumerate(NUMBERS):
        chosen = np.isfinite(box(variance, n))
        if good == "some":
            chosen &= (box(planes["owner"], n) == number) & ~box(rejected, n)
        values = box(variance, n)[chosen].astype(float)
        if good == "no variance":
            assert np.isnan(result[n])
        else:
            expected = values[values <= 2.0 * np.median(values)].mean()
            np.testing.assert_allclose(result[n], expected, rtol=1e-12)


def test_detectors_are_merged() -> None:
    """Good pixels go over what is there, fractions where nothing is, owners where it is covered."""
    rng = np.random.default_rng(67)
    shape, no_data = (7, 40), 256
    result: dict[str, Any] = {
        "values": np.full((2, *shape), np.nan, np.float32),
        "variances": np.full((1, *shape), np.inf, np.float32),
        "mask": np.full(shape, no_data, np.int32),
        "fractions": np.full((1, *shape), np.nan, np.float32),
        "owner": np.full(shape, NO_OWNER, np.uint8),
    }
    expected = {name: plane.copy() for name, plane in result.items()}
    for number in range(3):
        values = rng.normal(size=(2, *shape)).astype(np.float32)
        variances = rng.random((1, *shape)).astype(np.float32)
        # Bits 1 and 256 stay, 4 becomes 8, 2 ends.
        mask = rng.choice([0, 1, 4, 7, no_data], shape).astype(np.int32)
        fractions = rng.choice([0.25, np.nan], (1, *shape)).astype(np.float32)
        coverage = rng.random(shape) < 0.6
        merge_planes(
            values, variances, mask, fractions, coverage, no_data, 1 | no_data,
            np.array([4], np.int32), np.array([8], np.int32), number, NO_OWNER, *result.values(),
        )  # fmt: skip
        good = mask != no_data
        unclaimed = expected["owner"] == NO_OWNER
        translated = (mask & (1 | no_data)) | np.where(mask & 4, 8, 0)
        expected["values"] = np.where(good, values, expected["values"])
        expected["variances"] = np.where(good, variances, expected["variances"])
        expected["mask"] = np.where(good, translated, expected["mask"])
        known = np.isfinite(fractions) & (good | unclaimed)
        expected["fractions"] = np.where(known, fractions, expected["fractions"])
        expected["owner"][good | (unclaimed & coverage)] = number
    for name, plane in expected.items():
        np.testing.assert_array_equal(result[name], plane, err_msg=name)
