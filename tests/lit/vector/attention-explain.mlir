// RUN: omb-opt %s --split-input-file --omb-outline-attention=explain --verify-diagnostics | FileCheck %s

// None of these is a kernel.
// CHECK-NOT: omb.kernel

#id = affine_map<(b, m, n) -> (b, m, n)>
#row = affine_map<(b, m, n) -> (b, m)>

func.func @probabilities_are_read(%q: tensor<2x9x4xf32>, %k: tensor<2x4x7xf32>, %v: tensor<2x7x4xf32>) -> (tensor<2x9x4xf32>, tensor<2x9x7xf32>) {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %es = tensor.empty() : tensor<2x9x7xf32>
  %fs = linalg.fill ins(%zero : f32) outs(%es : tensor<2x9x7xf32>) -> tensor<2x9x7xf32>
  %s = linalg.batch_matmul ins(%q, %k : tensor<2x9x4xf32>, tensor<2x4x7xf32>) outs(%fs : tensor<2x9x7xf32>) -> tensor<2x9x7xf32>
  %er = tensor.empty() : tensor<2x9xf32>
  %ew = tensor.empty() : tensor<2x9x7xf32>
  %fmax = linalg.fill ins(%lowest : f32) outs(%er : tensor<2x9xf32>) -> tensor<2x9xf32>
  %max = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%s : tensor<2x9x7xf32>) outs(%fmax : tensor<2x9xf32>) {
  ^bb0(%a: f32, %c: f32):
    %0 = arith.maximumf %c, %a : f32
    linalg.yield %0 : f32
  } -> tensor<2x9xf32>
  %exp = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%s, %max : tensor<2x9x7xf32>, tensor<2x9xf32>) outs(%ew : tensor<2x9x7xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.subf %a, %c : f32
    %1 = math.exp %0 : f32
    linalg.yield %1 : f32
  } -> tensor<2x9x7xf32>
  %fsum = linalg.fill ins(%zero : f32) outs(%er : tensor<2x9xf32>) -> tensor<2x9xf32>
  %sum = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%exp : tensor<2x9x7xf32>) outs(%fsum : tensor<2x9xf32>) {
  ^bb0(%a: f32, %c: f32):
    %0 = arith.addf %c, %a : f32
    linalg.yield %0 : f32
  } -> tensor<2x9xf32>
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%exp, %sum : tensor<2x9x7xf32>, tensor<2x9xf32>) outs(%ew : tensor<2x9x7xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.divf %a, %c : f32
    linalg.yield %0 : f32
  } -> tensor<2x9x7xf32>
  %ey = tensor.empty() : tensor<2x9x4xf32>
  %fy = linalg.fill ins(%zero : f32) outs(%ey : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  // expected-remark@+1 {{has scores or probabilities that others read, too}}
  %y = linalg.batch_matmul ins(%p, %v : tensor<2x9x7xf32>, tensor<2x7x4xf32>) outs(%fy : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  return %y, %p : tensor<2x9x4xf32>, tensor<2x9x7xf32>
}

// -----

#id = affine_map<(b, m, n) -> (b, m, n)>
#row = affine_map<(b, m, n) -> (b, m)>

func.func @unknown_heads(%q: tensor<2x9x?xf32>, %k: tensor<2x?x7xf32>, %v: tensor<2x7x4xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %es = tensor.empty() : tensor<2x9x7xf32>
  %fs = linalg.fill ins(%zero : f32) outs(%es : tensor<2x9x7xf32>) -> tensor<2x9x7xf32>
  %s = linalg.batch_matmul ins(%q, %k : tensor<2x9x?xf32>, tensor<2x?x7xf32>) outs(%fs : tensor<2x9x7xf32>) -> tensor<2x9x7xf32>
  %er = tensor.empty() : tensor<2x9xf32>
  %ew = tensor.empty() : tensor<2x9x7xf32>
  %fmax = linalg.fill ins(%lowest : f32) outs(%er : tensor<2x9xf32>) -> tensor<2x9xf32>
  %max = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%s : tensor<2x9x7xf32>) outs(%fmax : tensor<2x9xf32>) {
  ^bb0(%a: f32, %c: f32):
    %0 = arith.maximumf %c, %a : f32
    linalg.yield %0 : f32
  } -> tensor<2x9xf32>
  %exp = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%s, %max : tensor<2x9x7xf32>, tensor<2x9xf32>) outs(%ew : tensor<2x9x7xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.subf %a, %c : f32
    %1 = math.exp %0 : f32
    linalg.yield %1 : f32
  } -> tensor<2x9x7xf32>
  %fsum = linalg.fill ins(%zero : f32) outs(%er : tensor<2x9xf32>) -> tensor<2x9xf32>
  %sum = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%exp : tensor<2x9x7xf32>) outs(%fsum : tensor<2x9xf32>) {
  ^bb0(%a: f32, %c: f32):
    %0 = arith.addf %c, %a : f32
    linalg.yield %0 : f32
  } -> tensor<2x9xf32>
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%exp, %sum : tensor<2x9x7xf32>, tensor<2x9xf32>) outs(%ew : tensor<2x9x7xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.divf %a, %c : f32
    linalg.yield %0 : f32
  } -> tensor<2x9x7xf32>
  %ey = tensor.empty() : tensor<2x9x4xf32>
  %fy = linalg.fill ins(%zero : f32) outs(%ey : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  // expected-remark@+1 {{has heads of unknown size}}
  %y = linalg.batch_matmul ins(%p, %v : tensor<2x9x7xf32>, tensor<2x7x4xf32>) outs(%fy : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}

// -----

#id = affine_map<(b, m, n) -> (b, m, n)>
#row = affine_map<(b, m, n) -> (b, m)>

#values = affine_map<(b, m, d, n) -> (b, d, n)>
#probabilities = affine_map<(b, m, d, n) -> (b, m, n)>
#result = affine_map<(b, m, d, n) -> (b, m, d)>

func.func @values_apart(%q: tensor<2x9x4xf32>, %k: tensor<2x4x7xf32>, %v: tensor<2x4x7xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %es = tensor.empty() : tensor<2x9x7xf32>
  %fs = linalg.fill ins(%zero : f32) outs(%es : tensor<2x9x7xf32>) -> tensor<2x9x7xf32>
  %s = linalg.batch_matmul ins(%q, %k : tensor<2x9x4xf32>, tensor<2x4x7xf32>) outs(%fs : tensor<2x9x7xf32>) -> tensor<2x9x7xf32>
  %er = tensor.empty() : tensor<2x9xf32>
  %ew = tensor.empty() : tensor<2x9x7xf32>
  %fmax = linalg.fill ins(%lowest : f32) outs(%er : tensor<2x9xf32>) -> tensor<2x9xf32>
  %max = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%s : tensor<2x9x7xf32>) outs(%fmax : tensor<2x9xf32>) {
  ^bb0(%a: f32, %c: f32):
    %0 = arith.maximumf %c, %a : f32
    linalg.yield %0 : f32
  } -> tensor<2x9xf32>
  %exp = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%s, %max : tensor<2x9x7xf32>, tensor<2x9xf32>) outs(%ew : tensor<2x9x7xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.subf %a, %c : f32
    %1 = math.exp %0 : f32
    linalg.yield %1 : f32
  } -> tensor<2x9x7xf32>
  %fsum = linalg.fill ins(%zero : f32) outs(%er : tensor<2x9xf32>) -> tensor<2x9xf32>
  %sum = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%exp : tensor<2x9x7xf32>) outs(%fsum : tensor<2x9xf32>) {
  ^bb0(%a: f32, %c: f32):
    %0 = arith.addf %c, %a : f32
    linalg.yield %0 : f32
  } -> tensor<2x9xf32>
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%exp, %sum : tensor<2x9x7xf32>, tensor<2x9xf32>) outs(%ew : tensor<2x9x7xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.divf %a, %c : f32
    linalg.yield %0 : f32
  } -> tensor<2x9x7xf32>
  %ey = tensor.empty() : tensor<2x9x4xf32>
  %fy = linalg.fill ins(%zero : f32) outs(%ey : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  // expected-remark@+1 {{has values whose elements aren't next to each other}}
  %y = linalg.generic {indexing_maps = [#probabilities, #values, #result], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
    ins(%p, %v : tensor<2x9x7xf32>, tensor<2x4x7xf32>) outs(%fy : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.mulf %a, %c : f32
    %1 = arith.addf %o, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}

// -----

// Of the mask, only whole rows of keys can be read.

#id = affine_map<(b, m, n) -> (b, m, n)>
#row = affine_map<(b, m, n) -> (b, m)>
#turned = affine_map<(b, m, n) -> (n, m)>

func.func @mask_of_another_order(%q: tensor<2x9x4xf32>, %k: tensor<2x4x7xf32>, %v: tensor<2x7x4xf32>, %mask: tensor<7x9xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %es = tensor.empty() : tensor<2x9x7xf32>
  %fs = linalg.fill ins(%zero : f32) outs(%es : tensor<2x9x7xf32>) -> tensor<2x9x7xf32>
  %s = linalg.batch_matmul ins(%q, %k : tensor<2x9x4xf32>, tensor<2x4x7xf32>) outs(%fs : tensor<2x9x7xf32>) -> tensor<2x9x7xf32>
  %x = linalg.generic {indexing_maps = [#id, #turned, #id], iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%s, %mask : tensor<2x9x7xf32>, tensor<7x9xf32>) outs(%es : tensor<2x9x7xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.addf %a, %c : f32
    linalg.yield %0 : f32
  } -> tensor<2x9x7xf32>
  %er = tensor.empty() : tensor<2x9xf32>
  %ew = tensor.empty() : tensor<2x9x7xf32>
  %fmax = linalg.fill ins(%lowest : f32) outs(%er : tensor<2x9xf32>) -> tensor<2x9xf32>
  %max = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%x : tensor<2x9x7xf32>) outs(%fmax : tensor<2x9xf32>) {
  ^bb0(%a: f32, %c: f32):
    %0 = arith.maximumf %c, %a : f32
    linalg.yield %0 : f32
  } -> tensor<2x9xf32>
  %exp = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%x, %max : tensor<2x9x7xf32>, tensor<2x9xf32>) outs(%ew : tensor<2x9x7xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.subf %a, %c : f32
    %1 = math.exp %0 : f32
    linalg.yield %1 : f32
  } -> tensor<2x9x7xf32>
  %fsum = linalg.fill ins(%zero : f32) outs(%er : tensor<2x9xf32>) -> tensor<2x9xf32>
  %sum = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%exp : tensor<2x9x7xf32>) outs(%fsum : tensor<2x9xf32>) {
  ^bb0(%a: f32, %c: f32):
    %0 = arith.addf %c, %a : f32
    linalg.yield %0 : f32
  } -> tensor<2x9xf32>
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%exp, %sum : tensor<2x9x7xf32>, tensor<2x9xf32>) outs(%ew : tensor<2x9x7xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.divf %a, %c : f32
    linalg.yield %0 : f32
  } -> tensor<2x9x7xf32>
  %ey = tensor.empty() : tensor<2x9x4xf32>
  %fy = linalg.fill ins(%zero : f32) outs(%ey : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  // expected-remark@+1 {{reads a mask in another order than that of the keys}}
  %y = linalg.batch_matmul ins(%p, %v : tensor<2x9x7xf32>, tensor<2x7x4xf32>) outs(%fy : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}

// -----

// A product of other numbers isn't attention.

func.func @no_softmax(%p: tensor<2x9x7xf32>, %v: tensor<2x7x4xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %ey = tensor.empty() : tensor<2x9x4xf32>
  %fy = linalg.fill ins(%zero : f32) outs(%ey : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %y = linalg.batch_matmul ins(%p, %v : tensor<2x9x7xf32>, tensor<2x7x4xf32>) outs(%fy : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}
