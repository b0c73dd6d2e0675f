"""What a TfIdfVectorizer counts, for compiled code and for the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

MAX_WIDTH = 1 << 25
"""Of a row of results. Indices far beyond the number of n-grams are more likely a mistake."""

Grams: TypeAlias = dict[tuple, int]


def width(indices: Sequence[int]) -> int:
    """How many numbers a row of results has; ValueError for too many."""
    found = max(indices, default=-1) + 1
    if found > MAX_WIDTH:
        raise ValueError(
            f"gives rows of {found} numbers, as its ngram_indexes go up to {found - 1}; at most "
            f"{MAX_WIDTH} are supported"
        )
    return found


def pools(
    pool: Sequence, starts: Sequence[int], sizes: tuple[int, int], skips: int, total: int
) -> list[Grams]:
    """Of each size in use, the n-grams and their places in the pool.

    `starts`: where the n-grams of each size begin. `sizes`: the least and the largest that counts.
    `total`: the number of n-grams. ValueError where the attributes don't fit.
    """
    shortest, longest = sizes
    if not 1 <= shortest <= longest <= len(starts) or skips < 0:
        raise ValueError(
            f"takes n-grams of {shortest} to {longest} items with up to {skips} skipped; its pool "
            f"has those of 1 to {len(starts)}"
        )
    found = []
    place = 0
    ends = [*starts[1:], len(pool)]
    for size, (start, end) in enumerate(zip(starts, ends, strict=True), 1):
        if not 0 <= start <= end <= len(pool) or (end - start) % size:
            raise ValueError(
                f"has its {size}-grams from {start} to {end} in a pool of {len(pool)} items"
            )
        grams = {}
        for begin in range(start, end, size):
            grams[tuple(pool[begin : begin + size])] = place
            place += 1
        if grams and shortest <= size <= longest:
            found.append(grams)
    if place != total:
        raise ValueError(f"has {total} ngram_indexes for {place} n-grams")
    return found
