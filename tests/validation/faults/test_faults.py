"""The short form of the trials with faults, and what the harness itself must notice."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from cellcoadd.testing.pages import read_tables, split_sections
from cellcoadd.validation.faults import damage
from cellcoadd.validation.faults.command import KINDS, to_markdown
from cellcoadd.validation.faults.harms import HARMS, harmed
from cellcoadd.validation.faults.reading import OTHER, REFUSED, SAME, DamagedFile, read_all
from cellcoadd.validation.faults.trial import Tally


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of each product. Do not change them."""
    return damage.good_files(tmp_path_factory.mktemp("good"))


def test_damaged_files_are_refused_by_name_or_read_as_before(
    good: dict[str, Path], tmp_path: Path
) -> None:
    """Each kind of damage to each kind of file; with checksums there is no other product."""
    names, pairs = [], []
    for kind, sound in good.items():
        for seed in range(3 * len(HARMS)):
            harm = list(HARMS)[seed % len(HARMS)]
            path = tmp_path / f"{kind} {seed}" / sound.name
            path.parent.mkdir()
            path.write_bytes(harmed(sound.read_bytes(), harm, seed))
            names.append(f"{kind}, {harm}, seed {seed}")
            pairs.append(DamagedFile(path, sound, path.parent))
    found = read_all(pairs)
    may_be = {REFUSED, SAME}
    bad = [
        (name, *end)
        for name, (path, *_), end in zip(names, pairs, found, strict=True)
        if end[0] not in (may_be | {OTHER} if path.suffix == ".yaml" else may_be)
    ]
    assert bad == []
    assert {end for end, _ in found} >= {REFUSED, SAME}


def test_a_reader_that_ends_is_noticed_and_the_others_go_on(
    good: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interpreter that crashes says nothing: what it was reading is the one after the last."""
    program = (
        "import sys, json, os\n"
        "for damaged, *_ in json.load(open(sys.argv[1])):\n"
        "    if 'warp' in damaged: os.abort()\n"
        "    print('read\\t', flush=True)\n"
    )
    original: Any = subprocess.run

    def run(words: list[str], **options: Any) -> Any:
        return original([words[0], "-c", program, words[-1]], **options)

    monkeypatch.setattr(subprocess, "run", run)
    pairs = [DamagedFile(path, path, path.parent) for path in good.values()]
    ends = [end for end, _ in read_all(pairs)]
    assert ends[1] == "the process ended"
    assert ends.count("read") == len(pairs) - 1


def test_damage_is_the_same_for_a_seed_and_differs_from_the_file(good: dict[str, Path]) -> None:
    """What was found can be done again."""
    content = good["coadd"].read_bytes()
    for harm in HARMS:
        assert harmed(content, harm, 3) == harmed(content, harm, 3)
        assert harmed(content, harm, 3) != harmed(content, harm, 4)
        assert any(harmed(content, harm, seed) != content for seed in range(3)), harm


def test_a_row_holds_if_something_was_tried_and_nothing_was_bad() -> None:
    """A table of nothing is no success."""
    tally = Tally("a fault")
    assert not tally.trials().holds
    tally.good("the same bits")
    assert tally.trials().holds
    tally.bad("other products", "seed 4: the image")
    row = tally.trials()
    assert (row.holds, row.tried, row.bad) == (False, 2, ("a fault: seed 4: the image",))
    assert to_markdown([row]).splitlines()[2] == (
        "| a fault | 2 | 1 other products; 1 the same bits | **no** |"
    )


def test_the_page_has_the_table_of_the_full_form() -> None:
    """And nothing in it that does not hold."""
    tables = split_sections(read_tables(Path(__file__).parents[3] / "docs" / "reliability.md"))
    assert list(tables) == list(KINDS)
    for kind, table in tables.items():
        rows = table.splitlines()[2:]
        assert rows, kind
        assert all(row.endswith("| yes |") for row in rows), kind
