"""What a text of Starlink AST says, looked at before AST sees it.

AST is written in C and trusts what it reads: a frame that is not there, or a power beyond the
highest, ends the whole program. So the text is read here first, class by class, and refused unless
all that AST will look up is there and in range.
"""

from __future__ import annotations

__all__ = ["BadTextError", "checked_frame_set"]

import dataclasses
import math
import re

_MOST_CHARACTERS = 4_000_000
_MOST_LINES = 200_000
_DEEPEST = 100
_MOST_AXES = 16
_MOST_TERMS = 1000
_HIGHEST_POWER = 50
_MAPPINGS = {
    "UnitMap", "ShiftMap", "ZoomMap", "WinMap", "MatrixMap", "PolyMap", "SphMap", "WcsMap",
    "CmpMap", "TranMap", "UnitNormMap",
}  # fmt: skip
_FRAMES = {"Frame", "SkyFrame"}
_AXES = {"Axis", "SkyAxis"}
_CLASSES = {"FrameSet", *_MAPPINGS, *_FRAMES, *_AXES}
_BASES = {"Object", "Mapping", "Frame", "Axis"}
_WCS_TYPES = {"TAN", "TPN", "STG", "ZEA", "SIN", "ARC"}
_LINE = re.compile(
    r"^\s*(?:(?P<mark>Begin|End|IsA) (?P<kind>\w+)"
    r"|(?P<name>[A-Za-z]\w*) =(?: (?P<value>\"[^\"]*\"|\S+))?)\s*(?:#.*)?$"
)
_POLE = re.compile(r"^pv[12]_[0-4]$")  # where the poles of a projection are
_NUMBERED = re.compile(r"^([a-z_]+?)(\d+)$")


class BadTextError(ValueError):
    """A text is not to be given to AST."""


@dataclasses.dataclass(kw_only=True)
class _Node:
    """An object of a text: what it has of each of its classes, by names in small letters."""

    kind: str
    parts: dict[str, dict[str, float | str | _Node]] = dataclasses.field(default_factory=dict)

    def of(self, part: str) -> dict[str, float | str | _Node]:
        return self.parts.get(part, {})

    def integer(self, part: str, name: str, low: int, high: int, default: int | None = None) -> int:
        value = self.of(part).get(name, default)
        if not isinstance(value, int | float) or value != int(value) or not low <= value <= high:
            shown = value.kind if isinstance(value, _Node) else value
            raise BadTextError(
                f"{name} of a {self.kind} must be a whole number, {low} to {high}, it is {shown}"
            )
        return int(value)

    def child(self, part: str, name: str, kinds: set[str]) -> _Node:
        value = self.of(part).get(name)
        if not isinstance(value, _Node) or value.kind not in kinds:
            raise BadTextError(f"a {self.kind} has no {name}")
        return value

    def numbered(self, part: str, stem: str) -> dict[int, float | str | _Node]:
        found = {}
        for name, value in self.of(part).items():
            match = _NUMBERED.match(name)
            if match is not None and match[1] == stem:
                found[int(match[2])] = value
        return found


def checked_frame_set(text: bytes, *, prefix: re.Pattern[str]) -> str:
    """Return the text of a FrameSet, for AST.

    Parameters
    ----------
    text
        The whole.
    prefix
        What must be before the FrameSet, which is left out.

    Raises
    ------
    BadTextError
        If it is too long, cannot be printed, has classes that are not known, numbers that are not
        finite, or lacks what AST needs.
    """
    if len(text) > _MOST_CHARACTERS:
        raise BadTextError(f"it has {len(text)} characters, {_MOST_CHARACTERS} are allowed")
    try:
        whole = text.rstrip(b"\0").decode("ascii")
    except UnicodeDecodeError as error:
        raise BadTextError("it has characters that are not ASCII") from error
    if not all(character.isprintable() or character == "\n" for character in whole):
        raise BadTextError("it has characters that cannot be printed")
    begin = prefix.match(whole)
    if begin is None:
        raise BadTextError(f"it begins with {whole[:20]!r}")
    lines = whole[begin.end() :].split("\n")
    if len(lines) > _MOST_LINES:
        raise BadTextError(f"it has {len(lines)} lines, {_MOST_LINES} are allowed")
    root = _parsed(lines)
    if root.kind != "FrameSet":
        raise BadTextError(f"it is a {root.kind}, no FrameSet")
    _check(root)
    return "\n".join(lines) + "\n"


def _parsed(lines: list[str]) -> _Node:
    """Read objects into each other; raise where one is not as it must be."""
    opened: list[tuple[_Node, dict[str, float | str | _Node]]] = []
    root, waiting = None, ""
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.match(line)
        if found is None or (root is not None and not opened):
            raise BadTextError(f"the line {line.strip()[:60]!r} is neither a value nor a class")
        mark, kind, name, value = found["mark"], found["kind"], found["name"], found["value"]
        if waiting and mark != "Begin":
            raise BadTextError(f"nothing follows on {waiting}")
        if mark == "Begin":
            node = _opened(kind, opened, waiting)
            root, waiting = root or node, ""
            opened.append((node, {}))
        elif not opened:
            raise BadTextError(f"a {kind or name} is outside of all objects")
        elif mark is not None:
            _close(mark, kind, opened)
        elif value is None:
            waiting = name.lower()
            _put(opened[-1][1], waiting, "")
        else:
            _put(opened[-1][1], name.lower(), _value(name, value))
    if root is None or opened or waiting:
        raise BadTextError(f"it ends inside of a {opened[-1][0].kind if opened else 'text'}")
    return root


