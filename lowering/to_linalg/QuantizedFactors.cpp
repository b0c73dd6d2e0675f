//===- QuantizedFactors.cpp - Products of quantized tensors ---------------===//

#include "lowering/to_linalg/QuantizedFactors.h"

#include "lowering/ConstantBytes.h"
#include "lowering/to_linalg/Elements.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/NarrowFloats.h"
#include "lowering/to_linalg/Quantization.h"
#include "lowering/to_linalg/Scalars.h"
#include "lowering/to_linalg/TypeConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace omb;

using Labels = ArrayRef<int64_t>;

//===----------------------------------------------------------------------===//
// Scales and zero points
//===----------------------------------------------------------------------===//

FailureOr<Factor> omb::matchParameter(Value parameter, Value onnxParameter,
                                      const ParameterLabels &labels,
                                      const LabeledType &owner,
                                      StringRef &why) {
  if (!parameter)
    return Factor();
  auto type = dyn_cast<RankedTensorType>(onnxParameter.getType());
  if (!type) {
    why = "the rank of a scale or zero point isn't known";
    return failure();
  }
  int64_t rank = type.getRank();
  if (rank > 1 && rank > int64_t(labels.dims.size())) {
    why = "a scale or zero point has too many dimensions";
    return failure();
  }
  SmallVector<int64_t> own(rank, labels.vector);
  if (rank > 1)
    own.assign(labels.dims.end() - rank, labels.dims.end());
  for (auto [label, size] : llvm::zip(own, type.getShape())) {
    if (size == 1 || ShapedType::isDynamic(size))
      continue;
    const int64_t *found = llvm::find(owner.labels, label);
    bool fits = found != owner.labels.end();
    if (fits) {
      int64_t known = owner.type.getDimSize(found - owner.labels.begin());
      fits = ShapedType::isDynamic(known) || known == size;
    }
    if (!fits) {
      why = "a scale or zero point doesn't have the size of its tensor";
      return failure();
    }
  }
  return Factor::get(parameter, type, own);
}

/// Dimension `dim` of `factor` as a static size, which it has.
static void setSize(OpBuilder &builder, Location loc, Factor &factor,
                    int64_t dim, int64_t size) {
  SmallVector<int64_t> shape(factor.getType().getShape());
  shape[dim] = size;
  factor.tensor = castTensor(builder, loc, factor.tensor,
                             factor.getType().clone(ArrayRef<int64_t>(shape)));
}

/// One number for all.
static Factor createNumber(OpBuilder &builder, Location loc, TypedAttr number) {
  auto splat = DenseElementsAttr::get(
      RankedTensorType::get({}, number.getType()), Attribute(number));
  return {arith::ConstantOp::create(builder, loc, splat), {}, {}};
}

