"""Stage 0: the files of a survey come in, calibrated images go out.

`reader_for` finds the reader of a file; its `Reader.read_header` says what the file holds without
reading pixels, its `Reader.read` returns a `SurveyImage`. A file that cannot be used raises
`UnusableInputError` with its name and the reason, and the caller goes on with the others.
`camera_reader` makes a reader of a definition in YAML, for plain FITS of any camera.
"""

from __future__ import annotations

from ._base import Reader, SurveyHeader, SurveyImage
from .plain import PlainFitsReader, camera_reader
from .readers import READERS, is_companion, reader_for

__all__ = [
    "READERS",
    "PlainFitsReader",
    "Reader",
    "SurveyHeader",
    "SurveyImage",
    "camera_reader",
    "is_companion",
    "reader_for",
]
