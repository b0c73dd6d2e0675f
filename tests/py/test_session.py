"""InferenceSession: what it takes and refuses, and what it gives."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx_mlir_bridge as omb
import pytest
import small_models
from onnx import TensorProto, helper
from onnx_mlir_bridge.runtime import scheduling

X = np.arange(6, dtype=np.float32).reshape(2, 3)
Y = np.full((2, 3), 10, np.float32)
SUM = X + Y + small_models.BIAS


@pytest.fixture(scope="module")
def compiled() -> omb.CompiledModel:
    return omb.compile(small_models.affine(), threads=2)


@pytest.fixture(scope="module")
def session(compiled: omb.CompiledModel) -> omb.InferenceSession:
    return omb.InferenceSession(compiled)


@pytest.fixture(scope="module")
def scalar() -> omb.InferenceSession:
    node = helper.make_node("Neg", ["x"], ["y"])
    infos = [small_models.tensor(name, TensorProto.DOUBLE, []) for name in "xy"]
    return omb.InferenceSession(small_models.model([node], infos[:1], infos[1:]), ["cpu"])


# --- what comes out -----------------------------------------------------------------------------


def test_all_outputs_in_order(session: omb.InferenceSession) -> None:
    total, double = session.run(None, {"x": X, "y": Y})
    np.testing.assert_array_equal(total, SUM)
    np.testing.assert_array_equal(double, 2 * X)
    assert total.dtype == double.dtype == np.float32


def test_selected_outputs_in_the_order_asked_for(session: omb.InferenceSession) -> None:
    feeds = {"x": X, "y": Y}
    (double,) = session.run(["double"], feeds)
    np.testing.assert_array_equal(double, 2 * X)
    double, total, again = session.run(["double", "sum", "double"], feeds)
    np.testing.assert_array_equal(double, 2 * X)
    np.testing.assert_array_equal(total, SUM)
    np.testing.assert_array_equal(again, 2 * X)
    assert session.run([], feeds) == []


def test_outputs_own_their_memory(session: omb.InferenceSession) -> None:
    feeds = {"x": X.copy(), "y": Y}
    first = session.run(["double"], feeds)[0]
    assert first.flags.writeable
    kept = first.copy()
    session.run(["double"], {"x": X + 100, "y": Y})
    np.testing.assert_array_equal(first, kept)
    first += 1
    np.testing.assert_array_equal(feeds["x"], X)


def test_inputs_are_not_changed_and_may_be_read_only(session: omb.InferenceSession) -> None:
    frozen = X.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(session.run(["sum"], {"x": frozen, "y": Y})[0], SUM)
    np.testing.assert_array_equal(frozen, X)


def test_one_array_for_two_inputs(session: omb.InferenceSession) -> None:
    (total,) = session.run(["sum"], {"x": X, "y": X})
    np.testing.assert_array_equal(total, 2 * X + small_models.BIAS)


# --- memory layouts -----------------------------------------------------------------------------

LAYOUTS = {
    "Fortran order": np.asfortranarray,
    "reversed": lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
    "every second": lambda a: np.repeat(np.repeat(a, 2, 0), 2, 1)[::2, ::2],
    "transposed": lambda a: np.ascontiguousarray(a.T).T,
    "big-endian": lambda a: a.astype(">f4"),
    "big-endian in Fortran order": lambda a: np.asfortranarray(a.astype(">f4")),
    "unaligned": lambda a: (
        np.frombuffer(b"\0" + a.tobytes(), np.uint8)[1:].view(np.float32).reshape(a.shape)
    ),
    "a view with an offset": lambda a: np.concatenate([a, a])[2:],
    "a subclass": lambda a: a.view(np.matrix),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_memory_layouts(session: omb.InferenceSession, layout: str) -> None:
    array = LAYOUTS[layout](X)
    np.testing.assert_array_equal(array, X)
    total, double = session.run(None, {"x": array, "y": Y})
    np.testing.assert_array_equal(total, SUM)
    np.testing.assert_array_equal(double, 2 * X)


def test_broadcast_views(session: omb.InferenceSession) -> None:
    row = np.broadcast_to(np.float32(5), (2, 3))
    np.testing.assert_array_equal(session.run(["double"], {"x": row, "y": Y})[0], 2 * row)


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_dynamic_dimension(session: omb.InferenceSession, rows: int) -> None:
    x = np.ones((rows, 3), np.float32)
    total, double = session.run(None, {"x": x, "y": x})
    assert total.shape == double.shape == (rows, 3)
    np.testing.assert_array_equal(total, 2 * x + small_models.BIAS)


def test_scalars(scalar: omb.InferenceSession) -> None:
    for value in (np.array(2.5), np.float64(2.5)):
        (out,) = scalar.run(None, {"x": value})
        assert isinstance(out, np.ndarray)
        assert out.shape == ()
        assert out == -2.5


def test_foreign_arrays(session: omb.InferenceSession) -> None:
    class Foreign:
        def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
            return X

    np.testing.assert_array_equal(session.run(["sum"], {"x": Foreign(), "y": Y})[0], SUM)

    class Broken:
        def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
            raise RuntimeError("it is on another device")

    with pytest.raises(omb.OmbError, match=r"'x' is a Broken .* it is on another device"):
        session.run(None, {"x": Broken(), "y": Y})


# --- element types ------------------------------------------------------------------------------

ELEMENTS = {
    TensorProto.BOOL: np.bool_,
    TensorProto.INT8: np.int8,
    TensorProto.INT16: np.int16,
    TensorProto.INT32: np.int32,
    TensorProto.INT64: np.int64,
    TensorProto.UINT8: np.uint8,
    TensorProto.UINT16: np.uint16,
    TensorProto.UINT32: np.uint32,
    TensorProto.UINT64: np.uint64,
    TensorProto.FLOAT16: np.float16,
    TensorProto.FLOAT: np.float32,
    TensorProto.DOUBLE: np.float64,
    TensorProto.BFLOAT16: ml_dtypes.bfloat16,
    TensorProto.FLOAT8E4M3FN: ml_dtypes.float8_e4m3fn,
    TensorProto.FLOAT8E5M2: ml_dtypes.float8_e5m2,
}


@pytest.mark.parametrize("element", ELEMENTS, ids=TensorProto.DataType.Name)
def test_every_bit_gets_through(element: int) -> None:
    """A Reshape moves data, so each bit pattern, NaNs' too, must come out as it went in."""
    dtype = np.dtype(ELEMENTS[element])
    patterns = np.random.default_rng(1).integers(0, 256, 6 * dtype.itemsize, np.uint8)
    array = (patterns % 2 if dtype.kind == "b" else patterns).view(dtype).reshape(2, 3)
    session = omb.InferenceSession(small_models.identity(element, ["a", "b"]), ["cpu"])
    assert session.get_inputs()[0].dtype == dtype
    (out,) = session.run(None, {"x": array})
    assert out.dtype == dtype
    assert out.shape == (6,)
    assert out.tobytes() == array.tobytes()
    (empty,) = session.run(None, {"x": array[:0]})
    assert empty.shape == (0,)
    assert empty.dtype == dtype


