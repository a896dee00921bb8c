"""The point-spread function of an image, measured from its own stars.

Pixels, mask and variance come in; a PSF that can be stored and drawn anywhere on the image goes
out, and how good it is. Which stars are taken is in `psf_stars`, the fit in `psf_fit`; why it is
done so, and how exact it is: docs/decisions/0023.
"""

from __future__ import annotations

__all__ = ["MeasuredPsf", "PsfMeasurement", "PsfQuality", "measure_psf"]

import dataclasses
import hashlib
import logging
import math

import numpy as np
import numpy.typing as npt
from lsst.images import Box, MaskedImage

from ..conventions import FWHM_PER_SIGMA, fwhm_of_moments
from ..errors import UnusableInputError
from ..kernels.moments import adaptive_moments
from ..masks.planes import plane_array
from ..products.calibrated_image import ImageQuality
from ..psfs.models import PsfexPointSpreadFunction, psfex_term_count
from .measured_sky import SkyMesh, measure_sky
from .psf_fit import FittedStars, fit_images, sampling_for, term_values
from .psf_stars import Stars, choose_stars, matched_gaussians
from .sources import believed_pixels

type _Floats = npt.NDArray[np.float64]
type _Bools = npt.NDArray[np.bool_]

_LOG = logging.getLogger(__name__)

NEEDED_STARS = 8
"""Without so many stars there is no PSF; with so many for each term of a polynomial, it varies."""

_HIGHEST_DEGREE = 2
_LEAST_SPREAD = (
    0.2  # of the image's sides: standard deviation of the stars' positions; 0.29 if even
)
_MESH = SkyMesh(size=64)
_GRID = 5  # positions a side at which the PSF's size is looked at
_ODD = 4.0  # times the usual chi^2, or difference of a pixel from it: a star that is none
_MOST_ODD = 0.2  # of the stars are left out so, no more
_WAYS_OUT = (
    "say in the camera's definition what the PSF is instead: its width (psf: {moffat: {fwhm: ...}} "
    "or gaussian), an image of it (image), or what PSFEx wrote (psfex)"
)

