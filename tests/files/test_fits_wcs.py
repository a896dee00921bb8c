"""Headers of all kinds become projections in ICRS, as astropy reads them, or are refused."""

from __future__ import annotations

import warnings
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import BarycentricMeanEcliptic, SkyCoord
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning
from hypothesis import given, settings
from hypothesis import strategies as st
from lsst.images import Box, DetectorFrame, SkyProjection

from cellcoadd.errors import UnusableInputError
from cellcoadd.files.fits_wcs import icrs_wcs, projection_of_wcs

BOX = Box.factory[0:800, 0:600]
FRAME = DetectorFrame(instrument="Cam", visit=1, detector=2, bbox=BOX)
SCALE = 0.27 / 3600
MAS_01 = 1e-4 * u.arcsec


def header(**cards: Any) -> fits.Header:
    """A tangent plane of 0.27 arcsec pixels, turned by 30 degrees; cards replace its own."""
    stated = {
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CRVAL1": 150.0,
        "CRVAL2": 32.0,
        "CRPIX1": 200.0,
        "CRPIX2": -1500.0,
        "CD1_1": -0.866 * SCALE,
        "CD1_2": 0.5 * SCALE,
        "CD2_1": 0.5 * SCALE,
        "CD2_2": 0.866 * SCALE,
    }
    result = fits.Header()
    for key, value in (stated | cards).items():
        if value is not None:
            result[key] = value
    return result


def project(cards: fits.Header) -> SkyProjection[DetectorFrame]:
    return projection_of_wcs(icrs_wcs(cards, bbox=BOX, source="f1"), FRAME, bbox=BOX, source="f1")


def grid() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    x, y = np.meshgrid(np.linspace(0.0, 599.0, 7), np.linspace(0.0, 799.0, 7))
    return x.ravel(), y.ravel()


def astropys(cards: fits.Header) -> SkyCoord:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        return WCS(cards).pixel_to_world(*grid()).icrs


def miss(cards: fits.Header, expected: SkyCoord) -> u.Quantity:
    x, y = grid()
    return project(cards).pixel_to_sky(x=x, y=y).separation(expected).max()


FRAMES: dict[str, dict[str, Any]] = {
    "none": {},
    "icrs": {"RADESYS": "ICRS"},
    "fk5": {"RADESYS": "FK5", "EQUINOX": 2000.0},
    "fk5 by equinox": {"EQUINOX": 2000.0},
    "fk5 of 1975": {"RADESYS": "FK5", "EQUINOX": 1975.0},
    "galactic": {"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN"},
}
TPV: dict[str, Any] = {
    "PV1_0": 1e-4,
    "PV1_1": 1.001,
    "PV1_2": 2e-4,
    "PV1_4": 3e-3,
    "PV1_7": 0.02,
    "PV2_0": -2e-4,
    "PV2_1": 0.999,
    "PV2_2": -1e-4,
    "PV2_5": 4e-3,
    "PV2_7": -0.01,
}
SIP: dict[str, Any] = {
    "CTYPE1": "RA---TAN-SIP",
    "CTYPE2": "DEC--TAN-SIP",
    "A_ORDER": 2,
    "B_ORDER": 2,
    "A_2_0": 1e-7,
    "B_0_2": -2e-7,
    "A_1_1": 5e-8,
}


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("projection", ["TAN", "SIN", "STG", "ZEA", "ARC", "AIT", "COE"])
def test_positions_are_astropys_in_every_frame(name: str, projection: str) -> None:
    """A Galactic header that is taken for ICRS is 70 degrees off."""
    cards = header(**FRAMES[name])
    for key in ("CTYPE1", "CTYPE2"):
        cards[key] = cards[key].replace("TAN", projection)
    if projection == "COE":
        cards["PV2_1"] = 40.0
    assert miss(cards, astropys(cards)) < MAS_01


@settings(deadline=None, max_examples=40)
@given(
    # Starlink AST takes 359.9999992 degrees for 0, 3 mas off: such a header is refused.
    lon=st.floats(0.01, 359.99),
    lat=st.floats(-89.9, 89.9),
    lonpole=st.none() | st.floats(-180.0, 180.0),
    name=st.sampled_from(sorted(FRAMES)),
    is_swapped=st.booleans(),
)
def test_positions_are_astropys_anywhere(
    lon: float, lat: float, lonpole: float | None, name: str, is_swapped: bool
) -> None:
    """Whatever the frame, the reference point, the pole and the order of the axes."""
    cards = header(CRVAL1=lon, CRVAL2=lat, LONPOLE=lonpole, **FRAMES[name])
    if is_swapped:
        for key in ("CTYPE", "CRVAL"):
            cards[f"{key}1"], cards[f"{key}2"] = cards[f"{key}2"], cards[f"{key}1"]
    assert miss(cards, astropys(cards)) < MAS_01


@pytest.mark.parametrize("frame", ["fk5 of 1975", "none"])
@pytest.mark.parametrize(
    ("distortion", "is_swapped"),
    [(SIP, False), (SIP, True), (TPV, False)],
    ids=["SIP", "SIP, latitude first", "TPV"],
)
def test_distortions_stay_what_they_are(
    frame: str, distortion: dict[str, Any], is_swapped: bool
) -> None:
    """They act on pixels or on the tangent plane, which no rotation of the sky touches."""
    cards = distorted(distortion, is_swapped=is_swapped, **FRAMES[frame])
    assert miss(cards, astropys(cards)) < MAS_01
    if not is_swapped:
        plain = astropys(header(**FRAMES[frame]))
        assert miss(cards, plain) > 0.01 * u.arcsec, "it is a distortion"


