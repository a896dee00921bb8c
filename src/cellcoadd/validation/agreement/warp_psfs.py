"""Our PSF of a warp beside that of the Rubin pipelines, with their approximations and without.

Theirs is drawn on a linear map of the pixels, with a kernel that is kept at 10,000 positions
between two pixels; ours on the exact map, with a kernel that is not rounded. So that nothing but
rounding is left, ours is also drawn at the positions that theirs amounts to.
"""

from __future__ import annotations

__all__ = ["compare_warp_psf", "transform_of"]

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from lsst.images import XY, YX, Box, Image, Interval, SkyProjection, TractFrame

from ...kernels.moments import adaptive_moments, effective_area
from ...products.calibrated_image import CalibratedImage
from ...psfs.stamp_shift import place_stamp
from ...warping.positions import TractToDetector
from ...warping.settings import ResamplingSettings
from ...warping.warped_psf import warp_psf
from .comparison import Comparison, Tally
from .reference_cases import WarpCase, box_from_corners
from .shapes import compare_shifts

STAMP = 1e-5
"""Of the peak."""

_BINS = 10000
_PADDING = 4  # pixels of zeros that theirs puts around a stamp
_STEP = 0.5  # pixels, of the difference that their linear map is made from

type _Floats = npt.NDArray[np.float64]


def compare_warp_psf(case: WarpCase) -> Comparison:
    """Compare the PSF of a warp with theirs at some positions.

    Raises
    ------
    ValueError
        If the image of a star is not in the same box as theirs.
    """
    tally = Tally(case.name, rounding=STAMP)
    points = case.description["output"]["psf_points"]
    for point in points:
        x, y = point["point"]
        theirs = case.psf[point["kernel_image"]["key"]]
        box = box_from_corners(point["kernel_image"]["bbox"])
        pixels, beyond = _kernel_like_theirs(case, x=x, y=y, radius=box.x.max)
        kernel = Image(pixels, bbox=box)
        tally.differ(
            "PSF of a warp, 2 to 3 px outside of the stamp: the kernel reaches it, theirs is 0 "
            "(of the peak)",
            np.count_nonzero(beyond), count=beyond.size, largest=float(np.abs(beyond).max()),
        )  # fmt: skip
        tally.agree("PSF of a warp, drawn at their positions (of the peak)",
                    _worst_of_peak(kernel.array, theirs), STAMP)  # fmt: skip
        ratio = effective_area(kernel.array) / effective_area(theirs)
        tally.agree("PSF of a warp: area (relative)", abs(ratio - 1.0), STAMP)
        moments = np.array(point["shape_ixx_iyy_ixy"])
        found = np.array(adaptive_moments(kernel.array.astype(np.float32))[:3])
        difference = np.abs(found - moments).max() / moments[:2].mean()
        tally.agree("PSF of a warp: moments (of their mean)", float(difference), STAMP)
        exact = _kernel(case, x=x, y=y, radius=box.x.max)
        tally.differ(
            "PSF of a warp: exact map and kernel, theirs linear and rounded (of the peak)",
            1, largest=_worst_of_peak(exact, theirs),
        )  # fmt: skip
        image = place_stamp(kernel, x=x, y=y)
        if image.bbox != box_from_corners(point["image"]["bbox"]):
            raise ValueError(f"The PSF's image is in {image.bbox}, theirs in {point['image']}.")
        theirs = case.psf[point["image"]["key"]]
        tally.agree("PSF of a warp, moved by a fraction of a pixel (of the peak)",
                    _worst_of_peak(image.array, theirs), STAMP)  # fmt: skip
    compare_shifts(tally, points, case.psf)
    return tally.result()


def transform_of(case: WarpCase, image: CalibratedImage) -> TractToDetector:
    """Return the map from the pixels of the patch to those of a detector."""
    return TractToDetector(
        tract=case.patch.sky_projection,
        detector=image.sky_projection,
        source=str(image.observation),
    )


def _worst_of_peak(ours: _Floats, theirs: _Floats) -> float:
    return float(np.abs(ours - theirs).max() / theirs.max())


