//===- PackedContraction.cpp - What a kernel computes ---------------------===//

#include "lowering/vector/PackedContraction.h"

#include "lowering/vector/ChannelContraction.h"
#include "lowering/vector/ChannelPool.h"
#include "lowering/vector/CodedPanels.h"
#include "lowering/vector/EpilogueEmitter.h"
#include "lowering/vector/LoopFactors.h"
#include "lowering/vector/RowStride.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace omb::kernels;

/// The packing of the channels of a depthwise convolution or a pool; null if
/// `product` is something else.
static linalg::PackOp matchPack(linalg::GenericOp product) {
  auto pack = product.getDpsInputs()[0].getDefiningOp<linalg::PackOp>();
  auto maps = product.getIndexingMapsArray();
  unsigned loops = product.getNumLoops();
  AffineExpr within = getAffineDimExpr(loops - 1, product.getContext());
  bool isPool = bool(getWindowType(product.getDpsInputs()[1]));
  if (!pack || (!isPool && maps[1].getResults().back() != within) ||
      maps[0].getResults().back() != within)
    return nullptr;
  int64_t rank = pack.getSourceRank();
  bool packsChannels = pack.getInnerDimsPos() == ArrayRef<int64_t>{rank - 1} &&
                       pack.getOuterDimsPerm().empty();
  return packsChannels ? pack : nullptr;
}

FailureOr<PackedContraction> PackedContraction::match(linalg::UnPackOp unpack) {
  PackedContraction found;
  found.unpack = unpack;
  found.product = unpack.getSource().getDefiningOp<linalg::GenericOp>();
  auto type = dyn_cast<RankedTensorType>(unpack.getDest().getType());
  if (!type || !found.product || !found.product->hasOneUse() ||
      found.product.getNumDpsInputs() != 2 ||
      found.getPanelsType().getEncoding() ||
      unpack.getInnerDimsPos() != ArrayRef<int64_t>{type.getRank() - 1} ||
      !unpack.getOuterDimsPerm().empty())
    return failure();
  found.fill = found.product.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  if (found.isPool() ? !found.fill || !found.getCombiner()
                     : !isZeroFill(found.product.getDpsInits()[0]))
    return failure();
  if (unpack->hasOneUse())
    if (auto user = dyn_cast<linalg::GenericOp>(*unpack->user_begin()))
      if (isEpilogue(user, unpack.getResult()))
        found.epilogue = user;
  if (!found.getPositions().empty() && !found.getColumnDim())
    return failure();
  found.pack = matchPack(found.product);
  if (found.isPool() && !found.pack)
    return failure();
  auto decode = found.getPanels().getDefiningOp<linalg::GenericOp>();
  if (decode && isDecode(decode))
    found.decode = decode;
  found.pad = found.matchPadding();
  return found;
}

bool PackedContraction::isPool() const {
  return bool(getWindowType(operand(1)));
}

std::optional<Combiner> PackedContraction::getCombiner() const {
  auto op = product;
  if (!isPool())
    return std::nullopt;
  FailureOr<Combiner> combiner = Combiner::match(*op.getBody());
  return succeeded(combiner) ? std::optional(*combiner) : std::nullopt;
}

int64_t PackedContraction::getPanelCount() const {
  if (!isPool())
    return getPanelsType().getDimSize(getPanelDim());
  int64_t channels = getResultType().getShape().back();
  return ShapedType::isDynamic(channels)
             ? channels
             : llvm::divideCeil(channels, getPanelChannels());
}

int64_t PackedContraction::countSummed(int64_t usual) const {
  int64_t count = 1;
  for (int64_t size : getPanelsType().getShape().drop_front(getFirstSumDim()))
    count *= ShapedType::isDynamic(size) ? usual : size;
  return isPool() ? count * getPanelChannels() : count;
}

Value PackedContraction::getInput() const {
  auto padding = pad;
  auto packing = pack;
  if (padding)
    return padding.getSource();
  return packing ? packing.getSource() : operand(0);
}

