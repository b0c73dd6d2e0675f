// RUN: omb-opt %s --split-input-file --omb-outline-kernels=explain --verify-diagnostics -o /dev/null

#id = affine_map<(m, n) -> (m, n)>
#column = affine_map<(m, n) -> (n)>

func.func @reductions(%x: tensor<8x9xf32>, %three: tensor<3x9xf32>, %narrow: tensor<8x2xf32>, %h: tensor<8x9xf16>, %start: tensor<9xf32>)
    -> (tensor<9xf32>, tensor<9xf32>, tensor<2xf32>, tensor<9xf16>, tensor<9xf32>) {
  %zero = arith.constant 0.0 : f32
  %half = arith.constant 0.0 : f16
  %e = tensor.empty() : tensor<9xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<9xf32>) -> tensor<9xf32>
  %e2 = tensor.empty() : tensor<2xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<2xf32>) -> tensor<2xf32>
  %eh = tensor.empty() : tensor<9xf16>
  %fh = linalg.fill ins(%half : f16) outs(%eh : tensor<9xf16>) -> tensor<9xf16>
  // expected-remark@+1 {{starts with something that isn't a constant}}
  %a = linalg.generic {indexing_maps = [#id, #column], iterator_types = ["reduction", "parallel"]}
    ins(%x : tensor<8x9xf32>) outs(%start : tensor<9xf32>) {
  ^bb0(%in: f32, %o: f32):
    %0 = arith.addf %o, %in : f32
    linalg.yield %0 : f32
  } -> tensor<9xf32>
  // expected-remark@+1 {{reduces too few values}}
  %b = linalg.generic {indexing_maps = [#id, #column], iterator_types = ["reduction", "parallel"]}
    ins(%three : tensor<3x9xf32>) outs(%f : tensor<9xf32>) {
  ^bb0(%in: f32, %o: f32):
    %0 = arith.addf %o, %in : f32
    linalg.yield %0 : f32
  } -> tensor<9xf32>
  // expected-remark@+1 {{keeps too few values for a vector}}
  %c = linalg.generic {indexing_maps = [#id, #column], iterator_types = ["reduction", "parallel"]}
    ins(%narrow : tensor<8x2xf32>) outs(%f2 : tensor<2xf32>) {
  ^bb0(%in: f32, %o: f32):
    %0 = arith.addf %o, %in : f32
    linalg.yield %0 : f32
  } -> tensor<2xf32>
  // expected-remark@+1 {{isn't of f32, f64 or i32}}
  %d = linalg.generic {indexing_maps = [#id, #column], iterator_types = ["reduction", "parallel"]}
    ins(%h : tensor<8x9xf16>) outs(%fh : tensor<9xf16>) {
  ^bb0(%in: f16, %o: f16):
    %0 = arith.addf %o, %in : f16
    linalg.yield %0 : f16
  } -> tensor<9xf16>
  // expected-remark@+1 {{is neither a sum, a product, a maximum nor a minimum}}
  %g = linalg.generic {indexing_maps = [#id, #column], iterator_types = ["reduction", "parallel"]}
    ins(%x : tensor<8x9xf32>) outs(%f : tensor<9xf32>) {
  ^bb0(%in: f32, %o: f32):
    %0 = arith.divf %o, %in : f32
    linalg.yield %0 : f32
  } -> tensor<9xf32>
  return %a, %b, %c, %d, %g : tensor<9xf32>, tensor<9xf32>, tensor<2xf32>, tensor<9xf16>, tensor<9xf32>
}

func.func @product(%x: tensor<8x9xf32>, %y: tensor<9x16xf32>) -> tensor<8x16xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<8x16xf32>) -> tensor<8x16xf32>
  // expected-remark@+1 {{reads the same values for several positions}}
  %p = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (m, n)>],
    iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%y, %x : tensor<9x16xf32>, tensor<8x9xf32>) outs(%f : tensor<8x16xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %o, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<8x16xf32>
  return %p : tensor<8x16xf32>
}
