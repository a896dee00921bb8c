"""The readers, by name, and which of them reads a given file."""

from __future__ import annotations

__all__ = ["READERS", "camera_names", "is_companion", "named_reader", "reader_for"]

import functools
import importlib.metadata
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import UnusableInputError
from ._base import Reader
from .afw import AfwReader
from .afw.visit_summary import is_visit_summary
from .calibrated_files import CalibratedFileReader
from .decam import DecamReader
from .decam.files import is_decam_companion
from .guarded import GuardedReader, guarded
from .mosaic_files import file_exists, split_address
from .plain import PlainFitsReader, camera_reader
from .plain.definition_files import load_camera, ready_cameras
from .rubin import RubinReader
from .sdss import SdssReader
from .sdss.files import is_sdss_companion

_ALL: tuple[Reader, ...] = (
    RubinReader(),
    CalibratedFileReader(),
    DecamReader(),
    DecamReader(name="decam-with-cuts", accept_cut=True),
    SdssReader(),
    AfwReader(),
)

_GROUP = "cellcoadd.cameras"
_LOG = logging.getLogger(__name__)


class _ReadyReader(PlainFitsReader):
    """A camera whose files are known by their names."""

    def recognizes(self, path: Path) -> bool:
        """Return whether a file is named like one of this camera."""
        pattern = self.camera.files
        name = split_address(path)[0].name
        return pattern is not None and pattern.search(name) is not None

    def is_companion(self, path: Path) -> bool:
        """Return whether a file is named like one that belongs to an image of this camera."""
        pattern = self.camera.files
        return pattern is not None and self.camera.is_companion_of(path, pattern)


class _Readers(Mapping[str, GuardedReader]):
    """Our readers and those of other packages, which are loaded when one is first asked for."""

    @functools.cached_property
    def _all(self) -> dict[str, GuardedReader]:
        readers = {reader.name: guarded(reader) for reader in _ALL}
        for entry in sorted(importlib.metadata.entry_points(group=_GROUP)):
            try:
                found = entry.load()
                reader: Reader = found() if isinstance(found, type) else found
                name = reader.name
            except Exception as error:  # whatever another package does must not break ours
                _LOG.warning(
                    "The camera %s (%s) cannot be loaded: %s", entry.name, entry.value, error
                )
                continue
            if name in readers:
                _LOG.warning(
                    "The camera %s (%s) is left out: %s exists.", entry.name, entry.value, name
                )
                continue
            readers[name] = guarded(reader)
        # A package that somebody installed for a camera knows it better.
        ready = [_ReadyReader(camera=load_camera(name)) for name in ready_cameras()]
        for plain in ready:
            if plain.camera.files is not None:
                readers.setdefault(plain.name, guarded(plain))
        return readers

    def __getitem__(self, name: str) -> GuardedReader:
        return self._all[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)


READERS: Mapping[str, GuardedReader] = _Readers()
"""All readers by name, and cameras that are ready and known by the names of their files; the first
that recognizes a file reads it.

Another package adds one by an entry point of the group ``cellcoadd.cameras``, which names a
`Reader` or the class of one.
"""


def is_companion(path: Path) -> bool:
    """Return whether a file is named like one that belongs to an image, and is none itself.

    Masks, PSFs and calibrations that lie beside images are found by their readers. Whoever is given
    all files of a folder leaves these out; `reader_for` refuses them and says so.
    """
    if is_decam_companion(path) or is_sdss_companion(path) or is_visit_summary(path):
        return True
    readers = (guard.reader for guard in READERS.values())
    ready = (reader for reader in readers if isinstance(reader, PlainFitsReader))
    return any(reader.is_companion(path) for reader in ready)


def camera_names() -> list[str]:
    """Return the names of `READERS` and of definitions that come with the package, sorted."""
    return sorted({*READERS, *ready_cameras()})


def named_reader(
    camera: str | Path, *, measure_psf: bool = False, sky_mesh: int | None = None
) -> Reader:
    """Return the reader of a camera that somebody names.

    Parameters
    ----------
    camera
        A definition in YAML, the name of one that comes with the package, or one of `READERS`.
    measure_psf, sky_mesh
        As for `camera_reader`, of a definition only.

    Raises
    ------
    UnusableInputError
        If there is none, something in a definition is wrong, or the camera is none of a definition
        and something is to be measured.
    """
    reader = READERS.get(str(camera))
    if reader is not None and not isinstance(reader.reader, PlainFitsReader):
        if measure_psf or sky_mesh is not None:
            raise UnusableInputError(
                str(camera),
                "its files say what PSF and sky are; both are measured only for plain FITS by a "
                "definition.",
            )
        return reader
    if not Path(camera).is_file() and str(camera) not in ready_cameras():
        raise UnusableInputError(
            str(camera),
            "there is no such camera: name a definition in YAML, or one of "
            f"{', '.join(camera_names())}.",
        )
    return camera_reader(camera, measure_psf=measure_psf, sky_mesh=sky_mesh)


def reader_for(path: Path, *, camera: Reader | None = None) -> GuardedReader:
    """Return the reader of a file.

    Parameters
    ----------
    path
        The file, or the address of one detector in it.
    camera
        The reader that it is to be read with, whatever it looks like; None: the one that recognizes
        it.

    Returns
    -------
    reader
        In its guard: whatever a file does to it becomes a refusal of that file.

    Raises
    ------
    UnusableInputError
        If the file does not exist or no reader recognizes it.
    """
    if not file_exists(path):
        raise UnusableInputError(str(path), "there is no such file.")
    if camera is not None:
        return guarded(camera)
    for reader in READERS.values():
        if reader.recognizes(path):
            return reader
    if is_companion(path):
        raise UnusableInputError(
            str(path),
            "it is no image, but belongs to one and is found from there: give the images alone (of "
            "NOIRLab's pipelines the files *_ooi_*, of SDSS fpC-*).",
        )
    raise UnusableInputError(
        str(path),
        f"none of the readers ({', '.join(READERS)}) recognizes this file. Plain FITS of any "
        "camera are read with --camera: see docs/how-to/any-camera.md.",
    )
