"""Operators that onnx's reference evaluator lacks, or has wrong.

They do what ONNX Runtime does where the standard leaves things open; that includes results of one
row, [1, n], of operators on one map. Imports onnx: for hosts that need it only.
"""

from __future__ import annotations

import locale as process_locale
from collections.abc import Iterable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
from onnx import TensorProto, helper
from onnx.reference.op_run import OpRun
from onnx.reference.ops import (
    op_cast,
    op_image_decoder,
    op_loop,
    op_pad,
    op_string_normalizer,
    op_string_split,
)
from onnx.reference.ops.aionnxml import op_linear_classifier, op_linear_regressor

from onnx_mlir_bridge.errors import describe_node
from onnx_mlir_bridge.runtime import ngrams

_CASTS = {"TO_FLOAT": np.float32, "TO_INT64": np.int64, "TO_STRING": object}


def _texts(values: list) -> list[str]:
    return [f"{v:f}" if isinstance(v, (float, np.floating)) else str(v) for v in values]


class Cast(op_cast.Cast_25):
    """A cast; onnx's own lacks strings from and to types of ml_dtypes, and "1.5" as an integer,
    and takes every text but the empty one for true."""

    op_domain = ""

    def _run(self, x: np.ndarray, to: int, saturate: int, round_mode: str) -> tuple[np.ndarray]:
        if to == TensorProto.STRING:
            # numpy can't write ml_dtypes' numbers.
            return (op_cast.cast_to(x if x.dtype.isbuiltin == 1 else _wide(x), to, True),)
        if x.dtype.kind in "OUT" and to == TensorProto.BOOL:
            return (np.array([_truth(text) for text in x.flat], bool).reshape(x.shape),)
        if x.dtype.kind in "OUT":
            x = _numbers(x, helper.tensor_dtype_to_np_dtype(to))
        return (op_cast.cast_to(x, to, saturate, round_mode),)


def _wide(x: np.ndarray) -> np.ndarray:
    """Numbers of ml_dtypes in a type of numpy's that has them all."""
    return x.astype(np.int64 if "int" in x.dtype.name else np.float32)


def _numbers(texts: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The numbers that are written in texts; ValueError for others, and what `dtype` hasn't."""
    if "int" not in dtype.name:
        return np.array([_number(text) for text in texts.flat], np.float64).reshape(texts.shape)
    info = ml_dtypes.iinfo(dtype)
    numbers = []
    for text in texts.flat:
        number = _whole(text)
        if not info.min <= number <= info.max:
            raise ValueError(f"the text {text!r} is no number from {info.min} to {info.max}")
        numbers.append(number)
    wide = np.uint64 if dtype == np.uint64 else np.int64
    return np.array(numbers, wide).reshape(texts.shape)


def _truth(text: str) -> bool:
    """Whether a text is another number than 0; also of what a cast writes for a boolean."""
    if text in ("True", "False"):
        return text == "True"
    return _number(text) != 0


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        number = _number(text)
        if not np.isfinite(number):
            raise ValueError(f"the text {text!r} is no integer") from None
        return int(number)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"the text {text!r} is no number") from None


class CastMap(OpRun):
    """The values of a map in the order of its keys, or each at the place that its key says."""

    op_domain = "ai.onnx.ml"

    def _run(self, x: dict, cast_to: str, map_form: str, max_map: int) -> tuple[np.ndarray]:
        if map_form == "SPARSE":
            outside = [key for key in x if not 0 <= key < max_map]
            if outside:
                raise ValueError(f"the key {outside[0]} isn't between 0 and max_map, {max_map}")
            zero = 0.0 if any(isinstance(v, (float, np.floating)) for v in x.values()) else 0
            values = [x.get(key, zero) for key in range(max_map)]
        else:
            values = [x[key] for key in sorted(x)]
        if cast_to == "TO_STRING":
            values = _texts(values)
        elif cast_to == "TO_INT64":
            values = [int(float(value)) if isinstance(value, str) else value for value in values]
        return (np.array(values).astype(_CASTS[cast_to]).reshape(1, -1),)


