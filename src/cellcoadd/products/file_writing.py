"""Files that appear when they are complete: all of a product or nothing."""

from __future__ import annotations

__all__ = ["whole_file"]

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str], *, overwrite: bool = False) -> Iterator[Path]:
    """Give the place to write a file, which becomes the file when the block ends well.

    Parameters
    ----------
    path
        The file.
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
    """
    target = Path(path)
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} exists; overwrite=True replaces it.")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.stem}-") as folder:
        unfinished = Path(folder) / target.name
        yield unfinished
        unfinished.replace(target)
