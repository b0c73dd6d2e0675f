"""What operators do on the host, of strings, maps, categories and pictures."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
import small_models
from host_models import BOOL, FLOAT, INT64, STRING, UINT8, kinds, node, same, session
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from onnx_mlir_bridge.compiler import placement, targets
from onnx_mlir_bridge.compiler.options import CompileOptions
from small_models import tensor

# --- what runs on the host ------------------------------------------------------------------------


def test_no_lowering_and_numbers_behind_it() -> None:
    """A picture is decoded on the host, and its mean computed on the device."""
    image = pytest.importorskip("PIL.Image")
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    file = io.BytesIO()
    image.fromarray(pixels).save(file, "PNG")
    model = small_models.model(
        [
            node("ImageDecoder", "data", "picture", name="decode"),
            node("Cast", "picture", "numbers", to=FLOAT),
            node("ReduceMean", "numbers", "mean", keepdims=0),
        ],
        [tensor("data", UINT8, ["n"])],
        [tensor("mean", FLOAT, []), tensor("picture", UINT8, [None, None, None])],
    )
    made = session(model)
    assert kinds(made) == "HD"
    mean, picture = made.run(None, {"data": np.frombuffer(file.getvalue(), np.uint8)})
    assert mean == pixels.mean()
    same([picture], [pixels])
    with pytest.raises(omb.OmbError, match=r"'decode \(ImageD.*isn't a picture that Pillow can"):
        made.run(None, {"data": np.zeros(5, np.uint8)})


def test_pictures_without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.warns(omb.FallbackWarning):
        made = omb.compile(small_models.not_lowered("decode"))
    monkeypatch.setattr("onnx_mlir_bridge.runtime.host.find_spec", lambda n: n != "PIL" or None)
    with pytest.raises(omb.OmbError, match=r"'decode \(ImageDecoder\)' .* pip install pillow"):
        omb.InferenceSession(made)


def test_subgraphs_go_as_a_whole() -> None:
    """An If whose branches work on strings, though what goes in and comes out are numbers."""

    def branch(name: str, text: str) -> onnx.GraphProto:
        nodes = [
            helper.make_node("Constant", [], [f"{name}_c"], value_strings=[text.encode()]),
            node("Equal", f"{name}_c {name}_c", f"{name}_e"),
            node("Cast", f"{name}_e", f"{name}_f", to=FLOAT),
            node("Add", f"{name}_f twice", f"{name}_y"),
        ]
        return helper.make_graph(nodes, name, [], [tensor(f"{name}_y", FLOAT, [1])])

    model = small_models.model(
        [
            node("Add", "x x", "twice"),
            node("Greater", "twice w", "larger"),
            node("Squeeze", "larger", "flag"),
            node("If", "flag", "z", then_branch=branch("a", "a"), else_branch=branch("b", "b")),
            node("Mul", "z twice", "y"),
        ],
        [tensor("x", FLOAT, [1])],
        [tensor("y", FLOAT, [1])],
        {"w": np.ones(1, np.float32)},
    )
    made = session(model)
    assert kinds(made) == "DHD"
    x = np.array([3], np.float32)
    same(made.run(None, {"x": x}), ReferenceEvaluator(model).run(None, {"x": x}))


def test_loops_that_collect_strings() -> None:
    body = helper.make_graph(
        [
            node("Identity", "go", "going"),
            node("StringConcat", "text word", "longer"),
            node("Identity", "longer", "each"),
        ],
        "body",
        [tensor("i", INT64, []), tensor("go", BOOL, []), tensor("text", STRING, [])],
        [tensor("going", BOOL, []), tensor("longer", STRING, []), tensor("each", STRING, [])],
    )
    model = small_models.model(
        [node("Loop", "count true start", "last all", body=body), node("Size", "all", "size")],
        [tensor("count", INT64, []), tensor("word", STRING, []), tensor("start", STRING, [])],
        [tensor("last", STRING, []), tensor("all", STRING, [None]), tensor("size", INT64, [])],
        {"true": np.array(True)},
    )
    made = session(model)
    feeds = {"count": np.array(3), "word": np.array("ab"), "start": np.array("")}
    last, every, size = made.run(None, feeds)
    assert (last.item(), every.tolist(), size) == ("ababab", ["ab", "abab", "ababab"], 3)
    last, every, size = made.run(None, {**feeds, "count": np.array(0)})
    assert (last.item(), every.tolist(), every.dtype, size) == ("", [], object, 0)


def test_sequences_of_strings() -> None:
    strings = helper.make_tensor_sequence_value_info("seq", STRING, [None])
    model = small_models.model(
        [
            node("SequenceAt", "seq i", "one"),
            node("StringConcat", "one one", "two"),
            node("SequenceInsert", "seq two", "out"),
        ],
        [strings, tensor("i", INT64, [])],
        [helper.make_tensor_sequence_value_info("out", STRING, [None])],
    )
    made = session(model)
    assert made.get_inputs()[0].type == "seq(tensor(string))"
    words = [np.array(["a", "b"], object), np.array(["c"], object)]
    (out,) = made.run(None, {"seq": words, "i": np.array(1)})
    assert [o.tolist() for o in out] == [["a", "b"], ["c"], ["cc"]]


def test_unknown_ranks() -> None:
    """What takes a value of unknown rank runs on the host; what it gives is compiled with again."""
    model = small_models.model(
        [
            node("Relu", "x", "a", name="first"),
            node("Reshape", "a shape", "b"),
            node("Add", "b b", "y"),
        ],
        [tensor("x", FLOAT, None)],
        [tensor("y", FLOAT, [None])],
        {"shape": np.array([-1])},
    )
    made = session(model)
    assert kinds(made) == "HD"
    assert (made.get_inputs()[0].shape, str(made.get_inputs()[0])) == ([], "x: float[...]")
    for shape in ((), (2,), (2, 3)):
        x = np.ones(shape, np.float32)
        same(made.run(None, {"x": x}), [2 * x.reshape(-1)])
    with pytest.raises(omb.OmbError, match="rank of input 'x' is not known"):
        omb.compile(model, fallback="error")


def test_equal_nodes_move_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The passes merge them, and report one: a round for each would take time by their square."""
    nodes = []
    for number in range(20):
        nodes += [node("Reshape", "x s", f"r{number}"), node("Relu", f"r{number}", f"a{number}")]
    nodes.append(node("Sum", " ".join(f"a{number}" for number in range(20)), "y"))
    model = small_models.model(
        nodes,
        [tensor("x", FLOAT, ["n"]), tensor("s", INT64, ["k"])],
        [tensor("y", FLOAT, None)],
    )
    rounds = []
    lower = placement.pipeline.to_linalg
    monkeypatch.setattr(
        placement.pipeline, "to_linalg", lambda m, p: rounds.append(m) or lower(m, p)
    )
    placed = placement.place(
        model, CompileOptions(), targets.resolve("cpu", "host", "generic", "sm_80")
    )
    assert len(placed.host_nodes) == len(nodes)
    assert len(rounds) <= 2


