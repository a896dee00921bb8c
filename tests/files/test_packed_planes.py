"""Planes kept compressed in memory."""

from __future__ import annotations

import numpy as np
import pytest

from cellcoadd.files.packed_planes import PackedPlanes, planes_of_entry, shapes_of_planes

SHAPE = (3, 7, 5)
BAD = np.zeros(SHAPE, np.float32)
BAD[1, 2:4] = np.random.default_rng(3).random((2, 5), np.float32)
BAD[2, 0, :4] = [np.nan, -0.0, np.inf, 1e-42]
PLANES = {"BAD": BAD, "SAT": np.ones(SHAPE, np.float32)}
PACKED = PackedPlanes.pack(PLANES, shape=SHAPE)


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.dtype == other.dtype and one.tobytes() == other.tobytes()


def test_planes_come_back_to_the_bit() -> None:
    """NaN, the sign of 0 and tiny numbers included; whole or one entry."""
    assert list(PACKED) == ["BAD", "SAT"]
    for name, plane in PLANES.items():
        assert same(PACKED[name], plane)
        for row in range(len(plane)):
            assert same(PACKED.entry(row)[name], plane[row])


def test_what_is_unpacked_cannot_be_written_to() -> None:
    """It would be lost."""
    for plane in (PACKED["BAD"], PACKED.entry(1)["BAD"]):
        with pytest.raises(ValueError, match="read-only"):
            plane[...] = 0.0


def test_entries_are_put_behind_one_another() -> None:
    """In their order; another number of them than the shape says is a mistake."""
    both = PackedPlanes.joined([PACKED, PACKED])
    assert both.shape == (6, 7, 5)
    assert same(both["BAD"], np.concatenate([BAD, BAD]))
    with pytest.raises(ValueError, match="3 tiles of BAD for 2 entries"):
        PackedPlanes({"BAD": PACKED.tiles("BAD")}, shape=(2, 7, 5))


def test_packed_or_not_makes_no_difference_to_those_who_ask() -> None:
    """For shapes and for one entry."""
    assert shapes_of_planes(PACKED) == shapes_of_planes(PLANES) == {"BAD": SHAPE, "SAT": SHAPE}
    for name, plane in planes_of_entry(PLANES, 2).items():
        assert same(planes_of_entry(PACKED, 2)[name], plane)


def test_mostly_zeros_take_little() -> None:
    """A plane of a cell, 1 % of it not zero."""
    rng = np.random.default_rng(5)
    plane = np.where(rng.random((1, 250, 250)) < 0.01, rng.random((1, 250, 250)), 0.0)
    packed = PackedPlanes.pack({"CR": plane.astype(np.float32)}, shape=(1, 250, 250))
    assert packed.tiles("CR")[0].nbytes < plane.size * 4 / 10
