"""How the definition of a camera names a value of a header.

A value is given, or stands in a keyword of the header, or in the name of the file.
"""

from __future__ import annotations

__all__ = ["Headers", "Value", "read_value"]

import dataclasses
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from astropy.io import fits

from ...errors import SkyMapError, UnusableInputError
from ...skymap.definition_reader import DefinitionReader
from ..mosaic_files import split_address
from ..processing import Processing


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Headers:
    """Where keywords of an image are looked up.

    Parameters
    ----------
    path
        The file.
    headers
        That of the image's extension, then that of the whole file.
    same
        Keywords in which files that belong to the image must agree with it.
    """

    path: Path
    headers: Sequence[fits.Header]
    same: Sequence[str] = ()

    @property
    def processing(self) -> Processing:
        """What the image says of how it was made."""
        stated = {keyword: self.get(keyword) for keyword in self.same}
        return Processing.of(stated, self.path, self.same)

    def get(self, keyword: str) -> Any:
        """Return what the first header that has a keyword says; None if none of them does."""
        for header in self.headers:
            if keyword in header:
                value = header[keyword]
                return None if isinstance(value, fits.card.Undefined) else value
        return None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Value:
    """Where a value is found.

    Parameters
    ----------
    key
        The key of the definition, for messages.
    given
        The value itself; None: it is looked up.
    keyword
        A keyword of the header; None: the name of the file is looked at, unless a value is given.
    pattern
        A regular expression; what its named groups find, put together, is the value.
    """

    key: str
    given: float | str | None = None
    keyword: str | None = None
    pattern: re.Pattern[str] | None = None

    def of(self, headers: Headers) -> float | str:
        """Return the value for an image.

        Raises
        ------
        UnusableInputError
            If the header or the file's name does not say it.
        """
        if self.given is not None:
            return self.given
        if self.keyword is None:
            return self._matched(split_address(headers.path)[0].name, "its name", headers)
        value = headers.get(self.keyword)
        if value is None or not str(value).strip():
            raise UnusableInputError(
                str(headers.path),
                f"its header has no value of {self.keyword}, which the camera's definition names "
                f"for {self.key}; a value can be given there in its place.",
            )
        if self.pattern is not None:
            return self._matched(str(value), f"its {self.keyword}", headers)
        return value if isinstance(value, int | float) else str(value).strip()

    def number_of(self, headers: Headers) -> float:
        """Return the value for an image as a finite number.

        Raises
        ------
        UnusableInputError
            If the header or the file's name does not say it.
        """
        value = self.of(headers)
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise UnusableInputError(
                str(headers.path), f"{self._place} must be a finite number, it is {value!r}."
            )
        return number

    def positive_of(self, headers: Headers) -> float:
        """Return the value for an image as a number above zero.

        Raises
        ------
        UnusableInputError
            If the header or the file's name does not say it.
        """
        number = self.number_of(headers)
        if not number > 0:
            raise UnusableInputError(
                str(headers.path), f"{self._place} must be positive, it is {number}."
            )
        return number

    def integer_of(self, headers: Headers) -> int:
        """Return the value for an image as a whole number that is not negative.

        Raises
        ------
        UnusableInputError
            If the header or the file's name does not say it.
        """
        value = self.of(headers)
        if isinstance(value, str) and value.isascii() and value.isdigit():
            return int(value)
        if isinstance(value, str) or not float(value).is_integer() or value < 0:
            raise UnusableInputError(
                str(headers.path),
                f"{self._place} must be a whole number that is not negative, it is {value!r}.",
            )
        return int(value)

    @property
    def _place(self) -> str:
        if self.given is not None:
            return f"{self.key} of the camera's definition"
        return f"{self.keyword or 'the part of its name'} ({self.key} of the camera's definition)"

    def _matched(self, text: str, what: str, headers: Headers) -> str:
        assert self.pattern is not None, "checked when read"
        found = self.pattern.search(text)
        if found is None:
            raise UnusableInputError(
                str(headers.path),
                f"{what}, {text!r}, does not match {self.pattern.pattern!r}, which the camera's "
                f"definition gives for {self.key}.",
            )
        return "".join(part or "" for part in found.groupdict().values())


def read_value(reader: DefinitionReader, key: str) -> Value:
    """Read a value that must be there: given, or with ``keyword`` or ``file_name``.

    Raises
    ------
    SkyMapError
        If it is neither.
    """
    raw, where = reader.anything(key), reader.place(key)
    if isinstance(raw, int | float | str) and not isinstance(raw, bool):
        return Value(key=where, given=raw)
    inner = DefinitionReader(raw, path=f"{where}.")
    if inner.has("keyword"):
        keyword = inner.text("keyword")
        pattern = _pattern(inner, "pattern") if inner.has("pattern") else None
        value = Value(key=where, keyword=keyword, pattern=pattern)
    elif inner.has("file_name"):
        value = Value(key=where, pattern=_pattern(inner, "file_name"))
    else:
        raise SkyMapError(
            f"{where} must be a value, or have the key 'keyword' (of the header) or 'file_name' "
            f"(a regular expression), got {raw!r}."
        )
    inner.finish()
    return value


def _pattern(reader: DefinitionReader, key: str) -> re.Pattern[str]:
    text = reader.text(key)
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise SkyMapError(
            f"{reader.place(key)} must be a regular expression, got {text!r} ({error})."
        ) from error
    if not pattern.groupindex:
        raise SkyMapError(
            f"{reader.place(key)} must have a named group, such as (?P<number>[0-9]+), "
            f"got {text!r}."
        )
    return pattern
