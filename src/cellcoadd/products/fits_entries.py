"""Single entries of stacks, and single rows of tables, out of an open FITS file.

A stack is an image of one axis more than its entries, as it is or with one compressed tile an entry.
astropy needs 4 ms to build its objects of a compressed image, ten times as long as for one tile of
it. Here headers and rows are looked up by what the FITS standard says (4.0, section 10), and GZIP is
undone by the standard library. RICE needs compiled code: the tiles of all stacks are put into one
small FITS file in memory, which astropy reads. Whatever is stored in any other way is left to others.
"""

from __future__ import annotations

__all__ = ["FitsEntries", "runs_of"]

import dataclasses
import io
import math
import os
import re
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits

_BLOCK = 2880  # bytes; all that is in a FITS file takes whole ones
_CARD_LENGTH = 80
_CARD = re.compile(r"([A-Z0-9_-]{1,8}) *= +(?:'([^']*?) *'|([^/ ]+))")
_KIND = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_COLUMN = {"P": "(2,)>i4", "Q": "(2,)>i8", "D": ">f8", "E": ">f4", "J": ">i4"}
_GZIP = 31  # what zlib calls this container
_RICE = {"BLOCKSIZE": 32, "BYTEPIX": 4}
_TABLE = {"XTENSION": "'BINTABLE'", "BITPIX": 8, "NAXIS": 2, "GCOUNT": 1}

type _Array = npt.NDArray[np.generic]
type _Name = tuple[str, int]
type _Header = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class _Unit:
    """A header and where in the file the data begin that it describes."""

    header: _Header
    address: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Stack:
    """How a stack is stored."""

    shape: tuple[int, ...]
    kind: np.dtype[np.generic]
    address: int
    row: np.dtype[np.void] | None
    """Columns that tell where a tile is; None if the pixels are there as they are."""
    heap: int = 0
    algorithm: str = ""
    blank: int | None = None


