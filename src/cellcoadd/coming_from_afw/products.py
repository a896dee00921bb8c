"""Coadds and their cells as lsst.cell_coadds names them, and the view of any product."""

from __future__ import annotations

__all__ = ["Cell", "CellCoadd", "Cells", "Planes", "as_afw"]

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import lsst.images as images
from lsst.images.cells import CellIJ

from ..cell_grid import Index2D
from ..masks.planes import ALL_PLANES
from ..products.cell_coadd import MultipleCellCoadd
from ..products.cell_coadd.cell import CellPlanes, SingleCellCoadd
from ..products.warp import Warp
from .pixels import Box2I, Exposure, Image, Mask, MaskedImage
from .sky import SkyWcs
from .views import View


class Planes(MaskedImage):
    """All planes of the inner or outer region of a cell."""

    __slots__ = ()

    ours: CellPlanes

    @property
    def mask_fractions(self) -> Image | None:
        """Masked fraction of all planes together, if there is one."""
        fractions = self.ours.mask_fractions
        return Image(fractions[ALL_PLANES]) if ALL_PLANES in fractions else None

    @property
    def noise_realizations(self) -> tuple[Image, ...]:
        """Noise realizations."""
        return tuple(Image(noise) for noise in self.ours.noise_realizations)

    def asMaskedImage(self) -> MaskedImage:
        """Return image, mask and variance; here, too, views."""
        return self


class Cell(View[SingleCellCoadd]):
    """One cell of a coadd."""

    __slots__ = ()

    ELSEWHERE: ClassVar[Mapping[str, str]] = {
        "identifiers": "`cell.index`, and `coadd.identifiers` of its patch",
        "common": "`coadd.identifiers`, `coadd.band`, `coadd.unit` and `coadd.wcs`",
        "units": "`coadd.unit`",
        "aperture_correction_map": "`cell.aperture_corrections`",
        "bbox": "`cell.inner.bbox` or `cell.outer.bbox`",
    }

    @property
    def inner(self) -> Planes:
        """The pixels that belong to this cell alone."""
        return Planes(self.ours.inner)

    @property
    def outer(self) -> Planes:
        """All pixels of the cell, border included."""
        return Planes(self.ours.outer)

    @property
    def psf_image(self) -> Image:
        """The point-spread function, centred on (0, 0)."""
        return Image(self.ours.psf_image)

    @property
    def wcs(self) -> SkyWcs:
        """Pixels of the tract to sky and back."""
        return SkyWcs(self.ours.sky_projection)


class Cells(Mapping[Index2D, Cell]):
    """The filled cells of a coadd, by their index.

    Parameters
    ----------
    coadd
        The coadd.
    """

    __slots__ = ("ours",)

    def __init__(self, coadd: MultipleCellCoadd) -> None:
        self.ours = coadd.cells

    def __getitem__(self, index: Index2D | CellIJ) -> Cell:
        return Cell(self.ours[index])

    def __contains__(self, index: object) -> bool:
        return index in self.ours

    def __iter__(self) -> Iterator[Index2D]:
        return iter(self.ours)

    def __len__(self) -> int:
        return len(self.ours)

    def __repr__(self) -> str:
        return repr(self.ours)


class CellCoadd(View[MultipleCellCoadd]):
    """The cell-based coadd of a patch."""

    __slots__ = ()

    ELSEWHERE: ClassVar[Mapping[str, str]] = {
        "common": "`coadd.identifiers`, `coadd.band`, `coadd.unit` and `coadd.wcs`",
        "units": "`coadd.unit`",
        "inner_bbox": "`coadd.grid.bbox`",
        "outer_bbox": "`coadd.grid.outer_bbox`",
        "inner_cell_size": "`coadd.grid.inner_cell_shape`, which is (y, x)",
        "outer_cell_size": "`coadd.grid.outer_cell_shape`, which is (y, x)",
        "psf_image_size": "the shape of `cell.psf_image.array`",
        "n_noise_realizations": "`len(cell.outer.noise_realizations)`",
        "mask_fraction_names": "`cell.ours.outer.mask_fractions`, by plane",
        "write_fits": "`cellcoadd.write_lsst_cell_coadds(coadd.ours, path)`",
        "read_fits": "`cellcoadd.read(path)`",
        "asExposure": "`coadd.stitch()`, a CellCoadd of lsst.images",
        "getPsf": "`coadd.ours.psf`: `.compute_stellar_image(x=, y=)`, `psf[Index2D]`",
    }

    @property
    def cells(self) -> Cells:
        """The filled cells by `Index2D`."""
        return Cells(self.ours)

    @property
    def wcs(self) -> SkyWcs:
        """Pixels of the tract to sky and back."""
        return SkyWcs(self.ours.sky_projection)

    @property
    def bbox(self) -> Box2I:
        """Hull of the inner regions of the filled cells."""
        return Box2I(self.ours.bbox)


_VIEWS: Mapping[type, type[View[Any]]] = {
    MultipleCellCoadd: CellCoadd,
    SingleCellCoadd: Cell,
    Warp: Exposure,
    CellPlanes: Planes,
    images.MaskedImage: MaskedImage,
    images.Mask: Mask,
    images.Image: Image,
    images.Box: Box2I,
    images.SkyProjection: SkyWcs,
}


def as_afw(product: Any) -> Any:
    """Return the view of a product that answers to the names of lsst.afw.

    Parameters
    ----------
    product
        A coadd, a cell, a warp, an image, a mask, a box or a projection. Anything else, tables and
        maps for instance, comes back as it is: nobody asks it for names of lsst.afw.

    Examples
    --------
    >>> as_afw(images.Box.factory[10:14, 20:25]).endX
    25
    """
    for kind in type(product).__mro__:
        if kind in _VIEWS:
            return _VIEWS[kind](product)
    return product
