"""`CellPsf` where repositories look for it: their configurations are copies that never change."""

from __future__ import annotations

__all__ = ["CellPsf"]

from ..psfs.cell_psf import CellPsf
