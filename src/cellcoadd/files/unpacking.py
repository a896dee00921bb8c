"""Files that are compressed as a whole (``.gz``), unpacked once for all of their parts."""

from __future__ import annotations

__all__ = ["UnpackedFile"]

import gzip
import shutil
import tempfile
import weakref
import zlib
from pathlib import Path

from ..errors import UnusableInputError

_CHUNK = 1 << 20


class UnpackedFile:
    """A file as FITS: one that is compressed as a whole (``.gz``) is unpacked, once.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    UnusableInputError
        If it cannot be unpacked.

    Notes
    -----
    A part of a gzip file costs as much as all of it, and the pixels of an image are read strip by
    strip. What is unpacked is a temporary file, gone when nobody can ask for pixels any more: many
    images are open at a time, whose pixels do not fit into the memory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.suffix != ".gz" or not path.is_file():
            return
        with tempfile.NamedTemporaryFile(
            prefix="cellcoadd-", suffix=".fits", delete=False
        ) as unpacked:
            self.path = Path(unpacked.name)
            weakref.finalize(self, self.path.unlink, missing_ok=True)
            try:
                with gzip.open(path) as packed:
                    shutil.copyfileobj(packed, unpacked, _CHUNK)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise UnusableInputError(
                    str(path), f"the file is cut off or damaged ({error})."
                ) from error