# --- what is refused ----------------------------------------------------------------------------

REFUSED = {
    "a missing input": ({"x": X}, "no value for input 'y'; the model takes y: float\\[n, 3\\]"),
    "no inputs": ({}, "no value for input 'x', 'y'"),
    "an unknown input": ({"x": X, "y": Y, "z": Y}, "no input 'z'; its inputs are 'x', 'y'"),
    "a name that isn't a string": ({"x": X, "y": Y, 3: Y}, "no input '3'"),
    "not a mapping": ([X, Y], "a mapping from name to array, not a list; .* are 'x', 'y'"),
    "another dtype": ({"x": X.astype(np.float64), "y": Y}, "'x' is float64; .* float32: .*astype"),
    "an integer dtype": ({"x": X.astype(np.int32), "y": Y}, "'x' is int32; the model takes float"),
    "objects": ({"x": X.astype(object), "y": Y}, "'x' is object"),
    "strings": ({"x": X.astype(str), "y": Y}, "'x' is <U"),
    "a lower rank": ({"x": X[0], "y": Y}, r"'x' has 1 dimensions, \(3,\); .* 2: \(n, 3\)"),
    "a higher rank": ({"x": X[None], "y": Y}, r"'x' has 3 dimensions, \(1, 2, 3\)"),
    "a scalar": ({"x": np.float32(1), "y": Y}, r"'x' has 0 dimensions, \(\)"),
    "another size": ({"x": X[:, :2], "y": Y}, "dimension 1 must be 3, not 2"),
    "sizes that differ": ({"x": X, "y": Y[:1]}, "'n' is 1, but it is 2 in input 'x'"),
    "a list": ({"x": X.tolist(), "y": Y}, "'x' is a list, not an array; pass np.asarray"),
    "a number": ({"x": 1.0, "y": Y}, "'x' is a float, not an array"),
    "None": ({"x": None, "y": Y}, "'x' is a NoneType"),
    "a masked array": ({"x": np.ma.masked_array(X, X > 1), "y": Y}, "masked array; pass .filled"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses(session: omb.InferenceSession, case: str) -> None:
    inputs, message = REFUSED[case]
    with pytest.raises(omb.OmbError, match=message) as caught:
        session.run(None, inputs)
    assert "\n" not in str(caught.value)
    session.run(None, {"x": X, "y": Y})  # it still works


def test_refuses_output_names(session: omb.InferenceSession) -> None:
    feeds = {"x": X, "y": Y}
    with pytest.raises(omb.OmbError, match="no output 'total'; its outputs are 'sum', 'double'"):
        session.run(["total"], feeds)
    with pytest.raises(omb.OmbError, match=r"a list of names, not a string; pass \['sum'\]"):
        session.run("sum", feeds)


# --- threads ------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 3])
def test_numbers_of_threads(compiled: omb.CompiledModel, threads: int) -> None:
    session = omb.InferenceSession(compiled, threads=threads)
    np.testing.assert_array_equal(session.run(["sum"], {"x": X, "y": Y})[0], SUM)


@pytest.mark.parametrize("threads", [0, -1, 1025, 1.5, True, "2"])
def test_refuses_threads(compiled: omb.CompiledModel, threads: object) -> None:
    with pytest.raises(omb.OmbError, match="threads must be a number from 1 to 1024"):
        omb.InferenceSession(compiled, threads=threads)


def test_one_session_in_several_threads(session: omb.InferenceSession) -> None:
    start = threading.Barrier(4)

    def work(number: int) -> None:
        x = np.full((number + 1, 3), number, np.float32)
        start.wait()
        for _ in range(50):
            total, double = session.run(None, {"x": x, "y": x})
            np.testing.assert_array_equal(double, 2 * x)
            np.testing.assert_array_equal(total, 2 * x + small_models.BIAS)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, number) for number in range(4)]:
            done.result()


