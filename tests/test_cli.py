"""The `cellcoadd` command: what it prints and how it ends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from cellcoadd.errors import UnusableInputError
from cellcoadd.files.checksums import verify_file
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.testing.commands import run_command


@pytest.fixture
def folder(cell_coadd: MultipleCellCoadd, tmp_path: Path) -> Path:
    """A good file, one with a wrong byte in its last HDU, one without checksums, one of words."""
    good, bad = tmp_path / "good.fits", tmp_path / "deeper" / "bad.fits"
    cell_coadd.write(good)
    bad.parent.mkdir()
    content = bytearray(good.read_bytes())
    content[-1] ^= 1
    bad.write_bytes(content)
    fits.PrimaryHDU(np.zeros(3)).writeto(tmp_path / "bare.fits")
    (tmp_path / "words.txt").write_text("no image")
    return tmp_path


def test_verify_names_damaged_files_in_folders(folder: Path) -> None:
    """And the HDU; the others are counted, whatever is no FITS file is passed over."""
    done = run_command("cellcoadd", "verify", folder)
    assert done.exit_code == 1
    assert f"{Path('deeper') / 'bad.fits'}: HDU 14 (INDEX) has data that add up to" in done.output
    assert "As written: 1 files with 15 HDUs." in done.output
    assert "Without checksums, so that nobody knows: 1 files." in done.output
    assert not done.has_traceback


def test_verify_is_content_with_sound_files(folder: Path) -> None:
    """Exit status 0 is for scripts."""
    done = run_command("cellcoadd", "verify", folder / "good.fits")
    assert done.exit_code == 0
    assert "As written: 1 files with 15 HDUs." in done.output


def test_verify_says_when_there_was_nothing_to_verify(folder: Path) -> None:
    """A script must not take it for a proof."""
    for path in (folder / "bare.fits", folder / "deeper" / "none"):
        path.parent.mkdir(exist_ok=True)
        path.mkdir(exist_ok=True) if path.suffix == "" else None
        done = run_command("cellcoadd", "verify", path)
        assert done.exit_code == 2
        assert "Nothing was verified." in done.output


def test_verify_names_what_cannot_be_read(folder: Path) -> None:
    """The others are verified all the same."""
    done = run_command(
        "cellcoadd", "verify", folder / "none.fits", folder / "words.txt", folder / "good.fits"
    )
    assert done.exit_code == 1
    assert "none.fits" in done.output
    assert "words.txt: it is not a FITS file" in done.output
    assert "As written: 1 files" in done.output
    assert not done.has_traceback


def test_a_file_that_was_changed_on_purpose_is_sealed_again(folder: Path) -> None:
    """By hand, or by a program that leaves old checksums behind: it stays of use."""
    path = folder / "changed.fits"
    content = (folder / "good.fits").read_bytes()
    path.write_bytes(content.replace(b"Schema URL.", b"Schema page", 1))
    assert run_command("cellcoadd", "verify", path).exit_code == 1
    with pytest.raises(UnusableInputError, match="verify --seal"):
        MultipleCellCoadd.read(path)
    done = run_command("cellcoadd", "verify", "--seal", path)
    assert done.exit_code == 0
    assert "Sealed anew: 1 files." in done.output
    assert MultipleCellCoadd.read(path) == MultipleCellCoadd.read(folder / "good.fits")


def test_astropy_keeps_the_checksums_right(folder: Path) -> None:
    """Who adds a card with it need not know of them."""
    path = folder / "good.fits"
    fits.setval(path, "OBSERVER", value="somebody")
    assert verify_file(path).damage == ()


def test_folders_are_not_sealed(folder: Path) -> None:
    """What is damaged in a repository would pass for sound, and links lead out of it."""
    before = (folder / "deeper" / "bad.fits").read_bytes()
    done = run_command("cellcoadd", "verify", "--seal", folder)
    assert done.exit_code == 2
    assert f"--seal takes files, not folders: {folder}" in done.output
    assert (folder / "deeper" / "bad.fits").read_bytes() == before
