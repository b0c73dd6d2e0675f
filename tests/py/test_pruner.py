"""omb prune: which weights become zero, what the model is then, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import onnxruntime
import pytest
import small_models
from onnx import TensorProto, helper, numpy_helper
from onnx_mlir_bridge import cli
from onnx_mlir_bridge.importer import sparse as sparse_tensors
from onnx_mlir_bridge.importer.load import load
from small_models import tensor

FLOAT = TensorProto.FLOAT


def weight(*shape: int, scale: float = 1) -> np.ndarray:
    random = np.random.default_rng(list(shape))
    return (scale * random.standard_normal(shape)).astype(np.float32)


def network() -> onnx.ModelProto:
    """x of 4 x 32 -> MatMul w0 -> Gemm w1 (transposed) -> 4 x 24."""
    return small_models.model(
        [
            helper.make_node("MatMul", ["x", "w0"], ["h"], name="first"),
            helper.make_node("Gemm", ["h", "w1"], ["y"], name="second", transB=1),
        ],
        [tensor("x", FLOAT, (4, 32))],
        [tensor("y", FLOAT, (4, 24))],
        {"w0": weight(32, 48), "w1": weight(24, 48, scale=10)},
    )


def weights_of(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    loaded = load(model)
    found = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    for each in model.graph.sparse_initializer:
        found[each.values.name] = sparse_tensors.dense(each, loaded.payloads)
    return found


def zeros(array: np.ndarray) -> float:
    return 1 - np.count_nonzero(array) / array.size


def test_each_layer():
    model = network()
    made = omb.prune(model, sparsity=0.75)
    before, after = weights_of(model), weights_of(made.model)
    for name in ("w0", "w1"):
        kept = after[name] != 0
        assert zeros(after[name]) == 0.75
        np.testing.assert_array_equal(after[name][kept], before[name][kept])
        assert np.abs(before[name][~kept]).max() <= np.abs(before[name][kept]).min()
    assert [(each.name, each.kind, each.zeros) for each in made.layers] == [
        ("first", "MatMul", 1152),
        ("second", "Gemm", 864),
    ]
    assert 0.5 < made.layers[0].kept < 1
    assert model == network()  # isn't changed


def test_all_layers_together():
    after = weights_of(omb.prune(network(), sparsity=0.5, scope="global").model)
    total = sum(array.size for array in after.values())
    assert sum(np.count_nonzero(array) for array in after.values()) == total // 2
    # Those of the other layer are ten times larger.
    assert zeros(after["w0"]) > 0.75 and zeros(after["w1"]) < 0.2


@pytest.mark.parametrize("pattern", ["1x16", "4x4", "5x7"])
def test_blocks(pattern: str):
    rows, columns = map(int, pattern.split("x"))
    before, after = (
        weights_of(network()),
        weights_of(omb.prune(network(), sparsity=0.5, pattern=pattern).model),
    )
    for name, is_transposed in (("w0", False), ("w1", True)):
        matrix = after[name].T if is_transposed else after[name]
        was = before[name].T if is_transposed else before[name]
        norms, kept = [], []
        for top in range(0, matrix.shape[0], rows):
            for left in range(0, matrix.shape[1], columns):
                block = matrix[top : top + rows, left : left + columns]
                assert np.count_nonzero(block) in (0, block.size)
                kept.append(bool(np.count_nonzero(block)))
                old = was[top : top + rows, left : left + columns].astype(float)
                norms.append(np.sqrt(np.mean(old**2)))
        assert sum(kept) == len(kept) - round(0.5 * len(kept))
        norms, kept = np.array(norms), np.array(kept)
        assert norms[~kept].max() <= norms[kept].min() * (1 + 1e-6)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_fewer_inputs_than_a_group_has(rows: int):
    """Of 3, 2:4 makes one zero: half of them, rounded down."""
    w = np.arange(1, rows * 2 + 1, dtype=np.float32).reshape(rows, 2)
    model = small_models.model(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [small_models.tensor("x", TensorProto.FLOAT, ["m", rows])],
        [small_models.tensor("y", TensorProto.FLOAT, ["m", 2])],
        {"w": w},
    )
    (after,) = weights_of(omb.prune(model, pattern="2:4").model).values()
    assert np.count_nonzero(after == 0) == 2 * (rows // 2)
    assert (after[rows // 2 :] == w[rows // 2 :]).all()


@pytest.mark.parametrize(("pattern", "share"), [("2:4", 0.5), ("1:8", 7 / 8), ("3:5", 0.375)])
def test_some_of_each_few(pattern: str, share: float):
    kept, among = map(int, pattern.split(":"))
    after = weights_of(omb.prune(network(), pattern=pattern).model)
    for name, is_transposed in (("w0", False), ("w1", True)):
        matrix = after[name].T if is_transposed else after[name]
        whole = len(matrix) // among * among
        groups = matrix[:whole].reshape(-1, among, matrix.shape[1])
        assert (np.count_nonzero(groups, axis=1) == kept).all()
        assert zeros(matrix) == pytest.approx(share, abs=0.03)


def test_convolution():
    w = weight(6, 2, 3, 3)  # two groups of three channels
    model = small_models.model(
        [helper.make_node("Conv", ["x", "w"], ["y"], group=2)],
        [tensor("x", FLOAT, (1, 4, 5, 5))],
        [tensor("y", FLOAT, None)],
        {"w": w},
    )
    after = weights_of(omb.prune(model, sparsity=0.5).model)["w"]
    assert after.shape == w.shape and zeros(after) == 0.5
    kept = after != 0
    np.testing.assert_array_equal(after[kept], w[kept])


def test_same_outputs_everywhere():
    made = omb.prune(network(), sparsity=0.9).model
    onnx.checker.check_model(made)
    assert [s.values.name for s in made.graph.sparse_initializer] == ["w1", "w0"]
    x = weight(4, 32)
    after = weights_of(made)
    expected = x.astype(float) @ after["w0"] @ after["w1"].T
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    for got in (
        session.run(None, {"x": x})[0],
        omb.InferenceSession(omb.compile(made, sparse="on"), ["cpu"]).run(None, {"x": x})[0],
    ):
        # Sums of 48 products in f32.
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_stored_as_is_smaller():
    # 12 bytes for each value that is left, or 4 for each that there is.
    for sparsity, is_sparse in ((0.6, False), (0.7, True)):
        made = omb.prune(network(), sparsity=sparsity)
        assert bool(made.model.graph.sparse_initializer) == is_sparse
        assert (made.bytes_after < made.bytes_before) == is_sparse


def test_pruned_again():
    once = omb.prune(network(), sparsity=0.7).model
    twice = omb.prune(once, sparsity=0.9).model
    direct = omb.prune(network(), sparsity=0.9).model
    for name, array in weights_of(twice).items():
        np.testing.assert_array_equal(array, weights_of(direct)[name])


def test_excluded():
    before = weights_of(network())
    made = omb.prune(network(), sparsity=0.5, exclude=["sec*"])
    np.testing.assert_array_equal(weights_of(made.model)["w1"], before["w1"])
    made = omb.prune(network(), sparsity=0.5, exclude_ops=["MatMul"])
    np.testing.assert_array_equal(weights_of(made.model)["w0"], before["w0"])


def test_weights_that_others_read_stay():
    model = network()
    model.graph.node.append(helper.make_node("Neg", ["w0"], ["n"]))
    model.graph.output.append(tensor("n", FLOAT, (32, 48)))
    made = omb.prune(model, sparsity=0.5)
    assert [each.name for each in made.layers] == ["second"]
    assert any("'w0' isn't pruned" in notice for notice in made.notices)


def test_weights_of_two_layers():
    model = small_models.model(
        [
            helper.make_node("MatMul", ["x", "w"], ["h"], name="a"),
            helper.make_node("MatMul", ["h", "w"], ["y"], name="b"),
        ],
        [tensor("x", FLOAT, (2, 16))],
        [tensor("y", FLOAT, (2, 16))],
        {"w": weight(16, 16)},
    )
    made = omb.prune(model, sparsity=0.5)
    assert [(each.name, each.zeros) for each in made.layers] == [("a", 128), ("b", 128)]
    assert made.bytes_before == 16 * 16 * 4


def test_numbers_that_are_none_are_kept():
    w = weight(8, 8)
    w[0, 0], w[1, 1] = np.nan, -np.inf
    model = small_models.model(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [tensor("x", FLOAT, (2, 8))],
        [tensor("y", FLOAT, (2, 8))],
        {"w": w},
    )
    after = weights_of(omb.prune(model, sparsity=0.9).model)["w"]
    assert np.isnan(after[0, 0]) and after[1, 1] == -np.inf


BAD = {
    "nothing": ({}, "say how many weights become zero"),
    "all": ({"sparsity": 1}, "at least 0 and below 1, not 1"),
    "negative": ({"sparsity": -0.1}, "at least 0 and below 1, not -0.1"),
    "text": ({"sparsity": "0.9"}, "must be a number, not '0.9'"),
    "nan": ({"sparsity": float("nan")}, "at least 0 and below 1, not nan"),
    "pattern": ({"sparsity": 0.5, "pattern": "4"}, "the size of a block, such as '1x16'"),
    "empty blocks": ({"sparsity": 0.5, "pattern": "0x4"}, "the size of a block"),
    "all of them": ({"pattern": "4:4"}, "how many weights are kept of how many"),
    "both": ({"sparsity": 0.5, "pattern": "2:4"}, "leave sparsity out"),
    "global n:m": ({"pattern": "2:4", "scope": "global"}, "the same for all layers"),
    "scope": ({"sparsity": 0.5, "scope": "model"}, "scope must be 'layer' or 'global'"),
    "exclude": ({"sparsity": 0.5, "exclude": "a"}, "exclude is a sequence of names, not 'a'"),
    "unknown name": ({"sparsity": 0.5, "exclude": ["z"]}, "no node has the name 'z'"),
    "option": ({"sparsty": 0.5}, "do you mean 'sparsity'?"),
}


@pytest.mark.parametrize("name", BAD)
def test_refused(name: str):
    options, words = BAD[name]
    with pytest.raises(omb.OmbError) as caught:
        omb.prune(network(), **options)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_no_weights():
    model = small_models.model(
        [helper.make_node("Relu", ["x"], ["y"])],
        [tensor("x", FLOAT, (2,))],
        [tensor("y", FLOAT, (2,))],
    )
    with pytest.raises(omb.OmbError, match="the model has no weights to prune"):
        omb.prune(model, sparsity=0.5)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Runs a command line in this process: its status and what it printed."""

    def run_main(*arguments: str | Path) -> tuple[int, str]:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main([str(each) for each in arguments])
        return ended.value.code, capfd.readouterr().out

    return run_main


