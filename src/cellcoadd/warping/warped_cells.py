"""What a visit has in each cell: the part that each detector covers, and what holds at centres.

A cell takes the point-spread function, the noise covariance and the aperture corrections of the
detector that covers its centre.
"""

from __future__ import annotations

__all__ = ["WarpedCells", "warp_cells"]

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ..cell_grid import BorderedCellGrid, Index2D
from ..kernels.cell_pixels import count_owners
from ..products.warp import CELL_INPUT_DTYPE
from .aperture_corrections import corrections_of_detectors
from .merge import MergedPlanes
from .noise_covariance import warp_noise_covariance
from .project import LandedDetector
from .settings import ResamplingSettings
from .warped_psf import warp_psf


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class WarpedCells:
    """Tables and stamps as `products.warp.warp.Warp` keeps them: its arguments of these names.

    ``inputs`` are its ``cell_inputs``; the others have a row for each stamp.
    """

    inputs: npt.NDArray[np.void]
    stamps: npt.NDArray[np.float32]
    phase_errors: npt.NDArray[np.float64]
    noise_covariances: npt.NDArray[np.float32]
    aperture_corrections: Mapping[str, npt.NDArray[np.float64]]


def warp_cells(
    planes: MergedPlanes,
    landed: Sequence[LandedDetector],
    grid: BorderedCellGrid,
    *,
    settings: ResamplingSettings,
) -> WarpedCells:
    """Count what each detector covers of each cell, and resample what belongs to centres.

    Parameters
    ----------
    planes, landed
        The visit on the tract's pixels, and its detectors.
    grid
        The cells of the patch.
    settings
        Those of the pixels' resampler.

    Notes
    -----
    Where a point-spread function cannot be drawn there is no stamp, nor anything that goes with it.
    """
    table, central = _count_pixels(planes, grid, count=len(landed))
    centres = [[grid.centre_of(index) for index in cells] for cells in central]
    warped = [
        warp_psf(
            detector.psf,
            transform=detector.placement.transform,
            centres=mine,
            settings=settings,
            name=str(detector.observation),
        )
        for detector, mine in zip(landed, centres, strict=True)
    ]
    stamps = _joined([psf.stamps for psf in warped])
    covariances = _joined(
        [
            warp_noise_covariance(
                detector.placement.transform,
                [grid.inner_bbox_of(index) for index in cells],
                kernel=settings.warping_kernel,
                correlation=detector.noise_correlation,
            )
            for detector, cells in zip(landed, central, strict=True)
        ]
    )
    corrections = corrections_of_detectors(landed, centres)
    drawn = np.isfinite(stamps).all(axis=(1, 2))
    numbers = np.where(drawn, np.cumsum(drawn) - 1, -1)
    has_stamp = table["stamp"] >= 0
    table["stamp"][has_stamp] = numbers[table["stamp"][has_stamp]]
    return WarpedCells(
        inputs=table,
        stamps=stamps[drawn],
        phase_errors=np.concatenate([psf.phase_errors for psf in warped])[drawn],
        noise_covariances=covariances[drawn],
        aperture_corrections={name: values[drawn] for name, values in corrections.items()},
    )


def _count_pixels(
    planes: MergedPlanes, grid: BorderedCellGrid, *, count: int
) -> tuple[npt.NDArray[np.void], list[list[Index2D]]]:
    """The table of cells and detectors that touch, and the cells whose centre each one covers.

    Stamps are numbered as if there were one for each of these cells, detector after detector.
    """
    rows: list[tuple[int, int, int, int, int, bool, int]] = []
    central: list[list[Index2D]] = [[] for _ in range(count)]
    cells = list(grid.overlapping(planes.bbox))
    shape = grid.inner_cell_shape
    corner = grid.corners_of(
        x=[index.x for index in cells], y=[index.y for index in cells], start=planes.bbox.start
    )
    n_outer, n_inner = (np.zeros((len(cells), count), np.int64) for _ in range(2))
    for border, counts in ((grid.border, n_outer), (0, n_inner)):
        count_owners(
            planes.owner, corner.y - border, corner.x - border, shape.y + 2 * border,
            shape.x + 2 * border, counts,
        )  # fmt: skip
    for place, index in enumerate(cells):
        centre = grid.centre_of(index)
        owner = planes.owner_at(x=centre.x, y=centre.y)
        for number in np.nonzero(n_outer[place])[0].tolist():
            covers = number == owner
            stamp = len(central[number]) if covers else -1
            if covers:
                central[number].append(index)
            pixels = n_outer[place, number], n_inner[place, number]
            rows.append((number, index.x, index.y, *pixels, covers, stamp))
    table = np.array(rows, dtype=CELL_INPUT_DTYPE)
    firsts = np.cumsum([0, *(len(cells) for cells in central[:-1])])
    has_stamp = table["stamp"] >= 0
    table["stamp"][has_stamp] += firsts[table["input"][has_stamp]]
    return table, central


def _joined(parts: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """Squares of all detectors in one array, padded with zeros to one size."""
    size = max(part.shape[1] for part in parts)
    return np.concatenate(
        [np.pad(part, ((0, 0), *[((size - part.shape[1]) // 2,) * 2] * 2)) for part in parts]
    )
