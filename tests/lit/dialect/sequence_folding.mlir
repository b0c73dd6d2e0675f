// RUN: omb-opt %s --canonicalize --split-input-file | FileCheck %s

// CHECK-LABEL: func.func @take
// CHECK-SAME: (%[[A:.*]]: tensor<2xf32>, %[[B:.*]]: tensor<3xf32>)
// CHECK: onnx.Identity(%[[B]]) : (tensor<3xf32>) -> tensor<?xf32>
// CHECK-NOT: Sequence
func.func @take(%a: tensor<2xf32>, %b: tensor<3xf32>) -> tensor<?xf32> {
  %i = onnx.Constant() {value = dense<-1> : tensor<i64>} : () -> tensor<i64>
  %s = onnx.SequenceConstruct(%a, %b) : (tensor<2xf32>, tensor<3xf32>) -> !onnx.seq<tensor<?xf32>>
  %0 = onnx.SequenceAt(%s, %i) : (!onnx.seq<tensor<?xf32>>, tensor<i64>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

// Positions that are out of range stop the run, and so stay.

// CHECK-LABEL: func.func @out_of_range
// CHECK: onnx.SequenceAt
func.func @out_of_range(%a: tensor<2xf32>) -> tensor<?xf32> {
  %i = onnx.Constant() {value = dense<1> : tensor<i64>} : () -> tensor<i64>
  %s = onnx.SequenceConstruct(%a) : (tensor<2xf32>) -> !onnx.seq<tensor<?xf32>>
  %0 = onnx.SequenceAt(%s, %i) : (!onnx.seq<tensor<?xf32>>, tensor<i64>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

// CHECK-LABEL: func.func @edit
// CHECK-SAME: (%[[A:.*]]: tensor<2xf32>, %[[B:.*]]: tensor<2xf32>, %[[C:.*]]: tensor<2xf32>)
// CHECK-DAG: %[[N:.*]] = onnx.Constant() {value = dense<2> : tensor<i64>}
// CHECK-DAG: %[[S:.*]] = onnx.SequenceConstruct(%[[C]], %[[B]])
// CHECK: return %[[S]], %[[N]]
func.func @edit(%a: tensor<2xf32>, %b: tensor<2xf32>, %c: tensor<2xf32>) -> (!onnx.seq<tensor<2xf32>>, tensor<i64>) {
  %zero = onnx.Constant() {value = dense<0> : tensor<i64>} : () -> tensor<i64>
  %e = onnx.SequenceEmpty() : () -> !onnx.seq<tensor<2xf32>>
  %0 = onnx.SequenceInsert(%e, %a) : (!onnx.seq<tensor<2xf32>>, tensor<2xf32>) -> !onnx.seq<tensor<2xf32>>
  %1 = onnx.SequenceInsert(%0, %b) : (!onnx.seq<tensor<2xf32>>, tensor<2xf32>) -> !onnx.seq<tensor<2xf32>>
  %2 = onnx.SequenceErase(%1, %zero) : (!onnx.seq<tensor<2xf32>>, tensor<i64>) -> !onnx.seq<tensor<2xf32>>
  %3 = onnx.SequenceInsert(%2, %c, %zero) : (!onnx.seq<tensor<2xf32>>, tensor<2xf32>, tensor<i64>) -> !onnx.seq<tensor<2xf32>>
  %n = onnx.SequenceLength(%3) : (!onnx.seq<tensor<2xf32>>) -> tensor<i64>
  return %3, %n : !onnx.seq<tensor<2xf32>>, tensor<i64>
}

// -----

// CHECK-LABEL: func.func @stack
// CHECK: %[[X:.*]] = onnx.Unsqueeze(%{{.*}}, %{{.*}})
// CHECK: %[[Y:.*]] = onnx.Unsqueeze(%{{.*}}, %{{.*}})
// CHECK: onnx.Concat(%[[X]], %[[Y]]) {axis = -1 : i64}
func.func @stack(%a: tensor<2xf32>, %b: tensor<2xf32>) -> tensor<?x?xf32> {
  %s = onnx.SequenceConstruct(%a, %b) : (tensor<2xf32>, tensor<2xf32>) -> !onnx.seq<tensor<2xf32>>
  %0 = onnx.ConcatFromSequence(%s) {axis = -1 : i64, new_axis = 1 : i64} : (!onnx.seq<tensor<2xf32>>) -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

// -----

// CHECK-LABEL: func.func @split
// CHECK: %[[SIZES:.*]] = onnx.Constant() {value = dense<[2, 2, 1]> : tensor<3xi64>}
// CHECK: %[[P:.*]]:3 = onnx.Split(%{{.*}}, %[[SIZES]]) {axis = 1 : i64}
// CHECK: onnx.SequenceConstruct(%[[P]]#0, %[[P]]#1, %[[P]]#2)
func.func @split(%a: tensor<?x5xf32>) -> !onnx.seq<tensor<?x?xf32>> {
  %two = onnx.Constant() {value = dense<2> : tensor<i32>} : () -> tensor<i32>
  %0 = onnx.SplitToSequence(%a, %two) {axis = -1 : i64} : (tensor<?x5xf32>, tensor<i32>) -> !onnx.seq<tensor<?x?xf32>>
  return %0 : !onnx.seq<tensor<?x?xf32>>
}

// -----

// CHECK-LABEL: func.func @split_dynamic
// CHECK: onnx.SplitToSequence
func.func @split_dynamic(%a: tensor<?x5xf32>) -> !onnx.seq<tensor<?x?xf32>> {
  %0 = onnx.SplitToSequence(%a) {axis = 0 : i64} : (tensor<?x5xf32>) -> !onnx.seq<tensor<?x?xf32>>
  return %0 : !onnx.seq<tensor<?x?xf32>>
}

// -----

// CHECK-LABEL: func.func @optional
// CHECK-SAME: (%[[A:.*]]: tensor<2xf32>, %[[O:.*]]: !onnx.optional<tensor<2xf32>>)
// CHECK-DAG: %[[YES:.*]] = onnx.Constant() {value = dense<true> : tensor<i1>}
// CHECK-DAG: %[[NO:.*]] = onnx.Constant() {value = dense<false> : tensor<i1>}
// CHECK: %[[MAYBE:.*]] = onnx.OptionalHasElement(%[[O]])
// CHECK: return %[[A]], %[[YES]], %[[NO]], %[[MAYBE]]
func.func @optional(%a: tensor<2xf32>, %o: !onnx.optional<tensor<2xf32>>) -> (tensor<2xf32>, tensor<i1>, tensor<i1>, tensor<i1>) {
  %0 = onnx.Optional(%a) : (tensor<2xf32>) -> !onnx.optional<tensor<2xf32>>
  %1 = onnx.OptionalGetElement(%0) : (!onnx.optional<tensor<2xf32>>) -> tensor<2xf32>
  %2 = onnx.OptionalHasElement(%0) : (!onnx.optional<tensor<2xf32>>) -> tensor<i1>
  %3 = onnx.OptionalHasElement() : () -> tensor<i1>
  %4 = onnx.OptionalHasElement(%o) : (!onnx.optional<tensor<2xf32>>) -> tensor<i1>
  return %1, %2, %3, %4 : tensor<2xf32>, tensor<i1>, tensor<i1>, tensor<i1>
}