def test_command(run: Callable[..., tuple[int, str]], tmp_path: Path):
    model, output, report = tmp_path / "m.onnx", tmp_path / "p.onnx", tmp_path / "r.json"
    onnx.save(network(), model)
    status, out = run("prune", model, "-o", output, "--sparsity", "0.9", "--report", report)
    assert status == 0
    assert "90.0%  MatMul  first" in out and "zeros    90.0% of 2,688 weights" in out
    assert zeros(weights_of(onnx.load(output))["w0"]) == pytest.approx(0.9, abs=1e-3)
    assert json.loads(report.read_text())["layers"][1]["name"] == "second"
    assert run("prune", model, "-o", model, "--pattern=2:4")[0] == 1


def test_inspect_says_what_is_stored(run: Callable[..., tuple[int, str]], tmp_path: Path):
    model = tmp_path / "p.onnx"
    omb.prune(network(), sparsity=0.9).save(model)
    found = json.loads(run("inspect", model, "--json")[1])
    assert [(each["name"], each["shape"], each["zeros"]) for each in found["sparse"]] == [
        ("w1", [24, 48], pytest.approx(0.9, abs=1e-3)),
        ("w0", [32, 48], pytest.approx(0.9, abs=1e-3)),
    ]
    assert found["parameters"][0]["bytes"] == 12 * (115 + 154)
    text = run("inspect", model)[1]
    assert "sparse weights: 2" in text and "90.0% zeros  compiled dense" in text


