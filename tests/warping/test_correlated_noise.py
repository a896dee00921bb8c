"""Noise that is correlated before it is warped: what is said of it, beside what it does."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from lsst.images import YX, Image
from scipy import ndimage
from scipy.signal import correlate2d, fftconvolve

from cellcoadd.analysis.noise_factor import noise_factor
from cellcoadd.coaddition.assemble import VisitOnPatch
from cellcoadd.kernels.correlated_variance import variance_ratios
from cellcoadd.kernels.noise_covariance import resampled_noise_covariance
from cellcoadd.kernels.warping_kernel import warping_kernel
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.products.identifiers import ObservationIdentifiers
from cellcoadd.products.noise_correlation import (
    checked_correlation,
    correlation_spectrum,
    noise_kernel,
)
from cellcoadd.testing.images import make_coadd, make_detector, small_patch
from cellcoadd.warping.detector_rows import DetectorRows, block_counts
from cellcoadd.warping.direct import DirectWarp, make_direct_warp
from cellcoadd.warping.noise import draw_noise
from cellcoadd.warping.settings import WarpSettings

PATCH = small_patch()
type Floats = npt.NDArray[np.float64]


def gaussian(sigma: float, reach: int) -> Floats:
    """Convolves white noise of variance 1 to correlated noise of variance 1."""
    along = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel: Floats = np.outer(along, along)
    kernel /= np.sqrt((kernel**2).sum())
    return kernel


KERNEL = gaussian(0.9, 3)
CORRELATION = correlate2d(KERNEL, KERNEL)
"""Exactly that of white noise convolved with the kernel: 13 x 13."""


def noise_of(rng: np.random.Generator, side: int) -> Floats:
    white = rng.standard_normal((side + 6, side + 6))
    return np.asarray(ndimage.convolve(white, KERNEL)[3:-3, 3:-3])


def slow_covariance(
    correlation: Floats, at: tuple[float, float], offset: tuple[float, float]
) -> float:
    """The double sum over the taps of two positions (y, x), one pair of pixels after the other."""
    half = correlation.shape[0] // 2
    taps = []
    for start in (at, (at[0] + offset[0], at[1] + offset[1])):
        along = [(int(np.floor(p)) - 2, warping_kernel().weights(p - np.floor(p))) for p in start]
        taps.append(
            [
                (along[0][0] + j, along[1][0] + i, along[0][1][j] * along[1][1][i])
                for j, i in itertools.product(range(6), range(6))
            ]
        )
    total = 0.0
    for y, x, weight in taps[0]:
        for v, u, other in taps[1]:
            if max(abs(v - y), abs(u - x)) <= half:
                total += weight * other * float(correlation[v - y + half, u - x + half])
    return total


def test_covariances_are_the_double_sums_over_source_pixels() -> None:
    """The closed form, for a rectangle of one pixel, beside all pairs of taps: to 2e-4.

    The correlation is not the same in x and in y, nor along both diagonals.
    """
    correlation = np.array([[0.05, 0.3, 0.2], [0.4, 1.0, 0.4], [0.2, 0.3, 0.05]])
    turn = np.deg2rad(25.0)
    jacobian = 1.1 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    at = (10.3, 7.8)  # y, x
    found = resampled_noise_covariance(
        np.array([at[1]]), np.array([at[0]]), jacobian[np.newaxis], height=1, width=1,
        kernel=warping_kernel(), radius=6, correlation=correlation,
    )[0] / np.linalg.det(jacobian) ** 2  # fmt: skip
    for dy, dx in [(0, 0), (0, 1), (1, 0), (2, -1), (1, 1), (-3, 2), (5, 0)]:
        step = jacobian @ np.array([dx, dy])
        # The rectangle's middle is that of the pair.
        first = (at[0] - 0.5 * step[1], at[1] - 0.5 * step[0])
        expected = slow_covariance(correlation, first, (float(step[1]), float(step[0])))
        assert found[6 + dy, 6 + dx] == pytest.approx(expected, abs=2e-4)
    np.testing.assert_array_equal(found, found[::-1, ::-1])


def test_a_correlation_of_nothing_is_white_noise() -> None:
    """A 1 in the middle alone gives what no correlation gives, to rounding."""
    place = np.array([3.2]), np.array([5.9]), np.array([[[0.9, 0.2], [-0.1, 1.2]]])
    alone = np.zeros((5, 5))
    alone[2, 2] = 1.0
    rectangle: dict[str, Any] = {
        "height": 20, "width": 30, "kernel": warping_kernel(), "radius": 7,
    }  # fmt: skip
    found = resampled_noise_covariance(*place, **rectangle, correlation=alone)
    white = resampled_noise_covariance(*place, **rectangle)
    assert float(np.abs(found - white).max()) < 1e-7


def test_factors_of_variances_are_the_double_sums() -> None:
    """By the fraction of a pixel; 1 on a detector's own pixels, whatever the correlation."""
    ratios = variance_ratios(CORRELATION, warping_kernel())
    steps = ratios.shape[0] - 1
    assert ratios[0, 0] == ratios[-1, -1] == ratios[0, -1] == 1.0
    for j, i in [(0, 16), (32, 32), (5, 50)]:
        at = (j / steps, i / steps)
        white = slow_covariance(np.ones((1, 1)), at, (0.0, 0.0))
        expected = slow_covariance(CORRELATION, at, (0.0, 0.0)) / white
        assert ratios[j, i] == pytest.approx(expected, rel=1e-9)


