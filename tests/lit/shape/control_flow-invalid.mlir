// RUN: omb-opt %s -split-input-file --onnx-infer-shapes -verify-diagnostics

func.func @yields_too_few(%c: tensor<i1>, %x: tensor<2xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{is malformed: a branch gives 0 values for 1 results}}
  %y = onnx.If(%c) : (tensor<i1>) -> tensor<*xf32> else_branch {
    onnx.Yield
  } then_branch {
    onnx.Yield %x : tensor<2xf32>
  }
  return %y : tensor<*xf32>
}

// -----

func.func @no_graph(%c: tensor<i1>, %x: tensor<2xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{is malformed: else_branch is not a graph}}
  %y = onnx.If(%c) : (tensor<i1>) -> tensor<*xf32> then_branch {
    onnx.Yield %x : tensor<2xf32>
  }
  return %y : tensor<*xf32>
}

// -----

func.func @two_conditions(%c: tensor<2xi1>, %x: tensor<2xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has a condition of more or less than one element}}
  %y = onnx.If(%c) : (tensor<2xi1>) -> tensor<*xf32> else_branch {
    onnx.Yield %x : tensor<2xf32>
  } then_branch {
    onnx.Yield %x : tensor<2xf32>
  }
  return %y : tensor<*xf32>
}

// -----

func.func @loop_inputs(%m: tensor<i64>, %x: tensor<2xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{is malformed: the body takes 2 inputs, not 3}}
  %y = onnx.Loop(%m, none, %x) : (tensor<i64>, tensor<2xf32>) -> tensor<*xf32> body {
  ^bb0(%i: tensor<i64>, %c: tensor<i1>):
    onnx.Yield %c, %x : tensor<i1>, tensor<2xf32>
  }
  return %y : tensor<*xf32>
}

// -----

func.func @loop_type(%m: tensor<i64>, %x: tensor<2xf32>, %z: tensor<2xi64>) -> tensor<*xf32> {
  // expected-error @+1 {{is malformed: a value changes its type from one iteration to the next}}
  %y = onnx.Loop(%m, none, %x) : (tensor<i64>, tensor<2xf32>) -> tensor<*xf32> body {
  ^bb0(%i: tensor<i64>, %c: tensor<i1>, %s: tensor<2xf32>):
    onnx.Yield %c, %z : tensor<i1>, tensor<2xi64>
  }
  return %y : tensor<*xf32>
}

// -----

func.func @scan_count(%x: tensor<2xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{is malformed: num_scan_inputs is -1, of 1 inputs}}
  %y = onnx.Scan(%x) {num_scan_inputs = -1 : i64} : (tensor<2xf32>) -> tensor<*xf32> body {
  ^bb0(%a: tensor<f32>):
    onnx.Yield %a : tensor<f32>
  }
  return %y : tensor<*xf32>
}

// -----

func.func @scan_axis(%x: tensor<2xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has axis 3, which is out of range for rank 1}}
  %y = onnx.Scan(%x) {num_scan_inputs = 1 : i64, scan_input_axes = array<i64: 3>} : (tensor<2xf32>) -> tensor<*xf32> body {
  ^bb0(%a: tensor<f32>):
    onnx.Yield %a : tensor<f32>
  }
  return %y : tensor<*xf32>
}

// -----

func.func @scan_lengths(%x: tensor<2xf32>, %z: tensor<3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has scan inputs of 2 and 3 elements}}
  %y = onnx.Scan(%x, %z) {num_scan_inputs = 2 : i64} : (tensor<2xf32>, tensor<3xf32>) -> tensor<*xf32> body {
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    onnx.Yield %a : tensor<f32>
  }
  return %y : tensor<*xf32>
}

// -----

func.func @scan_direction(%x: tensor<2xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has 2 in scan_output_directions, which is neither 0 nor 1}}
  %y = onnx.Scan(%x) {num_scan_inputs = 1 : i64, scan_output_directions = array<i64: 2>} : (tensor<2xf32>) -> tensor<*xf32> body {
  ^bb0(%a: tensor<f32>):
    onnx.Yield %a : tensor<f32>
  }
  return %y : tensor<*xf32>
}
