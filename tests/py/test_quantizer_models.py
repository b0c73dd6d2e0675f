"""What models the quantizer takes and refuses; the command omb quantize."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from models import quantized
from models.graph import FLOAT, Graph
from onnx import TensorProto, helper, numpy_helper
from onnx_mlir_bridge import cli
from onnx_mlir_bridge.cli import commands
from onnx_mlir_bridge.quantizer import observers, options
from onnx_mlir_bridge.quantizer.layers import Exclusion
from onnx_mlir_bridge.quantizer.model import load
from onnx_mlir_bridge.quantizer.placement import plan
from onnx_mlir_bridge.quantizer.prepare import prepare
from onnx_mlir_bridge.quantizer.quality import Sensitivity
from test_quantizer import Structure, _run

Shape = list[int | str]


def _model(
    nodes: list[onnx.NodeProto],
    constants: dict[str, np.ndarray],
    opset: int = 13,
    shape: Shape | None = None,
    **more: object,
) -> onnx.ModelProto:
    """x, of 2 x 4 if nothing else is said, to y."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape or [2, 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", "columns"])
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "g", [x], [y], tensors)
    opsets = [helper.make_opsetid("", opset), *more.pop("opsets", [])]
    return helper.make_model(graph, opset_imports=opsets, **more)


def _product(**more: object) -> onnx.ModelProto:
    weight = np.random.default_rng(0).standard_normal((4, 4)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")]
    return _model(nodes, {"w": weight}, **more)


X = [{"x": np.random.default_rng(1).standard_normal((2, 4)).astype(np.float32)}]


# --- opsets, functions, subgraphs, external data ------------------------------------------------


@pytest.mark.parametrize("in_subgraph", [False, True])
def test_opset_is_raised(in_subgraph: bool) -> None:
    """By onnx's converter, or by this package's own where that one doesn't do."""
    big = np.random.default_rng(2).standard_normal((2, 16)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], name="product"),
        helper.make_node("Unsqueeze", ["a"], ["b"], axes=[0]),
        helper.make_node("Squeeze", ["b"], ["c"], axes=[0]),
    ]
    if in_subgraph:
        constant = helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(big))
        branches = [
            helper.make_graph(
                [constant, helper.make_node(op, ["k", "c"], ["r"])],
                op,
                [],
                [helper.make_tensor_value_info("r", TensorProto.FLOAT, ["rows", "columns"])],
            )
            for op in ("Add", "Sub")
        ]
        nodes.append(
            helper.make_node(
                "If", ["yes"], ["y"], name="if", then_branch=branches[0], else_branch=branches[1]
            )
        )
    else:
        nodes.append(helper.make_node("Softmax", ["c"], ["y"], axis=0))
    weight = np.random.default_rng(3).standard_normal((4, 16)).astype(np.float32)
    constants = {"w": np.tile(weight, (1, 1)), "yes": np.array(True)}
    if in_subgraph:
        big = np.tile(big, (1, 1))
    model = _model(nodes, constants, opset=11)
    made = omb.quantize(model, method="weight-only", bits=8, block_size=0)
    onnx.checker.check_model(made.model, full_check=True)
    assert made.model.opset_import[0].version == 13
    assert made.notices[0] == "the model's opset is raised from 11 to 13"
    (actual,), (expected,) = _run(made.model, X[0]), _run(model, X[0])
    np.testing.assert_allclose(actual, expected, atol=0.05)
    if in_subgraph:
        assert made.notices[1] == "subgraphs are left as they are: those of if (If)"


def test_large_constants_of_subgraphs() -> None:
    """They aren't in the model that is raised."""
    value = np.random.default_rng(4).standard_normal((2, 4096)).astype(np.float32)
    branch = [
        helper.make_graph(
            [
                helper.make_node(
                    "Constant", [], ["k"], value=numpy_helper.from_array(sign * value)
                ),
                helper.make_node("Add", ["k", "a"], ["r"]),
            ],
            "branch",
            [],
            [helper.make_tensor_value_info("r", TensorProto.FLOAT, ["rows", "columns"])],
        )
        for sign in (1, -1)
    ]
    weight = np.random.default_rng(5).standard_normal((4, 4096)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("If", ["no"], ["y"], then_branch=branch[0], else_branch=branch[1]),
    ]
    model = _model(nodes, {"w": weight, "no": np.array(False)}, opset=11)
    made = omb.quantize(model, method="weight-only", bits=8, block_size=0)
    assert made.model.opset_import[0].version == 13
    (actual,), (expected,) = _run(made.model, X[0]), _run(model, X[0])
    np.testing.assert_allclose(actual, expected, atol=0.05)


