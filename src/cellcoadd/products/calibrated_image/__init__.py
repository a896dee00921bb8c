"""CalibratedImage: one detector of one visit; surveys read it, warping takes it."""

from __future__ import annotations

__all__ = ["CalibratedImage", "ImageQuality"]

from .image import CalibratedImage, ImageQuality
