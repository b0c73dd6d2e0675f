"""Models whose ranks depend on values of inputs: compiled at the first run, once for each value."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from onnx import parser
from onnx.reference import ReferenceEvaluator
from onnx_mlir_bridge import cli, importer
from onnx_mlir_bridge.compiler import pipeline, specialization
from onnx_mlir_bridge.runtime import variants


def model(inputs: str, body: str, outputs: str = "float y") -> onnx.ModelProto:
    """A model of opset 21; no outputs have shapes, unless they are given."""
    made = parser.parse_model(
        f'<ir_version: 10, opset_import: ["" : 21]> m ({inputs}) => ({outputs}) {{ {body} }}'
    )
    for output in made.graph.output:
        if not output.type.tensor_type.shape.dim:
            output.type.tensor_type.ClearField("shape")
    return made


def session(made: onnx.ModelProto, **options: object) -> omb.InferenceSession:
    return omb.InferenceSession(made, ["cpu"], fallback="error", **options)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).standard_normal(shape).astype(np.float32)


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What IREE compiles, one entry each."""
    done: list[str] = []
    compile_with_iree = pipeline.compile_with_iree

    def counted(*arguments: object) -> bytes:
        done.append("compiled")
        return compile_with_iree(*arguments)

    monkeypatch.setattr(pipeline, "compile_with_iree", counted)
    return done


SQUEEZE = model("float[a,b,c] x, int64[n] axes", "y = Squeeze (x, axes)")
SQUEEZE.graph.node[0].name = "squeeze"


# --- results --------------------------------------------------------------------------------------

X = numbers(2, 3)
RUNS = {
    "Squeeze": ("float[a,b] x, int64[n] k", "y = Squeeze (x, k)", [(numbers(1, 3), ints(0)),
        (numbers(1, 1), ints(0, -1)), (X, ints())]),
    "Unsqueeze": ("float[a,b] x, int64[n] k", "y = Unsqueeze (x, k)", [(X, ints(0)),
        (X, ints(-1, 1)), (X, ints())]),
    "Reshape": ("float[a,b] x, int64[n] k", "y = Reshape (x, k)", [(X, ints(3, 2)),
        (X, ints(-1)), (X, ints(0, 3, 1)), (numbers(1, 1), ints())]),
    "Expand": ("float[a,b] x, int64[n] k", "y = Expand (x, k)", [(X, ints(4, 2, 3)),
        (X, ints(3))]),
    "ReduceSum": ("float[a,b] x, int64[n] k", "y = ReduceSum <keepdims = 0> (x, k)",
        [(X, ints(1)), (X, ints(0, 1)), (X, ints())]),
    "ReduceMax that keeps dimensions": ("float[a,b] x, int64[n] k", "y = ReduceMax (x, k)",
        [(X, ints(1)), (X, ints(0, -1))]),
    "Slice": ("float[a,b] x, int64[n] k",
        "s, e = Split <num_outputs = 2> (k) y = Slice (x, s, e)",
        [(X, ints(1, 2)), (X, ints(0, 1, 2, 3))]),
    "Slice of some axes": ("float[a,b] x, int64[n] k",
        "s = Constant <value_ints = [1]> () e = Constant <value_ints = [2]> () "
        "y = Slice (x, s, e, k)", [(X, ints(0)), (X, ints(-1))]),
    "Pad": ("float[a,b] x, int64[n] k", "p = Concat <axis = 0> (k, k) v = Constant <value_float = "
        "0.0> () y = Pad (x, p, v, k)", [(X, ints(1)), (X, ints(0, 1))]),
    "a count": ("float[a,b] x, int64 k", "z = Constant <value_int = 0> () o = Constant "
        "<value_int = 1> () r = Range (z, k, o) y = Unsqueeze (x, r)",
        [(X, np.array(1)), (X, np.array(3))]),
    "arithmetic": ("float[a,b] x, int32[n] k", "t = Cast <to = 7> (k) o = Constant <value_ints = "
        "[1]> () m = Max (t, o) c = Concat <axis = 0> (m, o) y = Reshape (x, c)",
        [(X, np.array([2, 3], np.int32)), (numbers(4), np.array([4], np.int32))][:1]),
    "ConstantOfShape": ("float[a,b] x, int64[n] k", "c = ConstantOfShape (k) y = Add (c, x)",
        [(X, ints(2, 2, 3)), (X, ints(1))]),
    "If": ("float[a,b] x, bool k", "y = If (k) <then_branch = t () => (float[p,q] u) "
        "{u = Identity (x)}, else_branch = e () => (float[r] v) {m = Constant <value_ints = [-1]> "
        "() v = Reshape (x, m)}>", [(X, np.array(True)), (X, np.array(False))]),
    "in a branch": ("float[a,b] x, int64[n] k", "s = ReduceSum <keepdims = 0> (x) z = Constant "
        "<value_float = 0.0> () c = Greater (s, z) y = If (c) <then_branch = t () => (float u) "
        "{u = Unsqueeze (x, k)}, else_branch = e () => (float v) {w = Unsqueeze (x, k) "
        "v = Neg (w)}>", [(X, ints(0)), (-X, ints(1, 2))]),
    "SequenceAt": ("float[a,b] x, int64 k", "m = Constant <value_ints = [-1]> () v = Reshape "
        "(x, m) s = SequenceConstruct (x, v) y = SequenceAt (s, k)",
        [(X, np.array(0)), (X, np.array(-1))]),
    "AffineGrid": ("float[a,b,c] x, int64[n] k", "y = AffineGrid (x, k)",
        [(numbers(2, 2, 3), ints(2, 1, 3, 4)), (numbers(1, 3, 4), ints(1, 1, 2, 3, 2))]),
}  # fmt: skip


