"""Any product out of its file, by one call, whatever wrote it.

A path comes in, the product goes out. What a file holds is seen from its first bytes and, for FITS,
from header cards; each kind is then read by its own reader, with the parameters that this one
takes. Nothing is unpickled, ever.
"""

from __future__ import annotations

__all__ = ["kind_of", "read"]

import contextlib
import dataclasses
import functools
import gzip
import os
import warnings
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning
from lsst.images import Box, Image, MaskedImage
from lsst.images.serialization import backend_for_path, open_archive

from .cell_grid import shared_box
from .errors import MissingCellError, SkyMapError, UnusableInputError
from .exchange.dp2_cells import read_inner_cells
from .exchange.lsst_cell_coadds import read_lsst_cell_coadds
from .files.checksums import check_file
from .files.computer_errors import raise_if_of_the_computer
from .files.entry_archive import read_product
from .files.fits_units import check_counts
from .files.parquet_tables import read_parquet_table
from .files.plain_names import plain_name
from .files.reading import errors_named
from .products.calibrated_image import CalibratedImage
from .products.cell_coadd import MultipleCellCoadd
from .products.cell_coadd.choice import check_choice
from .products.warp import Warp
from .skymap import load_sky_map
from .skymap.yaml_text import read_yaml
from .surveys import READERS, reader_for

_LONGEST_MARK = 64
_FITS = b"SIMPLE  ="
_GZIP = b"\x1f\x8b"


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Kind:
    """One kind of file: what it is called, how it is read, and by which parameters in part."""

    name: str
    read: Callable[..., Any]
    parameters: Collection[str] = ()


def read(path: str | os.PathLike[str], **parameters: Any) -> Any:
    """Read any product from a file.

    Parameters
    ----------
    path
        The file, on a disk of this computer. Files of FITS may be compressed as a whole (``.gz``).
    **parameters
        What the product's own reader takes, to read a part:

        ====================================  =====================================================
        file                                  parameters
        ====================================  =====================================================
        `CalibratedImage`, `Warp`, `Image`    ``bbox``
        or `MaskedImage` of lsst.images
        `MultipleCellCoadd`                   ``bbox``, ``cells``
        coadd of lsst.cell_coadds             ``bbox``, ``cells``, ``patch``, ``mask_planes``
        `CellCoadd` of lsst.images            ``bbox``, ``cells``
        image of a survey                     ``bbox``
        HealSparse map                        ``pixels``, ``degrade_nside``
        table (Parquet, ECSV)                 ``columns``
        sky map (YAML)                        ``name``
        page (HTML)                           none
        ====================================  =====================================================

    Returns
    -------
    product
        Of the type that the file was written from, but for coadds of the Rubin pipelines, which
        become a `MultipleCellCoadd`, and images of surveys, `lsst.images.VisitImage` among them,
        which become a `CalibratedImage`. A page is its text.

    Raises
    ------
    UnusableInputError
        If the file is broken, or holds something else; it says what and what can be read.
    MissingCellError
        If it has no pixel or cell of those that are asked for.
    SkyMapError
        If the definition of a sky map is wrong.
    TypeError
        If this kind of file does not take a parameter; it says which it takes.
    ValueError
        If a table lacks a column that is asked for.
    OSError
        If there is no such file, or it may not be read.

    Notes
    -----
    Tables in Parquet and sky maps are those that a Butler writes, HealSparse maps any.
    """
    path = Path(path)
    check_choice(bbox=parameters.get("bbox"), cells=parameters.get("cells"))
    kind = _kind_of(path)
    if strange := sorted(set(parameters) - set(kind.parameters)):
        known = " or ".join(kind.parameters)
        raise TypeError(
            f"{path} holds {kind.name}, which is read whole{' or by ' if known else ''}{known}, "
            f"not by {', '.join(strange)}."
        )
    return kind.read(path, **parameters)


def kind_of(path: str | os.PathLike[str]) -> str:
    """Return what a file holds, in words: ``a Warp``, ``a table (Parquet)``.

    Raises
    ------
    UnusableInputError
        If it is none of the kinds that `read` reads.
    OSError
        If there is no such file, or it may not be read.
    """
    return _kind_of(Path(path)).name


