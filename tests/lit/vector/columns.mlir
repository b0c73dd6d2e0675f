// RUN: omb-opt %s --split-input-file --omb-outline-kernels --omb-vectorize-kernels="vector-bytes=16 vector-registers=16" | FileCheck %s

#image = affine_map<(n, c, h, w) -> (n, h, w, c)>
#channels = affine_map<(n, c, h, w) -> (n, c)>
#id = affine_map<(n, c) -> (n, c)>

// The mean of all positions of each channel: vectors of channels, of which the last one is a part.
// CHECK-LABEL: func.func @mean
// CHECK-NOT:     linalg.generic
// CHECK:         "flow.dispatch"{{.*}} : (tensor<2x5x7x10xf32>) -> tensor<2x10xf32>
// CHECK:       func.func @kernel
// CHECK:         vector.create_mask
// CHECK:         scf.for %{{.*}} = %c0{{.*}} to %c5{{.*}} iter_args
// CHECK:           scf.for %{{.*}} = %c0{{.*}} to %c7{{.*}} iter_args
// CHECK:             vector.maskedload {{.*}} : memref<2x5x7x10xf32{{.*}}>
// CHECK:             arith.addf {{.*}} : vector<4xf32>
// CHECK:         arith.divf {{.*}} : vector<4xf32>
// CHECK:         vector.maskedstore
func.func @mean(%x: tensor<2x5x7x10xf32>) -> tensor<2x10xf32> {
  %zero = arith.constant 0.0 : f32
  %count = arith.constant 35.0 : f32
  %e = tensor.empty() : tensor<2x10xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2x10xf32>) -> tensor<2x10xf32>
  %s = linalg.generic {indexing_maps = [#image, #channels], iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
    ins(%x : tensor<2x5x7x10xf32>) outs(%f : tensor<2x10xf32>) {
  ^bb0(%in: f32, %o: f32):
    %a = arith.addf %o, %in : f32
    linalg.yield %a : f32
  } -> tensor<2x10xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%s : tensor<2x10xf32>) outs(%e : tensor<2x10xf32>) {
  ^bb0(%in: f32, %o: f32):
    %d = arith.divf %in, %count : f32
    linalg.yield %d : f32
  } -> tensor<2x10xf32>
  return %r : tensor<2x10xf32>
}

// -----

#image = affine_map<(n, c, h, w) -> (n, h, w, c)>
#channels = affine_map<(n, c, h, w) -> (n, c)>

// Sizes that aren't known, and a second tensor with a value for each channel.
// CHECK-LABEL: func.func @squares
// CHECK-NOT:     linalg.generic
// CHECK:         "flow.dispatch"
// CHECK:       func.func @kernel
// CHECK:         arith.subf {{.*}} : vector<4xf32>
// CHECK:         arith.mulf {{.*}} : vector<4xf32>
// CHECK:         arith.addf {{.*}} : vector<4xf32>
func.func @squares(%x: tensor<?x?x?x?xf32>, %mean: tensor<?x?xf32>, %n: index, %c: index) -> tensor<?x?xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%n, %c) : tensor<?x?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x?xf32>) -> tensor<?x?xf32>
  %s = linalg.generic {indexing_maps = [#image, #channels, #channels], iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
    ins(%x, %mean : tensor<?x?x?x?xf32>, tensor<?x?xf32>) outs(%f : tensor<?x?xf32>) {
  ^bb0(%in: f32, %m: f32, %o: f32):
    %d = arith.subf %in, %m : f32
    %q = arith.mulf %d, %d : f32
    %a = arith.addf %o, %q : f32
    linalg.yield %a : f32
  } -> tensor<?x?xf32>
  return %s : tensor<?x?xf32>
}
