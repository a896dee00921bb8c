"""Module paths of earlier versions: they lead to the same modules in their new places, and warn.

Notebooks import by such paths. (Those by which a ``butler.yaml`` names classes stay for ever.) A
line stays in the table until the release after the first in which it warns: docs/stability.md.
"""

from __future__ import annotations

__all__ = ["MOVED", "follow_moved_modules"]

import functools
import importlib
import importlib.util
import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType

MOVED: Mapping[str, str] = {
    f"cellcoadd.{old}": f"cellcoadd.{new}"
    for old, new in {
        "products.archive_schema": "files.archive_schema",
        "products.calibrated_image_storage": "products.calibrated_image.stored",
        "products.cell_choice": "products.cell_coadd.choice",
        "products.cell_coadd_storage": "products.cell_coadd.stored",
        "products.cell_inputs": "products.cell_coadd.inputs",
        "products.cell_lookup": "products.cell_coadd.lookup",
        "products.cell_planes": "coaddition.cell_room",
        "products.cell_stack": "products.cell_coadd.stack",
        "products.column_storage": "files.columns",
        "products.column_values": "files.column_values",
        "products.deferred_pixels": "products.calibrated_image.deferred_pixels",
        "products.deflated_planes": "files.deflated_planes",
        "products.entry_archive": "files.entry_archive",
        "products.exploding": "products.cell_coadd.exploding",
        "products.file_reading": "files.reading",
        "products.file_writing": "files.writing",
        "products.fits_entries": "files.fits_entries",
        "products.fits_units": "files.fits_units",
        "products.gzip_tiles": "files.gzip_tiles",
        "products.inner_cells": "exchange.dp2_cells",
        "products.integer_masks": "masks.stored",
        "products.lsst_cell_coadds": "exchange.lsst_cell_coadds",
        "products.mask_algebra": "masks.algebra",
        "products.mask_planes": "masks.planes",
        "products.observation_details": "products.calibrated_image.observation_details",
        "products.packed_planes": "files.packed_planes",
        "products.pixel_compression": "products.cell_coadd.compression",
        "products.psf_models": "psfs.models",
        "products.psf_storage": "psfs.stored",
        "products.rice_tiles": "files.rice_tiles",
        "products.rounded_planes": "files.rounded_planes",
        "products.single_cell": "products.cell_coadd.cell",
        "products.stamp_shift": "psfs.stamp_shift",
        "products.stitching": "products.cell_coadd.stitching",
        "products.warp_compression": "products.warp.compression",
        "products.warp_storage": "products.warp.stored",
        "products.zeroed_memory": "files.zeroed_memory",
        "testing.agreement": "validation.agreement",
        "testing.cell_rules": "validation.agreement.cell_rules",
        "testing.physics": "validation.physics",
        "testing.warp_agreement": "validation.agreement.warps",
    }.items()
}
"""Old path and new one. What was below a package is below it in its new place."""


_PACKAGE = Path(__file__).parent


@functools.cache
def follow_moved_modules() -> None:
    """Let imports by old paths find their modules; what is there by its own path is not touched."""
    # First: below a package that has moved, the usual finder would load its files a second time.
    sys.meta_path.insert(0, _MovedModules())


class _MovedModules(MetaPathFinder):
    """Finds a module by its old path."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        new = _new_path_of(fullname)
        place = None if new is None else _PACKAGE.joinpath(*new.split(".")[1:])
        # Files are looked at: to ask the import system, which waits for us here, could be for ever.
        if new is None or place is None or not (_is_package(place) or _module_at(place).is_file()):
            return None
        return ModuleSpec(
            fullname, _LoaderOfTheSame(new), origin=new, is_package=_is_package(place)
        )


def _is_package(place: Path) -> bool:
    return (place / "__init__.py").is_file()


def _module_at(place: Path) -> Path:
    return place.with_name(f"{place.name}.py")


class _LoaderOfTheSame(InspectLoader):
    """Gives the module of another path, not a copy of it: classes must be the same."""

    def __init__(self, new: str) -> None:
        self._new = new
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        if spec.name in MOVED:
            warnings.warn(
                f"{spec.name} has moved to {self._new}; the old path will be removed.",
                DeprecationWarning,
                stacklevel=2,
            )
        module = importlib.import_module(self._new)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # It is executed already; what the import system wrote over is put back.
        module.__spec__ = self._spec

    def get_code(self, fullname: str) -> CodeType | None:  # noqa: ARG002
        """Return what ``python -m`` executes."""
        spec = importlib.util.find_spec(self._new)
        assert spec is not None, "found before"
        assert isinstance(spec.loader, InspectLoader), "a file of ours"
        return spec.loader.get_code(self._new)

    def get_source(self, fullname: str) -> str | None:  # noqa: ARG002
        return None


def _new_path_of(path: str) -> str | None:
    """Return where a module is that was at a path, or below it; None if it has not moved."""
    if not path.startswith("cellcoadd."):
        return None
    for end in (len(path), *(place for place, sign in enumerate(path) if sign == ".")):
        if path[:end] in MOVED:
            return MOVED[path[:end]] + path[end:]
    return None
