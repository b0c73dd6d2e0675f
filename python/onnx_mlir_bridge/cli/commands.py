"""The command line of `omb`: its commands, their options and their help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

# Copies of what compiler/ and runtime/ have, which would take time to import; a test compares them.
TARGETS = ("cpu", "vulkan", "cuda")
STAGES = ("onnx", "linalg", "vector", "iree", "vmfb")
FALLBACKS = ("host", "error")
PRECISIONS = ("f32", "bf16", "f16")
SPARSE = ("off", "auto", "on")
PRUNE_SCOPES = ("layer", "global")
QUANTIZE_METHODS = ("static", "dynamic", "weight-only")
CALIBRATIONS = ("min-max", "percentile", "entropy", "mse")
ACTIVATIONS = ("u8", "i8")

_MODEL = click.argument("model", type=click.Path(path_type=Path))
_ONNX_OUTPUT = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="OUT",
    required=True,
    help="The ONNX file to write.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
_THREADS = click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Run on N threads of the CPU; all by default.",
)
_OPT_LEVEL = click.option(
    "--opt-level",
    type=click.IntRange(0, 3),
    metavar="0..3",
    default=1,
    show_default=True,
    help="IREE's optimization level.",
)
_PRECISION = click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="f32",
    show_default=True,
    help="How products of f32 store their weights; with bf16 they may be of bf16, too.",
)
_WINOGRAD = click.option(
    "--winograd/--no-winograd",
    default=True,
    show_default=True,
    help="Whether 3x3 convolutions on a CPU may save multiplications, and round more.",
)
_SPARSE = click.option(
    "--sparse",
    type=click.Choice(SPARSE),
    default="auto",
    show_default=True,
    help="Which weights are used without their zeros: none, those where that is faster, or all.",
)
_FALLBACK = click.option(
    "--fallback",
    type=click.Choice(FALLBACKS),
    default="host",
    show_default=True,
    help="What becomes of nodes that no device can run: they run on the host, or are an error.",
)
_CACHE_DIR = click.option(
    "--cache-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep the compiled model in DIR, and take it from there the next time.",
)

_CPU = click.option(
    "--cpu",
    metavar="NAME",
    default="host",
    show_default=True,
    help="The CPU to compile for: host, generic, x86-64-v3, or LLVM's name of one.",
)
_VULKAN = click.option(
    "--vulkan",
    metavar="NAME",
    default="generic",
    show_default=True,
    help="The Vulkan GPU to compile for: generic, or IREE's name of an architecture.",
)
_CUDA = click.option(
    "--cuda",
    metavar="ARCH",
    default="sm_80",
    show_default=True,
    help="The CUDA GPU to compile for: sm_80, sm_86 or sm_89.",
)


def _exclusions(stays: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The options that name nodes and operators which stay as they are."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        operators = click.option(
            "--exclude-op",
            "exclude_ops",
            multiple=True,
            metavar="TYPE",
            help=f"An operator that stays {stays}. May be given several times.",
        )
        nodes = click.option(
            "--exclude",
            multiple=True,
            metavar="NAME",
            help=f"A node that stays {stays}, by its name or that of its first output; * stands "
            "for any characters. May be given several times.",
        )
        return nodes(operators(command))

    return decorate


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        import onnx_mlir_bridge

        click.echo(f"omb {onnx_mlir_bridge.__version__}")
        context.exit()


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 done, 1 model or input can't be used, 2 wrong command line.",
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_version,
    help="Print the version and exit.",
)
def omb() -> None:
    """ONNX models through MLIR and IREE to CPU, Vulkan and CUDA."""


def _named(example: str) -> Callable[..., tuple[str, ...]]:
    """A callback that refuses what isn't name=value; `example`: of values."""

    def check(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
        for text in given:
            if "=" not in text:
                raise click.BadParameter(f"'{text}' is not of the form name=file.npy or {example}")
        return given

    return check


def _shapes(
    _: click.Context, __: click.Parameter, given: tuple[str, ...]
) -> dict[str, tuple[int, ...]]:
    """A callback that takes name=1x3x224 apart."""
    found = {}
    for text in given:
        name, _equals, shape = text.rpartition("=")
        sizes = shape.split("x")
        if not name or not all(size.isascii() and size.isdigit() for size in sizes):
            raise click.BadParameter(f"'{text}' is not of the form name=1x3x224x224")
        found[name] = tuple(map(int, sizes))
    return found


_INPUTS = click.option(
    "-i",
    "--input",
    "inputs",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_named("name=1x3x224"),
    help="The value of an input: a .npy file, or a shape such as 1x3x224x224 to be filled with "
    "random numbers; of strings, a text or a JSON list. May be given for each input.",
)
_DEVICE = click.option(
    "--device",
    metavar="NAME",
    default="auto",
    show_default=True,
    help="Where to run: a device as `omb devices` lists them.",
)


def _refuse_for_saved(context: click.Context, model: Path, names: Sequence[str]) -> None:
    """A usage error for options of a compilation, where the model is compiled."""
    from onnx_mlir_bridge.cli import running

    for name in names:
        is_given = context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
        if is_given and running.is_saved(model):
            option = name.replace("_", "-")
            raise click.UsageError(
                f"--{option} is for ONNX models; '{model}' is compiled: give it to omb compile"
            )


@omb.command(short_help="Run a model once and print its outputs.")
@_MODEL
@_INPUTS
@_DEVICE
@click.option(
    "--top",
    type=click.IntRange(0),
    metavar="K",
    default=0,
    help="Print the K largest entries of each output, with their indices.",
)
@click.option(
    "--output-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write each output to a .npy file in DIR.",
)
@_THREADS
@_OPT_LEVEL
@_PRECISION
@_WINOGRAD
@_SPARSE
@_FALLBACK
@_CACHE_DIR
@click.pass_context
def run(
    context: click.Context,
    inputs: tuple[str, ...],
    model: Path,
    **options: Any,  # noqa: ANN401
) -> None:
    """Run MODEL, an ONNX model or one saved by `omb compile`, and print its outputs.

    Inputs that aren't given are random, the same ones each time: floats from 0 to 1, integers 0 or
    1. A dimension without a size is 1, or what another input says it is. A file for integers of 2
    or 4 bits may have 8-bit ones.
    """
    from onnx_mlir_bridge.cli import running

    _refuse_for_saved(
        context, model, ("opt_level", "precision", "winograd", "sparse", "fallback", "cache_dir")
    )
    running.run(model, inputs, **options)


@omb.command(short_help="Print where the time of a run goes.")
@_MODEL
@_INPUTS
@_DEVICE
@_THREADS
@click.option(
    "--runs",
    type=click.IntRange(1, 100_000),
    metavar="N",
    default=20,
    show_default=True,
    help="How many runs to measure, after some to warm up; times are medians.",
)
@click.option(
    "--by",
    type=click.Choice(("dispatch", "node")),
    default="dispatch",
    show_default=True,
    help="A row for each dispatch, or for all dispatches of the same nodes.",
)
@click.option(
    "--trace",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a run to FILE as a trace, for chrome://tracing or ui.perfetto.dev.",
)
@click.option(
    "--top",
    type=click.IntRange(0),
    metavar="K",
    default=20,
    show_default=True,
    help="Print the K rows that take longest; 0 for all.",
)
@_JSON
@_OPT_LEVEL
@_PRECISION
@_WINOGRAD
@_SPARSE
@_FALLBACK
@_CPU
@_VULKAN
@_CUDA
@click.pass_context
def profile(
    context: click.Context,
    inputs: tuple[str, ...],
    model: Path,
    **options: Any,  # noqa: ANN401
) -> None:
    """Run MODEL several times, and print where the time goes.

    MODEL is an ONNX model or one saved by `omb compile`, which has no names of nodes. A dispatch is
    a call of a compiled kernel: of a node, of several that were fused, or of a part of one. Inputs
    are made as `omb run` makes them.
    """
    from onnx_mlir_bridge.cli import profiling

    _refuse_for_saved(
        context,
        model,
        ("opt_level", "precision", "winograd", "sparse", "fallback", "cpu", "vulkan", "cuda"),
    )
    profiling.profile(model, inputs, **options)


@omb.command(short_help="Compile a model, or print a stage of it.")
@_MODEL
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    help="The file to write; - for standard output, which is where text goes by default.",
)
@click.option(
    "--target",
    type=click.Choice(TARGETS),
    default="cpu",
    show_default=True,
    help="The kind of device to compile for.",
)
@click.option(
    "--emit",
    "stage",
    type=click.Choice(STAGES),
    help="Write this stage of the compilation, not a saved model; in MLIR's text the values of "
    "large constants are left out.",
)
@click.option(
    "--constant",
    "constants",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_named("name=[0,2]"),
    help="Make a constant of an input: a .npy file, or a number or list of JSON's. May be given "
    "for each input.",
)
@_CPU
@_VULKAN
@_CUDA
@_THREADS
@_OPT_LEVEL
@_PRECISION
@_WINOGRAD
@_SPARSE
@_FALLBACK
def compile(
    model: Path,
    output: str | None,
    target: str,
    stage: str | None,
    constants: tuple[str, ...],
    **options: Any,  # noqa: ANN401
) -> None:
    """Compile MODEL and save it as OUT, for `omb run OUT` and omb.load().

    The file holds code and weights; running it needs neither the compiler nor the ONNX model.
    """
    is_text = stage is not None and stage != "vmfb"
    if output is None:
        if not is_text:
            raise click.UsageError("say where to write the compiled model: -o FILE")
        output = "-"
    if output == "-" and stage is None:
        raise click.UsageError("a saved model can't go to standard output; say -o FILE")
    if output == "-" and not is_text and click.get_text_stream("stdout").isatty():
        raise click.UsageError("bytecode is not for terminals; say -o FILE, or pipe it")
    if stage == "vector" and target != "cpu":
        raise click.UsageError(f"--emit=vector is for --target=cpu, not {target}")
    from onnx_mlir_bridge.cli import compiling, values

    options["constants"] = values.constants(constants)
    if stage is None:
        compiling.save(model, output, target, options)
    else:
        compiling.emit_stage(model, output, stage, target, options)


