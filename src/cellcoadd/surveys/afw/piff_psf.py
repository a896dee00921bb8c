"""Piff's point-spread functions out of afw files, which hold them as pickles.

Bytes come in; numbers are decoded of them (`pickle_data`, which runs nothing), checked, and put
into Piff's own classes, which draw the function as the Rubin pipelines do.
"""

from __future__ import annotations

__all__ = ["piff_psf"]

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from lsst.images import Box
from lsst.images.psfs import PiffWrapper, PointSpreadFunction

from ...errors import UnusableInputError
from .pickle_data import Record, UnreadablePickleError, decode_pickle

_NAMES = (
    {("piff.simplepsf", "SimplePSF"), ("piff.pixelgrid", "PixelGrid")}
    | {("piff.basis_interp", "BasisPolynomial")}
    | {("piff.outliers", f"{kind}Outliers") for kind in ("Chisq", "MAD", "NSigma", "RobustNSigma")}
    | {("piff.star", name) for name in ("Star", "StarData", "StarFit")}
    | {("galsim.interpolant", name) for name in ("Lanczos", "Quintic")}
    | {("galsim.gsparams", "GSParams"), ("galsim.interpolatedimage", "InterpolatedImage")}
    | {("galsim.image", "Image"), ("galsim.bounds", "BoundsI"), ("galsim.bounds", "BoundsD")}
    | {("galsim.position", "PositionD"), ("galsim.position", "PositionI")}
    | {
        ("galsim.wcs", name)
        for name in ("PixelScale", "JacobianWCS", "OffsetWCS", "AffineTransform")
    }
)
"""Classes of a Piff model of pixels without pointing, and of the stars that it was made from."""

_LARGEST = 1001  # pixels a side
_HIGHEST = 20  # order of a polynomial
_KEYS = {"u", "v", "x", "y"}
_WAY_OUT = (
    "In Python, its PSF can be had with the Rubin pipelines (lsst.meas.extensions.piff) and the "
    "image given as a CalibratedImage."
)


def piff_psf(data: bytes, *, bounds: Box, source: str) -> PointSpreadFunction:
    """Make the PSF that a pickle of Rubin's wrapper of Piff describes.

    Parameters
    ----------
    data
        The pickle: width and height of images, and the PSF of Piff.
    bounds
        The pixels where it is valid.
    source
        The file, for messages.

    Raises
    ------
    UnusableInputError
        If the pickle holds anything but the numbers of a grid of pixels whose values are
        polynomials of the position; so if it depends on colours, or holds a transform of afw.
    """
    try:
        return _psf(decode_pickle(data, names=_NAMES), bounds)
    except UnreadablePickleError as error:
        raise UnusableInputError(
            source, f"its PSF of Piff cannot be read as data: {error}. {_WAY_OUT}"
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnusableInputError(
            source, f"its PSF of Piff is broken or of a kind unknown ({error}). {_WAY_OUT}"
        ) from error


def _psf(value: Any, bounds: Box) -> PointSpreadFunction:
    if not (isinstance(value, tuple) and len(value) == 3):
        raise UnreadablePickleError("it must be width, height and PSF")
    width, height, psf = value
    simple = _state(psf, "SimplePSF")
    side = int(width)
    if width != height or not 3 <= side <= _LARGEST:
        raise UnreadablePickleError(f"its images have {width} x {height} pixels")
    import piff  # takes a second, and needed only here

    model = _model(_state(simple["model"], "PixelGrid"))
    interpolation = _interpolation(_state(simple["interp"], "BasisPolynomial"), model.size)
    result = piff.SimplePSF(model, interpolation)
    result.wcs, result.pointing = {0: _pixel_scale(simple)}, None
    result.stars = []
    return PiffWrapper(result, bounds, side - (side + 1) % 2)


def _state(record: Any, name: str) -> Mapping[str, Any]:
    if not (isinstance(record, Record) and record.label.name == name):
        what = record.label.name if isinstance(record, Record) else type(record).__name__
        raise UnreadablePickleError(f"a {name} is expected, a {what} is there")
    if not isinstance(record.state, dict):
        raise UnreadablePickleError(f"its {name} has no state")
    return record.state


def _model(state: Mapping[str, Any]) -> Any:
    import galsim
    import piff

    scale, size = float(state["scale"]), int(state["size"])
    order = int(_state(state["interp"], "Lanczos")["_n"])
    if not (math.isfinite(scale) and scale > 0 and 1 <= size <= _LARGEST and 1 <= order <= 30):
        raise UnreadablePickleError(
            f"its model has {size} pixels of {scale} arcsec, Lanczos order {order}"
        )
    return piff.PixelGrid(
        scale,
        size,
        interp=galsim.Lanczos(order),
        centered=bool(state.get("_centered", True)),
        fit_flux=bool(state.get("_fit_flux", False)),
    )


def _interpolation(state: Mapping[str, Any], size: int) -> Any:
    import piff

    keys = tuple(str(key) for key in state["_keys"])
    if not set(keys) <= _KEYS:
        raise UnreadablePickleError(
            f"it depends on {', '.join(keys)}, only one on the position can be used"
        )
    orders = tuple(int(order) for order in state["_orders"])
    highest = state["_max_order"]
    if (
        len(orders) != 2
        or not all(0 <= order <= _HIGHEST for order in orders)
        or isinstance(highest, dict)
    ):
        raise UnreadablePickleError(f"its polynomial has the orders {orders}")
    result = piff.BasisPolynomial(orders, keys=keys, max_order=int(highest))
    mask = np.asarray(state["_mask"], dtype=bool)
    if not np.array_equal(mask, result._mask):
        raise UnreadablePickleError("its polynomial has other terms than its orders say")
    result.q = _coefficients(state["q"], size * size, int(np.count_nonzero(mask)))
    return result


def _coefficients(values: Any, pixels: int, terms: int) -> npt.NDArray[np.float64]:
    array = np.array(values, dtype=np.float64)
    if array.shape != (pixels, terms) or not np.isfinite(array).all():
        raise UnreadablePickleError(
            f"its coefficients must be {pixels} x {terms} finite numbers, their shape is "
            f"{array.shape}"
        )
    return array


def _pixel_scale(simple: Mapping[str, Any]) -> Any:
    import galsim

    wcs = simple["wcs"]
    if simple.get("pointing") is not None or not (isinstance(wcs, dict) and list(wcs) == [0]):
        raise UnreadablePickleError("its WCS is not one scale of pixels")
    scale = float(_state(wcs[0], "PixelScale")["_scale"])
    if not (math.isfinite(scale) and scale > 0):
        raise UnreadablePickleError(f"a pixel measures {scale} arcsec")
    return galsim.PixelScale(scale)
