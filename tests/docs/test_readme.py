"""The pages for people: their code runs, their links and targets exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]

# The blocks of these need one another, shell and Python; test_how_to.py runs them.
HOW_TO = ROOT / "docs" / "how-to"

FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
# Words in the map of the house that look like names of files.
NOT_FILES = {"CellCoadd"}
TARGET = re.compile(r"\bmake ([a-z]+)")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def python_of(page: Path) -> str:
    """The python blocks of a page as one program; line n of it is line n of the page."""
    text = page.read_text(encoding="utf-8")
    program = ["" for _ in text.splitlines()]
    for block in FENCE.finditer(text):
        if block[1] == "python":
            start = text.count("\n", 0, block.start(2))
            lines = block[2].splitlines()
            program[start : start + len(lines)] = lines
    return "\n".join(program)


def commands_of(page: Path) -> str:
    """What a page shows as commands: its shell blocks and the code in its sentences."""
    text = page.read_text(encoding="utf-8")
    blocks = [block[2] for block in FENCE.finditer(text) if block[1] in {"", "bash", "sh"}]
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", FENCE.sub("", text))])


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if python_of(page).strip() and HOW_TO not in page.parents],
    ids=name_of,
)
def test_the_python_of_a_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a reader copies works, block after block, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    exec(compile(python_of(page), str(page), "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    """A moved file must not leave a dead link behind."""
    links = LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_make_targets_of_a_page_exist(page: Path) -> None:
    """A command that a page promises is in the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert set(TARGET.findall(commands_of(page))) <= targets


def test_the_readme_shows_the_two_commands() -> None:
    """They are all the set-up that there is."""
    assert {"demo", "test"} <= set(TARGET.findall(commands_of(ROOT / "README.md")))


def test_the_map_of_the_house_is_complete() -> None:
    """Each room, and each file in the row of its room, is on the page that explains them.

    And no file that is not there: whoever looks for one must find it.
    """
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    house = ROOT / "src" / "cellcoadd"
    loose = [path.name for path in house.glob("*.py") if path.name != "__init__.py"]
    assert [name for name in loose if f"`{name}`" not in page] == []
    rows = dict(re.findall(r"^\| `([\w/]+)/` \| .* \| (.*) \|$", page, re.MULTILINE))
    assert len(rows) > 15
    del rows["validation"]  # which has a measurement a file
    for room, row in rows.items():
        inner = [other for other in rows if other.startswith(f"{room}/")]
        files = {
            path.stem
            for path in (house / room).rglob("*.py")
            if not path.stem.startswith("__")
            and not any((house / other) in path.parents for other in inner)
        }
        named = set(re.findall(r"`(\w+)`", row))
        assert files <= named, (room, files - named)
        assert named - files <= NOT_FILES, (room, named - files)
    rooms = {path.parent.name for path in house.glob("*/__init__.py")}
    assert rooms - {"validation"} == {room for room in rows if "/" not in room} - {"pipelines"}
