"""cache_dir: compiled once, found again, and never another model's or a damaged one's code."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
import small_models
from onnx import TensorProto, helper
from onnx_mlir_bridge.compiler import specialized_model
from onnx_mlir_bridge.compiler.compilation import Compilation


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[Compilation]:
    """Those that there were."""
    made = []

    class Counted(Compilation):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr(specialized_model, "Compilation", Counted)
    return made


def _scale(factor: float) -> onnx.ModelProto:
    """y = factor * x; the factors are a parameter."""
    return small_models.model(
        [helper.make_node("Mul", ["x", "w"], ["y"])],
        [small_models.tensor("x", TensorProto.FLOAT, ["n", 300])],
        [small_models.tensor("y", TensorProto.FLOAT, ["n", 300])],
        {"w": (factor * np.arange(300)).astype(np.float32)},
    )


X = np.ones((2, 300), np.float32)


def _assert_scaled(session: omb.InferenceSession, factor: float) -> None:
    expected = np.broadcast_to(factor * np.arange(300, dtype=np.float32), (2, 300))
    np.testing.assert_array_equal(session.run(None, {"x": X})[0], expected)


def _session(model: object, folder: Path, **options: object) -> omb.InferenceSession:
    return omb.InferenceSession(model, ["cpu"], cache_dir=folder, **options)


def test_the_second_time_nothing_is_compiled(tmp_path: Path, compilations: list) -> None:
    folder = tmp_path / "a" / "cache"
    _assert_scaled(_session(_scale(3), folder), 3)
    path = tmp_path / "model.onnx"
    onnx.save(_scale(3), path)
    for model in (_scale(3), _scale(3).SerializeToString(), path, str(path)):
        _assert_scaled(_session(model, folder), 3)
    assert len(compilations) == 1
    assert [each.suffix for each in folder.iterdir()] == [".omb"]
    omb.load(next(folder.iterdir()))


def test_what_differs_is_compiled(tmp_path: Path, compilations: list) -> None:
    variants = [
        (_scale(3), {}),
        (_scale(4), {}),
        (_scale(3), {"opt_level": 2}),
        (_scale(3), {"threads": 1}),
        (_scale(3), {"cpu": "generic"}),
        (_scale(3), {"fallback": "error"}),
    ]
    for _ in range(2):
        for model, options in variants:
            _assert_scaled(_session(model, tmp_path, **options), 4 if model == _scale(4) else 3)
    assert len(compilations) == len(variants)


def test_other_builds_of_the_package_are_other_versions(
    tmp_path: Path, compilations: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onnx_mlir_bridge.compiler import model_cache

    _session(_scale(3), tmp_path)
    monkeypatch.setattr(model_cache, "_package_files", lambda: [("a.py", 1, 2)])
    _session(_scale(3), tmp_path)
    assert len(compilations) == 2


def test_weights_in_other_files(tmp_path: Path, compilations: list) -> None:
    path = tmp_path / "model.onnx"
    for factor in (3, 4, 3):
        onnx.save(
            _scale(factor), path, save_as_external_data=True, location="weights", size_threshold=0
        )
        _assert_scaled(_session(path, tmp_path / "cache"), factor)
    assert len(compilations) == 2


def _damage(path: Path, kind: str) -> None:
    data = bytearray(path.read_bytes())
    if kind == "a bit of the weights":
        position = data.find(np.float32(3 * 77).tobytes())
        assert position > 0
        data[position] ^= 1
    path.write_bytes({"empty": b"", "cut off": data[: len(data) // 2]}.get(kind, data))


@pytest.mark.parametrize("kind", ["a bit of the weights", "cut off", "empty"])
def test_what_is_damaged_is_compiled_again(tmp_path: Path, compilations: list, kind: str) -> None:
    _session(_scale(3), tmp_path)
    (kept,) = tmp_path.iterdir()
    _damage(kept, kind)
    _assert_scaled(_session(_scale(3), tmp_path), 3)
    _assert_scaled(_session(_scale(3), tmp_path), 3)
    assert len(compilations) == 2
    assert len(list(tmp_path.iterdir())) == 1


def test_stages_and_saving_of_a_cached_model(tmp_path: Path, compilations: list) -> None:
    fresh = omb.compile(_scale(3), cache_dir=tmp_path / "cache")
    cached = omb.compile(_scale(3), cache_dir=tmp_path / "cache")
    assert len(compilations) == 1
    assert cached.emit("vmfb") == fresh.emit("vmfb")
    assert cached.target == "cpu"
    cached.save(tmp_path / "saved.omb")
    _assert_scaled(omb.load(tmp_path / "saved.omb"), 3)
    assert len(compilations) == 1
    assert cached.emit("linalg") == fresh.emit("linalg")
    assert len(compilations) == 2


def test_warnings_of_a_cached_model(tmp_path: Path) -> None:
    model = small_models.model(
        [helper.make_node("StringConcat", ["x", "x"], ["y"])],
        [small_models.tensor("x", TensorProto.STRING, ["n"])],
        [small_models.tensor("y", TensorProto.STRING, ["n"])],
    )
    for _ in range(2):
        with pytest.warns(omb.FallbackWarning, match="StringConcat"):
            session = _session(model, tmp_path)
        assert session.run(None, {"x": np.array(["a"], object)})[0].tolist() == ["aa"]


def test_specialized_models(tmp_path: Path, compilations: list) -> None:
    model = small_models.model(
        [helper.make_node("Squeeze", ["x", "axes"], ["y"])],
        [
            small_models.tensor("x", TensorProto.FLOAT, [1, 3, 1]),
            small_models.tensor("axes", TensorProto.INT64, ["k"]),
        ],
        [small_models.tensor("y", TensorProto.FLOAT, None)],
    )
    x = np.ones((1, 3, 1), np.float32)
    for _ in range(2):
        session = _session(model, tmp_path)
        for axes, shape in (([0], (3, 1)), ([0, 2], (3,))):
            assert session.run(None, {"x": x, "axes": np.array(axes)})[0].shape == shape
    assert len(compilations) == 2


FUNCTION = """
<domain: "cache.test", opset_import: ["" : 21]>
Custom (x) => (y) {{ w = Constant<value_float = {}.0>() y = Mul(x, w) }}
"""


def test_operators_that_users_define(tmp_path: Path, compilations: list) -> None:
    model = small_models.model(
        [helper.make_node("Custom", ["x"], ["y"], domain="cache.test")],
        [small_models.tensor("x", TensorProto.FLOAT, [2])],
        [small_models.tensor("y", TensorProto.FLOAT, [2])],
    )
    model.opset_import.append(helper.make_opsetid("cache.test", 1))

    def result() -> float:
        return _session(model, tmp_path).run(None, {"x": np.ones(2, np.float32)})[0][0]

    try:
        for factor in (2, 5, 2):
            omb.register_op("cache.test", "Custom", FUNCTION.format(factor), replace=True)
            assert result() == factor
        assert len(compilations) == 2
        for factor in (2, 7):
            function = FUNCTION.format(factor)
            omb.register_op("cache.test", "Custom", lambda _, f=function: f, replace=True)
            assert result() == factor  # nothing tells callables apart, so it isn't kept
        assert len(compilations) == 4
    finally:
        omb.unregister_op("cache.test", "Custom")


def test_writers_beside_each_other(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    onnx.save(_scale(3), model)
    script = (
        "import sys, numpy as np, onnx_mlir_bridge as omb\n"
        "s = omb.InferenceSession(sys.argv[1], ['cpu'], cache_dir=sys.argv[2])\n"
        "y, = s.run(None, {'x': np.ones((1, 300), np.float32)})\n"
        "assert (y == 3 * np.arange(300)).all()\n"
    )
    command = [sys.executable, "-c", script, str(model), str(tmp_path / "cache")]
    writers = [subprocess.Popen(command) for _ in range(3)]
    assert [writer.wait(300) for writer in writers] == [0, 0, 0]
    assert all(path.suffix == ".omb" for path in (tmp_path / "cache").iterdir())
    _assert_scaled(_session(model, tmp_path / "cache"), 3)


def test_what_killed_writers_left(tmp_path: Path) -> None:
    old, new = tmp_path / ".unfinished-old", tmp_path / ".unfinished-new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "model.omb").write_bytes(b"PK")
    yesterday = time.time() - 25 * 60 * 60
    os.utime(old, (yesterday, yesterday))
    _assert_scaled(_session(_scale(3), tmp_path), 3)
    assert not old.exists()
    assert new.exists()


def test_folders_that_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    with pytest.raises(omb.OmbError, match=r"cache_dir '.*file' can't be written"):
        _session(_scale(3), file)


@pytest.mark.parametrize("path", [3, b"folder", "a\0b"], ids=repr)
def test_what_is_no_folder(path: object) -> None:
    with pytest.raises(omb.OmbError, match="cache_dir must be the path of a folder, not"):
        _session(_scale(3), path)


def test_folders_relative_to_where_the_session_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.ones((1, 3), np.float32)
    model = small_models.model(
        [helper.make_node("Squeeze", ["x", "axes"], ["y"])],
        [
            small_models.tensor("x", TensorProto.FLOAT, [1, 3]),
            small_models.tensor("axes", TensorProto.INT64, ["k"]),
        ],
        [small_models.tensor("y", TensorProto.FLOAT, None)],
    )
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    session = _session(model, Path("cache"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    session.run(None, {"x": x, "axes": np.array([0])})
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_unknown_targets_and_cpus(tmp_path: Path) -> None:
    with pytest.raises(omb.OmbError, match="no target 'tpu'"):
        omb.compile(_scale(3), target="tpu", cache_dir=tmp_path)
    with pytest.raises(omb.OmbError, match="CPU 'z80' is not known"):
        omb.compile(_scale(3), cpu="z80", cache_dir=tmp_path)
    assert not list(tmp_path.iterdir())


def test_command_line(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    onnx.save(_scale(3), model)
    command = [sys.executable, "-m", "onnx_mlir_bridge", "run", str(model)]
    command += ["--cache-dir", str(tmp_path / "cache"), "--device=cpu"]
    first, second = (
        subprocess.run(command, capture_output=True, check=True).stdout.splitlines()
        for _ in range(2)
    )
    assert first[:-1] == second[:-1]  # the last line has the times
    assert len(list((tmp_path / "cache").iterdir())) == 1
