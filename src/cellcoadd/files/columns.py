"""Numbers by name, one array of equal length each, as the columns of a table in an archive."""

from __future__ import annotations

__all__ = ["read_columns", "write_columns"]

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from lsst.images.serialization import InputArchive, OutputArchive, TableModel

from .entry_archive import read_rows


def write_columns(
    archive: OutputArchive[Any], columns: Mapping[str, npt.NDArray[np.float64]], *, name: str
) -> TableModel | None:
    """Write arrays of equal length to an archive; None if there are none."""
    if not columns:
        return None
    length = len(next(iter(columns.values())))
    table = np.empty(length, [(column, np.float64) for column in columns])
    for column, values in columns.items():
        table[column] = values
    return archive.add_structured_array(table, name=name)


def read_columns(
    archive: InputArchive[Any], model: TableModel | None, rows: Sequence[int] | None = None
) -> dict[str, npt.NDArray[np.float64]]:
    """Read arrays that `write_columns` wrote, all their entries or some rows."""
    if model is None:
        return {}
    table = archive.get_structured_array(model) if rows is None else read_rows(archive, model, rows)
    return {
        column: np.ascontiguousarray(table[column], np.float64)
        for column in table.dtype.names or ()
    }
