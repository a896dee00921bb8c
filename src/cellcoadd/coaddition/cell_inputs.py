"""What a detector has for the cells that take it in, beside its pixels.

The stamps of the warp come in; the point-spread function, noise covariance and aperture corrections
of each cell go out, in the sizes of the coadd.
"""

from __future__ import annotations

__all__ = ["inputs_in_cells"]

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..cell_grid import Index2D
from ..products.warp import Warp
from .cell_selection import CellChoice
from .noise_covariance import input_noise_covariance, sky_variances_of
from .stack import InputInCell, StackLayout


def inputs_in_cells(
    warp: Warp,
    choices: Sequence[CellChoice],
    *,
    rejected: npt.NDArray[np.bool_],
    layout: StackLayout,
) -> dict[Index2D, InputInCell]:
    """Return what a detector has for the cells that take it in.

    Parameters
    ----------
    warp
        One visit.
    choices
        The cells, all of one detector.
    rejected : bool, of the shape of the warp
        Pixels that are not added up.
    layout
        Of the coadd.
    """
    size = layout.settings.psf_dimensions
    skies = sky_variances_of(
        warp, [(choice.index, choice.input_row) for choice in choices], rejected
    )
    return {
        choice.index: InputInCell(
            psf=_fitted(warp.stamps[choice.stamp], size),
            noise_covariance=_fitted(
                input_noise_covariance(
                    warp.noise_covariances[choice.stamp],
                    sky_variance=sky,
                    stated_variance=warp.inputs[choice.input_row].mean_variance_njy2,
                ),
                size,
            ),
            aperture_corrections={
                name: float(values[choice.stamp])
                for name, values in warp.aperture_corrections.items()
            },
        )
        for choice, sky in zip(choices, skies, strict=True)
    }


def _fitted(stamp: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.float32]:
    """A stamp cut or padded with zeros to another size, about its middle pixel."""
    margin = (size - stamp.shape[0]) // 2
    if margin >= 0:
        return np.pad(stamp, margin)
    return stamp[-margin:margin, -margin:margin]
