"""Masks of artifacts that the Rubin pipelines wrote are read, or refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from lsst.images import Box

from cellcoadd.errors import UnusableInputError
from cellcoadd.surveys.afw.mask_file import read_artifact_mask
from cellcoadd.testing.afw_files import write_afw_mask

BOX = Box.factory[900:960, -20:60]
BITS = {"SAT": 1, "NO_DATA": 8, "CLIPPED": 13}


def bits() -> Any:
    """Artifacts in the pixels x = 3 to 5, y = 910 to 919, and saturated ones beside them."""
    array = np.zeros(BOX.shape, np.int32)
    array[10:20, 23:26] = 1 << 13
    array[10:20, 26:28] = 1 << 1
    return array


@pytest.mark.parametrize("compression", [None, "GZIP_2", "RICE_1"])
def test_planes_are_those_of_the_cards(tmp_path: Path, compression: str | None) -> None:
    """In the first array, or in a compressed one after it; the box is that of the second WCS."""
    path = write_afw_mask(
        tmp_path / "m.fits", bits(), bits=BITS, origin=(-20, 900), compression=compression
    )
    mask = read_artifact_mask(path)
    assert mask.bbox == BOX
    assert set(mask.schema.names) == set(BITS)
    expected = np.zeros(BOX.shape, bool)
    expected[10:20, 23:26] = True
    assert (mask.get("CLIPPED") == expected).all()
    part = read_artifact_mask(path, bbox=Box.factory[905:915, 4:9])
    assert part.bbox == Box.factory[905:915, 4:9]
    assert (part.get("CLIPPED") == expected[5:15, 24:29]).all()


def without_planes(path: Path) -> None:
    with fits.open(path, mode="update") as hdus:
        for name in BITS:
            del hdus[0].header[f"MP_{name}"]


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:6000])


@pytest.mark.parametrize(
    ("damage", "names", "reason"),
    [
        (lambda _: None, {"SAT": 1, "BAD": 13}, "must have the plane CLIPPED, this .* BAD, SAT"),
        (without_planes, BITS, "one image must have cards MP_.* 0 have"),
        (cut_off, BITS, "get it again"),
        (lambda path: path.unlink(), BITS, "there is no such file"),
    ],
)  # fmt: skip
def test_what_is_no_mask_of_artifacts_is_refused(
    tmp_path: Path, damage: Callable[[Path], None], names: dict[str, int], reason: str
) -> None:
    """By the file and the rule that it breaks."""
    path = write_afw_mask(tmp_path / "m.fits", bits(), bits=names, compression=None)
    damage(path)
    with pytest.raises(UnusableInputError, match=reason) as caught:
        read_artifact_mask(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_mask_of_the_wrong_size_is_refused(tmp_path: Path) -> None:
    """One that lacks a part of the visit would leave its artifacts in, without a word."""
    path = write_afw_mask(tmp_path / "m.fits", bits(), bits=BITS, origin=(-20, 900))
    with pytest.raises(UnusableInputError, match=r"m\.fits: a mask of artifacts must cover all"):
        read_artifact_mask(path, bbox=Box.factory[905:961, 4:9])
