"""Export the benchmark models from PyTorch to ONNX.

The five models are built from their published configurations with seeded random weights, so
nothing is downloaded. Needs ``torch``, ``transformers`` and ``onnxscript`` (see
benchmarks/README.md), which the compiler itself does not.

    python benchmarks/export_models.py                      # all five, fixed shapes
    python benchmarks/export_models.py --dynamic bert gpt2  # dynamic batch and sequence
    python benchmarks/export_models.py --output DIR         # default: $OMB_EXPORTED_MODELS,
                                                            # else benchmarks/models (git-ignored)

Each model becomes ``NAME.onnx`` (``NAME-dynamic.onnx`` with ``--dynamic``).
"""

from __future__ import annotations

import argparse
import inspect
import logging
import os
import sys
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

SEED = 20
OPSET = 20
DEFAULT_OUTPUT = Path(__file__).resolve().parent / "models"


@dataclass(frozen=True)
class Export:
    """A PyTorch module ready for torch.onnx.export."""

    module: torch.nn.Module
    inputs: dict[str, torch.Tensor]
    output: str
    """Name of the graph's only output."""
    dynamic_axes: dict[int, str]
    """Dimension -> symbol, the same for every input, used when exporting with dynamic shapes."""


def only_output(
    model: torch.nn.Module, names: Sequence[str], field: str, **fixed: object
) -> torch.nn.Module:
    """Wrap ``model``: forward takes ``names`` by position and returns the one tensor ``field``."""
    import torch

    class OnlyOutput(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            return getattr(self.model(**dict(zip(names, inputs, strict=True)), **fixed), field)

    return OnlyOutput()


def _tell_tale_weights(model: torch.nn.Module) -> None:
    """Scale a CNN's weights so that its output depends on its input and on every layer.

    MobileNetV2's own initialization (0.02) lets the signal vanish after a few layers, and BatchNorm
    layers start as the identity.
    """
    import torch

    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        elif isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(layer.running_mean, std=0.1)
            torch.nn.init.uniform_(layer.running_var, 0.5, 1.5)
            torch.nn.init.uniform_(layer.weight, 0.5, 1.5)
            torch.nn.init.normal_(layer.bias, std=0.1)


def _image() -> torch.Tensor:
    import torch

    return torch.randn(1, 3, 224, 224)


def _tokens(vocabulary: int, length: int) -> torch.Tensor:
    import torch

    return torch.randint(0, vocabulary, (1, length))


def resnet50() -> Export:
    """ResNet-50 v1.5, 1x3x224x224 -> 1x1000."""
    from transformers import ResNetConfig, ResNetForImageClassification

    model = ResNetForImageClassification(ResNetConfig(num_labels=1000))
    _tell_tale_weights(model)
    return Export(
        only_output(model, ["pixel_values"], "logits"),
        {"pixel_values": _image()},
        "logits",
        {0: "batch"},
    )


def mobilenetv2() -> Export:
    """MobileNetV2 1.0, 1x3x224x224 -> 1x1000 (padding as PyTorch's, not TensorFlow's)."""
    from transformers import MobileNetV2Config, MobileNetV2ForImageClassification

    model = MobileNetV2ForImageClassification(MobileNetV2Config(num_labels=1000, tf_padding=False))
    _tell_tale_weights(model)
    return Export(
        only_output(model, ["pixel_values"], "logits"),
        {"pixel_values": _image()},
        "logits",
        {0: "batch"},
    )


def bert() -> Export:
    """BERT-base without the pooler, 1x128 token ids and attention mask -> 1x128x768."""
    import torch
    from transformers import BertConfig, BertModel

    config = BertConfig(attn_implementation="sdpa")
    model = BertModel(config, add_pooling_layer=False)
    mask = torch.ones(1, 128, dtype=torch.int64)
    mask[:, 100:] = 0
    return Export(
        only_output(model, ["input_ids", "attention_mask"], "last_hidden_state"),
        {"input_ids": _tokens(config.vocab_size, 128), "attention_mask": mask},
        "last_hidden_state",
        {0: "batch", 1: "sequence"},
    )


def vit() -> Export:
    """ViT-B/16, 1x3x224x224 -> 1x1000."""
    from transformers import ViTConfig, ViTForImageClassification

    model = ViTForImageClassification(ViTConfig(num_labels=1000, attn_implementation="sdpa"))
    return Export(
        only_output(model, ["pixel_values"], "logits"),
        {"pixel_values": _image()},
        "logits",
        {0: "batch"},
    )


def gpt2() -> Export:
    """GPT-2 (124M) without a key/value cache, 1x64 token ids -> 1x64x50257."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(attn_implementation="sdpa")
    return Export(
        only_output(GPT2LMHeadModel(config), ["input_ids"], "logits", use_cache=False),
        {"input_ids": _tokens(config.vocab_size, 64)},
        "logits",
        {0: "batch", 1: "sequence"},
    )


MODELS: dict[str, Callable[[], Export]] = {
    "resnet50": resnet50,
    "mobilenetv2": mobilenetv2,
    "bert": bert,
    "vit": vit,
    "gpt2": gpt2,
}


def write(
    module: torch.nn.Module,
    inputs: Mapping[str, torch.Tensor],
    outputs: Sequence[str],
    path: Path,
    shapes: Mapping[str, Mapping[int, str]] | None = None,
) -> None:
    """Export ``module`` to ``path`` and print its size.

    ``shapes`` names the dynamic dimensions of every input; ``module`` then takes its inputs by
    position. A dimension of size 1 can't be dynamic: torch.export takes it for a broadcast.
    """
    import torch

    module.eval()
    dynamic = None if shapes is None else tuple(dict(shapes[name]) for name in inputs)
    if dynamic is not None and _takes_any_number(module):
        dynamic = (dynamic,)
    with torch.no_grad():
        torch.onnx.export(
            module,
            tuple(inputs.values()),
            str(path),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=dynamic,
            external_data=False,
            verbose=False,
        )
    print(f"{path}  {path.stat().st_size / 2**20:.1f} MiB")


def _takes_any_number(module: torch.nn.Module) -> bool:
    """Whether ``module``'s forward is ``forward(self, *inputs)``: to torch.export, one argument."""
    parameters = inspect.signature(module.forward).parameters.values()
    return any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters)


