"""The run-time half: devices, saved models, sessions.

Nothing in here imports IREE's compiler or this project's MLIR library, so that a saved model runs
where only numpy and iree-base-runtime are installed; models that partly run on the host need onnx.
"""
