"""Texts of AST are looked at before AST sees them: it ends the interpreter on some."""

from __future__ import annotations

import collections
import subprocess
import sys

import pytest

from cellcoadd.files.ast_text import BadTextError, check_mapping
from cellcoadd.testing.damaged_ast_texts import sound_texts

TEXTS = sound_texts()


def test_damaged_texts_do_not_end_the_interpreter() -> None:
    """Of 800 in a process of its own each is read or refused, and most damage is refused."""
    done = subprocess.run(
        [sys.executable, "-m", "cellcoadd.testing.damaged_ast_texts", "0", "800"],
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"ended after {lines[-1:]}: {done.stderr[-500:]}"
    found = collections.Counter(line.split()[1] for line in lines)
    assert sum(found.values()) == 800
    assert found["refused"] > 300
    assert found["read"] > 100  # comments, and digits of numbers
    assert found["SystemError"] == 0


@pytest.mark.parametrize("text", TEXTS)
def test_sound_texts_pass(text: str) -> None:
    """What AST writes itself."""
    check_mapping(text)


PLAIN = TEXTS[0]
BROKEN = {
    "another class of FITS": (PLAIN.replace('"TAN"', '"TA#"'), "of the type 'TA#'"),
    "a name with a flipped bit": (PLAIN.replace(" Sft1 =", " Sfu1 =", 1), "sfu1, which is not"),
    "an angle of ten million turns": (PLAIN.replace("SRef1 = ", "SRef1 = 9e7 #"), "within 13"),
    "a number beyond all": (PLAIN.replace(" Zoom = ", " Zoom = 9e99 #"), "beyond 1e\\+30"),
    "text for a number": (PLAIN.replace(" Zoom = ", ' Zoom = "5" #'), "zoom of a ZoomMap is no"),
    "coordinates that are not there": (PLAIN.replace("Nin = 3", "Nin = 2", 1), "coordinates"),
    "a matrix without an element": (PLAIN.replace(" M3 = ", "# M3 = ", 1), "9 elements"),
    "its classes in another order": (
        PLAIN.replace("Begin WcsMap", "Begin WcsMap\n IsA Mapping\n IsA Object", 1), "too late",
    ),
    "no mapping": (" Begin Frame\n Naxes = 2\n End Frame\n", "no mapping"),
    "a format that is none": (
        PLAIN.replace("Begin SkyAxis", 'Begin SkyAxis\n Format = "%s%n"', 1), "no format",
    ),
    "a line without end": (PLAIN + "#" * 2000, "a line of 2000 characters"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_wrong_with_a_text_is_said(what: str) -> None:
    """By name and rule."""
    text, reason = BROKEN[what]
    assert text != PLAIN
    with pytest.raises(BadTextError, match=reason):
        check_mapping(text)
