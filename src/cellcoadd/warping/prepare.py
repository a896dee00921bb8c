"""Make one detector ready for resampling: background, noise, interpolation, calibration.

The same pixel of the sky comes out the same, bit for bit, in overlapping patches: what is drawn or
interpolated depends on the pixels around it, in blocks that are the same whatever part of a
detector a patch needs, and on the typical variance of the whole.
"""

from __future__ import annotations

__all__ = ["PreparedImage", "WantedPixels", "prepare_image"]

import dataclasses
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
from lsst.images import Box, Interval, MaskedImage, MaskSchema

from ..errors import UnusableInputError
from ..kernels.pixel_flags import find_holes, flag_pixels, mark_holes
from ..masks.impossible import impossible_pixels
from ..masks.planes import bits_of, plane_array
from ..products.calibrated_image import CalibratedImage
from ..products.calibrated_image.deferred_pixels import DeferredPixels
from .backgrounds import exchange_background
from .detector_rows import DetectorRows
from .interpolate import interpolate_bad_pixels
from .noise import draw_noise
from .settings import WarpSettings
from .variances import DetectorVariances
from .workspace import Workspace


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class WantedPixels:
    """Pixels of a detector that a patch needs.

    Parameters
    ----------
    rows
        The rows that they lie in.
    blocks : bool (blocks in y, blocks in x)
        The blocks that they lie in (`detector_rows.BLOCK`), counted from the first pixel.
    """

    rows: Interval
    blocks: npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PreparedImage:
    """Planes of some rows of a detector in nJy, stacked for the resampler.

    Parameters
    ----------
    schema
        Meaning of the mask's bits.
    first_row
        Number of the first of these rows among those of the detector.
    values : float32 (1 + realizations, rows, columns)
        The image and its noise realizations in nJy. Not finite: no data.
    variances : float32 (1 or 2, rows, columns)
        Variance of the image and, if it is asked for, of the noise realizations, in nJy^2.
    mask : int32 (rows, columns)
        Mask, with INTRP where a pixel was interpolated.
    bad : uint16 (rows, columns)
        Bit 0 is set where a pixel was bad for any reason, bit k + 1 where plane k was set.
    n_fractions
        How many of these bits are resampled, 0 if none is asked for.
    """

    schema: MaskSchema
    first_row: int
    values: npt.NDArray[np.float32]
    variances: npt.NDArray[np.float32]
    mask: npt.NDArray[np.int32]
    bad: npt.NDArray[np.uint16]
    n_fractions: int


def prepare_image(
    image: CalibratedImage,
    *,
    settings: WarpSettings,
    wanted: WantedPixels | None = None,
    measured: DetectorVariances | None = None,
    memory: Workspace | None = None,
    with_noise_variance: bool = True,
) -> PreparedImage:
    """Exchange the background, draw noise, interpolate bad pixels and calibrate one detector.

    Parameters
    ----------
    image
        The whole detector.
    settings
        All choices.
    wanted
        Pixels that must be ready; None: all. Others come along, of which values need not mean
        anything.
    measured
        Remembers what was measured on the whole detector, for the next window of it.
    memory
        For the planes. Those of one detector are lost when another one uses it.
    with_noise_variance
        Whether the variance of the noise realizations is to be among the planes.

    Raises
    ------
    UnusableInputError
        If no pixel of the detector has a finite value and a positive, finite variance, or the
        wanted background is not to be had.
    """
    if measured is None:
        measured = DetectorVariances(settings.interpolation.bad_mask_planes)
    array = Workspace().array if memory is None else memory.array
    image = exchange_background(image, settings=settings)
    n_noise = settings.number_of_noise_realizations
    rows = _rows_at_hand(image, wanted, settings)
    pixels, variance, mask, schema, is_ours = _window(
        image, rows, measured if n_noise and settings.use_median_variance else None
    )
    beyond = impossible_pixels(pixels, variance, typical=image.mean_variance)
    if beyond is not None:
        mask = np.where(beyond, mask | bits_of(schema, ["BAD"]), mask)
    copied = not is_ours  # where something is changed
    shape = mask.shape
    interpolate = settings.do_pre_warp_interpolation
    scale = np.float32(image.nanojansky_per_count)
    planes = settings.masked_fraction_planes
    plane_bits = np.array([bits_of(schema, [p], ignore_missing=True) for p in planes], np.int32)
    invalid, bad = array("invalid", shape, np.bool_), array("bad", shape, np.uint16)
    # Without interpolation nothing counts as masked: an invalid pixel has no data at all.
    n_invalid = flag_pixels(pixels, variance, mask, plane_bits, interpolate, invalid, bad)
    # It is the whole detector that is refused, not the part of it that a patch needs.
    if n_invalid == mask.size and np.isnan(measured.typical(image)):
        raise UnusableInputError(
            str(image.observation), "no pixel has a finite value and a positive, finite variance"
        )
    if n_noise or (copied and (interpolate or n_invalid or scale != 1.0)):
        values = array("detector values", (1 + n_noise, *shape), np.float32)
        values[0] = pixels
    else:
        values = pixels[np.newaxis]
    del pixels
    two = n_noise > 0 and with_noise_variance
    if two or (copied and (interpolate or scale != 1.0)):
        variances = array("detector variances", (1 + two, *shape), np.float32)
        variances[0] = variance
    else:
        variances = variance[np.newaxis]
    of_noise: npt.NDArray[np.float32] | float = variance
    if n_noise and settings.use_median_variance:
        of_noise = measured.typical(image)
    elif n_noise and n_invalid:
        of_noise = variance.copy()
        of_noise[invalid] = measured.typical(image)
    del variance
    if two:
        variances[1] = of_noise
    for realization in range(n_noise):
        draw_noise(
            of_noise,
            observation=image.observation,
            realization=realization,
            seed_offset=settings.seed_offset,
            rows=rows,
            out=values[1 + realization],
            correlation=image.noise_correlation,
        )

    if interpolate:
        no_data_bit, holes = bits_of(schema, ["NO_DATA"]), array("holes", shape, np.bool_)
        # A pixel without data tells nothing about its neighbours either.
        find_holes(mask, invalid, bad, no_data_bit, holes)
        outside = interpolate_bad_pixels(values, holes, settings=settings.interpolation, rows=rows)
        # Of pixels that are invalid, and nobody has said why, nobody can say that their value is
        # good: the kernel needs one, the coadd must leave it out.
        unexplained = bits_of(schema, ["BAD", "UNMASKEDNAN"])
        read, mask = mask, array("detector mask", shape, np.int32) if copied else mask
        mark_holes(
            read, holes, invalid, bad, outside, no_data_bit, bits_of(schema, ["INTRP"]),
            unexplained, mask,
        )  # fmt: skip
        if n_invalid:
            variances[0, invalid] = measured.typical(image)
    elif n_invalid:
        values[0, invalid] = np.nan

    if scale != 1.0:
        values *= scale
        variances *= scale * scale
    return PreparedImage(
        schema=schema,
        first_row=rows.start,
        values=values,
        variances=variances,
        mask=mask,
        bad=bad,
        n_fractions=1 + len(planes) if settings.do_warp_masked_fraction else 0,
    )


