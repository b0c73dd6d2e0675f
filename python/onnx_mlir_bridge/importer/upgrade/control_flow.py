"""Scan of opset 8, which went over a batch."""

from __future__ import annotations

import onnx
from onnx import GraphProto, ValueInfoProto

from onnx_mlir_bridge.importer.upgrade.registry import Rewrite, adapts


@adapts("Scan", 8)
def scan(rewrite: Rewrite) -> None:
    """Scan-9 has no batch dimension and no lengths: a Scan over the batch around the Scan."""
    node, names = rewrite.node, rewrite.scope.names
    if rewrite.input(0):
        raise rewrite.fail("it has sequence_lens, which later versions have no equivalent of")
    scanned = rewrite.pop("num_scan_inputs")
    directions = rewrite.pop("directions")
    body = next(a.g for a in node.attribute if a.name == "body")
    base = node.name or "Scan"

    inputs = [names.new(f"{base}/sample") for _ in node.input[1:]]
    outputs = [names.new(f"{base}/result") for _ in node.output]
    inner = onnx.helper.make_node(
        "Scan", inputs, outputs, name=f"{base}/Scan", body=body, num_scan_inputs=scanned
    )
    if directions:
        inner.attribute.append(onnx.helper.make_attribute("scan_input_directions", directions))
    over_batch = GraphProto(name=f"{base}/batch", node=[inner])
    over_batch.input.extend(ValueInfoProto(name=name) for name in inputs)
    over_batch.output.extend(ValueInfoProto(name=name) for name in outputs)
    rewrite.finish("Scan", node.input[1:], body=over_batch, num_scan_inputs=len(inputs))
