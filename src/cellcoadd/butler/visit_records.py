"""Rows of a repository's dimensions that describe visits, from what survey files say.

`ObservationChecker` finds out whether an image fits what is registered; `register_cameras` and
`register_visit` write. Rows that are there already stay as they are, but for the regions of visits
and detectors, which grow when another detector or a newer astrometric solution comes in.
"""

from __future__ import annotations

__all__ = ["ObservationChecker", "register_cameras", "register_visit"]

from collections.abc import Iterable, Sequence
from typing import Any

import astropy.units as u
from astropy.time import Time, TimeDelta
from lsst.daf.butler import Butler, DimensionRecord, Timespan
from lsst.sphgeom import ConvexPolygon

from ..products.calibrated_image.observation_details import ObservationDetails
from ..surveys import SurveyHeader
from .instruments import ONE_TO_ONE, ONE_TO_ONE_NAME, instrument_record
from .regions import hull

_NAME_LENGTH = 32  # of instruments, filters and detectors in the dimension universe
_TEXT_LENGTH = 64  # of the texts of a visit
_NIGHT_BEGINS = TimeDelta(12 * u.hour)  # of TAI: Rubin's definition of day_obs


class ObservationChecker:
    """Finds out whether images fit what is registered. Rows are looked up once.

    Parameters
    ----------
    butler
        The repository; it must not be changed meanwhile.
    """

    def __init__(self, butler: Butler) -> None:
        self.butler = butler
        self._rows: dict[tuple[str, ...], DimensionRecord | None] = {}
        self._named: dict[tuple[str, str, str], int | None] = {}

    def note(self, header: SurveyHeader) -> None:
        """Remember the names of an image that will be registered."""
        for key, number in _names_in(header):
            if self._number_of(*key) is None:
                self._named[key] = number

    def conflict(self, header: SurveyHeader) -> str | None:
        """Return why an image does not fit what is registered, or None if it does.

        All names and numbers must fit into the dimensions; no other detector or visit may have the
        image's names; the registered filter must have the image's band, and the registered visit
        the image's filter and night.
        """
        return (
            self._misfit(header)
            or self._name_of_another(header)
            or self._registered_otherwise(header, "physical_filter", ("band",))
            or self._registered_otherwise(header, "visit", ("physical_filter", "day_obs"))
        )

    def _misfit(self, header: SurveyHeader) -> str | None:
        observation = header.observation
        for what, name in (
            ("filter", observation.physical_filter),
            ("band", observation.band),
            ("detector", header.detector_name),
        ):
            if not 0 < len(name) <= _NAME_LENGTH:
                return f"the name of the {what} has 1 to {_NAME_LENGTH} characters, got {name!r}."
        try:
            limits = instrument_record(observation.instrument)
        except ValueError as error:
            return str(error)
        if registered := self._row("instrument", instrument=observation.instrument):
            limits = registered.toDict()
        for what, value, limit in (
            ("visit", observation.visit, limits["visit_max"]),
            ("detector", observation.detector, limits["detector_max"]),
        ):
            if not 0 <= value < limit:
                return (
                    f"{what} numbers of {observation.instrument} are in 0..{limit - 1}, "
                    f"got {value}."
                )
        return None

    def _name_of_another(self, header: SurveyHeader) -> str | None:
        for key, number in _names_in(header):
            element, instrument, name = key
            other = self._number_of(*key)
            if other not in (None, number):
                return (
                    f"it is {element} {number} of {instrument} under the name {name!r}, which is "
                    f"that of {element} {other}: one of the two is wrong."
                )
        return None

    def _number_of(self, element: str, instrument: str, name: str) -> int | None:
        """Return the number of the detector or visit that has a name, None if none has."""
        key = (element, instrument, name)
        if key not in self._named:
            field = "full_name" if element == "detector" else "name"
            found = self.butler.query_dimension_records(
                element, where=f"instrument = :camera AND {element}.{field} = :name",
                bind={"camera": instrument, "name": name}, limit=1, explain=False,
            )  # fmt: skip
            self._named[key] = int(found[0].id) if found else None
        return self._named[key]

    def _registered_otherwise(
        self, header: SurveyHeader, element: str, fields: Iterable[str]
    ) -> str | None:
        observation = header.observation
        value = getattr(observation, element)
        row = self._row(element, instrument=observation.instrument, **{element: value})
        for field in fields if row is not None else ():
            theirs, ours = getattr(row, field), getattr(observation, field)
            if theirs != ours:
                return (
                    f"{element} {value} is registered with {field} {theirs}, the file says {ours}."
                )
        return None

    def _row(self, element: str, **data_id: Any) -> DimensionRecord | None:
        key = (element, *map(str, data_id.values()))
        if key not in self._rows:
            self._rows[key] = _record(self.butler, element, **data_id)
        return self._rows[key]


