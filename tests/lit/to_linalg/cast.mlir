// RUN: omb-opt %s --omb-to-linalg | FileCheck %s

// To bf16 by the bits of an f32: IREE drops a truncation that an extension follows.
// CHECK-LABEL: func.func @to_bfloat
// CHECK:         linalg.generic
// CHECK:           %[[WIDE:.*]] = arith.extf %{{.*}} : f16 to f32
// CHECK:           %[[BITS:.*]] = arith.bitcast %[[WIDE]] : f32 to i32
// CHECK:           %[[HIGH:.*]] = arith.andi %{{.*}}, %c-65536_i32
// CHECK:           %[[ROUNDED:.*]] = arith.bitcast %[[HIGH]] : i32 to f32
// CHECK:           %[[NUMBER:.*]] = arith.select %{{.*}}, %[[WIDE]], %[[ROUNDED]]
// CHECK:           arith.truncf %[[NUMBER]] : f32 to bf16
func.func @to_bfloat(%x: tensor<?xf16>) -> tensor<?xbf16> {
  %y = onnx.Cast(%x) {to = 16} : (tensor<?xf16>) -> tensor<?xbf16>
  return %y : tensor<?xbf16>
}