def test_models_that_onnx_cannot_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    """This package's own upgrade can: to the newest opset."""

    def refuse(model: onnx.ModelProto, version: int) -> onnx.ModelProto:
        raise RuntimeError("no adapter")

    monkeypatch.setattr(onnx.version_converter, "convert_version", refuse)
    model = _product(opset=9)
    made = omb.quantize(model, method="weight-only", bits=8, block_size=0)
    newest = onnx.defs.onnx_opset_version()
    assert made.notices == (f"the model's opset is raised from 9 to {newest}",)
    onnx.checker.check_model(made.model, full_check=True)
    (actual,) = omb.InferenceSession(made.model, providers=["cpu"]).run(None, X[0])
    np.testing.assert_allclose(actual, _run(model, X[0])[0], atol=0.05)


def test_functions_stay() -> None:
    """Unless the opset has to be raised, for which they are inlined."""
    body = helper.make_function(
        "own", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])],
        [helper.make_opsetid("", 13)],
    )  # fmt: skip
    weight = np.random.default_rng(6).standard_normal((4, 4)).astype(np.float32)
    nodes = [
        helper.make_node("Twice", ["x"], ["a"], domain="own", name="twice"),
        helper.make_node("MatMul", ["a", "w"], ["y"]),
    ]
    model = _model(nodes, {"w": weight}, functions=[body], opsets=[helper.make_opsetid("own", 1)])
    kept = omb.quantize(model, method="weight-only", bits=8, block_size=0)
    assert [f.name for f in kept.model.functions] == ["Twice"]
    assert kept.notices == ("functions are left as they are: those of twice (own.Twice)",)
    inlined = omb.quantize(model, method="weight-only", bits=8)
    assert inlined.notices[0] == "the model's functions are inlined, as its opset is raised"
    (expected,) = _run(model, X[0])
    for made in (kept, inlined):
        np.testing.assert_allclose(_run(made.model, X[0])[0], expected, atol=0.1)


def test_values_of_subgraphs_stay_float() -> None:
    """What a subgraph takes from outside has no pair there."""
    branch = helper.make_graph(
        [helper.make_node("Neg", ["a"], ["r"])],
        "branch",
        [],
        [helper.make_tensor_value_info("r", TensorProto.FLOAT, ["rows", "columns"])],
    )
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("If", ["yes"], ["c"], then_branch=branch, else_branch=branch),
        helper.make_node("Add", ["b", "c"], ["y"]),
    ]
    weight = np.random.default_rng(7).standard_normal((4, 4)).astype(np.float32)
    model = prepare(load(_model(nodes, {"w": weight, "yes": np.array(True)}), 13), NOTHING)
    found = plan(model, NOTHING, quantize_outputs=False)
    assert found.results == {"a": "a"}  # not behind the Relu, as the subgraph sees it
    assert found.produced == {"a"}


NOTHING = Exclusion((), ())


def test_external_data(tmp_path: Path) -> None:
    model = _product()
    inside = omb.quantize(model, method="weight-only", block_size=2)
    path = tmp_path / "model.onnx"
    onnx.save(model, path, save_as_external_data=True, location="weights", size_threshold=0)
    assert omb.quantize(path, method="weight-only", block_size=2).model == inside.model
    (tmp_path / "weights").unlink()
    with pytest.raises(omb.OmbError, match="external data of tensor 'w' can't be read"):
        omb.quantize(path, method="weight-only")


def test_exclusion() -> None:
    model = prepare(load(quantized.cnn(), 13), NOTHING)
    names = [node.name or node.output[0] for node in model.nodes]
    kinds = {node.name: node.op_type for node in model.nodes}
    some = Exclusion(["/Conv_1*"], ["Gemm"])
    found = [layer.name for layer in plan(model, some, quantize_outputs=False).layers]
    expected = [name for name in names if kinds[name] == "Conv" and not name.startswith("/Conv_1")]
    assert 0 < len(expected) < sum(kind == "Conv" for kind in kinds.values())
    assert found == expected


