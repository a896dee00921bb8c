"""How the definition of a camera names pixels that belong to an image, and the files of these.

A plane is an extension of the image's own file or of a companion, whose name follows from the
image's; of a mosaic, the extension of the same detector.
"""

from __future__ import annotations

__all__ = ["Companion", "Plane", "read_companion", "read_plane"]

import dataclasses
import re
from pathlib import Path

from astropy.io import fits

from ...errors import SkyMapError, UnusableInputError
from ...skymap.definition_reader import DefinitionReader
from ..mosaic_files import (
    address_of,
    as_it_lies,
    companion_address,
    split_address,
    versioned_address,
)

_EXTENSION = "{extension}"
_FITS_ENDING = re.compile(r"\.(fits|fit|fts)(\.gz|\.fz)?$", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Companion:
    """How the name of a file follows from that of the image that it belongs to.

    Parameters
    ----------
    old, new
        The first is replaced by the second in the image's name; an empty ``old``: the ending
        ``.fits`` is. What stands for ``{extension}`` in the second is the name of the detector in a
        file that holds many: these have a companion each.
    """

    old: str
    new: str

    def of(self, path: Path) -> Path:
        """Return the file that belongs to an image, or to one detector of it.

        Raises
        ------
        UnusableInputError
            If the image's name has no part that is to be replaced, or it is no detector of a file
            that holds many, and the companion is named after one.
        """
        file, extension = split_address(path)
        if _EXTENSION in self.new and extension is None:
            raise UnusableInputError(
                str(path),
                f"it is no mosaic: {self.new!r}, of which the camera's definition makes the name "
                "of a file that belongs to it, has the name of a detector.",
            )
        new = self.new.replace(_EXTENSION, extension or "")
        if not self.old:
            return as_it_lies(file.with_name(_FITS_ENDING.sub("", file.name) + new))
        if self.old not in file.name:
            raise UnusableInputError(
                str(path),
                f"its name has no {self.old!r}, which the camera's definition replaces by "
                f"{self.new!r} to find a file that belongs to it.",
            )
        return as_it_lies(file.with_name(file.name.replace(self.old, new, 1)))

    @property
    def is_of_one_detector(self) -> bool:
        """Whether each detector of a mosaic has a file of its own."""
        return _EXTENSION in self.new

    def is_of(self, path: Path) -> bool:
        """Return whether a file is named like one that belongs to an image."""
        image = self.image_of(path)
        if image is None or not self.old:
            return image is not None
        return self.old not in path.name or as_it_lies(path.with_name(image)).is_file()

    def image_of(self, path: Path) -> str | None:
        """Return the name of the image that a file belongs to by its own name; None: to none."""
        name = split_address(path)[0].name
        new = re.escape(self.new).replace(re.escape(_EXTENSION), ".+?")
        if not self.old:
            found = re.search(f"{new}(\\.gz|\\.fz)?$", name)
            return None if found is None else name[: found.start()] + ".fits"
        image, count = re.subn(new, lambda _: self.old, name, count=1)
        if not count or (
            not self.is_of_one_detector and image.replace(self.old, self.new, 1) != name
        ):
            return None
        return image


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plane:
    """Where the pixels are that belong to an image.

    Parameters
    ----------
    key
        The key of the definition, for messages.
    hdu
        Number or name of the extension; None: the only one that holds an image.
    companion
        The file; None: that of the image.
    """

    key: str
    hdu: int | str | None = None
    companion: Companion | None = None

    def file_of(self, path: Path) -> Path:
        """Return the file for an image; of a detector of a mosaic, the address of its extension.

        Raises
        ------
        UnusableInputError
            If it does not exist, or has no extension for the detector.
        """
        own, extension = split_address(path)
        file = own if self.companion is None else self.companion.of(path)
        if not file.is_file():
            raise UnusableInputError(
                str(path),
                f"{file.name} must lie beside it: the camera's definition says so in {self.key}.",
            )
        if extension is None or (self.companion is not None and self.companion.is_of_one_detector):
            return file
        if isinstance(self.hdu, str):
            return versioned_address(path, file, self.hdu)
        if self.hdu is not None:
            raise UnusableInputError(
                str(path),
                f"it is a detector of a mosaic: {self.key}.hdu of the camera's definition must be "
                f"a name, which the extensions of all detectors have, got {self.hdu}.",
            )
        if self.companion is None:
            return address_of(own, extension)
        return companion_address(path, file)

    def extension_of(self, hdus: fits.HDUList, path: Path) -> int:
        """Return the number of the extension in an open file.

        Raises
        ------
        UnusableInputError
            If there is none, or several and the definition names none of them.
        """
        names = [f"{i} {hdu.name}".rstrip() for i, hdu in enumerate(hdus)]
        if self.hdu is not None:
            found = [i for i, hdu in enumerate(hdus) if self.hdu in (i, hdu.name)]
            if not found:
                raise UnusableInputError(
                    str(path),
                    f"it has no extension {self.hdu!r}, which the camera's definition names in "
                    f"{self.key}; there are {', '.join(names)}.",
                )
            return found[0]
        images = [i for i, hdu in enumerate(hdus) if hdu.is_image and len(hdu.shape) == 2]
        if not images:
            raise UnusableInputError(
                str(path),
                "none of its extensions is an image of two axes; of a cube, write one plane.",
            )
        if len(images) > 1:
            there = ", ".join(names[i] for i in images)
            raise UnusableInputError(
                str(path),
                f"one extension must be an image, there are {len(images)} ({there}); name one in "
                f"the camera's definition, with hdu in {self.key}, or say that each is a detector: "
                "`image: {detectors: all}`.",
            )
        return images[0]


def read_plane(inner: DefinitionReader, where: str, *, hdu_only: bool = False) -> Plane:
    """Read where a plane is, and leave other keys to the caller.

    Parameters
    ----------
    inner
        What the definition says.
    where
        Its key, for messages.
    hdu_only
        Whether it is in the image's own file in any case.

    Raises
    ------
    SkyMapError
        If a key has a wrong value, or nothing says where the plane is.
    """
    hdu: int | str | None = None
    if inner.has("hdu"):
        raw = inner.anything("hdu")
        if isinstance(raw, bool) or not isinstance(raw, int | str) or raw == "":
            raise SkyMapError(f"{where}.hdu must be a number or a name, got {raw!r}.")
        hdu = raw
        if isinstance(hdu, int) and hdu < 0:
            raise SkyMapError(f"{where}.hdu must not be negative, got {hdu}.")
    companion = None
    if not hdu_only:
        if inner.has("file"):
            companion = read_companion(inner.inner("file"))
        elif hdu is None:
            raise SkyMapError(f"{where} must say where it is: with hdu, or with file.")
    return Plane(key=where, hdu=hdu, companion=companion)


def read_companion(inner: DefinitionReader) -> Companion:
    """Read how the name of a companion follows from that of its image.

    Raises
    ------
    SkyMapError
        If it does not differ from it, or nothing says how.
    """
    if inner.has("suffix"):
        found = Companion(old="", new=inner.text("suffix"))
        if not found.new or found.new.lower() in (".fits", ".fit", ".fts"):
            raise SkyMapError(
                f"{inner.place('suffix')} must differ from the image's own, got {found.new!r}."
            )
    elif inner.has("replace"):
        raw = inner.anything("replace")
        if not (
            isinstance(raw, list)
            and len(raw) == 2
            and all(isinstance(part, str) and part for part in raw)
            and raw[0] != raw[1]
        ):
            raise SkyMapError(
                f"{inner.place('replace')} must be two different parts of names, the image's and "
                f"the companion's, got {raw!r}."
            )
        found = Companion(old=raw[0], new=raw[1])
    else:
        raise SkyMapError(f"{inner.place('suffix')} or {inner.place('replace')} must be there.")
    inner.finish()
    return found
