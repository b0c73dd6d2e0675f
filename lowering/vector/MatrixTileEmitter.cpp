//===- MatrixTileEmitter.cpp - Tiles in a matrix unit ---------------------===//

#include "lowering/vector/MatrixTileEmitter.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace omb::kernels;
namespace vec = mlir::vector;

/// The bytes of a row of a matrix, and of a group.
static constexpr int64_t kRowBytes = 64, kGroupBytes = 4;

MatrixTileEmitter::MatrixTileEmitter(OpBuilder &builder,
                                     const PackedContraction &contraction,
                                     const KernelSpace &space,
                                     const KernelMemory &memory)
    : TileEmitter(builder, contraction, space, memory), matrix(*space.matrix) {
  auto allocate = [&](ArrayRef<int64_t> shape, Type element) -> Value {
    return memref::AllocaOp::create(builder, loc,
                                    MemRefType::get(shape, element),
                                    builder.getI64IntegerAttr(kRowBytes));
  };
  buffer = allocate({matrix.tiles * matrix.rows, space.vectors * space.lanes},
                    type.getElementType());
  Type element = getElementTypeOrSelf(getInput());
  gathered = allocate({matrix.tiles, matrix.rows,
                       kRowBytes * 8 / element.getIntOrFloatBitWidth()},
                      element);
}

Value MatrixTileEmitter::word(int64_t value) {
  return arith::ConstantOp::create(builder, loc,
                                   builder.getI64IntegerAttr(value));
}

Value MatrixTileEmitter::half(int64_t value) {
  return arith::ConstantOp::create(builder, loc,
                                   builder.getI16IntegerAttr(value));
}

Value MatrixTileEmitter::call(StringRef intrinsic, ValueRange operands,
                              Type result) {
  StringAttr name = builder.getStringAttr(intrinsic);
  if (!result) {
    LLVM::CallIntrinsicOp::create(builder, loc, name, operands);
    return nullptr;
  }
  return LLVM::CallIntrinsicOp::create(builder, loc, result, name, operands)
      .getResult(0);
}

Value MatrixTileEmitter::getAddress(Value memref, ArrayRef<Value> at) {
  auto memory = cast<MemRefType>(memref.getType());
  Value offset;
  if (ShapedType::isDynamicShape(memory.getShape().drop_front())) {
    offset = affine::AffineLinearizeIndexOp::create(
        builder, loc, at, memref::getMixedSizes(builder, loc, memref));
  } else {
    // With known strides, the distance of two addresses folds.
    AffineExpr sum = builder.getAffineConstantExpr(0);
    SmallVector<int64_t> strides = computeStrides(memory.getShape());
    for (auto [dim, stride] : llvm::enumerate(strides))
      sum = sum + builder.getAffineDimExpr(dim) * stride;
    offset = apply(sum, SmallVector<OpFoldResult>(at));
  }
  Value base =
      memref::ExtractAlignedPointerAsIndexOp::create(builder, loc, memref);
  Value bytes = arith::MulIOp::create(
      builder, loc, offset, constant(memory.getElementTypeBitWidth() / 8));
  return arith::AddIOp::create(builder, loc, base, bytes);
}

Value MatrixTileEmitter::toPointer(Value address) {
  Value number =
      arith::IndexCastOp::create(builder, loc, builder.getI64Type(), address);
  return LLVM::IntToPtrOp::create(
      builder, loc, LLVM::LLVMPointerType::get(builder.getContext()), number);
}

Value MatrixTileEmitter::getDistance(Value from, Value to) {
  Value bytes = arith::SubIOp::create(builder, loc, to, from);
  return arith::IndexCastOp::create(builder, loc, builder.getI64Type(), bytes);
}

Value MatrixTileEmitter::load(unsigned rows, unsigned bytes, Value address,
                              Value stride) {
  return call("llvm.x86.tileloadd64.internal",
              {half(rows), half(bytes), toPointer(address), stride},
              LLVM::LLVMX86AMXType::get(builder.getContext()));
}

MatrixTileEmitter::Values
MatrixTileEmitter::createZeros(const TileColumns &columns) {
  Values sums;
  for (unsigned first = 0; first < columns.count; first += matrix.rows)
    for (unsigned vector = 0; vector < space.vectors; ++vector)
      sums.push_back(call("llvm.x86.tilezero.internal",
                          {half(matrix.rows), half(kRowBytes)},
                          LLVM::LLVMX86AMXType::get(builder.getContext())));
  return sums;
}

MatrixTileEmitter::Values MatrixTileEmitter::emitStep(const Sum &sum,
                                                      Values sums) {
  bool isOfBytes = type.getElementType().isInteger();
  Values weights;
  fetch.emit(memory.operands.at(contraction.getPanels()), getPanelIndices(sum),
             matrix.groups);
  for (unsigned vector = 0; vector < space.vectors; ++vector)
    weights.push_back(loadPanel(sum, vector));
  Value rows = half(matrix.rows), columns = half(kRowBytes),
        bytes = half(matrix.groups * kGroupBytes);
  for (unsigned first = 0; first < sum.columns.count; first += matrix.rows) {
    if (first >= sum.end || first + matrix.rows <= sum.begin)
      continue;
    Value input = loadInput(sum, first);
    for (auto [vector, factor] : llvm::enumerate(weights)) {
      Value &into = sums[first / matrix.rows * space.vectors + vector];
      into = call(isOfBytes ? "llvm.x86.tdpbusd.internal"
                            : "llvm.x86.tdpbf16ps.internal",
                  {rows, columns, bytes, into, input, factor}, into.getType());
    }
  }
  return sums;
}

