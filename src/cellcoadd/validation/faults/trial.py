"""What became of one kind of fault, tried many times."""

from __future__ import annotations

__all__ = ["Tally", "Trials"]

import dataclasses
from collections import Counter


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trials:
    """A row of the table.

    Parameters
    ----------
    fault
        What was done.
    tried
        How often.
    ends
        What became of it, with the number of times.
    bad
        Those ends that must not be, one sentence each.
    """

    fault: str
    tried: int
    ends: dict[str, int]
    bad: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether something was tried and nothing ended badly."""
        return self.tried > 0 and not self.bad


class Tally:
    """Trials of one fault while they are made.

    Parameters
    ----------
    fault
        What is done.
    """

    def __init__(self, fault: str) -> None:
        self._fault = fault
        self._ends: Counter[str] = Counter()
        self._bad: list[str] = []

    def good(self, end: str) -> None:
        """Note a trial that ended as it should."""
        self._ends[end] += 1

    def bad(self, end: str, sentence: str) -> None:
        """Note one that did not; the sentence says how to do it again."""
        self._ends[end] += 1
        self._bad.append(f"{self._fault}: {sentence}")

    def trials(self) -> Trials:
        """Return the row."""
        return Trials(
            fault=self._fault,
            tried=sum(self._ends.values()),
            ends=dict(sorted(self._ends.items())),
            bad=tuple(self._bad),
        )
