// RUN: omb-opt %s --omb-to-vector="vector-bytes=16 vector-registers=16" --mlir-elide-resource-strings-if-larger=32 | FileCheck %s
// RUN: omb-opt %s --omb-to-vector="vector-bytes=16 vector-registers=16 winograd=false" --mlir-elide-resource-strings-if-larger=32 | FileCheck %s --check-prefix=PLAIN

// A convolution and its activation as three kernels: the transform of the input, whose border tiles read zeros where
// there is no input; the products; and the transform back, which ends with loops through the outputs that exist.
// CHECK-LABEL: func.func @main
// CHECK-COUNT-3: flow.dispatch
// CHECK:       func.func @kernel(
// CHECK:         scf.for {{.*}} iter_args
// CHECK:           vector.fma
// CHECK:       func.func @kernel_0
// CHECK:         %[[INSIDE:.*]] = arith.andi
// CHECK:         scf.if %[[INSIDE]] {
// CHECK-COUNT-36:  vector.load {{.*}} vector<4xf32>
// CHECK-COUNT-36:  vector.store
// CHECK:         } else {
// CHECK:           vector.load
// CHECK:           arith.select {{.*}} : vector<4xf32>
// CHECK:       func.func @kernel_1
// CHECK:         %[[BUFFER:.*]] = memref.alloca() : memref<4x4x4xf32>
// CHECK-COUNT-16: vector.store {{.*}}, %[[BUFFER]]
// CHECK:         %[[LEFT:.*]] = arith.subi %{{.*}}, %{{.*}} : index
// CHECK:         %[[COUNT:.*]] = arith.minui %[[LEFT]]
// CHECK:         scf.for %{{.*}} = %{{.*}} to %[[COUNT]]
// CHECK:           scf.for
// CHECK:             vector.load %[[BUFFER]]
// CHECK:             arith.maximumf {{.*}} : vector<4xf32>
// CHECK-NEXT:        vector.store

// PLAIN-COUNT-1: flow.dispatch
// PLAIN-NOT:     flow.dispatch
func.func @main(%x: tensor<1x27x28x64xf32>) -> tensor<1x27x28x64xf32> {
  %w = arith.constant dense<1.0> : tensor<3x3x64x64xf32>
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %zero : f32
  } : tensor<1x27x28x64xf32> to tensor<1x29x30x64xf32>
  %e = tensor.empty() : tensor<1x27x28x64xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x27x28x64xf32>) -> tensor<1x27x28x64xf32>
  %c = linalg.conv_2d_nhwc_hwcf {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
    ins(%p, %w : tensor<1x29x30x64xf32>, tensor<3x3x64x64xf32>) outs(%f : tensor<1x27x28x64xf32>) -> tensor<1x27x28x64xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(a, b, c, d) -> (a, b, c, d)>, affine_map<(a, b, c, d) -> (a, b, c, d)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
    ins(%c : tensor<1x27x28x64xf32>) outs(%e : tensor<1x27x28x64xf32>) {
  ^bb0(%in: f32, %out: f32):
    %m = arith.maximumf %in, %zero : f32
    linalg.yield %m : f32
  } -> tensor<1x27x28x64xf32>
  return %r : tensor<1x27x28x64xf32>
}
