//===- CodedPanels.cpp - Panels that kernels compute of codes -------------===//

#include "lowering/vector/CodedPanels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace omb::kernels;

namespace {

/// Puts weights into the order of kernels.
class CodePacker {
public:
  CodePacker(const CodedWeights &weights, ArrayRef<int64_t> order,
             int64_t panel)
      : weights(weights), channelDim(order[0]), innerDim(order[1]),
        channels(weights.getType().getDimSize(channelDim)), panel(panel),
        panels(llvm::divideCeil(channels, panel)),
        block(weights.getBlockSize(innerDim)),
        blocks(weights.getType().getDimSize(innerDim) / block),
        isSigned(weights.isCodeSigned()), zero(weights.getZeroPoint()) {
    unsigned enough = weights.getBits();
    if (enough == 8 || block % (8 / enough) != 0)
      return;
    bits = enough;
    group = 8 / bits;
    shift = isSigned ? 1 << (bits - 1) : 0;
    isSigned = false;
    if (zero)
      *zero += shift;
  }

  Value create(OpBuilder &builder, Location loc) const;

private:
  Value createConstant(OpBuilder &builder, Location loc, StringRef suffix,
                       ArrayRef<int64_t> shape, Type element,
                       function_ref<void(MutableArrayRef<char>)> fill) const {
    auto type = RankedTensorType::get(shape, element);
    return omb::createConstantBytes(
        builder, loc, type, weights.getCodes().getName() + suffix, fill);
  }

  /// The op that computes panels of bytes, scales and offsets.
  Value createDecode(OpBuilder &builder, Location loc, ValueRange stored) const;
  Value buildWeight(ImplicitLocOpBuilder &b, ValueRange stored) const;

  void fillCodes(MutableArrayRef<char> out) const;
  /// Writes what `get` makes of scale and zero point; zeros beyond the last
  /// channel.
  void fillFloats(MutableArrayRef<char> out,
                  function_ref<float(double, double)> get) const;
  std::array<int64_t, 2> getElement(int64_t channel, int64_t inner) const {
    std::array<int64_t, 2> element;
    element[channelDim] = channel;
    element[innerDim] = inner;
    return element;
  }
  int64_t countChannels(int64_t number) const {
    return std::min(panel, channels - number * panel);
  }

  const CodedWeights &weights;
  int64_t channelDim, innerDim, channels, panel, panels, block, blocks;
  /// How many codes are in a byte, each of so many bits.
  int64_t group = 1;
  unsigned bits = 8;
  /// What is added to codes so that none is negative.
  int64_t shift = 0;
  /// Whether the bytes are signed.
  bool isSigned;
  /// The zero point of what is stored if all have the same.
  std::optional<double> zero;
};

} // namespace

void CodePacker::fillCodes(MutableArrayRef<char> out) const {
  llvm::fill(out, 0);
  const omb::ConstantBytes &codes = weights.getCodes();
  int64_t columns = weights.getType().getDimSize(1), steps = block / group;
  for (int64_t j = 0; j < panels; ++j)
    for (int64_t step = 0; step < blocks * steps; ++step) {
      char *to = &out[(j * blocks * steps + step) * panel];
      for (int64_t v = 0; v < countChannels(j); ++v)
        for (int64_t place = 0; place < group; ++place) {
          auto [row, column] = getElement(j * panel + v, step * group + place);
          auto code = uint8_t(*codes.at(row * columns + column) + shift);
          to[v] = char(uint8_t(to[v]) | code << (place * bits));
        }
    }
}

void CodePacker::fillFloats(MutableArrayRef<char> out,
                            function_ref<float(double, double)> get) const {
  llvm::fill(out, 0);
  for (int64_t j = 0; j < panels; ++j)
    for (int64_t b = 0; b < blocks; ++b)
      for (int64_t v = 0; v < countChannels(j); ++v) {
        auto [scale, zeroPoint] =
            weights.parametersAt(getElement(j * panel + v, b * block));
        float value = get(scale, zeroPoint);
        std::memcpy(&out[((j * blocks + b) * panel + v) * sizeof(value)],
                    &value, sizeof(value));
      }
}

Value CodePacker::create(OpBuilder &builder, Location loc) const {
  SmallVector<int64_t> all{panels, blocks, block / group, panel},
      ofBlocks{panels, blocks, panel};
  SmallVector<Value> stored;
  stored.push_back(
      createConstant(builder, loc, ".packed", all, builder.getI8Type(),
                     [&](MutableArrayRef<char> out) { fillCodes(out); }));
  auto add = [&](StringRef suffix, function_ref<float(double, double)> get) {
    stored.push_back(createConstant(
        builder, loc, suffix, ofBlocks, builder.getF32Type(),
        [&](MutableArrayRef<char> out) { fillFloats(out, get); }));
  };
  add(".scales", [](double scale, double) { return scale; });
  if (!zero)
    add(".offsets", [&](double scale, double zeroPoint) {
      return -(zeroPoint + double(shift)) * scale;
    });
  return createDecode(builder, loc, stored);
}

