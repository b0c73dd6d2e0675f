"""What kind of file is this? Google's magika: 2 KiB of its bytes in, 214 probabilities out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from models import CheckedModel, packaged_file

FOLDER = "models/standard_v3_3"


@dataclass(frozen=True)
class Guess:
    """The most probable kinds of one file, best first, with their probabilities."""

    path: Path
    kinds: list[tuple[str, float]]


class FileTypes:
    """The model and what it needs around it: the features of a file and the names of the kinds."""

    def __init__(self) -> None:
        self.model = CheckedModel("magika", packaged_file("magika", f"{FOLDER}/model.onnx"))
        config = packaged_file("magika", f"{FOLDER}/config.min.json")
        self._config = json.loads(config.read_text())

    def guess(self, path: Path, top: int = 3) -> Guess:
        """Classify one file."""
        scores = self.model.run(self._features(path)[None])[0]
        best = np.argsort(scores)[::-1][:top]
        labels = self._config["target_labels_space"]
        return Guess(path, [(labels[i], float(scores[i])) for i in best])

    def _features(self, path: Path) -> np.ndarray:
        """The file's first and last KiB without the white space around them; 256 pads."""
        block, padding = self._config["block_size"], self._config["padding_token"]
        with path.open("rb") as file:
            start = file.read(block).lstrip()[: self._config["beg_size"]]
            file.seek(max(0, path.stat().st_size - block))
            end = file.read(block).rstrip()[-self._config["end_size"] :]
        features = np.full(self._config["beg_size"] + self._config["end_size"], padding, np.int32)
        features[: len(start)] = list(start)
        features[len(features) - len(end) :] = list(end)
        return features
