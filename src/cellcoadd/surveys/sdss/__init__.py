"""Frames of the imaging survey of SDSS."""

from __future__ import annotations

from .reader import UNIQUE_ROWS, SdssReader, read_sdss_image

__all__ = ["UNIQUE_ROWS", "SdssReader", "read_sdss_image"]
