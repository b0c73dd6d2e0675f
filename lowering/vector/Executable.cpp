//===- Executable.cpp - Kernels as IREE calls them ------------------------===//

#include "lowering/vector/Executable.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace omb::kernels;

static Operation *createForeign(OpBuilder &builder, Location loc,
                                StringRef name, ValueRange operands,
                                TypeRange results,
                                ArrayRef<NamedAttribute> attributes = {}) {
  OperationState state(loc, name, operands, results, attributes);
  return builder.create(state);
}

Executable Executable::create(OpBuilder &builder, Location loc, StringRef name,
                              unsigned indexCount, unsigned tensors) {
  MLIRContext *context = builder.getContext();
  auto attribute = [&](StringRef key, Attribute value) {
    return builder.getNamedAttr(key, value);
  };
  StringAttr symbol = builder.getStringAttr(name);
  Executable made;
  made.symbol = SymbolRefAttr::get(symbol, FlatSymbolRefAttr::get(symbol));
  OperationState state(loc, "stream.executable");
  state.addAttributes(
      {attribute("sym_name", symbol),
       attribute("sym_visibility", builder.getStringAttr("private"))});
  Block *body = &state.addRegion()->emplaceBlock();
  made.op = builder.create(state);

  OpBuilder::InsertionGuard guard(builder);
  SmallVector<Type> indices(indexCount, builder.getIndexType());
  builder.setInsertionPointToStart(body);
  OperationState entry(loc, "stream.executable.export");
  entry.addAttributes(
      {attribute("sym_name", symbol),
       attribute("sym_visibility", builder.getStringAttr("public")),
       attribute("function_ref", FlatSymbolRefAttr::get(symbol))});
  made.count = &entry.addRegion()->emplaceBlock();
  made.count->addArguments(indices, SmallVector<Location>(indexCount, loc));
  builder.create(entry);

  auto module = ModuleOp::create(builder, loc);
  createForeign(builder, loc, "stream.executable.end", {}, {});
  builder.setInsertionPointToStart(module.getBody());
  SmallVector<Type> types = indices;
  types.append(tensors,
               OpaqueType::get(builder.getStringAttr("stream"), "binding"));
  auto function = func::FuncOp::create(builder, loc, symbol,
                                       FunctionType::get(context, types, {}));
  made.entry = function.addEntryBlock();
  return made;
}

Value Executable::createSubspan(OpBuilder &builder, Location loc, Value binding,
                                RankedTensorType type, ValueRange sizes) {
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  SmallVector<Value> operands{binding, zero};
  llvm::append_range(operands, sizes);
  auto memory = MemRefType::get(type.getShape(), type.getElementType());
  return createForeign(builder, loc, "stream.binding.subspan", operands, memory)
      ->getResult(0);
}

Value Executable::createWorkgroupId(OpBuilder &builder, Location loc,
                                    int64_t dim) {
  return createForeign(
             builder, loc, "stream.dispatch.workgroup.id", {},
             builder.getIndexType(),
             builder.getNamedAttr("dimension", builder.getIndexAttr(dim)))
      ->getResult(0);
}

void Executable::createCount(OpBuilder &builder, Location loc, Value x,
                             Value y) {
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  createForeign(builder, loc, "stream.return", {x, y, one}, {});
}

Value Executable::createDispatch(OpBuilder &builder, Location loc,
                                 ValueRange indices, ValueRange sizes,
                                 ValueRange tensors,
                                 RankedTensorType result) const {
  SmallVector<Value> workload(indices);
  llvm::append_range(workload, sizes);
  SmallVector<Value> operands = workload;
  llvm::append_range(operands, workload);
  llvm::append_range(operands, tensors);
  llvm::append_range(operands, sizes);
  auto count = [](auto number) { return static_cast<int32_t>(number); };
  int32_t resultSizes = count(result.getNumDynamicDims());
  Attribute segments = builder.getDenseI32ArrayAttr(
      {count(workload.size()), count(workload.size() + tensors.size()),
       count(sizes.size()) - resultSizes, resultSizes});
  return createForeign(builder, loc, "flow.dispatch", operands, result,
                       {builder.getNamedAttr("entry_points",
                                             builder.getArrayAttr(symbol)),
                        builder.getNamedAttr("operandSegmentSizes", segments),
                        builder.getNamedAttr("tied_operands",
                                             builder.getIndexArrayAttr({-1}))})
      ->getResult(0);
}
