"""Which files somebody means: names, folders, patterns, lists; of these the images, one by one.

A companion of an image (its weight, its mask, its calibration) is found by the image's reader and
is passed over here. In a folder only what a reader recognizes counts; what is named by itself must
be an image.
"""

from __future__ import annotations

__all__ = ["ImageFile", "expand", "read_headers"]

import dataclasses
import glob
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from .errors import UnusableInputError
from .products.identifiers import ObservationIdentifiers
from .surveys import (
    READERS,
    PlainFitsReader,
    Reader,
    SurveyHeader,
    is_companion,
    reader_for,
)
from .surveys.mosaic_files import file_exists

_PATTERN = frozenset("*?[")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ImageFile:
    """An image that can be read.

    Parameters
    ----------
    path
        The file, or the address of one detector in it.
    reader
        Who reads it.
    header
        What it says of itself.
    """

    path: Path
    reader: Reader
    header: SurveyHeader


def expand(names: Iterable[str], *, camera: Reader | None = None) -> list[Path]:
    """Return the files that names stand for, sorted, each once.

    Parameters
    ----------
    names
        Files, folders (all images at any depth), patterns such as ``night1/*.fits``, single
        detectors of mosaics such as ``visit.fits.fz[N4]``, and ``@list``: a file with one of these
        a line, from its own folder; blank lines and ``#`` are passed over.
    camera
        The reader of all of them; None: each file has the one that recognizes it.

    Raises
    ------
    UnusableInputError
        If a list does not exist or is no text, or a pattern or folder leads to no image.
    """
    found: dict[Path, None] = {}
    for name in names:
        if name.startswith("@"):
            files = expand(_lines_of(Path(name[1:])), camera=camera)
        elif Path(name).is_dir():
            files = [file for file in sorted(Path(name).rglob("*")) if _is_image(file, camera)]
        elif _PATTERN.intersection(name) and not file_exists(Path(name)):
            files = [Path(file) for file in sorted(glob.glob(name, recursive=True))]
            files = [file for file in files if file.is_file() and not _belongs(file, camera)]
        else:
            files = [] if _belongs(Path(name), camera) else [Path(name)]
            found.update(dict.fromkeys(files))
            continue
        if not files:
            raise UnusableInputError(
                name,
                f"no image that {', '.join(READERS)} read is there; plain FITS of any camera are "
                "read with --camera."
                if camera is None
                else f"no image of the camera {camera.name} is there.",
            )
        found.update(dict.fromkeys(files))
    return sorted(found)


def read_headers(
    paths: Sequence[Path],
    *,
    camera: Reader | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[ImageFile], list[UnusableInputError]]:
    """Read what images say of themselves.

    Parameters
    ----------
    paths
        Files.
    camera
        The reader of all of them; None: each has the one that recognizes it.
    progress
        Called after each with the number of files done and that of all.

    Returns
    -------
    images
        In the order of the files; each detector of a mosaic is one.
    refused
        Files that cannot be used, with the reason; the second of two that are the same detector of
        the same visit is among them, unless the first cannot be read.
    """  # noqa: DOC501  (what is raised for a file refuses that file, here)
    refused: list[UnusableInputError] = []
    known: dict[ObservationIdentifiers, ImageFile] = {}
    for number, path in enumerate(paths, 1):
        try:
            reader = reader_for(path, camera=camera)
        except UnusableInputError as error:
            refused.append(error)
        else:
            for address in reader.images_in(path):
                try:
                    image = ImageFile(
                        path=address, reader=reader, header=reader.read_header(address)
                    )
                    if (twin := known.get(image.header.observation)) is not None:
                        image = _one_of(twin, image, refused)
                    known[image.header.observation] = image
                except UnusableInputError as error:
                    refused.append(error)
        if progress is not None:
            progress(number, len(paths))
    return list(known.values()), refused


def _one_of(first: ImageFile, twin: ImageFile, refused: list[UnusableInputError]) -> ImageFile:
    """Return the first of two files of the same image; the second one if the first is broken."""
    try:
        first.reader.read(first.path).calibrated_image.masked_image[...]
    except UnusableInputError as error:
        refused.append(error)
        return twin
    refused.append(
        UnusableInputError(
            str(twin.path),
            f"it is {twin.header.observation}, which {first.path} is already: give one.",
        )
    )
    return first


def _is_image(path: Path, camera: Reader | None) -> bool:
    if not path.is_file() or _belongs(path, camera):
        return False
    if camera is not None:
        return camera.recognizes(path)
    return any(reader.recognizes(path) for reader in READERS.values())


def _belongs(path: Path, camera: Reader | None) -> bool:
    """Return whether a file is a companion of an image."""
    if isinstance(camera, PlainFitsReader):
        return camera.is_companion(path)
    return is_companion(path)


def _lines_of(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableInputError(f"@{path}", f"the list cannot be read ({error}).") from error
    names = [line.strip() for line in lines]
    return [
        name if name.startswith("@") else str(path.parent / name)
        for name in names
        if name and not name.startswith("#")
    ]
