"""What can be mapped of the visits: properties of inputs, and what is made of them in each cell.

The stage that makes the maps, its task, the report and the documentation read the same list. Names
are those of the property maps of the Rubin pipelines.
"""

from __future__ import annotations

__all__ = ["DEFAULT_VISIT_MAPS", "VISIT_PROPERTIES", "Operation", "VisitMap", "VisitProperty"]

import dataclasses
import enum
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from .psf_shapes import PsfShapes

type _Floats = npt.NDArray[np.float64]

_BETWEEN = "_map_"


class Operation(enum.StrEnum):
    """What is made of the values of a cell's inputs."""

    SUM = "sum"
    """Over the visits, each once, however many of its detectors the cell adds up."""
    MEAN = "mean"
    """With the weights of the cell's own sums."""
    MIN = "min"
    """The smallest."""
    MAX = "max"
    """The largest."""


_NO_SUM = (Operation.MEAN, Operation.MIN, Operation.MAX)
_IN_WORDS = {
    Operation.SUM: "sum over the visits",
    Operation.MEAN: "weighted mean",
    Operation.MIN: "smallest",
    Operation.MAX: "largest",
}


def _as_it_is(column: _Floats) -> _Floats:
    """Return the values of a column."""
    return column


@dataclasses.dataclass(frozen=True, kw_only=True)
class VisitProperty:
    """A property of inputs that can be mapped.

    Parameters
    ----------
    name
        As in the name of the dataset type.
    meaning
        What a reader of a map needs to know, in a few words.
    columns
        Columns of the table of inputs that it is made of.
    values
        The property of these columns.
    unit
        As text that astropy reads, empty for pure numbers; None: that of the only column.
    operations, mapped
        What can be made of it, and what is by default.
    """

    name: str
    meaning: str
    columns: tuple[str, ...]
    values: Callable[..., _Floats] = _as_it_is
    unit: str | None = None
    operations: tuple[Operation, ...] = _NO_SUM
    mapped: tuple[Operation, ...] = (Operation.MEAN,)


@dataclasses.dataclass(frozen=True, kw_only=True)
class VisitMap:
    """A property and what is made of it in each cell."""

    of: VisitProperty
    operation: Operation

    @classmethod
    def named(cls, name: str) -> VisitMap:
        """Return the map of a name, such as ``epoch_map_mean``.

        Raises
        ------
        ValueError
            If there is no such property, or this is not made of it.
        """
        found, _, operation = name.partition(_BETWEEN)
        if found not in VISIT_PROPERTIES:
            raise ValueError(
                f"properties must be PROPERTY{_BETWEEN}OPERATION with a property of "
                f"{[*VISIT_PROPERTIES]}, got {name!r}."
            )
        allowed = VISIT_PROPERTIES[found].operations
        if operation not in allowed:
            raise ValueError(
                f"Of {found} can be made {', '.join(allowed)}, as in "
                f"{found}{_BETWEEN}{allowed[0]}, got {name!r}."
            )
        return cls(of=VISIT_PROPERTIES[found], operation=Operation(operation))

    @property
    def name(self) -> str:
        """As the dataset type's ends: ``deepCoaddCell_`` stands before it."""
        return f"{self.of.name}{_BETWEEN}{self.operation}"

    @property
    def meaning(self) -> str:
        """In words."""
        return f"{self.of.meaning}, {_IN_WORDS[self.operation]}"


def _shape(name: str) -> Callable[..., _Floats]:
    def values(xx: _Floats, yy: _Floats, xy: _Floats, failed: _Floats) -> _Floats:
        shapes = PsfShapes(xx=np.where(failed, np.nan, xx), yy=yy, xy=xy)
        found: _Floats = getattr(shapes, name)
        return found

    return values


def _refraction(power: int, part: Callable[[_Floats], _Floats]) -> Callable[..., _Floats]:
    """A power of tan z times a part of the direction to the zenith, turned as often."""

    def values(zenith_angle: _Floats, parallactic_angle: _Floats) -> _Floats:
        z, q = np.radians(zenith_angle), np.radians(parallactic_angle)
        return np.asarray(np.tan(z) ** power * part(power * q))

    return values


_SHAPE = ("psf_shape_xx", "psf_shape_yy", "psf_shape_xy", "psf_shape_flag")
_ANGLES = ("zenith_angle", "parallactic_angle")

VISIT_PROPERTIES: Mapping[str, VisitProperty] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            VisitProperty(
                name="exposure_time",
                meaning="Exposure time",
                columns=("exposure_time",),
                operations=tuple(Operation),
                mapped=(Operation.SUM,),
            ),
            VisitProperty(
                name="n_exposure",
                meaning="Number of exposures",
                columns=("visit",),
                values=lambda visit: np.ones(len(visit)),
                unit="",
                operations=(Operation.SUM,),
                mapped=(Operation.SUM,),
            ),
            VisitProperty(
                name="epoch",
                meaning="Middle of the exposure, a modified Julian date (TAI)",
                columns=("epoch",),
                mapped=_NO_SUM,
            ),
            VisitProperty(name="airmass", meaning="Airmass", columns=("airmass",)),
            VisitProperty(
                name="sky_background",
                meaning="Level of the sky in a pixel of the detector",
                columns=("sky_background",),
            ),
            VisitProperty(
                name="sky_noise",
                meaning="Standard deviation of the sky's pixels in the detector",
                columns=("sky_noise",),
            ),
            VisitProperty(
                name="psf_size",
                meaning="Full width at half maximum of the inputs' PSFs",
                columns=("psf_fwhm",),
            ),
            VisitProperty(
                name="psf_e1",
                meaning="Ellipticity of the inputs' PSFs along the tract's axes",
                columns=_SHAPE,
                values=_shape("e1"),
                unit="",
            ),
            VisitProperty(
                name="psf_e2",
                meaning="Ellipticity of the inputs' PSFs along the tract's diagonals",
                columns=_SHAPE,
                values=_shape("e2"),
                unit="",
            ),
            VisitProperty(
                name="dcr_dra",
                meaning="Shift by refraction to the east, tan z sin q",
                columns=_ANGLES,
                values=_refraction(1, np.sin),
                unit="",
            ),
            VisitProperty(
                name="dcr_ddec",
                meaning="Shift by refraction to the north, tan z cos q",
                columns=_ANGLES,
                values=_refraction(1, np.cos),
                unit="",
            ),
            VisitProperty(
                name="dcr_e1",
                meaning="Ellipticity by refraction, tan^2 z cos 2q",
                columns=_ANGLES,
                values=_refraction(2, np.cos),
                unit="",
            ),
            VisitProperty(
                name="dcr_e2",
                meaning="Ellipticity by refraction, tan^2 z sin 2q",
                columns=_ANGLES,
                values=_refraction(2, np.sin),
                unit="",
            ),
        )
    }
)
"""All properties, by name."""

DEFAULT_VISIT_MAPS = tuple(
    VisitMap(of=entry, operation=operation).name
    for entry in VISIT_PROPERTIES.values()
    for operation in entry.mapped
)
"""Names of the maps that are made if nobody says otherwise."""
