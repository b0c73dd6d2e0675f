"""Models on this machine: exported from PyTorch, or carried by packages from PyPI."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]

EXPORTED = ("resnet50", "mobilenetv2", "bert", "vit", "gpt2")

# Models of other people's packages, all trained: (package's import name, file inside it).
CARRIED = {
    "magika": ("magika", "models/standard_v3_3/model.onnx"),
    "nudenet": ("nudenet", "320n.onnx"),
    "ppocr-det": ("rapidocr_onnxruntime", "models/ch_PP-OCRv4_det_infer.onnx"),
    "ppocr-rec": ("rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx"),
    "ppocr-cls": ("rapidocr_onnxruntime", "models/ch_ppocr_mobile_v2.0_cls_infer.onnx"),
    "silero-vad": ("silero_vad", "data/silero_vad.onnx"),
    "silero-vad-16k-op15": ("silero_vad", "data/silero_vad_16k_op15.onnx"),
    "silero-vad-16k-sequence": ("silero_vad", "data/silero_vad_16k_sequence.onnx"),
    "silero-vad-half": ("silero_vad", "data/silero_vad_half.onnx"),
    "silero-vad-op18-ifless": ("silero_vad", "data/silero_vad_op18_ifless.onnx"),
    "silero-vad-openvino-16k": ("silero_vad", "data/silero_vad_openvino_16k.onnx"),
}


def exported(name: str, dynamic: bool = False) -> Path | None:
    """The file that benchmarks/export_models.py wrote for ``name``, or None."""
    folder = os.environ.get("OMB_EXPORTED_MODELS", REPOSITORY / "benchmarks" / "models")
    path = Path(folder) / f"{name}{'-dynamic' if dynamic else ''}.onnx"
    return path if path.is_file() else None


def carried(name: str) -> Path | None:
    """The file of a model in CARRIED, or None where its package is not installed.

    The package is found, not imported: importing it would need PyTorch or OpenCV.
    """
    package, inside = CARRIED[name]
    spec = importlib.util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or []:
        path = Path(folder) / inside
        if path.is_file():
            return path
    return None
