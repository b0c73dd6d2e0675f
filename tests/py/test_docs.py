"""The commands in the documentation work, one after the other, in a copy of the tree."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD = Path(os.environ.get("OMB_BUILD_DIR", ROOT / "build"))


def shell_blocks(page: Path) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.mark.skipif(
    not (BUILD / "bin" / "omb-opt").exists(), reason=f"no build tree with omb-opt at {BUILD}"
)
def test_write_a_lowering_pass(tmp_path):
    """The page's commands, as one script in a tree whose build/ is the real one."""
    for name in ("cmake", "dialect", "docs", "examples", "lowering", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "examples", tmp_path / "own", symlinks=True)
    (tmp_path / "examples").unlink()
    (tmp_path / "own").rename(tmp_path / "examples")
    (tmp_path / "build").mkdir()
    for entry in BUILD.iterdir():
        if entry.name != "lowering-pass":
            (tmp_path / "build" / entry.name).symlink_to(entry)
    script = "set -e\n" + "".join(shell_blocks(ROOT / "docs" / "write-a-lowering-pass.md"))
    environment = dict(os.environ)
    environment["PATH"] = os.pathsep.join(
        [str(Path(sys.executable).parent), str(BUILD / "bin"), environment["PATH"]]
    )
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS: onnx-mlir-bridge :: relu.mlir" in done.stdout
    assert "linalg.max ins" in done.stdout
