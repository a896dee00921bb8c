"""Opening FITS files so that a broken one is refused by name, whatever is broken about it."""

from __future__ import annotations

__all__ = ["is_cut_off", "open_fits", "primary_header", "read_pixels"]

import contextlib
import gzip
import io
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
from astropy.io import fits
from astropy.io.fits.verify import VerifyWarning
from astropy.utils.exceptions import AstropyUserWarning

from ..errors import UnusableInputError
from ..files.fits_units import check_counts
from ..files.guard import file_guard
from ..files.tile_bounds import check_tiles
from ..files.unpacking import unpack
from .mosaic_files import part_of_file, split_address
from .plausible_values import checked_size

# What astropy says of a file that ends too early, where it says nothing of a file; and what we do.
_CUT_OFF = (
    "does not contain an underlying memory buffer",
    "buffer is too small for requested array",
    "Header size is not multiple of 2880",
    "is cut off: ",
    "The FITS file ends ",
)


_UNREADABLE = "it cannot be read as FITS or lacks what is needed"
_GZIP, _FITS = b"\x1f\x8b", b"SIMPLE  ="
_IN_MEMORY = 256 << 20  # bytes that a file may have unpacked without a file on a disk
_LARGEST_TABLE = 16 << 30  # bytes: as much as a file may have when it is unpacked


def is_cut_off(error: BaseException) -> bool:
    """Return whether an error of reading means that a file ends before its time."""
    return any(sign in str(error) for sign in _CUT_OFF)


@contextlib.contextmanager
def open_fits(
    path: Path, *, unpack: bool = True, content: bytes | None = None
) -> Iterator[fits.HDUList]:
    """Open a FITS file for reading.

    Parameters
    ----------
    path
        The file, or the address of one extension, which is seen as a file of its own.
    unpack
        Whether compressed images are to be seen as images; otherwise as the tables that they are.
    content
        All bytes of the file, if they were read before: the file may be gone.

    Raises
    ------
    UnusableInputError
        If the file does not exist, is not FITS, is cut short, or if what is read from it inside of
        the ``with`` block turns out to be unreadable.
    OSError
        If not the file but the computer fails.

    Notes
    -----
    astropy reports a broken file by many kinds of error, which is why all that a broken file can
    raise is caught here.
    """
    file, extension = split_address(path)
    if content is None and not file.is_file():
        raise UnusableInputError(str(path), "there is no such file.")
    with file_guard(path, _UNREADABLE), warnings.catch_warnings():
        # Headers of old cameras break the standard in ways that do no harm.
        warnings.simplefilter("ignore", VerifyWarning)
        warnings.filterwarnings(
            "error", message="File may have been truncated", category=AstropyUserWarning
        )
        # Opened here, since astropy leaves the file open when the end of it is missing.
        with (
            _opened(file, extension) if content is None else io.BytesIO(content) as stream,
            _checked(stream),
            fits.open(
                stream,
                memmap=False,
                lazy_load_hdus=False,
                disable_image_compression=not unpack,
            ) as hdus,
        ):
            _check_sizes(hdus, path)
            yield hdus


def primary_header(path: Path) -> fits.Header:
    """Return the first header of a file, which may be compressed by gzip.

    Raises
    ------
    OSError
        If it cannot be read; zlib has an error of its own.
    """
    with path.open("rb") as stream:
        packed = stream.read(len(_GZIP)) == _GZIP
        stream.seek(0)
        with gzip.GzipFile(fileobj=stream) if packed else stream as plain:
            if plain.read(len(_FITS)) != _FITS:
                raise OSError("it does not begin as a FITS file does")
            plain.seek(0)
            return fits.Header.fromfile(plain)


def _opened(file: Path, extension: str | None) -> IO[bytes]:
    """Open a file or a part of one; what is compressed as a whole is unpacked, once."""
    if extension is not None:
        return part_of_file(file, extension)
    with file.open("rb") as stream:
        packed = stream.read(len(_GZIP)) == _GZIP
    if not packed:
        return file.open("rb")
    unpacked = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  (the caller closes it)
    try:
        unpack(file, unpacked)
        unpacked.seek(0)
    except BaseException:
        unpacked.close()
        raise
    return unpacked


@contextlib.contextmanager
def _checked(stream: IO[bytes]) -> Iterator[None]:
    """Look at what astropy would count to, or unpack, without an end."""
    check_counts(stream)
    check_tiles(stream)
    yield


def _check_sizes(hdus: fits.HDUList, path: Path) -> None:
    """Refuse what would fill the memory before it is found out to be broken."""
    for hdu in hdus:
        shape = getattr(hdu, "shape", None)  # of images, compressed ones that are unpacked too
        if shape is not None:
            checked_size(shape, str(path))
        elif (size := hdu.size) > _LARGEST_TABLE:
            raise UnusableInputError(
                str(path), f"its table {hdu.name} has {size} bytes, {_LARGEST_TABLE} are allowed."
            )


def read_pixels(
    hdus: fits.HDUList, extension: int | str, path: Path, *, shape: tuple[int, ...] | None = None
) -> npt.NDArray[np.generic]:
    """Return the pixels of an extension, in the byte order of this machine.

    Parameters
    ----------
    hdus, path
        The file, open, and its name.
    extension
        Number or name.
    shape
        The number of rows and columns that it must have.

    Raises
    ------
    UnusableInputError
        If the extension has no two-dimensional pixels or not this shape.
    """
    pixels = hdus[extension].data
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.size == 0:
        raise UnusableInputError(str(path), f"extension {extension} holds no image.")
    if shape is not None and pixels.shape != shape:
        raise UnusableInputError(
            str(path),
            f"its image has {pixels.shape[0]} rows and {pixels.shape[1]} columns, "
            f"the image that it belongs to has {shape[0]} and {shape[1]}: they must be the same.",
        )
    return pixels.astype(pixels.dtype.newbyteorder("="))
