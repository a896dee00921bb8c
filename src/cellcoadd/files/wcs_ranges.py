"""Which numbers the WCS of a FITS header may have at all, before a program in C sees them.

wcslib and Starlink AST take any number: an angle of 9e99 ends the interpreter, or is turned into
the circle by subtraction for minutes.
"""

from __future__ import annotations

__all__ = ["check_ranges"]

import math
import re

from astropy.io import fits

from ..errors import UnusableInputError

_RANGES = {
    re.compile(pattern): limit
    for pattern, limit in {
        r"CRVAL[12]": 720.0,  # degrees: two turns, since some count right ascension from -180
        r"LONPOLE|LATPOLE|CROTA[12]": 720.0,
        r"CRPIX[12]": 1e8,  # of a mosaic of the whole sky in pixels of 0.01 arcsec
        r"CD[12]_[12]|CD00[12]00[12]": 360.0,  # degrees a pixel
        r"PC[12]_[12]|PC00[12]00[12]": 1e6,  # times CDELT, which may be anything
        r"CDELT[12]": 360.0,
        r"PV[12]_\d+": 1e6,  # terms of polynomials in degrees, which are near 1 or far below it
        r"[AB]P?_\d+_\d+": 1e6,  # of polynomials in pixels
        r"EQUINOX": 3000.0,
        r"WCSAXES": 9.0,
        r"[AB]P?_ORDER": 9.0,
        r"[AB]_DMAX": 1e6,
    }.items()
}
"""Largest absolute value of the keywords of each pattern."""


def check_ranges(header: fits.Header, source: str) -> None:
    """Refuse a header in which a number of the WCS cannot be meant.

    Parameters
    ----------
    header
        Of an image. Text where a number belongs is left to who reads it.
    source
        What the user knows it as, for messages.

    Raises
    ------
    UnusableInputError
        If one is not finite, or beyond what any telescope needs.
    """
    for keyword in header:
        limit = next((most for name, most in _RANGES.items() if name.fullmatch(keyword)), None)
        if limit is None:
            continue
        value = header[keyword]
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if not (math.isfinite(value) and abs(value) <= limit):
            raise UnusableInputError(
                source,
                f"its WCS has {keyword} = {value:.6g}, it must be within {limit:g} of zero: the "
                "header is damaged, solve the astrometry again.",
            )
