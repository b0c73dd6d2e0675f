// RUN: omb-opt %s --omb-to-iree | FileCheck %s

// More than 100 booleans are a parameter whatever their size, unless all are equal: printed, they
// would be bytes.
// CHECK-DAG: #flow.parameter.named<"model"::"constant"> : tensor<101xi1>
// CHECK-DAG: #flow.parameter.named<"model"::"mask"> : tensor<101xi1>
// CHECK-LABEL: func.func @main
func.func @main() -> (tensor<101xi1>, tensor<101xi1>, tensor<101xi1>, tensor<2xi1>) {
  // CHECK-DAG: "util.global.load"() {global = @constant}
  // CHECK-DAG: "util.global.load"() {global = @mask}
  %0 = arith.constant dense<"0x01000000000000000000000000"> : tensor<101xi1>
  %1 = arith.constant dense_resource<mask> : tensor<101xi1>
  // CHECK-DAG: dense<true> : tensor<101xi1>
  // CHECK-DAG: dense<[true, false]> : tensor<2xi1>
  %2 = arith.constant dense<true> : tensor<101xi1>
  %3 = arith.constant dense<[true, false]> : tensor<2xi1>
  return %0, %1, %2, %3 : tensor<101xi1>, tensor<101xi1>, tensor<101xi1>, tensor<2xi1>
}

{-#
  dialect_resources: {
    builtin: {
      mask: "0x010000000100000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    }
  }
#-}
