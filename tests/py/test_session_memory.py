"""Where a session's inputs and outputs lie, and which thread runs it: nobody notices either."""

from __future__ import annotations

import gc
import subprocess
import sys

import numpy as np
import onnx_mlir_bridge as omb
import pytest
import small_models
from onnx import TensorProto, helper
from onnx_mlir_bridge.runtime.inline_runs import InlineRuns

SIDE = 256  # 256 KiB a matrix
WEIGHT = np.arange(SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE)


@pytest.fixture(scope="module")
def compiled() -> omb.CompiledModel:
    """Large outputs that are computed, the input, a weight, the same, a part of one, another."""
    nodes = [
        helper.make_node("Add", ["x", "x"], ["sum"]),
        helper.make_node("Identity", ["x"], ["input"]),
        helper.make_node("Reshape", ["x", "flat"], ["flat_input"]),
        helper.make_node("Identity", ["sum"], ["again"]),
        helper.make_node("Slice", ["sum", "first", "last"], ["part"]),
        helper.make_node("Identity", ["w"], ["weight"]),
    ]
    shape = ["n", SIDE]
    outputs = {"sum": 2, "input": 2, "flat_input": 1, "again": 2, "part": 2, "weight": 2}
    constants = {
        "w": WEIGHT,
        "flat": np.array([-1]),
        "first": np.array([1]),
        "last": np.array([SIDE]),
    }
    return omb.compile(
        small_models.model(
            nodes,
            [small_models.tensor("x", TensorProto.FLOAT, shape)],
            [
                small_models.tensor(name, TensorProto.FLOAT, [None] * rank)
                for name, rank in outputs.items()
            ],
            constants,
        ),
        target="cpu",
    )


def _expected(x: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "sum": 2 * x,
        "input": x,
        "flat_input": x.reshape(-1),
        "again": 2 * x,
        "part": 2 * x[1:SIDE],
        "weight": WEIGHT,
    }


SUBSETS = {
    "all": ["sum", "input", "flat_input", "again", "part", "weight"],
    "one of them": ["sum"],
    "the same twice": ["again", "sum", "again"],
    "the input": ["input", "flat_input"],
    "a weight": ["weight"],
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("subset", SUBSETS)
def test_outputs_are_the_callers_alone(
    compiled: omb.CompiledModel, subset: str, threads: int
) -> None:
    session = omb.InferenceSession(compiled, ["cpu"], threads=threads)
    names = SUBSETS[subset]
    x = np.random.default_rng(1).standard_normal((SIDE, SIDE)).astype(np.float32)
    given = x.copy()
    kept = session.run(names, {"x": given})
    given[:] = -1  # after the run it is the caller's again
    for number, array in enumerate(kept):
        assert array.flags.writeable
        np.testing.assert_array_equal(array, _expected(x)[names[number]])
        array[:] = number  # no other changes
    later = session.run(names, {"x": x + 1})
    for name, array in zip(names, later, strict=True):
        np.testing.assert_array_equal(array, _expected(x + 1)[name])
    for number, array in enumerate(kept):
        assert (array == number).all()


def test_outputs_outlive_the_session(compiled: omb.CompiledModel) -> None:
    session = omb.InferenceSession(compiled, ["cpu"], threads=2)
    x = np.ones((SIDE, SIDE), np.float32)
    (total,) = session.run(["sum"], {"x": x})
    del session
    gc.collect()
    other = omb.InferenceSession(compiled, ["cpu"], threads=2)
    other.run(None, {"x": x + 7})
    np.testing.assert_array_equal(total, 2 * x)


def test_shapes_alternate(compiled: omb.CompiledModel) -> None:
    session = omb.InferenceSession(compiled, ["cpu"], threads=2)
    for rows in (SIDE, 1, 0, 3, SIDE, 3):
        x = np.full((rows, SIDE), rows, np.float32)
        for name, array in zip(SUBSETS["all"], session.run(None, {"x": x}), strict=True):
            np.testing.assert_array_equal(array, _expected(x)[name])


SCRIPT = """
import os, sys
import numpy as np, onnx_mlir_bridge as omb

session = omb.load(sys.argv[1], device="cpu", threads=2)
x = np.ones((256, 256), np.float32)
outputs = session.run(None, {"x": x})
assert os.fork() == 0 or os.wait()[1] == 0
del session
assert (outputs[0] == 2).all()
outputs[0] += 1
print("here", flush=True)
kept = outputs  # till the interpreter ends
"""


def test_outputs_after_a_fork_and_at_the_end(
    compiled: omb.CompiledModel, tmp_path_factory: pytest.TempPathFactory
) -> None:
    saved = tmp_path_factory.mktemp("saved") / "model.omb"
    compiled.save(saved)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(saved)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "here\nhere\n"


# --- which thread runs a model ------------------------------------------------------------------


def test_short_runs_become_the_callers() -> None:
    runs = InlineRuns()
    assert not runs.has(100)
    runs.add(100, 1e-3)  # the first run is long
    assert not runs.has(100)
    runs.add(100, 50e-6)
    assert runs.has(100)
    assert runs.has(120)
    assert not runs.has(1000)
    for seconds in (1, 1, 50e-6, 1, 1):
        runs.add(100, seconds)
        assert runs.has(100)
    runs.add(100, 1)
    assert not runs.has(100)
    assert not runs.is_open(100)


def test_long_runs_stay_the_pools() -> None:
    runs = InlineRuns()
    while runs.is_open(5000):
        runs.add(5000, 1e-3)
        assert not runs.has(5000)


def test_the_caller_gets_the_same() -> None:
    """Also of denormal numbers and NaNs: the processor's modes are the workers'."""
    node = [helper.make_node("Mul", ["x", "x"], ["square"])]
    infos = [small_models.tensor(name, TensorProto.FLOAT, [4]) for name in ("x", "square")]
    session = omb.InferenceSession(
        small_models.model(node, infos[:1], infos[1:]), ["cpu"], threads=2
    )
    x = np.array([3, 1e-20, np.nan, 1e-30], np.float32)
    (first,) = session.run(None, {"x": x})
    executable = session._plan.whole._executable
    executable._inline_runs.add(x.nbytes, seconds=0)
    (out,) = session.run(None, {"x": x})
    assert out.tobytes() == first.tobytes()
    assert executable._inline is not None


def test_what_keeps_state_stays_with_its_threads() -> None:
    node = [helper.make_node("RandomUniform", [], ["y"], shape=[2])]
    made = small_models.model(node, [], [small_models.tensor("y", TensorProto.FLOAT, [2])])
    session = omb.InferenceSession(made, ["cpu"], threads=2)
    assert session._plan.whole._executable._inline_runs is None
    seen = [tuple(session.run(None, {})[0]) for _ in range(50)]
    assert len(set(seen)) == 50
