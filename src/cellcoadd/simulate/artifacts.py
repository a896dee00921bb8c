"""What goes wrong in a detector: bad columns, bright stars with trails, cosmic rays, edges.

Each function says where its artifact is, as a boolean array of the detector's shape; those that
change pixels work on a copy. Amplifiers differ in their noise and are marked nowhere.
"""

from __future__ import annotations

__all__ = [
    "ArtifactSettings",
    "amplifier_noise",
    "bad_columns",
    "cosmic_rays",
    "edges",
    "halos",
    "saturate",
]

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from .randomness import Purpose, generator

type _Floats = npt.NDArray[np.float64]
type _Flags = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArtifactSettings:
    """How many artifacts there are, and how strong.

    Parameters
    ----------
    bad_column_bands
        Bands of bad columns in each detector, at the same columns in every visit. No two touch.
    bad_column_width
        Columns in a band. Four, as in Hyper Suprime-Cam: the threshold function of mask fractions
        then has its step at 4/250 for outer cells.
    bad_column_offset
        Standard deviation in nJy of the constant that a bad column adds to its pixels.
    wide_bands
        Mean number of further bands in a detector, wherever they fall.
    wide_band_width
        Columns of the narrowest and of the widest of these. Bands wider than w are as w^-1.5.
    saturation
        Flux in nJy at which a pixel is full; what exceeds it bleeds along the column.
    halo_radius
        Radius in pixels of the disc that is marked as saturated around a star that would fill a
        hundred pixels. It grows as the cube root of the flux, as where wings that fall off as the
        cube of the distance reach a given brightness. Images of stars end at their stamps: only the
        mask knows of the wings.
    cosmic_rays_per_megapixel
        Mean number of tracks in a million pixels of one exposure.
    cosmic_ray_length
        Mean length of a track in pixels.
    cosmic_ray_flux
        Weakest and strongest deposit in a pixel of a track in nJy.
    edge_width
        Rows and columns along each side that are marked as edge; their pixels are as good as any.
    amplifiers
        Amplifiers of a detector. Each reads a strip of columns; the strips are of one width, to a
        column.
    amplifier_noise_step
        Largest relative deviation of an amplifier's noise from the detector's: the sky noise has a
        step from strip to strip, and the variance plane knows it.

    Raises
    ------
    ValueError
        If a value is out of range.
    """

    bad_column_bands: int = 1
    bad_column_width: int = 4
    bad_column_offset: float = 1000.0
    wide_bands: float = 0.0
    wide_band_width: tuple[int, int] = (5, 27)
    saturation: float = 20000.0
    halo_radius: float = 0.0
    cosmic_rays_per_megapixel: float = 100.0
    cosmic_ray_length: float = 8.0
    cosmic_ray_flux: tuple[float, float] = (300.0, 6000.0)
    edge_width: int = 0
    amplifiers: int = 1
    amplifier_noise_step: float = 0.0

    def __post_init__(self) -> None:
        for name in (
            "bad_column_bands",
            "bad_column_offset",
            "wide_bands",
            "halo_radius",
            "cosmic_rays_per_megapixel",
            "edge_width",
        ):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}.")
        for name in ("bad_column_width", "saturation", "cosmic_ray_length", "amplifiers"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}.")
        if not 0.0 <= self.amplifier_noise_step < 1.0:
            raise ValueError(
                f"amplifier_noise_step must be in 0..1, got {self.amplifier_noise_step}."
            )
        narrow, wide = self.wide_band_width
        if not 0 < narrow <= wide:
            raise ValueError(
                f"wide_band_width must be (narrowest, widest), got {self.wide_band_width}."
            )
        low, high = self.cosmic_ray_flux
        if not 0.0 < low <= high:
            raise ValueError(f"cosmic_ray_flux must be (weakest, strongest), got {(low, high)}.")


def bad_columns(
    settings: ArtifactSettings, *, width: int, seed: int, detector: int
) -> tuple[_Flags, _Floats]:
    """Return which columns of a detector are bad, and what they add to their pixels in nJy.

    Parameters
    ----------
    settings
        Number, width and strength of the bands.
    width
        Number of columns of the detector.
    seed, detector
        The survey's seed and the detector's id; there is no visit, since defects stay where they
        are.

    Returns
    -------
    bad : bool (width,)
        True for a bad column.
    offset : float64 (width,)
        Zero for a good one.

    Raises
    ------
    ValueError
        If the bands of one width, with a good column between any two, do not fit in the detector.
    """
    rng = generator(seed, Purpose.BAD_COLUMNS, detector=detector)
    bands, pitch = settings.bad_column_bands, settings.bad_column_width + 1
    # Places left when each band, and the good column after it, is shrunk to nothing.
    places = width - bands * pitch + 2
    if bands and places < 1:
        raise ValueError(
            f"{bands} bands of {settings.bad_column_width} bad columns, with a good column between "
            f"any two, do not fit in {width} columns."
        )
    bad = np.zeros(width, dtype=bool)
    if bands:
        firsts = np.sort(rng.integers(0, places, bands)) + pitch * np.arange(bands)
        for first in firsts:
            bad[first : first + settings.bad_column_width] = True
    offset = rng.normal(0.0, settings.bad_column_offset, width)
    for size in _wide_bands(settings, rng):
        first = int(rng.integers(0, max(1, width - size + 1)))
        bad[first : first + size] = True
    return bad, np.where(bad, offset, 0.0)


