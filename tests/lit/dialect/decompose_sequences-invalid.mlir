// RUN: omb-opt %s --onnx-infer-shapes --onnx-decompose-sequences --split-input-file --verify-diagnostics

func.func @ranks(%a: tensor<2xf32>, %b: tensor<2x2xf32>) -> tensor<i64> {
  // expected-error @+1 {{a sequence or optional holds something else than tensors of one rank that is known before the run}}
  %s = onnx.SequenceConstruct(%a, %b) : (tensor<2xf32>, tensor<2x2xf32>) -> !onnx.seq<tensor<*xf32>>
  %n = onnx.SequenceLength(%s) : (!onnx.seq<tensor<*xf32>>) -> tensor<i64>
  return %n : tensor<i64>
}