class CategoryMapper(OpRun):
    """Integers for strings, or strings for integers."""

    op_domain = "ai.onnx.ml"

    def _run(
        self,
        x: np.ndarray,
        cats_int64s: list[int],
        cats_strings: list[str],
        default_int64: int,
        default_string: str,
    ) -> tuple[np.ndarray]:
        if x.dtype.kind == "i":
            names = dict(zip(cats_int64s, cats_strings, strict=True))
            found = [names.get(number, default_string) for number in x.flat]
            return (_objects(found).reshape(x.shape),)
        numbers = dict(zip(cats_strings, cats_int64s, strict=True))
        found = [numbers.get(name, default_int64) for name in x.flat]
        return (np.array(found, np.int64).reshape(x.shape),)


class DictVectorizer(OpRun):
    """The values of a map, each at the place of its key in the vocabulary.

    onnx's own gives a vector, whose dtype depends on the map.
    """

    op_domain = "ai.onnx.ml"

    def _run(
        self,
        x: dict,
        int64_vocabulary: list[int] | None = None,
        string_vocabulary: list[str] | None = None,
    ) -> tuple[np.ndarray]:
        keys = string_vocabulary or int64_vocabulary or []
        if any(isinstance(value, str) for value in x.values()):
            return (_objects([x.get(key, "") for key in keys]).reshape(1, -1),)
        return (np.array([x.get(key, 0) for key in keys]).reshape(1, -1),)


class ImageDecoder(op_image_decoder.ImageDecoder):
    """A picture's pixels; Pillow's own message is about a Python object."""

    op_domain = ""

    def _run(self, encoded: np.ndarray, pixel_format: str) -> tuple[np.ndarray]:
        try:
            return super()._run(encoded, pixel_format=pixel_format)
        except (OSError, SyntaxError):
            raise ValueError("its input isn't a picture that Pillow can decode") from None


class LabelEncoder(OpRun):
    """Each element replaced by the value that belongs to it, or by the default.

    onnx's own needs a default_tensor where there are tensors, doesn't find NaN, and takes the last
    of equal keys.
    """

    op_domain = "ai.onnx.ml"

    def _run(self, x: np.ndarray, **attributes: Any) -> tuple[np.ndarray]:  # noqa: ANN401
        keys, values = (_listed(attributes, prefix) for prefix in ("keys", "values"))
        if keys is None or values is None or keys.size != values.size:
            raise ValueError("it has keys without values, or values without keys")
        default = attributes.get("default_tensor")
        if default is None:
            kind = {"f": "float", "i": "int64"}.get(values.dtype.kind, "string")
            default = attributes[f"default_{kind}"]
        other = np.asarray(default).reshape(-1)[0]
        table = dict(zip(map(_key, keys.tolist()[::-1]), values.tolist()[::-1], strict=True))
        found = [table.get(_key(element), other) for element in x.reshape(-1).tolist()]
        result = _objects(found) if values.dtype == object else np.array(found, values.dtype)
        return (result.reshape(x.shape),)


_NAN = object()


def _key(element: object) -> object:
    return _NAN if element != element else element


def _listed(attributes: dict[str, Any], prefix: str) -> np.ndarray | None:
    """The keys or values of a LabelEncoder, whichever attribute has them."""
    given = attributes.get(f"{prefix}_tensor")
    if given is not None:
        array = np.asarray(given).reshape(-1)
        return array.astype(object) if array.dtype.kind in "OSU" else array
    dtypes = {"floats": np.float32, "int64s": np.int64, "strings": object}
    for kind, dtype in dtypes.items():
        if attributes.get(f"{prefix}_{kind}"):
            return np.array(attributes[f"{prefix}_{kind}"], dtype)
    return None


class LinearClassifier(op_linear_classifier.LinearClassifier):
    """A linear classifier; onnx's own gives NaNs where there are no intercepts."""

    op_domain = "ai.onnx.ml"

    def _run(
        self, x: np.ndarray, intercepts: list[float] | None = None, **attributes: object
    ) -> tuple[np.ndarray, ...]:
        return super()._run(x, intercepts=intercepts or [0.0], **attributes)


class LinearRegressor(op_linear_regressor.LinearRegressor):
    """A linear regression; onnx's own gives NaNs where there are no intercepts."""

    op_domain = "ai.onnx.ml"

    def _run(
        self, x: np.ndarray, intercepts: list[float] | None = None, **attributes: object
    ) -> tuple[np.ndarray, ...]:
        return super()._run(x, intercepts=intercepts or [0.0], **attributes)


