"""Access to the tables and cards of a file, so that whatever is missing is named with its place."""

from __future__ import annotations

__all__ = ["Tables", "open_tables"]

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from ...errors import UnusableInputError
from ...files.fits_units import check_counts

# astropy reports a broken file by many kinds of error.
_BROKEN = (
    AstropyUserWarning,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    TypeError,
    ValueError,
)


class Tables:
    """The tables of an open FITS file.

    Parameters
    ----------
    hdus, path
        The file, open, and its name.
    """

    def __init__(self, hdus: fits.HDUList, path: Path) -> None:
        self._hdus = hdus
        self.path = path

    def refused(self, reason: str) -> UnusableInputError:
        """Return the error that says why the file cannot be used."""
        return UnusableInputError(str(self.path), reason)

    def __contains__(self, table: str | int) -> bool:
        if isinstance(table, int):
            return table < len(self._hdus)
        return table in self._hdus

    def header(self, table: str | int) -> fits.Header:
        """Return the header of a table, or of the primary HDU with the number 0.

        Raises
        ------
        UnusableInputError
            If there is no such HDU, or it is not a table.
        """
        if table not in self:
            raise self.refused(f"HDU {table} is missing.")
        hdu = self._hdus[table]
        if table != 0 and not isinstance(hdu, fits.BinTableHDU):
            raise self.refused(f"HDU {table} is not a binary table.")
        return hdu.header

    def card[T: (int, str, float)](self, table: str | int, keyword: str, kind: type[T]) -> T:
        """Return the value of a header card.

        Raises
        ------
        UnusableInputError
            If it is missing or of another kind.
        """
        header = self.header(table)
        if keyword not in header:
            raise self.refused(f"HDU {table} lacks the header card {keyword}.")
        value = header[keyword]
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.refused(
                f"HDU {table}: the card {keyword} must be of type {kind.__name__}, got {value!r}."
            )
        return value

    def columns(self, table: str | int) -> list[str]:
        """Return the names of the columns of a table."""
        self.header(table)
        return list(self._hdus[table].columns.names)

    def column(
        self,
        table: str | int,
        name: str,
        *,
        dtype: npt.DTypeLike | None = None,
        shape: tuple[int, ...] | None = (),
        rows: npt.NDArray[np.intp] | None = None,
    ) -> npt.NDArray[Any]:
        """Return a copy of a column, in the byte order of this machine.

        Parameters
        ----------
        table, name
            Which one.
        dtype
            Type of the result; None: as stored.
        shape
            What a row must hold; None: anything.
        rows
            The rows to read; None: all.

        Raises
        ------
        UnusableInputError
            If it is missing, has another shape, or cannot be read.
        """
        if name not in self.columns(table):
            raise self.refused(f"HDU {table} lacks the column {name!r}.")
        try:
            stored = np.asarray(self._hdus[table].data[name])
            if shape is None or stored.shape[1:] == shape:
                part = stored if rows is None else stored[rows]
                return part.astype(dtype or stored.dtype.newbyteorder("="), copy=True)
        except _BROKEN as error:
            raise self.refused(f"HDU {table}: column {name!r} cannot be read ({error}).") from error
        raise self.refused(
            f"HDU {table}: a row of column {name!r} has the shape {stored.shape[1:]}, "
            f"expected {shape}."
        )


@contextlib.contextmanager
def open_tables(path: Path) -> Iterator[Tables]:
    """Open a FITS file for reading; pages of it are loaded as they are needed, if it is plain.

    Raises
    ------
    UnusableInputError
        If the file does not exist, is not FITS, or is cut short.
    """
    if not path.is_file():
        raise UnusableInputError(str(path), "there is no such file.")
    with contextlib.ExitStack() as stack:
        try:
            # Opened here, since astropy leaves the file open when the end of it is missing.
            stream = stack.enter_context(path.open("rb"))
            check_counts(stream)
            with warnings.catch_warnings():
                warnings.filterwarnings(
                    "error", message="File may have been truncated", category=AstropyUserWarning
                )
                hdus = stack.enter_context(fits.open(stream, lazy_load_hdus=False))
        except _BROKEN as error:
            raise UnusableInputError(str(path), f"it cannot be read as FITS ({error}).") from error
        yield Tables(hdus, path)
