"""Files that are compressed as a whole (``.gz``), unpacked once for all of their parts."""

from __future__ import annotations

__all__ = ["MOST_BYTES", "UnpackedFile", "unpack"]

import gzip
import tempfile
import weakref
import zlib
from pathlib import Path
from typing import IO

from ..errors import UnusableInputError
from .guard import WAY_OUT

MOST_BYTES = 16 << 30
"""That a file may have when it is unpacked. The 62 detectors of DECam have 6 GB, in three planes of
4 bytes a pixel; a broken file of 16 MB can become these."""

_CHUNK = 1 << 20


def unpack(path: Path, target: IO[bytes]) -> None:
    """Unpack a file that is compressed as a whole, 1 MB at a time.

    Parameters
    ----------
    path
        The file, in the gzip format.
    target
        Where its content goes.

    Raises
    ------
    UnusableInputError
        If it is cut off or damaged, or has more than `MOST_BYTES` when it is unpacked.
    """
    size = 0
    try:
        with gzip.open(path) as packed:
            while chunk := packed.read(_CHUNK):
                size += len(chunk)
                if size > MOST_BYTES:
                    raise UnusableInputError(
                        str(path),
                        f"it has more than {MOST_BYTES} bytes when it is unpacked, which are the "
                        "most that are allowed: unpack it, and give its parts.",
                    )
                target.write(chunk)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnusableInputError(
            str(path),
            f"it cannot be unpacked, the file is cut off or damaged ({error}): {WAY_OUT}.",
        ) from error


class UnpackedFile:
    """A file as FITS: one that is compressed as a whole (``.gz``) is unpacked, once.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    UnusableInputError
        If it cannot be unpacked, or is too large.

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
            unpack(path, unpacked)
