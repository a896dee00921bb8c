"""Small files in the layout of lsst.afw, of which every number is known.

An archive is filled object by object (`AfwArchive`) and written behind planes of pixels
(`write_afw_exposure`) or behind a table of detectors (`write_visit_summary`).
"""

from __future__ import annotations

__all__ = [
    "AfwArchive",
    "add_chebyshev",
    "add_photo_calib",
    "add_psf",
    "add_sky_wcs",
    "afw_planes",
    "write_afw_exposure",
    "write_afw_mask",
    "write_visit_image_as_afw",
    "write_visit_summary",
]

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml
from astropy.io import fits
from lsst.images import Box, SkyProjection, VisitImage
from lsst.images.fields import ChebyshevField
from lsst.images.psfs import GaussianPointSpreadFunction, PiffWrapper, PointSpreadFunction

from ..masks.planes import standard_name
from .afw_archive import AfwArchive, Row, column_format

_SUMMARY = (
    "psfSigma", "psfArea", "psfIxx", "psfIyy", "psfIxy", "zeroPoint", "skyBg", "skyNoise",
    "meanVar", "nPsfStar", "psfStarDeltaE1Median", "psfStarDeltaE2Median",
    "psfStarScaledDeltaSizeScatter", "psfTraceRadiusDelta", "psfApFluxDelta",
    "psfApCorrSigmaScaledDelta", "starEMedian", "pixelScale",
)  # fmt: skip


def _box(box: Box | None, name: str = "bbox") -> dict[str, int]:
    corners = (0, 0, -1, -1) if box is None else (box.x.min, box.y.min, box.x.max, box.y.max)
    ends = ("min_x", "min_y", "max_x", "max_y")
    return {f"{name}_{end}": value for end, value in zip(ends, corners, strict=True)}


def add_chebyshev(archive: AfwArchive, coefficients: npt.ArrayLike, box: Box | None) -> int:
    """Add a Chebyshev polynomial, (rows in y, columns in x) of coefficients; return its number."""
    terms = np.array(coefficients, np.float64)
    row = {"order_x": terms.shape[1] - 1, **_box(box), "coefficients": terms.ravel()}
    return archive.add("ChebyshevBoundedField", [row])


def add_photo_calib(
    archive: AfwArchive, mean: float, *, field: int = 0, is_constant: bool = True
) -> int:
    """Add a calibration; return its number. One that is constant gets a field of no pixels."""
    field = field or add_chebyshev(archive, [[mean]], None)
    row = {
        "flags": {"isConstant": is_constant},
        "calibrationMean": float(mean),
        "calibrationErr": 0.01,
        "field": field,
        "version": 1,
    }
    return archive.add("PhotoCalib", [row])


def add_sky_wcs(archive: AfwArchive, projection: SkyProjection[Any]) -> int:
    """Add a WCS as a text of AST; return its number."""
    frame_set = projection.pixel_to_sky_transform._get_ast_frame_set()
    text = "1 SkyWcs 0  " + frame_set.show(False).lstrip()
    return archive.add("SkyWcs", [{"wcs": text.encode()}])


def add_psf(archive: AfwArchive, psf: PointSpreadFunction) -> int:
    """Add a PSF, a Gaussian or one of Piff, which is pickled; return its number.

    Raises
    ------
    TypeError
        If it is another one.
    """
    side = psf.kernel_bbox.x.size
    if isinstance(psf, GaussianPointSpreadFunction):
        row: Row = {"dimensions_x": side, "dimensions_y": side, "sigma": psf.sigma}
        return archive.add("GaussianPsf", [row])
    if isinstance(psf, PiffWrapper):
        data = pickle.dumps((side, side, psf.piff_psf), protocol=4)
        return archive.add("PiffPsf", [{"bytes": data}])
    raise TypeError(f"A PSF of type {type(psf).__name__} is not written.")


