"""Where the files of an SDSS frame are: those that belong to it, by their names.

A frame is an ``fpC`` file. Its mask (``fpM``), the file with PSF, sky and gain (``psField``) and
that with the photometric calibration (``tsField``) lie beside it, or as the survey's archive has
them:
``corr/4/fpC-*``, ``objcs/4/fpM-*``, ``objcs/4/psField-*``, ``calibChunks/4/tsField-*``.
"""

from __future__ import annotations

__all__ = ["CAMERA_ROWS", "FrameName", "SdssFiles", "is_sdss_companion", "looks_like_sdss"]

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

from ...errors import UnusableInputError

CAMERA_ROWS = {"r": 1, "i": 2, "u": 3, "z": 4, "g": 5}
"""Row of the camera that has a band's filter, in the order in which a star passes them."""

_END = r"\.fits?(?:\.gz)?$"
_FRAME = re.compile(rf"^fpC-(\d{{6}})-([ugriz])([1-6])-(\d{{4}}){_END}")
_COMPANION = re.compile(
    rf"^(?:fpM-\d{{6}}-[ugriz][1-6]-\d{{4}}|psField-\d{{6}}-[1-6]-\d{{4}}"
    rf"|tsField-\d{{6}}-[1-6]-\d+-\d{{4}}|asTrans-\d{{6}}){_END}"
)
_RERUN = re.compile(rf"^tsField-\d{{6}}-[1-6]-(\d+)-\d{{4}}{_END}")
_ENDINGS = (".fit", ".fit.gz", ".fits", ".fits.gz")


def looks_like_sdss(path: Path) -> bool:
    """Return whether a file is named like a corrected frame of SDSS, ``fpC-<run>-<band>...``."""
    return _FRAME.match(path.name) is not None


def is_sdss_companion(path: Path) -> bool:
    """Return whether a file is named like one that belongs to frames: it is not an image itself."""
    return _COMPANION.match(path.name) is not None


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrameName:
    """What a frame's name says: a field of a run, in one band, of one column of the camera."""

    run: int
    band: str
    camcol: int
    field: int

    @classmethod
    def of(cls, path: Path) -> FrameName:
        """Take a file's name apart.

        Raises
        ------
        UnusableInputError
            If it is not the name of a frame.
        """
        match = _FRAME.match(path.name)
        if match is None:
            raise UnusableInputError(
                str(path),
                "a corrected frame of SDSS is called fpC-<run>-<band><camcol>-<field>.fit[.gz], "
                "with runs of six and fields of four digits, as fpC-004192-r4-0300.fit.gz: give it "
                "the name that the archive has for it.",
            )
        return cls(run=int(match[1]), band=match[2], camcol=int(match[3]), field=int(match[4]))

    @property
    def visit(self) -> int:
        """A number that no other run, field or band has: ``run * 100000 + field * 10 + row``.

        The row is that of the camera (`CAMERA_ROWS`). It is part of it since a visit has one
        filter, and a field is seen in five. The columns of the camera are detectors of one visit.
        """
        return self.run * 100_000 + self.field * 10 + CAMERA_ROWS[self.band]

    @property
    def detector(self) -> int:
        """The survey's number of the CCD: ten times its row in the camera, and its column."""
        return 10 * CAMERA_ROWS[self.band] + self.camcol

    @property
    def detector_name(self) -> str:
        """Such as ``r4``."""
        return f"{self.band}{self.camcol}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SdssFiles:
    """The files that belong to one frame; all of them exist.

    Parameters
    ----------
    image, mask, psf, calibration
        ``fpC``, ``fpM``, ``psField``, ``tsField``.
    name
        What the name of the frame says.
    """

    image: Path
    mask: Path
    psf: Path
    calibration: Path
    name: FrameName

    @classmethod
    def of(cls, image: Path) -> SdssFiles:
        """Find the files of a frame.

        Raises
        ------
        UnusableInputError
            If the name is not that of a frame, a file is missing, or there are calibrations of
            several reruns and nothing tells which is meant.
        """
        name = FrameName.of(image)
        run, field = f"{name.run:06d}", f"{name.field:04d}"
        return cls(
            image=image,
            mask=_find(image, name, f"fpM-{run}-{name.band}{name.camcol}-{field}", "objcs"),
            psf=_find(image, name, f"psField-{run}-{name.camcol}-{field}", "objcs"),
            calibration=_find(image, name, f"tsField-{run}-{name.camcol}-*-{field}", "calibChunks"),
            name=name,
        )

    @property
    def rerun(self) -> int | None:
        """The rerun that the frame is of by its folder ``<rerun>/corr/<camcol>``; None: no say."""
        return _rerun_of_folder(self.image)


def _find(image: Path, name: FrameName, stem: str, kind: str) -> Path:
    """Return the file of this name from the nearest folder that has it."""
    folders = list(dict.fromkeys(_folders(image, name, kind)))
    for folder in folders:
        found = sorted(
            path
            for path in folder.glob(f"{stem}.fit*")
            if path.name.endswith(_ENDINGS) and is_sdss_companion(path) and path.is_file()
        )
        if found:
            return _the_one(image, found)
    raise UnusableInputError(
        str(image),
        f"the file {stem}.fit that belongs to it is missing; it must lie beside the frame or in "
        f"{' or '.join(map(str, folders[1:]))}.",
    )


def _folders(image: Path, name: FrameName, kind: str) -> Iterator[Path]:
    beside = image.absolute().parent
    yield beside
    for root in (beside.parent.parent, beside.parent):  # of corr/4/fpC-*, of corr/fpC-*
        yield root / kind / str(name.camcol)
        yield root / kind


def _the_one(image: Path, found: list[Path]) -> Path:
    """Of calibrations of several reruns choose that of the frame's folder."""
    reruns = {path: match[1] for path in found if (match := _RERUN.match(path.name))}
    if len(set(reruns.values())) < 2:
        return found[0]
    wanted = _rerun_of_folder(image)
    of_folder = [path for path, rerun in reruns.items() if int(rerun) == wanted]
    if not of_folder:
        raise UnusableInputError(
            str(image),
            f"{', '.join(path.name for path in found)} in {found[0].parent} are calibrations of "
            "several reruns, and nothing says which the frame is of: leave one there.",
        )
    return of_folder[0]


def _rerun_of_folder(image: Path) -> int | None:
    """Return the rerun by the folders ``<rerun>/corr/<camcol>`` of the archive."""
    folders = image.absolute().parents
    if len(folders) > 2 and folders[1].name == "corr" and folders[2].name.isdigit():
        return int(folders[2].name)
    return None