bool PackedContraction::ignores(Attribute padding) const {
  if (std::optional<Combiner> combiner = getCombiner()) {
    auto filled = fill;
    Attribute start;
    matchPattern(filled.value(), m_Constant(&start));
    return ignoresPadding(*combiner, start, padding);
  }
  if (std::optional<APFloat> shift = getInputShift()) {
    APInt byte;
    return matchPattern(padding, m_ConstantInt(&byte)) &&
           shift->convertToDouble() == double(byte.getSExtValue());
  }
  return matchPattern(padding, m_AnyZeroFloat()) ||
         matchPattern(padding, m_Zero());
}

tensor::PadOp PackedContraction::matchPadding() const {
  if (auto op = product; op->hasAttr(kReadsPaddingAttrName))
    return nullptr;
  auto padding = getInput().getDefiningOp<tensor::PadOp>();
  auto isRead = [](Operation *user) { return !isa<tensor::DimOp>(user); };
  if (!padding || llvm::count_if(padding->getUsers(), isRead) != 1)
    return nullptr;
  Attribute value;
  if (!padding.getConstantPaddingValue() ||
      !matchPattern(padding.getConstantPaddingValue(), m_Constant(&value)) ||
      !ignores(value))
    return nullptr;
  SmallVector<PaddedWindow> windows = getWindows(padding);
  SmallVector<unsigned> dims;
  for (const PaddedWindow &window : windows)
    dims.push_back(window.dim);
  ArrayRef<int64_t> low = padding.getStaticLow(),
                    high = padding.getStaticHigh();
  for (auto [dim, before, after] : llvm::enumerate(low, high)) {
    if (before == 0 && after == 0)
      continue;
    if (before < 0 || after < 0 || !llvm::is_contained(dims, dim))
      return nullptr;
  }
  // Of the columns, the tiles at the border are told from the others here.
  std::optional<unsigned> column = getColumn();
  auto op = product;
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  for (const PaddedWindow &window : windows) {
    int64_t taps = ranges[window.tap];
    if (window.position == column &&
        (ShapedType::isDynamic(
             padding.getSourceType().getShape()[window.dim]) ||
         ShapedType::isDynamic(ranges[window.position]) ||
         ShapedType::isDynamic(taps) || taps > kMostWrittenTaps))
      return nullptr;
  }
  return padding;
}

SmallVector<AffineExpr> PackedContraction::getInputExprs() const {
  auto op = product;
  SmallVector<AffineExpr> exprs(op.getIndexingMapsArray()[0].getResults());
  if (pack)
    exprs.pop_back_n(2);
  return exprs;
}

/// Whether what is read with `map` is read one position further where the last
/// of the first `positions` loops is one larger, also beyond its range, or
/// where it was.
static bool isReadByNumber(AffineMap map, ArrayRef<int64_t> ranges,
                           unsigned positions) {
  bool hasAll = map.getNumResults() >= positions, hasNone = true;
  for (auto [place, expr] : llvm::enumerate(map.getResults())) {
    auto loop = dyn_cast<AffineDimExpr>(expr);
    bool isPosition = loop && loop.getPosition() < positions;
    if (place < positions)
      hasAll &= isPosition ? loop.getPosition() == place
                           : !loop && ranges[place] == 1;
    else
      hasAll &= !isPosition;
    // A loop of one round has no other index, but for the last one.
    if (isPosition && (ranges[loop.getPosition()] != 1 ||
                       loop.getPosition() + 1 == positions))
      hasNone = false;
  }
  return hasAll || hasNone;
}

/// Whether `input`, read at `exprs`, is read one position further where the
/// last of `positions` is one larger, and a row of it further where that before
/// is.
static bool isReadInOrder(RankedTensorType input, ArrayRef<AffineExpr> exprs,
                          ArrayRef<unsigned> positions,
                          ArrayRef<int64_t> ranges) {
  if (exprs.size() != positions.size() + 1)
    return false;
  for (auto [dim, expr] : llvm::enumerate(exprs)) {
    auto factors = getLoopFactors(expr, ranges.size());
    if (!factors)
      return false;
    for (auto [place, loop] : llvm::enumerate(positions))
      if ((*factors)[loop] != (place == dim))
        return false;
    if (dim > 0 && dim < positions.size() &&
        (input.isDynamicDim(dim) ||
         ShapedType::isDynamic(ranges[positions[dim]])))
      return false;
  }
  return true;
}

