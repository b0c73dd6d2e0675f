// RUN: omb-opt %s --split-input-file --omb-pack-contractions | FileCheck %s
// RUN: omb-opt %s --split-input-file --omb-pack-contractions=explain --verify-diagnostics -o /dev/null

// Weights of four bits, signed, in blocks of 32: two codes are in a byte, eight
// more than they were, and scales are in the order of the panels.

// CHECK-DAG: #[[$X:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, (d2 * 16 + d3) * 2 + d4)>
// CHECK-DAG: #[[$W:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d1, d2, d3, d4, d5)>
// CHECK-DAG: #[[$Y:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d5)>
// CHECK-DAG: #[[$CODES:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d4)>
// CHECK-DAG: #[[$BLOCKS:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d4)>
// CHECK-LABEL: func.func @blocks
// CHECK-DAG: %[[CODES:.*]] = arith.constant dense_resource<{{.*}}packed> : tensor<{{[0-9]+}}x2x16x[[P:[0-9]+]]xi8>
// CHECK-DAG: %[[SCALES:.*]] = arith.constant dense_resource<{{.*}}scales> : tensor<{{[0-9]+}}x2x[[P]]xf32>
// CHECK: %[[PANELS:.*]] = linalg.generic {indexing_maps = [#[[$CODES]], #[[$BLOCKS]], #{{.*}}], {{.*}}} ins(%[[CODES]], %[[SCALES]]
// CHECK: arith.extui %{{.*}} : i8 to i32
// CHECK: linalg.index 3
// CHECK: arith.shrui
// CHECK: arith.andi %{{.*}}, %c15_i32
// CHECK: arith.sitofp
// CHECK: arith.mulf %{{.*}}, %cst{{.*}} : f32
// CHECK: math.fma
// CHECK: linalg.generic {indexing_maps = [#[[$X]], #[[$W]], #[[$Y]]], iterator_types = ["parallel", "parallel", "reduction", "reduction", "reduction", "parallel"]} ins(%arg0, %[[PANELS]]
// CHECK: linalg.unpack
func.func @blocks(%x: tensor<?x64xf32>, %e: tensor<?x48xf32>) -> tensor<?x48xf32> {
  %codes = arith.constant dense<-3> : tensor<2x32x48xi8>
  %scales = arith.constant dense<0.5> : tensor<2x48xf32>
  %zero = arith.constant 0.0 : f32
  %b = tensor.empty() : tensor<2x32x48xf32>
  %d = linalg.generic {indexing_maps = [affine_map<(b, k, n) -> (b, k, n)>, affine_map<(b, k, n) -> (b, n)>, affine_map<(b, k, n) -> (b, k, n)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%codes, %scales : tensor<2x32x48xi8>, tensor<2x48xf32>) outs(%b : tensor<2x32x48xf32>) {
  ^bb0(%code: i8, %scale: f32, %out: f32):
    %n = arith.sitofp %code : i8 to f32
    %p = arith.mulf %n, %scale : f32
    linalg.yield %p : f32
  } -> tensor<2x32x48xf32>
  %w = tensor.collapse_shape %d [[0, 1], [2]] : tensor<2x32x48xf32> into tensor<64x48xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x48xf32>) -> tensor<?x48xf32>
  %r = linalg.matmul ins(%x, %w : tensor<?x64xf32>, tensor<64x48xf32>) outs(%f : tensor<?x48xf32>) -> tensor<?x48xf32>
  return %r : tensor<?x48xf32>
}

// -----

// Bytes with a scale for each channel, unsigned, and zero points that differ,
// which become offsets. A transposition is done when the panels are made.

