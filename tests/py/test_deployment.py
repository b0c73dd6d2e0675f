"""Saved models where only numpy and IREE's run-time are installed."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import onnx_mlir_bridge as omb
import pytest
import small_models

# All that the run-time half may import. iree.compiler shares a namespace package with iree.runtime.
PACKAGES = ("numpy", "numpy.libs", "ml_dtypes")
FORBIDDEN = ("iree.compiler", "onnx", "onnx_mlir_bridge._mlir", "click", "rich", "google")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "model.omb"
    omb.compile(small_models.weighted(), threads=1).save(path)
    return path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with this package's Python code, numpy and iree.runtime, and nothing else."""
    folder = tmp_path_factory.mktemp("site")
    for package in PACKAGES:
        source = Path(np.__file__).parents[1] / package
        if not source.exists():  # ml_dtypes may lie elsewhere; numpy.libs needn't be there
            spec = importlib.util.find_spec(package) if "." not in package else None
            if spec is None:
                continue
            source = Path(spec.origin).parent
        (folder / package).symlink_to(source)
    (folder / "iree").mkdir()
    runtime = Path(importlib.util.find_spec("iree.runtime").origin).parent
    for entry in runtime.parent.iterdir():
        if entry.name in ("runtime", "_runtime_libs", "_runtime"):
            (folder / "iree" / entry.name).symlink_to(entry)
    shutil.copytree(
        Path(omb.__file__).parent,
        folder / "onnx_mlir_bridge",
        ignore=shutil.ignore_patterns("_mlir", "__pycache__", "compiler", "importer", "cli"),
    )
    return folder


def run_in(site: Path, code: str, *arguments: str | Path) -> str:
    """Runs code where the folder is all there is besides Python's own library."""
    start = f"import sys; sys.path.append({str(site)!r})\n"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", start + textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=site,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_runs_without_compiler_and_onnx(site: Path, saved: Path) -> None:
    run_in(
        site,
        f"""
        for name in {FORBIDDEN!r}:
            try:
                __import__(name)
            except ImportError:
                continue
            raise SystemExit(f"{{name}} is here, which makes this test worthless")
        import numpy as np
        import onnx_mlir_bridge as omb
        session = omb.load(sys.argv[1])
        (info,) = session.get_inputs()
        (out,) = session.run(None, {{"x": np.ones(info.shape, info.dtype)}})
        np.testing.assert_array_equal(out, 1 + np.arange(out.size))
        assert omb.devices()
        """,
        saved,
    )


def test_errors_without_compiler(site: Path, saved: Path, tmp_path: Path) -> None:
    (tmp_path / "damaged.omb").write_bytes(saved.read_bytes()[:-100])
    out = run_in(
        site,
        """
        import onnx_mlir_bridge as omb
        try:
            omb.load(sys.argv[1])
        except omb.OmbError as error:
            print(error)
        """,
        tmp_path / "damaged.omb",
    )
    assert "is damaged or incomplete" in out


def test_loading_imports_no_compiler(saved: Path) -> None:
    """Also where everything is installed."""
    code = f"""
    import sys
    import numpy as np
    import onnx_mlir_bridge as omb
    session = omb.load(sys.argv[1])
    session.run(None, {{"x": np.ones(session.get_inputs()[0].shape, np.float32)}})
    loaded = [n for n in sys.modules for f in {FORBIDDEN!r} if n == f or n.startswith(f + ".")]
    assert not loaded, loaded
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), saved], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_processes_share_the_weights(saved: Path) -> None:
    """The weights' memory is the file's pages, none of them copied."""
    smaps = Path("/proc/self/smaps")
    if not smaps.exists():
        pytest.skip("needs Linux's /proc")
    session = omb.load(saved)
    session.run(None, {"x": np.ones(1 << 16, np.float32)})
    lines = smaps.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.endswith(str(saved)))
    fields = dict(line.split(":") for line in lines[at + 1 : at + 20] if ":" in line)
    assert " r--s " in lines[at]
    assert int(fields["Rss"].split()[0]) > 200
    assert int(fields["Anonymous"].split()[0]) == 0  # nothing of it was copied
