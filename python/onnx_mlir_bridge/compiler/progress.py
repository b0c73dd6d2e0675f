"""The display of a compilation's stages."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

DELAY_SECONDS = 1.0
"""Work that takes less shows nothing."""


class _Display:
    """A spinner on standard error with the stage and the seconds it has taken."""

    def __init__(self, console: Any) -> None:  # noqa: ANN401 - rich.console.Console
        self._status = console.status("")
        self._shown = False
        self._stage = ""
        self._begin = time.monotonic()
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._refresh, daemon=True)
        self._thread.start()

    def _refresh(self) -> None:
        wait = DELAY_SECONDS
        while not self._done.wait(wait):
            with self._lock:
                if not self._shown:
                    self._status.start()
                    self._shown = True
                seconds = time.monotonic() - self._begin
                self._status.update(f"{self._stage} [dim]{seconds:.0f} s[/]")
            wait = 0.25

    def stage(self, name: str) -> None:
        with self._lock:
            self._stage = name

    def close(self) -> None:
        self._done.set()
        self._thread.join()
        if self._shown:
            self._status.stop()


@contextlib.contextmanager
def reporting(progress: bool | Callable[[str], None]) -> Iterator[Callable[[str], None]]:
    """A function to call with the name of each stage as it begins; see CompileOptions.progress."""
    if callable(progress):
        yield progress
        return
    if progress and sys.stderr is not None and sys.stderr.isatty():
        from rich.console import Console

        console = Console(stderr=True)
        if console.is_terminal:
            display = _Display(console)
            try:
                yield display.stage
            finally:
                display.close()
            return
    yield lambda name: None
