"""Memory for arrays that are needed again and again.

The computer finds memory for a large array page by page, which takes as long as filling it with
results. Where one array after the other is worked on, they share their memory.
"""

from __future__ import annotations

__all__ = ["Workspace"]

import math
from typing import Any

import numpy as np
import numpy.typing as npt


class Workspace:
    """Keeps one piece of memory for each name."""

    def __init__(self) -> None:
        self._memory: dict[str, npt.NDArray[Any]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return an array in the memory of a name, with whatever is there.

        Arrays that were asked for by this name before are overwritten when it is written to.
        """
        size = math.prod(shape)
        memory = self._memory.get(name)
        if memory is None or memory.size < size or memory.dtype != dtype:
            memory = self._memory[name] = np.empty(size, dtype)
        return memory[:size].reshape(shape)