def distorted(distortion: dict[str, Any], *, is_swapped: bool, **cards: Any) -> fits.Header:
    result = header(**(cards | distortion))
    if "PV1_0" in distortion:
        result["CTYPE1"], result["CTYPE2"] = "RA---TPV", "DEC--TPV"
    if is_swapped:
        for key in ("CTYPE", "CRVAL"):
            result[f"{key}1"], result[f"{key}2"] = result[f"{key}2"], result[f"{key}1"]
    return result


def test_what_two_programs_read_in_two_ways_is_refused() -> None:
    """A plate carree far from its equator, and TPV with the latitude first."""
    for cards in (
        header(CTYPE1="RA---CAR", CTYPE2="DEC--CAR"),
        distorted(TPV, is_swapped=True),
    ):
        with pytest.raises(UnusableInputError, match="arcsec"):
            project(cards)


def test_ecliptic_headers_are_those_of_the_mean_ecliptic() -> None:
    """Astropy takes these for ICRS; 32 degrees of ecliptic latitude are 41 of declination here."""
    cards = header(CTYPE1="ELON-TAN", CTYPE2="ELAT-TAN", EQUINOX=2000.0)
    plain = WCS(header()).pixel_to_world(*grid())
    expected = SkyCoord(plain.ra, plain.dec, frame=BarycentricMeanEcliptic(equinox="J2000")).icrs
    assert miss(cards, expected) < MAS_01
    assert abs(expected.dec - plain.dec).max() > 8 * u.deg


@pytest.mark.parametrize("terms", [4, 11])
def test_pv_on_tan_is_tpv(terms: int) -> None:
    """SCAMP writes the distortion of TPV under TAN; the standard's PV on TAN is a pole."""
    pv = {key: value for key, value in TPV.items() if int(key.split("_")[1]) < terms}
    tpv = header(**pv, CTYPE1="RA---TPV", CTYPE2="DEC--TPV")
    assert miss(header(**pv), astropys(tpv)) < MAS_01


def test_a_header_in_icrs_stays_untouched() -> None:
    """Not to the last bit otherwise than lsst.images reads it."""
    x, y = grid()
    expected = SkyProjection.from_fits_wcs(WCS(header()), FRAME, pixel_bounds=BOX)
    found, wanted = project(header()).pixel_to_sky(x=x, y=y), expected.pixel_to_sky(x=x, y=y)
    assert (found.ra == wanted.ra).all()
    assert (found.dec == wanted.dec).all()


@pytest.mark.parametrize(
    ("cards", "reason"),
    [
        ({"RADESYS": "FK4", "EQUINOX": 1950.0}, "its frame is FK4"),
        ({"EQUINOX": 1950.0}, "its frame is FK4"),
        ({"RADESYS": "GAPPT"}, "RADESYS 'GAPPT'"),
        ({"CTYPE1": "HLON-TAN", "CTYPE2": "HLAT-TAN"}, "must be right ascension"),
        ({"CTYPE1": "TLON-TAN", "CTYPE2": "TLAT-TAN"}, "must be right ascension"),
        ({"CTYPE1": "SLON-TAN", "CTYPE2": "SLAT-TAN"}, "must be right ascension"),
        ({"CTYPE1": "RA---TNX", "CTYPE2": "DEC--TNX"}, "TNX"),
        ({"CTYPE1": "LINEAR", "CTYPE2": "LINEAR"}, "no WCS"),
        ({"CTYPE1": None, "CTYPE2": None}, "no WCS"),
        ({"CTYPE2": "DEC--SIN"}, "cannot be read"),
        ({"CD1_1": 0.0, "CD1_2": 0.0}, "cannot be read"),
        ({"CPDIS1": "LOOKUP"}, "distortion in tables"),
        (SIP | TPV | {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"}, "two distortions"),
    ],
)
def test_what_is_not_understood_is_refused(cards: dict[str, Any], reason: str) -> None:
    """By the name of the image and with what would be understood."""
    with pytest.raises(UnusableInputError, match=reason) as caught:
        project(header(**cards))
    assert caught.value.source == "f1"


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("CRVAL1", 9e99), ("CRVAL2", -1e5), ("CRPIX1", 1e30), ("CD1_1", 500.0), ("PV1_4", 1e200),
        ("A_2_0", -1e40), ("A_ORDER", 99), ("LONPOLE", 1e6), ("CDELT1", 1e9), ("EQUINOX", 1e9),
    ],
)  # fmt: skip
def test_a_number_that_cannot_be_meant_is_refused_before_any_program_reads_it(
    keyword: str, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AST ends the interpreter on an angle of 9e99."""

    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("a program in C is to read it")

    monkeypatch.setattr("cellcoadd.files.fits_wcs.WCS", never)
    with pytest.raises(UnusableInputError, match=rf"f1: its WCS has {keyword} = .*within"):
        project(header(**{keyword: value}))


def test_right_ascensions_of_more_than_a_turn_are_read() -> None:
    """Some programs count on from 360 degrees, or from -180."""
    x, y = grid()
    for value in (150.0 + 360.0, 150.0 - 360.0):
        found = project(header(CRVAL1=value)).pixel_to_sky(x=x, y=y)
        assert found.separation(astropys(header())).max() < MAS_01
