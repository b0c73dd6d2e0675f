"""omb.backend in a process of its own, with a time limit.

A device's driver is C++ that ends its process when it hits a bug, or never answers. Here that is
the failure of one test.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import warnings
from multiprocessing.connection import Connection
from typing import Any, NoReturn

import onnx
from onnx.backend.base import Backend, BackendRep

_GRACE_SECONDS = 5


class ProcessFailure(Exception):  # noqa: N818 - not an error of the caller
    """The process ended, took too long, or raised what is no OmbError. The message says which."""


class _Process:
    """Answers the requests ("prepare", arguments) and ("run", inputs), one at a time."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")  # forks don't have the driver's threads
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self.owner = os.getpid()

    def ask(self, request: tuple[str, Any], seconds: float) -> Any:
        """The answer, or the exception that it is; ProcessFailure, and the process has ended."""
        try:
            self._connection.send(request)
            if not self._connection.poll(seconds):
                self._stop()
                raise ProcessFailure(f"takes more than {seconds:g} s")
            failure, answer = self._connection.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            raise ProcessFailure(f"ends its process ({self._status()})") from None
        if failure is not None:
            raise failure(answer)
        return answer

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def _status(self) -> str:
        code = self._process.exitcode
        if code is None or code >= 0:
            return f"exit status {code}"
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
        return f"signal {-code}"

    def _stop(self) -> None:
        self._process.terminate()  # it ends its compiler
        self._process.join(_GRACE_SECONDS)
        self._process.kill()
        self._process.join()


def _serve(connection: Connection) -> None:
    import onnx_mlir_bridge as omb

    def terminate(*_: object) -> NoReturn:
        sys.exit(1)

    signal.signal(signal.SIGTERM, terminate)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for the parent
    warnings.simplefilter("ignore", omb.FallbackWarning)
    prepared = None
    with contextlib.suppress(EOFError):
        while True:
            request, argument = connection.recv()
            try:
                if request == "prepare":
                    model, device, options = argument
                    prepared = None  # its memory goes first
                    prepared = omb.backend.prepare(
                        onnx.ModelProto.FromString(model), device, **options
                    )
                    answer = None
                else:
                    answer = prepared.run(argument)
                connection.send((None, answer))
            except omb.OmbError as error:
                connection.send((omb.OmbError, str(error)))
            except Exception as error:
                connection.send((ProcessFailure, f"{type(error).__name__}: {error}"))


_process: _Process | None = None


def _ask(request: tuple[str, Any], seconds: float) -> Any:
    global _process
    if _process is None or _process.owner != os.getpid() or not _process.alive:
        _process = _Process()
    return _process.ask(request, seconds)


class _Prepared(BackendRep):
    """The model that was prepared last."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def run(self, inputs: Any, **_: Any) -> tuple[Any, ...]:
        return _ask(("run", inputs), self._seconds)


class IsolatedBackend(Backend):
    """omb.backend, one model at a time. `seconds`: for preparing, and for each run."""

    seconds = 60.0

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **options: Any) -> BackendRep:
        _ask(("prepare", (model.SerializeToString(), device, options)), cls.seconds)
        return _Prepared(cls.seconds)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        import onnx_mlir_bridge as omb

        return omb.backend.supports_device(device)
