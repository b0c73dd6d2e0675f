"""What tests of Ctrl-C need."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Processes started here can be interrupted.

    What a shell starts in the background ignores interrupts, and so do the processes that it
    starts: the tests too, if they are run there.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
