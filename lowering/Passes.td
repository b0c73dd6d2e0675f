#ifndef OMB_LOWERING_PASSES_TD
#define OMB_LOWERING_PASSES_TD

include "mlir/Pass/PassBase.td"

def FoldConstants : Pass<"omb-fold-constants", "::mlir::ModuleOp"> {
  let summary = "Compute linalg ops of small constants";
  let description = [{
    Replaces linalg ops of constants, of up to 4096 points and 65536 operations
    at all of them, by the constants that they compute, with the folders of the
    operations in their bodies: masks, ranges, and whatever else follows from
    known sizes. IREE would compile a program for each, and run it when the
    module is loaded.

    An op without any point, as a sum over no channels, is replaced by what it
    starts with.

    Functions such as `exp` stay computed, so that their last digits are those of
    the target, and so do what only repeats a constant and what a sum starts
    with.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

def ConvertOnnxToLinalg : Pass<"convert-onnx-to-linalg", "::mlir::ModuleOp"> {
  let summary = "Lower onnx ops to linalg, tensor, arith, math and scf";
  let description = [{
    Replaces every onnx op by linalg on tensors: a named op where there is one,
    `linalg.generic` elsewhere. Unsigned integers become signless, and the names
    of dynamic dimensions (`#onnx.dims`), which decide here whether two
    dimensions can differ, are dropped.

    Elements of less than a byte become `i8`, one element a byte: an integer of 2
    or 4 bits is sign- or zero-extended, and of a float of 4 or 6 bits the byte
    has the code, with zeros above. So are constants unpacked. Conversions wrap
    around, round and saturate as for a type of the element's own width.

    Random ops without a seed count their evaluations in a mutable
    `util.global`, which IREE keeps from one run of a session to the next.

    Fails with one diagnostic for each op that has no lowering, or whose
    lowering doesn't take it; the diagnostic gives the lowering's reason.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect",
    "::mlir::cf::ControlFlowDialect",
    "::mlir::complex::ComplexDialect",
    "::mlir::linalg::LinalgDialect",
    "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect",
    "::omb::iree::UtilDialect"
  ];
}

def ExternalizeParameters
    : Pass<"omb-externalize-parameters", "::mlir::ModuleOp"> {
  let summary = "Make large constants parameters of IREE's archive";
  let description = [{
    Replaces every `arith.constant` of more than `threshold` bytes, or of more
    than 100 booleans (whose text two versions of MLIR write differently), or of
    bf16 (which IREE 3.13 doesn't compile for SPIR-V), by a load of a
    `util.global` whose initial value is the parameter `"model"::"name"` of an
    archive. The name is the resource's key where the
    value is a `dense_resource`. Equal constants share one parameter.

    The values are left in the module attribute `omb.parameters`, a dictionary
    from the name to an elements attribute with the bytes as IREE keeps them in
    memory (one byte for each i1, types of 2 and 4 bits packed). Whoever writes
    the archive takes the attribute off the module.

    Resources that are not larger become plain `dense` values. Splats stay.
  }];
  let options = [
    Option<"threshold", "threshold", "uint64_t", /*default=*/"256",
           "Largest constant, in bytes, that stays in the module">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect",
    "::omb::iree::FlowDialect",
    "::omb::iree::UtilDialect"
  ];
}

def FlattenElements : Pass<"omb-flatten-elements", "::mlir::ModuleOp"> {
  let summary = "Make tensors of single elements as vectors";
  let description = [{
    Replaces `tensor.from_elements` of more than one dimension by one of one
    dimension, a `util.optimization_barrier` and `tensor.expand_shape`. Of the
    former IREE 3.13 makes a fill that is larger than the tensor, and refuses it.
  }];
  let dependentDialects = [
    "::mlir::tensor::TensorDialect",
    "::omb::iree::UtilDialect"
  ];
}

def IsolateCarriedTensors
    : Pass<"omb-isolate-carried-tensors", "::mlir::ModuleOp"> {
  let summary = "Keep IREE from computing wrong offsets of carried tensors";
  let description = [{
    Puts a `util.optimization_barrier` behind the tensors that a loop starts with
    or that a region of scf yields, where one of them has dynamic sizes. IREE packs such
    tensors into common allocations and carries their offsets along; in 3.13 the
    range of an offset that depends on a product of dynamic sizes is taken to be
    empty, and where the offset is 0 on another way into the block it becomes 0
    on all, so that the loop reads other data. Behind the barrier the tensor has
    no offset.

    IREE 3.13 also takes the constant size of a tensor that a loop starts with
    for its size in all iterations, and the sizes of what one branch of an
    `scf.if` yields for those of the other. So empty tensors are filled, with
    their sizes hidden behind barriers, and an `arith.select` of tensors becomes
    an `scf.if`.

    What an `scf.while` carries twice, or doesn't read or change, is removed from
    some of its blocks, after which IREE 3.13 passes fewer values on than are
    taken. So its condition passes on all that it gets, and all that is carried
    is behind barriers, and read. A tensor that it carries twice is a copy the
    second time, as IREE moves the only reference to the first place. The sizes
    of what an `scf.for` carries are lost if it doesn't read it, so it does.
    What a loop starts with and others read after it is behind a barrier, too:
    IREE would put all of that into one partition, which depends on itself.

    What follows from constants alone is copied where it is passed on: IREE 3.13
    keeps it for all runs, and frees it after the first one.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect",
    "::mlir::complex::ComplexDialect",
    "::mlir::linalg::LinalgDialect",
    "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect",
    "::omb::iree::FlowDialect",
    "::omb::iree::UtilDialect"
  ];
}

def CarrySizes : Pass<"omb-carry-sizes", "::mlir::ModuleOp"> {
  let summary = "Carry sizes along with tensors";
  let description = [{
    Loops and branches of `scf` whose tensors have dynamic sizes carry these as
    values of their own, and `flow.tensor.tie_shape` says of each tensor in a
    region and after it which they are. IREE 3.13 adds them by itself, but not
    in a loop within a loop, and not where a loop exchanges what it carries.
  }];
  let dependentDialects = [
    "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect",
    "::omb::iree::FlowDialect"
  ];
}

def AddInitialSums : Pass<"omb-add-initial-sums", "::mlir::ModuleOp"> {
  let summary = "Add what sums start with after them on CUDA";
  let description = [{
    Has sums (products, convolutions, reductions) that start with values that
    are computed elsewhere start with zeros, and adds the values to their
    results. A step of a recurrent operator starts its product with a part of
    another one, say, and takes its tanh. IREE 3.13 computes that in one
    dispatch, and its code generation for CUDA finds no memory to add up in.

    ```mlir
    %y = linalg.matmul ins(%a, %b : ...) outs(%c : tensor<2x8xf32>) -> tensor<2x8xf32>
    // becomes
    %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x8xf32>) -> tensor<2x8xf32>
    %sums = linalg.matmul ins(%a, %b : ...) outs(%zeros : tensor<2x8xf32>) -> tensor<2x8xf32>
    %y = linalg.generic ... ins(%sums, %c : ...) outs(%empty : tensor<2x8xf32>) // arith.addf
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

def IsolateGathers : Pass<"omb-isolate-gathers", "::mlir::ModuleOp"> {
  let summary = "Keep IREE from gathering within reductions on CUDA";
  let description = [{
    Puts a `util.optimization_barrier` behind elementwise computations that read
    elements at computed places of tensors whose sizes aren't known, as they do
    to broadcast sizes of 1, if a reduction depends on them. IREE 3.13 would
    compute both in one dispatch, which its code generation for CUDA can't
    distribute.
  }];
  let dependentDialects = [
    "::mlir::tensor::TensorDialect",
    "::omb::iree::FlowDialect",
    "::omb::iree::UtilDialect"
  ];
}

def IsolateSizes : Pass<"omb-isolate-sizes", "::mlir::ModuleOp"> {
  let summary = "Keep IREE from computing sizes within dispatches";
  let description = [{
    Puts a `util.optimization_barrier` behind indices that are computed from
    other numbers, as those of `Resize` are from its scales, if a tensor has
    them as sizes. IREE 3.13 else may compute them again in the dispatch that
    pads the tensor, and then can't say how many workgroups that takes.

    ```mlir
    %n = arith.index_cast %integer : i64 to index
    %size = util.optimization_barrier %n : index
    %empty = tensor.empty(%size) : tensor<?xf32>
    ```
  }];
  let dependentDialects = ["::omb::iree::UtilDialect"];
}

def IsolateUpdates
    : Pass<"omb-isolate-updates", "::mlir::ModuleOp"> {
  let summary = "Keep IREE from taking parts of tensors to be aligned";
  let description = [{
    IREE has a dispatch compute a part of a larger tensor (of a concatenation,
    say) in its place there. Executables are shared by dispatches that compute
    alike, and of where each of them stores its result IREE 3.13 knows the
    alignment only if that is the start of an allocation: what it doesn't know
    counts as aligned. What corrects that otherwise, an analysis of divisors,
    doesn't get beyond the first branch of a function. Then aligned vectors are
    stored at any address, and the process ends.

    So in functions with branches, a `util.optimization_barrier` is put behind
    what is inserted or concatenated at an offset that isn't known to be a
    multiple of 64 bytes: it is computed somewhere else, and copied.
  }];
  let dependentDialects = [
    "::mlir::tensor::TensorDialect",
    "::omb::iree::FlowDialect",
    "::omb::iree::UtilDialect"
  ];
}

def ExtendSigned : Pass<"omb-extend-signed", "::mlir::ModuleOp"> {
  let summary = "Keep IREE from extending signed integers wrongly on Vulkan";
  let description = [{
    Extends signed integers of less than 32 bits as unsigned ones, whose first
    bit is inverted and then subtracted. Those that are summed up, as factors of
    products are, are extended before, in a dispatch of their own: a product of
    `i8` is one of `i32`.

    Where IREE 3.13 loads several of them as a number of 32 bits for SPIR-V, it
    makes shifts of what takes that apart and extends it, and forgets the sign.

    With `dot-products`, a `linalg.matmul` of `i8` of known sizes that sums
    multiples of four products stays: what it loads so it gives to the device's
    integer dot products, and where it doesn't, it loads single bytes.
  }];
  let options = [
    Option<"dotProducts", "dot-products", "bool", /*default=*/"false",
           "Whether IREE knows that the device has products of four bytes">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect",
    "::omb::iree::FlowDialect",
    "::omb::iree::UtilDialect"
  ];
}

def IsolateBroadcasts : Pass<"omb-isolate-broadcasts", "::mlir::ModuleOp"> {
  let summary = "Keep IREE from broadcasting reductions wrongly on Vulkan";
  let description = [{
    Puts a `util.optimization_barrier` between a reduction, or what is computed
    from it element by element, and an operation that broadcasts it over other
    loops than the last ones: the column's maximum that is subtracted in each
    row. The same for what IREE puts into a dispatch with its readers without
    inlining it: what is computed and then sliced, and what has several readers
    and is wider than what it is made of. The same for windows of what is computed
    element by element, padded or not.

    In one dispatch, each thread of a workgroup keeps its result where the others
    read it, and IREE 3.13 has no barrier for SPIR-V between the two: where a
    subgroup of the device is smaller than the workgroup, threads read what isn't
    written yet. Where the result is broadcast over the last loops, each thread
    reads its own. Of windows, IREE computes too few of the elements that it makes
    wider, as bytes made floats before an average.
  }];
  let dependentDialects = [
    "::mlir::tensor::TensorDialect",
    "::omb::iree::FlowDialect",
    "::omb::iree::UtilDialect"
  ];
}

class VectorUnitOptions {
  list<Option> vectorUnit = [
    Option<"vectorBytes", "vector-bytes", "unsigned", /*default=*/"64",
           "Bytes of a vector register">,
    Option<"vectorRegisters", "vector-registers", "unsigned", /*default=*/"32",
           "Number of vector registers">,
    Option<"vectorDotBytes", "vector-dot-bytes", "unsigned", /*default=*/"4",
           "Products of bytes that an instruction adds to 32 bits: 4, 2 or 0">,
    Option<"vectorDotBFloats", "vector-dot-bfloats", "bool", /*default=*/"true",
           "Whether an instruction adds products of bf16 to f32">,
    Option<"matrixBytes", "matrix-bytes", "bool", /*default=*/"false",
           "Whether there is a matrix unit for products of bytes (AMX-INT8)">,
    Option<"matrixBFloats", "matrix-bfloats", "bool", /*default=*/"false",
           "Whether there is a matrix unit for products of bf16 (AMX-BF16)">
  ];
  Option threads =
    Option<"threads", "threads", "unsigned", /*default=*/"0",
           "Among how many threads kernels are divided; 0: nobody knows">;
}

def ConvertLayout : Pass<"omb-convert-layout", "::mlir::ModuleOp"> {
  let summary = "Give images their channels last";
  let description = [{
    Convolutions with constant weights, also depthwise and grouped ones, are
    computed with the channels last, between two transpositions. Elementwise ops,
    pools, sums over positions, padding, concatenation and slices of what was
    transposed back are computed before that, so that opposite transpositions
    meet and vanish. Images of at most four channels, as models take, are read
    where they are. Images of eight channels or more are transposed for pools,
    too, but not with `named`.

    Convolutions become `linalg.generic`, for kernels; with `named`, they become
    named operations such as `linalg.conv_2d_nhwc_hwcf`, for IREE's code
    generation for GPUs, and those without such a name are left alone.
  }];
  let options = [
    Option<"named", "named", "bool", /*default=*/"false",
           "Make named operations of convolutions">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

def OutlineAttention : Pass<"omb-outline-attention", "::mlir::ModuleOp"> {
  let summary = "Make functions of attention";
  let description = [{
    Takes a product of a softmax of the last dimension and values, where the
    softmax is of a product of queries and keys, in f32 and f64:

        out[b..., m, d] = sum_n p[b..., m, n] * values[b..., n, d]
        p = softmax_n(steps(sum_k queries[b..., m, k] * keys[b..., n, k]))

    The steps are elementwise ops on the scores, as scaling and masking are; a
    mask may be broadcast, and the keys and values may be those of groups of
    queries. Transpositions, reshapes, slices and broadcasts of the operands,
    and transpositions of the result, become part of where elements are read and
    written; so do elementwise ops on the queries, and factors of the keys.

    All that moves into a private function with the attribute `omb.kernel`,
    which takes tensors, indices and the dynamic sizes of its result. What is
    alike shares one function. Where the scores or probabilities are read by
    others, too, or the size of the heads isn't known, nothing is done.
  }];
  let options = [
    Option<"explain", "explain", "bool", /*default=*/"false",
           "Remark of attention that is no kernel why it isn't">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect",
    "::mlir::func::FuncDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

def WinogradConvolutions
    : Pass<"omb-winograd-convolutions", "::mlir::ModuleOp"> {
  let summary = "Make convolutions of 3x3 with fewer multiplications";
  let description = [{
    A convolution of 3x3 in f32 with a stride of 1, constant weights and images
    of a known size becomes a transform of squares of its input, products of
    matrices, one for each place in a square, and a transform back to tiles of 2
    x 2 or 4 x 4 outputs ("Fast Algorithms for Convolutional Neural Networks",
    Lavin and Gray, 2015):

        v = linalg.winograd_input_transform(input)
        m[ij, t, f] += v[ij, t, c] * u[ij, f, c]
        out = linalg.winograd_output_transform(m)

    where u, the transformed weights, is a constant. There are 2.25 or 4 times
    fewer multiplications, but 1.8 or 4 times more weights, and squares overlap:
    an estimate of the times decides, and squares that would take more than 256
    MiB aren't made. Sums are rounded differently; a value that isn't finite
    reaches all outputs of its square.
  }];
  let options = [
    Option<"vectorBytes", "vector-bytes", "unsigned", /*default=*/"64",
           "Bytes of a vector register">,
    Option<"explain", "explain", "bool", /*default=*/"false",
           "Remark of each sum that stays as it is why it does">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

def DensifyConstants : Pass<"omb-densify-constants", "::mlir::ModuleOp"> {
  let summary = "Make sparse constants of linalg dense";
  let description = [{
    Replaces every `arith.constant` of a type with a `#sparse_tensor.encoding`
    by one of the ordinary type, with all of its elements. Products take both.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def LowerSparseContractions
    : Pass<"omb-lower-sparse-contractions", "::mlir::ModuleOp"> {
  let summary = "Make loops of products with sparse weights, for any device";
  let description = [{
    Takes products of rows and a constant matrix of f32, or signed bytes, of a
    sparse type, in the formats of `omb-pack-sparse-contractions`. The constants
    are the same, but each element of the result is computed on its own, in the
    body of a `linalg.generic`, which any code generator takes:

        for at = positions[n] .. positions[n + 1]
          sum += values[at] * rows[m, coordinates[at]]

    With `threads`, neighbors in the generic's loops are rows, of which there
    must be 32 or an unknown number, so that the threads of a GPU that run as
    one read neighbors in memory; rows are transposed for that. Of blocks of
    channels, neighbors are channels in any case.

    Convolutions are loops over each feature's values; the coordinate of one says
    where in an image it is multiplied, counted from the first element of a
    window. Neighbors are positions.
  }];
  let options = [
    Option<"threads", "threads", "bool", /*default=*/"false",
           "For a device with a thread for each element of the result">,
    Option<"explain", "explain", "bool", /*default=*/"false",
           "Remark of each sum of sparse weights that isn't lowered why it isn't">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect",
    "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

def PackSparseContractions
    : Pass<"omb-pack-sparse-contractions", "::mlir::ModuleOp">,
      VectorUnitOptions {
  let summary = "Put sparse weights and rows into the order of kernels";
  let description = [{
    Takes products of rows and a constant matrix of f32, or signed bytes, of a
    sparse type, which is assembled of the constants that kernels read: where
    each channel's elements start, their coordinates (of 16 bits where these
    fit), and they.

    Where the encoding has each channel for itself, rows are packed in tiles, so
    that vectors have elements of several rows, which are multiplied with one of
    the weights:

        tiles = linalg.pack rows
        weights = sparse_tensor.assemble (positions, coordinates), values
        packed[t, n, v] += tiles[t, k, v] * weights[k, n]
        out = linalg.unpack packed

    Tiles of one row stand for no packing: a few rows are read where they are,
    and zeros make the number of each channel's values a multiple of four.
    Where the encoding has blocks of channels, vectors are of these:

        packed[m, j, v] += rows[m, k] * weights[k, j * block + v]
        out = linalg.unpack packed

    Convolutions of images with the channels second get them last, as
    omb-convert-layout does it. Those with filters of one position and without
    strides are products of rows, the positions. Of others, the elements of a
    channel and a phase (what is a stride apart), with their padding, are a
    plane, and the planes of an image a row; an element of a filter is k elements
    behind the first one of a window, wherever that is:

        planes[n, c, a..., q...] = (tensor.pad images)[n, q... * strides + a, c]
        rows = tensor.insert_slice (tensor.collapse_shape planes)
        out[n, p..., f] += rows[n, steps * p + k] * weights[k, f]

    with weights of the encoding

        (k, f) -> (k floordiv chunk : dense, f : dense, k mod chunk : compressed)

    where a chunk are the planes of as many channels as a tile's part of stays
    in the first cache.

    Values that all are integers from -128 to 127 are stored as bytes, and
    others in the type `narrow`, if one is given. Kernels widen them.
  }];
  let options = vectorUnit # [
    Option<"narrow", "narrow", "std::string", /*default=*/"\"\"",
           "The type that values are stored in: bf16, f16 or empty">,
    Option<"explain", "explain", "bool", /*default=*/"false",
           "Remark of each sum of sparse weights that isn't packed why it isn't">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect",
    "::mlir::sparse_tensor::SparseTensorDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

def PackContractions : Pass<"omb-pack-contractions", "::mlir::ModuleOp">,
                       VectorUnitOptions {
  let summary = "Put weights into the order in which kernels read them";
  let description = [{
    Takes products of matrices and convolutions in f32, f64 and of signed bytes,
    summed in 32 bits, whose output has the weights' channels last. The channels
    are divided into panels of a few vectors each; the weights, usually a
    constant, are stored panel by panel, with zeros beyond the last channel:

        packed[p..., j, v] += input[f(p..., r...)] * panels[b..., j, r..., v]
        out = linalg.unpack packed

    The batches b are some of the positions p: those of batched products and the
    groups of convolutions. Of depthwise convolutions, whose input has the
    output's channels, the input is packed, too (`linalg.pack`).

    So is that of pools of images with their channels last, in f32, f64 and of
    integers of 8 and 32 bits; in place of panels they have a tensor without
    contents of the windows' sizes.

    Of bytes, as many of what is summed as an instruction adds to 32 bits are
    next to each other:

        packed[p..., j, v] += input[f(p..., r...) + q] * panels[b..., j, r..., v, q]

    Of images whose channels are fewer than that, or don't fill it, the columns
    of a window and the channels of each, with zeros that make them four, are one
    loop along a row of the image with its channels last, which is padded in
    memory. The same is done for products of bf16.

    The instructions take unsigned bytes of the input: 128 is added to its
    bytes, and 128 times the sums of the weights are subtracted. Inputs that
    were made of unsigned bytes are read as they were.
    Those of depthwise convolutions become f32 in registers, less what they are
    padded with, and their panels are of f32: its sums are exact there.

    With `narrow`, the weights of products of f32 are stored in that type. Sums
    of bf16 are made by an instruction that adds two products to an f32, where
    the CPU has it: then the input becomes bf16, too, as a part of what computes
    it. Otherwise the weights become f32 again in registers.

    Matrices of f32 that are computed of constant bytes, `(code - zero point) *
    scale` with a scale for all, for each channel or for each block of what is
    summed, aren't computed before: the panels are, of bytes with as many codes
    as fit and a scale (and, where zero points differ, an offset) for each block,
    which kernels do in registers (scales may be of f16 or bf16, and the last
    block may be short):

        panels[j, b, s, c, v] = code(bytes[j, b, s, v], c) * scales[j, b, v] + offsets[j, b, v]
        packed[p..., j, v] += input[p..., (b * S + s) * C + c] * panels[j, b, s, c, v]

    With a matrix unit for such factors, a panel is one or two of its registers
    wide, and the product says that it reads padding from memory.

    The panel's size follows from the registers of the CPU and the sizes of the
    output. A start of the sum other than zero is added afterwards. Transposed
    constants are read in the order that they have. Weights that aren't constant
    are packed with `linalg.pack` where they are used for enough positions, or
    both are sequences of unknown length.
  }];
  let options = vectorUnit # [
    Option<"narrow", "narrow", "std::string", /*default=*/"\"\"",
           "The type of the factors of products of f32: bf16, f16, or empty: "
           "as they are">,
    Option<"explain", "explain", "bool", /*default=*/"false",
           "Remark of each sum that isn't packed why it isn't">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

def FuseElementwise : Pass<"omb-fuse-elementwise", "::mlir::ModuleOp"> {
  let summary = "Make one op of the elementwise ops that follow a product";
  let description = [{
    Makes `linalg.generic` of named elementwise ops and of broadcasts. What
    follows a packed product (`linalg.unpack`) becomes one op, as long as the
    intermediate results have one use; what is done to the product after
    `tensor.expand_shape` or `tensor.collapse_shape` is done before. Operands
    that are read at 0 in dimensions of 1 are read without these, as kernels
    read vectors of an operand's last dimension. Other elementwise ops are left
    to IREE.

    What joins several products becomes part of the last one. What is done to
    the others stays theirs; if the last step of that makes their elements wider,
    as a dequantization does, it moves behind the join, so that the narrow ones
    are stored. What is made of a product and rounded to a narrower float, for
    another one, is read rounded by all elementwise ops, if nothing else reads it.
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect",
    "::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

def ShapeReductions : Pass<"omb-shape-reductions", "::mlir::ModuleOp"> {
  let summary = "Give reductions the shapes of kernels";
  let description = [{
    Makes one dimension of the last ones that are reduced together, in the
    reductions, and in the elementwise ops that read what they do and what they
    give: the height and width of an instance normalization.

    Where the last dimension is kept, as the channels of an image are that is
    summed over its positions, elementwise ops that the reduction alone reads
    become part of it, and a long one is done in parts, for several workgroups,
    and then to what these give.
  }];
  let options = [
    Option<"vectorBytes", "vector-bytes", "unsigned", /*default=*/"64",
           "Bytes of a vector register">,
    Option<"vectorRegisters", "vector-registers", "unsigned", /*default=*/"32",
           "Number of vector registers">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

def OutlineKernels : Pass<"omb-outline-kernels", "::mlir::ModuleOp">,
                     VectorUnitOptions {
  let summary = "Make functions of products and of what is computed by rows";
  let description = [{
    Moves each product that omb-pack-contractions packed, together with the
    elementwise op that alone uses it, with the packing of its input, and with
    the padding of its input with zeros, into a private function with the
    attribute `omb.kernel`, which takes tensors and the dynamic sizes of its
    result. Products that are alike share one function. The transforms of
    omb-winograd-convolutions become functions likewise.

    So does it with what is computed row by row, as softmax and layer
    normalization are: reductions of the last dimension in f32 or f64, what is
    done to the values that they give, and the elementwise ops that lead to
    them and follow, as far as nothing else reads their results. Of reductions
    that depend on each other a kernel has at most two. Its other arguments are
    indices that the bodies of the ops read. A few rows that are very long are
    left to IREE.

    A depthwise convolution, or a pool, and the convolution whose result it alone
    reads become one function, if images have known sizes: kernels then make
    rows of what is between the two when they are needed. Where `threads` is
    known and small, as images of few rows can't be divided among many, so does
    the 1x1 convolution that alone reads the result.

    And with reductions that keep the last dimension, in f32, f64 or of
    integers in 32 bits: averages of all positions of an image with its channels
    last, with the elementwise op that alone uses the result.

    And with copies in f32 that take the channels of two to eight groups in
    turns, where there are at least 16 in each: shuffles of images with their
    channels last.
  }];
  let options = [
    Option<"explain", "explain", "bool", /*default=*/"false",
           "Remark of reductions, and of what follows them, why they are no "
           "kernel">,
    threads
  ];
  let dependentDialects = [
    "::mlir::func::FuncDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

def ShareKernels : Pass<"omb-share-kernels", "::mlir::ModuleOp"> {
  let summary = "Make one function of kernels that differ in scalars";
  let description = [{
    Kernels of layers that are alike differ in constants of their epilogues, or
    of what they do to rows: scales and zero points. Those become one function,
    which takes what differs as elements of a tensor, one for each element type,
    after its other tensors; each call passes a constant. Divisions whose
    quotients are rounded become multiplications first, as
    omb-vectorize-kernels does it, so that what these multiply by is such a
    constant. Results are the same, bit by bit.

    Kernels of attention stay as they are.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect",
    "::mlir::math::MathDialect"
  ];
}

def VectorizeKernels : Pass<"omb-vectorize-kernels", "::mlir::ModuleOp">,
                       VectorUnitOptions {
  let summary = "Make executables of vector code of the kernels";
  let description = [{
    Replaces each function of omb-outline-kernels by a `stream.executable`, and
    its calls by `flow.dispatch`. A workgroup computes one panel of channels for
    a block of positions, tile by tile: the sums of a tile stay in vector
    registers while loops go through what is summed over, with one
    `vector.fma`, or, of bytes and bf16, an instruction of x86, for each vector
    and step; then the elementwise op is done to the vectors, and they are
    stored. Tiles at the end of a row are smaller.

    Of two convolutions in one kernel, the second of which is depthwise or a
    pool, a workgroup has some channels of some rows. Before each row it makes
    those of what is between the two that this row is the first to read, and
    keeps as many as a window has, on its stack; those that a window shares with
    the workgroup before are made twice. With a third convolution, which needs
    all channels, a workgroup has all of them.

    Inputs are read where they are, unpadded and unpacked. A row of the output
    skips the taps above and below the input; of the columns, whose number is
    known where padding is part of a kernel, tiles at the border skip the taps
    beside it.

    With a matrix unit (AMX), the sums of a tile are in up to four of its
    registers, each for up to 16 positions and 16 channels; a step loads up to 64
    bytes for each of the positions and adds all their products. What is done to
    the sums is done from memory. Positions that lie one after the other, row by
    row, are counted through; in an image that is padded in memory some of these
    are between rows, and are not stored. What a tile at the end lacks is copied.

    Of the transforms of omb-winograd-convolutions, a workgroup has a block of
    tiles, whose squares of vectors of channels are transformed in registers.

    Of a kernel of rows, a workgroup computes a block of rows. It sweeps through
    each row, several vectors at a time, then one, then what is left through a
    mask: once for all reductions that don't depend on each other, and a last
    time for the result. Of the values that several sweeps need one that calls
    functions is kept in the result's memory.
  }];
  let options = vectorUnit # [threads];
  let dependentDialects = [
    "::mlir::affine::AffineDialect",
    "::mlir::arith::ArithDialect",
    "::mlir::func::FuncDialect",
    "::mlir::LLVM::LLVMDialect",
    "::mlir::math::MathDialect",
    "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect",
    "::omb::iree::FlowDialect",
    "::omb::iree::StreamDialect"
  ];
}

def ExpandFunctions : Pass<"omb-expand-functions", "::mlir::ModuleOp"> {
  let summary = "Compute exp, erf and tanh of f32 with formulas of our own";
  let description = [{
    Replaces `math.exp`, `math.erf` and `math.tanh` of f32 and of vectors, in
    kernels and elsewhere: polynomials, and quotients of them, off by at most 3
    units of the last place. IREE's are off by 3.9, 4.3 and 4.9. With vectors of
    64 bytes, the exponential of 16 lanes is scaled by an instruction of AVX-512.
  }];
  let options = [
    Option<"vectorBytes", "vector-bytes", "unsigned", /*default=*/"64",
           "Bytes of a vector register">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect",
    "::mlir::LLVM::LLVMDialect",
    "::mlir::math::MathDialect"
  ];
}

#endif // OMB_LOWERING_PASSES_TD
