"""Our filling of pixels without data beside that of the Rubin pipelines."""

from __future__ import annotations

__all__ = ["compare_filled", "compare_filling"]

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...kernels.fill import fill_no_data
from .comparison import Comparison, Tally, worst_near
from .filled_runs import FAULTY_RUN, WIDE_RUN, beside_a_filled_pixel, has_faulty_run, run_widths
from .reference_cases import Arrays, read_arrays, read_json

COEFFICIENT = 5.1e-5
"""Theirs have four decimals, in single precision."""

WIDE = 3e-4
"""In runs of 11 pixels and more theirs are, in the middle, the limit of an infinite run."""

FALLBACK = 1e-4
"""It gets what four rounded weights leave of 1."""

FILLED = 2e-4
"""Of the row: their four coefficients have four decimals."""

FILLED_WIDE = 6.1e-4
"""Of the row, in runs of 11 pixels and more: two neighbours' weights are off by 3e-4 at once."""

type _Where = npt.NDArray[np.bool_]


def compare_filling(folder: Path) -> Comparison:
    """Compare the weights of the neighbours of runs of all widths, and some filled images."""
    description = read_json(folder / "D4_interp.json")
    planes = read_arrays(folder / "D4_interp.npz")
    bit = 1 << description["mask_planes"][description["plane"]]
    tally = Tally("D4_interp", rounding=WIDE)
    for name, response in description["impulse_responses"].items():
        width = response["width"]
        worst, fallback = _worst_weights(response)
        if width == FAULTY_RUN and name.startswith(("left", "right")):
            tally.differ("run of 7 px at an edge: as in wider ones, theirs by the wrong pattern",
                         width, count=width, largest=worst)  # fmt: skip
            continue
        if width < WIDE_RUN:
            tally.agree("weights in runs of up to 10 px", worst, COEFFICIENT, width)
        else:
            tally.agree("weights in runs of 11 px and more", worst, WIDE, width)
        tally.agree("weight of the fallback value", fallback, FALLBACK, width)
    for entry in description["images"]:
        _compare_image(tally, planes, f"i{entry['case']}", bit=bit)
    return tally.result()


def _worst_weights(response: Mapping[str, Any]) -> tuple[float, float]:
    """The largest differences of the weights of a run's neighbours, and of that of the fallback."""
    start, width, size = response["start"], response["width"], response["row_length"]
    no_data = np.zeros((1, size), np.bool_)
    no_data[0, start : start + width] = True
    worst = 0.0
    for neighbour, expected in response["coefficient_by_neighbour"].items():
        offset = int(neighbour)
        planes = np.zeros((1, 1, size), np.float32)
        planes[0, 0, start + offset + (width - 1 if offset > 0 else 0)] = 1.0
        fill_no_data(planes, no_data)
        worst = max(worst, float(np.abs(planes[0, 0, start : start + width] - expected).max()))
    # A row of zeros with the run, among rows of ones: the median is 1.
    planes = np.ones((1, 4, size), np.float32)
    planes[0, 0] = 0.0
    fill_no_data(planes, np.concatenate([no_data, np.zeros((3, size), np.bool_)]))
    difference = planes[0, 0, start : start + width] - response["fallback_coefficient"]
    return worst, float(np.abs(difference).max())


def _compare_image(tally: Tally, planes: Arrays, name: str, *, bit: int) -> None:
    no_data = (planes[f"{name}_in_mask"] & bit) != 0
    image = planes[f"{name}_in_image"][np.newaxis].copy()
    theirs = planes[f"{name}_out_image"]
    fill_no_data(image, no_data)
    tally.same("pixels with data", image[0], theirs, ~no_data)
    apart = (has_faulty_run(no_data) | ((~no_data).sum(axis=1) == 2))[:, np.newaxis]
    compare_filled(tally, "filled pixels", image[0], theirs, chosen=no_data & ~apart, empty=no_data)
    tally.differ(
        "rows with a run of 7 px at an edge or with two good pixels, which ours uses both",
        np.count_nonzero(no_data & apart), count=np.count_nonzero(no_data),
    )  # fmt: skip
    changed = planes[f"{name}_in_variance"] != planes[f"{name}_out_variance"]
    tally.differ("variance of filled pixels: theirs is filled too, with a flux at edges",
                 np.count_nonzero(changed & no_data), count=np.count_nonzero(no_data))  # fmt: skip


def compare_filled(
    tally: Tally,
    name: str,
    ours: npt.NDArray[Any],
    theirs: npt.NDArray[Any],
    *,
    chosen: _Where,
    empty: _Where,
) -> None:
    """Compare filled pixels, relative to the largest of their row nearby.

    Parameters
    ----------
    tally
        Gets the differences.
    name
        What is filled.
    ours, theirs
        Filled planes.
    chosen
        The pixels to compare.
    empty
        All pixels that were filled.
    """
    lone = beside_a_filled_pixel(empty) & chosen
    wide = run_widths(empty) >= WIDE_RUN
    for where, runs, wanted in (
        (~wide, "runs of up to 10 px", FILLED),
        (wide, "runs of 11 px and more", FILLED_WIDE),
    ):
        worst, count = worst_near(ours, theirs, chosen & where & ~lone, size=(1, 51))
        tally.agree(f"{name} in {runs} (of the row)", worst, wanted, count)
    worst, count = worst_near(ours, theirs, lone, size=(1, 51))
    tally.differ(
        f"{name} at the right edge with one neighbour before the next run: ours copies it, theirs "
        "takes a filled pixel too (of the row)",
        count, count=np.count_nonzero(empty), largest=worst,
    )  # fmt: skip
