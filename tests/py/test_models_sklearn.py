"""Models of scikit-learn, trained here and converted by skl2onnx.

The oracles are ONNX Runtime, by which the converters check their models, and scikit-learn's own
predictions. Labels must be equal. Numbers may differ from ONNX Runtime's by 1e-4 of the larger of 1
and the number: sums are added up in another order, in float32, and logarithms and exponentials of
them spread it. scikit-learn computes in float64 with weights that the models round to float32:
1e-3. What is numeric must compile; what has strings or maps may run on the host.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest

ort = pytest.importorskip("onnxruntime")
sklearn = pytest.importorskip("sklearn")
skl2onnx = pytest.importorskip("skl2onnx")

from skl2onnx.common import _container as container  # noqa: E402
from skl2onnx.common import data_types as kinds  # noqa: E402
from sklearn import (  # noqa: E402
    calibration,
    cluster,
    compose,
    cross_decomposition,
    decomposition,
    ensemble,
    feature_extraction,
    impute,
    linear_model,
    mixture,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    svm,
    tree,
)

ORT_TOLERANCE, SKLEARN_TOLERANCE = 1e-4, 1e-3

_RANDOM = np.random.default_rng(1)
_IRIS, _SPECIES = sklearn.datasets.load_iris(return_X_y=True)
X = preprocessing.scale(_IRIS).astype(np.float32)[::2]
SPECIES = _SPECIES[::2]
LABELS = np.array([-3, 7, 5])[SPECIES]
NAMES = np.array(["setosa", "versicolor", "virginica"])[SPECIES]
IS_LAST = (SPECIES == 2).astype(np.int64)
TARGET = (X @ [1, -2, 0.5, 3] + np.sin(3 * X[:, 0])).astype(np.float64)
TARGETS = np.stack([TARGET, X[:, 1] - TARGET], axis=1)
GAPS = np.where(_RANDOM.random(X.shape) < 0.1, np.nan, X).astype(np.float32)
CODES = _RANDOM.integers(0, 4, (40, 2))
WORDS = np.stack(
    [_RANDOM.choice(["red", "green", "blue"], 40), _RANDOM.choice(["s", "m", "l"], 40)], axis=1
).astype(object)


@dataclass(frozen=True)
class Case:
    """make: the model. x, y: its data. methods: what of scikit-learn gives each output.

    options: the converter's. dtype: of the input.
    """

    make: Callable[[], Any]
    x: np.ndarray
    y: np.ndarray | None = None
    methods: tuple[str, ...] = ("predict",)
    options: Mapping[str, Any] = field(default_factory=dict)
    dtype: type = np.float32


def _classifier(
    make: Callable[[], Any], y: np.ndarray = LABELS, scores: str = "predict_proba", **more: Any
) -> Case:
    options = more.pop("options", {"zipmap": False})
    return Case(make, more.pop("x", X), y, ("predict", scores), options, **more)


def _regressor(make: Callable[[], Any], y: np.ndarray = TARGET, **more: Any) -> Case:
    return Case(make, X, y, **more)


def _transformer(make: Callable[[], Any], x: np.ndarray = X, **more: Any) -> Case:
    return Case(make, x, methods=("transform",), **more)


SMALL = {"n_estimators": 3, "max_depth": 3, "random_state": 0}
SEED = {"random_state": 0}

TREES = {
    "decision tree": _classifier(lambda: tree.DecisionTreeClassifier(max_depth=4, **SEED)),
    "decision tree, two targets": _regressor(
        lambda: tree.DecisionTreeRegressor(max_depth=4, **SEED), TARGETS
    ),
    # The number of the leaf: a tree whose leaves have the same weight several times.
    "decision tree, leaves": Case(
        lambda: tree.DecisionTreeClassifier(max_depth=3, **SEED),
        X,
        LABELS,
        ("predict", "predict_proba", "apply"),
        {"zipmap": False, "decision_leaf": True},
    ),
    "random forest": _classifier(
        lambda: ensemble.RandomForestClassifier(**SMALL), IS_LAST, dtype=np.float64
    ),
    "extra trees": _regressor(lambda: ensemble.ExtraTreesRegressor(**SMALL)),
    "gradient boosting": _classifier(lambda: ensemble.GradientBoostingClassifier(**SMALL)),
    "gradient boosting, two classes": _classifier(
        lambda: ensemble.GradientBoostingClassifier(**SMALL), IS_LAST
    ),
    "histograms": _classifier(
        lambda: ensemble.HistGradientBoostingClassifier(max_iter=3, max_depth=3), x=GAPS
    ),
    "histograms, regressor": _regressor(
        lambda: ensemble.HistGradientBoostingRegressor(max_iter=3, max_depth=3)
    ),
    "AdaBoost": _classifier(lambda: ensemble.AdaBoostClassifier(n_estimators=3, **SEED)),
    "isolation forest": Case(
        lambda: ensemble.IsolationForest(n_estimators=2, max_samples=16, **SEED),
        X,
        methods=("predict", "decision_function"),
    ),
}

LINEAR = {
    "least squares": _regressor(linear_model.LinearRegression, TARGETS),
    "ridge, double": _regressor(linear_model.Ridge, dtype=np.float64),
    "lasso": _regressor(lambda: linear_model.Lasso(alpha=0.1)),
    "logistic": _classifier(linear_model.LogisticRegression),
    "logistic, two classes": _classifier(linear_model.LogisticRegression, IS_LAST),
    "logistic, double": _classifier(linear_model.LogisticRegression, dtype=np.float64),
    "stochastic descent": _classifier(
        lambda: linear_model.SGDClassifier(loss="log_loss", alpha=0.1, **SEED)
    ),
    "perceptron": _classifier(
        lambda: linear_model.Perceptron(**SEED),
        scores="decision_function",
        options={"raw_scores": True, "zipmap": False},
    ),
    "linear SVC": _classifier(
        lambda: svm.LinearSVC(**SEED), scores="decision_function", options={"raw_scores": True}
    ),
    "PLS": _regressor(lambda: cross_decomposition.PLSRegression(n_components=2), TARGETS),
}

VECTORS = {
    "SVC, linear": _classifier(
        lambda: svm.SVC(kernel="linear", decision_function_shape="ovo"), scores=""
    ),
    "SVC, polynomials, probabilities": _classifier(
        lambda: svm.SVC(kernel="poly", probability=True, **SEED), IS_LAST
    ),
    "SVC, RBF, probabilities": _classifier(lambda: svm.SVC(probability=True, **SEED)),
    "NuSVC, sigmoid": _classifier(lambda: svm.NuSVC(kernel="sigmoid", nu=0.2), IS_LAST, scores=""),
    "SVR, polynomials": _regressor(lambda: svm.SVR(kernel="poly")),
    "NuSVR, sigmoid": _regressor(lambda: svm.NuSVR(kernel="sigmoid")),
    "one class, RBF": Case(
        lambda: svm.OneClassSVM(nu=0.2), X, methods=("predict", "decision_function")
    ),
}

OTHERS = {
    "neighbors": _classifier(lambda: neighbors.KNeighborsClassifier(3)),
    "neighbors, two targets, double": _regressor(
        lambda: neighbors.KNeighborsRegressor(3, metric="manhattan"), TARGETS, dtype=np.float64
    ),
    "Gauss": _classifier(naive_bayes.GaussianNB),
    "multinomial": _classifier(naive_bayes.MultinomialNB, x=np.abs(X)),
    "Bernoulli": _classifier(naive_bayes.BernoulliNB),
    "network": _classifier(
        lambda: neural_network.MLPClassifier((5, 4), "tanh", max_iter=300, **SEED)
    ),
    "network, regressor": _regressor(
        lambda: neural_network.MLPRegressor(hidden_layer_sizes=(6,), max_iter=300, **SEED),
        dtype=np.float64,
    ),
    "k-means": Case(
        lambda: cluster.KMeans(3, n_init=1, **SEED), X, methods=("predict", "transform")
    ),
    "mixture": Case(
        lambda: mixture.GaussianMixture(2, **SEED), X, methods=("predict", "predict_proba")
    ),
    "PCA, SVD": _transformer(
        lambda: pipeline.make_union(
            decomposition.PCA(2, whiten=True), decomposition.TruncatedSVD(2, **SEED)
        )
    ),
    "scalers": _transformer(
        lambda: pipeline.make_union(
            preprocessing.StandardScaler(),
            preprocessing.MinMaxScaler(),
            preprocessing.MaxAbsScaler(),
            preprocessing.RobustScaler(),
            preprocessing.Normalizer(),
            preprocessing.Binarizer(threshold=0.25),
            preprocessing.PowerTransformer(),
        )
    ),
    "scalers, double": _transformer(
        lambda: pipeline.make_pipeline(
            preprocessing.StandardScaler(), preprocessing.MinMaxScaler()
        ),
        dtype=np.float64,
    ),
    "bins, polynomials": _transformer(
        lambda: pipeline.make_union(
            preprocessing.KBinsDiscretizer(3, encode="onehot-dense"),
            preprocessing.PolynomialFeatures(2),
        ),
        X[:, :2],
    ),
    "imputer": _transformer(lambda: impute.SimpleImputer(strategy="median"), GAPS),
    "one-hot, numbers": _transformer(
        lambda: preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=False), CODES
    ),
    "ordinal, numbers": _transformer(preprocessing.OrdinalEncoder, CODES),
}

COMBINED = {
    "voting": _classifier(
        lambda: ensemble.VotingClassifier(
            [("a", linear_model.LogisticRegression()), ("b", naive_bayes.GaussianNB())],
            voting="soft",
            flatten_transform=False,
        )
    ),
    "stacking": _classifier(
        lambda: ensemble.StackingClassifier(
            [("a", linear_model.LogisticRegression()), ("b", naive_bayes.GaussianNB())], cv=2
        )
    ),
    "calibrated": _classifier(
        lambda: calibration.CalibratedClassifierCV(svm.LinearSVC(**SEED), cv=2), IS_LAST
    ),
    "calibrated, isotonic": _classifier(
        lambda: calibration.CalibratedClassifierCV(
            linear_model.LogisticRegression(), method="isotonic", cv=2
        ),
        IS_LAST,
    ),
}

NUMERIC = {**TREES, **LINEAR, **VECTORS, **OTHERS, **COMBINED}

STRINGS = {
    "names as labels": _classifier(lambda: tree.DecisionTreeClassifier(max_depth=3), NAMES),
    "names, maps": _classifier(linear_model.LogisticRegression, NAMES, options={"zipmap": True}),
    "numbers, maps": _classifier(
        lambda: ensemble.RandomForestClassifier(**SMALL), options={"zipmap": True}
    ),
    "one-hot": _transformer(
        lambda: preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=False), WORDS
    ),
    "ordinal": _transformer(
        lambda: preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
        WORDS,
    ),
    "labels": _transformer(preprocessing.LabelEncoder, WORDS[:, 0]),
    "binary labels": _transformer(preprocessing.LabelBinarizer, WORDS[:, 0]),
    "imputer of words": _transformer(
        lambda: impute.SimpleImputer(missing_values="s", strategy="most_frequent"), WORDS
    ),
}


@pytest.fixture(autouse=True)
def _no_booleans(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """skl2onnx 1.20 writes booleans as integers, which protobuf 7 refuses."""
    make_node = container.make_node

    def plain(value: object) -> object:
        if isinstance(value, list):
            return [plain(item) for item in value]
        return int(value) if isinstance(value, (bool, np.bool_)) else value

    def make(*names: object, **attributes: object) -> onnx.NodeProto:
        return make_node(*names, **{key: plain(value) for key, value in attributes.items()})

    monkeypatch.setattr(container, "make_node", make)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of scikit-learn's next version
        yield


def _kind(array: np.ndarray) -> object:
    """The converter's type of a batch of any size."""
    types = {
        "f4": kinds.FloatTensorType,
        "f8": kinds.DoubleTensorType,
        "i8": kinds.Int64TensorType,
    }
    found = types.get(array.dtype.str[1:], kinds.StringTensorType)
    return found([None, *array.shape[1:]])