Factor omb::fitParameter(OpBuilder &builder, Location loc, Factor parameter,
                         const Factor &owner) {
  if (!parameter.tensor)
    return parameter;
  StringRef message = "a scale or zero point doesn't have the size of its "
                      "tensor";
  IndexArithmetic index(builder, loc);
  TypedAttr number = getNumber(parameter.tensor);
  for (int64_t label : SmallVector<int64_t>(parameter.labels)) {
    int64_t dim = parameter.getDim(label);
    int64_t ownerDim = owner.getDim(label);
    Value size = index.size(parameter.tensor, dim);
    if (ownerDim < 0 || owner.getType().getDimSize(ownerDim) == 1) {
      index.require(index.isEqual(size, index.constant(1)), message);
      setSize(builder, loc, parameter, dim, 1);
    }
    if (parameter.getType().getDimSize(dim) == 1) {
      dropUnit(builder, loc, parameter, label);
      continue;
    }
    if (isSameSize(parameter, owner, label))
      continue;
    Value common = index.size(owner.tensor, ownerDim);
    Value fits = index.isEqual(size, common);
    if (!parameter.getType().isDynamicDim(dim)) {
      index.require(fits, message);
      continue;
    }
    Value isOne = index.isEqual(size, index.constant(1));
    index.require(index.select(isOne, isOne, fits), message);
    repeat(builder, loc, parameter, label, common);
    parameter.names[dim] = owner.names[ownerDim];
    setSize(builder, loc, parameter, dim, owner.getType().getDimSize(ownerDim));
  }
  if (number)
    return createNumber(builder, loc, number);
  return parameter;
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

Factor omb::mapFactors(OpBuilder &builder, Location loc,
                       ArrayRef<Factor> factors, Labels result,
                       Type elementType, ScalarBody body) {
  Factor mapped{{}, SmallVector<int64_t>(result), {}};
  SmallVector<OpFoldResult> sizes;
  for (int64_t label : result) {
    const Factor *sized = llvm::find_if(factors, [&](const Factor &factor) {
      return factor.getDim(label) >= 0;
    });
    int64_t dim = sized->getDim(label);
    mapped.names.push_back(sized->names[dim]);
    sizes.push_back(tensor::getMixedSize(builder, loc, sized->tensor, dim));
  }
  mapped.tensor = tensor::EmptyOp::create(builder, loc, sizes, elementType);
  if (llvm::is_contained(mapped.getType().getShape(), 0))
    return mapped;

  // Numbers become constants of the body.
  SmallVector<Value> inputs;
  SmallVector<TypedAttr> numbers;
  SmallVector<AffineMap> maps;
  for (const Factor &factor : factors) {
    numbers.push_back(getNumber(factor.tensor));
    if (numbers.back())
      continue;
    inputs.push_back(factor.tensor);
    SmallVector<AffineExpr> exprs;
    for (int64_t label : factor.labels)
      exprs.push_back(builder.getAffineDimExpr(mapped.getDim(label)));
    maps.push_back(
        AffineMap::get(result.size(), 0, exprs, builder.getContext()));
  }
  maps.push_back(builder.getMultiDimIdentityMap(result.size()));
  SmallVector<utils::IteratorType> iterators(result.size(),
                                             utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      builder, loc, mapped.tensor.getType(), inputs, mapped.tensor, maps,
      iterators, [&](OpBuilder &b, Location bodyLoc, ValueRange arguments) {
        SmallVector<Value> elements;
        size_t next = 0;
        for (TypedAttr number : numbers)
          elements.push_back(
              number ? arith::ConstantOp::create(b, bodyLoc, number).getResult()
                     : arguments[next++]);
        linalg::YieldOp::create(b, bodyLoc, body(b, bodyLoc, elements));
      });
  mapped.tensor = generic.getResult(0);
  return mapped;
}

bool omb::isZero(const Factor &factor) {
  return matchPattern(factor.tensor, m_Zero());
}

//===----------------------------------------------------------------------===//
// Signed bytes
//===----------------------------------------------------------------------===//

/// Bytes less 128, which modulo 256 is the same as plus 128.
static Value shiftBytes(OpBuilder &builder, Location loc, Value tensor) {
  return mapElements(builder, loc, tensor, builder.getI8Type(),
                     [](OpBuilder &b, Location bodyLoc, Value element) {
                       Scalars s(b, bodyLoc, element.getType());
                       return s.add(element, -128);
                     });
}

Value omb::toSignedBytes(OpBuilder &builder, Location loc, Value tensor,
                         Type onnxType) {
  if (!onnxType.isUnsignedInteger())
    return tensor;
  if (FailureOr<ConstantBytes> bytes = ConstantBytes::get(tensor);
      succeeded(bytes)) {
    auto type = cast<RankedTensorType>(tensor.getType());
    return createConstantBytes(builder, loc, type, bytes->getName() + ".signed",
                               [&](MutableArrayRef<char> out) {
                                 for (auto [index, byte] : llvm::enumerate(out))
                                   byte = *bytes->at(index) ^ char(0x80);
                               });
  }
  return shiftBytes(builder, loc, tensor);
}

Value omb::toUnsignedBytes(OpBuilder &builder, Location loc, Value tensor) {
  return shiftBytes(builder, loc, tensor);
}

Factor omb::toSignedZeroPoint(OpBuilder &builder, Location loc,
                              const Factor &zeroPoint, Type onnxType) {
  int64_t shift = onnxType.isUnsignedInteger() ? -128 : 0;
  Type type = builder.getI32Type();
  TypedAttr number = builder.getIntegerAttr(builder.getI8Type(), 0);
  if (zeroPoint.tensor)
    number = getNumber(zeroPoint.tensor);
  if (auto integer = dyn_cast_if_present<IntegerAttr>(number)) {
    APInt value = integer.getValue();
    int64_t known =
        shift + int64_t(shift ? value.getZExtValue() : value.getSExtValue());
    return createNumber(builder, loc, builder.getI32IntegerAttr(known));
  }
  return mapFactors(builder, loc, zeroPoint, zeroPoint.labels, type,
                    [&](OpBuilder &b, Location bodyLoc, ValueRange elements) {
                      Scalars s(b, bodyLoc, onnxType);
                      return s.add(s.extend(elements[0], type), shift);
                    });
}

static Factor createVector(OpBuilder &builder, Location loc,
                           DenseElementsAttr elements, int64_t label) {
  return {arith::ConstantOp::create(builder, loc, elements),
          {label},
          {StringAttr()}};
}

Factor omb::createZeroPoint(OpBuilder &builder, Location loc,
                            quant::QuantizedType type, int64_t label) {
  auto parameters = onnx::QuantizationParameters::get(type);
  auto stored = cast<IntegerType>(getLoweredType(type));
  SmallVector<APInt> zeros;
  for (int64_t zero : parameters->zeroPoints)
    zeros.emplace_back(stored.getWidth(), zero, /*isSigned=*/true,
                       /*implicitTrunc=*/true);
  if (llvm::all_equal(zeros))
    return createNumber(builder, loc, builder.getIntegerAttr(stored, zeros[0]));
  return createVector(builder, loc,
                      DenseElementsAttr::get(
                          RankedTensorType::get(zeros.size(), stored), zeros),
                      label);
}

/// The sums of constant signed bytes over the labels `summed`; nullopt for
/// others.
static std::optional<SmallVector<int32_t>> sumConstant(const Factor &weights,
                                                       Labels summed) {
  FailureOr<ConstantBytes> bytes = ConstantBytes::get(weights.tensor);
  RankedTensorType type = weights.getType();
  if (failed(bytes) || !type.getElementType().isInteger(8))
    return std::nullopt;
  // Positions of the sums, as strides of the weights' dimensions.
  SmallVector<int64_t> strides(type.getRank(), 0);
  int64_t count = 1;
  for (int64_t dim = type.getRank(); dim-- > 0;) {
    if (llvm::is_contained(summed, weights.labels[dim]))
      continue;
    strides[dim] = count;
    count *= type.getDimSize(dim);
  }
  SmallVector<int32_t> sums(count, 0);
  SmallVector<int64_t> at(type.getRank(), 0);
  int64_t position = 0;
  for (int64_t index = 0; index < type.getNumElements(); ++index) {
    sums[position] = int32_t(uint32_t(sums[position]) +
                             uint32_t(int32_t(int8_t(*bytes->at(index)))));
    for (int64_t dim = type.getRank(); dim-- > 0;) {
      position += strides[dim];
      if (++at[dim] < type.getDimSize(dim))
        break;
      position -= strides[dim] * at[dim];
      at[dim] = 0;
    }
  }
  return sums;
}

/// The elements of a constant of i32 that `factor` is, or none where it has no
/// tensor; nullopt where it isn't constant.
static std::optional<SmallVector<int32_t>> getIntegers(const Factor &factor) {
  SmallVector<int32_t> found;
  if (!factor.tensor)
    return found;
  FailureOr<ConstantBytes> bytes = ConstantBytes::get(factor.tensor);
  if (failed(bytes) || !factor.getType().getElementType().isInteger(32))
    return std::nullopt;
  for (int64_t index = 0; index < factor.getType().getNumElements(); ++index)
    std::memcpy(&found.emplace_back(), bytes->at(index), sizeof(int32_t));
  return found;
}

Factor omb::buildOffset(OpBuilder &builder, Location loc, const Factor &weights,
                        Labels summed, const Factor &zero, const Factor &bias) {
  if (isZero(zero))
    return bias;
  Type type = builder.getI32Type();
  SmallVector<int64_t> kept;
  for (int64_t label : weights.labels)
    if (!llvm::is_contained(summed, label))
      kept.push_back(label);
  auto number = dyn_cast_if_present<IntegerAttr>(getNumber(zero.tensor));
  std::optional<SmallVector<int32_t>> start = getIntegers(bias);
  bool fits =
      start && (start->size() <= 1 || Labels(bias.labels) == Labels(kept));
  if (number && fits) {
    if (auto sums = sumConstant(weights, summed)) {
      for (auto [index, sum] : llvm::enumerate(*sums)) {
        uint32_t offset = -uint32_t(number.getInt()) * uint32_t(sum);
        if (!start->empty())
          offset += uint32_t((*start)[start->size() == 1 ? 0 : index]);
        sum = int32_t(offset);
      }
      SmallVector<int64_t> shape;
      SmallVector<StringAttr> names;
      for (int64_t label : kept) {
        shape.push_back(weights.getType().getDimSize(weights.getDim(label)));
        names.push_back(weights.names[weights.getDim(label)]);
      }
      auto elements = DenseElementsAttr::get(RankedTensorType::get(shape, type),
                                             ArrayRef<int32_t>(*sums));
      return {arith::ConstantOp::create(builder, loc, elements), kept, names};
    }
  }
  SmallVector<Factor> terms{buildSum(builder, loc, weights, summed, type),
                            zero};
  if (bias.tensor)
    terms.push_back(bias);
  for (int64_t label : bias.labels)
    if (!llvm::is_contained(kept, label))
      kept.push_back(label);
  return mapFactors(builder, loc, terms, kept, type,
                    [&](OpBuilder &b, Location bodyLoc, ValueRange elements) {
                      Scalars s(b, bodyLoc, type);
                      Value change = s.neg(s.mul(elements[0], elements[1]));
                      return elements.size() > 2 ? s.add(elements[2], change)
                                                 : change;
                    });
}

//===----------------------------------------------------------------------===//
// Requantization
//===----------------------------------------------------------------------===//

/// An f32 rounded to `type`, as an f32.
static Value roundTo(Scalars &s, Value x, Type type) {
  return s.widen(s.narrow(x, type));
}

/// lhsScale * rhsScale / scale, each rounded to the type of the scales, as f32.
static Factor combineScales(OpBuilder &builder, Location loc, Labels labels,
                            const Requantization &parameters) {
  Factor scales[] = {parameters.lhsScale, parameters.rhsScale,
                     parameters.scale};
  SmallVector<int64_t> own;
  for (int64_t label : labels)
    if (llvm::any_of(scales, [&](const Factor &scale) {
          return scale.getDim(label) >= 0;
        }))
      own.push_back(label);
  Type type = scales[0].getType().getElementType();
  return mapFactors(
      builder, loc, scales, own, builder.getF32Type(),
      [&](OpBuilder &b, Location bodyLoc, ValueRange elements) {
        Scalars s(b, bodyLoc, b.getF32Type());
        Value product =
            roundTo(s, s.mul(s.widen(elements[0]), s.widen(elements[1])), type);
        return roundTo(s, s.div(product, s.widen(elements[2])), type);
      });
}

Factor omb::requantize(OpBuilder &builder, Location loc, const Factor &product,
                       const Requantization &parameters, Type onnxType) {
  Factor scale = combineScales(builder, loc, product.labels, parameters);
  auto body = [&](OpBuilder &b, Location bodyLoc, ValueRange elements) {
    // In f64, a product of 32-bit integers and scales is rounded only once.
    Scalars s(b, bodyLoc, elements[0].getType());
    Type type = s.getF64Type();
    Value sum = isa<FloatType>(elements[0].getType())
                    ? arith::ExtFOp::create(s, type, elements[0]).getResult()
                    : s.toFloat(elements[0], type);
    Value factor = arith::ExtFOp::create(s, type, elements[1]);
    return buildQuantized(s, s.mul(sum, factor), elements[2], onnxType);
  };
  return mapFactors(builder, loc, {product, scale, parameters.zeroPoint},
                    product.labels, getLoweredType(onnxType), body);
}

/// The product of the operands' scales, for each channel if they differ,
/// divided by the result's if `isQuotient`.
static Factor createScale(OpBuilder &builder, Location loc,
                          const SumScales &scales, bool isQuotient) {
  auto get = [](quant::QuantizedType type) {
    return onnx::QuantizationParameters::get(type)->scales;
  };
  SmallVector<double> lhs = get(scales.lhs), rhs = get(scales.rhs);
  SmallVector<float> factors;
  for (double scale : rhs) {
    float product = float(lhs[0]) * float(scale);
    factors.push_back(isQuotient ? product / float(get(scales.result)[0])
                                 : product);
  }
  Type type = builder.getF32Type();
  if (llvm::all_equal(factors))
    return createNumber(builder, loc, builder.getFloatAttr(type, factors[0]));
  return createVector(builder, loc,
                      DenseElementsAttr::get(
                          RankedTensorType::get(int64_t(factors.size()), type),
                          ArrayRef<float>(factors)),
                      scales.channel);
}

Factor omb::scaleSums(OpBuilder &builder, Location loc, const Factor &sums,
                      const SumScales &scales) {
  // Such integers are the sums themselves: isIntegerContraction.
  if (scales.result && scales.result.getStorageTypeIntegralWidth() == 32)
    return sums;
  bool isQuotient = scales.result && !scales.addend.tensor;
  SmallVector<Factor> factors{sums,
                              createScale(builder, loc, scales, isQuotient)};
  if (scales.addend.tensor)
    factors.push_back(scales.addend);
  Type type = builder.getF32Type();
  auto body = [&](OpBuilder &b, Location bodyLoc, ValueRange elements) {
    Scalars s(b, bodyLoc, type);
    Value number = s.mul(s.toFloat(elements[0], type), elements[1]);
    if (elements.size() > 2)
      number = s.add(number, elements[2]);
    if (!scales.result)
      return number;
    auto parameters = onnx::QuantizationParameters::get(scales.result);
    if (!isQuotient)
      number = s.div(number, s.constant(number, float(parameters->scales[0])));
    Type storage = onnx::getStorageType(scales.result);
    Value zero = arith::ConstantOp::create(
        s,
        s.getIntegerAttr(getLoweredType(storage), parameters->zeroPoints[0]));
    return buildQuantized(s, number, zero, storage);
  };
  Type element = scales.result ? getLoweredType(scales.result) : type;
  return mapFactors(builder, loc, factors, sums.labels, element, body);
}
