"""The variance of an image by the definition of its camera, infinite where there are no data."""

from __future__ import annotations

__all__ = ["check_noise", "read_plane_pixels", "read_variance"]

import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UnusableInputError
from .camera_definition import CameraDefinition
from .definition_values import Headers, Plane
from .fits_files import open_fits, read_pixels

_LOG = logging.getLogger(__name__)
_COUNTS_AS_ZERO = 1e-4  # of the median weight: lossy compression makes such numbers of zeros

_PLAUSIBLE, _POSSIBLE = (0.5, 2.0), (0.1, 10.0)  # of the variance that is seen by that stated
_SIGMA_PER_MAD = 1.4826  # of a Gaussian


def read_variance(
    camera: CameraDefinition, headers: Headers, image: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the variance of each pixel, in the square of the image's unit.

    Parameters
    ----------
    camera
        How it is found.
    headers
        Those of the image.
    image : (rows, columns)
        As it is in the file.

    Returns
    -------
    variance : (rows, columns)
        Infinite where there is none: zeros, negative numbers, and what is not finite.

    Raises
    ------
    UnusableInputError
        If a file or keyword is missing or broken.
    """
    noise = camera.noise
    if noise.kind == "constant":
        assert noise.rms is not None, "checked when read"
        return np.full(image.shape, noise.rms.positive_of(headers) ** 2)
    if noise.kind == "from_gain":
        return _from_gain(camera, headers, image)
    assert noise.plane is not None, "checked when read"
    stated = read_plane_pixels(noise.plane, headers.path, shape=image.shape).astype(np.float64)
    variance = np.full(image.shape, np.inf)
    if noise.kind in ("variance", "rms"):
        good = np.isfinite(stated) & (stated > 0)
        variance[good] = stated[good] if noise.kind == "variance" else stated[good] ** 2
        return variance
    positive = stated[np.isfinite(stated) & (stated > 0)]
    least = _COUNTS_AS_ZERO * float(np.median(positive)) if positive.size else 0.0
    good = np.isfinite(stated) & (stated > least)
    scale = 1.0 if noise.scale is None else noise.scale.positive_of(headers)
    variance[good] = scale / stated[good]
    return variance


def _from_gain(
    camera: CameraDefinition, headers: Headers, image: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the variance of the photons and of the read-out, from the image itself."""
    noise = camera.noise
    assert noise.gain is not None, "checked when read"
    gain = noise.gain.positive_of(headers)
    sky = 0.0 if noise.sky is None else noise.sky.number_of(headers)
    read = 0.0 if noise.read_noise is None else noise.read_noise.number_of(headers)
    seconds = 1.0
    if camera.flux.unit == "count/s":
        assert camera.identity.exposure_time is not None, "checked when read"
        seconds = camera.identity.exposure_time.positive_of(headers)
    with np.errstate(invalid="ignore"):
        counts = np.maximum((image + sky) * seconds, 0.0)
    variance: npt.NDArray[np.float64] = (counts / gain + (read / gain) ** 2) / seconds**2
    variance[~(np.isfinite(variance) & (variance > 0))] = np.inf
    return variance


def check_noise(
    image: npt.NDArray[np.float64],
    variance: npt.NDArray[np.float64],
    good: npt.NDArray[np.bool_],
    source: str,
) -> None:
    """Refuse an image that scatters in another way than its variance says, by a factor of ten.

    Parameters
    ----------
    image, variance, good : (rows, columns)
        The image, its variance, and where both are to be believed.
    source
        The file, for messages.

    Raises
    ------
    UnusableInputError
        If the variance that is seen is below 0.1 or above 10 of the one that is stated.

    Notes
    -----
    What is seen is half of the variance of differences between neighbours in a row, from their
    median absolute deviation: neither sources nor nebulae matter, and noise that was correlated by
    resampling lies below its variance. A factor of two is told in the log.
    """
    scaled = np.where(good, image, np.nan) / np.sqrt(np.where(good, variance, np.nan))
    differences = scaled[:, 1:] - scaled[:, :-1]
    differences = differences[np.isfinite(differences)]
    if differences.size == 0:
        return
    spread = float(np.median(np.abs(differences - np.median(differences))))
    ratio = 0.5 * (_SIGMA_PER_MAD * spread) ** 2
    said = (
        f"the scatter of its pixels gives {ratio:.3g} times the variance that the camera's "
        "definition finds in noise"
    )
    if not _POSSIBLE[0] <= ratio <= _POSSIBLE[1]:
        raise UnusableInputError(
            source,
            f"{said}; {_POSSIBLE[0]} to {_POSSIBLE[1]} are possible. Is it a variance, a weight or "
            "a deviation, and in the unit of the image? check_noise: false leaves this out.",
        )
    if not _PLAUSIBLE[0] <= ratio <= _PLAUSIBLE[1]:
        _LOG.warning("%s: %s.", source, said)


def read_plane_pixels(
    plane: Plane, path: Path, *, shape: tuple[int, ...] | None = None
) -> npt.NDArray[Any]:
    """Return the pixels of a plane that belongs to an image.

    Parameters
    ----------
    plane
        Where they are.
    path
        The image's file.
    shape
        Which they must have.

    Raises
    ------
    UnusableInputError
        If the file or its extension is missing or broken.
    """
    file = plane.file_of(path)
    with open_fits(file) as hdus:
        pixels = read_pixels(hdus, plane.extension_of(hdus, file), file, shape=shape)
    if pixels.dtype.kind not in "iuf":
        raise UnusableInputError(str(file), f"its pixels are no numbers, but {pixels.dtype}.")
    return pixels
