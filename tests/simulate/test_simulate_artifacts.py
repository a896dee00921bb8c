"""Bad columns, bleed trails and cosmic rays: where they are and what they do to the flux."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cellcoadd.simulate import ArtifactSettings
from cellcoadd.simulate.artifacts import (
    amplifier_noise,
    bad_columns,
    cosmic_rays,
    edges,
    halos,
    saturate,
)


def test_bleed_trail_by_hand() -> None:
    """30 in a well of 10: 20 too much, half of it up and half down, past a pixel with 4 in it."""
    image = np.zeros((9, 3))
    image[4, 1], image[5, 1] = 30.0, 4.0
    bled, full = saturate(image, 10.0)
    np.testing.assert_array_equal(bled[:, 1], [0, 0, 0, 10, 10, 10, 4, 0, 0])
    np.testing.assert_array_equal(np.flatnonzero(full[:, 1]), [3, 4, 5])
    assert not bled[:, [0, 2]].any()
    assert image[4, 1] == 30.0


@example(peak=209.5, row=20, column=0, level=1.5029201566560628)  # a sum that rounds up
@settings(deadline=None, max_examples=50)
@given(
    peak=st.floats(50.0, 500.0), row=st.integers(20, 60), column=st.integers(0, 8),
    level=st.floats(0.0, 5.0),
)  # fmt: skip
def test_bleeding_keeps_the_flux_of_each_column(
    peak: float, row: int, column: int, level: float
) -> None:
    """Charge moves along the column only, and as long as it stays on the detector none is lost."""
    image = np.full((81, 9), level)
    image[row, column] += peak
    image[row + 1, column] += 0.5 * peak
    # Each row has room for half of the well, so 20 rows on each side hold what exceeds it.
    full_well = max(10.0, (peak * 1.5) / 20.0)
    bled, full = saturate(image, full_well)
    np.testing.assert_allclose(bled.sum(axis=0), image.sum(axis=0), rtol=1e-12)
    assert bled.max() <= full_well
    np.testing.assert_array_equal(full, bled >= full_well)
    trail = np.flatnonzero(full[:, column])
    assert trail.size == 0 or np.all(np.diff(trail) == 1)


def test_two_stars_on_one_column_keep_the_flux_of_both() -> None:
    """The first trail runs through the second star before that has bled: 40 and 16 too much.

    20 up, into rows 13 and 15, and 20 down; then 8 more in row 16 and 8 in row 9.
    """
    image = np.zeros((40, 1))
    image[12, 0], image[14, 0] = 50.0, 26.0
    bled, full = saturate(image, 10.0)
    np.testing.assert_array_equal(bled[8:18, 0], [0, 8, 10, 10, 10, 10, 10, 10, 8, 0])
    np.testing.assert_array_equal(np.flatnonzero(full[:, 0]), np.arange(10, 16))


def test_a_trail_runs_off_the_edge() -> None:
    """What reaches the end of a column is lost, as in a detector; nothing wraps around."""
    image = np.zeros((6, 2))
    image[0, 0] = 50.0
    bled, full = saturate(image, 10.0)
    np.testing.assert_array_equal(bled[:, 0], [10, 10, 10, 0, 0, 0])
    assert not full[:, 1].any()


def test_bad_columns_stay_where_they_are() -> None:
    """They belong to the detector: no visit enters, another detector has others."""
    band = ArtifactSettings(bad_column_bands=1, bad_column_width=4)
    bad, offset = bad_columns(band, width=300, seed=3, detector=1)
    columns = np.flatnonzero(bad)
    np.testing.assert_array_equal(np.diff(columns), [1, 1, 1])
    np.testing.assert_array_equal(offset != 0.0, bad)
    again, _ = bad_columns(band, width=300, seed=3, detector=1)
    other, _ = bad_columns(band, width=300, seed=3, detector=2)
    np.testing.assert_array_equal(again, bad)
    assert not np.array_equal(other, bad)


@settings(deadline=None, max_examples=50)
@given(bands=st.integers(0, 6), spare=st.integers(0, 40), seed=st.integers(0, 999))
def test_bands_of_bad_columns_do_not_touch(bands: int, spare: int, seed: int) -> None:
    """Two that did would be one of eight columns: a cell across it has twice the fraction.

    Six bands of four columns with a good one between any two need 29 columns, and fit in them.
    """
    band = ArtifactSettings(bad_column_bands=bands, bad_column_width=4)
    bad, _ = bad_columns(band, width=max(1, 5 * bands - 1 + spare), seed=seed, detector=0)
    steps = np.diff(np.concatenate([[0], bad.astype(int), [0]]))
    starts, stops = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    assert (stops - starts).tolist() == [4] * bands


@pytest.mark.parametrize(("bands", "width"), [(1, 3), (6, 28)])
def test_bands_that_do_not_fit_are_refused(bands: int, width: int) -> None:
    """They can't be placed anywhere."""
    with pytest.raises(ValueError, match=rf"^{bands} bands.*do not fit in {width} columns"):
        bad_columns(ArtifactSettings(bad_column_bands=bands), width=width, seed=0, detector=0)


