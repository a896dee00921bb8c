"""Moving the image of a PSF by a fraction of a pixel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsst.images import YX, Image

from cellcoadd.psfs.stamp_shift import place_stamp, shift_stamp, stellar_box

fractions = st.floats(-0.5, 0.5)


def gaussian(x: float, y: float, *, sigma: float = 2.0, half: int = 15) -> npt.NDArray[np.float64]:
    """A Gaussian of unit sum, its centre at x, y from the middle pixel."""
    offsets = np.arange(-half, half + 1)
    pixels = np.exp(-((offsets[:, None] - y) ** 2 + (offsets - x) ** 2) / (2 * sigma**2))
    result: npt.NDArray[np.float64] = pixels / pixels.sum()
    return result


@settings(deadline=None, max_examples=30)
@given(dx=fractions, dy=fractions)
def test_a_well_sampled_star_moves_by_the_shift(dx: float, dy: float) -> None:
    """A Gaussian of sigma 2 px is band-limited, so only the window of the kernel errs.

    By 0.0021 of the peak at most over all shifts; its first moment, and with it the centroid of any
    stamp, by 0.0116 px at a shift of 0.23 px. This is the reference's kernel, error included.
    """
    moved = shift_stamp(gaussian(0, 0), dx=dx, dy=dy)
    assert np.abs(moved - gaussian(dx, dy)).max() < 2.2e-3 * moved.max()
    assert moved.sum() == pytest.approx(1.0, abs=1e-9)
    offsets = np.arange(-15, 16)
    assert moved.sum(axis=0) @ offsets == pytest.approx(dx, abs=0.0117)
    assert moved.sum(axis=1) @ offsets == pytest.approx(dy, abs=0.0117)


def test_no_shift_changes_nothing_and_copies() -> None:
    """A star in the middle of a pixel is the kernel itself, and the kernel must stay untouched."""
    stamp = gaussian(0.2, 0.1)
    result = shift_stamp(stamp, dx=0.0, dy=0.0)
    assert (result == stamp).all()
    assert result is not stamp


def test_a_shift_of_a_pixel_or_more_is_refused() -> None:
    """Whole pixels belong to the box; a NaN position must not become a NaN image."""
    for shift in (1.0, -2.5, np.nan):
        with pytest.raises(ValueError, match="less than a pixel"):
            shift_stamp(gaussian(0, 0), dx=shift, dy=0.0)


def test_box_of_the_star_is_known_beforehand() -> None:
    """Half a pixel rounds up, in both axes, and the box follows."""
    kernel = Image(gaussian(0, 0), yx0=YX(y=-15, x=-15))
    for x, y in ((3.5, -2.5), (-0.5, 0.49), (100.25, 7.0)):
        placed = place_stamp(kernel, x=x, y=y)
        assert placed.bbox == stellar_box(kernel.bbox, x=x, y=y)
        assert placed.bbox.x.start == np.floor(x + 0.5) - 15
        assert placed.bbox.y.start == np.floor(y + 0.5) - 15
