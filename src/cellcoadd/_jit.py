"""The only file that imports numba: the `kernel` decorator, with a cache that can be trusted.

Numba's own on-disk cache misses two things: an edit in another file that a kernel calls, and a
change of mode (with a warm cache, ``NUMBA_BOUNDSCHECK=1`` is silently ignored). It can also hand
out the wrong code after two processes have compiled different signatures of one function at once.
So the compiled code is kept in a folder named by a digest of everything that it depends on: the
text of every kernel, the versions of numba, llvmlite, numpy and Python, and the modes; in it every
signature has files of its own. A changed digest is a new, empty folder; folders that were not
used for a month are removed.

The folder is in ``$CELLCOADD_CACHE_DIR``, else in ``$XDG_CACHE_HOME/cellcoadd``, else in
``~/.cache/cellcoadd``. If it can't be written, kernels are compiled anew in each process.
"""

from __future__ import annotations

__all__ = ["cache_folder", "compiling_note", "cubic_weights", "kernel", "weighted_sum"]

import contextlib
import functools
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite  # type: ignore[import-untyped]
import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import caching as _caching
from numba.core import types
from numba.extending import intrinsic

# Numba's modules are typed in part only.
caching: Any = _caching
config: Any = numba.config

_KERNELS = Path(__file__).parent / "kernels"
_SECONDS_KEPT_UNUSED = 30 * 86400.0
_MODES = (
    "BOUNDSCHECK",
    "DEBUGINFO_DEFAULT",
    "DISABLE_INTEL_SVML",
    "ENABLE_AVX",
    "LOOP_VECTORIZE",
    "OPT",
    "SLP_VECTORIZE",
)
"""Settings of numba that change the machine code and are missing from the key of its cache."""


def kernel[Function: Callable[..., Any]](function: Function) -> Function:
    """Compile a function of arrays and numbers when it is first called.

    Arithmetic is IEEE, in the order written (no fast-math: nothing is reassociated or fused), so
    that the bits of a result depend neither on the width of the processor's vectors nor on where an
    array starts. Division by zero gives inf or NaN, as in numpy. The GIL is released. With
    ``NUMBA_DISABLE_JIT=1`` the function is returned as it is. Compiled code is kept on disk for the
    functions of ``cellcoadd.kernels``, whose sources are in the digest, and for no others.
    """
    if config.DISABLE_JIT:
        return function
    dispatcher: Any = numba.njit(nogil=True, error_model="numpy", fastmath=False)(function)
    if Path(function.__code__.co_filename).parent == _KERNELS:
        folder = cache_folder()
        if folder is not None:
            dispatcher._cache = _FolderCache(function, folder)
    compiled: Function = dispatcher
    return compiled


@functools.cache
def cache_folder() -> Path | None:
    """Return the folder of the compiled kernels, made if need be; None if it can't be written."""
    root = _cache_root()
    if root is None:
        return None
    folder = root / f"kernels-{_digest()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        os.utime(folder)
    except OSError:
        return None
    _remove_unused(root, keep=folder)
    return folder


def compiling_note() -> str | None:
    """Return what to tell somebody who is about to wait for the compiler; None if nobody is."""
    if config.DISABLE_JIT:
        return None
    folder = cache_folder()
    if folder is None:
        return (
            "Compiling kernels, about half a minute, in this and every other run: their folder "
            f"{_cache_root() or '~/.cache'} cannot be written; CELLCOADD_CACHE_DIR names another"
        )
    if any(folder.iterdir()):
        return None
    return "Compiling kernels, once, about half a minute"


def _cache_root() -> Path | None:
    if named := os.environ.get("CELLCOADD_CACHE_DIR"):
        return Path(named)
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg) / "cellcoadd"
    try:
        return Path.home() / ".cache" / "cellcoadd"
    except RuntimeError:  # no home directory
        return None


def _digest() -> str:
    digest = hashlib.sha256()
    for path in [Path(__file__), *sorted(_KERNELS.glob("*.py"))]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    versions = (numba.__version__, llvmlite.__version__, np.__version__, sys.version)
    modes = [(name, getattr(config, name, None)) for name in _MODES]
    digest.update(repr((versions, modes)).encode())
    return digest.hexdigest()[:16]


def _remove_unused(root: Path, *, keep: Path) -> None:
    """Remove the folders of digests that no process has asked for in a month."""
    oldest = time.time() - _SECONDS_KEPT_UNUSED
    with contextlib.suppress(OSError):
        for folder in root.glob("kernels-*"):
            if folder != keep and folder.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)


