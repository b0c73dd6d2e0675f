"""The commands and the code in the documentation work, as they stand there."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from models.graph import FLOAT, Graph

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
BUILD = Path(os.environ.get("OMB_BUILD_DIR", ROOT / "build"))


needs_build_tree = pytest.mark.skipif(
    not (BUILD / "bin" / "omb-opt").exists(), reason=f"no build tree with omb-opt at {BUILD}"
)


def shell_blocks(page: Path) -> list[str]:
    return blocks(page, "sh")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """With the environment's and the build's commands on the path."""
    tools = [Path(sys.executable).parent, BUILD / "bin"]
    if spec := importlib.util.find_spec("mlir"):
        tools.append(Path(spec.submodule_search_locations[0]) / "bin")
    path = os.pathsep.join([*map(str, tools), os.environ["PATH"]])
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def with_model(tmp_path: Path) -> Path:
    """A folder with what the README takes for granted: model.onnx, model.mlir and the build."""
    graph = Graph("model")
    x = graph.input("x", FLOAT, ["batch", 8])
    y = graph.op("Gemm", x, graph.weight(8, 4), graph.bias(4))
    graph.output(graph.op("Softmax", y), "y", FLOAT, ["batch", 4])
    onnx.save(graph.model(), tmp_path / "model.onnx")
    module = omb.import_model(tmp_path / "model.onnx")
    (tmp_path / "model.mlir").write_text(str(module))
    (tmp_path / "build").symlink_to(BUILD)
    return tmp_path


def test_readme_python(with_model: Path) -> None:
    (code,) = blocks(README, "python")
    done = run([sys.executable, "-c", code], with_model)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_build_tree
def test_readme_shell(with_model: Path) -> None:
    _make, *others = shell_blocks(README)
    done = run(["bash", "-c", "set -ex\n" + "".join(others)], with_model)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (with_model / "model.omb").is_file()
    assert "linalg.generic" in (with_model / "model.mlir").read_text()
    assert "linalg.matmul" in done.stdout


@needs_build_tree
def test_quantization(with_model: Path) -> None:
    page = ROOT / "docs" / "quantization.md"
    samples = np.random.default_rng(0).standard_normal((3, 2, 8)).astype(np.float32)
    np.savez(with_model / "calibration.npz", x=samples)
    done = run(["bash", "-c", "set -ex\n" + "".join(shell_blocks(page))], with_model)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (with_model / "report.json").is_file()
    (code,) = blocks(page, "python")
    done = run([sys.executable, "-c", code], with_model)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("{'y': ")


@needs_build_tree
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
    done = run(["bash", "-c", script], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS: onnx-mlir-bridge :: relu.mlir" in done.stdout
    assert "linalg.max ins" in done.stdout


def test_custom_operators(tmp_path):
    code = "\n".join(blocks(ROOT / "docs" / "custom-operators.md", "python"))
    done = run([sys.executable, "-c", code], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is registered already" in done.stdout