def test_compositions_that_need_a_rank() -> None:
    """Where it isn't known, the operator runs on the host like those with a lowering."""
    model = learned(
        [
            node("Cast", "s", "shape", to=INT64),
            node("Reshape", "x shape", "r", name="reshape"),
            ml("ArrayFeatureExtractor", "r i", "y", name="pick"),
        ],
        [tensor("x", FLOAT, ["n"]), tensor("s", FLOAT, ["k"])],
        [tensor("y", FLOAT, None)],
    )
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1]), "i"))
    made = session(model)
    assert kinds(made) == "DH"
    assert (
        "pick (ai.onnx.ml.ArrayFeatureExtractor): depends on the rank" in made._compiled.warnings[0]
    )
    (y,) = made.run(None, {"x": np.arange(6, dtype=np.float32), "s": np.float32([2, 3])})
    np.testing.assert_array_equal(y, [[1], [4]])
    with pytest.raises(omb.OmbError, match=r"'pick .* depends on the rank of its input 'r'"):
        omb.compile(model, fallback="error")


def test_linear_models_of_unknown_rank() -> None:
    """Without intercepts, of which onnx's own operators make NaNs."""
    weights = {"coefficients": [1.0, 2.0, 3.0, -1.0]}
    model = learned(
        [
            node("Cast", "s", "shape", to=INT64),
            node("Reshape", "x shape", "r"),
            ml("LinearRegressor", "r", "y", targets=2, **weights),
            ml("LinearClassifier", "r", "label scores", classlabels_ints=[4, 5], **weights),
        ],
        [tensor("x", FLOAT, ["n"]), tensor("s", FLOAT, ["k"])],
        [tensor("y", FLOAT, None), tensor("label", INT64, None)],
    )
    made = session(model)
    assert kinds(made) == "DH"
    y, label = made.run(None, {"x": np.arange(4, dtype=np.float32), "s": np.float32([2, 2])})
    np.testing.assert_array_equal(y, [[2, -1], [8, 3]])
    np.testing.assert_array_equal(label, [4, 4])


