"""Class paths of the Rubin pipelines for our tasks, and their refusal where those are installed."""

from __future__ import annotations

__all__ = ["refuse_beside_rubin"]

import importlib.util

_THEIRS = ("lsst.afw", "lsst.pipe.tasks", "lsst.drp.tasks")
"""Packages of the Rubin pipelines. Ours of these names are namespaces: they have no file."""


def refuse_beside_rubin(path: str) -> None:
    """Raise an error if a part of the Rubin pipelines is installed.

    Parameters
    ----------
    path
        The module of theirs in whose place one of ours is imported.

    Raises
    ------
    ImportError
        It says which part is where, and what to do.
    """
    for name in _THEIRS:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.has_location:
            raise ImportError(
                f"{path} of cellcoadd-rubin-names stands in for one of the Rubin pipelines, but "
                f"{name} of these is installed: {spec.origin}. Uninstall cellcoadd-rubin-names; "
                "the tasks of cellcoadd are in cellcoadd.tasks."
            )
