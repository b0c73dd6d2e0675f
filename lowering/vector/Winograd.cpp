//===- Winograd.cpp - Convolutions with fewer multiplications -------------===//

#include "lowering/vector/Winograd.h"

#include "lowering/vector/EpilogueEmitter.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace omb::kernels;

// clang-format off
static constexpr double kFilter2[] = {
      -1,     0,    0,
    1./2, -1./2, 1./2,
    1./2,  1./2, 1./2,
       0,     0,    1};
static constexpr double kInput2[] = {
    -1,  0, 1, 0,
     0, -1, 1, 0,
     0,  1, 1, 0,
     0, -1, 0, 1};
static constexpr double kOutput2[] = {
    1,  1, 1, 0,
    0, -1, 1, 1};

static constexpr double kFilter4[] = {
        1,     0,     0,
    -1./3,  1./3, -1./3,
    -1./3, -1./3, -1./3,
    1./12, -1./6,  1./3,
    1./12,  1./6,  1./3,
        0,     0,     1};
static constexpr double kInput4[] = {
    1./4,     0, -5./16,      0, 1./16,     0,
       0,  1./4,  -1./4, -1./16, 1./16,     0,
       0, -1./4,  -1./4,  1./16, 1./16,     0,
       0,  1./4,  -1./8,  -1./4,  1./8,     0,
       0, -1./4,  -1./8,   1./4,  1./8,     0,
       0,  1./4,      0, -5./16,     0, 1./16};
static constexpr double kOutput4[] = {
    4,  8, 8,   4,  4,  0,
    0, -8, 8,  -8,  8,  0,
    0,  8, 8,  16, 16,  0,
    0, -8, 8, -32, 32, 16};
// clang-format on

ArrayRef<Winograd> Winograd::getAll() {
  static const Winograd all[] = {{linalg::WinogradConv2DFmr::F_2_3,
                                  2,
                                  {kFilter2, 3},
                                  {kInput2, 4},
                                  {kOutput2, 4}},
                                 {linalg::WinogradConv2DFmr::F_4_3,
                                  4,
                                  {kFilter4, 3},
                                  {kInput4, 6},
                                  {kOutput4, 6}}};
  return all;
}

const Winograd *Winograd::get(linalg::WinogradConv2DFmr kind) {
  for (const Winograd &each : getAll())
    if (each.kind == kind)
      return &each;
  return nullptr;
}

/// Whether images are of f32 and of known sizes; their number may be unknown.
static bool isImage(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  return type.getElementType().isF32() &&
         !ShapedType::isDynamicShape(type.getShape().drop_front());
}

tensor::PadOp omb::kernels::getZeroPadding(Value image) {
  auto pad = image.getDefiningOp<tensor::PadOp>();
  if (!pad || pad.getType().getRank() != 4 || !pad.getLow().empty() ||
      !pad.getHigh().empty())
    return nullptr;
  Value value = pad.getConstantPaddingValue();
  ArrayRef<int64_t> low = pad.getStaticLow(), high = pad.getStaticHigh();
  bool isAround = value && matchPattern(value, m_AnyZeroFloat()) &&
                  low.front() == 0 && high.front() == 0 && low.back() == 0 &&
                  high.back() == 0 &&
                  llvm::all_of(llvm::concat<const int64_t>(low, high),
                               [](int64_t width) { return width >= 0; });
  return isAround ? pad : nullptr;
}

FailureOr<WinogradInput>
WinogradInput::match(linalg::WinogradInputTransformOp transform) {
  if (!Winograd::get(transform.getFmr()) || !isImage(transform.getInput()))
    return failure();
  tensor::PadOp pad = getZeroPadding(transform.getInput());
  return WinogradInput{transform,
                       pad && isImage(pad.getSource()) ? pad : nullptr};
}

const Winograd &WinogradInput::getAlgorithm() const {
  auto op = transform;
  return *Winograd::get(op.getFmr());
}

Value WinogradInput::getSource() const {
  auto op = transform;
  auto padding = pad;
  return padding ? padding.getSource() : op.getInput();
}

std::pair<int64_t, int64_t> WinogradInput::getLow() const {
  auto padding = pad;
  if (!padding)
    return {0, 0};
  return {padding.getStaticLow()[1], padding.getStaticLow()[2]};
}

/// The slice of `image`, what `transform` gives, if all that it leaves out are
/// rows and columns at the end of the last tiles.
static tensor::ExtractSliceOp
matchSlice(linalg::WinogradOutputTransformOp transform) {
  Value image = transform.getResult();
  auto empty = transform.getOutput().getDefiningOp<tensor::EmptyOp>();
  if (!image.hasOneUse() || !empty)
    return nullptr;
  auto slice = dyn_cast<tensor::ExtractSliceOp>(*image.user_begin());
  if (!slice || !slice.hasUnitStride() || !slice.hasZeroOffset() ||
      slice.getType().getRank() != 4 || !isImage(slice))
    return nullptr;
  SmallVector<OpFoldResult> from = empty.getMixedSizes(),
                            to = slice.getMixedSizes();
  int64_t tile = Winograd::get(transform.getFmr())->outputs;
  auto isInLastTile = [&](unsigned dim) {
    return slice.getType().getDimSize(dim) + tile >
           empty.getType().getDimSize(dim);
  };
  bool keepsOthers = isEqualConstantIntOrValue(from.front(), to.front()) &&
                     isEqualConstantIntOrValue(from.back(), to.back());
  return keepsOthers && isInLastTile(1) && isInLastTile(2) ? slice : nullptr;
}

FailureOr<WinogradOutput>
WinogradOutput::match(linalg::WinogradOutputTransformOp transform) {
  if (!Winograd::get(transform.getFmr()) || !isImage(transform.getOutput()))
    return failure();
  WinogradOutput found{transform, matchSlice(transform), nullptr};
  Value outputs = found.getOutputs();
  if (outputs.hasOneUse())
    if (auto user = dyn_cast<linalg::GenericOp>(*outputs.user_begin()))
      if (isEpilogue(user, outputs))
        found.epilogue = user;
  return found;
}

const Winograd &WinogradOutput::getAlgorithm() const {
  auto op = transform;
  return *Winograd::get(op.getFmr());
}

Value WinogradOutput::getOutputs() const {
  auto op = transform;
  auto part = slice;
  return part ? part.getResult() : op.getResult();
}

Value WinogradOutput::getResult() const {
  auto last = epilogue;
  return last ? last.getResult(0) : getOutputs();
}

bool omb::kernels::isWinogradOutput(Value value) {
  if (auto slice = value.getDefiningOp<tensor::ExtractSliceOp>())
    value = slice.getSource();
  return value.getDefiningOp<linalg::WinogradOutputTransformOp>();
}
