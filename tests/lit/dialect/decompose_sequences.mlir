// RUN: omb-opt %s --onnx-infer-shapes --onnx-decompose-sequences --split-input-file | FileCheck %s

// The attributes of an argument are repeated for its parts.

// CHECK-LABEL: func.func @append
// CHECK-SAME: (%[[V:.*]]: tensor<?xf32> {onnx.name = "s"}, %[[S:.*]]: tensor<?x2xi64> {onnx.name = "s"}, %[[T:.*]]: tensor<?x3xf32> {onnx.name = "t"})
// CHECK-SAME: -> (tensor<?xf32{{.*}}>, tensor<?x2xi64{{.*}}>)
// CHECK-DAG: %[[FLAT:.*]] = onnx.Reshape(%[[T]]
// CHECK-DAG: onnx.Concat(%[[V]], %[[FLAT]]) {axis = 0 : i64}
// CHECK-DAG: onnx.Concat(%[[S]], %{{.*}}) {axis = 0 : i64}
// CHECK-NOT: !onnx.seq
func.func @append(%s: !onnx.seq<tensor<?x3xf32>> {onnx.name = "s"}, %t: tensor<?x3xf32> {onnx.name = "t"}) -> !onnx.seq<tensor<?x3xf32>> {
  %0 = onnx.SequenceInsert(%s, %t) : (!onnx.seq<tensor<?x3xf32>>, tensor<?x3xf32>) -> !onnx.seq<tensor<?x3xf32>>
  return %0 : !onnx.seq<tensor<?x3xf32>>
}

// -----

// The element's static sizes come back.

// CHECK-LABEL: func.func @at
// CHECK: cf.assert %{{.*}}, "the position in the sequence is out of range"
// CHECK: %[[R:.*]] = onnx.Reshape({{.*}}) {allowzero = 1 : i64} : {{.*}} -> tensor<?x3xf32
// CHECK: return %[[R]]
func.func @at(%s: !onnx.seq<tensor<?x3xf32>>, %i: tensor<i32>) -> tensor<?x3xf32> {
  %0 = onnx.SequenceAt(%s, %i) : (!onnx.seq<tensor<?x3xf32>>, tensor<i32>) -> tensor<?x3xf32>
  return %0 : tensor<?x3xf32>
}

// -----

// A loop that collects starts with no tensor: the rank is that of what comes.

// CHECK-LABEL: func.func @collect
// CHECK: onnx.Loop({{.*}}) : (tensor<i64>, tensor<0xf32>, tensor<0x1xi64>) -> (tensor<?xf32{{.*}}>, tensor<?x1xi64{{.*}}>)
// CHECK: ^bb0(%{{.*}}: tensor<i64>, %{{.*}}: tensor<i1>, %{{.*}}: tensor<?xf32{{.*}}>, %{{.*}}: tensor<?x1xi64{{.*}}>):
// CHECK: onnx.Yield {{.*}} : tensor<i1>, tensor<?xf32{{.*}}>, tensor<?x1xi64{{.*}}>
func.func @collect(%n: tensor<i64>, %x: tensor<?xf32>) -> !onnx.seq<tensor<*xf32>> {
  %e = onnx.SequenceEmpty() : () -> !onnx.seq<tensor<*xf32>>
  %r = onnx.Loop(%n, none, %e) : (tensor<i64>, !onnx.seq<tensor<*xf32>>) -> !onnx.seq<tensor<*xf32>> body {
  ^bb0(%i: tensor<i64>, %c: tensor<i1>, %s: !onnx.seq<tensor<*xf32>>):
    %1 = onnx.SequenceInsert(%s, %x) : (!onnx.seq<tensor<*xf32>>, tensor<?xf32>) -> !onnx.seq<tensor<*xf32>>
    onnx.Yield %c, %1 : tensor<i1>, !onnx.seq<tensor<*xf32>>
  }
  return %r : !onnx.seq<tensor<*xf32>>
}

// -----

// Something stands in for an absent value.

// CHECK-LABEL: func.func @nothing
// CHECK-SAME: -> (tensor<i1>, tensor<4xf32>, tensor<i1>, tensor<0xf32>)
// CHECK: dense<false> : tensor<i1>
func.func @nothing() -> (!onnx.optional<tensor<4xf32>>, !onnx.optional<tensor<?xf32>>) {
  %0 = onnx.Optional() {type = tensor<4xf32>} : () -> !onnx.optional<tensor<4xf32>>
  %1 = onnx.Optional() {type = tensor<?xf32>} : () -> !onnx.optional<tensor<?xf32>>
  return %0, %1 : !onnx.optional<tensor<4xf32>>, !onnx.optional<tensor<?xf32>>
}

// -----

// CHECK-LABEL: func.func @get
// CHECK-SAME: (%[[HAS:.*]]: tensor<i1>, %[[X:.*]]: tensor<4xf32>)
// CHECK: %[[B:.*]] = tensor.extract %[[HAS]][]
// CHECK: cf.assert %[[B]], "the optional value is absent"
// CHECK: return %[[X]]
func.func @get(%o: !onnx.optional<tensor<4xf32>>) -> tensor<4xf32> {
  %0 = onnx.OptionalGetElement(%o) : (!onnx.optional<tensor<4xf32>>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
