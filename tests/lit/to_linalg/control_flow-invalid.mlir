// RUN: omb-opt %s -split-input-file --omb-to-linalg -verify-diagnostics

func.func @rank_depends_on_branch(%c: tensor<i1>, %x: tensor<2x1xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{can't be lowered to linalg: a result is no tensor, or its rank isn't known before the run}}
  %y = onnx.If(%c) : (tensor<i1>) -> tensor<*xf32> else_branch {
    onnx.Yield %x : tensor<2x1xf32>
  } then_branch {
    %a = onnx.Constant() {value = dense<1> : tensor<1xi64>} : () -> tensor<1xi64>
    %0 = onnx.Squeeze(%x, %a) : (tensor<2x1xf32>, tensor<1xi64>) -> tensor<*xf32>
    onnx.Yield %0 : tensor<*xf32>
  }
  return %y : tensor<*xf32>
}

// -----

func.func @endless(%x: tensor<2xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{can't be lowered to linalg: it never ends}}
  %y = onnx.Loop(none, none, %x) : (tensor<2xf32>) -> tensor<*xf32> body {
  ^bb0(%i: tensor<i64>, %c: tensor<i1>, %s: tensor<2xf32>):
    onnx.Yield %c, %s : tensor<i1>, tensor<2xf32>
  }
  return %y : tensor<*xf32>
}

// -----

func.func @rank_changes(%m: tensor<i64>, %x: tensor<2xf32>) -> tensor<*xf32> {
  %a = onnx.Constant() {value = dense<0> : tensor<1xi64>} : () -> tensor<1xi64>
  // expected-error @+1 {{can't be lowered to linalg: it carries something that is no tensor, or whose rank changes or isn't known before the run}}
  %y = onnx.Loop(%m, none, %x) : (tensor<i64>, tensor<2xf32>) -> tensor<*xf32> body {
  ^bb0(%i: tensor<i64>, %c: tensor<i1>, %s: tensor<*xf32>):
    // expected-error @+1 {{can't be lowered to linalg: the input has no tensor type}}
    %0 = onnx.Unsqueeze(%s, %a) : (tensor<*xf32>, tensor<1xi64>) -> tensor<*xf32>
    onnx.Yield %c, %0 : tensor<i1>, tensor<*xf32>
  }
  return %y : tensor<*xf32>
}
