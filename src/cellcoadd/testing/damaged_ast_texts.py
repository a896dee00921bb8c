"""Damaged texts of a WCS, read as those of files are, in a process of their own that may end.

``python -m cellcoadd.testing.damaged_ast_texts FIRST COUNT`` prints what became of each seed.
"""

from __future__ import annotations

__all__ = ["damaged", "sound_texts", "use"]

import random
import re
import sys

import astropy.units as u
import numpy as np
from astropy.io import fits
from lsst.images import Box, GeneralFrame, SkyProjection
from lsst.images._transforms import _ast

from ..files.ast_text import BadTextError, check_mapping
from ..files.fits_wcs import icrs_wcs, projection_of_wcs

_NUMBER = re.compile(r"= (-?\d[\d.e+-]*)")
_VALUES = ("0", "1", "-1", "3", "9", "9e99", "-1e29", "1e-300", "180", "0.5", "1e6")
_DISTORTIONS: dict[str, dict[str, float]] = {
    "TAN": {},
    "TPV": {"PV1_0": 0.0, "PV1_1": 1.0, "PV2_1": 1.0, "PV1_4": 1e-3},
    "TAN-SIP": {"A_ORDER": 3, "B_ORDER": 3, "A_2_0": 1e-6, "B_0_3": 1e-9},
}
_BOX = Box.factory[0:800, 0:600]
_FRAME = GeneralFrame(unit=u.pix)


def sound_texts() -> list[str]:
    """A plain tangent plane, and the distortions of two conventions."""
    result = []
    for kind, terms in _DISTORTIONS.items():
        cards = fits.Header(
            {"CRVAL1": 150.0, "CRVAL2": 32.0, "CRPIX1": 300.0, "CRPIX2": 400.0, **terms}
            | {"CTYPE1": f"RA---{kind}", "CTYPE2": f"DEC--{kind}", "CD1_1": -1e-4, "CD2_2": 1e-4}
        )
        wcs = icrs_wcs(cards, bbox=_BOX, source=kind)
        projection = projection_of_wcs(wcs, _FRAME, bbox=_BOX, source=kind)
        result.append(projection.pixel_to_sky_transform._ast_mapping.show())
    return result


def damaged(text: str, rng: random.Random) -> str:
    """Change a bit, a number, or the lines of a text."""
    lines = text.split("\n")
    match rng.randrange(4):
        case 0:
            place = rng.randrange(len(text))
            return text[:place] + chr(ord(text[place]) ^ 1 << rng.randrange(7)) + text[place + 1 :]
        case 1:
            found = rng.choice(list(_NUMBER.finditer(text)))
            return text[: found.start(1)] + rng.choice(_VALUES) + text[found.end(1) :]
        case 2:
            del lines[rng.randrange(len(lines))]
        case _:
            lines.insert(rng.randrange(len(lines)), rng.choice(lines))
    return "\n".join(lines)


def use(text: str) -> str:
    """Read a text as a file's is read, and go to the sky and back."""
    try:
        check_mapping(text)
    except BadTextError:
        return "refused"
    x, y = (side.ravel() for side in np.meshgrid(np.linspace(0, 599, 5), np.linspace(0, 799, 5)))
    try:
        mapping = _ast.FrameSet.fromString(text)
        projection = SkyProjection.from_ast_frame_set(mapping, _FRAME)
        projection.sky_to_pixel(projection.pixel_to_sky(x=x, y=y))
        mapping.show()
    except Exception as error:  # of AST, which has a tree of its own; ours must not end with it
        return type(error).__name__
    return "read"


if __name__ == "__main__":
    first, count = int(sys.argv[1]), int(sys.argv[2])
    texts = sound_texts()
    for seed in range(first, first + count):
        rng = random.Random(seed)
        print(seed, use(damaged(rng.choice(texts), rng)), flush=True)
