"""A stitched coadd as three files of plain FITS, for SExtractor, ds9 and whoever reads images.

An image, its inverse variance and its mask go out, on the same pixels, each in a file with the same
WCS; the file of weights is named as SExtractor and SWarp expect it.
"""

from __future__ import annotations

__all__ = ["plain_fits_paths", "write_plain_fits"]

import contextlib
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from astropy.io import fits
from lsst.images import MaskSchema

from ..conventions import AB_ZERO_POINT_NJY
from ..files.sealing import seal_file
from ..files.writing import whole_file
from ..masks.planes import bits_of, plane_array
from ..products.cell_coadd import MultipleCellCoadd

_COMMENTS = {
    "image": "coadded image, 0 where no cell is filled",
    "weight": "inverse variance, 0 where there are no data",
    "mask": "bits of the planes that MP_ cards name",
}


def plain_fits_paths(path: Path) -> dict[str, Path]:
    """Return the three files: ``coadd.fits``, ``coadd.weight.fits``, ``coadd.mask.fits``."""
    return {"image": path} | {
        kind: path.with_name(f"{path.stem}.{kind}.fits") for kind in ("weight", "mask")
    }


def write_plain_fits(
    coadd: MultipleCellCoadd, path: Path | str, *, overwrite: bool = False
) -> None:
    """Write the inner regions of a coadd as an image, a weight map and a mask.

    Parameters
    ----------
    coadd
        The coadd.
    path
        The file of the image, which ends in ``.fits``; the other two are named after it.
    overwrite
        Replace files that are there.

    Raises
    ------
    FileExistsError
        If there is one of the files and it is not to be replaced.

    Notes
    -----
    The weight is 0 where the mask has NO_DATA or the variance is not finite. ``MAGZERO`` is the AB
    magnitude of one unit of the image, 31.4 for nJy.
    """
    stitched = coadd.stitch()
    schema = stitched.mask.schema
    bits = plane_array(stitched.mask)
    variance = stitched.variance.array
    known = np.isfinite(variance) & (variance > 0)
    known &= (bits & bits_of(schema, ["NO_DATA"])) == 0
    weight = np.zeros(variance.shape, np.float32)
    np.divide(1.0, variance, out=weight, where=known)
    wcs = stitched.fits_wcs
    assert wcs is not None, "a coadd has a tangent plane"
    common = dict(wcs.to_header()) | {"FILTER": coadd.band}
    unit = u.Unit(stitched.unit)
    planes: dict[str, tuple[Any, dict[str, Any]]] = {
        "image": (stitched.image.array, {"BUNIT": unit.to_string("fits")} | _zero_point(unit)),
        "weight": (weight, {"BUNIT": (unit**-2).to_string("fits")}),
        "mask": (bits.astype(np.int32), _mask_cards(schema)),
    }
    with contextlib.ExitStack() as stack:
        for kind, target in plain_fits_paths(Path(path)).items():
            pixels, cards = planes[kind]
            unfinished = stack.enter_context(whole_file(target, overwrite=overwrite))
            hdu = fits.PrimaryHDU(np.ascontiguousarray(pixels))
            hdu.header.update(common | cards)
            hdu.header["COMMENT"] = _COMMENTS[kind]
            hdu.writeto(unfinished)
            seal_file(unfinished)


def _zero_point(unit: u.UnitBase) -> dict[str, float]:
    return {"MAGZERO": AB_ZERO_POINT_NJY} if unit == u.nJy else {}


def _mask_cards(schema: MaskSchema) -> dict[str, int]:
    """Return the number of each plane's bit, as files of the Rubin pipelines name them."""
    planes = [plane for plane in schema if plane is not None]
    return {
        f"HIERARCH MP_{plane.name}": int(bits_of(schema, [plane.name])).bit_length() - 1
        for plane in planes
    }