def _kind_of(path: Path) -> _Kind:
    """Return what a file holds.

    Raises
    ------
    UnusableInputError
        If it is none of the kinds.
    """
    with path.open("rb") as stream:
        start = stream.read(_LONGEST_MARK)
    kind: _Kind | None = None
    found = "it is none of the kinds of file that are known"
    if start.startswith(_GZIP):
        found = "it is compressed by gzip and not a FITS file, or it is damaged"
        with contextlib.suppress(OSError, EOFError, zlib.error), gzip.open(path) as unpacked:
            if unpacked.read(_LONGEST_MARK).startswith(_FITS):
                kind, found = _kind_of_fits(path)
    elif start.startswith(_FITS):
        kind, found = _kind_of_fits(path)
    elif start.startswith(b"PAR1"):
        kind = _PARQUET
    elif start.startswith(b"# %ECSV"):
        kind = _ECSV
    elif start.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        kind = _PAGE
    elif path.suffix in (".yaml", ".yml"):
        kind, found = _kind_of_yaml(path)
    elif path.suffix in (".json", ".sdf", ".h5"):
        kind, found = _kind_of_archive(path)
    elif start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05":
        found = "it is a Python pickle, which is not opened: that would run whatever it says"
    if kind is None:
        raise UnusableInputError(str(path), f"{found}. {_WHAT_CAN_BE_READ}")
    return kind


def _kind_of_fits(path: Path) -> tuple[_Kind | None, str]:
    """Look at the headers of a FITS file; return its kind, and what it is if that is none."""
    with warnings.catch_warnings():
        # That it is cut off is said by the reader of its kind.
        warnings.simplefilter("ignore", AstropyUserWarning)
        try:
            with path.open("rb") as stream:
                if stream.read(len(_GZIP)) != _GZIP:
                    check_counts(stream)
                stream.seek(0)
                with fits.open(stream) as hdus:
                    first, second = hdus[0].header, {}
                    with contextlib.suppress(IndexError):  # its length would need all headers
                        second = hdus[1].header
        except Exception as error:  # astropy raises whatever a broken header leads to
            raise_if_of_the_computer(error, path)
            return None, f"it is a FITS file whose headers are broken ({_one_line(error)})"
        if model := str(first.get("DATAMODL", "")):
            return _kind_of_schema(model.rsplit("/", 1)[-1])
        if "GRCELL1" in second:
            return _LSST_CELL_COADDS, ""
        if first.get("PIXTYPE") == "HEALSPARSE":
            return _HEALSPARSE, ""
        if any(reader.recognizes(path) for reader in READERS.values()):
            return _SURVEY_IMAGE, ""
    return None, (
        "it is some other FITS file; as an image of any camera it is read with a definition "
        "(--camera: see docs/how-to/any-camera.md)"
    )


def _kind_of_archive(path: Path) -> tuple[_Kind | None, str]:
    """Look at an archive of lsst.images that is no FITS file."""
    try:
        info = backend_for_path(path).input_archive.get_basic_info(path)
    except Exception as error:  # each format has its own
        return None, f"it is no archive of lsst.images, or a broken one ({_one_line(error)})"
    return _kind_of_schema(f"{info.schema_name}-{info.schema_version}")


def _kind_of_schema(schema: str) -> tuple[_Kind | None, str]:
    kind = _ARCHIVES.get(schema.rpartition("-")[0])
    return kind, f"it holds {schema}, an archive of lsst.images that is no product of cellcoadd"


def _kind_of_yaml(path: Path) -> tuple[_Kind | None, str]:
    try:
        definition = read_yaml(path.read_text(encoding="utf-8"))
    except (SkyMapError, UnicodeDecodeError) as error:
        return None, f"it is no sky map: it {_one_line(error)}"
    if isinstance(definition, dict) and "kind" in definition:
        return _SKY_MAP, ""
    return None, "it is YAML, but not a sky map: the key 'kind' is missing"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


@contextlib.contextmanager
def _errors_named(path: Path, name: str) -> Iterator[None]:
    """Turn whatever a broken file raises into an error that names it."""
    try:
        yield
    except Exception as error:
        raise_if_of_the_computer(error, path)
        raise UnusableInputError(
            str(path), f"it cannot be read as {name} ({type(error).__name__}: {error})."
        ) from error


@contextlib.contextmanager
def _named_rightly(path: Path) -> Iterator[Path | IO[bytes]]:
    """Give a file to readers that go by its name; if that is not right, open."""
    with path.open("rb") as stream:
        start = stream.read(len(_FITS))
    is_packed = start.startswith(_GZIP)
    if not (is_packed or start == _FITS) or path.name.endswith(
        ".fits.gz" if is_packed else ".fits"
    ):
        yield path
    else:
        with gzip.open(path) if is_packed else path.open("rb") as content:
            yield cast("IO[bytes]", content)


def _read_archive(path: Path, kind: type[Any], **parameters: Any) -> Any:
    with _named_rightly(path) as file:
        return kind.read(file, **parameters)


