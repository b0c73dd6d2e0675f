//===- TileEmitter.cpp - Vector code of one tile --------------------------===//

#include "lowering/vector/TileEmitter.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace omb::kernels;
namespace vec = mlir::vector;

/// Whether an epilogue calls functions, which become some dozen instructions
/// for each vector.
static bool isLong(linalg::GenericOp epilogue) {
  return epilogue && llvm::any_of(*epilogue.getBody(), [](Operation &op) {
           return isa<math::MathDialect>(op.getDialect()) &&
                  !isa<math::AbsFOp, math::SqrtOp, math::FloorOp, math::CeilOp,
                       math::FmaOp>(op);
         });
}

TileEmitter::TileEmitter(OpBuilder &builder,
                         const PackedContraction &contraction,
                         const KernelSpace &space, const KernelMemory &memory,
                         Value panel)
    : builder(builder), loc(contraction.getResult().getLoc()),
      contraction(contraction), space(space), memory(memory), panel(panel),
      type(VectorType::get(space.lanes,
                           contraction.getPanelsType().getElementType())) {
  if (!isLong(contraction.epilogue))
    return;
  int64_t vectors = space.tileRows * space.vectors;
  buffer = memref::AllocaOp::create(
      builder, loc,
      MemRefType::get({vectors, space.lanes}, type.getElementType()));
}

