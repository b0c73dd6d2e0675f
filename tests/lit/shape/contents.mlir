// RUN: omb-opt %s --omb-simplify | FileCheck %s

// CHECK-LABEL: func.func @constant
// CHECK: %[[S:.*]] = onnx.Constant() {value = dense<[2, 3]> : tensor<2xi64>}
// CHECK-NEXT: return %[[S]]
func.func @constant(%x: tensor<2x3xf32>) -> tensor<?xi64> {
  %0 = onnx.Shape(%x) : (tensor<2x3xf32>) -> tensor<?xi64>
  return %0 : tensor<?xi64>
}

// CHECK-LABEL: func.func @dynamic(
// CHECK-SAME: %[[X:.*]]: tensor<?x3xf32
// CHECK-NOT: onnx.Shape
// CHECK: %[[D:.*]] = tensor.dim %[[X]]
// CHECK: %[[I:.*]] = arith.index_cast %[[D]] : index to i64
// CHECK: %[[S:.*]] = tensor.from_elements %[[I]], %{{.*}} : tensor<2xi64>
// CHECK: return %[[S]]
func.func @dynamic(%x: tensor<?x3xf32, #onnx.dims<"batch", ?>>) -> tensor<2xi64> {
  %0 = onnx.Abs(%x) : (tensor<?x3xf32, #onnx.dims<"batch", ?>>) -> tensor<*xf32>
  %1 = onnx.Shape(%0) : (tensor<*xf32>) -> tensor<2xi64>
  return %1 : tensor<2xi64>
}

// Sizes, and quotients and remainders of them, are not negative.
// CHECK-LABEL: func.func @quotients(
// CHECK-SAME: %[[X:.*]]: tensor<?xf32
// CHECK-DAG: %[[TWO:.*]] = arith.constant 2 : index
// CHECK-DAG: %[[THREE:.*]] = arith.constant 3 : index
// CHECK: %[[D:.*]] = tensor.dim %[[X]]
// CHECK-NOT: arith.select
// CHECK: %[[HALF:.*]] = arith.divui %[[D]], %[[TWO]]
// CHECK: %[[REST:.*]] = arith.remui %[[HALF]], %[[THREE]]
// CHECK: arith.index_cast %[[REST]]
// CHECK: %[[OVER:.*]] = arith.remui %{{.*}}, %[[THREE]]
// CHECK: %[[UNDER:.*]] = arith.subi %[[THREE]], %[[OVER]]
// CHECK: %[[PADDING:.*]] = arith.remui %[[UNDER]], %[[THREE]]
// CHECK: arith.index_cast %[[PADDING]]
func.func @quotients(%x: tensor<?xf32, #onnx.dims<"n">>) -> tensor<2xi64> {
  %two = onnx.Constant() {value_ints = array<i64: 2>} : () -> tensor<1xi64>
  %three = onnx.Constant() {value_ints = array<i64: 3>} : () -> tensor<1xi64>
  %minus = onnx.Constant() {value_ints = array<i64: -1>} : () -> tensor<1xi64>
  %n = onnx.Shape(%x) : (tensor<?xf32, #onnx.dims<"n">>) -> tensor<1xi64>
  %half = onnx.Div(%n, %two) : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %rest = onnx.Mod(%half, %three) : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %opposite = onnx.Mul(%n, %minus) : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %padding = onnx.Mod(%opposite, %three) : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %both = onnx.Concat(%rest, %padding) {axis = 0 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<2xi64>
  return %both : tensor<2xi64>
}

// One less than a size may be negative.
// CHECK-LABEL: func.func @negative(
// CHECK: %[[LESS:.*]] = arith.addi %{{.*}}, %{{.*}} : index
// CHECK: %[[REST:.*]] = arith.remsi %[[LESS]]
// CHECK: arith.select %{{.*}}, %{{.*}}, %[[REST]]
func.func @negative(%x: tensor<?xf32, #onnx.dims<"m">>) -> tensor<2xi64> {
  %three = onnx.Constant() {value_ints = array<i64: 3>} : () -> tensor<1xi64>
  %minus = onnx.Constant() {value_ints = array<i64: -1>} : () -> tensor<1xi64>
  %n = onnx.Shape(%x) : (tensor<?xf32, #onnx.dims<"m">>) -> tensor<1xi64>
  %less = onnx.Add(%n, %minus) : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %rest = onnx.Mod(%less, %three) : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %both = onnx.Concat(%rest, %n) {axis = 0 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<2xi64>
  return %both : tensor<2xi64>
}

// Numbers without a sign are never negated, and those of 64 bits may be too
// large to be counted in sizes.
// CHECK-LABEL: func.func @unsigned
// CHECK-DAG: %[[X:.*]] = onnx.Constant() {value = dense<[3, 200]> : tensor<2xui8>}
// CHECK-DAG: %[[LESS:.*]] = onnx.Less(
// CHECK: return %[[X]], %[[LESS]]
func.func @unsigned() -> (tensor<2xui8>, tensor<1xi1>) {
  %x = onnx.Constant() {value = dense<[3, 200]> : tensor<2xui8>} : () -> tensor<2xui8>
  %y = onnx.Abs(%x) : (tensor<2xui8>) -> tensor<2xui8>
  %one = onnx.Constant() {value = dense<1> : tensor<1xui64>} : () -> tensor<1xui64>
  %large = onnx.Constant() {value = dense<9223372036854775808> : tensor<1xui64>} : () -> tensor<1xui64>
  %less = onnx.Less(%one, %large) : (tensor<1xui64>, tensor<1xui64>) -> tensor<1xi1>
  return %y, %less : tensor<2xui8>, tensor<1xi1>
}
