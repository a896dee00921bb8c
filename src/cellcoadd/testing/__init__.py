"""Builders, slow twins and repositories for tests, ours and those of users."""

from __future__ import annotations

from .._moved_modules import follow_moved_modules

follow_moved_modules()
