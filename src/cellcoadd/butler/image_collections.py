"""Collections that hold all that a pipeline needs: images and sky maps under one name.

``pipetask run -i NAME`` looks for the images and for the sky map in the same place, so NAME is a
chain of the run that the images are in and of the run of the sky maps.
"""

from __future__ import annotations

__all__ = ["IMAGES_RUN", "chain_images", "check_collection"]

from lsst.daf.butler import Butler, CollectionType
from lsst.daf.butler.registry import MissingCollectionError

from ..errors import RepositoryError
from .register_skymap import SKYMAP_COLLECTION

IMAGES_RUN = "images"
"""Last part of the name of the run in a chain that images are put into."""


def check_collection(butler: Butler, name: str, expected: CollectionType) -> bool:
    """Return whether a collection exists.

    Raises
    ------
    RepositoryError
        If it is a collection of another type.
    """
    try:
        found = butler.collections.get_info(name).type
    except MissingCollectionError:
        return False
    if found is not expected:
        raise RepositoryError(
            f"The collection {name} is a {found.name}, where a {expected.name} is needed; choose "
            "another name."
        )
    return True


def chain_images(butler: Butler, chain: str, run: str) -> None:
    """Make a chain of images and sky maps, or add to one what it lacks.

    Parameters
    ----------
    butler
        Writeable.
    chain
        Name of the chain; it is made if it does not exist, and keeps what it has.
    run
        The run that the images are in; it must exist.

    Raises
    ------
    RepositoryError
        If there is a collection of another type under the name of the chain.
    """
    exists = check_collection(butler, chain, CollectionType.CHAINED)
    children = butler.collections.get_info(chain).children if exists else ()
    missing = [name for name in (run, SKYMAP_COLLECTION) if name not in children]
    if not missing:
        return
    # The Butler forbids these in a transaction; what an interruption leaves is completed next time.
    butler.collections.register(SKYMAP_COLLECTION)
    butler.collections.register(chain, CollectionType.CHAINED)
    butler.collections.extend_chain(chain, missing)
