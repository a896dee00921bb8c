"""A Butler whose `get` returns what scripts for lsst.afw expect."""

from __future__ import annotations

__all__ = ["Butler"]

from typing import Any

import lsst.daf.butler

from .products import as_afw


class Butler:
    """A Butler; coadds, warps and images come out as views.

    Parameters
    ----------
    *args, **kwargs
        As for `lsst.daf.butler.Butler`: the repository first, ``collections=...`` if need be.

    Notes
    -----
    All that is not here is the Butler's own: ``registry``, ``query_datasets``, ``put``.
    ``butler.ours`` is that Butler.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.ours = lsst.daf.butler.Butler.from_config(*args, **kwargs)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """Read a dataset, as `lsst.daf.butler.Butler.get` does, and return its view."""
        return as_afw(self.ours.get(*args, **kwargs))

    def getDeferred(self, *args: Any, **kwargs: Any) -> _Deferred:
        """Return a handle whose ``get`` reads the dataset and returns its view."""
        return _Deferred(self.ours.getDeferred(*args, **kwargs))

    def __enter__(self) -> Butler:
        self.ours.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.ours.__exit__(*error)

    def __getattr__(self, name: str) -> Any:
        if name == "ours":  # not set yet, when something is unpickled
            raise AttributeError(name)
        return getattr(self.ours, name)


class _Deferred:
    """A dataset that is read when it is asked for."""

    def __init__(self, handle: Any) -> None:
        self.ours = handle

    def get(self, **kwargs: Any) -> Any:
        return as_afw(self.ours.get(**kwargs))

    def __getattr__(self, name: str) -> Any:
        if name == "ours":
            raise AttributeError(name)
        return getattr(self.ours, name)
