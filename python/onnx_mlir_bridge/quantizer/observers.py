"""Observers: from the values that a tensor takes, batch by batch, to the range of its integers.

Memory is fixed: extremes, and for the methods that need it a histogram. Its bins are as wide as a
power of two, and zero is the edge of a bin, so that two of them become one without interpolation
when the range has to double: what was seen first and what later doesn't matter.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from onnx_mlir_bridge.errors import OmbError

METHODS = ("min-max", "percentile", "entropy", "mse")

_SIDE_BITS = 12
_SIDE = 1 << _SIDE_BITS  # bins for the positive numbers, and as many for the negative ones
_SMALLEST = -126  # the exponent of float32's smallest normal number
_MAX_ROUNDS = 4
_MAX_KL_BINS = 2048
_COUNTS_PER_BIN = 8  # fewer say little of a distribution
_TINY = 1e-12


@dataclass(frozen=True)
class Range:
    """The numbers that integers are to stand for; zero is one of them."""

    low: float
    high: float

    def including(self, other: Range) -> Range:
        """The smallest range that has both."""
        return Range(min(self.low, other.low), max(self.high, other.high))


class Extremes:
    """The smallest and the largest value."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.low, self.high = math.inf, -math.inf

    def update(self, values: np.ndarray) -> None:
        """Take note of some values; OmbError where one isn't finite."""
        if values.size == 0:
            return
        low, high = float(values.min()), float(values.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            what = "NaN" if np.isnan(values).any() else "Inf"
            raise OmbError(
                f"the value '{self.name}' has {what} in the calibration data; take such samples "
                "out, or exclude the nodes around it"
            )
        self.low, self.high = min(self.low, low), max(self.high, high)

    @property
    def is_empty(self) -> bool:
        """Whether there was no value."""
        return self.low > self.high

    def range(self) -> Range:
        """All that was seen, and zero."""
        if self.is_empty:
            return Range(0.0, 0.0)
        return Range(min(self.low, 0.0), max(self.high, 0.0))


class Histogram(Extremes):
    """Counts of values in bins from -2^exponent to 2^exponent; the exponent grows as needed."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.exponent = _SMALLEST
        self.counts = np.zeros(2 * _SIDE, np.int64)

    def update(self, values: np.ndarray) -> None:
        """Count some values; OmbError where one isn't finite."""
        super().update(values)
        if values.size == 0:
            return
        # The largest value has to lie in the last bin, not at its end.
        largest = max(abs(self.low), abs(self.high))
        needed = math.frexp(largest)[1] if largest else self.exponent
        if needed > self.exponent:
            self._grow(needed)
        # Scaling by a power of two is exact.
        scaled = np.ldexp(values.ravel().astype(np.float64), _SIDE_BITS - self.exponent)
        bins = np.floor(scaled).astype(np.int64) + _SIDE
        self.counts += np.bincount(bins, minlength=2 * _SIDE)

    def _grow(self, exponent: int) -> None:
        shift = min(exponent - self.exponent, 31)
        positions = (np.arange(2 * _SIDE, dtype=np.int64) - _SIDE) >> shift
        counts = np.zeros_like(self.counts)
        np.add.at(counts, positions + _SIDE, self.counts)
        self.counts, self.exponent = counts, exponent

    def edges(self) -> np.ndarray:
        """The ends of the bins, one more than there are bins."""
        return np.ldexp(np.arange(-_SIDE, _SIDE + 1).astype(np.float64), self.exponent - _SIDE_BITS)


def observer(method: str, name: str) -> Extremes:
    """An observer that has what a method needs."""
    return Extremes(name) if method == "min-max" else Histogram(name)


def find_range(found: Extremes, method: str, levels: int, percentile: float) -> Range:
    """The range of a tensor's integers.

    `levels`: how many integers there are. `percentile`: how many percent of the values are in the
    range that the method of that name gives.
    """
    if not isinstance(found, Histogram) or found.is_empty or found.low == found.high:
        return found.range()
    if method == "percentile":
        return _percentile(found, percentile)
    return (_least_error if method == "mse" else _least_divergence)(found, levels)


def _percentile(found: Histogram, percentile: float) -> Range:
    """As many values are left out at each end, counted to the bin and interpolated in it."""
    total = np.concatenate([[0], np.cumsum(found.counts)]).astype(np.float64)
    left_out = (1 - percentile / 100) / 2 * total[-1]
    if found.low >= 0:  # nothing to leave out at zero
        low, above = 0.0, 2 * left_out
    else:
        low, above = _value_at(found, total, left_out), left_out
    if found.high <= 0:
        low, high = _value_at(found, total, 2 * left_out), 0.0
    else:
        high = _value_at(found, total, total[-1] - above)
    return Range(min(low, 0.0), max(high, 0.0))


def _value_at(found: Histogram, total: np.ndarray, rank: float) -> float:
    """The value below which there are `rank` values; `total`: counts below each edge."""
    edges = found.edges()
    used = np.flatnonzero(found.counts)
    bin_ = used[min(np.searchsorted(total[used + 1], rank), used.size - 1)]
    inside = (rank - total[bin_]) / found.counts[bin_]
    value = edges[bin_] + np.clip(inside, 0, 1) * (edges[bin_ + 1] - edges[bin_])
    return float(np.clip(value, found.low, found.high))


def _ends(found: Histogram) -> tuple[np.ndarray, np.ndarray]:
    """Ends of ranges to try, the widest first: from what was seen, towards zero."""
    whole = found.range()
    # Even steps, and for values that lie far out a thousandth of the range in equal factors.
    steps = np.union1d(np.arange(1, 65) / 64, 2.0 ** -(np.arange(80) / 8))[::-1]
    lows = whole.low * steps if whole.low < 0 else np.zeros(1)
    highs = whole.high * steps if whole.high > 0 else np.zeros(1)
    return lows, highs


class _SquaredError:
    """The expected square of the error of a range: of each bin's middle, as it is stored."""

    def __init__(self, found: Histogram, levels: int) -> None:
        used = np.flatnonzero(found.counts)
        edges = found.edges()
        middles = (edges[used] + edges[used + 1]) / 2
        self._values = np.clip(middles, found.low, found.high)
        self._counts = found.counts[used].astype(np.float64)
        self._levels = levels

    def __call__(self, low: float, high: float) -> float:
        step = (high - low) / (self._levels - 1)
        if step <= 0:
            return math.inf
        zero = np.rint(-low / step)
        stored = np.clip(np.rint(self._values / step), -zero, self._levels - 1 - zero)
        return float(np.sum(self._counts * np.square(stored * step - self._values)))


def _least_error(found: Histogram, levels: int) -> Range:
    """The range with the smallest expected square of the error."""
    return _best_range(found, _SquaredError(found, levels))


def _best_range(found: Histogram, loss: Callable[[float, float], float]) -> Range:
    """The range with the smallest loss: one end after the other, until neither moves."""
    lows, highs = _ends(found)
    low, high = float(lows[0]), float(highs[0])
    for _ in range(_MAX_ROUNDS):
        before = low, high
        high = _best(highs, lambda end: loss(low, end))  # noqa: B023 - called at once
        low = _best(lows, lambda end: loss(end, high))  # noqa: B023
        if (low, high) == before:
            break
    return Range(low, high)


def _least_divergence(found: Histogram, levels: int) -> Range:
    """The range whose integers keep most of the distribution (Kullback-Leibler divergence).

    Of the ranges whose squared error isn't larger than the whole range's: where most values lie
    close to zero, as behind many activations, the divergence alone tells nothing of the others.
    """
    whole = found.range()
    counts, low = _between(found, whole, levels)
    width = (whole.high - whole.low) / counts.size
    error = _SquaredError(found, levels)
    most = error(whole.low, whole.high)

    def divergence(start: float, stop: float) -> float:
        if error(start, stop) > most:
            return math.inf
        first = round((start - low) / width)
        last = max(round((stop - low) / width), first + 1)
        return _divergence(counts, first, last, levels)

    return _best_range(found, divergence)


def _best(candidates: np.ndarray, loss: Callable[[float], float]) -> float:
    losses = [loss(float(candidate)) for candidate in candidates]
    return float(candidates[int(np.argmin(losses))])


def _between(found: Histogram, whole: Range, levels: int) -> tuple[np.ndarray, float]:
    """The counts in equal bins from one end to the other.

    Of few values there are few bins: with as many as there are integers nothing is clipped.
    """
    enough = int(found.counts.sum()) // _COUNTS_PER_BIN
    bins = min(max(1 << max(enough.bit_length() - 1, 0), levels), _MAX_KL_BINS)
    edges = found.edges()
    total = np.concatenate([[0], np.cumsum(found.counts)]).astype(np.float64)
    ends = np.linspace(whole.low, whole.high, bins + 1)
    below = np.interp(ends, edges, total)
    below[0], below[-1] = 0, total[-1]
    return np.diff(below), whole.low


def _divergence(counts: np.ndarray, first: int, last: int, levels: int) -> float:
    """How far the distribution of what is stored is from the one of the values."""
    inside = counts[first:last]
    kept = inside.copy()
    kept[0] += counts[:first].sum()
    kept[-1] += counts[last:].sum()
    level = np.minimum(np.arange(inside.size) * levels // inside.size, levels - 1)
    used = inside > 0
    sums = np.bincount(level, weights=inside, minlength=levels)
    holders = np.bincount(level, weights=used, minlength=levels)
    stored = np.where(used, sums[level] / np.maximum(holders[level], 1), 0.0)
    p = kept / max(kept.sum(), _TINY)
    q = stored / max(stored.sum(), _TINY)
    return float(np.sum(p * np.log((p + _TINY) / (q + _TINY))))
