"""Random numbers: the generator's published answers, its distributions, and its streams."""

import numpy as np
import onnx_mlir_bridge as omb
import pytest
from models.targets import needs_vulkan
from onnx import TensorProto, helper

FLOAT = TensorProto.FLOAT
DOUBLE = TensorProto.DOUBLE
_TYPES = (FLOAT, DOUBLE)


def _session(nodes, inputs, outputs, initializers=(), provider="cpu", **options):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(*value) for value in outputs],
        list(initializers),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    return omb.InferenceSession(model, providers=[provider], **options)


def _one(op, inputs=(), output=FLOAT, rank=1, **attributes):
    names = [name for name, *_ in inputs]
    node = helper.make_node(op, names, ["y"], **attributes)
    return _session([node], inputs, [("y", output, [None] * rank)])


def _generated(op, cases):
    """The results of one node of the operator for the attributes of each case, all in one model."""
    nodes, outputs = [], []
    for number, attributes in enumerate(cases):
        name = f"y{number}"
        nodes.append(helper.make_node(op, [], [name], **attributes))
        rank = len(attributes["shape"])
        outputs.append((name, attributes.get("dtype", FLOAT), [None] * rank))
    return _session(nodes, [], outputs).run(None, {})


def _philox(counter, key):
    """Philox4x32-10, as its paper defines it: one row of four words for each counter."""
    c = [np.asarray(word, np.uint64) for word in counter]
    k = [np.uint64(word) for word in key]
    mask = np.uint64(0xFFFFFFFF)
    for _ in range(10):
        first = np.uint64(0xD2511F53) * c[0]
        second = np.uint64(0xCD9E8D57) * c[2]
        shift = np.uint64(32)
        c = [
            (second >> shift) ^ c[1] ^ k[0],
            second & mask,
            (first >> shift) ^ c[3] ^ k[1],
            first & mask,
        ]
        k = [(k[0] + np.uint64(0x9E3779B9)) & mask, (k[1] + np.uint64(0xBB67AE85)) & mask]
    return np.stack(c, axis=-1)


def _words(count, seed, word=0):
    """The words of a stream that a seed names."""
    key = (seed & 0xFFFFFFFF, seed >> 32)
    numbers = np.arange(count)
    zero = np.zeros(count)
    return _philox([numbers, zero, zero, zero + word], key)


def _seed_of(number):
    return int(np.float32(number).view(np.uint32))


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        (
            [0xFFFFFFFF] * 4,
            [0xFFFFFFFF] * 2,
            [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD],
        ),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_the_model_gives_the_published_answers(counter, key, words):
    assert _philox(counter, key).tolist() == words


def test_compiled_generator_gives_the_published_answer():
    """Seed 0 and element 0 are the key and the counter of the first published answer."""
    result = _one("RandomUniform", shape=[1], seed=0.0, dtype=DOUBLE, output=DOUBLE).run(None, {})
    assert result[0][0] == (0xE169C58D6627E8D5 >> 11) * 2.0**-53


def test_uniform_is_the_model():
    seeds, shape = [0.0, 1.5, -7.0], [3, 5, 7]
    cases = [{"shape": shape, "seed": seed} for seed in seeds]
    results = _generated("RandomUniform", [{**case, "dtype": t} for case in cases for t in _TYPES])
    for seed, single, double in zip(seeds, results[::2], results[1::2], strict=True):
        words = _words(105, _seed_of(seed)).reshape(*shape, 4)
        expected = (words[..., 0] >> np.uint64(8)) * np.float32(2.0**-24)
        np.testing.assert_array_equal(single, expected, f"seed {seed}")
        bits = words[..., 1] << np.uint64(32) | words[..., 0]
        expected = (bits >> np.uint64(11)) * 2.0**-53
        np.testing.assert_array_equal(double, expected, f"seed {seed}, double")