Value TileEmitter::constant(int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

Value TileEmitter::add(Value value, int64_t offset) {
  return offset ? arith::AddIOp::create(builder, loc, value, constant(offset))
                      .getResult()
                : value;
}

void TileEmitter::emit(ValueRange row, Value column, unsigned count) {
  Values sums = emitSums(row, column, count);
  Value first = arith::MulIOp::create(builder, loc, panel,
                                      constant(space.vectors * space.lanes));
  if (buffer)
    return emitEpilogueLoop(row, column, first, sums);
  for (auto [number, sum] : llvm::enumerate(sums)) {
    Values at(row);
    if (column)
      at.push_back(add(column, number / space.vectors));
    at.push_back(add(first, number % space.vectors * space.lanes));
    store(emitEpilogue(sum, at), at);
  }
}

void TileEmitter::emitEpilogueLoop(ValueRange row, Value column, Value first,
                                   ArrayRef<Value> sums) {
  Value zero = constant(0);
  for (auto [number, sum] : llvm::enumerate(sums))
    vec::StoreOp::create(builder, loc, sum, buffer,
                         ValueRange{constant(number), zero});
  auto loop = scf::ForOp::create(builder, loc, zero, constant(sums.size()),
                                 constant(1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value number = loop.getInductionVar();
  auto split = affine::AffineDelinearizeIndexOp::create(
      builder, loc, number, ArrayRef<int64_t>{int64_t(space.vectors)},
      /*hasOuterBound=*/false);
  Value sum =
      vec::LoadOp::create(builder, loc, type, buffer, ValueRange{number, zero});
  Values at(row);
  if (column)
    at.push_back(
        arith::AddIOp::create(builder, loc, column, split.getResult(0)));
  Value within = arith::MulIOp::create(builder, loc, split.getResult(1),
                                       constant(space.lanes));
  at.push_back(arith::AddIOp::create(builder, loc, first, within));
  store(emitEpilogue(sum, at), at);
}

TileEmitter::Values TileEmitter::emitSums(ValueRange row, Value column,
                                          unsigned count) {
  // Of the loops: those of the positions and of the panel are known.
  Values indices(contraction.product.getNumLoops(), nullptr);
  SmallVector<unsigned> positions = contraction.getPositions();
  for (auto [loop, index] : llvm::zip(positions, row))
    indices[loop] = index;
  if (column)
    indices[positions.back()] = column;
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  return emitSumLoops(contraction.getReductions(), indices,
                      Values(count * space.vectors, zero), count);
}

TileEmitter::Values TileEmitter::emitSumLoops(ArrayRef<unsigned> loops,
                                              Values &indices, Values sums,
                                              unsigned count) {
  if (loops.empty())
    return emitStep(indices, sums, count);
  unsigned dim = contraction.getPanelDim() + 1 +
                 contraction.getReductions().size() - loops.size();
  if (contraction.getPanelsType().getDimSize(dim) == 1) {
    indices[loops.front()] = constant(0);
    return emitSumLoops(loops.drop_front(), indices, sums, count);
  }
  Value size =
      getValueOrCreateConstantIndexOp(builder, loc, memory.panelSizes[dim]);
  auto loop =
      scf::ForOp::create(builder, loc, constant(0), size, constant(1), sums);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  indices[loops.front()] = loop.getInductionVar();
  Values inner = emitSumLoops(loops.drop_front(), indices,
                              Values(loop.getRegionIterArgs()), count);
  scf::YieldOp::create(builder, loc, inner);
  return Values(loop.getResults());
}

TileEmitter::Values TileEmitter::getInputIndices(ArrayRef<Value> indices,
                                                 unsigned number) {
  auto product = contraction.product;
  AffineMap map = product.getMatchingIndexingMap(product.getDpsInputOperand(0));
  Values at;
  SmallVector<OpFoldResult> operands;
  for (Value index : indices)
    operands.push_back(index ? OpFoldResult(index)
                             : OpFoldResult(builder.getIndexAttr(0)));
  SmallVector<unsigned> positions = contraction.getPositions();
  for (AffineExpr expr : map.getResults()) {
    if (!positions.empty()) {
      AffineExpr column = builder.getAffineDimExpr(positions.back());
      expr = expr.replace(column, column + number);
    }
    OpFoldResult index = affine::makeComposedFoldedAffineApply(
        builder, loc, AffineMap::get(map.getNumDims(), 0, expr), operands);
    at.push_back(getValueOrCreateConstantIndexOp(builder, loc, index));
  }
  return at;
}

TileEmitter::Values TileEmitter::emitStep(ArrayRef<Value> indices,
                                          ArrayRef<Value> sums,
                                          unsigned count) {
  Values at;
  for (unsigned loop : contraction.getBatches())
    at.push_back(indices[loop]);
  at.push_back(panel);
  for (unsigned loop : contraction.getReductions())
    at.push_back(indices[loop]);
  at.push_back(nullptr);
  Values weights;
  for (unsigned vector = 0; vector < space.vectors; ++vector) {
    at.back() = constant(vector * space.lanes);
    weights.push_back(vec::LoadOp::create(
        builder, loc, type, memory.operands.at(contraction.getPanels()), at));
  }
  Value input = memory.operands.at(contraction.getInput());
  Values next;
  for (unsigned number = 0; number < count; ++number) {
    Value value = memref::LoadOp::create(builder, loc, input,
                                         getInputIndices(indices, number));
    Value repeated = vec::BroadcastOp::create(builder, loc, type, value);
    for (unsigned vector = 0; vector < space.vectors; ++vector)
      next.push_back(vec::FMAOp::create(builder, loc, repeated, weights[vector],
                                        sums[number * space.vectors + vector]));
  }
  return next;
}

Value TileEmitter::getMask(Value channel) {
  OpFoldResult channels = memory.resultSizes.back();
  std::optional<int64_t> known = getConstantIntValue(channels);
  if (known && *known % (space.vectors * space.lanes) == 0)
    return nullptr;
  Value left = arith::SubIOp::create(
      builder, loc, getValueOrCreateConstantIndexOp(builder, loc, channels),
      channel);
  return vec::CreateMaskOp::create(
      builder, loc, VectorType::get(space.lanes, builder.getI1Type()), left);
}

Value TileEmitter::toVector(Value value) {
  auto lanes = VectorType::get(space.lanes, value.getType());
  return vec::BroadcastOp::create(builder, loc, lanes, value);
}

Value TileEmitter::readOperand(OpOperand &operand, ArrayRef<Value> at) {
  auto epilogue = contraction.epilogue;
  AffineMap map = epilogue.getMatchingIndexingMap(&operand);
  Value source = memory.operands.at(operand.get());
  Values indices;
  for (AffineExpr expr : map.getResults())
    indices.push_back(at[cast<AffineDimExpr>(expr).getPosition()]);
  if (!map.isFunctionOfDim(at.size() - 1))
    return toVector(memref::LoadOp::create(builder, loc, source, indices));
  auto lanes = VectorType::get(space.lanes, getElementTypeOrSelf(source));
  Value mask = getMask(at.back());
  if (!mask)
    return vec::LoadOp::create(builder, loc, lanes, source, indices);
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(lanes));
  return vec::MaskedLoadOp::create(builder, loc, lanes, source, indices, mask,
                                   zero);
}

Value TileEmitter::emitEpilogue(Value sum, ArrayRef<Value> at) {
  auto epilogue = contraction.epilogue;
  if (!epilogue)
    return sum;
  IRMapping map;
  for (OpOperand *operand : epilogue.getDpsInputOperands()) {
    Value value = operand->get() == contraction.unpack->getResult(0)
                      ? sum
                      : readOperand(*operand, at);
    map.map(epilogue.getMatchingBlockArgument(operand), value);
  }
  auto lookup = [&](Value value) {
    if (!map.contains(value)) { // a constant from outside
      Operation *copy = builder.clone(*value.getDefiningOp());
      map.map(value, toVector(copy->getResult(0)));
    }
    return map.lookup(value);
  };
  for (Operation &op : epilogue.getBody()->without_terminator()) {
    Values operands = llvm::map_to_vector(op.getOperands(), lookup);
    OperationState state(op.getLoc(), op.getName(), operands, TypeRange(),
                         op.getAttrs());
    for (Type result : op.getResultTypes())
      state.addTypes(VectorType::get(space.lanes, result));
    map.map(op.getResults(), builder.create(state)->getResults());
  }
  return lookup(epilogue.getBody()->getTerminator()->getOperand(0));
}

void TileEmitter::store(Value value, ArrayRef<Value> at) {
  if (Value mask = getMask(at.back()))
    vec::MaskedStoreOp::create(builder, loc, memory.result, at, mask, value);
  else
    vec::StoreOp::create(builder, loc, value, memory.result, at);
}
