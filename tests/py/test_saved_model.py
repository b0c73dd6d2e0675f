"""Saved models: what goes in comes out, and files that are no saved models are refused."""

from __future__ import annotations

import io
import json
import os
import stat
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx_mlir_bridge as omb
import pytest
import small_models
from onnx_mlir_bridge.runtime import artifact

VALUES = 1 << 16
X = np.ones(VALUES, np.float32)


@pytest.fixture(scope="module")
def affine() -> omb.CompiledModel:
    return omb.compile(small_models.affine(), threads=1)


@pytest.fixture(scope="module")
def weighted() -> omb.CompiledModel:
    return omb.compile(small_models.weighted(VALUES), threads=1)


@pytest.fixture(scope="module")
def saved(weighted: omb.CompiledModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "model.omb"
    weighted.save(path)
    return path


# --- round trip ---------------------------------------------------------------------------------


def test_round_trip(affine: omb.CompiledModel, tmp_path: Path) -> None:
    path = tmp_path / "model.omb"
    affine.save(path)
    made, loaded = omb.InferenceSession(affine), omb.load(path)
    assert loaded.get_inputs() == made.get_inputs()
    assert loaded.get_outputs() == made.get_outputs()
    assert loaded.get_modelmeta() == made.get_modelmeta()
    assert loaded.get_providers() == ["cpu"]
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    for theirs, ours in zip(
        made.run(None, {"x": x, "y": x}), loaded.run(None, {"x": x, "y": x}), strict=True
    ):
        np.testing.assert_array_equal(theirs, ours)


@pytest.mark.parametrize("device", ["auto", "cpu", "cpu:0"])
def test_weights(saved: Path, device: str) -> None:
    session = omb.load(str(saved), device=device)
    np.testing.assert_array_equal(session.run(None, {"x": X})[0], X + np.arange(VALUES))


def test_threads_are_the_loader_s_choice(saved: Path) -> None:
    session = omb.load(saved, threads=2)
    np.testing.assert_array_equal(session.run(None, {"x": X})[0], X + np.arange(VALUES))
    with pytest.raises(omb.OmbError, match=r"threads must be a number"):
        omb.load(saved, threads=0)


def test_members_are_aligned_and_weights_are_mapped(saved: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["metadata.json", "module.vmfb", "parameters.irpa"]
        description = json.loads(archive.read("metadata.json"))
    assert description["provider"] == "cpu"
    assert description["inputs"] == [
        {"name": "x", "element": "float", "dims": [VALUES], "containers": [], "keys": ""}
    ]
    (opened,) = artifact.read(saved).parts
    data = saved.read_bytes()
    for member in (opened.module, opened.weights):
        assert data.index(bytes(member)) % (64 << 10) == 0
        # A view of the file itself, in which nothing can be written.
        assert member.readonly
        assert type(member.obj).__name__ == "mmap"


def test_weights_survive_the_file(saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.omb"
    path.write_bytes(saved.read_bytes())
    session = omb.load(path)
    path.unlink()
    np.testing.assert_array_equal(session.run(None, {"x": X})[0], X + np.arange(VALUES))


# --- writing ------------------------------------------------------------------------------------


def test_replaced_while_loaded(
    affine: omb.CompiledModel, weighted: omb.CompiledModel, tmp_path: Path
) -> None:
    path = tmp_path / "model.omb"
    weighted.save(path)
    old = omb.load(path)
    affine.save(path)
    np.testing.assert_array_equal(old.run(None, {"x": X})[0], X + np.arange(VALUES))
    assert [t.name for t in omb.load(path).get_inputs()] == ["x", "y"]
    assert [file.name for file in tmp_path.iterdir()] == ["model.omb"]


def test_failure_leaves_the_old_file(
    weighted: omb.CompiledModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.omb"
    path.write_bytes(b"precious")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("onnx_mlir_bridge.runtime.artifact._add", full)
    with pytest.raises(omb.OmbError, match=r"model.omb' can't be written: No space left on device"):
        weighted.save(path)
    assert path.read_bytes() == b"precious"
    assert [file.name for file in tmp_path.iterdir()] == ["model.omb"]


def test_permissions_are_the_users_default(affine: omb.CompiledModel, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        affine.save(tmp_path / "model.omb")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "model.omb").stat().st_mode) == 0o640


def test_links_are_followed(affine: omb.CompiledModel, tmp_path: Path) -> None:
    target = tmp_path / "there" / "model.omb"
    target.parent.mkdir()
    link = tmp_path / "link.omb"
    link.symlink_to(target)
    affine.save(link)
    assert link.is_symlink()
    assert target.is_file()
    omb.load(link)


def test_devices_are_written_to(affine: omb.CompiledModel) -> None:
    affine.save("/dev/null")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    with pytest.raises(omb.OmbError, match=r"'/dev/full' can't be written: No space left"):
        affine.save("/dev/full")


def test_places_that_cannot_be_written(affine: omb.CompiledModel, tmp_path: Path) -> None:
    with pytest.raises(omb.OmbError, match=r"can't be written: it is a directory"):
        affine.save(tmp_path)
    with pytest.raises(omb.OmbError, match=r"can't be written: No such file or directory"):
        affine.save(tmp_path / "no" / "model.omb")
    with pytest.raises(omb.OmbError, match=r"can't be written: File name too long"):
        affine.save(tmp_path / ("x" * 300))


# --- reading what isn't a saved model -----------------------------------------------------------


def _zip(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def _members(saved: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(saved)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _edited(saved: bytes, edit: Callable[[dict], object]) -> bytes:
    members = _members(saved)
    document = json.loads(members["metadata.json"])
    edit(document)
    return _zip({**members, "metadata.json": json.dumps(document).encode()})


def _flipped(saved: bytes, at: int) -> bytes:
    return saved[:at] + bytes([saved[at] ^ 0xFF]) + saved[at + 1 :]


def _without(saved: bytes, name: str) -> bytes:
    members = _members(saved)
    del members[name]
    return _zip(members)


DAMAGED = {
    "empty": (lambda s: b"", "is empty"),
    "text": (lambda s: b"hello", "is not a model saved by omb; an ONNX model is compiled with"),
    "an ONNX model": (lambda s: small_models.affine().SerializeToString(), "not a model saved by"),
    "one byte": (lambda s: b"P", "is not a model saved by omb"),
    "only a beginning": (lambda s: b"PK\3\4", "is damaged or incomplete"),
    "truncated by a byte": (lambda s: s[:-1], "is damaged or incomplete"),
    "truncated to a half": (lambda s: s[: len(s) // 2], "is damaged or incomplete"),
    "truncated at the front": (lambda s: b"PK" + s[1000:], "is damaged or incomplete"),
    "another zip file": (lambda s: _zip({"a.txt": b"a"}), "a zip file, but not a model saved"),
    "other JSON": (lambda s: _zip({"metadata.json": b"{}"}), "a zip file, but not a model saved"),
    "a list": (lambda s: _zip({"metadata.json": b"[]"}), "a zip file, but not a model saved"),
    "no JSON": (lambda s: _zip({"metadata.json": b"\xff"}), "is damaged or incomplete"),
    "deep JSON": (lambda s: _zip({"metadata.json": b"[" * 10**5}), "is damaged or incomplete"),
    "no code": (lambda s: _without(s, "module.vmfb"), "is damaged .*module.vmfb"),
    "no weights": (lambda s: _without(s, "parameters.irpa"), "can't be loaded on 'cpu'"),
    "compressed": (
        lambda s: _zip(_members(s), zipfile.ZIP_DEFLATED),
        "is damaged .*module.vmfb is compressed",
    ),
    "a flipped bit in the code": (
        lambda s: _flipped(s, s.index(_members(s)["module.vmfb"]) + 500),
        "is damaged .*module.vmfb",
    ),
    "a flipped bit in the description": (
        lambda s: _flipped(s, s.index(b'"provider"') + 2),
        "is damaged .*metadata.json",
    ),
    "other code": (
        lambda s: _zip({**_members(s), "module.vmfb": b"\0" * 4096}),
        "can't be loaded on 'cpu'",
    ),
    "no bytes of code": (
        lambda s: _zip({**_members(s), "module.vmfb": b""}),
        "can't be loaded on 'cpu'",
    ),
    "other weights": (
        lambda s: _zip({**_members(s), "parameters.irpa": b"\0" * 4096}),
        "its weights are damaged",
    ),
    "a later version": (
        lambda s: _edited(s, lambda d: d.update(format_version=3)),
        "has version 3 of the format, and this package reads version 2; compile the model",
    ),
    "a version that isn't a number": (
        lambda s: _edited(s, lambda d: d.update(format_version="2")),
        "has version 2 of the format",
    ),
    "an unknown provider": (
        lambda s: _edited(s, lambda d: d.update(provider="tpu")),
        "is damaged .*unknown provider 'tpu'",
    ),
    "another machine": (
        lambda s: _edited(s, lambda d: d.update(machine="riscv64")),
        "it is compiled for riscv64, and this machine is .*cpu='generic'",
    ),
    "a CPU feature of the future": (
        lambda s: _edited(s, lambda d: d["features"].append("avx9000")),
        "this machine's CPU lacks avx9000; compile it with cpu='generic'",
    ),
    "features that are numbers": (
        lambda s: _edited(s, lambda d: d.update(features=[3])),
        "is damaged .*bad features",
    ),
    "no inputs": (lambda s: _edited(s, lambda d: d.pop("inputs")), "is damaged .*inputs"),
    "a negative dimension": (
        lambda s: _edited(s, lambda d: d["inputs"][0].update(dims=[-1])),
        "is damaged .*bad dimension -1 of 'x'",
    ),
    "an unknown element type": (
        lambda s: _edited(s, lambda d: d["inputs"][0].update(element="float31")),
        "is damaged .*bad tensor",
    ),
    "an element type that is a list": (
        lambda s: _edited(s, lambda d: d["inputs"][0].update(element=[])),
        "is damaged",
    ),
    "inputs that are a number": (
        lambda s: _edited(s, lambda d: d.update(inputs=3)),
        "is damaged",
    ),
    "unknown metadata": (
        lambda s: _edited(s, lambda d: d["model"].update(nonsense=1)),
        "is damaged",
    ),
    "threads that are a word": (
        lambda s: _edited(s, lambda d: d.update(threads="all")),
        "is damaged .*threads must be a number",
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged(saved: Path, tmp_path: Path, case: str) -> None:
    damage, message = DAMAGED[case]
    path = tmp_path / "damaged.omb"
    path.write_bytes(damage(saved.read_bytes()))
    with pytest.raises(omb.OmbError, match=message) as caught:
        omb.load(path)
    assert "damaged.omb" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("part", range(8))
def test_truncated_anywhere(saved: Path, tmp_path: Path, part: int) -> None:
    data = saved.read_bytes()
    path = tmp_path / "damaged.omb"
    path.write_bytes(data[: len(data) * part // 8 + 17])
    with pytest.raises(omb.OmbError, match=r"damaged.omb"):
        omb.load(path)


def test_signature_that_the_code_does_not_have(saved: Path, tmp_path: Path) -> None:
    """Running it is an error; the process goes on."""

    def more(document: dict) -> None:
        document["inputs"].append({"name": "z", "element": "double", "dims": [2]})

    path = tmp_path / "damaged.omb"
    path.write_bytes(_edited(saved.read_bytes(), more))
    with pytest.raises(omb.OmbError):
        omb.load(path).run(None, {"x": X, "z": np.zeros(2)})


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(omb.OmbError, match=r"there is no file '.*nothing.omb'"):
        omb.load(tmp_path / "nothing.omb")
    with pytest.raises(omb.OmbError, match=r"can't be read: Is a directory"):
        omb.load(tmp_path)
    with pytest.raises(omb.OmbError, match=r"can't be read"):
        omb.load("a\0b")


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("cuda", "compiled for cpu, not for cuda; compile it with target='cuda'"),
        ("gpu", "no provider 'gpu'"),
        ("cpu:5", "no device 'cpu:5'; it has"),
    ],
)
def test_wrong_device(saved: Path, device: str, message: str) -> None:
    with pytest.raises(omb.OmbError, match=message):
        omb.load(saved, device=device)


def test_description_round_trip(affine: omb.CompiledModel) -> None:
    described = affine.description
    text = json.dumps(described.to_json())
    assert artifact.Description.from_json(json.loads(text)) == described
    assert described.threads == 1
    with pytest.raises(ValueError, match="unknown provider"):
        artifact.Description.from_json(replace(described, provider="abacus").to_json())


@pytest.mark.parametrize("path", [None, b"model.omb", 3, ""])
def test_what_is_no_path(affine: omb.CompiledModel, path: object) -> None:
    for use in (omb.load, affine.save):
        with pytest.raises(omb.OmbError, match=r"^(a saved model is given by its|the) path"):
            use(path)
