"""A name that was once published stays, or is deprecated with a warning (docs/stability.md)."""

from __future__ import annotations

import importlib
import re
import warnings
from pathlib import Path

import pytest

import cellcoadd
from cellcoadd._moved_modules import MOVED

LIST = Path(__file__).parent / "published_names.txt"
PAGE = Path(__file__).parents[2] / "docs" / "reference.md"

PUBLISHED = LIST.read_text(encoding="utf-8").split()
"""Names of `cellcoadd` and, with a dot, modules; one a line. A line goes when its name may."""

NAMES = [name for name in PUBLISHED if "." not in name]
MODULES = [name for name in PUBLISHED if "." in name]


def gone(names: list[str]) -> set[str]:
    """The names that are neither public nor deprecated."""
    return set(names) - set(cellcoadd.__all__) - set(cellcoadd._DEPRECATED)


def test_no_published_name_is_gone() -> None:
    """Somebody's notebook has it."""
    assert gone(NAMES) == set()
    assert gone([*NAMES, "once"]) == {"once"}


@pytest.mark.parametrize("module", MODULES)
def test_no_published_module_is_gone(module: str) -> None:
    """It is where it was, or its old path is in the table of those that moved."""
    with warnings.catch_warnings():
        if module in MOVED:
            warnings.simplefilter("ignore", DeprecationWarning)
        assert importlib.import_module(module)


def test_what_is_public_is_in_the_list() -> None:
    """A name that is not written down when it is published could go unnoticed."""
    assert set(cellcoadd.__all__) <= set(NAMES)
    modules = PAGE.read_text(encoding="utf-8").partition("\n## Modules")[2]
    assert set(re.findall(r"`(cellcoadd\.[\w.]+)`", modules)) <= set(MODULES)


def test_the_list_is_sorted() -> None:
    """So that a name is found, and none is there twice."""
    assert sorted(set(NAMES)) + sorted(set(MODULES)) == PUBLISHED


def test_a_deprecated_name_works_and_warns_with_its_successor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each time it is asked for, so that the one who uses it sees the warning."""
    monkeypatch.setitem(cellcoadd._DEPRECATED, "find_holes", ("kernels.holes", "cellcoadd.read"))
    monkeypatch.setattr("cellcoadd.kernels.holes.find_holes", 7, raising=False)
    for _ in range(2):
        with pytest.warns(
            DeprecationWarning, match=r"^cellcoadd\.find_holes is .* use cellcoadd\.r"
        ) as caught:
            assert cellcoadd.find_holes == 7
        assert [warning.filename for warning in caught] == [__file__]
    assert "find_holes" not in cellcoadd.__all__
    assert "find_holes" not in dir(cellcoadd)
    assert gone([*NAMES, "find_holes"]) == set()