// CHECK-LABEL: func.func @transposed
// CHECK-DAG: %[[CODES:.*]] = arith.constant dense_resource<{{.*}}packed> : tensor<{{[0-9]+}}x1x64x[[P:[0-9]+]]xi8>
// CHECK-DAG: %[[SCALES:.*]] = arith.constant dense_resource<{{.*}}scales> : tensor<{{[0-9]+}}x1x[[P]]xf32>
// CHECK-DAG: %[[OFFSETS:.*]] = arith.constant dense_resource<{{.*}}offsets> : tensor<{{[0-9]+}}x1x[[P]]xf32>
// CHECK-NOT: linalg.transpose
// CHECK: linalg.generic {{.*}} ins(%[[CODES]], %[[SCALES]], %[[OFFSETS]]
// CHECK: ^bb0(%[[CODE:.*]]: i8, %[[SCALE:.*]]: f32, %[[OFFSET:.*]]: f32, %{{.*}}: f32):
// CHECK: %[[I:.*]] = arith.extui %[[CODE]]
// CHECK: %[[N:.*]] = arith.sitofp %[[I]]
// CHECK: math.fma %[[N]], %[[SCALE]], %[[OFFSET]]
func.func @transposed(%x: tensor<5x64xf32>) -> tensor<5x48xf32> {
  %codes = arith.constant dense<200> : tensor<48x64xi8>
  %scales = arith.constant dense<0.5> : tensor<48xf32>
  %zeros = arith.constant dense<3> : tensor<48xi8>
  %zero = arith.constant 0.0 : f32
  %b = tensor.empty() : tensor<48x64xf32>
  %d = linalg.generic {indexing_maps = [affine_map<(n, k) -> (n, k)>, affine_map<(n, k) -> (n)>, affine_map<(n, k) -> (n)>, affine_map<(n, k) -> (n, k)>], iterator_types = ["parallel", "parallel"]} ins(%codes, %scales, %zeros : tensor<48x64xi8>, tensor<48xf32>, tensor<48xi8>) outs(%b : tensor<48x64xf32>) {
  ^bb0(%code: i8, %scale: f32, %z: i8, %out: f32):
    %n = arith.uitofp %code : i8 to f32
    %m = arith.uitofp %z : i8 to f32
    %s = arith.subf %n, %m : f32
    %p = arith.mulf %s, %scale : f32
    linalg.yield %p : f32
  } -> tensor<48x64xf32>
  %t = tensor.empty() : tensor<64x48xf32>
  %w = linalg.transpose ins(%d : tensor<48x64xf32>) outs(%t : tensor<64x48xf32>) permutation = [1, 0]
  %e = tensor.empty() : tensor<5x48xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<5x48xf32>) -> tensor<5x48xf32>
  %r = linalg.matmul ins(%x, %w : tensor<5x64xf32>, tensor<64x48xf32>) outs(%f : tensor<5x48xf32>) -> tensor<5x48xf32>
  return %r : tensor<5x48xf32>
}

// -----

// Scales of rows aren't those of blocks: such weights aren't computed in
// kernels, and five rows are too few to pack them in each run.

// CHECK-LABEL: func.func @of_rows
// CHECK: linalg.matmul
func.func @of_rows(%x: tensor<5x64xf32>) -> tensor<5x48xf32> {
  %codes = arith.constant dense<3> : tensor<64x48xi8>
  %scales = arith.constant dense<0.5> : tensor<64xf32>
  %zero = arith.constant 0.0 : f32
  %b = tensor.empty() : tensor<64x48xf32>
  %w = linalg.generic {indexing_maps = [affine_map<(k, n) -> (k, n)>, affine_map<(k, n) -> (k)>, affine_map<(k, n) -> (k, n)>], iterator_types = ["parallel", "parallel"]} ins(%codes, %scales : tensor<64x48xi8>, tensor<64xf32>) outs(%b : tensor<64x48xf32>) {
  ^bb0(%code: i8, %scale: f32, %out: f32):
    %n = arith.sitofp %code : i8 to f32
    %p = arith.mulf %n, %scale : f32
    linalg.yield %p : f32
  } -> tensor<64x48xf32>
  %e = tensor.empty() : tensor<5x48xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<5x48xf32>) -> tensor<5x48xf32>
  // expected-remark @below {{has too few positions for weights that aren't constant}}
  %r = linalg.matmul ins(%x, %w : tensor<5x64xf32>, tensor<64x48xf32>) outs(%f : tensor<5x48xf32>) -> tensor<5x48xf32>
  return %r : tensor<5x48xf32>
}

