"""Whether the files of an image belong together, and which version of a pipeline made them.

Pipelines have processed many exposures more than once. Sky, PSF, weights and zero points of one
processing do not belong to the pixels of another.
"""

from __future__ import annotations

__all__ = ["NOIRLAB_KEYWORDS", "Processing", "pipeline_version"]

import dataclasses
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UnusableInputError

NOIRLAB_KEYWORDS = ("EXPNUM", "CCDNUM", "PLVER", "PLPROCID")
"""Exposure, detector, version and run of the pipeline, as the NOIRLab pipelines write them."""

_VERSION = re.compile(r"^V?(\d+)\.(\d+)(?:\.(\d+))?", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Processing:
    """What an image says of how it was made.

    Parameters
    ----------
    image
        The file of the image.
    values
        By keyword, those that it states.
    """

    image: Path
    values: Mapping[str, str]

    @classmethod
    def of(
        cls, header: Mapping[str, Any], image: Path, keywords: Iterable[str] = NOIRLAB_KEYWORDS
    ) -> Processing:
        """Take what a header says."""
        return cls(image=image, values=_stated(header, keywords))

    def differences(self, values: Mapping[str, Any]) -> list[str]:
        """Say in what something else differs; a keyword that only one of them states does not."""
        theirs = _stated(values, self.values)
        return [
            f"{key} {theirs[key]!r} instead of {mine!r}"
            for key, mine in self.values.items()
            if key in theirs and theirs[key] != mine
        ]

    def check(self, values: Mapping[str, Any], path: Path) -> None:
        """Refuse what belongs to another exposure, detector or processing.

        Parameters
        ----------
        values
            What another file says: a header, or a table row by lower-case names.
        path
            That file.

        Raises
        ------
        UnusableInputError
            If they differ in what both state.
        """
        different = self.differences(values)
        if different:
            raise UnusableInputError(
                str(path),
                f"it does not belong to the image {self.image}: {', '.join(different)}. "
                "Take all files of an image from one processing.",
            )


def pipeline_version(stated: str) -> tuple[int, int, int] | None:
    """Return the numbers of a version such as ``V4.8.2a``; None if it is none."""
    match = _VERSION.match(stated)
    if match is None:
        return None
    major, minor, patch = match.groups(default="0")
    return int(major), int(minor), int(patch)


def _stated(values: Mapping[str, Any], keywords: Iterable[str]) -> dict[str, str]:
    """Return what a header or a table row, whose names are in lower case, says of its origin."""
    found = {}
    for key in keywords:
        value = values.get(key, values.get(key.lower()))
        if isinstance(value, (float, np.floating)) and float(value).is_integer():
            value = int(value)  # numbers of exposures in tables that have no other ones
        text = "" if value is None else str(value).strip()
        if text:
            found[key] = text
    return found
