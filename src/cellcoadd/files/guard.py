"""One guard around a file: whatever it does to its reader becomes a refusal that names it.

A broken file raises whatever its first broken part leads to, in whichever library meets it. Whoever
reads many files stands in a `file_guard` for each: what comes out is an `UnusableInputError`, which
loops over files report, or an error of the computer, which ends them.
"""

from __future__ import annotations

__all__ = ["WAY_OUT", "file_guard", "reason_of", "refusal_of"]

import contextlib
import logging
import os
from collections.abc import Iterator

from ..errors import CellCoaddError, UnusableInputError
from .computer_errors import raise_if_of_the_computer

WAY_OUT = "get it again, or leave it out"
"""What can be done about a file that is broken."""

_DAMAGED = "it is damaged, or says what its reader does not expect"
_LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def file_guard(path: str | os.PathLike[str], trouble: str = _DAMAGED) -> Iterator[None]:
    """Turn whatever happens in a block that reads a file into a refusal of it.

    Parameters
    ----------
    path
        The file, or what else the user knows it as.
    trouble
        What is the matter with it if something unforeseen happens, as a sentence without its end.

    Raises
    ------
    UnusableInputError
        For every error but those of the computer. It has the error as its cause.
    OSError
        If not the file but the computer fails.
    MemoryError
        If the computer has too little memory: readers refuse sizes that cannot be meant before.

    Notes
    -----
    What nobody foresaw may be a mistake of ours as well as one of the file. It is told with its
    kind, and with all of its traceback in the log of this module, at the level DEBUG; the tests
    fail if something comes there that they do not ask for.
    """  # noqa: DOC501  (what `refusal_of` returns is listed)
    try:
        yield
    except UnusableInputError:
        raise
    except Exception as error:  # a broken file raises whatever its first broken part leads to
        raise refusal_of(error, path, trouble) from error


def refusal_of(
    error: Exception, path: str | os.PathLike[str], trouble: str = _DAMAGED
) -> UnusableInputError:
    """Return the refusal of a file for an error, as `file_guard` raises it.

    Raises
    ------
    OSError
        If not the file but the computer is to blame.
    """
    raise_if_of_the_computer(error, path)
    if isinstance(error, CellCoaddError):
        return UnusableInputError(str(path), reason_of(error))
    _LOG.debug("%s: %s", path, trouble, exc_info=error)
    return UnusableInputError(str(path), f"{trouble} ({reason_of(error)}): {WAY_OUT}.")


def reason_of(error: BaseException) -> str:
    """Return what an error says, in one line that is never empty.

    Some errors say nothing, and those of a look-up only what was looked up.
    """
    if isinstance(error, UnusableInputError):
        return error.reason
    stated = error.args[0] if isinstance(error, KeyError) and error.args else error
    text = " ".join(str(stated).split())
    if isinstance(error, LookupError) and " " not in text.replace(", ", ","):
        return f"it lacks {stated!r}" if text else "it lacks what is looked up"
    return text if " " in text else f"{type(error).__name__} {text}".rstrip()
