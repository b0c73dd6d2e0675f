"""Models some of whose nodes no device can run: cut into parts, run on the device and the host."""

from __future__ import annotations

import itertools
import json
import locale
import re
import subprocess
import sys
import textwrap
import threading
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
import small_models
from host_models import BOOL, FLOAT, INT64, STRING, kinds, node, same, session
from onnx import TensorProto, helper
from onnx_mlir_bridge import cli
from onnx_mlir_bridge.importer.segments import partition
from onnx_mlir_bridge.runtime.device_segment import DeviceSegment, OnDevice
from onnx_mlir_bridge.runtime.host import HostSegment
from small_models import tensor


def mixed() -> onnx.ModelProto:
    """Counts the words of texts, weighs the counts by scores, and writes them behind the texts."""
    return small_models.model(
        [
            node("StringSplit", "text", "words count", delimiter=" ", name="split"),
            node("Cast", "count", "number", to=FLOAT, name="to_float"),
            node("Mul", "number score", "weighed"),
            node("Cast", "weighed", "written", to=STRING, name="write"),
            node("StringConcat", "text written", "label", name="join"),
            node("Add", "score score", "twice", name="double"),
            node("Add", "weighed twice", "sum"),
        ],
        [tensor("text", STRING, ["n"]), tensor("score", FLOAT, ["n"])],
        [
            tensor("label", STRING, ["n"]),
            tensor("sum", FLOAT, ["n"]),
            tensor("text", STRING, ["n"]),
        ],
    )


TEXT = np.array(["a b c", "d", "é f"])
SCORE = np.array([0.5, 2.0, 4.0], np.float32)
FEEDS = {"text": TEXT, "score": SCORE}
SUM = np.array([1.5 + 1, 2 + 4, 8 + 8], np.float32)
LABEL = np.array(["a b c1.5", "d2.0", "é f8.0"], object)


@pytest.fixture(scope="module")
def compiled() -> omb.CompiledModel:
    with pytest.warns(omb.FallbackWarning):
        return omb.compile(mixed(), threads=1)


