"""Weight maps as archives publish them: inverse variances, in most files through lossy compression.

A weight map comes in; variances go out, infinite where there is no weight. Weight 0 does not come
through lossy compression with dithering as 0: such numbers are told by the step of the rounding.
"""

from __future__ import annotations

__all__ = ["rounding_steps", "variance_of_weights"]

from pathlib import Path

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from ..errors import UnusableInputError
from .fits_files import open_fits

_NOTHING = 0.1  # of the median weight: less is 0 where the step of the rounding is not known
_TOO_MUCH = 10.0  # times the median weight: no light makes a pixel less noisy than the sky's
_ROUNDING = 4 * float(np.finfo(np.float32).eps)  # of float32 pixels that were rounded and restored


def rounding_steps(path: Path, extension: int) -> npt.NDArray[np.float64] | None:
    """Return the step to which the values of a compressed image were rounded, for each pixel.

    Parameters
    ----------
    path
        The file.
    extension
        Number of the image.

    Returns
    -------
    float64 (rows, columns) or None
        ``ZSCALE`` of the pixel's tile, 0 where it was compressed without loss; None if the file
        does not hold a compressed image there, which may have been one before.

    Raises
    ------
    UnusableInputError
        If the file cannot be read.
    """
    with open_fits(path, unpack=False) as hdus:
        hdu = hdus[extension]
        header = hdu.header
        if not header.get("ZIMAGE", False):
            return None
        shape = int(header["ZNAXIS2"]), int(header["ZNAXIS1"])
        tile = int(header.get("ZTILE2", 1)), int(header.get("ZTILE1", shape[1]))
        tiles = -(-shape[0] // tile[0]), -(-shape[1] // tile[1])
        if "ZSCALE" in hdu.columns.names:
            steps = np.asarray(hdu.data["ZSCALE"], np.float64).reshape(tiles)
        else:
            steps = np.full(tiles, float(header.get("ZSCALE", 0.0)))
    whole = np.repeat(np.repeat(steps, tile[0], axis=0), tile[1], axis=1)
    return np.nan_to_num(np.abs(whole[: shape[0], : shape[1]]))


def variance_of_weights(
    weights: npt.NDArray[np.float64],
    *,
    steps: npt.NDArray[np.float64] | None,
    header: fits.Header,
    source: str,
    largest: float = _TOO_MUCH,
) -> npt.NDArray[np.float64]:
    """Return the variance of each pixel: infinite without a weight, or with one of no worth.

    Parameters
    ----------
    weights : float64 (rows, columns)
        Inverse variances.
    steps
        What `rounding_steps` says of them.
    header
        The header that came with them, which may tell that they were compressed once.
    source
        The file, for messages.
    largest
        The largest weight that is believed, times the median.

    Raises
    ------
    UnusableInputError
        If no weight is left.

    Notes
    -----
    A weight of not more than half a step is 0, which dithering moved. Where the step is not known
    but zeros were moved (some weights are negative, or none is 0 though the map was rounded), one
    below a tenth of the median is. In one exposure a weight of more than ten times the median is
    not believed: sources add noise to that of the sky and never take some of it away.
    """
    finite = np.isfinite(weights)
    positive = finite & (weights > 0)
    if not positive.any():
        raise UnusableInputError(
            source,
            "no pixel has a weight that is positive and finite: is it a map of inverse variances?",
        )
    median = float(np.median(weights[positive]))
    if steps is not None:
        # Half a step, and what is lost by float32 on the way; a tile without loss keeps its zeros.
        least = np.where(steps > 0, 0.5 * steps + _ROUNDING * median, 0.0)
        if np.count_nonzero(positive & (weights > least)):
            median = float(np.median(weights[positive & (weights > least)]))
    elif _zeros_were_moved(weights, finite, header):
        least = np.full(weights.shape, _NOTHING * median)
    else:
        least = np.zeros(weights.shape)
    believed = positive & (weights > least) & (weights <= largest * median)
    variance = np.full(weights.shape, np.inf)
    np.divide(1.0, weights, out=variance, where=believed)
    return variance


def _zeros_were_moved(
    weights: npt.NDArray[np.float64], finite: npt.NDArray[np.bool_], header: fits.Header
) -> bool:
    was_rounded = "FZQMETHD" in header or "FZQVALUE" in header or "ZQUANTIZ" in header
    return bool((weights[finite] < 0).any() or (was_rounded and not (weights == 0).any()))
