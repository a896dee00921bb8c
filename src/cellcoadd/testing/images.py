"""Small images and warps made by hand, for tests whose answers can be worked out on paper.

A `small_patch` has 5 x 5 cells of 20 + 2 * 6 pixels. On it land detectors (`make_detector`), which
go through the warping, or warps (`make_warp`) whose every pixel the test writes itself.
"""

from __future__ import annotations

__all__ = ["make_coadd", "make_detector", "make_warp", "small_patch", "small_tract"]

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import astropy.units as u
import astropy.wcs
import numpy as np
import numpy.typing as npt
from lsst.images import Box, DetectorFrame, Image, Mask, MaskedImage, Polygon, SkyProjection
from lsst.images.psfs import GaussianPointSpreadFunction, PointSpreadFunction

from ..coaddition.assemble import VisitOnPatch, assemble_cell_coadd
from ..coaddition.settings import CoaddSettings
from ..masks.planes import bits_of, mask_schema, plane_array
from ..products.calibrated_image import CalibratedImage
from ..products.cell_coadd import MultipleCellCoadd
from ..products.identifiers import ObservationIdentifiers, PatchIdentifiers
from ..products.warp import CELL_INPUT_DTYPE, NO_OWNER, Warp, WarpInput
from ..skymap import Circle, DiscreteSkyMap, Patch, Tract, TractSettings

_PIXEL_SCALE = 0.2  # arcsec
_STAMP = 15


@functools.cache
def small_tract() -> Tract:
    """Return a tract of 7 x 7 patches, each with 3 x 3 cells of its own and one more around."""
    settings = TractSettings(
        pixel_scale_arcsec=_PIXEL_SCALE,
        cell_inner_size=20,
        cell_border=6,
        patch_inner_cells=3,
        patch_border_cells=1,
    )
    sky_map = DiscreteSkyMap(
        name="small", tracts=[Circle(ra=150.0, dec=2.0, radius=0.01)], settings=settings
    )
    return sky_map[0]


def small_patch(number: int = 24) -> Patch:
    """Return a patch in the middle of `small_tract`, of 112 x 112 pixels in all."""
    return small_tract().patch(number)


def make_detector(
    patch: Patch,
    *,
    x: float | None = None,
    y: float | None = None,
    width: int = 150,
    height: int = 150,
    first_pixel: tuple[int, int] = (0, 0),
    rotation: float = 0.0,
    pixel_scale: float = _PIXEL_SCALE,
    distortion: float = 0.0,
    pixels: npt.ArrayLike = 0.0,
    variance: npt.ArrayLike = 4.0,
    flags: Mapping[str, npt.NDArray[np.bool_]] | None = None,
    psf: PointSpreadFunction | None = None,
    visit: int = 1,
    detector: int = 0,
    **changes: Any,
) -> CalibratedImage:
    """Return a detector whose middle lies on a pixel of a tract.

    Parameters
    ----------
    patch
        Gives the tract, and the middle where x and y are not given.
    x, y
        Tract pixel under the detector's middle.
    width, height
        Size in pixels.
    first_pixel
        Column and row of the lower left pixel.
    rotation
        Degrees by which the detector's axes are turned against the tract's.
    pixel_scale
        In arcseconds; the tract's is 0.2.
    distortion
        Pixels by which positions are off at the middles of the sides, as the square of the distance
        (TAN-SIP): from side to side the scale changes by 8 / width of it.
    pixels, variance
        Planes, or a number for all pixels.
    flags
        Where mask planes are set, by name; planes that are not standard ones are added.
    psf
        None: a Gaussian of sigma 1.5 px.
    visit, detector
        Which observation it is.
    **changes
        Other fields of `CalibratedImage`.
    """
    shape = (height, width)
    column, row = first_pixel
    bbox = Box.from_shape(shape, start=(row, column))
    middle = patch.outer_bbox
    x = 0.5 * (middle.x.min + middle.x.max) if x is None else x
    y = 0.5 * (middle.y.min + middle.y.max) if y is None else y
    sky = patch.sky_projection.pixel_to_sky(x=x, y=y)
    wcs = astropy.wcs.WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [sky.ra.deg, sky.dec.deg]
    wcs.wcs.crpix = [0.5 * (width + 1), 0.5 * (height + 1)]
    cosine, sine = math.cos(math.radians(rotation)), math.sin(math.radians(rotation))
    wcs.wcs.cd = pixel_scale / 3600.0 * np.array([[-cosine, sine], [sine, cosine]])
    if distortion:
        wcs.wcs.ctype = ["RA---TAN-SIP", "DEC--TAN-SIP"]
        square = np.zeros((3, 3))
        square[2, 0] = distortion / (0.5 * width) ** 2
        wcs.sip = astropy.wcs.Sip(square, square.T, None, None, wcs.wcs.crpix)
    frame = DetectorFrame(instrument="Cam", visit=visit, detector=detector, bbox=bbox)
    projection = SkyProjection.from_fits_wcs(wcs, frame, x0=column, y0=row)
    flags = flags or {}
    mask = Mask(0, schema=mask_schema(dict.fromkeys(flags, "Made by a test.")), bbox=bbox)
    for plane, flagged in flags.items():
        plane_array(mask)[flagged] |= bits_of(mask.schema, [plane])
    values: dict[str, Any] = {
        "observation": _observation(visit=visit, detector=detector),
        "masked_image": MaskedImage(
            Image(np.array(np.broadcast_to(pixels, shape), np.float32), bbox=bbox),
            mask=mask,
            variance=Image(np.array(np.broadcast_to(variance, shape), np.float32), bbox=bbox),
            sky_projection=projection,
        ),
        "psf": psf or GaussianPointSpreadFunction(1.5, bbox, _STAMP),
    }
    return CalibratedImage(**(values | changes))


