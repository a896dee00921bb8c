"""What people write by hand is refused with a sentence, whatever is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellcoadd.errors import SkyMapError
from cellcoadd.skymap.yaml_text import read_yaml
from cellcoadd.testing.commands import run_command

WRONG = {
    "deep": "a: " + "[" * 3000 + "]" * 3000,
    "digits": "a: " + "9" * 400,
    "more digits": "a: [1, {b: " + "9" * 5000 + "}]",
    "date": "a: 2024-13-45",
    "open": "a: [1",
}


@pytest.mark.parametrize("name", WRONG)
def test_what_no_definition_can_be_is_refused(name: str) -> None:
    """Not a traceback of recursion, of Python's limit of digits, or of an impossible date."""
    with pytest.raises(SkyMapError, match=r"is not YAML|nested too deeply|more than 40 digits"):
        read_yaml(WRONG[name])


@pytest.mark.parametrize("name", WRONG)
def test_commands_name_the_file(tmp_path: Path, name: str) -> None:
    """Which may be a camera or a sky map."""
    path = tmp_path / "mine.yaml"
    path.write_text(WRONG[name])
    for arguments in (
        ("cellcoadd", "info", path),
        ("cellcoadd", "info", tmp_path / "image.fits", "--camera", path),
        ("butler", "register-skymap", tmp_path / "repo", "mine", "--definition", path),
    ):
        outcome = run_command(*map(str, arguments))
        assert outcome.exit_code not in (0, None), arguments
        assert str(path) in outcome.output, arguments
        assert not outcome.has_traceback, outcome.output


def test_what_yaml_says_is_returned() -> None:
    """Numbers of all sizes that people mean, and dates."""
    assert read_yaml("a: [1, 2.5, 123456789012345678901234567890]") == {
        "a": [1, 2.5, 123456789012345678901234567890]
    }
