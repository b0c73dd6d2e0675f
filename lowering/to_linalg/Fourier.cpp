//===- Fourier.cpp - Discrete Fourier transforms --------------------------===//

#include "lowering/to_linalg/Fourier.h"

#include "lowering/to_linalg/Contraction.h"
#include "lowering/to_linalg/Elements.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Scalars.h"
#include "lowering/to_linalg/Transcendentals.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>

using namespace mlir;
using namespace omb;

/// Up to this length a transform is one matrix product.
static constexpr int64_t kMatrixLength = 64;
/// Prime lengths are one up to this many elements of the matrix.
static constexpr int64_t kMatrixElements = 1 << 18;

namespace {

struct Root {
  double cosine;
  double sine;
};

} // namespace

/// e^(2 pi i * power / size). The angle is reduced in integers to an eighth of
/// a turn, so that roots are exact where they can be.
static Root getRoot(int64_t power, int64_t size) {
  power %= size;
  int64_t quarter = (8 * power + size) / (2 * size);
  double angle = M_PI_2 * double(4 * power - quarter * size) / double(size);
  double c = std::cos(angle), s = std::sin(angle);
  switch (quarter % 4) {
  case 0:
    return {c, s};
  case 1:
    return {-s, c};
  case 2:
    return {-c, -s};
  default:
    return {s, -c};
  }
}

/// The divisor, neither 1 nor `size`, with which to split: of those up to
/// kMatrixLength the one nearest to the root, else the smallest. 0 for primes.
static int64_t getDivisor(int64_t size) {
  int64_t best = 0;
  for (int64_t divisor = 2; divisor * divisor <= size; ++divisor)
    if (size % divisor == 0 && (best == 0 || divisor <= kMatrixLength))
      best = divisor;
  return best;
}

static RankedTensorType getType(Value tensor) {
  return cast<RankedTensorType>(tensor.getType());
}

Value omb::cutOff(OpBuilder &builder, Location loc, Value input, int64_t dim,
                  OpFoldResult size) {
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, input);
  if (sizes[dim] == size)
    return input;
  sizes[dim] = size;
  SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(sizes.size(), builder.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(builder, loc, input, offsets, sizes,
                                        strides);
}

Value FourierTransform::createConstant(ArrayRef<int64_t> shape,
                                       ArrayRef<double> numbers,
                                       Type elementType) {
  auto type = RankedTensorType::get(shape, elementType);
  if (elementType.isF64())
    return arith::ConstantOp::create(builder, loc,
                                     DenseElementsAttr::get(type, numbers));
  SmallVector<float> rounded(numbers.begin(), numbers.end());
  return arith::ConstantOp::create(
      builder, loc, DenseElementsAttr::get(type, ArrayRef<float>(rounded)));
}

Value FourierTransform::build(Value input, int64_t dim, int64_t size,
                              int64_t outputs) {
  int64_t length = getType(input).getDimSize(dim);
  IndexArithmetic index(builder, loc);
  if (ShapedType::isDynamic(length)) {
    Value known = index.constant(size);
    Value used = index.min(index.size(input, dim), known);
    input = cutOff(builder, loc, input, dim, getAsOpFoldResult(used));
  } else if (length > size) {
    input = cutOff(builder, loc, input, dim, builder.getIndexAttr(size));
  }
  if (length != size && (ShapedType::isDynamic(length) || length < size)) {
    RankedTensorType type = getType(input);
    SmallVector<OpFoldResult> low(type.getRank(), builder.getIndexAttr(0));
    SmallVector<OpFoldResult> high = low;
    high[dim] = getAsOpFoldResult(
        index.sub(index.constant(size), index.size(input, dim)));
    SmallVector<int64_t> shape(type.getShape());
    shape[dim] = size;
    Value zero = createZero(builder, loc, type.getElementType());
    input = tensor::PadOp::create(builder, loc,
                                  type.clone(ArrayRef<int64_t>(shape)), input,
                                  low, high, zero);
  }
  return scale(transform(input, dim, size, outputs), index.constant(size));
}

/// After the sums, so that zeros stay zeros.
Value FourierTransform::scale(Value output, Value size) {
  if (!isInverse)
    return output;
  Type elementType = getType(output).getElementType();
  return mapElements(
      builder, loc, output, elementType,
      [&](OpBuilder &b, Location bodyLoc, Value x) -> Value {
        Scalars s(b, bodyLoc, elementType);
        Value wide = arith::IndexCastOp::create(s, s.getI64Type(), size);
        return s.div(x, arith::SIToFPOp::create(s, elementType, wide));
      });
}

