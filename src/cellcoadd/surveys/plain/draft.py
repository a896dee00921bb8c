"""A first definition of a camera from one of its images: its header, its pixels, its neighbours.

An image comes in, YAML goes out, in which each line that was guessed says of what, and what nobody
can know is marked as a question.
"""

from __future__ import annotations

__all__ = ["draft_camera"]

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from astropy.io import fits

from ...errors import UnusableInputError
from .draft_facts import ImageFacts, Neighbour, image_facts
from .values import Headers

_QUESTION = "# ?"
_UNITS = {
    "adu": "count", "count": "count", "counts": "count", "dn": "count", "electron": "count",
    "electrons": "count", "adu/s": "count/s", "count/s": "count/s", "counts/s": "count/s",
    "dn/s": "count/s", "electron/s": "count/s", "electrons/s": "count/s", "njy": "nJy",
    "ujy": "uJy", "mjy": "mJy", "jy": "Jy", "mjy/sr": "MJy/sr",
}  # fmt: skip
_ZERO_POINTS = {
    "MAGZERO": "exposure", "MAGZPT": "second", "MAGZP": "exposure", "FPA.ZP": "second",
    "ZEROPT": "exposure", "PHOTZP": "exposure", "MAG_ZP": "exposure", "ZPAPPROX": "exposure",
    "ZP": "exposure", "PHOT_C": "second",
}  # fmt: skip
"""Keywords, and of which counts their pipelines mean them where the image is in counts."""
_NO_MAGNITUDES = (0.0, 99.0)
_VEGA = {"J": 0.938, "H": 1.379, "K": 1.900, "Ks": 1.827}
_SKIES = ("SKYLEVEL", "AVSKY", "SKYADU", "SKYMEAN", "BACKGND")
_WIDTHS = ("SEEING", "FWHM", "PSF_FWHM", "IQ", "QAFWHM")
_SATURATIONS = ("SATURATE", "SATURAT", "CELL.SATURATION", "SATURVAL")
_READ_NOISES = ("RDNOISE", "READNOIS", "READNOISE", "READNOI")
_FILTERS = ("FILTER", "FPA.FILTER", "FILTNAM", "FILTNAME", "ESO INS FILT1 NAME")
_PLANES = {"ERR", "DQ", "VAR", "WHT", "WEIGHT", "MASK", "VARIANCE", "BPM", "SCI", "IVAR", "RMS"}
"""Names of extensions that are planes of one image."""
_TIMES = (("mjd", ("MJD-OBS", "MJD", "OBSMJD")), ("date_obs", ("DATE-OBS", "DATE-BEG")))
_LIKE = 5.0  # times more or less is another quantity than the noise of the pixels
_LEFT_IN = 3.0  # times the noise is no sky that was taken away
_FEW = 200  # pixels a side, below which stars are too few to measure a PSF of
_DAY_LIGHT = 2000.0  # counts a second, which saturate no detector


def draft_camera(path: Path) -> str:
    """Return a definition of the camera of an image, with open questions marked ``# ?``.

    Parameters
    ----------
    path
        The image.

    Raises
    ------
    UnusableInputError
        If it is not FITS or holds no image.
    """
    facts = image_facts(path)
    if facts is None:
        raise UnusableInputError(
            str(path), "it holds no image of two axes, so that there is nothing to say of a camera."
        )
    return "\n".join(_lines(facts)) + "\n"


