"""Checksums of FITS files: each HDU says what its data and all of it add up to, and is held to it.

``DATASUM`` and ``CHECKSUM`` follow the FITS standard (4.0, section 4.4.2.7 and appendix J), so that
any FITS tool verifies them too. `sealing.seal_file` gives them to a complete file, whoever wrote
it; `check_file` verifies them before a file is read whole. Adding up goes at several GB a
second, faster than any disk.
"""

from __future__ import annotations

__all__ = [
    "Verdict",
    "check_file",
    "encode_sum",
    "fits_files_in",
    "folded",
    "sum_of",
    "verify_file",
]

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from ..errors import UnusableInputError
from .archive_check import check_archive
from .file_bytes import FileBytes
from .fits_units import BrokenFitsError, FitsUnit, units_of
from .unpacking import unpack

_ONES = 0xFFFFFFFF
_SUMS = ("DATASUM", "CHECKSUM")
_DIGITS = ord("0")
_PUNCTUATION = frozenset(b":;<=>?@[\\]^_`")
_SIGNATURE = b"SIMPLE  ="
_ENDINGS = (".fit", ".fits", ".fits.fz", ".fits.gz", ".hsp")
_CHUNK = 1 << 22  # bytes added up at a time


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the checksums of a FITS file say.

    Parameters
    ----------
    hdus
        Number of HDUs that were found.
    sealed
        How many of them have a checksum.
    damage
        A sentence for each HDU that is not as it was written, or for the file.
    """

    hdus: int
    sealed: int
    damage: tuple[str, ...]


def fits_files_in(paths: Iterable[Path]) -> list[Path]:
    """Return files, and for folders all FITS and HealSparse files in them, sorted by folder."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(
                file for file in path.rglob("*") if file.name.endswith(_ENDINGS) and file.is_file()
            )
        else:
            found.append(path)
    return found


def verify_file(file: Path | str | IO[bytes]) -> Verdict:
    """Add up all HDUs of a FITS file and compare with what they say.

    Parameters
    ----------
    file
        A file of this computer, which may be compressed as a whole (``.gz``), or one that is open.

    Raises
    ------
    OSError
        If it cannot be opened.
    UnusableInputError
        If it is not a FITS file, or cannot be unpacked.
    """
    with _opened(file) as (stream, content):
        if not _looks_like_fits(content):
            raise UnusableInputError(str(file), "it is not a FITS file.")
        return _judge(stream, content)


def check_file(file: Path | str | IO[bytes], *, name: str | None = None) -> None:
    """Refuse a FITS file of which an HDU is not as it was written, or as its tree says.

    Files without checksums, which our older versions wrote, pass; so does what is no FITS file, of
    which its reader has more to say.

    Parameters
    ----------
    file
        As in `verify_file`.
    name
        How the user knows it; None: by its path.

    Raises
    ------
    UnusableInputError
        If it is damaged; it names each damaged HDU.
    """
    name = str(file) if name is None else name
    with _opened(file) as (stream, content):
        verdict = _judge(stream, content)
        held = verdict.sealed or (not verdict.hdus and _looks_like_fits(content))
        if not (held and verdict.damage):
            try:
                check_archive(stream)
            except BrokenFitsError as error:
                raise UnusableInputError(name, f"it cannot be read: {error}") from error
    if held and verdict.damage:
        raise UnusableInputError(
            name,
            f"it cannot be read, it is damaged: {'; '.join(verdict.damage)}. Restore it from a "
            "copy, or make it again; if it was changed on purpose, `cellcoadd verify --seal` gives "
            "it new checksums.",
        )


def _looks_like_fits(content: FileBytes | bytes) -> bool:
    """Whether a file begins like a FITS file, though some of it may be damaged."""
    pairs = zip(content[: len(_SIGNATURE)], _SIGNATURE, strict=False)
    return 2 * sum(found == wanted for found, wanted in pairs) > len(_SIGNATURE)


def _judge(stream: IO[bytes], content: FileBytes | bytes) -> Verdict:
    """Return the verdict of an open file with some content."""
    units: list[FitsUnit] = []
    damage: list[str] = []
    try:
        units.extend(units_of(stream))
    except OSError as error:
        damage.append(f"the header of HDU {len(units)} cannot be read ({error})")
    is_sealed = [_has_sums(unit) for unit in units]
    last = _index_of_archive(units)
    if last is None and units and is_sealed[0] and "INDXADDR" in units[0].header:
        damage.append("its index is missing: it is cut off")
    if last is not None and not is_sealed[last]:
        # The cards were carried along by a program that wrote the file anew without sealing it.
        is_sealed = [False] * len(units)
    for number, unit in enumerate(units):
        required = last is not None and is_sealed[last] and number <= last
        if reason := _damage_of(content, unit, held=is_sealed[number], required=required):
            name = unit.header.get("EXTNAME", "without a name" if number else "PRIMARY")
            damage.append(f"HDU {number} ({name}) {reason}")
    return Verdict(hdus=len(units), sealed=sum(is_sealed), damage=tuple(damage))


