// RUN: omb-opt %s --omb-to-iree | FileCheck %s

// Constants of bf16 are parameters whatever their size, unless all elements are equal.
// CHECK: #flow.parameter.named<"model"::"constant"> : tensor<2xbf16>
// CHECK-LABEL: func.func @main
func.func @main() -> (tensor<2xbf16>, tensor<2xbf16>, tensor<2xf16>) {
  // CHECK: "util.global.load"() {global = @constant}
  %0 = arith.constant dense<[1.0, 2.0]> : tensor<2xbf16>
  // CHECK-DAG: dense<1.000000e+00> : tensor<2xbf16>
  // CHECK-DAG: dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf16>
  %1 = arith.constant dense<1.0> : tensor<2xbf16>
  %2 = arith.constant dense<[1.0, 2.0]> : tensor<2xf16>
  return %0, %1, %2 : tensor<2xbf16>, tensor<2xbf16>, tensor<2xf16>
}