class FitsEntries:
    """The stacks and tables of an open FITS file.

    Parameters
    ----------
    stream
        The file; others may move the position in it between two calls.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._units = {_name(unit.header): unit for unit in _units(stream)}

    def read_stacks(self, names: Sequence[_Name], rows: Sequence[int]) -> dict[_Name, _Array]:
        """Return some entries of some stacks.

        Parameters
        ----------
        names
            ``EXTNAME`` and ``EXTVER`` of each.
        rows
            Numbers of the entries.

        Returns
        -------
        dict
            An array (len(rows), ...) by name, with the bits that astropy would give. Names of
            stacks that are stored in another way than this module knows are missing.
        """
        stacks = {name: self._stack(name) for name in names}
        found = {name: stack for name, stack in stacks.items() if stack is not None}
        result: dict[_Name, _Array] = {}
        rice: dict[tuple[int, ...], list[_RiceTile]] = defaultdict(list)
        for name, stack in found.items():
            result[name] = np.empty((len(rows), *stack.shape), stack.kind.newbyteorder("="))
            if stack.row is None:
                size = math.prod(stack.shape) * stack.kind.itemsize
                for number, row in enumerate(rows):
                    pixels = self._read(stack.address + row * size, size)
                    result[name][number] = np.frombuffer(pixels, stack.kind).reshape(stack.shape)
                continue
            for number, row in enumerate(rows):
                tile = self._read_tile(stack, row, out=result[name][number])
                if tile is not None:
                    rice[stack.shape].append(tile)
        for shape, tiles in rice.items():
            for tile, integers in zip(tiles, _decode_rice(tiles, shape), strict=True):
                tile.out[...] = _scaled(integers, tile.stack, tile.row)
        return result

    def read_table(
        self, name: _Name, dtype: np.dtype[np.void], rows: Sequence[int]
    ) -> npt.NDArray[np.void] | None:
        """Return some rows of a table; None if it is stored in another way than this module knows.

        Parameters
        ----------
        name
            As in `read_stacks`.
        dtype
            Its columns.
        rows
            Numbers of the rows.
        """
        unit = self._units[name]
        fields = {field: dtype[field] for field in dtype.names or ()}
        stored = np.dtype([(field, _stored_kind(kind)) for field, kind in fields.items()])
        scaled = any(keyword.startswith(("TZERO", "TSCAL")) for keyword in unit.header)
        if scaled or unit.header["NAXIS1"] != stored.itemsize:
            return None
        parts = [
            self._read(unit.address + first * stored.itemsize, (last - first) * stored.itemsize)
            for first, last in runs_of(rows)
        ]
        raw = np.frombuffer(b"".join(parts), stored)
        result = np.empty(len(raw), dtype)
        for field, kind in fields.items():
            result[field] = raw[field] == b"T" if kind.base == np.bool_ else raw[field]
        return result

    def _stack(self, name: _Name) -> _Stack | None:
        """Read how a stack is stored; None if in another way than this module knows."""
        unit = self._units[name]
        header = unit.header
        if any(word in header for word in ("BSCALE", "BZERO", "BLANK", "ZSCALE", "ZZERO")):
            return None
        if header.get("ZIMAGE") != "T":
            *axes, _ = _axes(header, "NAXIS")
            kind = np.dtype(_KIND[header["BITPIX"]])
            return _Stack(shape=tuple(axes[::-1]), kind=kind, address=unit.address, row=None)
        *axes, _ = _axes(header, "ZNAXIS")
        forms = [str(header[f"TFORM{n + 1}"]).removeprefix("1") for n in range(header["TFIELDS"])]
        settings = {
            header[f"ZNAME{n}"]: header[f"ZVAL{n}"] for n in range(1, 10) if f"ZNAME{n}" in header
        }
        algorithm = header["ZCMPTYPE"]
        if (
            [header.get(f"ZTILE{n + 1}") for n in range(len(axes) + 1)] != [*axes, 1]
            or header.get("ZQUANTIZ", "NO_DITHER") != "NO_DITHER"
            or any(form[0] not in _COLUMN for form in forms)
            or algorithm not in ("GZIP_1", "GZIP_2", "RICE_1")
            or (algorithm == "RICE_1" and any(settings.get(k) != v for k, v in _RICE.items()))
        ):
            return None
        columns = [header[f"TTYPE{n + 1}"] for n in range(len(forms))]
        if not {"COMPRESSED_DATA"} <= set(columns) <= {
            "COMPRESSED_DATA", "GZIP_COMPRESSED_DATA", "ZSCALE", "ZZERO",
        }:  # fmt: skip
            return None
        table = header["NAXIS1"] * header["NAXIS2"]
        return _Stack(
            shape=tuple(axes[::-1]),
            kind=np.dtype(_KIND[header["ZBITPIX"]]),
            address=unit.address,
            row=np.dtype(
                [(name, _COLUMN[form[0]]) for name, form in zip(columns, forms, strict=True)]
            ),
            heap=unit.address + header.get("THEAP", table),
            algorithm=algorithm,
            blank=header.get("ZBLANK"),
        )

    def _read_tile(self, stack: _Stack, number: int, *, out: _Array) -> _RiceTile | None:
        """Decode a tile into an array; return it if it has to be decoded together with others."""
        assert stack.row is not None
        size = stack.row.itemsize
        row = np.frombuffer(self._read(stack.address + number * size, size), stack.row)[0]
        length, offset = (int(value) for value in row["COMPRESSED_DATA"])
        if length == 0:
            # What cannot be rounded is kept to the bit.
            length, offset = (int(value) for value in row["GZIP_COMPRESSED_DATA"])
            data = zlib.decompress(self._read(stack.heap + offset, length), _GZIP)
            out[...] = np.frombuffer(data, stack.kind).reshape(stack.shape)
            return None
        data = self._read(stack.heap + offset, length)
        if stack.algorithm == "RICE_1":
            return _RiceTile(data=data, stack=stack, row=row, out=out)
        kind = np.dtype(">i4") if "ZSCALE" in (stack.row.names or ()) else stack.kind
        pixels = np.frombuffer(zlib.decompress(data, _GZIP), np.uint8)
        if stack.algorithm == "GZIP_2":
            pixels = pixels.reshape(kind.itemsize, -1).T.ravel()
        out[...] = _scaled(pixels.view(kind).reshape(stack.shape), stack, row)
        return None

    def _read(self, address: int, size: int) -> bytes:
        self._stream.seek(address)
        data = self._stream.read(size)
        if len(data) != size:
            raise OSError(f"The FITS file ends before its byte {address + size}; it is broken.")
        return data


@dataclasses.dataclass(frozen=True, kw_only=True)
class _RiceTile:
    """A compressed tile, how its stack is stored, its row there, and where its pixels go."""

    data: bytes
    stack: _Stack
    row: np.void
    out: _Array


def _scaled(integers: _Array, stack: _Stack, row: np.void) -> _Array:
    """Undo the rounding of the FITS standard (10.2.1), if there is one."""
    if "ZSCALE" not in (row.dtype.names or ()):
        return integers
    values = integers.astype(np.int32, copy=False) * row["ZSCALE"] + row["ZZERO"]
    if stack.blank is not None:
        values[integers == stack.blank] = np.nan
    return values


def _decode_rice(tiles: Sequence[_RiceTile], shape: tuple[int, ...]) -> npt.NDArray[np.int32]:
    """Return the integers (len(tiles), \\*shape) of tiles that have one shape."""
    table = np.empty((len(tiles), 2), ">i4")
    table[:, 0] = [len(tile.data) for tile in tiles]
    table[:, 1] = np.cumsum(table[:, 0]) - table[:, 0]
    heap = b"".join(tile.data for tile in tiles)
    axes = [*shape[::-1], len(tiles)]
    header: dict[str, object] = {
        **_TABLE, "NAXIS1": 8, "NAXIS2": len(tiles), "PCOUNT": len(heap),
        "TFIELDS": 1, "TTYPE1": "'COMPRESSED_DATA'", "TFORM1": f"'1PB({table[:, 0].max()})'",
        "ZIMAGE": "T", "ZBITPIX": 32, "ZNAXIS": len(axes), "ZCMPTYPE": "'RICE_1'",
        **{f"ZNAXIS{n}": length for n, length in enumerate(axes, 1)},
        **{f"ZTILE{n}": length for n, length in enumerate([*axes[:-1], 1], 1)},
        **{f"ZNAME{n}": f"'{name}'" for n, name in enumerate(_RICE, 1)},
        **{f"ZVAL{n}": value for n, value in enumerate(_RICE.values(), 1)},
    }  # fmt: skip
    first = _as_header({"SIMPLE": "T", "BITPIX": 8, "NAXIS": 0, "EXTEND": "T"})
    file = first + _as_header(header) + _padded(table.tobytes() + heap, b"\0")
    with fits.open(io.BytesIO(file)) as hdus:
        decoded: npt.NDArray[np.int32] = hdus[1].data
    return decoded


def _as_header(values: dict[str, object]) -> bytes:
    cards = [f"{keyword:8}= {value!s:>20}".ljust(80) for keyword, value in values.items()]
    return _padded("".join([*cards, "END".ljust(80)]).encode(), b" ")


def _padded(data: bytes, filler: bytes) -> bytes:
    return data + filler * (-len(data) % _BLOCK)


def _units(stream: IO[bytes]) -> Iterator[_Unit]:
    end = stream.seek(0, os.SEEK_END)
    address = 0
    while address < end:
        stream.seek(address)
        header = _read_header(stream)
        unit = _Unit(header, stream.tell())
        yield unit
        axes = _axes(header, "NAXIS")
        elements = header.get("PCOUNT", 0) + (math.prod(axes) if axes else 0)
        size = abs(header["BITPIX"]) // 8 * header.get("GCOUNT", 1) * elements
        address = unit.address + size + -size % _BLOCK


def _read_header(stream: IO[bytes]) -> _Header:
    """Read the integers and strings of a header; astropy's parser takes ten times as long."""
    values: _Header = {}
    while True:
        block = stream.read(_BLOCK).decode("ascii")
        if len(block) < _BLOCK:
            raise OSError("The FITS file ends within a header; it is broken.")
        for start in range(0, _BLOCK, _CARD_LENGTH):
            card = block[start : start + _CARD_LENGTH]
            if card.startswith("END "):
                return values
            if match := _CARD.match(card):
                keyword, text, number = match.groups()
                values[keyword] = text if number is None else _number(number)


def _number(text: str) -> int | str:
    """Return an integer as one; nothing here needs the other kinds of values."""
    return int(text) if text.lstrip("+-").isdigit() else text


def _axes(header: _Header, keyword: str) -> list[int]:
    """Lengths of the axes, x first."""
    return [header[f"{keyword}{n + 1}"] for n in range(header[keyword])]


def _name(header: _Header) -> _Name:
    return header.get("EXTNAME", ""), header.get("EXTVER", 1)


def _stored_kind(kind: np.dtype[np.generic]) -> np.dtype[np.generic]:
    base = np.dtype("S1") if kind.base == np.bool_ else kind.base.newbyteorder(">")
    return np.dtype((base, kind.shape))


def runs_of(rows: Sequence[int]) -> list[tuple[int, int]]:
    """Return ascending rows as ranges (first, one past the last)."""
    runs: list[tuple[int, int]] = []
    for row in rows:
        if runs and runs[-1][1] == row:
            runs[-1] = (runs[-1][0], row + 1)
        else:
            runs.append((row, row + 1))
    return runs
