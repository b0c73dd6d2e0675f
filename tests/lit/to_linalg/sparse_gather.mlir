// RUN: omb-opt %s --onnx-sparsify-constants=mode=on | FileCheck %s
// RUN: omb-opt %s --omb-to-linalg=sparse=on | FileCheck %s --check-prefix=LINALG
// RUN: omb-opt %s --omb-to-linalg=sparse=auto | FileCheck %s --check-prefix=AUTO

#COO = #sparse_tensor.encoding<{ map = (k, n) -> (k : compressed(nonunique), n : singleton(soa)) }>

// A bit for each element says whether it is stored; what comes before it in its word is counted.
// CHECK-DAG:    #[[CSR:.*]] = #sparse_tensor.encoding<{ map = (d0, d1) -> (d0 : dense, d1 : compressed) }>
// CHECK-LABEL:  func.func @table
// CHECK:          %[[W:.*]] = onnx.Constant() {sparse_value = sparse<{{.*}}> : tensor<3x33xf32, #[[CSR]]>}
// CHECK:          onnx.Gather(%[[W]]
// LINALG-LABEL: func.func @table
// LINALG-DAG:     %[[BITS:.*]] = arith.constant dense_resource<bits> : tensor<3x2xi32>
// LINALG-DAG:     %[[STARTS:.*]] = arith.constant dense_resource<starts> : tensor<3x2xi32>
// LINALG-DAG:     %[[VALUES:.*]] = arith.constant dense_resource<values> : tensor<4xf32>
// LINALG:         linalg.generic
// LINALG:           %[[WORD:.*]] = tensor.extract %[[BITS]]
// LINALG:           tensor.extract %[[STARTS]]
// LINALG:           math.ctpop
// LINALG:           tensor.extract %[[VALUES]]
// LINALG:           arith.select
// AUTO-LABEL:   func.func @table
// AUTO-NOT:       math.ctpop
func.func @table(%i: tensor<?x5xi64>) -> tensor<?x5x33xf32> {
  %w = onnx.Constant() {sparse_value = sparse<[[0, 32], [1, 1], [1, 31]], [1.0, 2.0, 3.0]> : tensor<3x33xf32, #COO>} : () -> tensor<3x33xf32, #COO>
  %0 = onnx.Gather(%w, %i) : (tensor<3x33xf32, #COO>, tensor<?x5xi64>) -> tensor<?x5x33xf32>
  return %0 : tensor<?x5x33xf32>
}

// Columns are taken of the dense table.
// CHECK-LABEL:  func.func @columns
// CHECK-NOT:      #[[CSR]]>)
// CHECK:          return
// LINALG-LABEL: func.func @columns
// LINALG-NOT:     math.ctpop
// AUTO-LABEL:   func.func @columns
func.func @columns(%i: tensor<2xi64>) -> tensor<3x2xf32> {
  %w = onnx.Constant() {sparse_value = sparse<[[0, 32], [1, 1], [1, 31]], [1.0, 2.0, 3.0]> : tensor<3x33xf32, #COO>} : () -> tensor<3x33xf32, #COO>
  %0 = onnx.Gather(%w, %i) {axis = 1 : i64} : (tensor<3x33xf32, #COO>, tensor<2xi64>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// LINALG-DAG:   bits: "0x40000000000000000100000002000080000000000000000000000000"
// LINALG-DAG:   starts: "0x40000000000000000000000001000000030000000300000003000000"
// LINALG-DAG:   values: "0x400000000000803F000000400000404000000000"
