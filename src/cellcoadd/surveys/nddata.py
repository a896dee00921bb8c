"""Images in astropy's `NDData`, such as `CCDData`, to calibrated images.

What reduction in Python ends with comes in: pixels, uncertainty, mask, unit and WCS; with a PSF and
the names of the exposure it becomes what is warped.
"""

from __future__ import annotations

__all__ = ["calibrated_image_from_nddata"]

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import astropy.units as u
import numpy as np
import numpy.typing as npt
from astropy.nddata import NDData, StdDevUncertainty, VarianceUncertainty
from astropy.wcs import WCS
from astropy.wcs.wcsapi import SlicedLowLevelWCS
from lsst.images import Box, DetectorFrame, Image, Mask, MaskedImage, SkyProjection
from lsst.images.psfs import PointSpreadFunction

from ..conventions import FWHM_PER_SIGMA, nanojansky_per_count
from ..errors import UnusableInputError
from ..files.fits_wcs import icrs_wcs, projection_of_wcs
from ..masks.impossible import impossible_pixels
from ..masks.planes import STANDARD_PLANES, bits_of, mask_schema, standard_name
from ..products.calibrated_image import CalibratedImage, ImageQuality
from ..products.identifiers import ObservationIdentifiers
from ._base import pixel_scale_arcsec
from .checks import check_projection, check_usable
from .measured_psf import measure_psf
from .plain.psf import centred_image, profile_image
from .plausibility import typical_variance
from .plausible_values import checked_magnitude

_SCHEMA = mask_schema()
_MEASURED = "measured"
_WIDTHS_PX = 0.5, 50.0  # of FWHM: beyond, it is in another unit
_MOST_DAY = 99_991_231


def calibrated_image_from_nddata(
    data: NDData,
    *,
    psf: PointSpreadFunction | npt.ArrayLike | u.Quantity | float | str,
    instrument: str,
    visit: int,
    band: str,
    detector: int = 0,
    physical_filter: str | None = None,
    day_obs: int = 0,
    zero_point: float | None = None,
    mask_planes: Mapping[int, str | Sequence[str]] | None = None,
) -> CalibratedImage:
    """Make a calibrated image of an image in astropy's `NDData` or `CCDData`.

    Parameters
    ----------
    data
        Of one detector, less its sky. Its ``uncertainty`` is a standard deviation, a variance or an
        inverse variance. Its ``wcs`` is an `astropy.wcs.WCS`, in ICRS, FK5, Galactic or ecliptic
        coordinates. Its ``mask``, if there is one, is of booleans, where True is BAD, or of whole
        numbers, whose bits ``mask_planes`` explains; `CCDData`, whose mask is of booleans, may have
        these numbers in its ``flags``. Its ``unit`` is one of flux (nJy, Jy, ...), of
        surface brightness (MJy/sr), or any other, or none, with a ``zero_point``. Pixels are no
        data where the value or the uncertainty is not finite, or there is no noise.
    psf
        A PSF; an image of it, of odd numbers of rows and columns and centred on the middle pixel; a
        full width at half maximum in arcsec, or in a unit of angles, of a Gaussian; or
        ``"measured"``: it is measured from the stars in the image.
    instrument, visit, detector
        Which detector of which exposure it is: a name, and numbers that are not negative.
    band, physical_filter
        Its band, and the name of its filter; None: that is called as the band.
    day_obs
        The night as a number YYYYMMDD, if somebody wants to know it.
    zero_point
        The AB magnitude of a source of one unit of the pixels, which are no flux then.
    mask_planes
        Our mask planes by bit: ``{1: "BAD", 2: ["SAT", "SUSPECT"], 4: []}``; a bit with no planes
        says nothing against a pixel, one that is not listed is BAD.

    Returns
    -------
    CalibratedImage
        In the unit of the data; its own ``nanojansky_per_count`` says what one of it is.

    Raises
    ------
    UnusableInputError
        If something is missing or cannot be: it says what, and the ways out.
    """
    source = f"{instrument} visit {visit} detector {detector}"
    observation = ObservationIdentifiers(
        instrument=instrument,
        visit=_whole(visit, "visit", source),
        detector=_whole(detector, "detector", source),
        physical_filter=band if physical_filter is None else physical_filter,
        band=band,
        day_obs=_day(day_obs, source),
    )
    pixels = _pixels(data, source)
    box = Box.factory[0 : pixels.shape[0], 0 : pixels.shape[1]]
    projection = _projection(data, observation, box, source)
    scale = pixel_scale_arcsec(projection, box)
    factor = _nanojansky_per_unit(data.unit, zero_point, scale, source)
    variance = _variance(data, pixels.shape, source)
    bits = _mask_bits(data, mask_planes, pixels.shape, source)
    missing = ~(np.isfinite(pixels) & np.isfinite(variance) & (variance > 0))
    bits[missing] |= int(bits_of(_SCHEMA, ["NO_DATA"]))
    if (
        beyond := impossible_pixels(pixels, variance, typical=typical_variance(variance))
    ) is not None:
        bits[beyond] |= int(bits_of(_SCHEMA, ["BAD"]))
    variance[missing] = np.inf
    planes = MaskedImage(
        Image(pixels.astype(np.float32), bbox=box),
        mask=Mask(bits[:, :, np.newaxis], schema=_SCHEMA, bbox=box),
        variance=Image(variance.astype(np.float32), bbox=box),
        sky_projection=projection,
    )
    made, quality = _psf(psf, planes, scale, source)
    image = CalibratedImage(
        observation=observation,
        masked_image=planes,
        psf=made,
        nanojansky_per_count=factor,
        quality=quality,
    )
    check_usable(image, source)
    return image


