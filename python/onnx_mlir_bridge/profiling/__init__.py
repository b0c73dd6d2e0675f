"""Where the time of a run goes: what `omb profile` measures.

    capture.py   IREE's tools, which run the module and write down what it did when
    nodes.py     which ONNX nodes a dispatch computes
    runs.py      from the tools' records to dispatches, run by run
    report.py    times and shares, per dispatch or per node
    trace.py     a run as a Chrome trace

A dispatch is a call of a compiled kernel: what IREE has a device do at a time. It computes one ONNX
node, several that were fused, or a part of one.
"""
