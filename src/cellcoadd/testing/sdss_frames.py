"""Small frames of SDSS with all files that belong to them, of which every number is known."""

from __future__ import annotations

__all__ = ["MadeFrame", "write_sdss_frame"]

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits

_BANDS = "ugriz"
_CAMERA_ROWS = "riuzg"  # from the first row on
_PLANES = (
    "INTERP",
    "SATUR",
    "NOTCHECKED",
    "OBJECT",
    "BRIGHTOBJECT",
    "BINOBJECT",
    "CATOBJECT",
    "SUBTRACTED",
    "GHOST",
    "CR",
)
_ROW_S = 53.907456 / 2048
_STEP_BETWEEN_BANDS_S = 71.65
_SIDE = 5  # of the table of coefficients
_HALF = 12  # of eigenimages

type Spans = Mapping[str, Sequence[tuple[int, int, int]]]
"""By the name of a plane: row, first and last column of spans."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MadeFrame:
    """What is in the files; lengths in pixels, times in seconds, levels in DN.

    Parameters
    ----------
    run, camcol, field, band, rerun
        Which frame it is.
    rows, columns
        Its size.
    ra_deg, dec_deg
        Of its middle.
    sky, gain, dark_variance
        Level in DN, electrons a DN, DN^2.
    aa, kk, airmass
        Photometric calibration.
    psf_width_arcsec, psf_nstar
        What the survey states about the PSF.
    tai
        When the first row was read in the band r, since MJD 0; other bands follow.
    reduction
        Identification of the reduction, which the files have in common.
    """

    run: int = 4192
    camcol: int = 4
    field: int = 300
    band: str = "r"
    rerun: int = 40
    rows: int = 120
    columns: int = 140
    ra_deg: float = 351.65
    dec_deg: float = 0.1
    sky: float = 100.0
    gain: float = 4.0
    dark_variance: float = 2.0
    aa: float = -24.0
    kk: float = 0.1
    airmass: float = 1.2
    psf_width_arcsec: float = 1.2
    psf_nstar: int = 40
    tai: float = 4_573_255_414.68
    reduction: str = "2003-10-23T13:53:13 18680 camCol 4"

    @property
    def eigenimages(self) -> npt.NDArray[np.float64]:
        """A round Gaussian and a narrower one that lies askew: (2, 25, 25)."""
        y, x = np.mgrid[-_HALF : _HALF + 1, -_HALF : _HALF + 1].astype(np.float64)
        round_one = np.exp(-(x**2 + y**2) / (2 * 1.3**2))
        askew = x * y * np.exp(-(x**2 + y**2) / (2 * 1.1**2)) + 0.2 * x * round_one
        return np.stack([round_one, askew]).astype(np.float32).astype(np.float64)

    @property
    def coefficients(self) -> npt.NDArray[np.float64]:
        """Powers of row and column, of which 3 x 3 are used: (2, 5, 5), the others no numbers."""
        result = np.full((2, _SIDE, _SIDE), np.nan)
        result[0, :3, :3] = [[1.0, 0.1, -0.3], [-0.2, 0.5, 0.2], [0.1, -0.4, 0.3]]
        result[1, :3, :3] = [[0.1, 2.0, -1.0], [-1.0, 0.3, 0.2], [0.5, 0.1, -0.2]]
        return result.astype(np.float32).astype(np.float64)

    @property
    def start(self) -> float:
        """When its first row was read, in seconds since MJD 0 (TAI)."""
        return self.tai + _STEP_BETWEEN_BANDS_S * _CAMERA_ROWS.index(self.band)

    @property
    def step_s(self) -> float:
        """Seconds from row to row."""
        return _ROW_S


def write_sdss_frame(
    root: Path | str,
    frame: MadeFrame | None = None,
    *,
    pixels: npt.ArrayLike | None = None,
    spans: Spans | None = None,
    ending: str = ".fit.gz",
) -> Path:
    """Write a frame and all that belongs to it into the folders of the survey's archive.

    Parameters
    ----------
    root
        Gets a folder of the run.
    frame
        What is in the files; None: a standard one.
    pixels : uint16 (rows, columns)
        As in the file, softbias and sky included; None: noise about the sky.
    spans
        The mask; None: nothing is masked.
    ending
        Of the frame's name.

    Returns
    -------
    path
        The frame.
    """
    frame = frame or MadeFrame()
    top = Path(root) / str(frame.run) / str(frame.rerun)
    column = str(frame.camcol)
    corr, objcs, calib = (top / kind / column for kind in ("corr", "objcs", "calibChunks"))
    for folder in (corr, objcs, calib):
        folder.mkdir(parents=True, exist_ok=True)
    run, field = f"{frame.run:06d}", f"{frame.field:04d}"
    image = corr / f"fpC-{run}-{frame.band}{column}-{field}{ending}"
    _image(frame, pixels).writeto(image, overwrite=True)
    mask = objcs / f"fpM-{run}-{frame.band}{column}-{field}.fit"
    _mask(frame, spans or {}).writeto(mask, overwrite=True)
    # Those of all bands.
    _ps_field(frame).writeto(objcs / f"psField-{run}-{column}-{field}.fit", overwrite=True)
    name = f"tsField-{run}-{column}-{frame.rerun}-{field}.fit"
    _ts_field(frame).writeto(calib / name, overwrite=True)
    return image


def _image(frame: MadeFrame, pixels: npt.ArrayLike | None) -> fits.PrimaryHDU:
    shape = (frame.rows, frame.columns)
    if pixels is None:
        rng = np.random.default_rng([frame.run, frame.field, _BANDS.index(frame.band)])
        sigma = np.sqrt(frame.sky / frame.gain + frame.dark_variance)
        pixels = np.rint(1000.0 + frame.sky + rng.normal(0.0, sigma, shape))
    hdu = fits.PrimaryHDU(np.asarray(pixels).astype(np.uint16))
    scale = 0.396 / 3600.0
    row = _CAMERA_ROWS.index(frame.band) + 1
    hdu.header.update(
        {
            "TAI": frame.start, "RA": 351.08, "DEC": 0.0, "SPA": 90.0, "AZ": 358.0, "ALT": 57.0,
            "RUN": frame.run, "CCDLOC": 10 * row + frame.camcol,
            "FLAVOR": "science", "OBJECT": "82 S", "EXPTIME": "53.907456", "SOFTBIAS": 1000,
            "FILTER": frame.band, "CAMCOL": frame.camcol, "CAMROW": row,
            "PS_ID": frame.reduction, "FRAME_ID": frame.reduction[:25],
            "RADECSYS": "ICRS", "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN",
            "CRPIX1": frame.columns / 2 + 0.5, "CRPIX2": frame.rows / 2,
            "CRVAL1": frame.ra_deg, "CRVAL2": frame.dec_deg,
            # Rows run along the right ascension, as the sky drifts.
            "CD1_1": 0.0, "CD1_2": scale, "CD2_1": scale, "CD2_2": 0.0,
        }
    )  # fmt: skip
    return hdu


def _mask(frame: MadeFrame, spans: Spans) -> fits.HDUList:
    header = fits.Header(
        {
            "RUN": frame.run, "CAMCOL": frame.camcol, "FIELD": frame.field,
            "MASKROWS": frame.rows, "MASKCOLS": frame.columns, "NPLANE": len(_PLANES),
            "PS_ID": frame.reduction, "FRAME_ID": frame.reduction[:25],
        }
    )  # fmt: skip
    names = [f"S_MASK_{name}" for name in _PLANES] + ["S_NMASK_TYPES"]
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("defName", "31A", array=["S_MASKTYPE"] * len(names)),
            fits.Column("attributeName", "31A", array=names),
            fits.Column("Value", "1J", array=np.arange(len(names))),
        ]
    )
    planes = [_span_table(spans.get(name, ())) for name in _PLANES]
    return fits.HDUList([fits.PrimaryHDU(header=header), *planes, table])


def _span_table(spans: Sequence[tuple[int, int, int]]) -> fits.BinTableHDU:
    """One object a span."""
    bytes_of = np.empty(len(spans), dtype=object)
    for i, span in enumerate(spans):
        bytes_of[i] = np.array(span, ">i2").view(np.uint8)
    return fits.BinTableHDU.from_columns(
        [
            fits.Column("nspan", "1J", array=np.ones(len(spans), np.int32)),
            fits.Column("s", "PB()", array=bytes_of),
        ]
    )


def _ps_field(frame: MadeFrame) -> fits.HDUList:
    header = fits.Header(
        {
            "RUN": frame.run, "CAMCOL": frame.camcol, "FIELD": frame.field,
            "FILTERS": "u g r i z", "PS_ID": frame.reduction,
        }
    )  # fmt: skip
    columns = {
        "sky": frame.sky, "gain": frame.gain, "dark_variance": frame.dark_variance,
        "psf_width": frame.psf_width_arcsec,
    }  # fmt: skip
    numbers = _of_bands(columns, "5E")
    numbers += _of_bands({"status": 0, "psf_nstar": frame.psf_nstar}, "5J")
    field = fits.Column("field", "1J", array=[frame.field])
    psfs = [_eigenimage_table(frame) for _ in _BANDS]
    return fits.HDUList(
        [
            fits.PrimaryHDU(header=header),
            *psfs,
            fits.BinTableHDU.from_columns([field, *numbers]),
        ]
    )


def _eigenimage_table(frame: MadeFrame) -> fits.BinTableHDU:
    images, coefficients = frame.eigenimages, frame.coefficients
    n, side = images.shape[:2]
    pixels = np.empty(n, dtype=object)
    for i, image in enumerate(images):
        pixels[i] = image.astype(np.float32).ravel()
    whole: dict[str, Any] = {"nrow_b": 3, "ncol_b": 3, "RNROW": side, "RNCOL": side}
    return fits.BinTableHDU.from_columns(
        [
            *(fits.Column(key, "1J", array=[value] * n) for key, value in whole.items()),
            fits.Column("c", "25E", dim="(5,5)", array=coefficients.astype(np.float32)),
            fits.Column("RROWS", "PE()", array=pixels),
        ]
    )


def _ts_field(frame: MadeFrame) -> fits.HDUList:
    header = fits.Header(
        {
            "RUN": frame.run, "CAMCOL": frame.camcol, "RERUN": frame.rerun, "FIELD0": frame.field,
            "FILTERS": "u g r i z",
        }
    )  # fmt: skip
    starts = [dataclasses.replace(frame, band=band).start / 86_400.0 for band in _BANDS]
    columns = [
        fits.Column("field", "1J", array=[frame.field]),
        fits.Column("mjd", "5D", array=[starts]),
        *_of_bands({"aa": frame.aa, "kk": frame.kk, "airmass": frame.airmass}, "5D"),
        *(fits.Column(name, "1J", array=[0]) for name in ("frames_status", "culled")),
    ]
    return fits.HDUList([fits.PrimaryHDU(header=header), fits.BinTableHDU.from_columns(columns)])


def _of_bands(values: Mapping[str, float], kind: str) -> list[fits.Column]:
    """Columns with the same value for each band."""
    return [
        fits.Column(name, kind, array=[[value] * len(_BANDS)]) for name, value in values.items()
    ]
