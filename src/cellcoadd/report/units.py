"""Units of variances on the page: of coadds in nJy, or in counts where no zero point is known."""

from __future__ import annotations

__all__ = ["variance_label", "variance_unit"]

import astropy.units as u
from astropy.table import Table

from ..products.flux_units import FLUX_UNITS, unit_label


def variance_unit(cells: Table | None) -> u.UnitBase:
    """Return the unit of the variances in a table of cells; nJy^2 where it does not say."""
    for name in ("variance_median", "variance_mean"):
        if cells is not None and name in cells.colnames and cells[name].unit is not None:
            return u.Unit(cells[name].unit)
    return u.nJy**2


def variance_label(unit: u.UnitBase, *, mathtext: bool = False) -> str:
    """Return what people call the unit of a variance.

    Parameters
    ----------
    unit
        The square of one of `products.flux_units.FLUX_UNITS`; another one is written as it is.
    mathtext
        For figures, not for HTML.

    Examples
    --------
    >>> variance_label(u.nJy**2), variance_label(u.count**2, mathtext=True)
    ('nJy²', 'counts$^2$')
    """
    square = "$^2$" if mathtext else "²"
    for known in FLUX_UNITS:
        if unit == known**2:
            name = unit_label(known)
            return f"({name}){square}" if "/" in name else f"{name}{square}"
    return str(unit.to_string())
