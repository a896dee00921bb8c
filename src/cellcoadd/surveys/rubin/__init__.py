"""Rubin's visit images."""

from __future__ import annotations

from .reader import (
    RubinReader,
    calibrated_image_from_visit_image,
    details_from_obs_info,
    read_visit_image,
)

__all__ = [
    "RubinReader",
    "calibrated_image_from_visit_image",
    "details_from_obs_info",
    "read_visit_image",
]
