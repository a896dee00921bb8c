"""Sealing FITS files: a complete file gets its checksums, see `checksums`."""

from __future__ import annotations

__all__ = ["reserve_sums", "seal_file"]

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits

from .checksums import encode_sum, folded, sum_of
from .file_bytes import FileBytes
from .fits_units import BLOCK, CARD, FitsUnit, units_of
from .gzip_tiles import times_in

_END = b"END".ljust(CARD)
_KEYWORDS = (b"CHECKSUM", b"DATASUM ")
_MEANING = {"CHECKSUM": "all of this HDU adds up to -0 with it", "DATASUM": "sum of the data"}
_NO_SUM = "0" * 16
_NO_TIME = bytes(4)
_CHUNK = 1 << 24  # bytes


def reserve_sums(header: fits.Header) -> None:
    """Put empty cards of the sums into a header that is to be written.

    Then its file need not be written again for want of room. It is for headers that grow with what
    a file was made of; the others have room or not, all alike.
    """
    for keyword in ("CHECKSUM", "DATASUM"):
        header.set(keyword, _NO_SUM, _MEANING[keyword])


def seal_file(path: Path | str) -> None:
    """Give all HDUs of a FITS file their ``DATASUM`` and ``CHECKSUM``, new or anew.

    The data stay as they are, but for the times at which gzip tiles were compressed: these become
    0, so that the same data are the same bytes. Where a header has no room for the two cards, what
    follows is moved by a block, and the addresses that `lsst.images` keeps follow.

    Parameters
    ----------
    path
        A complete file that nobody else reads or writes.

    Raises
    ------
    OSError
        If it is not a FITS file, is compressed as a whole, or cannot be written.
    """
    path = Path(path).resolve()
    if path.suffix == ".gz":
        raise OSError(f"{path}: what is compressed as a whole cannot be sealed; unpack it first.")
    with open(path, "r+b") as stream:
        content = FileBytes(stream)
        units = list(units_of(stream))
        if not units or units[-1].end > len(content):
            raise OSError(f"{path}: what is cut off cannot be sealed.")
        for address in [each for unit in units for each in times_in(content, unit)]:
            stream.seek(address)
            stream.write(_NO_TIME)
        stream.flush()  # and is in what is read by place
        headers = [_header_with_sums(content[unit.start : unit.address]) for unit in units]
        fits_in = all(
            len(header) == unit.address - unit.start
            for unit, header in zip(units, headers, strict=True)
        )
        if fits_in:
            for unit, header in zip(units, headers, strict=True):
                _seal(header, sum_of(content, unit.address, unit.end))
            for unit, header in zip(units, headers, strict=True):
                stream.seek(unit.start)
                stream.write(header)
    if not fits_in:
        _make_room(path, units, headers)
        seal_file(path)


def _header_with_sums(header: bytes) -> bytearray:
    """Return a header with empty cards of the two sums, in whole blocks."""
    cards = [header[start : start + CARD] for start in range(0, len(header), CARD)]
    end = next(number for number, card in enumerate(cards) if card.startswith(b"END "))
    kept = [card for card in cards[:end] if card[:8] not in _KEYWORDS]
    result = bytearray().join([*kept, _card("CHECKSUM", _NO_SUM), _card("DATASUM", "0"), _END])
    return result.ljust(len(result) + -len(result) % BLOCK)


def _seal(header: bytearray, data: int) -> None:
    """Write the sums into the last two cards of a header."""
    place = header.rindex(_END) - 2 * CARD
    header[place + CARD : place + 2 * CARD] = _card("DATASUM", str(data))
    whole = folded(data + int(np.frombuffer(header, ">u4").sum(dtype=np.uint64)))
    header[place : place + CARD] = _card("CHECKSUM", encode_sum(whole))


def _card(keyword: str, text: str) -> bytes:
    quoted = f"'{text:8}'"  # filled up to column 30, as astropy does before it adds up
    return f"{keyword:8}= {quoted:20} / {_MEANING[keyword]}".ljust(CARD).encode("ascii")


def _make_room(path: Path, units: Sequence[FitsUnit], headers: Sequence[bytearray]) -> None:
    """Write a file anew with longer headers, and correct the addresses that it has inside."""
    unfinished = path.with_name(f".{path.name}.sealing")
    places: dict[int, int] = {}
    try:
        with open(path, "rb") as source, open(unfinished, "wb") as target:
            for unit, header in zip(units, headers, strict=True):
                places[unit.start] = target.tell()
                target.write(header)
                places[unit.address] = target.tell()
                source.seek(unit.address)
                for first in range(unit.address, unit.end, _CHUNK):
                    target.write(source.read(min(_CHUNK, unit.end - first)))
        if "INDXADDR" in units[0].header:
            _correct_index(unfinished, units, places)
        shutil.copymode(path, unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _correct_index(path: Path, units: Sequence[FitsUnit], places: Mapping[int, int]) -> None:
    """Correct the addresses of an `lsst.images` archive, in its index and its primary header."""
    sizes = {unit.start: places[unit.address] - places[unit.start] + unit.end - unit.address
             for unit in units}  # fmt: skip
    with fits.open(path, mode="update", disable_image_compression=True, memmap=False) as hdus:
        header, index = hdus[0].header, hdus["INDEX"].data
        for row in index:
            row["HDRADDR"] = places[int(row["HDRADDR"])]
            row["DATADDR"] = places[int(row["DATADDR"])]
        for what in ("INDX", "JSON"):
            old = int(header[f"{what}ADDR"])
            header[f"{what}ADDR"], header[f"{what}SIZE"] = places[old], sizes[old]
