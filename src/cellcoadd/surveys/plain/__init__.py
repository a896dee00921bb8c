"""Plain FITS of any camera, by a definition of what its files are like."""

from __future__ import annotations

from .reader import PlainFitsReader, camera_reader

__all__ = ["PlainFitsReader", "camera_reader"]
