"""The standard work side by side: ``python benchmarks/standard.py [FOLDER] [--visits 4 8]``.

Four visits of six detectors onto patch 61 of tract 9813 (`standard_survey`), files to a written
coadd: by `recipes.coadd_files` with uncompressed and with compressed files, by the two tasks in
``pipetask run``, and by SWarp and reproject where they are installed, which make less. Prints
processor seconds and ratios, shows where the time goes and how it grows with the number of visits,
and writes ``standard.json`` and ``standard.png`` into FOLDER, where the images are found again the
next time. With ``--full`` also with interpolation and one noise realization, by the first route for
each number of visits.

Processor seconds are user and system time of one process, without its start-up, which is told
apart. The estimate for a survey is what follows for 81 and 81,000 patches, one core each.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lsst.daf.butler import Butler
from rich.console import Console
from rich.table import Table
from standard_survey import BAND, PATCH, SKYMAP, TRACT, images_of, standard_plan, swarp_images_of

from cellcoadd.butler.ingest import ingest_images
from cellcoadd.butler.register_skymap import register_skymap
from cellcoadd.butler.repository import make_repository
from cellcoadd.skymap import named_sky_map

type Result = dict[str, Any]

_HERE = Path(__file__).parent
_PATCHES_OF_A_TRACT = 81  # of 121, those that its circle touches
_PIPELINE = """\
description: The standard work.
tasks:
  makeDirectWarp:
    class: cellcoadd.tasks.MakeDirectWarpTask
    config:
      doPreWarpInterpolation: {full}
      numberOfNoiseRealizations: {n_noise}
  assembleCellCoadd:
    class: cellcoadd.tasks.AssembleCellCoaddTask
    config:
      num_noise_realizations: {n_noise}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("build/standard"))
    parser.add_argument("--visits", type=int, nargs="+", default=[4], help="numbers to try [4]")
    parser.add_argument("--full", action="store_true", help="also interpolation and noise")
    parser.add_argument("--small", action="store_true", help="a smoke run, of no meaning")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    console = Console()
    visits, small = sorted(arguments.visits), arguments.small
    results: dict[str, Result] = {}
    for number in visits:
        results[f"files, {number} visits"] = measure_files(folder, number, small=small)
    first = visits[0]
    results["compressed files"] = measure_files(folder, first, "--compressed", small=small)
    with task_repository(folder, first, small=small) as repository:
        results["pipetask"] = measure_tasks(repository, first)
        if arguments.full:
            results["pipetask, full"] = measure_tasks(repository, first, full=True)
    results["two processes"] = measure_two(folder, first, small=small)
    if arguments.full:
        for number in visits:
            full = measure_files(folder, number, "--full", small=small)
            results[f"files, {number} visits, full"] = full
    if (program := shutil.which("SWarp") or shutil.which("swarp")) is not None:
        results["SWarp"] = measure_swarp(program, folder, first, small=small)
    if importlib.util.find_spec("reproject") is not None:
        results["reproject"] = measure_reproject(folder, small=small)
    (folder / "standard.json").write_text(json.dumps(results, indent=1))
    show(results, first, console)
    draw(results, first, folder / "standard.png")
    console.print(f"Wrote {folder / 'standard.json'} and {folder / 'standard.png'}.")


def measure_files(folder: Path, visits: int, *options: str, small: bool) -> Result:
    """Run `standard_run` in a process of its own."""
    compressed = "--compressed" in options
    images_of(_files_folder(folder, small), visits, compressed=compressed, small=small)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "result.json"
        run(_standard_run(folder, path, visits, *options, small=small))
        result: Result = json.loads(path.read_text())
    return result


def _standard_run(folder: Path, result: Path, visits: int, *options: str, small: bool) -> list[str]:
    command = [sys.executable, str(_HERE / "standard_run.py"), str(folder), str(result)]
    return [*command, "--visits", str(visits), *options, *(["--small"] if small else [])]


def measure_two(folder: Path, visits: int, *, small: bool) -> Result:
    """Run the same work twice at once: what a core does while the other one works too."""
    with tempfile.TemporaryDirectory() as scratch:
        start = time.perf_counter()
        paths = [Path(scratch) / f"{number}.json" for number in range(2)]
        processes = [
            subprocess.Popen(_standard_run(folder, path, visits, small=small)) for path in paths
        ]
        for process in processes:
            if process.wait() != 0:
                raise RuntimeError("standard_run.py failed; its message is above.")
        wall = time.perf_counter() - start
        results = [json.loads(path.read_text()) for path in paths]
    return {
        "cpu_s": max(result["cpu_s"] for result in results),
        "wall_s": wall,
        "work_wall_s": max(result["wall_s"] for result in results),
    }


