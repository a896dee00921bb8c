"""MakeDirectWarpTask: the calibrated images of one visit, resampled onto a patch."""

from __future__ import annotations

__all__ = ["MakeDirectWarpConfig", "MakeDirectWarpConnections", "MakeDirectWarpTask"]

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lsst.pex.config import ConfigField, Field, RangeField
from lsst.pipe.base import (
    InputQuantizedConnection,
    NoWorkFound,
    OutputQuantizedConnection,
    PipelineTask,
    PipelineTaskConfig,
    PipelineTaskConnections,
    QuantumContext,
    Struct,
    connectionTypes,
)

from .._jit import compiling_note
from ..conventions import MAX_NOISE_REALIZATIONS
from ..errors import UnusableInputError
from ..products.calibrated_image import CalibratedImage
from ..skymap import Patch, SkyMap
from ..surveys.afw import VisitSummary
from ..surveys.afw.recalibration import recalibrated
from ..warping.direct import VisitWarper
from ..warping.settings import WarpSettings
from ._configs import (
    InterpolationConfig,
    MaskedFractionWarperConfig,
    SelectionConfig,
    WarperConfig,
)
from ._dataset_loading import load_image
from ._storage_classes import VISIT_SUMMARY

_DEFAULTS = WarpSettings()
_WARP_DIMENSIONS = ("tract", "patch", "skymap", "instrument", "visit")


class MakeDirectWarpConnections(
    PipelineTaskConnections,
    dimensions=_WARP_DIMENSIONS,
    defaultTemplates={"coaddName": "deep", "calexpType": ""},
):
    """What the task reads and writes."""

    calexp_list = connectionTypes.Input(
        doc="Calibrated images of the visit.",
        name="{calexpType}calexp",
        storageClass="CalibratedImage",
        dimensions=("instrument", "visit", "detector"),
        multiple=True,
        deferLoad=True,
    )
    visit_summary = connectionTypes.Input(
        doc="What is better known of the visit than its images say; there may be none.",
        name="finalVisitSummary",
        storageClass=VISIT_SUMMARY,
        dimensions=("instrument", "visit"),
        minimum=0,
    )
    sky_map = connectionTypes.Input(
        doc="The sky map.", name="skyMap", storageClass="CellSkyMap", dimensions=("skymap",)
    )
    warp = connectionTypes.Output(
        doc="The visit on the patch.",
        name="{coaddName}Coadd_directWarp",
        storageClass="CellCoaddWarp",
        dimensions=_WARP_DIMENSIONS,
    )
    masked_fraction_warp = connectionTypes.Output(
        doc="Warped fraction of bad pixels.",
        name="{coaddName}Coadd_directWarp_maskedFraction",
        storageClass="ImageV2",
        dimensions=_WARP_DIMENSIONS,
    )
    noise_warp0 = connectionTypes.Output(
        doc="Warped noise realization 0.",
        name="{coaddName}Coadd_directWarp_noise0",
        storageClass="MaskedImageV2",
        dimensions=_WARP_DIMENSIONS,
    )
    noise_warp1 = connectionTypes.Output(
        doc="Warped noise realization 1.",
        name="{coaddName}Coadd_directWarp_noise1",
        storageClass="MaskedImageV2",
        dimensions=_WARP_DIMENSIONS,
    )
    noise_warp2 = connectionTypes.Output(
        doc="Warped noise realization 2.",
        name="{coaddName}Coadd_directWarp_noise2",
        storageClass="MaskedImageV2",
        dimensions=_WARP_DIMENSIONS,
    )

    def __init__(self, *, config: MakeDirectWarpConfig | None = None) -> None:
        assert config is not None, "given by the middleware"
        if not config.usesVisitSummary:
            del self.visit_summary
        if not config.doWarpMaskedFraction:
            del self.masked_fraction_warp
        for number in range(config.numberOfNoiseRealizations, MAX_NOISE_REALIZATIONS):
            delattr(self, f"noise_warp{number}")


