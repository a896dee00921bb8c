"""A coadd as large as a real patch, of noise and stars, made in seconds: for files and speed."""

from __future__ import annotations

__all__ = ["full_patch_coadd"]

import numpy as np
import numpy.typing as npt
from lsst.images import Polygon

from ..masks.planes import ALL_PLANES, bits_of, mask_schema
from ..products.cell_coadd import MultipleCellCoadd
from ..products.cell_coadd.inputs import CoaddInput, RefusalReason, contribution_dtype
from ..products.cell_coadd.stack import CellStack
from ..products.identifiers import ObservationIdentifiers, PatchIdentifiers
from ..skymap import Patch, named_sky_map

_SIGMA = 8.0  # nJy, of a pixel
_DIFFERENT = 8  # cells; the others are these with other numbers


def full_patch_coadd(
    *, n_noise: int = 1, n_visits: int = 10, patch: Patch | None = None
) -> MultipleCellCoadd:
    """Return a coadd whose every cell is filled and compresses like a real one.

    Parameters
    ----------
    n_noise
        Number of noise realizations.
    n_visits
        Number of visits, of one detector each, that every cell adds up.
    patch
        None: one of ``hsc_rings_cells_v1``, 22 x 22 cells of 250 x 250 pixels.
    """
    patch = patch or named_sky_map("hsc_rings_cells_v1")[9813].patch(61)
    cells = list(patch.grid)
    shape = (patch.grid.outer_cell_shape.y, patch.grid.outer_cell_shape.x)
    rng = np.random.default_rng(2026)
    stars = _stars(rng, shape)
    planes = [_noise(rng, shape) for _ in range(n_noise)]
    schema = mask_schema()
    mask = np.zeros(shape, np.int32)
    mask[:, 100:104] = bits_of(schema, ["BAD", "INTRP", "INEXACT_PSF"])
    mask[rng.random(shape) < 0.002] |= bits_of(schema, ["CR", "INTRP"])
    fraction = np.where(mask != 0, np.float32(0.25), np.float32(0.0))
    phase = 0.3 * np.arange(shape[0])[:, np.newaxis] + 0.2 * np.arange(shape[1])
    quiet = 1.0 + 0.05 * np.cos(phase) + rng.normal(scale=0.01, size=shape)
    variance = (_SIGMA**2 * quiet + 0.01 * stars[0]).astype(np.float32)
    offset = np.arange(35) - 17
    line = np.exp(-0.125 * offset**2)
    psf = (np.outer(line, line) / line.sum() ** 2).astype(np.float32)
    return MultipleCellCoadd(
        identifiers=PatchIdentifiers(skymap=patch.skymap, tract=patch.tract, patch=patch.id),
        band="i",
        patch=patch.definition,
        cell_border=patch.grid.border,
        sky_projection=patch.sky_projection,
        stack=CellStack(
            indices=tuple(cells),
            image=_varied(_noise(rng, shape) + stars, len(cells)),
            variance=_varied(variance[np.newaxis], len(cells)),
            mask=np.broadcast_to(mask, (len(cells), *shape)).copy(),
            schema=schema,
            mask_fractions={ALL_PLANES: np.broadcast_to(fraction, (len(cells), *shape)).copy()},
            noise=np.array([_varied(plane, len(cells)) for plane in planes]).reshape(
                n_noise, len(cells), *shape
            ),
            psf=_varied(psf[np.newaxis], len(cells)),
            noise_covariance=_varied(_SIGMA**2 * psf[np.newaxis], len(cells)),
        ),
        inputs=[
            CoaddInput(
                observation=ObservationIdentifiers(
                    instrument="HSC",
                    visit=1000 + 2 * number,
                    detector=40 + number,
                    physical_filter="HSC-I",
                    band="i",
                    day_obs=20260101,
                ),
                footprint=Polygon.from_box(patch.outer_bbox),
                mean_variance_njy2=n_visits * _SIGMA**2,
            )
            for number in range(n_visits)
        ],
        contributions=_all_accepted(patch, n_visits),
    )


def _noise(rng: np.random.Generator, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Noise that neighbours have in common, as after resampling."""
    white = rng.normal(scale=_SIGMA, size=(_DIFFERENT, *shape))
    mixed = 0.87 * white + 0.35 * (np.roll(white, 1, axis=1) + np.roll(white, 1, axis=2))
    return mixed.astype(np.float32)


def _stars(rng: np.random.Generator, shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    y, x = np.indices(shape)
    planes = np.zeros((_DIFFERENT, *shape))
    for plane in planes:
        for _ in range(20):
            column, row = rng.uniform(0, shape[1]), rng.uniform(0, shape[0])
            peak = 10.0 ** rng.uniform(1.0, 4.5)
            plane += peak * np.exp(-0.125 * ((x - column) ** 2 + (y - row) ** 2))
    return planes


def _varied(planes: npt.NDArray[np.floating], count: int) -> npt.NDArray[np.float32]:
    """As many planes, each different in every pixel."""
    factors = 1.0 + 1e-5 * np.arange(count)
    result = np.empty((count, *planes.shape[1:]), np.float32)
    for number, factor in enumerate(factors):
        result[number] = planes[number % len(planes)] * factor
    return result


def _all_accepted(patch: Patch, n_visits: int) -> npt.NDArray[np.void]:
    cells = list(patch.grid)
    rows = np.zeros(len(cells) * n_visits, contribution_dtype())
    rows["cell_x"] = np.repeat([index.x for index in cells], n_visits)
    rows["cell_y"] = np.repeat([index.y for index in cells], n_visits)
    rows["input"] = np.tile(np.arange(n_visits), len(cells))
    rows["reason"] = RefusalReason.ACCEPTED
    rows["overlaps_center"] = True
    rows["overlap_fraction"] = rows["unmasked_fraction"] = 1.0
    rows["weight"] = 1.0 / (n_visits * _SIGMA**2)
    rows["psf_shape_xx"] = rows["psf_shape_yy"] = 4.0
    return rows
