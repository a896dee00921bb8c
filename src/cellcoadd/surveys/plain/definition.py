"""What a camera's files are like: the choices of a definition, a frozen dataclass for each.

`definition_files` makes a `CameraDefinition` of a file, `reader` reads images by it.
"""

from __future__ import annotations

__all__ = [
    "UNITS",
    "CameraDefinition",
    "EarlierMask",
    "Flux",
    "Identity",
    "MaskMeaning",
    "Noise",
    "PlainMask",
    "Psf",
    "Saturation",
]

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

import astropy.units as u

from ..measured_psf import PsfMeasurement
from ..measured_sky import SkyMesh
from .companions import Companion, Plane
from .values import Value

UNITS: Mapping[str, float | None] = {
    "count": None,
    "count/s": None,
    "nJy": 1.0,
    "uJy": 1e3,
    "mJy": 1e6,
    "Jy": 1e9,
    "MJy/sr": 1e15,  # times the steradians of a pixel
}
"""Units of pixels, and what one of each is in nJy; None: a zero point says it, if there is one."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Noise:
    """Where the variance comes from; all in the image's own unit.

    Parameters
    ----------
    kind
        ``variance``, ``inverse_variance``, ``weight``, ``rms``: of a plane; ``constant``;
        ``from_gain``.
    plane
        Of the first four.
    scale
        Of ``weight``: the variance where the weight is 1.
    rms
        Of ``constant``: the standard deviation of a pixel; of ``weight`` without a scale: that of a
        pixel of the median weight.
    gain, sky, read_noise
        Of ``from_gain``: electrons a count, what was subtracted from the image before, electrons.
    """

    kind: str
    plane: Plane | None = None
    scale: Value | None = None
    rms: Value | None = None
    gain: Value | None = None
    sky: Value | None = None
    read_noise: Value | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaskMeaning:
    """What the values of a mask mean.

    Parameters
    ----------
    are_bits
        Whether the values are bits that add up, or codes of which a pixel has one.
    planes
        Our planes by bit or code. What is not listed is BAD.
    harmless
        Bits or codes that say nothing against a pixel.
    """

    are_bits: bool
    planes: Mapping[int, tuple[str, ...]]
    harmless: frozenset[int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class EarlierMask:
    """What masks meant before a version of the pipeline that makes them.

    Parameters
    ----------
    keyword
        Where a header states the version.
    version
        The first one whose masks are as they are today.
    meaning
        Of those before.
    """

    keyword: str
    version: tuple[int, int, int]
    meaning: MaskMeaning


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlainMask:
    """The mask of an image.

    Parameters
    ----------
    plane
        Where it is.
    meaning
        Of its values.
    earlier
        That of older files, if it was another one.
    """

    plane: Plane
    meaning: MaskMeaning
    earlier: EarlierMask | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Saturation:
    """From which level on a pixel is saturated.

    Parameters
    ----------
    level
        The level, of the image as it is in the file.
    unit
        ``image``: that of the image; else ``count`` or ``count/s``, which is converted.
    """

    level: Value
    unit: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flux:
    """What a pixel's value is in nJy.

    Parameters
    ----------
    unit
        One of `UNITS`.
    zero_point
        Magnitude of one count; None: there is none, or the unit needs none.
    per_second
        Whether the zero point is that of one count a second, or that of one in the exposure.
    ab_offset
        What is added to it to make it an AB magnitude, by filter or for all under ``""``.
    extinction
        Magnitudes for each airmass beyond 1, whatever their sign; None: the zero point is that of
        the image as it is.
    pixel_area
        Steradians, for a surface brightness; None: that of the WCS.
    """

    unit: str
    zero_point: Value | None = None
    per_second: bool = False
    ab_offset: Mapping[str, float] = dataclasses.field(default_factory=dict)
    extinction: Value | None = None
    pixel_area: Value | None = None

    @property
    def is_known(self) -> bool:
        """Whether pixels can be brought to nJy."""
        return UNITS[self.unit] is not None or self.zero_point is not None

    @property
    def unit_of_products(self) -> u.UnitBase:
        """Unit of what is made of the images: nJy, or that of their pixels."""
        return u.nJy if self.is_known else u.Unit(self.unit)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Psf:
    """Where the point-spread function comes from.

    Parameters
    ----------
    kind
        ``gaussian``, ``moffat``, ``image``, ``psfex`` or ``measured``.
    fwhm, in_arcsec, beta
        Of the first two; in arcsec or in pixels.
    plane
        Of the next two.
    measurement
        Of the last.
    """

    kind: str
    fwhm: Value | None = None
    in_arcsec: bool = True
    beta: float | None = None
    plane: Plane | None = None
    measurement: PsfMeasurement | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Identity:
    """Which exposure an image is, and when it was taken.

    Parameters
    ----------
    instrument, detector, physical_filter
        Names and number.
    visit
        Its number; None: made of the time, as in 20160311103249.
    bands
        Bands by filter, of which one that is not listed is a band of its own; or where the band is
        found.
    time
        When it was taken, in UTC.
    time_is_mjd
        Whether the time is a modified Julian date, or a text such as 2016-03-11T10:32:49.
    exposure_time
        Seconds.
    airmass, hour_angle, latitude
        None: not known. The hour angle and the observatory's latitude are in degrees as numbers;
        as texts such as 01:38:16 hours and degrees.
    """

    instrument: Value
    visit: Value | None
    detector: Value
    physical_filter: Value
    bands: Mapping[str, str] | Value
    time: Value
    time_is_mjd: bool
    exposure_time: Value | None
    airmass: Value | None
    hour_angle: Value | None = None
    latitude: Value | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class CameraDefinition:
    """What the files of a camera are like.

    Parameters
    ----------
    source
        File or name of the definition.
    image
        Where the image is.
    detectors
        Names of extensions that are an image each; None: a file is one image.
    files
        Names of files that are this camera's, whoever gives them; None: one has to say so.
    identity, noise, flux, psf
        As their classes say.
    mask, saturation
        None: there is none.
    sky
        What is subtracted from the image, in its unit, or on which mesh it is measured; None:
        nothing.
    sky_background, sky_noise
        Level of the sky in a pixel before anybody subtracted it, and its standard deviation, in the
        image's unit, where a header says it; what is measured is not looked up.
    no_data
        Values of pixels of the image that stand for no data.
    check_noise
        Whether images that scatter by far more or less than their variance says are refused.
    noise_correlation : (n, n), optional
        Correlation of the noise of two pixels by their offset in y and x; None: it is white, or
        measured.
    measure_noise_correlation
        Whether it is measured on each image.
    same
        Keywords in which the files that belong to an image must agree with it.
    require
        What headers must say: of each, the first keyword that an image has must have one of its
        values.
    """

    source: str
    image: Plane
    identity: Identity
    noise: Noise
    flux: Flux
    psf: Psf
    detectors: re.Pattern[str] | None = None
    files: re.Pattern[str] | None = None
    mask: PlainMask | None = None
    saturation: Saturation | None = None
    sky: Value | SkyMesh | None = None
    sky_background: Value | None = None
    sky_noise: Value | None = None
    no_data: tuple[float, ...] = ()
    check_noise: bool = True
    noise_correlation: tuple[tuple[float, ...], ...] | None = None
    measure_noise_correlation: bool = False
    same: tuple[str, ...] = ()
    require: tuple[Mapping[str, tuple[str, ...]], ...] = ()

    def is_companion(self, path: Path) -> bool:
        """Return whether a file is named like one that belongs to an image."""
        return any(companion.is_of(path) for companion in self._companions)

    def is_companion_of(self, path: Path, images: re.Pattern[str]) -> bool:
        """Return whether a file is named like one that belongs to an image of some name."""
        named = (companion.image_of(path) for companion in self._companions)
        return any(images.search(name) is not None for name in named if name is not None)

    @property
    def _companions(self) -> list[Companion]:
        planes = [self.noise.plane, self.psf.plane, self.mask.plane if self.mask else None]
        return [p.companion for p in planes if p is not None and p.companion is not None]
