"""The table in docs/operators.md: which operators are compiled, and what the tests say."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from onnx import ModelProto, defs

ROOT = Path(__file__).resolve().parents[1]
FAILURES = ROOT / "tests" / "py" / "onnx_backend_failures.json"

_INTRODUCTION = """\
# Operators

Every operator of the default domain in opset {opset} (onnx {version}). Models of older opsets are
upgraded to it when they are imported.

*lowered*: to linalg, by a pattern of its own. *as a function*: the importer replaces it by the
function that the standard defines it by, whose operators are lowered. *composed*: by other
operators that are lowered, which this project has chosen. The targets are the same for
all: `cpu`, `vulkan` and `cuda`. The tests are those of onnx's backend suite that have one node, on
the CPU; [the list of those that fail](../tests/py/onnx_backend_failures.json) gives the reasons.
What isn't compiled [runs on the host](host.md).

"""


def _is_function(schema: defs.OpSchema, lowered: frozenset[str]) -> bool:
    """Whether the operator's function has only operators that are compiled.

    A function that depends on types and attributes has no body to look at: the tests tell.
    """
    if not schema.has_function:
        return schema.has_context_dependent_function
    return all(
        node.op_type in lowered or _is_function(defs.get_schema(node.op_type), lowered)
        for node in schema.function_body.node
    )


def _tests() -> tuple[Counter[str], Counter[str]]:
    """Of every operator, how many tests there are and how many pass."""
    from onnx.backend.test.loader import load_model_tests

    failing = {name for names in json.loads(FAILURES.read_text()).values() for name in names}
    total: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the cases overflow and divide by 0 on purpose
        cases = load_model_tests(kind="node")
    for case in cases:
        operator = _only_operator(case.model)
        if operator is not None:
            total[operator] += 1
            passed[operator] += case.name not in failing
    return total, passed


def _only_operator(model: ModelProto | None) -> str | None:
    if model is None or len(model.graph.node) != 1 or model.graph.node[0].domain:
        return None
    return model.graph.node[0].op_type


def _opsets(name: str) -> str:
    """The versions of the operator, which the importer upgrades from."""
    versions = sorted(
        s.since_version
        for s in defs.get_all_schemas_with_history()
        if (s.name, s.domain) == (name, "")
    )
    return ", ".join(map(str, versions))


def table(lowered: Iterable[str], families: dict[str, str]) -> str:
    """The page; `lowered`: the operators that have a lowering, by name."""
    import onnx
    from onnx_mlir_bridge.importer.compositions import registry

    has_lowering = frozenset(lowered)
    total, passed = _tests()
    rows = [
        "| operator | family | versions | compiled | tests passed |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, family in sorted(families.items()):
        schema = defs.get_schema(name)
        how = "lowered" if name in has_lowering else "no"
        if (
            how == "no"
            and (total[name] == 0 or passed[name])
            and _is_function(schema, has_lowering)
        ):
            how = "as a function"
        elif how == "no" and registry.find("", name) is not None:
            how = "composed"
        deprecated = " (deprecated)" if schema.deprecated else ""
        tests = f"{passed[name]} of {total[name]}" if total[name] else ""
        link = f"[{family}](dialect/{family}.md)"
        rows.append(f"| {name}{deprecated} | {link} | {_opsets(name)} | {how} | {tests} |")
    head = _INTRODUCTION.format(opset=defs.onnx_opset_version(), version=onnx.__version__)
    return head + "\n".join(rows) + "\n"
