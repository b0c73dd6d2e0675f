"""What is generated and checked in is what the generators write, and is complete."""

import subprocess
import sys
from pathlib import Path

import pytest
from onnx import defs

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("script", ["dialect/schema/generate.py", "docs/generate.py"])
def test_checked_in_files_are_up_to_date(script):
    done = subprocess.run(
        [sys.executable, ROOT / script, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"run python {script}\n{done.stdout}{done.stderr}"


def test_every_operator_has_a_family():
    sys.path.insert(0, str(ROOT / "dialect" / "schema"))
    try:
        from families import FAMILY_OF
    finally:
        sys.path.pop(0)
    names = {s.name for s in defs.get_all_schemas() if s.domain == ""}
    assert names == FAMILY_OF.keys()
    assert len(names) == 203
