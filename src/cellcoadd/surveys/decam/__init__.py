"""Images of DECam."""

from __future__ import annotations

from .planes import QUALITY_CODES
from .reader import DecamReader, read_decam_image

__all__ = ["QUALITY_CODES", "DecamReader", "read_decam_image"]
