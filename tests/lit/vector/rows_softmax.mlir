// RUN: omb-opt %s --omb-to-vector="vector-bytes=16 vector-registers=16" | FileCheck %s

#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// Exponentials are multiplied by one divided by their sum; what is divided by another number stays so.

// CHECK-LABEL: func.func @kernel
// CHECK:         scf.for
// CHECK:           %[[SCALED:.*]] = arith.divf %{{.*}}, %{{.*}} : vector<4xf32>
// CHECK:           arith.maximumf %{{.*}}, %[[SCALED]]
// CHECK:           %[[SUM:.*]] = arith.addf %{{.*}}, %{{.*}} : f32
// CHECK:           scf.for
// CHECK:             %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK:             %[[FACTOR:.*]] = arith.divf %[[ONE]], %[[SUM]] : f32
// CHECK:             %[[FACTORS:.*]] = vector.broadcast %[[FACTOR]] : f32 to vector<4xf32>
// CHECK:             arith.mulf %{{.*}}, %[[FACTORS]] : vector<4xf32>
func.func @scaled(%x: tensor<100x16xf32>) -> tensor<100x16xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %c = arith.constant 3.0e+38 : f32
  %e = tensor.empty() : tensor<100xf32>
  %o = tensor.empty() : tensor<100x16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<100xf32>) -> tensor<100xf32>
  %l = linalg.fill ins(%low : f32) outs(%e : tensor<100xf32>) -> tensor<100xf32>
  %scaled = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%x : tensor<100x16xf32>) outs(%o : tensor<100x16xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.divf %a, %c : f32
    linalg.yield %0 : f32
  } -> tensor<100x16xf32>
  %max = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
    ins(%scaled : tensor<100x16xf32>) outs(%l : tensor<100xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.maximumf %b, %a : f32
    linalg.yield %0 : f32
  } -> tensor<100xf32>
  %exp = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
    ins(%scaled, %max : tensor<100x16xf32>, tensor<100xf32>) outs(%o : tensor<100x16xf32>) {
  ^bb0(%a: f32, %m: f32, %b: f32):
    %0 = arith.subf %a, %m : f32
    %1 = math.exp %0 : f32
    linalg.yield %1 : f32
  } -> tensor<100x16xf32>
  %s = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
    ins(%exp : tensor<100x16xf32>) outs(%f : tensor<100xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %b, %a : f32
    linalg.yield %0 : f32
  } -> tensor<100xf32>
  %r = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
    ins(%exp, %s : tensor<100x16xf32>, tensor<100xf32>) outs(%o : tensor<100x16xf32>) {
  ^bb0(%a: f32, %b: f32, %d: f32):
    %0 = arith.divf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<100x16xf32>
  return %r : tensor<100x16xf32>
}
