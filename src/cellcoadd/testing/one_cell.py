"""The smallest coadd there can be, of any patch: for tests of where things are, not of pixels."""

from __future__ import annotations

__all__ = ["make_one_cell_coadd"]

import numpy as np
from lsst.images import Polygon

from ..masks.planes import mask_schema
from ..products.cell_coadd import MultipleCellCoadd
from ..products.cell_coadd.inputs import CoaddInput, RefusalReason, contribution_dtype
from ..products.cell_coadd.stack import CellStack
from ..products.identifiers import ObservationIdentifiers, PatchIdentifiers
from ..skymap import Patch


def make_one_cell_coadd(patch: Patch, *, footprint: Polygon | None = None) -> MultipleCellCoadd:
    """Return a coadd of one input whose only filled cell is the last one.

    Pixels are NaN and variances infinite; there are no masked fractions, no noise, and no aperture
    corrections.

    Parameters
    ----------
    patch
        The patch.
    footprint
        The outline of the input; None: the whole patch.
    """
    index = list(patch.grid)[-1]
    shape = (1, *patch.grid.outer_cell_shape)
    contributions = np.zeros(1, contribution_dtype())
    contributions["cell_x"], contributions["cell_y"] = index.x, index.y
    contributions["reason"] = RefusalReason.ACCEPTED
    stamp = np.zeros((1, 3, 3), np.float32)
    stamp[:, 1, 1] = 1.0
    return MultipleCellCoadd(
        identifiers=PatchIdentifiers(skymap=patch.skymap, tract=patch.tract, patch=patch.id),
        band="i",
        patch=patch.definition,
        cell_border=patch.grid.border,
        sky_projection=patch.sky_projection,
        stack=CellStack(
            indices=(index,),
            image=np.full(shape, np.nan, np.float32),
            variance=np.full(shape, np.inf, np.float32),
            mask=np.zeros(shape, np.int32),
            schema=mask_schema(),
            mask_fractions={},
            noise=np.zeros((0, *shape), np.float32),
            psf=stamp,
            noise_covariance=np.ones((1, 1, 1), np.float32),
        ),
        inputs=[
            CoaddInput(
                observation=ObservationIdentifiers(
                    instrument="Cam",
                    visit=7,
                    detector=3,
                    physical_filter="Cam-i",
                    band="i",
                    day_obs=20250101,
                ),
                footprint=footprint or Polygon.from_box(patch.outer_bbox),
                mean_variance_njy2=1.0,
            )
        ],
        contributions=contributions,
    )