def test_normal_is_the_model():
    words = _words(1000, _seed_of(3.0))
    attributes = {"shape": [1000], "seed": 3.0, "mean": 1.0, "scale": 2.0}
    single, double = _generated("RandomNormal", [{**attributes, "dtype": t} for t in _TYPES])

    def normal(radius, turns):
        return 1 + 2 * np.sqrt(-2 * np.log(radius)) * np.cos(2 * np.pi * turns)

    # The difference of a number of turns matters where the radius is large.
    expected = normal((words[:, 0] + 0.5) / 2.0**32, words[:, 1] / 2.0**32)
    np.testing.assert_allclose(single, expected, rtol=0, atol=8 * 2e-6, err_msg="single")
    expected = normal(
        ((words[:, 1] << np.uint64(32) | words[:, 0]) + 0.5) / 2.0**64,
        (words[:, 3] << np.uint64(32) | words[:, 2]) / 2.0**64,
    )
    np.testing.assert_allclose(double, expected, rtol=0, atol=8 * 1e-14, err_msg="double")


_BITS = {
    TensorProto.FLOAT16: 11,
    TensorProto.BFLOAT16: 8,
    FLOAT: 24,
    DOUBLE: 53,
}


def _name(element):
    return TensorProto.DataType.Name(element).lower()


def test_uniform_stays_in_its_interval():
    cases = [{"shape": [1 << 15], "seed": 1.0, "dtype": element} for element in _BITS]
    for element, result in zip(_BITS, _generated("RandomUniform", cases), strict=True):
        result = result.astype(np.float64)
        assert result.min() >= 0, _name(element)
        assert result.max() < 1, _name(element)
        steps = result * 2.0 ** _BITS[element]
        np.testing.assert_array_equal(steps, np.floor(steps), _name(element))
        # All of a bucket of 2^-8 but for the last few percent of a chi-square of 255 degrees.
        counts = np.bincount((result * 256).astype(int), minlength=256)
        assert ((counts - 128) ** 2 / 128).sum() < 255 + 3 * np.sqrt(2 * 255), _name(element)


def test_uniform_between_bounds():
    bounds = [(-1.0, 3.0), (1.0, 1.0625), (-3e38, 3e38), (2.0, 2.0)]
    cases = []
    for element in _BITS:
        for low, high in bounds:
            if element == TensorProto.FLOAT16 and high > 1e5:
                low, high = -6e4, 6e4
            cases.append(
                {"shape": [1 << 15], "seed": 2.0, "dtype": element, "low": low, "high": high}
            )
    for case, result in zip(cases, _generated("RandomUniform", cases), strict=True):
        which = f"{_name(case['dtype'])} between {case['low']} and {case['high']}"
        result = result.astype(np.float64)
        low, high = np.float32(case["low"]), np.float32(case["high"])
        assert result.min() >= low, which
        assert result.max() < high if low < high else (result == low).all(), which
        if low < high:
            assert abs(result.mean() - (low / 2 + high / 2)) < (high / 2 - low / 2) / 10, which


def test_normal_is_normal():
    """The Kolmogorov-Smirnov statistic against the distribution function."""
    count = 1 << 14
    grid = np.linspace(-4, 4, 20001)
    density = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi)
    cumulative = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2 * 4e-4)])
    attributes = {"shape": [count], "seed": 5.0, "mean": -1.0, "scale": 0.5}
    cases = [{**attributes, "dtype": element} for element in _BITS]
    for element, result in zip(_BITS, _generated("RandomNormal", cases), strict=True):
        result = np.sort(result.astype(np.float64))
        expected = np.interp((result + 1) / 0.5, grid, cumulative)
        distance = np.abs(expected - (np.arange(count) + 0.5) / count).max()
        # 1.95 / sqrt(n) is passed by 999 of 1000; bf16 rounds to 1/256 of a number.
        rounding = 0.01 if element == TensorProto.BFLOAT16 else 0
        assert distance < 1.95 / np.sqrt(count) + rounding, _name(element)


def test_neighbors_are_independent():
    result = _one("RandomNormal", shape=[1 << 15], seed=9.0).run(None, {})[0].astype(np.float64)
    for lag in (1, 2, 3, 4, 7, 64):
        correlation = (result[lag:] * result[:-lag]).mean()
        assert abs(correlation) < 4 / np.sqrt(1 << 15)


