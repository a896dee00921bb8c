"""Archives of lsst.images, ours too, looked at before anything in them is used.

The tree of an archive says what its HDUs hold, and lsst.images believes it: rows that an HDU does
not have are read from the next one. So names, places, shapes, types and lengths of all HDUs are
compared with the tree here, and texts in it that AST is to read are looked at (`ast_text`).
"""

from __future__ import annotations

__all__ = ["check_archive", "check_tree"]

import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

import numpy as np

from .ast_text import BadTextError, check_mapping
from .fits_units import BrokenFitsError, FitsUnit, axes_of, units_of

_BITS = {
    "bool": 8, "int8": 8, "uint8": 8, "int16": 16, "uint16": 16, "int32": 32, "uint32": 32,
    "int64": 64, "uint64": 64, "float32": -32, "float64": -64,
}  # fmt: skip
_LETTERS = {"bool": "L", 8: "B", 16: "I", 32: "J", 64: "K", -32: "E", -64: "D"}
_WIDTHS = {"L": 1, "B": 1, "A": 1, "I": 2, "J": 4, "K": 8, "E": 4, "D": 8, "P": 8, "Q": 16}
_FORM = re.compile(r"(\d*)([A-Z])(?:[A-Z]?\(\d+\))?")
_SOURCE = re.compile(r"fits:([^,\[\]]*)(?:,(\d+))?(?:\[(\d+)\])?")
_TREE = ("JSON", 1)
_INDEX = ("INDEX", 1)
_INDEX_FORMS = {"J": ">i4", "K": ">i8", "L": "S1"}
_PLACES = {"JSONADDR": _TREE, "INDXADDR": _INDEX}
_DEEPEST = 200

type _Units = Mapping[tuple[str, int], FitsUnit]


def check_archive(stream: IO[bytes]) -> None:
    """Refuse an archive whose HDUs are not as its tree says; whatever else a file is, passes.

    Parameters
    ----------
    stream
        An open FITS file, whose position is lost.

    Raises
    ------
    BrokenFitsError
        With the HDU, the rule that it breaks and the values.
    """
    units: list[FitsUnit] = []
    try:
        units.extend(units_of(stream))
    except BrokenFitsError as error:
        if units and _is_archive(units):
            raise BrokenFitsError(str(error)) from error
    if not units or not _is_archive(units):
        return
    size = stream.seek(0, os.SEEK_END)
    try:
        _check_places(stream, units, size)
        by_name = {unit.name: unit for unit in units}
        for text in _texts_of(stream, by_name[_TREE]):
            check_tree(json.loads(text), by_name)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise BrokenFitsError(
            f"its tree or its index cannot be read ({type(error).__name__}: {error}); it is broken."
        ) from error


def check_tree(tree: object, units: _Units | None = None) -> None:
    """Compare a tree with the HDUs that it names, and look at its texts of AST.

    Parameters
    ----------
    tree
        As JSON gives it.
    units
        The HDUs by ``EXTNAME`` and ``EXTVER``; None: the file has none.

    Raises
    ------
    BrokenFitsError
        If one is not as the tree says, or AST must not see a text.
    """
    for where, node in _nodes_of(tree):
        text, source = node.get("ast"), node.get("source")
        if isinstance(text, str):
            try:
                check_mapping(text)
            except BadTextError as error:
                raise BrokenFitsError(
                    f"{where} in its tree is no text of AST that can be used: {error}."
                ) from error
        if units is not None and isinstance(source, str) and source.startswith("fits:"):
            _check_reference(units, node, source)


def _is_archive(units: Sequence[FitsUnit]) -> bool:
    return "DATAMODL" in units[0].header and "JSONADDR" in units[0].header


def _check_places(stream: IO[bytes], units: Sequence[FitsUnit], size: int) -> None:
    """Headers are where the index says, and data end within the file."""
    starts = {unit.name: unit.start for unit in units}
    if len(starts) < len(units):
        raise BrokenFitsError("two of its HDUs have the same name; it is broken.")
    for unit in units:
        if unit.address + unit.size > size:
            missing = unit.address + unit.size - size
            raise BrokenFitsError(
                f"HDU {_shown(unit.name)} is cut off: {missing} bytes are missing."
            )
    for keyword, name in _PLACES.items():
        if name not in starts or units[0].header[keyword] != starts[name]:
            raise BrokenFitsError(f"{_shown(name)} is not where {keyword} says; it is broken.")
    index = next(unit for unit in units if unit.name == _INDEX)
    header = index.header
    columns = np.dtype(
        [
            (str(header[f"TTYPE{n}"]), _kind_in_index(str(header[f"TFORM{n}"])))
            for n in range(1, header["TFIELDS"] + 1)
        ]
    )
    if columns.itemsize != header["NAXIS1"]:
        raise BrokenFitsError("its index has rows of another length than its columns.")
    stream.seek(index.address)
    rows = np.frombuffer(stream.read(header["NAXIS1"] * header["NAXIS2"]), columns)
    for row in rows:
        name = row["EXTNAME"].decode("ascii", "replace").strip().upper(), int(row["EXTVER"])
        if starts.get(name) != int(row["HDRADDR"]):
            raise BrokenFitsError(f"HDU {_shown(name)} is not where the index says; it is broken.")


def _kind_in_index(form: str) -> str:
    return _INDEX_FORMS.get(form) or f"S{int(form.removesuffix('A') or 1)}"


