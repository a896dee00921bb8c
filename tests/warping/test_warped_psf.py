"""The point-spread functions of warps."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from lsst.images import YX, Box, Image
from lsst.images.psfs import GaussianPointSpreadFunction, PointSpreadFunction

from cellcoadd.kernels.moments import adaptive_moments
from cellcoadd.psfs.models import ImagePointSpreadFunction
from cellcoadd.testing.images import make_detector, small_patch
from cellcoadd.warping.direct import make_direct_warp
from cellcoadd.warping.positions import TractToDetector
from cellcoadd.warping.settings import ResamplingSettings, WarpSettings
from cellcoadd.warping.warped_psf import WarpedPsf, warp_psf

PATCH = small_patch()


class BrokenPsf(GaussianPointSpreadFunction):
    """Cannot be drawn, or only as NaN, on the left of some column."""

    value: float | None = None

    def compute_stellar_image(self, *, x: float, y: float) -> Image:
        image = super().compute_stellar_image(x=x, y=y)
        if x < 75:
            if self.value is None:
                raise RuntimeError("no stars here")
            image.array[...] = self.value
        return image


def stamps_of(
    psf: PointSpreadFunction, *centres: tuple[int, int], rotation: float = 0.0, scale: float = 0.2
) -> npt.NDArray[np.float32]:
    return warped(psf, *centres, rotation=rotation, scale=scale).stamps


def warped(
    psf: PointSpreadFunction,
    *centres: tuple[int, int],
    rotation: float = 0.0,
    scale: float = 0.2,
    kernel: str = "lanczos3",
) -> WarpedPsf:
    detector = make_detector(PATCH, rotation=rotation, pixel_scale=scale)
    transform = TractToDetector(
        tract=PATCH.sky_projection, detector=detector.sky_projection, source="test"
    )
    return warp_psf(
        psf,
        transform=transform,
        centres=[YX(y=y, x=x) for x, y in centres],
        settings=ResamplingSettings(kernel=kernel),
        name="the detector",
    )


MIDDLE = (210, 210)


@pytest.mark.parametrize(
    ("kernel", "fwhm", "said"),
    [("optimal6", 2.4, True), ("optimal6", 2.8, False), ("lanczos3", 2.4, False)],
)
def test_stars_sharper_than_the_kernel_is_for_are_named(
    kernel: str, fwhm: float, said: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """With the size, and what helps; Lanczos kernels are made for nothing."""
    psf = GaussianPointSpreadFunction(fwhm / 2.3548, Box.factory[0:100, 0:100], 31)
    warped(psf, MIDDLE, kernel=kernel)
    found = "FWHM of 2.40 pixels, optimal6 is made for 3.00" in caplog.text
    assert found == said


@pytest.mark.parametrize("rotation", [0.0, 10.0, 45.0, 90.0])
@pytest.mark.parametrize("scale", [0.168, 0.2, 0.263])
def test_a_gaussian_has_unit_sum_and_the_scaled_width(rotation: float, scale: float) -> None:
    """Flux is conserved; sigma in tract pixels is that in detector pixels times the scale.

    Lanczos-3 at half a pixel changes a sigma of 2.2 by 0.0024 px along an axis. The sum over
    pixels of another size than those that were sampled is an integral to 0.2 per cent only.
    """
    stamp = stamps_of(
        GaussianPointSpreadFunction(2.2, Box.factory[0:150, 0:150], 31), MIDDLE,
        rotation=rotation, scale=scale,
    )[0]  # fmt: skip
    assert stamp.sum() == pytest.approx(1.0, abs=1e-3 if scale == 0.2 else 2e-3)
    xx, yy, xy, converged = adaptive_moments(stamp)
    assert converged
    assert math.sqrt(xx) == pytest.approx(2.2 * scale / 0.2, abs=0.006)
    assert math.sqrt(yy) == pytest.approx(2.2 * scale / 0.2, abs=0.006)
    assert xy == pytest.approx(0.0, abs=0.01)


def test_a_stretched_psf_turns_with_the_detector() -> None:
    """Long in x on the detector, it is long in y on the tract when turned by a right angle."""
    offset = np.arange(-12, 13)
    long = np.exp(-0.5 * ((offset[None, :] / 3.0) ** 2 + (offset[:, None] / 1.5) ** 2))
    psf = ImagePointSpreadFunction(long, bounds=Box.factory[0:150, 0:150])
    level, _, upright = (adaptive_moments(stamps_of(psf, MIDDLE, rotation=angle)[0])
                         for angle in (0.0, 45.0, 90.0))  # fmt: skip
    assert level[:2] == pytest.approx((9.0, 2.25), abs=0.03)
    assert upright[:2] == pytest.approx((2.25, 9.0), abs=0.03)


def test_a_stamp_does_not_depend_on_the_other_centres() -> None:
    """Else the same cell out of two patches would have two PSFs."""
    psf = GaussianPointSpreadFunction(3.0, Box.factory[0:150, 0:150], 15)
    alone = stamps_of(psf, MIDDLE, rotation=33.0)[0]
    among = stamps_of(psf, (180, 240), MIDDLE, (150, 150), rotation=33.0)[1]
    margin = (len(among) - len(alone)) // 2
    assert margin >= 0
    np.testing.assert_array_equal(np.pad(alone, margin), among)


def test_nothing_is_cut_off_a_stamp() -> None:
    """What the kernel spreads reaches its outermost pixels with a millionth at most."""
    psf = ImagePointSpreadFunction(np.ones((9, 9)), bounds=Box.factory[0:150, 0:150])
    for rotation in (0.0, 17.0, 45.0):
        stamp = stamps_of(psf, MIDDLE, rotation=rotation)[0]
        rim = np.concatenate([stamp[0], stamp[-1], stamp[:, 0], stamp[:, -1]])
        np.testing.assert_allclose(rim, 0.0, atol=1e-6)


def test_no_centres_no_stamps() -> None:
    """A detector that covers no cell's centre."""
    psf = GaussianPointSpreadFunction(2.0, Box.factory[0:150, 0:150], 15)
    assert len(stamps_of(psf)) == 0


@pytest.mark.parametrize("value", [None, np.nan, 0.0])
def test_where_a_psf_cannot_be_drawn_there_is_none(
    value: float | None, caplog: pytest.LogCaptureFixture
) -> None:
    """The other cells of the detector are used; the log says where and why it failed."""
    psf = BrokenPsf(1.5, Box.factory[0:150, 0:150], 15)
    psf.value = value
    made = make_direct_warp([make_detector(PATCH, psf=psf)], PATCH, settings=WarpSettings())
    assert made is not None
    warp = made.warp
    columns = {index.x for index in warp.psf.cells}
    assert columns
    assert columns < {0, 1, 2, 3, 4}
    assert np.isfinite(warp.stamps).all()
    assert len(warp.stamps) == len(warp.psf.cells) == np.sum(warp.cell_inputs["stamp"] >= 0)
    assert warp.cell_inputs["overlaps_center"].sum() == 25
    for index in warp.psf.cells:
        assert warp.psf[index].array.sum() == pytest.approx(1.0, abs=1e-3)
    [line] = [record.getMessage() for record in caplog.records]
    assert ("no stars here" if value is None else "has the sum") in line
    assert line.startswith("Cam visit 1 detector 0 (i) takes no part in")
    assert f"{25 - len(warp.stamps)} of 25 cells" in line
