"""The process in which IREE compiles: `serve()` answers requests until its input ends.

A request is a header line of JSON {"name", "flags", "size", "steps", "verifies"} and `size` bytes
of MLIR; a reply is a header line {"ok", "size", "diagnostics"} and `size` bytes. The module is
verified when it is parsed, and after each pass if the request "verifies". Steps are what is done
with the parsed module:

    ["phase", P]      compile up to the phase P of iree-compile --compile-to
    ["pipeline", T]   run the textual pass pipeline T
    ["ir"]            reply with the module as text
    ["vmfb"]          compile to the end, and reply with the bytecode module

Two environment variables are for tests. OMB_COMPILER_THREADS=1 has a module compiled on one thread,
which takes a tenth less processor time: for where as many models are compiled at once as there are
CPUs. OMB_COMPILER_VERIFY=1 has every request verify.

Imports nothing of this package but what is in this file: it starts in a tenth of a second.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import threading
import time
from typing import Any, BinaryIO

_ERROR = 2  # ireeCompilerDiagnosticSeverity_t

# Below this size of a module's text, waking MLIR's threads for each pass takes longer than they
# save: a sixth of the 0.3 s that a module of one dispatch takes.
_SMALL_SOURCE_BYTES = 32 << 10

_CALLBACK = ctypes.CFUNCTYPE(
    None, ctypes.c_int, ctypes.POINTER(ctypes.c_char), ctypes.c_size_t, ctypes.c_void_p
)


def _collect_errors(library: Any, invocation: Any, errors: list[str]) -> Any:  # noqa: ANN401
    """Have IREE append its errors to the list; the result must outlive the invocation."""

    @_CALLBACK
    def callback(severity: int, text: Any, length: int, _: Any) -> None:  # noqa: ANN401
        if severity == _ERROR:
            errors.append(ctypes.string_at(text, length).decode(errors="replace"))

    enable = library.ireeCompilerInvocationEnableCallbackDiagnostics
    enable.restype = None
    enable.argtypes = [ctypes.c_void_p, ctypes.c_int, _CALLBACK, ctypes.c_void_p]
    enable(invocation._inv_p, 0, callback, None)
    return callback


def _disable_threads(library: Any, session: Any) -> None:  # noqa: ANN401
    """Have MLIR compile on this thread only."""
    context_of = library.ireeCompilerSessionBorrowContext
    context_of.restype, context_of.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    enable = library.mlirContextEnableMultithreading
    enable.restype, enable.argtypes = None, [ctypes.c_void_p, ctypes.c_bool]
    enable(context_of(session._session_p), False)


def _disable_verifier(library: Any, invocation: Any) -> None:  # noqa: ANN401
    """Have the module verified when it is parsed, and not after each of hundreds of passes.

    Of a network of convolutions whose kernels are in the module, that was two thirds of the time.
    """
    verify = library.ireeCompilerInvocationSetVerifyIR
    verify.restype, verify.argtypes = None, [ctypes.c_void_p, ctypes.c_bool]
    verify(invocation._inv_p, False)


def _compile(request: dict[str, Any], source: bytes, errors: list[str]) -> bytes | None:
    """What the steps give, None after an error."""
    from iree.compiler.api import Output, Session, Source, ctypes_dl

    library = ctypes_dl._dylib
    to_phase = library.ireeCompilerInvocationSetCompileToPhase
    to_phase.restype, to_phase.argtypes = None, [ctypes.c_void_p, ctypes.c_char_p]
    with Session() as session:
        try:
            session.set_flags(*request["flags"])
        except ValueError as error:
            errors.append(str(error))
            return None
        is_single = os.environ.get("OMB_COMPILER_THREADS") == "1"
        if is_single or len(source) < _SMALL_SOURCE_BYTES:
            _disable_threads(library, session)
        invocation = session.invocation()
        keep = _collect_errors(library, invocation, errors)
        if not (request["verifies"] or os.environ.get("OMB_COMPILER_VERIFY") == "1"):
            _disable_verifier(library, invocation)
        buffer = Source.wrap_buffer(session, source + b"\0", buffer_name=request["name"])
        if not invocation.parse_source(buffer):
            return None
        result: bytes | None = b""
        for step, *arguments in request["steps"]:
            if step == "pipeline":
                if not invocation.execute_text_pass_pipeline(*arguments):
                    return None
                continue
            if step == "ir":
                write = invocation.output_ir
            else:
                to_phase(invocation._inv_p, (arguments[0] if step == "phase" else "end").encode())
                if not invocation.execute():
                    return None
                write = invocation.output_vm_bytecode
            if step != "phase":
                output = Output.open_membuffer()
                write(output)
                result = bytes(output.map_memory())
        del keep
        return result


def _answer(requests: BinaryIO, replies: BinaryIO) -> bool:
    """Serve one request; False at the end of the input."""
    line = requests.readline()
    if not line:
        return False
    request = json.loads(line)
    errors: list[str] = []
    result = _compile(request, requests.read(request["size"]), errors)
    header = {"ok": result is not None, "size": len(result or b""), "diagnostics": errors}
    replies.write(json.dumps(header).encode() + b"\n")
    replies.write(result or b"")
    replies.flush()
    return True


def _end_with(parent: int) -> None:
    """End this process soon after its parent, whatever it is compiling: nobody reads the reply."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def serve(*flags: str) -> None:
    """Answer requests from standard input; replies go to what was standard output.

    `flags`: of MLIR, which a process takes once for all of its sessions.

    What IREE prints by itself goes to standard error, which the parent keeps in a file.
    """
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    with os.fdopen(os.dup(1), "wb") as replies:
        os.dup2(2, 1)
        if flags:
            from iree.compiler.api import ctypes_dl

            ctypes_dl._initializeGlobalCL("omb", *flags)
        while _answer(sys.stdin.buffer, replies):
            pass
