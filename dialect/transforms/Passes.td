#ifndef OMB_DIALECT_TRANSFORMS_PASSES_TD
#define OMB_DIALECT_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def DecomposeSequences
    : Pass<"onnx-decompose-sequences", "::mlir::ModuleOp"> {
  let summary = "Replace sequences and optionals by tensors";
  let description = [{
    A sequence of tensors of rank R becomes two tensors: all values, one tensor
    after the other in row-major order, and the shapes, a row of R sizes for
    each tensor. An optional becomes a `tensor<i1>`, whether there is a value,
    and what the value becomes; something of the right type stands in for an
    absent one. This holds for the arguments and results of functions, for what
    `onnx.If` gives and for what `onnx.Loop` carries, too; the attributes of an
    argument or result are repeated for each tensor that it becomes.

    A position that is out of range and the value of an absent optional end the
    run (`cf.assert`).

    Runs after `onnx-infer-shapes`, which finds the ranks, and infers the shapes
    of what it makes. Does nothing to a module without sequences and optionals.
    Fails where the tensors of a sequence are known to differ in rank, or their
    rank isn't known.
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect",
    "::mlir::arith::ArithDialect",
    "::mlir::cf::ControlFlowDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

def InferShapes : Pass<"onnx-infer-shapes", "::mlir::ModuleOp"> {
  let summary = "Derive the shapes of all values, and fold what shapes compute";
  let description = [{
    Gives every value the most precise type that follows from the types of the
    entry function's arguments: static sizes where they are known, and names for
    the dynamic ones (`#onnx.dims`), so that dimensions known to be equal can be
    recognized. Small integer tensors whose contents follow from the sizes of
    tensors (a `Shape`, and what is computed from it) are replaced: by
    `onnx.Constant` where they are known, else by `tensor.from_elements` of what
    `tensor.dim` and `arith` compute, so that no shape is computed on a device.

    An `onnx.If` whose condition follows from sizes is replaced by the branch
    that it takes. Where its branches give results of different ranks, and the
    ops that follow accept one of the ranks only, it is replaced by the branch
    that gives this rank, after a `cf.assert` of the condition.

    Fails where the operands of an op can't have the shapes that they have.
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect",
    "::mlir::arith::ArithDialect",
    "::mlir::cf::ControlFlowDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

def QdqToQuant : Pass<"onnx-qdq-to-quant", "::mlir::ModuleOp"> {
  let summary = "Make quantization a property of the tensors' types";
  let description = [{
    A tensor of `!quant.uniform<u8:f32, 0.5:128>` holds f32 numbers, of which it
    stores bytes. `QuantizeLinear` and `DequantizeLinear` with constant
    parameters become `onnx.QuantizeCast` and `onnx.DequantizeCast` to and from
    such types, with `onnx.StorageCast` beside them; `QLinearConv` and
    `QLinearMatMul` become `onnx.Conv` and `onnx.MatMul` of quantized tensors.
    So do `ConvInteger` and `MatMulInteger` with constant zero points, of the
    scale 1: their result, `!quant.uniform<i32:f32, 1.0>`, stores the sums. Those
    that could wrap around stay as they are.
    Parameters are one for all, one for each index of an axis, or one for each
    block along an axis (up to 4096 whole blocks).

    Then the casts around other ops go into them: what is computed of
    dequantized tensors and then quantized becomes an op that takes quantized
    tensors and gives one, and a product of dequantized matrices or images a
    product of quantized ones. The types alone say that such an op computes of
    the numbers that its operands stand for, and rounds the result as
    QuantizeLinear does; no number changes. What only moves elements
    (`Transpose`, `Reshape`, `Concat` of one type, ...), `MaxPool` and `Relu` is
    done before tensors are dequantized, and, like `Clip` between constants,
    after they are quantized.

    Parameters that are computed, as by `DynamicQuantizeLinear`, stay operands.

    A sparse constant of integers becomes one of a sparse quantized type where
    what it doesn't store, 0, is the zero point, and a dense one elsewhere.
  }];
  let dependentDialects = ["::mlir::quant::QuantDialect"];
}

def QuantToQdq : Pass<"onnx-quant-to-qdq", "::mlir::ModuleOp"> {
  let summary = "Express quantized types by QuantizeLinear and DequantizeLinear";
  let description = [{
    The way back from what `onnx-qdq-to-quant` makes, to ops of the standard on
    its own types, with the same numbers. Ops that move elements or limit them
    to a range do so with the stored integers, and what gives sums in 32 bits is
    `ConvInteger` or `MatMulInteger`.

    With `keep-contractions`, what can be summed up in integers of 32 bits stays
    quantized: `Conv`, `MatMul` and `Gemm` of bytes, with one scale for the
    first operand and one for all or for each channel of the result for the
    second; so do products with bytes of a sparse type, also of f32, but for
    their results. What else reads sparse constants of a quantized type gets
    dense ones.
  }];
  let options = [
    Option<"keepContractions", "keep-contractions", "bool", /*default=*/"false",
           "Leave products of bytes quantized">
  ];
  let dependentDialects = ["::mlir::quant::QuantDialect"];
}

def DequantizeGathered
    : Pass<"onnx-dequantize-gathered", "::mlir::ModuleOp"> {
  let summary = "Dequantize what is gathered instead of gathering from numbers";
  let description = [{
    `Gather` of what `DequantizeLinear` makes, as of the quantized table of an
    embedding, takes the stored integers, and scales and zero points of blocks
    with them; what it gathered is dequantized then. Not along the axis that has
    a scale for each index, and not where more is gathered than there is.
  }];
}

def SparsifyConstants : Pass<"onnx-sparsify-constants", "::mlir::ModuleOp"> {
  let summary = "Give weights that are mostly zeros a sparse type";
  let description = [{
    A constant matrix of f32, or of bytes of a quantized type with one scale for
    all or one for each channel, that is the second factor of a `MatMul` or
    `Gemm`, dense or sparse in whatever form, transposed or not, dequantized or
    not, becomes a constant of one of the types that have kernels, which only
    store what isn't zero:

        // each channel for itself
        (k, n) -> (n : dense, k : compressed)
        // for a k, 16 channels next to each other
        (k, n) -> (n floordiv 16 : dense, k : compressed, n mod 16 : dense)

    What isn't stored of a quantized type is its zero point, and a product of
    f32 takes weights of such a type, after `onnx-qdq-to-quant`, as they are:

        tensor<768x3072x!quant.uniform<i8:f32:1, {...}>, #CSC>

    Filters of f32 of a `Conv` without groups, of images of known size, or of one
    position and no strides, become those of each feature, or, of one position,
    of 16 features,

        (f, c, y, x) -> (f : dense, c : compressed(nonunique),
                         y : singleton(nonunique, soa), x : singleton(soa))
        (f, c, y, x) -> (f floordiv 16 : dense, c : compressed,
                         y : dense, x : dense, f mod 16 : dense)

    Weights of f32 of a `MatMul` of [batch, k, n], one matrix for each of up to 64
    images, become such constants each for itself, with a product of each, if all
    of them gain from it.

    With the mode "on", a table of f32 of which `Gather` takes rows becomes one
    whose rows are stored each for itself,

        (rows, columns) -> (rows : dense, columns : compressed)

    The mode "auto" does the others where an estimate, of measured times, says
    that the product or convolution becomes faster; "on" does it to all that is
    sparse already or has at least `threshold` zeros; "off" to nothing. Above a
    half, the threshold also says how much faster convolutions must become. The
    estimate is for the kernels of CPUs, without ("kernels") or with ("matrix") a
    matrix unit that multiplies dense bytes, or for what
    `omb-lower-sparse-contractions` makes of products: loops on other CPUs, and
    threads on GPUs. With `annotate`, products and convolutions get a dictionary
    `onnx.sparse_estimate`, whether or not they become sparse: the form, whether
    it is taken, its share of the dense time, and the bytes that are stored in
    it and dense. Of infinities and numbers that are no numbers, products with
    zeros aren't computed then.
  }];
  let options = [
    Option<"mode", "mode", "std::string", /*default=*/"\"auto\"",
           "off, auto or on">,
    Option<"threshold", "threshold", "double", /*default=*/"0.5",
           "The share of zeros that weights have at least">,
    Option<"costsOf", "costs", "std::string", /*default=*/"\"kernels\"",
           "How products are computed: by kernels, kernels and a matrix "
           "unit, loops or threads">,
    Option<"annotate", "annotate", "bool", /*default=*/"false",
           "Say of each product in an attribute what was estimated">
  ];
}

def ConvertSparseConstants
    : Pass<"onnx-convert-sparse-constants", "::mlir::ModuleOp"> {
  let summary = "Give sparse constants another format";
  let description = [{
    Sparse constant matrices [k, n], of any format, get the type of another one:

        coo  (k, n) -> (k : compressed(nonunique), n : singleton(soa))
        csr  (k, n) -> (k : dense, n : compressed)
        csc  (k, n) -> (n : dense, k : compressed)
        bsr  (k, n) -> (k floordiv R : dense, n floordiv C : compressed,
                        k mod R : dense, n mod C : dense)
        nm   (k, n) -> (n : dense, k floordiv M : dense, k mod M : structured[N, M])

    Constants that something other than an op of this dialect uses stay. One
    that doesn't fit is an error: of sizes that aren't multiples of a block's or
    a group's, or, for nm, with more values in a group than it keeps.
  }];
  let options = [
    Option<"to", "to", "std::string", /*default=*/"\"csc\"",
           "coo, csr, csc, bsr or nm">,
    Option<"blockRows", "block-rows", "int64_t", /*default=*/"1",
           "R of bsr">,
    Option<"blockColumns", "block-columns", "int64_t", /*default=*/"16",
           "C of bsr">,
    Option<"kept", "kept", "int64_t", /*default=*/"2",
           "N of nm: the values of a group that are stored">,
    Option<"group", "group", "int64_t", /*default=*/"4", "M of nm">
  ];
}

def DensifyConstants : Pass<"onnx-densify-constants", "::mlir::ModuleOp"> {
  let summary = "Make sparse constants dense where nothing takes them sparse";
  let description = [{
    Gives every op that has no sparse lowering the ordinary tensor in place of a
    constant of a type with a `#sparse_tensor.encoding`. What is left sparse are
    the second operands of `MatMul`, `Gemm` and `Conv`, and the tables of
    `Gather`, in the forms that `onnx-sparsify-constants` chooses. One constant becomes one dense one,
    however many ops read it.

    With `keep-factors`, matrices and filters that may be given such a form stay as they
    are: what other constants hold, passes look for in dense ones.
  }];
  let options = [
    Option<"keepFactors", "keep-factors", "bool", /*default=*/"false",
           "Leave second factors of products sparse in any form">
  ];
}

#endif // OMB_DIALECT_TRANSFORMS_PASSES_TD
