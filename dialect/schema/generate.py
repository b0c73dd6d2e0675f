"""Generates the op definitions of the `onnx` dialect from the schemas of the onnx package.

    python dialect/schema/generate.py            # writes dialect/ir/ops/*.td and OnnxOps.td
    python dialect/schema/generate.py --check    # exit status 1 where a checked-in file differs

Every operator of the default domain (`onnx.Add`) and of `ai.onnx.ml` (`onnx.ml.Scaler`) in its
newest version becomes an ODS definition: operands, results, attributes with their defaults, graph
attributes as regions, the type constraints, side effects and the documentation.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import onnx
from checked_in import synchronize
from families import FAMILY_OF, ML_FAMILY
from onnx import defs
from onnx.defs import OpSchema
from onnx.helper import get_attribute_value

ROOT = Path(__file__).resolve().parents[2]
OPS_DIR = ROOT / "dialect" / "ir" / "ops"
ALL_OPS = ROOT / "python" / "bindings" / "dialects" / "OnnxOps.td"

_DOMAIN_PREFIX = {"": "", "ai.onnx.ml": "ml."}

# ONNX element type -> the bit of omb::onnx::ElementKind that stands for it.
_KINDS = {
    "bool": "Bool",
    "int2": "I2",
    "int4": "I4",
    "int8": "I8",
    "int16": "I16",
    "int32": "I32",
    "int64": "I64",
    "uint2": "U2",
    "uint4": "U4",
    "uint8": "U8",
    "uint16": "U16",
    "uint32": "U32",
    "uint64": "U64",
    "float16": "F16",
    "bfloat16": "BF16",
    "float": "F32",
    "double": "F64",
    "float4e2m1": "F4E2M1",
    "float6e2m3": "F6E2M3",
    "float6e3m2": "F6E3M2",
    "float8e4m3fn": "F8E4M3FN",
    "float8e4m3fnuz": "F8E4M3FNUZ",
    "float8e5m2": "F8E5M2",
    "float8e5m2fnuz": "F8E5M2FNUZ",
    "float8e8m0": "F8E8M0",
    "complex64": "C64",
    "complex128": "C128",
    "string": "String",
}

# Containers, in the order of omb::onnx::TypeSet's members.
_CONTAINERS = ("tensor", "seq(tensor", "optional(tensor", "optional(seq(tensor")

# Ops whose C++ side defines fold() or canonicalization patterns (dialect/ir/).
_FOLDERS = {"Constant", "Identity"}
_CANONICALIZERS = {
    "ConcatFromSequence",
    "If",
    "OptionalGetElement",
    "OptionalHasElement",
    "SequenceAt",
    "SequenceErase",
    "SequenceInsert",
    "SequenceLength",
    "SplitToSequence",
}

_AttrType = OpSchema.AttrType
_ATTRIBUTES = {
    _AttrType.INT: "Onnx_IntAttr",
    _AttrType.FLOAT: "Onnx_FloatAttr",
    _AttrType.STRING: "StrAttr",
    _AttrType.INTS: "DenseI64ArrayAttr",
    _AttrType.FLOATS: "DenseF32ArrayAttr",
    _AttrType.STRINGS: "StrArrayAttr",
    _AttrType.TENSOR: "ElementsAttr",
    _AttrType.SPARSE_TENSOR: "ElementsAttr",
    _AttrType.TYPE_PROTO: "TypeAttr",
}

_Option = OpSchema.FormalParameterOption


def _type_set(type_strs: set[str]) -> str:
    """The C++ initializer of the omb::onnx::TypeSet that allows `type_strs`."""
    masks: list[list[str]] = [[] for _ in _CONTAINERS]
    maps = False
    for spelled in sorted(type_strs):
        if "map(" in spelled:
            maps = True
            continue
        container, _, element = spelled.rstrip(")").rpartition("(")
        masks[_CONTAINERS.index(container)].append(element)
    words = []
    for mask in masks:
        if len(mask) == len(_KINDS):
            words.append("kAny")
        else:
            words.append(" | ".join("k" + _KINDS[e] for e in _KINDS if e in mask) or "0")
    return ", ".join(words) + (", /*maps=*/true" if maps else "")


def _type_list(type_strs: set[str]) -> str:
    """`type_strs` in words, for a diagnostic."""
    words = []
    for container in _CONTAINERS:
        close = ")" * (container.count("(") + 1)
        elements = [k for k in _KINDS if f"{container}({k}{close}" in type_strs]
        if len(elements) == len(_KINDS):
            words.append(f"{container}(any type{close}")
        else:
            words.extend(f"{container}({e}{close}" for e in elements)
    words.extend(sorted(t for t in type_strs if "map(" in t))
    return ", ".join(words)


class OpDefinition:
    """One operator's schema, as ODS."""

    def __init__(self, schema: OpSchema) -> None:
        self.schema = schema
        self.constraints = {
            c.type_param_str: set(c.allowed_type_strs) for c in schema.type_constraints
        }
        self.attributes = sorted(schema.attributes.values(), key=lambda a: a.name)
        self.regions = [a for a in self.attributes if a.type == _AttrType.GRAPH]
        inputs = {p.name for p in schema.inputs}
        self.result_names = [
            p.name + "_out" if p.name in inputs else p.name for p in schema.outputs
        ]
        taken = inputs | set(self.result_names)
        clashes = taken & {a.name for a in self.attributes}
        if clashes:
            raise ValueError(f"{schema.name}: an attribute and a value are both named {clashes}")

    def _constraint(self, parameter: OpSchema.FormalParameter) -> str:
        allowed = self.constraints.get(parameter.type_str, {parameter.type_str})
        what = _type_list(allowed)
        if parameter.type_str in self.constraints:
            what = f"{parameter.type_str}, one of {what}"
        return f'Onnx_Type<"{what}", "{_type_set(allowed)}">'

    def _value(self, parameter: OpSchema.FormalParameter, name: str, wrap: str = "") -> str:
        constraint = self._constraint(parameter)
        if parameter.option == _Option.Optional:
            constraint = f"Optional<{constraint}>"
        elif parameter.option == _Option.Variadic:
            constraint = f"Variadic<{constraint}>"
        if wrap:
            constraint = f'Res<{constraint}, "", [{wrap}]>'
        return f"{constraint}:${name}"

    def _attribute(self, attribute: OpSchema.Attribute) -> str:
        kind = _ATTRIBUTES[attribute.type]
        if not attribute.required:
            default = attribute.default_value
            value = get_attribute_value(default) if default.type else None
            kind = (
                f"OptionalAttr<{kind}>"
                if value is None
                else f'DefaultValuedAttr<{kind}, "{_default(attribute.type, value)}">'
            )
        return f"{kind}:${attribute.name}"

    def _traits(self) -> list[str]:
        traits = []
        for parameters, trait in (
            (self.schema.inputs, "AttrSizedOperandSegments"),
            (self.schema.outputs, "AttrSizedResultSegments"),
        ):
            if sum(p.option != _Option.Single for p in parameters) > 1:
                traits.append(trait)
        if self.regions:
            traits.append("RecursiveMemoryEffects")
        elif not self.is_random:
            traits.append("Pure")
        if self.schema.name == "Constant":
            traits.append("ConstantLike")
        return traits

    @property
    def is_random(self) -> bool:
        """Whether two runs may differ: such an op is never merged with its twin."""
        return self.schema.node_determinism == OpSchema.NodeDeterminism.NonDeterministic

    def _signature(self) -> str:
        """The C++ initializer of the op's omb::onnx::OpSignature."""

        def parameters(formals: list[OpSchema.FormalParameter], names: list[str]) -> str:
            words = []
            for formal, name in zip(formals, names, strict=True):
                bound = formal.type_str in self.constraints and (
                    formal.option != _Option.Variadic or formal.is_homogeneous
                )
                variable = formal.type_str if bound else ""
                option = str(formal.option).rsplit(".", maxsplit=1)[-1]
                words.append(f'{{"{name}", "{variable}", Parameter::{option}}}')
            return "{" + ",\n      ".join(words) + "}"

        schema = self.schema
        regions = "{" + ", ".join(f'"{r.name}"' for r in self.regions) + "}"
        return (
            parameters(list(schema.inputs), [p.name for p in schema.inputs])
            + ",\n     "
            + parameters(list(schema.outputs), self.result_names)
            + ",\n     "
            + regions
        )

    def _description(self) -> str:
        schema = self.schema
        lines = [f"{schema.domain or 'ai.onnx'}.{schema.name}, since opset {schema.since_version}."]
        if schema.deprecated:
            lines.append("Deprecated by the standard.")
        lines += ["", textwrap.dedent(schema.doc or "").strip(), ""]
        sections = (
            ("Inputs", [(p.name, p.type_str, p.description) for p in schema.inputs]),
            ("Outputs", [(p.name, p.type_str, p.description) for p in schema.outputs]),
            (
                "Attributes",
                [
                    (a.name, str(a.type).rsplit(".", maxsplit=1)[-1], a.description)
                    for a in self.attributes
                ],
            ),
        )
        for title, rows in sections:
            if rows:
                lines.append(f"{title}:")
                lines += [f"- `{n}` ({t}): {' '.join(d.split())}" for n, t, d in rows]
                lines.append("")
        text = "\n".join(line.rstrip() for line in "\n".join(lines).splitlines()).strip()
        return textwrap.indent(text.replace("}]", "} ]"), "    ", lambda line: bool(line.strip()))

    def ods(self) -> str:
        """The definition, in TableGen."""
        schema = self.schema
        mnemonic = _DOMAIN_PREFIX[schema.domain] + schema.name
        wrap = "MemAlloc<Onnx_RandomState>" if self.is_random else ""
        arguments = [self._value(p, p.name) for p in schema.inputs]
        arguments += [self._attribute(a) for a in self.attributes if a not in self.regions]
        results = [
            self._value(p, n, wrap) for p, n in zip(schema.outputs, self.result_names, strict=True)
        ]
        regions = [f"AnyRegion:${r.name}" for r in self.regions]
        name = ("Ml" if schema.domain else "") + schema.name
        lines = [
            f'def Onnx_{name}Op : Onnx_Op<"{mnemonic}", [{", ".join(self._traits())}],',
            f"    [{{ {self._signature()} }}]> {{",
            f'  let summary = "ONNX {schema.name}";',
            f"  let description = [{{\n{self._description()}\n  }}];",
            f"  let arguments = (ins{_dag(arguments)});",
            f"  let results = (outs{_dag(results)});",
        ]
        if regions:
            lines.append(f"  let regions = (region{_dag(regions)});")
        if schema.name in _FOLDERS and not schema.domain:
            lines.append("  let hasFolder = 1;")
        if schema.name in _CANONICALIZERS and not schema.domain:
            lines.append("  let hasCanonicalizer = 1;")
        lines.append("}")
        return "\n".join(lines)


