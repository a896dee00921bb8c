"""Storage classes that repositories of earlier versions do not know.

The configuration of a repository is copied into it when it is made and never changes, and a task
whose connection names a storage class that nobody knows cannot be run there at all.
"""

from __future__ import annotations

__all__ = ["VISIT_SUMMARY"]

from lsst.daf.butler import StorageClass, StorageClassFactory

VISIT_SUMMARY = "CellVisitSummary"
"""That of visit summaries, of which a connection may find none."""

# The same as in butler/configs/repo.yaml: the Butler refuses a definition that differs.
StorageClassFactory().registerStorageClass(
    StorageClass(
        VISIT_SUMMARY,
        pytype="cellcoadd.surveys.afw.VisitSummary",
        converters={
            "lsst.afw.table.ExposureCatalog": "cellcoadd.surveys.afw.visit_summary_from_catalog"
        },
        delegate="lsst.daf.butler.StorageClassDelegate",
    )
)
