"""What the values of a camera's masks mean, read from its definition in YAML."""

from __future__ import annotations

__all__ = ["read_mask"]

from collections.abc import Mapping

from ...errors import SkyMapError
from ...masks.planes import STANDARD_PLANES, standard_name
from ...skymap.definition_reader import DefinitionReader
from ..processing import pipeline_version
from .companions import read_plane
from .definition import EarlierMask, MaskMeaning, PlainMask

_LARGEST_BIT = 1 << 31


def read_mask(inner: DefinitionReader) -> PlainMask:
    """Read where a mask is and what its values mean.

    Raises
    ------
    SkyMapError
        If a key has a wrong value, or one that is needed is missing.
    """
    plane = read_plane(inner, "mask")
    meaning = _meaning(inner)
    earlier = _earlier(inner.inner("before")) if inner.has("before") else None
    inner.finish()
    return PlainMask(plane=plane, meaning=meaning, earlier=earlier)


def _earlier(inner: DefinitionReader) -> EarlierMask:
    keyword, stated = inner.text("keyword"), inner.text("version")
    version = pipeline_version(stated)
    if version is None:
        raise SkyMapError(
            f"{inner.place('version')} must be a version such as V3.5.0, got {stated!r}."
        )
    meaning = _meaning(inner)
    inner.finish()
    return EarlierMask(keyword=keyword, version=version, meaning=meaning)


def _meaning(inner: DefinitionReader) -> MaskMeaning:
    kind = inner.one_of("bits", "codes")
    where = inner.place(kind)
    raw = inner.anything(kind)
    if not isinstance(raw, Mapping) or not raw:
        raise SkyMapError(f"{where} must be a mapping of numbers to planes, got {raw!r}.")
    planes = {}
    for number, names in raw.items():
        listed = [names] if isinstance(names, str) else names
        place = f"{where}.{number}"
        _check_number(number, place, bits=kind == "bits")
        if not isinstance(listed, list) or not listed:
            raise SkyMapError(f"{place} must be a plane or a list of planes, got {names!r}.")
        for name in listed:
            if not isinstance(name, str) or standard_name(name) not in STANDARD_PLANES:
                raise SkyMapError(
                    f"{place} must be of the planes {', '.join(STANDARD_PLANES)}; got {name!r}."
                )
        planes[number] = tuple(map(standard_name, listed))
    harmless = inner.anything("harmless") if inner.has("harmless") else []
    place = inner.place("harmless")
    if not isinstance(harmless, list):
        raise SkyMapError(f"{place} must be a list of {kind}, got {harmless!r}.")
    for number in harmless:
        _check_number(number, place, bits=kind == "bits")
        if number in planes:
            raise SkyMapError(f"{place} has {number}, for which {where} has planes.")
    return MaskMeaning(are_bits=kind == "bits", planes=planes, harmless=frozenset(harmless))


def _check_number(number: object, where: str, *, bits: bool) -> None:
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise SkyMapError(f"{where} must be for a whole number above 0, got {number!r}.")
    if bits and (number & (number - 1) or number >= _LARGEST_BIT):
        raise SkyMapError(
            f"{where} must be for the value of one bit (1, 2, 4, 8, ... below 2^31), got {number}."
        )