def _whole(value: int, name: str, source: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise UnusableInputError(
            source, f"{name} must be a whole number that is not negative, got {value!r}."
        )
    return int(value)


def _day(value: int, source: str) -> int:
    day = _whole(value, "day_obs", source)
    if day > _MOST_DAY or (day and not (1 <= day // 100 % 100 <= 12 and 1 <= day % 100 <= 31)):
        raise UnusableInputError(
            source, f"day_obs must be a night as YYYYMMDD, such as 20261201, or 0, got {day}."
        )
    return day


def _pixels(data: NDData, source: str) -> npt.NDArray[np.float64]:
    if not isinstance(data, NDData):
        raise UnusableInputError(
            source,
            f"the image must be an astropy NDData or CCDData, got {type(data).__name__}; "
            "NDData(array, uncertainty=..., wcs=...) makes one of an array.",
        )
    pixels = np.asarray(data.data)
    if pixels.ndim != 2 or pixels.dtype.kind not in "iuf":
        raise UnusableInputError(
            source,
            f"its data must be numbers in two axes, they are {pixels.dtype} of shape "
            f"{pixels.shape}; give one detector at a time.",
        )
    return pixels.astype(np.float64)


def _projection(
    data: NDData, observation: ObservationIdentifiers, box: Box, source: str
) -> SkyProjection[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what of a distortion a header cannot say is told below
        header = _plain_wcs(data.wcs, source).to_header(relax=True)
    frame = DetectorFrame(
        instrument=observation.instrument,
        visit=observation.visit,
        detector=observation.detector,
        bbox=box,
    )
    wcs = icrs_wcs(header, bbox=box, source=source)
    projection = projection_of_wcs(wcs, frame, bbox=box, source=source)
    check_projection(projection, box, source)
    return projection


def _plain_wcs(wcs: Any, source: str) -> WCS:
    """Return the WCS of the data, or of that of which they are a part."""
    if wcs is None:
        raise UnusableInputError(
            source, "it has no WCS: set wcs, to WCS(header) of the image's header for instance."
        )
    if isinstance(wcs, WCS):
        _refuse_tables(wcs, source)
        return wcs
    low = wcs.low_level_wcs
    if isinstance(low, SlicedLowLevelWCS):  # as NDData makes one when it is sliced
        whole, slices = low._wcs, low._slices_array
        if isinstance(whole, WCS) and all(isinstance(part, slice) for part in slices):
            _refuse_tables(whole, source)
            part: WCS = whole.slice(slices)
            return part
    raise UnusableInputError(
        source,
        f"its wcs must be an astropy.wcs.WCS, which a FITS header can say, got "
        f"{type(low).__name__}; fit one to it, by astropy.wcs.utils.fit_wcs_from_points.",
    )


def _refuse_tables(wcs: WCS, source: str) -> None:
    tables = (wcs.cpdis1, wcs.cpdis2, wcs.det2im1, wcs.det2im2)
    if any(table is not None for table in tables):
        raise UnusableInputError(
            source,
            "its WCS has a distortion in tables, which cannot be used; fit SIP or TPV to it.",
        )


def _nanojansky_per_unit(
    unit: u.UnitBase | None, zero_point: float | None, scale: float, source: str
) -> float:
    flux: float | None = None
    if unit is not None and unit.is_equivalent(u.nJy):
        flux = float(unit.to(u.nJy))
    elif unit is not None and unit.is_equivalent(u.nJy / u.sr):
        flux = float((unit * u.arcsec**2).to(u.nJy)) * scale**2
    name = "no unit" if unit is None else f"the unit {unit}"
    if flux is not None:
        if zero_point is not None:
            raise UnusableInputError(
                source,
                f"it has {name}, of which the flux is known, and zero_point = {zero_point}: leave "
                "that out, or the unit.",
            )
        return flux
    if zero_point is None:
        raise UnusableInputError(
            source,
            f"it has {name}, whose flux nobody knows: give zero_point, the AB magnitude of one "
            "unit, or data in nJy, Jy or MJy/sr.",
        )
    checked_magnitude(
        zero_point, source, "zero_point", "give the AB magnitude of one unit of the pixels"
    )
    return nanojansky_per_count(zero_point)


def _variance(data: NDData, shape: tuple[int, ...], source: str) -> npt.NDArray[np.float64]:
    """Return the variance in the square of the data's unit."""
    uncertainty = data.uncertainty
    if uncertainty is None or uncertainty.uncertainty_type not in ("std", "var", "ivar"):
        kind = "none" if uncertainty is None else f"of type {uncertainty.uncertainty_type!r}"
        raise UnusableInputError(
            source,
            "its uncertainty must be a StdDevUncertainty, a VarianceUncertainty or an "
            f"InverseVariance, it is {kind}; of counts, sky and read noise a standard deviation "
            "can be made: sqrt(counts / gain + (read_noise / gain)**2).",
        )
    values = np.asarray(uncertainty.array, np.float64)
    if values.shape not in ((), shape):
        raise UnusableInputError(
            source,
            f"its uncertainty must be one number, or of the shape of its data, {shape}, it is "
            f"{values.shape}.",
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        if isinstance(uncertainty, StdDevUncertainty):
            variance = np.where(values > 0, values**2, np.inf)
        elif isinstance(uncertainty, VarianceUncertainty):
            variance = np.where(values > 0, values, np.inf)
        else:
            variance = np.where(values > 0, 1.0 / values, np.inf)
    variance *= _unit_ratio(uncertainty, data.unit, source)
    result: npt.NDArray[np.float64] = np.broadcast_to(variance, shape).copy()
    return result


def _unit_ratio(uncertainty: Any, unit: u.UnitBase | None, source: str) -> float:
    """Return what one of the uncertainty's variance is in the square of the data's unit."""
    if uncertainty.unit is None or unit is None:
        return 1.0
    power = {"std": 2, "var": 1, "ivar": -1}[uncertainty.uncertainty_type]
    stated = u.Unit(uncertainty.unit) ** power
    if not stated.is_equivalent(unit**2):
        raise UnusableInputError(
            source,
            f"its uncertainty is in {uncertainty.unit}, which does not go with data in {unit}.",
        )
    return float(stated.to(unit**2))


def _mask_bits(
    data: NDData,
    planes: Mapping[int, str | Sequence[str]] | None,
    shape: tuple[int, ...],
    source: str,
) -> npt.NDArray[np.int32]:
    bits: npt.NDArray[np.int32] = np.zeros(shape, np.int32)
    mask = data.mask
    values = np.zeros((), np.bool_) if mask is None else np.asarray(mask)
    if values.shape not in ((), shape):
        raise UnusableInputError(
            source, f"its mask must be of the shape of its data, {shape}, it is {values.shape}."
        )
    bad = int(bits_of(_SCHEMA, ["BAD"]))
    flags = getattr(data, "flags", None)
    if values.dtype == np.bool_:
        bits[np.broadcast_to(values, shape)] |= bad
        if planes is not None and flags is not None:
            values = np.asarray(flags)
    if values.dtype == np.bool_:
        if planes is not None:
            raise UnusableInputError(
                source,
                "mask_planes explains the bits of a mask of whole numbers; "
                + ("there is no mask." if mask is None else "this one is of booleans."),
            )
        return bits
    if values.dtype.kind not in "iu" or (values.size and int(values.min()) < 0):
        raise UnusableInputError(
            source,
            f"its mask must be of booleans, or of whole numbers that are not negative; it is of "
            f"{values.dtype}.",
        )
    if planes is None:
        raise UnusableInputError(
            source,
            "its mask is of whole numbers: say what their bits mean, as with mask_planes={1: "
            "'BAD', 2: 'SAT'}, or give one of booleans, such as mask != 0.",
        )
    numbers = values.astype(np.uint64)
    rest = numbers.copy()
    for bit, names in planes.items():
        if isinstance(bit, bool) or not isinstance(bit, int) or bit < 1 or bit & (bit - 1):
            raise UnusableInputError(
                source,
                f"mask_planes must be for the values of single bits (1, 2, 4, ...), got {bit!r}.",
            )
        listed = [standard_name(name) for name in ([names] if isinstance(names, str) else names)]
        if unknown := [name for name in listed if name not in STANDARD_PLANES]:
            raise UnusableInputError(
                source,
                f"mask_planes must name planes of {', '.join(STANDARD_PLANES)}; got {unknown[0]!r} "
                f"for {bit}.",
            )
        is_set = (numbers & np.uint64(bit)) != 0
        if listed:
            bits[is_set] |= int(bits_of(_SCHEMA, listed))
        rest &= ~np.uint64(bit)
    bits[rest != 0] |= bad
    return bits


def _psf(
    psf: Any, planes: MaskedImage, scale: float, source: str
) -> tuple[PointSpreadFunction, ImageQuality]:
    """Return the PSF and what is known of it."""
    if isinstance(psf, PointSpreadFunction):
        return psf, ImageQuality(pixel_scale_arcsec=scale)
    if isinstance(psf, str):
        if psf != _MEASURED:
            raise UnusableInputError(
                source,
                f"psf must be a PSF, an image of it, a width in arcsec or {_MEASURED!r}, got "
                f"{psf!r}.",
            )
        measured = measure_psf(planes, source=source)
        return measured.psf, measured.quality.image_quality(scale)
    if isinstance(psf, u.Quantity):
        if not psf.unit.is_equivalent(u.arcsec):
            raise UnusableInputError(
                source, f"the width of its PSF must be an angle, it is in {psf.unit}."
            )
        psf = psf.to_value(u.arcsec)
    array = np.asarray(psf, np.float64)
    if array.ndim == 0:
        fwhm = float(array) / scale
        least, most = _WIDTHS_PX
        if not least <= fwhm <= most:
            raise UnusableInputError(
                source,
                f"its PSF must be {least} to {most} pixels wide, {float(array):g} arcsec are "
                f"{fwhm:.4g} pixels: psf is its full width at half maximum in arcsec.",
            )
        made = centred_image(profile_image(fwhm=fwhm, beta=None), bounds=planes.bbox, source=source)
        return made, ImageQuality(psf_sigma=fwhm / FWHM_PER_SIGMA, pixel_scale_arcsec=scale)
    return (
        centred_image(array, bounds=planes.bbox, source=source),
        ImageQuality(pixel_scale_arcsec=scale),
    )
