"""The readers, by name, and which of them reads a given file."""

from __future__ import annotations

__all__ = ["READERS", "is_companion", "reader_for"]

from collections.abc import Mapping
from pathlib import Path

from ..errors import UnusableInputError
from ._base import Reader
from .decam import DecamReader
from .rubin import RubinReader
from .sdss import SdssReader
from .sdss_files import is_sdss_companion

_ALL: tuple[Reader, ...] = (RubinReader(), DecamReader(), SdssReader())

READERS: Mapping[str, Reader] = {reader.name: reader for reader in _ALL}
"""All readers by name; the first that recognizes a file reads it."""


def is_companion(path: Path) -> bool:
    """Return whether a file is named like one that belongs to an image, and is none itself.

    Masks, PSFs and calibrations that lie beside images are found by their readers. Whoever is given
    all files of a folder leaves these out; `reader_for` refuses them and says so.
    """
    return is_sdss_companion(path)


def reader_for(path: Path, *, camera: Reader | None = None) -> Reader:
    """Return the reader of a file.

    Parameters
    ----------
    path
        The file.
    camera
        The reader that it is to be read with, whatever it looks like; None: the one that recognizes
        it.

    Raises
    ------
    UnusableInputError
        If the file does not exist or no reader recognizes it.
    """
    if not path.is_file():
        raise UnusableInputError(str(path), "there is no such file.")
    if camera is not None:
        return camera
    for reader in READERS.values():
        if reader.recognizes(path):
            return reader
    if is_companion(path):
        raise UnusableInputError(
            str(path),
            "it is no image, but belongs to one and is found from there: give the images alone (of "
            "SDSS the files fpC-*).",
        )
    raise UnusableInputError(
        str(path),
        f"none of the readers ({', '.join(READERS)}) recognizes this file. Plain FITS of any "
        "camera are read with --camera: see docs/how-to/any-camera.md.",
    )