# --- errors -------------------------------------------------------------------------------------

REFUSED = {
    "no data": ({}, None, "static quantization needs calibration data"),
    "no samples": ({}, [], "the calibration data have no samples"),
    "data and random": ({"random": 2}, X, "not both"),
    "random of nothing": ({"random": 0}, None, "random must be a positive number"),
    "a shape": ({"random": 1, "shapes": {"x": (3, 4)}}, None, r"can't have the shape \[3, 4\]"),
    "shapes for data": ({"shapes": {"x": (2, 4)}}, X, "shapes are for random data"),
    "an unknown option": ({"calibrate": "mse"}, X, "do you mean 'calibration'"),
    "an unknown method": ({"method": "static8"}, X, "method must be one of 'static'"),
    "an unknown calibration": ({"calibration": "max"}, X, "must be one of 'min-max'"),
    "an option of another method": ({"bits": 4}, X, "bits is an option of method='weight-only'"),
    "bits": ({"method": "weight-only", "bits": 3}, None, "bits must be one of 4, 8, not 3"),
    "a block": ({"method": "weight-only", "block_size": -1}, None, "block_size must be 0 or"),
    "a percentile": ({"calibration": "percentile", "percentile": 101}, X, "from 50 to 100"),
    "no percentile": ({"percentile": 99}, X, "percentile is for calibration='percentile'"),
    "a batch of arrays": ({"batch_size": 2}, X, "batch_size is for calibration data in files"),
    "an unknown name": ({"exclude": ["conv*"]}, X, "no node has the name 'conv\\*'"),
    "an unknown operator": ({"exclude_ops": ["Conv"]}, X, "the model has no operator 'Conv'"),
    "one name": ({"exclude": "product"}, X, "exclude is a list of strings"),
    "everything excluded": (
        {"exclude": ["prod*"]},
        X,
        "nothing to quantize: the model's main graph has no Conv, .* that is not excluded",
    ),
    "sensitivity": (
        {"method": "dynamic", "sensitivity": True},
        X,
        "sensitivity is an option of method='static'",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what: str) -> None:
    given, data, message = REFUSED[what]
    with pytest.raises(omb.OmbError, match=message):
        omb.quantize(_product(), data, **given)


def test_values_that_are_not_finite() -> None:
    """The error names the value: a logarithm's, not the input."""
    model = _product()
    model.graph.node.insert(0, helper.make_node("Log", ["x"], ["log"]))
    model.graph.node[1].input[0] = "log"
    with pytest.raises(omb.OmbError, match="'log' has NaN in the calibration data"):
        omb.quantize(model, X)


def test_quantized_models_are_refused() -> None:
    made = omb.quantize(_product(), method="weight-only")
    with pytest.raises(omb.OmbError, match=r"quantized already: it has .*\(DequantizeLinear\)"):
        omb.quantize(made.model, X)


def test_inputs_that_are_no_tensors() -> None:
    model = _product()
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, [2]))
    model.graph.input.append(onnx.ValueInfoProto(name="s", type=kind))
    with pytest.raises(omb.OmbError, match=r"input 's' is seq\(tensor\(float\)\)"):
        omb.quantize(model, X)


