// RUN: omb-opt %s --omb-externalize-parameters --mlir-print-op-generic | FileCheck %s

// MLIR prints more than 100 elements as hexadecimal digits, those of i1 not in
// all versions as the same ones.

// CHECK-DAG: #flow.parameter.named<"model"::"constant"> : tensor<101xi1>
// CHECK-LABEL: sym_name = "main"
// CHECK-DAG: "util.global.load"() {{.*}} -> tensor<101xi1>
// CHECK-DAG: dense<"0x010203{{.*}}"> : tensor<101xi8>
// CHECK-DAG: dense<[true, false, true]> : tensor<3xi1>
// CHECK-DAG: dense<true> : tensor<101xi1>
func.func @main() -> (tensor<101xi1>, tensor<101xi8>, tensor<3xi1>, tensor<101xi1>) {
  %0 = arith.constant dense<"0x01020304050607080900000000"> : tensor<101xi1>
  %1 = arith.constant dense<"0x0102030405060708091011121314151617181920212223242526272829303132333435363738394041424344454647484950515253545556575859606162636465666768697071727374757677787980818283848586878889909192939495969798990001"> : tensor<101xi8>
  %2 = arith.constant dense<[true, false, true]> : tensor<3xi1>
  %3 = arith.constant dense<true> : tensor<101xi1>
  return %0, %1, %2, %3 : tensor<101xi1>, tensor<101xi8>, tensor<3xi1>, tensor<101xi1>
}
