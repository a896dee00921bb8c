"""Making a Butler repository that knows the types of this package."""

from __future__ import annotations

__all__ = ["REPOSITORY_CONFIG", "make_repository", "open_collections", "open_repository"]

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml
from lsst.daf.butler import (
    Butler,
    ButlerConfig,
    ButlerUserError,
    Config,
    MissingCollectionError,
)
from lsst.resources import ResourcePath, ResourcePathExpression
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from ..errors import RepositoryError
from .registry_errors import explain_registry_error

REPOSITORY_CONFIG = "resource://cellcoadd/butler/configs/repo.yaml"
"""Storage classes and formatters of ours, for ``butler create --seed-config``."""


def make_repository(
    root: ResourcePathExpression, *, seed_config: ResourcePathExpression | None = None
) -> Butler:
    """Create an empty repository with our storage classes and formatters.

    Parameters
    ----------
    root
        Folder or URI of the repository; made if it does not exist.
    seed_config
        YAML of a Butler's configuration, which says what is to be otherwise: ``registry`` with
        ``db`` (and ``namespace``) for a PostgreSQL database instead of an SQLite file in the
        folder, ``datastore`` with ``root`` for datasets elsewhere.

    Returns
    -------
    butler
        Writeable.

    Raises
    ------
    RepositoryError
        If there is a repository already, which is left as it is; or the configuration cannot be
        read, holds a password, or names a database that cannot be used.
    FileExistsError
        If somebody else is making one there at the same moment.
    """
    place = ResourcePath(root, forceDirectory=True)
    config_file = place.join("butler.yaml")
    if config_file.exists():
        raise RepositoryError(
            f"There is a repository in {place} already. To give it the types of cellcoadd, add the "
            f"line 'includeConfigs: {REPOSITORY_CONFIG}' to its butler.yaml."
        )
    config = Config(REPOSITORY_CONFIG)
    if seed_config is not None:
        _add_seed(config, seed_config)
    try:
        Butler.makeRepo(place, config=config, forceConfigRoot=seed_config is None)
    except FileExistsError:
        raise  # somebody else was faster
    except Exception as error:
        # Without its registry it is none, and would be in the way of the next attempt.
        if config_file.exists():
            config_file.remove()
        if (explained := explain_registry_error(error)) is None:
            raise
        raise RepositoryError(explained) from error
    return Butler.from_config(place, writeable=True)


def _add_seed(config: Config, path: ResourcePathExpression) -> None:
    try:
        seed = Config(path)
        config.update(seed)
        url, password = (seed.get(("registry", key)) for key in ("db", "password"))
        password = password or (None if url is None else make_url(url).password)
    # A file that is no mapping fails wherever the Butler first takes it for one.
    except (
        ArgumentError, AttributeError, LookupError, RuntimeError, TypeError, ValueError,
        yaml.YAMLError,
    ) as error:  # fmt: skip
        raise RepositoryError(f"{path} is no configuration of a Butler ({error}).") from error
    if password is not None:
        raise RepositoryError(
            f"{path}: a password in the configuration of a repository is read by everybody who "
            "uses it. It belongs into ~/.lsst/db-auth.yaml, or into ~/.pgpass, of each user."
        )


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
        If there is no repository, or its database cannot be used.
    PermissionError
        If there is one that the user may not read.
    """
    try:
        return _opened(repo, writeable=writeable)
    except PermissionError:
        raise
    except Exception as error:
        if (explained := explain_registry_error(error)) is not None:
            raise RepositoryError(f"{repo}: {explained}") from error
        if not isinstance(error, OSError | RuntimeError):  # the latter for what is no configuration
            raise
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
