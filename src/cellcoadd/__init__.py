"""Cell-based coadds of astronomical images: each small cell has one exact point-spread function.

The way of the data, and the package that knows each step:

* where: `cellcoadd.skymap` divides the sky into tracts, patches and cells (`cellcoadd.cell_grid`);
* what: `cellcoadd.products` are the values that the stages hand over, lsst.images' types first;
* `cellcoadd.masks`, `cellcoadd.psfs`, `cellcoadd.files`: what products are made of, and how they
  lie in files;
* how: `cellcoadd.kernels` are the compiled loops, arrays and numbers only;
* `cellcoadd.surveys` read a survey's files into calibrated images;
* `cellcoadd.warping` resamples one visit's images onto a patch;
* `cellcoadd.coaddition` chooses a cell's inputs and adds them up;
* `cellcoadd.analysis` measures the cells of a coadd;
* `cellcoadd.report` draws pictures of it;
* `cellcoadd.exchange` reads and writes coadds of the Rubin pipelines;
* `cellcoadd.simulate` draws skies and exposures of known truth;
* `cellcoadd.recipes` join the stages in plain Python, `cellcoadd.any_file` reads whatever a file
  holds;
* `cellcoadd.tasks` and `cellcoadd.butler` join all this to the Rubin middleware;
* `cellcoadd.testing` is for the tests of this package and of those that use it;
* `cellcoadd.validation` compares it with the Rubin pipelines' code, and with simulated truth.

The conventions (pixels, units, order) are stated in `cellcoadd.conventions`, the errors in
`cellcoadd.errors`. The names exported here are what is promised to stay (docs/stability.md), each
is explained in docs/reference.md; they are loaded when they are first used, so that importing the
package costs nothing.
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .analysis.cell_table import tabulate_cells as tabulate_cells
    from .any_file import read as read
    from .cell_grid import BorderedCellGrid as BorderedCellGrid
    from .cell_grid import Index2D as Index2D
    from .coaddition.settings import CoaddSettings as CoaddSettings
    from .coaddition.weights import compute_weight as compute_weight
    from .comparison.settings import ComparisonSettings as ComparisonSettings
    from .errors import CellCoaddError as CellCoaddError
    from .errors import MissingCellError as MissingCellError
    from .errors import MissingPlaneError as MissingPlaneError
    from .errors import RepositoryError as RepositoryError
    from .errors import SkyMapError as SkyMapError
    from .errors import UnusableInputError as UnusableInputError
    from .exchange.lsst_cell_coadds import write_lsst_cell_coadds as write_lsst_cell_coadds
    from .files.checksums import verify_file as verify_file
    from .masks.algebra import any_of as any_of
    from .masks.algebra import combine_masks as combine_masks
    from .products.calibrated_image import CalibratedImage as CalibratedImage
    from .products.cell_coadd import MultipleCellCoadd as MultipleCellCoadd
    from .products.cell_coadd.lookup import cells_at as cells_at
    from .products.cell_coadd.lookup import rows_at as rows_at
    from .products.cell_coadd.lookup import sky_of_cells as sky_of_cells
    from .products.warp import Warp as Warp
    from .psfs.cell_psf import CellPsf as CellPsf
    from .psfs.models import ImagePointSpreadFunction as ImagePointSpreadFunction
    from .psfs.models import PsfexPointSpreadFunction as PsfexPointSpreadFunction
    from .recipes import coadd_files as coadd_files
    from .recipes import coadd_images as coadd_images
    from .skymap import load_sky_map as load_sky_map
    from .skymap import locate as locate
    from .skymap import named_sky_map as named_sky_map
    from .surveys.nddata import calibrated_image_from_nddata as calibrated_image_from_nddata
    from .warping.settings import WarpSettings as WarpSettings

    __version__: str

_MODULE_OF = {
    "BorderedCellGrid": "cell_grid",
    "CalibratedImage": "products.calibrated_image",
    "CellCoaddError": "errors",
    "CellPsf": "psfs.cell_psf",
    "CoaddSettings": "coaddition.settings",
    "ComparisonSettings": "comparison.settings",
    "ImagePointSpreadFunction": "psfs.models",
    "Index2D": "cell_grid",
    "MissingCellError": "errors",
    "MissingPlaneError": "errors",
    "MultipleCellCoadd": "products.cell_coadd",
    "PsfexPointSpreadFunction": "psfs.models",
    "RepositoryError": "errors",
    "SkyMapError": "errors",
    "UnusableInputError": "errors",
    "Warp": "products.warp",
    "WarpSettings": "warping.settings",
    "any_of": "masks.algebra",
    "calibrated_image_from_nddata": "surveys.nddata",
    "cells_at": "products.cell_coadd.lookup",
    "coadd_files": "recipes",
    "coadd_images": "recipes",
    "combine_masks": "masks.algebra",
    "compute_weight": "coaddition.weights",
    "load_sky_map": "skymap",
    "locate": "skymap",
    "named_sky_map": "skymap",
    "read": "any_file",
    "rows_at": "products.cell_coadd.lookup",
    "sky_of_cells": "products.cell_coadd.lookup",
    "tabulate_cells": "analysis.cell_table",
    "verify_file": "files.checksums",
    "write_lsst_cell_coadds": "exchange.lsst_cell_coadds",
}

__all__ = ["__version__", *_MODULE_OF]

_DEPRECATED: dict[str, tuple[str, str]] = {}
"""Names that were public: the module where each still is, and what to use instead."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("cellcoadd")
    elif name in _MODULE_OF:
        value = _load(name, _MODULE_OF[name])
    elif name in _DEPRECATED:
        module, successor = _DEPRECATED[name]
        warnings.warn(
            f"cellcoadd.{name} is deprecated and will be removed; use {successor}.",
            DeprecationWarning,
            stacklevel=2,
        )
        return _load(name, module)  # and not kept: whoever else uses it shall see the warning too
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _load(name: str, module: str) -> Any:
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)
