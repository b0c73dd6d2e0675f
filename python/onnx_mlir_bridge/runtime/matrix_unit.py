"""Whether this process may use the CPU's matrix unit (Intel's AMX).

Its registers are 8 KiB that Linux saves only for processes that have asked for it; in others, its
instructions end the process.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Collection
from functools import cache
from pathlib import Path

# Flags of /proc/cpuinfo.
FLAGS = frozenset(("amx_tile", "amx_int8", "amx_bf16"))

_SYS_ARCH_PRCTL = 158
_ARCH_REQ_XCOMP_PERM = 0x1023
_XFEATURE_XTILEDATA = 18


@cache
def is_permitted() -> bool:
    """Asks Linux (5.16 or later) for the matrix unit's registers, for all threads of this process.

    Linux's documentation: Documentation/arch/x86/xstate.rst.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return False
    request = ctypes.CDLL(None, use_errno=True).syscall
    request.argtypes = [ctypes.c_long] * 3
    request.restype = ctypes.c_long
    return request(_SYS_ARCH_PRCTL, _ARCH_REQ_XCOMP_PERM, _XFEATURE_XTILEDATA) == 0


def is_needed(flags: Collection[str]) -> bool:
    """Whether code that needs these flags of the CPU uses the matrix unit."""
    return not FLAGS.isdisjoint(flags)


def environment() -> dict[str, str]:
    """The environment for a program that runs compiled code: there, a library asks Linux.

    What this process was permitted ends where another program starts in its place.
    """
    environment = dict(os.environ)
    library = Path(__file__).parent.parent / "_preload" / "libOmbMatrixUnit.so"
    if is_permitted() and library.is_file():
        others = environment.get("LD_PRELOAD")
        environment["LD_PRELOAD"] = f"{library}:{others}" if others else str(library)
    return environment
