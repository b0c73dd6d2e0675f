"""Export tiny models of many transformer architectures from PyTorch to ONNX.

Every model is built from its architecture's configuration with one to four small layers and seeded
random weights, so nothing is downloaded and all files together have a few MiB. What they are for
is the graphs: those that torch.onnx.export writes for the real models, with dynamic shapes.

    python benchmarks/export_tiny_models.py                # all
    python benchmarks/export_tiny_models.py mamba swin     # some
    python benchmarks/export_tiny_models.py --output DIR   # default: as export_models.py

Each becomes ``tiny-NAME.onnx``. tests/py/test_models_transformers.py runs them. Batch and sequence
are dynamic, and for images batch, height and width, by the dynamo exporter, but for this:

- whisper's encoder refuses every length but its 2 * max_source_positions: only its batch is
  dynamic.
- mamba's loop over the sequence is Python's, which an exporter can only unroll: ``mamba-unrolled``
  has a dynamic batch and a fixed sequence. ``mamba`` is the same model with that one function (the
  selective scan) written with torch's ``scan``, which becomes ONNX's Scan: all is dynamic. That
  both answer the same is checked here.
- mixtral's default experts are a custom operator (grouped products) or a Python loop over the
  experts that got tokens, neither of which torch exports; ``experts_implementation="batched_mm"``
  gathers each token's experts' weights instead.
- swin's cyclic shift is a Python decision on the image's size, and so is padding to whole windows:
  height and width are dynamic in multiples of what needs no padding at any stage.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from export_models import command_line, only_output, write

if TYPE_CHECKING:
    from pathlib import Path

    import torch

VOCABULARY = 64
HIDDEN = 32
HEADS = 4
TEXT = {0: "batch", 1: "sequence"}
IMAGE = {0: "batch", 2: "height", 3: "width"}


@dataclass(frozen=True)
class Tiny:
    """A small PyTorch module, inputs to trace it with, and their dynamic dimensions."""

    module: torch.nn.Module
    inputs: dict[str, torch.Tensor]
    shapes: dict[str, dict[int, str]]
    outputs: list[str] = field(default_factory=lambda: ["last_hidden_state"])


def _spread_weights(model: torch.nn.Module) -> torch.nn.Module:
    """Give all weights a size at which every layer, and every bias, shows in the output.

    The architectures' own initialization (0.02, and zero for biases) makes attention uniform and
    hides what a wrong mask or position would change.
    """
    import torch

    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() < 2 or name.endswith("A_log"):
                weight.add_(0.1 * torch.randn_like(weight))
            else:
                torch.nn.init.normal_(weight, std=weight[0].numel() ** -0.5)
        for layer in model.modules():
            if isinstance(layer, torch.nn.Embedding):
                torch.nn.init.normal_(layer.weight, std=0.7)
            elif isinstance(layer, torch.nn.BatchNorm2d):
                torch.nn.init.normal_(layer.running_mean, std=0.1)
                torch.nn.init.uniform_(layer.running_var, 0.5, 1.5)
    return model


def _ids(length: int = 10) -> torch.Tensor:
    import torch

    return torch.randint(2, VOCABULARY, (2, length))


def _mask(length: int = 10) -> torch.Tensor:
    import torch

    mask = torch.ones(2, length, dtype=torch.int64)
    mask[1, length - 3 :] = 0
    return mask


def _text(model: torch.nn.Module, *, output: str = "last_hidden_state", **fixed: object) -> Tiny:
    """``model`` with token ids and an attention mask."""
    inputs = {"input_ids": _ids(), "attention_mask": _mask()}
    module = only_output(_spread_weights(model), list(inputs), output, **fixed)
    return Tiny(module, inputs, dict.fromkeys(inputs, TEXT), [output])


def _image(
    model: torch.nn.Module, *, size: int = 64, output: str = "last_hidden_state", **fixed: object
) -> Tiny:
    """``model`` with an image."""
    import torch

    module = only_output(_spread_weights(model), ["pixel_values"], output, **fixed)
    image = torch.randn(2, 3, size, size + 32)
    return Tiny(module, {"pixel_values": image}, {"pixel_values": IMAGE}, [output])


def _text_config(**more: object) -> dict[str, Any]:
    """What most text architectures name alike."""
    return {
        "vocab_size": VOCABULARY,
        "hidden_size": HIDDEN,
        "num_hidden_layers": 2,
        "num_attention_heads": HEADS,
        "intermediate_size": 2 * HIDDEN,
        "max_position_embeddings": 128,
        "pad_token_id": 1,
        **more,
    }


def bert() -> Tiny:
    """Encoder with absolute positions."""
    from transformers import BertConfig, BertModel

    return _text(BertModel(BertConfig(**_text_config()), add_pooling_layer=False))


def roberta() -> Tiny:
    """Encoder whose positions count the tokens that are not padding."""
    from transformers import RobertaConfig, RobertaModel

    return _text(RobertaModel(RobertaConfig(**_text_config()), add_pooling_layer=False))


def deberta_v2() -> Tiny:
    """Encoder with disentangled attention over logarithmic buckets of relative positions."""
    from transformers import DebertaV2Config, DebertaV2Model

    config = DebertaV2Config(
        **_text_config(type_vocab_size=0),
        relative_attention=True,
        position_buckets=8,
        max_relative_positions=32,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        pos_att_type=["p2c", "c2p"],
        position_biased_input=False,
    )
    return _text(DebertaV2Model(config))


def gpt2() -> Tiny:
    """Causal decoder with learned positions."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=VOCABULARY, n_embd=HIDDEN, n_layer=2, n_head=HEADS, n_positions=128
    )
    return _text(GPT2LMHeadModel(config), output="logits", use_cache=False)


