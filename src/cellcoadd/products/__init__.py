"""WHAT: the values that stages hand over; lsst.images' types first, ours only where none exists."""

from __future__ import annotations

from .._moved_modules import follow_moved_modules

follow_moved_modules()
