"""A patch under many visits, made of few: their pixels repeat.

What a coadd costs does not depend on whether two visits have the same pixels; simulating and
warping many takes hours. So the warps of two visits of the standard survey are put into a
repository many times, each under a number of its own. Short visits are windows of these visits'
detectors, an eighth of a detector each: a corner, an edge or a spot of the patch.
"""

from __future__ import annotations

__all__ = ["coadd_visits", "finish_patch", "put_short_visits", "put_whole_visits", "warp_visit"]

import dataclasses
import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lsst.daf.butler import Butler, DatasetType
from lsst.images import Box
from lsst.pipe.base import Pipeline
from standard import Result
from standard import run as run_measured
from standard_survey import BAND, PATCH, SKYMAP, TRACT

from cellcoadd.cell_grid import shared_box
from cellcoadd.products.warp import Warp
from cellcoadd.skymap import named_sky_map
from cellcoadd.surveys.rubin.reader import read_visit_image
from cellcoadd.warping.direct import make_direct_warp
from cellcoadd.warping.settings import WarpSettings

_PIPELINE = "resource://cellcoadd/pipelines/cell_coadds.yaml"
_WARP = "deepCoadd_directWarp"
_WHERE = f"instrument='HSC' AND skymap='{SKYMAP}' AND tract={TRACT} AND patch={PATCH}"
_WHERE += f" AND band='{BAND}'"
_FIRST_WHOLE, _FIRST_SHORT = 10_001, 20_001  # numbers of visits
_LEAST = 0.01  # of the patch, that a short visit covers


def warp_visit(repository: Path, visit: int) -> Result:
    """Warp a visit that is in the repository, in a process of its own."""
    output, where = f"warps/{visit}", f"visit={visit}"
    used = _run_tasks(repository, ["makeDirectWarp"], "calibrated,skymaps", output, where)
    return {**used, "stored_mb": _megabytes(repository / output)}


def coadd_visits(repository: Path, numbers: Sequence[int], *, run: str) -> Result:
    """Coadd visits of a run, in a process of its own."""
    output, where = f"coadds/{run}/{len(numbers)}", f"visit IN ({numbers[0]}..{numbers[-1]})"
    used = _run_tasks(repository, ["assembleCellCoadd"], f"{run},skymaps", output, where)
    stored = _megabytes(repository / output)
    return {"visits": len(numbers), **used, "stored_mb": stored, "output": output}


def finish_patch(repository: Path, coadd: Result) -> Result:
    """Stitch a coadd and tabulate its cells, in a process of their own."""
    output = f"finished/{coadd['output']}"
    tasks = ["stitchCellCoadd", "tabulateCells"]
    used = _run_tasks(repository, tasks, f"{coadd['output']},skymaps", output)
    return {**used, "stored_mb": _megabytes(repository / output)}


def _run_tasks(
    repository: Path, tasks: Sequence[str], inputs: str, output: str, where: str = ""
) -> Result:
    """Run tasks of the pipeline on the patch; their metadata say what they took themselves."""
    arguments = ["--log-level", "WARNING", "run", "-j", "1", "--register-dataset-types"]
    arguments += ["-b", str(repository), "-i", inputs, "--output-run", output]
    arguments += ["-p", f"{_PIPELINE}#{','.join(tasks)}"]
    arguments += ["-d", " AND ".join(filter(None, [_WHERE, where]))]
    used = run_measured([str(Path(sys.executable).parent / "pipetask"), *arguments])
    with Butler.from_config(str(repository), collections=output) as butler:
        refs = [ref for task in tasks for ref in butler.query_datasets(f"{task}_metadata")]
        quanta = [butler.get(ref)["quantum"] for ref in refs]
    work = sum(quantum["endCpuTime"] - quantum["prepCpuTime"] for quantum in quanta)
    return {**used, "cpu_s": work, "start_up_s": used["cpu_s"] - work}


def _megabytes(folder: Path) -> float:
    """Return the size of the products in a folder, without the logs and metadata of a run."""
    paths = [path for kind in ("*.fits", "*.parq*", "*.ecsv") for path in folder.rglob(kind)]
    return sum(path.stat().st_size for path in paths) / 1e6


def put_whole_visits(
    repository: Path, visits: Sequence[int], *, number: int, run: str
) -> Sequence[int]:
    """Put warps of these visits into a run, in turn, under other numbers, and return these.

    Parameters
    ----------
    repository
        Has warps of these visits.
    visits
        Those to repeat.
    number
        How many copies there are in all.
    run
        A new collection.
    """
    with Butler.from_config(str(repository), writeable=True) as butler:
        numbers = _register(butler, like=visits[0], first=_FIRST_WHOLE, number=number, run=run)
        for place, visit in enumerate(visits):
            _put_copies(butler, _warp_of(butler, visit), numbers[place :: len(visits)], run)
    return numbers


