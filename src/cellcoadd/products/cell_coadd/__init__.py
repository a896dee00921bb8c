"""MultipleCellCoadd: the cell-based coadd of a patch; coaddition makes it, people use it."""

from __future__ import annotations

__all__ = ["MultipleCellCoadd"]

from .coadd import MultipleCellCoadd
