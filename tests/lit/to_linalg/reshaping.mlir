// RUN: omb-opt %s --omb-simplify | FileCheck %s --check-prefix=ONNX
// RUN: omb-opt %s --omb-to-linalg | FileCheck %s

// Names of dimensions go through reshapes by constants, by computed shapes and
// through products, and come back.

// ONNX-LABEL: func.func @names_survive
// ONNX: onnx.Reshape(%{{.*}}, %{{.*}}) {{.*}} -> tensor<?x?x12x64xf32, #onnx.dims<"batch", "seq", ?, ?>>
// ONNX: onnx.Flatten({{.*}} -> tensor<?x768xf32, #onnx.dims<"batch * seq", ?>>
// ONNX: onnx.Reshape({{.*}} -> tensor<?x?x768xf32, #onnx.dims<"batch", "seq", ?>>

// Equal names need no check at run time; splitting the product does, and sizes
// that are computed.
// CHECK-LABEL: func.func @names_survive
// CHECK: cf.assert {{.*}} "the shape has several sizes of -1"
// CHECK: cf.assert {{.*}} "the shape has a negative size"
// CHECK: cf.assert {{.*}} "the shape has another number of elements than the input"
// CHECK-NOT: cf.assert
func.func @names_survive(%x: tensor<?x?x768xf32, #onnx.dims<"batch","seq",?>>) -> tensor<*xf32> {
  %s = onnx.Constant() {value = dense<[0,0,12,64]> : tensor<4xi64>} : () -> tensor<4xi64>
  %0 = onnx.Reshape(%x, %s) : (tensor<?x?x768xf32, #onnx.dims<"batch","seq",?>>, tensor<4xi64>) -> tensor<*xf32>
  %1 = onnx.Transpose(%0) {perm = array<i64: 0,2,1,3>} : (tensor<*xf32>) -> tensor<*xf32>
  %2 = onnx.Transpose(%1) {perm = array<i64: 0,2,1,3>} : (tensor<*xf32>) -> tensor<*xf32>
  %shp = onnx.Shape(%x) : (tensor<?x?x768xf32, #onnx.dims<"batch","seq",?>>) -> tensor<*xi64>
  %i0 = onnx.Constant() {value = dense<0> : tensor<i64>} : () -> tensor<i64>
  %a0 = onnx.Constant() {value = dense<0> : tensor<1xi64>} : () -> tensor<1xi64>
  %m = onnx.Constant() {value = dense<-1> : tensor<1xi64>} : () -> tensor<1xi64>
  %c = onnx.Constant() {value = dense<768> : tensor<1xi64>} : () -> tensor<1xi64>
  %g = onnx.Gather(%shp, %i0) : (tensor<*xi64>, tensor<i64>) -> tensor<*xi64>
  %u = onnx.Unsqueeze(%g, %a0) : (tensor<*xi64>, tensor<1xi64>) -> tensor<*xi64>
  %cc = onnx.Concat(%u, %m, %c) {axis = 0} : (tensor<*xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<*xi64>
  %3 = onnx.Reshape(%2, %cc) : (tensor<*xf32>, tensor<*xi64>) -> tensor<*xf32>
  %4 = onnx.Flatten(%3) {axis = 2} : (tensor<*xf32>) -> tensor<*xf32>
  %5 = onnx.Reshape(%4, %cc) : (tensor<*xf32>, tensor<*xi64>) -> tensor<*xf32>
  return %5 : tensor<*xf32>
}

// Without axes, a dynamic size of 1 would change the rank.

// CHECK-LABEL: func.func @squeeze_dynamic
// CHECK-SAME: %[[X:.*]]: tensor<?x1x3xf32>
// CHECK: %[[N:.*]] = tensor.dim %[[X]], %c0
// CHECK: %[[FITS:.*]] = arith.cmpi ne, %[[N]], %c1
// CHECK: cf.assert %[[FITS]], "{{.*}}dimension 0 turns out to be 1; give it axes"
// CHECK: tensor.collapse_shape %[[X]]
func.func @squeeze_dynamic(%x: tensor<?x1x3xf32>) -> tensor<?x3xf32> {
  %0 = onnx.Squeeze(%x) : (tensor<?x1x3xf32>) -> tensor<?x3xf32>
  return %0 : tensor<?x3xf32>
}

// A rank that only the model declares is checked at run time.

// CHECK-LABEL: func.func @reshape_declared
// CHECK-SAME: %[[SHAPE:[a-z0-9]+]]: tensor<?xi64>
// CHECK: %[[COUNT:.*]] = tensor.dim %[[SHAPE]]
// CHECK: %[[FITS:.*]] = arith.cmpi eq, %[[COUNT]], %c2
// CHECK: cf.assert %[[FITS]], "{{.*}}another rank than the model declares"
func.func @reshape_declared(%x: tensor<?xf32>, %shape: tensor<?xi64>) -> tensor<?x?xf32> {
  %0 = onnx.Reshape(%x, %shape) : (tensor<?xf32>, tensor<?xi64>) -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

// CHECK-LABEL: func.func @unsqueeze_declared
// CHECK-SAME: %[[AXES:[a-z0-9]+]]: tensor<?xi64>
// CHECK: %[[COUNT:.*]] = tensor.dim %[[AXES]]
// CHECK: %[[FITS:.*]] = arith.cmpi eq, %[[COUNT]], %c2
// CHECK: cf.assert %[[FITS]], "{{.*}}another rank than the model declares"
func.func @unsqueeze_declared(%x: tensor<?xf32>, %axes: tensor<?xi64>) -> tensor<?x?x?xf32> {
  %0 = onnx.Unsqueeze(%x, %axes) : (tensor<?xf32>, tensor<?xi64>) -> tensor<?x?x?xf32>
  return %0 : tensor<?x?x?xf32>
}

// CHECK-LABEL: func.func @expand_declared
// CHECK-SAME: %[[SHAPE:[a-z0-9]+]]: tensor<?xi64>
// CHECK: %[[COUNT:.*]] = tensor.dim %[[SHAPE]]
// CHECK: %[[FITS:.*]] = arith.cmpi eq, %[[COUNT]], %c2
// CHECK: cf.assert %[[FITS]], "{{.*}}another rank than the model declares"
func.func @expand_declared(%x: tensor<?xf32>, %shape: tensor<?xi64>) -> tensor<?x?xf32> {
  %0 = onnx.Expand(%x, %shape) : (tensor<?xf32>, tensor<?xi64>) -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

// Known numbers need no check.

// CHECK-LABEL: func.func @unsqueeze_computed
// CHECK-NOT: another rank than the model declares
func.func @unsqueeze_computed(%x: tensor<?xf32>, %axes: tensor<2xi64>) -> tensor<?x?x?xf32> {
  %0 = onnx.Unsqueeze(%x, %axes) : (tensor<?xf32>, tensor<2xi64>) -> tensor<?x?x?xf32>
  return %0 : tensor<?x?x?xf32>
}