@pytest.mark.parametrize("case", RUNS)
def test_results(case: str, compilations: list[str]) -> None:
    """Compiled at the first run of each value; what is compiled has its ranks."""
    inputs, body, runs = RUNS[case]
    made = model(inputs, body)
    running = session(made)
    assert running.is_specialized
    assert compilations == []
    for _ in range(2):
        for x, k in runs:
            (actual,) = running.run(None, {"x": x, "k": k})
            (expected,) = ReferenceEvaluator(made).run(None, {"x": x, "k": k})
            np.testing.assert_allclose(actual, expected, rtol=1e-5)
            assert actual.shape == expected.shape
    assert len(compilations) == len(runs)


def test_another_input_may_follow(compilations: list[str]) -> None:
    """Whose value counts only for some values of the first."""
    made = model(
        "float[a,b] x, bool c, bool d",
        "m = Constant <value_ints = [-1]> () r = Reshape (x, m) y = If (c) <then_branch = t () => "
        "(float[p] u) {u = Identity (r)}, else_branch = e () => (float[q,w,z] v) {o = Constant "
        "<value_ints = [0]> () f = Unsqueeze (x, o) v = If (d) <then_branch = g () => (float h) "
        "{h = Identity (f)}, else_branch = i () => (float j) {j = Identity (x)}>}>",
    )
    running = session(made)
    for c, d in ((True, True), (True, False), (False, True), (False, False), (False, False)):
        feeds = {"x": X, "c": np.array(c), "d": np.array(d)}
        (actual,) = running.run(None, feeds)
        assert actual.shape == ((6,) if c else (1, 2, 3) if d else (2, 3))


# --- what is specialized --------------------------------------------------------------------------


def test_values_compile_once(compilations: list[str]) -> None:
    running = session(SQUEEZE)
    for axes, count in ((ints(0), 1), (ints(0), 1), (ints(1), 2), (ints(0, 1), 3), (ints(0), 3)):
        x = numbers(1, 1, 3)
        (y,) = running.run(None, {"x": x, "axes": axes})
        np.testing.assert_array_equal(y, np.squeeze(x, tuple(axes)))
        assert len(compilations) == count


