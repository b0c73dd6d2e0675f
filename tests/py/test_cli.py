"""The command omb: what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
import small_models
from interrupts import interruptible
from onnx import TensorProto, helper
from onnx_mlir_bridge import cli
from onnx_mlir_bridge.cli import commands, running, values
from onnx_mlir_bridge.compiler.options import FALLBACKS, PRECISIONS, SPARSE
from onnx_mlir_bridge.compiler.stages import STAGES
from onnx_mlir_bridge.runtime.devices import PROVIDERS
from onnx_mlir_bridge.runtime.signature import TensorInfo

OMB = (sys.executable, "-m", "onnx_mlir_bridge")


@dataclass
class Done:
    status: int
    out: str
    err: str

    def error(self) -> str:
        """The one line on standard error."""
        assert self.out == ""
        assert self.err.count("\n") == 1, self.err
        assert self.err.startswith("error: ")
        return self.err.removeprefix("error: ").strip()


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]):
    """Runs a command line in this process."""

    def run_main(*arguments: str | Path) -> Done:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main([str(a) for a in arguments])
        out, err = capfd.readouterr()
        return Done(ended.value.code, out, err)

    return run_main


def start(*arguments: str | Path, **options: object) -> subprocess.Popen:
    return subprocess.Popen(
        [*OMB, *map(str, arguments)], stderr=subprocess.PIPE, text=True, **options
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models")
    onnx.save(small_models.affine(), path / "affine.onnx")
    onnx.save(small_models.weighted(), path / "weighted.onnx")
    onnx.save(small_models.not_lowered(), path / "decode.onnx")
    (path / "text.onnx").write_text("this is no model")
    (path / "empty.onnx").write_bytes(b"")
    (path / "affine.mlir").write_text(str(omb.import_model(path / "affine.onnx")))
    (path / "function.mlir").write_text("// A comment.\n\n#map = affine_map<(d0) -> (d0)>\n")
    (path / "bytecode.mlirbc").write_bytes(b"ML\xefR\r")
    omb.compile(path / "affine.onnx").save(path / "affine.omb")
    return path


# --- the command line ---------------------------------------------------------------------------


def test_help_imports_nothing_heavy() -> None:
    check = (
        "import sys\n"
        "from onnx_mlir_bridge.cli import main\n"
        "try: main(['run', '--help'])\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "heavy = {'numpy', 'onnx', 'iree', 'rich', 'ml_dtypes', 'onnx_mlir_bridge._mlir'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--input" in done.stdout


def test_help_is_fast() -> None:
    begin = time.perf_counter()
    subprocess.run([*OMB, "--help"], check=True, capture_output=True)
    assert time.perf_counter() - begin < 1


@pytest.mark.parametrize(
    "command", ["", "run", "profile", "compile", "quantize", "import", "inspect", "devices"]
)
def test_help(run, command: str) -> None:
    done = run(*command.split(), "--help")
    assert done.status == 0
    assert done.out.startswith("Usage: omb")
    assert done.err == ""


def test_choices_are_those_of_the_package() -> None:
    assert commands.STAGES == STAGES
    assert commands.FALLBACKS == FALLBACKS
    assert commands.PRECISIONS == PRECISIONS
    assert commands.SPARSE == SPARSE
    assert sorted(commands.TARGETS) == sorted(PROVIDERS)


def test_version(run) -> None:
    assert run("--version").out == f"omb {omb.__version__}\n"


WRONG_USAGE = {
    "no command": ([], None),
    "an unknown command": (["frobnicate"], "No such command 'frobnicate'"),
    "no model": (["run"], "Missing argument 'MODEL'"),
    "an unknown option": (["run", "m", "--fast"], "No such option.*--fast"),
    "an input without a value": (["run", "m", "--input", "x"], "'x' is not of the form name="),
    "a negative top": (["run", "m", "--top", "-1"], "-1 is not in the range"),
    "no output": (["compile", "m"], "say where to write the compiled model: -o FILE"),
    "a saved model to the terminal": (["compile", "m", "-o", "-"], "can't go to standard output"),
    "an unknown target": (["compile", "m", "-o", "o", "--target=tpu"], "'tpu' is not one of"),
    "an unknown stage": (["compile", "m", "--emit=llvm"], "'llvm' is not one of 'onnx'"),
    "vectors of a GPU": (
        ["compile", "m", "--emit=vector", "--target=cuda"],
        "--emit=vector is for --target=cpu, not cuda",
    ),
    "an optimization level": (
        ["compile", "m", "-o", "o", "--opt-level=4"],
        "4 is not in the range",
    ),
    "no threads": (["compile", "m", "-o", "o", "--threads=0"], "0 is not in the range"),
    "too many arguments": (["inspect", "m", "n"], "unexpected extra argument"),
}


@pytest.mark.parametrize("case", WRONG_USAGE)
def test_wrong_usage(run, case: str) -> None:
    arguments, message = WRONG_USAGE[case]
    done = run(*arguments)
    assert done.status == 2
    assert "Usage: omb" in done.out + done.err
    if message:
        assert re.search(f"^error: .*{message}", done.err), done.err
        assert done.out == ""


UNUSABLE = {
    "a missing file": ("nothing.onnx", "there is no file '.*nothing.onnx'"),
    "a missing saved model": ("nothing.omb", "there is no file '.*nothing.omb'"),
    "a folder": (".", "is a directory"),
    "text": ("text.onnx", "not a usable ONNX model"),
    "an empty file": ("empty.onnx", "not a usable ONNX model: it is empty"),
    "MLIR": ("affine.mlir", "not a usable ONNX model: it is MLIR; .* with omb-opt"),
    "bytecode": ("bytecode.mlirbc", "not a usable ONNX model: it is MLIR; .* with omb-opt"),
    "operations": ("function.mlir", "not a usable ONNX model: it is MLIR; .* with omb-opt"),
}


@pytest.mark.parametrize("case", UNUSABLE)
@pytest.mark.parametrize("command", ["run", "profile", "compile", "quantize", "import", "inspect"])
def test_unusable_models(run, folder: Path, tmp_path: Path, command: str, case: str) -> None:
    name, message = UNUSABLE[case]
    if command in ("compile", "quantize", "import") and name.endswith(".omb"):
        message = "there is no file"
    target = ["-o", tmp_path / "out"] if command in ("compile", "quantize") else []
    done = run(command, folder / name, *target)
    assert done.status == 1
    assert re.search(message, done.error())
    assert list(tmp_path.iterdir()) == []


# --- omb run ------------------------------------------------------------------------------------


def numbers(line: str) -> list[float]:
    return [float(n) for n in re.findall(r"(?:min|mean|max) (\S+)", line)]


@pytest.mark.parametrize("model", ["affine.onnx", "affine.omb"])
def test_run(run, folder: Path, tmp_path: Path, model: str) -> None:
    x = np.array([[1, 2, 3], [7, 5, -6]], np.float32)
    np.save(tmp_path / "x.npy", x)
    arguments = ["-i", f"x={tmp_path / 'x.npy'}", "--device", "cpu", "--top", "2"]
    done = run("run", folder / model, *arguments, "--output-dir", tmp_path / "out")
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "inputs"
    assert re.match(rf"  x +float32 +\[2, 3\] +.*{tmp_path}/x.npy$", lines[1])
    assert numbers(lines[1]) == [-6, 2, 7]
    assert re.match(r"  y +float32 +\[2, 3\] +.*random$", lines[2])  # n comes from x
    assert lines[3] == "outputs"
    assert re.match(r"  double +float32 +\[2, 3\]", lines[7])
    assert numbers(lines[7]) == [-12, 4, 14]
    assert lines[8:10] == ["    [1, 0]  14", "    [1, 1]  10"]
    how = "loaded" if model.endswith("omb") else "compiled"
    assert re.fullmatch(rf"{how} in [\d.]+ [mu]?s, ran in [\d.]+ [mu]?s on cpu \(.*\)", lines[10])
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "double.npy"), 2 * x)
    assert sorted(f.name for f in (tmp_path / "out").iterdir()) == ["double.npy", "sum.npy"]


def test_run_is_repeatable(run, folder: Path) -> None:
    first, second = (run("run", folder / "affine.omb", "-i", "x=4x3") for _ in range(2))
    assert "[4, 3]" in first.out
    assert first.out.splitlines()[:-1] == second.out.splitlines()[:-1]


def test_open_dimensions_are_one(run, folder: Path) -> None:
    assert "[1, 3]" in run("run", folder / "affine.omb").out


OTHER_FORMATS = {
    "a saved model": ("affine.omb", "omb has compiled it already; run it with 'omb run'"),
    "an archive": ("two.npz", "it is a zip archive; give the model that is in it"),
}


@pytest.mark.parametrize("case", OTHER_FORMATS)
@pytest.mark.parametrize("command", ["compile", "import"])
def test_zip_files(run, folder: Path, tmp_path: Path, command: str, case: str) -> None:
    np.savez(folder / "two.npz", a=np.ones(1), b=np.ones(2))
    name, message = OTHER_FORMATS[case]
    done = run(command, folder / name, "-o", tmp_path / "out")
    assert done.status == 1
    assert f"not a usable ONNX model: {message}" in done.error()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(omb.OmbError, match=message):
        omb.compile((folder / name).read_bytes())


INPUTS = {
    "no name": ("=1x3", "'=1x3' has no name of an input before the '='; the inputs are 'x', 'y'"),
    "no value": ("x=", "input 'x' is given no value; give a .npy file, or a shape such as"),
    "an unknown name": ("z=1x3", "the model has no input 'z'; its inputs are 'x', 'y'"),
    "a missing file": ("x=nothing.npy", "'x': there is no file 'nothing.npy'; give a .npy file"),
    "a file that isn't numpy's": ("x={0}/text.onnx", "text.onnx' is not a .npy file"),
    "an empty file": ("x={0}/empty.onnx", "empty.onnx' is not a .npy file"),
    "several arrays": ("x={0}/two.npz", "has several arrays"),
    "objects": ("x={0}/objects.npy", "objects.npy' is not a .npy file of numbers"),
    "a folder": ("x={0}", "can't be read: Is a directory"),
    "a dtype": ("x={0}/double.npy", "input 'x' is float64; the model takes float32"),
    "a rank": ("x=3", r"input 'x' is given the shape 3; the model takes x: float\[n, 3\]"),
    "a size": ("x=2x4", "dimension 1 must be 3, not 4"),
    "more than there is": ("x=9999999999999x3", "does not fit into memory"),
}


@pytest.mark.parametrize("case", INPUTS)
def test_unusable_inputs(run, folder: Path, case: str) -> None:
    np.savez(folder / "two.npz", a=np.ones(1), b=np.ones(2))
    np.save(folder / "objects.npy", np.array([{}], object), allow_pickle=True)
    np.save(folder / "double.npy", np.ones((2, 3)))
    value, message = INPUTS[case]
    done = run("run", folder / "affine.omb", "--input", value.format(folder))
    assert done.status == 1
    assert re.search(message, done.error())


def test_an_input_given_twice(run, folder: Path) -> None:
    done = run("run", folder / "affine.omb", "-i", "x=2x3", "-i", "y=2x3", "-i", "x=4x3")
    assert done.status == 1
    assert done.error() == "input 'x' is given twice: '2x3' and '4x3'"


def test_unknown_devices(run, folder: Path) -> None:
    for model in ("affine.onnx", "affine.omb"):
        done = run("run", folder / model, "--device", "abacus")
        assert done.status == 1
        assert "there is no provider 'abacus'" in done.error()


def test_names_with_equals_signs_and_escapes(run, tmp_path: Path) -> None:
    names = ["a=b", "\x1b[31mred\n"]
    made = small_models.model(
        [helper.make_node("Neg", [names[0]], [names[1]])],
        [small_models.tensor(names[0], TensorProto.FLOAT, ["n"])],
        [small_models.tensor(names[1], TensorProto.FLOAT, ["n"])],
    )
    onnx.save(made, tmp_path / "m.onnx")
    done = run("run", tmp_path / "m.onnx", "-i", "a=b=5", "--output-dir", tmp_path / "out")
    assert done.status == 0, done.err
    assert "a=b" in done.out
    assert r"\x1b[31mred\n" in done.out
    assert "\x1b" not in done.out
    assert [f.name for f in (tmp_path / "out").iterdir()] == ["__31mred_.npy"]


def test_random_values_of_all_types() -> None:
    generator = np.random.default_rng(0)
    elements = ("bool", "int8", "uint64", "float16", "double", "complex64", "bfloat16", "uint2")
    for element in elements:
        info = TensorInfo("x", element, (None, 4))
        array = values.random(info, (3, 4), generator)
        assert array.dtype == info.dtype
        wide = array.astype(np.complex128)
        assert wide.real.min() >= 0
        assert wide.real.max() <= 1
    scalar = values.random(TensorInfo("x", "float", ()), (), generator)
    assert scalar.shape == ()


def test_bfloat16_files(tmp_path: Path) -> None:
    info = TensorInfo("x", "bfloat16", (2,))
    array = np.array([1.5, -2], info.dtype)
    np.save(tmp_path / "x.npy", array)
    (value,) = values.values([info], [f"x={tmp_path / 'x.npy'}"])
    assert value.value.dtype == info.dtype
    np.testing.assert_array_equal(value.value, array)


def test_files_of_less_than_a_byte(tmp_path: Path) -> None:
    """As numpy writes the arrays of ml_dtypes, and as 8-bit integers."""
    path = tmp_path / "x.npy"
    for element, numbers in {
        "int2": [-2, 1],
        "int4": [-8, 7],
        "uint2": [0, 3],
        "uint4": [0, 15],
        "float4e2m1": [-6, 0.5],
    }.items():
        info = TensorInfo("x", element, (2,))
        array = np.array(numbers, np.float32).astype(info.dtype)
        wider = element.rstrip("24") + "8"
        for stored in [array] if element.startswith("float") else [array, np.array(numbers, wider)]:
            np.save(path, stored)
            (value,) = values.values([info], [f"x={path}"])
            assert value.value.dtype == info.dtype
            np.testing.assert_array_equal(value.value, array)
    np.save(path, np.array([-9, 3], np.int8))
    message = "'x': '.*x.npy' has values from -9 to 3; int4 takes -8 to 7"
    with pytest.raises(omb.OmbError, match=message):
        values.values([TensorInfo("x", "int4", (2,))], [f"x={path}"])


def test_run_of_less_than_a_byte(run, tmp_path: Path) -> None:
    made = small_models.model(
        [helper.make_node("Identity", ["x"], ["y"])],
        [small_models.tensor("x", TensorProto.INT4, ["n"])],
        [small_models.tensor("y", TensorProto.INT4, ["n"])],
    )
    onnx.save(made, tmp_path / "m.onnx")
    np.save(tmp_path / "x.npy", np.array([-8, 0, 7], np.int8))
    given = ["-i", f"x={tmp_path / 'x.npy'}", "--device", "cpu", "--top", "1"]
    done = run("run", tmp_path / "m.onnx", *given, "--output-dir", tmp_path / "out")
    assert done.status == 0, done.err
    assert re.search(
        r"outputs\n  y +int4 +\[3\] +min -8 +mean -0.333333 +max 7\n    \[2\] +7", done.out
    )
    # What it writes, it reads.
    again = run("run", tmp_path / "m.onnx", "-i", f"x={tmp_path / 'out' / 'y.npy'}")
    assert "min -8" in again.out
    np.save(tmp_path / "x.npy", np.zeros(3, np.int16))
    done = run("run", tmp_path / "m.onnx", *given)
    assert done.status == 1
    assert "input 'x' is int16; the model takes int4" in done.error()


def test_statistics() -> None:
    assert running.statistics(np.zeros((0, 3))) == "empty"
    assert running.statistics(np.array([True, False, True])) == "2 of 3 are true"
    assert running.statistics(np.array([1, 4], np.uint8)) == "min 1  mean 2.5  max 4"
    big = np.array([2**63 - 1, -(2**63)])
    assert running.statistics(big).startswith(f"min {-(2**63)}")
    assert running.statistics(np.float32([np.nan, 2, np.inf])).endswith("max 2  1 nan  1 inf")
    assert running.statistics(np.array([np.nan])) == "1 nan"
    assert running.statistics(np.array([3 + 4j])) == "|.|  min 5  mean 5  max 5"


def test_largest_entries() -> None:
    ties = np.array([[1, 5], [5, 0]])
    assert running._largest(ties, 3) == ["[0, 1]  5", "[1, 0]  5", "[0, 0]  1"]
    assert running._largest(np.array([np.nan, 1.5]), 5) == ["[1]  1.5"]
    assert running._largest(np.float32(7), 1) == ["[]  7"]
    assert running._largest(np.array([-128, 127], np.int8), 2) == ["[1]  127", "[0]  -128"]
    assert running._largest(np.zeros((0, 2)), 2) == []


# --- omb compile, omb import -----------------------------------------------------------------


def test_compile_saves(run, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.omb"
    done = run("compile", folder / "weighted.onnx", "-o", path, "--cpu=generic", "--opt-level=2")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(f"wrote {path}, ") and done.out.endswith(" KiB\n")
    x = np.zeros(1 << 16, np.float32)
    np.testing.assert_array_equal(omb.load(path).run(None, {"x": x})[0], np.arange(1 << 16))


MARKS = {
    "onnx": "onnx.Add",
    "linalg": "linalg.generic",
    "vector": "linalg.generic",
    "iree": '"linalg.generic"',
}


@pytest.mark.parametrize("stage", MARKS)
def test_emit_text(run, folder: Path, tmp_path: Path, stage: str) -> None:
    arguments = ["compile", folder / "weighted.onnx", f"--emit={stage}"]
    done = run(*arguments)
    assert (done.status, done.err) == (0, "")
    assert MARKS[stage] in done.out
    assert run(*arguments, "-o", "-").out == done.out
    assert run(*arguments, "-o", tmp_path / "m.mlir") == Done(0, "", "")
    assert (tmp_path / "m.mlir").read_text() == done.out


def test_emit_bytecode(run, folder: Path, tmp_path: Path) -> None:
    done = run("compile", folder / "affine.onnx", "--emit=vmfb", "-o", tmp_path / "m.vmfb")
    assert done == Done(0, "", "")
    assert b"module.fb" in (tmp_path / "m.vmfb").read_bytes()[:64]
    assert run("compile", folder / "affine.onnx", "--emit=vmfb").status == 2


@pytest.mark.parametrize("stage", ["onnx", "linalg"])
def test_stages_need_no_later_ones(run, folder: Path, stage: str) -> None:
    """The onnx dialect of a model that has no lowering can be looked at."""
    done = run("compile", folder / "decode.onnx", f"--emit={stage}", "--fallback=error")
    assert done.status == (0 if stage == "onnx" else 1)
    assert ("onnx.ImageDecoder" in done.out) == (stage == "onnx")


def test_compile_names_the_node(run, folder: Path, tmp_path: Path) -> None:
    done = run("compile", folder / "decode.onnx", "-o", tmp_path / "m.omb", "--fallback=error")
    assert done.status == 1
    assert re.search(r"decode \(ImageDecoder\): has no lowering", done.error())
    assert list(tmp_path.iterdir()) == []


def test_unknown_cpu(run, folder: Path, tmp_path: Path) -> None:
    done = run("compile", folder / "affine.onnx", "-o", tmp_path / "m.omb", "--cpu=z80")
    assert done.status == 1
    assert "the CPU 'z80' is not known" in done.error()


def test_output_that_cannot_be_written(run, folder: Path, tmp_path: Path) -> None:
    for command in (["compile", "--emit=onnx"], ["compile"], ["import"]):
        for path, reason in (
            (tmp_path, "it is a directory"),
            ("/dev/full", "No space left"),
            (tmp_path / "a" / "b", "No such file"),
        ):
            done = run(*command, folder / "affine.onnx", "-o", path)
            assert done.status == 1
            assert "can't be written" in done.error()
            assert reason in done.err


def test_import(run, folder: Path, tmp_path: Path) -> None:
    done = run("import", folder / "affine.onnx")
    assert done.status == 0
    assert "onnx.Add" in done.out
    assert run("import", folder / "affine.onnx", "-o", tmp_path / "m.mlir") == Done(0, "", "")
    assert (tmp_path / "m.mlir").read_text() == done.out


def test_import_writes_weights_to_files(run, folder: Path, tmp_path: Path) -> None:
    text = run("import", folder / "weighted.onnx").out
    assert len(text) < 2000
    assert run("import", folder / "weighted.onnx", "-o", tmp_path / "m.mlir").status == 0
    assert (tmp_path / "m.mlir").stat().st_size > 4 << 16
    assert (
        run("import", folder / "weighted.onnx", "--weights").out
        == (tmp_path / "m.mlir").read_text()
    )
    run("import", folder / "weighted.onnx", "--no-weights", "-o", tmp_path / "m.mlir")
    assert (tmp_path / "m.mlir").read_text() == text


# --- omb inspect, omb devices ---------------------------------------------------------------------


def test_inspect(run, folder: Path) -> None:
    done = run("inspect", folder / "affine.onnx")
    assert (done.status, done.err) == (0, "")
    out = " ".join(done.out.split())
    for part in (
        "opset 21",
        "producer the tests",
        "inputs x tensor(float) [n, 3] y tensor(float) [n, 3]",
        "outputs sum tensor(float) [n, 3] double",
        "operators: 3 Add 3 compiles",
        "parameters: 3, 12 bytes float 3 12 bytes in 1 tensor",
    ):
        assert part in out
    assert "can't" not in out


def test_inspect_json(run, folder: Path) -> None:
    found = json.loads(run("inspect", "--json", folder / "weighted.onnx").out)
    assert found["opset"] == 21
    assert found["inputs"] == [{"name": "x", "type": "tensor(float)", "shape": [1 << 16]}]
    assert found["operators"] == [{"name": "Add", "count": 1, "on_host": 0, "failing": 0}]
    assert (found["parts"], found["host"]) == (1, [])
    assert found["parameters"] == [
        {"element": "float", "tensors": 1, "values": 1 << 16, "bytes": 4 << 16}
    ]
    assert found["problems"] == []


def test_inspect_says_what_runs_on_the_host(run, folder: Path) -> None:
    done = run("inspect", folder / "decode.onnx")
    assert done.status == 0
    assert re.search(r"ImageDecoder +1 +on the host", done.out)
    assert "decode (ImageDecoder): has no lowering to linalg" in done.out


def test_inspect_says_what_does_not_compile(run, tmp_path: Path) -> None:
    """An operator that onnx's evaluator lacks too."""
    made = small_models.model(
        [helper.make_node("MaxRoiPool", ["x", "r"], ["y"], name="pool", pooled_shape=[1, 1])],
        [
            small_models.tensor(n, TensorProto.FLOAT, d)
            for n, d in (("x", [1, 1, 4, 4]), ("r", [2, 5]))
        ],
        [small_models.tensor("y", TensorProto.FLOAT, [2, 1, 1, 1])],
    )
    onnx.save(made, tmp_path / "m.onnx")
    done = run("inspect", tmp_path / "m.onnx")
    assert done.status == 0
    assert re.search(r"MaxRoiPool +1 +can't be compiled", done.out)
    assert "pool (MaxRoiPool): has no lowering to linalg; and on the host: onnx can't" in done.out