def test_models_compile_in_several_threads() -> None:
    def work(bias: float) -> np.ndarray:
        made = small_models.affine()
        made.graph.initializer[0].raw_data = np.full(3, bias, np.float32).tobytes()
        return omb.InferenceSession(made, ["cpu"]).run(["sum"], {"x": X, "y": Y})[0]

    with ThreadPoolExecutor(2) as pool:
        for bias, total in zip((1, 2), pool.map(work, (1, 2)), strict=True):
            np.testing.assert_array_equal(total, X + Y + bias)


# --- providers ----------------------------------------------------------------------------------


def test_provider(session: omb.InferenceSession) -> None:
    assert session.get_providers() == ["cpu"]
    assert session.device.provider == "cpu"


def test_first_provider_that_is_there(compiled: omb.CompiledModel) -> None:
    assert omb.InferenceSession(compiled, ["cuda", "cpu"]).get_providers() == ["cpu"]
    assert omb.InferenceSession(compiled, "cpu").get_providers() == ["cpu"]


PROVIDERS = {
    "empty": ([], "providers is empty; name some of cuda, vulkan, cpu"),
    "unknown": (["CPUExecutionProvider"], "no provider 'CPUExecutionProvider'; use one of cuda"),
    "not a string": ([3], "given by its name, not by 3"),
    "not there": (["cpu:7"], "this machine has no device 'cpu:7'; it has .*cpu"),
}


