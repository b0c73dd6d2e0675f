"""omb profile: whose time is shown, how it is added up, and what is refused."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
import small_models
from interrupts import interruptible
from models.targets import has_device, needs_vulkan
from onnx import TensorProto, parser
from onnx_mlir_bridge import cli
from onnx_mlir_bridge.cli import profiling as printing
from onnx_mlir_bridge.profiling import capture, nodes, report, runs, trace
from onnx_mlir_bridge.runtime import devices

LOOP = """
    <ir_version: 10, opset_import: ["" : 21]>
    loop (float[32,32] x, int64 n) => (float[32,32] y) <bool go = {1}> {
        [start] first = Relu (x)
        [repeat] y = Loop (n, go, first) <body = body (int64 i, bool c, float[32,32] s)
                                              => (bool d, float[32,32] t) {
            d = Identity (c)
            [multiply] p = MatMul (s, s)
            [bend] t = Tanh (p)
        }>
    }
"""

TOKENS = """
    <ir_version: 10, opset_import: ["" : 21]>
    tokens (float[n,3,4,4] x, float[1,1,3] first) => (float[n,17,3] y) {
        flat = Constant <value_ints: ints = [0, 3, 16]> ()
        [view] a = Reshape (x, flat)
        [turn] b = Transpose <perm = [0, 2, 1]> (a)
        [count] size = Shape <start = 0, end = 1> (x)
        ones = Constant <value_ints: ints = [1, 1]> ()
        [sizes] shape = Concat <axis = 0> (size, ones)
        [spread] c = Expand (first, shape)
        [join] d = Concat <axis = 1> (c, b)
        [twice] y = Add (d, d)
    }
"""

BRANCHES = """
    <ir_version: 10, opset_import: ["" : 21]>
    branches (float[16,16] x, bool b) => (float[16,16] y) {
        y = If (b) <
            then_branch = yes () => (float[16,16] u) { [sine] u = Sin (x) },
            else_branch = no () => (float[16,16] v) { [cosine] v = Cos (x) }>
    }
