"""A file that counts what is read of it, to see how little a part of a product takes."""

from __future__ import annotations

__all__ = ["CountingFile"]

import io


class CountingFile(io.FileIO):
    """A file that is open for reading; ``count`` is the number of bytes that were read."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        """Read and count."""
        data = super().read(-1 if size is None else size)
        self.count += len(data)
        return data

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """Read into a buffer and count."""
        size = super().readinto(buffer)
        self.count += size
        return size
