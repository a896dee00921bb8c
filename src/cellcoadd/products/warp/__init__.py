"""Warp: one visit resampled onto a patch; warping makes it, coaddition takes it."""

from __future__ import annotations

__all__ = ["CELL_INPUT_DTYPE", "NO_OWNER", "Warp", "WarpInput", "WarpKernel"]

from .inputs import WarpInput, WarpKernel
from .warp import CELL_INPUT_DTYPE, NO_OWNER, Warp
