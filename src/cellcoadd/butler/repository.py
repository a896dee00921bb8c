"""Making a Butler repository that knows the types of this package."""

from __future__ import annotations

__all__ = ["REPOSITORY_CONFIG", "make_repository"]

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