@contextlib.contextmanager
def task_repository(folder: Path, visits: int, *, small: bool) -> Iterator[Path]:
    """A repository with the images of the first visits, for as long as it is needed."""
    images = images_of(_files_folder(folder.absolute(), small), visits, small=small)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        repository = Path(scratch) / "repo"
        with make_repository(repository) as butler:
            ingest_images(butler, images, run="calibrated", transfer="direct", check=False)
            register_skymap(butler, named_sky_map(SKYMAP), tracts=[TRACT])
        yield repository


def measure_tasks(repository: Path, visits: int, *, full: bool = False) -> Result:
    """Run the two tasks as a user does, in one process; the tasks' metadata say what each took."""
    output = "full" if full else "coadds"
    pipeline = repository / f"{output}.yaml"
    pipeline.write_text(_PIPELINE.format(full=full, n_noise=int(full)))
    where = f"instrument='HSC' AND skymap='{SKYMAP}' AND tract={TRACT} AND patch={PATCH}"
    arguments = ["--log-level", "WARNING", "run", "-j", "1", "--register-dataset-types"]
    arguments += ["-b", str(repository), "-i", "calibrated,skymaps", "-o", output]
    arguments += ["-p", str(pipeline), "-d", f"{where} AND band='{BAND}'"]
    total = run([str(Path(sys.executable).parent / "pipetask"), *arguments])
    parts = _seconds_of_tasks(repository, output)
    stored = sum(path.stat().st_size for path in (repository / output).rglob("*.fits"))
    work = sum(sum(part) for part in parts.values())
    return {
        "visits": visits,
        "cpu_s": work,
        "start_up_s": total["cpu_s"] - work,
        "peak_mb": total["peak_mb"],
        "wall_s": total["wall_s"],
        "stages_s": {task: sum(part) for task, part in parts.items()},
        "stored_mb": stored / 1e6,
    }


def _seconds_of_tasks(repository: Path, output: str) -> dict[str, list[float]]:
    parts: dict[str, list[float]] = {}
    with Butler.from_config(str(repository), collections=output) as butler:
        for task in ("makeDirectWarp", "assembleCellCoadd"):
            refs = butler.query_datasets(f"{task}_metadata")
            quanta = [butler.get(ref)["quantum"] for ref in refs]
            parts[task] = [quantum["endCpuTime"] - quantum["prepCpuTime"] for quantum in quanta]
    return parts


def measure_swarp(swarp: str, folder: Path, visits: int, *, small: bool) -> Result:
    """Resample and add up the images, weighted: no masks, no cells, no PSF, no provenance."""
    images = swarp_images_of(_files_folder(folder, small), visits, small=small)
    plan = standard_plan(visits, small=small)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        options = {
            "IMAGEOUT_NAME": f"{scratch}/coadd.fits", "WEIGHTOUT_NAME": f"{scratch}/weight.fits",
            "RESAMPLE_DIR": scratch, "WEIGHT_TYPE": "MAP_WEIGHT", "WEIGHT_SUFFIX": ".weight.fits",
            "RESAMPLING_TYPE": "LANCZOS3", "COMBINE_TYPE": "WEIGHTED", "SUBTRACT_BACK": "N",
            "CENTER_TYPE": "MANUAL", "CENTER": f"{plan.ra},{plan.dec}",
            "PIXELSCALE_TYPE": "MANUAL", "PIXEL_SCALE": "0.168", "IMAGE_SIZE": "3400,3400",
            "FSCALASTRO_TYPE": "FIXED", "NTHREADS": "1", "VERBOSE_TYPE": "QUIET", "WRITE_XML": "N",
        }  # fmt: skip
        command = [swarp, *map(str, images), "-c", os.devnull]
        for name, value in options.items():
            command += [f"-{name}", value]
        return {"visits": visits, **run(command)}


