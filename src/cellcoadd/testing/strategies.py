"""Hypothesis strategies: observations of a small patch, with everything that goes wrong in them.

What is drawn is a `DrawnDetector`, a few numbers that a failing example can be read from and made
again by hand; its pixels follow from its seed.
"""

from __future__ import annotations

__all__ = ["DrawnDetector", "detectors"]

import dataclasses

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from ..products.calibrated_image import CalibratedImage
from ..skymap import Patch
from .images import make_detector

_SIZE = 170  # pixels
_NEAR, _FAR = 10.0, 70.0  # pixels between a detector's middle and where it is wanted, in x and y
_SMALLEST_SCALE = 0.17  # arcsec: 72 pixels of the tract from a detector's middle to its side
_MOST_DISTORTION = 8.0  # pixels: the scale changes by two fifths from side to side
_PLANES = ("BAD", "SAT", "CR", "EDGE", "ZEBRA", "NO_DATA")
_SPECKS = 8  # single bad pixels of each kind
_COLUMN = slice(20, 80), slice(70, 74)
_MASKED_ROWS = slice(51, 119)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DrawnDetector:
    """One detector of one visit on a small patch.

    Parameters
    ----------
    visit, detector
        Which observation it is.
    seed
        Of its pixels, variances and defects.
    x, y
        Tract pixel under its middle.
    rotation
        Degrees.
    pixel_scale
        In arcseconds; the tract's is 0.2.
    distortion
        Pixels, see `make_detector`.
    calibration
        nJy per count.
    mean_variance
        Stated mean variance in counts^2.
    masked
        Whether its middle 40 per cent of rows are BAD, so that it is no more than a fallback there.
    """

    visit: int
    detector: int
    seed: int
    x: float
    y: float
    rotation: float
    pixel_scale: float
    distortion: float
    calibration: float
    mean_variance: float
    masked: bool

    def image(
        self, patch: Patch, *, pixels: npt.NDArray[np.float64] | None = None
    ) -> CalibratedImage:
        """Return the detector.

        Parameters
        ----------
        patch
            Gives the tract.
        pixels
            In place of its own; pixels that are not finite stay so.
        """
        rng = np.random.default_rng(self.seed)
        shape = (_SIZE, _SIZE)
        own, variance = rng.normal(5.0, 2.0, shape), rng.uniform(3.0, 5.0, shape)
        flags = {name: _specks(rng) for name in _PLANES}
        flags["BAD"][_COLUMN] = True
        if self.masked:
            flags["BAD"][_MASKED_ROWS] = True
        given = own if pixels is None else pixels.copy()
        given[_specks(rng)] = np.nan
        variance[_specks(rng)] = np.inf
        return make_detector(
            patch,
            x=self.x,
            y=self.y,
            width=_SIZE,
            height=_SIZE,
            rotation=self.rotation,
            pixel_scale=self.pixel_scale,
            distortion=self.distortion,
            pixels=given,
            variance=variance,
            flags=flags,
            visit=self.visit,
            detector=self.detector,
            nanojansky_per_count=self.calibration,
            mean_variance=self.mean_variance,
        )

    def draw_pixels(self, seed: int) -> npt.NDArray[np.float64]:
        """Return other pixels for it, of a standard normal distribution."""
        return np.random.default_rng([self.seed, seed]).normal(size=(_SIZE, _SIZE))


@st.composite
def detectors(draw: st.DrawFn, *, x: float, y: float) -> tuple[DrawnDetector, ...]:
    """Draw two or three visits, the first of one detector, the others of two, which may overlap.

    The first detector of a visit covers all cells within 45 pixels of a position; the second lies
    anywhere around it and, by its number, over or under the first.

    Parameters
    ----------
    draw
        What hypothesis draws with; who calls this gives none.
    x, y
        The position on the tract.
    """
    result = []
    for place, visit in enumerate(
        sorted(draw(st.sets(st.integers(1, 99), min_size=2, max_size=3)))
    ):
        numbers = draw(st.lists(st.integers(1, 103), min_size=2, max_size=2, unique=True))
        for reach, number in ((_NEAR, numbers[0]), (_FAR, numbers[1]))[: 2 if place else 1]:
            offsets = st.floats(-reach, reach, width=32)
            result.append(
                DrawnDetector(
                    visit=visit,
                    detector=number,
                    seed=draw(st.integers(0, 2**16)),
                    x=x + draw(offsets),
                    y=y + draw(offsets),
                    rotation=draw(st.floats(0.0, 360.0, width=32)),
                    pixel_scale=draw(st.floats(_SMALLEST_SCALE, 0.26)),
                    distortion=draw(st.floats(0.0, _MOST_DISTORTION, width=32)),
                    calibration=draw(st.floats(0.5, 2.0, width=32)),
                    mean_variance=draw(st.floats(1.0, 100.0, width=32)),
                    masked=draw(st.booleans()),
                )
            )
    return tuple(result)


def _specks(rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    where = np.zeros((_SIZE, _SIZE), np.bool_)
    where[rng.integers(0, _SIZE, _SPECKS), rng.integers(0, _SIZE, _SPECKS)] = True
    return where
