"""Single parts of a stage beside those of the Rubin pipelines: sums, weights, shapes, filling."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cellcoadd.testing.agreement import PARTS, compare

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
        "filled pixels (of the row)": 2000,
    },
}
"""How many values of each quantity are compared, at least."""


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