def _texts_of(stream: IO[bytes], unit: FitsUnit) -> Iterator[bytes]:
    """Yield the texts of the table of trees."""
    header = unit.header
    wide = str(header["TFORM1"]).lstrip("0123456789").startswith("Q")
    count, kind = header["NAXIS2"], np.dtype(">i8" if wide else ">i4")
    heap = unit.address + header.get("THEAP", header["NAXIS1"] * count)
    stream.seek(unit.address)
    rows = np.frombuffer(stream.read(2 * kind.itemsize * count), kind).reshape(count, 2)
    for length, offset in rows.tolist():
        if length < 0 or offset < 0 or heap + offset + length > unit.address + unit.size:
            raise BrokenFitsError("its tree lies outside of the HDU of trees; it is broken.")
        stream.seek(heap + offset)
        yield stream.read(length)


def _nodes_of(tree: object) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield all objects of a tree, with where they are in it."""
    waiting: list[tuple[str, object, int]] = [("", tree, 0)]
    while waiting:
        where, node, depth = waiting.pop()
        if depth > _DEEPEST:
            raise BrokenFitsError(f"its tree is nested more than {_DEEPEST} deep.")
        if isinstance(node, dict):
            yield where, node
            inner = [(f"{where}/{key}"[:200], value) for key, value in node.items()]
        elif isinstance(node, list):
            inner = [(where, value) for value in node]
        else:
            continue
        waiting += [(at, v, depth + 1) for at, v in inner if isinstance(v, dict | list)]


def _check_reference(units: _Units, node: Mapping[str, Any], source: str) -> None:
    """Compare what the tree says of an array or a column with the HDU."""
    found = _SOURCE.fullmatch(source)
    if found is None:
        raise BrokenFitsError(f"its tree names {source[:80]!r}, which is no HDU.")
    name = found[1].upper(), int(found[2] or 1)
    if name not in units:
        raise BrokenFitsError(f"its tree names HDU {_shown(name)}, which is not there.")
    if name == _TREE:
        return
    header, datatype = units[name].header, str(node["datatype"])
    if datatype not in _BITS:
        raise BrokenFitsError(f"HDU {_shown(name)}: its tree names the type {datatype[:40]!r}.")
    shape = [int(length) for length in node["shape"]]
    if found[3] is None:
        _check_array(header, name, shape, datatype)
    else:
        _check_column(header, name, int(found[3]), shape, datatype)


def _check_array(
    header: Mapping[str, Any], name: tuple[str, int], shape: Sequence[int], datatype: str
) -> None:
    prefix = "Z" if header.get("ZIMAGE") == "T" else ""
    axes = axes_of(dict(header), f"{prefix}NAXIS")
    if axes[::-1] != shape:
        raise BrokenFitsError(
            f"HDU {_shown(name)} has the shape {axes[::-1]} by {prefix}NAXIS, the tree of the file "
            f"says {shape}: they must be the same."
        )
    if (bits := header[f"{prefix}BITPIX"]) != _BITS[datatype]:
        raise BrokenFitsError(
            f"HDU {_shown(name)} has {prefix}BITPIX {bits}, the tree of the file says {datatype}, "
            f"which has {_BITS[datatype]}."
        )
    if datatype.startswith("float") and any(word in header for word in ("BSCALE", "BZERO")):
        raise BrokenFitsError(f"HDU {_shown(name)} has a scale, which pixels of its type have not.")
    if not prefix:
        return
    tiles = [header.get(f"ZTILE{n}", length if n == 1 else 1) for n, length in enumerate(axes, 1)]
    if any(tile < 1 for tile in tiles):
        raise BrokenFitsError(f"HDU {_shown(name)} has tiles without pixels.")
    expected = math.prod(-(-length // tile) for length, tile in zip(axes, tiles, strict=True))
    if header["NAXIS2"] != expected:
        raise BrokenFitsError(
            f"HDU {_shown(name)} has {header['NAXIS2']} tiles by NAXIS2, its shape needs "
            f"{expected}."
        )
    _check_width(header, name)


def _check_column(
    header: Mapping[str, Any],
    name: tuple[str, int],
    number: int,
    shape: Sequence[int],
    datatype: str,
) -> None:
    count, letter = _form_of(header, number)
    expected = _LETTERS.get(datatype) or _LETTERS[_BITS[datatype]]
    if letter != expected or count != math.prod(shape):
        raise BrokenFitsError(
            f"column {number} of HDU {_shown(name)} is {count}{letter} by TFORM{number}, the tree "
            f"of the file says {math.prod(shape)}{expected}."
        )
    _check_width(header, name)


def _check_width(header: Mapping[str, Any], name: tuple[str, int]) -> None:
    forms = [_form_of(header, number) for number in range(1, header["TFIELDS"] + 1)]
    width = sum(count * _WIDTHS[letter] for count, letter in forms)
    if header["NAXIS1"] != width:
        raise BrokenFitsError(
            f"HDU {_shown(name)} has rows of {header['NAXIS1']} bytes by NAXIS1, its columns take "
            f"{width}."
        )


def _form_of(header: Mapping[str, Any], number: int) -> tuple[int, str]:
    found = _FORM.fullmatch(str(header[f"TFORM{number}"]))
    if found is None:
        raise ValueError(f"TFORM{number} is {header[f'TFORM{number}']!r}")
    return int(found[1] or 1), found[2]


def _shown(name: tuple[str, int]) -> str:
    return name[0] or "PRIMARY" if name[1] == 1 else f"{name[0]},{name[1]}"
