"""Which numbers of a file can be meant at all: zero points, times, sizes, identifiers.

A value comes in, and goes on if it is in its range; a file that has another one is refused, with
the value and the rule. What is written where nothing was measured (0, 99, -9999, 1e30) is a number
like any other, and gives an image all of the weight, or a repository a row that it cannot hold.
Pixels are judged in `plausibility`, the WCS in `files.wcs_ranges`.
"""

from __future__ import annotations

__all__ = [
    "LARGEST_IMAGE_PX",
    "check_flux_of_count",
    "check_header",
    "checked_exposure_time",
    "checked_magnitude",
    "checked_size",
    "utc_time",
]

import math
import warnings
from collections.abc import Sequence

from astropy.time import Time

from ..conventions import AB_ZERO_POINT_NJY
from ..errors import UnusableInputError
from ._base import SurveyHeader

LARGEST_IMAGE_PX = 1 << 31
"""Pixels of an image: 46,000 a side, the largest mosaics that are published in one piece. An image
takes 30 bytes a pixel while it is read."""

_MAGNITUDES = 5.0, 45.0
"""Zero points of a count: of a lens of a few millimetres, and of a mirror of 40 m in 10^6 s."""
_FLUX_ZERO_POINTS = -50.0, 45.0
"""Of a unit of the pixels, whatever it is: one of erg/s/cm^2/Hz has -48.6."""
_STANDS_FOR_NONE = (0.0, 99.0, -99.0)
_LONGEST_S = 1e8  # three years: the deepest stacks have some 10^6 s
_YEARS = 1840, 2100  # of the first photographs of the sky, and of all calendars of computers
_LARGEST_NUMBER = (1 << 63) - 1  # that a repository can hold
_LATEST_DAY = 99_991_231


def checked_magnitude(magnitude: float, source: str, where: str, way_out: str) -> float:
    """Return the zero point of a count, a magnitude, if it can be one.

    Parameters
    ----------
    magnitude
        In any system: these differ by a few magnitudes.
    source
        The file.
    where
        What states it: ``MAGZERO``.
    way_out
        What can be done, without a full stop.

    Raises
    ------
    UnusableInputError
        If it stands for none, or is outside of 5 to 45.
    """
    low, high = _MAGNITUDES
    if low <= magnitude <= high:
        return magnitude
    rule = (
        "which stands for none"
        if magnitude in _STANDS_FOR_NONE
        else f"it must be {low:g} to {high:g}: no telescope counts so"
    )
    raise UnusableInputError(source, f"its zero point, {where}, is {magnitude}, {rule}; {way_out}.")


def check_flux_of_count(nanojansky: float, source: str) -> None:
    """Refuse an image of which one unit of the pixels is no flux that anybody measures.

    Raises
    ------
    UnusableInputError
        If its zero point is outside of -50 to 45.
    """
    low, high = _FLUX_ZERO_POINTS
    zero_point = math.nan
    if math.isfinite(nanojansky) and nanojansky > 0:
        zero_point = AB_ZERO_POINT_NJY - 2.5 * math.log10(nanojansky)
    if not low <= zero_point <= high:
        raise UnusableInputError(
            source,
            f"one unit of its pixels is {nanojansky:.3g} nJy, a zero point of {zero_point:.1f}; it "
            f"must be {low:g} to {high:g}: its photometric calibration is none.",
        )


def checked_exposure_time(seconds: float | None, source: str) -> float | None:
    """Return an exposure time if it can be one, or None if there is none.

    Raises
    ------
    UnusableInputError
        If it is negative or longer than 10^8 s.
    """
    if seconds is None or 0.0 <= seconds <= _LONGEST_S:
        return seconds
    raise UnusableInputError(
        source,
        f"its exposure time is {seconds:g} s, it must be 0 to {_LONGEST_S:g}: what stands for none "
        "must be left away.",
    )


def checked_size(shape: Sequence[int], source: str) -> None:
    """Refuse an image before memory is taken for it.

    Raises
    ------
    UnusableInputError
        If it has more than `LARGEST_IMAGE_PX` pixels.
    """
    if math.prod(shape) > LARGEST_IMAGE_PX:
        raise UnusableInputError(
            source,
            f"it has {' x '.join(map(str, reversed(shape)))} pixels, {LARGEST_IMAGE_PX} are "
            "allowed: cut it into parts.",
        )


def utc_time(value: str | float, source: str, where: str, *, is_mjd: bool = False) -> Time:
    """Return a time that a file states, in TAI.

    Parameters
    ----------
    value
        A date such as 2016-03-11T10:32:49, or a modified Julian date, in UTC.
    source
        The file.
    where
        What states it: ``DATE-OBS``.
    is_mjd
        Whether it is a modified Julian date.

    Raises
    ------
    UnusableInputError
        If it is no date, or of a year in which nobody could take an image of the sky.
    """
    try:
        with warnings.catch_warnings():
            # Before 1960 there was no UTC, and leap seconds to come are not known.
            warnings.filterwarnings("ignore", message=".*dubious year")
            if is_mjd:
                time = Time(float(value), format="mjd", scale="utc").tai
            else:
                time = Time(str(value), scale="utc").tai
    except ValueError as error:
        raise UnusableInputError(
            source, f"{where} must be a date such as 2016-03-11T10:32:49, it is {value!r}."
        ) from error
    _check_year(time, source, where)
    return time


def check_header(header: SurveyHeader) -> None:
    """Refuse an image of which a number cannot be meant, whoever read it.

    Raises
    ------
    UnusableInputError
        If it has no or too many pixels, an identifier that no repository holds, or a date or an
        exposure time out of range.
    """
    source, details, known = str(header.source), header.details, header.observation
    for box in (header.bbox, header.detector_bbox):
        checked_size(box.shape, source)
    for name, number, most in (
        ("visit", known.visit, _LARGEST_NUMBER),
        ("detector", known.detector, _LARGEST_NUMBER),
        ("day_obs", known.day_obs, _LATEST_DAY),
        ("sequence number", details.sequence_number or 0, _LARGEST_NUMBER),
    ):
        if not 0 <= number <= most:
            raise UnusableInputError(source, f"its {name} must be 0 to {most}, it is {number}.")
    for name, text in (
        ("instrument", known.instrument),
        ("physical_filter", known.physical_filter),
        ("band", known.band),
        ("detector's name", header.detector_name),
    ):
        if not (text.strip() and text.isprintable()):
            raise UnusableInputError(
                source, f"its {name} must be a name in printable characters, it is {text!r}."
            )
    checked_exposure_time(details.exposure_time_s, source)
    for where, time in (("its beginning", details.begin), ("its end", details.end)):
        if time is not None:
            _check_year(time, source, where)


def _check_year(time: Time, source: str, where: str) -> None:
    first, last = _YEARS
    year = float(time.jyear)
    if not first <= year <= last:
        raise UnusableInputError(
            source, f"{where} is of the year {year:.0f}, it must be {first} to {last}."
        )
