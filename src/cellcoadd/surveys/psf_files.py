"""Point-spread functions as other programs write them: PSFEx tables."""

from __future__ import annotations

__all__ = ["psfex_from_values", "read_psfex", "table_values", "without_padding"]

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits
from lsst.images import Box

from ..errors import UnusableInputError
from ..psfs.models import PsfexPointSpreadFunction, psfex_term_count
from .fits_files import open_fits

_FIRST_PIXEL = 1.0  # PSFEx counts pixels from 1


def read_psfex(path: Path, *, bounds: Box) -> PsfexPointSpreadFunction:
    """Read the first model of a file that PSFEx wrote.

    Parameters
    ----------
    path
        FITS file whose first table has a column PSF_MASK.
    bounds
        The pixels where the model is valid.

    Raises
    ------
    UnusableInputError
        If the file is broken or the model is of a kind that is not supported.
    """
    with open_fits(path) as hdus:
        return psfex_from_values(table_values(hdus[1], 0), bounds=bounds, source=str(path))


def table_values(hdu: fits.BinTableHDU, row: int) -> dict[str, Any]:
    """Return the header and one row of a table, by lower-case names; the row wins."""
    values: dict[str, Any] = {
        card.keyword.lower(): card.value for card in hdu.header.cards if card.keyword
    }
    for name in hdu.columns.names:
        values[name.lower()] = hdu.data[name][row]
    return values


def psfex_from_values(
    values: Mapping[str, Any], *, bounds: Box, source: str
) -> PsfexPointSpreadFunction:
    """Make a PSF from the keywords and the column of a PSFEx table.

    Parameters
    ----------
    values
        By lower-case name: ``psf_mask`` (terms, rows, columns), ``psf_samp``, and, unless the PSF
        is constant, ``poldeg1``, ``polzero1``, ``polscal1``, ``polzero2``, ``polscal2``. Where
        ``psfaxis1`` (columns), ``psfaxis2`` (rows) or ``psfaxis3`` (terms) say so, the model is
        smaller than the array, as in tables in which models of several detectors were merged.
    bounds
        The pixels where the model is valid.
    source
        The file, for messages.

    Raises
    ------
    UnusableInputError
        If a value is missing, if the model depends on anything but x and y, or if what is beyond
        its stated size is not empty.
    """
    try:
        basis = np.asarray(values["psf_mask"], dtype=np.float32)
        degree = int(values.get("poldeg1", 0))
        basis = basis.reshape(-1, *basis.shape[-2:])
        basis = without_padding(
            basis, _stated_shape(values, basis.shape, degree), what="psf_mask", source=source
        )
        sampling = float(values["psf_samp"])
        zero, scale = (0.0, 0.0), (1.0, 1.0)
        if degree > 0:
            _check_terms(values, basis, degree, source)
            zero = (float(values["polzero1"]), float(values["polzero2"]))
            scale = (float(values["polscal1"]), float(values["polscal2"]))
        return PsfexPointSpreadFunction(
            basis,
            degree=degree,
            x_zero=zero[0] - _FIRST_PIXEL,
            y_zero=zero[1] - _FIRST_PIXEL,
            x_scale=scale[0],
            y_scale=scale[1],
            sampling=sampling,
            bounds=bounds,
        )
    except KeyError as error:
        raise UnusableInputError(source, f"its PSFEx model lacks {error.args[0]}.") from error
    except (TypeError, ValueError) as error:
        raise UnusableInputError(source, f"its PSFEx model is broken: {error}") from error


def without_padding[T: np.generic](
    array: npt.NDArray[T], shape: Sequence[int], *, what: str, source: str
) -> npt.NDArray[T]:
    """Cut an array to its stated size; what is beyond it must be empty: zeros or NaN.

    Parameters
    ----------
    array
        An array that may have been padded at the ends of its axes.
    shape
        The size that is stated.
    what, source
        The name of the array and the file, for messages.

    Raises
    ------
    UnusableInputError
        If the array is smaller than stated, or has values beyond.
    """
    if len(shape) != array.ndim or any(
        not 0 < size <= there for size, there in zip(shape, array.shape, strict=True)
    ):
        raise UnusableInputError(
            source, f"the size of its {what} is stated as {tuple(shape)}, it is {array.shape}."
        )
    kept = array[tuple(slice(0, size) for size in shape)]
    if np.count_nonzero(np.nan_to_num(array)) != np.count_nonzero(np.nan_to_num(kept)):
        raise UnusableInputError(
            source,
            f"the size of its {what} is stated as {tuple(shape)}, but of {array.shape} there are "
            "values beyond that, where only padding (zeros) may be.",
        )
    return kept


def _stated_shape(
    values: Mapping[str, Any], shape: tuple[int, ...], degree: int
) -> tuple[int, int, int]:
    """Return the number of terms, rows and columns that a model states."""
    rows, columns = (
        int(values.get(key, size)) for key, size in (("psfaxis2", shape[1]), ("psfaxis1", shape[2]))
    )
    # The number of terms follows from the degree; psfaxis3 of a merged table may be the padded one.
    terms = min(int(values.get("psfaxis3", shape[0])), shape[0])
    if "poldeg1" in values or shape[0] == 1:
        terms = psfex_term_count(degree) if psfex_term_count(degree) <= terms else terms
    return terms, rows, columns


def _check_terms(values: Mapping[str, Any], basis: Any, degree: int, source: str) -> None:
    names = [str(values.get(f"polname{i}", "")).strip().upper() for i in (1, 2, 3)]
    if names[2] or any(
        name and not name.startswith(axis) for name, axis in zip(names, "XY", strict=False)
    ):
        raise UnusableInputError(
            source, f"its PSFEx model depends on {names}; only one in x and y can be used."
        )
    if basis.shape[0] != psfex_term_count(degree):
        raise UnusableInputError(
            source,
            f"its PSFEx model has {basis.shape[0]} images, one of degree {degree} in x and y has "
            f"{psfex_term_count(degree)}.",
        )
