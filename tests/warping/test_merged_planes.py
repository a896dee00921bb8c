"""Planes of the detectors of a visit, put together."""

from __future__ import annotations

import numpy as np
import pytest
from lsst.images import Box

from cellcoadd.masks.planes import mask_schema
from cellcoadd.warping.merge import MergedPlanes
from cellcoadd.warping.project import ProjectedImage
from cellcoadd.warping.workspace import Workspace

N_VALUES, N_VARIANCES, N_FRACTIONS = 3, 2, 4


def detector(box: Box, seed: int) -> ProjectedImage:
    """Make planes of which no two pixels are alike."""
    rng = np.random.default_rng(seed)
    shape = (box.y.size, box.x.size)

    def plane(count: int) -> np.ndarray[tuple[int, int, int], np.dtype[np.float32]]:
        return rng.random((count, *shape), np.float32)

    return ProjectedImage(
        schema=mask_schema({"NO_DATA": "none", "SAT": "saturated"}),
        bbox=box,
        values=plane(N_VALUES),
        variances=plane(N_VARIANCES),
        mask=2 * rng.integers(0, 2, shape, np.int32),
        fractions=plane(N_FRACTIONS),
        coverage=np.ones(shape, bool),
    )


def merged(
    expected: Box, *detectors: ProjectedImage, memory: Workspace | None = None
) -> MergedPlanes:
    planes = MergedPlanes(detectors[0], expected=expected, memory=memory or Workspace())
    for number, image in enumerate(detectors):
        planes.add(number, image)
    return planes


@pytest.mark.parametrize(
    "expected",
    [
        Box.factory[80:190, 150:290],
        Box.factory[100:190, 150:290],
        Box.factory[100:170, 200:290],
        Box.factory[80:170, 150:260],
        Box.factory[0:400, 200:260],
        Box.factory[100:170, 0:500],
        Box.factory[120:140, 220:240],
    ],
)
@pytest.mark.parametrize("is_second_visit", [False, True])
def test_the_box_that_was_expected_changes_no_pixel(expected: Box, is_second_visit: bool) -> None:
    """Planes are moved to a smaller box, and to a larger one, if another visit left room for it."""
    one = detector(Box.factory[100:150, 200:240], seed=1)
    two = detector(Box.factory[130:170, 225:260], seed=2)
    hull = Box.factory[100:170, 200:260]
    right = merged(hull, one, two)
    memory = Workspace()
    if is_second_visit:
        merged(Box.factory[0:500, 0:500], one, memory=memory)
    cropped = merged(expected, one, two, memory=memory)
    cropped.crop()
    assert cropped.bbox == hull
    for name in ("values", "variances", "mask", "fractions", "owner"):
        assert np.array_equal(getattr(cropped, name), getattr(right, name), equal_nan=True), name
    assert np.array_equal(cropped.values[:, :30, :25], one.values[:, :30, :25])
    assert np.array_equal(cropped.fractions[:, 40:, 40:], two.fractions[:, 10:, 15:])