Value FourierTransform::transform(Value input, int64_t dim, int64_t size,
                                  int64_t outputs) {
  int64_t divisor = size > kMatrixLength ? getDivisor(size) : 0;
  if (divisor)
    return split(input, dim, divisor, size / divisor, outputs);
  int64_t parts = isReal ? 1 : 2;
  RankedTensorType type = getType(input);
  int64_t rank = type.getRank();
  if (size <= kMatrixLength ||
      size * outputs * parts * type.getDimSize(rank - 1) <= kMatrixElements)
    return multiplyByMatrix(input, dim, size, outputs, parts,
                            /*isOuter=*/false);
  SmallVector<double> cosines, sines;
  for (int64_t power = 0; power < size; ++power) {
    Root root = getRoot(power, size);
    cosines.push_back(root.cosine);
    sines.push_back(isInverse ? root.sine : -root.sine);
  }
  IndexArithmetic index(builder, loc);
  Type elementType = type.getElementType();
  return sumDirectly(input, dim, index.constant(size), index.constant(outputs),
                     outputs, createConstant({size}, cosines, elementType),
                     createConstant({size}, sines, elementType));
}

/// Cooley and Tukey: for position second * j1 + j2 and frequency k1 + first *
/// k2, transforms over j1, turns by j2 * k1, and transforms over j2.
Value FourierTransform::split(Value input, int64_t dim, int64_t first,
                              int64_t second, int64_t outputs) {
  RankedTensorType type = getType(input);
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, input);
  SmallVector<int64_t> shape(type.getShape());
  shape[dim] = first;
  shape.insert(shape.begin() + dim + 1, second);
  sizes[dim] = builder.getIndexAttr(first);
  sizes.insert(sizes.begin() + dim + 1, builder.getIndexAttr(second));
  SmallVector<ReassociationIndices> groups;
  for (int64_t i = 0; i < type.getRank(); ++i)
    groups.push_back(i < dim    ? ReassociationIndices{i}
                     : i == dim ? ReassociationIndices{i, i + 1}
                                : ReassociationIndices{i + 1});
  Value parts = tensor::ExpandShapeOp::create(
      builder, loc, type.clone(ArrayRef<int64_t>(shape)), input, groups, sizes);
  Value inner = multiplyByMatrix(parts, dim, first, first, /*parts=*/2,
                                 /*isOuter=*/true);
  inner = multiplyByTwiddles(inner, dim);
  int64_t needed = llvm::divideCeil(outputs, first);
  Value outer = transform(inner, dim, second, needed);
  Value joined = tensor::CollapseShapeOp::create(builder, loc, outer, groups);
  return cutOff(builder, loc, joined, dim, builder.getIndexAttr(outputs));
}

/// The transform of a short dimension. Where that is the outer of two, it comes
/// behind the inner one in the result.
Value FourierTransform::multiplyByMatrix(Value input, int64_t dim, int64_t size,
                                         int64_t outputs, int64_t parts,
                                         bool isOuter) {
  RankedTensorType type = getType(input);
  int64_t rank = type.getRank();
  int64_t inputParts = type.getDimSize(rank - 1);
  SmallVector<double> numbers;
  for (int64_t j = 0; j < size; ++j)
    for (int64_t inputPart = 0; inputPart < inputParts; ++inputPart)
      for (int64_t k = 0; k < outputs; ++k)
        for (int64_t part = 0; part < parts; ++part) {
          Root root = getRoot(j * k, size);
          double sine = isInverse ? root.sine : -root.sine;
          numbers.push_back(part == inputPart ? root.cosine
                            : part == 1       ? sine
                                              : -sine);
        }
  Value matrix = createConstant({size, inputParts, outputs, parts}, numbers,
                                type.getElementType());
  SmallVector<int64_t> labels = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  int64_t frequency = rank, part = rank + 1;
  SmallVector<int64_t> result = labels;
  result[dim] = frequency;
  result[rank - 1] = part;
  if (isOuter)
    std::swap(result[dim], result[dim + 1]);
  Factor lhs = Factor::get(input, type, labels);
  Factor rhs =
      Factor::get(matrix, getType(matrix), {dim, rank - 1, frequency, part});
  return buildContraction(builder, loc, lhs, rhs, result).tensor;
}

