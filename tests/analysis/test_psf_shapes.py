"""Shapes of point-spread functions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from cellcoadd.analysis.psf_shapes import measure_psf_shapes


def gaussian(xx: float, yy: float, xy: float = 0.0) -> npt.NDArray[np.float64]:
    """A Gaussian with these moments, on a stamp of 41 px."""
    y, x = np.indices((41, 41)) - 20.0
    determinant = xx * yy - xy * xy
    exponent = (yy * x * x - 2 * xy * x * y + xx * y * y) / determinant
    stamp: npt.NDArray[np.float64] = np.exp(-0.5 * exponent)
    return stamp


def test_a_gaussian_has_its_own_shape() -> None:
    """xx = 6, yy = 4, xy = 1: e1 = e2 = 2 / 10. To 1e-4, where the iteration stops."""
    shapes = measure_psf_shapes(np.array([gaussian(6, 4, 1), gaussian(4, 4)]))
    assert shapes.e1 == pytest.approx([0.2, 0.0], abs=1e-4)
    assert shapes.e2 == pytest.approx([0.2, 0.0], abs=1e-4)
    assert shapes.ellipticity == pytest.approx([np.hypot(0.2, 0.2), 0.0], abs=1e-4)
    assert shapes.fwhm == pytest.approx([2.35482 * 23**0.25, 2.35482 * 2.0], rel=1e-4)
    assert not shapes.failed.any()


def test_turned_by_a_quarter_the_ellipticity_changes_its_sign() -> None:
    """It is a spin-2 number: its length stays."""
    stamp = gaussian(7, 3, -1)
    shapes = measure_psf_shapes(np.array([stamp, np.rot90(stamp)]))
    assert shapes.e1[1] == pytest.approx(-shapes.e1[0], abs=1e-12)
    assert shapes.e2[1] == pytest.approx(-shapes.e2[0], abs=1e-12)
    assert shapes.ellipticity[1] == pytest.approx(shapes.ellipticity[0], abs=1e-12)


def test_what_has_no_shape_is_flagged() -> None:
    """A negative stamp, and one of zeros, have no moments; their neighbour has."""
    stamp = gaussian(4, 4)
    shapes = measure_psf_shapes(np.array([-stamp, stamp, 0 * stamp]))
    assert shapes.failed.tolist() == [True, False, True]
    for values in (shapes.e1, shapes.e2, shapes.ellipticity, shapes.fwhm):
        assert np.isnan(values).tolist() == [True, False, True]
