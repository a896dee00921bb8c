"""Inputs whose weight is not one of the patch's: told by name, since nothing else would show it.

The weight is one over a mean variance. An image that states a millionth of its variance, or whose
pixels and variances are small by the same wrong factor, is consistent in itself and passes all
checks of single images; beside its neighbours it takes the whole coadd.
"""

from __future__ import annotations

__all__ = ["OddWeight", "find_odd_weights", "warn_of_odd_weights"]

import dataclasses
import logging
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..products.cell_coadd.inputs import CoaddInput, RefusalReason
from ..products.identifiers import ObservationIdentifiers

MOST_TIMES = 100.0
"""So many times the median of the others' weights: ten times the depth, or a hundred times the
exposure time. Surveys combine exposures of some seconds with some of minutes, not of hours."""

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OddWeight:
    """An input that weighs more than a hundred times what the others do.

    Parameters
    ----------
    observation
        Which detector of which visit.
    weight
        Its own, the largest that it has in a cell.
    median_of_others
        That of the other inputs of the patch.
    """

    observation: ObservationIdentifiers
    weight: float
    median_of_others: float

    def __str__(self) -> str:
        return (
            f"{self.observation} has the weight {self.weight:.3g}, "
            f"{self.weight / self.median_of_others:.3g} times the median of the other inputs, "
            f"{self.median_of_others:.3g}: it rules its cells. If it is not so much deeper, its "
            "zero point, its variance or its unit is wrong: leave it out, or correct it."
        )


def find_odd_weights(
    inputs: Sequence[CoaddInput], contributions: npt.NDArray[np.void]
) -> list[OddWeight]:
    """Return the inputs that weigh more than 100 times the median of the others.

    Parameters
    ----------
    inputs
        Of a coadd.
    contributions
        Its record: see `inputs.contribution_dtype`. What went into no cell does not count.
    """
    taken = contributions[contributions["reason"] == RefusalReason.ACCEPTED]
    weights = np.zeros(len(inputs))
    np.maximum.at(weights, taken["input"], taken["weight"])
    used = weights > 0
    found = []
    for number in np.flatnonzero(used).tolist() if np.count_nonzero(used) > 1 else ():
        others = used.copy()
        others[number] = False
        median = float(np.median(weights[others]))
        if weights[number] > MOST_TIMES * median:
            found.append(
                OddWeight(
                    observation=inputs[number].observation,
                    weight=float(weights[number]),
                    median_of_others=median,
                )
            )
    return found


def warn_of_odd_weights(
    patch: int, inputs: Sequence[CoaddInput], contributions: npt.NDArray[np.void]
) -> None:
    """Tell in the log of each input of a patch that weighs more than 100 times what others do."""
    for odd in find_odd_weights(inputs, contributions):
        _LOG.warning("Patch %d: %s", patch, odd)
