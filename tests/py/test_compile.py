"""omb.compile(): options, targets, stages, and errors that name the node."""

from __future__ import annotations

import os
import platform
import signal
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
from onnx_mlir_bridge.compiler import diagnostics, iree, pipeline, targets
from onnx_mlir_bridge.compiler.stages import STAGES

X86 = platform.machine() == "x86_64"


@pytest.fixture(scope="module")
def weighted() -> omb.CompiledModel:
    return omb.compile(small_models.weighted())


# --- options ------------------------------------------------------------------------------------

OPTIONS = {
    "a typing error": ({"opt_levle": 1}, "no option 'opt_levle'; do you mean 'opt_level'?"),
    "an unknown name": ({"zzz": 1}, r"no option 'zzz' \(options: threads, precision"),
    "opt_level": ({"opt_level": 4}, "opt_level must be 0, 1, 2 or 3, not 4"),
    "opt_level as a word": ({"opt_level": "2"}, "opt_level must be 0, 1, 2 or 3, not '2'"),
    "opt_level as a truth": ({"opt_level": True}, "opt_level must be 0, 1, 2 or 3, not True"),
    "threads": ({"threads": 0}, "threads must be a number from 1 to 1024, not 0"),
    "precision": ({"precision": "f8"}, "precision must be 'f32', 'bf16' or 'f16', not 'f8'"),
    "fallback": ({"fallback": "cloud"}, "fallback must be 'host' or 'error', not 'cloud'"),
    "fallback as a number": ({"fallback": 3}, "fallback must be 'host' or 'error', not 3"),
    "cache_dir": ({"cache_dir": 3}, "cache_dir must be the path of a folder, not 3"),
    "progress": ({"progress": "yes"}, "progress must be True, False or a function"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_refuses_options(case: str) -> None:
    options, message = OPTIONS[case]
    with pytest.raises(omb.OmbError, match=message):
        omb.compile(small_models.affine(), **options)
    with pytest.raises(omb.OmbError, match=message):
        omb.InferenceSession(small_models.affine(), ["cpu"], **options)


def test_options_that_say_nothing() -> None:
    omb.compile(small_models.affine(), cache_dir=None, precision="f32", fallback="error")


@pytest.mark.parametrize("opt_level", [0, 3])
def test_opt_levels(opt_level: int) -> None:
    session = omb.InferenceSession(small_models.affine(), ["cpu"], opt_level=opt_level)
    x = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(
        session.run(["sum"], {"x": x, "y": x})[0], 2 * x + small_models.BIAS
    )


def test_many_boolean_constants() -> None:
    """More than 100 are hexadecimal digits in MLIR's text, of which versions differ."""
    mask = np.random.default_rng(0).integers(0, 2, 101).astype(bool)
    session = omb.InferenceSession(
        small_models.model(
            [helper.make_node("And", ["x", "mask"], ["y"])],
            [small_models.tensor("x", TensorProto.BOOL, [101])],
            [small_models.tensor("y", TensorProto.BOOL, [101])],
            {"mask": mask},
        ),
        ["cpu"],
    )
    x = ~mask
    x[::3] = True
    np.testing.assert_array_equal(session.run(None, {"x": x})[0], x & mask)


# --- sources ------------------------------------------------------------------------------------


def test_sources(tmp_path: Path) -> None:
    model = small_models.affine()
    data = model.SerializeToString()
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    onnx_text = omb.compile(model).emit("onnx")
    for source in (path, str(path), data, bytearray(data), memoryview(data)):
        assert omb.compile(source).emit("onnx") == onnx_text
    assert omb.compile(omb.import_model(path)).emit("linalg") == omb.compile(data).emit("linalg")
    assert model == small_models.affine()  # it isn't changed


@pytest.mark.parametrize("source", [None, 3, [], onnx.TensorProto(), object()])
def test_refuses_sources(source: object) -> None:
    with pytest.raises(omb.OmbError, match=r"a model is a path, bytes or an onnx.ModelProto, not"):
        omb.compile(source)


def test_refuses_a_module_without_a_main_function() -> None:
    with omb.ir.Context():
        module = omb.ir.Module.parse("module {}")
    with pytest.raises(omb.OmbError, match=r"no function @main; import_model\(\) makes"):
        omb.compile(module)


# --- stages -------------------------------------------------------------------------------------


def test_emit_onnx(weighted: omb.CompiledModel) -> None:
    text = weighted.emit("onnx")
    assert "onnx.Add" in text
    assert "linalg" not in text
    assert len(text) < 2000  # without the weights


def test_emit_linalg(weighted: omb.CompiledModel) -> None:
    text = weighted.emit("linalg")
    assert "linalg.generic" in text
    assert "onnx.Add" not in text
    assert len(text) < 4000


@pytest.mark.skipif(not X86, reason="the named CPU is an x86-64")
def test_emit_vector() -> None:
    compiled = omb.compile(small_models.product(), cpu="x86-64-v3")
    text = compiled.emit("vector")
    assert "vector.fma" in text
    assert "vector<8xf32>" in text
    assert "linalg.matmul" not in text


@pytest.mark.parametrize("options", [{"cpu": "generic"}, {"opt_level": 0}])
def test_emit_vector_without_kernels(options: dict[str, object]) -> None:
    if options.get("cpu") == "generic" and not X86:
        pytest.skip("generic CPUs of other architectures may have what kernels need")
    compiled = omb.compile(small_models.product(), **options)
    assert compiled.emit("vector") == compiled.emit("linalg")


def test_emit_iree(weighted: omb.CompiledModel) -> None:
    text = weighted.emit("iree")
    assert '"linalg.generic"' in text
    assert '#flow.parameter.named<"model"::"w">' in text
    reply = iree.run(
        "again",
        text.encode(),
        targets.resolve("cpu", "host", "generic", "sm_80").flags,
        pipeline.VMFB,
    )
    assert reply.result is not None, reply.errors  # IREE takes what is shown


def test_emit_vmfb(weighted: omb.CompiledModel) -> None:
    assert weighted.emit("vmfb") == weighted.vmfb
    assert weighted.vmfb[:4] == b"PK\3\4"


def test_emit_is_repeatable(weighted: omb.CompiledModel) -> None:
    for stage in STAGES[:-1]:
        assert weighted.emit(stage) == weighted.emit(stage)


@pytest.mark.parametrize("stage", ["llvm", "", None, 3])
def test_unknown_stages(weighted: omb.CompiledModel, stage: object) -> None:
    with pytest.raises(omb.OmbError, match=r"no stage .*emit one of onnx, linalg, vector, iree"):
        weighted.emit(stage)


# --- targets ------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["gpu", "CPU", "", "cpu:0", None, 3, []])
def test_unknown_targets(target: object) -> None:
    with pytest.raises(omb.OmbError, match=r"no target .*; use one of cpu, vulkan, cuda"):
        omb.compile(small_models.affine(), target)


def test_vulkan() -> None:
    compiled = omb.compile(small_models.affine(), "vulkan")
    assert compiled.target == "vulkan"
    assert compiled.description.machine == ""
    assert b"vulkan-spirv" in compiled.vmfb
    with pytest.raises(omb.OmbError, match=r"'vector' is the CPU's; vulkan goes from linalg"):
        compiled.emit("vector")


def test_cuda() -> None:
    compiled = omb.compile(small_models.affine(), "cuda", cuda="sm_86")
    assert b".target sm_86" in compiled.vmfb
    with pytest.raises(omb.OmbError, match=r"'vector' is the CPU's"):
        compiled.emit("vector")


DEVICES = {
    "a CPU": ("cpu", {"cpu": "z80"}, "the CPU 'z80' is not known; use host, generic"),
    "an injected flag": ("cpu", {"cpu": "generic --x"}, "is not the name of a cpu device"),
    "no name": ("cpu", {"cpu": ""}, "'' is not the name of a cpu device"),
    "a number": ("cpu", {"cpu": 686}, "686 is not the name of a cpu device"),
    "a CUDA GPU": ("cuda", {"cuda": "sm_10"}, "'sm_10' can't be compiled for; use one of sm_80"),
    "a Vulkan GPU": ("vulkan", {"vulkan": "voodoo2"}, "can't compile the model for vulkan .voodoo"),
}


@pytest.mark.parametrize("case", DEVICES)
def test_unknown_devices(case: str) -> None:
    target, options, message = DEVICES[case]
    with pytest.raises(omb.OmbError, match=message):
        omb.compile(small_models.affine(), target, **options)
    # The compiler still works.
    omb.compile(small_models.affine(), "cpu", cpu="generic")


@pytest.mark.skipif(not X86, reason="names of x86-64 CPUs")
def test_cpus() -> None:
    generic = omb.compile(small_models.affine(), cpu="generic").description
    assert generic.machine == platform.machine()
    assert not [feature for feature in generic.features if feature.startswith("avx")]
    haswell = omb.compile(small_models.affine(), cpu="x86-64-v3").description
    assert {"avx2", "fma", "f16c"} <= set(haswell.features)
    assert "avx512f" not in haswell.features
    assert "avx512f" in targets.resolve("cpu", "x86-64-v4", "", "").features


@pytest.mark.skipif(not X86, reason="names of x86-64 CPUs")
@pytest.mark.parametrize("cpu", ["generic", "host"])
def test_cpus_that_run_here(cpu: str) -> None:
    session = omb.InferenceSession(small_models.affine(), ["cpu"], cpu=cpu)
    x = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(session.run(["double"], {"x": x, "y": x})[0], 2 * x)


def test_code_for_another_cpu_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = omb.compile(small_models.affine(), cpu="host")
    if not compiled.description.features:
        pytest.skip("this CPU's features are not known")
    monkeypatch.setattr("onnx_mlir_bridge.runtime.cpu_features.host_flags", lambda: {"fpu"})
    with pytest.raises(omb.OmbError, match=r"can't run here: this machine's CPU lacks .*generic"):
        omb.InferenceSession(compiled)


# --- errors -------------------------------------------------------------------------------------


def test_an_operator_without_a_lowering() -> None:
    with pytest.raises(omb.OmbError) as caught:
        omb.compile(small_models.not_lowered("/reader/decode"), fallback="error")
    assert str(caught.value) == (
        "the model can't be compiled: /reader/decode (ImageDecoder): has no lowering to linalg"
    )


def test_many_operators_without_a_lowering() -> None:
    nodes = [
        helper.make_node("ImageDecoder", ["data"], [f"y{i}"], name=f"node{i}") for i in range(5)
    ]
    model = small_models.model(
        nodes,
        [small_models.tensor("data", TensorProto.UINT8, ["n"])],
        [small_models.tensor(f"y{i}", TensorProto.UINT8, [None] * 3) for i in range(5)],
    )
    with pytest.raises(omb.OmbError, match=r"node0.*node1.*node2.*; and 2 more$"):
        omb.compile(model, fallback="error")


def test_shapes_that_do_not_fit() -> None:
    model = small_models.model(
        [helper.make_node("Add", ["x", "y"], ["z"], name="/misfit")],
        [small_models.tensor(n, TensorProto.FLOAT, [d]) for n, d in (("x", 2), ("y", 3))],
        [small_models.tensor("z", TensorProto.FLOAT, None)],
    )
    with pytest.raises(omb.OmbError, match=r"/misfit"):
        omb.compile(model)


HEAD = '"builtin.module"() ({"func.func"() <{function_type = () -> (), sym_name = "main"}> ({'
TAIL = "}) : () -> ()}) : () -> ()"


def test_errors_of_iree_name_the_node() -> None:
    """A type that the verifier refuses, at the location that the importer would give it."""
    source = (
        f'{HEAD} %0 = "arith.constant"() <{{value = 1 : i32}}> : () -> f32 loc(#node)\n'
        f'"func.return"() : () -> () {TAIL}\n#node = loc("/layer/Add (Add)")\n'
    )
    target = targets.resolve("cpu", "generic", "", "")
    reply = iree.run("model", source.encode(), target.flags, pipeline.VMFB)
    assert reply.result is None
    error = str(diagnostics.iree_error(reply.errors, "cpu (generic)", reply.crash))
    assert error.startswith("IREE can't compile the model for cpu (generic): /layer/Add (Add): ")
    assert "\n" not in error


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ('"conv1 (Conv)": error: too large', ("conv1 (Conv)", "too large")),
        ('"a \\"b\\" (Add)"("model":3:4): error: no', ('a \\"b\\" (Add)', "no")),
        ('"x (Relu)":1:2: error: op is bad\n\nsee more', ("x (Relu)", "op is bad")),
        (
            'loc(callsite("(Erf) producing y" at "g (graph)")): no such thing',
            ("(Erf) producing y", "no such thing"),
        ),
        (
            '"x (Relu)": error: failed to run translation for backend #hal.executable.target<"a">',
            ("x (Relu)", "failed to run translation"),
        ),
        ("model:12:8: error: unexpected token", ("", "unexpected token")),
        ("<unknown>:0: error: failed", ("", "failed")),
        ("-: error: failed", ("", "failed")),
        ("plain words", ("", "plain words")),
        ('error: at callsite(loc("f (Gelu)" at "g"))', ("f (Gelu)", None)),
    ],
)
def test_diagnostics(printed: str, expected: tuple[str, str | None]) -> None:
    name, message = diagnostics.split(printed)
    assert name == expected[0]
    if expected[1] is not None:
        assert message == expected[1]


