"""Sessions and forks: IREE's threads stay in the parent, and nothing may wait for them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os, sys
import numpy as np, onnx_mlir_bridge as omb
from onnx import parser

model = parser.parse_model(
    '<ir_version: 10, opset_import: ["" : 21]> g (float[n] x) => (float[n] y) { y = Exp(x) }'
)
x = {"x": np.zeros(3, np.float32)}
before = omb.InferenceSession(model, ["cpu"], threads=int(sys.argv[1]))
before.run(None, x)
child = os.fork()
if child == 0:
    try:
        before.run(None, x)
    except omb.OmbError as error:
        print(error, flush=True)
    after = omb.InferenceSession(model, ["cpu"], threads=int(sys.argv[1]))
    print(after.run(None, x)[0].tolist(), flush=True)
    sys.exit(0)  # not os._exit(): everything is torn down, and nanobind tells of leaks
assert os.waitpid(child, 0)[1] == 0
print(before.run(None, x)[0].tolist(), "in the parent")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.parametrize("threads", [1, 2])
def test_fork(threads: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(threads)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "make the session in the child" in lines[0]
    assert lines[1] == "[1.0, 1.0, 1.0]"
    assert lines[2] == "[1.0, 1.0, 1.0] in the parent"
