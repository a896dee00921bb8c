"""FindArtifactsTask: what only one or two visits of a patch have seen, as a mask for each visit."""

from __future__ import annotations

__all__ = ["FindArtifactsConfig", "FindArtifactsConnections", "FindArtifactsTask"]

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from lsst.images import Box
from lsst.pex.config import ChoiceField, Config, ConfigField, Field, ListField
from lsst.pipe.base import (
    InputQuantizedConnection,
    OutputQuantizedConnection,
    PipelineTask,
    PipelineTaskConfig,
    PipelineTaskConnections,
    QuantumContext,
    Struct,
    connectionTypes,
)

from ..cell_grid import shared_box
from ..comparison.artifacts import Artifacts
from ..comparison.find import find_artifacts
from ..comparison.settings import METHODS, ComparisonSettings
from ..errors import UnusableInputError
from ..files.reading import parts_of_sound_files
from ..products.warp import Warp
from ..skymap import Patch, SkyMap
from ._stored_visits import VisitKey, key_of, load_warp

_DEFAULTS = ComparisonSettings()
_WARP_DIMENSIONS = ("tract", "patch", "skymap", "instrument", "visit")


class FindArtifactsConnections(
    PipelineTaskConnections,
    dimensions=("tract", "patch", "band", "skymap"),
    defaultTemplates={"inputWarpName": "deep"},
):
    """What the task reads and writes."""

    input_warps = connectionTypes.Input(
        doc="Visits on the patch.",
        name="{inputWarpName}Coadd_directWarp",
        storageClass="CellCoaddWarp",
        dimensions=_WARP_DIMENSIONS,
        multiple=True,
        deferLoad=True,
    )
    sky_map = connectionTypes.Input(
        doc="The sky map.", name="skyMap", storageClass="CellSkyMap", dimensions=("skymap",)
    )
    artifact_masks = connectionTypes.Output(
        doc="Masks whose CLIPPED plane marks the artifacts of a warp.",
        name="{inputWarpName}Coadd_directWarp_artifactMask",
        storageClass="MaskV2",
        dimensions=_WARP_DIMENSIONS,
        multiple=True,
    )


class DetectionConfig(Config):
    """What of a visit's difference from the static sky counts."""

    thresholdValue = Field[float](
        doc="Least difference of a pixel, in standard deviations of its noise, of either sign.",
        default=_DEFAULTS.detection_threshold,
    )
    minPixels = Field[int](
        doc="Least number of such pixels that touch.", default=_DEFAULTS.min_pixels
    )
    nSigmaToGrow = Field[float](
        doc="By how many standard deviations of the PSF these are grown.",
        default=_DEFAULTS.grow_sigma,
    )


class SourceDetectionConfig(Config):
    """Which sources of the static sky are protected."""

    thresholdValue = Field[float](
        doc="Pixels of the static sky above so many of its standard deviations.",
        default=_DEFAULTS.source_threshold,
    )
    nSigmaToGrow = Field[float](
        doc="By how many standard deviations of the PSF these are grown.",
        default=_DEFAULTS.source_grow_sigma,
    )


class FindArtifactsConfig(PipelineTaskConfig, pipelineConnections=FindArtifactsConnections):
    """Choices about artifacts; names and defaults as in the Rubin pipelines."""

    method = ChoiceField[str](
        doc="How visits are compared.",
        allowed=dict(METHODS),
        default=_DEFAULTS.method,
        optional=False,
    )
    modelPsfFwhm = Field[float](
        doc="FWHM, in pixels, of the PSF that visits are convolved to. Those with wider ones are "
        "not compared.",
        default=_DEFAULTS.model_psf_fwhm,
    )
    sigmaClip = Field[float](
        doc="Standard deviations beyond which a visit does not count in the static sky.",
        default=_DEFAULTS.sky_clip,
    )
    clipIter = Field[int](doc="How often that is looked at.", default=_DEFAULTS.sky_clip_iterations)
    detect = ConfigField[DetectionConfig](
        doc="What of a visit's difference from the static sky counts.", dtype=DetectionConfig
    )
    detectTemplate = ConfigField[SourceDetectionConfig](
        doc="Which sources of the static sky are protected.", dtype=SourceDetectionConfig
    )
    maxNumEpochs = Field[float](
        doc="In how many of many visits an artifact may be seen at most ...",
        default=_DEFAULTS.max_num_epochs,
    )
    maxFractionEpochsHigh = Field[float](
        doc="... with this part of their number added ...",
        default=_DEFAULTS.max_fraction_epochs_high,
    )
    maxFractionEpochsLow = Field[float](
        doc="... but at most in this part of their number.",
        default=_DEFAULTS.max_fraction_epochs_low,
    )
    spatialThreshold = Field[float](
        doc="Part of a footprint that must not be seen more often, to be an artifact.",
        default=_DEFAULTS.spatial_threshold,
    )
    prefilterArtifactsMaskPlanes = ListField[str](
        doc="Pixels with any of these are no evidence.", default=list(_DEFAULTS.prefilter_planes)
    )
    prefilterArtifactsRatio = Field[float](
        doc="Footprints with at most this part of other pixels are no artifacts.",
        default=_DEFAULTS.prefilter_ratio,
    )
    doPreserveContainedBySource = Field[bool](
        doc="Keep what lies wholly within a protected source.",
        default=_DEFAULTS.do_preserve_contained_by_source,
    )
    gradientSnr = ListField[float](
        doc="Of the method gradient: standard deviations of a pixel that are allowed, and those of "
        "the neighbours of a pixel that was found.",
        default=list(_DEFAULTS.gradient_snr),
        length=2,
    )
    gradientScale = ListField[float](
        doc="What is allowed on top of that in units of the median's gradient, for both likewise.",
        default=list(_DEFAULTS.gradient_scale),
        length=2,
    )

    def validate(self) -> None:
        """Refuse bad values before any work begins."""
        super().validate()
        self.to_settings()

    def to_settings(self) -> ComparisonSettings:
        """Return the settings of the stage."""
        return ComparisonSettings(
            method=self.method,
            model_psf_fwhm=self.modelPsfFwhm,
            sky_clip=self.sigmaClip,
            sky_clip_iterations=self.clipIter,
            detection_threshold=self.detect.thresholdValue,
            min_pixels=self.detect.minPixels,
            grow_sigma=self.detect.nSigmaToGrow,
            source_threshold=self.detectTemplate.thresholdValue,
            source_grow_sigma=self.detectTemplate.nSigmaToGrow,
            max_num_epochs=self.maxNumEpochs,
            max_fraction_epochs_high=self.maxFractionEpochsHigh,
            max_fraction_epochs_low=self.maxFractionEpochsLow,
            spatial_threshold=self.spatialThreshold,
            prefilter_planes=tuple(self.prefilterArtifactsMaskPlanes),
            prefilter_ratio=self.prefilterArtifactsRatio,
            do_preserve_contained_by_source=self.doPreserveContainedBySource,
            gradient_snr=_pair(self.gradientSnr),
            gradient_scale=_pair(self.gradientScale),
        )