def test_the_kernel_gives_white_noise_the_correlation() -> None:
    """Of some that noise of real detectors has; cut wings cost some 1e-3."""
    bilinear = np.outer([0.25, 0.5, 0.25], [0.25, 0.5, 0.25]) / 0.25
    for correlation in (CORRELATION, bilinear, checked_correlation([[1.0]])):
        kernel = noise_kernel(correlation)
        found = correlate2d(kernel, kernel)
        half, middle = correlation.shape[0] // 2, found.shape[0] // 2
        assert found[middle, middle] == pytest.approx(1.0)
        inner = found[middle - half : middle + half + 1, middle - half : middle + half + 1]
        np.testing.assert_allclose(inner, correlation, atol=5e-3)
        assert correlation_spectrum(correlation).mean() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("correlation", "rule"),
    [
        ([[1.0, 0.5]], "square with an odd side"),
        (np.eye(35), "at most 33 pixels"),
        ([[0.0, 0.0, 0.0], [0.0, np.nan, 0.0], [0.0, 0.0, 0.0]], "must be finite"),
        ([[0.0, 0.0, 0.0], [0.0, 0.9, 0.0], [0.0, 0.0, 0.0]], "1 in the middle, got 0.9"),
        ([[0.0, 0.1, 0.0], [0.0, 1.0, 0.0], [0.0, 0.2, 0.0]], "under point reflection"),
        (np.ones((3, 3)), "No noise has this correlation"),
    ],
)
def test_what_is_no_correlation_is_refused(correlation: npt.ArrayLike, rule: str) -> None:
    """With the observation's name where an image is to carry it."""
    with pytest.raises(ValueError, match=rule):
        checked_correlation(correlation)
    with pytest.raises(ValueError, match=rf"(?s)detector 0.*{rule}"):
        make_detector(PATCH, noise_correlation=np.array(correlation))


def drawn(rows: DetectorRows) -> npt.NDArray[np.float32]:
    shape = rows.shape
    noise = np.full((rows.stop - rows.start, shape.x), np.nan, np.float32)
    draw_noise(
        4.0,
        observation=ObservationIdentifiers(
            instrument="Cam", visit=1, detector=0, physical_filter="r", band="r", day_obs=20250101
        ),
        realization=0, seed_offset=0, rows=rows, out=noise, correlation=CORRELATION,
    )  # fmt: skip
    return noise


def test_realizations_have_the_correlation_and_the_variance() -> None:
    """Over 800 x 900 pixels, across the edges of blocks; errors of 0.5 %, four are allowed."""
    noise = drawn(DetectorRows.all_of(YX(800, 900))).astype(np.float64)
    assert noise.var() == pytest.approx(4.0, rel=0.02)
    for dy, dx in [(0, 1), (1, 0), (1, 1), (2, -1), (0, 4), (9, 0)]:
        lower = noise[: 800 - dy, max(-dx, 0) : 900 - max(dx, 0)]
        upper = noise[dy:, max(dx, 0) : 900 + min(dx, 0)]
        known = abs(dy) <= 6 and abs(dx) <= 6
        expected = float(CORRELATION[6 + dy, 6 + dx]) if known else 0.0
        assert float((lower * upper).mean()) / 4.0 == pytest.approx(expected, abs=0.02)
    # The seams of blocks are no others than the rest: 64 rows, 256 columns.
    across = (noise[63::64][:11] * noise[64::64][:11]).mean() / 4.0
    assert across == pytest.approx(float(CORRELATION[7, 6]), abs=0.06)


def test_any_part_of_a_detector_has_the_noise_of_the_whole() -> None:
    """Bit for bit, whichever blocks are wanted and rows are at hand."""
    shape = YX(700, 1300)
    whole = drawn(DetectorRows.all_of(shape))
    wanted = np.zeros(block_counts(shape), np.bool_)
    for row, column in [(0, 0), (1, 2), (2, 1)]:
        here = wanted.copy()
        here[row, column] = True
        rows = DetectorRows.around(here, shape=shape, start=row * 256, stop=row * 256 + 100)
        part = drawn(rows)
        made = np.isfinite(part)
        assert made.any()
        np.testing.assert_array_equal(part[made], whole[rows.start : rows.stop][made])


