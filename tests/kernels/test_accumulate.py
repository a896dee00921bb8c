"""Sums over the inputs of a cell."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellcoadd.kernels.accumulate import (
    CellSums,
    InputPlanes,
    StackRules,
    add_input,
    empty_sums,
    finish_sums,
)

BAD, SAT, CR, NO_DATA, REJECTED, INEXACT_PSF = 1, 2, 8, 256, 4096, 16384
BAD_PLANES = np.array([BAD, SAT, NO_DATA], np.int32)
_Planes = dict[str, npt.NDArray[Any]]


def _stack(
    inputs: list[dict[str, Any]],
    *,
    shape: tuple[int, int] = (1, 1),
    scatter: bool = False,
    bad_planes: npt.NDArray[np.int32] = BAD_PLANES,
    thresholds: Any = (1.0, 0.1, 1.0),
    rules: Any = ((BAD | SAT, REJECTED),),
    no_data_bit: int = NO_DATA,
    inexact_psf_bit: int = INEXACT_PSF,
) -> tuple[CellSums, _Planes]:
    """Add up inputs, each a dictionary of planes or single numbers."""
    table = np.array(rules, np.int32).reshape(-1, 2)
    stack_rules = StackRules(
        kept_bits=-1,
        bad_bits=int(bad_planes.sum()),
        no_data_bit=no_data_bit,
        inexact_psf_bit=inexact_psf_bit,
        weighed=bad_planes,
        thresholds=np.array(thresholds, float),
        left_out_from=table[:, 0].copy(),
        left_out_to=table[:, 1].copy(),
        fraction_bits=np.array([-1, SAT], np.int32),
    )
    sums = empty_sums(
        height=shape[0], width=shape[1], n_noise=1, n_fractions=2, n_weighed=bad_planes.size,
        error_from_scatter=scatter,
    )  # fmt: skip
    for planes in inputs:
        visit = InputPlanes(
            image=np.full(shape, planes["image"], np.float32),
            variance=np.full(shape, planes.get("variance", 1.0), np.float32),
            mask=np.full(shape, planes.get("mask", 0), np.int32),
            owner=np.zeros(shape, np.uint8),
            noise=np.full((1, *shape), planes.get("noise", planes["image"]), np.float32),
            fractions=np.full((2, *shape), planes.get("fraction", 0.0), np.float32),
        )
        add_input(sums, visit, stack_rules, 0, 0, 0, planes.get("weight", 1.0))
    out: dict[str, Any] = {
        "image": np.empty(shape, np.float32),
        "variance": np.empty(shape, np.float32),
        "mask": np.empty(shape, np.int32),
        "noise": np.empty((1, *shape), np.float32),
        "fractions": np.zeros((2, *shape), np.float32),
    }
    finish_sums(sums, stack_rules, *out.values())
    return sums, out


def test_weighted_mean_by_hand() -> None:
    """(1 * 10 + 3 * 20) / 4 = 17.5, its variance (1 * 4 + 9 * 2) / 16; masks are joined."""
    _, out = _stack(
        [
            {"image": 10, "variance": 4, "weight": 1.0, "mask": CR, "fraction": 0.2},
            {"image": 20, "variance": 2, "weight": 3.0, "noise": -1, "fraction": 0.6},
        ]
    )
    assert out["image"] == 17.5
    assert out["variance"] == 22 / 16
    assert out["noise"] == (10 - 3) / 4
    assert out["mask"] == CR
    np.testing.assert_allclose(out["fractions"][:, 0, 0], 0.5, rtol=1e-7)


def test_error_from_scatter_by_hand() -> None:
    """Equal weights: the squared standard error, sum (d - mean)^2 / (n (n - 1))."""
    values = [1e6, 1e6 + 1, 1e6 + 5]
    _, out = _stack([{"image": value, "weight": 0.3} for value in values], scatter=True)
    np.testing.assert_allclose(out["variance"], np.var(values, ddof=1) / 3, rtol=1e-7)


@pytest.mark.parametrize("values", [[5.0], [5.0, 5.0]])
def test_no_scatter_is_no_error_estimate(values: list[float]) -> None:
    """One input has no scatter, equal inputs none: the variance is unknown, not 0."""
    _, out = _stack([{"image": value} for value in values], scatter=True)
    assert out["variance"] == np.inf


@pytest.mark.parametrize(
    "spoilt", [{"mask": SAT}, {"image": np.nan}, {"variance": np.inf}, {"variance": np.nan}]
)
def test_bad_pixels_are_left_out_everywhere(spoilt: dict[str, float]) -> None:
    """Of image, variance, mask and noise alike; their masked fraction counts as 1."""
    good = {"image": 3.0, "variance": 2.0, "noise": 4.0, "weight": 1.0}
    bad = {"image": 99.0, "noise": 88.0, "weight": 3.0, "mask": CR} | spoilt
    _, out = _stack([good, bad], thresholds=(1.0, 1.0, 1.0))
    assert out["image"] == 3.0
    assert out["variance"] == 2.0
    assert out["noise"] == 4.0
    saturated = "mask" in spoilt
    assert out["mask"] == INEXACT_PSF | (REJECTED if saturated else 0)
    assert out["fractions"][0] == 0.75
    assert out["fractions"][1] == (0.75 if saturated else 0.0)


def test_threshold_sets_the_plane_above_it() -> None:
    """SAT with 0.1: set when the weight left out for it is over a tenth of it and that used."""
    good = {"image": 1.0, "weight": 0.9}
    for weight, expected in ((0.0999, False), (0.1001, True)):
        _, out = _stack([good, {"image": 1.0, "weight": weight, "mask": SAT}])
        assert bool(out["mask"] & SAT) == expected


def test_pixel_without_data_says_so() -> None:
    """NaN and an infinite variance, NO_DATA, and the whole weight masked."""
    _, out = _stack([{"image": np.nan, "mask": NO_DATA}, {"image": 2.0, "mask": BAD}])
    assert np.isnan(out["image"])
    assert np.isnan(out["noise"])
    assert out["variance"] == np.inf
    assert out["mask"] == NO_DATA | INEXACT_PSF | REJECTED
    assert out["fractions"][0] == 1.0


@given(scale=st.integers(-20, 20), seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=20)
def test_scaling_all_weights_changes_nothing(scale: int, seed: int) -> None:
    """All results are ratios; by powers of two they are the same to the bit."""
    for scatter in (False, True):
        one, two = (
            _stack(_random_inputs(seed, factor), shape=(4, 5), scatter=scatter)[1]
            for factor in (1.0, 2.0**scale)
        )
        for name, plane in one.items():
            np.testing.assert_array_equal(plane, two[name], err_msg=name)


@given(seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=20)
def test_noise_equal_to_the_image_gives_the_image(seed: int) -> None:
    """Noise goes through exactly the same sums."""
    inputs = _random_inputs(seed, 1.0)
    for planes in inputs:
        planes["noise"] = planes["image"]
    _, out = _stack(inputs, shape=(4, 5))
    np.testing.assert_array_equal(out["noise"][0], out["image"])


def _random_inputs(seed: int, factor: float) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    shape = (4, 5)
    return [
        {
            "image": np.where(rng.random(shape) < 0.1, np.nan, rng.normal(5, 2, shape)),
            "variance": rng.uniform(1, 2, shape),
            "mask": rng.choice([0, 0, CR, SAT, BAD], shape),
            "noise": rng.normal(0, 1, shape),
            "fraction": rng.random(shape),
            "weight": factor * rng.uniform(0.5, 2),
        }
        for _ in range(4)
    ]
