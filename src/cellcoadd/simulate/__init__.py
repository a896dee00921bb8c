"""An independent witness: a sky, optics and a camera that draw the truth.

Tests and demonstrations compare with it, so it shares no numerics with the stages: sources are
placed by formulas written out in `pointing`, drawn by GalSim, and nothing here reaches the kernels.

From the outside in: `survey` writes files of a `plan` (or of a plan by name: `presets`, and
`hsc_presets` like Hyper Suprime-Cam) for an `area`; `observe` makes one image out of the `sky`, the
`optics`, the `camera` with its `pointing`, and the `artifacts`; `metadata` says what the file tells
about its exposure; `randomness` seeds every draw.
"""

from __future__ import annotations

__all__ = [
    "SURVEY_PLANS",
    "ArtifactSettings",
    "Camera",
    "DetectorPointing",
    "PointSpread",
    "SkySettings",
    "SurveyFiles",
    "SurveyPlan",
    "VisitPlan",
    "draw_sky",
    "draw_sources",
    "simulate_survey",
    "simulate_visit_detector",
    "survey_plan",
    "write_survey",
]

from .artifacts import ArtifactSettings
from .camera import Camera
from .observe import draw_sources, simulate_visit_detector
from .optics import PointSpread
from .plan import SurveyPlan, VisitPlan
from .pointing import DetectorPointing
from .presets import SURVEY_PLANS, survey_plan
from .sky import SkySettings, draw_sky
from .survey import SurveyFiles, simulate_survey, write_survey