def test_ranks_that_only_the_compiler_finds() -> None:
    """A device's result whose rank onnx doesn't infer is passed to the next part on the device."""

    def branch(name: str, value: str, op: str) -> onnx.GraphProto:
        return helper.make_graph(
            [node(op, f"x {value}", f"{name}_y")], name, [], [tensor(f"{name}_y", FLOAT, None)]
        )

    model = small_models.model(
        [
            node("Equal", "one one", "always"),
            node(
                "If",
                "always",
                "z",
                then_branch=branch("a", "x", "Add"),
                else_branch=branch("b", "axes", "Unsqueeze"),
            ),
            node("Add", "x x", "twice"),
            node("Cast", "twice", "text", to=STRING),
            node("Cast", "text", "back", to=FLOAT),
            node("Add", "z back", "y"),
        ],
        [tensor("x", FLOAT, [3])],
        [tensor("y", FLOAT, None)],
        {"one": np.array(1), "axes": np.array([0])},
    )
    made = session(model)
    assert kinds(made) == "DHD"
    x = np.arange(3, dtype=np.float32)
    same(made.run(None, {"x": x}), [4 * x])
    assert [str(o) for o in made.get_outputs()] == ["y: float[3]"]


# --- maps and categories --------------------------------------------------------------------------


def learned(
    nodes: Sequence[onnx.NodeProto], inputs: Sequence, outputs: Sequence
) -> onnx.ModelProto:
    graph = helper.make_graph(list(nodes), "g", list(inputs), list(outputs))
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def map_info(name: str, keys: int, values: int) -> onnx.ValueInfoProto:
    element = helper.make_tensor_type_proto(values, [])
    return helper.make_value_info(name, helper.make_map_type_proto(keys, element))


def ml(op: str, inputs: str, outputs: str, **attributes: object) -> onnx.NodeProto:
    return node(op, inputs, outputs, domain="ai.onnx.ml", **attributes)


VECTORIZERS = {
    "names": (
        ml("DictVectorizer", "m", "y", string_vocabulary=["a", "b", "c"]),
        (STRING, FLOAT),
        FLOAT,
        {"a": 1.0, "c": 2.0, "z": 3.0},
    ),
    "numbers": (
        ml("DictVectorizer", "m", "y", int64_vocabulary=[7, 5]),
        (INT64, FLOAT),
        FLOAT,
        {5: 2.0},
    ),
    "in order": (ml("CastMap", "m", "y"), (INT64, FLOAT), FLOAT, {5: 1.5, 2: 2.0}),
    "in places": (
        ml("CastMap", "m", "y", map_form="SPARSE", max_map=4, cast_to="TO_INT64"),
        (INT64, FLOAT),
        INT64,
        {3: 1.5, 1: 2.0},
    ),
    "as text": (
        ml("CastMap", "m", "y", cast_to="TO_STRING"),
        (INT64, FLOAT),
        STRING,
        {3: 1.5, 1: 2.0},
    ),
}


@pytest.mark.parametrize("case", VECTORIZERS)
def test_maps(case: str) -> None:
    """As ONNX Runtime has it."""
    onnxruntime = pytest.importorskip("onnxruntime")
    vectorizer, (keys, values), element, value = VECTORIZERS[case]
    model = learned([vectorizer], [map_info("m", keys, values)], [tensor("y", element, [1, None])])
    made = session(model)
    theirs = onnxruntime.InferenceSession(model.SerializeToString())
    assert made.get_inputs()[0].type == theirs.get_inputs()[0].type
    same(made.run(None, {"m": value}), theirs.run(None, {"m": value}))


def test_numbers_behind_maps() -> None:
    """Are compiled."""
    model = learned(
        [ml("DictVectorizer", "m", "v", string_vocabulary=["a", "b"]), node("Softmax", "v", "y")],
        [map_info("m", STRING, FLOAT)],
        [tensor("y", FLOAT, None)],
    )
    made = session(model)
    assert kinds(made) == "HD"
    (y,) = made.run(None, {"m": {"b": 0.0}})
    np.testing.assert_array_equal(y, [[0.5, 0.5]])