def test_nothing_else_is_baked_in(compilations: list[str]) -> None:
    """Other inputs change in values and sizes, integers among them."""
    made = model(
        "float[a,b,c] x, int64[n] axes, int64[m] i, int64 j",
        "s = Squeeze (x, axes) g = Gather <axis = 0> (s, i) f = Cast <to = 1> (j) y = Add (g, f)",
    )
    assert [r.inputs for r in specialization.reasons(importer.prepare(made))] == [("axes",)]
    running = session(made)
    for x, i, j in (
        (numbers(3, 1, 4), ints(0, 1), 5),
        (numbers(5, 1, 2), ints(4, 0, 2), -1),
        (2 * numbers(5, 1, 2), ints(), 7),
    ):
        (y,) = running.run(None, {"x": x, "axes": ints(1), "i": i, "j": np.array(j)})
        np.testing.assert_array_equal(y, np.squeeze(x, 1)[i] + np.float32(j))
    assert len(compilations) == 1


NOT_SPECIALIZED = {
    "a declared rank": ("float[a,b] x, int64[n] k", "y = Reshape (x, k)", "float[p,q] y"),
    "a known number of axes": ("float[a,b] x, int64[1] k", "y = Squeeze (x, k)", "float y"),
    "axes that don't change the rank": ("float[a,b] x, int64 k", "y = CumSum (x, k)", "float y"),
    "sizes": ("float[a,b] x, int64[2] k", "y = Expand (x, k)", "float y"),
    "a constant": ("float[a,b] x, int64 k", "c = Constant <value_ints = [-1]> () "
        "r = Reshape (x, c) f = Cast <to = 1> (k) y = Add (r, f)", "float y"),
}  # fmt: skip


@pytest.mark.parametrize("case", NOT_SPECIALIZED)
def test_not_specialized(case: str, compilations: list[str]) -> None:
    made = model(*NOT_SPECIALIZED[case])
    assert not session(made).is_specialized
    assert len(compilations) == 1


DECLARED = {
    "Reshape": ("y = Reshape (x, k)", "float[p,q] y", ints(3, 2), ints(3, 2, 1)),
    "Squeeze": ("y = Squeeze (x, k)", "float[p] y", ints(0), ints()),
    "Unsqueeze": ("y = Unsqueeze (x, k)", "float[p,q,r] y", ints(0), ints(0, 1)),
    "Expand": ("y = Expand (x, k)", "float[p,q,r] y", ints(2, 3, 6), ints(1, 6)),
    "ReduceSum": ("y = ReduceSum <keepdims = 0> (x, k)", "float[p] y", ints(-1), ints(0, 1)),
}


@pytest.mark.parametrize("case", DECLARED)
def test_declared_ranks(case: str, compilations: list[str]) -> None:
    """They need no value; a value that gives another rank ends the run."""
    body, output, fitting, other = DECLARED[case]
    made = model("float[a,b] x, int64[n] k", body, output)
    running = session(made)
    assert len(compilations) == 1
    assert not running.is_specialized
    x = numbers(1, 6)
    (expected,) = ReferenceEvaluator(made).run(None, {"x": x, "k": fitting})
    (actual,) = running.run(None, {"x": x, "k": fitting})
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
    assert actual.shape == expected.shape
    with pytest.raises(omb.OmbError, match=f"{case}.*another rank than the model declares"):
        running.run(None, {"x": x, "k": other})


IRREDUCIBLE = {
    "data": ("float[n] k", "c = Cast <to = 7> (k)"),
    "a matrix": ("int64[n,m] k", "i = Constant <value_int = 0> () c = Gather <axis = 0> (k, i)"),
    "where something is": ("int64[n] k", "z = NonZero (k) m = Constant <value_ints = [-1]> () "
        "c = Reshape (z, m)"),
}  # fmt: skip


