"""What is made anew for each value of some inputs, and kept for the values used last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

import numpy as np

T = TypeVar("T")

MAX_VARIANTS = 16
"""For how many values what was made is kept; each holds its own code and weights."""

_Key = tuple[tuple[tuple[int, ...], bytes], ...]


class Variants(Generic[T]):
    """Values of `names` -> what `make` gives for them. Safe to use from several threads."""

    def __init__(self, names: Sequence[str], make: Callable[[Mapping[str, np.ndarray]], T]) -> None:
        self._names = tuple(names)
        self._make = make
        self._made: OrderedDict[_Key, T] = OrderedDict()
        self._lock = threading.Lock()  # of the dictionary
        self._making = threading.Lock()  # one is made at a time, and once

    def get(self, values: Mapping[str, np.ndarray]) -> T:
        """What there is for the values, or is made now; `values`: of the names, and others."""
        mine = {name: values[name] for name in self._names}
        key = tuple((array.shape, array.tobytes()) for array in mine.values())
        found = self._find(key)
        if found is not None:
            return found
        with self._making:
            found = self._find(key)
            if found is None:
                found = self._make(mine)
                with self._lock:
                    self._made[key] = found
                    while len(self._made) > MAX_VARIANTS:
                        self._made.popitem(last=False)
            return found

    def _find(self, key: _Key) -> T | None:
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
            return self._made.get(key)
