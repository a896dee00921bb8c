"""Files that appear when they are complete: all of a product or nothing."""

from __future__ import annotations

__all__ = ["whole_file", "write_product"]

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from lsst.images.fits import FitsCompressionOptions
from lsst.images.serialization import write_archive
from lsst.resources import ResourcePath, ResourcePathExpression

from .sealing import reserve_sums, seal_file


@contextlib.contextmanager
def whole_file(path: ResourcePathExpression, *, overwrite: bool = False) -> Iterator[Path]:
    """Give the place to write a file, which becomes the file when the block ends well.

    Parameters
    ----------
    path
        The file, on a disk of this computer.
    overwrite
        Replace a file that is there.

    Yields
    ------
    unfinished
        A file of the same name in a folder beside it, which is removed in the end.

    Raises
    ------
    FileExistsError
        If there is such a file and it is not to be replaced.
    FileNotFoundError
        If its folder does not exist.
    ValueError
        If it is not on a disk of this computer.
    """
    place = ResourcePath(path, forceAbsolute=False)
    if not place.isLocal:
        raise ValueError(f"{path}: files are written to disks of this computer only.")
    target = Path(place.ospath)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{target}: there is no folder {target.parent}.")
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} exists; overwrite=True replaces it.")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.stem}-") as folder:
        unfinished = Path(folder) / target.name
        yield unfinished
        unfinished.replace(target)


def write_product(
    product: object,
    path: ResourcePathExpression,
    *,
    overwrite: bool,
    compression_options: Mapping[str, FitsCompressionOptions | None],
) -> None:
    """Write something that `lsst.images` archives take to a FITS file of its own, with checksums.

    Parameters
    ----------
    product, path, overwrite
        What, where, and whether a file that is there is replaced.
    compression_options
        How planes are compressed, by their names in the archive.

    Raises
    ------
    FileExistsError
        If there is such a file and it is not to be replaced.
    ValueError
        If the name does not end in ``.fits``.
    """
    if ResourcePath(path, forceAbsolute=False).getExtension() != ".fits":
        raise ValueError(f"{path}: the name of a FITS file must end in .fits.")
    with whole_file(path, overwrite=overwrite) as unfinished:
        write_archive(
            product,
            str(unfinished),
            compression_options=compression_options,
            update_header=reserve_sums,
        )
        seal_file(unfinished)
