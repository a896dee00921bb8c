"""What the stored forms of all our products have in common."""

from __future__ import annotations

__all__ = ["SCHEMA_URL_BASE", "ProductTree"]

from typing import ClassVar

from lsst.images.serialization import ArchiveTree

SCHEMA_URL_BASE = "https://cellcoadd.readthedocs.io/schemas"
"""Where the descriptions of our stored forms are published."""


class ProductTree(ArchiveTree):
    """Base of the stored forms: an `lsst.images` archive tree with our schema addresses."""

    SCHEMA_URL_BASE: ClassVar[str] = SCHEMA_URL_BASE
