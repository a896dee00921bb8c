"""What a text of Starlink AST says, looked at before AST sees it.

AST is written in C and trusts what it reads: a frame that is not there, or a power beyond the
highest, ends the whole program. So the text is read here first, class by class, and refused unless
all that AST will look up is there, in range, and as long as what it is joined to. Every text of a
file goes this way: those of `lsst.images` in `archive_check`, those of `lsst.afw` in `surveys.afw`.
"""

from __future__ import annotations

__all__ = ["BadTextError", "check_mapping", "checked_frame_set"]

import dataclasses
import functools
import math
import re

_MOST_CHARACTERS = 4_000_000
_MOST_LINES = 200_000
_LONGEST_LINE = 1000
_LONGEST_STRING = 200  # AST puts strings together in buffers of some hundred bytes
_DEEPEST = 100
_MOST_AXES = 16
_MOST_FRAMES = 2000  # of a camera there are two a detector
_MOST_TERMS = 1000
_HIGHEST_POWER = 50
_MOST_STEPS = 100  # of an iteration
_LARGEST = 1e30
_LARGEST_OF_FRAME = 1e6  # dates, angles and limits of axes, which AST writes in words
_LARGEST_ANGLE = 13.0  # two turns
_FRAMES = {"Frame", "SkyFrame"}
_AXES = {"Axis", "SkyAxis"}
_WHOLE = {
    "Object": "id|ident|usedfs|refcnt|nobj",
    "Mapping": "nin|nout|issimp|resimp|alsimp|invert|fwd|inv|report",
    "UnitMap": "",
    "ShiftMap": r"sft\d+",
    "ZoomMap": "zoom",
    "WinMap": r"sft\d+|scl\d+",
    "MatrixMap": r"i?m\d+|form",
    "PolyMap": r"(?:mp|nc|c|p)[fi]\d+|iterinv|niterinv|tolinv",
    "SphMap": "untrd|plrlg",
    "WcsMap": r"type|wcsax\d+|pv\d+_\d+|fitsproj|tpntan",
    "CmpMap": "series|inva|invb|mapa|mapb",
    "TranMap": "inva|invb|mapa|mapb",
    "UnitNormMap": r"ctr\d+",
    "FrameSet": r"nframe|nnode|base|currnt|(?:nod|lnk|inv|frm|map)\d+",
}
"""What an object may say as one of a class; of frames and axes AST knows more than is listed here,
none of which moves a position."""
_NAMES = {kind: re.compile(f"(?:{names})$") for kind, names in _WHOLE.items()}
_MAPPINGS = set(_WHOLE) - {"Object", "Mapping", "FrameSet"}
_CLASSES = {"FrameSet", *_MAPPINGS, *_FRAMES, *_AXES}
_BASES = {
    **dict.fromkeys(_MAPPINGS, ("Object", "Mapping")),
    **dict.fromkeys(("FrameSet", "SkyFrame"), ("Object", "Mapping", "Frame")),
    "Frame": ("Object", "Mapping"),
    "SkyAxis": ("Object", "Axis"),
    "Axis": ("Object",),
}
"""In the order in which an object must say what it is as each of them."""
_SAME_AXES = {"UnitMap", "ShiftMap", "ZoomMap", "WinMap", "WcsMap"}
_WCS_TYPES = {
    "AZP", "SZP", "TAN", "TPN", "STG", "SIN", "ARC", "ZPN", "ZEA", "AIR", "CYP", "CEA", "CAR",
    "MER", "SFL", "PAR", "MOL", "AIT", "COP", "COE", "COD", "COO", "BON", "PCO", "TSC", "CSC",
    "QSC", "HPX", "XPH",
}  # fmt: skip
_STRINGS = {"form", "type", "id", "ident"}
_LINE = re.compile(
    r"^\s*(?:(?P<mark>Begin|End|IsA) (?P<kind>\w+)"
    r"|(?P<name>[A-Za-z]\w*) =(?: (?P<value>\"(?:[^\"]|\"\")*\"|\S+))?)\s*(?:#.*)?$"
)
_PARAMETER = re.compile(r"^pv[12]_(\d{1,2})$")
_MOST_PARAMETERS = 40
_NUMBERED = re.compile(r"^([a-z_]+?)(\d+)$")
_FORMAT = re.compile(r"^(?:%[-+ #0]*\d{0,2}(?:\.(?:\d{1,2}|\*))?l?[eEfFgG]|[A-Za-z0-9.+* ]{0,40})$")


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
    whole = _printable(text)
    begin = prefix.match(whole)
    if begin is None:
        raise BadTextError(f"it begins with {whole[:20]!r}")
    lines = whole[begin.end() :].split("\n")
    root = _parsed(lines)
    if root.kind != "FrameSet":
        raise BadTextError(f"it is a {root.kind}, no FrameSet")
    _check(root)
    return "\n".join(lines) + "\n"