def afw_planes(
    image: npt.ArrayLike,
    mask: npt.ArrayLike,
    variance: npt.ArrayLike,
    *,
    bits: Mapping[str, int],
    origin: tuple[int, int] = (0, 0),
    cards: Mapping[str, Any] | None = None,
    mask_dtype: npt.DTypeLike = np.int32,
    compression: str | None = None,
) -> list[Any]:
    """Return image, mask and variance as afw's extensions.

    Parameters
    ----------
    image, mask, variance : (rows, columns)
        The planes.
    bits
        Bits of the mask by their names.
    origin
        Column and row of the first pixel.
    cards
        Of the image's header.
    mask_dtype
        Of the mask: uint16 in old files.
    compression
        Such as ``GZIP_2``; None: none.
    """
    hdus: list[Any] = []
    planes = (image, np.float32), (mask, mask_dtype), (variance, np.float32)
    for name, (plane, dtype) in zip(("IMAGE", "MASK", "VARIANCE"), planes, strict=True):
        pixels = np.array(plane).astype(dtype)
        hdu = (
            fits.ImageHDU(pixels)
            if compression is None
            else fits.CompImageHDU(pixels, compression_type=compression, quantize_level=0.0)
        )
        hdu.header["EXTTYPE"], hdu.header["INHERIT"] = name, True
        hdu.header.update(_origin_cards(origin))
        if name == "MASK":
            hdu.header.update(_plane_cards(bits))
        if name == "IMAGE":
            hdu.header.update(cards or {})
        hdus.append(hdu)
    return hdus


def _origin_cards(origin: tuple[int, int]) -> dict[str, Any]:
    """Say where the first pixel is, as afw does it."""
    return {
        keyword: value
        for axis, start in zip("12", origin, strict=True)
        for keyword, value in (
            (f"CTYPE{axis}A", "LINEAR"),
            (f"CRPIX{axis}A", 1.0),
            (f"CRVAL{axis}A", float(start)),
            (f"LTV{axis}", -float(start)),
        )
    }


def _plane_cards(bits: Mapping[str, int]) -> dict[str, int]:
    return {f"HIERARCH MP_{name}": bit for name, bit in bits.items()}


def write_afw_mask(
    path: Path,
    mask: npt.ArrayLike,
    *,
    bits: Mapping[str, int],
    origin: tuple[int, int] = (0, 0),
    compression: str | None = "GZIP_2",
) -> Path:
    """Write a mask alone, as afw does it; return its path.

    Parameters
    ----------
    path
        The file; one that is there is replaced.
    mask : (rows, columns)
        The bits.
    bits, origin, compression
        As for `afw_planes`. Uncompressed, it is the primary array.
    """
    pixels = np.array(mask, np.int32)
    hdus: list[Any] = [fits.PrimaryHDU(pixels)]
    if compression is not None:
        hdus = [fits.PrimaryHDU(), fits.CompImageHDU(pixels, compression_type=compression)]
    hdus[-1].header.update(_origin_cards(origin) | _plane_cards(bits))
    fits.HDUList(hdus).writeto(path, overwrite=True)
    return path


def write_afw_exposure(
    path: Path,
    planes: Sequence[Any],
    archive: AfwArchive | None,
    *,
    parts: Mapping[str, int],
    cards: Mapping[str, Any],
    version: int | None = 2,
) -> Path:
    """Write an exposure; return its path.

    Parameters
    ----------
    path
        The file; one that is there is replaced.
    planes
        Of `afw_planes`.
    archive
        What its parts are in.
    parts
        Their numbers, by the names that cards give them, such as ``PSF``.
    cards
        Of the whole exposure.
    version
        That of the layout.
    """
    primary = fits.PrimaryHDU()
    if version is not None:
        primary.header["HIERARCH EXPINFO_V"] = version
    if archive is not None:
        primary.header["AR_HDU"] = len(planes) + 2
    for key, number in parts.items():
        primary.header[f"HIERARCH {key}_ID"] = number
        if version == 2:
            primary.header[f"HIERARCH ARCHIVE_ID_{key}"] = number
    for key, value in cards.items():
        primary.header[f"HIERARCH {key}" if len(key) > 8 else key] = value
    tables = [] if archive is None else archive.hdus()
    fits.HDUList([primary, *planes, *tables]).writeto(path, overwrite=True)
    return path