def test_maps_are_checked() -> None:
    model = learned(
        [ml("DictVectorizer", "m", "y", string_vocabulary=["a"])],
        [map_info("m", STRING, FLOAT)],
        [tensor("y", FLOAT, [1, 1])],
    )
    made = session(model)
    with pytest.raises(omb.OmbError, match=r"'m' has the key 3; .*its keys are string"):
        made.run(None, {"m": {3: 1.0}})
    with pytest.raises(omb.OmbError, match=r"'m' is a list; .*pass a dict"):
        made.run(None, {"m": [1.0]})
    for wrong in (None, "1", [1.0], True, np.ones(1), 10**400, 10**5000, object()):
        with pytest.raises(omb.OmbError, match=r"^input 'm' has .* for the key 'a'; .*are float$"):
            made.run(None, {"m": {"a": wrong}})
    for fits in (2, 2.0, np.int8(2), np.float64(2)):
        same(made.run(None, {"m": {"a": fits}}), [np.array([[2]], np.float32)])
    numbered = learned(
        [ml("CastMap", "m", "y")], [map_info("m", INT64, FLOAT)], [tensor("y", FLOAT, [1, 1])]
    )
    with pytest.raises(omb.OmbError, match=r"has the key 1180591620717411303424; .*are int64"):
        session(numbered).run(None, {"m": {2**70: 1.0}})


ENCODERS = {
    "the first of equal keys": (
        {"keys_strings": ["a", "b", "a"], "values_int64s": [1, 2, 3], "default_int64": 9},
        ["a", "c"],
        [1, 9],
    ),
    "NaN": (
        {"keys_floats": [np.nan, 0.5], "values_strings": ["none", "half"], "default_string": "?"},
        [0.5, np.nan, 2.0],
        ["half", "none", "?"],
    ),
    "tensors": (
        {
            "keys_tensor": helper.make_tensor("k", STRING, [2], [b"a", b"b"]),
            "values_tensor": helper.make_tensor("v", TensorProto.DOUBLE, [2], [0.5, 1.5]),
            "default_tensor": helper.make_tensor("d", TensorProto.DOUBLE, [1], [-2.0]),
        },
        ["b", "a", "z"],
        [1.5, 0.5, -2.0],
    ),
    "tensors without a default": (
        {
            "keys_tensor": helper.make_tensor("k", STRING, [1], [b"a"]),
            "values_tensor": helper.make_tensor("v", INT64, [1], [7]),
        },
        ["z", "a"],
        [-1, 7],
    ),
}


@pytest.mark.parametrize("case", ENCODERS)
def test_label_encoder(case: str) -> None:
    attributes, x, expected = ENCODERS[case]
    array = np.array(x) if isinstance(x[0], str) else np.array(x, np.float32)
    result = np.array(expected, object if isinstance(expected[0], str) else None)
    before = STRING if isinstance(x[0], str) else FLOAT
    model = learned(
        [ml("LabelEncoder", "x", "y", **attributes)],
        [tensor("x", before, ["n"])],
        [tensor("y", helper.np_dtype_to_tensor_dtype(result.dtype), ["n"])],
    )
    model.opset_import[1].version = 4 if "keys_tensor" in attributes else 2
    made = session(model)
    same(made.run(None, {"x": array}), [result])
    same(made.run(None, {"x": array[:0]}), [result[:0]])


@pytest.mark.parametrize("zeros", [0, 1])
def test_one_hot_encoder(zeros: int) -> None:
    """A category that there isn't is an error where `zeros` says so."""
    model = learned(
        [ml("OneHotEncoder", "x", "y", cats_strings=["b", "a"], zeros=zeros)],
        [tensor("x", STRING, ["n", "m"])],
        [tensor("y", FLOAT, ["n", "m", 2])],
    )
    made = session(model)
    (y,) = made.run(None, {"x": np.array([["a"], ["b"]])})
    same([y], [np.array([[[0, 1]], [[1, 0]]], np.float32)])
    if zeros:
        (y,) = made.run(None, {"x": np.array([["z"]])})
        same([y], [np.zeros((1, 1, 2), np.float32)])
    else:
        with pytest.raises(omb.OmbError, match="'z' is none of its categories"):
            made.run(None, {"x": np.array([["z"]])})


def test_zipmap() -> None:
    maps = helper.make_sequence_type_proto(map_info("", STRING, FLOAT).type)
    model = learned(
        [node("Softmax", "x", "p"), ml("ZipMap", "p", "z", classlabels_strings=["a", "b"])],
        [tensor("x", FLOAT, ["n", 2])],
        [helper.make_value_info("z", maps)],
    )
    made = session(model)
    assert kinds(made) == "DH"
    assert made.get_outputs()[0].type == "seq(map(string,tensor(float)))"
    (z,) = made.run(None, {"x": np.zeros((3, 2), np.float32)})
    assert z == [{"a": 0.5, "b": 0.5}] * 3
    del model.graph.input[0].type.tensor_type.shape.dim[1]
    model.graph.input[0].type.tensor_type.shape.dim.add(dim_param="k")
    with pytest.raises(omb.OmbError, match=r"ZipMap\)' on the host: it has 2 class labels for 3 s"):
        session(model).run(None, {"x": np.zeros((3, 3), np.float32)})


