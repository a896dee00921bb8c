"""What the tree of an archive says of its HDUs is compared with them before a byte is used."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lsst.images import VisitImage
from lsst.images.serialization import write_archive

from cellcoadd import MultipleCellCoadd, Warp
from cellcoadd.errors import UnusableInputError
from cellcoadd.files import unpacking
from cellcoadd.files.archive_check import check_tree
from cellcoadd.files.fits_entries import FitsEntries
from cellcoadd.files.fits_units import BrokenFitsError
from cellcoadd.files.gzip_tiles import compress, decompress
from cellcoadd.simulate.camera import Camera
from cellcoadd.simulate.observe import simulate_visit_detector
from cellcoadd.simulate.plan import SurveyPlan, VisitPlan
from cellcoadd.surveys.readers import READERS
from cellcoadd.surveys.rubin import read_visit_image
from cellcoadd.testing.damaged_files import units_in
from cellcoadd.testing.images import make_warp, small_patch


@pytest.fixture(scope="module")
def visit_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A visit image as Rubin writes it, without checksums, its image uncompressed."""
    plan = SurveyPlan(
        visits=(VisitPlan(visit=12),), camera=Camera(columns=1, rows=1, width=40, height=51)
    )
    image: VisitImage = simulate_visit_detector(plan, visit=12, detector=0)
    path = tmp_path_factory.mktemp("visit") / "visit.fits"
    image.write(str(path), compression_options={"image": None})
    return path