class FindArtifactsTask(PipelineTask):
    """Compare the warps of a patch."""

    ConfigClass = FindArtifactsConfig
    _DefaultName = "findArtifacts"

    config: FindArtifactsConfig

    def runQuantum(
        self,
        butlerQC: QuantumContext,
        inputRefs: InputQuantizedConnection,
        outputRefs: OutputQuantizedConnection,
    ) -> None:
        """Read the warps strip by strip, write a mask for each of them."""
        data_id = butlerQC.quantum.dataId
        assert data_id is not None, "a quantum of this task has a data ID"
        sky_map: SkyMap = butlerQC.get(inputRefs.sky_map)
        patch = sky_map[int(data_id["tract"])].patch(int(data_id["patch"]))
        handles = {
            key_of(ref.datasetRef.dataId): butlerQC.get(ref) for ref in inputRefs.input_warps
        }
        with parts_of_sound_files():
            artifacts = self._compare(handles, patch)
        whole = patch.outer_bbox
        for ref in outputRefs.artifact_masks:
            visit = key_of(ref.dataId)
            reached: Box = handles[visit].get(component="bbox") if visit in handles else whole
            butlerQC.put(artifacts.mask_of(*visit, shared_box(reached, whole)), ref)

    def _compare(self, handles: dict[VisitKey, Any], patch: Patch) -> Artifacts:
        """Compare the warps that can be read; the others go out of the mapping.

        Whether their patch fails for it, the assembly decides.
        """
        while True:
            try:
                made = self.run(
                    warps_in=functools.partial(_parts, handles), patch=patch, n_visits=len(handles)
                )
            except _DamagedWarp as error:
                self.log.warning("Not compared: %s", error)
                del handles[error.visit]
                continue
            artifacts: Artifacts = made.artifacts
            return artifacts

    def run(
        self, *, warps_in: Callable[[Box], Iterable[Warp]], patch: Patch, n_visits: int
    ) -> Struct:
        """Compare visits.

        Parameters
        ----------
        warps_in
            Returns the warps, sorted, with at least their pixels in a box.
        patch
            The patch that they are on.
        n_visits
            How many there are.

        Returns
        -------
        struct
            ``artifacts``.
        """
        artifacts = find_artifacts(
            warps_in, patch, n_visits=n_visits, settings=self.config.to_settings()
        )
        for (instrument, visit), count in artifacts.counts.items():
            self.log.verbose(
                "%s visit %d: %d artifacts of %d pixels.",
                instrument, visit, count, artifacts.pixels[instrument, visit].size,
            )  # fmt: skip
        return Struct(artifacts=artifacts)


class _DamagedWarp(Exception):  # noqa: N818
    """A warp that cannot be read."""

    def __init__(self, visit: VisitKey, error: UnusableInputError) -> None:
        super().__init__(str(error))
        self.visit = visit


def _parts(handles: Mapping[VisitKey, Any], bbox: Box) -> Iterator[Warp]:
    """Read the pixels in a box of the visits that have any, one at a time."""
    for visit, handle in sorted(handles.items()):
        try:
            warp = load_warp(handle, bbox)
        except UnusableInputError as error:
            raise _DamagedWarp(visit, error) from error
        if warp is not None:
            yield warp
        del warp  # before the next one comes


def _pair(values: Iterable[float]) -> tuple[float, float]:
    first, second = values
    return first, second
