"""The stages joined in plain Python, without a Butler: for notebooks, scripts and the README."""

from __future__ import annotations

__all__ = ["coadd_images"]

from collections import defaultdict
from collections.abc import Collection, Iterable

from .cell_grid import Index2D
from .coaddition.assemble import VisitOnPatch, assemble_cell_coadd
from .coaddition.settings import CoaddSettings
from .products.calibrated_image import CalibratedImage
from .products.cell_coadd import MultipleCellCoadd
from .skymap import Patch
from .warping.direct import make_direct_warp
from .warping.settings import WarpSettings


def coadd_images(
    images: Iterable[CalibratedImage],
    patch: Patch,
    *,
    warp_settings: WarpSettings | None = None,
    coadd_settings: CoaddSettings | None = None,
    cells: Collection[Index2D] | None = None,
) -> MultipleCellCoadd | None:
    """Make the cell-based coadd of a patch from calibrated images of one band.

    Parameters
    ----------
    images
        Detectors of any number of visits, in any order.
    patch
        The target.
    warp_settings, coadd_settings
        All choices; the defaults are those of the tasks.
    cells
        The cells to build, each as it is with all the others; None: all of the patch. Images are
        warped onto the whole patch all the same.

    Returns
    -------
    coadd
        None if no cell that is asked for is covered.

    Raises
    ------
    ValueError
        If the images are of more than one band, more noise realizations are to be added up than
        are made, or a cell is not in the patch's grid.

    Notes
    -----
    The result is the same, bit for bit, as that of the pipeline tasks with the same settings.
    """
    warp_settings = warp_settings or WarpSettings()
    coadd_settings = coadd_settings or CoaddSettings()
    wanted, made = (
        coadd_settings.num_noise_realizations,
        warp_settings.number_of_noise_realizations,
    )
    if wanted > made:
        raise ValueError(
            f"num_noise_realizations = {wanted} asks for more than the "
            f"number_of_noise_realizations = {made} that are warped."
        )
    visits: dict[tuple[str, int], list[CalibratedImage]] = defaultdict(list)
    for image in images:
        visits[image.observation.instrument, image.observation.visit].append(image)
    bands = sorted({image.observation.band for group in visits.values() for image in group})
    if len(bands) > 1:
        raise ValueError(f"One coadd is of one band, the images are of {bands}.")

    def warps() -> Iterable[VisitOnPatch]:
        for _, group in sorted(visits.items()):
            result = make_direct_warp(group, patch, settings=warp_settings)
            if result is not None:
                yield VisitOnPatch(warp=result.warp, noise=result.noise[:wanted])

    return assemble_cell_coadd(warps(), patch, settings=coadd_settings, cells=cells)
