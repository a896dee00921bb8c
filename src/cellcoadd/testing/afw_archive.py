"""The archive of a file in the layout of lsst.afw: objects in tables that they share.

As afw does it, objects of the same columns share a table, and rows of the index are in no order.
"""

from __future__ import annotations

__all__ = ["AfwArchive", "Row", "column_format"]

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy.io import fits

type Row = Mapping[str, Any]
"""A row of a table, by the names of its columns."""


class AfwArchive:
    """Objects and the tables that they share.

    Parameters
    ----------
    old_names
        Whether columns of the index are called as in files of before 2015.
    """

    def __init__(self, *, old_names: bool = False) -> None:
        self._tables: dict[tuple[Any, ...], list[Row]] = {}
        self._names: dict[tuple[Any, ...], str] = {}
        self._index: list[tuple[int, int, int, int, int, str]] = []
        self._count = 0
        self._mark = "_" if old_names else "."

    def add(self, name: str, *tables: Sequence[Row]) -> int:
        """Add an object; return its number.

        Parameters
        ----------
        name
            Its class.
        *tables
            Rows of each of its tables, by the names of columns.
        """
        self._count += 1
        for part, rows in enumerate(tables):
            key = _schema(rows[0])
            table = self._tables.setdefault(key, [])
            self._names[key] = name  # the last one's, as afw has it
            number = list(self._tables).index(key) + 1
            self._index.append((self._count, number, part, len(table), len(rows), name))
            table.extend(rows)
        if not tables:
            self._index.append((self._count, -1, 0, 0, 0, name))
        return self._count

    def hdus(self) -> list[fits.BinTableHDU]:
        """Return the index and the tables."""
        rows = [self._index[i] for i in np.random.default_rng(5).permutation(len(self._index))]
        names = ("id", f"cat{self._mark}archive", f"cat{self._mark}persistable", "row0", "nrows")
        columns = [
            fits.Column(name, "J", array=np.array([row[i] for row in rows], np.int32))
            for i, name in enumerate(names)
        ]
        columns.append(fits.Column("name", "64A", array=[row[5] for row in rows]))
        columns.append(fits.Column("module", "64A", array=[""] * len(rows)))
        index = fits.BinTableHDU.from_columns(columns)
        index.header["EXTTYPE"] = "ARCHIVE_INDEX"
        return [index, *(_table(key, rows, self._names[key]) for key, rows in self._tables.items())]


def _schema(row: Row) -> tuple[Any, ...]:
    return tuple((name, column_format(value)) for name, value in row.items())


def column_format(value: Any) -> Any:
    """Return the format of a FITS column for a value; of flags, their names."""
    match value:
        case dict():
            return tuple(value)
        case bool() | int() | np.integer():
            return "J"
        case float() | np.floating():
            return "D"
        case str():
            return "64A"
        case bytes():
            return "QB()"
    code = {"f8": "D", "f4": "E", "i4": "J"}[np.asarray(value).dtype.str[1:]]
    return f"{np.size(value)}{code}"


def _table(key: tuple[Any, ...], rows: Sequence[Row], name: str) -> fits.BinTableHDU:
    columns: list[fits.Column] = []
    flags: tuple[str, ...] = ()
    for column, form in key:
        values = [row[column] for row in rows]
        if isinstance(form, tuple):
            flags = form
            bits = np.array([[value[flag] for flag in form] for value in values], bool)
            columns.append(fits.Column(column, f"{len(form)}X", array=bits))
        elif form == "QB()":
            data = np.empty(len(values), object)
            data[:] = [np.frombuffer(value, np.uint8) for value in values]
            columns.append(fits.Column(column, form, array=data))
        else:
            columns.append(fits.Column(column, form, array=np.array(values)))
    hdu = fits.BinTableHDU.from_columns(columns)
    for number, flag in enumerate(flags, start=1):
        hdu.header[f"TFLAG{number}"] = flag
    hdu.header["EXTTYPE"], hdu.header["AR_NAME"], hdu.header["EXTNAME"] = "ARCHIVE_DATA", name, name
    return hdu