class _FolderLocator(caching._CacheLocator):  # type: ignore[misc]
    """Tells numba where the files of a function are; the digest stands in for a source stamp."""

    def __init__(self, function: Callable[..., Any], folder: Path) -> None:
        self._line = function.__code__.co_firstlineno
        self._folder = str(folder)
        self._py_file = function.__code__.co_filename

    def get_cache_path(self) -> str:
        return self._folder

    def get_source_stamp(self) -> str:
        return os.path.basename(self._folder)

    def get_disambiguator(self) -> str:
        return str(self._line)


class _FolderImplementation(caching.CompileResultCacheImpl):  # type: ignore[misc]
    """Turns compiled code into bytes and back as numba does, for files in our folder."""

    def __init__(self, function: Callable[..., Any], folder: Path) -> None:
        self._lineno = function.__code__.co_firstlineno
        self._locator = _FolderLocator(function, folder)
        name = f"{Path(function.__code__.co_filename).stem}.{function.__qualname__}"
        self._filename_base = self.get_filename_base(name, getattr(sys, "abiflags", ""))


class _FolderCache(caching.FunctionCache):  # type: ignore[misc]
    """Numba's cache of one function, in a folder of our choice."""

    def __init__(self, function: Callable[..., Any], folder: Path) -> None:
        self._name = repr(function)
        self._py_func = function
        self._impl = _FolderImplementation(function, folder)
        self._cache_path = str(folder)
        self._cache_file = _FilesBySignature(folder, self._impl.filename_base)
        self.enable()


class _FilesBySignature:
    """One pair of files for each signature.

    Numba counts the signatures of a function and names files by that number; of two processes that
    each add a signature, one overwrites the other's code, and the index may point to the wrong one.
    Named by the signature, both write the same thing.
    """

    def __init__(self, folder: Path, base: str) -> None:
        self._folder = folder
        self._base = base

    def _file(self, key: object) -> Any:
        name = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
        return caching.IndexDataCacheFile(
            cache_path=str(self._folder),
            filename_base=f"{self._base}-{name}",
            source_stamp=self._folder.name,
        )

    def load(self, key: object) -> Any:
        # A damaged file counts as absent, and is then written anew.
        with contextlib.suppress(Exception):
            return self._file(key).load(key)
        return None

    def save(self, key: object, data: object) -> None:
        # A full disk or a folder just removed must not stop the computation. Numba's save reads
        # what is there, which may be damaged: an empty index goes first.
        with contextlib.suppress(OSError):
            file = self._file(key)
            file.flush()
            file.save(key, data)

    def flush(self) -> None:
        for path in self._folder.glob(f"{self._base}-*"):
            path.unlink(missing_ok=True)


# Two operations on eight floats at once, written out for the compiler because numba does not run
# LLVM's vectorizer of straight-line code. They do not check bounds: their callers do, in that mode.

_EIGHT = ir.VectorType(ir.FloatType(), 8)


def _cubic_weights_python(
    table: npt.NDArray[np.float32],
    start: int,
    step: int,
    t: np.float32,
    out: npt.NDArray[np.float32],
    o: int,
) -> None:
    """Write ``((c3 t + c2) t + c1) t + c0`` for eight cubics to out[o:o + 8].

    The coefficients are ``c_p = table[start + step p : start + step p + 8]``; arrays are flat
    float32.
    """
    c0, c1, c2, c3 = (table[start + step * p : start + step * p + 8] for p in range(4))
    out[o : o + 8] = ((c3 * t + c2) * t + c1) * t + c0


def _weighted_sum_python(
    plane: npt.NDArray[np.float32],
    p: int,
    stride: int,
    half_width: int,
    weights_x: npt.NDArray[np.float32],
    weights_y: npt.NDArray[np.float32],
    o: int,
) -> np.float32:
    """Sum of 2 half_width rows of a flat plane from element p on, times both weights.

    ``half_width`` is 1 to 5. Rows are 8 columns long, for half-width 5 they are 16. Column weights
    are ``weights_x[o:o + 8]``, row weights ``weights_y[o:o + 2 * half_width]``; everything is
    float32. Columns of weight 0 must hold finite numbers.
    """
    columns = 8 if half_width <= 4 else 16
    total = plane[p : p + columns] * weights_y[o]
    for j in range(1, 2 * half_width):
        total = total + plane[p + j * stride : p + j * stride + columns] * weights_y[o + j]
    total = total * weights_x[o : o + columns]
    eight = total if columns == 8 else total[:8] + total[8:]
    four = eight[:4] + eight[4:]
    two = four[:2] + four[2:]
    result: np.float32 = two[0] + two[1]
    return result


