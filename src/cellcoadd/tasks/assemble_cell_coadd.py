"""AssembleCellCoaddTask: the warps of a patch added up cell by cell."""

from __future__ import annotations

__all__ = [
    "AssembleCellCoaddConfig",
    "AssembleCellCoaddConnections",
    "AssembleCellCoaddTask",
]

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lsst.daf.butler import DataCoordinate
from lsst.images import Box, Mask
from lsst.pex.config import (
    ChoiceField,
    ConfigField,
    DictField,
    Field,
    ListField,
    RangeField,
)
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

from ..cell_grid import Index2D, shared_box
from ..coaddition.assemble import VisitOnPatch, assemble_cell_coadd
from ..coaddition.input_map import make_input_map
from ..coaddition.settings import CoaddSettings
from ..coaddition.strips import assemble_in_strips, strips_of
from ..conventions import MAX_NOISE_REALIZATIONS
from ..files.reading import parts_of_sound_files
from ..products.cell_coadd import MultipleCellCoadd
from ..products.warp import Warp
from ..skymap import Patch, SkyMap
from ._configs import InputMapConfig

_DEFAULTS = CoaddSettings()
_MOST_FRACTIONS = 4  # masked fractions of a warp: all planes together, BAD, SAT, CR
_WARP_DIMENSIONS = ("tract", "patch", "skymap", "instrument", "visit")
_COADD_DIMENSIONS = ("tract", "patch", "band", "skymap")