class _LinearMap(TractToDetector):
    """Their map of pixels around a position, at the positions that their kernel is kept at."""

    def __init__(
        self,
        *,
        tract: SkyProjection[TractFrame],
        detector: SkyProjection[Any],
        source: str,
        x: float,
        y: float,
    ) -> None:
        super().__init__(tract=tract, detector=detector, source=source)
        self._origin = np.array([x, y])
        around = super().to_detector(
            x=x + _STEP * np.array([0.0, -1.0, 1.0, 0.0, 0.0]),
            y=y + _STEP * np.array([0.0, 0.0, 0.0, -1.0, 1.0]),
        )
        at = np.array([around.x, around.y])
        self._middle = at[:, 0]
        self._matrix = np.column_stack([at[:, 2] - at[:, 1], at[:, 4] - at[:, 3]]) / (2.0 * _STEP)

    def to_detector(self, *, x: _Floats, y: _Floats) -> XY[_Floats]:
        """Return linear positions."""
        offset = np.array([x, y]) - self._origin[:, np.newaxis]
        at = self._middle[:, np.newaxis] + self._matrix @ offset
        return XY(x=at[0], y=at[1])

    def node_blocks(self, boxes: Sequence[Box], *, spacing: int) -> list[XY[_Floats]]:
        """Return the positions that pixels are resampled at: those in the middle of a bin."""
        blocks = super().node_blocks(boxes, spacing=spacing)
        return [XY(x=_to_bins(block.x), y=_to_bins(block.y)) for block in blocks]


def _to_bins(positions: _Floats) -> _Floats:
    binned: _Floats = (np.floor(positions * _BINS) + 0.5) / _BINS
    return binned


def _kernel_like_theirs(
    case: WarpCase, *, x: float, y: float, radius: int
) -> tuple[_Floats, _Floats]:
    """Our PSF on their positions, of unit sum, and what it has of its peak where theirs is cut off.

    Rounded positions are not evenly spaced, so that the ratio of areas that the resampler takes
    from them, which is constant to theirs, is divided out.
    """
    centre = _pixel_of(x=x, y=y)
    image = _detector_at(case, centre)
    linear = _LinearMap(
        tract=case.patch.sky_projection,
        detector=image.sky_projection,
        source=str(image.observation),
        x=x,
        y=y,
    )
    every_pixel = ResamplingSettings(interp_length=1)
    ([stamp], _) = warp_psf(
        image.psf, transform=linear, centres=[centre], settings=every_pixel, name=case.name
    )
    reach = stamp.shape[0] // 2
    box = Box.factory[
        centre.y - reach : centre.y + reach + 1, centre.x - reach : centre.x + reach + 1
    ]
    (at,) = linear.node_blocks([box], spacing=1)
    step_x = np.diff(at.x, axis=1)[1:], np.diff(at.y, axis=1)[1:]
    step_y = np.diff(at.x, axis=0)[:, 1:], np.diff(at.y, axis=0)[:, 1:]
    area = np.abs(step_x[0] * step_y[1] - step_x[1] * step_y[0])
    at_centre = linear.to_detector(x=np.array([float(centre.x)]), y=np.array([float(centre.y)]))
    source = image.psf.compute_stellar_image(x=float(at_centre.x[0]), y=float(at_centre.y[0]))
    beyond = _is_beyond(at.x[1:, 1:], source.bbox.x) | _is_beyond(at.y[1:, 1:], source.bbox.y)
    whole = stamp / area
    return (
        _of_unit_sum(np.where(beyond, 0.0, whole), radius),
        _cut(np.where(beyond, whole, 0.0), radius) / whole.max(),
    )


def _is_beyond(positions: _Floats, interval: Interval) -> npt.NDArray[np.bool_]:
    """Whether a kernel's six pixels reach beyond those of a stamp and its padding."""
    first = np.floor(positions) - 2.0
    result: npt.NDArray[np.bool_] = (first < interval.min - _PADDING) | (
        first + 5.0 > interval.max + _PADDING
    )
    return result


def _kernel(case: WarpCase, *, x: float, y: float, radius: int) -> _Floats:
    """Our PSF as it is, of unit sum."""
    centre = _pixel_of(x=x, y=y)
    image = _detector_at(case, centre)
    transform = transform_of(case, image)
    settings = case.settings.resampling
    ([stamp], _) = warp_psf(
        image.psf, transform=transform, centres=[centre], settings=settings, name=case.name
    )
    return _of_unit_sum(stamp.astype(np.float64), radius)


def _pixel_of(*, x: float, y: float) -> YX[int]:
    return YX(y=math.floor(y + 0.5), x=math.floor(x + 0.5))


def _of_unit_sum(stamp: _Floats, radius: int) -> _Floats:
    cut = _cut(stamp, radius)
    return cut / cut.sum()


def _cut(stamp: _Floats, radius: int) -> _Floats:
    margin = radius - stamp.shape[0] // 2
    return np.pad(stamp, margin) if margin >= 0 else stamp[-margin:margin, -margin:margin]


def _detector_at(case: WarpCase, centre: YX[int]) -> CalibratedImage:
    for image in case.images:
        at = transform_of(case, image).to_detector(
            x=np.array([float(centre.x)]), y=np.array([float(centre.y)])
        )
        pixel = _pixel_of(x=float(at.x[0]), y=float(at.y[0]))
        if image.bbox.contains(x=pixel.x, y=pixel.y):
            return image
    raise ValueError(f"No detector of {case.name} covers {centre}.")
