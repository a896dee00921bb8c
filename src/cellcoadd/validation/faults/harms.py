"""Seeded damage to the bytes of a file: bits, ends, blocks, cards, words of its tree."""

from __future__ import annotations

__all__ = ["HARMS", "harmed"]

import random
import re
from collections.abc import Callable

_CARD = 80
_BLOCK = 4096  # bytes that a disk loses at once
_STRUCTURE = re.compile(
    rb"(Z?NAXIS\d?|Z?BITPIX|[PG]COUNT|TFIELDS|T(?:FORM|TYPE)\d|THEAP|ZTILE\d|ZCMPTYPE|XTENSION|"
    rb"EXTNAME|EXTVER|SIMPLE|ZIMAGE|INDXADDR|JSONADDR) *= "
)
_ANY_CARD = re.compile(rb"[A-Z][A-Z0-9_-]{0,7} *= ")
_WORD = re.compile(rb'-?\d[\d.e+-]*|"[a-z_]+"|true|false|null')
_VALUES = (
    b"0", b"-1", b"1", b"2", b"7", b"999999999", b"-32", b"1E300", b"NAN", b"'abc'", b"''", b"T",
    b"0.5",
)  # fmt: skip
_WORDS = (b"0", b"-1", b"9", b"1e999", b"null", b'"x"', b"[]", b"{}", b"true", b"99999999999")

type _Harm = Callable[[bytearray, random.Random], None]


def harmed(content: bytes, harm: str, seed: int) -> bytes:
    """Return the bytes of a file with seeded damage of a kind.

    Parameters
    ----------
    content
        Of a sound file.
    harm
        A key of `HARMS`.
    seed
        Of places and values.
    """
    result = bytearray(content)
    HARMS[harm](result, random.Random(f"{harm} {seed}"))
    return bytes(result)


def _flip(content: bytearray, rng: random.Random) -> None:
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def _cut(content: bytearray, rng: random.Random) -> None:
    del content[rng.randrange(len(content)) :]


def _lose_block(content: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(content)) // _BLOCK * _BLOCK
    stop = min(start + _BLOCK, len(content))
    content[start:stop] = bytes(stop - start)


def _change_structure(content: bytearray, rng: random.Random) -> None:
    _change_card(content, rng, _STRUCTURE)


def _change_any_card(content: bytearray, rng: random.Random) -> None:
    _change_card(content, rng, _ANY_CARD)


def _change_card(content: bytearray, rng: random.Random, which: re.Pattern[bytes]) -> None:
    """Give a card of a FITS header another value; of a file without any flip a bit."""
    places = [
        start
        for start in range(0, len(content) - _CARD + 1, _CARD)
        if which.match(content, start, start + _CARD)
    ]
    if not places:
        _flip(content, rng)
        return
    start = rng.choice(places)
    value = rng.choice(_VALUES)
    old = content[start + 10 : start + 30].strip()
    if old.lstrip(b"-").isdigit() and rng.random() < 0.5:
        value = str(int(old) + rng.choice((-1, 1))).encode()
    content[start + 10 : start + 30] = value.rjust(20)


def _change_word(content: bytearray, rng: random.Random) -> None:
    """Change a word of the last text in the file, which is a tree or a definition."""
    start = max(content.rfind(b'{"'), 0)
    found = list(_WORD.finditer(content, start))
    if not found:
        _flip(content, rng)
        return
    word = rng.choice(found)
    value = rng.choice([new for new in _WORDS if len(new) <= len(word[0])] or [b"1"])
    content[word.start() : word.end()] = value.ljust(len(word[0]))


HARMS: dict[str, _Harm] = {
    "a bit flipped": _flip,
    "cut off": _cut,
    "a block of zeros": _lose_block,
    "a structural card changed": _change_structure,
    "any card changed": _change_any_card,
    "a word of the tree changed": _change_word,
}
"""All kinds of damage by name."""
