"""IREE's compiler, in a process of its own.

The compiler is C++ that ends its process when it hits a bug; a mistyped target name is enough. So
it runs in a worker, which is kept for the next compilation. What that costs, measured: 0.1 to 0.2 s
to start the worker, while this process imports the model, and then 30 ms a compilation (a matmul of
0.3 s), for sending text and result. What else it brings: an interrupt stops the compiler at once,
and its memory goes back to the system when the worker is replaced.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from onnx_mlir_bridge.errors import OmbError

_START = (
    "import sys; flags, sys.path[:] = sys.argv[1].split(), sys.argv[2:]; "
    "from onnx_mlir_bridge.compiler.worker import serve; serve(*flags)"
)

# A worker that has compiled this much is stopped: the compiler doesn't give all its memory back.
_MAX_SOURCE_BYTES = 64 << 20


@dataclass(frozen=True)
class Reply:
    """What became of a request.

    result: text or bytecode, None if it failed. errors: IREE's diagnostics, with the locations
    that the module carries. crash: how the compiler ended, if it did.
    """

    result: bytes | None
    errors: tuple[str, ...] = ()
    crash: str | None = None


class _Worker:
    def __init__(self, flags: str = "") -> None:
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in stop()
        self.compiled = 0
        try:
            # In isolated mode neither the environment nor the working directory, which may hold
            # anything, decide what is imported; it gets this process's path instead.
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _START, flags, *(p for p in sys.path if p)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._output,
                start_new_session=True,  # the terminal's Ctrl-C is for this process
            )
        except OSError as error:
            raise OmbError(f"IREE's compiler can't be started: {error.strerror}") from None

    def request(
        self, name: str, source: bytes, flags: Sequence[str], steps: Sequence, verifies: bool
    ) -> Reply:
        header = {
            "name": name,
            "flags": list(flags),
            "size": len(source),
            "steps": list(steps),
            "verifies": verifies,
        }
        self.compiled += len(source)
        try:
            self._process.stdin.write(json.dumps(header).encode() + b"\n")
            self._process.stdin.write(source)
            self._process.stdin.flush()
            line = self._process.stdout.readline()
            if line:
                reply = json.loads(line)
                result = self._process.stdout.read(reply["size"])
                if len(result) == reply["size"]:
                    errors = tuple(reply["diagnostics"])
                    return Reply(result if reply["ok"] else None, errors)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return Reply(None, crash=self._obituary())

    def _obituary(self) -> str:
        """How the process ended and the most telling line that it printed."""
        status = self._process.wait()
        try:
            how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        except ValueError:
            how = f"signal {-status}"
        self._output.seek(0)
        lines = self._output.read().decode(errors="replace").splitlines()
        for mark in ("Assertion", "error:", "LLVM ERROR", "Error:"):
            for line in lines:
                if mark in line:
                    return f"{how}: {line.strip()}"
        return how

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._output):
            with contextlib.suppress(OSError):
                stream.close()


_lock = threading.Lock()
_idle: list[_Worker] = []
_owner = os.getpid()


@contextlib.contextmanager
def _worker() -> Iterator[_Worker]:
    """A worker for one request: the idle one, or a new one where it is busy or gone."""
    global _owner
    with _lock:
        if _owner != os.getpid():  # a fork: the pipes are the parent's
            _owner = os.getpid()
            _idle.clear()
        worker = _idle.pop() if _idle else None
    if worker is not None and not worker.alive:
        worker.stop()
        worker = None
    worker = worker or _Worker()
    try:
        yield worker
    except BaseException:  # KeyboardInterrupt above all: nobody waits for the reply any more
        worker.stop()
        raise
    with _lock:
        keep = worker.alive and worker.compiled < _MAX_SOURCE_BYTES and not _idle
        if keep:
            _idle.append(worker)
    if not keep:
        worker.stop()


@atexit.register
def _stop_idle() -> None:
    while _idle and _owner == os.getpid():
        _idle.pop().stop()


def warm_up() -> None:
    """Start a worker, if there is none, so that it starts while this process does other things."""
    with _lock:
        if not _idle and _owner == os.getpid():
            _idle.append(_Worker())


def run(
    name: str,
    source: bytes,
    flags: Sequence[str],
    steps: Sequence[Sequence[str]],
    verifies: bool = True,
) -> Reply:
    """Have IREE do `steps` (see worker.py) with the module `source`, MLIR's text.

    `name` is what diagnostics call the module where an operation has no location. `verifies`:
    after each pass, not only what was parsed.
    """
    with _worker() as worker:
        return worker.request(name, source, flags, steps, verifies)


def located_ir(
    name: str, source: bytes, flags: Sequence[str], phases: Sequence[str]
) -> Iterator[Reply]:
    """The module as IREE's text after each of `phases`, with locations.

    Whether a process prints locations is decided when it starts, so that this needs a worker of
    its own. It takes the other flags then, too: what --iree-opt-level implies is set at that time.
    """
    worker = _Worker(" ".join(("--mlir-print-debuginfo", *flags)))
    try:
        for phase in phases:
            steps = [["phase", phase], ["ir"]]
            yield worker.request(name, source, flags, steps, verifies=False)
    finally:
        worker.stop()
