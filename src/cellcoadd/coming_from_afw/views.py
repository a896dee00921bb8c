"""What all views have in common: the product behind them, and words for names that do not exist."""

from __future__ import annotations

__all__ = ["PAGE", "View", "missing_name"]

from collections.abc import Mapping
from typing import Any, ClassVar

PAGE = "docs/how-to/coming-from-afw.md"
"""The page that lists all names."""


def missing_name(of: str, name: str, elsewhere: Mapping[str, str]) -> AttributeError:
    """Return the error for a name that is not offered.

    Parameters
    ----------
    of
        What was asked for it.
    name
        The name.
    elsewhere
        What names of lsst.afw are in ours.
    """
    if name in elsewhere:
        return AttributeError(f"{of}.{name} is not offered; in cellcoadd: {elsewhere[name]}.")
    return AttributeError(f"{of} has no {name!r}; {PAGE} lists the names of lsst.afw that it has.")


class View[T]:
    """A product of ours under names of lsst.afw.

    Parameters
    ----------
    ours
        The product. Its own public names are found on the view, too.

    Notes
    -----
    ``view.getName()`` is ``view.name`` for each property: lsst.afw has both for most of them.
    """

    ELSEWHERE: ClassVar[Mapping[str, str]] = {}
    """Names of lsst.afw that are not offered, and what to use instead."""

    __slots__ = ("ours",)

    ours: T

    def __init__(self, ours: T) -> None:
        self.ours = ours

    def __getattr__(self, name: str) -> Any:
        kind = type(self)
        known = name != "ours"  # which is not there yet while a copy is made
        if known and not name.startswith("_") and name not in kind.ELSEWHERE:
            if hasattr(self.ours, name):
                return getattr(self.ours, name)
            if name.startswith("get"):
                wanted = name.removeprefix("get")
                for property_name in (wanted[:1].lower() + wanted[1:], wanted.lower()):
                    if isinstance(getattr(kind, property_name, None), property):
                        return lambda: getattr(self, property_name)
        raise missing_name(kind.__name__, name, kind.ELSEWHERE)

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        """Whether it is a view of the same kind of an equal product."""
        if not isinstance(other, View):
            return NotImplemented
        return type(self) is type(other) and bool(self.ours == other.ours)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.ours})"
