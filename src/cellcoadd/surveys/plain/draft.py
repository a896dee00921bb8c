"""A first definition of a camera from what the header of one of its images says.

An image comes in, YAML goes out, in which each line that was guessed says of what, and what nobody
can know from a header is marked as a question.
"""

from __future__ import annotations

__all__ = ["draft_camera"]

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from astropy.io import fits

from ...errors import UnusableInputError
from ..fits_files import open_fits
from .values import Headers

_QUESTION = "# ?"
_UNITS = {
    "adu": "count", "count": "count", "counts": "count", "dn": "count", "electron": "count",
    "electrons": "count", "adu/s": "count/s", "count/s": "count/s", "counts/s": "count/s",
    "dn/s": "count/s", "electron/s": "count/s", "electrons/s": "count/s", "njy": "nJy",
    "ujy": "uJy", "mjy": "mJy", "jy": "Jy", "mjy/sr": "MJy/sr",
}  # fmt: skip
_ZERO_POINTS = ("MAGZERO", "MAGZPT", "MAGZP", "FPA.ZP", "ZEROPT", "PHOTZP", "MAG_ZP", "ZP")
_SKIES = ("SKYLEVEL", "AVSKY", "SKYADU", "SKYMEAN", "BACKGND")
_WIDTHS = ("SEEING", "FWHM", "PSF_FWHM", "IQ")
_SATURATIONS = ("SATURATE", "SATURAT", "CELL.SATURATION", "SATURVAL")
_PLANES = {"ERR", "DQ", "VAR", "WHT", "WEIGHT", "MASK", "VARIANCE", "BPM", "SCI"}
"""Names of extensions that are planes of one image."""
_TIMES = (("mjd", ("MJD-OBS", "MJD")), ("date_obs", ("DATE-OBS", "DATE-BEG")))


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
    with open_fits(path) as hdus:
        images = [i for i, hdu in enumerate(hdus) if hdu.is_image and len(hdu.shape) == 2]
        if not images:
            raise UnusableInputError(str(path), "it holds no image of two axes.")
        names = [str(hdus[i].name or i) for i in images]
        headers = Headers(path=path, headers=(hdus[images[0]].header, hdus[0].header))
        return "\n".join(_lines(headers, images, names)) + "\n"


def _lines(headers: Headers, images: list[int], names: list[str]) -> Iterator[str]:
    yield f"# Drafted from {headers.path.name}. Answer the lines marked '{_QUESTION}'; all keys are"
    yield "# explained in docs/how-to/any-camera.md. Comments show what the header says."
    yield _looked_up("name", headers, ("INSTRUME", "FPA.INSTRUMENT"), "what is it called")
    if len(images) > 1 and _PLANES.intersection(name.upper() for name in names):
        yield f"image: {{hdu: {images[0]}}}  {_QUESTION} which of {', '.join(names)}"
    elif len(images) > 1:
        yield (
            f"image: {{detectors: all}}  {_QUESTION} is each of {', '.join(names)} a detector; "
            "else name one with hdu"
        )
    yield from _flux(headers)
    yield "noise:"
    yield from _noise(headers)
    if (keyword := _first(headers, _SKIES)) is not None:
        yield f"# sky: {{keyword: {keyword}}}  {_said(headers, keyword)} {_QUESTION} is it left in"
    yield f"# sky: {{mesh: {{size: 128}}}}  {_QUESTION} is it left in: then it is measured"
    if (keyword := _first(headers, _SATURATIONS)) is not None:
        yield (
            f"saturation: {{level: {{keyword: {keyword}}}}}  {_said(headers, keyword)} "
            f"{_QUESTION} in the unit of the image"
        )
    yield f"# mask: {{hdu: 2, bits: {{1: BAD}}}}  {_QUESTION} is there one"
    yield "psf:"
    width = _first(headers, _WIDTHS)
    given = "1.0" if width is None else f"{{keyword: {width}}}"
    yield (
        f"  moffat: {{fwhm: {given}, unit: arcsec, beta: 3.0}}  "
        f"{'#' if width is None else _said(headers, width)} {_QUESTION} arcsec or pixel"
    )
    yield "  # measured: {}  # in place of the line above: from the stars of each image"
    yield _looked_up("visit", headers, ("EXPNUM",), None)
    yield _looked_up("detector", headers, ("CCDNUM", "CAMNUM", "CCDID"), None)
    yield _looked_up("filter", headers, ("FILTER", "FPA.FILTER", "FILTNAM"), "which one")
    if (keyword := _first(headers, ("FILTER", "FPA.FILTER", "FILTNAM"))) is not None:
        name = str(headers.get(keyword)).strip()
        text = json.dumps(name)
        yield f"band: {{{text}: {text}}}  {_QUESTION} the band of each filter"
    yield _time(headers)
    yield _looked_up("exposure_time", headers, ("EXPTIME", "EXP_TIME", "XPOSURE"), "seconds")
    yield _looked_up("airmass", headers, ("AIRMASS", "AMSTART"), None)


def _flux(headers: Headers) -> Iterator[str]:
    stated = str(headers.get("BUNIT") or "").strip()
    unit = _UNITS.get(stated.lower())
    said = f"# BUNIT {stated!r}" if stated else "# no BUNIT"
    yield f"unit: {unit or 'count'}  {said}" + ("" if unit else f" {_QUESTION} count or count/s")
    if unit is not None and not unit.startswith("count"):
        return
    keyword = _first(headers, _ZERO_POINTS)
    if keyword is None:
        yield (
            "# zero_point: {magnitude: 25.0, system: AB, per: exposure}  "
            f"{_QUESTION} else pixels stay in counts"
        )
        return
    yield (
        f"zero_point: {{magnitude: {{keyword: {keyword}}}, system: AB, per: second}}  "
        f"{_said(headers, keyword)} {_QUESTION} AB or Vega, per second or exposure"
    )


def _noise(headers: Headers) -> Iterator[str]:
    if _first(headers, ("GAIN",)) is None:
        yield f"  inverse_variance: {{file: {{suffix: .weight.fits}}}}  {_QUESTION} which file"
        return
    read = _first(headers, ("RDNOISE", "READNOIS", "READNOISE"))
    more = "" if read is None else f", read_noise: {{keyword: {read}}}"
    yield (
        f"  from_gain: {{gain: {{keyword: GAIN}}{more}}}  {_said(headers, 'GAIN')} "
        f"{_QUESTION} of one exposure, with the sky left in; a plane of noise is better"
    )


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
    return f"{key}: unknown  {_QUESTION} {question}"


def _first(headers: Headers, keywords: tuple[str, ...]) -> str | None:
    return next((keyword for keyword in keywords if _has(headers.get(keyword))), None)


def _has(value: Any) -> bool:
    return value is not None and not isinstance(value, fits.card.Undefined) and bool(str(value))


def _said(headers: Headers, keyword: str) -> str:
    return f"# {headers.get(keyword)!r}"