def _lines(facts: ImageFacts) -> Iterator[str]:
    headers = facts.headers
    yield f"# Drafted from {headers.path.name}. Answer the lines marked '{_QUESTION}'; all keys are"
    yield "# explained in docs/how-to/any-camera.md. Comments show what the header says."
    yield _looked_up("name", headers, ("INSTRUME", "FPA.INSTRUMENT"), "what is it called")
    if len(facts.names) > 1 and _PLANES.intersection(name.upper() for name in facts.names):
        there = ", ".join(facts.names)
        yield f"image: {{hdu: {facts.extensions[0]}}}  {_QUESTION} which of {there}"
    elif len(facts.names) > 1:
        yield (
            f"image: {{detectors: all}}  {_QUESTION} is each of {', '.join(facts.names)} a "
            "detector; else name one with hdu"
        )
    unit, *lines = _flux(facts)
    yield f"unit: {unit}"
    yield from lines
    yield "noise:"
    yield _noise(facts, unit.split()[0])
    yield _sky(facts)
    if (keyword := _first(headers, _SATURATIONS)) is not None:
        in_counts = unit.startswith("count/s") and headers.get(keyword) > _DAY_LIGHT
        more = ", unit: count" if in_counts else ""
        yield (
            f"saturation: {{level: {{keyword: {keyword}}}{more}}}  {_said(headers, keyword)} "
            f"{_QUESTION} in counts, or in the unit of the image"
        )
    yield _mask(facts.mask)
    yield "psf:"
    yield from _psf(facts)
    yield _looked_up("visit", headers, _whole(headers, ("EXPNUM", "OBSID")), None)
    yield _looked_up("detector", headers, _whole(headers, ("CCDNUM", "CAMNUM", "CCDID")), None)
    yield _looked_up("filter", headers, _FILTERS, "which one")
    if (keyword := _first(headers, _FILTERS)) is not None:
        name = str(headers.get(keyword)).strip()
        yield (
            f"band: {{{json.dumps(name)}: {json.dumps(_band(name))}}}  {_QUESTION} the band of "
            "each filter"
        )
    yield _time(headers)
    yield _looked_up("exposure_time", headers, ("EXPTIME", "EXP_TIME", "XPOSURE"), "seconds")
    yield _looked_up("airmass", headers, ("AIRMASS", "AMSTART"), None)


def _band(name: str) -> str:
    """Return the letter that a filter's name begins with, where it stands alone; else the name."""
    word = name.replace(".", " ").split()[0] if name.split() else name
    return word if len(word) == 1 or word == "Ks" else name


def _flux(facts: ImageFacts) -> Iterator[str]:
    headers = facts.headers
    stated = str(headers.get("BUNIT") or "").strip()
    unit = _UNITS.get(stated.lower())
    said = f"# BUNIT {stated!r}" if stated else "# no BUNIT"
    of_file = str(headers.headers[-1].get("BUNIT") or "").strip()
    if stated and of_file and _UNITS.get(of_file.lower()) != unit:
        said += f", and {of_file!r} in the header of the whole file {_QUESTION} which of them"
    yield f"{unit or 'count'}  {said}" + ("" if unit else f" {_QUESTION} count or count/s")
    if unit is not None and not unit.startswith("count"):
        return
    keyword = _first(headers, tuple(_ZERO_POINTS))
    if keyword is None or headers.get(keyword) in _NO_MAGNITUDES:
        yield (
            "# zero_point: {magnitude: 25.0, system: AB, per: exposure}  "
            f"{_QUESTION} else pixels stay in counts"
        )
        return
    per = "second" if unit == "count/s" else _ZERO_POINTS[keyword]
    name = _first(headers, _FILTERS)
    band = _band(str(headers.get(name)).strip()) if name else ""
    system = f"Vega, offset: {_VEGA[band]}" if band in _VEGA else "AB"
    yield (
        f"zero_point: {{magnitude: {{keyword: {keyword}}}, system: {system}, per: {per}}}  "
        f"{_said(headers, keyword)} {_QUESTION} AB or Vega, of one count a second or an exposure"
    )


def _noise(facts: ImageFacts, unit: str) -> str:
    headers, measured = facts.headers, facts.scatter
    if (plane := facts.noise) is not None:
        stated = {"rms": plane.level, "variance": math.sqrt(plane.level)}.get(
            plane.kind, 1.0 / math.sqrt(plane.level)
        )
        if plane.kind == "inverse_variance" and not 1 / _LIKE < stated / measured < _LIKE:
            return (
                f"  weight: {{{plane.place}, rms: {measured:.4g}}}  # {plane.name}, and how its "
                f"pixels scatter {_QUESTION} the noise where the weight is the median"
            )
        return (
            f"  {plane.kind}: {{{plane.place}}}  # {plane.name}: it says {stated:.3g}, pixels "
            f"scatter by {measured:.3g}"
        )
    keyword = _first(headers, ("SKYNOISE", "SKYSIGMA", "SKYRMS"))
    if keyword is not None and 1 / _LIKE < headers.get(keyword) / measured < _LIKE:
        return f"  constant: {{rms: {{keyword: {keyword}}}}}  {_said(headers, keyword)}"
    gain = headers.get("GAIN")
    if unit == "count" and isinstance(gain, int | float) and gain > 0 and facts.median > 0:
        read = _first(headers, _READ_NOISES)
        electrons = 0.0 if read is None else float(headers.get(read))
        expected = math.sqrt(facts.median / gain + (electrons / gain) ** 2)
        if 1 / _LIKE < expected / measured < _LIKE and facts.median > _LEFT_IN * measured:
            more = "" if read is None else f", read_noise: {{keyword: {read}}}"
            return (
                f"  from_gain: {{gain: {{keyword: GAIN}}{more}}}  {_said(headers, 'GAIN')} "
                f"{_QUESTION} of one exposure; a plane of noise is better"
            )
    return (
        f"  constant: {{rms: {measured:.4g}}}  # so much pixels scatter {_QUESTION} a plane of "
        "noise is better"
    )