Value MatrixTileEmitter::loadPanel(const Sum &sum, unsigned vector) {
  Value panels = memory.operands.at(contraction.getPanels());
  Values at = getPanelIndices(sum);
  at.back() = constant(vector * space.lanes * contraction.getGroup());
  return load(matrix.groups, kRowBytes, getAddress(panels, at),
              word(space.vectors * kRowBytes));
}

Value MatrixTileEmitter::loadInput(const Sum &sum, unsigned first) {
  unsigned bytes = matrix.groups * kGroupBytes;
  bool isWhole = !sum.columns.known && sum.begin <= first &&
                 first + matrix.rows <= sum.end;
  if (!isWhole) {
    gatherInput(sum, first);
    Value address = getAddress(
        gathered, {constant(first / matrix.rows), constant(0), constant(0)});
    return load(matrix.rows, bytes, address, word(kRowBytes));
  }
  Value input = getInput();
  Value address = getAddress(input, locateInput(getInputIndices(sum, first)));
  Value stride = word(0);
  if (matrix.rows > 1)
    stride = getDistance(
        address,
        getAddress(input, locateInput(getInputIndices(sum, first + 1))));
  return load(matrix.rows, bytes, address, stride);
}

void MatrixTileEmitter::gatherInput(const Sum &sum, unsigned first) {
  Value input = getInput();
  auto type = VectorType::get(matrix.groups * contraction.getGroup(),
                              getElementTypeOrSelf(input));
  Value tile = constant(first / matrix.rows), zero = constant(0);
  unsigned end = std::min(first + matrix.rows, sum.columns.count);
  unsigned from = std::max(first, sum.begin), to = std::min(end, sum.end);
  Value zeros =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  for (unsigned column = first; column < end; ++column)
    if (column < from || column >= to)
      vec::StoreOp::create(builder, loc, zeros, gathered,
                           ValueRange{tile, constant(column - first), zero});
  Value last = constant(to);
  if (sum.columns.known)
    last = arith::MinUIOp::create(builder, loc, last, sum.columns.known);
  auto loop =
      scf::ForOp::create(builder, loc, constant(from), last, constant(1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  AffineExpr lhs, rhs;
  bindDims(builder.getContext(), lhs, rhs);
  Value column = loop.getInductionVar();
  Sum there = sum;
  if (std::optional<unsigned> dim = contraction.getColumn())
    there.indices[*dim] = apply(lhs + rhs, {sum.indices[*dim], column});
  Value values = vec::LoadOp::create(builder, loc, type, input,
                                     locateInput(getInputIndices(there, 0)));
  vec::StoreOp::create(
      builder, loc, values, gathered,
      ValueRange{tile, apply(lhs - int64_t(first), {column}), zero});
}

void MatrixTileEmitter::emitResults(ArrayRef<Value> position,
                                    const TileColumns &columns, Values sums) {
  Value zero = constant(0);
  for (auto [number, sum] : llvm::enumerate(sums)) {
    Value address =
        getAddress(buffer, {constant(number / space.vectors * matrix.rows),
                            constant(number % space.vectors * space.lanes)});
    call("llvm.x86.tilestored64.internal",
         {half(matrix.rows), half(kRowBytes), toPointer(address),
          word(space.vectors * kRowBytes), sum},
         /*result=*/nullptr);
  }
  Value count = columns.known ? columns.known : constant(columns.count);
  auto loop = scf::ForOp::create(builder, loc, zero, count, constant(1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value column = loop.getInductionVar();
  Values at(position);
  OpFoldResult step = column;
  if (space.hasGaps) {
    at = getGappedPosition(position, column);
    step = builder.getIndexAttr(0);
    auto branch = scf::IfOp::create(builder, loc, isInResult(at),
                                    /*withElseRegion=*/false);
    builder.setInsertionPointToStart(branch.thenBlock());
  }
  for (unsigned vector = 0; vector < space.vectors; ++vector) {
    Value sum =
        vec::LoadOp::create(builder, loc, type, buffer,
                            ValueRange{column, constant(vector * space.lanes)});
    Values place = getResultIndices(at, step, builder.getIndexAttr(vector));
    finish.emit(sum, place, getMask(place.back()));
  }
}

MatrixTileEmitter::Values
MatrixTileEmitter::getGappedPosition(ArrayRef<Value> position, Value column) {
  ArrayRef<int64_t> basis = ArrayRef(space.basis).drop_front();
  Value first =
      affine::AffineLinearizeIndexOp::create(builder, loc, position, basis);
  Value number = arith::AddIOp::create(builder, loc, first, column);
  return Values(affine::AffineDelinearizeIndexOp::create(
                    builder, loc, number, basis, /*hasOuterBound=*/false)
                    .getResults());
}

Value MatrixTileEmitter::isInResult(ArrayRef<Value> position) {
  Value all;
  ArrayRef<int64_t> shape = contraction.getResultType().getShape();
  // A number beyond the last position isn't in any tile.
  for (auto [index, size, base] :
       llvm::drop_begin(llvm::zip(position, shape, space.basis))) {
    if (size == base)
      continue;
    Value one = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult,
                                      index, constant(size));
    all = all ? arith::AndIOp::create(builder, loc, all, one).getResult() : one;
  }
  return all;
}
