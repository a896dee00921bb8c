"""The weight of a warp as scripts ask the Rubin pipelines' task for it."""

from __future__ import annotations

__all__ = ["AssembleCellCoaddTask", "StatisticsControl"]

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from .. import tasks
from ..coaddition.weights import compute_weight
from ..masks.planes import bits_of
from .pixels import MaskedImage
from .views import missing_name


class StatisticsControl:
    """Which pixels a statistic leaves out."""

    ELSEWHERE: ClassVar[Mapping[str, str]] = {
        "setNumSigmaClip": "weights are clipped at 3 standard deviations, always",
        "setNumIter": "weights are clipped twice, always",
        "setWeighted": "weights are made of plain means",
    }

    def __init__(self) -> None:
        self._and_mask = 0
        self._nan_safe = True

    def setAndMask(self, bits: int) -> None:
        """Leave out pixels that have any of these bits."""
        self._and_mask = int(bits)

    def getAndMask(self) -> int:
        """Return the bits of pixels that are left out."""
        return self._and_mask

    def setNanSafe(self, nan_safe: bool) -> None:
        """Leave out pixels that are not a number, which is the default."""
        self._nan_safe = bool(nan_safe)

    def getNanSafe(self) -> bool:
        """Return whether pixels that are not a number are left out."""
        return self._nan_safe

    def __getattr__(self, name: str) -> Any:
        raise missing_name("StatisticsControl", name, self.ELSEWHERE)


class AssembleCellCoaddTask(tasks.AssembleCellCoaddTask):
    """Our task, with the method that computes a weight."""

    def _compute_weight(self, maskedImage: MaskedImage, statsCtrl: StatisticsControl) -> float:
        """Return 1 / clipped mean of the variance over the pixels that are not left out."""
        mask, variance = maskedImage.mask, maskedImage.variance.array
        bits, schema = statsCtrl.getAndMask(), maskedImage.mask.ours.schema
        if not statsCtrl.getNanSafe() and np.isnan(variance[(mask.array & bits) == 0]).any():
            return float("nan")
        bad = [plane.name for plane in schema if plane and bits_of(schema, [plane.name]) & bits]
        return compute_weight(maskedImage.ours, bad=bad)
