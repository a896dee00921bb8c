"""Exposures of lsst.afw: Rubin's older files, of HSC, of the data previews DP0.2 and DP1.

A file comes in; a calibrated image goes out, with all that its archive holds. Where a visit summary
lies beside it, or is given, its WCS, PSF, calibration and aperture corrections are taken: they are
those that the Rubin pipelines make coadds with.
"""

from __future__ import annotations

__all__ = ["AfwReader", "read_afw_exposure"]

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lsst.images import DetectorFrame, SkyProjection
from lsst.images.fields import Field

from ...errors import UnusableInputError
from ...products.calibrated_image import CalibratedImage
from ...products.calibrated_image.observation_details import ObservationDetails
from .._base import SurveyHeader, SurveyImage
from ..checks import check_plausible, check_projection, check_usable, middle_rows
from ..rubin.quality import quality_of_statistics, stated_sky
from .bounded_fields import read_corrections
from .details import Detector, detector_of, read_details
from .exposure_file import ExposureFile, open_exposure, primary_cards
from .photo_calib import read_calibration
from .planes import read_planes
from .psf import read_psf
from .quality import mean_variance, read_statistics
from .sky_wcs import projection_of_header, projection_of_text
from .visit_summary import find_visit_summary, open_visit_summary


class AfwReader:
    """Reads exposures of lsst.afw; see `surveys.readers`.

    Parameters
    ----------
    prefers_own
        Whether files are read with what they say of themselves as long as they can be used so, and
        not with what a visit summary beside them says: it is applied later.
    """

    name = "afw"

    def __init__(self, *, prefers_own: bool = False) -> None:
        self._prefers_own = prefers_own

    def recognizes(self, path: Path) -> bool:
        """Return whether the primary header is that of an exposure with an archive."""
        return primary_cards(path) is not None

    def read_header(self, path: Path) -> SurveyHeader:
        """Read all but the pixels and the PSF."""
        return self._tried(_read_header, path)

    def read(self, path: Path) -> SurveyImage:
        """Read one image."""
        return self._tried(read_afw_exposure, path)

    def _tried[T](self, read: Callable[..., T], path: Path) -> T:
        if not self._prefers_own:
            return read(path, visit_summary=True)
        try:
            return read(path, visit_summary=False)
        except UnusableInputError as error:
            # Perhaps it is the PSF that is lacking, or of a kind that cannot be read.
            with contextlib.suppress(UnusableInputError):
                return read(path, visit_summary=True)
            raise error


def read_afw_exposure(path: Path, *, visit_summary: Path | bool = True) -> SurveyImage:
    """Read a file that lsst.afw wrote of an ``ExposureF``.

    Parameters
    ----------
    path
        A ``calexp`` or ``visit_image``, perhaps compressed or cut out of one.
    visit_summary
        The file of a visit summary (an ``ExposureCatalog``) whose WCS, PSF, calibration, aperture
        corrections and statistics take the place of the file's own. True: that which lies beside
        the file, ``visitSummary-<visit>.fits``, if there is one. False: none.

    Returns
    -------
    SurveyImage
        Pixels are nJy where the calibration varies over the image or the file is in nJy already,
        otherwise the file's counts.

    Raises
    ------
    UnusableInputError
        If a file is missing, broken or of a version that is not known; if a part of it is of a kind
        that cannot be read; or if the image is not usable.
    """
    with _opened(path, visit_summary) as found:
        exposure, header = found.exposure, found.header
        calibration = read_calibration(exposure)
        pixels = read_planes(exposure, calibration, header.sky_projection)
        psf = exposure.part("PSF")
        if psf is None:
            raise UnusableInputError(
                str(path),
                "it has no PSF: give a visit summary that has one, or the image with a PSF, in "
                "Python.",
            )
        corrections = _corrections(exposure)
        statistics = read_statistics(exposure)
        image = CalibratedImage(
            observation=header.observation,
            masked_image=pixels,
            psf=read_psf(*psf, bounds=header.detector_bbox),
            nanojansky_per_count=calibration.nanojansky_per_count,
            mean_variance=mean_variance(
                statistics.get("meanVar"),
                pixels.variance[middle_rows(pixels.bbox)].array,
                njy_per_count=calibration.typical,
                is_flux=calibration.field is not None,
            ),
            quality=quality_of_statistics(
                statistics,
                header.sky_projection,
                header.detector_bbox,
                has_corrections=len(corrections) > 0,
            ),
            aperture_corrections=corrections,
            conditions=header.details.conditions(**stated_sky(statistics)),
        )
    check_usable(image, str(path))
    check_plausible(image, str(path))
    return SurveyImage(calibrated_image=image, header=header)


def _read_header(path: Path, *, visit_summary: Path | bool) -> SurveyHeader:
    with _opened(path, visit_summary) as found:
        return found.header


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Found:
    """An open file and what its cards say."""

    exposure: ExposureFile
    header: SurveyHeader


@contextlib.contextmanager
def _opened(path: Path, visit_summary: Path | bool) -> Iterator[_Found]:
    with contextlib.ExitStack() as files:
        exposure = files.enter_context(open_exposure(path))
        detector = detector_of(exposure)
        details = read_details(exposure, detector)
        visit = details.identifiers.visit
        file: Path | None = visit_summary if isinstance(visit_summary, Path) else None
        if visit_summary is True:
            file = find_visit_summary(path, visit)
        if file is not None:
            row = files.enter_context(
                open_visit_summary(file, visit=visit, detector=detector.number)
            )
            exposure = dataclasses.replace(exposure, summary=row)
        projection = _projection(exposure, details, detector)
        check_projection(projection, exposure.bbox, str(path))
        yield _Found(
            exposure=exposure,
            header=SurveyHeader(
                source=path,
                details=details,
                detector_name=detector.name,
                detector_bbox=detector.bbox,
                bbox=exposure.bbox,
                sky_projection=projection,
            ),
        )


def _projection(
    exposure: ExposureFile, details: ObservationDetails, detector: Detector
) -> SkyProjection[Any]:
    """Return the WCS: that of the archive, else that of the header, which says the same in FITS."""
    identifiers = details.identifiers
    frame = DetectorFrame(
        instrument=identifiers.instrument,
        visit=identifiers.visit,
        detector=identifiers.detector,
        bbox=detector.bbox,
    )
    part = exposure.part("SKYWCS")
    if part is None:
        header = exposure.planes["IMAGE"].header
        return projection_of_header(header, frame, bbox=exposure.bbox, source=exposure.source)
    archive, stored = part
    text = stored.table().data("wcs")
    return projection_of_text(text, frame, bbox=detector.bbox, source=archive.source)


def _corrections(exposure: ExposureFile) -> Mapping[str, Field]:
    part = exposure.part("AP_CORR_MAP")
    if part is None:
        return {}
    return read_corrections(*part)
