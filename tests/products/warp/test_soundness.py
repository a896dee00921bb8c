"""Warps with numbers that warping never writes are refused; those that it does write are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cellcoadd import UnusableInputError, Warp
from cellcoadd.products.noise_covariance import unknown_noise_covariance
from cellcoadd.products.warp import NO_OWNER
from cellcoadd.products.warp.soundness import check_sound
from cellcoadd.warping.direct import DirectWarp


@pytest.fixture
def warp(direct_warps: list[DirectWarp]) -> Warp:
    """A copy that a test may change."""
    return changed(direct_warps[0].warp)


def changed(warp: Warp, **changes: Any) -> Warp:
    return Warp(
        **{
            "masked_image": warp.masked_image.copy(),
            "identifiers": warp.identifiers,
            "patch": warp.patch,
            "cell_border": warp.grid.border,
            "inputs": warp.inputs,
            "owner": warp.owner.copy(),
            "cell_inputs": warp.cell_inputs.copy(),
            "stamps": warp.stamps.copy(),
            "noise_covariances": warp.noise_covariances.copy(),
            **changes,
        }
    )


def a_pixel(warp: Warp) -> tuple[int, int]:
    """A pixel with data."""
    y, x = np.argwhere(warp.owner != NO_OWNER)[7]
    return int(y), int(x)


def test_what_warping_makes_is_sound(direct_warps: list[DirectWarp]) -> None:
    """Whole, in parts, and of inputs whose noise nobody knows."""
    for made in direct_warps:
        warp = made.warp
        check_sound(warp, "it")
        check_sound(changed(warp, noise_covariances=unknown_noise_covariance(len(warp.stamps))), "")


def a_stranger(warp: Warp) -> None:
    warp.owner[a_pixel(warp)] = len(warp.inputs)


def no_variance(warp: Warp) -> None:
    warp.variance.array[a_pixel(warp)] = 0.0


def a_negative_variance(warp: Warp) -> None:
    warp.variance.array[a_pixel(warp)] = -3.0


def a_broken_psf(warp: Warp) -> None:
    warp.stamps[1, 3, 4] = np.nan


def an_empty_psf(warp: Warp) -> None:
    warp.stamps[1] = 0.0


def a_broken_covariance(warp: Warp) -> None:
    warp.noise_covariances[2, 0, 0] = np.inf


def no_covariance(warp: Warp) -> None:
    warp.noise_covariances[2] = 0.0


def an_unknown_input(warp: Warp) -> None:
    warp.cell_inputs["input"][0] = len(warp.inputs)


def an_unknown_cell(warp: Warp) -> None:
    warp.cell_inputs["cell_x"][0] = -1


def an_unknown_psf(warp: Warp) -> None:
    warp.cell_inputs["stamp"][0] = len(warp.stamps)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (a_stranger, r"1 pixels are of a detector that is none of its 2\."),
        (no_variance, "the variance of 1 pixels with data is 0 or negative"),
        (a_negative_variance, "the variance of 1 pixels with data is 0 or negative"),
        (a_broken_psf, r"1 of \d+ PSF images have values that are not finite"),
        (an_empty_psf, "a PSF image sums to 0, not to 1"),
        (a_broken_covariance, r"1 of \d+ noise covariances have values that are not finite"),
        (no_covariance, "a noise covariance at offset 0, which is a variance, is 0 or negative"),
        (an_unknown_input, "input = 2 in its table of cells, which goes to 1"),
        (an_unknown_cell, "cell_x = -1 in its table of cells"),
        (an_unknown_psf, r"stamp = \d+ in its table of cells"),
    ],
)
def test_what_no_warp_has_is_refused_by_its_rule(
    warp: Warp, harm: Callable[[Warp], None], reason: str
) -> None:
    """Each alone; the message has the name, the rule and the way out."""
    harm(warp)
    with pytest.raises(UnusableInputError, match=reason) as caught:
        check_sound(warp, "warp of visit 7")
    assert str(caught.value).startswith("warp of visit 7: it is damaged: ")
    assert str(caught.value).endswith("Warp the visit again.")