@intrinsic
def _cubic_weights(
    context: Any,
    table: Any,
    start: Any,
    step: Any,
    t: Any,
    out: Any,
    o: Any,
) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = [_data_pointer(context, builder, signature, arguments, k) for k in (0, 4)]
        _, start, step, t, _, o = arguments
        t_eight = _eight_times(builder, t)
        result = None
        for power in (3, 2, 1, 0):
            offset = builder.add(start, builder.mul(step, ir.Constant(step.type, power)))
            coefficient = _load_eight(builder, data[0], offset)
            if result is None:
                result = coefficient
            else:
                result = builder.fadd(builder.fmul(result, t_eight), coefficient)
        pointer = builder.bitcast(builder.gep(data[1], [o]), _EIGHT.as_pointer())
        builder.store(result, pointer, align=4)
        return context.get_dummy_value()

    flat = types.Array(types.float32, 1, "C")
    flat_table = types.Array(types.float32, 1, "C", readonly=not table.mutable)
    index = types.intp
    return types.void(flat_table, index, index, types.float32, flat, index), generate


@intrinsic
def _weighted_sum(
    context: Any,
    plane: Any,
    p: Any,
    stride: Any,
    half_width: Any,
    x: Any,
    y: Any,
    o: Any,
) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data, data_x, data_y = (
            _data_pointer(context, builder, signature, arguments, k) for k in (0, 4, 5)
        )
        _, p, stride, half_width, _, _, o = arguments
        # One straight line of code a half-width; the compiler takes the choice out of the loop
        # around it. Another half-width gives what the last one does.
        blocks = [builder.append_basic_block(f"half_width_{k}") for k in range(1, 6)]
        joined = builder.append_basic_block("joined")
        choice = builder.switch(half_width, blocks[-1])
        results = []
        for k, block in enumerate(blocks, start=1):
            choice.add_case(ir.Constant(half_width.type, k), block)
            builder.position_at_end(block)
            results.append(_sum_rows(builder, data, data_x, data_y, p, stride, o, k))
            builder.branch(joined)
        builder.position_at_end(joined)
        total = builder.phi(ir.FloatType())
        for result, block in zip(results, blocks, strict=True):
            total.add_incoming(result, block)
        return total

    flat = types.Array(types.float32, 1, "C")
    index = types.intp
    return types.float32(flat, index, index, index, flat, flat, index), generate


def _sum_rows(
    builder: Any, data: Any, data_x: Any, data_y: Any, p: Any, stride: Any, o: Any, half_width: int
) -> Any:
    """Code for what `_weighted_sum_python` does, for one half-width."""
    halves = [0] if half_width <= 4 else [0, 8]
    totals = [None for _ in halves]
    for j in range(2 * half_width):
        at = builder.gep(data_y, [builder.add(o, ir.Constant(o.type, j))])
        weight = _eight_times(builder, builder.load(at, align=4))
        for k, start in enumerate(halves):
            row = _load_eight(builder, data, builder.add(p, ir.Constant(p.type, start)))
            product = builder.fmul(row, weight)
            totals[k] = product if totals[k] is None else builder.fadd(totals[k], product)
        p = builder.add(p, stride)
    parts = [
        builder.fmul(
            total, _load_eight(builder, data_x, builder.add(o, ir.Constant(o.type, start)))
        )
        for total, start in zip(totals, halves, strict=True)
    ]
    total = parts[0] if len(parts) == 1 else builder.fadd(parts[0], parts[1])
    for half in (4, 2, 1):
        low, high = (
            builder.shuffle_vector(
                total,
                total,
                ir.Constant(ir.VectorType(ir.IntType(32), half), list(range(first, first + half))),
            )
            for first in (0, half)
        )
        total = builder.fadd(low, high)
    return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))


def _data_pointer(context: Any, builder: Any, signature: Any, arguments: Any, k: int) -> Any:
    return context.make_array(signature.args[k])(context, builder, arguments[k]).data


def _load_eight(builder: Any, data: Any, index: Any) -> Any:
    pointer = builder.bitcast(builder.gep(data, [index]), _EIGHT.as_pointer())
    return builder.load(pointer, align=4)


def _eight_times(builder: Any, value: Any) -> Any:
    single = builder.insert_element(
        ir.Constant(_EIGHT, ir.Undefined), value, ir.Constant(ir.IntType(32), 0)
    )
    return builder.shuffle_vector(
        single, single, ir.Constant(ir.VectorType(ir.IntType(32), 8), [0] * 8)
    )


cubic_weights: Callable[..., None]
weighted_sum: Callable[..., np.float32]
if config.DISABLE_JIT:
    cubic_weights, weighted_sum = _cubic_weights_python, _weighted_sum_python
else:
    cubic_weights, weighted_sum = _cubic_weights, _weighted_sum