@functools.lru_cache(maxsize=256)
def check_mapping(text: str) -> None:
    """Check the text of a mapping of two coordinates to two, or of a FrameSet of such.

    Files are opened again for each of their parts, hence the cache.

    Raises
    ------
    BadTextError
        As `checked_frame_set` does.
    """
    root = _parsed(_printable(text.encode("ascii", "replace")).split("\n"))
    if root.kind not in _MAPPINGS and root.kind != "FrameSet":
        raise BadTextError(f"it is a {root.kind}, no mapping")
    _check(root)


def _printable(text: bytes) -> str:
    """Return a text as AST may read it at all."""
    if len(text) > _MOST_CHARACTERS:
        raise BadTextError(f"it has {len(text)} characters, {_MOST_CHARACTERS} are allowed")
    try:
        whole = text.rstrip(b"\0").decode("ascii")
    except UnicodeDecodeError as error:
        raise BadTextError("it has characters that are not ASCII") from error
    if not all(character.isprintable() or character in "\n\t" for character in whole):
        raise BadTextError("it has characters that cannot be printed")
    return whole


def _parsed(lines: list[str]) -> _Node:
    """Read objects into each other; raise where one is not as it must be."""
    if len(lines) > _MOST_LINES:
        raise BadTextError(f"it has {len(lines)} lines, {_MOST_LINES} are allowed")
    opened: list[tuple[_Node, dict[str, float | str | _Node]]] = []
    root, waiting = None, ""
    for line in lines:
        if len(line) > _LONGEST_LINE:
            raise BadTextError(f"it has a line of {len(line)} characters")
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
    if mark == "IsA" and kind not in _BASES[node.kind]:
        raise BadTextError(f"a {node.kind} has the class {kind[:40]}, which is not known")
    if mark == "End" and node.kind != kind:
        raise BadTextError(f"a {kind} ends that did not begin")
    order = (*_BASES[node.kind], node.kind)
    if any(order.index(part) >= order.index(kind) for part in node.parts):
        raise BadTextError(f"a {node.kind} is a {kind} twice, or too late")
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
        if len(value) > _LONGEST_STRING:
            raise BadTextError(f"{name} has {len(value)} characters")
        return value[1:-1]
    try:
        number = float(value)
    except ValueError as error:
        raise BadTextError(f"{name} is {value[:40]}, which is no number") from error
    if not math.isfinite(number):
        raise BadTextError(f"{name} is {value[:40]}, which is not finite")
    if abs(number) > _LARGEST:
        raise BadTextError(f"{name} is {value[:40]}, which is beyond {_LARGEST}")
    return number


