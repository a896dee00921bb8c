"""The page in a browser: nothing wider than the screen, and a click sorts a table."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from cellcoadd.report.page import render_page
from cellcoadd.report.tract_data import TractData
from cellcoadd.report.tract_page import make_tract_page

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no chromium, chromium-browser or google-chrome is installed"
)

PROBE = """
<script>
const head = (name) => [...document.querySelectorAll("#patches th")].find(
  (entry) => entry.textContent.startsWith(name));
const column = (name) => [...document.querySelectorAll("#patches tbody tr")].map(
  (row) => row.cells[head(name).cellIndex].dataset.value);
const click = (name) => head(name).querySelector("button").click();
const found = {width: innerWidth};
window.addEventListener("load", () => {
  for (const entry of document.querySelectorAll("details")) entry.open = true;
  found.page = document.documentElement.scrollWidth;
  const inBox = (entry) => entry.closest(".table, .picture, pre, nav ul") !== null;
  found.wider = [...document.querySelectorAll("body *")].filter(
    (entry) => !inBox(entry) && entry.getBoundingClientRect().right > innerWidth + 1).length;
  found.broken = [...document.images].filter((image) => image.naturalWidth === 0).length;
  found.images = document.images.length;
  found.before = column("filled cells");
  click("filled cells"); found.rising = column("filled cells");
  found.mark = head("filled cells").getAttribute("aria-sort");
  click("filled cells"); found.falling = column("filled cells");
  click("patch"); found.patches = column("patch");
  found.marks = document.querySelectorAll("#patches th[aria-sort]").length;
  parent.postMessage(JSON.stringify(found), "*");
});
</script>
"""

FRAME = """<!DOCTYPE html><title>nothing</title>
<script>window.addEventListener("message", (event) => {{ document.title = event.data; }});</script>
<iframe src="page.html" width="{width}" height="900" style="border: 0"></iframe>
"""
"""A browser's window cannot be as narrow as a phone; a frame can, and the page fits into it."""


@pytest.fixture(scope="module")
def page(tract_data: TractData) -> str:
    """The page of a tract, with a script that looks at it and clicks."""
    return render_page(make_tract_page(tract_data)).replace(
        'loading="lazy"', ""  # what is below the screen is looked at, too
    ) + PROBE  # fmt: skip


def look(page: str, folder: Path, *, width: int) -> dict[str, Any]:
    """What the script finds on a screen of a width."""
    (folder / "page.html").write_text(page, encoding="utf-8")
    frame = folder / "frame.html"
    frame.write_text(FRAME.format(width=width), encoding="utf-8")
    assert BROWSER is not None
    done = subprocess.run(
        [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1600,1000",
            f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=5000", "--dump-dom",
            frame.as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )  # fmt: skip
    title = re.search(r"<title>(\{.*?\})</title>", done.stdout)
    assert title is not None, done.stderr
    found: dict[str, Any] = json.loads(unescape(title[1]))
    return found


@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_is_as_wide_as_the_screen(page: str, tmp_path: Path, width: int) -> None:
    """A desktop's and a phone's: what is wider scrolls in a box of its own."""
    found = look(page, tmp_path, width=width)
    assert found["width"] == width
    assert found["page"] <= width
    assert found["wider"] == 0
    assert found["images"] == 23
    assert found["broken"] == 0


def test_a_click_on_a_head_sorts_by_numbers(page: str, tmp_path: Path) -> None:
    """Upwards, then downwards; the head says which way, and only one does."""
    found = look(page, tmp_path, width=1280)
    before = found["before"]
    assert len(set(before)) > 1
    assert found["rising"] == sorted(before, key=float)
    assert found["falling"] == sorted(before, key=float, reverse=True)
    assert found["mark"] == "ascending"
    assert found["patches"] == ["16", "17", "23", "24"]
    assert found["marks"] == 1
