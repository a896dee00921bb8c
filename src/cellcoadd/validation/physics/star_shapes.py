"""Stars of a coadd beside the coadd's own point-spread function, and beside the truth."""

from __future__ import annotations

__all__ = ["StarErrors", "fit_flux", "measure_stars"]

import dataclasses

import galsim
import numpy as np
import numpy.typing as npt
from astropy.coordinates import SkyCoord
from astropy.table import Table

from ...conventions import round_half_up
from ...errors import MissingCellError
from ...products.cell_coadd import MultipleCellCoadd

type _Floats = npt.NDArray[np.float64]

_ISOLATION = 45.0  # pixels: beyond the stamps of 35, where a Moffat has 1e-6 of its peak
_MAS_PER_DEGREE = 3.6e6


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class StarErrors:
    """Isolated stars of a coadd: measured less true, and less the coadd's PSF.

    Parameters
    ----------
    flux : float64 (n,)
        Relative error of the flux that the PSF, drawn at the true position, is fitted with.
    sigma : float64 (n,)
        Adaptive sigma less that of the PSF, in pixels.
    from_psf : float64 (n,)
        Distance of the centroid from that of the PSF drawn at the true position, in mas.
    from_sky : float64 (n,)
        Distance of the centroid, put on the sky, from the true position, in mas.
    """

    flux: _Floats
    sigma: _Floats
    from_psf: _Floats
    from_sky: _Floats

    @property
    def count(self) -> int:
        """Number of stars."""
        return self.flux.size


def measure_stars(coadd: MultipleCellCoadd, truth: Table) -> StarErrors:
    """Measure all isolated stars of a coadd.

    Parameters
    ----------
    coadd
        Without noise.
    truth
        All sources, with the columns of `cellcoadd.simulate.sky.TRUTH_COLUMNS`.

    Returns
    -------
    StarErrors
        Of the stars in filled cells that have no other source within 45 pixels.

    Notes
    -----
    Adaptive moments are those of GalSim's HSM (Hirata & Seljak 2003), which shares no code with
    ours.
    """
    true = SkyCoord(truth["ra"], truth["dec"])
    at = coadd.wcs.sky_to_pixel(true)
    xs, ys = np.asarray(at.x), np.asarray(at.y)
    chosen, rows = [], []
    for number in np.flatnonzero(truth["type"] == "star").tolist():
        distance = np.hypot(xs - xs[number], ys - ys[number])
        distance[number] = np.inf
        if distance.min() < _ISOLATION:
            continue
        row = _measure_star(coadd, x=float(xs[number]), y=float(ys[number]))
        if row is not None:
            chosen.append(number)
            rows.append(row)
    if not rows:
        none = np.zeros(0)  # AST transforms a position or more
        return StarErrors(flux=none, sigma=none, from_psf=none, from_sky=none)
    flux, sigma, x, y, psf_x, psf_y = np.array(rows, np.float64).T
    star, psf = coadd.wcs.pixel_to_sky(x=x, y=y), coadd.wcs.pixel_to_sky(x=psf_x, y=psf_y)
    return StarErrors(
        flux=flux / np.asarray(truth["flux_njy"])[chosen] - 1.0,
        sigma=sigma,
        from_psf=star.separation(psf).deg * _MAS_PER_DEGREE,
        from_sky=star.separation(true[chosen]).deg * _MAS_PER_DEGREE,
    )


def fit_flux(pixels: npt.NDArray[np.floating], model: _Floats) -> float:
    """Return the flux of a star at a known position: least squares, all pixels alike."""
    return float((pixels * model).sum() / (model * model).sum())


def _measure_star(
    coadd: MultipleCellCoadd, *, x: float, y: float
) -> tuple[float, float, float, float, float, float] | None:
    """Return flux, sigma less the PSF's, and the centroids of the star and of the PSF."""
    try:
        model = coadd.psf.compute_stellar_image(x=x, y=y)
    except MissingCellError:
        return None
    index = coadd.grid.index_of(x=round_half_up(x), y=round_half_up(y))
    pixels = coadd.cells[index].outer.image[model.bbox].array.astype(np.float64)
    flux = fit_flux(pixels, model.array)
    sigma, column, row = _adaptive_moments(pixels / flux)
    psf_sigma, psf_column, psf_row = _adaptive_moments(model.array)
    start = model.bbox.start
    return (
        flux, sigma - psf_sigma,
        start.x + column, start.y + row, start.x + psf_column, start.y + psf_row,
    )  # fmt: skip


def _adaptive_moments(stamp: _Floats) -> tuple[float, float, float]:
    """Return sigma and the centroid from the middle of the first pixel."""
    found = galsim.hsm.FindAdaptiveMom(galsim.ImageD(stamp.copy(), scale=1.0))
    return found.moments_sigma, found.moments_centroid.x - 1, found.moments_centroid.y - 1
