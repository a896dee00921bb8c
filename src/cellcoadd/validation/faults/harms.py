"""Seeded damage to the bytes of a file: a bit, a part, a word of its tree."""

from __future__ import annotations

__all__ = ["HARMS", "harmed"]

import random
import re
from collections.abc import Callable

from ...testing.damaged_files import damaged

_WORD = re.compile(rb'-?\d[\d.e+-]*|"[a-z_]+"|true|false|null')
_WORDS = (b"0", b"-1", b"9", b"1e999", b"null", b'"x"', b"[]", b"{}", b"true", b"99999999999")
_FITS = (b"SIMPLE  =", b"\x1f\x8b")


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
    return HARMS[harm](content, random.Random(f"{harm} {seed}"))


def _flip(content: bytes, rng: random.Random) -> bytes:
    result = bytearray(content)
    result[rng.randrange(len(result))] ^= 1 << rng.randrange(8)
    return bytes(result)


def _damage(content: bytes, rng: random.Random) -> bytes:
    """Change a card, bytes, a block or the end of a FITS file; cut off any other."""
    if content.startswith(_FITS):
        return damaged(content, rng)[1]
    return content[: rng.randrange(len(content))]


def _change_word(content: bytes, rng: random.Random) -> bytes:
    """Change a word of the last text in the file, which is a tree or a definition."""
    found = list(_WORD.finditer(content, max(content.rfind(b'{"'), 0)))
    if not found:
        return _flip(content, rng)
    word = rng.choice(found)
    value = rng.choice([new for new in _WORDS if len(new) <= len(word[0])] or [b"1"])
    return content[: word.start()] + value.ljust(len(word[0])) + content[word.end() :]


HARMS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "a bit flipped": _flip,
    "a card, bytes, a block or the end changed": _damage,
    "a word of the tree changed": _change_word,
}
"""All kinds of damage by name."""
