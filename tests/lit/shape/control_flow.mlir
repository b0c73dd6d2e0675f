// RUN: omb-opt %s -split-input-file --omb-simplify | FileCheck %s

// A condition on sizes is decided here; the branch that isn't taken may have
// shapes that don't fit.

// CHECK-LABEL: func.func @decided_by_shape
// CHECK-NOT: onnx.If
// CHECK: onnx.Squeeze
// CHECK: return %{{.*}} : tensor<2x3xf32>
func.func @decided_by_shape(%x: tensor<2x1x3xf32>) -> tensor<*xf32> {
  %i = onnx.Constant() {value = dense<1> : tensor<i64>} : () -> tensor<i64>
  %a = onnx.Constant() {value = dense<1> : tensor<1xi64>} : () -> tensor<1xi64>
  %perm = onnx.Shape(%x) : (tensor<2x1x3xf32>) -> tensor<3xi64>
  %d = onnx.Gather(%perm, %i) : (tensor<3xi64>, tensor<i64>) -> tensor<i64>
  %c = onnx.Equal(%d, %i) : (tensor<i64>, tensor<i64>) -> tensor<i1>
  %y = onnx.If(%c) : (tensor<i1>) -> tensor<*xf32> else_branch {
    %0 = onnx.Transpose(%x) {perm = array<i64: 1, 0>} : (tensor<2x1x3xf32>) -> tensor<*xf32>
    onnx.Yield %0 : tensor<*xf32>
  } then_branch {
    %0 = onnx.Squeeze(%x, %a) : (tensor<2x1x3xf32>, tensor<1xi64>) -> tensor<*xf32>
    onnx.Yield %0 : tensor<*xf32>
  }
  return %y : tensor<*xf32>
}

// -----

// Sizes that both branches give stay; others are unknown.

// CHECK-LABEL: func.func @joined
// CHECK: onnx.If({{.*}} -> tensor<?x?xf32, #onnx.dims<"n", "{{.*}}">>
func.func @joined(%c: tensor<i1>, %x: tensor<?x3xf32, #onnx.dims<"n", ?>>) -> tensor<*xf32> {
  %y = onnx.If(%c) : (tensor<i1>) -> tensor<*xf32> else_branch {
    %0 = onnx.Concat(%x, %x) {axis = 1 : i64} : (tensor<?x3xf32, #onnx.dims<"n", ?>>, tensor<?x3xf32, #onnx.dims<"n", ?>>) -> tensor<*xf32>
    onnx.Yield %0 : tensor<*xf32>
  } then_branch {
    onnx.Yield %x : tensor<?x3xf32, #onnx.dims<"n", ?>>
  }
  return %y : tensor<*xf32>
}

// -----

// Only a result of rank 2 can be transposed: the condition is checked.

// CHECK-LABEL: func.func @one_rank_fits
// CHECK: %[[C:.*]] = tensor.extract %{{.*}} : tensor<1xi1>
// CHECK: cf.assert %[[C]], "If takes a branch
// CHECK-NOT: onnx.If
// CHECK: onnx.Squeeze
func.func @one_rank_fits(%c: tensor<1xi1>, %x: tensor<?x?x3xf32>) -> tensor<*xf32> {
  %a = onnx.Constant() {value = dense<1> : tensor<1xi64>} : () -> tensor<1xi64>
  %y = onnx.If(%c) : (tensor<1xi1>) -> tensor<*xf32> else_branch {
    onnx.Yield %x : tensor<?x?x3xf32>
  } then_branch {
    %0 = onnx.Squeeze(%x, %a) : (tensor<?x?x3xf32>, tensor<1xi64>) -> tensor<*xf32>
    onnx.Yield %0 : tensor<*xf32>
  }
  %z = onnx.Transpose(%y) {perm = array<i64: 1, 0>} : (tensor<*xf32>) -> tensor<*xf32>
  return %z : tensor<*xf32>
}

// -----

// Both ranks can be: nothing is decided.

// CHECK-LABEL: func.func @both_ranks_fit
// CHECK: onnx.If({{.*}} -> tensor<*xf32>
func.func @both_ranks_fit(%c: tensor<1xi1>, %x: tensor<?x?x3xf32>) -> tensor<*xf32> {
  %a = onnx.Constant() {value = dense<1> : tensor<1xi64>} : () -> tensor<1xi64>
  %y = onnx.If(%c) : (tensor<1xi1>) -> tensor<*xf32> else_branch {
    onnx.Yield %x : tensor<?x?x3xf32>
  } then_branch {
    %0 = onnx.Squeeze(%x, %a) : (tensor<?x?x3xf32>, tensor<1xi64>) -> tensor<*xf32>
    onnx.Yield %0 : tensor<*xf32>
  }
  %z = onnx.Abs(%y) : (tensor<*xf32>) -> tensor<*xf32>
  return %z : tensor<*xf32>
}

// -----

// A carried value that grows has an unknown size, the other dimension stays;
// the trip count is the size of the scan output.

// CHECK-LABEL: func.func @loop
// CHECK: onnx.Loop({{.*}} -> (tensor<?x3xf32, {{.*}}>, tensor<4x?x3xf32, {{.*}}>)
// CHECK: ^bb0(%{{.*}}: tensor<i64>, %{{.*}}: tensor<i1>, %{{.*}}: tensor<?x3xf32, {{.*}}>)
func.func @loop(%x: tensor<2x3xf32>) -> (tensor<*xf32>, tensor<*xf32>) {
  %m = onnx.Constant() {value = dense<4> : tensor<i64>} : () -> tensor<i64>
  %y:2 = onnx.Loop(%m, none, %x) : (tensor<i64>, tensor<2x3xf32>) -> (tensor<*xf32>, tensor<*xf32>) body {
  ^bb0(%i: tensor<i64>, %c: tensor<i1>, %s: tensor<*xf32>):
    %0 = onnx.Concat(%s, %x) {axis = 0 : i64} : (tensor<*xf32>, tensor<2x3xf32>) -> tensor<*xf32>
    onnx.Yield %c, %0, %0 : tensor<i1>, tensor<*xf32>, tensor<*xf32>
  }
  return %y#0, %y#1 : tensor<*xf32>, tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @scan
// CHECK: onnx.Scan({{.*}} -> (tensor<?xf32, #onnx.dims<"n">>, tensor<?x?xf32, #onnx.dims<"n", "t">>)
func.func @scan(%s: tensor<?xf32, #onnx.dims<"n">>, %x: tensor<?x?xf32, #onnx.dims<"t", "n">>) -> (tensor<*xf32>, tensor<*xf32>) {
  %y:2 = onnx.Scan(%s, %x) {num_scan_inputs = 1 : i64, scan_output_axes = array<i64: -1>} : (tensor<?xf32, #onnx.dims<"n">>, tensor<?x?xf32, #onnx.dims<"t", "n">>) -> (tensor<*xf32>, tensor<*xf32>) body {
  ^bb0(%a: tensor<*xf32>, %b: tensor<*xf32>):
    %0 = onnx.Add(%a, %b) : (tensor<*xf32>, tensor<*xf32>) -> tensor<*xf32>
    onnx.Yield %0, %0 : tensor<*xf32>, tensor<*xf32>
  }
  return %y#0, %y#1 : tensor<*xf32>, tensor<*xf32>
}
