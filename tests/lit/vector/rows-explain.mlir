// RUN: omb-opt %s --split-input-file --omb-outline-kernels=explain --verify-diagnostics | FileCheck %s

// None of these is a kernel.
// CHECK-NOT: omb.kernel

#id = affine_map<(m, n) -> (m, n)>
#row = affine_map<(m, n) -> (m)>

func.func @others_read(%x: tensor<8x9xf32>) -> (tensor<8x9xf32>, tensor<8xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8xf32>
  %o = tensor.empty() : tensor<8x9xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  %s = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
    ins(%x : tensor<8x9xf32>) outs(%f : tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %b, %a : f32
    linalg.yield %0 : f32
  } -> tensor<8xf32>
  // expected-remark@+1 {{reads a value of each row that others read, too}}
  %r = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
    ins(%x, %s : tensor<8x9xf32>, tensor<8xf32>) outs(%o : tensor<8x9xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.subf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<8x9xf32>
  return %r, %s : tensor<8x9xf32>, tensor<8xf32>
}

// -----

#id = affine_map<(m, n) -> (m, n)>
#row = affine_map<(m, n) -> (m)>

func.func @transposed(%x: tensor<9x9xf32>) -> tensor<9x9xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<9xf32>
  %o = tensor.empty() : tensor<9x9xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<9xf32>) -> tensor<9xf32>
  %s = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
    ins(%x : tensor<9x9xf32>) outs(%f : tensor<9xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %b, %a : f32
    linalg.yield %0 : f32
  } -> tensor<9xf32>
  // expected-remark@+1 {{reads a tensor in another order than row by row}}
  %r = linalg.generic {indexing_maps = [affine_map<(m, n) -> (n, m)>, #row, #id], iterator_types = ["parallel", "parallel"]}
    ins(%x, %s : tensor<9x9xf32>, tensor<9xf32>) outs(%o : tensor<9x9xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.subf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<9x9xf32>
  return %r : tensor<9x9xf32>
}

// -----

#id = affine_map<(m, n) -> (m, n)>
#row = affine_map<(m, n) -> (m)>

// They may have another length than what is reduced.
func.func @lengths(%x: tensor<8x?xf32>, %y: tensor<8x?xf32>, %n: index) -> tensor<8x?xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8xf32>
  %o = tensor.empty(%n) : tensor<8x?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  %s = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
    ins(%y : tensor<8x?xf32>) outs(%f : tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %b, %a : f32
    linalg.yield %0 : f32
  } -> tensor<8xf32>
  // expected-remark@+1 {{has rows of another length than what is reduced, perhaps}}
  %r = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
    ins(%x, %s : tensor<8x?xf32>, tensor<8xf32>) outs(%o : tensor<8x?xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.subf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<8x?xf32>
  return %r : tensor<8x?xf32>
}

// -----

#id = affine_map<(m, n) -> (m, n)>
#row = affine_map<(m, n) -> (m)>

func.func @long(%x: tensor<3x16385xf32>) -> tensor<3x16385xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<3xf32>
  %o = tensor.empty() : tensor<3x16385xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<3xf32>) -> tensor<3xf32>
  %s = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
    ins(%x : tensor<3x16385xf32>) outs(%f : tensor<3xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %b, %a : f32
    linalg.yield %0 : f32
  } -> tensor<3xf32>
  // expected-remark@+1 {{has too few rows, which are long}}
  %r = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
    ins(%x, %s : tensor<3x16385xf32>, tensor<3xf32>) outs(%o : tensor<3x16385xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.subf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<3x16385xf32>
  return %r : tensor<3x16385xf32>
}

// -----

#id = affine_map<(m, n) -> (m, n)>
#row = affine_map<(m, n) -> (m)>

func.func @reductions(%x: tensor<8x9xf32>, %h: tensor<8x9xf16>, %start: tensor<8xf32>) -> (tensor<f32>, tensor<8xf16>, tensor<8xf32>, tensor<8xf32>) {
  %zero = arith.constant 0.0 : f32
  %half = arith.constant 0.0 : f16
  %e = tensor.empty() : tensor<8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  %ev = tensor.empty() : tensor<f32>
  %fv = linalg.fill ins(%zero : f32) outs(%ev : tensor<f32>) -> tensor<f32>
  %eh = tensor.empty() : tensor<8xf16>
  %fh = linalg.fill ins(%half : f16) outs(%eh : tensor<8xf16>) -> tensor<8xf16>
  // expected-remark@+1 {{doesn't reduce the last dimension alone}}
  %c = linalg.generic {indexing_maps = [#id, affine_map<(m, n) -> ()>], iterator_types = ["reduction", "reduction"]}
    ins(%x : tensor<8x9xf32>) outs(%fv : tensor<f32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %b, %a : f32
    linalg.yield %0 : f32
  } -> tensor<f32>
  // expected-remark@+1 {{isn't of f32 or f64}}
  %d = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
    ins(%h : tensor<8x9xf16>) outs(%fh : tensor<8xf16>) {
  ^bb0(%a: f16, %b: f16):
    %0 = arith.addf %b, %a : f16
    linalg.yield %0 : f16
  } -> tensor<8xf16>
  // expected-remark@+1 {{starts with something that isn't a constant}}
  %g = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
    ins(%x : tensor<8x9xf32>) outs(%start : tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %b, %a : f32
    linalg.yield %0 : f32
  } -> tensor<8xf32>
  // expected-remark@+1 {{is neither a sum, a product, a maximum nor a minimum}}
  %k = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
    ins(%x : tensor<8x9xf32>) outs(%f : tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.divf %b, %a : f32
    linalg.yield %0 : f32
  } -> tensor<8xf32>
  return %c, %d, %g, %k : tensor<f32>, tensor<8xf16>, tensor<8xf32>, tensor<8xf32>
}

// -----

#id = affine_map<(m, n) -> (m, n)>
#row = affine_map<(m, n) -> (m)>

func.func @types(%x: tensor<8x9xf32>, %y: tensor<8x9xf64>) -> tensor<8x9xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8xf32>
  %o = tensor.empty() : tensor<8x9xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  %zero64 = arith.constant 0.0 : f64
  %e64 = tensor.empty() : tensor<8xf64>
  %f64 = linalg.fill ins(%zero64 : f64) outs(%e64 : tensor<8xf64>) -> tensor<8xf64>
  %s = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
    ins(%x : tensor<8x9xf32>) outs(%f : tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %b, %a : f32
    linalg.yield %0 : f32
  } -> tensor<8xf32>
  %s64 = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
    ins(%y : tensor<8x9xf64>) outs(%f64 : tensor<8xf64>) {
  ^bb0(%a: f64, %b: f64):
    %0 = arith.addf %b, %a : f64
    linalg.yield %0 : f64
  } -> tensor<8xf64>
  // expected-remark@+1 {{depends on reductions of different types}}
  %r = linalg.generic {indexing_maps = [#row, #row, #id], iterator_types = ["parallel", "parallel"]}
    ins(%s, %s64 : tensor<8xf32>, tensor<8xf64>) outs(%o : tensor<8x9xf32>) {
  ^bb0(%a: f32, %b: f64, %c: f32):
    %0 = arith.truncf %b : f64 to f32
    %1 = arith.subf %a, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<8x9xf32>
  return %r : tensor<8x9xf32>
}