/// Turns the elements at j2 and k1 (dimensions `dim` and the next) by j2 * k1.
Value FourierTransform::multiplyByTwiddles(Value input, int64_t dim) {
  RankedTensorType type = getType(input);
  int64_t rank = type.getRank();
  int64_t inner = type.getDimSize(dim), outer = type.getDimSize(dim + 1);
  SmallVector<double> numbers;
  for (int64_t j = 0; j < inner; ++j)
    for (int64_t k = 0; k < outer; ++k) {
      Root root = getRoot(j * k, inner * outer);
      double sine = isInverse ? root.sine : -root.sine;
      numbers.append({root.cosine, sine, -sine, root.cosine});
    }
  Value twiddles =
      createConstant({inner, outer, 2, 2}, numbers, type.getElementType());
  Value zero = createZero(builder, loc, type.getElementType());
  Value init = createFilled(builder, loc, type,
                            IndexArithmetic(builder, loc).sizes(input), zero);
  auto at = [&](int64_t position) {
    return builder.getAffineDimExpr(position);
  };
  AffineMap resultMap =
      AffineMap::getMultiDimIdentityMap(rank, builder.getContext());
  resultMap =
      AffineMap::get(rank + 1, 0, resultMap.getResults(), builder.getContext());
  SmallVector<AffineExpr> read(resultMap.getResults());
  read[rank - 1] = at(rank);
  AffineMap inputMap = AffineMap::get(rank + 1, 0, read, builder.getContext());
  AffineMap twiddleMap = AffineMap::get(
      rank + 1, 0, {at(dim), at(dim + 1), at(rank), at(rank - 1)},
      builder.getContext());
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  iterators.push_back(utils::IteratorType::reduction);
  auto generic = linalg::GenericOp::create(
      builder, loc, type, ValueRange{input, twiddles}, init,
      ArrayRef{inputMap, twiddleMap, resultMap}, iterators,
      [&](OpBuilder &b, Location bodyLoc, ValueRange x) {
        Scalars s(b, bodyLoc, type.getElementType());
        linalg::YieldOp::create(s, s.add(x[2], s.mul(x[0], x[1])));
      });
  return generic.getResult(0);
}

//===----------------------------------------------------------------------===//
// By definition
//===----------------------------------------------------------------------===//

/// The cosine (or sine) of all multiples of 1 / `size` of a turn, as getRoot
/// computes them.
static Value buildRoots(OpBuilder &builder, Location loc, Value size,
                        Type elementType, bool isSine, bool isNegative) {
  auto type = RankedTensorType::get({ShapedType::kDynamic}, elementType);
  return buildFromIndices(
      builder, loc, type, size,
      [&](OpBuilder &b, Location bodyLoc, ValueRange at) -> Value {
        Scalars s(b, bodyLoc, elementType);
        IndexArithmetic index(b, bodyLoc);
        Value eight = index.mul(at[0], index.constant(8));
        Value quarter = index.div(index.add(eight, size),
                                  index.mul(size, index.constant(2)));
        Value rest = index.sub(index.mul(at[0], index.constant(4)),
                               index.mul(quarter, size));
        auto toFloat = [&](Value number) -> Value {
          Value wide = arith::IndexCastOp::create(s, s.getI64Type(), number);
          return arith::SIToFPOp::create(s, elementType, wide);
        };
        Value angle = s.div(s.mul(toFloat(rest), M_PI_2), toFloat(size));
        Value cosine = buildCos(s, angle), sine = buildSin(s, angle);
        Value isOdd =
            index.isEqual(arith::RemSIOp::create(s, quarter, index.constant(2)),
                          index.constant(1));
        Value result = isSine ? s.select(isOdd, cosine, sine)
                              : s.select(isOdd, sine, cosine);
        // The cosine is negative in quarters 1 and 2, the sine in 2 and 3.
        Value shifted =
            isSine ? quarter : index.add(quarter, index.constant(1));
        Value turn = arith::RemSIOp::create(s, shifted, index.constant(4));
        Value isBelow = index.isLess(index.constant(1), turn);
        result = s.select(isBelow, s.neg(result), result);
        return isNegative ? s.neg(result) : result;
      });
}

Value FourierTransform::build(Value input, int64_t dim, Value size,
                              Value outputs) {
  IndexArithmetic index(builder, loc);
  Value used = index.min(index.size(input, dim), size);
  input = cutOff(builder, loc, input, dim, getAsOpFoldResult(used));
  Type elementType = getType(input).getElementType();
  Value cosines = buildRoots(builder, loc, size, elementType, /*isSine=*/false,
                             /*isNegative=*/false);
  Value sines = buildRoots(builder, loc, size, elementType, /*isSine=*/true,
                           /*isNegative=*/!isInverse);
  return scale(sumDirectly(input, dim, size, outputs, ShapedType::kDynamic,
                           cosines, sines),
               size);
}