@omb.command(short_help="Make integers of a model's numbers.")
@_MODEL
@_ONNX_OUTPUT
@click.option(
    "--method",
    type=click.Choice(QUANTIZE_METHODS),
    default="static",
    show_default=True,
    help="What becomes integers. static: values, with ranges found in calibration data, and "
    "weights. dynamic: those of MatMul and Gemm, with ranges found in each run. weight-only: the "
    "weights of MatMul, Gemm and Gather, as they are stored.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Calibration data: a .npz file with an array for each input, or a folder of such files. "
    "Along the first dimension of an array that has one more than the input are runs.",
)
@click.option(
    "--random",
    type=click.IntRange(1),
    metavar="N",
    help="N runs of random numbers instead of data: good for measuring speed only.",
)
@click.option(
    "--shape",
    "shapes",
    multiple=True,
    metavar="NAME=SHAPE",
    callback=_shapes,
    help="The shape of an input for --random, such as x=1x3x224x224; sizes that the model leaves "
    "open are 1. May be given for each input.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    metavar="N",
    help="Cut arrays of the input's rank, where the first size is any, into runs of N.",
)
@click.option(
    "--calibration",
    type=click.Choice(CALIBRATIONS),
    default="min-max",
    show_default=True,
    help="How the range of a value is found in the data.",
)
@click.option(
    "--percentile",
    type=click.FloatRange(50, 100),
    metavar="P",
    default=99.99,
    show_default=True,
    help="For --calibration=percentile: how many percent are in the range.",
)
@click.option(
    "--activations",
    type=click.Choice(ACTIVATIONS),
    default="u8",
    show_default=True,
    help="The type of values: unsigned or signed bytes.",
)
@click.option(
    "--per-channel/--per-tensor",
    default=True,
    show_default=True,
    help="A scale for each output channel of a weight, or one for all.",
)
@click.option(
    "--bits",
    type=click.Choice(("4", "8")),
    default="4",
    show_default=True,
    help="For weight-only: the size of an integer.",
)
@click.option(
    "--block-size",
    type=click.IntRange(0),
    metavar="N",
    default=32,
    show_default=True,
    help="For weight-only: how many weights share a scale; 0: all of an output channel.",
)
@click.option(
    "--symmetric/--asymmetric",
    default=True,
    show_default=True,
    help="For weight-only: no zero points, or one for each block.",
)
@click.option(
    "--signed/--unsigned",
    default=True,
    show_default=True,
    help="For weight-only: int4 and int8, or uint4 and uint8.",
)
@_exclusions("float")
@click.option(
    "--quantize-outputs",
    is_flag=True,
    help="Round the model's outputs to integers too.",
)
@click.option("--equalize", is_flag=True, help="Even out the channels of consecutive layers first.")
@click.option(
    "--bias-correction", is_flag=True, help="Take the mean errors of layers off their biases."
)
@click.option(
    "--evaluate/--no-evaluate",
    default=True,
    show_default=True,
    help="Compare the outputs with the float model's, on the calibration data.",
)
@click.option(
    "--sensitivity",
    is_flag=True,
    help="Compare them where one layer alone is quantized, for each.",
)
@click.option(
    "--top",
    type=click.IntRange(0),
    metavar="K",
    default=20,
    show_default=True,
    help="Print the K most sensitive layers; 0 for all.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write what is printed to FILE as JSON, of all layers.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw the sensitivities to FILE (.png, .svg, .pdf); needs matplotlib.",
)
@_THREADS
@click.pass_context
def quantize(
    context: click.Context,
    model: Path,
    output: Path,
    top: int,
    report: Path | None,
    plot: Path | None,
    **options: Any,  # noqa: ANN401
) -> None:
    """Quantize MODEL, an ONNX model of float32, and save it as OUT, in operators of the standard.

    The model is compiled and run here on the calibration data.
    """
    default = click.core.ParameterSource.DEFAULT
    given = {
        name: value
        for name, value in options.items()
        if context.get_parameter_source(name) is not default
    }
    if "bits" in given:
        given["bits"] = int(given["bits"])
    from onnx_mlir_bridge.cli import quantizing

    quantizing.quantize(model, output, top, report, plot, given)