@pytest.mark.parametrize("case", PROVIDERS)
def test_refuses_providers(compiled: omb.CompiledModel, case: str) -> None:
    providers, message = PROVIDERS[case]
    with pytest.raises(omb.OmbError, match=message):
        omb.InferenceSession(small_models.affine(), providers)
    with pytest.raises(omb.OmbError):
        omb.InferenceSession(compiled, providers)


def test_compiled_for_another_provider(compiled: omb.CompiledModel) -> None:
    with pytest.raises(omb.OmbError, match=r"compiled for cpu, not for cuda; .*target='cuda'"):
        omb.InferenceSession(compiled, ["cuda"])


def test_options_come_too_late_for_a_compiled_model(compiled: omb.CompiledModel) -> None:
    with pytest.raises(omb.OmbError, match=r"compiled already; give opt_level to omb.compile"):
        omb.InferenceSession(compiled, opt_level=2)


# --- what a session tells about the model ---------------------------------------------------------


def test_inputs_and_outputs(session: omb.InferenceSession) -> None:
    told = [(t.name, t.type, t.shape) for t in (*session.get_inputs(), *session.get_outputs())]
    assert told == [
        ("x", "tensor(float)", ["n", 3]),
        ("y", "tensor(float)", ["n", 3]),
        ("sum", "tensor(float)", ["n", 3]),
        ("double", "tensor(float)", ["n", 3]),
    ]
    session.get_inputs().clear()
    assert len(session.get_inputs()) == 2


def test_model_metadata(session: omb.InferenceSession) -> None:
    told = session.get_modelmeta()
    assert told.producer_name == "the tests"
    assert told.version == 7
    assert told.domain == "org.example"
    assert told.description == "adds"
    assert told.graph_name == "small"
    assert told.custom_metadata_map == {"color": "green"}


def test_same_answers_as_onnxruntime(session: omb.InferenceSession) -> None:
    import onnxruntime

    theirs = onnxruntime.InferenceSession(
        small_models.affine().SerializeToString(), providers=["CPUExecutionProvider"]
    )
    for kind in ("get_inputs", "get_outputs"):
        ours = [(t.name, t.type, t.shape) for t in getattr(session, kind)()]
        assert ours == [(t.name, t.type, t.shape) for t in getattr(theirs, kind)()]
    for attribute in ("producer_name", "graph_name", "domain", "description", "version"):
        assert getattr(session.get_modelmeta(), attribute) == getattr(
            theirs.get_modelmeta(), attribute
        )
    assert session.get_modelmeta().custom_metadata_map == theirs.get_modelmeta().custom_metadata_map


def test_module_as_source() -> None:
    session = omb.InferenceSession(omb.import_model(small_models.affine()), ["cpu"])
    assert [str(t) for t in session.get_inputs()] == ["x: float[n, 3]", "y: float[n, 3]"]
    np.testing.assert_array_equal(session.run(["sum"], {"x": X, "y": Y})[0], SUM)


def test_types_that_sessions_cannot_pass() -> None:
    made = small_models.model(
        [helper.make_node("Identity", ["x"], ["y"])],
        [small_models.tensor("x", TensorProto.STRING, [1])],
        [small_models.tensor("y", TensorProto.STRING, [1])],
    )
    with pytest.raises(omb.OmbError, match=r"input 'x' is tensor\(string\)"):
        omb.InferenceSession(made, ["cpu"], fallback="error")


def test_index_out_of_range() -> None:
    """It is either refused or read as if it were in range, but never read from elsewhere."""
    made = small_models.model(
        [helper.make_node("Gather", ["x", "i"], ["y"])],
        [
            small_models.tensor("x", TensorProto.FLOAT, [4]),
            small_models.tensor("i", TensorProto.INT64, ["n"]),
        ],
        [small_models.tensor("y", TensorProto.FLOAT, ["n"])],
    )
    session = omb.InferenceSession(made, ["cpu"])
    x = np.array([1, 2, 3, 4], np.float32)
    try:
        (out,) = session.run(None, {"x": x, "i": np.array([0, 10**9, -(10**9)])})
    except omb.OmbError as error:
        assert "failed" in str(error)
    else:
        assert set(out) <= set(x)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="only Linux tells threads' CPUs")