"""


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]):
    """Runs omb profile in this process: status, output, errors."""

    def run_main(*arguments: str | Path) -> tuple[int, str, str]:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main(["profile", *map(str, arguments)])
        return (ended.value.code, *capfd.readouterr())

    return run_main


@pytest.fixture
def profiled(run):
    """What omb profile --json gives, on the CPU."""

    def run_json(*arguments: str | Path) -> dict:
        status, out, err = run(*arguments, "--json", "--device", "cpu", "--runs", "3")
        assert (status, err) == (0, "")
        return json.loads(out)

    return run_json


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models")
    onnx.save(small_models.product((64, 64), 64), path / "product.onnx")
    onnx.save(small_models.affine(), path / "affine.onnx")
    onnx.save(small_models.not_lowered(), path / "decode.onnx")
    onnx.save(parser.parse_model(LOOP), path / "loop.onnx")
    onnx.save(parser.parse_model(BRANCHES), path / "branches.onnx")
    np.save(path / "three.npy", np.int64(3))
    omb.compile(path / "product.onnx").save(path / "product.omb")
    omb.compile(path / "product.onnx", cpu="generic").save(path / "generic.omb")
    return path


def error_of(done: tuple[int, str, str]) -> str:
    """The one line on standard error."""
    status, out, err = done
    assert (status, out) == (1, ""), err
    assert err.count("\n") == 1, err
    return err.removeprefix("error: ").strip()


def test_table(run, folder: Path) -> None:
    arguments = ["--device", "cpu", "--threads", "2", "--runs", "3"]
    status, out, err = run(folder / "affine.onnx", "-i", "x=512x3", *arguments)
    assert (status, err) == (0, "")
    title, *rows = out.split("\n\n")[0].splitlines()
    assert title.split() == ["time", "share", "calls", "workgroups", "dispatch", "nodes"]
    assert len(rows) == 2
    assert "add (Add) + add_bias (Add)" in out
    assert "add_twice (Add)" in out
    assert sum(float(share) for share in re.findall(r"([\d.]+) %  ", out)) == pytest.approx(100, 1)
    assert re.search(r"^dispatches +[\d.]+ ms$", out, re.MULTILINE)
    assert re.search(r"^run +[\d.]+ ms, the median of 3$", out, re.MULTILINE)
    assert re.search(r"^threads +2, idle for \d+ % of the run$", out, re.MULTILINE)


def test_one_thread_and_top(run, folder: Path) -> None:
    arguments = ["--device", "cpu", "--threads", "1", "--runs", "1", "--top", "1", "--by", "node"]
    status, out, _ = run(folder / "affine.onnx", *arguments)
    assert status == 0
    assert re.search(r"^and 1 more, which take [\d.]+ ms \(--top 0 shows all\)$", out, re.MULTILINE)
    assert out.splitlines()[-1] == "threads     1"


def test_fused_nodes_of_a_kernel(profiled, folder: Path) -> None:
    """A kernel names only what it was made for; the others are known from the graph."""
    for level in ("0", "1"):
        found = profiled(folder / "product.onnx", "--opt-level", level)
        assert found["runs"] == 3
        named = [name for row in found["rows"] for name in row["nodes"]]
        for node in ("product (MatMul)", "add_bias (Add)", "activate (Relu)"):
            assert node in named
    (row,) = found["rows"]
    assert row["nodes"] == ["product (MatMul)", "add_bias (Add)", "activate (Relu)"]
    assert (row["share"], row["calls"]) == (1, 1)
    assert 0 < row["seconds"] <= found["run_seconds"]


def test_kernels_that_are_shared(profiled, tmp_path: Path) -> None:
    """Two equal kernels are one function; each of its calls has its own nodes."""
    made = parser.parse_model("""
        <ir_version: 10, opset_import: ["" : 21]>
        twice (float[64,64] x) => (float[64,64] y) {
            w = Constant <value = float {1}> ()
            shape = Constant <value_ints: ints = [64, 64]> ()
            v = ConstantOfShape <value = float[1] {0.5}> (shape)
            [first] a = MatMul (x, v)
            [bend] b = Relu (a)
            [second] c = MatMul (b, v)
            [bend_again] y = Relu (c)
        }
    """)
    onnx.save(made, tmp_path / "m.onnx")
    found = profiled(tmp_path / "m.onnx")
    assert {"first (MatMul)", "bend (Relu)"} in [set(row["nodes"]) for row in found["rows"]]
    again = {"second (MatMul)", "bend_again (Relu)"}
    assert again in [set(row["nodes"]) for row in found["rows"]]


def test_loop(profiled, folder: Path) -> None:
    found = profiled(folder / "loop.onnx", "-i", f"n={folder / 'three.npy'}", "--by", "node")
    rows = {tuple(row["nodes"]): row for row in found["rows"]}
    assert rows["start (Relu)",]["calls"] == 1
    assert rows["multiply (MatMul)", "bend (Tanh)"]["calls"] == 3
    assert sum(row["share"] for row in rows.values()) == pytest.approx(1)


def test_branches(profiled, folder: Path, tmp_path: Path) -> None:
    for value, node in ((True, "sine (Sin)"), (False, "cosine (Cos)")):
        np.save(tmp_path / "b.npy", np.bool_(value))
        found = profiled(folder / "branches.onnx", "-i", f"b={tmp_path / 'b.npy'}")
        assert [row["nodes"] for row in found["rows"]] == [[node]]


@pytest.mark.parametrize("level", [0, 1])
def test_names_come_from_the_same_code(level: int) -> None:
    """The compilation that prints locations makes the dispatches that run."""
    compiled = omb.compile(parser.parse_model(TOKENS), opt_level=level)
    calls = [call for region in nodes.regions(compiled) for call in region]
    assert calls
    for call in calls:
        assert call.function.encode() in compiled.vmfb
    named = {name for call in calls for name in call.nodes}
    assert {"turn (Transpose)", "spread (Expand)"} <= named
    assert not {"count (Shape)", "sizes (Concat)", "view (Reshape)"} & named


def test_saved_model(run, profiled, folder: Path) -> None:
    found = profiled(folder / "product.omb", "--threads", "1")
    assert found["threads"] == 1
    assert [row["nodes"] for row in found["rows"]] == [[]]
    status, out, _ = run(folder / "product.omb", "--runs", "1", "--device", "cpu")
    assert status == 0
    assert "a saved model doesn't say: profile the ONNX model" in out
    assert "nodes" not in out.splitlines()[0]
    assert "doesn't say which ONNX nodes" in error_of(run(folder / "product.omb", "--by", "node"))
    status, _, err = run(folder / "product.omb", "--cpu", "generic")
    assert status == 2
    assert "--cpu is for ONNX models" in err


def test_trace(run, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    arguments = ["--runs", "3", "--device", "cpu", "-i", f"n={folder / 'three.npy'}"]
    status, _, err = run(folder / "loop.onnx", *arguments, "--trace", path)
    assert (status, err) == (0, "")
    events = json.loads(path.read_text())["traceEvents"]
    assert {event["ph"] for event in events} == {"M", "X"}
    spans = [event for event in events if event["ph"] == "X"]
    assert len(spans) == 4
    assert spans[0]["name"] == "start (Relu)"
    assert [span["name"] for span in spans[1:]] == ["multiply (MatMul) + bend (Tanh)"] * 3
    assert spans[0]["ts"] == 0
    ends = 0
    for span in spans:
        assert span["ts"] >= ends
        ends = span["ts"] + span["dur"]
        assert len(span["args"]["workgroups"]) == 3
        assert span["args"]["dispatch"].startswith(("main_dispatch", "kernel"))
    assert [f.name for f in tmp_path.iterdir()] == ["trace.json"]


def test_dispatches_that_overlap_have_rows_of_their_own() -> None:
    def dispatch(start: int, end: int, stream: int = 0) -> runs.Dispatch:
        site = runs.Site(0, 0, nodes.Call("f", ("a",)))
        return runs.Dispatch(site, start, end, None, (1, 1, 1), stream)

    spans = (dispatch(0, 5000), dispatch(2000, 4000), dispatch(4000, 7000), dispatch(1000, 2000, 1))
    events = json.loads(trace.chrome_trace(runs.Run(1e-6, spans), "cpu"))["traceEvents"]
    rows = [(e["tid"], e["ts"], e["dur"]) for e in events if e["ph"] == "X"]
    assert rows == [(0, 0, 5), (1, 2, 2), (1, 4, 3), (2, 1, 1)]


def test_medians_and_idle_threads() -> None:
    def measured(long: int, seconds: float) -> runs.Run:
        calls = [nodes.Call("f", ("a",)), nodes.Call("g", ("a",)), nodes.Call("h")]
        times = [(0, long), (long, long + 100), (long, long + 100)]
        return runs.Run(
            seconds,
            tuple(
                runs.Dispatch(runs.Site(0, i, call), *span, 100, (2, 3, 1), 0)
                for i, (call, span) in enumerate(zip(calls, times, strict=True))
            ),
        )

    each = [measured(100, 3e-7), measured(900, 2e-6), measured(200, 4e-7)]
    found = report.report(each, by_node=False, threads=2)
    assert [row.dispatch for row in found.rows] == ["f", "g", "h"]
    assert [row.seconds for row in found.rows] == pytest.approx([2e-7, 1e-7, 1e-7])
    assert [row.share for row in found.rows] == pytest.approx([0.5, 0.25, 0.25])
    assert found.run_seconds == 4e-7
    assert found.idle == pytest.approx(1 - 300 / 800)
    found = report.report(each, by_node=True, threads=None)
    assert [(r.nodes, r.dispatch, r.calls) for r in found.rows] == [(("a",), "", 2), ((), "h", 1)]
    assert found.rows[0].workgroups == 6
    assert found.idle is None


def test_names_are_shortened() -> None:
    assert printing._short(["a (Add)", "b (Mul)"]) == "a (Add) + b (Mul)"
    short = printing._short([f"/layer.{i}/attention/MatMul (MatMul)" for i in range(9)])
    first = "/layer.0/attention/MatMul (MatMul) + /layer.1/attention/MatMul (MatMul)"
    assert short == f"{first} + 7 more"
    assert printing._short(["/deep" * 40 + "/MatMul (MatMul)"]).endswith("/MatMul (MatMul)")


def test_names_with_escapes(profiled, tmp_path: Path) -> None:
    name = 'a "b" \\ 模 loc("c")\n'
    node = onnx.helper.make_node("Sin", ["x"], ["y"], name=name)
    x, y = (small_models.tensor(n, TensorProto.FLOAT, [8]) for n in "xy")
    onnx.save(small_models.model([node], [x], [y]), tmp_path / "m.onnx")
    (row,) = profiled(tmp_path / "m.onnx")["rows"]
    assert row["nodes"] == [f"{name} (Sin)"]


TYPES = ["bool", "int8", "uint16", "int64", "float16", "bfloat16", "double", "complex64"]
TYPES += ["int4", "uint2", "float8e4m3fn", "float4e2m1"]


@pytest.mark.parametrize("element", TYPES)
def test_types_of_inputs(tmp_path: Path, element: str) -> None:
    """IREE's tools have names of their own for them."""
    number = TensorProto.DataType.Value(element.upper())
    node = onnx.helper.make_node("Transpose", ["x"], ["y"], name="turn")
    x = small_models.tensor("x", number, ["n", 3])
    made = small_models.model([node], [x], [small_models.tensor("y", number, [3, "n"])], opset=25)
    made.ir_version = 13
    (part,) = omb.compile(made).parts()
    array = np.zeros((2, 3), part.signature.inputs[0].dtype)
    found = capture.capture(part, [array], devices.find("cpu"), 2, 1)
    assert len(found.seconds) == 1 + capture.WARM_UP_RUNS


