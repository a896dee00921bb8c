"""Noise realizations: reproducible, independent, of the stated variance."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsst.images import YX

from cellcoadd.products.identifiers import ObservationIdentifiers
from cellcoadd.testing.images import make_detector, small_patch
from cellcoadd.warping.detector_rows import DetectorRows, block_counts
from cellcoadd.warping.direct import DirectWarp, make_direct_warp
from cellcoadd.warping.noise import draw_noise, noise_seed
from cellcoadd.warping.noise_blocks import go_to_block
from cellcoadd.warping.prepare import prepare_image
from cellcoadd.warping.settings import WarpSettings

PATCH = small_patch()
FIRST_PIXELS = [0.3819611072540283, 0.5489205718040466, 0.31831854581832886]
FIRST_NUMBERS = [0.57681385393265, 2.18835204215057, 0.04469825109092, -0.36148734173491]


def observation(
    visit: int = 1, detector: int = 0, instrument: str = "Cam"
) -> ObservationIdentifiers:
    return ObservationIdentifiers(
        instrument=instrument, visit=visit, detector=detector, physical_filter="r", band="r",
        day_obs=20250101,
    )  # fmt: skip


def numbers(*, realization: int = 0, seed_offset: int = 0, **identity: object) -> list[float]:
    seed = noise_seed(
        observation(**identity),  # type: ignore[arg-type]
        realization=realization,
        seed_offset=seed_offset,
    )
    return [float(number) for number in np.random.Generator(seed).standard_normal(4)]


def drawn(
    variance: npt.NDArray[np.float32], *, seed_offset: int = 0, rows: DetectorRows | None = None
) -> npt.NDArray[np.float32]:
    noise = np.full(variance.shape, np.nan, np.float32)
    draw_noise(
        variance, observation=observation(), realization=0, seed_offset=seed_offset,
        rows=DetectorRows.all_of(YX(*variance.shape)) if rows is None else rows, out=noise,
    )  # fmt: skip
    return noise


def test_every_observation_realization_and_offset_has_its_own_numbers() -> None:
    """Visit 1 detector 11 must not be visit 11 detector 1, nor offset -1 be offset 1."""
    draws = [
        numbers(), numbers(visit=2), numbers(detector=1), numbers(visit=1, detector=11),
        numbers(visit=11, detector=1), numbers(instrument="Cam2"), numbers(realization=1),
        numbers(realization=2), numbers(seed_offset=1), numbers(seed_offset=-1),
        numbers(seed_offset=10**12),
    ]  # fmt: skip
    assert len({value for draw in draws for value in draw}) == 4 * len(draws)
    assert numbers(visit=5, seed_offset=3) == numbers(visit=5, seed_offset=3)


def test_the_numbers_stay_what_they_are() -> None:
    """A coadd made again years later must have the same noise: written down in 2026."""
    assert numbers() == pytest.approx(FIRST_NUMBERS, abs=1e-12)
    noise = drawn(np.full((65, 257), 1.0, np.float32))
    assert noise[[0, 0, 64], [0, 256, 256]] == pytest.approx(FIRST_PIXELS, abs=1e-6)


@settings(deadline=None, max_examples=20)
@given(variance=st.floats(0.1, 1e4))
def test_noise_has_the_variance(variance: float) -> None:
    """Of 40,000 numbers the variance is known to sqrt(2 / 40000) = 0.7 %; 5 sigma."""
    plane = np.full((200, 200), variance, np.float32)
    noise = drawn(plane, seed_offset=7)
    assert noise.var() == pytest.approx(variance, rel=0.035)
    assert abs(noise.mean()) < 5 * np.sqrt(variance) / 200


def test_noise_is_nought_without_a_variance_and_the_rest_keeps_its_numbers() -> None:
    """A bad pixel must not move the numbers of all that follow."""
    whole = np.full((6, 6), 2.0, np.float32)
    holed = whole.copy()
    holed[1, 2], holed[2, 2], holed[3, 3], holed[4, 4] = np.nan, np.inf, 0.0, -1.0
    a, b = drawn(whole), drawn(holed)
    good = holed == 2.0
    np.testing.assert_array_equal(a[good], b[good])
    np.testing.assert_array_equal(b[~good], 0.0)


def test_one_variance_for_all_is_the_same_as_a_plane_of_it() -> None:
    """To the bit: a coadd, which needs no variance of the noise, has no plane of it."""
    noise = np.empty((70, 300), np.float32)
    draw_noise(
        3.0, observation=observation(), realization=0, seed_offset=0,
        rows=DetectorRows.all_of(YX(y=70, x=300)), out=noise,
    )  # fmt: skip
    np.testing.assert_array_equal(noise, drawn(np.full((70, 300), 3.0, np.float32)))


def arrays_of(made: DirectWarp) -> list[npt.NDArray[np.generic]]:
    return [made.warp.image.array, made.warp.variance.array, made.warp.mask.array]


@pytest.mark.parametrize("use_median_variance", [True, False])
def test_all_else_is_the_same_without_the_variance_of_the_noise(
    use_median_variance: bool,
) -> None:
    """To the bit; what was not made is asked for in vain."""
    rng = np.random.default_rng(3)
    variance = rng.uniform(1, 3, (150, 150))
    variance[40, 50] = np.nan
    image = make_detector(PATCH, pixels=rng.normal(size=(150, 150)), variance=variance)
    for interpolate in (True, False):
        choices = WarpSettings(
            number_of_noise_realizations=2,
            use_median_variance=use_median_variance,
            do_pre_warp_interpolation=interpolate,
        )
        full = make_direct_warp([image], PATCH, settings=choices)
        lean = make_direct_warp([image], PATCH, settings=choices, with_noise_variance=False)
        assert full is not None
        assert lean is not None
        for ours, theirs in zip(arrays_of(lean), arrays_of(full), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        for drawn_image, noise in zip(lean.noise_images, full.noise, strict=True):
            np.testing.assert_array_equal(drawn_image.array, noise.image.array)
        assert len(lean.noise_images) == 2
        assert np.isfinite(lean.noise_images[0].array).any()
        assert lean.noise_variance is None
        with pytest.raises(ValueError, match="without the variance of its noise"):
            _ = lean.noise


def test_pixels_have_the_same_noise_whichever_blocks_are_wanted() -> None:
    """Wanted ones and their margins, to the bit; others need not be drawn."""
    plane = np.full((900, 1100), 2.0, np.float32)
    whole = drawn(plane)
    assert np.isfinite(whole).all()
    assert len(np.unique(whole)) > 0.9 * whole.size
    wanted = np.zeros(block_counts(YX(*plane.shape)), np.bool_)
    wanted[1, 1] = wanted[2, 0] = True
    rows = DetectorRows.around(wanted, shape=YX(*plane.shape), start=300, stop=310)
    here = slice(rows.start, rows.stop)
    part = drawn(plane[here], rows=rows)
    made = np.isfinite(part)
    np.testing.assert_array_equal(part[made], whole[here][made])
    assert not made.all()
    for _, outer in rows.blocks():
        assert made[outer].all()


def test_blocks_do_not_resemble_one_another() -> None:
    """The mean of 1024 blocks has a 1024th of their variance: 6400 numbers, 5 sigma.

    With blocks 2^64 numbers apart it had 1.8 times as much.
    """
    means = []
    for visit in range(200):
        bits = noise_seed(observation(visit), realization=0, seed_offset=0)
        generator, first, total = np.random.Generator(bits), bits.state, np.zeros(32)
        for number in range(1024):
            go_to_block(bits, first, number)
            total += generator.standard_normal(32, dtype=np.float32)
        means.append(total / 1024)
    assert np.var(means) * 1024 == pytest.approx(1.0, abs=5 * np.sqrt(2 / 6400))


def test_the_first_block_has_the_first_numbers() -> None:
    """Of 64 x 256 pixels, row by row; the next block begins far away in the sequence."""
    noise = drawn(np.full((70, 300), 4.0, np.float32))
    generator = np.random.Generator(noise_seed(observation(), realization=0, seed_offset=0))
    numbers = generator.standard_normal((64, 256), dtype=np.float32)
    np.testing.assert_array_equal(noise[:64, :256], 2.0 * numbers)
    generator = np.random.Generator(
        noise_seed(observation(), realization=0, seed_offset=0).jumped()
    )
    numbers = generator.standard_normal((64, 256), dtype=np.float32)
    np.testing.assert_array_equal(noise[:64, 256:], 2.0 * numbers[:, :44])


def noisy_planes(**changes: object) -> tuple[npt.NDArray[np.float32], ...]:
    """Noise of one detector, prepared in different company."""
    rng = np.random.default_rng(1)
    image = make_detector(
        PATCH, pixels=rng.normal(size=(150, 150)), variance=rng.uniform(1, 3, (150, 150))
    )
    values = prepare_image(image, settings=WarpSettings(**changes)).values  # type: ignore[arg-type]
    return tuple(values[1:])


def test_realizations_are_independent_and_interpolation_changes_bad_pixels_only() -> None:
    """Of 22,500 numbers a correlation is known to 1 / 150; 5 sigma."""
    three = noisy_planes(number_of_noise_realizations=3)
    for a, b in itertools.combinations(three, 2):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 5 / 150
    other = noisy_planes(number_of_noise_realizations=3, do_pre_warp_interpolation=True)
    np.testing.assert_array_equal(three, other)
    other = noisy_planes(number_of_noise_realizations=3, seed_offset=1)
    assert not any(np.array_equal(one, two) for one, two in zip(three, other, strict=True))


def test_noise_follows_the_median_or_each_pixel() -> None:
    """use_median_variance chooses; the variance plane of the noise says which."""
    shape = (150, 150)
    variance = np.full(shape, 1.0, np.float32)
    variance[:, 100:] = 9.0
    image = make_detector(PATCH, variance=variance, nanojansky_per_count=2.0)
    for use_median, right in ((True, 1.0), (False, 9.0)):
        prepared = prepare_image(
            image,
            settings=WarpSettings(number_of_noise_realizations=1, use_median_variance=use_median),
        )
        np.testing.assert_array_equal(prepared.variances[1][:, 100:], 4.0 * right)
        noise = prepared.values[1]
        # 7500 numbers: 1.6 %, 5 sigma.
        assert noise[:, 100:].var() == pytest.approx(4.0 * right, rel=0.08)
        assert noise[:, :100].var() == pytest.approx(4.0, rel=0.08)


def test_senseless_numbers_of_realizations_are_refused() -> None:
    """The dataset types exist for 0..3."""
    with pytest.raises(ValueError, match=r"0\.\.3, got 4"):
        WarpSettings(number_of_noise_realizations=4)