def _dag(items: list[str]) -> str:
    return "".join(
        f"\n    {item}{',' if index < len(items) - 1 else ''}" for index, item in enumerate(items)
    )


def _default(kind: _AttrType, value: object) -> str:
    """A default value as the C++ expression that ODS wants."""
    if kind == _AttrType.STRING:
        return f'\\"{value.decode()}\\"'
    if kind == _AttrType.FLOAT:
        spelled = repr(value)
        return f"{spelled}f"
    if kind == _AttrType.INT:
        return f"{value}"
    if kind == _AttrType.INTS:
        return "{" + ", ".join(str(v) for v in value) + "}"
    if kind == _AttrType.FLOATS:
        return "{" + ", ".join(f"{v!r}f" for v in value) + "}"
    if kind == _AttrType.STRINGS:
        return "{" + ", ".join(f'\\"{v.decode()}\\"' for v in value) + "}"
    raise ValueError(f"a default of attribute type {kind} has no spelling yet")


def family_of(schema: OpSchema) -> str:
    """The family of an operator; KeyError where families.py lacks it."""
    return ML_FAMILY if schema.domain else FAMILY_OF[schema.name]


def generate() -> dict[Path, str]:
    """The text of every generated file, by path."""
    families: dict[str, list[str]] = {}
    schemas = [s for s in defs.get_all_schemas() if s.domain in _DOMAIN_PREFIX]
    for schema in sorted(schemas, key=lambda s: (s.domain, s.name)):
        families.setdefault(family_of(schema), []).append(OpDefinition(schema).ods())
    banner = (
        f"// Generated by dialect/schema/generate.py from onnx {onnx.__version__} (opset "
        f"{defs.onnx_opset_version()}). Do not edit.\n\n"
    )
    files = {}
    for family, definitions in sorted(families.items()):
        guard = f"OMB_DIALECT_IR_OPS_{family.upper()}_TD"
        head = f'{banner}#ifndef {guard}\n#define {guard}\n\ninclude "dialect/ir/Onnx.td"\n\n'
        text = head + "\n\n".join(definitions) + f"\n\n#endif // {guard}\n"
        files[OPS_DIR / f"{family}.td"] = text
    includes = "".join(f'include "dialect/ir/ops/{family}.td"\n' for family in sorted(families))
    files[ALL_OPS] = (
        f'{banner}include "dialect/ir/QuantCasts.td"\ninclude "dialect/ir/Yield.td"\n{includes}'
    )
    return files


if __name__ == "__main__":
    sys.exit(synchronize(generate(), OPS_DIR.glob("*.td"), __doc__.splitlines()[0]))