// -----

// Computed scales don't make a constant.

// CHECK-LABEL: func.func @computed
// CHECK: linalg.matmul
func.func @computed(%x: tensor<5x64xf32>, %scales: tensor<48xf32>) -> tensor<5x48xf32> {
  %codes = arith.constant dense<3> : tensor<64x48xi8>
  %zero = arith.constant 0.0 : f32
  %b = tensor.empty() : tensor<64x48xf32>
  %w = linalg.generic {indexing_maps = [affine_map<(k, n) -> (k, n)>, affine_map<(k, n) -> (n)>, affine_map<(k, n) -> (k, n)>], iterator_types = ["parallel", "parallel"]} ins(%codes, %scales : tensor<64x48xi8>, tensor<48xf32>) outs(%b : tensor<64x48xf32>) {
  ^bb0(%code: i8, %scale: f32, %out: f32):
    %n = arith.sitofp %code : i8 to f32
    %p = arith.mulf %n, %scale : f32
    linalg.yield %p : f32
  } -> tensor<64x48xf32>
  %e = tensor.empty() : tensor<5x48xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<5x48xf32>) -> tensor<5x48xf32>
  // expected-remark @below {{has too few positions for weights that aren't constant}}
  %r = linalg.matmul ins(%x, %w : tensor<5x64xf32>, tensor<64x48xf32>) outs(%f : tensor<5x48xf32>) -> tensor<5x48xf32>
  return %r : tensor<5x48xf32>
}

// -----

// Scales of f16, to which weights are rounded, and a last block of which half is
// there: the input is widened, and gets zeros where the block ends.

// CHECK-LABEL: func.func @short_and_narrow
// CHECK-DAG: arith.constant dense_resource<{{.*}}scales> : tensor<{{[0-9]+}}x2x{{[0-9]+}}xf32>
// CHECK: %[[PANELS:.*]] = linalg.generic
// CHECK: %[[P:.*]] = arith.mulf
// CHECK: %[[N:.*]] = arith.truncf %{{.*}} : f32 to f16
// CHECK: arith.extf %[[N]] : f16 to f32
// CHECK: %[[WIDE:.*]] = linalg.generic {{.*}} ins(%arg0 : tensor<?x48xf16>)
// CHECK: arith.extf
// CHECK: %[[PADDED:.*]] = tensor.pad %[[WIDE]] low[0, 0] high[0, 16]
// CHECK: linalg.generic {{.*}} ins(%[[PADDED]], %[[PANELS]]
// CHECK: linalg.unpack
func.func @short_and_narrow(%x: tensor<?x48xf16>, %e: tensor<?x40xf32>) -> tensor<?x40xf32> {
  %codes = arith.constant dense<-3> : tensor<2x32x40xi8>
  %scales = arith.constant dense<0.5> : tensor<2x40xf16>
  %zero = arith.constant 0.0 : f32
  %b = tensor.empty() : tensor<2x32x40xf16>
  %d = linalg.generic {indexing_maps = [affine_map<(b, k, n) -> (b, k, n)>, affine_map<(b, k, n) -> (b, n)>, affine_map<(b, k, n) -> (b, k, n)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%codes, %scales : tensor<2x32x40xi8>, tensor<2x40xf16>) outs(%b : tensor<2x32x40xf16>) {
  ^bb0(%code: i8, %scale: f16, %out: f16):
    %n = arith.sitofp %code : i8 to f32
    %s = arith.extf %scale : f16 to f32
    %p = arith.mulf %n, %s : f32
    %t = arith.truncf %p : f32 to f16
    linalg.yield %t : f16
  } -> tensor<2x32x40xf16>
  %c = tensor.collapse_shape %d [[0, 1], [2]] : tensor<2x32x40xf16> into tensor<64x40xf16>
  %w = tensor.extract_slice %c[0, 0] [48, 40] [1, 1] : tensor<64x40xf16> to tensor<48x40xf16>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x40xf32>) -> tensor<?x40xf32>
  %r = linalg.matmul ins(%x, %w : tensor<?x48xf16>, tensor<48x40xf16>) outs(%f : tensor<?x40xf32>) -> tensor<?x40xf32>
  return %r : tensor<?x40xf32>
}

