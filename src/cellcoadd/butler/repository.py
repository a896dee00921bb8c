"""Making a Butler repository that knows the types of this package."""

from __future__ import annotations

__all__ = ["REPOSITORY_CONFIG", "make_repository", "open_collections", "open_repository"]

import contextlib
from collections.abc import Iterator, Sequence

from lsst.daf.butler import Butler, ButlerUserError, Config, MissingCollectionError
from lsst.resources import ResourcePath, ResourcePathExpression

from ..errors import RepositoryError

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
        return Butler.from_config(repo, writeable=writeable)
    except PermissionError:
        raise
    except (OSError, RuntimeError) as error:  # the latter for a file that is no configuration
        reason = str(error).partition(f" (given {repo!r} and no known aliases")[0].rstrip(".")
        raise RepositoryError(
            f"{repo} is not a Butler repository ({reason}); 'butler make-cell-repo' makes one."
        ) from error


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
