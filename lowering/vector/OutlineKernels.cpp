//===- OutlineKernels.cpp - omb-outline-kernels ---------------------------===//

#include "lowering/Passes.h"
#include "lowering/vector/Kernels.h"
#include "lowering/vector/PackedContraction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace omb::kernels;

namespace omb {
#define GEN_PASS_DEF_OUTLINEKERNELS
#include "lowering/Passes.h.inc"
} // namespace omb

namespace {

/// Makes functions of products, one for all that are alike.
class Outliner {
public:
  explicit Outliner(ModuleOp module)
      : symbols(module), context(module.getContext()) {}

  void outline(const PackedContraction &contraction) {
    Operation *last = contraction.getResult().getDefiningOp();
    OpBuilder builder(last);
    SmallVector<Value> operands = getTensors(contraction);
    SmallVector<Value> sizes = getSizes(builder, contraction);
    func::FuncOp kernel = getKernel(contraction, operands, sizes.size());
    operands.append(sizes);
    auto call = func::CallOp::create(builder, last->getLoc(), kernel, operands);
    contraction.getResult().replaceAllUsesWith(call.getResult(0));
    erase(contraction);
  }

private:
  /// What the kernel reads: the input, the panels, and the epilogue's others.
  static SmallVector<Value> getTensors(const PackedContraction &contraction) {
    SmallVector<Value> tensors{contraction.getInput(), contraction.getPanels()};
    if (auto epilogue = contraction.epilogue) {
      for (Value operand : epilogue.getDpsInputs())
        if (operand != contraction.unpack->getResult(0) &&
            !llvm::is_contained(tensors, operand))
          tensors.push_back(operand);
    }
    return tensors;
  }

  /// The result's dynamic sizes.
  static SmallVector<Value> getSizes(OpBuilder &builder,
                                     const PackedContraction &contraction) {
    auto unpack = contraction.unpack;
    SmallVector<Value> sizes;
    if (auto empty = unpack.getDest().getDefiningOp<tensor::EmptyOp>())
      return SmallVector<Value>(empty.getDynamicSizes());
    for (OpFoldResult size :
         tensor::getMixedSizes(builder, unpack.getLoc(), unpack.getDest()))
      if (auto value = dyn_cast<Value>(size))
        sizes.push_back(value);
    return sizes;
  }

  func::FuncOp getKernel(const PackedContraction &contraction,
                         ArrayRef<Value> tensors, size_t sizes) {
    SmallVector<Type> types(ValueRange(tensors).getTypes());
    types.append(sizes, IndexType::get(context));
    auto type =
        FunctionType::get(context, types, {contraction.getResultType()});
    Location loc = contraction.product->getLoc();
    OpBuilder builder(context);
    auto kernel = func::FuncOp::create(loc, "kernel", type);
    kernel.setPrivate();
    kernel->setAttr(kKernelAttrName, builder.getUnitAttr());
    fill(kernel, contraction, tensors);
    for (func::FuncOp other : kernels) {
      if (kernel.getFunctionType() == other.getFunctionType() &&
          OperationEquivalence::isRegionEquivalentTo(
              &kernel.getBody(), &other.getBody(),
              OperationEquivalence::IgnoreLocations)) {
        kernel.erase();
        return other;
      }
    }
    symbols.insert(kernel);
    kernels.push_back(kernel);
    return kernel;
  }

  static void fill(func::FuncOp kernel, const PackedContraction &contraction,
                   ArrayRef<Value> tensors) {
    OpBuilder builder = OpBuilder::atBlockBegin(kernel.addEntryBlock());
    IRMapping map;
    map.map(tensors, kernel.getArguments().take_front(tensors.size()));
    ValueRange sizes = kernel.getArguments().drop_front(tensors.size());
    auto product = contraction.product;
    auto unpack = contraction.unpack;
    auto fill = contraction.fill;
    auto mapEmpty = [&](Value destination) {
      auto type = cast<RankedTensorType>(destination.getType());
      map.map(destination,
              tensor::EmptyOp::create(builder, kernel.getLoc(), type, sizes)
                  .getResult());
    };
    mapEmpty(fill.output());
    cloneInput(builder, contraction, map);
    auto captureConstants = [&](Operation *op) {
      op->walk([&](Operation *inner) {
        for (Value operand : inner->getOperands())
          if (!map.contains(operand) && operand.getDefiningOp() &&
              operand.getDefiningOp()->hasTrait<OpTrait::ConstantLike>())
            builder.clone(*operand.getDefiningOp(), map);
      });
    };
    captureConstants(fill);
    builder.clone(*fill, map);
    builder.clone(*product, map);
    mapEmpty(unpack.getDest());
    builder.clone(*unpack, map);
    if (auto epilogue = contraction.epilogue) {
      if (!map.contains(epilogue.getDpsInits()[0]))
        mapEmpty(epilogue.getDpsInits()[0]);
      captureConstants(epilogue);
      builder.clone(*epilogue, map);
    }
    func::ReturnOp::create(builder, kernel.getLoc(),
                           map.lookup(contraction.getResult()));
  }

  /// The padding and the packing of the input.
  static void cloneInput(OpBuilder &builder,
                         const PackedContraction &contraction, IRMapping &map) {
    if (auto pad = contraction.pad) {
      Value value = pad.getConstantPaddingValue();
      builder.clone(*value.getDefiningOp(), map);
      builder.clone(*pad, map);
    }
    auto pack = contraction.pack;
    if (!pack)
      return;
    builder.clone(*pack.getPaddingValue().getDefiningOp(), map);
    map.map(pack.getDest(),
            linalg::PackOp::createDestinationTensor(
                builder, pack.getLoc(), map.lookup(pack.getSource()),
                pack.getMixedTiles(), pack.getInnerDimsPos(),
                pack.getOuterDimsPerm()));
    builder.clone(*pack, map);
  }

  static void erase(const PackedContraction &contraction) {
    if (auto epilogue = contraction.epilogue)
      epilogue->erase();
    auto unpack = contraction.unpack;
    auto product = contraction.product;
    auto pack = contraction.pack;
    auto pad = contraction.pad;
    unpack->erase();
    product->erase();
    // Others may ask for their sizes.
    for (Operation *op : {pack.getOperation(), pad.getOperation()})
      if (op && op->use_empty())
        op->erase();
  }

  SymbolTable symbols;
  MLIRContext *context;
  SmallVector<func::FuncOp> kernels;
};

struct OutlineKernels : omb::impl::OutlineKernelsBase<OutlineKernels> {
  void runOnOperation() override {
    Outliner outliner(getOperation());
    SmallVector<linalg::UnPackOp> unpacks;
    getOperation().walk(
        [&](linalg::UnPackOp unpack) { unpacks.push_back(unpack); });
    for (linalg::UnPackOp unpack : unpacks) {
      FailureOr<PackedContraction> contraction =
          PackedContraction::match(unpack);
      if (succeeded(contraction))
        outliner.outline(*contraction);
    }
  }
};

} // namespace