def _sky(facts: ImageFacts) -> str:
    headers, median = facts.headers, facts.median
    keyword = _first(headers, _SKIES)
    if keyword is not None:
        sky = float(headers.get(keyword))
        if abs(median - sky) <= max(_LEFT_IN * facts.scatter, abs(sky) / _LIKE):
            return (
                f"sky: {{keyword: {keyword}}}  {_said(headers, keyword)}, and the median of the "
                f"pixels is {median:.5g}: it was left in"
            )
    if abs(median) > _LEFT_IN * facts.scatter:
        size = min(128, max(min(facts.shape) // 4, 16))
        return (
            f"sky: {{mesh: {{size: {size}}}}}  # the median of the pixels is {median:.5g} "
            f"{_QUESTION} is it sky"
        )
    return f"# sky: {{mesh: {{size: 128}}}}  # the median of the pixels is {median:.3g}: none"


def _mask(mask: Neighbour | None) -> str:
    if mask is None:
        return f"# mask: {{hdu: 2, bits: {{1: BAD}}}}  {_QUESTION} is there one"
    return (
        f"mask: {{{mask.place}, bits: {{1: BAD}}}}  # {mask.name} {_QUESTION} what its bits, or "
        "codes, mean: those that are not listed are BAD"
    )


def _psf(facts: ImageFacts) -> Iterator[str]:
    headers = facts.headers
    measured = "measured: {}"
    if (psf := facts.psf) is not None:
        yield f"  {psf.kind}: {{{psf.place}}}  # {psf.name}"
        return
    width = _first(headers, _WIDTHS)
    if width is not None:
        said = facts.comment_of(width)
        unit = "pixel" if "pix" in said and "arcsec" not in said else "arcsec"
        yield (
            f"  moffat: {{fwhm: {{keyword: {width}}}, unit: {unit}, beta: 3.0}}  "
            f"{_said(headers, width)} {_QUESTION} arcsec or pixel"
        )
        yield f"  # {measured}  # in place of the line above: from the stars of each image"
    elif min(facts.shape) >= _FEW:
        yield f"  {measured}  # from the stars of each image"
        yield f"  # moffat: {{fwhm: 1.0, unit: arcsec, beta: 3.0}}  {_QUESTION} or of a known width"
    else:
        yield f"  moffat: {{fwhm: 4.0, unit: pixel, beta: 3.0}}  {_QUESTION} how wide are stars"


def _time(headers: Headers) -> str:
    for kind, keywords in _TIMES:
        if (keyword := _first(headers, keywords)) is not None:
            return f"time: {{{kind}: {{keyword: {keyword}}}}}  {_said(headers, keyword)}"
    return f"time: {{date_obs: 2000-01-01T00:00:00}}  {_QUESTION} when"


def _looked_up(key: str, headers: Headers, keywords: tuple[str, ...], question: str | None) -> str:
    """Return a line for a value; without a keyword a question, or a comment if it may be absent."""
    keyword = _first(headers, keywords)
    if keyword is not None:
        return f"{key}: {{keyword: {keyword}}}  {_said(headers, keyword)}"
    if question is None:
        return f"# {key}: may be left out"
    return f"{key}: {'unknown' if question != 'seconds' else 1.0}  {_QUESTION} {question}"


def _whole(headers: Headers, keywords: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of which the header has a whole number."""
    return tuple(word for word in keywords if str(headers.get(word)).strip().isdecimal())


def _first(headers: Headers, keywords: tuple[str, ...]) -> str | None:
    return next((keyword for keyword in keywords if _has(headers.get(keyword))), None)


def _has(value: Any) -> bool:
    return value is not None and not isinstance(value, fits.card.Undefined) and bool(str(value))


def _said(headers: Headers, keyword: str) -> str:
    return f"# {headers.get(keyword)!r}"
