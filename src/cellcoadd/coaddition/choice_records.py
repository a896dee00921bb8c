"""What is kept about every choice: the rows of the table of contributions."""

from __future__ import annotations

__all__ = ["describe_choices"]

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..kernels.cell_pixels import mean_of_pixels
from ..kernels.moments import adaptive_moments
from ..masks.planes import ALL_PLANES
from ..products.cell_coadd.inputs import PHASE_POWER
from ..products.warp import Warp
from .cell_selection import CellChoice


def describe_choices(
    warp: Warp, choices: Sequence[CellChoice], *, first_input: int
) -> list[dict[str, object]]:
    """Return a row of the table of contributions for each choice.

    Parameters
    ----------
    warp
        The visit.
    choices
        Those about its detectors.
    first_input
        Number in the coadd of the warp's first detector.
    """
    means = _mean_fractions(warp, choices)
    stamps = {choice.stamp for choice in choices} - {-1}
    shapes = {row: adaptive_moments(warp.stamps[row]) for row in stamps}
    powers = {row: float(warp.phase_errors[row]) * _square(warp.stamps[row]) for row in stamps}
    unknown = (float("nan"), float("nan"), float("nan"), False)
    rows: list[dict[str, object]] = []
    for number, choice in enumerate(choices):
        xx, yy, xy, converged = shapes.get(choice.stamp, unknown)
        rows.append(
            {
                "cell_x": choice.index.x,
                "cell_y": choice.index.y,
                "input": first_input + choice.input_row,
                "reason": choice.reason,
                "overlaps_center": choice.overlaps_center,
                "overlap_fraction": choice.overlap_fraction,
                "unmasked_fraction": choice.unmasked_fraction,
                "weight": choice.weight,
                "psf_shape_xx": xx,
                "psf_shape_yy": yy,
                "psf_shape_xy": xy,
                "psf_shape_flag": not converged,
                PHASE_POWER: powers.get(choice.stamp, float("nan")),
                **{name: values[number] for name, values in means.items()},
            }
        )
    return rows


def _square(stamp: npt.NDArray[np.float32]) -> float:
    """Sum of squares, exact: stamps of other patches have other margins of zeros."""
    return math.fsum(np.square(stamp, dtype=np.float64).ravel().tolist())


def _mean_fractions(
    warp: Warp, choices: Sequence[CellChoice]
) -> dict[str, npt.NDArray[np.float64]]:
    """Mean of each masked fraction over the pixels of the cell's regions that are the detector's.

    A warp without masked fractions still has the columns of all planes together.
    """
    grid = warp.grid
    numbers = np.array([choice.input_row for choice in choices], np.int64)
    shape = grid.inner_cell_shape
    corner = grid.corners_of(
        x=[choice.index.x for choice in choices],
        y=[choice.index.y for choice in choices],
        start=warp.bbox.start,
    )
    result: dict[str, npt.NDArray[np.float64]] = {}
    for name in {ALL_PLANES: None, **warp.mask_fractions}:
        suffix = "" if name == ALL_PLANES else f"_{name}"
        for region, border in (("", grid.border), ("_inner", 0)):
            means = np.full(len(choices), np.nan)
            if name in warp.mask_fractions:
                mean_of_pixels(
                    warp.owner, warp.mask_fractions[name].array, numbers, corner.y - border,
                    corner.x - border, shape.y + 2 * border, shape.x + 2 * border, means,
                )  # fmt: skip
            result[f"masked_fraction{suffix}{region}"] = means
    return result