def _check(node: _Node) -> None:
    """Check an object and all in it."""
    for part, values in node.parts.items():
        names = _NAMES.get(part)
        for name, value in values.items():
            if names is None:
                _check_of_frame(name, value)
            elif not names.match(name):
                raise BadTextError(f"a {node.kind} has {name[:40]}, which is not known")
            elif isinstance(value, str) and name not in _STRINGS:
                raise BadTextError(f"{name} of a {node.kind} is no number")
            if isinstance(value, _Node):
                _check(value)
    if node.kind == "FrameSet":
        _check_frame_set(node)
    elif node.kind in _FRAMES:
        _check_frame(node)
    elif node.kind in _MAPPINGS:
        _check_mapping(node)


def _check_of_frame(name: str, value: float | str | _Node) -> None:
    """What AST would put into words, or make words by."""
    if isinstance(value, float):
        most = _LARGEST_ANGLE if name.startswith("sref") else _LARGEST_OF_FRAME
        if abs(value) > most:
            raise BadTextError(f"{name} is {value}, it must be within {most}")
    elif isinstance(value, str) and re.match(r"fmt\d*$|format$", name) and not _FORMAT.match(value):
        raise BadTextError(f"{name} is {value[:40]!r}, which is no format")


def _check_frame_set(node: _Node) -> None:
    """Frames, and nodes between them that mappings join to a tree."""
    own = "FrameSet"
    if said := node.of("Frame"):
        raise BadTextError(f"{next(iter(said))[:40]} of a FrameSet is not that of a frame in it")
    frames = node.integer(own, "nframe", 1, _MOST_FRAMES)
    nodes = node.integer(own, "nnode", 1, _MOST_FRAMES, default=frames)
    for name in ("currnt", "base"):
        node.integer(own, name, 1, frames, default=1)
    axes: dict[int, int] = {}
    for number in range(1, frames + 1):
        frame = node.child(own, f"frm{number}", _FRAMES)
        at = node.integer(own, f"nod{number}", 1, nodes, default=min(number, nodes))
        count = frame.integer("Frame", "naxes", 1, 2)
        if axes.setdefault(at, count) != count:
            raise BadTextError("frames of a FrameSet differ in their axes")
    links = {}
    for number in range(2, nodes + 1):
        links[number] = node.integer(own, f"lnk{number}", 1, nodes)
        mapping = node.child(own, f"map{number}", _MAPPINGS)
        ends = _ends(mapping, inverted=node.integer(own, f"inv{number}", 0, 1, default=0))
        for end, at in zip(ends, (links[number], number), strict=True):
            if axes.setdefault(at, end) != end:
                raise BadTextError(f"map{number} of a FrameSet has not the axes of its frames")
    for number in links:
        at, steps = number, 0
        while at != 1:
            at, steps = links[at], steps + 1
            if steps > nodes:
                raise BadTextError("links of a FrameSet do not lead to its first node")


def _check_frame(node: _Node) -> None:
    axes = node.integer("Frame", "naxes", 1, 2)
    if node.kind == "SkyFrame" and axes != 2:
        raise BadTextError("a SkyFrame must have 2 axes")
    for number in range(1, axes + 1):
        node.child("Frame", f"ax{number}", _AXES)
    for number in node.numbered("Frame", "prm"):
        node.integer("Frame", f"prm{number}", 1, axes)


def _ends(node: _Node, *, inverted: int = 0) -> tuple[int, int]:
    """Return how many coordinates go into a mapping and come out of it."""
    inputs = node.integer("Mapping", "nin", 1, _MOST_AXES)
    outputs = node.integer("Mapping", "nout", 1, _MOST_AXES, default=inputs)
    return (outputs, inputs) if inverted else (inputs, outputs)


