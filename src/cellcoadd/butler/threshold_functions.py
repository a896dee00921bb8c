"""The threshold functions of a tract, from the tables of inputs that a repository holds."""

from __future__ import annotations

__all__ = ["ThresholdFunctions", "threshold_functions"]

import dataclasses
import importlib
import importlib.util
from collections.abc import Mapping

import numpy as np
from astropy.table import Table

from ..report.threshold_figures import Curve

_MODULE = "cellcoadd.analysis.input_thresholds"
_ALL = "masked_fraction"


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
    # The module that makes tables of inputs: where it is not installed there are none to read.
    if inputs is None or _ALL not in inputs.colnames or importlib.util.find_spec(_MODULE) is None:
        return ThresholdFunctions(planes={}, patches={})
    remaining_input_fraction = importlib.import_module(_MODULE).remaining_input_fraction
    planes: dict[str, Curve] = {}
    for plane in ("all", *_planes(inputs)):
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


def _planes(inputs: Table) -> list[str]:
    """Planes with masked fractions of their own, which come for both regions of a cell."""
    names = [name.removeprefix(f"{_ALL}_") for name in inputs.colnames if name.startswith(_ALL)]
    return [name for name in names if f"{_ALL}_{name}_inner" in inputs.colnames]
