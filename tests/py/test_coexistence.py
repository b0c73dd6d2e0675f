"""This package's MLIR beside others in one process, and what importing the package costs."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

OURS = """
from onnx_mlir_bridge import ir
with ir.Context():
    ours = ir.Module.parse("func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {"
                           " %0 = onnx.Relu(%x) : (tensor<2xf32>) -> tensor<2xf32>"
                           " return %0 : tensor<2xf32> }")
    assert "onnx.Relu" in str(ours)
"""

# The dialects of IREE's compiler, and its Python bindings of MLIR.
IREE = """
from iree.compiler import ir as iree_ir
with iree_ir.Context():
    theirs = iree_ir.Module.parse("func.func @f(%x: i32) -> i32 { return %x : i32 }")
    assert "func.func" in str(theirs)
"""

ONNX = """
import onnx, onnx.checker, onnx.shape_inference
from onnx import TensorProto as T, helper
info = [helper.make_tensor_value_info(n, T.FLOAT, ["n"]) for n in "xy"]
node = helper.make_node("Relu", ["x"], ["y"])
model = helper.make_model(helper.make_graph([node], "g", info[:1], info[1:]), ir_version=10,
                          opset_imports=[helper.make_opsetid("", 21)])
onnx.checker.check_model(onnx.shape_inference.infer_shapes(model), full_check=True)
"""

ONNXRUNTIME = (
    ONNX
    + """
import onnxruntime, numpy as np
theirs = onnxruntime.InferenceSession(model.SerializeToString(),
                                      providers=["CPUExecutionProvider"])
assert list(theirs.run(None, {"x": np.float32([-1, 1])})[0]) == [0, 1]
"""
)

SESSION = (
    ONNX
    + """
import numpy as np, onnx_mlir_bridge as omb
session = omb.InferenceSession(model, ["cpu"])
assert list(session.run(None, {"x": np.float32([-1, 1])})[0]) == [0, 1]
"""
)

PARTS = {"ours": OURS, "iree": IREE, "onnx": ONNX, "onnxruntime": ONNXRUNTIME, "session": SESSION}


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "order",
    [
        ("ours", "iree", "session"),
        ("iree", "ours", "session"),
        ("onnx", "ours", "iree"),
        ("session", "iree", "onnxruntime", "ours"),
        ("onnxruntime", "iree", "session"),
    ],
    ids="-".join,
)
def test_in_one_process(order: tuple[str, ...]) -> None:
    run("\n".join(PARTS[name] for name in (*order, *order)))


def test_contexts_do_not_mix() -> None:
    """A module of another MLIR is refused with an exception."""
    run(
        OURS
        + IREE
        + """
import onnx_mlir_bridge as omb
try:
    omb.compile(theirs)
except omb.OmbError as error:
    assert "a model is a path, bytes or an onnx.ModelProto" in str(error)
else:
    raise SystemExit("compiled a module of another MLIR")
"""
    )


def test_import_is_lazy_and_fast() -> None:
    out = run(
        """
        import sys, time
        begin = time.perf_counter()
        import onnx_mlir_bridge as omb
        took = time.perf_counter() - begin
        heavy = {"numpy", "onnx", "iree", "ml_dtypes", "click", "rich", "onnx_mlir_bridge._mlir"}
        assert not heavy & set(sys.modules), heavy & set(sys.modules)
        print(took)
        """
    )
    assert float(out) < 0.5


def test_package_contents() -> None:
    out = run(
        """
        import onnx_mlir_bridge as omb
        assert set(omb.__all__) <= set(dir(omb))
        for name in omb.__all__:
            assert getattr(omb, name) is not None, name
        assert isinstance(omb.__version__, str)
        try:
            omb.nonsense
        except AttributeError as error:
            print(error)
        """
    )
    assert out == "module 'onnx_mlir_bridge' has no attribute 'nonsense'\n"