_MOST_KNOWN = 64  # PSFs of images that may be read again, strip by strip
_KNOWN: dict[bytes, MeasuredPsf] = {}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PsfMeasurement:
    """How a PSF is measured.

    Parameters
    ----------
    signal_to_noise
        That a star must have, at least 10: faint ones add noise, and are taken for galaxies.
    degree
        The highest degree in x and y with which the PSF may change over the image, 0 to 2. There
        must be 8 stars for each term of the polynomial (1, 3 or 6), and their positions must spread
        over the image; else a lower degree is taken.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    signal_to_noise: float = 40.0
    degree: int = 1

    def __post_init__(self) -> None:
        if not (math.isfinite(self.signal_to_noise) and self.signal_to_noise >= 10.0):
            raise ValueError(f"signal_to_noise must be 10 or more, got {self.signal_to_noise}.")
        if self.degree not in range(_HIGHEST_DEGREE + 1):
            raise ValueError(f"degree must be in 0..{_HIGHEST_DEGREE}, got {self.degree}.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PsfQuality:
    """How good a measured PSF is.

    Parameters
    ----------
    stars
        How many stars it was made from.
    sources
        How many sources are as significant, stars or not.
    degree
        Of its change over the image.
    fwhm_px
        Full width at half maximum of a Gaussian of its size, in the middle of the image, in pixels.
    ellipticity
        ``(a^2 - b^2) / (a^2 + b^2)`` in the middle.
    size_range
        By how much its size, as a sigma in pixels, changes from one part of the image to another.
    size_scatter
        Standard deviation of the stars' sizes over that of the PSF where they are.
    chi_square
        Median over the stars of chi^2 a pixel, within the width of the PSF, after the fit.
    """

    stars: int
    sources: int
    degree: int
    fwhm_px: float
    ellipticity: float
    size_range: float
    size_scatter: float
    chi_square: float

    def __str__(self) -> str:
        kind = ("constant", "linear in x and y", "of degree 2 in x and y")[self.degree]
        return (
            f"measured from {self.stars} stars of {self.sources} sources, {kind}: FWHM "
            f"{self.fwhm_px:.2f} px, ellipticity {self.ellipticity:.3f}, scatter of sizes "
            f"{self.size_scatter:.1%}, chi^2 {self.chi_square:.2f}"
        )

    def image_quality(self, pixel_scale_arcsec: float) -> ImageQuality:
        """Return what the selection of inputs cuts on.

        Parameters
        ----------
        pixel_scale_arcsec
            Of the image.

        Notes
        -----
        Differences between stars and PSF are left out: of few faint stars they are noise, by which
        good images would fail cuts that are made for hundreds of bright ones.
        """
        return ImageQuality(
            psf_sigma=self.fwhm_px / FWHM_PER_SIGMA,
            psf_trace_radius_delta=self.size_range,
            n_psf_star=self.stars,
            pixel_scale_arcsec=pixel_scale_arcsec,
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class MeasuredPsf:
    """A measured PSF.

    Parameters
    ----------
    psf
        By position in the image.
    quality
        How good it is.
    x, y, flux : (n,)
        Where the stars are that it was made from, in pixels of the image, and their counts.
    """

    psf: PsfexPointSpreadFunction
    quality: PsfQuality
    x: _Floats
    y: _Floats
    flux: _Floats


def measure_psf(
    planes: MaskedImage, *, source: str, settings: PsfMeasurement | None = None
) -> MeasuredPsf:
    """Measure the PSF of an image from its stars.

    Parameters
    ----------
    planes
        Pixels, mask with our planes and variance. What is left of the sky is measured first, and
        left out.
    source
        What the user knows the image as, for messages.
    settings
        None: the defaults.

    Returns
    -------
    MeasuredPsf
        The same for the same pixels.

    Raises
    ------
    UnusableInputError
        If there are too few stars.
    """
    settings = PsfMeasurement() if settings is None else settings
    key = _digest(planes, settings)
    if key in _KNOWN:
        return _KNOWN[key]
    measured = _measured(planes, source, settings)
    _LOG.info("%s: its PSF was %s.", source, measured.quality)
    while len(_KNOWN) >= _MOST_KNOWN:
        _KNOWN.pop(next(iter(_KNOWN)))
    _KNOWN[key] = measured
    return measured


def _digest(planes: MaskedImage, settings: PsfMeasurement) -> bytes:
    """Return what tells pixels from others: a file that is read again is not measured again."""
    digest = hashlib.blake2b(repr((planes.bbox, planes.mask.schema, settings)).encode())
    for plane in (planes.image.array, planes.variance.array, plane_array(planes.mask)):
        digest.update(np.ascontiguousarray(plane).data)
    return digest.digest()


def _measured(planes: MaskedImage, source: str, settings: PsfMeasurement) -> MeasuredPsf:
    residual, variance, good = _prepared(planes)
    stars = choose_stars(residual, variance, good, least_significance=settings.signal_to_noise)
    _check_number(stars, settings, source)
    box = planes.bbox
    zero = (0.5 * (box.x.size - 1), 0.5 * (box.y.size - 1))
    scale = (max(0.5 * box.x.size, 1.0), max(0.5 * box.y.size, 1.0))
    sampling = sampling_for(FWHM_PER_SIGMA * stars.sigma)
    for again in (True, False):
        degree = _degree(stars, settings.degree, box)
        u, v = (stars.x - zero[0]) / scale[0], (stars.y - zero[1]) / scale[1]
        fit = fit_images(stars, term_values(u, v, degree), sampling=sampling)
        chi_square = _chi_square(stars, fit)
        kept = _not_odd(chi_square, stars, fit)
        if not again or kept.all():
            break
        stars = stars.taken(kept)
        _check_number(stars, settings, source)
    psf = PsfexPointSpreadFunction(
        fit.images,
        degree=degree,
        x_zero=zero[0] + box.x.start,
        y_zero=zero[1] + box.y.start,
        x_scale=scale[0],
        y_scale=scale[1],
        sampling=sampling,
        bounds=box,
    )
    x, y = fit.x + box.x.start, fit.y + box.y.start
    quality = _quality(psf, stars, fit, degree, float(np.median(chi_square)))
    return MeasuredPsf(psf=psf, quality=quality, x=x, y=y, flux=fit.flux)


def _prepared(planes: MaskedImage) -> tuple[_Floats, _Floats, _Bools]:
    """Return the image less what is left of its sky, the variance, and where both are believed."""
    image = planes.image.array.astype(np.float64)
    variance = planes.variance.array.astype(np.float64)
    variance[~(np.isfinite(image) & (variance > 0))] = np.inf
    good = believed_pixels(image, variance, plane_array(planes.mask), planes.mask.schema)
    try:
        image -= measure_sky(image, good, mesh=_MESH, source="").model
    except UnusableInputError:  # too small, or too full
        if good.any():
            image -= np.median(image[good])
    return image, variance, good


def _check_number(stars: Stars, settings: PsfMeasurement, source: str) -> None:
    if len(stars) < NEEDED_STARS:
        raise UnusableInputError(
            source,
            f"its PSF cannot be measured: {len(stars)} of {stars.sources} sources with a signal of "
            f"{settings.signal_to_noise:g} times the noise are single whole stars, {NEEDED_STARS} "
            f"are needed; {_WAYS_OUT}.",
        )


def _degree(stars: Stars, highest: int, box: Box) -> int:
    """Return with which degree so many stars can say how the PSF changes."""
    spread = min(float(np.std(stars.x)) / box.x.size, float(np.std(stars.y)) / box.y.size)
    for degree in range(highest, 0, -1):
        if len(stars) >= NEEDED_STARS * psfex_term_count(degree) and spread >= _LEAST_SPREAD:
            return degree
    return 0


def _middle(stars: Stars) -> _Bools:
    """Return which pixels of a stamp are within the width of the PSF."""
    half = stars.stamps.shape[1] // 2
    side = np.arange(-half, half + 1)
    inside: _Bools = side[:, np.newaxis] ** 2 + side**2 <= (FWHM_PER_SIGMA * stars.sigma) ** 2
    return inside


def _chi_square(stars: Stars, fit: FittedStars) -> _Floats:
    """Return chi^2 a pixel of each star, with an error of a per cent of its light."""
    middle = _middle(stars)
    models = fit.models[:, middle]
    squares = (stars.stamps[:, middle] - models) ** 2
    return (squares / (stars.variance[:, middle] + (0.01 * models) ** 2)).mean(axis=1)


def _not_odd(chi_square: _Floats, stars: Stars, fit: FittedStars) -> _Bools:
    """Tell which stars look like the others; of the rest, the worst are left out."""
    limit = _ODD * max(1.0, float(np.median(chi_square)))
    odd = (chi_square > limit) | ~(fit.flux > 0)
    odd |= np.hypot(fit.x - stars.x, fit.y - stars.y) > max(1.0, stars.sigma)
    worst = np.argsort(-np.where(odd, chi_square, -np.inf), kind="stable")
    kept = np.ones(len(stars), np.bool_)
    kept[worst[: min(int(odd.sum()), int(_MOST_ODD * len(stars)))]] = False
    return kept


def _quality(
    psf: PsfexPointSpreadFunction, stars: Stars, fit: FittedStars, degree: int, chi_square: float
) -> PsfQuality:
    box = psf.bounds
    xx, yy, xy = _moments(psf, 0.5 * (box.x.min + box.x.max), 0.5 * (box.y.min + box.y.max))
    traces = [
        math.sqrt(0.5 * sum(_moments(psf, float(x), float(y))[:2]))
        for x in np.linspace(box.x.min, box.x.max, _GRID)
        for y in np.linspace(box.y.min, box.y.max, _GRID)
    ]
    ratios = np.log(
        matched_gaussians(stars.stamps, stars.sigma)[3]
        / matched_gaussians(fit.models, stars.sigma)[3]
    )
    return PsfQuality(
        stars=len(stars),
        sources=stars.sources,
        degree=degree,
        fwhm_px=fwhm_of_moments(xx, yy, xy),
        ellipticity=math.hypot(xx - yy, 2.0 * xy) / (xx + yy),
        size_range=max(traces) - min(traces),
        size_scatter=1.4826 * float(np.nanmedian(np.abs(ratios - np.nanmedian(ratios)))),
        chi_square=chi_square,
    )


def _moments(psf: PsfexPointSpreadFunction, x: float, y: float) -> tuple[float, float, float]:
    """Return the covariance of the Gaussian that matches the PSF at a position."""
    xx, yy, xy, _ = adaptive_moments(psf.compute_kernel_image(x=x, y=y).array)
    return xx, yy, xy
