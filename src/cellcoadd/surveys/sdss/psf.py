"""Point-spread functions of SDSS: Karhunen-Loeve eigenimages whose weights vary over a frame.

A table of a ``psField`` file comes in; the model that PSFEx files become, too, goes out.
"""

from __future__ import annotations

__all__ = ["POSITION_SCALE", "psf_of_eigenimages"]

from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits
from lsst.images import Box

from ...errors import UnusableInputError
from ...psfs.models import PsfexPointSpreadFunction, psfex_term_count

POSITION_SCALE = 1000.0
"""Pixels in x or y that change the survey's variables of position by one."""

_FIRST_CENTRE = 0.5  # row and column of the centre of SDSS's first pixel
_SIDE = 5  # of the table of coefficients, whatever part of it is used


def psf_of_eigenimages(
    table: fits.BinTableHDU, *, bounds: Box, source: str
) -> PsfexPointSpreadFunction:
    """Return the PSF of a band, exactly.

    Parameters
    ----------
    table
        One row an eigenimage: ``RROWS`` its pixels, ``RNROW`` by ``RNCOL``, centred on the middle
        one; ``c`` its 5 x 5 coefficients, of which ``nrow_b`` by ``ncol_b`` are used.
    bounds
        The pixels where the model is valid.
    source
        The file, for messages.

    Returns
    -------
    psf
        With a pixel of the frame as its own: the sum over eigenimages k of
        ``image_k * sum(c_k[i, j] * (row / 1000)**i * (col / 1000)**j)``, divided by its sum.
        Products of powers below 3 in each are terms of a polynomial of degree 4 in both.

    Raises
    ------
    UnusableInputError
        If there is no eigenimage, their sizes differ or are even, or a number that is used is not
        finite.

    Notes
    -----
    Lupton et al. (2001, ASP Conf. 238, 269). Positions of SDSS are half a pixel larger than ours:
    their first pixel has its centre at 0.5. What lies beyond the coefficients in use was never
    written by the survey: some of it is not a number.
    """
    try:
        rows = [_Eigenimage(row) for row in table.data]
    except (KeyError, TypeError, ValueError) as error:
        raise UnusableInputError(source, f"its table of the PSF is broken: {error}") from error
    shapes = {row.pixels.shape for row in rows}
    if len(shapes) != 1 or any(size % 2 == 0 for size in next(iter(shapes))):
        raise UnusableInputError(
            source,
            "the eigenimages of its PSF must be at least one, all of one size, with odd numbers of "
            f"rows and columns; they have {sorted(shapes)}.",
        )
    degree = max(sum(row.coefficients.shape) - 2 for row in rows)
    basis = np.zeros((psfex_term_count(degree), *next(iter(shapes))))
    for row in rows:
        for (y_power, x_power), coefficient in np.ndenumerate(row.coefficients):
            basis[_term(degree, x_power=x_power, y_power=y_power)] += coefficient * row.pixels
    if not np.isfinite(basis).all():
        raise UnusableInputError(
            source, "pixels or coefficients of its PSF are not finite; it cannot be used."
        )
    return PsfexPointSpreadFunction(
        basis,
        degree=degree,
        x_zero=-_FIRST_CENTRE,
        y_zero=-_FIRST_CENTRE,
        x_scale=POSITION_SCALE,
        y_scale=POSITION_SCALE,
        sampling=1.0,
        bounds=bounds,
    )


class _Eigenimage:
    """A row of the table: pixels (rows, columns) and coefficients (powers of row, of column)."""

    def __init__(self, row: Any) -> None:
        size = (int(row["RNROW"]), int(row["RNCOL"]))
        used = (int(row["nrow_b"]), int(row["ncol_b"]))
        if not all(1 <= number <= _SIDE for number in used):
            raise ValueError(f"nrow_b and ncol_b must be in 1..{_SIDE}, they are {used}.")
        pixels = np.asarray(row["RROWS"], dtype=np.float64)
        if min(size) < 1 or pixels.size != size[0] * size[1]:
            raise ValueError(f"RROWS has {pixels.size} pixels, RNROW and RNCOL say {size}.")
        self.pixels: npt.NDArray[np.float64] = pixels.reshape(size)
        # A signalling NaN in what is unused would warn when it is converted.
        coefficients = np.asarray(row["c"]).reshape(_SIDE, _SIDE)[: used[0], : used[1]]
        self.coefficients: npt.NDArray[np.float64] = coefficients.astype(np.float64)


def _term(degree: int, *, x_power: int, y_power: int) -> int:
    """Return the place of a term in the order 1, X, X^2, ..., Y, XY, ...."""
    return sum(degree + 1 - power for power in range(y_power)) + x_power
