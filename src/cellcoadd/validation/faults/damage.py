"""Damaged files of every kind: each is refused by its name, or read as if nothing had happened."""

from __future__ import annotations

__all__ = ["good_exposures", "good_files", "measure"]

import contextlib
import logging
import random
import shutil
from pathlib import Path

import healsparse
import numpy as np
import yaml
from lsst.images import VisitImage

from ...analysis.cell_table import tabulate_cells
from ...files.parquet_tables import write_parquet_table
from ...files.sealing import seal_file
from ...skymap import named_sky_map
from ...testing.afw_files import write_visit_image_as_afw
from ...testing.decam_exposure import DecamExposure
from ...testing.example_products import example_coadd, example_warps
from ...testing.images import make_detector, small_patch
from ...testing.sdss_frames import MadeFrame, write_sdss_frame
from .harms import HARMS, harmed
from .reading import OTHER, REFUSED, SAME, DamagedFile, read_all
from .small_survey import SmallSurvey
from .trial import Tally, Trials

_LOG = logging.getLogger(__name__)


def measure(survey: SmallSurvey, *, seed: int, count: int) -> list[Trials]:
    """Damage files and read them, in processes that may end.

    Parameters
    ----------
    survey
        Of whose images one is among the files; others are made in its folder.
    seed
        The first seed.
    count
        How many damaged files of each kind of file, shared among the kinds of damage; as many again
        have right checksums, as if they had been written so.
    """
    folder = survey.folder / "damaged"
    seeds = range(seed, seed + count)
    rows = []
    products, exposures = folder / "products", folder / "exposures"
    for kind, sound in good_files(products).items():
        guarded = sound.suffix in (".fits", ".hsp", ".parq")
        rows.append(_tried(kind, sound, products, seeds, guarded=guarded))
        if sound.suffix in (".fits", ".hsp"):
            rows.append(_tried(f"{kind}, sealed anew", sound, products, seeds, sealed=True))
    image = min(survey.images.glob("*.fits"))
    for kind, sound in good_exposures(exposures, image).items():
        rows.append(_tried(kind, sound, exposures, seeds))
    return rows


def good_exposures(folder: Path, image: Path) -> dict[str, Path]:
    """Write an exposure for each reader, with all its files in a folder of its own.

    Parameters
    ----------
    folder
        For these folders; made.
    image
        A visit image.

    Returns
    -------
    exposures
        The file that is read, by what it is.
    """
    places = {name: folder / name for name in ("visit", "afw", "decam", "sdss")}
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
    write_visit_image_as_afw(VisitImage.read(str(image)), places["afw"] / "exposure.fits")
    return {
        "visit image": Path(shutil.copy(image, places["visit"])),
        "exposure of lsst.afw": places["afw"] / "exposure.fits",
        "exposure of DECam": DecamExposure(compress=True).write(places["decam"]),
        "frame of SDSS": write_sdss_frame(places["sdss"], MadeFrame()),
    }


def good_files(folder: Path) -> dict[str, Path]:
    """Write a small file of each product, in a folder of its own; return them by what they are."""
    warps = example_warps()
    coadd = example_coadd(warps)
    sky = healsparse.HealSparseMap.make_empty(32, 512, np.float32)
    sky[np.arange(500)] = np.float32(1.5)
    paths = {
        name: folder / name.replace(" ", "_") / f"product{suffix}"
        for name, suffix in (
            ("coadd", ".fits"), ("warp", ".fits"), ("calibrated image", ".fits"),
            ("stitched coadd", ".fits"), ("map", ".hsp"), ("table", ".parq"), ("sky map", ".yaml"),
        )
    }  # fmt: skip
    for path in paths.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    coadd.write(paths["coadd"], overwrite=True)
    warps[0].warp.write(paths["warp"], overwrite=True)
    make_detector(small_patch()).write(paths["calibrated image"], overwrite=True)
    coadd.stitch().write(str(paths["stitched coadd"]))
    seal_file(paths["stitched coadd"])
    sky.write(str(paths["map"]), clobber=True)
    seal_file(paths["map"])
    write_parquet_table(tabulate_cells(coadd), paths["table"], overwrite=True)
    definition = named_sky_map("hsc_rings_cells_v1").to_definition()
    paths["sky map"].write_text(yaml.safe_dump(definition), encoding="utf-8")
    return paths


def _tried(
    kind: str,
    sound: Path,
    folder: Path,
    seeds: range,
    *,
    guarded: bool = False,
    sealed: bool = False,
) -> Trials:
    """Damage a file in all ways and read what comes of it.

    Parameters
    ----------
    kind
        What it is.
    sound
        The file that is read; one of those that belong to it is damaged.
    folder
        Where it and those are, in a folder of their own, and where damaged ones are put.
    seeds
        One a damaged file.
    guarded
        Whether its checksums must keep another product from being read.
    sealed
        Whether the damaged ones get checksums.
    """
    tally = Tally(f"damage: {kind}")
    whole = folder / sound.relative_to(folder).parts[0]
    files = sorted(path for path in whole.rglob("*") if path.is_file())
    names, damaged = [], []
    for seed in seeds:
        harm = list(HARMS)[seed % len(HARMS)]
        copy = folder / f"copy{seed}"
        shutil.copytree(whole, copy)
        victim = copy / random.Random(seed).choice(files).relative_to(whole)
        victim.write_bytes(harmed(victim.read_bytes(), harm, seed))
        if sealed:
            with contextlib.suppress(Exception):  # what has no HDUs any more cannot be sealed
                seal_file(victim)
        names.append(f"{harm}, {victim.name}, seed {seed}")
        damaged.append(DamagedFile(copy / sound.relative_to(whole), sound, copy))
    for name, (end, said) in zip(names, read_all(damaged), strict=True):
        if end in (REFUSED, SAME) or (end == OTHER and not guarded):
            tally.good(end)
        else:
            tally.bad(end, f"{name}: {end}: {said}")
    for seed in seeds:
        shutil.rmtree(folder / f"copy{seed}")
    _LOG.info("%s: done", kind)
    return tally.trials()