def test_errors_are_listed_once_and_in_short() -> None:
    lines = [f"model:1:1: error: reason {i}" for i in (1, 1, 2, 3, 4, 5)]
    assert str(diagnostics.iree_error(lines, "cpu", None)) == (
        "IREE can't compile the model for cpu: reason 1; reason 2; reason 3; and 2 more"
    )
    assert str(diagnostics.iree_error([], "cpu", None)).endswith("for cpu: it gives no reason")


# --- the worker ---------------------------------------------------------------------------------


def _idle_worker() -> iree._Worker:
    iree.warm_up()
    return iree._idle[-1]


def test_a_crash_of_the_compiler_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that compiles ends in the middle of a request."""
    request = iree._Worker.request

    def doomed(worker: iree._Worker, *arguments: object) -> iree.Reply:
        os.kill(worker._process.pid, signal.SIGSEGV)
        return request(worker, *arguments)

    monkeypatch.setattr(iree._Worker, "request", doomed)
    with pytest.raises(omb.OmbError, match=r"the compiler crashed \(SIGSEGV\); please report it"):
        omb.compile(small_models.affine(), cuda="sm_80", target="cuda")
    monkeypatch.undo()
    omb.compile(small_models.affine())


def test_what_the_compiler_printed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "import sys; print('LLVM ERROR: out of registers', file=sys.stderr); sys.exit(3)"
    monkeypatch.setattr(iree, "_START", script)
    monkeypatch.setattr(iree, "_idle", [])
    reply = iree.run("model", b"module {}", [], pipeline.VMFB)
    assert reply.result is None
    assert reply.crash == "exit status 3: LLVM ERROR: out of registers"


def test_a_compiler_that_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iree, "_idle", [])
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(omb.OmbError, match=r"IREE's compiler can't be started: No such file"):
        iree.run("model", b"module {}", [], pipeline.VMFB)


def test_workers_are_kept_and_replaced() -> None:
    first = _idle_worker()
    iree.run("model", b"module {}", [], [["ir"]])
    assert _idle_worker() is first
    first._process.kill()
    first._process.wait()
    reply = iree.run("model", b"module {}", [], [["ir"]])
    assert b"module" in reply.result
    assert _idle_worker() is not first


def test_unknown_flags_and_text() -> None:
    assert iree.run("model", b"module {}", ["--no-such-flag"], [["ir"]]).result is None
    reply = iree.run("model", b"modul {}", [], [["ir"]])
    assert reply.result is None
    assert reply.errors


def test_after_a_fork() -> None:
    """A child gets a worker of its own: the parent's pipes aren't its."""
    _idle_worker()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            reply = iree.run("model", b"module {}", [], [["ir"]])
            status = 0 if reply.result else 2
            iree._stop_idle()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert iree.run("model", b"module {}", [], [["ir"]]).result


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_the_compiler_ends_with_its_process() -> None:
    """A process that is killed while it compiles leaves none behind.

    IREE takes minutes for the chain: sines of sines, which it makes one loop of.
    """
    script = (
        "import small_models, onnx_mlir_bridge as omb\n"
        "from onnx import TensorProto, helper\n"
        "from onnx_mlir_bridge.compiler import iree\n"
        "nodes = [helper.make_node('Sin', [f'v{i}'], [f'v{i + 1}']) for i in range(400)]\n"
        "x, y = (small_models.tensor(name, TensorProto.FLOAT, [2]) for name in ('v0', 'v400'))\n"
        "omb.compile(small_models.affine())\n"
        "print(iree._idle[0]._process.pid, flush=True)\n"
        "omb.compile(small_models.model(nodes, [x], [y], {}))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    worker = int(process.stdout.readline())
    time.sleep(2)  # it gets the chain
    process.kill()
    process.wait()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the compiler's process goes on")