def make_warp(
    patch: Patch,
    *,
    visit: int = 1,
    bbox: Box | None = None,
    pixels: npt.ArrayLike = 1.0,
    variance: npt.ArrayLike = 1.0,
    flags: Mapping[str, npt.NDArray[np.bool_]] | None = None,
    owner: npt.ArrayLike = 0,
    mean_variances: Sequence[float] = (1.0,),
    mask_fractions: Mapping[str, npt.ArrayLike] | None = None,
    psf_sigma: float = 1.5,
    band: str = "i",
) -> Warp:
    """Return a warp whose every pixel is given.

    Parameters
    ----------
    patch
        The patch that it is on.
    visit, band
        Which visit it is, and in which band.
    bbox
        Its pixels; None: all of the patch.
    pixels, variance
        Planes, or a number for all pixels.
    flags
        Where mask planes are set, by name; planes that are not standard ones are added.
    owner
        Number of the detector that each pixel comes from, or `NO_OWNER`: these become NO_DATA.
    mean_variances
        Mean variance of each detector.
    mask_fractions
        Masked fractions by plane.
    psf_sigma
        Width in pixels of the PSF of detector 0; that of each further detector is 10 per cent
        larger.
    """
    bbox = bbox or patch.outer_bbox
    shape = tuple(bbox.shape)
    owners = np.array(np.broadcast_to(owner, shape), np.uint8)
    flags = dict(flags or {})
    flags["NO_DATA"] = flags.get("NO_DATA", np.zeros(shape, np.bool_)) | (owners == NO_OWNER)
    mask = Mask(0, schema=mask_schema(dict.fromkeys(flags, "Made by a test.")), bbox=bbox)
    for plane, flagged in flags.items():
        plane_array(mask)[flagged] |= bits_of(mask.schema, [plane])
    image = np.array(np.broadcast_to(pixels, shape), np.float32)
    variances = np.array(np.broadcast_to(variance, shape), np.float32)
    image[flags["NO_DATA"]], variances[flags["NO_DATA"]] = np.nan, np.inf
    stamps, rows = _cell_inputs(patch, bbox, owners, psf_sigma=psf_sigma)
    source = make_detector(patch, visit=visit)
    return Warp(
        MaskedImage(
            Image(image, bbox=bbox, unit=u.nJy),
            mask=mask,
            variance=Image(variances, bbox=bbox, unit=u.nJy**2),
            sky_projection=patch.sky_projection,
        ),
        identifiers=PatchIdentifiers(skymap=patch.skymap, tract=patch.tract, patch=patch.id),
        patch=patch.definition,
        cell_border=patch.grid.border,
        inputs=[
            WarpInput(
                observation=_observation(visit=visit, detector=number, band=band),
                bbox=source.bbox,
                sky_projection=source.sky_projection,
                footprint=Polygon.from_box(bbox),
                mean_variance_njy2=mean_variance,
                psf=source.psf,
            )
            for number, mean_variance in enumerate(mean_variances)
        ],
        owner=owners,
        cell_inputs=rows,
        stamps=stamps,
        mask_fractions={
            name: Image(np.array(np.broadcast_to(plane, shape), np.float32), bbox=bbox)
            for name, plane in (mask_fractions or {}).items()
        },
    )


