"""Exposures of lsst.afw, the Rubin pipelines' older files."""

from __future__ import annotations

from .reader import AfwReader, read_afw_exposure

__all__ = ["AfwReader", "read_afw_exposure"]
