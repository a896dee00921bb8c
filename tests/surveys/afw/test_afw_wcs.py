"""Texts of AST are looked at before AST sees them, and lead back to where they came from."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest
from lsst.images import Box, DetectorFrame, SkyProjection
from lsst.images._transforms import _ast

from cellcoadd.errors import UnusableInputError
from cellcoadd.files import ast_text
from cellcoadd.simulate import Camera, survey_plan
from cellcoadd.surveys.afw import sky_wcs
from cellcoadd.surveys.afw.sky_wcs import projection_of_text

CAMERA = Camera(columns=1, rows=1, width=1024, height=2048, first_x=7, first_y=-3, distortion=0.02)
BOX = CAMERA.bbox
FRAME = DetectorFrame(instrument="Cam", visit=1, detector=1, bbox=BOX)


def made() -> SkyProjection[Any]:
    """A WCS with a distortion, and where its first pixel is not (0, 0)."""
    plan = dataclasses.replace(survey_plan("tests"), camera=CAMERA)
    return plan.pointing(plan.visits[0].visit, 0).sky_projection(visit=1)


def text_of(projection: SkyProjection[Any]) -> bytes:
    frame_set = projection.pixel_to_sky_transform._get_ast_frame_set()
    text: str = "1 SkyWcs 0  " + frame_set.show(False).lstrip()
    return text.encode()


def read(text: bytes) -> SkyProjection[Any]:
    return projection_of_text(text, FRAME, bbox=BOX, source="f.fits")


def grid() -> tuple[Any, Any]:
    y, x = np.mgrid[BOX.y.start : BOX.y.stop : 67, BOX.x.start : BOX.x.stop : 41].astype(float)
    return x, y


def trip_px(projection: SkyProjection[Any]) -> float:
    x, y = grid()
    back = projection.sky_to_pixel(projection.pixel_to_sky(x=x, y=y))
    return float(np.hypot(back.x - x, back.y - y).max())


def test_a_text_says_what_the_wcs_said() -> None:
    """On the sky to the last bits, and the way back to 1e-6 pixel."""
    x, y = grid()
    expected, found = made(), read(text_of(made()))
    away = found.pixel_to_sky(x=x, y=y).separation(expected.pixel_to_sky(x=x, y=y))
    assert away.arcsec.max() < 1e-8
    assert trip_px(found) < 1e-6


def with_inverse_off(off: float) -> bytes:
    """A text whose inverse misses by a curve of some pixels."""
    x0, half = 500.0, 2000.0
    forth = [[1.0, 1, 1, 0], [1.0, 2, 0, 1]]
    size = off / half
    back = [[1.0, 1, 1, 0], [size, 1, 2, 0], [size, 1, 1, 3], [1.0, 2, 0, 1], [size, 2, 0, 2]]
    unit = _ast.ShiftMap([-x0, -x0]).then(_ast.ZoomMap(2, 1.0 / half))
    bent = unit.then(_ast.PolyMap(np.array(forth), np.array(back))).then(unit.inverted())
    mapping = bent.then(made().pixel_to_sky_transform._get_ast_frame_set().getMapping())
    frame_set = _ast.FrameSet(_ast.Frame(2, "Domain=PIXELS"))
    frame_set.addFrame(1, mapping, _ast.SkyFrame("System=ICRS"))
    text: str = "1 SkyWcs 0  " + frame_set.show(False).lstrip()
    return text.encode()


@pytest.mark.parametrize("off", [0.01, 1.0])
def test_an_inverse_that_is_a_fit_is_put_right(off: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way there stays what it is; and it is done only where it is needed."""
    found = read(with_inverse_off(off))
    assert trip_px(found) < 1e-5
    x, y = grid()
    away = found.pixel_to_sky(x=x, y=y).separation(made().pixel_to_sky(x=x, y=y))
    assert away.arcsec.max() < 1e-8
    monkeypatch.setattr(sky_wcs, "_EXACT_PX", 10.0)
    assert trip_px(read(with_inverse_off(off))) > 0.3 * off


def test_an_inverse_that_cannot_be_put_right_is_refused() -> None:
    """Ten pixels are no error of a fit."""
    with pytest.raises(UnusableInputError, match=r"inverse of its SkyWcs misses by .* pixels, 2"):
        read(with_inverse_off(30.0))


def test_it_can_be_stored_like_any_other() -> None:
    """AST writes it; what it reads is the same."""
    found = read(with_inverse_off(0.01))
    assert trip_px(read(text_of(found))) < 1e-5