/// Part `part` of the numbers in the last dimension, which goes away.
static Value getPart(OpBuilder &builder, Location loc, Value input,
                     int64_t part) {
  RankedTensorType type = getType(input);
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, input);
  SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(sizes.size(), builder.getIndexAttr(1));
  sizes.back() = builder.getIndexAttr(1);
  offsets.back() = builder.getIndexAttr(part);
  auto result =
      RankedTensorType::get(type.getShape().drop_back(), type.getElementType());
  return tensor::ExtractSliceOp::create(builder, loc, result, input, offsets,
                                        sizes, strides);
}

/// For each frequency, all elements turned and added up. Roots are read from
/// tables of `size`.
Value FourierTransform::sumDirectly(Value input, int64_t dim, Value size,
                                    Value outputs, int64_t staticOutputs,
                                    Value cosines, Value sines) {
  RankedTensorType type = getType(input);
  int64_t rank = type.getRank() - 1;
  SmallVector<Value> inputs{getPart(builder, loc, input, 0)};
  if (type.getDimSize(rank) == 2)
    inputs.push_back(getPart(builder, loc, input, 1));
  IndexArithmetic index(builder, loc);
  SmallVector<Value> sizes = index.sizes(inputs[0]);
  SmallVector<int64_t> shape(type.getShape().drop_back());
  sizes[dim] = outputs;
  shape[dim] = staticOutputs;
  auto resultType = RankedTensorType::get(shape, type.getElementType());
  Value zeros = createFilled(builder, loc, resultType, sizes,
                             createZero(builder, loc, type.getElementType()));
  AffineMap resultMap = AffineMap::get(
      rank + 1, 0, builder.getMultiDimIdentityMap(rank).getResults(),
      builder.getContext());
  SmallVector<AffineExpr> read(resultMap.getResults());
  read[dim] = builder.getAffineDimExpr(rank);
  AffineMap inputMap = AffineMap::get(rank + 1, 0, read, builder.getContext());
  SmallVector<AffineMap> maps(inputs.size(), inputMap);
  maps.append(2, resultMap);
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  iterators.push_back(utils::IteratorType::reduction);
  auto generic = linalg::GenericOp::create(
      builder, loc, TypeRange{resultType, resultType}, inputs,
      ValueRange{zeros, zeros}, maps, iterators,
      [&](OpBuilder &b, Location bodyLoc, ValueRange x) {
        Scalars s(b, bodyLoc, type.getElementType());
        Value product = arith::MulIOp::create(
            s, linalg::IndexOp::create(s, dim).getResult(),
            linalg::IndexOp::create(s, rank).getResult());
        Value power = arith::RemSIOp::create(s, product, size);
        Value cosine = tensor::ExtractOp::create(s, cosines, power);
        Value sine = tensor::ExtractOp::create(s, sines, power);
        Value real = s.add(x[x.size() - 2], s.mul(x[0], cosine));
        Value imaginary = s.add(x.back(), s.mul(x[0], sine));
        if (inputs.size() == 2) {
          real = s.sub(real, s.mul(x[1], sine));
          imaginary = s.add(imaginary, s.mul(x[1], cosine));
        }
        linalg::YieldOp::create(s, ValueRange{real, imaginary});
      });
  return joinParts(generic.getResult(0), generic.getResult(1));
}

Value FourierTransform::joinParts(Value real, Value imaginary) {
  RankedTensorType type = getType(real);
  int64_t rank = type.getRank();
  SmallVector<int64_t> shape(type.getShape());
  shape.push_back(isReal ? 1 : 2);
  IndexArithmetic index(builder, loc);
  SmallVector<Value> sizes = index.sizes(real);
  sizes.push_back(index.constant(shape.back()));
  auto result = RankedTensorType::get(shape, type.getElementType());
  Value init = createEmpty(builder, loc, result, sizes);
  AffineMap map = builder.getMultiDimIdentityMap(rank + 1);
  SmallVector<utils::IteratorType> iterators(rank + 1,
                                             utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      builder, loc, result, ValueRange{real, imaginary}, init,
      ArrayRef{map.dropResult(rank), map.dropResult(rank), map}, iterators,
      [&](OpBuilder &b, Location bodyLoc, ValueRange x) {
        IndexArithmetic inner(b, bodyLoc);
        Value part = linalg::IndexOp::create(b, bodyLoc, rank);
        Value isFirst = inner.isEqual(part, inner.constant(0));
        linalg::YieldOp::create(b, bodyLoc, inner.select(isFirst, x[0], x[1]));
      });
  return generic.getResult(0);
}
