"""Files that are elsewhere, in a bucket for instance, of which only what is read is fetched.

lsst.images asks fsspec for such a file, which needs another package for each kind of store. Here
the ranges come by lsst.resources, by which the Butler reads and writes there already.
"""

from __future__ import annotations

__all__ = ["open_parts"]

import contextlib
from collections.abc import Iterator
from typing import IO, cast

from fsspec.spec import AbstractBufferedFile
from lsst.resources import ResourcePath

_PAGE_BYTES = 1 << 18
"""A request takes as long as a quarter of a megabyte, or longer, whatever is asked for."""
_PAGES_KEPT = 64


@contextlib.contextmanager
def open_parts(place: ResourcePath) -> Iterator[IO[bytes]]:
    """Open a file for reading, of which pages are fetched when they are needed.

    Parameters
    ----------
    place
        Where it is.

    Yields
    ------
    stream
        It can be sought in; the last 16 MB of it are kept.
    """
    with _Pages(place) as stream:
        yield cast("IO[bytes]", stream)


class _Pages(AbstractBufferedFile):
    """What fsspec needs to know of a file to keep its pages."""

    def __init__(self, place: ResourcePath) -> None:
        self.place = place
        super().__init__(
            None, str(place), block_size=_PAGE_BYTES, size=place.size(),
            cache_type="blockcache", cache_options={"maxblocks": _PAGES_KEPT},
        )  # fmt: skip

    def _fetch_range(self, start: int, end: int) -> bytes:
        with self.place.open("rb") as stream:
            stream.seek(start)
            return bytes(stream.read(end - start))
