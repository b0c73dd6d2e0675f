// RUN: omb-opt %s --omb-externalize-parameters=threshold=4 --mlir-print-op-generic | FileCheck %s
// RUN: omb-opt %s --omb-to-iree | FileCheck %s --check-prefix=DEFAULT

// CHECK-DAG: "util.global"() {initial_value = #flow.parameter.named<"model"::"layer/weight"> : tensor<2xf32>, sym_name = "layer/weight", sym_visibility = "private", type = tensor<2xf32>}
// CHECK-DAG: #flow.parameter.named<"model"::"layer/weight_1"> : tensor<2xi32>, sym_name = "layer/weight_1"
// CHECK-DAG: #flow.parameter.named<"model"::"constant"> : tensor<8x5xi1>, sym_name = "constant"
// CHECK-DAG: #flow.parameter.named<"model"::"constant_1"> : tensor<9xi4>, sym_name = "constant_1"
// CHECK-DAG: #flow.parameter.named<"model"::"main_1"> : tensor<9xi4>, sym_name = "main_1"

// CHECK: sym_name = "main"
func.func @main() -> (tensor<2xf32>, tensor<2xf32>, tensor<2xi32>, tensor<8x5xi1>, tensor<9xi4>,
                      tensor<9xi4>, tensor<1xf32>, tensor<1000xf32>, tensor<4xi1>, f32) {
  // Two uses of one resource and type are one global.
  // CHECK: "util.global.load"() {global = @"layer/weight"} : () -> tensor<2xf32>
  // CHECK: "util.global.load"() {global = @"layer/weight"} : () -> tensor<2xf32>
  // CHECK: "util.global.load"() {global = @"layer/weight_1"} : () -> tensor<2xi32>
  %0 = arith.constant dense_resource<"layer/weight"> : tensor<2xf32>
  %1 = arith.constant dense_resource<"layer/weight"> : tensor<2xf32>
  %2 = arith.constant dense_resource<"layer/weight"> : tensor<2xi32>
  // CHECK: "util.global.load"() {global = @constant}
  %3 = arith.constant dense<"0x0F00000001"> : tensor<8x5xi1>
  // CHECK: "util.global.load"() {global = @constant_1}
  // CHECK: "util.global.load"() {global = @main_1}
  %4 = arith.constant dense<[1, -1, 2, 3, 4, 5, 6, 7, 8]> : tensor<9xi4>
  %5 = arith.constant dense_resource<main> : tensor<9xi4>
  // Small constants stay, a resource as its value; so do splats and scalars.
  // CHECK: dense<1.000000e+00> : tensor<1xf32>
  // CHECK: dense<5.000000e-01> : tensor<1000xf32>
  // CHECK: dense<[true, false, true, true]> : tensor<4xi1>
  // CHECK: 2.500000e-01 : f32
  %6 = arith.constant dense_resource<one> : tensor<1xf32>
  %7 = arith.constant dense<0.5> : tensor<1000xf32>
  %8 = arith.constant dense_resource<bools> : tensor<4xi1>
  %9 = arith.constant 0.25 : f32
  return %0, %1, %2, %3, %4, %5, %6, %7, %8, %9 : tensor<2xf32>, tensor<2xf32>, tensor<2xi32>,
      tensor<8x5xi1>, tensor<9xi4>, tensor<9xi4>, tensor<1xf32>, tensor<1000xf32>, tensor<4xi1>, f32
}

// Bytes as IREE keeps them: i1 one a byte, i4 two a byte with the first in the low bits.
// CHECK: omb.parameters = {
// CHECK-SAME: constant = dense<[1, 1, 1, 1, 0,{{[0, ]*}} 1, 0, 0, 0, 0, 0, 0, 0]> : tensor<40xi8>
// CHECK-SAME: constant_1 = dense<[-15, 50, 84, 118, 8]> : tensor<5xi8>
// CHECK-SAME: "layer/weight" = dense_resource<"layer/weight"> : tensor<2xf32>
// CHECK-SAME: main_1 = dense_resource<main> : tensor<9xi4>

// None of it is larger than the default of 256 bytes.
// DEFAULT-NOT: util.global
// DEFAULT-DAG: dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>
// DEFAULT-DAG: dense<[1065353216, 1073741824]> : tensor<2xi32>
// DEFAULT-DAG: dense<[1, 2, 3, 4, 5, 6, 7, -8, -7]> : tensor<9xi4>

{-#
  dialect_resources: {
    builtin: {
      "layer/weight": "0x040000000000803f00000040",
      main: "0x010000002143658709",
      one: "0x040000000000803f",
      bools: "0x0100000001000101"
    }
  }
#-}
