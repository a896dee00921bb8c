"""Laws that hold for every coadd, whatever goes in.

Detectors are drawn with defects, NaN, detectors of one visit that overlap, and inputs that are
masked so much that they serve as fallbacks; bad pixels are interpolated and noise is drawn.
Examples are few, and the same in every run: a result must not depend on chance.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Collection, Iterable, Sequence

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from cellcoadd.cell_grid import shared_box
from cellcoadd.coaddition.assemble import VisitOnPatch, assemble_cell_coadd
from cellcoadd.coaddition.settings import CoaddSettings
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.recipes import coadd_images
from cellcoadd.skymap import Patch
from cellcoadd.testing.images import small_patch
from cellcoadd.testing.same_cells import assert_same_cell, shared_cells
from cellcoadd.testing.strategies import DrawnDetector, detectors
from cellcoadd.warping.direct import DirectWarp, make_direct_warp
from cellcoadd.warping.settings import WarpSettings

PATCH = small_patch()
NEIGHBOURS = (16, 17, 18, 23, 25, 30, 31, 32)
MIDDLE = PATCH.outer_bbox.x.center, PATCH.outer_bbox.y.center
# With the default border a warp would hold the whole of such small detectors, whatever the patch.
WARP = WarpSettings(number_of_noise_realizations=1, do_pre_warp_interpolation=True, border=3)
COADD = CoaddSettings(num_noise_realizations=1)
LINEAR = 1e-6
"""Of the largest pixels: three coadds are each rounded by 6e-8 when pixels are given and when they
are kept, by some more in sums over 36 pixels, and slopes of the interpolation converge to 1e-6."""

law = settings(deadline=None, derandomize=True, max_examples=6, phases=(Phase.generate,))
around_the_middle = detectors(x=MIDDLE[0], y=MIDDLE[1])
factors = st.one_of(st.just(0.0), st.floats(0.01, 30.0), st.floats(-30.0, -0.01))
"""Not so small that single precision, which pixels are kept in, could not hold the product."""


def coadd(
    images: Iterable[CalibratedImage],
    patch: Patch = PATCH,
    *,
    coadd_settings: CoaddSettings = COADD,
) -> MultipleCellCoadd:
    made = coadd_images(images, patch, warp_settings=WARP, coadd_settings=coadd_settings)
    assert made is not None
    return made


def images_of(drawn: Iterable[DrawnDetector]) -> list[CalibratedImage]:
    return [entry.image(PATCH) for entry in drawn]


def assert_same_cells(
    one: MultipleCellCoadd, other: MultipleCellCoadd, *, but: Collection[str] = ()
) -> None:
    """All cells of two coadds of a patch."""
    assert len(one.cells) >= 4
    for index in one.grid:
        assert_same_cell(one, index, other, index, but=but)


@law
@given(drawn=around_the_middle, a=factors, b=factors)
def test_a_coadd_is_linear_in_the_image(drawn: Sequence[DrawnDetector], a: float, b: float) -> None:
    """Nothing but the image changes with the pixels, and the image as they do.

    Not linear are the filled pixels, as their fallback is not negative, so that filling is off.
    """
    unfilled = dataclasses.replace(COADD, do_interpolate_coadd=False)
    x, y = ([entry.draw_pixels(seed) for entry in drawn] for seed in (1, 2))
    mixed = [a * one + b * two for one, two in zip(x, y, strict=True)]
    of_x, of_y, of_both = (
        coadd(
            [entry.image(PATCH, pixels=each) for entry, each in zip(drawn, pixels, strict=True)],
            coadd_settings=unfilled,
        )
        for pixels in (x, y, mixed)
    )
    expected = a * of_x.stack.image.astype(float) + b * of_y.stack.image.astype(float)
    scale = abs(a) * np.nanmax(abs(of_x.stack.image)) + abs(b) * np.nanmax(abs(of_y.stack.image))
    np.testing.assert_allclose(of_both.stack.image, expected, rtol=0, atol=LINEAR * scale)
    for other in (of_y, of_both):
        assert_same_cells(of_x, other, but=["image"])


@law
@given(drawn=around_the_middle, chance=st.randoms(use_true_random=False))
def test_the_order_of_visits_and_detectors_does_not_matter(
    drawn: Sequence[DrawnDetector], chance: random.Random
) -> None:
    """A file system lists files in any order; sums and overlaps must not follow it, to the bit."""
    images = images_of(drawn)
    first = coadd(images)
    chance.shuffle(images)
    second = coadd(images)
    assert_same_cells(first, second)
    assert [entry.observation for entry in first.inputs] == sorted(
        entry.observation for entry in second.inputs
    )


@law
@given(drawn=around_the_middle, power=st.integers(-20, 20), from_variance=st.booleans())
def test_weights_times_a_power_of_two_change_nothing(
    drawn: Sequence[DrawnDetector], power: int, from_variance: bool
) -> None:
    """A weight only counts in ratio to others, and a power of 2 is not rounded: to the bit."""
    chosen = dataclasses.replace(COADD, calc_error_from_input_variance=from_variance)
    factor = 2.0**power
    first = coadd(images_of(drawn), coadd_settings=chosen)
    second = coadd(images_of(scaled(drawn, factor)), coadd_settings=chosen)
    scaling = ["contributions[weight]", "mean_variance"]
    assert_same_cells(first, second, but=scaling)
    np.testing.assert_array_equal(
        first.contributions["weight"], second.contributions["weight"] * factor
    )


@law
@given(drawn=around_the_middle, factor=st.floats(1e-6, 1e6), from_variance=st.booleans())
def test_weights_times_a_constant_change_rounding_only(
    drawn: Sequence[DrawnDetector], factor: float, from_variance: bool
) -> None:
    """Sums in double precision differ by 1e-15, so that single precision is off by its last bit.

    That is 1.2e-7 of a value; of one that is the small difference of large numbers, 1e-15 of these.
    """
    chosen = dataclasses.replace(COADD, calc_error_from_input_variance=from_variance)
    first = coadd(images_of(drawn), coadd_settings=chosen).stack
    second = coadd(images_of(scaled(drawn, factor)), coadd_settings=chosen).stack
    np.testing.assert_array_equal(first.mask, second.mask)
    pairs = [(getattr(first, name), getattr(second, name)) for name in ("image", "noise", "psf")]
    pairs += [(first.variance, second.variance)]
    pairs += [(plane, second.mask_fractions[name]) for name, plane in first.mask_fractions.items()]
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=1.3e-7, atol=1e-12)


@law
@given(data=st.data())
def test_a_cell_of_two_patches_is_the_same(data: st.DataObject) -> None:
    """To the bit, with its record: who joins patches need not choose."""
    other = small_patch(data.draw(st.sampled_from(NEIGHBOURS)))
    both = shared_box(PATCH.outer_bbox, other.outer_bbox)
    assert both is not None
    drawn = data.draw(detectors(x=both.x.center, y=both.y.center))
    here, there = (coadd(images_of(drawn), patch) for patch in (PATCH, other))
    pairs = shared_cells(here, there)
    assert len(pairs) in (4, 10)
    assert sum(index in here.cells for index, _ in pairs) >= 4
    for index, twin in pairs:
        assert_same_cell(here, index, there, twin)


@law
@given(drawn=around_the_middle)
def test_a_cell_alone_is_the_one_built_with_its_patch(drawn: Sequence[DrawnDetector]) -> None:
    """To the bit, each of them; with no record of other cells, and the same list of inputs."""
    visits = []
    for visit in sorted({entry.visit for entry in drawn}):
        made = warped(images_of(entry for entry in drawn if entry.visit == visit), PATCH, WARP)
        visits.append(VisitOnPatch(warp=made.warp, noise=made.noise))
    whole = assemble_cell_coadd(visits, PATCH, settings=COADD)
    assert whole is not None
    for index in PATCH.grid:
        alone = assemble_cell_coadd(visits, PATCH, settings=COADD, cells=[index])
        assert (alone is not None) == (index in whole.cells)
        if alone is not None:
            assert_same_cell(whole, index, alone, index)
            assert len(alone.contributions) == len(whole.cells[index].contributions)
            assert [entry.observation for entry in alone.inputs] == [
                entry.observation for entry in whole.inputs
            ]


@law
@given(
    drawn=around_the_middle,
    realizations=st.integers(1, 3),
    order=st.permutations(range(3)),
    patch=st.sampled_from(NEIGHBOURS).map(small_patch),
)
def test_noise_of_a_detector_does_not_depend_on_what_else_runs(
    drawn: Sequence[DrawnDetector], realizations: int, order: Sequence[int], patch: Patch
) -> None:
    """Neither on other visits and detectors, nor on their order, the patch, or the number drawn."""
    few, many = (
        dataclasses.replace(WARP, number_of_noise_realizations=number)
        for number in (realizations, 3)
    )
    ours, *others = drawn[:3]
    alone = warped([ours.image(PATCH)], PATCH, few)
    warped([others[0].image(PATCH)], PATCH, many)
    # Two more detectors of ours' visit, under it by their numbers.
    visit = [ours] + [
        dataclasses.replace(other, visit=ours.visit, detector=-1 - number)
        for number, other in enumerate(others)
    ]
    joined = warped([visit[number].image(PATCH) for number in order], patch, many)
    number = [entry.observation.detector for entry in joined.warp.inputs].index(ours.detector)
    box = shared_box(alone.warp.bbox, joined.warp.bbox)
    assert box is not None
    here, there = box.slice_within(alone.warp.bbox), box.slice_within(joined.warp.bbox)
    mine = joined.warp.owner[there.y, there.x] == number
    mine &= alone.warp.owner[here.y, here.x] == 0
    assert mine.sum() > 1000
    for one, other in zip(alone.noise, joined.noise, strict=False):
        np.testing.assert_array_equal(one.image[box].array[mine], other.image[box].array[mine])


def scaled(drawn: Iterable[DrawnDetector], factor: float) -> list[DrawnDetector]:
    """The same with other mean variances, and so with other weights."""
    return [
        dataclasses.replace(entry, mean_variance=entry.mean_variance * factor) for entry in drawn
    ]


def warped(images: Sequence[CalibratedImage], patch: Patch, chosen: WarpSettings) -> DirectWarp:
    made = make_direct_warp(images, patch, settings=chosen)
    assert made is not None
    return made