@omb.command(short_help="Make zeros of a model's smallest weights.")
@_MODEL
@_ONNX_OUTPUT
@click.option(
    "--sparsity",
    type=float,
    metavar="S",
    help="The share of weights that become zero, such as 0.9.",
)
@click.option(
    "--pattern",
    metavar="PATTERN",
    help="Which become zero together: blocks of 1x16 or RxC inputs and output channels; or all but "
    "2 of 4 (2:4), or n of m, inputs of each channel, which needs no --sparsity.",
)
@click.option(
    "--scope",
    type=click.Choice(PRUNE_SCOPES),
    default="layer",
    show_default=True,
    help="Whether each layer has this sparsity, or all of them together.",
)
@_exclusions("as it is")
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write what is printed to FILE as JSON.",
)
def prune(
    model: Path,
    output: Path,
    report: Path | None,
    **options: Any,  # noqa: ANN401
) -> None:
    """Make zeros of the smallest weights of MODEL, an ONNX model of float32, and save it as OUT.

    Weights become sparse initializers where that is smaller. How well the model still does its work
    is for you to measure.
    """
    from onnx_mlir_bridge.cli import pruning

    pruning.prune(model, output, report, options)


@omb.command("import", short_help="Print a model in the onnx dialect.")
@_MODEL
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    default="-",
    help="The file to write; standard output by default.",
)
@click.option(
    "--weights/--no-weights",
    default=None,
    help="Write the values of large constants, or leave them out; by default a file gets them.",
)
def import_(model: Path, output: str, weights: bool | None) -> None:
    """Print MODEL in the onnx dialect of MLIR, as omb-opt reads it."""
    from onnx_mlir_bridge.cli import compiling

    compiling.import_onnx(model, output, output != "-" if weights is None else weights)


@omb.command(short_help="Print what is in a model.")
@_MODEL
@_JSON
def inspect(model: Path, as_json: bool) -> None:
    """Print what is in MODEL, which of its operators are compiled and which run on the host.

    MODEL is an ONNX model or one saved by `omb compile`.
    """
    from onnx_mlir_bridge.cli import inspecting

    inspecting.inspect(model, as_json)


@omb.command(short_help="Print the devices of this machine.")
@_JSON
def devices(as_json: bool) -> None:
    """Print the devices of this machine, the one that is used by default first."""
    from onnx_mlir_bridge.cli import inspecting

    inspecting.devices(as_json)
