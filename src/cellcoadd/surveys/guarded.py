"""Readers of whatever survey, with the guard around each file and the checks that all share."""

from __future__ import annotations

__all__ = ["GuardedReader", "guarded"]

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from ..files.computer_errors import raise_if_of_the_computer
from ..files.guard import file_guard
from ..products.calibrated_image.deferred_pixels import DeferredPixels
from ._base import Reader, SurveyHeader, SurveyImage, images_in
from .plausible_values import check_header


@dataclasses.dataclass(frozen=True)
class GuardedReader:
    """A reader that refuses a file by name, whatever the file does.

    Parameters
    ----------
    reader
        Ours, or that of another package.
    """

    reader: Reader

    @property
    def name(self) -> str:
        """The reader's."""
        return self.reader.name

    def recognizes(self, path: Path) -> bool:
        """Return whether a file looks like those of the reader.

        Raises
        ------
        OSError
            If not the file but the computer fails.
        """
        try:
            return self.reader.recognizes(path)
        except Exception as error:  # a file that cannot be looked at looks like nothing
            raise_if_of_the_computer(error, path)
            return False

    def images_in(self, path: Path) -> Sequence[Path]:
        """Return the addresses of a file's images; of a broken file its path.

        Raises
        ------
        OSError
            If not the file but the computer fails.
        """
        try:
            return images_in(self.reader, path)
        except Exception as error:  # who reads it says how it is broken
            raise_if_of_the_computer(error, path)
            return [path]

    def read_header(self, path: Path) -> SurveyHeader:
        """Read what can be said without the pixels."""
        with file_guard(path):
            header = self.reader.read_header(path)
            check_header(header)
        return header

    def read(self, path: Path) -> SurveyImage:
        """Read one image; its pixels are guarded, too, when they are read later."""
        with file_guard(path):
            found = self.reader.read(path)
            check_header(found.header)
            image = found.calibrated_image
            pixels = image.masked_image
            if isinstance(pixels, DeferredPixels):
                image = dataclasses.replace(image, masked_image=pixels.of_file(str(path)))
        return dataclasses.replace(found, calibrated_image=image)


def guarded(reader: Reader) -> GuardedReader:
    """Return a reader in its guard."""
    return reader if isinstance(reader, GuardedReader) else GuardedReader(reader)
