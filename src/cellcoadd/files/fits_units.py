"""Where in an open FITS file headers and data are, by the FITS standard (4.0, section 3) alone."""

from __future__ import annotations

__all__ = [
    "BLOCK",
    "CARD",
    "AbsurdCountError",
    "BrokenFitsError",
    "FitsUnit",
    "axes_of",
    "check_counts",
    "units_of",
]

import dataclasses
import math
import os
import re
from collections.abc import Iterator
from typing import IO, Any

BLOCK = 2880
"""Bytes; all that is in a FITS file takes whole ones."""

CARD = 80
"""Bytes of a line of a header."""
_MOST = 999  # axes and columns, by the standard
_COUNTS = ("NAXIS", "ZNAXIS", "TFIELDS")
_STRUCTURE = re.compile(r"Z?NAXIS[0-9]*|Z?BITPIX|[PG]COUNT|TFIELDS")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_CARD = re.compile(r"([A-Z0-9_-]{1,8}) *= +(?:'([^']*?) *'|([^/ ]+))")

type Header = dict[str, Any]
"""Integers and strings of one card, by keyword; any other value as it is spelled."""


class BrokenFitsError(OSError):
    """A FITS file is not as its headers, or what else describes it, say."""


class AbsurdCountError(BrokenFitsError):
    """A header says that an HDU has more axes or columns than keywords can name, or no size."""


@dataclasses.dataclass(frozen=True)
class FitsUnit:
    """A header, and where in the file it and the data are that it describes."""

    header: Header
    start: int
    """Address of the header."""
    address: int
    """Address of the data."""

    @property
    def size(self) -> int:
        """Bytes of the data."""
        axes = axes_of(self.header, "NAXIS")
        elements = self.header.get("PCOUNT", 0) + (math.prod(axes) if axes else 0)
        size: int = abs(self.header["BITPIX"]) // 8 * self.header.get("GCOUNT", 1) * elements
        return size

    @property
    def end(self) -> int:
        """Address after the data, which fill whole blocks."""
        return self.address + self.size + -self.size % BLOCK

    @property
    def name(self) -> tuple[str, int]:
        """``EXTNAME`` and ``EXTVER``."""
        return self.header.get("EXTNAME", ""), self.header.get("EXTVER", 1)


def units_of(stream: IO[bytes], *, text_only: bool = True) -> Iterator[FitsUnit]:
    """Look at all headers of a file, one after the other.

    Parameters
    ----------
    stream
        The file.
    text_only
        Whether a header must be ASCII, as the standard wants it.

    Raises
    ------
    BrokenFitsError
        If the file ends within a header, or a header is not ASCII or not that of an HDU.
    AbsurdCountError
        If a size is no number or negative, there are too many axes, or a header says two of a size.
    """
    end = stream.seek(0, os.SEEK_END)
    address = 0
    while address < end:
        stream.seek(address)
        if stream.read(1) == b"\0" and not any(stream.read()):
            return  # zeros after the last HDU do no harm
        stream.seek(address)
        header = _read_header(stream, text_only=text_only)
        unit = FitsUnit(header, address, stream.tell())
        try:
            address = unit.end
        except KeyError as error:
            raise BrokenFitsError(
                "The FITS file has a header without sizes; it is broken."
            ) from error
        except (TypeError, ValueError) as error:
            raise AbsurdCountError(
                "The FITS file has a header whose sizes are no numbers; it is broken."
            ) from error
        if unit.size < 0:
            raise AbsurdCountError("The FITS file has an HDU of negative size; it is broken.")
        yield unit


def check_counts(stream: IO[bytes]) -> None:
    """Refuse a file in which an HDU has more axes or columns than there can be, or no size.

    Who counts up to what ``NAXIS`` says may count for hours, and who goes back by a negative size
    reads the same HDU for ever. Files that are broken in any other way pass.

    Raises
    ------
    AbsurdCountError
        If there are more than 999, or a size is negative or no number.
    """
    try:
        for unit in units_of(stream, text_only=False):
            for keyword in _COUNTS:
                _check_count(unit.header, keyword)
    except AbsurdCountError:
        raise
    except BrokenFitsError:
        pass
    finally:
        stream.seek(0)


def _check_count(header: Header, keyword: str) -> None:
    count = header.get(keyword, 0)
    if isinstance(count, int) and not 0 <= count <= _MOST:
        raise AbsurdCountError(
            f"The FITS file has a header with {keyword} = {count}, {_MOST} are possible; it is "
            "broken."
        )


def axes_of(header: Header, keyword: str) -> list[int]:
    """Return the lengths of the axes, x first, that ``NAXIS`` or ``ZNAXIS`` counts.

    Raises
    ------
    AbsurdCountError
        If there are more than 999.
    """
    _check_count(header, keyword)
    return [header[f"{keyword}{n + 1}"] for n in range(header[keyword])]


def _read_header(stream: IO[bytes], *, text_only: bool) -> Header:
    """Read a header; astropy's parser takes ten times as long."""
    values: Header = {}
    while True:
        data = stream.read(BLOCK)
        if len(data) < BLOCK:
            raise BrokenFitsError("The FITS file ends within a header; it is broken.")
        if text_only and not data.isascii():
            raise BrokenFitsError("The FITS file has a header that is no text; it is broken.")
        block = data.decode("latin-1")
        for start in range(0, BLOCK, CARD):
            card = block[start : start + CARD]
            if card.startswith("END "):
                return values
            if match := _CARD.match(card):
                keyword, text, number = match.groups()
                value = text if number is None else _number(number)
                if values.setdefault(keyword, value) != value and _STRUCTURE.fullmatch(keyword):
                    raise AbsurdCountError(
                        f"The FITS file has a header with two values of {keyword}; it is broken."
                    )


def _number(text: str) -> int | str:
    return int(text) if _INTEGER.fullmatch(text) else text