class MakeDirectWarpConfig(PipelineTaskConfig, pipelineConnections=MakeDirectWarpConnections):
    """Choices about warps; names and defaults as in the Rubin pipelines."""

    numberOfNoiseRealizations = RangeField(
        dtype=int,
        doc="Number of noise realizations to warp along.",
        default=_DEFAULTS.number_of_noise_realizations,
        min=0,
        max=MAX_NOISE_REALIZATIONS,
        inclusiveMax=True,
    )
    seedOffset = Field[int](doc="Offset of the seeds of the noise.", default=_DEFAULTS.seed_offset)
    useMedianVariance = Field[bool](
        doc="Draw noise with the detector's median variance instead of each pixel's own.",
        default=_DEFAULTS.use_median_variance,
    )
    doRevertOldBackground = Field[bool](
        doc="Add the background model that was subtracted from an image back to it.",
        default=_DEFAULTS.do_revert_old_background,
    )
    doApplyNewBackground = Field[bool](
        doc="Subtract the background model that newBackground names.",
        default=_DEFAULTS.do_apply_new_background,
    )
    newBackground = Field[str](
        doc="Name of a background model that the images carry.",
        default=_DEFAULTS.new_background,
        optional=True,
    )
    useVisitSummaryPsf = Field[bool](
        doc="Take PSF and aperture corrections of the visit summary, where there is one.",
        default=True,
    )
    useVisitSummaryWcs = Field[bool](
        doc="Take the WCS of the visit summary, where there is one.", default=True
    )
    useVisitSummaryPhotoCalib = Field[bool](
        doc="Take the photometric calibration of the visit summary, where there is one; of images "
        "in counts only.",
        default=True,
    )
    doSelectPreWarp = Field[bool](
        doc="Leave out detectors that fail the cuts of `select`.",
        default=_DEFAULTS.do_select_pre_warp,
    )
    select = ConfigField[SelectionConfig](doc="Quality cuts.", dtype=SelectionConfig)
    doPreWarpInterpolation = Field[bool](
        doc="Interpolate bad pixels before warping.", default=_DEFAULTS.do_pre_warp_interpolation
    )
    preWarpInterpolation = ConfigField[InterpolationConfig](
        doc="Interpolation of bad pixels.", dtype=InterpolationConfig
    )
    border = Field[int](
        doc="Pixels by which a warp extends beyond the patch where there are data.",
        default=_DEFAULTS.border,
    )
    warper = ConfigField[WarperConfig](doc="Resampler of images.", dtype=WarperConfig)
    doWarpMaskedFraction = Field[bool](
        doc="Warp the fraction of bad pixels.", default=_DEFAULTS.do_warp_masked_fraction
    )
    maskedFractionWarper = ConfigField[MaskedFractionWarperConfig](
        doc="Resampler of the fraction of bad pixels.", dtype=MaskedFractionWarperConfig
    )

    @property
    def usesVisitSummary(self) -> bool:
        """Whether anything of a visit summary is wanted."""
        return self.useVisitSummaryPsf or self.useVisitSummaryWcs or self.useVisitSummaryPhotoCalib

    def validate(self) -> None:
        """Refuse bad values before any work begins."""
        super().validate()
        self.to_settings()

    def to_settings(self) -> WarpSettings:
        """Return the settings of the stage."""
        return WarpSettings(
            number_of_noise_realizations=self.numberOfNoiseRealizations,
            seed_offset=self.seedOffset,
            use_median_variance=self.useMedianVariance,
            do_revert_old_background=self.doRevertOldBackground,
            do_apply_new_background=self.doApplyNewBackground,
            new_background=self.newBackground,
            do_select_pre_warp=self.doSelectPreWarp,
            select=self.select.to_settings(),
            do_pre_warp_interpolation=self.doPreWarpInterpolation,
            interpolation=self.preWarpInterpolation.to_settings(),
            border=self.border,
            resampling=self.warper.to_settings(),
            do_warp_masked_fraction=self.doWarpMaskedFraction,
        )


