"""The page for those who come from lsst.afw: every name that they may try is on it."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

from cellcoadd.coming_from_afw import afwGeom, afwImage, afwMath, geom, pixels, products, sky
from cellcoadd.coming_from_afw import statistics as statistics_module
from cellcoadd.coming_from_afw.views import View

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "coming-from-afw.md"
NAMES = re.compile(r"<!-- names -->\n(.*)<!-- end of names -->", re.DOTALL)

CLASSES = {
    name: member
    for module in (pixels, products, sky, statistics_module)
    for name, member in inspect.getmembers(module, inspect.isclass)
    if name in module.__all__ and name not in {"AssembleCellCoaddTask", "Cells"}
}
MODULES = {"afwImage": afwImage, "afwMath": afwMath, "afwGeom": afwGeom, "geom": geom}


def offered(of: type) -> set[str]:
    """The names of lsst.afw that a class has."""
    common = {*dir(View), *dir(float), "ELSEWHERE", "ours"}
    return {name for name in dir(of) if not name.startswith("_")} - common


def elsewhere() -> dict[str, dict[str, str]]:
    """For each class and module, what to use for the names that it does not offer."""
    found: dict[str, Any] = {**CLASSES, **MODULES}
    return {
        name: dict(member.ELSEWHERE)
        for name, member in found.items()
        if getattr(member, "ELSEWHERE", None)
    }


def rows_elsewhere() -> list[str]:
    """One row a piece of advice, with all the names that it is for."""
    rows = []
    for of, table in elsewhere().items():
        for advice in dict.fromkeys(table.values()):
            names = ", ".join(f"`{name}`" for name, text in table.items() if text == advice)
            rows.append(f"| `{of}` | {names} | {advice} |")
    return rows


def section() -> str:
    found = NAMES.search(PAGE.read_text(encoding="utf-8"))
    assert found is not None
    return found[1]


def test_every_name_that_is_offered_is_on_the_page() -> None:
    """Whoever looks for one finds what it is in ours, which is where to go on from there."""
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| .+ \|$", section(), re.MULTILINE)
    for name, member in CLASSES.items():
        named = {word for of, names in rows if of == name for word in re.findall(r"\w+", names)}
        assert offered(member) <= named, name


def test_every_name_that_is_not_offered_is_on_the_page_with_what_to_use() -> None:
    """As the error says it."""
    assert [row for row in rows_elsewhere() if row not in section()] == []
