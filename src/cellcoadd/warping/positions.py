"""Where the pixels of a tract lie in a detector.

Exact positions go through the sky, tract pixel to sky to detector pixel; they are computed at the
nodes of a coarse grid and the resampler interpolates between them.
"""

from __future__ import annotations

__all__ = ["POINTS_PER_SIDE", "TractToDetector"]

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from lsst.images import XY, Box, Polygon, SkyProjection, TractFrame, Transform

from ..errors import UnusableInputError
from ..kernels.positions import node_indices

type _Floats = npt.NDArray[np.float64]

_AST_BAD = -np.finfo(np.float64).max  # a finite number, which lsst.images passes on as it is
_ROUND_TRIP_PX = 0.1  # of a star's light this moves far less than the seeing does

POINTS_PER_SIDE = 8
"""Of a detector's outline: distortion bends a side by far less than a pixel in between."""


class TractToDetector:
    """Pixels of a tract to pixels of a detector and back.

    Parameters
    ----------
    tract, detector
        The two projections.
    source
        Name of the detector's image for messages.
    """

    def __init__(
        self, *, tract: SkyProjection[TractFrame], detector: SkyProjection[Any], source: str
    ) -> None:
        self._forward = tract.pixel_to_sky_transform.then(detector.sky_to_pixel_transform)
        self._detector_to_sky = detector.pixel_to_sky_transform
        self._sky_to_detector = detector.sky_to_pixel_transform
        self._sky_to_tract = tract.sky_to_pixel_transform
        self._backward = detector.pixel_to_sky_transform.then(tract.sky_to_pixel_transform)
        self._source = source

    def to_detector(
        self, *, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]
    ) -> XY[npt.NDArray[np.float64]]:
        """Return detector pixels of tract pixels; NaN where there is none.

        Raises
        ------
        UnusableInputError
            If the detector's WCS has no way back from the sky.
        """
        return self._apply(self._forward, x=x, y=y)

    def jacobians(
        self, *, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Return the derivatives of detector pixels by tract pixels at tract positions.

        Returns
        -------
        float64 (n, 2, 2)
            Detector x and y by tract x and y, from differences over one pixel.
        """
        steps = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        at = self.to_detector(
            x=(x[:, np.newaxis] + steps[:, 0]).ravel(), y=(y[:, np.newaxis] + steps[:, 1]).ravel()
        )
        positions = np.stack([at.x, at.y]).reshape(2, -1, len(steps))
        derivatives: npt.NDArray[np.float64] = positions[:, :, 1:] - positions[:, :, :1]
        return derivatives.transpose(1, 0, 2)

    def nodes(self, box: Box, *, spacing: int) -> XY[npt.NDArray[np.float64]]:
        """Return detector positions of the nodes that a region of the tract needs.

        Returns
        -------
        x, y : float64 (node rows, node columns)
            Pixels of the detector; NaN where there is none, or where the way back from there leads
            to another position: a distortion folds positions far from the detector back onto it.
        """
        columns = node_indices(box.x.start, box.x.stop, spacing).astype(np.float64)
        rows = node_indices(box.y.start, box.y.stop, spacing).astype(np.float64)
        x, y = np.meshgrid(columns, rows)
        flat = self._landing(x=x.ravel(), y=y.ravel())
        return XY(x=flat.x.reshape(x.shape), y=flat.y.reshape(y.shape))

    def node_blocks(
        self, boxes: Sequence[Box], *, spacing: int
    ) -> list[XY[npt.NDArray[np.float64]]]:
        """Return `nodes` of many regions, computed together."""
        grids = [
            np.meshgrid(
                node_indices(box.x.start, box.x.stop, spacing).astype(np.float64),
                node_indices(box.y.start, box.y.stop, spacing).astype(np.float64),
            )
            for box in boxes
        ]
        if not grids:
            return []
        flat = self._landing(
            x=np.concatenate([grid[0].ravel() for grid in grids]),
            y=np.concatenate([grid[1].ravel() for grid in grids]),
        )
        ends = np.cumsum([grid[0].size for grid in grids])[:-1]
        return [
            XY(x=x.reshape(grid[0].shape), y=y.reshape(grid[0].shape))
            for grid, x, y in zip(
                grids, np.split(flat.x, ends), np.split(flat.y, ends), strict=True
            )
        ]

    def footprint(self, box: Box) -> Polygon | None:
        """Return the outline of a detector's box on the tract; None if it is not on its side.

        Raises
        ------
        UnusableInputError
            If the detector's WCS fails on its own pixels.
        """
        low_x, high_x = box.x.start - 0.5, box.x.stop - 0.5
        low_y, high_y = box.y.start - 0.5, box.y.stop - 0.5
        steps = np.linspace(0.0, 1.0, POINTS_PER_SIDE, endpoint=False)
        x = np.concatenate(
            [
                low_x + steps * (high_x - low_x),
                np.full_like(steps, high_x),
                high_x - steps * (high_x - low_x),
                np.full_like(steps, low_x),
            ]
        )
        y = np.concatenate(
            [
                np.full_like(steps, low_y),
                low_y + steps * (high_y - low_y),
                np.full_like(steps, high_y),
                high_y - steps * (high_y - low_y),
            ]
        )
        sky = self._apply(self._detector_to_sky, x=x, y=y)
        # A position that the WCS does not have comes out as some other one, so it is tried out.
        back = self._apply(self._sky_to_detector, x=sky.x, y=sky.y)
        miss = float(np.maximum(np.abs(back.x - x), np.abs(back.y - y)).max())
        if not miss <= _ROUND_TRIP_PX:
            raise UnusableInputError(
                self._source,
                "its WCS does not find the way back from the sky to the detector's edge: it misses "
                f"by {miss:.3g} pixels, {_ROUND_TRIP_PX} are allowed",
            )
        tract = self._apply(self._sky_to_tract, x=sky.x, y=sky.y)
        if not (np.isfinite(tract.x).all() and np.isfinite(tract.y).all()):
            return None
        return Polygon(x_vertices=tract.x, y_vertices=tract.y)

    def _landing(self, *, x: _Floats, y: _Floats) -> XY[_Floats]:
        """Return detector pixels of tract pixels, NaN where the way back does not meet."""
        at = self.to_detector(x=x, y=y)
        back = self._apply(self._backward, x=at.x, y=at.y)
        astray = ~(np.maximum(np.abs(back.x - x), np.abs(back.y - y)) <= _ROUND_TRIP_PX)
        at.x[astray] = at.y[astray] = np.nan
        return at

    def _apply(self, transform: Transform[Any, Any], *, x: _Floats, y: _Floats) -> XY[_Floats]:
        try:
            result = transform.apply_forward(x=x, y=y)
        except Exception as error:  # AST has a tree of errors of its own; any of them means this
            raise UnusableInputError(
                self._source, f"its WCS cannot be evaluated ({error})"
            ) from error
        return XY(x=_without_bad_value(result.x), y=_without_bad_value(result.y))


def _without_bad_value(positions: npt.ArrayLike) -> _Floats:
    """Turn AST's mark of a position that does not exist into NaN."""
    result = np.array(positions, np.float64)
    result[result == _AST_BAD] = np.nan
    return result