@pytest.mark.parametrize("case", IRREDUCIBLE)
def test_ranks_of_what_is_computed(case: str) -> None:
    """Not what follows from inputs by arithmetic on integers: the option `fallback` decides."""
    inputs, body = IRREDUCIBLE[case]
    made = model(f"float[a,b] x, {inputs}", f"{body} y = Reshape (x, c)")
    assert specialization.reasons(importer.prepare(made)) == ()
    with pytest.raises(omb.OmbError, match="rank of output 'y' is not known"):
        session(made)
    with pytest.warns(omb.FallbackWarning, match="'y'|rank"):
        omb.InferenceSession(made, ["cpu"])


def test_dead_nodes_and_open_data() -> None:
    """No input is baked in for what no output needs, or what isn't settled by it."""
    dead = model("float[a,b] x, int64[n] k", "d = Squeeze (x, k) y = Neg (x)", "float[a,b] y")
    assert specialization.reasons(importer.prepare(dead)) == ()
    open_data = model(
        "float[a,b] x, float[m] s, int64[n] k",
        "c = Cast <to = 7> (s) r = Reshape (x, c) y = Unsqueeze (r, k)",
    )
    assert specialization.reasons(importer.prepare(open_data)) == ()


def test_one_after_the_other(compilations: list[str]) -> None:
    """A rank that depends on a value, and then on another one."""
    running = session(
        model("float[a,b] x, int64[n] k, int64[m] l", "u = Unsqueeze (x, k) y = Unsqueeze (u, l)")
    )
    for k, m in (([0], [0, -1]), ([0], [0]), ([1, 2], [0]), ([0], [0, -1])):
        expected = np.expand_dims(np.expand_dims(X, k), m)
        (y,) = running.run(None, {"x": X, "k": ints(*k), "l": ints(*m)})
        np.testing.assert_array_equal(y, expected)
    assert len(compilations) == 3


def test_few_variants_are_kept(monkeypatch: pytest.MonkeyPatch, compilations: list[str]) -> None:
    """Those used last."""
    monkeypatch.setattr(variants, "MAX_VARIANTS", 2)
    running = session(SQUEEZE)

    def compiles(*axes: int) -> bool:
        before = len(compilations)
        running.run(None, {"x": numbers(1, 1, 1), "axes": ints(*axes)})
        return len(compilations) > before

    assert [compiles(0), compiles(1), compiles(0), compiles(2)] == [True, True, False, True]
    assert [compiles(0), compiles(2), compiles(1)] == [False, False, True]


