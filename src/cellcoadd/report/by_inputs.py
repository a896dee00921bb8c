"""A quantity of the cells against their number of inputs: jittered columns, mean and median."""

from __future__ import annotations

__all__ = ["JITTER_SEED", "InputColumns", "draw_columns", "group_by_inputs"]

import dataclasses

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

JITTER_SEED = 137
"""Of the places of the points in their columns, so that a figure drawn twice is the same twice."""

_HALF_WIDTH = 0.3  # of a column; they are 1 apart
_INK = 3000.0  # points^2 of all points: the fewer they are, the larger


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputColumns:
    """The cells by their number of inputs.

    Parameters
    ----------
    inputs : int64 (k,)
        The numbers that occur, rising.
    values
        What the cells with each of them have, finite values only.
    """

    inputs: npt.NDArray[np.int64]
    values: tuple[npt.NDArray[np.float64], ...]

    @property
    def mean(self) -> npt.NDArray[np.float64]:
        """Mean of each column, float64 (k,)."""
        return np.array([column.mean() for column in self.values])

    @property
    def median(self) -> npt.NDArray[np.float64]:
        """Median of each column, float64 (k,)."""
        return np.array([np.median(column) for column in self.values])


def group_by_inputs(counts: npt.ArrayLike, values: npt.ArrayLike) -> InputColumns:
    """Sort values of cells by the number of inputs.

    Parameters
    ----------
    counts : int (n,)
        Number of inputs of each cell; cells with none are left out.
    values : float (n,)
        Their values; what is not finite is left out.
    """
    number = np.asarray(counts, np.int64)
    given = np.asarray(values, np.float64)
    good = np.isfinite(given) & (number > 0)
    inputs = np.unique(number[good])
    return InputColumns(
        inputs=inputs, values=tuple(given[good & (number == entry)] for entry in inputs)
    )


def draw_columns(axes: Axes, columns: InputColumns, *, seed: int = JITTER_SEED) -> None:
    """Draw one point a cell, in a column for each number of inputs, and mean and median.

    Parameters
    ----------
    axes
        Where.
    columns
        The cells.
    seed
        Of the places across a column, which mean nothing.
    """
    rng = np.random.default_rng(seed)
    number = np.repeat(columns.inputs, [column.size for column in columns.values])
    values = np.concatenate([np.empty(0), *columns.values])
    axes.scatter(
        number + rng.uniform(-_HALF_WIDTH, _HALF_WIDTH, values.size),
        values,
        s=float(np.clip(_INK / max(values.size, 1), 3.0, 16.0)),
        alpha=0.4,
        linewidths=0,
        color="tab:gray",
        label="cells",
        rasterized=True,
    )
    axes.plot(columns.inputs, columns.mean, "o-", color="tab:blue", markersize=5, label="mean")
    axes.plot(
        columns.inputs, columns.median, "s--", color="tab:orange", markersize=4, label="median"
    )
    axes.xaxis.set_major_locator(MaxNLocator(12, integer=True))
    axes.set_xlabel("number of visits in a cell")
