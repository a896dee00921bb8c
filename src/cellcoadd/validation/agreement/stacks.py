"""Our sums over the inputs of a cell beside those of the Rubin pipelines."""

from __future__ import annotations

__all__ = ["compare_stacks"]

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...kernels.accumulate import (
    CellSums,
    InputPlanes,
    StackRules,
    add_input,
    empty_sums,
    finish_sums,
)
from .comparison import Comparison, Tally
from .reference_cases import Arrays, read_arrays, read_json

ROUNDING = 3e-7
"""Of a value: they form products in single precision."""

SCATTER = 1e-6
"""Of the variance and the mean's square: theirs is a difference of squares in single precision."""

_NO_DATA = 1 << 8
_ALL_BITS = (1 << 31) - 1  # of a mask; they state thresholds for more


def compare_stacks(folder: Path) -> Comparison:
    """Compare image, variance, mask and counts of a stack of six inputs, in several settings.

    Theirs adds up pixels that are not finite, ours leaves them out: they are not compared. Theirs
    follows the bits of those planes only that a threshold is stated for, and so are we asked to.
    """
    description = read_json(folder / "D1_stack.json")
    inputs = read_arrays(folder / "D1_stack_inputs.npz")
    outputs = read_arrays(folder / "D1_stack_outputs.npz")
    finite = (np.isfinite(inputs["image"]) & np.isfinite(inputs["variance"])).all(axis=0)
    tally = Tally("D1_stack", rounding=ROUNDING)
    for name, config in description["configs"].items():
        sums, ours = _stack(inputs, config)
        theirs = {key: outputs[f"{name}_{key}"] for key in ("image", "variance", "mask", "n")}
        tally.same("number of inputs", sums.n_used, theirs["n"], finite)
        tally.same("mask", ours["mask"], theirs["mask"], finite)
        used = finite & (sums.n_used > 0)
        difference = np.abs(ours["image"][used] / theirs["image"][used] - 1.0)
        tally.agree("image (relative)", float(difference.max()), ROUNDING, difference.size)
        _compare_variance(tally, config, sums, ours, theirs["variance"], used)
        tally.differ("pixels not finite without a flag: ours leaves them out",
                     np.count_nonzero(~finite), count=finite.size)  # fmt: skip
    return tally.result()


def _stack(inputs: Arrays, config: Mapping[str, Any]) -> tuple[CellSums, Arrays]:
    bad = [1 << bit for bit in range(31) if config["bit_mask_value"] >> bit & 1]
    thresholds = {1 << int(bit): value for bit, value in config["mask_threshold_dict"].items()}
    followed = sum(thresholds) & _ALL_BITS
    rules = np.array([(bits & followed, to) for bits, to in config["mask_map"]], np.int32)
    rules = rules.reshape(-1, 2)
    height, width = inputs["image"].shape[1:]
    sums = empty_sums(
        height=height,
        width=width,
        n_noise=0,
        n_fractions=0,
        n_weighed=len(bad),
        error_from_scatter=not config["calc_error_from_input_variance"],
    )
    stack_rules = StackRules(
        kept_bits=-1,
        bad_bits=sum(bad),
        no_data_bit=_NO_DATA,
        inexact_psf_bit=0,
        weighed=np.array(bad, np.int32),
        thresholds=np.array([thresholds.get(bit, 1.0) for bit in bad]),
        left_out_from=rules[:, 0].copy(),
        left_out_to=rules[:, 1].copy(),
        fraction_bits=np.empty(0, np.int32),
    )
    nothing = np.empty((0, height, width), np.float32)
    for image, variance, mask, weight in zip(
        inputs["image"], inputs["variance"], inputs["mask"], inputs["weight"], strict=True
    ):
        planes = InputPlanes(
            image=image,
            variance=variance,
            mask=mask,
            owner=np.zeros((height, width), np.uint8),
            noise=nothing,
            fractions=nothing,
        )
        add_input(sums, planes, stack_rules, 0, 0, 0, float(weight))
    ours: Arrays = {
        "image": np.empty((height, width), np.float32),
        "variance": np.empty((height, width), np.float32),
        "mask": np.empty((height, width), np.int32),
    }
    finish_sums(sums, stack_rules, ours["image"], ours["variance"], ours["mask"], nothing, nothing)
    return sums, ours


def _compare_variance(
    tally: Tally,
    config: Mapping[str, Any],
    sums: CellSums,
    ours: Arrays,
    theirs: npt.NDArray[np.float32],
    used: npt.NDArray[np.bool_],
) -> None:
    if config["calc_error_from_input_variance"]:
        difference = np.abs(ours["variance"][used] / theirs[used] - 1.0)
        tally.agree("variance (relative)", float(difference.max()), ROUNDING, difference.size)
        return
    several = used & (sums.n_used > 1)
    w, w2 = sums.weight[several], sums.squared_weight[several]
    rounding = w2 / (w**2 - w2) * ours["image"][several].astype(np.float64) ** 2
    difference = np.abs(ours["variance"][several] - theirs[several].astype(np.float64))
    difference /= theirs[several] + rounding
    tally.agree("variance from scatter", float(difference.max()), SCATTER, difference.size)
