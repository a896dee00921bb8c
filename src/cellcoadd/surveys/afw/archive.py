"""The archive of an afw file: objects by number, each in rows of tables that objects share.

An open file comes in; a `Stored` object goes out, its tables cut to its own rows. The name of an
object is in the index alone: tables are shared by objects of the same columns, and their own names
are those of one of them.
"""

from __future__ import annotations

__all__ = ["Archive", "Rows", "Stored"]

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits
from lsst.images import Box

from ...errors import UnusableInputError

_MOST_ROWS = 1_000_000  # of an index; a coadd of a thousand inputs has some ten thousand
_FLAG = re.compile(r"^TFLAG(\d+)$")
_AGAIN = "get the file again"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Some rows of a table.

    Parameters
    ----------
    table
        The table.
    start, count
        The first row and their number.
    owner, source
        What they are part of, and the file, for messages.
    """

    table: fits.BinTableHDU
    start: int
    count: int
    owner: str
    source: str

    def __len__(self) -> int:
        return self.count

    def has(self, name: str) -> bool:
        """Return whether there is a column."""
        return name in self.table.columns.names

    def column(self, name: str) -> Any:
        """Return a column.

        Raises
        ------
        UnusableInputError
            If there is none.
        """
        if not self.has(name):
            raise UnusableInputError(
                self.source, f"its {self.owner} has no column {name}: it cannot be read."
            )
        return self.table.data[name][self.start : self.start + self.count]

    def value(self, name: str, row: int = 0) -> Any:
        """Return what is in a column, of one row.

        Raises
        ------
        UnusableInputError
            If there is no such column or row.
        """
        if not 0 <= row < self.count:
            raise UnusableInputError(
                self.source, f"its {self.owner} must have a row {row}, it has {self.count}."
            )
        return self.column(name)[row]

    def number(self, name: str, row: int = 0) -> float:
        """Return a number."""
        return float(self.value(name, row))

    def integer(self, name: str, row: int = 0) -> int:
        """Return an integer."""
        return int(self.value(name, row))

    def text(self, name: str, row: int = 0) -> str:
        """Return a string, which lies as one or as an array of characters."""
        value = self.value(name, row)
        return (value if isinstance(value, str) else "".join(map(str, np.ravel(value)))).strip()

    def array(self, name: str, row: int = 0) -> npt.NDArray[np.float64]:
        """Return an array of numbers."""
        return np.array(self.value(name, row), dtype=np.float64).ravel()

    def data(self, name: str, row: int = 0) -> bytes:
        """Return a string of bytes."""
        return np.asarray(self.value(name, row)).astype(np.uint8).tobytes()

    def flag(self, name: str, row: int = 0) -> bool:
        """Return a flag, a bit of the column of flags, which a card names.

        Raises
        ------
        UnusableInputError
            If there is none.
        """
        for card in self.table.header.cards:
            number = _FLAG.match(card.keyword)
            if number is not None and card.value == name:
                bits = np.ravel(self.value("flags", row))
                if int(number[1]) <= bits.size:
                    return bool(bits[int(number[1]) - 1])
        raise UnusableInputError(self.source, f"its {self.owner} has no flag {name}.")

    def point(self, name: str, row: int = 0) -> tuple[float, float]:
        """Return a position x, y, in two columns or, in old files, in one."""
        if self.has(f"{name}_x"):
            return self.number(f"{name}_x", row), self.number(f"{name}_y", row)
        both = self.array(name, row)
        if both.size != 2:
            raise UnusableInputError(
                self.source, f"{name} of its {self.owner} is no position: it has {both.size} axes."
            )
        return float(both[0]), float(both[1])

    def box(self, name: str = "bbox", row: int = 0) -> Box | None:
        """Return a box, whose last pixel lies in the file; None if it is empty."""
        x0, y0, x1, y1 = (
            self.integer(f"{name}_{end}_{axis}", row) for end in ("min", "max") for axis in "xy"
        )
        return Box.factory[y0 : y1 + 1, x0 : x1 + 1] if x1 >= x0 and y1 >= y0 else None


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Stored:
    """An object of an archive.

    Parameters
    ----------
    number
        Its number there.
    name
        Its class, as afw calls it.
    tables
        Its rows, table by table.
    source
        The file, for messages.
    """

    number: int
    name: str
    tables: Sequence[Rows]
    source: str

    def table(self, number: int = 0) -> Rows:
        """Return the rows of one of its tables.

        Raises
        ------
        UnusableInputError
            If it has not so many.
        """
        if number >= len(self.tables):
            raise UnusableInputError(
                self.source,
                f"its {self.name} must have {number + 1} tables, it has {len(self.tables)}.",
            )
        return self.tables[number]


class Archive:
    """The archive of an open file.

    Parameters
    ----------
    hdus
        The file, open as long as objects are asked for.
    index
        Which extension is the index, the primary one being 0; the tables follow it.
    source
        The file, for messages.

    Raises
    ------
    UnusableInputError
        If there is no index where it must be, or it names rows that there are not.
    """

    def __init__(self, hdus: fits.HDUList, index: int, source: str) -> None:
        self.source = source
        self._hdus, self._first = hdus, index
        self._places: dict[int, list[tuple[int, int, int, int]]] = {}
        self._names: dict[int, str] = {}
        if not (0 < index < len(hdus) and isinstance(hdus[index], fits.BinTableHDU)):
            raise UnusableInputError(
                source, f"its archive must begin in extension {index}, where no table is: {_AGAIN}."
            )
        self._read_index(hdus[index])

    def _read_index(self, hdu: fits.BinTableHDU) -> None:
        names = hdu.columns.names
        columns = [
            next((name for name in (f"cat.{last}", f"cat_{last}") if name in names), "")
            for last in ("archive", "persistable")
        ]
        wanted = ["id", *columns, "row0", "nrows", "name"]
        lacking = [name for name in wanted if name not in names]
        if lacking or len(hdu.data) > _MOST_ROWS:
            raise UnusableInputError(
                self.source,
                f"the index of its archive is none: columns {', '.join(names)}, {len(hdu.data)} "
                f"rows: {_AGAIN}.",
            )
        for number, table, part, start, count, name in zip(
            *(hdu.data[name] for name in wanted), strict=True
        ):
            place = (int(part), int(table), int(start), int(count))
            self._places.setdefault(int(number), []).append(place)
            self._names.setdefault(int(number), str(name).strip())

    def get(self, number: int) -> Stored:
        """Return an object by its number.

        Raises
        ------
        UnusableInputError
            If there is none, or its rows are not there.
        """
        if number not in self._places:
            raise UnusableInputError(
                self.source, f"object {number} of its archive is not there: {_AGAIN}."
            )
        name = self._names[number]
        places = sorted(self._places[number])
        tables = [self._rows(name, *place[1:]) for place in places if place[1] >= 0]
        return Stored(number=number, name=name, tables=tables, source=self.source)

    def _rows(self, name: str, table: int, start: int, count: int) -> Rows:
        place = self._first + table
        hdu = self._hdus[place] if table > 0 and place < len(self._hdus) else None
        if not isinstance(hdu, fits.BinTableHDU) or not (
            start >= 0 and count >= 0 and start + count <= int(hdu.header["NAXIS2"])
        ):
            raise UnusableInputError(
                self.source,
                f"its {name} is to be in rows {start} to {start + count} of table {table} of its "
                f"archive, which are not there: {_AGAIN}.",
            )
        return Rows(table=hdu, start=start, count=count, owner=name, source=self.source)
