"""Damaged files of every kind: each is refused by its name, or read as if nothing had happened."""

from __future__ import annotations

__all__ = ["good_files", "measure"]

import contextlib
import logging
from pathlib import Path

import healsparse
import numpy as np
import yaml

from ...analysis.cell_table import tabulate_cells
from ...files.parquet_tables import write_parquet_table
from ...files.sealing import seal_file
from ...skymap import named_sky_map
from ...testing.example_products import example_coadd, example_warps
from ...testing.images import make_detector, small_patch
from .harms import HARMS, harmed
from .reading import OTHER, REFUSED, SAME, read_all
from .small_survey import SmallSurvey
from .trial import Tally, Trials

_LOG = logging.getLogger(__name__)


def measure(survey: SmallSurvey, *, seed: int, count: int) -> list[Trials]:
    """Damage files and read them, in processes that may end.

    Parameters
    ----------
    survey
        Whose images are among the files; others are made in its folder.
    seed
        The first seed.
    count
        How many damaged files of each kind of file, shared among the kinds of damage; as many again
        have right checksums, as if they had been written so.
    """
    folder = survey.folder / "damaged"
    rows = []
    for kind, sound in good_files(folder / "sound").items():
        guarded = sound.suffix in (".fits", ".hsp", ".parq")
        rows.append(_tried(kind, sound, folder, range(seed, seed + count), guarded=guarded))
        if sound.suffix in (".fits", ".hsp"):
            again = f"{kind}, sealed anew"
            rows.append(_tried(again, sound, folder, range(seed, seed + count), sealed=True))
    image = min(survey.images.glob("*.fits"))
    rows.append(_tried("visit image", image, folder, range(seed, seed + count)))
    return rows


def good_files(folder: Path) -> dict[str, Path]:
    """Write a small file of each product; return them by what they are."""
    folder.mkdir(parents=True, exist_ok=True)
    warps = example_warps()
    coadd = example_coadd(warps)
    sky = healsparse.HealSparseMap.make_empty(32, 512, np.float32)
    sky[np.arange(500)] = np.float32(1.5)
    paths = {
        name: folder / f"{name.replace(' ', '_')}{suffix}"
        for name, suffix in (
            ("coadd", ".fits"), ("warp", ".fits"), ("calibrated image", ".fits"),
            ("stitched coadd", ".fits"), ("map", ".hsp"), ("table", ".parq"), ("sky map", ".yaml"),
        )
    }  # fmt: skip
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
        The file.
    folder
        Where damaged ones are put.
    seeds
        One a damaged file.
    guarded
        Whether its checksums must keep another product from being read.
    sealed
        Whether the damaged ones get checksums.
    """
    tally = Tally(f"a {kind} damaged")
    content = sound.read_bytes()
    harms = list(HARMS)
    names, pairs = [], []
    for seed in seeds:
        harm = harms[seed % len(harms)]
        path = folder / f"{seed}{sound.suffix}"
        path.write_bytes(harmed(content, harm, seed))
        if sealed:
            with contextlib.suppress(Exception):  # what has no HDUs any more cannot be sealed
                seal_file(path)
        names.append(f"{harm}, seed {seed}")
        pairs.append((path, sound))
    for name, (end, said) in zip(names, read_all(pairs), strict=True):
        if end in (REFUSED, SAME) or (end == OTHER and not guarded):
            tally.good(end)
        else:
            tally.bad(end, f"{name}: {end}: {said}")
    for path, _ in pairs:
        path.unlink()
    _LOG.info("%s: done", kind)
    return tally.trials()