def _converted(model: object, inputs: Mapping[str, np.ndarray], **options: Any) -> onnx.ModelProto:
    return skl2onnx.convert_sklearn(
        model,
        initial_types=[(name, _kind(array)) for name, array in inputs.items()],
        options={id(model): options} if options else None,
        target_opset={"": 21, "ai.onnx.ml": 3},
    )


def _plain(output: object) -> np.ndarray:
    """An output as an array; of maps, their values by their keys in order."""
    if isinstance(output, list):
        return np.array([[row[key] for key in sorted(row)] for row in output])
    return np.asarray(output)


def _same(found: object, expected: object, tolerance: float) -> None:
    found, expected = _plain(found), _plain(expected)
    if expected.dtype.kind in "OUSib" or found.dtype.kind in "OUSib":
        np.testing.assert_array_equal(found, expected.reshape(found.shape))
    else:
        shaped = expected.reshape(found.shape)
        np.testing.assert_allclose(found, shaped, rtol=tolerance, atol=tolerance)


def _check(
    session: omb.InferenceSession,
    converted: onnx.ModelProto,
    batches: list[dict[str, np.ndarray]],
    expected: Callable[[dict[str, np.ndarray]], list[object]],
) -> None:
    theirs = ort.InferenceSession(converted.SerializeToString(), providers=["CPUExecutionProvider"])
    for feeds in batches:
        found = session.run(None, feeds)
        for mine, other in zip(found, theirs.run(None, feeds), strict=True):
            if isinstance(other, list):
                assert [list(row) for row in mine] == [list(row) for row in other]
            else:
                assert (mine.dtype, mine.shape) == (other.dtype, other.shape)
            _same(mine, other, ORT_TOLERANCE)
        for mine, own in zip(found, expected(feeds), strict=True):
            if own is not None:
                _same(mine, own, SKLEARN_TOLERANCE)


