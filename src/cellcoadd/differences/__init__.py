"""What differs between two products, in words and numbers."""

from __future__ import annotations

__all__ = ["Difference", "differences_between"]

from .between import Difference, differences_between
