"""The sky: stars and galaxies of known flux, position and shape, drawn once for all visits."""

from __future__ import annotations

__all__ = ["TRUTH_COLUMNS", "SkySettings", "draw_sky"]

import dataclasses
import math

import astropy.units as u
import numpy as np
import numpy.typing as npt
from astropy.table import Table

from ..conventions import AB_ZERO_POINT_NJY
from .randomness import Purpose, generator

TRUTH_COLUMNS = {
    "id": "Number of the source, from 1.",
    "type": "star or galaxy.",
    "ra": "Right ascension, ICRS.",
    "dec": "Declination, ICRS.",
    "flux_njy": "Total flux; of a star, on the stamp of the point-spread function.",
    "sersic_index": "Sersic index of a galaxy; 0 for a star.",
    "half_light_radius": "Half-light radius of a galaxy before shearing; 0 for a star.",
    "g1": "Reduced shear of a round galaxy: positive stretches it east-west.",
    "g2": "Reduced shear of a round galaxy: positive stretches it from south-east to north-west.",
}
"""Columns of a truth table, with their meaning."""

_SERSIC_INDICES = (1.0, 2.5)
_FRACTION_OF_DISCS = 0.7
_COUNT_SLOPE = 0.2  # d log10(number of stars) / d magnitude, as at high galactic latitude
_GALAXY_COUNT_SLOPE = 0.35  # i-band galaxy counts of magnitude 20 to 25


@dataclasses.dataclass(frozen=True, kw_only=True)
class SkySettings:
    """How many sources there are and what they look like.

    Parameters
    ----------
    stars_per_arcmin2, galaxies_per_arcmin2
        Mean number of sources in a square arcminute; the number in a field is fixed, not drawn.
    star_magnitudes, galaxy_magnitudes
        Brightest and faintest AB magnitude.
    half_light_radii
        Smallest and largest half-light radius of galaxies in arcseconds.
    shear_sigma
        Standard deviation of each component of the galaxies' shears; the shear of one galaxy is
        limited to 0.6.

    Raises
    ------
    ValueError
        If a density is negative or a range is reversed.
    """

    stars_per_arcmin2: float = 6.0
    galaxies_per_arcmin2: float = 20.0
    star_magnitudes: tuple[float, float] = (16.0, 23.5)
    galaxy_magnitudes: tuple[float, float] = (20.0, 25.0)
    half_light_radii: tuple[float, float] = (0.25, 1.0)
    shear_sigma: float = 0.2

    def __post_init__(self) -> None:
        for name in ("stars_per_arcmin2", "galaxies_per_arcmin2", "shear_sigma"):
            if getattr(self, name) < 0.0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}.")
        for name in ("star_magnitudes", "galaxy_magnitudes", "half_light_radii"):
            low, high = getattr(self, name)
            if not low <= high:
                raise ValueError(f"{name} must be (lowest, highest), got {(low, high)}.")
        if not self.half_light_radii[0] > 0.0:
            raise ValueError(
                f"Half-light radii must be positive, got {self.half_light_radii[0]} arcsec."
            )


def draw_sky(
    settings: SkySettings, *, ra: float, dec: float, radius_arcmin: float, seed: int
) -> Table:
    """Return the sources in a circle on the sky.

    Parameters
    ----------
    settings
        Numbers and ranges.
    ra, dec
        Centre of the circle in degrees.
    radius_arcmin
        Its radius, at most 600.
    seed
        Seed of the survey.

    Returns
    -------
    `astropy.table.Table`
        The columns of `TRUTH_COLUMNS`; stars first.

    Raises
    ------
    ValueError
        If the radius is not in 0..600.
    """
    if not 0.0 < radius_arcmin <= 600.0:
        raise ValueError(f"The radius of a field must be in 0..600 arcmin, got {radius_arcmin}.")
    area = math.pi * radius_arcmin**2
    n_stars = round(settings.stars_per_arcmin2 * area)
    n_galaxies = round(settings.galaxies_per_arcmin2 * area)

    rng = generator(seed, Purpose.STARS)
    star_positions = _positions(rng, n_stars, ra=ra, dec=dec, radius_arcmin=radius_arcmin)
    star_fluxes = _fluxes(rng, n_stars, settings.star_magnitudes, _COUNT_SLOPE)

    rng = generator(seed, Purpose.GALAXIES)
    positions = _positions(rng, n_galaxies, ra=ra, dec=dec, radius_arcmin=radius_arcmin)
    fluxes = _fluxes(rng, n_galaxies, settings.galaxy_magnitudes, _GALAXY_COUNT_SLOPE)
    low, high = (math.log(radius) for radius in settings.half_light_radii)
    radii = np.exp(rng.uniform(low, high, n_galaxies))
    discs = rng.random(n_galaxies) < _FRACTION_OF_DISCS
    sersic = np.where(discs, _SERSIC_INDICES[0], _SERSIC_INDICES[1])
    shear = rng.normal(0.0, settings.shear_sigma, (2, n_galaxies))
    size = np.hypot(shear[0], shear[1])
    shear *= np.minimum(1.0, 0.6 / np.maximum(size, 1e-12))

    none = np.zeros(n_stars)
    values = {
        "id": np.arange(1, n_stars + n_galaxies + 1),
        "type": np.array(["star"] * n_stars + ["galaxy"] * n_galaxies, dtype="U6"),
        "ra": np.concatenate([star_positions[0], positions[0]]) * u.deg,
        "dec": np.concatenate([star_positions[1], positions[1]]) * u.deg,
        "flux_njy": np.concatenate([star_fluxes, fluxes]) * u.nJy,
        "sersic_index": np.concatenate([none, sersic]),
        "half_light_radius": np.concatenate([none, radii]) * u.arcsec,
        "g1": np.concatenate([none, shear[0]]),
        "g2": np.concatenate([none, shear[1]]),
    }
    table = Table(values)
    for name, text in TRUTH_COLUMNS.items():
        table[name].description = text
    return table


def _positions(
    rng: np.random.Generator, number: int, *, ra: float, dec: float, radius_arcmin: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return right ascensions and declinations (degrees), uniform in a circle on the sphere."""
    radius = math.radians(radius_arcmin / 60.0)
    cosine = 1.0 - rng.random(number) * (1.0 - math.cos(radius))
    sine = np.sqrt(1.0 - cosine**2)
    angle = rng.uniform(0.0, 2.0 * math.pi, number)
    dec0 = math.radians(dec)
    north, east = sine * np.cos(angle), sine * np.sin(angle)
    forward = cosine * math.cos(dec0) - north * math.sin(dec0)
    up = cosine * math.sin(dec0) + north * math.cos(dec0)
    ras = np.mod(ra + np.degrees(np.arctan2(east, forward)), 360.0)
    return ras, np.degrees(np.arctan2(up, np.hypot(east, forward)))


def _fluxes(
    rng: np.random.Generator, number: int, magnitudes: tuple[float, float], slope: float
) -> npt.NDArray[np.float64]:
    """Return fluxes in nJy whose counts grow as ``10^(slope * magnitude)``."""
    bright, faint = (10.0 ** (slope * magnitude) for magnitude in magnitudes)
    magnitude = np.log10(bright + rng.random(number) * (faint - bright)) / slope
    flux: npt.NDArray[np.float64] = 10.0 ** (0.4 * (AB_ZERO_POINT_NJY - magnitude))
    return flux
