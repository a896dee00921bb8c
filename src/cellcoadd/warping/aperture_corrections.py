"""The aperture corrections of a warp: each detector's own, evaluated at the centres of cells.

They have the rows of the point-spread functions, see `warped_psf`: the correction of an algorithm
belongs to the function that a star has there.
"""

from __future__ import annotations

__all__ = ["corrections_at_positions", "corrections_of_detectors"]

import logging
from collections.abc import Mapping, Sequence

import astropy.units as u
import numpy as np
import numpy.typing as npt
from lsst.images import XY, YX
from lsst.images.fields import Field

from .project import LandedDetector

_LOG = logging.getLogger(__name__)


def corrections_of_detectors(
    landed: Sequence[LandedDetector], centres: Sequence[Sequence[YX[int]]]
) -> dict[str, npt.NDArray[np.float64]]:
    """Return the aperture corrections of all detectors of a visit, one row a centre.

    Parameters
    ----------
    landed
        The detectors.
    centres
        Pixels of the tract, for each detector.

    Returns
    -------
    corrections : float64 (number of centres of all detectors,)
        By the name of the algorithm, detector after detector; NaN where a detector has none.
    """
    parts = [
        (
            len(mine),
            corrections_at_positions(
                detector.aperture_corrections,
                detector.placement.transform.to_detector(
                    x=np.array([centre.x for centre in mine], np.float64),
                    y=np.array([centre.y for centre in mine], np.float64),
                ),
                source=str(detector.observation),
            ),
        )
        for detector, mine in zip(landed, centres, strict=True)
        if mine
    ]
    names = sorted({name for _, part in parts for name in part})
    return {
        name: np.concatenate([part.get(name, np.full(rows, np.nan)) for rows, part in parts])
        for name in names
    }


def corrections_at_positions(
    corrections: Mapping[str, Field], positions: XY[npt.NDArray[np.float64]], *, source: str
) -> dict[str, npt.NDArray[np.float64]]:
    """Return aperture corrections at some positions.

    Parameters
    ----------
    corrections
        Factors without unit, by the name of the algorithm, over the detector's pixels.
    positions : float64 (n,)
        Pixels of the detector.
    source
        What the user knows the detector as, for the log.

    Returns
    -------
    corrections : float64 (n,)
        By the same names. NaN where a correction is not finite, where it is not defined (its bounds
        lack the position), and everywhere, with a line in the log, if it cannot be evaluated.
    """
    result = {}
    for name, field in corrections.items():
        try:
            values = _evaluate(field, positions)
        except Exception as error:  # each kind of field fails in its own way
            _LOG.warning("%s: its aperture correction %s cannot be used: %s", source, name, error)
            values = np.full(positions.x.shape, np.nan)
        result[name] = values
    return result


def _evaluate(field: Field, positions: XY[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    unit = u.dimensionless_unscaled if field.unit is None else field.unit
    values = np.asarray(field(x=positions.x, y=positions.y), np.float64)
    values = values * unit.to(u.dimensionless_unscaled)
    inside = field.bounds.contains(x=positions.x, y=positions.y)
    return np.where(np.isfinite(values) & inside, values, np.nan)
