"""The how-to pages are complete: their blocks, shell and Python, run one after the other."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from cellcoadd.simulate import Camera
from cellcoadd.simulate.presets import SURVEY_PLANS
from cellcoadd.testing.commands import run_command

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "how-to").glob("*.md"))
# It needs a workflow system, a server and a bucket: test_cluster_page and test_other_engines.
PAGES.remove(ROOT / "docs" / "how-to" / "cluster.md")
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
HERE_DOCUMENT = re.compile(r"^cat > (\S+) <<'END'\n(.*?)^END\n", re.MULTILINE | re.DOTALL)


def commands_of(text: str) -> Iterator[list[str]]:
    """The commands of a shell block as lists of words."""
    for line in text.replace("\\\n", " ").splitlines():
        if words := shlex.split(line, comments=True):
            yield words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_blocks_of_a_page_run_in_their_order(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader copies them into an empty folder, block by block, and gets what is promised.

    Commands run in this process, and here documents are written by this test: seven processes more
    would take half a minute to start. The survey that pages simulate has one detector instead of
    four.
    """
    one = functools.partial(
        SURVEY_PLANS["tests"], camera=Camera(columns=1, rows=1, width=480, height=440)
    )
    monkeypatch.setitem(SURVEY_PLANS, "tests", one)
    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    assert {language for language, _ in blocks} == {"sh", "python"}
    session: dict[str, object] = {"__name__": "__main__"}  # a reader's, open all the while
    for language, text in blocks:
        if language == "python":
            exec(compile(text, str(page), "exec"), session)
            continue
        for name, content in HERE_DOCUMENT.findall(text):
            Path(name).write_text(content, encoding="utf-8")
        for program, *arguments in commands_of(HERE_DOCUMENT.sub("", text)):
            outcome = run_command(program, *arguments)
            assert outcome.exit_code == 0, f"{program} {arguments}\n{outcome.output}"
    assert Path("coadd.fits").stat().st_size > 0
