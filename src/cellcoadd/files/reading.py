"""Files that are read: sound as a whole, and named with reason and way out where they are not."""

from __future__ import annotations

__all__ = [
    "check_before_parts",
    "check_tree_of",
    "errors_named",
    "parts_are_to_be_sound",
    "parts_of_sound_files",
    "sound_file",
]

import contextlib
import contextvars
import json
from collections.abc import Iterator
from typing import IO, cast

from astropy.io import fits
from lsst.images.serialization import (
    InvalidComponentError,
    InvalidParameterError,
    class_for_schema,
)
from lsst.resources import ResourcePath, ResourcePathExpression

from ..errors import CellCoaddError, UnusableInputError
from .archive_check import check_archive, check_tree
from .checksums import check_file
from .computer_errors import raise_if_of_the_computer
from .fits_units import BrokenFitsError, check_counts

_SOUND: contextvars.ContextVar[set[str] | None] = contextvars.ContextVar("_SOUND", default=None)
"""Files that were found sound in a block that asks for it."""

_PASS_ON = (CellCoaddError, InvalidComponentError, InvalidParameterError, OSError)


@contextlib.contextmanager
def errors_named(path: ResourcePathExpression | IO[bytes], kind: type) -> Iterator[None]:
    """Turn whatever a broken or foreign file raises into an error that names it.

    Parameters
    ----------
    path
        The file.
    kind
        What it should hold.

    Raises
    ------
    UnusableInputError
        If the file is broken or holds something else. Errors of ours, of the arguments and of the
        computer (no file, no permission) go on as they are.
    """
    try:
        yield
    except Exception as error:
        raise_if_of_the_computer(error, _name_of(path))
        # Astropy raises OSError without a number for what is no FITS file.
        if isinstance(error, _PASS_ON) and getattr(error, "errno", 0) is not None:
            raise
        name = _name_of(path)
        if isinstance(error, BrokenFitsError):
            raise UnusableInputError(
                name, f"it cannot be read as a {kind.__name__}: {error}"
            ) from error
        reason = _what_else_it_is(name) or f"({type(error).__name__}: {error})"
        raise UnusableInputError(
            name, f"it cannot be read as a {kind.__name__}; {reason}"
        ) from error


@contextlib.contextmanager
def sound_file(
    path: ResourcePathExpression | IO[bytes],
) -> Iterator[ResourcePathExpression | IO[bytes]]:
    """Give a file that is to be read whole, after its checksums were verified.

    Parameters
    ----------
    path
        The file, or one that is open. What is no FITS file is given as it is.

    Yields
    ------
    file
        The same, on this computer.

    Raises
    ------
    UnusableInputError
        If an HDU is damaged.
    """
    if not isinstance(path, ResourcePathExpression):
        check_file(path, name=_name_of(path))
        yield path
        return
    place = ResourcePath(path)
    with place.as_local() as local:
        if place.getExtension() in (".fits", ".fits.gz"):
            check_file(local.ospath, name=str(path))
        elif place.getExtension() == ".json":
            check_tree(json.loads(local.read()))
        yield local


@contextlib.contextmanager
def parts_of_sound_files() -> Iterator[None]:
    """Have files verified of which parts are read in this block, each once.

    For who reads all of a file in parts, such as the strips of a patch. Who reads one cell does not
    want to read the rest for it.
    """
    token = _SOUND.set(set())
    try:
        yield
    finally:
        _SOUND.reset(token)


def parts_are_to_be_sound() -> bool:
    """Whether somebody wants files verified of which parts are read."""
    return _SOUND.get() is not None


def check_before_parts(path: str) -> None:
    """Verify a file of which a part is to be read, if somebody wants that; once in their block.

    Raises
    ------
    UnusableInputError
        If an HDU is damaged.
    """
    sound = _SOUND.get()
    if sound is not None and path not in sound:
        check_file(path)
        sound.add(path)


def check_tree_of(path: ResourcePathExpression | IO[bytes]) -> None:
    """Look at what lsst.images will believe of a file: its tree, and where its HDUs are.

    A file that was found sound in a block of `parts_of_sound_files` is not looked at again. One
    that is open is at its beginning afterwards.

    Raises
    ------
    BrokenFitsError
        If they do not agree.
    """
    if hasattr(path, "seek"):
        opened = cast("IO[bytes]", path)
        check_archive(opened)
        opened.seek(0)
        return
    place = ResourcePath(path)
    if place.isLocal and place.ospath in (_SOUND.get() or ()):
        return
    if place.getExtension() == ".fits":
        with place.open("rb") as stream:
            check_archive(cast("IO[bytes]", stream))


def _name_of(path: ResourcePathExpression | IO[bytes]) -> str:
    """Return the name of a file, or of one that is open."""
    return str(getattr(path, "name", path) if hasattr(path, "seek") else path)


def _what_else_it_is(path: ResourcePathExpression) -> str | None:
    """Say what a FITS file holds, if that can be told from its headers."""
    try:
        place = ResourcePath(path)
        with place.as_local() as local, open(local.ospath, "rb") as stream:
            check_counts(stream)
            with fits.open(stream) as hdus:
                model = str(hdus[0].header.get("DATAMODL", ""))
                older = len(hdus) > 1 and "GRCELL1" in hdus[1].header
    except Exception:  # whatever it is, it is not a FITS file
        return "it is not a FITS file, or it is cut off or damaged."
    if model and (newer := _newer_form(model)):
        return newer
    if older:
        return (
            "it is a coadd of lsst.cell_coadds, which cellcoadd.read and "
            "cellcoadd.exchange.lsst_cell_coadds.read_lsst_cell_coadds read."
        )
    if "/cell_coadd-" in model:
        return (
            "it is a CellCoadd of lsst.images, which cellcoadd.read and "
            "cellcoadd.exchange.dp2_cells.read_inner_cells read."
        )
    if model:
        return (
            f"it holds {model.rsplit('/', 1)[-1]}, or it is damaged; cellcoadd.read reads any "
            "product."
        )
    return "it is some other FITS file."


def _newer_form(model: str) -> str | None:
    """Say that a file is of a newer form than is known, if it is; ``model`` is a schema's URL."""
    name, _, version = model.rsplit("/", 1)[-1].rpartition("-")
    form = class_for_schema(name)
    if form is None or int(version.partition(".")[0]) <= int(form.SCHEMA_VERSION.partition(".")[0]):
        return None
    package = "cellcoadd" if name.startswith("cellcoadd_") else "lsst-images"
    return (
        f"a newer version of {package} wrote it, in the form {name} {version}; this one reads "
        f"{form.SCHEMA_VERSION}: update {package}."
    )