def warps_of(seed: int, *, correlation: Floats | None) -> list[DirectWarp]:
    """Two visits of an empty sky with correlated noise, turned and shifted by parts of pixels."""
    rng = np.random.default_rng(seed)
    middle = PATCH.outer_bbox
    made: list[DirectWarp] = []
    for visit, (rotation, shift, scale) in enumerate([(33.0, 0.3, 1.0), (120.0, 0.1, 1.2)], 1):
        side, variance = int(220 / scale), 4.0 + visit
        image = make_detector(
            PATCH, x=0.5 * (middle.x.min + middle.x.max) + shift, width=side, height=side,
            rotation=rotation, pixel_scale=0.2 * scale, visit=visit, variance=variance,
            pixels=noise_of(rng, side) * np.sqrt(variance), noise_correlation=correlation,
        )  # fmt: skip
        settings = WarpSettings(number_of_noise_realizations=1, seed_offset=seed, border=0)
        one = make_direct_warp([image], PATCH, settings=settings)
        assert one is not None
        made.append(one)
    return made


def coadd_of(seed: int, correlation: Floats | None) -> MultipleCellCoadd:
    made = warps_of(seed, correlation=correlation)
    visits = [VisitOnPatch(warp=one.warp, noise=one.noise) for one in made]
    return make_coadd(*visits, num_noise_realizations=1, psf_dimensions=25)


def test_what_a_coadd_says_of_its_noise_is_what_its_pixels_and_fluxes_do() -> None:
    """Images whose noise was made correlated go the whole way; nothing of ours made that noise.

    36 fields of 100 x 100 pixels: the variance of pixels is known to 0.7 %, that of fluxes weighted
    with the PSF to 1.8 %. Had the images been taken as white, fluxes would be off by a factor of 3.
    """
    reach = 4
    sums = np.zeros(6)
    for seed in range(36):
        for cell in coadd_of(seed, CORRELATION).cells.values():
            psf = cell.psf_image.array.astype(np.float64)
            inner, outer = cell.inner, cell.outer
            covariance = cell.noise_covariance.array
            middle = covariance.shape[0] // 2
            at_zero = float(covariance[middle, middle])
            planes = [outer.image.array, outer.noise_realizations[0].array]
            fluxes = [
                fftconvolve(plane.astype(np.float64), psf, mode="same")[
                    6 + reach : -6 - reach, 6 + reach : -6 - reach
                ]
                for plane in planes
            ]
            said = at_zero * noise_factor(cell.psf_image, cell.noise_covariance)
            said *= float((psf**2).sum())
            sums += [
                float((inner.image.array.astype(np.float64) ** 2).mean()),
                float(inner.variance.array.mean()),
                at_zero,
                *(float((flux**2).mean()) for flux in fluxes),
                said,
            ]
    pixels, variance, zero, measured, of_noise, expected = sums.tolist()
    assert zero == pytest.approx(variance, rel=1e-3)
    assert pixels == pytest.approx(variance, rel=0.02)
    assert measured == pytest.approx(expected, rel=0.055)
    assert of_noise == pytest.approx(expected, rel=0.055)
    known, white = (noise_factor(*_of_middle(coadd_of(0, one))) for one in (CORRELATION, None))
    assert known > 2.5 * white


def _of_middle(coadd: MultipleCellCoadd) -> tuple[Image, Image]:
    cell = coadd.cells[min(coadd.cells)]
    return cell.psf_image, cell.noise_covariance


def test_correlation_changes_no_weight_and_no_pixel() -> None:
    """It is the variance plane and the covariance that it changes; weights are of detectors."""
    known, white = (warps_of(3, correlation=one) for one in (CORRELATION, None))
    for one, other in zip(known, white, strict=True):
        np.testing.assert_array_equal(one.warp.image.array, other.warp.image.array)
        np.testing.assert_array_equal(one.warp.mask.array, other.warp.mask.array)
        assert [e.weight for e in one.warp.inputs] == [e.weight for e in other.warp.inputs]
        both = np.isfinite(other.warp.variance.array)
        ratio = one.warp.variance.array[both] / other.warp.variance.array[both]
        limits = variance_ratios(CORRELATION, warping_kernel())
        assert limits.min() - 1e-3 < ratio.min() < ratio.max() < limits.max() + 1e-3
        assert ratio.mean() == pytest.approx(limits.mean(), rel=0.01)
        assert one.noise_variance is not None
        assert other.noise_variance is not None
        np.testing.assert_array_equal(
            one.noise_variance.array[both] / other.noise_variance.array[both], ratio
        )


def test_a_shift_by_whole_pixels_keeps_variances() -> None:
    """Pixels are copied then, and so is their variance, whatever their neighbours have."""
    middle = PATCH.outer_bbox
    image = make_detector(
        PATCH, x=0.5 * (middle.x.min + middle.x.max - 1), y=0.5 * (middle.y.min + middle.y.max - 1),
        width=149, height=149, noise_correlation=CORRELATION,
    )  # fmt: skip
    made = make_direct_warp([image], PATCH, settings=WarpSettings(border=0))
    assert made is not None
    np.testing.assert_allclose(made.warp.variance.array[20:-20, 20:-20], 4.0, rtol=1e-4)
    stamp = made.warp.noise_covariances[0]
    half = stamp.shape[0] // 2
    np.testing.assert_allclose(
        stamp[half - 4 : half + 5, half - 4 : half + 5], CORRELATION[2:-2, 2:-2], atol=2e-3
    )
