"""Sequences and optionals: through sessions, control flow and operators, with values that count.

Values are only moved, so everything must agree bit by bit.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from budget import examples
from hypothesis import given
from hypothesis import strategies as st
from onnx import parser
from onnx.reference import ReferenceEvaluator

BUDGET = examples(10)


def _model(text: str) -> onnx.ModelProto:
    return parser.parse_model(f'<ir_version: 10, opset_import: ["" : 21]>\n{text}')


def _tensors(*shapes: tuple[int, ...], dtype: str = "float32") -> list[np.ndarray]:
    random = np.random.default_rng(7)
    return [random.integers(-99, 99, shape).astype(dtype) for shape in shapes]


def _assert_same(actual: object, expected: object) -> None:
    if isinstance(expected, list):
        assert isinstance(actual, list)
        assert len(actual) == len(expected)
        for mine, theirs in zip(actual, expected, strict=True):
            _assert_same(mine, theirs)
        return
    np.testing.assert_array_equal(actual, expected)
    assert np.asarray(actual).dtype == np.asarray(expected).dtype


INSERT_AND_ERASE = """
edit (seq(float[?, 3]) s, float[?, 3] t, int64 at, int64 gone)
  => (seq(float[?, 3]) out, int64 count, float[?, 3] picked) {
  more = SequenceInsert(s, t, at)
  out = SequenceErase(more, gone)
  count = SequenceLength(out)
  picked = SequenceAt(more, at)
}
"""


@pytest.fixture(scope="module")
def edit() -> omb.InferenceSession:
    return omb.InferenceSession(_model(INSERT_AND_ERASE), ["cpu"])


@BUDGET
@given(
    rows=st.lists(st.integers(0, 4), min_size=0, max_size=5),
    own=st.integers(0, 3),
    data=st.data(),
)
def test_insert_erase_at(
    edit: omb.InferenceSession, rows: list[int], own: int, data: st.DataObject
) -> None:
    sequence = _tensors(*((n, 3) for n in rows))
    tensor = np.full((own, 3), 0.5, np.float32)
    # -length is the first place, and a negative one is never behind the last.
    at = data.draw(st.integers(-len(rows), len(rows)))
    gone = data.draw(st.integers(-len(rows) - 1, len(rows)))
    expected = list(sequence)
    place = at + len(rows) if at < 0 else at
    expected.insert(place, tensor)
    # SequenceAt counts from the end of the longer sequence.
    picked = expected[at]
    del expected[gone]
    out, count, got = edit.run(
        None, {"s": sequence, "t": tensor, "at": np.int64(at), "gone": np.int64(gone)}
    )
    _assert_same(out, expected)
    assert count == len(expected)
    _assert_same(got, picked)


@pytest.mark.parametrize("at", [-3, 3, 2**40])
def test_position_out_of_range(edit: omb.InferenceSession, at: int) -> None:
    inputs = {"s": _tensors((1, 3), (2, 3)), "t": _tensors((1, 3))[0], "gone": np.int64(0)}
    with pytest.raises(omb.OmbError, match="position in the sequence is out of range"):
        edit.run(None, {**inputs, "at": np.int64(at)})
    assert edit.run(["count"], {**inputs, "at": np.int64(2)}) == [2]


@cache
def _split_and_concat_again(axis: int) -> tuple[onnx.ModelProto, omb.InferenceSession]:
    model = _model(f"""
    again (float[?, ?, ?] x, int64 part) => (seq(float[?, ?, ?]) parts, float[?, ?, ?] y) {{
      parts = SplitToSequence <axis = {axis}> (x, part)
      y = ConcatFromSequence <axis = {axis}> (parts)
    }}""")
    return model, omb.InferenceSession(model, ["cpu"])


@BUDGET
@given(size=st.integers(1, 7), part=st.integers(1, 4), axis=st.sampled_from([0, 1, -1]))
def test_split_and_concat_again(size: int, part: int, axis: int) -> None:
    model, session = _split_and_concat_again(axis)
    shape = [3, 2, 4]
    shape[axis] = size
    x = _tensors(tuple(shape))[0]
    expected = ReferenceEvaluator(model).run(None, {"x": x, "part": np.int64(part)})
    actual = session.run(None, {"x": x, "part": np.int64(part)})
    _assert_same(actual[0], list(expected[0]))
    _assert_same(actual[1], x)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_sizes_at_run_time(axis: int) -> None:
    model = _model(f"""
    parts (float[?, ?, ?] x, int64[k] sizes) => (seq(float[?, ?, ?]) parts) {{
      parts = SplitToSequence <axis = {axis}> (x, sizes)
    }}""")
    session = omb.InferenceSession(model, ["cpu"])
    x = _tensors((6, 6, 6))[0]
    for sizes in ([6], [1, 2, 3], [0, 6, 0]):
        (parts,) = session.run(None, {"x": x, "sizes": np.array(sizes)})
        _assert_same(parts, np.split(x, np.cumsum(sizes)[:-1], axis=axis))
    with pytest.raises(omb.OmbError, match="sizes of the parts don't make the dimension"):
        session.run(None, {"x": x, "sizes": np.array([1, 2])})


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_stack(axis: int) -> None:
    model = _model(f"""
    stack (seq(int32[?, ?]) s) => (int32[?, ?, ?] y) {{
      y = ConcatFromSequence <axis = {axis}, new_axis = 1> (s)
    }}""")
    session = omb.InferenceSession(model, ["cpu"])
    tensors = _tensors((2, 3), (2, 3), (2, 3), (2, 3), dtype="int32")
    _assert_same(session.run(None, {"s": tensors})[0], np.stack(tensors, axis))
    with pytest.raises(omb.OmbError, match="sequence to concatenate is empty"):
        session.run(None, {"s": []})


def test_loop_that_collects() -> None:
    """A sequence that starts empty, grows by tensors of growing sizes, and leaves the loop."""
    model = _model("""
    collect (int64 n) => (seq(int64[?]) rows, int64[?] joined) {
      empty = SequenceEmpty <dtype = 7> ()
      yes = Constant <value = bool {1}> ()
      rows = Loop (n, yes, empty) <body = b (int64 i, bool c, seq(int64[?]) s)
        => (bool c_out, seq(int64[?]) s_out) {
        c_out = Identity (c)
        zero = Constant <value = int64 {0}> ()
        one = Constant <value = int64 {1}> ()
        row = Range (zero, i, one)
        s_out = SequenceInsert (s, row)
      }>
      joined = ConcatFromSequence <axis = 0> (rows)
    }""")
    session = omb.InferenceSession(model, ["cpu"])
    for n in (1, 4, 9):
        rows, joined = session.run(None, {"n": np.int64(n)})
        _assert_same(rows, [np.arange(i) for i in range(n)])
        _assert_same(joined, np.concatenate([np.arange(i) for i in range(n)]))
    (rows,) = session.run(["rows"], {"n": np.int64(2)})
    _assert_same(rows, [np.arange(0), np.arange(1)])


def test_if_chooses_a_sequence() -> None:
    model = _model("""
    choose (bool which, seq(float[?]) s, float[?] t) => (seq(float[?]) out) {
      out = If (which) <
        then_branch = yes () => (seq(float[?]) a) { a = SequenceInsert (s, t) },
        else_branch = no () => (seq(float[?]) b) { b = SequenceEmpty <dtype = 1> () }
      >
    }""")
    session = omb.InferenceSession(model, ["cpu"])
    sequence, tensor = _tensors((2,), (3,)), _tensors((4,))[0]
    inputs = {"s": sequence, "t": tensor}
    _assert_same(session.run(None, {**inputs, "which": np.True_})[0], [*sequence, tensor])
    _assert_same(session.run(None, {**inputs, "which": np.False_})[0], [])


def test_optional() -> None:
    model = _model("""
    either (optional(float[?]) x, float[?] otherwise) => (bool has, float[?] y) {
      has = OptionalHasElement (x)
      y = If (has) <
        then_branch = yes () => (float[?] a) { a = OptionalGetElement (x) },
        else_branch = no () => (float[?] b) { b = Identity (otherwise) }
      >
    }""")
    session = omb.InferenceSession(model, ["cpu"])
    x, otherwise = _tensors((3,), (5,))
    assert session.get_inputs()[0].type == "optional(tensor(float))"
    has, y = session.run(None, {"x": x, "otherwise": otherwise})
    assert has
    _assert_same(y, x)
    has, y = session.run(None, {"x": None, "otherwise": otherwise})
    assert not has
    _assert_same(y, otherwise)


def test_element_of_nothing() -> None:
    model = _model("get (optional(float[?]) x) => (float[?] y) { y = OptionalGetElement (x) }")
    session = omb.InferenceSession(model, ["cpu"])
    with pytest.raises(omb.OmbError, match=r"OptionalGetElement.*the optional value is absent"):
        session.run(None, {"x": None})


def test_signature_and_saving(tmp_path: Path) -> None:
    model = _model("same (seq(float[n, 3]) s) => (seq(float[n, 3]) t) { t = Identity (s) }")
    omb.compile(model).save(tmp_path / "same.omb")
    session = omb.load(tmp_path / "same.omb")
    (info,) = session.get_inputs()
    assert (info.name, info.type, info.shape[1]) == ("s", "seq(tensor(float))", 3)
    tensors = _tensors((1, 3), (5, 3), (0, 3))
    _assert_same(session.run(None, {"s": tensors})[0], tensors)
    _assert_same(session.run(None, {"s": tuple(tensors)})[0], tensors)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros((2, 3), np.float32), "pass a list of arrays"),
        (None, "pass a list of arrays"),
        ([np.zeros((2, 4), np.float32)], r"'s\[0\]' has the shape \(2, 4\)"),
        ([np.zeros((2, 3), np.float32), np.zeros((2, 3))], r"'s\[1\]' is float64"),
        ([np.zeros(3, np.float32)], r"'s\[0\]' has 1 dimensions"),
    ],
)
def test_wrong_sequence(value: object, message: str) -> None:
    model = _model("same (seq(float[?, 3]) s) => (seq(float[?, 3]) t) { t = Identity (s) }")
    with pytest.raises(omb.OmbError, match=message):
        omb.InferenceSession(model, ["cpu"]).run(None, {"s": value})


def test_known_tensors_leave_no_sequence() -> None:
    """What exporters write for torch.split: no sequence is left, and no work for one."""
    model = _model("""
    halves (float[6, ?] x) => (float[?, ?] a, float[?, ?] b) {
      three = Constant <value = int64 {3}> ()
      zero = Constant <value = int64 {0}> ()
      last = Constant <value = int64 {-1}> ()
      s = SplitToSequence <axis = 0> (x, three)
      b = SequenceAt (s, zero)
      a = SequenceAt (s, last)
    }""")
    text = omb.compile(model).emit("linalg")
    assert "tensor.extract_slice" in text
    assert "concat" not in text
    assert "cf.assert" not in text
    x = _tensors((6, 2))[0]
    _assert_same(omb.InferenceSession(model, ["cpu"]).run(None, {"x": x}), [x[3:], x[:3]])


# The body of a graph with a sequence s of no declared rank, a vector t and a condition c.
OF_NO_RANK = {
    "inserted": "o = SequenceInsert(s, t)",
    "later": "a = Identity(s)  b = SequenceErase(a)  o = SequenceInsert(b, t)",
    "in a branch": """o = If (c) <
      then_branch = yes () => (seq(float[]) y) { y = SequenceInsert(s, t) },
      else_branch = no () => (seq(float[]) z) { z = Identity(s) }
    >""",
    "behind a branch": """a = If (c) <
      then_branch = yes () => (seq(float[]) y) { y = Identity(s) },
      else_branch = no () => (seq(float[]) z) { z = Identity(s) }
    >
    o = SequenceInsert(a, t)""",
    "in a loop": """m = Constant<value = int64 {2}>()
    yes = Constant<value = bool {1}>()
    o = Loop (m, yes, s) <body = each (int64 i, bool on, seq(float[]) u)
      => (bool go, seq(float[]) v) { go = Identity(on)  v = SequenceInsert(u, t) }>""",
}


@pytest.mark.parametrize("case", OF_NO_RANK)
def test_rank_of_what_is_inserted(case: str) -> None:
    graph = f"g (seq(float[]) s, float[n] t, bool c) => (seq(float[]) o) {{ {OF_NO_RANK[case]} }}"
    model = _model(graph)
    session = omb.InferenceSession(model, ["cpu"])
    assert session.get_inputs()[0].shape == [None]
    for sequence in (_tensors((4,), (0,), (2,)), _tensors((3,))):
        inputs = {"s": sequence, "t": np.array([1, 2], np.float32), "c": np.array(True)}
        (expected,) = ReferenceEvaluator(model).run(None, inputs)
        _assert_same(session.run(None, inputs)[0], [np.asarray(each) for each in expected])
    with pytest.raises(omb.OmbError, match=r"'s\[0\]' has 2 dimensions, \(1, 2\); the model takes"):
        session.run(None, {**inputs, "s": _tensors((1, 2))})


@pytest.mark.parametrize(
    "body", ["o = Identity(s)", "a = SequenceInsert(s, t) o = SequenceInsert(a, u)"]
)
def test_rank_that_cannot_be_known(body: str) -> None:
    graph = f"g (seq(float[]) s, float[n] t, float[n, 2] u) => (seq(float[]) o) {{ {body} }}"
    with pytest.raises(omb.OmbError, match="the rank of input 's' is not known; declare its shape"):
        omb.compile(_model(graph), fallback="error")


def test_ranks_that_differ() -> None:
    model = _model("""
    mixed (float[2] x, float[2, 2] y, int64 at) => (int64 n, seq(float) s) {
      s = SequenceConstruct (x, y)
      n = SequenceLength (s)
    }""")
    with pytest.raises(omb.OmbError, match="tensors of one rank"):
        omb.compile(model, fallback="error")
    with pytest.warns(omb.FallbackWarning, match="tensors of one rank"):
        session = omb.InferenceSession(model, ["cpu"])
    x, y = np.zeros(2, np.float32), np.ones((2, 2), np.float32)
    n, s = session.run(None, {"x": x, "y": y, "at": np.array(0)})
    assert n == 2
    np.testing.assert_array_equal(s[0], x)
    np.testing.assert_array_equal(s[1], y)
