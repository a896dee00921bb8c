"""Images in plain FITS of any camera, read by a definition of what its files are like.

A path of an image of one detector comes in; the image less its sky, with variance, mask, WCS, PSF
and the flux of one unit goes out. What the files are like is said by a `CameraDefinition`.
"""

from __future__ import annotations

__all__ = ["PlainFitsReader", "camera_reader"]

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from lsst.images import Box, DetectorFrame, Image, Mask, MaskedImage
from lsst.images.psfs import PointSpreadFunction

from ...errors import UnusableInputError
from ...files.fits_wcs import projection_of_wcs
from ...masks.impossible import impossible_pixels
from ...masks.planes import bits_of, mask_schema
from ...products.calibrated_image import CalibratedImage, ImageQuality
from .._base import SurveyHeader, SurveyImage, pixel_scale_arcsec
from ..checks import check_plausible, check_projection, check_usable
from ..fits_files import open_fits, read_pixels
from ..measured_psf import measure_psf
from ..measured_sky import SkyMesh, measure_sky
from ..mosaic_files import image_addresses, split_address
from ..plausibility import typical_variance
from ..sources import believed_pixels
from .definition import CameraDefinition
from .definition_files import load_camera
from .header import (
    check_requirements,
    describe_observation,
    nanojansky_per_unit,
    read_wcs,
    recorded,
    saturation_level,
)
from .masks import read_mask_bits
from .noise import read_variance, with_noise_correlation
from .psf import read_psf
from .values import Headers

_LOG = logging.getLogger(__name__)
_ENDINGS = (".fits", ".fit", ".fts", ".fits.gz", ".fit.gz", ".fts.gz", ".fits.fz")


