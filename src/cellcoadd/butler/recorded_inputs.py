"""What datasets were made of, by what the middleware has written of it, without their pixels.

The primary header of a FITS file has a card for each dataset that its task has read: an exact
record, that of inputs which were refused in the end included. Where a task has left no product,
the record of its success says when it was at work.
"""

from __future__ import annotations

__all__ = ["RecordedInputs", "newer_than", "read_inputs", "work_times"]

import dataclasses
import datetime
import re
import uuid
from collections.abc import Mapping

from astropy.io import fits
from lsst.daf.butler import Butler, DatasetRef

from ..errors import UnusableInputError

_CARD = re.compile(r"LSST BUTLER INPUT (\d+) (ID|DATASETTYPE)")
_START, _END = "startUtc", "endUtc"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordedInputs:
    """What a dataset was made of.

    Parameters
    ----------
    types
        Name of the dataset type by the identifier of each dataset that was read.
    visits
        Instrument and visit of the inputs that a coadd lists, where its file has no such record: it
        was not written by a task. None: there is the record.
    """

    types: Mapping[uuid.UUID, str]
    visits: frozenset[tuple[str, int]] | None = None


def read_inputs(butler: Butler, ref: DatasetRef) -> RecordedInputs:
    """Read what a warp or a coadd was made of: a header, or the list of inputs.

    Parameters
    ----------
    butler
        The repository.
    ref
        The warp or coadd.

    Raises
    ------
    UnusableInputError
        If its file is gone or cannot be read.
    """
    try:
        header = _primary_header(butler, ref)
        found: dict[str, dict[str, str]] = {}
        for keyword in header:
            if (match := _CARD.fullmatch(keyword)) is not None:
                found.setdefault(match[1], {})[match[2]] = str(header[keyword])
        if found:
            types = {uuid.UUID(card["ID"]): card["DATASETTYPE"] for card in found.values()}
            return RecordedInputs(types=types)
        entries = butler.get(ref.makeComponentRef("inputs"))
    except Exception as error:  # each kind of damage raises what its first broken part leads to
        name = f"{ref.datasetType.name} {ref.dataId}"
        raise UnusableInputError(name, f"its record of inputs cannot be read: {error}") from error
    return RecordedInputs(
        types={},
        visits=frozenset(
            (entry.observation.instrument, entry.observation.visit) for entry in entries
        ),
    )


def _primary_header(butler: Butler, ref: DatasetRef) -> fits.Header:
    with butler.getURI(ref).open("rb") as stream:
        return fits.Header.fromfile(stream)


def work_times(
    butler: Butler, metadata: DatasetRef
) -> tuple[datetime.datetime, datetime.datetime] | None:
    """Return when a task began and ended its work on a quantum; None if that is not known.

    Parameters
    ----------
    butler
        The repository.
    metadata
        The record of success that ``pipetask`` keeps of each quantum.
    """
    try:
        said = butler.get(metadata)["quantum"]
        start, end = (str(said[key]) for key in (_START, _END))
        return datetime.datetime.fromisoformat(start), datetime.datetime.fromisoformat(end)
    except (LookupError, OSError, RuntimeError, TypeError, ValueError):
        return None


def newer_than(dataset_id: uuid.UUID, moment: datetime.datetime) -> bool:
    """Whether a dataset was planned after a moment, by the time that is in its identifier.

    ``pipetask`` gives identifiers of version 7 when it plans a run: those of one run are all older
    than its work, those of a later run are newer. Identifiers of other versions hold no time.
    """
    if dataset_id.version != 7:
        return False
    return (dataset_id.int >> 80) / 1000.0 > moment.timestamp()
