"""Pickles are read as data: what names, calls, loops or claims too much is refused, and not run."""

from __future__ import annotations

import pickle
import pickletools
import struct
import sys
from typing import Any

import numpy as np
import pytest

from cellcoadd.surveys.afw import pickle_data
from cellcoadd.surveys.afw.pickle_data import Record, UnreadablePickleError, decode_pickle

NONE: frozenset[tuple[str, str]] = frozenset()


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def array_of(shape: tuple[int, ...], data: bytes, code: str = "f8") -> bytes:
    """The operations of a numpy array, with any shape and any bytes."""
    sizes = b"".join(b"J" + struct.pack("<i", size) for size in shape)
    return (
        text("numpy._core.multiarray") + text("_reconstruct") + b"\x93"
        + text("numpy") + text("ndarray") + b"\x93" + b"K\x00\x85" + b"C\x01b" + b"\x87R"
        + b"(K\x01(" + sizes + b"t"
        + text("numpy") + text("dtype") + b"\x93" + text(code) + b"\x89\x88\x87R"
        + b"(K\x03" + text("<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        + b"\x89B" + struct.pack("<I", len(data)) + data + b"tb"
    )  # fmt: skip


ONE = b"J" + struct.pack("<i", 1)
# Tuples of twice the same, 60 times over, of which a hash or a text would take for ever.
WIDE = b"K\x01" + b"".join(b"\x94h" + bytes([n]) + b"\x86" for n in range(60))

HOSTILE = {
    "a call": pickle.dumps(pickletools.genops),  # a name of the standard library
    "os.system": b"\x80\x04" + text("os") + text("system") + b"\x93" + text("id") + b"\x85R.",
    "os.system, old": b"cos\nsystem\n(S'id'\ntR.",
    "posix.system by reduce": b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00id\x85R.",
    "builtins.eval": b"\x80\x04" + text("builtins") + text("eval") + b"\x93.",
    "a billion elements": b"\x80\x04" + array_of((1_000_000_000,), b"\0" * 8) + b".",
    "a billion by parts": b"\x80\x04" + array_of((1 << 20, 1 << 20), b"\0" * 8) + b".",
    "negative size": b"\x80\x04" + array_of((-1, -8), b"\0" * 64) + b".",
    "too few bytes": b"\x80\x04" + array_of((3,), b"\0" * 8) + b".",
    "objects": b"\x80\x04" + array_of((1,), b"\0" * 8, "O8") + b".",
    "a list in itself": b"\x80\x04]\x94h\x00a.",
    "a dict in itself": b"\x80\x04}\x94" + text("a") + b"h\x00s.",
    "a loop of two": b"\x80\x04]\x94]\x94h\x00ah\x00h\x01a.",
    "a memo that is not there": b"\x80\x04h\x07.",
    "persistent": b"\x80\x04" + text("a") + b"Q.",
    "an extension": b"\x80\x04\x82\x01.",
    "an instance": b"(ios\nsystem\n.",
    "an object": b"(cos\nsystem\no.",
    "out of band": b"\x80\x05\x97.",
    "a frozen set": b"\x80\x04(\x91.",
    "nothing": b"",
    "cut off": b"\x80\x04(K\x01",
    "a mark": b"\x80\x04(.",
    "no mark": b"\x80\x04t.",
    "two values": b"\x80\x04K\x01K\x02.",
    "state of a number": b"\x80\x04K\x01K\x02b.",
    "a list as a key": b"\x80\x04}]K\x01s.",
    "a huge integer": b"\x80\x04\x8a\xc8" + b"\x01" * 200 + b".",
    "a claimed string": b"\x80\x04\x8d" + b"\xff" * 8 + b"abc.",
    "a long claimed string": b"\x80\x04X\xff\xff\xff\x7fabc.",
    "deep": b"\x80\x04" + b"]" * 5000 + b"a" * 4999 + b".",
    "deep tuples": b"\x80\x04K\x01" + b"\x85" * 100_000 + b".",
    "a wide key": b"\x80\x04}" + WIDE + b"K\x01s.",
    "a wide name": b"\x80\x04" + WIDE + text("a") + b"\x93.",
    "a wide type": b"\x80\x04" + array_of((1,), b"\0" * 8).replace(text("f8"), WIDE) + b".",
    "a wide shape": b"\x80\x04" + array_of((1,), b"\0" * 8).replace(ONE, WIDE) + b".",
    "a mark in a list": b"\x80\x04](a.",
    "a mark as a state": b"\x80\x04" + array_of((1,), b"\0" * 8)[:-2] + b"0(b.",
    "a mark in the memo": b"\x80\x04(\x94h\x00.",
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.timeout(10)
def test_what_is_no_data_is_refused_and_nothing_is_imported(what: str) -> None:
    """The modules that are loaded are the same before and after."""
    before = set(sys.modules)
    with pytest.raises(UnreadablePickleError):
        decode_pickle(HOSTILE[what], names=NONE)
    assert set(sys.modules) == before


def test_a_name_is_named_in_the_refusal() -> None:
    """So that one sees what it was that the file wanted."""
    with pytest.raises(UnreadablePickleError, match=r"names os\.system, which is not allowed"):
        decode_pickle(HOSTILE["os.system"], names=NONE)
    with pytest.raises(UnreadablePickleError, match="up to 8388608 elements are allowed"):
        decode_pickle(HOSTILE["a billion elements"], names=NONE)
    with pytest.raises(UnreadablePickleError, match="a value is a part of itself"):
        decode_pickle(HOSTILE["a list in itself"], names=NONE)


def test_nothing_is_allocated_for_a_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    """The size of an array is compared with its bytes before an array is made."""
    made: list[int] = []
    original = np.frombuffer

    def counted(data: bytes, **kwargs: Any) -> Any:
        made.append(len(data))
        return original(data, **kwargs)

    monkeypatch.setattr(np, "frombuffer", counted)
    for what in ("a billion elements", "a billion by parts", "too few bytes", "negative size"):
        with pytest.raises(UnreadablePickleError):
            decode_pickle(HOSTILE[what], names=NONE)
    assert made == []
    sound = decode_pickle(b"\x80\x04" + array_of((2,), b"\0" * 16) + b".", names=NONE)
    assert (sound == np.zeros(2)).all()
    assert made == [16]


@pytest.mark.parametrize(
    ("limit", "data"),
    [
        ("MOST_BYTES", pickle.dumps(list(range(100)))),
        ("MOST_OPERATIONS", pickle.dumps(list(range(100)))),
        ("MOST_STACK", pickle.dumps(list(range(100)))),
        ("MOST_MEMO", pickle.dumps([[i] for i in range(100)])),
        ("MOST_DEPTH", pickle.dumps([[[[[[[[[[[[]]]]]]]]]]]])),
        ("MOST_TEXT", pickle.dumps("a" * 20)),
        ("MOST_ELEMENTS", pickle.dumps(np.zeros(20))),
    ],
)
def test_each_limit_is_kept(monkeypatch: pytest.MonkeyPatch, limit: str, data: bytes) -> None:
    """What passes with the limits as they are is refused with low ones."""
    decode_pickle(data, names=NONE)
    monkeypatch.setattr(pickle_data, limit, 10)
    with pytest.raises(UnreadablePickleError):
        decode_pickle(data, names=NONE)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_plain_values_come_out_as_pickle_has_them(protocol: int) -> None:
    """Numbers, strings and what holds them; a value that is shared stays one."""
    shared = [1.5, "a"]
    value = {"a": (1, -2, 300, 70_000, -(1 << 40)), "b": [shared, shared, None, True], "c": {3: {}}}
    found = decode_pickle(pickle.dumps(value, protocol=protocol), names=NONE)
    assert found == value
    assert found["b"][0] is found["b"][1]


@pytest.mark.parametrize("code", ["f8", "f4", "i8", "i4", "u1", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_come_out_as_numpy_has_them(code: str, order: Any) -> None:
    """All types that are allowed, both orders, scalars too."""
    array = np.array(np.arange(12).reshape(3, 4), dtype=code, order=order)
    data = pickle.dumps([array, array[1, 2], array.astype(array.dtype.newbyteorder(">"))], 4)
    found, scalar, swapped = decode_pickle(data, names=NONE)
    assert found.dtype == array.dtype
    assert (found == array).all()
    assert (swapped == array).all()
    assert scalar == array[1, 2]
    found[0, 0] = 1  # it is nobody else's


def test_objects_are_records_under_a_label() -> None:
    """Their class is a name that nobody looks up: this one does not exist."""
    data = (
        b"\x80\x04" + text("no.such.module") + text("Thing") + b"\x93)\x81}"
        + text("size") + b"K\x05sb."
    )  # fmt: skip
    found = decode_pickle(data, names={("no.such.module", "Thing")})
    assert isinstance(found, Record)
    assert (found.label.key, found.state) == (("no.such.module", "Thing"), {"size": 5})
