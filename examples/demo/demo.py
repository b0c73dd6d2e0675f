"""Trained models, compiled by onnx-mlir-bridge, at work on your files. Run it with `make demo`.

make demo                    # this repository's files, and a picture that the demo draws
FILE=photo.png make demo     # reads the text in your picture
FILE=anything make demo      # says what kind of file it is
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median

import onnx_mlir_bridge as omb
from file_types import FileTypes, Guess
from models import CheckedModel
from PIL import Image, UnidentifiedImageError
from reading import Line, Reader, draw_picture
from rich.console import Console
from rich.panel import Panel
from rich.style import Style
from rich.table import Table
from rich.text import Text

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLES = (
    "Makefile",
    "README.md",
    "pyproject.toml",
    "CMakeLists.txt",
    ".ci/run",
    "examples/demo/demo.py",
    "dialect/ir/OnnxDialect.cpp",
)
CARD = ["onnx-mlir-bridge", "ONNX to MLIR to IREE", "read by a network compiled just now"]
PREVIEW_WIDTH = 72


def devices(console: Console) -> None:
    """Print what this machine can run on."""
    table = Table(title="Devices of this machine", title_justify="left")
    table.add_column("device")
    table.add_column("is")
    for device in omb.devices():
        table.add_row(device.name, str(device))
    console.print(table)


def preview(picture: Image.Image) -> Text:
    """The picture in character cells, two pixels each: the upper as ▀, the lower behind it."""
    width = min(PREVIEW_WIDTH, picture.width)
    height = max(2, round(picture.height * width / picture.width / 2) * 2)
    small = picture.convert("RGB").resize((width, height))
    text = Text()
    for y in range(0, height, 2):
        if y:
            text.append("\n")
        for x in range(width):
            upper, lower = (f"#{bytes(small.getpixel((x, y + i))).hex()}" for i in (0, 1))
            text.append("▀", Style(color=upper, bgcolor=lower))
    return text


def kinds_table(guesses: list[Guess]) -> Table:
    """The guesses, a row for each file."""
    table = Table(title="magika: what kind of file is it?", title_justify="left")
    table.add_column("file")
    table.add_column("kind", style="bold green")
    table.add_column("sure", justify="right")
    table.add_column("or else", style="dim")
    for guess in guesses:
        (kind, probability), *others = guess.kinds
        rest = ", ".join(f"{label} {100 * p:.1f} %" for label, p in others)
        table.add_row(guess.path.name, kind, f"{100 * probability:.1f} %", rest)
    return table


def lines_table(lines: list[Line]) -> Table:
    """The lines of text that were read, and where."""
    table = Table(title="PP-OCRv4: what does the picture say?", title_justify="left")
    table.add_column("line", style="bold green")
    table.add_column("sure", justify="right")
    table.add_column("at (left, top, right, bottom)", style="dim")
    for line in lines:
        table.add_row(Text(line.text), f"{100 * line.confidence:.1f} %", str(line.box))
    return table


def summary(models: list[CheckedModel]) -> Table:
    """What was compiled, for what, how fast it runs and whether it is right."""
    table = Table(title="What was compiled", title_justify="left")
    table.add_column("model")
    for column in ("for", "compiled in", "runs in", "ONNX Runtime", "difference"):
        table.add_column(column, justify="right")
    for model in models:
        table.add_row(
            model.name,
            model.device,
            f"{model.compile_seconds:.1f} s",
            f"{1000 * median(model.run_seconds):.1f} ms",
            f"{1000 * median(model.reference_seconds):.1f} ms",
            f"{model.worst_error:.0e}",
        )
    table.caption = "difference: ‖ours - ONNX Runtime's‖ / ‖ONNX Runtime's‖, the worst of all runs"
    return table


def open_picture(path: Path) -> Image.Image | None:
    """The file as a picture, or None if it isn't one."""
    try:
        picture = Image.open(path)
        picture.load()
    except (UnidentifiedImageError, OSError):
        return None
    return picture


def main() -> int:
    """Command line: at most one argument, the user's file."""
    console = Console()
    if len(sys.argv) > 1:
        chosen = Path(sys.argv[1])
        if not chosen.is_file():
            console.print(f"[red]{chosen} is not a file[/]: FILE=path make demo")
            return 1
        files, picture = [chosen], open_picture(chosen)
    else:
        files = [REPOSITORY / sample for sample in SAMPLES]
        picture = draw_picture(CARD)

    devices(console)
    with console.status("Compiling magika"):
        file_types = FileTypes()
    models = [file_types.model]
    console.print(kinds_table([file_types.guess(path) for path in files]))
    if picture is not None:
        with console.status("Compiling PP-OCRv4"):
            reader = Reader()
        models += [reader.detector, reader.recognizer]
        with console.status("Reading"):
            lines = reader.read(picture)
        title = str(files[0]) if len(sys.argv) > 1 else "drawn just now"
        if console.color_system:
            console.print(Panel.fit(preview(picture), title=title))
        console.print(lines_table(lines))
    console.print(summary([model for model in models if model.run_seconds]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
