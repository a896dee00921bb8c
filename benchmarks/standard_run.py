"""One measured run of the standard work, files to a written coadd, in a process of its own.

``python benchmarks/standard_run.py FOLDER OUT.json --visits 4 [--full] [--artifacts METHOD]
[--compressed] [--small]``

The route without a repository: `recipes.coadd_files`, then `MultipleCellCoadd.write`. What the
process needs to start (imports, kernels out of their cache) is measured on a tiny survey first and
told apart. Writes processor seconds by stage, peak memory, and numbers of pixels.
"""

from __future__ import annotations

import argparse
import functools
import json
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from standard_survey import PATCH, SKYMAP, TRACT, images_of

from cellcoadd import recipes
from cellcoadd.coaddition import assemble, stack
from cellcoadd.coaddition.settings import CoaddSettings
from cellcoadd.comparison import find
from cellcoadd.comparison.settings import ComparisonSettings
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.products.calibrated_image.deferred_pixels import DeferredPixels
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.skymap import named_sky_map
from cellcoadd.surveys.rubin import RubinReader
from cellcoadd.warping import direct, merge, prepare, project
from cellcoadd.warping.settings import WarpSettings

STAGES: dict[str, list[tuple[Any, str]]] = {
    "read": [
        (RubinReader, "read_header"), (RubinReader, "read"),
        (CalibratedImage, "window"), (DeferredPixels, "read"),
    ],
    "prepare": [(direct, "prepare_image")],
    "interpolate": [(prepare, "interpolate_bad_pixels")],
    "noise": [(prepare, "draw_noise")],
    "resample": [(project.DetectorProjector, "_project")],
    "merge": [(merge.MergedPlanes, "add")],
    "cells and PSFs of a warp": [(direct, "warp_cells")],
    "choose and add": [(assemble.CellAssembly, "add")],
    "match PSFs": [(find, "matched_planes"), (find, "plain_planes")],
    "compare": [(find._Search, "compare")],
    "decide": [(find._Search, "decide")],
    "finish": [(stack.CellStackBuilder, "finish")],
    "write": [(MultipleCellCoadd, "write")],
}  # fmt: skip
"""What is timed, without the time of the others that it calls."""


class Stopwatch:
    """Processor time by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inner = [0.0]

    def timed[**P, R](self, stage: str, function: Callable[P, R]) -> Callable[P, R]:
        """Return a function whose time counts for a stage."""

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            start = time.process_time()
            self._inner.append(0.0)
            try:
                return function(*args, **kwargs)
            finally:
                spent = time.process_time() - start
                self.seconds[stage] += spent - self._inner.pop()
                self._inner[-1] += spent

        return call

    def watch_all(self) -> None:
        """Put the watch on all stages, for the rest of the process."""
        for stage, places in STAGES.items():
            for owner, name in places:
                setattr(owner, name, self.timed(stage, getattr(owner, name)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--visits", type=int, default=4)
    parser.add_argument("--full", action="store_true", help="interpolation and a noise realization")
    parser.add_argument("--artifacts", choices=["compare", "gradient"], help="compare the visits")
    parser.add_argument("--compressed", action="store_true")
    parser.add_argument("--small", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        tiny = images_of(arguments.folder / "small", 1, small=True)
        run(tiny, Path(scratch) / "tiny.fits", full=arguments.full, method=arguments.artifacts)
        start_up, peak = processor_seconds(), peak_mb()
        folder = arguments.folder / "small" if arguments.small else arguments.folder
        paths = images_of(
            folder, arguments.visits, compressed=arguments.compressed, small=arguments.small
        )
        watch = Stopwatch()
        watch.watch_all()
        wall, start = time.perf_counter(), processor_seconds()
        coadd = run(
            paths, Path(scratch) / "coadd.fits", full=arguments.full, method=arguments.artifacts
        )
        result = {
            "visits": arguments.visits,
            "images": len(paths),
            "cells": len(coadd.cells),
            "cpu_s": processor_seconds() - start,
            "wall_s": time.perf_counter() - wall,
            "start_up_s": start_up,
            "start_up_peak_mb": peak,
            "peak_mb": peak_mb(),
            "stages_s": dict(watch.seconds),
            "coadd_mb": (Path(scratch) / "coadd.fits").stat().st_size / 1e6,
        }
    arguments.result.write_text(json.dumps(result, indent=1))


def run(
    paths: list[Path], output: Path, *, full: bool, method: str | None = None
) -> MultipleCellCoadd:
    n_noise = 1 if full else 0
    result = recipes.coadd_files(
        paths,
        named_sky_map(SKYMAP)[TRACT].patch(PATCH),
        warp_settings=WarpSettings(
            do_pre_warp_interpolation=full, number_of_noise_realizations=n_noise
        ),
        coadd_settings=CoaddSettings(
            num_noise_realizations=n_noise,
            # In another order: what a hit reaches stays in, as in the tasks.
            bad_mask_planes=CoaddSettings().bad_mask_planes[::-1],
        ),
        artifacts=None if method is None else ComparisonSettings(method=method),
    )
    assert result.coadd is not None, "the images cover cells"
    assert not result.refused, "they are good"
    result.coadd.write(output)
    return result.coadd


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1.024e-3  # of KiB


if __name__ == "__main__":
    main()