def test_host_nodes_are_warned_of_at_the_run() -> None:
    made = model(
        "string[n] text, int64[k] axes",
        "f = Cast <to = 1> (text) y = Unsqueeze (f, axes)",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        running = omb.InferenceSession(made, ["cpu"])
    with pytest.warns(omb.FallbackWarning, match="works on strings"):
        (y,) = running.run(None, {"text": np.array(["1", "2"]), "axes": ints(0, 2)})
    np.testing.assert_array_equal(y, np.float32([[[1], [2]]]))


def test_threads(compilations: list[str]) -> None:
    """Values that several threads ask for at once are compiled once."""
    running = session(SQUEEZE)
    wrong: list[object] = []

    def run(number: int) -> None:
        x, axis = number * numbers(1, 1, 3), number % 2
        try:
            (y,) = running.run(None, {"x": x, "axes": ints(axis)})
            np.testing.assert_array_equal(y, np.squeeze(x, axis))
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(compilations) == 2


def test_specialize_before_the_run(compilations: list[str]) -> None:
    running = session(SQUEEZE)
    feeds = {"x": numbers(1, 2, 3), "axes": ints(0)}
    running.specialize(feeds)
    assert len(compilations) == 1
    running.run(None, feeds)
    assert len(compilations) == 1


# --- inputs ---------------------------------------------------------------------------------------


def test_inputs_stay_inputs() -> None:
    running = session(SQUEEZE)
    assert [str(i) for i in running.get_inputs()] == ["x: float[a, b, c]", "axes: int64[n]"]
    assert [str(o) for o in running.get_outputs()] == ["y: float[...]"]
    x = numbers(1, 2, 3)
    running.run(None, {"x": x, "axes": ints(0)})
    with pytest.raises(omb.OmbError, match="no value for input 'axes'"):
        running.run(None, {"x": x})
    with pytest.raises(omb.OmbError, match="input 'axes' is int32; the model takes int64"):
        running.run(None, {"x": x, "axes": np.array([0], np.int32)})
    with pytest.raises(omb.OmbError, match="input 'axes' has 0 dimensions"):
        running.run(None, {"x": x, "axes": np.array(0)})
    with pytest.raises(omb.OmbError, match="input 'x' has 2 dimensions"):
        running.run(None, {"x": x[0], "axes": ints(0)})


def test_named_sizes_are_shared() -> None:
    """The number of axes is the size of another input, too: a variant checks what it is given."""
    made = model("float[a,n] x, int64[n] axes", "y = Unsqueeze (x, axes)")
    running = session(made)
    (y,) = running.run(None, {"x": X[:, :2], "axes": ints(0, 1)})
    assert y.shape == (1, 1, 2, 2)
    with pytest.raises(omb.OmbError, match=r"so that 'n' is 2, but it is 3.*; they must be equal"):
        running.run(None, {"x": X, "axes": ints(0, 1)})


WRONG = {
    "an axis out of range": (ints(3), "with axes = \\[3\\], on which ranks depend: .*squeeze"),
    "an axis that isn't one": (ints(1), "running the model|squeeze"),
    "an axis twice": (ints(0, 0), "squeeze"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_values(case: str, compilations: list[str]) -> None:
    axes, message = WRONG[case]
    running = session(SQUEEZE)
    for _ in range(2):
        with pytest.raises(omb.OmbError, match=message):
            running.run(None, {"x": numbers(1, 2, 3), "axes": axes})
    (y,) = running.run(None, {"x": numbers(1, 2, 3), "axes": ints(0)})
    assert y.shape == (2, 3)


# --- compilation before the run -------------------------------------------------------------------

REFUSAL = (
    r"squeeze \(Squeeze\): the rank of its result depends on the value of 'axes'; .*"
    r"constants=\{'axes': \.\.\.\}"
)


def test_compile_refuses(tmp_path: Path) -> None:
    for fallback in ("host", "error"):
        with pytest.raises(omb.OmbError, match=REFUSAL):
            omb.compile(SQUEEZE, fallback=fallback)
    onnx.save(SQUEEZE, tmp_path / "m.onnx")
    arguments = ["compile", str(tmp_path / "m.onnx"), "-o", str(tmp_path / "m.omb")]
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == 1
    assert not (tmp_path / "m.omb").exists()


@pytest.mark.parametrize("axes", [ints(0, 2), [0, 2], (0, 2)], ids=["array", "list", "tuple"])
def test_compile_with_constants(tmp_path: Path, axes: object) -> None:
    compiled = omb.compile(SQUEEZE, constants={"axes": axes}, fallback="error")
    compiled.save(tmp_path / "m.omb")
    loaded = omb.load(tmp_path / "m.omb")
    assert [str(i) for i in loaded.get_inputs()] == ["x: float[a, b, c]"]
    assert [str(o) for o in loaded.get_outputs()] == ["y: float[b]"]
    x = numbers(1, 4, 1)
    np.testing.assert_array_equal(loaded.run(None, {"x": x})[0], x[0, :, 0])


def test_any_input_may_be_a_constant(tmp_path: Path) -> None:
    """Sizes that it shares with others are theirs; large ones are weights."""
    made = model("float[n,m] x, float[m] w", "y = Mul (x, w)", "float[n,m] y")
    w = numbers(5000)
    compiled = omb.compile(made, constants={"w": w})
    compiled.save(tmp_path / "m.omb")
    running = omb.load(tmp_path / "m.omb")
    assert [str(i) for i in running.get_inputs()] == ["x: float[n, 5000]"]
    np.testing.assert_array_equal(running.run(None, {"x": w[None]})[0], w[None] * w)


BAD_CONSTANTS = {
    "no input": ({"axis": [0]}, "constants: the model has no input 'axis'"),
    "another type": ({"axes": np.array([0], np.int32)}, "input 'axes' is int32"),
    "another rank": ({"axes": 0}, "input 'axes' has 0 dimensions"),
    "halves": ({"axes": [0.5]}, "which can't hold"),
    "no mapping": ([("axes", [0])], "constants is a mapping"),
}


@pytest.mark.parametrize("case", BAD_CONSTANTS)
def test_bad_constants(case: str) -> None:
    constants, message = BAD_CONSTANTS[case]
    with pytest.raises(omb.OmbError, match=message):
        omb.compile(SQUEEZE, constants=constants)


def test_constants_of_a_module() -> None:
    module = omb.import_model(model("float[a] x", "y = Neg (x)"))
    with pytest.raises(omb.OmbError, match="constants are for ONNX models"):
        omb.compile(module, constants={"x": [1.0]})


def test_constants_that_settle_one_of_two() -> None:
    """The other one's value still comes from the run."""
    made = model(
        "float[a,b] x, int64[n] k, int64[m] l", "u = Unsqueeze (x, k) y = Unsqueeze (u, l)"
    )
    running = session(made, constants={"k": [0]})
    assert [i.name for i in running.get_inputs()] == ["x", "l"]
    assert running.run(None, {"x": X, "l": ints(0)})[0].shape == (1, 1, 2, 3)


# --- the command line -----------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> Path:
    onnx.save(SQUEEZE, tmp_path / "m.onnx")
    np.save(tmp_path / "axes.npy", ints(0, 2))
    return tmp_path


def test_run(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["run", str(files / "m.onnx"), "-i", "x=1x5x1", "-i", f"axes={files}/axes.npy"])
    out = capsys.readouterr().out
    assert end.value.code == 0, out
    assert "compiled for these inputs in" in out
    assert re.search(r"y +float32 +\[5\]", out)


def test_inspect(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["inspect", str(files / "m.onnx")])
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert "compiled at the first run, and anew for each value of an input" in out
    assert "squeeze (Squeeze): the rank of its result depends on the value of 'axes'" in out
    assert "can't be compiled" not in out


def test_compile_with_a_constant(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for value in ("[0, 2]", f"{files}/axes.npy"):
        with pytest.raises(SystemExit) as end:
            cli.main(
                ["compile", f"{files}/m.onnx", "-o", f"{files}/m.omb", f"--constant=axes={value}"]
            )
        assert end.value.code == 0
        assert [str(i) for i in omb.load(files / "m.omb").get_inputs()] == ["x: float[a, b, c]"]


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ("axes", 2, "not of the form name=file.npy"),
        ("axes=zero", 1, "neither a .npy file nor JSON"),
        ("axes=none.npy", 1, "neither a .npy file nor JSON"),
        ("axis=[0]", 1, "the model has no input 'axis'"),
        ('axes={"a": 0}', 1, "input 'axes' is a dict"),
    ],
)
def test_bad_constants_of_the_command_line(
    files: Path, capsys: pytest.CaptureFixture[str], given: str, code: int, message: str
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["compile", f"{files}/m.onnx", "-o", f"{files}/m.omb", "--constant", given])
    assert end.value.code == code
    assert message in capsys.readouterr().err


def test_profile(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["-i", "x=1x64x1", "-i", f"axes={files}/axes.npy", "--runs", "2"]
    with pytest.raises(SystemExit) as end:
        cli.main(["profile", str(files / "m.onnx"), *given])
    captured = capsys.readouterr()
    assert end.value.code == 0, captured.err


def test_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "ranks.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    assert (tmp_path / "squeeze.omb").exists()
