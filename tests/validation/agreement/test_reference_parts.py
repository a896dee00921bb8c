"""Single parts of the stages beside those of the Rubin pipelines' own code."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cellcoadd.validation.agreement.command import PARTS, STATISTICS, compare

type Find = Callable[[str], Path]

COMPARED = {
    "D1_stack": {
        "number of inputs": 690,
        "mask": 690,
        "image (relative)": 600,
        "variance (relative)": 500,
        "variance from scatter": 100,
    },
    "D2_weights": {"weight of a warp (relative)": 6, "clipped mean (relative)": 6},
    "D3_shapes": {
        "moments (of their mean)": 8,
        "effective area (relative)": 8,
        "PSF moved by a fraction of a pixel, from the same image (of the peak)": 15,
    },
    "D4_interp": {
        "weights in runs of up to 10 px": 250,
        "weights in runs of 11 px and more": 390,
        "weight of the fallback value": 650,
        "pixels with data": 5000,
        "filled pixels in runs of up to 10 px (of the row)": 500,
        "filled pixels in runs of 11 px and more (of the row)": 1500,
    },
}
"""How many values of each quantity are compared, at least."""


def spoil_array(path: Path, array: str, pixel: tuple[int, int]) -> None:
    """Make one number a hundredth larger, or larger by 1 if it is an integer."""
    with np.load(path) as file:
        arrays = dict(file)
    plane = arrays[array]
    plane[pixel] += 1 if plane.dtype.kind == "i" else 0.01 * plane[pixel]
    np.savez(path, **arrays)


def spoil_entry(path: Path, *keys: str | int) -> None:
    """Make one number of a JSON file a hundredth larger."""
    contents = json.loads(path.read_text(encoding="utf-8"))
    entry = contents
    for key in keys[:-1]:
        entry = entry[key]
    entry[keys[-1]] *= 1.01
    path.write_text(json.dumps(contents), encoding="utf-8")


@pytest.fixture
def statistics(reference_folder: Find, tmp_path: Path) -> Path:
    """A copy of the folder that may be spoilt."""
    folder = tmp_path / STATISTICS
    shutil.copytree(reference_folder("D1_stack") / STATISTICS, folder)
    return folder


def failed(statistics: Path, name: str) -> list[str]:
    agreements = compare(statistics.parent, name).agreements
    return [one.quantity for one in agreements if not one.holds]


def test_every_part_is_looked_at() -> None:
    """A comparison that is added must say what it compares."""
    assert set(COMPARED) == set(PARTS)


@pytest.mark.parametrize("name", sorted(COMPARED))
def test_part_is_that_of_the_rubin_pipelines(reference_folder: Find, name: str) -> None:
    """Planes with NaN, inf and flags, runs of all widths, round and elliptical PSFs."""
    agreements = compare(reference_folder(name), name).agreements
    assert [one for one in agreements if not one.holds] == []
    counts = {one.quantity: one.count for one in agreements}
    assert set(counts) == set(COMPARED[name])
    assert all(counts[quantity] >= least for quantity, least in COMPARED[name].items())


@pytest.mark.parametrize(
    ("name", "file", "array", "pixel", "quantity"),
    [
        ("D1_stack", "D1_stack_outputs", "default_like_image", (2, 5), "image (relative)"),
        ("D1_stack", "D1_stack_outputs", "default_like_variance", (2, 5), "variance (relative)"),
        (
            "D1_stack", "D1_stack_outputs", "error_from_scatter_variance", (2, 5),
            "variance from scatter",
        ),
        ("D1_stack", "D1_stack_outputs", "default_like_mask", (2, 5), "mask"),
        ("D1_stack", "D1_stack_outputs", "default_like_n", (2, 5), "number of inputs"),
        (
            "D3_shapes", "D3_shapes", "recentre_moffat_p2_image", (20, 20),
            "PSF moved by a fraction of a pixel, from the same image (of the peak)",
        ),
        (
            "D4_interp", "D4_interp", "i2_out_image", (3, 19),
            "filled pixels in runs of up to 10 px (of the row)",
        ),
        ("D4_interp", "D4_interp", "i2_out_image", (3, 20), "pixels with data"),
    ],
)  # fmt: skip
def test_a_pixel_that_is_off_is_noticed(
    statistics: Path, name: str, file: str, array: str, pixel: tuple[int, int], quantity: str
) -> None:
    """One of theirs that is a hundredth larger is enough."""
    spoil_array(statistics / f"{file}.npz", array, pixel)
    assert failed(statistics, name) == [quantity]


@pytest.mark.parametrize(
    ("name", "keys", "quantity"),
    [
        ("D2_weights", ("cases", 0, "weight"), "weight of a warp (relative)"),
        ("D2_weights", ("cases", 0, "meanclip"), "clipped mean (relative)"),
        ("D3_shapes", ("decam_a", "psf_computeShape", 1), "moments (of their mean)"),
        ("D3_shapes", ("decam_a", "effective_area"), "effective area (relative)"),
        (
            "D4_interp",
            ("impulse_responses", "middle_3", "coefficient_by_neighbour", "-1", 1),
            "weights in runs of up to 10 px",
        ),
        (
            "D4_interp",
            ("impulse_responses", "middle_12", "coefficient_by_neighbour", "-1", 1),
            "weights in runs of 11 px and more",
        ),
        (
            "D4_interp",
            ("impulse_responses", "left_9", "fallback_coefficient", 0),
            "weight of the fallback value",
        ),
    ],
)
def test_a_number_that_is_off_is_noticed(
    statistics: Path, name: str, keys: tuple[str | int, ...], quantity: str
) -> None:
    """One of theirs that is a hundredth larger is enough."""
    spoil_entry(statistics / f"{name}.json", *keys)
    assert failed(statistics, name) == [quantity]
