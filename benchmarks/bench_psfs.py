"""What the PSF of a visit costs: ``python benchmarks/bench_psfs.py [--small]``.

For each kind of model, drawing it at the centres of all cells of a patch and resampling the stamps
to the patch's pixels, as a warp does. Prints processor seconds for 484 cells, the best of a few.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np
from lsst.images import Box
from lsst.images.psfs import PointSpreadFunction

from cellcoadd.psfs.models import ImagePointSpreadFunction, PsfexPointSpreadFunction
from cellcoadd.simulate.optics import PointSpread
from cellcoadd.skymap import named_sky_map
from cellcoadd.testing.images import make_detector
from cellcoadd.warping.positions import TractToDetector
from cellcoadd.warping.settings import ResamplingSettings
from cellcoadd.warping.warped_psf import warp_psf


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a smoke run, of no meaning")
    small = parser.parse_args().small
    patch = named_sky_map("hsc_rings_cells_v1")[9813].patch(61)
    cells = list(patch.grid)[: 4 if small else None]
    # Pixels do not count here: the outline of a detector as large as the patch, turned.
    detector = make_detector(patch, width=4, height=4, rotation=30.0, pixel_scale=0.168)
    transform = TractToDetector(
        tract=patch.sky_projection, detector=detector.sky_projection, source="a detector"
    )
    centres = [patch.grid.centre_of(index) for index in cells]
    for name, psf in psfs(Box.factory[-9999:9999, -9999:9999]).items():
        best = math.inf
        for _ in range(1 if small else 3):
            start = time.process_time()
            stamps = warp_psf(
                psf, transform=transform, centres=centres, settings=ResamplingSettings(), name=name
            ).stamps
            best = min(best, time.process_time() - start)
        assert np.isfinite(stamps).all(), "it is drawn everywhere"
        print(f"{best:8.3f} s  PSFs of {len(cells)} cells: {name}")


def psfs(bounds: Box) -> dict[str, PointSpreadFunction]:
    """Return one model of each kind, 0.65 arcseconds wide."""
    offset = np.arange(35) - 17
    line = np.exp(-0.5 * (offset / 1.64) ** 2)
    stamp = np.outer(line, line)
    return {
        "Gaussian": PointSpread(kind="gaussian", fwhm=3.87).to_lsst(bounds),
        "Piff, Moffat": PointSpread(kind="moffat", fwhm=3.87, slope_x=1e-6).to_lsst(bounds),
        "PSFEx, degree 2": PsfexPointSpreadFunction(
            np.array([stamp, *[1e-3 * stamp] * 5]),
            degree=2, x_zero=0.0, y_zero=0.0, x_scale=1e4, y_scale=1e4, sampling=1.0, bounds=bounds,
        ),
        "image": ImagePointSpreadFunction(stamp / stamp.sum(), bounds=bounds),
    }  # fmt: skip


if __name__ == "__main__":
    main()