// -----

// Narrow factors that aren't of codes, some of the channels of codes, and what is
// rounded after its zero points amounted to something, are left alone.

// CHECK-LABEL: func.func @others
// CHECK: linalg.matmul
// CHECK: linalg.matmul
// CHECK: linalg.matmul
func.func @others(%x: tensor<5x64xf16>, %y: tensor<64x48xf16>, %z: tensor<5x64xf32>, %e: tensor<5x48xf32>) -> (tensor<5x48xf32>, tensor<5x48xf32>, tensor<5x48xf32>) {
  %zero = arith.constant 0.0 : f32
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<5x48xf32>) -> tensor<5x48xf32>
  // expected-remark @below {{has operands of several types}}
  %r = linalg.matmul ins(%x, %y : tensor<5x64xf16>, tensor<64x48xf16>) outs(%f : tensor<5x48xf32>) -> tensor<5x48xf32>
  %codes = arith.constant dense<3> : tensor<64x50xi8>
  %b = tensor.empty() : tensor<64x50xf32>
  %d = linalg.generic {indexing_maps = [affine_map<(k, n) -> (k, n)>, affine_map<(k, n) -> (k, n)>], iterator_types = ["parallel", "parallel"]} ins(%codes : tensor<64x50xi8>) outs(%b : tensor<64x50xf32>) {
  ^bb0(%code: i8, %out: f32):
    %scale = arith.constant 0.3 : f32
    %n = arith.sitofp %code : i8 to f32
    %p = arith.mulf %n, %scale : f32
    linalg.yield %p : f32
  } -> tensor<64x50xf32>
  %w = tensor.extract_slice %d[0, 0] [64, 48] [1, 1] : tensor<64x50xf32> to tensor<64x48xf32>
  // expected-remark @below {{has too few positions for weights that aren't constant}}
  %q = linalg.matmul ins(%z, %w : tensor<5x64xf32>, tensor<64x48xf32>) outs(%f : tensor<5x48xf32>) -> tensor<5x48xf32>
  %some = arith.constant dense<3> : tensor<64x48xi8>
  %wide = arith.constant dense<0.3> : tensor<48xf32>
  %h = tensor.empty() : tensor<64x48xf16>
  %g = linalg.generic {indexing_maps = [affine_map<(k, n) -> (k, n)>, affine_map<(k, n) -> (n)>, affine_map<(k, n) -> (k, n)>], iterator_types = ["parallel", "parallel"]} ins(%some, %wide : tensor<64x48xi8>, tensor<48xf32>) outs(%h : tensor<64x48xf16>) {
  ^bb0(%code: i8, %scale: f32, %out: f16):
    %three = arith.constant 3.0 : f32
    %n = arith.sitofp %code : i8 to f32
    %m = arith.subf %n, %three : f32
    %p = arith.mulf %m, %scale : f32
    %t = arith.truncf %p : f32 to f16
    linalg.yield %t : f16
  } -> tensor<64x48xf16>
  // expected-remark @below {{has operands of several types}}
  %s = linalg.matmul ins(%x, %g : tensor<5x64xf16>, tensor<64x48xf16>) outs(%f : tensor<5x48xf32>) -> tensor<5x48xf32>
  return %r, %q, %s : tensor<5x48xf32>, tensor<5x48xf32>, tensor<5x48xf32>
}