class Loop(op_loop.Loop):
    """A loop.

    onnx's own joins what the iterations give rather than stacking it, runs none where there is no
    condition, and fails where there is no iteration.
    """

    op_domain = ""

    def _run(
        self,
        trip_count: np.ndarray | None,
        condition: np.ndarray | None = None,
        *carried: Any,  # noqa: ANN401 - tensors, sequences, optionals
        context: dict[str, Any] | None = None,
        body: object = None,  # held by the base class
        attributes: dict[str, Any] | None = None,
        bindings: object = None,
    ) -> tuple:
        names = self.body.input_names
        values = {**(context or {}), **dict(zip(names[2:], carried, strict=True))}
        goes_on = True if condition is None else bool(condition)
        scanned: list[list[np.ndarray]] = [[] for _ in range(self.K)]
        number = 0
        while goes_on and (trip_count is None or number < trip_count):
            values |= dict(zip(names, (np.array(number), np.array(goes_on)), strict=False))
            outputs = self._run_body(values, attributes=attributes, bindings=bindings)
            goes_on = bool(outputs[0])
            carried = outputs[1 : 1 + self.N]
            values |= dict(zip(names[2:], carried, strict=True))
            for each, value in zip(scanned, outputs[1 + self.N :], strict=True):
                each.append(value)
            number += 1
        return (*carried, *self._stacked(scanned))

    def _stacked(self, scanned: Iterable[list[np.ndarray]]) -> list[np.ndarray]:
        types = self.body.output_types[1 + self.N :]
        stacked = []
        for values, value_type in zip(scanned, types, strict=True):
            tensor = value_type.tensor_type
            empty = np.empty(
                (0, *(dim.dim_value for dim in tensor.shape.dim)),
                helper.tensor_dtype_to_np_dtype(tensor.elem_type),
            )
            stacked.append(np.stack(values) if values else empty)
        return stacked


class OneHot(OpRun):
    """One of two values, by whether an index is that of the place; onnx's own lacks strings."""

    op_domain = ""

    def _run(
        self, indices: np.ndarray, depth: np.ndarray, values: np.ndarray, axis: int
    ) -> tuple[np.ndarray]:
        count = int(np.asarray(depth).reshape(()))
        indices = np.asarray(indices).astype(np.int64)
        axis += indices.ndim + 1 if axis < 0 else 0
        places = np.arange(count).reshape(-1, *[1] * (indices.ndim - axis))
        found = np.expand_dims(np.where(indices < 0, indices + count, indices), axis) == places
        off, on = values
        return (np.where(found, on, off).astype(values.dtype),)


class OneHotEncoder(OpRun):
    """A last dimension with a 1 at the place of the element's category."""

    op_domain = "ai.onnx.ml"

    def _run(
        self,
        x: np.ndarray,
        cats_int64s: list[int] | None = None,
        cats_strings: list[str] | None = None,
        zeros: int = 1,
    ) -> tuple[np.ndarray]:
        categories = cats_strings or cats_int64s or []
        whole = x.astype(np.int64) if x.dtype.kind == "f" else x
        result = np.zeros((*x.shape, len(categories)), np.float32)
        for place, category in enumerate(categories):
            result[..., place] = whole == category
        if not zeros and not result.any(-1).all():
            unknown = x[~result.any(-1)][0]
            raise ValueError(f"{unknown!r} is none of its categories")
        return (result,)


class Pad(op_pad.Pad_18):
    """Padding; onnx's own pads strings with the number 0."""

    op_domain = ""

    def _run(
        self,
        data: np.ndarray,
        pads: np.ndarray,
        constant_value: np.ndarray | None = None,
        axes: np.ndarray | None = None,
        mode: str = "constant",
    ) -> tuple[np.ndarray]:
        if data.dtype.kind in "OUT":
            # As objects, so that numpy cuts none.
            data = data.astype(object)
            text = "" if constant_value is None else np.asarray(constant_value).item()
            constant_value = np.array(text, object)
        return super()._run(data, pads, constant_value, axes, mode=mode)


