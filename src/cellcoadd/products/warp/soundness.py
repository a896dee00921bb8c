"""Whether a warp can be what it says: numbers that warping never writes, whatever it was given.

Checksums find what became of a file after it was written. Files without them, and those that were
written of what was damaged already, are known by their values alone.
"""

from __future__ import annotations

__all__ = ["check_sound"]

import numpy as np
import numpy.typing as npt

from ...errors import UnusableInputError
from ...kernels.pixel_flags import count_impossible
from .warp import NO_OWNER, Warp

_MOST_LOST = 0.5  # images of PSFs are cut off at their edges, and lose light there
_WAY_OUT = "Warp the visit again."


def check_sound(warp: Warp, source: str) -> None:
    """Refuse a warp with numbers that no warp has.

    Looked at are the pixels that it holds: their detectors and variances, which must be positive;
    then what it says of cells: PSFs and noise covariances must be finite (all of a covariance may
    be unknown) and PSFs of unit sum, rows must be about cells, detectors and PSFs that there are.

    Parameters
    ----------
    warp
        The warp, or a part of one.
    source
        Its name, for the message.

    Raises
    ------
    UnusableInputError
        Naming the first rule that it breaks.
    """
    if reason := _pixels(warp) or _rows(warp) or _cells(warp):
        raise UnusableInputError(source, f"it is damaged: {reason} {_WAY_OUT}")


def _pixels(warp: Warp) -> str | None:
    n_strangers, n_variances = count_impossible(
        warp.owner, warp.variance.array, len(warp.inputs), NO_OWNER
    )
    if n_strangers:
        return f"{n_strangers} pixels are of a detector that is none of its {len(warp.inputs)}."
    if n_variances:
        return f"the variance of {n_variances} pixels with data is 0 or negative."
    return None


def _rows(warp: Warp) -> str | None:
    rows, shape = warp.cell_inputs, warp.grid.shape
    limits = {
        "input": (0, len(warp.inputs)),
        "cell_x": (0, shape.x),
        "cell_y": (0, shape.y),
        "stamp": (-1, len(warp.stamps)),
    }
    for name, (least, stop) in limits.items():
        wrong = rows[name][(rows[name] < least) | (rows[name] >= stop)]
        if len(wrong):
            return f"{name} = {wrong[0]} in its table of cells, which goes to {stop - 1}."
    return None


def _cells(warp: Warp) -> str | None:
    if count := _count_odd(warp.stamps):
        return f"{count} of {len(warp.stamps)} PSF images have values that are not finite."
    sums = warp.stamps.sum(axis=(1, 2), dtype=np.float64)
    if len(sums) and not (np.abs(sums - 1.0) <= _MOST_LOST).all():
        return f"a PSF image sums to {sums[np.argmax(np.abs(sums - 1.0))]:.3g}, not to 1."
    covariances = warp.noise_covariances
    known = covariances[~np.isnan(covariances).all(axis=(1, 2))]
    if count := _count_odd(known):
        return f"{count} of {len(covariances)} noise covariances have values that are not finite."
    middle = covariances.shape[-1] // 2
    if len(known) and not (known[:, middle, middle] > 0.0).all():
        return "a noise covariance at offset 0, which is a variance, is 0 or negative."
    return None


def _count_odd(planes: npt.NDArray[np.float32]) -> int:
    """Return how many planes have a value that is not finite."""
    return int(np.count_nonzero(~np.isfinite(planes).all(axis=(1, 2))))
