// RUN: omb-opt %s --omb-isolate-carried-tensors | FileCheck %s

// CHECK-LABEL: func.func @loop
// CHECK: %[[FILLED:.*]] = linalg.fill
// CHECK: %[[DIM:.*]] = tensor.dim %[[FILLED]]
// CHECK: %[[B:.*]] = "util.optimization_barrier"(%[[FILLED]])
// CHECK: %[[INIT:.*]] = "flow.tensor.tie_shape"(%[[B]], %{{.*}}) : (tensor<?xf32>, index) -> tensor<?xf32>
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %[[INIT]], %{{.*}} = %{{.*}})
// CHECK:   %[[NEXT:.*]] = "util.optimization_barrier"
// CHECK:   %[[TIED:.*]] = "flow.tensor.tie_shape"(%[[NEXT]]
// CHECK:   %[[STATIC:.*]] = "util.optimization_barrier"
// CHECK:   scf.yield %[[TIED]], %[[STATIC]] : tensor<?xf32>, tensor<4xf32>
func.func @loop(%n: index, %s: tensor<4xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%n) : tensor<?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%x = %f, %y = %s) -> (tensor<?xf32>, tensor<4xf32>) {
    %a = linalg.abs ins(%x : tensor<?xf32>) outs(%x : tensor<?xf32>) -> tensor<?xf32>
    %b = linalg.fill ins(%zero : f32) outs(%y : tensor<4xf32>) -> tensor<4xf32>
    scf.yield %a, %b : tensor<?xf32>, tensor<4xf32>
  }
  return %r#0 : tensor<?xf32>
}

// Static sizes only, and nothing is written to the start: no barrier.

// CHECK-LABEL: func.func @static
// CHECK-NOT: util.optimization_barrier
// CHECK: return
func.func @static(%n: index, %s: tensor<4xf32>) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%x = %s) -> (tensor<4xf32>) {
    %a = linalg.abs ins(%x : tensor<4xf32>) outs(%x : tensor<4xf32>) -> tensor<4xf32>
    scf.yield %a : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @empty_start
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %{{.*}})
// CHECK-NOT: util.optimization_barrier{{.*}}tensor<0xf32>
// CHECK: util.optimization_barrier
func.func @empty_start(%n: index, %s: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %e = tensor.empty() : tensor<0xf32>
  %f = tensor.cast %e : tensor<0xf32> to tensor<?xf32>
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%x = %f) -> (tensor<?xf32>) {
    %a = linalg.abs ins(%s : tensor<?xf32>) outs(%s : tensor<?xf32>) -> tensor<?xf32>
    scf.yield %a : tensor<?xf32>
  }
  return %r : tensor<?xf32>
}

// The branches' sizes are their own, arguments' too.

// CHECK-LABEL: func.func @choose
// CHECK-SAME: (%[[C:.*]]: i1, %[[X:.*]]: tensor<?xf32>, %[[Y:.*]]: tensor<?xf32>)
// CHECK: scf.if %[[C]] -> (tensor<?xf32>)
// CHECK:   "util.optimization_barrier"(%[[X]])
// CHECK:   "flow.tensor.tie_shape"
// CHECK: else
// CHECK:   "util.optimization_barrier"(%[[Y]])
// CHECK:   "flow.tensor.tie_shape"
func.func @choose(%c: i1, %x: tensor<?xf32>, %y: tensor<?xf32>) -> tensor<?xf32> {
  %r = arith.select %c, %x, %y : tensor<?xf32>
  return %r : tensor<?xf32>
}

// What starts empty is an allocation whose size of 0 isn't known.

// CHECK-LABEL: func.func @grow
// CHECK: %[[SIZE:.*]] = "util.optimization_barrier"(%{{.*}}) : (index) -> index
// CHECK: %[[EMPTY:.*]] = tensor.empty(%[[SIZE]]) : tensor<?xf32>
// CHECK: %[[FILLED:.*]] = linalg.fill ins(%{{.*}} : f32) outs(%[[EMPTY]] : tensor<?xf32>)
// CHECK: %[[B:.*]] = "util.optimization_barrier"(%[[FILLED]])
// CHECK: %[[INIT:.*]] = "flow.tensor.tie_shape"(%[[B]]
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %[[INIT]])
func.func @grow(%n: index, %s: tensor<4xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %none = arith.constant dense<> : tensor<0xf32>
  %e = tensor.cast %none : tensor<0xf32> to tensor<?xf32>
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%x = %e) -> tensor<?xf32> {
    %y = tensor.concat dim(0) %x, %s : (tensor<?xf32>, tensor<4xf32>) -> tensor<?xf32>
    scf.yield %y : tensor<?xf32>
  }
  return %r : tensor<?xf32>
}

