"""The slow twin of the assembly: one cell from the warps, in plain numpy and double precision.

The rules of selection and summation written down once more, with whole arrays and no running sums,
so that an agreement means something. Filling of pixels without data is not part of it.
"""

from __future__ import annotations

__all__ = ["SlowCell", "assemble_slowly"]

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from lsst.images import Box, Image

from ..cell_grid import Index2D
from ..coaddition.assemble import VisitOnPatch, noise_image
from ..masks.planes import ALL_PLANES, bits_of, mask_schema, plane_array
from ..skymap import Patch

_Floats = npt.NDArray[np.float64]
_BAD = ("BAD", "NO_DATA", "SAT", "CLIPPED")
_SCHEMA = mask_schema()


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SlowCell:
    """A cell of a coadd.

    Parameters
    ----------
    inputs
        Visit and number of detector of what went in.
    image, variance : float64 (h, w)
        NaN and +inf where there are no data.
    mask : int64 (h, w)
        Bits of the standard planes.
    noise : float64 (n, h, w)
        Noise realizations.
    fractions
        Masked fractions by plane.
    psf : float64 (size, size)
        Point-spread function.
    """

    inputs: list[tuple[int, int]]
    image: _Floats
    variance: _Floats
    mask: npt.NDArray[np.int64]
    noise: _Floats
    fractions: Mapping[str, _Floats]
    psf: _Floats


def assemble_slowly(
    visits: Sequence[VisitOnPatch],
    patch: Patch,
    index: Index2D,
    *,
    error_from_scatter: bool = False,
    sat_threshold: float = 0.1,
    psf_size: int = 35,
) -> SlowCell | None:
    """Return one cell by the default rules; None if nothing covers its outer region.

    Parameters
    ----------
    visits
        Warps, in the order of the sum.
    patch, index
        Which cell.
    error_from_scatter
        Variance from the scatter of the inputs.
    sat_threshold
        Part of the weight that must be left out for SAT to be set.
    psf_size
        Side of the PSF, odd.
    """
    outer, inner = patch.grid.outer_bbox_of(index), patch.grid.inner_bbox_of(index)
    covering = []
    for visit in visits:
        owner = Image(visit.warp.owner, bbox=visit.warp.bbox)
        if not visit.warp.bbox.contains(outer):
            continue
        numbers = np.unique(owner[outer].array)
        if len(numbers) == 1 and numbers[0] < len(visit.warp.inputs):
            covering.append((visit, int(numbers[0])))
    good = [entry for entry in covering if _masked_part(entry[0], inner) <= 0.5]
    chosen = good or covering
    if not chosen:
        return None

    weight = np.array([visit.warp.inputs[n].weight for visit, n in chosen])[:, None, None]
    image = _stack(visit.warp.image[outer] for visit, _ in chosen)
    variance = _stack(visit.warp.variance[outer] for visit, _ in chosen)
    mask = np.stack([_mask_of(visit, outer) for visit, _ in chosen])
    used = (mask & bits_of(_SCHEMA, _BAD) == 0) & np.isfinite(image) & np.isfinite(variance)
    w = np.where(used, weight, 0.0)
    total = w.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):

        def mean(planes: _Floats) -> _Floats:
            result: _Floats = np.where(used, w * planes, 0.0).sum(axis=0) / total
            return result

        coadd = mean(image)
        if error_from_scatter:
            squares = (w**2).sum(axis=0)
            scatter = mean((image - coadd) ** 2) * total**2 / (total**2 - squares)
            error = scatter * squares / total**2
        else:
            error = np.where(used, w**2 * variance, 0.0).sum(axis=0) / total**2
        noise = np.array(
            [
                mean(_stack(noise_image(visit.noise[k])[outer] for visit, _ in chosen))
                for k in range(len(chosen[0][0].noise))
            ]
        )
    error = np.where(np.isfinite(error) & (error > 0), error, np.inf)

    bits = np.bitwise_or.reduce(np.where(used, mask, 0), axis=0)
    all_weight = weight.sum()
    left_out_sat = np.where(~used & (mask & bits_of(_SCHEMA, ["SAT"]) != 0), weight, 0.0).sum(0)
    bits[left_out_sat > sat_threshold * (total + left_out_sat)] |= bits_of(_SCHEMA, ["SAT"])
    for plane, mark in (("BAD", "REJECTED"), ("SAT", "REJECTED"), ("CLIPPED", "CLIPPED")):
        found = (~used & (mask & bits_of(_SCHEMA, [plane]) != 0)).any(axis=0)
        bits[found] |= bits_of(_SCHEMA, [mark])
    bits[(~used).any(axis=0)] |= bits_of(_SCHEMA, ["INEXACT_PSF"])
    bits[~used.any(axis=0)] |= bits_of(_SCHEMA, ["NO_DATA"])

    fractions = {}
    for name in chosen[0][0].warp.mask_fractions:
        planes = _stack(visit.warp.mask_fractions[name][outer] for visit, _ in chosen)
        cause = ~used if name == ALL_PLANES else ~used & (mask & bits_of(_SCHEMA, [name]) != 0)
        planes = np.where(cause, 1.0, np.where(np.isfinite(planes), planes, 0.0))
        fractions[name] = (weight * planes).sum(axis=0) / all_weight
    psfs = np.stack([_resized(visit.warp.psf[index].array, psf_size) for visit, _ in chosen])
    return SlowCell(
        inputs=[(visit.warp.visit, number) for visit, number in chosen],
        image=coadd,
        variance=error,
        mask=bits,
        noise=noise,
        fractions=fractions,
        psf=(weight * psfs).sum(axis=0) / all_weight,
    )


def _stack(images: object) -> _Floats:
    return np.stack([image.array.astype(np.float64) for image in images])  # type: ignore[attr-defined]


def _mask_of(visit: VisitOnPatch, box: Box) -> npt.NDArray[np.int64]:
    """The mask without EDGE, NOT_DEBLENDED and the survey's own planes."""
    removed = bits_of(_SCHEMA, ["EDGE", "NOT_DEBLENDED"])
    standard = bits_of(_SCHEMA, _SCHEMA.names)
    bits = plane_array(visit.warp.mask[box]).astype(np.int64)
    return bits & standard & ~np.int64(removed)


def _masked_part(visit: VisitOnPatch, inner: Box) -> float:
    bad = _mask_of(visit, inner) & bits_of(_SCHEMA, (*_BAD, "REJECTED")) != 0
    bad |= ~np.isfinite(visit.warp.image[inner].array)
    bad |= ~np.isfinite(visit.warp.variance[inner].array)
    return float(bad.mean())


def _resized(stamp: _Floats, size: int) -> _Floats:
    result = np.zeros((size, size))
    half, middle = min(size, len(stamp)) // 2, size // 2
    own = len(stamp) // 2
    result[middle - half : middle + half + 1, middle - half : middle + half + 1] = stamp[
        own - half : own + half + 1, own - half : own + half + 1
    ]
    return result
