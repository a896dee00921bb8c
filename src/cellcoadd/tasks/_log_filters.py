"""Messages of the middleware that say nothing to a user of this package are not shown.

The middleware is at home in Rubin's full stack of software. Outside of it each process warns that
parts of the stack are absent, which this package works without on purpose.
"""

from __future__ import annotations

__all__ = ["install_log_filters"]

import logging
import sys

from ..errors import UnusableInputError

_ABSENT_PARTS = {
    "lsst.utils.packages": ("Unable to import eups",),
    "lsst.daf.butler._storage_class": (
        "Unable to import type lsst.afw.",
        "Unable to import type pandas.",
    ),
}


def install_log_filters() -> None:
    """Drop the messages, on the loggers that they come from; again does nothing more."""
    for name, beginnings in _ABSENT_PARTS.items():
        logging.getLogger(name).addFilter(_AbsentPart(beginnings))
    logging.getLogger("lsst.daf.butler._storage_class").addFilter(_FailedConversion())


class _AbsentPart(logging.Filter):
    """Drops messages that begin in one of some ways."""

    def __init__(self, beginnings: tuple[str, ...]) -> None:
        super().__init__()
        self._beginnings = beginnings

    def filter(self, record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(self._beginnings)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _AbsentPart) and other._beginnings == self._beginnings

    def __hash__(self) -> int:
        return hash(self._beginnings)


class _FailedConversion(logging.Filter):
    """Drops the announcement of an error that the task itself explains in a better way."""

    def filter(self, record: logging.LogRecord) -> bool:
        announces = record.getMessage().startswith("Converter cellcoadd.")
        return not (announces and isinstance(sys.exception(), UnusableInputError))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _FailedConversion)

    def __hash__(self) -> int:
        return hash(_FailedConversion)
