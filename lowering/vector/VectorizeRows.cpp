//===- VectorizeRows.cpp - Executables of rows ----------------------------===//

#include "lowering/vector/VectorizeRows.h"

#include "lowering/vector/ExecutableWriter.h"
#include "lowering/vector/KernelSpace.h"
#include "lowering/vector/RowEmitter.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace omb::kernels;

namespace {

/// How many rows a workgroup has: `block` where that depends on no size that
/// isn't known, or as many as have about `elements` elements.
struct RowBlock {
  int64_t block = 0;
  int64_t elements = 0;

  static RowBlock get(const RowKernel &rows, unsigned lanes) {
    // Beside the elements, a row takes a vector or two for each sweep.
    RowSweeps sweeps(rows);
    double perVector = sweeps.getMicroseconds();
    auto getWork = [&](int64_t length) {
      return perVector * (llvm::divideCeil(length, lanes) + 2);
    };
    ArrayRef<int64_t> shape = rows.getType().getShape();
    int64_t length = shape.back();
    RowBlock found;
    if (ShapedType::isDynamic(length)) {
      found.elements = std::max(1., kUsualMicroseconds / perVector * lanes);
      return found;
    }
    ArrayRef<int64_t> counts = shape.drop_back();
    double work = getWork(length);
    found.block = ShapedType::isDynamicShape(counts)
                      ? std::max<int64_t>(1, kUsualMicroseconds / work)
                      : selectBlock(llvm::product_of(counts), 1, work);
    return found;
  }
};

/// Makes an executable of one kernel of rows.
class RowWriter : public ExecutableWriter {
public:
  RowWriter(OpBuilder &builder, func::FuncOp kernel, const RowKernel &rows,
            const VectorUnit &unit)
      : ExecutableWriter(builder, kernel), rows(rows) {
    FloatType element = rows.getReductions().front().second.getType();
    lanes =
        unit.getLanes(element.getWidth() / 8, rows.getType().getShape().back());
    block = RowBlock::get(rows, lanes);
  }

private:
  void writeCount(Block *count) override {
    SmallVector<OpFoldResult> sizes = getResultSizes(count);
    Value blocks = arith::CeilDivUIOp::create(builder, loc, getRowCount(sizes),
                                              getBlock(sizes));
    Executable::createCount(builder, loc, blocks, constant(1));
  }

  void writeEntry(Block *entry) override {
    Value number = Executable::createWorkgroupId(builder, loc, 0);
    RowMemory memory;
    memory.tensors = signature.createMemory(builder, entry);
    for (auto [index, argument] :
         llvm::zip(signature.getIndices(), entry->getArguments()))
      memory.indices.push_back({index, argument});
    SmallVector<OpFoldResult> sizes = getResultSizes(entry);
    memory.length = sizes.back();
    RowEmitter emitter(builder, rows, lanes, memory);
    auto [begin, end] = getRange(number, getBlock(sizes), getRowCount(sizes));
    auto loop = scf::ForOp::create(builder, loc, begin, end, constant(1));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    sizes.pop_back();
    if (sizes.empty())
      return emitter.emit({});
    auto row = affine::AffineDelinearizeIndexOp::create(
        builder, loc, loop.getInductionVar(), sizes);
    emitter.emit(row.getResults());
  }

  Value getRowCount(ArrayRef<OpFoldResult> sizes) {
    return getProduct(sizes.drop_back());
  }

  /// At least one row.
  Value getBlock(ArrayRef<OpFoldResult> sizes) {
    if (block.elements == 0)
      return constant(block.block);
    Value one = constant(1);
    Value length =
        arith::MaxUIOp::create(builder, loc, asValue(sizes.back()), one);
    Value count =
        arith::DivUIOp::create(builder, loc, constant(block.elements), length);
    return arith::MaxUIOp::create(builder, loc, count, one);
  }

  const RowKernel &rows;
  unsigned lanes;
  RowBlock block;
};

} // namespace

Executable omb::kernels::vectorizeRows(OpBuilder &builder, func::FuncOp kernel,
                                       const RowKernel &rows,
                                       const VectorUnit &unit) {
  return RowWriter(builder, kernel, rows, unit).write();
}
