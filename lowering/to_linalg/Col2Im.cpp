//===- Col2Im.cpp - Lowering of Col2Im ------------------------------------===//
//
// linalg writes every element of a result once, where it computes it. So each
// element of the image looks for the blocks that it lies in: for each element
// of a block there is at most one block that has it there.
//
//===----------------------------------------------------------------------===//

#include "dialect/ir/ops/Convolution.h"
#include "lowering/to_linalg/Elements.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/Scalars.h"
#include "lowering/to_linalg/TypeConversion.h"
#include "lowering/to_linalg/Windows.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;
using omb::Scalars;
using omb::WindowDim;

static Value addElements(Scalars &s, Value lhs, Value rhs) {
  if (isa<ComplexType>(lhs.getType()))
    return complex::AddOp::create(s, lhs, rhs);
  // A bool is whether any is set.
  return lhs.getType().isInteger(1) ? s.max(lhs, rhs) : s.add(lhs, rhs);
}

/// The block that has element `at` of the image at its element `within`, in one
/// dimension; `isInside` is cleared where there is none. It is always in range.
static Value findBlock(OpBuilder &b, Location loc, const WindowDim &dim,
                       Value at, Value within, Value &isInside) {
  omb::IndexArithmetic index(b, loc);
  Value zero = index.constant(0), stride = index.constant(dim.stride);
  Value start = index.sub(index.add(at, dim.low),
                          index.mul(within, index.constant(dim.dilation)));
  Value block = index.div(start, stride);
  auto require = [&](Value condition) {
    isInside =
        isInside
            ? arith::AndIOp::create(b, loc, isInside, condition).getResult()
            : condition;
  };
  require(index.isLess(index.constant(-1), start));
  require(index.isLess(block, dim.count));
  if (dim.stride != 1)
    require(index.isEqual(index.mul(block, stride), start));
  return index.clamp(block, zero, index.sub(dim.count, index.constant(1)));
}

/// Adds the elements of `columns` to those of `init`, an image.
static Value gatherBlocks(OpBuilder &builder, Location loc, Value columns,
                          ArrayRef<WindowDim> windows, Value init,
                          Type onnxType) {
  omb::IndexArithmetic index(builder, loc);
  SmallVector<Value> block = llvm::map_to_vector(
      windows, [](const WindowDim &dim) { return dim.kernel; });
  Value blockSize = index.product(block);
  return omb::reducePositions(
      builder, loc, block, init,
      [&](OpBuilder &b, Location, ValueRange at, ValueRange withins,
          Value sum) -> Value {
        omb::IndexArithmetic inner(b, loc);
        Value row = inner.constant(0), column = inner.constant(0), isInside;
        for (auto [dim, position, within] :
             llvm::zip(windows, at.drop_front(2), withins)) {
          Value found = findBlock(b, loc, dim, position, within, isInside);
          row = inner.add(inner.mul(row, dim.kernel), within);
          column = inner.add(inner.mul(column, dim.count), found);
        }
        row = inner.add(inner.mul(at[1], blockSize), row);
        Scalars s(b, loc, onnxType);
        Value element = s.widen(tensor::ExtractOp::create(
            b, loc, columns, ValueRange{at[0], row, column}));
        Value zero = omb::createZero(b, loc, element.getType());
        return addElements(s, sum, s.select(isInside, element, zero));
      });
}

namespace {

struct Col2ImToGeneric : OpConversionPattern<Col2ImOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(Col2ImOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    auto input = dyn_cast<RankedTensorType>(adaptor.getInput().getType());
    if (!type || !input)
      return rewriter.notifyMatchFailure(
          op, "the number of dimensions of the image isn't known");
    int64_t rank = type.getRank() - 2;
    if (rank < 1 || input.getRank() != 3)
      return rewriter.notifyMatchFailure(
          op, "the input isn't of rank 3, or the image has no dimensions");
    FailureOr<WindowAttributes> attributes = getWindowAttributes(op, rank);
    if (failed(attributes))
      return rewriter.notifyMatchFailure(op, "its attributes are invalid");

    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    SmallVector<Value> from = index.sizes(adaptor.getInput());
    SmallVector<Value> image, block;
    Value zero = index.constant(0);
    for (int64_t dim = 0; dim < rank; ++dim) {
      image.push_back(index.element(adaptor.getImageShape(), dim));
      block.push_back(index.element(adaptor.getBlockShape(), dim));
      for (Value size : {image.back(), block.back()})
        index.require(index.isLess(zero, size),
                      "a size of the image or block of Col2Im isn't positive");
    }
    SmallVector<WindowDim> windows =
        omb::computeWindows(index, *attributes, image, block, "Col2Im");
    SmallVector<Value> sizes = {from[0], checkColumns(index, from, windows)};
    llvm::append_range(sizes, image);
    Type elementType = type.getElementType();
    RankedTensorType sumType = type.clone(omb::getAccumulatorType(elementType));
    Value init = omb::createFilled(
        rewriter, loc, sumType, sizes,
        omb::createZero(rewriter, loc, sumType.getElementType()));
    if (llvm::is_contained(type.getShape(), 0)) {
      rewriter.replaceOp(op, omb::createEmpty(rewriter, loc, type, sizes));
      return success();
    }
    Value sum = gatherBlocks(rewriter, loc, adaptor.getInput(), windows, init,
                             getElementTypeOrSelf(op.getInput().getType()));
    rewriter.replaceOp(op, omb::convertFloats(rewriter, loc, sum, elementType));
    return success();
  }

  /// The number of channels of the image.
  static Value checkColumns(omb::IndexArithmetic index, ValueRange from,
                            ArrayRef<WindowDim> windows) {
    SmallVector<Value> block, counts;
    for (const WindowDim &dim : windows) {
      block.push_back(dim.kernel);
      counts.push_back(dim.count);
    }
    Value blockSize = index.product(block);
    Value channels =
        index.div(from[1], index.max(blockSize, index.constant(1)));
    index.require(index.isEqual(index.mul(channels, blockSize), from[1]),
                  "the blocks of Col2Im don't fit the rows of its input");
    index.require(index.isEqual(index.product(counts), from[2]),
                  "the input of Col2Im has another number of blocks");
    return channels;
  }
};

} // namespace

void omb::populateCol2ImToLinalgPatterns(const TypeConverter &converter,
                                         RewritePatternSet &patterns) {
  patterns.add<Col2ImToGeneric>(converter, patterns.getContext());
}
