"""Write the small files of one version of the stored forms, and the values that they hold.

Run by the code whose version it is, old or new, in its own environment::

    python make_files.py FOLDER

The files of a version are written once, when it is new, and never again.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from lsst.images.psfs import GaussianPointSpreadFunction
from lsst.images.serialization import write_archive

from cellcoadd.coaddition.assemble import VisitOnPatch, assemble_cell_coadd
from cellcoadd.coaddition.settings import CoaddSettings
from cellcoadd.testing.images import make_detector, small_patch
from cellcoadd.warping.direct import make_direct_warp
from cellcoadd.warping.settings import WarpSettings

try:
    from cellcoadd.psfs.models import ImagePointSpreadFunction, PsfexPointSpreadFunction
except ModuleNotFoundError:  # where they stood before
    from cellcoadd.products.psf_models import (  # type: ignore[import-not-found,no-redef]
        ImagePointSpreadFunction,
        PsfexPointSpreadFunction,
    )

SHAPE = (52, 64)
"""Height and width of a detector: with its border it covers two cells."""


def detectors(visit: int) -> Iterator[Any]:
    """Two detectors with noise, a bad column, hits and a PSF that can be stored, each its own."""
    patch = small_patch()
    offset = np.arange(-4, 5)
    stamp = np.exp(-0.3 * (offset[:, None] ** 2 + offset[None, :] ** 2))
    for number in range(2):
        rng = np.random.default_rng([visit, number])
        bad = np.zeros(SHAPE, np.bool_)
        bad[:, 20] = True
        image = make_detector(
            patch, x=patch.outer_bbox.x.start + 32 + 50 * number,
            y=patch.outer_bbox.y.start + 40 + 2 * visit, visit=visit, detector=number,
            width=SHAPE[1], height=SHAPE[0], pixels=rng.normal(10.0, 2.0, SHAPE),
            variance=rng.uniform(3.5, 4.5, SHAPE), rotation=1.0 * visit,
            flags={"BAD": bad, "CR": rng.random(SHAPE) < 0.01}, nanojansky_per_count=1.5,
        )  # fmt: skip
        psf: Any = GaussianPointSpreadFunction(1.2, image.bbox, 9)
        if (visit, number) == (1, 1):
            psf = ImagePointSpreadFunction(stamp, bounds=image.bbox)
        if (visit, number) == (2, 0):
            psf = PsfexPointSpreadFunction(
                np.stack([stamp, 0.1 * stamp * np.abs(offset), 0.05 * stamp]),
                degree=1, x_zero=32.0, y_zero=26.0, x_scale=64.0, y_scale=52.0, sampling=1.0,
                bounds=image.bbox,
            )  # fmt: skip
        yield under_conditions(with_psf(image, psf), airmass=1.0 + 0.1 * visit + 0.01 * number)


def with_psf(image: Any, psf: Any) -> Any:
    """The same image with another PSF."""
    fields = {name: getattr(image, name) for name in image.__dataclass_fields__}
    return type(image)(**{**fields, "psf": psf})


def under_conditions(image: Any, *, airmass: float) -> Any:
    """The same image with what it was taken under, where a version knows of that."""
    fields = {name: getattr(image, name) for name in image.__dataclass_fields__}
    if "conditions" not in fields:
        return image
    stated = type(image.conditions)(exposure_time_s=30.0, epoch_mjd=60000.25, airmass=airmass)
    return type(image)(**{**fields, "conditions": stated})


def in_counts(image: Any) -> Any:
    """The same image without a zero point, with noise that neighbours have in common."""
    fields = {name: getattr(image, name) for name in image.__dataclass_fields__}
    correlation = np.outer([0.25, 1.0, 0.25], [0.5, 1.0, 0.5])
    stated = {"nanojansky_per_count": 1.0, "flux_unit": "count", "noise_correlation": correlation}
    return type(image)(**{**fields, **stated})


def arrays_of(product: Any) -> dict[str, npt.NDArray[Any]]:
    """All arrays of a product by name; those that a version does not know are not there."""
    if hasattr(product, "stack"):
        stack = product.stack
        planes_of_cells = ("image", "variance", "mask", "noise", "psf", "noise_covariance")
        found = {name: getattr(stack, name) for name in planes_of_cells if hasattr(stack, name)}
        found |= {f"fraction {name}": plane for name, plane in stack.mask_fractions.items()}
        return found | {"contributions": product.contributions}
    planes = product.masked_image
    found = {
        "image": planes.image.array,
        "variance": planes.variance.array,
        "mask": planes.mask.array,
    }
    if getattr(product, "noise_correlation", None) is not None:
        found["noise_correlation"] = np.array(product.noise_correlation)
    if hasattr(product, "owner"):
        names = ("owner", "cell_inputs", "stamps", "noise_covariances", "phase_errors")
        found |= {name: getattr(product, name) for name in names if hasattr(product, name)}
        found |= {f"fraction {name}": plane.array for name, plane in product.mask_fractions.items()}
    return found


def digest_of(array: npt.NDArray[Any]) -> str:
    """A digest of shape, type and values that does not depend on how numbers lie in memory."""
    if array.dtype.names:
        parts = [f"{name} {digest_of(array[name])}" for name in array.dtype.names]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
    small = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    head = f"{small.dtype.str} {small.shape} ".encode()
    return hashlib.sha256(head + small.tobytes()).hexdigest()


def values_of(product: Any) -> dict[str, Any]:
    """What a reader of any later version must find in a product."""
    arrays = arrays_of(product)
    values: dict[str, Any] = {"digests": {name: digest_of(a) for name, a in arrays.items()}}
    image = arrays["image"]
    row, column = image.shape[-2] // 2, image.shape[-1] // 2
    values["middle pixel"] = float(image.reshape(-1, *image.shape[-2:])[0, row, column])
    entries = getattr(product, "inputs", [product])
    values["observations"] = [
        [e.observation.instrument, e.observation.visit, e.observation.detector] for e in entries
    ]
    values["bbox"] = str(product.bbox)
    if hasattr(entries[0], "conditions") and entries[0].conditions.is_known:
        values["airmasses"] = [e.conditions.airmass for e in entries]
    unit = getattr(product, "flux_unit", None) or getattr(product, "unit", None)
    if unit is not None and unit != "nJy":
        values["unit"] = str(unit)
    sky = product.sky_projection.pixel_to_sky(x=100.0, y=50.0)
    values["sky at (100, 50)"] = [sky.ra.deg, sky.dec.deg]
    if hasattr(product, "kernel") and np.isfinite(product.phase_errors).all():
        values["kernel"] = [product.kernel.name, product.kernel.star_fwhm]
    if hasattr(product, "owner"):
        values["PSFs"] = [type(entry.psf).__name__ for entry in entries]
        # Drawn by formulas: the last digits are the machine's own.
        values["middle of the PSF at the first pixel"] = [
            float(
                entry.psf.compute_kernel_image(
                    x=float(entry.bbox.x.start), y=float(entry.bbox.y.start)
                ).array[4, 4]
            )
            for entry in entries
        ]
    return values


def made_of(images: dict[int, list[Any]], patch: Any) -> tuple[list[Any], Any]:
    """Warps of some visits, and their coadd."""
    settings = WarpSettings(
        number_of_noise_realizations=1, do_pre_warp_interpolation=True, border=8
    )
    made = [make_direct_warp(group, patch, settings=settings) for group in images.values()]
    warps = [one for one in made if one is not None]
    coadd = assemble_cell_coadd(
        [VisitOnPatch(warp=one.warp, noise=one.noise) for one in warps],
        patch,
        settings=CoaddSettings(num_noise_realizations=1, psf_dimensions=9),
    )
    assert coadd is not None
    return warps, coadd


def main(folder: Path) -> None:
    """Write a calibrated image, two warps and their coadd, and ``values.json``."""
    patch = small_patch()
    folder.mkdir(parents=True)
    images = {visit: list(detectors(visit)) for visit in (1, 2)}
    warps, coadd = made_of(images, patch)
    products: dict[str, Any] = {"calibrated_image": images[1][1]}
    products |= {f"warp{number}": one.warp for number, one in enumerate(warps, 1)}
    products["coadd"] = coadd
    if hasattr(images[1][1], "flux_unit"):
        counted = {visit: list(map(in_counts, group)) for visit, group in images.items()}
        warps, coadd = made_of(counted, patch)
        products |= {"calibrated_image_counts": counted[1][1], "warp1_counts": warps[0].warp}
        products["coadd_counts"] = coadd
    values = {}
    for name, product in products.items():
        if hasattr(product, "write"):
            lossless = {"compression": "lossless"} if name.startswith("coadd") else {}
            product.write(folder / f"{name}.fits", **lossless)
        else:
            write_archive(product, str(folder / f"{name}.fits"))
        values[name] = values_of(product)
    if hasattr(coadd, "write"):
        products["coadd"].write(folder / "coadd_rounded.fits")
        values["coadd_rounded"] = values_of(type(coadd).read(folder / "coadd_rounded.fits"))
    text = json.dumps(values, indent=1, sort_keys=True)
    (folder / "values.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
