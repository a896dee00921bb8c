"""Single entries of stacks, and single rows of tables, out of an open FITS file.

A stack is an image of one axis more than its entries, as it is or with one compressed tile an
entry. astropy needs 4 ms to build its objects of a compressed image, ten times as long as for one
tile of it. Here headers and rows are looked up by what the FITS standard says (4.0, section 10).
Whatever is stored in any other way is left to others.
"""

from __future__ import annotations

__all__ = ["FitsEntries", "runs_of"]

import dataclasses
import math
import zlib
from collections import defaultdict
from collections.abc import Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from .fits_units import FitsUnit, axes_of, units_of
from .rice_tiles import RICE_SETTINGS, decode_rice

_KIND = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_GZIP = 31  # what zlib calls this container
_COLUMNS = {"COMPRESSED_DATA", "GZIP_COMPRESSED_DATA", "ZSCALE", "ZZERO"}
_FORMS = {"P": "(2,)>i4", "Q": "(2,)>i8", "D": ">f8"}
_SCALINGS = ("BSCALE", "BZERO", "BLANK", "ZSCALE", "ZZERO")

type _Array = npt.NDArray[Any]
type _Name = tuple[str, int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Stack:
    """How a stack is stored: as it is, or, with an algorithm, by tiles."""

    shape: tuple[int, ...]
    kind: np.dtype[Any]
    address: int
    algorithm: str = ""
    columns: np.dtype[np.void] | None = None
    """What a row of the table tells of a tile."""
    heap: int = 0
    """Address from which the tiles' places count."""
    blank: int | None = None

    @property
    def is_rounded(self) -> bool:
        return self.columns is not None and "ZSCALE" in (self.columns.names or ())


@dataclasses.dataclass(frozen=True, kw_only=True)
class _RiceTile:
    """A tile that is still to be decoded, its row of the table, and where its pixels go."""

    data: bytes
    stack: _Stack
    row: np.void
    out: _Array


class FitsEntries:
    """The stacks and tables of an open FITS file.

    Parameters
    ----------
    stream
        The file; others may move the position in it between two calls.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._units = {unit.name: unit for unit in units_of(stream)}

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

        Raises
        ------
        OSError
            If the file ends too early.
        """
        result: dict[_Name, _Array] = {}
        rice: dict[tuple[int, ...], list[_RiceTile]] = defaultdict(list)
        for name in names:
            stack = _stack_in(self._units[name])
            if stack is None:
                continue
            result[name] = np.empty((len(rows), *stack.shape), stack.kind.newbyteorder("="))
            for out, row in zip(result[name], rows, strict=True):
                if not stack.algorithm:
                    out[...] = self._read_plain(stack, row)
                elif (tile := self._read_tile(stack, row, out=out)) is not None:
                    rice[stack.shape].append(tile)
        for shape, tiles in rice.items():
            decoded = decode_rice([tile.data for tile in tiles], shape)
            for tile, integers in zip(tiles, decoded, strict=True):
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
            Numbers of the rows, ascending.
        """
        unit = self._units[name]
        fields = {field: dtype[field] for field in dtype.names or ()}
        stored = np.dtype([(field, _stored_kind(kind)) for field, kind in fields.items()])
        scaled = any(keyword.startswith(("TZERO", "TSCAL")) for keyword in unit.header)
        if scaled or unit.header["NAXIS1"] != stored.itemsize:
            return None
        size = stored.itemsize
        parts = [
            self._read(unit.address + first * size, (last - first) * size)
            for first, last in runs_of(rows)
        ]
        raw = np.frombuffer(b"".join(parts), stored)
        result = np.empty(len(raw), dtype)
        for field, kind in fields.items():
            result[field] = raw[field] == b"T" if kind.base == np.bool_ else raw[field]
        return result

    def _read_plain(self, stack: _Stack, number: int) -> _Array:
        size = math.prod(stack.shape) * stack.kind.itemsize
        data = self._read(stack.address + number * size, size)
        return np.frombuffer(data, stack.kind).reshape(stack.shape)

    def _read_tile(self, stack: _Stack, number: int, *, out: _Array) -> _RiceTile | None:
        """Decode a tile into an array; return it if it has to be decoded together with others."""
        assert stack.columns is not None, "of tiles there is a table"
        size = stack.columns.itemsize
        row = np.frombuffer(self._read(stack.address + number * size, size), stack.columns)[0]
        length, offset = row["COMPRESSED_DATA"].tolist()
        if length == 0:
            # Pixels that cannot be rounded are kept to the bit.
            length, offset = row["GZIP_COMPRESSED_DATA"].tolist()
            data = zlib.decompress(self._read(stack.heap + offset, length), _GZIP)
            out[...] = np.frombuffer(data, stack.kind).reshape(stack.shape)
            return None
        data = self._read(stack.heap + offset, length)
        if stack.algorithm == "RICE_1":
            return _RiceTile(data=data, stack=stack, row=row, out=out)
        kind = np.dtype(">i4") if stack.is_rounded else stack.kind
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


def runs_of(rows: Sequence[int]) -> list[tuple[int, int]]:
    """Return ascending rows as ranges (first, one past the last)."""
    runs: list[tuple[int, int]] = []
    for row in rows:
        if runs and runs[-1][1] == row:
            runs[-1] = (runs[-1][0], row + 1)
        else:
            runs.append((row, row + 1))
    return runs


def _stack_in(unit: FitsUnit) -> _Stack | None:
    """Return how a stack is stored; None if in another way than this module knows."""
    header = unit.header
    if any(keyword in header for keyword in _SCALINGS):
        return None
    if header.get("ZIMAGE") != "T":
        *axes, _ = axes_of(header, "NAXIS")
        kind = np.dtype(_KIND[header["BITPIX"]])
        return _Stack(shape=tuple(axes[::-1]), kind=kind, address=unit.address)
    *axes, _ = axes_of(header, "ZNAXIS")
    columns = {
        header[f"TTYPE{n}"]: header[f"TFORM{n}"].removeprefix("1")[0]
        for n in range(1, header["TFIELDS"] + 1)
    }
    settings = {header[f"ZNAME{n}"]: header[f"ZVAL{n}"] for n in (1, 2) if f"ZNAME{n}" in header}
    if (
        [header.get(f"ZTILE{n}") for n in range(1, len(axes) + 2)] != [*axes, 1]
        or header.get("ZQUANTIZ", "NO_DITHER") != "NO_DITHER"
        or header["ZCMPTYPE"] not in ("GZIP_1", "GZIP_2", "RICE_1")
        or (header["ZCMPTYPE"] == "RICE_1" and settings != RICE_SETTINGS)
        or not set(columns) <= _COLUMNS
        or not set(columns.values()) <= set(_FORMS)
    ):
        return None
    return _Stack(
        shape=tuple(axes[::-1]),
        kind=np.dtype(_KIND[header["ZBITPIX"]]),
        address=unit.address,
        algorithm=header["ZCMPTYPE"],
        columns=np.dtype([(column, _FORMS[form]) for column, form in columns.items()]),
        heap=unit.address + header.get("THEAP", header["NAXIS1"] * header["NAXIS2"]),
        blank=header.get("ZBLANK"),
    )


def _scaled(integers: _Array, stack: _Stack, row: np.void) -> _Array:
    """Undo the rounding of the FITS standard (10.2.1), if there is one."""
    if not stack.is_rounded:
        return integers
    values: _Array = integers * row["ZSCALE"]
    values += row["ZZERO"]
    if stack.blank is not None:
        values[integers == stack.blank] = np.nan
    return values


def _stored_kind(kind: np.dtype[Any]) -> np.dtype[Any]:
    base = np.dtype("S1") if kind.base == np.bool_ else kind.base.newbyteorder(">")
    return np.dtype((base, kind.shape))