def make_coadd(*visits: VisitOnPatch | Warp, **settings: Any) -> MultipleCellCoadd:
    """Return the coadd of warps on a `small_patch`; one is expected to come out.

    Parameters
    ----------
    *visits
        Warps in the order of their visits, with or without what belongs to them.
    **settings
        Those of `CoaddSettings` that are not the defaults.

    Raises
    ------
    ValueError
        If none comes out.
    """
    wrapped = [v if isinstance(v, VisitOnPatch) else VisitOnPatch(warp=v) for v in visits]
    coadd = assemble_cell_coadd(wrapped, small_patch(), settings=CoaddSettings(**settings))
    if coadd is None:
        raise ValueError("No cell has an input.")
    return coadd


def _observation(*, visit: int, detector: int, band: str = "i") -> ObservationIdentifiers:
    return ObservationIdentifiers(
        instrument="Cam",
        visit=visit,
        detector=detector,
        physical_filter=f"Cam-{band}",
        band=band,
        day_obs=20250101,
    )


def _cell_inputs(
    patch: Patch, bbox: Box, owner: npt.NDArray[np.uint8], *, psf_sigma: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.void]]:
    """Count the pixels of each detector in each cell, one by one."""
    whole = np.full(tuple(patch.outer_bbox.shape), NO_OWNER, np.uint8)
    place = bbox.slice_within(patch.outer_bbox)
    whole[place.y, place.x] = owner
    rows = []
    stamps: list[npt.NDArray[np.float64]] = []
    for index in patch.grid:
        outer = patch.grid.outer_bbox_of(index).slice_within(patch.outer_bbox)
        inner = patch.grid.inner_bbox_of(index).slice_within(patch.outer_bbox)
        centre, start = patch.grid.centre_of(index), patch.outer_bbox.start
        at_centre = whole[centre.y - start.y, centre.x - start.x]
        for number in np.unique(whole[outer.y, outer.x]):
            if number == NO_OWNER:
                continue
            n_outer = int((whole[outer.y, outer.x] == number).sum())
            n_inner = int((whole[inner.y, inner.x] == number).sum())
            stamp = len(stamps) if number == at_centre else -1
            if number == at_centre:
                stamps.append(_gaussian(psf_sigma * (1.0 + 0.1 * number)))
            rows.append((number, index.x, index.y, n_outer, n_inner, number == at_centre, stamp))
    empty = np.zeros((0, 1, 1), np.float32)
    return np.array(stamps, np.float32) if stamps else empty, np.array(rows, CELL_INPUT_DTYPE)


def _gaussian(sigma: float) -> npt.NDArray[np.float64]:
    """Return a Gaussian of unit sum on a stamp."""
    offset = np.arange(_STAMP) - _STAMP // 2
    line = np.exp(-0.5 * (offset / sigma) ** 2)
    stamp: npt.NDArray[np.float64] = np.outer(line, line) / line.sum() ** 2
    return stamp
