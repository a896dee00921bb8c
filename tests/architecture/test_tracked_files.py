"""Rules for the files themselves."""

import re
import statistics
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LONGEST = 450
MEDIAN = 150
MOST_IN_A_ROOM = 12
NAMES_THAT_SAY_NOTHING = {"common", "helpers", "misc", "shared", "utils"}
TEXT = {".cfg", ".md", ".py", ".sh", ".toml", ".txt", ".yaml", ".yml"}

# Absolute paths below the folders of one machine; `demo/tmp/x` and a bare `/tmp` are none.
MACHINE_PATH = re.compile(r"(?<![\w.$}~)/-])/(?:work|farm|root|home|Users|tmp|opt)/\w")
REGISTRY = re.compile(
    r"pypi\.org|pythonhosted\.org|registry\.npmjs|deb\.debian\.org|(?:extra-)?index[-]url",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def texts(files: list[Path]) -> dict[str, str]:
    """The text files that people write, by their path in the repository."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in files
        if (path.suffix in TEXT or path.parent.name == ".ci" or path.name == "Makefile")
        and "reference_values" not in path.parts
    }


def lines_with(pattern: re.Pattern[str], texts: dict[str, str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()}"
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def test_no_file_names_a_path_of_one_machine(texts: dict[str, str]) -> None:
    """What holds on one machine only breaks on all the others."""
    assert not lines_with(MACHINE_PATH, texts)


def test_no_file_names_a_package_registry(texts: dict[str, str]) -> None:
    """Where packages come from is the machine's own setting, a mirror for instance."""
    assert not lines_with(REGISTRY, texts)


def test_no_python_file_is_long(texts: dict[str, str]) -> None:
    """One idea a file: what outgrows the limit holds two. Notebooks are pages, most of it prose."""
    lengths = {
        name: text.count("\n")
        for name, text in texts.items()
        if name.endswith(".py") and "\n# %% [markdown]\n" not in text
    }
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_the_median_file_of_the_package_is_short(texts: dict[str, str]) -> None:
    """Most ideas take a screen or two; where the median grows, they are no longer apart."""
    lengths = [
        text.count("\n")
        for name, text in texts.items()
        if name.startswith("src/cellcoadd/") and name.endswith(".py")
    ]
    assert statistics.median(lengths) < MEDIAN


def test_no_room_of_the_products_is_a_hall(files: list[Path]) -> None:
    """A folder with more files than one takes in at a glance holds several ideas."""
    rooms = Counter(
        path.parent for path in files if ROOT / "src/cellcoadd/products" in path.parents
    )
    assert len(rooms) > 3
    assert {room.name: count for room, count in rooms.items() if count > MOST_IN_A_ROOM} == {}


def test_every_module_is_named_by_its_idea(files: list[Path]) -> None:
    """In a room without a name anything can be put, and nothing found."""
    nameless = {
        path.relative_to(ROOT).as_posix()
        for path in files
        if path.suffix == ".py"
        and {path.stem.strip("_"), path.parent.name} & NAMES_THAT_SAY_NOTHING
    }
    assert not nameless


def test_every_pinned_version_is_exact(texts: dict[str, str]) -> None:
    """A range, an address or a path in constraints.txt would make environments differ."""
    lines = [line for line in texts["constraints.txt"].splitlines() if not line.startswith("#")]
    assert lines
    assert [
        line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][\w.+!]*", line)
    ] == []


@pytest.mark.parametrize(
    ("pattern", "line", "is_found"),
    [
        (MACHINE_PATH, "open('/" + "work/data.fits')", True),
        (MACHINE_PATH, "cd /" + "root/x", True),
        (MACHINE_PATH, "demo/work/x and a bare /tmp and ${HOME}/home/x", False),
        (REGISTRY, "pip --index" + "-url x", True),
        (REGISTRY, "https://pypi" + ".org/simple", True),
        (REGISTRY, "pip-installable from PyPI", False),
    ],
)
def test_the_patterns_find_what_they_are_for(
    pattern: re.Pattern[str], line: str, is_found: bool
) -> None:
    """A pattern that matches nothing would pass every file."""
    assert bool(pattern.search(line)) is is_found
