"""Files under names that CFITSIO takes for names.

CFITSIO, through which healsparse reads and writes, takes parentheses, brackets and more in the name
of a file for instructions: what to cut out, what to call it. Such a file is opened under another.
"""

from __future__ import annotations

__all__ = ["plain_name", "plain_name_to_write"]

import contextlib
import re
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PLAIN = re.compile(r"[A-Za-z0-9_./%=,-]+")


@contextlib.contextmanager
def plain_name(path: str | Path) -> Iterator[str]:
    """Give a name under which CFITSIO finds a file.

    Parameters
    ----------
    path
        A file.

    Yields
    ------
    name
        The path itself, or that of a link to it, in a temporary folder that is removed in the end.
    """
    with _plain_folder(Path(path)) as (folder, is_plain):
        if is_plain:
            yield str(folder / Path(path).name)
            return
        link = folder / f"file{Path(path).suffix}"
        link.symlink_to(Path(path).absolute())
        yield str(link)


@contextlib.contextmanager
def plain_name_to_write(path: str | Path) -> Iterator[str]:
    """Give a name under which CFITSIO makes a file; it has its own when the block ends well.

    Parameters
    ----------
    path
        The file, in a folder that is there; one that is there already is replaced.

    Yields
    ------
    name
        The path itself, or that of another file in the same folder, by a link to that folder.
    """
    target = Path(path).absolute()
    with _plain_folder(target) as (folder, is_plain):
        if is_plain:
            yield str(target)
            return
        link = folder / "there"
        link.symlink_to(target.parent, target_is_directory=True)
        # Such names are those of half-written files: see butler.unfinished_files.
        unfinished = link / f"{secrets.token_hex(8)}file.tmp{target.suffix}"
        try:
            yield str(unfinished)
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)


@contextlib.contextmanager
def _plain_folder(path: Path) -> Iterator[tuple[Path, bool]]:
    """Yield the folder of a file whose path is plain, else a temporary folder; say which it is."""
    absolute = path.absolute()
    if _PLAIN.fullmatch(str(absolute)):
        yield absolute.parent, True
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder), False