def _check_mapping(node: _Node) -> None:
    inputs, outputs = _ends(node)
    for name in ("invert", "fwd", "inv"):
        node.integer("Mapping", name, 0, 1, default=int(name != "invert"))
    if node.kind in _SAME_AXES and inputs != outputs:
        raise BadTextError(f"a {node.kind} has {inputs} axes and {outputs}")
    for stem in ("sft", "scl", "ctr"):
        if any(not 1 <= number <= inputs for number in node.numbered(node.kind, stem)):
            raise BadTextError(f"a {node.kind} has more axes than coordinates")
    match node.kind:
        case "CmpMap" | "TranMap":
            _check_compound(node, inputs, outputs)
        case "PolyMap":
            for way, here, there in (("f", inputs, outputs), ("i", outputs, inputs)):
                _check_polynomials(node, way, here, there)
        case "MatrixMap":
            _check_matrix(node, inputs, outputs)
        case "SphMap":
            angle = node.of("SphMap").get("plrlg", 0.0)
            if (inputs, outputs) != (3, 2) or not isinstance(angle, float | int):
                raise BadTextError("a SphMap must have 3 coordinates and 2")
            if abs(angle) > _LARGEST_ANGLE:
                raise BadTextError(f"plrlg is {angle}, it must be within {_LARGEST_ANGLE}")
        case "UnitNormMap":
            if outputs != inputs + 1:
                raise BadTextError(f"a UnitNormMap has {inputs} coordinates and {outputs}")
        case "WcsMap":
            _check_projection(node, inputs)


def _check_compound(node: _Node, inputs: int, outputs: int) -> None:
    """Two mappings one after the other, or side by side, or for either way one."""
    own = node.kind
    (a, b), (c, d) = (
        _ends(
            node.child(own, f"map{which}", _MAPPINGS),
            inverted=node.integer(own, f"inv{which}", 0, 1, default=0),
        )
        for which in "ab"
    )
    if own == "TranMap":
        fits = (a, b) == (c, d) == (inputs, outputs)
    elif node.integer(own, "series", 0, 1, default=1):
        fits = (a, b, d) == (inputs, c, outputs)
    else:
        fits = (a + c, b + d) == (inputs, outputs)
    if not fits:
        raise BadTextError(f"the mappings of a {own} have other coordinates than it")


def _check_matrix(node: _Node, inputs: int, outputs: int) -> None:
    form = node.of("MatrixMap").get("form", "Full")
    counts = {"Unit": 0, "Diagonal": min(inputs, outputs), "Full": inputs * outputs}
    if not isinstance(form, str) or form not in counts:
        raise BadTextError(f"a MatrixMap is of the form {form!r:.40}")
    expected = set(range(counts[form]))
    inverse = node.numbered("MatrixMap", "im")
    if set(node.numbered("MatrixMap", "m")) != expected or not set(inverse) <= expected:
        raise BadTextError(f"a MatrixMap must have {len(expected)} elements")


def _check_projection(node: _Node, inputs: int) -> None:
    own = node.of("WcsMap")
    if own.get("type") not in _WCS_TYPES:
        raise BadTextError(f"a WcsMap is of the type {own.get('type')!r:.40}")
    for number in node.numbered("WcsMap", "wcsax"):
        node.integer("WcsMap", f"wcsax{number}", 1, inputs)
    if inputs < 2:
        raise BadTextError("a WcsMap must have two axes")
    for name in own:
        if name.startswith("pv"):
            found = _PARAMETER.match(name)
            if found is None or int(found[1]) >= _MOST_PARAMETERS:
                raise BadTextError(f"a WcsMap has {name[:40]}, which no projection has")


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
    node.integer("PolyMap", "iterinv", 0, 1, default=0)
    node.integer("PolyMap", "niterinv", 0, _MOST_STEPS, default=0)
    terms = sum(counts)
    for stem, most in ((f"c{way}", terms), (f"p{way}", terms * inputs)):
        if any(not 1 <= number <= most for number in node.numbered("PolyMap", stem)):
            raise BadTextError("a PolyMap has more coefficients than terms")
    if len(node.numbered("PolyMap", f"c{way}")) < terms:
        raise BadTextError("a PolyMap has fewer coefficients than terms")
    for number in node.numbered("PolyMap", f"p{way}"):
        node.integer("PolyMap", f"p{way}{number}", 0, highest[(number - 1) % inputs])
