"""The task that searches for artifacts: its configuration, and warps that cannot be read."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lsst.images import Box
from lsst.pex.config import FieldValidationError
from lsst.pipe.base.pipeline_graph import PipelineGraph

from cellcoadd.comparison.settings import ComparisonSettings
from cellcoadd.products.warp import Warp
from cellcoadd.tasks import FindArtifactsConfig, FindArtifactsTask
from cellcoadd.testing.static_fields import StaticField

Configuration: type[Any] = FindArtifactsConfig
Task: type[Any] = FindArtifactsTask

DEFAULTS_AND_CHANGES: dict[str, tuple[Any, Any]] = {
    "method": ("compare", "gradient"),
    "modelPsfFwhm": (7.7, 6.0),
    "sigmaClip": (2.5, 3.0),
    "clipIter": (3, 2),
    "detect.thresholdValue": (7.5, 5.0),
    "detect.minPixels": (4, 1),
    "detect.nSigmaToGrow": (0.4, 1.0),
    "detectTemplate.thresholdValue": (300.0, 100.0),
    "detectTemplate.nSigmaToGrow": (2.4, 2.0),
    "maxNumEpochs": (2.0, 3.0),
    "maxFractionEpochsHigh": (0.03, 0.1),
    "maxFractionEpochsLow": (0.4, 0.5),
    "spatialThreshold": (0.5, 0.4),
    "prefilterArtifactsMaskPlanes": (["NO_DATA", "BAD", "SUSPECT"], ["NO_DATA"]),
    "prefilterArtifactsRatio": (0.05, 0.1),
    "doPreserveContainedBySource": (True, False),
    "gradientSnr": ([5.0, 4.0], [6.0, 4.0]),
    "gradientScale": ([1.2, 0.7], [1.0, 0.7]),
}
"""Names of the Rubin pipelines where they have the step; numbers are theirs and stcal's."""


def place_of(config: Any, name: str) -> tuple[Any, str]:
    *outer, last = name.split(".")
    for part in outer:
        config = getattr(config, part)
    return config, last


def test_names_and_defaults() -> None:
    """No others: a name that is not in the table has not been thought about."""
    config: Any = Configuration()
    for name, (default, _) in DEFAULTS_AND_CHANGES.items():
        found = getattr(*place_of(config, name))
        assert ([*found] if isinstance(default, list) else found) == default
    ours = {name.split(".")[0] for name in DEFAULTS_AND_CHANGES}
    assert {*config.keys()} - {"saveLogOutput", "connections"} == ours
    assert config.to_settings() == ComparisonSettings()


@pytest.mark.parametrize("name", DEFAULTS_AND_CHANGES)
def test_every_choice_reaches_the_settings(name: str, tmp_path: Path) -> None:
    """And comes back from the text that the middleware stores."""
    config: Any = Configuration()
    inner, last = place_of(config, name)
    setattr(inner, last, DEFAULTS_AND_CHANGES[name][1])
    config.validate()
    assert config.to_settings() != ComparisonSettings()
    config.save(str(tmp_path / "config.py"))
    again: Any = Configuration()
    again.load(str(tmp_path / "config.py"))
    assert again.to_settings() == config.to_settings()


def test_bad_values_are_refused_before_any_work_begins() -> None:
    """By the field or by the stage."""
    config: Any = Configuration()
    with pytest.raises(FieldValidationError):
        config.method = "guess"
    config.detect.thresholdValue = -1.0
    with pytest.raises(ValueError, match="detection_threshold must be positive"):
        config.validate()


def test_datasets_follow_the_name_of_the_warps() -> None:
    """The masks are those that the assembly of the same warps takes."""
    config: Any = Configuration()
    config.connections.inputWarpName = "other"
    graph = PipelineGraph()
    graph.add_task("findArtifacts", FindArtifactsTask, config)
    (node,) = graph.tasks.values()
    assert {edge.parent_dataset_type_name for edge in node.inputs.values()} == {
        "otherCoadd_directWarp", "skyMap",
    }  # fmt: skip
    assert {edge.parent_dataset_type_name for edge in node.outputs.values()} == {
        "otherCoadd_directWarp_artifactMask"
    }


class Handle:
    """A warp in a repository; None: its file is damaged."""

    def __init__(self, visit: int, warp: Warp | None) -> None:
        self.ref = SimpleNamespace(
            dataId={"instrument": "Cam", "visit": visit},
            datasetType=SimpleNamespace(name="deepCoadd_directWarp"),
        )
        self._warp = warp

    def get(self, *, component: str = "", parameters: dict[str, Box] | None = None) -> Any:
        if self._warp is None:
            raise ValueError("The tree ends in the middle.")
        assert component == "bbox" or parameters is not None
        return self._warp.bbox if component else self._warp


def test_a_damaged_warp_is_named_and_the_others_are_compared(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whether its patch fails for it, the assembly decides."""
    field = StaticField(seed=7)
    more = field.draw([(100.0, 100.0, 1000.0)], 4.0)
    warps = [field.visit(n, 4.0, more=more if n == 2 else 0.0) for n in (1, 2, 3, 5)]
    handles = {("Cam", warp.visit): Handle(warp.visit, warp) for warp in warps}
    handles["Cam", 4] = Handle(4, None)
    with caplog.at_level(logging.WARNING):
        artifacts = Task()._compare(handles, field.patch)
    assert "Not compared: deepCoadd_directWarp Cam visit 4" in caplog.text
    assert sorted(visit for _, visit in handles) == [1, 2, 3, 5]
    assert [visit for (_, visit), pixels in artifacts.pixels.items() if pixels.size] == [2]
