"""Which footprints are artifacts: those that only one or two of many visits have."""

from __future__ import annotations

__all__ = ["are_artifacts"]

import numpy as np
import numpy.typing as npt

from .footprints import Footprints
from .settings import ComparisonSettings


def are_artifacts(
    footprints: Footprints,
    *,
    epochs: npt.NDArray[np.integer],
    visits: npt.NDArray[np.integer],
    protected: npt.NDArray[np.bool_],
    settings: ComparisonSettings,
) -> npt.NDArray[np.bool_]:
    """Return which footprints of a visit are artifacts.

    Parameters
    ----------
    footprints
        Those of the visit.
    epochs : int (pixels,)
        In how many visits each pixel of a plane is in a footprint.
    visits : int (pixels,)
        How many visits can be compared there.
    protected : bool (pixels,)
        Where sources are protected.
    settings
        All choices.
    """
    here = epochs[footprints.pixels]
    n_visits = footprints.means(visits[footprints.pixels])
    allowed = np.array([int(settings.max_epochs(number)) for number in n_visits], np.int64)
    rare = (here >= 1) & (here <= allowed[footprints.labels])
    found: npt.NDArray[np.bool_] = footprints.means(rare) > settings.spatial_threshold
    if settings.do_preserve_contained_by_source:
        found &= footprints.means(protected[footprints.pixels]) < 1.0
    return found
