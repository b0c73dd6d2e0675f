// RUN: omb-opt %s --omb-isolate-gathers | FileCheck %s

// A sum of what is read at computed places, of sizes that aren't known: by
// itself, then multiplied, then added up.

// CHECK-LABEL: func.func @broadcast
// CHECK: %[[G:.*]] = linalg.generic
// CHECK: tensor.extract
// CHECK: %[[B:.*]] = "util.optimization_barrier"(%[[G]])
// CHECK: %[[T:.*]] = "flow.tensor.tie_shape"(%[[B]]
// CHECK: linalg.square ins(%[[T]]
func.func @broadcast(%x: tensor<?x?xf32>, %sum: tensor<?xf32>, %at: index, %e: tensor<?x?xf32>) -> tensor<?xf32> {
  %g = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} outs(%e : tensor<?x?xf32>) {
  ^bb0(%out: f32):
    %j = linalg.index 1 : index
    %v = tensor.extract %x[%at, %j] : tensor<?x?xf32>
    linalg.yield %v : f32
  } -> tensor<?x?xf32>
  %s = linalg.square ins(%g : tensor<?x?xf32>) outs(%e : tensor<?x?xf32>) -> tensor<?x?xf32>
  %r = linalg.reduce ins(%s : tensor<?x?xf32>) outs(%sum : tensor<?xf32>) dimensions = [1] (%a: f32, %b: f32) {
    %c = arith.addf %a, %b : f32
    linalg.yield %c : f32
  }
  return %r : tensor<?xf32>
}

// Left alone: what is picked from a table of known sizes, and what isn't added
// up.

// CHECK-LABEL: func.func @left
// CHECK-NOT: optimization_barrier
func.func @left(%x: tensor<8x4xf32>, %y: tensor<?x?xf32>, %sum: tensor<3xf32>, %at: index, %e: tensor<3x4xf32>, %f: tensor<?x?xf32>) -> (tensor<3xf32>, tensor<?x?xf32>) {
  %g = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} outs(%e : tensor<3x4xf32>) {
  ^bb0(%out: f32):
    %j = linalg.index 1 : index
    %v = tensor.extract %x[%at, %j] : tensor<8x4xf32>
    linalg.yield %v : f32
  } -> tensor<3x4xf32>
  %r = linalg.reduce ins(%g : tensor<3x4xf32>) outs(%sum : tensor<3xf32>) dimensions = [1] (%a: f32, %b: f32) {
    %c = arith.addf %a, %b : f32
    linalg.yield %c : f32
  }
  %h = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} outs(%f : tensor<?x?xf32>) {
  ^bb0(%out: f32):
    %j = linalg.index 1 : index
    %v = tensor.extract %y[%at, %j] : tensor<?x?xf32>
    linalg.yield %v : f32
  } -> tensor<?x?xf32>
  return %r, %h : tensor<3xf32>, tensor<?x?xf32>
}
