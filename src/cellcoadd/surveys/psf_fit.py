"""The images of a point-spread function from the pixels of stars, by least squares.

Stars come in; the images of a polynomial in the position go out, which drawn at the stars' centres
are the stars. A smooth profile is fitted first, by a few numbers; then each pixel of the images is
free to differ from it as far as the stars ask for it.
"""

from __future__ import annotations

__all__ = ["FittedStars", "fit_images", "sampling_for", "term_values"]

import dataclasses
import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.optimize import least_squares

from ..conventions import FWHM_PER_SIGMA
from ..psfs.models import lanczos_matrix
from ..psfs.stamp_shift import translate_stamp
from .psf_stars import Stars, matched_gaussians

type _Floats = npt.NDArray[np.float64]

_ROUNDS = 2  # images, then centres and fluxes, and again
_STRANGE = 3.0  # standard deviations of what is left over: light of another source
_ACCURACY = 0.01  # of the profile in a pixel: the brightest star alone is no PSF
_FREEDOM = 0.3  # of the profile in a pixel (half of it in half a pixel), one sigma
_FLOOR = 2e-4  # of the profile's peak, in addition: spikes where the profile has no light
_FALL, _FALLS = 0.33, (0.01, 0.75)  # 1 / beta of the profile: 0.01 is a Gaussian
_WING, _WINGS = 0.05, (0.0, 0.5)  # share of the light in wings
_WING_BETA = 2.2  # with a core of large beta, this is turbulence's profile to 0.1 % of the light
_REACH = 3.5  # FWHM, to which the profile is fitted
_MOST_STARS = 100  # the brightest, that the profile is fitted to
_MOST_STEPS, _TOLERANCE = 60, 1e-4  # of conjugate gradients
_ORDERS = {1.0: 5, 0.5: 4}  # of the kernels that the images are drawn with
_BLUR = (0.25, 0.5, 0.25)  # nothing of the finest waves of half pixels, half of those of a pixel
_STEP_PX, _STEP = 0.02, 1e-3  # for derivatives by positions, and by numbers
_COARSE = 4.0  # px of FWHM


def sampling_for(fwhm: float) -> float:
    """Return the size of the images' pixels, in pixels of the image of the sky.

    Parameters
    ----------
    fwhm
        Of stars, in pixels: with four to a width, interpolation leaves no error that matters.
    """
    return 1.0 if fwhm >= _COARSE else 0.5


def term_values(u: _Floats, v: _Floats, degree: int) -> _Floats:
    """Return 1, u, u^2, ..., v, u v, ... at positions, as (terms, n)."""
    return np.array(
        [u**i * v**j for j in range(degree + 1) for i in range(degree + 1 - j)], np.float64
    )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FittedStars:
    """What a fit made of stars.

    Parameters
    ----------
    images : (terms, rows, columns)
        Their weighted sum, drawn at the centre of a star, times its flux is the star.
    x, y, flux : (n,)
        Of the stars: centres in pixels of the image.
    models : (n, side, side)
        The stars, drawn.
    """

    images: _Floats
    x: _Floats
    y: _Floats
    flux: _Floats
    models: _Floats


