"""Errors of the computer, told from those of a file: who waits or mends a disk can read it again.

A file that is broken is left out, and named, and the other ones go on. A disk or a network that
fails for a moment says nothing of the file: leaving it out would make another coadd of the same
images.
"""

from __future__ import annotations

__all__ = ["raise_if_of_the_computer"]

import errno
import os

_NUMBERS = frozenset(
    {
        errno.EIO, errno.ENXIO, errno.ENODEV, errno.ENOMEM, errno.EMFILE, errno.ENFILE,
        errno.ENOSPC, errno.EDQUOT, errno.EAGAIN, errno.EINTR, errno.EBUSY, errno.ESTALE,
        errno.ETIMEDOUT, errno.ECONNRESET, errno.ECONNABORTED, errno.EHOSTUNREACH,
        errno.ENETUNREACH,
    }
)  # fmt: skip


def raise_if_of_the_computer(error: BaseException, path: str | os.PathLike[str]) -> None:
    """Raise an error again, with the name of the file, if the computer is to blame.

    Parameters
    ----------
    error
        What reading the file raised; what it came from counts too.
    path
        The file.

    Raises
    ------
    OSError
        With the number of the first error that is one of the computer.
    MemoryError
        If there is too little of it: readers refuse sizes that no file of images has before they
        take memory for them.
    """
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, MemoryError):
            raise MemoryError(f"{path}: {found}".removesuffix(": ")) from error
        if isinstance(found, OSError) and found.errno in _NUMBERS:
            raise OSError(found.errno, os.strerror(found.errno), str(path)) from error
        found = found.__cause__ or found.__context__
