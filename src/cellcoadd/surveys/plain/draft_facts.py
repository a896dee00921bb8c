"""What can be found out about an image beside its header: its pixels, and the files around it.

A path comes in; level and scatter of the pixels, and files and extensions that by their names are
the image's noise, mask or PSF, go out. `draft` makes lines of a definition of them.
"""

from __future__ import annotations

__all__ = ["ImageFacts", "Neighbour", "image_facts"]

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from ..fits_files import open_fits, read_pixels
from ..mosaic_files import as_it_lies
from .companions import Companion
from .values import Headers

_SAMPLE = 1 << 20
_MAD = 1.4826
_NOISE_EXTENSIONS = {
    "ERR": "rms", "RMS": "rms", "NOISE": "rms", "SIGMA": "rms", "VAR": "variance",
    "VARIANCE": "variance", "IVAR": "inverse_variance", "INVVAR": "inverse_variance",
    "WHT": "inverse_variance", "WEIGHT": "inverse_variance",
}  # fmt: skip
_MASK_EXTENSIONS = ("DQ", "MASK", "BPM", "FLAGS")
_NOISE_FILES = (
    ("_ooi_", "_oow_", "inverse_variance"), ("_sci.", "_var.", "variance"),
    ("_sci.", "_wht.", "inverse_variance"), ("_sci.", "_err.", "rms"),
    ("", ".weight.fits", "inverse_variance"), ("", "_weight.fits", "inverse_variance"),
    ("", ".wht.fits", "inverse_variance"), ("", "_wht.fits", "inverse_variance"),
    ("", ".ivar.fits", "inverse_variance"), ("", "_ivar.fits", "inverse_variance"),
    ("", ".var.fits", "variance"), ("", "_var.fits", "variance"), ("", ".rms.fits", "rms"),
    ("", "_rms.fits", "rms"), ("", ".noise.fits", "rms"), ("", "_err.fits", "rms"),
    ("", "_conf.fit", "inverse_variance"), ("", "_conf.fits", "inverse_variance"),
)  # fmt: skip
_MASK_FILES = (
    ("_ooi_", "_ood_"), ("_sci.", "_mask."), ("_sciimg", "_mskimg"), ("", ".mask.fits"),
    ("", "_mask.fits"), ("", ".flag.fits"), ("", ".bpm.fits"), ("", ".dq.fits"), ("", "_dq.fits"),
)  # fmt: skip
_PSF_FILES = (
    ("", ".psf", "psfex"), ("", ".psf.fits", "image"), ("", "_psf.fits", "image"),
    ("", ".WebbPSF.fits", "image"),
)  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Neighbour:
    """A plane that by its name belongs to an image.

    Parameters
    ----------
    kind
        Of a noise or a PSF, what a definition calls it.
    place
        Where it is, as a definition writes it.
    name
        Of the file or extension.
    level
        Median of its pixels above 0; NaN if it was not looked at, or has none.
    """

    kind: str
    place: str
    name: str
    level: float = math.nan


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageFacts:
    """What is known of an image.

    Parameters
    ----------
    headers
        Where keywords are looked up.
    extensions, names
        Numbers and names of the images in the file.
    shape
        Rows and columns of the first one.
    median, scatter
        Of its pixels; the scatter is that from pixel to pixel, times a Gaussian's.
    noise, mask, psf
        What lies beside it, or in the same file.
    """

    headers: Headers
    extensions: Sequence[int]
    names: Sequence[str]
    shape: tuple[int, int]
    median: float
    scatter: float
    noise: Neighbour | None
    mask: Neighbour | None
    psf: Neighbour | None

    def comment_of(self, keyword: str) -> str:
        """Return what the header says behind the value of a keyword, in small letters."""
        for header in self.headers.headers:
            if keyword in header:
                return str(header.comments[keyword]).lower()
        return ""


def image_facts(path: Path) -> ImageFacts | None:
    """Look at an image, its file and the files beside it; None if it holds no image.

    Raises
    ------
    UnusableInputError
        If it is not FITS.
    """
    with open_fits(path) as hdus:
        found = [i for i, hdu in enumerate(hdus) if hdu.is_image and len(hdu.shape) == 2]
        if not found:
            return None
        first = hdus[found[0]]
        pixels = read_pixels(hdus, found[0], path).astype(np.float64)
        names = [str(hdus[i].name or i) for i in found]
        facts = ImageFacts(
            headers=Headers(path=path, headers=(first.header.copy(), hdus[0].header.copy())),
            extensions=found,
            names=names,
            shape=(int(first.shape[0]), int(first.shape[1])),
            median=_median(pixels),
            scatter=_scatter(pixels),
            noise=next(_noise_inside(hdus, path, names), None),
            mask=next(
                (
                    Neighbour(kind="mask", place=f"hdu: {name}", name=name)
                    for name in names
                    if name.upper() in _MASK_EXTENSIONS
                ),
                None,
            ),
            psf=None,
        )
    return dataclasses.replace(
        facts,
        noise=facts.noise or next(_beside(path, _NOISE_FILES, look=True), None),
        mask=facts.mask or next(_beside(path, [(*rule, "mask") for rule in _MASK_FILES]), None),
        psf=next(_beside(path, _PSF_FILES), None),
    )


def _noise_inside(hdus: fits.HDUList, path: Path, names: Sequence[str]) -> Iterator[Neighbour]:
    for name in names:
        if (kind := _NOISE_EXTENSIONS.get(name.upper())) is not None:
            level = _level(read_pixels(hdus, name, path).astype(np.float64))
            yield Neighbour(kind=kind, place=f"hdu: {name}", name=name, level=level)


def _beside(
    path: Path, rules: Sequence[tuple[str, str, str]], *, look: bool = False
) -> Iterator[Neighbour]:
    for old, new, kind in rules:
        if old and old not in path.name:
            continue
        file = as_it_lies(Companion(old=old, new=new).of(path))
        if not file.is_file() or file == path:
            continue
        place = f"file: {{replace: ['{old}', '{new}']}}" if old else f"file: {{suffix: {new}}}"
        level = math.nan
        if look:
            with open_fits(file) as hdus:
                planes = [i for i, hdu in enumerate(hdus) if hdu.is_image and len(hdu.shape) == 2]
                if planes:
                    level = _level(read_pixels(hdus, planes[0], file).astype(np.float64))
        yield Neighbour(kind=kind, place=place, name=file.name, level=level)


def _sampled(pixels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return pixels[:: max(1, pixels.size // _SAMPLE)]


def _median(pixels: npt.NDArray[np.float64]) -> float:
    finite = pixels[np.isfinite(pixels)]
    return float(np.median(finite)) if finite.size else math.nan


def _level(pixels: npt.NDArray[np.float64]) -> float:
    return _median(pixels[pixels > 0])


def _scatter(pixels: npt.NDArray[np.float64]) -> float:
    """Return the standard deviation of a pixel by the differences of neighbours in a row."""
    steps = np.diff(_sampled(pixels), axis=1)
    steps = steps[np.isfinite(steps)]
    if not steps.size:
        return math.nan
    return float(_MAD * np.median(np.abs(steps - np.median(steps))) / math.sqrt(2.0))
