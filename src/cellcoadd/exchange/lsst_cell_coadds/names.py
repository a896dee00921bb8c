"""What the format calls its tables, columns and units: shared by reading and writing."""

from __future__ import annotations

__all__ = [
    "APCORR",
    "CELL",
    "CELLS",
    "INPUT_COLUMNS",
    "MASKDEF",
    "UNIT",
    "VARIANCE_UNIT",
    "VERSIONS_READ",
    "VERSION_WRITTEN",
    "VISIT",
    "VISIT_SUMMARY",
    "noise_column",
]

from collections.abc import Mapping

VERSIONS_READ = ("0.3", "0.4", "0.5", "0.6", "0.7", "0.8")
"""The versions of the format that are read."""

VERSION_WRITTEN = "0.8"
"""The newest of them."""

CELLS = 1
"""The table of cells has a number only."""

CELL = "CELL"
"""The table of inputs: a row a cell and a detector that it adds up."""

VISIT = "VISIT"
"""The table of visits: a row a visit that any cell adds up."""

MASKDEF = "MASKDEF"
"""The table of mask planes: a row a plane, by name."""

VISIT_SUMMARY = "VISIT_SUMMARY"
"""The table of detectors that reach the patch, with their outlines; in version 0.6 and later."""

APCORR = "APCORR"
"""The table of aperture corrections: a row a cell that has any; in version 0.4 and later."""

UNIT = "nJy"
"""The unit of images."""

VARIANCE_UNIT = "nJy**2"
"""The unit of variances."""

INPUT_COLUMNS: Mapping[str, str] = {
    "overlaps_center": "overlaps_center",
    "overlap_fraction": "overlap_fraction",
    "weight": "weight",
    "psf_shape_ixx": "psf_shape_xx",
    "psf_shape_iyy": "psf_shape_yy",
    "psf_shape_ixy": "psf_shape_xy",
    "psf_shape_flag": "psf_shape_flag",
}
"""Columns of CELL that version 0.6 added, and what `contribution_dtype` calls them."""


def noise_column(number: int) -> str:
    """Return the name of the column of a noise realization, counted from 0."""
    return f"noise_{number:02}"
