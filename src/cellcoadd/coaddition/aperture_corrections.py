"""Aperture corrections of a cell: the mean of its inputs', with the weights of its pixels."""

from __future__ import annotations

__all__ = ["CorrectionSums"]

import math
from collections.abc import Mapping

_ERROR = "Err"  # ends the names of standard errors, as in base_PsfFlux_instFluxErr


class CorrectionSums:
    """Running sums of the aperture corrections of a cell's inputs.

    Parameters
    ----------
    inverse
        Average the inverses of the corrections instead of the corrections.

    Notes
    -----
    A correction a multiplies the flux that an algorithm measures with the point-spread function
    model to make it that of a large aperture. Inputs' fluxes add up with weights w, so those of the
    coadd want sum(w) / sum(w / a); the plain mean sum(w a) / sum(w) differs from it in second order
    of the scatter of a. Standard errors e are taken as independent:
    sqrt(sum((w e)^2)) / sum(w), and for the inverse, with A the result,
    A^2 sqrt(sum((w e / a^2)^2)) / sum(w).

    A mean over some of the inputs is not that of the cell: where an input lacks a correction, has a
    value that is not finite, or a correction that is not positive, the result is NaN, and so is its
    error.
    """

    def __init__(self, *, inverse: bool) -> None:
        self._inverse = inverse
        self._weight = 0.0
        self._sums: dict[str, float] = {}

    def add(self, corrections: Mapping[str, float], *, weight: float) -> None:
        """Add those of one input."""
        for name in corrections.keys() - self._sums.keys():
            # Inputs before this one lacked it.
            self._sums[name] = math.nan if self._weight else 0.0
        for name in self._sums:
            self._sums[name] += self._term(name, corrections, weight)
        self._weight += weight

    def finish(self) -> dict[str, float]:
        """Return the corrections of the cell by name."""
        values = {
            name: self._weight / total if self._inverse else total / self._weight
            for name, total in self._sums.items()
            if not _is_error(name, self._sums)
        }
        errors = {}
        for name, total in self._sums.items():
            if _is_error(name, self._sums):
                value = values[name.removesuffix(_ERROR)]
                slope = value * value if self._inverse else 1.0
                error = slope * math.sqrt(total) / self._weight
                errors[name] = math.nan if math.isnan(value) else error
        return values | errors

    def _term(self, name: str, corrections: Mapping[str, float], weight: float) -> float:
        value = corrections.get(name, math.nan)
        if _is_error(name, self._sums):
            if not (math.isfinite(value) and value >= 0.0):
                return math.nan
            of = corrections.get(name.removesuffix(_ERROR), math.nan)
            term = weight * value / of / of if self._inverse and of else weight * value
            return term * term
        if not (math.isfinite(value) and value > 0.0):
            return math.nan
        return weight / value if self._inverse else weight * value


def _is_error(name: str, among: Mapping[str, float]) -> bool:
    return name.endswith(_ERROR) and name.removesuffix(_ERROR) in among
