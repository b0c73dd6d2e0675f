"""Operators of ai.onnx.ml on numbers.

The oracle is ONNX Runtime, by which converters check their models; where it has no kernel for a
type, or leaves a case open, it is NumPy. Sums over trees, features and vectors are added up in
another order than there: results may differ by 1e-5 of the largest. Labels must be equal.

The cases of a test are compiled as one model: see models/joined.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from models.joined import Together
from onnx import TensorProto, helper, numpy_helper

ort = pytest.importorskip("onnxruntime")

TOLERANCE = 1e-5
FLOAT, DOUBLE, INT64, INT32 = (
    TensorProto.FLOAT,
    TensorProto.DOUBLE,
    TensorProto.INT64,
    TensorProto.INT32,
)


def _model(
    op_type: str,
    inputs: dict[str, tuple[int, list]],
    outputs: dict[str, int],
    opset: int = 3,
    **attributes: object,
) -> onnx.ModelProto:
    node = helper.make_node(op_type, list(inputs), list(outputs), domain="ai.onnx.ml", **attributes)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info(n, e, s) for n, (e, s) in inputs.items()],
        [helper.make_tensor_value_info(n, e, None) for n, e in outputs.items()],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def _run(model: onnx.ModelProto, *inputs: np.ndarray) -> list[np.ndarray]:
    names = [value.name for value in model.graph.input]
    return omb.InferenceSession(model).run(None, dict(zip(names, inputs, strict=True)))


def _oracle(model: onnx.ModelProto, *inputs: np.ndarray) -> list[np.ndarray]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in model.graph.input]
    return session.run(None, dict(zip(names, inputs, strict=True)))


def _compare(found: list[np.ndarray], expected: list[np.ndarray], case: object = "") -> None:
    message = str(case)
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.dtype == theirs.dtype, message
        assert mine.shape == theirs.shape, message
        if theirs.dtype.kind in "iub":
            np.testing.assert_array_equal(mine, theirs, err_msg=message)
        else:
            np.testing.assert_allclose(
                mine, theirs, rtol=TOLERANCE, atol=TOLERANCE, err_msg=message
            )


def _check(model: onnx.ModelProto, *inputs: np.ndarray) -> None:
    _compare(_run(model, *inputs), _oracle(model, *inputs))


def _run_together(
    models: Sequence[onnx.ModelProto], inputs: Sequence[Sequence[np.ndarray]]
) -> list[list[np.ndarray]]:
    """What the models give that are compiled as one, each for its inputs."""
    feeds = [
        {value.name: array for value, array in zip(model.graph.input, arrays, strict=True)}
        for model, arrays in zip(models, inputs, strict=True)
    ]
    return Together(models).run(feeds)


def _check_all(cases: dict[object, onnx.ModelProto], *inputs: np.ndarray) -> None:
    """Models of the same inputs, compiled as one; their keys say which of them is wrong."""
    found = _run_together(list(cases.values()), [inputs] * len(cases))
    for (case, model), mine in zip(cases.items(), found, strict=True):
        _compare(mine, _oracle(model, *inputs), case)


def _normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


# --- features -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int32])
def test_features(dtype):
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    x = (_normal(5, 4) * 3).astype(dtype)
    given = {"X": (element, ["n", "m"])}
    each = {"scale": [2.0, 1, 0.5, -1], "offset": [0.5, 0, 1, 2]}
    extracted = {**given, "I": (INT64, ["k"])}
    models = [
        _model("Scaler", given, {"Y": FLOAT}, scale=[2.0], offset=[0.5]),
        _model("Scaler", given, {"Y": FLOAT}, **each),
        _model("ArrayFeatureExtractor", extracted, {"Y": element}),
    ]
    if dtype == np.float32:
        models.append(_model("Binarizer", given, {"Y": element}, threshold=0.25))
    places = np.array([3, 0, 0])
    inputs = [[x, places] if len(model.graph.input) == 2 else [x] for model in models]
    for model, arrays, found in zip(models, inputs, _run_together(models, inputs), strict=True):
        _compare(found, _oracle(model, *arrays), model.graph.node[0])


def test_normalizer():
    x = np.vstack([_normal(4, 3), np.zeros((1, 3), np.float32)])
    given = {"X": (FLOAT, ["n", 3])}
    _check_all(
        {n: _model("Normalizer", given, {"Y": FLOAT}, norm=n) for n in ("MAX", "L1", "L2")}, x
    )


def test_imputer():
    x = np.array([[1, np.nan, 3], [np.nan, 5, 1]], dtype=np.float32)
    given = {"X": (FLOAT, ["n", 3])}
    models: dict[object, onnx.ModelProto] = {}
    for values in ([7.0], [7.0, 8.0, 9.0]):
        for replaced in (float("nan"), 1.0):
            attributes = {"imputed_value_floats": values, "replaced_value_float": replaced}
            models[len(values), replaced] = _model("Imputer", given, {"Y": FLOAT}, **attributes)
    _check_all(models, x)
    attributes = {"imputed_value_int64s": [7, 8, 9], "replaced_value_int64": 1}
    whole = np.array([[1, 2, 3], [4, 5, 1]])
    _check(_model("Imputer", {"X": (INT64, ["n", 3])}, {"Y": INT64}, **attributes), whole)


def test_feature_vectorizer():
    given = {"A": (FLOAT, ["n", 2]), "B": (FLOAT, ["n", 3])}
    a, b = _normal(4, 2), _normal(4, 3, seed=1)
    model = _model("FeatureVectorizer", given, {"Y": FLOAT}, opset=1, inputdimensions=[2, 3])
    _check(model, a, b)
    model = _model("FeatureVectorizer", given, {"Y": FLOAT}, opset=1, inputdimensions=[3, 1])
    (found,) = _run(model, a, b)
    np.testing.assert_array_equal(found, np.hstack([a, np.zeros((4, 1), np.float32), b[:, :1]]))


@pytest.mark.parametrize(
    ("keys", "values", "x"),
    [
        (
            {"keys_int64s": [5, -1, 9, 5]},
            {"values_floats": [0.5, 1.5, 2.5, 9.0]},
            [5, 9, -1, 0, 99],
        ),
        ({"keys_floats": [0.5, 2.0]}, {"values_int64s": [3, 4]}, [0.5, 2.0, 1.0, np.nan]),
        (
            {"keys_floats": [0.5, float("nan"), 2.0]},
            {"values_floats": [3.0, 4.0, 5.0]},
            [0.5, 2.0, 1.0, np.nan],
        ),
        ({"keys_int64s": [1]}, {"values_int64s": [2]}, [0, 1, 2]),
    ],
    ids=["int-float", "float-int", "nan", "one"],
)
def test_label_encoder(keys, values, x):
    is_float = "keys_floats" in keys
    array = np.array(x, dtype=np.float32 if is_float else np.int64)
    result = FLOAT if "values_floats" in values else INT64
    default = {"default_float": -7.0} if result == FLOAT else {"default_int64": -7}
    model = _model(
        "LabelEncoder",
        {"X": (FLOAT if is_float else INT64, ["n"])},
        {"Y": result},
        opset=4,
        **keys,
        **values,
        **default,
    )
    _check(model, array)


def test_label_encoder_of_tensors():
    keys = numpy_helper.from_array(np.arange(2000) * 3)
    values = numpy_helper.from_array(np.arange(2000) / 8)
    default = numpy_helper.from_array(np.array([-1.0]))
    tensors = {"keys_tensor": keys, "values_tensor": values, "default_tensor": default}
    model = _model("LabelEncoder", {"X": (INT64, ["n"])}, {"Y": DOUBLE}, opset=4, **tensors)
    x = np.arange(-5, 6010)
    (found,) = _run(model, x)
    known = (x % 3 == 0) & (x >= 0) & (x < 6000)
    np.testing.assert_array_equal(found, np.where(known, x / 24, -1.0))


@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.float64])
def test_one_hot_encoder(dtype):
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    model = _model(
        "OneHotEncoder", {"X": (element, ["n", "m"])}, {"Y": FLOAT}, cats_int64s=[3, 1, 7], zeros=1
    )
    _check(model, np.array([[3, 1, 2], [7, 7, 0]]).astype(dtype))


# --- linear -------------------------------------------------------------------------------------

_TRANSFORMS = ["NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT"]


def test_linear_classifier():
    def model(transform: str) -> onnx.ModelProto:
        # The inverse of the normal distribution takes probabilities.
        scale = 0.02 if transform == "PROBIT" else 1.0
        return _model(
            "LinearClassifier",
            {"X": (FLOAT, ["n", 4])},
            {"L": INT64, "S": FLOAT},
            coefficients=(_normal(12) * scale).tolist(),
            intercepts=[0.3, 0.5, 0.7],
            classlabels_ints=[4, 2, 9],
            post_transform=transform,
        )

    _check_all({name: model(name) for name in _TRANSFORMS}, _normal(7, 4, seed=1))


@pytest.mark.parametrize("classes", [2, 3])
def test_linear_classifier_without_intercepts(classes):
    """As one whose intercepts are 0; also two classes with a row of coefficients each."""
    attributes = {
        "coefficients": _normal(4 * classes).tolist(),
        "classlabels_ints": [4, 2, 9][:classes],
    }
    given, results = {"X": (FLOAT, ["n", 4])}, {"L": INT64, "S": FLOAT}
    model = _model("LinearClassifier", given, results, **attributes)
    same = _model("LinearClassifier", given, results, intercepts=[0.0] * classes, **attributes)
    x = _normal(7, 4, seed=1)
    _compare(_run(model, x), _oracle(same, x))


def test_linear_regressor():
    """Of one and of several rows, the oracle only takes the latter."""

    def model(targets: int, dims: list) -> onnx.ModelProto:
        return _model(
            "LinearRegressor",
            {"X": (FLOAT, dims)},
            {"Y": FLOAT},
            coefficients=_normal(4 * targets).tolist(),
            intercepts=_normal(targets, seed=2).tolist(),
            targets=targets,
        )

    x = _normal(7, 4, seed=1)
    cases = list(product([1, 3], [[4], ["n", 4]]))
    inputs = [[x[0] if len(dims) == 1 else x] for _, dims in cases]
    results = _run_together([model(*case) for case in cases], inputs)
    for (targets, dims), found in zip(cases, results, strict=True):
        (expected,) = _oracle(model(targets, ["n", 4]), x)
        _compare(found, [expected[:1] if len(dims) == 1 else expected], (targets, dims))


# --- trees --------------------------------------------------------------------------------------

_MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]


def _random_trees(
    kind: str, trees: int, depth: int, targets: int, modes: list[str], seed: int, several: bool
) -> dict[str, list]:
    """Trees over features that are small integers, so that ties and equality occur."""
    generator = np.random.default_rng(seed)
    nodes: dict[str, list] = {
        f"nodes_{name}": []
        for name in [
            "treeids",
            "nodeids",
            "featureids",
            "modes",
            "values",
            "truenodeids",
            "falsenodeids",
            "missing_value_tracks_true",
        ]
    }
    weights: dict[str, list] = {f"{kind}_{n}": [] for n in ["treeids", "nodeids", "ids", "weights"]}

    def grow(tree: int, node: int, level: int) -> None:
        is_leaf = level == depth or (level > 0 and generator.random() < 0.2)
        row = {
            "treeids": tree,
            "nodeids": node,
            "featureids": 0 if is_leaf else int(generator.integers(4)),
            "modes": "LEAF" if is_leaf else str(generator.choice(modes)),
            "values": 0.0 if is_leaf else float(generator.integers(-2, 3)),
            "truenodeids": 0 if is_leaf else 2 * node + 1,
            "falsenodeids": 0 if is_leaf else 2 * node + 2,
            "missing_value_tracks_true": int(generator.integers(2)),
        }
        for name, value in row.items():
            nodes[f"nodes_{name}"].append(value)
        if not is_leaf:
            grow(tree, 2 * node + 1, level + 1)
            grow(tree, 2 * node + 2, level + 1)
            return
        for target in range(targets) if several else [tree % targets]:
            for name, value in zip(
                ("treeids", "nodeids", "ids", "weights"),
                (tree, node, target, float(generator.integers(-8, 9)) / 8),
                strict=True,
            ):
                weights[f"{kind}_{name}"].append(value)

    for tree in range(trees):
        grow(tree, 0, 0)
    return nodes | weights


def _features(rows: int, seed: int, dtype: type = np.float32) -> np.ndarray:
    generator = np.random.default_rng(seed)
    x = generator.integers(-3, 4, (rows, 4)).astype(dtype)
    return np.where(generator.random(x.shape) < 0.15, np.nan, x) if x.dtype.kind == "f" else x


@pytest.mark.parametrize("modes", [_MODES[:1], _MODES], ids=["leq", "mixed"])
@pytest.mark.parametrize("several", [False, True], ids=["one", "several"])
def test_tree_ensemble_regressor(modes, several):
    def model(aggregate: str) -> onnx.ModelProto:
        return _model(
            "TreeEnsembleRegressor",
            {"X": (FLOAT, ["n", 4])},
            {"Y": FLOAT},
            n_targets=3,
            aggregate_function=aggregate,
            base_values=[0.5, -0.25, 1.0],
            **_random_trees("target", 7, 4, 3, modes, 1, several),
        )

    _check_all({a: model(a) for a in ("SUM", "AVERAGE", "MIN", "MAX")}, _features(40, 2))


def test_tree_depths():
    def model(depth: int) -> onnx.ModelProto:
        return _model(
            "TreeEnsembleRegressor",
            {"X": (FLOAT, ["n", 4])},
            {"Y": FLOAT},
            n_targets=1,
            **_random_trees("target", 3, depth, 1, _MODES[:2], depth, False),
        )

    _check_all({depth: model(depth) for depth in (0, 1, 5, 8)}, _features(30, 3))


@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.int32])
def test_tree_ensemble_of_other_types(dtype):
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    model = _model(
        "TreeEnsembleRegressor",
        {"X": (element, ["n", 4])},
        {"Y": FLOAT},
        n_targets=1,
        **_random_trees("target", 5, 4, 1, _MODES, 5, False),
    )
    x = _features(30, 4, dtype)
    # Small integers and NaN are the same in all float types.
    plain = onnx.ModelProto.FromString(model.SerializeToString())
    plain.graph.input[0].type.tensor_type.elem_type = FLOAT
    _compare(_run(model, x), _oracle(plain, x.astype(np.float32)))


@pytest.mark.parametrize("case", ["three", "mixed", "positive"])
def test_tree_ensemble_classifier(case):
    classes = 3 if case == "three" else 2
    trees = _random_trees("class", 6, 4, 1 if classes == 2 else 3, _MODES, 7, classes == 3)
    if case == "positive":
        trees["class_weights"] = [abs(w) / 12 for w in trees["class_weights"]]

    def model(transform: str) -> onnx.ModelProto:
        return _model(
            "TreeEnsembleClassifier",
            {"X": (FLOAT, ["n", 4])},
            {"L": INT64, "S": FLOAT},
            classlabels_int64s=[5, 2, 8][:classes],
            post_transform=transform,
            **trees,
        )

    _check_all({name: model(name) for name in _TRANSFORMS[:4]}, _features(40, 8))


def _ensemble(**changes: object) -> dict[str, object]:
    def tensor(values: list, dtype: type) -> TensorProto:
        return numpy_helper.from_array(np.array(values, dtype=dtype))

    return {
        "n_targets": 2,
        "aggregate_function": 1,
        "post_transform": 0,
        "tree_roots": [0],
        "nodes_modes": tensor([0, 6, 6], np.uint8),
        "nodes_featureids": [0, 1, 2],
        "nodes_splits": tensor([3.14, 0, 0], np.float32),
        "nodes_truenodeids": [1, 0, 2],
        "nodes_trueleafs": [0, 1, 1],
        "nodes_falsenodeids": [2, 1, 3],
        "nodes_falseleafs": [0, 1, 1],
        "leaf_targetids": [0, 1, 0, 1],
        "leaf_weights": tensor([5.5, 12.5, -7.25, 1.0], np.float32),
        "membership_values": tensor([1.5, 3, np.nan, *range(-20, 20, 2), 99, np.nan], np.float32),
        **changes,
    }


def test_tree_ensemble_sets():
    model = _model("TreeEnsemble", {"X": (FLOAT, ["n", 3])}, {"Y": FLOAT}, opset=5, **_ensemble())
    sets = [{1.5, 3.0}, {float(v) for v in range(-20, 20, 2)} | {99.0}]
    grid = np.array([-21, -20, -3, 0, 1.5, 3, 17, 18, 99, 100, np.nan], dtype=np.float32)
    x = np.stack(np.meshgrid([0, 5], grid, grid, indexing="ij"), axis=-1).reshape(-1, 3)
    x = x.astype(np.float32)
    expected = np.zeros((len(x), 2), np.float32)
    for row, (a, b, c) in zip(expected, x.tolist(), strict=True):
        leaf = (0 if b in sets[0] else 1) if a <= 3.14 else (2 if c in sets[1] else 3)
        row[leaf % 2] = [5.5, 12.5, -7.25, 1.0][leaf]
    _compare(_run(model, x), [expected])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nodes_truenodeids": [1, 0, 9]}, "leads to a node 9"),
        ({"nodes_falsenodeids": [0, 1, 3]}, "leads back to itself"),
        ({"leaf_targetids": [0, 1, 0, 5]}, "a target that isn't one of its 2"),
        ({"tree_roots": [7]}, "a root that isn't a node"),
        ({"aggregate_function": 9}, "aggregate_function"),
        ({"nodes_featureids": [0, 1]}, "nodes_featureids"),
    ],
    ids=["child", "cycle", "target", "root", "aggregate", "lengths"],
)
def test_trees_that_are_none(changes, message):
    model = _model(
        "TreeEnsemble", {"X": (FLOAT, ["n", 3])}, {"Y": FLOAT}, opset=5, **_ensemble(**changes)
    )
    with pytest.raises(omb.OmbError, match=message):
        omb.InferenceSession(model)


# --- support vectors ----------------------------------------------------------------------------


def _vectors(classes: int, kernel: str, probabilities: bool) -> dict[str, object]:
    per_class = [3, 2, 4][:classes]
    pairs = classes * (classes - 1) // 2
    count = sum(per_class)
    attributes: dict[str, object] = {
        "kernel_type": kernel,
        "kernel_params": [0.25, 0.5, 3.0],
        "vectors_per_class": per_class,
        "support_vectors": _normal(count * 4).tolist(),
        "coefficients": _normal((classes - 1) * count, seed=1).tolist(),
        "rho": _normal(pairs, seed=2).tolist(),
        "classlabels_ints": [6, 3, 8][:classes],
    }
    if probabilities:
        attributes["prob_a"] = (-np.abs(_normal(pairs, seed=3)) - 0.5).tolist()
        attributes["prob_b"] = _normal(pairs, seed=4).tolist()
    return attributes


_KERNELS = ["LINEAR", "POLY", "RBF", "SIGMOID"]


@pytest.mark.parametrize("probabilities", [False, True], ids=["scores", "probabilities"])
@pytest.mark.parametrize("classes", [2, 3])
def test_svm_classifier(probabilities, classes):
    def model(kernel: str) -> onnx.ModelProto:
        return _model(
            "SVMClassifier",
            {"X": (FLOAT, ["n", 4])},
            {"L": INT64, "S": FLOAT},
            opset=1,
            **_vectors(classes, kernel, probabilities),
        )

    _check_all({kernel: model(kernel) for kernel in _KERNELS}, _normal(9, 4, seed=5))


def test_svm_regressor():
    def model(kernel: str, one_class: int) -> onnx.ModelProto:
        return _model(
            "SVMRegressor",
            {"X": (FLOAT, ["n", 4])},
            {"Y": FLOAT},
            opset=1,
            kernel_type=kernel,
            kernel_params=[0.25, 0.5, 3.0],
            n_supports=5,
            support_vectors=_normal(20).tolist(),
            coefficients=_normal(5, seed=1).tolist(),
            rho=[0.3],
            one_class=one_class,
        )

    cases = product(_KERNELS, [0, 1])
    _check_all({case: model(*case) for case in cases}, _normal(9, 4, seed=5))


# --- what isn't supported -----------------------------------------------------------------------


def test_strings_and_maps_are_refused():
    labels = {"classlabels_strings": ["a", "b"]}
    model = _model(
        "LinearClassifier",
        {"X": (FLOAT, ["n", 2])},
        {"L": TensorProto.STRING, "S": FLOAT},
        coefficients=[1.0, 2.0, 3.0, 4.0],
        intercepts=[0.0, 0.0],
        **labels,
    )
    with pytest.raises(omb.OmbError, match="labels that are strings"):
        omb.InferenceSession(model, fallback="error")
    node = helper.make_node("ZipMap", ["X"], ["Z"], domain="ai.onnx.ml", classlabels_int64s=[0, 1])
    maps = helper.make_sequence_type_proto(
        helper.make_map_type_proto(INT64, helper.make_tensor_type_proto(FLOAT, []))
    )
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("X", FLOAT, ["n", 2])],
        [helper.make_value_info("Z", maps)],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 1)]
    with pytest.raises(omb.OmbError, match="zipmap"):
        omb.InferenceSession(helper.make_model(graph, opset_imports=opsets), fallback="error")
