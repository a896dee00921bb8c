"""Files of many detectors, put together from files of one each."""

from __future__ import annotations

__all__ = ["write_mosaic"]

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from astropy.io import fits


def write_mosaic(
    target: Path, parts: Mapping[str, Path], *, compress: Mapping[str, Any] | None = None
) -> Path:
    """Write the images of some files as the extensions of one, and return its path.

    Parameters
    ----------
    target
        The file; its folder is made.
    parts
        Files by the names that their images are to have, in the order of the extensions. The first
        one's header becomes that of the whole file; an empty name is left out.
    compress
        Arguments of `astropy.io.fits.CompImageHDU`; None: images are not compressed.
    """
    made = fits.HDUList([fits.PrimaryHDU()])
    for number, (name, path) in enumerate(parts.items()):
        with fits.open(path) as hdus:
            if number == 0:
                made[0].header.extend(hdus[0].header.copy(strip=True), unique=True)
            (image,) = (hdu for hdu in hdus if hdu.is_image and len(hdu.shape) == 2)
            header = image.header.copy(strip=True)
            for keyword in ("EXTNAME", "BLANK"):  # which old files have without a value
                header.remove(keyword, ignore_missing=True)
            hdu: Any = fits.ImageHDU(image.data.copy(), header)
            if compress is not None:
                hdu = fits.CompImageHDU(image.data.copy(), header, **compress)
            if name.strip():
                hdu.name = name
            made.append(hdu)
    target.parent.mkdir(parents=True, exist_ok=True)
    made.writeto(target, overwrite=True)
    return target