def test_text_classifier() -> None:
    """The pipeline that scikit-learn's vectorizers and classifiers are converted to."""
    onnxruntime = pytest.importorskip("onnxruntime")
    words = ["good", "bad", "very"]
    model = learned(
        [
            node(
                "StringNormalizer",
                "text",
                "lower",
                case_change_action="LOWER",
                is_case_sensitive=1,
                locale="C",  # others needn't be installed
            ),
            node(
                "TfIdfVectorizer",
                "lower",
                "counts",
                mode="TF",
                min_gram_length=1,
                max_gram_length=1,
                max_skip_count=0,
                ngram_counts=[0],
                ngram_indexes=[0, 1, 2],
                pool_strings=words,
            ),
            node("Reshape", "counts shape", "row"),
            ml(
                "LinearClassifier",
                "row",
                "label scores",
                coefficients=[1.0, -1.0, 0.5, -1.0, 1.0, 0.25],
                intercepts=[0.0, 0.1],
                classlabels_strings=["praise", "blame"],
                name="classifier",
            ),
        ],
        [tensor("text", STRING, ["n"])],
        [tensor("label", STRING, [1]), tensor("scores", FLOAT, [1, 2])],
    )
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1, 3]), "shape"))
    made = session(model)
    assert kinds(made) == "HDH"
    # All of the classifier but the names of its classes is compiled.
    assert "classifier/labels (ai.onnx.ml.LabelEncoder)" in made._compiled.warnings[-1]
    assert "LinearClassifier" not in made._compiled.warnings[-1]
    theirs = onnxruntime.InferenceSession(model.SerializeToString())
    for text in (["Very", "GOOD"], ["bad", "unheard", "bad"]):
        feeds = {"text": np.array(text, object)}
        label, scores = made.run(None, feeds)
        expected = theirs.run(None, feeds)
        assert label.tolist() == expected[0].tolist()
        np.testing.assert_allclose(scores, expected[1], rtol=1e-5)


def classifier(labels: Sequence[str], outputs: Sequence, **attributes: object) -> onnx.ModelProto:
    return learned(
        [
            ml(
                "LinearClassifier",
                "x",
                "label scores",
                coefficients=[1.0, -1.0][: len(labels)],
                intercepts=[0.0, 0.0][: len(labels)],
                classlabels_strings=labels,
                **attributes,
            )
        ],
        [tensor("x", FLOAT, ["n", 1])],
        outputs,
    )


def test_labels_that_nobody_asks_for() -> None:
    """The classifier is compiled, without a warning; no node names its labels."""
    model = classifier(["no", "yes"], [tensor("scores", FLOAT, ["n", 2])])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = omb.InferenceSession(model, ["cpu"])
    assert kinds(made) == "D"
    same(made.run(None, {"x": np.ones((1, 1), np.float32)}), [np.array([[1, -1]], np.float32)])


def test_labels_that_are_refused() -> None:
    outputs = [tensor("label", STRING, ["n"])]
    with pytest.raises(omb.OmbError, match=r"LinearClassifier.*both classlabels_strings and class"):
        omb.compile(classifier(["no", "yes"], outputs, classlabels_ints=[0, 1]))
    with pytest.raises(omb.OmbError, match=r"LinearClassifier.*one class label.*give it two"):
        omb.compile(classifier(["yes"], outputs))


CATEGORIES = {
    "to numbers": (STRING, INT64, np.array(["a", "q"], object), np.array([7, -1])),
    "to names": (INT64, STRING, np.array([[8, 1]]), np.array([["b", "_Unused"]], object)),
}


@pytest.mark.parametrize("case", CATEGORIES)
def test_categories(case: str) -> None:
    before, after, value, expected = CATEGORIES[case]
    dims = ["n"] * value.ndim
    model = learned(
        [ml("CategoryMapper", "x", "y", cats_strings=["a", "b"], cats_int64s=[7, 8])],
        [tensor("x", before, dims)],
        [tensor("y", after, dims)],
    )
    model.opset_import[1].version = 1
    dims = [f"n{axis}" for axis in range(value.ndim)]
    for info in (*model.graph.input, *model.graph.output):
        for dim, name in zip(info.type.tensor_type.shape.dim, dims, strict=True):
            dim.dim_param = name
    same(session(model).run(None, {"x": value}), [expected])
