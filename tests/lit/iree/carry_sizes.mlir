// RUN: omb-opt %s --omb-carry-sizes | FileCheck %s

// CHECK-LABEL: func.func @for
// CHECK-SAME: (%[[X:.*]]: tensor<?x3xf32>, %[[S:.*]]: tensor<2xf32>,
// CHECK: %[[D:.*]] = tensor.dim %[[X]]
// CHECK: %[[R:.*]]:3 = scf.for {{.*}} iter_args(%[[A:.*]] = %[[X]], %[[B:.*]] = %[[S]], %[[N:.*]] = %[[D]]) -> (tensor<?x3xf32>, tensor<2xf32>, index)
// CHECK-NEXT: %[[T:.*]] = "flow.tensor.tie_shape"(%[[A]], %[[N]]) : (tensor<?x3xf32>, index) -> tensor<?x3xf32>
// CHECK: %[[Y:.*]] = tensor.concat dim(0) %[[T]], %[[T]]
// CHECK: %[[E:.*]] = tensor.dim %[[Y]]
// CHECK: scf.yield %[[Y]], %[[B]], %[[E]]
// CHECK: %[[L:.*]] = "flow.tensor.tie_shape"(%[[R]]#0, %[[R]]#2)
// CHECK: return %[[L]]
func.func @for(%x: tensor<?x3xf32>, %s: tensor<2xf32>, %n: index) -> tensor<?x3xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %b = %s) -> (tensor<?x3xf32>, tensor<2xf32>) {
    %y = tensor.concat dim(0) %a, %a : (tensor<?x3xf32>, tensor<?x3xf32>) -> tensor<?x3xf32>
    scf.yield %y, %b : tensor<?x3xf32>, tensor<2xf32>
  }
  return %r#0 : tensor<?x3xf32>
}

// What a while exchanges exchanges its sizes.

// CHECK-LABEL: func.func @while
// CHECK: scf.while (%[[A:.*]] = %{{.*}}, %[[B:.*]] = %{{.*}}, %[[M:.*]] = %{{.*}}, %[[N:.*]] = %{{.*}}) :
// CHECK-DAG: %[[TA:.*]] = "flow.tensor.tie_shape"(%[[A]], %[[M]])
// CHECK-DAG: %[[TB:.*]] = "flow.tensor.tie_shape"(%[[B]], %[[N]])
// CHECK-DAG: %[[DA:.*]] = tensor.dim %[[TA]]
// CHECK-DAG: %[[DB:.*]] = tensor.dim %[[TB]]
// CHECK: scf.condition(%{{.*}}) %[[TA]], %[[TB]], %[[DA]], %[[DB]]
// CHECK: ^bb0(%[[C:.*]]: tensor<?xf32>, %[[D:.*]]: tensor<?xf32>, %[[K:.*]]: index, %[[L:.*]]: index):
// CHECK-DAG: %[[TC:.*]] = "flow.tensor.tie_shape"(%[[C]], %[[K]])
// CHECK-DAG: %[[TD:.*]] = "flow.tensor.tie_shape"(%[[D]], %[[L]])
// CHECK-DAG: %[[DC:.*]] = tensor.dim %[[TC]]
// CHECK-DAG: %[[DD:.*]] = tensor.dim %[[TD]]
// CHECK: scf.yield %[[TD]], %[[TC]], %[[DD]], %[[DC]]
func.func @while(%x: tensor<?xf32>, %y: tensor<?xf32>, %go: i1) -> tensor<?xf32> {
  %r:2 = scf.while (%a = %x, %b = %y) : (tensor<?xf32>, tensor<?xf32>) -> (tensor<?xf32>, tensor<?xf32>) {
    scf.condition(%go) %a, %b : tensor<?xf32>, tensor<?xf32>
  } do {
  ^bb0(%a: tensor<?xf32>, %b: tensor<?xf32>):
    scf.yield %b, %a : tensor<?xf32>, tensor<?xf32>
  }
  return %r#0 : tensor<?xf32>
}

// CHECK-LABEL: func.func @if
// CHECK: %[[R:.*]]:2 = scf.if %{{.*}} -> (tensor<?xf32>, index)
// CHECK: scf.yield %[[X:.*]], %{{.*}} : tensor<?xf32>, index
// CHECK: } else {
// CHECK: scf.yield %{{.*}}, %{{.*}} : tensor<?xf32>, index
// CHECK: "flow.tensor.tie_shape"(%[[R]]#0, %[[R]]#1)
func.func @if(%c: i1, %x: tensor<?xf32>, %y: tensor<?xf32>) -> tensor<?xf32> {
  %r = scf.if %c -> tensor<?xf32> {
    scf.yield %x : tensor<?xf32>
  } else {
    scf.yield %y : tensor<?xf32>
  }
  return %r : tensor<?xf32>
}

// Nothing to carry.

// CHECK-LABEL: func.func @static
// CHECK-NOT: tie_shape
// CHECK: return
func.func @static(%c: i1, %x: tensor<3xf32>, %n: index) -> tensor<3xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> (tensor<3xf32>) {
    %s = scf.if %c -> tensor<3xf32> {
      scf.yield %a : tensor<3xf32>
    } else {
      scf.yield %x : tensor<3xf32>
    }
    scf.yield %s : tensor<3xf32>
  }
  return %r : tensor<3xf32>
}
