"""Aperture corrections of cells from those of their inputs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from lsst.images.fields import ChebyshevField

from cellcoadd.coaddition.aperture_corrections import CorrectionSums
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.products.warp import Warp
from cellcoadd.testing.images import make_coadd, make_detector, small_patch
from cellcoadd.warping.direct import make_direct_warp
from cellcoadd.warping.settings import WarpSettings

PATCH = small_patch()


def summed(*inputs: tuple[float, Mapping[str, float]], inverse: bool = False) -> dict[str, float]:
    sums = CorrectionSums(inverse=inverse)
    for weight, corrections in inputs:
        sums.add(corrections, weight=weight)
    return sums.finish()


def test_corrections_are_averaged_with_the_weights() -> None:
    """(1 * 0.8 + 3 * 1.2) / 4 = 1.1; independent errors add up in squares."""
    got = summed((1.0, {"a": 0.8, "aErr": 0.1}), (3.0, {"a": 1.2, "aErr": 0.2}))
    assert got == pytest.approx({"a": 1.1, "aErr": math.sqrt(0.1**2 + 0.6**2) / 4})


def test_the_inverse_is_the_harmonic_mean() -> None:
    """4 / (1/0.8 + 3/1.2) = 16/15, and its error by the derivatives A^2/W * w/a^2."""
    got = summed((1.0, {"a": 0.8, "aErr": 0.1}), (3.0, {"a": 1.2, "aErr": 0.2}), inverse=True)
    terms = 0.1 / 0.64, 3 * 0.2 / 1.44
    assert got == pytest.approx({"a": 16 / 15, "aErr": (16 / 15) ** 2 * math.hypot(*terms) / 4})


@pytest.mark.parametrize("inverse", [False, True])
def test_the_error_is_that_of_scattered_corrections(inverse: bool) -> None:
    """First-order error propagation, against the scatter of 40,000 draws (to 1 %, 3 sigma)."""
    rng = np.random.default_rng(4)
    draws = rng.normal([0.9, 1.3], [0.004, 0.003], (40_000, 2))
    means = [summed((2.0, {"a": x}), (1.0, {"a": y}), inverse=inverse)["a"] for x, y in draws]
    got = summed(
        (2.0, {"a": 0.9, "aErr": 0.004}), (1.0, {"a": 1.3, "aErr": 0.003}), inverse=inverse
    )
    # A standard deviation from n draws is known to 1 / sqrt(2 n) = 0.35 %.
    assert np.std(means) == pytest.approx(got["aErr"], rel=0.0106)


@pytest.mark.parametrize("inverse", [False, True])
def test_one_input_alone_keeps_its_corrections(inverse: bool) -> None:
    """Whatever its weight."""
    given = {"a": 0.93, "aErr": 0.02, "b": 1.1}
    assert summed((7.0, given), inverse=inverse) == pytest.approx(given)


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("first", [True, False])
def test_a_correction_that_an_input_lacks_is_not_known(first: bool, inverse: bool) -> None:
    """A mean over the others is not that of the cell; corrections that all have stay."""
    inputs = [(1.0, {"a": 0.9, "b": 0.9, "bErr": 0.1}), (1.0, {"a": 0.9})]
    got = summed(*(inputs if first else reversed(inputs)), inverse=inverse)
    assert got["a"] == pytest.approx(0.9)
    assert math.isnan(got["b"])
    assert math.isnan(got["bErr"])


def test_an_error_without_its_correction_is_not_known() -> None:
    """The first input has only the error, which looks like a correction until the second comes."""
    got = summed((1.0, {"aErr": 0.1}), (1.0, {"a": 1.0, "aErr": 0.1}))
    assert math.isnan(got["a"])
    assert math.isnan(got["aErr"])


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("bad", [0.0, -0.9, math.nan, math.inf])
def test_a_correction_that_is_no_factor_spoils_the_mean(bad: float, inverse: bool) -> None:
    """No flux is multiplied by nothing, a negative or an unknown number; its error goes with it."""
    got = summed((1.0, {"a": 0.9, "aErr": 0.1}), (1.0, {"a": bad, "aErr": 0.1}), inverse=inverse)
    assert math.isnan(got["a"])
    assert math.isnan(got["aErr"])


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf])
def test_a_bad_error_spoils_the_error_alone(bad: float, inverse: bool) -> None:
    """The correction itself is as good as before."""
    got = summed((1.0, {"a": 0.9, "aErr": 0.1}), (1.0, {"a": 0.9, "aErr": bad}), inverse=inverse)
    assert got["a"] == pytest.approx(0.9)
    assert math.isnan(got["aErr"])


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("value", [1e-300, 1e300])
def test_corrections_of_any_size_do_not_stop_a_coadd(value: float, inverse: bool) -> None:
    """Their squares leave the range of numbers."""
    got = summed(
        (1.0, {"a": value, "aErr": value}), (1.0, {"a": 1.0, "aErr": 1.0}), inverse=inverse
    )
    assert set(got) == {"a", "aErr"}


def test_a_name_that_only_ends_like_an_error_is_a_correction() -> None:
    """There is no algorithm called "X"."""
    assert summed((1.0, {"XErr": 0.8}), (3.0, {"XErr": 1.2})) == pytest.approx({"XErr": 1.1})


def detector(visit: int, corrections: Mapping[str, float], **values: Any) -> CalibratedImage:
    image = make_detector(PATCH, visit=visit, **values)
    fields = {
        name: ChebyshevField(image.bbox, np.array([[value]])) for name, value in corrections.items()
    }
    return dataclasses.replace(image, aperture_corrections=fields)


def warp(image: CalibratedImage) -> Warp:
    settings = WarpSettings(do_pre_warp_interpolation=True)
    made = make_direct_warp([image], PATCH, settings=settings)
    assert made is not None
    return made.warp


def test_cells_have_the_mean_or_the_harmonic_mean_of_their_inputs() -> None:
    """Weights are the inverse mean variances, 1/2 and 1/4: the same as those of the pixels."""
    warps = [
        warp(detector(1, {"a": 0.8, "aErr": 0.1, "b": 2.0}, variance=2.0)),
        warp(detector(2, {"a": 1.2, "aErr": 0.1}, variance=4.0)),
    ]
    plain = make_coadd(*warps)
    inverse = make_coadd(*warps, do_coadd_inverse_aperture_corrections=True)
    for cell in plain.cells.values():
        assert len(cell.inputs) == 2
        assert cell.aperture_corrections == pytest.approx(
            {"a": (2 * 0.8 + 1.2) / 3, "aErr": math.hypot(2 * 0.1, 0.1) / 3}
        )
    for cell in inverse.cells.values():
        assert cell.aperture_corrections["a"] == pytest.approx(3 / (2 / 0.8 + 1 / 1.2))
    assert np.isnan(plain.stack.aperture_corrections["b"]).all()


@pytest.mark.parametrize("bad_visit", [1, 2])
def test_inputs_that_are_dropped_take_their_corrections_along(bad_visit: int) -> None:
    """A heavily masked input counts only until a good one comes, earlier or later."""
    bad = np.ones((150, 150), np.bool_)
    bad[::4] = False
    flags = {"BAD": bad}
    warps = [
        warp(
            detector(visit, {"a": 0.5, "only": 1.0}, flags=flags)
            if visit == bad_visit
            else detector(visit, {"a": 0.9})
        )
        for visit in (1, 2)
    ]
    coadd = make_coadd(*warps)
    for cell in coadd.cells.values():
        assert [entry.visit for entry in cell.inputs] == [3 - bad_visit]
        assert cell.aperture_corrections == pytest.approx({"a": 0.9})
    alone = make_coadd(warps[bad_visit - 1])
    for cell in alone.cells.values():
        assert cell.aperture_corrections == pytest.approx({"a": 0.5, "only": 1.0})


def test_inputs_without_corrections_make_a_coadd_without() -> None:
    """As most surveys' images are."""
    coadd = make_coadd(warp(detector(1, {})), warp(detector(2, {})))
    assert not coadd.stack.aperture_corrections
