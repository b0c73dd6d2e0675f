// RUN: omb-opt %s | omb-opt | FileCheck %s

// CHECK-LABEL: func.func @optional_operands
// CHECK: onnx.Clip(%{{.*}}, none, %{{.*}}) : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
// CHECK: onnx.Clip(%{{.*}}) : (tensor<4xf32>) -> tensor<4xf32>
func.func @optional_operands(%x: tensor<4xf32>, %max: tensor<f32>) -> tensor<4xf32> {
  %0 = onnx.Clip(%x, none, %max) : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %1 = onnx.Clip(%0) : (tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// CHECK-LABEL: func.func @optional_results
// CHECK: %Y, %InvStdDev = onnx.LayerNormalization(%{{.*}}, %{{.*}}) {{{.*}}} : (tensor<2x3xf32>, tensor<3xf32>) -> (tensor<2x3xf32>, none, tensor<2x1xf32>)
func.func @optional_results(%x: tensor<2x3xf32>, %s: tensor<3xf32>) -> tensor<2x1xf32> {
  %0:2 = onnx.LayerNormalization(%x, %s) : (tensor<2x3xf32>, tensor<3xf32>) -> (tensor<2x3xf32>, none, tensor<2x1xf32>)
  return %0#1 : tensor<2x1xf32>
}

// CHECK-LABEL: func.func @regions
// CHECK: onnx.If(%{{.*}}) : (tensor<i1>) -> tensor<f32> else_branch {
// CHECK:   onnx.Yield
// CHECK: } then_branch {
func.func @regions(%c: tensor<i1>, %x: tensor<f32>) -> tensor<f32> {
  %0 = onnx.If(%c) : (tensor<i1>) -> tensor<f32> else_branch {
    %1 = onnx.Neg(%x) : (tensor<f32>) -> tensor<f32>
    onnx.Yield %1 : tensor<f32>
  } then_branch {
    onnx.Yield %x : tensor<f32>
  }
  return %0 : tensor<f32>
}

// CHECK-LABEL: func.func @types
// CHECK-SAME: !onnx.seq<tensor<?xf32>>, %{{.*}}: !onnx.optional<tensor<*xi64>>, %{{.*}}: !onnx.map<i64, f32>, %{{.*}}: tensor<2x!onnx.string>
// CHECK-SAME: tensor<?x3x?xui8, #onnx.dims<"batch", ?, ?>>
func.func @types(%a: !onnx.seq<tensor<?xf32>>, %b: !onnx.optional<tensor<*xi64>>, %c: !onnx.map<i64, f32>,
                 %d: tensor<2x!onnx.string>, %e: tensor<?x3x?xui8, #onnx.dims<"batch", ?, ?>>) {
  return
}

// CHECK-LABEL: func.func @variadic
// CHECK: onnx.Concat(%{{.*}}, %{{.*}}, %{{.*}}) {axis = 0 : i64}
func.func @variadic(%x: tensor<2xf32>) -> tensor<6xf32> {
  %0 = onnx.Concat(%x, %x, %x) {axis = 0 : i64} : (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<6xf32>
  return %0 : tensor<6xf32>
}
