"""Single entries of stacks, rows of images and rows of tables, out of an open FITS file.

A stack is an image of one axis more than its entries, as it is or with one compressed tile an
entry; an image is a stack of rows, of which a compressed tile may hold several. astropy needs 4 ms
to build its objects of a compressed image, ten times as long as for one tile of it, and eight times
as long for an uncompressed plane as it takes to copy the bytes. Here headers and rows are looked up
by what the FITS standard says (4.0, section 10). Whatever is stored in any other way is left to
others.
"""

from __future__ import annotations

__all__ = ["FitsEntries", "runs_of"]

import dataclasses
import functools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from .file_bytes import FileBytes
from .fits_units import BrokenFitsError, FitsUnit, axes_of, units_of
from .gzip_tiles import decompress
from .rice_tiles import RICE_SETTINGS, decode_rice

_KIND = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_COLUMNS = {"COMPRESSED_DATA", "GZIP_COMPRESSED_DATA", "ZSCALE", "ZZERO"}
_FORMS = {"P": "(2,)>i4", "Q": "(2,)>i8", "D": ">f8"}
_MOST_PIXELS = 1 << 31
_PIECE = 1 << 18  # bytes: what a core keeps at hand
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
    entries: int = 0
    """How many there are."""
    per_tile: int = 1
    """How many of them a tile holds; the last one may hold fewer."""
    columns: np.dtype[np.void] | None = None
    """What a row of the table tells of a tile."""
    heap: int = 0
    """Address from which the tiles' places count."""
    end: int = 0
    """Address after the data."""
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
        self._content = FileBytes(stream)

    @functools.cached_property
    def _units(self) -> dict[_Name, FitsUnit]:
        return {unit.name: unit for unit in units_of(self._stream)}

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
        BrokenFitsError
            If the file ends too early, or its HDU has not what is asked for.
        """
        result: dict[_Name, _Array] = {}
        rice: dict[tuple[int, ...], list[_RiceTile]] = defaultdict(list)
        for name in names:
            stack = _stack_in(self._unit(name))
            if stack is None or stack.per_tile > 1:
                continue
            _check_rows(name, rows, stack.entries)
            result[name] = _room((len(rows), *stack.shape), stack)
            for out, row in zip(result[name], rows, strict=True):
                if not stack.algorithm:
                    out[...] = self._read_plain(stack, row, row + 1)[0]
                elif (tile := self._read_tile(stack, row, out=out)) is not None:
                    rice[stack.shape].append(tile)
        _decode(rice)
        return result

    def read_rows(self, name: _Name, first: int, stop: int) -> _Array | None:
        """Return neighbouring rows of an image, with the bits that astropy would give.

        Parameters
        ----------
        name
            As in `read_stacks`.
        first, stop
            Rows first..stop-1 of its last axis, as arrays count them of the first one.

        Returns
        -------
        array (stop - first, ...)
            None if the image is stored in another way than this module knows.

        Raises
        ------
        BrokenFitsError
            If the file ends too early, or its HDU has not what is asked for.
        """
        stack = _stack_in(self._unit(name))
        if stack is None:
            return None
        if first < stop:
            _check_rows(name, (first, stop - 1), stack.entries)
        if not stack.algorithm:
            return self._read_plain(stack, first, stop)
        result = _room((stop - first, *stack.shape), stack)
        rice: dict[tuple[int, ...], list[_RiceTile]] = defaultdict(list)
        parts: list[tuple[_Array, _Array]] = []
        for number in range(first // stack.per_tile, -(-stop // stack.per_tile)):
            start = number * stack.per_tile
            end = min(start + stack.per_tile, stack.entries)
            wanted = result[max(start - first, 0) : end - first]
            out = wanted
            if start < first or end > stop:
                out = np.empty((end - start, *stack.shape), result.dtype)
                parts.append((wanted, out[max(first - start, 0) : stop - start]))
            if (tile := self._read_tile(stack, number, out=out)) is not None:
                rice[out.shape].append(tile)
        _decode(rice)
        for wanted, part in parts:
            wanted[...] = part
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
        unit = self._unit(name)
        fields = {field: dtype[field] for field in dtype.names or ()}
        stored = np.dtype([(field, _stored_kind(kind)) for field, kind in fields.items()])
        scaled = any(keyword.startswith(("TZERO", "TSCAL")) for keyword in unit.header)
        if scaled or unit.header["NAXIS1"] != stored.itemsize:
            return None
        _check_rows(name, rows, unit.header["NAXIS2"])
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

    def _read_plain(self, stack: _Stack, first: int, stop: int) -> _Array:
        """Read entries into memory of their own, and put its bytes into order piece by piece."""
        result = _room((stop - first, *stack.shape), stack)
        start = stack.address + first * math.prod(stack.shape) * stack.kind.itemsize
        flat = result.reshape(-1)
        step = _PIECE // stack.kind.itemsize
        for done in range(0, flat.size, step):
            piece = flat[done : done + step]
            self._fill(start + done * stack.kind.itemsize, piece)
            if stack.kind.byteorder == ">":
                piece.byteswap(inplace=True)
        return result

    def _fill(self, address: int, target: _Array) -> None:
        if self._content.read_into(address, memoryview(target).cast("B")) != target.nbytes:
            raise _ends_before(address + target.nbytes)

    def _read_tile(self, stack: _Stack, number: int, *, out: _Array) -> _RiceTile | None:
        """Decode a tile into an array; return it if it has to be decoded together with others."""
        assert stack.columns is not None, "of tiles there is a table"
        size = stack.columns.itemsize
        row = np.frombuffer(self._read(stack.address + number * size, size), stack.columns)[0]
        length, offset = row["COMPRESSED_DATA"].tolist()
        if length == 0 and "GZIP_COMPRESSED_DATA" in (stack.columns.names or ()):
            # Pixels that cannot be rounded are kept to the bit.
            length, offset = row["GZIP_COMPRESSED_DATA"].tolist()
            exact = decompress(
                self._read_heap(stack, offset, length), out.size * stack.kind.itemsize
            )
            out[...] = np.frombuffer(exact, stack.kind).reshape(out.shape)
            return None
        data = self._read_heap(stack, offset, length)
        if stack.algorithm == "RICE_1":
            return _RiceTile(data=data, stack=stack, row=row, out=out)
        kind = np.dtype(">i4") if stack.is_rounded else stack.kind
        pixels = np.frombuffer(decompress(data, out.size * kind.itemsize), np.uint8)
        if stack.algorithm == "GZIP_2":
            pixels = pixels.reshape(kind.itemsize, -1).T.ravel()
        out[...] = _scaled(pixels.view(kind).reshape(out.shape), stack, row)
        return None

    def _read_heap(self, stack: _Stack, offset: int, length: int) -> bytes:
        """Read a tile, of the HDU that it belongs to."""
        if length < 0 or offset < 0 or stack.heap + offset + length > stack.end:
            raise BrokenFitsError(
                f"A tile of {length} bytes at {offset} is outside of its HDU; the file is broken."
            )
        return self._read(stack.heap + offset, length)

    def _read(self, address: int, size: int) -> bytes:
        data = self._content[address : address + size]
        if len(data) != size:
            raise _ends_before(address + size)
        return data

    def _unit(self, name: _Name) -> FitsUnit:
        try:
            return self._units[name]
        except KeyError as error:
            raise BrokenFitsError(
                f"The FITS file has no HDU {name[0]}, version {name[1]}; it is broken."
            ) from error


def _room(shape: tuple[int, ...], stack: _Stack) -> _Array:
    """Return memory for some pixels, if there can be so many."""
    if math.prod(shape) > _MOST_PIXELS:
        raise BrokenFitsError(
            f"An image of {' x '.join(map(str, shape))} pixels is asked for, {_MOST_PIXELS} are "
            "allowed; the file is broken."
        )
    return np.empty(shape, stack.kind.newbyteorder("="))


def _ends_before(address: int) -> BrokenFitsError:
    return BrokenFitsError(f"The FITS file ends before its byte {address}; it is broken.")


def _decode(tiles_by_shape: Mapping[tuple[int, ...], Sequence[_RiceTile]]) -> None:
    """Write what was left to be decoded together."""
    for shape, tiles in tiles_by_shape.items():
        decoded = decode_rice([tile.data for tile in tiles], shape)
        for tile, integers in zip(tiles, decoded, strict=True):
            tile.out[...] = _scaled(integers, tile.stack, tile.row)


def runs_of(rows: Sequence[int]) -> list[tuple[int, int]]:
    """Return ascending rows as ranges (first, one past the last)."""
    runs: list[tuple[int, int]] = []
    for row in rows:
        if runs and runs[-1][1] == row:
            runs[-1] = (runs[-1][0], row + 1)
        else:
            runs.append((row, row + 1))
    return runs


def _check_rows(name: _Name, rows: Sequence[int], count: int) -> None:
    """Refuse what would be read from the next HDU."""
    if len(rows) and not 0 <= min(rows) <= max(rows) < count:
        raise BrokenFitsError(
            f"HDU {name[0]} has {count} entries, entry {max(rows)} is asked for; the file is "
            "broken."
        )


def _stack_in(unit: FitsUnit) -> _Stack | None:
    """Return how a stack is stored; None if in another way than this module knows."""
    try:
        return _described_stack(unit)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BrokenFitsError(
            f"HDU {unit.name[0]} does not say what is in it ({type(error).__name__}: {error}); the "
            "file is broken."
        ) from error


def _described_stack(unit: FitsUnit) -> _Stack | None:
    header = unit.header
    if any(keyword in header for keyword in _SCALINGS):
        return None
    if header.get("ZIMAGE") != "T":
        *axes, entries = axes_of(header, "NAXIS")
        if not axes:
            return None
        kind = np.dtype(_KIND[header["BITPIX"]])
        return _Stack(shape=tuple(axes[::-1]), kind=kind, address=unit.address, entries=entries)
    *axes, entries = axes_of(header, "ZNAXIS")
    if not axes:
        return None
    columns = {
        header[f"TTYPE{n}"]: header[f"TFORM{n}"].removeprefix("1")[0]
        for n in range(1, header["TFIELDS"] + 1)
    }
    settings = {header[f"ZNAME{n}"]: header[f"ZVAL{n}"] for n in (1, 2) if f"ZNAME{n}" in header}
    if (
        [header.get(f"ZTILE{n}", 1) for n in range(2, len(axes) + 1)] != axes[1:]
        or header.get("ZTILE1", axes[0]) != axes[0]
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
        entries=entries,
        per_tile=header.get(f"ZTILE{len(axes) + 1}", 1),
        columns=np.dtype([(column, _FORMS[form]) for column, form in columns.items()]),
        heap=unit.address + header.get("THEAP", header["NAXIS1"] * header["NAXIS2"]),
        end=unit.address + unit.size,
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
