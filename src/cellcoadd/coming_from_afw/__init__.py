"""The names of lsst.afw on our products, for scripts that were written for the Rubin pipelines.

A script's import lines change, the rest stays as it is::

    from cellcoadd.coming_from_afw import AssembleCellCoaddTask, Butler, Index2D, afwImage, afwMath

`Butler.get` then returns views of coadds, warps and images that answer to the names of lsst.afw
and lsst.cell_coadds; `as_afw` makes one of a product that is at hand. A view holds no pixels of its
own, ``view.ours`` is the product. Whatever the product has is found on the view as well. A name of
lsst.afw that is not offered raises an AttributeError that says what to use.

All names, and what each is in ours: docs/how-to/coming-from-afw.md.
"""

__all__ = [
    "AssembleCellCoaddTask",
    "Butler",
    "Index2D",
    "afwGeom",
    "afwImage",
    "afwMath",
    "as_afw",
    "geom",
]

from ..cell_grid import Index2D
from .butler import Butler
from .modules import afwGeom, afwImage, afwMath, geom
from .products import as_afw
from .statistics import AssembleCellCoaddTask
