"""Warps whose files are damaged or gone are named, all of them, and never left out in silence."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lsst.daf.butler import Butler

from cellcoadd import MultipleCellCoadd
from cellcoadd.files.fits_units import units_of
from cellcoadd.testing.commands import Outcome, run_command

OUTPUT = "u/me/coadds"
AGAIN = ("--extend-run", "--skip-existing", "--clobber-outputs")
COADD: dict[str, Any] = {"skymap": "hsc_rings_cells_v1", "tract": 9813, "patch": 61, "band": "i"}

type Runner = Callable[..., Outcome]


@pytest.fixture(scope="module")
def coadded(
    single_repository: Path, pipetask_run: Runner, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Two visits on a patch, warped and added up. Do not change it."""
    root = Path(shutil.copytree(single_repository, tmp_path_factory.mktemp("coadded") / "repo"))
    done = pipetask_run(root, OUTPUT)
    assert done.exit_code == 0, done.output
    return root


@pytest.fixture
def copied(coadded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(coadded, tmp_path / "repo"))


def file_of(root: Path, pattern: str) -> Path:
    return next(iter(sorted((root / OUTPUT).rglob(pattern))))


def damage(path: Path) -> None:
    """Flip a bit of the image."""
    content = bytearray(path.read_bytes())
    with open(path, "rb") as stream:
        image = next(unit for unit in units_of(stream) if unit.name[0] == "IMAGE")
    content[(image.address + image.end) // 2] ^= 1
    path.write_bytes(content)


def test_all_visits_that_cannot_be_used_are_named_and_can_be_left_out(
    copied: Path, pipeline_file: Path, where: str
) -> None:
    """One is damaged; then the other is gone as well, and there is nothing to go on with."""
    damaged, gone = (file_of(copied, f"*directWarp_*_{visit}_*.fits") for visit in (1230, 1228))

    def assemble(output: str, *arguments: str) -> Outcome:
        return run_command(
            "pipetask", "run", "-b", copied, "-i", OUTPUT, "-o", output, "-d", where,
            "-p", f"{pipeline_file}#assembleCellCoadd", *arguments,
        )  # fmt: skip

    damage(damaged)
    failed = assemble("u/failed")
    assert failed.exit_code != 0
    assert "tract 9813, patch 61 of hsc_rings_cells_v1: 1 of its 2 visits" in failed.output
    assert "deepCoadd_directWarp HSC visit 1230 tract 9813 patch 61: it cannot" in failed.output
    assert "'cellcoadd status REPO COLLECTION --verify --renew'" in failed.output

    setting = ("-c", "assembleCellCoadd:do_leave_out_damaged_warps=True")
    done = assemble("u/others", *setting)
    assert done.exit_code == 0, done.output
    assert (
        "Left out, its visit goes into no cell: deepCoadd_directWarp HSC visit 1230" in done.output
    )
    with Butler.from_config(copied, collections="u/others") as butler:
        coadd: MultipleCellCoadd = butler.get("deepCoaddCell", COADD)
    assert {entry.observation.visit for entry in coadd.inputs} == {1228}

    gone.unlink()
    nothing = assemble("u/nothing", *setting)
    assert nothing.exit_code != 0
    assert "2 of its 2 visits cannot be used" in nothing.output
    assert "HSC visit 1228 tract 9813 patch 61: its file is missing" in nothing.output


def test_what_is_damaged_is_found_and_made_again(
    coadded: Path, copied: Path, pipetask_run: Runner
) -> None:
    """A warp, a masked fraction, another visit's warp that is gone: afterwards all is as before."""
    assert run_command("cellcoadd", "status", copied, OUTPUT, "--verify").exit_code == 0
    damage(file_of(copied, "*directWarp_maskedFraction_*_1230_*.fits"))
    file_of(copied, "*directWarp_*_1228_*.fits").unlink()
    found = run_command("cellcoadd", "status", copied, OUTPUT, "--verify", "--renew", "--yes")
    assert found.exit_code == 1
    place = "unreadable: hsc_rings_cells_v1 tract 9813 patch 61 i, HSC visit"
    assert f"{place} 1228: its deepCoadd_directWarp is gone" in found.output
    assert f"{place} 1230: its deepCoadd_directWarp_maskedFraction in" in found.output
    assert "damaged: HDU 1 (IMAGE)" in found.output
    done = pipetask_run(copied, OUTPUT, *AGAIN)
    assert done.exit_code == 0, done.output
    both = ("compare", OUTPUT, OUTPUT, "--repo", coadded, "--other-repo", copied)
    same = run_command("cellcoadd", *both)
    assert same.exit_code == 0, same.output
    assert "8 datasets are the same to the bit, 0 differ." in same.output
    assert run_command("cellcoadd", "status", copied, OUTPUT, "--verify").exit_code == 0
