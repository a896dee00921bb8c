"""Questions to masks of any program, and masks put together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsst.images import Box, Mask, MaskPlane, MaskSchema

from cellcoadd.masks.algebra import any_of, combine_masks
from cellcoadd.masks.planes import DP2_NAMES, STANDARD_PLANES, mask_schema
from cellcoadd.testing.images import small_patch

BOX = Box.factory[3:7, 5:10]
SHAPE = (4, 5)
LEGACY = [*STANDARD_PLANES, "ZEBRA"]
DP2 = [DP2_NAMES.get(name, name) for name in LEGACY]


def random_mask(
    names: list[str], *, dtype: npt.DTypeLike, seed: int, reserved: int = 0, bbox: Box = BOX
) -> tuple[Mask, dict[str, npt.NDArray[np.bool_]]]:
    """A mask of some planes after some unused bits, and what is set in it."""
    rng = np.random.default_rng(seed)
    planes = [*[None] * reserved, *(MaskPlane(name, f"About {name}.") for name in names)]
    mask = Mask(0, schema=MaskSchema(planes, dtype=dtype), bbox=bbox)
    flagged = {name: rng.random(SHAPE) < 0.2 for name in names}
    for name, where in flagged.items():
        mask.set(name, where)
    return mask, flagged


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 1000),
    dtype=st.sampled_from([np.uint8, np.int16, np.int32, np.uint64]),
    reserved=st.integers(0, 3),
    dp2=st.booleans(),
    asked=st.lists(st.integers(0, len(LEGACY) - 1), max_size=6),
    by_dp2=st.booleans(),
)
def test_a_pixel_is_in_any_plane_if_it_is_in_one(
    seed: int, dtype: npt.DTypeLike, reserved: int, dp2: bool, asked: list[int], by_dp2: bool
) -> None:
    """One integer a pixel or several, old names or those of DP2, asked for by either."""
    names = DP2 if dp2 else LEGACY
    mask, flagged = random_mask(names, dtype=dtype, seed=seed, reserved=reserved)
    expected = np.zeros(SHAPE, np.bool_)
    for number in asked:
        expected |= flagged[names[number]]
    found = any_of(mask, [(DP2 if by_dp2 else LEGACY)[number] for number in asked])
    assert found.dtype == np.bool_
    np.testing.assert_array_equal(found, expected)


def test_one_plane_is_asked_for_by_its_name() -> None:
    """A word is a sequence of letters, none of which is a plane."""
    mask, flagged = random_mask(DP2, dtype=np.uint8, seed=1)
    np.testing.assert_array_equal(any_of(mask, "CR"), flagged["COSMIC_RAY"])


def test_a_plane_under_both_names_is_the_or_of_the_two() -> None:
    """An image that two programs flagged."""
    mask, flagged = random_mask(["SAT", "SATURATED"], dtype=np.uint8, seed=2)
    assert (flagged["SAT"] != flagged["SATURATED"]).any()
    both = flagged["SAT"] | flagged["SATURATED"]
    np.testing.assert_array_equal(any_of(mask, ["SATURATED"]), both)


def test_a_plane_that_is_not_there_is_refused_unless_expected() -> None:
    """A slip of the pen would else blank nothing, and nobody would see it."""
    mask, flagged = random_mask(["SAT", "BAD"], dtype=np.uint8, seed=3)
    with pytest.raises(ValueError, match=r"no plane 'STREEK'; there are \['BAD', 'SAT'\]"):
        any_of(mask, ["SAT", "STREEK"])
    found = any_of(mask, ["SAT", "STREEK"], ignore_missing=True)
    np.testing.assert_array_equal(found, flagged["SAT"])


def test_masks_of_different_schemas_are_joined_by_name() -> None:
    """Each plane of the result is the OR of the planes that mean it, with its meaning."""
    old, in_old = random_mask(["ZEBRA", "CR", "SAT"], dtype=np.int32, seed=4)
    new, in_new = random_mask([*DP2, "APE"], dtype=np.uint8, seed=5)
    third, in_third = random_mask(["NO_DATA"], dtype=np.uint8, seed=6, reserved=5)
    joined = combine_masks([old, new, third])
    assert joined.bbox == BOX
    assert joined.schema == mask_schema({"APE": "About APE.", "ZEBRA": "About ZEBRA."})
    for name in joined.schema.names:
        expected = np.zeros(SHAPE, np.bool_)
        for flagged in (in_old, in_new, in_third):
            for spelling in {name, DP2_NAMES.get(name, name)}:
                expected |= flagged.get(spelling, False)
        np.testing.assert_array_equal(joined.get(name), expected)
    np.testing.assert_array_equal(old.get("CR"), in_old["CR"])
    assert not np.shares_memory(combine_masks([joined]).array, joined.array)


def test_the_sky_of_a_mask_is_kept() -> None:
    """The first that knows it tells it."""
    plain, _ = random_mask(["SAT"], dtype=np.uint8, seed=7)
    projection = small_patch().sky_projection
    assert combine_masks([plain]).sky_projection is None
    joined = combine_masks([plain, plain.view(sky_projection=projection)])
    assert joined.sky_projection is projection


def test_masks_that_do_not_fit_are_refused() -> None:
    """Different boxes, no masks, more planes than bits."""
    here, _ = random_mask(["SAT"], dtype=np.uint8, seed=8)
    there, _ = random_mask(["SAT"], dtype=np.uint8, seed=8, bbox=Box.factory[0:4, 0:5])
    with pytest.raises(ValueError, match="on one box"):
        combine_masks([here, there])
    with pytest.raises(ValueError, match="no mask"):
        combine_masks([])
    left, _ = random_mask([f"L{n}" for n in range(10)], dtype=np.uint8, seed=8)
    right, _ = random_mask([f"R{n}" for n in range(10)], dtype=np.uint8, seed=8)
    with pytest.raises(ValueError, match="at most 31 planes"):
        combine_masks([left, right])
