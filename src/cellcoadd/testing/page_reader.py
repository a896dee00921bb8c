"""Somebody who follows a page of somebody else's: with a shell, an open Python session, a table.

The table says what is not as on the page. Pieces of code come from `technote.pieces_of`; how each
is run and checked is a step, a function of the test.
"""

from __future__ import annotations

__all__ = ["PageReader", "Steps", "Substitution"]

import contextlib
import dataclasses
import io
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from .commands import run_command
from .technote import Piece

_SAY_WORDS = "".join(
    f"{program}() {{ printf '%s\\0' {program} \"$@\"; }}\n" for program in ("butler", "pipetask")
)
"""Functions of the shell that stand for the programs and print what these would get."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Substitution:
    """Something that is not as on the page.

    Parameters
    ----------
    kind
        What it is: a path, a collection, an import.
    written
        As on the page; empty for what the page takes for granted.
    here
        What takes its place. What stands in braces is the reader's to know.
    why
        The reason.
    """

    kind: str
    written: str
    here: str
    why: str

    def row(self) -> str:
        """Return the line of a table that shows it."""
        written, here = (
            f"`{text}`".replace("|", r"\|") if text else "" for text in (self.written, self.here)
        )
        return f"| {self.kind} | {written} | {here} | {self.why} |"


class PageReader:
    """A reader of a page.

    Parameters
    ----------
    table
        What differs from the page.
    known
        Returns what stands in braces in the table, by name.
    folder
        Where the shell is; empty, so that no pattern finds a file.
    environment
        The variables that the shell knows.
    """

    def __init__(
        self,
        table: Sequence[Substitution],
        known: Callable[[str], object],
        *,
        folder: Path,
        environment: Mapping[str, str],
    ) -> None:
        self._table = {entry.written: entry.here for entry in table if entry.written}
        self._known = known
        self._folder = folder
        self._environment = dict(environment)
        self.session: dict[str, Any] = {"__name__": "__main__"}

    def said(self, text: str) -> str:
        """Return what is on the page, with the substitutions."""
        longest_first = sorted(self._table, key=len, reverse=True)

        def here(match: re.Match[str]) -> str:
            text = self._table[match[0]]
            return re.sub(r"\{(\w+)\}", lambda name: str(self._known(name[1])), text)

        return re.sub("|".join(map(re.escape, longest_first)), here, text)

    def shell(self, command: str, *, answer: str = "") -> str:
        """Return what a command of Rubin's prints and logs, which must succeed.

        Bash makes words of it; the program runs in this process and no other, whatever its option
        ``-j`` says: each process, of which `pipetask` takes one a quantum, starts for seconds.

        Parameters
        ----------
        command
            For bash, as it is typed.
        answer
            What is typed when it asks something.
        """
        done = subprocess.run(
            ["bash", "-c", f"{_SAY_WORDS}{command}"],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        program, *words = done.stdout.split("\0")[:-1]
        words = ["1" if before == "-j" else word for before, word in pairwise(["", *words])]
        outcome = run_command(program, *words, answer=answer)
        assert outcome.exit_code == 0, f"{command}\n{outcome.output}"
        return outcome.output

    def python(self, piece: Piece) -> str:
        """Return what a piece of Python prints in the session; errors name its line."""
        printed = io.StringIO()
        program = "\n" * (piece.line - 1) + self.said(piece.text)
        with contextlib.redirect_stdout(printed):
            exec(compile(program, "the page", "exec"), self.session)
        return printed.getvalue()


class Steps[R: PageReader]:
    """How each piece of a page is run and what it should find, as functions of reader and piece."""

    def __init__(self) -> None:
        self._steps: dict[str, Callable[[R, Piece], None]] = {}

    def begins(
        self, text: str
    ) -> Callable[[Callable[[R, Piece], None]], Callable[[R, Piece], None]]:
        """Return the decorator of the step for the piece that begins so."""

        def keep(step: Callable[[R, Piece], None]) -> Callable[[R, Piece], None]:
            self._steps[text] = step
            return step

        return keep

    def of(self, piece: Piece) -> Callable[[R, Piece], None]:
        """Return the step for a piece.

        Raises
        ------
        LookupError
            If there is none, or more than one.
        """
        return self._steps[self._beginning_of(piece)]

    def unused(self, pieces: Iterable[Piece]) -> list[str]:
        """Return the beginnings of the pieces that there are steps for, but that are not there."""
        return sorted(self._steps.keys() - {self._beginning_of(piece) for piece in pieces})

    def _beginning_of(self, piece: Piece) -> str:
        found = [text for text in self._steps if piece.text.startswith(text)]
        if len(found) != 1:
            raise LookupError(f"{piece.text!r} of line {piece.line} has {len(found)} steps.")
        return found[0]
