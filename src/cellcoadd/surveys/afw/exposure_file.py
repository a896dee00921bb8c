"""An afw exposure as it lies in a file: its extensions, its cards, and where its parts are.

Which of the tables is what is in `archive`; what the parts mean, in the files beside this one.
"""

from __future__ import annotations

__all__ = ["ExposureFile", "bbox_of_pixels", "open_exposure", "primary_cards"]

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from astropy.io import fits
from lsst.images import Box

from ...errors import UnusableInputError
from ...files.computer_errors import raise_if_of_the_computer
from ..fits_files import open_fits, primary_header
from .archive import Archive, Stored
from .visit_summary import SummaryRow

_NEWEST = 2
_VERSION = "EXPINFO_V"
_INDEX = "AR_HDU"
_PLANES = ("IMAGE", "MASK", "VARIANCE")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ExposureFile:
    """An open file of an exposure.

    Parameters
    ----------
    path
        The file.
    hdus
        Its extensions.
    header
        The cards that belong to the whole exposure.
    planes
        Image, mask and variance, by these names.
    bbox
        The pixels, in coordinates of the detector (afw's parent).
    archive
        Its archive, if it has one.
    version
        That of the layout, 0 to 2.
    summary
        What a visit summary says of the detector, which is to be taken before what the file says.
    """

    path: Path
    hdus: fits.HDUList
    header: fits.Header
    planes: dict[str, Any]
    bbox: Box
    archive: Archive | None
    version: int
    summary: SummaryRow | None = None

    @property
    def source(self) -> str:
        """The file, for messages."""
        return str(self.path)

    def own(self, key: str) -> Stored | None:
        """Return a part that the file itself has; None if it has none.

        Parameters
        ----------
        key
            As cards name it: ``PSF``, ``SKYWCS``.
        """
        number = next(
            (
                int(value)
                for name in (f"ARCHIVE_ID_{key}", f"{key}_ID")
                if isinstance(value := self.header.get(name), int)
            ),
            0,
        )
        return None if self.archive is None or number == 0 else self.archive.get(number)

    def part(self, key: str) -> tuple[Archive, Stored] | None:
        """Return a part and the archive that it is in: the visit summary's, else the file's."""
        if self.summary is not None and (stored := self.summary.part(key)) is not None:
            return self.summary.archive, stored
        stored = self.own(key)
        if stored is None or self.archive is None:
            return None
        return self.archive, stored


def primary_cards(path: Path) -> fits.Header | None:
    """Return the primary header if it is that of an exposure with an archive.

    Raises
    ------
    OSError
        If not the file but the computer fails.
    """
    try:
        header = primary_header(path)
    except (OSError, ValueError, TypeError, LookupError, EOFError) as error:
        raise_if_of_the_computer(error, path)
        return None
    is_one = header.get("NAXIS") == 0 and _INDEX in header
    return header if is_one and "DATAMODL" not in header else None


@contextlib.contextmanager
def open_exposure(path: Path) -> Iterator[ExposureFile]:
    """Open a file of an exposure.

    Parameters
    ----------
    path
        FITS, as lsst.afw writes it, perhaps compressed.

    Yields
    ------
    exposure
        Its pixels are read when they are asked for.

    Raises
    ------
    UnusableInputError
        If it is no file of an exposure, of a version that is not known, cut off or broken.
    """
    with open_fits(path) as hdus:
        header = _whole_header(hdus)
        version = header.get(_VERSION, 0)
        if not isinstance(version, int) or not 0 <= version <= _NEWEST:
            raise UnusableInputError(
                str(path),
                f"its {_VERSION} is {version}; layouts of lsst.afw up to {_NEWEST} are known: read "
                "it with the Rubin pipelines, or a newer version of this package.",
            )
        planes = _planes(hdus, path)
        index = header.get(_INDEX)
        archive = None if index is None else Archive(hdus, int(index) - 1, str(path))
        yield ExposureFile(
            path=path,
            hdus=hdus,
            header=header,
            planes=planes,
            bbox=bbox_of_pixels(planes["IMAGE"], str(path)),
            archive=archive,
            version=version,
        )


def _whole_header(hdus: fits.HDUList) -> fits.Header:
    """Return the cards of the whole exposure: those of the image alone, if it inherits none."""
    header = hdus[0].header
    return header if len(hdus) < 2 or "INHERIT" in hdus[1].header else hdus[1].header


def _planes(hdus: fits.HDUList, path: Path) -> dict[str, Any]:
    """Find image, mask and variance by what they say they are."""
    planes = {}
    for name in _PLANES:
        found = [hdu for hdu in hdus[1:] if str(hdu.header.get("EXTTYPE", "")).strip() == name]
        if len(found) != 1 or not found[0].is_image or len(found[0].shape) != 2:
            raise UnusableInputError(
                str(path),
                f"one image of two axes must have EXTTYPE {name}; {len(found)} extensions have it. "
                "It is no exposure of lsst.afw, or a part of one.",
            )
        planes[name] = found[0]
    shapes = {hdu.shape for hdu in planes.values()}
    if len(shapes) != 1 or 0 in next(iter(shapes)):
        raise UnusableInputError(
            str(path),
            "its image, mask and variance must be of one size, with pixels; they have "
            f"{', '.join(str(hdu.shape) for hdu in planes.values())}.",
        )
    return planes


def bbox_of_pixels(hdu: Any, source: str) -> Box:
    """Return where the pixels of an extension are, by the second WCS of its header.

    Raises
    ------
    UnusableInputError
        If that is at no whole numbers.
    """
    header, (rows, columns) = hdu.header, hdu.shape
    x0 = y0 = 0
    if header.get("CRPIX1A") == 1 and header.get("CRPIX2A") == 1:
        start = header.get("CRVAL1A", 0), header.get("CRVAL2A", 0)
        if any(value != int(value) for value in start):
            raise UnusableInputError(
                source, f"its first pixel must be at whole numbers, it is at {start}."
            )
        x0, y0 = (int(value) for value in start)
    return Box.factory[y0 : y0 + rows, x0 : x0 + columns]
