"""How far two programs' numbers are apart: what agrees, and what differs on purpose."""

from __future__ import annotations

__all__ = ["Agreement", "Comparison", "Departure", "Tally", "local_scale", "worst_near"]

import dataclasses
from typing import Any, SupportsInt

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter

type _Plane = npt.NDArray[Any]
type _Where = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Agreement:
    """A quantity that must agree.

    Parameters
    ----------
    case
        Which reference case.
    quantity
        What is compared, and in which unit the difference is.
    worst
        The largest difference.
    wanted
        The largest that is allowed; 0 for what must be identical.
    count
        Number of values that were compared.
    """

    case: str
    quantity: str
    worst: float
    wanted: float
    count: int

    @property
    def holds(self) -> bool:
        """Whether something was compared and nothing is too far off."""
        return self.count > 0 and self.worst <= self.wanted


@dataclasses.dataclass(frozen=True, kw_only=True)
class Departure:
    """Something that differs on purpose, and how often.

    Parameters
    ----------
    case
        Which reference case.
    rule
        What ours does, and what theirs.
    affected, count
        How many values differ for that reason, out of how many.
    largest
        The largest difference, in the unit that the rule states; NaN if there is none to state.
    """

    case: str
    rule: str
    affected: int
    count: int
    largest: float = float("nan")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """All that was compared of one case."""

    agreements: tuple[Agreement, ...]
    departures: tuple[Departure, ...] = ()


def local_scale(plane: _Plane, *, size: int | tuple[int, int] = 9) -> npt.NDArray[np.float64]:
    """Return the largest magnitude in a box around each pixel; sums over it round relative to it.

    Parameters
    ----------
    plane : (rows, columns)
        Pixels that are not finite do not count.
    size
        Of the box in pixels; the default holds the 6 x 6 pixels of a resampling kernel.
    """
    magnitude = np.where(np.isfinite(plane), np.abs(plane), 0.0).astype(np.float64)
    scale: npt.NDArray[np.float64] = maximum_filter(magnitude, size)
    return np.maximum(scale, np.finfo(np.float32).tiny)


def worst_near(
    ours: _Plane, theirs: _Plane, where: _Where, *, size: int | tuple[int, int] = 9
) -> tuple[float, int]:
    """Return the worst difference relative to `local_scale`, and how many pixels were compared.

    A pixel that is finite in one plane only is infinitely far off.
    """
    if not where.any():
        return 0.0, 0
    a, b = ours[where].astype(np.float64), theirs[where].astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        difference = np.abs(a - b) / local_scale(theirs, size=size)[where]
    difference = np.where(same, 0.0, np.where(np.isfinite(difference), difference, np.inf))
    return float(difference.max()), int(where.sum())


class Tally:
    """Collects the worst difference of each quantity of a case, from as many parts as it has.

    Parameters
    ----------
    case
        Name of the case.
    rounding
        What `near` allows.
    """

    def __init__(self, case: str, *, rounding: float) -> None:
        self._case = case
        self._rounding = rounding
        self._agreements: dict[str, tuple[float, float, int]] = {}
        self._departures: dict[str, tuple[int, int, float]] = {}

    def agree(self, quantity: str, worst: float, wanted: float, count: SupportsInt = 1) -> None:
        """Add a difference; where none is allowed, ``worst`` is a number and they add up.

        Nothing compared is no agreement, and is not kept.
        """
        if not int(count):
            return
        old, _, number = self._agreements.get(quantity, (0.0, wanted, 0))
        total = old + worst if wanted == 0.0 else max(old, worst)
        self._agreements[quantity] = (float(total), wanted, number + int(count))

    def same(
        self, quantity: str, ours: _Plane, theirs: _Plane, where: _Where | None = None
    ) -> None:
        """Add the number of values that are not identical."""
        chosen = np.ones(ours.shape, np.bool_) if where is None else where
        different = np.count_nonzero(ours[chosen] != theirs[chosen])
        self.agree(quantity, float(different), 0.0, int(chosen.sum()))

    def near(self, quantity: str, ours: _Plane, theirs: _Plane, where: _Where) -> None:
        """Add the difference of two planes relative to their `local_scale`."""
        worst, count = worst_near(ours, theirs, where)
        self.agree(quantity, worst, self._rounding, count)

    def differ(
        self,
        rule: str,
        affected: SupportsInt,
        *,
        count: SupportsInt = 1,
        largest: float = float("nan"),
    ) -> None:
        """Add what differs on purpose."""
        old, number, size = self._departures.get(rule, (0, 0, float("nan")))
        self._departures[rule] = (
            old + int(affected),
            number + int(count),
            float(np.fmax(size, largest)),
        )

    def result(self) -> Comparison:
        """Return all that was collected; a rule that affects nothing is left out."""
        return Comparison(
            agreements=tuple(
                Agreement(case=self._case, quantity=name, worst=worst, wanted=wanted, count=count)
                for name, (worst, wanted, count) in self._agreements.items()
            ),
            departures=tuple(
                Departure(
                    case=self._case, rule=rule, affected=affected, count=count, largest=largest
                )
                for rule, (affected, count, largest) in self._departures.items()
                if affected
            ),
        )