def test_inspect_says_the_form(run: Callable[..., tuple[int, str]], tmp_path: Path):
    model = small_models.model(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [tensor("x", FLOAT, (128, 512))],
        [tensor("y", FLOAT, (128, 512))],
        {"w": weight(512, 512)},
    )
    for pattern, form in ((None, "by channels"), ("1x16", "in blocks")):
        path = tmp_path / "p.onnx"
        omb.prune(model, sparsity=0.9, pattern=pattern).save(path)
        assert f"90.0% zeros  compiled {form}  {form}: 0." in run("inspect", path)[1]
        estimate = json.loads(run("inspect", path, "--json")[1])["sparse"][0]["estimate"]
        assert estimate["form"] == form
        assert estimate["dense_bytes"] == 4 * 512 * 512
        # Those of a tenth of the elements, and a coordinate for each of these or for 16.
        stored = 512 * 512 * (0.1 * (6 if form == "by channels" else 4.125))
        assert estimate["bytes"] == pytest.approx(stored, rel=0.05)
        assert 0.1 < estimate["time"] < 0.4


def test_inspect_says_what_others_would_take(run: Callable[..., tuple[int, str]], tmp_path: Path):
    """Also of weights that are read transposed, and that stay dense."""
    model = small_models.model(
        [helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)],
        [tensor("x", FLOAT, (128, 512))],
        [tensor("y", FLOAT, (128, 512))],
        {"w": weight(512, 512)},
    )
    path = tmp_path / "p.onnx"
    omb.prune(model, sparsity=0.5).save(path)
    found = json.loads(run("inspect", path, "--json")[1])["sparse"][0]
    assert found["form"] == "dense"
    assert found["estimate"]["form"] == "by channels"
    assert found["estimate"]["time"] == pytest.approx(1.25, abs=0.01)


def test_quantized_afterwards():
    # The quantizer finds weights that are stored sparse.
    pruned = omb.prune(network(), sparsity=0.9).model
    assert pruned.graph.sparse_initializer
    made = omb.quantize(pruned, method="dynamic")
    assert [layer.name for layer in made.layers] == ["first", "second"]
