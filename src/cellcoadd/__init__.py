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
* `cellcoadd.tasks` and `cellcoadd.butler` join all this to the Rubin middleware;
* `cellcoadd.testing` is for the tests of this package and of those that use it;
* `cellcoadd.validation` compares it with the Rubin pipelines' code, and with simulated truth.

The conventions (pixels, units, order) are stated in `cellcoadd.conventions`, the errors in
`cellcoadd.errors`. The names exported here are loaded when they are first used, so that importing
the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cell_grid import BorderedCellGrid as BorderedCellGrid
    from .cell_grid import Index2D as Index2D
    from .errors import CellCoaddError as CellCoaddError
    from .errors import UnusableInputError as UnusableInputError
    from .products.calibrated_image import CalibratedImage as CalibratedImage
    from .products.cell_coadd import MultipleCellCoadd as MultipleCellCoadd
    from .products.warp import Warp as Warp
    from .psfs.cell_psf import CellPsf as CellPsf

    __version__: str

_MODULE_OF = {
    "BorderedCellGrid": "cell_grid",
    "CalibratedImage": "products.calibrated_image",
    "CellCoaddError": "errors",
    "CellPsf": "psfs.cell_psf",
    "Index2D": "cell_grid",
    "MultipleCellCoadd": "products.cell_coadd",
    "UnusableInputError": "errors",
    "Warp": "products.warp",
}

__all__ = ["__version__", *_MODULE_OF]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("cellcoadd")
    elif name in _MODULE_OF:
        value = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
