"""HealSparse maps before anything is in them: which resolutions they can have, and empty ones."""

from __future__ import annotations

__all__ = ["MAX_NSIDE", "check_resolutions", "empty_map"]

import warnings
from typing import Any

import healsparse
import numpy.typing as npt

MAX_NSIDE = 2**29
"""Finest resolution of HEALPix: numbers of smaller pixels need more than 64 bits."""


def check_resolutions(*, nside_sparse: int, nside_coverage: int) -> None:
    """Refuse resolutions that a HealSparse map cannot have.

    Raises
    ------
    ValueError
        If one is not a power of two, or the map is coarser than its index.
    """
    for name, value in (("nside_sparse", nside_sparse), ("nside_coverage", nside_coverage)):
        if not 1 <= value <= MAX_NSIDE or value & (value - 1):
            raise ValueError(f"{name} must be a power of two in 1..2^29, got {value}.")
    if nside_sparse < nside_coverage:
        raise ValueError(
            f"nside_sparse = {nside_sparse} must not be less than "
            f"nside_coverage = {nside_coverage}."
        )


def empty_map(
    *, nside_sparse: int, nside_coverage: int, dtype: npt.DTypeLike, **options: Any
) -> healsparse.HealSparseMap:
    """Return a map without any pixel; options are those of ``HealSparseMap.make_empty``.

    Raises
    ------
    ValueError
        If a resolution is not possible.
    """
    check_resolutions(nside_sparse=nside_sparse, nside_coverage=nside_coverage)
    with warnings.catch_warnings():
        # It is meant for maps of the whole sky; those of patches and tracts are smaller with a fine
        # index.
        warnings.filterwarnings("ignore", "Using `nside_coverage` > 128", ResourceWarning)
        return healsparse.HealSparseMap.make_empty(nside_coverage, nside_sparse, dtype, **options)
