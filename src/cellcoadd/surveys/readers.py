"""The readers, by name, and which of them reads a given file."""

from __future__ import annotations

__all__ = ["READERS", "reader_for"]

from collections.abc import Mapping
from pathlib import Path

from ..errors import UnusableInputError
from ._base import Reader
from .decam import DecamReader
from .rubin import RubinReader

_ALL: tuple[Reader, ...] = (
    RubinReader(),
    DecamReader(),
    DecamReader(name="decam-with-cuts", accept_cut=True),
)

READERS: Mapping[str, Reader] = {reader.name: reader for reader in _ALL}
"""All readers by name; the first that recognizes a file reads it."""


def reader_for(path: Path) -> Reader:
    """Return the reader of a file.

    Raises
    ------
    UnusableInputError
        If the file does not exist or no reader recognizes it.
    """
    if not path.is_file():
        raise UnusableInputError(str(path), "there is no such file.")
    for reader in READERS.values():
        if reader.recognizes(path):
            return reader
    raise UnusableInputError(
        str(path), f"none of the readers ({', '.join(READERS)}) recognizes this file."
    )
