"""Interpolation of bad pixels before warping."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsst.images import YX

from cellcoadd.warping.detector_rows import BLOCK, DetectorRows, block_counts
from cellcoadd.warping.interpolate import interpolate_bad_pixels
from cellcoadd.warping.settings import TRIANGULATIONS, InterpolationSettings

SHAPE = (30, 40)

both_ways = pytest.mark.parametrize("triangulation", TRIANGULATIONS)


def interpolate(
    planes: npt.NDArray[np.floating],
    bad: npt.NDArray[np.bool_],
    *,
    triangulation: str = "holes",
    fill_value: float = 0.0,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    values = planes.astype(np.float32)
    values[:, bad] = np.nan
    filled = interpolate_bad_pixels(
        values,
        bad,
        settings=InterpolationSettings(triangulation=triangulation, fill_value=fill_value),
        rows=DetectorRows.all_of(YX(*bad.shape)),
    )
    return values, filled


def somewhere(*places: tuple[slice | int, slice | int]) -> npt.NDArray[np.bool_]:
    bad = np.zeros(SHAPE, np.bool_)
    for place in places:
        bad[place] = True
    return bad


@both_ways
@settings(deadline=None, max_examples=25)
@given(a=st.floats(-100, 100), b=st.floats(-5, 5), c=st.floats(-5, 5), seed=st.integers(0, 10**6))
def test_a_plane_is_interpolated_exactly(
    triangulation: str, a: float, b: float, c: float, seed: int
) -> None:
    """Cubic triangles through a linear function are that function."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    sky = a + b * x + c * y
    bad = np.zeros(SHAPE, np.bool_)
    bad[3:-3, 3:-3] = np.random.default_rng(seed).random((24, 34)) < 0.1
    values, filled = interpolate(sky[np.newaxis], bad, triangulation=triangulation)
    assert not filled.any()
    np.testing.assert_allclose(values[0], sky, atol=1e-4 * (abs(a) + 40 * (abs(b) + abs(c)) + 1))


@both_ways
def test_good_pixels_stay_and_all_planes_get_the_same_weights(triangulation: str) -> None:
    """The noise must feel what the image feels: three times the image becomes three times it."""
    rng = np.random.default_rng(5)
    image = rng.normal(size=SHAPE)
    bad = somewhere((slice(5, 9), slice(10, 13)), (20, 20))
    planes = np.stack([image, 3 * image, rng.normal(size=SHAPE)])
    values, _ = interpolate(planes, bad, triangulation=triangulation)
    np.testing.assert_array_equal(values[0][~bad], image.astype(np.float32)[~bad])
    np.testing.assert_allclose(values[1], 3 * values[0], rtol=1e-5, atol=1e-6)
    assert np.isfinite(values).all()


@both_ways
def test_a_star_under_a_bad_column_comes_back(triangulation: str) -> None:
    """A Gaussian of sigma 3 px under one column: to 2 % of its peak.

    The linear guess between the neighbours would be 5 % low, (1 px)^2 / (2 sigma^2); the cubic
    knows the curvature from the slopes.
    """
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    star = 100 * np.exp(-((x - 20.3) ** 2 + (y - 15) ** 2) / 18)
    column = somewhere((slice(None), 20))
    values, _ = interpolate(star[np.newaxis], column, triangulation=triangulation)
    assert np.abs(values[0] - star).max() < 2.0


@both_ways
@pytest.mark.parametrize("fill_value", [0.0, -7.5])
def test_a_defect_that_good_pixels_do_not_surround_gets_the_fill_value(
    triangulation: str, fill_value: float
) -> None:
    """Extrapolation is guesswork: such pixels are told apart from interpolated ones."""
    bad = somewhere((slice(None), slice(0, 3)), (slice(10, 12), slice(20, 22)))
    planes = np.full((1, *SHAPE), 5.0)
    values, filled = interpolate(planes, bad, triangulation=triangulation, fill_value=fill_value)
    np.testing.assert_array_equal(filled, somewhere((slice(None), slice(0, 3))))
    np.testing.assert_array_equal(values[0][filled], fill_value)
    np.testing.assert_allclose(values[0][~filled], 5.0, rtol=1e-6)


