"""Check: one quantity of a simulated coadd, how far it is from the truth, and how far it may be."""

from __future__ import annotations

__all__ = ["Check"]

import dataclasses
import math


@dataclasses.dataclass(frozen=True, kw_only=True)
class Check:
    """A quantity that physics prescribes.

    Parameters
    ----------
    case
        What was simulated.
    quantity
        What is compared with the truth, and its unit.
    deviation
        The largest (or the mean, where the quantity says so) deviation from the truth.
    wanted
        The largest magnitude of the deviation that is allowed; infinite where there is no limit and
        the number is shown for information.
    count
        Number of values that were measured.
    error
        Standard error of the deviation; 0 where nothing was drawn at random.
    note
        What a reader of the table should know: a scatter, or why there is no limit.
    """

    case: str
    quantity: str
    deviation: float
    wanted: float
    count: int
    error: float = 0.0
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether something was measured and the truth is not too far off.

        A deviation with a standard error may exceed the limit by two of them; the error itself must
        not, or the check could not fail.
        """
        return (
            self.count > 0
            and math.isfinite(self.deviation)
            and self.error <= self.wanted
            and abs(self.deviation) <= self.wanted + 2.0 * self.error
        )