def put_short_visits(
    repository: Path,
    images: Sequence[Path],
    *,
    windows: tuple[int, int],
    distinct: int,
    like: int,
    number: int,
    run: str,
) -> tuple[Sequence[int], float]:
    """Warp windows of detectors, put the warps into a run, in turn, under numbers of their own.

    Parameters
    ----------
    repository
        Has a visit that others can be registered like.
    images
        The detectors.
    windows
        Into how many each is parted, in x and in y.
    distinct
        How many short visits have pixels of their own.
    like
        That visit.
    number
        How many short visits there are.
    run
        A new collection.

    Returns
    -------
    numbers
        Those of the visits.
    fraction
        What a short visit covers of the patch, in the mean.

    Raises
    ------
    ValueError
        If fewer land on the patch.
    """
    covered = []
    with Butler.from_config(str(repository), writeable=True) as butler:
        numbers = _register(butler, like=like, first=_FIRST_SHORT, number=number, run=run)
        warps = itertools.islice(_warps_of_windows(images, windows), distinct)
        for place, warp in enumerate(warps):
            covered.append(_covered(warp))
            _put_copies(butler, warp, numbers[place::distinct], run)
    if len(covered) < distinct:
        raise ValueError(f"Only {len(covered)} windows land on the patch, {distinct} are needed.")
    return numbers, sum(covered) / len(covered)


def _warp_of(butler: Butler, visit: int) -> Warp:
    warp: Warp = butler.get(
        _WARP, collections=f"warps/{visit}", instrument="HSC", visit=visit,
        skymap=SKYMAP, tract=TRACT, patch=PATCH,
    )  # fmt: skip
    return warp


def _warps_of_windows(images: Sequence[Path], shape: tuple[int, int]) -> Iterator[Warp]:
    """Yield warps of windows of the detectors, in a random order, where they land."""
    patch = named_sky_map(SKYMAP)[TRACT].patch(PATCH)
    settings = _settings_of_the_pipeline()
    columns, rows = shape
    windows = [*itertools.product(images, range(rows), range(columns))]
    np.random.default_rng(200).shuffle(windows)
    for path, row, column in windows:
        image = read_visit_image(path).calibrated_image
        box = image.bbox
        width, height = box.x.size // columns, box.y.size // rows
        left, bottom = box.x.start + column * width, box.y.start + row * height
        window = image.window(Box.factory[bottom : bottom + height, left : left + width])
        found = make_direct_warp([window], patch, settings=settings)
        if found is not None and _covered(found.warp) > _LEAST:
            yield found.warp


def _settings_of_the_pipeline() -> WarpSettings:
    config: Any = Pipeline.from_uri(_PIPELINE).to_graph().tasks["makeDirectWarp"].config
    settings: WarpSettings = config.to_settings()
    return settings


def _covered(warp: Warp) -> float:
    """Return which part of the patch a warp's box covers."""
    patch = warp.grid.outer_bbox
    shared = shared_box(warp.bbox, patch)
    return 0.0 if shared is None else shared.area / patch.area


def _register(butler: Butler, *, like: int, first: int, number: int, run: str) -> Sequence[int]:
    """Register a run, and visits like one that is there; return their numbers."""
    butler.registry.registerDatasetType(_kind(butler))
    butler.collections.register(run)
    (record,) = butler.query_dimension_records("visit", instrument="HSC", visit=like)
    numbers = range(first, first + number)
    butler.registry.insertDimensionData(
        "visit", *(record.toDict() | {"id": visit, "name": str(visit)} for visit in numbers)
    )
    return numbers


def _kind(butler: Butler) -> DatasetType:
    dimensions = ("tract", "patch", "skymap", "instrument", "visit")
    return DatasetType(_WARP, dimensions, "CellCoaddWarp", universe=butler.dimensions)


def _put_copies(butler: Butler, warp: Warp, visits: Sequence[int], run: str) -> None:
    patch_id = {"instrument": "HSC", "skymap": SKYMAP, "tract": TRACT, "patch": PATCH}
    for visit in visits:
        butler.put(_renumbered(warp, visit), _kind(butler), patch_id, visit=visit, run=run)


def _renumbered(warp: Warp, visit: int) -> Warp:
    """Return the same warp of another visit."""
    inputs = [
        dataclasses.replace(one, observation=dataclasses.replace(one.observation, visit=visit))
        for one in warp.inputs
    ]
    return Warp(
        warp.masked_image,
        identifiers=warp.identifiers,
        patch=named_sky_map(SKYMAP)[TRACT].patch(PATCH).definition,
        cell_border=warp.grid.border,
        inputs=inputs,
        owner=warp.owner,
        cell_inputs=warp.cell_inputs,
        stamps=warp.stamps,
        kernel=warp.kernel,
        phase_errors=warp.phase_errors,
        noise_covariances=warp.noise_covariances,
        aperture_corrections=warp.aperture_corrections,
        mask_fractions=warp.mask_fractions,
    )
