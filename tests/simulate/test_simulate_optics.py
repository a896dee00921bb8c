"""The simulated point-spread functions: analytic truth, and the same in lsst.images' hands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lsst.images import Box
from lsst.images.serialization import read_archive, write_archive

from cellcoadd.conventions import FWHM_PER_SIGMA
from cellcoadd.simulate import PointSpread

BOX = Box.factory[10:270, -5:300]
GAUSSIAN = PointSpread(kind="gaussian", fwhm=4.0)
MOFFAT = PointSpread(kind="moffat", fwhm=4.0, beta=3.2, g1=0.03, g2=-0.02)
VARYING = PointSpread(
    kind="moffat", fwhm=4.0, g1=0.01, g2=0.02, slope_x=3e-4, slope_y=-1e-4, stamp_size=35
)
KINDS = {"gaussian": GAUSSIAN, "moffat": MOFFAT, "varying": VARYING}
POSITIONS = [(20.2, 30.9), (150.0, 100.0), (299.4, 11.3)]


@pytest.mark.parametrize("point_spread", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize(("x", "y"), POSITIONS)
def test_lsst_images_draws_the_same_star(
    point_spread: PointSpread, x: float, y: float, tmp_path: Path
) -> None:
    """The function in the file must be the one that drew the stars, before and after writing."""
    truth, box = point_spread.draw(x=x, y=y)
    made = point_spread.to_lsst(BOX)
    path = tmp_path / "psf.fits"
    write_archive(made, path)
    for psf in (made, read_archive(path)):
        star = psf.compute_stellar_image(x=x, y=y)
        assert star.bbox == box
        np.testing.assert_allclose(star.array, truth, rtol=0, atol=1e-12)
        assert psf.bounds.bbox == BOX


def test_a_gaussian_has_the_moments_of_its_width() -> None:
    """Sampled moments of a well-sampled Gaussian equal the analytic ones to the last digits."""
    stamp, box = GAUSSIAN.draw(x=12.3, y=45.8)
    x, y = box.x.arange, box.y.arange
    assert stamp.sum() == pytest.approx(1.0, rel=1e-14)
    assert (stamp.sum(axis=0) * x).sum() == pytest.approx(12.3, abs=1e-9)
    assert (stamp.sum(axis=1) * y).sum() == pytest.approx(45.8, abs=1e-9)
    sigma = 4.0 / FWHM_PER_SIGMA
    assert (stamp.sum(axis=0) * (x - 12.3) ** 2).sum() == pytest.approx(sigma**2, rel=1e-8)


def test_a_round_moffat_follows_its_formula() -> None:
    """I(r) is proportional to (1 + (r/a)^2)^-beta, half of the centre at half the FWHM."""
    round_one = PointSpread(kind="moffat", fwhm=6.0, beta=3.0, stamp_size=31)
    stamp, _ = round_one.draw(x=0.0, y=0.0)
    assert stamp[15, 18] / stamp[15, 15] == pytest.approx(0.5, rel=1e-9)
    scale = 3.0 / np.sqrt(2.0 ** (1.0 / 3.0) - 1.0)
    radius = np.hypot(*np.mgrid[-15:16, -15:16])
    formula = (1.0 + (radius / scale) ** 2) ** -3.0
    np.testing.assert_allclose(stamp, formula / formula.sum(), rtol=1e-9)


def test_a_moffat_may_widen_across_the_field() -> None:
    """A slope of 3e-4 in x and -1e-4 in y makes 1.02 of the width 100 pixels along both axes."""
    assert VARYING.fwhm_at(x=100.0, y=100.0) == pytest.approx(4.08)
    here, there = (VARYING.draw(x=x, y=0.0)[0].max() for x in (0.0, 200.0))
    assert here / there == pytest.approx(1.06**2, rel=2e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "airy", "fwhm": 4.0}, "'gaussian' or 'moffat', got 'airy'"),
        ({"kind": "gaussian", "fwhm": 0.0}, "FWHM must be positive"),
        ({"kind": "gaussian", "fwhm": 4.0, "g1": 0.1}, "round and constant"),
        ({"kind": "moffat", "fwhm": 4.0, "beta": 2.0}, "beta > 2"),
        ({"kind": "moffat", "fwhm": 4.0, "g1": 0.8, "g2": 0.7}, "less than 1"),
        ({"kind": "moffat", "fwhm": 4.0, "stamp_size": 40}, "odd"),
    ],
)
def test_an_impossible_point_spread_is_refused(settings: dict[str, object], message: str) -> None:
    """Each rule has its message."""
    with pytest.raises(ValueError, match=message):
        PointSpread(**settings)  # type: ignore[arg-type]
