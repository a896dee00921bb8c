"""When two products are the same: in every value, where NaN is the same as NaN."""

from __future__ import annotations

__all__ = ["same_array", "same_arrays"]

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt


def same_array(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    """Whether two arrays have the same type, shape and values, structured ones by column."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    if one.dtype.names is not None:
        return all(same_array(one[name], other[name]) for name in one.dtype.names)
    return np.array_equal(one, other, equal_nan=one.dtype.kind in "fc")


def same_arrays(one: Mapping[str, npt.NDArray[Any]], other: Mapping[str, npt.NDArray[Any]]) -> bool:
    """Whether two mappings have the same names in the same order, and the same arrays."""
    return list(one) == list(other) and all(same_array(one[name], other[name]) for name in one)
