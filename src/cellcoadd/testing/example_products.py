"""Warps and a coadd of hand-made detectors, with everything that such products can carry."""

from __future__ import annotations

__all__ = ["N_NOISE", "example_coadd", "example_warps"]

import dataclasses
from collections.abc import Sequence

import galsim
import numpy as np
import piff
from lsst.images.psfs import GaussianPointSpreadFunction, PiffWrapper, PointSpreadFunction

from ..coaddition.assemble import VisitOnPatch, assemble_cell_coadd
from ..coaddition.settings import CoaddSettings
from ..products.calibrated_image import CalibratedImage
from ..products.cell_coadd import MultipleCellCoadd
from ..psfs.models import ImagePointSpreadFunction, PsfexPointSpreadFunction
from ..skymap import Patch
from ..warping.direct import DirectWarp, make_direct_warp
from ..warping.settings import WarpSettings
from .images import make_detector, small_patch

N_NOISE = 2
"""Noise realizations that they have."""


def example_warps() -> list[DirectWarp]:
    """Return two visits of two detectors each, with all kinds of PSF, interpolated, with noise."""
    patch = small_patch()
    settings = WarpSettings(
        number_of_noise_realizations=N_NOISE, do_pre_warp_interpolation=True, border=20
    )
    warps = []
    for visit, kinds in ((1, ("gaussian", "psfex")), (2, ("image", "piff"))):
        made = make_direct_warp(
            _detectors(patch, visit=visit, kinds=kinds), patch, settings=settings
        )
        assert made is not None
        warps.append(made)
    return warps


def example_coadd(warps: Sequence[DirectWarp]) -> MultipleCellCoadd:
    """Return the coadd of `example_warps`; the detectors leave some cells empty."""
    visits = [VisitOnPatch(warp=made.warp, noise=made.noise) for made in warps]
    settings = CoaddSettings(num_noise_realizations=N_NOISE, psf_dimensions=21)
    coadd = assemble_cell_coadd(visits, small_patch(), settings=settings)
    assert coadd is not None
    return coadd


def _psf_of_kind(kind: str, image: CalibratedImage) -> PointSpreadFunction:
    """Return one of each kind that can be stored."""
    if kind == "gaussian":
        return GaussianPointSpreadFunction(1.7, image.bbox, 15)
    offset = np.arange(-7, 8)
    stamp = np.exp(-0.25 * (offset[:, None] ** 2 + offset[None, :] ** 2))
    if kind == "image":
        return ImagePointSpreadFunction(stamp, bounds=image.bbox)
    if kind == "psfex":
        # Brighter wings towards the right.
        return PsfexPointSpreadFunction(
            np.stack([stamp, 0.2 * stamp * np.abs(offset), 0.1 * stamp]),
            degree=1, x_zero=75.0, y_zero=75.0, x_scale=150.0, y_scale=150.0, sampling=1.0,
            bounds=image.bbox,
        )  # fmt: skip
    interpolation = piff.BasisPolynomial(order=0)
    interpolation.q = np.array([[2.0], [0.05], [0.0]])
    psf = piff.SimplePSF(piff.Moffat(2.5, include_pixel=False), interpolation)
    psf.wcs, psf.pointing, psf.bandpass = {0: galsim.PixelScale(1.0)}, None, None
    psf.stars = []
    return PiffWrapper(psf, bounds=image.bbox, stamp_size=21)


def _detectors(patch: Patch, *, visit: int, kinds: tuple[str, ...]) -> list[CalibratedImage]:
    """Detectors side by side, with noise, sources of NaN, bad columns and a plane of their own."""
    result = []
    for number, kind in enumerate(kinds):
        rng = np.random.default_rng([visit, number])
        shape = (140, 80)
        bad = np.zeros(shape, np.bool_)
        bad[:, 30:33] = True
        hit = rng.random(shape) < 0.01
        pixels = rng.normal(10.0, 2.0, shape)
        pixels[70:72, 50] = np.nan
        image = make_detector(
            patch, x=patch.outer_bbox.x.start + 40 + 84 * number, visit=visit, detector=number,
            width=shape[1], height=shape[0], rotation=2.0 * visit, pixels=pixels,
            variance=rng.uniform(3.5, 4.5, shape), flags={"BAD": bad, "CR": hit, "ODD": hit},
            nanojansky_per_count=1.5,
        )  # fmt: skip
        result.append(dataclasses.replace(image, psf=_psf_of_kind(kind, image)))
    return result