def test_workers_have_a_cpu_each_if_there_are_as_many(tmp_path: Path) -> None:
    """In a process of its own, as pools are kept."""
    saved = tmp_path / "model.omb"
    omb.compile(small_models.product((2, 3), 4)).save(saved)
    code = """if True:
        import os, sys, time
        import numpy as np
        import onnx_mlir_bridge as omb

        def find_workers():
            found = set()
            for task in os.listdir("/proc/self/task"):
                with open(f"/proc/self/task/{task}/comm") as comm:
                    if comm.read().startswith("iree-worker"):
                        found.add(int(task))
            return found

        cpus = sorted(os.sched_getaffinity(0))
        seen = set()
        for threads in (len(cpus), len(cpus) + 1):
            session = omb.load(sys.argv[1], device="cpu", threads=threads)
            session.run(None, {"x": np.zeros((2, 3), np.float32)})
            deadline = time.monotonic() + 60  # threads name themselves, when they get a CPU
            while len(new := find_workers() - seen) < threads and time.monotonic() < deadline:
                time.sleep(0.01)
            seen |= new
            workers = sorted(sorted(os.sched_getaffinity(task)) for task in new)
            print(workers == [[cpu] for cpu in cpus], workers == [cpus] * threads)
    """
    done = subprocess.run(
        [sys.executable, "-c", code, str(saved)], capture_output=True, text=True, check=True
    )
    pinned, free = done.stdout.splitlines()
    if len(os.sched_getaffinity(0)) > 1:
        assert pinned == "True False"
    assert free == "False True"


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells what is mapped")
def test_a_session_for_the_cpu_loads_no_gpus_drivers(tmp_path: Path) -> None:
    """They take more memory than small models."""
    saved = tmp_path / "model.omb"
    omb.compile(small_models.product((2, 3), 4)).save(saved)
    code = """if True:
        import sys
        import onnx_mlir_bridge as omb

        omb.load(sys.argv[1], device="cpu")
        with open("/proc/self/maps") as maps:
            mapped = maps.read()
        assert "iree" in mapped
        print([line for line in mapped.splitlines() if "libvulkan" in line or "libcuda" in line])
    """
    done = subprocess.run(
        [sys.executable, "-c", code, str(saved)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="only Linux has policies")
def test_a_caller_interrupts_no_worker() -> None:
    """Only while it waits, and only if nobody chose another policy for it."""
    nothing = os.sched_param(0)
    with scheduling.not_preempting():
        assert os.sched_getscheduler(0) == os.SCHED_BATCH
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    with pytest.raises(ZeroDivisionError), scheduling.not_preempting():
        1 / 0  # noqa: B018
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    os.sched_setscheduler(0, os.SCHED_BATCH, nothing)
    try:
        with scheduling.not_preempting():
            assert os.sched_getscheduler(0) == os.SCHED_BATCH
        assert os.sched_getscheduler(0) == os.SCHED_BATCH
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, nothing)


def test_a_caller_that_may_not_change_its_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse, raising=False)
    with scheduling.not_preempting():
        pass


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
def test_is_not_copied(
    session: omb.InferenceSession,
    compiled: omb.CompiledModel,
    duplicate: Callable[[object], object],
) -> None:
    with pytest.raises(omb.OmbError, match="a session can't be copied or pickled; write it to a"):
        duplicate(session)
    with pytest.raises(omb.OmbError, match="a compiled model can't be copied or pickled"):
        duplicate(compiled)


def test_a_size_that_operators_decide() -> None:
    """The model leaves it open, but a weight doesn't: the message names the input."""
    model = small_models.product()
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "k"
    session = omb.InferenceSession(model)
    with pytest.raises(omb.OmbError, match=r"'x' has the shape \(2, 4\); dimension 1 must be 5"):
        session.run(None, {"x": np.zeros((2, 4), np.float32)})
    assert session.run(None, {"x": np.zeros((2, 5), np.float32)})[0].shape == (2, 7)
