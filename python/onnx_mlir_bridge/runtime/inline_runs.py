"""Which runs the caller does itself, as they take less time than waking other threads."""

from __future__ import annotations

# On a pool, a run takes half of what it takes in one thread, and some 40 us more.
_MOST_INLINE_SECONDS = 80e-6
_WORTH_TRYING_SECONDS = 150e-6
_POOL_TRIES = 20
_INLINE_TRIES = 3


class InlineRuns:
    """Learns from how long runs take, by the size of their inputs: 1 to 2 bytes, 2 to 4, and so on.

    The first runs are the pool's. As soon as one was short, the next ones are the caller's, until
    some in a row were too long. What takes long on a busy machine may become short: the pool has
    more tries.
    """

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._inline: set[int] = set()
        self._tries: dict[int, int] = {}

    def has(self, size: int) -> bool:
        """Whether the caller does a run with inputs of so many bytes."""
        return size.bit_length() in self._inline

    def is_open(self, size: int) -> bool:
        """Whether what a run with inputs of so many bytes takes may change what has() says."""
        return self._tries.get(size.bit_length(), _POOL_TRIES) > 0

    def add(self, size: int, seconds: float) -> None:
        """Learn that a run, done where has() says, took so long."""
        key = size.bit_length()
        is_inline = key in self._inline
        if seconds <= (_MOST_INLINE_SECONDS if is_inline else _WORTH_TRYING_SECONDS):
            self._inline.add(key)
            self._tries[key] = _INLINE_TRIES
            return
        self._tries[key] = self._tries.get(key, _POOL_TRIES) - 1
        if self._tries[key] == 0:
            self._inline.discard(key)
