"""Storage classes of our products, known as soon as a task is.

A repository has them in its configuration, which is copied when it is made and never changes. Two
situations lack them: a repository of an earlier version, whose copy has not all of them, and a job
on a cluster (``pipetask run-qbb``), which reads its quantum graph before it opens a repository. A
task whose connection names a storage class that nobody knows cannot be run there at all.
"""

from __future__ import annotations

__all__ = ["VISIT_SUMMARY"]

from lsst.daf.butler import Config, StorageClassFactory

VISIT_SUMMARY = "CellVisitSummary"
"""That of visit summaries, of which a connection may find none."""

StorageClassFactory().addFromConfig(Config("resource://cellcoadd/butler/configs/repo.yaml"))