SmallVector<int64_t> PackedContraction::getFlatBasis() const {
  // A tile's rows of its own would leave a register half empty.
  constexpr int64_t mostColumns = 16;
  SmallVector<unsigned> positions = getPositions();
  if (getGroup() == 1 || pad || pack || positions.size() < 2 ||
      !getBatches().empty())
    return {};
  auto op = product;
  auto input = cast<RankedTensorType>(getInput().getType());
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  if (!isReadInOrder(input, getInputExprs(), positions, ranges))
    return {};
  SmallVector<int64_t> basis(input.getShape().take_front(positions.size()));
  if (hasGaps(basis)) {
    bool pays = op->hasAttr(kReadsPaddingAttrName) &&
                ranges[positions.back()] <= mostColumns;
    return pays ? basis : SmallVector<int64_t>();
  }
  auto last = epilogue;
  bool isFlat =
      !last || llvm::all_of(last.getDpsInputOperands(), [&](OpOperand *each) {
        return isReadByNumber(last.getMatchingIndexingMap(each),
                              last.getStaticLoopRanges(), positions.size());
      });
  return isFlat ? basis : SmallVector<int64_t>();
}

bool PackedContraction::hasGaps(ArrayRef<int64_t> basis) const {
  return basis.drop_front() !=
         getResultType().getShape().take_front(basis.size()).drop_front();
}

/// The number of the last position of `shape`, counted in `basis`, plus one.
static int64_t countFlatColumns(ArrayRef<int64_t> shape,
                                ArrayRef<int64_t> basis) {
  if (ShapedType::isDynamicShape(shape))
    return ShapedType::kDynamic;
  int64_t last = 0;
  for (auto [size, base] : llvm::zip(shape, basis))
    last = last * base + size - 1;
  return std::max<int64_t>(last + 1, 0); // of no images, it would be negative
}

TileDemand PackedContraction::getTileDemand(ArrayRef<int64_t> basis) const {
  ArrayRef<int64_t> shape = getResultType().getShape();
  TileDemand demand{1, shape.back(), bool(pack), false};
  std::optional<unsigned> column = getColumn();
  if (!column)
    return demand;
  if (basis.empty())
    demand.rows = shape[*getColumnDim()];
  else
    demand.rows = countFlatColumns(shape.drop_back(), basis);
  auto op = product;
  SmallVector<AffineExpr> exprs = getInputExprs();
  auto input = cast<RankedTensorType>(getInput().getType());
  if (pack)
    exprs.push_back(getAffineConstantExpr(0, op.getContext()));
  demand.sharesSet = sharesCacheSet(input, exprs, op.getNumLoops(), *column);
  return demand;
}

std::optional<MatrixTile>
PackedContraction::selectMatrixTile(const VectorUnit &unit,
                                    ArrayRef<int64_t> basis) const {
  RankedTensorType panels = getPanelsType();
  unsigned group = getGroup();
  if (group == 1 || !unit.multipliesMatrices(getSumType().isInteger()) ||
      group * panels.getElementTypeBitWidth() != 32)
    return std::nullopt;
  std::optional<MatrixTile> tile = kernels::selectMatrixTile(
      getTileDemand(basis), panels.getShape().drop_back(2).back());
  bool fits = tile && tile->vectors * 16 == getPanelChannels();
  return fits ? tile : std::nullopt;
}

SmallVector<PaddedWindow> PackedContraction::getWindows() const {
  return pad ? getWindows(pad) : SmallVector<PaddedWindow>();
}

SmallVector<PaddedWindow>
PackedContraction::getWindows(tensor::PadOp padding) const {
  SmallVector<PaddedWindow> windows;
  auto op = product;
  unsigned loops = op.getNumLoops();
  SmallVector<utils::IteratorType> kinds = op.getIteratorTypesArray();
  for (auto [dim, expr] : llvm::enumerate(getInputExprs())) {
    int64_t low = padding.getStaticLow()[dim];
    if (low == 0 && padding.getStaticHigh()[dim] == 0)
      continue;
    auto found = getLoopFactors(expr, loops);
    if (!found || found->back() != 0)
      continue;
    ArrayRef<int64_t> factors = *found;
    SmallVector<unsigned> positions, taps;
    for (unsigned loop = 0; loop < loops; ++loop)
      if (factors[loop] != 0)
        (kinds[loop] == utils::IteratorType::parallel ? positions : taps)
            .push_back(loop);
    if (positions.size() == 1 && taps.size() == 1 &&
        factors[positions[0]] > 0 && factors[taps[0]] > 0)
      windows.push_back({unsigned(dim), positions[0], taps[0],
                         factors[positions[0]], factors[taps[0]], low});
  }
  return windows;
}

