//===- SparsifyConstants.cpp - onnx-sparsify-constants --------------------===//

#include "dialect/ir/QuantCasts.h"
#include "dialect/ir/QuantizedTypes.h"
#include "dialect/ir/SparseTypes.h"
#include "dialect/ir/ops/Constant.h"
#include "dialect/ir/ops/Convolution.h"
#include "dialect/ir/ops/DataMovement.h"
#include "dialect/ir/ops/Indexing.h"
#include "dialect/ir/ops/Matmul.h"
#include "dialect/transforms/Passes.h"
#include "dialect/transforms/SparseBatches.h"
#include "dialect/transforms/SparseConstants.h"
#include "dialect/transforms/SparseCosts.h"
#include "dialect/transforms/SparseMatrix.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/DenseMap.h"

using namespace mlir;
using namespace mlir::sparse_tensor;
using namespace omb::onnx;

namespace omb::onnx {
#define GEN_PASS_DEF_SPARSIFYCONSTANTS
#include "dialect/transforms/Passes.h.inc"
} // namespace omb::onnx

namespace {

//===----------------------------------------------------------------------===//
// In which form
//===----------------------------------------------------------------------===//

/// How an operation reads a constant.
enum class Form {
  Matrix,
  Transposed,
  /// As filters of one position each, or of others.
  PointFilters,
  Filters,
  /// By rows.
  Table
};
constexpr size_t kForms = 5;

/// That of the filters of `op`.
Form getForm(ConvOp op) {
  auto isOne = [](int64_t number) { return number == 1; };
  auto type = cast<RankedTensorType>(op.getW().getType());
  bool isPoint = llvm::all_of(type.getShape().drop_front(2), isOne) &&
                 (!op.getStrides() || llvm::all_of(*op.getStrides(), isOne));
  return isPoint ? Form::PointFilters : Form::Filters;
}

/// The quantized or other element type of transposed weights.
Type transposeElement(Type element) {
  auto quantized = dyn_cast<quant::QuantizedType>(element);
  std::optional<QuantizationParameters> parameters =
      quantized ? QuantizationParameters::get(quantized) : std::nullopt;
  if (!parameters || !parameters->axis)
    return element;
  parameters->axis = 1 - *parameters->axis;
  return parameters->getType(getStorageType(quantized),
                             cast<FloatType>(quantized.getExpressedType()));
}

/// The elements of `matrix` as a constant of `type`. `read`: the same as a
/// kernel reads them.
EncodedSparse encode(const SparseMatrix &matrix, const SparseMatrix &read,
                     ChosenForm chosen, RankedTensorType type) {
  int64_t elementBytes = getQuantized(type) ? 1 : sizeof(float);
  return {matrix.createElements(type), type,
          chosen.getBytes(read, elementBytes), chosen.storedDensity};
}

/// The second factor of a product, in the format that is expected to be the
/// fastest.
EncodedSparse encodeFactor(const SparseMatrix &matrix, Type element,
                           const SparseCosts &costs) {
  MLIRContext *context = element.getContext();
  auto chosen = ChosenForm::get(matrix, costs, /*mayBeOfBlocks=*/true);
  Attribute encoding = chosen.isOfBlocks ? getBlockEncoding(context)
                                         : getChannelEncoding(context);
  auto type =
      RankedTensorType::get({matrix.rows, matrix.columns}, element, encoding);
  return encode(matrix, matrix, chosen, type);
}

/// What `source` becomes, in the format that is expected to be the fastest;
/// null where its elements aren't known.
EncodedSparse encode(const SparseSource &source, Form form,
                     const SparseCosts &costs) {
  std::optional<SparseMatrix> matrix = SparseMatrix::get(source);
  if (!matrix)
    return {};
  MLIRContext *context = source.type.getContext();
  Type element = source.type.getElementType();
  if (form == Form::Matrix)
    return encodeFactor(*matrix, element, costs);
  if (form == Form::Transposed)
    return encodeFactor(matrix->getTransposed(), transposeElement(element),
                        costs);
  auto withEncoding = [&](Attribute encoding) {
    return RankedTensorType::get(source.type.getShape(), element, encoding);
  };
  if (form == Form::Table)
    return encode(*matrix, *matrix, {false, matrix->getDensity()},
                  withEncoding(getTableEncoding(context)));
  // Blocks of filters with several taps have no kernel.
  SparseMatrix turned = matrix->getTransposed();
  auto chosen = ChosenForm::get(turned, costs, form == Form::PointFilters);
  int64_t rank = source.type.getRank();
  return encode(*matrix, turned, chosen,
                withEncoding(chosen.isOfBlocks
                                 ? getFilterBlockEncoding(context, rank)
                                 : getFilterEncoding(context, rank)));
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// A constant, the type that its elements are read as, and how.
struct Source {
  ConstantOp constant;
  RankedTensorType type;
  Form form;
};

struct SparsifyConstants
    : omb::onnx::impl::SparsifyConstantsBase<SparsifyConstants> {
  using SparsifyConstantsBase::SparsifyConstantsBase;

  void runOnOperation() override {
    if (mode != "off" && mode != "auto" && mode != "on") {
      getOperation().emitError()
          << "mode is off, auto or on, not " << std::string(mode);
      return signalPassFailure();
    }
    costs = SparseCosts::get(costsOf);
    if (!costs) {
      getOperation().emitError()
          << "costs are of kernels, matrix, loops or threads, not "
          << std::string(costsOf);
      return signalPassFailure();
    }
    if (mode == "off")
      return;
    getOperation().walk([&](MatMulOp op) {
      if (std::optional<SparseBatch> batch = SparseBatch::match(op))
        sparsifyBatch(*batch);
    });
    getOperation().walk([&](Operation *op) {
      if (isa<MatMulOp, GemmOp, ConvOp>(op) && mayBeSparse(op->getOpOperand(1)))
        sparsify(op);
      // Rows take longer to read, so that only who asks for it gets less
      // memory.
      if (isa<GatherOp>(op) && mode == "on" && isTable(op->getOpOperand(0)))
        sparsifyTable(op->getOpOperand(0));
    });
    zeros.clear();
    for (auto &each : made)
      each.clear();
  }

private:
  /// The constant that the second factor is; null where it is computed.
  static Source getSource(Operation *op) {
    Value value = op->getOperand(1);
    auto gemm = dyn_cast<GemmOp>(op);
    auto convolution = dyn_cast<ConvOp>(op);
    bool isTransposed = gemm && gemm.getTransB();
    // Of the numbers that casts give, the elements are the stored ones.
    quant::QuantizedType quantized;
    while (Operation *from = value.getDefiningOp()) {
      if (!quantized)
        quantized = getQuantized(value);
      if (auto constant = dyn_cast<ConstantOp>(from)) {
        auto type = cast<RankedTensorType>(value.getType());
        // What isn't stored of a sparse one is the number zero of its own type.
        if (isSparse(type) && getQuantized(type) != quantized)
          return {};
        if (quantized)
          type = RankedTensorType::get(type.getShape(), quantized);
        Form form = convolution    ? getForm(convolution)
                    : isTransposed ? Form::Transposed
                                   : Form::Matrix;
        return {constant, type, form};
      }
      if (isa<TransposeOp>(from) && !convolution) {
        auto perm = cast<TransposeOp>(from).getPerm();
        // Without a permutation the dimensions are reversed.
        if (!perm || *perm == ArrayRef<int64_t>{1, 0}) {
          isTransposed ^= true;
          if (quantized)
            quantized = cast<quant::QuantizedType>(transposeElement(quantized));
        }
      } else if (!isa<IdentityOp, DequantizeCastOp, StorageCastOp>(from)) {
        break;
      }
      value = from->getOperand(0);
    }
    return {};
  }

  void sparsify(Operation *op) {
    Source source = getSource(op);
    ElementsAttr elements;
    if (!source.constant || !hasChannelScales(source) ||
        !matchPattern(source.constant.getResult(), m_Constant(&elements)))
      return;
    auto type = cast<RankedTensorType>(op->getOperand(1).getType());
    if (isSparse(type) && isLoweredSparse(op->getOpOperand(1)))
      return;
    // Most weights have no zeros: a count of them is enough.
    SparseSource weights{elements, source.type};
    Key key{elements, source.type};
    auto [count, isNew] = zeros.try_emplace(key, 0.0);
    if (isNew)
      count->second = weights.getZeroShare();
    bool mustBe = mode == "on" && weights.isSparse();
    if (!mustBe && count->second < threshold)
      return;
    // What several products read is made once; equal constants are merged.
    auto [found, isFirst] =
        made[static_cast<size_t>(source.form)].try_emplace(key);
    if (isFirst)
      found->second = encode(weights, source.form, *costs);
    const EncodedSparse &encoded = found->second;
    if (!encoded.value)
      return;
    bool isTaken = mode == "on" || isWorthIt(op, encoded, *costs, threshold);
    if (annotate)
      describe(op, encoded, isTaken);
    if (!isTaken)
      return;
    OpBuilder builder(op);
    Value sparse = createSparseConstant(builder, source.constant.getLoc(),
                                        encoded.value, encoded.type);
    op->setOperand(1, sparse);
    if (auto gemm = dyn_cast<GemmOp>(op))
      gemm.setTransB(0);
  }

  /// A product of each matrix, if all of them gain from it.
  void sparsifyBatch(const SparseBatch &batch) {
    bool mustBe = mode == "on" && batch.weights.isSparse();
    if (!mustBe && batch.weights.getZeroShare() < threshold)
      return;
    auto whole = batch.op;
    SmallVector<EncodedSparse> encoded;
    for (const SparseMatrix &matrix : batch.getMatrices()) {
      encoded.push_back(
          encodeFactor(matrix, batch.weights.type.getElementType(), *costs));
      if (mode != "on" && !isWorthIt(whole, encoded.back(), *costs, threshold))
        return;
    }
    IRRewriter rewriter(whole);
    SmallVector<Value> factors;
    for (const EncodedSparse &each : encoded)
      factors.push_back(createSparseConstant(rewriter, whole.getLoc(),
                                             each.value, each.type));
    SmallVector<MatMulOp> products = batch.split(rewriter, factors);
    if (annotate)
      for (auto [product, each] : llvm::zip_equal(products, encoded))
        describe(product, each, /*isTaken=*/true);
  }

  void sparsifyTable(OpOperand &table) {
    auto constant = table.get().getDefiningOp<ConstantOp>();
    ElementsAttr elements;
    if (!constant || isLoweredSparse(table) ||
        !matchPattern(constant.getResult(), m_Constant(&elements)))
      return;
    SparseSource source{elements,
                        cast<RankedTensorType>(table.get().getType())};
    if (!source.isSparse() && source.getZeroShare() < threshold)
      return;
    auto [found, isFirst] = made[static_cast<size_t>(Form::Table)].try_emplace(
        Key{elements, source.type});
    if (isFirst)
      found->second = encode(source, Form::Table, *costs);
    const EncodedSparse &encoded = found->second;
    if (!encoded.value)
      return;
    OpBuilder builder(table.getOwner());
    table.set(createSparseConstant(builder, constant.getLoc(), encoded.value,
                                   encoded.type));
  }

  /// Whether scales can come after the sums: there is one for all, or for each
  /// channel.
  static bool hasChannelScales(const Source &source) {
    quant::QuantizedType quantized = getQuantized(source.type);
    if (!quantized)
      return true;
    auto parameters = QuantizationParameters::get(quantized);
    int64_t channel = source.form == Form::Matrix ? 1 : 0;
    return quantized.getStorageTypeIntegralWidth() == 8 && parameters &&
           parameters->blockSize == 0 &&
           (!parameters->axis || *parameters->axis == channel);
  }

  /// Says in an attribute of a product what was found out of its weights.
  void describe(Operation *op, const EncodedSparse &encoded,
                bool isTaken) const {
    std::optional<double> cost = estimateShare(op, encoded, *costs);
    if (!cost)
      return;
    Builder builder(op);
    int64_t dense = encoded.value.getNumElements();
    if (!getQuantized(encoded.type))
      dense *= int64_t(sizeof(float));
    SmallVector<NamedAttribute> found;
    auto add = [&](StringRef name, Attribute value) {
      found.push_back(builder.getNamedAttr(name, value));
    };
    add("form",
        builder.getStringAttr(encoded.isBlocked() ? "blocks" : "channels"));
    add("sparse", builder.getBoolAttr(isTaken));
    add("cost", builder.getF64FloatAttr(*cost));
    add("bytes", builder.getI64IntegerAttr(encoded.bytes));
    add("dense_bytes", builder.getI64IntegerAttr(dense));
    op->setAttr("onnx.sparse_estimate", builder.getDictionaryAttr(found));
  }

  const SparseCosts *costs = nullptr;
  /// Constants by their elements and the type that they are read as.
  using Key = std::pair<Attribute, Type>;
  /// The share of zeros of each.
  llvm::DenseMap<Key, double> zeros;
  /// What each becomes in each form.
  std::array<llvm::DenseMap<Key, EncodedSparse>, kForms> made;
};

} // namespace
