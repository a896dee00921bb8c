"""Tables in Parquet files as astropy's, units and meanings included, without a Butler or pandas.

A Butler writes the tables of cells and inputs so, and reads them back the same; astropy's own
reader needs pandas.
"""

from __future__ import annotations

__all__ = [
    "check_parquet_pages",
    "read_parquet_table",
    "with_page_checksums",
    "write_parquet_table",
]

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet
from astropy.table import MaskedColumn, Table
from astropy.table.meta import get_header_from_yaml

from ..errors import UnusableInputError
from .writing import whole_file

_SUM = b"columns_sha256"


def read_parquet_table(
    path: str | os.PathLike[str], *, columns: Sequence[str] | None = None
) -> Table:
    """Read a table of numbers, truth values and texts, or some columns of it.

    Parameters
    ----------
    path
        The file.
    columns
        Names of columns, in the order that is wanted; None: all.

    Raises
    ------
    UnusableInputError
        If the file is broken, or one of the columns is neither numbers, truth values nor text.
    ValueError
        If a column that is asked for is not there.
    """
    source = os.fspath(path)
    with _errors_named(source):
        schema = pyarrow.parquet.read_schema(source)
    _check_sum(schema, source)
    names = schema.names if columns is None else list(columns)
    if missing := sorted(set(names) - set(schema.names)):
        raise ValueError(f"{source}: there is no column {missing}, only {schema.names}.")
    with _errors_named(source):
        stored = pyarrow.parquet.read_table(source, columns=names, page_checksum_verification=True)
    table = Table({name: _values(stored[name], name, source) for name in names})
    try:
        _describe(table, schema)
    except Exception as error:  # a broken text raises whatever its first broken part leads to
        raise UnusableInputError(
            source,
            f"what it says of its columns is damaged ({type(error).__name__}: {error}).",
        ) from error
    return table


def write_parquet_table(
    table: Table, path: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Write a table with its units and meanings, and a checksum a page.

    Parameters
    ----------
    table
        Columns of numbers, truth values and texts.
    path
        The file; it appears when it is complete.
    overwrite
        Replace a file that is there.

    Raises
    ------
    FileExistsError
        If there is such a file and it is not to be replaced.
    """
    with whole_file(os.fspath(path), overwrite=overwrite) as unfinished:
        table.write(unfinished, format="parquet")
        with_page_checksums(unfinished)


def with_page_checksums(path: str | os.PathLike[str]) -> None:
    """Write a Parquet file again, with a checksum of each page and one of what it says of columns.

    All else stays. The format has a place for the first; the second is an entry of its metadata.
    """
    source = os.fspath(path)
    table = pyarrow.parquet.read_table(source)
    about = {**(table.schema.metadata or {}), _SUM: _sum_of(table.schema)}
    pyarrow.parquet.write_table(
        table.replace_schema_metadata(about), source, write_page_checksum=True
    )


def _sum_of(schema: pa.Schema) -> bytes:
    """Add up what a file says of its columns: names, types, units, meanings."""
    told = hashlib.sha256()
    said = {key: value for key, value in (schema.metadata or {}).items() if key != _SUM}
    for field in schema:
        about = sorted((field.metadata or {}).items())
        told.update(repr((field.name, str(field.type), about)).encode())
    told.update(repr(sorted(said.items())).encode())
    return told.hexdigest().encode()


def _check_sum(schema: pa.Schema, source: str) -> None:
    """Refuse a file that says something else of its columns than it was written with."""
    stated = (schema.metadata or {}).get(_SUM)
    if stated is not None and stated != _sum_of(schema):
        raise UnusableInputError(
            source,
            "it is damaged: what it says of its columns is not what was written. Restore it from a "
            "copy, or make it again.",
        )


def check_parquet_pages(path: str | os.PathLike[str], *, name: str | None = None) -> None:
    """Refuse a Parquet file that is not as it was written; without checksums it passes.

    Parameters
    ----------
    path
        The file.
    name
        How the user knows it; None: by its path.

    Raises
    ------
    UnusableInputError
        If it is damaged, or cannot be read.
    """
    source = os.fspath(path)
    with _errors_named(source if name is None else name):
        found = pyarrow.parquet.read_table(source, page_checksum_verification=True)
    _check_sum(found.schema, source if name is None else name)


@contextlib.contextmanager
def _errors_named(source: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UnusableInputError(
            source, f"it cannot be read as a table in Parquet ({error})."
        ) from error


def _values(column: pa.ChunkedArray, name: str, source: str) -> npt.NDArray[Any] | MaskedColumn:
    kind, types = column.type, pa.types
    is_text = types.is_string(kind) or types.is_large_string(kind)
    is_number = types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
    if not (is_text or is_number):
        raise UnusableInputError(
            source, f"the column {name} is of {kind}; numbers, truth values and texts are read."
        )
    absent = column.is_null().to_numpy()
    if absent.any():
        column = column.fill_null("" if is_text else kind.to_pandas_dtype()(0).item())
    values = column.to_numpy().astype(np.str_) if is_text else column.to_numpy()
    return MaskedColumn(values, mask=absent) if absent.any() else values


def _describe(table: Table, schema: pa.Schema) -> None:
    """Give a table and its columns what a file says of them."""
    about, table.meta = _described(schema)
    for name in table.colnames:
        for attribute in ("unit", "description", "format", "meta"):
            if attribute in about[name]:
                setattr(table[name], attribute, about[name][attribute])


def _described(schema: pa.Schema) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Return what is said of each column, and of the table."""
    about: dict[str, dict[str, Any]] = {name: {} for name in schema.names}
    lines = (schema.metadata or {}).get(b"table_meta_yaml")
    if lines is not None:
        header = get_header_from_yaml(lines.decode().split("\n"))
        about |= {column["name"]: column for column in header["datatype"]}
        return about, header.get("meta", {})
    for name in schema.names:
        card = schema.field(name).metadata or {}
        about[name] = {key.decode(): value.decode() for key, value in card.items()}
    return about, {}