def _read_pixels(path: Path, kind: type[Any], *, bbox: Box | None = None) -> Any:
    """Read an archive that is one image, or the pixels that it has in a box."""
    with errors_named(path, kind), _named_rightly(path) as file:
        if bbox is None:
            return read_product(file, kind)
        with open_archive(file, kind) as reader:
            whole: Box = reader.get_component("bbox")
        return read_product(file, kind, bbox=_shared(path, whole, bbox))


def _read_survey_image(path: Path, *, bbox: Box | None = None) -> CalibratedImage:
    image = reader_for(path).read(path).calibrated_image
    return image if bbox is None else image.window(_shared(path, image.bbox, bbox))


def _shared(path: Path, whole: Box, bbox: Box) -> Box:
    shared = shared_box(whole, bbox)
    if shared is None:
        raise MissingCellError(f"{path} has no pixel in {bbox}; it covers {whole}.")
    return shared


def _read_map(path: Path, **parameters: Any) -> Any:
    import healsparse

    if all(value is None for value in parameters.values()):
        check_file(path)
    with _errors_named(path, _HEALSPARSE.name), plain_name(path) as name:
        coverage = healsparse.HealSparseCoverage.read(name)
    pixels = parameters.get("pixels")
    if pixels is not None and not coverage.coverage_mask[np.atleast_1d(pixels)].any():
        raise MissingCellError(f"{path}: the map covers none of the pixels {pixels}.")
    with _errors_named(path, f"{_HEALSPARSE.name} by {parameters}"), plain_name(path) as name:
        return healsparse.HealSparseMap.read(name, **parameters)


def _read_ecsv(path: Path, *, columns: Collection[str] | None = None) -> Table:
    with _errors_named(path, _ECSV.name):
        table = Table.read(path, format="ascii.ecsv")
    if columns is None:
        return table
    if missing := sorted(set(columns) - set(table.colnames)):
        raise ValueError(f"{path}: there is no column {missing}, only {table.colnames}.")
    return table[list(columns)]


def _read_page(path: Path) -> str:
    with _errors_named(path, _PAGE.name):
        return path.read_bytes().decode()


_BY_BOX = ("bbox",)
_BY_CELL = ("bbox", "cells")

_LSST_CELL_COADDS = _Kind(
    name="a coadd of lsst.cell_coadds",
    read=read_lsst_cell_coadds,
    parameters=(*_BY_CELL, "patch", "mask_planes"),
)
_SURVEY_IMAGE = _Kind(name="an image of a survey", read=_read_survey_image, parameters=_BY_BOX)
_HEALSPARSE = _Kind(name="a HealSparse map", read=_read_map, parameters=("pixels", "degrade_nside"))
_PARQUET = _Kind(name="a table (Parquet)", read=read_parquet_table, parameters=("columns",))
_ECSV = _Kind(name="a table (ECSV)", read=_read_ecsv, parameters=("columns",))
_SKY_MAP = _Kind(name="a sky map (YAML)", read=load_sky_map, parameters=("name",))
_PAGE = _Kind(name="a page (HTML)", read=_read_page)

_ARCHIVES: Mapping[str, _Kind] = {
    "cellcoadd_calibrated_image": _Kind(
        name="a CalibratedImage",
        read=functools.partial(_read_pixels, kind=CalibratedImage),
        parameters=_BY_BOX,
    ),
    "cellcoadd_warp": _Kind(
        name="a Warp", read=functools.partial(_read_archive, kind=Warp), parameters=_BY_BOX
    ),
    "cellcoadd_multiple_cell_coadd": _Kind(
        name="a MultipleCellCoadd",
        read=functools.partial(_read_archive, kind=MultipleCellCoadd),
        parameters=_BY_CELL,
    ),
    "cell_coadd": _Kind(
        name="a CellCoadd of lsst.images", read=read_inner_cells, parameters=_BY_CELL
    ),
    "image": _Kind(
        name="an Image of lsst.images",
        read=functools.partial(_read_pixels, kind=Image),
        parameters=_BY_BOX,
    ),
    "masked_image": _Kind(
        name="a MaskedImage of lsst.images",
        read=functools.partial(_read_pixels, kind=MaskedImage),
        parameters=_BY_BOX,
    ),
    "visit_image": _SURVEY_IMAGE,
}
"""By the schema of the archive."""

_ALL = dict.fromkeys(
    [
        *(kind.name for kind in _ARCHIVES.values()),
        *(kind.name for kind in (_LSST_CELL_COADDS, _HEALSPARSE, _PARQUET, _ECSV, _SKY_MAP, _PAGE)),
    ]
)
_WHAT_CAN_BE_READ = f"What can be read: {', '.join(_ALL)}."
