"""Images that this package wrote, as inputs: files of a `CalibratedImage`.

So whoever can make a `CalibratedImage` of whatever files can write it, and give it to all that
takes files of images. The stored form is `products.calibrated_image.stored`.
"""

from __future__ import annotations

__all__ = ["CalibratedFileReader"]

import contextlib
import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path

from lsst.images import Box, MaskedImage

from ..files.computer_errors import raise_if_of_the_computer
from ..files.entry_archive import EntryArchive
from ..files.reading import errors_named, sound_file
from ..products.calibrated_image import CalibratedImage
from ..products.calibrated_image.deferred_pixels import DeferredPixels
from ..products.calibrated_image.observation_details import ObservationDetails
from ..products.calibrated_image.stored import CalibratedImageModel
from ._base import SurveyHeader, SurveyImage
from .checks import check_plausible, check_projection, check_usable, middle_rows
from .fits_files import primary_header

_MARK = f"/{CalibratedImageModel.SCHEMA_NAME}-"


@dataclasses.dataclass(frozen=True, kw_only=True)
class CalibratedFileReader:
    """Reads FITS files of a `CalibratedImage`, not compressed as a whole."""

    name: str = "calibrated"

    def recognizes(self, path: Path) -> bool:
        """Return whether the primary header says that the file holds a calibrated image."""
        if path.suffix != ".fits":
            return False
        try:
            return _MARK in str(primary_header(path).get("DATAMODL", ""))
        except (OSError, ValueError, TypeError, LookupError) as error:
            raise_if_of_the_computer(error, path)
            return False

    def read_header(self, path: Path) -> SurveyHeader:
        """Read all but most of the pixels.

        Raises
        ------
        UnusableInputError
            If the file is broken, or its WCS is.
        """
        with _opened(path) as (archive, tree):
            box = tree.bbox
            image: CalibratedImage = tree.deserialize(archive, bbox=middle_rows(box))
        return _header(path, image, box)

    def read(self, path: Path) -> SurveyImage:
        """Read one image, verified by its checksums; its pixels are read when they are needed.

        Raises
        ------
        UnusableInputError
            If the file is broken, or the image is not usable.
        """
        with errors_named(path, CalibratedImage), sound_file(str(path)):
            pass
        with _opened(path) as (archive, tree):
            box = tree.bbox
            sample: CalibratedImage = tree.deserialize(archive, bbox=middle_rows(box))
        image = dataclasses.replace(
            sample,
            masked_image=DeferredPixels(
                functools.partial(_pixels, path), bbox=box, sky_projection=sample.sky_projection
            ),
        )
        check_usable(image, str(path))
        check_plausible(image, str(path))
        return SurveyImage(calibrated_image=image, header=_header(path, sample, box))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[EntryArchive, CalibratedImageModel]]:  # type: ignore[type-arg]
    with (
        errors_named(path, CalibratedImage),
        EntryArchive.open_tree(str(path), partial=True) as (archive, tree, info),
    ):
        if not isinstance(tree, CalibratedImageModel):
            raise TypeError(f"it holds a {info.schema_name}")
        yield archive, tree


def _pixels(path: Path, bbox: Box) -> MaskedImage:
    with _opened(path) as (archive, tree):
        pixels: MaskedImage = tree.deserialize_component("masked_image", archive, bbox=bbox)
    return pixels


def _header(path: Path, image: CalibratedImage, bbox: Box) -> SurveyHeader:
    check_projection(image.sky_projection, bbox, str(path))
    return SurveyHeader(
        source=path,
        details=ObservationDetails(identifiers=image.observation),
        detector_name=str(image.observation.detector),
        detector_bbox=bbox,
        bbox=bbox,
        sky_projection=image.sky_projection,
        flux_unit=image.flux_unit,
    )