class AssembleCellCoaddConnections(
    PipelineTaskConnections,
    dimensions=_COADD_DIMENSIONS,
    defaultTemplates={
        "inputWarpName": "deep",
        "outputCoaddName": "deep",
        "outputCoaddSuffix": "Cell",
    },
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
    noise0_warps = connectionTypes.Input(
        doc="Warped noise realizations 0.",
        name="{inputWarpName}Coadd_directWarp_noise0",
        storageClass="MaskedImageV2",
        dimensions=_WARP_DIMENSIONS,
        multiple=True,
        deferLoad=True,
    )
    noise1_warps = connectionTypes.Input(
        doc="Warped noise realizations 1.",
        name="{inputWarpName}Coadd_directWarp_noise1",
        storageClass="MaskedImageV2",
        dimensions=_WARP_DIMENSIONS,
        multiple=True,
        deferLoad=True,
    )
    noise2_warps = connectionTypes.Input(
        doc="Warped noise realizations 2.",
        name="{inputWarpName}Coadd_directWarp_noise2",
        storageClass="MaskedImageV2",
        dimensions=_WARP_DIMENSIONS,
        multiple=True,
        deferLoad=True,
    )
    artifact_masks = connectionTypes.Input(
        doc="Masks whose CLIPPED plane marks the artifacts of a warp.",
        name="{inputWarpName}Coadd_directWarp_artifactMask",
        storageClass="MaskV2",
        dimensions=_WARP_DIMENSIONS,
        multiple=True,
        deferLoad=True,
        minimum=0,
    )
    rubin_artifact_masks = connectionTypes.Input(
        doc="The same of the Rubin pipelines, which are taken where a visit has them.",
        name="compare_warp_artifact_mask",
        storageClass="MaskV2",
        dimensions=_WARP_DIMENSIONS,
        multiple=True,
        deferLoad=True,
        minimum=0,
    )
    sky_map = connectionTypes.Input(
        doc="The sky map.", name="skyMap", storageClass="CellSkyMap", dimensions=("skymap",)
    )
    multiple_cell_coadd = connectionTypes.Output(
        doc="The coadd with the outer regions of its cells.",
        name="{outputCoaddName}Coadd{outputCoaddSuffix}",
        storageClass="BorderedCellCoadd",
        dimensions=_COADD_DIMENSIONS,
    )
    input_map = connectionTypes.Output(
        doc="Which inputs went in where on the sky, one bit an input.",
        name="{outputCoaddName}Coadd{outputCoaddSuffix}_inputMap",
        storageClass="HealSparseMap",
        dimensions=_COADD_DIMENSIONS,
    )

    def __init__(self, *, config: AssembleCellCoaddConfig | None = None) -> None:
        assert config is not None, "given by the middleware"
        if not config.do_use_artifact_mask:
            del self.artifact_masks
            del self.rubin_artifact_masks
        if not config.do_input_map:
            del self.input_map
        for number in range(config.num_noise_realizations, MAX_NOISE_REALIZATIONS):
            delattr(self, f"noise{number}_warps")


class AssembleCellCoaddConfig(PipelineTaskConfig, pipelineConnections=AssembleCellCoaddConnections):
    """Choices about coadds; names and defaults as in the Rubin pipelines."""

    do_interpolate_coadd = Field[bool](
        doc="Fill pixels without data, in the image and in the noise alike.",
        default=_DEFAULTS.do_interpolate_coadd,
    )
    do_calculate_weight_from_warp = Field[bool](
        doc="Weigh by the clipped mean of the warp's variance instead of the detector's.",
        default=_DEFAULTS.do_calculate_weight_from_warp,
    )
    do_use_artifact_mask = Field[bool](
        doc="Set CLIPPED from the artifact masks of the warps.",
        default=_DEFAULTS.do_use_artifact_mask,
    )
    require_artifact_mask = Field[bool](
        doc="Leave out a warp without artifact mask.", default=_DEFAULTS.require_artifact_mask
    )
    min_overlap_fraction = RangeField(
        dtype=float,
        doc="Least part of a cell that an input must cover.",
        default=_DEFAULTS.min_overlap_fraction,
        min=0.0,
        max=1.0,
        inclusiveMax=True,
    )
    overlap_region = ChoiceField[str](
        doc="The region of a cell of which that part is meant.",
        allowed={
            "outer": "with the border, so that every pixel has the cell's PSF",
            "inner": "without it, as in the Rubin pipelines",
        },
        default=_DEFAULTS.overlap_region,
        optional=False,
    )
    bad_mask_planes = ListField[str](
        doc="Pixels with any of these are left out of the sums.",
        default=list(_DEFAULTS.bad_mask_planes),
    )
    remove_mask_planes = ListField[str](
        doc="Planes that mean nothing in a coadd.", default=list(_DEFAULTS.remove_mask_planes)
    )
    calc_error_from_input_variance = Field[bool](
        doc="Variance from the inputs' variances; else from the scatter of the inputs.",
        default=_DEFAULTS.calc_error_from_input_variance,
    )
    mask_propagation_thresholds = DictField[str, float](
        doc="A plane is set where the left-out part of the weight passes its threshold.",
        default=dict(_DEFAULTS.mask_propagation_thresholds),
    )
    max_maskfrac = RangeField(
        dtype=float,
        doc="Largest masked part of a cell's inner region, unless every input has more.",
        default=_DEFAULTS.max_maskfrac,
        min=0.0,
        max=1.0,
        inclusiveMax=True,
    )
    num_noise_realizations = RangeField(
        dtype=int,
        doc="Number of noise realizations to add up.",
        default=_DEFAULTS.num_noise_realizations,
        min=0,
        max=MAX_NOISE_REALIZATIONS,
        inclusiveMax=True,
    )
    psf_dimensions = Field[int](
        doc="Side of the images of PSF and noise covariance in pixels, odd.",
        default=_DEFAULTS.psf_dimensions,
    )
    do_coadd_inverse_aperture_corrections = Field[bool](
        doc="Average the inverses of the aperture corrections, as the coadd's pixels do.",
        default=_DEFAULTS.do_coadd_inverse_aperture_corrections,
    )
    matched_psf_fwhm = Field[float](
        doc="Convolve each cell so that its PSF is a round Gaussian of this FWHM in arcseconds, "
        "for colours; None leaves each its own.",
        default=_DEFAULTS.matched_psf_fwhm,
        optional=True,
    )
    cells = ListField[int](
        doc="Build only the cells with these ids (columns * row + column) of every patch; all, if "
        "there are none. Each is as it is when all are built.",
        default=[],
        itemCheck=lambda number: number >= 0,
    )
    do_input_map = Field[bool](
        doc="Make a map on the sky of the inputs, one bit an input.", default=False
    )
    input_mapper = ConfigField[InputMapConfig](
        doc="Resolutions of the map of inputs.", dtype=InputMapConfig
    )

    def validate(self) -> None:
        """Refuse bad values before any work begins."""
        super().validate()
        self.to_settings()

    def to_settings(self) -> CoaddSettings:
        """Return the settings of the stage."""
        return CoaddSettings(
            do_interpolate_coadd=self.do_interpolate_coadd,
            do_calculate_weight_from_warp=self.do_calculate_weight_from_warp,
            do_use_artifact_mask=self.do_use_artifact_mask,
            require_artifact_mask=self.require_artifact_mask,
            min_overlap_fraction=self.min_overlap_fraction,
            overlap_region="inner" if self.overlap_region == "inner" else "outer",
            bad_mask_planes=tuple(self.bad_mask_planes),
            remove_mask_planes=tuple(self.remove_mask_planes),
            calc_error_from_input_variance=self.calc_error_from_input_variance,
            mask_propagation_thresholds=dict(self.mask_propagation_thresholds),
            max_maskfrac=self.max_maskfrac,
            num_noise_realizations=self.num_noise_realizations,
            psf_dimensions=self.psf_dimensions,
            do_coadd_inverse_aperture_corrections=self.do_coadd_inverse_aperture_corrections,
            matched_psf_fwhm=self.matched_psf_fwhm,
        )


class AssembleCellCoaddTask(PipelineTask):
    """Add up the warps of a patch cell by cell."""

    ConfigClass = AssembleCellCoaddConfig
    _DefaultName = "assembleCellCoadd"

    config: AssembleCellCoaddConfig

    def runQuantum(
        self,
        butlerQC: QuantumContext,
        inputRefs: InputQuantizedConnection,
        outputRefs: OutputQuantizedConnection,
    ) -> None:
        """Add up the warps one after the other, write what was made."""
        data_id = butlerQC.quantum.dataId
        assert data_id is not None, "a quantum of this task has a data ID"
        sky_map: SkyMap = butlerQC.get(inputRefs.sky_map)
        patch = sky_map[int(data_id["tract"])].patch(int(data_id["patch"]))
        settings = self.config.to_settings()
        strips = strips_of(
            patch,
            settings=settings,
            n_visits=len(inputRefs.input_warps),
            n_fractions=_MOST_FRACTIONS,
            cells=self._cells_of(patch),
            stored=True,
        )
        with parts_of_sound_files():
            coadd = assemble_in_strips(
                functools.partial(self._load, butlerQC, patch, self._usable(inputRefs)),
                patch,
                strips,
                settings=settings,
            )
        butlerQC.put(self._outputs(coadd, patch), outputRefs)

    def run(self, *, visits: Iterable[VisitOnPatch], patch: Patch) -> Struct:
        """Add up visits.

        Parameters
        ----------
        visits
            Sorted by instrument and visit. They may be loaded one at a time.
        patch
            The target.

        Returns
        -------
        struct
            ``multiple_cell_coadd`` and, if it is switched on, ``input_map``.

        Raises
        ------
        lsst.pipe.base.NoWorkFound
            If no input covers a cell.
        """
        coadd = assemble_cell_coadd(
            visits, patch, settings=self.config.to_settings(), cells=self._cells_of(patch)
        )
        return self._outputs(coadd, patch)

    def _cells_of(self, patch: Patch) -> list[Index2D] | None:
        return [_index_of(patch, number) for number in self.config.cells] or None

    def _outputs(self, coadd: MultipleCellCoadd | None, patch: Patch) -> Struct:
        if coadd is None:
            cells = self._cells_of(patch)
            which = f"any of the {len(cells)} cells asked for" if cells else "a whole cell"
            raise NoWorkFound(
                f"No input covers {which} of tract {patch.tract}, patch {patch.id} of "
                f"{patch.skymap}: they are smaller than a cell, or all were refused."
            )
        outputs: dict[str, Any] = {"multiple_cell_coadd": coadd}
        if self.config.do_input_map:
            mapper = self.config.input_mapper
            outputs["input_map"] = make_input_map(
                coadd, nside_sparse=mapper.nside, nside_coverage=mapper.nside_coverage
            )
        return Struct(**outputs)

    def _usable(self, refs: InputQuantizedConnection) -> list[_StoredVisit]:
        """Return what there is of the visits that lack nothing, in order; name the others."""
        noise = [
            _by_visit(getattr(refs, f"noise{number}_warps"))
            for number in range(self.config.num_noise_realizations)
        ]
        artifacts, rubins = (
            (_by_visit(refs.artifact_masks), _by_visit(refs.rubin_artifact_masks))
            if self.config.do_use_artifact_mask
            else ({}, {})
        )
        usable = []
        for visit, warp in sorted(_by_visit(refs.input_warps).items()):
            missing = [number for number, each in enumerate(noise) if visit not in each]
            if missing:
                self.log.warning(
                    "Left out: %s visit %d lacks noise realizations %s.", *visit, missing
                )
                continue
            usable.append(
                _StoredVisit(
                    warp=warp,
                    noise=[each[visit] for each in noise],
                    artifact_mask=artifacts.get(visit),
                    rubin_artifact_mask=rubins.get(visit),
                )
            )
        return usable

    def _load(
        self,
        context: QuantumContext,
        patch: Patch,
        visits: Iterable[_StoredVisit],
        bbox: Box | None,
    ) -> Iterator[VisitOnPatch]:
        """Read the pixels in a box of the visits that have any, one at a time."""
        for visit in visits:
            handle = context.get(visit.warp)
            if bbox is not None and shared_box(handle.get(component="bbox"), bbox) is None:
                continue
            warp: Warp = handle.get(parameters=bbox and {"bbox": bbox})
            shared = {"bbox": warp.bbox}
            yield VisitOnPatch(
                warp=warp,
                noise=tuple(
                    context.get(ref).get(component="image", parameters=shared)
                    for ref in visit.noise
                ),
                artifact_mask=_artifacts(context, visit, shared_box(warp.bbox, patch.outer_bbox)),
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _StoredVisit:
    """References to the warp of a visit and to what was warped with it."""

    warp: Any
    noise: Sequence[Any]
    artifact_mask: Any | None
    rubin_artifact_mask: Any | None


def _artifacts(context: QuantumContext, visit: _StoredVisit, bbox: Box | None) -> Mask | None:
    """Read the mask of a visit's artifacts: that of the Rubin pipelines, else ours.

    Theirs, made for another warp, must have all that lies on the patch; ours may cover a part.
    """
    if visit.rubin_artifact_mask is not None and bbox is not None:
        mask: Mask = context.get(visit.rubin_artifact_mask).get(parameters={"bbox": bbox})
        return mask
    if visit.artifact_mask is None:
        return None
    handle = context.get(visit.artifact_mask)
    shared = None if bbox is None else shared_box(handle.get(component="bbox"), bbox)
    ours: Mask = handle.get(parameters=shared and {"bbox": shared})
    return ours


def _index_of(patch: Patch, number: int) -> Index2D:
    shape = patch.grid.shape
    if number >= len(patch.grid):
        raise ValueError(
            f"cells = {number}: patches of {patch.skymap} have {shape.x} x {shape.y} cells, with "
            f"ids from 0 to {len(patch.grid) - 1}."
        )
    row, column = divmod(number, shape.x)
    return Index2D(x=column, y=row)


def _by_visit(refs: Iterable[Any]) -> Mapping[tuple[str, int], Any]:
    result: dict[tuple[str, int], Any] = {}
    for ref in refs:
        data_id: DataCoordinate = ref.datasetRef.dataId
        result[str(data_id["instrument"]), int(data_id["visit"])] = ref
    return result