def test_inspect_of_types_that_do_not_run(run, tmp_path: Path) -> None:
    made = small_models.model(
        [helper.make_node("Identity", ["x"], ["y"])],
        [small_models.tensor("x", TensorProto.STRING, None)],
        [small_models.tensor("y", TensorProto.STRING, None)],
    )
    onnx.save(made, tmp_path / "m.onnx")
    done = run("inspect", tmp_path / "m.onnx")
    assert done.status == 0
    assert re.search(r"x +tensor\(string\) +of unknown rank", done.out)
    assert "(Identity) producing y: works on strings, which no device has" in done.out


def test_inspect_saved_model(run, folder: Path) -> None:
    done = run("inspect", folder / "affine.omb")
    assert (done.status, done.err) == (0, "")
    assert re.match(r"compiled for +cpu ", done.out)
    assert re.search(r"x +tensor\(float\) +\[n, 3\]", done.out)
    found = json.loads(run("inspect", "--json", folder / "affine.omb").out)
    assert found["provider"] == "cpu"
    assert found["code_bytes"] > 0


def test_devices(run) -> None:
    done = run("devices")
    assert done.status == 0
    names = [line.split()[0] for line in done.out.splitlines()]
    assert names == [device.name for device in omb.devices()]
    assert "cpu" in names
    found = json.loads(run("devices", "--json").out)
    assert [device["name"] for device in found] == names


