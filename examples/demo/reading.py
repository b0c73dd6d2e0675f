"""What does the picture say? PP-OCRv4: one network finds the lines of text, another reads them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from models import CheckedModel, packaged_file
from PIL import Image, ImageDraw, ImageFont

PACKAGE = "rapidocr_onnxruntime"
LONGEST_SIDE = 640
READING_HEIGHT = 48
TEXT_PROBABILITY = 0.3


@dataclass(frozen=True)
class Line:
    """A line of text and where it is: (left, top, right, bottom) in pixels."""

    box: tuple[int, int, int, int]
    text: str
    confidence: float


def draw_picture(text: list[str]) -> Image.Image:
    """A card with lines of text on it, each smaller than the one before."""
    picture = Image.new("RGB", (640, 70 + 62 * len(text)), "#f4efe6")
    draw = ImageDraw.Draw(picture)
    top = 30
    for i, line in enumerate(text):
        size = max(22, 44 - 7 * i)
        draw.text(
            (40, top),
            line,
            fill=("#1f3a5f", "#7a2e2e", "#2f5d3a")[i % 3],
            font=ImageFont.load_default(size),
        )
        top += size + 26
    return picture


class Reader:
    """The two networks of PP-OCRv4, with the little code that stands between them."""

    def __init__(self) -> None:
        self.detector = CheckedModel(
            "PP-OCRv4 detection", packaged_file(PACKAGE, "models/ch_PP-OCRv4_det_infer.onnx")
        )
        self.recognizer = CheckedModel(
            "PP-OCRv4 recognition", packaged_file(PACKAGE, "models/ch_PP-OCRv4_rec_infer.onnx")
        )
        self._alphabet = _alphabet(self.recognizer)

    def read(self, picture: Image.Image) -> list[Line]:
        """The lines of text in a picture, from top to bottom."""
        picture = picture.convert("RGB")
        lines = []
        for box in self._find(picture):
            text, confidence = self._recognize(picture.crop(box))
            if text.strip():
                lines.append(Line(box, text, confidence))
        return lines

    def _find(self, picture: Image.Image) -> list[tuple[int, int, int, int]]:
        scale = min(1.0, LONGEST_SIDE / max(picture.size))
        # The network halves the picture five times.
        width, height = (max(32, round(side * scale / 32) * 32) for side in picture.size)
        probability = self.detector.run(_pixels(picture.resize((width, height))))[0, 0]
        x_scale, y_scale = picture.width / width, picture.height / height
        boxes = []
        for left, top, right, bottom in text_regions(probability > TEXT_PROBABILITY):
            # The network marks a line's core; its training shrank every box by this much.
            margin = 1.6 * (right - left) * (bottom - top) / (2 * (right - left + bottom - top))
            boxes.append(
                (
                    max(0, round((left - margin) * x_scale)),
                    max(0, round((top - margin) * y_scale)),
                    min(picture.width, round((right + margin) * x_scale)),
                    min(picture.height, round((bottom + margin) * y_scale)),
                )
            )
        return sorted(boxes, key=lambda box: (box[1], box[0]))

    def _recognize(self, line: Image.Image) -> tuple[str, float]:
        width = max(READING_HEIGHT, round(line.width * READING_HEIGHT / line.height))
        scores = self.recognizer.run(_pixels(line.resize((width, READING_HEIGHT))))[0]
        # CTC: take the best character at each step, join repetitions, drop blanks (0).
        best = scores.argmax(axis=1)
        kept = (best != 0) & (best != np.concatenate([[0], best[:-1]]))
        text = "".join(self._alphabet[i] for i in best[kept])
        return text, float(scores.max(axis=1)[kept].mean()) if kept.any() else 0.0


def _alphabet(recognizer: CheckedModel) -> list[str]:
    """Index -> character; the model carries its alphabet as metadata, one character a line."""
    metadata = {p.key: p.value for p in onnx.load(recognizer.path).metadata_props}
    return ["", *metadata["character"].splitlines(), " "]


def _pixels(picture: Image.Image) -> np.ndarray:
    """[1, 3, height, width], blue first, from -1 to 1."""
    values = np.asarray(picture, np.float32)[:, :, ::-1] / 127.5 - 1.0
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def text_regions(mask: np.ndarray, smallest: int = 12) -> list[tuple[int, int, int, int]]:
    """Boxes (left, top, right, bottom; exclusive) around the connected areas of a 2-D mask.

    Areas under ``smallest`` pixels are left out. Works on runs of set pixels, row by row: runs that
    touch runs of the row above belong to the same area.
    """
    parents: list[int] = []
    boxes: list[list[int]] = []
    areas: list[int] = []

    def root(i: int) -> int:
        while parents[i] != i:
            i = parents[i]
        return i

    above: list[tuple[int, int, int]] = []
    for y, row in enumerate(mask):
        edges = np.flatnonzero(np.diff(row.astype(np.int8), prepend=0, append=0))
        runs = []
        for left, right in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            area = len(parents)
            parents.append(area)
            boxes.append([left, y, right, y + 1])
            areas.append(right - left)
            for other_left, other_right, other in above:
                if other_left < right and left < other_right and root(other) != area:
                    joined = root(other)
                    parents[joined] = area
                    areas[area] += areas[joined]
                    boxes[area] = [
                        *map(min, boxes[area][:2], boxes[joined][:2]),
                        *map(max, boxes[area][2:], boxes[joined][2:]),
                    ]
            runs.append((left, right, area))
        above = runs
    return [
        (left, top, right, bottom)
        for i, (left, top, right, bottom) in enumerate(boxes)
        if parents[i] == i and areas[i] >= smallest
    ]
