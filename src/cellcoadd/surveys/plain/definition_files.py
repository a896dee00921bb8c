"""The definition of a camera, read from YAML.

A file or the name of a ready definition comes in, a `CameraDefinition` goes out. What is wrong in
it is refused with the file, the key, the value and the rule.
"""

from __future__ import annotations

__all__ = ["load_camera", "ready_cameras"]

import dataclasses
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from ...errors import SkyMapError, UnusableInputError
from ...products.noise_correlation import checked_correlation
from ...skymap.definition_reader import DefinitionReader
from ...skymap.yaml_text import read_yaml
from ..measured_psf import PsfMeasurement
from ..measured_sky import SkyMesh
from .companions import Plane, read_companion, read_plane
from .definition import (
    UNITS,
    CameraDefinition,
    Flux,
    Identity,
    Noise,
    Psf,
    Saturation,
)
from .mask_meanings import read_mask
from .values import Value, read_value

_PLANE_NOISES = ("variance", "inverse_variance", "weight", "rms")
_PSFS = ("gaussian", "moffat", "image", "psfex", "measured")


def ready_cameras() -> list[str]:
    """Return the names of the definitions that come with the package."""
    folder = resources.files("cellcoadd.surveys.plain") / "cameras"
    return sorted(file.name[:-5] for file in folder.iterdir() if file.name.endswith(".yaml"))