def _wide_bands(settings: ArtifactSettings, rng: np.random.Generator) -> list[int]:
    """Draw how many wide bands a detector has, and the columns of each."""
    # In half steps, so that the narrowest and the widest are drawn as often as they should be.
    least, most = (
        (size + half) ** -1.5
        for size, half in zip(settings.wide_band_width, (-0.5, 0.5), strict=True)
    )
    uniform = rng.uniform(most, least, rng.poisson(settings.wide_bands))
    return [int(size) for size in np.rint(uniform ** (-1.0 / 1.5))]


def amplifier_noise(settings: ArtifactSettings, *, width: int, seed: int, detector: int) -> _Floats:
    """Return the sky noise of each column relative to the detector's: float64 (width,).

    Parameters
    ----------
    settings
        Number of amplifiers and the largest step; the deviations are uniform up to it.
    width
        Number of columns of the detector.
    seed, detector
        What the random numbers depend on; amplifiers do not change from visit to visit.
    """
    rng = generator(seed, Purpose.AMPLIFIERS, detector=detector)
    noise = 1.0 + settings.amplifier_noise_step * rng.uniform(-1.0, 1.0, settings.amplifiers)
    columns: _Floats = noise[np.arange(width) * settings.amplifiers // width]
    return columns


def edges(settings: ArtifactSettings, *, shape: tuple[int, int]) -> _Flags:
    """Return which pixels of a detector of a shape lie along its sides: bool (rows, columns)."""
    rows, columns = (
        np.minimum(np.arange(size), np.arange(size)[::-1]) < settings.edge_width for size in shape
    )
    return rows[:, np.newaxis] | columns


def saturate(image: _Floats, full_well: float) -> tuple[_Floats, _Flags]:
    """Let full pixels bleed along their columns.

    Parameters
    ----------
    image : float64 (rows, columns)
        Noiseless fluxes in nJy.
    full_well
        Flux at which a pixel is full.

    Returns
    -------
    bled : float64 (rows, columns)
        No pixel exceeds ``full_well``; the flux of a column is kept unless it runs off an end.
    full : bool (rows, columns)
        True where a pixel is full.
    """
    bled = image.copy()
    full = image >= full_well
    for column in np.flatnonzero(full.any(axis=0)):
        _bleed(bled[:, column], full_well)
        full[:, column] = bled[:, column] >= full_well
    return bled, full


def _bleed(column: _Floats, full_well: float) -> None:
    """Spread the excess of each full run of one column, half of it upward, half downward."""
    edges = np.diff(np.concatenate([[0], (column >= full_well).astype(np.int8), [0]]))
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    for start, stop in zip(starts, stops, strict=True):
        excess = float(np.sum(column[start:stop]) - full_well * (stop - start))
        column[start:stop] = full_well
        for rows in (range(stop, len(column)), range(start - 1, -1, -1)):
            left = 0.5 * excess
            for row in rows:
                if left <= 0.0:
                    break
                room = full_well - column[row]
                if room <= 0.0:
                    continue
                # The sum would be full_well but for a rounding error, above it or not full.
                column[row] = full_well if left >= room else column[row] + left
                left -= room


def halos(
    settings: ArtifactSettings,
    *,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    flux: npt.ArrayLike,
    shape: tuple[int, int],
) -> _Flags:
    """Return which pixels of a detector are in the discs around bright stars.

    Parameters
    ----------
    settings
        Saturation and size of the discs.
    x, y
        Positions of the stars, counted from the detector's first pixel; also beside it.
    flux
        Their fluxes in nJy.
    shape
        Rows and columns of the detector.

    Returns
    -------
    near : bool (rows, columns)
        True where the distance to a star is at most its radius.
    """
    near = np.zeros(shape, dtype=bool)
    radii = settings.halo_radius * np.cbrt(np.asarray(flux) / (100.0 * settings.saturation))
    for radius, x_star, y_star in np.broadcast(radii, x, y):
        rows, columns = (
            np.arange(max(0, math.ceil(at - radius)), min(size, math.floor(at + radius) + 1))
            for at, size in zip((y_star, x_star), shape, strict=True)
        )
        if rows.size and columns.size:
            square = (rows[:, np.newaxis] - y_star) ** 2 + (columns - x_star) ** 2
            near[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] |= square <= radius**2
    return near


def cosmic_rays(
    settings: ArtifactSettings, *, shape: tuple[int, int], seed: int, visit: int, detector: int
) -> tuple[_Flags, _Floats]:
    """Return which pixels of one exposure are hit, and the flux deposited in each in nJy.

    Parameters
    ----------
    settings
        Number, length and strength of the tracks.
    shape
        Rows and columns of the detector.
    seed, visit, detector
        What the random numbers depend on.

    Returns
    -------
    hit : bool (rows, columns)
        True on a track.
    flux : float64 (rows, columns)
        Zero off the tracks.
    """
    rng = generator(seed, Purpose.COSMIC_RAYS, visit=visit, detector=detector)
    rows, columns = shape
    flux = np.zeros(shape)
    low, high = (math.log(value) for value in settings.cosmic_ray_flux)
    for _ in range(rng.poisson(settings.cosmic_rays_per_megapixel * rows * columns * 1e-6)):
        length = 1.0 + rng.exponential(settings.cosmic_ray_length)
        angle = rng.uniform(0.0, 2.0 * math.pi)
        along = np.arange(0.0, length, 0.5)
        x = np.floor(rng.uniform(-0.5, columns - 0.5) + along * math.cos(angle) + 0.5).astype(int)
        y = np.floor(rng.uniform(-0.5, rows - 0.5) + along * math.sin(angle) + 0.5).astype(int)
        inside = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
        track = np.unique(y[inside] * columns + x[inside])
        flux.flat[track] += np.exp(rng.uniform(low, high, track.size))
    return flux > 0.0, flux
