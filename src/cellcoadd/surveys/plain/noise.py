"""The noise of an image by the definition of its camera: variance and correlation.

Variances are infinite where there are no data.
"""

from __future__ import annotations

__all__ = ["read_plane_pixels", "read_variance", "with_noise_correlation"]

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import UnusableInputError
from ...products.calibrated_image import CalibratedImage
from ..fits_files import open_fits, read_pixels
from ..noise_correlation import with_measured_noise
from ..weight_maps import rounding_steps, variance_of_weights
from .companions import Plane
from .definition import CameraDefinition
from .values import Headers


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
    stated = read_plane_pixels(noise.plane, headers, shape=image.shape).astype(np.float64)
    variance = np.full(image.shape, np.inf)
    if noise.kind in ("variance", "rms"):
        good = np.isfinite(stated) & (stated > 0)
        variance[good] = stated[good] if noise.kind == "variance" else stated[good] ** 2
        return variance
    file = noise.plane.file_of(headers.path)
    with open_fits(file) as hdus:
        extension = noise.plane.extension_of(hdus, file)
        header = hdus[extension].header.copy()
    variance = variance_of_weights(
        stated,
        steps=rounding_steps(file, extension),
        header=header,
        source=str(file),
        largest=math.inf,  # a deep part of a wide image is believed
    )
    if noise.rms is not None:
        variance *= noise.rms.positive_of(headers) ** 2 / np.median(variance[np.isfinite(variance)])
    return variance if noise.scale is None else variance * noise.scale.positive_of(headers)


def with_noise_correlation(
    image: CalibratedImage, camera: CameraDefinition, path: Path
) -> CalibratedImage:
    """Return an image with the correlation of its noise, as its camera's definition says it."""
    if camera.measure_noise_correlation:
        return with_measured_noise(image, source=str(path))
    if camera.noise_correlation is None:
        return image
    return dataclasses.replace(image, noise_correlation=np.array(camera.noise_correlation))


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


def read_plane_pixels(
    plane: Plane, headers: Headers, *, shape: tuple[int, ...] | None = None
) -> npt.NDArray[Any]:
    """Return the pixels of a plane that belongs to an image.

    Parameters
    ----------
    plane
        Where they are.
    headers
        Those of the image.
    shape
        Which they must have.

    Raises
    ------
    UnusableInputError
        If the file or its extension is missing or broken, or of another processing.
    """
    file = plane.file_of(headers.path)
    with open_fits(file) as hdus:
        extension = plane.extension_of(hdus, file)
        if headers.same:
            headers.processing.check(hdus[0].header, file)
            headers.processing.check(hdus[extension].header, file)
        pixels = read_pixels(hdus, extension, file, shape=shape)
    if pixels.dtype.kind not in "iuf":
        raise UnusableInputError(str(file), f"its pixels are no numbers, but {pixels.dtype}.")
    return pixels