@pytest.fixture(scope="module")
def saved(compiled: omb.CompiledModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "mixed.omb"
    compiled.save(path)
    return path


# --- cutting --------------------------------------------------------------------------------------


def test_partition_takes_as_few_as_can_be() -> None:
    assert partition([], ()) == []
    assert partition([(), (0,)], ()) == [(False, [0, 1])]
    assert partition([(), (0,)], (0, 1)) == [(True, [0, 1])]
    # 0 -> host 1 -> 3, and 2 -> 3: what is ready is taken first.
    assert partition([(), (0,), (), (1, 2)], (1,)) == [(False, [0, 2]), (True, [1]), (False, [3])]
    # A host node without producers comes first where that saves a part.
    assert partition([(), (), (0, 1)], (0,)) == [(True, [0]), (False, [1, 2])]
    assert partition([(), (), (1,)], (2,)) == [(False, [0, 1]), (True, [2])]


def _longest_alternation(needs: Sequence[Sequence[int]], on_host: set[int]) -> int:
    """A lower bound on the parts: how often the kind changes on a path, plus one."""
    lengths: list[int] = []
    for index, producers in enumerate(needs):
        changes = (lengths[p] + ((p in on_host) != (index in on_host)) for p in producers)
        lengths.append(max(changes, default=1))
    return max(lengths, default=0)


def test_partition_of_random_graphs() -> None:
    generator = np.random.default_rng(0)
    for _ in range(300):
        count = int(generator.integers(1, 12))
        needs = [
            sorted(
                {int(p) for p in generator.integers(0, n, generator.integers(0, 3))} if n else ()
            )
            for n in range(count)
        ]
        on_host = {n for n in range(count) if generator.random() < 0.4}
        found = partition(needs, on_host)
        order = [n for _, nodes in found for n in nodes]
        assert sorted(order) == list(range(count))
        assert all(order.index(p) < order.index(n) for n in order for p in needs[n])
        assert all(
            set(nodes) <= on_host if host else not set(nodes) & on_host for host, nodes in found
        )
        assert all(a[0] != b[0] for a, b in itertools.pairwise(found))
        # One more than a path needs only where paths start with different kinds.
        assert 0 <= len(found) - _longest_alternation(needs, on_host) <= 1


def test_parts(compiled: omb.CompiledModel) -> None:
    made = omb.InferenceSession(compiled)
    assert kinds(made) == "HDH"
    same(made.run(None, FEEDS), [LABEL, SUM, TEXT.astype(object)])
    same(made.run(["sum"], FEEDS), [SUM])
    assert [str(i) for i in made.get_inputs()] == ["text: string[n]", "score: float[n]"]
    assert [i.type for i in made.get_outputs()] == [
        "tensor(string)",
        "tensor(float)",
        "tensor(string)",
    ]


def test_values_stay_on_the_device() -> None:
    """Those that go from device to device aren't copied, also where the host looks at them."""
    made = session(
        small_models.model(
            [
                node("Add", "x x", "kept"),
                node("Mul", "x x", "both"),
                node("Cast", "both", "text", to=STRING),
                node("Cast", "text", "back", to=FLOAT),
                node("Sub", "kept back", "d"),
                node("Add", "d both", "y"),
            ],
            [tensor("x", FLOAT, ["n"])],
            [tensor("y", FLOAT, ["n"])],
        )
    )
    assert kinds(made) == "DHD"
    x = np.arange(4, dtype=np.float32)
    known = {"x": x}
    for segment in made._plan.segments:
        made._run(segment, known, is_only=False)
    assert isinstance(known["kept"], OnDevice)
    assert isinstance(known["both"], OnDevice)
    assert "value" not in vars(known["kept"])
    assert "value" in vars(known["both"])
    same(made.run(None, {"x": x}), [2 * x])


def test_random_numbers_differ_between_parts() -> None:
    made = session(
        small_models.model(
            [
                node("RandomNormalLike", "x", "a"),
                node("Cast", "a", "text", to=STRING),
                node("Cast", "text", "number", to=FLOAT),
                node("RandomNormalLike", "number", "b"),
            ],
            [tensor("x", FLOAT, [8])],
            [tensor("a", FLOAT, [8]), tensor("b", FLOAT, [8])],
        )
    )
    assert kinds(made) == "DHD"
    x = np.zeros(8, np.float32)
    numbers = np.stack([array for _ in range(3) for array in made.run(None, {"x": x})])
    assert np.unique(numbers).size == numbers.size


def test_what_is_not_used_costs_nothing() -> None:
    """Nodes, inputs and constants that no output depends on make no parts."""
    labels = {"classlabels_strings": ["a", "b"]}
    model = small_models.model(
        [
            node("StringConcat", "s k", "unused"),
            node("Add", "x x", "y"),
            node("MaxRoiPool", "p r", "never", pooled_shape=[1, 1]),
            helper.make_node("ZipMap", ["z"], ["map"], domain="ai.onnx.ml", **labels),
        ],
        [
            tensor("s", STRING, ["n"]),
            tensor("x", FLOAT, ["n"]),
            tensor("p", FLOAT, [1, 1, 4, 4]),
            tensor("r", FLOAT, [1, 5]),
            tensor("z", FLOAT, [1, 2]),
        ],
        [tensor("y", FLOAT, ["n"])],
        {"k": np.array(["k"], object)},
    )
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = omb.InferenceSession(model, ["cpu"])
    assert kinds(made) == "D"
    rois, pictures = np.zeros((1, 5), np.float32), np.zeros((1, 1, 4, 4), np.float32)
    feeds = {"s": TEXT, "x": SCORE, "p": pictures, "r": rois, "z": np.zeros((1, 2), np.float32)}
    same(made.run(None, feeds), [2 * SCORE])
    with pytest.raises(omb.OmbError, match="'s' is an array of float32; the model takes strings"):
        made.run(None, {**feeds, "s": SCORE})


def test_outputs_that_no_node_makes() -> None:
    """Inputs and constants, of strings and numbers; their memory is the caller's."""
    model = small_models.model(
        [helper.make_node("Constant", [], ["c"], value_strings=[b"x", b"y"])],
        [tensor("s", STRING, [2]), tensor("x", FLOAT, [2])],
        [
            tensor("s", STRING, [2]),
            tensor("x", FLOAT, [2]),
            tensor("c", STRING, [2]),
            tensor("k", STRING, [1]),
            tensor("w", FLOAT, [3]),
        ],
        {"k": np.array(["k"], object), "w": small_models.BIAS},
    )
    made = omb.InferenceSession(model, ["cpu"])
    x = np.ones(2, np.float32)
    expected = [np.array(v, object) for v in (["a", "b"], ["x", "y"], ["k"])]
    for _ in range(2):
        results = made.run(None, {"s": expected[0], "x": x})
        same(results, [expected[0], x, *expected[1:], small_models.BIAS])
        for array in results:
            assert not np.shares_memory(array, x)
            array[...] = array[0] + array[0]


def test_nothing_but_the_host() -> None:
    model = small_models.model(
        [node("StringConcat", "s s", "y")], [tensor("s", STRING, [])], [tensor("y", STRING, [])]
    )
    made = session(model)
    assert kinds(made) == "H"
    (y,) = made.run(None, {"s": np.array("ä\0")})
    assert (y.shape, y.dtype, y.item()) == ((), object, "ää") or y.item() == "ä\0ä\0"


def test_empty_strings_and_empty_tensors(compiled: omb.CompiledModel) -> None:
    made = omb.InferenceSession(compiled)
    nothing = {"text": np.array([], dtype=object), "score": np.array([], np.float32)}
    label, total, text = made.run(None, nothing)
    assert (label.shape, total.shape, text.shape) == ((0,), (0,), (0,))
    assert (label.dtype, total.dtype, text.dtype) == (object, np.float32, object)


# --- warnings and errors --------------------------------------------------------------------------


def test_warns_once_of_all_nodes() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = omb.compile(mixed())
        omb.InferenceSession(made).run(None, FEEDS)
    (warning,) = caught
    assert warning.category is omb.FallbackWarning
    assert warning.filename == __file__
    assert str(warning.message) == (
        "3 nodes run on the host, not on the device: split (StringSplit), write (Cast), "
        "join (StringConcat): works on strings, which no device has"
    )
    assert made.warnings == (str(warning.message),)


def test_error_instead() -> None:
    with pytest.raises(omb.OmbError, match=r"'text' is tensor\(string\): no device has.*='host'"):
        omb.compile(mixed(), fallback="error")
    with pytest.raises(omb.OmbError, match=r"decode \(ImageDecoder\): has no lowering to linalg$"):
        omb.compile(small_models.not_lowered(), fallback="error")


def test_errors_in_the_model_are_errors() -> None:
    """Also beside, and in, nodes that run on the host."""
    misfit = small_models.model(
        [node("StringConcat", "s s", "t"), node("Add", "x w", "y")],
        [tensor("s", STRING, ["n"]), tensor("x", FLOAT, [2])],
        [tensor("t", STRING, ["n"]), tensor("y", FLOAT, [3])],
        {"w": small_models.BIAS},
    )
    with pytest.raises(omb.OmbError, match="do not fit"):
        omb.compile(misfit)
    wrong = small_models.model(
        [node("StringConcat", "s x", "t")],
        [tensor("s", STRING, ["n"]), tensor("x", FLOAT, ["n"])],
        [tensor("t", STRING, ["n"])],
    )
    with pytest.raises(omb.OmbError, match="StringConcat"):
        omb.compile(wrong)


def test_neither_device_nor_host() -> None:
    model = small_models.model(
        [
            node("MaxRoiPool", "x r", "y", pooled_shape=[1, 1], name="pool"),
            node("StringConcat", "s s", "t"),
        ],
        [tensor("x", FLOAT, [1, 1, 4, 4]), tensor("r", FLOAT, [2, 5]), tensor("s", STRING, [1])],
        [tensor("y", FLOAT, [2, 1, 1, 1]), tensor("t", STRING, [1])],
    )
    message = r"^the model can't be compiled: pool \(MaxRoiPool\): has no .*; and on the host: onnx"
    with pytest.raises(omb.OmbError, match=message):
        omb.compile(model)


def test_failures_on_the_host() -> None:
    made = session(
        small_models.model(
            [node("Cast", "s", "x", to=FLOAT)],
            [tensor("s", STRING, [1])],
            [tensor("x", FLOAT, [1])],
        )
    )
    with pytest.raises(
        omb.OmbError, match=r"'x \(Cast\)' on the host: the text 'one' is no number"
    ):
        made.run(None, {"s": np.array(["one"])})


def test_failures_in_subgraphs_name_the_inner_node() -> None:
    def branch(name: str, op: onnx.NodeProto) -> onnx.GraphProto:
        return helper.make_graph([op], name, [], [tensor(name, FLOAT, ["n"])])

    choice = node(
        "If",
        "c",
        "y",
        then_branch=branch("a", node("Cast", "s", "a", to=FLOAT, name="inner")),
        else_branch=branch("b", node("Cast", "s", "b", to=FLOAT)),
    )
    inputs = [tensor("c", BOOL, []), tensor("s", STRING, ["n"])]
    made = session(small_models.model([choice], inputs, [tensor("y", FLOAT, ["n"])]))
    with pytest.raises(omb.OmbError, match=r"^the node 'inner \(Cast\)' on the host: the text 'z'"):
        made.run(None, {"c": np.array(True), "s": np.array(["z"])})


def test_types_that_the_evaluator_lacks() -> None:
    unique = node("Unique", "x", "y", axis=0, name="rows")
    inputs = [tensor("x", STRING, ["n", 2])]
    made = session(small_models.model([unique], inputs, [tensor("y", STRING, None)]))
    with pytest.raises(omb.OmbError, match=r"'rows \(Unique\)' on the host: onnx's .* support"):
        made.run(None, {"x": np.array([["a", "b"], ["a", "b"]])})


@pytest.mark.parametrize(
    ("element", "text", "expected"),
    [
        ("int8", "-7", -7),
        ("int64", "9007199254740993", 9007199254740993),
        ("uint64", "18446744073709551615", 2**64 - 1),
        ("int32", "1.5", 1),
        ("int4", "-8", -8),
        ("bfloat16", "1e3", 1000),
        ("float8e4m3fn", "0.5", 0.5),
        ("float", "-INF", -np.inf),
        ("bool", "0", 0),
        ("bool", "0.5", 1),
        ("bool", "False", 0),
        ("bool", "True", 1),
        ("bool", "yes", "the text 'yes' is no number"),
        ("int8", "128", "the text '128' is no number from -128 to 127"),
        ("int4", "8", "the text '8' is no number from -8 to 7"),
        ("int32", "nan", "the text 'nan' is no integer"),
        ("int32", "one", "the text 'one' is no number"),
    ],
)
def test_casts_of_strings(element: str, text: str, expected: float | str) -> None:
    number = TensorProto.DataType.Value(element.upper())
    model = helper.make_model(
        helper.make_graph(
            [node("Cast", "s", "x", to=number), node("Cast", "x", "t", to=STRING)],
            "g",
            [tensor("s", STRING, [1])],
            [tensor("x", number, [1]), tensor("t", STRING, [1])],
        ),
        opset_imports=[helper.make_opsetid("", 25)],
    )
    made = session(model)
    feeds = {"s": np.array([text])}
    if isinstance(expected, str):
        with pytest.raises(omb.OmbError, match=expected):
            made.run(None, feeds)
        return
    x, written = made.run(None, feeds)
    assert x.item() == expected
    # numpy's word for a boolean, which a cast takes back.
    assert float({"True": 1, "False": 0}.get(written.item(), written.item())) == float(expected)


def test_padding_of_strings() -> None:
    """With nothing, or with a text that is longer than the others."""
    model = small_models.model(
        [node("Pad", "s p", "y"), node("Pad", "s p v", "z")],
        [tensor("s", STRING, ["n"]), tensor("p", INT64, [2]), tensor("v", STRING, [])],
        [tensor("y", STRING, None), tensor("z", STRING, None)],
    )
    feeds = {"s": np.array(["a"]), "p": np.array([1, 0]), "v": np.array("long")}
    y, z = session(model).run(None, feeds)
    assert (y.tolist(), z.tolist()) == (["", "a"], ["long", "a"])
    assert {type(text) for text in (*y, *z)} == {str}


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_one_of_two_texts(axis: int) -> None:
    """OneHot, also of indices from the end, of none in range, and of no rows."""
    model = small_models.model(
        [node("OneHot", "i depth v", "y", axis=axis)],
        [tensor("i", INT64, ["n"]), tensor("depth", INT64, [1]), tensor("v", STRING, [2])],
        [tensor("y", STRING, None)],
    )
    made = session(model)
    feeds = {"depth": np.array([3]), "v": np.array(["off", "on"])}
    for indices in ([0, -1, 7, -4], []):
        hot = np.array([[i in (place, place - 3) for place in range(3)] for i in indices], bool)
        expected = np.where(hot.reshape(-1, 3), "on", "off").astype(object)
        (y,) = made.run(None, {"i": np.array(indices, np.int64), **feeds})
        same([y], [expected.T if axis == 0 else expected])


def text_counts(indexes: list[int], **attributes: object) -> onnx.ModelProto:
    """A TfIdfVectorizer of a, b and "a b"."""
    return small_models.model(
        [
            node(
                "TfIdfVectorizer",
                "x",
                "y",
                name="count",
                **{"mode": "TF", "min_gram_length": 1, "max_gram_length": 2, "max_skip_count": 0},
                **{"pool_strings": ["a", "b", "a", "b"], "ngram_counts": [0, 2]},
                ngram_indexes=indexes,
                **attributes,
            )
        ],
        [tensor("x", STRING, ["n", "length"])],
        [tensor("y", FLOAT, ["n", "outputs"])],
    )


def test_counts_of_texts() -> None:
    text = np.array([["a", "b", "a"], ["b", "b", "c"]])
    (y,) = session(text_counts([2, 0, 3])).run(None, {"x": text})
    same([y], [np.array([[1, 0, 2, 1], [2, 0, 0, 0]], np.float32)])
    made = session(text_counts([0, 1, 2]))
    for shape in ((0, 3), (2, 0)):
        (y,) = made.run(None, {"x": np.zeros(shape, object)})
        same([y], [np.zeros((shape[0], 3), np.float32)])
    # Far indices cost what there is of them; beyond all measure they are refused, at once.
    (y,) = session(text_counts([0, 1, 10**6])).run(None, {"x": text})
    assert (y.shape, y[:, [0, 1, -1]].tolist()) == ((2, 10**6 + 1), [[2, 1, 1], [0, 2, 0]])
    with pytest.raises(omb.OmbError, match=r"count.*gives rows of 10000000001 numbers"):
        omb.compile(text_counts([0, 1, 10**10]))


@pytest.mark.parametrize("skips", [0, 1, 5])
@pytest.mark.parametrize("weights", [None, [0.5, 2.0, -1.0]])
@pytest.mark.parametrize("mode", ["TF", "IDF", "TFIDF"])
def test_counts_of_texts_are_those_of_numbers(mode: str, weights: list | None, skips: int) -> None:
    """TfIdfVectorizer on the host and compiled."""
    numbers = np.random.default_rng(skips).integers(0, 3, (4, 7))
    attributes = {"weights": weights} if weights else {}
    texts = text_counts([0, 2, 1], **attributes)
    whole = text_counts([0, 2, 1], **attributes)
    for model in (texts, whole):
        for attribute in model.graph.node[0].attribute:
            if attribute.name == "mode":
                attribute.s = mode.encode()
            elif attribute.name == "max_skip_count":
                attribute.i = skips
    pool = next(a for a in whole.graph.node[0].attribute if a.name == "pool_strings")
    pool.CopyFrom(helper.make_attribute("pool_int64s", [0, 1, 0, 1]))
    whole.graph.input[0].type.tensor_type.elem_type = INT64
    (expected,) = omb.InferenceSession(whole, ["cpu"]).run(None, {"x": numbers})
    (y,) = session(texts).run(None, {"x": np.array(["a", "b", "c"])[numbers]})
    same([y], [expected])


def test_splitting_one_text() -> None:
    model = small_models.model(
        [node("StringSplit", "s", "y n")],
        [tensor("s", STRING, [])],
        [tensor("y", STRING, ["k"]), tensor("n", INT64, [])],
    )
    same(session(model).run(None, {"s": np.array("a b")}), [np.array(["a", "b"]), np.array(2)])


def test_strings_that_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """What onnx gives for strings is checked."""
    model = small_models.model(
        [node("Identity", "s", "y")], [tensor("s", STRING, [1])], [tensor("y", STRING, [1])]
    )
    made = session(model)
    monkeypatch.setattr(
        made._plan.segments[0]._evaluator, "run", lambda *_: [np.array([0], object)]
    )
    with pytest.raises(omb.OmbError, match="gives 'y' with a int, not a string"):
        made.run(None, {"s": np.array(["a"])})
    monkeypatch.setattr(made._plan.segments[0]._evaluator, "run", lambda *_: [[[1], [1, 2]]])
    with pytest.raises(omb.OmbError, match="running the model on the host failed: "):
        made.run(None, {"s": np.array(["a"])})


STRINGS = {
    "numbers": (np.zeros(1), "is an array of float64; the model takes strings"),
    "bytes": (np.array([b"a"]), r"is an array of \|S1; the model takes strings"),
    "bytes in objects": (np.array([b"a"], object), "is an array of bytes; the model takes strings"),
    "nothing in objects": (np.array(["a", None], object), "is an array of NoneType"),
    "a list": (["a"], "'s' is a list, not an array"),
    "rank": (np.array("a"), "'s' has 0 dimensions"),
}


@pytest.mark.parametrize("case", STRINGS)
def test_strings_are_checked(case: str) -> None:
    value, message = STRINGS[case]
    model = small_models.model(
        [node("Shape", "s", "y")], [tensor("s", STRING, ["n"])], [tensor("y", INT64, [1])]
    )
    made = session(model)
    same(made.run(None, {"s": np.array(["a", "b"], object)}), [np.array([2])])
    with pytest.raises(omb.OmbError, match=message):
        made.run(None, {"s": value})


def test_sizes_between_parts_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the host gives is compared with what the code was compiled for."""
    made = session(
        small_models.model(
            [node("Cast", "s", "a", to=FLOAT), node("Add", "a x", "y")],
            [tensor("s", STRING, ["n"]), tensor("x", FLOAT, ["n"])],
            [tensor("y", FLOAT, ["n"])],
        )
    )
    host = next(s for s in made._plan.segments if isinstance(s, HostSegment))
    monkeypatch.setattr(host._evaluator, "run", lambda *_: [np.zeros(5, np.float32)])
    with pytest.raises(omb.OmbError, match=r"between two segments of the model: .*'n' is"):
        made.run(None, {"s": np.array(["1", "2"]), "x": np.zeros(2, np.float32)})


# --- saved models ---------------------------------------------------------------------------------


def test_round_trip(compiled: omb.CompiledModel, saved: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # said when it was compiled
        loaded = omb.load(saved)
    made = omb.InferenceSession(compiled)
    assert (loaded.get_inputs(), loaded.get_outputs()) == (made.get_inputs(), made.get_outputs())
    same(loaded.run(None, FEEDS), [LABEL, SUM, TEXT.astype(object)])
    with zipfile.ZipFile(saved) as archive:
        assert archive.namelist() == [
            "metadata.json",
            "0/model.onnx",
            "1/module.vmfb",
            "2/model.onnx",
        ]


def test_weights_of_parts(tmp_path: Path) -> None:
    """Large constants on both sides of the host, and one that the host uses too."""
    w = np.arange(1 << 12, dtype=np.float32)
    model = small_models.model(
        [
            node("Add", "x w", "a"),
            node("Cast", "a", "text", to=STRING),
            node("Cast", "w", "weights", to=STRING),
            node("Equal", "text weights", "e"),
            node("Cast", "e", "number", to=FLOAT),
            node("Mul", "number w", "y"),
        ],
        [tensor("x", FLOAT, [w.size])],
        [tensor("y", FLOAT, [w.size])],
        {"w": w},
    )
    made = session(model)
    assert kinds(made) == "DHD"
    made._compiled.save(tmp_path / "m.omb")
    x = np.zeros(w.size, np.float32)
    x[::2] = 1
    for each in (made, omb.load(tmp_path / "m.omb")):
        same(each.run(None, {"x": x}), [np.where(x == 0, w, 0)])


def entry(**changes: object) -> dict:
    """A tensor of a description."""
    return {"name": "q", "element": "float", "dims": [1], "containers": [], "keys": "", **changes}


DAMAGED = {
    "no such kind": (lambda d: d["parts"][0].update(on="moon"), "unknown kind of part 'moon'"),
    "no parts": (lambda d: d.pop("parts"), "is damaged"),
    "a part is missing": (
        lambda d: d["parts"].pop(0),
        "nothing gives 'words'|nothing gives 'count'",
    ),
    "an unknown input": (
        lambda d: d["parts"][0]["inputs"][0].update(name="q"),
        "nothing gives 'q'",
    ),
    "strings for a device": (
        lambda d: d["parts"][1]["inputs"][0].update(element="string"),
        "no device has 'count: string|'count' is",
    ),
    "strings from a device": (
        lambda d: d["parts"][1]["outputs"].append(entry(element="string")),
        r"no device has 'q: string\[1\]'",
    ),
    "a device's sequence without a rank": (
        lambda d: d["parts"][1]["outputs"].append(entry(containers=["seq"], dims=None)),
        r"no device has 'q: seq\(float",
    ),
    "a sequence that is used as a tensor": (
        lambda d: d["parts"][0]["outputs"][0].update(containers=["seq"]),
        r"'count' is seq\(tensor\(int64\)\) and tensor\(int64\)",
    ),
    "another element type": (
        lambda d: d["inputs"][1].update(element="double"),
        r"'score' is tensor\(double\) and tensor\(float\)",
    ),
    "keys without a map": (
        lambda d: d["inputs"][0].update(keys="int64"),
        "bad type of 'text'",
    ),
}


def external() -> onnx.TensorProto:
    """A tensor whose data are in a file."""
    made = onnx.TensorProto(name="w", data_type=FLOAT, dims=[1], data_location=1)
    made.external_data.add(key="location", value="/etc/hostname")
    return made


def constant(model: onnx.ModelProto) -> None:
    model.graph.node.add(op_type="Constant", output=["w"]).attribute.add(
        name="value", type=onnx.AttributeProto.TENSOR
    ).t.CopyFrom(external())


def nested(model: onnx.ModelProto) -> None:
    inner = onnx.GraphProto(name="b", initializer=[external()])
    model.graph.node.add(op_type="If", input=["c"], output=["w"]).attribute.add(
        name="then_branch", type=onnx.AttributeProto.GRAPH
    ).g.CopyFrom(inner)


DAMAGED_MODELS = {
    "an external initializer": (
        lambda m: m.graph.initializer.append(external()),
        "the data of 'w' are in another file",
    ),
    "an external constant": (constant, "the data of 'w' are in another file"),
    "an external initializer in a subgraph": (nested, "the data of 'w' are in another file"),
    "empty": (lambda m: m.Clear(), "its inputs are called otherwise"),
    "another output": (
        lambda m: setattr(m.graph.output[0], "name", "q"),
        "its outputs are called otherwise",
    ),
}


@pytest.mark.parametrize("case", DAMAGED_MODELS)
def test_damaged_host_models(saved: Path, tmp_path: Path, case: str) -> None:
    damage, message = DAMAGED_MODELS[case]
    with zipfile.ZipFile(saved) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    model = onnx.ModelProto.FromString(members["0/model.onnx"])
    damage(model)
    members["0/model.onnx"] = model.SerializeToString()
    with zipfile.ZipFile(tmp_path / "m.omb", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(omb.OmbError, match=f"a part for the host is damaged .*{message}"):
        omb.load(tmp_path / "m.omb")


def test_compressed_members_are_not_read(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few bytes of them may stand for more than the memory holds."""
    with zipfile.ZipFile(saved) as archive, zipfile.ZipFile(tmp_path / "m.omb", "w") as copy:
        for name in archive.namelist():
            kind = zipfile.ZIP_DEFLATED if name == "0/model.onnx" else zipfile.ZIP_STORED
            copy.writestr(name, archive.read(name), kind)
    read: list[str] = []
    plain = zipfile.ZipFile.read
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda z, n: read.append(n) or plain(z, n))
    with pytest.raises(omb.OmbError, match=r"0/model.onnx is compressed"):
        omb.load(tmp_path / "m.omb")
    assert read == ["metadata.json"]


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged(saved: Path, tmp_path: Path, case: str) -> None:
    damage, message = DAMAGED[case]
    with zipfile.ZipFile(saved) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    document = json.loads(members["metadata.json"])
    damage(document)
    members["metadata.json"] = json.dumps(document).encode()
    with zipfile.ZipFile(tmp_path / "m.omb", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(omb.OmbError, match=message):
        omb.load(tmp_path / "m.omb")


def test_loading_needs_neither_compiler_nor_mlir(saved: Path) -> None:
    """But onnx, and says so where it isn't installed."""
    code = """
    import sys
    import numpy as np
    import onnx_mlir_bridge as omb
    if sys.argv[2] == "without":
        sys.modules["onnx"] = None
    session = omb.load(sys.argv[1])
    session.run(None, {"text": np.array(["a b"]), "score": np.ones(1, np.float32)})
    bad = ("iree.compiler", "onnx_mlir_bridge._mlir", "onnx_mlir_bridge.compiler", "click", "rich")
    loaded = [n for n in sys.modules for f in bad if n == f or n.startswith(f + ".")]
    assert not loaded, loaded
    assert "onnx" in sys.modules
    """
    arguments = [sys.executable, "-c", textwrap.dedent(code), saved]
    done = subprocess.run([*arguments, "with"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([*arguments, "without"], capture_output=True, text=True)
    assert "needs the package onnx: pip install onnx" in done.stderr.splitlines()[-1]


# --- documentation, command line, backend -------------------------------------------------------


def test_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "host.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    with pytest.warns(omb.FallbackWarning):
        exec(code, {})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    onnx.save(mixed(), tmp_path / "mixed.onnx")
    return tmp_path


def omb_command(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        cli.main([str(a) for a in arguments])
    return ended.value.code, *capfd.readouterr()


def test_run_of_strings(capfd: pytest.CaptureFixture[str], folder: Path) -> None:
    given = ["--input", 'text=["a b", "c"]', "--input", "score=2"]
    out = folder / "out"
    status, printed, errors = omb_command(
        capfd, "run", folder / "mixed.onnx", *given, "--device=cpu", "--top=1", "--output-dir", out
    )
    assert status == 0, errors
    assert errors.startswith(
        "warning: 3 nodes run on the host, not on the device: split (StringSplit)"
    )
    assert errors.count("\n") == 1
    assert re.search(r'text +string +\[2\] +"a b", "c" +\["a b", "c"\]', printed)
    assert re.search(r'label +string +\[2\] +"a b\d', printed)
    label = np.load(out / "label.npy")
    assert [text[:3] for text in label] == ["a b", "c0."]
    np.save(folder / "text.npy", label)
    given = ["--input", f"text={folder / 'text.npy'}", "--device=cpu"]
    status, printed, _ = omb_command(capfd, "run", folder / "mixed.onnx", *given)
    assert (status, '"a b' in printed) == (0, True)


def test_strings_on_the_command_line(capfd: pytest.CaptureFixture[str], folder: Path) -> None:
    assert omb_command(capfd, "compile", folder / "mixed.onnx", "-o", folder / "m.omb")[0] == 0
    status, printed, errors = omb_command(capfd, "run", folder / "m.omb", "-i", "text=one text")
    assert (status, errors) == (0, "")
    assert re.search(r'text +string +\[1\] +"one text" +one text', printed)
    status, printed, errors = omb_command(capfd, "run", folder / "m.omb")  # made up
    assert (status, errors) == (0, "")
    _, _, errors = omb_command(capfd, "run", folder / "m.omb", "-i", "text=[1")
    assert errors.startswith("error: input 'text': [1 is not JSON")
    deep = "[" * 30_000
    _, _, errors = omb_command(capfd, "run", folder / "m.omb", "-i", f"text={deep}")
    assert re.fullmatch(
        r"error: input 'text': \[+\.\.\. is not JSON: it is nested too .*\n", errors
    )
    # One text for a size that another input says, whichever comes first.
    for given in (["text=hello", "score=2"], ["score=2", "text=hello"]):
        status, printed, errors = omb_command(
            capfd, "run", folder / "m.omb", *(f"--input={text}" for text in given)
        )
        assert (status, errors) == (0, "")
        assert re.search(r'text +string +\[2\] +"hello", "hello" +hello', printed)
    for option in ("--fallback=error", "--opt-level=1"):
        status, _, errors = omb_command(capfd, "run", folder / "m.omb", option)
        assert status == 2
        assert errors.startswith(f"error: {option.partition('=')[0]} is for ONNX models; '")


def test_other_commands(capfd: pytest.CaptureFixture[str], folder: Path) -> None:
    model = folder / "mixed.onnx"
    status, _, errors = omb_command(capfd, "compile", model, "-o", folder / "m", "--fallback=error")
    assert status == 1
    assert "input 'text' is tensor(string): no device has strings" in errors
    status, printed, errors = omb_command(capfd, "compile", model, "--emit=linalg")
    assert (status, errors) == (0, "")
    assert printed.startswith("// part 1 of 3, on the host: split (StringSplit)\n// -----\n")
    status, _, errors = omb_command(capfd, "compile", model, "--emit=vmfb", "-o", folder / "m")
    assert status == 1
    assert "the model is in 3 parts" in errors
    status, printed, _ = omb_command(capfd, "inspect", model)
    assert re.search(r"Cast +2 +1 on the host\n", printed)
    assert re.search(r"Mul +1 +compiles\n", printed)
    assert "on the host (3 parts in all)\n  split (StringSplit): works on strings" in printed
    found = json.loads(omb_command(capfd, "inspect", "--json", model)[1])
    assert (found["parts"], len(found["host"]), found["problems"]) == (3, 3, [])
    assert omb_command(capfd, "compile", model, "-o", folder / "m.omb")[0] == 0
    status, printed, _ = omb_command(capfd, "inspect", folder / "m.omb")
    assert re.search(r"parts +3, of which 2 on the host", printed)


def test_backend() -> None:
    with pytest.warns(omb.FallbackWarning):
        prepared = omb.backend.prepare(mixed())
    same(prepared.run([TEXT, SCORE]), [LABEL, SUM, TEXT.astype(object)])
    with pytest.warns(omb.FallbackWarning):
        (y,) = omb.backend.run_node(node("StringConcat", "a b", "y"), [TEXT, TEXT])
    assert y.tolist() == [text + text for text in TEXT]


# --- stages, threads ------------------------------------------------------------------------------


def test_emit(compiled: omb.CompiledModel) -> None:
    for stage, marks in (
        ("onnx", ["onnx.StringSplit", "onnx.Mul", "onnx.StringConcat"]),
        ("linalg", ["linalg.generic"]),
        ("vector", ["linalg.generic"]),
        ("iree", ["linalg.generic"]),
    ):
        text = compiled.emit(stage)
        sections = text.split("// -----\n")
        assert [s.splitlines()[0] for s in sections] == [
            "// part 1 of 3, on the host: split (StringSplit)",
            "// part 2 of 3",
            "// part 3 of 3, on the host: write (Cast), join (StringConcat)",
        ]
        assert all(mark in text for mark in marks)
        assert ("module" in sections[0]) == (stage == "onnx")
    with pytest.raises(
        omb.OmbError, match="the model is in 3 parts, some of which run on the host"
    ):
        compiled.emit("vmfb")


def test_threads_of_python(compiled: omb.CompiledModel) -> None:
    made = omb.InferenceSession(compiled)
    wrong: list[object] = []

    def work(number: int) -> None:
        for length in range(1, 20):
            text = np.array([f"{number} {i}" for i in range(length)])
            score = np.full(length, number, np.float32)
            label, total, _ = made.run(None, {"text": text, "score": score})
            expected = [f"{t}{2.0 * number}" for t in text]
            if label.tolist() != expected or not (total == 4 * number).all():
                wrong.append((number, length))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_device_segments_have_signatures(compiled: omb.CompiledModel) -> None:
    made = omb.InferenceSession(compiled)
    (segment,) = [s for s in made._plan.segments if isinstance(s, DeviceSegment)]
    assert [str(i) for i in segment.signature.inputs] == ["count: int64[n]", "score: float[n]"]


def test_the_locale_stays() -> None:
    node = helper.make_node(
        "StringNormalizer", ["x"], ["y"], "normalize", case_change_action="LOWER", locale="C"
    )
    model = small_models.model(
        [node],
        [small_models.tensor("x", TensorProto.STRING, [2])],
        [small_models.tensor("y", TensorProto.STRING, [2])],
    )
    before = locale.setlocale(locale.LC_ALL)
    with pytest.warns(omb.FallbackWarning):
        made = omb.InferenceSession(model)
    (y,) = made.run(None, {"x": np.array(["Ab", "C"])})
    assert y.tolist() == ["ab", "c"]
    assert locale.setlocale(locale.LC_ALL) == before
