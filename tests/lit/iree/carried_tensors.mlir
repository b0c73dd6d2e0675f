// RUN: omb-opt %s --omb-isolate-carried-tensors | FileCheck %s

// CHECK-LABEL: func.func @loop
// CHECK: %[[FILLED:.*]] = linalg.fill
// CHECK: %[[DIM:.*]] = tensor.dim %[[FILLED]]
// CHECK: %[[B:.*]] = "util.optimization_barrier"(%[[FILLED]])
// CHECK: %[[INIT:.*]] = "flow.tensor.tie_shape"(%[[B]], %{{.*}}) : (tensor<?xf32>, index) -> tensor<?xf32>
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %[[INIT]], %{{.*}} = %arg1)
// CHECK:   %[[NEXT:.*]] = "util.optimization_barrier"
// CHECK:   %[[TIED:.*]] = "flow.tensor.tie_shape"(%[[NEXT]]
// CHECK-NOT: util.optimization_barrier
// CHECK:   scf.yield %[[TIED]], %{{.*}} : tensor<?xf32>, tensor<4xf32>
func.func @loop(%n: index, %s: tensor<4xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%n) : tensor<?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%x = %f, %y = %s) -> (tensor<?xf32>, tensor<4xf32>) {
    %a = linalg.abs ins(%x : tensor<?xf32>) outs(%x : tensor<?xf32>) -> tensor<?xf32>
    %b = linalg.fill ins(%zero : f32) outs(%y : tensor<4xf32>) -> tensor<4xf32>
    scf.yield %a, %b : tensor<?xf32>, tensor<4xf32>
  }
  return %r#0 : tensor<?xf32>
}