def _rows_at_hand(
    image: CalibratedImage, wanted: WantedPixels | None, settings: WarpSettings
) -> DetectorRows:
    """Return the rows of a detector that are needed, and the blocks of them."""
    shape, interpolation = image.bbox.shape, settings.interpolation
    at_once = settings.do_pre_warp_interpolation and interpolation.triangulation == "detector"
    if wanted is None or at_once:
        return DetectorRows.all_of(shape)
    first = image.bbox.y.start
    start, stop = wanted.rows.start - first, wanted.rows.stop - first
    if settings.do_pre_warp_interpolation or settings.number_of_noise_realizations:
        return DetectorRows.around(wanted.blocks, shape=shape, start=start, stop=stop)
    return DetectorRows(shape=shape, start=start, stop=stop, wanted=wanted.blocks)


class _Window(NamedTuple):
    """Pixels of some rows of a detector."""

    values: npt.NDArray[np.float32]
    variance: npt.NDArray[np.float32]
    mask: npt.NDArray[np.int32]
    schema: MaskSchema
    is_ours: bool
    """Whether they may be changed."""

    @classmethod
    def of(cls, pixels: MaskedImage, *, is_ours: bool) -> Self:
        return cls(
            np.ascontiguousarray(pixels.image.array, np.float32),
            np.ascontiguousarray(pixels.variance.array, np.float32),
            np.ascontiguousarray(plane_array(pixels.mask)),
            pixels.mask.schema,
            is_ours,
        )


def _window(
    image: CalibratedImage, rows: DetectorRows, measured: DetectorVariances | None
) -> _Window:
    """Return the pixels of the rows at hand, after the typical variance is measured, if wanted.

    A whole detector takes much memory. One in a file is read whole only if its variance is to be
    measured, and not kept.
    """
    y, x = image.bbox.y, image.bbox.x
    box = Box.factory[y.start + rows.start : y.start + rows.stop, x.start : x.stop]
    pixels = image.masked_image
    if measured is not None and not measured.is_typical_known(image):
        whole = pixels.read(image.bbox) if isinstance(pixels, DeferredPixels) else pixels
        measured.typical(dataclasses.replace(image, masked_image=whole))
        if isinstance(pixels, DeferredPixels):
            # Of a small part a copy, so that the whole goes.
            small = 2 * (rows.stop - rows.start) < rows.shape.y
            return _Window.of(whole[box].copy() if small else whole[box], is_ours=True)
    if isinstance(pixels, DeferredPixels):
        return _Window.of(pixels.read(box), is_ours=True)
    return _Window.of(pixels[box], is_ours=False)
