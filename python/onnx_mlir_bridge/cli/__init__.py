"""The command `omb`.

    commands.py       the command line: commands and their options
    running.py        omb run
    profiling.py      omb profile
    compiling.py      omb compile, omb import
    inspecting.py     omb inspect, omb devices
    quantizing.py     omb quantize
    values.py         from --input to arrays
    text.py           numbers, shapes and names as text

Commands import what they need when they run, so that `omb --help` is there at once.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Sequence

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its status; `arguments`: those of sys.argv.

    0: done. 1: a model or input that can't be used. 2: a wrong command line. 130: interrupted.
    """
    try:
        status = _run(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:
        _complain("interrupted")
        status = INTERRUPTED
    except BrokenPipeError:  # the reader has all that it wanted
        status = 0
    except OSError as error:
        _complain(f"the output can't be written: {error.strerror or error}")
        status = FAILED
    _drop_unwritten_output()
    sys.exit(status)


def _run(arguments: Sequence[str] | None) -> int:
    import click

    from onnx_mlir_bridge.cli.commands import omb
    from onnx_mlir_bridge.errors import OmbError

    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # names that the terminal can't show
    if "_OMB_COMPLETE" in os.environ:  # the shell asks for completions
        omb.main(prog_name="omb")
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        # Not omb.main(), which has its own ideas of how a process ends.
        with omb.make_context("omb", given) as context:
            omb.invoke(context)
        return 0
    except click.exceptions.Exit as end:  # --help, --version
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help())
        return WRONG_USAGE
    except click.UsageError as error:
        _complain(error.format_message())
        if error.ctx is not None:
            click.echo(f"\n{error.ctx.get_usage()}\n", err=True)
            click.echo(f"For more, try '{error.ctx.command_path} --help'.", err=True)
        return WRONG_USAGE
    except OmbError as error:
        _complain(str(error))
    except MemoryError:
        _complain("there is not enough memory")
    except (OSError, KeyboardInterrupt):
        raise
    except Exception as error:
        if os.environ.get("OMB_TRACEBACK"):
            raise
        _complain(
            f"{type(error).__name__}: {' '.join(str(error).split())}; this is a bug in "
            "onnx-mlir-bridge, please report it (OMB_TRACEBACK=1 shows where it is)"
        )
    return FAILED


def _complain(message: str) -> None:
    from onnx_mlir_bridge.cli.text import printable

    red, plain = ("\033[1;31m", "\033[0m") if _is_colored(sys.stderr) else ("", "")
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(f"{red}error{plain}: {printable(message, keep=chr(10))}", file=sys.stderr, flush=True)


def _is_colored(stream: object) -> bool:
    isatty = getattr(stream, "isatty", None)
    return bool(isatty and isatty() and "NO_COLOR" not in os.environ)


def _drop_unwritten_output() -> None:
    """Let the interpreter's end find nothing to complain about in a closed pipe or a full disk."""
    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            continue
        try:
            stream.flush()
        except (OSError, ValueError) as error:
            if getattr(error, "errno", errno.EPIPE) is not None:
                with contextlib.suppress(OSError, ValueError):
                    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
