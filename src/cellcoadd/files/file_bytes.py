"""The bytes of an open file by their place, read when they are asked for.

Not mapped into memory: a mapped file that somebody shortens, or whose disk fails, ends the process
where its bytes are used. Read by place, the one gives too few bytes and the other an error.
"""

from __future__ import annotations

__all__ = ["FileBytes"]

import gzip
import io
import os
from typing import IO


class FileBytes:
    """What slices and `len` do for bytes, of an open file.

    Parameters
    ----------
    stream
        The file. Others may move the position in it; that of a file of this computer is not used.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._number = _number_of(stream)

    def __len__(self) -> int:
        if self._number is not None:
            return os.fstat(self._number).st_size
        return self._stream.seek(0, os.SEEK_END)

    def __getitem__(self, part: slice) -> bytes:
        start = part.start or 0
        size = (len(self) if part.stop is None else part.stop) - start
        if self._number is None:
            self._stream.seek(start)
            return self._stream.read(size)
        data = os.pread(self._number, size, start)
        if 0 < len(data) < size:  # at the end, or where the computer reads no more at once
            rest = bytearray(size - len(data))
            data += rest[: self.read_into(start + len(data), memoryview(rest))]
        return data

    def read_into(self, address: int, target: memoryview) -> int:
        """Fill memory from an address on; return how many bytes there were."""
        if self._number is None:
            data = self[address : address + len(target)]
            target[: len(data)] = data
            return len(data)
        done = 0
        while done < len(target):
            count = os.preadv(self._number, [target[done:]], address + done)
            if count == 0:
                break
            done += count
        return done


def _number_of(stream: IO[bytes]) -> int | None:
    """Return the number of a file of this computer; None for what is none."""
    if isinstance(stream, gzip.GzipFile):  # which has the number of the packed file
        return None
    try:
        number = stream.fileno()
        os.pread(number, 0, 0)
    except (AttributeError, OSError, ValueError, io.UnsupportedOperation):
        return None
    return number