def measure_reproject(folder: Path, *, small: bool) -> Result:
    """Resample one detector onto the patch by `reproject.reproject_interp` (bicubic)."""
    image = swarp_images_of(_files_folder(folder, small), 1, small=small)[0]
    program_text = f"""
import resource, reproject
from astropy.io import fits
from astropy.wcs import WCS
from cellcoadd.skymap import named_sky_map
patch = named_sky_map({SKYMAP!r})[{TRACT}].patch({PATCH})
box = patch.outer_bbox
target = patch.sky_projection.as_fits_wcs(box, allow_approximation=True)
before = resource.getrusage(resource.RUSAGE_SELF)
with fits.open({str(image)!r}) as hdus:
    _, footprint = reproject.reproject_interp(hdus[0], target, tuple(box.shape), order="bicubic")
after = resource.getrusage(resource.RUSAGE_SELF)
print(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, footprint.sum())
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program_text],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    seconds, pixels = map(float, done.stdout.split())
    return {"cpu_s": seconds, "mpix_per_s": pixels / seconds / 1e6}


def run(command: Sequence[str]) -> Result:
    """Run a command and return what it took.

    Raises
    ------
    RuntimeError
        If it fails.
    """
    program = [sys.executable, "-I", "-S", str(_HERE / "run_measured.py")]
    done = subprocess.run([*program, *command], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed; its message is above.")
    result: Result = json.loads(done.stdout)
    return result


def _files_folder(folder: Path, small: bool) -> Path:
    return folder / "small" if small else folder


def show(results: Mapping[str, Result], visits: int, console: Console) -> None:
    """Print what each took, beside SWarp where there is one."""
    base = results[f"files, {visits} visits"]
    swarp = results.get("SWarp")
    table = Table(title=f"The standard work, {visits} visits unless it says otherwise")
    for column in ("", "CPU s", "of SWarp's", "a visit", "start-up s", "peak MB"):
        table.add_column(column, justify="left" if column == "" else "right")
    for name, result in results.items():
        count = result.get("visits")
        ratio = result["cpu_s"] / swarp["cpu_s"] if swarp and count == visits else None
        table.add_row(
            name,
            f"{result['cpu_s']:.2f}",
            "" if ratio is None else f"{ratio:.2f}",
            "" if count is None else f"{result['cpu_s'] / count:.2f}",
            f"{result['start_up_s']:.1f}" if "start_up_s" in result else "",
            f"{result['peak_mb']:.0f}" if "peak_mb" in result else "",
        )
    console.print(table)
    stages = Table(title="Where the time goes")
    for column in ("stage", "s", "%"):
        stages.add_column(column, justify="left" if column == "stage" else "right")
    for name, seconds in {**base["stages_s"], "the rest": _rest(base)}.items():
        stages.add_row(name, f"{seconds:.2f}", f"{100 * seconds / base['cpu_s']:.0f}")
    console.print(stages)
    alone, both = base["wall_s"], results["two processes"]["work_wall_s"]
    console.print(f"Two processes at once do {2 * alone / both:.2f} times the work of one.")
    fixed, slope = _growth(results)
    a_patch = fixed + 8 * slope
    console.print(
        f"A patch takes {fixed:.1f} s + {slope:.2f} s a visit. Of 8 visits: a tract "
        f"({_PATCHES_OF_A_TRACT} patches) {_PATCHES_OF_A_TRACT * a_patch / 3600:.2f} core hours, "
        f"1,000 tracts {1000 * _PATCHES_OF_A_TRACT * a_patch / 3600:.0f} core hours."
    )


def _rest(result: Result) -> float:
    rest: float = result["cpu_s"] - sum(result["stages_s"].values())
    return rest


def _growth(results: Mapping[str, Result]) -> tuple[float, float]:
    """Seconds of a patch without visits, and of each visit."""
    series = _series(results)
    if len(series) == 1:
        # What does not depend on the visits is made once they are added up.
        stages = series[0]["stages_s"]
        fixed = stages["finish"] + stages["write"]
        return fixed, (series[0]["cpu_s"] - fixed) / series[0]["visits"]
    counts = np.array([float(result["visits"]) for result in series])
    slope, constant = np.polyfit(counts, np.array([result["cpu_s"] for result in series]), 1)
    return float(constant), float(slope)


def _series(results: Mapping[str, Result], end: str = "") -> list[Result]:
    """Results from files, by number of visits."""
    return [
        result
        for name, result in results.items()
        if name == f"files, {result.get('visits')} visits{end}"
    ]


def draw(results: Mapping[str, Result], visits: int, path: Path) -> None:
    """Draw the stages, and how time and memory grow with the number of visits."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    base = results[f"files, {visits} visits"]
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4.4), layout="constrained")
    stages = {**base["stages_s"], "the rest": _rest(base)}
    left.barh(list(stages), list(stages.values()), color="0.5")
    left.invert_yaxis()
    left.set(xlabel="CPU seconds", title=f"{visits} visits, files to a written coadd")
    both = _series(results, ", full")
    labels = ("files", "files, with interpolation and noise")
    for series, label in zip((_series(results), both), labels, strict=True):
        if not series:
            continue
        counts = [result["visits"] for result in series]
        middle.plot(counts, [result["cpu_s"] for result in series], "o-", label=label)
        right.plot(counts, [result["peak_mb"] for result in series], "o-", label=label)
    for name, label, marker in (
        ("pipetask", "pipetask", "^"), ("pipetask, full", "pipetask, with both", "v"),
        ("SWarp", "SWarp, image and weight only", "s"),
    ):  # fmt: skip
        if (result := results.get(name)) is not None:
            middle.plot(visits, result["cpu_s"], marker, label=label)
            right.plot(visits, result["peak_mb"], marker)
    middle.set(xlabel="visits", ylabel="CPU seconds", xlim=(0, None), ylim=(0, None))
    figure.legend(*middle.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    right.axhline(1500, color="0.7", linestyle="--")
    right.set(xlabel="visits", ylabel="peak memory (MB)", xlim=(0, None), ylim=(0, None))
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
