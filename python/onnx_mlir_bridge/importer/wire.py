"""Takes the weights out of a serialized ModelProto without parsing them.

Protobuf copies every byte field that it parses, and its Python API copies it once more on every
access. A model of many GiB of weights can't afford that. So this scanner walks the wire format of
a serialized model, leaves the `raw_data` of every large tensor where it is, and returns the rest,
the skeleton, which is small and is parsed as usual. In the skeleton such a tensor has external
data whose only entry names the payload: (offset, length) within the serialized bytes.

Wire format: https://protobuf.dev/programming-guides/encoding/; field numbers: onnx.proto.
"""

from __future__ import annotations

from dataclasses import dataclass

from onnx_mlir_bridge.errors import OmbError

PAYLOAD_THRESHOLD = 1024
"""Tensors with at most this many bytes stay in the skeleton."""

MAX_NESTED_MESSAGES = 100
"""Protobuf's own limit on messages within messages; a subgraph takes three of them."""

# Message kind -> field number -> kind of the submessage. Only what leads to a TensorProto counts.
_FIELDS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_RAW_DATA = 9
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class Span:
    """A payload's place within the serialized model, in bytes."""

    offset: int
    length: int


def _damaged(offset: int, what: str) -> OmbError:
    return OmbError(
        f"not a usable ONNX model: {what} at byte {offset}; "
        "is the file truncated, or not ONNX at all?"
    )


def _read_varint(data: memoryview, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise _damaged(at, "a number without an end")


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def length_delimited(field: int, payload: bytes) -> bytes:
    """The wire bytes of a length-delimited field."""
    return _varint(field << 3 | _LENGTH) + _varint(len(payload)) + payload


def payload_marker(key: str, index: int) -> bytes:
    """TensorProto fields: data_location = EXTERNAL, external_data = [{key: index}]."""
    entry = length_delimited(1, key.encode()) + length_delimited(2, str(index).encode())
    return _varint(14 << 3 | _VARINT) + b"\x01" + length_delimited(13, entry)


class _Scanner:
    def __init__(self, data: memoryview, key: str) -> None:
        self.data = data
        self.key = key
        self.spans: list[Span] = []

    def message(self, at: int, end: int, kind: str, depth: int) -> list[bytes | memoryview]:
        """The chunks of the message in [at, end), payloads left out."""
        if depth > MAX_NESTED_MESSAGES:
            raise OmbError(
                f"the model nests subgraphs deeper than {MAX_NESTED_MESSAGES // 3} levels, "
                "which protobuf does not read; flatten its control flow"
            )
        data, nested = self.data, _FIELDS[kind]
        chunks: list[bytes | memoryview] = []
        kept_from = at
        payload: Span | None = None
        while at < end:
            field_start = at
            tag, at = _read_varint(data, at, end)
            field, wire_type = tag >> 3, tag & 7
            if field == 0:
                raise _damaged(field_start, "a field number 0")
            if wire_type == _VARINT:
                _, at = _read_varint(data, at, end)
            elif wire_type == _FIXED64:
                at += 8
            elif wire_type == _FIXED32:
                at += 4
            elif wire_type == _LENGTH:
                length, at = _read_varint(data, at, end)
                start, at = at, at + length
                if at > end:
                    raise _damaged(start, f"a field of {length} bytes, past the end of the data,")
                if length <= PAYLOAD_THRESHOLD:
                    continue
                if kind == "tensor" and field == _RAW_DATA:
                    payload = Span(start, length)
                    chunks.append(data[kept_from:field_start])
                    kept_from = at
                elif field in nested:
                    inner = self.message(start, at, nested[field], depth + 1)
                    chunks.append(data[kept_from:field_start])
                    chunks.append(_varint(tag) + _varint(sum(len(c) for c in inner)))
                    chunks.extend(inner)
                    kept_from = at
            else:
                raise _damaged(field_start, f"an unknown wire type {wire_type}")
            if at > end:
                raise _damaged(field_start, "a field that ends past the end of the data")
        chunks.append(data[kept_from:end])
        if payload is not None:
            chunks.append(payload_marker(self.key, len(self.spans)))
            self.spans.append(payload)
        return chunks


def split(data: memoryview, key: str) -> tuple[bytes, list[Span]]:
    """Splits a serialized ModelProto into its skeleton and the places of its payloads.

    `data`: bytes, one-dimensional. `key`: the key of the external_data entry that marks a tensor
    in the skeleton; its value is the index into the returned list. Raises OmbError where the data
    are no protobuf messages or end too early.
    """
    scanner = _Scanner(data, key)
    chunks = scanner.message(0, len(data), "model", 1)
    return b"".join(chunks), scanner.spans