def test_like_has_the_shape_at_run_time():
    ops, shapes = ["RandomNormal", "RandomUniform"], [(0, 3), (2, 5), (7, 1)]
    nodes = [helper.make_node(f"{op}Like", ["x"], [op], seed=4.0, dtype=FLOAT) for op in ops]
    session = _session(
        nodes, [("x", TensorProto.INT32, ["a", "b"])], [(op, FLOAT, ["a", "b"]) for op in ops]
    )
    results = [session.run(None, {"x": np.zeros(shape, np.int32)}) for shape in shapes]
    for op, found in zip(ops, zip(*results, strict=True), strict=True):
        same = _generated(op, [{"shape": list(shape), "seed": 4.0} for shape in shapes])
        for mine, other, shape in zip(found, same, shapes, strict=True):
            np.testing.assert_array_equal(mine, other, f"{op} of {shape}")


def test_like_takes_its_type_from_the_input():
    session = _one("RandomNormalLike", [("x", DOUBLE, [4])], DOUBLE, seed=4.0)
    result = session.run(None, {"x": np.zeros(4)})[0]
    assert result.dtype == np.float64
    assert len(set(result)) == 4


def test_nodes_without_a_seed_differ_and_so_do_runs():
    nodes = [
        helper.make_node("RandomUniform", [], ["a"], shape=[64]),
        helper.make_node("RandomUniform", [], ["b"], shape=[64]),
        helper.make_node("RandomUniform", [], ["c"], shape=[64], seed=0.0),
    ]
    outputs = [(name, FLOAT, [64]) for name in "abc"]
    session = _session(nodes, [], outputs)
    first, second = session.run(None, {}), session.run(None, {})
    unseeded = [*first[:2], *second[:2]]
    assert len({array.tobytes() for array in unseeded}) == 4
    np.testing.assert_array_equal(first[2], second[2])
    # The streams are those of the last counter word 1, and a session begins with the first.
    for number, array in enumerate(unseeded):
        bits = _words(64, number, word=1)[:, 0] >> np.uint64(8)
        np.testing.assert_array_equal(array, bits * np.float32(2.0**-24))
    np.testing.assert_array_equal(_session(nodes, [], outputs).run(None, {})[0], first[0])