def test_an_interrupted_iterator_leaves_nothing(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def interrupted() -> Iterator[dict[str, np.ndarray]]:
        yield X[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        omb.quantize(_product(), interrupted())
    assert [path for path in tmp_path.iterdir() if path.name.startswith("omb-quantize")] == []


# --- the command line ---------------------------------------------------------------------------


def test_choices_are_those_of_the_package() -> None:
    assert commands.QUANTIZE_METHODS == options.METHODS
    assert commands.CALIBRATIONS == observers.METHODS
    assert commands.ACTIVATIONS == options.ACTIVATIONS
    shown = commands.quantize.make_context("quantize", ["m", "-o", "o"]).params
    given = {name: value for name, value in shown.items() if value not in (None, (), {})}
    defaults = vars(options.QuantizeOptions())
    common = given.keys() & defaults.keys()
    assert len(common) >= 12
    for name in common:
        assert str(given[name]) == str(defaults[name]), name


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]):
    """Runs omb quantize in this process: its status and what it prints."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["quantize", *map(str, arguments)])
        return (ended.value.code, *capfd.readouterr())

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    g = Graph("model", opset=13)
    x = g.input("x", FLOAT, ["n", 6])
    wide = g.random.standard_normal((6, 8))
    wide[0] *= 100  # one scale for all of a channel is a bad one
    x = g.op("Tanh", g.op("MatMul", x, g.constant(wide)))
    g.output(g.op("Gemm", x, g.weight(8, 3), g.bias(3)), "y", FLOAT, ["n", 3])
    onnx.save(g.model(), tmp_path / "model.onnx")
    random = np.random.default_rng(12)
    np.savez(tmp_path / "data.npz", x=random.standard_normal((3, 4, 6)).astype(np.float32))
    return tmp_path


def test_command(command, folder: Path) -> None:
    out, report = folder / "q.onnx", folder / "report.json"
    arguments = ["--data", folder / "data.npz", "--calibration=mse", "--report", report]
    status, printed, err = command(folder / "model.onnx", "-o", out, *arguments)
    assert (status, err) == (0, "")
    made = onnx.load(out)
    onnx.checker.check_model(made, full_check=True)
    assert len(Structure(made).ops("QuantizeLinear")) == 3
    document = json.loads(report.read_text())
    assert document["operators"] == {"MatMul": 1, "Gemm": 1}
    assert document["snr"]["y"] > 5
    first, second = document["sensitivities"]
    assert (first["kind"], second["kind"]) == ("MatMul", "Gemm")
    # The errors of the two add up.
    assert document["snr"]["y"] - 1 < first["snr"] < second["snr"]
    assert re.search(r"^ +[\d.]+ dB  MatMul  /MatMul_\d+$", printed, re.MULTILINE)
    assert re.search(r"^quantized +2 nodes: 1 MatMul, 1 Gemm$", printed, re.MULTILINE)
    assert re.search(r"^weights +300 bytes, now \d+ bytes$", printed, re.MULTILINE)
    assert re.search(rf"^output y +{document['snr']['y']:.1f} dB", printed, re.MULTILINE)
    assert f"wrote {out}\nwrote {report}\n" in printed


def test_random_data_are_warned_of(command, folder: Path) -> None:
    out = folder / "q.onnx"
    status, _, err = command(
        folder / "model.onnx", "-o", out, "--random", "2", "--shape", "x=5x6", "--method=dynamic"
    )
    assert status == 0
    assert err.startswith("warning: the calibration data are random: ")
    assert len(Structure(onnx.load(out)).ops("MatMulInteger")) == 2


def test_command_errors(command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    model, data = folder / "model.onnx", ["--data", folder / "data.npz"]
    before = model.read_bytes()
    out = folder / "q.onnx"
    plot = [model, "-o", out, *data, "--plot"]
    for arguments, status, message in (
        ([model, "-o", model, *data], 1, "is the model itself"),
        ([model, "-o", folder / "no" / "q.onnx", *data], 1, "can't be written: No such file"),
        ([model, "-o", folder, *data], 1, "can't be written: it is a directory"),
        ([model, "-o", out], 1, "needs calibration data"),
        ([*plot, folder / "p.png"], 1, "needs matplotlib, which is not installed"),
        ([*plot, folder / "p.gif"], 1, "a plot is a .pdf, .png, .svg file"),
        ([folder / "none.onnx", "-o", out, *data], 1, "there is no file"),
        ([model, *data], 2, "Missing option '-o'"),
        ([model, "-o", out, "--random=1", "--shape", "x"], 2, "not of the form name="),
    ):
        ended, printed, err = command(*arguments)
        assert ended == status, err
        assert printed == ""
        assert re.match(f"error: .*{message}", err), err
    assert model.read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["data.npz", "model.onnx"]


def test_plot(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from onnx_mlir_bridge.quantizer.plot import plot

    layers = [Sensitivity(f"block/${n}/conv", "Conv", 20.0 + n) for n in range(70)]
    layers.append(Sensitivity("exact", "Add", float("inf")))
    plot(layers, tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
