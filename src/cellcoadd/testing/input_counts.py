"""How many images of a simulated survey hold each cell of a patch, from geometry alone.

Only the formulas of `cellcoadd.simulate` are used, and the numbers of tract 9813 of the sky map
``hsc_rings_cells_v1``: no sky map, no pixels. Sky maps and warps are tested against it.
"""

from __future__ import annotations

__all__ = ["TRACT_9813", "count_inputs", "first_pixels_of_cells"]

import numpy as np
import numpy.typing as npt
from lsst.images import XY

from ..simulate import Camera, DetectorPointing, SurveyPlan

_PATCH, _CELL, _BORDER = 3000, 150, 50  # pixels: inner patch and cell, border of a cell
_PATCH_61 = XY(x=6, y=5)
TRACT_9813 = DetectorPointing(
    camera=Camera(columns=1, rows=1, width=1, height=1),
    detector=0, ra=150.247934, dec=2.231405, rotation=0.0,
)  # fmt: skip
"""The tangent plane of the tract, as the camera of one pixel that looks at its middle."""
_AXIS = 16499.0  # the tract's tangent point, in x and in y
_PER_SIDE = 3  # points on a side, all of which a detector must hold


def count_inputs(
    plan: SurveyPlan, *, patch: XY[int] = _PATCH_61, margin: float = 0.0
) -> npt.NDArray[np.int64]:
    """Return how many images contain each cell, with its border, of a patch.

    Parameters
    ----------
    plan
        The survey.
    patch
        Column and row of the patch in the tract.
    margin
        Pixels of a detector that its images lose on each side when they are resampled.

    Returns
    -------
    counts : int64 (22, 22)
        By row and column of the cells.
    """
    last = _CELL + 2 * _BORDER - 1.0
    along = np.linspace(0.0, last, _PER_SIDE)
    first, end = np.zeros(_PER_SIDE), np.full(_PER_SIDE, last)
    x_side = np.concatenate([along, along, first, end])
    y_side = np.concatenate([first, end, along, along])
    first_pixel = first_pixels_of_cells(patch)
    x = first_pixel.x[np.newaxis, :, np.newaxis] + x_side
    y = first_pixel.y[:, np.newaxis, np.newaxis] + y_side
    x, y = np.broadcast_arrays(x, y)
    ra, dec = TRACT_9813.to_sky(x=x, y=y)
    box = plan.camera.bbox
    counts = np.zeros((22, 22), dtype=np.int64)
    for visit, detector in plan.exposures:
        position = plan.pointing(visit, detector).to_pixels(ra=ra, dec=dec)
        inside = (
            (position.x > box.x.min - 0.5 + margin) & (position.x < box.x.max + 0.5 - margin)
            & (position.y > box.y.min - 0.5 + margin) & (position.y < box.y.max + 0.5 - margin)
        )  # fmt: skip
        counts += inside.all(axis=2)
    return counts


def first_pixels_of_cells(patch: XY[int]) -> XY[npt.NDArray[np.float64]]:
    """Return where the cells of a patch begin, with their borders, as pixels of `TRACT_9813`.

    Parameters
    ----------
    patch
        Column and row of the patch in the tract.

    Returns
    -------
    first : float64 (22,), float64 (22,)
        By column and by row of the cells.
    """
    # A patch's first cell, which it shares with its neighbours, begins before its inner region.
    cell = np.arange(22, dtype=np.float64) * _CELL - _CELL - _BORDER - _AXIS
    x: npt.NDArray[np.float64] = _PATCH * patch.x + cell
    y: npt.NDArray[np.float64] = _PATCH * patch.y + cell
    return XY(x=x, y=y)