Value PackedContraction::operand(unsigned index) const {
  auto op = product;
  return op.getDpsInputs()[index];
}

RankedTensorType PackedContraction::getPanelsType() const {
  return cast<RankedTensorType>(getPanels().getType());
}

Type PackedContraction::getSumType() const {
  auto op = product;
  return getElementTypeOrSelf(op.getResultTypes()[0]);
}

std::optional<APFloat> PackedContraction::getInputShift() const {
  auto op = product;
  APFloat shift(0.0f);
  for (auto difference : op.getBody()->getOps<arith::SubFOp>())
    if (matchPattern(difference.getRhs(), m_ConstantFloat(&shift)))
      return shift;
  return std::nullopt;
}

unsigned PackedContraction::getGroup() const {
  auto op = product;
  if (isPool())
    return 1;
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInputOperand(1));
  unsigned last = map.getDimPosition(map.getNumResults() - 1);
  bool isGroup =
      op.getIteratorTypesArray()[last] == utils::IteratorType::reduction;
  return isGroup ? getPanelsType().getShape().back() : 1;
}

int64_t PackedContraction::getPanelChannels() const {
  auto op = product;
  return cast<RankedTensorType>(op.getResult(0).getType()).getShape().back();
}

Value PackedContraction::getResult() const {
  auto last = epilogue;
  auto plain = unpack;
  return last ? last.getResult(0) : plain.getResult();
}

RankedTensorType PackedContraction::getResultType() const {
  return cast<RankedTensorType>(getResult().getType());
}

SmallVector<unsigned> PackedContraction::getPositions() const {
  auto op = product;
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  SmallVector<unsigned> loops;
  for (unsigned dim = 0; dim + 2 < map.getNumResults(); ++dim)
    loops.push_back(map.getDimPosition(dim));
  return loops;
}

std::optional<unsigned> PackedContraction::getColumnDim() const {
  SmallVector<unsigned> positions = getPositions(), batches = getBatches();
  for (unsigned dim = positions.size(); dim-- > 0;)
    if (!llvm::is_contained(batches, positions[dim]))
      return dim;
  return std::nullopt;
}

std::optional<unsigned> PackedContraction::getColumn() const {
  std::optional<unsigned> dim = getColumnDim();
  return dim ? std::optional(getPositions()[*dim]) : std::nullopt;
}

SmallVector<unsigned> PackedContraction::getRowDims() const {
  SmallVector<unsigned> positions = getPositions(), batches = getBatches();
  std::optional<unsigned> column = getColumnDim();
  SmallVector<unsigned> first, others;
  for (unsigned dim = 0; dim < positions.size(); ++dim)
    if (llvm::is_contained(batches, positions[dim]))
      first.push_back(dim);
    else if (dim != column)
      others.push_back(dim);
  first.append(others);
  return first;
}

/// The loops of one kind that the panels' dimensions have, in their order.
static SmallVector<unsigned> getPanelLoops(linalg::GenericOp product,
                                           utils::IteratorType kind) {
  AffineMap map = product.getMatchingIndexingMap(product.getDpsInputOperand(1));
  SmallVector<unsigned> loops;
  for (unsigned dim = 0; dim < map.getNumResults(); ++dim)
    if (product.getIteratorTypesArray()[map.getDimPosition(dim)] == kind)
      loops.push_back(map.getDimPosition(dim));
  return loops;
}

SmallVector<unsigned> PackedContraction::getReductions() const {
  SmallVector<unsigned> loops =
      getPanelLoops(product, utils::IteratorType::reduction);
  if (getGroup() > 1)
    loops.pop_back();
  return loops;
}

SmallVector<unsigned> PackedContraction::getBatches() const {
  if (isPool())
    return {};
  // The last two count the panels and go through one.
  SmallVector<unsigned> loops =
      getPanelLoops(product, utils::IteratorType::parallel);
  loops.pop_back_n(2);
  return loops;
}
