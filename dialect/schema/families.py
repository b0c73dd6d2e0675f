"""Which family every operator belongs to.

A family names an operator's four places: `dialect/ir/ops/<Family>.td` (definition),
`dialect/shape/<Family>.cpp` (shape inference), `lowering/to_linalg/<Family>.cpp` (lowering) and
`tests/lit/*/<family>.mlir`.
"""

from __future__ import annotations

_FAMILIES: dict[str, str] = {
    "Elementwise": """
        Abs Acos Acosh Add Asin Asinh Atan Atanh BitCast Cast CastLike Ceil Clip Cos Cosh Div Erf
        Exp Floor IsInf IsNaN Log Max Mean Min Mod Mul Neg Pow Reciprocal Round Sign Sin Sinh Sqrt
        Sub Sum Tan Tanh""",
    "Logical": """
        And BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Equal Greater GreaterOrEqual Less
        LessOrEqual Not Or Where Xor""",
    "Activation": """
        Celu Elu Gelu HardSigmoid HardSwish LeakyRelu Mish PRelu Relu Selu Shrink Sigmoid Softplus
        Softsign SwiGLU Swish ThresholdedRelu""",
    "Reduction": """
        ArgMax ArgMin CumProd CumSum ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax
        ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare""",
    "Matmul": "Det Einsum Gemm MatMul",
    "Convolution": "CausalConvWithState Col2Im Conv ConvTranspose DeformConv",
    "Pooling": """
        AveragePool GlobalAveragePool GlobalLpPool GlobalMaxPool LpPool MaxPool MaxRoiPool MaxUnpool
        RoiAlign""",
    "Normalization": """
        BatchNormalization GroupNormalization Hardmax InstanceNormalization LRN LayerNormalization
        LogSoftmax LpNormalization MeanVarianceNormalization RMSNormalization Softmax""",
    "Attention": "Attention LinearAttention RotaryEmbedding",
    "DataMovement": """
        CenterCropPad Concat DepthToSpace Expand Flatten Identity Pad Reshape ReverseSequence Slice
        SpaceToDepth Split Squeeze Tile Transpose Trilu Unsqueeze""",
    "Constant": "Constant ConstantOfShape EyeLike Range Shape Size",
    "Indexing": """
        Compress Gather GatherElements GatherND NonMaxSuppression NonZero OneHot Scatter
        ScatterElements ScatterND TensorScatter TopK Unique""",
    "Resize": "AffineGrid GridSample Resize Upsample",
    "Signal": "BlackmanWindow DFT HammingWindow HannWindow MelWeightMatrix STFT",
    "Recurrent": "GRU LSTM RNN",
    "ControlFlow": "If Loop Scan",
    "Sequence": """
        ConcatFromSequence Optional OptionalGetElement OptionalHasElement SequenceAt
        SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength SequenceMap
        SplitToSequence""",
    "Quantization": """
        ConvInteger DequantizeLinear DynamicQuantizeLinear MatMulInteger QLinearConv QLinearMatMul
        QuantizeLinear""",
    "Random": """
        Bernoulli Dropout Multinomial RandomNormal RandomNormalLike RandomUniform
        RandomUniformLike""",
    "Loss": "NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss",
    "Text": "RegexFullMatch StringConcat StringNormalizer StringSplit TfIdfVectorizer",
    "Image": "ImageDecoder",
}

ML_FAMILY = "MachineLearning"
"""The family of every operator of the `ai.onnx.ml` domain."""

FAMILY_OF: dict[str, str] = {
    name: family for family, names in _FAMILIES.items() for name in names.split()
}
"""Family by operator name, for the default domain."""
