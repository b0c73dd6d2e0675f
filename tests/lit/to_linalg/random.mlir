// RUN: omb-opt %s --omb-simplify --convert-onnx-to-linalg --canonicalize --cse --split-input-file | FileCheck %s

// The position of an element and the bits of the seed (0x40400000) are all that
// it is computed from.

// CHECK-LABEL: func.func @seeded
// CHECK-NOT: util.global
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<2x3xf32>)
// CHECK: linalg.index 0
// Ten rounds of two words each, but for what only the other three words need.
// CHECK-COUNT-32: arith.xori
// CHECK-NOT: arith.xori
// CHECK: arith.sitofp %{{.*}} : i32 to f32
func.func @seeded() -> tensor<2x3xf32> {
  %0 = onnx.RandomUniform() {seed = 3.0 : f32, shape = array<i64: 2, 3>} : () -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// -----

// Without a seed, every evaluation counts; equal nodes are not merged.

// CHECK: "util.global"() {{.*}}initial_value = 0 : i64, is_mutable, sym_name = "omb.random_streams"
// CHECK-NOT: "util.global"()
// CHECK-LABEL: func.func @fresh
// CHECK: "util.global.load"() {{.*}}global = @omb.random_streams
// CHECK: "util.global.store"
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<?x4xf64>)
// CHECK: "util.global.load"
// CHECK: "util.global.store"
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<?x4xf64>)
func.func @fresh(%x: tensor<?x4xi32>) -> (tensor<?x4xf64>, tensor<?x4xf64>) {
  %0 = onnx.RandomNormalLike(%x) {dtype = 11 : i64} : (tensor<?x4xi32>) -> tensor<?x4xf64>
  %1 = onnx.RandomNormalLike(%x) {dtype = 11 : i64} : (tensor<?x4xi32>) -> tensor<?x4xf64>
  return %0, %1 : tensor<?x4xf64>, tensor<?x4xf64>
}

// -----

// CHECK-LABEL: func.func @unused
// CHECK-NOT: util.global.load
// CHECK: return
func.func @unused() {
  %0 = onnx.RandomUniform() {shape = array<i64: 2>} : () -> tensor<2xf32>
  return
}

// -----

// CHECK-LABEL: func.func @bernoulli
// CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<?xf16>) outs(%{{.*}} : tensor<?xi8>)
// CHECK: arith.cmpf olt
func.func @bernoulli(%p: tensor<?xf16>) -> tensor<?xui8> {
  %0 = onnx.Bernoulli(%p) {dtype = 2 : i64, seed = 1.0 : f32} : (tensor<?xf16>) -> tensor<?xui8>
  return %0 : tensor<?xui8>
}

// -----

// CHECK-LABEL: func.func @multinomial
// CHECK: cf.assert %{{.*}}, "Multinomial has no classes to draw from"
// CHECK: math.exp
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "reduction"]} ins(%{{.*}}, %{{.*}} : tensor<?x?xf32>, tensor<?x5xf32>) outs(%{{.*}} : tensor<?x5xi64>)
// CHECK: arith.cmpf ole
func.func @multinomial(%x: tensor<?x?xf32>) -> tensor<?x5xi64> {
  %0 = onnx.Multinomial(%x) {dtype = 7 : i64, sample_size = 5 : i64, seed = 1.0 : f32} : (tensor<?x?xf32>) -> tensor<?x5xi64>
  return %0 : tensor<?x5xi64>
}

// -----

// In training the elements of the mask are drawn; where the run decides, they
// may all be true.

// CHECK-LABEL: func.func @training
// CHECK: %[[MASK:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<?xi1>)
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[MASK]] : tensor<?xf32>, tensor<?xi1>)
func.func @training(%x: tensor<?xf32>, %ratio: tensor<f32>, %mode: tensor<i1>) -> (tensor<?xf32>, tensor<?xi1>) {
  %0:2 = onnx.Dropout(%x, %ratio, %mode) {seed = 7 : i64} : (tensor<?xf32>, tensor<f32>, tensor<i1>) -> (tensor<?xf32>, tensor<?xi1>)
  return %0#0, %0#1 : tensor<?xf32>, tensor<?xi1>
}
