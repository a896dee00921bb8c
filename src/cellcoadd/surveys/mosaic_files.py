"""Files that hold many detectors, and the addresses of these: ``mosaic.fits.fz[N4]``.

The address of an extension is a path that ends in its name, as in cfitsio, ds9 and astropy's
scripts. Whoever opens one (`fits_files.open_fits`) sees a file of this extension alone. The file
that belongs to an image has the same detector under the same name, or the same number of a CCD,
wherever in the file: never the one at the same place.
"""

from __future__ import annotations

__all__ = [
    "DETECTOR_KEYWORD",
    "address_of",
    "as_it_lies",
    "companion_address",
    "file_exists",
    "image_addresses",
    "part_of_file",
    "split_address",
    "versioned_address",
]

import functools
import io
import os
import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import UnusableInputError
from ..files.computer_errors import raise_if_of_the_computer
from ..files.fits_units import FitsUnit, axes_of, units_of
from ..files.unpacking import UnpackedFile

DETECTOR_KEYWORD = "CCDNUM"
"""Keyword of an extension that numbers its detector, as the NOIRLab pipelines write it."""

_PACKED = ("", ".fz", ".gz")
_ADDRESS = re.compile(r"^(?P<file>.+)\[(?P<extension>[^\[\]]+)\]$")
_CARD = re.compile(r"^(?P<keyword>[A-Z0-9_-]{1,8})=(?P<value>.+)$")


def split_address(path: Path) -> tuple[Path, str | None]:
    """Return the file of an address, and its extension; None: the address is that of a file."""
    found = _ADDRESS.match(path.name)
    if found is None or path.is_file():
        return path, None
    return path.with_name(found["file"]), found["extension"]


def address_of(file: Path, extension: str | None) -> Path:
    """Return the address of an extension of a file; without one, the file's."""
    return file if extension is None else file.with_name(f"{file.name}[{extension}]")


def file_exists(path: Path) -> bool:
    """Return whether there is the file of an address."""
    return split_address(path)[0].is_file()


def as_it_lies(path: Path) -> Path:
    """Return the file that there is: as it is named, or compressed, or not compressed."""
    if path.is_file():
        return path
    base = path.with_name(path.name.removesuffix(".fz").removesuffix(".gz"))
    variants = (base.with_name(base.name + ending) for ending in _PACKED)
    return next((variant for variant in variants if variant.is_file()), path)


def image_addresses(
    path: Path, *, pattern: re.Pattern[str] | None = None, keyword: str = DETECTOR_KEYWORD
) -> list[Path]:
    """Return the addresses of the images in a file.

    Parameters
    ----------
    path
        A file, or an address already.
    pattern
        What names of extensions must match as a whole; None: all images of two axes.
    keyword
        By which extensions are told apart that have no name of their own.

    Returns
    -------
    addresses
        In the order of the file; the path itself if it is an address, or its file holds no more
        than one image, or is broken: its reader will say how.
    """
    file, extension = split_address(path)
    if extension is not None or not file.is_file():
        return [path]
    try:
        units = _units(file)
    except (OSError, UnusableInputError) as error:
        raise_if_of_the_computer(error, path)
        return [path]
    images = [number for number, unit in enumerate(units) if _is_image(unit)]
    if pattern is not None:
        images = [n for n in images if pattern.fullmatch(str(units[n].name[0]))]
    if len(images) < 2:
        return [path]
    return [address_of(file, _label(units, number, keyword)) for number in images]


def companion_address(image: Path, file: Path, *, keyword: str = DETECTOR_KEYWORD) -> Path:
    """Return the address, in a file that belongs to an image, of the image's detector.

    Parameters
    ----------
    image
        The image's address.
    file
        The file that belongs to it.
    keyword
        What numbers detectors, where their names do not agree.

    Returns
    -------
    address
        That of the file if the image has a file of its own, or the other file does not exist.

    Raises
    ------
    UnusableInputError
        If no extension, or more than one, is of the detector, or the names say one thing and the
        numbers another.
    """
    own, extension = split_address(image)
    if extension is None or not file.is_file():
        return file
    units, others = _units_or_refusal(own), _units_or_refusal(file)
    unit = units[_number_of(units, extension, image)]
    name, version = unit.name
    detector = unit.header.get(keyword)
    if name:
        found = _named(others, name, version)
    elif detector is None:
        raise UnusableInputError(
            str(image),
            f"its extension has neither EXTNAME nor {keyword}, by which that of {file.name} could "
            "be found.",
        )
    else:
        found = []
    if not found and detector is not None:
        found = _of_detector(others, keyword, str(detector))
    if len(found) != 1:
        said = " or ".join(
            [f"EXTNAME {name!r}"] * bool(name) + [f"{keyword} {detector}"] * (detector is not None)
        )
        raise UnusableInputError(
            str(image),
            f"one extension of {file.name} must have its {said}; {len(found)} have.",
        )
    theirs = others[found[0]].header.get(keyword)
    if None not in (detector, theirs) and theirs != detector:
        raise UnusableInputError(
            str(image),
            f"it is of {keyword} {detector}, but the extension {name!r} of {file.name} is of "
            f"{keyword} {theirs}.",
        )
    return address_of(file, _label(others, found[0], keyword))