class MakeDirectWarpTask(PipelineTask):
    """Resample the calibrated images of one visit onto a patch."""

    ConfigClass = MakeDirectWarpConfig
    _DefaultName = "makeDirectWarp"

    config: MakeDirectWarpConfig

    def runQuantum(
        self,
        butlerQC: QuantumContext,
        inputRefs: InputQuantizedConnection,
        outputRefs: OutputQuantizedConnection,
    ) -> None:
        """Read the images, warp them, write what was made."""
        if (note := compiling_note()) is not None:
            self.log.info("%s", note)
        data_id = butlerQC.quantum.dataId
        assert data_id is not None, "a quantum of this task has a data ID"
        sky_map: SkyMap = butlerQC.get(inputRefs.sky_map)
        patch = sky_map[int(data_id["tract"])].patch(int(data_id["patch"]))
        refs = sorted(inputRefs.calexp_list, key=lambda ref: ref.datasetRef.dataId["detector"])
        images = self._load(butlerQC, refs)
        found = getattr(inputRefs, "visit_summary", None)
        summary: VisitSummary | None = None if found is None else butlerQC.get(found)
        butlerQC.put(self.run(images=images, patch=patch, visit_summary=summary), outputRefs)

    def run(
        self,
        *,
        images: Iterable[CalibratedImage],
        patch: Patch,
        visit_summary: VisitSummary | None = None,
    ) -> Struct:
        """Warp one visit.

        Parameters
        ----------
        images
            The detectors of one visit, sorted. They may be loaded one at a time: none is kept.
        patch
            The target.
        visit_summary
            What takes the place of their own WCS, PSF and calibration, as far as the configuration
            says so. Detectors that it does not know, or has no calibration of, are left out.

        Returns
        -------
        struct
            ``warp``, ``masked_fraction_warp`` and ``noise_warp0`` ... as they are switched on.

        Raises
        ------
        lsst.pipe.base.NoWorkFound
            If no usable image lands on the patch.
        """
        warper = VisitWarper(patch, settings=self.config.to_settings())
        for image in self._recalibrated(images, visit_summary):
            warper.add(image)
            del image  # before the next one is read
        result = warper.finish()
        if result is None:
            raise NoWorkFound(
                f"No usable image lands on tract {patch.tract}, patch {patch.id} of {patch.skymap}."
            )
        outputs: dict[str, Any] = {"warp": result.warp}
        if result.masked_fraction is not None:
            outputs["masked_fraction_warp"] = result.masked_fraction
        for number, noise in enumerate(result.noise):
            outputs[f"noise_warp{number}"] = noise
        return Struct(**outputs)

    def _recalibrated(
        self, images: Iterable[CalibratedImage], summary: VisitSummary | None
    ) -> Iterator[CalibratedImage]:
        """Yield the images as the summary of their visit knows them; log those that it lacks."""
        if summary is None or not self.config.usesVisitSummary:
            yield from images
            return
        for image in images:
            try:
                better = recalibrated(
                    image,
                    summary,
                    psf=self.config.useVisitSummaryPsf,
                    wcs=self.config.useVisitSummaryWcs,
                    photo_calib=self.config.useVisitSummaryPhotoCalib,
                )
            except UnusableInputError as err:
                self.log.warning("Left out: %s by its visit summary: %s", image.observation, err)
            else:
                yield better
                del better  # before the next one is read

    def _load(self, context: QuantumContext, refs: Sequence[Any]) -> Iterator[CalibratedImage]:
        """Read the images that can be used; the others are logged with the reason."""
        for ref in refs:
            try:
                image = load_image(context.get(ref))
            except UnusableInputError as err:
                self.log.warning("Left out: %s", err)
            else:
                yield image
                del image  # before the next one is read
