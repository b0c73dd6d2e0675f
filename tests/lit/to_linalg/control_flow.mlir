// RUN: omb-opt %s --omb-to-linalg | FileCheck %s

// CHECK-LABEL: func.func @branches
// CHECK-SAME: %[[C:.*]]: tensor<1xi1>, %[[X:.*]]: tensor<2x3xf32>
// CHECK: %[[BIT:.*]] = tensor.extract %[[C]]
// CHECK: scf.if %[[BIT]] -> (tensor<?x3xf32>) {
// CHECK:   %[[THEN:.*]] = tensor.cast %[[X]] : tensor<2x3xf32> to tensor<?x3xf32>
// CHECK:   scf.yield %[[THEN]]
// CHECK: } else {
// CHECK:   scf.yield
func.func @branches(%c: tensor<1xi1>, %x: tensor<2x3xf32>) -> tensor<*xf32> {
  %y = onnx.If(%c) : (tensor<1xi1>) -> tensor<*xf32> else_branch {
    %0 = onnx.Concat(%x, %x) {axis = 0 : i64} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<*xf32>
    onnx.Yield %0 : tensor<*xf32>
  } then_branch {
    onnx.Yield %x : tensor<2x3xf32>
  }
  return %y : tensor<*xf32>
}

// The condition stays true: a counted loop, with room for all elements.

// CHECK-LABEL: func.func @counted
// CHECK: %[[ALL:.*]] = tensor.empty(%{{.*}}, %{{.*}}) : tensor<?x?xf32>
// CHECK: scf.for {{.*}} iter_args(%[[S:.*]] = %{{.*}}, %[[A:.*]] = %[[ALL]]) -> (tensor<?xf32>, tensor<?x?xf32>)
// CHECK:   %[[NEXT:.*]] = linalg.generic
// CHECK:   %[[MORE:.*]] = tensor.insert_slice %[[NEXT]] into %[[A]]
// CHECK:   scf.yield %[[NEXT]], %[[MORE]]
func.func @counted(%m: tensor<i64>, %x: tensor<?xf32, #onnx.dims<"n">>) -> (tensor<*xf32>, tensor<*xf32>) {
  %y:2 = onnx.Loop(%m, none, %x) : (tensor<i64>, tensor<?xf32, #onnx.dims<"n">>) -> (tensor<*xf32>, tensor<*xf32>) body {
  ^bb0(%i: tensor<i64>, %c: tensor<i1>, %s: tensor<*xf32>):
    %0 = onnx.Add(%s, %x) : (tensor<*xf32>, tensor<?xf32, #onnx.dims<"n">>) -> tensor<*xf32>
    onnx.Yield %c, %0, %0 : tensor<i1>, tensor<*xf32>, tensor<*xf32>
  }
  return %y#0, %y#1 : tensor<*xf32>, tensor<*xf32>
}

// The number of elements isn't known: the scan output grows.

// CHECK-LABEL: func.func @conditional
// CHECK: scf.while ({{.*}}) : (index, i1, tensor<3xf32>, tensor<?x?xf32>) ->
// CHECK:   arith.cmpi slt
// CHECK:   arith.andi
// CHECK:   scf.condition
// CHECK: do
// CHECK:   tensor.insert_slice %{{.*}} into %[[MORE:.*]][0, 0]
// CHECK:   tensor.insert_slice
// CHECK:   scf.yield
func.func @conditional(%m: tensor<i64>, %c: tensor<i1>, %x: tensor<3xf32>) -> (tensor<*xf32>, tensor<*xf32>) {
  %y:2 = onnx.Loop(%m, %c, %x) : (tensor<i64>, tensor<i1>, tensor<3xf32>) -> (tensor<*xf32>, tensor<*xf32>) body {
  ^bb0(%i: tensor<i64>, %b: tensor<i1>, %s: tensor<*xf32>):
    %0 = onnx.Add(%s, %x) : (tensor<*xf32>, tensor<3xf32>) -> tensor<*xf32>
    %1 = onnx.Less(%i, %m) : (tensor<i64>, tensor<i64>) -> tensor<i1>
    onnx.Yield %1, %0, %0 : tensor<i1>, tensor<*xf32>, tensor<*xf32>
  }
  return %y#0, %y#1 : tensor<*xf32>, tensor<*xf32>
}

// CHECK-LABEL: func.func @scanned_backwards
// CHECK: %[[ALL:.*]] = tensor.empty() : tensor<3x5xf32>
// CHECK: scf.for %[[I:[a-z0-9]+]] =
// CHECK:   %[[BACK:.*]] = arith.subi %c4, %[[I]]
// CHECK:   tensor.extract_slice %{{.*}}[0, %[[BACK]]] [3, 1] [1, 1] : tensor<3x5xf32> to tensor<3xf32>
// CHECK:   tensor.insert_slice %{{.*}} into %{{.*}}[0, %[[I]]] [3, 1] [1, 1]
func.func @scanned_backwards(%x: tensor<3x5xf32>) -> tensor<*xf32> {
  %y = onnx.Scan(%x) {num_scan_inputs = 1 : i64, scan_input_axes = array<i64: 1>, scan_input_directions = array<i64: 1>, scan_output_axes = array<i64: -1>} : (tensor<3x5xf32>) -> tensor<*xf32> body {
  ^bb0(%a: tensor<*xf32>):
    %0 = onnx.Abs(%a) : (tensor<*xf32>) -> tensor<*xf32>
    onnx.Yield %0 : tensor<*xf32>
  }
  return %y : tensor<*xf32>
}