def versioned_address(image: Path, file: Path, name: str) -> Path:
    """Return the address of an extension of a given name that belongs to an image of a mosaic.

    Parameters
    ----------
    image
        The image's address.
    file
        The file that has the extension; the image's own, or one that belongs to it.
    name
        ``EXTNAME``; there is one for each detector, with the ``EXTVER`` of the image.

    Raises
    ------
    UnusableInputError
        If there is none.
    """
    own, extension = split_address(image)
    if extension is None:
        return file
    units, others = _units_or_refusal(own), _units_or_refusal(file)
    version = units[_number_of(units, extension, image)].name[1]
    found = _named(others, name, version)
    if len(found) != 1:
        raise UnusableInputError(
            str(image),
            f"one extension {name!r} of {file.name} must have its EXTVER {version}; {len(found)} "
            "have.",
        )
    return address_of(file, _label(others, found[0], DETECTOR_KEYWORD))


def part_of_file(path: Path, extension: str) -> io.BytesIO:
    """Return a file of one extension, behind the header of the whole file.

    Raises
    ------
    UnusableInputError
        If there is no such extension, or several of the name.
    OSError
        If the file is broken, or ends before its time.
    """
    units = _units(path)
    number = _number_of(units, extension, path)
    first, unit = units[0], units[number]
    unpacked = _unpacked(path, *_stamp(path))
    with unpacked.path.open("rb") as stream:
        data = stream.read(first.address if number else first.end)
        if number:
            stream.seek(unit.start)
            data = _without_data(data) + stream.read(unit.end - unit.start)
        if stream.seek(0, os.SEEK_END) < unit.address + unit.size:
            raise OSError(f"it ends before its extension {extension} does")
    return io.BytesIO(data)


def _without_data(header: bytes) -> bytes:
    """Make the header of a whole file say that no data follow, which are not copied."""
    cards = [header[i : i + 80] for i in range(0, len(header), 80)]
    return b"".join(
        b"NAXIS   =                    0".ljust(80) if card.startswith(b"NAXIS   =") else card
        for card in cards
        if not re.match(rb"NAXIS[1-9]", card)
    ).ljust(len(header))


def _units_or_refusal(path: Path) -> Sequence[FitsUnit]:
    try:
        return _units(path)
    except OSError as error:
        raise_if_of_the_computer(error, path)
        raise UnusableInputError(str(path), f"it cannot be read as FITS ({error}).") from error


def _units(path: Path) -> Sequence[FitsUnit]:
    return _units_of_version(path, *_stamp(path))


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size


@functools.lru_cache(maxsize=64)
def _units_of_version(path: Path, modified: int, size: int) -> Sequence[FitsUnit]:
    """Look at all headers of a file, once as long as it does not change."""
    with _unpacked(path, modified, size).path.open("rb") as stream:
        return tuple(units_of(stream))


@functools.lru_cache(maxsize=4)
def _unpacked(path: Path, modified: int, size: int) -> UnpackedFile:  # noqa: ARG001
    """Unpack a file once for its detectors: an image, its weights, its mask and one more."""
    return UnpackedFile(path)


def _is_image(unit: FitsUnit) -> bool:
    header = unit.header
    keyword = "ZNAXIS" if header.get("ZIMAGE") == "T" else "NAXIS"
    if keyword == "NAXIS" and header.get("XTENSION", "IMAGE") != "IMAGE":
        return False
    try:
        axes = axes_of(header, keyword)
    except KeyError:
        return False
    return len(axes) == 2 and min(axes) > 0


def _label(units: Sequence[FitsUnit], number: int, keyword: str) -> str:
    """Return how an extension is named in an address: so that it is the only one."""
    name, version = units[number].name
    named = [n for n, other in enumerate(units) if _same(other.name[0], name)]
    if name and len(named) == 1:
        return str(name)
    if name and len(_named(units, name, version)) == 1:
        return f"{name},{version}"
    detector = units[number].header.get(keyword)
    if detector is not None and len(_of_detector(units, keyword, str(detector))) == 1:
        return f"{keyword}={detector}"
    return str(number)


def _number_of(units: Sequence[FitsUnit], extension: str, path: Path) -> int:
    """Return the place of the extension that an address names."""
    found = [n for n, unit in enumerate(units) if _same(unit.name[0], extension)]
    if not found and "," in extension:
        name, _, version = extension.rpartition(",")
        found = _named(units, name, version)
    if not found and (card := _CARD.match(extension)) is not None:
        found = _of_detector(units, card["keyword"], card["value"])
    if not found and extension.isdecimal() and int(extension) < len(units):
        found = [int(extension)]
    if len(found) != 1:
        there = ", ".join(f"{n} {unit.name[0]}".rstrip() for n, unit in enumerate(units))
        raise UnusableInputError(
            str(path), f"it has {len(found) or 'no'} extensions {extension!r}; there are {there}."
        )
    return found[0]


def _named(units: Sequence[FitsUnit], name: str, version: int | str) -> list[int]:
    """Return the extensions of a name and a version."""
    return [
        n
        for n, unit in enumerate(units)
        if _same(unit.name[0], name) and str(unit.name[1]) == str(version)
    ]


def _same(name: object, other: object) -> bool:
    """Compare names of extensions, which are the same in capitals."""
    return str(name).lower() == str(other).lower()


def _of_detector(units: Sequence[FitsUnit], keyword: str, value: str) -> list[int]:
    """Return the images that a keyword says are of a detector."""
    return [
        n
        for n, unit in enumerate(units)
        if _is_image(unit) and str(unit.header.get(keyword, "")) == value
    ]