SOUND = text_of(made()).decode()
BROKEN = {
    "another object": (SOUND.replace("1 SkyWcs", "1 Transform"), "begins with"),
    "no FrameSet": (SOUND.replace("Begin FrameSet", "Begin CmpMap", 1), "begins with"),
    "unknown class": (SOUND.replace("Begin CmpMap", "Begin IntraMap", 1), "class IntraMap"),
    "unknown base": (SOUND.replace("IsA Mapping", "IsA KeyMap", 1), "class KeyMap"),
    "infinite": (SOUND.replace("Nin = 2", "Nin = inf", 1), "not finite"),
    "no number": (SOUND.replace("Nin = 2", "Nin = two", 1), "no number"),
    "bad number": (SOUND.replace("Nin = 2", "Nin = 2.3.4", 1), "no number"),
    "huge": (SOUND.replace("Nin = 2", "Nin = 2000000000", 1), "1 to 16"),
    "twice": (SOUND.replace("Nin = 2", "Nin = 2\nnin = 3", 1), "nin is there twice"),
    "half": (SOUND.replace("Nin = 2", "Nin = 1.5", 1), "a whole number"),
    "control": (SOUND.replace("Nin", "N\x07in", 1), "cannot be printed"),
    "not ASCII": (SOUND.replace("Nin", "N\u00efn", 1), "not ASCII"),
    "cut off": (SOUND[: len(SOUND) // 2].rpartition("\n")[0], "ends inside"),
    "more": (SOUND + " End FrameSet\n", "neither a value nor a class"),
    "a line": (SOUND.replace("Nin", "hello world\n Nin", 1), "neither a value nor a class"),
    "deep": ("1 SkyWcs 0 Begin FrameSet\n" + "MapA =\nBegin CmpMap\n" * 200, "nested"),
    "long": ("1 SkyWcs 0 Begin FrameSet\n" + "# \n" * 300_000, "lines"),
    # Each of these would end the program in AST, or read beyond an array there.
    "no frames": ("1 SkyWcs 0  Begin FrameSet\n Nframe = 1\n End FrameSet\n", "has no frm1"),
    "a frame too many": (SOUND.replace("Nframe = 2", "Nframe = 3"), "has no frm3"),
    "in circles": (SOUND.replace("Lnk2 = 1", "Lnk2 = 2"), "do not lead to its first node"),
    "no mapping": (SOUND.replace("MapB =", "MapC =", 1), "has mapc, which is not known"),
    "no axis": (SOUND.replace("Ax2 =", "Ax3 =", 1), "has no ax2"),
    "an axis too far": (
        re.sub(r"\n +Naxes = 2", "\nNaxes = 2\nPrm1 = 7", SOUND, count=1),
        "prm1 .* 1 to 2",
    ),
    "a power too high": (re.sub(r"\bPF(\d+) = \d", r"PF\1 = 40", SOUND, count=1), "pf.* 0 to"),
    "a term too many": (re.sub(r"\bNCF1 = \d+", "NCF1 = 90", SOUND, count=1), "fewer coeff"),
    "a term too few": (re.sub(r"\bNCF1 = \d+", "NCF1 = 1", SOUND, count=1), "more coeff"),
    "a WcsMap of another kind": (SOUND.replace('"TAN"', '"XYZ"'), "of the type 'XYZ'"),
    "an axis of no WcsMap": (SOUND.replace('"TAN"', '"TAN"\nWcsAx1 = 9'), "wcsax1"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_text_that_is_none_is_not_given_to_ast(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is named, and what is wrong with it."""

    def never(text: str) -> Any:
        raise AssertionError(f"AST is to read {text[:40]}")

    monkeypatch.setattr(_ast.FrameSet, "fromString", never)
    text, reason = BROKEN[what]
    with pytest.raises(UnusableInputError, match=rf"f\.fits: its SkyWcs is no text .*{reason}"):
        read(text.encode())


def test_what_ast_does_not_understand_is_refused() -> None:
    """Numbers that pass the look at the text, and make no mapping of pixels to the sky."""
    text = SOUND.replace("Begin SkyFrame", "Begin Frame").replace("End SkyFrame", "End Frame")
    text = text.replace("IsA Frame\n          Proj", "Proj")
    with pytest.raises(UnusableInputError, match=r"f\.fits: its SkyWcs"):
        read(text.encode())


def test_longest_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of characters too."""
    monkeypatch.setattr(ast_text, "_MOST_CHARACTERS", 100)
    with pytest.raises(UnusableInputError, match="characters, 100 are allowed"):
        read(SOUND.encode())


def test_the_box_is_that_of_the_detector() -> None:
    """What the tests above take for granted."""
    assert isinstance(BOX, Box)
    assert (BOX.x.start, BOX.y.start) == (7, -3)
