"""Point-spread functions inside of stored products: which kinds, and how one is written."""

from __future__ import annotations

__all__ = ["StoredPsf", "write_psf"]

from typing import Any, cast

from lsst.images.psfs import (
    GaussianPointSpreadFunction,
    GaussianPSFSerializationModel,
    PiffSerializationModel,
    PiffWrapper,
    PointSpreadFunction,
)
from lsst.images.serialization import OutputArchive

from .models import (
    ImagePointSpreadFunction,
    ImagePsfModel,
    PsfexPointSpreadFunction,
    PsfexPsfModel,
)

type StoredPsf = (
    PsfexPsfModel | ImagePsfModel | PiffSerializationModel | GaussianPSFSerializationModel
)
"""Stored form of any point-spread function that a product can carry."""

_STORABLE = (
    PsfexPointSpreadFunction,
    ImagePointSpreadFunction,
    PiffWrapper,
    GaussianPointSpreadFunction,
)


def write_psf(
    psf: PointSpreadFunction, archive: OutputArchive[Any], *, name: str, owner: str
) -> StoredPsf:
    """Write a point-spread function as a part of a product.

    Parameters
    ----------
    psf
        The function.
    archive
        Where to write.
    name
        Name of the part.
    owner
        Whose function it is, for the message.

    Raises
    ------
    TypeError
        If it is of a kind that cannot be stored.
    """
    if not isinstance(psf, _STORABLE):
        names = ", ".join(kind.__name__ for kind in _STORABLE)
        raise TypeError(
            f"{owner}: a PSF of type {type(psf).__name__} cannot be stored; these can: {names}."
        )
    return cast("StoredPsf", archive.serialize_direct(name, psf.serialize))
