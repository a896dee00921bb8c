"""What warps say of the covariance of their noise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from cellcoadd.cell_grid import Index2D
from cellcoadd.products.warp import Warp
from cellcoadd.testing.images import make_detector, small_patch
from cellcoadd.warping.direct import make_direct_warp
from cellcoadd.warping.settings import WarpSettings

PATCH = small_patch()
INDEX = Index2D(x=2, y=2)


def covariance_in(warp: Warp, index: Index2D) -> npt.NDArray[np.float32]:
    rows = warp.cell_inputs
    [row] = rows[(rows["cell_x"] == index.x) & (rows["cell_y"] == index.y) & (rows["stamp"] >= 0)]
    result: npt.NDArray[np.float32] = warp.noise_covariances[row["stamp"]]
    return result


@pytest.mark.parametrize("rotation", [0.0, 20.0, 45.0])
@pytest.mark.parametrize("scale", [0.168, 0.2, 0.263])
def test_the_variance_is_that_of_the_variance_plane(rotation: float, scale: float) -> None:
    """Both say what a pixel's noise is: one for each pixel, the other on average over the cell."""
    detector = make_detector(PATCH, rotation=rotation, pixel_scale=scale, variance=1.0)
    made = make_direct_warp([detector], PATCH, settings=WarpSettings())
    assert made is not None
    covariance = covariance_in(made.warp, INDEX)
    plane = made.warp.variance[PATCH.grid.inner_bbox_of(INDEX)].array
    middle = covariance.shape[0] // 2
    assert covariance[middle, middle] == pytest.approx(plane.mean(dtype=np.float64), rel=3e-4)


def test_the_same_cell_has_the_same_covariance_in_overlapping_patches() -> None:
    """Bit for bit, though the patches have other cells beside it."""
    other = small_patch(25)
    found: list[dict[tuple[int, int], npt.NDArray[np.float32]]] = []
    for patch in (PATCH, other):
        detector = make_detector(PATCH, x=224.0, rotation=33.0)
        made = make_direct_warp([detector], patch, settings=WarpSettings())
        assert made is not None
        rows = made.warp.cell_inputs[made.warp.cell_inputs["stamp"] >= 0]
        found.append({})
        for row in rows:
            centre = patch.grid.centre_of(Index2D(x=int(row["cell_x"]), y=int(row["cell_y"])))
            found[-1][centre.x, centre.y] = made.warp.noise_covariances[row["stamp"]]
    here, there = found
    shared = here.keys() & there.keys()
    assert len(shared) >= 5
    for place in shared:
        np.testing.assert_array_equal(here[place], there[place])