@both_ways
def test_nothing_bad_is_no_failure(triangulation: str) -> None:
    """A known fault of others."""
    image = np.ones((1, *SHAPE))
    values, filled = interpolate(image, np.zeros(SHAPE, np.bool_), triangulation=triangulation)
    np.testing.assert_array_equal(values, image)
    assert not filled.any()


@both_ways
@pytest.mark.parametrize("n_good", [0, 2, 20])
def test_too_few_good_pixels_or_all_on_a_line_give_the_fill_value(
    triangulation: str, n_good: int
) -> None:
    """There is no triangle to interpolate in."""
    bad = np.ones(SHAPE, np.bool_)
    bad[15, :n_good] = False
    planes = np.full((1, *SHAPE), 5.0)
    values, filled = interpolate(planes, bad, triangulation=triangulation, fill_value=1.0)
    np.testing.assert_array_equal(filled, bad)
    np.testing.assert_array_equal(values[0][bad], 1.0)


@both_ways
def test_only_pixels_nearby_count(triangulation: str) -> None:
    """A star five pixels off does not shine into a defect."""
    image = np.ones((1, *SHAPE))
    image[0, :, 26:] = 1e6
    hole = somewhere((slice(10, 14), slice(18, 22)))
    values, _ = interpolate(image, hole, triangulation=triangulation)
    np.testing.assert_allclose(values[0, 10:14, 18:22], 1.0, rtol=1e-6)


@both_ways
def test_defects_do_not_depend_on_one_another(triangulation: str) -> None:
    """Far apart, each comes out as if it were alone, to the bit if holes are triangulated.

    All at once, another defect changes the choice between equal triangles, which a smooth image
    does not feel.
    """
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    image = (np.sin(x / 6) + np.cos(y / 7))[np.newaxis]
    first, second = (slice(4, 7), slice(5, 8)), (slice(20, 24), slice(30, 33))
    both, _ = interpolate(image, somewhere(first, second), triangulation=triangulation)
    for place in (first, second):
        alone, _ = interpolate(image, somewhere(place), triangulation=triangulation)
        if triangulation == "holes":
            np.testing.assert_array_equal(both[0][place], alone[0][place])
        else:
            np.testing.assert_allclose(both[0][place], alone[0][place], atol=0.01)


