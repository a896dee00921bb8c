"""Files that a killed process has left half written in the folders of runs.

The Butler writes a file under a temporary name beside its place and renames it when it is complete.
What keeps such a name is of no use to anybody once its process has ended.
"""

from __future__ import annotations

__all__ = ["AT_REST_SECONDS", "UnfinishedFile", "find_unfinished", "remove_unfinished"]

import dataclasses
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from lsst.daf.butler import Butler, CollectionType

AT_REST_SECONDS = 3600.0
"""A file that nobody has written to for so long is not being written any more."""

# Sixteen random characters, the name that the file was to have, ".tmp" and its extension.
_NAME = re.compile(r"[a-z0-9_]{16}.+\.tmp(\.[A-Za-z0-9.]+)?")


@dataclasses.dataclass(frozen=True, kw_only=True)
class UnfinishedFile:
    """A file under a temporary name.

    Parameters
    ----------
    path
        The file.
    size
        In bytes.
    at_rest
        Seconds since something was written to it.
    """

    path: Path
    size: int
    at_rest: float

    @property
    def is_left_over(self) -> bool:
        """Whether it is certain that nobody writes it."""
        return self.at_rest >= AT_REST_SECONDS


def find_unfinished(butler: Butler) -> list[UnfinishedFile]:
    """Find half-written files of the Butler's runs, in stores that are folders of this computer.

    Other stores are written through temporary folders of the system, which removes them.

    Parameters
    ----------
    butler
        With the collections to look into.
    """
    runs = butler.collections.query(
        butler.collections.defaults, collection_types={CollectionType.RUN}, flatten_chains=True
    )
    roots = [root for root in butler.get_datastore_roots().values() if root is not None]
    folders = {
        Path(root.join(run, forceDirectory=True).ospath)
        for root in roots
        if root.isLocal
        for run in runs
    }
    return sorted(
        (found for folder in folders for found in _unfinished_in(folder)),
        key=lambda found: found.path,
    )


def _unfinished_in(folder: Path) -> Iterator[UnfinishedFile]:
    now = time.time()
    for path in folder.rglob("*.tmp*"):
        if not _NAME.fullmatch(path.name) or path.is_symlink():
            continue
        try:
            stat = path.stat()
        except FileNotFoundError:  # it is complete by now
            continue
        yield UnfinishedFile(path=path, size=stat.st_size, at_rest=now - stat.st_mtime)


def remove_unfinished(files: Iterable[UnfinishedFile]) -> int:
    """Remove the files that are left over; return how many these were.

    Parameters
    ----------
    files
        What `find_unfinished` has found. Those that somebody may be writing stay.
    """
    removed = 0
    for file in files:
        if file.is_left_over:
            file.path.unlink(missing_ok=True)
            removed += 1
    return removed
