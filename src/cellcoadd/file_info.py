"""What a file is, and how it would be read: for who wonders before anything is made of it."""

from __future__ import annotations

__all__ = ["describe_file"]

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from lsst.images.describe import DescribableMixin

from .analysis.psf_shapes import measure_psf_shapes
from .any_file import kind_of, read
from .conventions import AB_ZERO_POINT_NJY
from .errors import UnusableInputError
from .files.checksums import verify_file
from .products.calibrated_image import CalibratedImage
from .products.flux_units import unit_label
from .surveys import Reader, is_companion, reader_for
from .surveys._base import SurveyImage, pixel_scale_arcsec
from .surveys.guarded import GuardedReader
from .surveys.mosaic_files import split_address
from .surveys.plausibility import block_factor, noise_ratio

type _Lines = Iterator[tuple[str, str]]


def describe_file(path: Path, *, camera: Reader | None = None) -> list[tuple[str, str]]:
    """Return what there is to say of a file, as pairs of a label and a text.

    Parameters
    ----------
    path
        Any file, or the address of one detector in it.
    camera
        The reader of plain FITS that it is to be read with.

    Returns
    -------
    lines
        Kind and checksums, then for an image of a survey how it would be read: camera, detector,
        band, pixels, sky position, zero point, PSF and the scatter of its sky's pixels beside the
        stated variance; for a product what it says of itself.

    Raises
    ------
    UnusableInputError
        If nothing that can be read is in it; it says what it is then.
    OSError
        If there is no such file, or it may not be read.
    """
    path = Path(path)
    file, _ = split_address(path)
    if camera is not None:
        chosen = reader_for(path, camera=camera)
        return [("kind", "plain FITS"), *_checksums_of(file), *_survey_lines(path, chosen)]
    if is_companion(path):
        return [("kind", "belongs to an image of a survey, which finds it by itself")]
    lines = [("kind", kind_of(file)), *_checksums_of(file)]
    reader = _survey_reader(path)
    lines += _product_lines(read(path)) if reader is None else _survey_lines(path, reader)
    return lines


def _survey_reader(path: Path) -> GuardedReader | None:
    try:
        return reader_for(path)
    except UnusableInputError:
        return None


def _checksums_of(path: Path) -> _Lines:
    try:
        verdict = verify_file(path)
    except UnusableInputError:  # no FITS file
        return
    if verdict.damage:
        yield "checksums", f"damaged: {'; '.join(verdict.damage)}"
    elif verdict.sealed:
        yield "checksums", f"{verdict.hdus} HDUs, as they were written"
    else:
        yield "checksums", "none"


def _survey_lines(path: Path, reader: GuardedReader) -> _Lines:
    addresses = reader.images_in(path)
    if len(addresses) > 1:
        yield "images", f"{len(addresses)}: {', '.join(one.name for one in addresses)}"
        yield "here", f"{addresses[0].name}, the first of them"
    image = reader.read(addresses[0])
    header = image.header
    known = header.observation
    box, projection = header.bbox, header.sky_projection
    yield "read by", reader.name
    yield "camera", f"{known.instrument}, detector {known.detector} ({header.detector_name})"
    yield "visit", f"{known.visit}, night {known.day_obs}"
    yield "filter", f"{known.physical_filter}, band {known.band}"
    if header.details.exposure_time_s is not None:
        yield "exposure", f"{header.details.exposure_time_s:g} s"
    scale = pixel_scale_arcsec(projection, box)
    yield "pixels", f'{box.x.size} x {box.y.size} of {scale:.4g}"'
    middle = projection.pixel_to_sky(
        x=0.5 * (box.x.min + box.x.max), y=0.5 * (box.y.min + box.y.max)
    )
    yield "middle", f"RA {middle.icrs.ra.deg:.6f}, Dec {middle.icrs.dec.deg:+.6f} deg"
    yield from _calibration_lines(image, scale)


def _calibration_lines(image: SurveyImage, scale: float) -> _Lines:
    calibrated = image.calibrated_image
    if not image.header.is_flux_known:
        yield "zero point", f"none: pixels stay in {unit_label(calibrated.flux_unit)}"
        yield from _noise_lines(image, scale)
        return
    zero_point = AB_ZERO_POINT_NJY - 2.5 * math.log10(calibrated.nanojansky_per_count)
    yield (
        "zero point",
        (f"{zero_point:.4f} mag AB for one count, {calibrated.nanojansky_per_count:.5g} nJy"),
    )
    yield from _noise_lines(image, scale)


def _noise_lines(image: SurveyImage, scale: float) -> _Lines:
    calibrated = image.calibrated_image
    yield "PSF", f"{type(calibrated.psf).__name__}, {_psf_size(calibrated, scale)}"
    if image.psf_quality is not None:
        yield "stars", str(image.psf_quality)
    yield "sky", _sky_scatter(calibrated)
    yield "noise of neighbours", _noise_of_neighbours(calibrated)
    if image.sky_quality is not None:
        yield "background", str(image.sky_quality)


def _psf_size(image: CalibratedImage, scale: float) -> str:
    box = image.bbox
    stamp = image.psf.compute_kernel_image(
        x=0.5 * (box.x.min + box.x.max), y=0.5 * (box.y.min + box.y.max)
    ).array
    side = min(stamp.shape)
    shapes = measure_psf_shapes(np.asarray(stamp[:side, :side], np.float64)[np.newaxis])
    if shapes.failed[0]:
        return "whose width cannot be measured"
    return f'FWHM {shapes.fwhm[0] * scale:.2f}" in the middle'


def _sky_scatter(image: CalibratedImage) -> str:
    """Compare the scatter of good pixels with the variance that they state."""
    planes = image.masked_image[...]
    ratio = noise_ratio(planes)
    if ratio is None:
        return "too few good pixels to tell its scatter"
    variance = planes.variance.array
    stated = math.sqrt(float(np.median(variance[np.isfinite(variance) & (variance > 0)])))
    return (
        f"noise {stated:.4g} counts by its variance; from pixel to pixel the variance is "
        f"{ratio.least:.2f} times that"
    )


def _noise_of_neighbours(image: CalibratedImage) -> str:
    """Say how alike the noise of neighbouring pixels is, and whether that is known."""
    factor = block_factor(image.masked_image[...])
    if factor is None:
        measured = "too few pixels to tell"
    else:
        measured = f"means of 4 x 4 pixels have {factor:.2f} times the variance of independent ones"
    if image.noise_correlation is None:
        return f"{measured}; taken as independent"
    side = image.noise_correlation.shape[0]
    return f"{measured}; taken as correlated, by {side} x {side} offsets"


def _product_lines(product: Any) -> _Lines:
    if isinstance(product, DescribableMixin):
        report = product.describe()
        for field in report.fields:
            yield field.label, f"{field.value}" + (f" {field.unit}" if field.unit else "")
    elif isinstance(product, str):
        yield "text", f"{len(product)} characters"
    else:
        first, *_ = repr(product).splitlines()
        yield "content", first
