// RUN: omb-opt %s --omb-outline-kernels | FileCheck %s

#id = affine_map<(m, n) -> (m, n)>
#row = affine_map<(m, n) -> (m)>
#one = affine_map<(m, n) -> (m, 0)>
#last = affine_map<(m, n) -> (n)>
#value = affine_map<(m) -> (m)>

// Softmax of any size is one kernel, which takes the sizes of its result.
// CHECK-LABEL: func.func @softmax
// CHECK-SAME:    %[[X:.*]]: tensor<?x?xf32>, %[[M:.*]]: index, %[[N:.*]]: index
// CHECK-NOT:     linalg.generic
// CHECK:         %[[R:.*]] = call @kernel_1(%[[X]], %[[M]], %[[N]])
// CHECK:         return %[[R]]
func.func @softmax(%x: tensor<?x?xf32>, %m: index, %n: index) -> tensor<?x?xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %e = tensor.empty(%m) : tensor<?xf32>
  %f = linalg.fill ins(%lowest : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %max = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
    ins(%x : tensor<?x?xf32>) outs(%f : tensor<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.maximumf %b, %a : f32
    linalg.yield %0 : f32
  } -> tensor<?xf32>
  %max1 = tensor.expand_shape %max [[0, 1]] output_shape [%m, 1] : tensor<?xf32> into tensor<?x1xf32>
  %o = tensor.empty(%m, %n) : tensor<?x?xf32>
  %exp = linalg.generic {indexing_maps = [#id, #one, #id], iterator_types = ["parallel", "parallel"]}
    ins(%x, %max1 : tensor<?x?xf32>, tensor<?x1xf32>) outs(%o : tensor<?x?xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.subf %a, %b : f32
    %1 = math.exp %0 : f32
    linalg.yield %1 : f32
  } -> tensor<?x?xf32>
  %g = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
    ins(%exp : tensor<?x?xf32>) outs(%g : tensor<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %b, %a : f32
    linalg.yield %0 : f32
  } -> tensor<?xf32>
  %r = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
    ins(%exp, %sum : tensor<?x?xf32>, tensor<?xf32>) outs(%o : tensor<?x?xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.divf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<?x?xf32>
  return %r : tensor<?x?xf32>
}

// Two normalizations that are alike share a kernel. It takes the index that a body reads from outside, and its two
// reductions share what they start with.
// CHECK-LABEL: func.func @norms
// CHECK-SAME:    %[[X:.*]]: tensor<4x?xf64>, %[[Y:.*]]: tensor<4x?xf64>, %[[S:.*]]: tensor<?xf64>, %[[N:.*]]: index
// CHECK-DAG:     call @kernel_0(%[[X]], %[[S]], %[[N]], %[[N]])
// CHECK-DAG:     call @kernel_0(%[[Y]], %[[S]], %[[N]], %[[N]])
// CHECK-NOT:     linalg.generic
// CHECK:         return
func.func @norms(%x: tensor<4x?xf64>, %y: tensor<4x?xf64>, %scale: tensor<?xf64>, %n: index) -> (tensor<4x?xf64>, tensor<4x?xf64>) {
  %zero = arith.constant 0.0 : f64
  %e = tensor.empty() : tensor<4xf64>
  %f = linalg.fill ins(%zero : f64) outs(%e : tensor<4xf64>) -> tensor<4xf64>
  %o = tensor.empty(%n) : tensor<4x?xf64>
  %s0 = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
    ins(%x : tensor<4x?xf64>) outs(%f : tensor<4xf64>) {
  ^bb0(%a: f64, %b: f64):
    %0 = arith.addf %b, %a : f64
    linalg.yield %0 : f64
  } -> tensor<4xf64>
  %q0 = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
    ins(%x : tensor<4x?xf64>) outs(%f : tensor<4xf64>) {
  ^bb0(%a: f64, %b: f64):
    %0 = arith.mulf %a, %a : f64
    %1 = arith.addf %0, %b : f64
    linalg.yield %1 : f64
  } -> tensor<4xf64>
  %m0 = linalg.generic {indexing_maps = [#value, #value], iterator_types = ["parallel"]}
    ins(%s0 : tensor<4xf64>) outs(%e : tensor<4xf64>) {
  ^bb0(%a: f64, %b: f64):
    %0 = arith.index_cast %n : index to i64
    %1 = arith.sitofp %0 : i64 to f64
    %2 = arith.divf %a, %1 : f64
    linalg.yield %2 : f64
  } -> tensor<4xf64>
  %r0 = linalg.generic {indexing_maps = [#id, #row, #row, #last, #id], iterator_types = ["parallel", "parallel"]}
    ins(%x, %m0, %q0, %scale : tensor<4x?xf64>, tensor<4xf64>, tensor<4xf64>, tensor<?xf64>) outs(%o : tensor<4x?xf64>) {
  ^bb0(%a: f64, %b: f64, %c: f64, %d: f64, %out: f64):
    %0 = arith.subf %a, %b : f64
    %1 = arith.divf %0, %c : f64
    %2 = arith.mulf %1, %d : f64
    linalg.yield %2 : f64
  } -> tensor<4x?xf64>
  %s1 = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
    ins(%y : tensor<4x?xf64>) outs(%f : tensor<4xf64>) {
  ^bb0(%a: f64, %b: f64):
    %0 = arith.addf %b, %a : f64
    linalg.yield %0 : f64
  } -> tensor<4xf64>
  %q1 = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
    ins(%y : tensor<4x?xf64>) outs(%f : tensor<4xf64>) {
  ^bb0(%a: f64, %b: f64):
    %0 = arith.mulf %a, %a : f64
    %1 = arith.addf %0, %b : f64
    linalg.yield %1 : f64
  } -> tensor<4xf64>
  %m1 = linalg.generic {indexing_maps = [#value, #value], iterator_types = ["parallel"]}
    ins(%s1 : tensor<4xf64>) outs(%e : tensor<4xf64>) {
  ^bb0(%a: f64, %b: f64):
    %0 = arith.index_cast %n : index to i64
    %1 = arith.sitofp %0 : i64 to f64
    %2 = arith.divf %a, %1 : f64
    linalg.yield %2 : f64
  } -> tensor<4xf64>
  %r1 = linalg.generic {indexing_maps = [#id, #row, #row, #last, #id], iterator_types = ["parallel", "parallel"]}
    ins(%y, %m1, %q1, %scale : tensor<4x?xf64>, tensor<4xf64>, tensor<4xf64>, tensor<?xf64>) outs(%o : tensor<4x?xf64>) {
  ^bb0(%a: f64, %b: f64, %c: f64, %d: f64, %out: f64):
    %0 = arith.subf %a, %b : f64
    %1 = arith.divf %0, %c : f64
    %2 = arith.mulf %1, %d : f64
    linalg.yield %2 : f64
  } -> tensor<4x?xf64>
  return %r0, %r1 : tensor<4x?xf64>, tensor<4x?xf64>
}

// What is done before and after is part of the kernel; what others read is computed before it. There are no rows here.
// CHECK-LABEL: func.func @around
// CHECK-SAME:    %[[X:.*]]: tensor<9xf32>
// CHECK:         %[[A:.*]] = linalg.generic
// CHECK:           math.absf
// CHECK:         %[[R:.*]] = call @kernel(%[[A]])
// CHECK:         return %[[A]], %[[R]]
func.func @around(%x: tensor<9xf32>) -> (tensor<9xf32>, tensor<9xf32>) {
  %zero = arith.constant 0.0 : f32
  %o = tensor.empty() : tensor<9xf32>
  %e = tensor.empty() : tensor<f32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<f32>) -> tensor<f32>
  %abs = linalg.generic {indexing_maps = [#value, #value], iterator_types = ["parallel"]}
    ins(%x : tensor<9xf32>) outs(%o : tensor<9xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = math.absf %a : f32
    linalg.yield %0 : f32
  } -> tensor<9xf32>
  %square = linalg.generic {indexing_maps = [#value, #value], iterator_types = ["parallel"]}
    ins(%abs : tensor<9xf32>) outs(%o : tensor<9xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.mulf %a, %a : f32
    linalg.yield %0 : f32
  } -> tensor<9xf32>
  %sum = linalg.generic {indexing_maps = [#value, affine_map<(n) -> ()>], iterator_types = ["reduction"]}
    ins(%square : tensor<9xf32>) outs(%f : tensor<f32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<f32>
  %q = linalg.generic {indexing_maps = [#value, affine_map<(n) -> ()>, #value], iterator_types = ["parallel"]}
    ins(%square, %sum : tensor<9xf32>, tensor<f32>) outs(%o : tensor<9xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.divf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<9xf32>
  %r = linalg.generic {indexing_maps = [#value, #value], iterator_types = ["parallel"]}
    ins(%q : tensor<9xf32>) outs(%o : tensor<9xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  } -> tensor<9xf32>
  return %abs, %r : tensor<9xf32>, tensor<9xf32>
}

// CHECK:       func.func private @kernel(%{{.*}}: tensor<9xf32>) -> tensor<9xf32> attributes {omb.kernel}
// CHECK-NOT:     math.absf
// CHECK:         arith.negf
// CHECK:       func.func private @kernel_0(%{{.*}}: tensor<4x?xf64>, %{{.*}}: tensor<?xf64>, %[[INDEX:.*]]: index, %{{.*}}: index) -> tensor<4x?xf64> attributes {omb.kernel}
// CHECK-COUNT-1: linalg.fill
// CHECK-NOT:     linalg.fill
// CHECK:         arith.index_cast %[[INDEX]]
// CHECK:       func.func private @kernel_1(%{{.*}}: tensor<?x?xf32>, %{{.*}}: index, %{{.*}}: index) -> tensor<?x?xf32> attributes {omb.kernel}
// CHECK:         arith.maximumf
// CHECK:         math.exp
// CHECK:         arith.divf
