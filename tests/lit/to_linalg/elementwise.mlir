// RUN: omb-opt %s --omb-to-linalg --split-input-file | FileCheck %s

// CHECK-DAG: #[[SAME:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG: #[[LAST:.*]] = affine_map<(d0, d1) -> (d1)>
// CHECK-LABEL: func.func @broadcast
// CHECK: linalg.generic {indexing_maps = [#[[SAME]], #[[LAST]], #[[SAME]]], iterator_types = ["parallel", "parallel"]}
// CHECK: arith.addf
func.func @broadcast(%a: tensor<2x3xf32>, %b: tensor<3xf32>) -> tensor<*xf32> {
  %0 = onnx.Add(%a, %b) : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// Equal names are equal sizes; other names may be 1.
// CHECK-LABEL: func.func @named
// CHECK-NOT: cf.assert
// CHECK: arith.mulf
// CHECK: cf.assert %{{.*}}, "operand 0 can't be broadcast
// CHECK: cf.assert %{{.*}}, "operand 1 can't be broadcast
// CHECK: arith.mulf
func.func @named(%a: tensor<?xf32, #onnx.dims<"n">>, %b: tensor<?xf32, #onnx.dims<"n">>, %c: tensor<?xf32, #onnx.dims<"m">>) -> tensor<*xf32> {
  %0 = onnx.Mul(%a, %b) : (tensor<?xf32, #onnx.dims<"n">>, tensor<?xf32, #onnx.dims<"n">>) -> tensor<*xf32>
  %1 = onnx.Mul(%0, %c) : (tensor<*xf32>, tensor<?xf32, #onnx.dims<"m">>) -> tensor<*xf32>
  return %1 : tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @half_is_computed_wide
// CHECK: arith.extf %{{.*}} : f16 to f32
// CHECK: math.exp %{{.*}} : f32
// CHECK: arith.truncf %{{.*}} : f32 to f16
func.func @half_is_computed_wide(%a: tensor<4xf16>) -> tensor<*xf16> {
  %0 = onnx.Exp(%a) : (tensor<4xf16>) -> tensor<*xf16>
  return %0 : tensor<*xf16>
}

// -----

// Signedness is that of the type before conversion; n / 0 doesn't trap.
// CHECK-LABEL: func.func @unsigned_division
// CHECK: %[[BAD:.*]] = arith.cmpi eq, %{{.*}}, %c0_i32
// CHECK: arith.select %[[BAD]], %c1_i32
// CHECK: arith.divui
func.func @unsigned_division(%a: tensor<4xui32>, %b: tensor<4xui32>) -> tensor<*xui32> {
  %0 = onnx.Div(%a, %b) : (tensor<4xui32>, tensor<4xui32>) -> tensor<*xui32>
  return %0 : tensor<*xui32>
}

// -----

// A small constant exponent takes multiplications.
// CHECK-LABEL: func.func @square
// CHECK-NOT: math.
// CHECK: arith.mulf %[[X:.*]], %[[X]] : f32
// CHECK-NEXT: linalg.yield
func.func @square(%a: tensor<4xf32>) -> tensor<*xf32> {
  %two = onnx.Constant() {value = dense<2> : tensor<i64>} : () -> tensor<i64>
  %0 = onnx.Pow(%a, %two) : (tensor<4xf32>, tensor<i64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// Integers wrap: no float is involved.
// CHECK-LABEL: func.func @integer_power
// CHECK-NOT: arith.sitofp
// CHECK-COUNT-2: arith.muli
// CHECK-NOT: arith.muli
// CHECK: return
func.func @integer_power(%a: tensor<4xi32>) -> tensor<*xi32> {
  %three = onnx.Constant() {value = dense<3> : tensor<i32>} : () -> tensor<i32>
  %0 = onnx.Pow(%a, %three) : (tensor<4xi32>, tensor<i32>) -> tensor<*xi32>
  return %0 : tensor<*xi32>
}

// -----

// f64 has no op of math that all targets have code for.
// CHECK-LABEL: func.func @double
// CHECK-NOT: math.exp
// CHECK-NOT: math.sin
// Nor has LLVM one of arith for the long product, in vectors of several dimensions.
// CHECK-NOT: _extended
// CHECK: return
func.func @double(%a: tensor<4xf64>) -> tensor<*xf64> {
  %0 = onnx.Sin(%a) : (tensor<4xf64>) -> tensor<*xf64>
  %1 = onnx.Exp(%0) : (tensor<*xf64>) -> tensor<*xf64>
  return %1 : tensor<*xf64>
}

// -----

// The exact remainder: no division of floats.
// CHECK-LABEL: func.func @fmod
// CHECK-NOT: arith.remf
// CHECK: scf.while
func.func @fmod(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<*xf32> {
  %0 = onnx.Mod(%a, %b) {fmod = 1} : (tensor<4xf32>, tensor<4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}
