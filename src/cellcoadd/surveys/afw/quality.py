"""Summary statistics of afw exposures, as the selection of inputs takes them.

They lie in the archive as YAML, or as columns of a visit summary. What a version of the pipelines
did not measure is not there, and is not cut on; NaN beside other numbers is a failure.
"""

from __future__ import annotations

__all__ = ["mean_variance", "read_statistics"]

import math
from collections.abc import Mapping
from typing import Any

import numpy.typing as npt
import yaml

from ...errors import UnusableInputError
from ..rubin.quality import variance_that_agrees
from .exposure_file import ExposureFile

_MOST_CHARACTERS = 1_000_000


def read_statistics(exposure: ExposureFile) -> Mapping[str, float]:
    """Return the statistics by the names of the Rubin pipelines: the visit summary's, if it is one.

    Raises
    ------
    UnusableInputError
        If they are there and cannot be read.
    """
    stored = exposure.own("SUMMARY_STATS")
    values: dict[str, float] = {}
    if stored is not None:
        try:
            values = _loaded(stored.table().data("bytes").rstrip(b"\0"))
        except (ValueError, OverflowError, RecursionError, yaml.YAMLError) as error:
            raise UnusableInputError(
                exposure.source, f"its summary statistics are no YAML ({error})."
            ) from error
    return values if exposure.summary is None else {**values, **exposure.summary.statistics}


def _loaded(text: bytes) -> dict[str, float]:
    """Read YAML, of which nothing but plain values is made."""
    if len(text) > _MOST_CHARACTERS:
        raise ValueError(f"they have {len(text)} characters, {_MOST_CHARACTERS} are allowed")
    loaded = yaml.safe_load(text.decode("utf-8"))
    if not isinstance(loaded, dict):
        raise ValueError("they are no names with numbers")
    return {
        str(key): float(value)
        for key, value in loaded.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def mean_variance(
    stated: float | None, sample: npt.NDArray[Any], *, njy_per_count: float, is_flux: bool
) -> float | None:
    """Return a stated mean variance in the unit of the variance plane, if it is one of it.

    Parameters
    ----------
    stated
        As the statistics have it: in counts, before or after the calibration.
    sample : (rows, columns)
        Some rows of the variance plane.
    njy_per_count
        Flux of one of the counts that the image was made of.
    is_flux
        Whether the plane is in nJy^2 already.

    Returns
    -------
    variance
        What agrees with the median of the rows within a factor of two; None if nothing does, so
        that it is measured.
    """
    if stated is None or not (math.isfinite(stated) and stated > 0):
        return None
    other = stated * njy_per_count**2 if is_flux else stated / njy_per_count**2
    return variance_that_agrees((stated, other), sample)
