"""Numbers out of Python pickles, without ever running one.

Bytes come in; lists, tuples, dicts, numbers, strings, numpy arrays and `Record` go out. Names of
classes and functions in the bytes are kept as mere labels, of which a fixed list is allowed:
nothing is imported and nothing is called, whatever the bytes say. Why: docs/decisions/0026.
"""

from __future__ import annotations

__all__ = ["Label", "Record", "UnreadablePickleError", "decode_pickle"]

import dataclasses
import pickletools
from collections.abc import Collection
from typing import Any, Final

import numpy as np
import numpy.typing as npt

MOST_BYTES: Final = 1 << 26
MOST_OPERATIONS: Final = 1_000_000
MOST_DEPTH: Final = 64
MOST_MEMO: Final = 500_000
MOST_STACK: Final = 500_000
MOST_TEXT: Final = 1 << 16
MOST_ELEMENTS: Final = 1 << 23
"""Limits, each some hundred times what a PSF of a detector needs."""

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_VALUES = {
    "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "SHORT_BINUNICODE", "BINUNICODE",
    "SHORT_BINBYTES", "BINBYTES",
}  # fmt: skip
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_DTYPES = {"f8", "f4", "i8", "i4", "u1", "b1"}
_RECONSTRUCT = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
}
_SCALAR = {("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar")}
_DTYPE = ("numpy", "dtype")
NUMPY_NAMES: Final = frozenset(
    {*_RECONSTRUCT, *_SCALAR, _DTYPE}
    | {("numpy", name) for name in ("ndarray", "float64", "float32", "int64", "int32", "uint8")}
)


class UnreadablePickleError(ValueError):
    """The bytes are no pickle, or hold something else than is allowed."""


@dataclasses.dataclass(frozen=True)
class Label:
    """A name in a pickle, which stands for nothing here."""

    module: str
    name: str

    @property
    def key(self) -> tuple[str, str]:
        """Module and name."""
        return self.module, self.name


@dataclasses.dataclass(eq=False)
class Record:
    """What a pickle says of an object: its class by name, arguments and state."""

    label: Label
    arguments: tuple[Any, ...]
    state: Any = None


class _Mark:
    """Where on the stack a group begins."""


def decode_pickle(data: bytes, *, names: Collection[tuple[str, str]]) -> Any:
    """Read the values of a pickle of protocol 2 to 4.

    Parameters
    ----------
    data
        The bytes.
    names
        Module and name of what may be named, beside numpy's arrays and scalars.

    Returns
    -------
    value
        Numbers, strings, bytes, lists, tuples and dicts of these; numpy arrays; `Record` of
        whatever else.

    Raises
    ------
    UnreadablePickleError
        If there is another operation or name, a limit is passed, an array has not as many bytes as
        its shape says, or a value is a part of itself.
    """
    if len(data) > MOST_BYTES:
        raise UnreadablePickleError(f"it has {len(data)} bytes, {MOST_BYTES} are allowed")
    machine = _Machine(frozenset(names) | NUMPY_NAMES)
    try:
        for count, (operation, argument, _) in enumerate(pickletools.genops(data)):
            if count >= MOST_OPERATIONS:
                raise UnreadablePickleError(f"it has more than {MOST_OPERATIONS} operations")
            machine.step(operation.name, argument)
    except UnreadablePickleError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        raise UnreadablePickleError(f"it is no sound pickle ({error})") from error
    return _finished(machine.result())


class _Machine:
    """The stack and the memo of a pickle."""

    def __init__(self, names: frozenset[tuple[str, str]]) -> None:
        self._names = names
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._result: list[Any] = []

    def result(self) -> Any:
        """Return the value; raise if there is none."""
        if len(self._result) != 1 or self._stack:
            raise UnreadablePickleError("it does not end with one value")
        return self._result[0]

    def step(self, name: str, argument: Any) -> None:
        """Do one operation; raise if it is none of those that hold data."""
        stack = self._stack
        if name in _VALUES:
            stack.append(_checked(argument))
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _TUPLES:
            self._replace(_TUPLES[name])
        elif name in ("PROTO", "FRAME"):
            if name == "PROTO" and not 2 <= argument <= 4:
                raise UnreadablePickleError(f"it is of protocol {argument}, 2 to 4 can be read")
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self._memo[argument])
        elif name in ("MEMOIZE", "BINPUT", "LONG_BINPUT"):
            value = self._top(object)
            self._memo[len(self._memo) if name == "MEMOIZE" else argument] = value
        elif name == "STOP":
            self._result += self._pop(1)
        else:
            self._build(name, argument)
        if len(stack) > MOST_STACK or len(self._memo) > MOST_MEMO:
            raise UnreadablePickleError("it holds more values than are allowed")

    def _build(self, name: str, argument: Any) -> None:
        stack = self._stack
        match name:
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_TUPLE":
                stack.append(())
            case "MARK":
                stack.append(_Mark())
            case "TUPLE":
                stack.append(tuple(self._since_mark()))
            case "APPEND" | "APPENDS":
                values = self._pop(1) if name == "APPEND" else self._since_mark()
                self._top(list).extend(values)
            case "SETITEM" | "SETITEMS":
                values = self._pop(2) if name == "SETITEM" else self._since_mark()
                target = self._top(dict)
                for key, value in zip(values[0::2], values[1::2], strict=True):
                    target[_key(key)] = value
            case "STACK_GLOBAL" | "GLOBAL":
                module, what = argument.split(" ") if name == "GLOBAL" else self._pop(2)
                stack.append(self._label(module, what))
            case "NEWOBJ" | "REDUCE":
                label, arguments = self._pop(2)
                stack.append(_made(_of_kind(label, Label), _of_kind(arguments, tuple)))
            case "BUILD":
                (state,) = self._pop(1)
                record = self._top(Record)
                if record.state is not None:
                    raise UnreadablePickleError(f"{record.label.name} has two states")
                record.state = state
            case _:
                raise UnreadablePickleError(f"it has the operation {name}, which is not allowed")

    def _label(self, module: Any, name: Any) -> Label:
        # Not even a hash of anything else: that of tuples in tuples can take for ever.
        if not (isinstance(module, str) and isinstance(name, str)):
            raise UnreadablePickleError("a name is no string")
        if (module, name) not in self._names:
            raise UnreadablePickleError(f"it names {module[:60]}.{name[:60]}, which is not allowed")
        return Label(module, name)

    def _pop(self, count: int) -> list[Any]:
        values = [self._stack.pop() for _ in range(count)][::-1]
        if any(isinstance(value, _Mark) for value in values):
            raise UnreadablePickleError("a group ends before it begins")
        return values

    def _top[T](self, kind: type[T]) -> T:
        top = self._stack[-1]
        if isinstance(top, _Mark):
            raise UnreadablePickleError("a group is taken for a value")
        return _of_kind(top, kind)

    def _replace(self, count: int) -> None:
        self._stack.append(tuple(self._pop(count)))

    def _since_mark(self) -> list[Any]:
        values: list[Any] = []
        while not isinstance(value := self._stack.pop(), _Mark):
            values.append(value)
        return values[::-1]


