"""`make demo` does what the README promises: on the repository's files, and on a user's own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from models import stored

DEMO = stored.REPOSITORY / "examples" / "demo" / "demo.py"


def _require(*packages: str) -> None:
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"the package {package} is not installed (make test installs it)")


def _demo(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(DEMO), *arguments],
        capture_output=True,
        text=True,
        check=check,
        env={**os.environ, "COLUMNS": "160"},
    )


def test_reads_the_picture_and_knows_the_files() -> None:
    _require("magika", "rapidocr_onnxruntime", "PIL")
    output = _demo().stdout
    assert "makefile" in output
    assert "markdown" in output
    assert "read by a network compiled just now" in output


def test_users_file(tmp_path: Path) -> None:
    _require("magika", "PIL")
    page = tmp_path / "page"
    page.write_text("<!DOCTYPE html>\n<html><body><p>Hello, <b>you</b>.</p></body></html>\n" * 9)
    assert "html" in _demo(str(page)).stdout


def test_missing_file() -> None:
    _require("PIL")
    done = _demo("no-such-file", check=False)
    assert done.returncode == 1
    assert "no-such-file is not a file" in done.stdout