def defective_detector(rows: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """An image and noise with bad columns, cosmic rays and a blob across the corner of blocks."""
    rng = np.random.default_rng(11)
    y, x = np.mgrid[:rows, :700]
    planes = np.stack([np.sin(x / 5) * np.cos(y / 6), rng.normal(size=x.shape)])
    bad = rng.random(x.shape) < 0.01
    bad[:, 20:24] = bad[:, 510:513] = bad[:, :2] = True
    bad[np.hypot(y - 250, x - 515) < 45] = True
    planes[:, bad] = np.nan
    return planes.astype(np.float32), bad


@pytest.mark.parametrize(
    "wanted",
    [
        [(0, 0), (0, 1)],
        [(1, 0), (1, 1), (2, 0), (2, 1)],
        [(3, 1)],
        [(0, 1), (2, 0)],
    ],
)
def test_pixels_are_the_same_whichever_blocks_are_made(wanted: list[tuple[int, int]]) -> None:
    """To the bit; the others stay as they are."""
    planes, bad = defective_detector(900)
    shape = YX(*bad.shape)
    whole, chosen = planes.copy(), np.zeros(block_counts(shape), np.bool_)
    chosen[tuple(np.transpose(wanted))] = True
    rows = DetectorRows.around(chosen, shape=shape, start=300, stop=310)
    here = slice(rows.start, rows.stop)
    part = planes[:, here].copy()
    settings = InterpolationSettings()
    filled = interpolate_bad_pixels(whole, bad, settings=settings, rows=DetectorRows.all_of(shape))
    outside = interpolate_bad_pixels(part, bad[here], settings=settings, rows=rows)
    made = np.kron(chosen, np.ones(BLOCK, np.bool_))[: shape.y, : shape.x][here]
    np.testing.assert_array_equal(part[:, made], whole[:, here][:, made])
    np.testing.assert_array_equal(outside[made], filled[here][made])
    np.testing.assert_array_equal(part[:, ~made], planes[:, here][:, ~made])
    assert not outside[~made].any()
    assert not np.isnan(whole).any()


@pytest.mark.parametrize("radius", [1.2, 8, 25])
def test_a_hole_is_filled_the_same_at_the_corner_of_blocks(radius: float) -> None:
    """To the bit as amid a block: the margins hold all that it depends on."""
    shape, rng = (2 * BLOCK.y, 2 * BLOCK.x), np.random.default_rng(5)
    y, x = np.mgrid[-40:40, -40:40]
    hole, around = np.hypot(y, x) < radius, rng.normal(size=(1, 80, 80))
    results = []
    for middle in ((BLOCK.y // 2, BLOCK.x // 2), (BLOCK.y, BLOCK.x), (BLOCK.y, BLOCK.x // 2)):
        place = tuple(slice(at - 40, at + 40) for at in middle)
        planes, bad = rng.normal(size=(1, *shape)), np.zeros(shape, np.bool_)
        planes[:, *place], bad[place] = around, hole
        values, filled = interpolate(planes, bad)
        assert not filled.any()
        results.append(values[:, *place])
    np.testing.assert_array_equal(results[1], results[0])
    np.testing.assert_array_equal(results[2], results[0])


def test_the_two_ways_differ_less_than_the_noise() -> None:
    """Same pixels filled; the same sky but for the choice between equal triangles."""
    planes, bad = defective_detector(256)
    planes, bad = planes[..., :500], bad[:, :500]
    ours, filled = interpolate(planes, bad)
    theirs, outside = interpolate(planes, bad, triangulation="detector")
    np.testing.assert_array_equal(filled, outside)
    assert np.abs(ours[0] - theirs[0])[bad].max() < 0.2
    assert np.abs(ours[1] - theirs[1])[bad].std() < 1.0
    truth = planes[1][~bad].std()
    inside = bad & ~filled
    assert ours[1][inside].std() == pytest.approx(theirs[1][inside].std(), abs=0.15 * float(truth))


def test_a_part_of_a_detector_cannot_be_triangulated_at_once() -> None:
    """Wrong numbers would follow."""
    shape = YX(y=900, x=40)
    rows = DetectorRows.around(
        np.array([[True], [False], [False], [False]]), shape=shape, start=0, stop=9
    )
    bad = np.zeros((rows.stop, 40), np.bool_)
    with pytest.raises(ValueError, match="needs all rows"):
        interpolate_bad_pixels(
            np.zeros((1, *bad.shape), np.float32),
            bad,
            settings=InterpolationSettings(triangulation="detector"),
            rows=rows,
        )


def test_senseless_settings_are_refused() -> None:
    """The message names the setting and the value."""
    for length in (0, 2.5, True):
        with pytest.raises(ValueError, match=f"a whole number of at least 1, got {length}"):
            InterpolationSettings(interp_length=length)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="got 17; 'detector' takes any"):
        InterpolationSettings(interp_length=17)
    InterpolationSettings(interp_length=17, triangulation="detector")
    with pytest.raises(ValueError, match="15 planes at most, got 16"):
        InterpolationSettings(bad_mask_planes=tuple(f"P{n}" for n in range(16)))
    InterpolationSettings(bad_mask_planes=("BAD",) * 16)
    with pytest.raises(ValueError, match="fill_value must be finite, got nan"):
        InterpolationSettings(fill_value=np.nan)
    with pytest.raises(ValueError, match=r"one of \['detector', 'holes'\], got 'all'"):
        InterpolationSettings(triangulation="all")
