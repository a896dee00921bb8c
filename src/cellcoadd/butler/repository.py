"""Making a Butler repository that knows the types of this package."""

from __future__ import annotations

__all__ = ["REPOSITORY_CONFIG", "make_repository", "open_collections", "open_repository"]

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from lsst.daf.butler import (
    Butler,
    ButlerConfig,
    ButlerUserError,
    Config,
    MissingCollectionError,
)
from lsst.resources import ResourcePath, ResourcePathExpression
from sqlalchemy.exc import OperationalError

from ..errors import RepositoryError
from .registry_errors import explain_registry_error

REPOSITORY_CONFIG = "resource://cellcoadd/butler/configs/repo.yaml"
"""Storage classes and formatters of ours, for ``butler create --seed-config``."""


def make_repository(root: ResourcePathExpression) -> Butler:
    """Create an empty repository with our storage classes and formatters.

    Parameters
    ----------
    root
        Folder or URI of the repository; made if it does not exist.

    Returns
    -------
    butler
        Writeable.

    Raises
    ------
    RepositoryError
        If there is a repository already; it is left as it is.
    """
    place = ResourcePath(root, forceDirectory=True)
    if place.join("butler.yaml").exists():
        raise RepositoryError(
            f"There is a repository in {place} already. To give it the types of cellcoadd, add the "
            f"line 'includeConfigs: {REPOSITORY_CONFIG}' to its butler.yaml."
        )
    Butler.makeRepo(place, config=Config(REPOSITORY_CONFIG))
    return Butler.from_config(place, writeable=True)


def open_repository(repo: str, *, writeable: bool = True) -> Butler:
    """Open a repository.

    Parameters
    ----------
    repo
        Folder, URI or alias of the repository.
    writeable
        Whether it is to be changed.

    Raises
    ------
    RepositoryError
        If there is no repository.
    PermissionError
        If there is one that the user may not read.
    """
    try:
        return _opened(repo, writeable=writeable)
    except PermissionError:
        raise
    except OperationalError as error:
        raise RepositoryError(f"{repo}: {explain_registry_error(error)}") from error
    except (OSError, RuntimeError) as error:  # the latter for a file that is no configuration
        reason = str(error).partition(f" (given {repo!r} and no known aliases")[0].rstrip(".")
        raise RepositoryError(
            f"{repo} is not a Butler repository ({reason}); 'butler make-cell-repo' makes one."
        ) from error


def _opened(repo: str, *, writeable: bool) -> Butler:
    try:
        return Butler.from_config(repo, writeable=writeable)
    except OperationalError as error:
        if "readonly" not in str(error.orig) or not _finish_changes(repo):
            raise
        return Butler.from_config(repo, writeable=writeable)


def _finish_changes(repo: str) -> bool:
    """Have SQLite undo changes that a process was making when it was killed, if there are any.

    It does so by itself when somebody who may write opens the database; who may only read is told
    that it is "readonly", and so is ``pipetask``, which looks before it writes.
    """
    folder = ButlerConfig(repo).configDir
    if folder is None or not folder.isLocal:
        return False
    journals = sorted(Path(folder.ospath).glob("*.sqlite3-journal"))
    for journal in journals:
        with contextlib.closing(sqlite3.connect(journal.with_suffix(".sqlite3"))) as database:
            database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return bool(journals)


@contextlib.contextmanager
def open_collections(
    repo: str, collections: Sequence[str], *, writeable: bool = False
) -> Iterator[Butler]:
    """Open a repository to look into collections of it.

    Parameters
    ----------
    repo
        Folder, URI or alias of the repository.
    collections
        Where to look, in this order.
    writeable
        Whether it is to be changed.

    Yields
    ------
    butler
        With these collections.

    Raises
    ------
    RepositoryError
        If there is no repository, no such collection in it, or a query in the block is wrong.
    """
    with open_repository(repo, writeable=writeable) as opened:
        try:
            butler = opened.clone(collections=list(collections))
            butler.collections.query_info(collections)
        except MissingCollectionError as error:
            raise RepositoryError(
                f"{repo}: {error} 'butler query-collections {repo}' lists them."
            ) from error
        try:
            yield butler
        except ButlerUserError as error:
            raise RepositoryError(f"{repo}: {error}") from error
