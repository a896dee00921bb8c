"""Write a product to a file of its own, outside of a Butler: all of it or nothing."""

from __future__ import annotations

__all__ = ["write_whole"]

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lsst.images.fits import FitsCompressionOptions
from lsst.images.serialization import write_archive


def write_whole(
    product: Any,
    path: str | os.PathLike[str],
    *,
    compression_options: Mapping[str, FitsCompressionOptions | None],
) -> None:
    """Write a product to a FITS file that does not exist yet.

    It is written under another name beside its place and renamed when it is complete.

    Parameters
    ----------
    product
        Anything that `lsst.images` archives take.
    path
        The file.
    compression_options
        How planes are compressed, by their names in the archive.

    Raises
    ------
    FileExistsError
        If there is such a file.
    ValueError
        If the name does not end in ``.fits``.
    """
    target = Path(path)
    if target.suffix != ".fits":
        raise ValueError(f"{target}: the name of a FITS file must end in .fits.")
    if target.exists():
        raise FileExistsError(f"{target} exists already; remove it, or choose another name.")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.stem}-") as folder:
        unfinished = Path(folder) / target.name
        write_archive(product, str(unfinished), compression_options=compression_options)
        unfinished.rename(target)
