"""What the Rubin pipelines were given, as our products: the sky, the detectors, the settings.

A folder of reference values holds the inputs and outputs of the Rubin pipelines' own code as
arrays and JSON (tests/reference_values/rubin/PROVENANCE.md). Here are the parts that warps and
coadds have in common, and the inputs and outputs of one warp.
"""

from __future__ import annotations

__all__ = [
    "Arrays",
    "WarpCase",
    "box_from_corners",
    "has_warp_case",
    "read_arrays",
    "read_json",
    "read_patch",
    "read_projection",
    "read_psf",
    "read_warp_case",
    "to_our_bits",
]

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import astropy.io.fits
import astropy.wcs
import numpy as np
import numpy.typing as npt
from lsst.images import Box, DetectorFrame, Image, Mask, MaskedImage, SkyProjection
from lsst.images.psfs import PointSpreadFunction

from ...masks.planes import bits_of, mask_schema
from ...products.calibrated_image import CalibratedImage
from ...products.identifiers import ObservationIdentifiers
from ...psfs.models import ImagePointSpreadFunction
from ...skymap import Circle, DiscreteSkyMap, Patch, RingsSkyMap, SkyMap, TractSettings
from ...warping.settings import InterpolationSettings, ResamplingSettings, WarpSettings

type Arrays = dict[str, npt.NDArray[Any]]
"""Planes or columns of a reference case by their names."""

_INSTRUMENT = "Reference"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class WarpCase:
    """One visit and what the Rubin pipelines' warping makes of it.

    Parameters
    ----------
    name
        Of the folder.
    images
        The detectors, in the order of their processing.
    patch
        The target.
    settings
        Theirs, as ours.
    noise : float32 (realizations, rows, columns) a detector
        The noise that they drew, in counts.
    noise_variance
        The variance that they drew it with, counts^2, a detector.
    expected
        ``image``, ``variance``, ``mask`` (in our bits), ``masked_fraction``, ``noise0_image``, ...
        on the patch's outer box.
    psf
        Kernel image (``p0_kernel_image``, ...) and image (``p0_image``, ...) at some positions.
    description
        The whole of case.json.
    interpolated
        Array indices x and y of bad pixels and the value that they were given; empty if not stored.
    """

    name: str
    images: tuple[CalibratedImage, ...]
    patch: Patch
    settings: WarpSettings
    noise: tuple[npt.NDArray[np.float32], ...]
    noise_variance: tuple[float, ...]
    expected: Arrays
    psf: Arrays
    description: dict[str, Any]
    interpolated: Arrays


def read_json(path: Path) -> dict[str, Any]:
    """Return the contents of a JSON file."""
    contents: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return contents


