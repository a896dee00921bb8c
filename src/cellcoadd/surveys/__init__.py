"""Stage 0: the files of a survey come in, calibrated images go out.

`reader_for` finds the reader of a file; its `Reader.read_header` says what the file holds without
reading pixels, its `Reader.read` returns a `SurveyImage`. A file that cannot be used raises
`UnusableInputError` with its name and the reason, and the caller goes on with the others.
`camera_reader` makes a reader of a definition in YAML, for plain FITS of any camera. A file may
hold many detectors: `images_in` returns what its reader is to be given, one by one.
"""

from __future__ import annotations

from ._base import MosaicReader, Reader, SurveyHeader, SurveyImage, images_in
from .plain import PlainFitsReader, camera_reader
from .readers import READERS, is_companion, named_reader, reader_for

__all__ = [
    "READERS",
    "MosaicReader",
    "PlainFitsReader",
    "Reader",
    "SurveyHeader",
    "SurveyImage",
    "camera_reader",
    "images_in",
    "is_companion",
    "named_reader",
    "reader_for",
]
