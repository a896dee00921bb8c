"""Which processing the files of a DECam image come from, and whether that is one and the same.

The Community Pipeline has processed many exposures more than once. Sky, PSF, weights and zero
points of one processing do not belong to the pixels of another.
"""

from __future__ import annotations

__all__ = ["Processing", "check_astrometry", "check_cuts"]

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UnusableInputError

_KEYS = ("EXPNUM", "CCDNUM", "PLVER", "PLPROCID")
_ASK = "read_decam_image(..., accept_cut=True), or the survey name decam-with-cuts, takes it."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Processing:
    """What an image says of how it was made.

    Parameters
    ----------
    image
        The file of the image.
    values
        By keyword (``EXPNUM``, ``CCDNUM``, ``PLVER``, ``PLPROCID``), those that it states.
    """

    image: Path
    values: Mapping[str, str]

    @classmethod
    def of(cls, header: Mapping[str, Any], image: Path) -> Processing:
        """Take what a header says."""
        return cls(image=image, values=_stated(header))

    def differences(self, values: Mapping[str, Any]) -> list[str]:
        """Say in what something else differs; a keyword that only one of them states does not."""
        theirs = _stated(values)
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


def check_cuts(row: Mapping[str, Any], image: Path, table: Path) -> None:
    """Refuse a CCD that the survey itself does not use.

    Raises
    ------
    UnusableInputError
        If ``ccd_cuts`` of its row in the table of CCDs is not 0.
    """
    cuts = int(row.get("ccd_cuts", 0))
    if cuts:
        raise UnusableInputError(
            str(image), f"the survey has cut it: ccd_cuts is {cuts} in {table}, not 0. {_ASK}"
        )


def check_astrometry(header: Mapping[str, Any], image: Path) -> None:
    """Refuse an image whose astrometry has failed.

    Raises
    ------
    UnusableInputError
        If ``SCAMPFLG`` is not 0, or, where there is none, ``WCSCAL`` does not say success.

    Notes
    -----
    ``SCAMPFLG`` wins: images that the pipeline calibrated anew keep an older ``WCSCAL = 'Failed'``
    beside ``SCAMPFLG = 0``, and their stars lie within 0.06 arcsec of Gaia's.
    """
    flag, word = header.get("SCAMPFLG"), str(header.get("WCSCAL") or "").strip()
    if flag not in (None, ""):
        failed, said = str(flag).strip() not in ("0", "0.0", "False"), f"SCAMPFLG is {flag}, not 0"
    else:
        failed = bool(word) and not word.lower().startswith("success")
        said = f"WCSCAL is {word!r}, not 'Successful'"
    if failed:
        raise UnusableInputError(str(image), f"its astrometry has failed: {said}. {_ASK}")


def _stated(values: Mapping[str, Any]) -> dict[str, str]:
    """Return what a header or a table row, whose names are in lower case, says of its origin."""
    found = {}
    for key in _KEYS:
        value = values.get(key, values.get(key.lower()))
        if isinstance(value, (float, np.floating)) and float(value).is_integer():
            value = int(value)  # numbers of exposures in tables that have no other ones
        text = "" if value is None else str(value).strip()
        if text:
            found[key] = text
    return found