def read_arrays(path: Path) -> Arrays:
    """Return the arrays of a file, all in memory."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def box_from_corners(corners: list[int]) -> Box:
    """Return the box of ``[x_min, y_min, x_max, y_max]``, both ends included."""
    x_min, y_min, x_max, y_max = corners
    return Box.factory[y_min : y_max + 1, x_min : x_max + 1]


def read_patch(sky: Mapping[str, Any]) -> Patch:
    """Return the patch that a case is on, from our own sky map of the same definition.

    Raises
    ------
    ValueError
        If our patch has another box than theirs.
    """
    config = sky["skymap_config"]
    settings = TractSettings(
        pixel_scale_arcsec=config["pixelScale"],
        tract_overlap=config["tractOverlap"],
        rotation=config["rotation"],
        cell_inner_size=config["cellInnerDimensions"][0],
        cell_border=config["cellBorder"],
        patch_inner_cells=config["numCellsPerPatchInner"],
        patch_border_cells=config["numCellsInPatchBorder"],
    )
    sky_map: SkyMap
    if config["class"] == "RingsSkyMap":
        sky_map = RingsSkyMap(
            name="reference",
            num_rings=config["numRings"],
            ra_start=config["raStart"],
            settings=settings,
        )
    else:
        columns = (config["raList"], config["decList"], config["radiusList"])
        circles = [Circle(ra=ra, dec=dec, radius=r) for ra, dec, r in zip(*columns, strict=True)]
        sky_map = DiscreteSkyMap(name="reference", tracts=circles, settings=settings)
    patch = sky_map[sky["tract"]].patch(sky["patch_sequential_index"])
    if patch.outer_bbox != box_from_corners(sky["patch_outer_bbox"]):
        raise ValueError(f"{patch} covers {patch.outer_bbox}, theirs {sky['patch_outer_bbox']}.")
    return patch


def read_projection(
    entry: Mapping[str, Any], *, visit: int, detector: int
) -> tuple[Box, SkyProjection[DetectorFrame]]:
    """Return the box of a detector and its projection, from the cards of a FITS header.

    Their reference pixels count from 1 and in the pixels that the box is in.
    """
    box = box_from_corners(entry["bbox"])
    header = astropy.io.fits.Header.fromstring("".join(entry["wcs_header_cards"]))
    frame = DetectorFrame(instrument=_INSTRUMENT, visit=visit, detector=detector, bbox=box)
    wcs = astropy.wcs.WCS(header)
    return box, SkyProjection.from_fits_wcs(wcs, frame, pixel_bounds=box)


def read_psf(entry: Mapping[str, Any], arrays: Arrays, *, bounds: Box) -> PointSpreadFunction:
    """Return a PSF as the image at a pixel's centre that theirs is made of.

    Their Gaussians too are images, moved to a position by interpolation.

    Raises
    ------
    ValueError
        If theirs is of a type that we do not know.
    """
    if entry["type"] == "kernel":
        return ImagePointSpreadFunction(arrays[entry["array_key"]], bounds=bounds)
    if entry["type"] != "gaussian":
        raise ValueError(f"No rule for a PSF of type {entry['type']!r}.")
    offset = np.arange(entry["size"]) - entry["size"] // 2
    line = np.exp(-0.5 * (offset / entry["sigma_pixels"]) ** 2)
    return ImagePointSpreadFunction(np.outer(line, line), bounds=bounds)


def to_our_bits(mask: npt.NDArray[np.int32], planes: Mapping[str, int]) -> npt.NDArray[np.int32]:
    """Translate a mask from their bits, ``planes``, to those of `masks.planes.mask_schema`.

    Raises
    ------
    ValueError
        If a pixel has a plane that our masks do not have.
    """
    schema = mask_schema()
    result = np.zeros_like(mask)
    known = 0
    for name, bit in planes.items():
        if name in schema:
            result[(mask & (1 << bit)) != 0] |= bits_of(schema, [name])
            known |= 1 << bit
    if np.any(mask & ~known):
        raise ValueError(f"Some pixels have planes other than {sorted(schema.names)}.")
    return result


def has_warp_case(folder: Path) -> bool:
    """Return whether a folder of a warp is there, with all that it refers to."""
    path = folder / "case.json"
    return path.is_file() and _input_folder(folder, read_json(path)).is_dir()


def read_warp_case(folder: Path) -> WarpCase:
    """Read the inputs and outputs of one warp."""
    description = read_json(folder / "case.json")
    source = _input_folder(folder, description)
    entries = read_json(source / "case.json")["inputs"]
    images = tuple(_read_image(source, entry) for entry in entries)
    settings = _warp_settings(description["config"])
    drawn = [
        _redraw(image, description["noise_seeds"][str(entry["detector"])]["numpy_seed"], settings)
        for image, entry in zip(images, entries, strict=True)
    ]
    planes = description["output"]["mask_planes"]
    expected = read_arrays(source / "warp.npz") | read_arrays(folder / "warp.npz")
    for name in [name for name in expected if name.endswith("mask")]:
        expected[name] = to_our_bits(expected[name], planes)
    interpolated = folder / "interpolated_pixels.npz"
    return WarpCase(
        name=folder.name,
        images=images,
        patch=read_patch(description["sky"]),
        settings=settings,
        noise=tuple(noise for noise, _ in drawn),
        noise_variance=tuple(variance for _, variance in drawn),
        expected=expected,
        psf=read_arrays(folder / "warp_psf.npz"),
        description=description,
        interpolated=read_arrays(interpolated) if interpolated.is_file() else {},
    )


def _input_folder(folder: Path, description: Mapping[str, Any]) -> Path:
    """The folder of the inputs: a case may take those of another."""
    inputs = description["inputs"]
    return folder.parent / inputs.split()[-1] if isinstance(inputs, str) else folder


def _read_image(folder: Path, entry: Mapping[str, Any]) -> CalibratedImage:
    arrays = read_arrays(folder / entry["file"])
    box, projection = read_projection(entry, visit=entry["visit"], detector=entry["detector"])
    bits = to_our_bits(arrays["mask"], entry["mask_planes"])
    return CalibratedImage(
        observation=ObservationIdentifiers(
            instrument=_INSTRUMENT,
            visit=entry["visit"],
            detector=entry["detector"],
            physical_filter=entry["band"],
            band=entry["band"],
            day_obs=20250101,
        ),
        masked_image=MaskedImage(
            Image(arrays["image"], bbox=box),
            mask=Mask(bits[:, :, np.newaxis], schema=mask_schema(), bbox=box),
            variance=Image(arrays["variance"], bbox=box),
            sky_projection=projection,
        ),
        psf=read_psf(entry["psf"], arrays, bounds=box),
        nanojansky_per_count=entry["photocalib_nJy_per_count"],
    )


def _warp_settings(config: Mapping[str, Any]) -> WarpSettings:
    interpolation = config["preWarpInterpolation"]
    return WarpSettings(
        number_of_noise_realizations=config["numberOfNoiseRealizations"],
        seed_offset=config["seedOffset"],
        use_median_variance=config["useMedianVariance"],
        do_select_pre_warp=config["doSelectPreWarp"],
        do_pre_warp_interpolation=config["doPreWarpInterpolation"],
        interpolation=InterpolationSettings(
            bad_mask_planes=tuple(interpolation["badMaskPlanes"]),
            interp_length=interpolation["interpLength"],
            fill_value=interpolation["fillValue"],
            triangulation="detector",  # which is what they do
        ),
        border=config["border"],
        do_warp_masked_fraction=config["doWarpMaskedFraction"],
        resampling=ResamplingSettings(interp_length=config["warper"]["interpLength"]),
    )


def _redraw(
    image: CalibratedImage, seed: int, settings: WarpSettings
) -> tuple[npt.NDArray[np.float32], float]:
    """Draw the noise of a detector as they do: Mersenne Twister, the median of all variances."""
    pixels, variance = image.masked_image.image.array, image.masked_image.variance.array
    median = np.median(variance[np.isfinite(pixels) & np.isfinite(variance)])
    generator = np.random.RandomState(seed)
    count = settings.number_of_noise_realizations
    # The root is taken in single precision, as they do.
    planes = [generator.normal(scale=np.sqrt(median), size=pixels.shape) for _ in range(count)]
    return np.array(planes, np.float32).reshape(count, *pixels.shape), float(median)