def _llama_model() -> torch.nn.Module:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(LlamaConfig(**_text_config(num_key_value_heads=2)))


def llama() -> Tiny:
    """Causal decoder with rotary positions, RMS normalization and grouped queries."""
    return _text(_llama_model(), output="logits", use_cache=False)


def llama_past() -> Tiny:
    """The same, one step of generation: with a key/value cache, whose length is dynamic too."""
    import torch
    from transformers import DynamicCache

    class WithCache(torch.nn.Module):
        def __init__(self, model: torch.nn.Module) -> None:
            super().__init__()
            self.model = model

        def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
            ids, mask, *past = inputs
            pairs = zip(past[::2], past[1::2], strict=True)
            result = self.model(ids, mask, past_key_values=DynamicCache(pairs), use_cache=True)
            present = [
                x for layer in result.past_key_values.layers for x in (layer.keys, layer.values)
            ]
            return result.logits, *present

    model = _spread_weights(_llama_model())
    names = [f"{layer}.{part}" for layer in range(2) for part in ("key", "value")]
    past = {f"past.{name}": torch.randn(2, 2, 6, HIDDEN // HEADS) for name in names}
    return Tiny(
        WithCache(model),
        {"input_ids": _ids(4), "attention_mask": _mask(10), **past},
        {
            "input_ids": TEXT,
            "attention_mask": {0: "batch", 1: "past + sequence"},
            **{name: {0: "batch", 2: "past"} for name in past},
        },
        ["logits", *(f"present.{name}" for name in names)],
    )


def qwen2() -> Tiny:
    """Llama's layers with biases in the projections of queries, keys and values."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(**_text_config(num_key_value_heads=2))
    return _text(Qwen2ForCausalLM(config), output="logits", use_cache=False)


def qwen3() -> Tiny:
    """Llama's layers with normalized queries and keys, and heads wider than hidden / heads."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(**_text_config(num_key_value_heads=2, head_dim=16))
    return _text(Qwen3ForCausalLM(config), output="logits", use_cache=False)


def mixtral() -> Tiny:
    """Mixture of experts: two of four for every token."""
    from transformers import MixtralConfig, MixtralForCausalLM

    config = MixtralConfig(
        **_text_config(num_key_value_heads=2),
        num_local_experts=4,
        num_experts_per_tok=2,
        experts_implementation="batched_mm",
    )
    return _text(MixtralForCausalLM(config), output="logits", use_cache=False)


def _mamba_model() -> torch.nn.Module:
    from transformers import MambaConfig, MambaForCausalLM

    config = MambaConfig(
        vocab_size=VOCABULARY, hidden_size=HIDDEN, num_hidden_layers=2, state_size=8
    )
    return _spread_weights(MambaForCausalLM(config))


def _selective_scan(
    hidden_states: torch.Tensor,
    dt: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    c: torch.Tensor,
    *,
    D: torch.Tensor,  # noqa: N803 - transformers' name
    z: torch.Tensor,
    delta_bias: torch.Tensor,
    **_: object,
) -> torch.Tensor:
    """What transformers' mamba_selective_scan does, its loop over the sequence as one ``scan``."""
    import torch
    from torch._higher_order_ops.scan import scan

    dt = torch.nn.functional.softplus(dt + delta_bias[:, None])
    decays = torch.exp(a[None, :, None, :] * dt[..., None])
    inflows = dt[..., None] * b.transpose(1, 2)[:, None] * hidden_states[..., None]

    def step(
        state: torch.Tensor, now: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        decay, inflow, readout = now
        state = decay * state + inflow
        return state, (state @ readout[..., None])[..., 0]

    batch, channels, _length = hidden_states.shape
    _, scanned = scan(
        step,
        torch.zeros(batch, channels, a.shape[-1]),
        (decays.permute(2, 0, 1, 3), inflows.permute(2, 0, 1, 3), c.permute(2, 0, 1)),
    )
    scanned = scanned.permute(1, 2, 0) + hidden_states * D[:, None]
    return scanned * torch.nn.functional.silu(z)


def mamba() -> Tiny:
    """State space model, its scan over the sequence as ONNX's Scan."""
    import torch
    from transformers.models.mamba import modeling_mamba

    model = _mamba_model().eval()
    ids = _ids()
    with torch.no_grad():
        expected = model(ids, use_cache=False).logits
        modeling_mamba.mamba_selective_scan = _selective_scan
        torch.testing.assert_close(model(ids, use_cache=False).logits, expected)
    module = only_output(model, ["input_ids"], "logits", use_cache=False)
    return Tiny(module, {"input_ids": ids}, {"input_ids": TEXT}, ["logits"])


def mamba_unrolled() -> Tiny:
    """State space model as transformers has it: ten steps, one after the other."""
    module = only_output(_mamba_model(), ["input_ids"], "logits", use_cache=False)
    return Tiny(module, {"input_ids": _ids()}, {"input_ids": {0: "batch"}}, ["logits"])


def t5() -> Tiny:
    """T5's encoder: buckets of relative positions as a bias, gated GELU."""
    from transformers import T5Config, T5EncoderModel

    config = T5Config(
        vocab_size=VOCABULARY,
        d_model=HIDDEN,
        d_kv=HIDDEN // HEADS,
        d_ff=2 * HIDDEN,
        num_layers=2,
        num_heads=HEADS,
        relative_attention_num_buckets=8,
        relative_attention_max_distance=20,
        feed_forward_proj="gated-gelu",
    )
    return _text(T5EncoderModel(config))


def whisper() -> Tiny:
    """Whisper's encoder over mel features."""
    import torch
    from transformers import WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    config = WhisperConfig(
        d_model=HIDDEN,
        encoder_layers=2,
        encoder_attention_heads=HEADS,
        encoder_ffn_dim=2 * HIDDEN,
        num_mel_bins=20,
        max_source_positions=25,
    )
    model = _spread_weights(WhisperEncoder(config))
    module = only_output(model, ["input_features"], "last_hidden_state")
    return Tiny(
        module, {"input_features": torch.randn(2, 20, 50)}, {"input_features": {0: "batch"}}
    )


def vit() -> Tiny:
    """Vision transformer, its positions interpolated to the image's size."""
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(
        hidden_size=HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        intermediate_size=2 * HIDDEN,
        image_size=64,
        patch_size=16,
        num_labels=10,
    )
    model = ViTForImageClassification(config)
    return _image(model, output="logits", interpolate_pos_encoding=True)


def swin() -> Tiny:
    """Attention in shifted windows, at three scales."""
    from transformers import SwinConfig, SwinForImageClassification

    config = SwinConfig(
        image_size=64,
        patch_size=4,
        embed_dim=16,
        depths=[2, 2, 2],
        num_heads=[2, 4, 4],
        window_size=2,
        num_labels=10,
    )
    return _image(SwinForImageClassification(config), output="logits")


def convnext() -> Tiny:
    """Convolutions of 7x7 over each channel, normalized over the channels, at four scales."""
    from transformers import ConvNextConfig, ConvNextForImageClassification

    config = ConvNextConfig(hidden_sizes=[8, 16, 16, 32], depths=[1, 1, 2, 1], num_labels=10)
    return _image(ConvNextForImageClassification(config), output="logits")


def segformer() -> Tiny:
    """Semantic segmentation: reduced attention at four scales, upsampled and joined."""
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    config = SegformerConfig(
        hidden_sizes=[8, 16, 16, 32],
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 2, 2, 4],
        decoder_hidden_size=16,
        num_labels=5,
    )
    return _image(SegformerForSemanticSegmentation(config), output="logits")


def diffusion() -> Tiny:
    """Two blocks of a diffusion transformer, in plain torch."""
    import torch
    from torch import nn

    class Block(nn.Module):
        """Shift, scale and gate of both halves come from the condition (adaLN-Zero)."""

        def __init__(self) -> None:
            super().__init__()
            self.norms = nn.ModuleList(
                nn.LayerNorm(HIDDEN, elementwise_affine=False) for _ in range(2)
            )
            self.qkv = nn.Linear(HIDDEN, 3 * HIDDEN)
            self.out = nn.Linear(HIDDEN, HIDDEN)
            self.mlp = nn.Sequential(
                nn.Linear(HIDDEN, 4 * HIDDEN),
                nn.GELU(approximate="tanh"),
                nn.Linear(4 * HIDDEN, HIDDEN),
            )
            self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(HIDDEN, 6 * HIDDEN))

        def attend(self, x: torch.Tensor) -> torch.Tensor:
            heads = (part.unflatten(-1, (HEADS, -1)) for part in self.qkv(x).chunk(3, dim=-1))
            q, k, v = (part.transpose(1, 2) for part in heads)
            mixed = nn.functional.scaled_dot_product_attention(q, k, v)
            return self.out(mixed.transpose(1, 2).flatten(2))

        def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
            modulation = self.modulation(condition)[:, None].chunk(6, dim=-1)
            for half, norm, (shift, scale, gate) in zip(
                (self.attend, self.mlp),
                self.norms,
                (modulation[:3], modulation[3:]),
                strict=True,
            ):
                x = x + gate * half(norm(x) * (1 + scale) + shift)
            return x

    class Diffusion(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.time = nn.Sequential(
                nn.Linear(HIDDEN, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, HIDDEN)
            )
            self.blocks = nn.ModuleList(Block() for _ in range(2))

        def forward(self, x: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
            rates = torch.exp(torch.arange(HIDDEN // 2) * (-9.21 / (HIDDEN // 2)))
            angles = timestep[:, None].float() * rates
            condition = self.time(torch.cat([angles.cos(), angles.sin()], dim=-1))
            for block in self.blocks:
                x = block(x, condition)
            return x

    return Tiny(
        _spread_weights(Diffusion()),
        {"latents": torch.randn(2, 10, HIDDEN), "timestep": torch.tensor([3, 400])},
        {"latents": TEXT, "timestep": {0: "batch"}},
    )


MODELS: dict[str, Callable[[], Tiny]] = {
    "bert": bert,
    "roberta": roberta,
    "deberta-v2": deberta_v2,
    "gpt2": gpt2,
    "llama": llama,
    "llama-past": llama_past,
    "qwen2": qwen2,
    "qwen3": qwen3,
    "mixtral": mixtral,
    "mamba": mamba,
    "mamba-unrolled": mamba_unrolled,
    "t5": t5,
    "whisper": whisper,
    "vit": vit,
    "swin": swin,
    "convnext": convnext,
    "segformer": segformer,
    "diffusion": diffusion,
}


def export(name: str, folder: Path) -> None:
    """Build model ``name`` and write it, with its dynamic shapes, to ``folder``."""
    import torch

    torch.manual_seed(20)
    tiny = MODELS[name]()
    write(tiny.module, tiny.inputs, tiny.outputs, folder / f"tiny-{name}.onnx", tiny.shapes)


def main() -> int:
    """Command line; see the module's documentation."""
    arguments = command_line(__doc__, MODELS)
    for name in arguments.models:
        export(name, arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
