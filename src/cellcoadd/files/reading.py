"""Errors of files that cannot be read, so that each names its file, the reason and the way out."""

from __future__ import annotations

__all__ = ["errors_named"]

import contextlib
from collections.abc import Iterator
from typing import IO

from astropy.io import fits
from lsst.images.serialization import InvalidComponentError, InvalidParameterError
from lsst.resources import ResourcePath, ResourcePathExpression

from ..errors import CellCoaddError, UnusableInputError

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
        # Astropy raises OSError without a number for what is no FITS file.
        if isinstance(error, _PASS_ON) and getattr(error, "errno", 0) is not None:
            raise
        name = str(getattr(path, "name", path) if hasattr(path, "seek") else path)
        reason = _what_else_it_is(name) or f"({type(error).__name__}: {error})"
        raise UnusableInputError(
            name, f"it cannot be read as a {kind.__name__}; {reason}"
        ) from error


def _what_else_it_is(path: ResourcePathExpression) -> str | None:
    """Say what a FITS file holds, if that can be told from its headers."""
    try:
        place = ResourcePath(path)
        with place.as_local() as local, fits.open(local.ospath) as hdus:
            model = str(hdus[0].header.get("DATAMODL", ""))
            older = len(hdus) > 1 and "GRCELL1" in hdus[1].header
    except Exception:  # whatever it is, it is not a FITS file
        return "it is not a FITS file, or it is cut off or damaged."
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
