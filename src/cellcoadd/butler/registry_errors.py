"""What a person can do about an error of the database behind a repository."""

from __future__ import annotations

__all__ = ["explain_registry_error"]

from lsst.daf.butler.registry import ConflictingDefinitionError
from lsst.daf.butler.registry.interfaces import ReadOnlyDatabaseError, SchemaAlreadyDefinedError
from lsst.utils.db_auth import DbAuthError, DbAuthPermissionsError
from sqlalchemy.exc import DBAPIError, IntegrityError, NoSuchModuleError

_BUSY = "Another process was changing the repository at the same time"
_AGAIN = (
    "nothing is lost: run the command again when the other one has ended, and it adds what is "
    "missing."
)
_PASSWORD = (
    "The password is looked for in ~/.lsst/db-auth.yaml, then where PostgreSQL's own programs do "
    "(PGPASSFILE, ~/.pgpass)."
)
_WAYS_OUT = (
    (("locked", "deadlock detected", "could not serialize"), f"{_BUSY} ({{reason}}); {_AGAIN}"),
    (
        ("too many clients", "connection slots are reserved"),
        "The database has no connection left ({reason}): run fewer processes at a time, or ask its "
        "administrator for a higher max_connections.",
    ),
    (
        ("no password supplied", "password authentication failed"),
        f"The database does not let you in ({{reason}}). {_PASSWORD}",
    ),
    (
        ("does not exist",),
        "The database lacks what the configuration names ({reason}): ask its administrator, or "
        "mend registry.db in the configuration.",
    ),
    (
        ("Connection refused", "failed to resolve host", "timeout expired", "connection failed"),
        "The server of the database cannot be reached ({reason}): does it run, and is registry.db "
        "in the configuration its address?",
    ),
)
"""Parts of the messages of SQLite and PostgreSQL, the first that fits, and what to say."""


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
    if isinstance(error, SchemaAlreadyDefinedError):
        return (
            f"There is a repository's registry already ({_one_line(str(error))}): name another "
            "database, or another registry.namespace in this one."
        )
    if isinstance(error, DBAPIError):
        return _explain_database_error(_one_line(str(error.orig)))
    if isinstance(error, DbAuthPermissionsError):
        return f"{error}: others can read your passwords; chmod 600 closes the file."
    if isinstance(error, DbAuthError):
        return f"The file of your passwords cannot be used: {_one_line(str(error))}"
    if isinstance(error, ModuleNotFoundError | NoSuchModuleError):
        return (
            f"What speaks with this kind of database is not installed ({error}): pip install "
            "'cellcoadd[postgres]', with registry.db: postgresql://...; other kinds than SQLite "
            "and PostgreSQL are not supported."
        )
    if isinstance(error, RuntimeError) and "btree_gist" in str(error):
        return (
            "The database lacks the extension btree_gist. Its administrator adds it, with 'CREATE "
            "EXTENSION btree_gist;' in this database."
        )
    return None


def _explain_database_error(reason: str) -> str:
    if any(part in reason for part in ("readonly", "read-only", "permission denied")):
        return _not_writeable(reason)
    for parts, sentence in _WAYS_OUT:
        if any(part in reason for part in parts):
            return sentence.format(reason=reason)
    return f"The database of the repository cannot be used ({reason})."


def _not_writeable(reason: str) -> str:
    return (
        f"The repository cannot be changed by you ({_one_line(reason)}): ask its owner for the "
        "right to write in its folder and to its database, or make one of your own with 'butler "
        "make-cell-repo'."
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())