def _check_case(case: Case, **options: Any) -> None:
    model = case.make()
    model.fit(case.x) if case.y is None else model.fit(case.x, case.y)
    x = case.x.astype(case.dtype) if case.x.dtype.kind == "f" else case.x
    converted = _converted(model, {"x": x}, **case.options)
    with warnings.catch_warnings():
        if options.get("fallback") != "error":
            warnings.simplefilter("ignore", omb.FallbackWarning)
        session = omb.InferenceSession(converted, ["cpu"], **options)

    def expected(feeds: dict[str, np.ndarray]) -> list[object]:
        return [getattr(model, name)(feeds["x"]) if name else None for name in case.methods]

    _check(session, converted, [{"x": x[:1]}, {"x": x[3:20]}], expected)


@pytest.mark.parametrize("name", NUMERIC)
def test_numbers_are_compiled(name: str) -> None:
    _check_case(NUMERIC[name], fallback="error")


@pytest.mark.parametrize("name", STRINGS)
def test_strings_and_maps(name: str) -> None:
    _check_case(STRINGS[name])


def test_columns_of_several_kinds() -> None:
    """Strings, integers and floats, each through its own steps, into one classifier."""
    inputs = {
        "size": X[:40, :2],
        "age": _RANDOM.integers(20, 60, (40, 1)),
        "word": WORDS,
    }
    table = np.concatenate([inputs["size"], inputs["age"], inputs["word"]], axis=1, dtype=object)
    model = pipeline.make_pipeline(
        compose.make_column_transformer(
            (
                pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler()),
                [0, 1],
            ),
            (preprocessing.MinMaxScaler(), [2]),
            (preprocessing.OneHotEncoder(handle_unknown="ignore"), [3, 4]),
        ),
        linear_model.LogisticRegression(),
    ).fit(table, NAMES[:40])
    converted = _converted(model, inputs)
    with pytest.warns(omb.FallbackWarning, match="OneHotEncoder"):
        session = omb.InferenceSession(converted, ["cpu"])

    def expected(feeds: dict[str, np.ndarray]) -> list[object]:
        table = np.concatenate(list(feeds.values()), axis=1, dtype=object)
        return [model.predict(table), model.predict_proba(table)]

    batches = [
        {name: array[rows] for name, array in inputs.items()}
        for rows in (slice(0, 1), slice(5, 30))
    ]
    _check(session, converted, batches, expected)


