"""The threshold functions of a tract, from its tables of inputs."""

from __future__ import annotations

__all__ = ["ThresholdFunctions", "threshold_functions"]

import dataclasses
from collections.abc import Mapping

import numpy as np
from astropy.table import Table

from ..analysis.input_thresholds import remaining_input_fraction
from ..analysis.mask_fractions import fraction_column, planes_of
from ..report.threshold_figures import Curve


@dataclasses.dataclass(frozen=True, kw_only=True)
class ThresholdFunctions:
    """The threshold functions of a tract; nothing where masked fractions are not known.

    Parameters
    ----------
    planes
        Mean over the cells of the tract, each once, for all planes together and for each plane.
    patches
        Mean over the cells of each patch, all planes together.
    """

    planes: Mapping[str, Curve]
    patches: Mapping[int, Curve]


def threshold_functions(inputs: Table | None) -> ThresholdFunctions:
    """Return which part of the inputs remains at which threshold of the masked fraction.

    Parameters
    ----------
    inputs
        Tables of inputs of one tract and band, one below the other; None if there are none.
    """
    if inputs is None or fraction_column() not in inputs.colnames:
        return ThresholdFunctions(planes={}, patches={})
    planes: dict[str, Curve] = {}
    for plane in ("all", *planes_of(inputs.colnames)):
        found = remaining_input_fraction(inputs, plane=plane)
        mean = found.mean()
        if np.isfinite(mean).any():
            planes["all planes" if plane == "all" else plane] = (found.thresholds, mean)
    found = remaining_input_fraction(inputs)
    patches = {
        patch: (found.thresholds, mean)
        for (_, patch), mean in found.by_patch().items()
        if np.isfinite(mean).any()
    }
    return ThresholdFunctions(planes=planes, patches=patches)
