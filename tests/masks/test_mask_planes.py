"""Names and bits of mask planes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lsst.images import Box, Mask, MaskPlane, MaskSchema

from cellcoadd import MissingPlaneError, MultipleCellCoadd, read
from cellcoadd.masks.planes import (
    DP2_NAMES,
    STANDARD_PLANES,
    bits_of,
    mask_schema,
    plane_array,
    to_standard_planes,
)
from cellcoadd.warping.direct import DirectWarp

BOX = Box.factory[3:7, 5:10]


def test_standard_planes_have_the_same_bits_in_every_mask() -> None:
    """A survey's own planes come after them, so that masks of surveys can be joined."""
    plain, own = mask_schema(), mask_schema({"ZEBRA": "z", "APE": "a", "SAT": "theirs"})
    for bit, name in enumerate(STANDARD_PLANES):
        assert bits_of(plain, [name]) == bits_of(own, [name]) == 1 << bit
    n = len(STANDARD_PLANES)
    assert (bits_of(own, ["APE"]), bits_of(own, ["ZEBRA"])) == (1 << n, 1 << (n + 1))
    assert own.dtype == np.int32


def test_bits_of_planes_are_joined() -> None:
    """An unknown plane is a mistake, unless it is expected that some are missing."""
    schema = mask_schema()
    assert bits_of(schema, ["BAD", "SAT"]) == 3
    assert bits_of(schema, []) == 0
    assert bits_of(schema, ["SAT", "ZEBRA"], ignore_missing=True) == 2
    with pytest.raises(ValueError, match=r"'ZEBRA'; there are \['BAD'"):
        bits_of(schema, ["ZEBRA"])


def test_a_mask_holds_31_planes() -> None:
    """The sign of the integers is left alone."""
    room = 31 - len(STANDARD_PLANES)
    assert len(list(mask_schema({f"P{n}": "" for n in range(room)}))) == 31
    with pytest.raises(ValueError, match="at most 31 planes, got 32"):
        mask_schema({f"P{n}": "" for n in range(room + 1)})


def test_masks_of_other_programs_are_translated() -> None:
    """DP2's names to ours, other planes kept, in whatever order and type they came."""
    planes = [None, *(MaskPlane(name, "") for name in (*DP2_NAMES.values(), "ZEBRA", "BAD"))]
    theirs = Mask(0, schema=MaskSchema(planes, dtype=np.uint8), bbox=BOX)
    assert theirs.array.shape[2] == 1
    for number, plane in enumerate(planes[1:]):
        assert plane is not None
        flagged = np.zeros(tuple(BOX.shape), np.bool_)
        flagged[number % 4, number % 5] = flagged[0, 0] = True
        theirs.set(plane.name, flagged)
    ours = to_standard_planes(theirs)
    assert ours.bbox == BOX
    for name, dp2 in [*DP2_NAMES.items(), ("ZEBRA", "ZEBRA"), ("BAD", "BAD")]:
        np.testing.assert_array_equal(ours.get(name), theirs.get(dp2))
    known = bits_of(ours.schema, [*DP2_NAMES, "ZEBRA", "BAD"])
    assert np.all(plane_array(ours) & ~known == 0)


def test_pixels_of_a_mask_of_ours_are_a_view() -> None:
    """Kernels write through it; a mask of another type must be translated first."""
    mask = Mask(0, schema=mask_schema(), bbox=BOX)
    plane_array(mask)[1, 2] = bits_of(mask.schema, ["SAT"])
    assert mask.get("SAT").sum() == 1
    foreign = Mask(0, schema=MaskSchema([MaskPlane("SAT", "")], dtype=np.uint8), bbox=BOX)
    with pytest.raises(ValueError, match="to_standard_planes"):
        plane_array(foreign)


def test_planes_of_products_answer_to_both_names(
    cell_coadd: MultipleCellCoadd, direct_warps: list[DirectWarp], tmp_path: Path
) -> None:
    """Whoever comes from Rubin's DP2 asks by its names, in memory and out of a file."""
    cell_coadd.write(tmp_path / "coadd.fits")
    direct_warps[0].warp.write(tmp_path / "warp.fits")
    coadd, warp = read(tmp_path / "coadd.fits"), read(tmp_path / "warp.fits")
    cell = next(iter(coadd.cells.values()))
    masks = [
        cell_coadd.mask, coadd.mask, cell.outer.mask, cell.inner.mask, coadd.stitch().mask,
        coadd.explode().mask, direct_warps[0].warp.mask, warp.mask, warp[cell.outer.bbox].mask,
    ]  # fmt: skip
    for mask in masks:
        np.testing.assert_array_equal(mask.get("INTRP"), mask.get("INTERPOLATED"))
        np.testing.assert_array_equal(mask.get("CR"), mask.get("COSMIC_RAY"))
        with pytest.raises(MissingPlaneError, match=r"no plane 'NONE'; there are .*NO_DATA.*CR"):
            mask.get("NONE")
    assert coadd.mask.get("INTERPOLATED").any()


def test_a_missing_plane_is_a_key_error_that_reads_well() -> None:
    """As lsst.images raises it, so that whoever catches that goes on."""
    with pytest.raises(KeyError) as caught:
        mask_schema().bitmask("BAD", "TYPO")
    assert str(caught.value).startswith("The mask has no plane 'TYPO'; there are BAD, ")