def test_nearest_neighbors() -> None:
    model = neighbors.NearestNeighbors(n_neighbors=3, radius=None).fit(X)
    converted = _converted(model, {"x": X})
    session = omb.InferenceSession(converted, ["cpu"], fallback="error")
    places, distances = session.run(None, {"x": X[:9] + np.float32(0.01)})
    expected = model.kneighbors(X[:9] + np.float32(0.01))
    np.testing.assert_array_equal(places, expected[1])
    np.testing.assert_allclose(distances, expected[0], rtol=1e-3, atol=1e-3)


def test_maps_as_inputs() -> None:
    model = feature_extraction.DictVectorizer(sparse=False).fit([{"a": 1.0, "b": 2.0}, {"c": 3.0}])
    kind = kinds.DictionaryType(kinds.StringTensorType([1]), kinds.FloatTensorType([1]))
    converted = skl2onnx.convert_sklearn(model, initial_types=[("x", kind)], target_opset=21)
    with pytest.warns(omb.FallbackWarning, match="DictVectorizer"):
        session = omb.InferenceSession(converted, ["cpu"])
    (found,) = session.run(None, {"x": {"c": 0.5, "a": 4.0}})
    np.testing.assert_array_equal(found, model.transform({"c": 0.5, "a": 4.0}))