def camera_reader(
    camera: str | Path, *, measure_psf: bool = False, sky_mesh: int | None = None
) -> PlainFitsReader:
    """Return the reader of a camera.

    Parameters
    ----------
    camera
        A definition in YAML, or the name of one that comes with the package.
    measure_psf
        Whether PSFs are measured from stars, whatever the definition says, or does not say.
    sky_mesh
        Side in pixels of the cells on which the sky is measured and subtracted, whatever the
        definition says of it; None: as it says.

    Raises
    ------
    UnusableInputError
        If there is none, or something in it is wrong.
    ValueError
        If the cells are too small.
    """
    return PlainFitsReader(camera=load_camera(camera, measure_psf=measure_psf, sky_mesh=sky_mesh))


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlainFitsReader:
    """Reads the images of one camera.

    Parameters
    ----------
    camera
        What its files are like.
    """

    camera: CameraDefinition

    @property
    def name(self) -> str:
        """File or name of the definition."""
        return self.camera.source

    def recognizes(self, path: Path) -> bool:
        """Return whether a file is named like FITS, and not like a companion of an image."""
        name = split_address(path)[0].name
        return name.lower().endswith(_ENDINGS) and not self.is_companion(path)

    def is_companion(self, path: Path) -> bool:
        """Return whether a file is named like one that belongs to an image."""
        return self.camera.is_companion(path)

    def images_in(self, path: Path) -> Sequence[Path]:
        """Return the address of each detector in a file that has many by the definition."""
        detectors = self.camera.detectors
        return [path] if detectors is None else image_addresses(path, pattern=detectors)

    def read_header(self, path: Path) -> SurveyHeader:
        """Read all but the pixels."""
        return self._describe(path)[0]

    def read(self, path: Path) -> SurveyImage:
        """Read one image with all that belongs to it.

        Parameters
        ----------
        path
            The image.

        Returns
        -------
        SurveyImage
            Pixels are in the unit of the file, less the sky that the definition names; the variance
            is infinite where there are no data.

        Raises
        ------
        UnusableInputError
            If a file is missing or broken, the header lacks what the definition needs, or the image
            has not enough sky or stars to measure what is to be measured.
        """
        camera = self.camera
        header, headers, extension = self._describe(path)
        box = header.bbox
        with open_fits(path) as hdus:
            image = read_pixels(hdus, extension, path).astype(np.float64)
        variance = read_variance(camera, headers, image)
        bits = read_mask_bits(camera.mask, headers, image.shape)
        finite = np.isfinite(image) & ~np.isin(image, camera.no_data)
        bits[finite & (image >= saturation_level(camera, headers))] |= _bit("SAT")
        typical = typical_variance(variance)
        if (beyond := impossible_pixels(image, variance, typical=typical)) is not None:
            bits[beyond] |= _bit("BAD")
        missing = ~finite | ~np.isfinite(variance)
        bits[missing] |= _bit("NO_DATA")
        variance[missing] = np.inf
        sky = None
        background, noise = (
            recorded(value, headers) for value in (camera.sky_background, camera.sky_noise)
        )
        if isinstance(camera.sky, SkyMesh):
            good = believed_pixels(image, variance, bits, mask_schema())
            sky = measure_sky(image, good, mesh=camera.sky, source=str(path))
            image -= sky.model
            background, noise = float(np.median(sky.model)), sky.quality.noise
        elif camera.sky is not None:
            subtracted = camera.sky.number_of(headers)
            image -= subtracted
            background = subtracted if background is None else background
        unit = None if header.is_flux_known else header.flux_unit
        planes = MaskedImage(
            Image(image.astype(np.float32), bbox=box, unit=unit),
            mask=Mask(bits[:, :, np.newaxis], schema=mask_schema(), bbox=box),
            variance=Image(
                variance.astype(np.float32), bbox=box, unit=None if unit is None else unit**2
            ),
            sky_projection=header.sky_projection,
        )
        scale = pixel_scale_arcsec(header.sky_projection, box)
        measured = None
        psf: PointSpreadFunction
        if camera.psf.kind == "measured":
            measured = measure_psf(planes, source=str(path), settings=camera.psf.measurement)
            psf, quality = measured.psf, measured.quality.image_quality(scale)
        else:
            psf, sigma = read_psf(camera.psf, headers, bounds=box, pixel_scale_arcsec=scale)
            quality = ImageQuality(psf_sigma=sigma, pixel_scale_arcsec=scale)
        if not header.is_flux_known:
            _LOG.warning("%s: its pixels stay in counts, since it has no zero point.", path)
        flux = nanojansky_per_unit(camera, headers, pixel_scale_arcsec=scale)
        calibrated = CalibratedImage(
            observation=header.observation,
            masked_image=planes,
            psf=psf,
            nanojansky_per_count=flux,
            quality=quality,
            flux_unit=header.flux_unit,
            conditions=header.details.conditions(
                sky_background_njy=None if background is None else flux * background,
                sky_noise_njy=None if noise is None else flux * noise,
                dec_deg=_middle_declination(header),
            ),
        )
        calibrated = with_noise_correlation(calibrated, camera, path)
        check_usable(calibrated, str(path))
        if camera.check_noise:
            _check_noise(calibrated, path)
        return SurveyImage(
            calibrated_image=calibrated,
            header=header,
            psf_quality=None if measured is None else measured.quality,
            sky_quality=None if sky is None else sky.quality,
        )

    def _describe(self, path: Path) -> tuple[SurveyHeader, Headers, int]:
        """Return what can be said without pixels, the headers and the extension of the image."""
        _check_single(self.images_in(path), path)
        with open_fits(path) as hdus:
            extension = self.camera.image.extension_of(hdus, path)
            hdu = hdus[extension]
            if not hdu.is_image or len(hdu.shape) != 2:
                raise UnusableInputError(
                    str(path),
                    f"extension {extension} must be an image of two axes, it has {hdu.shape}.",
                )
            headers = Headers(
                path=path,
                headers=(hdu.header.copy(), hdus[0].header.copy()),
                same=self.camera.same,
            )
            name, shape = hdu.name, hdu.shape
        check_requirements(self.camera.require, headers)
        details = describe_observation(self.camera.identity, headers)
        observation = details.identifiers
        box = Box.factory[0 : shape[0], 0 : shape[1]]
        frame = DetectorFrame(
            instrument=observation.instrument,
            visit=observation.visit,
            detector=observation.detector,
            bbox=box,
        )
        wcs = read_wcs(headers, bbox=box)
        projection = projection_of_wcs(wcs, frame, bbox=box, source=str(path))
        check_projection(projection, box, str(path))
        scale = pixel_scale_arcsec(projection, box)
        nanojansky_per_unit(self.camera, headers, pixel_scale_arcsec=scale)  # or refuses it here
        header = SurveyHeader(
            source=path,
            details=details,
            detector_name=name if name not in ("", "PRIMARY") else str(observation.detector),
            detector_bbox=box,
            bbox=box,
            sky_projection=projection,
            flux_unit=self.camera.flux.unit_of_products,
        )
        return header, headers, extension


def _middle_declination(header: SurveyHeader) -> float:
    box = header.bbox
    middle = header.sky_projection.pixel_to_sky(
        x=0.5 * (box.x.min + box.x.max), y=0.5 * (box.y.min + box.y.max)
    )
    return float(middle.icrs.dec.deg)


def _check_single(images: Sequence[Path], path: Path) -> None:
    if len(images) > 1:
        raise UnusableInputError(
            str(path), f"it holds {len(images)} detectors: name one, as in {images[0].name}."
        )


def _check_noise(image: CalibratedImage, path: Path) -> None:
    try:
        check_plausible(image, str(path))
    except UnusableInputError as error:
        raise UnusableInputError(
            error.source,
            f"{error.reason} `check_noise: false` in the camera's definition leaves this out.",
        ) from error


def _bit(plane: str) -> int:
    return int(bits_of(mask_schema(), [plane]))