# --- how the process ends -----------------------------------------------------------------


def test_process_status(folder: Path) -> None:
    for arguments, status in ((["devices"], 0), (["inspect", folder / "text.onnx"], 1), ([], 2)):
        process = start(*arguments, stdout=subprocess.DEVNULL)
        error = process.communicate()[1]
        assert process.returncode == status
        assert "Traceback" not in error


@pytest.mark.parametrize("command", [["--help"], ["devices"], ["import", "affine.onnx"]])
def test_full_disk(folder: Path, command: Sequence[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        process = start(*command, stdout=full, cwd=folder)
        error = process.communicate()[1]
    assert process.returncode == 1
    assert error == "error: the output can't be written: No space left on device\n"


@pytest.mark.parametrize("command", [["--help"], ["import", "--weights", "weighted.onnx"]])
def test_reader_that_goes_away(folder: Path, command: Sequence[str]) -> None:
    process = start(*command, stdout=subprocess.PIPE, cwd=folder)
    process.stdout.close()
    error = process.stderr.read()
    assert process.wait() == 0
    assert error == ""


def test_closed_streams(folder: Path) -> None:
    for redirection, status in ((">&-", 0), ("2>&-", 0), (">&- 2>&- <&-", 0)):
        done = subprocess.run(
            ["sh", "-c", f'"$@" {redirection}', "sh", *OMB, "inspect", folder / "affine.onnx"],
            capture_output=True,
            text=True,
        )
        assert done.returncode == status, redirection
        assert "Traceback" not in done.stdout + done.stderr


def test_names_that_the_terminal_cannot_show(tmp_path: Path) -> None:
    made = small_models.affine()
    made.producer_name = "Größe 模型"
    onnx.save(made, tmp_path / "m.onnx")
    process = start(
        "inspect",
        tmp_path / "m.onnx",
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    out, error = process.communicate()
    assert process.returncode == 0, error
    assert r"Gr\xf6\xdfe \u6a21\u578b" in out


def test_interrupt(tmp_path: Path) -> None:
    """Ctrl-C while IREE compiles: one line, no traceback, no file."""
    nodes = []
    for i in range(400):  # a shape of its own for each, so that none is compiled for another
        nodes.append(helper.make_node("Concat", [f"x{i}", "x0"], [f"t{i}"], axis=0))
        nodes.append(helper.make_node("Transpose", [f"t{i}"], [f"x{i + 1}"], perm=[0, 2, 1]))
    made = small_models.model(
        nodes,
        [small_models.tensor("x0", TensorProto.FLOAT, [8, 8, 8])],
        [small_models.tensor("x400", TensorProto.FLOAT, [401 * 8, 8, 8])],
    )
    onnx.save(made, tmp_path / "m.onnx")
    with interruptible():
        process = start("compile", tmp_path / "m.onnx", "-o", tmp_path / "m.omb")
    time.sleep(1.5)
    assert process.poll() is None, "the model compiles too fast for this test"
    process.send_signal(signal.SIGINT)
    begin = time.perf_counter()
    error = process.communicate()[1]
    assert time.perf_counter() - begin < 2
    assert process.returncode == 130
    assert error == "error: interrupted\n"
    assert [f.name for f in tmp_path.iterdir()] == ["m.onnx"]


def test_bugs_are_one_line_too(run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise TypeError("this and\nthat")

    monkeypatch.setattr("onnx_mlir_bridge.cli.inspecting.inspect", broken)
    done = run("inspect", folder / "affine.onnx")
    assert done.status == 1
    assert done.error().startswith("TypeError: this and that; this is a bug in onnx-mlir-bridge")


def _in_terminal(*arguments: str | Path) -> tuple[int, str]:
    """Status and output of a command whose streams are a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*OMB, *map(str, arguments)], stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    output = b""
    while True:
        try:
            data = os.read(ours, 4096)
        except OSError:  # Linux says so at the end
            break
        if not data:
            break
        output += data
    os.close(ours)
    return process.wait(), output.decode()


def test_terminal(folder: Path, tmp_path: Path) -> None:
    status, output = _in_terminal("inspect", folder / "text.onnx")
    assert status == 1
    assert "\033[1;31merror\033[0m: not a usable" in output
    status, output = _in_terminal("compile", folder / "affine.onnx", "--emit=vmfb", "-o", "-")
    assert status == 2
    assert "bytecode is not for terminals" in output


def test_progress_display() -> None:
    """Long work shows its stage on a terminal, short work doesn't."""
    script = (
        "import time\n"
        "from onnx_mlir_bridge.compiler.progress import reporting\n"
        "with reporting(True) as report:\n"
        "    report('Thinking hard')\n"
        "    time.sleep({seconds})\n"
    )
    for seconds, shown in ((1.6, True), (0.1, False)):
        ours, theirs = pty.openpty()
        subprocess.run(
            [sys.executable, "-c", script.format(seconds=seconds)],
            check=True,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm"},
        )
        os.close(theirs)
        output = b""
        try:
            while data := os.read(ours, 4096):
                output += data
        except OSError:
            pass
        os.close(ours)
        assert (b"Thinking hard" in output) == shown, output


def test_progress_function(folder: Path) -> None:
    stages: list[str] = []
    omb.compile(folder / "affine.onnx", progress=stages.append)
    assert stages == ["Importing", "Lowering to linalg", "Compiling for cpu"]


@pytest.mark.parametrize("command", ["compile", "import"])
def test_the_model_is_not_overwritten(command: str, tmp_path: Path) -> None:
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["x"], ["y"])],
        "g",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [3])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [3])],
    )
    model = tmp_path / "model.onnx"
    onnx.save(onnx.helper.make_model(graph), model)
    before = model.read_bytes()
    done = subprocess.run([*OMB, command, model, "-o", model], capture_output=True, text=True)
    assert done.returncode == 1
    assert "is the model itself" in done.stderr
    assert model.read_bytes() == before