def test_each_amplifier_has_a_noise_of_its_own() -> None:
    """Four strips of 512 columns, constant in each, within the step, no two detectors alike."""
    four = ArtifactSettings(amplifiers=4, amplifier_noise_step=0.03)
    noise = amplifier_noise(four, width=2048, seed=3, detector=7)
    np.testing.assert_array_equal(np.flatnonzero(np.diff(noise)) + 1, [512, 1024, 1536])
    assert np.all(np.abs(noise - 1.0) <= 0.03)
    np.testing.assert_array_equal(noise, amplifier_noise(four, width=2048, seed=3, detector=7))
    assert not np.any(noise == amplifier_noise(four, width=2048, seed=3, detector=8))
    # 800 draws, uniform up to the step: their mean is known to 0.03 / sqrt(3 * 800) = 0.0006.
    drawn = [amplifier_noise(four, width=4, seed=3, detector=number) for number in range(200)]
    assert np.mean(drawn) == pytest.approx(1.0, abs=0.003)
    assert np.max(drawn) > 1.028
    assert np.all(amplifier_noise(ArtifactSettings(), width=9, seed=3, detector=7) == 1.0)


def test_edges_are_along_all_four_sides() -> None:
    """Two rows and two columns on each side of 7 x 6 leave 3 x 2 pixels in the middle."""
    flags = edges(ArtifactSettings(edge_width=2), shape=(7, 6))
    inside = np.zeros((7, 6), dtype=bool)
    inside[2:5, 2:4] = True
    np.testing.assert_array_equal(flags, ~inside)
    assert not edges(ArtifactSettings(), shape=(7, 6)).any()


def test_cosmic_rays_hit_as_often_as_stated() -> None:
    """400 tracks are expected; five standard deviations of a Poisson number are 100."""
    rays = ArtifactSettings(cosmic_rays_per_megapixel=400.0, cosmic_ray_length=0.001)
    hit, flux = cosmic_rays(rays, shape=(1000, 1000), seed=5, visit=2, detector=0)
    # So short a track has one pixel or two.
    assert 300 <= hit.sum() <= 1000
    np.testing.assert_array_equal(flux > 0.0, hit)
    low, high = rays.cosmic_ray_flux
    assert flux[hit].min() >= low * (1 - 1e-12)
    assert np.median(flux[hit]) < high
    other, _ = cosmic_rays(rays, shape=(1000, 1000), seed=5, visit=3, detector=0)
    assert (hit & other).sum() < 10


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("saturation", 0.0),
        ("bad_column_bands", -1),
        ("cosmic_ray_flux", (5.0, 1.0)),
        ("edge_width", -1),
        ("amplifiers", 0),
        ("amplifier_noise_step", 1.0),
    ],
)
def test_impossible_artifacts_are_refused(setting: str, value: object) -> None:
    """The setting is named."""
    with pytest.raises(ValueError, match=setting):
        ArtifactSettings(**{setting: value})  # type: ignore[arg-type]


def test_wide_bands_are_as_many_and_as_wide_as_asked_for() -> None:
    """Two a detector of no narrower kind; wider than 10 of 5 to 27 are (5.5 -> 10.5 ...) a third.

    Wider than w in proportion to w^-1.5, from 4.5 to 27.5: (10.5^-1.5 - 27.5^-1.5) / (4.5^-1.5 -
    27.5^-1.5) = 0.23. Bands that touch each other count as one, which few of 4000 columns do.
    """
    settings = ArtifactSettings(bad_column_bands=0, wide_bands=2.0)
    widths: list[int] = []
    for detector in range(400):
        bad, offset = bad_columns(settings, width=4000, seed=3, detector=detector)
        edge = np.flatnonzero(np.diff(np.concatenate([[0], bad, [0]]).astype(int)))
        widths += (edge[1::2] - edge[::2]).tolist()
        assert np.all((offset != 0.0) == bad)
    assert len(widths) == pytest.approx(800, abs=3 * math.sqrt(800))
    assert min(widths) == 5
    assert np.mean(np.array(widths) <= 27) > 0.99
    assert np.mean(np.array(widths) > 10) == pytest.approx(0.23, abs=0.05)


def test_wide_bands_change_no_others() -> None:
    """The band of four stays where it is without them."""
    alone = bad_columns(ArtifactSettings(), width=500, seed=7, detector=2)
    more = bad_columns(ArtifactSettings(wide_bands=3.0), width=500, seed=7, detector=2)
    assert more[0].sum() > alone[0].sum()
    np.testing.assert_array_equal(more[1][alone[0]], alone[1][alone[0]])


def test_halos_by_hand() -> None:
    """100 full pixels: the radius that is stated; 800: twice as far. A star beside counts too."""
    settings = ArtifactSettings(saturation=10.0, halo_radius=3.0)
    near = halos(settings, x=[20.0, -4.0, -9.0], y=[15.0, 30.0, 5.0], flux=[1e3, 8e3, 8e3],
                 shape=(40, 50))  # fmt: skip
    y, x = np.mgrid[:40, :50]
    expected = np.hypot(x - 20.0, y - 15.0) <= 3.0
    expected |= np.hypot(x + 4.0, y - 30.0) <= 6.0
    np.testing.assert_array_equal(near, expected)
    assert near[:, 0].sum() == 9
    assert not halos(settings, x=[], y=[], flux=[], shape=(4, 5)).any()


@pytest.mark.parametrize("width", [(0, 3), (9, 5)])
def test_widths_of_bands_must_make_sense(width: tuple[int, int]) -> None:
    """A range that is empty or begins at nothing is a mistake."""
    with pytest.raises(ValueError, match="wide_band_width must be"):
        ArtifactSettings(wide_band_width=width)
