"""The error family, and which to raise when.

* `UnusableInputError`: one input (a file, a dataset) cannot be used; the others go on. It names the
  input and the reason, and every loop over inputs catches it, reports it and continues.
* `SkyMapError`: a sky map, tract, patch or cell that does not exist, or a definition that is wrong.
* `SkyMapConflictError`: another sky map is registered under the same name.
* `RepositoryError`: a butler repository that lacks something that the operation needs.
* `MissingCellError`: a cell of a coadd that is outside of its grid or that no input covers.
* `MissingPlaneError`: a mask plane that a mask does not have.

Wrong arguments raise `ValueError` or `TypeError`; ``assert`` is for the impossible only.
"""

from __future__ import annotations

__all__ = [
    "CellCoaddError",
    "MissingCellError",
    "MissingPlaneError",
    "RepositoryError",
    "SkyMapConflictError",
    "SkyMapError",
    "UnusableInputError",
]


class CellCoaddError(Exception):
    """Base of all errors that this package raises on purpose."""


class UnusableInputError(CellCoaddError):
    """One input cannot be used; the others can.

    Parameters
    ----------
    source
        The file or dataset, as the user knows it.
    reason
        The rule that it breaks and, where there is one, the way out.

    Examples
    --------
    >>> try:
    ...     raise UnusableInputError("image.fits", "The header has no keyword CRVAL1.")
    ... except UnusableInputError as error:
    ...     print(error)
    image.fits: The header has no keyword CRVAL1.
    """

    def __init__(self, source: str, reason: str) -> None:
        # Libraries explain themselves on many lines, or not at all.
        reason = " ".join(reason.split()) or "it cannot be used, and nothing says why."
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason

    def __reduce__(self) -> tuple[type[UnusableInputError], tuple[str, str]]:
        return (type(self), (self.source, self.reason))


class SkyMapError(CellCoaddError, LookupError):
    """A sky map, tract, patch or cell does not exist, or a definition is wrong."""


class SkyMapConflictError(CellCoaddError):
    """A different sky map is registered under the same name."""


class RepositoryError(CellCoaddError):
    """A butler repository lacks what the operation needs."""


class _PlainKeyError(CellCoaddError, KeyError):
    def __str__(self) -> str:
        # KeyError puts its message into quotes.
        return str(self.args[0]) if self.args else ""


class MissingCellError(_PlainKeyError):
    """A cell is outside of the grid, or no input covers it."""


class MissingPlaneError(_PlainKeyError):
    """A mask does not have a plane, under none of its names."""
