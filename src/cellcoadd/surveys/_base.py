"""What a reader of survey files is, and what it returns.

A file comes in; a `SurveyHeader` (cheap, no pixels) or a `SurveyImage` (everything) goes out.
Whoever registers visits in a repository needs the first, whoever makes warps the second.
"""

from __future__ import annotations

__all__ = [
    "MosaicReader",
    "Reader",
    "SurveyHeader",
    "SurveyImage",
    "images_in",
    "pixel_scale_arcsec",
]

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import astropy.units as u
import numpy as np
from lsst.images import Box, SkyProjection

from ..products.calibrated_image import CalibratedImage
from ..products.calibrated_image.observation_details import ObservationDetails
from ..products.identifiers import ObservationIdentifiers
from ..skymap.tangent_plane import directions_from_sky
from .measured_psf import PsfQuality
from .measured_sky import SkyQuality


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SurveyHeader:
    """What can be said of an image without reading its pixels.

    Parameters
    ----------
    source
        The file, as the user named it; of a file of many detectors, the address of one.
    details
        Identifiers, times, pointing, program.
    detector_name
        The camera's name of the detector, such as ``N3`` or ``R22_S11``.
    detector_bbox
        All pixels of the detector; of a cut-out, those of the cut-out.
    bbox
        The pixels that the file holds.
    sky_projection
        Pixels to sky and back.
    flux_unit
        As in `CalibratedImage`: nJy, or counts where the pixels cannot be brought to nJy.
    """

    source: Path
    details: ObservationDetails
    detector_name: str
    detector_bbox: Box
    bbox: Box
    sky_projection: SkyProjection[Any]
    flux_unit: u.UnitBase = u.nJy

    @property
    def observation(self) -> ObservationIdentifiers:
        """Which detector of which visit."""
        return self.details.identifiers

    @property
    def is_flux_known(self) -> bool:
        """Whether the pixels can be brought to nJy; if not, they stay as they are."""
        return bool(self.flux_unit == u.nJy)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SurveyImage:
    """One file's image, ready to be warped, and what a repository records of its visit.

    Parameters
    ----------
    calibrated_image
        Pixels, mask, variance, WCS, PSF, photometric calibration.
    header
        The same that `Reader.read_header` returns.
    psf_quality, sky_quality
        What was measured of the image itself, if it was; None: the files say it.
    """

    calibrated_image: CalibratedImage
    header: SurveyHeader
    psf_quality: PsfQuality | None = None
    sky_quality: SkyQuality | None = None

    @property
    def source(self) -> Path:
        """The file, as the user named it."""
        return self.header.source

    @property
    def details(self) -> ObservationDetails:
        """Identifiers, times, pointing, program."""
        return self.header.details

    @property
    def detector_name(self) -> str:
        """The camera's name of the detector."""
        return self.header.detector_name

    @property
    def detector_bbox(self) -> Box:
        """All pixels of the detector; of a cut-out, those of the cut-out."""
        return self.header.detector_bbox


class Reader(Protocol):
    """Reads the files of one survey."""

    @property
    def name(self) -> str:
        """Short name, such as ``decam``; the key in `READERS`."""

    def recognizes(self, path: Path) -> bool:
        """Return whether a file looks like this survey's; never raises, reads little."""

    def read_header(self, path: Path) -> SurveyHeader:
        """Read what can be said without the pixels.

        Raises
        ------
        UnusableInputError
            If the file or one that belongs to it is missing, broken, or lacks what is needed.
        """

    def read(self, path: Path) -> SurveyImage:
        """Read one image with all that belongs to it.

        Raises
        ------
        UnusableInputError
            If the file or one that belongs to it is missing, broken, or lacks what is needed.
        """


@runtime_checkable
class MosaicReader(Reader, Protocol):
    """Reads files of which one may hold many detectors."""

    def images_in(self, path: Path) -> Sequence[Path]:
        """Return the addresses of a file's images, which `Reader.read` takes; never raises."""


def images_in(reader: Reader, path: Path) -> Sequence[Path]:
    """Return what a reader is to be given to read all of a file: its path, if it is one image."""
    return reader.images_in(path) if isinstance(reader, MosaicReader) else [path]


def pixel_scale_arcsec(projection: SkyProjection[Any], bbox: Box) -> float:
    """Return the side of a square of the same area as the pixel in the middle, in arcsec."""
    x = 0.5 * (bbox.x.min + bbox.x.max) + np.array([0.0, 1.0, 0.0])
    y = 0.5 * (bbox.y.min + bbox.y.max) + np.array([0.0, 0.0, 1.0])
    sky = projection.pixel_to_sky(x=x, y=y)
    origin, right, up = directions_from_sky(ra=sky.icrs.ra.deg, dec=sky.icrs.dec.deg)
    area = float(np.dot(origin, np.cross(right - origin, up - origin)))
    return math.degrees(math.sqrt(abs(area))) * 3600.0
