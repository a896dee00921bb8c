"""CalibratedImage: one detector of one visit, ready to be warped, from whatever survey.

Surveys make it, warping consumes it. It is deliberately lighter than `lsst.images.VisitImage`,
which demands camera geometry that other surveys' files do not have.
"""

from __future__ import annotations

__all__ = ["CalibratedImage", "ImageQuality"]

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
import numpy.typing as npt
from lsst.images import BackgroundMap, Box, MaskedImage, SkyProjection
from lsst.images.fields import Field
from lsst.images.psfs import PointSpreadFunction
from lsst.images.serialization import OutputArchive
from lsst.resources import ResourcePathExpression

from ...files.writing import write_product
from ..flux_units import flux_unit_of, unit_label
from ..identifiers import ObservationIdentifiers
from ..noise_correlation import checked_correlation
from ..observing_conditions import UNKNOWN_CONDITIONS, ObservingConditions
from .deferred_pixels import DeferredPixels

if TYPE_CHECKING:
    from .stored import CalibratedImageModel


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageQuality:
    """Statistics that the selection of inputs cuts on. None: not measured, so not cut on.

    Names and meanings are those of the Rubin pipelines' visit summaries; lengths in pixels.
    """

    # NaN: measured in vain, which passes no cut. (The text above is part of a frozen schema.)

    psf_sigma: float | None = None
    psf_star_delta_e_median: float | None = None
    psf_star_scaled_delta_size_scatter: float | None = None
    psf_trace_radius_delta: float | None = None
    psf_ap_flux_delta: float | None = None
    psf_ap_corr_sigma_scaled_delta: float | None = None
    n_psf_star: int | None = None
    star_e_median: float | None = None
    pixel_scale_arcsec: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class CalibratedImage:
    """One detector of one visit: pixels, mask, variance, WCS, PSF and photometric calibration.

    Parameters
    ----------
    observation
        Which detector of which visit.
    masked_image
        Sky-subtracted image (float32), mask with our planes (`masks.planes.STANDARD_PLANES`, in any
        bits) and variance (float32) in counts and counts^2, with the sky projection attached. Those
        of a file may be read when they are asked for.
    psf
        The point-spread function, evaluated by position in this image's pixel coordinates.
    nanojansky_per_count
        Flux of one count; 1 for an image that is in nJy already.
    mean_variance
        Mean variance of the detector in counts^2 where the survey states one; None: it is measured.
    quality
        Statistics for the selection.
    aperture_corrections
        By the name of an algorithm that measures fluxes, such as ``base_PsfFlux_instFlux``, the
        factor that turns its flux into that of a large aperture, by position in this image's pixel
        coordinates. Under a name that ends in ``Err``: the factor's standard error.
    backgrounds
        Models of the background in counts, whole ones, of which at most one has been subtracted
        from the image. A model that carries a unit that is not dimensionless is one that could not
        be brought to counts.
    flux_unit
        Unit of what is made of the image: nJy or, where no zero point is known, ``u.count`` or
        ``u.count / u.s``, that of the pixels themselves; ``nanojansky_per_count`` is 1 then.
    noise_correlation : float64 (n, n)
        Correlation of the noise of two pixels by their offset in y and x, as
        `noise_correlation.checked_correlation` wants it; None: noise of each pixel is its own.
    conditions
        What is known of the exposure beside its pixels.
    """

    observation: ObservationIdentifiers
    masked_image: MaskedImage | DeferredPixels
    psf: PointSpreadFunction
    nanojansky_per_count: float = 1.0
    mean_variance: float | None = None
    quality: ImageQuality = dataclasses.field(default_factory=ImageQuality)
    aperture_corrections: Mapping[str, Field] = dataclasses.field(default_factory=dict)
    backgrounds: BackgroundMap = dataclasses.field(default_factory=BackgroundMap)
    flux_unit: u.UnitBase = u.nJy
    noise_correlation: npt.NDArray[np.float64] | None = None
    conditions: ObservingConditions = UNKNOWN_CONDITIONS

    def __post_init__(self) -> None:
        if not (math.isfinite(self.nanojansky_per_count) and self.nanojansky_per_count > 0):
            raise ValueError(
                f"{self.observation}: the flux of one count must be positive, "
                f"got {self.nanojansky_per_count} nJy."
            )
        if self.masked_image.sky_projection is None:
            raise ValueError(f"{self.observation}: the image has no WCS (sky projection).")
        try:
            object.__setattr__(self, "flux_unit", flux_unit_of(self.flux_unit))
            if self.noise_correlation is not None:
                checked = checked_correlation(self.noise_correlation)
                object.__setattr__(self, "noise_correlation", checked)
        except ValueError as error:
            raise ValueError(f"{self.observation}: {error}") from error
        if self.flux_unit != u.nJy and self.nanojansky_per_count != 1.0:
            raise ValueError(
                f"{self.observation}: an image whose products are in {unit_label(self.flux_unit)} "
                f"has no flux of one count, got {self.nanojansky_per_count} nJy."
            )

    @property
    def sky_projection(self) -> SkyProjection[Any]:
        """Pixels to sky and back."""
        projection = self.masked_image.sky_projection
        assert projection is not None, "checked when built"
        return projection

    @property
    def bbox(self) -> Box:
        """The pixels of the image, in the coordinates of the WCS and the PSF."""
        return self.masked_image.bbox

    def window(self, bbox: Box) -> CalibratedImage:
        """Return the image with the pixels in a box, and all that belongs to the whole one."""
        return dataclasses.replace(self, masked_image=self.masked_image[bbox])

    def __repr__(self) -> str:
        box = self.bbox
        return (
            f"CalibratedImage({self.observation}, {box.x.size} x {box.y.size} px, "
            f"{self._flux_text()}, {type(self.psf).__name__}{self._noise_text()})"
        )

    def _flux_text(self) -> str:
        if self.flux_unit == u.nJy:
            return f"{self.nanojansky_per_count:.6g} nJy a count"
        return f"in {unit_label(self.flux_unit)}"

    def _noise_text(self) -> str:
        return "" if self.noise_correlation is None else ", correlated noise"

    def write(self, path: ResourcePathExpression, *, overwrite: bool = False) -> None:
        """Write the image to a FITS file, without loss; it can be an input like files of a survey.

        Parameters
        ----------
        path
            The file, on a disk of this computer, whose name ends in ``.fits``; it appears when it
            is complete.
        overwrite
            Replace a file that is there.

        Raises
        ------
        FileExistsError
            If there is such a file and it is not to be replaced.
        TypeError
            If its point-spread function is of a kind that cannot be stored.
        ValueError
            If the name does not end in ``.fits``.
        """
        write_product(self, path, overwrite=overwrite, compression_options={})

    def serialize(self, archive: OutputArchive[Any]) -> CalibratedImageModel[Any]:
        """Write the image to an archive of lsst.images.

        Raises
        ------
        TypeError
            If its point-spread function is of a kind that cannot be stored.
        """
        from .stored import serialize_calibrated_image

        return serialize_calibrated_image(self, archive)

    @staticmethod
    def _get_archive_tree_type(pointer_type: type[Any]) -> type[CalibratedImageModel[Any]]:
        from .stored import CalibratedImageModel

        return CalibratedImageModel[pointer_type]  # type: ignore[valid-type]
