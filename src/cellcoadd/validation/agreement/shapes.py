"""Our shapes, areas and shifts of PSF stamps beside those of the Rubin pipelines."""

from __future__ import annotations

__all__ = ["SHIFT", "compare_shapes", "compare_shifts"]

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from lsst.images import YX, Image

from ...kernels.moments import adaptive_moments, effective_area
from ...psfs.stamp_shift import place_stamp
from .comparison import Comparison, Tally
from .reference_cases import Arrays, box_from_corners, read_arrays, read_json

MOMENTS = 1e-6
"""Of the mean moment: parts of theirs are in single precision."""

AREA = 1e-12

SHIFT = 1e-14
"""Of the peak: what the order of ten products a row can do."""


def compare_shapes(folder: Path) -> Comparison:
    """Compare moments and areas of Gaussians, Moffats and real PSFs, and the latter moved."""
    entries = read_json(folder / "D3_shapes.json")
    arrays = read_arrays(folder / "D3_shapes.npz")
    tally = Tally("D3_shapes", rounding=MOMENTS)
    for name, entry in entries.items():
        if isinstance(entry, list):
            compare_shifts(tally, entry, arrays)
        elif name in arrays:
            stamp = arrays[name]
            *shape, converged = adaptive_moments(stamp)
            expected = np.array(entry["psf_computeShape"])
            difference = np.abs(shape - expected).max() / expected[:2].mean()
            worst = float(difference) if converged else np.inf
            tally.agree("moments (of their mean)", worst, MOMENTS)
            ratio = effective_area(stamp) / entry["effective_area"]
            tally.agree("effective area (relative)", abs(ratio - 1.0), AREA)
    return tally.result()


def compare_shifts(tally: Tally, points: Iterable[Mapping[str, Any]], arrays: Arrays) -> None:
    """Compare PSFs moved to some positions, from the same kernel images.

    Raises
    ------
    ValueError
        If the image of a star is not in the same box as theirs.
    """
    for point in points:
        box = box_from_corners(point["kernel_image"]["bbox"])
        pixels = arrays[point["kernel_image"]["key"]].astype(np.float64)
        x, y = point["point"]
        kernel = Image(pixels, yx0=YX(y=box.y.start, x=box.x.start))
        placed = place_stamp(kernel, x=x, y=y)
        if placed.bbox != box_from_corners(point["image"]["bbox"]):
            raise ValueError(f"The PSF is in {placed.bbox}, theirs in {point['image']['bbox']}.")
        expected = arrays[point["image"]["key"]]
        worst = np.abs(placed.array - expected).max() / expected.max()
        tally.agree("PSF moved by a fraction of a pixel, from the same image (of the peak)",
                    float(worst), SHIFT)  # fmt: skip
