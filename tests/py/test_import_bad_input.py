"""Models that can't be imported: one clear line that names the culprit, never a crash."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from import_support import model_of
from onnx import TensorProto, helper
from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.importer import import_model, wire

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
X = np.ones((2, 3), np.float32)
WEIGHTS = np.ones((3, 700), np.float32)


def _refusal(source: object, **options: object) -> str:
    with pytest.raises(OmbError) as error:
        import_model(source, **options)
    message = str(error.value)
    assert "\n" not in message
    assert len(message) < 1500
    return message


def _relu() -> onnx.ModelProto:
    return model_of([helper.make_node("Relu", ["x"], ["y"], "relu")], {"x": X}, {"y": FLOAT}, 17)


def _matmul() -> onnx.ModelProto:
    node = helper.make_node("MatMul", ["x", "w"], ["y"], "matmul")
    return model_of([node], {"x": X}, {"y": FLOAT}, 17, {"w": WEIGHTS})


# ---- files and bytes


def test_files(tmp_path: Path):
    assert "no file" in _refusal(tmp_path / "missing.onnx")
    assert "is a directory" in _refusal(tmp_path)
    assert "the path of the model is empty" in _refusal("")
    empty = tmp_path / "empty.onnx"
    empty.write_bytes(b"")
    assert "empty" in _refusal(empty)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert "regular file" in _refusal(fifo)
    assert "no file" in _refusal("a\0b") or "can't be read" in _refusal("a\0b")


def test_an_unreadable_file(tmp_path: Path):
    path = tmp_path / "locked.onnx"
    path.write_bytes(b"x")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user can read everything")
    assert "Permission denied" in _refusal(path)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00", b"hello, this is text", b"\x80" * 100, b"\xff" * 50, bytes(1000), b"\x3a\x05ab"],
    ids=["empty", "zero", "text", "endless", "ones", "zeros", "short"],
)
def test_bytes_that_are_no_model(data: bytes):
    assert "not a usable ONNX model" in _refusal(data)


def test_random_bytes():
    random = np.random.default_rng(11)
    for size in (1, 10, 100, 10_000):
        assert _refusal(random.bytes(size))


def test_truncated_at_any_place():
    data = _matmul().SerializeToString()
    for end in range(1, len(data), 97):
        assert _refusal(data[:end])


def test_mutated_bytes():
    """Any byte of a model may change: an error or a verified module, nothing else."""
    random = np.random.default_rng(5)
    data = bytearray(_relu().SerializeToString())
    for _ in range(400):
        mutated = bytearray(data)
        for _ in range(random.integers(1, 4)):
            mutated[random.integers(len(mutated))] = random.integers(256)
        try:
            assert import_model(bytes(mutated)).operation.verify()
        except OmbError as error:
            assert "\n" not in str(error)


def test_other_objects():
    assert "not int" in _refusal(7)
    assert "NoneType" in _refusal(None)


def test_text_that_is_not_utf8():
    data = _relu().SerializeToString().replace(b"relu", b"\xff\xfe\xfd\xfc")
    assert "UTF-8" in _refusal(data)


# ---- nesting


def _nested(levels: int) -> bytes:
    """An If in an If in an If …, written by hand: protobuf would not."""
    body = b""
    for _ in range(levels):
        attribute = wire.length_delimited(1, b"then_branch") + wire.length_delimited(6, body)
        node = wire.length_delimited(4, b"If") + wire.length_delimited(
            5, attribute + b"\xa0\x01\x05"
        )
        body = wire.length_delimited(1, node) + wire.length_delimited(2, b"g")
    return b"\x08\x08" + wire.length_delimited(7, body)


@pytest.mark.parametrize("levels", [40, 1000, 20_000])
def test_deeply_nested_subgraphs(levels: int):
    assert "nests subgraphs" in _refusal(_nested(levels))


def test_a_deeply_nested_proto():
    model = onnx.ModelProto(ir_version=9, opset_import=[helper.make_opsetid("", 17)])
    graph = model.graph
    for _ in range(5000):
        attribute = graph.node.add(op_type="If").attribute.add(name="then_branch", type=5)
        graph = attribute.g
        graph.name = "g"
    assert "nests subgraphs" in _refusal(model)


def test_nesting_that_protobuf_reads():
    """Twenty levels import."""
    output = helper.make_tensor_value_info("r", FLOAT, [2, 3])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["r"])], "g0", [], [output])
    for level in range(20):
        name = f"r{level}"
        node = helper.make_node("If", ["c"], [name], then_branch=graph, else_branch=graph)
        output = helper.make_tensor_value_info(name, FLOAT, [2, 3])
        graph = helper.make_graph([node], f"g{level}", [], [output])
        if level > 3:
            # Only one branch is deep: two would double the model with every level.
            flat = helper.make_graph(
                [helper.make_node("Relu", ["x"], ["f"])],
                "flat",
                [],
                [helper.make_tensor_value_info("f", FLOAT, [2, 3])],
            )
            graph.node[0].attribute[1].g.CopyFrom(flat)
    model = model_of(graph.node, {"x": X, "c": np.array(True)}, {"r19": FLOAT}, 17)
    assert import_model(model).operation.verify()


# ---- graphs


def _two_relus(first: list[str], second: list[str]) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Relu", first[:1], first[1:], "one"),
        helper.make_node("Relu", second[:1], second[1:], "two"),
    ]
    return model_of(nodes, {"x": X}, {"y": FLOAT}, 17)


def _wrong_attribute_type() -> onnx.ModelProto:
    node = helper.make_node("Softmax", ["x"], ["y"], "soft", axis="last")
    return model_of([node], {"x": X}, {"y": FLOAT}, 17)


def _unknown_attribute() -> onnx.ModelProto:
    node = helper.make_node("Relu", ["x"], ["y"], "relu", slope=2.0)
    return model_of([node], {"x": X}, {"y": FLOAT}, 17)


def _missing_attribute() -> onnx.ModelProto:
    node = helper.make_node("Concat", ["x", "x"], ["y"], "concat")
    return model_of([node], {"x": X}, {"y": FLOAT}, 17)


def _with_opset(domain: str, version: int) -> onnx.ModelProto:
    model = _relu()
    del model.opset_import[:]
    model.opset_import.add(domain=domain, version=version)
    return model


def _single(op: str, inputs: dict[str, np.ndarray], **attributes: object) -> onnx.ModelProto:
    node = helper.make_node(op, list(inputs), ["y"], "node", **attributes)
    return model_of([node], inputs, {"y": FLOAT}, 17)


def _from_the_future() -> onnx.ModelProto:
    model = _relu()
    model.ir_version = 99
    return model


def _declared_as(element: int) -> onnx.ModelProto:
    model = _relu()
    model.graph.output[0].type.tensor_type.elem_type = element
    return model


def _unknown_result_type() -> onnx.ModelProto:
    model = _relu()
    model.graph.input[0].type.Clear()
    return model


def _twice(kind: str) -> onnx.ModelProto:
    model = _matmul()
    values = getattr(model.graph, kind)
    values.add().CopyFrom(values[0])
    return model


def _output_of_two_types() -> onnx.ModelProto:
    model = _twice("output")
    model.graph.output[1].type.tensor_type.elem_type = INT64
    return model


GRAPHS: dict[str, tuple[Callable[[], onnx.ModelProto], tuple[str, ...]]] = {
    "no-graph": (lambda: onnx.ModelProto(ir_version=9), ("no graph",)),
    "empty-graph": (
        lambda: helper.make_model(helper.make_graph([], "g", [], [])),
        ("neither nodes",),
    ),
    "unknown-op": (lambda: _single("Florble", {"x": X}), ("node (Florble)", "no operator")),
    "unknown-domain": (
        lambda: _single("Gelu", {"x": X}, domain="com.example"),
        ("com.example", "not part of ONNX"),
    ),
    "op-of-a-later-opset": (lambda: _single("Gelu", {"x": X}), ("Gelu", "opset 17")),
    "cycle": (lambda: _two_relus(["b", "a"], ["a", "b"]), ("cyclic", "one (Relu)", "two (Relu)")),
    "self-loop": (lambda: _two_relus(["a", "a"], ["x", "y"]), ("cyclic", "one (Relu)")),
    "undefined-input": (lambda: _two_relus(["x", "a"], ["nope", "y"]), ("two (Relu)", "'nope'")),
    "two-producers": (lambda: _two_relus(["x", "y"], ["x", "y"]), ("'y'", "two producers")),
    "undefined-output": (lambda: _two_relus(["x", "a"], ["x", "b"]), ("y",)),
    "wrong-attribute-type": (_wrong_attribute_type, ("soft", "axis")),
    "unknown-attribute": (_unknown_attribute, ("relu", "slope")),
    "missing-attribute": (_missing_attribute, ("concat", "axis")),
    "too-many-inputs": (lambda: _single("Relu", {"x": X, "z": X}), ("node", "Relu")),
    "future-opset": (lambda: _with_opset("", 99), ("opset 99", "known")),
    "opset-zero": (lambda: _with_opset("", 0), ("opset 0",)),
    "no-opset-of-the-domain": (lambda: _with_opset("ai.onnx.ml", 3), ("relu", "not imported")),
    "future-ir": (_from_the_future, ("IR version 99",)),
    "type-mismatch": (
        lambda: _single("Add", {"x": X, "z": X.astype(np.float64)}),
        ("node", "Add"),
    ),
    "type-not-allowed": (lambda: _single("Not", {"x": X}), ("node", "Not")),
    "shape-mismatch": (lambda: _single("MatMul", {"x": X, "z": X}), ("node", "MatMul")),
    "declared-output-type": (lambda: _declared_as(INT64), ("'y'", "int64", "float")),
    "unknown-element-type": (lambda: _declared_as(77), ("y",)),
    "input-without-type": (_unknown_result_type, ("x",)),
    "two-inputs-of-a-name": (lambda: _twice("input"), ("two inputs", "'x'")),
    "two-initializers-of-a-name": (lambda: _twice("initializer"), ("two initializers", "'w'")),
    "an-output-of-two-types": (_output_of_two_types, ("'y'", "tensor(float) and as tensor(int64)")),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_graphs(name: str):
    build, words = GRAPHS[name]
    message = _refusal(build())
    assert all(word in message for word in words), message


# ---- tensors


def _tensor(**fields: object) -> onnx.ModelProto:
    model = _matmul()
    model.graph.initializer[0].CopyFrom(TensorProto(**{"name": "w", "data_type": FLOAT, **fields}))
    return model


TENSORS = {
    "too-little-data": ({"dims": [3, 700], "raw_data": bytes(4000)}, ("8400 bytes", "4000")),
    "too-much-data": ({"dims": [3, 7], "raw_data": bytes(88)}, ("84 bytes", "88")),
    "too-few-values": ({"dims": [3, 2], "float_data": [1.0] * 5}, ("6 entries", "5")),
    "no-data": ({"dims": [3, 2]}, ("no data",)),
    "overflow": ({"dims": [2**40, 2**40], "raw_data": bytes(16)}, ("impossible",)),
    "overflow-to-nothing": ({"dims": [2**32, 2**32, 2**32]}, ("impossible",)),
    "huge-without-data": ({"dims": [2**40]}, ("no data",)),
    "negative": ({"dims": [3, -1], "raw_data": bytes(12)}, ("negative",)),
    "unknown-type": ({"dims": [3], "data_type": 99, "raw_data": bytes(12)}, ("99",)),
    "undefined-type": ({"dims": [3], "data_type": 0, "raw_data": bytes(12)}, ("element type 0",)),
    "wrong-field": ({"dims": [3], "int64_data": [1, 2, 3]}, ("int64_data",)),
    "two-fields": (
        {"dims": [1], "float_data": [1.0], "raw_data": bytes(4)},
        ("more than one place",),
    ),
    "raw-strings": ({"dims": [1], "data_type": 8, "raw_data": b"a"}, ("string_data",)),
    "segment": (
        {"dims": [1], "float_data": [1.0], "segment": TensorProto.Segment(begin=0, end=1)},
        ("segments",),
    ),
}


@pytest.mark.parametrize("name", TENSORS)
def test_tensors(name: str):
    fields, words = TENSORS[name]
    message = _refusal(_tensor(**fields))
    assert all(word in message for word in ("'w'", *words)), message


def test_sparse_indices():
    sparse = onnx.SparseTensorProto(
        values=helper.make_tensor("w", FLOAT, [1], [1.0]),
        indices=helper.make_tensor("i", INT64, [1], [99]),
        dims=[3, 2],
    )
    model = _matmul()
    del model.graph.initializer[:]
    model.graph.sparse_initializer.append(sparse)
    assert "out of range" in _refusal(model)


# ---- external data


@pytest.fixture
def external(tmp_path: Path) -> Callable[..., Path]:
    """Writes a model whose weights are external; the keywords change the entries."""

    def write(**entries: str) -> Path:
        directory = tmp_path / "model"
        directory.mkdir(exist_ok=True)
        (directory / "weights.bin").write_bytes(WEIGHTS.tobytes())
        (tmp_path / "secret.bin").write_bytes(WEIGHTS.tobytes())
        model = _matmul()
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {"location": "weights.bin", **entries}.items():
            tensor.external_data.add(key=key, value=value)
        path = directory / "model.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return write


def test_external_data_is_found(external):
    assert import_model(external()).operation.verify()
    assert import_model(external(offset="0", length="8400", checksum="?")).operation.verify()


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"location": "../secret.bin"}, ("outside",)),
        ({"location": "sub/../../secret.bin"}, ("outside",)),
        ({"location": "..\\secret.bin"}, ("outside",)),
        ({"location": "C:\\secret.bin"}, ("outside",)),
        ({"location": "/etc/passwd"}, ("outside",)),
        ({"location": "a\0b"}, ("outside",)),
        ({"location": ""}, ("no location",)),
        ({"location": "nowhere.bin"}, ("nowhere.bin", "No such file")),
        ({"location": "."}, ("regular file",)),
        ({"location": "x" * 5000}, ("5000 bytes",)),
        ({"location": "x" * 300}, ("can't be read",)),
        ({"offset": "100"}, ("8500", "8400")),
        ({"length": "4"}, ("8400 bytes", "4 bytes")),
        ({"offset": "-4"}, ("offset", "-4")),
        ({"offset": "99999999999999999999999"}, ("offset",)),
        ({"length": "0x10"}, ("length",)),
    ],
    ids=lambda value: str(value)[:40],
)
def test_external_data_is_refused(external, entries, words):
    message = _refusal(external(**entries))
    assert all(word in message for word in ("'w'", *words)), message


def test_external_links(external, tmp_path: Path):
    path = external(location="link.bin")
    (path.parent / "link.bin").symlink_to(tmp_path / "secret.bin")
    assert "outside" in _refusal(path)
    (path.parent / "link.bin").unlink()
    (path.parent / "directory").symlink_to(tmp_path)
    assert "outside" in _refusal(external(location="directory/secret.bin"))
    (path.parent / "fifo").unlink(missing_ok=True)
    os.mkfifo(path.parent / "fifo")
    assert "regular file" in _refusal(external(location="fifo"))


def test_external_data_without_a_directory(external):
    path = external()
    data = path.read_bytes()
    assert "was not read from a file" in _refusal(data)
    assert "was not read from a file" in _refusal(onnx.ModelProto.FromString(data))
    assert import_model(data, base_dir=path.parent).operation.verify()
    assert "outside" in _refusal(external(location="../secret.bin").read_bytes(),
                                 base_dir=path.parent)  # fmt: skip
