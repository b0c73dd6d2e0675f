"""Upsample, and Resize before its attributes named the coordinates."""

from __future__ import annotations

import numpy as np

from onnx_mlir_bridge.importer.upgrade.registry import Rewrite, adapts


def _finish(rewrite: Rewrite, data: str, scales: str, mode: str, rounding: str) -> None:
    rewrite.finish(
        "Resize",
        [data, "", scales],
        mode=mode,
        coordinate_transformation_mode="asymmetric",
        nearest_mode=rounding,
    )


def _mode(rewrite: Rewrite) -> str:
    mode = rewrite.pop("mode", b"nearest").decode(errors="replace")
    if mode not in ("nearest", "linear", "bilinear"):
        raise rewrite.fail(f"there is no mode '{mode}'")
    return "nearest" if mode == "nearest" else "linear"


@adapts("Upsample", 1, 7, 9)
def upsample(rewrite: Rewrite) -> None:
    """Upsample-10 is deprecated: a Resize whose coordinates are divided by the scale."""
    if rewrite.since == 1:
        height, width = rewrite.pop("height_scale"), rewrite.pop("width_scale")
        scales = rewrite.constant(np.array([1, 1, height, width], dtype=np.float32))
    elif rewrite.since == 7:
        scales = rewrite.constant(np.array(rewrite.pop("scales"), dtype=np.float32))
    else:
        scales = rewrite.input(1)
    _finish(rewrite, rewrite.input(0), scales, _mode(rewrite), "floor")


@adapts("Resize", 10)
def resize_10(rewrite: Rewrite) -> None:
    """Resize-11 names the coordinates; version 10 divided them by the scale.

    Nearest rounded down where it made larger, and up where it made smaller. Nearest works on
    every axis by itself, so an op that does both is one of each kind after another.
    """
    data, scales = rewrite.node.input
    mode = _mode(rewrite)
    known = rewrite.value(scales)
    if mode == "linear" or (known is not None and np.all(known >= 1)):
        _finish(rewrite, data, scales, mode, "floor")
    elif known is not None and np.all(known <= 1):
        _finish(rewrite, data, scales, mode, "ceil")
    else:
        one = rewrite.constant(np.array([1], dtype=np.float32))
        larger = rewrite.emit(
            "Resize",
            [data, "", rewrite.emit("Max", [scales, one])],
            mode=mode,
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        _finish(rewrite, larger, rewrite.emit("Min", [scales, one]), mode, "ceil")


@adapts("Resize", 11)
def resize_11(rewrite: Rewrite) -> None:
    """Resize-13: absent inputs are absent, not empty; one coordinate mode is gone."""
    coordinates = rewrite.pop("coordinate_transformation_mode", b"half_pixel")
    if coordinates == b"tf_half_pixel_for_nn":
        # (i + 0.5) / scale, rounded down, is half_pixel's coordinate plus 0.5, rounded down.
        if rewrite.pop("nearest_mode", b"round_prefer_floor") != b"floor":
            raise rewrite.fail("tf_half_pixel_for_nn is defined for nearest_mode floor only")
        coordinates = b"half_pixel"
        rewrite.set("nearest_mode", "round_prefer_ceil")
    rewrite.set("coordinate_transformation_mode", coordinates)
    if coordinates != b"tf_crop_and_resize":
        rewrite.set_input(1, "")
    if rewrite.input(3):
        rewrite.set_input(2, "")
