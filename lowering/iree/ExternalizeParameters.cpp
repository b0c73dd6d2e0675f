//===- ExternalizeParameters.cpp - Weights leave the module ---------------===//

#include "lowering/Passes.h"
#include "lowering/iree/Dialects.h"
#include "lowering/iree/Parameters.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace omb {
#define GEN_PASS_DEF_EXTERNALIZEPARAMETERS
#include "lowering/Passes.h.inc"
} // namespace omb

/// MLIR prints up to 100 elements one by one.
constexpr int64_t kMostInlineBooleans = 100;

namespace {

struct ExternalizeParameters
    : omb::impl::ExternalizeParametersBase<ExternalizeParameters> {
  using ExternalizeParametersBase::ExternalizeParametersBase;

  void runOnOperation() override {
    for (Operation &op : getOperation().getBody()->getOperations())
      if (auto name =
              op.getAttrOfType<StringAttr>(SymbolTable::getSymbolAttrName()))
        names.insert(name.getValue());

    WalkResult result = getOperation().walk([&](arith::ConstantOp op) {
      auto elements = dyn_cast<ElementsAttr>(op.getValue());
      if (!elements || !isa<RankedTensorType>(op.getType()))
        return WalkResult::advance();
      return WalkResult(isLarge(elements) ? externalize(op, elements)
                                          : makeInline(op, elements));
    });
    if (result.wasInterrupted())
      return signalPassFailure();

    if (!parameters.empty())
      getOperation()->setAttr(omb::kParametersAttrName,
                              DictionaryAttr::get(&getContext(), parameters));
    parameters.clear();
    symbols.clear();
    names.clear();
  }

  /// Splats print short, and IREE fills them without reading memory.
  bool isLarge(ElementsAttr elements) const {
    if (isa<IndexType>(elements.getElementType()) || elements.isSplat() ||
        elements.empty())
      return false;
    // For SPIR-V IREE 3.13 makes i16 of bf16, but not of such constants.
    if (elements.getElementType().isBF16())
      return true;
    // The text of many i1 is of their bits here, of their bytes in IREE's MLIR.
    if (elements.getElementType().isInteger(1) &&
        elements.getNumElements() > kMostInlineBooleans)
      return true;
    if (auto resource = dyn_cast<DenseResourceElementsAttr>(elements)) {
      const AsmResourceBlob *blob = resource.getRawHandle().getBlob();
      return !blob || blob->getData().size() > threshold;
    }
    auto dense = dyn_cast<DenseElementsAttr>(elements);
    return dense && dense.getRawData().size() > threshold;
  }

  LogicalResult makeInline(arith::ConstantOp op, ElementsAttr elements) {
    DenseElementsAttr dense = omb::inlineElements(elements);
    if (!dense)
      return op.emitOpError("has a value whose bytes don't fit its type");
    op.setValueAttr(dense);
    return success();
  }

  LogicalResult externalize(arith::ConstantOp op, ElementsAttr elements) {
    FlatSymbolRefAttr &symbol = symbols[elements];
    if (!symbol) {
      ElementsAttr packed = omb::packElements(elements);
      if (!packed)
        return op.emitOpError("has a value whose bytes don't fit its type");
      symbol = addGlobal(op, elements);
      parameters.emplace_back(symbol.getAttr(), packed);
    }
    OpBuilder builder(op);
    OperationState load(op.getLoc(), "util.global.load");
    load.addAttribute("global", symbol);
    load.addTypes(op.getType());
    op.replaceAllUsesWith(builder.create(load)->getResult(0));
    op.erase();
    return success();
  }

  FlatSymbolRefAttr addGlobal(arith::ConstantOp op, ElementsAttr elements) {
    MLIRContext *context = &getContext();
    StringAttr name = StringAttr::get(context, getName(elements));
    std::string parameter;
    llvm::raw_string_ostream stream(parameter);
    stream << "parameter.named<"
           << StringAttr::get(context, omb::kParameterScope) << "::" << name
           << ">";
    auto builder = OpBuilder::atBlockBegin(getOperation().getBody());
    OperationState global(op.getLoc(), "util.global");
    global.addAttribute("sym_name", name);
    global.addAttribute("sym_visibility", builder.getStringAttr("private"));
    global.addAttribute("type", TypeAttr::get(op.getType()));
    global.addAttribute("initial_value",
                        OpaqueAttr::get(builder.getStringAttr("flow"),
                                        parameter, op.getType()));
    builder.create(global);
    return FlatSymbolRefAttr::get(name);
  }

  /// The key of a resource, which is the initializer's name, or a number; no
  /// name is given twice.
  std::string getName(ElementsAttr elements) {
    std::string base = "constant";
    if (auto resource = dyn_cast<DenseResourceElementsAttr>(elements))
      base = resource.getRawHandle().getKey().str();
    std::string name = base;
    for (unsigned number = 1; !names.insert(name).second; ++number)
      name = base + "_" + std::to_string(number);
    return name;
  }

  /// One global for all constants of the same value and type.
  llvm::DenseMap<Attribute, FlatSymbolRefAttr> symbols;
  SmallVector<NamedAttribute> parameters;
  llvm::StringSet<> names;
};

} // namespace

void omb::buildToIREEPipeline(OpPassManager &passes) {
  passes.addPass(createDensifyConstants());
  passes.addPass(createFlattenElements());
  passes.addPass(createIsolateSizes());
  passes.addPass(createIsolateCarriedTensors());
  passes.addPass(createCarrySizes());
  passes.addPass(createIsolateUpdates());
  passes.addPass(createExternalizeParameters());
}
