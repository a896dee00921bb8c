"""Files of `lsst.images.VisitImage`, opened so that their planes are read in one copy.

lsst.images reads the whole file, then each plane, then builds the mask plane by plane: half a
second for 2048 x 4176 pixels, of which the bytes take a hundredth. Here a file of this computer is
mapped into memory, and the mask stays the integers that are stored.
"""

from __future__ import annotations

__all__ = ["PixelsOfFile", "open_visit_image"]

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from lsst.images import (
    Bounds,
    Box,
    Image,
    ImageSerializationModel,
    Mask,
    MaskedImage,
    VisitImage,
    VisitImageSerializationModel,
)
from lsst.images.serialization import (
    ArchiveTree,
    Reader,
    open_archive,
)

from ...files.entry_archive import EntryArchive, StoredArray, fits_name
from ...files.fits_entries import FitsEntries
from ...files.unpacking import UnpackedFile
from ...masks.stored import IntegerMaskModel


@contextlib.contextmanager
def open_visit_image(path: Path) -> Iterator[Reader[VisitImage]]:
    """Open a file for the readers of lsst.images.

    Parameters
    ----------
    path
        In any format of lsst.images; it is FITS that is read quickly, and looked at before.

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
    unpacked = UnpackedFile(path)
    if unpacked.path.suffix != ".fits":
        with open_archive(str(path), VisitImage, partial=False) as reader:
            yield reader
        return
    with EntryArchive.open_tree(str(unpacked.path), partial=True) as (archive, tree, info):
        _keep_integers(tree)
        yield Reader(archive, tree, info, VisitImage)


def _keep_integers(tree: ArchiveTree) -> None:
    if not isinstance(tree, VisitImageSerializationModel):
        raise TypeError(f"it holds a {type(tree).SCHEMA_NAME}, not a visit_image")
    tree.mask = IntegerMaskModel.of(tree.mask) or tree.mask


class PixelsOfFile:
    """The pixels of a file that was opened before; it is opened again when they are read.

    Parameters
    ----------
    file
        The file.
    reader
        The open file.
    """

    def __init__(self, file: UnpackedFile, reader: Reader[VisitImage]) -> None:
        self._file = file
        self._tree: Any = reader.get_tree()
        self._sky_projection = reader.get_component("sky_projection")
        self.bounds: Bounds = reader.get_component("bounds")

    def read(self, bbox: Box) -> MaskedImage:
        """Read the pixels in a box.

        Raises
        ------
        Exception
            Whatever a broken file leads to.
        """
        planes = self._quick_planes(bbox)
        if planes is None:
            with open_visit_image(self._file.path) as reader:
                whole: MaskedImage = reader.get_component("masked_image", bbox=bbox)
            return whole
        image, mask, variance = planes
        return MaskedImage(
            Image(image, bbox=bbox),
            mask=Mask(mask[:, :, np.newaxis], schema=self._tree.mask.schema_of_integers, bbox=bbox),
            variance=Image(variance, bbox=bbox),
            sky_projection=self._sky_projection,
        )

    def _quick_planes(self, bbox: Box) -> list[npt.NDArray[Any]] | None:
        """Read the three planes from where the standard says they are; None if they are not."""
        tree = self._tree
        if not isinstance(tree.mask, IntegerMaskModel):
            return None
        rows, columns = bbox.slice_within(tree.image.bbox)
        with self._file.path.open("rb") as stream:
            entries = FitsEntries(stream)
            found = [
                entries.read_rows(fits_name(model), rows.start, rows.stop)
                for model in (_array(tree.image), tree.mask.data[0], _array(tree.variance))
            ]
        planes = [plane[:, columns] for plane in found if plane is not None]
        return planes if len(planes) == len(found) else None


def _array(model: ImageSerializationModel[Any]) -> StoredArray:
    """The array of an image, which may come with a unit."""
    data: Any = model.data
    array: StoredArray = data.value if hasattr(data, "unit") else data
    return array