def load_camera(
    camera: str | Path, *, measure_psf: bool = False, sky_mesh: int | None = None
) -> CameraDefinition:
    """Read the definition of a camera.

    Parameters
    ----------
    camera
        A YAML file, or the name of one of the `ready_cameras`.
    measure_psf
        Whether PSFs are measured from stars, whatever the definition says, or does not say.
    sky_mesh
        Side in pixels of the cells on which the sky is measured, whatever the definition says of
        it; None: as it says.

    Raises
    ------
    UnusableInputError
        If there is none, or something in it is wrong.
    ValueError
        If the cells are too small.
    """
    sky = None if sky_mesh is None else SkyMesh(size=sky_mesh)
    source = str(camera)
    try:
        if source in ready_cameras():
            folder = resources.files("cellcoadd.surveys.plain") / "cameras"
            text = (folder / f"{source}.yaml").read_text(encoding="utf-8")
        else:
            text = Path(camera).read_text(encoding="utf-8")
        content = read_yaml(text)
    except FileNotFoundError as error:
        raise UnusableInputError(
            source,
            "there is no such definition of a camera: name a YAML file, or one of "
            f"{', '.join(ready_cameras())}.",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableInputError(source, f"it cannot be read ({error}).") from error
    except SkyMapError as error:
        raise UnusableInputError(source, f"it {error}") from error
    if measure_psf and isinstance(content, Mapping):
        content = {"psf": "measured", **content}
    try:
        definition = _definition(DefinitionReader(content), source)
    except SkyMapError as error:
        raise UnusableInputError(source, str(error)) from error
    if measure_psf and definition.psf.kind != "measured":
        # Where its PSF would be is kept: such a file still is no image.
        measured = dataclasses.replace(
            definition.psf, kind="measured", measurement=PsfMeasurement()
        )
        definition = dataclasses.replace(definition, psf=measured)
    return definition if sky is None else dataclasses.replace(definition, sky=sky)


def _definition(top: DefinitionReader, source: str) -> CameraDefinition:
    image, detectors = _image(top)
    identity = _identity(top)
    flux = _flux(top, identity)
    measured, correlation = _noise_correlation(top)
    definition = CameraDefinition(
        source=source,
        image=image,
        identity=identity,
        noise=_noise(top, flux, identity),
        flux=flux,
        psf=_psf(top),
        detectors=detectors,
        files=_pattern(top, "files") if top.has("files") else None,
        mask=read_mask(top.inner("mask")) if top.has("mask") else None,
        saturation=_saturation(top.inner("saturation"), flux, identity)
        if top.has("saturation")
        else None,
        sky=_sky(top),
        sky_background=_optional(top, "sky_background"),
        sky_noise=_optional(top, "sky_noise"),
        no_data=_numbers(top, "no_data"),
        check_noise=_yes_or_no(top, "check_noise", default=True),
        noise_correlation=correlation,
        measure_noise_correlation=measured,
        same=_same(top),
        require=_require(top),
    )
    top.finish()
    return definition


def _image(top: DefinitionReader) -> tuple[Plane, re.Pattern[str] | None]:
    if not top.has("image"):
        return Plane(key="image"), None
    inner = top.inner("image")
    plane = read_plane(inner, "image", hdu_only=True)
    detectors = None
    if inner.has("detectors"):
        detectors = _pattern(inner, "detectors", everything="all")
        if plane.hdu is not None:
            raise SkyMapError(
                "image.hdu is one extension, image.detectors are several: give one of them."
            )
    inner.finish()
    return plane, detectors


def _pattern(reader: DefinitionReader, key: str, *, everything: str = "") -> re.Pattern[str]:
    text = reader.text(key)
    if everything and text == everything:
        return re.compile(".*", re.DOTALL)
    try:
        return re.compile(text)
    except re.error as error:
        raise SkyMapError(
            f"{reader.place(key)} must be a regular expression, got {text!r} ({error})."
        ) from error


def _numbers(top: DefinitionReader, key: str) -> tuple[float, ...]:
    raw = top.anything(key) if top.has(key) else []
    listed = raw if isinstance(raw, list) else [raw]
    if any(isinstance(n, bool) or not isinstance(n, int | float) for n in listed):
        raise SkyMapError(f"{top.place(key)} must be a number or a list of them, got {raw!r}.")
    return tuple(map(float, listed))


def _same(top: DefinitionReader) -> tuple[str, ...]:
    raw = top.anything("same") if top.has("same") else []
    if not isinstance(raw, list) or not all(isinstance(word, str) and word for word in raw):
        raise SkyMapError(f"same must be a list of keywords, got {raw!r}.")
    return tuple(raw)


def _require(top: DefinitionReader) -> tuple[Mapping[str, tuple[str, ...]], ...]:
    raw = top.anything("require") if top.has("require") else []
    rules = raw if isinstance(raw, list) else [raw]
    found = []
    for rule in rules:
        if not isinstance(rule, Mapping) or not rule or not all(isinstance(k, str) for k in rule):
            raise SkyMapError(
                "require must be a list of mappings of keywords to the values that they must "
                f"have, got {raw!r}."
            )
        found.append(
            {
                keyword: tuple(map(str, values if isinstance(values, list) else [values]))
                for keyword, values in rule.items()
            }
        )
    return tuple(found)


def _optional(reader: DefinitionReader, key: str) -> Value | None:
    return read_value(reader, key) if reader.has(key) else None


def _yes_or_no(reader: DefinitionReader, key: str, *, default: bool) -> bool:
    value = reader.anything(key) if reader.has(key) else default
    if not isinstance(value, bool):
        raise SkyMapError(f"{reader.place(key)} must be true or false, got {value!r}.")
    return value


def _identity(top: DefinitionReader) -> Identity:
    visit = None
    if top.has("visit"):
        visit = read_value(top, "visit")
    time = top.inner("time")
    kind = time.one_of("mjd", "date_obs")
    identity = Identity(
        instrument=read_value(top, "name"),
        visit=visit,
        detector=_optional(top, "detector") or Value(key="detector", given=0),
        physical_filter=read_value(top, "filter"),
        bands=_bands(top),
        time=read_value(time, kind),
        time_is_mjd=kind == "mjd",
        exposure_time=_optional(top, "exposure_time"),
        airmass=_optional(top, "airmass"),
        hour_angle=_optional(top, "hour_angle"),
        latitude=_optional(top, "latitude"),
    )
    time.finish()
    return identity


def _bands(top: DefinitionReader) -> Mapping[str, str] | Value:
    if not top.has("band"):
        return {}
    raw = top.anything("band")
    if isinstance(raw, Mapping) and "keyword" in raw:
        return read_value(DefinitionReader({"band": raw}), "band")
    if not isinstance(raw, Mapping) or not all(
        isinstance(part, str) and part for item in raw.items() for part in item
    ):
        raise SkyMapError(
            f"band must be a mapping of filters to bands, both texts (YAML needs quotes around "
            f"'y' and 'n'), got {raw!r}."
        )
    return dict(raw)


def _noise(top: DefinitionReader, flux: Flux, identity: Identity) -> Noise:
    noise = top.inner("noise")
    kind = noise.one_of(*_PLANE_NOISES, "constant", "from_gain")
    inner = noise.inner(kind)
    where = f"noise.{kind}"
    if kind in _PLANE_NOISES:
        plane = read_plane(inner, where)
        given = {}
        if kind == "weight":
            known = inner.one_of("scale", "rms")
            given[known] = read_value(inner, known)
        made = Noise(kind=kind, plane=plane, **given)
    elif kind == "constant":
        made = Noise(kind=kind, rms=read_value(inner, "rms"))
    else:
        if UNITS[flux.unit] is not None:
            raise SkyMapError(f"{where} needs an image in counts, its unit is {flux.unit}.")
        _need_exposure_time(identity, where, needed=flux.unit == "count/s")
        made = Noise(
            kind=kind,
            gain=read_value(inner, "gain"),
            sky=_optional(inner, "sky"),
            read_noise=_optional(inner, "read_noise"),
        )
    inner.finish()
    noise.finish()
    return made


def _noise_correlation(
    top: DefinitionReader,
) -> tuple[bool, tuple[tuple[float, ...], ...] | None]:
    """Whether it is measured, or what it is."""
    if not top.has("noise_correlation"):
        return False, None
    raw = top.anything("noise_correlation")
    if raw == "measure":
        return True, None
    try:
        checked = checked_correlation(raw)
    except (TypeError, ValueError) as error:
        raise SkyMapError(
            f"noise_correlation must be measure, or rows of numbers by offset in y and x ({error})"
        ) from error
    return False, tuple(map(tuple, checked.tolist()))


def _saturation(inner: DefinitionReader, flux: Flux, identity: Identity) -> Saturation:
    unit = inner.choice("unit", ("image", "count", "count/s")) if inner.has("unit") else "image"
    if unit != "image":
        if UNITS[flux.unit] is not None:
            raise SkyMapError(
                f"saturation.unit must be image for pixels in {flux.unit}, got {unit!r}."
            )
        _need_exposure_time(identity, "saturation.unit", needed=unit != flux.unit)
    level = read_value(inner, "level")
    inner.finish()
    return Saturation(level=level, unit=unit)


def _flux(top: DefinitionReader, identity: Identity) -> Flux:
    unit = top.choice("unit", UNITS)
    area = None
    if top.has("pixel_area"):
        if unit != "MJy/sr":
            raise SkyMapError(f"pixel_area is for pixels in MJy/sr, these are in {unit}.")
        area = read_value(top, "pixel_area")
    if not top.has("zero_point"):
        return Flux(unit=unit, pixel_area=area)
    if UNITS[unit] is not None:
        raise SkyMapError(f"zero_point is for pixels in counts, these are in {unit}.")
    inner = top.inner("zero_point")
    per_second = inner.choice("per", ("exposure", "second")) == "second"
    _need_exposure_time(identity, "zero_point.per", needed=per_second != (unit == "count/s"))
    system = inner.choice("system", ("AB", "Vega"))
    offset: Mapping[str, float] = {}
    if system == "Vega":
        offset = _ab_offset(inner)
    value, extinction = read_value(inner, "magnitude"), _optional(inner, "extinction")
    if extinction is not None and identity.airmass is None:
        raise SkyMapError(f"airmass is missing: {inner.place('extinction')} needs it.")
    inner.finish()
    return Flux(
        unit=unit,
        zero_point=value,
        per_second=per_second,
        ab_offset=offset,
        extinction=extinction,
    )


def _ab_offset(inner: DefinitionReader) -> Mapping[str, float]:
    raw = inner.anything("offset")
    numbers = raw.values() if isinstance(raw, Mapping) else [raw]
    if not numbers or any(isinstance(n, bool) or not isinstance(n, int | float) for n in numbers):
        raise SkyMapError(
            "zero_point.offset must be what makes an AB magnitude of a Vega magnitude, a number or "
            f"a mapping of filters to numbers, got {raw!r}."
        )
    return dict(raw) if isinstance(raw, Mapping) else {"": float(raw)}


def _psf(top: DefinitionReader) -> Psf:
    if not top.has("psf"):
        raise SkyMapError(
            "psf is missing: no coadd can be made without one. Give its width (psf: {moffat: "
            "{fwhm: {keyword: SEEING}, unit: arcsec, beta: 3}} or gaussian), an image of it "
            "(image), or what PSFEx wrote (psfex); or have it measured from the stars of each "
            "image (psf: measured, or --measure-psf)."
        )
    raw = top.anything("psf")
    psf = DefinitionReader({"measured": {}} if raw == "measured" else raw, path="psf.")
    kind = psf.one_of(*_PSFS)
    inner = psf.inner(kind)
    if kind == "measured":
        made = Psf(kind=kind, measurement=_measurement(inner))
    elif kind == "image":
        made = Psf(kind=kind, plane=read_plane(inner, "psf.image"))
    elif kind == "psfex":
        companion = read_companion(inner.inner("file"))
        made = Psf(kind=kind, plane=Plane(key="psf.psfex", companion=companion))
    else:
        beta = inner.number("beta") if kind == "moffat" else None
        if beta is not None and not beta > 1:
            raise SkyMapError(f"psf.moffat.beta must be above 1, got {beta}.")
        made = Psf(
            kind=kind,
            fwhm=read_value(inner, "fwhm"),
            in_arcsec=inner.choice("unit", ("arcsec", "pixel")) == "arcsec",
            beta=beta,
        )
    inner.finish()
    psf.finish()
    return made


def _measurement(inner: DefinitionReader) -> PsfMeasurement:
    numbers = inner.given_numbers("signal_to_noise") | inner.given_integers("degree")
    try:
        return PsfMeasurement(**numbers)
    except ValueError as error:
        raise SkyMapError(f"psf.measured: {error}") from error


def _sky(top: DefinitionReader) -> Value | SkyMesh | None:
    if not top.has("sky"):
        return None
    raw = top.anything("sky")
    if not (isinstance(raw, Mapping) and "mesh" in raw):
        return read_value(DefinitionReader({"sky": raw}), "sky")
    sky = DefinitionReader(raw, path="sky.")
    inner = sky.inner("mesh")
    numbers = inner.given_integers("size", "filter")
    inner.finish()
    sky.finish()
    try:
        return SkyMesh(**numbers)
    except ValueError as error:
        raise SkyMapError(f"sky.mesh.{error}") from error


def _need_exposure_time(identity: Identity, where: str, *, needed: bool) -> None:
    if needed and identity.exposure_time is None:
        raise SkyMapError(f"exposure_time is missing: {where} needs it.")