def write_visit_image_as_afw(
    image: VisitImage,
    path: Path,
    *,
    nanojansky_per_count: float | None = None,
    compression: str | None = None,
    **changes: Any,
) -> Path:
    """Write a visit image in nJy in the layout of lsst.afw; return its path.

    Parameters
    ----------
    image
        With a PSF that `add_psf` can write.
    path
        The file.
    nanojansky_per_count
        Write counts and this calibration, as of HSC and DP0.2; None: nJy, as of DP1.
    compression
        Of the planes.
    **changes
        Cards that replace ours.

    Raises
    ------
    ValueError
        If it has no date.
    """
    archive, scale = AfwArchive(), nanojansky_per_count or 1.0
    frame, stats, info = image.sky_projection.pixel_frame, image.summary_stats, image.obs_info
    statistics = {name: getattr(stats, name) for name in _SUMMARY}
    statistics["version"] = 0
    parts = {
        "SUMMARY_STATS": archive.add(
            "ExposureSummaryStats", [{"bytes": yaml.safe_dump(statistics).encode()}]
        ),
        "SKYWCS": add_sky_wcs(archive, image.sky_projection),
        "PSF": add_psf(archive, image.psf),
        "PHOTOCALIB": add_photo_calib(archive, scale),
        "DETECTOR": archive.add("Detector", [_detector(image)]),
        "FILTER": archive.add("FilterLabel", [_filter_label(image)]),
    }
    corrections = [
        {"name": name, "field": add_chebyshev(archive, field.coefficients, field.bounds.bbox)}
        for name, field in image.aperture_corrections.items()
        if isinstance(field, ChebyshevField)
    ]
    if corrections:
        parts["AP_CORR_MAP"] = archive.add("ApCorrMap", corrections)
    begin, exposure_time = info.datetime_begin, info.exposure_time
    if begin is None or exposure_time is None:
        raise ValueError("An image without a date is not written.")
    middle = begin.tai + 0.5 * exposure_time
    cards: dict[str, Any] = {
        "EXPTIME": exposure_time.to_value("s"),
        "DATE-AVG": middle.isot,
        "TIMESYS": "TAI",
        "INSTRUMENT": frame.instrument,
        "IDNUM": info.visit_id,
        "LSST BUTLER DATAID DAY_OBS": info.observing_day,
    }
    if (place := info.altaz_begin) is not None and info.location is not None:
        cards["BORE-ALT"], cards["BORE-AZ"] = float(place.alt.deg), float(place.az.deg)
        cards["OBS-LAT"] = float(info.location.lat.deg)
    if info.boresight_airmass is not None:
        cards["BORE-AIRMASS"] = info.boresight_airmass
    bits = {
        standard_name(plane.name): number
        for number, plane in enumerate(p for p in image.mask.schema if p is not None)
    }
    mask = sum(
        image.mask.get(plane.name).astype(np.int32) << number
        for number, plane in enumerate(p for p in image.mask.schema if p is not None)
    )
    planes = afw_planes(
        image.image.array / np.float32(scale),
        np.asarray(mask),
        image.variance.array / np.float32(scale) ** 2,
        bits=bits,
        origin=(image.bbox.x.min, image.bbox.y.min),
        cards={} if nanojansky_per_count else {"BUNIT": "nJy"},
        compression=compression,
    )
    return write_afw_exposure(path, planes, archive, parts=parts, cards=cards | changes)


def _detector(image: VisitImage) -> Row:
    detector = image.sky_projection.pixel_frame
    return {
        "name": image.detector.name,
        "id": detector.detector,
        "type": 0,
        "serial": "made",
        **_box(detector.bbox),
    }


def _filter_label(image: VisitImage) -> Row:
    return {
        "flags": {"band_exists": True, "physical_exists": True},
        "band": image.band,
        "physical": str(image.obs_info.physical_filter),
    }


def write_visit_summary(
    path: Path, rows: Sequence[Mapping[str, Any]], archive: AfwArchive, *, visit: int
) -> Path:
    """Write a visit summary; return its path.

    Parameters
    ----------
    path
        The file; one that is there is replaced.
    rows
        Of each detector its ``id``, the numbers of its parts (``wcs``, ``psf``, ``photoCalib``,
        ``apCorrMap``) and statistics.
    archive
        What the parts are in.
    visit
        Of all rows.
    """
    parts = ("wcs", "psf", "photoCalib", "apCorrMap")
    whole = [{**dict.fromkeys(parts, 0), "visit": visit, **row} for row in rows]
    columns = [
        fits.Column(name, column_format(value), array=np.array([row[name] for row in whole]))
        for name, value in whole[0].items()
    ]
    table = fits.BinTableHDU.from_columns(columns)
    table.header["AFW_TYPE"] = "EXPOSURE"
    hdus = fits.HDUList([fits.PrimaryHDU(), table, *archive.hdus()])
    hdus.writeto(path, overwrite=True)
    return path