def test_iterations_of_a_loop_differ():
    body = helper.make_graph(
        [
            helper.make_node("RandomUniform", [], ["r"], shape=[8]),
            helper.make_node("Identity", ["keep"], ["keep_out"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("keep", TensorProto.BOOL, []),
        ],
        [
            helper.make_tensor_value_info("keep_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("r", FLOAT, [8]),
        ],
    )
    node = helper.make_node("Loop", ["n", ""], ["y"], body=body)
    session = _session([node], [("n", TensorProto.INT64, [])], [("y", FLOAT, [None, 8])])
    result = session.run(None, {"n": np.array(5)})[0]
    assert len({row.tobytes() for row in result}) == 5


def _each(op, element, outputs, **attributes):
    """A model of one node for each element type of the outputs, of the same input x."""
    proto = helper.np_dtype_to_tensor_dtype(np.dtype(element))
    nodes = [helper.make_node(op, ["x"], [f"y{t}"], dtype=t, **attributes) for t in outputs]
    inputs = [("x", proto, ["n", "m"])]
    return _session(nodes, inputs, [(f"y{t}", t, [None] * 2) for t in outputs])


@pytest.mark.parametrize("element", [np.float16, np.float32, np.float64])
def test_bernoulli(element):
    outputs = [TensorProto.BOOL, TensorProto.INT8, TensorProto.UINT64, TensorProto.FLOAT16, DOUBLE]
    session = _each("Bernoulli", element, outputs, seed=6.0)
    levels = np.linspace(0, 1, 5).astype(element)[:, None]
    results = session.run(None, {"x": np.repeat(levels, 4096, 1)})
    for output, result in zip(outputs, results, strict=True):
        assert result.dtype == helper.tensor_dtype_to_np_dtype(output)
        assert set(np.unique(result.astype(int))) == {0, 1}, _name(output)
        means = result.astype(np.float64).mean(1)
        assert (means[0], means[-1]) == (0, 1), _name(output)
        np.testing.assert_allclose(means, levels[:, 0], atol=0.03, err_msg=_name(output))


@pytest.mark.parametrize("element", [np.float16, np.float32, np.float64])
def test_multinomial(element):
    outputs = [TensorProto.INT32, TensorProto.INT64]
    session = _each("Multinomial", element, outputs, seed=8.0, sample_size=8192)
    probabilities = np.array([[0.1, 0.0, 0.2, 0.7, 0], [0, 0.5, 0, 0, 0.5]])
    with np.errstate(divide="ignore"):
        # Not normalized, which is for the operator to do.
        logits = (np.log(probabilities) + np.array([[3], [-2]])).astype(element)
    results = session.run(None, {"x": logits})
    for output, result in zip(outputs, results, strict=True):
        assert result.dtype == helper.tensor_dtype_to_np_dtype(output)
        for row, expected in zip(result, probabilities, strict=True):
            shares = np.bincount(row, minlength=5) / 8192
            assert ((shares > 0) <= (expected > 0)).all(), _name(output)
            np.testing.assert_allclose(shares, expected, atol=0.02, err_msg=_name(output))


@pytest.mark.parametrize("element", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("mode", ["constant", "run time"])
def test_training_dropout(element, mode):
    proto = helper.np_dtype_to_tensor_dtype(np.dtype(element))
    inputs = [("x", proto, ["n"]), ("ratio", FLOAT, [])]
    initializers = []
    if mode == "constant":
        initializers.append(helper.make_tensor("train", TensorProto.BOOL, [], [True]))
    else:
        inputs.append(("train", TensorProto.BOOL, []))
    node = helper.make_node("Dropout", ["x", "ratio", "train"], ["y", "mask"], seed=(5 << 32) + 3)
    outputs = [("y", proto, ["n"]), ("mask", TensorProto.BOOL, ["n"])]
    session = _session([node], inputs, outputs, initializers)
    data = np.arange(1, 2001).astype(element)
    data[7] = np.inf
    random = (_words(2000, (5 << 32) + 3)[:, 0] >> np.uint64(8)) * 2.0**-24
    for ratio in (0.0, 0.25, 0.9, 1.0):
        feeds = {"x": data, "ratio": np.float32(ratio)}
        if mode != "constant":
            feeds["train"] = np.array(True)
        result, mask = session.run(None, feeds)
        np.testing.assert_array_equal(mask, random >= np.float32(ratio))
        scale = 1 / (1 - np.float64(np.float32(ratio))) if ratio < 1 else 0
        with np.errstate(invalid="ignore", over="ignore"):
            expected = np.where(mask, data * element(1) * scale, 0).astype(element)
        np.testing.assert_allclose(result, expected, rtol=2 * np.finfo(element).eps)
        if mode != "constant":
            feeds["train"] = np.array(False)
            result, mask = session.run(None, feeds)
            np.testing.assert_array_equal(result, data)
            assert mask.all()


def test_dropout_without_a_seed_has_a_new_mask_every_run():
    train = helper.make_tensor("train", TensorProto.BOOL, [], [True])
    node = helper.make_node("Dropout", ["x", "", "train"], ["y"])
    session = _session([node], [("x", FLOAT, [256])], [("y", FLOAT, [256])], [train])
    masks = {session.run(None, {"x": np.ones(256, np.float32)})[0].tobytes() for _ in range(4)}
    assert len(masks) == 4


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"low": 2.0, "high": 1.0}, "'high' is less than 'low'"),
        ({"low": 0.0, "high": float("inf")}, "not finite"),
    ],
)
def test_refused(attributes, reason):
    node = helper.make_node("RandomUniform", [], ["y"], shape=[2], **attributes)
    with pytest.raises(omb.OmbError, match=reason):
        _session([node], [], [("y", FLOAT, [2])], fallback="error")


@needs_vulkan
def test_the_same_on_vulkan():
    node = helper.make_node("RandomUniform", [], ["y"], shape=[1000], seed=12.0)
    session = _session([node], [], [("y", FLOAT, [1000])], provider="vulkan")
    expected = (_words(1000, _seed_of(12.0))[:, 0] >> np.uint64(8)) * np.float32(2.0**-24)
    np.testing.assert_array_equal(session.run(None, {})[0], expected)