Value CodePacker::buildWeight(ImplicitLocOpBuilder &b,
                              ValueRange stored) const {
  Type word = b.getI32Type();
  auto integer = [&](int32_t value) -> Value {
    return arith::ConstantOp::create(b, b.getI32IntegerAttr(value));
  };
  Value code = isSigned
                   ? arith::ExtSIOp::create(b, word, stored[0]).getResult()
                   : arith::ExtUIOp::create(b, word, stored[0]).getResult();
  if (group > 1) {
    Value place =
        arith::IndexCastOp::create(b, word, linalg::IndexOp::create(b, 3));
    Value low = arith::MulIOp::create(b, place, integer(bits));
    code = arith::ShRUIOp::create(b, code, low);
    code = arith::AndIOp::create(b, code, integer((1 << bits) - 1));
  }
  Value number = arith::SIToFPOp::create(b, b.getF32Type(), code);
  Value scale = stored[1], offset;
  if (!zero)
    offset = stored[2];
  else if (*zero != 0)
    offset = arith::MulFOp::create(
        b, scale,
        arith::ConstantOp::create(b, b.getF32FloatAttr(float(-*zero))));
  Value product =
      offset ? math::FmaOp::create(b, number, scale, offset).getResult()
             : arith::MulFOp::create(b, number, scale).getResult();
  return weights.buildRounded(b, b.getLoc(), product);
}

Value CodePacker::createDecode(OpBuilder &builder, Location loc,
                               ValueRange stored) const {
  AffineExpr j, b, s, c, v;
  bindDims(builder.getContext(), j, b, s, c, v);
  auto getMap = [&](ArrayRef<AffineExpr> results) {
    return AffineMap::get(5, 0, results, builder.getContext());
  };
  SmallVector<AffineMap> maps{getMap({j, b, s, v})};
  maps.append(stored.size() - 1, getMap({j, b, v}));
  maps.push_back(builder.getMultiDimIdentityMap(5));
  Value empty = tensor::EmptyOp::create(
      builder, loc, ArrayRef{panels, blocks, block / group, group, panel},
      builder.getF32Type());
  SmallVector<utils::IteratorType> parallel(5, utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             builder, loc, empty.getType(), stored, empty, maps, parallel,
             [&](OpBuilder &inner, Location at, ValueRange args) {
               ImplicitLocOpBuilder in(at, inner);
               linalg::YieldOp::create(in, buildWeight(in, args));
             })
      .getResult(0);
}

Value omb::kernels::createCodedPanels(OpBuilder &builder, Location loc,
                                      const CodedWeights &weights,
                                      ArrayRef<int64_t> order, int64_t panel) {
  return CodePacker(weights, order, panel).create(builder, loc);
}

std::optional<SelectedNumbers>
SelectedNumbers::match(linalg::GenericOp decode) {
  Block *body = decode.getBody();
  Value weight = body->getTerminator()->getOperand(0);
  Value number, scale;
  APFloat zero(0.0f);
  if (auto product = weight.getDefiningOp<arith::MulFOp>()) {
    number = product.getLhs();
    scale = product.getRhs();
  } else if (auto sum = weight.getDefiningOp<math::FmaOp>()) {
    number = sum.getA();
    scale = sum.getB();
    auto offset = sum.getC().getDefiningOp<arith::MulFOp>();
    if (!offset || offset.getLhs() != scale ||
        !matchPattern(offset.getRhs(), m_ConstantFloat(&zero)))
      return std::nullopt;
  }
  auto integer =
      number ? number.getDefiningOp<arith::SIToFPOp>() : arith::SIToFPOp();
  auto masked = integer ? integer.getIn().getDefiningOp<arith::AndIOp>()
                        : arith::AndIOp();
  APInt mask;
  if (!masked || !matchPattern(masked.getRhs(), m_ConstantInt(&mask)) ||
      mask.ugt(15))
    return std::nullopt;
  auto argument = dyn_cast<BlockArgument>(scale);
  if (!argument || argument.getOwner() != body)
    return std::nullopt;
  SelectedNumbers found{decode.getDpsInputOperand(0),
                        decode.getDpsInputOperand(argument.getArgNumber()),
                        {}};
  for (uint64_t code = 0; code <= mask.getZExtValue(); ++code)
    found.numbers.push_back(float(code) + zero.convertToFloat());
  return found;
}

bool omb::kernels::isDecode(linalg::GenericOp op) {
  if (op.getNumDpsInits() != 1 || op.getNumReductionLoops() != 0 ||
      op.getNumDpsInputs() < 2 || op.getNumLoops() != 5 ||
      !op.hasPureTensorSemantics() ||
      !getElementTypeOrSelf(op.getDpsInputs()[0].getType()).isInteger(8))
    return false;
  AffineExpr within = getAffineDimExpr(4, op.getContext());
  for (OpOperand *operand : op.getDpsInputOperands()) {
    AffineMap map = op.getMatchingIndexingMap(operand);
    if (!map.isProjectedPermutation() || map.getNumResults() == 0 ||
        map.getResults().back() != within)
      return false;
  }
  return llvm::all_of(*op.getBody(), [](Operation &each) {
    return isa<linalg::IndexOp, linalg::YieldOp>(each) ||
           OpTrait::hasElementwiseMappableTraits(&each);
  });
}