// A while carries as many values as it has: its condition passes on all that it
// gets, also what the body doesn't read. They are behind barriers, with sizes of
// their own, and read.

// CHECK-LABEL: func.func @while
// CHECK: %[[R:.*]]:3 = scf.while (%[[A:.*]] = %{{.*}}, %[[I:.*]] = %{{.*}}, %[[X:.*]] = %{{.*}})
// CHECK: %[[PA:.*]] = "util.optimization_barrier"(%[[A]])
// CHECK: %[[PI:.*]] = "util.optimization_barrier"(%[[I]])
// CHECK: %[[DIM:.*]] = tensor.dim %[[X]]
// CHECK: %[[SIZE:.*]] = "util.optimization_barrier"(%[[DIM]]) : (index) -> index
// CHECK: %[[B:.*]] = "util.optimization_barrier"(%[[X]])
// CHECK: %[[PX:.*]] = "flow.tensor.tie_shape"(%[[B]], %[[SIZE]])
// CHECK: scf.condition(%{{.*}}) %[[PA]], %[[PI]], %[[PX]] : tensor<2xf32>, index, tensor<?xf32>
// CHECK: } do {
// CHECK-NEXT: ^bb0(%[[NA:.*]]: tensor<2xf32>, %[[NI:.*]]: index, %[[NX:.*]]: tensor<?xf32>):
// CHECK-NEXT: "util.optimization_barrier"(%[[NA]])
// CHECK-NEXT: "util.optimization_barrier"(%[[NI]])
// CHECK: %[[READ:.*]] = tensor.dim %[[NX]]
// CHECK: "util.optimization_barrier"(%[[READ]])
// CHECK: "util.optimization_barrier"(%[[NX]])
// CHECK: scf.yield
// CHECK: return %[[R]]#2
func.func @while(%n: index, %s: tensor<2xf32>, %x: tensor<?xf32>) -> tensor<?xf32> {
  %zero = arith.constant 0 : index
  %r:2 = scf.while (%a = %s, %i = %n, %c = %x) : (tensor<2xf32>, index, tensor<?xf32>) -> (tensor<?xf32>, tensor<2xf32>) {
    %again = arith.cmpi slt, %i, %zero : index
    scf.condition(%again) %c, %a : tensor<?xf32>, tensor<2xf32>
  } do {
  ^bb0(%c: tensor<?xf32>, %a: tensor<2xf32>):
    %d = linalg.abs ins(%c : tensor<?xf32>) outs(%c : tensor<?xf32>) -> tensor<?xf32>
    scf.yield %a, %zero, %d : tensor<2xf32>, index, tensor<?xf32>
  }
  return %r#0 : tensor<?xf32>
}

// Left alone: loops within the computation of an element.

// CHECK-LABEL: func.func @of_elements
// CHECK-NOT: optimization_barrier
func.func @of_elements(%x: tensor<4xi32>) -> tensor<4xi32> {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} outs(%x : tensor<4xi32>) {
  ^bb0(%e: i32):
    %one = arith.constant 1 : i32
    %w:2 = scf.while (%a = %e, %b = %e) : (i32, i32) -> (i32, i32) {
      %again = arith.cmpi slt, %a, %b : i32
      scf.condition(%again) %a, %b : i32, i32
    } do {
    ^bb0(%a: i32, %b: i32):
      scf.yield %one, %one : i32, i32
    }
    linalg.yield %w#0 : i32
  } -> tensor<4xi32>
  return %r : tensor<4xi32>
}

// A tensor that a while carries twice is a copy the second time.

// CHECK-LABEL: func.func @twice
// CHECK: } do {
// CHECK: %[[D:.*]] = linalg.abs
// CHECK: %[[TRUE:.*]] = "util.optimization_barrier"(%{{.*}}) : (i1) -> i1
// CHECK: %[[COPY:.*]] = linalg.generic {{.*}} ins(%[[D]] : tensor<?xf32>)
// CHECK-NEXT: ^bb0(%[[IN:.*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: arith.select %[[TRUE]], %[[IN]]
// CHECK: "util.optimization_barrier"(%[[D]])
// CHECK: "util.optimization_barrier"(%[[COPY]])
// CHECK: scf.yield
func.func @twice(%x: tensor<?xf32>, %y: tensor<?xf32>, %go: i1) -> tensor<?xf32> {
  %r:2 = scf.while (%a = %x, %b = %y) : (tensor<?xf32>, tensor<?xf32>) -> (tensor<?xf32>, tensor<?xf32>) {
    scf.condition(%go) %a, %b : tensor<?xf32>, tensor<?xf32>
  } do {
  ^bb0(%a: tensor<?xf32>, %b: tensor<?xf32>):
    %d = linalg.abs ins(%b : tensor<?xf32>) outs(%a : tensor<?xf32>) -> tensor<?xf32>
    scf.yield %d, %d : tensor<?xf32>, tensor<?xf32>
  }
  return %r#0 : tensor<?xf32>
}

