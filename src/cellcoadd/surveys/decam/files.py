"""Where the files of a DECam exposure are: those that belong to an image, by its name.

The layout is that of the DECam Legacy Survey (legacypipe): images in ``images/``, what was derived
from them in ``calib/``, and a table of all CCDs (``survey-ccds*.fits.gz``) beside both.
"""

from __future__ import annotations

__all__ = [
    "CcdRow",
    "DecamFiles",
    "find_decam_images",
    "images_folder",
    "is_decam_companion",
    "looks_like_decam",
]

import dataclasses
import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from ...errors import UnusableInputError
from ..fits_files import open_fits
from ..mosaic_files import as_it_lies, companion_address, split_address

_NAME = re.compile(r"^(c4d_\d{6}_\d{6})_ooi_([A-Za-z0-9]+)(_\w+)?(\.[NS]\d+)?\.fits(\.gz|\.fz)?$")
_COMPANION = re.compile(
    r"^(?:c4d_\d{6}_\d{6}_(?:oow|ood)_.*|c4d_\d{6}_\d{6}_ooi_.*-(?:psfex|splinesky)|survey-ccds.*)"
    r"\.fits(?:\.gz|\.fz)?$"
)
_CAMERA = "decam"
_ALONE = "--camera decam-cp reads it by what the Community Pipeline says alone."


def looks_like_decam(path: Path) -> bool:
    """Return whether a file is named like an image of the DECam Community Pipeline."""
    return _NAME.match(split_address(path)[0].name) is not None


def is_decam_companion(path: Path) -> bool:
    """Return whether a file is named like one that belongs to images: it is not an image itself."""
    return _COMPANION.match(path.name) is not None


def images_folder(path: Path) -> Path | None:
    """Return the folder ``images`` of the Legacy Survey's layout that a file is below."""
    return next((parent for parent in path.absolute().parents if parent.name == "images"), None)


def find_decam_images(folder: Path) -> list[Path]:
    """Return all images in a folder and below, sorted by path; not weights or quality maps."""
    return sorted(path for path in folder.rglob("c4d_*_ooi_*.fits*") if looks_like_decam(path))


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecamFiles:
    """The files that belong to one image.

    Parameters
    ----------
    image, weight, quality
        The image, its inverse variance, its codes of data quality.
    psf_candidates, sky_candidates
        Where the PSF and the sky may be, the most specific first. A file that is named after the
        exposure alone has a row for each CCD.
    root
        The folder that has the table of CCDs.
    """

    image: Path
    weight: Path
    quality: Path
    psf_candidates: tuple[Path, ...]
    sky_candidates: tuple[Path, ...]
    root: Path

    @classmethod
    def of(cls, image: Path, *, ccd_name: str, root: Path | None = None) -> DecamFiles:
        """Return the files of an image.

        Parameters
        ----------
        image
            ``.../images/decam/CP/.../c4d_*_ooi_*.fits``, of one CCD or with ``[N3]`` behind it.
        ccd_name
            The name of the CCD, such as ``N3``.
        root
            The folder that has ``calib/`` and the table of CCDs; None: the one above ``images/``.

        Raises
        ------
        UnusableInputError
            If the name is not that of a DECam image, or no ``images`` folder is above it.
        """
        file, _ = split_address(image)
        match = _NAME.match(file.name)
        if match is None:
            raise UnusableInputError(
                str(image), "an image of the DECam Community Pipeline is called c4d_*_ooi_*.fits."
            )
        images = images_folder(file)
        if images is None:
            raise UnusableInputError(
                str(image),
                f"it is not below a folder `images` with `calib` beside it. {_ALONE}",
            )
        root = images.parent if root is None else root
        stem = f"{match[1]}_ooi_{match[2]}{match[3] or ''}"
        folder = file.absolute().parent.relative_to(images)
        return cls(
            image=image,
            weight=_beside(image, file, "_oow_"),
            quality=_beside(image, file, "_ood_"),
            psf_candidates=_candidates(root, "psfex", folder, stem, ccd_name, "psfex"),
            sky_candidates=_candidates(root, "sky", folder, stem, ccd_name, "splinesky"),
            root=root,
        )

    def ccd_row(self, *, visit: int, ccd_name: str) -> CcdRow:
        """Return the row of the image in the table of CCDs.

        Raises
        ------
        UnusableInputError
            If there is no table, or no row for this exposure and CCD.

        Notes
        -----
        A survey of several cameras has a table for each of them: rows of another camera, and tables
        without exposures and CCDs, are passed over.
        """
        tables = sorted(self.root.glob("survey-ccds*.fits*"))
        if not tables:
            raise UnusableInputError(
                str(self.image),
                f"there is no table of CCDs survey-ccds*.fits* in {self.root}. {_ALONE}",
            )
        for table in tables:
            stat = table.stat()
            rows = _read_ccds(table, stat.st_mtime_ns, stat.st_size)
            found = None if rows is None else _row_of(rows, visit=visit, ccd_name=ccd_name)
            if found is not None:
                return CcdRow(values=found, table=table)
        raise UnusableInputError(
            str(self.image),
            f"DECam exposure {visit}, CCD {ccd_name} is not in {', '.join(map(str, tables))}.",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class CcdRow:
    """What the survey says of a CCD.

    Parameters
    ----------
    values
        By lower-case column name.
    table
        The file that says it.
    """

    values: Mapping[str, Any]
    table: Path


def _beside(image: Path, file: Path, part: str) -> Path:
    """Return the weight or quality of an image, by the name of the CCD if the file has many."""
    return companion_address(image, as_it_lies(file.with_name(file.name.replace("_ooi_", part, 1))))


def _candidates(
    root: Path, kind: str, folder: Path, stem: str, ccd_name: str, suffix: str
) -> tuple[Path, ...]:
    bases = [root / "calib", root / "calib" / f"{kind}-single", root / "calib" / kind]
    single = [base / folder / stem / f"{stem}-{ccd_name}-{suffix}.fits" for base in bases]
    merged = [base / folder / f"{stem}-{suffix}.fits" for base in bases]
    return (*single, *merged)


def _row_of(rows: fits.FITS_rec, *, visit: int, ccd_name: str) -> dict[str, Any] | None:
    wanted = (rows["expnum"] == visit) & (np.char.strip(rows["ccdname"]) == ccd_name)
    names = {name.lower() for name in rows.dtype.names or ()}
    if "camera" in names:
        wanted &= np.char.lower(np.char.strip(rows["camera"])) == _CAMERA
    found = np.flatnonzero(wanted)
    if not found.size:
        return None
    return {name.lower(): rows[name][found[0]] for name in rows.dtype.names or ()}


@functools.lru_cache(maxsize=4)
def _read_ccds(path: Path, modified: int, size: int) -> fits.FITS_rec | None:  # noqa: ARG001
    """Read a table of CCDs once, with millions of rows for a whole survey; None for another one."""
    with open_fits(path) as hdus:
        table = hdus[1].data
        names = {name.lower() for name in table.dtype.names}
        return table if {"expnum", "ccdname"} <= names else None
