"""What a page in MyST says in code: its fenced blocks, and the code in its sentences, in order.

For the test that runs the Rubin technote as it stands. The page is taken apart here, nobody lists
its blocks by hand; whoever runs them meets each of them.
"""

from __future__ import annotations

__all__ = ["Piece", "pieces_of"]

import dataclasses
import re
from collections.abc import Iterator

_FENCE = re.compile(
    r"^(?P<fence>`{3,})(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=fence)[ \t]*$", re.MULTILINE | re.DOTALL
)
_OPEN_FENCE = re.compile(r"^`{3,}", re.MULTILINE)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_DIRECTIVE = re.compile(r"\{([\w-]+)\}\s*(.*)")
_PROSE = {"abstract", "figure", "note", "warning", "tip"}
# A name alone is no code to run; a blank, a call, an index or an assignment makes it more.
_MORE_THAN_A_NAME = re.compile(r"[\s(\[=]")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Piece:
    """A piece of code on a page.

    Parameters
    ----------
    line
        Where it begins, counted from 1.
    language
        That of a fenced block, ``""`` if it names none; ``"inline"`` for code in a sentence.
    text
        As it stands.
    """

    line: int
    language: str
    text: str


def pieces_of(page: str) -> list[Piece]:
    r"""Return all code on a page but directives of prose and names in sentences.

    Parameters
    ----------
    page
        Text in MyST or any other Markdown.

    Raises
    ------
    ValueError
        If a fence has no end.

    Examples
    --------
    >>> for piece in pieces_of("Run `make it` with `it`:\n```{code-block} sh\nls\n```\n"):
    ...     print(piece)
    Piece(line=1, language='inline', text='make it')
    Piece(line=3, language='sh', text='ls\n')
    """
    found = [*_blocks(page), *_spans(page)]
    return [piece for _, piece in sorted(found, key=lambda each: each[0])]


def _blocks(page: str) -> Iterator[tuple[int, Piece]]:
    for match in _FENCE.finditer(page):
        info = match["info"].strip()
        directive = _DIRECTIVE.fullmatch(info)
        if directive and directive[1] in _PROSE:
            continue
        language = directive[2] if directive else info
        start = match.start("body")
        yield start, Piece(line=_line(page, start), language=language.strip(), text=match["body"])


def _spans(page: str) -> Iterator[tuple[int, Piece]]:
    prose = _FENCE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), page)
    if (left := _OPEN_FENCE.search(prose)) is not None:
        raise ValueError(f"The fence of line {_line(page, left.start())} has no end.")
    for match in _SPAN.finditer(prose):
        if _MORE_THAN_A_NAME.search(match[1]):
            yield (
                match.start(),
                Piece(line=_line(page, match.start()), language="inline", text=match[1]),
            )


def _line(page: str, position: int) -> int:
    return page.count("\n", 0, position) + 1