def register_cameras(butler: Butler, headers: Iterable[SurveyHeader]) -> None:
    """Register instruments, visit systems, filters, detectors and nights that are not there yet.

    Call it in a transaction.
    """
    registry = butler.registry
    rows: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {
        "instrument": {},
        "visit_system": {},
        "physical_filter": {},
        "detector": {},
        "day_obs": {},
    }
    for header in headers:
        observation = header.observation
        camera = observation.instrument
        rows["instrument"][camera,] = instrument_record(camera)
        rows["visit_system"][camera,] = {
            "instrument": camera,
            "id": ONE_TO_ONE,
            "name": ONE_TO_ONE_NAME,
        }
        rows["physical_filter"][camera, observation.physical_filter] = {
            "instrument": camera,
            "name": observation.physical_filter,
            "band": observation.band,
        }
        rows["detector"][camera, observation.detector] = {
            "instrument": camera,
            "id": observation.detector,
            "full_name": header.detector_name,
            "purpose": "SCIENCE",
        }
        rows["day_obs"].setdefault(
            (camera, observation.day_obs),
            {
                "instrument": camera,
                "id": observation.day_obs,
                "timespan": _night(header.details),
            },
        )
    for element, by_key in rows.items():
        registry.insertDimensionData(element, *by_key.values(), skip_existing=True)


def register_visit(
    butler: Butler, footprints: Sequence[tuple[SurveyHeader, ConvexPolygon]]
) -> None:
    """Register a visit, or more detectors of a visit that is registered.

    Call it in a transaction, after `register_cameras`.

    Parameters
    ----------
    butler
        Writeable.
    footprints
        Detectors of one visit, and the regions that they cover.
    """
    registry = butler.registry
    details = footprints[0][0].details
    observation = details.identifiers
    visit_id: dict[str, Any] = {
        "instrument": observation.instrument,
        "visit": observation.visit,
    }
    regions: dict[int, ConvexPolygon] = {
        row.detector: row.region
        for row in butler.query_dimension_records(
            "visit_detector_region", limit=None, explain=False, **visit_id
        )
    }
    grown: dict[int, ConvexPolygon] = {}
    for header, region in footprints:
        detector = header.observation.detector
        known = regions.get(detector)
        if known is None or not known.contains(region):
            grown[detector] = region if known is None else hull([known, region])
    if registered := _record(butler, "visit", **visit_id):
        if not grown:
            return
        row = registered.toDict()
        # Another program may have registered a region that is larger than that of its detectors,
        # or one that has no hull.
        whole = isinstance(row["region"], ConvexPolygon)
        row["region"] = hull([*([row["region"]] if whole else regions.values()), *grown.values()])
        registry.syncDimensionData("visit", row, update=True)
    else:
        registry.insertDimensionData("visit", _visit_row(details, hull(grown.values())))
        registry.insertDimensionData(
            "visit_system_membership", visit_id | {"visit_system": ONE_TO_ONE}, skip_existing=True
        )
    for detector, region in grown.items():
        registry.syncDimensionData(
            "visit_detector_region",
            visit_id | {"detector": detector, "region": region},
            update=True,
        )


def _record(butler: Butler, element: str, **data_id: Any) -> DimensionRecord | None:
    found = butler.query_dimension_records(element, explain=False, limit=1, **data_id)
    return found[0] if found else None


def _visit_row(details: ObservationDetails, region: ConvexPolygon) -> dict[str, Any]:
    observation = details.identifiers
    row: dict[str, Any] = {
        "instrument": observation.instrument,
        "id": observation.visit,
        "name": _visit_name(details),
        "physical_filter": observation.physical_filter,
        "day_obs": observation.day_obs,
        "seq_num": details.sequence_number,
        "exposure_time": details.exposure_time_s,
        "target_name": details.target,
        "observation_reason": details.observation_reason,
        "science_program": details.science_program,
        "azimuth": details.azimuth_deg,
        "zenith_angle": details.zenith_angle_deg,
        "region": region,
        "timespan": _exposure(details),
    }
    return {key: _fitting(value) if isinstance(value, str) else value for key, value in row.items()}


def _fitting(text: str) -> str:
    """Return what of a text the tables of a repository can hold."""
    return "".join(letter for letter in text if letter.isprintable())[:_TEXT_LENGTH]


def _visit_name(details: ObservationDetails) -> str:
    return _fitting(details.name or "") or str(details.identifiers.visit)


def _names_in(header: SurveyHeader) -> list[tuple[tuple[str, str, str], int]]:
    """Names that only one detector and one visit of a camera can have, and their numbers."""
    observation = header.observation
    camera = observation.instrument
    return [
        (("detector", camera, header.detector_name), observation.detector),
        (("visit", camera, _visit_name(header.details)), observation.visit),
    ]


def _exposure(details: ObservationDetails) -> Timespan | None:
    if details.begin is None:
        return None
    end = details.end
    if end is None and details.exposure_time_s is not None:
        end = details.begin + TimeDelta(details.exposure_time_s * u.s)
    return Timespan(details.begin.tai, end.tai if end is not None else None)


def _night(details: ObservationDetails) -> Timespan | None:
    """Return the day from 12 h TAI on if the exposure lies in it: other cameras' days vary."""
    if details.begin is None:
        return None
    digits = f"{details.identifiers.day_obs:08d}"
    try:
        midnight = Time(f"{digits[:4]}-{digits[4:6]}-{digits[6:]}T00:00:00", scale="tai")
    except ValueError:
        return None
    begin = midnight + _NIGHT_BEGINS
    end = begin + TimeDelta(24 * u.hour)
    return Timespan(begin, end) if begin <= details.begin.tai < end else None
