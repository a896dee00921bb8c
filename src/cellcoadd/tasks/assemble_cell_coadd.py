"""AssembleCellCoaddTask: the warps of a patch added up cell by cell."""

from __future__ import annotations

__all__ = [
    "AssembleCellCoaddConfig",
    "AssembleCellCoaddConnections",
    "AssembleCellCoaddTask",
]

import functools
from collections.abc import Iterable, Sequence
from typing import Any

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

from ..cell_grid import Index2D
from ..coaddition.assemble import VisitOnPatch, assemble_cell_coadd
from ..coaddition.input_map import make_input_map
from ..coaddition.settings import CoaddSettings
from ..coaddition.strips import Strip, assemble_in_strips, strips_of
from ..conventions import MAX_NOISE_REALIZATIONS
from ..errors import UnusableInputError
from ..files.reading import parts_of_sound_files
from ..products.cell_coadd import MultipleCellCoadd
from ..skymap import Patch, SkyMap
from ._configs import InputMapConfig
from ._stored_visits import (
    StoredVisit,
    VisitKey,
    damaged_visits,
    gone_visits,
    load_visits,
    stored_visits,
)

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
    do_leave_out_damaged_warps = Field[bool](
        doc="Go on, with a warning, without the visits of which a file is damaged or gone; else a "
        "patch that has such a visit fails.",
        default=False,
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
        visits = stored_visits(
            inputRefs,
            n_noise=self.config.num_noise_realizations,
            with_artifacts=self.config.do_use_artifact_mask,
            warn=self.log.warning,
        )
        strips = strips_of(
            patch,
            settings=self.config.to_settings(),
            n_visits=len(inputRefs.input_warps),
            n_fractions=_MOST_FRACTIONS,
            cells=self._cells_of(patch),
            stored=True,
        )
        boxes = [strip.bbox for strip in strips]
        with parts_of_sound_files():
            if gone := gone_visits(butlerQC, inputRefs):
                damaged = damaged_visits(butlerQC, patch, visits, boxes)
                visits = self._without(visits, gone + damaged, patch)
            try:
                coadd = self._assemble(butlerQC, patch, visits, strips)
            except UnusableInputError:
                damaged = damaged_visits(butlerQC, patch, visits, boxes)
                if not damaged:
                    raise
                visits = self._without(visits, damaged, patch)
                coadd = self._assemble(butlerQC, patch, visits, strips)
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

    def _assemble(
        self,
        context: QuantumContext,
        patch: Patch,
        visits: Sequence[StoredVisit],
        strips: Sequence[Strip],
    ) -> MultipleCellCoadd | None:
        return assemble_in_strips(
            functools.partial(load_visits, context, patch, visits),
            patch,
            strips,
            settings=self.config.to_settings(),
        )

    def _without(
        self,
        visits: Sequence[StoredVisit],
        unusable: Iterable[tuple[VisitKey, UnusableInputError]],
        patch: Patch,
    ) -> list[StoredVisit]:
        """Return the visits whose files are sound, name the others; or fail, naming them."""
        by_visit = dict(reversed([*unusable]))  # of several reasons the first
        sound = [visit for visit in visits if visit.key not in by_visit]
        if self.config.do_leave_out_damaged_warps and sound:
            for _, reason in sorted(by_visit.items()):
                self.log.warning("Left out, its visit goes into no cell: %s", reason)
            return sound
        reasons = " ".join(str(reason) for _, reason in sorted(by_visit.items()))
        raise UnusableInputError(
            f"tract {patch.tract}, patch {patch.id} of {patch.skymap}",
            f"{len(by_visit)} of its {len(sound) + len(by_visit)} visits cannot be used. {reasons} "
            "'cellcoadd status REPO COLLECTION --verify --renew' has them warped again; with the "
            "setting do_leave_out_damaged_warps=True the coadd is made of the others, if any.",
        )

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


def _index_of(patch: Patch, number: int) -> Index2D:
    shape = patch.grid.shape
    if number >= len(patch.grid):
        raise ValueError(
            f"cells = {number}: patches of {patch.skymap} have {shape.x} x {shape.y} cells, with "
            f"ids from 0 to {len(patch.grid) - 1}."
        )
    row, column = divmod(number, shape.x)
    return Index2D(x=column, y=row)
