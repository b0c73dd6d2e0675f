"""Control flow: what loops carry may be swapped, kept, carried twice or grow; they may end early.

The values are small integers, so that what is found is exactly what is expected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_mlir_bridge as omb
import pytest
from budget import examples
from hypothesis import example, given
from hypothesis import strategies as st
from ml_dtypes import bfloat16
from models.targets import GPUS
from onnx import ModelProto, TensorProto, helper, numpy_helper, parser

LIMIT = 40.0


@dataclass(frozen=True)
class Term:
    """What an iteration gives for a carried value or a scan output: of values of one size."""

    kind: str
    """``carried``: one that came in, as it is; ``sum``: of two of them; ``twice``: the sum of the
    first and the last one, which several terms give as one value; ``index``: a carried value plus
    the number of the iteration."""
    first: int = 0
    second: int = 0

    def node(self, result: str, count: int) -> str:
        return {
            "carried": f"{result} = Identity(c{self.first % count})",
            "sum": f"{result} = Add(c{self.first % count}, c{self.second % count})",
            "twice": f"{result} = Identity(all)",
            "index": f"{result} = Add(c{self.first % count}, number)",
        }[self.kind]

    def value(self, carried: Sequence[np.ndarray], iteration: int) -> np.ndarray:
        count = len(carried)
        return {
            "carried": carried[self.first % count],
            "sum": carried[self.first % count] + carried[self.second % count],
            "twice": carried[0] + carried[-1],
            "index": carried[self.first % count] + np.float32(iteration),
        }[self.kind]


@dataclass(frozen=True)
class Body:
    """A loop that carries ``len(results)`` tensors of one size and perhaps one that grows."""

    results: tuple[Term, ...]
    scans: tuple[Term, ...]
    grows: bool
    ends_itself: bool
    starts_equal: bool
    is_static: bool
    starts_are_read: bool = False
    """Whether what the loop starts with is computed before it and used after it, too."""

    def model(self) -> ModelProto:
        count, size = len(self.results), "3" if self.is_static else "k"
        kept = ", ".join(f"float[{size}] c{i}" for i in range(count))
        grown = ", float[g] grown" if self.grows else ""
        results = [f"r{i}" for i in range(count)]
        scans = [f"s{i}" for i in range(len(self.scans))]
        terms = zip(results + scans, self.results + self.scans, strict=True)
        nodes = [term.node(name, count) for name, term in terms]
        nodes.append("longer = Concat<axis=0>(grown, first)" if self.grows else "")
        nodes.append("go = Less(total, limit)" if self.ends_itself else "go = Identity(was)")
        given = ["bool go", *(f"float[{size}] {name}" for name in results)]
        given += ["float[h] longer"] if self.grows else []
        given += [f"float[{size}] {name}" for name in scans]
        starts = ["u" if self.starts_equal else "uv"[i % 2] for i in range(count)]
        starts += ["x"] if self.grows else []
        finals = [f"final{i}" for i in range(len(given) - 1)]
        ranks = [1] * (count + self.grows) + [2] * len(scans)
        outputs = [
            f"float[{', '.join(f'{name}{axis}' for axis in range(rank))}] {name}"
            for name, rank in zip(finals, ranks, strict=True)
        ]
        outputs += [f"float[{size}] difference"] if self.starts_are_read else []
        before = "Abs" if self.starts_are_read else "Identity"
        return parser.parse_model(f"""<ir_version: 10, opset_import: ["": 21]>
            loop (int64 n, float[{size}] x, float[{size}] y) => ({", ".join(outputs)}) {{
              yes = Constant<value = bool {{1}}>()
              u = {before}(x)
              v = {before}(y)
              {", ".join(finals)} = Loop (n, yes, {", ".join(starts)}) <body =
                body (int64 i, bool was, {kept}{grown}) => ({", ".join(given)}) {{
                  limit = Constant<value_float={LIMIT}>()
                  zero = Constant<value_ints=[0]>()
                  one = Constant<value_ints=[1]>()
                  number = Cast<to=1>(i)
                  all = Add(c0, c{count - 1})
                  first = Slice(all, zero, one)
                  total = ReduceSum<keepdims=0>(all)
                  {"; ".join(nodes).replace("; ", chr(10))}
                }}>
              {"difference = Sub(final0, u)" if self.starts_are_read else ""}
            }}""")

    def expected(self, n: int, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        if self.starts_are_read:
            x, y = np.abs(x), np.abs(y)
        carried = [x if self.starts_equal else (x, y)[i % 2] for i in range(len(self.results))]
        grown, scans = x, [[] for _ in self.scans]
        for iteration in range(n):
            every = carried[0] + carried[-1]
            for scan, term in zip(scans, self.scans, strict=True):
                scan.append(term.value(carried, iteration))
            grown = np.concatenate([grown, every[:1]])
            carried = [term.value(carried, iteration) for term in self.results]
            if self.ends_itself and not every.sum() < LIMIT:
                break
        stacked = [np.stack(scan) if scan else np.zeros((0, len(x)), np.float32) for scan in scans]
        differences = [carried[0] - x] if self.starts_are_read else []
        return [*carried, *([grown] if self.grows else []), *stacked, *differences]


terms = st.builds(
    Term,
    st.sampled_from(["carried", "sum", "twice", "twice", "index"]),
    st.integers(0, 2),
    st.integers(0, 2),
)
bodies = st.builds(
    Body,
    st.lists(terms, min_size=1, max_size=3).map(tuple),
    st.lists(terms, max_size=2).map(tuple),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)

TWICE = Term("twice")


@examples(13)
@given(body=bodies)
@example(Body((TWICE, TWICE), (TWICE, Term("carried")), False, True, False, False))
@example(Body((Term("carried", 1), Term("carried", 0)), (), False, True, False, True))
@example(Body((TWICE, TWICE, TWICE), (TWICE,), True, True, True, False))
@example(Body((Term("sum"),), (), False, False, False, True, True))
def test_agrees_with_its_definition(body: Body) -> None:
    session = omb.InferenceSession(body.model(), ["cpu"], threads=1, fallback="error")
    x, y = np.array([1, 2, 3], np.float32), np.array([0, -1, 2], np.float32)
    for n in (3, 0, 1):
        found = session.run(None, {"n": np.array(n), "x": x, "y": y})
        for f, e in zip(found, body.expected(n, x, y), strict=True):
            if e.ndim == 2 and n == 0:  # of what is stacked, the size isn't known
                assert f.shape[0] == 0
            else:
                np.testing.assert_array_equal(f, e)


def test_negative_trip_count() -> None:
    body = Body((Term("sum", 0, 1), TWICE), (), False, True, False, False)
    session = omb.InferenceSession(body.model(), ["cpu"], threads=1, fallback="error")
    x = np.array([1, 2, 3], np.float32)
    for n in (-1, -(2**63)):
        for found in session.run(None, {"n": np.array(n), "x": x, "y": x}):
            np.testing.assert_array_equal(found, x, err_msg=str(n))


def test_parts_at_any_address_after_a_branch() -> None:
    """Aligned vectors there would end the process: see omb-isolate-updates."""
    model = parser.parse_model("""<ir_version: 10, opset_import: ["": 21]>
        branch (bool b, float[n] x, float[m] y, float c) => (float[k] product, float[a] z) {
          d = If(b) <then_branch = one () => (float p) { p = Neg(c) },
                     else_branch = two () => (float q) { q = Exp(c) }>
          product = Mul(x, y)
          u = Add(x, d)
          v = Add(y, d)
          z = Concat<axis=0>(u, v)
        }""")
    session = omb.InferenceSession(model, ["cpu"], threads=1, fallback="error")
    for size in (1, 3, 17, 100):
        x = np.arange(size, dtype=np.float32)
        feeds = {"x": x, "y": x + 1, "b": np.array(True), "c": np.array(-1, np.float32)}
        np.testing.assert_array_equal(session.run(["z"], feeds)[0], [*(x + 1), *(x + 2)])


@pytest.mark.parametrize("provider", ["cpu", *GPUS])
@pytest.mark.parametrize("size", [5, 300])
def test_constants_are_there_for_the_next_run(provider: str, size: int) -> None:
    """IREE keeps them, small or large, and frees what branches and loops pass on."""
    numbers = np.arange(size, dtype=np.float32) / size
    weights = {
        "w": numpy_helper.from_array(numbers, "w"),
        "h": helper.make_tensor("h", TensorProto.BFLOAT16, [size], numbers.astype(bfloat16)),
    }
    model = parser.parse_model(f"""<ir_version: 10, opset_import: ["": 21]>
        constants (bool b, int64 k, float[{size}] x)
            => (float[{size}] y, float[{size}] z, bfloat16[{size}] v) {{
          e = Exp(w)
          either = If(b) <then_branch = one () => (float[{size}] p) {{ p = Identity(e) }},
                          else_branch = two () => (float[{size}] q) {{ q = Neg(x) }}>
          y = Add(either, x)
          z = Loop(k, , e) <body = more (int64 i, bool c, float[{size}] a)
              => (bool d, float[{size}] s) {{ d = Identity(c) s = Add(a, x) }}>
          v = If(b) <then_branch = three () => (bfloat16[{size}] r) {{ r = Identity(h) }},
                     else_branch = four () => (bfloat16[{size}] t) {{ t = Cast<to=16>(x) }}>
        }}""")
    model.graph.initializer.extend(weights.values())
    session = omb.InferenceSession(model, [provider], threads=2, fallback="error")
    x, exp = np.full(size, 0.5, np.float32), np.exp(numbers)
    for b, k in ((True, 0), (True, 2), (False, 0), (True, 1), (True, 0)):
        y, z, v = session.run(None, {"b": np.array(b), "k": np.array(k), "x": x})
        # exp() is another one on the device.
        np.testing.assert_allclose(y, exp + x if b else np.zeros(size), rtol=1e-5)
        np.testing.assert_allclose(z, exp + k * x, rtol=1e-5)
        np.testing.assert_array_equal(v, (numbers if b else x).astype(bfloat16))


INNER = {
    "a loop": "v2 = Loop (k, , v) <body = inner (int64 j, bool d, float[r] u) => "
    "(bool e, float[t] w) { e = Identity(d) w = Mul(u, u) }>",
    "a loop that grows": "v2 = Loop (k, , v) <body = inner (int64 j, bool d, float[r] u) => "
    "(bool e, float[t] w) { e = Identity(d) w = Concat<axis=0>(u, x) }>",
    "a branch": "less = Less(i, one) v2 = If (less) <then_branch = yes () => (float[p] q) "
    "{ q = Concat<axis=0>(v, x) }, else_branch = no () => (float[s] z) { z = Neg(v) }>",
}


@pytest.mark.parametrize("inner", INNER)
def test_within_a_loop(inner: str) -> None:
    """What a loop within a loop gives has sizes that only the run knows."""
    model = parser.parse_model(f"""<ir_version: 10, opset_import: ["": 21]>
        nested (int64 k, float[n] x) => (float[m] y) {{
          one = Constant<value = int64 {{1}}>()
          y = Loop (k, , x) <body = outer (int64 i, bool c, float[a] v) => (bool go, float[b] v2) {{
            go = Identity(c)
            {INNER[inner]}
          }}>
        }}""")
    session = omb.InferenceSession(model, fallback="error")

    def expected(k: int, x: np.ndarray) -> np.ndarray:
        v = x
        for i in range(k):
            if inner == "a branch":
                v = np.concatenate([v, x]) if i < 1 else -v
            for _ in range(k if inner != "a branch" else 0):
                v = v * v if inner == "a loop" else np.concatenate([v, x])
        return v

    for k, size in ((0, 2), (1, 3), (2, 1), (3, 2)):
        x = np.arange(1, size + 1, dtype=np.float32) / 2
        np.testing.assert_array_equal(
            session.run(None, {"k": np.array(k), "x": x})[0], expected(k, x)
        )