@pytest.fixture(scope="module")
def coadd_file(cell_coadd: MultipleCellCoadd, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A coadd without checksums."""
    path = tmp_path_factory.mktemp("coadd") / "coadd.fits"
    write_archive(cell_coadd, path)
    return path


def with_card(path: Path, target: Path, hdu: str, keyword: str, value: object) -> Path:
    """Write a copy in which a card says something else; return its path."""
    unit = next(unit for unit in units_in(path) if unit.name[0] == hdu)
    assert keyword in unit.header
    content = bytearray(path.read_bytes())
    place = content.index(f"{keyword:8}=".encode(), unit.start, unit.address)
    text = f"'{value}'" if isinstance(value, str) else str(value)
    content[place : place + 80] = f"{keyword:8}= {text:>20}".ljust(80).encode()
    target.write_bytes(content)
    return target


def with_text(path: Path, target: Path, old: bytes, new: bytes) -> Path:
    """Write a copy in which a text of the same length is another; return its path."""
    content = path.read_bytes()
    assert old in content
    assert len(old) == len(new)
    target.write_bytes(content.replace(old, new, 1))
    return target


VISIT = [
    (
        "IMAGE",
        "NAXIS1",
        41,
        r"IMAGE has the shape \[51, 41\] by NAXIS, the tree .* says \[51, 40\]",
    ),
    ("IMAGE", "NAXIS2", 50, r"IMAGE has the shape \[50, 40\]"),
    ("IMAGE", "BITPIX", 32, "IMAGE has BITPIX 32, the tree of the file says float32"),
    ("VARIANCE", "ZNAXIS2", 50, r"VARIANCE has the shape \[50, 40\] by ZNAXIS"),
    ("VARIANCE", "ZBITPIX", -64, "VARIANCE has ZBITPIX -64"),
    ("MASK", "ZTILE2", 2, "MASK has .* tiles by NAXIS2, its shape needs 26"),
    ("MASK", "TFORM1", "1QB(99)", "MASK has rows of 8 bytes by NAXIS1, its columns take 16"),
    ("MASK", "EXTNAME", "MUSK", "MASK.* is not where the index says|names HDU MASK"),
    ("PRIMARY", "JSONADDR", 2880, "JSON is not where JSONADDR says"),
]


@pytest.mark.parametrize(("hdu", "keyword", "value", "reason"), VISIT)
@pytest.mark.parametrize("packed", [False, True])
def test_an_hdu_that_is_not_as_the_tree_says_is_refused(
    visit_file: Path, tmp_path: Path, hdu: str, keyword: str, value: Any, reason: str, packed: bool
) -> None:
    """Rows that are not there would be read from the next HDU, others would be sheared."""
    name = "" if hdu == "PRIMARY" else hdu
    path = with_card(visit_file, tmp_path / "bad.fits", name, keyword, value)
    if packed:
        path = tmp_path / "bad.fits.gz"
        path.write_bytes(gzip.compress((tmp_path / "bad.fits").read_bytes(), 1))
    with pytest.raises(UnusableInputError, match=rf"{path.name}: .*({reason})"):
        read_visit_image(path)


def test_a_text_of_ast_in_a_tree_is_looked_at(visit_file: Path, tmp_path: Path) -> None:
    """With the place of the text in the tree."""
    path = with_text(visit_file, tmp_path / "bad.fits", b"Begin CmpMap", b"Begin CmqMap")
    with pytest.raises(UnusableInputError, match=r"bad\.fits: .*sky_projection.*class CmqMap"):
        read_visit_image(path)
    with pytest.raises(BrokenFitsError, match="/a in its tree is no text"):
        check_tree({"a": {"ast": " Begin KeyMap\n End KeyMap\n"}})


COADD = [
    ("IMAGE", "ZNAXIS3", 3, r"IMAGE has the shape \[3, "),
    ("PSF", "ZNAXIS1", 7, r"PSF has the shape"),
    ("CONTRIBUTIONS", "TFORM5", "B", r"column 5 of HDU CONTRIBUTIONS is 1B by TFORM5, .* says 1L"),
    ("CONTRIBUTIONS", "TFORM1", "J", r"rows of 131 bytes by NAXIS1, its columns take 133"),
    ("CONTRIBUTIONS", "NAXIS1", 132, r"CONTRIBUTIONS has rows of 132 bytes"),
]


@pytest.mark.parametrize(("hdu", "keyword", "value", "reason"), COADD)
@pytest.mark.parametrize("in_part", [False, True])
def test_our_own_forms_are_held_to_their_trees(
    coadd_file: Path,
    cell_coadd: MultipleCellCoadd,
    tmp_path: Path,
    hdu: str,
    keyword: str,
    value: Any,
    reason: str,
    in_part: bool,
) -> None:
    """Whether some of a file is read or all of it, by lsst.images or by us."""
    path = with_card(coadd_file, tmp_path / "bad.fits", hdu, keyword, value)
    with pytest.raises(UnusableInputError, match=rf"bad\.fits: it cannot be read.*{reason}"):
        MultipleCellCoadd.read(path, cells=list(cell_coadd.cells)[:1] if in_part else None)


def test_entries_and_rows_end_with_their_hdu(
    coadd_file: Path, cell_coadd: MultipleCellCoadd
) -> None:
    """Behind the last one another HDU begins; the tree names rows of tables, too."""
    count, rows = len(cell_coadd.cells), cell_coadd.contributions
    with open(coadd_file, "rb") as stream:
        entries = FitsEntries(stream)
        with pytest.raises(BrokenFitsError, match=rf"IMAGE has {count} entries, entry {count} is"):
            entries.read_stacks([("IMAGE", 1)], [0, count])
        with pytest.raises(BrokenFitsError, match="entry"):
            entries.read_rows(("IMAGE", 1), 0, count + 1)
        with pytest.raises(BrokenFitsError, match=f"CONTRIBUTIONS has {len(rows)} entries"):
            entries.read_table(("CONTRIBUTIONS", 1), rows.dtype, [0, len(rows)])


def test_a_warp_with_a_damaged_text_is_refused(tmp_path: Path) -> None:
    """Each of its inputs has one."""
    sound, path = tmp_path / "warp.fits", tmp_path / "bad.fits"
    write_archive(make_warp(small_patch()), sound)
    with_text(sound, path, b"Begin WcsMap", b"Begin WcsMbp")
    with pytest.raises(UnusableInputError, match=r"bad\.fits: .*WcsMbp, which is not known"):
        Warp.read(path)


def test_an_archive_of_json_is_looked_at(cell_coadd: MultipleCellCoadd, tmp_path: Path) -> None:
    """AST reads it as any other."""
    path = tmp_path / "coadd.json"
    write_archive(cell_coadd.subset(list(cell_coadd.cells)[:1]), path)
    tree = json.loads(path.read_bytes())
    mapping = tree["sky_projection"]["pixel_to_sky"]["mappings"][0]
    mapping["ast"] = mapping["ast"].replace("Nin = 2", "Nin = 3", 1)
    path.write_text(json.dumps(tree))
    with pytest.raises(UnusableInputError, match=r"coadd\.json.*no text of AST"):
        MultipleCellCoadd.read(path)


@pytest.mark.parametrize("name", ["ast_266", "ast_472", "rows400"])
def test_damaged_files_that_did_harm_are_refused(shared: Path, name: str) -> None:
    """They ended the interpreter, or put numbers of another HDU into a coadd."""
    path = shared / "data/damaged" / f"{name}.fits"
    reason = "440, 480" if name == "rows400" else "no text of AST"
    for read in (read_visit_image, READERS["rubin"].read_header):
        with pytest.raises(UnusableInputError, match=rf"{name}\.fits: .*({reason})"):
            read(path)


def test_a_tile_is_not_unpacked_beyond_its_size() -> None:
    """One of a megabyte may hold a gigabyte."""
    data = np.arange(1000, dtype=np.uint8).tobytes()
    assert decompress(compress(data), len(data)) == data
    for size in (len(data) - 1, len(data) + 1):
        with pytest.raises(BrokenFitsError, match=f"must give {size} bytes"):
            decompress(compress(data), size)
    assert decompress(compress(b""), 0) == b""
    with pytest.raises(BrokenFitsError):
        decompress(compress(data)[:-9], len(data))


def test_a_file_is_not_unpacked_beyond_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would fill the disk; and the half of it that was written is gone."""
    path = tmp_path / "large.fits.gz"
    path.write_bytes(gzip.compress(bytes(5 << 20)))
    monkeypatch.setattr(unpacking, "MOST_BYTES", 4 << 20)
    made: list[Path] = []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(
        UnusableInputError, match=r"large\.fits\.gz: it has more than 4194304 bytes"
    ):
        made.append(unpacking.UnpackedFile(path).path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_the_sound_file_is_read(visit_file: Path) -> None:
    """What the tests above damage can be read."""
    assert read_visit_image(visit_file).calibrated_image.bbox.shape == (51, 40)
