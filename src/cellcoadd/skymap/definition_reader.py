"""Reading a definition (of a sky map, a camera) key by key, with messages that name the key."""

from __future__ import annotations

__all__ = ["DefinitionReader"]

import difflib
from collections.abc import Collection, Mapping
from typing import Any

from ..errors import SkyMapError


class DefinitionReader:
    """A mapping from which each key is read once, and that complains about what is left over.

    Parameters
    ----------
    definition
        The mapping, as YAML has it.
    path
        Where the mapping stands in the whole, for messages: ``tracts[2].``, for instance.

    Raises
    ------
    SkyMapError
        If it is no mapping. All methods raise this for a missing key or a wrong type.
    """

    def __init__(self, definition: object, *, path: str = "") -> None:
        if not isinstance(definition, Mapping):
            raise SkyMapError(
                f"{path.rstrip('.') or 'The definition'} must be a mapping of keys to values, "
                f"got {definition!r}."
            )
        self._values = dict(definition)
        self._known: set[str] = set()
        self._path = path

    def number(self, key: str) -> float:
        """Return a number that must be there."""
        value = self._take(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            hint = ""
            if isinstance(value, str):
                hint = " (YAML needs a decimal point and a signed exponent: 2.0e-1)"
            raise SkyMapError(f"{self._path}{key} must be a number, got {value!r}{hint}.")
        return float(value)

    def integer(self, key: str) -> int:
        """Return a whole number that must be there."""
        value = self._take(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise SkyMapError(f"{self._path}{key} must be a whole number, got {value!r}.")
        return value

    def given_numbers(self, *keys: str) -> dict[str, Any]:
        """Return those of some optional numbers that are there."""
        self._known.update(keys)
        return {key: self.number(key) for key in keys if key in self._values}

    def given_integers(self, *keys: str) -> dict[str, Any]:
        """Return those of some optional whole numbers that are there."""
        self._known.update(keys)
        return {key: self.integer(key) for key in keys if key in self._values}

    def text(self, key: str, *, default: str | None = None) -> str:
        """Return a text that must be there unless there is a default."""
        if default is not None and key not in self._values:
            self._known.add(key)
            return default
        value = self._take(key)
        if not isinstance(value, str):
            raise SkyMapError(f"{self._path}{key} must be a text, got {value!r}.")
        return value

    def choice(self, key: str, choices: Collection[str]) -> str:
        """Return one of some words."""
        value = self.text(key)
        if value not in choices:
            raise SkyMapError(
                f"{self._path}{key} must be one of {', '.join(sorted(choices))}; got {value!r}."
            )
        return value

    def readers(self, key: str) -> list[DefinitionReader]:
        """Return a reader for each mapping of a list, which must not be empty."""
        value = self._take(key)
        if not isinstance(value, list) or not value:
            raise SkyMapError(f"{self._path}{key} must be a list that is not empty, got {value!r}.")
        return [
            DefinitionReader(item, path=f"{self._path}{key}[{i}].") for i, item in enumerate(value)
        ]

    def has(self, key: str) -> bool:
        """Return whether an optional key is there."""
        self._known.add(key)
        return key in self._values

    def place(self, key: str) -> str:
        """Return where a key stands in the whole, for messages."""
        return f"{self._path}{key}"

    def anything(self, key: str) -> Any:
        """Return whatever YAML has under a key that must be there."""
        return self._take(key)

    def inner(self, key: str) -> DefinitionReader:
        """Return a reader for a mapping that must be there."""
        return DefinitionReader(self._take(key), path=f"{self._path}{key}.")

    def one_of(self, *keys: str) -> str:
        """Return which of some keys is there, of which there must be exactly one."""
        there = [key for key in keys if self.has(key)]
        if len(there) != 1:
            raise SkyMapError(
                f"{self._path.rstrip('.') or 'The definition'} must have exactly one of the keys "
                f"{', '.join(keys)}; it has {', '.join(there) or 'none of them'}."
            )
        return there[0]

    def finish(self) -> None:
        """Complain about keys that nobody asked for."""
        for key in self._values:
            close = difflib.get_close_matches(str(key), self._known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {sorted(self._known)}."
            raise SkyMapError(f"{self._path}{key} is not a key of this definition; {hint}")

    def _take(self, key: str) -> Any:
        self._known.add(key)
        if key not in self._values:
            raise SkyMapError(f"{self._path}{key} is missing.")
        return self._values.pop(key)
