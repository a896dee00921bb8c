"""Coadds of two SDSS frames beside SWarp's: ``python benchmarks/swarp_agreement.py FOLDER``.

FOLDER holds frames of SDSS (fpC) of one band that overlap, at any depth, with what belongs to them.
Both programs get the same pixels in nJy, equal weights and no masks, and put them onto the same
pixels with the same kernel (Lanczos-3). Prints how far the coadds are apart, in units of the
noise; SWarp must be installed.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
from astropy.io import fits
from lsst.images import Image, Mask, MaskedImage

from cellcoadd import CoaddSettings, MultipleCellCoadd, WarpSettings, coadd_images
from cellcoadd.field_targets import field_target
from cellcoadd.image_files import ImageFile, expand, read_headers
from cellcoadd.masks.planes import mask_schema
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.skymap import Patch
from cellcoadd.surveys import reader_for


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--band", default="r")
    parser.add_argument("--scale", type=float, default=0.4, help="arcsec a pixel [0.4]")
    arguments = parser.parse_args()
    swarp = shutil.which("SWarp") or shutil.which("swarp")
    if swarp is None:
        sys.exit("SWarp is not installed (Debian's package is called swarp).")
    headers, _ = read_headers(expand([str(arguments.folder)]))
    chosen = [image for image in headers if image.header.observation.band == arguments.band]
    patch = field_target(chosen, pixel_scale=arguments.scale)[0].patch(0)
    images = [bare(reader_for(image.path).read(image.path).calibrated_image) for image in chosen]
    ours = coadd_images(
        images,
        patch,
        warp_settings=WarpSettings(do_select_pre_warp=False, do_warp_masked_fraction=False),
        coadd_settings=CoaddSettings(do_interpolate_coadd=False, psf_dimensions=51),
    )
    assert ours is not None, "the frames cover cells"
    with tempfile.TemporaryDirectory() as scratch:
        theirs = swarp_coadd(swarp, images, chosen_headers(chosen), patch, Path(scratch))
    compare(ours, theirs, patch)


def chosen_headers(chosen: list[ImageFile]) -> list[fits.Header]:
    """The WCS of each frame, as its file has it."""
    found = []
    for image in chosen:
        header = fits.getheader(image.path)
        keys = ("CTYPE1", "CTYPE2", "CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2",
                "CD1_1", "CD1_2", "CD2_1", "CD2_2")  # fmt: skip
        found.append(fits.Header({key: header[key] for key in keys}))
    return found


def bare(image: CalibratedImage) -> CalibratedImage:
    """The image in nJy with a variance of 1 everywhere and nothing masked."""
    pixels = (image.masked_image.image.array * image.nanojansky_per_count).astype(np.float32)
    planes = MaskedImage(
        Image(np.nan_to_num(pixels), bbox=image.bbox),
        mask=Mask(0, schema=mask_schema(), bbox=image.bbox),
        variance=Image(np.ones_like(pixels), bbox=image.bbox),
        sky_projection=image.sky_projection,
    )
    return dataclasses.replace(
        image, masked_image=planes, nanojansky_per_count=1.0, mean_variance=1.0
    )


def swarp_coadd(
    swarp: str,
    images: list[CalibratedImage],
    headers: list[fits.Header],
    patch: Patch,
    folder: Path,
) -> npt.NDArray[np.float32]:
    """The mean of the images on the pixels of the patch's outer box, NaN without any."""
    paths = []
    for number, (image, header) in enumerate(zip(images, headers, strict=True)):
        path = folder / f"image{number}.fits"
        fits.PrimaryHDU(image.masked_image.image.array, header).writeto(path)
        paths.append(path)
    box, plane = patch.outer_bbox, patch.plane.to_fits_wcs().to_header()
    plane["NAXIS"], plane["NAXIS1"], plane["NAXIS2"] = 2, box.x.size, box.y.size
    plane["CRPIX1"] -= box.x.start
    plane["CRPIX2"] -= box.y.start
    (folder / "coadd.head").write_text(plane.tostring(sep="\n") + "\nEND\n")
    command = [
        swarp, *map(str, paths), "-c", os.devnull, "-IMAGEOUT_NAME", str(folder / "coadd.fits"),
        "-WEIGHTOUT_NAME", str(folder / "weight.fits"), "-RESAMPLE_DIR", str(folder),
        "-RESAMPLING_TYPE", "LANCZOS3", "-COMBINE_TYPE", "AVERAGE", "-SUBTRACT_BACK", "N",
        "-FSCALASTRO_TYPE", "VARIABLE", "-FSCALE_KEYWORD", "NONE", "-PROJECTION_ERR", "0",
        "-OVERSAMPLING", "1", "-VERBOSE_TYPE", "QUIET", "-WRITE_XML", "N", "-NTHREADS", "1",
    ]  # fmt: skip
    subprocess.run(command, check=True, cwd=folder, capture_output=True)
    found: npt.NDArray[np.float32] = fits.getdata(folder / "coadd.fits").astype(np.float32)
    weight = fits.getdata(folder / "weight.fits")
    found[weight == 0] = np.nan
    return found


def compare(ours: MultipleCellCoadd, theirs: npt.NDArray[np.float32], patch: Patch) -> None:
    """Print the differences in cells that all frames cover."""
    most = max(cell.visit_count for cell in ours.cells.values())
    start = patch.outer_bbox.start
    differences, scales = [], []
    for cell in ours.cells.values():
        if cell.visit_count < most:
            continue
        image = cell.inner.image
        y, x = image.bbox.y.start - start.y, image.bbox.x.start - start.x
        twin = theirs[y : y + image.bbox.y.size, x : x + image.bbox.x.size]
        differences.append((image.array - twin).ravel())
        scales.append(image.array.ravel())
    difference, pixels = np.concatenate(differences), np.concatenate(scales)
    low, high = np.percentile(pixels, [25, 75])
    noise = 0.7413 * float(high - low)
    worst = np.percentile(np.abs(difference), [50, 99, 99.99, 100])
    print(f"{len(differences)} cells of {most} frames, {difference.size} pixels")
    print(f"  noise {noise:.4g} nJy")
    for name, value in zip(("half", "99 %", "99.99 %", "all"), worst, strict=True):
        print(f"  {name} of them differ by at most {value:.3g} nJy, {value / noise:.2g} noise")
    bright = np.abs(pixels) > 50 * noise
    relative = np.abs(difference[bright] / pixels[bright])
    print(f"  {bright.sum()} pixels above 50 noise: relative {relative.max():.2g} at most")
    print(f"  total flux: {difference.sum() / pixels.sum():+.2g}")


if __name__ == "__main__":
    main()