def _opened(
    kind: str, opened: list[tuple[_Node, dict[str, float | str | _Node]]], waiting: str
) -> _Node:
    if kind not in _CLASSES:
        raise BadTextError(f"it has the class {kind[:40]}, which is not known")
    if len(opened) >= _DEEPEST:
        raise BadTextError(f"classes are nested more than {_DEEPEST} deep")
    node = _Node(kind=kind)
    if opened:
        if not waiting:
            raise BadTextError(f"a {kind} has no name")
        opened[-1][1][waiting] = node
    return node


def _close(
    mark: str, kind: str, opened: list[tuple[_Node, dict[str, float | str | _Node]]]
) -> None:
    """End a class of an object, or the object."""
    node, values = opened[-1]
    if mark == "IsA" and kind not in _BASES:
        raise BadTextError(f"it has the class {kind[:40]}, which is not known")
    if mark == "End" and node.kind != kind:
        raise BadTextError(f"a {kind} ends that did not begin")
    if kind in node.parts:
        raise BadTextError(f"a {node.kind} is a {kind} twice")
    node.parts[kind] = dict(values)
    values.clear()
    if mark == "End":
        opened.pop()


def _put(values: dict[str, float | str | _Node], name: str, value: float | str) -> None:
    if name in values:
        raise BadTextError(f"{name} is there twice")
    values[name] = value


def _value(name: str, value: str) -> float | str:
    if value.startswith('"'):
        return value[1:-1]
    try:
        number = float(value)
    except ValueError as error:
        raise BadTextError(f"{name} is {value[:40]}, which is no number") from error
    if not math.isfinite(number):
        raise BadTextError(f"{name} is {value[:40]}, which is not finite")
    return number


def _check(node: _Node) -> None:
    """Check an object and all in it."""
    if node.kind == "FrameSet":
        _check_frame_set(node)
    elif node.kind in _FRAMES:
        _check_frame(node)
    elif node.kind in _MAPPINGS:
        _check_mapping(node)
    for values in node.parts.values():
        for value in values.values():
            if isinstance(value, _Node):
                _check(value)


def _check_frame_set(node: _Node) -> None:
    """Frames, and nodes between them that mappings join to a tree."""
    own = "FrameSet"
    frames = node.integer(own, "nframe", 1, _MOST_AXES)
    nodes = node.integer(own, "nnode", 1, _MOST_AXES, default=frames)
    for name in ("currnt", "base"):
        node.integer(own, name, 1, frames, default=1)
    for number in range(1, frames + 1):
        node.child(own, f"frm{number}", _FRAMES)
        node.integer(own, f"nod{number}", 1, nodes, default=min(number, nodes))
    links = {}
    for number in range(2, nodes + 1):
        links[number] = node.integer(own, f"lnk{number}", 1, nodes)
        node.child(own, f"map{number}", _MAPPINGS)
    for number in links:
        at, steps = number, 0
        while at != 1:
            at, steps = links[at], steps + 1
            if steps > nodes:
                raise BadTextError("links of a FrameSet do not lead to its first node")


def _check_frame(node: _Node) -> None:
    axes = node.integer("Frame", "naxes", 1, 2)
    for number in range(1, axes + 1):
        node.child("Frame", f"ax{number}", _AXES)
    for number in node.numbered("Frame", "prm"):
        node.integer("Frame", f"prm{number}", 1, axes)


def _check_mapping(node: _Node) -> None:
    inputs = node.integer("Mapping", "nin", 1, _MOST_AXES)
    outputs = node.integer("Mapping", "nout", 1, _MOST_AXES, default=inputs)
    own = node.of(node.kind)
    if node.kind in ("CmpMap", "TranMap"):
        for name in ("mapa", "mapb"):
            node.child(node.kind, name, _MAPPINGS)
    elif node.kind == "PolyMap":
        for way, here, there in (("f", inputs, outputs), ("i", outputs, inputs)):
            _check_polynomials(node, way, here, there)
    elif node.kind == "WcsMap":
        if own.get("type") not in _WCS_TYPES:
            raise BadTextError(f"a WcsMap is of the type {own.get('type')!r:.40}")
        for number in node.numbered("WcsMap", "wcsax"):
            node.integer("WcsMap", f"wcsax{number}", 1, inputs)
        if any(name.startswith("pv") and not _POLE.match(name) for name in own):
            raise BadTextError("a WcsMap has parameters of another projection")


def _check_polynomials(node: _Node, way: str, inputs: int, outputs: int) -> None:
    """The highest power of each input, the number of terms of each output, and powers below."""
    counts = [
        node.integer("PolyMap", f"nc{way}{number}", 0, _MOST_TERMS, default=0)
        for number in range(1, outputs + 1)
    ]
    highest = [
        node.integer("PolyMap", f"mp{way}{number}", 0, _HIGHEST_POWER, default=0)
        for number in range(1, inputs + 1)
    ]
    terms = sum(counts)
    for stem, most in ((f"c{way}", terms), (f"p{way}", terms * inputs)):
        if any(not 1 <= number <= most for number in node.numbered("PolyMap", stem)):
            raise BadTextError("a PolyMap has more coefficients than terms")
    if len(node.numbered("PolyMap", f"c{way}")) < terms:
        raise BadTextError("a PolyMap has fewer coefficients than terms")
    for number in node.numbered("PolyMap", f"p{way}"):
        node.integer("PolyMap", f"p{way}{number}", 0, highest[(number - 1) % inputs])
