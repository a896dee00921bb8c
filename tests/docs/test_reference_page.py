"""The reference page: every public name is on it as it is, and all that is on it exists."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import cellcoadd
from cellcoadd.butler.repository import REPOSITORY_CONFIG

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference.md"
ROW = re.compile(r"^\| `(\w+)(\([^`]*\))?` \| [^|]+ \| `([\w.]+)` \|$", re.MULTILINE)
MODULE = re.compile(r"`(cellcoadd\.[\w.]+)`(?=[^|\n]* \| )")

PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "docs" / "notebooks").glob("*.py"),
]
IMPORT = re.compile(r"^from (cellcoadd\.[\w.]+) import ", re.MULTILINE)
OF_TESTS = ("cellcoadd.testing", "cellcoadd.validation")


def rows_of(text: str) -> dict[str, tuple[str, str]]:
    """What is in parentheses, and the module, of each name in the tables of a page."""
    rows = ROW.findall(text)
    assert len({name for name, _, _ in rows}) == len(rows), "no name twice"
    return {name: (signature, module) for name, signature, module in rows}


def modules_of(text: str) -> set[str]:
    """The modules in the table of modules of a page."""
    return set(MODULE.findall(text.partition("\n## Modules")[2]))


def signature_of(member: Any) -> str:
    """The parameters as the page writes them: without types and defaults."""
    parts: list[str] = []
    for name, parameter in inspect.signature(member).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        parts.append("**" * (parameter.kind is parameter.VAR_KEYWORD) + name)
    return f"({', '.join(parts)})"


@pytest.fixture(scope="module")
def text() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_the_page_has_every_public_name_and_no_other(text: str) -> None:
    """A name that is not on it would not be found, one that does not exist would be tried."""
    assert {"__version__", *rows_of(text)} == set(cellcoadd.__all__)
    assert "`__version__`" in text


def test_signatures_on_the_page_are_those_of_the_code(text: str) -> None:
    """All functions have theirs; classes those that one makes oneself."""
    for name, (shown, _) in rows_of(text).items():
        member = getattr(cellcoadd, name)
        if shown or inspect.isfunction(member):
            assert shown == signature_of(member), name


def test_the_page_says_where_a_name_lives(text: str) -> None:
    """Whoever looks for more of the kind, or for the code, goes there."""
    for name, (_, module) in rows_of(text).items():
        found = importlib.import_module(f"cellcoadd.{module}")
        assert name in found.__all__, name
        assert getattr(found, name) is getattr(cellcoadd, name)


def test_the_modules_on_the_page_exist_and_say_what_is_theirs(text: str) -> None:
    """The names in their `__all__` are promised."""
    modules = modules_of(text)
    assert {"cellcoadd.simulate", "cellcoadd.butler.formatters"} <= modules
    assert all(importlib.import_module(module).__all__ for module in modules)


def test_what_pages_and_notebooks_import_is_promised(text: str) -> None:
    """Readers copy it: a path that is on none of the lists could go without a warning."""
    modules = modules_of(text)
    strangers = {
        (page.name, module)
        for page in PAGES
        for module in IMPORT.findall(page.read_text(encoding="utf-8"))
        if module not in modules and not module.startswith(OF_TESTS)
    }
    assert strangers == set()


def test_what_repositories_write_down_is_promised(text: str) -> None:
    """Their configuration is a copy that never learns of a move."""
    config = Path(cellcoadd.__file__).parent / REPOSITORY_CONFIG.partition("//cellcoadd/")[2]
    paths = set(re.findall(r"\bcellcoadd(?:\.\w+)+$", config.read_text("utf-8"), re.MULTILINE))
    assert len(paths) > 10
    promised, modules = {f"cellcoadd.{name}" for name in cellcoadd.__all__}, modules_of(text)
    assert {path for path in paths - promised if path.rpartition(".")[0] not in modules} == set()


def test_a_page_that_is_wrong_is_noticed() -> None:
    """A pattern that matches nothing would find every page complete."""
    page = "| `Warp` | A warp. | `products.warp` |\n| `read(path, *, x)` | Reads. | `any_file` |\n"
    page += "\n## Modules\n\n| `cellcoadd.a`, `cellcoadd.b.c` | what `cellcoadd.d` has |\n"
    assert rows_of(page) == {"Warp": ("", "products.warp"), "read": ("(path, *, x)", "any_file")}
    assert modules_of(page) == {"cellcoadd.a", "cellcoadd.b.c"}
    assert signature_of(cellcoadd.read) == "(path, **parameters)"
    assert signature_of(cellcoadd.locate) == "(skymap, ra, dec, *, tract)"
    assert IMPORT.findall("import x\nfrom cellcoadd.a.b import c\n") == ["cellcoadd.a.b"]
