"""The configurations of the tasks: names, defaults, saving, and what they refuse."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from lsst.pex.config import FieldValidationError
from lsst.pipe.base import Pipeline, PipelineTaskConfig
from lsst.pipe.base.pipeline_graph import PipelineGraph

from cellcoadd.analysis.cell_maps import CellMapSettings
from cellcoadd.analysis.map_quantities import MAP_QUANTITIES
from cellcoadd.analysis.visit_properties import DEFAULT_VISIT_MAPS
from cellcoadd.coaddition.settings import CoaddSettings
from cellcoadd.tasks import (
    AssembleCellCoaddConfig,
    AssembleCellCoaddTask,
    MakeDirectWarpConfig,
    MakeDirectWarpTask,
    MapCellsConfig,
    MapCellsTask,
    MapVisitsConfig,
    ReportCellsConfig,
    ReportCellsTask,
    StitchCellCoaddConfig,
    StitchCellCoaddTask,
    TabulateCellsConfig,
    TabulateCellsTask,
)
from cellcoadd.tasks._configs import bits_to_planes, planes_to_bits
from cellcoadd.warping.settings import PIPELINE_WARPING, WarpSettings

WARP_DEFAULTS = {
    "numberOfNoiseRealizations": 0,
    "seedOffset": 0,
    "useMedianVariance": True,
    "doRevertOldBackground": False,
    "doApplyNewBackground": False,
    "newBackground": None,
    "useVisitSummaryPsf": True,
    "useVisitSummaryWcs": True,
    "useVisitSummaryPhotoCalib": True,
    "doSelectPreWarp": True,
    "doPreWarpInterpolation": False,
    "preWarpInterpolation.badMaskPlanes": ["BAD", "SAT", "CR"],
    "preWarpInterpolation.interpLength": 4,
    "preWarpInterpolation.fillValue": 0.0,
    "border": 256,
    "warper.warpingKernelName": "lanczos3",
    "warper.maskWarpingKernelName": "bilinear",
    "warper.interpLength": 10,
    "warper.growFullMask": 16,
    "doWarpMaskedFraction": True,
    "maskedFractionWarper.warpingKernelName": "bilinear",
    "select.maxPsfFwhm": 1.8,
    "select.maxEllipResidual": 0.007,
    "select.maxScaledSizeScatter": 0.019,
    "select.maxPsfTraceRadiusDelta": 0.7,
    "select.maxPsfApFluxDelta": 0.24,
    "select.maxPsfApCorrSigmaScaledDelta": 0.22,
    "select.minNPsfStar": 6,
    "select.maxStarE": 0.4,
    "connections.coaddName": "deep",
}
COADD_DEFAULTS = {
    "do_interpolate_coadd": True,
    "do_calculate_weight_from_warp": False,
    "do_use_artifact_mask": False,
    "require_artifact_mask": False,
    "min_overlap_fraction": 1.0,
    "overlap_region": "outer",
    "bad_mask_planes": ["BAD", "NO_DATA", "SAT", "CLIPPED"],
    "remove_mask_planes": ["EDGE", "NOT_DEBLENDED"],
    "calc_error_from_input_variance": True,
    "mask_propagation_thresholds": {"SAT": 0.1},
    "max_maskfrac": 0.5,
    "num_noise_realizations": 0,
    "psf_dimensions": 35,
    "do_coadd_inverse_aperture_corrections": False,
    "matched_psf_fwhm": None,
    "do_leave_out_damaged_warps": False,
    "cells": [],
    "do_input_map": False,
    "input_mapper.nside": 32768,
    "input_mapper.nside_coverage": 256,
    "connections.inputWarpName": "deep",
    "connections.outputCoaddName": "deep",
    "connections.outputCoaddSuffix": "Cell",
}
"""Names and defaults of the Rubin pipelines, by which their users know them."""

MAP_DEFAULTS = {
    "quantities": [*MAP_QUANTITIES],
    "nside_sparse": 8192,
    "nside_coverage": 256,
    "assignment": "box",
    "connections.outputCoaddName": "deep",
    "connections.outputCoaddSuffix": "Cell",
}

CONFIGS: dict[type[PipelineTaskConfig], dict[str, Any]] = {
    MakeDirectWarpConfig: WARP_DEFAULTS,
    AssembleCellCoaddConfig: COADD_DEFAULTS,
    StitchCellCoaddConfig: {"connections.outputCoaddSuffix": "Cell"},
    TabulateCellsConfig: {"connections.outputCoaddSuffix": "Cell"},
    MapCellsConfig: MAP_DEFAULTS,
    MapVisitsConfig: {
        **{name: value for name, value in MAP_DEFAULTS.items() if name != "quantities"},
        "properties": [*DEFAULT_VISIT_MAPS],
    },
    ReportCellsConfig: {"connections.outputCoaddSuffix": "Cell"},
}

ROWS = [(kind, name, value) for kind, names in CONFIGS.items() for name, value in names.items()]

WARP_CHANGES = {
    "numberOfNoiseRealizations": 3,
    "seedOffset": 7,
    "useMedianVariance": False,
    "doRevertOldBackground": True,
    "doApplyNewBackground": True,
    "newBackground": "sky",
    "doSelectPreWarp": False,
    "doPreWarpInterpolation": True,
    "preWarpInterpolation.badMaskPlanes": ["BAD"],
    "preWarpInterpolation.interpLength": 6,
    "preWarpInterpolation.fillValue": -1.5,
    "border": 100,
    "warper.interpLength": 0,
    "warper.warpingKernelName": "lanczos5",
    "warper.kernelStarFwhm": 2.5,
    "warper.growFullMask": 18,
    "doWarpMaskedFraction": False,
    "select.maxPsfFwhm": None,
    "select.minNPsfStar": 10,
}
COADD_CHANGES = {
    "do_interpolate_coadd": False,
    "do_calculate_weight_from_warp": True,
    "do_use_artifact_mask": True,
    "require_artifact_mask": True,
    "min_overlap_fraction": 0.25,
    "overlap_region": "inner",
    "bad_mask_planes": ["BAD", "NO_DATA", "CR"],
    "remove_mask_planes": ["EDGE"],
    "calc_error_from_input_variance": False,
    "mask_propagation_thresholds": {"CR": 0.2},
    "max_maskfrac": 0.1,
    "num_noise_realizations": 2,
    "psf_dimensions": 41,
    "do_coadd_inverse_aperture_corrections": True,
    "matched_psf_fwhm": 1.1,
}
MAP_CHANGES = {
    "quantities": ["depth"],
    "nside_sparse": 32768,
    "nside_coverage": 128,
    "assignment": "centre",
}

VISIT_CHANGES = {
    **{name: value for name, value in MAP_CHANGES.items() if name != "quantities"},
    "properties": ["airmass_map_max"],
}


def make(kind: type[Any]) -> Any:
    """A configuration; pex_config has no types for its parts."""
    return kind()


def value_of(config: Any, name: str) -> Any:
    for part in name.split("."):
        config = getattr(config, part)
    if hasattr(config, "items"):
        return dict(config.items())
    return (
        config if isinstance(config, str | None) or not hasattr(config, "__iter__") else [*config]
    )


def set_value(config: Any, name: str, value: Any) -> None:
    *outer, last = name.split(".")
    for part in outer:
        config = getattr(config, part)
    setattr(config, last, value)


@pytest.mark.parametrize(
    ("kind", "name", "value"), ROWS, ids=[f"{kind.__name__}-{name}" for kind, name, _ in ROWS]
)
def test_names_and_defaults_are_those_of_the_specification(
    kind: type[PipelineTaskConfig], name: str, value: Any
) -> None:
    """Overrides that users have from the Rubin pipelines must work here."""
    found = value_of(kind(), name)
    assert found == value
    assert type(found) is type(value)


def test_there_is_no_other_name() -> None:
    """A name that is not in the table has not been thought about."""
    added_by_middleware = {"saveLogOutput"}
    for kind, names in CONFIGS.items():
        if kind in (StitchCellCoaddConfig, TabulateCellsConfig, ReportCellsConfig):
            continue
        config: Any = kind()
        ours = {name.split(".")[0] for name in names}
        assert {*config.keys()} - added_by_middleware == ours


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (MakeDirectWarpConfig, WARP_CHANGES),
        (AssembleCellCoaddConfig, COADD_CHANGES),
        (MapCellsConfig, MAP_CHANGES),
        (MapVisitsConfig, VISIT_CHANGES),
    ],
)
def test_every_choice_reaches_the_settings_of_the_stage(
    kind: type[Any], changes: dict[str, Any]
) -> None:
    """A name that is not handed on would be an option that does nothing."""
    default = kind().to_settings()
    for name, value in changes.items():
        config = kind()
        if name in ("require_artifact_mask", "mask_propagation_thresholds"):
            config.do_use_artifact_mask = True
            config.bad_mask_planes = ["BAD", "NO_DATA", "SAT", "CLIPPED", "CR"]
        if name == "doApplyNewBackground":
            config.newBackground = "sky"
        before = config.to_settings()
        if name == "bad_mask_planes":
            config.mask_propagation_thresholds = {}
        set_value(config, name, value)
        config.validate()
        assert config.to_settings() not in (before, default), name


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (MakeDirectWarpConfig, WARP_CHANGES),
        (AssembleCellCoaddConfig, COADD_CHANGES),
        (MapCellsConfig, MAP_CHANGES),
        (MapVisitsConfig, VISIT_CHANGES),
    ],
)
def test_a_saved_configuration_comes_back(
    kind: type[Any], changes: dict[str, Any], tmp_path: Path
) -> None:
    """The middleware stores configurations as text, and hands them to other processes."""
    config = kind()
    for name, value in changes.items():
        set_value(config, name, value)
    path = tmp_path / "config.py"
    config.save(str(path))
    loaded = kind()
    loaded.load(str(path))
    from_text = kind()
    from_text.loadFromString(config.saveToString())
    sent = pickle.loads(pickle.dumps(config))
    for other in (loaded, from_text, sent):
        assert other.compare(config)
        assert other.to_settings() == config.to_settings()
    for name, value in changes.items():
        assert value_of(loaded, name) == value


@pytest.mark.parametrize(
    ("kind", "name", "value", "message"),
    [
        (MakeDirectWarpConfig, "numberOfNoiseRealizations", 4, "numberOfNoiseRealizations"),
        (MakeDirectWarpConfig, "numberOfNoiseRealizations", -1, "numberOfNoiseRealizations"),
        (MakeDirectWarpConfig, "border", -1, "border must not be negative, got -1"),
        (MakeDirectWarpConfig, "preWarpInterpolation.interpLength", 0, "at least 1, got 0"),
        (
            MakeDirectWarpConfig,
            "preWarpInterpolation.fillValue",
            float("nan"),
            "fill_value must be finite",
        ),
        (MakeDirectWarpConfig, "doApplyNewBackground", True, "needs new_background"),
        (MakeDirectWarpConfig, "warper.interpLength", -1, "at least 0, got -1"),
        (MakeDirectWarpConfig, "warper.growFullMask", 1 << 25, "bits without a mask plane"),
        (MakeDirectWarpConfig, "warper.warpingKernelName", "lanczos9", "lanczos9"),
        (MakeDirectWarpConfig, "warper.kernelStarFwhm", 0.5, "star_fwhm must be 1.5 to 6 pixels"),
        (MakeDirectWarpConfig, "maskedFractionWarper.warpingKernelName", "lanczos3", "lanczos3"),
        (MakeDirectWarpConfig, "select.maxPsfFwhm", -1.0, "max_psf_fwhm must be"),
        (MakeDirectWarpConfig, "select.minNPsfStar", -1, "min_n_psf_star must be"),
        (AssembleCellCoaddConfig, "min_overlap_fraction", 1.1, "min_overlap_fraction"),
        (AssembleCellCoaddConfig, "overlap_region", "middle", "middle"),
        (AssembleCellCoaddConfig, "max_maskfrac", -0.1, "max_maskfrac"),
        (AssembleCellCoaddConfig, "num_noise_realizations", 4, "num_noise_realizations"),
        (AssembleCellCoaddConfig, "psf_dimensions", 34, "psf_dimensions must be odd, got 34"),
        (AssembleCellCoaddConfig, "psf_dimensions", -3, "psf_dimensions must be odd"),
        (
            AssembleCellCoaddConfig,
            "mask_propagation_thresholds",
            {"CRR": 0.1},
            "neither a plane that is left out nor one of",
        ),
        (AssembleCellCoaddConfig, "mask_propagation_thresholds", {"SAT": 2.0}, "must be in 0..1"),
        (AssembleCellCoaddConfig, "input_mapper.nside", 1000, "must be a power of two"),
        (AssembleCellCoaddConfig, "matched_psf_fwhm", 0.0, "positive number of arcseconds"),
        (AssembleCellCoaddConfig, "require_artifact_mask", True, "do_use_artifact_mask"),
        (MapCellsConfig, "quantities", ["deepness"], "got 'deepness'"),
        (MapCellsConfig, "quantities", [], "must be some, each once"),
        (MapCellsConfig, "nside_sparse", 8000, "must be a power of two"),
        (MapCellsConfig, "nside_coverage", 16384, "must not be less than"),
        (MapCellsConfig, "assignment", "circle", "circle"),
        (MapVisitsConfig, "properties", ["airmass_map_sum"], "can be made mean, min, max"),
        (MapVisitsConfig, "nside_sparse", 8000, "must be a power of two"),
    ],
)
def test_bad_values_are_refused_with_the_rule(
    kind: type[Any], name: str, value: Any, message: str
) -> None:
    """When they are set, or when the configuration is validated: before any work."""
    config = kind()
    with pytest.raises((FieldValidationError, ValueError), match=message):  # noqa: PT012
        set_value(config, name, value)
        config.validate()


def test_defaults_are_stated_once() -> None:
    """The configuration is a view of the settings."""
    settings = make(MakeDirectWarpConfig).to_settings()
    assert settings == WarpSettings()
    assert make(AssembleCellCoaddConfig).to_settings() == CoaddSettings()
    assert make(MapCellsConfig).to_settings() == CellMapSettings()


@pytest.mark.parametrize("name", ["cell_coadds", "cell_coadds_clipped", "full"])
def test_our_pipelines_choose_what_recipes_do(name: str) -> None:
    """A pipeline is text: that its kernel is the recommended one is tested here."""
    pipeline = Pipeline.fromFile(f"resource://cellcoadd/pipelines/{name}.yaml")
    config: Any = pipeline.to_graph().tasks["makeDirectWarp"].config
    assert config.to_settings() == PIPELINE_WARPING


@pytest.mark.parametrize("planes", [(), ("EDGE",), ("BAD", "SAT", "EDGE")])
def test_bits_of_planes_there_and_back(planes: tuple[str, ...]) -> None:
    """EDGE is 16 as in the Rubin pipelines, whose users give the number."""
    assert bits_to_planes(planes_to_bits(planes)) == planes
    assert planes_to_bits(("EDGE",)) == 16


def test_datasets_follow_the_names_that_are_configured() -> None:
    """Names of the Rubin pipelines, their templates, and only what is switched on."""
    warp = make(MakeDirectWarpConfig)
    warp.numberOfNoiseRealizations = 2
    warp.connections.coaddName = "other"
    coadd = make(AssembleCellCoaddConfig)
    coadd.num_noise_realizations = 1
    coadd.do_use_artifact_mask = True
    coadd.connections.inputWarpName = "other"
    coadd.connections.outputCoaddSuffix = "Cells"
    stitch = make(StitchCellCoaddConfig)
    stitch.connections.outputCoaddSuffix = "Cells"
    table = make(TabulateCellsConfig)
    table.connections.outputCoaddSuffix = "Cells"
    maps = make(MapCellsConfig)
    maps.quantities = ["depth", "input_fraction_005"]
    maps.connections.outputCoaddSuffix = "Cells"
    page = make(ReportCellsConfig)
    page.connections.outputCoaddSuffix = "Cells"
    graph = PipelineGraph()
    graph.add_task("makeDirectWarp", MakeDirectWarpTask, warp)
    graph.add_task("assembleCellCoadd", AssembleCellCoaddTask, coadd)
    graph.add_task("stitchCellCoadd", StitchCellCoaddTask, stitch)
    graph.add_task("tabulateCells", TabulateCellsTask, table)
    graph.add_task("mapCells", MapCellsTask, maps)
    graph.add_task("reportCells", ReportCellsTask, page)
    inputs = {
        label: {edge.parent_dataset_type_name for edge in node.inputs.values()}
        for label, node in graph.tasks.items()
    }
    outputs = {
        label: {edge.parent_dataset_type_name for edge in node.outputs.values()}
        for label, node in graph.tasks.items()
    }
    assert inputs["makeDirectWarp"] == {"calexp", "finalVisitSummary", "skyMap"}
    assert outputs["makeDirectWarp"] == {
        "otherCoadd_directWarp",
        "otherCoadd_directWarp_noise0",
        "otherCoadd_directWarp_noise1",
        "otherCoadd_directWarp_maskedFraction",
    }
    assert inputs["assembleCellCoadd"] == {
        "otherCoadd_directWarp",
        "otherCoadd_directWarp_noise0",
        "otherCoadd_directWarp_artifactMask",
        "compare_warp_artifact_mask",
        "skyMap",
    }
    assert outputs["assembleCellCoadd"] == {"deepCoaddCells"}
    assert inputs["stitchCellCoadd"] == {"deepCoaddCells"}
    assert outputs["stitchCellCoadd"] == {"deepCoaddCells_stitched"}
    assert inputs["tabulateCells"] == {"deepCoaddCells"}
    assert outputs["tabulateCells"] == {
        "deepCoaddCells_table",
        "deepCoaddCells_inputTable",
    }
    assert inputs["mapCells"] == {"deepCoaddCells_table", "skyMap"}
    assert outputs["mapCells"] == {
        "deepCoaddCells_depth_map",
        "deepCoaddCells_input_fraction_005_map",
    }
    assert inputs["reportCells"] == {
        "deepCoaddCells",
        "deepCoaddCells_table",
        "deepCoaddCells_inputTable",
        "skyMap",
        *(f"deepCoaddCells_{name}_map" for name in MAP_QUANTITIES),
        *(f"deepCoaddCells_{name}" for name in DEFAULT_VISIT_MAPS),
    }
    assert outputs["reportCells"] == {"deepCoaddCells_report"}