def _checked(value: Any) -> Any:
    if isinstance(value, str) and len(value) > MOST_TEXT:
        raise UnreadablePickleError(f"a string has {len(value)} characters")
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        raise UnreadablePickleError("an integer has more than 64 bits")
    return value


def _key(key: Any) -> Any:
    """Return a key of a dictionary: a string, a number, or a tuple of these."""
    parts = key if isinstance(key, tuple) else (key,)
    if not all(isinstance(part, str | int) for part in parts):
        raise UnreadablePickleError("a key is neither a string nor a number")
    return key


def _of_kind[T](value: Any, kind: type[T]) -> T:
    if not isinstance(value, kind):
        raise UnreadablePickleError(
            f"a {kind.__name__.lower()} is expected, a {type(value).__name__} is there"
        )
    return value


def _made(label: Label, arguments: tuple[Any, ...]) -> Any:
    """Return the record of an object that is made; of numpy's scalars their value."""
    if label.key in _SCALAR:
        kind, data = arguments
        return _numbers(_of_kind(kind, Record), (1,), data)[0].item()
    return Record(label, arguments)


def _dtype(record: Record) -> np.dtype[Any]:
    """Return one of the allowed types of numbers."""
    code = record.arguments[0] if record.label.key == _DTYPE and record.arguments else None
    if not (isinstance(code, str) and code in _DTYPES):
        raise UnreadablePickleError(
            f"an array is of {code[:20] if isinstance(code, str) else 'something'}, which is not "
            "allowed"
        )
    order = record.state[1] if isinstance(record.state, tuple) and len(record.state) > 1 else "|"
    if order not in ("<", ">", "|", "="):
        raise UnreadablePickleError("an array has no known order of bytes")
    return np.dtype((">" if order == ">" else "<") + code)


def _numbers(kind: Record, shape: Any, data: Any) -> npt.NDArray[Any]:
    """Return an array of bytes that are there."""
    dtype = _dtype(kind)
    count = 1
    for size in _of_kind(shape, tuple):
        if not isinstance(size, int) or not 0 <= size <= MOST_ELEMENTS:
            raise UnreadablePickleError(
                f"the shape of an array is none: up to {MOST_ELEMENTS} elements are allowed"
            )
        count *= size
        if count > MOST_ELEMENTS:
            raise UnreadablePickleError(f"an array has more than {MOST_ELEMENTS} elements")
    if len(_of_kind(data, bytes)) != count * dtype.itemsize:
        raise UnreadablePickleError(
            f"an array of {count} elements has {len(data)} bytes, {count * dtype.itemsize} are due"
        )
    return np.frombuffer(data, dtype=dtype).astype(dtype.newbyteorder("="))


def _array(record: Record) -> npt.NDArray[Any]:
    """Return the array that a record of numpy's stands for."""
    state = record.state
    if not (isinstance(state, tuple) and len(state) == 5):
        raise UnreadablePickleError("an array has no state")
    _, shape, kind, is_columns_first, data = state
    flat = _numbers(_of_kind(kind, Record), shape, data)
    return flat.reshape(shape, order="F" if is_columns_first else "C")


def _finished(value: Any) -> Any:
    """Return a value with its arrays made; refuse one that is a part of itself, or too deep."""
    done: dict[int, Any] = {}
    open_: set[int] = set()
    kept: list[Any] = []  # an id is that of a value only as long as it lives

    def visit(value: Any, depth: int) -> Any:
        if not isinstance(value, list | tuple | dict | Record):
            return value
        key = id(value)
        if key in done:
            return done[key]
        if key in open_:
            raise UnreadablePickleError("a value is a part of itself")
        if depth > MOST_DEPTH:
            raise UnreadablePickleError(f"values are nested more than {MOST_DEPTH} deep")
        open_.add(key)
        kept.append(value)
        result: Any
        match value:
            case Record() if value.label.key in _RECONSTRUCT:
                result = _array(value)
            case Record():
                value.arguments = visit(value.arguments, depth + 1)
                value.state = visit(value.state, depth + 1)
                result = value
            case dict():
                result = {name: visit(item, depth + 1) for name, item in value.items()}
            case _:
                result = type(value)(visit(item, depth + 1) for item in value)
        open_.discard(key)
        done[key] = result
        return result

    return visit(value, 0)