class StringNormalizer(op_string_normalizer.StringNormalizer):
    """Texts in lower or upper case, without stop words; onnx's own sets the locale of the process,
    of which Python's change of case makes no use."""

    op_domain = ""

    def _run(
        self,
        x: np.ndarray,
        locale: str | None = None,
        **attributes: object,
    ) -> tuple[np.ndarray]:
        return super()._run(x, locale=process_locale.getlocale(), **attributes)


class StringSplit(op_string_split.StringSplit):
    """Texts split into their pieces; onnx's own lacks a text without dimensions."""

    op_domain = ""

    def _run(
        self, x: np.ndarray, delimiter: str | None = None, maxsplit: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        pieces, numbers = super()._run(np.atleast_1d(x), delimiter=delimiter, maxsplit=maxsplit)
        return (pieces, numbers) if x.ndim else (pieces[0], numbers[0])


class TfIdfVectorizer(OpRun):
    """How often each n-gram of a pool occurs in a row; onnx's own is quadratic in the indices, and
    lacks absent weights and batches of nothing."""

    op_domain = ""

    def __init__(self, onnx_node: object, run_params: dict, *more: object) -> None:
        super().__init__(onnx_node, run_params, *more)
        self._indices = np.array(self.ngram_indexes)
        try:
            self._width = ngrams.width(self.ngram_indexes)
            self._pools = ngrams.pools(
                self.pool_strings or self.pool_int64s or [],
                self.ngram_counts,
                (self.min_gram_length, self.max_gram_length),
                self.max_skip_count,
                self._indices.size,
            )
        except ValueError as error:
            raise ValueError(f"the node '{describe_node(onnx_node)}' {error}") from None

    def _run(
        self, x: np.ndarray, mode: str, weights: list[float] | None = None, **_: object
    ) -> tuple[np.ndarray]:
        rows = np.atleast_2d(x)
        counts = np.zeros((rows.shape[0], self._width), np.float32)
        for count, row in zip(counts, rows.tolist(), strict=True):
            places = [grams[gram] for grams in self._pools for gram in self._grams(row, grams)]
            np.add.at(count, self._indices[places], 1)
        if mode == "IDF":
            counts = (counts > 0).astype(np.float32)
        if mode != "TF" and weights:
            counts *= np.array(weights[: self._width], np.float32)
        return (counts.reshape(*x.shape[:-1], self._width),)

    def _grams(self, row: list, grams: ngrams.Grams) -> Iterator[tuple]:
        """The n-grams of the pool in a row, with each number of items skipped between theirs."""
        size = len(next(iter(grams)))
        # Without a gap to skip in, all distances are one.
        most = 1 if size == 1 else min(self.max_skip_count + 1, len(row))
        for distance in range(1, most + 1):
            for begin in range(len(row) - distance * (size - 1)):
                gram = tuple(row[begin : begin + distance * (size - 1) + 1 : distance])
                if gram in grams:
                    yield gram


class ZipMap(OpRun):
    """A map from the class labels to the scores, for each row."""

    op_domain = "ai.onnx.ml"

    def _run(
        self,
        x: np.ndarray,
        classlabels_int64s: list[int] | None = None,
        classlabels_strings: list[str] | None = None,
    ) -> tuple[list[dict]]:
        labels = classlabels_strings or classlabels_int64s or []
        rows = x.reshape(1, -1) if x.ndim == 1 else x
        if rows.shape[-1] != len(labels):
            raise ValueError(f"it has {len(labels)} class labels for {rows.shape[-1]} scores")
        return ([dict(zip(labels, row.tolist(), strict=True)) for row in rows],)


def _objects(values: list) -> np.ndarray:
    array = np.empty(len(values), object)
    array[:] = values
    return array


OPERATORS = [
    Cast,
    CastMap,
    CategoryMapper,
    DictVectorizer,
    ImageDecoder,
    LabelEncoder,
    LinearClassifier,
    LinearRegressor,
    Loop,
    OneHot,
    OneHotEncoder,
    Pad,
    StringNormalizer,
    StringSplit,
    TfIdfVectorizer,
    ZipMap,
]
"""The `new_ops` of a ReferenceEvaluator."""
