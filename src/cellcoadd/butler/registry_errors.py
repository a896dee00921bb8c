"""What a person can do about an error of the database behind a repository."""

from __future__ import annotations

__all__ = ["explain_registry_error"]

from lsst.daf.butler.registry import ConflictingDefinitionError
from lsst.daf.butler.registry.interfaces import ReadOnlyDatabaseError
from sqlalchemy.exc import DBAPIError, IntegrityError

_BUSY = "Another process was changing the repository at the same time"
_AGAIN = (
    "nothing is lost: run the command again when the other one has ended, and it adds what is "
    "missing."
)


def explain_registry_error(error: Exception) -> str | None:
    """Return a sentence on an error with the way out; None for one that is not foreseen.

    Parameters
    ----------
    error
        Of the Butler's registry, or of the database itself.
    """
    if isinstance(error, ConflictingDefinitionError | IntegrityError):
        reason = str(error.orig if isinstance(error, IntegrityError) else error)
        return f"{_BUSY}, and was first ({_one_line(reason)}); {_AGAIN}"
    if isinstance(error, ReadOnlyDatabaseError):
        return _not_writeable(str(error))
    if isinstance(error, DBAPIError):
        reason = str(error.orig)
        if "locked" in reason:
            return f"{_BUSY} ({reason}); {_AGAIN}"
        if "readonly" in reason or "read-only" in reason:
            return _not_writeable(reason)
        return f"The database of the repository cannot be used ({_one_line(reason)})."
    return None


def _not_writeable(reason: str) -> str:
    return (
        f"The repository cannot be changed by you ({_one_line(reason)}): ask its owner for the "
        "right to write in its folder and to its database, or make one of your own with 'butler "
        "make-cell-repo'."
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())
