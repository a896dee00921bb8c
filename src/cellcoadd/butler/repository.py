"""Making a Butler repository that knows the types of this package."""

from __future__ import annotations

__all__ = ["REPOSITORY_CONFIG", "make_repository", "open_repository"]

from lsst.daf.butler import Butler, Config
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
