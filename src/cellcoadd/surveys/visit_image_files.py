"""Files of `lsst.images.VisitImage`, opened so that their planes are read in one copy.

lsst.images reads the whole file, then each plane, then builds the mask plane by plane: half a
second for 2048 x 4176 pixels, of which the bytes take a hundredth. Here a file of this computer is
mapped into memory, and the mask stays the integers that are stored.
"""

from __future__ import annotations

__all__ = ["open_visit_image"]

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from lsst.images import (
    Box,
    Mask,
    MaskSchema,
    MaskSerializationModel,
    VisitImage,
    VisitImageSerializationModel,
)
from lsst.images.serialization import ArchiveTree, InputArchive, Reader, open_archive

from ..products.entry_archive import EntryArchive


@contextlib.contextmanager
def open_visit_image(path: Path) -> Iterator[Reader[VisitImage]]:
    """Open a file for the readers of lsst.images.

    Parameters
    ----------
    path
        In any format of lsst.images; it is FITS, uncompressed as a whole, that is read quickly.

    Yields
    ------
    reader
        What it reads equals what `lsst.images` reads, but that masks of one 32-bit integer a pixel
        are not split into bytes.

    Raises
    ------
    Exception
        Whatever a broken file leads to.
    """
    if path.suffix != ".fits":
        with open_archive(str(path), VisitImage, partial=False) as reader:
            yield reader
        return
    with EntryArchive.open_tree(str(path), partial=True) as (archive, tree, info):
        _keep_integers(tree)
        yield Reader(archive, tree, info, VisitImage)


def _keep_integers(tree: ArchiveTree) -> None:
    if not isinstance(tree, VisitImageSerializationModel):
        raise TypeError(f"it holds a {type(tree).SCHEMA_NAME}, not a visit_image")
    if len(tree.mask.data) == 1 and len(tree.mask.data[0].shape) == 2:
        tree.mask = _IntegerMaskModel.model_construct(**dict(tree.mask))


class _IntegerMaskModel(MaskSerializationModel[Any]):
    """The stored form of a mask with one integer a pixel, read as what it is."""

    def deserialize(self, archive: InputArchive[Any], *, bbox: Box | None = None, **_: Any) -> Mask:
        """Read the mask, or the part of it in a box."""
        box = self.bbox if bbox is None else bbox
        schema = MaskSchema(self.planes, dtype=np.int32)
        array = archive.get_array(self.data[0], slices=box.slice_within(self.bbox))
        return Mask(array[:, :, np.newaxis], schema=schema, bbox=box)