def export(name: str, path: Path, *, dynamic: bool) -> None:
    """Build model ``name`` and export it to ``path``."""
    import torch

    torch.manual_seed(SEED)
    model = MODELS[name]()
    inputs, shapes = model.inputs, None
    if dynamic:
        inputs = {name: torch.cat([value, value]) for name, value in inputs.items()}
        shapes = dict.fromkeys(inputs, model.dynamic_axes)
    write(model.module, inputs, [model.output], path, shapes)


def command_line(
    documentation: str, models: Collection[str], *, dynamic_option: bool = False
) -> argparse.Namespace:
    """The arguments, checked: models, output (a folder that exists now) and dynamic.

    Also quiets PyTorch, whose exporter warns about what is as it should be.
    """
    parser = argparse.ArgumentParser(description=documentation.splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="MODEL", help=", ".join(models))
    if dynamic_option:
        parser.add_argument("--dynamic", action="store_true", help="dynamic batch and sequence")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(os.environ.get("OMB_EXPORTED_MODELS", DEFAULT_OUTPUT)),
        help="folder (default: $OMB_EXPORTED_MODELS, else benchmarks/models)",
    )
    arguments = parser.parse_args()
    unknown = set(arguments.models) - set(models)
    if unknown:
        parser.error(f"unknown model {', '.join(sorted(unknown))}; known: {', '.join(models)}")
    try:
        import onnxscript  # noqa: F401
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        print(f"{error}: install torch==2.13.0 transformers onnxscript", file=sys.stderr)
        sys.exit(2)

    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    arguments.output.mkdir(parents=True, exist_ok=True)
    arguments.models = arguments.models or list(models)
    return arguments


def main() -> int:
    """Command line; see the module's documentation."""
    arguments = command_line(__doc__, MODELS, dynamic_option=True)
    suffix = "-dynamic" if arguments.dynamic else ""
    for name in arguments.models:
        export(name, arguments.output / f"{name}{suffix}.onnx", dynamic=arguments.dynamic)
    return 0


if __name__ == "__main__":
    sys.exit(main())
