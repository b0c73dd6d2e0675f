// RUN: omb-opt %s -split-input-file --omb-to-linalg -verify-diagnostics

// Neither one element a byte nor two.

func.func @size() -> tensor<5xi4> {
  // expected-error @+1 {{can't be lowered to linalg: the value has no known storage}}
  %0 = onnx.Constant() {value = dense_resource<data> : tensor<5xi4>} : () -> tensor<5xi4>
  return %0 : tensor<5xi4>
}

{-#
  dialect_resources: {
    builtin: {
      data: "0x0100000001020304"
    }
  }
#-}

// -----

func.func @value(%s: tensor<1xi64>) -> tensor<?xi4> {
  // expected-error @+1 {{the value isn't of the result's element type}}
  %0 = onnx.ConstantOfShape(%s) {value = dense<1> : tensor<1xi32>} : (tensor<1xi64>) -> tensor<?xi4>
  return %0 : tensor<?xi4>
}
