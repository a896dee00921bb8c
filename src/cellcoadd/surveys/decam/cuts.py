"""What the Legacy Survey, or the pipeline, says against an image of DECam."""

from __future__ import annotations

__all__ = ["check_astrometry", "check_cuts"]

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import UnusableInputError

_ASK = "read_decam_image(..., accept_cut=True), or --camera decam-with-cuts, takes it."


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
