"""Exchange with the Rubin pipelines: cell coadds in the FITS format of ``lsst.cell_coadds``.

`read_lsst_cell_coadds` makes a `MultipleCellCoadd` of such a file, `write_lsst_cell_coadds` such a
file of a `MultipleCellCoadd`. Versions 0.3 to 0.8 are read, 0.8 is written.

The format
    The primary header holds the tangent-plane WCS of the tract. Table 1 has a row for each filled
    cell (``cell_id``, ``image``, ``mask``, ``variance``, ``psf``, and where they exist ``maskfrac``
    and ``noise_00``, ...), and in its header the geometry of the patch. ``CELL`` has a row for each
    detector that a cell adds up, ``VISIT`` one for each visit, ``APCORR`` (0.4 and later, where
    there are any) the aperture corrections of a cell; ``MASKDEF`` the bits of the mask planes and
    ``VISIT_SUMMARY`` the outlines of the detectors (0.6 and later).
What a file does not say
    * Inputs that were refused, and why; the masked and unmasked fractions of inputs; the mean
      variance of a detector; the covariance of the noise; masked fractions of single planes. What
      is read has no refused inputs, NaN for these numbers, and the fraction of all planes alone.
    * The id of the patch, the number of its cells of its own, and the box of the tract. They follow
      from the index of the patch and the WCS by the rules of the Rubin sky maps (`geometry`).
    * Before 0.6: weights, overlaps and PSF shapes of inputs, which are then NaN; the names of mask
      planes beyond the nine that never change; outlines of detectors, for which the box around the
      cells that a detector went into is taken. The same box serves where a later file lacks one.
    * Counts: its readers know pixels in nJy. A coadd in another unit is not written.
What a file keeps less exactly
    Outlines are in single precision, and those of version 0.6 end after six vertices. A coadd that
    is read keeps point-spread functions in single precision, as all coadds do; files have double.
Which parts a file has is seen from the file, not from its version: the versions say when a part
came, and some of them differ in nothing that matters here.
"""

from __future__ import annotations

__all__ = ["LsstCellCoadds", "open_lsst_cell_coadds", "read_lsst_cell_coadds",
           "write_lsst_cell_coadds"]  # fmt: skip

from .reading import LsstCellCoadds, open_lsst_cell_coadds, read_lsst_cell_coadds
from .writing import write_lsst_cell_coadds
