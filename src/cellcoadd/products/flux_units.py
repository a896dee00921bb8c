"""The unit of a product's pixels: nJy, or counts where no zero point is known.

Calibrated images, warps and coadds carry one of `FLUX_UNITS`; a variance has its square. Files that
do not say have nJy: all did before they could.
"""

from __future__ import annotations

__all__ = ["FLUX_UNITS", "common_flux_unit", "flux_unit_of", "stored_unit", "unit_label"]

from collections.abc import Iterable

import astropy.units as u

FLUX_UNITS: tuple[u.UnitBase, ...] = (u.nJy, u.count, u.count / u.s)
"""All that there are. Counts are those of the survey's files, whatever a count is there."""

_LABELS: dict[u.UnitBase, str] = dict(zip(FLUX_UNITS, ("nJy", "counts", "counts/s"), strict=True))


def flux_unit_of(unit: u.UnitBase | str | None) -> u.UnitBase:
    """Return which of the `FLUX_UNITS` a unit is; None is nJy.

    Raises
    ------
    ValueError
        If it is another one.
    """
    if unit is None:
        return u.nJy
    parsed = u.Unit(unit)
    for known in FLUX_UNITS:
        if parsed == known:
            return known
    names = ", ".join(_LABELS.values())
    raise ValueError(f"Pixels of a product are in one of {names}, got {parsed}.")


def unit_label(unit: u.UnitBase) -> str:
    """Return what people call one of the `FLUX_UNITS`.

    Examples
    --------
    >>> unit_label(u.nJy), unit_label(u.count)
    ('nJy', 'counts')
    """
    return _LABELS[flux_unit_of(unit)]


def stored_unit(unit: u.UnitBase) -> str | None:
    """Return what a file says of a unit; None, nothing, for nJy."""
    return None if unit == u.nJy else str(unit.to_string(format="fits"))


def common_flux_unit(units: Iterable[tuple[str, u.UnitBase]]) -> u.UnitBase | None:
    """Return the unit that images have in common; None if there are no images.

    Parameters
    ----------
    units
        Name and unit of each image.

    Raises
    ------
    ValueError
        If two differ; it names one of each.
    """
    first: tuple[str, u.UnitBase] | None = None
    for name, unit in units:
        if first is None:
            first = name, unit
        elif unit != first[1]:
            raise ValueError(
                f"Images of one coadd are in one unit: {first[0]} is in {unit_label(first[1])}, "
                f"{name} in {unit_label(unit)}."
            )
    return None if first is None else first[1]
