// RUN: omb-opt %s --omb-to-vector="vector-bytes=16 vector-registers=16" | FileCheck %s

// A convolution with stride 2 and its activation: rows of the image are divided among the workgroups, the columns of a
// row are one tile, and the input is read where the window's taps are.
// CHECK-DAG:   #[[ROW:.*]] = affine_map<(d0, d1) -> (d0 * 2 + d1)>
// CHECK-DAG:   #[[SECOND:.*]] = affine_map<(d0, d1) -> (d0 * 2 + d1 + 2)>
// CHECK-LABEL: func.func @main
// CHECK:         "flow.dispatch"
// CHECK:       func.func @kernel
// CHECK:         affine.delinearize_index
// CHECK:         scf.for
// CHECK:           scf.for %[[R:.*]] = {{.*}} iter_args
// CHECK:             scf.for %[[S:.*]] = {{.*}} iter_args
// CHECK:               scf.for {{.*}} iter_args
// CHECK:                 affine.apply #[[ROW]](%{{.*}}, %[[R]])
// CHECK:                 affine.apply #[[SECOND]](%{{.*}}, %[[S]])
// CHECK:           arith.maximumf {{.*}} : vector<4xf32>
// CHECK-NEXT:      vector.store
func.func @main(%x: tensor<1x2x9x9xf32>) -> tensor<1x8x4x4xf32> {
  %w = arith.constant dense<1.0> : tensor<8x2x3x3xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x8x4x4xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  %c = linalg.conv_2d_nchw_fchw {dilations = dense<1> : tensor<2xi64>, strides = dense<2> : tensor<2xi64>}
    ins(%x, %w : tensor<1x2x9x9xf32>, tensor<8x2x3x3xf32>) outs(%f : tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(a, b, c, d) -> (a, b, c, d)>, affine_map<(a, b, c, d) -> (a, b, c, d)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
    ins(%c : tensor<1x8x4x4xf32>) outs(%e : tensor<1x8x4x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %m = arith.maximumf %in, %zero : f32
    linalg.yield %m : f32
  } -> tensor<1x8x4x4xf32>
  return %r : tensor<1x8x4x4xf32>
}