REFUSED = {
    "a host part": ("decode.onnx", [], r"on the host run decode \(ImageDecoder\)"),
    "no such input": ("product.onnx", ["-i", "z=1"], "the model has no input 'z'"),
    "a shape": ("product.onnx", ["-i", "x=64x65"], "dimension 1 must be 64, not 65"),
    "no such device": ("product.onnx", ["--device", "abacus"], "no provider 'abacus'"),
    "another device": (
        "product.omb",
        ["--device", "vulkan"],
        "is compiled for cpu, not for vulkan",
    ),
    "no such file": ("nothing.onnx", [], "there is no file"),
    "no folder": ("product.onnx", ["--trace", "/no/such/t.json"], "can't be written: No such"),
    "a folder": ("product.onnx", ["--trace", "/tmp"], "can't be written: it is a directory"),
    "a full disk": ("product.omb", ["--trace", "/dev/full"], "can't be written: No space left"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(run, folder: Path, case: str) -> None:
    name, arguments, message = REFUSED[case]
    if name == "decode.onnx":
        with pytest.warns(omb.FallbackWarning, match="ImageDecoder"):
            omb.compile(folder / name).save(folder / "decode.omb")
        assert re.search(message, error_of(run(folder / "decode.omb")))
        status, out, err = run(folder / name)
        warning, error = err.splitlines()
        assert (status, out) == (1, "")
        assert warning.startswith("warning: 1 node runs on the host")
        assert re.search(message, error)
        return
    if "--device" not in arguments:
        arguments = [*arguments, "--device", "cpu"]
    assert re.search(message, error_of(run(folder / name, *arguments, "--runs", "1")))


def test_the_model_is_not_overwritten(run, folder: Path) -> None:
    before = (folder / "product.omb").read_bytes()
    done = run(folder / "product.omb", "--trace", folder / "product.omb")
    assert "is the model itself" in error_of(done)
    assert (folder / "product.omb").read_bytes() == before


@pytest.mark.skipif(has_device("cuda"), reason="there is a CUDA device")
def test_no_cuda(run, folder: Path) -> None:
    assert "has no device 'cuda'" in error_of(run(folder / "product.onnx", "--device", "cuda"))


def test_a_run_that_fails(run, tmp_path: Path) -> None:
    x, y = (small_models.tensor(n, TensorProto.FLOAT, [d]) for n, d in (("x", "n"), ("y", "m")))
    z = small_models.tensor("z", TensorProto.FLOAT, [None])
    node = onnx.helper.make_node("Add", ["x", "y"], ["z"], name="add")
    onnx.save(small_models.model([node], [x, y], [z]), tmp_path / "m.onnx")
    done = run(tmp_path / "m.onnx", "-i", "x=2", "-i", "y=3", "--device", "cpu")
    assert re.match("running the model on 'cpu' failed: .*", error_of(done))
    assert "/src/iree" not in done[2]


def test_no_tools(run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    done = run(folder / "product.omb", "--device", "cpu")
    assert "there is no iree-benchmark-module" in error_of(done)


def test_no_dispatches(run, tmp_path: Path) -> None:
    onnx.save(small_models.identity(TensorProto.FLOAT, ["n", 2]), tmp_path / "m.onnx")
    status, out, err = run(tmp_path / "m.onnx", "--device", "cpu", "--runs", "1")
    assert (status, err) == (0, "")
    assert out.startswith("no dispatches")


def test_sequences(profiled, tmp_path: Path) -> None:
    made = parser.parse_model("""
        <ir_version: 10, opset_import: ["" : 21]>
        at (seq(float[n]) x, int64 i) => (float[m] y) {
            [take] e = SequenceAt (x, i)
            [bend] y = Sin (e)
        }
    """)
    onnx.save(made, tmp_path / "m.onnx")
    np.savez(tmp_path / "x.npz", a=np.ones(3, np.float32), b=np.ones(4, np.float32))
    np.save(tmp_path / "i.npy", np.int64(1))
    given = ["-i", f"x={tmp_path / 'x.npz'}", "-i", f"i={tmp_path / 'i.npy'}"]
    found = profiled(tmp_path / "m.onnx", *given)
    assert "bend (Sin)" in [name for row in found["rows"] for name in row["nodes"]]


def test_page(folder: Path, tmp_path: Path) -> None:
    """The commands of docs/profile.md."""
    (tmp_path / "model.onnx").symlink_to(folder / "affine.onnx")
    page = (Path(__file__).parents[2] / "docs" / "profile.md").read_text()
    (commands,) = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", f"set -e\n{commands}"],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "trace.json").read_text())["traceEvents"]


@needs_vulkan
def test_vulkan(run, folder: Path, tmp_path: Path) -> None:
    arguments = ["--device", "vulkan", "--runs", "2", "--trace", tmp_path / "t.json"]
    status, out, err = run(folder / "product.onnx", *arguments)
    assert (status, err) == (0, "")
    assert "product (MatMul) + add_bias (Add) + activate (Relu)" in out
    assert "idle" not in out
    spans = [
        e for e in json.loads((tmp_path / "t.json").read_text())["traceEvents"] if e["ph"] == "X"
    ]
    assert len(spans) == 1
    assert spans[0]["dur"] > 0
    done = run(folder / "affine.onnx", "--device", "vulkan", "-i", "x=0x3")
    assert "'x' has no elements" in error_of(done)


def test_interrupt(folder: Path, tmp_path: Path) -> None:
    """Ctrl-C while the model runs: one line, no traceback, no files, no process left."""
    command = [sys.executable, "-m", "onnx_mlir_bridge", "profile", folder / "product.omb"]
    with interruptible():
        process = subprocess.Popen(
            [*command, "--runs", "100000", "--device", "cpu", "--trace", tmp_path / "t.json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
    begin = time.perf_counter()
    while not list(tmp_path.glob("omb-profile-*/*.bin")) and time.perf_counter() - begin < 20:
        time.sleep(0.02)
    time.sleep(0.2)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    begin = time.perf_counter()
    out, error = process.communicate()
    assert time.perf_counter() - begin < 3
    assert (process.returncode, out, error) == (130, "", "error: interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left(run, folder: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert run(folder / "product.omb", "--runs", "1", "--device", "cpu")[0] == 0
    assert list(tmp_path.iterdir()) == []