def fit_images(stars: Stars, terms: _Floats, *, sampling: float) -> FittedStars:
    """Fit the images of a PSF to stars.

    Parameters
    ----------
    stars
        The stars; at least as many as there are terms.
    terms : (terms, n)
        Values of the polynomial at them; the first is 1.
    sampling
        Pixels of the images in pixels of the stars.

    Returns
    -------
    FittedStars
        Drawn by the first image alone, a star has unit sum.

    Notes
    -----
    The linear problem is PSFEx's (Bertin 2011, ASP Conf. 442, 435), with the same interpolation of
    the images to the pixels of a star that they are drawn with later. The smooth profile is that of
    Moffat (1969, A&A 3, 455), elliptical; its size and ellipticity are polynomials in the position.
    A pixel of an image is that of the profile plus a deviation, whose square, over that of 0.3 of
    the profile, is added to chi^2: where the stars are bright the pixels are theirs, and in wings
    below the noise the profile stays, so that noise does not add up to light.
    """
    half = stars.stamps.shape[1] // 2
    size = 2 * math.ceil(half / sampling) + 1
    x, y, flux = stars.x.copy(), stars.y.copy(), stars.flux.copy()
    shape = np.zeros((3, len(terms)))
    shape[0, 0] = math.log(FWHM_PER_SIGMA * stars.sigma)
    tail = np.array([_FALL, _WING])
    offsets = sampling * (np.arange(size) - size // 2)
    images = _profile_images(shape, tail, offsets)
    for number in range(_ROUNDS):
        x, y, flux = _centred(stars, terms, images, x, y, flux, sampling)
        shape, tail = _fit_profile(stars, terms, x, y, flux, shape, tail)
        profile = _profile_images(shape, tail, offsets)
        if number == 0:
            images = profile
            x, y, flux = _centred(stars, terms, images, x, y, flux, sampling)
        images = _deviating(stars, terms, profile, x, y, flux, sampling)
        total = sampling**2 * images[0].sum()
        images, flux = images / total, flux * total
        x, y, flux = _centred(stars, terms, images, x, y, flux, sampling)
        if number + 1 < _ROUNDS:
            models = flux[:, np.newaxis, np.newaxis] * _drawn(stars, terms, images, x, y, sampling)
            stars = _without_strangers(stars, models)
    images = _about_the_middle(images, stars.sigma / sampling)
    x, y, flux = _centred(stars, terms, images, x, y, flux, sampling)
    models = flux[:, np.newaxis, np.newaxis] * _drawn(stars, terms, images, x, y, sampling)
    return FittedStars(images=images, x=x, y=y, flux=flux, models=models)


def _matrices(centres: _Floats, half: int, size: int, sampling: float) -> _Floats:
    """Return the matrices (n, side, size) that draw images with centres off the stamps' middles."""
    side = np.arange(-half, half + 1)
    positions = (side - centres[:, np.newaxis]) / sampling + size // 2
    flat = lanczos_matrix(positions.ravel(), size, order=_ORDERS[sampling])
    return flat.reshape(len(centres), side.size, size)


def _pair(
    stars: Stars, x: _Floats, y: _Floats, size: int, sampling: float
) -> tuple[_Floats, _Floats]:
    half = stars.stamps.shape[1] // 2
    along_y = _matrices(y - stars.row, half, size, sampling)
    along_x = _matrices(x - stars.column, half, size, sampling)
    return along_y, along_x


def _drawn(
    stars: Stars, terms: _Floats, images: _Floats, x: _Floats, y: _Floats, sampling: float
) -> _Floats:
    """Draw the PSF, of unit flux, at the centres of the stars."""
    along_y, along_x = _pair(stars, x, y, images.shape[1], sampling)
    local = np.tensordot(terms.T, images, axes=1)
    result: _Floats = along_y @ local @ along_x.transpose(0, 2, 1)
    return result


def _weights(stars: Stars, models: _Floats) -> _Floats:
    """Return the weights of the stamps' pixels, for stars that look like models.

    The noise of a stamp is one number, the sky's: that of each pixel follows the light that is in
    it by chance, so that weights by it would count darker pixels more.
    """
    usable = np.isfinite(stars.variance)
    sky = np.nanmedian(np.where(usable, stars.variance, np.nan), axis=(1, 2))
    weights: _Floats = usable / (sky[:, np.newaxis, np.newaxis] + (_ACCURACY * models) ** 2)
    return weights


def _centred(
    stars: Stars,
    terms: _Floats,
    images: _Floats,
    x: _Floats,
    y: _Floats,
    flux: _Floats,
    sampling: float,
) -> tuple[_Floats, _Floats, _Floats]:
    """Fit centres and fluxes of the stars to the images."""
    limit = 0.3
    for _ in range(3):
        star = _drawn(stars, terms, images, x, y, sampling)
        slopes = [
            (
                _drawn(stars, terms, images, x + dx, y + dy, sampling)
                - _drawn(stars, terms, images, x - dx, y - dy, sampling)
            )
            / (2.0 * _STEP_PX)
            for dx, dy in ((_STEP_PX, 0.0), (0.0, _STEP_PX))
        ]
        weights = _weights(stars, np.maximum(flux, 0.0)[:, np.newaxis, np.newaxis] * star)
        basis = np.stack([star, *slopes], axis=1).reshape(len(x), 3, -1)
        weighted = basis * weights.reshape(len(x), 1, -1)
        normal = weighted @ basis.transpose(0, 2, 1)
        right = weighted @ stars.stamps.reshape(len(x), -1, 1)
        solution = np.linalg.solve(normal, right)[:, :, 0]
        flux = solution[:, 0]
        moves = solution[:, 1:] / flux[:, np.newaxis]
        moves = np.clip(np.nan_to_num(moves), -limit, limit)
        x, y = x + moves[:, 0], y + moves[:, 1]
    return x, y, flux


def _profile(shape: _Floats, tail: _Floats, square: _Floats) -> _Floats:
    """Return elliptical profiles of unit sum over the plane.

    Parameters
    ----------
    shape : (3, ...)
        Logarithm of the width at half maximum, and two components of an ellipticity: the widths
        along the axes are the width times ``exp(+-e/2)``.
    tail : (2,)
        1 / beta of the core, and the share of the light in the wings.
    square : (3, ...)
        x^2, y^2 and 2 x y.
    """
    log_width, e1, e2 = shape
    e = np.hypot(e1, e2)
    stretch = np.where(e > 1e-4, np.sinh(e) / np.maximum(e, 1e-4), 1.0)
    radius = (
        (np.cosh(e) - stretch * e1) * square[0]
        + (np.cosh(e) + stretch * e1) * square[1]
        - stretch * e2 * square[2]
    )
    beta = 1.0 / tail[0]
    core = _moffat(np.exp(log_width), beta, radius)
    wing = _moffat(np.exp(log_width), _WING_BETA, radius)
    result: _Floats = (1.0 - tail[1]) * core + tail[1] * wing
    return result


def _moffat(width: _Floats, beta: float, radius: _Floats) -> _Floats:
    scale = 4.0 * (2.0 ** (1.0 / beta) - 1.0) / width**2
    profile: _Floats = (beta - 1.0) / math.pi * scale * (1.0 + scale * radius) ** -beta
    return profile


def _squares(x: _Floats, y: _Floats) -> _Floats:
    return np.stack(np.broadcast_arrays(x**2, y**2, 2.0 * x * y))


def _about_the_middle(images: _Floats, sigma: float) -> _Floats:
    """Centre the PSF everywhere: each star's own centre was free, so that the fit cannot say it."""
    x, y, _, _ = matched_gaussians(images[:1], sigma)
    dx, dy = (float(np.clip(-np.nan_to_num(part[0]), -0.9, 0.9)) for part in (x, y))
    moved = np.stack([translate_stamp(image, dx=dx, dy=dy) for image in images])
    side = np.arange(images.shape[1]) - images.shape[1] // 2
    weight = np.exp(-0.5 * (side[:, np.newaxis] ** 2 + side**2) / sigma**2)
    for slope, offset in zip(np.gradient(moved[0]), (side[:, np.newaxis], side), strict=True):
        lever = weight * offset
        tilts = (moved[1:] * lever).sum(axis=(1, 2)) / (slope * lever).sum()
        moved[1:] -= tilts[:, np.newaxis, np.newaxis] * slope
    return moved


def _without_strangers(stars: Stars, models: _Floats) -> Stars:
    """Mask what is brighter than the models, as a faint neighbour is that was no peak by itself."""
    root = np.sqrt(_weights(stars, models))
    pulls, sigma = (stars.stamps - models) * root, stars.sigma
    noise = np.sqrt(
        ndimage.gaussian_filter((root > 0).astype(np.float64), (0, *2 * [sigma / math.sqrt(2.0)]))
        / (4.0 * math.pi * sigma**2)
    )
    smoothed = ndimage.gaussian_filter(pulls, (0, sigma, sigma))
    strange = smoothed > _STRANGE * np.maximum(noise, 1e-9)
    grown = ndimage.uniform_filter(
        strange.astype(np.float64), (0, *2 * [2 * math.ceil(2.0 * sigma) + 1]), mode="constant"
    )
    keep = grown < 1e-9
    half = stars.stamps.shape[1] // 2
    side = np.arange(-half, half + 1)
    keep |= side[:, np.newaxis] ** 2 + side**2 <= (FWHM_PER_SIGMA * sigma) ** 2
    return dataclasses.replace(
        stars,
        stamps=np.where(keep, stars.stamps, 0.0),
        variance=np.where(keep, stars.variance, np.inf),
    )


def _fit_profile(
    stars: Stars,
    terms: _Floats,
    x: _Floats,
    y: _Floats,
    flux: _Floats,
    shape: _Floats,
    tail: _Floats,
) -> tuple[_Floats, _Floats]:
    """Fit the profile to the brightest stars: polynomials of its shape, and one tail."""
    half, few = stars.stamps.shape[1] // 2, slice(0, _MOST_STARS)
    reach = min(half, max(3, math.ceil(_REACH * FWHM_PER_SIGMA * stars.sigma)))
    part = np.s_[few, half - reach : half + reach + 1, half - reach : half + reach + 1]
    side, terms = np.arange(-reach, reach + 1), terms[:, few]
    square = _squares(
        (side - (x - stars.column)[few, np.newaxis])[:, np.newaxis, :],
        (side - (y - stars.row)[few, np.newaxis])[:, :, np.newaxis],
    )
    cut = dataclasses.replace(stars, stamps=stars.stamps[part], variance=stars.variance[part])
    models = flux[few, np.newaxis, np.newaxis] * _profile(
        np.expand_dims(shape @ terms, (2, 3)), tail, square
    )
    root = np.sqrt(_weights(cut, models))
    values, usable = cut.stamps * root, root > 0

    def differences(numbers: _Floats) -> _Floats:
        local = np.expand_dims(numbers[:-2].reshape(3, -1) @ terms, (2, 3))
        profile = _profile(local, numbers[-2:], square) * root
        fitting = (profile * values).sum(axis=(1, 2)) / (profile**2).sum(axis=(1, 2))
        return (values - fitting[:, np.newaxis, np.newaxis] * profile)[usable]

    limits = np.array([_FALLS, _WINGS]).T
    bounds = np.full((2, shape.size + 2), [[-np.inf], [np.inf]])
    bounds[:, -2:] = limits
    inside = np.clip(tail, limits[0] + 1e-3, limits[1] - 1e-3)
    found = least_squares(
        differences,
        np.append(shape.ravel(), inside),
        bounds=bounds,
        loss="soft_l1",
        f_scale=3.0,
        ftol=1e-5,
        tr_solver="lsmr",
        max_nfev=30,
    )
    return found.x[:-2].reshape(3, -1), found.x[-2:]


def _profile_images(shape: _Floats, tail: _Floats, offsets: _Floats) -> _Floats:
    """Return the profile as images of the terms, linear in what changes over the image."""
    square, middle = _squares(offsets, offsets[:, np.newaxis]), shape[:, 0]
    images = np.zeros((shape.shape[1], offsets.size, offsets.size))
    images[0] = _profile(middle, tail, square)
    for which in range(3):
        change = np.zeros(3)
        change[which] = _STEP
        slope = _profile(middle + change, tail, square) - _profile(middle - change, tail, square)
        images[1:] += shape[which, 1:, np.newaxis, np.newaxis] * slope / (2.0 * _STEP)
    return images


def _deviating(
    stars: Stars,
    terms: _Floats,
    profile: _Floats,
    x: _Floats,
    y: _Floats,
    flux: _Floats,
    sampling: float,
) -> _Floats:
    """Return the profile with the deviations that the stars ask for, by conjugate gradients."""
    along_y, along_x = _pair(stars, x, y, profile.shape[1], sampling)
    room = _FREEDOM * sampling * profile[0] + _FLOOR * profile[0].max()
    factors = terms * flux  # (terms, n)
    models = along_y @ np.tensordot(factors.T, profile, axes=1) @ along_x.transpose(0, 2, 1)
    weights = _weights(stars, models)

    def back(stamps: _Floats) -> _Floats:
        on_grid = along_y.transpose(0, 2, 1) @ stamps @ along_x
        result: _Floats = room * _smoothed(np.tensordot(factors, on_grid, axes=1), sampling)
        return result

    def forth(deviations: _Floats) -> _Floats:
        local = np.tensordot(factors.T, _smoothed(room * deviations, sampling), axes=1)
        result: _Floats = along_y @ local @ along_x.transpose(0, 2, 1)
        return result

    # Shifted by a fraction of a pixel, a pixel of an image is still about one pixel of a stamp.
    shares = (along_y**2).transpose(0, 2, 1) @ weights @ along_x**2
    diagonal = 1.0 + room**2 * np.tensordot(factors**2, shares, axes=1)
    found = np.zeros_like(profile)
    rest = back(weights * (stars.stamps - models))
    ready = rest / diagonal
    direction, product = ready, float((rest * ready).sum())
    goal = _TOLERANCE**2 * product
    for _ in range(_MOST_STEPS):
        if product <= goal:
            break
        image = direction + back(weights * forth(direction))
        length = product / float((direction * image).sum())
        found += length * direction
        rest = rest - length * image
        ready = rest / diagonal
        before, product = product, float((rest * ready).sum())
        direction = ready + product / before * direction
    images: _Floats = profile + _smoothed(room * found, sampling)
    return images


def _smoothed(images: _Floats, sampling: float) -> _Floats:
    """Smooth what is finer than a pixel: each phase of it is known from a quarter of the stars."""
    if sampling == 1.0:
        return images
    for axis in (1, 2):
        images = ndimage.convolve1d(images, _BLUR, axis=axis, mode="constant")
    return images