// What a loop carries and doesn't read is read.

// CHECK-LABEL: func.func @unread
// CHECK: scf.for {{.*}} iter_args(%[[X:.*]] = %{{.*}})
// CHECK-NEXT: %[[C:.*]] = arith.constant 0
// CHECK-NEXT: %[[DIM:.*]] = tensor.dim %[[X]], %[[C]]
// CHECK-NEXT: "util.optimization_barrier"(%[[DIM]])
// CHECK-NEXT: "util.optimization_barrier"(%[[X]])
func.func @unread(%x: tensor<?xf32>, %y: tensor<?xf32>, %n: index) -> tensor<?xf32> {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %r = scf.for %i = %zero to %n step %one iter_args(%a = %x) -> tensor<?xf32> {
    scf.yield %y : tensor<?xf32>
  }
  return %r : tensor<?xf32>
}

// What is computed before a loop and used after it isn't in one partition with
// both.

// CHECK-LABEL: func.func @read_after
// CHECK: %[[START:.*]] = linalg.abs
// CHECK: %[[B:.*]] = "util.optimization_barrier"(%[[START]])
// CHECK: %[[R:.*]] = scf.for {{.*}} iter_args(%{{.*}} = %[[B]])
// CHECK: linalg.add ins(%[[R]], %[[START]]
func.func @read_after(%x: tensor<3xf32>, %e: tensor<3xf32>, %n: index) -> tensor<3xf32> {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %start = linalg.abs ins(%x : tensor<3xf32>) outs(%e : tensor<3xf32>) -> tensor<3xf32>
  %r = scf.for %i = %zero to %n step %one iter_args(%a = %start) -> tensor<3xf32> {
    %b = linalg.exp ins(%a : tensor<3xf32>) outs(%e : tensor<3xf32>) -> tensor<3xf32>
    scf.yield %b : tensor<3xf32>
  }
  %y = linalg.add ins(%r, %start : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) -> tensor<3xf32>
  return %y : tensor<3xf32>
}

// What follows from constants is passed on as a copy, which IREE may free; a choice of it becomes branches that do. What is
// filled has no memory to free.
// CHECK-LABEL: func.func @constants
// CHECK:         %[[C:.*]] = arith.constant dense<[1.000000e+00, 2.000000e+00]>
// CHECK:         %[[E:.*]] = linalg.exp
// CHECK:         %[[T:.*]] = "util.optimization_barrier"(%true{{.*}}) : (i1) -> i1
// CHECK:         %[[COPY:.*]] = linalg.generic {{.*}} ins(%[[E]] : tensor<2xf32>)
// CHECK:           arith.select %[[T]]
// CHECK:         scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}, %{{.*}} = %{{.*}})
// CHECK:         scf.if
// CHECK:           linalg.generic {{.*}} ins(%[[C]] : tensor<2xf32>)
// CHECK:             arith.select
// CHECK:         } else {
// CHECK-NEXT:      scf.yield
func.func @constants(%n: index, %c: i1, %x: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) {
  %zero = arith.constant 0.0 : f32
  %i0 = arith.constant 0 : index
  %i1 = arith.constant 1 : index
  %k = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %e = tensor.empty() : tensor<2xf32>
  %exp = linalg.exp ins(%k : tensor<2xf32>) outs(%e : tensor<2xf32>) -> tensor<2xf32>
  %fill = linalg.fill ins(%zero : f32) outs(%e : tensor<2xf32>) -> tensor<2xf32>
  %r:2 = scf.for %i = %i0 to %n step %i1 iter_args(%a = %exp, %b = %fill) -> (tensor<2xf32>, tensor<2xf32>) {
    %s = linalg.add ins(%a, %x : tensor<2xf32>, tensor<2xf32>) outs(%e : tensor<2xf32>) -> tensor<2xf32>
    %t = linalg.add ins(%b, %x : tensor<2xf32>, tensor<2xf32>) outs(%e : tensor<2xf32>) -> tensor<2xf32>
    scf.yield %s, %t : tensor<2xf32>, tensor<2xf32>
  }
  %either = arith.select %c, %k, %x : tensor<2xf32>
  return %r#0, %r#1, %either : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>
}
