"""Runs of pixels without data along the rows of an image: how wide, and where two fillings part."""

from __future__ import annotations

__all__ = [
    "FAULTY_RUN",
    "WIDE_RUN",
    "beside_a_filled_pixel",
    "has_faulty_run",
    "run_widths",
    "touches_edge",
]

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label

WIDE_RUN = 11
"""From this width on, theirs takes the limit of an infinite run for the middle of a run."""

FAULTY_RUN = 7
"""Width of a run at an edge that theirs fills by the wrong pattern."""

type _Where = npt.NDArray[np.bool_]


def run_widths(empty: _Where) -> npt.NDArray[np.int64]:
    """Return the width of the run that each pixel is in; 0 for pixels with data.

    Parameters
    ----------
    empty : bool (rows, columns)
        Pixels without data.
    """
    runs = _runs(empty)
    widths = np.bincount(runs.ravel())
    widths[0] = 0
    result: npt.NDArray[np.int64] = widths[runs]
    return result


def touches_edge(empty: _Where) -> _Where:
    """Return the pixels of runs that reach the first or the last column."""
    runs = _runs(empty)
    edge = np.union1d(runs[:, 0], runs[:, -1])
    result: _Where = np.isin(runs, edge[edge > 0])
    return result


def has_faulty_run(empty: _Where) -> _Where:
    """Return the rows with a run of seven pixels at an edge: bool (rows,)."""
    left = empty[:, :FAULTY_RUN].all(axis=1) & ~empty[:, FAULTY_RUN]
    right = empty[:, -FAULTY_RUN:].all(axis=1) & ~empty[:, -FAULTY_RUN - 1]
    result: _Where = left | right
    return result


def beside_a_filled_pixel(empty: _Where) -> _Where:
    """Return the pixels of runs at the right edge with one pixel with data, then another run.

    Theirs goes from left to right and takes the second pixel, filled by then, for one with data.
    """
    result = np.zeros_like(empty)
    for row, values in zip(result, empty, strict=True):
        good = np.flatnonzero(~values)
        if good.size and good[-1] > 0 and values[good[-1] - 1]:
            row[good[-1] + 1 :] = True
    return result


def _runs(empty: _Where) -> npt.NDArray[np.int32]:
    """Number the runs from 1; a pixel with data has 0."""
    runs: npt.NDArray[np.int32] = label(empty, structure=[[0, 0, 0], [1, 1, 1], [0, 0, 0]])[0]
    return runs
