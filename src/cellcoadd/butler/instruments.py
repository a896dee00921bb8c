"""Instruments: what a repository demands to know of a camera beside its name.

The Butler stores an importable class name with every instrument. Here each name has one:
``cellcoadd.butler.instruments.of.HSC`` is a class whose instrument is called HSC, made when asked
for, so that any camera can be registered without a package of its own. Detectors and filters are
registered as images come in.
"""

from __future__ import annotations

__all__ = ["ONE_TO_ONE", "ONE_TO_ONE_NAME", "CalibratedImageInstrument", "instrument_record", "of"]

from typing import Any, ClassVar

from lsst.daf.butler import DataId, Formatter, FormatterV2, Registry
from lsst.pipe.base import Instrument

ONE_TO_ONE = 0
"""The visit system in which each exposure is a visit, with the id that the Rubin pipelines use."""

ONE_TO_ONE_NAME = "one-to-one"
"""The name of that visit system."""

_VISIT_MAX = 2**43
_DETECTOR_MAX = 1000
# Rubin's visits number some 6e12 < 2**43; with 10 bits of detector a packed id has 53 bits, which
# leaves room in a 64-bit catalogue id.

_NAME_MAX = 32  # what the dimension universe allows


class CalibratedImageInstrument(Instrument):
    """An instrument of which only calibrated images are known. Subclasses have the name."""

    name: ClassVar[str]

    @classmethod
    def getName(cls) -> str:
        """Return the name of the instrument in data IDs."""
        return cls.name

    def register(self, registry: Registry, *, update: bool = False) -> None:
        """Register the instrument and its visit system; what is there already stays."""
        with registry.transaction():
            registry.syncDimensionData("instrument", instrument_record(self.name), update=update)
            registry.syncDimensionData(
                "visit_system",
                {"instrument": self.name, "id": ONE_TO_ONE, "name": ONE_TO_ONE_NAME},
                update=update,
            )

    def getRawFormatter(self, dataId: DataId) -> type[Formatter | FormatterV2]:
        """Refuse: there are no raw images.

        Raises
        ------
        NotImplementedError
            Always.
        """
        raise NotImplementedError(
            f"{self.name} is registered for calibrated images; it has no raw ones."
        )


class _InstrumentsByName:
    """Attributes are instrument classes, made when first asked for."""

    def __getattr__(self, name: str) -> type[CalibratedImageInstrument]:
        try:
            _check_name(name)
        except ValueError as error:
            raise AttributeError(str(error)) from None
        made = type(
            name,
            (CalibratedImageInstrument,),
            {"name": name, "__module__": __name__, "__qualname__": f"of.{name}"},
        )
        setattr(self, name, made)
        return made


of = _InstrumentsByName()
"""The classes: ``of.HSC``, or ``getattr(of, "LSSTCam-imSim")``."""


def instrument_record(name: str) -> dict[str, Any]:
    """Return the row that describes an instrument in a repository.

    Raises
    ------
    ValueError
        If the name has no place in a repository.
    """
    _check_name(name)
    return {
        "name": name,
        "visit_max": _VISIT_MAX,
        "visit_system": ONE_TO_ONE,
        "exposure_max": _VISIT_MAX,
        "detector_max": _DETECTOR_MAX,
        "class_name": f"{__name__}.of.{name}",
    }


def _check_name(name: str) -> None:
    if not name or len(name) > _NAME_MAX or name.startswith("_") or set(name) & set("./ '\"\n\t"):
        raise ValueError(
            f"An instrument's name has 1 to {_NAME_MAX} characters, none of them a dot, a slash, "
            f"a quote or a blank, and does not begin with an underscore; got {name!r}."
        )
