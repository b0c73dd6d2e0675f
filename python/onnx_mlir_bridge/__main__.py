"""`python -m onnx_mlir_bridge`: the command `omb`."""

from onnx_mlir_bridge.cli import main

if __name__ == "__main__":
    main()
