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

const Winograd &Winograd::get2() {
  static const Winograd winograd{linalg::WinogradConv2DFmr::F_2_3,
                                 2,
                                 {kFilter2, 3},
                                 {kInput2, 4},
                                 {kOutput2, 4}};
  return winograd;
}

const Winograd &Winograd::get4() {
  static const Winograd winograd{linalg::WinogradConv2DFmr::F_4_3,
                                 4,
                                 {kFilter4, 3},
                                 {kInput4, 6},
                                 {kOutput4, 6}};
  return winograd;
}

const Winograd *Winograd::get(linalg::WinogradConv2DFmr kind) {
  for (const Winograd *each : {&get2(), &get4()})
    if (each->kind == kind)
      return each;
  return nullptr;
}

/// Whether the sizes of images are known, and their elements are f32.
static bool isImage(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  return type.getElementType().isF32() &&
         !ShapedType::isDynamicShape(type.getShape().drop_front());
}

FailureOr<WinogradInput>
WinogradInput::match(linalg::WinogradInputTransformOp transform) {
  if (!Winograd::get(transform.getFmr()) || !isImage(transform.getInput()))
    return failure();
  WinogradInput found{transform, nullptr};
  auto pad = transform.getInput().getDefiningOp<tensor::PadOp>();
  if (!pad || !isImage(pad.getSource()) || !pad.getLow().empty() ||
      !pad.getHigh().empty())
    return found;
  Value value = pad.getConstantPaddingValue();
  ArrayRef<int64_t> low = pad.getStaticLow(), high = pad.getStaticHigh();
  bool isAround = value && matchPattern(value, m_AnyZeroFloat()) &&
                  low.front() == 0 && high.front() == 0 && low.back() == 0 &&
                  high.back() == 0 &&
                  llvm::all_of(llvm::concat<const int64_t>(low, high),
                               [](int64_t width) { return width >= 0; });
  if (isAround)
    found.pad = pad;
  return found;
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

/// The slice if all that it leaves out are the last rows and columns.
static tensor::ExtractSliceOp matchSlice(Value value) {
  if (!value.hasOneUse())
    return nullptr;
  auto slice = dyn_cast<tensor::ExtractSliceOp>(*value.user_begin());
  if (!slice || !slice.hasUnitStride() || !slice.hasZeroOffset() ||
      slice.getType().getRank() != 4)
    return nullptr;
  auto from = cast<RankedTensorType>(value.getType());
  ArrayRef<int64_t> to = slice.getType().getShape();
  bool keepsOthers = to.front() == from.getShape().front() &&
                     to.back() == from.getShape().back();
  return keepsOthers ? slice : nullptr;
}

FailureOr<WinogradOutput>
WinogradOutput::match(linalg::WinogradOutputTransformOp transform) {
  if (!Winograd::get(transform.getFmr()) || !isImage(transform.getOutput()))
    return failure();
  WinogradOutput found{transform, matchSlice(transform.getResult()), nullptr};
  Value outputs = found.getOutputs();
  if (!isImage(outputs))
    return failure();
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
