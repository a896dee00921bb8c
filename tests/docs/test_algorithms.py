"""The pages about algorithms: their pictures are drawn by code, what they name exists."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "algorithms"
INDEX = FOLDER / "README.md"
PAGES = sorted(set(FOLDER.glob("*.md")) - {INDEX})

PICTURE = re.compile(r"!\[[^\]]+\]\(([^)]+)\)")
PATH = re.compile(r"`((?:\w+/)+\w+\.py)`")
ROW_OF_FILE = re.compile(r"^\| `([\w/]+\.py)` \| ([^|]+) \|", re.MULTILINE)
SECTIONS = [
    "Formula", "Picture", "Source", "Files", "Settings", "What bites", "How it is tested",
]  # fmt: skip


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def script() -> Any:
    """The script as a module; its folder is not a package's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        return importlib.import_module("draw_pictures")


@pytest.fixture(scope="module")
def drawn(script: Any, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """All pictures, drawn anew."""
    paths = script.draw_pictures(tmp_path_factory.mktemp("pictures"))
    return {path.name: path for path in paths}


def pixels(path: Path) -> np.ndarray[Any, np.dtype[np.float64]]:
    with PIL.Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"), np.float64) / 255.0


def test_every_algorithm_has_its_page_and_the_index_links_it() -> None:
    """Nine, and none that nobody finds."""
    names = {
        "interpolation", "resampling", "cell-selection", "stacking", "psf", "noise",
        "depth-and-variance", "kernels", "artifacts",
    }  # fmt: skip
    assert {page.stem for page in PAGES} == names
    assert {f"{name}.md" for name in names} <= set(re.findall(r"\]\(([^)]+)\)", read(INDEX)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_its_sections_in_their_order(page: Path) -> None:
    """A reader finds the formula, the picture, the source and the files at the same place."""
    assert re.findall(r"^## (.+)$", read(page), re.MULTILINE) == SECTIONS


@pytest.mark.parametrize("page", [*PAGES, INDEX], ids=lambda page: page.stem)
def test_the_files_that_a_page_names_exist(page: Path) -> None:
    """Paths are below the package, or begin with tests/."""
    named = set(PATH.findall(read(page)))
    assert named
    missing = {
        path
        for path in named
        if not (ROOT / ("" if path.startswith("tests/") else "src/cellcoadd") / path).is_file()
    }
    assert missing == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_functions_that_a_page_names_are_in_their_files(page: Path) -> None:
    """A renamed function must not live on in the table of files."""
    rows = ROW_OF_FILE.findall(read(page))
    assert rows
    for path, names in rows:
        code = read(ROOT / "src" / "cellcoadd" / path)
        found = re.findall(r"`(\w+)`", names)
        assert found, path
        for name in found:
            assert re.search(rf"^(?:def|class) {name}\b", code, re.MULTILINE), (path, name)


def test_pages_show_exactly_the_pictures_that_the_script_draws(script: Any) -> None:
    """No picture without code, no code for a picture that nobody sees."""
    shown = {page.stem: PICTURE.findall(read(page)) for page in PAGES}
    assert all(shown.values())
    assert {name for names in shown.values() for name in names} == set(script.PICTURES)


def test_pictures_beside_the_pages_are_what_the_code_draws(drawn: Mapping[str, Path]) -> None:
    """A change of the code that shows must be shown: `make pictures` draws them again.

    On other machines letters may be smoothed otherwise and a few pixels of noise rounded
    otherwise: a hundredth of the full scale on average is left to that. A white page would
    differ from each of these pictures by more than a twentieth.
    """
    for name, path in drawn.items():
        ours, kept = pixels(path), pixels(FOLDER / name)
        assert ours.shape == kept.shape, name
        assert np.abs(ours - kept).mean() < 0.01, name
        assert np.abs(1.0 - kept).mean() > 0.05, name


def test_pictures_are_small(drawn: Mapping[str, Path]) -> None:
    """They are kept in the repository for ever: 60 kB each at most."""
    assert {name for name, path in drawn.items() if path.stat().st_size > 60_000} == set()