def _has_sums(unit: FitsUnit) -> bool:
    return any(str(unit.header.get(keyword, "")).strip() for keyword in _SUMS)


def _index_of_archive(units: Sequence[FitsUnit]) -> int | None:
    """Return which HDU is the index of an archive of lsst.images, its last one; None if it is none.

    Whoever seals an archive seals the index, and all that is before it; others may have sums where
    they like.
    """
    if not units or "DATAMODL" not in units[0].header:
        return None
    return next((n for n, unit in enumerate(units) if unit.name[0] == "INDEX"), None)


def _damage_of(
    content: FileBytes | bytes, unit: FitsUnit, *, held: bool, required: bool
) -> str | None:
    """Return what is wrong with an HDU.

    Parameters
    ----------
    content
        The file.
    unit
        The HDU.
    held
        Whether it is held to the sums that it has.
    required
        Whether it must have both.
    """
    needed = unit.end if held else unit.address + unit.size
    if needed > len(content):
        return f"is cut off: {needed - len(content)} bytes are missing"
    stated = {keyword: str(unit.header.get(keyword, "")).strip() for keyword in _SUMS}
    if required and not all(stated.values()):
        return f"has lost its {next(keyword for keyword in _SUMS if not stated[keyword])}"
    if not held:
        return None
    data = sum_of(content, unit.address, unit.end)
    if stated["DATASUM"] and stated["DATASUM"].lstrip("0") != str(data).lstrip("0"):
        return f"has data that add up to {data}, its DATASUM is {stated['DATASUM']}"
    if stated["CHECKSUM"]:
        whole = folded(data + sum_of(content, unit.start, unit.address))
        if whole not in (0, _ONES):
            return "has a header that does not agree with its CHECKSUM"
    return None


@contextlib.contextmanager
def _opened(file: Path | str | IO[bytes]) -> Iterator[tuple[IO[bytes], FileBytes | bytes]]:
    """Give a file as one to read from and as bytes."""
    if not isinstance(file, str | Path):
        file.seek(0)
        yield file, file.read()
        file.seek(0)
        return
    with _unpacked(file) if Path(file).suffix == ".gz" else open(file, "rb") as stream:
        yield stream, FileBytes(stream)


@contextlib.contextmanager
def _unpacked(file: Path | str) -> Iterator[IO[bytes]]:
    """Unpack a file to a disk while it is looked at."""
    with tempfile.TemporaryFile() as target:
        unpack(Path(file), target)
        target.seek(0)
        yield target


def sum_of(content: FileBytes | bytes, start: int, stop: int) -> int:
    """Return the ones' complement sum of the 32-bit words of a part of a file.

    Parameters
    ----------
    content
        The file.
    start, stop
        Bytes start..stop-1, whole words.
    """
    total = 0
    for first in range(start, stop, _CHUNK):
        data = content[first : min(first + _CHUNK, stop)]
        words = np.frombuffer(data.ljust(len(data) + -len(data) % 4, b"\0"), ">u4")
        total += int(words.sum(dtype=np.uint64))
    return folded(total)


def folded(total: int) -> int:
    """Add the carry of a sum until there is none."""
    while total > _ONES:
        total = (total & _ONES) + (total >> 32)
    return total


def encode_sum(value: int) -> str:
    """Return the 16 letters and digits that make a sum of 32-bit words -0 (appendix J).

    Parameters
    ----------
    value
        The sum of the HDU with zeros in their place.
    """
    places = bytearray(16)
    for column, byte in enumerate((_ONES - value).to_bytes(4, "big")):
        quarter, rest = divmod(byte, 4)
        four = [_DIGITS + quarter + rest, *[_DIGITS + quarter] * 3]
        while not _PUNCTUATION.isdisjoint(four):
            for one in (0, 2):
                if not _PUNCTUATION.isdisjoint(four[one : one + 2]):
                    four[one] += 1
                    four[one + 1] -= 1
        places[column::4] = bytes(four)
    # In a card the text begins one byte before a word.
    return (places[-1:] + places[:-1]).decode("ascii")
