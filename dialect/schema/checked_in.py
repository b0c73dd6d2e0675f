"""Files that are generated and checked in: write them, or tell where they differ."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path


def synchronize(files: dict[Path, str], owned: Iterable[Path], description: str) -> int:
    """Writes `files`, and removes those of `owned` that are no longer generated.

    With `--check` on the command line nothing is written. Returns the exit status: 1 where a file
    differs, is missing, or is left over.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    check = parser.parse_args().check
    orphans = set(owned) - files.keys()
    stale = [p for p, text in files.items() if not p.exists() or p.read_text() != text]
    if check:
        for path in sorted(orphans.union(stale)):
            print(f"{path} differs from what its generator writes")
        return 1 if stale or orphans else 0
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(files[path])
    for path in orphans:
        path.unlink()
    return 0
