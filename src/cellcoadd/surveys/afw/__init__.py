"""Exposures of lsst.afw, the Rubin pipelines' older files."""

from __future__ import annotations

from .reader import AfwReader, read_afw_exposure
from .visit_summary import VisitSummary, visit_summary_from_catalog

__all__ = ["AfwReader", "VisitSummary", "read_afw_exposure", "visit_summary_from_catalog"]
